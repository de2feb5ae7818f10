# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many devices on loopback, by simulators that others wrote: BMCs (OpenIPMI's ipmi_sim) and PDUs (net-snmp's snmpd).

Every device has an address of its own in 127.0.0.0/8 and the standard port (another one where that needs root). A farm judges, too:
it knows what every host's power really did, whatever a contestant says. It knows no contestants.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
USERNAME, PASSWORD = "fence", "bench-5c2e-pw"
READ_COMMUNITY, WRITE_COMMUNITY = "bench-read", "bench-write"
ROOT_PORTS = os.geteuid() == 0
IPMI_PORT = 623 if ROOT_PORTS else 16623
SNMP_PORT = 161 if ROOT_PORTS else 16161
OUTLETS = 24
# Open while a farm lives, so that no second one takes its addresses: ipmi_sim and snmpd would share them in silence.
GUARD_PORT = 16600
PING = bytes.fromhex("0600ff06000011be80000000")


class Network:
    """A part of 127.0.0.0/8 that is ours while this lives."""

    def __init__(self) -> None:
        for self._octet in range(64, 250):
            self._guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                self._guard.bind((f"127.{self._octet}.255.1", GUARD_PORT))
                return
            except OSError:
                self._guard.close()
        raise RuntimeError("no free part of 127.0.0.0/8")

    def addresses(self, count: int, block: int = 0) -> list[str]:
        """Addresses of one of four blocks of 16000."""
        numbers = (block * 16000 + number for number in range(count))
        return [f"127.{self._octet}.{number // 250}.{number % 250 + 1}" for number in numbers]

    def close(self) -> None:
        self._guard.close()


