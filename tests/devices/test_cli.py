# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text dialogues over real SSH and telnet: every dialogue in good and in bad moments, and what belongs to the line itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from devices.cli_devices import ApcAos5
from devices.cli_servers import Device, SshServer, TelnetServer

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Deadline, Driver, Power
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli import TYPE

Server = SshServer | TelnetServer


@pytest.fixture
def connect() -> Iterator[Callable[..., Driver]]:
    drivers = []

    def open_driver(server: Server, **options: Any) -> Driver:
        given = server.options(**options)
        assert TYPE.problems(given) == []
        drivers.append(TYPE.driver(given))
        return drivers[-1]

    yield open_driver
    for driver in drivers:
        driver.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    servers: list[Server] = []

    def start(kind: type[Server], device: Device, **options: Any) -> Server:
        servers.append(kind(device, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.mark.parametrize("kind", [SshServer, TelnetServer])
def test_an_apc_outlet_is_read_and_switched(kind: type[Server], serve: Any, connect: Any) -> None:
    device = ApcAos5()
    driver = connect(serve(kind, device), model="apc_aos5", outlet="3")
    assert driver.read(Deadline(5)).power is Power.ON
    driver.switch(Power.OFF, Deadline(5))
    assert driver.read(Deadline(5)).power is Power.OFF
    assert device.switched == [("3", False)]
    assert device.logins == device.logouts == 3
