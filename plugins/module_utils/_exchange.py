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
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    BadReply,
    Deadline,
    DeviceError,
    Driver,
    Power,
    Reading,
    TimedOut,
    Unsupported,
)

Answer = TypeVar("Answer")

# How late a driver may be before its answer no longer counts.
OVERRUN_S = 0.5

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


class DriverExchanges:
    """The exchanges of one agent through its driver; one at a time.

    ``exchange_s`` bounds one request (seconds); waiting for the device's turn is bounded by what is left of the operation.
    """

    def __init__(self, driver: Driver, pool: Executor, exchange_s: float, turn: Turn = no_turn) -> None:
        self._driver = driver
        self._pool = pool
        self._exchange_s = exchange_s
        self._turn = turn
        self._under_way: asyncio.Future[Any] | None = None
        self._deadline: Deadline | None = None
        self._interrupted = False

    async def read(self, left_s: float) -> Reading:
        return await self._call(self._driver.read, left_s)

    async def switch(self, power: Power, left_s: float) -> None:
        def send(deadline: Deadline) -> None:
            # The last look before a command leaves: nothing is sent for a task that was interrupted.
            if self._interrupted:
                raise TimedOut("the task was interrupted", "run it again")
            self._driver.switch(power, deadline)

        await self._call(send, left_s)

    def interrupt(self) -> None:
        """No new command from now on; what is under way is cut short. May be called from any thread."""
        self._interrupted = True
        if self._deadline is not None:
            self._deadline.expire()

    async def close(self) -> None:
        """Wait for a late driver, then end its session."""
        loop = asyncio.get_running_loop()
        if self._under_way is not None:
            await asyncio.wait({self._under_way})
        await loop.run_in_executor(self._pool, self._driver.close)

    async def _call(self, work: Callable[[Deadline], Answer], left_s: float) -> Answer:
        began = time.monotonic()
        if left_s <= 0:
            raise TimedOut("no time was left to ask", "raise the timeout of the agent or of the task")
        await self._previous(left_s)
        async with self._turn(left_s - (time.monotonic() - began)):
            limit_s = min(self._exchange_s, left_s - (time.monotonic() - began))
            if self._interrupted:
                raise TimedOut("the task was interrupted", "run it again")
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

    async def _previous(self, left_s: float) -> None:
        if self._under_way is None:
            return
        _done, late = await asyncio.wait({self._under_way}, timeout=left_s)
        if late:
            raise TimedOut("the device still hangs on the request before", "is the device alive?")
        self._under_way = None


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
