# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long things take: agents of a level at once, a silent device for its budget and no longer, a refusal for no time at all.

One run of ansible-playbook switches hosts off that each have a trouble of their own; times are those of timelines and of the rack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from end_to_end.rack_runs import Finished, Lateness, Playbooks, Run, give_pdus, write_inventory

from lab.rack import RunningRack, make_inventory

SLOW_S = 3.0
LATENCY_S = 1.5
SILENCE_S = 3.0
# What a level may be late when the budget of the one before ends.
LATE_S = 1.0


@dataclass(frozen=True)
class Trouble:
    """A host: its inventory variables beside its agents', and the faults of its devices."""

    faults: Mapping[str, tuple[str, Any]]
    levels: list[list[str]] | None = None
    budgets: Mapping[str, Mapping[str, float]] | None = None


HOSTS: Mapping[str, Trouble] = {
    "slow_outlets": Trouble({"psu_a": ("lag", SLOW_S), "psu_b": ("lag", SLOW_S)}, [["psu_a", "psu_b"], ["bmc"]]),
    "slow_outlets_of_one_pdu": Trouble(
        {"psu_a": ("lag", SLOW_S), "psu_b": ("lag", SLOW_S)}, [["psu_a", "psu_b"], ["bmc"]]
    ),
    "slow_to_answer": Trouble(
        {"psu_a": ("latency", LATENCY_S), "psu_b": ("latency", LATENCY_S)}, [["psu_a", "psu_b"], ["bmc"]]
    ),
    "hung": Trouble({"bmc": ("hang", None)}, budgets={"bmc": {"read_timeout": SILENCE_S}}),
    "deaf": Trouble({"bmc": ("ignore", None)}, budgets={"bmc": {"timeout": SILENCE_S}}),
    "dead": Trouble({"bmc": ("dead", None)}),
    "locked_out": Trouble({"bmc": ("wrong_password", None)}),
    "one_refuses": Trouble({"psu_a": ("refuse", None), "psu_b": ("lag", SLOW_S)}, [["psu_a", "psu_b"], ["bmc"]]),
}
# The same again, with a BMC that speaks Redfish.
WITH_REDFISH = ("hung", "deaf", "dead", "locked_out")


def the_inventory(folder: Path) -> dict[str, Any]:
    """The hosts above with a BMC that speaks IPMI, and some of them again with one that speaks Redfish, each with PDUs of its own."""
    names = [*(f"{name}_bmc" for name in HOSTS), *(f"{name}_redfish" for name in WITH_REDFISH)]
    inventory = make_inventory(
        hosts=len(names), pdus=2, shape="bmc+redfish+2psu", state_dir=folder, variables={"fence_witness_timeout": 1.0}
    )
    nodes: dict[str, Any] = dict(zip(names, inventory["all"]["hosts"].values(), strict=True))
    for name, node in nodes.items():
        name, _underscore, kind = name.rpartition("_")
        agents, trouble = node["fence_agents"], HOSTS[name]
        chassis = {each: agents.pop(each) for each in ("bmc", "redfish")}
        agents["bmc"] = chassis[kind]
        node["fence_levels"] = trouble.levels or [["bmc"], ["psu_a", "psu_b"]]
        for agent, budgets in (trouble.budgets or {}).items():
            agents[agent].update(budgets)
    inventory["all"]["hosts"] = nodes
    give_pdus(inventory, hosts_on_a_pair=1)
    on_one_pdu = nodes["slow_outlets_of_one_pdu_bmc"]["fence_agents"]
    on_one_pdu["psu_b"].update(port=on_one_pdu["psu_a"]["port"], outlet=2)
    return inventory


@dataclass(frozen=True)
class Night:
    """The run in which everything was switched off, the rack, and how late the machine was."""

    rack: RunningRack
    run: Run
    late_s: float

    def __getitem__(self, host: str) -> Finished:
        return self.run[host]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("time")
    inventory = the_inventory(folder)
    path = folder / "lab.yml"
    write_inventory(path, inventory)
    with RunningRack(inventory, folder) as rack:
        for host in inventory["all"]["hosts"]:
            trouble = HOSTS[host.rpartition("_")[0]]
            for agent, fault in trouble.faults.items():
                rack.fault(f"{host}.{agent}", *fault)
        with Lateness() as lateness:
            run = Playbooks(folder, path).run({"state": "off"}, forks=20)
        yield Night(rack, run, lateness.worst_s)


