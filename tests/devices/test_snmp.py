# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SNMP driver against walks of real APC units in snmpsim, with net-snmp as a second opinion, and against the rack's faults."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from devices.snmp_servers import (
    USER,
    RackPdu,
    SimPdu,
    SimUser,
    free_port,
    rack_family,
    snmpget,
    snmpsim,
)
from pysnmp.proto.secmod.rfc3414.service import SnmpUSMSecurityModel

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    Busy,
    Deadline,
    DeviceError,
    Driver,
    NotFound,
    Power,
    Reason,
    Refused,
    TimedOut,
    Unreachable,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _snmp_engine
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation, Outcome, switch_power
from lab.snmp_server import Access

ROOT = Path(__file__).parents[2]
RPDU2_STATUS = ".1.3.6.1.4.1.318.1.1.26.9.2.3.1.5"
RPDU_STATUS = ".1.3.6.1.4.1.318.1.1.12.3.5.1.1.4"

# The same user with other passwords is on the other simulator.
FENCE_A = SimUser("fence", "SHA256", "authentication-a", "AES128", "encryption-a")
FENCE_B = SimUser("fence", "SHA512", "authentication-b", "AES256BLMT", "encryption-b")
USERS = [
    SimUser("nobody"),
    SimUser("signed", "MD5", "authentication-1"),
    SimUser("des", "MD5", "authentication-2", "DES", "encryption-2"),
    SimUser("aes", "SHA", "authentication-3", "AES128", "encryption-3"),
    SimUser("aes192", "SHA224", "authentication-4", "AES192BLMT", "encryption-4"),
    SimUser("aes192c", "SHA", "authentication-5", "AES192", "encryption-5"),
    SimUser("aes256", "SHA384", "authentication-6", "AES256BLMT", "encryption-6"),
    SimUser("aes256c", "SHA", "authentication-7", "AES256", "encryption-7"),
    SimUser("blumenthal", "SHA", "authentication-8", "AES256BLMT", "encryption-8"),
]
PRODUCT_NAMES = {
    "NONE": None,
    "DES": "des",
    "AES128": "aes128",
    "AES192BLMT": "aes192",
    "AES192": "aes192c",
    "AES256BLMT": "aes256",
    "AES256": "aes256c",
}


@pytest.fixture(scope="module")
def ap8932(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimPdu]:
    with snmpsim(tmp_path_factory.mktemp("ap8932") / "sim", "apc-8932", [FENCE_A, *USERS], lag_s=0.2) as pdu:
        yield pdu


@pytest.fixture(scope="module")
def ap7902b(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimPdu]:
    with snmpsim(tmp_path_factory.mktemp("ap7902b") / "sim", "apc-7902b", [FENCE_B]) as pdu:
        yield pdu


@pytest.fixture
def drivers() -> Iterator[list[Driver]]:
    opened: list[Driver] = []
    yield opened
    for driver in opened:
        driver.close()
    assert not [thread for thread in threading.enumerate() if "snmp" in thread.name]


@pytest.fixture
def pdu() -> Iterator[RackPdu]:
    versions, users = frozenset({0, 1, 3}), {b"fence": USER}
    with RackPdu(
        rack_family(2), access=Access(versions, frozenset({b"reading"}), frozenset({b"writing"}), users)
    ) as pdu:
        yield pdu


def driver_for(drivers: list[Driver], **options: Any) -> Driver:
    drivers.append(TYPE.driver({"address": "127.0.0.1", "outlet": 7, **options}))
    return drivers[-1]


def v3(user: SimUser, **more: Any) -> dict[str, Any]:
    options = {
        "username": user.name,
        "auth_protocol": user.auth.lower() if user.auth_password else None,
        "auth_password": user.auth_password or None,
        "priv_protocol": PRODUCT_NAMES[user.priv],
        "priv_password": user.priv_password or None,
        "context": "pdu",
    }
    return {**options, **more}


RACK_V3 = {
    "username": "fence",
    "auth_protocol": "sha256",
    "auth_password": "authentication-1",
    "priv_protocol": "aes128",
    "priv_password": "encryption-1",
    "community": None,
    "write_community": None,
}


