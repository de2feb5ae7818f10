# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The options of the fence task and the host variables that stand in for them.

This file holds the one argument spec of the action and of its documented module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Numbers, OnFailure, State
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import (
    InputError,
    Template,
    TemplateFailed,
    misfits,
)

ARGUMENT_SPEC: Mapping[str, Mapping[str, Any]] = {
    "state": {"type": "str", "choices": ["on", "off", "restarted"]},
    "agents": {"type": "list", "elements": "str"},
    "confirm_reads": {"type": "int"},
    "confirm_interval": {"type": "float"},
    "witness_timeout": {"type": "float"},
    "hold_off": {"type": "float"},
    "stagger": {"type": "float"},
    "chassis_wait": {"type": "float"},
    "on_failure": {"type": "str", "choices": ["leave", "restore"]},
    "timeout": {"type": "float"},
    "progress": {"type": "bool"},
    "log": {"type": "path"},
}
# What the host variables fence_NAME may stand in for. What is done and to which agents is said by the task alone.
FROM_VARIABLES = tuple(name for name in ARGUMENT_SPEC if name not in ("state", "agents"))
LEAST = {"confirm_reads": 1, "timeout": 0.001}


@dataclass(frozen=True)
class TaskOptions:
    """What the task wants. ``agents`` is None for all; ``log`` is the path of the file of JSON lines, if any."""

    state: State
    agents: tuple[str, ...] | None
    numbers: Numbers
    progress: bool
    log: str | None


def parse_options(host: str, args: Mapping[str, Any], variables: Mapping[str, Any], template: Template) -> TaskOptions:
    """Options of the task, else the variables ``fence_NAME`` of the host. Raises InputError."""
    lines: list[str] = []
    unknown = sorted(set(args) - set(ARGUMENT_SPEC))
    for name in unknown:
        lines.append(f"{host}: option {name}: the fence task has no such option; it has {', '.join(ARGUMENT_SPEC)}")
    values: dict[str, Any] = {}
    for name, spec in ARGUMENT_SPEC.items():
        value, key = args.get(name), f"option {name}"
        if value is None and name in FROM_VARIABLES:
            key = f"fence_{name}"
            try:
                value = template(variables[key]) if variables.get(key) is not None else None
            except TemplateFailed as error:
                lines.append(f"{host}: {key}: {error}")
                continue
        if value is None:
            continue
        found, problem = checked(name, spec, value, LEAST.get(name, 0))
        if problem:
            lines.append(f"{host}: {key}: {problem}")
        else:
            values[name] = found
    if lines:
        raise InputError(lines)
    defaults = Numbers()
    return TaskOptions(
        state=State(values.get("state") or "read"),
        agents=tuple(values["agents"]) if values.get("agents") is not None else None,
        numbers=Numbers(
            confirm_reads=values.get("confirm_reads", defaults.confirm_reads),
            confirm_interval_s=values.get("confirm_interval", defaults.confirm_interval_s),
            witness_timeout_s=values.get("witness_timeout", defaults.witness_timeout_s),
            hold_off_s=values.get("hold_off", defaults.hold_off_s),
            stagger_s=values.get("stagger", defaults.stagger_s),
            chassis_wait_s=values.get("chassis_wait", defaults.chassis_wait_s),
            on_failure=OnFailure(values.get("on_failure", defaults.on_failure.value)),
            cap_s=values.get("timeout", defaults.cap_s),
        ),
        progress=bool(values.get("progress", False)),
        log=values.get("log"),
    )


def checked(name: str, spec: Mapping[str, Any], value: Any, least: float) -> tuple[Any, str | None]:
    """The value as its spec wants it, and what is wrong with it."""
    validated = ArgumentSpecValidator({name: dict(spec)}).validate({name: value})
    number = spec["type"] in ("int", "float")
    if validated.error_messages or (number and misfits(spec, value)):
        return None, _expectation(spec)
    found = validated.validated_parameters[name]
    if number and not found >= least:
        return None, f"must be {'more than 0' if 0 < least < 1 else f'at least {least:g}'}"
    return found, None


def _expectation(spec: Mapping[str, Any]) -> str:
    if "choices" in spec:
        return f"must be one of {', '.join(spec['choices'])}"
    words = {
        "int": "a whole number",
        "float": "a number of seconds",
        "bool": "true or false",
        "list": "a list of names",
    }
    return f"must be {words.get(spec['type'], 'text')}"
