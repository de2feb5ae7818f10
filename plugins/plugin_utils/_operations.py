# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""How an operation is run: here, with a driver of ours in a thread, or as somebody else's module.

This file joins agents to their exchanges and their turns; it decides nothing for a host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import AgentType, Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock, no_turn
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Clock,
    Exchanges,
    Operation,
    Outcome,
    read_power,
    switch_power,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._foreign import ForeignExchanges, ForeignModules
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Host
from ansible_collections.hostpm.fencing.plugins.plugin_utils._turns import DeviceTurns

# How long the end of a task waits for a driver that ignores its deadline (seconds).
LAST_WAIT_S = 5.0


class AgentExchanges(Exchanges, Protocol):
    """Exchanges that can be cut short and ended."""

    def interrupt(self) -> None: ...

    async def close(self) -> None: ...


class Operations:
    """Runs operations on the agents of one host.

    ``waited`` hears of an agent that waited for its device's turn (seconds); ``clean`` takes secrets out of what a foreign module
    returns.
    """

    def __init__(
        self,
        host: Host,
        types: Mapping[str, AgentType],
        turns: DeviceTurns,
        foreign: ForeignModules | None,
        waited: Callable[[Agent, float], None],
        clean: Callable[[Any], Any],
        clock: Clock | None = None,
    ) -> None:
        self._types = types
        self._turns = turns
        self._foreign = foreign
        self._waited = waited
        self._clean = clean
        self.clock = clock or MonotonicClock()
        self._pool = ThreadPoolExecutor(max_workers=len(host.all_agents), thread_name_prefix="fence")
        self._exchanges: dict[str, AgentExchanges] = {}
        self._interrupted = False

    async def run(self, agent: Agent, operation: Operation, budget_s: float) -> Outcome:
        """One operation within its budget; whatever goes wrong is in the outcome."""
        try:
            exchanges = self._exchanges_of(agent)
            if operation is Operation.READ:
                return await read_power(exchanges, budget_s, self.clock)
            return await switch_power(exchanges, operation, budget_s, self.clock)
        except Exception as error:
            # A bug must not become a proof, nor take the other agents with it. The text of the exception may hold a secret.
            msg = f"an unexpected {type(error).__name__} in {type(error).__module__}; this is a bug, please report it"
            return Outcome(Power.UNKNOWN, sent=operation is not Operation.READ, reason=Reason.BAD_REPLY, msg=msg)

    def interrupt(self) -> None:
        """No new command from now on. May be called from any thread."""
        self._interrupted = True
        for exchanges in list(self._exchanges.values()):
            exchanges.interrupt()

    async def close(self) -> None:
        """End all sessions, and with them all threads."""
        if self._exchanges:
            endings = {asyncio.ensure_future(exchanges.close()) for exchanges in self._exchanges.values()}
            await asyncio.wait(endings, timeout=LAST_WAIT_S)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _exchanges_of(self, agent: Agent) -> AgentExchanges:
        if agent.name not in self._exchanges:
            self._exchanges[agent.name] = self._open(agent)
            if self._interrupted:
                self._exchanges[agent.name].interrupt()
        return self._exchanges[agent.name]

    def _open(self, agent: Agent) -> AgentExchanges:
        agent_type = self._types[agent.name]
        turn = (
            no_turn if agent.parallel else self._turns.at(agent.device, lambda waited_s: self._waited(agent, waited_s))
        )
        if "." not in agent_type.name:
            return DriverExchanges(agent_type.driver(agent.options), self._pool, agent_type.exchange_s, turn)
        if self._foreign is None:
            raise RuntimeError("modules of other people can be run inside an Ansible task only")
        return ForeignExchanges(self._foreign, agent_type.name, agent.options, self._pool, turn, self._clean)
