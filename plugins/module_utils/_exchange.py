# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Single exchanges with a device: a blocking driver call in a thread, bounded on the wall clock.

This file knows drivers and threads; it knows nothing of attempts, polling, hosts or Ansible.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    BadReply,
    Busy,
    Deadline,
    DeviceDriver,
    DeviceError,
    Driver,
    Options,
    Power,
    Reading,
    TimedOut,
    Unsupported,
)

Answer = TypeVar("Answer")

# How late a driver may be before its answer no longer counts.
OVERRUN_S = 0.5
# How long a device's agents that begin at the same moment wait for each other (seconds).
GATHER_S = 0.002
# Commands whose time ends within so many seconds of each other are waited for equally long.
ALIKE_S = 0.1

# Waits up to so many seconds for a device to be free, and holds it; raises Busy if it does not become free.
Turn = Callable[[float], AbstractAsyncContextManager[None]]


class MonotonicClock:
    """The machine's monotonic clock, for the real world."""

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def no_turn(left_s: float) -> AsyncIterator[None]:
    """For a device that takes any number of conversations, and for a caller that is alone."""
    yield


class DriverCalls:
    """Blocking calls to one driver, one at a time in a thread, each in the device's turn and bounded on the wall clock.

    ``exchange_s`` bounds one call (seconds); waiting for the turn is bounded by what is left of the operation.
    """

    def __init__(self, pool: Executor, exchange_s: float, turn: Turn) -> None:
        self._pool = pool
        self.exchange_s = exchange_s
        self._turn = turn
        self._under_way: asyncio.Future[Any] | None = None
        self._deadline: Deadline | None = None
        self.interrupted = False

    @asynccontextmanager
    async def turn(self, left_s: float) -> AsyncIterator[None]:
        """The driver is free and the device's turn is here."""
        began = time.monotonic()
        if left_s <= 0:
            raise TimedOut("no time was left to ask", "raise the timeout of the agent or of the task")
        await self._previous(left_s)
        async with self._turn(left_s - (time.monotonic() - began)):
            yield

    async def run(self, work: Callable[[Deadline], Answer], left_s: float) -> Answer:
        """One call. What does not come back in time is left behind, and the next call waits for it."""
        limit_s = min(self.exchange_s, left_s)
        if self.interrupted:
            raise _was_interrupted()
        self._deadline = deadline = Deadline(limit_s)
        loop = asyncio.get_running_loop()
        # A context of its own: Ansible keeps a stack in a context variable that threads must not share.
        future = loop.run_in_executor(self._pool, contextvars.Context().run, _reworded, work, deadline)
        self._under_way = future
        _done, late = await asyncio.wait({future}, timeout=limit_s + OVERRUN_S)
        if late:
            future.add_done_callback(_swallow)
            raise TimedOut(f"no answer within {limit_s:.1f} s", "is the device alive?")
        self._under_way = None
        return future.result()

    def last_look(self) -> None:
        """The last look before a command leaves, in the thread that sends it: nothing is sent for a task that was interrupted."""
        if self.interrupted:
            raise _was_interrupted()

    def interrupt(self) -> None:
        """No new command from now on; what is under way is cut short. May be called from any thread."""
        self.interrupted = True
        if self._deadline is not None:
            self._deadline.expire()

    async def end(self, close: Callable[[], None]) -> None:
        """Wait for a late driver, then end its session."""
        if self._under_way is not None:
            await asyncio.wait({self._under_way})
        await asyncio.get_running_loop().run_in_executor(self._pool, close)

    async def _previous(self, left_s: float) -> None:
        if self._under_way is None:
            return
        _done, late = await asyncio.wait({self._under_way}, timeout=left_s)
        if late:
            raise TimedOut("the device still hangs on the request before", "is the device alive?")
        self._under_way = None


class DriverExchanges:
    """The exchanges of one agent through a driver of its own."""

    def __init__(self, driver: Driver, pool: Executor, exchange_s: float, turn: Turn = no_turn) -> None:
        self._driver = driver
        self._calls = DriverCalls(pool, exchange_s, turn)

    async def read(self, left_s: float) -> Reading:
        return await self._call(self._driver.read, left_s)

    async def switch(self, power: Power, left_s: float) -> None:
        def send(deadline: Deadline) -> None:
            self._calls.last_look()
            self._driver.switch(power, deadline)

        await self._call(send, left_s)

    def interrupt(self) -> None:
        self._calls.interrupt()

    async def close(self) -> None:
        await self._calls.end(self._driver.close)

    async def _call(self, work: Callable[[Deadline], Answer], left_s: float) -> Answer:
        began = time.monotonic()
        async with self._calls.turn(left_s):
            return await self._calls.run(work, left_s - (time.monotonic() - began))


@dataclass(eq=False)
class _Request:
    """What one agent waits for: its reading, or (with ``power``) that its command is accepted."""

    options: Options
    power: Power | None
    until: float
    answer: asyncio.Future[Reading | None]


