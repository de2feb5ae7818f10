# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""A line of text to a device and back, over SSH or telnet, with every wait bounded by the deadline.

asyncssh speaks SSH. paramiko was tried beside it: since its version 5 it has no SHA-1 key exchange, no ssh-rsa with SHA-1 and
no ssh-dss, which old power cards have and nothing else; its time-outs are many, and each waits in a thread of its own.
This file knows no dialogue: it neither knows what is sent nor what the answers mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    HostKeyFailed,
    Refused,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._names import resolve

try:
    import asyncssh

    HAS_ASYNCSSH = True
    _Client: Any = asyncssh.SSHClient
except ImportError:
    HAS_ASYNCSSH = False
    _Client = object

Answer = TypeVar("Answer")

# How long a wait lasts at most before the deadline is looked at again: an interrupted task moves it.
SLICE_S = 0.1
# What closing may take; the other side is not waited for any longer.
CLOSE_S = 0.2
CHUNK = 65536
# Wide and high, so that a device that looks at the size of its terminal neither wraps lines nor stops at a full page.
TERMINAL = (500, 2000)
DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
# RFC 4254, 5.1, and RFC 4253, 11.1.
OPEN_RESOURCE_SHORTAGE = 4
TOO_MANY_CONNECTIONS = 12


class ConnectionCut(Unreachable):
    """The device, or something on the way, closed the connection."""


