# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many outlets of one PDU in one conversation: how many packets it takes, and that nobody pays for a neighbour."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from devices.snmp_servers import USER, PickyPdu, RackPdu, rack_family

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    Deadline,
    DeviceError,
    NotFound,
    Power,
    Reading,
    Reason,
    Refused,
    TimedOut,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp import TYPE, SnmpDevice
from lab.snmp_message import GET, SET
from lab.snmp_server import Access

VERSION_3 = {
    "username": "fence",
    "auth_protocol": "sha256",
    "auth_password": "authentication-1",
    "priv_protocol": "aes128",
    "priv_password": "encryption-1",
    "community": None,
    "write_community": None,
}
ACCESS = Access(frozenset({0, 1, 3}), frozenset({b"reading"}), frozenset({b"writing"}), {b"fence": USER})
OUTLETS = range(1, 25)


@pytest.fixture(scope="module", autouse=True)
def engine_kept() -> Iterator[None]:
    """An engine that lives through all these tests: making one costs more than most of them."""
    with RackPdu(rack_family(1)) as pdu:
        driver = TYPE.driver(pdu.options())
        driver.read(Deadline(20))
        yield
        driver.close()


@pytest.fixture
def pdu() -> Iterator[PickyPdu]:
    with PickyPdu(rack_family(2), outlets=24, access=ACCESS, names={9: "web", 10: "twin", 11: "twin"}) as pdu:
        yield pdu


@pytest.fixture
def devices() -> Iterator[list[SnmpDevice]]:
    opened: list[SnmpDevice] = []
    yield opened
    for device in opened:
        device.close()


def device_of(pdu: RackPdu, devices: list[SnmpDevice], **options: Any) -> SnmpDevice:
    devices.append(SnmpDevice(pdu.options(**{"model": "apc_rpdu2", "outlet": None, **options})))
    return devices[-1]


def agents(*outlets: Any) -> list[dict[str, Any]]:
    return [{"outlets": outlet} if isinstance(outlet, list) else {"outlet": outlet} for outlet in outlets]


def powers(answers: Any) -> list[Power | Reason]:
    return [answer.power if isinstance(answer, Reading) else answer.reason for answer in answers]


def kinds(complaints: Any) -> list[Any]:
    return [None if complaint is None else type(complaint) for complaint in complaints]


# --- Reading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"version": "1"}, VERSION_3], ids=["2c", "1", "3"])
def test_twenty_four_outlets_are_read_in_one_packet(
    pdu: PickyPdu, devices: list[SnmpDevice], options: dict[str, Any]
) -> None:
    device = device_of(pdu, devices, **options)
    assert powers(device.read_all(agents(*OUTLETS), Deadline(20))) == [Power.ON] * 24
    assert [len(packet.bindings) for packet in pdu.packets] == [48]
    assert max(pdu.answer_bytes) < 1400


def test_a_read_asks_for_neither_name_nor_permission(devices: list[SnmpDevice]) -> None:
    with PickyPdu(rack_family(8)) as pdu:
        device = device_of(pdu, devices, model="eaton_g3")
        device.read_all(agents(7), Deadline(20))
        device.switch_all(agents(7), Power.OFF, Deadline(20))
    assert [(packet.kind, len(packet.bindings)) for packet in pdu.packets] == [(GET, 1), (GET, 2), (SET, 1)]


def test_the_family_and_the_names_are_learned_once(pdu: PickyPdu, devices: list[SnmpDevice]) -> None:
    device = device_of(pdu, devices, model=None)
    for _round in range(3):
        assert powers(device.read_all(agents("web", 3), Deadline(20))) == [Power.ON] * 2
    gets = [len(packet.bindings) for packet in pdu.packets if packet.kind == GET]
    assert gets == [1, 5, 5, 5]  # the sysObjectID, then two outlets and the name by which one was found
    assert len(pdu.packets) - len(gets) < 4


def test_a_text_about_all_outlets_is_asked_once(devices: list[SnmpDevice]) -> None:
    with PickyPdu(rack_family(35)) as pdu:
        device = device_of(pdu, devices, model="digipower")
        pdu.switch(3, False)
        time.sleep(0.05)
        assert powers(device.read_all(agents(2, 3, 4), Deadline(20))) == [Power.ON, Power.OFF, Power.ON]
    assert [len(packet.bindings) for packet in pdu.packets] == [1]


@pytest.mark.parametrize("version", ["1", "2c"])
@pytest.mark.parametrize("limit", [1, 2, 7, 40])
def test_a_pdu_that_takes_only_short_requests_is_read_all_the_same_and_remembered(
    pdu: PickyPdu, devices: list[SnmpDevice], version: str, limit: int
) -> None:
    pdu.most = limit
    device = device_of(pdu, devices, version=version)
    pdu.switch(5, False)
    time.sleep(0.05)
    wanted = [Power.OFF if outlet == 5 else Power.ON for outlet in OUTLETS]
    assert powers(device.read_all(agents(*OUTLETS), Deadline(20))) == wanted
    first = len(pdu.packets)
    assert powers(device.read_all(agents(*OUTLETS), Deadline(20))) == wanted
    second = len(pdu.packets) - first
    assert second < first
    if limit > 1:
        assert not [packet for packet in pdu.packets[first:] if len(packet.bindings) > limit]


