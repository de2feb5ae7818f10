# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type http against a server for each family: the same cases for all, then what only one of them has."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from devices import driving
from devices.driving import OVERRUN_S, Options, soon
from devices.http_servers import (
    DEVICES,
    LOGIN_PAGE,
    PASSWORD,
    USERNAME,
    Asked,
    Device,
    DliRest,
    Ip9258S,
    NetBooter,
    Netio,
    OpenBmc,
    Page,
    RelayBoard,
    ShellyGen2,
    Tasmota,
)
from devices.redfish_servers import Authority

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    DeviceDriver,
    DeviceError,
    Kind,
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
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.http import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.http_families import FAMILIES
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation, Outcome
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import option_problems
from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import find_type
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import parse_host

every_family = pytest.mark.parametrize("kind", DEVICES, ids=lambda kind: kind.model)


with_outlets = pytest.mark.parametrize("kind", [kind for kind in DEVICES if kind.outlet], ids=lambda kind: kind.model)
Start = Callable[..., Device]
Connect = Callable[..., DeviceDriver]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[Device] = []

    def begin(kind: type[Device], **more: Any) -> Device:
        server = kind(**more)
        servers.append(server)
        return server

    yield begin
    for server in servers:
        server.stop()


@pytest.fixture
def device(kind: type[Device], start: Start) -> Device:
    return start(kind)


@pytest.fixture
def connect() -> Iterator[Connect]:
    drivers: list[DeviceDriver] = []

    def open_driver(server: Device, **more: Any) -> DeviceDriver:
        assert TYPE.open_device is not None
        driver = TYPE.open_device(options_for(server, **more))
        drivers.append(driver)
        return driver

    yield open_driver
    for driver in drivers:
        driver.close()


def options_for(server: Device, **more: Any) -> Options:
    return {
        "address": "127.0.0.1",
        "port": server.port,
        "protocol": "http",
        "model": server.model,
        "username": USERNAME,
        "password": PASSWORD,
        "outlet": server.outlet or None,
        "accept_untested": True,
        "validate_certs": True,
        **more,
    }


def operate(options: Options, operation: Operation, budget_s: float) -> Outcome:
    return driving.operate(TYPE, options, operation, budget_s, TYPE.exchange_s)


def read(options: Options, budget_s: float = 5.0) -> Reading:
    return driving.read(TYPE, options, budget_s)


def switch(options: Options, power: Power, budget_s: float = 5.0) -> None:
    driving.switch(TYPE, options, power, budget_s)


# --- The same for every family ------------------------------------------------------------------------------------


def test_every_family_has_a_server_to_be_tested_with() -> None:
    assert {kind.model for kind in DEVICES} == set(FAMILIES)


@every_family
def test_on_and_off_are_read(device: Device) -> None:
    assert read(options_for(device)).power is Power.ON
    device.power[device.outlet] = device.words[1]
    assert read(options_for(device)).power is Power.OFF
    if device.other:
        assert read(options_for(device, outlet=device.other)).power is Power.ON


@every_family
def test_only_the_exact_word_is_off(device: Device) -> None:
    for word in device.strange:
        device.power[device.outlet] = word
        reading = read(options_for(device))
        assert (reading.power, bool(reading.reason), bool(reading.msg)) == (Power.UNKNOWN, True, True), repr(word)


@every_family
def test_a_switch_is_one_command_to_the_right_outlet_and_ends_with_what_was_read(device: Device) -> None:
    options = options_for(device)
    off = operate(options, Operation.OFF, 5.0)
    assert (off.ok, off.power, off.sent, off.attempts) == (True, Power.OFF, True, 1), off.msg
    on = operate(options, Operation.ON, 5.0)
    assert (on.ok, on.power) == (True, Power.ON), on.msg
    assert device.commands == [(device.outlet, "off"), (device.outlet, "on")]
    assert sum(device.is_command(each) for each in device.log) == 2


@with_outlets
def test_an_outlet_that_is_not_there_is_not_found_and_never_off(device: Device) -> None:
    for outlet in device.power:
        device.power[outlet] = device.words[1]
    options = options_for(device, outlet=device.beyond)
    assert not option_problems(TYPE, options), "it must be written as an outlet is"
    with pytest.raises(NotFound):
        read(options)
    with pytest.raises(NotFound):
        switch(options, Power.OFF)
    assert device.commands == []