def switched(driver: Driver, operation: Operation, budget_s: float) -> Outcome:
    """One whole operation, as an agent has it."""

    async def run() -> Outcome:
        with ThreadPoolExecutor(1) as pool:
            exchanges = DriverExchanges(driver, pool, TYPE.exchange_s)
            try:
                return await switch_power(exchanges, operation, budget_s, MonotonicClock())
            finally:
                await exchanges.close()

    return asyncio.run(run())


# --- Real units ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"community": "pdu", "version": "1"}, {"community": "pdu"}, v3(FENCE_A)])
def test_an_outlet_of_an_ap8932_is_switched_and_net_snmp_agrees(
    ap8932: SimPdu, drivers: list[Driver], options: dict[str, Any]
) -> None:
    driver = driver_for(drivers, port=ap8932.port, outlet=3, **options)
    for operation, number in ((Operation.OFF, "1"), (Operation.ON, "2")):
        outcome = switched(driver, operation, 10)
        assert (outcome.ok, outcome.power) == (True, operation.wanted)
        assert ap8932.power(3) == str(operation)
        assert snmpget(ap8932.port, f"{RPDU2_STATUS}.3", "-v2c", "-c", "pdu") == number


def test_the_recorded_name_of_an_ap8932_leads_to_its_outlet(ap8932: SimPdu, drivers: list[Driver]) -> None:
    driver = driver_for(drivers, port=ap8932.port, outlet="SW-DC01-WEST-01-B", community="pdu")
    assert driver.read(Deadline(20)).raw.endswith("named SW-DC01-WEST-01-B")
    assert switched(driver, Operation.OFF, 10).ok
    assert ap8932.power(1) == "off"
    assert switched(driver, Operation.ON, 10).ok


def test_an_ap7902b_is_detected_and_also_works_through_its_elder_tables(ap7902b: SimPdu, drivers: list[Driver]) -> None:
    for number, model in enumerate((None, "apc_rpdu2", "apc_rpdu", "apc_masterswitch"), 2):
        driver = driver_for(drivers, port=ap7902b.port, community="pdu", outlet=number, model=model)
        assert switched(driver, Operation.OFF, 10).ok
        assert ap7902b.power(number) == "off"
        assert snmpget(ap7902b.port, f"{RPDU_STATUS}.{number}", "-v1", "-c", "pdu") == "2"


def test_a_wrong_model_is_not_found_and_nothing_is_sent(ap8932: SimPdu, drivers: list[Driver]) -> None:
    before = ap8932.commands()
    for model in ("cyberpower_epdu", "eaton_g3", "digipower"):
        driver = driver_for(drivers, port=ap8932.port, community="pdu", model=model)
        with pytest.raises(NotFound, match=f"no outlet .*as a {model}"):
            driver.switch(Power.OFF, Deadline(20))
    assert ap8932.commands() == before


@pytest.mark.parametrize("user", USERS, ids=lambda user: f"{user.auth}-{user.priv}")
def test_every_security_level_and_protocol_of_version_3_works(
    ap8932: SimPdu, drivers: list[Driver], user: SimUser
) -> None:
    assert driver_for(drivers, port=ap8932.port, **v3(user)).read(Deadline(20)).power is not Power.UNKNOWN


def test_two_pdus_with_one_user_name_and_different_passwords_both_work(
    ap8932: SimPdu, ap7902b: SimPdu, drivers: list[Driver]
) -> None:
    first = driver_for(drivers, port=ap8932.port, outlet=9, **v3(FENCE_A))
    second = driver_for(drivers, port=ap7902b.port, outlet=9, **v3(FENCE_B))
    with ThreadPoolExecutor(2) as pool:
        for _round in range(10):
            readings = [pool.submit(driver.read, Deadline(20)) for driver in (first, second)]
            assert [reading.result().power for reading in readings] == [Power.ON, Power.ON]
    for driver, wrong in ((first, ap7902b), (second, ap8932)):
        crossed = driver_for(drivers, **{**driver._options, "port": wrong.port})  # type: ignore[attr-defined]
        with pytest.raises(AuthenticationFailed):
            crossed.read(Deadline(20))
    assert first.read(Deadline(20)).power is Power.ON


