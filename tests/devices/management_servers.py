# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Intel AMT, a Cisco UCS domain and an iLO 2 on loopback, written from what is known of them and not from the drivers.

Each does what it is asked, except where a test says otherwise. All of them end with the test.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import ssl
import threading
import time
import uuid
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from devices.http_servers import PASSWORD, USERNAME, Asked, Page, WebServer
from devices.redfish_servers import SocketServer

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"


class Amt(WebServer):
    """WS-Management with digest: Get of the associated power management service, and RequestPowerStateChange."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls, auth="digest", algorithm="MD5")
        self.state = "2"
        self.obeys = True
        self.return_value = "0"
        self.requested: list[str] = []

    def is_command(self, asked: Asked) -> bool:
        return b"RequestPowerStateChange_INPUT" in asked.body

    def page(self, asked: Asked) -> Page:
        if (asked.method, asked.path) != ("POST", "/wsman"):
            return Page("", 404)
        root = ElementTree.fromstring(asked.body)
        action = root.findtext(f"{{{SOAP}}}Header/{{{ADDRESSING}}}Action", "")
        resource = root.findtext(f"{{{SOAP}}}Header/{{{WSMAN}}}ResourceURI", "").rpartition("/")[2]
        if action.endswith("/transfer/Get") and resource == "CIM_AssociatedPowerManagementService":
            return self.envelope(resource, resource, f"<p:PowerState>{self.state}</p:PowerState>")
        selector = root.find(f"{{{SOAP}}}Header/{{{WSMAN}}}SelectorSet/{{{WSMAN}}}Selector")
        service = selector is not None and (selector.get("Name"), selector.text) == (
            "Name",
            "Intel(r) AMT Power Management Service",
        )
        if action != f"{CIM}CIM_PowerManagementService/RequestPowerStateChange" or not service:
            return self.fault("s:Sender", "a:DestinationUnreachable")
        given = root.find(f"{{{SOAP}}}Body/{{{CIM}{resource}}}RequestPowerStateChange_INPUT")
        assert given is not None
        managed = given.find(f".//{{{WSMAN}}}Selector")
        assert managed is not None and managed.text == "ManagedSystem"
        state = given.findtext(f"{{{CIM}{resource}}}PowerState", "")
        self.requested.append(state)
        if self.obeys and self.return_value == "0":
            self.state = state
        value = f"<p:ReturnValue>{self.return_value}</p:ReturnValue>"
        return self.envelope(resource, "RequestPowerStateChange_OUTPUT", value)

    def envelope(self, resource: str, name: str, content: str) -> Page:
        body = f'<p:{name} xmlns:p="{CIM}{resource}">{content}</p:{name}>'
        return self.soap(body)

    def fault(self, code: str, subcode: str, status: int = 400) -> Page:
        page = self.soap(
            f"<s:Fault><s:Code><s:Value>{code}</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en-US">no: {PASSWORD}</s:Text></s:Reason></s:Fault>'
        )
        page.status = status
        return page

    def soap(self, body: str) -> Page:
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}"><s:Header>'
            f"<a:MessageID>uuid:{uuid.uuid4()}</a:MessageID></s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )
        return Page(text, content_type="application/soap+xml; charset=UTF-8")


@dataclass
class Blade:
    """What a service profile is on. ``words`` come first, one a read, before ``power``."""

    dn: str
    power: str = "on"
    presence: str = "equipped"
    owner: str = ""
    words: list[str] = field(default_factory=list)


class Ucs(WebServer):
    """The XML API of UCS Manager: sessions by cookie, profiles in organizations, blades."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls, auth="none")
        self.blades = {
            "org-root/ls-node1": Blade("sys/chassis-1/blade-1", owner="org-root/ls-node1"),
            "org-root/org-Europe/org-Prod/ls-node2": Blade(
                "sys/rack-unit-2", owner="org-root/org-Europe/org-Prod/ls-node2"
            ),
        }
        self.unassociated = {"org-root/ls-spare"}
        self.obeys = True
        self.cookies: set[str] = set()
        self.logins = self.logouts = 0
        self.commands: list[tuple[str, str]] = []
        self.methods: list[str] = []

    def is_command(self, asked: Asked) -> bool:
        return b"<configConfMos" in asked.body

    def error(self, method: str, code: str) -> Page:
        return self.reply(
            method, f' errorCode="{code}" invocationResult="unidentified-fail" errorDescr="no: {PASSWORD}"'
        )

    def reply(self, method: str, attributes: str = "", content: str = "") -> Page:
        return Page(f'<{method} response="yes"{attributes}>{content}</{method}>', content_type="text/xml")

    def page(self, asked: Asked) -> Page:
        if (asked.method, asked.path) != ("POST", "/nuova"):
            return Page("", 404)
        root = ElementTree.fromstring(asked.body)
        self.methods.append(root.tag)
        if root.tag == "aaaLogin":
            if (root.get("inName"), root.get("inPassword")) != (USERNAME, PASSWORD):
                self.refused += 1
                return self.error("aaaLogin", "551")
            cookie = f"{int(time.time())}/{secrets.token_hex(8)}"
            self.cookies.add(cookie)
            self.logins += 1
            return self.reply("aaaLogin", f' cookie="" outCookie="{cookie}" outRefreshPeriod="600" outPriv="admin"')
        if root.tag == "aaaLogout":
            self.cookies.discard(root.get("inCookie", ""))
            self.logouts += 1
            return self.reply("aaaLogout", ' outStatus="success"')
        if root.get("cookie") not in self.cookies:
            return self.error(root.tag, "552")
        cookie = f" cookie={quoteattr(root.get('cookie', ''))}"
        if root.tag == "configResolveDns":
            return self.reply(root.tag, cookie, self._resolved([each.get("value", "") for each in root.iter("dn")]))
        if root.tag == "configConfMos":
            return self._configured(root, cookie)
        return self.error(root.tag, "ERR-xml-parse-error")

    def _resolved(self, dns: list[str]) -> str:
        found, missing = "", ""
        for dn in dns:
            blade = next((blade for blade in self.blades.values() if blade.dn == dn), None)
            if dn in self.blades or dn in self.unassociated:
                place = self.blades[dn].dn if dn in self.blades else ""
                found += f'<lsServer dn={quoteattr(dn)} assocState="associated" pnDn={quoteattr(place)} name="x"/>'
            elif blade is not None:
                power = blade.words.pop(0) if blade.words else blade.power
                tag = "computeRackUnit" if "rack" in dn else "computeBlade"
                words = f"operPower={quoteattr(power)} presence={quoteattr(blade.presence)} assignedToDn={quoteattr(blade.owner)}"
                found += f"<{tag} dn={quoteattr(dn)} {words}/>"
            else:
                missing += f"<dn value={quoteattr(dn)}/>"
        return f"<outConfigs>{found}</outConfigs><outUnresolved>{missing}</outUnresolved>"

    def _configured(self, root: ElementTree.Element, cookie: str) -> Page:
        for pair in root.iter("pair"):
            change = pair.find("lsPower")
            assert change is not None
            dn = change.get("dn", "").removesuffix("/power")
            if pair.get("key") != change.get("dn") or dn not in self.blades or change.get("status") != "modified":
                return self.error("configConfMos", "103")
            state = change.get("state", "")
            self.commands.append((dn, state))
            if self.obeys:
                self.blades[dn].power = {"admin-up": "on", "admin-down": "off"}[state]
        return self.reply("configConfMos", cookie, "<outConfigs/>")


