# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every mistake that a user can make is one clear line through the real program, and no device hears of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from end_to_end.programs import Done, Programs, Vaulted, fence

from lab.rack import RunningRack, make_inventory

SECRET = "canary-in-the-wrong-place"
# A value of another vault: nobody here has its password.
OTHER_VAULT = Vaulted(
    """$ANSIBLE_VAULT;1.1;AES256
62313365396662343061393464336163383764373764613633653634306231386433626533353537
6563636435393830376561303664303863303066303566340a643731373865616163333233333662
39633137633764383134633533653963663935643963633438313936613336353962613366633766
6638313438643038310a326337643835383232616335613363353664313565613565313935613664
3232"""
)


@pytest.fixture(scope="module")
def rack() -> Iterator[RunningRack]:
    with RunningRack(make_inventory(hosts=1, shape="bmc+redfish+2psu")) as running:
        yield running


@pytest.fixture(scope="module")
def agents(rack: RunningRack) -> dict[str, dict[str, Any]]:
    """The right agents of one host, all options written out."""
    return {
        name.partition(".")[2]: {
            "type": agent.type,
            **{key: value for key, value in agent.options.items() if key != "type"},
        }
        for name, agent in rack._agents.items()
    }


def heard(rack: RunningRack) -> int:
    return sum(device.server.requests for device in rack.devices.values())


def busbar(**options: Any) -> dict[str, Any]:
    return {"type": "acme.dc.busbar_power", "address": "/nowhere", "tap": 3, "kind": "supply", **options}


