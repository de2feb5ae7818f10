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
import time
from pathlib import Path

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import DEVICES

# The modules about which this process, or the one that forked it, knows that they are loaded.
_known: set[str] = set()
# How long the parent waits for the first worker's note before it forks a second one, at most (seconds): what it has to wait for is
# less than what each of the others would take to load the same.
FIRST_NOTE_S = 0.3
LOOK_S = 0.005
_workers = 0


class LoadsLibrariesBeforeForks(type(ActionBase)):  # type: ignore[misc]
    """The class of an action class. Ansible's strategies ask an action class in the parent, before each fork, whether it is to
    run once for all hosts: the one moment at which the parent can do something for the forks to come."""

    @property
    def BYPASS_HOST_LOOP(cls) -> bool:
        global _workers
        _workers += 1
        if _workers == 2:
            _await_first_note()
        load_noted()
        return False


def _await_first_note() -> None:
    """Wait until the first worker knows what it needs. Were all forked before, each would load the same for itself."""
    until = time.monotonic() + FIRST_NOTE_S
    while not _notes().exists() and time.monotonic() < until:
        time.sleep(LOOK_S)


def note_loaded() -> None:
    """Leave a note of the device modules that this worker had to load itself."""
    loaded = {name for name in sys.modules if name.startswith(f"{DEVICES}.")} - _known
    _known.update(loaded)
    notes, draft = _notes(), _notes().with_suffix(f".{os.getpid()}")
    try:
        if not notes.exists():
            # The folder comes with its notes in it: who sees it need not look twice.
            draft.mkdir()
            for name in loaded:
                (draft / name.removeprefix(f"{DEVICES}.")).touch()
            draft.rename(notes)
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
