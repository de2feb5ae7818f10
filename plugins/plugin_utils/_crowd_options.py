# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The options that the fence_all task has beside those of the fence task.

This file holds the argument spec of the action and of its documented module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import (
    InputError,
    Template,
    TemplateFailed,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._many_hosts import Limits
from ansible_collections.hostpm.fencing.plugins.plugin_utils._task_options import (
    ARGUMENT_SPEC as OF_EACH_HOST,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._task_options import (
    checked,
)

OF_ALL_HOSTS: Mapping[str, Mapping[str, Any]] = {
    "hosts": {"type": "list", "elements": "str"},
    "at_once": {"type": "int"},
    "max_on_per_pdu": {"type": "int"},
    "stop_after_failures": {"type": "int"},
}
ARGUMENT_SPEC: Mapping[str, Mapping[str, Any]] = {**OF_EACH_HOST, **OF_ALL_HOSTS}


@dataclass(frozen=True)
class CrowdOptions:
    """What the task wants of all hosts together. ``of_each_host`` are the options that every host gets as if it were alone."""

    hosts: tuple[str, ...] | None
    limits: Limits
    progress: bool
    of_each_host: Mapping[str, Any]


def parse_crowd_options(
    name: str, args: Mapping[str, Any], variables: Mapping[str, Any], template: Template
) -> CrowdOptions:
    """The options of the task, else the variables ``fence_NAME``. Raises InputError.

    What is wrong with an option that each host gets is told by each of them.
    """
    lines: list[str] = [
        f"{name}: option {option}: the fence_all task has no such option; it has {', '.join(ARGUMENT_SPEC)}"
        for option in sorted(set(args) - set(ARGUMENT_SPEC))
    ]
    values: dict[str, Any] = {}
    for option in (*OF_ALL_HOSTS, "stagger", "progress"):
        value, key = args.get(option), f"option {option}"
        if value is None and option != "hosts" and variables.get(f"fence_{option}") is not None:
            key = f"fence_{option}"
            try:
                value = template(variables[key])
            except TemplateFailed as error:
                lines.append(f"{name}: {key}: {error}")
        if value is None:
            continue
        least = 0.0 if option in OF_EACH_HOST else 1.0
        values[option], problem = checked(option, ARGUMENT_SPEC[option], value, least)
        if problem:
            lines.append(f"{name}: {key}: {problem}")
    if lines:
        raise InputError(lines)
    if values.get("hosts") == []:
        raise InputError([f"{name}: option hosts: is an empty list; leave it out for all hosts of the play"])
    return CrowdOptions(
        hosts=tuple(values["hosts"]) if values.get("hosts") is not None else None,
        limits=Limits(
            at_once=values.get("at_once"),
            max_on_per_pdu=values.get("max_on_per_pdu"),
            stagger_s=values.get("stagger", 0.0),
            stop_after_failures=values.get("stop_after_failures"),
        ),
        progress=bool(values.get("progress", False)),
        of_each_host={option: value for option, value in args.items() if option in OF_EACH_HOST},
    )
