# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One of the benchmarks in its quick mode, so that they do not rot: it must measure both of our forms and have nothing failed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from devices.ipmi_servers import IPMI_SIM

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(IPMI_SIM is None, reason="the program ipmi_sim is missing (Debian package openipmi)")
def test_the_benchmark_of_many_hosts_measures_both_forms_and_the_library(tmp_path: Path) -> None:
    told = tmp_path / "measured"
    command = [sys.executable, str(ROOT / "bench" / "hosts.py"), "--quick", "--only", "fence_all,fence,library"]
    done = subprocess.run(
        [*command, "--json", str(told)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(line) for line in told.read_text().splitlines()]
    assert {record["case"] for record in records} == {"read, 3 hosts", "restarted, 3 hosts"}
    assert [record for record in records if not record["wall_s"] or record["cpu_s"][0] <= 0] == []
    assert sum(record["reference"] for record in records) == 2
