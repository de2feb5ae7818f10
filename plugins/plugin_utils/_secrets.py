# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Keeps secrets out of everything that leaves the task, by value.

This file knows no option and no protocol; it gets the values that must never be shown, and the words that must stay readable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind, Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import State
from ansible_collections.hostpm.fencing.plugins.plugin_utils._verdict import Event

SHORTEST = 4
BLACK = "********"
# Words that stand in every result: the closed lists, and what the timeline is written in.
ENUMS = frozenset(str(member) for enum in (Power, Reason, Kind, State, Operation) for member in enum)
TOLD = frozenset(
    (
        "after", "agrees", "answer", "answered", "back", "barrier", "chassis", "command", "contradicts",
        "device", "failed", "fenced", "further", "holding", "host", "interrupted", "level", "outlet",
        "outlets", "read", "reads", "refused", "sent", "silent", "supply", "sweep", "switched", "switching",
        "times", "turn", "waited", "witness",
    )
)  # fmt: skip
OUR_WORDS = ENUMS | TOLD


class Mask:
    """Blackens the given values wherever they stand in texts.

    Masking is by value and by substring: a password ``off`` would blacken every result. A value that is a word of ours or a
    part of one, or shorter than four characters, is not masked; ``refused`` says which options hold such values.
    ``secrets`` maps "agent option" to a value, ``names`` are the names of the host and its agents.
    """

    def __init__(self, secrets: Mapping[str, str], names: Iterable[str] = ()) -> None:
        words = {word.lower() for word in (*OUR_WORDS, *names)}
        self.refused = [where for where, value in secrets.items() if _cannot_be_masked(value, words)]
        kept = {value for where, value in secrets.items() if where not in self.refused}
        # The longest first: one secret may be a part of another.
        self._values = sorted({spelling for value in kept for spelling in _spellings(value)}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text with every secret in it blackened."""
        for value in self._values:
            text = text.replace(value, BLACK)
        return text

    def apply(self, value: Any) -> Any:
        """A copy with all texts blackened. Keys, numbers and booleans stay what they are: results are decided by them."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.apply(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.apply(item) for item in value]
        return value

    def apply_to_output(self, output: str) -> str:
        """What a module printed, blackened, and valid JSON as before if it was."""
        try:
            return json.dumps(self.apply(json.loads(output)))
        except ValueError:
            return self.text(output)

    def apply_to_event(self, event: Event) -> Event:
        """The event with its words masked."""
        return replace(event, event=self.text(event.event))

    def warnings(self, host: str) -> list[str]:
        told = []
        for where in self.refused:
            agent, _space, option = where.rpartition(" ")
            what = f"a secret of fewer than {SHORTEST} characters, or one that is an ordinary word of the result, cannot be masked"
            told.append(f"{host}: agent {agent}: {option}: {what}; choose another one")
        return told


def _cannot_be_masked(value: str, words: set[str]) -> bool:
    return len(value.strip()) < SHORTEST or any(value.lower() in word for word in words)


def _spellings(secret: str) -> set[str]:
    """The secret as it is, and as it stands in JSON, in Python's quotes and in a URL."""
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
    }