class Ilo2:
    """An iLO or iLO 2: TLS, a line that says XML, then tags that are acted upon as they come, each with a small answer.

    ``holds_s`` is how long it takes until a button that is held shows. With ``TOGGLE="Yes"`` a held button is a toggle. ``status``
    is the status of the next command's answer; ``vanish`` closes the connection right after a button, without an answer.
    """

    def __init__(
        self, tls: ssl.SSLContext, processor: str = "iLO2", firmware: str = "2.29", version: str = "2.22"
    ) -> None:
        self.power = "ON"
        self.processor, self.firmware, self.version = processor, firmware, version
        self.holds_s = 0.0
        self.obeys = True
        self.vanish = self.hang = False
        self.refuse_login = False
        self.status = 0
        self.extra = ""
        self.buttons: list[str] = []
        self.wrong_first_line = 0
        self._timer: list[threading.Timer] = []
        self._server = SocketServer(self._talk, tls)
        self.port = self._server.port

    @property
    def connections(self) -> int:
        return self._server.connections

    def stop(self) -> None:
        for timer in self._timer:
            timer.cancel()
            timer.join()
        self._server.stop()

    def _talk(self, connection: socket.socket) -> None:
        if connection.recv(4096) != b'<?xml version="1.0"?>\r\n':
            self.wrong_first_line += 1
            return
        heard = ""
        mode = ""
        while True:
            chunk = connection.recv(4096).decode()
            if not chunk:
                return
            heard += chunk
            while tag := re.match(r"\s*<(/?)(\w+)\s*([^<>]*?)/?>", heard):
                heard = heard[tag.end() :]
                if self.hang:
                    self._server.wait(30)
                    return
                closing, name, rest = tag.groups()
                given = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', rest))
                mode = given.get("MODE", mode)
                if closing:
                    if name == "RIBCL":
                        return
                    continue
                answer = self._tag(name, given, mode)
                if answer is None:
                    return
                with contextlib.suppress(OSError):
                    connection.sendall(answer.encode())
                if 'STATUS="0x0000"' not in answer:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(4096):
                            continue  # Closing with something unread would take the answer back.
                    return

    def _tag(self, name: str, given: dict[str, str], mode: str) -> str | None:
        if name == "LOGIN" and (given.get("USER_LOGIN"), given.get("PASSWORD")) != (USERNAME, escape(PASSWORD)):
            return self._answer(0x5F, "", f"Login failed: {PASSWORD}")
        if name == "GET_HOST_POWER_STATUS":
            return self._answer(0, f'<GET_HOST_POWER\n    HOST_POWER="{self.power}"\n/>{self.extra}')
        if name == "GET_FW_VERSION":
            inner = f'FIRMWARE_VERSION = "{self.firmware}"\n FIRMWARE_DATE = "Jul 16 2015"\n MANAGEMENT_PROCESSOR = "{self.processor}"'
            return self._answer(0, f"<GET_FW_VERSION\n    {inner}\n/>")
        if name in ("HOLD_PWR_BTN", "PRESS_PWR_BTN", "SET_HOST_POWER"):
            if mode != "write":
                return self._answer(0x3B, "", "Server information is open for read-only access.")
            if self.status:
                return self._answer(self.status, "", f"no: {PASSWORD}")
            toggles = given.get("TOGGLE") == "Yes"
            self.buttons.append(name + (" TOGGLE" if toggles else "") + given.get("HOST_POWER", ""))
            if self.obeys:
                self._act(name, toggles, given)
            if self.vanish:
                return None
        return self._answer(0)

    def _act(self, name: str, toggles: bool, given: dict[str, str]) -> None:
        def act() -> None:
            if name == "SET_HOST_POWER":
                self.power = {"Yes": "ON", "No": "OFF"}[given["HOST_POWER"]]
            elif name == "HOLD_PWR_BTN":
                self.power = "ON" if toggles and self.power == "OFF" else "OFF"
            elif self.power == "OFF":  # A press of a running server only asks its operating system to shut down.
                self.power = "ON"

        if not self.holds_s:
            act()
            return
        timer = threading.Timer(self.holds_s, act)
        self._timer.append(timer)
        timer.start()

    def _answer(self, status: int, content: str = "", message: str = "No error") -> str:
        return (
            f'<?xml version="1.0"?>\r\n<RIBCL VERSION="{self.version}">\r\n<RESPONSE\r\n    STATUS="0x{status:04X}"\r\n'
            f"    MESSAGE='{message}'\r\n     />\r\n{content}</RIBCL>\r\n"
        )
