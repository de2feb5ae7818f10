# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The IPMI driver, through both libraries, against OpenIPMI's simulator, pyghmi's own BMC and the rack's.

A network between driver and BMC loses, delays and counts packets.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from devices.ipmi_servers import (
    CAPABILITIES,
    IN_SESSION,
    IPMI_SIM,
    OPEN_SESSION,
    OPERATOR,
    PASSWORD,
    RAKP_1,
    RAKP_3,
    READER,
    USERNAME,
    IpmiSim,
    Network,
    PyghmiBmc,
    free_port,
)

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    Driver,
    Power,
    Reading,
    Reason,
    Refused,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import ipmi
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.ipmi import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Operation,
    Outcome,
    read_power,
    switch_power,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import option_problems
from lab.rack import RunningRack, make_inventory

pytestmark = pytest.mark.skipif(IPMI_SIM is None, reason="ipmi_sim (Debian package openipmi) is not installed")

LIBRARIES = ["python-ipmi", "pyghmi"]
KEY = "canary-91c4-key"
# How late a driver may be: half a second by the contract, and what a loaded machine adds.
LATE_S = 1.0

Open = Callable[..., Driver]


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[IpmiSim]:
    bmc = IpmiSim(tmp_path / "sim")
    yield bmc
    bmc.stop()


@pytest.fixture
def network(sim: IpmiSim) -> Iterator[Network]:
    between = Network(sim.port)
    yield between
    between.stop()


def options(port: int, **given: object) -> dict[str, Any]:
    return {
        "address": "127.0.0.1",
        "port": port,
        "username": USERNAME,
        "password": PASSWORD,
        "k_g": None,
        "privilege": "operator",
        "cipher_suites": [17, 3],
        "library": "python-ipmi",
        **given,
    }


@pytest.fixture
def connect(library: str) -> Iterator[Open]:
    """Opens a driver of the library under test."""
    drivers = []

    def open_driver(port: int, **given: object) -> Driver:
        driver = TYPE.driver(options(port, library=library, **given))
        drivers.append(driver)
        return driver

    yield open_driver
    for driver in drivers:
        began = time.monotonic()
        driver.close()
        assert time.monotonic() - began < 1.5, "close took too long"


@pytest.fixture
def pyghmi_bmc(tmp_path: Path) -> Iterator[Callable[..., PyghmiBmc]]:
    running = []

    def start(**script: object) -> PyghmiBmc:
        bmc = PyghmiBmc(tmp_path / f"bmc{len(running)}", **script)
        running.append(bmc)
        return bmc

    yield start
    for bmc in running:
        bmc.stop()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes packets and answers none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield int(nobody.getsockname()[1])


def soon(budget_s: float = 8.0) -> Deadline:
    return Deadline(budget_s)


def failure(call: Callable[[], object], budget_s: float) -> DeviceError:
    """The error that a call ends with, in time and without a secret."""
    began = time.monotonic()
    with pytest.raises(DeviceError) as raised:
        call()
    assert time.monotonic() - began < budget_s + LATE_S
    told = [*traceback.TracebackException.from_exception(raised.value).format_exception_only(), repr(raised.value)]
    assert "canary" not in "".join(told)
    return raised.value


def operate(driver: Driver, operation: Operation, budget_s: float) -> Outcome:
    """One operation as the modules run it."""

    async def run() -> Outcome:
        with ThreadPoolExecutor(1) as pool:
            exchanges = DriverExchanges(driver, pool, TYPE.exchange_s)
            if operation is Operation.READ:
                return await read_power(exchanges, budget_s, MonotonicClock())
            return await switch_power(exchanges, operation, budget_s, MonotonicClock())

    return asyncio.run(run())


def logins(network: Network) -> int:
    return network.requests[RAKP_3]


# Reading and switching


@pytest.mark.parametrize("power", [Power.ON, Power.OFF])
def test_the_power_is_read(power: Power, sim: IpmiSim, connect: Open) -> None:
    sim.power = str(power)
    assert connect(sim.port).read(soon()) == Reading(power, f"chassis power is {power}")
    assert sim.commands == []


