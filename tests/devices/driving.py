# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How tests use a driver: one read, one command, or an operation as the modules run it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import AgentType, Deadline, Power, Reading
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Operation,
    Outcome,
    read_power,
    switch_power,
)

# How late a driver may be.
OVERRUN_S = 0.5
Options = dict[str, Any]


def soon(budget_s: float = 5.0) -> Deadline:
    return Deadline(budget_s)


def read(agent_type: AgentType, options: Options, budget_s: float = 5.0) -> Reading:
    driver = agent_type.driver(options)
    try:
        return driver.read(soon(budget_s))
    finally:
        driver.close()


def switch(agent_type: AgentType, options: Options, power: Power, budget_s: float = 5.0) -> None:
    driver = agent_type.driver(options)
    try:
        driver.switch(power, soon(budget_s))
    finally:
        driver.close()


def operate(
    agent_type: AgentType, options: Options, operation: Operation, budget_s: float = 5.0, exchange_s: float = 5.0
) -> Outcome:
    """One operation as the modules run it."""
    driver = agent_type.driver(options)

    async def run() -> Outcome:
        with ThreadPoolExecutor(1) as pool:
            exchanges = DriverExchanges(driver, pool, exchange_s)
            if operation is Operation.READ:
                return await read_power(exchanges, budget_s, MonotonicClock())
            return await switch_power(exchanges, operation, budget_s, MonotonicClock())

    try:
        return asyncio.run(run())
    finally:
        driver.close()
