# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""SNMP behind one call: a question to a peer. All of pysnmp is in here, and nothing of PDUs.

All peers of a process share one event loop in one thread, and the SNMP engines in it: a new engine costs more than
100 GETs. The thread starts with the first question and ends with the last ``close``.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import os
import secrets
import socket
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Union

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Deadline,
    NotFound,
    TimedOut,
    Unreachable,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_response import (
    Oid,
    Unsigned,
    Value,
    objects_in,
)

try:
    with warnings.catch_warnings():
        # pysnmp 7.1 imports names that pysmi has renamed, if pysmi is there.
        warnings.simplefilter("ignore", DeprecationWarning)
        from pyasn1.codec.ber import encoder
        from pyasn1.error import PyAsn1Error
        from pyasn1.type import namedtype, univ
        from pysnmp.entity.engine import SnmpEngine
        from pysnmp.entity.rfc3413 import cmdgen
        from pysnmp.error import PySnmpError
        from pysnmp.hlapi.v3arch import asyncio as hlapi
        from pysnmp.hlapi.v3arch.asyncio.lcd import CommandGeneratorLcdConfigurator
        from pysnmp.proto import rfc1901, rfc1902, rfc1905
        from pysnmp.proto.api import v2c
        from pysnmp.proto.mpmod import rfc2576, rfc3412
        from pysnmp.proto.secmod.rfc3414.service import SnmpUSMSecurityModel
except ImportError:
    HAS_PYSNMP = False
else:
    HAS_PYSNMP = True

HAS_CRYPTOGRAPHY = importlib.util.find_spec("cryptography") is not None  # pysnmp encrypts with it


@dataclass(frozen=True)
class Community:
    """Credentials of SNMP version 1 or 2c."""

    version: str
    name: str = field(repr=False)


@dataclass(frozen=True)
class User:
    """Credentials of SNMP version 3. A protocol of None is no authentication, or no encryption."""

    name: str
    auth_protocol: str | None = None
    auth_password: str | None = field(default=None, repr=False)
    priv_protocol: str | None = None
    priv_password: str | None = field(default=None, repr=False)


Credentials = Union[Community, User]
# Objects, and what is written to each; None where nothing is.
Pairs = tuple[tuple[Oid, Union[int, Unsigned, bytes, None]], ...]


class Command(str, Enum):
    """What a request does; the values are pysnmp's names."""

    GET = "GetRequestPDU"
    NEXT = "GetNextRequestPDU"
    BULK = "GetBulkRequestPDU"
    SET = "SetRequestPDU"


# Names of the hlapi's constants. AES-192 and -256 are those of draft-blumenthal-aes-usm-04, as in net-snmp; the forms
# with a c stretch the key as Cisco's devices do.
AUTH_PROTOCOLS = {
    "md5": "USM_AUTH_HMAC96_MD5",
    "sha": "USM_AUTH_HMAC96_SHA",
    "sha224": "USM_AUTH_HMAC128_SHA224",
    "sha256": "USM_AUTH_HMAC192_SHA256",
    "sha384": "USM_AUTH_HMAC256_SHA384",
    "sha512": "USM_AUTH_HMAC384_SHA512",
}
PRIV_PROTOCOLS = {
    "des": "USM_PRIV_CBC56_DES",
    "aes128": "USM_PRIV_CFB128_AES",
    "aes192": "USM_PRIV_CFB192_AES_BLUMENTHAL",
    "aes256": "USM_PRIV_CFB256_AES_BLUMENTHAL",
    "aes192c": "USM_PRIV_CFB192_AES",
    "aes256c": "USM_PRIV_CFB256_AES",
}

# How soon a deadline that was moved is noticed.
LOOK_S = 0.1
# How much later than its deadline a call may come back.
GRACE_S = 0.3
# pysnmp's own timer must never end a request: the deadline does.
ENGINE_TIMEOUT_S = 600
# Rows in one answer of a walk. 20 outlet names fit a packet of 1500 bytes.
ROWS = 20


@dataclass(frozen=True)
class Reply:
    """One response: the error-status (0 is success), which object it is about (from 1; 0 is none), and the rows."""

    status: int
    index: int
    rows: tuple[tuple[Oid, Value], ...]


