# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command and say what its whole tree of processes cost: ``_tree.py REPORT LIMIT_S COMMAND...``.

A program, so that nothing of the benchmark itself is counted. Orphans come back to it (it is their subreaper), so their time
counts too. What outlives the command or the limit is killed.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
# How long whatever the command left behind may take to end by itself (seconds).
AFTERWARDS_S = 2.0


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as children:
                for child in map(int, children.read().split()):
                    found += [child, *descendants(child)]
    except OSError:
        pass
    return found


class LimitReached(Exception):
    pass


def on_alarm(*_signal: object) -> None:
    raise LimitReached


def reap_all() -> None:
    try:
        while True:
            os.wait()
    except ChildProcessError:
        return


def kill_all() -> None:
    while left := descendants(os.getpid()):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap_all()


def main() -> None:
    report, limit_s, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, on_alarm)
    status: int | None = None
    began_at_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.execvp(command[0], command)
    try:
        signal.setitimer(signal.ITIMER_REAL, float(limit_s))
        while status is None:
            pid, ended = os.wait()
            if pid == child:
                status = os.waitstatus_to_exitcode(ended)
        wall_s = time.monotonic() - began
        signal.setitimer(signal.ITIMER_REAL, AFTERWARDS_S)
        reap_all()
    except LimitReached:
        wall_s = wall_s if status is not None else time.monotonic() - began
    signal.setitimer(signal.ITIMER_REAL, 0)
    kill_all()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(report, "w") as file:
        cpu_s = used.ru_utime + used.ru_stime
        json.dump({"status": status, "began_at_s": began_at_s, "wall_s": wall_s, "cpu_s": cpu_s}, file)


if __name__ == "__main__":
    main()