@pytest.mark.parametrize("version", ["1", "2c"])
def test_a_missing_outlet_fails_alone(pdu: PickyPdu, devices: list[SnmpDevice], version: str) -> None:
    pdu.fault("missing", 5)
    device = device_of(pdu, devices, version=version)
    answers = powers(device.read_all(agents(4, 5, 6, 99, "nobody", "twin", 7), Deadline(20)))
    missing = Reason.NOT_FOUND
    assert answers == [Power.ON, missing, Power.ON, missing, missing, missing, Power.ON]
    complaints = device.switch_all(agents(4, 5, 6), Power.OFF, Deadline(20))
    assert kinds(complaints) == [None, NotFound, None]
    assert sorted(pdu.sent()) == ["4 off", "6 off"]


def test_an_agent_that_says_gen_err_for_one_object_answers_for_the_others(
    pdu: PickyPdu, devices: list[SnmpDevice]
) -> None:
    pdu.gen_err_for = 5
    device = device_of(pdu, devices)
    answers = device.read_all(agents(*OUTLETS), Deadline(20))
    assert powers(answers) == [Power.UNKNOWN if outlet == 5 else Power.ON for outlet in OUTLETS]
    assert len(pdu.packets) < 16


def test_the_values_of_one_outlet_come_in_one_packet(pdu: PickyPdu, devices: list[SnmpDevice]) -> None:
    """Off with the pending flag of a moment later would be a lie about an outlet that is just being restarted."""
    pdu.most = 7
    device_of(pdu, devices).read_all(agents(*OUTLETS), Deadline(20))
    for packet in pdu.packets:
        outlets = [oid[-1] for oid, _value in packet.bindings]
        assert all(outlets.count(outlet) == 2 for outlet in outlets)


# --- Switching ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"version": "1"}, VERSION_3], ids=["2c", "1", "3"])
def test_many_outlets_are_switched_by_one_set(
    pdu: PickyPdu, devices: list[SnmpDevice], options: dict[str, Any]
) -> None:
    device = device_of(pdu, devices, **options)
    assert device.switch_all(agents(*OUTLETS), Power.OFF, Deadline(20)) == [None] * 24
    assert [(packet.kind, len(packet.bindings)) for packet in pdu.packets] == [(GET, 48), (SET, 24), (GET, 48)]
    time.sleep(0.05)
    assert powers(device.read_all(agents(*OUTLETS), Deadline(20))) == [Power.OFF] * 24


@pytest.mark.parametrize("version", ["1", "2c"])
def test_a_locked_outlet_fails_alone_and_the_others_are_switched_once(
    pdu: PickyPdu, devices: list[SnmpDevice], version: str
) -> None:
    pdu.fault("refuse", 3, value=10)
    device = device_of(pdu, devices, version=version)
    assert kinds(device.switch_all(agents(2, 3, 4), Power.OFF, Deadline(20))) == [None, Refused, None]
    assert [len(packet.bindings) for packet in pdu.packets if packet.kind == SET] == [3, 1, 1, 1]
    done = [command.outlet for command in pdu.commands if command.outcome == "accepted"]
    assert sorted(done) == ["2", "4"]


@pytest.mark.parametrize("power", [Power.OFF, Power.ON])
def test_an_agent_that_obeys_the_first_part_of_a_request_only_is_told_the_rest_outlet_by_outlet(
    pdu: PickyPdu, devices: list[SnmpDevice], power: Power
) -> None:
    pdu.obeys_first = True
    device = device_of(pdu, devices)
    if power is Power.ON:
        for outlet in (2, 3, 4):
            assert device.switch_all(agents(outlet), Power.OFF, Deadline(20)) == [None]
        time.sleep(0.05)
        pdu.packets.clear()
    assert device.switch_all(agents(2, 3, 4), power, Deadline(20)) == [None] * 3
    assert [len(packet.bindings) for packet in pdu.packets if packet.kind == SET] == [3, 1, 1]
    time.sleep(0.05)
    assert powers(device.read_all(agents(2, 3, 4), Deadline(20))) == [power] * 3


def test_outlets_that_are_only_slow_are_not_told_twice(pdu: PickyPdu, devices: list[SnmpDevice]) -> None:
    for outlet in (2, 3, 4):
        pdu.fault("lag", outlet, value=1.0)
    assert device_of(pdu, devices).switch_all(agents(2, 3, 4), Power.OFF, Deadline(20)) == [None] * 3
    assert [len(packet.bindings) for packet in pdu.packets if packet.kind == SET] == [3]


def test_an_outlet_that_may_not_be_switched_is_left_out_before_anything_is_sent(devices: list[SnmpDevice]) -> None:
    with PickyPdu(rack_family(8)) as pdu:
        pdu.fault("unswitchable", 3)
        device = device_of(pdu, devices, model="eaton_g3")
        assert kinds(device.switch_all(agents(2, 3, 4), Power.OFF, Deadline(20))) == [None, Unsupported, None]
    assert sorted(pdu.sent()) == ["2 off", "4 off"]


