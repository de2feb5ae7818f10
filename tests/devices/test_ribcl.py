# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type ribcl against an iLO 2: a power button that must not be pressed once too often."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from devices import driving
from devices.driving import OVERRUN_S, Options, soon
from devices.http_servers import PASSWORD, USERNAME
from devices.management_servers import Ilo2
from devices.redfish_servers import Authority, SocketServer

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    DeviceError,
    Power,
    Reading,
    Reason,
    Refused,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import ribcl
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.ribcl import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation

Start = Callable[..., Ilo2]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def start(authority: Authority) -> Iterator[Start]:
    servers: list[Ilo2] = []

    def begin(**more: str) -> Ilo2:
        servers.append(Ilo2(authority.context("127.0.0.1"), **more))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


@pytest.fixture
def ilo(start: Start) -> Ilo2:
    return start()


@pytest.fixture
def options(ilo: Ilo2, authority: Authority) -> Options:
    return options_for(ilo.port, authority)


def options_for(port: int, authority: Authority) -> Options:
    return {
        "address": "127.0.0.1",
        "port": port,
        "username": USERNAME,
        "password": PASSWORD,
        "validate_certs": True,
        "ca_path": str(authority.file),
        "legacy_tls": False,
    }


def read(options: Options, budget_s: float = 5.0) -> Reading:
    return driving.read(TYPE, options, budget_s)


@pytest.mark.parametrize(("word", "power"), [("ON", Power.ON), ("OFF", Power.OFF)])
def test_on_and_off_are_read(word: str, power: Power, ilo: Ilo2, options: Options) -> None:
    ilo.power = word
    assert read(options) == Reading(power, word)
    assert ilo.wrong_first_line == 0, "the line that says XML comes in a packet of its own"


@pytest.mark.parametrize("word", ["", "off", "Off", "OFF ", "UNKNOWN", "0", "&#79;FF", "RESET"])
def test_whatever_is_not_exactly_off_is_never_off(word: str, ilo: Ilo2, options: Options) -> None:
    ilo.power = word
    reading = read(options)
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)
    with pytest.raises(BadReply):
        driving.switch(TYPE, options, Power.OFF)
    assert ilo.buttons == []


def test_two_powers_in_one_answer_are_unknown(ilo: Ilo2, options: Options) -> None:
    ilo.power, ilo.extra = "OFF", '<GET_HOST_POWER HOST_POWER="ON"/>'
    assert read(options).power is Power.UNKNOWN


@pytest.mark.parametrize(
    ("device", "on", "off"),
    [
        ({"processor": "iLO2", "firmware": "2.29"}, "PRESS_PWR_BTN", "HOLD_PWR_BTN TOGGLE"),
        ({"processor": "iLO2", "firmware": "1.29"}, "PRESS_PWR_BTN", "HOLD_PWR_BTN"),
        ({"processor": "iLO2", "firmware": "1.30"}, "PRESS_PWR_BTN", "HOLD_PWR_BTN TOGGLE"),
        ({"processor": "iLO", "firmware": "1.94"}, "PRESS_PWR_BTN", "HOLD_PWR_BTN"),
        ({"processor": "iLO", "firmware": "1.10", "version": "2.20"}, "SET_HOST_POWERYes", "SET_HOST_POWERNo"),
    ],
)
def test_each_generation_has_its_buttons(
    device: dict[str, str], on: str, off: str, start: Start, authority: Authority
) -> None:
    ilo = start(**device)
    options = options_for(ilo.port, authority)
    assert driving.operate(TYPE, options, Operation.OFF).power is Power.OFF
    assert driving.operate(TYPE, options, Operation.ON).power is Power.ON
    assert ilo.buttons == [off, on]


def test_what_is_older_than_ilo_is_not_spoken_to(start: Start, authority: Authority) -> None:
    ilo = start(version="1.20")
    with pytest.raises(Unsupported):
        driving.switch(TYPE, options_for(ilo.port, authority), Power.OFF)
    assert ilo.buttons == []


@pytest.mark.parametrize("power", [Power.OFF, Power.ON])
def test_a_host_that_is_there_already_has_no_button_pressed(power: Power, ilo: Ilo2, options: Options) -> None:
    ilo.power = str(power).upper()
    driving.switch(TYPE, options, power)
    assert (ilo.buttons, ilo.power) == ([], str(power).upper())


def test_a_held_button_whose_answer_is_lost_is_not_held_again_while_it_works(ilo: Ilo2, options: Options) -> None:
    """A second hold would switch the host on again: this iLO toggles."""
    ilo.holds_s, ilo.vanish = 1.0, True
    outcome = driving.operate(TYPE, options, Operation.OFF, 6.0)
    assert (outcome.ok, outcome.power, outcome.sent) == (True, Power.OFF, True), outcome.msg
    time.sleep(0.3)
    assert (ilo.buttons, ilo.power) == (["HOLD_PWR_BTN TOGGLE"], "OFF")


