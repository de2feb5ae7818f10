# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From readings to words: the table of a host's power in every combination, redundancy, and an agent's fate."""

from __future__ import annotations

from itertools import product

import pytest
from unit.plugins.plugin_utils.simulation import agent, host_of

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind, Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation, Outcome
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import State
from ansible_collections.hostpm.fencing.plugins.plugin_utils._verdict import Event, Fate, Verdict, combine, redundancy

ON, OFF, UNKNOWN = Power.ON, Power.OFF, Power.UNKNOWN
# An answer, an answer that is not off, or None: not asked, or an error.
ANSWERS = (ON, OFF, UNKNOWN, None)

SHAPES = [
    [["bmc"]],
    [["bmc_1", "bmc_2"]],
    [["bmc_1"], ["bmc_2"]],
    [["psu_a"]],
    [["psu_a", "psu_b"]],
    [["psu_a"], ["psu_b"]],
    [["bmc"], ["psu_a"]],
    [["bmc"], ["psu_a", "psu_b"]],
    [["psu_a", "psu_b"], ["bmc"]],
    [["psu_a"], ["psu_b"], ["bmc"]],
    [["bmc_1", "bmc_2"], ["psu_a", "psu_b"]],
    [["psu_a", "psu_b"], ["psu_c"]],
    [["bmc"], ["psu_a", "psu_b"], ["psu_c"]],
]


def power_by_the_table(levels: list[list[str]], said: dict[str, Power | None]) -> tuple[Power, bool, bool]:
    """The table of DESIGN 4.1 once more, row by row: the power, whether it is a conflict, whether a warning comes with it."""
    chassis = [said[name] for names in levels for name in names if name.startswith("bmc")]
    supplies = [said[name] for names in levels for name in names if name.startswith("psu")]
    rows_dark = [all(said[name] == "off" for name in names) for names in levels if names[0].startswith("psu")]
    all_off_and_none_on = any(rows_dark) and "on" not in supplies
    if "on" in chassis:
        if not supplies or "on" in supplies or None in supplies or "unknown" in supplies:
            return ON, False, False
        return UNKNOWN, True, True
    if "off" in chassis and "unknown" not in chassis:
        return OFF, False, False
    if set(chassis) <= {None}:
        if all_off_and_none_on:
            return OFF, False, False
        if "on" in supplies:
            return ON, False, True
    return UNKNOWN, False, False


@pytest.mark.parametrize("levels", SHAPES, ids=str)
def test_the_power_of_a_host_is_what_the_table_says_for_every_combination_of_answers(levels: list[list[str]]) -> None:
    host = host_of(*levels)
    names = [agent.name for agent in host.agents]
    for answers in product(ANSWERS, repeat=len(names)):
        said = dict(zip(names, answers, strict=True))
        power, conflict, warned = power_by_the_table(levels, said)
        combined = combine(host.levels, said)
        assert combined.power is power, said
        assert (combined.reason is Reason.CONFLICT) is conflict, said
        assert bool(combined.warning) is warned, said
        assert (combined.reason is None) is (power is not UNKNOWN), said


@pytest.mark.parametrize("levels", SHAPES, ids=str)
def test_no_combination_without_an_off_makes_off(levels: list[list[str]]) -> None:
    host = host_of(*levels)
    names = [agent.name for agent in host.agents]
    for answers in product((ON, UNKNOWN, None), repeat=len(names)):
        assert combine(host.levels, dict(zip(names, answers, strict=True))).power is not OFF


def test_an_agent_that_nobody_asked_is_no_answer() -> None:
    assert combine(host_of(["bmc"], ["psu_a"]).levels, {}).power is UNKNOWN


# -- redundancy ------------------------------------------------------------------------------------------------------


def feed(name: str, answer: Power | None, asked: bool = True) -> Fate:
    fate = Fate(agent(name, Kind.SUPPLY), level=1)
    if asked:
        reason = None if answer in (ON, OFF) else Reason.TIMEOUT
        fate.record(
            Operation.READ, Outcome(answer or UNKNOWN, raw="" if answer is None else "raw", reason=reason, msg="no")
        )
    return fate


@pytest.mark.parametrize(
    ("answers", "expected", "missing"),
    [
        ([], "none", []),
        ([ON], "none", []),
        ([None], "none", []),
        ([ON, ON], "full", []),
        ([OFF, OFF], "full", []),
        ([ON, OFF], "degraded", ["psu_1"]),
        ([OFF, ON], "degraded", ["psu_0"]),
        ([ON, None], "degraded", ["psu_1"]),
        ([OFF, None], "degraded", ["psu_1"]),
        ([ON, UNKNOWN], "degraded", ["psu_1"]),
        ([None, None], "degraded", ["psu_0", "psu_1"]),
        ([ON, ON, OFF], "degraded", ["psu_2"]),
        ([ON, None, OFF], "degraded", ["psu_1", "psu_2"]),
    ],
)
def test_redundancy_is_full_only_if_all_feeds_answer_and_agree(
    answers: list[Power | None], expected: str, missing: list[str]
) -> None:
    feeds = [feed(f"psu_{number}", answer) for number, answer in enumerate(answers)]
    assert redundancy(feeds) == (expected, missing)


def test_redundancy_is_not_judged_by_feeds_that_nobody_asked() -> None:
    assert redundancy([feed("psu_a", None, asked=False), feed("psu_b", None, asked=False)]) == (None, [])
    assert redundancy([feed("psu_a", OFF), feed("psu_b", None, asked=False)]) == (None, [])


def test_a_feed_that_was_asked_and_failed_degrades_even_if_another_was_not_asked() -> None:
    assert redundancy([feed("psu_a", None), feed("psu_b", None, asked=False)]) == ("degraded", ["psu_a"])


