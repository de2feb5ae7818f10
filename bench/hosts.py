# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long and how much CPU it takes to read, and to restart, 1 to 1000 hosts with a BMC each.

Both of our forms, the library alone, and the peers, against OpenIPMI's ipmi_sim: one for each host. A restart is off, proven or
waited for, then on; each host's process tells the judge that it really ended and came back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from _cases import Bench, Case, Spoiled, compare, ipmi_values, longer, measure_on, parser_of, sizes
from _contestants import IPMI, OFF, READ, RESTARTED
from _farms import BmcFarm, missing_programs
from _measure import Run

# What a host's process was before and is after, 0 for none: was it done?
AS_WANTED: dict[str, Callable[[int, int], bool]] = {
    READ: lambda before, after: before == after,
    OFF: lambda before, after: not after,
    RESTARTED: lambda before, after: after not in (0, before),
}


class Judge:
    """What the hosts were before a run, and what that run made of them."""

    def __init__(self, farm: BmcFarm, action: str, count: int) -> None:
        self._farm = farm
        self._action = action
        self._count = count

    def prepare(self) -> None:
        self._farm.revive()
        self._farm.all_on(self._count)
        self._before = self._farm.hosts()[: self._count]

    def wrong(self, run: Run) -> str:
        if crashed := self._farm.revive():
            raise Spoiled(f"{crashed} of the simulators crashed")
        after = self._farm.hosts()[: self._count]
        as_wanted = AS_WANTED[self._action]
        others = sum(not as_wanted(*pair) for pair in zip(self._before, after, strict=True))
        if others:
            return f"{others} of {self._count} hosts were not {self._action}"
        return "" if run.status == 0 else f"exit code {run.status}"


def run_all(bench: Bench, farm: BmcFarm, counts: list[int]) -> None:
    contestants = bench.chosen(IPMI)
    for action in (READ, RESTARTED):
        foreseen: dict[str, float] = {}
        for count in counts:
            judge = Judge(farm, action, count)
            case = Case(
                f"{action}, {count} host{'s' if count > 1 else ''}",
                action,
                count,
                ipmi_values(bench.folder / f"hosts-{count}", farm.addresses[:count]),
                judge.prepare,
                judge.wrong,
            )
            records = compare(bench, case, contestants, foreseen)
            larger = next((each for each in counts if each > count), count)
            foreseen = longer(records, contestants, larger)


def main() -> int:
    parser = parser_of(__doc__, runs=3)
    parser.add_argument("--sizes", type=sizes, default=[1, 10, 100, 500, 1000], metavar="1,10,...")
    given = parser.parse_args()
    if missing := missing_programs(["ipmi_sim"]):
        parser.error(f"{missing[0]} is not installed (Debian package openipmi)")
    counts = [3] if given.quick else given.sizes
    farm = BmcFarm(max(counts))
    return measure_on(farm, "hosts", given, lambda bench, farm: run_all(bench, farm, counts))


if __name__ == "__main__":
    sys.exit(main())
