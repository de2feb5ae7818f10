# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Redfish driver against sushy-tools' emulator, and against our own BMC for what the emulator cannot do."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from devices.redfish_servers import (
    PASSWORD,
    USERNAME,
    Answer,
    Authority,
    Bmc,
    Outlet,
    Pdu,
    Request,
    Sushy,
    System,
    running_sushy,
)

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceDriver,
    DeviceError,
    Driver,
    Kind,
    NotFound,
    Power,
    Reading,
    Reason,
    Refused,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.redfish import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Operation,
    Outcome,
    read_power,
    switch_power,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import option_problems
from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import find_type
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import parse_host

BASIC = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
SYSTEM = "/redfish/v1/Systems/1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"
SESSIONS = "/redfish/v1/SessionService/Sessions"

Open = Callable[..., Driver]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def bmc(authority: Authority) -> Iterator[Bmc]:
    server = Bmc(authority.context("127.0.0.1"))
    yield server
    server.stop()
    assert sorted(server.created) == sorted(server.deleted), "a session was left behind"


@pytest.fixture
def connect(bmc: Bmc, authority: Authority) -> Iterator[Open]:
    drivers = []

    def open_driver(**options: object) -> Driver:
        given = {
            "address": "127.0.0.1",
            "port": bmc.port,
            "username": USERNAME,
            "password": PASSWORD,
            "ca_path": str(authority.file),
            "validate_certs": True,
            **options,
        }
        driver = TYPE.driver(given)
        drivers.append(driver)
        return driver

    yield open_driver
    for driver in drivers:
        driver.close()


def soon(budget_s: float = 5.0) -> Deadline:
    return Deadline(budget_s)


def operate(driver: Driver, operation: Operation, budget_s: float, exchange_s: float = TYPE.exchange_s) -> Outcome:
    """One operation as the modules run it."""

    async def run() -> Outcome:
        with ThreadPoolExecutor(1) as pool:
            exchanges = DriverExchanges(driver, pool, exchange_s)
            if operation is Operation.READ:
                return await read_power(exchanges, budget_s, MonotonicClock())
            return await switch_power(exchanges, operation, budget_s, MonotonicClock())

    return asyncio.run(run())


# Reading


@pytest.mark.parametrize("auth", ["basic", "session"])
@pytest.mark.parametrize(("state", "power"), [("On", Power.ON), ("Off", Power.OFF)])
def test_on_and_off_are_read(state: str, power: Power, auth: str, bmc: Bmc, connect: Open) -> None:
    bmc.systems[0].power = state
    assert connect(auth=auth).read(soon()) == Reading(power, state)


@pytest.mark.parametrize("state", ["PoweringOff", "PoweringOn", "Paused"])
def test_a_transition_is_unknown_and_unconfirmed(state: str, bmc: Bmc, connect: Open) -> None:
    bmc.systems[0].power = state
    reading = connect().read(soon())
    assert (reading.power, reading.reason, reading.raw) == (Power.UNKNOWN, Reason.UNCONFIRMED, state)


@pytest.mark.parametrize(
    "state", [None, "off", "OFF", " Off", "Off ", "", "Unknown", 0, False, ["Off"], {"Off": "Off"}]
)
def test_whatever_is_not_exactly_off_is_never_off(state: object, bmc: Bmc, connect: Open) -> None:
    bmc.systems[0].power = state
    reading = connect().read(soon())
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)
    assert reading.msg


def test_a_missing_power_state_is_unknown(bmc: Bmc, connect: Open) -> None:
    bmc.systems[0].hidden = frozenset({"PowerState"})
    reading = connect().read(soon())
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)


def test_two_power_states_in_one_answer_are_unknown(bmc: Bmc, connect: Open) -> None:
    body = b'{"PowerState": "On", "PowerState": "Off"}'
    bmc.when("GET", SYSTEM, Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    assert connect().read(soon()).power is Power.UNKNOWN


def test_an_empty_slot_that_reads_off_proves_nothing(bmc: Bmc, connect: Open) -> None:
    bmc.systems[0].power = "Off"
    bmc.systems[0].more = {"Status": {"State": "Absent"}}
    assert connect().read(soon()).power is Power.UNKNOWN
    bmc.systems[0].more = {"Status": {"State": "Disabled"}}
    assert connect().read(soon()).power is Power.OFF


BODIES = {
    "no JSON": b"<html>Off</html>",
    "a list": b'["Off"]',
    "a word": b'"Off"',
    "nothing": b"",
    "half": b'{"PowerState": "Off"',
}


@pytest.mark.parametrize("body", BODIES)
def test_what_is_no_json_object_is_a_bad_reply(body: str, bmc: Bmc, connect: Open) -> None:
    content = BODIES[body]
    bmc.when("GET", SYSTEM, Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content))
    with pytest.raises(BadReply):
        connect().read(soon())


@pytest.mark.parametrize("status", [201, 202, 203, 206])
def test_a_power_state_with_another_status_than_200_is_no_reading(status: int, bmc: Bmc, connect: Open) -> None:
    bmc.when("GET", SYSTEM, Answer(status, {"PowerState": "Off"}))
    with pytest.raises(BadReply):
        connect().read(soon())


STATUSES = {401: AuthenticationFailed, 403: AuthenticationFailed, 404: NotFound, 405: Unsupported, 501: Unsupported}
STATUSES |= {503: Busy, 429: Busy, 500: BadReply, 302: BadReply, 400: Refused}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("path", ["/redfish/v1/", "/redfish/v1/Systems", SYSTEM])
def test_an_error_on_the_way_to_the_reading_is_that_error(status: int, path: str, bmc: Bmc, connect: Open) -> None:
    bmc.when("GET", path, Answer(status, {"PowerState": "Off"}))
    with pytest.raises(DeviceError) as caught:
        connect().read(soon())
    assert caught.type is STATUSES[status]


def test_the_connection_is_kept_and_a_read_costs_one_request(bmc: Bmc, connect: Open) -> None:
    driver = connect()
    for _turn in range(4):
        driver.read(soon())
    assert bmc.connections == 1
    assert [each.path for each in bmc.log][2:] == [SYSTEM] * 4


def test_a_kept_connection_that_was_closed_does_not_fail_a_read(bmc: Bmc, connect: Open) -> None:
    driver = connect()
    driver.read(soon())
    bmc.once("GET", SYSTEM, Answer(cut=True))
    assert driver.read(soon()).power is Power.ON
    assert bmc.connections == 2


