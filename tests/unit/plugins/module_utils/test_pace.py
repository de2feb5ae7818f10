# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a device that was sent a command is looked at: the looks that fall between its command and the moment it is done."""

from __future__ import annotations

from itertools import accumulate, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Power
from ansible_collections.hostpm.fencing.plugins.module_utils._pace import (
    ENOUGH,
    LONGEST_S,
    LONGEST_STEP_S,
    SHORTEST_S,
    UNKNOWN_S,
    Pace,
)

OFF, ON = Power.OFF, Power.ON


def looks(pace: Pace, until_s: float, power: Power = OFF) -> list[float]:
    """The moments of the looks, from the command on, up to the first one at or after ``until_s``."""
    found: list[float] = []
    for at_s in accumulate(pace.pauses(power)):
        found.append(at_s)
        if at_s >= until_s:
            return found
    raise AssertionError


def taught(*took_s: float) -> Pace:
    pace = Pace({OFF: 1.0})
    for each_s in took_s:
        pace.learn(OFF, each_s)
    return pace


@given(st.floats(0.05, 30), st.lists(st.floats(0.0, 120), max_size=8), st.floats(0.01, 200))
def test_a_device_is_never_left_alone_for_longer_than_it_may_take(
    usual_s: float, took_s: list[float], done_s: float
) -> None:
    pace = Pace({OFF: usual_s})
    for each_s in took_s:
        pace.learn(OFF, each_s)
    first_s = min(took_s) if len(took_s) >= ENOUGH else 0.0
    seen_s = looks(pace, done_s)[-1]
    assert seen_s - done_s <= max(LONGEST_S, first_s)


@given(st.floats(0.05, 30), st.lists(st.floats(0.0, 120), max_size=8))
def test_no_device_is_looked_at_again_and_again_without_a_pause(usual_s: float, took_s: list[float]) -> None:
    pace = Pace({OFF: usual_s})
    for each_s in took_s:
        pace.learn(OFF, each_s)
    assert min(islice(pace.pauses(OFF), 200)) >= SHORTEST_S


def test_around_the_usual_time_of_a_type_the_steps_are_short() -> None:
    pace = Pace({OFF: 4.0})
    for done_s in (3.0, 4.0, 5.0):
        assert looks(pace, done_s)[-1] - done_s <= LONGEST_STEP_S
    assert len(looks(pace, 4.0)) < 20


def test_what_devices_really_take_is_learned_from_those_that_are_done() -> None:
    pace = taught(4.0, 4.1, 4.2)
    assert looks(pace, 0.0)[0] == pytest.approx(3.6)
    assert looks(pace, 4.05)[-1] - 4.05 <= 0.41
    assert len(looks(pace, 4.05)) <= 3


def test_one_quick_device_does_not_teach_that_all_are() -> None:
    assert looks(taught(4.0, 4.0), 0.0)[0] == 0.2
    assert taught(0.1).usual_s(OFF) == 0.1


def test_a_device_that_is_quicker_than_all_before_is_seen_when_the_quickest_would_have_been() -> None:
    assert looks(taught(4.0, 5.0, 6.0), 0.5) == [pytest.approx(3.6)]


def test_on_and_off_are_learned_apart() -> None:
    pace = taught(9.0, 9.0, 9.0)
    assert (pace.usual_s(OFF), pace.usual_s(ON)) == (9.0, UNKNOWN_S)
    assert looks(pace, 0.0, ON)[0] == SHORTEST_S


def test_a_device_that_is_very_late_is_asked_once_a_second() -> None:
    found = looks(Pace({OFF: 0.5}), 30.0)
    assert found[-1] - found[-2] == LONGEST_S
