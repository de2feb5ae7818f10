# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""A conversation with one SNMP agent: get, walk, set, close, in as few packets as the agent takes.

This file knows what agents do to requests that are too big for them; it knows nothing of pysnmp and nothing of PDUs.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Union

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    Refused,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_engine import (
    Command,
    Community,
    Credentials,
    Peer,
    Question,
    Reply,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_response import (
    MISSING,
    Oid,
    Unreadable,
    Unsigned,
    Value,
)

# Objects whose values belong together: of one moment, so asked in one packet.
Group = tuple[Oid, ...]
Write = tuple[Oid, Union[int, Unsigned, bytes]]

# A read that is not answered is sent again beside the first one, so that a device slower than this is heard as well.
RESEND_S = 1.0
# What fits an Ethernet frame behind the headers of IP, UDP and SNMP (version 3 with encryption has the longest).
PACKET_BYTES = 1280
# What an object needs in an answer beside its OID: tags, lengths and a number; or a text, such as a name.
NUMBER_BYTES, TEXT_BYTES = 9, 70

# RFC 3416, error-status.
TOO_BIG, NO_SUCH_NAME, READ_ONLY, GEN_ERR, NO_ACCESS = 1, 2, 4, 5, 6
RESOURCE_UNAVAILABLE, AUTHORIZATION_ERROR, NOT_WRITABLE = 13, 16, 17
STATUS_NAMES = {
    1: "tooBig",
    2: "noSuchName",
    3: "badValue",
    4: "readOnly",
    5: "genErr",
    6: "noAccess",
    7: "wrongType",
    8: "wrongLength",
    9: "wrongEncoding",
    10: "wrongValue",
    11: "noCreation",
    12: "inconsistentValue",
    13: "resourceUnavailable",
    14: "commitFailed",
    15: "undoFailed",
    16: "authorizationError",
    17: "notWritable",
    18: "inconsistentName",
}


class Session:
    """A conversation with one SNMP agent. Opens nothing before its first request.

    ``address`` is what socket.connect takes for the family. Every call returns or raises a DeviceError within half a
    second of its deadline.
    """

    def __init__(
        self,
        family: socket.AddressFamily,
        address: tuple[Any, ...],
        reading: Credentials,
        writing: Credentials,
        context: str = "",
    ) -> None:
        self._peer = Peer(family, address, context)
        self._reading = reading
        self._writing = writing
        # How many objects the agent takes in one request: all that fit, until it complains.
        self._most = PACKET_BYTES

    def get(
        self, groups: Sequence[Group], deadline: Deadline, texts: AbstractSet[Oid] = frozenset()
    ) -> list[tuple[Value, ...]]:
        """The values of these groups of objects, in one request if the agent can answer so.

        What the agent does not tell about one group fails no other. ``texts`` are objects that are no numbers.
        """
        found: dict[Group, tuple[Value, ...]] = {}
        waiting = deque(self._packets(list(dict.fromkeys(groups)), texts))
        while waiting:
            packet = waiting.popleft()
            oids = _distinct(packet)
            reply = self._read(Command.GET, oids, deadline)
            if reply.status == 0:
                if tuple(oid for oid, value in reply.rows) != oids:
                    raise BadReply("the answer is about other objects than the question", "is the firmware up to date?")
                values = dict(reply.rows)
                found.update((group, tuple(values[oid] for oid in group)) for group in packet)
            elif reply.status not in (TOO_BIG, NO_SUCH_NAME, GEN_ERR):
                raise _read_refused(reply.status)
            elif len(packet) > 1:
                if reply.status == TOO_BIG:
                    self._most = max(1, len(oids) // 2)
                waiting.extendleft(reversed(_parted(packet, oids, reply)))
            elif len(oids) > 1:
                values = {oid: self.get([(oid,)], deadline, texts)[0][0] for oid in oids}
                found[packet[0]] = tuple(values[oid] for oid in packet[0])
            else:
                # Version 1 has no other word for an object that is missing, and some agents say genErr for it.
                missing = reply.status == NO_SUCH_NAME
                found[packet[0]] = (MISSING if missing else Unreadable(STATUS_NAMES[reply.status]),) * len(packet[0])
        return [found[group] for group in groups]

    def walk(self, root: Oid, limit: int, deadline: Deadline) -> list[tuple[Oid, Value]]:
        """All objects below ``root``; more than ``limit`` of them is a BadReply."""
        found: list[tuple[Oid, Value]] = []
        last = root
        bulk = not (isinstance(self._reading, Community) and self._reading.version == "1")
        while True:
            reply = self._read(Command.BULK if bulk else Command.NEXT, [last], deadline)
            if bulk and reply.status in (TOO_BIG, GEN_ERR):
                bulk = False
                continue
            if reply.status == NO_SUCH_NAME:
                return found
            if reply.status:
                raise _read_refused(reply.status)
            for oid, value in reply.rows:
                if value is MISSING or oid[: len(root)] != root:
                    return found
                if oid <= last:
                    raise BadReply("the device lists its objects in a circle", "is the firmware up to date?")
                found.append((oid, value))
                last = oid
                if len(found) > limit:
                    raise BadReply(f"the device lists more than {limit} objects", "give the outlet by number or index")
            if not reply.rows:
                return found

    def set(self, writes: Sequence[Write], deadline: Deadline, alone: bool = False) -> list[DeviceError | None]:
        """Write these objects, as many in one request as fit: the agent does all of them as if at once, or none (RFC 3416).

        A request that the agent refuses has done nothing, so each of its writes is sent alone then: one that is locked fails
        alone. Of a request that is not answered nobody knows. It is never sent again, and each of its writes has that error.
        ``alone``: one write in each request from the start.
        """
        packets = [[write] for write in writes] if alone else list(self._set_packets(writes))
        complaints: list[DeviceError | None] = []
        for packet in packets:
            complaint = self._written(packet, deadline)
            if isinstance(complaint, _NothingDone) and len(packet) > 1:
                complaints += [_error_of(self._written([write], deadline)) for write in packet]
            else:
                complaints += [_error_of(complaint)] * len(packet)
        return complaints

    def close(self) -> None:
        self._peer.close()

    def _read(self, command: Command, oids: Sequence[Oid], deadline: Deadline) -> Reply:
        pairs = tuple((oid, None) for oid in oids)
        return self._peer.ask(Question(self._reading, command, pairs, RESEND_S), deadline)

    def _written(self, writes: Sequence[Write], deadline: Deadline) -> DeviceError | _NothingDone | None:
        try:
            reply = self._peer.ask(Question(self._writing, Command.SET, tuple(writes), None), deadline)
        except DeviceError as error:
            return error
        return _NothingDone(_write_refused(reply.status)) if reply.status else None

    def _packets(self, groups: Iterable[Group], texts: AbstractSet[Oid]) -> Iterator[list[Group]]:
        """Groups that fit one answer each, as far as one can tell before."""
        packet: list[Group] = []
        known: set[Oid] = set()
        size = 0
        for group in groups:
            new = {oid: None for oid in group if oid not in known}
            more = sum(_size(oid, oid in texts) for oid in new)
            if packet and (len(known) + len(new) > self._most or size + more > PACKET_BYTES):
                yield packet
                packet, known, size = [], set(), 0
                new = dict.fromkeys(group)
                more = sum(_size(oid, oid in texts) for oid in new)
            packet.append(group)
            known.update(new)
            size += more
        if packet:
            yield packet

    def _set_packets(self, writes: Sequence[Write]) -> Iterator[list[Write]]:
        values = dict(writes)
        for packet in self._packets([(oid,) for oid in values], frozenset()):
            yield [(group[0], values[group[0]]) for group in packet]


@dataclass(frozen=True)
class _NothingDone:
    """The agent answered a SET with an error-status: nothing of it was carried out."""

    error: DeviceError


def _error_of(complaint: DeviceError | _NothingDone | None) -> DeviceError | None:
    return complaint.error if isinstance(complaint, _NothingDone) else complaint


def _distinct(groups: Iterable[Group]) -> Group:
    return tuple(dict.fromkeys(oid for group in groups for oid in group))


@lru_cache(maxsize=4096)
def _size(oid: Oid, is_text: bool) -> int:
    """About how long an object is in an answer, in bytes. A number of an OID below 128 takes one byte; the first two share one."""
    length = sum(max(1, (number.bit_length() + 6) // 7) for number in oid[1:])
    return length + (TEXT_BYTES if is_text else NUMBER_BYTES)


def _parted(packet: list[Group], oids: Group, reply: Reply) -> list[list[Group]]:
    """Two packets for one: the groups with the object that the agent complains of and the others, or the halves."""
    if reply.status != TOO_BIG and 1 <= reply.index <= len(oids):
        culprit = oids[reply.index - 1]
        named = [group for group in packet if culprit in group]
        others = [group for group in packet if culprit not in group]
        if others:
            return [named, others]
    half = len(packet) // 2
    return [packet[:half], packet[half:]]


def _read_refused(status: int) -> DeviceError:
    name = STATUS_NAMES.get(status, str(status))
    if status in (NO_ACCESS, AUTHORIZATION_ERROR):
        return AuthenticationFailed(
            f"the device refused the read ({name})", "may this community or user read the outlets?"
        )
    if status == RESOURCE_UNAVAILABLE:
        return Busy(f"the device refused the read for now ({name})", "is it overloaded?")
    return BadReply(f"the device refused the read ({name})", "is it another model?")


def _write_refused(status: int) -> DeviceError:
    name = STATUS_NAMES.get(status, str(status))
    if status in (NO_ACCESS, AUTHORIZATION_ERROR):
        return AuthenticationFailed(
            f"the device refused the command ({name})", "does the write community match, or may the user write?"
        )
    if status in (READ_ONLY, NOT_WRITABLE, NO_SUCH_NAME):
        return Refused(
            f"the device refused the command ({name})",
            "does the write community match, and can this model switch outlets?",
        )
    if status == RESOURCE_UNAVAILABLE:
        return Busy(f"the device refused the command for now ({name})", "is it overloaded?")
    return Refused(
        f"the device refused the command ({name})",
        "is the outlet locked or under another control, or the model another one?",
    )