# Switching


@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("auth", ["basic", "session"])
def test_a_switch_is_one_post_and_any_success_is_accepted(status: int, auth: str, bmc: Bmc, connect: Open) -> None:
    bmc.when("POST", RESET, Answer(status, {} if status != 204 else None))
    driver = connect(auth=auth)
    driver.switch(Power.OFF, soon())
    driver.switch(Power.ON, soon())
    assert bmc.posts() == ["ForceOff", "On"]
    assert {each.headers["Content-Type"] for each in bmc.log if each.path == RESET} == {"application/json"}


@pytest.mark.parametrize("operation", [Operation.OFF, Operation.ON])
def test_an_operation_switches_and_ends_with_the_state_that_was_read(
    operation: Operation, bmc: Bmc, connect: Open
) -> None:
    bmc.systems[0].power = "On" if operation is Operation.OFF else "Off"
    bmc.rules.append(
        lambda request: bmc.systems[0].readings.extend(["On", "PoweringOff"]) if request.method == "POST" else None
    )  # type: ignore[func-returns-value]
    outcome = operate(connect(), operation, 10.0)
    assert (outcome.ok, outcome.power, outcome.sent, outcome.attempts) == (True, operation.wanted, True, 1)
    assert len(bmc.posts()) == 1


def test_a_system_that_stays_powering_off_is_not_off(bmc: Bmc, connect: Open) -> None:
    bmc.when("POST", RESET, Answer(204))
    bmc.systems[0].power = "PoweringOff"
    outcome = operate(connect(), Operation.OFF, 1.5)
    assert (outcome.ok, outcome.power, outcome.reason) == (False, Power.UNKNOWN, Reason.UNCONFIRMED)


@pytest.mark.parametrize("status", [400, 409, 500])
@pytest.mark.parametrize("obeys", [True, False])
def test_after_a_refusal_the_reading_decides(status: int, obeys: bool, bmc: Bmc, connect: Open) -> None:
    def refuse(request: Request) -> Answer | None:
        if request.path != RESET:
            return None
        if obeys:
            bmc.systems[0].power = "Off"
        return Answer(status, {"error": {"code": "Base.1.8.ResourceInUse", "message": "in transition"}})

    bmc.rules.append(refuse)
    outcome = operate(connect(), Operation.OFF, 3.0)
    assert (outcome.ok, outcome.sent, outcome.attempts) == (obeys, True, 1)
    assert outcome.power is (Power.OFF if obeys else Power.ON)
    if not obeys:
        assert f"HTTP {status}, Base.1.8.ResourceInUse" in outcome.msg


@pytest.mark.parametrize("status", STATUSES)
def test_every_answer_to_a_reset_is_the_contract_s_error(status: int, bmc: Bmc, connect: Open) -> None:
    bmc.when("POST", RESET, Answer(status, {}))
    with pytest.raises(DeviceError) as caught:
        connect().switch(Power.OFF, soon())
    assert caught.type is STATUSES[status]
    assert len(bmc.posts()) == 1


def test_a_busy_service_is_waited_for_as_long_as_it_asks(bmc: Bmc, connect: Open) -> None:
    bmc.once("POST", RESET, Answer(503, {}, {"Retry-After": "1"}))
    bmc.once("GET", SYSTEM, Answer(503, {}, {"Retry-After": "1"}))
    driver = connect()
    read = operate(driver, Operation.READ, 10.0)
    off = operate(driver, Operation.OFF, 10.0)
    assert read.ok and off.ok
    assert read.duration_s > 1.0 and off.duration_s > 1.0


def test_a_reset_whose_answer_is_lost_is_timed_out_and_sent_once(bmc: Bmc, connect: Open) -> None:
    bmc.when("POST", RESET, Answer(cut=True))
    with pytest.raises(TimedOut):
        connect().switch(Power.OFF, soon())
    assert bmc.posts() == ["ForceOff"]


def test_a_reset_whose_answer_does_not_come_ends_at_the_deadline(bmc: Bmc, connect: Open) -> None:
    def hang(request: Request) -> Answer | None:
        if request.path == RESET:
            bmc.systems[0].power = "Off"
            bmc.wait(30)
        return None

    bmc.rules.append(hang)
    driver = connect()
    driver.read(soon())
    began = time.monotonic()
    with pytest.raises(TimedOut):
        driver.switch(Power.OFF, soon(0.6))
    assert time.monotonic() - began < 1.1
    assert driver.read(soon()).power is Power.OFF
    assert bmc.posts() == ["ForceOff"]


def test_a_device_that_stops_answering_before_the_reset_gets_no_reset(bmc: Bmc, connect: Open) -> None:
    driver = connect()
    driver.read(soon())
    bmc.when("GET", SYSTEM, Answer(cut=True))
    with pytest.raises(Unreachable):
        driver.switch(Power.OFF, soon())
    assert bmc.posts() == []


ALLOWED = [
    (["ForceOn", "ForceOff"], Power.ON, "ForceOn"),
    (["On", "ForceOn"], Power.ON, "On"),
    (["GracefulShutdown", "ForceOff"], Power.OFF, "ForceOff"),
    (None, Power.OFF, "ForceOff"),
    (None, Power.ON, "On"),
    (["FullPowerCycle"], Power.OFF, None),
    (["PushPowerButton"], Power.OFF, None),
    (["PushPowerButton"], Power.ON, None),
    (["GracefulShutdown", "GracefulRestart", "forceoff"], Power.OFF, None),
]


@pytest.mark.parametrize("by", ["AllowableValues", "ActionInfo"])
@pytest.mark.parametrize(("allowed", "power", "sent"), ALLOWED)
def test_only_an_allowed_reset_that_ends_in_the_wanted_state_is_sent(
    allowed: list[str] | None, power: Power, sent: str | None, by: str, bmc: Bmc, connect: Open
) -> None:
    bmc.systems[0].allowed = allowed if by == "AllowableValues" else None
    if by == "ActionInfo" and allowed is not None:
        info = f"{SYSTEM}/ResetActionInfo"
        reset = {"target": RESET, "@Redfish.ActionInfo": info}
        bmc.systems[0].more = {"Actions": {"#ComputerSystem.Reset": reset}}
        parameters = [{"Name": "Other", "AllowableValues": ["On"]}, {"Name": "ResetType", "AllowableValues": allowed}]
        bmc.when("GET", info, Answer(body={"Parameters": parameters}))
    if sent is None:
        with pytest.raises(Unsupported) as caught:
            connect().switch(power, soon())
        assert all(word in str(caught.value) for word in allowed or [])
        assert bmc.posts() == []
    else:
        connect().switch(power, soon())
        assert bmc.posts() == [sent]


