# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""One conversation at a time with a device, among the agents of a task and among all forks of a run.

This file knows names of devices and lock files; it knows nothing of what is said to a device.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Busy
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import Turn

FIRST_TRY_AGAIN_S = 0.005
LONGEST_TRY_AGAIN_S = 0.05
# Waiting for less than this is not worth a word (seconds).
WORTH_TELLING_S = 0.5


class DeviceTurns:
    """The turns at all devices of one event loop.

    ``folder`` is shared by all forks of a run; the kernel frees a turn when its process dies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}

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
                descriptor = await self._taken(device, began + left_s)
                try:
                    waited_s = time.monotonic() - began
                    if waited_s >= WORTH_TELLING_S:
                        waited(waited_s)
                    yield
                finally:
                    os.close(descriptor)
            finally:
                lock.release()

        return turn

    async def _taken(self, device: str, until: float) -> int:
        """The descriptor of the locked file. Polls, since a blocked flock could not be interrupted."""
        name = hashlib.sha256(device.encode()).hexdigest()[:24]
        descriptor = os.open(self._folder / f"hostpm-fencing-{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        began, pause_s = time.monotonic(), FIRST_TRY_AGAIN_S
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return descriptor
                except BlockingIOError:
                    if time.monotonic() + pause_s >= until:
                        raise _kept_busy(time.monotonic() - began) from None
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_TRY_AGAIN_S)
        except BaseException:
            os.close(descriptor)
            raise


def _kept_busy(waited_s: float) -> Busy:
    return Busy(
        f"other agents of this run kept the device busy for {waited_s:.1f} s",
        "raise the agent's timeout or run fewer hosts on this device at once",
    )
