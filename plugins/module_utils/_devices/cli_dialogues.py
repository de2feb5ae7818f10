# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The devices that are spoken to in text: what they are asked, and what their answers look like.

Data, in the words of ``_cli_format.py``; ``docs/adding_a_dialogue.md`` shows how to add a row. Trust A: two sources that do
not depend on each other agree. B: one source. C: guessed in a part that matters; such a row needs ``accept_untested``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind, Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_format import (
    Complaint,
    Dialogue,
    Login,
    Step,
    Words,
)

NUMBER = r"[1-9][0-9]{0,2}"
# An outlet's number, or its name as the device lists it. No blanks, nothing that a command line could take apart.
NUMBER_OR_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"

ON_OFF = Words(on=("On",), off=("Off",))
UPPER_ON_OFF = Words(on=("ON",), off=("OFF",))

# --- APC ----------------------------------------------------------------------------------------------------------

APC_AOS5 = Dialogue(
    model="apc_aos5",
    devices="APC Rack PDU with AOS 5, 6 or 7 (AP8xxx, AP79xxB)",
    kind=Kind.SUPPLY,
    trust="A",
    source="APC Rack PDU user guides (command response codes, olOn, olOff); fence_apc; pdudaemon apc8959",
    prompt=r"(?:[A-Za-z0-9_.-]+@)?apc>",
    status=(Step("olStatus all"),),
    row=r"[ ]*(?P<outlet>[0-9]+): (?P<name>.*?): (?P<power>[^:\n]*)",
    on=(Step("olOn {outlet}"),),
    off=(Step("olOff {outlet}"),),
    # A command that waits for its time.
    words=replace(ON_OFF, moving=("On*", "Off*")),
    done=r"^E00[01]: ",
    outlet=NUMBER_OR_NAME,
    leave=(Step("exit"),),
    complaints=(
        Complaint(r"^E102: ", Reason.NOT_FOUND, "there is no such outlet"),
        Complaint(r"^E104: ", Reason.AUTH, "the account may not do this"),
        Complaint(r"^E101: ", Reason.UNSUPPORTED, "the device does not know the command"),
        Complaint(r"^E1\d\d: ", Reason.REFUSED, "the device did not take the command"),
    ),
    one_session=True,
)

CTRL_C = Step("\x03", bare=True)
ASKS_FOR_YES = r"[^\n]*Enter 'YES' to continue or <ENTER> to cancel[^\n]*"
ASKS_FOR_ENTER = r"[^\n]*Press <ENTER> to continue[. ]*"
YES_AND_BACK = (
    Step("YES", until=ASKS_FOR_ENTER),
    Step(""),
    CTRL_C,
)
# From the main menu to the table of outlets. Where that is depends on the firmware and on the account.
APC_TABLE = (
    Step("1", needs=r"1- Device Manager"),
    Step("2", when=r"2- Outlet Management"),
    Step("1", when=r"^ *1- Outlet Control"),
    Step("3", when=r"^ *3- Outlet Control/Configuration"),
    Step("2", when=r"^ *2- Outlet Control\b"),
)
# The outlet's own menu, if there is one before the actions.
APC_OUTLET = (
    Step("{outlet}"),
    Step("1", unless=r"1- (?:Immediate On|Turn Outlet On)"),
)

