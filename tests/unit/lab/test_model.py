# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The physics of the virtual rack, driven by a clock that the test turns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.model import Physics, World, longest

PHYSICS = Physics(hold_up_s=0.02, bmc_boot_s=3.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A host with two feeds, and a clock."""

    def __init__(self, physics: Physics = PHYSICS) -> None:
        self.clock = Clock()
        self.world = World(self.clock)
        for name in ("a", "b"):
            self.world.add_outlet(name)
        self.host = self.world.add_host("node1", ["a", "b"], physics)

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.world.settle()

    def switch(self, *outlets: str, on: bool, lag_s: float = 0.0) -> None:
        for outlet in outlets:
            self.world.switch_outlet(outlet, on, lag_s)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_one_feed_is_enough_to_run(bench: Bench) -> None:
    bench.switch("a", on=False)
    bench.wait(60)
    assert bench.host.running
    assert bench.host.bmc_up


def test_without_feeds_a_host_and_its_bmc_are_dead(bench: Bench) -> None:
    bench.switch("a", "b", on=False)
    bench.wait(1)
    assert not bench.host.running
    assert not bench.host.bmc_up


def test_supplies_bridge_a_gap_that_is_shorter_than_their_hold_up(bench: Bench) -> None:
    bench.switch("a", "b", on=False)
    bench.wait(0.019)
    bench.switch("a", on=True)
    bench.wait(10)
    assert bench.host.history == [(100.0, (True, True))]
    assert bench.host.bmc_starts == 1


def test_a_gap_that_is_longer_than_the_hold_up_is_an_outage_from_its_own_moment(bench: Bench) -> None:
    bench.switch("a", "b", on=False)
    bench.wait(0.021)
    bench.switch("a", on=True)
    bench.wait(10)
    assert bench.host.history == [(100.0, (True, True)), (100.02, (False, False)), (100.021, (True, True))]


def test_a_short_return_of_a_feed_fills_the_supply_again(bench: Bench) -> None:
    bench.switch("a", "b", on=False)
    bench.wait(0.01)
    bench.switch("a", on=True)
    bench.switch("a", on=False)
    bench.wait(0.015)
    bench.switch("a", on=True)
    bench.wait(10)
    assert bench.host.history == [(100.0, (True, True))]


def test_feeds_that_are_cycled_one_after_the_other_never_take_the_power_away(bench: Bench) -> None:
    for outlet in ("a", "b"):
        bench.world.cycle_outlet(outlet, 0.0, 5.0)
        bench.wait(6)
    assert longest(bench.host.feed_history, lambda feeds: not any(feeds), 100, bench.clock.now) == 0
    assert longest(bench.host.history, lambda state: not state[0], 100, bench.clock.now) == 0


def test_a_bmc_answers_only_after_its_boot(bench: Bench) -> None:
    bench.switch("a", "b", on=False)
    bench.wait(1)
    bench.switch("a", on=True)
    bench.wait(2.9)
    assert not bench.host.bmc_up
    bench.wait(0.2)
    assert bench.host.bmc_up
    assert bench.host.bmc_starts == 2


def test_a_bmc_whose_boot_is_cut_short_starts_all_over(bench: Bench) -> None:
    bench.switch("a", "b", on=False)
    bench.wait(1)
    bench.switch("a", on=True)
    bench.wait(2)
    bench.switch("a", on=False)
    bench.wait(0.5)
    bench.switch("a", on=True)
    bench.wait(2)
    assert not bench.host.bmc_up
    bench.wait(1.1)
    assert bench.host.bmc_up


def test_a_second_feed_that_comes_and_goes_does_not_disturb_a_booting_bmc(bench: Bench) -> None:
    bench.switch("a", "b", on=False)
    bench.wait(1)
    bench.switch("a", on=True)
    bench.wait(1)
    bench.switch("b", on=True)
    bench.switch("b", on=False)
    bench.wait(2.1)
    assert bench.host.bmc_up


@pytest.mark.parametrize(
    ("policy", "was_on", "runs"),
    [("on", True, True), ("on", False, True), ("off", True, False), ("last", True, True), ("last", False, False)],
)
def test_the_boot_policy_decides_what_a_host_does_when_feeds_come_back(policy: str, was_on: bool, runs: bool) -> None:
    bench = Bench(replace(PHYSICS, boot_policy=policy))
    if not was_on:
        bench.world.chassis_off("node1", 0)
    bench.switch("a", "b", on=False)
    bench.wait(1)
    bench.switch("b", on=True)
    bench.wait(1)
    assert bench.host.running is runs


def test_a_chassis_that_is_off_keeps_its_power_and_its_bmc(bench: Bench) -> None:
    bench.world.chassis_off("node1", 0.5)
    bench.wait(0.4)
    assert bench.host.running
    bench.wait(0.2)
    assert not bench.host.running
    assert bench.host.has_power
    assert bench.host.bmc_up


def test_a_chassis_command_dies_with_the_power(bench: Bench) -> None:
    bench.world.chassis_off("node1", 5)
    bench.switch("a", "b", on=False)
    bench.wait(1)
    bench.switch("a", "b", on=True)
    bench.wait(60)
    assert bench.host.running


def test_of_two_commands_the_later_one_counts(bench: Bench) -> None:
    bench.switch("a", on=False, lag_s=5)
    bench.wait(1)
    bench.switch("a", on=True, lag_s=1)
    bench.wait(60)
    assert bench.world.outlets["a"].history == [(100.0, True)]


def test_an_outlet_with_a_lag_says_where_it_is_going(bench: Bench) -> None:
    bench.switch("a", on=False, lag_s=5)
    assert bench.world.outlets["a"].pending is False
    bench.wait(5)
    assert bench.world.outlets["a"].pending is None
    assert not bench.world.outlets["a"].on


def test_a_cancelled_command_does_not_happen(bench: Bench) -> None:
    bench.switch("a", on=False, lag_s=5)
    bench.world.cancel_outlet("a")
    bench.wait(10)
    assert bench.world.outlets["a"].on
    assert bench.world.outlets["a"].pending is None


def test_a_flapping_outlet_comes_back_by_itself(bench: Bench) -> None:
    bench.world.switch_outlet("a", False, 0.0, back_after_s=2)
    bench.wait(1)
    assert not bench.world.outlets["a"].on
    bench.wait(1.1)
    assert bench.world.outlets["a"].on


def test_a_bmc_with_a_feed_of_its_own_survives(bench: Bench) -> None:
    bench.world.set_bmc_dies_with_feed("node1", False)
    bench.switch("a", "b", on=False)
    bench.wait(1)
    assert bench.host.bmc_up
    assert not bench.host.running
    bench.world.set_bmc_dies_with_feed("node1", True)
    assert not bench.host.bmc_up


def test_restoring_brings_everything_back_and_forgets_the_past(bench: Bench) -> None:
    bench.switch("a", "b", on=False, lag_s=1)
    bench.wait(2)
    bench.switch("a", on=True, lag_s=60)
    bench.world.restore()
    bench.wait(120)
    assert bench.host.history == [(102.0, (True, True))]
    assert bench.world.outlets["a"].history == [(102.0, True)]
    assert bench.host.bmc_up


def test_a_host_without_outlets_is_always_fed() -> None:
    world = World(Clock())
    host = world.add_host("node1", [], PHYSICS)
    assert host.running
    assert host.bmc_up


def test_physics_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="boot_policy"):
        Physics(boot_policy="maybe")
    with pytest.raises(ValueError, match="initial_power"):
        Physics(initial_power="broken")


def test_the_longest_time_is_counted_on_end_and_within_the_bounds() -> None:
    history = [(0.0, True), (10.0, False), (12.0, True), (20.0, False), (25.0, False), (30.0, True)]
    assert longest(history, lambda on: not on, 0, 100) == 10
    assert longest(history, lambda on: not on, 0, 15) == 2
    assert longest(history, lambda on: not on, 11, 22) == 2
    assert longest(history, lambda on: not on, 13, 19) == 0
    assert longest(history, lambda on: on, 0, 1000) == 970


COMMANDS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "chassis"]), st.booleans(), st.floats(0, 3), st.floats(0, 3), st.booleans()),
    max_size=30,
)


@given(COMMANDS)
def test_the_record_does_not_depend_on_how_often_somebody_looks(
    commands: list[tuple[str, bool, float, float, bool]],
) -> None:
    lazy, eager = Bench(), Bench()
    for thing, on, lag_s, wait_s, _last in commands:
        for bench in (lazy, eager):
            if thing != "chassis":
                bench.switch(thing, on=on, lag_s=lag_s)
            elif on:
                bench.world.chassis_on("node1", lag_s)
            else:
                bench.world.chassis_off("node1", lag_s)
        target = lazy.clock.now + wait_s
        for _step in range(50):
            eager.clock.now = min(target, eager.clock.now + 0.07)
            eager.world.settle()
        eager.clock.now = lazy.clock.now = target
    lazy.wait(10)
    eager.wait(10)
    assert lazy.host.history == eager.host.history
    assert lazy.host.feed_history == eager.host.feed_history
    assert lazy.world.happenings == eager.world.happenings


@given(COMMANDS)
def test_a_host_never_runs_without_power_and_has_power_while_a_feed_is_on(
    commands: list[tuple[str, bool, float, float, bool]],
) -> None:
    bench = Bench()
    for thing, on, lag_s, wait_s, _last in commands:
        if thing != "chassis":
            bench.switch(thing, on=on, lag_s=lag_s)
        elif on:
            bench.world.chassis_on("node1", lag_s)
        else:
            bench.world.chassis_off("node1", lag_s)
        bench.wait(wait_s)
        assert bench.host.has_power or not bench.host.running
        assert bench.host.has_power or not bench.host.fed
        assert bench.host.has_power or not bench.host.bmc_up
    times = [at for at, _state in bench.host.history]
    assert times == sorted(times)
