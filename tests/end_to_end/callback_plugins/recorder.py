# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes down everything that any callback gets, down to the last attribute, but for the inventory itself.

The variables of hosts and groups are what the user wrote; a callback that wants them can have them whatever a task does.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: recorder
type: notification
short_description: Everything that callbacks get, as text
description: For tests, which look for secrets in it.
"""

import json
import os
from collections.abc import Mapping, Set

from ansible.inventory.group import Group
from ansible.inventory.host import Host
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.callback import CallbackBase
from ansible.vars.manager import VariableManager

THE_INVENTORY = (Host, Group, InventoryManager, DataLoader, VariableManager)
PLAIN = (str, int, float, bytes, bool, type(None))
FAILURES = ("v2_runner_on_failed", "v2_runner_on_unreachable")
RESULTS = ("v2_runner_on_ok", "v2_runner_on_skipped", *FAILURES)


def everything(thing, lines, seen, path):
    """Every value that can be reached from ``thing``, a line each."""
    if isinstance(thing, PLAIN):
        lines.append(f"{path} = {thing!r}")
        return
    if id(thing) in seen or isinstance(thing, (*THE_INVENTORY, type)) or callable(thing):
        lines.append(f"{path} is {getattr(thing, 'name', type(thing).__name__)}")
        return
    seen[id(thing)] = thing
    if isinstance(thing, Mapping):
        for key, value in thing.items():
            lines.append(f"{path} has {key!r}")
            everything(value, lines, seen, f"{path}.{key}")
    elif isinstance(thing, (list, tuple, Set)):
        for number, value in enumerate(thing):
            everything(value, lines, seen, f"{path}[{number}]")
    else:
        slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
        names = [*vars(thing)] if hasattr(thing, "__dict__") else []
        for name in dict.fromkeys([*names, *slots]):
            everything(getattr(thing, name, None), lines, seen, f"{path}.{name}")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.wants_implicit_tasks = True

    def record(self, event, arguments):
        lines = []
        everything(list(arguments), lines, {}, event)
        with open(os.environ["RECORDER_FILE"], "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(lines) + "\n")
        if event in RESULTS:
            result = arguments[0]
            line = {"host": result.host.get_name(), "result": dict(result.result, failed=event in FAILURES)}
            with open(os.environ["RECORDER_RESULTS"], "a", encoding="utf-8") as file:
                file.write(json.dumps(line, default=str) + "\n")


def recording(event):
    def record(self, *args, **kwargs):
        self.record(event, [*args, kwargs])

    return record


for name in dir(CallbackBase):
    if name.startswith("v2_") and name != "v2_on_any":
        setattr(CallbackModule, name, recording(name))