APC_MENU = Dialogue(
    model="apc_menu",
    devices="APC Rack PDU and MasterSwitch with AOS 2 or 3 (AP78xx, AP79xx, AP9606)",
    kind=Kind.SUPPLY,
    trust="A",
    source="powerman apc7900, apc7900v3, apcpdu, apcpdu3; fence_apc; pdudaemon apc7952",
    prompt=r">",
    status=(*APC_TABLE, CTRL_C),
    row=r"[ ]*(?P<outlet>[0-9]+)- (?P<name>.*?)[ ]+(?P<power>(?:ON|OFF)\S*)",
    on=(
        *APC_TABLE,
        *APC_OUTLET,
        Step("1", needs=r"1- (?:Immediate On|Turn Outlet On)", until=ASKS_FOR_YES),
        *YES_AND_BACK,
    ),
    off=(
        *APC_TABLE,
        *APC_OUTLET,
        Step("2", needs=r"2- (?:Immediate Off|Turn Outlet Off)", until=ASKS_FOR_YES),
        *YES_AND_BACK,
    ),
    words=replace(UPPER_ON_OFF, moving=("ON*", "OFF*")),
    outlet=NUMBER_OR_NAME,
    leave=(
        CTRL_C,
        Step("4"),
    ),
    pager=ASKS_FOR_ENTER,
    # An ENTER that comes at once is lost (fence_apc waits as long).
    pause_s=0.5,
    one_session=True,
)

MASTERSWITCH_PLUS_TABLE = (
    Step("1", needs=r"1- Device Manager"),
    Step("{system}", needs=r"{system}- MasterSwitch plus"),
)

APC_MENU_PLUS = Dialogue(
    model="apc_menu_plus",
    devices="APC MasterSwitch Plus; the option system is the number of the MasterSwitch",
    kind=Kind.SUPPLY,
    trust="A",
    source="powerman apc; fence_apc",
    prompt=r">",
    status=(*MASTERSWITCH_PLUS_TABLE, CTRL_C),
    row=APC_MENU.row,
    on=(
        *MASTERSWITCH_PLUS_TABLE,
        Step("{outlet}"),
        Step("1", unless=r"1- Immediate On"),
        Step("1", needs=r"1- Immediate On", until=ASKS_FOR_YES),
        *YES_AND_BACK,
    ),
    # 2 would be the delayed on.
    off=(
        *MASTERSWITCH_PLUS_TABLE,
        Step("{outlet}"),
        Step("1", unless=r"1- Immediate On"),
        Step("3", needs=r"3- Immediate Off", until=ASKS_FOR_YES),
        *YES_AND_BACK,
    ),
    words=replace(UPPER_ON_OFF, moving=("ON*", "OFF*")),
    outlet=NUMBER_OR_NAME,
    system=r"[1-4]",
    leave=(
        CTRL_C,
        Step("4"),
    ),
    pager=ASKS_FOR_ENTER,
    pause_s=0.5,
    one_session=True,
)

# --- Dell ---------------------------------------------------------------------------------------------------------

RACADM_WORDS = Words(on=("ON",), off=("OFF",), moving=("Powering ON", "Powering OFF", "POWERING ON", "POWERING OFF"))
RACADM_PROMPT = r"(?:[$]|/admin1->|racadm>>)"
RACADM_ROW = r"(?:Server power status: *)?(?P<power>(?i:powering |power cycl\S* ?)?(?i:on|off))"
RACADM_COMPLAINTS = (
    Complaint(r"^ERROR:.*(?i:invalid (?:module|server|slot)|not present)", Reason.NOT_FOUND, "there is no such server"),
    Complaint(r"^ERROR:.*(?i:privilege|permission|authori[sz])", Reason.AUTH, "the account may not do this"),
    Complaint(r"^ERROR:", Reason.REFUSED, "the device did not take the command"),
)

DRAC = Dialogue(
    model="drac_racadm",
    devices="Dell DRAC 5 and iDRAC, the racadm of their command line",
    kind=Kind.CHASSIS,
    trust="A",
    source="Dell DRAC and iDRAC user guides (racadm serveraction); fence_drac5",
    prompt=RACADM_PROMPT,
    status=(Step("racadm serveraction powerstatus"),),
    row=RACADM_ROW,
    on=(Step("racadm serveraction powerup"),),
    off=(Step("racadm serveraction powerdown"),),
    words=RACADM_WORDS,
    leave=(Step("exit"),),
    complaints=RACADM_COMPLAINTS,
)

