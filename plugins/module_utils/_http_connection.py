# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""A TCP or TLS connection to one device, cut at its deadline wherever it hangs: name, connect, handshake, answer.

This file knows sockets, TLS and urllib3's connections; it knows nothing of requests and their answers.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    Deadline,
    TimedOut,
    TlsFailed,
    Unreachable,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._names import resolve

try:
    from urllib3.connection import HTTPConnection
    from urllib3.connectionpool import HTTPConnectionPool
except ImportError:
    # _http.py says so; here the classes only have to exist.
    HTTPConnection = HTTPConnectionPool = object  # type: ignore[assignment,misc,unused-ignore]

# How often the watch looks at the deadline: an interrupted task moves it.
WATCH_S = 0.1
# OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT, which Python 3.12 was the first to name: servers that cannot renegotiate securely.
OP_LEGACY_SERVER_CONNECT = 0x4
# A socket time-out of 0 would mean "do not wait", none at all "wait for ever".
SHORTEST_WAIT_S = 0.01


def open_pool(address: str, port: int, protocol: str, verify: bool | str, guard: Guard) -> HTTPConnectionPool:
    """A pool of one connection to the device, and to nothing else."""
    tls = _tls_context(verify) if protocol == "https" else None
    return _Pool(address, port, maxsize=1, guard=guard, tls=tls)


def open_stream(address: str, port: int, verify: bool | str, guard: Guard, legacy_tls: bool) -> _Connection:
    """A TLS connection for what is no HTTP, in its ``sock``. The caller closes it, and is ``over`` the guard while it is open."""
    connection = _Connection(address, port, guard=guard, tls=_tls_context(verify, legacy_tls))
    connection.connect()
    return connection


class Guard:
    """Cuts the device's connection at the deadline of the request under way, whatever the library is waiting for.

    It holds a duplicate of the socket: TLS takes the original over, and shutting the duplicate down ends both. The
    duplicate is let go when the connection is closed, because a socket is closed with its last holder.
    """

    def __init__(self) -> None:
        self.deadline = Deadline(0.0)
        self.stage = ""
        self.fresh = False
        self.sent = False
        self.cut = False
        self.connection: HTTPConnection | None = None
        self._twin: socket.socket | None = None
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def over(self, deadline: Deadline) -> Iterator[None]:
        self.deadline, self.stage = deadline, "before anything was sent"
        self.fresh = self.sent = self.cut = False
        if deadline.over:
            raise self.timed_out()
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(done,), daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()
            watch.join()
            if self.connection is None or self.connection.sock is None:
                self.let_go()

    def hold(self, connection: socket.socket) -> None:
        self.let_go()
        with self._lock:
            self._twin = connection.dup()

    def let_go(self) -> None:
        with self._lock:
            if self._twin is not None:
                self._twin.close()
            self._twin = None

    def timed_out(self) -> TimedOut:
        return TimedOut(f"timed out {self.stage}", "is the device alive, and the timeout long enough?")

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(WATCH_S if self.deadline.over else min(self.deadline.remaining_s, WATCH_S)):
            if self.deadline.over:
                self._cut()

    def _cut(self) -> None:
        with self._lock:
            self.cut = True
            if self._twin is not None:
                with contextlib.suppress(OSError):  # It is closed already.
                    self._twin.shutdown(socket.SHUT_RDWR)


