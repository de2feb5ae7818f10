# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One conversation at a time with a device, among the agents of a task and among the forks of a run."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Busy
from ansible_collections.hostpm.fencing.plugins.plugin_utils._turns import DeviceTurns


def nothing(waited_s: float) -> None:
    """For turns whose waiting nobody asks about."""


def fork(work: Callable[[], None]) -> int:
    """Run the work in a fork, as Ansible's workers are."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_two_agents_of_one_task_never_overlap(tmp_path: Path) -> None:
    inside: list[int] = []

    async def talk(turns: DeviceTurns) -> None:
        async with turns.at("pdu-a:161", nothing)(5.0):
            inside.append(1)
            assert len(inside) == 1
            await asyncio.sleep(0.01)
            inside.pop()

    async def crowd() -> None:
        turns = DeviceTurns(tmp_path)
        await asyncio.gather(*(talk(turns) for _turn in range(10)))

    asyncio.run(crowd())


def test_forks_of_a_run_never_overlap(tmp_path: Path) -> None:
    record = tmp_path / "record"

    def talk() -> None:
        async def one() -> None:
            async with DeviceTurns(tmp_path).at("pdu-a:161", nothing)(10.0):
                with record.open("a") as file:
                    file.write("in\n")
                await asyncio.sleep(0.01)
                with record.open("a") as file:
                    file.write("out\n")

        asyncio.run(one())

    children = [fork(talk) for _turn in range(8)]
    for child in children:
        os.waitpid(child, 0)
    assert record.read_text().split() == ["in", "out"] * 8


def test_a_fork_that_is_killed_frees_its_turn(tmp_path: Path) -> None:
    taken = tmp_path / "taken"

    def hold() -> None:
        async def forever() -> None:
            async with DeviceTurns(tmp_path).at("pdu-a:161", nothing)(1.0):
                taken.touch()
                await asyncio.sleep(60)

        asyncio.run(forever())

    child = fork(hold)
    until = time.monotonic() + 10
    while not taken.exists() and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    async def next_one() -> None:
        async with DeviceTurns(tmp_path).at("pdu-a:161", nothing)(1.0):
            pass

    asyncio.run(next_one())


def test_forks_are_served_in_the_order_of_their_coming(tmp_path: Path) -> None:
    """Each takes two turns. Whoever comes again stands behind those who are still waiting for their first."""
    record = tmp_path / "record"
    holding, go = tmp_path / "holding", tmp_path / "go"

    def hold() -> None:
        async def until_all_wait() -> None:
            async with DeviceTurns(tmp_path).at("pdu-a:161", nothing)(20.0):
                holding.touch()
                await asyncio.to_thread(wait_for, go.exists)

        asyncio.run(until_all_wait())

    def talk(number: int) -> Callable[[], None]:
        async def twice() -> None:
            for _time in range(2):
                async with DeviceTurns(tmp_path).at("pdu-a:161", nothing)(20.0):
                    with record.open("a") as file:
                        file.write(f"{number} ")

        return lambda: asyncio.run(twice())

    children = [fork(hold)]
    wait_for(holding.exists)
    for number in range(6):
        children.append(fork(talk(number)))
        wait_for(lambda: len(list(tmp_path.glob("*.line/*"))) == len(children))
    go.touch()
    for child in children:
        os.waitpid(child, 0)
    turns = [int(number) for number in record.read_text().split()]
    assert turns[:6] == list(range(6))
    assert sorted(turns[6:]) == list(range(6))


def test_a_fork_that_dies_in_the_line_holds_nobody_up(tmp_path: Path) -> None:
    async def wait_behind_the_dead() -> None:
        turns = DeviceTurns(tmp_path)
        async with turns.at("pdu-a:161", nothing)(1.0):
            child = fork(lambda: asyncio.run(take()))
            await asyncio.to_thread(wait_for, lambda: len(list(tmp_path.glob("*.line/*"))) == 2)
            os.kill(child, signal.SIGKILL)
            await asyncio.to_thread(os.waitpid, child, 0)
        async with turns.at("pdu-a:161", nothing)(5.0):
            pass

    async def take() -> None:
        async with DeviceTurns(tmp_path).at("pdu-a:161", nothing)(20.0):
            pass

    asyncio.run(wait_behind_the_dead())
    assert not list(tmp_path.glob("*.line/*"))


def test_a_device_that_does_not_become_free_is_busy_when_the_time_is_over(tmp_path: Path) -> None:
    async def wait() -> float:
        turns = DeviceTurns(tmp_path)
        async with turns.at("pdu-a:161", nothing)(1.0):
            began = time.monotonic()
            with pytest.raises(Busy, match="kept the device busy"):
                async with turns.at("pdu-a:161", nothing)(0.2):
                    pytest.fail("two conversations at once")
            return time.monotonic() - began

    assert asyncio.run(wait()) >= 0.2


def test_a_wait_that_is_worth_it_is_told(tmp_path: Path) -> None:
    told: list[float] = []

    async def wait() -> None:
        turns = DeviceTurns(tmp_path)

        async def hold() -> None:
            async with turns.at("pdu-a:161", nothing)(1.0):
                await asyncio.sleep(0.6)

        holding = asyncio.ensure_future(hold())
        await asyncio.sleep(0.05)
        async with turns.at("pdu-a:161", told.append)(5.0):
            pass
        await holding

    asyncio.run(wait())
    assert len(told) == 1
    assert told[0] >= 0.5


def test_different_devices_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async def both() -> None:
        turns = DeviceTurns(tmp_path)
        async with turns.at("pdu-a:161", nothing)(0.1), turns.at("pdu-b:161", nothing)(0.1):
            pass

    asyncio.run(both())


# -- turns that are kept ---------------------------------------------------------------------------------------------------


def places(folder: Path) -> list[str]:
    """Who is in the line of the only device."""
    return [name for line in folder.glob("*.line") for name in os.listdir(line)]


def test_a_turn_that_is_kept_is_had_again_without_a_new_place(tmp_path: Path) -> None:
    async def talk() -> None:
        turns = DeviceTurns(tmp_path, keep_s=5.0)
        for _turn in range(3):
            async with turns.at("pdu-a:161", nothing)(1.0):
                seen.append(places(tmp_path))
        assert places(tmp_path) == seen[0]
        turns.close()

    seen: list[list[str]] = []
    asyncio.run(talk())
    assert len(seen[0]) == 1 and seen == [seen[0]] * 3
    assert places(tmp_path) == []


def test_a_turn_that_nobody_takes_again_is_let_go(tmp_path: Path) -> None:
    async def talk() -> None:
        turns = DeviceTurns(tmp_path, keep_s=0.05)
        async with turns.at("pdu-a:161", nothing)(1.0):
            pass
        await asyncio.sleep(0.2)
        assert places(tmp_path) == []
        turns.close()

    asyncio.run(talk())


def test_a_task_that_keeps_its_turn_lets_others_have_theirs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that speak on and on, each with its turn kept: as two processes do."""
    monkeypatch.setattr("ansible_collections.hostpm.fencing.plugins.plugin_utils._turns.LONGEST_KEPT_S", 0.1)
    spoke: list[str] = []

    async def talk(name: str) -> None:
        turns = DeviceTurns(tmp_path, keep_s=5.0)
        for _turn in range(40):
            async with turns.at("pdu-a:161", nothing)(10.0):
                spoke.append(name)
                await asyncio.sleep(0.01)
        turns.close()

    async def both() -> None:
        await asyncio.gather(talk("one"), talk("other"))

    asyncio.run(both())
    assert sorted(spoke) == ["one"] * 40 + ["other"] * 40
    changes = sum(before != after for before, after in itertools.pairwise(spoke))
    assert 3 <= changes <= 30
