#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the action plugin ``fence_result``; its code is in plugins/action/fence_result.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fence_result
short_description: Give each host its own result of a task that fenced all
version_added: 0.1.0
description:
  - Returns for each host what M(hostpm.fencing.fence_all) found for it, as if M(hostpm.fencing.fence) had run on this host. A host that
    failed fails here, the others go on.
  - It speaks to no device.
author:
  - The hostpm.fencing authors (@hostpm)
options:
  of:
    description:
      - Name of the variable in which the result of M(hostpm.fencing.fence_all) was registered. It is a name and no template, because a
        template would resolve the results of all hosts for each host.
    type: str
    default: fence_run
attributes:
  check_mode:
    description: It changes nothing.
    support: full
  diff_mode:
    description: Shows the power of each agent before and after, if the task that fenced all did.
    support: full
  idempotent:
    description: It changes nothing, and reports C(changed) if the task that fenced all changed this host.
    support: full
  action:
    description: The work is done by an action plugin, on the controller.
    support: full
  action_group:
    description: Use C(group/hostpm.fencing.power) in C(module_defaults).
    support: full
    membership:
      - hostpm.fencing.power
  platform:
    description: Where it runs; the host may be of any kind, and dead.
    platforms: posix
    support: full
seealso:
  - module: hostpm.fencing.fence_all
"""

EXAMPLES = r"""
- name: Switch all hosts of the play off
  hostpm.fencing.fence_all:
    state: "off"
  run_once: true
  register: fence_run
  failed_when: false

- name: Give each host its own verdict
  hostpm.fencing.fence_result:
    of: fence_run
  register: fencing

- name: Start its workload elsewhere, now that it is proven off
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} is off, proven by level {{ fencing.level }}"
  when: fencing.fenced
"""

RETURN = r"""
power:
  description: The power of the host, V(on), V(off) or V(unknown). All else is as M(hostpm.fencing.fence) returns it.
  returned: always
  type: str
  sample: "off"
fenced:
  description: Whether the task that fenced all proved this host off.
  returned: always
  type: bool
msg:
  description: What failed, at which agent, what was seen and what to do.
  returned: on failure
  type: str
"""
