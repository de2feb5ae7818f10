# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every dialogue against a device that speaks it over real SSH (or telnet), in good moments and in bad ones."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from devices import cli_devices as devices
from devices.cli_servers import Device, SshServer, TelnetServer

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    Deadline,
    DeviceError,
    Driver,
    NotFound,
    Power,
    Reason,
    TimedOut,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _cli_conversation
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli_dialogues import DIALOGUES

Server = SshServer | TelnetServer
BUDGET_S = 8.0


@dataclass(frozen=True)
class Case:
    """One dialogue and one device: an outlet that is on, and one that is not there. ``status`` is in the line that asks."""

    model: str
    device: type[Device]
    outlet: str
    missing: str
    status: str
    # In the line that switches off.
    off: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.model}-{self.device.__name__}"


CASES = [
    Case("apc_aos5", devices.ApcAos5, "3", "99", "olStatus", "olOff"),
    Case("apc_menu", devices.ApcMenu, "23", "99", "1", "YES"),
    Case("apc_menu", devices.ApcMenuV2, "3", "99", "3", "YES"),
    Case("apc_menu", devices.ApcMenuUser, "3", "99", "2", "YES"),
    Case("apc_menu_plus", devices.ApcMasterSwitchPlus, "3", "99", "2", "YES", {"system": "2"}),
    Case("drac_racadm", devices.Drac, "", "", "powerstatus", "powerdown"),
    Case("drac_racadm", devices.Drac5, "", "", "powerstatus", "powerdown"),
    Case("dell_cmc", devices.Cmc, "server-1", "server-9", "powerstatus", "powerdown"),
    Case("ilo_ssh", devices.Ilo, "", "", "show", "power off"),
    Case("ilo_mp", devices.IloMp, "", "", "show", "stop"),
    Case("hp_moonshot", devices.Moonshot, "c45n1", "c9n1", "show", "set node"),
    Case("hp_bladesystem", devices.BladeSystem, "16", "9", "show server", "poweroff"),
    Case("hp_superdome", devices.Superdome, "1", "9", "parstatus", "poweroff"),
    Case("bladecenter", devices.BladeCenter, "3", "14", "power -state", "power -off"),
    Case("rsa2", devices.Rsa, "", "", "power state", "power off"),
    Case("hmc_lpar", devices.Hmc, "vios_1", "lpar9", "lssyscfg", "shutdown", {"system": "p570-A"}),
    Case("fujitsu_rsb", devices.Rsb, "", "", "2", "yes"),
    Case("hitachi_cb", devices.HitachiCb, "3", "7", "PC", "Y"),
    Case("sun_alom", devices.Alom, "", "", "showplatform", "poweroff", {"accept_untested": True}),
    Case("sun_ilom", devices.Ilom, "", "", "show", "stop"),
    Case("wti", devices.Wti, "11", "99", "/S", "/off"),
    Case("sentry_cdu", devices.Sentry, ".A19", ".A99", "STATUS", "OFF"),
    Case("sentry_cdu8", devices.Sentry8, "AA19", "AA99", "STATUS", "OFF"),
    Case("eaton_g3", devices.EatonG3, "3", "99", "get", "set"),
    Case("raritan_px", devices.RaritanPx, "3", "99", "show", "set"),
    Case("raritan_px2", devices.RaritanPx2, "3", "99", "show outlets", "y"),
    Case("cyberpower", devices.CyberPower, "3", "99", "oltsta", "oltctrl"),
    Case("netio_230b", devices.Netio, "3", "", "port 3", "port 3 0"),
]
WITH_OUTLETS = [case for case in CASES if case.missing]
BY_NAME = [
    case
    for case in CASES
    if re.fullmatch(DIALOGUES[case.model].outlet, "db-1") and "name" in re.compile(DIALOGUES[case.model].row).groupindex
]
# The cases over telnet where that is another login than over SSH.
OVER_TELNET = [case for case in CASES if "telnet" in DIALOGUES[case.model].transports]
# These tests wait more than they work, so so many run side by side, each with servers of its own.
SIDE_BY_SIDE = 8

Scenario = Callable[["Case", "Bench"], None]
SCENARIOS: dict[str, Scenario] = {}


