#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waking a host with a magic packet. Documentation and one call: what it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wol_power
short_description: Wake a host with a magic packet (Wake-on-LAN)
version_added: 0.1.0
description:
  - Sends a magic packet and returns when the host takes a TCP connection. A packet proves nothing, so the host itself is asked.
  - It can switch on only. Wake-on-LAN can neither switch off nor read, and O(state=off) fails as unsupported with nothing sent.
  - A host that answers at O(confirm_port) is on. A host that does not answer is never taken for off, because one that hangs, or whose
    network is cut, is as silent as one without power. Reading it fails.
  - Among the C(fence_agents) of a host it belongs into a level of its own, after those that can fence. It is asked for
    C(on) after them, it contradicts outlets that are off while the host still answers, and its silence never proves anything.
author:
  - The hostpm.fencing authors (@hostpm)
extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
options:
  address:
    description:
      - Host name or IP address of the host itself, where it answers when it is on.
    type: str
    required: true
  confirm_port:
    description:
      - TCP port at which the host takes connections when it is up.
      - A refused connection does not count, because a firewall may send it.
    type: int
    default: 22
  mac:
    description:
      - Hardware address of the network card that wakes the host, for example V(52:54:00:12:34:56).
    type: str
    required: true
  broadcast:
    description:
      - Where the magic packet is sent. It must reach the network of the card, so from another network it is that network's broadcast
        address, V(192.0.2.255) for example, if the routers let it pass.
      - With V(255.255.255.255) it leaves by the default route, unless O(interface) is given.
    type: str
    default: 255.255.255.255
  broadcast_port:
    description:
      - UDP port of the magic packet.
    type: int
    default: 9
  interface:
    description:
      - Network interface by which the packet leaves, for example V(eth1). Some systems allow that to root only.
    type: str
  secureon:
    description:
      - SecureOn password of the card, as six bytes such as V(00:11:22:33:44:55) or as four. It is sent in clear text.
    type: str
notes:
  - The default of O(timeout) is 300 seconds, because a server needs minutes until it answers. That of O(read_timeout) is 8 seconds.
"""

EXAMPLES = r"""
- name: Wake a host, and return when it answers at its SSH port
  hostpm.fencing.wol_power:
    address: node3.example.com
    mac: 52:54:00:12:34:56
    state: "on"

- name: Wake a host of another network, which answers at its web port
  hostpm.fencing.wol_power:
    address: 192.0.2.17
    confirm_port: 443
    mac: 52:54:00:12:34:56
    broadcast: 192.0.2.255
    secureon: "{{ vault_secureon }}"
    state: "on"
    timeout: 600

- name: See whether a host is up
  hostpm.fencing.wol_power:
    address: node3.example.com
    mac: 52:54:00:12:34:56
"""

RETURN = r"""
power:
  description: The power as it was read last, V(on) or V(unknown).
  returned: always
  type: str
  sample: "on"
power_before:
  description: The power before anything was sent.
  returned: when the host was asked
  type: str
  sample: unknown
raw:
  description: What was seen of the host.
  returned: when the host was asked
  type: str
  sample: TCP port 22 answers
attempts:
  description: How many times it was tried.
  returned: when the host was asked
  type: int
  sample: 1
duration:
  description: How long it took, in seconds.
  returned: when the host was asked
  type: float
  sample: 94.2
reason:
  description: Why it failed, as one word.
  returned: failure
  type: str
  sample: unreachable
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.wol import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
