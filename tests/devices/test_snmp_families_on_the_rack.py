# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every family of the product's table against the rack's PDUs, whose facts were typed by somebody else from the same MIBs.

A slip in either table shows here: a command that does not switch the outlet, or a state that is read as another.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from devices.snmp_servers import PickyPdu, RackPdu

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    Deadline,
    Driver,
    NotFound,
    Power,
    Reading,
    Reason,
    Refused,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp import TYPE, SnmpDevice
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import FAMILIES
from lab.pdu_facts import FAMILIES as FACTS
from lab.pdu_facts import Family as Facts
from lab.pdu_facts import fill, oid
from lab.snmp_message import END_OF_MIB, GET, NO_SUCH_INSTANCE, NO_SUCH_OBJECT, SET

EVERY = sorted(FAMILIES)
# Gude's products differ in one number, which the first two tests look at.
MODELS = [model for model in EVERY if not model.startswith("gude_") or model in ("gude_epc1202", "gude_epc8")]
every_model = pytest.mark.parametrize("model", EVERY)
models = pytest.mark.parametrize("model", MODELS)


def those(wanted: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Only the models for which this holds."""

    def marked(test: Any) -> Any:
        test.wanted = wanted
        return pytest.mark.parametrize("model", [model for model in MODELS if wanted(model)])(test)

    return marked


@pytest.fixture(scope="module", autouse=True)
def engine_kept() -> Iterator[None]:
    """An engine that lives through all these tests: making one costs more than most of them."""
    with RackPdu(FACTS["apc_rpdu"]) as pdu:
        driver = TYPE.driver(pdu.options())
        driver.read(Deadline(20))
        yield
        driver.close()


@pytest.fixture
def pdu(model: str) -> Iterator[PickyPdu]:
    with PickyPdu(FACTS[model], names={7: "db1 psu-a", 8: "twin", 9: "web", 11: "twin"}, lag_s=0.005) as pdu:
        yield pdu


@pytest.fixture
def drivers() -> Iterator[list[Driver]]:
    opened: list[Driver] = []
    yield opened
    for driver in opened:
        driver.close()


def outlet_text(model: str, outlet: int) -> Any:
    """A bare number where the family takes one, else the full index."""
    family = FAMILIES[model]
    return outlet if family.bare is not None else "1." * (len(family.parts) - 1) + str(outlet)


def driver_for(pdu: RackPdu, drivers: list[Driver], **options: Any) -> Driver:
    drivers.append(TYPE.driver(pdu.options(**{"accept_untested": True, **options})))
    return drivers[-1]


def read_until(driver: Driver, power: Power) -> Reading:
    end = time.monotonic() + 15
    while True:
        reading = driver.read(Deadline(20))
        if reading.power is power or time.monotonic() > end:
            return reading
        time.sleep(0.01)


def settles(pdu: RackPdu, off: set[int]) -> bool:
    """Whether exactly these outlets go off, and nothing moves any more then."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if {number for number in range(1, 13) if not pdu.is_on(number)} == off:
            return True
        time.sleep(0.01)
    return False


@every_model
def test_a_command_switches_the_outlet_and_no_other_one(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    for outlet in (1, 9):
        driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, outlet))
        assert driver.read(Deadline(20)).power is Power.ON
        driver.switch(Power.OFF, Deadline(20))
        assert read_until(driver, Power.OFF).power is Power.OFF
        assert settles(pdu, {outlet})
        driver.switch(Power.ON, Deadline(20))
        assert read_until(driver, Power.ON).power is Power.ON
        assert settles(pdu, set())
    assert pdu.sent() == [f"{outlet} {word}" for outlet in (1, 9) for word in ("off", "on")]


