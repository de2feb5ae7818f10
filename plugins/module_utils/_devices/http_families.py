# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The families of devices whose power is read and switched over plain HTTP: what to ask, and what the answers mean.

Data, and the few words it is written in. This file sends nothing. A family that differs from the others in paths and texts is
one more row; a driver never asks which family it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Union

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Deadline,
    DeviceError,
    Kind,
    NotFound,
    Power,
    Reading,
    Reason,
)

PLACEHOLDER = re.compile(r"\{(outlet|each|mask)\}")
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
# Outlets of a device in its own ``{mask}``: the first is the leftmost of so many digits.
MASK_DIGITS = 24


# --- What to ask --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ask:
    """One request as it is sent."""

    method: str
    path: str
    body: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """One request, with ``{outlet}`` where the device's own name of the outlet belongs.

    ``{each}`` stands for ``each``, once for every outlet with ``joint`` between, and ``{mask}`` for digits of which those of
    the outlets are 1: such a request is about several outlets at once.
    """

    method: str
    path: str
    body: str = ""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    each: str = ""
    joint: str = ","

    @property
    def takes_several(self) -> bool:
        return any(each in self.path + self.body for each in ("{each}", "{mask}"))

    def of(self, outlets: Sequence[str]) -> Ask:
        """The request about these outlets; about one, if it does not take several."""

        def written(template: str, outlet: str = "") -> str:
            words = {"outlet": outlet}
            if self.takes_several and template is not self.each:
                words["each"] = self.joint.join(written(self.each, outlet) for outlet in outlets)
                words["mask"] = _mask(outlets) if "{mask}" in template else ""
            return PLACEHOLDER.sub(lambda match: words.get(match[1], match[0]), template)

        headers = {**({"Content-Type": self.content_type} if self.content_type else {}), **self.headers}
        return Ask(self.method, written(self.path, outlets[0]), written(self.body, outlets[0]), tuple(headers.items()))


def _mask(outlets: Sequence[str]) -> str:
    chosen = {int(outlet) for outlet in outlets}
    return "".join("1" if number in chosen else "0" for number in range(1, MASK_DIGITS + 1))


# --- Where the answer is ------------------------------------------------------------------------------------------


class Contradiction:
    """What an outlet has whose power an answer gives twice, and differently."""

    def __str__(self) -> str:
        return "two different values"


class Table(Protocol):
    """Finds the outlets and their values in an answer. None: the answer is no such thing at all, a login page perhaps."""

    def rows(self, text: str) -> Iterator[tuple[str, Any]] | None: ...


