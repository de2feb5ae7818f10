# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The multi-agent logic: read, off, on and restarted for one host (DESIGN section 4).

It gets a host, a function that runs one operation on one agent, and a clock; it opens no socket, owns no thread,
sleeps only through the clock and knows nothing of Ansible. It may run beside many others in one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Clock, Operation, Outcome
from ansible_collections.hostpm.fencing.plugins.plugin_utils import _budget
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import (
    Agent,
    Host,
    Level,
    Numbers,
    OnFailure,
    State,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._verdict import Combined, Event, Fate, Verdict, combine

# Runs one operation on one agent within a budget (seconds). It never raises for what a device did.
RunOperation = Callable[[Agent, Operation, float], Awaitable[Outcome]]
# Hears of every event as it happens.
Tell = Callable[[Event], None]
# Held while a supply is switched on: waits where too many of one device would come on at once.
Inrush = Callable[[Agent], AbstractAsyncContextManager[Any]]

Answer = TypeVar("Answer")

# Less than this is no time to ask anything (seconds).
NO_TIME_S = 0.01
# How long a witness, or a BMC that boots, is left alone between two looks (seconds).
LOOK_AGAIN_S = 0.5
# A witness that last said "on" and then fell silent is believed to have lost its power after this long at least (seconds).
SILENCE_S = 1.0
# Answers that asking again will not change.
FINAL = frozenset({Reason.AUTH, Reason.NOT_FOUND, Reason.UNSUPPORTED, Reason.TLS, Reason.HOST_KEY})
# No answer at all, as opposed to an answer that says no.
SILENT = frozenset({Reason.TIMEOUT, Reason.UNREACHABLE})


@dataclass(frozen=True)
class Testimony:
    """What a witness has to say: why the level does not count, or (no reason) that it does, perhaps with a warning."""

    reason: Reason | None = None
    words: str = ""


def unlimited(agent: Agent) -> AbstractAsyncContextManager[Any]:
    """Any number of supplies may come on at once."""
    return nullcontext()


class Fencing:
    """One task on one host. Use it once: ``await Fencing(...).achieve(state)``."""

    def __init__(
        self,
        host: Host,
        numbers: Numbers,
        run: RunOperation,
        clock: Clock,
        tell: Tell = lambda event: None,
        inrush: Inrush = unlimited,
    ) -> None:
        self._host = host
        self._numbers = numbers
        self._run = run
        self._clock = clock
        self._listener = tell
        self._inrush = inrush
        self._fates = {agent.name: Fate(agent, level.number) for level in host.all_levels for agent in level.agents}
        self._under_way: dict[asyncio.Task[Any], Agent] = {}
        self._timeline: list[Event] = []
        self._warnings: list[str] = []
        self._failed_levels: list[tuple[str, Level]] = []
        self._barrier_at = 0.0
        self._last_off_at = 0.0
        self._fenced = False
        self._proven_by: Level | None = None
        self._total_s = 0.0
        self._began = 0.0

    # -- the four tasks ------------------------------------------------------------------------------------------

    async def achieve(self, state: State) -> Verdict:
        """Do what the state asks for and say what came of it. Nothing is under way any more when this returns."""
        self._total_s = _budget.total_s(self._host, state, self._numbers)
        self._began = self._clock.now()
        tasks: dict[State, Callable[[], Coroutine[Any, Any, tuple[bool, Power, str]]]] = {
            State.READ: self._read,
            State.OFF: self._off,
            State.ON: self._on,
            State.RESTARTED: self._restarted,
        }
        ok, power, msg = await self._to_the_end(tasks[state]())
        return self._verdict(state, ok, power, msg)

    async def predict(self, state: State) -> Verdict:
        """Check mode: read everything, send nothing, say whether the state would need a command."""
        self._total_s = _budget.total_s(self._host, State.READ, self._numbers)
        self._began = self._clock.now()
        await self._to_the_end(self._every(self._host.agents, self._read_agent))
        verdict = self._verdict(state, True, self._combined().power, "")
        verdict.changed = self._would_change(state)
        verdict.warnings += [
            f"{self._host.name}: {fate.agent.name} ({fate.agent.where}): {fate.msg}" for fate in self._failures()
        ]
        return verdict

    async def _to_the_end(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Nothing that the work began goes on when it ends, however it ends."""
        try:
            return await work
        except BaseException as error:
            for task in self._under_way:
                task.cancel()
            if isinstance(error, asyncio.CancelledError):
                self._tell(None, "interrupted: no further command is sent")
            raise
        finally:
            await self._settle()

    async def _read(self) -> tuple[bool, Power, str]:
        await self._every(self._host.agents, self._read_agent)
        combined = self._combined()
        if combined.warning and combined.power is not Power.UNKNOWN:
            self._warnings.append(combined.warning)
        if combined.reason is Reason.CONFLICT:
            for agent in self._host.supplies:
                self._fates[agent.name].fail(Reason.CONFLICT, combined.warning)
            return False, Power.UNKNOWN, f"{self._host.name}: {combined.warning}"
        if self._host.devices_only:
            unread = self._failures()
            return not unread, combined.power, self._complaints("not every device could be read", unread)
        if combined.power is not Power.UNKNOWN:
            return True, combined.power, ""
        return False, Power.UNKNOWN, self._complaints("the power is unknown", self._failures())

    async def _off(self) -> tuple[bool, Power, str]:
        if await self._prove_off():
            return True, Power.OFF if self._fenced else self._combined().power, ""
        return await self._off_failed()

    async def _on(self) -> tuple[bool, Power, str]:
        failure = await self._switch_feeds_on() or await self._switch_chassis_on()
        combined = self._combined()
        if failure is None and not self._host.devices_only:
            return True, Power.ON, ""
        if failure is None:
            return True, combined.power, ""
        return False, combined.power, self._failed_after_proof(failure)

    async def _restarted(self) -> tuple[bool, Power, str]:
        if not await self._prove_off():
            return await self._off_failed()
        # What a level that failed still has under way may be an off.
        await self._settle()
        if not await self._hold_off():
            failure = f"the total of {self._total_s:g} s leaves no time for hold_off; raise fence_timeout. Nothing was switched on."
            return False, self._combined().power, self._failed_after_proof(failure)
        return await self._on()

    async def _hold_off(self) -> bool:
        """Leave what was cut without power for a while. False if the time that is left is too short for it."""
        cut = {agent.kind for agent in self._host.agents if self._fates[agent.name].cut}
        hold_off_s = max((self._numbers.hold_off_after(kind) for kind in cut), default=0.0)
        # An outlet of a level that failed may have gone off after the barrier of another.
        wait_s = max(self._barrier_at, self._last_off_at) + hold_off_s - self._clock.now()
        if wait_s > 0:
            self._tell(None, f"holding off for {hold_off_s:g} s")
            if wait_s > self._left_s():
                return False
            await self._sleep(wait_s)
        return True

    async def _off_failed(self) -> tuple[bool, Power, str]:
        await self._settle()
        # A proof that failed leaves no "off" behind, whatever the agents read one by one.
        power = self._combined().power
        return False, Power.UNKNOWN if power is Power.OFF else power, self._not_off_message()

    # -- off ---------------------------------------------------------------------------------------------------------

    async def _prove_off(self) -> bool:
        """Try level after level until one holds its barrier and no witness objects."""
        for level in self._host.levels:
            failure = await self._cut(level, last=level is self._host.levels[-1])
            if failure is None:
                self._proven_by = level
                self._fenced = not self._host.devices_only
                return True
            for fate in self._fates_of(level.agents):
                fate.level_lost = True
            self._failed_levels.append((failure, level))
            self._tell(None, f"level {level.number} failed")
        return False

    async def _cut(self, level: Level, last: bool) -> str | None:
        """Switch one level off and prove it. Returns what became of it if it failed, None if it holds."""
        self._hear_witnesses_before(level)
        seen = await self._every(level.agents, self._read_agent, None if last else _has_failed)
        all_off = _proves_off(level, seen)
        if not all_off and not last and any(not outcome.ok for outcome in seen.values()):
            return f"level {level.number} was skipped"
        if not (all_off and await self._barrier(level)):
            done = await self._every(level.agents, self._switch_agent_off, _has_failed)
            if not (_proves_off(level, done) and await self._barrier(level)):
                return await self._give_up(level, restore=self._numbers.on_failure is OnFailure.RESTORE)
        objection = await self._objection(level)
        if objection is None and await self._still_off(level):
            return None
        if objection is None:
            return await self._give_up(level, restore=self._numbers.on_failure is OnFailure.RESTORE)
        reason, words = objection
        for fate in self._fates_of(level.agents):
            fate.fail(reason, words)
        return await self._give_up(
            level, restore=reason is Reason.CONFLICT or self._numbers.on_failure is OnFailure.RESTORE
        )

    async def _still_off(self, level: Level) -> bool:
        """Hearing witnesses takes seconds in which somebody else may switch an outlet on: one more look before it is said."""
        if not self._host.witnesses_of(level):
            return True
        return _proves_off(level, await self._every(level.agents, self._confirm, _is_not_off))

    async def _barrier(self, level: Level) -> bool:
        """Read all agents off in one sweep, ``confirm_reads`` times."""
        for number in range(1, self._numbers.confirm_reads + 1):
            if number > 1:
                await self._sleep(self._numbers.confirm_interval_s)
            if not _proves_off(level, await self._every(level.agents, self._confirm, _is_not_off)):
                return False
        self._barrier_at = self._clock.now()
        names = ", ".join(agent.name for agent in level.agents)
        self._tell(None, f"barrier: {names} read off in one sweep, {self._numbers.confirm_reads} times", Power.OFF)
        return True

    async def _confirm(self, agent: Agent) -> Outcome:
        outcome = await self._read_agent(agent)
        if not outcome.ok and not outcome.answered:
            outcome = await self._read_agent(agent)
        if outcome.power is Power.ON:
            self._fates[agent.name].fail(Reason.UNCONFIRMED, "it read off and then on again; who else switches it?")
        return outcome

    async def _give_up(self, level: Level, restore: bool) -> str:
        if restore:
            await self._restore(level)
        return f"level {level.number} failed"

    async def _restore(self, level: Level) -> None:
        """Switch back on what this task switched off. It ends before another level may prove anything."""
        await self._settle()
        cut = [
            agent
            for agent in level.agents
            if self._fates[agent.name].cut and self._fates[agent.name].power_before is not Power.OFF
        ]
        if not cut:
            return
        self._tell(None, f"switching back on: {', '.join(agent.name for agent in cut)}")
        outcomes = await self._every(cut, self._switch_back_on)
        for agent in cut:
            outcome = outcomes[agent.name]
            self._fates[agent.name].cut = not outcome.ok
            if not outcome.ok:
                self._warnings.append(f"{agent.name} ({agent.where}) could not be switched back on: {outcome.msg}")

    async def _switch_back_on(self, agent: Agent) -> Outcome:
        async with self._inrush(agent):
            return await self._look(agent, Operation.ON)

    # -- witnesses ---------------------------------------------------------------------------------------------------

    def _hear_witnesses_before(self, level: Level) -> None:
        """Ask, beside the level's own work, the witnesses that were not asked yet: who speaks now and is silent later lost its power."""
        if self._numbers.witness_timeout_s <= 0:
            return
        limit_s = max(agent.read_budget_s for agent in level.agents)
        for agent in self._host.witnesses_of(level):
            if self._fates[agent.name].ok is None and agent not in self._under_way.values():
                self._begin(agent, self._look(agent, Operation.READ, limit_s))

    async def _objection(self, level: Level) -> tuple[Reason, str] | None:
        """Ask the host's chassis agents whether they agree that it has no power. Returns what one has against it."""
        witnesses = self._host.witnesses_of(level)
        if not witnesses or self._numbers.witness_timeout_s <= 0:
            return None
        # A witness that is still at something else is heard when that is over: its silence until then would mean nothing, and an
        # answer to an older question is stale.
        await self._settle(witnesses)
        window_s = min(self._numbers.witness_timeout_s, self._left_s())
        until = self._clock.now() + window_s
        cut_short = window_s < self._numbers.witness_timeout_s
        heard = await self._every(witnesses, lambda agent: self._hear(agent, until, cut_short))
        self._warnings += [said.words for said in heard.values() if said.words and not said.reason]
        objections = [(said.reason, said.words) for said in heard.values() if said.reason]
        return min(objections, key=lambda objection: objection[0] is not Reason.CONFLICT, default=None)

    async def _hear(self, agent: Agent, until: float, cut_short: bool) -> Testimony:
        """Listen to one witness until it says off or the time is over. Only off and silence agree."""
        before = self._fates[agent.name].ever_answered
        answer: Outcome | None = None
        took_s = silent_s = 0.0
        asked_at = self._clock.now()
        while until - asked_at >= NO_TIME_S:
            outcome = await self._look(agent, Operation.READ, limit_s=until - asked_at)
            if _is_off(outcome):
                self._tell(agent, "agrees as a witness", Power.OFF)
                return Testimony()
            if outcome.answered:
                answer, took_s, silent_s = outcome, self._clock.now() - asked_at, 0.0
            else:
                silent_s += self._clock.now() - asked_at
            await self._sleep(min(LOOK_AGAIN_S, until - self._clock.now()))
            asked_at = self._clock.now()
        if answer is not None and silent_s < max(SILENCE_S, 3 * took_s):
            return self._against(agent, answer)
        if cut_short:
            words = f"the total of {self._total_s:g} s was used up before {agent.name} ({agent.where}) could be heard as a witness"
            return Testimony(Reason.TIMEOUT, f"{words}; raise fence_timeout")
        self._tell(agent, "is silent as a witness", Power.UNKNOWN)
        told = "had answered before" if before else "was not heard before either"
        return Testimony(
            None, f"the witness {agent.name} ({agent.where}) is silent after the outlets were read off; it {told}"
        )

    def _against(self, agent: Agent, answer: Outcome) -> Testimony:
        """A witness that answers and does not say off is alive and does not agree."""
        if answer.power is Power.ON:
            self._tell(agent, "contradicts as a witness", Power.ON)
            seen = "still says that the host is on: these outlets do not feed this host; check the wiring and the inventory"
            reason = Reason.CONFLICT
        else:
            self._tell(agent, f"says {answer.raw} as a witness", Power.UNKNOWN)
            seen = f"answers and does not say off: {answer.msg}"
            reason = Reason.UNCONFIRMED
        return Testimony(reason, f"the outlets read off, but {agent.name} ({agent.where}) {seen}")

    # -- on ------------------------------------------------------------------------------------------------------------

    async def _switch_feeds_on(self) -> str | None:
        """Every supply agent that is not on is switched on. Returns why the host has no feed, None if it has or may have one."""
        supplies = self._host.supplies
        if not supplies:
            return None
        seen = await self._every(supplies, self._read_agent)
        dark = [
            agent
            for agent in supplies
            if seen[agent.name].power is not Power.ON and seen[agent.name].reason not in FINAL
        ]
        await self._every(dark, lambda agent: self._switch_feed_on(agent, dark.index(agent)))
        lit = [agent for agent in supplies if self._fates[agent.name].power is Power.ON]
        if lit and (len(lit) == len(supplies) or not self._host.devices_only):
            return None
        missing = [agent for agent in supplies if agent not in lit]
        unanswered = not any(self._fates[agent.name].answered for agent in supplies)
        if unanswered and self._host.chassis_levels and not self._host.devices_only:
            # Nobody can tell whether the host is fed, and PDUs that nobody reaches must not keep it off: only a chassis that reads on counts then.
            self._warnings.append(f"no feed answered: {self._list(missing)}")
            return None
        return f"{'no feed' if not lit else 'not every outlet'} came on: {self._list(missing)}"

    async def _switch_feed_on(self, agent: Agent, place: int) -> Outcome:
        await self._sleep(place * self._numbers.stagger_s)
        async with self._inrush(agent):
            return await self._ask(agent, Operation.ON)

    async def _switch_chassis_on(self) -> str | None:
        """Chassis level by level until one reads on. Returns why none did, None if the host runs."""
        levels = self._host.chassis_levels
        fed = any(self._fates[agent.name].power is Power.ON for agent in self._host.supplies)
        feeds_came_back = any(
            self._fates[agent.name].sent and self._fates[agent.name].power is Power.ON for agent in self._host.supplies
        )
        until = self._clock.now() + (self._numbers.chassis_wait_s if feeds_came_back else 0.0)
        refused = False
        for level in levels:
            outcomes = await self._every(level.agents, lambda agent: self._wake(agent, until))
            enough = all if self._host.devices_only else any
            if enough(outcome.power is Power.ON for outcome in outcomes.values()):
                return None
            refused = refused or any(outcome.reason not in SILENT for outcome in outcomes.values())
        if not levels:
            return None
        chassis = [agent for level in levels for agent in level.agents]
        if refused or not fed or self._host.devices_only:
            return f"the host could not be switched on: {self._list(chassis)}"
        self._warnings.append(f"the supply is on, the chassis did not answer: {self._list(chassis)}")
        return None

    async def _wake(self, agent: Agent, until: float) -> Outcome:
        """Wait for a chassis agent to answer, and switch it on if it is not."""
        while True:
            outcome = await self._operate(agent, Operation.READ, self._left_s())
            settled = outcome.ok or outcome.reason in FINAL
            if settled or self._clock.now() + LOOK_AGAIN_S >= until or self._left_s() <= LOOK_AGAIN_S:
                break
            await self._sleep(LOOK_AGAIN_S)
        # A BMC that boots is not a failure: only the last look counts.
        self._fates[agent.name].record(Operation.READ, outcome)
        asleep = agent.silent_when_off and outcome.reason in SILENT
        if outcome.power is Power.ON or not (outcome.answered or asleep):
            return outcome
        return await self._ask(agent, Operation.ON)

    # -- asking --------------------------------------------------------------------------------------------------------

    async def _read_agent(self, agent: Agent) -> Outcome:
        return await self._ask(agent, Operation.READ)

    async def _switch_agent_off(self, agent: Agent) -> Outcome:
        outcome = await self._ask(agent, Operation.OFF)
        self._last_off_at = self._clock.now()
        return outcome

    async def _ask(self, agent: Agent, operation: Operation) -> Outcome:
        """One operation, for the record of the agent's own work."""
        outcome = await self._operate(agent, operation, self._left_s())
        self._fates[agent.name].record(operation, outcome)
        return outcome

    async def _look(self, agent: Agent, operation: Operation, limit_s: float | None = None) -> Outcome:
        """One operation beside the agent's own work: what it finds does not touch the agent's failure."""
        left_s = self._left_s()
        outcome = await self._operate(agent, operation, left_s if limit_s is None else min(limit_s, left_s))
        self._fates[agent.name].look(outcome)
        return outcome

    async def _operate(self, agent: Agent, operation: Operation, limit_s: float) -> Outcome:
        budget_s = min(agent.budget_of(operation), limit_s)
        if budget_s < NO_TIME_S:
            msg = f"the total of {self._total_s:g} s was used up before it could be asked; raise fence_timeout"
            outcome = Outcome(Power.UNKNOWN, reason=Reason.TIMEOUT, msg=msg)
        else:
            if operation is not Operation.READ:
                self._tell(agent, f"{operation} is sent")
            outcome = await self._run(agent, operation, budget_s)
        self._tell(agent, _told(operation, outcome), outcome.power)
        return outcome

    async def _every(
        self,
        agents: Sequence[Agent],
        ask: Callable[[Agent], Coroutine[Any, Any, Answer]],
        leave_at: Callable[[Answer], bool] | None = None,
    ) -> dict[str, Answer]:
        """Ask all agents at once, when what they were asked before is over.

        An answer to ``leave_at`` ends the wait; what is still under way then goes on and is awaited later.
        """
        await self._settle(agents)
        tasks = {self._begin(agent, ask(agent)): agent for agent in agents}
        answers: dict[str, Answer] = {}
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del self._under_way[task]
            answers.update((tasks[task].name, task.result()) for task in done)
            if leave_at is not None and any(leave_at(answer) for answer in answers.values()):
                break
        return {agent.name: answers[agent.name] for agent in agents if agent.name in answers}

    def _begin(self, agent: Agent, work: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        task = asyncio.ensure_future(work)
        self._under_way[task] = agent
        return task

    async def _settle(self, agents: Collection[Agent] | None = None) -> None:
        """Wait until nothing is under way, at these agents or at all."""
        while waiting := [task for task, agent in self._under_way.items() if agents is None or agent in agents]:
            await asyncio.wait(waiting)
            for task in waiting:
                del self._under_way[task]

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(max(0.0, min(seconds, self._left_s())))

    def _left_s(self) -> float:
        return self._began + self._total_s - self._clock.now()

    def note(self, agent: Agent, event: str) -> None:
        """Put into the timeline what the running of an operation has to tell."""
        self._tell(agent, event)

    # -- words ---------------------------------------------------------------------------------------------------------

    def _tell(self, agent: Agent | None, event: str, power: Power | None = None) -> None:
        told = Event(self._clock.now() - self._began, agent.name if agent else None, event, power)
        self._timeline.append(told)
        self._listener(told)

    def _combined(self) -> Combined:
        return combine(self._host.all_levels, {name: fate.answer for name, fate in self._fates.items()})

    def _fates_of(self, agents: Iterable[Agent]) -> list[Fate]:
        return [self._fates[agent.name] for agent in agents]

    def _failures(self) -> list[Fate]:
        return [fate for fate in self._fates_of(self._host.agents) if fate.ok is False]

    def _would_change(self, state: State) -> bool:
        """Whether the state would need a command, from what was just read."""
        if state is State.ON:
            return self._would_switch_on()
        if state is State.OFF:
            return self._would_cut()
        return state is State.RESTARTED

    def _would_switch_on(self) -> bool:
        """Any feed that is not on, else the first chassis level that answers decides."""
        feeds = self._fates_of(self._host.supplies)
        if any(fate.power is not Power.ON and fate.reason not in FINAL for fate in feeds):
            return True
        for level in self._host.chassis_levels:
            answers = [fate.answer for fate in self._fates_of(level.agents)]
            if any(answer in (Power.OFF, Power.UNKNOWN) for answer in answers):
                return True
            if Power.ON in answers and not self._host.devices_only:
                return False
        return False

    def _would_cut(self) -> bool:
        """For ``off`` the first level that can be read decides."""
        for level in self._host.levels:
            fates = self._fates_of(level.agents)
            if all(fate.power is Power.OFF for fate in fates):
                return False
            if all(fate.ok for fate in fates):
                return True
        return True

    def _list(self, agents: Iterable[Agent]) -> str:
        """What the failed ones of these agents have to say; what several say is said once."""
        said: dict[str, list[str]] = {}
        for fate in self._fates_of(agents):
            if fate.ok is False:
                said.setdefault(fate.msg.rstrip(".?! "), []).append(f"{fate.agent.name} ({fate.agent.where})")
        return "; ".join(f"{', '.join(names)}: {msg}" for msg, names in said.items()) or "no agent said why"

    def _complaints(self, what: str, fates: Iterable[Fate]) -> str:
        return f"{self._host.name}: {what}: {self._list([fate.agent for fate in fates])}"

    def _not_off_message(self) -> str:
        dark = [fate.agent.name for fate in self._fates_of(self._host.agents) if fate.cut and fate.power is Power.OFF]
        now = f" Switched off by this task and now off: {', '.join(dark)}." if dark else ""
        subject = "the named devices are not proven off" if self._host.devices_only else "The host is NOT fenced"
        failures = " ".join(f"{failure}: {self._list(level.agents)}." for failure, level in self._failed_levels)
        return f"{self._host.name}: {failures} {subject}.{now}"

    def _failed_after_proof(self, failure: str) -> str:
        fenced = "It was proven off, and then: " if self._fenced else ""
        return f"{self._host.name}: {fenced}{failure}"

    def _verdict(self, state: State, ok: bool, power: Power, msg: str) -> Verdict:
        return Verdict(
            host=self._host,
            state=state,
            power=power,
            fates=self._fates,
            ok=ok,
            fenced=self._fenced,
            level=self._proven_by.number if self._fenced and self._proven_by else None,
            changed=any(fate.sent for fate in self._fates.values()),
            msg=msg,
            total_s=self._total_s,
            duration_s=self._clock.now() - self._began,
            warnings=[f"{self._host.name}: {warning}" for warning in self._warnings],
            timeline=self._timeline,
        )


def _told(operation: Operation, outcome: Outcome) -> str:
    """What the timeline says of an operation that ended."""
    if not outcome.ok:
        return f"{outcome.reason}: {outcome.msg}"
    return (
        f"reads {outcome.power}"
        if operation is Operation.READ
        else f"is {outcome.power} after {outcome.duration_s:.1f} s"
    )


def _is_off(outcome: Outcome) -> bool:
    """The one place where an outcome counts as proof: a reading, and exactly off."""
    return outcome.ok and outcome.power is Power.OFF


def _has_failed(outcome: Outcome) -> bool:
    return not outcome.ok


def _is_not_off(outcome: Outcome) -> bool:
    return not _is_off(outcome)


def _proves_off(level: Level, outcomes: Mapping[str, Outcome]) -> bool:
    """All agents of the level are among the outcomes, and each is proof."""
    return all(agent.name in outcomes and _is_off(outcomes[agent.name]) for agent in level.agents)
