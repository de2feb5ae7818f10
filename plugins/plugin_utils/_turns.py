# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""One conversation at a time with a device, among the agents of a task and among all forks of a run.

Who comes first is served first, so that nobody's budget runs out while others are served again and again. This file knows
names of devices and lock files; it knows nothing of what is said to a device.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Busy
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import Turn

# How long to sleep between two looks at the line, for each one that is ahead (seconds).
LOOK_AGAIN_S = 0.005
LONGEST_LOOK_AGAIN_S = 0.1
# Waiting for less than this is not worth a word (seconds).
WORTH_TELLING_S = 0.5
# A turn is not kept for longer than this while others may wait for it (seconds).
LONGEST_KEPT_S = 3.0

_numbers = itertools.count()


class DeviceTurns:
    """The turns at all devices of one event loop.

    ``folder`` is shared by all forks of a run; the kernel frees a turn when its process dies. With ``keep_s`` (seconds) a turn that
    is over is kept for so long, for the next one at the same device: for a task that speaks for many hosts at once, and
    not for one among many that wait for each other.
    """

    def __init__(self, folder: Path, keep_s: float = 0.0) -> None:
        self._folder = folder
        self._keep_s = keep_s
        self._locks: dict[str, asyncio.Lock] = {}
        self._kept: dict[str, _Kept] = {}

    def at(self, device: str, waited: Callable[[float], None]) -> Turn:
        """The turn at one device. ``waited`` hears the seconds of a wait that is worth telling."""

        @asynccontextmanager
        async def turn(left_s: float) -> AsyncIterator[None]:
            began = time.monotonic()
            lock = self._locks.setdefault(device, asyncio.Lock())
            try:
                await asyncio.wait_for(lock.acquire(), max(left_s, 0.001))
            except TimeoutError:
                raise _kept_busy(left_s) from None
            try:
                held = self._take_back(device) or await self._in_line(device, began, left_s, waited)
                try:
                    yield
                finally:
                    self._leave(device, held)
            finally:
                lock.release()

        return turn

    def close(self) -> None:
        """Let go of all turns that are kept."""
        for device in list(self._kept):
            self._let_go(device)

    async def _in_line(self, device: str, began: float, left_s: float, waited: Callable[[float], None]) -> _Kept:
        place = _Place(self._folder, device)
        try:
            await _served(place, began + left_s)
        except BaseException:
            place.leave()
            raise
        waited_s = time.monotonic() - began
        if waited_s >= WORTH_TELLING_S:
            waited(waited_s)
        return _Kept(place, time.monotonic())

    def _take_back(self, device: str) -> _Kept | None:
        """The turn that was kept, unless others have waited for it long enough."""
        kept = self._kept.pop(device, None)
        if kept is None:
            return None
        if kept.timer is not None:
            kept.timer.cancel()
        if time.monotonic() - kept.since < LONGEST_KEPT_S:
            return kept
        kept.place.leave()
        return None

    def _leave(self, device: str, held: _Kept) -> None:
        if self._keep_s <= 0:
            held.place.leave()
            return
        held.timer = asyncio.get_running_loop().call_later(self._keep_s, self._let_go, device)
        self._kept[device] = held

    def _let_go(self, device: str) -> None:
        kept = self._kept.pop(device, None)
        if kept is not None:
            if kept.timer is not None:
                kept.timer.cancel()
            kept.place.leave()


@dataclass
class _Kept:
    """A turn, since when it is had, and what will end it."""

    place: _Place
    since: float
    timer: asyncio.TimerHandle | None = None


class _Place:
    """A place in the line of a device, among all forks: a file that is named by the time of coming and locked while its owner lives.

    The line says who is next; that never two have the turn is the work of one more lock, which only the next one tries.
    """

    def __init__(self, folder: Path, device: str) -> None:
        name = hashlib.sha256(device.encode()).hexdigest()[:24]
        self._turn_path = folder / f"hostpm-fencing-{name}.lock"
        self._turn: int | None = None
        self._line = folder / f"hostpm-fencing-{name}.line"
        self._line.mkdir(mode=0o700, exist_ok=True)
        self._name = f"{time.monotonic_ns():020d}-{os.getpid()}-{next(_numbers)}"
        # It comes into the line locked already: a place that is not locked is one of somebody who died.
        unseen = folder / f"hostpm-fencing-{self._name}.new"
        self._ticket = _open(unseen)
        fcntl.flock(self._ticket, fcntl.LOCK_EX)
        unseen.rename(self._line / self._name)

    def ahead(self) -> int:
        """How many are ahead. Whoever died in the first place is taken out of the line."""
        line = sorted(os.listdir(self._line))
        if line and line[0] < self._name:
            self._remove_if_dead(line[0])
        return sum(name < self._name for name in line)

    def take(self) -> bool:
        """Take the turn, unless the one before is not quite done."""
        self._turn = _locked(self._turn_path)
        return self._turn is not None

    def leave(self) -> None:
        """Let the next one have the turn."""
        if self._turn is not None:
            os.close(self._turn)
        (self._line / self._name).unlink(missing_ok=True)
        os.close(self._ticket)

    def _remove_if_dead(self, name: str) -> None:
        try:
            descriptor = _locked(self._line / name, os.O_RDWR)
        except FileNotFoundError:
            return
        if descriptor is not None:
            (self._line / name).unlink(missing_ok=True)
            os.close(descriptor)


async def _served(place: _Place, until: float) -> None:
    """Wait for the turn. Polls, since a blocked flock could not be interrupted."""
    began = time.monotonic()
    while True:
        ahead = place.ahead()
        if ahead == 0 and place.take():
            return
        pause_s = min(LOOK_AGAIN_S * max(1, ahead), LONGEST_LOOK_AGAIN_S)
        if time.monotonic() + pause_s >= until:
            raise _kept_busy(time.monotonic() - began)
        await asyncio.sleep(pause_s)


def _open(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _locked(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int | None:
    """The descriptor of the locked file; None if somebody else has it."""
    descriptor = _open(path, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _kept_busy(waited_s: float) -> Busy:
    return Busy(
        f"other agents of this run kept the device busy for {waited_s:.1f} s",
        "raise the agent's timeout or run fewer hosts on this device at once",
    )
