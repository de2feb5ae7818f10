# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The physics of a rack: outlets feed the supplies of hosts, hosts run or do not, a BMC lives on its host's own feeds.

A clock drives it; there are no sockets, threads or sleeps in here, and no protocol. Whatever became due is worked off, in
order and with its own time, whenever somebody looks, so that the record is exact however rarely that is.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

State = TypeVar("State")
History = list[tuple[float, State]]

BOOT_POLICIES = ("on", "off", "last")


@dataclass(frozen=True)
class Physics:
    """Delays in seconds and habits of a host with its outlets and its BMC."""

    outlet_lag_s: float = 0.1  # an outlet's command to its effect
    outlet_cycle_s: float = 1.0  # how long an outlet's own reboot keeps it off
    outlet_delay_s: float = 5.0  # how late a delayed command of a PDU is
    bmc_off_lag_s: float = 0.2  # chassis off accepted, until the host is off
    bmc_on_lag_s: float = 0.2
    bmc_soft_lag_s: float = 1.0  # a friendly shutdown
    bmc_cycle_s: float = 1.0  # how long chassis power cycle keeps the host off
    bmc_boot_s: float = 1.0  # feeds are back, until the BMC answers
    hold_up_s: float = 0.02  # a supply's capacitors bridge this much (ATX asks for 16 ms)
    boot_policy: str = "on"  # what the host does when feeds come back: on, off, last
    initial_power: str = "on"
    bmc_dies_with_feed: bool = True

    def __post_init__(self) -> None:
        if self.boot_policy not in BOOT_POLICIES:
            raise ValueError(f"boot_policy is one of {', '.join(BOOT_POLICIES)}, not {self.boot_policy!r}")
        if self.initial_power not in ("on", "off"):
            raise ValueError(f"initial_power is on or off, not {self.initial_power!r}")


@dataclass
class Outlet:
    """One switched socket. ``pending`` is where a command that was accepted will bring it."""

    name: str
    on: bool = True
    pending: bool | None = None
    history: History[bool] = field(default_factory=list)
    feeds: list[Host] = field(default_factory=list)
    plan: int = 0  # counts commands: what an older one has planned is void


@dataclass
class Host:
    """A host: fed by outlets (by none: always fed), with a chassis that is on or off and perhaps a BMC."""

    name: str
    physics: Physics
    feeds: tuple[Outlet, ...]
    has_power: bool = True
    chassis_on: bool = True
    bmc_up: bool = True
    bmc_starts: int = 1
    bmc_dies_with_feed: bool = True
    pending: bool | None = None
    history: History[tuple[bool, bool]] = field(default_factory=list)
    feed_history: History[tuple[bool, ...]] = field(default_factory=list)
    plan: int = 0
    bmc_plan: int = 0
    outage: int = 0  # counts changes of the feeds

    @property
    def fed(self) -> bool:
        return not self.feeds or any(outlet.on for outlet in self.feeds)

    @property
    def running(self) -> bool:
        return self.has_power and self.chassis_on


@dataclass(frozen=True)
class Happening:
    """Something that really happened to a thing of the rack."""

    at: float
    what: str
    thing: str


