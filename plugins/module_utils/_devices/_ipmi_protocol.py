# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""What IPMI says, whatever library speaks it: commands, cipher suites, status codes and what they mean to us.

Numbers are from the IPMI specification v2.0 rev. 1.1. This file sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    Power,
    Reading,
    Refused,
    TimedOut,
    Unsupported,
)

# A request to which nothing came back for so long is unanswered, however much time the whole call has.
SILENCE_S = 4.0

# Table 22-20, as far as it authenticates: suite -> (authentication, integrity, confidentiality) algorithm.
SUITES = {1: (1, 0, 0), 2: (1, 1, 0), 3: (1, 1, 1), 15: (3, 0, 0), 16: (3, 4, 0), 17: (3, 4, 1)}

PRIVILEGES = {"user": 2, "operator": 3, "administrator": 4}

# RAKP carries no more (tables 13-11 and 22-30).
LONGEST_USERNAME = 16
LONGEST_PASSWORD = 20
LONGEST_KEY = 20


@dataclass(frozen=True)
class Account:
    """How to log in. ``suites`` are tried in order; ``key`` is K_g, None where the BMC has none."""

    username: bytes
    password: bytes = field(repr=False)
    key: bytes | None = field(repr=False)
    privilege: int
    suites: tuple[int, ...]


@dataclass(frozen=True)
class Command:
    """One IPMI request. ``once`` says that it is put on the wire a single time, whatever gets lost."""

    netfn: int
    number: int
    data: bytes
    once: bool


CHASSIS_STATUS = Command(netfn=0, number=1, data=b"", once=False)
CHASSIS_CONTROL = {
    Power.OFF: Command(netfn=0, number=2, data=b"\x00", once=True),
    Power.ON: Command(netfn=0, number=2, data=b"\x01", once=True),
}


class Session(Protocol):
    """One login to one BMC through one library. Whatever goes wrong is raised as a DeviceError.

    ``suite`` is the cipher suite that the BMC took. After an error of ``ask`` a session is only good to be closed.
    """

    suite: int

    def ask(self, command: Command, deadline: Deadline) -> bytes:
        """Send a command and return what was answered, completion code first."""

    def close(self, deadline: Deadline) -> None:
        """Log out if that is quick, and let go of everything. Never raises."""


class OtherSuites(DeviceError):
    """The BMC takes none of the cipher suites, or answered with another one than it was asked for."""

    reason = Unsupported.reason


def power_reading(answer: bytes) -> Reading:
    """What Get Chassis Status says about the power (table 28-3). Bit 0 counts; faults are told."""
    if len(answer) < 4:
        raise BadReply(f"the chassis status has {len(answer)} bytes instead of 4", "look at the BMC's firmware")
    state, event, misc = answer[1], answer[2], answer[3]
    power = Power.ON if state & 0x01 else Power.OFF
    faults = [
        name
        for bit, name in ((0x02, "overload"), (0x04, "interlock"), (0x08, "power fault"), (0x10, "control fault"))
        if state & bit
    ]
    faults += [name for bit, name in ((0x04, "drive fault"), (0x08, "cooling fault")) if misc & bit]
    faults += ["AC failed"] if event & 0x01 else []
    return Reading(power, raw=" ".join([f"chassis power is {power}", *(f"({name})" for name in faults)]))


# Completion codes (table 5-2) that another moment may change.
BUSY_CODES = {
    0xC0: "it is busy",
    0xC4: "it is out of space",
    0xD0: "its SDR repository is being updated",
    0xD1: "its firmware is being updated",
    0xD2: "it is starting",
}
UNKNOWN_COMMAND_CODES = {0xC1, 0xC2}
TIMEOUT_CODES = {0xC3, 0xCE}


