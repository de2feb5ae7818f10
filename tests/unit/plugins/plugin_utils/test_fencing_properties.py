# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws of the multi-agent logic, over random hosts, numbers and schedules of device faults on a simulated clock.

What a law is claimed for stands in its test: most hold for any fault; "really off" needs devices that do not lie, or a witness.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st
from unit.plugins.plugin_utils.schedules import cases
from unit.plugins.plugin_utils.simulation import (
    LOOP,
    Case,
    Exchange,
    ReadFault,
    Script,
    SimulatedClock,
    SimulatedRun,
)

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind, Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation, Outcome
from ansible_collections.hostpm.fencing.plugins.plugin_utils import _budget
from ansible_collections.hostpm.fencing.plugins.plugin_utils._fencing import Fencing
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Level, OnFailure, State
from ansible_collections.hostpm.fencing.plugins.plugin_utils._verdict import Verdict

EPSILON_S = 1e-6
OFF_STATES = (State.OFF, State.RESTARTED)
# What a person is promised in ``reason``; written down here once more, since nothing else may change this list.
REASONS = {
    "auth", "unreachable", "timeout", "refused", "not_found", "unsupported", "conflict", "bad_reply", "tls", "host_key", "busy",
    "unconfirmed", "vetoed",
}  # fmt: skip


def run(case: Case) -> SimulatedRun:
    return SimulatedRun(case).finish()


def proven_level(run: SimulatedRun) -> Level | None:
    """The level that held its barrier and was not contradicted, told by the timeline alone."""
    number = None
    for event in run.verdict.timeline:
        if event.event.startswith("barrier: "):
            names = event.event.removeprefix("barrier: ").split(" read off")[0].split(", ")
            number = next(n for n, level in enumerate(run.case.host.levels) if [a.name for a in level.agents] == names)
        elif event.event.startswith("level ") and event.event.endswith(" failed"):
            number = None
    return None if number is None else run.case.host.levels[number]


def barrier_s(run: SimulatedRun) -> float:
    return [event.at_s for event in run.verdict.timeline if event.event.startswith("barrier: ")][-1]


def sweeps_before(run: SimulatedRun, level: Level, until_s: float) -> list[list[Exchange]]:
    """The last ``confirm_reads`` sweeps before a moment, from the devices' record: each agent's readings, errors left out."""
    count = run.case.numbers.confirm_reads
    answers = {
        agent.name: [read for read in run.reads(agent.name, until_s=until_s + EPSILON_S) if read.said in set(Power)][
            -count:
        ]
        for agent in level.agents
    }
    assert all(len(reads) == count for reads in answers.values()), "somebody was not asked often enough"
    return [[reads[number] for reads in answers.values()] for number in range(count)]


# -- proof -----------------------------------------------------------------------------------------------------------


@given(cases(*OFF_STATES))
def test_no_success_without_confirmed_readings_of_off_from_every_agent_of_the_level(case: Case) -> None:
    """Any fault. Judged by the devices' record: whole sweeps, all off, one after the other, after the last command."""
    done = run(case)
    level = proven_level(done)
    assert (done.verdict.fenced or (done.verdict.ok and case.host.devices_only)) <= (level is not None)
    if level is None:
        return
    sweeps = sweeps_before(done, level, barrier_s(done))
    assert all(read.said == Power.OFF for sweep in sweeps for read in sweep)
    for earlier, later in pairwise(sweeps):
        gap_s = min(read.began_s for read in later) - max(read.ended_s for read in earlier)
        assert gap_s >= case.numbers.confirm_interval_s - EPSILON_S
    first_s = min(read.began_s for read in sweeps[0])
    names = [agent.name for agent in level.agents]
    assert not [c for c in done.commands(*names) if c.ended_s > first_s and c.began_s < barrier_s(done)]