def test_off_and_on_are_sent_once_each(sim: IpmiSim, connect: Open) -> None:
    driver = connect(sim.port)
    driver.switch(Power.OFF, soon())
    assert (sim.power, driver.read(soon()).power) == ("off", Power.OFF)
    driver.switch(Power.ON, soon())
    assert (sim.power, driver.read(soon()).power) == ("on", Power.ON)
    assert sim.commands == ["off", "on"]


def test_a_session_is_kept_between_calls(network: Network, connect: Open) -> None:
    driver = connect(network.port)
    for _time in range(3):
        driver.read(soon())
    assert logins(network) == 1


def test_a_second_session_with_the_same_credentials_works(sim: IpmiSim, connect: Open) -> None:
    first, second = connect(sim.port), connect(sim.port)
    assert [driver.read(soon()).power for driver in (first, second, first, second)] == [Power.ON] * 4
    first.close()
    assert second.read(soon()).power is Power.ON
    assert first.read(soon()).power is Power.ON


def test_closing_logs_out(network: Network, connect: Open) -> None:
    driver = connect(network.port)
    driver.read(soon())
    before = network.requests[IN_SESSION]
    driver.close()
    deadline = soon(2.0)
    while network.requests[IN_SESSION] == before and not deadline.over:
        time.sleep(0.01)
    assert network.requests[IN_SESSION] == before + 1


def test_a_name_is_as_good_as_an_address(sim: IpmiSim, connect: Open) -> None:
    assert connect(sim.port, address="localhost").read(soon()).power is Power.ON


def test_an_ipv6_address_is_as_good(sim: IpmiSim, connect: Open) -> None:
    network = Network(sim.port, address="::1")
    try:
        assert connect(network.port, address="::1").read(soon()).power is Power.ON
        assert connect(network.port, address="[::1]").read(soon()).power is Power.ON
    finally:
        network.stop()


def test_the_suite_that_the_bmc_took_is_remembered(
    network: Network, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipmi, "IDLE_S", 0.0)
    driver = connect(network.port)
    driver.read(soon())
    assert network.requests[OPEN_SESSION] == 2  # 17 is refused by ipmi_sim, 3 is taken
    time.sleep(0.01)
    driver.read(soon())
    assert (network.requests[OPEN_SESSION], logins(network)) == (3, 2)


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_python_ipmi_speaks_the_sha_1_suites_of_ipmi_sim(suite: int, sim: IpmiSim) -> None:
    driver = TYPE.driver(options(sim.port, cipher_suites=[suite]))
    try:
        driver.switch(Power.OFF, soon())
        assert driver.read(soon()).power is Power.OFF
    finally:
        driver.close()


# Who may do what


def test_a_wrong_password_is_an_authentication_failure(sim: IpmiSim, connect: Open) -> None:
    error = failure(lambda: connect(sim.port, password="canary-wrong").read(soon()), 2.0)
    assert isinstance(error, AuthenticationFailed)
    assert "password" in error.seen


def test_a_wrong_user_is_an_authentication_failure(sim: IpmiSim, connect: Open) -> None:
    error = failure(lambda: connect(sim.port, username="canary-user").switch(Power.OFF, soon()), 2.0)
    assert isinstance(error, AuthenticationFailed)
    assert "user name" in error.seen
    assert sim.commands == []


def test_an_account_that_may_only_read_reads_and_does_not_switch(sim: IpmiSim, connect: Open) -> None:
    driver = connect(sim.port, username=READER, privilege="user")
    assert driver.read(soon()).power is Power.ON
    error = failure(lambda: driver.switch(Power.OFF, soon()), 2.0)
    assert isinstance(error, AuthenticationFailed)
    assert sim.commands == []


def test_an_operators_account_switches(sim: IpmiSim, connect: Open) -> None:
    connect(sim.port, username=OPERATOR).switch(Power.OFF, soon())
    assert sim.commands == ["off"]


def test_a_wrong_key_is_an_authentication_failure(sim: IpmiSim, connect: Open) -> None:
    error = failure(lambda: connect(sim.port, k_g=KEY).read(soon()), 2.0)
    assert isinstance(error, AuthenticationFailed)
    assert "K_g" in error.seen


@pytest.mark.parametrize("key", [KEY, "0x" + KEY.encode().hex()])
def test_a_bmc_with_a_key_of_its_own_lets_in_who_has_it(
    key: str, pyghmi_bmc: Callable[..., PyghmiBmc], connect: Open
) -> None:
    bmc = pyghmi_bmc(key=KEY.encode().hex())
    assert connect(bmc.port, k_g=key).read(soon()).power is Power.ON
    assert isinstance(failure(lambda: connect(bmc.port).read(soon()), 8.0), AuthenticationFailed)


