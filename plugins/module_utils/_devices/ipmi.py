# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``ipmi``: a BMC that is spoken to over IPMI 2.0 (RMCP+).

Options, the choice of the library, and when a session is kept or opened anew. How a library is used is in
``_ipmi_pythonipmi.py`` and ``_ipmi_pyghmi.py``.
"""

from __future__ import annotations

import importlib.util
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    Deadline,
    DeviceError,
    Driver,
    Kind,
    Power,
    Problem,
    Reading,
    TimedOut,
    Unreachable,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._ipmi_protocol import (
    CHASSIS_CONTROL,
    CHASSIS_STATUS,
    LONGEST_KEY,
    LONGEST_PASSWORD,
    LONGEST_USERNAME,
    PRIVILEGES,
    SUITES,
    Account,
    Command,
    Session,
    accepted,
    power_reading,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._names import SocketAddress, resolve

PORT = 623
PYGHMI_SUITES = (3, 17)
# A BMC forgets a session after 60 s without a packet (section 6.12.15); half of it is relied upon.
IDLE_S = 30.0
# A kept session that does not answer for this long, or for a third of the time there is, may have been forgotten.
KEPT_SESSION_S = 2.0
LOG_OUT_S = 0.8


class IpmiDriver(Driver):
    """One BMC. The session stays open between calls, and is opened anew when it was lost or idle."""

    def __init__(self, address: str, port: int, account: Account, library: str) -> None:
        self._address = address
        self._port = port
        self._account = account
        self._library = library
        self._session: Session | None = None
        self._used_at = 0.0

    def read(self, deadline: Deadline) -> Reading:
        return power_reading(self._chassis_status(deadline))

    def switch(self, power: Power, deadline: Deadline) -> None:
        # The command goes out once, so it must not be lost on a session that the BMC has forgotten.
        self._chassis_status(deadline)
        if deadline.over:
            raise TimedOut("no time was left to send the command", "raise the timeout")
        accepted(self._ask(CHASSIS_CONTROL[power], deadline))

    def close(self) -> None:
        self._let_go(LOG_OUT_S)

    def _chassis_status(self, deadline: Deadline) -> bytes:
        if self._session is not None and time.monotonic() - self._used_at > IDLE_S:
            self._let_go(0.0)
        if self._session is not None:
            share_s = max(KEPT_SESSION_S, deadline.remaining_s / 3)
            try:
                answer = self._ask(CHASSIS_STATUS, PartOf(deadline, share_s))
            except (TimedOut, Unreachable):
                if deadline.over:
                    raise
            else:
                return accepted(answer)
        self._log_in(deadline)
        return accepted(self._ask(CHASSIS_STATUS, deadline))

    def _log_in(self, deadline: Deadline) -> None:
        family, peer = resolve(self._address, self._port, deadline)
        self._session = open_session(self._library, family, peer, self._account, deadline)
        self._remember(self._session.suite)

    def _remember(self, suite: int) -> None:
        """The suite that the BMC took is tried first from now on: a refused one costs a round trip."""
        others = tuple(other for other in self._account.suites if other != suite)
        self._account = replace(self._account, suites=(suite, *others))

    def _ask(self, command: Command, deadline: Deadline) -> bytes:
        if self._session is None:
            raise Unreachable("there is no session with the BMC", "try again")
        try:
            answer = self._session.ask(command, deadline)
        except DeviceError:
            self._let_go(0.0)
            raise
        self._used_at = time.monotonic()
        return answer

    def _let_go(self, wait_s: float) -> None:
        if self._session is not None:
            self._session.close(Deadline(wait_s))
            self._session = None


class PartOf(Deadline):
    """Over when a part of the time is used up, or the whole is over."""

    def __init__(self, whole: Deadline, budget_s: float) -> None:
        super().__init__(budget_s)
        self._whole = whole

    @property
    def remaining_s(self) -> float:
        return min(super().remaining_s, self._whole.remaining_s)


def open_session(
    library: str, family: socket.AddressFamily, peer: SocketAddress, account: Account, deadline: Deadline
) -> Session:
    """Log in through the library of the agent; the other one is not even imported."""
    if library == "pyghmi":
        from ansible_collections.hostpm.fencing.plugins.module_utils._devices._ipmi_pyghmi import PyghmiSession

        return PyghmiSession(peer, account, deadline)
    from ansible_collections.hostpm.fencing.plugins.module_utils._devices._ipmi_pythonipmi import PythonIpmiSession

    return PythonIpmiSession(family, peer, account, deadline)


def open_driver(options: Mapping[str, Any]) -> Driver:
    key = options.get("k_g")
    account = Account(
        username=options["username"].encode(),
        password=options["password"].encode(),
        key=key_bytes(key) if key else None,
        privilege=PRIVILEGES[options["privilege"]],
        suites=tuple(dict.fromkeys(options["cipher_suites"])),
    )
    return IpmiDriver(options["address"], options["port"], account, options["library"])


def key_bytes(key: str) -> bytes:
    """K_g as bytes: hexadecimal after 0x, else the text itself. ValueError if it is neither."""
    return bytes.fromhex(key[2:]) if key[:2].lower() == "0x" else key.encode()


def problems(options: Mapping[str, Any]) -> list[Problem]:
    return [
        (name, what)
        for name, what in (
            ("address", address_problem(options["address"])),
            ("port", None if 0 < options["port"] < 65536 else f"must be from 1 to 65535, not {options['port']}"),
            ("username", length_problem(options["username"].encode(), LONGEST_USERNAME)),
            ("password", length_problem(options["password"].encode(), LONGEST_PASSWORD)),
            ("k_g", key_problem(options.get("k_g") or "")),
            ("cipher_suites", suites_problem(options["cipher_suites"], options["library"])),
        )
        if what
    ]


def address_problem(address: str) -> str | None:
    if not address or any(character.isspace() for character in address):
        return "must be a name or an IP address of the BMC"
    return None


def length_problem(value: bytes, longest: int) -> str | None:
    return f"is longer than the {longest} bytes that IPMI carries" if len(value) > longest else None


def key_problem(key: str) -> str | None:
    try:
        return length_problem(key_bytes(key), LONGEST_KEY)
    except ValueError:
        return "starts with 0x and is not hexadecimal; write 0x and pairs of hexadecimal digits, or the text itself"


def suites_problem(suites: list[int], library: str) -> str | None:
    if not suites:
        return "is empty; write [17, 3]"
    if 0 in suites:
        return "has 0, which lets anybody in without a password; write [17, 3], and switch suite 0 off in the BMC"
    known = PYGHMI_SUITES if library == "pyghmi" else tuple(SUITES)
    unknown = [suite for suite in suites if suite not in known]
    if unknown:
        names = " and ".join(str(suite) for suite in unknown)
        advice = "; use library: python-ipmi" if all(suite in SUITES for suite in unknown) else ""
        return f"has {names}; {library} speaks {', '.join(str(suite) for suite in known)}{advice}"
    return None


def missing_library(options: Mapping[str, Any]) -> str | None:
    """The package to install with pip, if there is one to install."""
    encrypts = any(SUITES[suite][2] for suite in options["cipher_suites"] if suite in SUITES)
    cryptography = importlib.util.find_spec("cryptography") is not None
    if options["library"] == "pyghmi":
        return None if importlib.util.find_spec("pyghmi") is not None and cryptography else "pyghmi>=1.6.19"
    from ansible_collections.hostpm.fencing.plugins.module_utils._devices._ipmi_pythonipmi import INSTALLED

    return None if INSTALLED and (cryptography or not encrypts) else "python-ipmi[rmcpplus]>=0.6.1"


def describe(options: Mapping[str, Any]) -> str:
    return options["address"] if options["port"] == PORT else device(options)


def device(options: Mapping[str, Any]) -> str:
    address = options["address"].lower()
    bare = ":" in address and not address.startswith("[")
    return f"[{address}]:{options['port']}" if bare else f"{address}:{options['port']}"


TYPE = AgentType(
    name="ipmi",
    kind=Kind.CHASSIS,
    # IPMI keeps sessions apart by number, and BMCs have several (four is usual); one that has none left says so, which
    # is waited out. A turn of our own would help nobody: the sessions of others count as well.
    parallel=True,
    # A large host takes a minute to lose power; a BMC that lives answers a read in 10 s even when it is slow.
    timeout_s=60.0,
    read_timeout_s=10.0,
    # A login is five round trips, of a second each on a BMC under load. A BMC that is silent costs SILENCE_S only.
    exchange_s=10.0,
    # A host's power supply needs some seconds to be off; the BMC itself accepts at once.
    usual_s={Power.OFF: 4.0, Power.ON: 2.0},
    argument_spec={
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": PORT},
        "username": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "k_g": {"type": "str", "no_log": True},
        # What Chassis Control asks for (appendix G); an administrator's account may log in with it too.
        "privilege": {"type": "str", "choices": list(PRIVILEGES), "default": "operator"},
        "cipher_suites": {"type": "list", "elements": "int", "default": [17, 3]},
        "library": {"type": "str", "choices": ["python-ipmi", "pyghmi"], "default": "python-ipmi"},
    },
    open=open_driver,
    describe=describe,
    device=device,
    target=device,
    problems=problems,
    missing_library=missing_library,
)
