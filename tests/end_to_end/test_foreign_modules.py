# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Power modules that are not part of the collection, as agents beside built-in ones: good ones, bad ones, eight at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from end_to_end.programs import Done, Programs, fence

from lab.control import ControlServer
from lab.rack import RunningRack, make_inventory

ROUNDS = 50
TAPS = 8


def busbar(folder: Path, tap: int = 1, behave: str = "well", **options: Any) -> dict[str, Any]:
    return {"type": "acme.dc.busbar_power", "address": str(folder), "tap": tap, "behave": behave, **options}


# -- beside a built-in type ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rack() -> Iterator[RunningRack]:
    """A host that is fed by a PDU's outlet and by a tap that no built-in type speaks to."""
    inventory = make_inventory(hosts=1, pdus=1, shape="psu")
    host = inventory["all"]["hosts"]["node1"]
    host["fence_agents"]["tap"] = {"type": "acme.dc.rack_tap_power", "address": "the control port", "kind": "supply"}
    host["fence_levels"] = [["psu_a", "tap"]]
    with RunningRack(inventory) as running:
        yield running


@pytest.fixture(scope="module")
def mixed(rack: RunningRack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """The programs, with the URL of the rack in their inventory."""
    control = ControlServer(rack)
    psu = rack._agents["node1.psu_a"].options
    tap = {"type": "acme.dc.rack_tap_power", "address": control.url, "tap": "node1.tap", "kind": "supply"}
    host = {"fence_agents": {"psu_a": {**psu, "type": "snmp"}, "tap": tap}, "fence_levels": [["psu_a", "tap"]]}
    yield Programs(tmp_path_factory.mktemp("mixed"), {"all": {"hosts": {"node1": host}}})
    control.close()


def test_a_foreign_module_and_a_built_in_type_cut_a_host_together(rack: RunningRack, mixed: Programs) -> None:
    begin = rack.now()
    result = mixed.ad_hoc("all", "state=off confirm_interval=0.1").of("node1")
    assert result["fenced"] is True and result["level"] == 1, result
    assert {name: agent["power"] for name, agent in result["agents"].items()} == {"psu_a": "off", "tap": "off"}
    assert rack.had_all_feeds_off("node1", begin)
    assert not rack.is_running("node1")
    assert [command.action for command in rack.commands("node1.tap")] == ["off"]


def test_a_restart_waits_for_the_foreign_module_before_anything_is_switched_on(
    rack: RunningRack, mixed: Programs
) -> None:
    rack.reset()
    rack.fault("node1.tap", "lag", 1.5)
    begin = rack.now()
    result = mixed.ad_hoc("all", "state=restarted confirm_interval=0.1 hold_off=0.2").of("node1")
    assert (result["fenced"], result["power"]) == (True, "on"), result
    assert rack.all_feeds_off_s("node1", begin) >= 0.2
    assert rack.is_running("node1")


def test_a_foreign_module_whose_device_obeys_not_keeps_the_host_unfenced(rack: RunningRack, mixed: Programs) -> None:
    rack.reset()
    rack.fault("node1.tap", "ignore")
    short = json.dumps({"fence_agent_defaults": {"acme.dc.rack_tap_power": {"timeout": 4}}})
    result = mixed.play([fence("off", confirm_interval=0.1)], "-e", short).of("node1")
    assert (result["failed"], result["fenced"]) == (True, False)
    assert result["agents"]["tap"]["reason"] in ("unconfirmed", "timeout")
    assert rack.is_running("node1")


# -- eight at once ---------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_no_answer_is_ever_taken_for_another_agents(tmp_path: Path) -> None:
    """Each module says who it is. With a shared action object seven answers of eight are those of other agents."""
    agents: dict[str, Any] = {}
    for tap in range(1, TAPS + 1):
        agents[f"tap{tap}"] = busbar(Path("{{ busbars }}/{{ item }}"), tap, "tells", kind="supply", parallel=True)
    for number in range(ROUNDS):
        (tmp_path / "busbars" / str(number)).mkdir(parents=True)
    host = {"fence_agents": agents, "fence_levels": [list(agents)], "busbars": str(tmp_path / "busbars")}
    programs = Programs(tmp_path / "run", {"all": {"hosts": {"node1": host}}})
    task = fence(task={"loop": list(range(ROUNDS)), "failed_when": False})
    rounds = programs.play([task], longest_s=280).of("node1")["results"]
    assert len(rounds) == ROUNDS
    for number, result in enumerate(rounds):
        expected = {f"tap{tap}": f"I am {tmp_path}/busbars/{number}/tap{tap}" for tap in range(1, TAPS + 1)}
        assert {name: agent["msg"] for name, agent in result["agents"].items()} == expected
        assert {agent["attempts"] for agent in result["agents"].values()} == {1}
    assert left_behind(programs) == []


def test_no_answer_is_ever_taken_for_another_hosts(tmp_path: Path) -> None:
    """All hosts in one process, each with modules of its own."""
    hosts = {}
    for number in range(1, 5):
        (tmp_path / f"node{number}").mkdir()
        agents = {
            f"tap{tap}": busbar(tmp_path / f"node{number}", tap, "tells", kind="supply", parallel=True)
            for tap in (1, 2)
        }
        hosts[f"node{number}"] = {"fence_agents": agents, "fence_levels": [list(agents)]}
    programs = Programs(tmp_path / "run", {"all": {"hosts": hosts}})
    task = {
        "name": "All",
        "hostpm.fencing.fence_all": {},
        "run_once": True,
        "failed_when": False,
        "loop": [1, 2, 3, 4, 5],
    }
    rounds = programs.play([task]).of("node1")["results"]
    for result in rounds:
        for host, own in result["hosts"].items():
            expected = {f"tap{tap}": f"I am {tmp_path}/{host}/tap{tap}" for tap in (1, 2)}
            assert {name: agent["msg"] for name, agent in own["agents"].items()} == expected
    assert len(rounds) == 5 and left_behind(programs) == []


def left_behind(programs: Programs) -> list[str]:
    """Files in Ansible's temporary folders, but for the names of turns at devices."""
    folders = (programs.home / "tmp", programs.folder / ".ansible")
    return [
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "hostpm-fencing-" not in path.name
    ]


# -- modules that misbehave ------------------------------------------------------------------------------------------------

# By behaviour: the power and the reason that its reading gets, and words of its message.
READINGS = {
    "well": ("on", None, ""),
    "shouts": ("off", None, ""),
    "boolean": ("unknown", "bad_reply", "the module acme.dc.busbar_power reads nothing"),
    "number": ("unknown", "bad_reply", "the module acme.dc.busbar_power reads nothing"),
    "list": ("unknown", "bad_reply", "reads ['off']"),
    "sleeps": ("unknown", "bad_reply", "reads sleeping"),
    "forgets": ("unknown", "bad_reply", "reads nothing"),
    "fails": ("unknown", "bad_reply", "the module acme.dc.busbar_power says: something is wrong"),
    "invents": ("unknown", "bad_reply", "the module acme.dc.busbar_power says: something else"),
    "is vetoed": ("unknown", "vetoed", "the module acme.dc.busbar_power says: a person works there"),
    "echoes": ("unknown", "auth", "says: login with ******** refused"),
    "prints junk": ("unknown", "bad_reply", "ended with status 0 and no result; try it alone"),
    "says nothing": ("unknown", "bad_reply", "ended with status 0 and no result"),
    "ends badly": ("unknown", "bad_reply", "answered and then ended with status 3"),
    "dies": ("unknown", "bad_reply", "ended with status -11 and no result"),
    "raises": ("unknown", "bad_reply", "the module acme.dc.busbar_power says: "),
    "hangs": ("unknown", "timeout", "did not end within 4.0 s and was killed"),
}
# What is asked again until the budget ends, and what hangs until then (seconds); the others are asked once.
BUDGETS = {
    "hangs": 4,
    **dict.fromkeys(("fails", "invents", "prints junk", "says nothing", "ends badly", "dies", "raises"), 6),
}
PASS_PHRASE = "canary-of-the-busbar"


@pytest.fixture(scope="module")
def busbars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("busbars")
    for behaviour in (*READINGS, "lies", "contradicts"):
        (folder / behaviour).mkdir()
        (folder / behaviour / "tap1").write_text("on")
    return folder


@pytest.fixture(scope="module")
def readings(busbars: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    hosts = {
        behaviour: {
            "fence_agents": {"a": busbar(busbars / behaviour, behave=behaviour, pass_phrase=PASS_PHRASE, **budget)}
        }
        for behaviour in READINGS
        for budget in [{"read_timeout": BUDGETS.get(behaviour, 30)}]
    }
    programs = Programs(tmp_path_factory.mktemp("readings"), {"all": {"hosts": hosts}})
    done = programs.ad_hoc(
        "all", "", "--forks", "6", "-vvvv", env={"ANSIBLE_DEBUG": "1", "ANSIBLE_KEEP_REMOTE_FILES": "1"}
    )
    assert left_behind(programs) == [], "a payload was written to a file"
    return done


@pytest.mark.parametrize("behaviour", READINGS)
def test_a_reading_of_a_module_that_misbehaves_is_never_off(behaviour: str, readings: Done) -> None:
    power, reason, words = READINGS[behaviour]
    result = readings.of(behaviour)
    agent = result["agents"]["a"]
    assert (agent["power"], agent["reason"]) == (power, reason), agent
    assert words in agent["msg"]
    assert result["power"] == power
    assert result["failed"] is (power == "unknown")


def test_a_module_that_hangs_is_ended_in_time_with_all_that_it_started(readings: Done, busbars: Path) -> None:
    assert readings.of("hangs")["duration"] < 4 + 1
    pids = (busbars / "hangs" / "tap1.pids").read_text().split()
    assert len(pids) == 2
    assert not [pid for pid in pids if is_running(pid)]


def is_running(pid: str) -> bool:
    """Whether a process lives. One that was killed stays listed as a zombie until its new parent collects it, which may take a while."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_a_secret_that_a_module_says_is_masked_in_the_debug_output_too(readings: Done) -> None:
    assert PASS_PHRASE not in readings.stdout + readings.stderr


def test_a_module_that_lies_about_what_it_switched_proves_nothing(busbars: Path, tmp_path: Path) -> None:
    """One says off and reads on for ever; the other says on when it switched off, and reads off: readings decide."""
    hosts = {
        behaviour: {"fence_agents": {"a": busbar(busbars / behaviour, behave=behaviour, timeout=timeout)}}
        for behaviour, timeout in (("lies", 5), ("contradicts", 30))
    }
    done = Programs(tmp_path, {"all": {"hosts": hosts}}).ad_hoc("all", "state=off confirm_interval=0.1")
    lies, contradicts = done.of("lies"), done.of("contradicts")
    assert (lies["failed"], lies["fenced"], lies["changed"]) == (True, False, True)
    assert lies["power"] != "off" and lies["agents"]["a"]["reason"] in ("unconfirmed", "timeout")
    assert (contradicts["failed"], contradicts["fenced"], contradicts["power"]) == (False, True, "off")
    assert (busbars / "contradicts" / "tap1").read_text() == "off"


def test_check_mode_runs_a_foreign_module_for_its_reading_only(busbars: Path, tmp_path: Path) -> None:
    host = {"fence_agents": {"a": busbar(busbars / "well")}}
    result = Programs(tmp_path, {"all": {"hosts": {"node1": host}}}).ad_hoc("all", "state=off", "--check").of("node1")
    assert (result["changed"], result["fenced"], result["agents"]["a"]["power"]) == (True, False, "on")
    assert {line.split()[1] for line in (busbars / "well" / "tap1.log").read_text().splitlines()} == {"read"}
