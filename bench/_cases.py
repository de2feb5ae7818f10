# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running contestants against each other: the options that all benchmarks share, the files that contestants read, the runs.

A case is an action on a number of hosts. Its contestants take turns, run by run, so that a busy moment of the machine hits
all of them; after each run the case's judge says whether it did what it should, and one that did not gets no numbers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from _contestants import READ, Contestant
from _farms import IPMI_PORT, PASSWORD, SNMP_ENVIRONMENT, USERNAME, BmcFarm, PduFarm, missing_programs
from _measure import Run, await_quiet, measure
from _results import Record, append_to, as_text, table_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / ".build" / "bench-peers"
# What contestants said when they failed.
FAILED = ROOT / ".build" / "bench-failed"
# A contestant that took longer than this runs once only (seconds).
ONCE_S = 5.0
# When a run is ended at the latest (seconds), or at twice what may be foreseen.
PATIENCE_S = 300.0
# How long a service may take to find its hosts (seconds).
SERVICE_S = 30.0

Values = Mapping[str, str]
FarmT = TypeVar("FarmT", BmcFarm, PduFarm)


def parser_of(description: str | None, runs: int = 5) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few hosts, one run: is everything in order?")
    parser.add_argument("--runs", type=int, default=runs, help="of each contestant (%(default)s)")
    parser.add_argument(
        "--longest", type=float, default=120.0, metavar="S", help="leave out what would take longer (%(default)s s)"
    )
    parser.add_argument("--only", metavar="KEYS", help="contestants, by commas; see _contestants.py")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append what was measured, as JSON lines")
    parser.add_argument(
        "--collection",
        type=Path,
        default=ROOT,
        metavar="FOLDER",
        help="measure this checkout of the collection instead of the one that this file is in",
    )
    return parser


def sizes(text: str) -> list[int]:
    """For an option like 1,10,100."""
    return [int(word) for word in text.split(",")]


@dataclass
class Bench:
    """One part of the benchmarks: where its files are, what it was told, what it has measured."""

    part: str
    given: argparse.Namespace
    folder: Path
    records: list[Record] = field(default_factory=list)
    silent: bool = False

    def chosen(self, contestants: Iterable[Contestant]) -> list[Contestant]:
        keys = self.given.only.split(",") if self.given.only else None
        return [each for each in contestants if keys is None or each.key in keys]

    def add(self, records: list[Record]) -> None:
        """Show what belongs to one case, and keep it."""
        self.records += records
        if self.silent:
            return
        print(as_text(table_of(records[0].case, records)), end="\n\n", flush=True)
        if self.given.json:
            append_to(self.given.json, records)

    def missing(self, contestant: Contestant) -> str:
        """Why a contestant cannot take part."""
        programs = [program.format(peers=PEERS / "bin") for program in contestant.needs]
        absent = missing_programs(programs)
        if absent:
            return f"not here: {', '.join(Path(program).name for program in absent)} (see bench/README.md)"
        action = contestant.needs_action
        if action and not (self.given.collection / "plugins" / "action" / f"{action}.py").exists():
            return f"this collection has no {action} yet"
        return ""

    @property
    def exit_code(self) -> int:
        """1 when a contestant did not do what it was told."""
        return int(any(record.note.startswith("FAILED") for record in self.records))

    @property
    def environment(self) -> dict[str, str]:
        # A user's Python keeps bytecode, whatever the shell of whoever measures says.
        unwanted = ("ANSIBLE_", "PYTHONDONTWRITEBYTECODE")
        known = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        return {
            **known,
            **SNMP_ENVIRONMENT,
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
        }