def of(cases: list[Case]) -> Callable[[Scenario], Callable[..., None]]:
    """Makes a test for each case of a scenario. All that were chosen are begun at once; a test waits for its own."""

    def decorate(scenario: Scenario) -> Callable[..., None]:
        SCENARIOS[scenario.__name__] = scenario

        @pytest.mark.parametrize("case", cases, ids=str)
        def test(case: Case, runs: Mapping[tuple[str, str], Future[None]]) -> None:
            runs[scenario.__name__, str(case)].result()

        test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
        return test

    return decorate


class Bench:
    """Where one thread puts its devices: behind SSH or telnet, with a driver for one outlet."""

    def __init__(self) -> None:
        self.servers: dict[type[Server], Server] = {kind: kind(Device()) for kind in (SshServer, TelnetServer)}
        self._drivers: list[Driver] = []

    def place(
        self, case: Case, telnet: bool = False, outlet: str | None = None, **character: Any
    ) -> tuple[Device, Driver]:
        server = self.servers[TelnetServer if telnet or "ssh" not in DIALOGUES[case.model].transports else SshServer]
        server.device = device = case.device(**character)
        options = server.options(model=case.model, outlet=case.outlet if outlet is None else outlet, **case.options)
        assert TYPE.problems(options) == []
        self._drivers.append(TYPE.driver(options))
        return device, self._drivers[-1]

    def clear(self) -> None:
        while self._drivers:
            self._drivers.pop().close()

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Mapping[tuple[str, str], Future[None]]]:
    """The scenarios of all chosen tests, under way."""
    local = threading.local()
    benches: list[Bench] = []

    def run(scenario: Scenario, case: Case) -> None:
        if not hasattr(local, "bench"):
            local.bench = Bench()
            benches.append(local.bench)
        try:
            scenario(case, local.bench)
        finally:
            local.bench.clear()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        # Loopback is quick: waits for what may still come are cut to what these devices need. test_cli.py keeps them.
        for name, seconds in {"ECHOED_S": 0.05, "LOGIN_S": 0.1, "UNECHOED_S": 0.15, "BLANK_S": 0.4}.items():
            patch.setattr(_cli_conversation, name, seconds)
        for model, dialogue in DIALOGUES.items():
            patch.setitem(DIALOGUES, model, replace(dialogue, pause_s=0.0))  # type: ignore[arg-type]
        chosen = [
            item for item in request.session.items if item.module is request.module and "runs" in item.fixturenames
        ]
        yield {
            (item.originalname, str(item.callspec.params["case"])): pool.submit(
                run, SCENARIOS[item.originalname], item.callspec.params["case"]
            )
            for item in chosen
        }
        pool.shutdown(cancel_futures=True)
    for bench in benches:
        bench.stop()


def tried(work: Callable[[], object]) -> DeviceError:
    """The error of something that must fail, in time."""
    began = time.monotonic()
    with pytest.raises(DeviceError) as caught:
        work()
    assert time.monotonic() - began < BUDGET_S + 0.5
    return caught.value


def soon(budget_s: float = BUDGET_S) -> Deadline:
    return Deadline(budget_s)


def awaited(condition: Callable[[], bool]) -> bool:
    """What the server's thread will have done in a moment."""
    end = time.monotonic() + 2
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_every_dialogue_has_a_device() -> None:
    assert {case.model for case in CASES} == set(DIALOGUES)


@of(CASES)
def test_it_is_read_switched_once_read_again_and_logged_out(case: Case, bench: Bench) -> None:
    device, driver = bench.place(case)
    others = {outlet: power for outlet, power in device.outlets.items() if outlet != case.outlet}
    assert driver.read(soon()).power is Power.ON
    driver.switch(Power.OFF, soon())
    assert device.switched == [(case.outlet, False)]
    assert driver.read(soon()).power is Power.OFF
    driver.switch(Power.ON, soon())
    assert device.switched == [(case.outlet, False), (case.outlet, True)]
    assert driver.read(soon()).power is Power.ON
    driver.close()
    assert {outlet: power for outlet, power in device.outlets.items() if outlet != case.outlet} == others
    assert device.logins >= 1
    assert awaited(lambda: device.logouts == device.logins), "a session was left behind"


@of(CASES)
def test_a_device_that_says_yes_and_stays_on_reads_on(case: Case, bench: Bench) -> None:
    device, driver = bench.place(case, lies=True)
    driver.switch(Power.OFF, soon())
    assert device.switched == [(case.outlet, False)]
    assert driver.read(soon()).power is Power.ON