# Silence


def test_a_closed_port_is_told_at_once_where_the_system_tells(library: str, connect: Open) -> None:
    error = failure(lambda: connect(free_port()).read(soon(1.0)), 0.2 if library == "python-ipmi" else 1.0)
    # pyghmi's sockets are not told of ICMP: to it a closed port is silent.
    assert isinstance(error, Unreachable if library == "python-ipmi" else TimedOut)


@pytest.mark.parametrize("budget_s", [1.0, 20.0])
def test_a_silent_bmc_costs_its_budget_and_never_more_than_a_few_seconds(
    budget_s: float, silent_port: int, connect: Open
) -> None:
    longest_s = 4.0 + 2.0  # pyghmi's process has to start first
    error = failure(lambda: connect(silent_port).read(Deadline(budget_s)), min(budget_s, longest_s))
    assert isinstance(error, TimedOut)


def test_an_interrupted_call_ends_soon_and_sends_no_command(network: Network, sim: IpmiSim, connect: Open) -> None:
    driver = connect(network.port)
    driver.read(soon())
    network.mute = {IN_SESSION}
    deadline = soon(60.0)
    threading.Timer(0.3, deadline.expire).start()
    error = failure(lambda: driver.switch(Power.OFF, deadline), 0.3)
    assert isinstance(error, TimedOut)
    assert sim.commands == []


def test_a_bmc_that_hangs_after_the_login_is_a_timeout(network: Network, connect: Open) -> None:
    network.mute = {IN_SESSION}
    assert isinstance(failure(lambda: connect(network.port).read(soon(1.5)), 1.5), TimedOut)


@pytest.mark.parametrize("step", [OPEN_SESSION, RAKP_1, RAKP_3])
def test_a_bmc_that_hangs_during_the_login_is_a_timeout(step: str, network: Network, connect: Open) -> None:
    network.mute = {step}
    assert isinstance(failure(lambda: connect(network.port).read(soon(1.5)), 1.5), TimedOut)


