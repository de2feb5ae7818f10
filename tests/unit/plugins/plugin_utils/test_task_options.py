# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the task and the variables that stand in for them; the documentation says the same."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
import yaml

from ansible_collections.hostpm.fencing.plugins.doc_fragments import fencing
from ansible_collections.hostpm.fencing.plugins.modules import fence, fence_all
from ansible_collections.hostpm.fencing.plugins.plugin_utils._crowd_options import (
    ARGUMENT_SPEC as OF_THE_CROWD,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._crowd_options import (
    CrowdOptions,
    parse_crowd_options,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import State
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import InputError
from ansible_collections.hostpm.fencing.plugins.plugin_utils._task_options import (
    ARGUMENT_SPEC,
    TaskOptions,
    parse_options,
)


def parse(variables: dict[str, Any] | None = None, **args: Any) -> TaskOptions:
    return parse_options("node3", args, variables or {}, lambda value: value)


def documented(module: ModuleType) -> dict[str, Any]:
    """The options of a module that fences hosts, those of the fragment included."""
    own = yaml.safe_load(module.DOCUMENTATION).get("options") or {}
    return {**yaml.safe_load(fencing.ModuleDocFragment.DOCUMENTATION)["options"], **own}


@pytest.mark.parametrize(
    ("module", "spec"), [(fence, ARGUMENT_SPEC), (fence_all, OF_THE_CROWD)], ids=["fence", "fence_all"]
)
def test_the_documentation_has_the_options_of_the_action(
    module: ModuleType, spec: Mapping[str, Mapping[str, Any]]
) -> None:
    keys = ("type", "choices", "elements")
    said = {name: {key: option.get(key) for key in keys} for name, option in documented(module).items()}
    done = {name: {key: entry.get(key) for key in keys} for name, entry in spec.items()}
    assert said == done


# -- options of all hosts together ---------------------------------------------------------------------------------------


def parse_crowd(variables: dict[str, Any] | None = None, **args: Any) -> CrowdOptions:
    return parse_crowd_options("node1", args, variables or {}, lambda value: value)


def test_a_limit_may_stand_in_a_variable_and_the_option_wins() -> None:
    variables = {"fence_at_once": 7, "fence_stop_after_failures": 3}
    limits = parse_crowd(variables, at_once=9).limits
    assert (limits.at_once, limits.stop_after_failures, limits.max_on_per_pdu) == (9, 3, None)


def test_every_host_gets_the_options_that_a_task_of_its_own_would_have() -> None:
    assert parse_crowd(state="off", hold_off=3, at_once=9, hosts=["a"]).of_each_host == {"state": "off", "hold_off": 3}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"at_onec": 3}, "option at_onec: the fence_all task has no such option"),
        ({"at_once": 0}, "option at_once: must be at least 1"),
        ({"at_once": "many"}, "option at_once: must be a whole number"),
        ({"max_on_per_pdu": -1}, "option max_on_per_pdu: must be at least 1"),
        ({"stop_after_failures": 0}, "option stop_after_failures: must be at least 1"),
        ({"stagger": -1}, "option stagger: must be at least 0"),
        ({"hosts": []}, "option hosts: is an empty list"),
    ],
)
def test_a_bad_option_of_all_hosts_is_told_once(args: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        parse_crowd(**args)
    assert f"node1: {words}" in str(error.value)


def test_without_a_state_the_power_is_read() -> None:
    assert parse().state is State.READ


@pytest.mark.parametrize(
    ("written", "meant"), [(False, State.OFF), (True, State.ON), ("off", State.OFF), ("restarted", State.RESTARTED)]
)
def test_off_and_on_may_be_yaml_booleans(written: Any, meant: State) -> None:
    assert parse(state=written).state is meant


def test_an_option_wins_over_the_variable_of_the_host() -> None:
    variables = {"fence_confirm_reads": 5, "fence_hold_off": "7.5"}
    numbers = parse(variables, confirm_reads=3).numbers
    assert (numbers.confirm_reads, numbers.hold_off_s) == (3, 7.5)


def test_state_and_agents_come_from_the_task_alone() -> None:
    options = parse({"fence_state": "off", "fence_agents": {"bmc": {}}})
    assert (options.state, options.agents) == (State.READ, None)


@pytest.mark.parametrize(
    ("variables", "args", "line"),
    [
        ({}, {"state": "reboot"}, "node3: option state: must be one of on, off, restarted"),
        ({}, {"stat": "off"}, "node3: option stat: the fence task has no such option"),
        ({}, {"confirm_reads": 0}, "node3: option confirm_reads: must be at least 1"),
        ({}, {"confirm_reads": "many"}, "node3: option confirm_reads: must be a whole number"),
        ({}, {"hold_off": -1}, "node3: option hold_off: must be at least 0"),
        ({}, {"timeout": 0}, "node3: option timeout: must be more than 0"),
        ({}, {"hold_off": "nan"}, "node3: option hold_off: must be a number of seconds"),
        ({"fence_witness_timeout": "soon"}, {}, "node3: fence_witness_timeout: must be a number of seconds"),
        ({"fence_on_failure": "cry"}, {}, "node3: fence_on_failure: must be one of leave, restore"),
    ],
)
def test_a_bad_value_is_one_line_that_names_host_and_key(
    variables: dict[str, Any], args: dict[str, Any], line: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse(variables, **args)
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(line)
