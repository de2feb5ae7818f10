# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action ``fence_result``: what a task that fenced all hosts found for this one becomes this host's own result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.hostpm.fencing.plugins.plugin_utils._fencing_action import failed, plain


class ActionModule(ActionBase):
    """Looks the result up by name: a template would resolve the results of all hosts for each host."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset({"of"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables: dict[str, Any] = task_vars or {}
        host = str(variables.get("inventory_hostname"))
        name = str(self._task.args.get("of") or "fence_run")
        run = variables.get(name)
        if not isinstance(run, Mapping):
            advice = "register the result of hostpm.fencing.fence_all under this name, with run_once: true"
            return failed(f"{host}: option of: there is no variable {name!a} with a result; {advice}")
        hosts = run.get("hosts")
        if not isinstance(hosts, Mapping) or host not in hosts:
            why = plain(run.get("msg")) or "it does not name this host"
            return failed(f"{host}: the result in {name!a} is not about this host: {why}. The host is NOT fenced.")
        return dict(plain(hosts[host]))