class BmcFarm:
    """BMCs whose host is a process: on is a running one, off is none; so no program is started to read the power.

    ``off_takes_s``: the host takes so long to be off (its process is ended by SIGTERM and gives in only then).
    ``lag_s``: all answers are late by this, and ``dead`` further addresses exist that take packets and never answer.
    """

    def __init__(self, count: int, off_takes_s: float = 0.0, lag_s: float = 0.0, dead: int = 0) -> None:
        self._network = Network()
        self._folder = Path(tempfile.mkdtemp(prefix="bench-bmcs-"))
        self._off_takes_s = off_takes_s
        self._backs = self._network.addresses(count)
        self._relay: subprocess.Popen[bytes] | None = None
        self.crashes = 0
        self.addresses = self._backs
        self.dead: list[str] = []
        self._processes = [self._start(address) for address in self._backs]
        self._await_all()
        if lag_s or dead:
            self.addresses = self._network.addresses(count, block=1)
            self.dead = self._network.addresses(dead, block=2)
            self._relay = self._start_relay(lag_s)

    def _start(self, address: str) -> subprocess.Popen[bytes]:
        folder = self._folder / address
        if not folder.exists():
            self._configure(folder, address)
        return subprocess.Popen(
            ["ipmi_sim", "-c", "lan.conf", "-f", "bmc.emu", "-s", "state", "-n"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _configure(self, folder: Path, address: str) -> None:
        (folder / "state").mkdir(parents=True)
        host = "sleep 99999999"
        if self._off_takes_s:
            # At SIGTERM `timeout` tells the program, which does not care, and kills it this much later: no new process.
            host = f"timeout -k {self._off_takes_s:g} 99999999 env --ignore-signal=TERM sleep 99999999"
        levels = "\n".join(
            f"    allowed_auths_{level} md5 straight" for level in ("callback", "user", "operator", "admin")
        )
        (folder / "lan.conf").write_text(
            f'name "bmc"\nset_working_mc 0x20\n  startlan 1\n    addr {address} {IPMI_PORT}\n    priv_limit admin\n{levels}\n'
            f"    guid a123456789abcdefa123456789abcdef\n  endlan\n"
            # The serial port makes the simulator keep the host as a process; nobody connects to it.
            f'  serial 15 {address} 16624 codec VM\n  startcmd "{host}"\n  startnow true\n'
            f'  user 1 true "" "nobody" user 10\n'
            f'  user 2 true "{USERNAME}" "{PASSWORD}" admin 10\n'
        )
        (folder / "bmc.emu").write_text(
            "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n"
        )

    def _await_all(self) -> None:
        for address in self._backs:
            await_answer(address, IPMI_PORT, PING)

    def _start_relay(self, lag_s: float) -> subprocess.Popen[bytes]:
        routes = self._folder / "routes"
        rows = [f"{front} {back}" for front, back in zip(self.addresses, self._backs, strict=True)]
        routes.write_text("\n".join(rows + self.dead) + "\n")
        relay = subprocess.Popen(
            [sys.executable, "-I", str(HERE / "_relay.py"), str(lag_s), str(IPMI_PORT), str(routes)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert relay.stdout is not None
        if relay.stdout.readline() != b"ready\n":
            raise RuntimeError("the relay did not start")
        return relay

    def revive(self) -> int:
        """ipmi_sim 2.0.33 has been seen to crash: start those that did, and say how many."""
        fallen = 0
        for number, process in enumerate(self._processes):
            if process.poll() is not None:
                self._processes[number] = self._start(self._backs[number])
                await_answer(self._backs[number], IPMI_PORT, PING)
                fallen += 1
        self.crashes += fallen
        return fallen

    def hosts(self) -> list[int]:
        """The process of each host; 0 for one that is off."""
        return [next(children_of(process.pid), 0) for process in self._processes]

    def all_on(self, count: int) -> None:
        """Whatever the last run left: the first ``count`` hosts are on now."""
        end = time.monotonic() + 60
        while off := [back for back, host in zip(self._backs[:count], self.hosts(), strict=False) if not host]:
            if time.monotonic() > end:
                raise RuntimeError(f"{len(off)} hosts cannot be switched on")
            names = self._folder / "off"
            names.write_text("\n".join(off) + "\n")
            subprocess.run(
                [
                    *(sys.executable, str(HERE / "_bare_library.py"), "on", str(names), "--threads", "16"),
                    *("--port", str(IPMI_PORT), "--username", USERNAME, "--password", PASSWORD),
                ],
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def close(self) -> None:
        if self._relay is not None:
            self._relay.kill()
            self._relay.wait()
            if self._relay.stdout is not None:
                self._relay.stdout.close()
        hosts = self.hosts()
        for process, host in zip(self._processes, hosts, strict=True):
            process.kill()
            if host:
                kill_with_children(host)
        for process in self._processes:
            process.wait()
        self._network.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class PduFarm:
    """PDUs of 24 outlets: the MasterSwitch tables that every APC card has, held by net-snmp's agent itself (``override``).

    The status object of this family is the one that is written, so that no program stands behind the agent, and
    fence_apc_snmp reads and writes it too. An outlet switches at once. The agent counts the requests that came.
    """

    STATE = "1.3.6.1.4.1.318.1.1.4.4.2.1.3"
    NAME = "1.3.6.1.4.1.318.1.1.4.4.2.1.4"
    PENDING = "1.3.6.1.4.1.318.1.1.4.2.3.0"
    MASTER_SWITCH = "1.3.6.1.4.1.318.1.3.4.1"
    IN_PACKETS = "1.3.6.1.2.1.11.1.0"

    def __init__(self, count: int) -> None:
        self._network = Network()
        self._folder = Path(tempfile.mkdtemp(prefix="bench-pdus-"))
        self.addresses = self._network.addresses(count)
        self._own: Counter[str] = Counter()
        self._processes = [self._start(address) for address in self.addresses]
        for address in self.addresses:
            self._await(address)

    def _start(self, address: str) -> subprocess.Popen[bytes]:
        folder = self._folder / address
        folder.mkdir()
        outlets = range(1, OUTLETS + 1)
        (folder / "snmpd.conf").write_text(
            f"rocommunity {READ_COMMUNITY}\nrwcommunity {WRITE_COMMUNITY}\n"
            f"override 1.3.6.1.2.1.1.2.0 object_id {self.MASTER_SWITCH}\n"
            f'override {self.PENDING} octet_str "{" ".join(["No"] * OUTLETS)}"\n'
            + "".join(f"override -rw {self.STATE}.{outlet} integer 1\n" for outlet in outlets)
            + "".join(f'override {self.NAME}.{outlet} octet_str "Outlet {outlet}"\n' for outlet in outlets)
        )
        modules = "override,snmp_mib,system_mib,vacm_conf,vacm_context,usmUser,usmConf,snmpEngine"
        return subprocess.Popen(
            ["snmpd", "-f", "-C", "-c", "snmpd.conf", "-I", modules, "-Ln", f"udp:{address}:{SNMP_PORT}"],
            cwd=folder,
            env={**os.environ, **SNMP_ENVIRONMENT, "SNMP_PERSISTENT_DIR": str(folder / "state")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _await(self, address: str) -> None:
        end = time.monotonic() + 30
        while not self._ask("snmpget", READ_COMMUNITY, address, self.IN_PACKETS):
            if time.monotonic() > end:
                raise RuntimeError("snmpd did not start")

    def _ask(self, program: str, community: str, address: str, *words: str) -> list[str]:
        """The values that net-snmp's own programs bring; none when there was no answer."""
        asked = [program, "-v2c", "-c", community, "-Oqv", "-On", "-t", "1", "-r", "0", f"{address}:{SNMP_PORT}"]
        answer = subprocess.run(
            [*asked, *words], capture_output=True, text=True, env={**os.environ, **SNMP_ENVIRONMENT}, check=False
        )
        self._own[address] += 1
        return answer.stdout.split("\n")[:-1] if answer.returncode == 0 else []

    def requests(self) -> list[int]:
        """How many requests came to each PDU so far, but for those of the farm itself."""
        counts = []
        for address in self.addresses:
            (count,) = self._ask("snmpget", READ_COMMUNITY, address, self.IN_PACKETS)
            counts.append(int(count) - self._own[address])
        return counts

    def states(self, address: str) -> list[int]:
        """What the agent holds for each outlet: 1 is on, 2 is off."""
        names = [f"{self.STATE}.{outlet}" for outlet in range(1, OUTLETS + 1)]
        return list(map(int, self._ask("snmpget", READ_COMMUNITY, address, *names)))

    def all_on(self) -> None:
        words = [word for outlet in range(1, OUTLETS + 1) for word in (f"{self.STATE}.{outlet}", "i", "1")]
        for address in self.addresses:
            self._ask("snmpset", WRITE_COMMUNITY, address, *words)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._network.close()
        shutil.rmtree(self._folder, ignore_errors=True)


# No MIB files: whichever are installed, the same work is done.
SNMP_ENVIRONMENT = {"MIBS": "", "SNMPCONFPATH": "/nonexistent"}


def children_of(pid: int) -> Iterator[int]:
    try:
        yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except OSError:
        return


def started_at_s(pid: int) -> float:
    """When a process was started, in seconds since the machine was."""
    behind_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(behind_name[19]) / os.sysconf("SC_CLK_TCK")


def kill_with_children(pid: int) -> None:
    """The process, and what it keeps below itself (`timeout` and its program)."""
    for each in (pid, *children_of(pid)):
        try:
            os.kill(each, 9)
        except ProcessLookupError:
            continue


def await_answer(address: str, port: int, question: bytes, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, port))
        probe.settimeout(0.2)
        while time.monotonic() < end:
            try:
                probe.send(question)
                probe.recv(4096)
                return
            except ConnectionRefusedError:
                time.sleep(0.02)
            except TimeoutError:
                continue
    raise RuntimeError(f"{address} did not start")


def missing_programs(programs: Sequence[str]) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]
