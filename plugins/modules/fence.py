#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the action plugin ``fence``; its code is in plugins/action/fence.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fence
short_description: Cut, restore and prove the power of a host through all of its power devices
version_added: 0.1.0
description:
  - Reads, switches off, switches on or restarts the power of a host through the agents that its inventory variables describe,
    a BMC over IPMI or Redfish, the outlets of PDUs over SNMP, or the power module of anybody.
  - Levels of agents are tried in order. The agents of a level act together and truly in parallel.
  - A host is reported as fenced only when every agent of a level was read off in one sweep, several times, and no other agent
    contradicts. A device that does not answer, or answers with anything else, is never taken for off.
  - O(state=restarted) switches all off, proves it, and then switches all on. Nothing is switched on before the proof.
  - The host itself is not contacted. Devices are spoken to from the machine that runs Ansible.
author:
  - The hostpm.fencing authors (@hostpm)
extends_documentation_fragment:
  - hostpm.fencing.fencing
  - hostpm.fencing.fencing.attributes
seealso:
  - module: hostpm.fencing.fence_all
  - module: hostpm.fencing.ipmi_power
  - module: hostpm.fencing.redfish_power
  - module: hostpm.fencing.snmp_power
"""

EXAMPLES = r"""
# host_vars/node3.yml
#   fence_agents:
#     bmc: {type: ipmi, address: bmc-3.example.com, credential: bmc}
#     psu_a: {type: snmp, address: pdu-a.example.com, outlet: 7, credential: pdu}
#     psu_b: {type: snmp, address: pdu-b.example.com, outlet: 7, credential: pdu}
#   fence_levels:
#     - [bmc]
#     - [psu_a, psu_b]

- name: Read the power through all agents
  hostpm.fencing.fence:
  register: power

- name: Switch the host off and prove it
  hostpm.fencing.fence:
    state: "off"
  register: fencing

- name: Start its workload elsewhere, now that it is proven off
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} is off, proven by level {{ fencing.level }}"
  when: fencing.fenced

- name: Switch it off and on again, through its outlets only
  hostpm.fencing.fence:
    state: restarted
    agents: [psu_a, psu_b]
"""

RETURN = r"""
power:
  description: The power of the host, V(on), V(off) or V(unknown).
  returned: always
  type: str
  sample: "off"
fenced:
  description: Whether this task proved the host off. It stays V(true) when the host could not be switched on again after that.
  returned: always
  type: bool
level:
  description: Number of the level that proved the host off, counted from 1; null if none did.
  returned: when devices were asked
  type: int
state:
  description: The state that was asked for; null for a read.
  returned: when devices were asked
  type: str
redundancy:
  description:
    - V(none) with fewer than two feeds, V(full) if all feeds answer and agree, V(degraded) if one differs or does not answer.
    - Null if no feed was asked.
  returned: when devices were asked
  type: str
timeout:
  description: The most seconds that the task could take, computed before anything was sent.
  returned: when devices were asked
  type: float
duration:
  description: The seconds that it took.
  returned: when devices were asked
  type: float
agents:
  description:
    - What became of each agent, by name.
    - C(ok) is null for an agent that was not asked.
    - C(reason) is one of auth, unreachable, timeout, refused, not_found, unsupported, conflict, bad_reply, tls, host_key, busy,
      unconfirmed, vetoed.
  returned: when devices were asked
  type: dict
  sample:
    psu_a:
      {level: 2, kind: supply, power_before: "on", power: "off", switched: true, ok: true, reason: null, msg: "", attempts: 3, duration: 0.41}
timeline:
  description: What happened when, in seconds since the start; what a person reads after an incident.
  returned: when devices were asked
  type: list
  elements: dict
  sample:
    - {at: 1.205, agent: null, event: "barrier: psu_a, psu_b read off in one sweep, 2 times", power: "off"}
warnings:
  description: What a person should know although it did not decide.
  returned: when devices were asked
  type: list
  elements: str
msg:
  description: What failed, at which agent, what was seen and what to do.
  returned: on failure
  type: str
"""
