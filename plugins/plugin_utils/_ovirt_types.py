# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The fence agent types of oVirt, and what each is here: data, for the table of devices and for whoever moves from oVirt.

Types and options are those of oVirt's engine for cluster levels 4.4 to 4.7 (configuration FenceAgentMapping, VdsFenceType,
VdsFenceOptionMapping, VdsFenceOptionTypes). This file converts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class OvirtOption:
    """One of oVirt's options. ``ours`` is the option here, empty if it is not needed; ``values`` translates its values."""

    name: str
    ours: str
    values: Mapping[Any, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class OvirtType:
    """One of oVirt's agent types. ``agent`` are the options that stand for the type itself; oVirt's address, user name and password are
    ``address``, ``username`` and ``password`` here, unless ``options`` says otherwise."""

    name: str
    type: str
    options: tuple[OvirtOption, ...] = ()
    agent: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


PORT = OvirtOption("port", "port")
SSH_OR_TELNET = OvirtOption("secure", "transport", {True: "ssh", False: "telnet"})
ALWAYS_TLS = OvirtOption("secure", "", note="TLS is always spoken")
LANPLUS = OvirtOption("lanplus", "", note="IPMI 2.0 (RMCP+) is always spoken")
PRIVILEGE = OvirtOption(
    "privlvl", "privilege", {"OPERATOR": "operator", "ADMINISTRATOR": "administrator", "USER": "user"}
)
CIPHER = OvirtOption("cipher", "cipher_suites", note="a list, tried in order; 0 is refused")
WAITS = OvirtOption("power_wait", "", note="the BMC is polled until it reads so")
DELAY = OvirtOption("delay", "", note="levels decide who is first")
RETRY = OvirtOption("retry_on", "", note="what is sent again, and when, is fixed")
IPMI = (PORT, LANPLUS, PRIVILEGE, CIPHER, WAITS, DELAY, RETRY)


def _cli(name: str, model: str, *options: OvirtOption, note: str = "") -> OvirtType:
    return OvirtType(name, "cli", options, {"model": model}, note)


def _outlet(name: str = "slot") -> OvirtOption:
    return OvirtOption(name, "outlet")


OVIRT_TYPES: tuple[OvirtType, ...] = (
    OvirtType("amt_ws", "amt", (PORT,), note="TLS by default; `protocol: http` for port 16992"),
    _cli(
        "apc",
        "apc_aos5",
        SSH_OR_TELNET,
        PORT,
        _outlet(),
        note="`model: apc_menu` for firmware (AOS) 2 and 3; `snmp` is quicker and takes no session",
    ),
    OvirtType(
        "apc_snmp", "snmp", (_outlet("port"),), note="the password is the `community`; with SNMPv3 see `ansible-doc`"
    ),
    _cli("bladecenter", "bladecenter", SSH_OR_TELNET, PORT, _outlet()),
    OvirtType(
        "cisco_ucs",
        "ucs",
        (OvirtOption("secure", "protocol", {True: "https", False: "http"}), OvirtOption("slot", "profile")),
    ),
    _cli("drac5", "drac_racadm", SSH_OR_TELNET, _outlet(), note="with a slot: `model: dell_cmc`"),
    OvirtType("drac7", "ipmi", IPMI, {"privilege": "operator"}),
    OvirtType(
        "eps", "http", (_outlet(),), {"model": "epowerswitch_8m"}, note="`model: epowerswitch_r2` for REV.2 firmware"
    ),
    _cli("hpblade", "hp_bladesystem", _outlet("port")),
    OvirtType("ilo", "ribcl", (ALWAYS_TLS, PORT)),
    OvirtType("ilo2", "ribcl", (ALWAYS_TLS, PORT)),
    OvirtType("ilo3", "ipmi", IPMI),
    OvirtType("ilo4", "ipmi", IPMI, note="`redfish` from iLO 4 2.30 on"),
    _cli("ilo_ssh", "ilo_ssh", OvirtOption("secure", "", note="SSH is always spoken"), PORT),
    OvirtType("ipmilan", "ipmi", IPMI),
    OvirtType(
        "redfish",
        "redfish",
        (
            OvirtOption("secure", "protocol", {True: "https", False: "http"}),
            PORT,
            OvirtOption("ssl_insecure", "validate_certs", {"1": False, "0": True}),
        ),
        note="oVirt's default is `ssl_insecure=1`; here certificates are checked",
    ),
    _cli("rsa", "rsa2", SSH_OR_TELNET, PORT),
    _cli("rsb", "fujitsu_rsb"),
    _cli("wti", "wti", SSH_OR_TELNET, PORT, _outlet()),
)
