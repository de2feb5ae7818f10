# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host: what a read, an off and a restart cost through IPMI, Redfish and SNMP, and what the fence task adds to the library.

IPMI against OpenIPMI's ipmi_sim, Redfish against sushy-tools with TLS (which takes 1 to 2 s for each change of power here; it would
throw dice), SNMP against net-snmp's agent, two outlets. The last table answers: how much CPU does a fence task need beyond what
Ansible needs to do nothing and what the protocol's library needs by itself, in a process that has loaded Ansible as ours has?
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from _cases import ROOT, Bench, Case, bench, compare, ipmi_values, parser_of, write_inventory
from _contestants import IPMI, OFF, PDU, PER_HOST, READ, REDFISH, RESTARTED, Contestant
from _farms import IPMI_PORT, PASSWORD, BmcFarm, PduFarm, missing_programs
from _measure import Run
from _results import Record
from hosts import Judge as BmcJudge
from pdus import values_for as pdu_values

ACTIONS = (READ, OFF, RESTARTED)
# What sushy-tools throws a die for: seconds from a command to the new power.
REDFISH_TAKES_S = 2
# Without the die; read by gunicorn before it loads the simulator.
NO_DIE = f"import random\nrandom.randint = lambda least, most: {REDFISH_TAKES_S}\n"


def over_ipmi(bench: Bench) -> None:
    farm = BmcFarm(1)
    try:
        for action in actions(bench):
            judge = BmcJudge(farm, action, 1)
            values = ipmi_values(bench.folder / "ipmi", farm.addresses)
            case = Case(f"one host, IPMI, {action}", action, 1, values, judge.prepare, judge.wrong)
            compare(bench, case, bench.chosen(IPMI))
        added_cpu(bench, farm)
    finally:
        farm.close()


def over_snmp(bench: Bench) -> None:
    farm = PduFarm(2)
    try:
        for action in actions(bench):

            def wrong(run: Run, wanted: int = 2 if action == OFF else 1) -> str:
                states = [farm.states(address)[0] for address in farm.addresses]
                return "" if states == [wanted] * 2 else f"the outlets are {states}"

            values = pdu_values(bench, farm, 1)
            case = Case(f"one host, two outlets on two PDUs, {action}", action, 1, values, farm.all_on, wrong)
            compare(bench, case, bench.chosen(PDU))
    finally:
        farm.close()


def actions(bench: Bench) -> tuple[str, ...]:
    """A restart has the others in it."""
    return (RESTARTED,) if bench.given.quick else ACTIONS


class RedfishHost:
    """The host behind sushy-tools, as seen with plain requests."""

    def __init__(self, port: int, uuid: str, username: str, password: str, ca_path: str) -> None:
        import requests

        self._url = f"https://127.0.0.1:{port}/redfish/v1/Systems/{uuid}"
        self._session = requests.Session()
        self._session.auth = (username, password)
        self._ca_path = ca_path

    def power(self) -> str:
        return str(self._session.get(self._url, verify=self._ca_path, timeout=10).json()["PowerState"])

    def switch_on(self) -> None:
        reset = f"{self._url}/Actions/ComputerSystem.Reset"
        end = time.monotonic() + 30
        if self.power() != "On":
            # Once: each command makes the simulator wait anew.
            self._session.post(reset, json={"ResetType": "On"}, verify=self._ca_path, timeout=10)
        while self.power() != "On":
            time.sleep(0.5)
            if time.monotonic() > end:
                raise RuntimeError("the simulated host cannot be switched on")

    def close(self) -> None:
        self._session.close()


@contextmanager
def sushy(folder: Path) -> Iterator[Any]:
    """The simulator of the device tests, with the same time for each change of power."""
    sys.path.insert(0, str(ROOT / "tests"))
    from devices.redfish_servers import PASSWORD as password
    from devices.redfish_servers import USERNAME as username
    from devices.redfish_servers import Authority, running_sushy

    (folder / "no_die.py").write_text(NO_DIE)
    os.environ["GUNICORN_CMD_ARGS"] = f"--config {folder}/no_die.py"
    try:
        with running_sushy(folder, Authority(folder / "ca")) as server:
            yield server, username, password
    finally:
        del os.environ["GUNICORN_CMD_ARGS"]