CMC = Dialogue(
    model="dell_cmc",
    devices="Dell Chassis Management Controller (M1000e, VRTX, FX2); the outlet is server-N",
    kind=Kind.CHASSIS,
    trust="A",
    source="Dell CMC user guide 4.1 (racadm serveraction -m); fence_drac5",
    prompt=RACADM_PROMPT,
    status=(Step("racadm serveraction powerstatus -m {outlet}"),),
    row=RACADM_ROW,
    on=(Step("racadm serveraction powerup -m {outlet}"),),
    off=(Step("racadm serveraction powerdown -m {outlet}"),),
    words=RACADM_WORDS,
    outlet=r"server-[0-9]{1,2}[a-d]?",
    leave=(Step("exit"),),
    complaints=RACADM_COMPLAINTS,
)

# --- HP and HPE ---------------------------------------------------------------------------------------------------

ILO_PROMPT = r"(?:</>)?(?:hpiLO->|MP>)"
ILO_WORDS = Words(on=("enabled",), off=("disabled",))
ILO_ROW = r"[ \t]*(?i:enabledstate)=(?P<power>.*)"
ILO_COMPLAINTS = (
    Complaint(
        r"(?i)^(?:error_tag|status_tag)=.*(?:access|privilege|security)", Reason.AUTH, "the account may not do this"
    ),
    Complaint(
        r"^status_tag=COMMAND (?:PROCESSING|EXECUTION) FAILED", Reason.REFUSED, "the device did not take the command"
    ),
    Complaint(r"^status_tag=COMMAND ERROR", Reason.REFUSED, "the device did not take the command"),
)

ILO_SSH = Dialogue(
    model="ilo_ssh",
    devices="HP and HPE iLO 2 to iLO 5, their SMASH command line",
    kind=Kind.CHASSIS,
    trust="A",
    source="HP iLO scripting and command line guide (SMASH CLP); fence_ilo_ssh",
    prompt=ILO_PROMPT,
    # Some firmware begins in another command line.
    enter=(Step("SMCLP", when=r"^MP>"),),
    status=(Step("show /system1"),),
    row=ILO_ROW,
    on=(Step("start /system1"),),
    off=(Step("power off hard"),),
    words=ILO_WORDS,
    leave=(Step("exit"),),
    complaints=ILO_COMPLAINTS,
)

ILO_MP = Dialogue(
    model="ilo_mp",
    devices="HP Integrity iLO and Management Processor",
    kind=Kind.CHASSIS,
    trust="B",
    source="fence_ilo_mp",
    prompt=ILO_PROMPT,
    enter=(Step("SMCLP"),),
    status=(Step("show /system1"),),
    row=ILO_ROW,
    on=(Step("start /system1"),),
    off=(Step("stop -f /system1"),),
    words=ILO_WORDS,
    leave=(Step("exit"),),
    complaints=ILO_COMPLAINTS,
)

HP_MOONSHOT = Dialogue(
    model="hp_moonshot",
    devices="HPE Moonshot chassis manager; the outlet is a node such as c1n1",
    kind=Kind.CHASSIS,
    trust="B",
    source="fence_ilo_moonshot",
    prompt=ILO_PROMPT,
    status=(Step("show node list"),),
    row=r"[ ]*\S+[ ]+(?P<outlet>c[0-9]+n[0-9]+)(?:[ ]+\S+){6}[ ]+(?P<power>\S+)[ ]+\S+",
    on=(Step("set node power on {outlet}"),),
    off=(Step("set node power off force {outlet}"),),
    words=ON_OFF,
    outlet=r"c[0-9]{1,2}n[0-9]{1,2}",
    leave=(Step("exit"),),
    transports=("ssh",),
)

OA_PROMPT = r"[A-Za-z0-9][A-Za-z0-9_.-]*>"

