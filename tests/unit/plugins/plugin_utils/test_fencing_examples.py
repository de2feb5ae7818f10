# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One example for each rule of DESIGN 4.1 to 4.5, on the simulated clock: what a reader should see of the multi-agent logic.

The host has a BMC and two supplies unless an example says otherwise; its BMC lives on the feeds and boots in 5 s.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest
from unit.plugins.plugin_utils.simulation import (
    LOOP,
    BootPolicy,
    Case,
    Physics,
    ReadFault,
    Script,
    SimulatedClock,
    SimulatedRun,
    SwitchFault,
    host_of,
)

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation, Outcome
from ansible_collections.hostpm.fencing.plugins.plugin_utils._fencing import Fencing
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Host, Level, Numbers, OnFailure, State

FAILOVER = host_of(["bmc"], ["psu_a", "psu_b"])
FEEDS_FIRST = host_of(["psu_a", "psu_b"], ["bmc"])
FEEDS = host_of(["psu_a", "psu_b"])
BMC = host_of(["bmc"])

SILENT = Script(reads=(ReadFault.HANG,), commands=(SwitchFault.HANG,), reads_for_ever=True, commands_for_ever=True)
WRONG_PASSWORD = Script(
    reads=(ReadFault.AUTH,), commands=(SwitchFault.AUTH,), reads_for_ever=True, commands_for_ever=True
)
DEAF = Script(commands=(SwitchFault.IGNORE,), commands_for_ever=True)
READ_ONLY = Script(commands=(SwitchFault.REFUSED,), commands_for_ever=True)
LIES_OFF = Script(reads=(ReadFault.LIE_OFF,), reads_for_ever=True)

# Outlets that are in the inventory of this host and feed another one.
SOMEBODY_ELSES_OUTLETS = Physics(hidden_feed=True)


def task(
    host: Host,
    state: State,
    numbers: Numbers | None = None,
    physics: Physics | None = None,
    dark: tuple[str, ...] = (),
    **scripts: Script,
) -> SimulatedRun:
    return SimulatedRun(
        Case(host, state, numbers or Numbers(), physics or Physics(), frozenset(dark), scripts)
    ).finish()


def asked(run: SimulatedRun, *agents: str) -> list[str]:
    """The commands in their order: "psu_a off"."""
    return [f"{command.agent} {command.asked}" for command in run.commands(*agents)]


# -- 4.1 reading -----------------------------------------------------------------------------------------------------


def test_reading_asks_every_agent_of_every_level_at_once_and_sends_nothing() -> None:
    run = task(FAILOVER, State.READ)
    assert (run.verdict.ok, run.verdict.power) == (True, Power.ON)
    assert [exchange.agent for exchange in run.exchanges if exchange.began_s == 0.0] == ["bmc", "psu_a", "psu_b"]
    assert run.commands() == []
    assert run.verdict.as_result()["redundancy"] == "full"


def test_only_the_supply_seen_on_is_on_with_a_warning() -> None:
    run = task(FAILOVER, State.READ, bmc=WRONG_PASSWORD)
    assert (run.verdict.ok, run.verdict.power) == (True, Power.ON)
    assert "only the supply was seen" in run.verdict.warnings[0]


def test_a_chassis_that_is_on_while_all_its_outlets_are_off_is_a_conflict_and_fails() -> None:
    run = task(FAILOVER, State.READ, physics=SOMEBODY_ELSES_OUTLETS, dark=("psu_a", "psu_b"))
    assert (run.verdict.ok, run.verdict.power) == (False, Power.UNKNOWN)
    assert run.verdict.fates["psu_a"].reason is Reason.CONFLICT
    assert "do not feed this host" in run.verdict.msg


def test_a_read_that_cannot_tell_fails_and_lists_what_each_agent_said() -> None:
    run = task(FAILOVER, State.READ, bmc=WRONG_PASSWORD, psu_a=SILENT, psu_b=Script(reads=(ReadFault.UNLISTED,)))
    assert (run.verdict.ok, run.verdict.power) == (False, Power.UNKNOWN)
    for words in ("bmc", "password", "psu_a", "no answer", "psu_b", "42"):
        assert words in run.verdict.msg


def test_a_feed_that_differs_degrades_redundancy_and_is_named() -> None:
    run = task(FAILOVER, State.READ, dark=("psu_b",))
    result = run.verdict.as_result()
    assert (result["power"], result["redundancy"]) == ("on", "degraded")
    assert "psu_b" in result["warnings"][-1]


# -- 4.2 off ---------------------------------------------------------------------------------------------------------