class Line(Protocol):
    """An open connection to a device that takes text and gives text."""

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of it."""

    def receive(self, wait_s: float, deadline: Deadline) -> bytes:
        """What has come in, after at most ``wait_s`` seconds; empty if nothing has. Raises ConnectionCut at the end."""

    def close(self) -> None:
        """Let go of the connection. Never raises."""


@dataclass(frozen=True)
class Account:
    """Who logs in over SSH, and whose host key is believed."""

    username: str
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    host_key: str | None = None
    known_hosts: str | None = None
    check_host_key: bool = True
    legacy_algorithms: bool = False


def connect(address: str, port: int, deadline: Deadline) -> socket.socket:
    """A TCP connection to the device."""
    family, place = resolve(address, port, deadline)
    if deadline.over:
        raise TimedOut("no time was left to connect", "raise the timeout")
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connection.connect(place)
        while not _ready(connection, select.POLLOUT, SLICE_S, deadline):
            if deadline.over:
                raise TimedOut(
                    "the device does not take the connection", "is it alive, and is this its address and port?"
                )
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "")
    except OSError as error:
        connection.close()
        if error.errno == errno.ECONNREFUSED:
            raise Unreachable("connection refused", "is the service on, and is this its port?") from None
        raise Unreachable("no connection", "is the device alive, and is this its address?") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _ready(connection: socket.socket, event: int, wait_s: float, deadline: Deadline) -> bool:
    """Whether something can be read or written; poll, unlike select, takes any number of open files."""
    poll = select.poll()
    poll.register(connection, event)
    return bool(poll.poll(min(wait_s, deadline.remaining_s) * 1000))


# --- SSH ----------------------------------------------------------------------------------------------------------


class SshLine:
    """A shell on a device. Its event loop runs only while somebody waits, in the thread of whoever waits."""

    def __init__(self, address: str, port: int, account: Account, deadline: Deadline) -> None:
        self._loop = asyncio.new_event_loop()
        self._connection: Any = None
        self._process: Any = None
        self._reading: asyncio.Task[bytes] | None = None
        sock = None
        try:
            options = _ssh_options(account)
            sock = connect(address, port, deadline)
            self._open(sock, address, port, options, account, deadline)
        except BaseException:
            if self._connection is None and sock is not None:
                sock.close()
            self.close()
            raise

    def send(self, data: bytes, deadline: Deadline) -> None:
        async def write() -> None:
            self._process.stdin.write(data)
            await self._process.stdin.drain()

        try:
            self._run(write(), deadline, "the device takes no more input")
        except (OSError, asyncssh.Error):
            raise _cut() from None

    def receive(self, wait_s: float, deadline: Deadline) -> bytes:
        async def wait() -> None:
            if self._reading is None:
                self._reading = asyncio.ensure_future(self._process.stdout.read(CHUNK))
            await asyncio.wait({self._reading}, timeout=min(wait_s, deadline.remaining_s))

        self._loop.run_until_complete(wait())
        if self._reading is None or not self._reading.done():
            return b""
        reading, self._reading = self._reading, None
        try:
            data: bytes = reading.result()
        except (OSError, asyncssh.Error):
            raise _cut() from None
        if not data:
            raise _cut()
        return data

    def close(self) -> None:
        if self._loop.is_closed():
            return
        with contextlib.suppress(Exception):
            self._loop.run_until_complete(self._let_go())
        self._loop.close()

    async def _let_go(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        if self._connection is not None:
            self._connection.close()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._connection.wait_closed(), CLOSE_S)
            self._connection.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _open(
        self,
        sock: socket.socket,
        address: str,
        port: int,
        options: Mapping[str, Any],
        account: Account,
        deadline: Deadline,
    ) -> None:
        judge = _Judge(account.host_key)

        async def log_in() -> None:
            self._connection = await asyncssh.connect(address, port, sock=sock, client_factory=lambda: judge, **options)
            self._process = await self._connection.create_process(
                term_type="vt100", term_size=TERMINAL, encoding=None, stderr=asyncssh.STDOUT
            )

        try:
            self._run(log_in(), deadline, "the SSH login was not finished in time")
        except asyncssh.HostKeyNotVerifiable:
            raise judge.complaint() from None
        except asyncssh.PermissionDenied:
            raise AuthenticationFailed(
                "the device does not accept the login", "look at username, password and private_key"
            ) from None
        except asyncssh.KeyExchangeFailed:
            raise Unsupported(
                "the device and this machine have no SSH algorithm in common",
                "the device may have old ones only: set legacy_algorithms for it"
                if not account.legacy_algorithms
                else "look at the device's SSH settings",
            ) from None
        except asyncssh.ChannelOpenError as error:
            if error.code == OPEN_RESOURCE_SHORTAGE:
                raise Busy("the device has no session left", "who else is logged in?") from None
            raise Refused(
                "the device took the login and opens no session", "may the account use the command line?"
            ) from None
        except asyncssh.ConnectionLost:
            raise judge.cut() from None
        except asyncssh.DisconnectError as error:
            if error.code == TOO_MANY_CONNECTIONS:
                raise Busy("the device has too many connections", "who else is logged in?") from None
            raise BadReply("the device broke the SSH login off", "is this its SSH port?") from None
        except asyncssh.Error:
            raise BadReply("the device broke the SSH login off", "is this its SSH port?") from None
        except OSError:
            raise judge.cut() from None

    def _run(self, work: Coroutine[Any, Any, Answer], deadline: Deadline, late: str) -> Answer:
        """Run until it is done, or the time is up."""
        task = self._loop.create_task(work)
        while not task.done() and not deadline.over:
            self._loop.run_until_complete(asyncio.wait({task}, timeout=min(SLICE_S, deadline.remaining_s)))
        if not task.done():
            task.cancel()
            self._loop.run_until_complete(asyncio.wait({task}, timeout=CLOSE_S / 2))
            raise TimedOut(late, "is the device alive, and the timeout long enough?")
        return task.result()


class _Judge(_Client):  # type: ignore[misc]
    """Says whether a host key that no known_hosts file has is the expected one."""

    def __init__(self, expected: str | None) -> None:
        self._expected = expected
        self._seen = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: Any) -> bool:
        self._seen = key.get_fingerprint("sha256")
        if self._expected is None:
            return False
        if self._expected.startswith("SHA256:"):
            return self._seen == self._expected.rstrip("=")
        return bool(key == asyncssh.import_public_key(self._expected))

    def cut(self) -> ConnectionCut:
        """The device closed the connection in the login: some do instead of saying that they have no algorithm in common."""
        if self._seen:
            return ConnectionCut("the device closed the connection during the SSH login", "who else is logged in?")
        return ConnectionCut(
            "the device closed the connection before the SSH login",
            "who else is logged in? A device with old algorithms only needs legacy_algorithms",
        )

    def complaint(self) -> HostKeyFailed:
        seen = f"its host key {self._seen} is" if self._seen else "its host key is"
        if self._expected is not None:
            return HostKeyFailed(
                f"{seen} not the one of host_key", "was the device replaced, or is something in between?"
            )
        return HostKeyFailed(
            f"{seen} in no known_hosts file", "compare it with the device, and write it as host_key or into known_hosts"
        )


def host_key_problem(text: str) -> str | None:
    """What is wrong with an expected host key as it was written."""
    if text.startswith("SHA256:"):
        return None if len(text.rstrip("=")) == len("SHA256:") + 43 else "must be SHA256: and 43 characters"
    if HAS_ASYNCSSH:
        with contextlib.suppress(ValueError):
            asyncssh.import_public_key(text)
            return None
        return "must be a fingerprint such as SHA256:... or a public key such as ssh-ed25519 AAAA..."
    return None


def private_key_problem(text: str, passphrase: str | None) -> str | None:
    """What is wrong with a private key; the text is never quoted."""
    if not HAS_ASYNCSSH:
        return None
    try:
        _private_key(text, passphrase)
    except asyncssh.KeyEncryptionError:
        return "cannot be decrypted: look at private_key_passphrase"
    except (ValueError, asyncssh.Error):
        return "is no private key that can be read; write all of the file, with its line endings"
    return None


def _private_key(text: str, passphrase: str | None) -> Any:
    return asyncssh.import_private_key(text.strip() + "\n", passphrase)


def _ssh_options(account: Account) -> dict[str, Any]:
    """Nothing of the user's own SSH settings counts: no configuration, no agent, no keys but the option's."""
    options: dict[str, Any] = {
        "config": None,
        "username": account.username,
        "password": account.password,
        "agent_path": None,
        "gss_host": None,
        "client_keys": None,
        "host_based_auth": False,
        "known_hosts": _known_hosts(account),
        # Bounded by the deadline instead.
        "login_timeout": 0,
        "connect_timeout": None,
        **(LEGACY if account.legacy_algorithms else MODERN),
    }
    if account.private_key:
        options["client_keys"] = [_private_key(account.private_key, account.passphrase)]
    return options


# What rests on SHA-1 is left out, as in OpenSSH. The patterns are asyncssh's: they add to its defaults, or take away.
MODERN: Mapping[str, str] = {
    "kex_algs": "-*-sha1",
    "server_host_key_algs": "-ssh-rsa",
    "signature_algs": "-ssh-rsa",
}
LEGACY: Mapping[str, str] = {
    "kex_algs": "+diffie-hellman-*",
    "encryption_algs": "+*-cbc",
    "mac_algs": "+hmac-md5*,hmac-sha1*",
    "server_host_key_algs": "+ssh-*",
    "signature_algs": "+ssh-*",
}


def _known_hosts(account: Account) -> Any:
    if not account.check_host_key:
        return None
    if account.host_key is not None:
        return asyncssh.import_known_hosts("")
    wanted = (account.known_hosts,) if account.known_hosts else DEFAULT_KNOWN_HOSTS
    files = [path for path in (Path(name).expanduser() for name in wanted) if account.known_hosts or path.is_file()]
    try:
        return asyncssh.read_known_hosts([str(path) for path in files]) if files else asyncssh.import_known_hosts("")
    except (OSError, ValueError, asyncssh.Error):
        raise HostKeyFailed("the file of known_hosts cannot be read", "look at the option known_hosts") from None


def _cut() -> ConnectionCut:
    return ConnectionCut("the connection was cut", "look at the device and at the way to it")


# --- Telnet -------------------------------------------------------------------------------------------------------

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
ECHO, SUPPRESS_GO_AHEAD = 1, 3
# The device may echo, and nobody needs to be told whose turn it is; every other option is refused (RFC 854, 857, 858).
WANTED_THERE = frozenset({ECHO, SUPPRESS_GO_AHEAD})
WANTED_HERE = frozenset({SUPPRESS_GO_AHEAD})


class Negotiation:
    """Takes telnet's commands out of what was received, and says what to answer. No input or output of its own."""

    def __init__(self) -> None:
        self._rest = b""
        self._there: set[int] = set()
        self._here: set[int] = set()

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What is text in the data, and what must be sent back."""
        data = self._rest + data
        text, reply = bytearray(), bytearray()
        place = 0
        while place < len(data):
            byte = data[place]
            if byte != IAC:
                text.append(byte)
                place += 1
                continue
            length = self._length(data, place)
            if length is None:
                break
            command = data[place + 1]
            if command == IAC:
                text.append(IAC)
            elif command in (DO, DONT, WILL, WONT):
                reply += self._answer(command, data[place + 2])
            place += length
        self._rest = data[place:]
        return bytes(text), bytes(reply)

    @staticmethod
    def _length(data: bytes, place: int) -> int | None:
        """How long the command at this place is; None if it is not all there."""
        if place + 1 >= len(data):
            return None
        command = data[place + 1]
        if command == SB:
            end = data.find(bytes((IAC, SE)), place + 2)
            return None if end < 0 else end + 2 - place
        length = 3 if command in (DO, DONT, WILL, WONT) else 2
        return length if place + length <= len(data) else None

    def _answer(self, command: int, option: int) -> bytes:
        """Only a change is answered, so that two sides never talk in circles (RFC 1143)."""
        there = command in (WILL, WONT)
        states, wanted = (self._there, WANTED_THERE) if there else (self._here, WANTED_HERE)
        yes, no = (DO, DONT) if there else (WILL, WONT)
        if command in (WILL, DO):
            if option in states:
                return b""
            if option in wanted:
                states.add(option)
                return bytes((IAC, yes, option))
            return bytes((IAC, no, option))
        if option in states:
            states.discard(option)
            return bytes((IAC, no, option))
        return b""


class TelnetLine:
    """A telnet connection to a device."""

    def __init__(self, address: str, port: int, deadline: Deadline) -> None:
        self._negotiation = Negotiation()
        self._socket = connect(address, port, deadline)

    def send(self, data: bytes, deadline: Deadline) -> None:
        self._send(data.replace(b"\xff", b"\xff\xff"), deadline)

    def receive(self, wait_s: float, deadline: Deadline) -> bytes:
        if not _ready(self._socket, select.POLLIN, wait_s, deadline):
            return b""
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            raise _cut() from None
        if not data:
            raise _cut()
        text, reply = self._negotiation.feed(data)
        if reply:
            self._send(reply, deadline)
        return text

    def close(self) -> None:
        self._socket.close()

    def _send(self, data: bytes, deadline: Deadline) -> None:
        view = memoryview(data)
        while view:
            if not _ready(self._socket, select.POLLOUT, SLICE_S, deadline):
                if deadline.over:
                    raise TimedOut("the device takes no more input", "is it alive?")
                continue
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                continue
            except OSError:
                raise _cut() from None
