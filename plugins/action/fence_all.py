# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action ``fence_all``: the hosts of the play in, the verdict of each out, all in one process.

It decides nothing and speaks to no device; for one host it does what the action ``fence`` does.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible.utils.display import Display

from ansible_collections.hostpm.fencing.plugins.plugin_utils import _budget
from ansible_collections.hostpm.fencing.plugins.plugin_utils._crowd_options import CrowdOptions, parse_crowd_options
from ansible_collections.hostpm.fencing.plugins.plugin_utils._fencing_action import (
    FencingAction,
    Job,
    bug,
    failed,
    plain,
    tell_line,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Numbers
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import InputError
from ansible_collections.hostpm.fencing.plugins.plugin_utils._loop_thread import LoopThread
from ansible_collections.hostpm.fencing.plugins.plugin_utils._many_hosts import (
    InrushGates,
    ManyHosts,
    longest_inrush_wait_s,
    longest_s,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._operations import MOST_THREADS, Devices
from ansible_collections.hostpm.fencing.plugins.plugin_utils._verdict import Event

display = Display()

# Variables that all hosts of a play have in common.
OF_THE_PLAY = ("ansible_play_hosts_all", "ansible_play_hosts", "ansible_play_batch", "play_hosts")
# A PDU's next exchange usually follows within this time (seconds): taking a turn anew for each would take longer than they do.
KEEP_TURNS_S = 0.5
# The message of the whole task quotes so many hosts; the others have theirs in their own results.
MOST_QUOTED = 5
# Less than this is no time to begin with a host (seconds).
NO_TIME_S = 1.0

Result = dict[str, Any]


class ActionModule(FencingAction):
    """All hosts in one worker process, once for the play: never once for each host, whatever the task says."""

    BYPASS_HOST_LOOP = True
    progress_is_events = False

    def perform(self, name: str, variables: dict[str, Any]) -> Result:
        began = time.monotonic()
        crowd = parse_crowd_options(name, self._task.args, variables, self.template_with(self._templar, variables))
        names = self._names(name, crowd, variables)
        # All are prepared before any begins: what hosts on one device ask at the same moment goes out together.
        jobs = {host: self._prepared(host, crowd, variables) for host in names}
        gc.freeze()  # as in FencingAction: all of this is needed until the end
        waits_s = longest_inrush_wait_s((job.host for job in jobs.values() if isinstance(job, Job)), crowd.limits)
        results = self._fence(jobs, crowd, waits_s)
        totals_s = [
            _budget.total_s(job.host, job.options.state, _with_inrush_wait(job, waits_s))
            for job in jobs.values()
            if isinstance(job, Job)
        ]
        return _whole(results, longest_s(totals_s, crowd.limits.at_once), time.monotonic() - began)

    def _names(self, name: str, crowd: CrowdOptions, variables: Mapping[str, Any]) -> list[str]:
        """The hosts to work on: those that are named, else those of the play (with ``serial``: of this part of it)."""
        named = list(crowd.hosts if crowd.hosts is not None else plain(variables["ansible_play_batch"]))
        unknown = [host for host in named if host not in variables["hostvars"]]
        if unknown:
            raise InputError([f"{name}: option hosts: the inventory has no host {host!r}" for host in unknown])
        return list(dict.fromkeys(named))

    def _job(self, host: str, crowd: CrowdOptions, variables: Mapping[str, Any]) -> Job:
        """The job on one host, from the variables that a task of its own would have."""
        hostvars = variables["hostvars"]
        manager, inventory = hostvars._variable_manager, hostvars._inventory
        # Lists of all hosts are the same for each of them: making them anew for each would take most of the time.
        whose = {"_hosts": [host], "_hosts_all": [host]}
        own = manager.get_vars(play=self._task.get_play(), host=inventory.get_host(host), task=self._task, **whose)
        own.update((name, variables[name]) for name in OF_THE_PLAY if name in variables)
        templar = self._templar.copy_with_new_env(available_variables=own)
        return self.job(host, crowd.of_each_host, own, self.template_with(templar, own))

    def _prepared(self, host: str, crowd: CrowdOptions, variables: Mapping[str, Any]) -> Job | InputError:
        """The job of a host, or what is wrong with its variables."""
        try:
            return self._job(host, crowd, variables)
        except InputError as error:
            return error

    def _fence(
        self, jobs: Mapping[str, Job | InputError], crowd: CrowdOptions, waits_s: Mapping[str, float]
    ) -> dict[str, Result]:
        thread: LoopThread[dict[str, Result], tuple[str, Event | Result]] = LoopThread(
            lambda told: _show(*told, crowd.progress)
        )
        devices = self.devices(MOST_THREADS, KEEP_TURNS_S)
        gates = InrushGates(crowd.limits, devices.clock)

        async def one(host: str) -> Result:
            result = await self._one(host, jobs[host], devices, gates, waits_s, thread.tell)
            thread.tell((host, result))
            return result

        many = ManyHosts(one, lambda result: bool(result.get("failed")), _not_begun, crowd.limits)

        async def work() -> dict[str, Result]:
            try:
                return await many.run(jobs)
            finally:
                await devices.close()

        return thread.run(work(), devices)

    async def _one(
        self,
        host: str,
        job: Job | InputError,
        devices: Devices,
        gates: InrushGates,
        waits_s: Mapping[str, float],
        tell: Callable[[tuple[str, Event | Result]], None],
    ) -> Result:
        if isinstance(job, InputError):
            return failed(str(job))
        left_s = self.left_s()
        if left_s is not None and left_s < NO_TIME_S:
            return _not_begun(host, "the task's timeout left no time for it")
        numbers = self.capped(_with_inrush_wait(job, waits_s))
        try:
            verdict = await self.work(job, devices, lambda name, event: tell((name, event)), numbers, gates.of)
            return self.result_of(job, verdict)
        except Exception as error:
            # A bug that one host brings to light must not take the others with it.
            return failed(f"{host}: {bug(error)}. Nobody knows the power of this host.")


def _with_inrush_wait(job: Job, waits_s: Mapping[str, float]) -> Numbers:
    """The numbers of a host, with the time that its supplies may have to wait for those of others."""
    wait_s = max((waits_s.get(agent.device, 0.0) for agent in job.host.supplies), default=0.0)
    return replace(job.options.numbers, inrush_wait_s=wait_s) if wait_s else job.options.numbers


def _not_begun(host: str, why: str) -> Result:
    return failed(f"{host}: nothing was asked or sent: {why}. The host is NOT fenced.")


def _show(host: str, told: Event | Result, progress: bool) -> None:
    if isinstance(told, Event):
        tell_line(host, told, progress=False)
    else:
        _tell_result(host, told, progress)


def _tell_result(host: str, result: Result, progress: bool) -> None:
    """One line for a host that is done: with ``progress``, else with -v."""
    line = result["msg"] if result.get("failed") else f"{host}: {_done(result)} after {result['duration']:.1f} s"
    if progress:
        display.display(f"<{host}> {line}")
    else:
        display.v(line, host=host)


def _done(result: Result) -> str:
    proof = f", was proven off by level {result['level']}" if result["fenced"] else ""
    return f"is {result['power']}{proof}"


def _whole(results: dict[str, Result], timeout_s: float, duration_s: float) -> Result:
    """The result of the task: those of all hosts, and what came of them in numbers."""
    failed_hosts = [host for host, result in results.items() if result.get("failed")]
    powers = Counter(result["power"] for result in results.values())
    whole: Result = {
        "changed": any(result["changed"] for result in results.values()),
        "hosts": results,
        "failed_hosts": failed_hosts,
        "summary": {
            "hosts": len(results),
            "failed": len(failed_hosts),
            "fenced": sum(bool(result["fenced"]) for result in results.values()),
            **{power: powers[power] for power in ("on", "off", "unknown")},
        },
        "timeout": round(timeout_s, 3),
        "duration": round(duration_s, 3),
    }
    diffs = {host: result["diff"] for host, result in results.items() if "diff" in result}
    if diffs:
        whole["diff"] = {when: {host: diff[when] for host, diff in diffs.items()} for when in ("before", "after")}
    if failed_hosts:
        whole.update(failed=True, msg="\n".join(_complaints(failed_hosts, results)))
    return whole


def _complaints(failed_hosts: Sequence[str], results: Mapping[str, Result]) -> Iterator[str]:
    yield f"{len(failed_hosts)} of {len(results)} hosts failed: {', '.join(failed_hosts)}"
    for host in failed_hosts[:MOST_QUOTED]:
        yield str(results[host]["msg"])
    if len(failed_hosts) > MOST_QUOTED:
        yield f"and {len(failed_hosts) - MOST_QUOTED} more; each host's own result has its message"
