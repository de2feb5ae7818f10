# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What public fence agents for PDUs get wrong, one test for each: it fails here if we get it wrong, too.

Others of the kind stand with their devices: PoweringOff is not off (test_redfish.py), 401, 403, 404, 409, 500 and 503 are told
apart (test_http_power.py, test_redfish.py), a fence agent's own lies (test_fence_agent.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from devices.driving import operate
from devices.snmp_servers import RackPdu, rack_family

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation


@pytest.fixture
def pdu() -> Iterator[RackPdu]:
    """A MasterSwitch with eight outlets, the family for which a missing object was taken for off."""
    with RackPdu(rack_family(3), outlets=8) as pdu:
        yield pdu


def of(pdu: RackPdu, **outlets: Any) -> dict[str, Any]:
    return pdu.options(**{"model": "apc_masterswitch", "outlet": None, **outlets})


@pytest.mark.parametrize("version", ["1", "2c"])
@pytest.mark.parametrize("operation", [Operation.READ, Operation.OFF])
def test_outlet_99_of_8_is_an_error_and_not_already_off(pdu: RackPdu, operation: Operation, version: str) -> None:
    outcome = operate(TYPE, of(pdu, outlet=99, version=version), operation)
    assert (outcome.ok, outcome.power, outcome.reason) == (False, Power.UNKNOWN, Reason.NOT_FOUND)
    assert pdu.sent() == []


def test_on_switches_the_second_outlet_though_the_first_is_on_already(pdu: RackPdu) -> None:
    pdu.switch(4, False)
    outcome = operate(TYPE, of(pdu, outlets=[3, 4]), Operation.ON)
    assert (outcome.ok, outcome.power) == (True, Power.ON)
    assert pdu.is_on(3) and pdu.is_on(4)


def test_off_writes_each_of_two_outlets_once(pdu: RackPdu) -> None:
    outcome = operate(TYPE, of(pdu, outlets=[1, 2]), Operation.OFF)
    assert (outcome.ok, outcome.power) == (True, Power.OFF)
    assert sorted(pdu.sent()) == ["1 off", "2 off"]


def test_two_outlets_of_which_one_stays_on_are_not_off(pdu: RackPdu) -> None:
    pdu.fault("ignore", 2)
    outcome = operate(TYPE, of(pdu, outlets=[1, 2]), Operation.OFF, budget_s=2.0)
    assert (outcome.ok, outcome.power, outcome.reason) == (False, Power.UNKNOWN, Reason.UNCONFIRMED)
    assert "2" in outcome.msg