HP_BLADESYSTEM = Dialogue(
    model="hp_bladesystem",
    devices="HP BladeSystem c3000 and c7000 Onboard Administrator; the outlet is the bay",
    kind=Kind.CHASSIS,
    trust="B",
    source="fence_hpblade",
    prompt=OA_PROMPT,
    status=(Step("show server status {outlet}"),),
    row=r"[ \t]*Power: (?P<power>.*)",
    on=(Step("poweron server {outlet}"),),
    off=(Step("poweroff server {outlet} force"),),
    words=ON_OFF,
    outlet=r"[1-9][0-9]?[AB]?",
    leave=(Step("exit"),),
    complaints=(
        Complaint(
            r"(?i)no server blade|no blade|bay .{0,30}(?:empty|subsumed)|invalid (?:bay|blade|device)",
            Reason.NOT_FOUND,
            "there is no such server",
        ),
    ),
    eol="\n",
)

SUPERDOME = Dialogue(
    model="hp_superdome",
    devices="HP Superdome 2 and Superdome X Onboard Administrator; the outlet is the nPartition",
    kind=Kind.CHASSIS,
    trust="A",
    source="HP Superdome 2 Partitioning Administrator Guide (table of RunStates); fence_hpblade",
    prompt=OA_PROMPT,
    status=(Step("parstatus -M -p {outlet}"),),
    row=r"[ ]*partition:(?P<outlet>[0-9]+)[ ]+:\w+[ ]+/(?P<power>\w+)(?:[ ].*)?",
    on=(Step("poweron partition {outlet}"),),
    off=(Step("poweroff partition {outlet} force"),),
    # DETACHED, UNKNOWN, ALT_DEFINED and RUN_VPARS prove nothing either.
    words=Words(
        on=("UP", "EFI", "OSBOOT", "FWBOOT"),
        off=("DOWN",),
        moving=("ACTIVATING", "DEACTIVATING", "SHUT", "RESETTING", "INIT", "MCA"),
    ),
    outlet=NUMBER,
    leave=(Step("exit"),),
    eol="\n",
)

# --- IBM and Lenovo -----------------------------------------------------------------------------------------------

BLADE_PROMPT = r"system:blade\[{outlet}\]>"
# The prompt says which blade is spoken of, so that no answer is another one's.
TO_THE_BLADE = Step("env -T system:blade[{outlet}]", until=r"system(?::blade\[[0-9]+\])?>")
FROM_THE_BLADE = Step("env -T system")

BLADECENTER = Dialogue(
    model="bladecenter",
    devices="IBM BladeCenter management module; the outlet is the bay",
    kind=Kind.CHASSIS,
    trust="A",
    source="powerman ibmbladecenter; fence_bladecenter",
    prompt=r"system>",
    status=(
        TO_THE_BLADE,
        Step("power -state", needs=BLADE_PROMPT, lacking=Reason.NOT_FOUND, until=BLADE_PROMPT),
        FROM_THE_BLADE,
    ),
    row=r"(?P<power>(?i:on|off|standby|hibernate|sleep|unknown|discovering))",
    on=(
        TO_THE_BLADE,
        Step("power -on", needs=BLADE_PROMPT, lacking=Reason.NOT_FOUND, until=BLADE_PROMPT),
        FROM_THE_BLADE,
    ),
    off=(
        TO_THE_BLADE,
        Step("power -off", needs=BLADE_PROMPT, lacking=Reason.NOT_FOUND, until=BLADE_PROMPT),
        FROM_THE_BLADE,
    ),
    words=ON_OFF,
    outlet=r"[1-9][0-9]?",
    leave=(Step("exit"),),
    complaints=(
        Complaint(r"(?i)bay is (?:out of range|empty)|invalid target", Reason.NOT_FOUND, "there is no such blade"),
    ),
)