def json_of(text: str) -> Any:
    """The JSON value of a text; ValueError if it is none. Of a member that is there twice it takes Contradiction."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            found[name] = value if name not in found or same(found[name], value) else Contradiction()
        return found

    try:
        return json.loads(text, object_pairs_hook=members)
    except RecursionError:
        raise ValueError("too deep") from None


def same(one: object, other: object) -> bool:
    """Whether two values are the same in type, too: true is neither 1 nor "true"."""
    return type(one) is type(other) and one == other


# A step into JSON: a member's name, or a place in a list.
Step = Union[str, int]
STEP = re.compile(r"(?:^|(?<!^)\.)([^.\[\]]+)|\[(\d+)\]")


def steps_of(path: str) -> tuple[Step, ...]:
    """``a.b[0].c`` as steps; ValueError if it is no such path. An empty path is the whole value."""
    steps: list[Step] = []
    end = 0
    for match in STEP.finditer(path):
        if match.start() != end:
            break
        steps.append(match[1] if match[1] is not None else int(match[2]))
        end = match.end()
    if end != len(path):
        raise ValueError(path)
    return tuple(steps)


class Missing:
    """What is not in an answer."""

    def __str__(self) -> str:
        return "nothing"


MISSING = Missing()


def word_of(value: object) -> str:
    """A value as it stood in the answer."""
    return str(value) if isinstance(value, (str, Missing, Contradiction)) else json.dumps(value, default=str)


def at(value: Any, path: str) -> Any:
    """What is at this path of a JSON value, or MISSING."""
    for step in steps_of(path):
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else MISSING
        else:
            value = value.get(step, MISSING) if isinstance(value, Mapping) else MISSING
    return value


@dataclass(frozen=True)
class JsonRows:
    """A list of objects at ``path``, one for each outlet. Without ``name`` the place in the list, from 0, is the name."""

    path: str
    value: str
    name: str = ""

    def rows(self, text: str) -> Iterator[tuple[str, Any]] | None:
        found = _json_at(text, self.path)
        if not isinstance(found, list):
            return None
        return ((self._name(place, row), at(row, self.value)) for place, row in enumerate(found))

    def _name(self, place: int, row: Any) -> str:
        name = at(row, self.name) if self.name else place
        return str(name) if isinstance(name, (int, str)) and not isinstance(name, bool) else ""


@dataclass(frozen=True)
class JsonMembers:
    """An object at ``path`` with members for the outlets: ``name`` fits theirs, and its group is the outlet's name.

    A member that fits without the group is the outlet ``only``.
    """

    path: str
    name: str
    value: str = ""
    only: str = ""

    def rows(self, text: str) -> Iterator[tuple[str, Any]] | None:
        found = _json_at(text, self.path)
        if not isinstance(found, Mapping):
            return None
        matches = ((re.fullmatch(self.name, member), value) for member, value in found.items())
        return ((match[1] or self.only, at(value, self.value)) for match, value in matches if match)


@dataclass(frozen=True)
class JsonValue:
    """One value at ``path``, for devices without outlets."""

    path: str

    def rows(self, text: str) -> Iterator[tuple[str, Any]] | None:
        found = _json_at(text, self.path)
        return None if found is MISSING else iter([("", found)])


@dataclass(frozen=True)
class TextRows:
    """A page in which ``pattern`` fits once for each outlet, with the groups ``outlet`` and ``value``."""

    pattern: str

    def rows(self, text: str) -> Iterator[tuple[str, Any]] | None:
        found = [(match["outlet"], match["value"]) for match in re.finditer(self.pattern, text)]
        return iter(found) if found else None


@dataclass(frozen=True)
class TextList:
    """One text between commas, the group of ``pattern``, with the values of ``count`` outlets from place ``start`` (from 0) on.

    The outlets are named by their place, from 1. What follows the last one is about none.
    """

    pattern: str
    start: int
    count: int

    def rows(self, text: str) -> Iterator[tuple[str, Any]] | None:
        match = re.search(self.pattern, text)
        if match is None:
            return None
        values = match[1].split(",")[self.start : self.start + self.count]
        return ((str(number), value.strip()) for number, value in enumerate(values, start=1))


def _json_at(text: str, path: str) -> Any:
    try:
        return at(json_of(text), path)
    except ValueError:
        return MISSING


# --- A family -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Family:
    """One family of devices.

    ``outlet`` is how people write an outlet, as a pattern, with an ``example``; without it the device has none. The device counts
    its outlets from ``first``, in numbers that are ``shift`` more than people's and have ``digits``; both are None and 0 where an
    outlet has a name of its own. ``on`` and ``off`` are the exact values, ``texts`` names those that are documented as neither.
    ``complaints`` are texts in an answer with a status of success that say otherwise. ``trust`` is A where the vendor's text and a
    working driver agree, B for one of the two, C where sources conflict or the only one is unclear.
    """

    model: str
    title: str
    source: str
    trust: str
    status: Request
    table: Table
    on: Any
    off: Any
    switch_on: Request
    switch_off: Request
    auth: tuple[str, ...]
    protocols: tuple[str, ...] = ("https", "http")
    kind: Kind = Kind.SUPPLY
    outlet: str = r"[1-9][0-9]{0,2}"
    example: str = "7"
    first: int | None = 1
    shift: int = 0
    digits: int = 0
    texts: Mapping[Any, str] = field(default_factory=dict)
    complaints: tuple[tuple[str, type[DeviceError], str, str], ...] = ()

    def name_of(self, outlet: str) -> str:
        """The device's own name of the outlet that people call ``outlet``."""
        if self.first is None:
            return outlet
        return f"{int(outlet) + self.shift:0{self.digits}d}"

    def switch(self, power: Power) -> Request:
        return self.switch_off if power is Power.OFF else self.switch_on

    def check(self, text: str) -> None:
        """Raise what an answer says in its text, whatever its status was."""
        for pattern, error, seen, advice in self.complaints:
            if re.search(pattern, text):
                raise error(seen, advice)

    def value(self, text: str, outlet: str) -> Any:
        """What an answer says about an outlet (its own name). BadReply if it is no answer, NotFound if it has no such outlet."""
        rows = self.table.rows(text)
        if rows is None:
            raise BadReply(
                f"its answer is not the status of a {self.model}",
                "is the model right? Or is it a login page? Then look at auth",
            )
        found: dict[str, Any] = {}
        for name, value in rows:
            found[name] = value if name not in found or same(found[name], value) else Contradiction()
        self._check_first(found)
        if found.get(outlet, MISSING) is MISSING:
            raise NotFound(self._missing(found, outlet), "check the outlet and the model")
        return found[outlet]

    def judge(self, text: str, outlet: str, shown: Callable[[str], str], deadline: Deadline) -> Reading:
        """The power that an answer proves for an outlet (its own name); ``shown`` makes a device's word fit to be shown."""
        value = self.value(text, outlet)
        raw = shown(word_of(value))
        if same(value, self.off):
            return Reading(Power.OFF, raw)
        if same(value, self.on):
            return Reading(Power.ON, raw)
        for text, meaning in self.texts.items():
            if same(value, text):
                return Reading(Power.UNKNOWN, raw, Reason.UNCONFIRMED, f"the device says {raw}: {meaning}")
        return Reading(
            Power.UNKNOWN,
            raw,
            Reason.BAD_REPLY,
            f"{raw} is no documented status of a {self.model}; is the model right?",
        )

    def _check_first(self, found: Mapping[str, Any]) -> None:
        """A device that counts from another number than its model should is another model: its outlet 1 is not ours."""
        numbers = [int(name) for name in found if name.isdecimal()]
        if self.first is not None and numbers and min(numbers) != self.first:
            raise BadReply(
                f"it counts its outlets from {min(numbers)}, but a {self.model} from {self.first}",
                "set the right model",
            )

    def _missing(self, found: Mapping[str, Any], outlet: str) -> str:
        if not outlet:
            return "its status has no value for the power"
        count = sum(value is not MISSING for value in found.values())
        return f"it tells of {count} outlet{'s' * (count != 1)}, and this one is not among them"


