# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All hosts of a play in one task: the same verdicts as one by one, each host's own in the end, and devices that are spoken to once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from end_to_end.programs import Done, Programs, fence

from lab.rack import RunningRack, make_inventory

QUICK = {"fence_confirm_interval": 0.1, "fence_hold_off": 0.3, "fence_witness_timeout": 1}
HOSTS = 12


def fence_all(state: str | None = None, **options: Any) -> dict[str, Any]:
    """The task, and what the role adds to it."""
    given = {**({"state": state} if state is not None else {}), **options}
    return {
        "name": "Fence all",
        "hostpm.fencing.fence_all": given,
        "run_once": True,
        "register": "fence_run",
        "failed_when": False,
    }


VERDICT = {"name": "Verdict", "hostpm.fencing.fence_result": {"of": "fence_run"}, "register": "fence_result"}
SPOKEN_OF = "{{ inventory_hostname }} {{ fence_result.power }} {{ fence_result.fenced }}"
SPOKEN = {"name": "After it", "ansible.builtin.debug": {"msg": SPOKEN_OF}}


@pytest.fixture(scope="module")
def rack() -> Iterator[RunningRack]:
    inventory = make_inventory(hosts=HOSTS, pdus=2, shape="bmc+2psu", variables=QUICK)
    # Twelve outlets on the first PDU, twelve on the second.
    with RunningRack(inventory) as running:
        running.inventory = inventory  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def programs(rack: RunningRack, tmp_path: Path) -> Programs:
    rack.reset()
    return Programs(tmp_path, rack.inventory)  # type: ignore[attr-defined]


def pdu_requests(rack: RunningRack) -> list[int]:
    return [device.server.requests for device in rack.devices.values() if device.type == "snmp"]


def own(done: Done, host: str) -> dict[str, Any]:
    """The result of a host in that of the task for all."""
    return done.results[0][1]["hosts"][host]  # type: ignore[no-any-return]


# What may differ between two runs of the same thing.
TIMES = ("duration", "timeline", "timeout")


def settled(result: dict[str, Any]) -> dict[str, Any]:
    agents = {
        name: {key: value for key, value in agent.items() if key not in ("duration", "attempts")}
        for name, agent in result["agents"].items()
    }
    ignored = (*TIMES, "agents", "failed", "failed_when_result", "_ansible_no_log", "warnings")
    return {**{key: value for key, value in result.items() if key not in ignored}, "agents": agents}


@pytest.mark.parametrize("state", [None, "off", "restarted"])
def test_each_host_gets_the_result_that_a_task_of_its_own_would_give_it(
    state: str | None, rack: RunningRack, programs: Programs
) -> None:
    rack.fault("node3.bmc", "refuse")
    together = programs.play([fence_all(state), VERDICT])
    rack.reset()
    rack.fault("node3.bmc", "refuse")
    apart = programs.play([fence(state)], "--forks", str(HOSTS))
    for host in ("node1", "node2", "node3"):
        assert settled(own(together, host)) == settled(apart.of(host))
        assert settled(own(together, host)) == settled(together.of(host, 1 if host == "node1" else 0))


def test_a_restart_of_all_is_proven_for_each_by_the_rack(rack: RunningRack, programs: Programs) -> None:
    begin = rack.now()
    done = programs.play([fence_all("restarted", agents=["psu_a", "psu_b"]), VERDICT, SPOKEN])
    for number in range(1, HOSTS + 1):
        host = f"node{number}"
        result = own(done, host)
        assert (result["fenced"], result["power"], result["level"]) == (True, "on", 2), result
        assert rack.had_all_feeds_off(host, begin)
        assert rack.is_running(host)
        assert f"{host} on True" in done.stdout
    assert done.results[0][1]["summary"] == {
        "hosts": HOSTS,
        "failed": 0,
        "fenced": HOSTS,
        "on": HOSTS,
        "off": 0,
        "unknown": 0,
    }


def test_the_outlets_of_a_pdu_are_read_together(rack: RunningRack, programs: Programs) -> None:
    before = pdu_requests(rack)
    done = programs.play([fence_all()])
    assert {own(done, f"node{number}")["redundancy"] for number in range(1, HOSTS + 1)} == {"full"}
    after = pdu_requests(rack)
    assert all(later - earlier <= 3 for earlier, later in zip(before, after, strict=True)), (before, after)