def test_a_reset_target_on_another_host_gets_nothing(bmc: Bmc, connect: Open, authority: Authority) -> None:
    thief = Bmc(authority.context("127.0.0.1"))
    for target in (f"https://127.0.0.1:{thief.port}{RESET}", f"//127.0.0.1:{thief.port}{RESET}", "reset", None, 7):
        bmc.systems[0].more = {"Actions": {"#ComputerSystem.Reset": {"target": target}}}
        with pytest.raises(BadReply):
            connect().switch(Power.OFF, soon())
    assert thief.connections == 0
    assert bmc.posts() == []
    thief.stop()


@pytest.mark.parametrize(
    "actions", [None, {}, {"#ComputerSystem.Reset": None}, ["x"], {"#Chassis.Reset": {"target": "/x"}}]
)
def test_a_system_without_a_reset_cannot_be_switched(actions: object, bmc: Bmc, connect: Open) -> None:
    bmc.systems[0].more = {"Actions": actions}
    with pytest.raises(Unsupported):
        connect().switch(Power.OFF, soon())


@pytest.mark.parametrize("status", [412, 428])
def test_a_service_that_asks_for_the_etag_gets_it_once(status: int, bmc: Bmc, connect: Open) -> None:
    bmc.systems[0].more = {"@odata.etag": 'W/"17"'}

    def ask(request: Request) -> Answer | None:
        return Answer(status, {}) if request.path == RESET and request.headers.get("If-Match") != 'W/"17"' else None

    bmc.rules.append(ask)
    connect().switch(Power.OFF, soon())
    assert bmc.systems[0].power == "Off"
    bmc.when("POST", RESET, Answer(status, {}))
    bmc.rules.remove(ask)
    with pytest.raises(Refused):
        connect().switch(Power.OFF, soon())
    assert len(bmc.posts()) == 4


@pytest.mark.parametrize("state", ["Exception", "Killed", "Cancelled"])
@pytest.mark.parametrize("by", ["body", "monitor"])
def test_a_task_that_failed_at_once_is_told(state: str, by: str, bmc: Bmc, connect: Open) -> None:
    task = "/redfish/v1/TaskService/Tasks/1"
    body = {"TaskState": state}
    bmc.when("POST", RESET, Answer(202, body if by == "body" else None, {"Location": task}))
    bmc.when("GET", task, Answer(body=body))
    with pytest.raises(Refused, match=state):
        connect().switch(Power.OFF, soon())


@pytest.mark.parametrize(
    "monitor",
    [Answer(202, {"TaskState": "Running"}), Answer(204), Answer(404), Answer(500), Answer(cut=True), Answer(body={})],
)
def test_whatever_else_a_task_says_the_power_state_decides(monitor: Answer, bmc: Bmc, connect: Open) -> None:
    task = "/redfish/v1/TaskService/TaskMonitors/1"

    def accept(request: Request) -> Answer | None:
        if request.path != RESET:
            return None
        bmc.systems[0].power = "Off"
        return Answer(202, None, {"Location": task})

    bmc.rules.append(accept)
    bmc.when("GET", task, monitor)
    driver = connect()
    driver.switch(Power.OFF, soon())
    assert driver.read(soon()).power is Power.OFF


# Choosing the system

OTHER = System("2", "aaaa1111-2222-3333-4444-55555555bbbb", "SN-0002", power="Off")


def test_several_systems_and_no_choice_is_an_error_that_names_them_all(bmc: Bmc, connect: Open) -> None:
    bmc.systems.append(OTHER)
    with pytest.raises(NotFound) as caught:
        connect().read(soon())
    for system in bmc.systems:
        assert all(name in str(caught.value) for name in (f"Id {system.id}", system.uuid, system.serial))
    with pytest.raises(NotFound):
        connect().switch(Power.OFF, soon())
    assert bmc.posts() == []


def test_the_last_one_of_several_systems_is_not_chosen_because_the_others_cannot_be_read(
    bmc: Bmc, connect: Open
) -> None:
    bmc.systems.append(System(**{**OTHER.__dict__, "readings": []}))
    bmc.when("GET", SYSTEM, Answer(404))
    with pytest.raises(NotFound, match="several"):
        connect().read(soon())


@pytest.mark.parametrize("name", ["2", OTHER.uuid, OTHER.uuid.upper(), "SN-0002"])
def test_a_system_is_chosen_by_id_uuid_or_serial_number(name: str, bmc: Bmc, connect: Open) -> None:
    bmc.systems.append(System(**{**OTHER.__dict__, "readings": []}))
    driver = connect(system=name)
    assert driver.read(soon()).power is Power.OFF
    driver.switch(Power.ON, soon())
    assert [each.path for each in bmc.log if each.method == "POST"] == [OTHER.target]


