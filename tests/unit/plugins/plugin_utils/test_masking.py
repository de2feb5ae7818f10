# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masking takes every secret out of every text and changes nothing else."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hostpm.fencing.plugins.module_utils._secret_names import SECRET_NAME
from ansible_collections.hostpm.fencing.plugins.plugin_utils._secrets import OUR_WORDS, Mask

SECRET = "Kx7\"q'\\ é&"
secrets = st.text(min_size=4, max_size=20).filter(lambda text: len(text.strip()) >= 4 and "*" not in text)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)


def mask(*values: str, names: tuple[str, ...] = ()) -> Mask:
    return Mask({f"a option{number}": value for number, value in enumerate(values)}, names)


@given(secrets, st.text(), st.text())
def test_no_text_holds_a_secret_afterwards(secret: str, before: str, after: str) -> None:
    masking = mask(secret)
    if not masking.refused:
        assert secret not in masking.text(f"{before}{secret}{after}").replace("********", "\0")


@given(secrets, st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_is_no_text_stays_as_it_is(secret: str, value: Any) -> None:
    assert mask(secret, "None", "True", "1234").apply(value) == value


@given(st.dictionaries(st.text(), st.text()), secrets)
def test_keys_stay_as_they_are(value: dict[str, str], secret: str) -> None:
    assert list(mask(secret, *value).apply(value)) == list(value)


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        f"https://fence:{quote(SECRET, safe='')}@bmc",
    ],
)
def test_a_secret_is_found_however_it_is_written(written: str) -> None:
    assert "Kx7" not in mask(SECRET).text(f"refused: {written}")


def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it() -> None:
    assert mask("hunter", "hunter-and-more").text("it was hunter-and-more") == "it was ********"


def test_nested_values_are_masked() -> None:
    assert mask("hunter").apply({"a": [{"b": ("hunter", 1)}]}) == {"a": [{"b": ["********", 1]}]}


def test_output_of_a_module_stays_json_also_when_the_secret_is_a_number() -> None:
    output = mask("1234").apply_to_output('{"rc": 1234, "msg": "pin 1234 refused"}')
    assert json.loads(output) == {"rc": 1234, "msg": "pin ******** refused"}
    assert mask("hunter").apply_to_output("junk hunter {") == "junk ******** {"


@pytest.mark.parametrize("word", sorted(OUR_WORDS))
def test_a_word_of_ours_is_refused_and_stays_readable(word: str) -> None:
    masking = mask(word.upper())
    assert masking.refused == ["a option0"]
    assert masking.text(word) == word


@pytest.mark.parametrize("value", ["abc", " ab ", "nod", "node3", "ode3.exam"])
def test_what_is_short_or_a_part_of_a_name_is_refused(value: str) -> None:
    assert mask(value, names=("node3.example.com",)).warnings("node3") == [
        "node3: agent a: option0: a secret of fewer than 4 characters, or one that is an ordinary word of the result,"
        " cannot be masked; choose another one"
    ]


SPEAKING = """password passwd pass_phrase login_password user_pass pwd token api_key secret_id community private_key key auth_key
pin credentials k_g psk session_cookie passcode"""
SILENT = "address port tap bypass passive outlet username keyboard pinout spinning key_type"


@pytest.mark.parametrize("name", SPEAKING.split())
def test_a_name_that_speaks_of_a_secret_is_known(name: str) -> None:
    assert SECRET_NAME.search(name)


@pytest.mark.parametrize("name", SILENT.split())
def test_a_name_that_does_not_is_left_alone(name: str) -> None:
    assert not SECRET_NAME.search(name)
