# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several agents of one device ask goes out together, each gets its own answer, and nothing leaves that nobody waits for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    Busy,
    Deadline,
    DeviceDriver,
    DeviceError,
    NotFound,
    Options,
    Power,
    Reading,
    Reason,
    Refused,
    TimedOut,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import (
    ConversationExchanges,
    DeviceConversation,
    Turn,
    no_turn,
)

ON, OFF = Power.ON, Power.OFF


class Strip(DeviceDriver):
    """A strip of outlets in this process. It records each exchange: what was asked of which outlets, when, and in how many threads."""

    def __init__(self) -> None:
        self.exchanges: list[tuple[str, list[int]]] = []
        self.began_at: list[float] = []
        self.left_s: list[float] = []
        self.powers: dict[int, Power] = {}
        self.missing: set[int] = set()
        self.locked: set[int] = set()
        self.takes_s = 0.01
        self.fault: Exception | None = None
        self.answers_for = 1.0
        self.gate: threading.Event | None = None
        self.closed = self.busy = self.together = 0

    def read_all(self, agents: Sequence[Options], deadline: Deadline) -> Sequence[Reading | DeviceError]:
        outlets = self._asked("read", agents, deadline)
        answers = [self._reading(outlet) for outlet in outlets]
        return answers[: round(len(answers) * self.answers_for)]

    def switch_all(self, agents: Sequence[Options], power: Power, deadline: Deadline) -> Sequence[DeviceError | None]:
        outlets = self._asked(str(power), agents, deadline)
        self.powers.update({outlet: power for outlet in outlets if outlet not in self.locked})
        return [Refused("it is locked", "unlock it") if outlet in self.locked else None for outlet in outlets]

    def close(self) -> None:
        self.closed += 1

    def _asked(self, what: str, agents: Sequence[Options], deadline: Deadline) -> list[int]:
        outlets = [agent["outlet"] for agent in agents]
        self.exchanges.append((what, outlets))
        self.began_at.append(time.monotonic())
        self.left_s.append(deadline.remaining_s)
        self.busy += 1
        self.together = max(self.together, self.busy)
        if self.gate is not None:
            self.gate.wait(5)
        time.sleep(self.takes_s)
        self.busy -= 1
        if self.fault is not None:
            raise self.fault
        return outlets

    def _reading(self, outlet: int) -> Reading | DeviceError:
        if outlet in self.missing:
            return NotFound(f"there is no outlet {outlet}", "look at the number")
        return Reading(self.powers.get(outlet, ON), f"outlet {outlet}")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def strip() -> Strip:
    return Strip()


Work = Callable[[DeviceConversation], Awaitable[Any]]


def talk(
    strip: Strip,
    pool: ThreadPoolExecutor,
    work: Work,
    turn: Turn = no_turn,
    gap_s: float = 0.0,
    exchange_s: float = 2.0,
) -> Any:
    async def main() -> Any:
        conversation = DeviceConversation(strip, pool, exchange_s, turn, gap_s)
        try:
            return await work(conversation)
        finally:
            await conversation.close()

    return asyncio.run(main())


def outlets(conversation: DeviceConversation, count: int) -> list[ConversationExchanges]:
    return [conversation.of({"outlet": outlet}) for outlet in range(1, count + 1)]


