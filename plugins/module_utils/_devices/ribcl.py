# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``ribcl``: HP iLO and iLO 2, whose RIBCL is XML spoken straight over TLS, not HTTP.

These devices have no "off", only a power button to press and to hold. A button that is pressed once too often switches the host on
again: so the power is read on the same connection right before, and a button that may have been pressed is left alone for a while.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    Driver,
    Kind,
    Options,
    Power,
    Problem,
    Reading,
    Reason,
    Refused,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.http import address_problems
from ansible_collections.hostpm.fencing.plugins.module_utils._http import MISSING_LIBRARY, shown
from ansible_collections.hostpm.fencing.plugins.module_utils._http_connection import SHORTEST_WAIT_S, Guard, open_stream

DEFAULT_PORT = 443
# The first line says that XML follows; the device wants it in a packet of its own.
PROLOG = '<?xml version="1.0"?>\r\n'
CHUNK = 16 * 1024
LARGEST_ANSWER = 1024 * 1024
# Every answer is a small document; what is of interest are its tags. They are read one by one, as old firmware makes XML that is none.
RESPONSE = re.compile(r"<RESPONSE\s[^<>]*?STATUS\s*=\s*\"(0x[0-9A-Fa-f]{1,8})\"[^<>]*>")
HOST_POWER = re.compile(r"<GET_HOST_POWER\s+HOST_POWER\s*=\s*\"([^\"<>]*)\"\s*/>")
VERSION = re.compile(r"<RIBCL\s+VERSION\s*=\s*\"([0-9]{1,2})\.([0-9]{1,3})\"")
FIRMWARE = re.compile(r"<GET_FW_VERSION\s([^<>]*)/>")
ATTRIBUTE = re.compile(r"([A-Z_]+)\s*=\s*\"([^\"<>]*)\"")
STATES = {"ON": Power.ON, "OFF": Power.OFF}
# Statuses of a response, as cpqlocfg and python-hpilo know them.
STATUSES: Mapping[int, tuple[type[DeviceError], str]] = {
    0x0A: (AuthenticationFailed, "look at username"),
    0x5F: (AuthenticationFailed, "look at username and password"),
    0x23: (AuthenticationFailed, "give the account the privilege for virtual power and reset"),
    0x3C: (Unsupported, "look at the device's firmware"),
    0x01: (Refused, "look at the device's firmware: it takes this for a mistake"),
}
# How long a button that was pressed may take until the power shows it, in seconds: holding it takes five or six.
PRESS_S = 15.0


