# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Redfish: the power of the systems of a BMC or chassis manager, and of the outlets of a PDU (DMTF DSP0266).

This file knows what has power, how it reads and how it is switched; it does not know logins, sockets, or when to ask.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    AuthenticationFailed,
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
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._redfish_service import (
    Document,
    RedfishService,
    port_of,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._redfish_shelf import (
    MOST_LISTED,
    OUTLETS,
    PDUS,
    SYSTEMS,
    Shelf,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._http import MISSING_LIBRARY, Reply

# Schema Resource, enumeration PowerState: everything but these two proves nothing.
POWER_STATES = {"On": Power.ON, "Off": Power.OFF}
TRANSITIONS = frozenset({"PoweringOn", "PoweringOff", "Paused"})
# Schema Task, enumeration TaskState.
FAILED_TASKS = frozenset({"Exception", "Killed", "Cancelled"})
# What ends the conversation and not only the question about one agent.
BROKEN = (TimedOut, TlsFailed, Unreachable)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Switch:
    """How something is switched: the action, its parameter, and the values that leave it on or off, the best first.

    A power button toggles, and cycles and restarts do not leave anything off: none of them is ever sent.
    """

    action: str
    parameter: str
    values: Mapping[Power, tuple[str, ...]]
    word: str
    instead: str

    def called(self, value: str) -> str:
        return f"the {self.word} {value}"


# Schema ComputerSystem, enumeration ResetType; schema Outlet, enumeration PowerState of PowerControl.
RESET = Switch(
    "#ComputerSystem.Reset",
    "ResetType",
    {Power.ON: ("On", "ForceOn"), Power.OFF: ("ForceOff",)},
    word="reset",
    instead="cycles and power buttons are never used, because they do not say how the host ends up",
)
POWER_CONTROL = Switch(
    "#Outlet.PowerControl",
    "PowerState",
    {Power.ON: ("On",), Power.OFF: ("Off",)},
    word="power control",
    instead="a cycle is never used, because it does not leave the outlet off",
)


@dataclass(frozen=True)
class Target:
    """One agent's system or outlet: where it is looked for, by which name, and how it is switched."""

    shelf: Shelf
    wanted: str | None
    switch: Switch
    pdu: str | None = None

    @property
    def name(self) -> str:
        return self.shelf.name(self.wanted)


class RedfishDriver(DeviceDriver):
    """The systems and outlets of one service, in one session."""

    def __init__(self, options: Options) -> None:
        self._service = RedfishService(options)
        self._systems = Shelf(self._service, SYSTEMS, self._systems_link)
        self._pdus = Shelf(self._service, PDUS, self._pdus_link)
        self._outlets: dict[str | None, Shelf] = {}

    def read_all(self, agents: Sequence[Options], deadline: Deadline) -> Sequence[Reading | DeviceError]:
        targets = [self._target(agent) for agent in agents]
        known: dict[int, Document | DeviceError] = {}
        for shelf in dict.fromkeys(target.shelf for target in targets):
            places = [place for place, target in enumerate(targets) if target.shelf is shelf]
            documents = (
                shelf.members([targets[place].wanted for place in places], deadline) if len(places) > 1 else None
            )
            known.update(zip(places, documents or (), strict=False))

        def read(place: int) -> Reading:
            target = targets[place]
            document = known.get(place) or self._document(target, deadline)
            if isinstance(document, DeviceError):
                raise document
            return self._reading(target, document.body)

        return _each(range(len(targets)), read)

    def switch_all(self, agents: Sequence[Options], power: Power, deadline: Deadline) -> Sequence[DeviceError | None]:
        return _each(agents, lambda agent: self._switch(self._target(agent), power, deadline))

    def close(self) -> None:
        self._service.close(Deadline(1.0))

    def _target(self, agent: Options) -> Target:
        outlet = agent.get("outlet")
        if outlet is None:
            return Target(self._systems, agent.get("system"), RESET)
        pdu = agent.get("pdu")
        if pdu not in self._outlets:
            self._outlets[pdu] = Shelf(self._service, OUTLETS, lambda deadline: self._outlets_link(pdu, deadline))
        return Target(self._outlets[pdu], outlet, POWER_CONTROL, pdu)

    def _document(self, target: Target, deadline: Deadline) -> Document:
        if target.pdu is not None:
            # The outlets of a chain of PDUs have the same names: that the PDU is still in its place must be seen, too.
            try:
                self._pdus.member(target.pdu, deadline)
            except NotFound:
                target.shelf.forget()
                raise
        return target.shelf.member(target.wanted, deadline)

    def _systems_link(self, deadline: Deadline) -> object:
        link = self._service.root(deadline).link("Systems")
        if link is None:
            raise Unsupported("the service has no list of systems", "for the outlet of a PDU write the option outlet")
        return link

    def _pdus_link(self, deadline: Deadline) -> object:
        link = self._service.root(deadline).link("PowerEquipment")
        if link is not None:
            link = self._service.get(link, "the power equipment", deadline).link("RackPDUs")
        if link is None:
            raise Unsupported("the service has no list of PDUs", "is this the Redfish service of a PDU?")
        return link

    def _outlets_link(self, pdu: str | None, deadline: Deadline) -> object:
        link = self._pdus.member(pdu, deadline).link("Outlets")
        if link is None:
            raise Unsupported(f"{self._pdus.name(pdu)} has no list of outlets", "is it one that can be switched?")
        return link

    def _reading(self, target: Target, body: Mapping[str, Any]) -> Reading:
        state = body.get("PowerState")
        raw = self._service.shown(state) if "PowerState" in body else "(no PowerState)"
        status = body.get("Status")
        if isinstance(status, Mapping) and status.get("State") == "Absent":
            # An empty slot of a chassis: the host may be running in another one.
            what = f"the {'system' if target.switch is RESET else 'outlet'} is absent; was it pulled out?"
            return Reading(Power.UNKNOWN, f"{raw}, Absent", Reason.BAD_REPLY, what)
        if body.get("PowerStateInTransition") is True:
            msg = f"PowerState is {raw}, on its way to another one: neither on nor off"
            return Reading(Power.UNKNOWN, f"{raw}, in transition", Reason.UNCONFIRMED, msg)
        if isinstance(state, str) and state in POWER_STATES:
            return Reading(POWER_STATES[state], raw)
        if isinstance(state, str) and state in TRANSITIONS:
            return Reading(Power.UNKNOWN, raw, Reason.UNCONFIRMED, f"PowerState is {raw}: neither on nor off")
        return Reading(Power.UNKNOWN, raw, Reason.BAD_REPLY, f"PowerState is {raw}; look at the device's firmware")

    def _switch(self, target: Target, power: Power, deadline: Deadline) -> None:
        """Read it first: it says where and how to switch it, and that the connection is alive."""
        document = self._document(target, deadline)
        link, value = self._command(target, document, power, deadline)
        body = {target.switch.parameter: value}
        reply = self._service.post(link, body, deadline)
        if reply.status in (412, 428) and document.etag:
            reply = self._service.post(link, body, deadline, document.etag)
        self._service.complain(reply, target.switch.called(value))
        if reply.status == 202:
            self._look_at_task(reply, target.switch, deadline)

    def _command(self, target: Target, document: Document, power: Power, deadline: Deadline) -> tuple[object, str]:
        """The link to send the command to, and the value that means ``power`` and is allowed."""
        switch = target.switch
        actions = document.body.get("Actions")
        action = actions.get(switch.action) if isinstance(actions, Mapping) else None
        if not isinstance(action, Mapping):
            raise Unsupported(f"{target.name} offers no {switch.word}", "may the account switch power?")
        allowed = self._allowed(switch, action, deadline)
        for value in switch.values[power]:
            if not allowed or value in allowed:
                return action.get("target"), value
        raise Unsupported(
            f"{power} takes the {switch.word} {' or '.join(switch.values[power])}, but {target.name} allows only "
            + ", ".join(self._service.shown(each) for each in allowed[:MOST_LISTED]),
            switch.instead,
        )

    def _allowed(self, switch: Switch, action: Mapping[str, Any], deadline: Deadline) -> list[str]:
        """The allowed values as the device tells them; an empty list if it does not tell."""
        listed = action.get(f"{switch.parameter}@Redfish.AllowableValues")
        if listed is None and action.get("@Redfish.ActionInfo") is not None:
            with contextlib.suppress(NotFound):
                what = f"the action info of its {switch.word}"
                info = self._service.get(action["@Redfish.ActionInfo"], what, deadline)
                listed = _allowable_values(info.body, switch.parameter)
        return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []

    def _look_at_task(self, reply: Reply, switch: Switch, deadline: Deadline) -> None:
        """A task that failed at once is told at once. Whatever else becomes of it: PowerState decides."""
        task = reply.json_object() or {}
        if "TaskState" not in task and "Location" in reply.headers:
            with contextlib.suppress(DeviceError):
                what = f"the task of the {switch.word}"
                task = dict(self._service.get(reply.headers["Location"], what, deadline).body)
        if task.get("TaskState") in FAILED_TASKS:
            raise Refused(
                f"it took the {switch.word}, and its task ended in {task['TaskState']}", "look at the device's own log"
            )


Asked = TypeVar("Asked")


def _each(asked: Sequence[Asked], work: Callable[[Asked], Answer]) -> list[Answer | DeviceError]:
    """An answer in the place of each question; what is wrong with the conversation itself is raised, or ends it."""
    answers: list[Answer | DeviceError] = []
    for each in asked:
        try:
            answers.append(work(each))
        except BROKEN as error:
            if not answers:
                raise
            return answers + [error] * (len(asked) - len(answers))
        except AuthenticationFailed as error:
            if not answers:
                raise
            answers.append(error)
        except DeviceError as error:
            answers.append(error)
    return answers


def _allowable_values(action_info: Mapping[str, Any], parameter_name: str) -> object:
    parameters = action_info.get("Parameters")
    for parameter in parameters if isinstance(parameters, list) else []:
        if isinstance(parameter, Mapping) and parameter.get("Name") == parameter_name:
            return parameter.get("AllowableValues")
    return None


def _device(options: Options) -> str:
    return f"{str(options['address']).lower()}:{port_of(options)}"


def _target(options: Options) -> str:
    outlet, pdu = options.get("outlet"), options.get("pdu")
    if outlet is None:
        return f"{_device(options)}/{options.get('system') or ''}"
    return f"{_device(options)}/outlet {outlet}/{pdu or ''}"


def _describe(options: Options) -> str:
    words = [str(options["address"])]
    words += [f"{option} {options[option]}" for option in ("system", "pdu", "outlet") if options.get(option)]
    return ", ".join(words)


def _kind(options: Options) -> Kind:
    return Kind.CHASSIS if options.get("outlet") is None else Kind.SUPPLY


def _problems(options: Options) -> list[Problem]:
    found: list[Problem] = []
    address, port = str(options["address"]), options.get("port")
    if not address or any(character in "/@?#" or character.isspace() for character in address):
        found.append(("address", "must be a host name or an IP address, without https:// and without a path"))
    if port is not None and not 1 <= int(port) <= 65535:
        found.append(("port", f"must be from 1 to 65535, not {port}"))
    for option in ("system", "outlet", "pdu"):
        if options.get(option) == "":
            found.append((option, f"must not be empty; leave it out if the device has one {option}"))
    if options.get("pdu") and options.get("outlet") is None:
        found.append(("outlet", "is missing: a PDU alone has no power to switch"))
    if options.get("auth") != "session" and ":" in (options.get("username") or ""):
        found.append(("username", "must not contain a colon with auth: basic"))
    return found


TYPE = AgentType(
    name="redfish",
    kind=Kind.CHASSIS,
    kind_of=_kind,
    parallel=True,
    timeout_s=90.0,
    read_timeout_s=20.0,
    exchange_s=15.0,
    usual_s={Power.OFF: 5.0, Power.ON: 5.0},
    argument_spec={
        "address": {"type": "str", "required": True},
        "port": {"type": "int"},
        "protocol": {"type": "str", "choices": ["https", "http"], "default": "https"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "auth": {"type": "str", "choices": ["basic", "session"], "default": "basic"},
        "system": {"type": "str"},
        "outlet": {"type": "str"},
        "pdu": {"type": "str"},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
    },
    open_device=RedfishDriver,
    own_options=frozenset({"system", "outlet", "pdu"}),
    describe=_describe,
    device=_device,
    target=_target,
    problems=_problems,
    missing_library=lambda options: MISSING_LIBRARY,
    required_together=[("username", "password")],
    mutually_exclusive=[("system", "outlet")],
)