class DeviceConversation:
    """All that the agents of one device have to say to it, in one session.

    What is asked at the same time, or while another exchange is under way, goes out together as one exchange: all that is to be
    read, or all that is to go off, or on. A reading is never older than the request for it. There is at least ``gap_s`` (seconds)
    between the beginnings of two exchanges.
    """

    def __init__(
        self, driver: DeviceDriver, pool: Executor, exchange_s: float, turn: Turn = no_turn, gap_s: float = 0.0
    ) -> None:
        self._driver = driver
        self._calls = DriverCalls(pool, exchange_s, turn)
        self._gap_s = gap_s
        self._requests: list[_Request] = []
        self._speaker: asyncio.Task[None] | None = None
        self._began = -math.inf

    def of(self, options: Options) -> ConversationExchanges:
        """The exchanges of one agent."""
        return ConversationExchanges(self, options)

    async def ask(self, options: Options, power: Power | None, left_s: float) -> Reading | None:
        if left_s <= 0:
            raise TimedOut("no time was left to ask", "raise the timeout of the agent or of the task")
        loop = asyncio.get_running_loop()
        request = _Request(options, power, time.monotonic() + left_s, loop.create_future())
        self._requests.append(request)
        if self._speaker is None:
            self._speaker = loop.create_task(self._speak())
        timer = loop.call_later(left_s + OVERRUN_S, self._give_up, request, left_s)
        try:
            return await request.answer
        finally:
            timer.cancel()
            # Nobody waits for it any more: a command that has not left must not leave.
            if request in self._requests:
                self._requests.remove(request)

    def _give_up(self, request: _Request, left_s: float) -> None:
        if request in self._requests:
            seen = f"other agents of this run kept the device busy for {left_s:.1f} s"
            _answer(request, Busy(seen, "raise the agent's timeout or run fewer hosts on this device at once"))
        else:
            _answer(request, TimedOut(f"no answer within {left_s:.1f} s", "is the device alive?"))

    def interrupt(self) -> None:
        self._calls.interrupt()

    async def close(self) -> None:
        if self._speaker is not None:
            await asyncio.wait({self._speaker})
        await self._calls.end(self._driver.close)

    async def _speak(self) -> None:
        try:
            while self._requests:
                await asyncio.sleep(max(GATHER_S, self._began + self._gap_s - time.monotonic()))
                if self._requests:
                    await self._next_exchange()
        finally:
            self._speaker = None

    async def _next_exchange(self) -> None:
        waiting = list(self._requests)
        try:
            async with self._calls.turn(max(request.until for request in waiting) - time.monotonic()):
                # Whoever came while the turn was awaited goes along.
                batch = self._next_batch()
                if batch:
                    self._requests = [request for request in self._requests if request not in batch]
                    await self._exchange(batch)
        except Exception as error:
            # The turn did not come. Whatever it was, nobody is left waiting for an answer that will not come.
            self._requests = [request for request in self._requests if request not in waiting]
            _fail(waiting, error)

    def _next_batch(self) -> list[_Request]:
        """What goes out together with the request that has waited longest.

        A command travels with those only that are waited for as long as it is: none may be under way when its agent has given up.
        """
        if not self._requests:
            return []
        first, now = self._requests[0], time.monotonic()
        alike = [request for request in self._requests if request.power is first.power]
        if first.power is None:
            return alike
        least_s = min(self._calls.exchange_s, first.until - now) - ALIKE_S
        return [request for request in alike if request.until - now >= least_s]

    async def _exchange(self, batch: Sequence[_Request]) -> None:
        agents, power = [request.options for request in batch], batch[0].power

        def work(deadline: Deadline) -> Sequence[Reading | DeviceError | None]:
            if power is None:
                return self._driver.read_all(agents, deadline)
            self._calls.last_look()
            return self._driver.switch_all(agents, power, deadline)

        self._began = time.monotonic()
        until = (max if power is None else min)(request.until for request in batch)
        try:
            answers = await self._calls.run(work, until - self._began)
            if len(answers) != len(batch):
                raise BadReply("the driver did not answer for every agent", "this is a bug of it; please report it")
        except DeviceError as error:
            _fail(batch, error)
        else:
            for request, answer in zip(batch, answers, strict=True):
                _answer(request, answer)


class ConversationExchanges:
    """The exchanges of one agent in the conversation with its device. The conversation is ended by whoever began it."""

    def __init__(self, conversation: DeviceConversation, options: Options) -> None:
        self._conversation = conversation
        self._options = options

    async def read(self, left_s: float) -> Reading:
        reading = await self._conversation.ask(self._options, None, left_s)
        if reading is None:
            raise BadReply("the driver gave no reading", "this is a bug of it; please report it")
        return reading

    async def switch(self, power: Power, left_s: float) -> None:
        await self._conversation.ask(self._options, power, left_s)


def _answer(request: _Request, answer: Reading | Exception | None) -> None:
    if request.answer.done():
        return
    if isinstance(answer, Exception):
        request.answer.set_exception(answer)
    else:
        request.answer.set_result(answer)


def _fail(requests: Iterable[_Request], error: Exception) -> None:
    for request in requests:
        _answer(request, error)


def _was_interrupted() -> TimedOut:
    return TimedOut("the task was interrupted", "run it again")


def _reworded(work: Callable[[Deadline], Answer], deadline: Deadline) -> Answer:
    """Nothing but a DeviceError leaves a driver: what a library raises may hold a secret."""
    try:
        return work(deadline)
    except DeviceError:
        raise
    except ImportError as error:
        raise Unsupported(
            f"a Python library is missing: {error.name}", "install it where the device is spoken to from"
        ) from None
    except Exception as error:
        raise BadReply(
            f"the conversation broke off ({type(error).__name__})", "this is a bug of the driver; please report it"
        ) from None


def _swallow(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
