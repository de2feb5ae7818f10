# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""How long a task may take at most, computed from its parts before anything is sent.

This file mirrors the steps of ``_fencing.py``: whoever adds a wait there adds it here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Host, Level, Numbers, State


def total_s(host: Host, state: State, numbers: Numbers) -> float:
    """The announced total in seconds, cap included."""
    parts = {
        State.READ: _longest_read(host.agents),
        State.OFF: _off_s(host, numbers),
        State.ON: _on_s(host, numbers),
        State.RESTARTED: _off_s(host, numbers) + _hold_off_s(host, numbers) + _on_s(host, numbers),
    }
    total = parts[state]
    return total if numbers.cap_s is None else min(total, numbers.cap_s)


def capped(numbers: Numbers, cap_s: float) -> Numbers:
    """The numbers with the total capped further (seconds)."""
    return replace(numbers, cap_s=cap_s if numbers.cap_s is None else min(numbers.cap_s, cap_s))


def _longest_read(agents: Iterable[Agent]) -> float:
    return max((agent.read_budget_s for agent in agents), default=0.0)


def _longest_switch(agents: Iterable[Agent]) -> float:
    return max((agent.budget_s for agent in agents), default=0.0)


def _off_s(host: Host, numbers: Numbers) -> float:
    return sum(_off_level_s(host, level, numbers) for level in host.levels)


def _off_level_s(host: Host, level: Level, numbers: Numbers) -> float:
    read_s = _longest_read(level.agents)
    switch_s = _longest_switch(level.agents)
    # A sweep asks each agent once more after an error. A level that seemed to be off already may have to be confirmed twice.
    barrier_s = numbers.confirm_reads * 2 * read_s + (numbers.confirm_reads - 1) * numbers.confirm_interval_s
    # After the witnesses one more sweep.
    witness_s = numbers.witness_timeout_s + 2 * read_s if host.witnesses_of(level) else 0.0
    restore_s = switch_s + (numbers.inrush_wait_s if level.kind is Kind.SUPPLY else 0.0)
    return read_s + barrier_s + switch_s + barrier_s + witness_s + restore_s


def _hold_off_s(host: Host, numbers: Numbers) -> float:
    return max((numbers.hold_off_after(agent.kind) for agent in host.agents), default=0.0)


def _on_s(host: Host, numbers: Numbers) -> float:
    supplies = host.supplies
    feeds_s = _longest_read(supplies) + _longest_switch(supplies) + numbers.stagger_s * max(0, len(supplies) - 1)
    wait_s = numbers.chassis_wait_s + numbers.inrush_wait_s if supplies else 0.0
    chassis_s = sum(_longest_read(level.agents) + _longest_switch(level.agents) for level in host.chassis_levels)
    return feeds_s + wait_s + chassis_s