@given(cases(*OFF_STATES))
def test_on_is_sent_after_the_barrier_or_to_restore_a_level_that_failed_and_never_else(case: Case) -> None:
    """Any fault. A restoring command is over before a later level is read for its proof."""
    done = run(case)
    level = proven_level(done)
    ons = [command for command in done.commands() if command.asked == "on"]
    if level is not None:
        late = [on for on in ons if on.began_s >= barrier_s(done) - EPSILON_S]
        assert case.state is State.RESTARTED or not late
        first_s = min(read.began_s for read in sweeps_before(done, level, barrier_s(done))[0])
        ons = [on for on in ons if on not in late]
        assert all(on.ended_s <= first_s + EPSILON_S for on in ons)
        assert not {on.agent for on in ons} & {agent.name for agent in level.agents}
    for on in ons:
        assert [c for c in done.commands(on.agent) if c.asked == "off" and c.ended_s <= on.began_s + EPSILON_S]
        conflict = done.verdict.fates[on.agent].reason is Reason.CONFLICT
        fates = [f for f in done.verdict.fates.values() if f.level == done.verdict.fates[on.agent].level]
        conflict = conflict or any(fate.reason is Reason.CONFLICT for fate in fates)
        assert (
            conflict
            or case.numbers.on_failure is OnFailure.RESTORE
            or any("contradicts" in event for event in done.events)
        )


@given(cases(State.RESTARTED))
def test_after_a_cut_feeds_stay_off_for_hold_off_before_anything_is_switched_on(case: Case) -> None:
    done = run(case)
    level = proven_level(done)
    if level is None:
        return
    cut = {
        agent.kind
        for agent in case.host.agents
        for c in done.commands(agent.name)
        if c.asked == "off" and c.may_have_arrived
    }
    restored = any("switching back on" in event for event in done.events)
    assume(not restored)
    hold_off_s = max((case.numbers.hold_off_after(kind) for kind in cut), default=0.0)
    since_s = max([barrier_s(done), *(c.ended_s for c in done.commands() if c.asked == "off")])
    assert all(on.began_s >= since_s + hold_off_s - EPSILON_S for on in done.commands() if on.asked == "on")


@given(cases(*OFF_STATES, honest=True, left_alone=True, hidden_feed=False))
def test_never_fenced_while_powered_if_no_device_lies(case: Case) -> None:
    """Claimed for every fault but lies, stale caches, and commands that are carried out long after; wiring as in the inventory.

    Off at the barrier, and until something is switched on.
    """
    done = run(case)
    if not done.verdict.fenced:
        return
    end_s = min(
        (on.began_s for on in done.commands() if on.asked == "on" and on.began_s >= barrier_s(done)),
        default=done.returned_s,
    )
    assert not done.real.was_powered_at(barrier_s(done))
    if not any("switching back on" in event for event in done.events):
        assert not done.real.was_powered_between(barrier_s(done), end_s - EPSILON_S)


@given(cases(*OFF_STATES, honest=True, hidden_feed=False))
def test_every_off_that_the_proof_rests_on_was_true_even_if_somebody_else_switches(case: Case) -> None:
    """Claimed for devices that do not lie, with others who switch them and commands that come late."""
    done = run(case)
    level = proven_level(done)
    if level is not None:
        assert all(read.truth is Power.OFF for sweep in sweeps_before(done, level, barrier_s(done)) for read in sweep)


@given(cases(*OFF_STATES, hidden_feed=True, capped=False), st.sampled_from((1.0, 5.0)))
def test_wrong_outlets_and_lying_outlets_fence_nothing_while_a_chassis_says_on(case: Case, window_s: float) -> None:
    """Claimed for any lie and fault of the outlets as long as one chassis agent of the host answers in time and truly."""
    witnesses = [agent for agent in case.host.all_agents if agent.kind is Kind.CHASSIS]
    assume(witnesses)
    scripts = dict(case.scripts) | {witnesses[0].name: Script()}
    scripts |= {agent.name: replace(case.script(agent.name), reads=()) for agent in witnesses[1:]}
    done = run(case.but(scripts=scripts, numbers=replace(case.numbers, witness_timeout_s=window_s)))
    assert not (done.verdict.fenced and done.real.was_powered_at(barrier_s(done)))


@given(
    cases(State.OFF, capped=False, hidden_feed=True),
    st.sampled_from([ReadFault.PENDING, ReadFault.UNLISTED, ReadFault.FINE]),
)
def test_a_witness_whose_last_word_is_not_off_is_never_overruled(case: Case, fault: ReadFault) -> None:
    """Any fault and lie of the others: on, pending and unlisted are answers, and no agreement. Unless nobody is to be asked."""
    assume(case.numbers.witness_timeout_s > 0)
    witnesses = [agent.name for agent in case.host.all_agents if agent.kind is Kind.CHASSIS][:1]
    talks = {name: replace(case.script(name), reads=(fault,), reads_for_ever=True) for name in witnesses}
    done = run(case.but(scripts=dict(case.scripts) | talks))
    level = proven_level(done)
    if level is not None:
        for witness in case.host.witnesses_of(level):
            heard = [read.said for read in done.reads(witness.name, since_s=barrier_s(done))]
            assert not heard or heard[-1] not in ("on", "unknown")


