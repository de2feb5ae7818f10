# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-test sanity over a fresh copy, on every Python that the modules support and this machine has.

ansible-test lives in a home folder of its own below .build: it meets no leftovers and leaves none with the user.
A test that ansible-test skips makes this gate fail.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ansible_test
from ansible_test._util.target.common.constants import CONTROLLER_PYTHON_VERSIONS, REMOTE_ONLY_PYTHON_VERSIONS
from collection_copy import ROOT, copy_to

HOME = ROOT / ".build" / "sanity-home"
PIP_CONFIGURATION = HOME / ".config" / "pip" / "pip.conf"
OLDEST_MODULE_PYTHON = (3, 10)  # as in tests/config.yml

# A Python worth naming to ansible-test runs, is what its name says, and can make virtual environments.
ASK_PYTHON = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.executable)"
# How ansible-test says that it did not run a test; a missing program is no failure to it.
LEFT_OUT = re.compile(r".*\bSkipping\b.*|.*Required program .* not found.*")
ALSO_HEEDED_BY_PIP = {
    "REQUESTS_CA_BUNDLE": "cert",
    "SSL_CERT_FILE": "cert",
    "HTTPS_PROXY": "proxy",
    "https_proxy": "proxy",
}


def find_pythons() -> dict[str, Path]:
    """The real interpreters by version. A name in PATH may be a shim for a Python that is not there, so each is run."""
    found: dict[str, Path] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [*os.get_exec_path(), *map(str, pyenv.glob("versions/*/bin"))]
    for version in (*REMOTE_ONLY_PYTHON_VERSIONS, *CONTROLLER_PYTHON_VERSIONS):
        if tuple(map(int, version.split("."))) < OLDEST_MODULE_PYTHON:
            continue
        for folder in folders:
            python = shutil.which(f"python{version}", path=folder)
            if not python:
                continue
            asked = subprocess.run([python, "-c", ASK_PYTHON], capture_output=True, text=True, check=False)
            answer = asked.stdout.split()
            if answer and answer[0] == version and ".venv" not in Path(answer[1]).parts:
                found[version] = Path(answer[1])
                break
    return found


def pip_settings() -> dict[str, dict[str, str]]:
    """How pip is set up for the caller, from files and from the environment, as sections of one configuration file."""
    ask = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    settings: dict[str, dict[str, str]] = {"global": {}}
    from_environment = {}
    for key, value in re.findall(r"^(\S+?)=('.*'|\".*\")$", listed, re.MULTILINE):
        section, name = key.rsplit(".", 1)
        target = from_environment if section == ":env:" else settings.setdefault(section, {})
        target[name] = ast.literal_eval(value)
    settings["global"].update(from_environment)
    for variable, name in ALSO_HEEDED_BY_PIP.items():
        if os.environ.get(variable):
            settings["global"].setdefault(name, os.environ[variable])
    settings["global"].pop("config-file", None)
    return settings


def write_pip_configuration() -> None:
    """ansible-test clears the environment: what pip is told by variables must reach it by a file (removed later)."""
    configuration = configparser.RawConfigParser()
    configuration.read_dict(pip_settings())
    PIP_CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
    PIP_CONFIGURATION.touch(mode=0o600)
    with PIP_CONFIGURATION.open("w", encoding="utf-8") as file:
        configuration.write(file)


def place_pip_bootstrap() -> None:
    """Put our bootstrap script under the name that this version of ansible-test looks for."""
    source = Path(ansible_test.__file__).parent / "_internal" / "python_requirements.py"
    versions = set(re.findall(r"pip='([0-9.]+)'", source.read_text(encoding="utf-8")))
    if not versions:
        raise SystemExit(f"{source} no longer says which pip it wants; see place_pip_bootstrap in {__file__}")
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in versions:
        shutil.copy(Path(__file__).parent / "pip_bootstrap.py", cache / f"get_pip_{version.replace('.', '_')}.py")


def main() -> None:
    pythons = find_pythons()
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if own not in pythons:
        raise SystemExit(f"no Python {own} with venv and ensurepip found in PATH beside the virtual environment")
    programs = Path(sys.executable).parent
    command = [str(programs / "ansible-test"), "sanity", "--color", "no", "--controller", "origin:python=default"]
    for version, python in pythons.items():
        command += ["--target-python", f"{version}@{python}"]
    search = [str(programs), *(str(python.parent) for python in pythons.values()), os.environ["PATH"]]
    environment = {**os.environ, "HOME": str(HOME), "PATH": os.pathsep.join(search)}

    place_pip_bootstrap()
    write_pip_configuration()
    collection = copy_to(ROOT / ".build" / "sanity")
    try:
        run = subprocess.run(
            [*command, *sys.argv[1:]],
            cwd=collection,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        PIP_CONFIGURATION.unlink()
    print(run.stdout)
    skipped = LEFT_OUT.findall(run.stdout)
    ran = len(re.findall(r"^Running sanity test", run.stdout, re.MULTILINE))
    if run.returncode or skipped or not ran:
        said = f"ansible-test sanity ended with status {run.returncode} after {ran} tests"
        raise SystemExit("\n".join([said, *(f"left out: {line}" for line in skipped)]))
    print(f"{ran} tests, Python {' '.join(pythons)}")


if __name__ == "__main__":
    main()
