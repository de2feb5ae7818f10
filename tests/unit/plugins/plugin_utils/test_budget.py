# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The announced total: a sum that a person can follow, and never less than what can happen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.plugins.plugin_utils.schedules import cases
from unit.plugins.plugin_utils.simulation import Case, host_of

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind
from ansible_collections.hostpm.fencing.plugins.plugin_utils._budget import capped, total_s
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Host, Numbers, State

BMC = host_of(["bmc"])
FEEDS = host_of(["psu_a", "psu_b"])
BOTH = host_of(["bmc"], ["psu_a", "psu_b"])
# A level of agents with 5 s for a read and 20 s for a switch: read, twice the barrier (2 sweeps of 2 reads, 1 s apart), off, restore.
BARRIER_S = 2 * 2 * 5 + 1
LEVEL_S = 5 + 20 + 2 * BARRIER_S + 20
# The time of the witnesses, and one more sweep after them.
WITNESS_S = 5 + 2 * 5


@pytest.mark.parametrize(
    ("host", "state", "expected_s"),
    [
        (BMC, State.READ, 5),
        (BOTH, State.READ, 5),
        (BMC, State.OFF, LEVEL_S),
        (FEEDS, State.OFF, LEVEL_S),
        (BOTH, State.OFF, LEVEL_S + LEVEL_S + WITNESS_S),
        (BMC, State.ON, 5 + 20),
        (FEEDS, State.ON, 5 + 20 + 60),
        (BOTH, State.ON, 5 + 20 + 60 + 5 + 20),
        (BMC, State.RESTARTED, LEVEL_S + 5 + 20),
        (BOTH, State.RESTARTED, 2 * LEVEL_S + WITNESS_S + 5 + 5 + 20 + 60 + 5 + 20),
    ],
)
def test_the_total_is_the_sum_of_the_parts_that_may_follow_each_other(
    host: Host, state: State, expected_s: float
) -> None:
    assert total_s(host, state, Numbers()) == expected_s


def test_a_level_takes_as_long_as_its_slowest_agent_and_not_the_sum() -> None:
    assert total_s(host_of(["psu_a", "psu_b", "psu_c"]), State.OFF, Numbers()) == total_s(
        host_of(["psu_a"]), State.OFF, Numbers()
    )


def test_stagger_counts_between_feeds_only() -> None:
    more_s = total_s(FEEDS, State.ON, Numbers(stagger_s=3.0)) - total_s(FEEDS, State.ON, Numbers())
    assert more_s == 3.0


def test_a_job_on_devices_of_both_kinds_counts_the_longer_hold_off() -> None:
    job = BOTH.subset(frozenset({"bmc", "psu_a"}))
    assert job.devices_only
    assert total_s(job, State.RESTARTED, Numbers()) - total_s(job, State.RESTARTED, Numbers(hold_off_s=0.0)) == 5.0


def test_the_total_is_capped_and_a_cap_never_makes_it_longer() -> None:
    assert total_s(BOTH, State.OFF, Numbers(cap_s=10.0)) == 10.0
    assert total_s(BMC, State.READ, Numbers(cap_s=1000.0)) == 5.0
    assert capped(Numbers(), 7.0).cap_s == 7.0
    assert capped(Numbers(cap_s=5.0), 7.0).cap_s == 5.0
    assert capped(Numbers(cap_s=9.0), 7.0).cap_s == 7.0


@given(cases(capped=False), st.sampled_from(["confirm_interval_s", "witness_timeout_s", "stagger_s", "chassis_wait_s"]))
def test_waiting_longer_never_makes_the_total_shorter(case: Case, number: str) -> None:
    longer = replace(case.numbers, **{number: getattr(case.numbers, number) + 1.0})
    assert total_s(case.host, case.state, longer) >= total_s(case.host, case.state, case.numbers)


@given(cases(capped=False))
def test_a_restart_is_never_announced_shorter_than_its_off_and_its_on(case: Case) -> None:
    parts_s = total_s(case.host, State.OFF, case.numbers) + total_s(case.host, State.ON, case.numbers)
    hold_off_s = max(case.numbers.hold_off_after(agent.kind) for agent in case.host.agents)
    assert total_s(case.host, State.RESTARTED, case.numbers) == pytest.approx(parts_s + hold_off_s)


def test_hold_off_is_by_the_kind_unless_it_is_given() -> None:
    assert Numbers().hold_off_after(Kind.SUPPLY) == 5.0
    assert Numbers().hold_off_after(Kind.CHASSIS) == 0.0
    assert Numbers(hold_off_s=2.0).hold_off_after(Kind.SUPPLY) == 2.0
    assert Numbers(hold_off_s=2.0).hold_off_after(Kind.CHASSIS) == 2.0


def test_a_barrier_without_a_reading_and_a_host_without_agents_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Numbers(confirm_reads=0)
    with pytest.raises(ValueError, match="at least one"):
        BOTH.subset(frozenset({"nobody"}))
