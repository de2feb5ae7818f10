# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""BMCs on loopback for the tests and the trial of IPMI: OpenIPMI's ipmi_sim, pyghmi's own server, and a network between.

Each is started on a free port and stopped by its owner. The network (a UDP relay) delays, drops, counts and answers in
a BMC's place; it knows no keys.
"""

from __future__ import annotations

import heapq
import json
import random
import selectors
import shlex
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

USERNAME, PASSWORD = "fence", "canary-7f3a-pw"
OPERATOR, READER = "operator", "reader"
IPMI_SIM = shutil.which("ipmi_sim")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class IpmiSim:
    """One BMC of OpenIPMI's simulator. It keeps the host's power in a file, and every power command in another."""

    def __init__(self, folder: Path, power: str = "on", await_it: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._folder = folder
        self._power = folder / "power"
        self._commands = folder / "commands"
        self._power.write_text("1\n" if power == "on" else "0\n")
        self._commands.write_text("")
        hook = folder / "hook"
        hook.write_text(
            textwrap.dedent(
                f"""\
                #!/bin/sh
                case "$1" in
                get) read power < {shlex.quote(str(self._power))}; echo "power:$power" ;;
                set) echo "$3" >> {shlex.quote(str(self._commands))}; echo "$3" > {shlex.quote(str(self._power))} ;;
                esac
                """
            )
        )
        hook.chmod(0o755)
        levels = "\n".join(
            f"    allowed_auths_{level} md5 straight" for level in ("callback", "user", "operator", "admin")
        )
        (folder / "lan.conf").write_text(
            f'name "bmc"\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {self.port}\n    priv_limit admin\n{levels}\n'
            f"    guid a123456789abcdefa123456789abcdef\n  endlan\n"
            f'  chassis_control "{hook}"\n'
            f'  user 1 true "" "nobody" user 10\n'
            f'  user 2 true "{USERNAME}" "{PASSWORD}" admin 10\n'
            f'  user 3 true "{OPERATOR}" "{PASSWORD}" operator 10\n'
            f'  user 4 true "{READER}" "{PASSWORD}" user 10\n'
        )
        (folder / "bmc.emu").write_text(
            "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n"
        )
        (folder / "state").mkdir(exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.start(await_it)

    def start(self, await_it: bool = True) -> None:
        assert IPMI_SIM is not None
        self._process = subprocess.Popen(
            [IPMI_SIM, "-c", "lan.conf", "-f", "bmc.emu", "-s", "state", "-n"],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if await_it:
            await_ping(self.port)

    @property
    def power(self) -> str:
        return "on" if self._power.read_text().strip() == "1" else "off"

    @power.setter
    def power(self, power: str) -> None:
        self._power.write_text("1\n" if power == "on" else "0\n")

    @property
    def commands(self) -> list[str]:
        """The power commands that reached the BMC."""
        return ["on" if line == "1" else "off" for line in self._commands.read_text().split()]

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def await_ping(port: int, limit_s: float = 10.0) -> None:
    """Return when a BMC answers an RMCP presence ping, or Get Channel Authentication Capabilities if it knows no pings."""
    ping = bytes.fromhex("0600ff06000011be80000000")
    capabilities = bytes.fromhex("0600ff0700000000000000000009" + "2018c88100388e0435")
    end = time.monotonic() + limit_s
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.1", port))
        probe.settimeout(0.1)
        while time.monotonic() < end:
            try:
                probe.send(ping)
                probe.send(capabilities)
                probe.recv(4096)
            except ConnectionRefusedError:
                time.sleep(0.02)
            except TimeoutError:
                continue
            else:
                return
    raise RuntimeError("the BMC did not start")


PYGHMI_BMC = """
import json, sys
from pyghmi.ipmi.bmc import Bmc

class Scripted(Bmc):
    power, code, status = 1, 0, [1, 0, 0]
    commands = []

    def get_chassis_status(self, session):
        session.send_ipmi_response(code=self.code_of_status, data=self.status_data())

    def status_data(self):
        return bytearray(script["status"]) if "status" in script else bytearray([self.power, 0, 0])

    @property
    def code_of_status(self):
        return script.get("status_code", 0)

    def told(self, power):
        with open(script["commands"], "a") as commands:
            commands.write(f"{power}\\n")
        if script.get("control_code"):
            return script["control_code"]
        self.power = power

    def power_off(self):
        return self.told(0)

    def power_on(self):
        return self.told(1)

script = json.loads(sys.argv[1])
bmc = Scripted({script["username"]: script["password"]}, port=script["port"], address="127.0.0.1")
if script.get("key"):
    bmc.set_kg(bytes.fromhex(script["key"]))
