# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that can switch and cannot read: nothing can be proven through it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: one_way_power
short_description: Switch something
description: Switches something and never looks.
author: Somebody else (@somebody)
options:
  state: {description: The wanted power., type: str, choices: ["on", "off"], required: true}
  timeout: {description: Budget in seconds., type: int, default: 10}
"""

EXAMPLES = r"""
- name: Switch it off
  acme.dc.one_way_power: {state: "off"}
"""

RETURN = r""" # """

from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(
        argument_spec=dict(state=dict(choices=["on", "off"], required=True), timeout=dict(type="int", default=10)),
    )
    module.exit_json(changed=True, power=module.params["state"])


if __name__ == "__main__":
    main()
