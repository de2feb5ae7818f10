# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type amt against a WS-Management server with digest, over plain HTTP and TLS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from devices import driving
from devices.driving import OVERRUN_S, Options
from devices.http_servers import LOGIN_PAGE, PASSWORD, USERNAME, Asked, Page
from devices.management_servers import Amt
from devices.redfish_servers import Authority

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    DeviceError,
    NotFound,
    Power,
    Reading,
    Reason,
    Refused,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.amt import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import option_problems


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def machine() -> Iterator[Amt]:
    server = Amt()
    yield server
    server.stop()


@pytest.fixture
def options(machine: Amt) -> Options:
    return options_for(machine)


def options_for(machine: Amt) -> Options:
    return {
        "address": "127.0.0.1",
        "port": machine.port,
        "protocol": "http",
        "username": USERNAME,
        "password": PASSWORD,
        "validate_certs": True,
    }


def read(options: Options, budget_s: float = 5.0) -> Reading:
    return driving.read(TYPE, options, budget_s)


@pytest.mark.parametrize(("state", "power"), [("2", Power.ON), ("8", Power.OFF), ("6", Power.OFF)])
def test_on_and_off_are_read(state: str, power: Power, machine: Amt, options: Options) -> None:
    machine.state = state
    assert read(options) == Reading(power, state)


@pytest.mark.parametrize("state", ["1", "3", "4", "5", "7", "9", "10", "12", "13", "16"])
def test_a_host_that_sleeps_hibernates_or_is_under_way_is_not_off(state: str, machine: Amt, options: Options) -> None:
    machine.state = state
    reading = read(options)
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)


@pytest.mark.parametrize(
    "state", ["", "0", "08", "8.0", "-8", "off", "17", "88", "<x/>8", "8</p:PowerState><p:PowerState>2"]
)
def test_whatever_is_not_documented_is_never_off(state: str, machine: Amt, options: Options) -> None:
    machine.state = state
    try:
        reading = read(options)
    except BadReply:
        return
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)


def test_a_power_state_of_another_class_is_no_answer(machine: Amt, options: Options) -> None:
    machine.always(
        machine.envelope("CIM_Other", "CIM_AssociatedPowerManagementService", "<p:PowerState>8</p:PowerState>")
    )
    with pytest.raises(BadReply):
        read(options)


def test_entities_are_not_read(machine: Amt, options: Options) -> None:
    """A document type may say that &off; is 8, or is a gigabyte."""
    state = "<p:PowerState>&off;</p:PowerState>"
    page = machine.envelope(*["CIM_AssociatedPowerManagementService"] * 2, state)
    page.content = str(page.content).replace("?>", '?><!DOCTYPE s [<!ENTITY off "8">]>', 1)
    machine.always(page)
    with pytest.raises(BadReply):
        read(options)


@pytest.mark.parametrize("operation", [Operation.OFF, Operation.ON])
def test_an_operation_is_one_command_and_ends_with_what_was_read(
    operation: Operation, machine: Amt, options: Options
) -> None:
    machine.state = "2" if operation is Operation.OFF else "8"
    outcome = driving.operate(TYPE, options, operation)
    assert (outcome.ok, outcome.power, outcome.attempts) == (True, operation.wanted, 1), outcome.msg
    assert machine.requested == ["8" if operation is Operation.OFF else "2"]
    assert machine.refused == 0 and not [each for each in machine.log if PASSWORD.encode() in each.body]


def test_a_machine_that_takes_a_command_and_does_nothing_is_not_believed(machine: Amt, options: Options) -> None:
    machine.obeys = False
    outcome = driving.operate(TYPE, options, Operation.OFF, 1.2)
    assert (outcome.ok, outcome.reason) == (False, Reason.UNCONFIRMED)
    assert outcome.power is not Power.OFF  # on, or unknown where the budget cut the very last look short


RETURNS = {
    "1": Unsupported,
    "2": Refused,
    "4": Refused,
    "4097": Refused,
    "6": Busy,
    "4099": Busy,
    "x": BadReply,
    "": BadReply,
}


