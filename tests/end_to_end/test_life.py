# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of hosts with a Redfish BMC and two outlets on SNMPv3 PDUs: read, off, on, restarted, and what goes wrong with their wiring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from end_to_end.rack_runs import Finished, Playbooks, write_inventory

from lab.rack import RunningRack, make_inventory

# node1 is fenced through its BMC first, the others through their outlets; node5 and node6 have each other's outlets.
HOSTS = 6
VARIABLES = {"fence_hold_off": 0.5, "fence_confirm_interval": 0.2, "fence_witness_timeout": 2, "fence_chassis_wait": 20}
SUPPLIES = ("psu_a", "psu_b")


def the_inventory(folder: Any) -> dict[str, Any]:
    inventory = make_inventory(
        hosts=HOSTS,
        pdus=2,
        shape="redfish+2psu",
        snmp_version="3",
        state_dir=folder,
        variables=VARIABLES,
        rack_defaults={"bmc_boot_s": 0.3},
        # A BMC without power takes as long as this for each look.
        agent_defaults={"redfish": {"read_timeout": 2.5}},
    )
    nodes = inventory["all"]["hosts"]
    for name, node in nodes.items():
        if name != "node1":
            node["fence_levels"] = [list(SUPPLIES), ["redfish"]]
    for wired, named in (("node5", "node6"), ("node6", "node5")):
        outlets = [nodes[named]["fence_agents"][agent] for agent in SUPPLIES]
        nodes[wired]["rack_feeds"] = [f"127.0.0.1:{agent['port']}/{agent['outlet']}" for agent in outlets]
    return inventory


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningRack, Playbooks]]:
    folder = tmp_path_factory.mktemp("life")
    inventory = the_inventory(folder)
    write_inventory(folder / "lab.yml", inventory)
    with RunningRack(inventory, folder) as rack:
        yield rack, Playbooks(folder, folder / "lab.yml")


@pytest.fixture
def rack(running: tuple[RunningRack, Playbooks]) -> RunningRack:
    running[0].reset()
    return running[0]


@pytest.fixture
def playbooks(running: tuple[RunningRack, Playbooks]) -> Playbooks:
    return running[1]


def ran_at(rack: RunningRack, host: str, moment: float) -> bool:
    return [runs for at, _power, runs in rack.history(host) if at <= moment][-1]


def sent(rack: RunningRack, target: str) -> list[str]:
    return [command.action for command in rack.commands(target)]


def powers(finished: Finished) -> dict[str, str]:
    return {name: agent["power"] for name, agent in finished.result["agents"].items()}


def test_read_off_on_and_restarted_do_what_they_say(rack: RunningRack, playbooks: Playbooks) -> None:
    begin = rack.now()
    off, on, restarted = ({"state": state} for state in ("off", "on", "restarted"))
    run = playbooks.run({}, off, off, on, on, restarted, {}, hosts="node1,node2")
    for host, first_level in {"node1": ["redfish"], "node2": list(SUPPLIES)}.items():
        steps = run.steps(host)
        assert all(step.ok for step in steps), "\n".join(step.story for step in steps)
        read, cut, again, _lit, still, anew, last = steps
        assert [step.result["changed"] for step in steps] == [False, True, False, True, False, True, False]
        assert [step.result["power"] for step in steps] == ["on", "off", "off", "on", "on", "on", "on"]
        assert [step.result["fenced"] for step in steps] == [False, True, True, False, False, True, False]
        assert [step.result["level"] for step in steps] == [None, 1, 1, None, None, 1, None]
        assert [ran_at(rack, host, step.at) for step in steps] == [True, False, False, True, True, True, True]
        assert read.result["redundancy"] == last.result["redundancy"] == "full"
        assert [name for name, agent in cut.result["agents"].items() if agent["switched"]] == first_level
        assert not again.events("is sent")
        assert rack.had_all_feeds_off(host, begin) is (first_level != ["redfish"])
        assert rack.was_down(host, still.at, anew.at), "the restart did not stop the host"


