# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restart that is cut short, at every kind of moment and in every way: nothing is switched on any more and nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from end_to_end.rack_runs import (
    Playbooks,
    RunningPlaybook,
    eventually,
    give_pdus,
    marked_processes,
    on_the_racks_clock,
    write_inventory,
)

from lab.rack import RunningRack, make_inventory

# Where each host is when the signal comes, and what keeps it there.
MOMENTS: Mapping[str, Mapping[str, tuple[str, Any]]] = {
    "reading": {"psu_a": ("hang", None)},  # before off: an exchange hangs
    "switching": {"psu_b": ("lag", 60.0)},  # one feed is off, the barrier is not reached
    "holding_off": {},  # all is off, on comes next
    "hung_ipmi": {"bmc": ("hang", None)},
    "hung_pyghmi": {"bmc": ("hang", None)},  # this library runs in a process of its own
    "hung_redfish": {"bmc": ("hang", None)},
}
HOLD_OFF_S = 60.0
# How soon everything has to be over. A log-out that is not answered may take its time.
ENDING_S = 10.0


@dataclass(frozen=True)
class Interrupted:
    """A rack whose hosts are all in the middle of a restart."""

    rack: RunningRack
    playbooks: Playbooks
    program: RunningPlaybook

    def everything_ended(self) -> bool:
        return self.program.ended and not marked_processes(self.playbooks.folder)


def the_inventory(folder: Path) -> dict[str, Any]:
    inventory = make_inventory(
        hosts=len(MOMENTS),
        pdus=2,
        shape="bmc+redfish+2psu",
        state_dir=folder,
        variables={"fence_hold_off": HOLD_OFF_S, "fence_witness_timeout": 0.5, "fence_chassis_wait": 5},
        agent_defaults={"snmp": {"timeout": 70, "read_timeout": 60}, "ipmi": {"read_timeout": 2}},
    )
    nodes = dict(zip(MOMENTS, inventory["all"]["hosts"].values(), strict=True))
    for name, node in nodes.items():
        agents = node["fence_agents"]
        bmc, redfish = agents.pop("bmc"), agents.pop("redfish")
        agents["bmc"] = redfish if name == "hung_redfish" else bmc
        if name == "hung_pyghmi":
            bmc["library"] = "pyghmi"
        hung = name.startswith("hung")
        agents["bmc"].update({"timeout": 70, "read_timeout": 60} if hung else {})
        node["fence_levels"] = [["bmc"], ["psu_a", "psu_b"]] if hung else [["psu_a", "psu_b"], ["bmc"]]
    inventory["all"]["hosts"] = nodes
    give_pdus(inventory, hosts_on_a_pair=1)
    return inventory


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[tuple[RunningRack, Playbooks]]:
    """A rack with all these faults."""
    inventory = the_inventory(tmp_path)
    write_inventory(tmp_path / "lab.yml", inventory)
    with RunningRack(inventory, tmp_path) as rack:
        for host, faults in MOMENTS.items():
            for agent, fault in faults.items():
                rack.fault(f"{host}.{agent}", *fault)
        yield rack, Playbooks(tmp_path, tmp_path / "lab.yml")


@pytest.fixture
def interrupted(broken: tuple[RunningRack, Playbooks], request: pytest.FixtureRequest) -> Iterator[Interrupted]:
    """A restart of all hosts, by one of the actions, that has come as far as it can."""
    rack, playbooks = broken
    action = getattr(request, "param", "fence")
    program = playbooks.start({"state": "restarted", "log": str(playbooks.log)}, forks=len(MOMENTS), action=action)
    try:
        eventually(lambda: all_are_there(rack, playbooks), 60.0, "all hosts are in the middle of their restart")
        yield Interrupted(rack, playbooks, program)
    finally:
        if not program.ended:
            program.kill()


def all_are_there(rack: RunningRack, playbooks: Playbooks) -> bool:
    told = {(line["host"], line["event"]) for line in playbooks.logged()}
    half_off = not rack.is_on("switching.psu_a") and len(rack.commands("switching")) == 2
    holding = any(host == "holding_off" and event.startswith("holding off") for host, event in told)
    asked = all(
        rack.requests(target) > 0
        for target in ("reading.psu_a", "hung_ipmi.bmc", "hung_pyghmi.bmc", "hung_redfish.bmc")
    )
    return half_off and holding and asked


def to_the_program(number: signal.Signals, program: RunningPlaybook) -> None:
    os.kill(program.pid, number)


def to_its_group(number: signal.Signals, program: RunningPlaybook) -> None:
    os.killpg(program.pid, number)


def to_its_workers(number: signal.Signals, program: RunningPlaybook) -> None:
    workers = program.workers()
    assert len(workers) in (1, len(MOMENTS))  # one for all hosts, or one for each
    for worker in workers:
        os.kill(worker, number)


WAYS = {
    "SIGINT": (to_its_group, signal.SIGINT),  # as Ctrl-C does
    "SIGTERM": (to_the_program, signal.SIGTERM),
    "SIGTERM to the workers": (to_its_workers, signal.SIGTERM),
    # What AWX and ansible-runner do to cancel a job. The workers have sessions of their own, and are not hit.
    "SIGKILL": (to_its_group, signal.SIGKILL),
}