@pytest.mark.parametrize("value", RETURNS)
def test_every_return_value_but_success_is_an_error(value: str, machine: Amt, options: Options) -> None:
    machine.return_value = value
    with pytest.raises(DeviceError) as caught:
        driving.switch(TYPE, options, Power.OFF)
    assert caught.type is RETURNS[value]
    assert machine.requested == ["8"] and machine.state == "2"


FAULTS = {
    "w:AccessDenied": AuthenticationFailed,
    "a:DestinationUnreachable": Unsupported,
    "w:Concurrency": Busy,
    "w:InternalError": Refused,
    PASSWORD: Refused,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_fault_is_the_contract_s_error(fault: str, status: int, machine: Amt, options: Options) -> None:
    machine.always(machine.fault("s:Sender", fault, status))
    with pytest.raises(DeviceError) as caught:
        read(options)
    assert caught.type is FAULTS[fault]
    assert PASSWORD not in str(caught.value)


STATUSES = {401: AuthenticationFailed, 403: AuthenticationFailed, 404: NotFound, 409: Refused, 400: Refused}
STATUSES |= {500: BadReply, 503: Busy}


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_the_contract_s_error(status: int, machine: Amt, options: Options) -> None:
    machine.always(Page("<html/>" if status == 403 else "", status))
    with pytest.raises(DeviceError) as caught:
        read(options)
    assert caught.type is STATUSES[status]


@pytest.mark.parametrize("content", [LOGIN_PAGE, "", "8", "<a>", "<PowerState>8</PowerState>"])
def test_what_is_no_answer_of_amt_is_a_bad_reply(content: str, machine: Amt, options: Options) -> None:
    machine.always(Page(content, content_type="text/html"))
    with pytest.raises(BadReply):
        read(options)


def test_wrong_credentials_are_tried_once(machine: Amt, options: Options) -> None:
    with pytest.raises(AuthenticationFailed):
        read({**options, "password": "wrong-Pa55word"})
    assert machine.refused == 1


def test_a_command_whose_answer_is_lost_is_decided_by_reading(machine: Amt, options: Options) -> None:
    def obey_and_vanish(asked: Asked) -> Page | None:
        if not machine.is_command(asked):
            return None
        machine.page(asked)
        return Page(cut=True)

    machine.rules.append(obey_and_vanish)
    outcome = driving.operate(TYPE, options, Operation.OFF)
    assert (outcome.ok, outcome.power, outcome.sent) == (True, Power.OFF, True)
    assert machine.requested == ["8"]


def test_a_machine_that_hangs_ends_at_the_deadline(machine: Amt, options: Options) -> None:
    machine.hang()
    began = time.monotonic()
    with pytest.raises(TimedOut):
        read(options, 0.5)
    assert time.monotonic() - began < 0.5 + OVERRUN_S


def test_half_an_answer_is_no_answer(machine: Amt, options: Options) -> None:
    machine.state = "8"
    body = machine.envelope(*["CIM_AssociatedPowerManagementService"] * 2, "<p:PowerState>8</p:PowerState>").body
    machine.always(Page(raw=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + 9) + body))
    with pytest.raises((BadReply, TimedOut)):
        read(options)


def test_a_machine_that_is_not_there_is_unreachable(machine: Amt, options: Options) -> None:
    machine.stop()
    with pytest.raises(Unreachable):
        read(options)


def test_tls_is_verified(authority: Authority) -> None:
    machine = Amt(authority.context("127.0.0.1"))
    options = {**options_for(machine), "protocol": "https"}
    try:
        assert read({**options, "ca_path": str(authority.file)}).power is Power.ON
        assert read({**options, "validate_certs": False}).power is Power.ON
        with pytest.raises(TlsFailed):
            read(options)
    finally:
        machine.stop()


def test_the_ports_are_those_of_amt() -> None:
    open_port: Callable[[Options], str] = TYPE.device
    assert open_port({"address": "Host", "protocol": "https"}) == "host:16993"
    assert open_port({"address": "host", "protocol": "http"}) == "host:16992"
    assert [name for name, _what in option_problems(TYPE, {"address": "http://x", "username": ""})] == [
        "address",
        "username",
    ]