def test_a_named_subset_is_a_job_on_devices(rack: RunningRack, playbooks: Playbooks) -> None:
    psu_a = {"agents": ["psu_a"]}
    cut, seen, lit = playbooks.run({"state": "off", **psu_a}, {}, {"state": "on", **psu_a}, hosts="node3").steps(
        "node3"
    )
    assert cut.ok and cut.result["changed"], cut.story
    assert not cut.result["fenced"] and cut.result["level"] is None
    assert powers(cut) == {"redfish": "unknown", "psu_a": "off", "psu_b": "unknown"}
    assert cut.result["agents"]["psu_b"]["ok"] is None
    assert seen.ok and seen.result["power"] == "on", seen.story
    assert seen.result["redundancy"] == "degraded"
    assert any("psu_a" in warning for warning in seen.result["warnings"])
    assert lit.ok and lit.result["changed"], lit.story
    assert sent(rack, "node3.psu_a") == ["off", "on"]
    assert sent(rack, "node3.psu_b") == sent(rack, "node3.redfish") == []
    assert rack.is_running("node3")


def test_all_agents_of_a_level_are_a_job_on_the_host(rack: RunningRack, playbooks: Playbooks) -> None:
    cut = playbooks.run({"state": "off", "agents": list(SUPPLIES)}, hosts="node3")["node3"]
    assert cut.ok and cut.result["fenced"], cut.story
    assert not rack.has_power("node3")


@pytest.mark.parametrize(("on_failure", "commands"), [("restore", ["off", "on"]), ("leave", ["off"])])
def test_a_level_that_failed_is_restored_or_left(
    rack: RunningRack, playbooks: Playbooks, on_failure: str, commands: list[str]
) -> None:
    rack.fault("node3.psu_b", "refuse")
    rack.fault("node3.redfish", "refuse")
    failed = playbooks.run({"state": "off", "on_failure": on_failure}, hosts="node3")["node3"]
    assert not failed.ok and not failed.result["fenced"], failed.story
    assert "NOT fenced" in failed.result["msg"]
    assert failed.result["agents"]["psu_b"]["reason"] == "refused"
    assert sent(rack, "node3.psu_a") == commands
    assert rack.is_on("node3.psu_a") is (on_failure == "restore")
    assert ("now off: psu_a" in failed.result["msg"]) is (on_failure == "leave")
    assert rack.is_running("node3")


def test_outlets_of_another_machine_are_noticed_and_switched_back_on(rack: RunningRack, playbooks: Playbooks) -> None:
    """node5's agents name the outlets that feed node6: node6 falls, node5's BMC says on, and node6 gets its power back."""
    begin = rack.now()
    failed = playbooks.run({"state": "off", "agents": list(SUPPLIES)}, hosts="node5")["node5"]
    assert not failed.ok and not failed.result["fenced"], failed.story
    assert {agent["reason"] for name, agent in failed.result["agents"].items() if name in SUPPLIES} == {"conflict"}
    assert "do not feed this host" in failed.result["msg"]
    assert rack.lost_power("node6", begin)
    assert rack.is_on("node5.psu_a") and rack.is_on("node5.psu_b")
    assert rack.is_running("node6")
    assert not rack.was_down("node5", begin)


def test_a_wiring_error_is_seen_by_a_plain_read(rack: RunningRack, playbooks: Playbooks) -> None:
    for agent in SUPPLIES:
        rack.set_power(f"node5.{agent}", False)
    read = playbooks.run({}, hosts="node5")["node5"]
    assert not read.ok
    assert read.result["power"] == "unknown"
    assert "do not feed this host" in read.result["msg"]
    assert rack.commands() == []


def test_a_feed_that_does_not_come_on_leaves_the_host_on_and_degraded(rack: RunningRack, playbooks: Playbooks) -> None:
    rack.set_power("node4.psu_b", False)
    rack.fault("node4.psu_b", "refuse")
    lit = playbooks.run({"state": "on"}, hosts="node4")["node4"]
    assert lit.ok and lit.result["power"] == "on", lit.story
    assert lit.result["redundancy"] == "degraded"
    assert any("psu_b" in warning for warning in lit.result["warnings"])
    assert lit.result["agents"]["psu_b"]["reason"] == "refused"