@pytest.mark.parametrize("name", ["3", "sn-0002", "SN-000", "SN-00022", " 2", "aaaa1111", "Systems/2"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_name_that_does_not_fit_exactly_chooses_nothing(name: str, alone: bool, bmc: Bmc, connect: Open) -> None:
    bmc.systems = [OTHER] if alone else [*bmc.systems, OTHER]
    with pytest.raises(NotFound, match="Id 2"):
        connect(system=name).read(soon())


def test_a_name_of_two_systems_chooses_none(bmc: Bmc, connect: Open) -> None:
    bmc.systems.append(System("SN-0001", "aaaa1111-2222-3333-4444-55555555bbbb", "1", power="Off"))
    for name in ("1", "SN-0001"):
        with pytest.raises(NotFound, match="several"):
            connect(system=name).read(soon())


def test_systems_on_later_pages_and_unlisted_ones_count(bmc: Bmc, connect: Open) -> None:
    def page(*ids: str, **more: object) -> Answer:
        return Answer(body={"Members": [{"@odata.id": f"/redfish/v1/Systems/{each}"} for each in ids], **more})

    bmc.systems.append(OTHER)
    first = "/redfish/v1/Systems"
    bmc.when("GET", first, page("1", **{"Members@odata.nextLink": f"{first}?$skip=1"}))
    bmc.when("GET", f"{first}?$skip=1", page("2"))
    with pytest.raises(NotFound, match=r"Id 1 .*Id 2"):
        connect().read(soon())
    assert connect(system="2").read(soon()).power is Power.OFF
    bmc.rules.clear()
    bmc.when("GET", first, page("1", **{"Members@odata.count": 2}))
    with pytest.raises(BadReply, match="1 of its 2"):
        connect().read(soon())
    bmc.rules.clear()
    bmc.when("GET", first, page("1", **{"Members@odata.nextLink": first}))
    with pytest.raises(BadReply, match="does not end"):
        connect().read(soon())


@pytest.mark.parametrize(
    "members", [None, "x", [None], ["x"], [{}], [{"@odata.id": 7}], [{"@odata.id": "https://x/y"}]]
)
def test_a_list_of_systems_that_cannot_be_read_is_a_bad_reply(members: object, bmc: Bmc, connect: Open) -> None:
    bmc.when("GET", "/redfish/v1/Systems", Answer(body={"Members": members}))
    with pytest.raises(BadReply):
        connect().read(soon())


def test_no_system_at_all_is_told(bmc: Bmc, connect: Open) -> None:
    bmc.systems.clear()
    with pytest.raises(NotFound):
        connect().read(soon())
    del bmc.root["Systems"]
    with pytest.raises(Unsupported):
        connect().read(soon())


def test_another_host_in_the_place_of_the_chosen_one_is_not_taken_for_it(bmc: Bmc, connect: Open) -> None:
    driver = connect(system=bmc.systems[0].uuid)
    driver.read(soon())
    bmc.systems[0].uuid, bmc.systems[0].power = "99999999-9E44-4FA7-8E91-F3527A1EF094", "Off"
    for call in (driver.read, lambda deadline: driver.switch(Power.OFF, deadline)):
        with pytest.raises(NotFound):
            call(soon())
    assert bmc.posts() == []


def test_a_host_that_moved_to_another_slot_is_found_there_the_next_time(bmc: Bmc, connect: Open) -> None:
    here, there = bmc.systems[0], System("2", OTHER.uuid, "SN-0002", power="Off")
    bmc.systems.append(there)
    driver = connect(system=here.uuid)
    assert driver.read(soon()).power is Power.ON
    here.uuid, there.uuid = there.uuid, here.uuid
    with pytest.raises(NotFound):
        driver.read(soon())
    assert driver.read(soon()).power is Power.OFF


# Several systems of one service


def several(bmc: Bmc, connect_options: dict[str, object], *names: str) -> tuple[DeviceDriver, list[dict[str, object]]]:
    agents = [{**connect_options, "system": name} for name in names]
    assert TYPE.open_device is not None
    return TYPE.open_device(agents[0]), agents


@pytest.fixture
def options(bmc: Bmc, authority: Authority) -> dict[str, object]:
    known = {"address": "127.0.0.1", "port": bmc.port, "username": USERNAME, "password": PASSWORD}
    return {**known, "ca_path": str(authority.file), "validate_certs": True, "auth": "session"}


def blades(bmc: Bmc, number: int = 4) -> None:
    bmc.systems = [
        System(str(each), str(uuid.UUID(int=each)), f"SN-{each}", power="Off" if each % 2 else "On")
        for each in range(1, number + 1)
    ]


def powers(answers: Sequence[Reading | DeviceError]) -> list[object]:
    return [answer.power if isinstance(answer, Reading) else type(answer) for answer in answers]


@pytest.mark.parametrize(
    ("features", "query"), [({}, "?$expand=."), ({"Levels": True}, "?$expand=.($levels=1)"), (None, None)]
)
def test_several_systems_share_a_session_and_one_reading_where_the_service_can(
    features: dict[str, bool] | None, query: str | None, bmc: Bmc, options: dict[str, object]
) -> None:
    blades(bmc)
    if features is not None:
        bmc.expands(**features)
    driver, agents = several(bmc, options, "1", "SN-2", "nope", "4")
    for _turn in range(2):
        assert powers(driver.read_all(agents, soon())) == [Power.OFF, Power.ON, NotFound, Power.ON]
    bmc.log.clear()
    assert powers(driver.read_all([*agents[:2], agents[3]], soon())) == [Power.OFF, Power.ON, Power.ON]
    driver.close()
    read = [each.path for each in bmc.log if each.method == "GET"]
    assert len(bmc.created) == 1
    if query is not None:
        assert read == [f"/redfish/v1/Systems{query}"]
    else:
        assert len(read) == len(set(read)) and not any("$expand" in path for path in read)


def test_a_service_whose_expansion_cannot_be_used_is_read_one_by_one(bmc: Bmc, options: dict[str, object]) -> None:
    expanded = "/redfish/v1/Systems?$expand=."
    members = [{"@odata.id": f"/redfish/v1/Systems/{each}"} for each in (1, 2)]
    full = [{**member, "Id": str(each), "PowerState": "Off"} for each, member in enumerate(members, start=1)]
    for answer in (
        Answer(400),
        Answer(501),
        Answer(500),
        Answer(body={"Members": members}),
        Answer(body={"Members": full, "Members@odata.count": 4}),
        Answer(body={"Members": [full[0], full[0]]}),
        Answer(body={"Members": "all"}),
    ):
        blades(bmc, 2)
        bmc.rules.clear()
        bmc.expands()
        bmc.when("GET", expanded, answer)
        driver, agents = several(bmc, options, "1", "2")
        assert powers(driver.read_all(agents, soon())) == [Power.OFF, Power.ON]
        assert powers(driver.read_all(agents, soon())) == [Power.OFF, Power.ON]
        assert [each.path for each in bmc.log].count(expanded) == 1
        bmc.log.clear()
        driver.close()


def test_a_name_that_fits_two_of_the_expanded_systems_fits_none(bmc: Bmc, options: dict[str, object]) -> None:
    blades(bmc)
    bmc.systems[2].serial = "SN-1"
    bmc.expands()
    driver, agents = several(bmc, options, "SN-1", "SN-2")
    assert powers(driver.read_all(agents, soon())) == [NotFound, Power.ON]
    driver.close()


def test_several_systems_are_switched_each_once_and_each_with_its_own_answer(
    bmc: Bmc, options: dict[str, object]
) -> None:
    blades(bmc)
    bmc.systems[1].allowed = ["PushPowerButton"]
    driver, agents = several(bmc, options, "4", "2", "nope", "1")
    answers = driver.switch_all(agents, Power.OFF, soon())
    assert [type(answer) for answer in answers] == [type(None), Unsupported, NotFound, type(None)]
    assert [each.path for each in bmc.log if each.path.endswith(".Reset")] == [
        bmc.systems[3].target,
        bmc.systems[0].target,
    ]
    driver.close()


def test_a_conversation_that_breaks_leaves_the_rest_unanswered_and_keeps_what_was_done(
    bmc: Bmc, options: dict[str, object]
) -> None:
    blades(bmc)
    bmc.when("POST", bmc.systems[1].target, Answer(cut=True))
    driver, agents = several(bmc, options, "4", "2", "1")
    answers = driver.switch_all(agents, Power.OFF, soon())
    assert [type(answer) for answer in answers] == [type(None), TimedOut, TimedOut]
    driver.close()
    refused, agents = several(bmc, {**options, "password": "wrong"}, "4", "2")
    with pytest.raises(AuthenticationFailed):
        refused.switch_all(agents, Power.OFF, soon())
    refused.close()


# The outlets of a PDU


@pytest.fixture
def pdu(bmc: Bmc) -> Pdu:
    bmc.systems = []
    bmc.root["PowerEquipment"] = {"@odata.id": "/redfish/v1/PowerEquipment"}
    bmc.pdus = [Pdu()]
    return bmc.pdus[0]


def test_an_outlet_is_a_supply_and_a_system_is_a_chassis() -> None:
    assert TYPE.kind_of is not None
    assert (TYPE.kind_of({"outlet": "7"}), TYPE.kind_of({"outlet": None})) == (Kind.SUPPLY, Kind.CHASSIS)
    agent = {"type": "redfish", "address": "pdu-a", "outlet": 7}
    parsed = parse_host("node3", {"fence_agents": {"psu": agent}}, lambda value: value, find_type).host.agents[0]
    assert (parsed.kind, parsed.where) == (Kind.SUPPLY, "redfish pdu-a, outlet 7")


@pytest.mark.parametrize("outlet", ["7", "Outlet 7", "node3 left"])
def test_an_outlet_is_read_and_switched_by_its_exact_name(outlet: str, bmc: Bmc, pdu: Pdu, connect: Open) -> None:
    driver = connect(outlet=outlet)
    assert driver.read(soon()) == Reading(Power.ON, "On")
    off = operate(driver, Operation.OFF, 10)
    assert (off.ok, off.power, pdu.outlets[0].power) == (True, Power.OFF, "Off")
    on = operate(driver, Operation.ON, 10)
    assert (on.ok, on.power, pdu.outlets[1].power) == (True, Power.ON, "On")
    assert bmc.outlet_posts() == ["1/7 Off", "1/7 On"]


@pytest.mark.parametrize("outlet", ["9", "outlet 7", "node3", "07"])
def test_an_outlet_of_no_exact_name_is_not_found(outlet: str, bmc: Bmc, pdu: Pdu, connect: Open) -> None:
    pdu.outlets[0].power = "Off"
    for call in (lambda driver: driver.read(soon()), lambda driver: driver.switch(Power.OFF, soon())):
        with pytest.raises(NotFound, match=r"Id 7 \(name Outlet 7, label node3 left\)"):
            call(connect(outlet=outlet))
    assert bmc.outlet_posts() == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("PoweringOff", Reason.UNCONFIRMED),
        ("PowerCycle", Reason.BAD_REPLY),
        ("off", Reason.BAD_REPLY),
        (None, Reason.BAD_REPLY),
        (False, Reason.BAD_REPLY),
    ],
)
def test_an_outlet_that_is_not_exactly_off_is_never_off(state: object, reason: Reason, pdu: Pdu, connect: Open) -> None:
    pdu.outlets[0].power = state
    reading = connect(outlet="7").read(soon())
    assert (reading.power, reading.reason) == (Power.UNKNOWN, reason)