class _Connection(HTTPConnection):
    """A connection that resolves, connects and speaks TLS within the deadline, and tells how far it came.

    TLS is spoken here and not by urllib3's HTTPSConnection: whom to trust is then the context's business alone, in every
    release of urllib3.
    """

    def __init__(self, *args: Any, guard: Guard, tls: ssl.SSLContext | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard
        self._tls = tls
        # http.client leaves this one out of the Host header.
        self.default_port = 80 if tls is None else 443  # type: ignore[misc,unused-ignore]

    def connect(self) -> None:
        self._guard.fresh = True
        self._guard.connection = self
        super().connect()
        if self._tls is not None and self.sock is not None:
            self._guard.stage = "in the TLS handshake"
            try:
                self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host.partition("%")[0])
            except Exception as error:
                self.close()
                raise self._tls_fault(error) from None

    def _tls_fault(self, error: Exception) -> Exception:
        if isinstance(error, TimeoutError):
            return self._guard.timed_out()
        if isinstance(error, ssl.SSLCertVerificationError):
            return TlsFailed(*CERTIFICATE_FAULTS.get(error.verify_code, UNKNOWN_ISSUER))
        closed = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
        if isinstance(error, ssl.SSLError) and not isinstance(error, closed):
            seen = "no TLS connection could be agreed on"
            return TlsFailed(seen, "does this port speak https, with TLS 1.2 or newer?")
        if isinstance(error, OSError):
            return Unreachable("it closed the connection in the TLS handshake", "is it restarting?")
        return error

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self._guard.sent = True
        self._guard.stage = "waiting for its answer"
        super().send(data)

    def _new_conn(self) -> socket.socket:
        """The one place where urllib3 looks a name up and connects. The name stays the one that TLS checks."""
        guard = self._guard
        guard.stage = f"looking up {self.host}"
        family, place = resolve(self.host, self.port, guard.deadline)
        guard.stage = "connecting"
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            guard.hold(sock)
            sock.settimeout(max(guard.deadline.remaining_s, SHORTEST_WAIT_S))
            sock.connect(place)
            sock.settimeout(max(guard.deadline.remaining_s, SHORTEST_WAIT_S))
        except TimeoutError:
            sock.close()
            raise guard.timed_out() from None
        except OSError as error:
            sock.close()
            seen = CONNECT_FAULTS.get(error.errno or 0, "no connection")
            raise Unreachable(seen, "look at the address, the port and the network") from None
        except BaseException:
            sock.close()
            raise
        return sock


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection  # type: ignore[assignment,unused-ignore]


def _tls_context(verify: bool | str, legacy: bool = False) -> ssl.SSLContext:
    """Whom to trust, and with ``legacy`` whatever versions and ciphers this machine's OpenSSL still has."""
    context = _trusting(verify)
    if legacy:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
        context.options |= OP_LEGACY_SERVER_CONNECT
    return context


def _trusting(verify: bool | str) -> ssl.SSLContext:
    """What to trust: the machine's own store, or ``ca_path`` (a file or a folder) and nothing else, or anything."""
    if verify is False:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context = ssl.create_default_context() if verify is True else _context_of(str(verify))
    # Python 3.13 refuses certificates that lack some extensions, as many of those that BMCs make, and takes an
    # issuing CA as an anchor; before it Python does neither. Every version shall trust the same certificates.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


def _context_of(ca_path: str) -> ssl.SSLContext:
    place = Path(ca_path).expanduser()
    try:
        if place.is_dir():
            return ssl.create_default_context(capath=str(place))
        return ssl.create_default_context(cafile=str(place))
    except ssl.SSLError:
        raise TlsFailed(f"ca_path {ca_path} holds no certificate", "it must be a PEM file of CA certificates") from None
    except OSError:
        raise TlsFailed(
            f"ca_path {ca_path} cannot be read", "it must be there on the machine that speaks to the device"
        ) from None


# OpenSSL's X509_V_ERR_*: 10 expired, 9 not yet valid, 62 and 64 another host name or IP address.
UNKNOWN_ISSUER = (
    "its certificate is not signed by a known CA",
    "set ca_path to the CA that signed it, or validate_certs to false on a network that you trust",
)
WRONG_NAME = (
    "its certificate is for another name than the address",
    "use the name in the certificate as address, or set validate_certs to false on a network that you trust",
)
CERTIFICATE_FAULTS: Mapping[int, tuple[str, str]] = {
    9: ("its certificate is not valid yet", "look at the clocks of the device and of this machine"),
    10: ("its certificate has expired", "renew it, or set validate_certs to false on a network that you trust"),
    62: WRONG_NAME,
    64: WRONG_NAME,
}
CONNECT_FAULTS: Mapping[int, str] = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "no route to it",
    errno.ENETUNREACH: "no route to its network",
}
