# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Redfish service; to be built."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class CertificateAuthority:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "ca.pem"


class RedfishServer:
    def __init__(self, *parts: Any) -> None:
        raise ValueError("the rack has no Redfish service yet")
