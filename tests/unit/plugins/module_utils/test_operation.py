# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One operation on one agent, on the simulated clock: attempts, polling, budgets, and that evidence decides."""

from __future__ import annotations

from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.plugins.plugin_utils.simulation import (
    ERRORS,
    LOOP,
    BootPolicy,
    Exchange,
    Physics,
    ReadFault,
    Script,
    SimulatedClock,
    SimulatedDevice,
    SimulatedHost,
    SwitchFault,
    agent,
)

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    Busy,
    DeviceError,
    Kind,
    Power,
    Reading,
    Reason,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    NOTHING_SENT,
    Operation,
    Outcome,
    ensure_power,
    read_power,
    switch_power,
)

ON, OFF, UNKNOWN = Power.ON, Power.OFF, Power.UNKNOWN
PENDING = Reading(UNKNOWN, "pending", Reason.UNCONFIRMED, "a command is pending")
UNLISTED = Reading(UNKNOWN, "42")


class Scripted:
    """Exchanges that say what they are told to, the last thing again and again. ``hang`` takes all the time that is left."""

    def __init__(self, reads: list[Any], commands: list[Any] | None = None, latency_s: float = 0.1) -> None:
        self._said = {"read": reads, "switch": commands or [None]}
        self._latency_s = latency_s
        self.asked: list[str] = []
        self.at_s: list[float] = []

    async def read(self, left_s: float) -> Reading:
        said = await self._say("read", "read", left_s)
        return Reading(said, f"raw {said}") if isinstance(said, Power) else said

    async def switch(self, power: Power, left_s: float) -> None:
        await self._say("switch", str(power), left_s)

    async def _say(self, kind: str, asked: str, left_s: float) -> Any:
        self.asked.append(asked)
        self.at_s.append(LOOP.time())
        said = self._said[kind]
        what = said.pop(0) if len(said) > 1 else said[0]
        if what == "hang" or left_s < self._latency_s:
            await SimulatedClock().sleep(max(left_s, 0.0))
            raise ERRORS["timeout"]()
        await SimulatedClock().sleep(self._latency_s)
        if isinstance(what, DeviceError):
            raise what
        if isinstance(what, str) and not isinstance(what, Power):
            raise ERRORS[what]()
        return what

    @property
    def commands(self) -> list[str]:
        return [asked for asked in self.asked if asked != "read"]