RSA = Dialogue(
    model="rsa2",
    devices="IBM Remote Supervisor Adapter II",
    kind=Kind.CHASSIS,
    trust="B",
    source="fence_rsa",
    prompt=r"[^\n<]*>",
    status=(Step("power state"),),
    row=r"[ ]*Power: (?P<power>.*)",
    on=(Step("power on"),),
    off=(Step("power off"),),
    words=ON_OFF,
    leave=(Step("exit"),),
)

HMC_LPAR = Dialogue(
    model="hmc_lpar",
    devices="IBM Power HMC; the outlet is the partition, system the managed system, profile the partition's profile",
    kind=Kind.CHASSIS,
    trust="A",
    source="IBM HMC commands lssyscfg and chsysstate, help on partition states; fence_lpar",
    prompt=r"[^\n]*(?::~>|[$])",
    status=(Step("lssyscfg -r lpar -m {system} -F name,state"),),
    row=r"(?P<outlet>[^,\n]+),(?P<power>[^,\n]*)",
    on=(Step("chsysstate -o on -r lpar -m {system} -n {outlet}{profile: -f }"),),
    off=(Step("chsysstate -o shutdown -r lpar -m {system} -n {outlet} --immed"),),
    words=Words(
        on=("Running", "Open Firmware"),
        off=("Not Activated",),
        moving=("Starting", "Shutting Down", "Shutting down", "Hardware Discovery"),
    ),
    outlet=r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,46}",
    system=r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,46}(?:\*[A-Za-z0-9]{1,10})?",
    profile=r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,46}",
    leave=(Step("exit"),),
    complaints=(
        Complaint(r"HSCL80(?:12|18)|was not found", Reason.NOT_FOUND, "there is no such partition or system"),
        Complaint(r"HSCL350B|appropriate authority", Reason.AUTH, "the account may not do this"),
        Complaint(r"^HSC[A-Z0-9]+ ", Reason.REFUSED, "the HMC did not take the command"),
    ),
    eol="\n",
    transports=("ssh",),
)

# --- Other servers ------------------------------------------------------------------------------------------------


def _rsb(key: str, power: str) -> tuple[Step, ...]:
    """The power menu of a RSB, the key for what is to be done, and back."""
    return (
        Step("2", bare=True),
        Step(key, needs=r"Power Status", until=rf"[^\n]*(?:want to power {power}|yes/no|'yes' or 'no')[^\n]*"),
        Step("yes", until=r"[^\n]*any key to continue[^\n]*"),
        Step(""),
        Step("0", bare=True),
    )


FUJITSU_RSB = Dialogue(
    model="fujitsu_rsb",
    devices="Fujitsu-Siemens RemoteView Service Board and iRMC, their menu",
    kind=Kind.CHASSIS,
    trust="B",
    source="fence_rsb",
    prompt=r"[^\n]*to quit:",
    status=(Step("2", bare=True), Step("0", bare=True)),
    row=r"[ ]*Power Status[ ]*: (?P<power>\w+).*",
    on=_rsb("4", "on"),
    off=_rsb("1", "off"),
    words=ON_OFF,
    leave=(Step("0", bare=True),),
    telnet_port=3172,
)


def _hitachi(key: str) -> tuple[Step, ...]:
    """Through the power menu of a Hitachi Compute Blade, and back."""
    return (
        Step("S", until=r"SVP>"),
        Step("PC"),
        Step("P"),
        Step(key),
        Step("{outlet}"),
        Step("Y", until=r"[^\n]*Hit enter key\.?"),
        Step(""),
        Step("Q"),
        Step("Q", until=r"SVP>"),
        Step("EX"),
    )


HITACHI_CB = Dialogue(
    model="hitachi_cb",
    devices="Hitachi Compute Blade; the outlet is the partition",
    kind=Kind.CHASSIS,
    trust="B",
    source="fence_hds_cb",
    prompt=r"[^\n]*\) :",
    status=(
        Step("S", until=r"SVP>"),
        Step("PC"),
        Step("Q", until=r"SVP>"),
        Step("EX"),
    ),
    row=r"[ ]*(?P<outlet>[0-9]+)[ ]+(?P<power>[A-Z]\S*)[ ]+\S.*",
    on=_hitachi(
        "P",
    ),
    off=_hitachi(
        "F",
    ),
    words=ON_OFF,
    outlet=r"[0-9]{1,2}",
)

