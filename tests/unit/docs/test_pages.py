# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guides say what the code does: pages made from data are fresh, numbers and links in the others are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gates.pdu_families import PAGE, page

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Reason
from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import BUILT_IN, built_in_type
from ansible_collections.hostpm.fencing.plugins.plugin_utils._foreign import READ_TIMEOUT_S, TIMEOUT_S
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Numbers

ROOT = Path(__file__).resolve().parents[3]
GUIDES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
SEMANTICS = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")


def test_the_page_of_pdu_families_is_the_table_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make families"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_link_between_the_guides_leads_somewhere(guide: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", guide.read_text(encoding="utf-8"))
    assert [link for link in links if not (guide.parent / link).exists()] == []


def test_the_budgets_in_the_guide_are_those_of_the_types() -> None:
    for name in BUILT_IN:
        agent_type = built_in_type(name)
        assert f"| `{name}` | {agent_type.timeout_s:g} s | {agent_type.read_timeout_s:g} s |" in SEMANTICS
    assert f"| a module of somebody else | {TIMEOUT_S:g} s | {READ_TIMEOUT_S:g} s |" in SEMANTICS


def test_the_numbers_in_the_guide_are_the_defaults() -> None:
    numbers = Numbers()
    for option, value in {
        "confirm_reads": f"{numbers.confirm_reads}",
        "confirm_interval": f"{numbers.confirm_interval_s:g} s",
        "witness_timeout": f"{numbers.witness_timeout_s:g} s",
        "stagger": f"{numbers.stagger_s:g} s",
        "chassis_wait": f"{numbers.chassis_wait_s:g} s",
        "on_failure": f"`{numbers.on_failure.value}`",
    }.items():
        assert f"| `{option}` | {value} |" in SEMANTICS


def test_every_reason_is_explained() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert [reason.value for reason in Reason if f"| `{reason.value}` |" not in text] == []
