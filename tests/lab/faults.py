# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be wrong with a device, as a table, and which of it is wrong right now.

A target is a device (``127.0.0.1:11611``) or one outlet or system of it (``127.0.0.1:11611/3``). No protocol in here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DEVICE, OUTLET = "device", "outlet"
ALL = ("ipmi", "redfish", "snmp")


@dataclass(frozen=True)
class FaultKind:
    """One line of the table: whom it hits, what its value means, what then happens."""

    name: str
    scope: str  # OUTLET faults hit one outlet (or all of a device), DEVICE faults the whole device
    description: str
    value: Any = True  # what it is without a value
    protocols: tuple[str, ...] = ALL


FAULTS = {
    kind.name: kind
    for kind in (
        FaultKind(
            "refuse",
            OUTLET,
            "a command is answered with an error (value: SNMP error-status, HTTP status or IPMI code)",
            None,
        ),
        FaultKind("ignore", OUTLET, "a command is accepted and nothing happens: a locked outlet, a stuck relay"),
        FaultKind("lag", OUTLET, "a command takes effect only after VALUE seconds", 3.0),
        FaultKind("lie_off", OUTLET, "the status says off, whatever is true"),
        FaultKind("lie_on", OUTLET, "the status says on, whatever is true"),
        FaultKind("flap", OUTLET, "off takes effect, and VALUE seconds later it is on again by itself", 1.0),
        FaultKind(
            "pending_forever",
            OUTLET,
            "a command never leaves its transition, and the status says so",
            True,
            ("redfish", "snmp"),
        ),
        FaultKind(
            "unlisted", OUTLET, "the status says VALUE, a number or a word of no table", None, ("redfish", "snmp")
        ),
        FaultKind("stale", OUTLET, "for VALUE seconds after a command the status is the one from before it", 5.0),
        FaultKind("missing", OUTLET, "the outlet's row (the system) is not there any more", True, ("redfish", "snmp")),
        FaultKind(
            "wrong_type",
            OUTLET,
            "the status is a text where a number belongs, or the reverse",
            True,
            ("redfish", "snmp"),
        ),
        FaultKind(
            "unswitchable",
            OUTLET,
            "the device says that this outlet cannot be switched, and refuses to",
            True,
            ("redfish", "snmp"),
        ),
        FaultKind(
            "relay_failed",
            OUTLET,
            "the PDU says that the outlet's relay has failed, where its family can",
            True,
            ("snmp",),
        ),
        FaultKind("latency", DEVICE, "answers come VALUE seconds late; commands are obeyed at once", 1.0),
        FaultKind("hang", DEVICE, "packets are accepted, nothing is ever answered and no command obeyed"),
        FaultKind("dead", DEVICE, "the port is closed"),
        FaultKind("drop", DEVICE, "the share VALUE of packets, each way, is lost (TCP: of connections)", 0.3),
        FaultKind("half_answer", DEVICE, "answers are cut in half"),
        FaultKind("wrong_password", DEVICE, "the credentials of the inventory are no longer accepted"),
        FaultKind(
            "auth_error_after_n",
            DEVICE,
            "VALUE requests (IPMI: logins) are served, then credentials are no longer accepted",
            3,
        ),
        FaultKind("busy", DEVICE, "no session, no resources left"),
        FaultKind(
            "one_session",
            DEVICE,
            "one conversation at a time, each request takes VALUE seconds, others are not heard",
            0.05,
            ("snmp",),
        ),
        FaultKind("sha1_only", DEVICE, "RMCP+ answers SHA-1 whatever was proposed", True, ("ipmi",)),
        FaultKind("clock_reset", DEVICE, "the SNMPv3 boots and time start anew, once", True, ("snmp",)),
        FaultKind(
            "tasks", DEVICE, "a reset is answered with 202 and a task that takes VALUE seconds", 0.5, ("redfish",)
        ),
        FaultKind(
            "dies_with_feed",
            OUTLET,
            "VALUE off: the host's BMC lives on when all feeds are off; on: it dies",
            False,
            ("ipmi", "redfish"),
        ),
    )
}


@dataclass
class Fault:
    """A fault that is on. ``left`` counts down the times that it still acts; None is for ever."""

    name: str
    target: str
    value: Any
    left: int | None = None
    seen: int = 0


class FaultBoard:
    """Which faults are on, for servers to ask and for tests to switch.

    ``lock`` is the one lock of a rack: a server holds it while it deals with a request, a test while it looks.
    """

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str], Fault] = {}
        self.lock = threading.RLock()
        self.changed: Callable[[Fault, bool], None] = lambda fault, on: None

    def set(self, target: str, name: str, value: Any = None, times: int | None = None) -> None:
        if name not in FAULTS:
            raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
        fault = Fault(name, target, FAULTS[name].value if value is None else value, times)
        with self.lock:
            self._faults[target, name] = fault
        self.changed(fault, True)

    def clear(self, target: str | None = None, name: str | None = None) -> None:
        """Without a target everywhere, without a name all of them."""
        with self.lock:
            gone = [key for key in self._faults if target in (None, key[0]) and name in (None, key[1])]
            faults = [self._faults.pop(key) for key in gone]
        for fault in faults:
            self.changed(fault, False)

    def acting(self, name: str, target: str) -> Fault | None:
        """The fault of this name on the target or on the device that it is part of, if there is one. Counts as one act."""
        with self.lock:
            for place in (target, target.partition("/")[0]):
                fault = self._faults.get((place, name))
                if fault is None:
                    continue
                if fault.left is None:
                    return fault
                if fault.left > 0:
                    fault.left -= 1
                    return fault
        return None

    def credentials_void(self, device: str) -> bool:
        """Whether a request with right credentials must be refused now. To be asked once for each such request."""
        if self.acting("wrong_password", device) is not None:
            return True
        later = self.acting("auth_error_after_n", device)
        if later is None:
            return False
        later.seen += 1
        return later.seen > int(later.value)

    def listing(self) -> list[Fault]:
        with self.lock:
            return [fault for fault in self._faults.values() if fault.left != 0]
