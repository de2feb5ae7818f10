#!/usr/bin/env python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module of the old style: Ansible writes its arguments, secrets included, to a file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: shell_power
short_description: Switch something the old way
description: Reads its arguments from a file.
author: Somebody else (@somebody)
options:
  state: {description: The wanted power., type: str, choices: ["on", "off"]}
  timeout: {description: Budget in seconds., type: int, default: 10}
"""

EXAMPLES = r"""
- name: Switch it off
  acme.dc.shell_power: {state: "off"}
"""

RETURN = r""" # """

import json
import sys

# WANT_JSON
if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        arguments = json.load(file)
    sys.stdout.write(json.dumps({"changed": False, "power": arguments.get("state", "on")}))
