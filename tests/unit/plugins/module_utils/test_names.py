# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names become addresses within a deadline, whatever the resolver does."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Deadline, TimedOut, Unreachable
from ansible_collections.hostpm.fencing.plugins.module_utils._names import LOOK_UP, resolve

MUST_NOT_RUN = ("/nonexistent/resolver",)


def answering(answer: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", f"echo '{answer}'")


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("address", "family", "host"),
    [
        ("192.0.2.7", socket.AF_INET, "192.0.2.7"),
        ("2001:db8::7", socket.AF_INET6, "2001:db8::7"),
        ("[2001:db8::7]", socket.AF_INET6, "2001:db8::7"),
    ],
)
def test_a_literal_address_is_not_looked_up(address: str, family: socket.AddressFamily, host: str) -> None:
    found, peer = resolve(address, 623, Deadline(0.0), resolver=MUST_NOT_RUN)
    assert found is family
    assert peer[:2] == (host, 623)


def test_a_name_is_looked_up_with_its_port() -> None:
    family, peer = resolve("localhost", 6230, Deadline(5.0))
    assert peer[:2] in (("127.0.0.1", 6230), ("::1", 6230))
    assert family in (socket.AF_INET, socket.AF_INET6)


def test_a_name_that_does_not_exist_is_told_by_name() -> None:
    with pytest.raises(Unreachable, match=r"bmc-3\.invalid"):
        resolve("bmc-3.invalid", 623, Deadline(10.0))


@pytest.mark.parametrize(
    ("number", "seen"),
    [(socket.EAI_NONAME, "no such name: bmc-3"), (socket.EAI_AGAIN, "no name server answered for bmc-3")],
)
def test_no_such_name_is_told_apart_from_no_name_server(number: int, seen: str) -> None:
    with pytest.raises(Unreachable) as told:
        resolve("bmc-3", 623, Deadline(5.0), resolver=answering(f'{{"error": {number}}}'))
    assert told.value.seen == seen


@pytest.mark.parametrize("name", ["", "bad\udcffname", "bad\ud800name", "x" * 70 + ".example.com", "a..b", "-c"])
def test_a_name_that_cannot_be_one_is_unreachable(name: str) -> None:
    with pytest.raises(Unreachable):
        resolve(name, 623, Deadline(10.0), resolver=(sys.executable, "-I", "-S", "-c", LOOK_UP))


@pytest.mark.parametrize("resolver", [answering("not json"), answering("[1]"), ("/bin/false",)])
def test_a_resolver_that_breaks_is_unreachable(resolver: tuple[str, ...]) -> None:
    with pytest.raises(Unreachable):
        resolve("bmc-3", 623, Deadline(5.0), resolver=resolver)


def test_a_resolver_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hanging = ("/bin/sh", "-c", f"sleep 60 & echo $$ $! > {pids}; wait")
    began = time.monotonic()
    with pytest.raises(TimedOut, match="bmc-3"):
        resolve("bmc-3", 623, Deadline(0.5), resolver=hanging)
    assert time.monotonic() - began < 1.0
    end = time.monotonic() + 2.0
    while any(alive(int(pid)) for pid in pids.read_text().split()):
        assert time.monotonic() < end, "the resolver or its child lives on"
        time.sleep(0.01)


def test_an_interrupted_look_up_ends_soon() -> None:
    deadline = Deadline(60.0)
    threading.Timer(0.2, deadline.expire).start()
    began = time.monotonic()
    with pytest.raises(TimedOut):
        resolve("bmc-3", 623, deadline, resolver=("/bin/sh", "-c", "sleep 60"))
    assert time.monotonic() - began < 0.7


def test_no_process_is_started_when_no_time_is_left() -> None:
    with pytest.raises(TimedOut):
        resolve("bmc-3", 623, Deadline(0.0), resolver=MUST_NOT_RUN)


def test_a_look_up_leaves_no_descriptor_behind() -> None:
    resolve("localhost", 1, Deadline(5.0))
    before = len(os.listdir("/proc/self/fd"))
    for _turn in range(5):
        resolve("localhost", 1, Deadline(5.0))
    assert len(os.listdir("/proc/self/fd")) == before