def cases(right: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[dict[str, Any], str]]:
    """By a name for the host: its variables, and how the line begins that it gets (after the host's name)."""
    bmc, web, psu, psu_b = (right[name] for name in ("bmc", "redfish", "psu_a", "psu_b"))

    def one(agent: Any, **more: Any) -> dict[str, Any]:
        return {"fence_agents": {"a": agent}, **more}

    def but(agent: Mapping[str, Any], *without: str, **changed: Any) -> dict[str, Any]:
        return {**{key: value for key, value in agent.items() if key not in without}, **changed}

    def leveled(levels: Any, **agents: Any) -> dict[str, Any]:
        return {"fence_agents": agents, "fence_levels": levels}

    found: dict[str, tuple[dict[str, Any], str]] = {
        # The type
        "type-typo": (
            one(but(bmc, type="ipmii")),
            "agent a: type: there is no such type (did you mean ipmi?); write one of ",
        ),
        "type-missing": (one(but(bmc, "type")), "agent a: type: is missing"),
        "type-number": (one(but(bmc, type=5)), "agent a: type: is missing"),
        "type-secret": (one(but(bmc, type=SECRET)), "agent a: type: there is no such type; write one of"),
        "type-not-installed": (
            one(but(bmc, type="acme.dc.no_power")),
            "agent a: type: the module acme.dc.no_power is not installed",
        ),
        "type-no-power-module": (
            one({"type": "ansible.builtin.ping"}),
            "agent a: type: the module ansible.builtin.ping is no power module: it documents no option state and no option timeout",
        ),
        "type-one-way": (
            one({"type": "acme.dc.one_way_power"}),
            "agent a: type: the module acme.dc.one_way_power is no power module: it requires the option state",
        ),
        "type-shell": (
            one({"type": "acme.dc.shell_power"}),
            "agent a: type: the module acme.dc.shell_power is not written in Python",
        ),
        # Options
        "option-unknown": (
            one(but(bmc, passwort=SECRET)),
            "agent a: passwort: is not an option of the type ipmi; it has address,",
        ),
        "option-of-another-type": (one(but(bmc, outlet=3)), "agent a: outlet: is not an option of the type ipmi"),
        "option-kind": (one(but(bmc, kind="supply")), "agent a: kind: the type ipmi knows that itself"),
        "option-state": (one(but(bmc, state="off")), "agent a: state: is not an option of the type ipmi"),
        "address-missing": (one(but(bmc, "address")), "agent a: address: is missing"),
        "address-empty": (one(but(bmc, address="")), "agent a: address: must be a name or an IP address"),
        "address-list": (one(but(psu, address=["pdu-a", "pdu-b"])), "agent a: address: must be text"),
        "address-newline": (
            one(but(bmc, address="127.0.0.1\n127.0.0.2")),
            "agent a: address: must be one line without NUL",
        ),
        "password-missing": (one(but(bmc, "password")), "agent a: password: is missing"),
        "password-newline": (one(but(bmc, password=f"{SECRET}\n")), "agent a: password: must be one line without NUL"),
        "password-nul": (one(but(bmc, password=f"{SECRET}\0")), "agent a: password: must be one line without NUL"),
        "password-boolean": (one(but(bmc, password=True)), "agent a: password: must be text"),
        "password-long": (
            one(but(bmc, password=SECRET)),
            "agent a: password: is longer than the 20 bytes that IPMI carries",
        ),
        "password-alone": (
            one(but(web, "username")),
            "agent a: username: is missing: username and password go together",
        ),
        "port-secret": (one(but(bmc, port=SECRET)), "agent a: port: must be a whole number"),
        "port-boolean": (one(but(bmc, port=True)), "agent a: port: must be a whole number"),
        "port-high": (one(but(web, port=65536)), "agent a: port: must be from 1 to 65535"),
        "suite-zero": (one(but(bmc, cipher_suites=[17, 0])), "agent a: cipher_suites: has 0, which lets anybody in"),
        "version-secret": (one(but(psu, version=SECRET)), "agent a: version: must be one of 1, 2c, 3"),
        "outlet-missing": (one(but(psu, "outlet")), "agent a: outlet: is missing"),
        "outlet-zero": (one(but(psu, outlet=0)), "agent a: outlet: cannot be 0: outlets count from 1"),
        "outlet-negative": (one(but(psu, outlet=-1)), "agent a: outlet: cannot be -1"),
        "outlet-name-on-numbers": (
            one(but(psu, outlet="seven", model="aten_pe")),
            "agent a: outlet: must be a number for aten_pe",
        ),
        "outlet-fraction": (one(but(psu, outlet=1.5)), "agent a: outlet: must be a number or a text"),
        "timeout-negative": (one(but(bmc, timeout=-5)), "agent a: timeout: must be more than 0 seconds"),
        "timeout-zero": (one(but(bmc, read_timeout=0)), "agent a: read_timeout: must be more than 0 seconds"),
        "timeout-text": (one(but(bmc, timeout="soon")), "agent a: timeout: must be a number"),
        "timeout-nan": (one(but(bmc, timeout=math.nan)), "agent a: timeout: must be a number"),
        "timeout-endless": (one(but(bmc, timeout=math.inf)), "agent a: timeout: must be a number"),
        "timeout-boolean": (one(but(bmc, timeout=True)), "agent a: timeout: must be a number"),
        # A module of somebody else: its own documentation is its argument spec.
        "foreign-unknown": (
            one(busbar(taps=3)),
            "agent a: taps: is not an option of the type acme.dc.busbar_power; it has address,",
        ),
        "foreign-missing": (
            one({key: value for key, value in busbar().items() if key != "tap"}),
            "agent a: tap: is missing",
        ),
        "foreign-number": (one(busbar(tap="three")), "agent a: tap: must be a whole number"),
        "foreign-kind": (one(busbar(kind="feed")), "agent a: kind: must be chassis or supply"),
        "foreign-parallel": (one(busbar(parallel="often")), "agent a: parallel: must be true or false"),
        "foreign-twice": (
            leveled([["a", "b"]], a=busbar(pass_phrase="one"), b=busbar(pass_phrase="two")),
            "agent b: address: names the same device and outlet as the agent a",
        ),
        # Levels
        "levels-missing": (
            leveled(None, bmc=bmc, psu=psu),
            "fence_levels: is missing: several agents need levels; write for example [[bmc], [psu]]",
        ),
        "levels-empty": (leveled([], a=bmc), "fence_levels: must be a list of lists"),
        "levels-text": (leveled("a", a=bmc), "fence_levels: must be a list of lists"),
        "levels-flat": (leveled(["a"], a=bmc), "fence_levels: level 1 must be a list of agent names"),
        "level-empty": (leveled([["a"], []], a=bmc), "fence_levels: level 2 must be a list of agent names"),
        "level-unknown": (
            leveled([["a"], ["psu"]], a=bmc),
            "fence_levels: level 2 names the agent 'psu', which fence_agents does not have",
        ),
        "level-none": (leveled([["a"]], a=bmc, b=psu), "agent b: fence_levels: the agent is in no level"),
        "level-two": (leveled([["a"], ["a"]], a=bmc), "agent a: fence_levels: the agent is in several places"),
        "level-mixed": (
            leveled([["a", "b"]], a=bmc, b=psu),
            "fence_levels: level 1 mixes kinds (a is chassis, b is supply)",
        ),
        "outlet-twice": (
            leveled([["a", "b"]], a=psu, b=but(psu, community="another")),
            "agent b: address: names the same device and outlet as the agent a",
        ),
        "level-boolean": (
            leveled([[True, "b"]], on=psu, b=psu_b),
            "fence_levels: level 1: the name of an agent is no text; put names such as on, off",
        ),
        # Agents
        "agents-missing": ({}, "fence_agents: is not defined for this host"),
        "agents-null": ({"fence_agents": None}, "fence_agents: is not defined for this host"),
        "agents-empty": ({"fence_agents": {}}, "fence_agents: is not defined for this host"),
        "agents-list": ({"fence_agents": [bmc]}, "fence_agents: must be a mapping"),
        "agents-text": ({"fence_agents": SECRET}, "fence_agents: must be a mapping"),
        "agent-text": (one(SECRET), "agent a: fence_agents: must be a mapping with at least type and address"),
        "agent-boolean-name": (
            {"fence_agents": {True: bmc}},
            "agent True: fence_agents: the name of an agent is no text; put names such as on, off, yes and no in quotes",
        ),
        "agent-empty-name": ({"fence_agents": {"": bmc}}, "agent '': fence_agents: the name of an agent is empty"),
        "agent-newline-name": (
            {"fence_agents": {"a\nb": bmc}},
            "agent 'a\\nb': fence_agents: the name of an agent is empty, or has a comma",
        ),
        "agent-name-twice": (
            {"fence_agents": {1: bmc, "1": psu}},
            "agent '1': fence_agents: the name of an agent is given twice",
        ),
        # What agents have in common
        "defaults-list": (one(bmc, fence_agent_defaults=[SECRET]), "fence_agent_defaults: must be a mapping"),
        "defaults-of-type": (
            one(bmc, fence_agent_defaults={"ipmi": SECRET}),
            "agent a: fence_agent_defaults: ipmi must be a mapping",
        ),
        "defaults-unknown": (
            one(bmc, fence_agent_defaults={"ipmi": {"community": SECRET}}),
            "agent a: community: is not an option of the type ipmi",
        ),
        "credential-unknown": (
            one(but(bmc, credential="rack7"), fence_credentials_rack8={"password": SECRET}),
            "agent a: credential: no variable fence_credentials_NAME is defined for the NAME that is written here; this host has",
        ),
        "credential-secret": (one(but(bmc, credential=SECRET)), "agent a: credential: no variable"),
        "credential-text": (
            one(but(bmc, credential="x"), fence_credentials_x=SECRET),
            "agent a: fence_credentials_x: must be a mapping",
        ),
        # Templates
        "template-undefined": (
            one(but(bmc, password="{{ nobody_wrote_this }}")),
            "agent a: password: its template uses the variable nobody_wrote_this, which is not defined",
        ),
        "template-key": (
            one(but(bmc, password="{{ table[index] }}"), table={}, index=SECRET),
            "agent a: password: its template uses something that is not defined",
        ),
        "template-attribute": (
            one(but(bmc, password="{{ table.bmc7 }}"), table={}),
            "agent a: password: its template uses something that is not defined: bmc7",
        ),
        "template-broken": (
            one(but(bmc, password="{{ table. }}"), table={}),
            "agent a: password: its value cannot be resolved; look at its template",
        ),
        "template-endless": (
            one(but(bmc, password="{{ a }}"), a="{{ b }}", b="{{ a }}"),
            "agent a: password: its value cannot be resolved; look at its template",
        ),
        "template-whole": (
            {"fence_agents": "{{ nobody_wrote_this }}"},
            "fence_agents: its template uses the variable nobody_wrote_this",
        ),
        "vault-locked": (
            one(but(bmc, password=OTHER_VAULT)),
            "agent a: password: its value cannot be decrypted; is the vault password given and right?",
        ),
        "vault-locked-below": (
            one(but(bmc, password="{{ vaulted }}"), vaulted=OTHER_VAULT),
            "agent a: password: its value cannot be decrypted; is the vault password given and right?",
        ),
    }
    # Variables that stand in for options of the task
    for name, value, words in (
        ("confirm_reads", 0, "must be at least 1"),
        ("confirm_reads", "two", "must be a whole number"),
        ("confirm_reads", 1.5, "must be a whole number"),
        ("confirm_reads", True, "must be a whole number"),
        ("confirm_interval", -1, "must be at least 0"),
        ("witness_timeout", SECRET, "must be a number of seconds"),
        ("hold_off", math.inf, "must be a number of seconds"),
        ("stagger", [1], "must be a number of seconds"),
        ("chassis_wait", -0.5, "must be at least 0"),
        ("on_failure", "repair", "must be one of leave, restore"),
        ("timeout", 0, "must be more than 0"),
        ("timeout", math.nan, "must be a number of seconds"),
        ("progress", "perhaps", "must be true or false"),
        ("log", "{{ nobody_wrote_this }}", "its template uses the variable nobody_wrote_this"),
        ("log", "/nowhere/at/all.log", "log: /nowhere/at/all.log cannot be written: No such file or directory"),
    ):
        key = "" if "cannot be written" in words else f"fence_{name}: "
        found[f"variable-{len(found)}-{name.replace('_', '-')}"] = (
            one(bmc, **{f"fence_{name}": value}),
            f"{key}{words}",
        )
    return found