@dataclass(frozen=True)
class Question:
    """One request. ``every_s``: after how many seconds it is sent again beside the first; None is never."""

    credentials: Credentials
    command: Command
    pairs: Pairs
    every_s: float | None


class _StaleEngine(Exception):
    """The device has another engine id than the one that this process learned: nothing was carried out."""


class Peer:
    """One SNMP agent at one address, as far as the engine is concerned. Opens nothing before the first question.

    ``address`` is what socket.connect takes for the family.
    """

    def __init__(self, family: socket.AddressFamily, address: tuple[Any, ...], context: str = "") -> None:
        self._family = family
        self._address = address
        self._context = context

    def ask(self, question: Question, deadline: Deadline) -> Reply:
        """The response to one request, or a DeviceError within half a second of the deadline."""
        silence = _silence(question.credentials)
        reply: Reply = _process.run(self, lambda: self._answer(question, deadline), deadline, silence)
        return reply

    def close(self) -> None:
        """Let go of the shared engine; the last one ends its thread."""
        _process.leave(self)

    async def _answer(self, question: Question, deadline: Deadline) -> Reply:
        """The answer, if need be from an engine that knows nothing yet of a device that has become another one."""
        for _engine in range(2):
            engine = _process.engine(question.credentials)
            engine.strangers.discard(self._address[0])
            try:
                return await self._first_answer(engine, question, deadline)
            except _StaleEngine:
                engine.retired = True
        raise BadReply("the device changes its SNMP engine id with every answer", "restart its management card")

    async def _first_answer(self, engine: _Engine, question: Question, deadline: Deadline) -> Reply:
        """Ask, and ask again every so many seconds; the first answer counts, whichever packet it belongs to."""
        loop = asyncio.get_running_loop()
        asked: set[asyncio.Future[Reply]] = set()
        next_at = loop.time()
        try:
            while not deadline.over:
                if loop.time() >= next_at:
                    asked.add(self._ask(engine, question))
                    next_at = loop.time() + question.every_s if question.every_s else float("inf")
                patience_s = min(LOOK_S, deadline.remaining_s, max(0.0, next_at - loop.time()))
                done, _waiting = await asyncio.wait(asked, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    return done.pop().result()
                if self._address[0] in engine.strangers:
                    raise _StaleEngine
            raise _silence(question.credentials)
        finally:
            for packet in asked:
                packet.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    def _ask(self, engine: _Engine, question: Question) -> asyncio.Future[Reply]:
        """Send one packet. Below pysnmp's own interface, which looks every object up in its MIBs: 60 % of the work."""
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def told(_snmp: Any, _handle: Any, indication: Any, pdu: Any, _context: Any) -> None:
            if answered.done():
                return
            if indication:
                answered.set_exception(_indicated(indication))
                return
            try:
                answered.set_result(_reply(pdu))
            except (PySnmpError, PyAsn1Error, ValueError) as error:
                answered.set_exception(_broken(error))

        try:
            target = engine.target(question.credentials, self._family, self._address, self._context)
            cmdgen.CommandGenerator().send_pdu(
                engine.snmp, target, None, self._context.encode(), _request(question), told, None
            )
        except (PySnmpError, PyAsn1Error, OSError) as error:
            answered.set_exception(_broken(error))
        return answered


def _request(question: Question) -> Any:
    """The request as pysnmp has it."""
    if question.command is Command.SET:
        return _pdu(question.command, question.pairs)
    pdu = _pdu(question.command, ())
    # pysnmp translates the list of version 1, and leaves that of the others alone.
    as_bytes = not isinstance(question.credentials, Community) or question.credentials.version != "1"
    pdu.setComponentByPosition(
        3, _bindings(question.pairs, as_bytes), verifyConstraints=False, matchTags=False, matchConstraints=False
    )
    return pdu


@lru_cache(maxsize=256)
def _bindings(pairs: Pairs, as_bytes: bool) -> Any:
    """The list of objects of a question that is asked again and again, made or even written once. Nobody changes it."""
    made = _pdu(Command.GET, pairs).getComponentByPosition(3)
    return univ.Any(encoder.encode(made)) if as_bytes else made


def _pdu(command: Command, pairs: Pairs) -> Any:
    api = v2c.apiBulkPDU if command is Command.BULK else v2c.apiPDU
    pdu = getattr(v2c, command.value)()
    api.set_defaults(pdu)
    if command is Command.BULK:
        api.set_max_repetitions(pdu, ROWS)
    api.set_varbinds(pdu, [(v2c.ObjectIdentifier(oid), _written(value)) for oid, value in pairs])
    return pdu


def _written(value: int | Unsigned | bytes | None) -> Any:
    if value is None:
        return v2c.null
    if isinstance(value, Unsigned):
        return rfc1902.Gauge32(value.number)
    return rfc1902.Integer32(value) if isinstance(value, int) else rfc1902.OctetString(value)


def _reply(pdu: Any) -> Reply:
    status, index, rows = (pdu.getComponentByPosition(place) for place in (1, 2, 3))
    # What a version 1 message was made of, pysnmp has taken apart.
    data = bytes(rows) if isinstance(rows, univ.Any) else encoder.encode(rows)
    return Reply(int(status), int(index), objects_in(data))


def _broken(error: Exception) -> BadReply:
    """Its text may hold a community or a key."""
    return BadReply(f"the SNMP exchange failed ({type(error).__name__})", "do the options fit what the device has?")


def _silence(credentials: Credentials) -> TimedOut:
    """The error for no answer in time."""
    if isinstance(credentials, Community):
        return TimedOut("no answer", "a wrong community looks like this too; check it, the version and the address")
    return TimedOut("no answer", "is the device alive, and does it speak SNMP version 3?")


def missing_library(encrypted: bool) -> str | None:
    """The library that is not installed here, if one is."""
    if not HAS_PYSNMP:
        return "pysnmp (7.1.26 or newer)"
    return "cryptography" if encrypted and not HAS_CRYPTOGRAPHY else None


def shutdown() -> None:
    """End the thread now, whoever still has a peer. A peer that is asked again starts a new one."""
    _process.stop()


class _NoCompiler:
    """Stands where pysnmp would put a compiler that fetches MIBs from the network. All our OIDs are numbers."""


class _Engine:
    """An SNMP engine, the users whose passwords it has, and the hosts from which an unknown engine answered."""

    def __init__(self) -> None:
        self.snmp = SnmpEngine()
        self.snmp.get_mib_builder().set_mib_compiler(_NoCompiler(), "")
        _leave_bindings_alone(self.snmp)
        self.snmp.observer.register_observer(self._not_understood, "rfc3412.prepareDataElements:sm-failure")
        self.users: dict[str, User] = {}
        self.strangers: set[str] = set()
        self.retired = False
        self._configurator = CommandGeneratorLcdConfigurator()
        self._targets: dict[tuple[Any, ...], str] = {}

    def takes(self, credentials: Credentials) -> bool:
        """Whether it can serve these credentials; from now on it has them."""
        if self.retired:
            return False
        return not isinstance(credentials, User) or self.users.setdefault(credentials.name, credentials) == credentials

    def target(
        self, credentials: Credentials, family: socket.AddressFamily, address: tuple[Any, ...], context: str
    ) -> str:
        """The engine's name for these credentials at this address, configured once."""
        key = (credentials, family, address, context)
        if key not in self._targets:
            auth, target = _auth_data(credentials), _target(family, address)
            names = self._configurator.configure(self.snmp, auth, target, context.encode())
            self._targets[key] = names[0]
        return self._targets[key]

    def _not_understood(self, _snmp: Any, _point: str, variables: Mapping[str, Any], _context: Any) -> None:
        """pysnmp drops what it cannot verify. An engine id that it has never seen means: the device is another one now."""
        if type(variables["statusInformation"].get("errorIndication")).__name__ == "UnknownSecurityName":
            self.strangers.add(variables["transportAddress"][0])


class _Process:
    """The thread, the event loop and the SNMP engines that all peers of this process share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._peers: set[Peer] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._engines: list[_Engine] = []

    def run(self, peer: Peer, work: Callable[[], Any], deadline: Deadline, silence: TimedOut) -> Any:
        """Run a coroutine function in the shared thread, for a caller in any other thread."""
        if deadline.over:
            raise TimedOut("no time was left to ask", "raise the timeout")
        future = self._start(work, self._enter(peer))
        try:
            return future.result(deadline.remaining_s + GRACE_S)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            future.cancel()
            raise silence from None

    def leave(self, peer: Peer) -> None:
        with self._lock:
            self._peers.discard(peer)
            if not self._peers:
                self._stop()

    def stop(self) -> None:
        with self._lock:
            self._peers.clear()
            self._stop()

    def engine(self, credentials: Credentials) -> _Engine:
        """The engine for these credentials. An engine holds one set of passwords for a user name.

        So two devices whose users have one name and different passwords get two engines; all else shares the first.
        """
        for engine in self._engines:
            if engine.takes(credentials):
                return engine
        engine = _made_in_advance.pop() if _made_in_advance else _Engine()
        engine.takes(credentials)
        self._engines.append(engine)
        return engine

    def _enter(self, peer: Peer) -> asyncio.AbstractEventLoop:
        with self._lock:
            self._peers.add(peer)
            if self._loop is None:
                ready: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
                self._thread = threading.Thread(
                    target=self._serve, args=(ready,), name="hostpm-fencing-snmp", daemon=True
                )
                self._thread.start()
                try:
                    self._loop = ready.result()
                except OSError:
                    raise Unreachable(
                        "this machine has no file descriptors left", "raise its limit, or use fewer forks"
                    ) from None
            return self._loop

    @staticmethod
    def _start(work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> concurrent.futures.Future[Any]:
        coroutine = work()
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:
            coroutine.close()
            raise TimedOut("the task was interrupted", "run it again") from None

    def _stop(self) -> None:
        if self._loop is None or self._thread is None or self._end is None:
            return
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop = self._thread = self._end = None

    def _serve(self, ready: concurrent.futures.Future[asyncio.AbstractEventLoop]) -> None:
        try:
            asyncio.run(self._wait_for_end(ready))
        except OSError as error:
            if not ready.done():
                ready.set_exception(error)

    async def _wait_for_end(self, ready: concurrent.futures.Future[asyncio.AbstractEventLoop]) -> None:
        self._end = asyncio.Event()
        ready.set_result(asyncio.get_running_loop())
        await self._end.wait()
        for engine in self._engines:
            engine.snmp.close_dispatcher()
        self._engines = []
        await asyncio.sleep(0)  # sockets are closed in the next round of the loop


_process = _Process()
# What a child has from its parent is neither used nor destroyed: the parent goes on with the same sockets.
_inherited: list[_Process] = []


def _start_anew() -> None:
    global _process
    _inherited.append(_process)
    _process = _Process()
    if HAS_PYSNMP:
        _salt_anew()


def _salt_anew() -> None:
    """Forks that encrypt with one password must not count their salts from one number (RFC 3826, 3.1.2.1)."""
    for service in SnmpUSMSecurityModel.PRIV_SERVICES.values():
        if hasattr(service, "local_int"):
            service.local_int = secrets.randbits(63 if service.local_int.bit_length() > 32 else 31)


os.register_at_fork(after_in_child=_start_anew)

# The engine that ``prepare`` made. It has no socket, no loop and no user yet.
_made_in_advance: list[_Engine] = []


def prepare() -> None:
    """Make the next engine now, for this process and for each one that it forks.

    Most of what an engine costs is reading MIBs. 50 forks would make theirs one after the other, each in its turn at the PDU.
    Where nobody prepares, the engine is made at its first use.
    """
    if HAS_PYSNMP and not _made_in_advance:
        engine = _Engine()
        engine.snmp.get_mib_builder().load_modules("SNMPv2-TM", "PYSNMP-SOURCE-MIB")
        _made_in_advance.append(engine)


def _target(family: socket.AddressFamily, address: tuple[Any, ...]) -> Any:
    """pysnmp's ``create`` without its look-up of an address that is one already, in a thread that stays."""
    kind = hlapi.Udp6TransportTarget if family is socket.AF_INET6 else hlapi.UdpTransportTarget
    target = kind.__new__(kind)
    target.transport_address = address
    target.__init__(timeout=ENGINE_TIMEOUT_S, retries=0)
    return target


def _auth_data(credentials: Credentials) -> Any:
    if isinstance(credentials, Community):
        return hlapi.CommunityData(credentials.name.encode(), mpModel=0 if credentials.version == "1" else 1)
    auth = AUTH_PROTOCOLS.get(credentials.auth_protocol or "", "USM_AUTH_NONE")
    priv = PRIV_PROTOCOLS.get(credentials.priv_protocol or "", "USM_PRIV_NONE")
    return hlapi.UsmUserData(
        credentials.name,
        credentials.auth_password.encode() if credentials.auth_password else None,
        credentials.priv_password.encode() if credentials.priv_password else None,
        authProtocol=getattr(hlapi, auth),
        privProtocol=getattr(hlapi, priv),
    )


def _leave_bindings_alone(snmp: Any) -> None:
    """Let pysnmp take a response of version 2c or 3 apart, but for its list of objects: ``objects_in`` reads that."""
    for model, spec in _specifications().items():
        snmp.message_processing_subsystems[model.MESSAGE_PROCESSING_MODEL_ID] = type(
            f"Quick{model.__name__}", (model,), {"SNMP_MSG_SPEC": spec}
        )()


@lru_cache(maxsize=1)
def _specifications() -> dict[Any, Any]:
    response = _changed(rfc1905.ResponsePDU, "variable-bindings", univ.Any())
    pdus = _changed(rfc1905.PDUs, "response", response())
    scoped = _changed(rfc3412.ScopedPDU, "data", pdus())
    payload = _changed(rfc3412.ScopedPduData, "plaintext", scoped())
    return {
        rfc2576.SnmpV2cMessageProcessingModel: _changed(rfc1901.Message, "data", pdus()),
        rfc3412.SnmpV3MessageProcessingModel: _changed(rfc3412.SNMPv3Message, "msgData", payload()),
    }


def _changed(base: Any, name: str, component: Any) -> Any:
    """An ASN.1 type with another component of this name."""
    parts = [
        namedtype.NamedType(part.name, component if part.name == name else part.asn1Object)
        for part in base.componentType.namedTypes
    ]
    return type(f"Quick{base.__name__}", (base,), {"componentType": namedtype.NamedTypes(*parts)})


def _indicated(indication: Any) -> Exception:
    """The error for what the engine says instead of a response. Its text is not passed on."""
    name = type(indication).__name__
    if name in ("UnknownEngineID", "NotInTimeWindow"):
        return _StaleEngine()
    told = _NOT_AUTHENTIC.get(name)
    if told:
        return AuthenticationFailed(*told)
    if "1.3.6.1.6.3.12.1.5" in str(indication):  # SNMP-TARGET-MIB snmpUnknownContexts
        return NotFound("the device does not know this context", "check the option context")
    return BadReply(f"the SNMP exchange failed ({name})", "do the version and the security protocols match the device?")


_NOT_AUTHENTIC = {
    "UnknownUserName": ("the device does not know this user", "check username, or create it on the device"),
    "UnknownSecurityName": ("the device does not know this user", "check username, or create it on the device"),
    "WrongDigest": ("the device does not accept the authentication", "check auth_password and auth_protocol"),
    "AuthenticationFailure": ("the authentication failed", "check auth_password and auth_protocol"),
    "AuthenticationError": ("the authentication failed", "check auth_password and auth_protocol"),
    "DecryptionError": ("the device cannot decrypt the request", "check priv_password and priv_protocol"),
    "EncryptionError": (
        "the request could not be encrypted",
        "check priv_protocol, and that the library cryptography works",
    ),
    "UnsupportedSecurityLevel": (
        "this user has another security level on the device",
        "give exactly the passwords that the user has there, neither more nor fewer",
    ),
    "UnsupportedAuthProtocol": ("the authentication protocol is not supported", "choose another auth_protocol"),
    "UnsupportedPrivProtocol": ("the encryption protocol is not supported", "choose another priv_protocol"),
}


def no_route(family: socket.AddressFamily, address: tuple[Any, ...]) -> Unreachable | None:
    """What the routing table says before a packet is sent; of a packet that cannot leave the engine tells nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
    except OSError:
        return Unreachable("there is no route to the address", "check the address and the network of this machine")
    return None
