# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device on a TCP port that speaks HTTP/1.1, over TLS or not, with the faults of a wire; and a CA for its certificate.

Small on purpose: a device without power must not even finish a TLS handshake, and an answer must be able to break off in
the middle. No Redfish in here.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import json
import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.faults import FaultBoard

LIMIT = 1 << 16
REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    source: str

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        data = b"" if self.body is None else json.dumps(self.body).encode()
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}"]
        if self.body is not None:
            lines.append("Content-Type: application/json; charset=utf-8")
        if self.status != 204:
            lines.append(f"Content-Length: {len(data)}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


class HttpDevice(ABC):
    """Answers HTTP requests at one address. ``requests`` counts connections and requests."""

    def __init__(self, address: str, port: int, board: FaultBoard, tls: ssl.SSLContext | None) -> None:
        self.address = address
        self.port = port
        self.key = f"{address}:{port}"
        self.board = board
        self.requests = 0
        self.failure: BaseException | None = None
        self._tls = tls
        self._random = random.Random(self.key)
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, self.address, self.port, limit=LIMIT)

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for conversation in list(self._conversations):
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
            pass  # the other side hung up, or does not speak HTTP
        except Exception as failure:  # kept for the rack to tell: a judge must not fail in silence
            self.failure = self.failure or failure
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self.board.lock:
            self.requests += 1
            starts, silent, lost = self.starts, self._silent(), self._lost()
        if lost:
            return
        if silent:
            await self._ignore(reader)
            return
        address, port, *_rest = writer.get_extra_info("peername") or ("gone", 0)
        source = f"{address}:{port}"
        if self._tls is not None:
            await writer.start_tls(self._tls, ssl_handshake_timeout=30)
        while True:
            request = await self._read(reader, source)
            with self.board.lock:
                self.requests += 1
                if self._silent():
                    break
                if starts != self.starts:
                    return  # it was restarted meanwhile and knows nothing of this connection
                latency_s = float(self.value("latency") or 0.0)
                data = self.answer(request).encode()
                half = self.value("half_answer") is not None
            if latency_s:
                await asyncio.sleep(latency_s)
            with self.board.lock:
                if self._silent():
                    break
            writer.write(data[: len(data) // 2] if half else data)
            await writer.drain()
            if half or request.headers.get("connection", "").lower() == "close":
                with contextlib.suppress(OSError):
                    writer.close()
                    await writer.wait_closed()
                return
        await self._ignore(reader)

    @staticmethod
    async def _ignore(reader: asyncio.StreamReader) -> None:
        """Never another word on this connection, until the other side hangs up."""
        while await reader.read(LIMIT):
            pass

    @staticmethod
    async def _read(reader: asyncio.StreamReader, source: str) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _version = head[0].split(" ")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _colon, value in pairs}
        body = b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        elif "content-length" in headers:
            body = await reader.readexactly(min(int(headers["content-length"]), LIMIT))
        return Request(method, path, headers, body, source)

    def _silent(self) -> bool:
        return not self.alive or self.value("hang") is not None

    def _lost(self) -> bool:
        share = self.value("drop")
        return share is not None and self._random.random() < float(share)

    def value(self, fault: str) -> Any:
        """The value of a fault that acts on this device, or None."""
        acting = self.board.acting(fault, self.key)
        return None if acting is None else acting.value

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether the device has power."""

    @property
    @abstractmethod
    def starts(self) -> int:
        """How often it was started: no connection outlives that."""

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """The reply to a request."""


# Certificates


class CertificateAuthority:
    """A CA of our own, in a folder: ``ca.pem`` for clients, and a certificate for each server."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "ca.pem"
        self._folder = folder
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "virtual rack CA")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = (
            self._builder(self._name, self._key, self._name, 30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    @staticmethod
    def _builder(
        name: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, days: int
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )

    def context(self, address: str, flaw: str = "") -> ssl.SSLContext:
        """TLS for the servers at an address. ``flaw``: wrong_name, expired or self_signed."""
        if (address, flaw) not in self._contexts:
            self._contexts[address, flaw] = self._new_context(address, flaw)
        return self._contexts[address, flaw]

    def _new_context(self, address: str, flaw: str) -> ssl.SSLContext:
        if flaw not in ("", "wrong_name", "expired", "self_signed"):
            raise ValueError(f"no flaw {flaw!r} of a certificate; there are wrong_name, expired, self_signed")
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        alternative: x509.GeneralName
        try:
            alternative = x509.IPAddress(ipaddress.ip_address(address))
        except ValueError:
            alternative = x509.DNSName(address)
        if flaw == "wrong_name":
            alternative = x509.DNSName("somebody-else.example.com")
        own = flaw == "self_signed"
        builder = (
            self._builder(name, key, name if own else self._name, -1 if flaw == "expired" else 30)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        if not own:
            builder = builder.add_extension(self._identifier, critical=False)
        certificate = builder.sign(key if own else self._key, hashes.SHA256())
        path = self._folder / f"server-{certificate.serial_number:x}.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        path.unlink()
        return context
