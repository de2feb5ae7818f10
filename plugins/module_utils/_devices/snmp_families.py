# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The PDU families that have outlets to switch by SNMP: where their objects are and what the values mean.

Data, and the few words it is written in. This file sends nothing and decides nothing. A family that differs from the
others in numbers is one more row; a driver never asks which family it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind, Power
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_response import Oid

# The numbers that say which outlet it is, in the order of the family's ``parts``; the outlet's own is the last.
Index = tuple[int, ...]

# iso.org.dod.internet.private.enterprises: every OID in the table is written from here on.
ENTERPRISES: Oid = (1, 3, 6, 1, 4, 1)

PLACEHOLDER = re.compile(r"\{([a-z]+)([+-]\d+)?\}")


@dataclass(frozen=True)
class Column:
    """Where one object of an outlet is.

    ``template`` names the parts of the index in braces: ``{outlet}``, or ``{outlet+1}`` where the device counts from
    another number than people do. ``skips`` are outlet numbers before which the device leaves a number out.
    Numbers are below enterprises, behind a leading dot they are whole. ``unsigned``: the MIB has the number as Gauge32 or
    Unsigned32, not as INTEGER.
    With ``element`` the object is one text for all outlets, and the outlet's part of it is between these separators
    (a blank stands for any white space).
    """

    template: str
    skips: tuple[int, ...] = ()
    element: str = ""
    unsigned: bool = False

    def oid(self, index: Mapping[str, int]) -> Oid:
        """The object of one outlet."""
        return tuple(
            number + index[part] + (self._left_out(index[part]) if part == "outlet" else 0) if part else number
            for part, number in _steps(self.template)
        )

    def root(self) -> Oid:
        """What the objects of all outlets have in common at the front."""
        return tuple(number for _part, number in takewhile(lambda step: not step[0], _steps(self.template)))

    def index(self, oid: Oid) -> dict[str, int] | None:
        """Whose object this is; None if it is another object, or one behind a number that was left out."""
        steps = _steps(self.template)
        if len(oid) != len(steps):
            return None
        found = {part: number - offset for (part, offset), number in zip(steps, oid, strict=True) if part}
        return found if self.oid(found) == oid else None

    def part(self, text: str, index: Mapping[str, int]) -> str | None:
        """This outlet's part of a text about all outlets."""
        parts = self.split(text)
        number = index["outlet"]
        return parts[number - 1].strip() if 1 <= number <= len(parts) else None

    def split(self, text: str) -> list[str]:
        return text.split() if self.element == " " else text.split(self.element)

    def _left_out(self, outlet: int) -> int:
        return sum(outlet >= skip for skip in self.skips)


@cache
def _steps(template: str) -> tuple[tuple[str, int], ...]:
    """The numbers of a column's OID: a part of the index and what is added to it, or "" and the number itself."""
    front = [] if template.startswith(".") else [("", number) for number in ENTERPRISES]
    for step in template.lstrip(".").split("."):
        match = PLACEHOLDER.fullmatch(step)
        front.append((match[1], int(match[2] or 0)) if match else ("", int(step)))
    return tuple(front)


@dataclass(frozen=True)
class State:
    """What a value of the status object means. Whatever is not plainly on or off is UNKNOWN."""

    power: Power
    text: str


ON = State(Power.ON, "on")
OFF = State(Power.OFF, "off")


def unsure(text: str) -> State:
    return State(Power.UNKNOWN, text)


