# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PDUs for the SNMP tests: snmpsim with walks of real units, the rack's server for any family, and net-snmp as a second opinion."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import snmpsim_data

from lab.faults import FaultBoard
from lab.model import Physics, World
from lab.pdu_facts import FAMILIES, Family, fill, oid
from lab.snmp_message import GET, SET, Pdu, User, Value
from lab.snmp_server import Access, PduTree, SnmpServer
from lab.switch_point import Command, OutletPoint
from lab.wire import Address

WALKS = Path(snmpsim_data.__file__).parent / "data" / "UPS"
VARIATION = Path(__file__).parent / "snmpsim_variation"
# Outlet objects of the walks: what of it, the role, and the numbers for on and off (or for pending and none).
WALK_OBJECTS = {
    r"318\.1\.1\.12\.3\.5\.1\.1\.4\.(\d+)": "role=status,on=1,off=2",
    r"318\.1\.1\.12\.3\.5\.1\.1\.5\.(\d+)": "role=pending,yes=1,no=2",
    r"318\.1\.1\.12\.3\.3\.1\.1\.4\.(\d+)": "role=control,on=1,off=2",
    r"318\.1\.1\.26\.9\.2\.3\.1\.5\.(\d+)": "role=status,on=2,off=1",
    r"318\.1\.1\.26\.9\.2\.3\.1\.6\.(\d+)": "role=pending,yes=1,no=2",
    r"318\.1\.1\.26\.9\.2\.4\.1\.5\.(\d+)": "role=control,on=1,off=2",
    r"318\.1\.1\.4\.4\.2\.1\.3\.(\d+)": "role=control,on=1,off=2",
}


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def snmpget(port: int, oid: str, *credentials: str) -> str:
    """What net-snmp's own program reads."""
    return subprocess.run(
        ["snmpget", *credentials, "-Oqv", "-On", "-t", "1", "-r", "3", f"127.0.0.1:{port}", oid],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout.strip()


@dataclass(frozen=True)
class SimUser:
    """A v3 user of snmpsim, with its names of protocols."""

    name: str
    auth: str = "NONE"
    auth_password: str = ""
    priv: str = "NONE"
    priv_password: str = ""

    def arguments(self) -> list[str]:
        words = ["--v3-user", self.name]
        words += ["--v3-auth-proto", self.auth, "--v3-auth-key", self.auth_password] if self.auth_password else []
        return words + (
            ["--v3-priv-proto", self.priv, "--v3-priv-key", self.priv_password] if self.priv_password else []
        )


@dataclass(frozen=True)
class SimPdu:
    """A recorded PDU of snmpsim on a port of its own; the community and the v3 context are ``pdu``."""

    port: int
    home: Path

    def power(self, outlet: int) -> str:
        """What the simulator itself has written down."""
        told = self.home / str(outlet)
        return told.read_text() if told.exists() else "on"

    def commands(self) -> list[str]:
        log = self.home / "commands"
        return log.read_text().splitlines() if log.exists() else []


def prepared_walk(walk: str, to: Path) -> None:
    """The recorded walk as it is, but the outlets' objects are live."""
    lines = []
    for line in (WALKS / f"{walk}.snmprec").read_text().splitlines():
        oid, _tag, _value = line.split("|", 2)
        for pattern, words in WALK_OBJECTS.items():
            found = re.fullmatch(r"1\.3\.6\.1\.4\.1\." + pattern, oid)
            if found:
                line = f"{oid}|2:outlet|n={found[1]},{words}"
        lines.append(line)
    to.write_text("\n".join(lines) + "\n")


@contextmanager
def snmpsim(home: Path, walk: str, users: Sequence[SimUser] = (), lag_s: float = 0) -> Iterator[SimPdu]:
    """One simulator process with one PDU."""
    if not NET_SNMP:
        pytest.skip("the program snmpget is missing (Debian package snmp)")
    for name in ("data", "cache", "told"):
        (home / name).mkdir(parents=True)
    prepared_walk(walk, home / "data" / "pdu.snmprec")
    pdu = SimPdu(free_port(), home / "told")
    command = [
        str(Path(sys.executable).parent / "snmpsim-command-responder"),
        *("--logging-method", "file:" + str(home / "log"), "--cache-dir", str(home / "cache")),
        *(("--process-user", "root", "--process-group", "root") if os.geteuid() == 0 else ()),
        *("--variation-modules-dir", str(VARIATION)),
        *("--variation-module-options", f"outlet:dir:{pdu.home},lag:{lag_s}"),
        *("--v3-engine-id", "auto", "--data-dir", str(home / "data")),
        *(word for user in users for word in user.arguments()),
        f"--agent-udpv4-endpoint=127.0.0.1:{pdu.port}",
    ]
    with (home / "output").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        _wait_until(lambda: _answers(pdu.port), process, home / "output")
        yield pdu
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    asked = ["snmpget", "-v2c", "-c", "pdu", "-t", "0.3", "-r", "0", f"127.0.0.1:{port}", ".1.3.6.1.2.1.1.2.0"]
    return subprocess.run(asked, capture_output=True, timeout=10, check=False).returncode == 0


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[Any], output: Path) -> None:
    end = time.monotonic() + 30
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"snmpsim does not start: {output.read_text()[-2000:]}")
        time.sleep(0.1)


