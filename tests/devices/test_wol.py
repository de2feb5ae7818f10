# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type wol against a host on loopback that sleeps until its own magic packet comes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    Deadline,
    Power,
    Reason,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.wol import PACKETS, TYPE, magic_packet
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Operation,
    Outcome,
    ensure_power,
    read_power,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import option_problems

MAC = "52:54:00:12:34:56"
SECUREON = "0c:a1:5e:77:88:99"


class Sleeper:
    """A host: a UDP socket that hears packets, and a TCP port that it opens a moment after the right one came."""

    def __init__(self, wakes: bool = True) -> None:
        self.heard: list[bytes] = []
        self._wakes = wakes
        self._card = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._card.bind(("127.0.0.1", 0))
        self._card.settimeout(0.05)
        # Bound, not listening: nobody else gets the port, and connections to it are refused.
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.bind(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sleep)
        self._thread.start()

    def wake(self) -> None:
        self._tcp.listen()

    def options(self, **more: Any) -> dict[str, Any]:
        return {
            "address": "127.0.0.1",
            "confirm_port": self._tcp.getsockname()[1],
            "mac": MAC,
            "broadcast": "127.0.0.1",
            "broadcast_port": self._card.getsockname()[1],
            "interface": None,
            "secureon": None,
            **more,
        }

    def hears(self, packets: int) -> list[bytes]:
        """What it heard, once that are so many packets, or two seconds later."""
        end = time.monotonic() + 2
        while len(self.heard) < packets and time.monotonic() < end:
            time.sleep(0.01)
        return self.heard

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._card.close()
        self._tcp.close()

    def _sleep(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                self.heard.append(self._card.recv(2048))
                if self._wakes and self.heard[-1].startswith(magic_packet(MAC)):
                    self.wake()


@pytest.fixture
def host() -> Iterator[Sleeper]:
    sleeper = Sleeper()
    yield sleeper
    sleeper.stop()


def soon(budget_s: float = 5.0) -> Deadline:
    return Deadline(budget_s)


def operate(given: dict[str, Any], operation: Operation, budget_s: float = 10.0) -> Outcome:
    """One operation as the module runs it."""
    assert option_problems(TYPE, given) == []

    async def run() -> Outcome:
        with ThreadPoolExecutor(1) as pool:
            exchanges = DriverExchanges(TYPE.driver(given), pool, TYPE.exchange_s)
            before = await read_power(exchanges, budget_s, MonotonicClock())
            if operation is Operation.READ:
                return before
            return await ensure_power(exchanges, before, operation, budget_s, MonotonicClock())

    return asyncio.run(run())


def test_a_magic_packet_is_the_card_s_address_sixteen_times() -> None:
    bare = b"\xff\xff\xff\xff\xff\xff" + b"\x52\x54\x00\x12\x34\x56" * 16
    for written in (MAC, "52-54-00-12-34-56", "525400123456", "5254.0012.3456"):
        assert magic_packet(written) == bare
    assert magic_packet(MAC, SECUREON) == bare + b"\x0c\xa1\x5e\x77\x88\x99"
    assert magic_packet(MAC, "192.0.2.1") == bare + b"\xc0\x00\x02\x01"


def test_a_host_that_sleeps_is_woken_and_read_on(host: Sleeper) -> None:
    outcome = operate(host.options(secureon=SECUREON), Operation.ON)
    assert (outcome.ok, outcome.power, outcome.sent, outcome.attempts) == (True, Power.ON, True, 1)
    assert host.hears(PACKETS) == [magic_packet(MAC, SECUREON)] * PACKETS


def test_a_host_that_is_up_is_sent_nothing(host: Sleeper) -> None:
    host.wake()
    outcome = operate(host.options(), Operation.ON)
    assert (outcome.ok, outcome.power, outcome.sent, host.heard) == (True, Power.ON, False, [])


def test_a_host_that_does_not_wake_is_a_failure_and_not_a_success() -> None:
    deaf = Sleeper(wakes=False)
    outcome = operate(deaf.options(), Operation.ON, budget_s=1.5)
    heard = len(deaf.hears(PACKETS))
    deaf.stop()
    assert (outcome.ok, outcome.power, outcome.sent, outcome.reason) == (
        False,
        Power.UNKNOWN,
        True,
        Reason.UNREACHABLE,
    )
    assert heard == PACKETS


def test_a_host_that_refuses_is_no_answer_and_never_off(host: Sleeper) -> None:
    outcome = operate(host.options(), Operation.READ)
    assert (outcome.ok, outcome.power, outcome.answered, outcome.reason) == (
        False,
        Power.UNKNOWN,
        False,
        Reason.UNREACHABLE,
    )


def test_a_host_that_is_silent_is_no_answer_and_costs_a_few_seconds(host: Sleeper) -> None:
    # A listener whose queue is full drops what comes, like a host without power.
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _turn in range(3):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        time.sleep(0.05)
        began = time.monotonic()
        driver = TYPE.driver(host.options(confirm_port=full.getsockname()[1]))
        with pytest.raises(Unreachable, match="does not prove that it is off"):
            driver.read(soon(20))
        assert time.monotonic() - began < 4
        began = time.monotonic()
        deadline = soon(20)
        threading.Timer(0.2, deadline.expire).start()
        with pytest.raises(Unreachable):
            driver.read(deadline)
        assert time.monotonic() - began < 1


def test_off_is_refused_and_nothing_is_sent(host: Sleeper) -> None:
    host.wake()
    outcome = operate(host.options(), Operation.OFF)
    assert (outcome.ok, outcome.sent, outcome.reason) == (False, False, Reason.UNSUPPORTED)
    with pytest.raises(Unsupported, match="cannot switch off"):
        TYPE.driver(host.options()).switch(Power.OFF, soon())
    assert host.heard == []


def test_nothing_is_sent_without_time(host: Sleeper) -> None:
    with pytest.raises(TimedOut):
        TYPE.driver(host.options()).switch(Power.ON, Deadline(0))
    time.sleep(0.1)
    assert host.heard == []


@pytest.mark.skipif(not hasattr(socket, "SO_BINDTODEVICE"), reason="this system cannot choose an interface")
def test_the_packet_leaves_by_the_interface_that_was_chosen(host: Sleeper) -> None:
    with pytest.raises(Unsupported, match="interface nosuch0"):
        TYPE.driver(host.options(interface="nosuch0")).switch(Power.ON, soon())
    TYPE.driver(host.options(interface="lo")).switch(Power.ON, soon())
    assert host.hears(PACKETS) == [magic_packet(MAC)] * PACKETS


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"address": ""}, "address"),
        ({"broadcast": "a b"}, "broadcast"),
        ({"confirm_port": 0}, "confirm_port"),
        ({"broadcast_port": 65536}, "broadcast_port"),
        ({"mac": "52:54:00:12:34"}, "mac"),
        ({"mac": "52:54-00:12:34:56"}, "mac"),
        ({"mac": "00:00:00:00:00:00"}, "mac"),
        ({"mac": "ff:ff:ff:ff:ff:ff"}, "mac"),
        ({"interface": "a-name-that-is-too-long"}, "interface"),
        ({"interface": "../eth0"}, "interface"),
        ({"secureon": "0c:a1:5e"}, "secureon"),
        ({"secureon": "192.0.2.256"}, "secureon"),
        ({"secureon": "password"}, "secureon"),
    ],
)
def test_a_bad_option_is_named_before_contact(given: dict[str, Any], key: str, host: Sleeper) -> None:
    [(named, what)] = option_problems(TYPE, host.options(**given))
    assert named == key and str(given.get("secureon")) not in what


