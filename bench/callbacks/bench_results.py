# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A callback that writes what the fence tasks returned to a file of JSON lines, for the benchmarks: one line a host."""

from __future__ import annotations

DOCUMENTATION = """
name: bench_results
type: notification
short_description: Write the verdicts of fence tasks to a file
description:
  - Writes one JSON line for each host to the file that E(BENCH_RESULTS) names.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.plugins.callback import CallbackBase

KEPT = ("power", "fenced", "failed", "duration", "timeout")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "bench_results"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result)

    def _write(self, result: Any) -> None:
        lines = [
            json.dumps({"host": host, **{key: verdict.get(key) for key in KEPT}})
            for host, verdict in verdicts(result._host.get_name(), result._result)
        ]
        with open(os.environ["BENCH_RESULTS"], "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def verdicts(host: str, result: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The verdicts in a result: of the host itself, or of the hosts that the task was about."""
    if "fenced" in result:
        yield host, result
    elif isinstance(result.get("hosts"), Mapping):
        for name, inner in result["hosts"].items():
            if isinstance(inner, Mapping) and "fenced" in inner:
                yield name, inner
