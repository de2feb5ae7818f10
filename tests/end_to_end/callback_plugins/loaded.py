# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes down which libraries the program itself has loaded in the end: what its forks have from it, and what nobody needed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: loaded
type: notification
short_description: The modules that are loaded in the end
description: For tests of what is loaded when.
"""

import os
import sys

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "loaded"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_stats(self, stats):
        with open(os.environ["LOADED_FILE"], "w", encoding="utf-8") as file:
            file.write("\n".join(sorted(sys.modules)))
