#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine with Intel AMT, over WS-Management. What it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: amt_power
short_description: Read or switch the power of a machine with Intel AMT
version_added: 0.1.0
author:
  - The hostpm.fencing authors (@hostpm)
description:
  - Reads the power of a machine with Intel Active Management Technology (AMT) over WS-Management, or switches it and waits until AMT
    says so.
  - On is C(PowerState) 2. Off is 8 (off soft) and 6 (off hard), in which nothing runs and nothing is kept. A machine that sleeps or
    hibernates goes on where it was when it wakes, so it is V(unknown), never off. So is everything that is not documented.
  - A machine is switched off without waiting for its operating system.
  - AMT refuses to switch while somebody has a redirection session open (SOL, IDE-R, KVM).

extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - requests >= 2.31.0 where the module runs
options:
  timeout:
    description:
      - Budget of one switching operation with its retries and its waiting, in seconds of wall clock.
      - The default is 60.
    type: float
  read_timeout:
    description:
      - Budget of one read with its retries, in seconds of wall clock. It is never more than O(timeout).
      - The default is 12.
    type: float
  address:
    description: Name or IP address (IPv4 or IPv6) of the machine's AMT, without C(https://) and without a path.
    type: str
    required: true
  port:
    description: TCP port of AMT. The default is 16993 with O(protocol=https), 16992 with O(protocol=http).
    type: int
  protocol:
    description:
      - How AMT is spoken to. Without TLS provisioned it speaks V(http) only, which must then be written.
      - The password is not sent with either of them, as the login is HTTP Digest.
    type: str
    choices: [https, http]
    default: https
  username:
    description: The account.
    type: str
    default: admin
  password:
    description: The password of the account.
    type: str
    required: true
  validate_certs:
    description:
      - Whether the device's certificate is verified.
      - Use V(false) on a network that you trust only. Whoever stands between can then read the password, and answer for the device.
    type: bool
    default: true
  ca_path:
    description:
      - A file of PEM certificates, or a folder of them prepared with C(openssl rehash), on the machine that speaks to
        the device. These are trusted and no others. A certificate that the device signed itself will do, too.
      - Without it the CAs of that machine are trusted.
    type: path
"""

EXAMPLES = r"""
- name: Read the power of a machine
  hostpm.fencing.amt_power:
    address: desk-17.example.com
    password: "{{ vault_amt }}"

- name: Switch it off, and return when AMT says that it is off
  hostpm.fencing.amt_power:
    address: desk-17.example.com
    password: "{{ vault_amt }}"
    ca_path: /etc/pki/amt-ca.pem
    state: "off"

- name: Switch a machine on whose AMT has no TLS
  hostpm.fencing.amt_power:
    address: 192.0.2.17
    protocol: http
    password: "{{ vault_amt }}"
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
  returned: when the device was asked
  type: str
  choices: ["on", "off", "unknown"]
  sample: "on"
reason:
  description: Why it failed, or why the power is unknown.
  returned: failure
  type: str
  choices: [auth, unreachable, timeout, refused, not_found, unsupported, bad_reply, tls, busy, unconfirmed]
  sample: auth
attempts:
  description: How often the device was asked, or a command was sent.
  returned: when the device was asked
  type: int
  sample: 1
raw:
  description: The C(PowerState) as AMT gave it last.
  returned: when the device was asked
  type: str
  sample: "8"
duration:
  description: How long it took, in seconds.
  returned: when the device was asked
  type: float
  sample: 3.2
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.amt import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
