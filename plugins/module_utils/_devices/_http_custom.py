# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The model ``custom`` of the type ``http``: the requests, and what their answers mean, are written by the user.

This file sends nothing. On and off are what the rules say and nothing else; if both fit, or none, the power is unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._bounded_search import found_in
from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    BadReply,
    Deadline,
    Kind,
    Options,
    Power,
    Problem,
    Reading,
    Reason,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.http_families import (
    MISSING,
    Request,
    at,
    json_of,
    same,
    steps_of,
    word_of,
)

MODEL = "custom"
METHODS = ["GET", "POST", "PUT", "PATCH"]
REQUESTS = ("status", "switch_on", "switch_off")
RULES = ("reads_on", "reads_off")
# Names of headers that speak of secrets, and those that HTTP needs for itself.
SECRET_HEADER = re.compile(r"auth|cookie|token|secret|key|passw|credential|session", re.IGNORECASE)
OWN_HEADER = re.compile(
    r"host|connection|content-length|transfer-encoding|te|upgrade|expect|accept-encoding", re.IGNORECASE
)
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
PATH = re.compile(r"/[!-\"$-~]*")
OUTLET = "[A-Za-z0-9_.:-]{1,64}"
OUTLET_PLACE = "{outlet}"

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "device_kind": {"type": "str", "choices": ["chassis", "supply"]},
    **{
        name: {
            "type": "dict",
            "options": {
                "method": {"type": "str", "choices": METHODS, "default": "GET"},
                "path": {"type": "str", "required": True},
                "body": {"type": "str"},
                "content_type": {"type": "str"},
                "headers": {"type": "dict"},
            },
        }
        for name in REQUESTS
    },
    **{
        name: {
            "type": "dict",
            "options": {"json": {"type": "str"}, "equals": {"type": "raw"}, "matches": {"type": "str"}},
        }
        for name in RULES
    },
}


@dataclass(frozen=True)
class Rule:
    """A value that must be exactly there in the JSON of an answer, or a regular expression that must fit in its text."""

    path: str | None
    equals: Any
    matches: str | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Rule:
        return cls(given.get("json"), given.get("equals"), given.get("matches"))

    @property
    def wanted(self) -> str:
        """What it wants, as it stands in JSON: on in quotes is a text, true is what YAML makes of it without them."""
        return f"matches {self.matches}" if self.matches is not None else json.dumps(self.equals, default=str)


class Custom:
    """What a family is, from the options of an agent."""

    model = MODEL
    trust = ""
    source = "the inventory"
    auth = ("basic", "digest", "none")
    protocols = ("https", "http")
    example = "3"

    def __init__(self, options: Options) -> None:
        self.kind = Kind(options.get("device_kind") or "chassis")
        # An outlet is wanted if something speaks of it, and only then.
        self.outlet = OUTLET if OUTLET_PLACE in repr([options.get(name) for name in (*REQUESTS, *RULES)]) else ""
        self.status = _request(options.get("status") or {})
        self._switch = {
            Power.ON: _request(options.get("switch_on") or {}),
            Power.OFF: _request(options.get("switch_off") or {}),
        }
        self._rules = {
            Power.ON: Rule.of(options.get("reads_on") or {}),
            Power.OFF: Rule.of(options.get("reads_off") or {}),
        }

    def name_of(self, outlet: str) -> str:
        return outlet

    def switch(self, power: Power) -> Request:
        return self._switch[power]

    def check(self, text: str) -> None:
        """Nothing is known about what its answers say."""

    def judge(self, text: str, outlet: str, shown: Callable[[str], str], deadline: Deadline) -> Reading:
        """The one power whose rule fits."""
        value, found = self._values(text, outlet)
        fits = {power: self._fits(rule, found, outlet) for power, rule in self._rules.items()}
        patterns = {power: rule.matches for power, rule in self._rules.items() if rule.matches is not None}
        if patterns:
            written = [pattern.replace(OUTLET_PLACE, re.escape(outlet)) for pattern in patterns.values()]
            fits.update(zip(patterns, found_in(text, written, deadline), strict=True))
        raw = shown(value)
        if fits[Power.ON] and fits[Power.OFF]:
            return Reading(
                Power.UNKNOWN, raw, Reason.BAD_REPLY, "both reads_on and reads_off fit its answer; make them narrower"
            )
        for power, fit in fits.items():
            if fit:
                return Reading(power, raw)
        rules = " nor ".join(f"reads_{power} ({rule.wanted})" for power, rule in self._rules.items())
        return Reading(
            Power.UNKNOWN,
            raw,
            Reason.BAD_REPLY,
            f"neither {rules} fits its answer, {raw}; look at type, case and quotes",
        )

    def _values(self, text: str, outlet: str) -> tuple[str, Any]:
        """What to show of an answer, and its JSON if a rule looks into it."""
        paths = [rule.path for rule in self._rules.values() if rule.path is not None]
        if not paths:
            return " ".join(text.split()), MISSING
        try:
            found = json_of(text)
        except ValueError:
            raise BadReply("its answer is no JSON", "is it a login page? Then look at auth") from None
        values = dict.fromkeys(quoted(at(found, path.replace(OUTLET_PLACE, outlet))) for path in paths)
        return " and ".join(values), found

    def _fits(self, rule: Rule, found: Any, outlet: str) -> bool:
        return rule.path is not None and same(at(found, rule.path.replace(OUTLET_PLACE, outlet)), rule.equals)


