# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Device libraries are loaded when an agent needs them, and then only once in a run, although each host has a process of its own.

Loading one takes a tenth of a second of CPU, more than all the rest of a task. The first workers load what their hosts need and
leave a note; the program that forks them reads it before it forks the next. This file knows modules; it knows no device.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import DEVICES

# The modules about which this process, or the one that forked it, knows that they are loaded.
_known: set[str] = set()


class LoadsLibrariesBeforeForks(type(ActionBase)):  # type: ignore[misc]
    """The class of an action class. Ansible's strategies ask an action class in the parent, before each fork, whether it is to
    run once for all hosts: the one moment at which the parent can do something for the forks to come."""

    @property
    def BYPASS_HOST_LOOP(cls) -> bool:
        load_noted()
        return False


def note_loaded() -> None:
    """Leave a note of the device modules that this worker had to load itself."""
    loaded = {name for name in sys.modules if name.startswith(f"{DEVICES}.")} - _known
    if not loaded:
        return
    _known.update(loaded)
    notes = _notes()
    try:
        notes.mkdir(exist_ok=True)
        for name in loaded:
            (notes / name.removeprefix(f"{DEVICES}.")).touch()
    except OSError:
        # It costs the other workers their time and nothing else.
        return


def load_noted() -> None:
    """Load what workers of this run had to load. What cannot be loaded here is told where it is needed."""
    try:
        noted = {f"{DEVICES}.{name}" for name in os.listdir(_notes())} - _known
    except OSError:
        return
    _known.update(noted)
    for name in sorted(noted):
        try:
            prepare = getattr(importlib.import_module(name), "prepare", None)
        except ImportError:
            continue
        if prepare is not None:
            prepare()


def _notes() -> Path:
    return Path(C.DEFAULT_LOCAL_TMP) / "hostpm-fencing-modules"
