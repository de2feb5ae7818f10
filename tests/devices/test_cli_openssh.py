# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dialogue of the guide, as it stands there, with devices that others wrote: powerman's vpcd behind OpenSSH's sshd."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Deadline, NotFound, Power, Reading, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import cli_dialogues
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli import TYPE, CliDriver
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import option_problems

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "adding_a_dialogue.md"
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
SSHD, VPCD = (shutil.which(program, path=PATH) for program in ("sshd", "vpcd"))

pytestmark = [
    pytest.mark.skipif(SSHD is None, reason="sshd (Debian package openssh-server) is not installed"),
    pytest.mark.skipif(VPCD is None, reason="vpcd (Debian package powerman) is not installed"),
]


@pytest.fixture(autouse=True)
def row_of_the_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row that the guide tells people to put into the table."""
    (text,) = re.findall(r"```python\n(VPC = .*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names = dict(vars(cli_dialogues))
    exec(text, names)
    monkeypatch.setitem(cli_dialogues.DIALOGUES, names["VPC"].model, names["VPC"])  # type: ignore[arg-type]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What an agent needs to get to a vpcd; each login starts one of its own."""
    host, user = (asyncssh.generate_private_key(kind) for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256"))
    host.write_private_key(str(tmp_path / "host"))
    (tmp_path / "host").chmod(0o600)
    user.write_public_key(str(tmp_path / "authorized"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": tmp_path / "host",
        "AuthorizedKeysFile": tmp_path / "authorized",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "ForceCommand": VPCD,
    }
    (tmp_path / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (tmp_path / "log").open("wb") as log:
        sshd = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(tmp_path / "config")], stderr=log)
    try:
        _await_port(port, sshd, tmp_path / "log")
        yield {
            "address": "127.0.0.1",
            "port": port,
            "username": getpass.getuser(),
            "private_key": user.export_private_key().decode(),
            "host_key": host.get_fingerprint(),
            "model": "vpc",
            "outlet": "3",
        }
    finally:
        sshd.terminate()
        sshd.wait()


def _await_port(port: int, sshd: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert sshd.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)


def test_the_dialogue_of_the_guide_switches_a_plug(agent: dict[str, Any]) -> None:
    assert option_problems(TYPE, agent) == []
    driver = TYPE.driver(agent)
    try:
        assert driver.read(Deadline(10)) == Reading(Power.OFF, "OFF")
        driver.switch(Power.ON, Deadline(10))
        assert driver.read(Deadline(10)) == Reading(Power.ON, "ON")
        driver.switch(Power.OFF, Deadline(10))
        assert driver.read(Deadline(10)) == Reading(Power.OFF, "OFF")
    finally:
        driver.close()


def test_all_plugs_are_told_in_one_answer_and_one_that_is_not_there_is_not_found(agent: dict[str, Any]) -> None:
    agents = [{**agent, "outlet": outlet} for outlet in ("0", "99", "15")]
    driver = CliDriver(agents[0])
    try:
        assert driver.switch_all(agents[2:], Power.ON, Deadline(10)) == [None]
        first, missing, last = driver.read_all(agents, Deadline(10))
    finally:
        driver.close()
    assert (first, last) == (Reading(Power.OFF, "OFF"), Reading(Power.ON, "ON"))
    assert isinstance(missing, NotFound)


def test_openssh_refuses_another_key(agent: dict[str, Any]) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    driver = TYPE.driver({**agent, "private_key": other})
    with pytest.raises(Exception) as caught:
        driver.read(Deadline(10))
    driver.close()
    assert getattr(caught.value, "reason", None) is Reason.AUTH
