# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``snmp``: one outlet of a PDU, read and switched through the objects of its family.

What differs between families is data in ``snmp_families.py``; how packets travel is in ``_snmp_engine.py``.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    BadReply,
    Busy,
    Deadline,
    Driver,
    Kind,
    NotFound,
    Power,
    Problem,
    Reading,
    Reason,
    Refused,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _snmp_engine as engine
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import (
    FAMILIES,
    Column,
    Family,
    Guard,
    Index,
    Oid,
    Permission,
    Write,
    matching,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._names import resolve

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "default": 161},
    "version": {"type": "str", "choices": ["1", "2c", "3"]},
    "community": {"type": "str", "no_log": True},
    "write_community": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "auth_protocol": {"type": "str", "choices": list(engine.AUTH_PROTOCOLS)},
    "auth_password": {"type": "str", "no_log": True},
    "priv_protocol": {"type": "str", "choices": list(engine.PRIV_PROTOCOLS)},
    "priv_password": {"type": "str", "no_log": True},
    "context": {"type": "str"},
    "outlet": {"type": "raw"},
    "outlet_name": {"type": "str"},
    "model": {"type": "str", "choices": sorted(FAMILIES)},
    "trust_status": {"type": "bool", "default": False},
}

SYS_OBJECT_ID: Oid = (1, 3, 6, 1, 2, 1, 1, 2, 0)
# RFC 3414, 11.2: a password has at least eight characters.
SHORTEST_PASSWORD = 8
# More outlet names than any PDU chain has.
MOST_NAMES = 4000
# How often a text about all outlets is read until it shows what was written.
SHOWN_S = 0.1
LONGEST_NAME = 64


# --- The outlet that the options name -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Chosen:
    """The outlet as it was written: a number or a full index (``numbers``), or a name."""

    numbers: Index = ()
    name: str = ""

    def __str__(self) -> str:
        return self.name or ".".join(str(number) for number in self.numbers)


class _BadOption(ValueError):
    """An option that cannot be used: its name, and what to write."""

    def __init__(self, option: str, what: str) -> None:
        super().__init__(option, what)
        self.problem: Problem = (option, what)


def chosen_outlet(options: Mapping[str, Any]) -> Chosen:
    """What ``outlet`` or ``outlet_name`` says; digits are a number, digits with dots an index, the rest is a name."""
    outlet, name = options.get("outlet"), options.get("outlet_name")
    if name:
        if outlet not in (None, ""):
            raise _BadOption("outlet_name", "cannot be given together with outlet")
        return Chosen(name=str(name))
    if outlet is None or outlet == "":
        raise _BadOption("outlet", "is missing: write the outlet's number, its name or its index, such as 7")
    if isinstance(outlet, bool) or not isinstance(outlet, (int, str)):
        # A YAML number such as 1.10 has lost its last digit by now.
        raise _BadOption("outlet", 'must be a number or a text; an index with a dot needs quotes, such as "1.10"')
    text = str(outlet).strip()
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)*", text):
        return Chosen(name=text)
    numbers = tuple(int(number) for number in text.split("."))
    if ".".join(str(number) for number in numbers) != text:
        raise _BadOption(
            "outlet", "has a number with leading zeros; write it without, or use outlet_name if it is a name"
        )
    if numbers[-1] < 1:
        raise _BadOption("outlet", f"cannot be {text}: outlets count from 1")
    return Chosen(numbers=numbers)


def index_in(family: Family, chosen: Chosen) -> Index | None:
    """The index in this family's tables; None for a name, which the PDU has to be asked for."""
    form = ".".join(family.parts)
    if chosen.name:
        if family.name is None:
            raise _BadOption("outlet", f"must be a number for {family.model}: these PDUs do not tell outlet names")
        return None
    if len(chosen.numbers) == len(family.parts):
        return chosen.numbers
    if len(chosen.numbers) == 1 and family.bare is not None:
        return family.bare + chosen.numbers
    example = ".".join("1" for _part in family.parts[1:]) + ".7" if len(family.parts) > 1 else "7"
    raise _BadOption(
        "outlet", f'{chosen} is not enough or too much for {family.model}: write {form}, such as "{example}"'
    )