def test_a_command_without_an_answer_is_not_sent_again_and_all_its_outlets_say_so(
    pdu: PickyPdu, devices: list[SnmpDevice]
) -> None:
    device = device_of(pdu, devices)
    pdu.silent_to = SET
    assert kinds(device.switch_all(agents(1, 2, 3), Power.OFF, Deadline(2.5))) == [TimedOut] * 3
    assert sorted(pdu.sent()) == ["1 off", "2 off", "3 off"]
    assert len([packet for packet in pdu.packets if packet.kind == SET]) == 1


def test_the_read_community_switches_none(pdu: PickyPdu, devices: list[SnmpDevice]) -> None:
    device = device_of(pdu, devices, write_community="reading")
    complaints = device.switch_all(agents(1, 2), Power.OFF, Deadline(20))
    assert all(isinstance(complaint, AuthenticationFailed) for complaint in complaints)
    assert pdu.sent() == []


def test_scheduled_commands_are_called_off_by_one_set_before_the_command(
    pdu: PickyPdu, devices: list[SnmpDevice]
) -> None:
    with pdu.board.lock:
        for outlet in (2, 3):
            pdu.world.switch_outlet(f"{pdu.key}/{outlet}", False, 60.0)
    device = device_of(pdu, devices)
    assert device.switch_all(agents(2, 3, 4), Power.OFF, Deadline(20)) == [None] * 3
    assert pdu.sent() == ["2 cancel", "3 cancel", "2 off", "3 off", "4 off"]
    assert [len(packet.bindings) for packet in pdu.packets if packet.kind == SET] == [2, 3]


def test_outlets_of_one_text_are_switched_by_one_set(devices: list[SnmpDevice]) -> None:
    with PickyPdu(rack_family(35)) as pdu:
        device = device_of(pdu, devices, model="digipower")
        assert device.switch_all(agents(2, 7), Power.OFF, Deadline(20)) == [None, None]
        assert [pdu.is_on(outlet) for outlet in range(1, 9)] == [True, False, True, True, True, True, False, True]
    assert len([packet for packet in pdu.packets if packet.kind == SET]) == 1


def test_two_agents_of_one_outlet_send_one_command(pdu: PickyPdu, devices: list[SnmpDevice]) -> None:
    device = device_of(pdu, devices)
    assert device.switch_all(agents(9, "web"), Power.OFF, Deadline(20)) == [None, None]
    assert pdu.sent() == ["9 off"]


# --- One agent with several outlets -------------------------------------------------------------------------------


def test_several_outlets_of_one_agent_are_on_or_off_when_all_are(pdu: PickyPdu, devices: list[SnmpDevice]) -> None:
    device = device_of(pdu, devices)
    both = agents([3, 4])
    assert powers(device.read_all(both, Deadline(20))) == [Power.ON]
    pdu.switch(3, False)
    time.sleep(0.05)
    reading = device.read_all(both, Deadline(20))[0]
    assert isinstance(reading, Reading)
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)
    assert reading.msg == "of its 2 outlets only 4 read on"
    assert reading.raw == "3: 1 (off); 4: 2 (on)"
    assert device.switch_all(both, Power.OFF, Deadline(20)) == [None]
    time.sleep(0.05)
    assert powers(device.read_all(both, Deadline(20))) == [Power.OFF]
    assert pdu.sent() == ["3 off", "4 off"]


def test_one_unreadable_outlet_makes_the_agent_unknown_and_is_named(pdu: PickyPdu, devices: list[SnmpDevice]) -> None:
    pdu.switch(3, False)
    pdu.fault("unlisted", 4, value=77)
    time.sleep(0.05)
    reading = device_of(pdu, devices).read_all(agents([3, 4]), Deadline(20))[0]
    assert isinstance(reading, Reading)
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)
    assert reading.msg.startswith("outlet 4: 77 is no documented status")


def test_an_agent_with_a_missing_outlet_is_not_switched_at_all(pdu: PickyPdu, devices: list[SnmpDevice]) -> None:
    device = device_of(pdu, devices)
    assert kinds(device.switch_all(agents([3, 99], 5), Power.OFF, Deadline(20))) == [NotFound, None]
    assert isinstance(device.read_all(agents([3, 99]), Deadline(20))[0], NotFound)
    assert pdu.sent() == ["5 off"]


def test_an_agent_whose_outlets_were_switched_in_part_does_not_look_as_if_nothing_was_sent(
    pdu: PickyPdu, devices: list[SnmpDevice]
) -> None:
    pdu.fault("refuse", 4, value=16)  # authorizationError
    complaint = device_of(pdu, devices).switch_all(agents([3, 4]), Power.OFF, Deadline(20))[0]
    assert isinstance(complaint, DeviceError)
    assert complaint.reason is Reason.REFUSED
    assert "outlet 4" in str(complaint)
    assert [command.outlet for command in pdu.commands if command.outcome == "accepted"] == ["3"]