def test_an_outlet_in_transition_or_absent_proves_nothing(pdu: Pdu, connect: Open) -> None:
    pdu.outlets[0].power = "Off"
    pdu.outlets[0].more = {"PowerStateInTransition": True}
    reading = connect(outlet="7").read(soon())
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)
    pdu.outlets[0].more = {"Status": {"State": "Absent"}}
    assert connect(outlet="7").read(soon()).power is Power.UNKNOWN
    pdu.outlets[0].more = {"PowerStateInTransition": False, "Status": {"State": "Enabled"}}
    assert connect(outlet="7").read(soon()).power is Power.OFF


@pytest.mark.parametrize(("allowed", "sent"), [(["PowerCycle"], []), (["On", "Off"], ["1/7 Off"]), (None, ["1/7 Off"])])
def test_an_outlet_is_never_cycled(
    allowed: list[str] | None, sent: list[str], bmc: Bmc, pdu: Pdu, connect: Open
) -> None:
    pdu.outlets[0].allowed = allowed
    if sent:
        connect(outlet="7").switch(Power.OFF, soon())
    else:
        with pytest.raises(Unsupported, match="allows only PowerCycle; a cycle is never used"):
            connect(outlet="7").switch(Power.OFF, soon())
    assert bmc.outlet_posts() == sent


def test_several_pdus_and_no_choice_is_an_error_that_names_them(bmc: Bmc, pdu: Pdu, connect: Open) -> None:
    bmc.pdus.append(Pdu("2", "PDU-0002", [Outlet(power="Off")]))
    with pytest.raises(
        NotFound, match=r"several PDUs: Id 1 \(serial PDU-0001\), Id 2 \(serial PDU-0002\); .*option pdu"
    ):
        connect(outlet="7").read(soon())
    assert connect(outlet="7", pdu="2").read(soon()).power is Power.OFF
    assert connect(outlet="7", pdu="PDU-0001").read(soon()).power is Power.ON
    with pytest.raises(NotFound, match="has no pdu 3"):
        connect(outlet="7", pdu="3").read(soon())


def test_another_pdu_in_the_place_of_the_chosen_one_is_not_taken_for_it(bmc: Bmc, pdu: Pdu, connect: Open) -> None:
    bmc.pdus.append(Pdu("2", "PDU-0002", [Outlet(power="Off")]))
    driver = connect(outlet="7", pdu="PDU-0001")
    assert driver.read(soon()).power is Power.ON
    bmc.pdus[0].serial, bmc.pdus[1].serial = "PDU-0002", "PDU-0001"
    bmc.pdus[0].outlets[0].power, bmc.pdus[1].outlets[0].power = "Off", "On"
    with pytest.raises(NotFound):
        driver.read(soon())
    assert driver.read(soon()).power is Power.ON


