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
  login_token: {description: Another way to log in, which this module does not mark., type: str}
  login: {description: "Still another way, with user and password.", type: dict}
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

import atexit
import os
import signal
import subprocess
import sys
import time
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(choices=["on", "off"]),
            timeout=dict(type="int", default=10),
            address=dict(required=True),
            tap=dict(type="int", required=True),
            pass_phrase=dict(no_log=True),
            login_token=dict(),
            login=dict(type="dict"),
            behave=dict(default="well"),
        ),
        supports_check_mode=True,
    )
    behave, state = module.params["behave"], module.params["state"]
    device = os.path.join(module.params["address"], "tap%d" % module.params["tap"])
    with open(device + ".log", "a") as log:
        log.write("%.6f %s %d %d\n" % (time.time(), state or "read", module.params["tap"], os.getpid()))
    if behave in MISBEHAVIOUR:
        MISBEHAVIOUR[behave](module, device)
    with open(device) as file:
        power = file.read().strip()
    changed = state is not None and state != power
    if changed and not module.check_mode and behave != "lies":
        with open(device, "w") as file:
            file.write(state)
        power = state
    if behave == "contradicts" and state is not None:
        power = {"on": "off", "off": "on"}[power]
    if behave == "lies":
        power = state or power
    module.exit_json(
        changed=changed, power=power, tap=module.params["tap"], raw="tap%d %s" % (module.params["tap"], power)
    )


def hang(module, device):
    """Starts a child that hangs, too, and hangs."""
    child = subprocess.Popen(["sleep", "600"])
    with open(device + ".pids", "a") as pids:
        pids.write("%d %d\n" % (os.getpid(), child.pid))
    time.sleep(600)


def blab(module, device):
    """Says all that it knows, everywhere."""
    token, login = module.params["login_token"], module.params["login"]
    sys.stdout.write("connecting with %s\n" % token)
    sys.stderr.write("connecting with %r\n" % token)
    module.warn("the token is %s" % token)
    atexit.register(lambda: sys.stdout.write("goodbye, %s\n" % token))
    words = "%s %r %s %s" % (token, token, quote(token, safe=""), login)
    module.fail_json(
        msg="refused: " + words,
        raw=words,
        power="unknown",
        reason="refused",
        login=login,
        said=[token, {"to": token}],
    )


def junk(module, device):
    sys.stdout.write("Segmentation violation in busbar firmware, please hold the line\n")
    sys.exit(0)


def after_words(module, device):
    """A good answer, and then the process ends badly."""
    sys.stdout.write('{"changed": false, "power": "off"}')
    sys.stdout.flush()
    os._exit(3)


MISBEHAVIOUR = {
    "hangs": hang,
    "prints junk": junk,
    "says nothing": lambda module, device: sys.exit(0),
    "ends badly": after_words,
    "dies": lambda module, device: os.kill(os.getpid(), signal.SIGSEGV),
    "raises": lambda module, device: 1 / 0,
    "blabs": blab,
    "echoes": lambda module, device: module.fail_json(
        msg="login with %s refused" % module.params["pass_phrase"], reason="auth", power="unknown"
    ),
    "fails": lambda module, device: module.fail_json(msg="something is wrong"),
    "invents": lambda module, device: module.fail_json(
        msg="something else", reason="phase_of_the_moon", power="unknown"
    ),
    "is vetoed": lambda module, device: module.fail_json(msg="a person works there", reason="vetoed", power="off"),
    "boolean": lambda module, device: module.exit_json(changed=False, power=False),
    "number": lambda module, device: module.exit_json(changed=False, power=0),
    "list": lambda module, device: module.exit_json(changed=False, power=["off"]),
    "sleeps": lambda module, device: module.exit_json(changed=False, power="sleeping"),
    "forgets": lambda module, device: module.exit_json(changed=False),
    "shouts": lambda module, device: module.exit_json(changed=False, power="OFF"),
    "tells": lambda module, device: module.exit_json(
        changed=False, power="unknown", reason="busy", msg="I am %s" % device
    ),
}

if __name__ == "__main__":
    main()
