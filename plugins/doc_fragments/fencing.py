# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation of the tasks that fence hosts has in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
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
      - If these are not all agents of their levels it is a job on devices and not on the host, C(fenced) stays V(false) then.
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
      - Print each event as it happens. Without it they are printed with more verbosity, C(-vv) for each event.
      - Defaults to the variable C(fence_progress), else V(false).
    type: bool
  log:
    description:
      - Path of a file on the controller to which each event is appended as a line of JSON, as it happens.
      - It is the only trace that a killed job leaves. There are no secrets in it.
      - Defaults to the variable C(fence_log). Without both there is no such file.
    type: path
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
"""

    ATTRIBUTES = r"""
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
"""