class RibclDriver(Driver):
    """The power of the one server that this iLO is in. Each call is a connection of its own, as the device has it."""

    def __init__(self, options: Options) -> None:
        verify = (options.get("ca_path") or True) if options.get("validate_certs") is not False else False
        self._verify: bool | str = verify
        self._options = options
        self._buttons: Mapping[Power, str] | None = None
        # What a button may be doing right now, and since when.
        self._pressed: tuple[Power, float] | None = None

    def read(self, deadline: Deadline) -> Reading:
        with self._conversation(deadline) as talk:
            talk.log_in("read")
            talk.say("<GET_HOST_POWER_STATUS/>")
            talk.log_out()
            return self._reading(talk.rest())

    def switch(self, power: Power, deadline: Deadline) -> None:
        button = self._button(power, deadline)
        with self._conversation(deadline) as talk:
            talk.log_in("write")
            talk.say("<GET_HOST_POWER_STATUS/>")
            before = self._reading(talk.until(HOST_POWER))
            if before.power is Power.UNKNOWN:
                raise BadReply(
                    f"it does not say whether the host is on ({before.raw}), so no button was pressed", before.msg
                )
            if before.power is power:
                # It is there already: pressing now would undo it.
                talk.log_out()
                return
            self._wait_for_the_last_press(power)
            self._pressed = (power, time.monotonic())
            talk.say(button)
            talk.log_out()
            try:
                self._complain(talk.rest())
            except (Refused, Unsupported, AuthenticationFailed):
                self._pressed = None
                raise

    def _wait_for_the_last_press(self, power: Power) -> None:
        if self._pressed is None:
            return
        wanted, at = self._pressed
        left_s = PRESS_S - (time.monotonic() - at)
        if left_s > 0:
            raise Busy(
                f"the power button was pressed for {wanted} {PRESS_S - left_s:.0f} s ago, and pressing it again now might undo that",
                "raise the timeout",
                retry_after_s=1.0,
            )

    def _button(self, power: Power, deadline: Deadline) -> str:
        """The element that leads to this power, which depends on the device's generation and firmware."""
        if self._buttons is None:
            with self._conversation(deadline) as talk:
                talk.log_in("read", "RIB_INFO")
                talk.say("<GET_FW_VERSION/>")
                talk.log_out()
                answer = talk.rest()
                self._complain(answer)
                self._buttons = buttons_of(answer)
        return self._buttons[power]

    def _reading(self, answer: str) -> Reading:
        self._complain(answer)
        found = set(HOST_POWER.findall(answer))
        if not found:
            raise BadReply("its answer does not tell the power", "is this an iLO or iLO 2?")
        raw = " and ".join(sorted(self._shown(each) for each in found))
        if len(found) == 1 and raw in STATES:
            power = STATES[raw]
            if self._pressed is not None and self._pressed[0] is power:
                self._pressed = None  # The button has done its work.
            return Reading(power, raw)
        return Reading(Power.UNKNOWN, raw, Reason.BAD_REPLY, f"HOST_POWER is {raw}: neither ON nor OFF")

    def _complain(self, answer: str) -> None:
        """Raise what a response says. Its message may quote what was sent, the password, too."""
        for status in RESPONSE.findall(answer):
            number = int(status, 16)
            if number:
                error, advice = STATUSES.get(number, (Refused, "look at the device's own log"))
                raise error(f"it refused the request (status 0x{number:04X})", advice)

    def _conversation(self, deadline: Deadline) -> contextlib.AbstractContextManager[Conversation]:
        return conversation(self._options, self._verify, deadline)

    def _shown(self, value: str) -> str:
        return shown(value, (str(self._options["password"]),))


def buttons_of(answer: str) -> Mapping[Power, str]:
    """Which element to send for which power, by what the device says it is."""
    version = VERSION.search(answer)
    firmware = FIRMWARE.search(answer)
    if version is None or firmware is None:
        raise BadReply("it does not tell its versions, so no button was pressed", "is this an iLO or iLO 2?")
    ribcl = (int(version[1]), int(version[2]))
    if ribcl < (2, 0):
        raise Unsupported(
            f"it speaks RIBCL {ribcl[0]}.{ribcl[1]:02}, which is older than iLO", "use the outlets of its PDU"
        )
    if ribcl < (2, 21):
        # An explicit on and off, which later firmware took for the momentary press of a button.
        return {Power.ON: '<SET_HOST_POWER HOST_POWER="Yes"/>', Power.OFF: '<SET_HOST_POWER HOST_POWER="No"/>'}
    told = dict(ATTRIBUTE.findall(firmware[1]))
    number = re.match(r"([0-9]+)\.([0-9]+)", told.get("FIRMWARE_VERSION", ""))
    later = number is not None and (int(number[1]), int(number[2])) > (1, 29)
    toggle = ' TOGGLE="Yes"' if told.get("MANAGEMENT_PROCESSOR") == "iLO2" and later else ""
    return {Power.ON: "<PRESS_PWR_BTN/>", Power.OFF: f"<HOLD_PWR_BTN{toggle}/>"}


# --- The conversation ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def conversation(options: Options, verify: bool | str, deadline: Deadline) -> Iterator[Conversation]:
    """A connection to the device, on which it knows that XML follows."""
    guard = Guard()
    account = (str(options["username"]), str(options["password"]))
    address = str(options["address"]).strip("[]")
    with guard.over(deadline):
        try:
            connection = open_stream(address, port_of(options), verify, guard, bool(options.get("legacy_tls")))
        except DeviceError as error:
            raise (guard.timed_out() if deadline.over else _explained(error, options)) from None
        try:
            talk = Conversation(connection.sock, guard, account)
            talk.say(PROLOG)
            yield talk
        finally:
            connection.close()


