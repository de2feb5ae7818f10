# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random hosts, numbers and schedules of device faults, for hypothesis.

FENCING_PROFILE=long in the environment tries far more of them, and other ones each time. Dice that hypothesis only seeds find the
most; FENCING_PROFILE=small has it throw each die itself, which finds less, and small cases.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

from hypothesis import strategies as st
from unit.plugins.plugin_utils.simulation import (
    DISHONEST,
    BootPolicy,
    Case,
    Physics,
    ReadFault,
    Script,
    SwitchFault,
    agent,
)

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Host, Level, Numbers, OnFailure, State

PROFILE = os.environ.get("FENCING_PROFILE", "default")

# Faults that pass are more interesting than those that end a level at once.
PASSING_READS = (
    ReadFault.FINE,
    ReadFault.TIMEOUT,
    ReadFault.BUSY,
    ReadFault.BAD_REPLY,
    ReadFault.HANG,
    ReadFault.UNREACHABLE,
)


class Dice:
    """Draws the parts of a case. ``honest``: no lies. ``left_alone``: nobody else switches, no command is carried out late."""

    def __init__(self, random: Random, honest: bool, left_alone: bool) -> None:
        self._random = random
        reads = [fault for fault in ReadFault if not (honest and fault in DISHONEST)]
        commands = list(SwitchFault)
        if left_alone:
            reads.remove(ReadFault.FLAP)
            commands.remove(SwitchFault.LATE)
        self._reads, self._commands = tuple(reads), tuple(commands)
        self.of = random.choice

    def one_in(self, count: int) -> bool:
        return self._random.randrange(count) == 0

    def host(self) -> Host:
        """One to three levels of one to three agents."""
        levels = tuple(self._level(number) for number in range(1, self.of((1, 2, 2, 3)) + 1))
        return Host("node3", levels, levels)

    def _level(self, number: int) -> Level:
        kind = self.of((Kind.SUPPLY, Kind.CHASSIS))
        size = self.of((1, 2, 2, 3) if kind is Kind.SUPPLY else (1, 1, 2))
        word = "psu" if kind is Kind.SUPPLY else "bmc"
        return Level(
            number,
            tuple(
                agent(f"{word}_{number}{letter}", kind, self.of((10.0, 10.0, 3.0, 1.0)), self.of((3.0, 3.0, 1.0, 0.5)))
                for letter in "abc"[:size]
            ),
        )

    def subset(self, host: Host) -> Host:
        """Some agents of the host are named: a job on whole levels, or on devices only."""
        names = [agent.name for agent in host.all_agents]
        return host.subset(frozenset(self._random.sample(names, self._random.randint(1, len(names)))))

    def script(self) -> Script:
        """The manners of one device; one that is well is the usual one."""
        script = Script(
            latency_s=self.of((0.1, 0.1, 0.01, 0.5, 1.5)),
            lag_s=self.of((0.2, 0.0, 1.0, 4.0)),
            exchange_s=self.of((2.0, 1.0, 5.0)),
            overrun_s=self.of((0.0, 0.5, 0.1)),
        )
        if self.one_in(2):
            return script
        reads = PASSING_READS if self.one_in(2) else self._reads
        return replace(
            script,
            reads=tuple(self.of(reads) for _request in range(self._random.randrange(8))),
            commands=tuple(self.of(self._commands) for _request in range(self.of((0, 0, 1, 1, 2, 3)))),
            reads_for_ever=self.one_in(4),
            commands_for_ever=self.one_in(4),
        )

    def numbers(self, capped: bool) -> Numbers:
        return Numbers(
            confirm_reads=self.of((2, 1, 3)),
            confirm_interval_s=self.of((1.0, 0.0, 0.3)),
            witness_timeout_s=self.of((5.0, 5.0, 0.0, 1.0)),
            hold_off_s=self.of((None, None, 0.0, 2.0)),
            stagger_s=self.of((0.0, 0.0, 1.0)),
            chassis_wait_s=self.of((20.0, 0.0, 3.0)),
            on_failure=self.of((OnFailure.LEAVE, OnFailure.RESTORE)),
            cap_s=self.of((0.3, 1.0, 2.5, 5.0, 10.0, 20.0)) if capped else None,
        )

    def physics(self, hidden_feed: bool) -> Physics:
        return Physics(
            running=not self.one_in(4),
            boot_policy=self.of(tuple(BootPolicy)),
            boot_s=self.of((2.0, 0.0, 6.0, 30.0)),
            bmc_lives_on_feeds=not self.one_in(3),
            hidden_feed=hidden_feed,
        )

    def dark(self, host: Host) -> frozenset[str]:
        """Outlets that are off from the beginning."""
        supplies = [agent.name for agent in host.all_agents if agent.kind is Kind.SUPPLY]
        if not supplies or not self.one_in(4):
            return frozenset()
        return frozenset(
            supplies if self.one_in(2) else self._random.sample(supplies, self._random.randint(1, len(supplies)))
        )


def draw_case(
    random: Random,
    states: tuple[State, ...],
    honest: bool = False,
    left_alone: bool = False,
    capped: bool | None = None,
    subset: bool | None = None,
    hidden_feed: bool | None = None,
) -> Case:
    """One task; None leaves a question to chance."""
    dice = Dice(random, honest, left_alone)
    host = dice.host()
    if dice.one_in(4) if subset is None else subset:
        host = dice.subset(host)
    return Case(
        host,
        dice.of(states),
        dice.numbers(dice.one_in(4) if capped is None else capped),
        dice.physics(dice.one_in(5) if hidden_feed is None else hidden_feed),
        dice.dark(host),
        {agent.name: dice.script() for agent in host.all_agents},
    )


@st.composite
def cases(draw: st.DrawFn, *states: State, **wishes: bool | None) -> Case:
    """Cases of tasks for one of the states."""
    return draw_case(draw(st.randoms(use_true_random=PROFILE != "small")), states or tuple(State), **wishes)
