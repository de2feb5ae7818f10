# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts of hosts whose BMCs answer after 20 ms and whose power is off 4 s after the command; then with every tenth BMC dead.

The one-task form against FreeIPMI's ipmipower, which switches off, waits, switches on and waits. A host's process is ended by
SIGTERM and gives in 4 s later; a relay, one process in front of all BMCs, makes the answers late (its CPU time is a simulator's).
The dead BMCs take packets and answer none. The last columns: when the live hosts were on again, from the start of the command, as
their own processes tell; and the ``duration`` in the results of these hosts.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _cases import HERE, Bench, Case, Spoiled, compare, ipmi_values, measure_on, parser_of, sizes
from _contestants import IPMI, RESTARTED
from _farms import BmcFarm, missing_programs, started_at_s
from _measure import Run

OFF_TAKES_S = 4.0
LAG_S = 0.02
DEAD_EACH = 10
KEYS = ("fence_all", "ipmipower")


class Judge:
    """Every live host was restarted; and what the results say of when. The live hosts are the first of the inventory."""

    def __init__(self, farm: BmcFarm, live: int, dead: int, results: Path) -> None:
        self._farm = farm
        self._live = live
        self._dead = dead
        self._results = results

    def prepare(self) -> None:
        self._farm.revive()
        self._farm.all_on(self._live)
        self._results.unlink(missing_ok=True)
        self._before = self._farm.hosts()[: self._live]

    def wrong(self, run: Run) -> str:
        if crashed := self._farm.revive():
            raise Spoiled(f"{crashed} of the simulators crashed")
        after = self._farm.hosts()[: self._live]
        others = sum(not now or now == before for before, now in zip(self._before, after, strict=True))
        if others:
            return f"{others} of {self._live} live hosts were not restarted"
        fenced = [host for host, verdict in self._verdicts().items() if verdict["fenced"]]
        if fenced and len(fenced) != self._live:
            return f"{len(fenced)} hosts are called fenced, {self._live} were"
        return "" if self._dead or run.status == 0 else f"exit code {run.status}"

    def seen(self, run: Run) -> Mapping[str, float]:
        back_s = [started_at_s(host) - run.began_at_s for host in self._farm.hosts()[: self._live]]
        told = {"live on again s, median": statistics.median(back_s), "last": max(back_s)}
        own_s = [verdict["duration"] for verdict in self._verdicts().values() if verdict["fenced"]]
        return {**told, "duration s, median": statistics.median(own_s), "longest": max(own_s)} if own_s else told

    def _verdicts(self) -> dict[str, dict[str, Any]]:
        """By host; a playbook may show a verdict twice."""
        if not self._results.exists():
            return {}
        lines = map(json.loads, self._results.read_text().splitlines())
        return {line["host"]: line for line in lines}


def run_all(bench: Bench, farm: BmcFarm, counts: list[int]) -> None:
    results = bench.folder / "results"
    environment = {
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "bench_results",
        "BENCH_RESULTS": str(results),
    }
    contestants = [each for each in bench.chosen(IPMI) if bench.given.only or each.key in KEYS]
    for count in counts:
        for dead in (0, count // DEAD_EACH):
            # A dead BMC costs ipmipower 20 s for each of its two commands; it has no results to look at.
            racing = [each for each in contestants if each.ours or not dead or bench.given.only]
            judge = Judge(farm, count - dead, dead, results)
            addresses = farm.addresses[: count - dead] + farm.dead[:dead]
            case = Case(
                f"restarted, {count} slow hosts" + (f", {dead} of them dead" if dead else ""),
                RESTARTED,
                count,
                ipmi_values(bench.folder / f"hosts-{count}-{dead}", addresses),
                judge.prepare,
                judge.wrong,
                judge.seen,
                environment=environment,
            )
            compare(bench, case, racing)


def main() -> int:
    parser = parser_of(__doc__, runs=2)
    parser.add_argument("--sizes", type=sizes, default=[100, 500, 1000], metavar="100,500,...")
    given = parser.parse_args()
    if missing := missing_programs(["ipmi_sim", "timeout"]):
        parser.error(f"{missing[0]} is not installed (Debian packages openipmi, coreutils)")
    counts = [10] if given.quick else given.sizes
    farm = BmcFarm(max(counts), OFF_TAKES_S, LAG_S, dead=max(counts) // DEAD_EACH)
    return measure_on(farm, "slow_devices", given, lambda bench, farm: run_all(bench, farm, counts))


if __name__ == "__main__":
    sys.exit(main())
