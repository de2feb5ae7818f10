# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trial that chooses the default library of the ipmi agents: both libraries through our driver, many BMCs, some dead.

It starts OpenIPMI's ipmi_sim and pyghmi's own BMC on loopback, judges by what these saw, and prints a table.
Exit code 0 when every library that was asked for held everything.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".build" / "collections"
LINK = COLLECTIONS / "ansible_collections" / "hostpm" / "fencing"
if not LINK.is_symlink():
    LINK.parent.mkdir(parents=True, exist_ok=True)
    LINK.symlink_to(ROOT, target_is_directory=True)
sys.path[:0] = [str(COLLECTIONS), str(ROOT / "tests")]

from devices.ipmi_servers import (  # noqa: E402
    IN_SESSION,
    IPMI_SIM,
    PASSWORD,
    USERNAME,
    IpmiSim,
    Network,
    PyghmiBmc,
    await_ping,
    free_port,
)

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (  # noqa: E402
    Deadline,
    DeviceError,
    Driver,
    Power,
    TimedOut,
    Unreachable,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.ipmi import TYPE  # noqa: E402

LIBRARIES = ("python-ipmi", "pyghmi")


@dataclass
class Finding:
    """One line of the table."""

    what: str
    held: bool
    seen: str


@dataclass
class Sweep:
    """What became of all the reads of all rounds."""

    live_s: list[float] = field(default_factory=list)
    dead_s: list[float] = field(default_factory=list)
    round_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    hung: int = 0
    restarted: int = 0


def open_driver(port: int, library: str, **given: object) -> Driver:
    options: dict[str, Any] = {
        "address": "127.0.0.1",
        "port": port,
        "username": USERNAME,
        "password": PASSWORD,
        "k_g": None,
        "privilege": "operator",
        "cipher_suites": [17, 3],
        "library": library,
    }
    return TYPE.driver({**options, **given})


def told(call: Callable[[], object]) -> tuple[str, float]:
    """What a call returned or raised, in a word, and how long it took."""
    began = time.monotonic()
    try:
        answer = call()
        word = str(getattr(answer, "power", "done"))
    except DeviceError as error:
        word = type(error).__name__
    except BaseException as error:
        word = f"not a DeviceError: {type(error).__name__}"
    return word, time.monotonic() - began


class Farm:
    """Live BMCs, and two kinds of dead ones: ports that are closed and ports that take packets and answer none."""

    def __init__(self, folder: Path, live: int, dead: int) -> None:
        self.live = [IpmiSim(folder / f"bmc{number}", await_it=False) for number in range(live)]
        for bmc in self.live:
            await_ping(bmc.port, 60.0)
        self._nobody = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for number in range(dead - dead // 2)]
        for nobody in self._nobody:
            nobody.bind(("127.0.0.1", 0))
        self.silent = [int(nobody.getsockname()[1]) for nobody in self._nobody]
        self.closed = [free_port() for number in range(dead // 2)]

    def revive(self) -> int:
        """ipmi_sim 2.0.33 has been seen to crash. How many had."""
        fallen = [bmc for bmc in self.live if not bmc.alive]
        for bmc in fallen:
            bmc.start()
        return len(fallen)

    def stop(self) -> None:
        for bmc in self.live:
            bmc.stop()
        for nobody in self._nobody:
            nobody.close()


def sweep(farm: Farm, library: str, rounds: int, budget_s: float, fresh: int) -> Sweep:
    """Read every BMC, all at once, in threads; with new drivers, so with logins and logouts, after ``fresh`` rounds."""
    result = Sweep()
    lock = threading.Lock()
    ports = [(bmc.port, True) for bmc in farm.live] + [(port, False) for port in (*farm.silent, *farm.closed)]
    drivers: dict[int, Driver] = {}

    def one(port: int, alive: bool, log_out: bool) -> None:
        with lock:
            driver = drivers.setdefault(port, open_driver(port, library))
        word, took_s = told(lambda: driver.read(Deadline(budget_s)))
        if log_out:
            driver.close()
        with lock:
            (result.live_s if alive else result.dead_s).append(took_s)
            expected = {"on"} if alive else {TimedOut.__name__, Unreachable.__name__}
            if word not in expected:
                result.wrong.append(f"{'live' if alive else 'dead'}: {word}")

    pool = ThreadPoolExecutor(len(ports))
    for number in range(1, rounds + 1):
        result.restarted += farm.revive()
        log_out = number % fresh == 0 or number == rounds
        began = time.monotonic()
        done, late = wait([pool.submit(one, *port, log_out) for port in ports], timeout=budget_s + 5.0)
        for future in done:
            future.result()
        if log_out:
            drivers.clear()
        result.hung += len(late)
        result.round_s.append(time.monotonic() - began)
        if sys.stderr.isatty():
            print(f"\r{library}: round {number} of {rounds}", end="", file=sys.stderr, flush=True)
        if late:
            break
    pool.shutdown(wait=not result.hung, cancel_futures=True)
    return result


def sweep_findings(result: Sweep, rounds: int, budget_s: float) -> list[Finding]:
    live_s, dead_s = sorted(result.live_s), sorted(result.dead_s)
    crashed = f"; ipmi_sim crashed {result.restarted} times" if result.restarted else ""
    rate = f"median {statistics.median(live_s):.2f} s, slowest {live_s[-1]:.1f} s" if live_s else "none"
    return [
        Finding(
            f"{rounds} rounds without a hang",
            not result.hung and len(result.round_s) == rounds,
            f"{result.hung} hung; a round took {statistics.median(result.round_s):.1f} s, the longest {max(result.round_s):.1f} s",
        ),
        Finding(
            "every live BMC is read", not result.wrong, f"{rate}; wrong: {sorted(set(result.wrong)) or 'none'}{crashed}"
        ),
        Finding(
            f"every dead BMC is told within {budget_s:g} s + 1 s",
            not dead_s or dead_s[-1] <= budget_s + 1.0,
            f"{len(dead_s)} told, slowest {dead_s[-1]:.2f} s" if dead_s else "none",
        ),
    ]


def second_session(folder: Path, library: str) -> Finding:
    bmc = IpmiSim(folder / "second")
    drivers = [open_driver(bmc.port, library) for number in range(2)]
    words = [told(lambda driver=driver: driver.read(Deadline(10.0)))[0] for driver in drivers * 2]
    drivers[0].close()
    words += [told(lambda driver=driver: driver.read(Deadline(10.0)))[0] for driver in drivers]
    for driver in drivers:
        driver.close()
    bmc.stop()
    return Finding("a second session with the same credentials", words == ["on"] * 6, " ".join(words))


def at_most_once(folder: Path, library: str, how: str, rounds: int) -> Finding:
    """A power command is counted by the BMC that gets it and by the network that carries it."""
    bmc = IpmiSim(folder / f"once-{how}")
    network = Network(bmc.port)
    worst_bmc, worst_network, words = 0, 0, set()
    for _time in range(rounds):
        network.lag_s, network.mute, network.on_request = 0.0, set(), None
        driver = open_driver(network.port, library)
        driver.read(Deadline(20.0))
        network.requests.clear()
        before = len(bmc.commands)

        def look(kind: str) -> None:
            # The first request of the call is a status, on which the command depends; the second is the command.
            if kind == IN_SESSION and network.requests[IN_SESSION] == 2:
                network.lag_s = 3.0 if how == "lag" else 0.0
                network.mute = {IN_SESSION} if how == "lost" else set()

        network.on_request = look
        words.add(told(lambda driver=driver: driver.switch(Power.OFF, Deadline(6.0)))[0])
        worst_network = max(worst_network, network.requests[IN_SESSION] - 1)
        driver.close()
        worst_bmc = max(worst_bmc, len(bmc.commands) - before)
    network.stop()
    bmc.stop()
    story = {"plain": "a fast BMC", "lag": "answers that lag 3 s", "lost": "answers that are lost"}[how]
    expected = {"TimedOut"} if how == "lost" else {"done"}
    return Finding(
        f"a power command goes out once: {story}",
        worst_bmc <= 1 and worst_network <= 1 and words == expected,
        f"at most {worst_bmc} at the BMC, {worst_network} on the wire in {rounds} tries; {', '.join(sorted(words))}",
    )


def counter_proposal(folder: Path, library: str) -> Finding:
    bmc = PyghmiBmc(folder / "sha1")
    both, only = open_driver(bmc.port, library), open_driver(bmc.port, library, cipher_suites=[17])
    word, _took_s = told(lambda: both.read(Deadline(10.0)))
    named, _took_s = told(lambda: only.read(Deadline(10.0)))
    for driver in (both, only):
        driver.close()
    bmc.stop()
    return Finding(
        "SHA-1 answered to SHA-256", word == "on" and named == "OtherSuites", f"{word}; with suite 17 alone: {named}"
    )


def losses(folder: Path, library: str, tries: int, loss: float, budget_s: float) -> Finding:
    """Logins over a network that loses packets. None may be called a wrong password; how many succeed is told."""
    words: list[str] = []

    def one(number: int) -> str:
        bmc = IpmiSim(folder / f"lossy{number}-{loss}")
        network = Network(bmc.port, seed=number)
        network.loss = loss
        driver = open_driver(network.port, library)
        word, _took_s = told(lambda: driver.read(Deadline(budget_s)))
        network.loss = 0.0
        driver.close()
        network.stop()
        bmc.stop()
        return word

    with ThreadPoolExecutor(8) as pool:
        words = list(pool.map(one, range(tries)))
    return Finding(
        f"{loss:.0%} of the packets lost each way",
        set(words) <= {"on", "TimedOut"},
        f"{words.count('on')} of {tries} read in {budget_s:g} s; {', '.join(sorted(set(words)))}",
    )


def trial(library: str, arguments: argparse.Namespace) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="ipmi-trial-") as name:
        folder = Path(name)
        findings = [
            second_session(folder, library),
            at_most_once(folder, library, "plain", arguments.tries),
            at_most_once(folder, library, "lag", arguments.tries),
            at_most_once(folder, library, "lost", arguments.tries),
            counter_proposal(folder, library),
            losses(folder, library, 8 * arguments.tries, 0.15, arguments.budget),
        ]
        farm = Farm(folder, arguments.live, arguments.dead)
        try:
            result = sweep(farm, library, arguments.rounds, arguments.budget, arguments.fresh)
        finally:
            farm.stop()
    return sweep_findings(result, arguments.rounds, arguments.budget) + findings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--library", choices=[*LIBRARIES, "both"], default="both", help="what to try")
    parser.add_argument("--rounds", type=int, default=100, help="how often all BMCs are read")
    parser.add_argument("--fresh", type=int, default=1, help="log in anew after so many rounds")
    parser.add_argument("--live", type=int, default=100, help="BMCs that live")
    parser.add_argument("--dead", type=int, default=20, help="BMCs that do not: half closed ports, half silent ones")
    parser.add_argument("--budget", type=float, default=TYPE.read_timeout_s, help="of each read, in seconds")
    parser.add_argument("--tries", type=int, default=5, help="of each of the small trials")
    arguments = parser.parse_args()
    if IPMI_SIM is None:
        parser.error("ipmi_sim is not installed (Debian package openipmi)")
    held = True
    for library in LIBRARIES if arguments.library == "both" else [arguments.library]:
        began = time.monotonic()
        findings = trial(library, arguments)
        print(
            f"\n{library}: {arguments.live} live and {arguments.dead} dead BMCs in threads, "
            f"{time.monotonic() - began:.0f} s in all"
        )
        for finding in findings:
            print(f"  {'held  ' if finding.held else 'FAILED'}  {finding.what:<52}  {finding.seen}")
        sys.stdout.flush()
        held = held and all(finding.held for finding in findings)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