def test_the_first_level_that_proves_off_ends_the_task_and_the_others_are_not_asked() -> None:
    run = task(FAILOVER, State.OFF)
    assert (run.verdict.fenced, run.verdict.level, run.verdict.power) == (True, 1, Power.OFF)
    assert asked(run) == ["bmc off"]
    assert run.reads("psu_a") == []
    assert run.verdict.fates["psu_a"].ok is None


def test_a_level_that_is_off_already_is_confirmed_without_a_command() -> None:
    run = task(BMC, State.OFF, physics=Physics(running=False))
    assert (run.verdict.fenced, run.verdict.changed) == (True, False)
    assert len(run.reads("bmc")) == 1 + 2


def test_a_level_that_seemed_off_and_is_not_gets_its_command_after_all() -> None:
    run = task(BMC, State.OFF, bmc=Script(reads=(ReadFault.LIE_OFF,)))
    assert (run.verdict.fenced, run.verdict.changed) == (True, True)
    assert asked(run) == ["bmc off"]


@pytest.mark.parametrize("fault", [ReadFault.AUTH, ReadFault.PENDING, ReadFault.UNLISTED, ReadFault.NOT_FOUND])
def test_a_level_with_an_agent_that_cannot_be_read_is_skipped_without_a_command(fault: ReadFault) -> None:
    run = task(FAILOVER, State.OFF, bmc=Script(reads=(fault,), reads_for_ever=True))
    assert (run.verdict.fenced, run.verdict.level) == (True, 2)
    assert asked(run, "bmc") == []


def test_the_last_level_is_tried_even_if_it_cannot_be_read_at_first() -> None:
    run = task(FEEDS, State.OFF, psu_b=Script(reads=(ReadFault.PENDING,)))
    assert run.verdict.fenced
    assert sorted(asked(run)) == ["psu_a off", "psu_b off"]
    assert run.verdict.fates["psu_b"].ok is True


def test_a_silent_bmc_hands_over_when_its_budget_ends() -> None:
    run = task(host_of(["bmc"], ["psu_a", "psu_b"], read_budget_s=5.0), State.OFF, bmc=SILENT)
    assert run.verdict.level == 2
    assert 5.0 <= run.reads("psu_a")[0].began_s <= 6.0


def test_a_refused_login_hands_over_at_once_and_waits_for_nobodys_timeout() -> None:
    host = host_of(["bmc_1", "bmc_2"], ["psu_a", "psu_b"])
    run = task(host, State.OFF, bmc_1=WRONG_PASSWORD, bmc_2=SILENT)
    assert run.verdict.level == 2
    assert run.reads("psu_a")[0].began_s == pytest.approx(0.1)


def test_what_a_failed_level_has_under_way_is_awaited_before_the_task_ends() -> None:
    host = host_of(["psu_a", "psu_b"], ["psu_c"])
    run = task(host, State.OFF, psu_a=READ_ONLY, psu_b=DEAF)
    assert (run.verdict.fenced, run.verdict.level) == (True, 2)
    assert run.reads("psu_c")[-1].ended_s < 5
    assert run.verdict.duration_s == pytest.approx(20, abs=1.5), "psu_b polls until its budget ends"
    assert run.verdict.fates["psu_b"].reason is Reason.UNCONFIRMED


def test_both_outlets_are_sent_off_at_the_same_moment() -> None:
    run = task(FEEDS, State.OFF)
    assert [(command.agent, command.asked) for command in run.commands()] == [("psu_a", "off"), ("psu_b", "off")]
    assert len({command.began_s for command in run.commands()}) == 1


def test_two_agents_that_take_three_seconds_each_take_three_seconds() -> None:
    slow = Script(lag_s=3.0)
    run = task(FEEDS, State.OFF, numbers=Numbers(confirm_interval_s=0.0), psu_a=slow, psu_b=slow)
    assert 3.0 <= run.verdict.duration_s <= 4.5


def test_the_barrier_waits_for_the_slower_of_two_supplies() -> None:
    run = task(FEEDS, State.OFF, psu_a=Script(lag_s=0.2), psu_b=Script(lag_s=7.0))
    assert run.verdict.fenced
    assert run.event_at("barrier: psu_a, psu_b") >= 7.0 + 1.0
    sweeps = [[read.began_s for read in run.reads(name)[-2:]] for name in ("psu_a", "psu_b")]
    assert sweeps[0] == sweeps[1], "both are read in the same sweeps"


