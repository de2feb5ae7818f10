# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an answer means, without a line: rows are whole lines, words are exact, and two answers are none."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    DeviceError,
    NotFound,
    Power,
    Reading,
    Reason,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_conversation import cleaned
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_format import (
    Dialogue,
    filled,
    listing_of,
    reading_of,
    row_of,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli_dialogues import DIALOGUES

APC = DIALOGUES["apc_aos5"]
every_dialogue = pytest.mark.parametrize("dialogue", DIALOGUES.values(), ids=DIALOGUES)


def read(text: str, outlet: str = "3", dialogue: Dialogue = APC) -> Reading:
    return reading_of(dialogue, row_of(dialogue, listing_of(dialogue, text), outlet))


def test_a_row_is_read() -> None:
    assert read("E000: Success\n 2: a: On\n 3: b: Off\napc>") == Reading(Power.OFF, "Off (named b)")


@pytest.mark.parametrize("word", ["off", "OFF", "Of", "Off.", "Off On", "On Off", "0", "False"])
def test_another_word_is_unknown(word: str) -> None:
    reading = read(f" 3: b: {word}\napc>")
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)


def test_half_a_line_is_no_row() -> None:
    with pytest.raises(BadReply):
        read(" 3: b: Off")


def test_two_rows_that_differ_are_no_answer_and_two_that_agree_are_one() -> None:
    with pytest.raises(BadReply):
        read(" 3: b: Off\n 3: b: On\napc>")
    assert read(" 3: b: Off\n 3: b: Off\napc>").power is Power.OFF


def test_a_number_is_not_the_beginning_of_another() -> None:
    with pytest.raises(NotFound):
        read(" 31: b: Off\n 13: c: Off\napc>")


def test_a_number_wins_over_a_name() -> None:
    assert read(" 2: 3: Off\n 3: b: On\napc>").power is Power.ON


def test_a_complaint_is_told_with_what_the_device_said() -> None:
    with pytest.raises(AuthenticationFailed, match="E104: User Level Denial"):
        read("E104: User Level Denial\napc>")


def test_an_answer_about_no_outlet_in_particular_does_not_count_beside_a_complaint() -> None:
    with pytest.raises(DeviceError):
        read("Error: unknown object\n0\npdu#0>", dialogue=DIALOGUES["eaton_g3"])


@pytest.mark.parametrize(
    ("row", "power"),
    [
        (" AA1  web  Off  Off  Normal", Power.OFF),
        (" AA1  web Off  On  On  Normal", Power.ON),
        (" AA1  web  Off  Off  On  Normal", Power.UNKNOWN),
        (" AA1  web  Wake On  Off  Normal", Power.UNKNOWN),
        (" AA1  Off  Off  Normal", Power.OFF),
    ],
)
def test_a_name_of_such_words_does_not_become_the_state(row: str, power: Power) -> None:
    assert read(f"{row}\nSwitched PDU:", "AA1", DIALOGUES["sentry_cdu8"]).power is power


@pytest.mark.parametrize(
    ("row", "power"),
    [
        (" 3 | db | OFF | 0.5 Secs | ON | 1 |", Power.OFF),
        (" 3 | db | (defined) | OFF | 0.5 Secs | ON |", Power.OFF),
        (" 3 | OFF | ON | 0.5 Secs | OFF | 1 |", Power.ON),
        (" 3 | db | --- | 0.5 Secs | OFF | 1 |", Power.UNKNOWN),
        (" 3 | db | OFF * | 0.5 Secs | OFF | 1 |", Power.UNKNOWN),
    ],
)
def test_the_status_column_of_a_table_is_no_other_column(row: str, power: Power) -> None:
    assert read(f"{row}\nVMR>", "3", DIALOGUES["wti"]).power is power


@every_dialogue
def test_a_row_never_runs_over_the_end_of_its_line(dialogue: Dialogue) -> None:
    """White space and negated classes match line ends: rows are written without them."""
    pattern = dialogue.row.replace(r"\n", "")
    assert r"\s" not in pattern.replace(r"\S", "")
    for negated in re.findall(r"\[\^[^\]]*\]", dialogue.row):
        assert r"\n" in negated


@every_dialogue
@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60))
def test_noise_is_never_on_or_off(dialogue: Dialogue, text: str) -> None:
    """Unless it has one of the device's own words in it."""
    if any(word in text for word in (*dialogue.words.on, *dialogue.words.off)):
        return
    try:
        reading = read(cleaned(text) + "\n", "3", dialogue)
    except DeviceError:
        return
    assert reading.power is Power.UNKNOWN


@every_dialogue
def test_a_word_is_not_on_and_off(dialogue: Dialogue) -> None:
    words = (*dialogue.words.on, *dialogue.words.off, *dialogue.words.moving)
    assert len(set(words)) == len(words)


@every_dialogue
def test_what_an_outlet_may_look_like_leaves_no_room_for_another_command(dialogue: Dialogue) -> None:
    for look in filter(None, (dialogue.outlet, dialogue.system, dialogue.profile)):
        for text in (
            "3 4",
            "3;4",
            "3\n4",
            "3|4",
            "$(x)",
            "`x`",
            "3&",
            "3>x",
            "3'",
            '3"',
            "3\\",
            "-3",
            "\x03",
            "all,",
            "3\r",
        ):
            assert not re.fullmatch(look, text), text


@every_dialogue
def test_no_command_is_a_restart(dialogue: Dialogue) -> None:
    for step in (*dialogue.on, *dialogue.off):
        assert not re.search(r"(?i)cycle|reboot|reset|toggle|\brestart", step.send)


def test_a_word_that_an_agent_does_not_have_leaves_nothing_behind() -> None:
    command = "chsysstate -n {outlet}{profile: -f }"
    assert filled(command, {"outlet": "x", "profile": ""}) == "chsysstate -n x"
    assert filled(command, {"outlet": "x", "profile": "normal"}) == "chsysstate -n x -f normal"
    assert filled(r"blade\[{outlet}\]", {"outlet": "1.2"}, escape=True) == r"blade\[1\.2\]"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\r\nb\rc\n\rd", "a\nb\nc\nd"),
        ("\x1b[1mOff\x1b[0m", "Off"),
        ("\x1b[2;1H 3: b: Off", "\n 3: b: Off"),
        ("Onn\x08 \x08\x08ff", "Off"),
        ("\x1b]0;title\x07apc>\x00", "apc>"),
    ],
)
def test_what_terminals_are_told_is_no_text(raw: str, text: str) -> None:
    assert cleaned(raw) == text


def test_a_dialogue_without_the_outlet_in_its_question_tells_all() -> None:
    assert APC.one_listing
    assert not DIALOGUES["eaton_g3"].one_listing
    assert not replace(APC, status=DIALOGUES["eaton_g3"].status).one_listing
