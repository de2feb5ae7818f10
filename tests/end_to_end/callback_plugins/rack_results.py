# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes every task result as a line of JSON to the file that RACK_RESULTS names, with the monotonic time of its arrival."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rack_results
type: notification
short_description: Results of tasks as lines of JSON
description: For tests, which read results as data.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "rack_results"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, result, ok):
        # What callbacks show is without the warnings, which Ansible prints by themselves.
        line = {"host": result.host.get_name(), "at": time.monotonic(), "ok": ok, "result": dict(result.result)}
        with open(os.environ["RACK_RESULTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result):
        self._write(result, True)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write(result, False)

    def v2_runner_on_unreachable(self, result):
        self._write(result, False)
