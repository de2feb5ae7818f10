# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PDU that speaks SNMP v1, v2c and v3 on a UDP port, of any family in ``pdu_facts``.

The objects come from the table, the outlets are switch points; nothing in here knows of hosts or of the rack.
"""

from __future__ import annotations

import bisect
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lab.faults import FaultBoard
from lab.pdu_facts import Commands, Family, Flag, States, fill, oid
from lab.snmp_message import (
    COUNTER,
    END_OF_MIB,
    GAUGE,
    GET,
    GET_BULK,
    GET_NEXT,
    INTEGER,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    NULL,
    OCTETS,
    OID,
    REPORT,
    RESPONSE,
    SET,
    TICKS,
    V1,
    Bindings,
    Community,
    Malformed,
    Oid,
    Pdu,
    Secured,
    User,
    Value,
    decode,
    decode_scoped,
    scoped,
    text,
)
from lab.switch_point import Action, OutletPoint, Refused, Status, SwitchPoint
from lab.wire import Address, DatagramDevice

# error-status, RFC 3416 section 3; and what v1 says instead, RFC 3584 section 4.4
ERRORS = {
    "noSuchName": 2,
    "genErr": 5,
    "noAccess": 6,
    "wrongType": 7,
    "wrongValue": 10,
    "noCreation": 11,
    "resourceUnavailable": 13,
    "commitFailed": 14,
    "authorizationError": 16,
    "notWritable": 17,
}
IN_V1 = {6: 2, 7: 3, 10: 3, 11: 2, 13: 5, 14: 5, 16: 2, 17: 2}

SYSTEM = (1, 3, 6, 1, 2, 1, 1)
USM_STATS = (1, 3, 6, 1, 6, 3, 15, 1, 1)
UNSUPPORTED_LEVEL, NOT_IN_WINDOW, UNKNOWN_USER, UNKNOWN_ENGINE, WRONG_DIGEST, DECRYPTION_ERROR = 1, 2, 3, 4, 5, 6
TIME_WINDOW_S = 150
UNLOCKED_S = 10.0


class SetFailed(Exception):
    """A SET that the PDU does not do."""

    def __init__(self, error: str | int) -> None:
        super().__init__(str(error))
        self.status = ERRORS[error] if isinstance(error, str) else error


@dataclass(frozen=True)
class Entry:
    """One object: how to read it, what outlet it speaks of, and how to write it. A write is checked, then done."""

    read: Callable[[], Value]
    outlet: int | None = None
    check: Callable[[Value], None] | None = None
    write: Callable[[Value, str], None] | None = None


@dataclass(frozen=True)
class Access:
    """Who may speak to a PDU."""

    versions: frozenset[int]
    read_communities: frozenset[bytes] = frozenset()
    write_communities: frozenset[bytes] = frozenset()
    users: Mapping[bytes, User] = field(default_factory=dict)


class PduTree:
    """The objects of one PDU, built from its family's facts."""

    def __init__(
        self, family: Family, points: Mapping[int, OutletPoint], names: Mapping[int, str], now: Callable[[], float]
    ) -> None:
        self._family = family
        self._points = points
        self._names = names
        self._now = now
        self._started = now()
        self._queue: dict[int, Action] = {}
        self._unlocked_until: dict[int, float] = {}
        self._entries: dict[Oid, Entry] = {}
        self._build()
        self._order = sorted(self._entries)

    def get(self, name: Oid) -> Entry | None:
        entry = self._entries.get(name)
        if entry is not None and entry.outlet is not None and self._points[entry.outlet].fault("missing") is not None:
            return None
        return entry

    def refuses(self, outlet: int | None) -> bool:
        """Whether a command to this outlet would be refused now."""
        return outlet is not None and self._points[outlet].refuses

    def has_object(self, name: Oid) -> bool:
        """Whether there is a sibling in the same column, so that only the instance is missing."""
        at = bisect.bisect_left(self._order, name[:-1])
        return at < len(self._order) and self._order[at][: len(name) - 1] == name[:-1]

    def after(self, name: Oid) -> Oid | None:
        at = bisect.bisect_right(self._order, name)
        while at < len(self._order) and self.get(self._order[at]) is None:
            at += 1
        return self._order[at] if at < len(self._order) else None

    # The objects

    def _build(self) -> None:
        family = self._family
        self._system()
        for number in self._points:
            self._outlet(number)
        for template, constant in family.constants.items():
            for number in self._points if "{n" in template or "{aten" in template else (1,):
                self._entries[oid(template, number)] = Entry(self._constant(constant, number))
        if family.count:
            self._entries[oid(family.count)] = Entry(lambda: Value(INTEGER, len(self._points)))
        if family.all_outlets:
            self._entries[oid(family.all_outlets.oid)] = self._commander(family.all_outlets, tuple(self._points))
        if family.commit:
            self._entries[oid(family.commit)] = Entry(
                lambda: Value(INTEGER, int(bool(self._queue))), None, self._one_of({0, 1}), self._commit
            )
        if family.all_states:
            where, on, off = family.all_states
            self._entries[oid(where)] = Entry(lambda: self._words(lambda status: status.on, on, off))
        if family.all_pending:
            where, yes, no = family.all_pending
            self._entries[oid(where)] = Entry(lambda: self._words(lambda status: status.moving_to is not None, yes, no))
        if family.one_string:
            self._entries[oid(family.one_string)] = Entry(self._string, None, self._check_string, self._write_string)

    def _system(self) -> None:
        family = self._family
        rows = {
            1: lambda: text(family.vendor),
            2: lambda: Value(OID, oid(family.sys_object_id)),
            3: lambda: Value(TICKS, int((self._now() - self._started) * 100)),
            4: lambda: text("virtual rack"),
            5: lambda: text(family.model),
            6: lambda: text("rack 1"),
            7: lambda: Value(INTEGER, 72),
        }
        for number, read in rows.items():
            self._entries[(*SYSTEM, number, 0)] = Entry(read)

    def _outlet(self, number: int) -> None:
        family, point = self._family, self._points[number]
        entries = self._entries
        if not family.one_string:
            entries[oid(family.status.oid, number)] = Entry(lambda: self._state(family.status, point), number)
        if family.commands and family.commands.oid == family.status.oid:
            entries[oid(family.status.oid, number)] = replace(
                self._commander(family.commands, (number,)), read=lambda: self._state(family.status, point)
            )
        elif family.commands:
            entries[oid(family.commands.oid, number)] = self._commander(family.commands, (number,))
        for seconds in family.seconds:
            entries[oid(seconds.oid, number)] = self._delay(seconds.action, number)
        if family.pending:
            flag = family.pending
            entries[oid(flag.oid, number)] = Entry(
                lambda: Value(INTEGER, flag.yes if point.read().moving_to is not None else flag.no), number
            )
        for name in family.names:
            entries[oid(name, number)] = Entry(lambda: text(self._name(number)), number)
        if family.switchable:
            switch = family.switchable
            entries[oid(switch.oid, number)] = Entry(
                lambda: Value(INTEGER, switch.yes if point.fault("unswitchable") is None else switch.no), number
            )
        if family.relay_failed:
            relay = family.relay_failed
            entries[oid(relay.oid, number)] = Entry(
                lambda: Value(INTEGER, relay.no if point.fault("relay_failed") is None else relay.yes), number
            )
        if family.mirror:
            mirror = family.mirror
            entries[oid(mirror.oid, number)] = Entry(lambda: self._mirrored(mirror, point), number)
        if family.going_to:
            goal = family.going_to
            entries[oid(goal.oid, number)] = Entry(
                lambda: Value(self._tag, goal.yes if self._goal(point) else goal.no), number
            )
        if family.unlock:
            entries[oid(family.unlock, number)] = Entry(
                lambda: Value(INTEGER, int(self._unlocked(number))),
                number,
                self._one_of({0, 1}),
                lambda value, _source: self._unlock(number, value),
            )
        if family.switched_at:
            entries[oid(family.switched_at, number)] = Entry(
                lambda: Value(GAUGE, int(time.time() - (self._now() - point.switched_at))), number
            )
        if family.control_state:
            control = family.control_state
            entries[oid(control.oid, number)] = Entry(lambda: self._control_state(control, point), number)

    @property
    def _tag(self) -> int:
        return GAUGE if self._family.gauge else INTEGER

    def _mirrored(self, mirror: Flag, point: SwitchPoint) -> Value:
        lies = point.fault("relay_failed") is not None and self._family.relay_failed is None
        return Value(self._tag, mirror.yes if point.truth().on is not lies else mirror.no)

    @staticmethod
    def _goal(point: SwitchPoint) -> bool:
        status = point.truth()
        return status.on if status.moving_to is None else status.moving_to

    def _unlock(self, number: int, value: Value) -> None:
        self._unlocked_until[number] = self._now() + UNLOCKED_S if value.data else 0.0

    def _unlocked(self, number: int) -> bool:
        return self._family.unlock is None or self._now() < self._unlocked_until.get(number, 0.0)

    def _name(self, number: int) -> str:
        name = self._names.get(number, f"Outlet {number}")
        return f"{name},0,0" if self._family.one_string else name  # DGPRPM-MIB: the name is before the first comma

    @staticmethod
    def _constant(constant: int | str | bytes, number: int) -> Callable[[], Value]:
        if isinstance(constant, int):
            return lambda: Value(INTEGER, constant)
        if isinstance(constant, bytes):
            return lambda: Value(OCTETS, constant)
        filled = fill(constant, number)
        if filled.startswith("#"):
            return lambda: Value(INTEGER, int(filled[1:]))
        return lambda: text(filled)

    def _state(self, states: States, point: SwitchPoint) -> Value:
        status = point.read()
        if point.fault("wrong_type") is not None:
            return text("on" if status.on else "off")
        if status.forced is not None:
            return Value(self._tag, int(status.forced))
        if states.wanted:
            return Value(self._tag, states.value("on" if self._goal(point) else "off"))
        locked = states.value("locked_on" if status.on else "locked_off")
        if locked is not None and point.fault("unswitchable") is not None:
            return Value(INTEGER, locked)
        moving = None
        if status.moving_to is not None:
            moving = states.value("to_on" if status.moving_to else "to_off")
            moving = states.value("pending") if moving is None else moving
        stable = states.value("on" if status.on else "off")
        return Value(self._tag, stable if moving is None else moving)

    @staticmethod
    def _control_state(states: States, point: SwitchPoint) -> Value:
        status = point.read()
        if point.fault("unswitchable") is not None:
            return Value(INTEGER, states.value("locked_on" if status.on else "locked_off"))
        if status.moving_to is not None:
            return Value(INTEGER, states.value("to_on" if status.moving_to else "to_off"))
        return Value(INTEGER, states.value("on" if status.on else "off"))

    def _words(self, holds: Callable[[Status], bool], yes: str, no: str) -> Value:
        return text(" ".join(yes if holds(point.read()) else no for point in self._points.values()))

    # Commands

    def _one_of(self, numbers: Iterable[int]) -> Callable[[Value], None]:
        allowed = frozenset(numbers)

        def check(value: Value) -> None:
            if value.tag != self._tag:
                raise SetFailed("wrongType")
            if value.data not in allowed:
                raise SetFailed("wrongValue")

        return check

    def _commander(self, commands: Commands, outlets: tuple[int, ...]) -> Entry:
        def read() -> Value:
            if commands.rest is not None:
                return Value(INTEGER, commands.rest)
            if commands.locked is not None and self._points[outlets[0]].fault("unswitchable") is not None:
                return Value(INTEGER, commands.locked)
            wanted = Action.ON if self._points[outlets[0]].truth().on else Action.OFF
            return Value(INTEGER, next(number for number, action in commands.values.items() if action is wanted))

        def write(value: Value, source: str) -> None:
            if value.data in self._family.queue:
                self._queue.update(dict.fromkeys(outlets, self._family.queue[value.data]))
                return
            for number in outlets:
                self._command(number, commands.values[value.data], source)

        check = self._one_of([*commands.values, *self._family.queue])
        return Entry(read, outlets[0] if len(outlets) == 1 else None, check, write)

    def _command(self, number: int, action: Action, source: str) -> None:
        if not self._unlocked(number):
            return
        try:
            self._points[number].command(action, source)
        except Refused as refused:
            raise SetFailed(refused.how or "notWritable") from refused

    def _commit(self, value: Value, source: str) -> None:
        queued, self._queue = self._queue, {}
        for number, action in queued.items() if value.data else ():
            self._command(number, action, source)

    def _delay(self, action: Action, number: int) -> Entry:
        later = {Action.ON: Action.DELAYED_ON, Action.OFF: Action.DELAYED_OFF, Action.CYCLE: Action.DELAYED_CYCLE}

        def check(value: Value) -> None:
            if value.tag != INTEGER:
                raise SetFailed("wrongType")
            if value.data < -1:
                raise SetFailed("wrongValue")

        def write(value: Value, source: str) -> None:
            self._command(number, Action.CANCEL if value.data < 0 else later[action] if value.data else action, source)

        return Entry(lambda: Value(INTEGER, -1), number, check, write)

    # All outlets in one text

    def _string(self) -> Value:
        words = []
        for point in self._points.values():
            status = point.read()
            words.append(
                "-1"
                if point.fault("missing") is not None
                else str(int(status.on) if status.forced is None else status.forced)
            )
        return text(",".join(words + ["-1"] * (-len(words) % 8)))

    def _check_string(self, value: Value) -> None:
        if value.tag != OCTETS:
            raise SetFailed("wrongType")
        words = bytes(value.data or b"").split(b",")
        if len(words) != len(self._points) + -len(self._points) % 8 or not set(words) <= {b"0", b"1", b"-1", b"-2"}:
            raise SetFailed("wrongValue")

    def _write_string(self, value: Value, source: str) -> None:
        """Every element is a command, as on the device: who writes an old text back switches others."""
        for (number, point), word in zip(self._points.items(), value.data.split(b","), strict=False):
            wanted = {b"1": True, b"0": False}.get(word)
            status = point.truth()
            going_to = status.on if status.moving_to is None else status.moving_to
            if wanted is not None and wanted != going_to:
                self._command(number, Action.ON if wanted else Action.OFF, source)