def test_outlets_of_one_pdu_are_read_at_once_where_the_service_can(
    bmc: Bmc, pdu: Pdu, options: dict[str, object]
) -> None:
    bmc.expands()
    pdu.outlets[1].power = "Off"
    agents = [{**options, "outlet": outlet} for outlet in ("8", "node3 left", "99")]
    assert TYPE.open_device is not None
    driver = TYPE.open_device(agents[0])
    assert powers(driver.read_all(agents, soon())) == [Power.OFF, Power.ON, NotFound]
    bmc.log.clear()
    assert powers(driver.read_all(agents, soon())) == [Power.OFF, Power.ON, NotFound]
    driver.close()
    assert [each.path for each in bmc.log if "Outlets" in each.path] == [f"{pdu.path}/Outlets?$expand=."]
    assert len({TYPE.conversation(agent) for agent in agents}) == 1


def test_a_service_without_pdus_or_outlets_says_so(bmc: Bmc, pdu: Pdu, connect: Open) -> None:
    bmc.when("GET", pdu.path, Answer(body={"Id": "1"}))
    with pytest.raises(Unsupported, match="no list of outlets"):
        connect(outlet="7").read(soon())
    bmc.pdus.clear()
    with pytest.raises(NotFound, match="has no pdu"):
        connect(outlet="7").read(soon())
    del bmc.root["PowerEquipment"]
    with pytest.raises(Unsupported, match="no list of PDUs"):
        connect(outlet="7").read(soon())


# Logging in


@pytest.mark.parametrize("auth", ["basic", "session"])
@pytest.mark.parametrize("wrong", [{"password": "something else"}, {"username": "nobody"}])
def test_a_wrong_login_is_told_and_tried_once(auth: str, wrong: dict[str, str], bmc: Bmc, connect: Open) -> None:
    outcome = operate(connect(auth=auth, **wrong), Operation.READ, 10.0)
    assert (outcome.reason, outcome.power, outcome.attempts) == (Reason.AUTH, Power.UNKNOWN, 1)
    with_login = [each for each in bmc.log if each.headers.get("Authorization") or each.path == SESSIONS]
    assert len([each for each in with_login if each.path != "/redfish/v1/"]) == 1
    with pytest.raises(AuthenticationFailed):
        connect(auth=auth, **wrong).switch(Power.OFF, soon())
    assert bmc.posts() == []


def test_a_login_without_the_right_to_switch_is_told_apart(bmc: Bmc, connect: Open) -> None:
    bmc.when("POST", RESET, Answer(403, {"error": {"code": "Base.1.8.InsufficientPrivilege"}}))
    with pytest.raises(AuthenticationFailed, match=r"not allowed the reset ForceOff .*InsufficientPrivilege"):
        connect().switch(Power.OFF, soon())


def test_a_session_is_opened_once_kept_and_closed(bmc: Bmc, connect: Open) -> None:
    driver = connect(auth="session")
    driver.read(soon())
    driver.switch(Power.OFF, soon())
    driver.read(soon())
    assert (len(bmc.created), len(bmc.deleted)) == (1, 0)
    assert not any("Authorization" in each.headers for each in bmc.log)
    driver.close()
    assert (len(bmc.created), len(bmc.deleted), bmc.tokens) == (1, 1, {})
    driver.close()


def test_nothing_is_sent_at_the_end_when_nothing_was_asked(bmc: Bmc, connect: Open) -> None:
    connect(auth="session").close()
    assert bmc.log == []


@pytest.mark.parametrize(
    "answer", [Answer(500), Answer(403), Answer(cut=True), Answer(raw=b"x" * 9000), Answer(body=[])]
)
@pytest.mark.parametrize("path", ["/redfish/v1/Systems", SYSTEM, RESET])
def test_a_session_is_closed_after_every_kind_of_error(path: str, answer: Answer, bmc: Bmc, connect: Open) -> None:
    for method in ("GET", "POST"):
        bmc.when(method, path, answer)
    bmc.rules.insert(0, lambda request: bmc._as_it_should(request) if request.path == SESSIONS else None)
    driver = connect(auth="session")
    try:
        driver.switch(Power.OFF, soon())
    except DeviceError:
        pass
    driver.close()
    assert len(bmc.created) == len(bmc.deleted) == 1


def test_a_session_is_closed_after_a_timeout_and_close_takes_about_a_second_at_most(bmc: Bmc, connect: Open) -> None:
    driver = connect(auth="session")
    driver.read(soon())
    hanging = threading.Event()

    def hang(request: Request) -> Answer | None:
        if request.method == "GET" or hanging.is_set():
            bmc.wait(30)
        return None

    bmc.rules.append(hang)
    with pytest.raises(TimedOut):
        driver.read(soon(0.3))
    driver.close()
    assert len(bmc.deleted) == 1
    bmc.rules.clear()
    driver = connect(auth="session")
    driver.read(soon())
    hanging.set()
    bmc.rules.append(hang)
    began = time.monotonic()
    driver.close()
    assert time.monotonic() - began < 1.5
    bmc.rules.clear()
    bmc.expire_sessions()


def test_a_session_that_expired_is_replaced_once_and_the_reset_goes_out_once(bmc: Bmc, connect: Open) -> None:
    driver = connect(auth="session")
    driver.read(soon())
    bmc.expire_sessions()
    assert driver.read(soon()).power is Power.ON
    bmc.rules.append(
        lambda request: (
            bmc.expire_sessions()
            if request.method == "POST" and request.path == RESET and len(bmc.created) == 2
            else None
        )
    )  # type: ignore[func-returns-value]
    driver.switch(Power.OFF, soon())
    assert len(bmc.created) == 3
    # One was refused with 401, one was done.
    assert bmc.posts() == ["ForceOff", "ForceOff"] and bmc.systems[0].power == "Off"


def test_a_401_that_stays_is_an_error_after_one_new_login_and_no_session_is_left(bmc: Bmc, connect: Open) -> None:
    bmc.when("GET", SYSTEM, Answer(401, {}))
    driver = connect(auth="session")
    with pytest.raises(AuthenticationFailed):
        driver.read(soon())
    assert len(bmc.created) == 2
    driver.close()
    assert len(bmc.deleted) == 2


