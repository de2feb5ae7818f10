# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual rack: what an inventory names, as one physical model behind real protocol servers on loopback.

``Rack`` puts the parts together, ``RunningRack`` runs them in a thread for tests, ``main`` is the program. Nothing of the
product is used in here: this is its judge.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

if not __package__:  # run as a program: make the folder above importable, and leave this one out
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from lab import control, inventory
from lab.faults import DEVICE, FAULTS, Fault, FaultBoard
from lab.http_server import CertificateAuthority
from lab.inventory import Agent, BadInventory, InventoryHost, make_inventory
from lab.ipmi_server import IpmiServer
from lab.model import Happening, Physics, World, longest
from lab.pdu_facts import FAMILIES, Family, fill
from lab.redfish_server import Habits, RedfishServer, SystemName
from lab.snmp_message import User, algorithm_name
from lab.snmp_server import Access, PduTree, SnmpServer
from lab.switch_point import Action, ChassisPoint, Command, OutletPoint, SwitchPoint

Clock = Callable[[], float]
Source = Path | str | Mapping[str, Any]

__all__ = ["BadInventory", "Command", "Rack", "RunningRack", "make_inventory"]


class Server(Protocol):
    """What every device of the rack can do, whatever it speaks."""

    key: str
    requests: int
    failure: BaseException | None

    async def open(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Device:
    """A device on the network, what it is and who names it."""

    key: str
    type: str
    model: str
    points: Mapping[str, SwitchPoint]
    server: Server
    agents: tuple[str, ...]


class Rack:
    """Everything that an inventory names. Built without a socket; ``open`` and ``close`` are for an event loop.

    Times are those of ``now`` (time.monotonic, which on Linux is one clock for all processes).
    """

    def __init__(
        self,
        source: Source,
        state_dir: Path | None = None,
        delays: Mapping[str, Any] | None = None,
        now: Clock = time.monotonic,
    ):
        self.world = World(now)
        self.board = FaultBoard()
        self.lock = self.board.lock
        self.devices: dict[str, Device] = {}
        self._now = now
        self._log: list[Command] = []
        self._agents: dict[str, Agent] = {}
        self._targets: dict[str, str] = {}
        self._hosts = inventory.load(source)
        self._delays = dict(delays or {})
        self._defaults = self._everywhere("rack_defaults")
        self._settings = self._everywhere("rack_devices")
        self._state_dir = state_dir
        self._authority: CertificateAuthority | None = None
        self._own_dir: tempfile.TemporaryDirectory[str]
        self._reopen: Callable[[Server, bool], None] = lambda server, dead: None
        self._build()
        self.board.changed = self._fault_changed
        self._initial_faults()

    # Building

    def _build(self) -> None:
        agents = [agent for host in self._hosts for agent in host.agents]
        self._agents = {f"{agent.host}.{agent.name}": agent for agent in agents}
        by_device: dict[str, list[Agent]] = {}
        for agent in agents:
            if agent.served:
                by_device.setdefault(agent.device, []).append(agent)
        for key, users in by_device.items():
            kinds = {agent.type for agent in users}
            if len(kinds) > 1:
                raise BadInventory(f"{key}: one address and port for agents of types {' and '.join(sorted(kinds))}")
        for key, users in by_device.items():
            if users[0].type == "snmp":
                self._add_pdu(key, users)
        for host in self._hosts:
            self._add_host(host)
        for key, users in by_device.items():
            if users[0].type == "ipmi":
                self._add_bmc(key, users)
            elif users[0].type == "redfish":
                self._add_redfish(key, users)

    def _everywhere(self, name: str) -> dict[str, Any]:
        """A variable that speaks of the whole rack, put together from all hosts that have it."""
        found: dict[str, Any] = {}
        for host in self._hosts:
            found.update(host.variables.get(name) or {})
        return found

    def _device_vars(self, key: str) -> Mapping[str, Any]:
        """``rack_devices: {"127.0.0.1:11611": {...}}``, wherever in the inventory it is."""
        return self._settings.get(key) or {}

    def _physics(self, host: InventoryHost | None) -> Physics:
        """Delays: the defaults of the rack, those of the command line, those of the host."""
        values = {**self._defaults, **self._delays}
        if host is not None:
            own = host.variables.get("rack") or {}
            values = {**self._defaults, **(host.variables.get("rack_defaults") or {}), **self._delays, **own}
        known = {item.name for item in fields(Physics)}
        unknown = sorted(set(values) - known)
        if unknown:
            where = host.name if host else "rack_defaults"
            raise BadInventory(f"{where}: no {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        for name in ("boot_policy", "initial_power"):  # on and off without quotes are booleans in YAML
            if isinstance(values.get(name), bool):
                values[name] = "on" if values[name] else "off"
        return Physics(**values)

    def _record(self, command: Command) -> None:
        self._log.append(command)

    def _add_pdu(self, key: str, agents: Sequence[Agent]) -> None:
        settings = self._device_vars(key)
        model = str(
            settings.get("model")
            or next((agent.options["model"] for agent in agents if agent.options.get("model")), "apc_rpdu2")
        )
        family = FAMILIES.get(model)
        if family is None:
            raise BadInventory(f"{key}: no PDU model {model!r}; the rack has {', '.join(FAMILIES)}")
        names = {int(number): str(name) for number, name in (settings.get("names") or {}).items()}
        numbers = self._outlet_numbers(family, agents, names)
        wired = [
            int(feed.rpartition("/")[2])
            for host in self._hosts
            for feed in host.variables.get("rack_feeds") or ()
            if feed.startswith(f"{key}/")
        ]
        count = max(8, int(settings.get("outlets") or 0), *numbers.values(), *names, *wired)
        physics = self._physics(None)
        points: dict[int, OutletPoint] = {}
        for number in range(1, count + 1):
            point = OutletPoint(self.world, self.board, key, str(number), self._record, physics)
            points[number] = point
        for agent in agents:
            self._targets[f"{agent.host}.{agent.name}"] = f"{key}/{numbers[f'{agent.host}.{agent.name}']}"
        tree = PduTree(family, points, names, self._now)
        server = SnmpServer(agents[0].address, agents[0].port, self.board, tree, self._snmp_access(agents), self._now)
        self._add_device(key, "snmp", model, {str(number): point for number, point in points.items()}, server, agents)

    @staticmethod
    def _outlet_numbers(family: Family, agents: Sequence[Agent], names: dict[int, str]) -> dict[str, int]:
        """Which outlet each agent means: a number, a full index of the family, or a name, which is then given to one."""
        indexes = {fill(family.index, number): number for number in range(1, 100)}
        by_name = {name: number for number, name in names.items()}
        found: dict[str, int] = {}
        nameless: list[tuple[str, str]] = []
        for agent in agents:
            label, outlet = f"{agent.host}.{agent.name}", str(agent.option("outlet", "outlet_name", default=""))
            by_number = agent.option("outlet_name") is None
            if by_number and outlet.isdigit() and int(outlet) > 0:
                found[label] = int(outlet)
            elif outlet in by_name:
                found[label] = by_name[outlet]
            elif by_number and "." in outlet and outlet in indexes:
                found[label] = indexes[outlet]
            elif outlet:
                nameless.append((label, outlet))
            else:
                raise BadInventory(f"{agent.host}: agent {agent.name} has no outlet")
        for label, outlet in nameless:
            if outlet not in by_name:
                number = next(
                    number for number in range(1, 1000) if number not in found.values() and number not in names
                )
                by_name[outlet] = number
                names[number] = outlet
            found[label] = by_name[outlet]
        return found

    @staticmethod
    def _snmp_access(agents: Sequence[Agent]) -> Access:
        versions: set[int] = set()
        readers: set[bytes] = set()
        writers: set[bytes] = set()
        users: dict[bytes, User] = {}
        for agent in agents:
            version = str(agent.option("version", default="2c")).removeprefix("v")
            versions.add({"1": 0, "2c": 1, "2": 1, "3": 3}[version])
            if version != "3":
                community = str(agent.option("community", default="public")).encode()
                (readers if agent.option("write_community") else writers).add(community)
                if agent.option("write_community"):
                    writers.add(str(agent.option("write_community")).encode())
                continue
            privacy = agent.option("priv_password", "priv_key", "privacy_password")
            auth = agent.option("auth_password", "auth_key")
            user = User(
                str(agent.option("username", "user", default="")),
                algorithm_name(str(agent.option("auth_protocol", default="sha"))) if auth else "",
                str(auth or ""),
                algorithm_name(str(agent.option("priv_protocol", "privacy_protocol", default="aes128")))
                if privacy
                else "",
                str(privacy or ""),
            )
            if users.setdefault(user.name.encode(), user) != user:
                raise BadInventory(
                    f"{agent.host}: agent {agent.name}: another agent has other keys for the same user of {agent.device}"
                )
        return Access(frozenset(versions), frozenset(readers), frozenset(writers), users)

    def _add_host(self, host: InventoryHost) -> None:
        feeds = host.variables.get("rack_feeds")
        if feeds is None:
            feeds = []
            for agent in host.agents:
                if agent.supplies:
                    label = f"{host.name}.{agent.name}"
                    feeds.append(self._targets.setdefault(label, f"{label}/1"))
        for feed in feeds:
            device = feed.rpartition("/")[0]
            if feed not in self.world.outlets and device in self._agents:
                OutletPoint(self.world, self.board, device, "1", self._record, self._physics(None))
            elif feed not in self.world.outlets:
                raise BadInventory(
                    f"{host.name}: rack_feeds: no outlet {feed}; write address:port/number of a PDU that some agent names"
                )
        self.world.add_host(host.name, list(dict.fromkeys(feeds)), self._physics(host))
        self._targets.setdefault(host.name, host.name)

    def _add_bmc(self, key: str, agents: Sequence[Agent]) -> None:
        """The BMC belongs to the first host that names it, or to the one that ``rack_devices`` says."""
        settings = self._device_vars(key)
        point = ChassisPoint(self.world, self.board, key, "", self._record, self._owner(key, settings, agents[0].host))
        users: dict[str, tuple[str, str]] = {}
        for agent in agents:
            self._targets[f"{agent.host}.{agent.name}"] = key
            user = str(agent.option("username", default=""))
            secret = (str(agent.option("password", default="")), str(settings.get("privilege", "administrator")))
            if users.setdefault(user, secret) != secret:
                raise BadInventory(
                    f"{agent.host}: agent {agent.name}: another agent has another password for the same user of {key}"
                )
        key_text = str(agents[0].option("k_g", default=""))
        k_g = bytes.fromhex(key_text[2:]) if key_text.lower().startswith("0x") else key_text.encode()
        suites = tuple(int(suite) for suite in settings.get("suites") or (3, 17, 1, 2, 15, 16))
        server = IpmiServer(
            agents[0].address,
            agents[0].port,
            self.board,
            point,
            users,
            k_g,
            int(settings.get("sessions", 8)),
            suites,
            int(settings.get("key_constant", 20)),
        )
        self._add_device(key, "ipmi", "BMC", {"": point}, server, agents)

    def _owner(self, key: str, settings: Mapping[str, Any], host: str) -> str:
        owner = str(settings.get("host", host))
        if owner not in self.world.hosts:
            raise BadInventory(f"rack_devices: {key}: no host {owner}")
        return owner

    def _add_redfish(self, key: str, agents: Sequence[Agent]) -> None:
        """One service; with agents of several hosts, one with several systems, one for each host."""
        settings = self._device_vars(key)
        by_host: dict[str, Agent] = {}
        for agent in agents:
            by_host.setdefault(agent.host, agent)
        points: dict[str, SwitchPoint] = {}
        names: dict[str, SystemName] = {}
        for number, (host, agent) in enumerate(by_host.items(), 1):
            name = SystemName.of_host(host, agent.option("system"), number)
            owner = self._owner(key, settings, host) if len(by_host) == 1 else host
            names[name.id] = name
            points[name.id] = ChassisPoint(self.world, self.board, key, name.id, self._record, owner)
            for other in agents:
                if other.host == host:
                    self._targets[f"{host}.{other.name}"] = f"{key}/{name.id}"
        for number in range(1, int(settings.get("spare_systems", 0)) + 1):
            spare = SystemName.of_host(f"spare{number} of {key}", f"spare{number}", number)
            self.world.add_host(f"spare{number} of {key}", [], self._physics(None))
            names[spare.id] = spare
            points[spare.id] = ChassisPoint(
                self.world, self.board, key, spare.id, self._record, f"spare{number} of {key}"
            )
        users = {
            str(agent.option("username", default="")): str(agent.option("password", default="")) for agent in agents
        }
        first = agents[0]
        tls = None
        if first.option("protocol", default="https") != "http":
            tls = self.authority.context(first.address, str(settings.get("certificate", "")))
        server = RedfishServer(
            first.address, first.port, self.board, points, names, users, tls, Habits.from_settings(settings)
        )
        self._add_device(key, "redfish", "Redfish service", points, server, agents)

    @property
    def authority(self) -> CertificateAuthority:
        """The rack's own CA, made when it is first needed; ``ca.pem`` in the state folder."""
        if self._authority is None:
            if self._state_dir is None:
                self._own_dir = tempfile.TemporaryDirectory(prefix="rack-")
            self._authority = CertificateAuthority(self._state_dir or Path(self._own_dir.name))
        return self._authority

    def _add_device(
        self,
        key: str,
        kind: str,
        model: str,
        points: Mapping[str, SwitchPoint],
        server: Server,
        agents: Sequence[Agent],
    ) -> None:
        self.devices[key] = Device(
            key, kind, model, points, server, tuple(f"{agent.host}.{agent.name}" for agent in agents)
        )

    def _initial_faults(self) -> None:
        """``rack_faults: [{target: node1.bmc, fault: dead}]`` in the inventory: faults from the start."""
        wanted = [fault for host in self._hosts for fault in host.variables.get("rack_faults") or ()]
        for number, fault in enumerate(wanted):
            if fault not in wanted[:number]:
                self.fault(fault["target"], fault["fault"], fault.get("value"), fault.get("times"))

    # Running

    async def open(self, reopen: Callable[[Server, bool], None] | None = None) -> None:
        """Open every port, but of those that are dead already."""
        for device in self.devices.values():
            if self.board.acting("dead", device.key) is None:
                try:
                    await device.server.open()
                except OSError as failed:
                    await self.close()
                    what = "ports below 1024 are root's" if isinstance(failed, PermissionError) else failed.strerror
                    raise OSError(failed.errno, f"{device.type} at {device.key} cannot be opened: {what}") from failed
        if reopen is not None:
            self._reopen = reopen

    async def close(self) -> None:
        self._reopen = lambda server, dead: None
        for device in self.devices.values():
            await device.server.close()
        if self._authority is not None and self._state_dir is None:
            self._own_dir.cleanup()

    def check(self) -> None:
        """Raise what went wrong in a server itself, if anything did."""
        for device in self.devices.values():
            if device.server.failure is not None:
                raise RuntimeError(f"{device.key}: the server of the rack failed") from device.server.failure

    # Faults

    def target(self, name: str) -> str:
        """``node1.bmc``, ``127.0.0.1:11611`` or ``127.0.0.1:11611/3`` to the last two forms. A host's name is itself."""
        if name in self._targets:
            return self._targets[name]
        device, _slash, outlet = name.partition("/")
        if device in self.devices and (not outlet or outlet in self.devices[device].points):
            return name
        raise ValueError(
            f"no target {name!r}; there are {', '.join([*self._targets, *self.devices])}, and DEVICE/OUTLET"
        )

    def fault(self, target: str, name: str, value: Any = None, times: int | None = None) -> None:
        """Switch a fault on (see ``rack.py faults``): on a device, an outlet or an agent, for ever or some times.

        A fault of a whole device that is given for an agent hits the agent's device.
        """
        if name not in FAULTS:
            raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
        where = self.target(target)
        device = where.partition("/")[0]
        if FAULTS[name].scope == DEVICE:
            where = device
        kind = self.devices[device].type if device in self.devices else None
        if kind is not None and kind not in FAULTS[name].protocols:
            raise ValueError(f"{target}: {kind} has no fault {name}; it is for {', '.join(FAULTS[name].protocols)}")
        if value is not None and name == "refuse" and kind == "ipmi":
            value = int(str(value), 0)
        self.board.set(where, name, value, times)

    def clear(self, target: str | None = None, name: str | None = None) -> None:
        """Switch faults off: of a target or everywhere, one or all."""
        where = None if target is None else self.target(target)
        self.board.clear(where, name)
        if where is not None and "/" in where:
            for fault in self.board.listing():
                if (
                    fault.target == where.partition("/")[0]
                    and name in (None, fault.name)
                    and FAULTS[fault.name].scope == DEVICE
                ):
                    self.board.clear(fault.target, fault.name)

    def _fault_changed(self, fault: Fault, on: bool) -> None:
        device = self.devices.get(fault.target.partition("/")[0])
        if fault.name == "dead" and device is not None:
            self._reopen(device.server, on)
        if fault.name == "dies_with_feed":
            for point in self._chassis(fault.target):
                dies = str(fault.value).lower() in ("on", "true", "1", "yes")
                with self.lock:
                    self.world.set_bmc_dies_with_feed(
                        point.host, dies if on else self.world.hosts[point.host].physics.bmc_dies_with_feed
                    )

    def _chassis(self, target: str) -> list[ChassisPoint]:
        device = self.devices[target.partition("/")[0]]
        return [
            point
            for point in device.points.values()
            if isinstance(point, ChassisPoint) and target in (device.key, point.target)
        ]

    # By hand

    def set_power(self, target: str, on: bool) -> None:
        """What a person at the rack does: press the button of an outlet (or of a host), past every protocol and fault."""
        where = self.target(target)
        with self.lock:
            if where in self.world.outlets:
                self.world.switch_outlet(where, on, 0.0)
                return
            host = where if where in self.world.hosts else self._chassis(where)[0].host
            self.world.chassis_on(host, 0.0) if on else self.world.chassis_off(host, 0.0)

    def command(self, target: str, on: bool, source: str = "by hand") -> None:
        """What a foreign protocol does: a command with its lag, its faults and its line in the record."""
        where = self.target(target)
        device, _slash, outlet = where.partition("/")
        with self.lock:
            if device in self.devices:
                point = self.devices[device].points[outlet]
            elif where in self.world.hosts:
                point = ChassisPoint(self.world, self.board, where, "", self._record, where)
            else:
                physics = self.world.hosts[self._agents[device].host].physics
                point = OutletPoint(self.world, self.board, device, outlet, self._record, physics)
            point.command(Action.ON if on else Action.OFF, source)

    def reset(self) -> None:
        """No faults, all outlets on, hosts as in the beginning, an empty record."""
        self.board.clear()
        with self.lock:
            self.world.restore()
            self._log.clear()
            for device in self.devices.values():
                for point in device.points.values():
                    point.forget()

    # The judge

    def now(self) -> float:
        return self._now()

    def is_running(self, host: str) -> bool:
        """Whether the host really runs now."""
        with self.lock:
            self.world.settle()
            return self.world.hosts[host].running

    def has_power(self, host: str) -> bool:
        """Whether any feed of the host is really on now (or its capacitors still hold)."""
        with self.lock:
            self.world.settle()
            return self.world.hosts[host].has_power

    def is_on(self, target: str) -> bool:
        """Whether an outlet is really on now."""
        where = self.target(target)
        with self.lock:
            self.world.settle()
            return self.world.outlets[where].on

    def history(self, host: str) -> list[tuple[float, bool, bool]]:
        """(seconds, has power, runs), one line for every change."""
        with self.lock:
            self.world.settle()
            return [(at, power, runs) for at, (power, runs) in self.world.hosts[host].history]

    def feed_history(self, host: str) -> list[tuple[float, tuple[bool, ...]]]:
        """(seconds, each feed), one line for every change."""
        with self.lock:
            self.world.settle()
            return list(self.world.hosts[host].feed_history)

    def outlet_history(self, target: str) -> list[tuple[float, bool]]:
        where = self.target(target)
        with self.lock:
            self.world.settle()
            return list(self.world.outlets[where].history)

    def all_feeds_off_s(self, host: str, begin: float, end: float | None = None) -> float:
        """For how many seconds on end all feeds of the host were off together, between two moments. 0: never."""
        history = self.feed_history(host)
        return longest(
            history, lambda feeds: bool(feeds) and not any(feeds), begin, self._now() if end is None else end
        )

    def had_all_feeds_off(self, host: str, begin: float, end: float | None = None) -> bool:
        return self.all_feeds_off_s(host, begin, end) > 0

    def down_s(self, host: str, begin: float, end: float | None = None) -> float:
        """For how many seconds on end the host did not run, between two moments. 0: it never stopped."""
        history = [(at, runs) for at, _power, runs in self.history(host)]
        return longest(history, lambda runs: not runs, begin, self._now() if end is None else end)

    def was_down(self, host: str, begin: float, end: float | None = None) -> bool:
        return self.down_s(host, begin, end) > 0

    def lost_power(self, host: str, begin: float, end: float | None = None) -> bool:
        """Whether the host was without any power between two moments: its capacitors were empty."""
        history = [(at, power) for at, power, _runs in self.history(host)]
        return longest(history, lambda power: not power, begin, self._now() if end is None else end) > 0

    def commands(self, target: str | None = None) -> list[Command]:
        """Every command that devices received, in order: of a device, an outlet, an agent, a host, or all."""
        with self.lock:
            log = list(self._log)
        if target is None:
            return log
        if target in self.world.hosts:
            wanted = {
                self._targets[name]
                for name in self._agents
                if self._agents[name].host == target and name in self._targets
            }
            wanted |= {target} | {outlet.name for outlet in self.world.hosts[target].feeds}
        else:
            wanted = {self.target(target)}
        return [line for line in log if {line.device, f"{line.device}/{line.outlet}"} & wanted]

    def requests(self, target: str) -> int:
        """How many packets (Redfish: requests) the device of a target was sent."""
        return self.devices[self.target(target).partition("/")[0]].server.requests

    def happenings(self, since: int = 0) -> list[Happening]:
        with self.lock:
            self.world.settle()
            return self.world.happenings[since:]

    def state(self) -> dict[str, Any]:
        """Everything as plain data."""
        with self.lock:
            now = self.world.settle()
            return {
                "now": now,
                "hosts": {
                    name: {
                        "has_power": host.has_power,
                        "running": host.running,
                        "bmc_up": host.bmc_up,
                        "feeds": {outlet.name: outlet.on for outlet in host.feeds},
                    }
                    for name, host in self.world.hosts.items()
                },
                "devices": {
                    device.key: {
                        "type": device.type,
                        "model": device.model,
                        "agents": list(device.agents),
                        "requests": device.server.requests,
                        "outlets": {point.outlet: point.truth().on for point in device.points.values()},
                    }
                    for device in self.devices.values()
                },
                "faults": [asdict(fault) for fault in self.board.listing()],
                "commands": [asdict(command) for command in self._log],
            }


class RunningRack(Rack):
    """A rack that runs in a thread of its own: ``with RunningRack(inventory) as rack: ...``."""

    def __init__(self, source: Source, state_dir: Path | None = None, delays: Mapping[str, Any] | None = None):
        super().__init__(source, state_dir, delays)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rack", daemon=True)

    def __enter__(self) -> RunningRack:
        self._thread.start()
        try:
            self._run(self.open(self._reopen_device))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._run(self.close())
        self._end()
        if exc[0] is None:
            self.check()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def _reopen_device(self, server: Server, dead: bool) -> None:
        self._run(server.close() if dead else server.open())

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


# The program

EPILOG = """
The usual way:
  rack.py --make-inventory lab.yml --hosts 4 --pdus 2      write an inventory on free ports
  rack.py --inventory lab.yml -v                           run it until Ctrl-C; READY is printed when all ports are open
  rack.py fault --control URL node1.bmc hang               switch a fault on while it runs (rack.py faults lists them)
  rack.py state --control URL                              what is really on; history HOST, clear, power, reset likewise
"""

CLIENT = {
    "fault": "switch a fault on: TARGET FAULT [VALUE] [--times N]",
    "clear": "switch faults off: [TARGET [FAULT]]",
    "power": "press a button, past all protocols: TARGET on|off",
    "state": "print everything as JSON",
    "history": "print when a host had power and ran: HOST",
    "reset": "no faults, all on, an empty record",
}


def fault_table() -> str:
    """The faults, a line each."""
    width = max(len(name) for name in FAULTS)
    return "\n".join(
        f"  {kind.name:{width}}  {kind.scope:6}  {' '.join(kind.protocols):18}  {kind.description}"
        for kind in FAULTS.values()
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rack.py",
        description="A virtual rack: hosts, BMCs and PDUs of an Ansible inventory as real protocol servers on loopback.",
        epilog=f"{EPILOG}\nFaults (name, whom it hits, protocols, what happens):\n{fault_table()}\n\nPDU models: {', '.join(FAMILIES)}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--inventory", metavar="FILE", help="YAML inventory, or the output of ansible-inventory --list")
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        type=Path,
        help="where ca.pem of the Redfish services is written (default: a new folder)",
    )
    parser.add_argument(
        "--delays",
        metavar="NAME=VALUE,...",
        default="",
        help=f"physics for all hosts: {', '.join(item.name for item in fields(Physics))}",
    )
    parser.add_argument(
        "--control-port", metavar="PORT", type=int, default=0, help="port of the JSON API (default: any free one)"
    )
    parser.add_argument(
        "--ready-file", metavar="FILE", type=Path, help="written with the control port's URL when all ports are open"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="one line for every command and for everything that happens"
    )
    making = parser.add_argument_group("writing an inventory (--make-inventory FILE, - for stdout)")
    making.add_argument("--make-inventory", metavar="FILE")
    making.add_argument("--hosts", type=int, default=4)
    making.add_argument("--pdus", type=int, default=2)
    making.add_argument(
        "--shape",
        default="bmc+2psu",
        help="; ".join(f"{name}: {what}" for name, what in inventory.SHAPES.items()) + "; joined with +",
    )
    making.add_argument("--model", default="apc_rpdu2", help="of the PDUs")
    making.add_argument("--snmp-version", default="2c", choices=["1", "2c", "3"])
    return parser


def _client_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rack.py", description="Speak to a running rack.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in CLIENT.items():
        one = commands.add_parser(name, help=what, description=what)
        one.add_argument("--control", metavar="URL", required=True, help="as the rack printed it")
        if name in ("fault", "power"):
            one.add_argument("target")
            one.add_argument("what")
        if name == "fault":
            one.add_argument("value", nargs="?")
            one.add_argument("--times", type=int)
        if name == "clear":
            one.add_argument("target", nargs="?")
            one.add_argument("what", nargs="?")
        if name == "history":
            one.add_argument("host")
    return parser


def _client(arguments: Sequence[str]) -> int:
    options = _client_parser().parse_args(arguments)
    what = getattr(options, "what", None)
    if options.command in ("state", "history"):
        path = "/state" if options.command == "state" else f"/history/{options.host}"
        print(json.dumps(control.call(options.control, "GET", path), indent=2))
        return 0
    body: dict[str, Any] = {}
    if options.command == "fault":
        body = {"target": options.target, "fault": what, "value": _number(options.value), "times": options.times}
    elif options.command == "clear":
        body = {"target": options.target, "fault": what}
    elif options.command == "power":
        body = {"target": options.target, "power": what}
    control.call(options.control, "POST", f"/{options.command}", body)
    return 0


def _number(text: str | None) -> Any:
    """A number where it looks like one."""
    for kind in (int, float):
        with contextlib.suppress(TypeError, ValueError):
            return kind(text)  # type: ignore[arg-type]
    return text


def _delays(text: str) -> dict[str, Any]:
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {name.strip(): _number(value.strip()) for name, _equals, value in pairs}


def _lines(rack: Rack) -> Iterator[str]:
    """What happened since the last look, in order of time."""
    started, commands, happenings = rack.now(), 0, 0
    while True:
        new_commands, new_happenings = rack.commands()[commands:], rack.happenings(happenings)
        commands += len(new_commands)
        happenings += len(new_happenings)
        told = [
            (
                line.at,
                f"{line.device} {line.outlet and 'outlet ' + line.outlet + ' '}{line.action} from {line.source}: {line.outcome}",
            )
            for line in new_commands
        ]
        told += [(line.at, f"{line.thing} {line.what}") for line in new_happenings]
        yield "\n".join(f"{at - started:9.3f}  {what}" for at, what in sorted(told))


def _serve(options: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with RunningRack(options.inventory, options.state_dir, _delays(options.delays)) as rack:
        server = control.ControlServer(rack, options.control_port)
        for device in rack.devices.values():
            print(f"{device.type:8} {device.key:22} {device.model:18} {', '.join(device.agents)}")
        for host in rack.world.hosts.values():
            print(
                f"host     {host.name:22} {'fed by ' + ', '.join(outlet.name for outlet in host.feeds) if host.feeds else 'always fed'}"
            )
        if any(device.type == "redfish" for device in rack.devices.values()):
            print(f"CA       {rack.authority.path}")
        print(f"READY control={server.url}", flush=True)
        if options.ready_file:
            options.ready_file.write_text(f"{server.url}\n")
        lines = _lines(rack)
        while not stop.wait(0.05):
            rack.check()
            told = next(lines) if options.verbose else ""
            if told:
                print(told, flush=True)
        server.close()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The program: a rack, its inventory, or a client of a running one."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["faults"]:
            print(fault_table())
            return 0
        if words and words[0] in CLIENT:
            return _client(words)
        parser = _parser()
        options = parser.parse_args(words)
        if options.make_inventory:
            path = "/dev/stdout" if options.make_inventory == "-" else options.make_inventory
            make_inventory(
                path,
                hosts=options.hosts,
                pdus=options.pdus,
                shape=options.shape,
                model=options.model,
                snmp_version=options.snmp_version,
                state_dir=options.state_dir,
            )
            return 0
        if not options.inventory:
            parser.error("give --inventory FILE, or --make-inventory FILE to have one written")
        return _serve(options)
    except (BadInventory, control.ControlError, OSError, ValueError) as wrong:
        print(f"rack.py: {wrong}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
