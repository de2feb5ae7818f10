# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One outlet or chassis as one device presents it: what it says of itself, what becomes of a command, and a record of both.

The servers speak protocols and ask here; lies, locks and lags happen here, once for all protocols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lab.faults import FaultBoard
from lab.model import Physics, World


class Action(Enum):
    """What a protocol can ask of an outlet or of a chassis."""

    ON = "on"
    OFF = "off"
    CYCLE = "cycle"
    RESET = "reset"
    SOFT_OFF = "soft_off"
    DELAYED_ON = "delayed_on"
    DELAYED_OFF = "delayed_off"
    DELAYED_CYCLE = "delayed_cycle"
    CANCEL = "cancel"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Status:
    """What a point says of itself. ``moving_to`` is a transition under way; ``forced`` overrides any value."""

    on: bool
    moving_to: bool | None = None
    forced: Any = None


@dataclass(frozen=True)
class Command:
    """One command that a device received, and what it made of it."""

    at: float
    device: str
    outlet: str
    action: str
    source: str
    outcome: str  # accepted, ignored, refused, repeated


class Refused(Exception):
    """The device says no; ``how`` is the protocol's own code for it, or None for the usual one."""

    def __init__(self, how: Any = None) -> None:
        super().__init__("refused")
        self.how = how


class SwitchPoint(ABC):
    """An outlet of a PDU, or the chassis behind a BMC."""

    unlisted: Any = 99  # what no table has

    def __init__(
        self, world: World, board: FaultBoard, device: str, outlet: str, record: Callable[[Command], None]
    ) -> None:
        self.world = world
        self.device = device
        self.outlet = outlet
        self.target = f"{device}/{outlet}" if outlet else device
        self._board = board
        self._record = record
        self._stale: tuple[float, Status] | None = None

    def fault(self, name: str) -> Any:
        """The value of a fault that acts on this point, or None."""
        acting = self._board.acting(name, self.target)
        return None if acting is None else acting.value

    @property
    def refuses(self) -> bool:
        """Whether the next command would be refused; a fault that counts its acts does not count this."""
        places = (self.target, self.device)
        return any(
            fault.name in ("refuse", "unswitchable") and fault.target in places for fault in self._board.listing()
        )

    def read(self) -> Status:
        """What the device says now, lies included."""
        now = self.world.settle()
        status = self.truth()
        if self._stale is not None and now < self._stale[0] and self.fault("stale") is not None:
            status = self._stale[1]
        if self.fault("lie_off") is not None:
            status = Status(False)
        if self.fault("lie_on") is not None:
            status = Status(True)
        unlisted = self._board.acting("unlisted", self.target)
        if unlisted is not None:
            return Status(status.on, status.moving_to, self.unlisted if unlisted.value is None else unlisted.value)
        return status

    def command(self, action: Action, source: str) -> None:
        """Do it, or pretend to, or raise Refused."""
        if action is Action.NOTHING:
            return
        now = self.world.settle()
        refuse = self._board.acting("refuse", self.target)
        if refuse is not None or self.fault("unswitchable") is not None:
            self.note(action, source, "refused")
            raise Refused(refuse.value if refuse else None)
        stale_s = self.fault("stale")
        if stale_s is not None:
            self._stale = (now + float(stale_s), self.truth())
        if self.fault("ignore") is not None:
            self.note(action, source, "ignored")
            return
        self.note(action, source, "accepted")
        never = self.fault("pending_forever") is not None
        lag = self.fault("lag")
        flap = self.fault("flap")
        lag_s = 1e9 if never else None if lag is None else float(lag)
        self.obey(action, lag_s, None if flap is None or action is not Action.OFF else float(flap))

    def forget(self) -> None:
        """Start with no memory of earlier commands."""
        self._stale = None

    def note(self, action: Action, source: str, outcome: str) -> None:
        self._record(Command(self.world.settle(), self.device, self.outlet, action.value, source, outcome))

    @abstractmethod
    def truth(self) -> Status:
        """What is really so."""

    @abstractmethod
    def obey(self, action: Action, lag_s: float | None, back_after_s: float | None) -> None:
        """Let it happen, after ``lag_s`` or the usual lag."""

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether the electronics that answer for this point have power."""

    @property
    def starts(self) -> int:
        """How often these electronics were started: sessions do not outlive that."""
        return 1


class OutletPoint(SwitchPoint):
    """An outlet of a PDU. The PDU's own electronics never lose power."""

    def __init__(
        self,
        world: World,
        board: FaultBoard,
        device: str,
        outlet: str,
        record: Callable[[Command], None],
        physics: Physics,
    ) -> None:
        super().__init__(world, board, device, outlet, record)
        self._physics = physics
        world.add_outlet(self.target)

    @property
    def alive(self) -> bool:
        return True

    def truth(self) -> Status:
        outlet = self.world.outlets[self.target]
        return Status(outlet.on, outlet.pending)

    @property
    def switched_at(self) -> float:
        """When the outlet last changed, on the rack's clock."""
        return self.world.outlets[self.target].history[-1][0]

    def obey(self, action: Action, lag_s: float | None, back_after_s: float | None) -> None:
        lag = self._physics.outlet_lag_s if lag_s is None else lag_s
        late = lag + self._physics.outlet_delay_s
        if action in (Action.ON, Action.OFF):
            self.world.switch_outlet(self.target, action is Action.ON, lag, back_after_s)
        elif action in (Action.DELAYED_ON, Action.DELAYED_OFF):
            self.world.switch_outlet(self.target, action is Action.DELAYED_ON, late)
        elif action in (Action.CYCLE, Action.DELAYED_CYCLE):
            self.world.cycle_outlet(self.target, lag if action is Action.CYCLE else late, self._physics.outlet_cycle_s)
        elif action is Action.CANCEL:
            self.world.cancel_outlet(self.target)
        else:
            raise Refused()


class ChassisPoint(SwitchPoint):
    """The chassis of a host as its BMC shows it."""

    unlisted = "Sleeping"

    def __init__(
        self, world: World, board: FaultBoard, device: str, outlet: str, record: Callable[[Command], None], host: str
    ) -> None:
        super().__init__(world, board, device, outlet, record)
        self.host = host

    @property
    def alive(self) -> bool:
        self.world.settle()
        return self.world.hosts[self.host].bmc_up

    @property
    def starts(self) -> int:
        return self.world.hosts[self.host].bmc_starts

    def truth(self) -> Status:
        host = self.world.hosts[self.host]
        return Status(host.running, host.pending if host.pending != host.running else None)

    def obey(self, action: Action, lag_s: float | None, back_after_s: float | None) -> None:
        physics = self.world.hosts[self.host].physics
        off_s = physics.bmc_off_lag_s if lag_s is None else lag_s
        if action is Action.ON:
            self.world.chassis_on(self.host, physics.bmc_on_lag_s if lag_s is None else lag_s)
        elif action is Action.OFF:
            self.world.chassis_off(self.host, off_s, back_after_s)
        elif action is Action.SOFT_OFF:
            self.world.chassis_off(self.host, physics.bmc_soft_lag_s if lag_s is None else lag_s, back_after_s)
        elif action is Action.CYCLE:
            self.world.chassis_cycle(self.host, off_s, physics.bmc_cycle_s)
        elif action is Action.RESET:
            self.world.chassis_reset(self.host)
        else:
            raise Refused()