async def every(asked: Sequence[Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*asked, return_exceptions=True)


def test_what_is_asked_at_once_is_one_exchange(strip: Strip, pool: ThreadPoolExecutor) -> None:
    readings = talk(strip, pool, lambda all: every([each.read(2.0) for each in outlets(all, 24)]))
    assert [reading.raw for reading in readings] == [f"outlet {outlet}" for outlet in range(1, 25)]
    assert strip.exchanges == [("read", list(range(1, 25)))]


def test_what_is_asked_while_an_exchange_is_under_way_is_the_next_one(strip: Strip, pool: ThreadPoolExecutor) -> None:
    async def work(conversation: DeviceConversation) -> list[Any]:
        first, *others = outlets(conversation, 9)
        strip.gate = threading.Event()
        asked = [asyncio.ensure_future(first.read(2.0))]
        await asyncio.sleep(0.05)
        asked += [asyncio.ensure_future(other.read(2.0)) for other in others]
        await asyncio.sleep(0.05)
        strip.gate.set()
        return await every(asked)

    talk(strip, pool, work)
    assert [len(asked) for _what, asked in strip.exchanges] == [1, 8]
    assert strip.together == 1


def test_a_reading_is_never_older_than_the_request_for_it(strip: Strip, pool: ThreadPoolExecutor) -> None:
    """Whoever asks while the device is being read may have switched something since: it gets the next reading, not this one."""

    async def work(conversation: DeviceConversation) -> Reading:
        one, two = outlets(conversation, 2)
        strip.gate = threading.Event()
        early = asyncio.ensure_future(one.read(2.0))
        await asyncio.sleep(0.05)
        strip.powers[2] = OFF
        late = asyncio.ensure_future(two.read(2.0))
        await asyncio.sleep(0.01)
        strip.gate.set()
        await early
        return await late

    assert talk(strip, pool, work).power is OFF
    assert strip.exchanges == [("read", [1]), ("read", [2])]


def test_off_and_on_and_reads_are_exchanges_of_their_own(strip: Strip, pool: ThreadPoolExecutor) -> None:
    async def work(conversation: DeviceConversation) -> list[Any]:
        a, b, c, d = outlets(conversation, 4)
        return await every([a.switch(OFF, 2.0), b.switch(ON, 2.0), c.read(2.0), d.switch(OFF, 2.0)])

    talk(strip, pool, work)
    assert sorted(strip.exchanges) == [("off", [1, 4]), ("on", [2]), ("read", [3])]


def test_what_is_wrong_with_one_outlet_is_told_to_its_agent_only(strip: Strip, pool: ThreadPoolExecutor) -> None:
    strip.missing, strip.locked = {2}, {3}
    readings = talk(strip, pool, lambda all: every([each.read(2.0) for each in outlets(all, 3)]))
    assert [getattr(answer, "reason", None) for answer in readings] == [None, Reason.NOT_FOUND, None]
    answers = talk(strip, pool, lambda all: every([each.switch(OFF, 2.0) for each in outlets(all, 3)]))
    assert [getattr(answer, "reason", None) for answer in answers] == [None, None, Reason.REFUSED]


def test_what_is_wrong_with_the_conversation_is_told_to_all(strip: Strip, pool: ThreadPoolExecutor) -> None:
    strip.fault = Busy("no session is free")
    answers = talk(strip, pool, lambda all: every([each.read(2.0) for each in outlets(all, 3)]))
    assert [answer.reason for answer in answers] == [Reason.BUSY] * 3


def test_a_driver_that_answers_for_some_proves_nothing_for_any(strip: Strip, pool: ThreadPoolExecutor) -> None:
    strip.answers_for = 0.5
    strip.powers = dict.fromkeys(range(9), OFF)
    answers = talk(strip, pool, lambda all: every([each.read(2.0) for each in outlets(all, 4)]))
    assert [answer.reason for answer in answers] == [Reason.BAD_REPLY] * 4


def test_a_device_that_hangs_costs_each_agent_its_own_time(strip: Strip, pool: ThreadPoolExecutor) -> None:
    strip.takes_s = 2.5

    async def work(conversation: DeviceConversation) -> list[float]:
        async def timed(each: ConversationExchanges, left_s: float) -> float:
            began = time.monotonic()
            with pytest.raises(TimedOut):
                await each.read(left_s)
            return time.monotonic() - began

        short, long = outlets(conversation, 2)
        return await every([timed(short, 0.3), timed(long, 1.0)])

    short_s, long_s = talk(strip, pool, work, exchange_s=1.0)
    assert short_s < 0.3 + 1 and long_s < 1.0 + 1 and short_s < long_s


def test_a_command_that_nobody_waits_for_any_more_does_not_leave(strip: Strip, pool: ThreadPoolExecutor) -> None:
    async def work(conversation: DeviceConversation) -> list[Any]:
        one, two = outlets(conversation, 2)
        strip.gate = threading.Event()
        reading = asyncio.ensure_future(one.read(3.0))
        await asyncio.sleep(0.05)
        answers = await every([two.switch(OFF, 0.1)])
        strip.gate.set()
        await reading
        return answers

    (answer,) = talk(strip, pool, work)
    assert answer.reason is Reason.BUSY
    assert strip.exchanges == [("read", [1])]


def test_no_command_is_under_way_for_longer_than_its_agent_waits_for_it(strip: Strip, pool: ThreadPoolExecutor) -> None:
    """One with little time left does not travel with those that have more: it might switch something when all is over for its agent."""

    async def work(conversation: DeviceConversation) -> list[Any]:
        short, long, longer = outlets(conversation, 3)
        return await every([long.switch(OFF, 5.0), short.switch(OFF, 0.3), longer.switch(OFF, 5.0)])

    talk(strip, pool, work, exchange_s=2.0)
    assert strip.exchanges == [("off", [2, 3]), ("off", [1])]
    assert strip.left_s[0] > 1.5 and strip.left_s[1] <= 0.3


def test_no_command_leaves_after_an_interruption(strip: Strip, pool: ThreadPoolExecutor) -> None:
    async def work(conversation: DeviceConversation) -> list[Any]:
        one, two = outlets(conversation, 2)
        strip.gate = threading.Event()
        asked = [asyncio.ensure_future(one.read(3.0))]
        await asyncio.sleep(0.05)
        asked.append(asyncio.ensure_future(two.switch(OFF, 3.0)))
        await asyncio.sleep(0.01)
        conversation.interrupt()
        strip.gate.set()
        return await every(asked)

    answers = talk(strip, pool, work)
    assert answers[1].reason is Reason.TIMEOUT
    assert [what for what, _outlets in strip.exchanges] == ["read"]


def test_a_device_is_not_asked_more_often_than_it_may_be(strip: Strip, pool: ThreadPoolExecutor) -> None:
    async def work(conversation: DeviceConversation) -> None:
        (one,) = outlets(conversation, 1)
        for _time in range(4):
            await one.read(2.0)

    strip.takes_s = 0.0
    talk(strip, pool, work, gap_s=0.1)
    pauses = [later - earlier for earlier, later in zip(strip.began_at, strip.began_at[1:], strict=False)]
    assert min(pauses) >= 0.099


def test_who_comes_while_the_turn_is_awaited_goes_along(strip: Strip, pool: ThreadPoolExecutor) -> None:
    free = asyncio.Event()

    @asynccontextmanager
    async def turn(left_s: float) -> AsyncIterator[None]:
        await free.wait()
        yield

    async def work(conversation: DeviceConversation) -> list[Any]:
        asked = []
        for each in outlets(conversation, 5):
            asked.append(asyncio.ensure_future(each.read(3.0)))
            await asyncio.sleep(0.02)
        free.set()
        return await every(asked)

    talk(strip, pool, work, turn)
    assert strip.exchanges == [("read", [1, 2, 3, 4, 5])]


@pytest.mark.parametrize("error", [Busy("the line is long"), OSError("no space left on device")])
def test_a_turn_that_does_not_come_is_told_to_all_who_wait(
    error: Exception, strip: Strip, pool: ThreadPoolExecutor
) -> None:
    @asynccontextmanager
    async def turn(left_s: float) -> AsyncIterator[None]:
        if left_s > 0:
            raise error
        yield

    answers = talk(strip, pool, lambda all: every([each.switch(OFF, 2.0) for each in outlets(all, 3)]), turn)
    assert answers == [error] * 3
    assert strip.exchanges == []


def test_the_session_is_ended_once_with_the_conversation(strip: Strip, pool: ThreadPoolExecutor) -> None:
    talk(strip, pool, lambda all: every([each.read(2.0) for each in outlets(all, 3)]))
    assert strip.closed == 1
