# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts in one task, on the simulated clock: who is worked on when, who is left out, and how many supplies come on together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.plugins.plugin_utils.simulation import LOOP, SimulatedClock, agent

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind
from ansible_collections.hostpm.fencing.plugins.plugin_utils import _budget
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Host, Level, Numbers, State
from ansible_collections.hostpm.fencing.plugins.plugin_utils._many_hosts import (
    InrushGates,
    Limits,
    ManyHosts,
    longest_inrush_wait_s,
    longest_s,
)


class Crowd:
    """Hosts that take their time, some of which fail; it records who was under way with how many others."""

    def __init__(self, takes_s: Mapping[str, float], fail: frozenset[str] = frozenset()) -> None:
        self.takes_s = takes_s
        self.fail = fail
        self.begun: list[str] = []
        self.left_out: list[str] = []
        self.most = self._now = 0

    async def one(self, name: str) -> bool:
        self.begun.append(name)
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(self.takes_s[name])
        self._now -= 1
        return name not in self.fail

    def not_begun(self, name: str, why: str) -> bool:
        self.left_out.append(name)
        return False

    def run(self, limits: Limits) -> dict[str, bool]:
        many = ManyHosts(self.one, lambda ok: not ok, self.not_begun, limits)
        return LOOP.simulate(many.run(self.takes_s))


TIMES = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.floats(0.1, 9), min_size=1, max_size=12)


@given(TIMES, st.integers(1, 5))
def test_never_more_hosts_are_under_way_than_allowed_and_all_get_their_turn(
    takes_s: dict[str, float], at_once: int
) -> None:
    crowd = Crowd(takes_s)
    assert crowd.run(Limits(at_once=at_once)) == dict.fromkeys(takes_s, True)
    assert crowd.most == min(at_once, len(takes_s))
    assert LOOP.time() <= longest_s(takes_s.values(), at_once) + 1e-6


@given(TIMES)
def test_without_a_limit_all_take_as_long_as_the_slowest(takes_s: dict[str, float]) -> None:
    Crowd(takes_s).run(Limits())
    assert LOOP.time() == pytest.approx(max(takes_s.values())) == pytest.approx(longest_s(takes_s.values(), None))


@given(TIMES, st.integers(1, 3), st.integers(1, 4), st.data())
def test_after_enough_failures_no_host_is_begun_and_those_under_way_are_brought_to_their_end(
    takes_s: dict[str, float], most: int, at_once: int, data: st.DataObject
) -> None:
    fail = frozenset(data.draw(st.sets(st.sampled_from(sorted(takes_s)))))
    crowd = Crowd(takes_s, fail)
    answers = crowd.run(Limits(at_once=at_once, stop_after_failures=most))
    failed = [name for name in crowd.begun if name in fail]
    assert set(crowd.begun) | set(crowd.left_out) == set(takes_s) and not set(crowd.begun) & set(crowd.left_out)
    assert answers == {name: name in crowd.begun and name not in fail for name in takes_s}
    assert len(failed) <= most + at_once - 1
    assert not crowd.left_out or len(failed) >= most


def test_the_answers_are_in_the_order_of_the_names() -> None:
    assert list(Crowd({"slow": 3.0, "quick": 1.0}).run(Limits())) == ["slow", "quick"]


# -- inrush ----------------------------------------------------------------------------------------------------------------


def outlet(name: str, device: str, budget_s: float = 30.0) -> Agent:
    return replace(agent(name, Kind.SUPPLY, budget_s=budget_s), device=device)


def host(name: str, *agents: Agent) -> Host:
    levels = (Level(1, agents),)
    return Host(name, levels, levels)


def switch_on(agents: list[Agent], limits: Limits, takes_s: float = 1.0) -> tuple[dict[str, list[float]], int]:
    """When the outlets of each device begin to come on, and how many of one device did so together at most."""
    gates = InrushGates(limits, SimulatedClock())
    began: dict[str, list[float]] = {}
    now: dict[str, int] = {}
    most = 0

    async def on(agent: Agent) -> None:
        nonlocal most
        async with gates.of(agent):
            began.setdefault(agent.device, []).append(LOOP.time())
            now[agent.device] = now.get(agent.device, 0) + 1
            most = max(most, now[agent.device])
            await asyncio.sleep(takes_s)
            now[agent.device] -= 1

    async def all_on() -> None:
        await asyncio.gather(*(on(each) for each in agents))

    LOOP.simulate(all_on())
    return began, most


PDUS = [outlet(f"{pdu}{number}", pdu) for pdu in ("a", "b") for number in range(6)]


def test_without_a_limit_all_outlets_come_on_at_once() -> None:
    began, most = switch_on(PDUS, Limits())
    assert began == {"a": [0.0] * 6, "b": [0.0] * 6} and most == 6


def test_so_many_outlets_of_a_pdu_come_on_at_once_and_pdus_do_not_wait_for_each_other() -> None:
    began, most = switch_on(PDUS, Limits(max_on_per_pdu=2, stagger_s=0.5))
    assert began == {pdu: [0.0, 0.0, 1.5, 1.5, 3.0, 3.0] for pdu in ("a", "b")} and most == 2


def test_a_stagger_alone_switches_the_outlets_of_a_pdu_on_one_by_one() -> None:
    began, most = switch_on(PDUS[:3], Limits(stagger_s=2.0))
    assert began == {"a": [0.0, 3.0, 6.0]} and most == 1


@given(st.integers(1, 30), st.integers(1, 8), st.floats(0, 5), st.floats(0.1, 30))
def test_the_announced_wait_is_never_exceeded(count: int, most: int, stagger_s: float, takes_s: float) -> None:
    agents = [outlet(f"psu{number}", "a") for number in range(count)]
    limits = Limits(max_on_per_pdu=most, stagger_s=stagger_s)
    waits_s = longest_inrush_wait_s([host(each.name, each) for each in agents], limits)
    began, _most = switch_on(agents, limits, takes_s)
    assert max(began["a"]) <= waits_s["a"] + 1e-6


def test_the_wait_for_others_is_in_the_announced_total() -> None:
    each = host("node1", outlet("psu", "a"))
    for state in (State.ON, State.RESTARTED, State.OFF):
        waiting = _budget.total_s(each, state, Numbers(inrush_wait_s=100.0))
        assert waiting >= _budget.total_s(each, state, Numbers()) + 100.0
    assert _budget.total_s(each, State.READ, Numbers(inrush_wait_s=100.0)) == _budget.total_s(
        each, State.READ, Numbers()
    )