def accepted(answer: bytes) -> bytes:
    """The answer, if its completion code says that the BMC did as it was asked."""
    if not answer:
        raise BadReply("an answer without a completion code", "look at the BMC's firmware")
    code = answer[0]
    if code == 0x00:
        return answer
    if code in BUSY_CODES:
        raise Busy(f"the BMC did not take the request: {BUSY_CODES[code]} (0x{code:02x})")
    if code in TIMEOUT_CODES:
        raise TimedOut(
            f"the BMC could not finish the request (0x{code:02x})", "look at the host's and the BMC's event log"
        )
    if code == 0xD4:
        raise AuthenticationFailed(
            "the account may not do this (0xd4)", "give it the privilege level operator, or set the option privilege"
        )
    if code == 0xD5:
        raise Refused(
            "the BMC does not do this in the host's present state (0xd5)", "look at the host's power in the BMC"
        )
    if code in UNKNOWN_COMMAND_CODES:
        raise Unsupported(f"the BMC does not know this command (0x{code:02x})", "use another way to switch this host")
    raise Refused(f"the BMC refused the request (0x{code:02x})", "look up this completion code in the BMC's manual")


# Status codes of the login (table 13-15).
MSG_INVALID_SESSION = 0x02
NO_RESOURCES = {0x01, 0x0B}
SUITE_REFUSED = {0x04, 0x05, 0x06, 0x07, 0x10, 0x11}
STALE_LOGIN = {MSG_INVALID_SESSION, 0x08, 0x0F}
LOGIN_REFUSED = {
    0x09: "this privilege level",
    0x0A: "this privilege level for this user",
    0x0C: "a user name of this length",
    0x0D: "this user name",
    0x0E: "its own identity (GUID)",
    0x0F: "the password",
}


def login_error(status: int) -> DeviceError:
    """What a status other than 0 in an answer to the login means."""
    if status in NO_RESOURCES:
        return Busy(
            f"the BMC has no session left (0x{status:02x})",
            "it frees unused sessions after a minute; who else is logged in?",
        )
    if status in SUITE_REFUSED:
        return OtherSuites(
            "the BMC accepts none of the cipher suites", "look up which ones it has and set cipher_suites"
        )
    if status in LOGIN_REFUSED:
        return AuthenticationFailed(
            f"the BMC does not accept {LOGIN_REFUSED[status]} (0x{status:02x})",
            "look at username, password and privilege",
        )
    return BadReply(f"the BMC broke off the login (0x{status:02x})", "look at the BMC's event log")


def other_suite(proposed: tuple[int, int, int]) -> DeviceError:
    """The BMC answered the proposal of one suite with another one's algorithms."""
    suite = next(suite for suite, algorithms in SUITES.items() if algorithms == proposed)
    return OtherSuites(
        f"the BMC answered cipher suite {suite} with other algorithms",
        "list suite 3 (SHA-1) in cipher_suites, after 17",
    )


def wrong_password() -> DeviceError:
    return AuthenticationFailed("the password is not the one of this user", "look at username and password")


def wrong_key() -> DeviceError:
    return AuthenticationFailed("the BMC's K_g is another one", "look at k_g; leave it out if the BMC has none")


def privilege_refused(code: int) -> DeviceError:
    """Set Session Privilege Level was not granted (table 22-18)."""
    if code in BUSY_CODES:
        return Busy(f"the BMC did not finish the login: {BUSY_CODES[code]} (0x{code:02x})")
    return AuthenticationFailed(
        f"the account does not get this privilege level (0x{code:02x})",
        "look at the option privilege and at the user's limit",
    )


def ipmi_1_5_only() -> DeviceError:
    return Unsupported("the BMC does not speak IPMI 2.0 (RMCP+)", "use another way to switch this host")


def silent() -> DeviceError:
    return TimedOut("the BMC does not answer", "is it alive, and is this its address and port?")


def unfinished() -> DeviceError:
    return TimedOut("the login was not finished in time", "is the BMC overloaded, or the network losing packets?")


def unanswered(command: Command) -> DeviceError:
    if command.once:
        return TimedOut("the command was sent and not answered", "what the host reads next decides")
    return TimedOut("the BMC fell silent", "is it alive?")
