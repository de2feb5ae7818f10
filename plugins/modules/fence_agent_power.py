#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power of a device through a ClusterLabs fence agent. Documentation and one call: what it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fence_agent_power
short_description: Read or switch power through an installed ClusterLabs fence agent
version_added: 0.1.0
description:
  - Reads or switches the power of a device with one of the fence agents of Pacemaker clusters, for devices that this
    collection has no type of its own for.
  - Off is proven by a C(status) of its own after the C(off), whatever the agent reported for that. Only the exit status 2
    together with C(Status:\ OFF) counts as off, only 0 with C(Status:\ ON) as on; anything else is unknown, and the module fails.
  - An agent that can list its plugs must list the plug before off counts. Some agents read off for outlets that do not exist.
  - Of the actions of an agent only C(status), C(on), C(off) and C(list) are ever run, never C(reboot) or C(cycle).
author:
  - The hostpm.fencing authors (@hostpm)
extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - The fence agent on the machine that speaks to the device, for example of the package C(fence-agents-ipmilan), or of C(fence-agents)
options:
  agent:
    description:
      - Name of the fence agent, for example V(fence_xvm). It is looked for in C(/usr/sbin), C(/usr/local/sbin) and the E(PATH).
      - Its metadata (C(fence_xvm -o metadata)) decides which options there are. A wrong or a missing one is told before
        anything is contacted.
      - Agents that cannot read the power, and agents that cut off storage or a network instead of power, are refused.
    type: str
    required: true
  address:
    description:
      - Host name or IP address of the device. The agent calls it C(ip).
    type: str
  username:
    description:
      - Account on the device.
    type: str
  password:
    description:
      - Password of O(username).
      - The agent gets it on its standard input. What it does with it is its own affair, C(fence_ipmilan) for example calls C(ipmitool)
        with the password as an argument.
    type: str
  plug:
    description:
      - The outlet, blade or virtual machine, as the agent calls it. One for each agent.
    type: str
    aliases: [outlet]
  options:
    description:
      - More options of the agent by its own long names, for example C(ipport), C(lanplus), C(ssl_insecure).
      - C(action), C(verbose), C(debug_file) and C(missing_as_off) are not taken.
    type: dict
  secret_options:
    description:
      - The same for options that nobody may see, such as C(community) or C(snmp_priv_passwd). Options whose name speaks of a secret
        must be here.
    type: dict
  trust_status:
    description:
      - Some agents take states that they do not know for off, by their source. These are C(fence_amt),
        C(fence_apc_snmp), C(fence_cisco_ucs), C(fence_compute), C(fence_crosslink), C(fence_dummy), C(fence_emerson),
        C(fence_evacuate), C(fence_ibmblade), C(fence_ibmz), C(fence_ilo_mp), C(fence_ilo_ssh), C(fence_ilo3_ssh),
        C(fence_ilo4_ssh), C(fence_ilo5_ssh), C(fence_intelmodular), C(fence_ipdu), C(fence_lpar), C(fence_rhevm),
        C(fence_sbd), C(fence_skalar), C(fence_tripplite_snmp), C(fence_virsh), C(fence_vmware_rest),
        C(fence_vmware_soap) and C(fence_zvmip).
      - They are refused unless this says V(true). Then an off may be none, and a workload may run twice.
    type: bool
    default: false
notes:
  - The default of O(timeout) is 90 seconds, that of O(read_timeout) 20 seconds. An agent that does not end in time is ended with its
    process group.
  - As a C(fence_agents) entry (C(type) V(fence_agent)) it takes C(kind) V(supply) for the outlets of a PDU, and C(parallel) V(true) for a device that
    may be spoken to by several at once. The defaults are V(chassis) and V(false).
  - A type of this collection proves more than a fence agent can. Prefer it where there is one.
"""

EXAMPLES = r"""
- name: Read the power of a virtual machine on a multicast fence_virtd
  hostpm.fencing.fence_agent_power:
    agent: fence_xvm
    plug: node3
    options:
      key_file: /etc/cluster/fence_xvm.key

- name: Switch an outlet off, and return when it is read as off
  hostpm.fencing.fence_agent_power:
    agent: fence_eaton_snmp
    address: pdu-a.example.com
    plug: 7
    options:
      snmp_version: 2c
    secret_options:
      community: "{{ vault_pdu }}"
    state: "off"

- name: Switch a server on
  hostpm.fencing.fence_agent_power:
    agent: fence_ipmilan
    address: bmc-3.example.com
    username: fence
    password: "{{ vault_bmc }}"
    options:
      lanplus: true
      cipher: 17
    state: "on"
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
  description: What the agent said of the power.
  returned: when the device was asked
  type: str
  sample: "Status: OFF"
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
  sample: unreachable
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.fence_agent import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
