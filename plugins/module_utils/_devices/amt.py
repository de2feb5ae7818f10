# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``amt``: a machine with Intel AMT, over WS-Management (DMTF DSP0226, DSP1027; Intel AMT SDK).

This file knows the power states of AMT and how to ask for them; logins, TLS and deadlines are below it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    Driver,
    Kind,
    Options,
    Power,
    Problem,
    Reading,
    Reason,
    Refused,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.http import address_problems
from ansible_collections.hostpm.fencing.plugins.module_utils._http import MISSING_LIBRARY, HttpDevice, complain
from ansible_collections.hostpm.fencing.plugins.module_utils._http_login import Login
from ansible_collections.hostpm.fencing.plugins.module_utils._xml import Element, local_name, parse_xml

PORTS = {"https": 16993, "http": 16992}
SOAP = "http://www.w3.org/2003/05/soap-envelope"
CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2"
STATUS = f"{CIM}/CIM_AssociatedPowerManagementService"
SERVICE = f"{CIM}/CIM_PowerManagementService"
GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
CHANGE = f"{SERVICE}/RequestPowerStateChange"
ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"

# CIM_AssociatedPowerManagementService.PowerState. Off - Hard is ACPI G3 and Off - Soft G2/S5: nothing runs and nothing is kept.
# A host that sleeps or hibernates goes on where it was as soon as it wakes: that is not off.
POWER_STATES = {"2": Power.ON, "6": Power.OFF, "8": Power.OFF}
OTHER_STATES: Mapping[str, str] = {
    "1": "other",
    "3": "sleeping lightly",
    "4": "sleeping deeply",
    "5": "in a power cycle",
    "7": "hibernating",
    "9": "in a power cycle",
    "10": "in a reset",
    "11": "in a diagnostic interrupt",
    "12": "shutting down",
    "13": "shutting down",
    "14": "in a graceful reset",
    "15": "in a graceful power cycle",
    "16": "in a graceful power cycle",
}
# What RequestPowerStateChange is asked for: 8 does not wait for the operating system.
WANTED = {Power.ON: "2", Power.OFF: "8"}
# Its ReturnValue. 4096: the parameters are accepted and a job has been started.
ACCEPTED = frozenset({"0", "4096"})
RETURN_VALUES: Mapping[str, tuple[type[DeviceError], str, str]] = {
    "1": (Unsupported, "not supported", "look at the machine's AMT features"),
    "5": (Refused, "invalid parameter", "look at the machine's AMT version"),
    "6": (Busy, "in use", "try again later"),
    "4097": (Refused, "invalid state transition", "does somebody have a redirection session (SOL, IDE-R, KVM) open?"),
    "4099": (Busy, "busy", "try again later"),
}
# Subcodes of WS-Management faults that say more than that it failed.
FAULTS: Mapping[str, tuple[type[DeviceError], str]] = {
    "AccessDenied": (AuthenticationFailed, "give the account the realm for remote control"),
    "DestinationUnreachable": (Unsupported, "look at the machine's AMT version"),
    "InvalidResourceURI": (Unsupported, "look at the machine's AMT version"),
    "ActionNotSupported": (Unsupported, "look at the machine's AMT version"),
    "Concurrency": (Busy, "try again later"),
    "QuotaLimit": (Busy, "try again later"),
}

ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="{soap}" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"\
 xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header><a:Action s:mustUnderstand="true">{action}</a:Action>\
<a:To s:mustUnderstand="true">{anonymous}</a:To><w:ResourceURI s:mustUnderstand="true">{resource}</w:ResourceURI>\
<a:MessageID s:mustUnderstand="true">uuid:{message}</a:MessageID><a:ReplyTo><a:Address>{anonymous}</a:Address></a:ReplyTo>\
{selectors}</s:Header><s:Body>{body}</s:Body></s:Envelope>"""
SELECTOR = '<w:SelectorSet><w:Selector Name="Name">{name}</w:Selector></w:SelectorSet>'
CHANGE_BODY = """<p:RequestPowerStateChange_INPUT xmlns:p="{service}"><p:PowerState>{state}</p:PowerState>\
<p:ManagedElement><a:Address>{anonymous}</a:Address><a:ReferenceParameters><w:ResourceURI>{cim}/CIM_ComputerSystem</w:ResourceURI>\
{selectors}</a:ReferenceParameters></p:ManagedElement></p:RequestPowerStateChange_INPUT>"""
NUMBER = re.compile(r"[0-9]{1,5}")