@dataclass
class RackPdu:
    """The rack's SNMP server of one family in a thread, with what its outlets really did."""

    family: Family
    names: Mapping[int, str] = field(default_factory=dict)
    outlets: int = 12
    access: Access | None = None
    lag_s: float = 0.02
    delay_s: float = 5.0

    def __enter__(self) -> RackPdu:
        self.commands: list[Command] = []
        self.board = FaultBoard()
        self.world = World(time.monotonic)
        self.port = free_port()
        self.key = f"127.0.0.1:{self.port}"
        physics = Physics(outlet_lag_s=self.lag_s, outlet_delay_s=self.delay_s)
        points = {
            number: OutletPoint(self.world, self.board, self.key, str(number), self.commands.append, physics)
            for number in range(1, self.outlets + 1)
        }
        tree = PduTree(self.family, points, self.names, time.monotonic)
        self.server = self.make_server(tree)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.open(), self._loop).result(5)
        return self

    def __exit__(self, *_error: object) -> None:
        asyncio.run_coroutine_threadsafe(self.server.close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def make_server(self, tree: PduTree) -> SnmpServer:
        access = self.access or Access(frozenset({0, 1, 3}), frozenset({b"reading"}), frozenset({b"writing"}))
        return SnmpServer("127.0.0.1", self.port, self.board, tree, access)

    def is_on(self, outlet: int) -> bool:
        """The truth, whatever the PDU says of itself."""
        with self.board.lock:
            self.world.settle()
            return self.world.outlets[f"{self.key}/{outlet}"].on

    def switch(self, outlet: int, on: bool) -> None:
        """Somebody switches the outlet, not by SNMP."""
        with self.board.lock:
            self.world.switch_outlet(f"{self.key}/{outlet}", on, 0.0)

    def fault(self, name: str, outlet: int | None = None, value: Any = None, times: int | None = None) -> None:
        self.board.set(f"{self.key}/{outlet}" if outlet else self.key, name, value, times)

    def sent(self) -> list[str]:
        return [f"{command.outlet} {command.action}" for command in self.commands]

    def options(self, **more: Any) -> dict[str, Any]:
        known = {"address": "127.0.0.1", "port": self.port, "community": "reading", "write_community": "writing"}
        return {**known, "outlet": 7, **more}


class PickyPdu(RackPdu):
    """A PDU that notes its packets and does not take every one.

    ``most``: objects in one request; more are answered with tooBig. ``obeys_first``: a SET for several objects is answered with yes,
    and only its first object is written. ``gen_err_for``: an outlet whose objects it answers with
    genErr, naming the first. ``exception_for``: an object, and the exception that it answers for it. ``silent_to``: a kind of
    request that it obeys and does not answer.
    """

    def __enter__(self) -> PickyPdu:
        self.packets: list[Pdu] = []
        self.answer_bytes: list[int] = []
        self.most = 1000
        self.obeys_first = False
        self.gen_err_for: int | None = None
        self.exception_for: tuple[str, int] | None = None
        self.silent_to = 0
        super().__enter__()
        return self

    def make_server(self, tree: PduTree) -> SnmpServer:
        server = super().make_server(tree)
        respond, send = server._respond, server.send

        def picky(pdu: Pdu, version: int, may_write: bool, source: Address) -> Pdu | None:
            self.packets.append(pdu)
            if len(pdu.bindings) > self.most:
                return server._error(pdu, version, 1, 0)
            bad = [place for place, (oid, _value) in enumerate(pdu.bindings, 1) if oid[-1] == self.gen_err_for]
            if bad:
                return server._error(pdu, version, 5, bad[0])
            first_only = self.obeys_first and pdu.kind == SET
            reply = respond(replace(pdu, bindings=pdu.bindings[:1]) if first_only else pdu, version, may_write, source)
            if first_only and reply is not None:
                reply = replace(reply, bindings=pdu.bindings)
            if self.exception_for and reply is not None and pdu.kind == GET:
                name, tag = oid(fill(self.exception_for[0], 1)), self.exception_for[1]
                rows = [(oid_, Value(tag) if oid_ == name else value) for oid_, value in reply.bindings]
                reply = replace(reply, bindings=rows)
            return None if pdu.kind == self.silent_to else reply

        def noted(reply: bytes, addr: Any, after_s: float) -> None:
            self.answer_bytes.append(len(reply))
            send(reply, addr, after_s)

        server._respond, server.send = picky, noted  # type: ignore[method-assign]
        return server


def rack_family(row: int) -> Family:
    """The rack's own facts about a row of the table of families."""
    return next(family for family in FAMILIES.values() if family.row == row)


USER = User("fence", "sha256", "authentication-1", "aes", "encryption-1")
NET_SNMP = shutil.which("snmpget") is not None
