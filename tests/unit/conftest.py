# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How hypothesis looks for counter-examples: the same ones each time, unless FENCING_PROFILE asks for more."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "default",
    max_examples=500,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
settings.register_profile("long", parent=settings.get_profile("default"), max_examples=20_000, derandomize=False)
settings.register_profile(
    "small", parent=settings.get_profile("default"), max_examples=3_000, derandomize=False, phases=tuple(Phase)
)
settings.load_profile(os.environ.get("FENCING_PROFILE", "default"))
