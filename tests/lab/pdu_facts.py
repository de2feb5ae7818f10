# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What PDU families answer over SNMP, as a table: object identifiers, values, indexes, each from its vendor's MIB.

Typed for the rack alone and compared with nothing: the product has its own table, and a slip in one of them must show as
a failing test. Numbers start below 1.3.6.1.4.1; ``{n}`` is the outlet from 1, ``{n0}`` from 0, ``{n1}`` the one after
it, ``{u}`` the unit (1), ``{u0}`` the unit from 0, ``{u21}`` the unit from 22, ``{aten}`` ATEN's numbering with its holes. An
identifier with a dot in front is whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.switch_point import Action

ENTERPRISES = (1, 3, 6, 1, 4, 1)

ON, OFF, CYCLE, CANCEL, NOTHING = Action.ON, Action.OFF, Action.CYCLE, Action.CANCEL, Action.NOTHING
LATER_ON, LATER_OFF, LATER_CYCLE = Action.DELAYED_ON, Action.DELAYED_OFF, Action.DELAYED_CYCLE


@dataclass(frozen=True)
class States:
    """An object that tells an outlet's state. ``to_off`` and ``to_on`` are transitions, where the family tells them."""

    oid: str
    values: Mapping[int, str]
    wanted: bool = False  # it tells what was asked of the outlet, at once, and not what it does

    def value(self, name: str) -> int | None:
        """The number for a state, if the family has one for it."""
        return next((number for number, state in self.values.items() if state == name), None)


@dataclass(frozen=True)
class Commands:
    """An object that takes commands. ``rest`` is what it reads; None: the command that fits the outlet's state.

    ``locked`` is what it reads of an outlet that cannot be switched, where it tells.
    """

    oid: str
    values: Mapping[int, Action]
    rest: int | None = None
    locked: int | None = None


@dataclass(frozen=True)
class Seconds:
    """An object that takes a command by a delay in seconds: 0 now, -1 cancel."""

    oid: str
    action: Action


@dataclass(frozen=True)
class Flag:
    """An object that is one of two numbers."""

    oid: str
    yes: int
    no: int


@dataclass(frozen=True)
class Family:
    """One family of PDUs that answer alike.

    ``index`` is the text behind a column that names an outlet. ``commands`` may be the same object as ``status``.
    ``constants`` are other objects: per outlet where the identifier has a ``{n``, else once; ``#`` makes a text a number.
    """

    row: int
    model: str
    vendor: str
    sys_object_id: str
    status: States
    commands: Commands | None = None
    seconds: tuple[Seconds, ...] = ()
    pending: Flag | None = None
    names: tuple[str, ...] = ()
    switchable: Flag | None = None
    relay_failed: Flag | None = None
    switched_at: str | None = None  # when the outlet was last switched, Unix time
    control_state: States | None = None
    index: str = "{n}"
    count: str | None = None
    constants: Mapping[str, int | str | bytes] = field(default_factory=dict)
    all_outlets: Commands | None = None  # one object that commands every outlet
    queue: Mapping[int, Action] = field(default_factory=dict)  # values of ``commands`` that wait for ``commit``
    commit: str | None = None
    all_states: tuple[str, str, str] | None = None  # a text of all states: identifier, word for on, word for off
    all_pending: tuple[str, str, str] | None = None  # the same of transitions
    mirror: Flag | None = (
        None  # a second witness: yes for on, no for off; ``relay_failed`` turns it round where there is no flag for that
    )
    going_to: Flag | None = None  # the state that it is to have: the present one if nothing is under way
    unlock: str | None = None  # a command works within ten seconds after 1 was written here, and is in vain otherwise
    gauge: bool = False  # these numbers are Gauge32
    one_string: str | None = None  # status and command of all outlets are this comma-separated text


APC_DELAYED = {1: ON, 2: OFF, 3: CYCLE, 4: LATER_ON, 5: LATER_OFF, 6: LATER_CYCLE, 7: CANCEL}
ON_OFF_CYCLE = {1: ON, 2: OFF, 3: CYCLE}
ONE_ZERO_CYCLE = {1: ON, 0: OFF, 2: CYCLE}

# PDU2-MIB SensorStateEnumeration; an outlet is on, off or unavailable
SENSOR_STATES = {
    -1: "unavailable",
    0: "open",
    1: "closed",
    2: "below_lower_critical",
    3: "below_lower_warning",
    4: "normal",
    5: "above_upper_warning",
    6: "above_upper_critical",
    7: "on",
    8: "off",
    9: "detected",
    10: "not_detected",
    11: "alarmed",
    12: "ok",
    14: "fail",
    17: "standby",
    26: "fault",
    27: "warning",
    28: "critical",
}

