# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/pdu_families.md from the table of families, so that the page cannot say anything else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import Family

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "pdu_families.md"

HEAD = """<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by "make families" from plugins/module_utils/_devices/snmp_families.py; do not edit. -->
# PDU families

The values of `model` for agents of the type `snmp`. Without `model` the device is asked for its sysObjectID, and exactly one
family must fit; where several families share a number, the object in brackets must be there (and hold the text behind `=`).
Objects are below `1.3.6.1.4.1`, or whole with a dot in front; `{outlet}` and its like are the numbers that name an outlet.

Trust A: the vendor's MIB and a working driver agree. B: one of the two. C: sources conflict, or nobody has seen it work;
such a model needs `accept_untested: true`. Your device is not here? [Adding a family](adding_a_pdu_family.md) is a job of ten minutes.

A model of the kind chassis switches and senses the server itself, all others what feeds it. The models `switch_port` and
`cisco_mds` cut a server off from its network or its storage and leave it running: "off" means that it is cut off.

| model | devices | kind | trust | sysObjectID | status | an outlet is | further objects that must agree | source |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def signs(family: Family) -> str:
    """How a family is detected."""
    words = []
    for sign in family.signs:
        demand = f" [`{sign.object}`{f' = {sign.holds}' if sign.holds else ''}]" if sign.object else ""
        words.append(f"`{sign.prefix}`{demand}")
    return ", ".join(words) or "none: write `model`"


def page() -> str:
    """The whole page."""
    from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import FAMILIES

    rows = []
    for model, family in sorted(FAMILIES.items()):
        bare = "" if family.bare is not None else ", in full"
        cells = (
            f"`{model}`",
            family.title,
            str(family.kind),
            family.trust,
            signs(family),
            f"`{family.status.template}`",
            f"{'.'.join(family.parts)}{bare}",
            ", ".join(f"`{guard.column.template}`" for guard in family.guards) or "none",
            family.source,
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / ".build" / "collections"))
    PAGE.write_text(page(), encoding="utf-8")
