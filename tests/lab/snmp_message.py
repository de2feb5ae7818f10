# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SNMP on paper: BER, messages of v1, v2c and v3, and the user-based security model (RFC 3414, 3826, 7860).

Written without any SNMP library, so that a library's own mistake is not on both ends of a test. No sockets, no MIB.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

try:  # where recent releases of cryptography keep what is old
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers.modes import CFB

Oid = tuple[int, ...]

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
COUNTER, GAUGE, TICKS, COUNTER64 = 0x41, 0x42, 0x43, 0x46
NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB = 0x80, 0x81, 0x82
GET, GET_NEXT, RESPONSE, SET, GET_BULK, REPORT = 0xA0, 0xA1, 0xA2, 0xA3, 0xA5, 0xA8

V1, V2C, V3 = 0, 1, 3


class Malformed(ValueError):
    """Not a message that we understand."""


@dataclass(frozen=True)
class Value:
    """A value with its BER tag."""

    tag: int
    data: Any = None


def text(value: str) -> Value:
    return Value(OCTETS, value.encode())


# BER


def tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def encode_oid(oid: Oid) -> bytes:
    numbers = (oid[0] * 40 + oid[1], *oid[2:]) if len(oid) > 1 else (0,)
    content = bytearray()
    for number in numbers:
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(0x80 | number & 0x7F)
        content += bytes(reversed(septets))
    return bytes(content)


def decode_oid(content: bytes) -> Oid:
    numbers, number = [], 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return (first, numbers[0] - first * 40, *numbers[1:])


