# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every family of the product's table against the rack's PDUs, whose facts were typed by somebody else from the same MIBs.

A slip in either table shows here: a command that does not switch the outlet, or a state that is read as another.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import pytest
from devices.snmp_servers import RackPdu, rack_family

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    Deadline,
    Driver,
    NotFound,
    Power,
    Reading,
    Reason,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import FAMILIES

# The rows of the table of families that all this is about, and what the product calls them.
ROWS = {
    1: "apc_rpdu",
    2: "apc_rpdu2",
    3: "apc_masterswitch",
    4: "apc_masterswitch_plus",
    6: "cyberpower_epdu",
    8: "eaton_g3",
    9: "eaton_revelation",
    10: "eaton_pulizzi",
    12: "raritan_px",
    13: "raritan_px2",
    14: "sentry3",
    15: "sentry4",
    16: "geist_v5",
    18: "liebert_mph",
    20: "tripplite_padm",
    29: "baytech",
    30: "aten_pe",
    33: "ibm_dpi",
    34: "lenovo_dpi",
    35: "digipower",
}
families = pytest.mark.parametrize(("row", "model"), ROWS.items(), ids=ROWS.values())


@pytest.fixture(scope="module", autouse=True)
def engine_kept() -> Iterator[None]:
    """An engine that lives through all these tests: making one costs more than most of them."""
    with RackPdu(rack_family(1)) as pdu:
        driver = TYPE.driver(pdu.options())
        driver.read(Deadline(20))
        yield
        driver.close()


@pytest.fixture
def pdu(row: int) -> Iterator[RackPdu]:
    with RackPdu(rack_family(row), names={7: "db1 psu-a", 8: "twin", 9: "web", 11: "twin"}) as pdu:
        yield pdu


@pytest.fixture
def drivers() -> Iterator[list[Driver]]:
    opened: list[Driver] = []
    yield opened
    for driver in opened:
        driver.close()


def outlet_text(model: str, outlet: int) -> Any:
    """A bare number where the family takes one, else the full index."""
    return outlet if FAMILIES[model].bare is not None else f"1.1.{outlet}"


def driver_for(pdu: RackPdu, drivers: list[Driver], **options: Any) -> Driver:
    drivers.append(TYPE.driver(pdu.options(**options)))
    return drivers[-1]


def read_until(driver: Driver, power: Power) -> Reading:
    end = time.monotonic() + 15
    while True:
        reading = driver.read(Deadline(20))
        if reading.power is power or time.monotonic() > end:
            return reading
        time.sleep(0.01)


@families
def test_a_command_switches_the_outlet_and_no_other_one(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    for outlet in (1, 7, 9, 12):
        driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, outlet))
        assert driver.read(Deadline(20)).power is Power.ON
        driver.switch(Power.OFF, Deadline(20))
        assert read_until(driver, Power.OFF).power is Power.OFF
        assert [number for number in range(1, 13) if not pdu.is_on(number)] == [outlet]
        driver.switch(Power.ON, Deadline(20))
        assert read_until(driver, Power.ON).power is Power.ON
        assert all(pdu.is_on(number) for number in range(1, 13))
    assert pdu.sent() == [f"{outlet} {word}" for outlet in (1, 7, 9, 12) for word in ("off", "on")]