# -- fates -----------------------------------------------------------------------------------------------------------

READS_ON = Outcome(ON, raw="1", attempts=1, duration_s=0.5)
READS_OFF = Outcome(OFF, raw="0", attempts=1, duration_s=0.25)
SILENT = Outcome(UNKNOWN, attempts=2, reason=Reason.TIMEOUT, msg="no answer")
SWITCHED_OFF = Outcome(OFF, sent=True, raw="0", attempts=1)
SWITCHED_ON = Outcome(ON, sent=True, raw="1", attempts=1)
REFUSED = Outcome(ON, sent=True, raw="1", attempts=1, reason=Reason.REFUSED, msg="it said no")


def fate() -> Fate:
    return Fate(agent("bmc", Kind.CHASSIS), level=1)


def test_an_agent_that_was_not_asked_is_listed_as_such() -> None:
    assert fate().as_result() == {
        "level": 1, "kind": "chassis", "power_before": "unknown", "power": "unknown", "switched": False, "ok": None,
        "reason": None, "msg": "", "attempts": 0, "duration": 0.0,
    }  # fmt: skip


def test_a_fate_keeps_the_power_of_the_first_read_and_adds_up_the_rest() -> None:
    bmc = fate()
    for operation, outcome in [(Operation.READ, READS_ON), (Operation.OFF, SWITCHED_OFF), (Operation.READ, READS_OFF)]:
        bmc.record(operation, outcome)
    result = bmc.as_result()
    assert (result["power_before"], result["power"], result["switched"], result["ok"]) == ("on", "off", True, True)
    assert (result["attempts"], result["duration"]) == (3, 0.75)


def test_the_first_failure_stays_whatever_is_read_later() -> None:
    bmc = fate()
    bmc.record(Operation.READ, SILENT)
    bmc.record(Operation.READ, READS_OFF)
    bmc.look(READS_OFF)
    bmc.fail(Reason.CONFLICT, "another story")
    assert (bmc.ok, bmc.reason, bmc.msg, bmc.power) == (False, Reason.TIMEOUT, "no answer", OFF)


def test_a_command_that_was_proven_makes_good_for_the_read_before_it() -> None:
    bmc = fate()
    bmc.record(Operation.READ, SILENT)
    bmc.record(Operation.OFF, SWITCHED_OFF)
    assert (bmc.ok, bmc.reason, bmc.msg) == (True, None, "")


def test_why_a_level_was_lost_stays_even_if_the_agent_is_switched_on_later() -> None:
    bmc = fate()
    bmc.record(Operation.READ, READS_ON)
    bmc.record(Operation.OFF, REFUSED)
    bmc.level_lost = True
    bmc.record(Operation.ON, SWITCHED_ON)
    assert (bmc.ok, bmc.reason, bmc.msg, bmc.power) == (False, Reason.REFUSED, "it said no", ON)


def test_a_witness_that_is_silent_is_not_a_failed_agent() -> None:
    bmc = fate()
    bmc.look(SILENT)
    assert (bmc.ok, bmc.reason, bmc.answer) == (None, None, None)


def test_an_answer_of_unknown_is_an_answer_and_an_error_is_none() -> None:
    bmc = fate()
    bmc.record(Operation.READ, Outcome(UNKNOWN, raw="pending", reason=Reason.UNCONFIRMED, msg="pending"))
    assert bmc.answer is UNKNOWN
    bmc.record(Operation.READ, SILENT)
    assert bmc.answer is None


def test_an_outlet_is_cut_by_this_task_only_if_a_command_was_sent_and_until_it_is_on_again() -> None:
    bmc = fate()
    bmc.record(Operation.OFF, Outcome(OFF, sent=False, reason=Reason.AUTH, msg="no"))
    assert not bmc.cut
    bmc.record(Operation.OFF, SWITCHED_OFF)
    assert bmc.cut
    bmc.record(Operation.READ, READS_OFF)
    assert bmc.cut
    bmc.record(Operation.ON, SWITCHED_ON)
    assert not bmc.cut


# -- the result ------------------------------------------------------------------------------------------------------


def test_the_result_has_the_keys_of_the_contract_and_no_others() -> None:
    host = host_of(["bmc"], ["psu_a", "psu_b"])
    fates = {agent.name: Fate(agent, level.number) for level in host.levels for agent in level.agents}
    verdict = Verdict(
        host, State.OFF, OFF, fates, fenced=True, level=1, changed=True, total_s=30.0004, duration_s=1.23456
    )
    verdict.timeline.append(Event(0.12345, "bmc", "reads off", OFF))
    result = verdict.as_result()
    assert set(result) == {
        "changed", "state", "power", "fenced", "level", "redundancy", "timeout", "duration", "warnings", "agents", "timeline",
    }  # fmt: skip
    assert result["timeline"] == [{"at": 0.123, "agent": "bmc", "event": "reads off", "power": "off"}]
    assert (result["timeout"], result["duration"], result["state"]) == (30.0, 1.235, "off")
    assert {type(value) for value in (result["state"], result["power"], result["timeline"][0]["power"])} == {str}


def test_a_degraded_redundancy_is_warned_about_by_name() -> None:
    host = host_of(["psu_a", "psu_b"])
    verdict = Verdict(host, State.READ, ON, {"psu_a": feed("psu_a", ON), "psu_b": feed("psu_b", OFF)})
    result = verdict.as_result()
    assert result["redundancy"] == "degraded"
    assert "psu_b" in result["warnings"][0]
    assert "psu_a" not in result["warnings"][0]