def test_an_outlet_that_comes_back_on_breaks_the_barrier() -> None:
    """The first sweep reads off, and 0.3 s later somebody switches the outlet on again."""
    run = task(FEEDS, State.OFF, psu_b=Script(reads=(ReadFault.FINE, ReadFault.FINE, ReadFault.FLAP), lag_s=0.0))
    assert (run.verdict.ok, run.verdict.fenced, run.verdict.power) == (False, False, Power.ON)
    assert run.verdict.fates["psu_b"].reason is Reason.UNCONFIRMED
    assert "NOT fenced" in run.verdict.msg


def test_one_read_error_in_a_sweep_is_asked_once_more_and_an_answer_of_unknown_is_not() -> None:
    fine = (ReadFault.FINE,) * 3
    assert task(BMC, State.OFF, bmc=Script(reads=(*fine, ReadFault.REFUSED))).verdict.fenced
    assert not task(BMC, State.OFF, bmc=Script(reads=(*fine, ReadFault.REFUSED, ReadFault.REFUSED))).verdict.fenced
    assert not task(BMC, State.OFF, bmc=Script(reads=(*fine, ReadFault.PENDING))).verdict.fenced


def test_the_number_and_the_distance_of_the_confirming_reads_are_options() -> None:
    run = task(BMC, State.OFF, numbers=Numbers(confirm_reads=4, confirm_interval_s=3.0), physics=Physics(running=False))
    began = [read.began_s for read in run.reads("bmc")]
    assert len(began) == 1 + 4
    assert [round(later - earlier, 3) for earlier, later in pairwise(began[1:])] == [3.1, 3.1, 3.1]


def test_an_off_that_was_answered_with_an_error_and_done_counts_by_its_reading() -> None:
    run = task(BMC, State.OFF, bmc=Script(commands=(SwitchFault.BAD_REPLY_AND_DO,), lag_s=0.0))
    assert run.verdict.fenced
    assert asked(run) == ["bmc off"]


def test_off_is_sent_once_more_after_no_answer_and_never_after_a_refusal() -> None:
    assert asked(task(BMC, State.OFF, bmc=Script(commands=(SwitchFault.TIMEOUT,)))) == ["bmc off", "bmc off"]
    assert asked(task(BMC, State.OFF, bmc=READ_ONLY)) == ["bmc off"]


def test_an_accepted_command_without_effect_fails_when_the_budget_ends_and_says_so() -> None:
    run = task(BMC, State.OFF, bmc=DEAF)
    assert (run.verdict.ok, run.verdict.fenced, run.verdict.power, run.verdict.changed) == (
        False,
        False,
        Power.ON,
        True,
    )
    assert "still on" in run.verdict.msg
    assert 19.0 <= run.verdict.duration_s <= 21.0


# witnesses


def test_a_bmc_that_died_with_its_feeds_is_a_silent_witness_and_agrees() -> None:
    run = task(FEEDS_FIRST, State.OFF)
    assert (run.verdict.fenced, run.verdict.level) == (True, 1)
    assert "bmc" in run.verdict.warnings[0]
    assert "silent" in run.verdict.warnings[0]
    assert "had answered before" in run.verdict.warnings[0]


def test_a_witness_that_never_spoke_is_told_apart_from_one_that_fell_silent() -> None:
    run = task(FEEDS_FIRST, State.OFF, bmc=SILENT)
    assert run.verdict.fenced
    assert "was not heard before either" in run.verdict.warnings[0]


def test_an_outlet_that_comes_on_while_witnesses_are_heard_is_seen_before_the_host_is_called_fenced() -> None:
    # The third true answer after the command is the second of the barrier; the flap comes a moment after it.
    fine = ReadFault.FINE
    script = Script(reads=(fine, fine, fine, ReadFault.FLAP))
    run = task(FEEDS_FIRST, State.OFF, bmc=SILENT, psu_a=script)
    assert not run.verdict.fenced
    assert "read off and then on" in run.verdict.msg


def test_a_bmc_with_a_feed_of_its_own_agrees_by_saying_off() -> None:
    run = task(FEEDS_FIRST, State.OFF, physics=Physics(bmc_lives_on_feeds=False))
    assert run.verdict.fenced
    assert run.verdict.warnings == []
    assert "bmc: agrees as a witness" in run.events


