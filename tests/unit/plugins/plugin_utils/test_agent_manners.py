# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a type may say about an agent by its options: its kind, and which of them have several lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import AgentType, Kind
from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import built_in_type
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import InputError, ParsedHost, parse_host

TYPE = replace(
    built_in_type("ipmi"),
    argument_spec={"address": {"type": "str", "required": True}, "model": {"type": "str"}, "key": {"type": "str"}},
    kind_of=lambda options: Kind.SUPPLY if options["model"] == "pdu" else Kind.CHASSIS,
    multiline_options=frozenset({"key"}),
    problems=lambda options: (),
    describe=lambda options: options["address"],
    device=lambda options: options["address"],
    target=lambda options: options["address"],
    missing_library=lambda options: None,
    required_together=(),
    mutually_exclusive=(),
)


def parse(agent_type: AgentType = TYPE, **agent: Any) -> ParsedHost:
    variables = {"fence_agents": {"a": {"type": "ipmi", "address": "x", "model": "pdu", **agent}}}
    return parse_host("node3", variables, lambda value: value, lambda word: agent_type)


@pytest.mark.parametrize(("model", "kind"), [("pdu", Kind.SUPPLY), ("bmc", Kind.CHASSIS)])
def test_the_kind_follows_the_options_where_the_type_says_how(model: str, kind: Kind) -> None:
    assert parse(model=model).host.agents[0].kind is kind


def test_the_kind_is_the_types_own_where_it_says_nothing_more() -> None:
    assert parse(replace(TYPE, kind_of=None)).host.agents[0].kind is Kind.CHASSIS


def test_only_a_multiline_option_may_have_several_lines() -> None:
    assert parse(key="-----BEGIN\nx\n-----END\n").host.agents[0].options["key"].count("\n") == 3
    with pytest.raises(InputError, match="model: must be one line"):
        parse(model="pdu\nbmc")
    with pytest.raises(InputError, match="key: must be text without NUL"):
        parse(key="a\0b")