bmc.listen()
"""


class PyghmiBmc:
    """pyghmi's own BMC in a process. It answers SHA-1 to a proposal of SHA-256, and whatever the script says.

    Of the script: ``status`` (data of Get Chassis Status), ``status_code``, ``control_code`` (completion codes), ``key`` (K_g).
    """

    def __init__(self, folder: Path, **script: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._commands = folder / "commands"
        self._commands.write_text("")
        script = {
            "port": self.port,
            "username": USERNAME,
            "password": PASSWORD,
            "commands": str(self._commands),
            **script,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", PYGHMI_BMC, json.dumps(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await_ping(self.port)

    @property
    def commands(self) -> list[str]:
        return ["on" if line == "1" else "off" for line in self._commands.read_text().split()]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


# Payload types of RMCP+ (IPMI v2.0, table 13-16), as far as a network without keys can tell.
OPEN_SESSION, RAKP_1, RAKP_3, IN_SESSION, CAPABILITIES = (
    "open session",
    "RAKP 1",
    "RAKP 3",
    "in session",
    "capabilities",
)
KINDS = {
    0x10: OPEN_SESSION,
    0x11: OPEN_SESSION,
    0x12: RAKP_1,
    0x13: RAKP_1,
    0x14: RAKP_3,
    0x15: RAKP_3,
    0x00: IN_SESSION,
}


def kind_of(packet: bytes) -> str:
    if len(packet) < 6 or packet[4] != 0x06:
        return CAPABILITIES
    return KINDS.get(packet[5] & 0x3F, "other")


class Network:
    """A UDP relay in front of a BMC. Its attributes may be changed while it runs.

    ``lag_s`` is the time that an answer is late, ``loss`` the share of packets that is lost either way,
    ``swallow`` the kinds of requests that never arrive, ``mute`` the kinds whose answers never arrive, and ``refusals`` how
    many times Open Session is answered in the BMC's place with ``refusal`` as its status.
    """

    def __init__(self, port: int, seed: int = 1, address: str = "127.0.0.1") -> None:
        self._bmc = ("127.0.0.1", port)
        self._front = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((address, 0))
        self.port = int(self._front.getsockname()[1])
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self._clients: dict[socket.socket, tuple[str, int]] = {}
        self._late: list[tuple[float, int, bytes, tuple[str, int]]] = []
        self._sent = 0
        self._random = random.Random(seed)
        self.lag_s = 0.0
        self.lag_of: set[str] | None = None
        self.loss = 0.0
        self.swallow: set[str] = set()
        self.mute: set[str] = set()
        self.refusals = 0
        self.refusal = 0x01
        self.on_request: Callable[[str], None] | None = None
        self.requests: Counter[str] = Counter()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._thread.join()
        for back in self._backs.values():
            back.close()
        self._front.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._front, selectors.EVENT_READ)
            while not self._stopped.is_set():
                wait_s = 0.05 if not self._late else min(0.05, max(0.0, self._late[0][0] - time.monotonic()))
                for key, _events in selector.select(wait_s):
                    try:
                        if key.fileobj is self._front:
                            self._request(selector)
                        else:
                            self._answer(key.fileobj)  # type: ignore[arg-type]
                    except ConnectionRefusedError:
                        continue
                while self._late and self._late[0][0] <= time.monotonic():
                    _at, _number, packet, client = heapq.heappop(self._late)
                    self._front.sendto(packet, client)

    def _request(self, selector: selectors.BaseSelector) -> None:
        packet, client = self._front.recvfrom(4096)
        kind = kind_of(packet)
        self.requests[kind] += 1
        if self.on_request is not None:
            self.on_request(kind)
        if kind in self.swallow or self._random.random() < self.loss:
            return
        if kind == OPEN_SESSION and self.refusals > 0:
            self.refusals -= 1
            answer = bytes([packet[16], self.refusal, 0, 0]) + packet[20:24]
            self._front.sendto(bytes.fromhex("0600ff0706110000000000000000") + bytes([len(answer), 0]) + answer, client)
            return
        if client not in self._backs:
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.connect(self._bmc)
            self._backs[client] = back
            self._clients[back] = client
            selector.register(back, selectors.EVENT_READ)
        self._backs[client].send(packet)

    def _answer(self, back: socket.socket) -> None:
        packet = back.recv(4096)
        kind = kind_of(packet)
        if kind in self.mute or self._random.random() < self.loss:
            return
        lag_s = self.lag_s if self.lag_of is None or kind in self.lag_of else 0.0
        self._sent += 1
        heapq.heappush(self._late, (time.monotonic() + lag_s, self._sent, packet, self._clients[back]))