@of(CASES)
def test_a_word_that_nobody_documented_is_never_on_or_off(case: Case, bench: Bench) -> None:
    device, driver = bench.place(case)
    for word in ("Purple", "off?", "Offline", "OFFLINE", "01"):
        device.character.shows[case.outlet] = word
        try:
            reading = driver.read(soon())
        except DeviceError as error:
            assert error.reason in (Reason.BAD_REPLY, Reason.NOT_FOUND)
        else:
            assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)


@of(WITH_OUTLETS)
def test_an_outlet_beyond_the_table_is_not_found_and_nothing_is_sent(case: Case, bench: Bench) -> None:
    device, driver = bench.place(case, outlet=case.missing)
    assert tried(lambda: driver.read(soon())).reason is Reason.NOT_FOUND
    assert isinstance(tried(lambda: driver.switch(Power.OFF, soon())), NotFound)
    assert device.switched == []


@of(BY_NAME)
def test_an_outlet_is_found_by_its_name(case: Case, bench: Bench) -> None:
    device, driver = bench.place(case, outlet="db-1")
    device.names[case.outlet] = "db-1"
    assert driver.read(soon()).power is Power.ON
    driver.switch(Power.OFF, soon())
    assert device.switched == [(case.outlet, False)]
    other = next(outlet for outlet in device.outlets if outlet != case.outlet)
    device.names[other] = "db-1"
    assert tried(lambda: driver.read(soon())).reason is Reason.BAD_REPLY


@of(CASES)
def test_slow_pieces_double_prompts_a_banner_and_no_echo_change_nothing(case: Case, bench: Bench) -> None:
    banner = "\r\n*** Authorized use only. Power is Off. 1: x: Off ***\r\n\x1b[1mMOTD:\x1b[0m all outlets OFF\r\n"
    device, driver = bench.place(case, pieces=7, double_prompt=True, banner=banner, echo=False)
    assert driver.read(soon()).power is Power.ON
    driver.switch(Power.OFF, soon())
    assert device.switched == [(case.outlet, False)]
    assert driver.read(soon()).power is Power.OFF


@of(CASES)
def test_an_answer_that_is_cut_off_is_never_off(case: Case, bench: Bench) -> None:
    device, driver = bench.place(case)
    driver.read(soon())
    driver.close()
    asked = next(line for line in device.heard if case.status in line)
    length = device.lengths[asked]
    for part in (0.0, 0.4, 0.8):
        device, driver = bench.place(case, cut_on=asked, cut_after=int(part * length))
        device.outlets[case.outlet] = False
        assert tried(lambda driver=driver: driver.read(soon())).reason in (Reason.UNREACHABLE, Reason.BUSY)


@of(CASES)
def test_a_device_that_hangs_costs_no_more_than_the_deadline(case: Case, bench: Bench) -> None:
    _device, driver = bench.place(case, hang_on=case.status)
    began = time.monotonic()
    assert isinstance(tried(lambda: driver.read(soon(0.7))), TimedOut)
    assert time.monotonic() - began < 1.2


@of(CASES)
def test_a_line_that_is_cut_at_the_command_may_have_been_heard(case: Case, bench: Bench) -> None:
    """The reason says that something may have happened, and nothing is sent twice."""
    device, driver = bench.place(case, cut_on=case.off, cut_after=0)
    assert isinstance(tried(lambda: driver.switch(Power.OFF, soon())), TimedOut)
    assert sum(case.off in line for line in device.heard) == 1
    assert len(device.switched) <= 1


@of(OVER_TELNET)
def test_over_telnet_it_logs_in_by_text_and_knows_a_wrong_password(case: Case, bench: Bench) -> None:
    device, driver = bench.place(case, telnet=True)
    assert driver.read(soon()).power is Power.ON
    driver.switch(Power.OFF, soon())
    assert device.switched == [(case.outlet, False)]
    driver.close()
    assert awaited(lambda: device.logouts == device.logins)
    options = bench.servers[TelnetServer].options(model=case.model, outlet=case.outlet, **case.options)
    wrong = TYPE.driver({**options, "password": "wrong-Pa55word"})
    assert tried(lambda: wrong.read(soon())).reason is Reason.AUTH


@of(CASES)
def test_a_console_that_somebody_else_has_is_busy(case: Case, bench: Bench) -> None:
    device, driver = bench.place(case, busy=True)
    assert tried(lambda: driver.read(soon())).reason is Reason.BUSY
    assert device.switched == []
