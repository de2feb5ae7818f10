# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same library without us: python-ipmi in threads, written as one would write it in an afternoon.

``_bare_library.py ACTION HOSTS --threads 50``: ACTION is read, off, on or restarted; HOSTS is a file with an address a line.
No budgets, no retries, no second look: it is the least that the protocol costs in Python. Exit code 1 when a host failed.
``--cost`` prints the CPU seconds of importing and using the library, in a process that has imported Ansible before.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

POLL_S = 0.5
GIVE_UP_S = 60.0


def connect(address: str, port: int, username: str, password: str) -> Any:
    import pyipmi
    import pyipmi.interfaces

    interface = pyipmi.interfaces.create_interface("rmcpplus", cipher_suite=3, keep_alive_interval=0)
    interface.ping = lambda *_arguments: None
    bmc = pyipmi.create_connection(interface)
    bmc.session.set_session_type_rmcp(address, port)
    bmc.session.set_auth_type_user(username, password)
    bmc.session.set_priv_level("operator")
    bmc.target = pyipmi.Target(ipmb_address=0x20)
    bmc.open()
    return bmc


def await_power(bmc: Any, on: bool) -> None:
    end = time.monotonic() + GIVE_UP_S
    while bmc.get_chassis_status().power_on != on:
        if time.monotonic() > end:
            raise RuntimeError("the power does not change")
        time.sleep(POLL_S)


def read(bmc: Any) -> None:
    print(f"{bmc.session.rmcp_host} is {'on' if bmc.get_chassis_status().power_on else 'off'}\n", end="")


def off(bmc: Any) -> None:
    bmc.chassis_control_power_down()
    await_power(bmc, on=False)


def on(bmc: Any) -> None:
    bmc.chassis_control_power_up()
    await_power(bmc, on=True)


def restarted(bmc: Any) -> None:
    off(bmc)
    on(bmc)


ACTIONS: dict[str, Callable[[Any], object]] = {
    "read": read,
    "off": off,
    "on": on,
    "restarted": restarted,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("hosts", type=Path)
    parser.add_argument("--port", type=int, default=623)
    parser.add_argument("--username", default="fence")
    parser.add_argument("--password", required=True)
    parser.add_argument("--threads", type=int, default=50)
    parser.add_argument("--cost", action="store_true")
    given = parser.parse_args()

    def one(address: str) -> str | None:
        try:
            bmc = connect(address, given.port, given.username, given.password)
            try:
                ACTIONS[given.action](bmc)
            finally:
                bmc.close()
        except Exception as error:
            return f"{address}: {error!r}"
        return None

    hosts = given.hosts.read_text().split()
    if given.cost:
        import ansible.cli.playbook
        import ansible.plugins.strategy.linear  # noqa: F401

        began_s = time.process_time()
        failed = one(hosts[0])
        print(time.process_time() - began_s)
        return 1 if failed else 0
    with ThreadPoolExecutor(given.threads) as pool:
        failures = [failure for failure in pool.map(one, hosts) if failure]
    print("\n".join(failures) or f"{len(hosts)} hosts: {given.action}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