@every_family
def test_a_device_that_takes_commands_and_does_nothing_is_not_believed(device: Device) -> None:
    device.obeys = False
    outcome = operate(options_for(device), Operation.OFF, 1.2)
    assert (outcome.ok, outcome.reason) == (False, Reason.UNCONFIRMED)
    assert outcome.power is not Power.OFF  # on, or unknown where the budget cut the very last look short
    assert device.commands == [(device.outlet, "off")]


@with_outlets
def test_many_outlets_are_read_with_one_request(device: Device, connect: Connect) -> None:
    driver = connect(device)
    device.power[device.other] = device.words[1]
    agents = [
        options_for(device, outlet=outlet) for outlet in (device.outlet, device.other, device.beyond, device.outlet)
    ]
    answers = driver.read_all(agents, soon())
    assert [getattr(answer, "power", type(answer)) for answer in answers] == [Power.ON, Power.OFF, NotFound, Power.ON]
    accepted = [each for each in device.log if each.headers.get("Authorization")]
    assert len(accepted) == 1 and device.connections == 1


@with_outlets
def test_many_outlets_are_switched_and_one_that_is_not_there_stands_for_itself(
    device: Device, connect: Connect
) -> None:
    driver = connect(device)
    agents = [options_for(device, outlet=outlet) for outlet in (device.outlet, device.beyond, device.other)]
    complaints = driver.switch_all(agents, Power.OFF, soon())
    assert [type(complaint) for complaint in complaints] == [type(None), NotFound, type(None)]
    assert sorted(device.commands) == sorted([(device.outlet, "off"), (device.other, "off")])
    assert [answer.power for answer in driver.read_all([agents[0], agents[2]], soon())] == [Power.OFF, Power.OFF]  # type: ignore[union-attr]


STATUSES: dict[int, type[DeviceError]] = {
    401: AuthenticationFailed,
    403: AuthenticationFailed,
    404: NotFound,
    405: Unsupported,
    409: Refused,
    500: BadReply,
    503: Busy,
    302: BadReply,
    206: BadReply,
}


@every_family
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_of_a_read_is_the_contract_s_error(status: int, device: Device) -> None:
    device.power[device.outlet] = device.words[1]
    page = device.page(Asked(*device.status_request))
    page.status, page.headers = status, {"Retry-After": "3", "Location": "/login.htm"}
    device.always(page)
    with pytest.raises(DeviceError) as caught:
        read(options_for(device))
    assert caught.type is STATUSES[status]
    assert not isinstance(caught.value, Busy) or caught.value.retry_after_s == 3.0


@every_family
@pytest.mark.parametrize("status", [status for status in STATUSES if status != 206])
def test_every_status_of_a_command_is_the_contract_s_error_and_nothing_is_sent_twice(
    status: int, device: Device
) -> None:
    device.always(Page("", status), device.is_command)
    with pytest.raises(DeviceError) as caught:
        switch(options_for(device), Power.OFF)
    assert caught.type is STATUSES[status]
    assert sum(device.is_command(each) for each in device.log) == 1


@every_family
def test_a_login_page_with_200_is_no_status(device: Device) -> None:
    device.always(Page(LOGIN_PAGE, content_type="text/html"))
    with pytest.raises(BadReply) as caught:
        read(options_for(device))
    assert "login page" in str(caught.value)


@every_family
@pytest.mark.parametrize(
    "content", ["", "off", "0", "null", "[]", "{}", "false", '{"Outputs": 0}', "[" * 5000, "<x>" * 9]
)
def test_what_is_no_status_is_never_off(content: str, device: Device) -> None:
    device.always(Page(content))
    with pytest.raises((BadReply, NotFound)):
        read(options_for(device))


@every_family
def test_the_content_type_does_not_decide_but_the_content(device: Device) -> None:
    page = device.page(Asked(*device.status_request))
    page.content_type = "image/png"
    device.always(page)
    assert read(options_for(device)).power is Power.ON


@every_family
def test_half_an_answer_is_no_answer(device: Device) -> None:
    device.power[device.outlet] = device.words[1]
    body = device.page(Asked(*device.status_request)).body
    device.always(Page(raw=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + 40) + body))
    with pytest.raises(BadReply):
        read(options_for(device))


@every_family
def test_wrong_credentials_are_told_as_such_and_tried_once(device: Device) -> None:
    with pytest.raises(AuthenticationFailed):
        read(options_for(device, password="wrong-Pa55word"))
    assert device.refused == 1


