# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``snmp``: outlets of a PDU, read and switched through the objects of its family.

What differs between families is data in ``snmp_families.py``; options are in ``_snmp_options.py``, what values mean in
``_snmp_reading.py``, how packets travel in ``_snmp_session.py`` and ``_snmp_engine.py``.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Union

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceDriver,
    DeviceError,
    Kind,
    NotFound,
    Options,
    Power,
    Reading,
    Refused,
    TimedOut,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _snmp_engine as engine
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_options import (
    ARGUMENTS,
    OWN_OPTIONS,
    BadOption,
    Chosen,
    chosen_outlets,
    credentials,
    describe,
    device,
    index_in,
    kind_of,
    missing_library,
    port_of,
    problems,
    targets,
    untested_problem,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_reading import (
    Row,
    combined,
    doubt_told,
    printable,
    reading_of,
    shown,
    text_of,
    told,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_response import (
    MISSING,
    Oid,
    Unreadable,
    Unsigned,
    Value,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_session import Group, Session
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import (
    FAMILIES,
    Column,
    Family,
    Index,
    Sign,
    Write,
    matching,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._names import resolve

SYS_OBJECT_ID: Oid = (1, 3, 6, 1, 2, 1, 1, 2, 0)
# More outlet names than any PDU chain has.
MOST_NAMES = 4000
# How often a text about all outlets is read until it shows what was written.
SHOWN_S = 0.1


@dataclass(frozen=True)
class Place:
    """An outlet of this PDU. ``name`` is the name by which it was found, if it was."""

    index: Index
    name: str = ""

    def __str__(self) -> str:
        return str(Chosen(self.index))


# What became of each outlet, or of each agent.
Complaints = dict[Index, Union[DeviceError, None]]


class SnmpDevice(DeviceDriver):
    """Reads and switches the outlets of one PDU in one session. It learns the family and the outlets' names once."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._session: Session | None = None
        self._family: Family | None = FAMILIES.get(str(options.get("model")))
        self._named: dict[str, list[Index]] | None = None
        # What is asked of an outlet, worked out once: sweeps ask it again and again.
        self._asked: dict[tuple[Place, bool], tuple[list[Column], Group]] = {}

    def read_all(self, agents: Sequence[Options], deadline: Deadline) -> Sequence[Reading | DeviceError]:
        family = self._known_family(deadline)
        places = self._places(family, agents, deadline)
        rows = self._rows(family, _distinct(places), deadline)
        answers: list[Reading | DeviceError] = []
        for options, found in zip(agents, places, strict=True):
            outlets = _outlets_of(found, rows)
            if isinstance(outlets, DeviceError):
                answers.append(outlets)
                continue
            trusting = bool(options.get("trust_status"))
            answers.append(combined([(str(place), reading_of(family, row, trusting)) for place, row in outlets]))
        return answers

    def switch_all(self, agents: Sequence[Options], power: Power, deadline: Deadline) -> Sequence[DeviceError | None]:
        family = self._known_family(deadline)
        places = self._places(family, agents, deadline)
        rows = self._rows(family, _distinct(places), deadline, to_switch=True)
        # An agent is switched with all of its outlets, or with none.
        outlets = [_outlets_of(found, rows) for found in places]
        ready = {place.index: row for each in outlets if not isinstance(each, DeviceError) for place, row in each}
        done = self._switch_outlets(family, ready, power, deadline)
        return [each if isinstance(each, DeviceError) else _complaint_of(each, done) for each in outlets]

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    # Which family, and which outlets

    def _known_family(self, deadline: Deadline) -> Family:
        if self._family is None:
            family = self._detected(deadline)
            untested = untested_problem(family, self._options)
            if untested:
                raise Unsupported(f"this PDU is a {family.title}; {untested}")
            self._family = family
        return self._family

    def _detected(self, deadline: Deadline) -> Family:
        """The one family that the PDU's sysObjectID, and its firmware where needed, speak for. Never a guess."""
        advice = "set model to one of docs/pdu_families.md"
        seen = self._value(SYS_OBJECT_ID, deadline)
        if not isinstance(seen, tuple):
            raise Unsupported("the device does not tell its sysObjectID", advice)
        dotted = ".".join(str(number) for number in seen)
        found = [family for family, sign in matching(seen) if self._bears(sign, deadline)]
        if not found:
            raise Unsupported(f"no PDU family is known for sysObjectID {dotted}", advice)
        if len(found) > 1:
            names = ", ".join(family.model for family in found)
            raise Unsupported(f"sysObjectID {dotted} fits several families: {names}", "set model to the right one")
        return found[0]

    def _bears(self, sign: Sign, deadline: Deadline) -> bool:
        """Whether the PDU has what the sign demands beside its sysObjectID."""
        if not sign.object:
            return True
        value = self._value(Column(sign.object).oid({}), deadline)
        if value is MISSING or isinstance(value, Unreadable):
            return False
        return not sign.holds or sign.holds in (text_of(value) or "")

    def _places(self, family: Family, agents: Iterable[Options], deadline: Deadline) -> list[list[Place] | DeviceError]:
        """The outlets of each agent, or why it has none."""
        found: list[list[Place] | DeviceError] = []
        just_learned = False
        for options in agents:
            try:
                chosen = [(outlet, index_in(family, outlet)) for outlet in chosen_outlets(options)]
            except BadOption as bad:
                found.append(NotFound(f"option {bad.problem[0]} {bad.problem[1]}", "correct the agent"))
                continue
            if not just_learned and any(
                index is None and outlet.name not in (self._named or ()) for outlet, index in chosen
            ):
                self._named = self._names(family, deadline)
                just_learned = True
            try:
                found.append([Place(index) if index else self._place_named(outlet.name) for outlet, index in chosen])
            except NotFound as error:
                found.append(error)
        return found

    def _names(self, family: Family, deadline: Deadline) -> dict[str, list[Index]]:
        """All outlets by their names."""
        column = family.name
        if column is None:
            raise NotFound("these PDUs do not tell outlet names", "give the outlet's number")
        named: dict[str, list[Index]] = {}
        for oid, value in self._talk(deadline).walk(column.root(), MOST_NAMES, deadline):
            index = column.index(oid)
            name = _name_in(family, value)
            if index is not None and name is not None:
                named.setdefault(name, []).append(tuple(index[part] for part in family.parts))
        return named

    def _place_named(self, name: str) -> Place:
        named = self._named or {}
        found = named.get(name, [])
        if not found:
            count = sum(len(indices) for indices in named.values())
            raise NotFound(f"none of the PDU's {count} outlets is named so", "check the name; it must fit exactly")
        if len(found) > 1:
            where = ", ".join(str(Chosen(index)) for index in found)
            raise NotFound(
                f"{len(found)} outlets have this name: {where}", "name them apart, or give the number or index"
            )
        return Place(found[0], name)

    # Reading

    def _rows(
        self, family: Family, places: Sequence[Place], deadline: Deadline, to_switch: bool = False
    ) -> dict[Place, Row | DeviceError]:
        """What the PDU says now about these outlets: only what is needed, in as few requests as it takes.

        The name is asked for where an outlet was found by it, the permission before a command.
        """
        asked, groups = [], []
        for place in places:
            columns, group = self._objects(family, place, to_switch)
            asked.append(columns)
            groups.append(group)
        indices = [family.named(place.index) for place in places]
        texts = {
            oid
            for columns, group in zip(asked, groups, strict=True)
            for column, oid in zip(columns, group, strict=True)
            if column.element or column == family.name
        }
        answers = self._talk(deadline).get(groups, deadline, texts)
        rows: dict[Place, Row | DeviceError] = {}
        for place, index, columns, values in zip(places, indices, asked, answers, strict=True):
            row = self._row(family, place, index, dict(zip(columns, values, strict=True)))
            obstacle = _obstacle(family, row) if to_switch and isinstance(row, Row) else None
            rows[place] = obstacle or row
        return rows

    def _objects(self, family: Family, place: Place, to_switch: bool) -> tuple[list[Column], Group]:
        key = (place, to_switch)
        if key not in self._asked:
            columns, index = _columns(family, place, to_switch), family.named(place.index)
            self._asked[key] = columns, tuple(column.oid(index) for column in columns)
        return self._asked[key]

    def _row(
        self, family: Family, place: Place, index: dict[str, int], values: dict[Column, Value]
    ) -> Row | DeviceError:
        """One outlet. Without a status it is not there."""
        status = told(family.status, values[family.status], index)
        if status is MISSING:
            return NotFound(f"the PDU has no outlet {place} as a {family.model}", "check the outlet and the model")
        name = _name_in(family, values[family.name]) if family.name and family.name in values else None
        if place.name and name != place.name:
            # Somebody may be renaming outlets right now.
            self._named = None
            return NotFound("the outlet has another name than a moment ago", "look who changes the PDU, and run again")
        guards = tuple(told(guard.column, values[guard.column], index) for guard in family.guards)
        permission = values.get(family.permission.column, MISSING) if family.permission else MISSING
        return Row(status, guards, permission, printable(name or ""))

    # Switching

    def _switch_outlets(self, family: Family, rows: dict[Index, Row], power: Power, deadline: Deadline) -> Complaints:
        """Call off what is scheduled, do what must be done first, then send the command: each in one request for all."""
        done: Complaints = dict.fromkeys(rows)
        for cancel in family.cancels:
            due = [index for index, row in rows.items() if _is_due(family, cancel.when, row)]
            for index, complaint in self._write(family, cancel.write, due, deadline).items():
                # A firmware that cannot is no obstacle.
                done[index] = done[index] or (None if isinstance(complaint, Refused) else complaint)
        steps = [*family.first, family.off if power is Power.OFF else family.on]
        left: list[Index] = []
        for step in steps:
            left = [index for index, complaint in done.items() if complaint is None]
            done.update(self._write(family, step, left, deadline))
        together = len(left) > 1 and not family.one_write_per_request and not steps[-1].column.element
        if together and not any(done[index] for index in left):
            done.update(self._write_to_stragglers(family, {index: rows[index] for index in left}, power, deadline))
        return done

    def _write_to_stragglers(
        self, family: Family, before: Mapping[Index, Row], power: Power, deadline: Deadline
    ) -> Complaints:
        """An agent may say yes to a request for several outlets and obey its first part only: some outlets moved, and others did
        not. Those are sent the same command alone, which does no harm to one that is only slow. Where none moved all are slow."""
        try:
            now = self._rows(family, [Place(index) for index in before], deadline)
        except DeviceError:
            return {}
        moving: list[Index] = []
        still: list[Index] = []
        for index, row in before.items():
            seen = now[Place(index)]
            if isinstance(seen, Row) and reading_of(family, row, True).power not in (power, Power.UNKNOWN):
                here = reading_of(family, seen, True).power
                (moving if here in (power, Power.UNKNOWN) else still).append(index)
        done: Complaints = {}
        for index in still if moving else ():
            done.update(self._write(family, family.off if power is Power.OFF else family.on, [index], deadline))
        return done

    def _write(self, family: Family, write: Write, indices: Sequence[Index], deadline: Deadline) -> Complaints:
        if write.column.element:
            return self._write_parts(family, write, indices, deadline)
        if not indices:
            return {}
        writes = [(write.column.oid(family.named(index)), _written(write)) for index in indices]
        complaints = self._talk(deadline).set(writes, deadline, family.one_write_per_request)
        return dict(zip(indices, complaints, strict=True))

    def _write_parts(self, family: Family, write: Write, indices: Sequence[Index], deadline: Deadline) -> Complaints:
        """Change outlets' parts of the texts about all outlets, each text once."""
        by_text: dict[Oid, list[Index]] = {}
        for index in indices:
            by_text.setdefault(write.column.oid(family.named(index)), []).append(index)
        done: Complaints = {}
        for oid, together in by_text.items():
            complaint = self._write_text(oid, write, [family.named(index) for index in together], deadline)
            if len(together) > 1 and isinstance(complaint, (Refused, Busy, AuthenticationFailed)):
                for index in together:
                    done[index] = self._write_text(oid, write, [family.named(index)], deadline)
            else:
                done.update(dict.fromkeys(together, complaint))
        return done

    def _write_text(
        self, oid: Oid, write: Write, outlets: Sequence[dict[str, int]], deadline: Deadline
    ) -> DeviceError | None:
        """Change some outlets' parts of one text, and hold the PDU until it shows the change.

        Somebody who writes the text from an older reading would undo the change.
        """
        column = write.column
        with _alone_with(device(self._options), deadline):
            parts = column.split(self._whole_text(oid, deadline))
            if any(len(parts) < outlet["outlet"] for outlet in outlets):
                return BadReply(
                    "the text about the outlets has become shorter, so nothing was sent", "is the PDU restarting?"
                )
            for outlet in outlets:
                parts[outlet["outlet"] - 1] = str(write.value)
            whole = column.element.join(parts).encode()
            complaint = self._talk(deadline).set([(oid, whole)], deadline)[0]
            while complaint is None and deadline.remaining_s > SHOWN_S:
                try:
                    text = self._whole_text(oid, deadline)
                except DeviceError:
                    break  # the command was accepted; what it did, the next read tells
                if all(column.part(text, outlet) == write.value for outlet in outlets):
                    break
                time.sleep(SHOWN_S)
            return complaint

    def _whole_text(self, oid: Oid, deadline: Deadline) -> str:
        text = text_of(self._value(oid, deadline))
        if text is None:
            raise BadReply("the outlets' states are no text, so nothing was sent", "is the model right?")
        return text

    def _value(self, oid: Oid, deadline: Deadline) -> Value:
        return self._talk(deadline).get([(oid,)], deadline)[0][0]

    def _talk(self, deadline: Deadline) -> Session:
        if self._session is None:
            family, address = resolve(str(self._options["address"]), port_of(self._options), deadline)
            nowhere = engine.no_route(family, address)
            if nowhere:
                raise nowhere
            reading, writing = credentials(self._options)
            self._session = Session(family, address, reading, writing, str(self._options.get("context") or ""))
        return self._session


def prepare() -> None:
    """Make an SNMP engine in advance: to be called before forks, each of which then has its own copy. May be called again."""
    engine.prepare()


def _distinct(places: Iterable[list[Place] | DeviceError]) -> list[Place]:
    """The outlets of all agents, each once."""
    found = [place for each in places if not isinstance(each, DeviceError) for place in each]
    return list(dict.fromkeys(found))


def _outlets_of(
    found: list[Place] | DeviceError, rows: dict[Place, Row | DeviceError]
) -> list[tuple[Place, Row]] | DeviceError:
    """An agent's outlets with their rows, or why it cannot be answered for."""
    if isinstance(found, DeviceError):
        return found
    outlets = []
    for place in found:
        row = rows[place]
        if isinstance(row, DeviceError):
            return row
        outlets.append((place, row))
    return outlets


def _complaint_of(outlets: Sequence[tuple[Place, Row]], done: Complaints) -> DeviceError | None:
    """What became of the command to an agent's outlets."""
    failed = [(place, error) for place, _row in outlets if (error := done[place.index]) is not None]
    if not failed:
        return None
    place, error = failed[0]
    if len(outlets) > len(failed) and not isinstance(error, TimedOut):
        # A reason that says that nothing was sent would be wrong.
        return Refused(f"outlet {place}: {error.seen}, while the agent's other outlets were switched", error.advice)
    return error


def _columns(family: Family, place: Place, to_switch: bool) -> list[Column]:
    columns = [family.status, *(guard.column for guard in family.guards)]
    if to_switch and family.permission:
        columns.append(family.permission.column)
    if place.name and family.name:
        columns.append(family.name)
    return list(dict.fromkeys(columns))


def _obstacle(family: Family, row: Row) -> DeviceError | None:
    """Why no command is sent to an outlet that is there."""
    if isinstance(row.status, Unreadable):
        return BadReply(f"the outlet's status is {shown(row.status)}, so nothing was sent", "is the model right?")
    permission = family.permission
    if permission is None or not isinstance(row.permission, int) or row.permission not in permission.forbids:
        return None
    return Unsupported(
        f"the PDU says that {permission.forbids[row.permission]}", "allow it on the PDU, or use another outlet"
    )


def _written(write: Write) -> int | Unsigned | bytes:
    if isinstance(write.value, str):
        return write.value.encode()
    return Unsigned(write.value) if write.column.unsigned else write.value


def _is_due(family: Family, when: Iterable[int], row: Row) -> bool:
    """Whether the PDU tells of a command that waits."""
    if when:
        return row.status in when
    return any(doubt_told(guard, value) for guard, value in zip(family.guards, row.guards, strict=True))


def _name_in(family: Family, value: Value) -> str | None:
    text = text_of(value)
    return text.split(family.name_ends)[0].strip() if text is not None and family.name_ends else text


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


def target(options: Options) -> str:
    """All of the agent's outlets as one word."""
    return " ".join(targets(options))


TYPE = AgentType(
    name="snmp",
    kind=Kind.SUPPLY,
    parallel=False,
    timeout_s=30.0,
    read_timeout_s=8.0,
    # A switch is a few requests, each of which some cards take a second for.
    exchange_s=4.0,
    usual_s={Power.OFF: 0.5, Power.ON: 0.5},
    argument_spec=ARGUMENTS,
    open_device=SnmpDevice,
    own_options=OWN_OPTIONS,
    describe=describe,
    device=device,
    target=target,
    targets=targets,
    problems=problems,
    kind_of=kind_of,
    missing_library=missing_library,
)
