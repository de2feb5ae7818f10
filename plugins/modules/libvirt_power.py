#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power of a virtual machine through libvirt. Documentation and one call: what it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: libvirt_power
short_description: Read or switch the power of a virtual machine through libvirt
version_added: 0.1.0
description:
  - Reads the state of one domain of a hypervisor with the program C(virsh), or switches the domain on or off.
  - Only the exact state C(shut off) counts as off. C(running), C(idle) and C(paused) are on, since the memory of a paused domain
    is alive. C(in shutdown), C(crashed), C(pmsuspended) or anything else is unknown, and the module fails.
  - A domain that is C(shut off) because it was migrated runs on another hypervisor, and is unknown. libvirt forgets
    this reason when it is restarted, so do not use this module for machines that a cluster moves between hypervisors.
  - A transient domain is gone when it is off. It is told as not found, never as off.
  - Off is C(destroy), which is like pulling the plug, and on is C(start).
author:
  - The hostpm.fencing authors (@hostpm)
extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - C(virsh) on the machine that speaks to the hypervisor, of the package C(libvirt-clients) or C(libvirt-client)
options:
  uri:
    description:
      - URI of the hypervisor as libvirt knows it, for example V(qemu+ssh://fence@hypervisor-1/system).
      - It must not hold a password. Log in with an SSH key, a certificate, or the rights of the user on a local socket.
      - The host key of an SSH connection must be known already. Nobody is asked anything.
    type: str
    default: qemu:///system
  domain:
    description:
      - The exact name or the UUID of the domain. A number is refused, since libvirt takes it for an ID.
    type: str
    required: true
notes:
  - The default of O(timeout) is 60 seconds, that of O(read_timeout) 15 seconds. C(virsh) is ended with its process group when it does
    not end in time.
"""

EXAMPLES = r"""
- name: Read the power of a virtual machine
  hostpm.fencing.libvirt_power:
    uri: qemu+ssh://fence@hypervisor-1.example.com/system
    domain: node3

- name: Switch it off, and return when it is read as off
  hostpm.fencing.libvirt_power:
    uri: qemu+ssh://fence@hypervisor-1.example.com/system?keyfile=/etc/pki/fence_ed25519
    domain: 27946b59-9e44-4fa7-8e91-f3527a1ef094
    state: "off"

- name: Switch a machine of this hypervisor on
  hostpm.fencing.libvirt_power:
    domain: node3
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
  returned: when the hypervisor was asked
  type: str
  sample: "on"
raw:
  description: The state of the domain as C(virsh) gave it, with its reason.
  returned: when the hypervisor was asked
  type: str
  sample: shut off (destroyed)
attempts:
  description: How many times it was tried.
  returned: when the hypervisor was asked
  type: int
  sample: 1
duration:
  description: How long it took, in seconds.
  returned: when the hypervisor was asked
  type: float
  sample: 0.31
reason:
  description: Why it failed, as one word.
  returned: failure
  type: str
  sample: unreachable
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.libvirt import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