ALL = [f"{name}_bmc" for name in HOSTS] + [f"{name}_redfish" for name in WITH_REDFISH]
OF_BOTH_KINDS = ("bmc", "redfish")


@pytest.mark.parametrize("host", ALL)
def test_every_host_was_fenced_by_a_level_and_really_is_off(night: Night, host: str) -> None:
    assert night[host].ok, night[host].story
    assert night[host].result["fenced"]
    assert not night.rack.is_running(host)


@pytest.mark.parametrize("host", ALL)
def test_nothing_takes_longer_than_the_announced_total(night: Night, host: str) -> None:
    result = night[host].result
    assert result["duration"] <= result["timeout"] + 1.0 + night.late_s, night[host].story


@pytest.mark.parametrize("host", ["slow_outlets_bmc", "slow_outlets_of_one_pdu_bmc"])
def test_two_agents_that_take_3_s_each_take_3_s_together(night: Night, host: str) -> None:
    commands = [command.at for command in night.rack.commands(host) if command.action == "off"]
    effects = [at for agent in ("psu_a", "psu_b") for at, on in night.rack.outlet_history(f"{host}.{agent}") if not on]
    assert len(commands) == len(effects) == 2
    assert max(commands) < min(effects), "the second outlet was told to switch off only after the first one had done so"
    sent_s = night[host].first_s("off is sent")
    off_s = max(night[host].first_s("is off after", agent=agent) for agent in ("psu_a", "psu_b"))
    assert SLOW_S <= off_s - sent_s < 2 * SLOW_S - 1.0 + night.late_s, night[host].story


def test_two_devices_that_are_slow_to_answer_are_asked_at_once(night: Night) -> None:
    host = night["slow_to_answer_bmc"]
    for event in ("reads on", "is off after"):
        moments = [host.first_s(event, agent=agent) for agent in ("psu_a", "psu_b")]
        assert max(moments) - min(moments) < LATENCY_S / 2 + night.late_s, host.story


@pytest.mark.parametrize("kind", OF_BOTH_KINDS)
def test_after_a_bmc_that_never_answers_the_next_level_begins_when_its_budget_ends(night: Night, kind: str) -> None:
    host = night[f"hung_{kind}"]
    assert host.result["agents"]["bmc"]["reason"] == "timeout"
    assert host.result["level"] == 2
    assert host.first_s("level 1 failed") <= SILENCE_S + LATE_S + night.late_s, host.story
    assert host.first_s("reads on", agent="psu_a") < host.first_s("level 1 failed") + LATE_S + 2 * night.late_s, (
        host.story
    )


@pytest.mark.parametrize("kind", OF_BOTH_KINDS)
def test_after_a_bmc_that_does_nothing_the_next_level_begins_when_its_budget_ends(night: Night, kind: str) -> None:
    host = night[f"deaf_{kind}"]
    assert host.result["agents"]["bmc"]["reason"] == "unconfirmed"
    sent_s = host.first_s("off is sent", agent="bmc")
    assert host.first_s("level 1 failed") - sent_s <= SILENCE_S + LATE_S + night.late_s, host.story


@pytest.mark.parametrize("kind", OF_BOTH_KINDS)
@pytest.mark.parametrize(("trouble", "reason"), [("locked_out", "auth"), ("dead", "unreachable")])
def test_a_refusal_hands_over_at_once(night: Night, trouble: str, reason: str, kind: str) -> None:
    """The budgets of a read, 10 s and 20 s, have no part in it."""
    host = night[f"{trouble}_{kind}"]
    assert host.result["agents"]["bmc"]["reason"] == reason
    assert host.first_s("level 1 failed") < 3.0 + 2 * night.late_s, host.story


def test_a_level_that_failed_hands_over_while_another_agent_of_it_is_under_way(night: Night) -> None:
    host = night["one_refuses_bmc"]
    assert host.result["level"] == 2
    assert host.result["agents"]["psu_a"]["reason"] == "refused"
    assert host.first_s("off is sent", agent="bmc") < host.first_s("is off after", agent="psu_b"), host.story


def test_what_is_under_way_is_awaited_before_the_task_ends(night: Night) -> None:
    host = night["one_refuses_bmc"]
    off_at = next(at for at, on in night.rack.outlet_history("one_refuses_bmc.psu_b") if not on)
    assert host.at > off_at
    assert host.result["agents"]["psu_b"]["power"] == "off"
