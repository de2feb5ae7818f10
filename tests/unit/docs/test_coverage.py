# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of devices says what the code can do, and every type of oVirt has its counterpart with options that exist."""

from __future__ import annotations

import pytest
from gates.coverage import PAGE, TESTED, page, rows

from ansible_collections.hostpm.fencing.plugins.module_utils._devices import (
    cli_dialogues,
    http_families,
    snmp_families,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import BUILT_IN, built_in_type
from ansible_collections.hostpm.fencing.plugins.plugin_utils._ovirt_types import OVIRT_TYPES, OvirtType

# oVirt's engine, cluster levels 4.4 to 4.7.
OF_OVIRT = "amt_ws apc apc_snmp bladecenter cisco_ucs drac5 drac7 eps hpblade ilo ilo2 ilo3 ilo4 ilo_ssh ipmilan redfish rsa rsb wti"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make coverage"


def test_every_type_and_every_row_of_the_tables_is_on_the_page() -> None:
    found = {(row.type, row.model) for row in rows()}
    assert {type_name for type_name, _model in found} == set(BUILT_IN)
    tables = {"snmp": snmp_families.FAMILIES, "http": http_families.FAMILIES, "cli": cli_dialogues.DIALOGUES}
    assert {(name, model) for name, table in tables.items() for model in table} <= found
    assert len(snmp_families.FAMILIES) >= 40


def test_what_is_said_about_tests_is_said_about_something() -> None:
    found = {f"{row.type} {row.model}" for row in rows()} | set(BUILT_IN) | {"redfish outlets"}
    assert set(TESTED) <= found


def test_every_type_of_ovirt_has_a_row() -> None:
    assert [ovirt.name for ovirt in OVIRT_TYPES] == OF_OVIRT.split()
    assert len(OVIRT_TYPES) == 19


@pytest.mark.parametrize("ovirt", OVIRT_TYPES, ids=lambda ovirt: ovirt.name)
def test_what_stands_for_a_type_of_ovirt_exists(ovirt: OvirtType) -> None:
    spec = built_in_type(ovirt.type).argument_spec
    for name, value in ovirt.agent.items():
        assert value in spec[name].get("choices", [value])
    for option in ovirt.options:
        if option.ours:
            choices = spec[option.ours].get("choices")
            assert choices is None or not option.values or set(option.values.values()) <= set(choices)
        else:
            assert option.note, f"{option.name} is dropped without a word"
