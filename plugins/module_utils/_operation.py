# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""One operation on one agent: read its power, or switch it and wait until the device says so.

Budgets, attempts, polling and the rule that evidence decides are written here once for every driver.
This file sends no packet and owns no thread: it gets the exchanges with the device and a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    Busy,
    DeviceError,
    Power,
    Reading,
    Reason,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._pace import Pace


class Operation(str, Enum):
    """What an agent can be asked for."""

    READ = "read"
    OFF = "off"
    ON = "on"

    def __str__(self) -> str:
        return self.value

    @property
    def wanted(self) -> Power:
        """The power that a switching operation is to reach."""
        return Power(self.value)


class Clock(Protocol):
    """The time, in seconds, and a way to let it pass."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Exchanges(Protocol):
    """Single requests to one agent's device. Each ends within ``left_s`` seconds or raises a DeviceError by then."""

    async def read(self, left_s: float) -> Reading: ...

    async def switch(self, power: Power, left_s: float) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What became of one operation.

    ``power`` is the last reading, UNKNOWN when the last look failed. ``sent`` says that a command may have reached
    the device. ``reason`` is None exactly when the operation did what it was asked: for a read that the power is known, for
    a switch that the device was read in the wanted state.
    """

    power: Power
    sent: bool = False
    attempts: int = 0
    reason: Reason | None = None
    msg: str = ""
    raw: str = ""
    duration_s: float = 0.0

    @property
    def ok(self) -> bool:
        return self.reason is None

    @property
    def answered(self) -> bool:
        """The device gave a reading, even if an unknown one: an error is no answer."""
        return self.power is not Power.UNKNOWN or self.raw != ""


# Failures that may be over a moment later.
TRANSIENT = frozenset({Reason.TIMEOUT, Reason.UNREACHABLE, Reason.BUSY, Reason.BAD_REPLY})
# Failures before anything that could switch power was on its way.
NOTHING_SENT = frozenset(
    {
        Reason.AUTH,
        Reason.UNREACHABLE,
        Reason.BUSY,
        Reason.TLS,
        Reason.HOST_KEY,
        Reason.NOT_FOUND,
        Reason.UNSUPPORTED,
    }
)
# A second command is sent after these only (DESIGN: off after no answer; on after all that another try may change).
SEND_AGAIN = {
    Operation.OFF: frozenset({Reason.TIMEOUT, Reason.UNREACHABLE}),
    Operation.ON: frozenset(Reason)
    - {Reason.AUTH, Reason.NOT_FOUND, Reason.UNSUPPORTED, Reason.TLS, Reason.HOST_KEY, Reason.VETOED},
}
ATTEMPTS = 2
UNREACHABLE_TRIES = 2
FIRST_POLL_S = 0.05
LONGEST_POLL_S = 1.0
POLL_GROWTH = 1.6


async def read_power(exchanges: Exchanges, budget_s: float, clock: Clock) -> Outcome:
    """Read once; ask again within the budget while the device is silent or busy.

    A device that refuses the connection is asked twice, everything else that is final ends the operation at once.
    """
    began = clock.now()
    end = began + budget_s
    attempts = 0
    refused_connections = 0
    pause_s = FIRST_POLL_S
    while True:
        attempts += 1
        try:
            reading = await exchanges.read(end - clock.now())
        except DeviceError as error:
            refused_connections += error.reason is Reason.UNREACHABLE
            final = error.reason not in TRANSIENT or refused_connections >= UNREACHABLE_TRIES
            wait_s = _pause(error, pause_s)
            if final or clock.now() + wait_s >= end:
                return _ended(_failed(error, attempts, sent=False), clock.now() - began)
            await clock.sleep(wait_s)
            pause_s = min(pause_s * POLL_GROWTH, LONGEST_POLL_S)
            continue
        return _ended(_read(reading, attempts), clock.now() - began)


async def switch_power(
    exchanges: Exchanges, operation: Operation, budget_s: float, clock: Clock, pace: Pace | None = None
) -> Outcome:
    """Send on or off and poll the device at its pace until it reads so, or the budget ends."""
    pace = pace or Pace()
    began = clock.now()
    end = began + budget_s
    sent = False
    outcome = Outcome(Power.UNKNOWN)
    for attempt in range(1, ATTEMPTS + 1):
        complaint = await _send(exchanges, operation.wanted, end, clock)
        sent = sent or complaint is None or complaint.reason not in NOTHING_SENT
        outcome = await _await_power(exchanges, operation, complaint, end, clock, pace)
        outcome = replace(outcome, sent=sent, attempts=attempt)
        again = complaint is not None and complaint.reason in SEND_AGAIN[operation] and clock.now() < end
        if outcome.ok or not again:
            break
    return _ended(outcome, clock.now() - began)


async def ensure_power(
    exchanges: Exchanges, before: Outcome, operation: Operation, budget_s: float, clock: Clock, pace: Pace | None = None
) -> Outcome:
    """Switch only what was not read in the wanted state; a read that failed for good is not followed by a command."""
    settled = before.ok and before.power is operation.wanted
    hopeless = not before.ok and before.reason not in TRANSIENT | {Reason.UNCONFIRMED}
    if settled or hopeless:
        return before
    return await switch_power(exchanges, operation, budget_s, clock, pace)


async def _send(exchanges: Exchanges, power: Power, end: float, clock: Clock) -> DeviceError | None:
    """Send one command; a device that is busy is asked again until the budget ends. Returns its complaint."""
    pause_s = FIRST_POLL_S
    while True:
        try:
            await exchanges.switch(power, end - clock.now())
        except Busy as error:
            wait_s = _pause(error, pause_s)
            if clock.now() + wait_s >= end:
                return error
            await clock.sleep(wait_s)
            pause_s = min(pause_s * POLL_GROWTH, LONGEST_POLL_S)
        except DeviceError as error:
            return error
        else:
            return None


async def _await_power(
    exchanges: Exchanges, operation: Operation, complaint: DeviceError | None, end: float, clock: Clock, pace: Pace
) -> Outcome:
    """Poll until the device reads as wanted.

    After a complaint one look is enough: what the device reads decides, and the caller may send again.
    """
    began = clock.now()
    seen: Outcome | None = None
    for pause_s in pace.pauses(operation.wanted):
        try:
            reading = await exchanges.read(end - clock.now())
        except DeviceError as error:
            outcome = _failed(error, 0, sent=True)
            final = error.reason not in TRANSIENT
            if seen is not None and not final:
                # What the device read before it fell silent says more than its silence.
                outcome = replace(outcome, reason=seen.reason, msg=f"{seen.msg}; then {error.seen}")
        else:
            if reading.power is operation.wanted:
                if complaint is None:
                    pace.learn(operation.wanted, clock.now() - began)
                return _read(reading, 0)
            outcome = seen = _not_reached(operation, reading, clock.now() - began)
            final = False
        if complaint is not None:
            return replace(outcome, reason=complaint.reason, msg=str(complaint))
        if final or clock.now() + pause_s >= end:
            return outcome
        await clock.sleep(pause_s)
    raise AssertionError("a pace has no end")


def _pause(error: DeviceError, pause_s: float) -> float:
    wish_s = error.retry_after_s if isinstance(error, Busy) else None
    return max(pause_s, wish_s or 0.0)


def _read(reading: Reading, attempts: int) -> Outcome:
    raw = reading.raw or str(reading.power)
    if reading.power is Power.UNKNOWN:
        reason = reading.reason or Reason.BAD_REPLY
        return Outcome(Power.UNKNOWN, attempts=attempts, reason=reason, msg=reading.msg or f"it reads {raw}", raw=raw)
    return Outcome(reading.power, attempts=attempts, raw=raw)


def _failed(error: DeviceError, attempts: int, sent: bool) -> Outcome:
    return Outcome(Power.UNKNOWN, sent=sent, attempts=attempts, reason=error.reason, msg=str(error))


def _not_reached(operation: Operation, reading: Reading, waited_s: float) -> Outcome:
    if reading.power is Power.UNKNOWN:
        seen = f"it reads {reading.raw or 'unknown'}, not {operation}, {waited_s:.1f} s after {operation} was accepted"
        seen += f" ({reading.msg})" if reading.msg else ""
        advice = "look at the device"
    else:
        seen = f"still {reading.power} {waited_s:.1f} s after {operation} was accepted"
        advice = "is the outlet locked, or the device slower than its timeout?"
    raw = reading.raw or str(reading.power)
    return Outcome(reading.power, reason=Reason.UNCONFIRMED, msg=f"{seen}; {advice}", raw=raw)


def _ended(outcome: Outcome, duration_s: float) -> Outcome:
    return replace(outcome, duration_s=duration_s)
