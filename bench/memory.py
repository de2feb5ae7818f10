# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much memory restarts of many hosts take, in both of our forms: the whole tree of processes, at its peak.

The sum of the proportional set sizes (shared pages count once), sampled four times a second. The hosts take 4 s to be off, so that all
that can be at work at once is. What one host takes is the baseline; the last column is what each further one adds.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

from _cases import Bench, Case, compare, ipmi_values, measure_on, parser_of, sizes
from _contestants import AT_ONCE, IPMI, RESTARTED, Contestant
from _farms import BmcFarm, missing_programs
from _measure import Run
from _results import Record
from hosts import Judge

OFF_TAKES_S = 4.0
KEYS = ("fence_all", "fence", "ipmipower")


def forms(bench: Bench) -> list[Contestant]:
    """The per-host form twice: with the usual forks, and with as many as there are hosts."""
    chosen = []
    for each in bench.chosen(IPMI):
        if bench.given.only or each.key in KEYS:
            chosen.append(each)
        if each.key == "fence":
            lines = {
                action: line.replace(f"--forks {AT_ONCE}", "--forks {forks}") for action, line in each.lines.items()
            }
            chosen.append(replace(each, key="fence_forks", name="ours: fence, a fork for each host", lines=lines))
    return chosen


def run_all(bench: Bench, farm: BmcFarm, counts: list[int]) -> None:
    baseline_mib: dict[str, float] = {}
    for count in counts:
        judge = Judge(farm, RESTARTED, count)
        case = Case(
            f"memory, {count} host{'s' if count > 1 else ''} restarted",
            RESTARTED,
            count,
            {**ipmi_values(bench.folder / f"hosts-{count}", farm.addresses[:count]), "forks": str(count)},
            judge.prepare,
            judge.wrong,
            seen,
            memory=True,
            add=lambda records, count=count: further(records, baseline_mib, count),
        )
        compare(bench, case, forms(bench))


def seen(run: Run) -> Mapping[str, float]:
    return {"peak MiB": run.memory_mib, "processes": run.processes}


def further(records: list[Record], baseline_mib: dict[str, float], count: int) -> None:
    """Add what each host above the first takes."""
    for record in records:
        if not record.wall_s:
            continue
        baseline_mib.setdefault(record.contestant, record.extra["peak MiB"])
        if count > 1:
            above_mib = record.extra["peak MiB"] - baseline_mib[record.contestant]
            record.extra["MiB a further host"] = above_mib / (count - 1)


def main() -> int:
    parser = parser_of(__doc__, runs=1)
    parser.add_argument("--sizes", type=sizes, default=[1, 50, 200, 500], metavar="1,50,...")
    given = parser.parse_args()
    if missing := missing_programs(["ipmi_sim", "timeout"]):
        parser.error(f"{missing[0]} is not installed (Debian packages openipmi, coreutils)")
    counts = [1, 3] if given.quick else given.sizes
    farm = BmcFarm(max(counts), OFF_TAKES_S)
    return measure_on(farm, "memory", given, lambda bench, farm: run_all(bench, farm, counts))


if __name__ == "__main__":
    sys.exit(main())
