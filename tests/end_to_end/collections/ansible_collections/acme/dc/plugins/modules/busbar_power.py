# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A power module as somebody outside the collection would write it: its device is a file that holds on or off."""

from __future__ import annotations

DOCUMENTATION = r"""
module: busbar_power
short_description: Switch a tap of a busbar
description: Switches a tap of a busbar that is kept in a file.
author: Somebody else (@somebody)
options:
  state: {description: The wanted power., type: str, choices: ["on", "off"]}
  timeout: {description: Budget in seconds., type: int, default: 10}
  address: {description: The folder of the busbar., type: str, required: true}
  tap: {description: The tap., type: int, required: true}
  pass_phrase: {description: How to log in., type: str}
  behave:
    description: What is wrong with the device.
    type: str
    default: well
"""

EXAMPLES = r"""
- name: Switch tap 3 off
  acme.dc.busbar_power: {address: /dev/busbar, tap: 3, state: "off"}
"""

RETURN = r"""
power: {description: The power., type: str, returned: always}
tap: {description: The tap that was spoken to., type: int, returned: always}
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(choices=["on", "off"]),
            timeout=dict(type="int", default=10),
            address=dict(required=True),
            tap=dict(type="int", required=True),
            pass_phrase=dict(no_log=True),
            behave=dict(default="well"),
        ),
        supports_check_mode=True,
    )
    behave, state = module.params["behave"], module.params["state"]
    device = os.path.join(module.params["address"], "tap%d" % module.params["tap"])
    with open(device + ".log", "a") as log:
        log.write("%.6f %s %d\n" % (time.time(), state or "read", module.params["tap"]))
    if behave == "hangs":
        time.sleep(600)
    if behave == "echoes":
        module.fail_json(msg="login with %s refused" % module.params["pass_phrase"], reason="auth", power="unknown")
    if behave == "invents":
        module.fail_json(msg="something else", reason="phase_of_the_moon", power="unknown")
    if behave == "boolean":
        module.exit_json(changed=False, power=False)
    if behave == "shouts":
        module.exit_json(changed=False, power="OFF")
    with open(device) as file:
        power = file.read().strip()
    changed = state is not None and state != power
    if changed and not module.check_mode:
        with open(device, "w") as file:
            file.write(state)
        power = state
    module.exit_json(changed=changed, power=power, tap=module.params["tap"], raw="tap%d %s" % (module.params["tap"], power))


if __name__ == "__main__":
    main()
