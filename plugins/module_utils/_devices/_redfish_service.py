# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""A Redfish service: its documents, as the account that was given, over HTTP Basic or a session.

This file knows logins and documents; it does not know what a system or its power is.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    NotFound,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._http import (
    DEFAULT_PORT,
    HttpDevice,
    Reply,
    complain,
    shown,
)

ROOT = "/redfish/v1/"
HEADERS = {"Accept": "application/json", "OData-Version": "4.0"}
# The names of a message registry (DSP0266, MessageId): Base.1.8.SessionLimitExceeded, iDRAC.2.4.SYS403.
MESSAGE_ID = re.compile(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+){1,6}")


@dataclass(frozen=True)
class Document:
    """One resource, and the ETag that it came with."""

    body: Mapping[str, Any]
    etag: str | None

    def link(self, *names: str) -> object:
        """The ``@odata.id`` below these names, None if there is none."""
        found: object = self.body
        for name in (*names, "@odata.id"):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found


class RedfishService:
    """Redfish documents, as the account that was given.

    A session is opened when the service offers them and they were asked for, kept, replaced once when the service
    forgot it, and always ended in ``close``.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._http = HttpDevice(
            options["address"],
            port_of(options),
            protocol_of(options),
            options.get("validate_certs") is not False,
            options.get("ca_path"),
        )
        self._username: str | None = options.get("username")
        self._password: str = options.get("password") or ""
        self._wants_session = options.get("auth") == "session"
        self._root: Document | None = None
        self._login: dict[str, str] = {}
        self._sessions: list[str] = []
        basic = base64.b64encode(f"{self._username}:{self._password}".encode("utf-8", "surrogateescape")).decode()
        self._basic = {"Authorization": f"Basic {basic}"}
        self._secrets = [self._password, basic]
        if self._username is not None and not self._wants_session:
            self._login = self._basic

    def root(self, deadline: Deadline) -> Document:
        if self._root is None:
            self._root = self._document(self._send("GET", ROOT, deadline, self._login), "the Redfish service")
        return self._root

    def expansion(self, deadline: Deadline) -> str | None:
        """The query with which a collection comes with its members' contents, if the service says that it can do that."""
        features = self.root(deadline).body.get("ProtocolFeaturesSupported")
        expand = features.get("ExpandQuery") if isinstance(features, Mapping) else None
        if not isinstance(expand, Mapping) or expand.get("NoLinks") is not True:
            return None
        return "$expand=.($levels=1)" if expand.get("Levels") is True else "$expand=."

    def get(self, link: object, what: str, deadline: Deadline) -> Document:
        return self._document(self._ask("GET", self._http.path_of(link), deadline), what)

    def post(self, link: object, body: Mapping[str, Any], deadline: Deadline, etag: str | None = None) -> Reply:
        """The answer to a POST, whatever it is."""
        path = self._http.path_of(link)
        return self._ask("POST", path, deadline, {"If-Match": etag} if etag else {}, body)

    def complain(self, reply: Reply, asked: str) -> None:
        """Raise what the status says, with the names of the service's messages. Their texts may quote a password."""
        names = _message_ids(reply.json_object() or {})
        if reply.status >= 400 and any(name.endswith(".SessionLimitExceeded") for name in names):
            raise Busy(f"it has no session left for {asked}", "close sessions on the device, or use auth: basic")
        if reply.status == 401 and self._login == self._basic:
            raise AuthenticationFailed(
                f"it did not accept the credentials for {asked} (HTTP 401)",
                "look at username and password; a device that forbids HTTP Basic needs auth: session",
            )
        complain(reply, asked, ", ".join(self.shown(name) for name in names[:2]))

    def path_of(self, link: object) -> str:
        return self._http.path_of(link)

    def shown(self, value: object) -> str:
        return shown(value, self._secrets)

    def close(self, deadline: Deadline) -> None:
        with contextlib.suppress(DeviceError):
            for session in self._sessions:
                self._send("DELETE", session, deadline, self._login)
        self._sessions.clear()
        self._http.close()

    def _ask(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        self._log_in(deadline)
        reply = self._send(method, path, deadline, {**self._login, **(headers or {})}, body)
        if reply.status == 401 and self._sessions:
            # The service forgot the session, so it has not acted upon the request either.
            self._login = {}
            self._log_in(deadline)
            reply = self._send(method, path, deadline, {**self._login, **(headers or {})}, body)
        return reply

    def _send(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        headers = {**HEADERS, **headers}
        if body is None:
            return self._http.request(method, path, deadline, headers)
        headers["Content-Type"] = "application/json"
        return self._http.request(method, path, deadline, headers, json.dumps(body).encode())

    def _document(self, reply: Reply, what: str) -> Document:
        self.complain(reply, what)
        body = reply.json_object()
        if reply.status != 200 or body is None:
            raise BadReply(
                f"its answer for {what} is no JSON object (HTTP {reply.status})",
                "is this a Redfish service in good health?",
            )
        etag = reply.headers.get("ETag") or body.get("@odata.etag")
        return Document(body, etag if isinstance(etag, str) and etag.isascii() and etag.isprintable() else None)

    def _log_in(self, deadline: Deadline) -> None:
        if self._login or self._username is None:
            return
        collection = self._session_collection(deadline)
        if collection is None:
            self._login = self._basic
        else:
            self._open_session(collection, deadline)

    def _session_collection(self, deadline: Deadline) -> str | None:
        """Where sessions are made, as the root or the session service tells it: old iDRACs differ from others."""
        root = self.root(deadline)
        link = root.link("Links", "Sessions")
        if link is None and root.link("SessionService") is not None:
            path = self._http.path_of(root.link("SessionService"))
            with contextlib.suppress(NotFound, Unsupported):
                reply = self._send("GET", path, deadline, self._basic)
                link = self._document(reply, "the session service").link("Sessions")
        return None if link is None else self._http.path_of(link)

    def _open_session(self, collection: str, deadline: Deadline) -> None:
        credentials = {"UserName": self._username, "Password": self._password}
        reply = self._send("POST", collection, deadline, {}, credentials)
        self.complain(reply, "the login")
        token = reply.headers.get("X-Auth-Token", "")
        place = reply.headers.get("Location") or (reply.json_object() or {}).get("@odata.id")
        if not token or not token.isascii() or not token.isprintable() or not isinstance(place, str):
            raise BadReply("it opened a session without a token or a place to close it", "use auth: basic")
        # Some services name themselves otherwise in Location than we do: it is their path that counts.
        self._sessions.append("/" + re.sub(r"^[A-Za-z]+://[^/]*", "", place).lstrip("/"))
        self._secrets.append(token)
        self._login = {"X-Auth-Token": token}


def _message_ids(body: Mapping[str, Any]) -> list[str]:
    error = body.get("error")
    if not isinstance(error, Mapping):
        return []
    infos = error.get("@Message.ExtendedInfo")
    found = [info.get("MessageId") for info in infos if isinstance(info, Mapping)] if isinstance(infos, list) else []
    return [name for name in (*found, error.get("code")) if isinstance(name, str) and MESSAGE_ID.fullmatch(name)]


def protocol_of(options: Mapping[str, Any]) -> str:
    return options.get("protocol") or "https"


def port_of(options: Mapping[str, Any]) -> int:
    return int(options.get("port") or DEFAULT_PORT[protocol_of(options)])
