#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blades and rack servers of a Cisco UCS domain, by their service profiles. What it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ucs_power
short_description: Read or switch the power of a server of a Cisco UCS domain
version_added: 0.1.0
author:
  - The hostpm.fencing authors (@hostpm)
description:
  - Reads the power of the server that a service profile is on, over the XML API of Cisco UCS Manager, or switches it and waits until UCS
    Manager says so.
  - The host is named by its service profile, not by a slot, as it is the profile that moves when a blade is replaced.
  - Off is C(operPower) V(off) of a server whose C(presence) is V(equipped) and that is assigned to this profile. A missing or mismatched
    server, and every other word, is V(unknown). A profile that is on no server is C(not_found), never off.
  - The session is always ended, also after an error.

extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - requests >= 2.31.0 where the module runs
options:
  timeout:
    description:
      - Budget of one switching operation with its retries and its waiting, in seconds of wall clock.
      - The default is 200. Since release 3.1, UCS Manager may give the operating system the time of the soft shutdown timer in the maintenance
        policy of the profile, which is 150 seconds by default, before it cuts the power. Where that timer is longer, so must be this.
    type: float
  read_timeout:
    description:
      - Budget of one read with its retries, in seconds of wall clock. It is never more than O(timeout).
      - The default is 15.
    type: float
  address:
    description: Name or IP address (IPv4 or IPv6) of UCS Manager (the cluster address), without C(https://) and without a path.
    type: str
    required: true
  port:
    description: TCP port of UCS Manager. The default is 443 with O(protocol=https), 80 with O(protocol=http).
    type: int
  protocol:
    description:
      - How UCS Manager is spoken to.
      - V(http) sends the password in clear. Use it on a management network only.
    type: str
    choices: [https, http]
    default: https
  username:
    description:
      - The account. It needs the privilege C(ls-power).
      - An account of a login domain is written as C(ucs-DOMAIN\USER).
    type: str
    required: true
  password:
    description: The password of the account.
    type: str
    required: true
  profile:
    description: The name of the service profile, without C(ls-). Case counts.
    type: str
    required: true
  org:
    description:
      - The organization of the service profile, from the root downwards, such as C(Europe/Prod). The way that UCS Manager writes it,
        C(org-root/org-Europe/org-Prod), will do, too.
      - Without it the profile is in the root organization.
    type: str
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
- name: Read the power of the server that a service profile is on
  hostpm.fencing.ucs_power:
    address: ucs-1.example.com
    username: fence
    password: "{{ vault_ucs }}"
    profile: node3

- name: Switch it off, and return when UCS Manager says that it is off
  hostpm.fencing.ucs_power:
    address: ucs-1.example.com
    username: fence
    password: "{{ vault_ucs }}"
    profile: node3
    org: Europe/Prod
    ca_path: /etc/pki/ucs-ca.pem
    state: "off"

- name: Switch a server on that takes long
  hostpm.fencing.ucs_power:
    address: ucs-1.example.com
    username: ucs-ad\fence
    password: "{{ vault_ucs }}"
    profile: node4
    state: "on"
    timeout: 300
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
  description: The power and the presence of the server as UCS Manager gave them last, and where it is.
  returned: when the device was asked
  type: str
  sample: operPower off, presence equipped at sys/chassis-1/blade-3
duration:
  description: How long it took, in seconds.
  returned: when the device was asked
  type: float
  sample: 3.2
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.ucs import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
