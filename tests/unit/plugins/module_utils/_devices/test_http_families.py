# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of HTTP families and the words it is written in, without sockets."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Deadline, DeviceError, Power
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.http_families import (
    FAMILIES,
    Contradiction,
    Family,
    JsonRows,
    Request,
    TextList,
    at,
    json_of,
    same,
    steps_of,
)

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.model)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
# An answer of each family that speaks JSON, about the outlet of its example.
DOCUMENTS = {
    "netio": lambda value: {"Outputs": [{"ID": 1, "State": 1}, {"ID": 7, "State": value}]},
    "jaws": lambda value: [{"id": "AA7", "state": value}, {"id": "AA8", "state": "On"}],
    "dli_rest": lambda value: [{"physical_state": True}] * 6 + [{"physical_state": value}],
    "shelly_gen2": lambda value: {"switch:0": {"output": value}, "switch:1": {"output": True}},
    "tasmota": lambda value: {"POWER1": value, "POWER2": "ON"},
    "openbmc": lambda value: {"data": value},
}


def power_of(family: Family, text: str) -> Power | None:
    """What an answer says about the outlet of the example; None if it is an error."""
    outlet = family.name_of(family.example) if family.outlet else ""
    try:
        return family.judge(text, outlet, lambda word: word, Deadline(5.0)).power
    except DeviceError:
        return None


@pytest.mark.parametrize("model", DOCUMENTS)
@given(value=JSON)
def test_off_is_the_one_documented_value_and_nothing_else(model: str, value: Any) -> None:
    family = FAMILIES[model]
    assert (power_of(family, json.dumps(DOCUMENTS[model](value))) is Power.OFF) == same(value, family.off)
    assert power_of(family, json.dumps(DOCUMENTS[model](family.off))) is Power.OFF
    assert power_of(family, json.dumps(DOCUMENTS[model](family.on))) is Power.ON


@every_family
@given(text=st.text() | JSON.map(json.dumps))
def test_no_other_text_is_off(family: Family, text: str) -> None:
    assert power_of(family, text) is not Power.OFF


@every_family
def test_a_row_is_whole(family: Family) -> None:
    assert family.trust in ("A", "B", "C") and family.title and family.source
    assert set(family.auth) <= {"basic", "digest", "none"} and set(family.protocols) <= {"https", "http"}
    assert bool(family.outlet) == bool(family.example)
    if family.outlet:
        assert re.fullmatch(family.outlet, family.example)
    assert not same(family.on, family.off) and family.switch_on != family.switch_off
    for request in (family.status, family.switch_on, family.switch_off):
        ask = request.of([family.name_of(family.example) if family.outlet else ""])
        assert ask.path.startswith("/") and not re.search(r"\{(outlet|each|mask)\}", ask.path + ask.body)
        assert (ask.method in ("POST", "PUT", "PATCH")) == bool(ask.body)
        if request.content_type == "application/json":
            json.loads(ask.body)


def test_a_request_names_every_outlet() -> None:
    each = Request("POST", "/x", '{"all": [{each}]}', each='{"id": {outlet}}', joint=", ")
    assert each.of(["3", "5"]).body == '{"all": [{"id": 3}, {"id": 5}]}'
    assert Request("GET", "/on?led={mask}").of(["1", "8"]).path == "/on?led=100000010000000000000000"
    assert Request("GET", "/on/{outlet}").of(["8"]).path == "/on/8"


def test_a_path_into_json_leads_to_one_place_or_nowhere() -> None:
    value = {"a": {"b": [{"c": 0}]}, "switch:0": {"x": 1}}
    assert (at(value, "a.b[0].c"), at(value, "switch:0.x"), at(value, "")) == (0, 1, value)
    assert steps_of("[1][2]") == (1, 2)
    for path in ("a.b[1].c", "a.b.0.c", "a.c", "a.b[0].c.d"):
        assert str(at(value, path)) == "nothing"
    for path in ("a..b", ".a", "a[x]", "a[0", "a]", "a[-1]", "a[0]b"):
        with pytest.raises(ValueError):
            steps_of(path)


def test_what_is_said_twice_and_differently_is_a_contradiction() -> None:
    assert isinstance(json_of('{"a": 1, "a": 0}')["a"], Contradiction)
    assert isinstance(json_of('{"a": 1, "a": true}')["a"], Contradiction)
    assert json_of('{"a": 1, "a": 1}') == {"a": 1}


def test_rows_without_a_name_and_places_behind_the_last_outlet_are_nobodys() -> None:
    rows = JsonRows("", value="v", name="id").rows('[{"id": true, "v": 0}, {"v": 0}, 3, {"id": 7, "v": 1}]')
    assert rows is not None and [name for name, _value in rows] == ["", "", "", "7"]
    rows = TextList(r"<p>(.*)</p>", start=1, count=2).rows("<p>x,1,0,0,0</p>")
    assert rows is not None and list(rows) == [("1", "1"), ("2", "0")]