def test_versions_1_and_2c_with_one_community_do_not_mix(ap8932: SimPdu, drivers: list[Driver]) -> None:
    options = [{"community": "pdu", "version": version} for version in ("1", "2c")] * 4
    talking = [driver_for(drivers, port=ap8932.port, outlet=number + 10, **each) for number, each in enumerate(options)]
    with ThreadPoolExecutor(8) as pool:
        for _round in range(5):
            assert {reading.power for reading in pool.map(lambda driver: driver.read(Deadline(20)), talking)} == {
                Power.ON
            }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"username": "stranger"}, "does not know this user; check username"),
        ({"auth_password": "not-this-one"}, "check auth_password"),
        ({"auth_protocol": "sha"}, "check auth_password and auth_protocol"),
        ({"priv_password": None, "priv_protocol": None}, "another security level|check priv"),
    ],
)
def test_wrong_credentials_of_version_3_are_told_at_once(
    ap8932: SimPdu, drivers: list[Driver], change: dict[str, Any], said: str
) -> None:
    began = time.monotonic()
    with pytest.raises(AuthenticationFailed, match=said):
        driver_for(drivers, port=ap8932.port, **v3(FENCE_A, **change)).read(Deadline(20))
    assert time.monotonic() - began < 15


# --- Who may do what, and what the PDU answers --------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"username": "stranger"},
        {"auth_password": "not-this-one"},
        {"auth_protocol": "sha512"},
        {"priv_password": "not-this-one"},
        {"priv_protocol": "des"},
        {"priv_protocol": None, "priv_password": None},
    ],
    ids=str,
)
def test_the_rack_s_pdu_refuses_wrong_credentials_and_gets_no_command(
    pdu: RackPdu, drivers: list[Driver], change: dict[str, Any]
) -> None:
    driver = driver_for(drivers, **pdu.options(**{**RACK_V3, **change}))
    with pytest.raises(AuthenticationFailed) as told:
        driver.switch(Power.OFF, Deadline(20))
    assert "not-this-one" not in str(told.value)
    assert pdu.sent() == []


def test_a_wrong_community_is_silence_and_the_advice_says_so(pdu: RackPdu, drivers: list[Driver]) -> None:
    driver = driver_for(drivers, **pdu.options(community="canary-read"))
    began = time.monotonic()
    with pytest.raises(TimedOut, match="a wrong community looks like this too") as told:
        driver.read(Deadline(1.0))
    assert 0.9 < time.monotonic() - began < 2
    assert "canary" not in str(told.value)


@pytest.mark.parametrize("version", ["1", "2c"])
def test_the_read_community_does_not_switch(pdu: RackPdu, drivers: list[Driver], version: str) -> None:
    driver = driver_for(drivers, **pdu.options(write_community="reading", version=version))
    began = time.monotonic()
    with pytest.raises((AuthenticationFailed, Refused), match="does the write community match"):
        driver.switch(Power.OFF, Deadline(20))
    assert time.monotonic() - began < 15
    assert pdu.sent() == []


@pytest.mark.parametrize("version", ["1", "2c", "3"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (5, Refused),  # genErr
        (6, AuthenticationFailed),  # noAccess
        (10, Refused),  # wrongValue
        (13, Busy),  # resourceUnavailable
        (14, Refused),  # commitFailed
        (16, AuthenticationFailed),  # authorizationError
        (17, Refused),  # notWritable
    ],
)
def test_a_refused_command_is_an_error_at_once_and_is_not_sent_again(
    pdu: RackPdu, drivers: list[Driver], version: str, status: int, error: type[DeviceError]
) -> None:
    more = RACK_V3 if version == "3" else {}
    pdu.fault("refuse", 7, value=status)
    began = time.monotonic()
    # Version 1 has fewer words: noAccess is its noSuchName, resourceUnavailable its genErr.
    with pytest.raises(Refused if version == "1" else error):
        driver_for(drivers, **pdu.options(version=version, **more)).switch(Power.OFF, Deadline(20))
    assert time.monotonic() - began < 15
    assert [command.outcome for command in pdu.commands] == ["refused"]
    assert pdu.is_on(7)


