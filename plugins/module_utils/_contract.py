# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""What a driver promises: its words, its readings, its closed family of errors.

This file knows nothing of a protocol, of hosts, of levels or of Ansible.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Power(str, Enum):
    """The power of an agent as far as it was read. Whatever is not proven is UNKNOWN."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


class Reason(str, Enum):
    """Why something failed, or why a reading is unknown. The list is closed: results carry no other word."""

    AUTH = "auth"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    UNSUPPORTED = "unsupported"
    CONFLICT = "conflict"
    BAD_REPLY = "bad_reply"
    TLS = "tls"
    HOST_KEY = "host_key"
    BUSY = "busy"
    UNCONFIRMED = "unconfirmed"
    VETOED = "vetoed"

    def __str__(self) -> str:
        return self.value


class Kind(str, Enum):
    """CHASSIS switches and senses the host itself; SUPPLY switches what feeds it."""

    CHASSIS = "chassis"
    SUPPLY = "supply"

    def __str__(self) -> str:
        return self.value


class DeviceError(Exception):
    """A device could not be asked, or did not do what it was asked.

    The message says what was seen and what to do next, and never holds a secret or another library's text.
    """

    reason: Reason

    def __init__(self, seen: str, advice: str = "") -> None:
        super().__init__(f"{seen}; {advice}" if advice else seen)
        self.seen = seen
        self.advice = advice


class AuthenticationFailed(DeviceError):
    """The device answered and did not accept the credentials, or the account may not do this."""

    reason = Reason.AUTH


class Unreachable(DeviceError):
    """The device cannot be reached: no such name, no route, connection refused or reset."""

    reason = Reason.UNREACHABLE


class TimedOut(DeviceError):
    """The device did not answer before the deadline."""

    reason = Reason.TIMEOUT


class Refused(DeviceError):
    """The device understood the request and said no."""

    reason = Reason.REFUSED


class NotFound(DeviceError):
    """The device has no such outlet or system."""

    reason = Reason.NOT_FOUND


class Unsupported(DeviceError):
    """The device, or this machine's software, cannot do this at all."""

    reason = Reason.UNSUPPORTED


class BadReply(DeviceError):
    """The device answered with something that its protocol does not allow."""

    reason = Reason.BAD_REPLY


class TlsFailed(DeviceError):
    """The device's certificate or its TLS was not accepted."""

    reason = Reason.TLS


class HostKeyFailed(DeviceError):
    """The device's SSH host key is not the expected one."""

    reason = Reason.HOST_KEY


