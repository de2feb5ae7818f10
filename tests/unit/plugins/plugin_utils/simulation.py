# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated clock, a host with real power, and devices that fail by a schedule.

The logic and the operations of the product run on it unmodified; only exchanges with a device are simulated. Nothing sleeps.
"""

from __future__ import annotations

import asyncio
import atexit
from asyncio import base_events
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeVar

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    DeviceError,
    Kind,
    NotFound,
    Power,
    Reading,
    Reason,
    Refused,
    TimedOut,
    Unreachable,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    NOTHING_SENT,
    Operation,
    Outcome,
    read_power,
    switch_power,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._fencing import Fencing
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Host, Level, Numbers, State
from ansible_collections.hostpm.fencing.plugins.plugin_utils._verdict import Verdict

Answer = TypeVar("Answer")

# -- time ------------------------------------------------------------------------------------------------------------


class _JumpingSelector:
    """Waits for no socket: the time until the next timer is over at once."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits and nothing is going to happen: a deadlock")
        self.now_s += timeout
        return []


class SimulatedLoop(base_events.BaseEventLoop):
    """An asyncio event loop whose time jumps to the next timer. It can be used for one simulation after another."""

    # A simulation that takes more turns is stuck.
    MOST_TURNS = 50_000

    def __init__(self) -> None:
        super().__init__()
        self._selector = _JumpingSelector()
        self._turns = 0

    def time(self) -> float:
        return self._selector.now_s

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _run_once(self) -> None:
        self._turns += 1
        if self._turns > self.MOST_TURNS:
            raise RuntimeError("the simulation does not come to an end")
        super()._run_once()  # type: ignore[misc]

    def simulate(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Run one simulation from time 0; what it left scheduled is forgotten afterwards."""
        self._selector.now_s = 0.0
        self._turns = 0
        try:
            return self.run_until_complete(work)
        finally:
            left = asyncio.all_tasks(self)
            for task in left:
                task.cancel()
            self._turns = 0
            if left:
                self.run_until_complete(asyncio.wait(left))
            self._scheduled.clear()  # type: ignore[attr-defined]
            self._ready.clear()  # type: ignore[attr-defined]


LOOP = SimulatedLoop()
atexit.register(LOOP.close)


class SimulatedClock:
    """The time of the loop."""

    def now(self) -> float:
        return LOOP.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


# -- the host --------------------------------------------------------------------------------------------------------


class BootPolicy(Enum):
    """What a host does when its feeds come back."""

    ON = "on"
    OFF = "off"
    LAST = "last"


@dataclass(frozen=True)
class Physics:
    """How the simulated host is built. Times in seconds."""

    running: bool = True
    boot_policy: BootPolicy = BootPolicy.ON
    boot_s: float = 5.0
    bmc_lives_on_feeds: bool = True
    hidden_feed: bool = False


class SimulatedHost:
    """Its power is a fact: it runs if it is fed and its chassis is on.

    Each supply level is a whole row of feeds: one dark row is enough to cut the power, one outlet of a row keeps the row up.
    With ``hidden_feed`` the outlets feed some other host.
    """

    def __init__(self, rows: Iterable[Iterable[str]], physics: Physics, dark: frozenset[str] = frozenset()) -> None:
        self._rows = tuple(tuple(row) for row in rows)
        self._physics = physics
        self.outlets = {name: name not in dark for row in self._rows for name in row}
        self._chassis_on = physics.running
        self._fed_since = -1000.0 if self.fed else None
        self.history: list[tuple[float, bool]] = [(0.0, self.powered)]

    @property
    def fed(self) -> bool:
        return self._physics.hidden_feed or all(any(self.outlets[name] for name in row) for row in self._rows)

    @property
    def powered(self) -> bool:
        return self.fed and self._chassis_on

    @property
    def bmc_alive(self) -> bool:
        if not self._physics.bmc_lives_on_feeds:
            return True
        return self._fed_since is not None and LOOP.time() >= self._fed_since + self._physics.boot_s

    def switch_outlet(self, name: str, on: bool) -> None:
        self.outlets[name] = on
        if self.fed and self._fed_since is None:
            self._fed_since = LOOP.time()
            if self._physics.boot_policy is not BootPolicy.LAST:
                self._chassis_on = self._physics.boot_policy is BootPolicy.ON
        elif not self.fed:
            self._fed_since = None
        self._remember()

    def switch_chassis(self, on: bool) -> None:
        if self.fed:
            self._chassis_on = on
            self._remember()

    def _remember(self) -> None:
        if self.history[-1][1] != self.powered:
            self.history.append((LOOP.time(), self.powered))

    def was_powered_at(self, at_s: float) -> bool:
        return [powered for since_s, powered in self.history if since_s <= at_s][-1]

    def was_powered_between(self, begin_s: float, end_s: float) -> bool:
        return self.was_powered_at(begin_s) or any(
            powered for at_s, powered in self.history if begin_s <= at_s <= end_s
        )


# -- faults ----------------------------------------------------------------------------------------------------------


class ReadFault(Enum):
    """What may become of one request for the power."""

    FINE = "fine"
    HANG = "hang"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    BUSY = "busy"
    BAD_REPLY = "bad_reply"
    PENDING = "pending"
    UNLISTED = "unlisted"
    FLAP = "flap"  # a true answer; a moment later somebody else switches the thing over
    STALE = "stale"  # the answer before this one, from a cache
    LIE = "lie"  # the opposite of the truth
    LIE_OFF = "lie_off"  # off, whatever the truth is


class SwitchFault(Enum):
    """What may become of one command."""

    FINE = "fine"
    HANG = "hang"
    HANG_AND_DO = "hang_and_do"
    TIMEOUT = "timeout"
    TIMEOUT_AND_DO = "timeout_and_do"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    REFUSED_AND_DO = "refused_and_do"
    AUTH = "auth"
    BUSY = "busy"
    BAD_REPLY = "bad_reply"
    BAD_REPLY_AND_DO = "bad_reply_and_do"
    IGNORE = "ignore"
    LATE = "late"


ERRORS: dict[str, Callable[[], DeviceError]] = {
    "timeout": lambda: TimedOut("no answer", "is it alive?"),
    "hang": lambda: TimedOut("no answer", "is it alive?"),
    "unreachable": lambda: Unreachable("no route", "look at the network"),
    "refused": lambda: Refused("it said no", "look at the device"),
    "auth": lambda: AuthenticationFailed("the password was not accepted", "look at the credentials"),
    "not_found": lambda: NotFound("no such outlet", "look at the number"),
    "busy": lambda: Busy("no session is free", retry_after_s=None),
    "bad_reply": lambda: BadReply("half an answer", "look at the device"),
}
DISHONEST = frozenset({ReadFault.STALE, ReadFault.LIE, ReadFault.LIE_OFF})
LATE_S = 7.0
FLAP_S = 0.3


@dataclass(frozen=True, repr=False)
class Script:
    """How a device behaves: one fault per request, then fine; or with ``for_ever`` the last one again and again.

    ``latency_s``: an answer takes so long. ``lag_s``: a command takes so long to have its effect. ``exchange_s`` bounds one request, and a
    request that hangs is given up ``overrun_s`` later than it should be.
    """

    reads: tuple[ReadFault, ...] = ()
    commands: tuple[SwitchFault, ...] = ()
    reads_for_ever: bool = False
    commands_for_ever: bool = False
    latency_s: float = 0.1
    lag_s: float = 0.2
    exchange_s: float = 2.0
    overrun_s: float = 0.0

    def __repr__(self) -> str:
        reads = [*(fault.value for fault in self.reads), "for ever" if self.reads_for_ever else "then fine"]
        commands = [*(fault.value for fault in self.commands), "for ever" if self.commands_for_ever else "then fine"]
        times = (
            f"latency {self.latency_s:g}, lag {self.lag_s:g}, exchange {self.exchange_s:g}, overrun {self.overrun_s:g}"
        )
        return f"reads {' '.join(reads)}; commands {' '.join(commands)}; {times}"


@dataclass
class Exchange:
    """One line of a device's own record: what it was asked, when, what it said, and what was true at that moment."""

    agent: str
    asked: str
    began_s: float
    ended_s: float = float("inf")
    said: str = "nothing"
    truth: Power = Power.UNKNOWN

    @property
    def is_command(self) -> bool:
        return self.asked != "read"

    @property
    def may_have_arrived(self) -> bool:
        return self.is_command and self.said not in {str(reason) for reason in NOTHING_SENT}


class SimulatedDevice:
    """The exchanges with one device (the protocol ``Exchanges``)."""

    def __init__(self, agent: Agent, script: Script, host: SimulatedHost, record: list[Exchange]) -> None:
        self.agent = agent
        self.script = script
        self._host = host
        self._record = record
        self._reads = 0
        self._commands = 0
        self._said_before: Power | None = None

    @property
    def truth(self) -> Power:
        if self.agent.kind is Kind.SUPPLY:
            return Power.ON if self._host.outlets[self.agent.name] else Power.OFF
        return Power.ON if self._host.powered else Power.OFF

    def set(self, power: Power) -> None:
        """The effect of a command, whoever sent it."""
        if self.agent.kind is Kind.SUPPLY:
            self._host.switch_outlet(self.agent.name, power is Power.ON)
        elif self._alive:
            self._host.switch_chassis(power is Power.ON)

    @property
    def _alive(self) -> bool:
        return self.agent.kind is Kind.SUPPLY or self._host.bmc_alive

    async def read(self, left_s: float) -> Reading:
        fault = _next(self.script.reads, self._reads, self.script.reads_for_ever, ReadFault.FINE)
        self._reads += 1
        exchange = self._open("read")
        try:
            reading = await self._read(fault, left_s)
            exchange.said = str(reading.power)
            return reading
        except DeviceError as error:
            exchange.said = str(error.reason)
            raise
        finally:
            exchange.truth = self.truth
            exchange.ended_s = LOOP.time()

    async def switch(self, power: Power, left_s: float) -> None:
        fault = _next(self.script.commands, self._commands, self.script.commands_for_ever, SwitchFault.FINE)
        self._commands += 1
        exchange = self._open(str(power))
        try:
            await self._switch(fault, power, left_s)
            exchange.said = "accepted"
        except DeviceError as error:
            exchange.said = str(error.reason)
            raise
        finally:
            exchange.ended_s = LOOP.time()

    def _open(self, asked: str) -> Exchange:
        exchange = Exchange(self.agent.name, asked, LOOP.time())
        self._record.append(exchange)
        return exchange

    async def _read(self, fault: ReadFault, left_s: float) -> Reading:
        await self._travel(fault.value, left_s)
        if fault.value in ERRORS:
            raise ERRORS[fault.value]()
        if fault is ReadFault.PENDING:
            return Reading(Power.UNKNOWN, "pending", Reason.UNCONFIRMED, "a command is pending")
        if fault is ReadFault.UNLISTED:
            return Reading(Power.UNKNOWN, "42", Reason.BAD_REPLY, "42 is not in the documented set")
        power = self._report(fault)
        self._said_before = power
        if fault is ReadFault.FLAP:
            LOOP.call_later(FLAP_S, self.set, Power.OFF if self.truth is Power.ON else Power.ON)
        return Reading(power, f"raw {power}")

    def _report(self, fault: ReadFault) -> Power:
        if fault is ReadFault.LIE_OFF:
            return Power.OFF
        if fault is ReadFault.LIE:
            return Power.OFF if self.truth is Power.ON else Power.ON
        if fault is ReadFault.STALE and self._said_before is not None:
            return self._said_before
        return self.truth

    async def _switch(self, fault: SwitchFault, power: Power, left_s: float) -> None:
        if fault is SwitchFault.FINE or fault.value.endswith("_and_do"):
            LOOP.call_later(self.script.lag_s, self.set, power)
        elif fault is SwitchFault.LATE:
            LOOP.call_later(LATE_S, self.set, power)
        error = fault.value.removesuffix("_and_do")
        try:
            await self._travel(error, left_s)
        except Unreachable:
            # The device died of the command or while it was on its way: nobody can say that nothing arrived.
            raise ERRORS["timeout"]() from None
        if error in ERRORS:
            raise ERRORS[error]()

    async def _travel(self, fault: str, left_s: float) -> None:
        """The time of one request. It is never longer than a driver may take: what is left, and half a second."""
        longest_s = min(self.script.exchange_s, left_s)
        if longest_s <= 0:
            raise TimedOut("no time was left", "raise the timeout")
        if fault == "hang" or self.script.latency_s > longest_s or not self._alive:
            await asyncio.sleep(longest_s + self.script.overrun_s)
            raise ERRORS["timeout"]()
        await asyncio.sleep(self.script.latency_s)
        if not self._alive:
            raise ERRORS["unreachable"]()


Fault = TypeVar("Fault", ReadFault, SwitchFault)


def _next(faults: tuple[Fault, ...], number: int, for_ever: bool, fine: Fault) -> Fault:
    if number < len(faults):
        return faults[number]
    return faults[-1] if faults and for_ever else fine


# -- a case and its run ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Case:
    """Everything that decides what happens: the host as the inventory has it, the real one, and the devices' manners."""

    host: Host
    state: State
    numbers: Numbers = field(default_factory=Numbers)
    physics: Physics = field(default_factory=Physics)
    dark: frozenset[str] = frozenset()
    scripts: dict[str, Script] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Short enough to be read when a property finds a case."""
        lines = [f"{self.state}{' of devices' if self.host.devices_only else ''}, {self.numbers}", str(self.physics)]
        for agent in self.host.all_agents:
            level = next((level.number for level in self.host.levels if agent in level.agents), "-")
            dark = " (dark)" if agent.name in self.dark else ""
            lines.append(
                f"level {level} {agent.name}{dark}, {agent.budget_s:g}/{agent.read_budget_s:g} s: {self.script(agent.name)}"
            )
        return "Case:\n    " + "\n    ".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis prints data classes in full otherwise."""
        printer.text(repr(self))

    def script(self, name: str) -> Script:
        return self.scripts.get(name, Script())

    def but(self, **changes: Any) -> Case:
        return replace(self, **changes)


class SimulatedRun:
    """One task on one case, and everything that can be known about it afterwards."""

    def __init__(self, case: Case) -> None:
        self.case = case
        rows = [[agent.name for agent in level.agents] for level in case.host.all_levels if level.kind is Kind.SUPPLY]
        self.real = SimulatedHost(rows, case.physics, case.dark)
        self.exchanges: list[Exchange] = []
        self.devices = {
            agent.name: SimulatedDevice(agent, case.script(agent.name), self.real, self.exchanges)
            for agent in case.host.all_agents
        }
        self.outcomes: list[tuple[str, Operation, Outcome]] = []
        self.at_work: dict[str, int] = {}
        self.most_at_once = 0
        self.returned_s = 0.0
        self.left_running = 0
        self.cancelled_s: float | None = None
        self._verdict: Verdict | None = None
        self.fencing = Fencing(case.host, case.numbers, self._run, SimulatedClock())

    @property
    def verdict(self) -> Verdict:
        if self._verdict is None:
            raise AssertionError("this task was interrupted")
        return self._verdict

    async def _run(self, agent: Agent, operation: Operation, budget_s: float) -> Outcome:
        self.at_work[agent.name] = self.at_work.get(agent.name, 0) + 1
        self.most_at_once = max(self.most_at_once, self.at_work[agent.name])
        try:
            device = self.devices[agent.name]
            if operation is Operation.READ:
                outcome = await read_power(device, budget_s, SimulatedClock())
            else:
                outcome = await switch_power(device, operation, budget_s, SimulatedClock())
            self.outcomes.append((agent.name, operation, outcome))
            return outcome
        except asyncio.CancelledError:
            # A thread that is cut short needs a moment to end.
            await asyncio.sleep(0.01 * (1 + len(agent.name)))
            raise
        finally:
            self.at_work[agent.name] -= 1

    def finish(self, cancel_at_s: float | None = None, predict: bool = False) -> SimulatedRun:
        """Run the task to its end, or cancel it at a moment."""
        LOOP.simulate(self._finish(cancel_at_s, predict))
        return self

    async def _finish(self, cancel_at_s: float | None, predict: bool) -> None:
        work: Awaitable[Verdict] = (self.fencing.predict if predict else self.fencing.achieve)(self.case.state)
        task = asyncio.ensure_future(work)
        if cancel_at_s is not None:
            LOOP.call_later(cancel_at_s, self._cancel, task)
        await asyncio.wait({task})
        self.returned_s = LOOP.time()
        self.left_running = sum(self.at_work.values()) + len(asyncio.all_tasks() - {asyncio.current_task(), task})
        if not task.cancelled():
            self._verdict = task.result()
        # What a device or a forgotten task would still do must show in the record.
        await asyncio.sleep(120.0)

    def _cancel(self, task: asyncio.Task[Verdict]) -> None:
        if not task.done():
            self.cancelled_s = LOOP.time()
            task.cancel()

    # What the record tells

    def commands(self, *agents: str) -> list[Exchange]:
        return [
            exchange for exchange in self.exchanges if exchange.is_command and (not agents or exchange.agent in agents)
        ]

    def reads(self, agent: str, since_s: float = -1.0, until_s: float = float("inf")) -> list[Exchange]:
        return [
            exchange
            for exchange in self.exchanges
            if exchange.agent == agent
            and not exchange.is_command
            and exchange.began_s >= since_s
            and exchange.ended_s <= until_s
        ]

    @property
    def events(self) -> list[str]:
        return [f"{event.agent or 'host'}: {event.event}" for event in self.verdict.timeline]

    def event_at(self, beginning: str) -> float:
        """When the first event that begins so happened."""
        return next(event.at_s for event in self.verdict.timeline if event.event.startswith(beginning))


# -- shapes ----------------------------------------------------------------------------------------------------------


def agent(name: str, kind: Kind, budget_s: float = 20.0, read_budget_s: float = 5.0) -> Agent:
    kind_type = "snmp" if kind is Kind.SUPPLY else "ipmi"
    return Agent(name, kind_type, kind, f"{kind_type} {name}.example.com", budget_s, read_budget_s)


def host_of(*levels: str | Iterable[str], budget_s: float = 20.0, read_budget_s: float = 5.0) -> Host:
    """``host_of(["bmc"], ["psu_a", "psu_b"])``: names that begin with psu are supplies."""
    built = tuple(
        Level(
            number,
            tuple(
                agent(name, Kind.SUPPLY if name.startswith("psu") else Kind.CHASSIS, budget_s, read_budget_s)
                for name in names
            ),
        )
        for number, names in enumerate(levels, start=1)
    )
    return Host("node3", built, built)