@contextmanager
def bench(part: str, given: argparse.Namespace) -> Iterator[Bench]:
    """The part's folder, with the collection that is measured in it."""
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(143))  # the simulators end with us
    folder = Path(tempfile.mkdtemp(prefix=f"bench-{part}-"))
    link = folder / "collections" / "ansible_collections" / "hostpm" / "fencing"
    link.parent.mkdir(parents=True)
    link.symlink_to(given.collection.resolve(), target_is_directory=True)
    (folder / "ansible.cfg").write_text("")  # nobody else's settings
    try:
        yield Bench(part, given, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure_on(farm: FarmT, part: str, given: argparse.Namespace, work: Callable[[Bench, FarmT], None]) -> int:
    """Do the work of a part on its devices, which end with it; the exit code."""
    try:
        with bench(part, given) as it:
            work(it, farm)
            return it.exit_code
    finally:
        farm.close()


class Spoiled(Exception):
    """For a judge: not the contestant's fault, the run does not count."""


@dataclass(frozen=True)
class Case:
    """``judge`` says what went wrong in a run, if anything; ``seen`` are further numbers of it, by name; ``add`` may add to the records."""

    title: str
    action: str
    hosts: int
    values: Values
    prepare: Callable[[], object] = lambda: None
    judge: Callable[[Run], str] = lambda run: ""
    seen: Callable[[Run], Mapping[str, float]] = lambda run: {}
    notes: Mapping[str, str] = field(default_factory=dict)
    memory: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    add: Callable[[list[Record]], None] = lambda records: None


@dataclass
class Entry:
    """A contestant in a case, while it is measured."""

    contestant: Contestant
    record: Record
    service: subprocess.Popen[bytes] | None = None
    seen: list[Mapping[str, float]] = field(default_factory=list)
    out: bool = False


def compare(
    bench: Bench, case: Case, contestants: Sequence[Contestant], foreseen: Mapping[str, float] | None = None
) -> list[Record]:
    """Let them run, show the table. ``foreseen`` is how long each will take, as far as it is known (seconds)."""
    runs = 1 if bench.given.quick else bench.given.runs
    entries = [
        Entry(each, Record(bench.part, case.title, each.name, case.hosts, note=case.notes.get(each.key, "")))
        for each in contestants
        if case.action in each.lines
    ]
    try:
        for entry in entries:
            _admit(bench, case, entry, (foreseen or {}).get(entry.contestant.key, 0.0))
        for number in range(runs):
            for entry in entries:
                if not entry.out and not (number and entry.record.wall_s[0] > ONCE_S):
                    _run(bench, case, entry)
    finally:
        for entry in entries:
            _stop(entry.service)
    for entry in entries:
        names = entry.seen[0] if entry.seen else ()
        entry.record.extra = {name: _median([seen[name] for seen in entry.seen]) for name in names}
    ours = [entry for entry in entries if entry.contestant.ours and entry.record.wall_s]
    if ours:
        min(ours, key=lambda entry: entry.contestant.ours).record.reference = True
    records = [entry.record for entry in entries]
    case.add(records)
    bench.add(records)
    return records


def _admit(bench: Bench, case: Case, entry: Entry, foreseen_s: float) -> None:
    missing = bench.missing(entry.contestant)
    if missing:
        entry.out, entry.record.note = True, missing
    elif foreseen_s > bench.given.longest:
        entry.out, entry.record.note = True, f"left out, it would take about {foreseen_s:.0f} s"
    elif entry.contestant.service:
        entry.service = subprocess.Popen(
            ["/bin/sh", "-c", entry.contestant.service.format(**_values(case))],
            cwd=bench.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _await_service(bench, case, entry.contestant)


def _await_service(bench: Bench, case: Case, contestant: Contestant) -> None:
    """It has been there for long when somebody asks: wait until it knows all hosts."""
    read = contestant.lines[READ].format(**_values(case))
    end = time.monotonic() + SERVICE_S
    while time.monotonic() < end:
        time.sleep(0.5)
        if not _unread(case, contestant, measure(read, bench.folder, bench.environment, SERVICE_S).output):
            return


def _values(case: Case) -> dict[str, str]:
    known = {
        "here": str(HERE),
        "plays": str(HERE / "plays"),
        "ours": str(Path(sys.executable).parent),
        "peers": str(PEERS / "bin"),
        "python": sys.executable,
    }
    return {**known, **case.values}


def _run(bench: Bench, case: Case, entry: Entry, tries: int = 3) -> None:
    case.prepare()
    await_quiet()
    limit_s = max(PATIENCE_S, 2 * bench.given.longest)
    run = measure(
        entry.contestant.lines[case.action].format(**_values(case)),
        bench.folder,
        {**bench.environment, **case.environment},
        limit_s,
        memory=case.memory,
        service=entry.service.pid if entry.service else 0,
    )
    try:
        wrong = f"ended after {limit_s:.0f} s" if run.status is None else case.judge(run)
        wrong = wrong or (case.action == READ and _unread(case, entry.contestant, run.output)) or ""
    except Spoiled as why:
        if tries > 1:
            _run(bench, case, entry, tries - 1)
            return
        wrong = str(why)
    if wrong:
        entry.out = True
        entry.record.wall_s, entry.record.cpu_s = [], []
        entry.record.note = f"FAILED: {wrong}; {last_line(run.output)}"
        FAILED.mkdir(parents=True, exist_ok=True)
        (FAILED / f"{bench.part}, {case.title}, {entry.contestant.key}.txt").write_text(run.output)
        entry.seen = []
        return
    entry.record.wall_s.append(round(run.wall_s, 4))
    entry.record.cpu_s.append(round(run.cpu_s, 4))
    entry.seen.append(case.seen(run))


def _unread(case: Case, contestant: Contestant, output: str) -> str:
    """What a read did not say of the hosts, all of which are on. A feed counts as a host."""
    if contestant.on_all and contestant.on_all.format(**_values(case)) not in output:
        return "not all hosts were read on"
    told = output.count(contestant.on_each) if contestant.on_each else case.hosts
    return "" if told >= case.hosts else f"{told} of {case.hosts} hosts were read on"


def last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return repr(lines[-1][:200]) if lines else "it said nothing"


def _stop(service: subprocess.Popen[bytes] | None) -> None:
    if service is not None:
        os.killpg(service.pid, signal.SIGTERM)
        try:
            service.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(service.pid, signal.SIGKILL)
            service.wait()


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def longer(records: Sequence[Record], contestants: Sequence[Contestant], hosts: int) -> dict[str, float]:
    """How long a bigger case will take each contestant, by what a smaller one took; one that was out stays out.

    Our first form is what all this is about: it is always measured.
    """
    keys = {each.name: each.key for each in contestants if each.ours != 1}
    foreseen = {}
    for record in records:
        if record.contestant not in keys:
            continue
        if record.wall_s:
            foreseen[keys[record.contestant]] = record.wall_s[0] * hosts / record.hosts
        elif "left out" in record.note:
            foreseen[keys[record.contestant]] = float(record.note.split()[-2]) * hosts / record.hosts
    return foreseen


def ipmi_values(folder: Path, addresses: Sequence[str]) -> dict[str, str]:
    """The files that contestants of IPMI read, for hosts with one BMC each."""
    folder.mkdir(parents=True, exist_ok=True)
    powerman = f"127.0.0.1:{free_tcp_port()}"
    port = "" if IPMI_PORT == 623 else f":{IPMI_PORT}"
    comma_list = ",".join(f"{address}{port}" for address in addresses)
    (folder / "hosts").write_text("\n".join(addresses) + "\n")
    (folder / "freeipmi.conf").write_text(
        f"driver-type LAN_2_0\nusername {USERNAME}\npassword {PASSWORD}\ncipher-suite-id 3\nprivilege-level OPERATOR\n"
        "workaround-flags opensesspriv\n"
    )
    (folder / "powerman.conf").write_text(
        f'tcpwrappers no\ninclude "/etc/powerman/ipmipower.dev"\nlisten "{powerman}"\n'
        + "".join(powerman_device(folder, first, addresses, port) for first in range(0, len(addresses), POWERMAN_SHARE))
    )
    variables = (
        f"fence_agents:\n  bmc:\n    type: ipmi\n    address: '{{{{ bmc }}}}'\n    port: {IPMI_PORT}\n"
        f"    username: {USERNAME}\n    password: {PASSWORD}\n    cipher_suites: [3]\n"
        f"bmc_port: {IPMI_PORT}\nbmc_user: {USERNAME}\nbmc_password: {PASSWORD}\n"
    )
    inventory = write_inventory(folder, variables, [f"bmc={address}" for address in addresses])
    return {
        "hosts": str(folder / "hosts"),
        "list": comma_list,
        "freeipmi": str(folder / "freeipmi.conf"),
        "powerman": powerman,
        "powerman_conf": str(folder / "powerman.conf"),
        "nodes": f"n[0-{len(addresses) - 1}]" if len(addresses) > 1 else "n0",
        "inventory": str(inventory),
        "port": str(IPMI_PORT),
        "user": USERNAME,
        "password": PASSWORD,
    }


def free_tcp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# So many BMCs for each ipmipower of powerman: its line for one has an end.
POWERMAN_SHARE = 200


def powerman_device(folder: Path, first: int, addresses: Sequence[str], port: str) -> str:
    """A share of the BMCs, as powerman is told of them. Its programs are found by their whole path only."""
    share = [f"{address}{port}" for address in addresses[first : first + POWERMAN_SHARE]]
    program = f"{shutil.which('ipmipower')} --config-file {folder}/freeipmi.conf -h {','.join(share)}"
    return f'device "bmcs{first}" "ipmipower" "{program} --wait-until-on --wait-until-off |&"\n' + "".join(
        f'node "n{first + number}" "bmcs{first}" "{address}"\n' for number, address in enumerate(share)
    )


def write_inventory(folder: Path, variables: str, hosts: Sequence[str]) -> Path:
    """Hosts h0000, h0001, ... with their own variables, and what they have in common."""
    inventory = folder / "inventory"
    (inventory / "group_vars").mkdir(parents=True, exist_ok=True)
    (inventory / "group_vars" / "all.yml").write_text(
        f"ansible_connection: local\nansible_python_interpreter: '{{{{ ansible_playbook_python }}}}'\n{variables}"
    )
    lines = [f"h{number:04} {own}" for number, own in enumerate(hosts)]
    (inventory / "hosts.ini").write_text("\n".join(lines) + "\n")
    return inventory
