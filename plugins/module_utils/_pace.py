# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""When to look at a device that was sent a command: seldom before it can be done, often when it is likely to be, seldom again later.

What devices of one kind really take is learned from those that are done already. This file looks at nothing and knows no clock.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Iterator, Mapping

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Power

# Of a kind of device about which nothing is known (seconds).
UNKNOWN_S = 0.5
# Pauses between two looks: never shorter, never longer (seconds).
SHORTEST_S = 0.05
LONGEST_S = 1.0
# While a device is likely to become done a look comes each such part of the time that it usually takes.
STEPS = 10
SHORTEST_STEP_S = 0.1
LONGEST_STEP_S = 0.5
GROWTH = 1.6
# So many devices must have been seen before the first look waits for what they took, and less than the quickest of them took.
ENOUGH = 3
EARLIER = 0.9
# After this many times the usual time a device is no longer likely to be done any moment.
LATE = 1.5


class Pace:
    """The pace of one kind of device; all agents of a run that have such devices share it. May be used from several threads."""

    def __init__(self, usual_s: Mapping[Power, float] | None = None) -> None:
        self._usual_s = dict(usual_s or {})
        self._took_s: dict[Power, list[float]] = {}
        self._lock = threading.Lock()

    def usual_s(self, power: Power) -> float:
        """What such a device usually takes until it shows this power: the median of those seen, else what its type says (seconds)."""
        took_s = self._took_s.get(power, [])
        return took_s[len(took_s) // 2] if took_s else self._usual_s.get(power, UNKNOWN_S)

    def pauses(self, power: Power) -> Iterator[float]:
        """Seconds to wait before each further look, without end. The first look, right after the command, needs no pause."""
        usual_s = self.usual_s(power)
        step_s = min(max(usual_s / STEPS, SHORTEST_STEP_S), LONGEST_STEP_S)
        with self._lock:
            seen = self._took_s.get(power, [])
            first_s = seen[0] * EARLIER if len(seen) >= ENOUGH else 0.0
        at_s = pause_s = max(first_s, SHORTEST_S, step_s / 2)
        while True:
            yield pause_s
            if at_s > usual_s * LATE:
                pause_s = min(pause_s * GROWTH, LONGEST_S)
            elif at_s >= min(first_s or usual_s / 2, usual_s / 2):
                pause_s = step_s
            else:
                pause_s = min(pause_s * GROWTH, 2 * step_s)
            at_s += pause_s

    def learn(self, power: Power, took_s: float) -> None:
        """A device showed this power so many seconds after it had accepted the command."""
        with self._lock:
            insort(self._took_s.setdefault(power, []), took_s)