@those(lambda model: not FAMILIES[model].signs)
def test_what_has_no_sign_is_not_guessed(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    with pytest.raises(Unsupported, match=r"no PDU family is known for sysObjectID .*; set model to one of docs/"):
        driver_for(pdu, drivers).read(Deadline(20))


@pytest.mark.parametrize("model", [model for model in EVERY if FAMILIES[model].signs])
def test_the_family_is_detected(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    found = driver_for(pdu, drivers, outlet=outlet_text(model, 7))
    told = driver_for(pdu, drivers, outlet=outlet_text(model, 7), model=model)
    assert found.read(Deadline(20)) == told.read(Deadline(20))


def test_an_elder_apc_card_is_not_guessed(drivers: list[Driver]) -> None:
    with RackPdu(dataclasses.replace(FACTS["apc_masterswitch"], sys_object_id="318.1.3.4.3")) as pdu:
        with pytest.raises(
            Unsupported, match=r"sysObjectID 1\.3\.6\.1\.4\.1\.318\.1\.3\.4\.3; set model to one of docs/"
        ):
            driver_for(pdu, drivers).read(Deadline(20))
        assert pdu.sent() == []


def test_a_dpi_pdu_with_neither_firmware_is_not_guessed(drivers: list[Driver]) -> None:
    family = FACTS["ibm_dpi"]
    constants = {oid: value for oid, value in family.constants.items() if not oid.startswith("2.6.223.7.3")}
    with (
        RackPdu(dataclasses.replace(family, constants=constants)) as pdu,
        pytest.raises(Unsupported, match="sysObjectID"),
    ):
        driver_for(pdu, drivers).read(Deadline(20))


NAMED = those(lambda model: FAMILIES[model].name)


@NAMED
def test_an_outlet_is_found_by_its_exact_name(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    driver = driver_for(pdu, drivers, model=model, outlet="web")
    driver.switch(Power.OFF, Deadline(20))
    reading = read_until(driver, Power.OFF)
    assert reading.power is Power.OFF and reading.raw.endswith(", named web")
    assert pdu.sent() == ["9 off"]
    # Version 1 walks without GETBULK.
    elder = driver_for(pdu, drivers, model=model, version="1", outlet="web")
    assert elder.read(Deadline(20)) == reading
    for name in ("WEB", "we", "db1"):
        with pytest.raises(NotFound, match="none of the PDU's 12 outlets"):
            driver_for(pdu, drivers, model=model, outlet=name).read(Deadline(20))


@NAMED
def test_a_name_that_two_outlets_have_is_refused_and_both_are_told(
    pdu: RackPdu, model: str, drivers: list[Driver]
) -> None:
    driver = driver_for(pdu, drivers, model=model, outlet="twin")
    with pytest.raises(NotFound) as told:
        driver.switch(Power.OFF, Deadline(20))
    parts = FAMILIES[model].parts
    for outlet in (8, 11):
        assert any(f"{prefix}{outlet}" in str(told.value) for prefix in ("1." * (len(parts) - 1), "0."))
    assert pdu.sent() == []


@models
def test_an_outlet_beyond_the_table_is_not_found_and_nothing_is_sent(
    pdu: RackPdu, model: str, drivers: list[Driver]
) -> None:
    for version in ("1", "2c"):
        driver = driver_for(pdu, drivers, model=model, version=version, outlet=outlet_text(model, 60))
        with pytest.raises(NotFound, match="no outlet"):
            driver.read(Deadline(20))
        with pytest.raises(NotFound, match="no outlet"):
            driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == []


def unsure(model: str) -> list[int]:
    """All numbers of the status but the one for on and the one for off."""
    status = FACTS[model].status
    return [number for number in status.values if number not in (status.value("on"), status.value("off"))]


@those(unsure)
def test_every_state_of_the_mib_that_is_neither_on_nor_off_is_unknown(
    pdu: RackPdu, model: str, drivers: list[Driver]
) -> None:
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    for value in unsure(model):
        pdu.fault("unlisted", 7, value=value)
        reading = driver.read(Deadline(20))
        listed = FAMILIES[model].states.get(str(value) if FAMILIES[model].status.element else value)
        reason = Reason.UNCONFIRMED if listed else Reason.BAD_REPLY
        assert (value, reading.power, reading.reason) == (value, Power.UNKNOWN, reason)


@models
def test_a_value_of_no_table_is_a_bad_reply_and_never_off(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    for value in (6000, 77, *(() if FACTS[model].gauge else (-9,))):
        pdu.fault("unlisted", 7, value=value)
        reading = driver.read(Deadline(20))
        assert (value, reading.power, reading.reason) == (value, Power.UNKNOWN, Reason.BAD_REPLY)


@those(lambda model: not FAMILIES[model].status.element and not FACTS[model].status.wanted)
def test_a_text_where_a_number_belongs_is_a_bad_reply_and_stops_a_command(
    pdu: RackPdu, model: str, drivers: list[Driver]
) -> None:
    pdu.fault("wrong_type", 7)
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    reading = driver.read(Deadline(20))
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)
    with pytest.raises(Exception, match="nothing was sent"):
        driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == []


def tells_pending(model: str) -> bool:
    facts = FACTS[model]
    told = [
        states.value(word) for states in (facts.status, facts.control_state) if states for word in ("to_on", "pending")
    ]
    return any(value is not None for value in told) or bool(facts.pending or facts.going_to or facts.all_pending)


@those(tells_pending)
def test_off_does_not_count_while_a_command_is_pending(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    pdu.switch(7, False)
    assert read_until(driver, Power.OFF).power is Power.OFF
    with pdu.board.lock:
        pdu.world.switch_outlet(f"{pdu.key}/7", True, 60.0)
    reading = driver.read(Deadline(20))
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)


@those(lambda model: FAMILIES[model].cancels)
def test_a_scheduled_command_is_called_off_before_a_new_one(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    with pdu.board.lock:
        pdu.world.switch_outlet(f"{pdu.key}/7", False, 60.0)
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    assert driver.read(Deadline(20)).reason is Reason.UNCONFIRMED
    driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == ["7 cancel", "7 off"]
    assert read_until(driver, Power.OFF).power is Power.OFF


@those(lambda model: FACTS[model].switchable or (FACTS[model].commands and FACTS[model].commands.locked))
def test_an_outlet_that_the_pdu_calls_not_switchable_is_not_sent_a_command(
    pdu: RackPdu, model: str, drivers: list[Driver]
) -> None:
    pdu.fault("unswitchable", 7)
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    assert driver.read(Deadline(20)).power is Power.ON
    with pytest.raises(Unsupported, match=r"the PDU says that this (outlet|socket)"):
        driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == []


@those(lambda model: FACTS[model].relay_failed or FACTS[model].mirror)
def test_off_is_unknown_while_a_further_witness_is_against_it(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    pdu.switch(7, False)
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    assert read_until(driver, Power.OFF).power is Power.OFF
    pdu.fault("relay_failed", 7)
    reading = driver.read(Deadline(20))
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)
    assert reading.msg.startswith("the PDU says: ")


@those(lambda model: FACTS[model].status.wanted)
def test_what_was_asked_of_a_port_is_not_what_it_does(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    pdu.fault("lag", 7, value=0.5)
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    driver.switch(Power.OFF, Deadline(20))
    reading = driver.read(Deadline(20))
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)
    assert read_until(driver, Power.OFF).power is Power.OFF
    assert not pdu.is_on(7)


@models
def test_an_exception_instead_of_a_value_is_never_off_and_stops_a_command(
    pdu: PickyPdu, model: str, drivers: list[Driver]
) -> None:
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    for tag in (NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB):
        pdu.exception_for = FACTS[model].one_string or fill(FACTS[model].status.oid, 7), tag
        with pytest.raises(NotFound):
            driver.read(Deadline(20))
        with pytest.raises(NotFound):
            driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == []


@models
def test_a_stuck_relay_is_read_as_it_is(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    pdu.fault("ignore", 7)
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    driver.switch(Power.OFF, Deadline(0.5 if FAMILIES[model].status.element else 20))
    assert driver.read(Deadline(20)).power is Power.ON


@models
def test_a_refused_command_is_told_at_once(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    pdu.fault("refuse", 7, value=17)  # notWritable
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    with pytest.raises(Refused):
        driver.switch(Power.OFF, Deadline(20))
    assert [command.outcome for command in pdu.commands] == ["refused"]
    assert driver.read(Deadline(20)).power is Power.ON


@models
def test_a_status_of_before_the_command_is_no_off(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    pdu.fault("stale", 7, value=0.15)
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    began = time.monotonic()
    driver.switch(Power.OFF, Deadline(20))
    reading = read_until(driver, Power.OFF)
    assert reading.power is Power.OFF and not pdu.is_on(7)
    # Where the present state is the other witness of a cached one, that one tells first.
    assert FACTS[model].status.wanted or time.monotonic() - began > 0.1


@models
def test_several_outlets_are_switched_in_one_conversation(pdu: PickyPdu, model: str) -> None:
    device = SnmpDevice(pdu.options(model=model, outlet=None, accept_untested=True))
    agents = [{"outlet": outlet_text(model, outlet)} for outlet in (2, 5, 12)]
    assert device.switch_all(agents, Power.OFF, Deadline(20)) == [None] * 3
    assert settles(pdu, {2, 5, 12})
    readings = device.read_all(agents, Deadline(20))
    assert [reading.power for reading in readings if isinstance(reading, Reading)] == [Power.OFF] * 3
    device.close()
    sets = [len(packet.bindings) for packet in pdu.packets if packet.kind == SET]
    if FAMILIES[model].one_write_per_request:
        assert sets == [1, 1, 1]
    else:
        assert sets == ([1] if FAMILIES[model].status.element else [3] * (1 + len(FAMILIES[model].first)))


@those(lambda model: FACTS[model].unlock)
def test_an_outlet_is_unlocked_before_each_command_in_a_request_of_its_own(
    pdu: PickyPdu, model: str, drivers: list[Driver]
) -> None:
    driver = driver_for(pdu, drivers, model=model)
    driver.switch(Power.OFF, Deadline(20))
    driver.switch(Power.OFF, Deadline(20))
    unlock, command = oid(FACTS[model].unlock or "", 7), oid(FACTS[model].status.oid, 7)
    written = [[name for name, _value in packet.bindings] for packet in pdu.packets if packet.kind == SET]
    assert written == [[unlock], [command]] * 2


def test_a_model_that_nobody_has_tried_is_refused_before_and_after_it_was_asked(drivers: list[Driver]) -> None:
    known = {"address": "pdu", "outlet": "1.1.1.7", "community": "c"}
    ((option, what),) = TYPE.problems({**known, "model": "bachmann_bluenet2"})
    assert option == "model" and "set accept_untested to true" in what
    assert list(TYPE.problems({**known, "model": "bachmann_bluenet2", "accept_untested": True})) == []
    with PickyPdu(FACTS["bachmann_bluenet2"]) as pdu:
        driver = driver_for(pdu, drivers, outlet="1.1.1.7", accept_untested=False)
        with pytest.raises(Unsupported, match=r"Bachmann BlueNet2; .*set accept_untested to true"):
            driver.switch(Power.OFF, Deadline(20))
        assert [packet.kind for packet in pdu.packets] == [GET]


# --- Detection where the number is not enough ---------------------------------------------------------------------


def detected(facts: Facts, drivers: list[Driver], **more: Any) -> Power:
    with PickyPdu(facts) as pdu:
        return driver_for(pdu, drivers, **more).read(Deadline(20)).power


@pytest.mark.parametrize(
    ("model", "number"),
    [
        ("apc_rpdu", "318.1.3.4.4"),
        ("apc_masterswitch_plus", "318.1.3.4.4"),
        ("cyberpower_epdu", "3808"),
        ("cyberpower_epdu2", "3808.9"),
        ("apc_cpdu", "318.1.3.4.77"),
    ],
)
def test_the_objects_decide_where_families_share_a_number(model: str, number: str, drivers: list[Driver]) -> None:
    assert detected(dataclasses.replace(FACTS[model], sys_object_id=number), drivers) is Power.ON


def test_a_pdu_that_fits_two_families_is_not_guessed(drivers: list[Driver]) -> None:
    both = {f"3808.1.1.3.3.5.1.1.4.{number}": 1 for number in range(1, 13)}
    facts = dataclasses.replace(FACTS["cyberpower_epdu2"], sys_object_id="3808", constants=both)
    with pytest.raises(Unsupported, match="fits several families: cyberpower_epdu, cyberpower_epdu2; set model"):
        detected(facts, drivers)
    assert detected(facts, drivers, model="cyberpower_epdu2") is Power.ON


def test_a_number_without_the_objects_is_not_enough(drivers: list[Driver]) -> None:
    facts = dataclasses.replace(FACTS["aten_pe"], sys_object_id="3808.1.1.9")
    with pytest.raises(Unsupported, match="no PDU family is known"):
        detected(facts, drivers)


def test_the_rack_knows_every_family_of_the_product_and_no_other() -> None:
    assert set(FACTS) == set(FAMILIES)
    rows = {facts.row for facts in FACTS.values()}
    assert set(range(1, 41)) <= rows