def test_a_witness_that_still_says_on_fails_the_level_and_the_outlets_are_switched_back_on() -> None:
    run = task(
        host_of(["psu_a", "psu_b"], ["bmc"]).subset(frozenset({"psu_a", "psu_b"})),
        State.OFF,
        physics=SOMEBODY_ELSES_OUTLETS,
    )
    assert (run.verdict.ok, run.verdict.fenced) == (False, False)
    assert run.verdict.fates["psu_a"].reason is Reason.CONFLICT
    assert sorted(asked(run)) == ["psu_a off", "psu_a on", "psu_b off", "psu_b on"]
    assert run.real.outlets == {"psu_a": True, "psu_b": True}
    assert "do not feed this host" in run.verdict.msg


def test_after_a_conflict_the_next_level_begins_when_the_outlets_are_on_again() -> None:
    run = task(FEEDS_FIRST, State.OFF, physics=SOMEBODY_ELSES_OUTLETS)
    assert (run.verdict.fenced, run.verdict.level) == (True, 2)
    back_on_s = max(command.ended_s for command in run.commands() if command.asked == "on")
    assert min(command.began_s for command in run.commands("bmc")) >= back_on_s
    assert run.real.outlets == {"psu_a": True, "psu_b": True}


def test_an_outlet_that_was_off_before_is_not_switched_on_by_a_conflict() -> None:
    host = FEEDS_FIRST.subset(frozenset({"psu_a", "psu_b"}))
    run = task(host, State.OFF, physics=SOMEBODY_ELSES_OUTLETS, dark=("psu_b",))
    assert run.verdict.fates["psu_a"].reason is Reason.CONFLICT
    assert run.real.outlets == {"psu_a": True, "psu_b": False}


def test_lying_outlets_fool_their_level_and_not_the_witness() -> None:
    run = task(FEEDS_FIRST.subset(frozenset({"psu_a", "psu_b"})), State.OFF, psu_a=LIES_OFF, psu_b=LIES_OFF)
    assert (run.verdict.ok, run.verdict.fenced) == (False, False)
    assert run.real.powered


def test_a_witness_that_answers_but_not_off_does_not_agree() -> None:
    """Only silence agrees with a host without power; who answers "pending" is not silent, and unknown is never off."""
    host = FEEDS_FIRST.subset(frozenset({"psu_a", "psu_b"}))
    run = task(
        host, State.OFF, physics=SOMEBODY_ELSES_OUTLETS, bmc=Script(reads=(ReadFault.PENDING,), reads_for_ever=True)
    )
    assert (run.verdict.ok, run.verdict.fenced) == (False, False)
    assert run.verdict.fates["psu_a"].reason is Reason.UNCONFIRMED
    assert sorted(asked(run)) == ["psu_a off", "psu_b off"], "no conflict: the outlets are left as they are"


def test_a_witness_that_falls_silent_in_its_last_moment_has_still_said_on() -> None:
    reads = (ReadFault.FINE,) * 8 + (ReadFault.UNREACHABLE,)
    host = FEEDS_FIRST.subset(frozenset({"psu_a", "psu_b"}))
    run = task(host, State.OFF, physics=SOMEBODY_ELSES_OUTLETS, bmc=Script(reads=reads, reads_for_ever=True))
    assert run.verdict.fates["psu_a"].reason is Reason.CONFLICT


def test_a_witness_that_is_busy_with_its_own_off_is_heard_when_that_is_over() -> None:
    """bmc_2 accepted off and reads on for its whole budget: that is no silence."""
    host = host_of(["bmc_1", "bmc_2"], ["psu_a", "psu_b"])
    run = task(host, State.OFF, physics=SOMEBODY_ELSES_OUTLETS, bmc_1=Script(commands=(SwitchFault.AUTH,)), bmc_2=DEAF)
    assert not run.verdict.fenced
    assert run.verdict.fates["psu_a"].reason is Reason.CONFLICT
    assert run.most_at_once == 1


def test_a_witness_that_falls_silent_in_its_last_moment_has_still_not_agreed() -> None:
    reads = (ReadFault.PENDING,) * 8 + (ReadFault.TIMEOUT,)
    host = FEEDS_FIRST.subset(frozenset({"psu_a", "psu_b"}))
    run = task(host, State.OFF, physics=SOMEBODY_ELSES_OUTLETS, bmc=Script(reads=reads, reads_for_ever=True))
    assert run.verdict.fates["psu_a"].reason is Reason.UNCONFIRMED


def test_a_conflict_is_told_even_if_another_witness_is_only_silent_or_unsure() -> None:
    host = host_of(["psu_a", "psu_b"], ["bmc_1", "bmc_2", "bmc_3"]).subset(frozenset({"psu_a", "psu_b"}))
    unsure = Script(reads=(ReadFault.PENDING,), reads_for_ever=True)
    run = task(host, State.OFF, physics=SOMEBODY_ELSES_OUTLETS, bmc_1=SILENT, bmc_2=unsure)
    assert run.verdict.fates["psu_a"].reason is Reason.CONFLICT
    assert run.real.outlets == {"psu_a": True, "psu_b": True}


