# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""What a task says in the end: each agent's fate, the host's power from its readings, the verdict and its evidence.

This file decides nothing about what is sent; it turns readings into words that can be relied on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind, Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation, Outcome
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Host, Level, State


@dataclass
class Fate:
    """What became of one agent in this task. A failure stays: a later look does not make it undone.

    ``cut``: switched off by this task and not yet on again. ``level_lost``: its level failed, so why is kept whatever it does later.
    """

    agent: Agent
    level: int
    power_before: Power = Power.UNKNOWN
    power: Power = Power.UNKNOWN
    answered: bool = False
    ever_answered: bool = False
    cut: bool = False
    level_lost: bool = False
    sent: bool = False
    ok: bool | None = None
    reason: Reason | None = None
    msg: str = ""
    attempts: int = 0
    duration_s: float = 0.0

    def record(self, operation: Operation, outcome: Outcome) -> None:
        first = self.ok is None
        self.power = outcome.power
        self.answered = outcome.answered
        self.ever_answered = self.ever_answered or outcome.answered
        self.attempts += outcome.attempts
        self.duration_s += outcome.duration_s
        self.sent = self.sent or outcome.sent
        if operation is Operation.READ:
            if first:
                self.power_before = outcome.power
        else:
            self.cut = operation is Operation.OFF and (outcome.sent or self.cut)
        if not outcome.ok:
            self.fail(outcome.reason or Reason.BAD_REPLY, outcome.msg)
        elif first or operation is Operation.OFF or (operation is Operation.ON and not self.level_lost):
            # A command that was proven makes good for a read that failed before it.
            self.ok, self.reason, self.msg = True, None, ""

    def look(self, outcome: Outcome) -> None:
        """A witness's answer: it tells the power, and says nothing about how the agent did its own work."""
        if self.ok is None and outcome.ok:
            self.ok, self.power_before = True, outcome.power
        self.power = outcome.power
        self.answered = outcome.answered
        self.ever_answered = self.ever_answered or outcome.answered

    def fail(self, reason: Reason, msg: str) -> None:
        if self.ok is not False:
            self.ok, self.reason, self.msg = False, reason, msg

    @property
    def answer(self) -> Power | None:
        """The last reading; None if the agent gave no answer."""
        return self.power if self.answered else None

    def as_result(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "kind": str(self.agent.kind),
            "power_before": str(self.power_before),
            "power": str(self.power),
            "switched": self.sent,
            "ok": self.ok,
            "reason": str(self.reason) if self.reason else None,
            "msg": self.msg,
            "attempts": self.attempts,
            "duration": round(self.duration_s, 3),
        }


@dataclass(frozen=True)
class Event:
    """One line of the timeline. ``at_s`` counts from the start of the task; no ``agent`` means the host."""

    at_s: float
    agent: str | None
    event: str
    power: Power | None = None

    def as_result(self) -> dict[str, Any]:
        power = str(self.power) if self.power else None
        return {"at": round(self.at_s, 3), "agent": self.agent, "event": self.event, "power": power}


@dataclass(frozen=True)
class Combined:
    """The power of a host from the readings of its agents (DESIGN 4.1)."""

    power: Power
    reason: Reason | None = None
    warning: str = ""


def combine(levels: Iterable[Level], answers: Mapping[str, Power | None]) -> Combined:
    """Combine readings; an agent whose answer is None was not asked or gave none. Only proof makes OFF."""
    levels = tuple(levels)
    agents = tuple(agent for level in levels for agent in level.agents)
    chassis = [answers.get(agent.name) for agent in agents if agent.kind is Kind.CHASSIS]
    supplies = [answers.get(agent.name) for agent in agents if agent.kind is Kind.SUPPLY]
    supply_unread = any(answer is None or answer is Power.UNKNOWN for answer in supplies)
    supply_on = Power.ON in supplies
    level_off = any(
        level.kind is Kind.SUPPLY and all(answers.get(agent.name) is Power.OFF for agent in level.agents)
        for level in levels
    )
    if Power.ON in chassis:
        if supply_on or supply_unread or not supplies:
            return Combined(Power.ON)
        return Combined(
            Power.UNKNOWN,
            Reason.CONFLICT,
            "the chassis says on and its outlets say off: these outlets do not feed this host; check the wiring and the inventory",
        )
    if Power.OFF in chassis and Power.UNKNOWN not in chassis:
        return Combined(Power.OFF)
    if all(answer is None for answer in chassis):
        if level_off and not supply_on:
            return Combined(Power.OFF)
        if supply_on:
            seen = "no chassis agent answered" if chassis else "the host has no chassis agent"
            return Combined(Power.ON, warning=f"{seen}: only the supply was seen on, not the host itself")
    return Combined(Power.UNKNOWN, Reason.UNCONFIRMED)


def redundancy(supplies: Iterable[Fate]) -> tuple[str | None, list[str]]:
    """``none``, ``full`` or ``degraded``, and the feeds that differ or did not answer; None if nobody can tell: not all were asked."""
    feeds = tuple(supplies)
    if len(feeds) < 2:
        return "none", []
    answers = {fate.agent.name: fate.answer for fate in feeds if fate.ok is not None}
    missing = [name for name, answer in answers.items() if answer is None or answer is Power.UNKNOWN]
    if Power.ON in answers.values():
        missing += [name for name, answer in answers.items() if answer is Power.OFF]
    if missing:
        return "degraded", missing
    return ("full" if len(answers) == len(feeds) else None), []


@dataclass
class Verdict:
    """The result of a task. ``fenced`` is True only when this task proved the host off."""

    host: Host
    state: State
    power: Power
    fates: Mapping[str, Fate]
    ok: bool = True
    fenced: bool = False
    level: int | None = None
    changed: bool = False
    msg: str = ""
    total_s: float = 0.0
    duration_s: float = 0.0
    warnings: list[str] = field(default_factory=list)
    timeline: list[Event] = field(default_factory=list)

    def as_result(self) -> dict[str, Any]:
        """The result of DESIGN 4.6, as plain data."""
        state, missing = redundancy(fate for fate in self.fates.values() if fate.agent.kind is Kind.SUPPLY)
        return {
            "changed": self.changed,
            "state": None if self.state is State.READ else str(self.state),
            "power": str(self.power),
            "fenced": self.fenced,
            "level": self.level,
            "redundancy": state,
            "timeout": round(self.total_s, 3),
            "duration": round(self.duration_s, 3),
            "warnings": self.warnings + _degraded(self.host.name, state, missing),
            "agents": {name: fate.as_result() for name, fate in self.fates.items()},
            "timeline": [event.as_result() for event in self.timeline],
        }


def _degraded(host: str, state: str | None, missing: list[str]) -> list[str]:
    if state != "degraded":
        return []
    return [f"{host}: redundancy is degraded: {', '.join(missing)} differs from the other feeds or did not answer"]
