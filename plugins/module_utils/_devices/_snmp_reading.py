# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""What the values of one outlet prove about its power. Whatever is not documented as on or off is unknown.

This file sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Power, Reading, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_response import (
    MISSING,
    Missing,
    Unreadable,
    Unsigned,
    Value,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import Column, Family, Guard

LONGEST_NAME = 64


@dataclass(frozen=True)
class Row:
    """What the PDU said about one outlet in one answer. Without a name nobody asked for it."""

    status: Any
    guards: tuple[Any, ...]
    permission: Any = MISSING
    name: str = ""


def reading_of(family: Family, row: Row, trust_status: bool) -> Reading:
    """The power that a row proves. Whatever is not documented as on or off is unknown."""
    raw = f"{shown(row.status)}"
    state = family.states.get(row.status) if isinstance(row.status, (int, str)) else None
    if state is None:
        return _unknown(
            raw,
            Reason.BAD_REPLY,
            f"{shown(row.status)} is no documented status of a {family.model}; is the model right?",
        )
    raw = f"{raw} ({state.text})" + (f", named {row.name}" if row.name else "")
    if state.power is Power.UNKNOWN:
        return _unknown(raw, Reason.UNCONFIRMED, f"the PDU says: {state.text}")
    for guard, value in zip(family.guards, row.guards, strict=True):
        doubt = _doubt(guard, value, state.power, trust_status)
        if doubt:
            return _unknown(f"{raw}, but {shown(value)}", *doubt)
    return Reading(state.power, raw)


def _doubt(guard: Guard, value: Any, power: Power, trust_status: bool) -> tuple[Reason, str] | None:
    """Why this guard does not let the power stand; None if it does."""
    settled = guard.settled.get(power)
    if settled is None or value in settled:
        return None
    if value is MISSING:
        if power is Power.ON or trust_status:
            return None
        return Reason.UNCONFIRMED, "the firmware has no object that confirms the status; update it, or set trust_status"
    if value in guard.texts:
        return Reason.UNCONFIRMED, f"the PDU says: {guard.texts[value]}"
    return Reason.BAD_REPLY, f"{shown(value)} is no documented value beside the status"


def _unknown(raw: str, reason: Reason, msg: str) -> Reading:
    return Reading(Power.UNKNOWN, raw, reason, msg)


def shown(value: Any) -> str:
    if value is MISSING:
        return "no such object"
    if isinstance(value, Unreadable):
        return f"a value of type {value.kind}"
    return printable(value) if isinstance(value, str) else str(value)


def printable(text: str) -> str:
    kept = "".join(character if character.isprintable() else "?" for character in text)
    return kept if len(kept) <= LONGEST_NAME else kept[:LONGEST_NAME] + "..."


def text_of(value: Any) -> str | None:
    """A text of the device; agents pad with NULs and blanks."""
    if not isinstance(value, bytes):
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.strip("\0 \t\r\n")


def told(column: Column, value: Value, index: Mapping[str, int]) -> Any:
    """A value as the table writes it. A text where a number belongs is unreadable, and the other way round."""
    if isinstance(value, (Missing, Unreadable)):
        return value
    if isinstance(value, Unsigned):
        value = value.number if column.unsigned else Unreadable("Gauge32")
        return Unreadable("number") if column.element else value
    if not column.element:
        return value if isinstance(value, int) else Unreadable("text" if isinstance(value, bytes) else "OID")
    text = text_of(value)
    if text is None:
        return Unreadable("number" if isinstance(value, int) else "OID")
    part = column.part(text, index)
    return MISSING if part is None else part


def combined(readings: Sequence[tuple[str, Reading]]) -> Reading:
    """The power of several outlets that an agent has as one: what all of them say, else unknown."""
    if len(readings) == 1:
        return readings[0][1]
    raw = "; ".join(f"{outlet}: {reading.raw}" for outlet, reading in readings)
    powers = {reading.power for _outlet, reading in readings}
    if powers in ({Power.ON}, {Power.OFF}):
        return Reading(powers.pop(), raw)
    doubts = [f"outlet {outlet}: {reading.msg}" for outlet, reading in readings if reading.power is Power.UNKNOWN]
    if doubts:
        return _unknown(raw, Reason.UNCONFIRMED, "; ".join(doubts))
    still = ", ".join(outlet for outlet, reading in readings if reading.power is Power.ON)
    return _unknown(raw, Reason.UNCONFIRMED, f"of its {len(readings)} outlets only {still} read on")


def doubt_told(guard: Guard, value: Any) -> bool:
    """The guard tells of something under way: a documented value that settles neither on nor off."""
    return value in guard.texts and not any(value in values for values in guard.settled.values())
