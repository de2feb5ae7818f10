# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``wol``: a host that is woken by a magic packet. It can be switched on, and nothing else.

Wake-on-LAN reads nothing, so the host itself is asked: one that takes a TCP connection is on. One that does not has not
answered, which is an error and never off: a host that hangs, or whose network is cut, is as silent as one without power.
"""

from __future__ import annotations

import re
import select
import socket
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    Deadline,
    Driver,
    Kind,
    Options,
    Power,
    Problem,
    Reading,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._names import SLICE_S, SocketAddress, resolve

# A host that is up takes a connection at once; a read asks twice (seconds).
PROBE_S = 2.0
# The packet is not answered, so a lost one is never told: a few more cost nothing, and waking twice is waking once.
PACKETS = 3
MAC = re.compile(r"[0-9a-f]{2}([:-]?)[0-9a-f]{2}(\1[0-9a-f]{2}){4}|([0-9a-f]{4}\.){2}[0-9a-f]{4}", re.I)
SECUREON_BYTES = (4, 6)
# IFNAMSIZ of Linux, without the NUL.
LONGEST_INTERFACE = 15


class WolDriver(Driver):
    """One host, its network card, and a TCP port of it."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def read(self, deadline: Deadline) -> Reading:
        address, port = self._options["address"], int(self._options["confirm_port"])
        family, peer = resolve(address, port, deadline)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            error = _connected(probe, peer, deadline)
        if error is None:
            raise Unreachable(f"the host does not answer at TCP port {port}", "that does not prove that it is off")
        if error:
            seen = f"the host takes no connection at TCP port {port} (error {error})"
            raise Unreachable(seen, "that proves neither on nor off; look at confirm_port")
        return Reading(Power.ON, f"TCP port {port} answers")

    def switch(self, power: Power, deadline: Deadline) -> None:
        if power is not Power.ON:
            raise Unsupported("Wake-on-LAN cannot switch off", "use the host's BMC or the outlets of its supplies")
        options = self._options
        family, peer = resolve(options["broadcast"], int(options["broadcast_port"]), deadline)
        if deadline.over:
            raise TimedOut("no time was left to send the packet", "raise the timeout")
        packet = magic_packet(options["mac"], options.get("secureon"))
        with socket.socket(family, socket.SOCK_DGRAM) as wake:
            wake.setblocking(False)
            if family == socket.AF_INET:
                wake.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            _leave_by(wake, options.get("interface"))
            try:
                for _packet in range(PACKETS):
                    wake.sendto(packet, peer)
            except OSError as error:
                seen = f"the magic packet cannot be sent to {options['broadcast']} (error {error.errno})"
                raise Unreachable(seen, "look at broadcast, interface and routes of this machine") from None


def _connected(probe: socket.socket, peer: SocketAddress, deadline: Deadline) -> int | None:
    """0 for a connection, the number of an error, None for silence."""
    limit = Deadline(min(PROBE_S, deadline.remaining_s))
    try:
        probe.connect(peer)
    except BlockingIOError:
        pass
    except OSError as error:
        return error.errno or 1
    while not (limit.over or deadline.over):
        if select.select([], [probe], [], min(SLICE_S, limit.remaining_s))[1]:
            return probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return None


def _leave_by(wake: socket.socket, interface: str | None) -> None:
    if interface is None:
        return
    if not hasattr(socket, "SO_BINDTODEVICE"):
        raise Unsupported("this system cannot choose an interface", "write the broadcast address of its network")
    try:
        wake.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
    except PermissionError:
        advice = "run it as root, or write the broadcast address of its network instead"
        raise Unsupported("the system does not let this user choose an interface", advice) from None
    except OSError:
        raise Unsupported(
            f"there is no interface {interface} on this machine", "look at the option interface"
        ) from None


def magic_packet(mac: str, secureon: str | None = None) -> bytes:
    """Six bytes of ones, the address sixteen times, and the password of the card if it has one."""
    return b"\xff" * 6 + _bytes_of(mac) * 16 + (_secureon_bytes(secureon) if secureon else b"")


def _bytes_of(mac: str) -> bytes:
    return bytes.fromhex(re.sub(r"[:.-]", "", mac))


def _secureon_bytes(text: str) -> bytes:
    """Four or six bytes: as hexadecimal like a MAC address, or as dotted decimals. ValueError if it is neither."""
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", text):
        return bytes(int(part) for part in text.split("."))
    found = bytes.fromhex(re.sub(r"[:-]", "", text))
    if len(found) not in SECUREON_BYTES:
        raise ValueError
    return found


def problems(options: Options) -> list[Problem]:
    found: list[Problem] = []
    for option in ("address", "broadcast"):
        if not options[option] or any(character.isspace() for character in options[option]):
            found.append((option, "must be a name or an IP address"))
    for option in ("confirm_port", "broadcast_port"):
        if not 0 < int(options[option]) < 65536:
            found.append((option, f"must be from 1 to 65535, not {options[option]}"))
    mac = str(options["mac"])
    if not MAC.fullmatch(mac) or not any(_bytes_of(mac)) or _bytes_of(mac)[0] & 1:
        found.append(("mac", "must be the hardware address of one network card, such as 52:54:00:12:34:56"))
    interface = options.get("interface")
    if interface is not None and not re.fullmatch(rf"[^\s/]{{1,{LONGEST_INTERFACE}}}", interface):
        found.append(("interface", "must be the name of a network interface, such as eth0"))
    try:
        _secureon_bytes(options.get("secureon") or "00:00:00:00")
    except ValueError:
        found.append(("secureon", "must be six bytes such as 00:11:22:33:44:55, or four"))
    return found


def describe(options: Options) -> str:
    return f"{options['address']} ({options['mac']})"


def device(options: Options) -> str:
    return _bytes_of(str(options["mac"])).hex() if MAC.fullmatch(str(options["mac"])) else str(options["mac"])


ARGUMENTS: dict[str, dict[str, Any]] = {
    "address": {"type": "str", "required": True},
    "confirm_port": {"type": "int", "default": 22},
    "mac": {"type": "str", "required": True},
    "broadcast": {"type": "str", "default": "255.255.255.255"},
    "broadcast_port": {"type": "int", "default": 9},
    "interface": {"type": "str"},
    "secureon": {"type": "str", "no_log": True},
}

TYPE = AgentType(
    name="wol",
    kind=Kind.CHASSIS,
    parallel=True,
    silent_when_off=True,
    # A server tests its memory for minutes before its system answers at a port.
    timeout_s=300.0,
    read_timeout_s=8.0,
    exchange_s=5.0,
    argument_spec=ARGUMENTS,
    open=WolDriver,
    describe=describe,
    device=device,
    target=device,
    problems=problems,
)