def test_a_clock_that_starts_anew_is_followed(pdu: RackPdu, drivers: list[Driver]) -> None:
    driver = driver_for(drivers, **pdu.options(**RACK_V3))
    assert driver.read(Deadline(20)).power is Power.ON
    pdu.fault("clock_reset")
    driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == ["7 off"]


def test_a_replaced_management_card_with_another_engine_id_is_followed(pdu: RackPdu, drivers: list[Driver]) -> None:
    driver = driver_for(drivers, **pdu.options(**RACK_V3))
    assert driver.read(Deadline(20)).power is Power.ON
    pdu.server._engine_id = b"\x80\x00\x1f\x88\x04replaced"
    assert driver.read(Deadline(20)).power is Power.ON
    pdu.server._engine_id = b"\x80\x00\x1f\x88\x04and-again"
    driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == ["7 off"]


def test_two_pdus_with_the_same_engine_id_both_work(drivers: list[Driver]) -> None:
    """Cards that were configured from one file have one engine id, and clocks of their own."""
    access = Access(frozenset({3}), users={b"fence": USER})
    with RackPdu(rack_family(2), access=access) as one, RackPdu(rack_family(2), access=access) as two:
        one.server._engine_id = two.server._engine_id = b"\x80\x00\x1f\x88\x04clone"
        two.server._boots, two.server._booted = 40, time.monotonic() - 5000
        both = [driver_for(drivers, **pdu.options(**RACK_V3)) for pdu in (one, two)]
        for _round in range(5):
            assert [driver.read(Deadline(20)).power for driver in both] == [Power.ON, Power.ON]


# --- Time ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"version": "1"}, RACK_V3], ids=["2c", "1", "3"])
def test_a_lost_packet_costs_a_second_and_no_more(pdu: RackPdu, drivers: list[Driver], options: dict[str, Any]) -> None:
    pdu.fault("hang", times=1)
    began = time.monotonic()
    assert driver_for(drivers, **pdu.options(model="apc_rpdu2", **options)).read(Deadline(9)).power is Power.ON
    assert 0.9 < time.monotonic() - began < 4


def test_a_pdu_that_is_slower_than_the_retransmission_is_heard(pdu: RackPdu, drivers: list[Driver]) -> None:
    pdu.fault("latency", value=1.4)
    driver = driver_for(drivers, **pdu.options(model="apc_rpdu2"))
    assert driver.read(Deadline(20)).power is Power.ON


def test_a_command_whose_answer_is_lost_is_not_sent_again(pdu: RackPdu, drivers: list[Driver]) -> None:
    driver = driver_for(drivers, **pdu.options(model="apc_rpdu2"))
    driver.read(Deadline(20))
    send = pdu.server.send
    pdu.server.send = lambda reply, addr, after_s: None if pdu.commands else send(reply, addr, after_s)  # type: ignore
    with pytest.raises(TimedOut):
        driver.switch(Power.OFF, Deadline(2.5))
    assert pdu.sent() == ["7 off"]


def test_an_answer_to_an_older_question_is_no_reading(pdu: RackPdu, drivers: list[Driver]) -> None:
    driver = driver_for(drivers, **pdu.options(model="apc_rpdu2"))
    pdu.fault("latency", value=0.6)
    with pytest.raises(TimedOut):
        driver.read(Deadline(0.3))  # its answer, on, is still under way
    pdu.board.clear()
    pdu.switch(7, False)
    time.sleep(0.05)
    for _read in range(10):
        assert driver.read(Deadline(2)).power is Power.OFF
        time.sleep(0.05)


