# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A power module as somebody outside the collection would write it: it switches an outlet through the rack's control port."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rack_tap_power
short_description: Switch a tap of the rack
description: Switches what feeds a host of the virtual rack.
author: Somebody else (@somebody)
options:
  state: {description: The wanted power., type: str, choices: ["on", "off"]}
  timeout: {description: Budget in seconds., type: int, default: 10}
  address: {description: The URL of the control port., type: str, required: true}
  tap: {description: The agent of the rack., type: str, required: true}
"""

EXAMPLES = r"""
- name: Switch a tap off
  acme.dc.rack_tap_power: {address: "http://127.0.0.1:8000", tap: node1.tap, state: "off"}
"""

RETURN = r"""
power: {description: The power., type: str, returned: always}
"""

import json
import time
import urllib.request

from ansible.module_utils.basic import AnsibleModule


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, data, timeout=5) as reply:
        return json.load(reply)


def read(address, tap):
    feeds = call(address + "/state")["hosts"][tap.partition(".")[0]]["feeds"]
    return "on" if feeds[tap + "/1"] else "off"


def main():
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(choices=["on", "off"]),
            timeout=dict(type="int", default=10),
            address=dict(required=True),
            tap=dict(required=True),
        ),
        supports_check_mode=True,
    )
    address, tap, state = (module.params[name] for name in ("address", "tap", "state"))
    end = time.time() + module.params["timeout"]
    power = read(address, tap)
    changed = state is not None and state != power
    if changed and not module.check_mode:
        call(address + "/command", {"target": tap, "power": state})
        while power != state and time.time() < end:
            time.sleep(0.05)
            power = read(address, tap)
        if power != state:
            module.fail_json(msg="still %s" % power, reason="unconfirmed", power=power, changed=True)
    module.exit_json(changed=changed, power=power)


if __name__ == "__main__":
    main()
