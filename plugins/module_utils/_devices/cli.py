# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``cli``: devices that are spoken to in text, over SSH or telnet.

What differs between devices is data in ``cli_dialogues.py``; how a line gets there is in ``_cli_transport.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    BadReply,
    Busy,
    Deadline,
    DeviceDriver,
    DeviceError,
    Kind,
    Options,
    Power,
    Problem,
    Reading,
    TimedOut,
    Unreachable,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _cli_transport as transport
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_conversation import LOG_OUT_S, Conversation
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_format import (
    Dialogue,
    Listing,
    Row,
    Step,
    listing_of,
    reading_of,
    row_of,
    shown,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli_dialogues import DIALOGUES

SSH_PORT = 22
SHORTEST_GOODBYE_S = 0.1
# Options whose look the dialogue decides.
WORDS = ("outlet", "system", "profile")
# What an option that goes into a pattern or a login may not have: it would be another key, or another line.
PRINTED = ("username", "password", "private_key_passphrase", "prompt", "login_prompt", "password_prompt")


# The listings of one exchange: by system, and by outlet where each is asked about alone.
_Listings = dict[tuple[str, str], Listing]


class _Lost(Exception):
    """The conversation with the device is over, for all agents; ``logged_in`` says that it had begun."""

    def __init__(self, error: DeviceError, logged_in: bool = False) -> None:
        super().__init__()
        self.error = error
        self.logged_in = logged_in


class CliDriver(DeviceDriver):
    """Speaks to one device for all outlets that it has.

    The login is kept between exchanges, but not on devices that let one person in at a time.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._dialogue = DIALOGUES[str(options["model"])]
        self._conversation: Conversation | None = None

    def read_all(self, agents: Sequence[Options], deadline: Deadline) -> Sequence[Reading | DeviceError]:
        listings: _Listings = {}
        answers: list[Reading | DeviceError] = []
        with self._exchange(deadline):
            for agent in agents:
                try:
                    answers.append(reading_of(self._dialogue, self._row(agent, listings, deadline)))
                except DeviceError as error:
                    answers.append(error)
        return answers

    def switch_all(self, agents: Sequence[Options], power: Power, deadline: Deadline) -> Sequence[DeviceError | None]:
        listings: _Listings = {}
        answers: list[DeviceError | None] = []
        with self._exchange(deadline):
            for agent in agents:
                try:
                    # Nothing is sent to an outlet that the device does not list.
                    row = self._row(agent, listings, deadline)
                    self._send(agent, row, power, deadline)
                    answers.append(None)
                except DeviceError as error:
                    answers.append(error)
                except _Lost as lost:
                    if not answers:
                        raise
                    # Those before have had their answer, whatever became of the conversation.
                    self._break_off()
                    return [*answers, *[lost.error] * (len(agents) - len(answers))]
        return answers

    def close(self) -> None:
        self._hang_up(Deadline(LOG_OUT_S))

    @contextmanager
    def _exchange(self, deadline: Deadline) -> Iterator[None]:
        """One exchange: what is wrong with the whole conversation ends it, and nobody stays logged in who should not."""
        try:
            yield
        except _Lost as lost:
            self._break_off()
            raise lost.error from None
        except BaseException:
            self._break_off()
            raise
        if self._dialogue.one_session:
            self._hang_up(deadline)

    def _row(self, agent: Options, listings: _Listings, deadline: Deadline) -> Row:
        """What the device says about this agent's outlet; asked once in an exchange if one answer tells of all."""
        words = words_of(agent)
        place = (words["system"], "" if self._dialogue.one_listing else words["outlet"])
        if place not in listings:
            answer = self._run(self._dialogue.status, words, deadline, strict=True)
            listings[place] = listing_of(self._dialogue, answer)
        try:
            return row_of(self._dialogue, listings[place], words["outlet"])
        except BadReply:
            # The right answer may still be on its way; it must not meet the next question.
            self._hang_up(deadline)
            raise

    def _send(self, agent: Options, row: Row, power: Power, deadline: Deadline) -> None:
        words = words_of(agent)
        words["outlet"] = row.outlet or words["outlet"]
        try:
            answer = self._run(self._dialogue.steps(power), words, deadline)
            if not (self._dialogue.names_outlets and self._conversation and self._conversation.echoes):
                # What it has to say to the command may be late, and nothing would tell it from the next answer.
                self._hang_up(deadline)
        except _Lost as lost:
            if isinstance(lost.error, Unreachable) and lost.logged_in:
                raise _Lost(
                    TimedOut("the connection was cut while the command was sent", "what the outlet reads next decides")
                ) from None
            raise
        complaint = self._dialogue.complaint(answer)
        if complaint is not None:
            raise complaint
        if self._dialogue.done and not re.search(self._dialogue.done, answer, re.MULTILINE):
            said = [line for line in answer.split("\n") if line.strip()]
            raise BadReply(
                f'the device does not say that it took the command (it says "{shown(said[0]) if said else ""}")',
                "what the outlet reads next decides",
            )

    def _run(self, steps: Sequence[Step], words: Mapping[str, str], deadline: Deadline, strict: bool = False) -> str:
        """Take these steps. What the device itself complains about is this agent's own; whatever else is the end of all."""
        talk = self._talk(deadline)
        try:
            return talk.run(steps, words, deadline, strict)
        except (Unreachable, TimedOut) as error:
            raise _Lost(error, logged_in=True) from None
        except DeviceError:
            # Somewhere in a menu: the next agent begins with a login of its own.
            self._hang_up(deadline)
            raise

    def _talk(self, deadline: Deadline) -> Conversation:
        """The conversation, with a login if there is none."""
        if self._conversation is not None and not self._conversation.alive(deadline):
            self._break_off()
        if self._conversation is None:
            try:
                self._conversation = self._opened(deadline)
            except DeviceError as error:
                raise _Lost(error) from None
        return self._conversation

    def _opened(self, deadline: Deadline) -> Conversation:
        dialogue, options = self._dialogue, self._options
        telnet = options.get("transport") == "telnet"
        conversation = None
        try:
            line = self._line(telnet, deadline)
            conversation = Conversation(line, adapted(dialogue, options), "\r\n" if telnet else dialogue.eol)
            conversation.log_in(self._login_words(), deadline)
        except DeviceError as error:
            if conversation is not None:
                conversation.close()
            if dialogue.one_session and isinstance(error, transport.ConnectionCut):
                raise Busy(error.seen, error.advice) from None
            raise
        return conversation

    def _line(self, telnet: bool, deadline: Deadline) -> transport.Line:
        options = self._options
        address = str(options["address"])
        if telnet:
            return transport.TelnetLine(address, port_of(options), deadline)
        account = transport.Account(
            username=str(options.get("username") or ""),
            password=options.get("password"),
            private_key=options.get("private_key"),
            passphrase=options.get("private_key_passphrase"),
            host_key=options.get("host_key"),
            known_hosts=options.get("known_hosts"),
            check_host_key=options.get("check_host_key") is not False,
            legacy_algorithms=bool(options.get("legacy_algorithms")),
        )
        return transport.SshLine(address, port_of(options), account, deadline)

    def _login_words(self) -> dict[str, str]:
        return {name: str(self._options.get(name) or "") for name in ("username", "password")}

    def _hang_up(self, deadline: Deadline) -> None:
        """Log out as the device wants it. One that is slow to say good-bye does not make the exchange late."""
        if self._conversation is not None:
            wait_s = max(SHORTEST_GOODBYE_S, min(LOG_OUT_S, deadline.remaining_s))
            self._conversation.log_out(self._login_words(), wait_s)
            self._conversation = None

    def _break_off(self) -> None:
        """Let go without a word: the device ends the session with the connection."""
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None


def words_of(options: Options) -> dict[str, str]:
    """What an agent's options put into the lines of a dialogue."""
    return {name: str(options.get(name) or "").strip() for name in WORDS}


def port_of(options: Options) -> int:
    if options.get("port") is not None:
        return int(options["port"])
    if options.get("transport") != "telnet":
        return SSH_PORT
    dialogue = DIALOGUES.get(str(options.get("model")))
    return dialogue.telnet_port if dialogue else 23


# --- Options ------------------------------------------------------------------------------------------------------


def adapted(dialogue: Dialogue, options: Options) -> Dialogue:
    """The dialogue with the prompts that the agent's options give."""
    login = replace(
        dialogue.login,
        username=options.get("login_prompt") or dialogue.login.username,
        password=options.get("password_prompt") or dialogue.login.password,
    )
    return replace(dialogue, prompt=options.get("prompt") or dialogue.prompt, login=login)


def problems(options: Options) -> list[Problem]:
    """What is wrong with the options, before anything is contacted. One sentence for an option."""
    found: list[Problem] = []
    address = options.get("address")
    if not address or re.search(r"[\s/]", str(address)):
        found.append(("address", "must be the name or the address of the device"))
    if not 1 <= port_of(options) <= 65535:
        found.append(("port", "must be between 1 and 65535"))
    for name in PRINTED:
        if not str(options.get(name) or "").isprintable():
            found.append((name, "must not have control characters"))
    for name in ("prompt", "login_prompt", "password_prompt"):
        if not _is_pattern(options.get(name)):
            found.append((name, "is no regular expression"))
    dialogue = DIALOGUES.get(str(options.get("model")))
    if dialogue is not None:
        found += _dialogue_problems(dialogue, options)
    return found or _login_problems(options)


def _dialogue_problems(dialogue: Dialogue, options: Options) -> list[Problem]:
    found: list[Problem] = []
    if dialogue.trust == "C" and not options.get("accept_untested"):
        found.append(
            (
                "model",
                f"{dialogue.model} rests on one incomplete source and was never seen on a device; try it where nothing"
                " can break, then set accept_untested: true",
            )
        )
    transport_name = str(options.get("transport") or "ssh")
    if transport_name not in dialogue.transports:
        found.append(("transport", f"must be {' or '.join(dialogue.transports)} for {dialogue.model}"))
    for name in WORDS:
        look, text = getattr(dialogue, name), words_of(options)[name]
        if look and not text and name != "profile":
            found.append((name, f"is needed for {dialogue.model}"))
        elif text and not look:
            found.append((name, f"does not belong to {dialogue.model}"))
        elif text and not re.fullmatch(look, text):
            found.append((name, f"cannot be that for {dialogue.model}: it must look like {look}"))
    if dialogue.login.steps:
        for name in ("username", "password"):
            if re.search(r"\s", str(options.get(name) or "")):
                found.append((name, f"must have no blanks for {dialogue.model}: the login is a command there"))
    return found


def _login_problems(options: Options) -> list[Problem]:
    """Telnet devices may let everybody in; SSH always has a name, and something that proves it."""
    if options.get("transport") == "telnet":
        unfit = ("private_key", "private_key_passphrase", "host_key", "known_hosts")
        return [(name, "needs transport ssh") for name in unfit if options.get(name)]
    found: list[Problem] = []
    if not options.get("username"):
        found.append(("username", "is needed for SSH"))
    if not options.get("password") and not options.get("private_key"):
        found.append(("password", "is missing: give password or private_key"))
    if options.get("host_key"):
        what = transport.host_key_problem(str(options["host_key"]))
        found += [("host_key", what)] if what else []
        if options.get("known_hosts"):
            found.append(("known_hosts", "cannot stand beside host_key"))
    if options.get("private_key"):
        what = transport.private_key_problem(str(options["private_key"]), options.get("private_key_passphrase"))
        found += [("private_key", what)] if what else []
    return found


def _is_pattern(text: str | None) -> bool:
    try:
        re.compile(f"(?:{text or ''})")
    except re.error:
        return False
    return True


def device(options: Options) -> str:
    return f"{str(options.get('address') or '').lower().strip('[]')}:{port_of(options)}"


def target(options: Options) -> str:
    words = words_of(options)
    return "/".join(filter(None, (device(options), words["system"], words["outlet"])))


def describe(options: Options) -> str:
    words = words_of(options)
    parts = [f"{name} {words[name]}" for name in ("system", "outlet") if words[name]]
    return ", ".join([str(options.get("address")), *parts])


def kind_of(options: Options) -> Kind:
    dialogue = DIALOGUES.get(str(options.get("model")))
    return dialogue.kind if dialogue else TYPE.kind


def missing_library(options: Options) -> str | None:
    return None if transport.HAS_ASYNCSSH or options.get("transport") == "telnet" else "asyncssh"


ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int"},
    "transport": {"type": "str", "choices": ["ssh", "telnet"], "default": "ssh"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "private_key": {"type": "str", "no_log": True},
    "private_key_passphrase": {"type": "str", "no_log": True},
    "host_key": {"type": "str", "no_log": False},
    "known_hosts": {"type": "path"},
    "check_host_key": {"type": "bool", "default": True},
    "legacy_algorithms": {"type": "bool", "default": False},
    "model": {"type": "str", "choices": sorted(DIALOGUES), "required": True},
    "outlet": {"type": "str"},
    "system": {"type": "str"},
    "profile": {"type": "str"},
    "prompt": {"type": "str"},
    "login_prompt": {"type": "str"},
    "password_prompt": {"type": "str", "no_log": False},
    "accept_untested": {"type": "bool", "default": False},
}

TYPE = AgentType(
    name="cli",
    kind=Kind.CHASSIS,
    kind_of=kind_of,
    parallel=False,
    timeout_s=90.0,
    read_timeout_s=30.0,
    exchange_s=25.0,
    argument_spec=ARGUMENTS,
    open_device=CliDriver,
    own_options=frozenset(WORDS),
    multiline_options=frozenset({"private_key"}),
    usual_s={Power.OFF: 2.0, Power.ON: 2.0},
    describe=describe,
    device=device,
    target=target,
    problems=problems,
    missing_library=missing_library,
)
