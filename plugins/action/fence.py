# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action ``fence``: options and host variables in, a verdict out. It decides nothing and speaks to no device."""

from __future__ import annotations

from typing import Any

from ansible_collections.hostpm.fencing.plugins.plugin_utils._fencing_action import FencingAction, Job, tell_line
from ansible_collections.hostpm.fencing.plugins.plugin_utils._libraries import (
    LoadsLibrariesBeforeForks,
    note_loaded,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._loop_thread import LoopThread
from ansible_collections.hostpm.fencing.plugins.plugin_utils._verdict import Event, Verdict


class ActionModule(FencingAction, metaclass=LoadsLibrariesBeforeForks):
    """One host in one worker process."""

    def perform(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        job = self.job(name, self._task.args, variables, self.template_with(self._templar, variables))
        note_loaded()
        return self.result_of(job, self._fence(job))

    def _fence(self, job: Job) -> Verdict:
        progress = job.options.progress
        thread: LoopThread[Verdict, tuple[str, Event]] = LoopThread(lambda told: tell_line(*told, progress))
        devices = self.devices(len(job.host.all_agents))

        async def work() -> Verdict:
            try:
                return await self.work(
                    job, devices, lambda host, event: thread.tell((host, event)), self.capped(job.options.numbers)
                )
            finally:
                await devices.close()

        return thread.run(work(), devices)