# --- The table ----------------------------------------------------------------------------------------------------

ACCEPT = {"Accept": JSON}


def _hidden_page(command: str) -> Request:
    return Request("GET", f"/hidden.htm?{command}")


def _epowerswitch_8m() -> Family:
    return Family(
        model="epowerswitch_8m",
        title="ePowerSwitch 8M+, its hidden page hidden.htm",
        source="fence_eps, tested by its authors with an 8M+ 1.0.0.4",
        trust="B",
        status=Request("GET", "/hidden.htm"),
        # P01=1<br>, two digits for the outlet.
        table=TextRows(r"\bP(?P<outlet>\d\d)=(?P<value>[^<\s]*)\s*<br>"),
        on="1",
        off="0",
        switch_on=_hidden_page("P{outlet}=1"),
        switch_off=_hidden_page("P{outlet}=0"),
        auth=("basic", "none"),
        protocols=("http",),
        outlet="[1-8]",
        digits=2,
    )


def _epowerswitch_r2() -> Family:
    return Family(
        model="epowerswitch_r2",
        title="ePowerSwitch with REV.2 firmware (4M+ R2, 8M+ R2 and others), its hidden page hidden.htm",
        source="fence_epsr2; scripts in the field use the same page with HTTP Digest",
        trust="B",
        status=Request("GET", "/hidden.htm"),
        table=TextRows(r"\b(?P<outlet>M\d+:O\d+)=(?P<value>[^<\s]*)"),
        on="On",
        off="Off",
        switch_on=_hidden_page("{outlet}=On"),
        switch_off=_hidden_page("{outlet}=Off"),
        auth=("basic", "digest", "none"),
        protocols=("http", "https"),
        outlet="M[0-9]{1,2}:O[1-9][0-9]?",
        example="M0:O1",
        first=None,
    )


def _netio() -> Family:
    outputs = '{"Outputs": [{each}]}'
    return Family(
        model="netio",
        title="NETIO PowerPDU, PowerBOX, PowerDIN, PowerCable and NETIO 4 with the JSON API switched on",
        source="NETIO: JSON over HTTP(s) protocol (M2M API); pdudaemon netiojson",
        trust="A",
        status=Request("GET", "/netio.json", headers=ACCEPT),
        table=JsonRows("Outputs", name="ID", value="State"),
        on=1,
        off=0,
        switch_on=Request(
            "POST", "/netio.json", outputs, JSON, ACCEPT, each='{"ID": {outlet}, "Action": 1}', joint=", "
        ),
        switch_off=Request(
            "POST", "/netio.json", outputs, JSON, ACCEPT, each='{"ID": {outlet}, "Action": 0}', joint=", "
        ),
        auth=("basic", "none"),
        outlet="[1-9][0-9]?",
    )


