# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-lint with the production profile over a fresh copy, then the changelog fragments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from collection_copy import ROOT, copy_to

PROGRAMS = Path(sys.executable).parent


def main() -> None:
    folder = ROOT / ".build" / "lint"
    collection = copy_to(folder)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_HOME": str(folder / "home"),
        "NO_COLOR": "1",
    }
    for command in (
        ["ansible-lint", "--offline", "--profile", "production", "--strict"],
        ["antsibull-changelog", "lint"],
    ):
        print("$", *command, flush=True)
        status = subprocess.run([PROGRAMS / command[0], *command[1:]], cwd=collection, env=environment, check=False)
        if status.returncode:
            raise SystemExit(f"{command[0]} found something")
    print("production profile, changelog")


if __name__ == "__main__":
    main()