@families
def test_the_family_is_detected(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    detected = driver_for(pdu, drivers, outlet=outlet_text(model, 7))
    told = driver_for(pdu, drivers, outlet=outlet_text(model, 7), model=model)
    assert detected.read(Deadline(20)) == told.read(Deadline(20))


def test_an_elder_apc_card_is_not_guessed(drivers: list[Driver]) -> None:
    with RackPdu(dataclasses.replace(rack_family(3), sys_object_id="318.1.3.4.3")) as pdu:
        with pytest.raises(
            Unsupported, match=r"sysObjectID 1\.3\.6\.1\.4\.1\.318\.1\.3\.4\.3; set model to one of: apc_"
        ):
            driver_for(pdu, drivers).read(Deadline(20))
        assert pdu.sent() == []


def test_a_dpi_pdu_with_neither_firmware_is_not_guessed(drivers: list[Driver]) -> None:
    family = rack_family(33)
    constants = {oid: value for oid, value in family.constants.items() if not oid.startswith("2.6.223.7.3")}
    with (
        RackPdu(dataclasses.replace(family, constants=constants)) as pdu,
        pytest.raises(Unsupported, match="sysObjectID"),
    ):
        driver_for(pdu, drivers).read(Deadline(20))


NAMED = {row: model for row, model in ROWS.items() if FAMILIES[model].name}


@pytest.mark.parametrize(("row", "model"), NAMED.items(), ids=NAMED.values())
@pytest.mark.parametrize("version", ["1", "2c"])
def test_an_outlet_is_found_by_its_exact_name(pdu: RackPdu, model: str, version: str, drivers: list[Driver]) -> None:
    driver = driver_for(pdu, drivers, model=model, version=version, outlet="web")
    driver.switch(Power.OFF, Deadline(20))
    reading = read_until(driver, Power.OFF)
    assert reading.power is Power.OFF and reading.raw.endswith(", named web")
    assert pdu.sent() == ["9 off"]
    for name in ("WEB", "we", "web ", "db1"):
        if name.strip() == "web":
            continue
        with pytest.raises(NotFound, match="none of the PDU's 12 outlets"):
            driver_for(pdu, drivers, model=model, version=version, outlet=name).read(Deadline(20))


@pytest.mark.parametrize(("row", "model"), NAMED.items(), ids=NAMED.values())
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


@families
@pytest.mark.parametrize("version", ["1", "2c"])
def test_an_outlet_beyond_the_table_is_not_found_and_nothing_is_sent(
    pdu: RackPdu, model: str, version: str, drivers: list[Driver]
) -> None:
    driver = driver_for(pdu, drivers, model=model, version=version, outlet=outlet_text(model, 60))
    with pytest.raises(NotFound, match="no outlet"):
        driver.read(Deadline(20))
    with pytest.raises(NotFound, match="no outlet"):
        driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == []


UNSURE = [
    (row, model, value)
    for row, model in ROWS.items()
    for value, state in FAMILIES[model].states.items()
    if state.power is Power.UNKNOWN
]


@pytest.mark.parametrize(("row", "model", "value"), UNSURE)
def test_every_documented_state_that_is_neither_on_nor_off_is_unconfirmed(
    pdu: RackPdu, model: str, value: Any, drivers: list[Driver]
) -> None:
    pdu.fault("unlisted", 7, value=int(value))
    reading = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7)).read(Deadline(20))
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)


@families
@pytest.mark.parametrize("value", [6000, 77, -9])
def test_a_value_of_no_table_is_a_bad_reply_and_never_off(
    pdu: RackPdu, model: str, value: int, drivers: list[Driver]
) -> None:
    pdu.fault("unlisted", 7, value=value)
    reading = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7)).read(Deadline(20))
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)


NUMBERS = {row: model for row, model in ROWS.items() if not FAMILIES[model].status.element}


@pytest.mark.parametrize(("row", "model"), NUMBERS.items(), ids=NUMBERS.values())
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


PENDING = {
    row: model for row, model in ROWS.items() if FAMILIES[model].guards and model not in ("geist_v5", "liebert_mph")
}
PENDING |= {8: "eaton_g3", 16: "geist_v5"}


@pytest.mark.parametrize(("row", "model"), PENDING.items(), ids=PENDING.values())
def test_off_does_not_count_while_a_command_is_pending(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    pdu.switch(7, False)
    assert read_until(driver, Power.OFF).power is Power.OFF
    with pdu.board.lock:
        pdu.world.switch_outlet(f"{pdu.key}/7", True, 60.0)
    reading = driver.read(Deadline(20))
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)


CANCELLING = {row: model for row, model in ROWS.items() if FAMILIES[model].cancels}


@pytest.mark.parametrize(("row", "model"), CANCELLING.items(), ids=CANCELLING.values())
def test_a_scheduled_command_is_called_off_before_a_new_one(pdu: RackPdu, model: str, drivers: list[Driver]) -> None:
    with pdu.board.lock:
        pdu.world.switch_outlet(f"{pdu.key}/7", False, 60.0)
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    assert driver.read(Deadline(20)).reason is Reason.UNCONFIRMED
    driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == ["7 cancel", "7 off"]
    assert read_until(driver, Power.OFF).power is Power.OFF


@pytest.mark.parametrize(
    ("row", "model"), [(8, "eaton_g3"), (13, "raritan_px2"), (20, "tripplite_padm"), (18, "liebert_mph")]
)
def test_an_outlet_that_the_pdu_calls_not_switchable_is_not_sent_a_command(
    pdu: RackPdu, model: str, drivers: list[Driver]
) -> None:
    pdu.fault("unswitchable", 7)
    driver = driver_for(pdu, drivers, model=model, outlet=outlet_text(model, 7))
    assert driver.read(Deadline(20)).power is Power.ON
    with pytest.raises(Unsupported, match="the PDU says that this outlet"):
        driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == []


def test_a_failed_relay_makes_off_unknown(drivers: list[Driver]) -> None:
    with RackPdu(rack_family(16)) as pdu:
        pdu.switch(7, False)
        driver = driver_for(pdu, drivers)
        assert read_until(driver, Power.OFF).power is Power.OFF
        pdu.fault("relay_failed", 7)
        reading = driver.read(Deadline(20))
    assert (reading.power, reading.msg) == (Power.UNKNOWN, "the PDU says: its relay has failed")
