# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task as a part of Ansible: check mode, diff, defaults, variables, registered results, dead hosts, the role, the playbooks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from end_to_end.programs import Programs, fence

from lab.rack import RunningRack, make_inventory

# How quickly a proof is made in these tests (seconds).
QUICK = {"fence_confirm_interval": 0.05, "fence_hold_off": 0.1, "fence_witness_timeout": 2}
QUICK_OPTIONS = "confirm_interval=0.05 hold_off=0.1 witness_timeout=2"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[RunningRack, dict[str, Any]]]:
    inventory = make_inventory(hosts=3, shape="bmc+2psu")
    with RunningRack(inventory) as rack:
        yield rack, inventory


@pytest.fixture
def rack(running: tuple[RunningRack, dict[str, Any]]) -> RunningRack:
    rack = running[0]
    rack.reset()
    return rack


@pytest.fixture
def inventory(running: tuple[RunningRack, dict[str, Any]]) -> dict[str, Any]:
    """A copy to be changed at will; proofs are quick."""
    inventory = json.loads(json.dumps(running[1]))
    inventory["all"]["vars"].update(QUICK)
    return dict(inventory)


@pytest.fixture
def programs(tmp_path: Path, inventory: dict[str, Any]) -> Programs:
    return Programs(tmp_path / "run", inventory)


def variables(inventory: dict[str, Any], host: str) -> dict[str, Any]:
    return dict(inventory["all"]["hosts"])[host]


# -- check mode and diff -------------------------------------------------------------------------------------------------


def test_check_mode_sends_nothing_and_predicts_what_would_be_sent(rack: RunningRack, programs: Programs) -> None:
    rack.set_power("node2", False)
    tasks = [fence(), fence("off"), fence("on"), fence("restarted")]
    done = programs.play(tasks, "--check", "--diff", "--limit", "node1,node2")
    predicted = {host: [done.of(host, number)["changed"] for number in range(4)] for host in ("node1", "node2")}
    assert predicted == {"node1": [False, True, False, True], "node2": [False, False, True, True]}
    assert [done.of("node1", number)["power"] for number in range(4)] == ["on"] * 4
    assert [done.of("node2", number)["power"] for number in range(4)] == ["off"] * 4
    assert not any(done.of(host, number)["fenced"] for host in ("node1", "node2") for number in range(4))
    assert rack.commands() == []


def test_check_mode_reads_what_it_can_and_warns_of_the_rest(rack: RunningRack, programs: Programs) -> None:
    rack.fault("node1.bmc", "dead")
    result = programs.ad_hoc("node1", "state=off", "--check").of("node1")
    assert (result["failed"], result["changed"]) == (False, True)
    assert result["agents"]["bmc"]["reason"] == "unreachable"
    assert rack.commands() == []


def test_diff_shows_the_power_of_each_agent_before_and_after(rack: RunningRack, programs: Programs) -> None:
    done = programs.ad_hoc("node1", "state=off", "--diff")
    assert done.of("node1")["diff"] == {"before": {"bmc": "on"}, "after": {"bmc": "off"}}
    assert re.search(r'^-\s+"bmc": "on"$', done.stdout, re.M) and re.search(r'^\+\s+"bmc": "off"$', done.stdout, re.M)


# -- where options come from -------------------------------------------------------------------------------------------


def test_off_needs_no_quotes_in_a_playbook_ad_hoc_and_in_module_defaults(rack: RunningRack, programs: Programs) -> None:
    playbook = programs.folder / "unquoted.yml"
    playbook.write_text("""
- hosts: node1
  gather_facts: false
  tasks:
    - hostpm.fencing.fence:
        state: off
    - hostpm.fencing.fence:
        state: on
- hosts: node1
  gather_facts: false
  module_defaults:
    hostpm.fencing.fence:
      state: off
  tasks:
    - hostpm.fencing.fence:
""")
    done = programs.playbook(str(playbook))
    assert [done.of("node1", number)["state"] for number in range(3)] == ["off", "on", "off"]
    assert [done.of("node1", number)["power"] for number in range(3)] == ["off", "on", "off"]
    assert programs.ad_hoc("node2", "state=off").of("node2")["power"] == "off"
    assert not rack.is_running("node1") and not rack.is_running("node2")


def test_an_option_wins_over_defaults_of_its_group_and_these_over_host_variables(
    rack: RunningRack, inventory: dict[str, Any], programs: Programs
) -> None:
    variables(inventory, "node1").update(
        fence_timeout=31, fence_confirm_reads=4, fence_log=str(programs.folder / "log")
    )
    programs.write_inventory(inventory)
    tasks = [
        fence("off"),
        fence("on", task={"module_defaults": {"group/hostpm.fencing.power": {"timeout": 32}}}),
        fence(
            "off",
            timeout=33,
            confirm_reads=1,
            task={"module_defaults": {"group/hostpm.fencing.power": {"timeout": 32}}},
        ),
    ]
    done = programs.play(tasks, hosts="node1")
    assert [done.of("node1", number)["timeout"] for number in range(3)] == [31, 32, 33]
    barriers = [
        event["event"]
        for number in (0, 2)
        for event in done.of("node1", number)["timeline"]
        if "barrier" in event["event"]
    ]
    assert barriers == ["barrier: bmc read off in one sweep, 4 times", "barrier: bmc read off in one sweep, 1 times"]


