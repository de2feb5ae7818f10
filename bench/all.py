# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All benchmarks, part by part, then the page: for a quiet hour, about 12 minutes on two cores.

What is measured stays in .build/bench. A part that is there already is not measured again: interrupt it, go on later; --again starts
anew. Peers that are missing are named in the tables; `python bench/all.py --install-peers` brings those that come from PyPI.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from _cases import HERE, PEERS, ROOT

RESULTS = ROOT / ".build" / "bench"
# Each part is a script with what it is told here, so that all of them fit into the time.
PARTS: dict[str, list[str]] = {
    "one_host": ["--runs", "2"],
    "hosts": ["--runs", "3", "--longest", "60"],
    "pdus": ["--runs", "2", "--longest", "40"],
    "slow_devices": ["--runs", "1"],
    "memory": ["--runs", "1", "--sizes", "1,50,200,500"],
}
# From PyPI, into an environment of their own.
PEER_PACKAGES = ("ansible==12.3.0", "pyghmi==1.6.19")
DEBIAN_PACKAGES = ("openipmi", "snmpd", "ipmitool", "freeipmi-tools", "powerman", "fence-agents")


def install_peers() -> None:
    """community.general comes with the package ansible; its IPMI module needs pyghmi."""
    subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
    subprocess.run([str(PEERS / "bin" / "python"), "-m", "pip", "install", "-qq", *PEER_PACKAGES], check=True)


def machine() -> dict[str, str]:
    """What the numbers depend on."""
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return {
        "processor": f"{os.cpu_count()} cores of {model}",
        "memory": f"{memory_kib / 1048576:.0f} GiB",
        "system": f"{platform.freedesktop_os_release().get('PRETTY_NAME', '')}, Linux {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        "ansible-core": _first_line(str(Path(sys.executable).parent / "ansible"), "--version"),
        "collection": _first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "simulators and peers": ", ".join(filter(None, [*map(_debian, DEBIAN_PACKAGES), *_peers()])),
        "load when it began": f"{os.getloadavg()[0]:.1f}",
        "date": time.strftime("%Y-%m-%d"),
    }


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return (done.stdout.splitlines() or [""])[0].removeprefix("ansible [core ").removesuffix("]")


def _debian(package: str) -> str:
    version = _first_line("dpkg-query", "--show", "--showformat=${Version}\n", package)
    return f"{package} {version}" if version else ""


def _peers() -> list[str]:
    if not PEERS.exists():
        return []
    listed = sorted(path.name.removesuffix(".dist-info") for path in PEERS.glob("lib/*/site-packages/*.dist-info"))
    return [name.replace("-", " ") for name in listed if name.split("-")[0] in ("ansible", "pyghmi")]


def measure_part(part: str, words: list[str], quick: bool) -> bool:
    """One part into a file that gets its name when it is whole. False when something in it failed."""
    unfinished = RESULTS / f"{part}.unfinished"
    unfinished.unlink(missing_ok=True)
    facts = machine()
    print(f"--- {part}: python bench/{part}.py {' '.join(words)}", flush=True)
    command = [sys.executable, str(HERE / f"{part}.py"), *words, "--json", str(unfinished)]
    began = time.monotonic()
    done = subprocess.run([*command, *(["--quick"] if quick else [])], check=False)
    if done.returncode not in (0, 1) or not unfinished.exists():
        print(f"--- {part} did not come to its end\n")
        return False
    (RESULTS / f"{part}.machine.json").write_text(json.dumps(facts, indent=2) + "\n")
    unfinished.rename(RESULTS / f"{part}.jsonl")
    print(f"--- {part} took {time.monotonic() - began:.0f} s\n", flush=True)
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all of them)")
    parser.add_argument("--again", action="store_true", help="measure again what has been measured")
    parser.add_argument("--quick", action="store_true", help="is everything in order? No page is written")
    parser.add_argument("--install-peers", action="store_true", help="install the peers that come from PyPI, and end")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if given.install_peers:
        install_peers()
        return 0
    RESULTS.mkdir(parents=True, exist_ok=True)
    failed = []
    for part, words in PARTS.items():
        there = (RESULTS / f"{part}.jsonl").exists() and not given.again and not given.quick
        if there or (given.parts and part not in given.parts):
            continue
        if not measure_part(part, words, given.quick):
            failed.append(part)
        if given.quick:
            (RESULTS / f"{part}.jsonl").unlink(missing_ok=True)
    if not given.quick:
        subprocess.run([sys.executable, str(HERE / "page.py")], check=True)
    if failed:
        print(f"something failed in: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