@given(
    cases(*OFF_STATES, honest=False),
    st.lists(
        st.sampled_from(
            [fault for fault in ReadFault if fault.value not in ("fine", "flap", "stale", "lie", "lie_off")]
        )
    ),
)
def test_a_level_with_one_agent_that_never_reads_off_is_never_the_proof(case: Case, faults: list[ReadFault]) -> None:
    """Unknown never leads to fenced: whatever else that agent says, but off."""
    faults = faults or [ReadFault.PENDING]
    mute = {
        level.agents[-1].name: Script(reads=tuple(faults) * 40, reads_for_ever=True) for level in case.host.all_levels
    }
    done = run(case.but(scripts=dict(case.scripts) | mute))
    assert not done.verdict.fenced
    assert not (done.verdict.ok and case.host.devices_only and set(mute) & {agent.name for agent in case.host.agents})


@given(cases(State.READ, honest=True, left_alone=True, hidden_feed=False))
def test_a_read_says_off_only_of_a_host_that_is_off(case: Case) -> None:
    done = run(case)
    assert not (done.verdict.power is Power.OFF and done.real.powered)
    assert done.verdict.ok == (done.verdict.power is not Power.UNKNOWN) or case.host.devices_only


@given(cases(subset=True))
def test_a_job_on_devices_fences_no_host(case: Case) -> None:
    assume(case.host.devices_only)
    done = run(case)
    assert not done.verdict.fenced
    assert done.verdict.level is None
    asked = {exchange.agent for exchange in done.exchanges}
    assert asked <= {agent.name for agent in case.host.agents}, "no witness is asked"


# -- order -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answers:
    """What an agent says, whatever the time: before it was switched, after off, after on, and to the commands themselves."""

    before: Outcome
    off: Outcome
    after_off: Outcome
    on: Outcome
    after_on: Outcome


SAYS_ON = Outcome(Power.ON, raw="on")
SAYS_OFF = Outcome(Power.OFF, raw="off")
SAYS_PENDING = Outcome(Power.UNKNOWN, reason=Reason.UNCONFIRMED, msg="pending", raw="pending")
SAYS_NOTHING = Outcome(Power.UNKNOWN, reason=Reason.TIMEOUT, msg="no answer")
SAYS_NO = Outcome(Power.UNKNOWN, reason=Reason.AUTH, msg="the password was not accepted")
READINGS = (SAYS_ON, SAYS_ON, SAYS_OFF, SAYS_OFF, SAYS_PENDING, SAYS_NOTHING, SAYS_NO)
OFFS = (
    replace(SAYS_OFF, sent=True),
    replace(SAYS_OFF, sent=True),
    replace(SAYS_ON, sent=True, reason=Reason.REFUSED, msg="no"),
    SAYS_NO,
)
ONS = (
    replace(SAYS_ON, sent=True),
    replace(SAYS_ON, sent=True),
    replace(SAYS_OFF, sent=True, reason=Reason.REFUSED, msg="no"),
    SAYS_NO,
)


def verdict_in_some_order(case: Case, answers: dict[str, Answers], order: Random) -> Verdict:
    """The verdict if every operation takes a random time within its budget, and the answers are the same."""
    switched: dict[str, Operation] = {}

    async def answer(agent: Agent, operation: Operation, budget_s: float) -> Outcome:
        says = answers[agent.name]
        await asyncio.sleep(order.choice((0.0, 0.0, 0.1, 0.2, 0.3)) * budget_s)
        if operation is not Operation.READ:
            switched[agent.name] = operation
            return says.off if operation is Operation.OFF else says.on
        last = switched.get(agent.name)
        return {None: says.before, Operation.OFF: says.after_off, Operation.ON: says.after_on}[last]

    return LOOP.simulate(Fencing(case.host, case.numbers, answer, SimulatedClock()).achieve(case.state))


