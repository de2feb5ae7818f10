# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``http``: outlets and systems that are read and switched by plain HTTP requests.

What the requests are and what their answers mean is data in ``http_families.py``, or is written in the inventory by the user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    BadReply,
    Deadline,
    DeviceDriver,
    DeviceError,
    Kind,
    NotFound,
    Options,
    Power,
    Problem,
    Reading,
    Refused,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _http_custom as custom
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.http_families import FAMILIES, Ask, Family
from ansible_collections.hostpm.fencing.plugins.module_utils._http import (
    DEFAULT_PORT,
    MISSING_LIBRARY,
    HttpDevice,
    complain,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._http_login import Login

# What is wrong with one outlet only, and says nothing about the others or about the conversation.
OWN_FAULTS = (NotFound, Refused, Unsupported, BadReply)


class HttpDriver(DeviceDriver):
    """The outlets of one device. What several agents ask in the same words is asked once."""

    def __init__(self, options: Options) -> None:
        self._family = family_of(options)
        http = HttpDevice(
            str(options["address"]),
            port_of(options),
            protocol_of(options),
            options.get("validate_certs") is not False,
            options.get("ca_path"),
        )
        self._http = http
        self._login = Login(http, auth_of(options), options.get("username"), options.get("password"))

    def read_all(self, agents: Sequence[Options], deadline: Deadline) -> Sequence[Reading | DeviceError]:
        answers: dict[Ask, str | DeviceError] = {}
        return [self._read(self._family.name_of(outlet_of(agent)), answers, deadline) for agent in agents]

    def switch_all(self, agents: Sequence[Options], power: Power, deadline: Deadline) -> Sequence[DeviceError | None]:
        """Read first: that says which outlets there are, and that the connection is alive and the account known."""
        seen = self.read_all(agents, deadline)
        complaints = [answer if isinstance(answer, DeviceError) else None for answer in seen]
        places = [place for place, complaint in enumerate(complaints) if complaint is None]
        names = {place: self._family.name_of(outlet_of(agents[place])) for place in places}
        together = self._family.switch(power).takes_several
        broken: DeviceError | None = None
        for part in [places] if together and places else [[place] for place in places]:
            if broken is None:
                fault = self._send(power, [names[place] for place in part], deadline)
                # After a login that failed or a line that broke nothing more is sent: it would only do harm.
                broken = None if fault is None or isinstance(fault, OWN_FAULTS) else fault
            for place in part:
                complaints[place] = broken or fault
        return complaints

    def close(self) -> None:
        self._http.close()

    def _read(self, outlet: str, answers: dict[Ask, str | DeviceError], deadline: Deadline) -> Reading | DeviceError:
        ask = self._family.status.of([outlet])
        if ask not in answers:
            answers[ask] = self._status(ask, deadline)
        answer = answers[ask]
        if isinstance(answer, DeviceError):
            return answer
        try:
            return self._family.judge(answer, outlet, self._login.shown, deadline)
        except OWN_FAULTS as fault:
            return fault

    def _status(self, ask: Ask, deadline: Deadline) -> str | DeviceError:
        """The text of a status page, or why this one page cannot be had."""
        try:
            return self._asked(ask, "the status", deadline, acts=False)
        except OWN_FAULTS as fault:
            return fault

    def _send(self, power: Power, outlets: Sequence[str], deadline: Deadline) -> DeviceError | None:
        try:
            self._asked(self._family.switch(power).of(outlets), f"the command {power}", deadline, acts=True)
        except DeviceError as fault:
            return fault
        return None

    def _asked(self, ask: Ask, what: str, deadline: Deadline, acts: bool) -> str:
        body = ask.body.encode() if ask.body else None
        reply = self._login.request(ask.method, ask.path, deadline, dict(ask.headers), body, acts)
        text = _text(reply.body)
        self._family.check(text)
        complain(reply, what)
        if not acts and reply.status != 200:
            raise BadReply(f"its answer for {what} is HTTP {reply.status}, not 200", "look at the model and the device")
        return text


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("latin-1")


# --- What the options say -----------------------------------------------------------------------------------------


# What the driver needs to know of a device: a row of the table, or what the user wrote.
AnyFamily = Union[Family, custom.Custom]


def family_of(options: Options) -> AnyFamily:
    if options["model"] == custom.MODEL:
        return custom.Custom(options)
    return FAMILIES[str(options["model"])]


def outlet_of(options: Options) -> str:
    outlet = options.get("outlet")
    return "" if outlet is None else str(outlet).strip()


def protocol_of(options: Options) -> str:
    return options.get("protocol") or "https"


def port_of(options: Options) -> int:
    return int(options.get("port") or DEFAULT_PORT[protocol_of(options)])


def auth_of(options: Options) -> str:
    """How to log in: as the agent says, else as the model usually wants it."""
    if options.get("auth"):
        return str(options["auth"])
    return family_of(options).auth[0] if options.get("username") is not None else "none"


def kind_of(options: Options) -> Kind:
    return family_of(options).kind


def device(options: Options) -> str:
    address = str(options["address"]).lower().strip("[]")
    return f"[{address}]:{port_of(options)}" if ":" in address else f"{address}:{port_of(options)}"


def target(options: Options) -> str:
    return f"{device(options)}/{outlet_of(options)}"


def describe(options: Options) -> str:
    outlet = outlet_of(options)
    return f"{options['address']}, outlet {outlet}" if outlet else str(options["address"])


def problems(options: Options) -> list[Problem]:
    family = family_of(options)
    found = [*custom.problems(options), *address_problems(options)]
    found += [*_login_problems(options, family), *_outlet_problems(options, family)]
    if family.trust == "C" and not options.get("accept_untested"):
        found.append(
            (
                "accept_untested",
                f"must be true for {family.model}: nobody of us has seen one, and its sources are unclear ({family.source});"
                " try it with an outlet that feeds nothing",
            )
        )
    return found


def address_problems(options: Options) -> list[Problem]:
    found: list[Problem] = []
    address, port = str(options["address"]), options.get("port")
    if not address or any(character in "/@?#" or character.isspace() for character in address):
        found.append(("address", "must be a host name or an IP address, without https:// and without a path"))
    if port is not None and not 1 <= int(port) <= 65535:
        found.append(("port", f"must be from 1 to 65535, not {port}"))
    return found


def _login_problems(options: Options, family: AnyFamily) -> list[Problem]:
    found: list[Problem] = []
    auth, protocol = options.get("auth"), protocol_of(options)
    if protocol not in family.protocols:
        found.append(
            (
                "protocol",
                f"must be {family.protocols[0]} for {family.model}, which speaks no TLS; keep it on a network that you trust",
            )
        )
    if auth and auth not in family.auth:
        found.append(("auth", f"must be one of {', '.join(family.auth)} for {family.model}"))
    if auth in ("basic", "digest") and options.get("username") is None:
        found.append(("username", f"is missing: auth {auth} needs username and password"))
    if auth == "none" and options.get("username") is not None:
        found.append(("auth", "is none, but there is a username; leave one of them out"))
    if auth_of(options) == "basic" and ":" in (options.get("username") or ""):
        found.append(("username", "must not contain a colon with auth: basic"))
    return found


def _outlet_problems(options: Options, family: AnyFamily) -> list[Problem]:
    outlet = options.get("outlet")
    if not family.outlet:
        return [("outlet", f"must be left out for {family.model}, which has none")] if outlet is not None else []
    if outlet is None:
        return [("outlet", f'is missing: write it as {family.model} has it, such as "{family.example}"')]
    if isinstance(outlet, (bool, float)) or not re.fullmatch(family.outlet, outlet_of(options)):
        return [("outlet", f'must be as {family.model} has it, such as "{family.example}"')]
    return []


ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int"},
    "protocol": {"type": "str", "choices": ["https", "http"], "default": "https"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "auth": {"type": "str", "choices": ["basic", "digest", "none"]},
    "model": {"type": "str", "required": True, "choices": [custom.MODEL, *sorted(FAMILIES)]},
    "outlet": {"type": "raw"},
    "accept_untested": {"type": "bool", "default": False},
    **custom.ARGUMENTS,
}

TYPE = AgentType(
    name="http",
    kind=Kind.SUPPLY,
    kind_of=kind_of,
    parallel=False,
    timeout_s=30.0,
    read_timeout_s=8.0,
    # A switch is a read and a command, each with a new connection and perhaps a login before it.
    exchange_s=6.0,
    usual_s={Power.OFF: 0.5, Power.ON: 0.5},
    argument_spec=ARGUMENTS,
    own_options=frozenset({"outlet"}),
    open_device=HttpDriver,
    describe=describe,
    device=device,
    target=target,
    problems=problems,
    missing_library=lambda options: MISSING_LIBRARY,
    required_together=[("username", "password")],
)