def _jaws() -> Family:
    control = "/jaws/control/outlets/{outlet}"
    return Family(
        model="jaws",
        title="Server Technology PRO2, PRO3X and PRO4X with the JSON API (JAWS)",
        source="drivers of pdudaemon (servertechpro2) and of the SKA telescope, which work; no text of the vendor at hand",
        trust="B",
        status=Request("GET", "/jaws/monitor/outlets", headers=ACCEPT),
        table=JsonRows("", name="id", value="state"),
        on="On",
        off="Off",
        switch_on=Request("PATCH", control, '{"control_action": "on"}', JSON, ACCEPT),
        switch_off=Request("PATCH", control, '{"control_action": "off"}', JSON, ACCEPT),
        auth=("basic",),
        outlet="[A-Z]{2}[1-9][0-9]?",
        example="AA7",
        first=None,
    )


def _dli_rest() -> Family:
    # Outlet 1 of the case is number 0 of the API. The vendor says that only physical_state is what the relay does.
    state = "/restapi/relay/outlets/{outlet}/state/"
    headers = {"X-CSRF": "x", **ACCEPT}
    return Family(
        model="dli_rest",
        title="Digital Loggers power controllers with the REST API switched on",
        source="digital-loggers.com/rest.html; drivers of others that use the same paths",
        trust="A",
        status=Request("GET", "/restapi/relay/outlets/", headers=ACCEPT),
        table=JsonRows("", value="physical_state"),
        on=True,
        off=False,
        switch_on=Request("PUT", state, "value=true", FORM, headers),
        switch_off=Request("PUT", state, "value=false", FORM, headers),
        auth=("digest", "basic"),
        protocols=("https", "http"),
        outlet="[1-9][0-9]?",
        first=0,
        shift=-1,
    )


def _dli_web() -> Family:
    return Family(
        model="dli_web",
        title="Digital Loggers web power switches without a REST API, their page index.htm",
        source="powerman dli.dev and dli4.dev; the page as recorded for dlipower's tests",
        trust="B",
        status=Request("GET", "/index.htm"),
        # The row of an outlet: its number, a name that anybody may choose, its state.
        table=TextRows(
            r"<td[^>]*>\s*(?P<outlet>\d+)\s*</td>\s*<td[^>]*>[^<]*</td>\s*<td[^>]*>\s*<b>\s*<font[^>]*>(?P<value>[^<]*)</font>"
        ),
        on="ON",
        off="OFF",
        switch_on=Request("GET", "/outlet?{outlet}=ON"),
        switch_off=Request("GET", "/outlet?{outlet}=OFF"),
        auth=("basic", "none"),
        outlet="[1-8]",
    )


def _shelly_gen2() -> Family:
    return Family(
        model="shelly_gen2",
        title="Shelly of the second generation and later (Plus, Pro, Gen3, Gen4), switch components",
        source="shelly-api-docs.shelly.cloud, gen2: Switch, Authentication; fence_shelly_gen2",
        trust="A",
        # Shelly.GetStatus tells of all components: {"switch:0": {"id": 0, "output": true, ...}, ...}
        status=Request("GET", "/rpc/Shelly.GetStatus"),
        table=JsonMembers("", name=r"switch:(\d+)", value="output"),
        on=True,
        off=False,
        switch_on=Request("POST", "/rpc/Switch.Set", '{"id": {outlet}, "on": true}', JSON),
        switch_off=Request("POST", "/rpc/Switch.Set", '{"id": {outlet}, "on": false}', JSON),
        auth=("digest", "none"),
        protocols=("http",),
        # People, too, call the first one 0: so does the device's own page.
        outlet="0|[1-9][0-9]?",
        example="0",
        first=0,
    )