class Busy(DeviceError):
    """The device has no session or no resources left right now. ``retry_after_s`` is its own wish, in seconds."""

    reason = Reason.BUSY

    def __init__(self, seen: str, advice: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(seen, advice)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Reading:
    """One answer of a device about its power.

    ``raw`` is what the device said, for a person. ``reason`` and ``msg`` say why ``power`` is UNKNOWN
    (a transition under way is UNCONFIRMED, a value outside the documented set is BAD_REPLY).
    """

    power: Power
    raw: str = ""
    reason: Reason | None = None
    msg: str = ""


class Deadline:
    """A moment on the monotonic clock. ``expire`` moves it to now, from any thread, when a task is interrupted."""

    def __init__(self, budget_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._at = now() + budget_s

    @property
    def remaining_s(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self._at - self._now())

    @property
    def over(self) -> bool:
        return self.remaining_s <= 0.0

    def expire(self) -> None:
        self._at = min(self._at, self._now())


class Driver(ABC):
    """Speaks to one power device for one agent, with blocking calls.

    Every call either returns or raises a DeviceError within half a second of ``deadline``, whatever the device or the
    library underneath does; no other exception leaves it. A driver does not poll, does not confirm, does not decide
    about retries and keeps no reading: that is done once for all drivers (``_operation.py``). It may keep a session
    open between calls. Calls come from different threads, but never two at a time.
    """

    @abstractmethod
    def read(self, deadline: Deadline) -> Reading:
        """Ask the device for the agent's power now. Only the documented value for off is OFF."""

    @abstractmethod
    def switch(self, power: Power, deadline: Deadline) -> None:
        """Send on or off (never cycle or toggle) once, and return when the device accepted it."""

    def close(self) -> None:
        """End the session, if there is one. Never raises and takes at most about a second."""


# The options of one agent, by name.
Options = Mapping[str, Any]


class DeviceDriver(ABC):
    """Speaks to one device for several agents in one session: the outlets of a PDU, the blades of a chassis.

    All that a ``Driver`` promises holds here. Each call gets the options of the agents that it is about, and answers for each, in
    the same order: what is wrong with one agent only (no such outlet, a locked one) stands in its place; what is wrong with the
    whole conversation is raised. The agents differ in their type's ``own_options`` only. One call is one exchange, whatever the
    number of agents: several objects in one request, one listing of all, as the protocol has it.
    """

    @abstractmethod
    def read_all(self, agents: Sequence[Options], deadline: Deadline) -> Sequence[Reading | DeviceError]:
        """Ask the device for the power of these agents now."""

    @abstractmethod
    def switch_all(self, agents: Sequence[Options], power: Power, deadline: Deadline) -> Sequence[DeviceError | None]:
        """Send on or off once for each of these agents, and return when the device accepted it; None stands for accepted."""

    def close(self) -> None:
        """End the session, if there is one. Never raises and takes at most about a second."""


class OneAgent(Driver):
    """The driver of a single agent of a device that could serve several."""

    def __init__(self, device: DeviceDriver, options: Options) -> None:
        self._device = device
        self._options = options

    def read(self, deadline: Deadline) -> Reading:
        answer = self._device.read_all([self._options], deadline)[0]
        if isinstance(answer, DeviceError):
            raise answer
        return answer

    def switch(self, power: Power, deadline: Deadline) -> None:
        complaint = self._device.switch_all([self._options], power, deadline)[0]
        if complaint is not None:
            raise complaint

    def close(self) -> None:
        self._device.close()


# What is wrong with an agent's options: (option name, what is wrong and what to write).
Problem = tuple[str, str]


@dataclass(frozen=True)
class AgentType:
    """One type of agent: its options, its manners, and how to get a driver.

    ``argument_spec`` holds the connection options only (what all types share is in ``COMMON_ARGUMENTS``).
    ``parallel`` says that one device may be spoken to by several agents at once. Times are in seconds:
    ``timeout_s`` and ``read_timeout_s`` are default budgets of a switching operation and of a read, ``exchange_s`` is how long
    one request may take before it counts as unanswered.

    A type has ``open``, a driver for each agent, or ``open_device``, a driver for all agents that differ only in the
    ``own_options``: those that name an outlet, a blade, a system.
    """

    name: str
    kind: Kind
    parallel: bool
    timeout_s: float
    read_timeout_s: float
    exchange_s: float
    argument_spec: Mapping[str, Mapping[str, Any]]
    describe: Callable[[Options], str]
    device: Callable[[Options], str]
    target: Callable[[Options], str]
    # The same for a type whose agents may have several outlets: one text for each.
    targets: Callable[[Options], Sequence[str]] | None = None
    # What an agent with these options is, where that is not the same for all agents of the type.
    kind_of: Callable[[Options], Kind] | None = None
    # Seconds that such a device usually takes from accepting a command until it shows the new power: when to look first.
    usual_s: Mapping[Power, float] = field(default_factory=dict)
    # No device is sent more requests a second than this, however many agents ask.
    requests_per_s: float = 20.0
    open: Callable[[Options], Driver] | None = None
    open_device: Callable[[Options], DeviceDriver] | None = None
    own_options: frozenset[str] = frozenset()
    # Options that may have several lines, such as a private key. All others are refused with a line ending in them.
    multiline_options: frozenset[str] = frozenset()
    problems: Callable[[Options], Sequence[Problem]] = field(default=lambda options: ())
    missing_library: Callable[[Options], str | None] = field(default=lambda options: None)
    # The same for a program that the type calls, with the package that brings it.
    missing_program: Callable[[Options], str | None] = field(default=lambda options: None)
    # Kind and parallel are the agent's to say (keys ``kind`` and ``parallel``); what stands here is the default.
    manners_from_agent: bool = False
    # Nothing answers for a host that is off, so that silence is no reason not to send it on. Silence is never off all the same.
    silent_when_off: bool = False
    required_together: Sequence[Sequence[str]] = ()
    mutually_exclusive: Sequence[Sequence[str]] = ()

    def driver(self, options: Options) -> Driver:
        """A driver for one agent."""
        if self.open is not None:
            return self.open(options)
        if self.open_device is None:
            raise NotImplementedError(f"the type {self.name} has no driver")
        return OneAgent(self.open_device(options), options)

    def kind_for(self, options: Options) -> Kind:
        """What an agent with these options is."""
        return self.kind if self.kind_of is None else self.kind_of(options)

    def targets_of(self, options: Options) -> Sequence[str]:
        """All that an agent with these options switches. Two agents that have one of it in common switch the same thing."""
        return (self.target(options),) if self.targets is None else self.targets(options)

    def conversation(self, options: Options) -> tuple[str, ...]:
        """What agents must have in common to share a session with the device: all but their own options and budgets."""
        shared = sorted(set(self.argument_spec) - self.own_options)
        return (self.name, *(f"{name}={options.get(name)!r}" for name in shared))


# Options that every *_power module and every agent has. Budgets in seconds; their defaults belong to the type.
COMMON_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "timeout": {"type": "float"},
    "read_timeout": {"type": "float"},
}
