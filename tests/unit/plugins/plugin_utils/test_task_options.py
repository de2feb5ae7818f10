# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the task and the variables that stand in for them; the documentation says the same."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.hostpm.fencing.plugins.modules import fence
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import State
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import InputError
from ansible_collections.hostpm.fencing.plugins.plugin_utils._task_options import (
    ARGUMENT_SPEC,
    TaskOptions,
    parse_options,
)


def parse(variables: dict[str, Any] | None = None, **args: Any) -> TaskOptions:
    return parse_options("node3", args, variables or {}, lambda value: value)


def test_the_documentation_has_the_options_of_the_action() -> None:
    documented = yaml.safe_load(fence.DOCUMENTATION)["options"]
    said = {
        name: {key: option.get(key) for key in ("type", "choices", "elements")} for name, option in documented.items()
    }
    done = {
        name: {key: spec.get(key) for key in ("type", "choices", "elements")} for name, spec in ARGUMENT_SPEC.items()
    }
    assert said == done


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
