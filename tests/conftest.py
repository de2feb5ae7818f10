# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes this checkout importable, and visible to the ansible programs, as the collection hostpm.fencing.

With FENCING_NO_SKIPS=1 in the environment a skipped test fails the run, for where everything is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".build" / "collections"
LINK = COLLECTIONS / "ansible_collections" / "hostpm" / "fencing"

if not LINK.is_symlink():
    LINK.parent.mkdir(parents=True, exist_ok=True)
    LINK.symlink_to(ROOT, target_is_directory=True)

sys.path.insert(0, str(COLLECTIONS))
sys.path.insert(0, str(ROOT / "tests"))
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


def _skips_are_failures() -> bool:
    return os.environ.get("FENCING_NO_SKIPS") == "1"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run that would be a success but for its skipped tests."""
    if exitstatus == pytest.ExitCode.OK and _skips_are_failures() and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _skips_are_failures() and _skipped(config):
        terminalreporter.write_line(f"FENCING_NO_SKIPS is set, and {_skipped(config)} tests were skipped, named above")