@pytest.mark.parametrize("options", [{}, {"version": "1"}, RACK_V3], ids=["2c", "1", "3"])
@pytest.mark.parametrize("fault", ["hang", "half_answer", "closed port"])
def test_every_call_ends_half_a_second_after_its_deadline(
    pdu: RackPdu, drivers: list[Driver], options: dict[str, Any], fault: str
) -> None:
    if fault == "closed port":
        options = {**options, "port": free_port()}
    else:
        pdu.fault(fault)
    driver = driver_for(drivers, **pdu.options(**options))
    for call in (lambda: driver.read(Deadline(0.5)), lambda: driver.switch(Power.OFF, Deadline(0.5))):
        began = time.monotonic()
        with pytest.raises(DeviceError):
            call()
        assert time.monotonic() - began < 1.5


def test_an_interrupted_call_ends_at_once(pdu: RackPdu, drivers: list[Driver]) -> None:
    pdu.fault("hang")
    driver = driver_for(drivers, **pdu.options())
    deadline = Deadline(30)
    threading.Timer(0.3, deadline.expire).start()
    began = time.monotonic()
    with pytest.raises(TimedOut):
        driver.read(deadline)
    assert time.monotonic() - began < 10


def test_a_stuck_relay_fails_when_the_budget_ends(pdu: RackPdu, drivers: list[Driver]) -> None:
    pdu.fault("ignore", 7)
    outcome = switched(driver_for(drivers, **pdu.options()), Operation.OFF, 1.5)
    assert (outcome.reason, outcome.sent) == (Reason.UNCONFIRMED, True)
    assert outcome.power is not Power.OFF
    assert 0.8 < outcome.duration_s < 2.0


def test_a_status_from_a_cache_is_waited_for(pdu: RackPdu, drivers: list[Driver]) -> None:
    pdu.fault("stale", 7, value=1.2)
    outcome = switched(driver_for(drivers, **pdu.options()), Operation.OFF, 5)
    assert outcome.ok and not pdu.is_on(7)
    assert outcome.duration_s > 1.1


def test_a_row_that_disappears_is_not_off(pdu: RackPdu, drivers: list[Driver]) -> None:
    driver = driver_for(drivers, **pdu.options())
    assert driver.read(Deadline(20)).power is Power.ON
    pdu.fault("missing", 7)
    with pytest.raises(NotFound):
        driver.switch(Power.OFF, Deadline(20))
    assert pdu.sent() == []


def test_a_name_that_moves_to_another_outlet_is_noticed(drivers: list[Driver]) -> None:
    names = {7: "db1", 8: "web"}
    with RackPdu(rack_family(2), names=names) as pdu:
        driver = driver_for(drivers, **pdu.options(outlet="db1"))
        assert driver.read(Deadline(20)).power is Power.ON
        names.update({7: "web", 8: "db1"})
        with pytest.raises(NotFound, match="another name than a moment ago"):
            driver.switch(Power.OFF, Deadline(20))
        assert pdu.sent() == []


def test_an_address_without_a_route_or_a_name_is_unreachable(drivers: list[Driver]) -> None:
    for address in ("no-such-pdu.invalid", "255.255.255.255"):
        with pytest.raises(Unreachable):
            driver_for(drivers, address=address, community="c").read(Deadline(20))


def test_ipv6_works(drivers: list[Driver], pdu: RackPdu) -> None:
    """A relay from ::1 to the PDU."""
    try:
        door = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        door.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inside.connect(("127.0.0.1", pdu.port))

    def relay() -> None:
        while True:
            data, sender = door.recvfrom(65535)
            if data == b"end":
                return
            inside.send(data)
            door.sendto(inside.recv(65535), sender)

    thread = threading.Thread(target=relay)
    thread.start()
    try:
        for address in ("::1", "[::1]"):
            driver = driver_for(drivers, **pdu.options(address=address, port=door.getsockname()[1]))
            assert driver.read(Deadline(20)).power is Power.ON
    finally:
        inside_port = door.getsockname()[:2]
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", inside_port)
        thread.join()
        door.close()
        inside.close()


