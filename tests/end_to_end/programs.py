# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the real programs (ansible, ansible-playbook, ansible-runner, ansible-doc) in a folder of their own, with all that they leave.

It knows where the programs are and how their results are read back; what is right is said by the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
# The programs that belong to this Python, whatever PATH says.
PROGRAMS = Path(sys.executable).parent
# A run that takes longer than this hangs (seconds).
LONGEST_RUN_S = 100.0


class Vaulted(str):
    """What ``ansible-vault encrypt_string`` made."""


class _Dumper(yaml.SafeDumper):
    """No anchors and aliases, so that a reader sees what each host has."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(Vaulted, lambda dumper, text: dumper.represent_scalar("!vault", str(text), style="|"))


def as_yaml(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


@dataclass(frozen=True)
class Done:
    """What one program printed, and what a callback got from it: (host, result) of each task in order of arrival."""

    returncode: int
    stdout: str
    stderr: str
    results: list[tuple[str, dict[str, Any]]] = field(repr=False)

    def of(self, host: str, task: int = 0) -> dict[str, Any]:
        """The result of a host's ``task``-th task."""
        found = [result for name, result in self.results if name == host]
        assert len(found) > task, f"no result {task} of {host}; the program said:\n{self.stdout}{self.stderr}"
        return found[task]

    def message(self, host: str) -> str:
        return str(self.of(host).get("msg", ""))


class Programs:
    """One folder with an inventory, in which programs are run. ``home`` is Ansible's own folder, temporary files included."""

    def __init__(self, folder: Path, inventory: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.recording = folder / "recording.txt"
        self._results = folder / "results.jsonl"
        self.inventory = folder / "inventory.yml"
        folder.mkdir(exist_ok=True)
        if inventory is not None:
            self.write_inventory(inventory)

    def write_inventory(self, inventory: Mapping[str, Any]) -> None:
        self.inventory.write_text(as_yaml(inventory))

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "HOME": str(self.folder),
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}",
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_HOME": str(self.home),
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(
                [os.environ["ANSIBLE_COLLECTIONS_PATH"], str(HERE / "collections")]
            ),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
            "ANSIBLE_NOCOLOR": "true",
            "RECORDER_FILE": str(self.recording),
            "RECORDER_RESULTS": str(self._results),
            **more,
        }

    def ad_hoc(self, pattern: str, options: str = "", *arguments: str, env: Mapping[str, str] | None = None) -> Done:
        """``ansible PATTERN -m hostpm.fencing.fence -a OPTIONS``."""
        given = ["-a", options] if options else []
        return self.run(
            "ansible", pattern, "-m", "hostpm.fencing.fence", *given, *self._inventories, *arguments, env=env
        )

    def play(
        self,
        tasks: Iterable[Mapping[str, Any]],
        *arguments: str,
        env: Mapping[str, str] | None = None,
        hosts: str = "all",
        longest_s: float = LONGEST_RUN_S,
        **keywords: Any,
    ) -> Done:
        """``ansible-playbook`` with one play of these tasks."""
        playbook = self.write_play(tasks, hosts=hosts, **keywords)
        return self.playbook(str(playbook), *arguments, env=env, longest_s=longest_s)

    def write_play(self, tasks: Iterable[Mapping[str, Any]], hosts: str = "all", **keywords: Any) -> Path:
        playbook = self.folder / "play.yml"
        play = {"name": "Test", "hosts": hosts, "gather_facts": False, **keywords, "tasks": list(tasks)}
        playbook.write_text(as_yaml([play]))
        return playbook

    def playbook(self, playbook: str, *arguments: str, **how: Any) -> Done:
        return self.run("ansible-playbook", playbook, *self._inventories, *arguments, **how)

    def run(
        self, program: str, *arguments: str, env: Mapping[str, str] | None = None, longest_s: float = LONGEST_RUN_S
    ) -> Done:
        with self.start(program, *arguments, env=env) as process:
            try:
                stdout, stderr = process.communicate(timeout=longest_s)
            except subprocess.TimeoutExpired:
                process.terminate()
                raise
        return self.done(process, stdout, stderr)

    def start(self, program: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a program; ``done`` reads what became of it."""
        self._results.unlink(missing_ok=True)
        return subprocess.Popen(
            [str(PROGRAMS / program), *arguments],
            cwd=self.folder,
            env=self.environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, process: subprocess.Popen[str], stdout: str, stderr: str) -> Done:
        lines = self._results.read_text().splitlines() if self._results.exists() else []
        results = [(line["host"], line["result"]) for line in map(json.loads, lines)]
        return Done(process.returncode, stdout, stderr, results)

    @property
    def _inventories(self) -> list[str]:
        return ["-i", str(self.inventory)] if self.inventory.exists() else []


def fence(state: str | None = None, **options: Any) -> dict[str, Any]:
    """A task of the module; ``task`` holds keywords that stand beside its options."""
    keywords = options.pop("task", {})
    return {
        "name": "Fence",
        "hostpm.fencing.fence": {**({"state": state} if state is not None else {}), **options},
        **keywords,
    }