@every_family
def test_no_credentials_are_told_as_such(device: Device) -> None:
    with pytest.raises(AuthenticationFailed):
        read(options_for(device, username=None, password=None))


@every_family
def test_a_device_that_hangs_ends_at_the_deadline(device: Device) -> None:
    device.hang()
    began = time.monotonic()
    with pytest.raises(TimedOut):
        read(options_for(device), 0.5)
    assert time.monotonic() - began < 0.5 + OVERRUN_S


@every_family
def test_a_command_whose_answer_is_lost_is_sent_once_and_left_open(device: Device) -> None:
    device.always(Page(cut=True), device.is_command)
    with pytest.raises(TimedOut):
        switch(options_for(device), Power.OFF)
    assert sum(device.is_command(each) for each in device.log) == 1


@every_family
def test_a_command_whose_answer_is_lost_is_decided_by_reading(device: Device) -> None:
    def obey_and_vanish(asked: Asked) -> Page | None:
        if not device.is_command(asked) or device.commands:
            return None
        device.page(asked)
        return Page(cut=True)

    device.rules.append(obey_and_vanish)
    outcome = operate(options_for(device), Operation.OFF, 5.0)
    assert (outcome.ok, outcome.power, outcome.sent, outcome.attempts) == (True, Power.OFF, True, 1)
    assert device.commands == [(device.outlet, "off")]


@every_family
def test_a_device_that_closes_every_connection_works(device: Device) -> None:
    device.keep = False
    assert operate(options_for(device), Operation.OFF, 5.0).power is Power.OFF


@every_family
def test_a_device_that_is_not_there_is_unreachable(device: Device) -> None:
    device.stop()
    with pytest.raises(Unreachable):
        read(options_for(device))


@every_family
def test_no_message_holds_a_secret(device: Device) -> None:
    device.power[device.outlet] = f"x-{PASSWORD}"
    said = []
    reading = read(options_for(device))
    said.append(f"{reading.raw} {reading.msg}")
    for status in STATUSES:
        device.rules[:] = [lambda asked, status=status: Page(f"{PASSWORD} {USERNAME}", status)]
        with pytest.raises(DeviceError) as caught:
            read(options_for(device))
        said.append(str(caught.value))
    assert not [each for each in said if PASSWORD in each]


@every_family
def test_tls_is_verified_where_the_device_speaks_it(kind: type[Device], start: Start, authority: Authority) -> None:
    if "https" not in FAMILIES[kind.model].protocols:
        assert [option for option, _what in option_problems(TYPE, {**fake(kind), "protocol": "https"})] == ["protocol"]
        return
    server = start(kind, tls=authority.context("127.0.0.1"))
    options = options_for(server, protocol="https")
    assert read({**options, "ca_path": str(authority.file)}).power is Power.ON
    assert read({**options, "validate_certs": False}).power is Power.ON
    with pytest.raises(TlsFailed):
        read(options)


@every_family
def test_the_options_are_checked_before_anything_is_sent(kind: type[Device]) -> None:
    good = fake(kind)
    assert option_problems(TYPE, good) == []
    wrong: list[tuple[str, Options]] = [
        ("address", {"address": "https://pdu"}),
        ("port", {"port": 70000}),
        ("auth", {"auth": "none"}),
        ("username", {"username": None, "password": None, "auth": "basic"}),
        ("outlet", {"outlet": "" if kind.outlet else "1"}),
    ]
    if kind.outlet:
        wrong += [("outlet", {"outlet": each}) for each in (None, "0/../1", "1&2", " ", True, 1.5, "-1", "9999")]
    if FAMILIES[kind.model].trust == "C":
        wrong.append(("accept_untested", {"accept_untested": False}))
    for option, change in wrong:
        found = [name for name, _what in option_problems(TYPE, {**good, **change})]
        assert option in found, (change, found)


def fake(kind: type[Device]) -> Options:
    """Good options for a device that is not there."""
    return {
        "address": "pdu-a.example.com",
        "protocol": "http",
        "model": kind.model,
        "username": USERNAME,
        "password": PASSWORD,
        "outlet": kind.outlet or None,
        "accept_untested": True,
    }


# --- What only one family has -------------------------------------------------------------------------------------


