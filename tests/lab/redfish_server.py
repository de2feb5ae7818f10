# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Redfish service with one or several systems, written from DMTF DSP0266 and DSP2046.

Service root, sessions with a limit, Basic and token logins, systems with Reset and its allowed values, tasks. It knows
switch points and their faults, nothing of the rack.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import ssl
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.faults import FaultBoard
from lab.http_server import HttpDevice, Reply, Request
from lab.switch_point import Action, Refused, SwitchPoint

ROOT = "/redfish/v1"
SYSTEMS = f"{ROOT}/Systems"
SESSIONS = f"{ROOT}/SessionService/Sessions"
TASKS = f"{ROOT}/TaskService/Tasks"
MONITORS = f"{ROOT}/TaskService/Monitors"

RESET_TYPES: Mapping[str, Action] = {
    "On": Action.ON,
    "ForceOn": Action.ON,
    "ForceOff": Action.OFF,
    "GracefulShutdown": Action.SOFT_OFF,
    "ForceRestart": Action.RESET,
    "GracefulRestart": Action.RESET,
    "PowerCycle": Action.CYCLE,
    "Nmi": Action.NOTHING,
}
USUAL_RESET_TYPES = ("On", "ForceOff", "GracefulShutdown", "ForceRestart", "PowerCycle")
NEEDS_POWER = (Action.RESET, Action.CYCLE, Action.SOFT_OFF)


@dataclass(frozen=True)
class SystemName:
    """How a system of the service is known."""

    id: str
    uuid: str
    serial: str

    @classmethod
    def of_host(cls, host: str, wanted: str | None, number: int) -> SystemName:
        """``wanted`` is what an agent calls its system: an id or a UUID; or the serial number that it has anyway."""
        own, serial, system_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, host)), f"SN-{host}", str(number)
        if wanted is None or wanted == serial:
            return cls(system_id, own, serial)
        try:
            return cls(system_id, str(uuid.UUID(wanted)), serial)
        except ValueError:
            return cls(wanted, own, serial)


@dataclass(frozen=True)
class Habits:
    """What differs from one service to the next."""

    max_sessions: int = 16
    reset_types: Sequence[str] = USUAL_RESET_TYPES
    action_info: bool = False  # allowed values by @Redfish.ActionInfo instead of beside the action
    strict: bool = False  # a reset into the state that is there already is a 409
    may_reset: bool = True
    sessions_at: str = SESSIONS

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Habits:
        return cls(
            int(settings.get("sessions", cls.max_sessions)),
            tuple(settings.get("reset_types", cls.reset_types)),
            bool(settings.get("action_info", False)),
            bool(settings.get("strict", False)),
            str(settings.get("privilege", "administrator")) in ("operator", "administrator"),
            str(settings.get("sessions_at", SESSIONS)),
        )