def test_sessions_are_made_where_the_service_says(bmc: Bmc, connect: Open) -> None:
    bmc.root["Links"] = {"Sessions": {"@odata.id": "/redfish/v1/Sessions"}}  # iDRAC 7 and 8
    driver = connect(auth="session")
    driver.read(soon())
    driver.close()
    assert bmc.deleted == ["/redfish/v1/Sessions/1"]
    del bmc.root["Links"]
    bmc.root["SessionService"] = {"@odata.id": "/redfish/v1/SessionService"}
    bmc.when(
        "GET", "/redfish/v1/SessionService", Answer(body={"Sessions": {"@odata.id": "/redfish/v1/Elsewhere/Sessions"}})
    )
    driver = connect(auth="session")
    driver.read(soon())
    driver.close()
    assert bmc.deleted[1:] == ["/redfish/v1/Elsewhere/Sessions/2"]


@pytest.mark.parametrize("service", [None, Answer(404), Answer(body={})])
def test_a_service_without_sessions_is_spoken_to_with_basic(service: Answer | None, bmc: Bmc, connect: Open) -> None:
    del bmc.root["Links"]
    if service is not None:
        bmc.root["SessionService"] = {"@odata.id": "/redfish/v1/SessionService"}
        bmc.when("GET", "/redfish/v1/SessionService", service)
    driver = connect(auth="session")
    assert driver.read(soon()).power is Power.ON
    driver.switch(Power.OFF, soon())
    assert bmc.created == [] and bmc.log[-1].headers["Authorization"] == f"Basic {BASIC}"


@pytest.mark.parametrize("location", ["https://idrac-7X.local{}", "{}", None])
def test_a_session_is_closed_wherever_the_device_believes_to_live(
    location: str | None, bmc: Bmc, connect: Open
) -> None:
    def rename(request: Request) -> Answer | None:
        if (request.method, request.path) != ("POST", SESSIONS):
            return None
        answer = bmc._open_session(request)
        place = answer.headers.pop("Location")
        if location is not None:
            answer.headers["Location"] = location.format(place)
        return answer

    bmc.rules.append(rename)
    driver = connect(auth="session")
    driver.read(soon())
    driver.close()
    assert len(bmc.deleted) == 1


@pytest.mark.parametrize("status", [400, 503])
def test_a_service_with_no_session_left_is_busy(status: int, bmc: Bmc, connect: Open) -> None:
    bmc.when("POST", SESSIONS, Answer(status, {"error": {"code": "Base.1.8.SessionLimitExceeded"}}))
    with pytest.raises(Busy):
        connect(auth="session").read(soon())


def test_credentials_with_any_characters_are_sent_as_utf_8(bmc: Bmc, connect: Open) -> None:
    password = "pä:ss wörd€\\\"'"
    bmc.when("GET", SYSTEM, Answer(body={"PowerState": "On"}))
    bmc.when("GET", "/redfish/v1/Systems", Answer(body={"Members": [{"@odata.id": SYSTEM}]}))
    connect(password=password).read(soon())
    _scheme, sent = bmc.log[-1].headers["Authorization"].split()
    assert base64.b64decode(sent).decode() == f"{USERNAME}:{password}"
    bmc.when("POST", SESSIONS, Answer(401))
    with pytest.raises(AuthenticationFailed):
        connect(password=password, auth="session").read(soon())
    assert json.loads(bmc.log[-1].body)["Password"] == password


def test_a_service_that_asks_for_no_login_gets_none(bmc: Bmc, connect: Open) -> None:
    bmc.rules.append(lambda request: Answer(body=bmc.systems[0].document()) if request.path == SYSTEM else None)
    bmc.when("GET", "/redfish/v1/Systems", Answer(body={"Members": [{"@odata.id": SYSTEM}]}))
    for auth in ("basic", "session"):
        assert connect(username=None, password=None, auth=auth).read(soon()).power is Power.ON
    assert not any("Authorization" in each.headers or each.method == "POST" for each in bmc.log)


# Secrets


def echo(secret: str) -> dict[str, Any]:
    info = {"MessageId": f"Base.1.8.{secret}", "Message": f"bad {secret}", "MessageArgs": [secret]}
    word = f"Base.1.8.{secret.replace('-', '')}"
    return {"error": {"code": word, "message": secret, "@Message.ExtendedInfo": [info, {"MessageId": word}]}}


@pytest.mark.parametrize("auth", ["basic", "session"])
@pytest.mark.parametrize("status", [*STATUSES, 200, 202, 412])
@pytest.mark.parametrize("path", ["/redfish/v1/", "/redfish/v1/Systems", SYSTEM, RESET, SESSIONS])
def test_no_error_repeats_a_secret_that_the_device_echoes(
    path: str, status: int, auth: str, bmc: Bmc, connect: Open
) -> None:
    password = PASSWORD.replace("-", "")  # so that it may be a MessageId
    secrets = [password, base64.b64encode(f"{USERNAME}:{password}".encode()).decode()]

    def everybody(request: Request) -> Answer | None:
        secrets.extend(bmc.tokens)
        heard = [each for each in (request.headers.get("X-Auth-Token"), password) if each]
        if request.path == path:
            return Answer(status, echo(heard[0]), {"X-Echo": password, "Location": f"/{password}"})
        if request.path == SESSIONS:
            return bmc._open_session(
                Request("POST", SESSIONS, {}, json.dumps({"UserName": USERNAME, "Password": PASSWORD}).encode())
            )
        return None

    bmc.rules.append(everybody)
    bmc._known = lambda request: True  # type: ignore[method-assign]
    driver = connect(auth=auth, password=password)
    try:
        driver.switch(Power.OFF, soon())
    except DeviceError as error:
        assert not any(secret in f"{error!r} {error.seen} {error.advice} {error.__cause__}" for secret in secrets)
        assert (error.__cause__ is None and error.__suppress_context__) or error.__context__ is None
    driver.close()
    bmc.expire_sessions()


