#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power of a server or an outlet through a device's text dialogue. What it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cli_power
short_description: Read or switch power through a device's command line or menu, over SSH or telnet
version_added: 0.1.0
author:
  - The hostpm.fencing authors (@hostpm)
description:
  - Reads the power of a server, a blade, a partition or an outlet from a device that is spoken to in text, or switches it and
    waits until the device says so.
  - How a device is spoken to is a table of dialogues, O(model). Only the exact documented word is off. Half a line, a
    connection that is cut, an outlet that is not listed, a word of no table or a command that still waits are never off.
  - Before anything is sent the outlet must be in the device's own listing. A command is sent once, and a session is always logged
    out. Devices that take one session at a time are logged out after every exchange.
  - The host key is checked before the password is sent.
extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - asyncssh >= 2.18.0 where the module runs, for O(transport=ssh)
options:
  timeout:
    description:
      - Budget of one switching operation with its retries and its waiting, in seconds of wall clock.
      - The default is 90.
    type: float
  read_timeout:
    description:
      - Budget of one read with its retries, in seconds of wall clock. It is never more than O(timeout).
      - The default is 30. A device that does not answer costs all of it.
    type: float
  address:
    description: Name or IP address (IPv4 or IPv6) of the device.
    type: str
    required: true
  port:
    description:
      - TCP port of the device.
      - The default is 22 for SSH. For telnet it is 23, or what the model has (3172 for V(fujitsu_rsb), 1234 for V(netio_230b)).
    type: int
  transport:
    description:
      - How the text travels.
      - Telnet sends the password in clear and knows no host keys. Use it on a management network only, and only for
        devices that have nothing else.
    type: str
    choices: [ssh, telnet]
    default: ssh
  username:
    description: Account on the device. Needed for SSH.
    type: str
  password:
    description: Password of the account.
    type: str
  private_key:
    description:
      - The private key of the account, as the text of its file with all its lines, instead of O(password) or beside it.
      - No key of an agent or of the user's own SSH settings is ever used.
    type: str
  private_key_passphrase:
    description: Passphrase of O(private_key).
    type: str
  host_key:
    description:
      - The host key that the device must have, as its fingerprint (C(SHA256:...)) or as the key itself (C(ssh-ed25519 AAAA...)).
      - A device with another one is not logged in to; the message tells which one was seen.
    type: str
  known_hosts:
    description:
      - A file of known hosts on the machine where the module runs.
      - Without it and without O(host_key) these are C(~/.ssh/known_hosts) and C(/etc/ssh/ssh_known_hosts).
    type: path
  check_host_key:
    description: Whether the host key is checked at all. Without the check anybody in between gets the password.
    type: bool
    default: true
  legacy_algorithms:
    description:
      - Allow algorithms that OpenSSH has given up (CBC ciphers, SHA-1 key exchange and signatures, DSS, MD5), for this device only.
      - APC cards of the older generations have nothing else.
    type: bool
    default: false
  model:
    description:
      - The dialogue, see the list of dialogues in the documentation of the collection.
      - V(apc_menu) finds its way through the menus of AOS 2 and 3, V(apc_aos5) is for AOS 5 and later.
    type: str
    required: true
    choices:
      - apc_aos5
      - apc_menu
      - apc_menu_plus
      - bladecenter
      - cyberpower
      - dell_cmc
      - drac_racadm
      - eaton_g3
      - fujitsu_rsb
      - hitachi_cb
      - hmc_lpar
      - hp_bladesystem
      - hp_moonshot
      - hp_superdome
      - ilo_mp
      - ilo_ssh
      - netio_230b
      - raritan_px
      - raritan_px2
      - rsa2
      - sentry_cdu
      - sentry_cdu8
      - sun_alom
      - sun_ilom
      - wti
  outlet:
    description:
      - What is switched, as the device calls it; an outlet's number, a blade's bay, a partition.
      - Where the device lists names, the exact name does as well, if exactly one outlet has it.
      - Models that stand for one server have none.
    type: str
  system:
    description: The managed system of a partition (V(hmc_lpar)), or the number of the MasterSwitch (V(apc_menu_plus)).
    type: str
  profile:
    description: The profile to activate a partition with (V(hmc_lpar)). Without it its current configuration is activated.
    type: str
  prompt:
    description:
      - A regular expression for the whole last line of a complete answer, where the device has another prompt than the model.
    type: str
  login_prompt:
    description: A regular expression for the line that asks for the name, where the device asks in text.
    type: str
  password_prompt:
    description: A regular expression for the line that asks for the password, where the device asks in text.
    type: str
  accept_untested:
    description:
      - Needed for models of trust C, which rest on a guess in a part that matters.
      - Try such a model where nothing can break before it guards anything.
    type: bool
    default: false
notes:
  - An agent of a PDU model is a supply agent, all others are chassis agents.
"""

EXAMPLES = r"""
- name: Read an outlet of an APC PDU
  hostpm.fencing.cli_power:
    address: pdu-a.example.com
    model: apc_aos5
    username: fence
    password: "{{ vault_pdu }}"
    host_key: SHA256:uNiVztksCsDhcc0u9e8BrMXDh3iL5i1CmDGJYvTfJWs
    outlet: 7

- name: Switch an old one off, and return when it is read as off
  hostpm.fencing.cli_power:
    address: pdu-b.example.com
    model: apc_menu
    username: fence
    password: "{{ vault_pdu }}"
    known_hosts: /etc/ansible/known_hosts
    legacy_algorithms: true
    outlet: 7
    state: "off"

- name: Activate a partition through its HMC, with a key
  hostpm.fencing.cli_power:
    address: hmc-1.example.com
    model: hmc_lpar
    username: fence
    private_key: "{{ vault_hmc_key }}"
    host_key: SHA256:uNiVztksCsDhcc0u9e8BrMXDh3iL5i1CmDGJYvTfJWs
    system: p570-A
    outlet: lpar1
    profile: normal
    state: "on"
    timeout: 180
"""

RETURN = r"""
power:
  description: The power as it was read last.
  returned: always
  type: str
  sample: "off"
power_before:
  description: The power before anything was sent.
  returned: when the device was asked
  type: str
  sample: "on"
raw:
  description: What the device said about the outlet, and its name there.
  returned: when the device was asked
  type: str
  sample: Off (named node3-psu-a)
attempts:
  description: How many times it was tried.
  returned: when the device was asked
  type: int
  sample: 1
duration:
  description: How long it took, in seconds.
  returned: when the device was asked
  type: float
  sample: 4.21
reason:
  description: Why it failed, as one word.
  returned: failure
  type: str
  sample: host_key
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
