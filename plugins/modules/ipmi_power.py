#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One BMC over IPMI. What it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ipmi_power
short_description: Read or switch a host's power through its BMC over IPMI 2.0
version_added: 0.1.0
author:
  - The hostpm.fencing authors (@hostpm)
description:
  - Reads the chassis power of a BMC over IPMI 2.0 (RMCP+), or switches it and waits until the BMC says so.
  - C(off) is the hard power off (chassis power down). Reset, cycle and soft shutdown are never sent.
  - A power command is put on the wire once for each attempt, also when its answer is lost or late;
    what the BMC reads next decides.
  - A wrong password, a busy BMC and a silent one are told apart in RV(reason).
extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - python-ipmi >= 0.6.1 with cryptography (C(pip install "python-ipmi[rmcpplus]>=0.6.1")), or pyghmi >= 1.6.19
options:
  timeout:
    description:
      - Budget of one switching operation with its retries and its waiting, in seconds of wall clock.
      - The default is 60.
    type: float
  read_timeout:
    description:
      - Budget of one read with its retries, in seconds of wall clock. It is never more than O(timeout).
      - The default is 10. A BMC that answers nothing costs all of it.
    type: float
  address:
    description: Name or IP address (IPv4 or IPv6) of the BMC.
    type: str
    required: true
  port:
    description: UDP port of the BMC.
    type: int
    default: 623
  username:
    description: Account of the BMC, at most 16 bytes.
    type: str
    required: true
  password:
    description: Password of the account, at most 20 bytes.
    type: str
    required: true
  k_g:
    description:
      - The BMC's own key (K_g), at most 20 bytes, if it has one.
      - Text, or C(0x) and hexadecimal digits.
    type: str
  privilege:
    description:
      - Privilege level that the session asks for.
      - The default, V(operator), is what switching the power needs; an administrator's account may use it too.
        V(user) can only read. Some BMCs let an administrator in as V(administrator) only.
    type: str
    choices: [user, operator, administrator]
    default: operator
  cipher_suites:
    description:
      - Cipher suites to propose to the BMC, in order; the first that it takes is used.
        V(17) is SHA-256 and AES, V(3) is SHA-1 and AES.
      - Known are V(1), V(2), V(3), V(15), V(16) and V(17), with O(library=pyghmi) V(3) and V(17).
        V(1), V(2), V(15) and V(16) do not encrypt; V(1) and V(15) do not sign either, so anybody can forge an answer.
      - Suite 0 knows no password and is refused.
    type: list
    elements: int
    default: [17, 3]
  library:
    description:
      - The Python library that speaks to the BMC. Where one stumbles over a quirk of a BMC the other may not.
      - V(pyghmi) is run in a process of its own for each agent, because it cannot be interrupted. It cannot log in to a
        BMC that takes longer than about a second for each answer.
    type: str
    choices: [python-ipmi, pyghmi]
    default: python-ipmi
"""

EXAMPLES = r"""
- name: Read the power of a host
  hostpm.fencing.ipmi_power:
    address: bmc-3.example.com
    username: fence
    password: "{{ vault_bmc_password }}"
  register: bmc

- name: Switch it off, and return when the BMC says that it is off
  hostpm.fencing.ipmi_power:
    address: bmc-3.example.com
    username: fence
    password: "{{ vault_bmc_password }}"
    state: "off"
    timeout: 90

- name: A BMC with a key of its own, without SHA-256
  hostpm.fencing.ipmi_power:
    address: 192.0.2.17
    username: fence
    password: "{{ vault_bmc_password }}"
    k_g: "{{ vault_bmc_key }}"
    cipher_suites: [3]
    state: "on"
"""

RETURN = r"""
power:
  description: The power as it was read last.
  returned: always
  type: str
  choices: ["on", "off", "unknown"]
  sample: "off"
power_before:
  description: The power as it was read first.
  returned: when the BMC was asked
  type: str
  choices: ["on", "off", "unknown"]
  sample: "on"
reason:
  description: Why it failed, or why the power is unknown.
  returned: failure
  type: str
  choices: [auth, unreachable, timeout, refused, unsupported, bad_reply, busy, unconfirmed]
  sample: timeout
attempts:
  description: How often the BMC was asked, or a command was sent.
  returned: when the BMC was asked
  type: int
  sample: 1
raw:
  description: What the BMC said last, with the faults that it reports.
  returned: when the BMC was asked
  type: str
  sample: chassis power is off
duration:
  description: How long it took, in seconds.
  returned: when the BMC was asked
  type: float
  sample: 1.4
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.ipmi import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