class AmtDriver(Driver):
    """The power of the one machine that this AMT is in."""

    def __init__(self, options: Options) -> None:
        protocol = protocol_of(options)
        certain = options.get("validate_certs") is not False
        self._http = HttpDevice(str(options["address"]), port_of(options), protocol, certain, options.get("ca_path"))
        self._login = Login(self._http, "digest", str(options.get("username") or "admin"), options.get("password"))

    def read(self, deadline: Deadline) -> Reading:
        answer = self._ask(GET, STATUS, "", "", "the power state", deadline, acts=False)
        # AMT says once what the state is; anything else is not its answer.
        states = [(each.text or "").strip() for each in answer.iter(f"{{{STATUS}}}PowerState")]
        if len(states) != 1:
            raise BadReply("its answer has no PowerState, or several", "is this Intel AMT?")
        state = states[0]
        if state in POWER_STATES:
            return Reading(POWER_STATES[state], state)
        if state in OTHER_STATES:
            meaning = OTHER_STATES[state]
            return Reading(
                Power.UNKNOWN, state, Reason.UNCONFIRMED, f"PowerState {state}: it is {meaning}, which is not off"
            )
        raw = self._login.shown(state)
        return Reading(Power.UNKNOWN, raw, Reason.BAD_REPLY, f"PowerState {raw} is not documented")

    def switch(self, power: Power, deadline: Deadline) -> None:
        """Ask for the state first: that is harmless, and does the login."""
        self.read(deadline)
        service = SELECTOR.format(name="Intel(r) AMT Power Management Service")
        system = SELECTOR.format(name="ManagedSystem")
        body = CHANGE_BODY.format(service=SERVICE, state=WANTED[power], anonymous=ANONYMOUS, cim=CIM, selectors=system)
        answer = self._ask(CHANGE, SERVICE, service, body, f"the command {power}", deadline, acts=True)
        values = [(each.text or "").strip() for each in answer.iter(f"{{{SERVICE}}}ReturnValue")]
        if len(values) != 1 or not NUMBER.fullmatch(values[0]):
            raise BadReply(f"its answer to the command {power} has no ReturnValue", "is this Intel AMT?")
        if values[0] not in ACCEPTED:
            unknown = (Refused, "not documented", "look at the machine's AMT event log")
            error, meaning, advice = RETURN_VALUES.get(values[0], unknown)
            raise error(f"it refused the command {power} (ReturnValue {values[0]}, {meaning})", advice)

    def close(self) -> None:
        self._http.close()

    def _ask(
        self, action: str, resource: str, selectors: str, body: str, what: str, deadline: Deadline, acts: bool
    ) -> Element:
        message = ENVELOPE.format(
            soap=SOAP,
            action=action,
            anonymous=ANONYMOUS,
            resource=resource,
            message=uuid.uuid4(),
            selectors=selectors,
            body=body,
        )
        headers = {"Content-Type": "application/soap+xml;charset=UTF-8"}
        reply = self._login.request("POST", "/wsman", deadline, headers, message.encode(), acts)
        if reply.status not in (200, 400, 500):  # A fault comes with one of the latter two.
            complain(reply, what)
        try:
            envelope = parse_xml(reply.body, what)
        except BadReply:
            complain(reply, what)
            raise
        content = envelope.find(f"{{{SOAP}}}Body")
        if envelope.tag != f"{{{SOAP}}}Envelope" or content is None:
            raise BadReply(f"its answer for {what} is no SOAP", "is this Intel AMT?")
        for fault in content.iter(f"{{{SOAP}}}Fault"):
            self._raise_fault(fault, what)
        complain(reply, what)
        return content

    def _raise_fault(self, fault: Element, what: str) -> None:
        codes = [(each.text or "").strip().rpartition(":")[2] for each in fault.iter() if local_name(each) == "Value"]
        for code in codes:
            if code in FAULTS:
                error, advice = FAULTS[code]
                raise error(f"it refused {what} (fault {code})", advice)
        shown = ", ".join(self._login.shown(code) for code in codes[:3]) or "without a code"
        raise Refused(f"it answered {what} with a fault ({shown})", "look at the machine's AMT event log")


def protocol_of(options: Options) -> str:
    return options.get("protocol") or "https"


def port_of(options: Options) -> int:
    return int(options.get("port") or PORTS[protocol_of(options)])


def device(options: Options) -> str:
    return f"{str(options['address']).lower()}:{port_of(options)}"


def problems(options: Options) -> Iterator[Problem]:
    yield from address_problems(options)
    if options.get("username") == "":
        yield "username", "must not be empty; leave it out for admin"


TYPE = AgentType(
    name="amt",
    kind=Kind.CHASSIS,
    # AMT has room for few conversations at once.
    parallel=False,
    timeout_s=60.0,
    read_timeout_s=12.0,
    exchange_s=10.0,
    usual_s={Power.OFF: 2.0, Power.ON: 2.0},
    argument_spec={
        "address": {"type": "str", "required": True},
        "port": {"type": "int"},
        "protocol": {"type": "str", "choices": ["https", "http"], "default": "https"},
        "username": {"type": "str", "default": "admin"},
        "password": {"type": "str", "required": True, "no_log": True},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
    },
    open=AmtDriver,
    describe=lambda options: str(options["address"]),
    device=device,
    target=device,
    problems=lambda options: list(problems(options)),
    missing_library=lambda options: MISSING_LIBRARY,
)
