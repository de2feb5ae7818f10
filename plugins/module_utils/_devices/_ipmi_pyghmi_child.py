# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The process around pyghmi: one session with one BMC, driven by JSON lines on stdin, answered on stdout.

It is started as a program of its own from its source text (``python -I -c``), also out of Ansible's zip file, so it
imports nothing of this collection. The first line holds the credentials. It ends when stdin does, or is killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import Any

# pyghmi may miss that an answer came before it began to wait; short waits make that cheap.
TICK_S = 0.05
SUITE_REFUSED = (0x04, 0x05, 0x06, 0x07, 0x10, 0x11)
# What pyghmi calls the two suites, and their algorithms.
PYGHMI_HASH = {17: 256, 3: 1}
ALGORITHMS = {17: [3, 4, 1], 3: [1, 1, 1]}


def watched(session_class: Any) -> Any:
    """pyghmi's Session, which tells what the BMC said in numbers and proposes the cipher suites that it is told."""

    class Watched(session_class):  # type: ignore[misc]
        suites: list[int]
        seen: dict[str, Any]
        step: str | None = None
        status: int | None = None

        def _initsession(self) -> None:
            # pyghmi counts its message tags from 1 and its session numbers from a constant at each try; here a late
            # answer to an earlier try matches nothing.
            tag = getattr(self, "rmcptag", random.randrange(100))
            super()._initsession()
            self.rmcptag = tag
            self.localsid = random.randrange(1, 0x7FFFFFFF)
            self.attemptedhash = PYGHMI_HASH[self.suites[0]]

        def _handle_ipmi_packet(self, data: Any, sockaddr: Any = None, qent: Any = None) -> Any:
            self.seen["heard"] = True
            return super()._handle_ipmi_packet(data, sockaddr=sockaddr, qent=qent)

        def _timedout(self) -> None:
            self.seen["resent"] = True
            super()._timedout()

        def _get_session_challenge(self) -> None:
            self.step = "IPMI 1.5"
            self.onlogon({"error": self.step})

        def _got_rmcp_response(self, data: Any) -> Any:
            if self.sessioncontext != "OPENSESSION" or data[0] != self.rmcptag:
                return -9
            status = data[1]
            if status == 0 and [data[16] & 0x3F, data[24] & 0x3F, data[32] & 0x3F] == ALGORITHMS[self.suites[0]]:
                return super()._got_rmcp_response(data)
            if (status == 0 or status in SUITE_REFUSED) and len(self.suites) > 1:
                self.suites.pop(0)
                self.attemptedhash = PYGHMI_HASH[self.suites[0]]
                self._open_rmcpplus_request()
                return -9
            self.step, self.status = "open session", status
            self.onlogon({"error": self.step})
            return -9

        def _got_rakp2(self, data: Any) -> Any:
            return self.within("RAKP 2", data, super()._got_rakp2)

        def _got_rakp4(self, data: Any) -> Any:
            return self.within("RAKP 4", data, super()._got_rakp4)

        def _req_priv_level(self) -> Any:
            self.step = "privilege"
            return super()._req_priv_level()

        def _generic_callback(self, response: Any) -> None:
            self.seen["code"] = response.get("code")
            super()._generic_callback(response)

        def within(self, step: str, data: Any, handle: Any) -> Any:
            """An error that pyghmi announces while it handles an answer comes from this answer; others are its timers."""
            self.step, self.status = step, data[1]
            try:
                return handle(data)
            finally:
                self.step = None

        def onlogon(self, parameter: Any) -> None:
            if "error" in parameter:
                self.seen.update(step=self.step, status=self.status)
            super().onlogon(parameter)

    return Watched


class Conversation:
    """The one session of this process."""

    def __init__(self) -> None:
        self._session: Any = None
        self._class: Any = None

    def log_in(self, request: dict[str, Any]) -> dict[str, Any]:
        sys.path[:] = request["path"]
        from pyghmi.ipmi.private import session as pyghmi_session

        self._class = watched(pyghmi_session.Session)
        self._class.suites = list(request["suites"])
        self._class.seen = seen = {"heard": False}
        now = time.monotonic()
        end, quiet_at = now + request["left_s"], now + request["silence_s"]
        while time.monotonic() < (end if seen["heard"] else min(end, quiet_at)):
            if self._logged_in(request, end, quiet_at):
                return {"suite": self._class.suites[0]}
            if seen.get("step"):
                break
        return {"failed": seen}

    def _logged_in(self, request: dict[str, Any], end: float, quiet_at: float) -> bool:
        """One try of pyghmi's, which gives up after five seconds or so."""
        seen = self._class.seen
        results: list[dict[str, Any]] = []
        # As bytes: with text pyghmi 1.6.19 does not recognise its own half-made sessions.
        self._session = self._class(
            request["address"],
            bytes.fromhex(request["username"]),
            bytes.fromhex(request["password"]),
            port=request["port"],
            kg=bytes.fromhex(request["key"]) if request["key"] else None,
            privlevel=request["privilege"],
            onlogon=results.append,
        )
        while not results and time.monotonic() < (end if seen["heard"] else min(end, quiet_at)):
            self._class.wait_for_rsp(timeout=TICK_S)
        return bool(results) and "error" not in results[0]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request and its answer. ``once``: pyghmi is told not to send it again; it would, to a slow BMC."""
        answers: list[dict[str, Any]] = []
        self._session.raw_command(
            netfn=request["netfn"],
            command=request["number"],
            data=bytearray.fromhex(request["data"]),
            retry=not request["once"],
            callback=answers.append,
        )
        end = time.monotonic() + request["left_s"]
        while not answers and time.monotonic() < end:
            self._class.wait_for_rsp(timeout=TICK_S)
        # raw_command leaves these to whoever gives a callback.
        self._session.incommand = False
        while self._session.evq:
            self._session.evq.popleft().set()
        if not answers or "code" not in answers[0] or answers[0]["code"] > 0xFF:
            return {"silent": True}
        return {"answer": bytes([answers[0]["code"], *answers[0].get("data", b"")]).hex()}

    def log_out(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._session is not None:
            self._session.logout()
        return {}


def main() -> None:
    # pyghmi prints to stdout now and then; the line to the parent is kept out of its way.
    parent = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    conversation = Conversation()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        # The parent ends this process when it is time. Should the parent be gone, the alarm does.
        signal.setitimer(signal.ITIMER_REAL, request["left_s"] + 1.0)
        try:
            answer = getattr(conversation, request["do"])(request)
        except Exception as error:
            answer = {"broke": type(error).__name__}
        signal.setitimer(signal.ITIMER_REAL, 0)
        parent.write(json.dumps(answer).encode() + b"\n")
    # Its thread is not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