def test_netio_is_told_about_all_outlets_in_one_command(start: Start, connect: Connect) -> None:
    device = start(Netio)
    agents = [options_for(device, outlet=outlet) for outlet in (1, 3, 4)]
    assert list(connect(device).switch_all(agents, Power.OFF, soon())) == [None, None, None]
    posts = [json.loads(each.body) for each in device.log if each.method == "POST"]
    assert posts == [{"Outputs": [{"ID": number, "Action": 0} for number in (1, 3, 4)]}]


def test_two_states_of_one_outlet_are_unknown(start: Start) -> None:
    device = start(Netio)
    outputs = [{"ID": 4, "State": 0}, {"ID": 1, "State": 1}, {"ID": 4, "State": 1}]
    device.always(Page({"Outputs": outputs}))
    assert read(options_for(device)).power is Power.UNKNOWN
    device.rules.clear()
    device.always(Page('{"Outputs": [{"ID": 1, "State": 1}, {"ID": 4, "State": 1, "State": 0}]}'))
    assert read(options_for(device)).power is Power.UNKNOWN


def test_a_digital_loggers_page_tells_of_relays_and_not_of_wishes(start: Start) -> None:
    device = start(DliRest)
    device.power["7"] = True  # its wish, state, is off in all rows
    assert read(options_for(device)).power is Power.ON


def test_a_shelly_counts_from_0_as_its_own_page_does(start: Start) -> None:
    device = start(ShellyGen2)
    switch(options_for(device, outlet=0), Power.OFF)
    assert device.commands == [("0", "off")]


def test_an_ip_power_of_the_elder_kind_is_not_taken_for_a_later_one(start: Start) -> None:
    device = start(Ip9258S)
    device.always(Page("<html>P60=0,P61=0,P62=0,P63=0</html>"))
    with pytest.raises(BadReply) as caught:
        read(options_for(device))
    assert "counts its outlets from 0" in str(caught.value)


def test_a_tasmota_of_one_relay_has_outlet_1_and_no_other(start: Start) -> None:
    device = start(Tasmota)
    device.power = {"1": "OFF"}
    assert read(options_for(device, outlet="1")).power is Power.OFF
    with pytest.raises(NotFound):
        read(options_for(device, outlet="2"))


def test_an_old_tasmota_that_warns_with_200_did_not_accept_the_credentials(start: Start) -> None:
    device = start(Tasmota)
    device.always(Page({"WARNING": "Need user=<username>&password=<password>"}))
    with pytest.raises(AuthenticationFailed):
        read(options_for(device))


def test_openbmc_is_a_chassis_in_transition_while_it_says_so(start: Start) -> None:
    device = start(OpenBmc)
    device.power[""] = "xyz.openbmc_project.State.Chassis.PowerState.TransitioningToOff"
    reading = read(options_for(device))
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)
    assert TYPE.kind_of is not None
    assert TYPE.kind_of(options_for(device)) is Kind.CHASSIS
    assert TYPE.kind_of({"model": "netio"}) is Kind.SUPPLY


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5", "SHA-256-sess", "MD5-sess"])
def test_digest_logs_in_once_and_again_when_its_nonce_is_stale(algorithm: str, start: Start, connect: Connect) -> None:
    device = start(ShellyGen2)
    device.algorithm = algorithm
    driver = connect(device)
    for _turn in range(3):
        driver.read_all([options_for(device)], soon())
    assert len(device.log) == 4, "one challenge, three answers"
    device.forget_nonces()
    driver.switch_all([options_for(device)], Power.OFF, soon())
    assert device.commands == [("3", "off")] and device.refused == 0
    assert not [each for each in device.log if PASSWORD in str(each.headers)]


def test_a_device_that_wants_a_new_nonce_and_does_not_say_why_gets_it(start: Start, connect: Connect) -> None:
    device = start(ShellyGen2)
    driver = connect(device)
    driver.read_all([options_for(device)], soon())
    device.nonces.clear()
    assert driver.switch_all([options_for(device)], Power.OFF, soon()) == [None]


def test_wrong_credentials_are_tried_once_for_each_request(start: Start, connect: Connect) -> None:
    device = start(ShellyGen2)
    driver = connect(device, password="wrong-Pa55word")
    for turn in (1, 2):
        with pytest.raises(AuthenticationFailed):
            driver.read_all([options_for(device)], soon())
        assert device.refused == turn