CASES = sorted(cases({name: {"type": name} for name in ("bmc", "redfish", "psu_a", "psu_b")}))


@pytest.fixture(scope="module")
def told(rack: RunningRack, agents: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Done:
    """All the mistakes in one run, a host each."""
    hosts = {name: variables for name, (variables, _line) in cases(agents).items()}
    programs = Programs(tmp_path_factory.mktemp("mistakes"), {"all": {"hosts": hosts}})
    done = programs.ad_hoc("all", "state=off", "--forks", "8", "-vvv")
    assert done.returncode != 0
    return done


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_one_clear_line(name: str, told: Done, agents: dict[str, dict[str, Any]]) -> None:
    result, (_variables, line) = told.of(name), cases(agents)[name]
    assert result["failed"] is True
    assert result["msg"].startswith(f"{name}: {line}")
    assert "\n" not in result["msg"], "one line for one mistake"
    assert (result["changed"], result["power"], result["fenced"]) == (False, "unknown", False)


def test_no_device_was_contacted_for_any_mistake(told: Done, rack: RunningRack) -> None:
    assert heard(rack) == 0
    assert not rack.commands()


def test_no_mistake_shows_a_secret_or_a_traceback(told: Done) -> None:
    everything = told.stdout + told.stderr
    assert SECRET not in everything
    assert "Traceback" not in everything
    assert "this is a bug" not in everything


def test_the_same_agents_written_right_are_contacted(
    rack: RunningRack, agents: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """The other tests could not fail if these agents led nowhere."""
    hosts = {"right": {"fence_agents": agents, "fence_levels": [["bmc"], ["redfish"], ["psu_a", "psu_b"]]}}
    before = heard(rack)
    done = Programs(tmp_path, {"all": {"hosts": hosts}}).ad_hoc("all")
    assert done.of("right")["power"] == "on"
    assert heard(rack) > before


# -- options of the task -------------------------------------------------------------------------------------------------

# By a name: the options as they are written in a playbook, and how the line begins (after the host's name).
OPTIONS = {
    "state-reboot": ("state: reboot", "option state: must be one of on, off, restarted"),
    "state-empty": ('state: ""', "option state: must be one of on, off, restarted"),
    "state-number": ("state: 1", "option state: must be one of on, off, restarted"),
    "state-list": ("state: [off]", "option state: must be one of on, off, restarted"),
    "state-quoted-yes": ('state: "yes"', "option state: must be one of on, off, restarted"),
    "option-unknown": ("force: true", "option force: the fence task has no such option; it has state, agents,"),
    "option-agents-mapping": ("fence_agents: {}", "option fence_agents: the fence task has no such option"),
    "agents-empty": ("agents: []", "agents: is an empty list; leave it out to use all agents"),
    "agents-unknown": ("agents: [bmc, psu]", "agents: there is no agent 'psu' on this host; it has bmc"),
    "agents-blank": ('agents: ""', "agents: there is no agent '' on this host; it has bmc"),
    "agents-mapping": ("agents: {bmc: {}}", "option agents: must be a list of names"),
    "agents-boolean": ("agents: [on]", "agents: there is no agent 'True' on this host; it has bmc"),
    "confirm-reads-zero": ("confirm_reads: 0", "option confirm_reads: must be at least 1"),
    "confirm-reads-negative": ("confirm_reads: -2", "option confirm_reads: must be at least 1"),
    "confirm-interval-negative": ("confirm_interval: -0.1", "option confirm_interval: must be at least 0"),
    "hold-off-text": ("hold_off: long", "option hold_off: must be a number of seconds"),
    "timeout-zero": ("timeout: 0", "option timeout: must be more than 0"),
    "timeout-endless": ("timeout: .inf", "option timeout: must be a number of seconds"),
    "stagger-boolean": ("stagger: yes", "option stagger: must be a number of seconds"),
    "on-failure-unknown": ("on_failure: retry", "option on_failure: must be one of leave, restore"),
}


@pytest.fixture(scope="module")
def refused(rack: RunningRack, agents: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Done:
    """All the bad options, a task each, and the requests that devices got meanwhile."""
    programs = Programs(
        tmp_path_factory.mktemp("options"), {"all": {"hosts": {"node1": {"fence_agents": {"bmc": agents["bmc"]}}}}}
    )
    text = "- hosts: all\n  gather_facts: false\n  ignore_errors: true\n  tasks:\n"
    for options, _line in OPTIONS.values():
        lines = "".join(f"        {line}\n" for line in ["state: off"] * ("state:" not in options) + [options])
        text += f"    - name: Fence\n      hostpm.fencing.fence:\n{lines}"
    playbook = programs.folder / "options.yml"
    playbook.write_text(text)
    before = heard(rack)
    done = programs.playbook(str(playbook))
    assert heard(rack) == before, "a device was contacted"
    return done


@pytest.mark.parametrize("name", OPTIONS)
def test_a_bad_option_is_one_clear_line(name: str, refused: Done) -> None:
    message = refused.of("node1", list(OPTIONS).index(name))["msg"]
    assert message.startswith(f"node1: {OPTIONS[name][1]}")
    assert "\n" not in message


# -- what is missing on this machine -------------------------------------------------------------------------------------

# Makes Python behave as if these packages were not installed.
NOT_INSTALLED = """
import importlib.machinery

MISSING = {missing!r}
found = importlib.machinery.PathFinder.find_spec


def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in MISSING else found(name, path, target)


importlib.machinery.PathFinder.find_spec = find_spec
"""


def test_a_missing_library_is_named_with_what_to_install(
    rack: RunningRack, agents: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    hosts = {
        "ipmi": {"fence_agents": {"a": agents["bmc"]}},
        "pyghmi": {"fence_agents": {"a": {**agents["bmc"], "library": "pyghmi"}}},
        "redfish": {"fence_agents": {"a": agents["redfish"]}},
        "snmp": {"fence_agents": {"a": agents["psu_a"]}},
        "foreign": {"fence_agents": {"a": busbar()}},
    }
    missing = ("pyipmi", "pyghmi", "pysnmp", "requests")
    (tmp_path / "sitecustomize.py").write_text(NOT_INSTALLED.format(missing=missing))
    before = heard(rack)
    done = Programs(tmp_path / "run", {"all": {"hosts": hosts}}).ad_hoc(
        "all", "state=off timeout=2", env={"PYTHONPATH": str(tmp_path)}
    )
    assert heard(rack) == before
    for host, library in (("ipmi", "python-ipmi"), ("pyghmi", "pyghmi"), ("redfish", "requests"), ("snmp", "pysnmp")):
        assert done.message(host).startswith(f"{host}: agent a: type: the Python library {library}")
        assert done.message(host).endswith("is missing on the machine that runs Ansible; install it there")
    assert "library" not in done.message("foreign"), "a module that needs none of them is not kept from running"


# -- what looks like a mistake and is none -----------------------------------------------------------------------------


def test_odd_names_of_agents_are_names(rack: RunningRack, agents: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    bmc, psu, psu_b = (agents[name] for name in ("bmc", "psu_a", "psu_b"))
    hosts = {
        "words": {"fence_agents": {"on": bmc, "off": psu, "no": psu_b}, "fence_levels": [["on"], ["off", "no"]]},
        "numbers": {"fence_agents": {1: bmc, "2": psu}, "fence_levels": [["1"], [2]]},
        "unicode": {"fence_agents": {"Netzteil-ä 電源": psu}},
    }
    done = Programs(tmp_path, {"all": {"hosts": hosts}}).ad_hoc("all")
    assert {host: set(done.of(host)["agents"]) for host in hosts} == {
        "words": {"on", "off", "no"},
        "numbers": {"1", "2"},
        "unicode": {"Netzteil-ä 電源"},
    }
    assert all(done.of(host)["power"] == "on" for host in hosts)


def test_all_mistakes_of_a_host_are_told_at_once(agents: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    wrong = {
        "fence_agents": {"a": {**agents["bmc"], "port": "x"}, "b": {**agents["psu_a"], "outlet": 0}},
        "fence_levels": [["a"], ["b", "c"]],
    }
    done = Programs(tmp_path, {"all": {"hosts": {"node1": wrong}}}).play([fence("off")])
    assert [line.partition(":")[2].partition(":")[0].strip() for line in done.message("node1").splitlines()] == [
        "agent a",
        "agent b",
        "fence_levels",
    ]
