# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/pdu_families.md from the table of families, so that the page cannot say anything else."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "pdu_families.md"

HEAD = """<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by "make families" from plugins/module_utils/_devices/snmp_families.py; do not edit. -->
# PDU families

The values of `model` for agents of the type `snmp`. Without `model` the PDU is asked for its sysObjectID, and exactly one
family must fit. Objects are below `1.3.6.1.4.1`; `{outlet}` and its like are the numbers that name an outlet.

Trust A: the vendor's MIB and a working driver agree. B: one of the two. C: sources conflict.

| model | devices | trust | sysObjectID | status | an outlet is | further objects that must agree | source |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import FAMILIES

    rows = []
    for model, family in sorted(FAMILIES.items()):
        bare = "" if family.bare is not None else ", in full"
        cells = (
            f"`{model}`",
            family.title,
            family.trust,
            ", ".join(f"`{prefix}`" for prefix in family.sys_object_ids) or "none: write `model`",
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
