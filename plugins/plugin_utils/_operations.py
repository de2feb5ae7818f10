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
from typing import Any, Protocol, TypeVar

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import AgentType, Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import (
    DeviceConversation,
    DriverExchanges,
    MonotonicClock,
    no_turn,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Clock,
    Exchanges,
    Operation,
    Outcome,
    read_power,
    switch_power,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._pace import Pace
from ansible_collections.hostpm.fencing.plugins.plugin_utils._foreign import ForeignExchanges, ForeignModules
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent
from ansible_collections.hostpm.fencing.plugins.plugin_utils._turns import DeviceTurns

# How long the end of a task waits for a driver that ignores its deadline (seconds).
LAST_WAIT_S = 5.0
# More devices than this are not spoken to at the same moment.
MOST_THREADS = 1000


class AgentExchanges(Exchanges, Protocol):
    """Exchanges that can be cut short and ended."""

    def interrupt(self) -> None: ...

    async def close(self) -> None: ...


Owned = TypeVar("Owned", bound="AgentExchanges | DeviceConversation")


class Devices:
    """All devices that a task speaks to, for one host or for many: their drivers, conversations, turns and paces.

    ``most`` is how many agents there are at most; each may wait for its device in a thread of its own.
    """

    def __init__(self, turns: DeviceTurns, most: int, clock: Clock | None = None) -> None:
        self.clock = clock or MonotonicClock()
        self.turns = turns
        self.pool = ThreadPoolExecutor(max_workers=max(1, min(most, MOST_THREADS)), thread_name_prefix="fence")
        self._conversations: dict[tuple[str, ...], DeviceConversation] = {}
        self._waiting: dict[tuple[str, ...], list[Callable[[float], None]]] = {}
        self._paces: dict[str, Pace] = {}
        self._opened: set[AgentExchanges | DeviceConversation] = set()
        self._endings: set[asyncio.Future[None]] = set()
        self._interrupted = False

    def exchanges(self, agent: Agent, agent_type: AgentType, waited: Callable[[float], None]) -> Exchanges:
        """The exchanges of one agent with its device. ``waited`` hears the seconds that it waited for the device's turn."""
        if agent_type.open_device is None:
            turn = no_turn if agent.parallel else self.turns.at(agent.device, waited)
            return self._begin(
                DriverExchanges(agent_type.driver(agent.options), self.pool, agent_type.exchange_s, turn)
            )
        key = agent_type.conversation(agent.options)
        self._waiting.setdefault(key, []).append(waited)
        if key not in self._conversations:
            self._conversations[key] = self._begin(self._conversation(agent, agent_type, key))
        return self._conversations[key].of(agent.options)

    def own(self, exchanges: Owned) -> Owned:
        """Exchanges that somebody else opened, to be interrupted and ended with the others."""
        return self._begin(exchanges)

    def pace(self, agent: Agent, agent_type: AgentType) -> Pace:
        """When to look at devices of this type and model; learned by all agents of the task."""
        return self._paces.setdefault(f"{agent.type} {agent.options.get('model')}", Pace(agent_type.usual_s))

    def interrupt(self) -> None:
        """No new command from now on. May be called from any thread."""
        self._interrupted = True
        for exchanges in list(self._opened):
            exchanges.interrupt()

    def let_go(self, exchanges: Exchanges) -> None:
        """A host is done with these: if they are its own their session is ended now, beside the work on other hosts."""
        if isinstance(exchanges, (DriverExchanges, ForeignExchanges)) and exchanges in self._opened:
            self._opened.remove(exchanges)
            self._endings.add(asyncio.ensure_future(exchanges.close()))

    async def close(self) -> None:
        """End all sessions, and with them all threads."""
        self._endings.update(asyncio.ensure_future(opened.close()) for opened in self._opened)
        if self._endings:
            await asyncio.wait(self._endings, timeout=LAST_WAIT_S)
        self.turns.close()
        self.pool.shutdown(wait=False, cancel_futures=True)

    def _conversation(self, agent: Agent, agent_type: AgentType, key: tuple[str, ...]) -> DeviceConversation:
        def waited(seconds: float) -> None:
            for tell in self._waiting[key]:
                tell(seconds)

        if agent_type.open_device is None:
            raise NotImplementedError(f"the type {agent_type.name} has a driver for each agent")
        turn = no_turn if agent.parallel else self.turns.at(agent.device, waited)
        driver = agent_type.open_device(agent.options)
        return DeviceConversation(driver, self.pool, agent_type.exchange_s, turn, 1 / agent_type.requests_per_s)

    def _begin(self, exchanges: Owned) -> Owned:
        self._opened.add(exchanges)
        if self._interrupted:
            exchanges.interrupt()
        return exchanges


class Operations:
    """Runs operations on the agents of one host.

    ``waited`` hears of an agent that waited for its device's turn (seconds); ``clean`` takes secrets out of what a foreign module
    returns.
    """

    def __init__(
        self,
        types: Mapping[str, AgentType],
        devices: Devices,
        foreign: ForeignModules | None,
        waited: Callable[[Agent, float], None],
        clean: Callable[[Any], Any],
    ) -> None:
        self._types = types
        self._devices = devices
        self._foreign = foreign
        self._waited = waited
        self._clean = clean
        self._exchanges: dict[str, Exchanges] = {}

    async def run(self, agent: Agent, operation: Operation, budget_s: float) -> Outcome:
        """One operation within its budget; whatever goes wrong is in the outcome."""
        clock = self._devices.clock
        try:
            exchanges = self._exchanges_of(agent)
            if operation is Operation.READ:
                return await read_power(exchanges, budget_s, clock)
            pace = self._devices.pace(agent, self._types[agent.name])
            return await switch_power(exchanges, operation, budget_s, clock, pace)
        except Exception as error:
            # A bug must not become a proof, nor take the other agents with it. The text of the exception may hold a secret.
            msg = f"an unexpected {type(error).__name__} in {type(error).__module__}; this is a bug, please report it"
            return Outcome(Power.UNKNOWN, sent=operation is not Operation.READ, reason=Reason.BAD_REPLY, msg=msg)

    def close(self) -> None:
        """The host is done: what is its own is ended, what it shares with others is left to them."""
        for exchanges in self._exchanges.values():
            self._devices.let_go(exchanges)

    def _exchanges_of(self, agent: Agent) -> Exchanges:
        if agent.name not in self._exchanges:
            self._exchanges[agent.name] = self._open(agent)
        return self._exchanges[agent.name]

    def _open(self, agent: Agent) -> Exchanges:
        agent_type, devices = self._types[agent.name], self._devices

        def waited(seconds: float) -> None:
            self._waited(agent, seconds)

        if "." not in agent_type.name:
            return devices.exchanges(agent, agent_type, waited)
        if self._foreign is None:
            raise RuntimeError("modules of other people can be run inside an Ansible task only")
        turn = no_turn if agent.parallel else devices.turns.at(agent.device, waited)
        return devices.own(
            ForeignExchanges(self._foreign, agent_type.name, agent.options, devices.pool, turn, self._clean)
        )
