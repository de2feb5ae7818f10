# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A BMC that speaks IPMI 2.0 over RMCP+ on a UDP port (cipher suites 1, 2, 3, 15, 16, 17).

Written from the IPMI v2.0 specification, chapters 13 (sessions), 20 and 22 (messaging), 28 (chassis). It knows a switch
point and its faults, nothing of hosts or of the rack.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab.faults import FaultBoard
from lab.switch_point import Action, Refused, SwitchPoint
from lab.wire import Address, DatagramDevice

RMCP_ASF = b"\x06\x00\xff\x06"
RMCP_IPMI = b"\x06\x00\xff\x07"

# Payload types, table 13-16
IPMI, OPEN_REQUEST, OPEN_RESPONSE, RAKP1, RAKP2, RAKP3, RAKP4 = 0x00, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15

# RMCP+ status codes, table 13-15
OK, NO_RESOURCES, BAD_SESSION, BAD_ROLE, BAD_NAME, BAD_INTEGRITY, NO_SUITE = 0x00, 0x01, 0x02, 0x0A, 0x0D, 0x0F, 0x11

# Completion codes, table 5-2
CC_OK, CC_INVALID_COMMAND, CC_LENGTH, CC_FIELD, CC_PRIVILEGE, CC_STATE = 0x00, 0xC1, 0xC7, 0xCC, 0xD4, 0xD5

CALLBACK, USER, OPERATOR, ADMINISTRATOR = 1, 2, 3, 4
PRIVILEGES = {"callback": CALLBACK, "user": USER, "operator": OPERATOR, "administrator": ADMINISTRATOR}

# suite: (authentication, integrity, confidentiality), table 22-20
SUITES = {1: (1, 0, 0), 2: (1, 1, 0), 3: (1, 1, 1), 15: (3, 0, 0), 16: (3, 4, 0), 17: (3, 4, 1)}

HASHES: Mapping[int, Callable[..., Any]] = {1: hashlib.sha1, 3: hashlib.sha256}
ICV_LENGTH = {1: 12, 3: 16}  # by authentication algorithm, 13.28
AUTH_CODE_LENGTH = {0: 0, 1: 12, 4: 16}  # by integrity algorithm

CHASSIS_CONTROL = {0: Action.OFF, 1: Action.ON, 2: Action.CYCLE, 3: Action.RESET, 5: Action.SOFT_OFF}

SESSION_IDLE_S = 60.0  # 6.12.15: 60 s +/- 3 s
HANDSHAKE_S = 20.0
RETRY_WINDOW_S = 5.0  # a request with a known rqSeq within this time is a retransmission


@dataclass
class Session:
    """One RMCP+ session, from Open Session on."""

    console_id: bytes
    bmc_id: bytes
    auth: int
    integrity: int
    confidentiality: int
    max_role: int
    touched: float
    starts: int
    console_random: bytes = b""
    bmc_random: bytes = b""
    role: bytes = b""
    user: bytes = b""
    key: bytes = b""
    sik: bytes = b""
    k1: bytes = b""
    k2: bytes = b""
    active: bool = False
    privilege: int = USER
    sequence: int = 0
    done: OrderedDict[bytes, tuple[float, bytes]] = field(default_factory=OrderedDict)

    def hmac(self, key: bytes, *parts: bytes) -> bytes:
        return hmac.new(key, b"".join(parts), HASHES[self.auth]).digest()

    @property
    def name_block(self) -> bytes:
        return self.role + bytes([len(self.user)]) + self.user

    def derive_keys(self, k_g: bytes, constant_length: int) -> None:
        """13.31 and 13.32: the session's integrity and encryption keys.

        The constants are 20 octets for SHA-256 too in ipmitool, pyghmi and OpenBMC; python-ipmi reads 13.32 as 32.
        """
        self.sik = self.hmac(k_g or self.key, self.console_random, self.bmc_random, self.name_block)
        length = constant_length if self.auth == 3 else 20
        self.k1 = self.hmac(self.sik, b"\x01" * length)
        self.k2 = self.hmac(self.sik, b"\x02" * length)

    def auth_code(self, data: bytes) -> bytes:
        algorithm = hashlib.sha1 if self.integrity == 1 else hashlib.sha256
        return hmac.new(self.k1, data, algorithm).digest()[: AUTH_CODE_LENGTH[self.integrity]]

    def encrypt(self, payload: bytes) -> bytes:
        if not self.confidentiality:
            return payload
        pad = -(len(payload) + 1) % 16
        padded = payload + bytes(range(1, pad + 1)) + bytes([pad])
        iv = os.urandom(16)
        encryptor = Cipher(algorithms.AES(self.k2[:16]), modes.CBC(iv)).encryptor()
        return iv + encryptor.update(padded) + encryptor.finalize()

    def decrypt(self, payload: bytes) -> bytes:
        if not self.confidentiality:
            return payload
        decryptor = Cipher(algorithms.AES(self.k2[:16]), modes.CBC(payload[:16])).decryptor()
        padded = decryptor.update(payload[16:]) + decryptor.finalize()
        return padded[: len(padded) - 1 - padded[-1]]


