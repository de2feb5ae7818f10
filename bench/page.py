# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/performance.md from what bench/all.py has measured last. No number on that page is typed by hand."""

from __future__ import annotations

import json
import sys

from _cases import ROOT
from _results import as_markdown, read_from, tables
from all import PARTS, RESULTS

PAGE = ROOT / "docs" / "performance.md"
TOP = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by bench/page.py from the last run of bench/all.py; do not edit. -->
# Performance

How long our two forms take, and what they cost, beside other ways to do the same. Each table was measured in one run, contestants in
turn, against simulators on the same machine that others wrote; so trust the ratios, not the seconds. How to measure
yourself, what each part does and what its limits are: [bench/README.md](../bench/README.md).

- Wall is from start to end of the command; CPU is user and system time of all processes of it, not of the simulators.
- "÷ ours" is how many times what the first of our forms needs, by the least of each: below 1, the contestant is faster or cheaper.
- The two forms are `hostpm.fencing.fence_all`, one task for all hosts, and `hostpm.fencing.fence`, one for each host.
- Ours prove more than the peers do: off is read twice, a second apart, before it counts, and supplies rest for 5 s before they come back.
"""
PART_TITLES = {
    "one_host": "One host",
    "hosts": "Many hosts, each with a BMC",
    "pdus": "Many hosts on shared PDUs",
    "slow_devices": "Slow devices, dead devices",
    "memory": "Memory",
}


def main() -> int:
    measured = [part for part in PARTS if (RESULTS / f"{part}.jsonl").exists()]
    if not measured:
        print("nothing has been measured yet: python bench/all.py")
        return 1
    facts = [json.loads((RESULTS / f"{part}.machine.json").read_text()) for part in measured]
    pieces = [TOP, "## The machine\n"]
    for name in facts[0]:
        values = list(dict.fromkeys(each[name] for each in facts if each[name]))
        pieces.append(f"- {name}: {'; '.join(values)}")
    for part in measured:
        pieces += [f"\n## {PART_TITLES[part]}\n"]
        pieces += [as_markdown(table) for table in tables(read_from(RESULTS / f"{part}.jsonl"))]
    PAGE.write_text("\n".join(pieces).rstrip() + "\n", encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {', '.join(measured)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
