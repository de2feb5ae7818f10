# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Many hosts in one task: how many are worked on at once, how many supplies of one device may come on together, when to stop.

This file knows hosts by their names and what is done with one as a function; it knows no protocol, nothing of levels and nothing of
Ansible. All times are in seconds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Clock
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Host

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Limits:
    """What may happen at once. None is no limit."""

    at_once: int | None = None
    max_on_per_pdu: int | None = None
    stagger_s: float = 0.0
    stop_after_failures: int | None = None

    @property
    def on_per_device(self) -> int | None:
        """With ``stagger`` the supplies of a device come on one by one, unless more are allowed."""
        return self.max_on_per_pdu or (1 if self.stagger_s > 0 else None)


@dataclass
class InrushGates:
    """Lets only so many supplies of one device come on at once; the next may follow ``stagger_s`` after one of them is on."""

    limits: Limits
    clock: Clock
    _gates: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    @asynccontextmanager
    async def of(self, agent: Agent) -> AsyncIterator[None]:
        most = self.limits.on_per_device
        if most is None:
            yield
            return
        gate = self._gates.setdefault(agent.device, asyncio.Semaphore(most))
        async with gate:
            yield
            await self.clock.sleep(self.limits.stagger_s)


def longest_inrush_wait_s(hosts: Iterable[Host], limits: Limits) -> Mapping[str, float]:
    """How long the last supply of each device may have to wait for the others, by device."""
    most = limits.on_per_device
    if most is None:
        return {}
    supplies: dict[str, list[Agent]] = {}
    for host in hosts:
        for agent in host.all_agents:
            if agent.kind is Kind.SUPPLY:
                supplies.setdefault(agent.device, []).append(agent)
    return {
        device: (math.ceil(len(agents) / most) - 1) * (max(agent.budget_s for agent in agents) + limits.stagger_s)
        for device, agents in supplies.items()
    }


def longest_s(totals_s: Iterable[float], at_once: int | None) -> float:
    """The most that all hosts together can take, whatever the order in which they end."""
    totals = sorted(totals_s, reverse=True)
    if not totals or at_once is None or at_once >= len(totals):
        return max(totals, default=0.0)
    # Whenever a place is free the next host begins: the last one begins when all places have been busy.
    return sum(totals[1:]) / at_once + totals[0]


class ManyHosts(Generic[Answer]):
    """Runs ``work`` for each name; at most so many at once, and no further ones after so many failures.

    ``has_failed`` tells a failure from its answer, ``not_begun`` makes the answer of a host that was left out, from the reason.
    """

    def __init__(
        self,
        work: Callable[[str], Awaitable[Answer]],
        has_failed: Callable[[Answer], bool],
        not_begun: Callable[[str, str], Answer],
        limits: Limits,
    ) -> None:
        self._work = work
        self._has_failed = has_failed
        self._not_begun = not_begun
        self._limits = limits
        self._failures = 0

    async def run(self, names: Iterable[str]) -> dict[str, Answer]:
        """The answers by name, in the order of the names."""
        names = list(names)
        places = asyncio.Semaphore(self._limits.at_once or max(1, len(names)))
        answers = await asyncio.gather(*(self._one(name, places) for name in names))
        return dict(zip(names, answers, strict=True))

    async def _one(self, name: str, places: asyncio.Semaphore) -> Answer:
        async with places:
            most = self._limits.stop_after_failures
            if most is not None and self._failures >= most:
                return self._not_begun(
                    name, f"{self._failures} hosts had failed before its turn came (stop_after_failures is {most})"
                )
            answer = await self._work(name)
            self._failures += self._has_failed(answer)
            return answer