def perform(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    return LOOP.simulate(work)


def read(exchanges: Scripted, budget_s: float = 5.0) -> Outcome:
    return perform(read_power(exchanges, budget_s, SimulatedClock()))


def switch(exchanges: Scripted, operation: Operation = Operation.OFF, budget_s: float = 20.0) -> Outcome:
    return perform(switch_power(exchanges, operation, budget_s, SimulatedClock()))


# -- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [ON, OFF])
def test_a_reading_is_passed_on_with_what_the_device_said(power: Power) -> None:
    assert read(Scripted([power])) == Outcome(power, attempts=1, raw=f"raw {power}", duration_s=0.1)


@pytest.mark.parametrize(
    ("reading", "reason"),
    [(PENDING, Reason.UNCONFIRMED), (UNLISTED, Reason.BAD_REPLY), (Reading(UNKNOWN), Reason.BAD_REPLY)],
)
def test_an_unknown_reading_is_an_answer_with_a_reason_and_is_not_asked_again(reading: Reading, reason: Reason) -> None:
    exchanges = Scripted([reading, OFF])
    outcome = read(exchanges)
    assert (outcome.ok, outcome.power, outcome.reason, outcome.answered) == (False, UNKNOWN, reason, True)
    assert outcome.msg
    assert exchanges.asked == ["read"]


@pytest.mark.parametrize("fault", ["timeout", "busy", "bad_reply"])
def test_a_failure_that_may_pass_is_asked_again_inside_the_budget(fault: str) -> None:
    outcome = read(Scripted([fault, fault, ON]))
    assert (outcome.ok, outcome.power, outcome.attempts) == (True, ON, 3)


@pytest.mark.parametrize("fault", ["auth", "not_found", "refused"])
def test_a_failure_that_stays_ends_the_read_at_once(fault: str) -> None:
    exchanges = Scripted([fault, ON])
    outcome = read(exchanges)
    assert (outcome.ok, outcome.power, outcome.answered, outcome.reason) == (False, UNKNOWN, False, Reason(fault))
    assert len(exchanges.asked) == 1


def test_a_refused_connection_is_tried_twice_and_not_until_the_budget_ends() -> None:
    exchanges = Scripted(["unreachable"])
    assert read(exchanges).reason is Reason.UNREACHABLE
    assert len(exchanges.asked) == 2
    assert read(Scripted(["unreachable", OFF])).power is OFF


def test_a_device_that_hangs_costs_its_budget_and_no_more() -> None:
    outcome = read(Scripted(["hang"]), budget_s=5.0)
    assert (outcome.reason, outcome.attempts) == (Reason.TIMEOUT, 1)
    assert outcome.duration_s == pytest.approx(5.0)


def test_a_busy_device_is_left_alone_for_as_long_as_it_wishes() -> None:
    exchanges = Scripted([Busy("no session is free", retry_after_s=2.0), ON])
    assert read(exchanges).ok
    assert exchanges.at_s[1] == pytest.approx(2.1)


def test_a_busy_device_that_wishes_for_more_than_is_left_is_not_waited_for() -> None:
    outcome = read(Scripted([Busy("no session is free", retry_after_s=30.0)]), budget_s=5.0)
    assert outcome.reason is Reason.BUSY
    assert outcome.duration_s < 1.0


# -- switching -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [Operation.OFF, Operation.ON])
def test_a_command_is_done_when_the_device_reads_so_and_not_before(operation: Operation) -> None:
    other = ON if operation is Operation.OFF else OFF
    exchanges = Scripted([other, PENDING, "timeout", UNLISTED, operation.wanted])
    outcome = switch(exchanges, operation)
    assert (outcome.ok, outcome.power, outcome.sent, outcome.attempts) == (True, operation.wanted, True, 1)
    assert exchanges.asked == [str(operation)] + ["read"] * 5


@pytest.mark.parametrize(("seen", "power"), [(ON, ON), (PENDING, UNKNOWN), (UNLISTED, UNKNOWN)])
def test_an_accepted_command_without_proof_fails_when_the_budget_ends(seen: Any, power: Power) -> None:
    outcome = switch(Scripted([seen]), budget_s=20.0)
    assert (outcome.ok, outcome.reason, outcome.power, outcome.sent, outcome.answered) == (
        False,
        Reason.UNCONFIRMED,
        power,
        True,
        True,
    )
    assert 18.5 <= outcome.duration_s <= 20.0
    assert "after off was accepted" in outcome.msg


def test_the_device_is_polled_quickly_at_first_and_every_second_later() -> None:
    exchanges = Scripted([ON])
    switch(exchanges)
    gaps = [round(later - earlier - 0.1, 6) for earlier, later in pairwise(exchanges.at_s[1:])]
    assert gaps[0] == 0.05
    assert max(gaps[:8]) < 0.2
    assert gaps[-5:] == [1.0] * 5


def test_an_accepted_command_is_never_sent_twice() -> None:
    exchanges = Scripted([ON])
    switch(exchanges)
    assert exchanges.commands == ["off"]


@pytest.mark.parametrize("fault", ["timeout", "unreachable"])
def test_off_is_sent_once_more_after_no_answer(fault: str) -> None:
    exchanges = Scripted([ON, ON, OFF], [fault, None])
    outcome = switch(exchanges)
    assert (outcome.ok, outcome.attempts) == (True, 2)
    assert exchanges.commands == ["off", "off"]


@pytest.mark.parametrize("fault", ["refused", "auth", "not_found", "bad_reply"])
def test_off_is_not_sent_again_after_an_answer(fault: str) -> None:
    exchanges = Scripted([ON], [fault])
    outcome = switch(exchanges)
    assert (outcome.ok, outcome.reason, outcome.power) == (False, Reason(fault), ON)
    assert exchanges.commands == ["off"]


def test_no_command_is_sent_a_third_time() -> None:
    exchanges = Scripted([ON], ["timeout"])
    assert switch(exchanges).reason is Reason.TIMEOUT
    assert exchanges.commands == ["off", "off"]


@pytest.mark.parametrize("fault", ["timeout", "unreachable", "refused", "bad_reply"])
def test_on_is_tried_twice_after_all_that_another_try_may_change(fault: str) -> None:
    exchanges = Scripted([OFF], [fault])
    assert not switch(exchanges, Operation.ON).ok
    assert exchanges.commands == ["on", "on"]


@pytest.mark.parametrize("fault", ["auth", "not_found"])
def test_on_is_tried_once_after_what_no_try_changes(fault: str) -> None:
    exchanges = Scripted([OFF], [fault])
    assert not switch(exchanges, Operation.ON).ok
    assert exchanges.commands == ["on"]


@pytest.mark.parametrize("fault", ["timeout", "unreachable", "refused", "auth", "not_found", "bad_reply"])
def test_a_command_that_was_answered_with_an_error_and_done_all_the_same_is_a_success(fault: str) -> None:
    exchanges = Scripted([OFF], [fault])
    outcome = switch(exchanges)
    assert (outcome.ok, outcome.power) == (True, OFF)
    assert exchanges.asked == ["off", "read"]


@pytest.mark.parametrize(
    ("fault", "sent"),
    [
        ("timeout", True),
        ("refused", True),
        ("bad_reply", True),
        ("unreachable", False),
        ("auth", False),
        ("not_found", False),
        ("busy", False),
    ],
)
def test_sent_says_whether_a_command_may_have_reached_the_device(fault: str, sent: bool) -> None:
    assert switch(Scripted([ON], [fault]), budget_s=3.0).sent is sent


def test_a_busy_device_is_asked_until_it_takes_the_command() -> None:
    exchanges = Scripted([OFF], ["busy"] * 5 + [None])
    outcome = switch(exchanges)
    assert (outcome.ok, outcome.sent, outcome.attempts) == (True, True, 1)


def test_a_device_that_stays_busy_fails_as_busy_with_nothing_sent() -> None:
    outcome = switch(Scripted([ON], ["busy"]), budget_s=5.0)
    assert (outcome.ok, outcome.reason, outcome.sent, outcome.power) == (False, Reason.BUSY, False, ON)
    assert outcome.duration_s <= 5.0


@pytest.mark.parametrize("fault", ["timeout", "busy", "hang"])
def test_a_last_look_that_fails_does_not_hide_what_was_seen_before_it(fault: str) -> None:
    """The device was read on for a while, then did not answer any more: that is told, and the power is unknown."""
    outcome = switch(Scripted([ON, ON, ON, fault]), budget_s=5.0)
    assert (outcome.ok, outcome.power, outcome.reason, outcome.answered) == (False, UNKNOWN, Reason.UNCONFIRMED, False)
    assert "still on" in outcome.msg
    assert "then" in outcome.msg


def test_a_read_that_is_refused_ends_the_polling() -> None:
    outcome = switch(Scripted(["auth"]))
    assert (outcome.ok, outcome.reason, outcome.power, outcome.sent) == (False, Reason.AUTH, UNKNOWN, True)
    assert outcome.duration_s < 1.0


def test_a_command_that_hangs_for_the_whole_budget_is_not_sent_again() -> None:
    exchanges = Scripted([ON], ["hang"])
    outcome = switch(exchanges, budget_s=5.0)
    assert (outcome.reason, outcome.sent) == (Reason.TIMEOUT, True)
    assert exchanges.commands == ["off"]
    assert outcome.duration_s == pytest.approx(5.0)


# -- switching only what is not so already ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "commands"),
    [
        (Outcome(OFF, raw="0"), []),
        (Outcome(ON, raw="1"), ["off"]),
        (Outcome(UNKNOWN, reason=Reason.UNCONFIRMED, raw="pending"), ["off"]),
        (Outcome(UNKNOWN, reason=Reason.TIMEOUT), ["off"]),
        (Outcome(UNKNOWN, reason=Reason.BAD_REPLY, raw="42"), ["off"]),
        (Outcome(UNKNOWN, reason=Reason.AUTH), []),
        (Outcome(UNKNOWN, reason=Reason.NOT_FOUND), []),
    ],
)
def test_only_what_is_not_so_already_and_can_be_spoken_to_gets_a_command(before: Outcome, commands: list[str]) -> None:
    exchanges = Scripted([OFF])
    outcome = perform(ensure_power(exchanges, before, Operation.OFF, 5.0, SimulatedClock()))
    assert exchanges.commands == commands
    assert outcome.ok is (before.power is OFF or bool(commands))


