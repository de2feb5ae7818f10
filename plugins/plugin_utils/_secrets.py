# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Keeps secrets out of everything that leaves the task, by value.

This file knows no option and no protocol; it gets the values that must never be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible.module_utils.common.parameters import remove_values

from ansible_collections.hostpm.fencing.plugins.plugin_utils._verdict import Event

SHORTEST = 4


class Mask:
    """Masks the given values wherever they stand in results and messages.

    Masking is by value and by substring: a password ``off`` would blacken every result. Such values, words of ours and
    values shorter than four characters, are not masked; ``refused`` says which options hold them.
    """

    def __init__(self, secrets: Mapping[str, str], our_words: Iterable[str]) -> None:
        words = {word.lower() for word in our_words}
        self.refused = [
            where for where, value in secrets.items() if len(value) < SHORTEST or value.lower() in words
        ]
        self._values = frozenset(value for where, value in secrets.items() if where not in self.refused)

    def apply(self, value: Any) -> Any:
        """The value with every secret in it blackened; a copy."""
        return remove_values(value, self._values) if self._values else value

    def apply_to_event(self, event: Event) -> Event:
        """The event with its words masked."""
        return replace(event, event=str(self.apply(event.event)))

    def warnings(self, host: str) -> list[str]:
        return [
            f"{host}: agent {where.split()[0]}: {where.split()[1]}: a secret of fewer than {SHORTEST} characters, or one that is an"
            " ordinary word of the result, cannot be masked; choose another one"
            for where in self.refused
        ]
