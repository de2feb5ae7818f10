#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the action plugin ``fence_all``; its code is in plugins/action/fence_all.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fence_all
short_description: Cut, restore and prove the power of all hosts of a play in one process
version_added: 0.1.0
description:
  - Does for all hosts of the play, or for a list of hosts, what M(hostpm.fencing.fence) does for one, with the same variables, the same
    rules and the same result for each host, but in one process.
  - A thousand hosts need neither a thousand forks nor turns of C(forks). A device that several hosts share is spoken to once, its outlets are read
    in one request.
  - It runs once, whatever the number of hosts of the play. With C(run_once=true) its result is registered for each of them.
  - Ansible gives a task that runs once a single result, which is failed if any host failed. Let M(hostpm.fencing.fence_result) give each host its own
    verdict, as the role P(hostpm.fencing.fence_all#role) and the playbook C(hostpm.fencing.fence_all) do.
author:
  - The hostpm.fencing authors (@hostpm)
extends_documentation_fragment:
  - hostpm.fencing.fencing
  - hostpm.fencing.fencing.attributes
options:
  hosts:
    description:
      - Names of the hosts of the inventory to work on.
      - Without it these are the hosts of the play, or of the current batch of a play with C(serial).
    type: list
    elements: str
  at_once:
    description:
      - How many hosts are worked on at the same moment.
      - Defaults to the variable C(fence_at_once). Without both it is all of them.
    type: int
  max_on_per_pdu:
    description:
      - How many outlets of one PDU may be switched on at the same moment, so that the inrush current does not trip its breaker.
      - The next may follow O(stagger) seconds after one of them was read on.
      - Defaults to the variable C(fence_max_on_per_pdu). Without both it is V(1) if O(stagger) is given, else all.
    type: int
  stop_after_failures:
    description:
      - When so many hosts have failed no further host is begun. Those that are under way are brought to their end, and the others are reported as
        failed, with nothing asked or sent.
      - Defaults to the variable C(fence_stop_after_failures). Without both no number of failures stops the task.
    type: int
attributes:
  bypass_host_loop:
    description: It runs once for all hosts of the play, and the strategies C(free) and C(host_pinned) refuse it.
    support: full
seealso:
  - module: hostpm.fencing.fence
  - module: hostpm.fencing.fence_result
"""

EXAMPLES = r"""
- name: Read the power of all hosts of the play
  hostpm.fencing.fence_all:
  run_once: true
  register: fence_run
  failed_when: false

- name: Restart all hosts of the play, at most four outlets of a PDU together
  hostpm.fencing.fence_all:
    state: restarted
    max_on_per_pdu: 4
    stagger: 0.5
  run_once: true
  register: fence_run
  failed_when: false

- name: Give each host its own verdict
  hostpm.fencing.fence_result:
    of: fence_run

- name: Switch two named hosts off
  hostpm.fencing.fence_all:
    hosts: [node3, node4]
    state: "off"
    stop_after_failures: 1
  run_once: true
"""

RETURN = r"""
hosts:
  description: The result of each host, by name, as M(hostpm.fencing.fence) returns it. A host that failed has C(failed) and C(msg).
  returned: when the options are right
  type: dict
  sample:
    node3: {changed: true, power: "off", fenced: true, level: 1}
failed_hosts:
  description: Names of the hosts that failed.
  returned: when the options are right
  type: list
  elements: str
summary:
  description: How many hosts there were, failed, were proven off by this task, and are now on, off and unknown.
  returned: when the options are right
  type: dict
  sample: {hosts: 500, failed: 1, fenced: 499, "on": 0, "off": 499, unknown: 1}
timeout:
  description: The most seconds that the task could take, computed before anything was sent.
  returned: when the options are right
  type: float
duration:
  description: The seconds that it took.
  returned: when the options are right
  type: float
msg:
  description: Which hosts failed, and the messages of the first of them.
  returned: on failure
  type: str
"""