def _explained(error: DeviceError, options: Options) -> DeviceError:
    """An iLO that speaks old TLS only is the usual case, and the general advice would not help."""
    if isinstance(error, TlsFailed) and "agreed" in error.seen and not options.get("legacy_tls"):
        return TlsFailed(error.seen, "an iLO or iLO 2 may need legacy_tls: true; use it on a network that you trust")
    return error


@dataclass
class Conversation:
    """What is said goes out at once, what is heard is kept."""

    sock: socket.socket
    guard: Guard
    account: tuple[str, str]
    heard: str = ""
    section: str = ""

    def log_in(self, mode: str, section: str = "SERVER_INFO") -> None:
        username, password = (quoteattr(each) for each in self.account)
        self.section = section
        self.say(
            f'<RIBCL VERSION="2.0">\r\n<LOGIN USER_LOGIN={username} PASSWORD={password}>\r\n<{section} MODE="{mode}">\r\n'
        )

    def log_out(self) -> None:
        """Close all that is open; the device then ends the connection."""
        self.say(f"</{self.section}>\r\n</LOGIN>\r\n</RIBCL>\r\n")

    def say(self, text: str) -> None:
        try:
            self.sock.sendall(text.encode("utf-8", "surrogateescape"))
        except OSError:
            raise self._broken() from None

    def until(self, pattern: re.Pattern[str]) -> str:
        """What was heard, once this is in it or a response says that something is wrong."""
        while not pattern.search(self.heard) and not self._says_no():
            if not self._hear():
                raise Unreachable("it closed the connection before it had answered", "are its sessions all in use?")
        return self.heard

    def rest(self) -> str:
        """All that was heard until the device ended the connection, or said that something is wrong."""
        while not self._says_no() and self._hear():
            continue
        return self.heard

    def _says_no(self) -> bool:
        return any(int(status, 16) for status in RESPONSE.findall(self.heard))

    def _hear(self) -> bool:
        self.sock.settimeout(max(self.guard.deadline.remaining_s, SHORTEST_WAIT_S))
        try:
            chunk = self.sock.recv(CHUNK)
        except OSError:
            raise self._broken() from None
        if self.guard.cut or self.guard.deadline.over:
            raise self.guard.timed_out()
        self.heard += chunk.decode("latin-1")
        if len(self.heard) > LARGEST_ANSWER:
            raise BadReply("its answer does not end", "is this an iLO or iLO 2?")
        return bool(chunk)

    def _broken(self) -> DeviceError:
        if self.guard.cut or self.guard.deadline.over:
            return self.guard.timed_out()
        return TimedOut("it broke the connection off before it had answered", "whether it acted is not known")


# --- What the options say -----------------------------------------------------------------------------------------


def port_of(options: Options) -> int:
    return int(options.get("port") or DEFAULT_PORT)


def device(options: Options) -> str:
    return f"{str(options['address']).lower()}:{port_of(options)}"


def problems(options: Options) -> Iterator[Problem]:
    yield from address_problems(options)


TYPE = AgentType(
    name="ribcl",
    kind=Kind.CHASSIS,
    parallel=False,
    timeout_s=90.0,
    read_timeout_s=25.0,
    # A handshake alone takes these devices seconds, and a switch may need two.
    exchange_s=20.0,
    usual_s={Power.OFF: 6.0, Power.ON: 2.0},
    argument_spec={
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": DEFAULT_PORT},
        "username": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "legacy_tls": {"type": "bool", "default": False},
    },
    open=RibclDriver,
    describe=lambda options: str(options["address"]),
    device=device,
    target=device,
    problems=lambda options: list(problems(options)),
    # Its connections are made by the same code as those of HTTP.
    missing_library=lambda options: MISSING_LIBRARY,
)