def test_nobody_is_asked_as_a_witness_if_no_time_is_given_for_it() -> None:
    run = task(FEEDS_FIRST, State.OFF, numbers=Numbers(witness_timeout_s=0.0))
    assert run.verdict.fenced
    assert run.reads("bmc") == []


# what a failed level leaves behind


def test_a_failed_level_leaves_its_outlets_off_and_the_result_says_which() -> None:
    run = task(FEEDS, State.OFF, psu_b=READ_ONLY)
    assert (run.verdict.ok, run.verdict.changed) == (False, True)
    assert run.real.outlets == {"psu_a": False, "psu_b": True}
    assert "now off: psu_a" in run.verdict.msg
    assert run.verdict.power is Power.ON


def test_restore_switches_back_on_what_this_task_switched_off() -> None:
    run = task(FEEDS, State.OFF, numbers=Numbers(on_failure=OnFailure.RESTORE), psu_b=READ_ONLY)
    assert not run.verdict.ok
    assert run.real.outlets == {"psu_a": True, "psu_b": True}
    assert run.verdict.fates["psu_a"].power is Power.ON


def test_an_outlet_that_cannot_be_restored_is_told() -> None:
    obeys_once = Script(commands=(SwitchFault.FINE, SwitchFault.IGNORE, SwitchFault.IGNORE))
    run = task(FEEDS, State.OFF, numbers=Numbers(on_failure=OnFailure.RESTORE), psu_a=obeys_once, psu_b=READ_ONLY)
    assert any("psu_a" in warning and "could not be switched back on" in warning for warning in run.verdict.warnings)


def test_all_levels_failed_says_of_each_agent_what_was_tried() -> None:
    run = task(FAILOVER, State.OFF, bmc=WRONG_PASSWORD, psu_a=DEAF, psu_b=SILENT)
    assert not run.verdict.fenced
    for words in ("bmc", "password", "psu_a", "psu_b", "NOT fenced"):
        assert words in run.verdict.msg
    assert {fate.reason for fate in run.verdict.fates.values()} == {Reason.AUTH, Reason.UNCONFIRMED, Reason.TIMEOUT}


# a subset


def test_a_part_of_a_level_is_a_job_on_devices_and_fences_nothing() -> None:
    run = task(FAILOVER.subset(frozenset({"psu_a"})), State.OFF)
    assert (run.verdict.ok, run.verdict.fenced, run.verdict.level) == (True, False, None)
    assert run.verdict.power is Power.UNKNOWN, "nobody asked the BMC or the other outlet"
    assert {exchange.agent for exchange in run.exchanges} == {"psu_a"}
    assert run.verdict.fates["psu_a"].power is Power.OFF
    assert run.verdict.as_result()["redundancy"] is None


def test_a_whole_level_by_name_is_a_job_on_the_host_with_its_witnesses() -> None:
    run = task(FAILOVER.subset(frozenset({"psu_a", "psu_b"})), State.OFF)
    assert (run.verdict.fenced, run.verdict.level) == (True, 2)
    assert asked(run, "bmc") == []
    assert run.reads("bmc") != []


# -- 4.3 on ----------------------------------------------------------------------------------------------------------


def test_on_switches_all_feeds_and_then_the_chassis() -> None:
    run = task(FAILOVER, State.ON, physics=Physics(boot_policy=BootPolicy.OFF), dark=("psu_a", "psu_b"))
    assert (run.verdict.ok, run.verdict.power, run.verdict.changed) == (True, Power.ON, True)
    assert asked(run) == ["psu_a on", "psu_b on", "bmc on"]
    assert run.real.powered


def test_a_host_that_starts_by_itself_with_its_feeds_gets_no_command_to_its_chassis() -> None:
    run = task(FAILOVER, State.ON, dark=("psu_a", "psu_b"))
    assert run.verdict.ok
    assert asked(run) == ["psu_a on", "psu_b on"]


def test_everything_on_already_changes_nothing() -> None:
    run = task(FAILOVER, State.ON)
    assert (run.verdict.ok, run.verdict.changed) == (True, False)


def test_feeds_come_on_one_after_the_other_with_stagger() -> None:
    run = task(
        host_of(["psu_a", "psu_b", "psu_c"]), State.ON, numbers=Numbers(stagger_s=2.0), dark=("psu_a", "psu_b", "psu_c")
    )
    began = [command.began_s for command in run.commands()]
    assert [round(at_s - began[0], 3) for at_s in began] == [0.0, 2.0, 4.0]


