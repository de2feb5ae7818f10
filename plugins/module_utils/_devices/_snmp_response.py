# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The objects of an SNMP response, read from its bytes.

pysnmp would make three Python objects of each number: for a PDU with 24 outlets two thirds of the work of a read.
This file knows the Basic Encoding Rules as far as a list of variable bindings needs them, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Union

Oid = tuple[int, ...]


class Missing(Enum):
    """The device has no such object."""

    MISSING = "missing"


MISSING = Missing.MISSING


@dataclass(frozen=True)
class Unreadable:
    """A value that is neither a number (INTEGER), a text (OCTET STRING) nor an OID."""

    kind: str


@dataclass(frozen=True)
class Unsigned:
    """A number that is Gauge32 or Unsigned32 (they have one tag), not INTEGER."""

    number: int


Value = Union[int, bytes, Oid, Unsigned, Missing, Unreadable]

INTEGER, OCTETS, OID, SEQUENCE, GAUGE = 0x02, 0x04, 0x06, 0x30, 0x42
# RFC 3416: noSuchObject, noSuchInstance, endOfMibView.
EXCEPTIONS = frozenset({0x80, 0x81, 0x82})
KINDS = {
    0x05: "Null",
    0x40: "IpAddress",
    0x41: "Counter32",
    0x43: "TimeTicks",
    0x44: "Opaque",
    0x46: "Counter64",
}


def objects_in(data: bytes) -> tuple[tuple[Oid, Value], ...]:
    """The rows of a whole VarBindList. Raises ValueError if it is none."""
    start, end = _content(data, 0, len(data), SEQUENCE)
    if end != len(data):
        raise ValueError("something is behind the list")
    return tuple(_rows(data, start, end))


def _rows(data: bytes, at: int, end: int) -> Iterator[tuple[Oid, Value]]:
    while at < end:
        at, row_end = _content(data, at, end, SEQUENCE)
        name_at, name_end = _content(data, at, row_end, OID)
        if name_end >= row_end:
            raise ValueError("a row without a value")
        tag = data[name_end]
        value_at, value_end = _content(data, name_end, row_end, tag)
        if value_end != row_end:
            raise ValueError("something is behind the value")
        yield _oid(data[name_at:name_end]), _value(tag, data[value_at:value_end])
        at = row_end


def _content(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where the content of the element at this place begins and ends."""
    if at + 2 > end or data[at] != tag:
        raise ValueError("another element was to be here")
    length, at = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if not size:
            raise ValueError("an element without a length")
    if at + length > end:
        raise ValueError("an element that is cut")
    return at, at + length


def _value(tag: int, content: bytes) -> Value:
    """The tag decides: a Counter is no INTEGER."""
    if tag in EXCEPTIONS:
        return MISSING
    if tag in (INTEGER, GAUGE):
        if not content:
            raise ValueError("a number without digits")
        return (
            int.from_bytes(content, "big", signed=True) if tag == INTEGER else Unsigned(int.from_bytes(content, "big"))
        )
    if tag == OCTETS:
        return content
    if tag == OID:
        return _oid(content)
    return Unreadable(KINDS.get(tag, f"tag {tag}"))


@lru_cache(maxsize=4096)  # the same outlets are asked again and again
def _oid(content: bytes) -> Oid:
    if not content or content[-1] & 0x80:
        raise ValueError("an OID that is cut")
    numbers: list[int] = []
    number = 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return (first, numbers[0] - first * 40, *numbers[1:])
