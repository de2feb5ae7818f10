#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HP iLO and iLO 2 over RIBCL. What it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ribcl_power
short_description: Read or switch the power of a server with HP iLO or iLO 2
version_added: 0.1.0
author:
  - The hostpm.fencing authors (@hostpm)
description:
  - Reads the power of a ProLiant server over RIBCL, the XML that iLO and iLO 2 speak straight over TLS, or switches it and waits until the
    device says so.
  - For iLO 3 and later use M(hostpm.fencing.ipmi_power) or M(hostpm.fencing.redfish_power).
  - These devices have no command that means off, only a power button. Holding it a second time can switch the host on again. So the power is
    read on the same connection right before, nothing is pressed unless it is known, and a button that may have been pressed is left alone
    for 15 seconds, in which only the power is read.
  - Off is exactly V(OFF). Everything else is V(unknown) or on.

extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - requests >= 2.31.0 where the module runs
options:
  timeout:
    description:
      - Budget of one switching operation with its retries and its waiting, in seconds of wall clock.
      - The default is 90.
    type: float
  read_timeout:
    description:
      - Budget of one read with its retries, in seconds of wall clock. It is never more than O(timeout).
      - The default is 25.
    type: float
  address:
    description: Name or IP address (IPv4 or IPv6) of the iLO, without C(https://) and without a path.
    type: str
    required: true
  port:
    description: TCP port of the iLO.
    type: int
    default: 443
  username:
    description: The account. It needs the privilege for virtual power and reset.
    type: str
    required: true
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
  legacy_tls:
    description:
      - Whether TLS older than 1.2 and its ciphers may be spoken, as the firmware of these devices needs, as far as the OpenSSL
        of the machine that speaks to the device still has them.
      - They can be broken. Use it on a network that you trust only. Certificates are verified all the same.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the power of a server with an iLO 2
  hostpm.fencing.ribcl_power:
    address: ilo-3.example.com
    username: fence
    password: "{{ vault_ilo }}"
    ca_path: /etc/pki/ilo-3.pem

- name: Switch it off, and return when the iLO says that it is off
  hostpm.fencing.ribcl_power:
    address: ilo-3.example.com
    username: fence
    password: "{{ vault_ilo }}"
    legacy_tls: true
    validate_certs: false
    state: "off"

- name: Switch it on
  hostpm.fencing.ribcl_power:
    address: ilo-3.example.com
    username: fence
    password: "{{ vault_ilo }}"
    ca_path: /etc/pki/ilo-3.pem
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
  choices: [auth, unreachable, timeout, refused, unsupported, bad_reply, tls, busy, unconfirmed]
  sample: auth
attempts:
  description: How often the device was asked, or a command was sent.
  returned: when the device was asked
  type: int
  sample: 1
raw:
  description: The C(HOST_POWER) as the iLO gave it last.
  returned: when the device was asked
  type: str
  sample: "OFF"
duration:
  description: How long it took, in seconds.
  returned: when the device was asked
  type: float
  sample: 3.2
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.ribcl import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