def test_one_feed_that_stays_off_degrades_redundancy_and_is_a_warning() -> None:
    run = task(FAILOVER, State.ON, dark=("psu_a", "psu_b"), psu_b=DEAF)
    result = run.verdict.as_result()
    assert (run.verdict.ok, result["redundancy"]) == (True, "degraded")
    assert any("psu_b" in warning for warning in result["warnings"])


def test_no_feed_on_fails() -> None:
    run = task(FAILOVER, State.ON, dark=("psu_a", "psu_b"), psu_a=DEAF, psu_b=WRONG_PASSWORD)
    assert not run.verdict.ok
    assert "no feed came on" in run.verdict.msg
    assert asked(run, "psu_b") == [], "nobody sends a command with a password that was refused"


def test_pdus_that_nobody_reaches_do_not_keep_a_host_off_whose_bmc_reads_on() -> None:
    run = task(FAILOVER, State.RESTARTED, psu_a=SILENT, psu_b=SILENT)
    result = run.verdict.as_result()
    assert (run.verdict.ok, run.verdict.power, result["fenced"], result["redundancy"]) == (
        True,
        Power.ON,
        True,
        "degraded",
    )
    assert any("no feed answered" in warning for warning in result["warnings"])


def test_a_host_whose_feeds_and_chassis_are_all_silent_is_not_on() -> None:
    run = task(FAILOVER, State.ON, bmc=SILENT, psu_a=SILENT, psu_b=SILENT)
    assert (run.verdict.ok, run.verdict.power) == (False, Power.UNKNOWN)


def test_a_chassis_that_does_not_answer_after_its_feeds_came_back_is_a_warning() -> None:
    run = task(FAILOVER, State.ON, physics=Physics(boot_s=1000.0), dark=("psu_a", "psu_b"))
    assert (run.verdict.ok, run.verdict.power) == (True, Power.ON)
    assert "the chassis did not answer" in run.verdict.warnings[0]
    assert run.verdict.duration_s >= 60.0


def test_a_bmc_that_boots_is_awaited_and_its_silence_until_then_is_no_failure() -> None:
    run = task(FAILOVER, State.ON, physics=Physics(boot_s=30.0, boot_policy=BootPolicy.OFF), dark=("psu_a", "psu_b"))
    assert run.verdict.ok
    assert asked(run, "bmc") == ["bmc on"]
    assert run.verdict.fates["bmc"].ok is True


@pytest.mark.parametrize("bmc", [READ_ONLY, DEAF, WRONG_PASSWORD])
def test_a_chassis_that_refuses_or_stays_off_fails(bmc: Script) -> None:
    run = task(FAILOVER, State.ON, physics=Physics(running=False), bmc=bmc)
    assert not run.verdict.ok
    assert "could not be switched on" in run.verdict.msg


def test_the_second_chassis_level_is_tried_if_the_first_is_silent() -> None:
    host = host_of(["bmc_1"], ["bmc_2"])
    run = task(host, State.ON, physics=Physics(running=False), bmc_1=SILENT)
    assert run.verdict.ok
    assert asked(run) == ["bmc_2 on"]


def test_a_host_that_nothing_answers_for_while_it_is_off_is_sent_on_and_its_silence_is_never_off() -> None:
    [level] = host_of(["wake"]).levels
    levels = (Level(1, (replace(level.agents[0], silent_when_off=True),)),)
    asleep = Script(reads=(ReadFault.UNREACHABLE,) * 2)
    run = task(Host("node3", levels, levels), State.ON, physics=Physics(running=False), wake=asleep)
    assert (run.verdict.ok, run.verdict.power, asked(run)) == (True, Power.ON, ["wake on"])
    assert asked(task(host_of(["bmc"]), State.ON, physics=Physics(running=False), bmc=SILENT)) == []
    run = task(Host("node3", levels, levels), State.READ, physics=Physics(running=False), wake=SILENT)
    assert (run.verdict.ok, run.verdict.power) == (False, Power.UNKNOWN)


def test_on_is_tried_twice_and_never_with_a_wrong_password() -> None:
    off = Physics(running=False)
    assert asked(task(BMC, State.ON, physics=off, bmc=Script(commands=(SwitchFault.REFUSED,)))) == ["bmc on", "bmc on"]
    assert asked(task(BMC, State.ON, physics=off, bmc=READ_ONLY)) == ["bmc on", "bmc on"]
    assert asked(task(BMC, State.ON, physics=off, bmc=Script(commands=(SwitchFault.AUTH,)))) == ["bmc on"]


