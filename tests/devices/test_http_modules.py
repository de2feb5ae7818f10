# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules http_power, amt_power, ucs_power and ribcl_power as the program ansible runs them, against their devices."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from devices.http_servers import PASSWORD, USERNAME, Netio, RelayBoard
from devices.management_servers import Amt, Ilo2, Ucs
from devices.redfish_servers import Authority

Server = Netio | Amt | Ucs | Ilo2


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


MODULES: dict[str, tuple[Callable[[Authority], Server], dict[str, Any]]] = {
    "http": (lambda authority: Netio(), {"protocol": "http", "model": "netio", "outlet": 4}),
    "amt": (lambda authority: Amt(), {"protocol": "http"}),
    "ucs": (lambda authority: Ucs(), {"protocol": "http", "profile": "node2", "org": "Europe/Prod"}),
    "ribcl": (lambda authority: Ilo2(authority.context("127.0.0.1")), {}),
}


@pytest.fixture
def server(name: str, authority: Authority) -> Iterator[Server]:
    server = MODULES[name][0](authority)
    yield server
    server.stop()


def run(module: str, options: dict[str, Any], folder: Path, *more: str) -> tuple[int, str, dict[str, Any]]:
    """Ansible's exit status, all it said, and the result."""
    arguments = [*(more or ["localhost"]), "-m", f"hostpm.fencing.{module}", "-a", json.dumps(options)]
    environment = {**os.environ, "ANSIBLE_HOME": str(folder), "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    said = done.stdout + done.stderr
    return done.returncode, said, json.loads(done.stdout.partition("=>")[2] or "{}")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_switches_off_and_says_so(name: str, server: Server, authority: Authority, tmp_path: Path) -> None:
    connection: dict[str, Any] = {
        "address": "127.0.0.1",
        "port": server.port,
        "username": USERNAME,
        "password": PASSWORD,
    }
    trust = {"ca_path": str(authority.file)} if name == "ribcl" else {}
    options = {**connection, **trust, **MODULES[name][1], "state": "off"}
    status, said, result = run(f"{name}_power", options, tmp_path)
    assert (status, result.get("power"), result.get("power_before"), result.get("changed")) == (0, "off", "on", True), (
        said
    )
    assert PASSWORD not in said


@pytest.mark.parametrize("name", ["http"])
def test_a_module_that_cannot_log_in_says_why(name: str, server: Server, tmp_path: Path) -> None:
    options = {"address": "127.0.0.1", "port": server.port, "username": USERNAME, "password": "wrong-Pa55word"}
    status, said, result = run(f"{name}_power", {**options, **MODULES[name][1]}, tmp_path)
    assert (status != 0, result.get("power"), result.get("reason")) == (True, "unknown", "auth"), said
    assert "http 127.0.0.1, outlet 4: read: " in result["msg"]
    assert "wrong-Pa55word" not in said


def test_a_task_fences_a_host_by_a_device_that_its_user_described(tmp_path: Path) -> None:
    """The first example of the guide, with a host that has both outlets."""
    guide = Path(__file__).resolve().parents[2] / "docs" / "adding_an_http_device.md"
    variables = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)[0])
    server = RelayBoard()
    psu = {**variables["fence_agents"]["psu"], "address": "127.0.0.1", "port": server.port, "protocol": "http"}
    psu["password"] = PASSWORD
    agents = {f"psu_{outlet}": {**psu, "outlet": outlet} for outlet in (0, 1)}
    host = {**variables, "fence_agents": agents, "fence_levels": [list(agents)]}
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"node": host}}}), encoding="utf-8")
    try:
        status, said, result = run("fence", {"state": "off"}, tmp_path, "node", "-i", str(inventory))
    finally:
        server.stop()
    assert (status, result.get("fenced"), result.get("power")) == (0, True, "off"), said
    assert sorted(server.commands) == [("0", "off"), ("1", "off")]
    assert PASSWORD not in said