def test_agents_may_be_defined_by_the_variables_of_the_task(
    rack: RunningRack, inventory: dict[str, Any], programs: Programs
) -> None:
    agents = variables(inventory, "node1")["fence_agents"]
    task = fence("off", task={"vars": {"fence_agents": {"only": agents["bmc"]}, "fence_levels": [["only"]]}})
    assert list(programs.play([task], hosts="node3").of("node3")["agents"]) == ["only"]
    assert not rack.is_running("node1") and rack.is_running("node3")


# -- what comes back ---------------------------------------------------------------------------------------------------


def test_a_result_decides_what_comes_next(rack: RunningRack, programs: Programs) -> None:
    """Only where the host was proven off does the workload start elsewhere."""
    rack.fault("node2.bmc", "ignore")
    rack.fault("node2.psu_a", "refuse")
    tasks = [
        fence("off", timeout=6, task={"register": "fencing", "ignore_errors": True}),
        {"name": "Start", "ansible.builtin.debug": {"msg": "started elsewhere"}, "when": "fencing.fenced"},
        {"name": "Show", "ansible.builtin.debug": {"msg": "{{ fencing }}"}},
    ]
    done = programs.play(tasks, "--limit", "node1,node2")
    assert done.of("node1", 1)["msg"] == "started elsewhere"
    assert "skip_reason" in done.of("node2", 1)
    registered = done.of("node2", 2)["msg"]
    assert (registered["fenced"], registered["failed"]) == (False, True) and registered["power"] != "off"
    assert set(registered) >= {
        "agents",
        "changed",
        "duration",
        "level",
        "redundancy",
        "state",
        "timeline",
        "timeout",
        "msg",
    }


def test_an_ad_hoc_result_is_valid_json(rack: RunningRack, programs: Programs) -> None:
    done = programs.ad_hoc(
        "node1", f"state=restarted agents=psu_a,psu_b {QUICK_OPTIONS}", "--tree", str(programs.folder / "tree")
    )
    printed = json.loads(done.stdout.partition("=>")[2])
    written = json.loads((programs.folder / "tree" / "node1").read_text())
    for result in (printed, written):
        assert (result["power"], result["fenced"], result["level"]) == ("on", True, 2)
        assert all(isinstance(event["at"], float) for event in result["timeline"])


def test_a_warning_is_shown_once(rack: RunningRack, programs: Programs) -> None:
    rack.set_power("node1.psu_b", False)
    done = programs.play([fence(), {"name": "Show", "ansible.builtin.debug": {"msg": "go on"}}], hosts="node1")
    output = " ".join((done.stdout + done.stderr).split())
    assert output.count("redundancy is degraded: psu_b differs") == 1
    assert done.returncode == 0


def test_the_log_holds_every_event_of_the_task_as_it_happened(
    rack: RunningRack, inventory: dict[str, Any], programs: Programs
) -> None:
    log = programs.folder / "fence.jsonl"
    inventory["all"]["vars"]["fence_log"] = str(log)
    programs.write_inventory(inventory)
    done = programs.ad_hoc("node1,node2", "state=off")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for host in ("node1", "node2"):
        own = [line for line in lines if line["host"] == host]
        assert [{key: line[key] for key in ("at", "agent", "event", "power")} for line in own] == done.of(host)[
            "timeline"
        ]
        assert {line["state"] for line in own} == {"off"}
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"]) for line in own)


# -- hosts that are dead, and everything else that must not matter ---------------------------------------------------------


