# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``ucs``: blades and rack servers of a Cisco UCS domain, by the service profile that runs on them (UCS Manager XML API).

What runs on a host is bound to its service profile, not to a slot: the profile says where it is, the blade there says if it has power.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import quoteattr

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    AuthenticationFailed,
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
    Reason,
    Refused,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.http import (
    OWN_FAULTS,
    address_problems,
    port_of,
    protocol_of,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._http import MISSING_LIBRARY, HttpDevice, complain, shown
from ansible_collections.hostpm.fencing.plugins.module_utils._xml import Element, parse_xml

# computeBlade.operPower and computeRackUnit.operPower: everything but these two proves nothing.
POWERS = {"on": Power.ON, "off": Power.OFF}
# The presence of a blade that is there and is the one that it should be. A missing or mismatched one may be running elsewhere.
PRESENT = "equipped"
# lsPower.state.
WANTED = {Power.ON: "admin-up", Power.OFF: "admin-down"}
# Error codes of the API.
LOGIN_FAILED, NO_SESSION, FORBIDDEN = "551", "552", "553"
NAME = re.compile(r"[A-Za-z0-9_.:-]{1,32}")
COOKIE = re.compile(r"[!-~]+")


class UcsDriver(DeviceDriver):
    """The service profiles of one UCS domain, in one session. The session is ended in ``close``, whatever happened."""

    def __init__(self, options: Options) -> None:
        self._http = HttpDevice(
            str(options["address"]),
            port_of(options),
            protocol_of(options),
            options.get("validate_certs") is not False,
            options.get("ca_path"),
        )
        self._username, self._password = str(options["username"]), str(options["password"])
        self._cookie: str | None = None

    def read_all(self, agents: Sequence[Options], deadline: Deadline) -> Sequence[Reading | DeviceError]:
        """Two requests for any number of profiles: where they are, and what is there."""
        dns = [profile_dn(agent) for agent in agents]
        profiles = self._resolve(dns, "the service profiles", deadline)
        places = {dn: profile.get("pnDn", "") for dn, profile in profiles.items() if profile.tag == "lsServer"}
        blades = self._resolve([place for place in places.values() if place], "the servers", deadline)
        return [self._reading(dn, places.get(dn), blades) for dn in dns]

    def switch_all(self, agents: Sequence[Options], power: Power, deadline: Deadline) -> Sequence[DeviceError | None]:
        """Look first: a profile that is not there, or runs nowhere, has no power to switch."""
        complaints: list[DeviceError | None] = []
        for agent, seen in zip(agents, self.read_all(agents, deadline), strict=True):
            complaint = seen if isinstance(seen, DeviceError) else None
            if complaint is None:
                try:
                    self._set(profile_dn(agent), power, deadline)
                except OWN_FAULTS as fault:
                    complaint = fault
            complaints.append(complaint)
        return complaints

    def close(self) -> None:
        if self._cookie is not None:
            with contextlib.suppress(DeviceError):
                self._post(
                    f"<aaaLogout inCookie={quoteattr(self._cookie)}/>", "aaaLogout", "the logout", Deadline(1.0), True
                )
            self._cookie = None
        self._http.close()

    def _reading(self, dn: str, place: str | None, blades: Mapping[str, Element]) -> Reading | DeviceError:
        if place is None:
            return NotFound(f"it has no service profile {dn}", "look at profile and org; case counts")
        if not place:
            return NotFound(f"the service profile {dn} is on no server", "associate it, or remove the agent")
        blade = blades.get(place)
        if blade is None:
            return NotFound(
                f"the server {self._shown(place)} of the service profile is not there", "was it pulled out?"
            )
        power, presence = blade.get("operPower", ""), blade.get("presence", "")
        raw = f"operPower {self._shown(power)}, presence {self._shown(presence)} at {self._shown(place)}"
        if presence != PRESENT:
            advice = "the host may be running elsewhere; look at UCS Manager"
            return Reading(
                Power.UNKNOWN, raw, Reason.BAD_REPLY, f"the server's presence is {self._shown(presence)}; {advice}"
            )
        owner = blade.get("assignedToDn")
        if owner not in (None, dn):
            return Reading(
                Power.UNKNOWN, raw, Reason.UNCONFIRMED, "the server has just been given to another service profile"
            )
        if power in POWERS:
            return Reading(POWERS[power], raw)
        return Reading(Power.UNKNOWN, raw, Reason.BAD_REPLY, f"operPower is {self._shown(power)}: neither on nor off")

    def _resolve(self, dns: Sequence[str], what: str, deadline: Deadline) -> dict[str, Element]:
        """The managed objects with these distinguished names, as far as they are there."""
        if not dns:
            return {}
        wanted = "".join(f"<dn value={quoteattr(dn)}/>" for dn in dict.fromkeys(dns))
        answer = self._ask("configResolveDns", f"<inDns>{wanted}</inDns>", what, deadline, acts=False)
        configs = answer.find("outConfigs")
        found: dict[str, Element] = {}
        for each in configs if configs is not None else ():
            dn = each.get("dn", "")
            if dn in found:
                raise BadReply("its answer has one name twice", "look at UCS Manager")
            found[dn] = each
        return {dn: found[dn] for dn in dns if dn in found}

    def _set(self, dn: str, power: Power, deadline: Deadline) -> None:
        place = quoteattr(f"{dn}/power")
        change = f'<lsPower dn={place} state="{WANTED[power]}" status="modified"/>'
        content = f"<inConfigs><pair key={place}>{change}</pair></inConfigs>"
        self._ask("configConfMos", content, f"the command {power}", deadline, acts=True)

    def _ask(self, method: str, content: str, what: str, deadline: Deadline, acts: bool) -> Element:
        """One method in the session. A session that the domain forgot is replaced once: then it did not act either."""
        again = self._cookie is not None
        for last in (not again, True):
            cookie = quoteattr(self._log_in(deadline))
            request = f'<{method} cookie={cookie} inHierarchical="false">{content}</{method}>'
            answer = self._post(request, method, what, deadline, acts)
            if answer.get("errorCode") != NO_SESSION or last:
                break
            self._cookie = None
        self._complain(answer, what)
        return answer

    def _log_in(self, deadline: Deadline) -> str:
        if self._cookie is None:
            request = f"<aaaLogin inName={quoteattr(self._username)} inPassword={quoteattr(self._password)}/>"
            answer = self._post(request, "aaaLogin", "the login", deadline, True)
            self._complain(answer, "the login")
            cookie = answer.get("outCookie", "")
            if not COOKIE.fullmatch(cookie):
                raise BadReply("it accepted the login without a cookie", "is this UCS Manager?")
            self._cookie = cookie
        return self._cookie

    def _post(self, request: str, method: str, what: str, deadline: Deadline, acts: bool) -> Element:
        headers = {"Content-Type": "text/xml"}
        body = request.encode("utf-8", "surrogateescape")
        reply = self._http.request("POST", "/nuova", deadline, headers, body, acts)
        complain(reply, what)
        answer = parse_xml(reply.body, what)
        if answer.tag != method or answer.get("response") != "yes":
            raise BadReply(f"its answer for {what} is not that of UCS Manager", "is this UCS Manager's own address?")
        return answer

    def _complain(self, answer: Element, what: str) -> None:
        """Raise what an answer says in its error code. Its text may quote what was sent, the password, too."""
        code = answer.get("errorCode")
        if code is None or code in ("", "0"):
            return
        code = self._shown(code)
        if code in (LOGIN_FAILED, NO_SESSION):
            raise AuthenticationFailed(
                f"it did not accept the credentials for {what} (error {code})", "look at username and password"
            )
        if code == FORBIDDEN:
            raise AuthenticationFailed(
                f"the account is not allowed {what} (error {code})", "give it the privilege ls-power"
            )
        raise Refused(f"it refused {what} (error {code})", "look at UCS Manager's own log")

    def _shown(self, value: str) -> str:
        return shown(value, (self._password, self._cookie or ""))


def profile_dn(options: Options) -> str:
    """The distinguished name of a service profile in its organization."""
    return f"{org_dn(options)}/ls-{options['profile']}"


def org_dn(options: Options) -> str:
    """``Europe/Prod`` and ``org-root/org-Europe/org-Prod`` are the same."""
    names = [part.removeprefix("org-") for part in str(options.get("org") or "").strip("/").split("/") if part]
    if names and names[0] == "root":
        del names[0]
    return "/".join(["org-root", *(f"org-{name}" for name in names)])


def device(options: Options) -> str:
    return f"{str(options['address']).lower()}:{port_of(options)}"


def problems(options: Options) -> Iterator[Problem]:
    yield from address_problems(options)
    if not NAME.fullmatch(str(options["profile"])):
        yield "profile", "must be the name of a service profile, without ls- and without its organization"
    if not all(NAME.fullmatch(part) for part in org_dn(options).split("/")):
        yield "org", "must be names of organizations with / between, such as Europe/Prod"


TYPE = AgentType(
    name="ucs",
    kind=Kind.CHASSIS,
    # A domain has a limit of sessions for each user: agents take turns.
    parallel=False,
    # Since release 3.1 a shutdown may take the soft shutdown timer of the maintenance policy first: 150 s by default.
    timeout_s=200.0,
    read_timeout_s=15.0,
    exchange_s=12.0,
    usual_s={Power.OFF: 5.0, Power.ON: 5.0},
    argument_spec={
        "address": {"type": "str", "required": True},
        "port": {"type": "int"},
        "protocol": {"type": "str", "choices": ["https", "http"], "default": "https"},
        "username": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "profile": {"type": "str", "required": True},
        "org": {"type": "str"},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
    },
    own_options=frozenset({"profile", "org"}),
    open_device=UcsDriver,
    describe=lambda options: f"{options['address']}, service profile {profile_dn(options)}",
    device=device,
    target=lambda options: f"{device(options)}/{profile_dn(options)}",
    problems=lambda options: list(problems(options)),
    missing_library=lambda options: MISSING_LIBRARY,
)
