# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command costs: wall time, CPU time of its whole tree of processes, and the most memory that the tree had at once.

It knows nothing of contestants or devices.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).parent / "_tree.py"
SAMPLE_S = 0.25


@dataclass(frozen=True)
class Run:
    """One run of a command. ``status`` is None when it was ended at its limit; ``memory_mib`` is a peak, 0 if not asked for.

    ``began_at_s`` counts from the start of the machine, as the starts of processes do.
    """

    status: int | None
    began_at_s: float
    wall_s: float
    cpu_s: float
    output: str
    memory_mib: float = 0.0
    processes: int = 0


def measure(
    line: str, folder: Path, environment: Mapping[str, str], limit_s: float, *, memory: bool = False, service: int = 0
) -> Run:
    """Run a line of shell. ``service`` is a process that works for it and that was there before: its tree's CPU counts too."""
    output, report = folder / "output", folder / "report"
    before_s = cpu_s_of_tree(service) if service else 0.0
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(TREE), str(report), str(limit_s), "/bin/sh", "-c", line],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        sampler = PeakMemory(process.pid) if memory else None
        process.wait()
    peak_mib, processes = sampler.stop() if sampler else (0.0, 0)
    found = json.loads(report.read_text())
    served_s = cpu_s_of_tree(service) - before_s if service else 0.0
    return Run(
        found["status"],
        found["began_at_s"],
        found["wall_s"],
        found["cpu_s"] + served_s,
        output.read_text(errors="replace"),
        peak_mib,
        processes,
    )


def tree_of(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue
    return found


def cpu_s_of_tree(pid: int) -> float:
    """CPU time of all threads of all living processes of a tree, to the nanosecond as the scheduler counts it."""
    spent_ns = 0
    for each in tree_of(pid):
        for schedstat in Path(f"/proc/{each}/task").glob("*/schedstat"):
            try:
                spent_ns += int(schedstat.read_text().split()[0])
            except OSError:
                continue
    return spent_ns / 1e9


class PeakMemory:
    """The most memory that a tree had: the sum of the proportional set sizes (PSS), so shared pages count once."""

    def __init__(self, wrapper: int) -> None:
        self._wrapper = wrapper
        self._peak_kib = 0
        self._processes = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def stop(self) -> tuple[float, int]:
        self._stopped.set()
        self._thread.join()
        return self._peak_kib / 1024, self._processes

    def _sample(self) -> None:
        while not self._stopped.wait(SAMPLE_S):
            tree = tree_of(self._wrapper)[1:]
            total_kib = sum(map(pss_kib, tree))
            if total_kib > self._peak_kib:
                self._peak_kib, self._processes = total_kib, len(tree)


def pss_kib(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            return next((int(line.split()[1]) for line in rollup if line.startswith("Pss:")), 0)
    except OSError:
        return 0


def await_quiet(limit_s: float = 1.0) -> None:
    """Give what the last run left to the kernel (ended processes, closed sockets) a moment to go."""
    time.sleep(min(0.2, limit_s))
