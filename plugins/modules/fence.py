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
options:
  state:
    description:
      - The power that the host must have.
      - Without it the power is read and reported, and nothing is changed.
    type: str
    choices: ["on", "off", "restarted"]
  agents:
    description:
      - Names of the agents to use, instead of all.
      - If these are not all agents of their levels it is a job on devices and not on the host, RV(fenced) stays V(false) then.
    type: list
    elements: str
  confirm_reads:
    description:
      - How often all agents of a level must be read off, one sweep each time, before the level holds. At least 1.
      - Defaults to the variable C(fence_confirm_reads), else V(2).
    type: int
  confirm_interval:
    description:
      - Seconds between two of the sweeps of O(confirm_reads).
      - Defaults to the variable C(fence_confirm_interval), else V(1).
    type: float
  witness_timeout:
    description:
      - After outlets were switched off the BMCs of the host are asked for so many seconds whether they agree.
      - One that still says on fails the level, and the outlets are switched back on.
      - Defaults to the variable C(fence_witness_timeout), else V(5).
    type: float
  hold_off:
    description:
      - Seconds between the proof that all is off and the first on of O(state=restarted).
      - Defaults to the variable C(fence_hold_off), else V(5) after supplies and V(0) after a chassis.
    type: float
  stagger:
    description:
      - Seconds between switching on one supply of the host and the next.
      - Defaults to the variable C(fence_stagger), else V(0).
    type: float
  chassis_wait:
    description:
      - How many seconds a BMC may need to answer again after the feeds of the host came back.
      - Defaults to the variable C(fence_chassis_wait), else V(60).
    type: float
  on_failure:
    description:
      - What a level that failed does with the outlets that it switched off, V(leave) them off or V(restore) them.
      - Defaults to the variable C(fence_on_failure), else V(leave).
    type: str
    choices: ["leave", "restore"]
  timeout:
    description:
      - Cap for the whole task in seconds. Each agent gets the smaller of its own budget and of what is left.
      - The task keyword C(timeout) caps it, too.
      - Defaults to the variable C(fence_timeout). Without both the total is computed from the budgets of the agents.
    type: float
  progress:
    description:
      - Print each event as it happens. Without it events are printed with C(-vv).
      - Defaults to the variable C(fence_progress), else V(false).
    type: bool
  log:
    description:
      - Path of a file on the controller to which each event is appended as a line of JSON, as it happens.
      - It is the only trace that a killed job leaves. There are no secrets in it.
      - Defaults to the variable C(fence_log). Without both there is no such file.
    type: path
attributes:
  check_mode:
    description: Reads all agents, predicts C(changed) and sends nothing.
    support: full
  diff_mode:
    description: Shows the power of each agent before and after.
    support: full
  idempotent:
    description: A host that is proven to be in the wanted state is not sent a command. O(state=restarted) always acts.
    support: partial
    details:
      - C(restarted) is not idempotent by its nature.
  action:
    description: The work is done by an action plugin, on the controller.
    support: full
  async:
    description: Not supported, as the proof is made in the controller.
    support: none
  action_group:
    description: Use C(group/hostpm.fencing.power) in C(module_defaults).
    support: full
    membership:
      - hostpm.fencing.power
  platform:
    description: Where it runs; the host may be of any kind, and dead.
    platforms: posix
    support: full
notes:
  - Agents are defined in variables only, of the host, its groups or the task, since the arguments of tasks reach every callback in clear.
    They are RV(ignore:fence_agents), a mapping of names to agents, and C(fence_levels), a list of lists of agent names.
  - C(fence_agent_defaults) maps a type to the options that its agents have in common. C(credential) on an agent adds the keys of the variable
    C(fence_credentials_NAME). An agent's own keys win over its credential, and that wins over the defaults.
  - Run it with C(gather_facts=false), as the host may be dead, and with as many C(forks) as hosts that may fail at once.
  - Nothing that says how the host is spoken to matters, such as C(ansible_user), C(become) or C(ansible_python_interpreter). But Ansible itself
    stops a task whose C(ansible_connection) names a plugin that is not installed; set C(ansible_connection=local) for the task then.
  - Do not loop over agents, and keep secrets in variables of the inventory or in a vault. What is written into a task, its C(vars) included,
    is shown to callbacks by Ansible itself.
seealso:
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