def test_a_host_that_failed_is_failed_and_the_others_are_not(rack: RunningRack, programs: Programs) -> None:
    for agent in ("bmc", "psu_a", "psu_b"):
        rack.fault(f"node4.{agent}", "ignore")
    short = {"timeout": 2}
    defaults = rack.inventory["all"]["vars"]["fence_agent_defaults"]  # type: ignore[attr-defined]
    quick = json.dumps({"fence_agent_defaults": {name: {**given, **short} for name, given in defaults.items()}})
    done = programs.play([fence_all("off"), VERDICT, SPOKEN], "-e", quick)
    assert done.returncode == 2
    assert done.results[0][1]["failed_hosts"] == ["node4"]
    verdict = done.of("node4")
    assert (verdict["failed"], verdict["fenced"]) == (True, False)
    assert "node4:" in verdict["msg"] and "The host is NOT fenced" in verdict["msg"]
    assert "node4 " not in done.stdout.split("TASK [After it]")[1].split("PLAY RECAP")[0]
    assert "node5 off True" in done.stdout
    assert rack.is_running("node4") and not rack.is_running("node5")


def test_without_a_task_for_the_verdicts_a_failed_host_fails_the_task(rack: RunningRack, programs: Programs) -> None:
    bare = {key: value for key, value in fence_all("off", agents=["nobody"]).items() if key != "failed_when"}
    done = programs.play([bare, SPOKEN])
    assert done.returncode == 2
    message = done.results[0][1]["msg"]
    assert message.startswith(f"{HOSTS} of {HOSTS} hosts failed: node1, ") and "and 7 more" in message
    assert "After it" not in done.stdout


def test_a_mistake_in_the_variables_of_one_host_fails_this_host_only(rack: RunningRack, programs: Programs) -> None:
    inventory = json.loads(json.dumps(rack.inventory))  # type: ignore[attr-defined]
    inventory["all"]["hosts"]["node2"]["fence_levels"] = [["bmc"], ["psu_a", "psu_c"]]
    programs.write_inventory(inventory)
    begin = len(rack.commands())
    done = programs.play([fence_all("off")])
    assert "node2: fence_levels: level 2 names the agent 'psu_c'" in own(done, "node2")["msg"]
    assert own(done, "node2")["fenced"] is False and own(done, "node1")["fenced"] is True
    assert not [command for command in rack.commands()[begin:] if command.device.startswith("node2")]
    assert rack.is_running("node2") and not rack.is_running("node1")


def test_further_hosts_are_left_alone_after_so_many_failures(rack: RunningRack, programs: Programs) -> None:
    inventory = json.loads(json.dumps(rack.inventory))  # type: ignore[attr-defined]
    for host in ("node1", "node2"):
        inventory["all"]["hosts"][host]["fence_agents"]["bmc"]["port"] = 0
    programs.write_inventory(inventory)
    done = programs.play([fence_all("off", at_once=1, stop_after_failures=2), VERDICT])
    assert done.results[0][1]["summary"]["failed"] == HOSTS
    assert "nothing was asked or sent: 2 hosts had failed before its turn came" in own(done, "node3")["msg"]
    assert all(rack.is_running(f"node{number}") for number in range(1, HOSTS + 1))


def test_only_so_many_outlets_of_a_pdu_come_on_together(rack: RunningRack, programs: Programs) -> None:
    assert programs.play([fence_all("off", agents=["psu_a", "psu_b"])]).results[0][1]["summary"]["failed"] == 0
    begin = rack.now()
    done = programs.play([fence_all("on", agents=["psu_a", "psu_b"], max_on_per_pdu=4, stagger=0.4)])
    assert done.results[0][1]["summary"]["on"] == HOSTS
    for psu in ("psu_a", "psu_b"):
        came = sorted(
            command.at
            for number in range(1, HOSTS + 1)
            for command in rack.commands(f"node{number}.{psu}")
            if command.at > begin
        )
        assert len(came) == HOSTS
        for fifth, first in zip(came[4:], came, strict=False):
            assert fifth - first >= 0.4


def test_named_hosts_are_worked_on_whatever_the_play_is(rack: RunningRack, programs: Programs) -> None:
    done = programs.play([fence_all("off", hosts=["node7", "node9"])], hosts="localhost")
    assert sorted(done.results[0][1]["hosts"]) == ["node7", "node9"]
    assert [rack.is_running(f"node{number}") for number in (7, 8, 9)] == [False, True, False]
    done = programs.play([fence_all("off", hosts=["node7", "node99"])], hosts="localhost")
    assert "option hosts: the inventory has no host 'node99'" in done.results[0][1]["msg"]


