# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/cli_dialogues.md from the table of dialogues, so that the page cannot say anything else."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "cli_dialogues.md"

HEAD = """<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by "make dialogues" from plugins/module_utils/_devices/cli_dialogues.py; do not edit. -->
# Dialogues

The values of `model` for agents of the type `cli`. Another one is [added in ten minutes](adding_a_dialogue.md).

Trust A: two sources that do not depend on each other agree. B: one source. C: guessed in a part that matters; the agent needs
`accept_untested: true`. None of these was tried on a device by the authors yet: tell us when you do.

| model | devices | kind | trust | reads as on | reads as off | over | source |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli_dialogues import DIALOGUES

    rows = []
    for model, dialogue in sorted(DIALOGUES.items()):
        cells = (
            f"`{model}`",
            dialogue.devices,
            str(dialogue.kind),
            dialogue.trust,
            ", ".join(f"`{word}`" for word in dialogue.words.on),
            ", ".join(f"`{word}`" for word in dialogue.words.off),
            ", ".join(dialogue.transports) + (", one session" if dialogue.one_session else ""),
            dialogue.source,
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / ".build" / "collections"))
    PAGE.write_text(page(), encoding="utf-8")
