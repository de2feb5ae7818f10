# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""1000 hosts, each with two supplies on two of 84 PDUs with 24 outlets: time, and how many requests each PDU gets.

Compared with one pair of PDUs alone in the same run: how much longer do all take than one pair, and how busy is each PDU. The
PDUs are net-snmp's agents; they count what they get and hold the outlets themselves.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping

from _cases import Bench, Case, compare, longer, measure_on, parser_of, write_inventory
from _contestants import PDU, READ, RESTARTED
from _farms import OUTLETS, READ_COMMUNITY, SNMP_PORT, WRITE_COMMUNITY, PduFarm, missing_programs
from _measure import Run


def feeds(farm: PduFarm, hosts: int) -> list[tuple[str, str, int]]:
    """For each host its two PDUs and the outlet, which is the same on both: a pair of PDUs for 24 hosts."""
    return [
        (farm.addresses[2 * (host // OUTLETS)], farm.addresses[2 * (host // OUTLETS) + 1], host % OUTLETS + 1)
        for host in range(hosts)
    ]


def values_for(bench: Bench, farm: PduFarm, hosts: int) -> dict[str, str]:
    folder = bench.folder / f"hosts-{hosts}"
    agents = "".join(
        f"  {name}: {{type: snmp, address: '{{{{ {name} }}}}', port: {SNMP_PORT}, outlet: '{{{{ outlet }}}}', version: '2c',"
        f" model: apc_masterswitch, community: {READ_COMMUNITY}, write_community: {WRITE_COMMUNITY}}}\n"
        for name in ("psu_a", "psu_b")
    )
    rows = feeds(farm, hosts)
    inventory = write_inventory(
        folder,
        f"fence_agents:\n{agents}fence_levels: [[psu_a, psu_b]]\n",
        [f"psu_a={one} psu_b={other} outlet={outlet}" for one, other, outlet in rows],
    )
    outlets = [f"{address} {outlet}" for one, other, outlet in rows for address in (one, other)]
    (folder / "outlets").write_text("\n".join(outlets) + "\n")
    return {
        "inventory": str(inventory),
        "outlets": str(folder / "outlets"),
        "port": str(SNMP_PORT),
        "community": WRITE_COMMUNITY,
    }


class Judge:
    """What the agents hold after a run, and how many requests they got in it."""

    def __init__(self, farm: PduFarm, hosts: int) -> None:
        self._farm = farm
        self._pdus = 2 * -(-hosts // OUTLETS)

    def prepare(self) -> None:
        self._farm.all_on()
        self._before = self._farm.requests()

    def wrong(self, run: Run) -> str:
        self._requests = [after - before for before, after in zip(self._before, self._farm.requests(), strict=True)]
        off = sum(state != 1 for pdu in self._farm.addresses[: self._pdus] for state in self._farm.states(pdu))
        if off:
            return f"{off} outlets are not on at the end"
        return "" if run.status == 0 else f"exit code {run.status}"

    def seen(self, run: Run) -> Mapping[str, float]:
        used = self._requests[: self._pdus]
        return {"requests a PDU, median": statistics.median(used), "most": max(used)}


def run_all(bench: Bench, farm: PduFarm, counts: list[int]) -> None:
    contestants = bench.chosen(PDU)
    for action in (READ, RESTARTED):
        foreseen: dict[str, float] = {}
        for hosts in counts:
            judge = Judge(farm, hosts)
            pdus = 2 * -(-hosts // OUTLETS)
            case = Case(
                f"{action}, {hosts} hosts with two outlets each on {pdus} PDUs",
                action,
                hosts,
                values_for(bench, farm, hosts),
                judge.prepare,
                judge.wrong,
                judge.seen,
            )
            records = compare(bench, case, contestants, foreseen)
            foreseen = longer(records, contestants, max(counts))


def main() -> int:
    parser = parser_of(__doc__, runs=3)
    parser.add_argument("--hosts", type=int, default=1000, help="with two outlets each (%(default)s)")
    given = parser.parse_args()
    if missing := missing_programs(["snmpd", "snmpget", "snmpset"]):
        parser.error(f"{missing[0]} is not installed (Debian packages snmpd and snmp)")
    counts = [2] if given.quick else sorted({OUTLETS, given.hosts})
    farm = PduFarm(2 * -(-max(counts) // OUTLETS))
    return measure_on(farm, "pdus", given, lambda bench, farm: run_all(bench, farm, counts))


if __name__ == "__main__":
    sys.exit(main())
