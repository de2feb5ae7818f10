# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make demo``: starts a virtual rack with a few things wrong in it, fences its hosts with demo.yml, and stops it.

It knows the rack and the ansible-playbook program; the fencing itself is in the playbook.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from lab.rack import RunningRack, make_inventory  # noqa: E402

BUILD = ROOT / ".build"
INVENTORY = BUILD / "demo" / "inventory.yml"
PLAYBOOK = ROOT / "tests" / "lab" / "demo.yml"

STORY = """
A virtual rack is running on this machine: five hosts, each with a BMC (IPMI) and two power supplies on two PDUs (SNMP).
    node2  its BMC accepts packets and never answers
    node3  its power cables are swapped with those of node4, and nobody knows
    node5  the relay of its outlet on the second PDU is stuck
The inventory is {inventory}; the playbook is {playbook}.
"""


def write_inventory() -> dict[str, Any]:
    """Five hosts on free ports, with short budgets so that nobody has to wait long for a dead device."""
    inventory = make_inventory(
        hosts=5,
        pdus=2,
        rack_defaults={"outlet_lag_s": 0.4, "bmc_off_lag_s": 0.8, "bmc_on_lag_s": 0.8, "bmc_boot_s": 2},
        agent_defaults={"ipmi": {"read_timeout": 3}, "snmp": {"timeout": 4}},
        variables={"fence_chassis_wait": 4, "fence_witness_timeout": 3},
    )
    hosts = inventory["all"]["hosts"]
    feeds = {name: [_outlet(hosts[name]["fence_agents"][psu]) for psu in ("psu_a", "psu_b")] for name in hosts}
    hosts["node3"]["rack_feeds"] = feeds["node4"]
    hosts["node4"]["rack_feeds"] = feeds["node3"]
    INVENTORY.parent.mkdir(parents=True, exist_ok=True)
    make_inventory_file(inventory)
    return inventory


def make_inventory_file(inventory: dict[str, Any]) -> None:
    import yaml

    INVENTORY.write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")


def _outlet(agent: dict[str, Any]) -> str:
    return f"{agent['address']}:{agent['port']}/{agent['outlet']}"


def main() -> int:
    inventory = write_inventory()
    print(STORY.format(inventory=INVENTORY.relative_to(ROOT), playbook=PLAYBOOK.relative_to(ROOT)), flush=True)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "collections"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_FORCE_COLOR": str(int(sys.stdout.isatty())),
        "ANSIBLE_FORKS": "20",
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    with RunningRack(inventory) as rack:
        rack.fault("node2.bmc", "hang")
        rack.fault("node5.psu_b", "ignore")
        begin = rack.now()
        code = subprocess.call([str(program), "--inventory", str(INVENTORY), str(PLAYBOOK)], env=environment)
        print("What the rack itself saw:")
        for name in inventory["all"]["hosts"]:
            down = f"was down for {rack.down_s(name, begin):.1f} s" if rack.was_down(name, begin) else "never went down"
            dark = rack.all_feeds_off_s(name, begin)
            feeds = f", both feeds off for {dark:.1f} s" if dark else ""
            print(f"    {name} {down}{feeds}, and {'runs' if rack.is_running(name) else 'is OFF'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