def checksum(data: bytes) -> int:
    return -sum(data) & 0xFF


class IpmiServer(DatagramDevice):
    """One BMC. ``users`` maps a name to a password and the highest privilege of that user."""

    def __init__(
        self,
        address: str,
        port: int,
        board: FaultBoard,
        point: SwitchPoint,
        users: Mapping[str, tuple[str, str]],
        k_g: bytes = b"",
        max_sessions: int = 8,
        suites: tuple[int, ...] = tuple(SUITES),
        constant_length: int = 20,
    ) -> None:
        super().__init__(address, port, board)
        self.point = point
        self._users = {name.encode(): (secret.encode(), PRIVILEGES[role]) for name, (secret, role) in users.items()}
        self._k_g = k_g
        self._max_sessions = max_sessions
        self._suites = suites
        self._constant_length = constant_length
        self._sessions: dict[bytes, Session] = {}
        self._guid = hashlib.md5(self.key.encode(), usedforsecurity=False).digest()

    @property
    def alive(self) -> bool:
        return self.point.alive

    @property
    def sessions(self) -> int:
        """How many sessions are open now."""
        self._forget_old_sessions()
        return sum(session.active for session in self._sessions.values())

    def answer(self, data: bytes, source: Address) -> bytes | None:
        if data[:4] == RMCP_ASF:
            return self._pong(data)
        if data[:4] != RMCP_IPMI:
            return None
        self._forget_old_sessions()
        if data[4] == 0x00:
            return self._sessionless(data, source)
        if data[4] == 0x06:
            return self._rmcp_plus(data, source)
        return None  # sessions of IPMI 1.5 are not spoken

    @staticmethod
    def _pong(data: bytes) -> bytes | None:
        if data[8] != 0x80:
            return None
        body = b"\x00\x00\x11\xbe" + bytes(4) + b"\x81\x00" + bytes(6)
        return RMCP_ASF + b"\x00\x00\x11\xbe\x40" + data[9:10] + b"\x00" + bytes([len(body)]) + body

    def _forget_old_sessions(self) -> None:
        now = self.point.world.settle()
        starts = self.point.starts
        for bmc_id, session in list(self._sessions.items()):
            patience_s = SESSION_IDLE_S if session.active else HANDSHAKE_S
            if session.starts != starts or now - session.touched > patience_s:
                del self._sessions[bmc_id]

    # Before a session

    def _sessionless(self, data: bytes, source: Address) -> bytes | None:
        message = data[14 : 14 + data[13]]
        reply = self._message(message, None, source)
        return None if reply is None else RMCP_IPMI + bytes(9) + bytes([len(reply)]) + reply

    def _rmcp_plus(self, data: bytes, source: Address) -> bytes | None:
        kind = data[5]
        bmc_id = data[6:10]
        (length,) = struct.unpack_from("<H", data, 14)
        payload = data[16 : 16 + length]
        if len(payload) != length:
            return None
        if bmc_id != bytes(4):
            return self._in_session(data, kind, bmc_id, payload, source)
        if kind == IPMI:
            reply = self._message(payload, None, source)
            return None if reply is None else self._plain(IPMI, reply)
        if kind == OPEN_REQUEST:
            return self._plain(OPEN_RESPONSE, self._open_session(payload))
        if kind == RAKP1:
            return self._reply_to(RAKP2, self._rakp2(payload))
        if kind == RAKP3:
            return self._reply_to(RAKP4, self._rakp4(payload))
        return None

    @staticmethod
    def _plain(kind: int, payload: bytes) -> bytes:
        return RMCP_IPMI + b"\x06" + bytes([kind]) + bytes(8) + struct.pack("<H", len(payload)) + payload

    def _reply_to(self, kind: int, payload: bytes | None) -> bytes | None:
        return None if payload is None else self._plain(kind, payload)

    def _open_session(self, data: bytes) -> bytes:
        """13.17 and 13.18."""
        tag, role, console_id = data[0], data[1] & 0x0F, data[4:8]
        proposal = (data[12] & 0x3F, data[20] & 0x3F, data[28] & 0x3F)
        self._sessions = {  # a repeated request does not hold two sessions
            bmc_id: session
            for bmc_id, session in self._sessions.items()
            if session.active or session.console_id != console_id
        }
        if self.board.acting("busy", self.key) is not None or len(self._sessions) >= self._max_sessions:
            return bytes([tag, NO_RESOURCES, 0, 0]) + console_id
        if self.board.acting("sha1_only", self.key) is not None:
            proposal = (1, min(proposal[1], 1), proposal[2])
        if proposal not in [SUITES[suite] for suite in self._suites]:
            return bytes([tag, NO_SUITE, 0, 0]) + console_id
        bmc_id = os.urandom(4)
        while bmc_id in self._sessions or bmc_id == bytes(4):
            bmc_id = os.urandom(4)
        role = role or ADMINISTRATOR
        self._sessions[bmc_id] = Session(
            console_id, bmc_id, *proposal, role, self.point.world.settle(), self.point.starts
        )
        chosen = b"".join(bytes([number, 0, 0, 8, algorithm, 0, 0, 0]) for number, algorithm in enumerate(proposal))
        return bytes([tag, OK, role, 0]) + console_id + bmc_id + chosen

    def _rakp2(self, data: bytes) -> bytes | None:
        """13.20 and 13.21."""
        session = self._sessions.get(data[4:8])
        if session is None:
            return bytes([data[0], BAD_SESSION, 0, 0]) + bytes(4)
        session.console_random = data[8:24]
        session.role = data[24:25]
        session.user = data[28 : 28 + data[27]]
        name = self._users.get(session.user)
        role = session.role[0] & 0x0F
        if name is None or role > name[1] or role > session.max_role:
            del self._sessions[session.bmc_id]
            return bytes([data[0], BAD_NAME if name is None else BAD_ROLE, 0, 0]) + session.console_id
        session.key = os.urandom(20) if self.board.credentials_void(self.key) else name[0]
        session.bmc_random = session.bmc_random or os.urandom(16)
        code = session.hmac(
            session.key,
            session.console_id,
            session.bmc_id,
            session.console_random,
            session.bmc_random,
            self._guid,
            session.name_block,
        )
        return bytes([data[0], OK, 0, 0]) + session.console_id + session.bmc_random + self._guid + code

    def _rakp4(self, data: bytes) -> bytes | None:
        """13.22 and 13.23."""
        session = self._sessions.get(data[4:8])
        if session is None or not session.bmc_random:
            return bytes([data[0], BAD_SESSION, 0, 0]) + bytes(4)
        if data[1] != OK:  # the console gave up, 13.22: the session is dropped in silence
            del self._sessions[session.bmc_id]
            return None
        wanted = session.hmac(session.key, session.bmc_random, session.console_id, session.name_block)
        if not hmac.compare_digest(wanted, data[8:]):
            del self._sessions[session.bmc_id]
            return bytes([data[0], BAD_INTEGRITY, 0, 0]) + session.console_id
        session.derive_keys(self._k_g, self._constant_length)
        session.active = True
        code = session.hmac(session.sik, session.console_random, session.bmc_id, self._guid)[: ICV_LENGTH[session.auth]]
        return bytes([data[0], OK, 0, 0]) + session.console_id + code

    # In a session

    def _in_session(self, data: bytes, kind: int, bmc_id: bytes, payload: bytes, source: Address) -> bytes | None:
        session = self._sessions.get(bmc_id)
        if session is None or not session.active or kind & 0x3F != IPMI:
            return None
        if bool(kind & 0x40) != bool(session.integrity) or bool(kind & 0x80) != bool(session.confidentiality):
            return None
        if session.integrity:
            length = AUTH_CODE_LENGTH[session.integrity]
            if not hmac.compare_digest(session.auth_code(data[4:-length]), data[-length:]):
                return None
        session.touched = self.point.world.settle()
        reply = self._message(session.decrypt(payload), session, source)
        return None if reply is None else self._sealed(session, reply)

    @staticmethod
    def _sealed(session: Session, message: bytes) -> bytes:
        payload = session.encrypt(message)
        session.sequence += 1
        flags = (0x80 if session.confidentiality else 0) | (0x40 if session.integrity else 0)
        body = bytes([0x06, flags]) + session.console_id + struct.pack("<IH", session.sequence, len(payload)) + payload
        if session.integrity:
            pad = -(len(body) + 2) % 4
            body += b"\xff" * pad + bytes([pad, 0x07])
            body += session.auth_code(body)
        return RMCP_IPMI + body

    # Messages

    def _message(self, message: bytes, session: Session | None, source: Address) -> bytes | None:
        """One request (13.8). A repeated command that acts is answered as before and not obeyed twice."""
        if len(message) < 7 or checksum(message[:2]) != message[2] or checksum(message[3:-1]) != message[-1]:
            return None
        net_fn, command, data = message[1] >> 2, message[5], message[6:-1]
        acts = (net_fn, command) == (0x00, 0x02)
        before = self._answered(session, message) if acts and session else None
        if before is not None:
            if data:
                self.point.note(
                    CHASSIS_CONTROL.get(data[0] & 0x0F, Action.NOTHING), f"{source[0]}:{source[1]}", "repeated"
                )
            return before
        code, result = self._execute(net_fn, command, data, session, f"{source[0]}:{source[1]}")
        head = bytes([message[3], (net_fn | 1) << 2])
        body = bytes([message[0], message[4], command, code]) + result
        reply = head + bytes([checksum(head)]) + body + bytes([checksum(body)])
        if session and acts:
            session.done[message] = (self.point.world.settle(), reply)
            while len(session.done) > 8:
                session.done.popitem(last=False)
        if session and (net_fn, command) == (0x06, 0x3C) and code == CC_OK:
            self._sessions.pop(data[:4], None)
        return reply

    def _answered(self, session: Session, message: bytes) -> bytes | None:
        at, reply = session.done.get(message, (0.0, b""))
        return reply if reply and self.point.world.settle() - at < RETRY_WINDOW_S else None

    def _execute(
        self, net_fn: int, command: int, data: bytes, session: Session | None, source: str
    ) -> tuple[int, bytes]:
        """Completion code and data of one command."""
        if (net_fn, command) == (0x06, 0x38):  # Get Channel Authentication Capabilities, 22.13
            return self._auth_capabilities(data)
        if (net_fn, command) == (0x06, 0x54):  # Get Channel Cipher Suites, 22.15
            return self._cipher_suites(data)
        if (net_fn, command) == (0x06, 0x37):  # Get System GUID, 22.14
            return CC_OK, self._guid
        if session is None:
            return CC_PRIVILEGE, b""
        if (net_fn, command) == (0x06, 0x01):  # Get Device ID, 20.1: IPMI 2.0, chassis device
            return CC_OK, bytes([0x20, 0x01, 0x01, 0x00, 0x02, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00])
        if (net_fn, command) == (0x06, 0x3B):  # Set Session Privilege Level, 22.18
            return self._set_privilege(data, session)
        if (net_fn, command) == (0x06, 0x3C):  # Close Session, 22.19
            return (CC_OK if data[:4] in self._sessions else 0x87), b""
        if (net_fn, command) == (0x00, 0x00):  # Get Chassis Capabilities, 28.1
            return CC_OK, bytes([0x00, 0x20, 0x20, 0x20, 0x20])
        if (net_fn, command) == (0x00, 0x01):  # Get Chassis Status, 28.2
            return self._chassis_status()
        if (net_fn, command) == (0x00, 0x02):  # Chassis Control, 28.3
            return self._chassis_control(data, session, source)
        return CC_INVALID_COMMAND, b""

    def _auth_capabilities(self, data: bytes) -> tuple[int, bytes]:
        if len(data) < 2:
            return CC_LENGTH, b""
        names = 0x04 | (0x20 if self._k_g else 0x00)  # only named users; K_g is set
        return CC_OK, bytes([0x01, 0x80 if data[0] & 0x80 else 0x00, names, 0x02, 0, 0, 0, 0])

    def _cipher_suites(self, data: bytes) -> tuple[int, bytes]:
        if len(data) < 3:
            return CC_LENGTH, b""
        suites = [(suite, SUITES[suite]) for suite in self._suites]
        records = b"".join(bytes([0xC0, n, auth, 0x40 | integ, 0x80 | conf]) for n, (auth, integ, conf) in suites)
        start = (data[2] & 0x3F) * 16
        return CC_OK, b"\x01" + records[start : start + 16]

    def _set_privilege(self, data: bytes, session: Session) -> tuple[int, bytes]:
        wanted = data[0] & 0x0F
        highest = min(self._users[session.user][1], session.max_role, session.role[0] & 0x0F or ADMINISTRATOR)
        if wanted > highest:
            return 0x81, b""
        session.privilege = wanted or session.privilege
        return CC_OK, bytes([session.privilege])

    def _chassis_status(self) -> tuple[int, bytes]:
        on = self.point.read().on
        return CC_OK, bytes([0x60 | (0x01 if on else 0x00), 0x00, 0x00])  # restore policy: unknown

    def _chassis_control(self, data: bytes, session: Session, source: str) -> tuple[int, bytes]:
        if len(data) != 1:
            return CC_LENGTH, b""
        if session.privilege < OPERATOR:
            return CC_PRIVILEGE, b""
        action = CHASSIS_CONTROL.get(data[0] & 0x0F)
        if action is None:
            return CC_FIELD, b""
        # A host that is off cannot be cycled or reset: ClusterLabs/fence-agents#596.
        if action in (Action.CYCLE, Action.RESET, Action.SOFT_OFF) and not self.point.truth().on:
            return CC_STATE, b""
        try:
            self.point.command(action, source)
        except Refused as refused:
            return int(refused.how or CC_STATE), b""
        return CC_OK, b""