@pytest.mark.parametrize(
    ("interrupted", "way"),
    [*(("fence", way) for way in WAYS), ("fence_all", "SIGTERM"), ("fence_all", "SIGKILL")],
    indirect=["interrupted"],
)
def test_a_signal_ends_everything_and_nothing_is_switched_any_more(interrupted: Interrupted, way: str) -> None:
    send, number = WAYS[way]
    rack = interrupted.rack
    before = rack.commands()
    send(number, interrupted.program)
    eventually(interrupted.everything_ended, ENDING_S, "all processes have ended")
    assert rack.commands() == before
    stories = {
        host: [line["event"] for line in interrupted.playbooks.logged() if line["host"] == host] for host in MOMENTS
    }
    for host, story in stories.items():
        assert any(event.startswith("interrupted: no further command is sent") for event in story), f"{host}: {story}"
    if number is signal.SIGKILL:
        the_same_task_again_brings_all_hosts_on(interrupted)


def the_same_task_again_brings_all_hosts_on(interrupted: Interrupted) -> None:
    rack = interrupted.rack
    assert not rack.has_power("holding_off")
    rack.clear()
    begin = rack.now()
    run = interrupted.playbooks.run({"state": "restarted", "hold_off": 0.1}, forks=len(MOMENTS))
    for host in MOMENTS:
        assert run[host].ok, run[host].story
        assert run[host].result["fenced"], run[host].story
        assert rack.is_running(host)
        assert rack.is_on(f"{host}.psu_a") and rack.is_on(f"{host}.psu_b"), run[host].story
    assert rack.was_down("switching", begin)


def test_a_killed_worker_leaves_nothing_behind_either(interrupted: Interrupted) -> None:
    before = interrupted.rack.commands()
    to_its_workers(signal.SIGKILL, interrupted.program)
    eventually(interrupted.everything_ended, ENDING_S + 10.0, "all processes have ended")
    assert interrupted.rack.commands() == before


@pytest.mark.parametrize("state", ["off", "on"])
def test_a_command_that_is_being_prepared_is_not_sent_after_the_interruption(tmp_path: Path, state: str) -> None:
    """The driver looks at the outlet before it switches it, and these PDUs take two seconds to show it."""
    inventory = make_inventory(hosts=1, pdus=2, shape="2psu")
    write_inventory(tmp_path / "lab.yml", inventory)
    playbooks = Playbooks(tmp_path, tmp_path / "lab.yml")
    with RunningRack(inventory) as rack:
        for agent in ("psu_a", "psu_b"):
            rack.fault(f"node1.{agent}", "latency", 2.0)
            rack.set_power(f"node1.{agent}", state == "off")
        program = playbooks.start({"state": state, "log": str(playbooks.log)})
        sent = f"{state} is sent"
        eventually(lambda: [line for line in playbooks.logged() if line["event"] == sent], 60.0, sent)
        os.kill(program.pid, signal.SIGTERM)
        eventually(lambda: program.ended and not marked_processes(tmp_path), ENDING_S, "all processes have ended")
        noticed = next(line["time"] for line in playbooks.logged() if line["event"].startswith("interrupted"))
        assert [command for command in rack.commands() if command.at > on_the_racks_clock(noticed)] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_module_of_somebody_else_ends_with_the_task(tmp_path: Path, number: signal.Signals) -> None:
    """It is a process in a session of its own."""
    agent = {
        "type": "acme.dc.busbar_power",
        "address": str(tmp_path),
        "tap": 1,
        "behave": "hangs",
        "read_timeout": 60,
        "timeout": 60,
    }
    write_inventory(tmp_path / "lab.yml", {"all": {"hosts": {"node1": {"fence_agents": {"bar": agent}}}}})
    program = Playbooks(tmp_path, tmp_path / "lab.yml").start({"state": "restarted"})
    eventually((tmp_path / "tap1.log").exists, 60.0, "the module runs")
    os.killpg(program.pid, number)
    eventually(lambda: program.ended and not marked_processes(tmp_path), ENDING_S, "all processes have ended")


def test_the_timeout_of_the_task_still_gives_the_whole_result(broken: tuple[RunningRack, Playbooks]) -> None:
    timeout_s = 6
    rack, playbooks = broken
    run = playbooks.run({"state": "restarted"}, forks=len(MOMENTS), keywords={"timeout": timeout_s})
    requests = {key: rack.requests(key) for key in rack.devices}
    for host in MOMENTS:
        finished = run[host]
        assert not finished.ok
        assert "Timed out" not in finished.result["msg"]
        assert finished.result["timeout"] <= timeout_s - 1
        assert finished.result["duration"] < timeout_s, finished.story
        assert finished.result["timeline"] and set(finished.result["agents"]) == {"bmc", "psu_a", "psu_b"}
    assert not [command for command in rack.commands() if command.action == "on"]
    assert not any(run[host].result["fenced"] for host in MOMENTS if host != "holding_off")
    assert not marked_processes(playbooks.folder)
    time.sleep(0.5)
    assert requests == {key: rack.requests(key) for key in rack.devices}, "somebody still speaks to the devices"