# --- Options ------------------------------------------------------------------------------------------------------


def version_of(options: Mapping[str, Any]) -> str | None:
    """The version to speak: as told, else 3 with a username and 2c with a community."""
    if options.get("version"):
        return str(options["version"])
    if options.get("username"):
        return None if options.get("community") else "3"
    return "2c" if options.get("community") else None


def problems(options: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, before anything is contacted. One sentence for an option."""
    found: list[Problem] = []
    address = options.get("address")
    if not address or re.search(r"[\s/]", str(address)):
        found.append(("address", "must be the name or the address of the PDU"))
    if not 1 <= _port(options) <= 65535:
        found.append(("port", "must be between 1 and 65535"))
    found += _outlet_problems(options)
    version = version_of(options)
    if version is None and options.get("username"):
        found.append(("version", "is needed because both username and community are given: 3, 2c or 1"))
    elif version is None:
        found.append(("community", "is missing: give username for version 3, or community for version 2c or 1"))
    elif version == "3":
        found += _user_problems(options)
    else:
        found += _community_problems(version, options)
    return found


def _outlet_problems(options: Mapping[str, Any]) -> list[Problem]:
    try:
        chosen = chosen_outlet(options)
        if options.get("model") in FAMILIES:
            index_in(FAMILIES[options["model"]], chosen)
    except _BadOption as bad:
        return [bad.problem]
    return []


def _community_problems(version: str, options: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    if not options.get("community"):
        found.append(("community", f"is needed for version {version}"))
    if options.get("context"):
        found.append(("context", "needs version 3"))
    return found


def _user_problems(options: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    if not options.get("username"):
        found.append(("username", "is needed for version 3"))
    for kind in ("auth", "priv"):
        protocol, password = f"{kind}_protocol", f"{kind}_password"
        if options.get(password) and not options.get(protocol):
            found.append((protocol, f"is needed with {password}: write the one that the user has on the PDU"))
        if options.get(protocol) and not options.get(password):
            found.append((password, f"is needed with {protocol}"))
        if options.get(password) and len(str(options[password])) < SHORTEST_PASSWORD:
            found.append((password, f"must have at least {SHORTEST_PASSWORD} characters"))
    if options.get("priv_password") and not options.get("auth_password"):
        found.append(("auth_password", "is needed with priv_password: SNMP does not encrypt without authentication"))
    return found


def credentials(options: Mapping[str, Any]) -> tuple[engine.Credentials, engine.Credentials]:
    """What to read with, and what to write with."""
    version = version_of(options)
    if version == "3":
        user = engine.User(
            str(options.get("username") or ""),
            options.get("auth_protocol") if options.get("auth_password") else None,
            options.get("auth_password") or None,
            options.get("priv_protocol") if options.get("priv_password") else None,
            options.get("priv_password") or None,
        )
        return user, user
    reading = str(options.get("community") or "")
    writing = str(options.get("write_community") or reading)
    return engine.Community(version or "2c", reading), engine.Community(version or "2c", writing)


def device(options: Mapping[str, Any]) -> str:
    address = str(options.get("address") or "").lower().strip("[]")
    return f"[{address}]:{_port(options)}" if ":" in address else f"{address}:{_port(options)}"


def target(options: Mapping[str, Any]) -> str:
    """The device and the outlet; two ways to write one outlet are the same as far as the model tells."""
    try:
        chosen = chosen_outlet(options)
        family = FAMILIES.get(str(options.get("model")))
        index = index_in(family, chosen) if family else None
    except _BadOption:
        return f"{device(options)}/{options.get('outlet')}"
    return f"{device(options)}/{Chosen(numbers=index) if index else chosen}"


def describe(options: Mapping[str, Any]) -> str:
    return f"{options.get('address')}, outlet {options.get('outlet_name') or options.get('outlet')}"


def missing_library(options: Mapping[str, Any]) -> str | None:
    return engine.missing_library(encrypted=bool(options.get("priv_password")))


def _port(options: Mapping[str, Any]) -> int:
    port = options.get("port")
    return 161 if port is None else int(port)


# --- What a row means ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """What the PDU said about one outlet in one answer."""

    status: Any
    guards: tuple[Any, ...]
    permission: Any
    name: str


def reading_of(family: Family, row: Row, trust_status: bool) -> Reading:
    """The power that a row proves. Whatever is not documented as on or off is unknown."""
    raw = f"{_shown(row.status)}"
    state = family.states.get(row.status) if isinstance(row.status, (int, str)) else None
    if state is None:
        return _unknown(
            raw,
            Reason.BAD_REPLY,
            f"{_shown(row.status)} is no documented status of a {family.model}; is the model right?",
        )
    raw = f"{raw} ({state.text})" + (f", named {row.name}" if row.name else "")
    if state.power is Power.UNKNOWN:
        return _unknown(raw, Reason.UNCONFIRMED, f"the PDU says: {state.text}")
    for guard, value in zip(family.guards, row.guards, strict=True):
        doubt = _doubt(guard, value, state.power, trust_status)
        if doubt:
            return _unknown(f"{raw}, but {_shown(value)}", *doubt)
    return Reading(state.power, raw)


def _doubt(guard: Guard, value: Any, power: Power, trust_status: bool) -> tuple[Reason, str] | None:
    """Why this guard does not let the power stand; None if it does."""
    settled = guard.settled.get(power)
    if settled is None or value in settled:
        return None
    if value is engine.MISSING:
        if power is Power.ON or trust_status:
            return None
        return Reason.UNCONFIRMED, "the firmware has no object that confirms the status; update it, or set trust_status"
    if value in guard.texts:
        return Reason.UNCONFIRMED, f"the PDU says: {guard.texts[value]}"
    return Reason.BAD_REPLY, f"{_shown(value)} is no documented value beside the status"


def _unknown(raw: str, reason: Reason, msg: str) -> Reading:
    return Reading(Power.UNKNOWN, raw, reason, msg)


def _shown(value: Any) -> str:
    if value is engine.MISSING:
        return "no such object"
    if isinstance(value, engine.Unreadable):
        return f"a value of type {value.kind}"
    return _printable(value) if isinstance(value, str) else str(value)


def _printable(text: str) -> str:
    kept = "".join(character if character.isprintable() else "?" for character in text)
    return kept if len(kept) <= LONGEST_NAME else kept[:LONGEST_NAME] + "..."


def _text(value: Any) -> str | None:
    """A text of the device; agents pad with NULs and blanks."""
    if not isinstance(value, bytes):
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.strip("\0 \t\r\n")


def _told(column: Column, value: engine.Value, index: Mapping[str, int]) -> Any:
    """A value as the table writes it. A text where a number belongs is unreadable, and the other way round."""
    if isinstance(value, (engine.Missing, engine.Unreadable)):
        return value
    if not column.element:
        return value if isinstance(value, int) else engine.Unreadable("text" if isinstance(value, bytes) else "OID")
    text = _text(value)
    if text is None:
        return engine.Unreadable("number" if isinstance(value, int) else "OID")
    part = column.part(text, index)
    return engine.MISSING if part is None else part


# --- The driver ---------------------------------------------------------------------------------------------------


class SnmpDriver(Driver):
    """Reads and switches one outlet. It learns the family and the outlet's index once and keeps them."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._session: engine.Session | None = None
        self._family: Family | None = FAMILIES.get(str(options.get("model")))
        self._index: Index | None = None

    def read(self, deadline: Deadline) -> Reading:
        family, index = self._place(deadline)
        return reading_of(family, self._row(family, index, deadline), bool(self._options.get("trust_status")))

    def switch(self, power: Power, deadline: Deadline) -> None:
        family, index = self._place(deadline)
        row = self._row(family, index, deadline)
        if isinstance(row.status, engine.Unreadable):
            raise BadReply(f"the outlet's status is {_shown(row.status)}, so nothing was sent", "is the model right?")
        _refuse_if_forbidden(family.permission, row.permission)
        self._cancel_pending(family, index, row, deadline)
        write = family.off if power is Power.OFF else family.on
        if write.column.element:
            self._write_part(write, index, deadline)
        else:
            self._write(write, index, deadline)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _place(self, deadline: Deadline) -> tuple[Family, dict[str, int]]:
        """The family and the outlet's index in it."""
        if self._family is None:
            self._family = self._detected(deadline)
        family = self._family
        if self._index is None:
            chosen = chosen_outlet(self._options)
            try:
                self._index = index_in(family, chosen) or self._index_of_name(family, chosen.name, deadline)
            except _BadOption as bad:
                raise NotFound(f"option {bad.problem[0]} {bad.problem[1]}", "correct the agent") from None
        return family, family.named(self._index)

    def _row(self, family: Family, index: Mapping[str, int], deadline: Deadline) -> Row:
        """Everything about the outlet, in one request. An outlet without a status is not there."""
        columns = [family.status, *(guard.column for guard in family.guards)]
        extra = [column for column in (family.permission and family.permission.column, family.name) if column]
        oids = [column.oid(index) for column in [*columns, *extra]]
        distinct = list(dict.fromkeys(oids))
        values = dict(zip(distinct, self._talk(deadline).get(distinct, deadline), strict=True))
        told = [_told(column, values[column.oid(index)], index) for column in columns]
        if told[0] is engine.MISSING:
            raise NotFound(
                f"the PDU has no outlet {Chosen(tuple(index.values()))} as a {family.model}",
                "check the outlet and the model",
            )
        permission = values[family.permission.column.oid(index)] if family.permission else engine.MISSING
        name = _name_in(family, values[family.name.oid(index)]) if family.name else None
        self._check_name(name)
        return Row(told[0], tuple(told[1:]), permission, _printable(name or ""))

    def _check_name(self, name: str | None) -> None:
        """An outlet that was found by its name must still have it: somebody may be renaming outlets right now."""
        wanted = chosen_outlet(self._options).name
        if wanted and name != wanted:
            self._index = None
            raise NotFound("the outlet has another name than a moment ago", "look who changes the PDU, and run again")

    def _cancel_pending(self, family: Family, index: Mapping[str, int], row: Row, deadline: Deadline) -> None:
        """Call off a scheduled command that the PDU tells of; an old firmware that cannot is no obstacle."""
        told = any(_doubt_told(guard, value) for guard, value in zip(family.guards, row.guards, strict=True))
        for cancel in family.cancels:
            if row.status in cancel.when if cancel.when else told:
                try:
                    self._write(cancel.write, index, deadline)
                except Refused:
                    continue

    def _write(self, write: Write, index: Mapping[str, int], deadline: Deadline) -> None:
        value = write.value if isinstance(write.value, int) else write.value.encode()
        self._talk(deadline).set(write.column.oid(index), value, deadline)

    def _write_part(self, write: Write, index: Mapping[str, int], deadline: Deadline) -> None:
        """Change this outlet's part of a text about all outlets, and hold the PDU until it shows the change.

        Somebody who writes the text from an older reading would undo the change.
        """
        column, oid = write.column, write.column.oid(index)
        with _alone_with(device(self._options), deadline):
            text = self._whole_text(oid, deadline)
            parts = column.split(text)
            if len(parts) < index["outlet"]:
                raise BadReply(
                    "the text about the outlets has become shorter, so nothing was sent", "is the PDU restarting?"
                )
            parts[index["outlet"] - 1] = str(write.value)
            self._talk(deadline).set(oid, column.element.join(parts).encode(), deadline)
            while column.part(self._whole_text(oid, deadline), index) != write.value and deadline.remaining_s > SHOWN_S:
                time.sleep(SHOWN_S)

    def _whole_text(self, oid: Oid, deadline: Deadline) -> str:
        text = _text(self._talk(deadline).get([oid], deadline)[0])
        if text is None:
            raise BadReply("the outlets' states are no text, so nothing was sent", "is the model right?")
        return text

    def _detected(self, deadline: Deadline) -> Family:
        """The one family that the PDU's sysObjectID, and its firmware where needed, speak for. Never a guess."""
        advice = f"set model to one of: {', '.join(sorted(FAMILIES))}"
        seen = self._talk(deadline).get([SYS_OBJECT_ID], deadline)[0]
        if not isinstance(seen, tuple):
            raise Unsupported("the device does not tell its sysObjectID", advice)
        dotted = ".".join(str(number) for number in seen)
        found = [family for family in matching(seen) if self._has_firmware(family, deadline)]
        if not found:
            raise Unsupported(f"no PDU family is known for sysObjectID {dotted}", advice)
        if len(found) > 1:
            names = ", ".join(family.model for family in found)
            raise Unsupported(f"sysObjectID {dotted} fits several families: {names}", "set model to the right one")
        return found[0]

    def _has_firmware(self, family: Family, deadline: Deadline) -> bool:
        if family.firmware is None:
            return True
        text = _text(self._talk(deadline).get([Column(family.firmware.oid).oid({})], deadline)[0])
        return family.firmware.holds in (text or "")

    def _index_of_name(self, family: Family, name: str, deadline: Deadline) -> Index:
        column = family.name
        if column is None:
            raise NotFound("these PDUs do not tell outlet names", "give the outlet's number")
        found: list[Index] = []
        named = 0
        for oid, value in self._talk(deadline).walk(column.root(), MOST_NAMES, deadline):
            index = column.index(oid)
            if index is None:
                continue
            named += 1
            if _name_in(family, value) == name:
                found.append(tuple(index[part] for part in family.parts))
        if not found:
            raise NotFound(f"none of the PDU's {named} outlets is named so", "check the name; it must fit exactly")
        if len(found) > 1:
            where = ", ".join(str(Chosen(index)) for index in found)
            raise NotFound(
                f"{len(found)} outlets have this name: {where}", "name them apart, or give the number or index"
            )
        return found[0]

    def _talk(self, deadline: Deadline) -> engine.Session:
        if self._session is None:
            family, address = resolve(str(self._options["address"]), _port(self._options), deadline)
            nowhere = engine.no_route(family, address)
            if nowhere:
                raise nowhere
            reading, writing = credentials(self._options)
            self._session = engine.Session(family, address, reading, writing, str(self._options.get("context") or ""))
        return self._session


def _name_in(family: Family, value: engine.Value) -> str | None:
    text = _text(value)
    return text.split(family.name_ends)[0].strip() if text is not None and family.name_ends else text


def _refuse_if_forbidden(permission: Permission | None, value: Any) -> None:
    if permission is not None and isinstance(value, int) and value in permission.forbids:
        raise Unsupported(
            f"the PDU says that {permission.forbids[value]}", "allow it on the PDU, or use another outlet"
        )


def _doubt_told(guard: Guard, value: Any) -> bool:
    """The guard tells of something under way: a documented value that settles neither on nor off."""
    return value in guard.texts and not any(value in values for values in guard.settled.values())


_locks: dict[tuple[int, str], threading.Lock] = {}


@contextmanager
def _alone_with(name: str, deadline: Deadline) -> Iterator[None]:
    """Nobody else in this process changes the PDU meanwhile. A lock of the parent process is none of a child's."""
    lock = _locks.setdefault((os.getpid(), name), threading.Lock())
    if not lock.acquire(timeout=deadline.remaining_s):
        raise Busy("another outlet of this PDU is being switched", "raise the timeout")
    try:
        yield
    finally:
        lock.release()


TYPE = AgentType(
    name="snmp",
    kind=Kind.SUPPLY,
    parallel=False,
    timeout_s=30.0,
    read_timeout_s=8.0,
    # A switch is up to three requests, each of which some cards take a second for.
    exchange_s=4.0,
    argument_spec=ARGUMENTS,
    open=SnmpDriver,
    describe=describe,
    device=device,
    target=target,
    problems=problems,
    missing_library=missing_library,
)