def test_a_card_has_one_name_however_it_is_written(host: Sleeper) -> None:
    assert TYPE.target(host.options(mac=MAC)) == TYPE.target(host.options(mac="5254.0012.3456"))
    assert TYPE.target(host.options(mac=MAC)) != TYPE.target(host.options(mac="52:54:00:12:34:57"))


def test_the_real_program_wakes_a_host_and_keeps_its_secret(host: Sleeper, tmp_path: Path) -> None:
    given = {
        name: value for name, value in host.options(secureon="{{ vault }}", state="on").items() if value is not None
    }
    (tmp_path / "secrets.json").write_text(json.dumps({"vault": SECUREON}))
    program = Path(sys.executable).with_name("ansible")
    environment = {
        **os.environ,
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "tmp"),
    }
    environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_LOCALHOST_WARNING": "0"}
    done = subprocess.run(
        [
            *(program, "localhost", "-vvv", "-m", "hostpm.fencing.wol_power", "-a", json.dumps(given)),
            *("-e", f"@{tmp_path / 'secrets.json'}"),
        ],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    result = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("=> {") + 3 :])[0]
    assert (result["power"], result["changed"]) == ("on", True)
    assert SECUREON not in done.stdout + done.stderr
    assert host.hears(PACKETS) == [magic_packet(MAC, SECUREON)] * PACKETS