def test_digest_does_not_fall_back_to_sending_the_password(start: Start) -> None:
    device = start(ShellyGen2)
    device.auth = "basic"
    with pytest.raises(AuthenticationFailed):
        read(options_for(device))
    assert not [each for each in device.log if each.headers.get("Authorization")]


# --- What users write ---------------------------------------------------------------------------------------------

CUSTOM: Options = {
    "model": "custom",
    "device_kind": "supply",
    "outlet": None,
    "status": {"method": "GET", "path": "/state"},
    "switch_on": {"method": "POST", "path": "/power", "body": '{"to": "on"}', "content_type": "application/json"},
    "switch_off": {"method": "POST", "path": "/power", "body": '{"to": "off"}', "content_type": "application/json"},
    "reads_on": {"json": "a.b[0].c", "equals": "on"},
    "reads_off": {"json": "a.b[0].c", "equals": "off"},
}
BY_TEXT: Options = {**CUSTOM, "reads_on": {"matches": r"^state: on\b"}, "reads_off": {"matches": r"^state: off\b"}}


class Anything(Device):
    """A device that answers ``said``, and by it to what it is told."""

    model = "custom"
    said: object = {"a": {"b": [{"c": "on"}]}}

    def page(self, asked: Asked) -> Page:
        if asked.method == "POST":
            self.said = {"a": {"b": [{"c": json.loads(asked.body)["to"]}]}}
            self.commands.append(("", json.loads(asked.body)["to"]))
        return Page(self.said)


def test_custom_requests_and_rules_read_and_switch(start: Start) -> None:
    device = start(Anything)
    options = options_for(device, **CUSTOM)
    assert option_problems(TYPE, options) == []
    assert operate(options, Operation.OFF, 5.0).power is Power.OFF
    assert operate(options, Operation.ON, 5.0).power is Power.ON
    assert device.commands == [("", "off"), ("", "on")]


@pytest.mark.parametrize(
    "said",
    [
        {"a": {"b": [{"c": word}]}} for word in ("Off", "", None, False, 0, ["off"], "offline")
    ] + [{"a": {"b": []}}, {"a": {"b": {"0": {"c": "off"}}}}, {"c": "off"}, ["off"], "off", '{"a": {"b": [{"c": "off", "c": "on"}]}}'],
)  # fmt: skip
def test_whatever_a_rule_does_not_name_is_unknown(said: object, start: Start) -> None:
    device = start(Anything)
    device.said = said
    try:
        reading = read(options_for(device, **CUSTOM))
    except BadReply:
        return
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)


def test_a_rule_whose_quotes_were_forgotten_is_told_from_the_answer(start: Start) -> None:
    device = start(Anything)
    rules = {"reads_on": {"json": "a.b[0].c", "equals": True}, "reads_off": {"json": "a.b[0].c", "equals": False}}
    reading = read(options_for(device, **{**CUSTOM, **rules}))
    assert reading.power is Power.UNKNOWN
    assert 'neither reads_on (true) nor reads_off (false) fits its answer, "on"' in reading.msg


def test_an_answer_that_fits_both_rules_is_unknown(start: Start) -> None:
    device = start(Anything)
    device.said = "state: on\nstate: off\n"
    rules = {"reads_on": {"matches": "state: on"}, "reads_off": {"matches": "state: off"}}
    reading = read(options_for(device, **{**CUSTOM, **rules}))
    assert reading.power is Power.UNKNOWN and "both" in reading.msg
    device.said = {"x": "off", "y": "on"}
    rules = {"reads_on": {"json": "y", "equals": "on"}, "reads_off": {"json": "x", "equals": "off"}}
    assert read(options_for(device, **{**CUSTOM, **rules})).power is Power.UNKNOWN


@pytest.mark.parametrize(
    ("said", "power"), [("state: on", Power.ON), ("state: off\n", Power.OFF), ("state: offer", None)]
)
def test_a_rule_may_be_a_regular_expression(said: str, power: Power | None, start: Start) -> None:
    device = start(Anything)
    device.said = said
    assert read(options_for(device, **BY_TEXT)).power is (power or Power.UNKNOWN)


def test_a_regular_expression_that_takes_for_ever_ends_at_the_deadline(start: Start) -> None:
    device = start(Anything)
    device.said = "a" * 60 + "!"
    rules = {"reads_on": {"matches": r"^(a+)+$"}, "reads_off": {"matches": r"^off$"}}
    began = time.monotonic()
    with pytest.raises(TimedOut):
        read(options_for(device, **{**CUSTOM, **rules}), 1.0)
    assert time.monotonic() - began < 1.0 + OVERRUN_S


