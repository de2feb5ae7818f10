# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is compared: each contestant is a name and a line of shell for each action.

Data only. The names in braces are filled in by the case (``_cases.py``): {hosts} is a file with an address a line, {list}
the same with commas, {inventory} Ansible's, {ours} and {peers} the folders of programs of the two Python environments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

READ, OFF, RESTARTED = "read", "off", "restarted"
# How many at once, for all who can be told. The one-task form and ipmipower are single processes and are told nothing.
AT_ONCE = 50


@dataclass(frozen=True)
class Contestant:
    """``needs`` are programs, ``needs_action`` an action plugin of the collection. ``service`` runs before and is used by ``lines``.

    A read is believed when ``on_each`` stands in its output once for each host, or ``on_all`` once for all of them.
    ``ours`` is the rank of our own forms: everything is compared with the first that is there, and 0 is somebody else.
    """

    key: str
    name: str
    lines: Mapping[str, str]
    needs: tuple[str, ...] = ()
    needs_action: str = ""
    service: str = ""
    on_each: str = ""
    on_all: str = ""
    ours: int = 0


FENCE_ALL = "{ours}/ansible-playbook -i {inventory} hostpm.fencing.fence_all -e target=all"
FENCE = f"{{ours}}/ansible-playbook -i {{inventory}} --forks {AT_ONCE} {{plays}}/fence.yml"


def with_state(line: str) -> dict[str, str]:
    return {
        READ: line,
        OFF: f"{line} -e fence_state=off",
        RESTARTED: f"{line} -e fence_state=restarted",
    }


ONE_TASK = Contestant("fence_all", "ours: fence_all, one task", with_state(FENCE_ALL), needs_action="fence_all", ours=1)
PER_HOST = Contestant("fence", f"ours: fence, {AT_ONCE} forks", with_state(FENCE), ours=2)

LIBRARY = (
    f"{{python}} {{here}}/_bare_library.py %s {{hosts}} --port {{port}} --password {{password}} --threads {AT_ONCE}"
)
# opensesspriv: ipmi_sim takes no other way of asking for a privilege level (as some BMCs).
IPMIPOWER = "ipmipower --config-file {freeipmi} -h {list}"
IPMITOOL = "ipmitool -I lanplus -C 3 -L OPERATOR -H @ -p {port} -U {user} -P {password} chassis power"
FENCE_IPMILAN = "fence_ipmilan -P -C 3 -L operator -a @ -u {port} -l {user} -p {password} -o"
EACH = f"xargs -a {{hosts}} -P {AT_ONCE} -I@"
IPMI_POWER = f"{{peers}}/ansible-playbook -i {{inventory}} --forks {AT_ONCE} {{plays}}/ipmi_power.yml"

# No process: a shell loop around ipmitool, as people write it.
IPMITOOL_OFF = f'{IPMITOOL} off; until {IPMITOOL} status | grep -q "is off"; do sleep 0.5; done'
IPMITOOL_ON = f'{IPMITOOL} on; until {IPMITOOL} status | grep -q "is on"; do sleep 0.5; done'

IPMI = (
    ONE_TASK,
    PER_HOST,
    Contestant(
        "library",
        f"python-ipmi, {AT_ONCE} threads",
        {action: LIBRARY % action for action in (READ, OFF, RESTARTED)},
        on_each=" is on",
    ),
    Contestant(
        "ipmipower",
        "FreeIPMI ipmipower",
        {
            READ: f"{IPMIPOWER} --stat",
            OFF: f"{IPMIPOWER} --off --wait-until-off",
            RESTARTED: f"{IPMIPOWER} --off --wait-until-off; {IPMIPOWER} --on --wait-until-on",
        },
        needs=("ipmipower",),
        on_each=": on",
    ),
    Contestant(
        "powerman",
        "powerman with ipmipower",
        {
            READ: "powerman -h {powerman} -q",
            OFF: "powerman -h {powerman} -0 {nodes}",
            RESTARTED: "powerman -h {powerman} -0 {nodes}; powerman -h {powerman} -1 {nodes}",
        },
        needs=("powerman", "powermand", "ipmipower"),
        service="exec powermand -f -c {powerman_conf}",
        on_all="on:      {nodes}",
    ),
    Contestant(
        "ipmitool",
        f"ipmitool, xargs -P {AT_ONCE}",
        {
            READ: f"{EACH} {IPMITOOL} status",
            OFF: f"{EACH} sh -c '{IPMITOOL_OFF}'",
            RESTARTED: f"{EACH} sh -c '{IPMITOOL_OFF}; {IPMITOOL_ON}'",
        },
        needs=("ipmitool", "xargs"),
        on_each="Power is on",
    ),
    Contestant(
        "fence_ipmilan",
        f"fence_ipmilan, xargs -P {AT_ONCE}",
        {
            READ: f"{EACH} {FENCE_IPMILAN} status",
            OFF: f"{EACH} {FENCE_IPMILAN} off",
            RESTARTED: f"{EACH} {FENCE_IPMILAN} reboot",
        },
        needs=("fence_ipmilan", "xargs"),
        on_each="Status: ON",
    ),
    Contestant(
        "ipmi_power",
        f"community.general.ipmi_power, {AT_ONCE} forks",
        {
            READ: f"{IPMI_POWER} --check",
            OFF: f"{IPMI_POWER} -e to=off",
            RESTARTED: f"{IPMI_POWER} -e to=off,on",
        },
        needs=("{peers}/ansible-playbook",),
    ),
)

FENCE_REDFISH = "fence_redfish -a 127.0.0.1 -u {port} -l {user} -p {password} --ssl-insecure --systems-uri {system} -o"
REDFISH_COMMAND = "{peers}/ansible-playbook -i {inventory} {plays}/redfish_command.yml"

REDFISH = (
    PER_HOST,
    Contestant(
        "fence_redfish",
        "fence_redfish",
        {READ: f"{FENCE_REDFISH} status", OFF: f"{FENCE_REDFISH} off", RESTARTED: f"{FENCE_REDFISH} reboot"},
        needs=("fence_redfish",),
        on_each="Status: ON",
    ),
    Contestant(
        "redfish_command",
        "community.general.redfish_command",
        {READ: REDFISH_COMMAND, OFF: f"{REDFISH_COMMAND} -e to=off", RESTARTED: f"{REDFISH_COMMAND} -e to=off,on"},
        needs=("{peers}/ansible-playbook",),
    ),
)

# {outlets} has a line for each outlet: address and number.
FENCE_APC = (
    f"xargs -a {{outlets}} -P {AT_ONCE} -L1 sh -c 'fence_apc_snmp -a $0 -n $1 -u {{port}} -d 2c -c {{community}} -o %s'"
)

PDU = (
    ONE_TASK,
    PER_HOST,
    Contestant(
        "fence_apc_snmp",
        f"fence_apc_snmp, xargs -P {AT_ONCE}",
        {
            READ: FENCE_APC % "status",
            OFF: FENCE_APC % "off",
            # Its reboot would switch one feed off and on and then the other: the host would never be without power.
            RESTARTED: f"{FENCE_APC % 'off'} && {FENCE_APC % 'on'}",
        },
        needs=("fence_apc_snmp", "xargs"),
        on_each="Status: ON",
    ),
)