# -- laws ------------------------------------------------------------------------------------------------------------


@st.composite
def devices(draw: st.DrawFn) -> tuple[SimulatedDevice, list[Exchange]]:
    """An outlet with random manners."""
    script = Script(
        reads=tuple(draw(st.lists(st.sampled_from(ReadFault), max_size=10))),
        commands=tuple(draw(st.lists(st.sampled_from(SwitchFault), max_size=3))),
        reads_for_ever=draw(st.booleans()),
        commands_for_ever=draw(st.booleans()),
        latency_s=draw(st.sampled_from((0.1, 0.01, 1.5))),
        lag_s=draw(st.sampled_from((0.2, 0.0, 3.0))),
        overrun_s=draw(st.sampled_from((0.0, 0.5))),
    )
    record: list[Exchange] = []
    dark = frozenset({"psu"} if draw(st.booleans()) else set[str]())
    host = SimulatedHost([["psu"]], Physics(boot_policy=BootPolicy.ON), dark)
    return SimulatedDevice(agent("psu", Kind.SUPPLY), script, host, record), record


@given(devices(), st.sampled_from((Operation.OFF, Operation.ON)), st.sampled_from((0.3, 1.0, 5.0, 20.0)))
def test_a_switch_keeps_its_laws_whatever_the_device_does(
    given_device: tuple[SimulatedDevice, list[Exchange]], operation: Operation, budget_s: float
) -> None:
    device, record = given_device
    outcome = perform(switch_power(device, operation, budget_s, SimulatedClock()))
    reads = [exchange for exchange in record if not exchange.is_command]
    commands = [exchange for exchange in record if exchange.is_command]
    assert outcome.duration_s <= budget_s + 0.5 + 1e-6
    assert outcome.ok <= (reads[-1].said == operation.wanted), "a success is the last reading"
    assert outcome.ok <= (outcome.power is operation.wanted)
    assert outcome.power in (UNKNOWN, Power(reads[-1].said) if reads[-1].said in set(Power) else UNKNOWN)
    assert {command.asked for command in commands} == {str(operation)}
    taken = [command for command in commands if command.said != "busy"]
    assert len(taken) <= 2
    if len(taken) == 2 and operation is Operation.OFF:
        assert taken[0].said in ("timeout", "unreachable")
    assert outcome.sent == any(command.may_have_arrived for command in commands)
    assert (outcome.reason is None) == (outcome.msg == "")


@given(devices(), st.sampled_from((0.3, 1.0, 5.0)))
def test_a_read_keeps_its_laws_whatever_the_device_does(
    given_device: tuple[SimulatedDevice, list[Exchange]], budget_s: float
) -> None:
    device, record = given_device
    outcome = perform(read_power(device, budget_s, SimulatedClock()))
    assert outcome.duration_s <= budget_s + 0.5 + 1e-6
    assert not outcome.sent
    assert [exchange.asked for exchange in record] == ["read"] * outcome.attempts
    assert outcome.power == (record[-1].said if record[-1].said in set(Power) else UNKNOWN)
    assert outcome.ok == (outcome.power is not UNKNOWN)


def test_what_counts_as_nothing_sent_is_no_silence() -> None:
    assert not NOTHING_SENT & {Reason.TIMEOUT, Reason.BAD_REPLY, Reason.REFUSED, Reason.UNCONFIRMED, Reason.CONFLICT}
