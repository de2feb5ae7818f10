# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""50 hosts on one PDU that takes one session, and 50 forks: a normal Tuesday."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from end_to_end.rack_runs import Playbooks, Run, write_inventory

from lab.rack import RunningRack, make_inventory
from lab.snmp_server import SnmpServer

HOSTS = 50
# How long the PDU is busy with one request. Who speaks meanwhile is not heard.
REQUEST_S = 0.02
# The defaults do on a machine with nothing else to do; a busy one starts 50 forks slowly.
BUDGETS = {"snmp": {"timeout": 60.0, "read_timeout": 30.0}}


@pytest.fixture(scope="module")
def tuesday(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningRack, Run]]:
    """A rack after all 50 were restarted at once."""
    folder = tmp_path_factory.mktemp("tuesday")
    variables = {"fence_hold_off": 0.5, "fence_log": str(folder / "fence.log")}
    inventory = make_inventory(hosts=HOSTS, pdus=1, shape="psu", variables=variables, agent_defaults=BUDGETS)
    write_inventory(folder / "lab.yml", inventory)
    with RunningRack(inventory) as rack:
        rack.fault("node1.psu_a", "one_session", REQUEST_S)
        yield rack, Playbooks(folder, folder / "lab.yml").run({"state": "restarted"}, forks=HOSTS)


def pdu_of(rack: RunningRack) -> SnmpServer:
    (device,) = rack.devices.values()
    assert isinstance(device.server, SnmpServer)
    return device.server


def test_all_of_50_hosts_on_one_pdu_are_restarted_at_once(tuesday: tuple[RunningRack, Run]) -> None:
    rack, run = tuesday
    assert len(run.results) == HOSTS
    failed = [finished.story for finished in run.results.values() if not finished.ok]
    assert not failed, "\n\n".join(failed)
    for host, finished in run.results.items():
        assert finished.result["fenced"]
        assert rack.lost_power(host, 0.0)
        assert rack.is_running(host)


def test_the_pdu_is_spoken_to_by_one_at_a_time(tuesday: tuple[RunningRack, Run]) -> None:
    """Without turns most packets come while somebody else is served. A few are forgiven: on a busy machine one asks twice."""
    rack, _run = tuesday
    pdu = pdu_of(rack)
    assert pdu.requests > 5 * HOSTS
    assert pdu.unheard <= pdu.requests / 20


def test_waiting_for_a_turn_is_told(tuesday: tuple[RunningRack, Run]) -> None:
    _rack, run = tuesday
    assert [event for finished in run.results.values() for event in finished.events("waited", "for its turn")]