@given(cases(capped=False), st.randoms(use_true_random=True))
def test_the_same_answers_give_the_same_verdict_in_any_order_of_completion(case: Case, random: Random) -> None:
    answers = {
        agent.name: Answers(*(random.choice(choices) for choices in (READINGS, OFFS, READINGS, ONS, READINGS)))
        for agent in case.host.all_agents
    }
    verdicts = []
    for _try in range(4):
        verdict = verdict_in_some_order(case, answers, random)
        result = verdict.as_result()
        for fate in result["agents"].values():
            # How often somebody was asked depends on the time, and so does what was heard of a witness before the barrier.
            del fate["attempts"], fate["duration"]
        verdicts.append(
            (verdict.ok, verdict.msg, {k: v for k, v in result.items() if k not in ("timeline", "duration")})
        )
    assert all(verdict == verdicts[0] for verdict in verdicts)


# -- time ------------------------------------------------------------------------------------------------------------


@given(cases())
def test_nothing_takes_longer_than_the_announced_total_and_a_second(case: Case) -> None:
    """Any fault, capped or not, and with single requests that end half a second late."""
    done = run(case)
    assert done.verdict.total_s == _budget.total_s(case.host, case.state, case.numbers)
    assert done.returned_s <= done.verdict.total_s + 1.0
    assert done.verdict.duration_s == done.returned_s


@given(cases())
def test_nothing_is_under_way_when_the_task_returns(case: Case) -> None:
    done = run(case)
    assert done.left_running == 0
    assert all(exchange.ended_s <= done.returned_s for exchange in done.exchanges)


@given(cases(), st.floats(0.0, 30.0), st.booleans())
def test_a_cancelled_task_sends_nothing_more_and_leaves_nothing_running(case: Case, at_s: float, predict: bool) -> None:
    done = SimulatedRun(case).finish(cancel_at_s=at_s, predict=predict)
    assert done.left_running == 0
    if done.cancelled_s is not None:
        assert done.returned_s <= done.cancelled_s + 0.2
        assert not [exchange for exchange in done.exchanges if exchange.began_s > done.cancelled_s]
    assert all(exchange.ended_s <= done.returned_s for exchange in done.exchanges)


@given(cases())
def test_an_agent_is_never_asked_two_things_at_once(case: Case) -> None:
    assert run(case).most_at_once <= 1


# -- the result ------------------------------------------------------------------------------------------------------


@given(cases())
def test_every_agents_fate_is_in_the_result(case: Case) -> None:
    done = run(case)
    result = json.loads(json.dumps(done.verdict.as_result()))
    assert list(result["agents"]) == [agent.name for agent in case.host.all_agents]
    asked = {exchange.agent for exchange in done.exchanges}
    for name, fate in result["agents"].items():
        assert set(fate) == {
            "level", "kind", "power_before", "power", "switched", "ok", "reason", "msg", "attempts", "duration"
        }  # fmt: skip
        assert fate["power"] in ("on", "off", "unknown")
        if fate["ok"] is False:
            assert fate["reason"] in REASONS
            assert fate["msg"]
        else:
            assert (fate["reason"], fate["msg"]) == (None, "")
        if name not in asked and fate["ok"] is not False:
            assert (fate["ok"], fate["power"], fate["switched"], fate["attempts"]) == (None, "unknown", False, 0)
        witness = any(name == agent.name for level in case.host.levels for agent in case.host.witnesses_of(level))
        if name in asked and not witness:
            assert fate["ok"] is not None


@given(cases())
def test_a_failed_task_says_why_and_a_good_one_says_what_is_so(case: Case) -> None:
    done = run(case)
    verdict = done.verdict
    if not verdict.ok:
        assert verdict.msg.startswith("node3: ")
    assert (verdict.level is not None) == verdict.fenced
    assert not (verdict.fenced and case.state not in OFF_STATES)
    if not case.host.devices_only:
        assert verdict.ok <= (verdict.power is not Power.UNKNOWN)
        if case.state is State.OFF:
            assert verdict.ok == verdict.fenced
            assert verdict.ok == (verdict.power is Power.OFF)
        if case.state in (State.ON, State.RESTARTED):
            assert verdict.ok <= (verdict.power is Power.ON)
    assert verdict.as_result()["redundancy"] in ("none", "full", "degraded", None)