def test_a_button_is_pressed_again_only_when_the_last_press_must_have_worked(
    ilo: Ilo2, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = TYPE.driver(options)
    try:
        driver.switch(Power.OFF, soon())
        ilo.power = "ON"  # as if the hold were still at work
        with pytest.raises(Busy):
            driver.switch(Power.OFF, soon())
        assert len(ilo.buttons) == 1
        monkeypatch.setattr(ribcl, "PRESS_S", 0.0)  # as if that long had passed
        driver.switch(Power.OFF, soon())
        assert len(ilo.buttons) == 2
    finally:
        driver.close()


def test_a_button_that_has_done_its_work_is_not_waited_for(ilo: Ilo2, options: Options) -> None:
    driver = TYPE.driver(options)
    try:
        driver.switch(Power.OFF, soon())
        assert driver.read(soon()).power is Power.OFF
        driver.switch(Power.ON, soon())
    finally:
        driver.close()
    assert (ilo.buttons, ilo.power) == (["HOLD_PWR_BTN TOGGLE", "PRESS_PWR_BTN"], "ON")


def test_a_device_that_takes_a_button_and_does_nothing_is_not_believed(ilo: Ilo2, options: Options) -> None:
    ilo.obeys = False
    outcome = driving.operate(TYPE, options, Operation.OFF, 1.5)
    assert (outcome.ok, outcome.power) == (False, Power.ON)
    assert len(ilo.buttons) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(0x23, AuthenticationFailed), (0x3C, Unsupported), (0x01, Refused), (0x99, Refused)]
)
def test_a_button_that_is_refused_is_the_contract_s_error(
    status: int, error: type[DeviceError], ilo: Ilo2, options: Options
) -> None:
    ilo.status = status
    driver = TYPE.driver(options)
    try:
        for _turn in range(2):  # It was not pressed, so nothing has to be waited for.
            with pytest.raises(DeviceError) as caught:
                driver.switch(Power.OFF, soon())
            assert caught.type is error and PASSWORD not in str(caught.value)
    finally:
        driver.close()
    assert ilo.buttons == []


def test_wrong_credentials_are_told_as_such(ilo: Ilo2, options: Options) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        read({**options, "password": "wrong-Pa55word"})
    assert PASSWORD not in str(caught.value)


def test_a_device_that_hangs_ends_at_the_deadline(ilo: Ilo2, options: Options) -> None:
    ilo.hang = True
    for ask in (lambda: read(options, 0.5), lambda: driving.switch(TYPE, options, Power.OFF, 0.5)):
        began = time.monotonic()
        with pytest.raises(TimedOut):
            ask()
        assert time.monotonic() - began < 0.5 + OVERRUN_S
    assert ilo.buttons == []


ANSWERS = {
    "nothing": b"",
    "HTTP": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "half a tag": b'<?xml version="1.0"?><RIBCL VERSION="2.22"><GET_HOST_POWER HOST_POWER="OFF"',
    "no end of it": b'<?xml version="1.0"?><GET_HOST_POWER HOST_POWER="OFF\r\n' + b" " * 100,
    "a login page": b"<html>Login OFF</html>",
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_no_answer_of_an_ilo_is_never_off(answer: str, authority: Authority) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.recv(4096)
        connection.sendall(ANSWERS[answer])

    server = SocketServer(talk, authority.context("127.0.0.1"))
    try:
        with pytest.raises((BadReply, TimedOut, Unreachable)):
            read(options_for(server.port, authority))
    finally:
        server.stop()


def test_an_answer_without_end_is_cut(authority: Authority) -> None:
    ended = threading.Event()

    def talk(connection: socket.socket) -> None:
        while not ended.is_set():
            connection.sendall(b"<x/>" * 4096)

    server = SocketServer(talk, authority.context("127.0.0.1"))
    try:
        with pytest.raises((BadReply, TimedOut)):
            read(options_for(server.port, authority), 2.0)
    finally:
        ended.set()
        server.stop()


def test_the_certificate_is_verified(ilo: Ilo2, options: Options) -> None:
    with pytest.raises(TlsFailed):
        read({**options, "ca_path": None})
    assert read({**options, "ca_path": None, "validate_certs": False}).power is Power.ON


def test_old_tls_is_spoken_only_when_it_is_asked_for(authority: Authority) -> None:
    context = authority.context("127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    ilo = Ilo2(context)
    options = options_for(ilo.port, authority)
    try:
        with pytest.raises(TlsFailed) as caught:
            read(options)
        assert "legacy_tls" in str(caught.value)
        assert read({**options, "legacy_tls": True}).power is Power.ON
        with pytest.raises(TlsFailed):
            read({**options, "legacy_tls": True, "ca_path": None})
    finally:
        ilo.stop()


def test_a_device_that_is_not_there_is_unreachable(ilo: Ilo2, options: Options) -> None:
    ilo.stop()
    with pytest.raises(Unreachable):
        read(options)