ALOM = Dialogue(
    model="sun_alom",
    devices="Sun Advanced Lights Out Manager",
    kind=Kind.CHASSIS,
    # The driver looks for the word standby anywhere; what a whole line looks like is not in any source at hand.
    trust="C",
    source="fence_alom; ALOM 1.5 help (poweron, poweroff)",
    prompt=r"sc>",
    status=(Step("showplatform"),),
    row=r"[ ]*[A-Za-z0-9_-]+[ ]+(?P<power>(?:OS )?(?:Running|Standby|Powered \w+|[A-Z]\w+ing))",
    on=(Step("poweron"),),
    off=(Step("poweroff -f -y"),),
    words=Words(on=("OS Running",), off=("OS Standby", "Standby")),
    leave=(Step("logout"),),
)

ILOM = Dialogue(
    model="sun_ilom",
    devices="Sun and Oracle Integrated Lights Out Manager",
    kind=Kind.CHASSIS,
    trust="B",
    source="powerman ilom",
    prompt=r"->",
    status=(Step("show -d properties /SYS"),),
    row=r"[ \t]*(?:POWERSTATE|power_state)[ ]*=[ ]*(?P<power>\w+)",
    on=(Step("start -script /SYS"),),
    off=(Step("stop -script -force /SYS"),),
    words=Words(on=("On", "on"), off=("Off", "off")),
    leave=(Step("exit"),),
)

# --- Other PDUs ---------------------------------------------------------------------------------------------------

WTI = Dialogue(
    model="wti",
    devices="WTI NPS, VMR, RSM, TPS, IPS, NBB and MPC",
    kind=Kind.SUPPLY,
    trust="A",
    source="powerman wti; fence_wti; Black Box MPSH manual (asterisk: busy)",
    prompt=r"(?:RSM|MPC|IPS|TPS|NBB|NPS|VMR)>",
    status=(Step("/S"),),
    # The status is the third cell, or the fourth behind one that says whether there is a password. A later cell says what the
    # plug does after a power cut.
    row=(
        r"[ ]*(?P<outlet>[A-Za-z0-9.]+)[ ]*\|[ ]*(?P<name>[^|\n]*?)[ ]*\|(?:[ ]*\((?:un)?defined\)[ ]*\|)?"
        r"[ ]*(?P<power>[^|\n]*?)[ ]*(?:\|.*)?"
    ),
    on=(Step("/on {outlet},y"),),
    off=(Step("/off {outlet},y"),),
    words=replace(UPPER_ON_OFF, moving=("ON*", "OFF*", "ON *", "OFF *")),
    outlet=NUMBER_OR_NAME,
    leave=(Step("/X"),),
    pager=r"[^\n]*Enter:",
)

SENTRY_STATE = r"(?:On|Off|No|Reading)\S*"
SENTRY_CONTROL = r"(?:(?:Idle|Wake|Locked|Lock|Pend|Min|Event)[ -]?)?(?:On|Off)|Reboot\S*|Shutdown\S*"
# What the device applies to the outlet must agree with what the outlet shows (Sentry3-MIB outletControlState 0 to 5).
SENTRY_AGREES = {
    Power.OFF: ("Off", "Idle Off", "IdleOff", "Wake Off", "WakeOff"),
    Power.ON: ("On", "Idle On", "IdleOn", "Wake On", "WakeOn"),
}
SENTRY_PROMPT = r"(?:Sentry|Switched [CP]DU):"
SENTRY_MORE = r"[^\n]*More \(Y/es N/o\):"

