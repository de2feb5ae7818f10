# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A library is loaded if an agent needs it, and by the program itself, so that its forks have it already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end.programs import Programs, fence

from lab.rack import RunningRack, make_inventory

# By the agent that needs it. pysnmp itself loads requests where pysmi is installed: who asks for it is told by our own module.
LIBRARIES = {
    "bmc": "pyipmi",
    "redfish": "ansible_collections.hostpm.fencing.plugins.module_utils._http",
    "psu": "pysnmp",
}


@pytest.fixture(scope="module")
def rack() -> Iterator[tuple[RunningRack, dict[str, object]]]:
    inventory = make_inventory(hosts=4, pdus=1, shape="bmc+redfish+psu")
    with RunningRack(inventory) as running:
        yield running, inventory


def loaded_by_the_program(programs: Programs, folder: Path, forks: int) -> set[str]:
    """The libraries of devices that the parent of the workers has in the end."""
    env = {"ANSIBLE_CALLBACKS_ENABLED": "recorder,loaded", "LOADED_FILE": str(folder / "loaded.txt")}
    done = programs.play([fence()], "--forks", str(forks), env=env)
    assert done.returncode == 0, done.stdout
    return set((folder / "loaded.txt").read_text().splitlines()) & set(LIBRARIES.values())


@pytest.mark.parametrize("agent", LIBRARIES)
def test_only_what_the_agents_need_is_loaded_and_once_for_all_forks(
    agent: str, rack: tuple[RunningRack, dict[str, object]], tmp_path: Path
) -> None:
    _running, inventory = rack
    hosts = {
        name: {"fence_agents": {key: given for key, given in host["fence_agents"].items() if key.startswith(agent)}}
        for name, host in inventory["all"]["hosts"].items()  # type: ignore[index]
    }
    variables = inventory["all"]["vars"]  # type: ignore[index]
    programs = Programs(tmp_path, {"all": {"vars": variables, "hosts": hosts}})
    assert loaded_by_the_program(programs, tmp_path, forks=1) == {LIBRARIES[agent]}
