# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""ClusterLabs fence agents as programs: where they are, what they say of themselves, and how one is run once.

The interface is the Fence Agent API: options on stdin as ``name=value`` lines, ``-o metadata`` for a description in XML. This
file does not know what an answer means.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    BadReply,
    Deadline,
    TimedOut,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._process import BoundedProcess
from ansible_collections.hostpm.fencing.plugins.module_utils._secret_names import SECRET_NAME

NAME = re.compile(r"fence_[a-z0-9_]+", re.A)
FOLDERS = ("/usr/sbin", "/usr/local/sbin")
METADATA_S = 10.0
LARGEST_OUTPUT = 1024 * 1024
# Variables of ours and of a cluster manager that would change what an agent does; the language is set to C.
OTHERS = ("ANSIBLE_", "LANG", "LC_", "PCMK_", "PYTHON")
# Packages whose names do not follow from the agent's.
PACKAGES = {"fence_virt": "fence-virt", "fence_xvm": "fence-virt"}
# An option of this name is no secret itself: it says where to find one.
PLACES = ("_file", "_path", "_script")


@dataclass(frozen=True)
class Parameter:
    """One option of an agent. ``type`` is boolean, integer, second, select or string; ``on`` says that it is on by default."""

    name: str
    type: str = "string"
    required: bool = False
    on: bool = False
    choices: tuple[str, ...] = ()
    # The name that this one replaces: both name one option.
    obsoletes: str | None = None

    @property
    def secret(self) -> bool:
        return (
            bool(SECRET_NAME.search(self.name.replace("-", "_")))
            and self.type != "boolean"
            and not self.name.endswith(PLACES)
        )


@dataclass(frozen=True)
class Metadata:
    """What an agent says of itself."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    actions: frozenset[str] = frozenset()
    # It cuts storage or a network instead of power ("fabric fencing").
    cuts_off: bool = False

    def first_of(self, names: Iterable[str]) -> str | None:
        return next((name for name in names if name in self.parameters), None)

    def same_as(self, name: str) -> set[str]:
        """The names of the option that is called ``name``."""
        one = self.parameters.get(name)
        return {
            name,
            *((one.obsoletes,) if one and one.obsoletes else ()),
            *(other.name for other in self.parameters.values() if other.obsoletes == name),
        }


def find_program(agent: str) -> str | None:
    """The path of an installed agent; None if there is no such program here."""
    if not NAME.fullmatch(agent):
        return None
    for folder in (*FOLDERS, *os.environ.get("PATH", "").split(os.pathsep)):
        path = os.path.join(folder, agent)
        if os.path.isabs(folder) and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def package_of(agent: str) -> str:
    """The package that brings an agent, as far as its name tells."""
    name = PACKAGES.get(agent)
    return name or f"fence-agents-{agent.removeprefix('fence_').replace('_', '-')} or fence-agents"


def metadata_of(path: str, deadline: Deadline | None = None) -> Metadata:
    """What the agent says of itself; asked once in a process, and again when the program was replaced."""
    state = os.stat(path)
    key = (path, state.st_mtime_ns, state.st_size)
    if key not in _ASKED:
        _ASKED[key] = _asked(path, deadline or Deadline(METADATA_S))
    return _ASKED[key]


_ASKED: dict[tuple[str, int, int], Metadata] = {}


def _asked(path: str, deadline: Deadline) -> Metadata:
    status, out, _err = run(path, None, deadline, ("-o", "metadata"))
    name = os.path.basename(path)
    if status != 0:
        advice = f"run {name} -o metadata: a library that it needs may be missing"
        raise Unsupported(f"{name} does not say what it can (it ended with status {status})", advice)
    return parsed(out, name)


def parsed(text: bytes, name: str) -> Metadata:
    """The metadata in its XML. The program is installed on this machine and is run anyway, so its XML is trusted."""
    try:
        root = ElementTree.fromstring(text.strip())
    except (ElementTree.ParseError, ValueError, LookupError):
        raise Unsupported(f"{name} describes itself in something that is no XML", "is it a fence agent?") from None
    parameters = (_parameter(entry) for entry in root.iter("parameter"))
    actions = [entry for entry in root.iter("action") if entry.get("name")]
    return Metadata(
        parameters={parameter.name: parameter for parameter in parameters if parameter.name},
        actions=frozenset(str(entry.get("name")) for entry in actions),
        cuts_off=any(entry.get("name") == "on" and entry.get("automatic") == "1" for entry in actions),
    )


def _parameter(entry: ElementTree.Element) -> Parameter:
    content = entry.find("content")
    kind = "string" if content is None else content.get("type", "string")
    default = None if content is None else content.get("default")
    choices = () if content is None else tuple(option.get("value", "") for option in content.iter("option"))
    return Parameter(
        name=entry.get("name", ""),
        type=kind,
        required=entry.get("required") == "1" and default is None,
        on=kind == "boolean" and default is not None and default.lower() in ("1", "yes", "on", "true"),
        choices=choices,
        obsoletes=entry.get("obsoletes"),
    )


def run(
    path: str, options: Mapping[str, str] | None, deadline: Deadline, arguments: tuple[str, ...] = ()
) -> tuple[int, bytes, bytes]:
    """Run an agent once: options on stdin, where nobody sees them. Exit status, stdout and stderr."""
    name = os.path.basename(path)
    if deadline.over:
        raise TimedOut(f"no time was left to run {name}", "raise the timeout")
    process = BoundedProcess(deadline, LARGEST_OUTPUT)
    lines = "".join(f"{option}={_on_a_line(value)}\n" for option, value in (options or {}).items())
    try:
        status, out, err = process.run([path, *arguments], lines.encode(errors="surrogateescape"), "/", _environment())
    except OSError as error:
        raise Unsupported(f"{name} cannot be run ({type(error).__name__})", "look at the program") from None
    if process.flooded:
        raise BadReply(f"{name} says more than {LARGEST_OUTPUT // 1024} KB and was ended", "try it by hand")
    if process.killed:
        raise TimedOut(f"{name} did not end in time and was ended", "is the device alive?")
    return status, out, err


def _on_a_line(value: str) -> str:
    """The agents' library strips white space and one pair of quotes from a value; a pair around keeps both."""
    stripped = value != value.strip() or (len(value) > 1 and value[0] == value[-1] == '"')
    return f'"{value}"' if stripped else value


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    return {**kept, "LC_ALL": "C", "LANG": "C"}