SENTRY_CDU = Dialogue(
    model="sentry_cdu",
    devices="Server Technology Sentry Switched CDU, firmware 6 and 7",
    kind=Kind.SUPPLY,
    trust="A",
    source="Server Technology manuals (STATUS: outlet state and control state); powerman sentry_cdu; fence_cdu",
    prompt=SENTRY_PROMPT,
    status=(Step("STATUS"),),
    row=(
        r"[ ]*(?P<outlet>\.[A-Z]{1,2}[0-9]{1,2})[ ]+(?:(?P<name>\S(?:.*?\S)?)[ ]+)?"
        rf"(?P<power>{SENTRY_STATE})[ ]+(?P<control>{SENTRY_CONTROL})"
    ),
    on=(Step("ON {outlet}"),),
    off=(Step("OFF {outlet}"),),
    words=ON_OFF,
    agrees=SENTRY_AGREES,
    done=r"Command successful",
    outlet=r"\.?[A-Za-z0-9][A-Za-z0-9_:-]{0,23}",
    leave=(Step("LOGOUT"),),
    pager=SENTRY_MORE,
    pager_reply=Step("Y", bare=True),
)

SENTRY_CDU8 = Dialogue(
    model="sentry_cdu8",
    devices="Server Technology Sentry PRO1, PRO2, firmware 8",
    kind=Kind.SUPPLY,
    trust="B",
    source="fence_cdu",
    prompt=SENTRY_PROMPT,
    status=(Step("STATUS ALL"),),
    # Read from the right, since a name may have blanks and these words in it.
    row=(
        r"[ ]*(?P<outlet>[A-Z]{2}[0-9]{1,2})[ ]+(?:(?P<name>\S(?:.*?\S)?)[ ]+)?"
        rf"(?P<control>{SENTRY_CONTROL})[ ]+(?P<power>{SENTRY_STATE})[ ]+[A-Z]\S*"
    ),
    on=(Step("ON {outlet}"),),
    off=(Step("OFF {outlet}"),),
    words=ON_OFF,
    agrees=SENTRY_AGREES,
    outlet=r"[A-Za-z0-9][A-Za-z0-9_:-]{0,31}",
    leave=(Step("LOGOUT"),),
    pager=SENTRY_MORE,
    pager_reply=Step("Y", bare=True),
)

EATON_G3 = Dialogue(
    model="eaton_g3",
    devices="Eaton ePDU G3",
    kind=Kind.SUPPLY,
    trust="A",
    source="Eaton ePDU G3 Operation Manual (CLI objects); fence_eaton_ssh",
    prompt=r"pdu#[0-9]+>",
    status=(Step("get PDU.OutletSystem.Outlet[{outlet}].PresentStatus.SwitchOnOff"),),
    row=r"(?P<power>-?[0-9]+)",
    on=(Step("set PDU.OutletSystem.Outlet[{outlet}].DelayBeforeStartup 0"),),
    off=(Step("set PDU.OutletSystem.Outlet[{outlet}].DelayBeforeShutdown 0"),),
    words=Words(on=("1",), off=("0",)),
    outlet=NUMBER,
    leave=(Step("quit"),),
    complaints=(
        Complaint(r"(?i)\b(?:error|invalid|unknown)\b", Reason.NOT_FOUND, "the device does not know the outlet"),
    ),
)

RARITAN_PX = Dialogue(
    model="raritan_px",
    devices="Raritan Dominion PX, first generation",
    kind=Kind.SUPPLY,
    trust="B",
    source="fence_raritan",
    prompt=r"clp:/->",
    status=(Step("show -d properties=powerState /system1/outlet{outlet}"),),
    row=r"[ \t]*powerState is (?P<power>[0-9]+).*",
    on=(Step("set /system1/outlet{outlet} powerState=on"),),
    off=(Step("set /system1/outlet{outlet} powerState=off"),),
    words=Words(on=("1",), off=("2",)),
    outlet=NUMBER,
    leave=(Step("exit"),),
    complaints=(
        Complaint(
            r"(?i)invalid target|no such target|target .{0,60}not found", Reason.NOT_FOUND, "there is no such outlet"
        ),
    ),
)

