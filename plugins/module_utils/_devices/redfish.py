# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Redfish: the power of one system of a BMC or chassis manager (DMTF DSP0266, schema ComputerSystem).

This file knows systems, their power and their resets; it does not know logins, sockets, or when to ask.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    BadReply,
    Deadline,
    DeviceError,
    Driver,
    Kind,
    NotFound,
    Power,
    Problem,
    Reading,
    Reason,
    Refused,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._redfish_service import (
    Document,
    RedfishService,
    port_of,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._http import MISSING_LIBRARY, Reply

# Schema Resource, enumeration PowerState: everything but these two proves nothing.
POWER_STATES = {"On": Power.ON, "Off": Power.OFF}
TRANSITIONS = frozenset({"PoweringOn", "PoweringOff", "Paused"})
# Schema Resource, enumeration ResetType, in the order of our liking. PushPowerButton toggles, cycles and restarts do
# not leave the host off: none of them is ever sent.
RESET_TYPES: Mapping[Power, tuple[str, ...]] = {Power.ON: ("On", "ForceOn"), Power.OFF: ("ForceOff",)}
RESET = "#ComputerSystem.Reset"
# Schema Task, enumeration TaskState.
FAILED_TASKS = frozenset({"Exception", "Killed", "Cancelled"})
# A service with more systems than this is not a BMC or chassis.
MOST_SYSTEMS = 1000
MOST_LISTED = 20


class RedfishDriver(Driver):
    """The power of one system."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._service = RedfishService(options)
        self._wanted: str | None = options.get("system")
        self._place: str | None = None
        self._known: dict[str, Names] = {}

    def read(self, deadline: Deadline) -> Reading:
        return self._reading(self._system(deadline).body)

    def switch(self, power: Power, deadline: Deadline) -> None:
        """Read the system first: it says where and how to reset it, and that the connection is alive."""
        system = self._system(deadline)
        target, reset_type = self._reset(system, power, deadline)
        reply = self._service.post(target, {"ResetType": reset_type}, deadline)
        if reply.status in (412, 428) and system.etag:
            reply = self._service.post(target, {"ResetType": reset_type}, deadline, system.etag)
        self._service.complain(reply, f"the reset {reset_type}")
        if reply.status == 202:
            self._look_at_task(reply, deadline)

    def close(self) -> None:
        self._service.close(Deadline(1.0))

    def _reading(self, body: Mapping[str, Any]) -> Reading:
        state = body.get("PowerState")
        raw = self._service.shown(state) if "PowerState" in body else "(no PowerState)"
        status = body.get("Status")
        if isinstance(status, Mapping) and status.get("State") == "Absent":
            # An empty slot of a chassis: the host may be running in another one.
            return Reading(
                Power.UNKNOWN, f"{raw}, Absent", Reason.BAD_REPLY, "the system is absent; was it pulled out?"
            )
        if isinstance(state, str) and state in POWER_STATES:
            return Reading(POWER_STATES[state], raw)
        if isinstance(state, str) and state in TRANSITIONS:
            return Reading(Power.UNKNOWN, raw, Reason.UNCONFIRMED, f"PowerState is {raw}: neither on nor off")
        return Reading(Power.UNKNOWN, raw, Reason.BAD_REPLY, f"PowerState is {raw}; look at the device's firmware")

    def _system(self, deadline: Deadline) -> Document:
        if self._place is None:
            self._place = self._choose(deadline)
        try:
            system = self._service.get(self._place, self._name(), deadline)
            if self._wanted is not None and not Names.of(system.body).fit(self._wanted):
                raise NotFound(f"{self._name()} is no longer where it was", "was it moved to another slot?")
        except NotFound:
            self._place = None
            self._known.clear()
            raise
        return system

    def _name(self) -> str:
        return "the system" if self._wanted is None else f"system {self._wanted}"

    def _choose(self, deadline: Deadline) -> str:
        """The one system, or the one whose Id, UUID or serial number is exactly the wanted one."""
        places = self._places(deadline)
        if self._wanted is None and len(places) == 1:
            return places[0]
        for place in places:
            if place not in self._known:
                with contextlib.suppress(NotFound):  # It was pulled out a moment ago.
                    self._known[place] = Names.of(self._service.get(place, "one of its systems", deadline).body)
        return self._only_one({place: self._known[place] for place in places if place in self._known})

    def _only_one(self, known: Mapping[str, Names]) -> str:
        wanted = self._wanted
        fitting = [place for place, names in known.items() if wanted is not None and names.fit(wanted)]
        if len(fitting) == 1:
            return fitting[0]
        if not known:
            raise NotFound("it has no system", "is the BMC still starting, and may the account see the systems?")
        listed = self._listed([known[place] for place in fitting] or list(known.values()))
        if wanted is None:
            raise NotFound(f"it has several systems: {listed}", "choose one with the option system")
        if fitting:
            raise NotFound(f"system {wanted} is the name of several: {listed}", "choose by another of its names")
        raise NotFound(f"it has no system {wanted}, but: {listed}", "write the Id, UUID or serial number exactly")

    def _listed(self, names: Sequence[Names]) -> str:
        more = [f"{len(names) - MOST_LISTED} more"] if len(names) > MOST_LISTED else []
        return ", ".join([each.described(self._service.shown) for each in names[:MOST_LISTED]] + more)

    def _places(self, deadline: Deadline) -> list[str]:
        """The paths of all systems, page by page."""
        link = self._service.root(deadline).link("Systems")
        places: dict[str, None] = {}
        pages: set[str] = set()
        count: object = 0
        while link is not None:
            path = self._service.path_of(link)
            if path in pages or len(places) > MOST_SYSTEMS:
                raise BadReply("its list of systems does not end", "look at the device's firmware")
            pages.add(path)
            page = self._service.get(path, "the list of systems", deadline)
            members = page.body.get("Members")
            if not isinstance(members, list):
                raise BadReply("its list of systems has no Members", "look at the device's firmware")
            places.update(dict.fromkeys(self._service.path_of(Document(member, None).link()) for member in members))
            count = page.body.get("Members@odata.count")
            link = page.body.get("Members@odata.nextLink")
        if not pages:
            raise Unsupported(
                "the service has no list of systems", "is this the Redfish service of a PDU or a storage box?"
            )
        if self._wanted is None and isinstance(count, int) and count > len(places):
            raise BadReply(f"it shows {len(places)} of its {count} systems", "choose one with the option system")
        return list(places)

    def _reset(self, system: Document, power: Power, deadline: Deadline) -> tuple[object, str]:
        """The link to send the reset to, and the type of reset that means ``power`` and is allowed."""
        actions = system.body.get("Actions")
        reset = actions.get(RESET) if isinstance(actions, Mapping) else None
        if not isinstance(reset, Mapping):
            raise Unsupported(f"{self._name()} offers no reset", "may the account switch power?")
        allowed = self._allowed(reset, deadline)
        for reset_type in RESET_TYPES[power]:
            if not allowed or reset_type in allowed:
                return reset.get("target"), reset_type
        raise Unsupported(
            f"{power} takes the reset {' or '.join(RESET_TYPES[power])}, but {self._name()} allows only "
            + ", ".join(self._service.shown(each) for each in allowed[:MOST_LISTED]),
            "cycles and power buttons are never used, because they do not say how the host ends up",
        )

    def _allowed(self, reset: Mapping[str, Any], deadline: Deadline) -> list[str]:
        """The allowed types of reset as the device tells them; an empty list if it does not tell."""
        listed = reset.get("ResetType@Redfish.AllowableValues")
        if listed is None and reset.get("@Redfish.ActionInfo") is not None:
            with contextlib.suppress(NotFound):
                info = self._service.get(reset["@Redfish.ActionInfo"], "the action info of its reset", deadline)
                listed = _allowable_values(info.body)
        return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []

    def _look_at_task(self, reply: Reply, deadline: Deadline) -> None:
        """A task that failed at once is told at once. Whatever else becomes of it: PowerState decides."""
        task = reply.json_object() or {}
        if "TaskState" not in task and "Location" in reply.headers:
            with contextlib.suppress(DeviceError):
                task = dict(self._service.get(reply.headers["Location"], "the task of the reset", deadline).body)
        if task.get("TaskState") in FAILED_TASKS:
            raise Refused(
                f"it took the reset, and its task ended in {task['TaskState']}", "look at the device's own log"
            )


@dataclass(frozen=True)
class Names:
    """What a system may be chosen by."""

    id: str
    uuid: str
    serial: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Names:
        found = (body.get(key) for key in ("Id", "UUID", "SerialNumber"))
        return cls(*(value if isinstance(value, str) else "" for value in found))

    def fit(self, wanted: str) -> bool:
        return wanted in (self.id, self.serial) or wanted.casefold() == self.uuid.casefold()

    def described(self, shown: Callable[[object], str]) -> str:
        others = [f"UUID {shown(self.uuid)}"] * bool(self.uuid) + [f"serial {shown(self.serial)}"] * bool(self.serial)
        return f"Id {shown(self.id)}" + (f" ({', '.join(others)})" if others else "")


def _allowable_values(action_info: Mapping[str, Any]) -> object:
    parameters = action_info.get("Parameters")
    for parameter in parameters if isinstance(parameters, list) else []:
        if isinstance(parameter, Mapping) and parameter.get("Name") == "ResetType":
            return parameter.get("AllowableValues")
    return None


def _device(options: Mapping[str, Any]) -> str:
    return f"{str(options['address']).lower()}:{port_of(options)}"


def _target(options: Mapping[str, Any]) -> str:
    return f"{_device(options)}/{options.get('system') or ''}"


def _describe(options: Mapping[str, Any]) -> str:
    system = options.get("system")
    return f"{options['address']}, system {system}" if system else str(options["address"])


def _problems(options: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    address, port = str(options["address"]), options.get("port")
    if not address or any(character in "/@?#" or character.isspace() for character in address):
        found.append(("address", "must be a host name or an IP address, without https:// and without a path"))
    if port is not None and not 1 <= int(port) <= 65535:
        found.append(("port", f"must be from 1 to 65535, not {port}"))
    if options.get("system") == "":
        found.append(("system", "must not be empty; leave it out if the device has one system"))
    if options.get("auth") != "session" and ":" in (options.get("username") or ""):
        found.append(("username", "must not contain a colon with auth: basic"))
    return found


TYPE = AgentType(
    name="redfish",
    kind=Kind.CHASSIS,
    parallel=True,
    timeout_s=90.0,
    read_timeout_s=20.0,
    exchange_s=15.0,
    argument_spec={
        "address": {"type": "str", "required": True},
        "port": {"type": "int"},
        "protocol": {"type": "str", "choices": ["https", "http"], "default": "https"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "auth": {"type": "str", "choices": ["basic", "session"], "default": "basic"},
        "system": {"type": "str"},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
    },
    open=RedfishDriver,
    describe=_describe,
    device=_device,
    target=_target,
    problems=_problems,
    missing_library=lambda options: MISSING_LIBRARY,
    required_together=[("username", "password")],
)
