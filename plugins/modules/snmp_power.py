#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outlets of a PDU over SNMP. What it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snmp_power
short_description: Read or switch outlets of a PDU over SNMP
version_added: 0.1.0
author:
  - The hostpm.fencing authors (@hostpm)
description:
  - Reads the state of an outlet of a power distribution unit (PDU) over SNMP version 1, 2c or 3, or switches it and waits until
    the PDU says so. Blades, switch ports and ports with power over Ethernet count as outlets, see O(model).
  - What the PDU's objects and values mean is a table of PDU families, O(model). Only the documented value is off. A missing
    object, a value of no table, a pending command, a failed relay or a wrong type is V(unknown).
  - The outlet's row is read before anything is sent. A command leaves as one request, it is never retransmitted.
    A command that the PDU has scheduled for the outlet is called off first, where the family has a way to.
  - An outlet that is off proves that this feed is off. A host with two supplies has two feeds, see M(hostpm.fencing.fence).
extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - pysnmp >= 7.1.26 where the module runs, and cryptography for O(priv_password)
options:
  timeout:
    description:
      - Budget of one switching operation with its retries and its waiting, in seconds of wall clock.
      - The default is 30. PDUs may show a change only 5 to 20 seconds after it.
    type: float
  read_timeout:
    description:
      - Budget of one read with its retries, in seconds of wall clock. It is never more than O(timeout).
      - The default is 8. A PDU that does not answer costs all of it.
    type: float
  address:
    description: Name or IP address (IPv4 or IPv6) of the PDU.
    type: str
    required: true
  port:
    description: UDP port of the PDU.
    type: int
    default: 161
  version:
    description:
      - SNMP version.
      - The default is V(3) with O(username) and V(2c) with O(community); with both it must be given.
        There is no fall-back from one version to another.
      - Versions 1 and 2c send the community in clear. Use them on a management network only.
    type: str
    choices: ["1", "2c", "3"]
  community:
    description:
      - Community for reading, with versions 1 and 2c.
      - A PDU answers a wrong community with silence, so it looks like a PDU that is down.
    type: str
  write_community:
    description: Community for switching, with versions 1 and 2c. The default is O(community).
    type: str
  username:
    description:
      - User of version 3.
      - Without passwords the level is noAuthNoPriv, with O(auth_password) authNoPriv, with O(priv_password) too authPriv.
        It must be the level that the user has on the PDU.
    type: str
  auth_protocol:
    description: How the user of version 3 is authenticated. Needed with O(auth_password).
    type: str
    choices: [md5, sha, sha224, sha256, sha384, sha512]
  auth_password:
    description: Authentication password of the user, at least 8 characters.
    type: str
  priv_protocol:
    description:
      - How requests of version 3 are encrypted. Needed with O(priv_password).
      - V(aes192) and V(aes256) make their keys as net-snmp does, V(aes192c) and V(aes256c) as Cisco does.
        With SHA-256 or longer they are the same. DES is broken and only for old firmware.
    type: str
    choices: [des, aes128, aes192, aes256, aes192c, aes256c]
  priv_password:
    description: Encryption password of the user, at least 8 characters.
    type: str
  context:
    description: Context name of version 3, where a management card serves several PDUs.
    type: str
  outlet:
    description:
      - The outlet, as its number (C(7)), as its full index (C("2.1.7")) or as its exact name on the PDU (C(node3-psu-a)).
      - Digits are a number and digits with dots are a full index; everything else is a name. Outlets count from 1.
      - A full index has the parts that the family counts by, for example the unit of a chain and the outlet. Write it in
        quotes, as YAML takes C(1.10) for the number 1.1; such a number is refused.
      - Where a number is not enough, a bare number is the outlet of the first unit. Families whose infeeds or branches each count
        from 1 (V(sentry3), V(sentry4), V(liebert_mph)) need the full index.
      - Exactly one outlet must have the name.
      - This, O(outlet_name) or O(outlets) is needed.
    type: raw
  outlet_name:
    description: The exact name of the outlet, also one that looks like a number or an index.
    type: str
  outlets:
    description:
      - Several outlets that are one supply, such as the two outlets of a supply with two cords, each as in O(outlet).
      - The power is on when all of them are on and off when all of them are off; otherwise it is V(unknown) and the message names them.
        A command switches each of them once, or none where one of them is missing.
    type: list
    elements: raw
  model:
    description:
      - The family of the PDU, such as V(apc_rpdu2), V(raritan_px2) or V(eaton_g3). The collection's page C(docs/pdu_families.md) has all
        of them with their devices.
      - Without it the PDU is asked for its sysObjectID, and exactly one family must fit. Nothing is guessed.
      - Blades of a chassis (V(ibm_bladecenter), V(intel_modular)), ports of switches (V(switch_port), V(cisco_mds)) and ports with power
        over Ethernet (V(poe_port)) are never detected. A blade is an agent of the kind chassis, all others are supplies.
      - V(switch_port) and V(cisco_mds) cut a server off from its network or its storage and leave it running.
    type: str
  trust_status:
    description:
      - Whether off counts on a PDU whose firmware lacks the further object of its family that tells of a pending command or a failed relay.
      - By default it does not, and the power is V(unknown). The object is never ignored where the PDU has it.
    type: bool
    default: false
  accept_untested:
    description:
      - Whether a O(model) of trust C may be used, whose facts are in doubt and which nobody is known to have switched.
      - Try it on a spare outlet, and look at the outlet.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read an outlet of a PDU that is asked what it is
  hostpm.fencing.snmp_power:
    address: pdu-a.example.com
    username: fence
    auth_protocol: sha256
    auth_password: "{{ vault_pdu_auth }}"
    priv_protocol: aes128
    priv_password: "{{ vault_pdu_priv }}"
    outlet: 7
  register: outlet

- name: Switch an outlet off by its name, and return when the PDU says that it is off
  hostpm.fencing.snmp_power:
    address: pdu-a.example.com
    community: "{{ vault_pdu_read }}"
    write_community: "{{ vault_pdu_write }}"
    model: apc_rpdu2
    outlet: node3-psu-a
    state: "off"

- name: Switch off both outlets of one supply
  hostpm.fencing.snmp_power:
    address: pdu-a.example.com
    community: "{{ vault_pdu_write }}"
    outlets: [7, 8]
    state: "off"

- name: Switch on outlet 7 of the second infeed of a Sentry tower
  hostpm.fencing.snmp_power:
    address: 192.0.2.40
    version: "1"
    community: "{{ vault_pdu_write }}"
    model: sentry3
    outlet: "1.2.7"
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
  returned: when the PDU was asked
  type: str
  choices: ["on", "off", "unknown"]
  sample: "on"
reason:
  description: Why it failed, or why the power is unknown.
  returned: failure
  type: str
  choices: [auth, unreachable, timeout, refused, not_found, unsupported, bad_reply, busy, unconfirmed]
  sample: not_found
attempts:
  description: How often the PDU was asked, or a command was sent.
  returned: when the PDU was asked
  type: int
  sample: 1
raw:
  description: What the PDU said last of the outlet, with its meaning and the outlet's name.
  returned: when the PDU was asked
  type: str
  sample: 2 (off), named node3-psu-a
duration:
  description: How long it took, in seconds.
  returned: when the PDU was asked
  type: float
  sample: 0.6
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
