# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The whole behaviour of all the *_power modules: options in, one operation on one device, its power out.

This file knows Ansible's module side and the driver contract; it knows no protocol.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    COMMON_ARGUMENTS,
    AgentType,
    Power,
    Problem,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Operation,
    Outcome,
    ensure_power,
    read_power,
)


def option_problems(agent_type: AgentType, options: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with options whose types are right already: budgets, control characters, the type's own rules."""
    found: list[Problem] = []
    for name in COMMON_ARGUMENTS:
        value = options.get(name)
        if value is not None and not 0 < value < math.inf:  # nor is "not a number" a budget: it would never end
            found.append((name, f"must be more than 0 seconds, not {value:g}"))
    for name in agent_type.argument_spec:
        value = options.get(name)
        lines = name in agent_type.multiline_options
        if isinstance(value, str) and any(character in value for character in ("\0" if lines else "\n\r\0")):
            found.append((name, f"must be {'text' if lines else 'one line'} without NUL characters"))
    return found or list(agent_type.problems(options))


def missing_software(agent_type: AgentType, options: Mapping[str, Any]) -> str | None:
    """What is not installed here and must be, for a person."""
    library = agent_type.missing_library(options)
    if library:
        return f"the Python library {library}"
    program = agent_type.missing_program(options)
    return f"the program {program}" if program else None


def budgets(agent_type: AgentType, options: Mapping[str, Any]) -> tuple[float, float]:
    """The budgets of a switching operation and of a read, in seconds. A read never gets more than a switch."""
    timeout_s = float(options.get("timeout") or agent_type.timeout_s)
    return timeout_s, min(float(options.get("read_timeout") or agent_type.read_timeout_s), timeout_s)


def run_power_module(agent_type: AgentType) -> None:
    """The ``main`` of a *_power module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["on", "off"]},
            **{name: dict(spec) for name, spec in COMMON_ARGUMENTS.items()},
            **{name: dict(spec) for name, spec in agent_type.argument_spec.items()},
        },
        required_together=list(agent_type.required_together),
        mutually_exclusive=list(agent_type.mutually_exclusive),
        supports_check_mode=True,
    )
    options = {name: value for name, value in module.params.items() if name != "state"}
    state = module.params["state"]
    problems = option_problems(agent_type, options)
    if problems:
        module.fail_json(
            msg="; ".join(f"option {name}: {what}" for name, what in problems),
            power=str(Power.UNKNOWN),
            reason="unsupported",
        )
    missing = missing_software(agent_type, options)
    if missing:
        module.fail_json(
            msg=f"{missing} is missing on the machine that speaks to the device; install it there",
            power=str(Power.UNKNOWN),
            reason="unsupported",
        )

    before, outcome = asyncio.run(_operate(agent_type, options, state, module.check_mode))
    result: dict[str, Any] = {
        "power": str(outcome.power),
        "power_before": str(before.power),
        "changed": outcome.sent,
        "attempts": outcome.attempts,
        "raw": outcome.raw,
        "duration": round(outcome.duration_s if outcome is before else before.duration_s + outcome.duration_s, 3),
    }
    if module.check_mode and state is not None:
        result["changed"] = before.power is not Power(state)
    if module._diff and state is not None:
        after = state if module.check_mode else str(outcome.power)
        result["diff"] = {"before": {"power": str(before.power)}, "after": {"power": after}}
    if outcome.ok:
        module.exit_json(**result)
    asked = f"state={state}" if state else "read"
    module.fail_json(
        msg=f"{agent_type.name} {agent_type.describe(options)}: {asked}: {outcome.msg}",
        reason=str(outcome.reason),
        **result,
    )


async def _operate(
    agent_type: AgentType, options: Mapping[str, Any], state: str | None, check_mode: bool
) -> tuple[Outcome, Outcome]:
    """Read, then switch if asked for. Returns the power before and what became of the operation."""
    timeout_s, read_timeout_s = budgets(agent_type, options)
    clock = MonotonicClock()
    pool = ThreadPoolExecutor(max_workers=1)
    exchanges = DriverExchanges(agent_type.driver(options), pool, agent_type.exchange_s)
    try:
        before = await read_power(exchanges, read_timeout_s, clock)
        if state is None or check_mode:
            return before, before
        return before, await ensure_power(exchanges, before, Operation(state), timeout_s, clock)
    finally:
        await exchanges.close()
        pool.shutdown()
