# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide's example family is added as the guide says, to both tables, and goes through what every family goes through."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from devices import test_snmp_families_on_the_rack as every_family
from devices.snmp_servers import PickyPdu

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Deadline, Driver
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import snmp_families
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp import TYPE
from lab import pdu_facts

GUIDE = (Path(__file__).parents[2] / "docs" / "adding_a_pdu_family.md").read_text(encoding="utf-8")
ROW, FACTS = re.findall(r"```python\n(.*?)```", GUIDE, re.S)
MODEL = "acme_strip"


@contextmanager
def added() -> Iterator[None]:
    """Both tables with one more entry."""
    families: list[snmp_families.Family] = []
    words = {**vars(snmp_families), "row": lambda make: families.append(make())}
    exec(compile(ROW, "the row of the guide", "exec"), words)
    facts = eval(compile(FACTS.strip(), "the facts of the guide", "eval"), dict(vars(pdu_facts)))
    assert (families[0].model, facts.model) == (MODEL, MODEL)
    with (
        patch.dict(snmp_families.FAMILIES, {MODEL: families[0]}),
        patch.dict(pdu_facts.FAMILIES, {MODEL: facts}),
    ):
        yield


def cases() -> list[Callable[..., None]]:
    """The tests of the families that apply to this one."""
    with added():
        return [
            test
            for name, test in inspect.getmembers(every_family, inspect.isfunction)
            if name.startswith("test_")
            and {"pdu", "model"} <= set(inspect.signature(test).parameters)
            and getattr(test, "wanted", lambda model: True)(MODEL)
        ]


@pytest.fixture
def pdu() -> Iterator[PickyPdu]:
    names = {7: "db1 psu-a", 8: "twin", 9: "web", 11: "twin"}
    with added(), PickyPdu(pdu_facts.FAMILIES[MODEL], names=names, lag_s=0.005) as pdu:
        yield pdu


@pytest.fixture
def drivers() -> Iterator[list[Driver]]:
    opened: list[Driver] = []
    yield opened
    for driver in opened:
        driver.close()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.__name__)
def test_the_family_of_the_guide_passes_as_any_other(
    case: Callable[..., None], pdu: PickyPdu, drivers: list[Driver]
) -> None:
    given = {"pdu": pdu, "model": MODEL, "drivers": drivers}
    case(**{name: given[name] for name in inspect.signature(case).parameters})


def test_the_cases_are_many() -> None:
    assert len(cases()) >= 14


def test_the_guide_s_pdu_is_found_by_its_sign_alone(pdu: PickyPdu) -> None:
    driver = TYPE.driver(pdu.options(outlet="1.7"))
    assert str(driver.read(Deadline(20)).power) == "on"
    driver.close()
