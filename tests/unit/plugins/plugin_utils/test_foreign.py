# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read out of other people's modules without running them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hostpm.fencing.plugins.plugin_utils import _foreign

SPEC = """
def main():
    module = AnsibleModule(
        argument_spec=dict(
            address=dict(type="str"),
            login=dict(type="str", no_log=True),
            shown=dict(no_log=False),
            **{"pin": {"type": "str", "no_log": True}},
        ),
    )
"""


def test_options_that_are_marked_are_found_in_the_text_of_a_module() -> None:
    assert _foreign._marked_no_log(SPEC) == {"login", "pin"}
    assert _foreign._marked_no_log("this is no Python (") == set()


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({}, None),
        ({"choices": ["on", "off", "cycle"]}, None),
        ({"choices": [True, False]}, None),
        ({"choices": ["present", "absent"]}, "its option state takes no on and off"),
        ({"required": True, "choices": ["on", "off"]}, "it requires the option state, so it cannot read"),
    ],
)
def test_a_module_that_cannot_be_an_agent_says_so_itself(state: dict[str, Any], problem: str | None) -> None:
    assert _foreign._contract_problem({"state": state, "timeout": {}}) == problem


def test_what_a_module_says_becomes_one_line_of_bounded_length() -> None:
    assert _foreign._line("first\nsecond") == "first"
    assert _foreign._line("bell\a and \x1b[31mred") == "bell? and ?[31mred"
    assert len(_foreign._line("x" * 5000)) == _foreign.LONGEST_TEXT + 3
    assert _foreign._line(None) == _foreign._line("") == ""
    assert _foreign._line({"a": 1}) == "{'a': 1}"


@pytest.mark.parametrize("value", [False, True, 0, 1, None, "", "of", "off ", ["off"], {"power": "off"}, "offline"])
def test_nothing_but_the_words_on_and_off_is_a_power(value: Any) -> None:
    assert _foreign._power(value) is _foreign.Power.UNKNOWN