WRONG: list[tuple[str, Options]] = [
    ("device_kind", {"device_kind": None}),
    ("status", {"status": None}),
    ("status", {"status": {"path": "http://elsewhere/"}}),
    ("status", {"status": {"path": "/a b"}}),
    ("status", {"status": {"path": "/a\r\nHost: x"}}),
    ("switch_on", {"switch_on": {"path": "/", "headers": {"X-Auth-Token": "geheim"}}}),
    ("switch_on", {"switch_on": {"path": "/", "headers": {"Content-Length": "3"}}}),
    ("switch_on", {"switch_on": {"path": "/", "headers": {"X-A": "b\r\nc: d"}}}),
    ("switch_off", {"switch_off": {"path": "/{mask}"}}),
    ("reads_on", {"reads_on": {"json": "a"}}),
    ("reads_on", {"reads_on": {"json": "a", "equals": "on", "matches": "on"}}),
    ("reads_on", {"reads_on": {"json": "a[b]", "equals": "on"}}),
    ("reads_off", {"reads_off": {"matches": "("}}),
    ("reads_off", {"reads_off": {"matches": "(off)*"}}),
    ("reads_off", {"reads_off": {"json": "a.b[0].c", "equals": "on"}}),
    ("outlet", {"outlet": "3"}),
    ("outlet", {"switch_off": {"path": "/{outlet}"}}),
    ("outlet", {"switch_off": {"path": "/{outlet}"}, "outlet": "../x"}),
]


@pytest.mark.parametrize(("option", "change"), WRONG, ids=lambda each: str(each)[:60])
def test_what_users_write_is_checked_before_anything_is_sent(option: str, change: Options) -> None:
    options = {"address": "pdu", "protocol": "https", **CUSTOM, **change}
    assert option in [name for name, _what in option_problems(TYPE, options)]


def test_what_is_for_custom_is_refused_elsewhere() -> None:
    found = [
        name
        for name, _what in option_problems(TYPE, {**fake(Netio), "status": {"path": "/"}, "device_kind": "chassis"})
    ]
    assert found == ["device_kind", "status"]


# --- The guide ----------------------------------------------------------------------------------------------------

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "adding_an_http_device.md"


@pytest.mark.parametrize(("kind", "block", "outlet"), [(RelayBoard, 0, "1"), (NetBooter, 1, "3")], ids=["json", "text"])
def test_the_guide_works_as_it_is_written(kind: type[Device], block: int, outlet: str, start: Start) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    variables = yaml.safe_load(blocks[block].replace("{{ vault_pdu }}", PASSWORD))
    server = start(kind)
    variables["fence_agents"]["psu"].update(address="127.0.0.1", port=server.port, protocol="http")
    parsed = parse_host("node", variables, lambda value: value, find_type)
    agent = parsed.host.all_agents[0]
    assert agent.kind is Kind.SUPPLY
    assert operate(dict(agent.options), Operation.OFF, 5.0).ok
    assert server.commands == [(outlet, "off")]
    assert operate(dict(agent.options), Operation.ON, 5.0).ok
    assert server.commands[1:] == [(outlet, "on")]


def test_the_guide_lists_every_family_as_the_table_has_it() -> None:
    lines = [f"| `{each.model}` | {each.title} | {each.trust} | {each.source} |" for each in FAMILIES.values()]
    guide = GUIDE.read_text(encoding="utf-8").splitlines()
    assert [line for line in guide if line.startswith("| `")] == lines


def test_the_documentation_names_every_model_with_its_outlets() -> None:
    documentation = yaml.safe_load(module_documentation())
    options = documentation["options"]
    assert options["model"]["choices"] == TYPE.argument_spec["model"]["choices"]
    for family in FAMILIES.values():
        assert [line for line in options["model"]["description"] if f"V({family.model})" in line], family.model
        if family.outlet:
            assert [line for line in options["outlet"]["description"] if f"V({family.model})" in line], family.model


def module_documentation() -> str:
    source = (GUIDE.parents[1] / "plugins" / "modules" / "http_power.py").read_text(encoding="utf-8")
    match = re.search(r'DOCUMENTATION = r"""(.*?)"""', source, re.DOTALL)
    assert match
    return match[1]
