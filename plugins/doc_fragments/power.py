# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation of all the *_power modules has in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - The power that the device must have.
      - Without it the power is read and nothing is changed.
      - The module returns only when the device has been read in this state; otherwise it fails.
    type: str
    choices: ["on", "off"]
  timeout:
    description:
      - Budget of one switching operation with its retries and its waiting, in seconds of wall clock.
    type: float
  read_timeout:
    description:
      - Budget of one read with its retries, in seconds of wall clock. It is never more than O(timeout).
    type: float
"""

    ATTRIBUTES = r"""
attributes:
  check_mode:
    description: Reads the power, predicts C(changed) and sends nothing.
    support: full
  diff_mode:
    description: Shows the power before and after.
    support: full
  idempotent:
    description: A device that is in the wanted state already is not sent a command.
    support: full
  action_group:
    description: Use C(group/hostpm.fencing.power) in C(module_defaults).
    support: full
    membership:
      - hostpm.fencing.power
  platform:
    description: Where the module runs; what it speaks to is a power device.
    platforms: posix
    support: full
"""
