# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/coverage.md: every device that the collection knows, and every oVirt type, from the tables of the code.

How each was tested is said here, since only the tests know.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "coverage.md"

HEAD = """<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by "make coverage" from the tables of the code; do not edit. -->
# Devices

Every device that an agent can have.

Trust A: the vendor's documents and a working driver agree, or two sources that do not depend on each other. B: one of them. C: sources
conflict, or a part is guessed; the agent needs `accept_untested: true`. No row was tried on hardware by its authors yet: tell us when you do.

How it was tested: **others** is a server that others wrote, **ours** a server of ours, built from the device's documents and not from the
driver's table, **recorded** what a real device once said.

| device | type | model | spoken to over | trust | tested against |
| --- | --- | --- | --- | --- | --- |
"""

OVIRT_HEAD = """
## Coming from oVirt

All agent types of oVirt (cluster levels 4.4 to 4.7). Address, user name and password keep their meaning as `address`, `username` and `password`.

| oVirt type | here | its options here | to know |
| --- | --- | --- | --- |
"""

OURS = "ours"
RACK = "ours: the virtual rack"
# By type, or by type and model where one is tested otherwise.
TESTED: Mapping[str, str] = {
    "amt": OURS,
    "cli": "ours, over real SSH and telnet",
    "cli apc_aos5": "ours, over real SSH and telnet; others: OpenSSH in front of it",
    "fence_agent": "others: fence_ipmilan on ipmi_sim, fence_redfish on sushy-tools, fence_apc_snmp on snmpsim, fence_dummy",
    "http": OURS,
    "http custom": "ours; others: the logins against httpbin",
    "http dli_web": "ours, its page as recorded",
    "ipmi": "others: OpenIPMI's ipmi_sim, pyghmi's BMC; ours: the virtual rack",
    "libvirt": "others: libvirt's own test driver",
    "redfish": "others: sushy-tools; ours: the virtual rack",
    "redfish outlets": OURS,
    "ribcl": OURS,
    "snmp": RACK,
    "snmp apc_rpdu": "recorded: an AP8932 and an AP7902B in snmpsim (others); ours: the virtual rack",
    "snmp apc_rpdu2": "recorded: an AP8932 and an AP7902B in snmpsim (others); ours: the virtual rack",
    "snmp apc_masterswitch": "recorded: an AP8932 in snmpsim (others); ours: the virtual rack",
    "ucs": OURS,
    "wol": "ours: a listener on the wire",
}


@dataclass(frozen=True)
class Row:
    """One line of the table of devices."""

    device: str
    type: str
    model: str
    transport: str
    trust: str
    tested: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        tested = self.tested or TESTED.get(f"{self.type} {self.model}") or TESTED[self.type]
        model = f"`{self.model}`" if self.model else ""
        return (self.device, f"`{self.type}`", model, self.transport, self.trust, tested)


def rows() -> Iterator[Row]:
    """All devices, by type."""
    from ansible_collections.hostpm.fencing.plugins.module_utils._devices import (
        cli_dialogues,
        http_families,
        snmp_families,
    )

    yield Row("Machines with Intel AMT (vPro)", "amt", "", "WS-Management over HTTPS or HTTP", "A")
    for model, dialogue in sorted(cli_dialogues.DIALOGUES.items()):
        names = {"ssh": "SSH", "telnet": "telnet"}
        yield Row(
            dialogue.devices, "cli", model, ", ".join(names[each] for each in dialogue.transports), dialogue.trust
        )
    yield Row(
        "Whatever has a ClusterLabs fence agent that is installed",
        "fence_agent",
        "",
        "the agent's own",
        "its off is proven without it",
    )
    for model, family in sorted(http_families.FAMILIES.items()):
        yield Row(family.title, "http", model, ", ".join(each.upper() for each in family.protocols), family.trust)
    yield Row("Whatever you describe in the inventory", "http", "custom", "HTTPS, HTTP", "yours")
    yield Row(
        "BMCs with IPMI 2.0: iDRAC, iLO, IMM, XCC, iRMC, Supermicro, OpenBMC and others",
        "ipmi",
        "",
        "IPMI 2.0 (RMCP+)",
        "A",
    )
    yield Row("Virtual machines of a hypervisor with libvirt", "libvirt", "", "virsh", "A")
    yield Row("BMCs and chassis managers with Redfish", "redfish", "", "HTTPS, HTTP", "A")
    yield Row("Outlets of PDUs with Redfish (RackPDUs)", "redfish", "", "HTTPS, HTTP", "B", TESTED["redfish outlets"])
    yield Row("HP iLO and iLO 2", "ribcl", "", "RIBCL over TLS", "B")
    for model, family in sorted(snmp_families.FAMILIES.items()):
        yield Row(family.title, "snmp", model, "SNMP v1, v2c, v3", family.trust)
    yield Row("Servers of a Cisco UCS domain", "ucs", "", "UCS XML API over HTTPS or HTTP", "B")
    yield Row("Hosts that a magic packet wakes: on only", "wol", "", "Wake-on-LAN (UDP)", "A")


def ovirt_rows() -> Iterator[tuple[str, ...]]:
    from ansible_collections.hostpm.fencing.plugins.plugin_utils._ovirt_types import OVIRT_TYPES

    for ovirt in OVIRT_TYPES:
        here = ", ".join([f"`type: {ovirt.type}`", *(f"`{name}: {value}`" for name, value in ovirt.agent.items())])
        yield f"`{ovirt.name}`", here, "; ".join(_option(option) for option in ovirt.options) or "none", ovirt.note


def _option(option: Any) -> str:
    if not option.ours:
        return f"`{option.name}`: not needed ({option.note})"
    note = f" ({option.note})" if option.note else ""
    if not option.values:
        return f"`{option.name}`: `{option.ours}`{note}"
    values = ", ".join(f"`{_yaml(theirs)}` is `{_yaml(ours)}`" for theirs, ours in option.values.items())
    return f"`{option.name}`: `{option.ours}` ({values})"


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page() -> str:
    """The whole page."""
    devices = [_line(row.cells) for row in rows()]
    return HEAD + "\n".join(devices) + "\n" + OVIRT_HEAD + "\n".join(map(_line, ovirt_rows())) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / ".build" / "collections"))
    PAGE.write_text(page(), encoding="utf-8")