def encode_value(value: Value) -> bytes:
    if value.tag in (INTEGER, COUNTER, GAUGE, TICKS, COUNTER64):
        return tlv(value.tag, value.data.to_bytes(value.data.bit_length() // 8 + 1, "big", signed=True))
    if value.tag == OID:
        return tlv(OID, encode_oid(value.data))
    return tlv(value.tag, value.data or b"")


def integer(number: int) -> bytes:
    return encode_value(Value(INTEGER, number))


class Reader:
    """Reads elements one after the other; positions are those in the whole message."""

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = start
        self.end = len(data) if end is None else end

    def next(self, *wanted: int) -> tuple[int, int, int]:
        """Tag, start and end of the next element's content."""
        tag, length = self.data[self.at], self.data[self.at + 1]
        start = self.at + 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(self.data[start : start + size], "big")
            start += size
        if start + length > self.end or (wanted and tag not in wanted):
            raise Malformed(f"element {tag:#x} at {self.at}")
        self.at = start + length
        return tag, start, self.at

    def inside(self, *wanted: int) -> Reader:
        _tag, start, end = self.next(*wanted)
        return Reader(self.data, start, end)

    def integer(self) -> int:
        _tag, start, end = self.next(INTEGER)
        return int.from_bytes(self.data[start:end], "big", signed=True)

    def octets(self) -> bytes:
        _tag, start, end = self.next(OCTETS)
        return self.data[start:end]

    def value(self) -> Value:
        tag, start, end = self.next()
        content = self.data[start:end]
        if tag == INTEGER:
            return Value(tag, int.from_bytes(content, "big", signed=True))
        if tag in (COUNTER, GAUGE, TICKS, COUNTER64):
            return Value(tag, int.from_bytes(content, "big"))
        return Value(tag, decode_oid(content) if tag == OID else content or None if tag == NULL else content)

    def more(self) -> bool:
        return self.at < self.end


# Protocol data units

Bindings = list[tuple[Oid, Value]]


@dataclass(frozen=True)
class Pdu:
    """A request or a response. For GETBULK the two numbers are non-repeaters and max-repetitions."""

    kind: int
    request_id: int
    status: int
    index: int
    bindings: Bindings

    def encode(self) -> bytes:
        rows = b"".join(tlv(SEQUENCE, tlv(OID, encode_oid(oid)) + encode_value(value)) for oid, value in self.bindings)
        return tlv(
            self.kind, integer(self.request_id) + integer(self.status) + integer(self.index) + tlv(SEQUENCE, rows)
        )


def decode_pdu(reader: Reader) -> Pdu:
    kind, start, end = reader.next(GET, GET_NEXT, SET, GET_BULK, RESPONSE, REPORT)
    inner = Reader(reader.data, start, end)
    request_id, status, index = inner.integer(), inner.integer(), inner.integer()
    return Pdu(kind, request_id, status, index, list(_bindings(inner.inside(SEQUENCE))))


def _bindings(reader: Reader) -> Iterator[tuple[Oid, Value]]:
    while reader.more():
        row = reader.inside(SEQUENCE)
        _tag, start, end = row.next(OID)
        yield decode_oid(row.data[start:end]), row.value()


# The user-based security model

_HASHES: Mapping[str, tuple[Callable[..., Any], int]] = {
    "md5": (hashlib.md5, 12),
    "sha": (hashlib.sha1, 12),
    "sha224": (hashlib.sha224, 16),
    "sha256": (hashlib.sha256, 24),
    "sha384": (hashlib.sha384, 32),
    "sha512": (hashlib.sha512, 48),
}
_PRIVACY_KEY_LENGTH = {"des": 16, "aes": 16, "aes192": 24, "aes256": 32}
_SPELLINGS = {
    "sha1": "sha",
    "hmacmd5": "md5",
    "hmacsha": "sha",
    "aes128": "aes",
    "aes192c": "aes192",
    "aes256c": "aes256",
}


def algorithm_name(name: str) -> str:
    """``SHA-256``, ``sha256`` and the like are one."""
    plain = "".join(character for character in name.lower() if character.isalnum())
    return _SPELLINGS.get(plain, plain)


@lru_cache(maxsize=256)
def _password_key(hash_name: str, password: bytes) -> bytes:
    """RFC 3414 A.2: the digest of a megabyte of the password."""
    repeated = password * (1048576 // len(password) + 1)
    return bytes(_HASHES[hash_name][0](repeated[:1048576]).digest())


def _localized(hash_name: str, password: bytes, engine_id: bytes) -> bytes:
    key = _password_key(hash_name, password)
    return bytes(_HASHES[hash_name][0](key + engine_id + key).digest())


def _longer(hash_name: str, key: bytes, length: int) -> bytes:
    """draft-blumenthal-aes-usm-04, 3.1.2.1."""
    while len(key) < length:
        key += _HASHES[hash_name][0](key).digest()
    return key[:length]


def _longer_by_cisco(hash_name: str, key: bytes, length: int, engine_id: bytes) -> bytes:
    """draft-reeder-snmpv3-usm-3desede-00, 2.1: the key itself is the next password."""
    last = key
    while len(key) < length:
        last = _localized(hash_name, last, engine_id)
        key += last
    return key[:length]


@dataclass(frozen=True)
class User:
    """A v3 user: with neither, one or both of the passwords."""

    name: str
    auth: str = ""
    auth_password: str = ""
    privacy: str = ""
    privacy_password: str = ""

    def __post_init__(self) -> None:
        if self.auth and self.auth not in _HASHES:
            raise ValueError(f"user {self.name}: no authentication {self.auth!r}; there are {', '.join(_HASHES)}")
        if self.privacy and self.privacy not in _PRIVACY_KEY_LENGTH:
            raise ValueError(
                f"user {self.name}: no privacy {self.privacy!r}; there are {', '.join(_PRIVACY_KEY_LENGTH)}"
            )

    @property
    def digest_length(self) -> int:
        return _HASHES[self.auth][1]

    def digest(self, engine_id: bytes, message: bytes) -> bytes:
        key = _localized(self.auth, self.auth_password.encode(), engine_id)
        return hmac.new(key, message, _HASHES[self.auth][0]).digest()[: self.digest_length]

    def privacy_keys(self, engine_id: bytes) -> list[bytes]:
        """The key; for AES-192 and AES-256 there are two ways in the field to make one."""
        key = _localized(self.auth, self.privacy_password.encode(), engine_id)
        length = _PRIVACY_KEY_LENGTH[self.privacy]
        return list(
            dict.fromkeys([_longer(self.auth, key, length), _longer_by_cisco(self.auth, key, length, engine_id)])
        )

    def encrypt(self, key: bytes, boots: int, time_s: int, plain: bytes) -> tuple[bytes, bytes]:
        """The cipher text and the privacy parameters."""
        salt = os.urandom(8)
        if self.privacy == "des":
            encryptor = _des(key, salt).encryptor()
            return encryptor.update(plain + bytes(-len(plain) % 8)) + encryptor.finalize(), salt
        encryptor = _aes(key, boots, time_s, salt).encryptor()
        return encryptor.update(plain) + encryptor.finalize(), salt

    def decrypt(self, key: bytes, boots: int, time_s: int, salt: bytes, secret: bytes) -> bytes:
        cipher = _des(key, salt) if self.privacy == "des" else _aes(key, boots, time_s, salt)
        decryptor = cipher.decryptor()
        return decryptor.update(secret) + decryptor.finalize()


def _des(key: bytes, salt: bytes) -> Cipher[Any]:
    iv = bytes(a ^ b for a, b in zip(key[8:16], salt, strict=True))
    return Cipher(TripleDES(key[:8] * 3), modes.CBC(iv))


def _aes(key: bytes, boots: int, time_s: int, salt: bytes) -> Cipher[Any]:
    return Cipher(algorithms.AES(key), CFB(boots.to_bytes(4, "big") + time_s.to_bytes(4, "big") + salt))


# Messages


@dataclass(frozen=True)
class Community:
    """A message of v1 or v2c."""

    version: int
    community: bytes
    pdu: Pdu

    def encode(self) -> bytes:
        return tlv(SEQUENCE, integer(self.version) + tlv(OCTETS, self.community) + self.pdu.encode())


@dataclass(frozen=True)
class Secured:
    """The outside of a v3 message. ``payload`` is a scoped PDU, encrypted or not."""

    message_id: int
    flags: int
    engine_id: bytes
    boots: int
    time_s: int
    user: bytes
    auth_params: bytes
    privacy_params: bytes
    payload: bytes
    without_digest: bytes = field(default=b"", repr=False)

    @property
    def authenticated(self) -> bool:
        return bool(self.flags & 0x01)

    @property
    def encrypted(self) -> bool:
        return bool(self.flags & 0x02)

    @property
    def reportable(self) -> bool:
        return bool(self.flags & 0x04)

    def encode(self) -> bytes:
        header = integer(self.message_id) + integer(65507) + tlv(OCTETS, bytes([self.flags])) + integer(3)
        names = tlv(OCTETS, self.engine_id) + integer(self.boots) + integer(self.time_s) + tlv(OCTETS, self.user)
        security = tlv(SEQUENCE, names + tlv(OCTETS, self.auth_params) + tlv(OCTETS, self.privacy_params))
        payload = tlv(OCTETS, self.payload) if self.encrypted else self.payload
        return tlv(SEQUENCE, integer(V3) + tlv(SEQUENCE, header) + tlv(OCTETS, security) + payload)

    def signed(self, user: User) -> bytes:
        blank = replace(self, auth_params=bytes(user.digest_length)).encode()
        return replace(self, auth_params=user.digest(self.engine_id, blank)).encode()


def scoped(engine_id: bytes, context: bytes, pdu: Pdu) -> bytes:
    return tlv(SEQUENCE, tlv(OCTETS, engine_id) + tlv(OCTETS, context) + pdu.encode())


def decode_scoped(data: bytes) -> tuple[bytes, bytes, Pdu]:
    reader = Reader(data).inside(SEQUENCE)
    return reader.octets(), reader.octets(), decode_pdu(reader)


def decode(data: bytes) -> Community | Secured:
    """A datagram to a message. Malformed, or an IndexError, if it is none."""
    reader = Reader(data).inside(SEQUENCE)
    version = reader.integer()
    if version in (V1, V2C):
        return Community(version, reader.octets(), decode_pdu(reader))
    if version != V3:
        raise Malformed(f"version {version}")
    header = reader.inside(SEQUENCE)
    message_id, _size, flags = header.integer(), header.integer(), header.octets()[0]
    security = reader.inside(OCTETS).inside(SEQUENCE)
    engine_id, boots, time_s, user = security.octets(), security.integer(), security.integer(), security.octets()
    _tag, digest_start, digest_end = security.next(OCTETS)
    privacy_params = security.octets()
    payload = reader.octets() if flags & 0x02 else data[reader.at : reader.end]
    blank = data[:digest_start] + bytes(digest_end - digest_start) + data[digest_end:]
    digest = data[digest_start:digest_end]
    return Secured(message_id, flags, engine_id, boots, time_s, user, digest, privacy_params, payload, blank)
