# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no linter asks: licence lines, paths and hosts of one machine, big files, and that the built collection works.

The collection is built as Galaxy gets it and installed into an empty folder; there every plugin must show its
documentation.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from collection_copy import ROOT, copy_to, project_files

PROGRAMS = Path(sys.executable).parent
DIST = ROOT / ".build" / "dist"
BIGGEST_FILE = 200_000
NEEDS_NO_LICENCE_LINE = {".json", ".snmprec", ".pem", ".svg", ".png"}  # formats without comments
WITHOUT_LICENCE_LINE = {"LICENSE", "CHANGELOG.md"}  # texts that others write
LICENCE_LINE = "SPDX-License-" + "Identifier:"
# Written so that they do not find themselves.
ONE_MACHINE = {
    "a path of one machine": re.compile(r"(?<![\w.{$])/(?:wor[k]|roo[t]|tmp/la[b]|home/[a-z]\w*)(?:/|\b)(?!\w)"),
    "where packages come from": re.compile(
        r"(?:extra-)?index-ur[l]|find-link[s]|trusted-hos[t]|pypi\.or[g]|pythonhoste[d]"
    ),
}
MUST_BE_IN_THE_BUILD = (
    "LICENSE",
    "README.md",
    "requirements.txt",
    "meta/runtime.yml",
    "meta/execution-environment.yml",
)
MUST_NOT_BE_IN_THE_BUILD = (".ci/", ".build/", ".venv/", ".git/")
SHIPPED_FOLDERS = ("plugins", "roles", "playbooks", "docs")


def text_of(path: Path) -> str | None:
    """The text of a file, or None for one that is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def problems_of_files(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        size = (ROOT / path).stat().st_size
        if size > BIGGEST_FILE:
            yield f"{path}: {size} bytes; {BIGGEST_FILE} are allowed"
        text = text_of(path)
        if not text:
            continue
        if (
            path.name not in WITHOUT_LICENCE_LINE
            and path.suffix not in NEEDS_NO_LICENCE_LINE
            and LICENCE_LINE not in text[:1000]
        ):
            yield f"{path}: no line with {LICENCE_LINE} at its top"
        for number, line in enumerate(text.splitlines(), start=1):
            for what, pattern in ONE_MACHINE.items():
                if found := pattern.search(line):
                    yield f"{path}:{number}: {found.group()} is {what}"


def requirement_lines(name: str) -> list[str]:
    lines = (re.sub(r"\s*#.*", "", line) for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def problems_of_requirements() -> Iterator[str]:
    if requirement_lines("requirements.txt") != requirement_lines("meta/ee-requirements.txt"):
        yield "requirements.txt and meta/ee-requirements.txt differ"
    for line in requirement_lines("requirements.txt"):
        if ">=" not in line or "==" in line or "<" in line:
            yield f"requirements.txt: {line}: users need a lower bound and nothing else"


def run(*command: str, folder: Path, collections: Path) -> str:
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_HOME": str(DIST / "home")}
    done = subprocess.run(
        [PROGRAMS / command[0], *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def problems_of_build(paths: list[Path]) -> Iterator[str]:
    """Build, look into the archive, install it, and ask for the documentation of everything in it."""
    copy = copy_to(DIST / "source")
    run("ansible-galaxy", "collection", "build", "--force", "--output-path", str(DIST), folder=copy, collections=DIST)
    archive = max(DIST.glob("hostpm-fencing-*.tar.gz"), key=lambda path: path.stat().st_mtime)
    with tarfile.open(archive) as tar:
        names = {member.name for member in tar.getmembers() if member.isfile()}
    shipped = (str(path) for path in paths if path.parts[0] in SHIPPED_FOLDERS)
    yield from (f"{archive.name} lacks {name}" for name in (*MUST_BE_IN_THE_BUILD, *shipped) if name not in names)
    yield from (f"{archive.name} holds {name}" for name in names if name.startswith(MUST_NOT_BE_IN_THE_BUILD))

    installed = DIST / "installed"
    install = ("collection", "install", "--force", "--offline", "--collections-path", str(installed), str(archive))
    run("ansible-galaxy", *install, folder=DIST, collections=installed)
    documented = {}
    for kind in ("module", "role"):
        listed = run(
            "ansible-doc", "--json", "--list", "--type", kind, "hostpm.fencing", folder=DIST, collections=installed
        )
        for name in json.loads(listed):
            documented[name] = run("ansible-doc", "--type", kind, name, folder=DIST, collections=installed)
    for path in paths:
        if path.parts[:2] == ("plugins", "modules") and f"hostpm.fencing.{path.stem}" not in documented:
            yield f"{path}: ansible-doc does not list it once installed"


def main() -> None:
    paths = project_files()
    problems = [*problems_of_files(paths), *problems_of_requirements(), *problems_of_build(paths)]
    if problems:
        raise SystemExit("\n".join(problems))
    print(f"{len(paths)} files; the collection builds and installs")


if __name__ == "__main__":
    main()