def test_the_strategies_that_do_not_wait_refuse_it(rack: RunningRack, programs: Programs) -> None:
    done = programs.play([fence_all("off")], strategy="free")
    assert done.returncode != 0 and "fence_all" in done.stdout + done.stderr
    assert all(rack.is_running(f"node{number}") for number in range(1, HOSTS + 1))


def test_check_mode_and_diff_predict_for_each_host(rack: RunningRack, programs: Programs) -> None:
    done = programs.play([fence_all("off"), VERDICT], "--check", "--diff")
    assert all(rack.is_running(f"node{number}") for number in range(1, HOSTS + 1))
    assert (own(done, "node1")["changed"], own(done, "node1")["fenced"]) == (True, False)
    assert own(done, "node2")["diff"]["before"]["bmc"] == "on" and own(done, "node2")["diff"]["after"]["bmc"] == "off"


def test_variables_of_the_play_and_of_the_task_count_as_they_do_for_one_host(
    rack: RunningRack, programs: Programs
) -> None:
    """Precedence is Ansible's: the task over the play over the host."""
    only_bmc = {"bmc": rack.inventory["all"]["hosts"]["node1"]["fence_agents"]["bmc"]}  # type: ignore[attr-defined]
    levels = f"{{{{ [['bmc']] if ansible_play_hosts | length == {HOSTS} else [] }}}}"
    task = {**fence_all(hosts=["node1"]), "vars": {"fence_agents": only_bmc, "fence_levels": levels}}
    done = programs.play([task], vars={"fence_levels": [["nobody"]]})
    assert list(own(done, "node1")["agents"]) == ["bmc"]


def test_the_playbook_fails_the_hosts_that_failed_and_no_others(rack: RunningRack, programs: Programs) -> None:
    inventory = json.loads(json.dumps(rack.inventory))  # type: ignore[attr-defined]
    inventory["all"]["hosts"]["node5"]["fence_agents"]["bmc"]["port"] = 0
    programs.write_inventory(inventory)
    done = programs.playbook("hostpm.fencing.fence_all", "-e", "target=all", "-e", "fence_state=restarted")
    assert done.returncode == 2
    recap = dict(
        line.split(" : ", 1)
        for line in map(" ".join, map(str.split, done.stdout.split("PLAY RECAP")[1].splitlines()))
        if " : " in line
    )
    assert "failed=1" in recap["node5"] and "failed=0" in recap["node1"] and len(recap) == 2
    assert "<node2> node2: is on, was proven off by level 1" in done.stdout
    assert "node5: agent bmc: port: must be from 1 to 65535" in done.stdout


def test_the_role_leaves_each_host_its_result(rack: RunningRack, programs: Programs) -> None:
    role = {
        "name": "Role",
        "ansible.builtin.include_role": {"name": "hostpm.fencing.fence_all"},
        "vars": {"fence_state": "off"},
    }
    spoken = {
        "name": "After it",
        "ansible.builtin.debug": {"msg": SPOKEN_OF.replace("fence_result", "fence_all_result")},
    }
    done = programs.play([role, spoken])
    assert done.returncode == 0
    assert all(f"node{number} off True" in done.stdout for number in range(1, HOSTS + 1))


def test_a_result_that_is_not_there_is_no_verdict(rack: RunningRack, programs: Programs) -> None:
    missing = programs.play([VERDICT]).of("node1")
    assert missing["failed"] and "there is no variable 'fence_run' with a result" in missing["msg"]
    other = programs.play([fence_all("off", hosts=["node1"]), VERDICT]).of("node2")
    assert other["failed"] and other["fenced"] is False and "is not about this host" in other["msg"]


def test_a_task_that_runs_out_of_time_tells_of_each_host_what_became_of_it(
    rack: RunningRack, programs: Programs
) -> None:
    """The keyword timeout caps all hosts together, those that wait for their turn too."""
    began = time.monotonic()
    restart = fence_all("restarted", agents=["psu_a", "psu_b"], at_once=2, hold_off=2)
    done = programs.play([{**restart, "timeout": 9}])
    assert time.monotonic() - began < 30
    results = done.results[0][1]["hosts"]
    assert results["node1"]["fenced"] and rack.is_running("node1")
    assert "left no time for it" in results[f"node{HOSTS}"]["msg"] and rack.is_running(f"node{HOSTS}")
    for number in range(1, HOSTS + 1):
        if not results[f"node{number}"].get("failed"):
            assert rack.is_running(f"node{number}")
