# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""A program that is run once and cannot outlive its deadline, whatever it or its children do.

This file knows processes and pipes; it does not know what the program is for, and shows nothing of what it says.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Deadline

# How long a wait lasts at most before the deadline is looked at again: an interrupted task moves the deadline (seconds).
LONGEST_WAIT_S = 0.1
# How long the pipes of a program that has ended are read when its children keep them open (seconds).
LAST_WORDS_S = 0.3
# How often a program that has closed its pipes is looked at (seconds).
ENDING_S = 0.01
# A program that says more than this on one of its outputs is ended (bytes).
LARGEST_OUTPUT = 16 * 1024 * 1024
CHUNK = 64 * 1024


class BoundedProcess:
    """One process in a session of its own, ended with its process group at a deadline, or by ``kill`` from any thread.

    ``killed`` says that it was ended by us, ``flooded`` that this was for the length of its output.
    """

    def __init__(self, deadline: Deadline, largest_output: int = LARGEST_OUTPUT) -> None:
        self._deadline = deadline
        self._largest_output = largest_output
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.killed = False
        self.flooded = False
        self.status: int | None = None

    def run(
        self, argv: Sequence[str], in_data: bytes | None, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, bytes]:
        """Exit status, stdout and stderr. Nothing is started after ``kill``; what it leaves in its group is ended."""
        with self._lock:
            if self.killed or self._deadline.over:
                self.killed = True
                return -signal.SIGKILL, b"", b""
            process = self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        talk = _Talk(process, in_data or b"", self._largest_output)
        try:
            self._converse(process, talk)
        finally:
            with self._lock:
                _end_group(process)
                self.status = process.wait()
            talk.close()
        return self.status, bytes(talk.out), bytes(talk.err)

    def kill(self) -> None:
        with self._lock:
            self.killed = True
            if self._process is not None:
                _end_group(self._process)

    def _converse(self, process: subprocess.Popen[bytes], talk: _Talk) -> None:
        """Until the program has ended and said its last words, or must be ended."""
        last_words: Deadline | None = None
        while True:
            over = last_words is not None and last_words.over
            if over or (talk.silent and _has_ended(process)):
                return
            self.flooded = talk.flooded
            if self._deadline.over or self.flooded or self.killed:
                self.killed = True
                return
            if last_words is None and _has_ended(process):
                last_words = Deadline(LAST_WORDS_S)
            talk.listen(min(LONGEST_WAIT_S, self._deadline.remaining_s))


class _Talk:
    """What goes to a program and comes from it, without ever waiting for it longer than asked."""

    def __init__(self, process: subprocess.Popen[bytes], in_data: bytes, largest_output: int) -> None:
        self.out, self.err = bytearray(), bytearray()
        self._left = memoryview(in_data)
        self._largest_output = largest_output
        self._selector = selectors.DefaultSelector()
        self._pipes = [pipe for pipe in (process.stdin, process.stdout, process.stderr) if pipe is not None]
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)
        if process.stdin is not None:
            self._selector.register(process.stdin, selectors.EVENT_WRITE, None)
        for heard, into in ((process.stdout, self.out), (process.stderr, self.err)):
            if heard is not None:
                self._selector.register(heard, selectors.EVENT_READ, into)

    @property
    def silent(self) -> bool:
        """All pipes are closed at the other end."""
        return not self._selector.get_map()

    @property
    def flooded(self) -> bool:
        return max(len(self.out), len(self.err)) > self._largest_output

    def listen(self, limit_s: float) -> None:
        if self.silent:
            # The program closed its pipes and goes on: there is nothing to wait for but its end.
            time.sleep(min(limit_s, ENDING_S))
            return
        for key, _events in self._selector.select(limit_s):
            if key.data is None:
                self._say(key.fileobj)  # type: ignore[arg-type]
            else:
                self._hear(key.fileobj, key.data)  # type: ignore[arg-type]

    def close(self) -> None:
        self._selector.close()
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()

    def _say(self, pipe: IO[bytes]) -> None:
        try:
            self._left = self._left[os.write(pipe.fileno(), self._left[:CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:
            # It does not listen to the end. What it does then tells its status.
            self._left = self._left[:0]
        if not self._left:
            self._done(pipe)

    def _hear(self, pipe: IO[bytes], into: bytearray) -> None:
        try:
            part = os.read(pipe.fileno(), CHUNK)
        except BlockingIOError:
            return
        into += part
        if not part:
            self._done(pipe)

    def _done(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        with contextlib.suppress(OSError):
            pipe.close()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended, without collecting it: until then its number, and that of its group, is nobody else's."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # Somebody else collected it.
        return True


def _end_group(process: subprocess.Popen[bytes]) -> None:
    # A process that was collected already may have lent its number to another one.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