def test_nothing_that_says_how_the_host_is_spoken_to_matters(
    rack: RunningRack, inventory: dict[str, Any], programs: Programs
) -> None:
    """Its SSH is dead, and its variables are those of a host of another kind; neither built-in types nor modules care."""
    busbar = programs.folder / "busbar"
    busbar.mkdir()
    (busbar / "tap1").write_text("on")
    nonsense = {
        "ansible_host": "127.0.0.1",
        "ansible_port": 1,
        "ansible_connection": "ssh",
        "ansible_python_interpreter": "/nowhere/python",
        "ansible_shell_type": "powershell",
        "ansible_shell_executable": "/nowhere/sh",
        "ansible_remote_tmp": "/nowhere/tmp",
        "ansible_become_method": "su",
        "ansible_become_password": "{{ nobody_wrote_this | default('x') }}",
        "ansible_user": "nobody",
    }
    host = variables(inventory, "node1")
    host.update(nonsense)
    host["fence_agents"]["tap"] = {"type": "acme.dc.busbar_power", "address": str(busbar), "tap": 1}
    host["fence_levels"].append(["tap"])
    programs.write_inventory(inventory)
    keywords = {"become": True, "environment": {"PATH": "/nowhere"}, "remote_user": "nobody"}
    done = programs.play([fence("restarted"), fence("off", agents=["tap"])], hosts="node1", **keywords)
    assert done.of("node1", 0)["fenced"] is True and done.of("node1", 0)["power"] == "on"
    assert done.of("node1", 1)["agents"]["tap"]["power"] == "off", done.of("node1", 1)
    assert (busbar / "tap1").read_text() == "off"


def test_delegation_and_async_are_refused_and_this_machine_is_no_delegation(
    rack: RunningRack, programs: Programs
) -> None:
    tasks = [
        fence("off", task={"delegate_to": "node2", "ignore_errors": True}),
        fence("off", task={"async": 30, "poll": 1, "ignore_errors": True}),
        fence(task={"delegate_to": "localhost"}),
    ]
    done = programs.play(tasks, hosts="node1")
    assert done.of("node1", 0)["msg"].startswith(
        "node1: delegate_to: the devices are spoken to from the machine that runs Ansible"
    )
    assert "async" in done.of("node1", 1)["msg"]
    assert (done.of("node1", 2)["power"], list(done.of("node1", 2)["agents"])) == ("on", ["bmc", "psu_a", "psu_b"])
    assert rack.commands() == []


def test_it_runs_under_the_free_strategy_and_once(rack: RunningRack, programs: Programs) -> None:
    free = programs.play([fence("off")], strategy="free")
    assert {host: result["fenced"] for host, result in free.results} == {"node1": True, "node2": True, "node3": True}
    rack.reset()
    once = programs.play([fence("off", task={"run_once": True})])
    assert [host for host, _result in once.results] == ["node1"]
    assert rack.is_running("node2") and not rack.is_running("node1")


# -- the role and the playbooks ------------------------------------------------------------------------------------------


def test_the_playbooks_run_by_their_full_names(rack: RunningRack, programs: Programs) -> None:
    rack.set_power("node2", False)
    status = programs.playbook("hostpm.fencing.status", "-e", "target=node1,node2")
    said = [result["msg"] for _host, result in status.results if "msg" in result]
    assert sorted(said) == [
        "node1 is on, redundancy full: bmc on, psu_a on, psu_b on",
        "node2 is off, redundancy full: bmc off, psu_a on, psu_b on",
    ]
    assert rack.commands() == []
    restart = programs.playbook("hostpm.fencing.fence", "-e", "target=node1", "-e", "fence_state=restarted")
    assert restart.returncode == 0, restart.stdout + restart.stderr
    assert "barrier: bmc read off in one sweep" in restart.stdout, "the events are printed as they happen"
    assert any(
        str(result.get("msg", "")).startswith("node1 is on, was proven off by level 1")
        for _host, result in restart.results
    )


def test_the_role_refuses_a_state_that_is_none(rack: RunningRack, programs: Programs) -> None:
    done = programs.playbook("hostpm.fencing.fence", "-e", "target=node1", "-e", "fence_state=reboot")
    assert done.returncode != 0
    assert "fence_state" in done.stdout + done.stderr
    assert rack.commands() == []


def test_the_role_uses_the_named_agents_only(rack: RunningRack, programs: Programs) -> None:
    extra = json.dumps({"target": "node1", "fence_state": "off", "fence_only": ["psu_a"]})
    done = programs.playbook("hostpm.fencing.fence", "-e", extra)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(command.outlet, command.action) for command in rack.commands()] == [("1", "off")]
    assert rack.is_running("node1")


# -- the documentation ---------------------------------------------------------------------------------------------------


def test_the_documentation_names_every_option_and_nothing_else(programs: Programs) -> None:
    from ansible_collections.hostpm.fencing.plugins.plugin_utils._task_options import ARGUMENT_SPEC

    names = [
        "hostpm.fencing.fence",
        "hostpm.fencing.cli_power",
        "hostpm.fencing.ipmi_power",
        "hostpm.fencing.redfish_power",
        "hostpm.fencing.snmp_power",
    ]
    documented = json.loads(programs.run("ansible-doc", "--json", *names).stdout)
    assert set(documented) == set(names)
    options = documented["hostpm.fencing.fence"]["doc"]["options"]
    assert set(options) == set(ARGUMENT_SPEC)
    for name, entry in ARGUMENT_SPEC.items():
        assert options[name]["type"] == entry["type"], name
        assert options[name].get("choices") == entry.get("choices"), name
