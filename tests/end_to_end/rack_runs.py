# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the real ansible-playbook against a rack, and brings what it said and what really happened onto one clock.

It knows how a program is started and where its result is; what is right is said by the tests.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.inventory import free_ports

HERE = Path(__file__).resolve().parent
# The programs that belong to this Python, whatever PATH says.
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
# A run that takes longer than this hangs (seconds).
LONGEST_RUN_S = 100.0

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Finished:
    """One host's result, when it arrived, and where its timeline lies on the rack's clock."""

    host: str
    at: float
    ok: bool
    result: Result

    @property
    def began(self) -> float:
        """When the task began, at the latest: its result came later than its end, by a moment."""
        return self.at - float(self.result["duration"])

    def events(self, *words: str, agent: str | None = None) -> list[dict[str, Any]]:
        """The lines of the timeline that hold all these words, of one agent if it is given."""
        return [
            event
            for event in self.result["timeline"]
            if all(word in event["event"] for word in words) and agent in (None, event["agent"])
        ]

    def first_s(self, *words: str, agent: str | None = None) -> float:
        """When such a line was told first, in seconds since the start of the task."""
        found = self.events(*words, agent=agent)
        assert found, f"no event {words} of {agent} in {self.story}"
        return float(found[0]["at"])

    @property
    def story(self) -> str:
        """The timeline as a person reads it, for the message of a test that fails."""
        lines = [
            f"{event['at']:8.3f}  {event['agent'] or 'host':8}  {event['event']}"
            for event in self.result.get("timeline", ())
        ]
        return "\n".join([f"{self.host}: {self.result.get('msg', 'ok')}", *lines, *self.result.get("warnings", ())])


@dataclass(frozen=True)
class Run:
    """What came of one run of the program."""

    returncode: int
    output: str
    finished: Sequence[Finished]

    @property
    def results(self) -> dict[str, Finished]:
        """The last result of each host."""
        return {finished.host: finished for finished in self.finished}

    def __getitem__(self, host: str) -> Finished:
        assert host in self.results, f"no result of {host}; the program said:\n{self.output}"
        return self.results[host]

    def steps(self, host: str) -> list[Finished]:
        """The results of a host's tasks, in order."""
        return [finished for finished in self.finished if finished.host == host]


class RunningPlaybook:
    """An ansible-playbook that was started, in a session of its own."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, results: Path) -> None:
        self._process = process
        self._output = output
        self._results = results

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self, timeout_s: float = LONGEST_RUN_S) -> Run:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"ansible-playbook did not end in {timeout_s} s:\n{self._output.read_text()}"
            ) from None
        lines = self._results.read_text().splitlines() if self._results.exists() else []
        return Run(self._process.returncode, self._output.read_text(), [Finished(**json.loads(line)) for line in lines])

    def workers(self) -> list[int]:
        """The processes that run a task for a host."""
        return [process for process, parent in processes().items() if parent == self.pid]

    def kill(self) -> None:
        """End the program's process group as AWX does, with SIGKILL. Workers have sessions of their own, and live on."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


class Playbooks:
    """Runs plays of fence tasks against one inventory, in a folder of its own."""

    def __init__(self, folder: Path, inventory: Path) -> None:
        self.folder = folder
        self._inventory = inventory
        self._numbers = itertools.count(1)
        self.log = folder / "fence.log"

    def start(
        self,
        *steps: Mapping[str, Any],
        hosts: str = "all",
        forks: int = 5,
        keywords: Mapping[str, Any] | None = None,
        action: str = "fence",
    ) -> RunningPlaybook:
        """One task for each of ``steps``, which are its options. ``keywords`` stand beside them (``timeout``, ``ignore_errors``)."""
        number = next(self._numbers)
        tasks = [
            {"name": "Fence", f"hostpm.fencing.{action}": dict(step), **(keywords or {})} for step in steps or ({},)
        ]
        play = {"name": "Run", "hosts": hosts, "gather_facts": False, "tasks": tasks}
        playbook, results = self.folder / f"play{number}.yml", self.folder / f"results{number}.jsonl"
        output = self.folder / f"output{number}.txt"
        playbook.write_text(yaml.safe_dump([play], sort_keys=False))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(
                [os.environ["ANSIBLE_COLLECTIONS_PATH"], str(HERE / "collections")]
            ),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "rack_results",
            "ANSIBLE_RETRY_FILES_ENABLED": "false",
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            "RACK_RESULTS": str(results),
        }
        command = [ANSIBLE_PLAYBOOK, "-i", self._inventory, "--forks", str(forks), playbook]
        with output.open("wb") as file:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        return RunningPlaybook(process, output, results)

    def run(self, *steps: Mapping[str, Any], **how: Any) -> Run:
        """Start it and wait for its end."""
        return self.start(*steps, **how).wait()

    def logged(self) -> list[dict[str, Any]]:
        """The lines of ``fence_log``, if the task was told to write to ``self.log``."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


def write_inventory(path: Path, inventory: Mapping[str, Any]) -> None:
    """Write it as YAML without anchors and aliases."""
    path.write_text("---\n" + yaml.safe_dump(json.loads(json.dumps(inventory)), sort_keys=False))


def give_pdus(inventory: Mapping[str, Any], hosts_on_a_pair: int) -> None:
    """Spread the hosts of an inventory over more PDUs: psu_a and psu_b of so many hosts are on one pair."""
    nodes = list(inventory["all"]["hosts"].values())
    taken = {agent["port"] for node in nodes for agent in node["fence_agents"].values()}
    count = 2 * -(-len(nodes) // hosts_on_a_pair)
    ports = [port for port in free_ports(count + len(taken)) if port not in taken]
    for number, node in enumerate(nodes):
        pair, place = divmod(number, hosts_on_a_pair)
        for side, name in enumerate(("psu_a", "psu_b")):
            node["fence_agents"][name].update(port=ports[2 * pair + side], outlet=place + 1)


class Lateness:
    """How late this machine is at its worst, while it measures (seconds): what a bound in seconds has to forgive."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="lateness", daemon=True)

    def __enter__(self) -> Lateness:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _measure(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            time.sleep(0.02)
            self.worst_s = max(self.worst_s, time.monotonic() - began - 0.02)


def processes() -> dict[int, int]:
    """Every process that runs here, and its parent. Zombies do not run."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    found[int(folder.name)] = int(parent)
    return found


def marked_processes(folder: Path) -> list[str]:
    """The command lines of all processes that were started, by whomever, for runs in this folder."""
    found = []
    for process in processes():
        with contextlib.suppress(OSError):
            if f"RACK_RESULTS={folder}".encode() in Path(f"/proc/{process}/environ").read_bytes():
                found.append(Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def eventually(what: Callable[[], Any], within_s: float, told: str) -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + within_s
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, f"{told}: not within {within_s} s"
        time.sleep(0.01)


def on_the_racks_clock(written: str) -> float:
    """The time of a line of ``fence_log`` on the clock of the rack."""
    return datetime.datetime.fromisoformat(written).timestamp() - time.time() + time.monotonic()