class World:
    """All outlets and hosts, and what is going to happen to them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0
        self.outlets: dict[str, Outlet] = {}
        self.hosts: dict[str, Host] = {}
        self.happenings: list[Happening] = []

    def add_outlet(self, name: str) -> Outlet:
        outlet = self.outlets.setdefault(name, Outlet(name))
        if not outlet.history:
            outlet.history.append((self._now(), outlet.on))
        return outlet

    def add_host(self, name: str, feeds: Sequence[str], physics: Physics) -> Host:
        """``feeds`` names outlets that were added before."""
        outlets = tuple(self.outlets[feed] for feed in feeds)
        host = Host(name, physics, outlets, bmc_dies_with_feed=physics.bmc_dies_with_feed)
        host.chassis_on = physics.initial_power == "on"
        host.has_power = host.bmc_up = host.fed
        self.hosts[name] = host
        for outlet in outlets:
            outlet.feeds.append(host)
        self._remember(host, self._now())
        host.feed_history.append((self._now(), tuple(outlet.on for outlet in outlets)))
        return host

    def settle(self) -> float:
        """Let everything happen that is due by now. Returns now."""
        now = self._now()
        while self._due and self._due[0][0] <= now:
            at, _count, happen = heapq.heappop(self._due)
            happen(at)
        return now

    @property
    def next_due(self) -> float | None:
        """When the next thing is going to happen, if any."""
        return self._due[0][0] if self._due else None

    def _plan(self, at: float, happen: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, happen))

    def _tell(self, at: float, thing: str, what: str) -> None:
        self.happenings.append(Happening(at, what, thing))

    # Outlets

    def switch_outlet(self, name: str, on: bool, lag_s: float, back_after_s: float | None = None) -> None:
        """The outlet gets on or off after a lag; ``back_after_s`` later it turns back by itself."""
        steps = [(lag_s, on)] if back_after_s is None else [(lag_s, on), (lag_s + back_after_s, not on)]
        self._plan_outlet(name, steps)

    def cycle_outlet(self, name: str, lag_s: float, off_s: float) -> None:
        self._plan_outlet(name, [(lag_s, False), (lag_s + off_s, True)])

    def cancel_outlet(self, name: str) -> None:
        """What an earlier command has planned for the outlet will not happen."""
        self._plan_outlet(name, [])

    def _plan_outlet(self, name: str, steps: Sequence[tuple[float, bool]]) -> None:
        now = self.settle()
        outlet = self.outlets[name]
        outlet.plan += 1
        outlet.pending = steps[0][1] if steps else None
        for number, (after_s, on) in enumerate(steps):
            following = steps[number + 1][1] if number + 1 < len(steps) else None
            self._plan(now + after_s, self._outlet_step(outlet, outlet.plan, on, following))
        self.settle()

    def _outlet_step(self, outlet: Outlet, plan: int, on: bool, following: bool | None) -> Callable[[float], None]:
        def happen(at: float) -> None:
            if plan != outlet.plan:
                return
            outlet.pending = following
            self._set_outlet(outlet, on, at)

        return happen

    def _set_outlet(self, outlet: Outlet, on: bool, at: float) -> None:
        if outlet.on == on:
            return
        outlet.on = on
        outlet.history.append((at, on))
        self._tell(at, f"outlet {outlet.name}", "on" if on else "off")
        for host in outlet.feeds:
            host.feed_history.append((at, tuple(feed.on for feed in host.feeds)))
            self._feeds_changed(host, at)

    # Hosts

    def _feeds_changed(self, host: Host, at: float) -> None:
        host.outage += 1
        if host.fed and not host.has_power:
            self._power_returns(host, at)
        elif not host.fed and host.has_power:
            self._plan(at + host.physics.hold_up_s, self._collapse(host, host.outage))

    def _collapse(self, host: Host, outage: int) -> Callable[[float], None]:
        def happen(at: float) -> None:
            if outage != host.outage or host.fed:
                return
            host.has_power = False
            host.plan += 1
            host.pending = None
            self._tell(at, host.name, "lost its power")
            self._remember(host, at)
            self._bmc_without_feed(host, at)

        return happen

    def _bmc_without_feed(self, host: Host, at: float) -> None:
        if not host.bmc_dies_with_feed:
            return
        host.bmc_plan += 1
        if host.bmc_up:
            host.bmc_up = False
            self._tell(at, host.name, "its BMC died")

    def _power_returns(self, host: Host, at: float) -> None:
        host.has_power = True
        if host.physics.boot_policy != "last":
            host.chassis_on = host.physics.boot_policy == "on"
        self._tell(at, host.name, "got its power back" + (" and runs" if host.running else " and stays off"))
        self._remember(host, at)
        self._start_bmc(host, at)

    def _start_bmc(self, host: Host, at: float) -> None:
        if host.bmc_up:
            return
        host.bmc_plan += 1
        plan = host.bmc_plan

        def happen(up_at: float) -> None:
            if plan == host.bmc_plan:
                self._bmc_starts(host, up_at)

        self._plan(at + host.physics.bmc_boot_s, happen)

    def _bmc_starts(self, host: Host, at: float) -> None:
        host.bmc_up = True
        host.bmc_starts += 1
        self._tell(at, host.name, "its BMC answers again")

    def set_bmc_dies_with_feed(self, name: str, dies: bool) -> None:
        now = self.settle()
        host = self.hosts[name]
        host.bmc_dies_with_feed = dies
        if dies and not host.has_power:
            self._bmc_without_feed(host, now)
        elif not dies and not host.has_power and not host.bmc_up:
            self._bmc_starts(host, now)

    def chassis_on(self, name: str, lag_s: float) -> None:
        self._plan_chassis(name, [(lag_s, True)])

    def chassis_off(self, name: str, lag_s: float, back_after_s: float | None = None) -> None:
        """The host is off after a lag; ``back_after_s`` later it starts by itself."""
        self._plan_chassis(
            name, [(lag_s, False)] if back_after_s is None else [(lag_s, False), (lag_s + back_after_s, True)]
        )

    def chassis_cycle(self, name: str, lag_s: float, off_s: float) -> None:
        self._plan_chassis(name, [(lag_s, False), (lag_s + off_s, True)])

    def chassis_reset(self, name: str) -> None:
        """A hard reset: the host starts anew and keeps its power all the time."""
        self._tell(self.settle(), name, "was reset")

    def _plan_chassis(self, name: str, steps: Sequence[tuple[float, bool]]) -> None:
        now = self.settle()
        host = self.hosts[name]
        host.plan += 1
        host.pending = steps[0][1]
        for number, (after_s, on) in enumerate(steps):
            following = steps[number + 1][1] if number + 1 < len(steps) else None
            self._plan(now + after_s, self._chassis_step(host, host.plan, on, following))
        self.settle()

    def _chassis_step(self, host: Host, plan: int, on: bool, following: bool | None) -> Callable[[float], None]:
        def happen(at: float) -> None:
            if plan != host.plan or not host.has_power:
                return
            host.pending = following
            if host.chassis_on == on:
                return
            host.chassis_on = on
            self._tell(at, host.name, "runs" if on else "stopped running")
            self._remember(host, at)

        return happen

    @staticmethod
    def _remember(host: Host, at: float) -> None:
        host.history.append((at, (host.has_power, host.running)))

    def restore(self) -> None:
        """Back to the beginning: all outlets on, hosts as their physics want them, an empty record."""
        now = self.settle()
        self._due.clear()
        self.happenings.clear()
        for outlet in self.outlets.values():
            outlet.on, outlet.pending, outlet.history = True, None, [(now, True)]
            outlet.plan += 1
        for host in self.hosts.values():
            host.chassis_on = host.physics.initial_power == "on"
            host.bmc_dies_with_feed = host.physics.bmc_dies_with_feed
            host.has_power, host.pending, host.history = True, None, []
            host.plan += 1
            host.outage += 1
            host.bmc_plan += 1
            if not host.bmc_up:
                host.bmc_up = True
                host.bmc_starts += 1
            host.feed_history = [(now, tuple(True for _feed in host.feeds))]
            self._remember(host, now)


def longest(history: Sequence[tuple[float, State]], holds: Callable[[State], bool], begin: float, end: float) -> float:
    """For how many seconds on end, between two moments, the recorded state was one that ``holds``."""
    best = 0.0
    since: float | None = None
    for number, (at, state) in enumerate(history):
        until = history[number + 1][0] if number + 1 < len(history) else end
        start, stop = max(at, begin), min(until, end)
        if not holds(state):
            since = None if stop > start else since
            continue
        if stop > start:
            since = start if since is None else since
            best = max(best, stop - since)
    return best
