# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fresh copy of the collection where Ansible's tools want it: FOLDER/ansible_collections/hostpm/fencing.

It holds what belongs to the project (known to git, or new and not ignored), and nothing that lies about in a checkout.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_THE_PROJECT = {".git", ".venv", ".build"}


def project_files() -> list[Path]:
    """Every file of the project, relative to its root. Without git (an archive): all but what the gates make."""
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
        paths = [Path(name) for name in names if name]
    else:
        paths = [
            path.relative_to(ROOT) for path in ROOT.rglob("*") if path.relative_to(ROOT).parts[0] not in NOT_THE_PROJECT
        ]
    return sorted(path for path in set(paths) if (ROOT / path).is_file())


def copy_to(folder: Path) -> Path:
    """Copy the project below the folder, after whatever was there has been removed; say where it is."""
    shutil.rmtree(folder / "ansible_collections", ignore_errors=True)
    target = folder / "ansible_collections" / "hostpm" / "fencing"
    for path in project_files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target / path)
    if shutil.which("git"):  # else the tools find the checkout's own repository further up, which ignores this folder
        subprocess.run(["git", "init", "-q", str(target)], check=True)
    return target


if __name__ == "__main__":
    copy_to(Path(sys.argv[1]).resolve())
