# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""An HTTP conversation with one device that keeps to its deadline, its size and its host, whatever the device does.

Failures come out as the contract's errors in our own words. This file knows HTTP and TLS; it knows no Redfish and no
power.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    NotFound,
    Refused,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._http_connection import (
    SHORTEST_WAIT_S,
    Guard,
    open_pool,
)

MISSING_LIBRARY: str | None = None
try:
    from requests import Session
    from requests.adapters import HTTPAdapter
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.util.retry import Retry
except ImportError:
    MISSING_LIBRARY = "requests"
    Session = HTTPAdapter = object  # type: ignore[assignment,misc,unused-ignore]

DEFAULT_PORT = {"https": 443, "http": 80}
LARGEST_ANSWER = 4 * 1024 * 1024
CHUNK = 64 * 1024
REDIRECTS = frozenset({301, 302, 307, 308})
# What may be asked again on a new connection, if a kept one turns out to be closed, without doing anything twice.
REPEATABLE = frozenset({"GET", "DELETE"})


@dataclass(frozen=True)
class Reply:
    """What the device answered. ``headers`` is case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json_object(self) -> dict[str, Any] | None:
        """The JSON object in the body, None if there is no such thing. A name with two values is null."""
        try:
            found = json.loads(self.body, object_pairs_hook=_without_contradictions)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


def _without_contradictions(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        found[name] = value if found.get(name, value) == value else None
    return found


class HttpDevice:
    """Requests to one device over one kept connection; one at a time, each within its deadline.

    Nothing is ever sent to another host: redirects are not followed (but for a slash at the end of a path), proxies,
    ``.netrc`` and certificate bundles named by the environment are not looked at, cookies are not kept.
    """

    def __init__(
        self, address: str, port: int, protocol: str = "https", validate_certs: bool = True, ca_path: str | None = None
    ) -> None:
        self._address = address.strip("[]")
        self._port = port
        self._protocol = protocol
        self._verify: bool | str = (ca_path or True) if validate_certs else False
        self._guard = Guard()
        self._session: _Session | None = None

    def path_of(self, link: object) -> str:
        """The path (and query) of a link that the device gave; BadReply if the link leads to another host."""
        if not isinstance(link, str):
            raise BadReply("a link of the device is missing or is no text", "look at its firmware")
        try:
            parts = urlsplit(link)
            port = parts.port or DEFAULT_PORT.get(parts.scheme)
        except ValueError:
            raise BadReply("a link of the device cannot be read", "look at its firmware") from None
        stays = (parts.scheme, parts.hostname, port) == (self._protocol, self._address.lower(), self._port)
        if (parts.scheme or parts.netloc) and not stays:
            raise BadReply("a link of the device leads to another host", "nothing is sent there; look at its firmware")
        if not parts.path.startswith("/"):
            raise BadReply("a link of the device is not an absolute path", "look at its firmware")
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def request(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        acts: bool = False,
    ) -> Reply:
        """One request and its whole answer, whatever its status is.

        Unreachable means that nothing of a POST can have been acted upon; TimedOut leaves it open. A POST is never
        sent a second time; nor is a GET that ``acts``, as the commands of many small devices are.
        """
        repeatable = method in REPEATABLE and not acts
        reply = self._reconnecting(method, path, deadline, headers or {}, body, repeatable)
        if method == "GET" and repeatable and reply.status in REDIRECTS and self._same_but_a_slash(path, reply):
            path = path[:-1] if path.endswith("/") else path + "/"
            reply = self._reconnecting(method, path, deadline, headers or {}, body, repeatable)
        return reply

    def close(self) -> None:
        """Close the connection. Sends nothing."""
        if self._session is not None:
            self._session.close()
        self._guard.let_go()

    def _reconnecting(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        headers: Mapping[str, str],
        body: bytes | None,
        repeatable: bool,
    ) -> Reply:
        try:
            return self._once(method, path, deadline, headers, body, repeatable)
        except Unreachable:
            # The device may have closed the kept connection in the meantime.
            if self._guard.fresh or not repeatable:
                raise
        return self._once(method, path, deadline, headers, body, repeatable)

    def _once(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        headers: Mapping[str, str],
        body: bytes | None,
        repeatable: bool,
    ) -> Reply:
        with self._guard.over(deadline):
            try:
                reply = self._exchange(method, path, headers, body)
            except Exception as error:
                if deadline.over and not isinstance(error, TimedOut):
                    raise self._guard.timed_out() from None
                if isinstance(error, DeviceError):
                    raise
                raise _broken(error, repeatable, self._guard) from None
            if self._guard.cut:
                # What ends where the connection was cut looks whole, if the device did not tell its length.
                raise self._guard.timed_out()
            return reply

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        if self._session is None:
            self._session = _Session(self._address, self._port, self._protocol, self._verify, self._guard)
        left_s = max(self._guard.deadline.remaining_s, SHORTEST_WAIT_S)
        response = self._session.request(
            method,
            # The pool below speaks to its own host only, and sets the Host header: this name is never looked at.
            f"{self._protocol}://device{path}",
            headers={"Accept-Encoding": "identity", **headers},
            data=body,
            timeout=(left_s, left_s),
            verify=self._verify,
            allow_redirects=False,
            stream=True,
        )
        try:
            self._guard.stage = "in the middle of its answer"
            response.raw.enforce_content_length = True  # urllib3 1.26 takes half an answer for a whole one.
            return Reply(response.status_code, response.headers, _bounded(response.iter_content(CHUNK)))
        finally:
            response.close()

    def _same_but_a_slash(self, path: str, reply: Reply) -> bool:
        try:
            elsewhere = self.path_of(reply.headers.get("Location"))
        except BadReply:
            return False
        return elsewhere != path and elsewhere.rstrip("/") == path.rstrip("/")


def _bounded(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise BadReply(
                f"its answer is larger than {LARGEST_ANSWER // 1024 // 1024} MB", "is this the right device?"
            )
    return bytes(body)


class _OnePool(HTTPAdapter):
    """Takes every request to the pool of the one device, whose TLS context alone says what is trusted."""

    def __init__(self, pool: HTTPConnectionPool) -> None:
        super().__init__(max_retries=Retry(0, read=False))
        self._pool = pool

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        return self._pool

    def get_connection(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """What requests before 2.32 calls."""
        return self._pool

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """The pool has its TLS context already."""

    def close(self) -> None:
        self._pool.close()
        super().close()


class _Session(Session):
    def __init__(self, address: str, port: int, protocol: str, verify: bool | str, guard: Guard) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _OnePool(open_pool(address, port, protocol, verify, guard))
        for prefix in ("https://", "http://"):
            self.mount(prefix, adapter)

    def get_redirect_target(self, resp: Any) -> None:
        """None, because requests reads the whole body of a redirect, however long, even when it is not to follow it."""


def _broken(error: Exception, repeatable: bool, guard: Guard) -> DeviceError:
    """What to call a conversation that broke off after the connection was there."""
    causes = list(_causes(error))
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return guard.timed_out()
    if not guard.sent:
        return Unreachable("it closed the connection before anything was sent", "is it restarting?")
    strange = (http.client.BadStatusLine, http.client.LineTooLong, http.client.UnknownProtocol)
    if any(isinstance(cause, strange) and not isinstance(cause, ConnectionError) for cause in causes):
        return BadReply("its answer is no HTTP", "look at the port and the protocol")
    if not repeatable:
        return TimedOut("it closed the connection before it had answered", "whether it acted is not known")
    if guard.stage == "in the middle of its answer":
        return BadReply("it broke off in the middle of its answer", "try again")
    if any(isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError) for cause in causes):
        return TlsFailed("TLS broke off after the handshake", "does the device ask for a client certificate?")
    return Unreachable("it closed the connection without an answer", "is it restarting?")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was made from: requests and urllib3 wrap in causes, contexts and arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting.extend(each for each in inner if isinstance(each, BaseException))


def complain(reply: Reply, asked: str, detail: str = "") -> None:
    """Raise what an HTTP status says against ``asked`` ("the login"). Statuses of success pass."""
    status = reply.status
    if 200 <= status < 300:
        return
    shown_status = f"HTTP {status}, {detail}" if detail else f"HTTP {status}"
    if status in BUSY:
        raise Busy(f"it has no time for {asked} now ({shown_status})", "try again later", _retry_after_s(reply.headers))
    if status in MEANINGS:
        error, seen, advice = MEANINGS[status]
        raise error(f"{seen.format(asked=asked)} ({shown_status})", advice)
    if 400 <= status < 500:
        raise Refused(f"it refused {asked} ({shown_status})", "look at the device's own log")
    if 300 <= status < 400:
        raise BadReply(f"it sends {asked} elsewhere ({shown_status})", "look at the protocol, the address and the port")
    raise BadReply(f"it failed on {asked} ({shown_status})", "look at the device's own log")


BUSY = frozenset({429, 503})
MEANINGS: Mapping[int, tuple[type[DeviceError], str, str]] = {
    401: (AuthenticationFailed, "it did not accept the credentials for {asked}", "look at username and password"),
    403: (AuthenticationFailed, "the account is not allowed {asked}", "give it a role that may switch power"),
    404: (NotFound, "it does not have {asked}", "look at the address and at the device's firmware"),
    405: (Unsupported, "it does not offer {asked}", "look at the device's firmware"),
    501: (Unsupported, "it does not offer {asked}", "look at the device's firmware"),
}


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The Retry-After header in seconds from now. A date is counted by the device's own, often wrong, clock."""
    wish = headers.get("Retry-After", "").strip()
    if wish.isdecimal() and len(wish) < 8:
        return float(wish)
    try:
        until = email.utils.parsedate_to_datetime(wish)
        now = email.utils.parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, IndexError):
        return None


def shown(value: object, secrets: Iterable[str], longest: int = 60) -> str:
    """A device's word as it may be shown to a person: printable, short, and never with a secret that it echoes."""
    text = value if isinstance(value, str) else json.dumps(value)
    forms = {text.casefold(), unquote(text).casefold()}
    if any(secret and secret.casefold() in form for secret in secrets for form in forms):
        return "(hidden)"
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= longest else text[: longest - 1] + "…"