def quoted(value: Any) -> str:
    """A value as JSON has it, so that "1" and 1 are told apart."""
    return json.dumps(value) if isinstance(value, str) else word_of(value)


def _request(given: Mapping[str, Any]) -> Request:
    return Request(
        method=str(given.get("method") or "GET"),
        path=str(given.get("path") or "/"),
        body=str(given.get("body") or ""),
        content_type=str(given.get("content_type") or ""),
        headers={str(name): str(value) for name, value in (given.get("headers") or {}).items()},
    )


def problems(options: Options) -> Iterator[Problem]:
    """What is wrong with the options that only ``custom`` has, or that they are there without it."""
    names = ("device_kind", *REQUESTS, *RULES)
    if options["model"] != MODEL:
        yield from ((name, "is for model: custom only") for name in names if options.get(name) is not None)
        return
    yield from ((name, "is missing: model custom needs it") for name in names if options.get(name) is None)
    for name in REQUESTS:
        yield from ((name, what) for what in _request_faults(options.get(name) or {"path": "/"}))
    for name in RULES:
        given = options.get(name)
        if given is not None:
            yield from ((name, what) for what in _rule_faults(given))
    if options.get("reads_on") is not None and options.get("reads_on") == options.get("reads_off"):
        yield "reads_off", "is the same as reads_on"


def _request_faults(given: Mapping[str, Any]) -> Iterator[str]:
    if not PATH.fullmatch(str(given.get("path") or "")):
        yield "path must begin with / and have no spaces, no # and no letters outside of ASCII; write %20 for a space"
    if re.search(r"\{(each|mask)\}", f"{given.get('path')}{given.get('body')}"):
        yield "has a placeholder that is for built-in families; there is only {outlet}"
    texts = (given.get("body"), given.get("content_type"))
    if any("\0" in text for text in texts if text) or re.search(r"[\r\n]", given.get("content_type") or ""):
        yield "body must have no NUL characters, and content_type must be one line"
    for name, value in (given.get("headers") or {}).items():
        if SECRET_HEADER.search(str(name)):
            yield "headers must hold no secrets, as they are not masked; use username, password and auth"
        elif not HEADER_NAME.fullmatch(str(name)) or OWN_HEADER.fullmatch(str(name)):
            yield "headers has a name that is no header, or one that is not for you to write"
        elif isinstance(value, (dict, list)) or not str(value).isprintable() or not str(value).isascii():
            yield "headers must have texts of one line in ASCII as values"


def _rule_faults(given: Mapping[str, Any]) -> Iterator[str]:
    path, equals, matches = given.get("json"), given.get("equals"), given.get("matches")
    if (path is None) == (matches is None):
        yield "must have either json and equals, or matches"
    elif path is not None and (equals is None or isinstance(equals, (dict, list))):
        yield "must have equals beside json: a text in quotes, a number, true or false"
    elif matches is not None and equals is not None:
        yield "must have equals beside json only"
    if path is not None:
        try:
            steps_of(path.replace(OUTLET_PLACE, "1"))
        except ValueError:
            yield "json must be a path such as relays[0].state"
    if matches is not None:
        try:
            fits_all = re.search(matches.replace(OUTLET_PLACE, "1"), "") is not None
        except (re.error, RecursionError, OverflowError):
            yield "matches is no regular expression"
        else:
            if fits_all:
                yield "matches fits an empty answer, so it says nothing"
