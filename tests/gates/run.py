# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one gate and say in one line how it went: `run.py NAME COMMAND...`.

The whole output goes to .build/log/NAME.log and is shown when the gate fails; with V=1 in the environment always.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

LOG_FOLDER = Path(__file__).resolve().parents[2] / ".build" / "log"
SKIPPED_TEST = re.compile(r"^SKIPPED .*")
# What a gate says of itself in its last line; pytest adds a time to it, and perhaps a frame.
FRAME = re.compile(r"^=+ | in [0-9.]+s(?: \([0-9:]+\))?(?: =+)?$")


def main() -> int:
    name, command = sys.argv[1], sys.argv[2:]
    LOG_FOLDER.mkdir(parents=True, exist_ok=True)
    log = LOG_FOLDER / f"{name}.log"
    loud = os.environ.get("V") == "1"
    start = time.monotonic()
    lines: list[str] = []
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            lines.append(line.rstrip())
            if loud:
                print(line, end="", flush=True)
    status = process.wait()
    seconds = round(time.monotonic() - start)
    last = next((FRAME.sub("", line) for line in reversed(lines) if line), "")
    dots = "." * (14 - len(name))
    if status:
        if not loud:
            print("\n".join(lines))
        print(f"{name} {dots} FAILED ({seconds} s; all of it is in {log.relative_to(LOG_FOLDER.parents[1])})")
        return 1
    print(f"{name} {dots} ok ({last + ', ' if last else ''}{seconds} s)")
    for line in lines:
        if SKIPPED_TEST.match(line):
            print(f"  {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