def test_a_name_server_that_hangs_does_not_hold_the_driver(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.hostpm.fencing.plugins.module_utils import _names

    monkeypatch.setattr(_names, "LOOK_UP", "import time; time.sleep(60)")
    error = failure(lambda: connect(623, address="bmc-3.example.com").read(soon(0.6)), 0.6)
    assert isinstance(error, TimedOut)


# At most once


def losing_the_answer_to_the_command(network: Network) -> None:
    """From now on the answer to the second request of a session (the first is a status) and all later ones are lost."""
    seen: list[str] = []

    def look(kind: str) -> None:
        if kind == IN_SESSION:
            seen.append(kind)
            if len(seen) == 2:
                network.mute = {IN_SESSION}

    network.on_request = look


def requests_of(network: Network, switching: Callable[[], DeviceError], second: Callable[[], None]) -> int:
    """How many requests a switch of 2 s or more makes when ``second`` happens at its second one, the command.

    The log-out at its end is none of them; a command that is repeated would be so twice a second.
    On a machine that stands still for a moment the first one, a status, is asked again: then it is no second one, and tried anew.
    """
    at: list[float] = []

    def look(kind: str) -> None:
        if kind == IN_SESSION:
            at.append(time.monotonic())
            if len(at) == 2:
                second()

    network.on_request = look
    for _attempt in range(5):
        network.swallow, network.mute = set(), set()
        at.clear()
        assert isinstance(switching(), TimedOut)
        if at[1] - at[0] < 0.4:
            return sum(moment - at[0] < 1.7 for moment in at)
    pytest.fail("this machine is too busy to tell a repeated status from a command")


def test_a_command_whose_answer_is_lost_goes_out_once_and_is_a_timeout(
    network: Network, sim: IpmiSim, connect: Open
) -> None:
    driver = connect(network.port)
    driver.read(soon())

    reached_before: list[int] = []

    def lose_answers() -> None:
        reached_before[:] = [len(sim.commands)]
        network.mute = {IN_SESSION}

    assert requests_of(network, lambda: failure(lambda: driver.switch(Power.OFF, soon(2.5)), 2.5), lose_answers) == 2
    assert sim.commands[reached_before[0] :] == ["off"]


def test_a_command_that_is_lost_itself_is_a_timeout_and_not_repeated(
    network: Network, sim: IpmiSim, connect: Open
) -> None:
    driver = connect(network.port)
    driver.read(soon())

    def lose_requests() -> None:
        network.swallow = {IN_SESSION}

    assert requests_of(network, lambda: failure(lambda: driver.switch(Power.OFF, soon(2.0)), 2.0), lose_requests) == 2
    assert sim.commands == []


def test_a_bmc_that_answers_after_3_s_gets_the_command_once(network: Network, sim: IpmiSim, connect: Open) -> None:
    driver = connect(network.port)
    driver.read(soon())
    network.requests.clear()

    def look(kind: str) -> None:
        network.lag_s = 3.0 if network.requests[IN_SESSION] >= 2 else 0.0

    network.on_request = look
    began = time.monotonic()
    driver.switch(Power.OFF, soon(10.0))
    assert time.monotonic() - began >= 3.0
    assert (sim.commands, network.requests[IN_SESSION]) == (["off"], 2)


def test_a_command_to_a_port_that_has_just_closed_is_a_timeout_not_unreachable(
    sim: IpmiSim, network: Network, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unreachable would say that nothing was put on the wire."""
    driver = connect(network.port)
    read = driver._chassis_status  # type: ignore[attr-defined]

    def last_words(deadline: Deadline) -> bytes:
        answer: bytes = read(deadline)
        network.stop()
        return answer

    monkeypatch.setattr(driver, "_chassis_status", last_words)
    assert isinstance(failure(lambda: driver.switch(Power.OFF, soon(2.0)), 2.0), TimedOut)
    assert sim.commands == []


def test_no_command_is_sent_when_the_time_ends_after_the_status(
    sim: IpmiSim, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = connect(sim.port)
    read = driver._chassis_status  # type: ignore[attr-defined]
    deadline = soon()

    def last_moment(given: Deadline) -> bytes:
        answer: bytes = read(given)
        deadline.expire()
        return answer

    monkeypatch.setattr(driver, "_chassis_status", last_moment)
    assert isinstance(failure(lambda: driver.switch(Power.OFF, deadline), 2.0), TimedOut)
    assert sim.commands == []


def test_the_operation_of_a_module_sends_a_second_command_only_in_a_second_attempt(
    network: Network, sim: IpmiSim, connect: Open
) -> None:
    driver = connect(network.port)
    driver.read(soon())
    losing_the_answer_to_the_command(network)
    outcome = operate(driver, Operation.OFF, 4.0)
    assert outcome.reason is Reason.TIMEOUT
    assert outcome.sent
    assert sim.commands == ["off"]


# Stale sessions


def test_a_bmc_that_forgot_the_session_is_logged_in_to_within_the_same_read(
    sim: IpmiSim, network: Network, connect: Open
) -> None:
    driver = connect(network.port)
    driver.read(soon())
    sim.stop()
    sim.start()
    assert driver.read(soon(4.0)).power is Power.ON
    assert logins(network) == 2


def test_a_stale_session_does_not_eat_the_only_command(sim: IpmiSim, network: Network, connect: Open) -> None:
    driver = connect(network.port)
    driver.read(soon())
    sim.stop()
    sim.start()
    driver.switch(Power.OFF, soon(4.0))
    assert sim.commands == ["off"]


def test_a_session_that_idled_is_not_relied_upon(
    network: Network, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = connect(network.port)
    driver.read(soon())
    monkeypatch.setattr(ipmi, "IDLE_S", 0.05)
    time.sleep(0.1)
    began = time.monotonic()
    driver.read(soon())
    assert logins(network) == 2
    assert time.monotonic() - began < 2.0


# Bad networks and busy BMCs


def test_lost_packets_are_sent_again_and_never_called_a_wrong_password(network: Network, connect: Open) -> None:
    """15 % of the packets are lost each way, so 28 % of the exchanges fail; see bench/ipmi_trial.py for more of it."""
    network.loss = 0.15
    powers = set()
    for _time in range(2):
        driver = connect(network.port)
        outcome = operate(driver, Operation.READ, 30.0)
        powers.add((outcome.power, outcome.reason))
        network.loss, lost = 0.0, network.loss
        driver.close()
        network.loss = lost
    assert powers == {(Power.ON, None)}


@pytest.mark.parametrize("step", [CAPABILITIES, OPEN_SESSION, RAKP_1, RAKP_3])
def test_a_lost_answer_in_the_login_is_made_good(step: str, network: Network, connect: Open) -> None:
    network.mute = {step}
    threading.Timer(0.3, network.mute.clear).start()
    assert connect(network.port).read(soon(10.0)).power is Power.ON


def test_no_session_left_is_busy_and_waited_out(network: Network, connect: Open) -> None:
    network.refusals = 1
    error = failure(lambda: connect(network.port).read(soon()), 2.0)
    assert isinstance(error, Busy)
    network.refusals = 3
    outcome = operate(connect(network.port), Operation.READ, 8.0)
    assert (outcome.power, outcome.attempts) == (Power.ON, 4)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0xC0, Busy),
        (0xC1, Unsupported),
        (0xC3, TimedOut),
        (0xD2, Busy),
        (0xD4, AuthenticationFailed),
        (0xD5, Refused),
        (0xFF, Refused),
    ],
)
def test_a_completion_code_is_told_for_what_it_is(
    code: int, expected: type[DeviceError], pyghmi_bmc: Callable[..., PyghmiBmc], connect: Open
) -> None:
    bmc = pyghmi_bmc(control_code=code)
    error = failure(lambda: connect(bmc.port).switch(Power.OFF, soon()), 8.0)
    assert error.__class__ is expected
    assert bmc.commands == ["off"]


@pytest.mark.parametrize("status", [[], [1], [0, 0]])
def test_a_short_status_is_never_off(status: list[int], pyghmi_bmc: Callable[..., PyghmiBmc], connect: Open) -> None:
    error = failure(lambda: connect(pyghmi_bmc(status=status).port).read(soon()), 8.0)
    assert isinstance(error, BadReply)


def test_a_status_that_is_refused_is_never_off(pyghmi_bmc: Callable[..., PyghmiBmc], connect: Open) -> None:
    bmc = pyghmi_bmc(status=[0, 0, 0], status_code=0xD5)
    assert isinstance(failure(lambda: connect(bmc.port).read(soon()), 8.0), Refused)


def test_faults_are_told_and_bit_0_decides(pyghmi_bmc: Callable[..., PyghmiBmc], connect: Open) -> None:
    reading = connect(pyghmi_bmc(status=[0x1E, 0x00, 0x0C]).port).read(soon())
    assert reading.power is Power.OFF
    for fault in ("overload", "interlock", "power fault", "control fault", "drive fault", "cooling fault"):
        assert fault in reading.raw


# Cipher suites


def test_a_bmc_that_answers_sha_1_to_sha_256_is_spoken_to_with_suite_3(
    pyghmi_bmc: Callable[..., PyghmiBmc], connect: Open
) -> None:
    bmc = pyghmi_bmc()
    driver = connect(bmc.port)
    driver.switch(Power.OFF, soon())
    assert driver.read(soon()).power is Power.OFF
    assert bmc.commands == ["off"]


def test_a_bmc_that_answers_sha_1_where_only_sha_256_is_allowed_is_a_named_error(
    pyghmi_bmc: Callable[..., PyghmiBmc], connect: Open
) -> None:
    error = failure(lambda: connect(pyghmi_bmc().port, cipher_suites=[17]).read(soon()), 2.0)
    assert error.reason is Reason.UNSUPPORTED
    assert "cipher suite 17" in error.seen


def test_a_bmc_without_any_of_the_suites_is_a_named_error(sim: IpmiSim, connect: Open) -> None:
    error = failure(lambda: connect(sim.port, cipher_suites=[17]).read(soon()), 2.0)
    assert error.reason is Reason.UNSUPPORTED
    assert "cipher suites" in error.seen


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningRack, int]]:
    folder = tmp_path_factory.mktemp("rack")
    inventory = make_inventory(hosts=1, shape="bmc", state_dir=folder)
    with RunningRack(inventory, folder) as running:
        yield running, int(inventory["all"]["hosts"]["node1"]["fence_agents"]["bmc"]["port"])


@pytest.mark.parametrize(("of_library", "suite"), [("pyghmi", 17), *(("python-ipmi", suite) for suite in (15, 16, 17))])
def test_sha_256_is_spoken_as_ipmitool_and_openbmc_speak_it(
    of_library: str, suite: int, rack: tuple[RunningRack, int]
) -> None:
    """ipmitool -C 17 works with this BMC (test_rack.py). Regression: python-ipmi 0.6.1 alone derives other keys and times out."""
    running, port = rack
    running.reset()
    driver = TYPE.driver(options(port, password="bmc-secret-1", library=of_library, cipher_suites=[suite]))
    try:
        driver.switch(Power.OFF, soon())
        assert [command.action for command in running.commands("node1.bmc")] == ["off"]
        assert operate(driver, Operation.READ, 8.0).ok
    finally:
        driver.close()


# Options


def test_the_defaults_are_right() -> None:
    assert option_problems(TYPE, options(623)) == []
    assert TYPE.missing_library(options(623)) is None
    assert TYPE.missing_library(options(623, library="pyghmi")) is None


@pytest.mark.parametrize(
    ("given", "name", "words"),
    [
        ({"cipher_suites": [17, 0]}, "cipher_suites", "without a password"),
        ({"cipher_suites": []}, "cipher_suites", "empty"),
        ({"cipher_suites": [17, 8]}, "cipher_suites", "has 8"),
        ({"cipher_suites": [17, 2], "library": "pyghmi"}, "cipher_suites", "use library: python-ipmi"),
        ({"port": 0}, "port", "1 to 65535"),
        ({"port": 65536}, "port", "1 to 65535"),
        ({"address": ""}, "address", "name or an IP address"),
        ({"address": "bmc 3"}, "address", "name or an IP address"),
        ({"username": "x" * 17}, "username", "16 bytes"),
        ({"password": "canary-é" * 3}, "password", "20 bytes"),
        ({"password": "canary-\n"}, "password", "one line"),
        ({"k_g": "0xcanary"}, "k_g", "hexadecimal"),
        ({"k_g": "0x" + "00" * 21}, "k_g", "20 bytes"),
        ({"timeout": -1.0}, "timeout", "more than 0"),
    ],
)
def test_a_bad_option_is_named_without_its_secret(given: dict[str, Any], name: str, words: str) -> None:
    found = option_problems(TYPE, options(623) | given)
    assert [option for option, _what in found] == [name]
    assert words in found[0][1]
    assert "canary" not in found[0][1]


@pytest.mark.parametrize(
    ("address", "port", "described", "device"),
    [
        ("bmc-3.example.com", 623, "bmc-3.example.com", "bmc-3.example.com:623"),
        ("BMC-3.example.com", 6230, "bmc-3.example.com:6230", "bmc-3.example.com:6230"),
        ("2001:db8::7", 623, "2001:db8::7", "[2001:db8::7]:623"),
    ],
)
def test_a_bmc_is_named_by_its_address(address: str, port: int, described: str, device: str) -> None:
    given = options(port, address=address)
    assert (TYPE.describe(given), TYPE.device(given), TYPE.target(given)) == (described, device, device)


def test_a_missing_library_is_named_as_pip_knows_it(tmp_path: Path) -> None:
    """In a fresh interpreter that has neither."""
    program = f"""
import json, sys
sys.path[:0] = {json.dumps([os.environ["ANSIBLE_COLLECTIONS_PATH"]])}
for gone in ("pyipmi", "pyghmi", "cryptography"):
    sys.modules[gone] = None
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.ipmi import TYPE
for library in ("python-ipmi", "pyghmi"):
    print(TYPE.missing_library({{"library": library, "cipher_suites": [17, 3]}}))
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["python-ipmi[rmcpplus]>=0.6.1", "pyghmi>=1.6.19"]


# The trial


def test_the_trial_that_chose_the_default_library_runs_and_holds() -> None:
    program = Path(__file__).resolve().parents[2] / "bench" / "ipmi_trial.py"
    words = ("--library", "python-ipmi", "--rounds", "2", "--live", "6", "--dead", "4", "--tries", "1", "--budget", "4")
    done = subprocess.run([sys.executable, str(program), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("held") == 9


# The process around pyghmi


def child_of(driver: Driver) -> subprocess.Popen[bytes]:
    process = driver._session._process  # type: ignore[attr-defined]
    assert isinstance(process, subprocess.Popen)
    return process


def test_no_secret_is_in_the_arguments_or_the_environment_of_pyghmis_process(sim: IpmiSim) -> None:
    driver = TYPE.driver(options(sim.port, library="pyghmi"))
    try:
        driver.read(soon())
        about = Path(f"/proc/{child_of(driver).pid}")
        for file in ("cmdline", "environ"):
            assert b"canary" not in (about / file).read_bytes()
            assert PASSWORD.encode().hex().encode() not in (about / file).read_bytes()
    finally:
        driver.close()


def test_pyghmis_process_ends_with_its_driver(sim: IpmiSim) -> None:
    driver = TYPE.driver(options(sim.port, library="pyghmi"))
    driver.read(soon())
    process = child_of(driver)
    assert os.getpgid(process.pid) == process.pid
    driver.close()
    assert process.returncode is not None
    assert not Path(f"/proc/{process.pid}").exists()


def test_pyghmis_process_that_dies_is_replaced(sim: IpmiSim) -> None:
    driver = TYPE.driver(options(sim.port, library="pyghmi"))
    try:
        driver.read(soon())
        child_of(driver).kill()
        assert driver.read(soon()).power is Power.ON
    finally:
        driver.close()


def test_pyghmis_process_ends_when_its_parent_is_killed(sim: IpmiSim, tmp_path: Path) -> None:
    """A cancelled job is a SIGKILL: nobody is left to clean up."""
    program = f"""
import sys, time
sys.path[:0] = {json.dumps([os.environ["ANSIBLE_COLLECTIONS_PATH"]])}
from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Deadline
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.ipmi import TYPE
driver = TYPE.driver({options(sim.port, library="pyghmi")!r})
driver.read(Deadline(8.0))
print(driver._session._process.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = soon(3.0)
    while Path(f"/proc/{child}").exists():
        assert not deadline.over, "pyghmi's process lives on"
        time.sleep(0.01)


# The module


def run_module(
    sim_port: int, library: str, folder: Path, *more: str, password: str = PASSWORD
) -> tuple[int, dict[str, Any], str]:
    """``ansible localhost -m hostpm.fencing.ipmi_power``; its exit code, its result, and all that it printed."""
    secrets = folder / "secrets.json"
    secrets.write_text(json.dumps({"secret": password}))
    arguments = f"address=127.0.0.1 port={sim_port} username={USERNAME} password={{{{ secret }}}} library={library}"
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible")),
            "localhost",
            "-m",
            "hostpm.fencing.ipmi_power",
            "-e",
            f"@{secrets}",
            "-a",
            " ".join([arguments, *more]),
            "-vvv",
        ],
        env={
            **os.environ,
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, module_result(done.stdout), done.stdout + done.stderr


def module_result(printed: str) -> dict[str, Any]:
    """The result of the one task, as the ad-hoc output has it."""
    for opening in ("SUCCESS => ", "CHANGED => ", "FAILED! => "):
        _before, found, after = printed.partition(opening)
        if found:
            result, _end = json.JSONDecoder().raw_decode(after)
            return dict(result)
    raise AssertionError(printed)


def test_the_module_is_idempotent_and_keeps_the_secret(library: str, sim: IpmiSim, tmp_path: Path) -> None:
    code, result, printed = run_module(sim.port, library, tmp_path, "state=off")
    assert (code, result["changed"], result["power"], result["power_before"]) == (0, True, "off", "on")
    assert "canary" not in printed
    code, result, _printed = run_module(sim.port, library, tmp_path, "state=off")
    assert (code, result["changed"], result["power"]) == (0, False, "off")
    assert sim.commands == ["off"]


def test_the_module_reads_and_fails_with_a_reason(sim: IpmiSim, tmp_path: Path) -> None:
    code, result, _printed = run_module(sim.port, "python-ipmi", tmp_path)
    assert (code, result["changed"], result["power"]) == (0, False, "on")
    code, result, printed = run_module(sim.port, "python-ipmi", tmp_path, "state=off", password="canary-wrong")
    assert (code, result["power"], result["reason"]) == (2, "unknown", "auth")
    assert result["msg"].startswith(f"ipmi 127.0.0.1:{sim.port}: state=off: ")
    assert "canary" not in printed
    assert sim.commands == []