_FAMILIES = (
    Family(
        row=1,
        model="apc_rpdu",
        vendor="APC Switched Rack PDU AP79xx (PowerNet-MIB, rPDUOutlet)",
        sys_object_id="318.1.3.4.5",
        status=States("318.1.1.12.3.5.1.1.4.{n}", {1: "on", 2: "off"}),
        commands=Commands("318.1.1.12.3.3.1.1.4.{n}", APC_DELAYED),
        pending=Flag("318.1.1.12.3.5.1.1.5.{n}", yes=1, no=2),
        names=("318.1.1.12.3.5.1.1.2.{n}",),
        constants={"318.1.1.12.3.5.1.1.3.{n}": 1, "318.1.1.12.3.5.1.1.6.{n}": 1},
    ),
    Family(
        row=2,
        model="apc_rpdu2",
        vendor="APC Rack PDU AP8xxx, APDU9xxx, APDU10xxx (PowerNet-MIB, rPDU2OutletSwitched)",
        sys_object_id="318.1.3.4.6",
        status=States("318.1.1.26.9.2.3.1.5.{n}", {1: "off", 2: "on"}),
        commands=Commands(
            "318.1.1.26.9.2.4.1.5.{n}",
            {1: ON, 2: OFF, 3: CYCLE, 4: NOTHING, 5: LATER_ON, 6: LATER_OFF, 7: LATER_CYCLE, 8: CANCEL},
        ),
        pending=Flag("318.1.1.26.9.2.3.1.6.{n}", yes=1, no=2),
        names=("318.1.1.26.9.2.3.1.3.{n}",),
        constants={"318.1.1.26.9.2.3.1.2.{n}": 1, "318.1.1.26.9.2.3.1.4.{n}": "#{n}"},
    ),
    Family(
        row=3,
        model="apc_masterswitch",
        vendor="APC MasterSwitch (PowerNet-MIB, sPDUOutletCtl)",
        sys_object_id="318.1.3.4.1",
        status=States("318.1.1.4.4.2.1.3.{n}", {1: "on", 2: "off", 4: "unknown"}),
        commands=Commands("318.1.1.4.4.2.1.3.{n}", {**ON_OFF_CYCLE, 5: LATER_ON, 6: LATER_OFF, 7: LATER_CYCLE}),
        names=("318.1.1.4.4.2.1.4.{n}",),
        count="318.1.1.4.4.1.0",
        all_states=("318.1.1.4.2.2.0", "On", "Off"),
        all_pending=("318.1.1.4.2.3.0", "Yes", "No"),
    ),
    Family(
        row=4,
        model="apc_masterswitch_plus",
        vendor="APC MasterSwitch Plus (PowerNet-MIB, sPDUOutletControlMSP)",
        sys_object_id="318.1.3.4.4",
        status=States("318.1.1.6.7.1.1.5.{u}.1.{n}", {1: "on", 2: "off"}),
        commands=Commands(
            "318.1.1.6.5.1.1.5.{u}.1.{n}", {1: ON, 2: LATER_ON, 3: OFF, 4: LATER_CYCLE, 5: CYCLE, 8: CANCEL}
        ),
        pending=Flag("318.1.1.6.7.1.1.6.{u}.1.{n}", yes=1, no=2),
        names=("318.1.1.6.7.1.1.4.{u}.1.{n}",),
        index="{u}.1.{n}",
    ),
    Family(
        row=6,
        model="cyberpower_epdu",
        vendor="CyberPower PDU15SW, 41001, 81001 (CPS-MIB, ePDUOutlet)",
        sys_object_id="3808.1.1.3",
        status=States("3808.1.1.3.3.5.1.1.4.{n}", {1: "on", 2: "off"}),
        commands=Commands("3808.1.1.3.3.3.1.1.4.{n}", {**APC_DELAYED, 8: NOTHING}),
        pending=Flag("3808.1.1.3.3.5.1.1.5.{n}", yes=1, no=2),
        names=("3808.1.1.3.3.5.1.1.2.{n}",),
        constants={"3808.1.1.3.3.5.1.1.3.{n}": 1, "3808.1.1.3.3.5.1.1.6.{n}": 1},
    ),
    Family(
        row=8,
        model="eaton_g3",
        vendor="Eaton ePDU G2 and G3 (EATON-EPDU-MIB, outletControl)",
        sys_object_id="534.6.6.7",
        status=States("534.6.6.7.6.6.1.2.{u0}.{n}", {0: "off", 1: "on", 2: "to_off", 3: "to_on"}),
        seconds=(
            Seconds("534.6.6.7.6.6.1.3.{u0}.{n}", OFF),
            Seconds("534.6.6.7.6.6.1.4.{u0}.{n}", ON),
            Seconds("534.6.6.7.6.6.1.5.{u0}.{n}", CYCLE),
        ),
        names=("534.6.6.7.6.1.1.3.{u0}.{n}",),
        switchable=Flag("534.6.6.7.6.6.1.9.{u0}.{n}", yes=1, no=2),
        index="{u0}.{n}",
        constants={"534.6.6.7.6.1.1.6.{u0}.{n}": "A{n}"},
    ),
    Family(
        row=9,
        model="eaton_revelation",
        vendor="Eaton / Powerware Managed ePDU (POWERWARE, 534.6.6.6)",
        sys_object_id="534.6.6.6",
        status=States("534.6.6.6.1.2.2.1.3.{n0}", {0: "off", 1: "on", 2: "cycling", -1: "error"}),
        commands=Commands("534.6.6.6.1.2.2.1.3.{n0}", ONE_ZERO_CYCLE),
        names=("534.6.6.6.1.2.2.1.2.{n0}",),
        index="{n0}",
        count="534.6.6.6.1.2.1.0",
        constants={"534.6.6.6.1.2.2.1.1.{n0}": "#{n0}"},
    ),
    Family(
        row=10,
        model="eaton_pulizzi",
        vendor="Eaton Switched ePDU, Pulizzi IPC and IPV (PULIZZI, 20677.2)",
        sys_object_id="20677.1",
        status=States("20677.2.6.3.{n}.0", {1: "on", 2: "off", 0: "absent"}),
        commands=Commands("20677.2.6.2.{n1}.0", {**ON_OFF_CYCLE, 4: NOTHING}, rest=4),
        names=("20677.2.6.1.{n}.1.0",),
        all_outlets=Commands("20677.2.6.2.1.0", {**ON_OFF_CYCLE, 4: NOTHING}, rest=4),
    ),
    Family(
        row=12,
        model="raritan_px",
        vendor="Raritan Dominion PX, first generation (PDU-MIB)",
        sys_object_id="13742.4",
        status=States("13742.4.1.2.2.1.3.{n}", {0: "off", 1: "on", 2: "cycling", -1: "error"}),
        commands=Commands("13742.4.1.2.2.1.3.{n}", ONE_ZERO_CYCLE),
        names=("13742.4.1.2.2.1.2.{n}",),
        count="13742.4.1.2.1.0",
    ),
    Family(
        row=13,
        model="raritan_px2",
        vendor="Raritan PX2, PX3, PX4, PXC, Server Technology PRO4X (PDU2-MIB)",
        sys_object_id="13742.6",
        status=States("13742.6.4.1.2.1.3.{u}.{n}", SENSOR_STATES),
        commands=Commands("13742.6.4.1.2.1.2.{u}.{n}", ONE_ZERO_CYCLE),
        names=("13742.6.3.5.3.1.3.{u}.{n}",),
        switchable=Flag("13742.6.3.5.3.1.28.{u}.{n}", yes=1, no=2),
        index="{u}.{n}",
        count="13742.6.3.2.2.1.4.{u}",
        constants={"13742.6.3.5.3.1.2.{u}.{n}": "{n}"},
        switched_at="13742.6.4.1.2.1.4.{u}.{n}",
    ),
    Family(
        row=14,
        model="sentry3",
        vendor="Server Technology Switched CDU (Sentry3-MIB)",
        sys_object_id="1718.3",
        status=States(
            "1718.3.2.3.1.5.{u}.1.{n}",
            {
                0: "off",
                1: "on",
                2: "to_off",  # off-wait
                3: "to_on",  # on-wait
                4: "off_error",
                5: "on_error",
                6: "no_comm",
                7: "reading",
                8: "off_fuse",
                9: "on_fuse",
            },
        ),
        commands=Commands("1718.3.2.3.1.11.{u}.1.{n}", {0: NOTHING, **ON_OFF_CYCLE}, rest=0),
        names=("1718.3.2.3.1.3.{u}.1.{n}",),
        control_state=States(
            "1718.3.2.3.1.10.{u}.1.{n}",
            {
                0: "idle_off",
                1: "idle_on",
                2: "wake_off",
                3: "wake_on",
                4: "off",
                5: "on",
                6: "locked_off",
                7: "locked_on",
                8: "reboot",
                9: "shutdown",
                10: "to_on",
                11: "to_off",
                12: "minimum_off",
                13: "minimum_on",
                14: "event_off",
                15: "event_on",
                16: "event_reboot",
                17: "event_shutdown",
            },
        ),
        index="{u}.1.{n}",
        constants={
            "1718.3.2.3.1.2.{u}.1.{n}": "AA{n}",
            "1718.3.2.3.1.4.{u}.1.{n}": b"\xe0\x00",  # onSense, loadSense, powerControl
        },
    ),
    Family(
        row=15,
        model="sentry4",
        vendor="Server Technology PRO1, PRO2 (Sentry4-MIB)",
        sys_object_id="1718.4",
        status=States("1718.4.1.8.3.1.1.{u}.1.{n}", {0: "unknown", 1: "on", 2: "off"}),
        commands=Commands("1718.4.1.8.5.1.2.{u}.1.{n}", {0: NOTHING, **ON_OFF_CYCLE}, rest=0),
        names=("1718.4.1.8.2.1.3.{u}.1.{n}",),
        control_state=States(
            "1718.4.1.8.5.1.1.{u}.1.{n}",
            {
                0: "not_set",
                1: "fixed_on",
                2: "idle_off",
                3: "idle_on",
                4: "wake_off",
                5: "wake_on",
                6: "ocp_off",
                7: "ocp_on",
                8: "to_on",
                9: "to_off",
                10: "off",
                11: "on",
                12: "reboot",
                13: "shutdown",
                14: "locked_off",
                15: "locked_on",
                16: "event_off",
                17: "event_on",
                18: "event_reboot",
                19: "event_shutdown",
            },
        ),
        index="{u}.1.{n}",
        constants={"1718.4.1.8.2.1.2.{u}.1.{n}": "AA{n}", "1718.4.1.8.3.1.2.{u}.1.{n}": 0},
        queue={4: ON, 5: OFF, 6: CYCLE},
        commit="1718.4.1.8.6.1.0",
    ),
    Family(
        row=16,
        model="geist_v5",
        vendor="Vertiv / Geist rPDU with IMD (VERTIV-V5-MIB, outletSwitching)",
        sys_object_id="21239.5.2",
        status=States(
            "21239.5.2.3.5.1.4.{n}",
            {1: "on", 2: "off", 3: "to_off", 4: "to_on", 5: "cycling", 6: "cycling_off", 7: "unavailable"},
        ),
        commands=Commands(
            "21239.5.2.3.5.1.6.{n}",
            {1: CANCEL, 2: ON, 3: LATER_ON, 4: OFF, 5: LATER_OFF, 6: CYCLE, 7: LATER_CYCLE, 8: NOTHING},
            rest=8,
        ),
        names=("21239.5.2.3.5.1.2.{n}", "21239.5.2.3.5.1.3.{n}"),
        relay_failed=Flag("21239.5.2.3.5.1.5.{n}", yes=1, no=2),
        constants={"21239.5.2.3.5.1.7.{n}": 0},  # seconds to action
    ),
    Family(
        row=18,
        model="liebert_mph",
        vendor="Emerson / Liebert MPH and MPX (LIEBERT-GP-PDU-MIB)",
        sys_object_id="476.1.42",
        status=States("476.1.42.3.8.50.20.1.95.{u}.1.{n}", {0: "unknown", 1: "off", 2: "on", 3: "to_on"}),
        commands=Commands("476.1.42.3.8.50.20.1.100.{u}.1.{n}", ONE_ZERO_CYCLE),
        names=("476.1.42.3.8.50.20.1.10.{u}.1.{n}",),
        switchable=Flag("476.1.42.3.8.50.20.1.105.{u}.1.{n}", yes=1, no=2),  # unlocked, locked
        index="{u}.1.{n}",
    ),
    Family(
        row=20,
        model="tripplite_padm",
        vendor="Tripp Lite PADM and LX platform (TRIPPLITE-PRODUCTS)",
        sys_object_id="850.1.1.1",
        status=States("850.1.1.3.2.3.3.1.1.4.{u}.{n}", {0: "unknown", 1: "off", 2: "on"}),
        commands=Commands("850.1.1.3.2.3.3.1.1.6.{u}.{n}", {0: NOTHING, 2: ON, 1: OFF, 3: CYCLE}, rest=0),
        names=("850.1.1.3.2.3.3.1.1.2.{u}.{n}",),
        switchable=Flag("850.1.1.3.2.3.3.1.1.5.{u}.{n}", yes=1, no=2),
        index="{u}.{n}",
    ),
    Family(
        row=29,
        model="baytech",
        vendor="BayTech RPC, MMP, DS (BAYTECH-MIB)",
        sys_object_id="4779",
        status=States("4779.1.3.5.3.1.3.{u}.{n}", {0: "off", 1: "on", 3: "locked_on", 4: "locked_off", 6: "unknown"}),
        commands=Commands("4779.1.3.5.3.1.3.{u}.{n}", {**ONE_ZERO_CYCLE, 5: NOTHING}),
        names=("4779.1.3.5.3.1.4.{u}.{n}",),
        index="{u}.{n}",
    ),
    Family(
        row=30,
        model="aten_pe",
        vendor="ATEN PE (ATEN-PE-CFG)",
        sys_object_id="21317",
        status=States(
            "21317.1.3.2.2.2.2.{aten}.0",
            {
                1: "off",
                2: "on",
                3: "pending",
                4: "reboot",
                5: "fault",
                6: "no_auth",
                7: "not_supported",
                8: "pop",
            },
        ),
        commands=Commands("21317.1.3.2.2.2.2.{aten}.0", {2: ON, 1: OFF, 4: CYCLE}),
        names=("21317.1.3.2.2.2.2.10.1.2.{n}",),  # outletConfigTable: the reason for the hole at 10
    ),
    Family(
        row=33,
        model="ibm_dpi",
        vendor="IBM DPI C13 and C19 with firmware sIBM (IBM-PDU-MIB, old)",
        sys_object_id="2.6.223",
        status=States("2.6.223.8.2.2.1.11.{n}", {0: "off", 1: "on"}),
        commands=Commands("2.6.223.8.2.2.1.11.{n}", ONE_ZERO_CYCLE),
        names=("2.6.223.8.2.2.1.2.{n}",),
        count="2.6.223.8.2.1.0",
        constants={"2.6.223.7.3.0": "OPDP_sIBM_v01.2_1"},
    ),
    Family(
        row=34,
        model="lenovo_dpi",
        vendor="IBM / Lenovo DPI with firmware sLEN (IBM-PDU-MIB of 2012 and later)",
        sys_object_id="2.6.223",
        status=States(
            "2.6.223.8.2.2.1.13.{n}",
            {-1: "error", 0: "off", 1: "on", 2: "cycling", 3: "delayed_10", 4: "delayed_30", 5: "delayed_60"},
        ),
        commands=Commands("2.6.223.8.2.2.1.13.{n}", ONE_ZERO_CYCLE),
        names=("2.6.223.8.2.2.1.2.{n}",),
        count="2.6.223.8.2.1.0",
        constants={"2.6.223.7.3.0": "OPDP_sLEN_v01.4_1", "2.6.223.8.2.2.1.11.{n}": 6000},  # a current warning threshold
    ),
    Family(
        row=35,
        model="digipower",
        vendor="DigiPower, Lindy 32657, Logilink, Intellinet (DGPRPM-MIB)",
        sys_object_id="17420",
        status=States("17420.1.2.9.{u}.13.0", {1: "on", 0: "off", -1: "absent", -2: "power_lost"}),
        names=("17420.1.2.9.{u}.14.{n}.0",),
        constants={"17420.1.2.5.0": "1"},
        one_string="17420.1.2.9.{u}.13.0",
    ),
    Family(
        row=5,
        model="apc_epdu",
        vendor="APC Easy Rack PDU (PowerNet-MIB, ePDUOutlet)",
        sys_object_id="318.1.3.4.9",
        status=States("318.1.1.30.6.1.1.4.{n}", {1: "off", 2: "on", -1: "not_supported"}),
        commands=Commands("318.1.1.30.6.2.1.4.{n}", {1: ON, 2: OFF, 3: NOTHING}),
        names=("318.1.1.30.6.2.1.2.{n}",),
    ),
    Family(
        row=7,
        model="cyberpower_epdu2",
        vendor="CyberPower ePDU2 (CPS-MIB, ePDU2OutletSwitched)",
        sys_object_id="3808.1.1.6",
        status=States("3808.1.1.6.6.1.4.1.5.{n}", {1: "on", 2: "off"}),
        commands=Commands("3808.1.1.6.6.1.5.1.5.{n}", {**APC_DELAYED, 8: NOTHING}),
        pending=Flag("3808.1.1.6.6.1.4.1.6.{n}", yes=1, no=2),
        names=("3808.1.1.6.6.1.4.1.4.{n}",),
        constants={"3808.1.1.6.6.1.4.1.2.{n}": 1, "3808.1.1.6.6.1.4.1.3.{n}": "#{n}"},
    ),
    Family(
        row=11,
        model="eaton_nlogic",
        vendor="Eaton nLogic, PowerXpert strip (534.7.1)",
        sys_object_id="534.7.1",
        status=States("534.7.1.5.2.1.1.1.{n}", {1: "off", 2: "on", 3: "to_off", 4: "to_on"}),
        commands=Commands(
            "534.7.1.5.2.1.10.1.{n}", {2: ON, 1: OFF, 5: CYCLE, 3: LATER_OFF, 4: LATER_ON, 6: LATER_CYCLE}
        ),
        names=("534.7.1.5.1.1.2.1.{n}",),
        switchable=Flag("534.7.1.5.2.1.8.1.{n}", yes=1, no=2),
    ),
    Family(
        row=17,
        model="geist_v3",
        vendor="Geist with a controller of version 3 (GEIST-MIB-V3, ctrlOutlet)",
        sys_object_id="21239.2.1",
        status=States("21239.2.16.1.3.{n}", {0: "off", 1: "on"}),
        commands=Commands(
            "21239.2.16.1.3.{n}",
            {0: CANCEL, 1: ON, 2: LATER_ON, 3: OFF, 4: LATER_OFF, 5: CYCLE, 6: LATER_CYCLE},
        ),
        names=("21239.2.16.1.2.{n}",),
        mirror=Flag("21239.2.16.1.4.{n}", yes=1, no=0),
        going_to=Flag("21239.2.16.1.5.{n}", yes=1, no=0),
        gauge=True,
    ),
    Family(
        row=19,
        model="avocent_pm",
        vendor="Avocent / Vertiv PM PDU (PM-MIB, pmPowerMgmtOutletsTable)",
        sys_object_id="10418.17.1.1",
        status=States(
            "10418.17.2.5.5.1.5.{u}.1.{n}",
            {
                0: "not_supported",
                1: "off",
                2: "on",
                3: "locked_off",
                4: "locked_on",
                5: "off_cycle",
                6: "to_off",
                7: "to_on",
                8: "on_pending_cycle",
                9: "not_set",
                10: "fixed_on",
                11: "off_shutdown",
                12: "tripped",
            },
        ),
        commands=Commands(
            "10418.17.2.5.5.1.6.{u}.1.{n}", {1: NOTHING, 2: ON, 3: OFF, 4: CYCLE, 5: NOTHING, 6: NOTHING}, rest=1
        ),
        names=("10418.17.2.5.5.1.4.{u}.1.{n}",),
        index="{u}.1.{n}",
    ),
    Family(
        row=21,
        model="tripplite_webcard",
        vendor="Tripp Lite with an elder SNMPWEBCARD (TRIPPLITE, 850.10)",
        sys_object_id="850.1",
        status=States("850.10.2.3.5.1.2.1.{n}", {1: "off", 2: "on"}),
        commands=Commands("850.10.2.3.5.1.4.1.{n}", {1: OFF, 2: ON}),
        names=("850.10.2.3.5.1.5.1.{n}",),
    ),
    Family(
        row=22,
        model="hpe_ipdu",
        vendor="HPE Intelligent PDU (CPQPOWER-MIB, pdu2Outlet)",
        sys_object_id="232.165.7",
        status=States("232.165.7.5.2.1.1.{u}.{n}", {1: "off", 2: "on", 3: "to_off", 4: "to_on"}),
        seconds=(
            Seconds("232.165.7.5.2.1.2.{u}.{n}", OFF),
            Seconds("232.165.7.5.2.1.3.{u}.{n}", ON),
            Seconds("232.165.7.5.2.1.4.{u}.{n}", CYCLE),
        ),
        names=("232.165.7.5.1.1.2.{u}.{n}",),
        switchable=Flag("232.165.7.5.2.1.8.{u}.{n}", yes=1, no=2),
        index="{u}.{n}",
    ),
    Family(
        row=23,
        model="hpe_g2",
        vendor="HPE G2 switched PDU (CPQPOWER-MIB, pdu3Outlet)",
        sys_object_id="232.165.11",
        status=States("232.165.11.5.2.1.1.{u}.{n}", {1: "off", 2: "on", 3: "to_off", 4: "to_on"}),
        seconds=(
            Seconds("232.165.11.5.2.1.2.{u}.{n}", OFF),
            Seconds("232.165.11.5.2.1.3.{u}.{n}", ON),
            Seconds("232.165.11.5.2.1.4.{u}.{n}", CYCLE),
        ),
        names=("232.165.11.5.1.1.2.{u}.{n}",),
        switchable=Flag("232.165.11.5.2.1.8.{u}.{n}", yes=1, no=2),
        index="{u}.{n}",
    ),
    Family(
        row=24,
        model="panduit_g5",
        vendor="Panduit G5 (PANDUIT-MIB, pdug5Outlet)",
        sys_object_id="19536.10.1",
        status=States("19536.10.1.5.2.1.1.{u}.{n}", {1: "off", 2: "on", 3: "to_off", 4: "to_on"}),
        commands=Commands(
            "19536.10.1.5.2.1.10.{u}.{n}",
            {2: ON, 1: OFF, 5: CYCLE, 3: LATER_OFF, 4: LATER_ON, 6: LATER_CYCLE, 7: NOTHING},
        ),
        seconds=(
            Seconds("19536.10.1.5.2.1.2.{u}.{n}", OFF),
            Seconds("19536.10.1.5.2.1.3.{u}.{n}", ON),
            Seconds("19536.10.1.5.2.1.4.{u}.{n}", CYCLE),
        ),
        names=("19536.10.1.5.1.1.2.{u}.{n}",),
        switchable=Flag("19536.10.1.5.2.1.8.{u}.{n}", yes=1, no=2),
        index="{u}.{n}",
    ),
    Family(
        row=25,
        model="enlogic",
        vendor="nVent / Enlogic (ENLOGIC-PDU-MIB, pduOutletSwitched)",
        sys_object_id="38446.1",
        status=States("38446.1.5.4.1.4.{u}.{n}", {0: "off", 1: "on"}),
        commands=Commands(
            "38446.1.5.5.1.4.{u}.{n}",
            {2: ON, 1: OFF, 5: CYCLE, 3: LATER_OFF, 4: LATER_ON, 6: LATER_CYCLE, 7: NOTHING},
        ),
        names=("38446.1.5.4.1.3.{u}.{n}",),
        index="{u}.{n}",
    ),
    Family(
        row=26,
        model="netio",
        vendor="NETIO 4All, PowerPDU (NETIO-PRODUCTS-NETIO-MIB)",
        sys_object_id="47952.1.1",
        status=States("47952.1.1.1.3.{n}", {0: "off", 1: "on"}),
        commands=Commands("47952.1.1.1.5.{n}", {0: OFF, 1: ON, 2: CYCLE, 3: NOTHING, 4: NOTHING, 5: NOTHING}, rest=5),
        names=("47952.1.1.1.2.{n}",),
    ),
    *(
        Family(
            row=27,
            model=f"gude_{product}",
            vendor=f"Gude Expert Power Control {product} (28507.{number})",
            sys_object_id=f"28507.{number}",
            status=States(f"28507.{number}.1.3.1.2.1.3.{{n}}", {0: "off", 1: "on"}),
            commands=Commands(f"28507.{number}.1.3.1.2.1.3.{{n}}", {0: OFF, 1: ON}),
            names=(f"28507.{number}.1.3.1.2.1.2.{{n}}",),
        )
        for product, number in (
            ("epc1202", 43),
            ("epc8221", 56),
            ("epc8226", 58),
            ("epc8316", 64),
            ("pdu8341", 65),
            ("esb7214", 67),
            ("epc1104", 68),
            ("epc1105", 69),
        )
    ),
    Family(
        row=27,
        model="gude_epc8",
        vendor="Gude Expert Power Control 8, the elder one (28507.1)",
        sys_object_id="28507.1",
        status=States("28507.1.1.2.2.1.3.{n}", {0: "off", 1: "on"}),
        commands=Commands("28507.1.1.2.2.1.3.{n}", {0: OFF, 1: ON}),
    ),
    Family(
        row=28,
        model="iboot_pdu",
        vendor="Dataprobe iBoot-PDU (IBOOTPDU-MIB)",
        sys_object_id="1418.6",
        status=States("1418.6.5.1.6.{n}", {0: "off", 1: "on", 2: "cycling", 3: "rebooting", 4: "to_on"}),
        commands=Commands("1418.6.5.1.5.{n}", ONE_ZERO_CYCLE),
        names=("1418.6.5.1.2.{n}",),
        mirror=Flag("1418.6.5.1.7.{n}", yes=1, no=0),
    ),
    Family(
        row=31,
        model="teltronix",
        vendor="Teltronix (23620)",
        sys_object_id="23620",
        status=States("23620.1.2.2.1.4.{n}", {1: "off", 2: "on"}),
        commands=Commands("23620.1.2.2.1.4.{n}", {1: OFF, 2: ON}),
    ),
    Family(
        row=32,
        model="dell_rpdu",
        vendor="Dell Managed Rack PDU (DellrPDU-MIB)",
        sys_object_id="674.10903.200.2.200.150.1",
        status=States("674.10903.200.2.200.130.1.2.1.4.{n}", {1: "on", 2: "off", 3: "unknown"}),
        commands=Commands(
            "674.10903.200.2.200.130.1.4.1.4.{n}",
            {1: ON, 2: OFF, 3: CYCLE, 4: NOTHING, 5: LATER_ON, 6: LATER_OFF, 7: LATER_CYCLE},
        ),
        pending=Flag("674.10903.200.2.200.130.1.2.1.5.{n}", yes=1, no=2),
        names=("674.10903.200.2.200.130.1.2.1.3.{n}",),
    ),
    Family(
        row=36,
        model="bachmann_bluenet2",
        vendor="Bachmann BlueNet2 (BACHMANN-BLUENET2-MIB, blueNet2Socket)",
        sys_object_id="31770.2.1",
        status=States("31770.2.2.6.5.1.11.{u}.1.1.{n}", {19: "on", 20: "off"}),
        commands=Commands("31770.2.2.6.5.1.12.{u}.1.1.{n}", {1: ON, 2: OFF}, locked=5),
        names=("31770.2.2.6.5.1.8.{u}.1.1.{n}",),
        index="{u}.1.1.{n}",
    ),
    Family(
        row=37,
        model="apc_cpdu",
        vendor="APC NetShelter Rack PDU Advanced (CPDU-MIB)",
        sys_object_id="318.1.3.4.20",
        status=States("318.1.1.32.5.4.1.4.{u}.{n}", {0: "off", 1: "on"}),
        commands=Commands(
            "318.1.1.32.5.5.1.4.{u}.{n}",
            {2: ON, 1: OFF, 5: CYCLE, 3: LATER_OFF, 4: LATER_ON, 6: LATER_CYCLE, 7: NOTHING},
        ),
        names=("318.1.1.32.5.2.1.2.{u}.{n}",),
        index="{u}.{n}",
    ),
    Family(
        row=38,
        model="riedo_updu",
        vendor="Riedo / RNX UPDU (RNX-UPDU-MIB, upduRelay)",
        sys_object_id="55108.2.1",
        status=States("55108.1.4.1.1.4.{u}.{n}", {0: "off", 1: "on", 2: "unknown"}),
        commands=Commands("55108.1.4.1.1.3.{u}.{n}", {0: OFF, 1: ON}),
        relay_failed=Flag("55108.1.4.1.1.5.{u}.{n}", yes=1, no=0),
        index="{u}.{n}",
        constants={"55108.1.4.1.1.2.{u}.{n}": "C{n}"},
    ),
    Family(
        row=39,
        model="socomec_ipdu",
        vendor="Socomec iPDU (SOCOMECIPDU-MIB)",
        sys_object_id="4555.1.1.20",
        status=States(
            "4555.1.1.20.1.3.2.3.1.2.{n}", {1: "unknown", 2: "off", 3: "on", 4: "to_on", 5: "to_off", 6: "cycling"}
        ),
        commands=Commands(
            "4555.1.1.20.1.3.2.4.1.2.{n}",
            {1: NOTHING, 2: CANCEL, 3: ON, 4: OFF, 5: CYCLE, 6: LATER_ON, 7: LATER_OFF, 8: LATER_CYCLE},
            rest=1,
        ),
    ),
    Family(
        row=40,
        model="schleifenbauer",
        vendor="Schleifenbauer on a databus (SCHLEIFENBAUER-DATABUS-MIB)",
        sys_object_id="31034.12",
        status=States("31034.12.1.1.2.7.3.1.2.{u}.{n}", {0: "off", 1: "on"}),
        commands=Commands("31034.12.1.1.2.7.3.1.2.{u}.{n}", {0: OFF, 1: ON}),
        pending=Flag("31034.12.1.1.2.7.3.1.3.{u}.{n}", yes=1, no=0),
        names=("31034.12.1.1.2.7.1.1.2.{u}.{n}",),
        unlock="31034.12.1.1.2.7.3.1.4.{u}.{n}",
        index="{u}.{n}",
    ),
    # What is not a PDU; the numbers of their rows are ours.
    Family(
        row=101,
        model="ibm_bladecenter",
        vendor="IBM BladeCenter management module",
        sys_object_id="2.6.158.3",
        status=States("2.3.51.2.22.1.5.1.1.4.{n}", {0: "off", 1: "on"}),
        commands=Commands("2.3.51.2.22.1.6.1.1.7.{n}", {0: OFF, 1: ON}),
    ),
    Family(
        row=102,
        model="intel_modular",
        vendor="Intel Modular Server",
        sys_object_id="343.2.19",
        status=States("343.2.19.1.2.10.202.1.1.6.{n}", {0: "off", 2: "on"}),
        commands=Commands("343.2.19.1.2.10.202.1.1.6.{n}", {2: ON, 3: OFF}),
    ),
    Family(
        row=103,
        model="cisco_mds",
        vendor="Cisco MDS, Fibre Channel ports (FIBRE-CHANNEL-FE-MIB)",
        sys_object_id="9.12.3.1.3.519",
        status=States(".1.3.6.1.2.1.75.1.2.2.1.1.{u21}.{n0}", {1: "on", 2: "off", 3: "testing"}, wanted=True),
        commands=Commands(".1.3.6.1.2.1.75.1.2.2.1.1.{u21}.{n0}", {1: ON, 2: OFF}),
        mirror=Flag(".1.3.6.1.2.1.75.1.2.2.1.2.{u21}.{n0}", yes=1, no=2),
        index="{u21}.{n0}",
    ),
    Family(
        row=104,
        model="switch_port",
        vendor="A managed switch (IF-MIB)",
        sys_object_id="9.1.1208",
        status=States(".1.3.6.1.2.1.2.2.1.7.{n}", {1: "on", 2: "off", 3: "testing"}, wanted=True),
        commands=Commands(".1.3.6.1.2.1.2.2.1.7.{n}", {1: ON, 2: OFF}),
        mirror=Flag(".1.3.6.1.2.1.2.2.1.8.{n}", yes=1, no=2),
        names=(".1.3.6.1.2.1.2.2.1.2.{n}",),
    ),
    Family(
        row=105,
        model="poe_port",
        vendor="A switch with power over Ethernet (POWER-ETHERNET-MIB)",
        sys_object_id="9.1.1209",
        status=States(
            ".1.3.6.1.2.1.105.1.1.1.6.{u}.{n}",
            {1: "off", 2: "searching", 3: "on", 4: "fault", 5: "test", 6: "other_fault"},
        ),
        commands=Commands(".1.3.6.1.2.1.105.1.1.1.3.{u}.{n}", {1: ON, 2: OFF}),
        index="{u}.{n}",
    ),
)

FAMILIES: dict[str, Family] = {family.model: family for family in _FAMILIES}


def fill(template: str, outlet: int, unit: int = 1) -> str:
    """An identifier or an index of one outlet."""
    aten = outlet + (1 if outlet < 9 else 2)
    return template.format(n=outlet, n0=outlet - 1, n1=outlet + 1, u=unit, u0=unit - 1, u21=unit + 21, aten=aten)


def oid(template: str, outlet: int = 1) -> tuple[int, ...]:
    """The whole object identifier."""
    filled = fill(template, outlet)
    front = () if filled.startswith(".") else ENTERPRISES
    return front + tuple(int(number) for number in filled.lstrip(".").split("."))