# -- 4.4 restarted ---------------------------------------------------------------------------------------------------


def test_a_restart_through_two_supplies_is_all_off_then_hold_off_then_all_on() -> None:
    run = task(FEEDS, State.RESTARTED)
    assert (run.verdict.ok, run.verdict.fenced, run.verdict.power) == (True, True, Power.ON)
    assert asked(run) == ["psu_a off", "psu_b off", "psu_a on", "psu_b on"]
    barrier_s = run.event_at("barrier")
    assert [command.began_s >= barrier_s + 5.0 for command in run.commands() if command.asked == "on"] == [True, True]
    assert not run.real.was_powered_between(barrier_s, barrier_s + 5.0)


def test_on_is_not_sent_while_one_feed_still_reads_on() -> None:
    run = task(FEEDS, State.RESTARTED, psu_b=DEAF)
    assert (run.verdict.ok, run.verdict.fenced) == (False, False)
    assert asked(run, "psu_a") == ["psu_a off"]


def test_a_restart_through_the_bmc_waits_for_nothing_and_touches_no_outlet() -> None:
    run = task(FAILOVER, State.RESTARTED)
    assert (run.verdict.ok, run.verdict.level) == (True, 1)
    assert asked(run) == ["bmc off", "bmc on"]
    assert run.real.powered


def test_a_dead_bmc_is_restarted_through_the_supplies() -> None:
    run = task(FAILOVER, State.RESTARTED, bmc=SILENT)
    assert (run.verdict.ok, run.verdict.fenced, run.verdict.level, run.verdict.power) == (True, True, 2, Power.ON)
    assert (run.verdict.fates["bmc"].ok, run.verdict.fates["bmc"].reason) == (False, Reason.TIMEOUT)


def test_why_the_bmc_lost_its_level_is_in_the_result_though_it_switched_the_host_on_later() -> None:
    run = task(
        FAILOVER,
        State.RESTARTED,
        physics=Physics(boot_policy=BootPolicy.OFF),
        bmc=Script(commands=(SwitchFault.REFUSED,)),
    )
    assert (run.verdict.ok, run.verdict.level) == (True, 2)
    assert asked(run, "bmc") == ["bmc off", "bmc on"]
    assert (run.verdict.fates["bmc"].ok, run.verdict.fates["bmc"].reason) == (False, Reason.REFUSED)


def test_a_host_that_was_off_is_just_switched_on() -> None:
    run = task(FAILOVER, State.RESTARTED, physics=Physics(running=False))
    assert run.verdict.ok
    assert asked(run) == ["bmc on"]
    assert "holding off" not in " ".join(run.events)


def test_outlets_that_a_failed_level_left_off_are_given_their_hold_off_too() -> None:
    """psu_a is off since the first level failed; the BMC proves off; the longer of both waits counts."""
    run = task(FEEDS_FIRST, State.RESTARTED, psu_b=READ_ONLY)
    assert (run.verdict.ok, run.verdict.level) == (True, 2)
    assert min(command.began_s for command in run.commands() if command.asked == "on") >= run.event_at("barrier") + 5.0


def test_an_outlet_that_went_off_late_in_a_level_that_failed_is_given_its_hold_off_from_then() -> None:
    run = task(FEEDS_FIRST, State.RESTARTED, psu_a=Script(lag_s=15.0), psu_b=READ_ONLY)
    assert (run.verdict.ok, run.verdict.level) == (True, 2)
    assert min(command.began_s for command in run.commands() if command.asked == "on") >= 15.0 + 5.0


def test_on_that_fails_after_a_proven_off_fails_the_task_and_keeps_it_fenced() -> None:
    obeys_once = Script(commands=(SwitchFault.FINE, SwitchFault.IGNORE, SwitchFault.IGNORE))
    run = task(FEEDS, State.RESTARTED, psu_a=obeys_once, psu_b=obeys_once)
    assert (run.verdict.ok, run.verdict.fenced, run.verdict.level) == (False, True, 1)
    assert "It was proven off" in run.verdict.msg


# -- 4.5 time --------------------------------------------------------------------------------------------------------


def test_a_capped_task_ends_with_its_cap_and_fences_nothing_it_has_not_proven() -> None:
    run = task(FAILOVER, State.OFF, numbers=Numbers(cap_s=8.0), bmc=SILENT, psu_b=Script(lag_s=6.0))
    assert run.verdict.total_s == 8.0
    assert run.returned_s <= 9.0
    assert (run.verdict.ok, run.verdict.fenced) == (False, False)