def over_redfish(bench: Bench) -> None:
    folder = bench.folder / "redfish"
    folder.mkdir()
    with sushy(folder) as (server, username, password):
        host = RedfishHost(server.port, server.uuid, username, password, server.ca_path)
        inventory = write_inventory(
            folder,
            f"fence_agents:\n  bmc: {{type: redfish, address: 127.0.0.1, port: {server.port}, username: {username},"
            f" password: '{password}', ca_path: '{server.ca_path}'}}\n"
            f"bmc: 127.0.0.1\nbmc_port: {server.port}\nbmc_user: {username}\nbmc_password: '{password}'\n",
            [""],
        )
        values = {
            "inventory": str(inventory),
            "port": str(server.port),
            "user": username,
            "password": password,
            "system": f"/redfish/v1/Systems/{server.uuid}",
        }
        for action in actions(bench):

            def wrong(run: Run, wanted: str = "Off" if action == OFF else "On") -> str:
                power = host.power()
                return (
                    f"the power is {power}" if power != wanted else "" if run.status == 0 else f"exit code {run.status}"
                )

            case = Case(f"one host, Redfish over TLS, {action}", action, 1, values, host.switch_on, wrong)
            compare(bench, case, bench.chosen(REDFISH))
        host.close()


def added_cpu(bench: Bench, farm: BmcFarm) -> None:
    """CPU of a fence task beyond Ansible's own and the library's."""
    values = ipmi_values(bench.folder / "ipmi", farm.addresses)
    nothing = "{ours}/ansible-playbook -i {inventory} {plays}/nothing.yml"
    library = f"{{python}} {{here}}/_bare_library.py read {{hosts}} --cost --port {IPMI_PORT} --password {PASSWORD}"
    rows = (
        Contestant("fence", "a play with one fence task", PER_HOST.lines),
        Contestant("nothing", "a play with one task that does nothing", {READ: nothing}),
        Contestant("library", "python-ipmi by itself: import, log in, read, log out", {READ: library}),
    )
    costs: dict[str, list[float]] = {row.key: [] for row in rows}

    def told(key: str) -> Callable[[Run], dict[str, float]]:
        def look(run: Run) -> dict[str, float]:
            cpu_s = float(run.output.split()[-1]) if key == "library" else run.cpu_s
            costs[key].append(1000 * cpu_s)
            return {"CPU ms": 1000 * cpu_s}

        return look

    runs = 1 if bench.given.quick else 5 * bench.given.runs
    judge = BmcJudge(farm, READ, 1)
    quiet = Bench(bench.part, bench.given, bench.folder, silent=True)
    for _time in range(runs):
        for row in rows:
            case = Case("", READ, 1, values, judge.prepare, judge.wrong, told(row.key))
            one_run = replace(quiet, given=_with_one_run(bench))
            compare(one_run, case, [row])
    if not all(costs.values()):
        return
    least = {key: min(spent) for key, spent in costs.items()}
    middle = {key: statistics.median(spent) for key, spent in costs.items()}
    added = [each["fence"] - each["nothing"] - each["library"] for each in (middle, least)]
    title = "one host, IPMI, read: CPU ms that the fence task adds"
    records = [
        Record(
            bench.part,
            title,
            row.name,
            1,
            extra={"CPU ms, median": middle[row.key], "least": least[row.key]},
            plain=True,
        )
        for row in rows
    ]
    records.append(
        Record(
            bench.part,
            title,
            "what is left: the fence task itself",
            1,
            extra={"CPU ms, median": added[0], "least": added[1]},
            plain=True,
            note=f"{runs} runs of each, in turn. At most 20 ms is the aim.",
        )
    )
    bench.add(records)


def _with_one_run(bench: Bench) -> Any:
    given = type(bench.given)(**vars(bench.given))
    given.runs, given.json = 1, None
    return given


PROTOCOLS: dict[str, tuple[list[str], str, Callable[[Bench], None]]] = {
    "ipmi": (["ipmi_sim"], "openipmi", over_ipmi),
    "snmp": (["snmpd", "snmpget", "snmpset"], "snmpd and snmp", over_snmp),
    "redfish": ([], "", over_redfish),
}


def main() -> int:
    parser = parser_of(__doc__, runs=5)
    parser.add_argument("--over", choices=PROTOCOLS, action="append", help="one protocol, or several (all of them)")
    given = parser.parse_args()
    with bench("one_host", given) as part:
        for protocol, (programs, packages, measured) in PROTOCOLS.items():
            if given.over and protocol not in given.over:
                continue
            missing = missing_programs(programs)
            if missing:
                print(f"{protocol}: {missing[0]} is not installed (Debian: {packages})\n")
            else:
                measured(part)
        return part.exit_code


if __name__ == "__main__":
    sys.exit(main())
