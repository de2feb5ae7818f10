# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""A conversation with a device: log in, send a line, wait for the end of its answer, log out.

An answer begins behind the echo of what was sent and ends with a prompt that nothing follows. This file knows no transport
and no device, and does not know what the answers mean.
"""

from __future__ import annotations

import codecs
import contextlib
import re
import time
from collections.abc import Mapping, Sequence

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    TimedOut,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_format import (
    ADVICE,
    ERRORS,
    Dialogue,
    Step,
    filled,
    line_around,
    shown,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_transport import ConnectionCut, Line

# How long nothing may follow a prompt before it is taken for the end: behind the echo of the command, without an echo, and
# without an echo and without an answer (such a prompt may be a late one of the command before).
# A question of the login, or the first prompt, is the end sooner.
ECHOED_S = 0.1
LOGIN_S = 0.2
UNECHOED_S = 0.4
BLANK_S = 1.0
SLICE_S = 0.1
DRAIN_S = 0.01
# The longest answer, in characters, and the most pages of one: no listing is longer.
LONGEST_ANSWER = 400_000
# A line that is longer is none; and no prompt, or command with its echo, is longer than that.
LONGEST_LINE = 8_000
LONGEST_TAIL = 1_000
# Prompts that may stand before an echo.
MOST_PROMPTS = 4
MOST_PAGES = 100
# A login asks for a name, a password and a key or two.
MOST_QUESTIONS = 6
LOG_OUT_S = 0.6

# What terminals are told and no text is: colours and modes go, a jump of the cursor begins a line.
JUMP = re.compile(r"\x1b\[[0-9;]*[HfE]")
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+][0-9A-Za-z]|[=>78cDEMNOZ])")
LINE_END = re.compile(r"\r*\n\r*|\r+")
RUBBED_OUT = re.compile(r"[^\n\x08]\x08")
OTHER_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def cleaned(raw: str) -> str:
    """What a person would see: lines that end with a line feed, without control characters."""
    text = LINE_END.sub("\n", ESCAPE.sub("", JUMP.sub("\n", raw)))
    while RUBBED_OUT.search(text):
        text = RUBBED_OUT.sub("", text)
    return OTHER_CONTROL.sub("", text)


class Conversation:
    """One login on one device. After a DeviceError that is not the device's own complaint it is only good to be closed."""

    def __init__(self, line: Line, dialogue: Dialogue, eol: str) -> None:
        self._line = line
        self._dialogue = dialogue
        self._prompt = dialogue.prompt
        self._eol = eol
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._raw = ""
        self._last = ""
        # Whether the device repeats what is typed: then nothing is an answer that does not stand behind it.
        self.echoes = False

    def log_in(self, words: Mapping[str, str], deadline: Deadline) -> None:
        """Answer the device's questions for name and password until it shows a prompt, then do what comes first."""
        if self._dialogue.login.steps:
            self._give_login_command(words, deadline)
        else:
            self._answer_questions(words, deadline)
        self.run(self._dialogue.enter, words, deadline)

    def run(self, steps: Sequence[Step], words: Mapping[str, str], deadline: Deadline, strict: bool = False) -> str:
        """Take these steps and return all answers, one below the other.

        ``strict`` is for answers that are believed: on a device that echoes each must stand behind the echo of its own line, so that
        a late answer is not taken for the next one.
        """
        answers = []
        for step in steps:
            if step.when and not re.search(filled(step.when, words, escape=True), self._last, re.MULTILINE):
                continue
            if step.unless and re.search(filled(step.unless, words, escape=True), self._last, re.MULTILINE):
                continue
            if step.needs and not re.search(filled(step.needs, words, escape=True), self._last, re.MULTILINE):
                raise self._lacking(step)
            answers.append(self._ask(step, words, deadline, strict))
        return "\n".join(answers)

    def alive(self, deadline: Deadline) -> bool:
        """Whether the connection is still there, as far as can be told without asking."""
        try:
            self._drain(deadline)
        except ConnectionCut:
            return False
        return True

    def log_out(self, words: Mapping[str, str], wait_s: float) -> None:
        """Say good-bye and let go. The device is given a moment to close the connection. Never raises."""
        deadline = Deadline(wait_s)
        with contextlib.suppress(Exception):
            for step in self._dialogue.leave[:-1]:
                self._ask(step, words, deadline)
            for step in self._dialogue.leave[-1:]:
                self._send(filled(step.send, words) + ("" if step.bare else self._eol), deadline)
                while not deadline.over:
                    self._line.receive(SLICE_S, deadline)
        self._line.close()

    def close(self) -> None:
        """Let go of a conversation that went wrong: the device ends the session with the connection."""
        self._line.close()

    def _give_login_command(self, words: Mapping[str, str], deadline: Deadline) -> None:
        try:
            self._await_any((r"[^\n]*\S[^\n]*\n",), deadline, "no greeting")
            answer = self.run(self._dialogue.login.steps, words, deadline)
        except (ConnectionCut, TimedOut):
            self._complain_about_login(cleaned(self._raw), True)
            raise
        if self._dialogue.complaint(answer) is not None:
            raise _not_accepted()

    def _answer_questions(self, words: Mapping[str, str], deadline: Deadline) -> None:
        login = self._dialogue.login
        questions = (self._prompt, login.username, login.password, login.key)
        asked: list[str] = []
        self._raw = ""
        while len(asked) < MOST_QUESTIONS:
            try:
                text, question = self._await_any(
                    questions, deadline, "neither a prompt nor a question for the name", patience_s=LOGIN_S
                )
            except (ConnectionCut, TimedOut):
                self._complain_about_login(cleaned(self._raw), login.password in asked)
                raise
            if question == self._prompt:
                self._last = text
                return
            if question in asked and question != login.key:
                raise _not_accepted()
            asked.append(question)
            self._raw = ""
            self._send(self._answer_to(question, words) + self._eol, deadline)
        raise BadReply("the login asks one question after the other", "is the model right?")

    def _answer_to(self, question: str, words: Mapping[str, str]) -> str:
        if question == self._dialogue.login.username:
            return words["username"]
        if question == self._dialogue.login.password:
            if not words["password"]:
                raise AuthenticationFailed("the device asks for a password", "give the option password")
            return words["password"]
        return ""

    def _complain_about_login(self, text: str, answered: bool) -> None:
        """Why there is no prompt, as far as the device says so: somebody else's session, or the answers were wrong.

        A device that still asks is neither, whatever its banner says.
        """
        login = self._dialogue.login
        found = re.search(login.busy, text)
        if found:
            raise Busy(
                f'somebody else is logged in (the device says "{shown(line_around(text, found.start()))}")',
                ADVICE[Busy.reason],
            )
        if answered and re.search(login.failed, text):
            raise _not_accepted()

    def _lacking(self, step: Step) -> DeviceError:
        complaint = self._dialogue.complaint(self._last)
        if complaint is not None:
            return complaint
        last = [line for line in self._last.split("\n") if line.strip()]
        return ERRORS[step.lacking](
            f'the device does not show what belongs before "{shown(step.send)}", so it was not sent'
            f' (it says "{shown(last[0]) if last else ""}")',
            ADVICE[step.lacking],
        )

    def _ask(self, step: Step, words: Mapping[str, str], deadline: Deadline, strict: bool = False) -> str:
        """Send one line and return its answer, without the echo and with the prompt at its end."""
        self._drain(deadline)
        if deadline.over:
            raise TimedOut("no time was left for the next line", "raise the timeout")
        sent = filled(step.send, words)
        if not sent and self._dialogue.pause_s:
            # Some devices lose an ENTER that comes at once.
            time.sleep(min(self._dialogue.pause_s, deadline.remaining_s))
        self._raw = ""
        self._send(sent + ("" if step.bare else self._eol), deadline)
        until = filled(step.until, words, escape=True) if step.until else self._prompt
        # A command never holds a secret, but a login may be one.
        what = "the login" if "{password}" in step.send else f'"{shown(sent)}"'
        echo = "" if step.bare else sent
        self._last = self._await_any((until,), deadline, f"no prompt after {what}", echo, strict and self.echoes)[0]
        return self._last

    def _await_any(
        self,
        ends: Sequence[str],
        deadline: Deadline,
        late: str,
        sent: str = "",
        strict: bool = False,
        patience_s: float | None = None,
    ) -> tuple[str, str]:
        """Receive until one of these patterns is at the end and nothing more comes. The text behind the echo, and the pattern."""
        pages: list[str] = []
        quiet_since = time.monotonic()
        while True:
            body, echoed = self._without_echo(cleaned(self._raw), sent if not pages else "")
            self.echoes = self.echoes or echoed
            missing = strict and bool(sent) and not echoed and not pages
            ended = next((end for end in ends if self._ends(body, end)), None) if not missing else None
            full = ended is None and bool(self._dialogue.pager) and self._ends(body, self._dialogue.pager)
            wait_s = ECHOED_S if full else SLICE_S
            if ended is not None:
                wait_s = patience_s or self._patience_s(body, ended, echoed)
            wait_s -= time.monotonic() - quiet_since
            if ended is not None and wait_s <= 0:
                return "\n".join((*pages, body)), ended
            if full and wait_s <= 0:
                pages.append(self._turn_page(body, len(pages), deadline))
                quiet_since = time.monotonic()
            if deadline.over:
                raise TimedOut(f"the device fell silent: {late}", "is it alive, and the timeout long enough?")
            data = self._line.receive(min(max(wait_s, DRAIN_S), SLICE_S), deadline)
            if data:
                self._raw += self._decoder.decode(data)
                quiet_since = time.monotonic()
                line = len(self._raw) - 1 - max(self._raw.rfind("\n"), self._raw.rfind("\r"))
                if len(self._raw) > LONGEST_ANSWER or line > LONGEST_LINE:
                    raise BadReply("the device's answer does not end", "is the model right?")

    def _patience_s(self, body: str, ended: str, echoed: bool) -> float:
        if echoed:
            return ECHOED_S
        return UNECHOED_S if self._before(body, ended).strip() else BLANK_S

    def _turn_page(self, body: str, pages: int, deadline: Deadline) -> str:
        """Ask for the next page; what stands above the question is part of the answer."""
        if pages >= MOST_PAGES:
            raise BadReply("the device's listing does not end", "is the model right?")
        reply = self._dialogue.pager_reply
        if self._dialogue.pause_s:
            time.sleep(min(self._dialogue.pause_s, deadline.remaining_s))
        self._raw = ""
        self._send(reply.send + ("" if reply.bare else self._eol), deadline)
        return self._before(body, self._dialogue.pager)

    @staticmethod
    def _before(text: str, end: str) -> str:
        """The text without the pattern at its end."""
        tail = _tail(text)
        return text[: len(text) - len(tail)] + re.sub(rf"(?:{end})[ \t]*\Z", "", tail)

    @staticmethod
    def _ends(text: str, end: str) -> bool:
        """The pattern is the last line, or lines, of the text."""
        return re.search(rf"(?:\A|\n)[ \t]*(?:{end})[ \t]*\Z", _tail(text)) is not None

    def _without_echo(self, text: str, sent: str) -> tuple[str, bool]:
        """The text behind the echo of what was sent. Before it only prompts may stand, and it may be broken into lines.

        On a device that echoes, a late answer to the line before may stand there too.
        """
        if not sent:
            return text, False
        letters = r"(?: ?\n)?".join(re.escape(letter) for letter in sent)
        echo, prompt = re.compile(rf"\s*{letters}[ \t]*(?:\n|\Z)"), re.compile(rf"\s*(?:{self._prompt})")
        head, place = text[:LONGEST_TAIL], 0
        for _prompts in range(MOST_PROMPTS + 1):
            found = echo.match(head, place)
            if found and (found.end() < len(head) or len(head) == len(text)):
                return text[found.end() :], True
            stale = prompt.match(head, place)
            if stale is None or stale.end() == place:
                break
            place = stale.end()
        if self.echoes:
            again = re.compile(rf"\n[ \t]*(?:{self._prompt})[ \t]*{letters}[ \t]*\n")
            found = again.search(_tail(text[: text.rfind("\n") + 1]))
            if found:
                return found.string[found.end() :], True
        return text, False

    def _drain(self, deadline: Deadline) -> None:
        """What came in since the last answer belongs to it, and not to the next."""
        while self._line.receive(DRAIN_S, deadline) and not deadline.over:
            pass
        self._decoder.reset()

    def _send(self, text: str, deadline: Deadline) -> None:
        self._line.send(text.encode(), deadline)


def _tail(text: str) -> str:
    """The last lines of a text, whole ones: patterns need not look at more, and must not take longer for more."""
    if len(text) <= LONGEST_TAIL:
        return text
    tail = text[-LONGEST_TAIL:]
    return tail[tail.find("\n") :] if "\n" in tail else ""


def _not_accepted() -> AuthenticationFailed:
    return AuthenticationFailed("the device does not accept the login", "look at username and password")
