# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""A host as the multi-agent logic sees it: agents, levels and the numbers of the run, as plain immutable data.

This file knows no protocol and nothing of Ansible; it is what every source of agents is parsed into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation


class State(str, Enum):
    """What the task wants of the host."""

    READ = "read"
    OFF = "off"
    ON = "on"
    RESTARTED = "restarted"

    def __str__(self) -> str:
        return self.value


class OnFailure(str, Enum):
    """What a level that failed does with the outlets that it switched off."""

    LEAVE = "leave"
    RESTORE = "restore"


@dataclass(frozen=True)
class Agent:
    """One way to one power device.

    ``where`` is what a person reads ("snmp pdu-b, outlet 7"). ``device`` names the device for taking turns; ``parallel`` says
    that it takes several conversations at once. Budgets are in seconds of wall clock, one operation with its retries.
    ``silent_when_off`` says that it is sent on even if it does not answer.
    """

    name: str
    type: str
    kind: Kind
    where: str
    budget_s: float
    read_budget_s: float
    device: str = ""
    parallel: bool = False
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    silent_when_off: bool = False

    def budget_of(self, operation: Operation) -> float:
        return self.read_budget_s if operation is Operation.READ else self.budget_s


@dataclass(frozen=True)
class Level:
    """Agents of one kind that act together. ``number`` counts from 1 in the order of the inventory."""

    number: int
    agents: tuple[Agent, ...]

    @property
    def kind(self) -> Kind:
        return self.agents[0].kind


@dataclass(frozen=True)
class Host:
    """A host with the levels that this job uses, in order, and all that the inventory gives it.

    ``devices_only`` marks a job on some devices: what it proves says nothing about the host.
    """

    name: str
    levels: tuple[Level, ...]
    all_levels: tuple[Level, ...]
    devices_only: bool = False

    def __post_init__(self) -> None:
        # No agents would be a barrier that holds at once.
        if not self.levels or not all(level.agents for level in self.levels):
            raise ValueError("a host needs at least one level, and a level at least one agent")

    @property
    def agents(self) -> tuple[Agent, ...]:
        return _agents(self.levels)

    @property
    def all_agents(self) -> tuple[Agent, ...]:
        return _agents(self.all_levels)

    @property
    def supplies(self) -> tuple[Agent, ...]:
        return tuple(agent for agent in self.agents if agent.kind is Kind.SUPPLY)

    @property
    def chassis_levels(self) -> tuple[Level, ...]:
        """The chassis agents level by level; a job on devices may hold both kinds in one level."""
        found = (
            replace(level, agents=tuple(agent for agent in level.agents if agent.kind is Kind.CHASSIS))
            for level in self.levels
        )
        return tuple(level for level in found if level.agents)

    def witnesses_of(self, level: Level) -> tuple[Agent, ...]:
        """Who can be asked whether this level really cut the host's power: all other chassis agents of the host."""
        if self.devices_only or level.kind is not Kind.SUPPLY:
            return ()
        return tuple(agent for agent in self.all_agents if agent.kind is Kind.CHASSIS)

    def subset(self, names: frozenset[str]) -> Host:
        """The host as a job on the named agents only: whole levels stay a job on the host, else it is one on devices."""
        chosen = (
            replace(level, agents=tuple(agent for agent in level.agents if agent.name in names))
            for level in self.levels
        )
        kept = tuple(level for level in chosen if level.agents)
        if all(level in self.all_levels for level in kept):
            return replace(self, levels=kept)
        return replace(self, levels=(Level(kept[0].number, _agents(kept)),), devices_only=True)


def _agents(levels: tuple[Level, ...]) -> tuple[Agent, ...]:
    return tuple(agent for level in levels for agent in level.agents)


@dataclass(frozen=True)
class Numbers:
    """The numbers of DESIGN section 4; all times in seconds. None leaves a number to the kind of the level, or no cap."""

    confirm_reads: int = 2
    confirm_interval_s: float = 1.0
    witness_timeout_s: float = 5.0
    hold_off_s: float | None = None
    stagger_s: float = 0.0
    chassis_wait_s: float = 60.0
    on_failure: OnFailure = OnFailure.LEAVE
    cap_s: float | None = None
    # How long a supply may have to wait for others of its device before it is switched on.
    inrush_wait_s: float = 0.0

    def __post_init__(self) -> None:
        if self.confirm_reads < 1:
            raise ValueError("confirm_reads is at least 1: a barrier without a reading proves nothing")

    def hold_off_after(self, kind: Kind) -> float:
        """How long feeds stay off before they come back: a supply's capacitors need to drain."""
        if self.hold_off_s is not None:
            return self.hold_off_s
        return 5.0 if kind is Kind.SUPPLY else 0.0
