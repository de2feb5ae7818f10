# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Requests to one device as one account: HTTP Basic (RFC 7617), Digest (RFC 7616), or nobody.

This file knows logins; it does not know what is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import AuthenticationFailed, Deadline
from ansible_collections.hostpm.fencing.plugins.module_utils._http import HttpDevice, Reply, shown

# A scheme in front of its parameters, or one parameter; what stands in quotes is skipped as a whole.
CHALLENGE_PART = re.compile(
    r'([A-Za-z][\w-]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))|(?=\s+[A-Za-z][\w-]*\s*=|\s*(?:,|$)))'
)
# The hashes of RFC 7616, the better one first. "-sess" has the first hash cover the nonces, too.
HASHES = {"SHA-256": "sha256", "SHA-256-SESS": "sha256", "MD5": "md5", "MD5-SESS": "md5"}


class Login:
    """Sends requests to the device with the account's credentials. Digest never falls back to sending the password."""

    def __init__(self, http: HttpDevice, auth: str, username: str | None, password: str | None) -> None:
        self._http = http
        self._auth = auth if username is not None else "none"
        self._username = username or ""
        self._password = password or ""
        pair = f"{self._username}:{self._password}".encode("utf-8", "surrogateescape")
        self._basic = base64.b64encode(pair).decode()
        self._challenge: Challenge | None = None
        self._count = 0

    def request(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        acts: bool = False,
    ) -> Reply:
        """One request and its whole answer. What was answered with 401 was not acted upon, so it may be sent again."""
        given = dict(headers or {})
        if self._auth == "basic":
            given["Authorization"] = f"Basic {self._basic}"
        if self._auth != "digest":
            return self._http.request(method, path, deadline, given, body, acts)
        known = self._challenge
        reply = self._http.request(method, path, deadline, {**given, **self._digest(method, path)}, body, acts)
        if reply.status != 401:
            return reply
        self._challenge = challenge = Challenge.of(reply)
        if challenge is None:
            raise AuthenticationFailed(
                "it offers no HTTP Digest with SHA-256 or MD5 (HTTP 401)",
                "look at the device's web settings, and at auth if the agent has it",
            )
        if known is not None and not challenge.stale and known.nonce == challenge.nonce:
            return reply
        self._count = 0
        again = self._http.request(method, path, deadline, {**given, **self._digest(method, path)}, body, acts)
        if again.status == 401:
            # These credentials are wrong. The next request must not count as two more wrong logins.
            self._challenge = None
        return again

    def shown(self, value: object) -> str:
        """A device's word for a person, without the credentials that it may echo."""
        return shown(value, (self._password, self._basic))

    def _digest(self, method: str, path: str) -> dict[str, str]:
        if self._challenge is None:
            return {}
        self._count += 1
        account = (self._username, self._password)
        return {"Authorization": self._challenge.answer(account, method, path, self._count, secrets.token_hex(16))}


@dataclass(frozen=True)
class Challenge:
    """What a device wants to be answered before it believes who asks."""

    realm: str
    nonce: str
    algorithm: str
    opaque: str | None
    qop: bool
    stale: bool

    @classmethod
    def of(cls, reply: Reply) -> Challenge | None:
        """The best Digest challenge of a 401 that can be answered; None if there is none."""
        found = [each for each in _challenges(reply.headers.get("WWW-Authenticate", "")) if each is not None]
        return min(found, key=lambda each: list(HASHES).index(each.algorithm.upper()), default=None)

    def answer(self, account: tuple[str, str], method: str, path: str, count: int, cnonce: str) -> str:
        """The Authorization header of one request."""

        def digest(text: str) -> str:
            known = HASHES[self.algorithm.upper()]
            return hashlib.new(known, text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()

        username, password = account
        secret = digest(f"{username}:{self.realm}:{password}")
        if self.algorithm.upper().endswith("-SESS"):
            secret = digest(f"{secret}:{self.nonce}:{cnonce}")
        what = digest(f"{method}:{path}")
        counted = f"{count:08x}"
        middle = f"{self.nonce}:{counted}:{cnonce}:auth" if self.qop else self.nonce
        parts = {
            "username": _quoted(username),
            "realm": _quoted(self.realm),
            "nonce": _quoted(self.nonce),
            "uri": _quoted(path),
            "response": _quoted(digest(f"{secret}:{middle}:{what}")),
            "algorithm": self.algorithm,
        }
        if self.opaque is not None:
            parts["opaque"] = _quoted(self.opaque)
        if self.qop:
            parts.update(qop="auth", nc=counted, cnonce=_quoted(cnonce))
        elif self.algorithm.upper().endswith("-SESS"):
            parts["cnonce"] = _quoted(cnonce)
        header = "Digest " + ", ".join(f"{name}={value}" for name, value in parts.items())
        # Headers leave as Latin-1; who has other letters in his name has them as the UTF-8 that was hashed.
        return header.encode("utf-8", "surrogateescape").decode("latin-1")


def _challenges(header: str) -> Iterator[Challenge | None]:
    scheme, given = "", dict[str, str]()
    for match in CHALLENGE_PART.finditer(header):
        name, quoted, bare = match.groups()
        if quoted is None and bare is None:
            yield _challenge(scheme, given)
            scheme, given = name.lower(), {}
        else:
            given[name.lower()] = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    yield _challenge(scheme, given)


def _challenge(scheme: str, given: Mapping[str, str]) -> Challenge | None:
    algorithm = given.get("algorithm", "MD5")
    wanted = [each.strip().lower() for each in given.get("qop", "").split(",") if each.strip()]
    unusable = algorithm.upper() not in HASHES or (wanted and "auth" not in wanted)
    if scheme != "digest" or unusable or not {"realm", "nonce"} <= set(given):
        return None
    if not all(value.isprintable() for value in given.values()):
        return None
    return Challenge(
        realm=given["realm"],
        nonce=given["nonce"],
        algorithm=algorithm,
        opaque=given.get("opaque"),
        qop=bool(wanted),
        stale=given.get("stale", "").lower() == "true",
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
