# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs end when they must, with their children, and whatever they print."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Deadline
from ansible_collections.hostpm.fencing.plugins.module_utils._process import BoundedProcess


def run(process: BoundedProcess, program: str, in_data: bytes | None = b"") -> tuple[int, bytes, bytes]:
    return process.run([sys.executable, "-S", "-c", program], in_data, "/")


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int) -> bool:
    end = time.monotonic() + 2.0
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


def test_a_process_that_ends_in_time_is_let_be() -> None:
    process = BoundedProcess(Deadline(20))
    program = "import sys; sys.stdout.write('done'); sys.stderr.write('why'); sys.exit(3)"
    assert run(process, program) == (3, b"done", b"why")
    assert (process.killed, process.status) == (False, 3)


def test_much_goes_in_and_much_comes_out() -> None:
    given = b"line\n" * 100_000
    echo = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"
    assert run(BoundedProcess(Deadline(20)), echo, given) == (0, given[::-1], b"")


def test_a_process_that_does_not_listen_is_no_error() -> None:
    assert run(BoundedProcess(Deadline(20)), "print('deaf')", b"x" * 1_000_000) == (0, b"deaf\n", b"")


# Starts a child that leaves the process group and keeps the pipes open; both sleep.
FLEEING = """
import os, time
if os.fork() == 0:
    os.setsid()
    open({pid!r}, "w").write(str(os.getpid()))
time.sleep(60)
"""


def test_a_child_that_fled_from_the_group_holds_nobody_up(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    process = BoundedProcess(Deadline(2))
    began = time.monotonic()
    status, _out, _err = run(process, FLEEING.format(pid=str(pid)))
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert status == -signal.SIGKILL and process.killed
    assert time.monotonic() - began < 2 + 1


# The parent answers and ends, its child stays in the group and keeps the pipes open.
STAYING = """
import os, sys, time
child = os.fork()
if child == 0:
    time.sleep(60)
sys.stdout.write(str(child))
"""


def test_a_child_that_stays_is_ended_and_the_answer_counts_at_once() -> None:
    process = BoundedProcess(Deadline(30))
    began = time.monotonic()
    status, out, _err = run(process, STAYING)
    assert time.monotonic() - began < 5
    assert (status, process.killed) == (0, False)
    assert gone(int(out))


def test_an_interruption_ends_a_process_and_keeps_another_from_starting() -> None:
    process = BoundedProcess(Deadline(60))
    threading.Timer(0.3, process.kill).start()
    began = time.monotonic()
    assert run(process, "import time; time.sleep(60)")[0] == -signal.SIGKILL
    assert run(process, "raise SystemExit(0)")[0] == -signal.SIGKILL
    assert time.monotonic() - began < 10


def test_a_deadline_that_is_moved_ends_a_process() -> None:
    deadline = Deadline(60)
    process = BoundedProcess(deadline)
    threading.Timer(0.3, deadline.expire).start()
    began = time.monotonic()
    assert run(process, "import time; time.sleep(60)")[0] == -signal.SIGKILL
    assert time.monotonic() - began < 10


def test_nothing_is_started_without_time(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    process = BoundedProcess(Deadline(0))
    run(process, f"open({str(trace)!r}, 'w')")
    assert process.killed and not trace.exists()


def test_a_flood_is_ended_before_it_fills_the_memory() -> None:
    process = BoundedProcess(Deadline(30), largest_output=1_000_000)
    began = time.monotonic()
    _status, out, _err = run(process, "while True: print('y' * 10000)")
    assert process.killed and process.flooded
    assert len(out) < 2_000_000 and time.monotonic() - began < 10


def test_a_program_that_closes_its_pipes_and_goes_on_is_awaited() -> None:
    process = BoundedProcess(Deadline(20))
    closing = "import os, time; [os.close(n) for n in (0, 1, 2)]; time.sleep(0.3); os._exit(5)"
    assert run(process, closing)[0] == 5


def test_a_run_leaves_no_descriptor_behind() -> None:
    run(BoundedProcess(Deadline(20)), "pass")
    before = len(os.listdir("/proc/self/fd"))
    for _turn in range(3):
        run(BoundedProcess(Deadline(20)), "pass")
    assert len(os.listdir("/proc/self/fd")) == before