# --- One text for all outlets -------------------------------------------------------------------------------------


def test_two_writers_of_one_text_lose_no_command(drivers: list[Driver]) -> None:
    with RackPdu(rack_family(35), lag_s=0.15) as pdu:
        writers = [driver_for(drivers, **pdu.options(outlet=outlet)) for outlet in range(1, 9)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda driver: driver.switch(Power.OFF, Deadline(20)), writers))
        assert [pdu.is_on(outlet) for outlet in range(1, 13)] == [False] * 8 + [True] * 4
        assert sorted(pdu.sent()) == sorted(f"{outlet} off" for outlet in range(1, 9))


# --- One engine for a process -------------------------------------------------------------------------------------


def test_fifty_drivers_share_one_thread_that_ends_with_the_last(pdu: RackPdu) -> None:
    before = threading.active_count()
    opened = [TYPE.driver(pdu.options(outlet=number % 12 + 1)) for number in range(50)]
    with ThreadPoolExecutor(10) as pool:
        assert {reading.power for reading in pool.map(lambda driver: driver.read(Deadline(20)), opened)} == {Power.ON}
        for driver in opened[1:]:
            driver.close()
        assert [thread.name for thread in threading.enumerate()].count("hostpm-fencing-snmp") == 1
        assert opened[0].read(Deadline(20)).power is Power.ON
        opened[0].close()
        opened[0].close()
    assert threading.active_count() == before
    assert opened[0].read(Deadline(20)).power is Power.ON  # a driver that asks again opens again
    _snmp_engine.shutdown()
    assert threading.active_count() == before


def test_the_engine_ends_and_starts_again_without_leaking_sockets(pdu: RackPdu) -> None:
    def descriptors() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    driver = TYPE.driver(pdu.options())
    driver.read(Deadline(20))
    driver.close()
    before = descriptors()
    for _round in range(5):
        driver = TYPE.driver(pdu.options())
        driver.read(Deadline(20))
        driver.close()
    assert descriptors() == before


