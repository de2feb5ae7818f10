# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""An IPMI session through pyghmi, in a process of its own.

pyghmi 1.6.19 has no time-out that a caller can set and can deadlock when several BMCs are silent, so each session is a
process that is killed, with its process group, when its time is up. This file is the parent's end; it knows nothing of power.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import selectors
import subprocess
import sys
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    BadReply,
    Deadline,
    DeviceError,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _ipmi_pyghmi_child
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._ipmi_protocol import (
    SILENCE_S,
    STALE_LOGIN,
    SUITES,
    Account,
    Command,
    ipmi_1_5_only,
    login_error,
    other_suite,
    privilege_refused,
    silent,
    unanswered,
    unfinished,
    wrong_key,
    wrong_password,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._names import SLICE_S, SocketAddress, end_process_group

NO_ANSWER = {"silent": True}


class PyghmiSession:
    """One login, in one process."""

    def __init__(self, peer: SocketAddress, account: Account, deadline: Deadline) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", inspect.getsource(_ipmi_pyghmi_child)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self.suite = self._log_in(peer, account, deadline)
        except BaseException:
            self._end()
            raise

    def ask(self, command: Command, deadline: Deadline) -> bytes:
        limit_s = deadline.remaining_s if command.once else min(SILENCE_S, deadline.remaining_s)
        request = {
            "do": "ask",
            "netfn": command.netfn,
            "number": command.number,
            "data": command.data.hex(),
            "once": command.once,
        }
        reply = self._exchange(request, limit_s, deadline)
        if "answer" in reply:
            return bytes.fromhex(reply["answer"])
        raise unanswered(command)

    def close(self, deadline: Deadline) -> None:
        with contextlib.suppress(Exception):
            self._exchange({"do": "log_out"}, deadline.remaining_s, deadline)
        self._end()

    def _log_in(self, peer: SocketAddress, account: Account, deadline: Deadline) -> int:
        request = {
            "do": "log_in",
            "path": sys.path,
            "address": literal(peer),
            "port": peer[1],
            "username": account.username.hex(),
            "password": account.password.hex(),
            "key": account.key.hex() if account.key else None,
            "privilege": account.privilege,
            "suites": account.suites,
            "silence_s": SILENCE_S,
        }
        reply = self._exchange(request, deadline.remaining_s, deadline)
        if "suite" in reply:
            return int(reply["suite"])
        if "broke" in reply:
            raise BadReply(f"pyghmi broke off the login ({reply['broke']})", "try library: python-ipmi")
        raise login_failure(reply.get("failed", {"heard": True}), account)

    def _exchange(self, request: dict[str, Any], limit_s: float, deadline: Deadline) -> dict[str, Any]:
        """One line to the process and one back. No answer, or no process, is silence."""
        line = json.dumps({**request, "left_s": limit_s}).encode() + b"\n"
        try:
            self._pipe_in.write(line)
            self._pipe_in.flush()
        except OSError:
            return NO_ANSWER
        return self._reply(deadline)

    def _reply(self, deadline: Deadline) -> dict[str, Any]:
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe_out, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                if deadline.over:
                    return NO_ANSWER
                if selector.select(min(SLICE_S, deadline.remaining_s)):
                    part = os.read(self._pipe_out.fileno(), 65536)
                    if not part:
                        return NO_ANSWER
                    received += part
        return dict(json.loads(received))

    def _end(self) -> None:
        end_process_group(self._process)
        self._pipe_out.close()
        with contextlib.suppress(OSError):
            self._pipe_in.close()

    @property
    def _pipe_in(self) -> Any:
        return self._process.stdin

    @property
    def _pipe_out(self) -> Any:
        return self._process.stdout


def literal(peer: SocketAddress) -> str:
    """The address as text, with the interface that a link-local IPv6 address needs."""
    return f"{peer[0]}%{peer[3]}" if len(peer) > 3 and peer[3] else str(peer[0])


def login_failure(seen: dict[str, Any], account: Account) -> DeviceError:
    """What became of a login, from the step at which pyghmi gave up and the BMC's own numbers."""
    step, status, code = seen.get("step"), seen.get("status"), seen.get("code")
    if not seen.get("heard"):
        return silent()
    if step == "IPMI 1.5":
        return ipmi_1_5_only()
    if step == "privilege" and code is not None and 0 < code <= 0xFF:
        return privilege_refused(code)
    # pyghmi may have begun the exchange anew: then the BMC speaks of a wrong signature where nothing is wrong.
    if step is None or status is None or (status in STALE_LOGIN and seen.get("resent")):
        return unfinished()
    if status != 0:
        return login_error(status)
    if step == "open session":
        return other_suite(SUITES[account.suites[-1]])
    return wrong_password() if step == "RAKP 2" else wrong_key()