def _tasmota() -> Family:
    return Family(
        model="tasmota",
        title="Plugs and relays with Tasmota, a release after 9.2 if it has a password",
        source="tasmota.github.io/docs/Commands; pdudaemon tasmota",
        trust="A",
        # A device with one relay tells of POWER, one with several of POWER1, POWER2, ...
        status=Request("GET", "/cm?cmnd=State"),
        table=JsonMembers("", name=r"POWER(\d*)", only="1"),
        on="ON",
        off="OFF",
        switch_on=Request("GET", "/cm?cmnd=Power{outlet}%20ON"),
        switch_off=Request("GET", "/cm?cmnd=Power{outlet}%20OFF"),
        auth=("basic", "none"),
        protocols=("http",),
        outlet="[1-9][0-9]?",
        example="1",
        complaints=(
            (
                r'"WARNING"\s*:\s*"Need user=',
                AuthenticationFailed,
                "it did not accept the credentials (it wants a user and a password)",
                "look at username and password; releases up to 9.2 take none in the header",
            ),
            (r'"Command"\s*:\s*"Unknown"', NotFound, "it does not know this outlet's command", "check the outlet"),
        ),
    )


def _lindy_ipower() -> Family:
    return Family(
        model="lindy_ipower",
        title="Lindy IPower Classic 8 (32657) and others of its maker with ons.cgi and offs.cgi",
        source="pdudaemon ipower for the commands; scripts for sisters of it for status.xml, no text of the vendor",
        trust="C",
        status=Request("GET", "/status.xml"),
        table=TextList(r"<pot0>([^<]*)</pot0>", start=10, count=8),
        on="1",
        off="0",
        switch_on=Request("GET", "/ons.cgi?led={mask}"),
        switch_off=Request("GET", "/offs.cgi?led={mask}"),
        auth=("basic", "none"),
        protocols=("http",),
        # More places than outlets are in status.xml, and they are 0.
        outlet="[1-8]",
    )


def _ip9258s() -> Family:
    # The first IP Power 9258 counts from P60, and its manual wants all outlets in every command: it has no row.
    return Family(
        model="ip9258s",
        title="Aviosys IP Power 9258 of the later kind (9258S, 9258T, 9258HP), whose outlets are p61 to p64",
        source="Aviosys IP Power 9258S manual, HTTP command",
        trust="B",
        status=Request("GET", "/set.cmd?cmd=getpower"),
        # p61=1,p62=0; firmwares differ in case and in what is between.
        table=TextRows(r"(?i:\bp)6(?P<outlet>\d)=(?P<value>[^,&<\s]*)"),
        on="1",
        off="0",
        switch_on=Request("GET", "/set.cmd?cmd=setpower{each}", each="+p6{outlet}=1", joint=""),
        switch_off=Request("GET", "/set.cmd?cmd=setpower{each}", each="+p6{outlet}=0", joint=""),
        auth=("basic", "none"),
        protocols=("http",),
        # Four-outlet devices tell of eight, and of the missing ones 0.
        outlet="[1-4]",
        example="3",
    )


def _openbmc() -> Family:
    state = "/xyz/openbmc_project/state"
    chassis = "xyz.openbmc_project.State.Chassis"
    transition = "it is under way"
    return Family(
        model="openbmc",
        title="OpenBMC with its own REST API (not Redfish), logged in by HTTP Basic",
        source="openbmc/docs host-management.md; xCAT sends the same, powerman's openbmc.dev a soft off; Basic is what bmcweb takes",
        trust="B",
        kind=Kind.CHASSIS,
        status=Request("GET", f"{state}/chassis0/attr/CurrentPowerState", headers=ACCEPT),
        table=JsonValue("data"),
        on=f"{chassis}.PowerState.On",
        off=f"{chassis}.PowerState.Off",
        texts={
            f"{chassis}.PowerState.TransitioningToOff": transition,
            f"{chassis}.PowerState.TransitioningToOn": transition,
        },
        switch_on=Request(
            "PUT",
            f"{state}/host0/attr/RequestedHostTransition",
            '{"data": "xyz.openbmc_project.State.Host.Transition.On"}',
            JSON,
        ),
        switch_off=Request(
            "PUT",
            f"{state}/chassis0/attr/RequestedPowerTransition",
            f'{{"data": "{chassis}.Transition.Off"}}',
            JSON,
        ),
        auth=("basic",),
        protocols=("https", "http"),
        outlet="",
        example="",
        first=None,
    )


FAMILIES: Mapping[str, Family] = {
    family.model: family
    for family in (
        _dli_rest(),
        _dli_web(),
        _epowerswitch_8m(),
        _epowerswitch_r2(),
        _ip9258s(),
        _jaws(),
        _lindy_ipower(),
        _netio(),
        _openbmc(),
        _shelly_gen2(),
        _tasmota(),
    )
}
