#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power of a server, or of an outlet of a PDU, through its Redfish service. Documentation and one call: what it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redfish_power
short_description: Read or switch the power of a server or of an outlet through Redfish
version_added: 0.1.0
description:
  - Reads the power of one system of a BMC or chassis manager through its Redfish service, or switches it on or off. With
    O(outlet) it is an outlet of a PDU.
  - Only the exact C(PowerState) V(Off) counts as off, and only V(On) as on. A transition, V(null), or anything else is
    unknown, and the module fails.
  - Off is the reset C(ForceOff), on is C(On) (or C(ForceOn) where only that is allowed). A power button is never pushed
    and a cycle never started, because these do not say how the host ends up. A system that offers nothing else is refused.
  - An outlet is switched by C(PowerControl) with V(On) or V(Off), and one that is on its way to another state is unknown.
  - Among the C(fence_agents) of a host an agent with O(outlet) is a supply, any other one a chassis. Agents of one service share a
    session.
author:
  - The hostpm.fencing authors (@hostpm)
extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - requests on the machine that speaks to the device
options:
  address:
    description:
      - Host name or IP address of the Redfish service, without C(https://).
      - The device's certificate must be for this name.
    type: str
    required: true
  port:
    description:
      - TCP port of the service. The default is 443, or 80 with O(protocol=http).
    type: int
  protocol:
    description:
      - V(http) sends the password in clear text. It is for services behind a tunnel and for test benches.
    type: str
    choices: [https, http]
    default: https
  username:
    description:
      - Account on the service. It needs a role that may switch power, usually C(Operator).
      - Without it nothing is sent that tells who is asking.
    type: str
  password:
    description:
      - Password of O(username).
    type: str
  auth:
    description:
      - How to log in.
      - V(basic) sends the account with every request. It leaves nothing behind on the device, also when the task is
        killed, and cannot fail because others left too many sessions open.
      - V(session) opens a session, keeps it for the task, and closes it. For devices that forbid HTTP Basic, or that
        check every request against a slow directory. A service that offers no sessions is spoken to with HTTP Basic.
    type: str
    choices: [basic, session]
    default: basic
  system:
    description:
      - The system to switch, as its C(Id), C(UUID) or C(SerialNumber), in full. Case counts except in a UUID.
      - It must fit exactly one system of the service.
      - A service with a single system does not need it. With several and none chosen the module fails and names them.
    type: str
  outlet:
    description:
      - The outlet to switch, as its C(Id), its C(Name) or its C(UserLabel), in full. Case counts.
      - It must fit exactly one outlet of the PDU. It cannot stand beside O(system).
    type: str
  pdu:
    description:
      - The rack PDU that has the O(outlet), as its C(Id), C(UUID), C(SerialNumber), C(Name) or C(UserLabel), in full.
      - A service with a single PDU does not need it. With several and none chosen the module fails and names them.
      - Prefer the serial number. A chain of PDUs may be numbered anew.
    type: str
  validate_certs:
    description:
      - Whether the device's certificate is verified.
      - Use V(false) on a network that you trust only. Whoever stands between can then read the password, and answer
        V(Off) for the device.
    type: bool
    default: true
  ca_path:
    description:
      - A file of PEM certificates, or a folder of them prepared with C(openssl rehash), on the machine that speaks to
        the device. These are trusted and no others. A certificate that the device signed itself will do, too.
      - Without it the CAs of that machine are trusted. Variables such as E(REQUESTS_CA_BUNDLE) are not looked
        at.
    type: path
notes:
  - The default of O(timeout) is 90 seconds, that of O(read_timeout) 20 seconds.
  - Proxies, C(.netrc) and redirects to other hosts are never followed.
"""

EXAMPLES = r"""
- name: Read the power of a server
  hostpm.fencing.redfish_power:
    address: bmc-3.example.com
    username: fence
    password: "{{ vault_bmc }}"

- name: Switch it off, and return when it is read as off
  hostpm.fencing.redfish_power:
    address: bmc-3.example.com
    username: fence
    password: "{{ vault_bmc }}"
    ca_path: /etc/pki/bmc-ca.pem
    state: "off"

- name: Switch one blade of a chassis on, with a session
  hostpm.fencing.redfish_power:
    address: chassis-1.example.com
    username: fence
    password: "{{ vault_chassis }}"
    auth: session
    system: 27946b59-9e44-4fa7-8e91-f3527a1ef094
    state: "on"
    timeout: 180

- name: Switch an outlet of the second PDU of a chain off
  hostpm.fencing.redfish_power:
    address: pdu-a.example.com
    username: fence
    password: "{{ vault_pdu }}"
    pdu: PDU0002A
    outlet: 7
    state: "off"
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
  description: The C(PowerState) as the device gave it.
  returned: when the device was asked
  type: str
  sample: "Off"
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
  sample: auth
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.redfish import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