class RedfishServer(HttpDevice):
    """One service. ``systems`` and ``names`` have the same order."""

    def __init__(
        self,
        address: str,
        port: int,
        board: FaultBoard,
        systems: Mapping[str, SwitchPoint],
        names: Mapping[str, SystemName],
        users: Mapping[str, str],
        tls: ssl.SSLContext | None,
        habits: Habits,
    ) -> None:
        super().__init__(address, port, board, tls)
        self._systems = systems
        self._names = names
        self._users = users
        self._habits = habits
        self._tokens: dict[str, tuple[str, str, int]] = {}  # session id: token, user, start of the device
        self._tasks: dict[str, tuple[float, str]] = {}
        self._count = 0

    @property
    def alive(self) -> bool:
        """A service with several systems is a chassis manager and has power while any of them has."""
        return any(point.alive for point in self._systems.values())

    @property
    def starts(self) -> int:
        return sum(point.starts for point in self._systems.values()) if len(self._systems) == 1 else 1

    @property
    def sessions(self) -> int:
        """How many sessions are open now."""
        self._tokens = {name: session for name, session in self._tokens.items() if session[2] == self.starts}
        return len(self._tokens)

    # Requests

    def answer(self, request: Request) -> Reply:
        path = request.path.partition("?")[0].rstrip("/")
        if request.method == "GET" and path in ("/redfish", ROOT):
            return self._reply(self._root() if path == ROOT else {"v1": f"{ROOT}/"})
        if self.value("busy") is not None:
            return self._error(503, "Base.1.8.ServiceTemporarilyUnavailable", {"Retry-After": "1"})
        if request.method == "POST" and path == self._habits.sessions_at:
            return self._log_in(request)
        if not self._authorized(request):
            return self._error(401, "Base.1.8.NoValidSession", {"WWW-Authenticate": 'Basic realm="rack"'})
        for begin, answer in (
            (self._habits.sessions_at, self._session),
            (f"{ROOT}/SessionService", self._session_service),
            (SYSTEMS, self._system),
            (TASKS, self._task),
            (MONITORS, self._monitor),
        ):
            if path == begin or path.startswith(f"{begin}/"):
                return answer(request, path[len(begin) + 1 :])
        return self._error(404, "Base.1.8.ResourceMissingAtURI")

    @staticmethod
    def _reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        return Reply(status, body, {"OData-Version": "4.0", "Cache-Control": "no-cache", **(headers or {})})

    @classmethod
    def _error(cls, status: int, message_id: str, headers: Mapping[str, str] | None = None) -> Reply:
        message = message_id.rpartition(".")[2]
        info = [{"MessageId": message_id, "Message": message, "Severity": "Critical", "Resolution": "None."}]
        error = {"code": message_id, "message": message, "@Message.ExtendedInfo": info}
        return cls._reply({"error": error}, status, headers)

    @classmethod
    def _collection(cls, where: str, members: Sequence[str], kind: str) -> Reply:
        return cls._reply(
            {
                "@odata.id": where,
                "@odata.type": f"#{kind}Collection.{kind}Collection",
                "Name": f"{kind} collection",
                "Members": [{"@odata.id": f"{where}/{member}"} for member in members],
                "Members@odata.count": len(members),
            }
        )

    def _root(self) -> dict[str, Any]:
        return {
            "@odata.id": f"{ROOT}/",
            "@odata.type": "#ServiceRoot.v1_9_0.ServiceRoot",
            "Id": "RootService",
            "Name": "Root Service",
            "RedfishVersion": "1.11.0",
            "UUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, self.key)),
            "Systems": {"@odata.id": SYSTEMS},
            "SessionService": {"@odata.id": f"{ROOT}/SessionService"},
            "Tasks": {"@odata.id": f"{ROOT}/TaskService"},
            "Links": {"Sessions": {"@odata.id": self._habits.sessions_at}},
        }

    # Logins

    def _known(self, user: str, password: str) -> bool:
        wanted = self._users.get(user)
        right = wanted is not None and hmac.compare_digest(wanted.encode(), password.encode())
        return right and not self.board.credentials_void(self.key)

    def _authorized(self, request: Request) -> bool:
        token = request.headers.get("x-auth-token")
        if token is not None:
            open_session = self.sessions and any(hmac.compare_digest(token, each[0]) for each in self._tokens.values())
            return bool(open_session) and not self.board.credentials_void(self.key)
        scheme, _space, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user, _colon, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return self._known(user, password)

    def _log_in(self, request: Request) -> Reply:
        try:
            body = request.json()
            user, password = str(body["UserName"]), str(body["Password"])
        except (ValueError, KeyError, TypeError):
            return self._error(400, "Base.1.8.MalformedJSON")
        if not self._known(user, password):
            return self._error(401, "Base.1.8.ResourceAtUriUnauthorized")
        if self.sessions >= self._habits.max_sessions:
            return self._error(503, "Base.1.8.SessionLimitExceeded", {"Retry-After": "1"})
        self._count += 1
        name, token = str(self._count), secrets.token_hex(16)
        self._tokens[name] = (token, user, self.starts)
        where = f"{self._habits.sessions_at}/{name}"
        return self._reply(self._session_body(name), 201, {"X-Auth-Token": token, "Location": where})

    def _session_body(self, name: str) -> dict[str, Any]:
        return {
            "@odata.id": f"{self._habits.sessions_at}/{name}",
            "@odata.type": "#Session.v1_3_0.Session",
            "Id": name,
            "Name": "User Session",
            "UserName": self._tokens[name][1],
        }

    def _session(self, request: Request, name: str) -> Reply:
        if not name:
            if request.method != "GET":
                return self._error(405, "Base.1.8.OperationNotAllowed")
            return self._collection(self._habits.sessions_at, list(self._tokens), "Session")
        if name not in self._tokens:
            return self._error(404, "Base.1.8.ResourceMissingAtURI")
        if request.method == "DELETE":
            del self._tokens[name]
            return self._reply(None, 204)
        return self._reply(self._session_body(name))

    def _session_service(self, _request: Request, rest: str) -> Reply:
        if rest:
            return self._error(404, "Base.1.8.ResourceMissingAtURI")
        return self._reply(
            {
                "@odata.id": f"{ROOT}/SessionService",
                "@odata.type": "#SessionService.v1_1_8.SessionService",
                "Id": "SessionService",
                "Name": "Session Service",
                "ServiceEnabled": True,
                "SessionTimeout": 300,
                "Sessions": {"@odata.id": self._habits.sessions_at},
            }
        )

    # Systems

    def _system(self, request: Request, rest: str) -> Reply:
        if not rest:
            return self._collection(SYSTEMS, list(self._systems), "ComputerSystem")
        name, _slash, tail = rest.partition("/")
        point = self._systems.get(name)
        if point is None or point.fault("missing") is not None:
            return self._error(404, "Base.1.8.ResourceMissingAtURI")
        if not tail and request.method == "GET":
            return self._reply(self._system_body(name, point))
        if tail == "ResetActionInfo" and request.method == "GET":
            return self._reply(self._action_info(name))
        if tail == "Actions/ComputerSystem.Reset":
            if request.method != "POST":
                return self._error(405, "Base.1.8.OperationNotAllowed")
            return self._reset(request, point)
        return self._error(404 if tail else 405, "Base.1.8.ResourceMissingAtURI")

    def _system_body(self, name: str, point: SwitchPoint) -> dict[str, Any]:
        where = f"{SYSTEMS}/{name}"
        reset: dict[str, Any] = {"target": f"{where}/Actions/ComputerSystem.Reset"}
        if self._habits.action_info:
            reset["@Redfish.ActionInfo"] = f"{where}/ResetActionInfo"
        else:
            reset["ResetType@Redfish.AllowableValues"] = list(self._habits.reset_types)
        body = {
            "@odata.id": where,
            "@odata.type": "#ComputerSystem.v1_13_0.ComputerSystem",
            "Id": name,
            "Name": f"System {name}",
            "SystemType": "Physical",
            "UUID": self._names[name].uuid,
            "SerialNumber": self._names[name].serial,
            "PowerState": self._power_state(point),
            "Status": {"State": "Enabled", "Health": "OK"},
            "Actions": {"#ComputerSystem.Reset": reset},
        }
        if point.fault("unswitchable") is not None:
            del body["Actions"]
        return body

    @staticmethod
    def _power_state(point: SwitchPoint) -> Any:
        status = point.read()
        if point.fault("wrong_type") is not None:
            return int(status.on)
        if status.forced is not None:
            return status.forced
        if status.moving_to is not None:
            return "PoweringOn" if status.moving_to else "PoweringOff"
        return "On" if status.on else "Off"

    def _action_info(self, name: str) -> dict[str, Any]:
        parameter = {
            "Name": "ResetType",
            "Required": True,
            "DataType": "String",
            "AllowableValues": list(self._habits.reset_types),
        }
        return {
            "@odata.id": f"{SYSTEMS}/{name}/ResetActionInfo",
            "@odata.type": "#ActionInfo.v1_1_2.ActionInfo",
            "Id": "ResetActionInfo",
            "Name": "Reset Action Info",
            "Parameters": [parameter],
        }

    def _reset(self, request: Request, point: SwitchPoint) -> Reply:
        if not self._habits.may_reset:
            return self._error(403, "Base.1.8.InsufficientPrivilege")
        try:
            wanted = request.json()["ResetType"]
        except (ValueError, KeyError, TypeError):
            return self._error(400, "Base.1.8.ActionParameterMissing")
        if wanted not in self._habits.reset_types:
            return self._error(400, "Base.1.8.ActionParameterNotSupported")
        on = point.truth().on
        action = Action.OFF if on else Action.ON
        if wanted != "PushPowerButton":
            action = RESET_TYPES[wanted]
        there = (action is Action.ON and on) or (action in (Action.OFF, *NEEDS_POWER) and not on)
        if there and (self._habits.strict or action in NEEDS_POWER):
            return self._error(409, "Base.1.8.ResourceInUse")
        try:
            point.command(action, request.source)
        except Refused as refused:
            return self._error(int(refused.how or 409), "Base.1.8.ActionNotSupported")
        task_s = self.value("tasks")
        return self._reply(None, 204) if task_s is None else self._new_task(float(task_s), point)

    # Tasks

    def _new_task(self, seconds: float, point: SwitchPoint) -> Reply:
        self._count += 1
        name = str(self._count)
        self._tasks[name] = (point.world.settle() + seconds, point.target)
        return self._reply(self._task_body(name, False), 202, {"Location": f"{MONITORS}/{name}", "Retry-After": "1"})

    def _finished(self, name: str) -> bool | None:
        if name not in self._tasks:
            return None
        now = next(iter(self._systems.values())).world.settle()
        return now >= self._tasks[name][0]

    @staticmethod
    def _task_body(name: str, finished: bool) -> dict[str, Any]:
        return {
            "@odata.id": f"{TASKS}/{name}",
            "@odata.type": "#Task.v1_5_1.Task",
            "Id": name,
            "Name": f"Task {name}",
            "TaskState": "Completed" if finished else "Running",
            "TaskStatus": "OK",
            "TaskMonitor": f"{MONITORS}/{name}",
        }

    def _task(self, _request: Request, name: str) -> Reply:
        finished = self._finished(name)
        if finished is None:
            return self._error(404, "Base.1.8.ResourceMissingAtURI")
        return self._reply(self._task_body(name, finished))

    def _monitor(self, _request: Request, name: str) -> Reply:
        finished = self._finished(name)
        if finished is None:
            return self._error(404, "Base.1.8.ResourceMissingAtURI")
        if finished:
            return self._reply(None, 204)
        return self._reply(self._task_body(name, False), 202, {"Location": f"{MONITORS}/{name}", "Retry-After": "1"})
