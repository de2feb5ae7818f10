# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every mistake in the variables of a host is one clear line that names the host, the agent and the key, and no secret."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind
from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import find_type
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import (
    InputError,
    ParsedHost,
    choose_agents,
    parse_host,
)

CANARY = "canary-7f3a"
BMC = {"type": "ipmi", "address": "bmc-3", "username": "fence", "password": CANARY}
PSU_A = {"type": "snmp", "address": "pdu-a", "outlet": 7, "version": "2c", "community": CANARY, "model": "apc_rpdu2"}
PSU_B = {**PSU_A, "address": "pdu-b"}


def parse(agents: Any, levels: Any = None, **variables: Any) -> ParsedHost:
    return parse_host(
        "node3", {"fence_agents": agents, "fence_levels": levels, **variables}, lambda value: value, find_type
    )


def mistakes(agents: Any, levels: Any = None, **variables: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(agents, levels, **variables)
    assert CANARY not in str(caught.value)
    return caught.value.lines


def test_a_host_with_a_bmc_and_two_outlets_is_read_as_written() -> None:
    host = parse({"bmc": BMC, "psu_a": PSU_A, "psu_b": PSU_B}, [["bmc"], ["psu_a", "psu_b"]]).host
    assert [[agent.name for agent in level.agents] for level in host.levels] == [["bmc"], ["psu_a", "psu_b"]]
    assert [level.kind for level in host.levels] == [Kind.CHASSIS, Kind.SUPPLY]
    assert host.agents[1].where == "snmp pdu-a, outlet 7"


def test_a_type_of_both_kinds_says_by_its_options_which_one_an_agent_is() -> None:
    account = {"type": "http", "username": "fence", "password": CANARY}
    bmc = {**account, "address": "bmc-3", "model": "openbmc"}
    psu = {**account, "address": "pdu-a", "model": "netio", "outlet": 3}
    host = parse({"bmc": bmc, "psu": psu}, [["bmc"], ["psu"]]).host
    assert [level.kind for level in host.levels] == [Kind.CHASSIS, Kind.SUPPLY]
    assert "mixes kinds" in mistakes({"bmc": bmc, "psu": psu}, [["bmc", "psu"]])[0]


def test_a_blade_is_a_chassis_and_an_outlet_a_supply_though_both_speak_snmp() -> None:
    blade = {**PSU_A, "model": "ibm_bladecenter"}
    host = parse({"blade": blade, "psu_b": PSU_B}, [["blade"], ["psu_b"]]).host
    assert [level.kind for level in host.levels] == [Kind.CHASSIS, Kind.SUPPLY]


def test_outlets_without_one_in_common_are_no_twins() -> None:
    one, other = ({**PSU_A, "outlet": None, "outlets": outlets} for outlets in ([3, 4], [5, "1.6"]))
    agents = parse({"a": {**one, "model": None}, "b": {**other, "model": None}}, [["a", "b"]]).host.agents
    assert [agent.where for agent in agents] == ["snmp pdu-a, outlets 3 and 4", "snmp pdu-a, outlets 5 and 1.6"]


def test_one_agent_without_levels_is_the_only_level() -> None:
    assert [level.number for level in parse({"bmc": BMC}).host.levels] == [1]


def test_an_agents_own_keys_win_over_its_credential_and_that_over_the_defaults_of_its_type() -> None:
    parsed = parse(
        {"bmc": {"type": "ipmi", "address": "bmc-3", "credential": "bmc", "port": 6230}},
        fence_agent_defaults={"ipmi": {"username": "from-defaults", "port": 1, "privilege": "operator"}},
        fence_credentials_bmc={"username": "from-credential", "password": CANARY, "port": 2},
    )
    options = parsed.host.agents[0].options
    assert (options["port"], options["username"], options["privilege"]) == (6230, "from-credential", "operator")


def test_every_secret_option_is_known_as_one() -> None:
    secrets = parse({"bmc": BMC, "psu_a": PSU_A}, [["bmc"], ["psu_a"]]).secrets
    assert {"bmc password", "psu_a community"} <= set(secrets)


@pytest.mark.parametrize(
    ("agents", "levels", "line"),
    [
        ({"bmc": {**BMC, "type": "ipmmi"}}, None, "node3: agent bmc: type: there is no such type (did you mean ipmi?)"),
        (
            {"bmc": {**BMC, "type": "acme.none.such_power"}},
            None,
            "node3: agent bmc: type: the module acme.none.such_power is not installed",
        ),
        ({"bmc": {**BMC, "passwort": "x"}}, None, "node3: agent bmc: passwort: is not an option of the type ipmi"),
        (
            {"bmc": {key: BMC[key] for key in ("type", "username", "password")}},
            None,
            "node3: agent bmc: address: is missing",
        ),
        ({"bmc": "10.0.0.3"}, None, "node3: agent bmc: fence_agents: must be a mapping"),
        ({"bmc": {"address": "bmc-3"}}, None, "node3: agent bmc: type: is missing"),
        (["bmc"], None, "node3: fence_agents: must be a mapping"),
        (None, None, "node3: fence_agents: is not defined"),
        ({"bmc": BMC, "psu_a": PSU_A}, None, "node3: fence_levels: is missing: several agents need levels"),
        ({"bmc": BMC}, [["bmc"], ["psu"]], "node3: fence_levels: level 2 names the agent 'psu'"),
        ({"bmc": BMC, "psu_a": PSU_A}, [["bmc"]], "node3: agent psu_a: fence_levels: the agent is in no level"),
        ({"bmc": BMC}, [["bmc"], ["bmc"]], "node3: agent bmc: fence_levels: the agent is in several places"),
        ({"bmc": BMC}, ["bmc"], "node3: fence_levels: level 1 must be a list"),
        ({"bmc": BMC}, [], "node3: fence_levels: must be a list of lists"),
        ({"bmc": BMC}, [["bmc"], []], "node3: fence_levels: level 2 must be a list"),
        ({"bmc": BMC, "psu_a": PSU_A}, [["bmc", "psu_a"]], "node3: fence_levels: level 1 mixes kinds"),
        (
            {"a": PSU_A, "b": PSU_A},
            [["a", "b"]],
            "node3: agent b: address: names the same device and outlet as the agent a",
        ),
        (
            {"a": {**PSU_A, "outlet": None, "outlets": [3, 7]}, "b": PSU_A},
            [["a", "b"]],
            "node3: agent b: address: names the same device and outlet as the agent a (snmp pdu-a, outlet 7)",
        ),
        (
            {"a": PSU_A, "b": {**PSU_A, "outlet": None, "outlets": [8, "7"]}},
            [["a", "b"]],
            "node3: agent b: address: names the same device and outlet as the agent a (snmp pdu-a, outlets 8 and 7)",
        ),
        ({"a": {**PSU_A, "outlets": [8]}}, None, "node3: agent a: outlets: cannot be given together with outlet"),
        (
            {"a": {**PSU_A, "model": "apc_rpdu3"}},
            None,
            "node3: agent a: model: is no family that is known (did you mean apc_rpdu",
        ),
        (
            {"a": {**PSU_A, "outlet": "1.1.1.7", "model": "bachmann_bluenet2"}},
            None,
            "node3: agent a: model: bachmann_bluenet2 has never been tried and its sources are in doubt",
        ),
        (
            {"a": {**PSU_A, "model": "ibm_bladecenter"}, "b": PSU_B},
            [["a", "b"]],
            "node3: fence_levels: level 1 mixes kinds (a is chassis, b is supply)",
        ),
        ({"a": {**PSU_A, "outlet": 0}}, None, "node3: agent a: outlet: "),
        ({"a": {**PSU_A, "outlet": ""}}, None, "node3: agent a: outlet: "),
        ({"bmc": {**BMC, "timeout": -1}}, None, "node3: agent bmc: timeout: must be more than 0 seconds"),
        ({"bmc": {**BMC, "timeout": "soon"}}, None, "node3: agent bmc: timeout: must be a number"),
        ({"bmc": {**BMC, "port": CANARY}}, None, "node3: agent bmc: port: must be a whole number"),
        ({"bmc": {**BMC, "address": "bmc-3\nbmc-4"}}, None, "node3: agent bmc: address: must be one line"),
        ({"bmc": {**BMC, "password": CANARY + "\0"}}, None, "node3: agent bmc: password: must be one line"),
        ({"bmc": {**BMC, "cipher_suites": [0]}}, None, "node3: agent bmc: cipher_suites: "),
        ({"bmc": {**BMC, "kind": "supply"}}, None, "node3: agent bmc: kind: the type ipmi knows that itself"),
        (
            {"bmc": {**BMC, "credential": "none"}},
            None,
            "node3: agent bmc: credential: no variable fence_credentials_NAME",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_host_agent_and_key(agents: Any, levels: Any, line: str) -> None:
    lines = mistakes(agents, levels)
    assert len(lines) == 1, lines
    assert lines[0].startswith(line)


def test_all_mistakes_are_told_at_once() -> None:
    lines = mistakes({"bmc": {**BMC, "port": "x"}, "psu_a": {**PSU_A, "outlet": 0}}, [["bmc"], ["psu_a"]])
    assert [line.split(":")[1].strip() for line in lines] == ["agent bmc", "agent psu_a"]


def test_a_whole_level_by_name_is_a_job_on_the_host_and_a_part_of_one_is_a_job_on_devices() -> None:
    host = parse({"bmc": BMC, "psu_a": PSU_A, "psu_b": PSU_B}, [["bmc"], ["psu_a", "psu_b"]]).host
    assert not choose_agents(host, ["psu_b", "psu_a"]).devices_only
    assert choose_agents(host, ["psu_a"]).devices_only


def test_a_name_that_is_no_agent_is_told() -> None:
    host = parse({"bmc": BMC}).host
    with pytest.raises(InputError, match="node3: agents: there is no agent 'psu' on this host; it has bmc"):
        choose_agents(host, ["psu"])