def test_a_cap_that_leaves_no_time_to_hear_the_witness_proves_nothing() -> None:
    host = FEEDS_FIRST.subset(frozenset({"psu_a", "psu_b"}))
    run = task(host, State.OFF, numbers=Numbers(cap_s=3.0), physics=SOMEBODY_ELSES_OUTLETS, bmc=SILENT)
    assert (run.verdict.ok, run.verdict.fenced) == (False, False)
    assert run.verdict.fates["psu_a"].reason is Reason.TIMEOUT
    assert run.returned_s <= 4.0


def test_a_cap_that_leaves_no_time_for_hold_off_switches_nothing_on() -> None:
    run = task(FEEDS, State.RESTARTED, numbers=Numbers(cap_s=5.0))
    assert (run.verdict.ok, run.verdict.fenced) == (False, True)
    assert asked(run) == ["psu_a off", "psu_b off"]
    assert "hold_off" in run.verdict.msg


def test_a_task_that_is_cancelled_between_off_and_on_sends_no_on() -> None:
    run = SimulatedRun(Case(FEEDS, State.RESTARTED)).finish(cancel_at_s=4.0)
    assert asked(run) == ["psu_a off", "psu_b off"]
    assert run.left_running == 0


def test_a_listener_that_breaks_ends_the_task_and_leaves_nothing_running() -> None:
    """A log on a full disk: the error is passed on, and no command follows it."""
    case = Case(FEEDS, State.OFF)
    run = SimulatedRun(case)
    told: list[str] = []

    def tell(event: object) -> None:
        told.append(str(event))
        if "off is sent" in str(event):
            raise OSError("no space left on device")

    run.fencing = Fencing(case.host, case.numbers, run._run, SimulatedClock(), tell)
    with pytest.raises(OSError, match="no space left"):
        run.finish()
    assert run.left_running == 0
    assert run.commands() == []


# -- check mode ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "dark", "running", "changed"),
    [
        (State.OFF, (), True, True),
        (State.OFF, (), False, False),
        (State.OFF, ("psu_a", "psu_b"), True, False),
        (State.ON, (), True, False),
        (State.ON, (), False, True),
        (State.ON, ("psu_a",), True, True),
        (State.RESTARTED, (), True, True),
        (State.RESTARTED, (), False, True),
    ],
)
def test_check_mode_reads_and_predicts(state: State, dark: tuple[str, ...], running: bool, changed: bool) -> None:
    case = Case(FAILOVER, state, physics=Physics(running=running), dark=frozenset(dark))
    run = SimulatedRun(case).finish(predict=True)
    assert (run.verdict.ok, run.verdict.changed, run.verdict.fenced) == (True, changed, False)
    assert run.commands() == []
    assert run.verdict.power is (Power.ON if running and len(dark) < 2 else Power.OFF)


# -- by the way ------------------------------------------------------------------------------------------------------


def test_the_timeline_is_what_a_person_reads_after_an_incident() -> None:
    run = task(FEEDS, State.RESTARTED, psu_b=Script(lag_s=2.0))
    assert [f"{event.at_s:.1f} {event.agent or 'host'}: {event.event}" for event in run.verdict.timeline] == [
        "0.1 psu_a: reads on",
        "0.1 psu_b: reads on",
        "0.1 psu_a: off is sent",
        "0.1 psu_b: off is sent",
        "0.3 psu_a: is off after 0.2 s",
        "2.1 psu_b: is off after 2.0 s",
        "2.2 psu_a: reads off",
        "2.2 psu_b: reads off",
        "3.3 psu_a: reads off",
        "3.3 psu_b: reads off",
        "3.3 host: barrier: psu_a, psu_b read off in one sweep, 2 times",
        "3.3 host: holding off for 5 s",
        "8.4 psu_a: reads off",
        "8.4 psu_b: reads off",
        "8.4 psu_a: on is sent",
        "8.4 psu_b: on is sent",
        "8.6 psu_a: is on after 0.2 s",
        "10.4 psu_b: is on after 2.0 s",
    ]


async def _never(agent: Agent, operation: Operation, budget_s: float) -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


def test_the_simulation_itself_tells_a_deadlock_from_a_long_wait() -> None:
    fencing = Fencing(BMC, Numbers(), _never, SimulatedClock())
    with pytest.raises(RuntimeError, match="deadlock"):
        LOOP.simulate(fencing.achieve(State.READ))