@dataclass(frozen=True)
class Guard:
    """A further object that must agree before the status counts.

    ``settled`` are its values that let ``on`` or ``off`` stand; a power that is not in it is not checked. ``texts`` names
    the others. Where the firmware has no such object ``off`` does not count, unless the agent says that it may.
    """

    column: Column
    settled: Mapping[Power, frozenset[int | str]]
    texts: Mapping[int | str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Permission:
    """An object that says whether the outlet may be switched. Only the listed values forbid it."""

    column: Column
    forbids: Mapping[int, str]


@dataclass(frozen=True)
class Write:
    """What to write, and where. For a text about all outlets: this outlet's new part of it."""

    column: Column
    value: int | str


@dataclass(frozen=True)
class Cancel:
    """How a scheduled command is called off.

    ``when`` are the status values that tell of one; empty for families where a guard tells of it.
    """

    write: Write
    when: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Sign:
    """How a family is recognised: a prefix of its sysObjectID, below enterprises.

    Where that is not enough, ``object`` must be there, and its text must hold ``holds``.
    """

    prefix: str
    object: str = ""
    holds: str = ""


@dataclass(frozen=True)
class Family:
    """One family of PDUs, or of other devices that have something to switch by SNMP.

    Without ``signs`` it is never detected: the agent must name the model. ``kind`` is CHASSIS for what switches and senses a
    server itself, such as a blade; such a family has no signs, as an agent's kind must be known before its device is
    asked. ``parts`` name the numbers of an outlet's index; a bare outlet
    number stands for the outlet behind ``bare``, and without ``bare`` it is not enough. ``name_ends`` begins what is behind a
    name in its object. ``first`` is written before each command, in a request of its own. ``trust`` is A where the vendor's
    MIB and a working driver agree, B for one of the two, C where sources conflict.
    """

    model: str
    title: str
    source: str
    trust: str
    status: Column
    states: Mapping[int | str, State]
    off: Write
    on: Write
    signs: tuple[Sign, ...] = ()
    kind: Kind = Kind.SUPPLY
    name: Column | None = None
    name_ends: str = ""
    parts: tuple[str, ...] = ("outlet",)
    bare: Index | None = ()
    guards: tuple[Guard, ...] = ()
    permission: Permission | None = None
    cancels: tuple[Cancel, ...] = ()
    first: tuple[Write, ...] = ()
    one_write_per_request: bool = False

    def named(self, index: Index) -> dict[str, int]:
        """The numbers of an index with the names of their parts, as columns take them."""
        return dict(zip(self.parts, index, strict=True))


_ROWS: list[Callable[[], Iterable[Family]]] = []


def row(make: Callable[[], Family]) -> Callable[[], Family]:
    """Puts a family into the table."""
    _ROWS.append(lambda: (make(),))
    return make


def rows(make: Callable[[], Iterable[Family]]) -> Callable[[], Iterable[Family]]:
    """Puts several families into the table that differ in a number or two."""
    _ROWS.append(make)
    return make


def _pending(column: str, none: int, **texts: int) -> tuple[Guard, ...]:
    """The guard of an object that says whether a command is pending, and by which value none is."""
    settled = {Power.OFF: frozenset[int | str]({none}), Power.ON: frozenset[int | str]({none})}
    return (Guard(Column(column), settled, {value: text.replace("_", " ") for text, value in texts.items()}),)


@row
def _apc_rpdu() -> Family:
    control = Column("318.1.1.12.3.3.1.1.4.{outlet}")
    return Family(
        model="apc_rpdu",
        title="APC Rack PDU, first generation (AP78xx, AP79xx)",
        source="PowerNet-MIB rPDUOutletStatusOutletState, rPDUOutletControlOutletCommand",
        trust="A",
        signs=(Sign("318.1.3.4.5"), Sign("318.1.3.4.4", "318.1.1.12.3.5.1.1.4.1")),
        status=Column("318.1.1.12.3.5.1.1.4.{outlet}"),
        states={1: ON, 2: OFF},
        guards=_pending("318.1.1.12.3.5.1.1.5.{outlet}", none=2, a_command_is_pending=1),
        off=Write(control, 2),
        on=Write(control, 1),
        cancels=(Cancel(Write(control, 7)),),
        name=Column("318.1.1.12.3.5.1.1.2.{outlet}"),
    )


@row
def _apc_rpdu2() -> Family:
    control = Column("318.1.1.26.9.2.4.1.5.{outlet}")
    return Family(
        model="apc_rpdu2",
        title="APC Rack PDU, second generation (AP8xxx, AP79xxB, APDU9xxx, APDU10xxx)",
        # The status counts 1 off, 2 on; the command counts 1 on, 2 off.
        source="PowerNet-MIB rPDU2OutletSwitchedStatusState, rPDU2OutletSwitchedControlCommand",
        trust="A",
        # 8 is masterSwitchrPDUB of the MIB: a recorded walk of an AP7902B with firmware 6.7.2 has it and these tables.
        signs=(
            Sign("318.1.3.4.6"),
            Sign("318.1.3.4.8"),
        ),
        # The index runs over all units of a chain.
        status=Column("318.1.1.26.9.2.3.1.5.{outlet}"),
        states={1: OFF, 2: ON},
        guards=_pending("318.1.1.26.9.2.3.1.6.{outlet}", none=2, a_command_is_pending=1, pending_commands_unknown=3),
        off=Write(control, 2),
        on=Write(control, 1),
        cancels=(Cancel(Write(control, 8)),),
        name=Column("318.1.1.26.9.2.3.1.3.{outlet}"),
    )


@row
def _apc_masterswitch() -> Family:
    control = Column("318.1.1.4.4.2.1.3.{outlet}")
    pending = Column("318.1.1.4.2.3.0", element=" ")
    none: frozenset[int | str] = frozenset({"No"})
    return Family(
        model="apc_masterswitch",
        title="APC MasterSwitch, and the tables of it that most later APC cards keep",
        source="PowerNet-MIB sPDUOutletCtl, sPDUMasterPending",
        trust="A",
        # masterSwitchV1 and V2 of the MIB. Later cards answer these objects too, but never by detection: each has better ones.
        signs=(
            Sign("318.1.3.4.1"),
            Sign("318.1.3.4.2"),
        ),
        status=control,
        states={1: ON, 2: OFF, 4: unsure("unknown")},
        guards=(Guard(pending, {Power.OFF: none, Power.ON: none}, {"Yes": "a command is pending"}),),
        off=Write(control, 2),
        on=Write(control, 1),
        name=Column("318.1.1.4.4.2.1.4.{outlet}"),
    )


@row
def _apc_masterswitch_plus() -> Family:
    control = Column("318.1.1.6.5.1.1.5.{unit}.1.{outlet}")
    return Family(
        model="apc_masterswitch_plus",
        title="APC MasterSwitch Plus",
        # Off is 3 here, not 2.
        source="PowerNet-MIB sPDUOutletStatusMSPOutletState, sPDUOutletControlMSPOutletCommand",
        trust="A",
        # Other cards are said to have this sysObjectID too: the objects decide.
        signs=(Sign("318.1.3.4.4", "318.1.1.6.7.1.1.5.1.1.1"),),
        parts=("unit", "outlet"),
        bare=(1,),
        status=Column("318.1.1.6.7.1.1.5.{unit}.1.{outlet}"),
        states={1: ON, 2: OFF},
        guards=_pending("318.1.1.6.7.1.1.6.{unit}.1.{outlet}", none=2, a_command_is_pending=1),
        off=Write(control, 3),
        on=Write(control, 1),
        cancels=(Cancel(Write(control, 8)),),
        name=Column("318.1.1.6.7.1.1.4.{unit}.1.{outlet}"),
    )


@row
def _cyberpower_epdu() -> Family:
    control = Column("3808.1.1.3.3.3.1.1.4.{outlet}")
    return Family(
        model="cyberpower_epdu",
        title="CyberPower ePDU (PDU15SW, PDU41001, PDU81001)",
        source="CPS-MIB ePDUOutletStatusOutletState, ePDUOutletControlOutletCommand",
        trust="A",
        # Some cards tell no more than the vendor's number.
        signs=(Sign("3808.1.1.3"), Sign("3808", "3808.1.1.3.3.5.1.1.4.1")),
        status=Column("3808.1.1.3.3.5.1.1.4.{outlet}"),
        states={1: ON, 2: OFF},
        guards=_pending("3808.1.1.3.3.5.1.1.5.{outlet}", none=2, a_command_is_pending=1),
        off=Write(control, 2),
        on=Write(control, 1),
        cancels=(Cancel(Write(control, 7)),),
        name=Column("3808.1.1.3.3.5.1.1.2.{outlet}"),
    )


@row
def _eaton_g3() -> Family:
    # Seconds to wait: 0 is now, -1 calls a waiting command off.
    turn_off = Column("534.6.6.7.6.6.1.3.{unit}.{outlet}")
    turn_on = Column("534.6.6.7.6.6.1.4.{unit}.{outlet}")
    return Family(
        model="eaton_g3",
        title="Eaton ePDU G2 and G3 (EMA, EMI, EMS)",
        source="EATON-EPDU-MIB outletControlStatus, outletControlOffCmd, outletControlOnCmd",
        trust="A",
        signs=(Sign("534.6.6.7"),),
        # Units of a chain count from 0, the primary.
        parts=("unit", "outlet"),
        bare=(0,),
        status=Column("534.6.6.7.6.6.1.2.{unit}.{outlet}"),
        states={0: OFF, 1: ON, 2: unsure("switching off later"), 3: unsure("switching on later")},
        off=Write(turn_off, 0),
        on=Write(turn_on, 0),
        cancels=(Cancel(Write(turn_off, -1), frozenset({2})), Cancel(Write(turn_on, -1), frozenset({3}))),
        permission=Permission(Column("534.6.6.7.6.6.1.9.{unit}.{outlet}"), {2: "this outlet cannot be switched"}),
        name=Column("534.6.6.7.6.1.1.3.{unit}.{outlet}"),
    )


@row
def _eaton_revelation() -> Family:
    # The PDU counts outlets from 0, people from 1.
    state = Column("534.6.6.6.1.2.2.1.3.{outlet-1}")
    return Family(
        model="eaton_revelation",
        title="Eaton / Powerware Managed ePDU (Revelation)",
        source="EATON (POWERWARE) Managed ePDU MIB outletOperationalState",
        trust="A",
        signs=(Sign("534.6.6.6"),),
        status=state,
        states={0: OFF, 1: ON, 2: unsure("cycling"), -1: unsure("error")},
        off=Write(state, 0),
        on=Write(state, 1),
        name=Column("534.6.6.6.1.2.2.1.2.{outlet-1}"),
    )


@row
def _eaton_pulizzi() -> Family:
    # Entry 1 of the control objects switches all outlets: outlet N is entry N+1.
    control = Column("20677.2.6.2.{outlet+1}.0")
    return Family(
        model="eaton_pulizzi",
        title="Eaton Switched ePDU (Pulizzi IPV, IPC)",
        source="PULIZZI MIB outlet status and outlet control",
        trust="A",
        signs=(
            Sign("20677.1"),
            Sign("20677.2"),
        ),
        status=Column("20677.2.6.3.{outlet}.0"),
        states={1: ON, 2: OFF, 0: unsure("absent")},
        off=Write(control, 2),
        on=Write(control, 1),
        name=Column("20677.2.6.1.{outlet}.1.0"),
    )


@row
def _raritan_px() -> Family:
    state = Column("13742.4.1.2.2.1.3.{outlet}")
    return Family(
        model="raritan_px",
        title="Raritan Dominion PX, first generation",
        source="PDU-MIB outletOperationalState",
        trust="A",
        signs=(Sign("13742.4"),),
        status=state,
        states={0: OFF, 1: ON, 2: unsure("cycling"), -1: unsure("error")},
        off=Write(state, 0),
        on=Write(state, 1),
        name=Column("13742.4.1.2.2.1.2.{outlet}"),
    )


@row
def _raritan_px2() -> Family:
    control = Column("13742.6.4.1.2.1.2.{pdu}.{outlet}")
    return Family(
        model="raritan_px2",
        title="Raritan PX2, PX3, PX4, PXC, Server Technology PRO4X",
        source="PDU2-MIB outletSwitchingState, switchingOperation",
        trust="A",
        signs=(Sign("13742.6"),),
        # The PDU is 1 unless several are linked.
        parts=("pdu", "outlet"),
        bare=(1,),
        status=Column("13742.6.4.1.2.1.3.{pdu}.{outlet}"),
        states={7: ON, 8: OFF, -1: unsure("unavailable")},
        off=Write(control, 0),
        on=Write(control, 1),
        permission=Permission(Column("13742.6.3.5.3.1.28.{pdu}.{outlet}"), {2: "this outlet cannot be switched"}),
        name=Column("13742.6.3.5.3.1.3.{pdu}.{outlet}"),
    )


@row
def _sentry3() -> Family:
    control = Column("1718.3.2.3.1.11.{tower}.{infeed}.{outlet}")
    control_state = Guard(
        Column("1718.3.2.3.1.10.{tower}.{infeed}.{outlet}"),
        {Power.OFF: frozenset({0, 2, 4}), Power.ON: frozenset({1, 3, 5})},
        {
            0: "idle, off",
            1: "idle, on",
            2: "waking up off",
            3: "waking up on",
            4: "told off",
            5: "told on",
            6: "locked off",
            7: "locked on",
            8: "restarting",
            9: "shutting down",
            10: "on pending",
            11: "off pending",
            12: "off for a minimum time",
            13: "on for a minimum time",
            14: "off by an event",
            15: "on by an event",
            16: "restarting by an event",
            17: "shutting down by an event",
        },
    )
    return Family(
        model="sentry3",
        title="Server Technology Sentry3 (Switched CDU, Smart CDU)",
        # Without bit onSense of outletCapabilities the status follows from the command and is not sensed.
        source="Sentry3-MIB outletStatus, outletControlState, outletControlAction",
        trust="A",
        signs=(Sign("1718.3"),),
        # Each infeed counts its outlets from 1: a bare number could be another machine's.
        parts=("tower", "infeed", "outlet"),
        bare=None,
        status=Column("1718.3.2.3.1.5.{tower}.{infeed}.{outlet}"),
        states={
            0: OFF,
            1: ON,
            2: unsure("waiting to go off"),
            3: unsure("waiting to go on"),
            4: unsure("off, but sensed on"),
            5: unsure("on, but sensed off"),
            6: unsure("no communication with the outlet"),
            7: unsure("being read"),
            8: unsure("off, fuse"),
            9: unsure("on, fuse"),
        },
        guards=(control_state,),
        off=Write(control, 2),
        on=Write(control, 1),
        name=Column("1718.3.2.3.1.3.{tower}.{infeed}.{outlet}"),
    )


@row
def _sentry4() -> Family:
    control = Column("1718.4.1.8.5.1.2.{unit}.{cord}.{outlet}")
    control_state = Guard(
        Column("1718.4.1.8.5.1.1.{unit}.{cord}.{outlet}"),
        {Power.OFF: frozenset({2, 4, 6, 10}), Power.ON: frozenset({1, 3, 5, 7, 11})},
        {
            0: "not set",
            1: "fixed on",
            2: "idle, off",
            3: "idle, on",
            4: "waking up off",
            5: "waking up on",
            6: "off by over-current protection",
            7: "on by over-current protection",
            8: "on pending",
            9: "off pending",
            10: "told off",
            11: "told on",
            12: "restarting",
            13: "shutting down",
            14: "locked off",
            15: "locked on",
            16: "off by an event",
            17: "on by an event",
            18: "restarting by an event",
            19: "shutting down by an event",
        },
    )
    return Family(
        model="sentry4",
        title="Server Technology Sentry4 (PRO1, PRO2)",
        source="Sentry4-MIB st4OutletState, st4OutletControlState, st4OutletControlAction",
        trust="A",
        signs=(Sign("1718.4"),),
        parts=("unit", "cord", "outlet"),
        bare=None,
        status=Column("1718.4.1.8.3.1.1.{unit}.{cord}.{outlet}"),
        states={0: unsure("unknown"), 1: ON, 2: OFF},
        guards=(control_state,),
        off=Write(control, 2),
        on=Write(control, 1),
        name=Column("1718.4.1.8.2.1.3.{unit}.{cord}.{outlet}"),
    )


@row
def _geist_v5() -> Family:
    control = Column("21239.5.2.3.5.1.6.{outlet}")
    sound: frozenset[int | str] = frozenset({2})  # a TruthValue: 1 is a failed relay
    return Family(
        model="geist_v5",
        title="Vertiv / Geist rPDU with an IMD of version 5",
        source="VERTIV-V5-MIB pduOutletSwitchState, pduOutletSwitchControl, pduOutletSwitchRelayFailure",
        trust="A",
        signs=(Sign("21239.5"),),
        status=Column("21239.5.2.3.5.1.4.{outlet}"),
        states={
            1: ON,
            2: OFF,
            3: unsure("switching off later"),
            4: unsure("switching on later"),
            5: unsure("restarting, still on"),
            6: unsure("restarting, now off"),
            7: unsure("unavailable"),
        },
        guards=(
            Guard(
                Column("21239.5.2.3.5.1.5.{outlet}"), {Power.OFF: sound, Power.ON: sound}, {1: "its relay has failed"}
            ),
        ),
        off=Write(control, 4),
        on=Write(control, 2),
        cancels=(Cancel(Write(control, 1), frozenset({3, 4, 5, 6})),),
        name=Column("21239.5.2.3.5.1.3.{outlet}"),
    )


@row
def _liebert_mph() -> Family:
    control = Column("476.1.42.3.8.50.20.1.100.{pdu}.{branch}.{outlet}")
    # The command object holds the lasting state too: 2 while a power cycle keeps the outlet off for a moment.
    lasting = Guard(
        control,
        {Power.OFF: frozenset({0}), Power.ON: frozenset({1})},
        {0: "told off", 1: "told on", 2: "cycling"},
    )
    return Family(
        model="liebert_mph",
        title="Emerson / Liebert MPH, MPX",
        source="LIEBERT-GP-PDU-MIB lgpPduRcpEntryPwrState, lgpPduRcpEntryControl, lgpPduRcpEntryControlLock",
        trust="A",
        signs=(Sign("476.1.42"),),
        # Each branch counts its receptacles from 1.
        parts=("pdu", "branch", "outlet"),
        bare=None,
        status=Column("476.1.42.3.8.50.20.1.95.{pdu}.{branch}.{outlet}"),
        states={0: unsure("unknown"), 1: OFF, 2: ON, 3: unsure("off, on pending")},
        guards=(lasting,),
        off=Write(control, 0),
        on=Write(control, 1),
        permission=Permission(Column("476.1.42.3.8.50.20.1.105.{pdu}.{branch}.{outlet}"), {2: "this outlet is locked"}),
        name=Column("476.1.42.3.8.50.20.1.10.{pdu}.{branch}.{outlet}"),
    )


@row
def _tripplite_padm() -> Family:
    control = Column("850.1.1.3.2.3.3.1.1.6.{device}.{outlet}")
    return Family(
        model="tripplite_padm",
        title="Tripp Lite PDUs with a PADM or LX card",
        source="TRIPPLITE-PRODUCTS tlpPduOutletState, tlpPduOutletCommand",
        trust="A",
        signs=(Sign("850.1.1.1"),),
        parts=("device", "outlet"),
        bare=(1,),
        status=Column("850.1.1.3.2.3.3.1.1.4.{device}.{outlet}"),
        states={0: unsure("unknown"), 1: OFF, 2: ON},
        off=Write(control, 1),
        on=Write(control, 2),
        # A TruthValue.
        permission=Permission(Column("850.1.1.3.2.3.3.1.1.5.{device}.{outlet}"), {2: "this outlet cannot be switched"}),
        name=Column("850.1.1.3.2.3.3.1.1.2.{device}.{outlet}"),
    )


@row
def _baytech() -> Family:
    state = Column("4779.1.3.5.3.1.3.{module}.{outlet}")
    return Family(
        model="baytech",
        title="BayTech RPC, MMP, DS",
        source="BAYTECH-MIB sBTAModulesRPCOutletState",
        trust="A",
        signs=(Sign("4779"),),
        parts=("module", "outlet"),
        bare=(1,),
        status=state,
        states={
            0: OFF,
            1: ON,
            2: unsure("restarting"),
            3: unsure("locked on"),
            4: unsure("locked off"),
            5: unsure("unlocked"),
            6: unsure("unknown"),
        },
        off=Write(state, 0),
        on=Write(state, 1),
        name=Column("4779.1.3.5.3.1.4.{module}.{outlet}"),
    )


@row
def _aten_pe() -> Family:
    # Outlet 1 is object 2, outlet 8 object 9, outlet 9 object 11: number 10 is none.
    state = Column("21317.1.3.2.2.2.2.{outlet+1}.0", skips=(9,))
    return Family(
        model="aten_pe",
        title="ATEN PE (also sold by Eaton)",
        source="ATEN-PE-CFG outlet status and control",
        trust="A",
        signs=(Sign("21317"),),
        status=state,
        states={
            1: OFF,
            2: ON,
            3: unsure("pending"),
            4: unsure("restarting"),
            5: unsure("fault"),
            6: unsure("no authorisation"),
            7: unsure("not supported"),
            8: unsure("power off by proximity"),
        },
        off=Write(state, 1),
        on=Write(state, 2),
    )


def _dpi(model: str, title: str, source: str, column: int, states: Mapping[int | str, State], firmware: str) -> Family:
    state = Column(f"2.6.223.8.2.2.1.{column}.{{outlet}}")
    return Family(
        model=model,
        title=title,
        source=source,
        trust="A",
        signs=(Sign("2.6.223", "2.6.223.7.3.0", firmware),),
        status=state,
        states=states,
        off=Write(state, 0),
        on=Write(state, 1),
        name=Column("2.6.223.8.2.2.1.2.{outlet}"),
    )


@row
def _ibm_dpi() -> Family:
    # Some units with this firmware read 7: not listed, so unknown.
    return _dpi(
        "ibm_dpi",
        "IBM DPI C13/C19 Switched PDU, firmware sIBM",
        "IBM-PDU-MIB before 2012-05",
        11,
        {0: OFF, 1: ON},
        "sIBM",
    )


@row
def _lenovo_dpi() -> Family:
    # Column 11, the state of the older MIB, is the threshold of a current warning here: 6000 is no power state.
    states: dict[int | str, State] = {
        -1: unsure("error"),
        0: OFF,
        1: ON,
        2: unsure("cycling"),
        3: unsure("switching in 10 s"),
        4: unsure("switching in 30 s"),
        5: unsure("switching in 60 s"),
    }
    return _dpi(
        "lenovo_dpi", "IBM and Lenovo DPI PDU, firmware sLEN", "IBM-PDU-MIB of 2012-05 and later", 13, states, "sLEN"
    )


@row
def _digipower() -> Family:
    # One text about all outlets of a unit, read and written as a whole.
    state = Column("17420.1.2.9.{unit}.13.0", element=",")
    return Family(
        model="digipower",
        title="DigiPower, Lindy 32657, LogiLink, Intellinet",
        source="DGPRPM-MIB outlet status",
        trust="A",
        signs=(Sign("17420"),),
        parts=("unit", "outlet"),
        bare=(1,),
        status=state,
        states={"0": OFF, "1": ON, "-1": unsure("absent"), "-2": unsure("power lost")},
        off=Write(state, "0"),
        on=Write(state, "1"),
        name=Column("17420.1.2.9.{unit}.14.{outlet}.0"),
        name_ends=",",
    )


@row
def _apc_epdu() -> Family:
    return Family(
        model="apc_epdu",
        title="APC Easy Rack PDU (EPDU)",
        # The status counts 1 off, 2 on; the command counts 1 on, 2 off. -1 is "not supported".
        source="PowerNet-MIB ePDUOutletStatusState, ePDUOutletControlCommand",
        trust="B",
        signs=(Sign("318.1.3.4.9"),),
        status=Column("318.1.1.30.6.1.1.4.{outlet}"),
        states={1: OFF, 2: ON, -1: unsure("not supported")},
        off=Write(Column("318.1.1.30.6.2.1.4.{outlet}"), 2),
        on=Write(Column("318.1.1.30.6.2.1.4.{outlet}"), 1),
        name=Column("318.1.1.30.6.2.1.2.{outlet}"),
    )


@row
def _apc_cpdu() -> Family:
    # Off and on are 0 and 1 as a status, 1 and 2 as a command: no other family of APC counts so.
    return Family(
        model="apc_cpdu",
        title="APC NetShelter Rack PDU Advanced (cPDU)",
        source="CPDU-MIB pduOutletSwitchedStatusState, pduOutletSwitchedControlCommand",
        trust="B",
        # No sysObjectID of theirs is known: an APC card that no other row knows and that has these objects.
        signs=(Sign("318.1.1.32"), Sign("318", "318.1.1.32.5.4.1.4.1.1")),
        parts=("unit", "outlet"),
        bare=(1,),
        status=Column("318.1.1.32.5.4.1.4.{unit}.{outlet}"),
        states={0: OFF, 1: ON},
        off=Write(Column("318.1.1.32.5.5.1.4.{unit}.{outlet}"), 1),
        on=Write(Column("318.1.1.32.5.5.1.4.{unit}.{outlet}"), 2),
        name=Column("318.1.1.32.5.2.1.2.{unit}.{outlet}"),
    )


@row
def _cyberpower_epdu2() -> Family:
    control = Column("3808.1.1.6.6.1.5.1.5.{outlet}")
    return Family(
        model="cyberpower_epdu2",
        title="CyberPower ePDU2, chainable",
        source="CPS-MIB ePDU2OutletSwitchedStatusState, ePDU2OutletSwitchedControlCommand",
        trust="B",
        signs=(Sign("3808.1.1.6"), Sign("3808", "3808.1.1.6.6.1.4.1.5.1")),
        # The index runs over all units of a chain.
        status=Column("3808.1.1.6.6.1.4.1.5.{outlet}"),
        states={1: ON, 2: OFF},
        guards=_pending("3808.1.1.6.6.1.4.1.6.{outlet}", none=2, a_command_is_pending=1),
        off=Write(control, 2),
        on=Write(control, 1),
        cancels=(Cancel(Write(control, 7)),),
        name=Column("3808.1.1.6.6.1.4.1.4.{outlet}"),
    )


@row
def _eaton_nlogic() -> Family:
    control = Column("534.7.1.5.2.1.10.1.{outlet}")
    return Family(
        model="eaton_nlogic",
        title="Eaton nLogic, PowerXpert strip",
        source="Eaton PDU MIB (534.7.1) outletControlStatus, outletControlCommand",
        trust="B",
        signs=(Sign("534.7.1"),),
        status=Column("534.7.1.5.2.1.1.1.{outlet}"),
        states={1: OFF, 2: ON, 3: unsure("switching off later"), 4: unsure("switching on later")},
        off=Write(control, 1),
        on=Write(control, 2),
        permission=Permission(Column("534.7.1.5.2.1.8.1.{outlet}"), {2: "this outlet cannot be switched"}),
        name=Column("534.7.1.5.1.1.2.1.{outlet}"),
    )


@row
def _geist_v3() -> Family:
    # The MIB has all of these as Gauge32. One object is the status and takes the command, with other numbers.
    state = Column("21239.2.16.1.3.{outlet}", unsigned=True)
    off, on = frozenset[int | str]({0}), frozenset[int | str]({1})
    return Family(
        model="geist_v3",
        title="Geist with a controller of version 3",
        source="GEIST-MIB-V3 ctrlOutletStatus, ctrlOutletFeedback, ctrlOutletPending",
        trust="B",
        signs=(Sign("21239.2"),),
        status=state,
        states={0: OFF, 1: ON},
        guards=(
            # "Should be equal to status."
            Guard(
                Column("21239.2.16.1.4.{outlet}", unsigned=True),
                {Power.OFF: off, Power.ON: on},
                {0: "its feedback is off", 1: "its feedback is on"},
            ),
            # The status that it is to change to.
            Guard(
                Column("21239.2.16.1.5.{outlet}", unsigned=True),
                {Power.OFF: off, Power.ON: on},
                {0: "it is to go off", 1: "it is to go on"},
            ),
        ),
        off=Write(state, 3),
        on=Write(state, 1),
        name=Column("21239.2.16.1.2.{outlet}"),
    )


@row
def _avocent_pm() -> Family:
    control = Column("10418.17.2.5.5.1.6.{port}.{pdu}.{outlet}")
    return Family(
        model="avocent_pm",
        title="Avocent / Vertiv PM PDU, alone or behind an ACS",
        # The control object always reads 1, no action.
        source="PM-MIB pmPowerMgmtOutletsTableStatus, pmPowerMgmtOutletsTablePowerControl",
        trust="B",
        signs=(Sign("10418.17"),),
        parts=("port", "pdu", "outlet"),
        bare=None,
        status=Column("10418.17.2.5.5.1.5.{port}.{pdu}.{outlet}"),
        states={
            0: unsure("not supported"),
            1: OFF,
            2: ON,
            3: unsure("off and locked"),
            4: unsure("on and locked"),
            5: unsure("off, restarting"),
            6: unsure("on, off pending"),
            7: unsure("off, on pending"),
            8: unsure("on, restart pending"),
            9: unsure("not set"),
            10: unsure("fixed on"),
            11: unsure("off by a shutdown"),
            12: unsure("tripped"),
        },
        off=Write(control, 3),
        on=Write(control, 2),
        name=Column("10418.17.2.5.5.1.4.{port}.{pdu}.{outlet}"),
    )


@row
def _tripplite_webcard() -> Family:
    control = Column("850.10.2.3.5.1.4.1.{outlet}")
    return Family(
        model="tripplite_webcard",
        title="Tripp Lite with an elder SNMPWEBCARD",
        source="TRIPPLITE outlet state and command, as fence-agents' apc_snmp has them",
        trust="B",
        signs=(Sign("850.1"),),
        status=Column("850.10.2.3.5.1.2.1.{outlet}"),
        states={1: OFF, 2: ON},
        off=Write(control, 1),
        on=Write(control, 2),
        name=Column("850.10.2.3.5.1.5.1.{outlet}"),
    )


def _hpe(model: str, title: str, tree: int) -> Family:
    # Seconds to wait: 0 is now, -1 calls a waiting command off.
    turn_off = Column(f"232.165.{tree}.5.2.1.2.{{unit}}.{{outlet}}")
    turn_on = Column(f"232.165.{tree}.5.2.1.3.{{unit}}.{{outlet}}")
    pdu = {7: "pdu2", 11: "pdu3"}[tree]
    return Family(
        model=model,
        title=title,
        source=f"CPQPOWER-MIB {pdu}OutletControlStatus, {pdu}OutletControlOffCmd, {pdu}OutletControlOnCmd",
        trust="B",
        signs=(Sign(f"232.165.{tree}"),),
        parts=("unit", "outlet"),
        bare=(1,),
        status=Column(f"232.165.{tree}.5.2.1.1.{{unit}}.{{outlet}}"),
        states={1: OFF, 2: ON, 3: unsure("switching off later"), 4: unsure("switching on later")},
        off=Write(turn_off, 0),
        on=Write(turn_on, 0),
        cancels=(Cancel(Write(turn_off, -1), frozenset({3})), Cancel(Write(turn_on, -1), frozenset({4}))),
        permission=Permission(
            Column(f"232.165.{tree}.5.2.1.8.{{unit}}.{{outlet}}"), {2: "this outlet cannot be switched"}
        ),
        name=Column(f"232.165.{tree}.5.1.1.2.{{unit}}.{{outlet}}"),
    )


@rows
def _hpe_pdus() -> Iterable[Family]:
    return (
        _hpe("hpe_ipdu", "HPE Intelligent PDU, metered and switched", 7),
        _hpe("hpe_g2", "HPE G2 switched PDU", 11),
    )


@row
def _panduit_g5() -> Family:
    control = Column("19536.10.1.5.2.1.10.{unit}.{outlet}")
    # These take seconds to wait, and -1 to call a waiting command off.
    off_later, on_later = (Column(f"19536.10.1.5.2.1.{number}.{{unit}}.{{outlet}}") for number in (2, 3))
    return Family(
        model="panduit_g5",
        title="Panduit G5",
        source="PANDUIT-MIB pdug5OutletControlStatus, pdug5OutletControlCommand",
        trust="B",
        signs=(Sign("19536.10"),),
        parts=("unit", "outlet"),
        bare=(1,),
        status=Column("19536.10.1.5.2.1.1.{unit}.{outlet}"),
        states={1: OFF, 2: ON, 3: unsure("switching off later"), 4: unsure("switching on later")},
        off=Write(control, 1),
        on=Write(control, 2),
        cancels=(Cancel(Write(off_later, -1), frozenset({3})), Cancel(Write(on_later, -1), frozenset({4}))),
        permission=Permission(Column("19536.10.1.5.2.1.8.{unit}.{outlet}"), {2: "this outlet cannot be switched"}),
        name=Column("19536.10.1.5.1.1.2.{unit}.{outlet}"),
    )


@row
def _enlogic() -> Family:
    control = Column("38446.1.5.5.1.4.{unit}.{outlet}")
    return Family(
        model="enlogic",
        title="nVent / Enlogic, switched models",
        source="ENLOGIC-PDU-MIB pduOutletSwitchedStatusState, pduOutletSwitchedControlCommand",
        trust="B",
        signs=(Sign("38446"),),
        parts=("unit", "outlet"),
        bare=(1,),
        status=Column("38446.1.5.4.1.4.{unit}.{outlet}"),
        states={0: OFF, 1: ON},
        off=Write(control, 1),
        on=Write(control, 2),
        name=Column("38446.1.5.4.1.3.{unit}.{outlet}"),
    )


@row
def _netio() -> Family:
    action = Column("47952.1.1.1.5.{outlet}")
    return Family(
        model="netio",
        title="NETIO 4, 4All, PowerPDU, PowerBOX",
        source="NETIO-PRODUCTS-NETIO-MIB netioOutputState, netioOutputAction",
        trust="B",
        signs=(Sign("47952"),),
        status=Column("47952.1.1.1.3.{outlet}"),
        states={0: OFF, 1: ON},
        off=Write(action, 0),
        on=Write(action, 1),
        name=Column("47952.1.1.1.2.{outlet}"),
        one_write_per_request=True,
    )


def _gude(product: int, title: str) -> Family:
    state = Column(f"28507.{product}.1.3.1.2.1.3.{{outlet}}")
    return Family(
        model=f"gude_{title.lower()}",
        title=f"Gude {title}",
        source=f"GUDEADS-{title}-MIB {title.lower()}PortState",
        trust="B",
        signs=(Sign(f"28507.{product}"),),
        status=state,
        states={0: OFF, 1: ON},
        off=Write(state, 0),
        on=Write(state, 1),
        name=Column(f"28507.{product}.1.3.1.2.1.2.{{outlet}}"),
        one_write_per_request=True,
    )


@rows
def _gudes() -> Iterable[Family]:
    # Each product has the same objects below a number of its own.
    products = {
        43: "EPC1202",
        56: "EPC8221",
        58: "EPC8226",
        64: "EPC8316",
        65: "PDU8341",
        67: "ESB7214",
        68: "EPC1104",
        69: "EPC1105",
    }
    return [_gude(product, title) for product, title in products.items()]


@row
def _gude_epc8() -> Family:
    state = Column("28507.1.1.2.2.1.3.{outlet}")
    return Family(
        model="gude_epc8",
        title="Gude EPC8, the elder one",
        source="GUDEADS-EPC8X-MIB epc8PortState",
        trust="B",
        signs=(Sign("28507.1"),),
        status=state,
        states={0: OFF, 1: ON},
        off=Write(state, 0),
        on=Write(state, 1),
        one_write_per_request=True,
    )


@row
def _iboot_pdu() -> Family:
    control = Column("1418.6.5.1.5.{outlet}")
    return Family(
        model="iboot_pdu",
        title="Dataprobe iBoot-PDU",
        source="IBOOTPDU-MIB outlet status, physical relay and outlet control",
        trust="B",
        signs=(Sign("1418.6"),),
        status=Column("1418.6.5.1.6.{outlet}"),
        states={
            0: OFF,
            1: ON,
            2: unsure("cycling"),
            3: unsure("restarting"),
            4: unsure("on pending"),
        },
        # The relay itself, which a status that follows from the command cannot contradict.
        guards=(
            Guard(
                Column("1418.6.5.1.7.{outlet}"),
                {Power.OFF: frozenset({0}), Power.ON: frozenset({1})},
                {0: "its relay is off", 1: "its relay is on"},
            ),
        ),
        off=Write(control, 0),
        on=Write(control, 1),
        name=Column("1418.6.5.1.2.{outlet}"),
        one_write_per_request=True,
    )


@row
def _teltronix() -> Family:
    state = Column("23620.1.2.2.1.4.{outlet}")
    return Family(
        model="teltronix",
        title="Teltronix",
        source="OpenStack Ironic's driver; no MIB was seen",
        trust="B",
        signs=(Sign("23620"),),
        status=state,
        states={1: OFF, 2: ON},
        off=Write(state, 1),
        on=Write(state, 2),
        one_write_per_request=True,
    )


@row
def _dell_rpdu() -> Family:
    control = Column("674.10903.200.2.200.130.1.4.1.4.{outlet}")
    return Family(
        model="dell_rpdu",
        title="Dell Managed Rack PDU",
        source="DellrPDU-MIB rPDUOutletSwitchedStatusState, rPDUOutletSwitchedStatCmdPnding, rPDUOutletSwitchedControlCommand",
        trust="B",
        signs=(Sign("674.10903.200"),),
        status=Column("674.10903.200.2.200.130.1.2.1.4.{outlet}"),
        states={1: ON, 2: OFF, 3: unsure("unknown")},
        guards=_pending(
            "674.10903.200.2.200.130.1.2.1.5.{outlet}", none=2, a_command_is_pending=1, pending_commands_unknown=3
        ),
        off=Write(control, 2),
        on=Write(control, 1),
        name=Column("674.10903.200.2.200.130.1.2.1.3.{outlet}"),
    )


@row
def _bachmann_bluenet2() -> Family:
    mode = Column("31770.2.2.6.5.1.12.{device}.{circuit}.{phase}.{socket}")
    return Family(
        model="bachmann_bluenet2",
        title="Bachmann BlueNet2",
        # Many other numbers are alarms of a socket that is on or off; which of both is not taken from them.
        source="BACHMANN-BLUENET2-MIB blueNet2SocketStatus, blueNet2SocketMode; no driver was seen that switches by it",
        trust="C",
        signs=(Sign("31770.2"),),
        parts=("device", "circuit", "phase", "socket"),
        bare=None,
        status=Column("31770.2.2.6.5.1.11.{device}.{circuit}.{phase}.{socket}"),
        states={19: ON, 20: OFF},
        off=Write(mode, 2),
        on=Write(mode, 1),
        permission=Permission(mode, {4: "this socket has no mode", 5: "this socket cannot be switched"}),
        name=Column("31770.2.2.6.5.1.8.{device}.{circuit}.{phase}.{socket}"),
    )


@row
def _riedo_updu() -> Family:
    wanted = Column("55108.1.4.1.1.3.{module}.{outlet}")
    sound: frozenset[int | str] = frozenset({0})
    return Family(
        model="riedo_updu",
        title="Riedo / RNX UPDU (also sold by Bachmann)",
        # A relay may feed several sockets: upduRelayMeterNames lists them.
        source="RNX-UPDU-MIB upduRelayOperStatus, upduRelayCondition, upduRelayAdminStatus",
        trust="B",
        signs=(Sign("55108"),),
        parts=("module", "outlet"),
        bare=(1,),
        status=Column("55108.1.4.1.1.4.{module}.{outlet}"),
        states={0: OFF, 1: ON, 2: unsure("unknown")},
        guards=(
            Guard(
                Column("55108.1.4.1.1.5.{module}.{outlet}"),
                {Power.OFF: sound, Power.ON: sound},
                {1: "its relay has failed", 2: "its relay's condition is unknown"},
            ),
        ),
        off=Write(wanted, 0),
        on=Write(wanted, 1),
    )


@row
def _socomec_ipdu() -> Family:
    control = Column("4555.1.1.20.1.3.2.4.1.2.{outlet}")
    return Family(
        model="socomec_ipdu",
        title="Socomec iPDU",
        source="SOCOMECIPDU-MIB outletStatusStatus, outletControlControl",
        trust="B",
        signs=(Sign("4555.1.1.20"),),
        status=Column("4555.1.1.20.1.3.2.3.1.2.{outlet}"),
        states={
            1: unsure("unknown"),
            2: OFF,
            3: ON,
            4: unsure("off, going on"),
            5: unsure("on, going off"),
            6: unsure("cycling"),
        },
        off=Write(control, 4),
        on=Write(control, 3),
        cancels=(Cancel(Write(control, 2), frozenset({4, 5, 6})),),
    )


@row
def _schleifenbauer() -> Family:
    state = Column("31034.12.1.1.2.7.3.1.2.{device}.{outlet}")
    return Family(
        model="schleifenbauer",
        title="Schleifenbauer on a databus",
        source="SCHLEIFENBAUER-DATABUS-MIB sdbDevOutSwCurrentState, sdbDevOutSwScheduled, sdbDevOutSwUnlock",
        trust="B",
        signs=(Sign("31034"),),
        parts=("device", "outlet"),
        bare=(1,),
        status=state,
        states={0: OFF, 1: ON},
        guards=_pending("31034.12.1.1.2.7.3.1.3.{device}.{outlet}", none=0, a_command_is_scheduled=1),
        # It listens to a command for ten seconds after this.
        first=(Write(Column("31034.12.1.1.2.7.3.1.4.{device}.{outlet}"), 1),),
        off=Write(state, 0),
        on=Write(state, 1),
        name=Column("31034.12.1.1.2.7.1.1.2.{device}.{outlet}"),
    )


# --- Chassis, switches and power over Ethernet: none is detected, the agent names the model ---


@row
def _ibm_bladecenter() -> Family:
    return Family(
        model="ibm_bladecenter",
        title="IBM BladeCenter, a blade behind its management module",
        source="BladeCenter MIB blade power state and blade power control, as fence-agents' ibmblade has them",
        trust="B",
        kind=Kind.CHASSIS,
        parts=("blade",),
        status=Column("2.3.51.2.22.1.5.1.1.4.{blade}"),
        states={0: OFF, 1: ON},
        off=Write(Column("2.3.51.2.22.1.6.1.1.7.{blade}"), 0),
        on=Write(Column("2.3.51.2.22.1.6.1.1.7.{blade}"), 1),
    )


@row
def _intel_modular() -> Family:
    # The object is the power LED: all other numbers are ways to blink. Off is written as 3.
    led = Column("343.2.19.1.2.10.202.1.1.6.{blade}")
    return Family(
        model="intel_modular",
        title="Intel Modular Server, a compute module",
        source="Intel Modular Server MIB blade power LED, as fence-agents' intelmodular has it",
        trust="B",
        kind=Kind.CHASSIS,
        parts=("blade",),
        status=led,
        states={0: OFF, 2: ON},
        off=Write(led, 3),
        on=Write(led, 2),
    )


@row
def _fc_port() -> Family:
    wanted = Column(".1.3.6.1.2.1.75.1.2.2.1.1.{slot+21}.{port-1}")
    return Family(
        model="cisco_mds",
        title="Fibre Channel port of a Cisco MDS (cuts storage, not power)",
        source="FIBRE-CHANNEL-FE-MIB (RFC 2837) fcFxPortPhysAdminStatus, fcFxPortPhysOperStatus; index as fence-agents' cisco_mds",
        trust="B",
        parts=("slot", "port"),
        bare=None,
        status=wanted,
        states={1: ON, 2: OFF, 3: unsure("testing")},
        # What was asked of the port is not what it does.
        guards=(
            Guard(
                Column(".1.3.6.1.2.1.75.1.2.2.1.2.{slot+21}.{port-1}"),
                {Power.OFF: frozenset({2})},
                {1: "the port is online", 3: "the port is being tested", 4: "the port has a link failure"},
            ),
        ),
        off=Write(wanted, 2),
        on=Write(wanted, 1),
    )


@row
def _switch_port() -> Family:
    wanted = Column(".1.3.6.1.2.1.2.2.1.7.{port}")
    return Family(
        model="switch_port",
        title="Port of any managed switch (cuts the network, not power)",
        source="IF-MIB (RFC 2863) ifAdminStatus, ifOperStatus",
        trust="A",
        parts=("port",),
        status=wanted,
        states={1: ON, 2: OFF, 3: unsure("testing")},
        # What was asked of the port is not what it does. A port without a link is on all the same.
        guards=(
            Guard(
                Column(".1.3.6.1.2.1.2.2.1.8.{port}"),
                {Power.OFF: frozenset({2})},
                {
                    1: "the port is up",
                    3: "the port is being tested",
                    4: "the state of the port is unknown",
                    5: "the port is dormant",
                    6: "the port is not present",
                    7: "the layer below the port is down",
                },
            ),
        ),
        off=Write(wanted, 2),
        on=Write(wanted, 1),
        name=Column(".1.3.6.1.2.1.2.2.1.2.{port}"),
    )


@row
def _poe_port() -> Family:
    # A TruthValue.
    enabled = Column(".1.3.6.1.2.1.105.1.1.1.3.{group}.{port}")
    return Family(
        model="poe_port",
        title="Power over Ethernet port of a switch",
        source="POWER-ETHERNET-MIB (RFC 3621) pethPsePortDetectionStatus, pethPsePortAdminEnable",
        trust="A",
        parts=("group", "port"),
        bare=(1,),
        status=Column(".1.3.6.1.2.1.105.1.1.1.6.{group}.{port}"),
        states={
            1: OFF,
            2: unsure("searching for something to power"),
            3: ON,
            4: unsure("fault"),
            5: unsure("test"),
            6: unsure("another fault"),
        },
        guards=(
            Guard(
                enabled,
                {Power.OFF: frozenset({2}), Power.ON: frozenset({1})},
                {1: "the port may deliver power", 2: "the port may not deliver power"},
            ),
        ),
        off=Write(enabled, 2),
        on=Write(enabled, 1),
    )


FAMILIES: dict[str, Family] = {family.model: family for make in _ROWS for family in make()}


def matching(sys_object_id: Oid) -> list[tuple[Family, Sign]]:
    """The families with the longest prefix of this sysObjectID, each with its sign: none, one, or some that their objects tell apart."""
    found: list[tuple[Family, Sign]] = []
    longest = 0
    for family in FAMILIES.values():
        for sign in family.signs:
            prefix = ENTERPRISES + tuple(int(number) for number in sign.prefix.split("."))
            if sys_object_id[: len(prefix)] != prefix or len(prefix) < longest:
                continue
            if len(prefix) > longest:
                found, longest = [], len(prefix)
            found.append((family, sign))
    return found
