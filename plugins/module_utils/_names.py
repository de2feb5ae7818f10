# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""From a device's name or literal address to a socket address, within a deadline.

The C library's resolver cannot be interrupted in a thread, so a name is asked in a process that can be ended.
This file knows no protocol and keeps nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Deadline, TimedOut, Unreachable
from ansible_collections.hostpm.fencing.plugins.module_utils._process import LONGEST_WAIT_S, BoundedProcess

# What socket.connect takes for the family: (host, port) for IPv4, (host, port, flow, scope) for IPv6.
SocketAddress = tuple[Any, ...]

# For others that wait in slices.
SLICE_S = LONGEST_WAIT_S
# Looks one name up and prints the first address in the C library's own order, or the resolver's error number.
LOOK_UP = """
import json, socket, sys
try:
    found = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]), 0, socket.SOCK_DGRAM)[0]
    answer = {"family": int(found[0]), "address": found[4]}
except socket.gaierror as error:
    answer = {"error": error.errno}
except (UnicodeError, OSError):
    answer = {"error": socket.EAI_NONAME}
sys.stdout.write(json.dumps(answer))
"""


def resolve(
    address: str, port: int, deadline: Deadline, resolver: Sequence[str] | None = None
) -> tuple[socket.AddressFamily, SocketAddress]:
    """The socket family and address of ``address``; literal IPv4 and IPv6 addresses cost nothing.

    ``resolver`` is the command that looks a name up, for tests; it gets the name and the port as two more arguments.
    """
    literal = _literal(address, port)
    if literal is not None:
        return literal
    answer = _asked(address, port, deadline, resolver or (sys.executable, "-I", "-S", "-c", LOOK_UP))
    if "error" in answer:
        if answer["error"] == socket.EAI_AGAIN:
            raise Unreachable(f"no name server answered for {address}", "try again, or write the IP address")
        raise Unreachable(f"no such name: {address}", "look at the address")
    return socket.AddressFamily(answer["family"]), tuple(answer["address"])


def _literal(address: str, port: int) -> tuple[socket.AddressFamily, SocketAddress] | None:
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    try:
        found = socket.getaddrinfo(
            bare, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except (OSError, UnicodeError):
        return None
    return found[0][0], found[0][4]


def _asked(address: str, port: int, deadline: Deadline, resolver: Sequence[str]) -> dict[str, Any]:
    if deadline.over:
        raise TimedOut(f"no time was left to look up {address}", "raise the timeout")
    try:
        output = _output([*resolver, address, str(port)], deadline)
        answer = None if output is None else dict(json.loads(output))
    except (OSError, TypeError, ValueError):
        raise Unreachable(f"the name {address} could not be looked up", "write the IP address") from None
    if answer is None:
        raise TimedOut(
            f"the name {address} was not resolved in time", "look at the name servers, or write the IP address"
        )
    return answer


def _output(command: Sequence[str], deadline: Deadline) -> bytes | None:
    """What a command printed; None if it had to be ended because the time was up."""
    process = BoundedProcess(deadline)
    out = process.run(command, None)[1]
    return None if process.killed else out


def end_process_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started in a session of its own, with all its children, and collect it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