RARITAN_PX2 = Dialogue(
    model="raritan_px2",
    devices="Raritan PX2 and PX3",
    kind=Kind.SUPPLY,
    trust="B",
    source="fence_raritan_px3",
    prompt=r"\[[^\]\n]*\] [#>]",
    status=(Step("show outlets"),),
    row=r"Outlet (?P<outlet>[0-9]+)(?: - (?P<name>.*))?:\n[ ]*Power state:[ ]*(?P<power>.*)",
    on=(
        Step("power outlets {outlet} on", until=r"Do you wish to turn[^\n]*\[y/n\]"),
        Step("y"),
    ),
    off=(
        Step("power outlets {outlet} off", until=r"Do you wish to turn[^\n]*\[y/n\]"),
        Step("y"),
    ),
    words=ON_OFF,
    outlet=NUMBER_OR_NAME,
    leave=(Step("exit"),),
)

CYBERPOWER = Dialogue(
    model="cyberpower",
    devices="CyberPower Switched PDU (PDU31xxx to PDU84xxx)",
    kind=Kind.SUPPLY,
    trust="B",
    source="fence_cyberpower_ssh",
    prompt=r"(?:CyberPower[ ]*)?>",
    status=(Step("oltsta show"),),
    row=r"[ ]*(?P<outlet>[0-9]+)[ ]+(?P<name>\S.*?)[ ]+(?P<power>\S+)",
    on=(Step("oltctrl index {outlet} act delayon"),),
    off=(Step("oltctrl index {outlet} act delayoff"),),
    words=ON_OFF,
    outlet=NUMBER,
    leave=(Step("exit"),),
)

NETIO = Dialogue(
    model="netio_230b",
    devices="KOUKAAM NETIO-230B; telnet only",
    kind=Kind.SUPPLY,
    trust="B",
    source="fence_netio",
    # There is no prompt: each answer is one line with a number in front.
    prompt=r"[0-9]{3} [^\n]*\n",
    login=Login(steps=(Step("login {username} {password}"),)),
    status=(Step("port {outlet}"),),
    row=r"250 (?P<power>\S+)",
    on=(Step("port {outlet} 1"),),
    off=(Step("port {outlet} 0"),),
    # Restarting, by hand, by the clock.
    words=Words(on=("1",), off=("0",), moving=("i", "m", "t")),
    done=r"^250 OK",
    outlet=r"[1-4]",
    leave=(Step("quit"),),
    complaints=(
        Complaint(r"^50\d .*LOGIN", Reason.AUTH, "the login was not accepted"),
        Complaint(r"^505 ", Reason.AUTH, "the account may not do this"),
        Complaint(r"^501 ", Reason.NOT_FOUND, "there is no such outlet"),
        Complaint(r"^5\d\d ", Reason.REFUSED, "the device did not take the command"),
    ),
    transports=("telnet",),
    telnet_port=1234,
)

ROWS = (
    APC_AOS5,
    APC_MENU,
    APC_MENU_PLUS,
    DRAC,
    CMC,
    ILO_SSH,
    ILO_MP,
    HP_MOONSHOT,
    HP_BLADESYSTEM,
    SUPERDOME,
    BLADECENTER,
    RSA,
    HMC_LPAR,
    FUJITSU_RSB,
    HITACHI_CB,
    ALOM,
    ILOM,
    WTI,
    SENTRY_CDU,
    SENTRY_CDU8,
    EATON_G3,
    RARITAN_PX,
    RARITAN_PX2,
    CYBERPOWER,
    NETIO,
)

DIALOGUES: Mapping[str, Dialogue] = {row.model: row for row in ROWS}