class SnmpServer(DatagramDevice):
    """One PDU on the network."""

    def __init__(
        self,
        address: str,
        port: int,
        board: FaultBoard,
        tree: PduTree,
        access: Access,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(address, port, board)
        self.tree = tree
        self.access = access
        self._now = now
        self._engine_id = b"\x80\x00\x1f\x88\x04" + hashlib.md5(self.key.encode(), usedforsecurity=False).digest()[:8]
        self._boots = 1
        self._booted = now()
        self._reports: dict[int, int] = {}
        self.unheard = 0  # packets of somebody else that came while one conversation was served
        self._busy_with: Address | None = None
        self._busy_until = 0.0

    @property
    def alive(self) -> bool:
        return True

    def receive(self, data: bytes, addr: Any) -> None:
        """One conversation at a time, where the card is such a one: who comes while another is served is not heard."""
        processing_s = self.value("one_session")
        if processing_s is not None:
            now = self._now()
            if now < self._busy_until and self._busy_with != addr[:2]:
                self.requests += 1
                self.unheard += 1
                return
            self._busy_with, self._busy_until = addr[:2], now + float(processing_s)
        super().receive(data, addr)

    def send(self, reply: bytes, addr: Any, after_s: float) -> None:
        super().send(reply, addr, max(after_s, self._busy_until - self._now()))

    def answer(self, data: bytes, source: Address) -> bytes | None:
        message = decode(data)
        if isinstance(message, Community):
            return self._community(message, source)
        return self._secured(message, source)

    # v1 and v2c

    def _community(self, message: Community, source: Address) -> bytes | None:
        readable = message.community in self.access.read_communities
        writable = message.community in self.access.write_communities
        if message.version not in self.access.versions or not (readable or writable):
            return None
        if self.board.credentials_void(self.key):
            return None  # a wrong community is answered with silence, RFC 3584 section 5
        pdu = self._respond(message.pdu, message.version, writable, source)
        return None if pdu is None else replace(message, pdu=pdu).encode()

    # v3

    def _secured(self, message: Secured, source: Address) -> bytes | None:
        if 3 not in self.access.versions:
            return None
        if self.value("clock_reset") is not None:
            self.board.clear(self.key, "clock_reset")
            self._boots, self._booted = self._boots + 1, self._now()
        if message.engine_id != self._engine_id:
            return self._report(message, UNKNOWN_ENGINE, None)
        user = self.access.users.get(message.user)
        if user is None:
            return self._report(message, UNKNOWN_USER, None)
        if (message.authenticated, message.encrypted) != (bool(user.auth), bool(user.privacy)):
            return self._report(message, UNSUPPORTED_LEVEL, None)
        if message.authenticated:
            wanted = user.digest(self._engine_id, message.without_digest)
            if self.board.credentials_void(self.key) or not hmac.compare_digest(wanted, message.auth_params):
                return self._report(message, WRONG_DIGEST, None)
            if message.boots != self._boots or abs(message.time_s - self._time_s) > TIME_WINDOW_S:
                return self._report(message, NOT_IN_WINDOW, user)
        elif self.board.credentials_void(self.key):
            return self._report(message, UNKNOWN_USER, None)
        opened = self._open(message, user)
        if opened is None:
            return self._report(message, DECRYPTION_ERROR, None)
        key, context, request = opened
        pdu = self._respond(request, 3, True, source)
        return None if pdu is None else self._seal(message, user, key, scoped(self._engine_id, context, pdu))

    @property
    def _time_s(self) -> int:
        return int(self._now() - self._booted)

    def _open(self, message: Secured, user: User) -> tuple[bytes, bytes, Pdu] | None:
        """The privacy key that fits, the context and the request."""
        if not message.encrypted:
            _engine, context, request = decode_scoped(message.payload)
            return b"", context, request
        for key in user.privacy_keys(self._engine_id):
            try:
                plain = user.decrypt(key, message.boots, message.time_s, message.privacy_params, message.payload)
                _engine, context, request = decode_scoped(plain)
            except (ValueError, IndexError):
                continue
            return key, context, request
        return None

    def _seal(self, message: Secured, user: User, key: bytes, payload: bytes) -> bytes:
        boots, time_s, salt = self._boots, self._time_s, b""
        if user.privacy:
            payload, salt = user.encrypt(key, boots, time_s, payload)
        flags = message.flags & 0x03
        reply = Secured(message.message_id, flags, self._engine_id, boots, time_s, message.user, b"", salt, payload)
        return reply.signed(user) if user.auth else reply.encode()

    def _report(self, message: Secured, what: int, user: User | None) -> bytes | None:
        """RFC 3414 section 3.2. Only a time report is signed, so that the console may believe the clock in it."""
        if not message.reportable:
            return None
        self._reports[what] = self._reports.get(what, 0) + 1
        request_id = 0
        if not message.encrypted:
            request_id = decode_scoped(message.payload)[2].request_id
        row = ((*USM_STATS, what, 0), Value(COUNTER, self._reports[what]))
        payload = scoped(self._engine_id, b"", Pdu(REPORT, request_id, 0, 0, [row]))
        flags = 0x01 if user is not None else 0x00
        reply = Secured(
            message.message_id, flags, self._engine_id, self._boots, self._time_s, message.user, b"", b"", payload
        )
        return reply.signed(user) if user is not None else reply.encode()

    # Requests

    def _respond(self, pdu: Pdu, version: int, may_write: bool, source: Address) -> Pdu | None:
        if self.value("busy") is not None:
            return self._error(pdu, version, ERRORS["resourceUnavailable"], 0)
        if pdu.kind == GET:
            return self._get(pdu, version)
        if pdu.kind == GET_NEXT:
            return self._next(pdu, version)
        if pdu.kind == GET_BULK and version != V1:
            return self._bulk(pdu)
        if pdu.kind == SET:
            return self._set(pdu, version, may_write, f"{source[0]}:{source[1]}")
        raise Malformed(f"request {pdu.kind:#x}")

    @staticmethod
    def _error(pdu: Pdu, version: int, status: int, index: int) -> Pdu:
        return Pdu(
            RESPONSE, pdu.request_id, IN_V1.get(status, status) if version == V1 else status, index, pdu.bindings
        )

    @staticmethod
    def _result(pdu: Pdu, bindings: Bindings) -> Pdu:
        return Pdu(RESPONSE, pdu.request_id, 0, 0, bindings)

    def _get(self, pdu: Pdu, version: int) -> Pdu:
        rows: Bindings = []
        for index, (name, _value) in enumerate(pdu.bindings, 1):
            entry = self.tree.get(name)
            if entry is None and version == V1:
                return self._error(pdu, version, ERRORS["noSuchName"], index)
            missing = Value(NO_SUCH_INSTANCE if self.tree.has_object(name) else NO_SUCH_OBJECT)
            rows.append((name, missing if entry is None else entry.read()))
        return self._result(pdu, rows)

    def _row_after(self, name: Oid) -> tuple[Oid, Value] | None:
        following = self.tree.after(name)
        entry = None if following is None else self.tree.get(following)
        return None if following is None or entry is None else (following, entry.read())

    def _next(self, pdu: Pdu, version: int) -> Pdu:
        rows: Bindings = []
        for index, (name, _value) in enumerate(pdu.bindings, 1):
            row = self._row_after(name)
            if row is None and version == V1:
                return self._error(pdu, version, ERRORS["noSuchName"], index)
            rows.append((name, Value(END_OF_MIB)) if row is None else row)
        return self._result(pdu, rows)

    def _bulk(self, pdu: Pdu) -> Pdu:
        once, repeat = max(pdu.status, 0), min(max(pdu.index, 0), 50)
        rows: Bindings = []
        for name, _value in pdu.bindings[:once]:
            rows.append(self._row_after(name) or (name, Value(END_OF_MIB)))
        names = [name for name, _value in pdu.bindings[once:]]
        for _round in range(repeat):
            found = [self._row_after(name) or (name, Value(END_OF_MIB)) for name in names]
            rows += found
            names = [name for name, _value in found]
            if all(value.tag == END_OF_MIB for _name, value in found):
                break
        return self._result(pdu, rows)

    def _set(self, pdu: Pdu, version: int, may_write: bool, source: str) -> Pdu:
        """All or nothing: everything is checked before anything is written."""
        entries = []
        for index, (name, value) in enumerate(pdu.bindings, 1):
            entry = self.tree.get(name)
            try:
                entries.append((index, self._writable(entry, value, may_write), value))
            except SetFailed as failed:
                return self._error(pdu, version, failed.status, index)
        # What would refuse goes first, and alone.
        order = [each for each in entries if self.tree.refuses(each[1].outlet)] or entries
        for index, entry, value in order:
            try:
                if entry.write:
                    entry.write(value, source)
            except SetFailed as failed:
                return self._error(pdu, version, failed.status, index)
        return self._result(pdu, pdu.bindings)

    @staticmethod
    def _writable(entry: Entry | None, value: Value, may_write: bool) -> Entry:
        if not may_write:
            raise SetFailed("noAccess")
        if entry is None:
            raise SetFailed("noCreation")
        if entry.write is None or entry.check is None:
            raise SetFailed("notWritable")
        if value.tag == NULL:
            raise SetFailed("wrongType")
        entry.check(value)
        return entry