def said_by_python(program: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


IMPORT = f"""
import sys
sys.path.insert(0, {str(ROOT / ".build" / "collections")!r})
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _snmp_engine, snmp
"""


def test_an_engine_is_made_in_advance_for_who_prepares_and_for_nobody_else() -> None:
    count = "print(len(_snmp_engine._made_in_advance))"
    assert said_by_python(IMPORT + count) == "0"
    assert said_by_python(IMPORT + "snmp.prepare(); snmp.prepare();" + count) == "1"


def test_the_prepared_engine_is_the_one_that_is_used(pdu: RackPdu, drivers: list[Driver]) -> None:
    _snmp_engine.prepare()
    (prepared,) = _snmp_engine._made_in_advance
    assert driver_for(drivers, **pdu.options()).read(Deadline(20)).power is Power.ON
    assert _snmp_engine._process._engines == [prepared]


def test_without_pysnmp_the_type_is_there_and_says_what_is_missing() -> None:
    program = "import sys; sys.modules['pysnmp'] = None\n" + IMPORT
    program += "snmp.prepare(); print(snmp.TYPE.missing_library({}))"
    assert said_by_python(program) == "pysnmp (7.1.26 or newer)"


def salts() -> tuple[int, ...]:
    """Where this process goes on counting the salts of its encrypted requests."""
    services = SnmpUSMSecurityModel.PRIV_SERVICES.values()
    return tuple(service.local_int for service in services if hasattr(service, "local_int"))


def salts_of_a_child(told: Any) -> None:
    told.put(salts())
    told.close()
    told.join_thread()
    os._exit(0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forks_do_not_encrypt_with_the_same_salts() -> None:
    forks = get_context("fork")
    told = forks.Queue()
    children = [forks.Process(target=salts_of_a_child, args=(told,)) for _child in range(2)]
    for child in children:
        child.start()
    first, second = (told.get(timeout=30) for _child in children)
    for child in children:
        child.join(10)
    told.close()
    told.join_thread()
    assert len(first) >= 6
    assert not any(len({*each}) < 3 for each in zip(first, second, salts(), strict=True))


def in_a_child(options: dict[str, Any], told: Any) -> None:
    driver = TYPE.driver(options)
    driver.switch(Power.OFF, Deadline(20))
    told.put((options["outlet"], str(driver.read(Deadline(20)).reason)))
    driver.close()
    told.put(("threads", [thread.name for thread in threading.enumerate() if "snmp" in thread.name]))
    told.close()
    told.join_thread()
    os._exit(0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_forked_children_get_an_engine_of_their_own_while_the_parent_goes_on(
    pdu: RackPdu, drivers: list[Driver]
) -> None:
    parent = driver_for(drivers, **pdu.options(outlet=1))
    assert parent.read(Deadline(20)).power is Power.ON
    forks = get_context("fork")
    told = forks.Queue()
    children = [forks.Process(target=in_a_child, args=(pdu.options(outlet=outlet), told)) for outlet in (2, 3)]
    for child in children:
        child.start()
    answers = [told.get(timeout=30) for _answer in range(4)]
    for child in children:
        child.join(10)
        assert child.exitcode == 0
    told.close()
    told.join_thread()
    assert sorted(str(answer) for answer in answers if answer[0] == "threads") == ["('threads', [])"] * 2
    assert sorted(pdu.sent()) == ["2 off", "3 off"]
    for _read in range(5):
        assert parent.read(Deadline(20)).power is Power.ON


# --- The module ---------------------------------------------------------------------------------------------------


def ansible(*words: str, secrets: dict[str, str], **arguments: Any) -> dict[str, Any]:
    """What the real program says of the module. Secrets are variables: what is typed behind -a, Ansible itself shows."""
    arguments.update({name: "{{ secrets." + name + " }}" for name in secrets})
    command = [str(Path(sys.executable).parent / "ansible"), "localhost", "-m", "hostpm.fencing.snmp_power", *words]
    done = subprocess.run(
        [*command, "-vvv", "-e", json.dumps({"secrets": secrets}), "-a", json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    for secret in secrets.values():
        assert secret not in done.stdout + done.stderr
    return dict(json.loads(done.stdout[done.stdout.index(" => {") + 4 :]))


def test_the_module_switches_an_outlet_of_the_recorded_unit(ap8932: SimPdu) -> None:
    words = v3(FENCE_A)
    secrets = {name: words.pop(name) for name in ("auth_password", "priv_password")}
    agent = {"address": "127.0.0.1", "port": ap8932.port, "outlet": 20, "secrets": secrets, **words}
    assert ansible(**agent)["power"] == "on"
    checked = ansible("--check", "--diff", **agent, state="off")
    assert (checked["changed"], checked["power"]) == (True, "on")
    done = ansible(**agent, state="off")
    assert (done["changed"], done["power"], done["power_before"]) == (True, "off", "on")
    assert done["raw"] == "1 (off)"
    assert snmpget(ap8932.port, f"{RPDU2_STATUS}.20", "-v2c", "-c", "pdu") == "1"
    again = ansible(**agent, state="off")
    assert (again["changed"], again["power"]) == (False, "off")


def test_the_module_tells_what_is_wrong_without_a_secret(pdu: RackPdu) -> None:
    agent = {"address": "127.0.0.1", "port": pdu.port, "outlet": 7, "model": "apc_rpdu2"}
    bad = ansible(**agent, username="fence", secrets={"auth_password": "canary-1"})
    assert bad["msg"].startswith("option auth_protocol: is needed with auth_password")
    lost = ansible(**agent, read_timeout=1, secrets={"community": "canary-2", "write_community": "canary-3"})
    assert (lost["power"], lost["reason"]) == ("unknown", "timeout")
    assert lost["msg"].startswith("snmp 127.0.0.1, outlet 7: read: no answer; a wrong community")
    refused = ansible(**agent, state="off", timeout=5, secrets={"community": "reading"})
    assert (refused["power"], refused["reason"], refused["changed"]) == ("on", "auth", False)
    assert pdu.sent() == []
