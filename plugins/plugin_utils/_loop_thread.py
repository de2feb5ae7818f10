# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Runs the logic's event loop in a thread of its own, while the main thread shows what happens and hears signals.

Nothing goes on behind a task that ended: an interruption cuts the work short, waits for it, and is passed on only then.
This file knows signals and threads; it knows nothing of power.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Generic, Protocol, TypeVar

Answer = TypeVar("Answer")
Told = TypeVar("Told")

# How long the main thread sleeps at most before it looks again (seconds); a signal handler runs between two looks.
LOOK_S = 0.05
# How long an interrupted task may take to end its conversations (seconds).
ENDING_S = 10.0


class Interruptible(Protocol):
    """What can be told, from another thread, to send nothing more."""

    def interrupt(self) -> None: ...


class _Ended:
    """The last thing in the queue."""


class LoopThread(Generic[Answer, Told]):
    """One run of a coroutine. ``tell`` may be called from its thread; ``show`` is called in the main thread."""

    def __init__(self, show: Callable[[Told], None]) -> None:
        self._show = show
        self._told: queue.SimpleQueue[Told | _Ended] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[Answer] | None = None
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._signal: int | None = None

    def tell(self, what: Told) -> None:
        self._told.put(what)

    def run(self, work: Coroutine[Any, Any, Answer], interruptible: Interruptible) -> Answer:
        """Run the coroutine to its end and return its answer.

        Whatever is raised in this thread meanwhile (Ansible's task timeout is an alarm that raises) and the signals SIGINT and
        SIGTERM interrupt the work; they take effect when it has ended. So does the death of the program that this process
        works for: a SIGKILL of its process group does not reach the worker, and nobody would hear of what it does then.
        """
        thread = threading.Thread(target=self._run, args=(work,), name="fence-logic", daemon=True)
        handlers = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            thread.start()
            self._watch(interruptible)
        except BaseException:
            self._cut_short(interruptible)
            raise
        finally:
            thread.join(ENDING_S)
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if self._signal is not None:
            os.kill(os.getpid(), self._signal)
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]

    def _watch(self, interruptible: Interruptible) -> None:
        noted = False
        while True:
            if not noted and (self._signal is not None or _is_orphan()):
                noted = True
                self._cut_short(interruptible)
            try:
                told = self._told.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if isinstance(told, _Ended):
                return
            if not _is_orphan():
                self._show(told)

    def _cut_short(self, interruptible: Interruptible) -> None:
        interruptible.interrupt()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the work has ended by itself
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    def _run(self, work: Coroutine[Any, Any, Answer]) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._task = self._loop.create_task(work)
            self._answer = self._loop.run_until_complete(self._task)
        except BaseException as error:
            self._error = error
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._told.put(_Ended())


def _is_orphan() -> bool:
    """Whether the program that forked this process has died."""
    parent = multiprocessing.parent_process()
    return parent is not None and os.getppid() != parent.pid