def test_no_reading_and_no_list_of_names_repeats_a_secret(bmc: Bmc, connect: Open) -> None:
    bmc.systems[0].power = f"On {PASSWORD}"
    reading = connect().read(soon())
    assert reading.power is Power.UNKNOWN and PASSWORD not in repr(reading)
    bmc.systems[0].serial, bmc.systems[0].uuid = PASSWORD, BASIC
    bmc.systems.append(OTHER)
    with pytest.raises(NotFound) as caught:
        connect().read(soon())
    assert not any(secret in str(caught.value) for secret in (PASSWORD, BASIC))
    bmc.systems.pop()
    bmc.systems[0].allowed = [PASSWORD]
    with pytest.raises(Unsupported) as refusal:
        connect().switch(Power.OFF, soon())
    assert PASSWORD not in str(refusal.value)


# Options


def test_the_type_says_who_it_speaks_to() -> None:
    options = {"address": "BMC-3.example.com"}
    assert TYPE.describe(options) == "BMC-3.example.com"
    assert (TYPE.device(options), TYPE.target(options)) == ("bmc-3.example.com:443", "bmc-3.example.com:443/")
    more = {**options, "port": 8443, "system": "2"}
    assert TYPE.describe(more) == "BMC-3.example.com, system 2"
    assert TYPE.target(more) == "bmc-3.example.com:8443/2"
    assert TYPE.device({**options, "protocol": "http"}) == "bmc-3.example.com:80"
    outlet = {**options, "outlet": "2", "pdu": "1"}
    assert TYPE.describe(outlet) == "BMC-3.example.com, pdu 1, outlet 2"
    assert len({TYPE.target(each) for each in (more, outlet, {**outlet, "pdu": "2"}, {**options, "outlet": "2"})}) == 4


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"address": "https://bmc"}, "address"),
        ({"address": "bmc/redfish"}, "address"),
        ({"address": "a b"}, "address"),
        ({"address": "user@bmc"}, "address"),
        ({"address": ""}, "address"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"system": ""}, "system"),
        ({"outlet": ""}, "outlet"),
        ({"outlet": "7", "pdu": ""}, "pdu"),
        ({"pdu": "1"}, "outlet"),
        ({"username": "a:b"}, "username"),
        ({"password": f"{PASSWORD}\nx"}, "password"),
        ({"timeout": -1.0}, "timeout"),
    ],
)
def test_bad_options_are_named_before_contact(options: dict[str, object], named: str) -> None:
    problems = option_problems(TYPE, {"address": "bmc", **options})
    assert [name for name, what in problems] == [named]
    assert PASSWORD not in str(problems)


def test_good_options_have_no_problems() -> None:
    for address in ("bmc-3.example.com", "10.0.0.3", "fe80::1", "[::1]"):
        assert option_problems(TYPE, {"address": address, "port": 443, "username": "a", "auth": "basic"}) == []
    assert option_problems(TYPE, {"address": "bmc", "username": "a:b", "auth": "session"}) == []


# sushy-tools, and the real program


@pytest.fixture(scope="module")
def sushy(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sushy]:
    with running_sushy(tmp_path_factory.mktemp("sushy"), authority) as server:
        yield server


def sushy_options(sushy: Sushy, **more: object) -> dict[str, object]:
    login = {"username": USERNAME, "password": PASSWORD, "ca_path": sushy.ca_path}
    return {"address": "127.0.0.1", "port": sushy.port, **login, **more}


def test_sushy_tools_is_read_and_switched(sushy: Sushy) -> None:
    driver = TYPE.driver(sushy_options(sushy, auth="session", system=sushy.uuid.upper()))
    try:
        before = operate(driver, Operation.READ, 10.0)
        assert before.ok
        operation = Operation.OFF if before.power is Power.ON else Operation.ON
        outcome = operate(driver, operation, 30.0)
        assert (outcome.ok, outcome.power, outcome.attempts) == (True, operation.wanted, 1)
        assert operate(driver, Operation.READ, 10.0).power is operation.wanted
    finally:
        driver.close()


def test_sushy_tools_refuses_a_wrong_password_and_a_strange_system(sushy: Sushy) -> None:
    for options, error in (({"password": "wrong"}, AuthenticationFailed), ({"system": "x"}, NotFound)):
        driver = TYPE.driver(sushy_options(sushy, **options))
        with pytest.raises(error):
            driver.read(soon())
        driver.close()


def run_ansible(folder: Path, options: dict[str, object], *arguments: str) -> tuple[dict[str, Any], str]:
    """The result of the module as the real program gives it, and all that the program wrote."""
    secrets = folder / "secrets.json"
    secrets.write_text(json.dumps({"vault_bmc": options["password"]}))
    given = json.dumps({**{name: value for name, value in options.items() if value}, "password": "{{ vault_bmc }}"})
    program = Path(sys.executable).with_name("ansible")
    command = [program, "localhost", "-m", "hostpm.fencing.redfish_power", "-a", given, "-e", f"@{secrets}", *arguments]
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "ANSIBLE_REMOTE_TEMP": str(folder / "tmp")}
    environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(folder / "home"), "REQUESTS_CA_BUNDLE": os.devnull}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)
    text = found.stdout[found.stdout.index("=> {") + 3 :]
    return json.JSONDecoder().raw_decode(text)[0], found.stdout + found.stderr


def test_the_real_program_reads_and_switches(sushy: Sushy, tmp_path: Path) -> None:
    options = sushy_options(sushy)
    planned, _text = run_ansible(tmp_path, {**options, "state": "off"}, "--check")
    old = planned["power"]
    new = {"on": "off", "off": "on"}[old]
    assert planned["changed"] is (old == "on")
    done, written = run_ansible(tmp_path, {**options, "state": new}, "-vvvv", "--diff")
    assert (done["changed"], done["power"], done["power_before"], done["raw"]) == (True, new, old, new.capitalize())
    assert PASSWORD not in written and BASIC not in written
    again, _text = run_ansible(tmp_path, {**options, "state": new})
    assert (again["changed"], again["power"]) == (False, new)


def test_the_real_program_says_why_it_failed(sushy: Sushy, tmp_path: Path) -> None:
    options = sushy_options(sushy, state="on")
    wrong, written = run_ansible(tmp_path, {**options, "password": "Wrong-Pa55word"}, "-vvvv")
    assert (wrong["reason"], wrong["power"], wrong["changed"]) == ("auth", "unknown", False)
    assert "Wrong-Pa55word" not in written
    untrusted, _text = run_ansible(tmp_path, {**options, "ca_path": None})
    assert untrusted["reason"] == "tls" and "ca_path" in untrusted["msg"]