@given(cases())
def test_changed_is_true_exactly_when_a_command_was_sent(case: Case) -> None:
    done = run(case)
    arrived = {command.agent for command in done.commands() if command.may_have_arrived}
    assert done.verdict.changed == bool(arrived)
    assert {name for name, fate in done.verdict.fates.items() if fate.sent} == arrived


@given(cases(*OFF_STATES))
def test_an_agent_that_failed_its_level_keeps_its_first_failure(case: Case) -> None:
    """Whatever the agent does well later in the task: why its level was lost must be found in the result."""
    done = run(case)
    for name, operation, outcome in done.outcomes:
        if operation is Operation.OFF and not outcome.ok:
            assert done.verdict.fates[name].ok is False
    failed_levels = [
        level
        for level in case.host.levels
        if f"host: level {level.number} failed" in done.events
        and not any("contradicts" in event for event in done.events)
    ]
    for level in failed_levels:
        assert any(done.verdict.fates[agent.name].ok is False for agent in level.agents)


# -- check mode ------------------------------------------------------------------------------------------------------


@given(cases())
def test_check_mode_sends_nothing(case: Case) -> None:
    done = SimulatedRun(case).finish(predict=True)
    assert not done.commands()
    assert not done.verdict.fenced
    assert done.left_running == 0
    assert done.returned_s <= done.verdict.total_s + 1.0


@given(cases(hidden_feed=False, capped=False))
def test_check_mode_predicts_what_a_run_without_faults_does(case: Case) -> None:
    case = case.but(scripts={})
    predicted = SimulatedRun(case).finish(predict=True).verdict
    assert predicted.changed == run(case).verdict.changed


# -- what it is for --------------------------------------------------------------------------------------------------


@given(cases(hidden_feed=False, capped=False, subset=False))
def test_without_faults_the_task_does_what_it_is_asked(case: Case) -> None:
    """Else a logic that always fails would keep every other law."""
    case = case.but(
        scripts={}, physics=replace(case.physics, boot_s=1.0), numbers=replace(case.numbers, chassis_wait_s=5.0)
    )
    done = run(case)
    assert done.verdict.ok, done.verdict.msg
    if case.state in OFF_STATES:
        assert done.verdict.fenced
        assert not done.real.was_powered_at(barrier_s(done))
    if case.state is State.OFF:
        assert not done.real.powered
    if case.state in (State.ON, State.RESTARTED) and any(agent.kind is Kind.CHASSIS for agent in case.host.agents):
        assert done.real.powered
    if case.state in (State.ON, State.RESTARTED):
        assert all(done.real.outlets.values())


def test_the_schedules_reach_every_kind_of_ending() -> None:
    """The laws above say nothing of endings that never come about."""
    seen: Counter[str] = Counter()

    @given(cases(*OFF_STATES), cases(*OFF_STATES, hidden_feed=True, capped=False))
    def collect(case: Case, wrongly_wired: Case) -> None:
        count(case)
        count(wrongly_wired)

    def count(case: Case) -> None:
        done = run(case)
        verdict = done.verdict
        seen[f"{verdict.state} {'ok' if verdict.ok else 'failed'} fenced={verdict.fenced}"] += 1
        seen[f"by level {verdict.level}"] += 1
        seen["conflict"] += any(fate.reason is Reason.CONFLICT for fate in verdict.fates.values())
        seen["restored"] += any("switching back on" in event for event in done.events)
        seen["silent witness"] += any("silent as a witness" in event for event in done.events)
        seen["agreeing witness"] += any("agrees as a witness" in event for event in done.events)
        seen["barrier broken"] += any(fate.msg.startswith("it read off and then on") for fate in verdict.fates.values())
        seen["without a command"] += verdict.fenced and not done.commands()
        seen["devices only"] += verdict.ok and case.host.devices_only
        seen["degraded"] += verdict.as_result()["redundancy"] == "degraded"
        seen["used up"] += any("was used up" in event for event in done.events)

    collect()
    endings = [
        "off ok fenced=True", "off failed fenced=False", "restarted ok fenced=True", "restarted failed fenced=True",
        "restarted failed fenced=False", "by level 1", "by level 2", "by level 3", "conflict", "restored", "silent witness",
        "agreeing witness", "barrier broken", "without a command", "devices only", "degraded", "used up",
    ]  # fmt: skip
    assert {ending: seen[ending] for ending in endings if seen[ending] < 2} == {}
