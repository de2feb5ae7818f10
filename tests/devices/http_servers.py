# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Devices that are switched over HTTP, on loopback: written from what is known of them, not from the collection's table.

Each does what it is asked, except where a test says otherwise. All of them end with the test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit
from urllib.request import parse_http_list, parse_keqv_list

from devices.redfish_servers import SocketServer

USERNAME = "fence"
PASSWORD = "canary-Pa55word-of-the-pdu"
LOGIN_PAGE = (
    "<html><title>Login</title><form action=/login.tgi>User Name <input name=Username> P01 on off</form></html>"
)


@dataclass
class Page:
    """One answer. ``raw`` is sent instead of everything else; ``cut`` closes the connection without a word."""

    content: object = ""
    status: int = 200
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    cut: bool = False

    @property
    def body(self) -> bytes:
        if isinstance(self.content, bytes):
            return self.content
        return self.content.encode() if isinstance(self.content, str) else json.dumps(self.content).encode()


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> str:
        return unquote(urlsplit(self.path).query.replace("+", " "))

    @property
    def place(self) -> str:
        return urlsplit(self.path).path


Rule = Callable[[Asked], "Page | None"]


class WebServer:
    """An HTTP server with one account. ``rules`` are asked first; one that returns None has nothing to say."""

    def __init__(self, tls: ssl.SSLContext | None = None, auth: str = "basic", algorithm: str = "SHA-256") -> None:
        self.auth = auth
        self.algorithm = algorithm
        self.rules: list[Rule] = []
        self.log: list[Asked] = []
        self.nonces: dict[str, int] = {}
        self.stale: set[str] = set()
        self.refused = 0
        self.keep = True
        self._lock = threading.Lock()
        self._server = SocketServer(self._talk, tls)
        self.port = self._server.port
        self.stop = self._server.stop
        self.wait = self._server.wait

    @property
    def connections(self) -> int:
        return self._server.connections

    def page(self, asked: Asked) -> Page:
        raise NotImplementedError

    def answer(self, asked: Asked) -> Page:
        with self._lock:
            self.log.append(asked)
        challenge = self._challenge(asked)
        if challenge is not None:
            return challenge
        for rule in self.rules:
            ruled = rule(asked)
            if ruled is not None:
                return ruled
        return self.page(asked)

    def always(self, page: Page, when: Callable[[Asked], bool] = lambda asked: True) -> None:
        self.rules.append(lambda asked: page if when(asked) else None)

    def hang(self, when: Callable[[Asked], bool] = lambda asked: True) -> None:
        def rule(asked: Asked) -> Page | None:
            if when(asked):
                self.wait(30)
            return None

        self.rules.append(rule)

    def forget_nonces(self) -> None:
        """What a device does after some minutes: it wants its nonces to be fresh, and says that they are stale."""
        self.stale.update(self.nonces)
        self.nonces.clear()

    def _challenge(self, asked: Asked) -> Page | None:
        given = asked.headers.get("Authorization", "")
        if self.auth == "none":
            return None
        if self.auth == "basic":
            pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
            if given == f"Basic {pair}":
                return None
            self.refused += bool(given)
            return Page(f"no {PASSWORD}", 401, headers={"WWW-Authenticate": 'Basic realm="a \\"PDU\\", Digest"'})
        scheme, _blank, rest = given.partition(" ")
        parts = parse_keqv_list(parse_http_list(rest)) if scheme == "Digest" else {}
        if parts and self._fits(parts, asked):
            return None
        stale = parts.get("nonce") in self.stale
        self.refused += bool(given) and not stale
        nonce = secrets.token_hex(12)
        self.nonces[nonce] = 0
        wanted = (
            f'Digest qop="auth,auth-int", realm="pdu, 1", nonce="{nonce}", opaque="x=y", algorithm={self.algorithm}'
        )
        return Page("", 401, headers={"WWW-Authenticate": f'Basic realm="old", {wanted}' + ", stale=true" * stale})

    def _fits(self, parts: Mapping[str, str], asked: Asked) -> bool:
        def digest(*words: str) -> str:
            name = "sha256" if self.algorithm.startswith("SHA-256") else "md5"
            return hashlib.new(name, ":".join(words).encode()).hexdigest()

        nonce, count = parts.get("nonce", ""), int(parts.get("nc", "0"), 16)
        if nonce not in self.nonces or count <= self.nonces[nonce] or parts.get("uri") != asked.path:
            return False
        account = digest(USERNAME, "pdu, 1", PASSWORD)
        if self.algorithm.endswith("-sess"):
            account = digest(account, nonce, parts["cnonce"])
        expected = digest(account, nonce, parts["nc"], parts["cnonce"], "auth", digest(asked.method, asked.path))
        fits = parts.get("response") == expected and parts.get("opaque") == "x=y" and parts.get("username") == USERNAME
        if fits:
            self.nonces[nonce] = count
        return fits

    def _talk(self, connection: socket.socket) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # One packet for headers and body: no waiting for a delayed acknowledgement.

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                page = server.answer(Asked(self.command, self.path, self.headers, body))
                if page.cut or page.raw:
                    self.wfile.write(page.raw)
                    self.close_connection = True
                    return
                self.send_response(page.status)
                if page.content_type:
                    self.send_header("Content-Type", page.content_type)
                for name, value in page.headers.items():
                    self.send_header(name, value)
                if not server.keep:
                    self.send_header("Connection", "close")
                    self.close_connection = True
                if page.status != 204:
                    self.send_header("Content-Length", str(len(page.body)))
                self.end_headers()
                self.wfile.write(page.body if page.status != 204 else b"")

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

            def log_message(self, format: str, *args: object) -> None:
                pass

        Handler(connection, ("127.0.0.1", 0), self)  # type: ignore[arg-type]


class Device(WebServer):
    """A device with outlets, as people name them. ``obeys`` False: it takes commands and does nothing.

    ``outlet`` is one that it has, ``other`` another, ``beyond`` one that could be but is not there. ``words`` are its own for on and
    off, ``strange`` are some that are neither.
    """

    model: ClassVar[str]
    outlets: ClassVar[tuple[str, ...]] = tuple(str(number) for number in range(1, 9))
    outlet: ClassVar[str] = "7"
    other: ClassVar[str] = "2"
    beyond: ClassVar[str] = "99"
    words: ClassVar[tuple[object, object]] = ("1", "0")
    strange: ClassVar[tuple[object, ...]] = ("", "2", "unknown", "00", "off", "Off ")
    digest: ClassVar[bool] = False
    status_path: ClassVar[str] = "/"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls, "digest" if self.digest else "basic")
        self.obeys = True
        self.power: dict[str, object] = dict.fromkeys(self.outlets, self.words[0])
        self.commands: list[tuple[str, str]] = []

    @property
    def status_request(self) -> tuple[str, str, Mapping[str, str], bytes]:
        """How the device is asked for its status."""
        return ("GET", self.status_path, {}, b"")

    def is_command(self, asked: Asked) -> bool:
        raise NotImplementedError

    def command(self, outlet: str, on: bool) -> None:
        if outlet not in self.power:
            raise KeyError(outlet)
        self.commands.append((outlet, "on" if on else "off"))
        if self.obeys:
            self.power[outlet] = self.words[0] if on else self.words[1]


class EPowerSwitch8M(Device):
    """The hidden page: rows such as P01=1<br>, and the same page with ?P01=0 as the command."""

    model = "epowerswitch_8m"
    outlets = tuple(str(number) for number in range(1, 5))
    outlet, beyond = "3", "8"
    status_path = "/hidden.htm"

    def is_command(self, asked: Asked) -> bool:
        return "?" in asked.path

    def page(self, asked: Asked) -> Page:
        if asked.method != "GET" or asked.place != "/hidden.htm":
            return Page("no such page", 404)
        for number, value in re.findall(r"P(\d\d)=([01])", asked.query):
            self.command(str(int(number)), value == "1")
        rows = "".join(f"P{int(outlet):02}={word}<br>\r\n" for outlet, word in self.power.items())
        return Page(f"<html><body>\r\n{rows}</body></html>", content_type="text/html")


class EPowerSwitchR2(Device):
    """As the elder one, with rows such as M0:O1=On."""

    model = "epowerswitch_r2"
    outlets = ("M0:O1", "M0:O2", "M0:O3", "M1:O1")
    outlet, other, beyond = "M1:O1", "M0:O2", "M1:O2"
    status_path = "/hidden.htm"
    words = ("On", "Off")
    strange = ("", "OFF", "off", "Restarting", "0", "Offline", "Off-")

    def is_command(self, asked: Asked) -> bool:
        return "?" in asked.path

    def page(self, asked: Asked) -> Page:
        if asked.method != "GET" or asked.place != "/hidden.htm":
            return Page("no such page", 404)
        for outlet, word in re.findall(r"(M\d+:O\d+)=(On|Off)", asked.query, re.IGNORECASE):
            self.command(outlet, word.lower() == "on")
        return Page("".join(f"{outlet}={word}<br>" for outlet, word in self.power.items()), content_type="text/html")


class Netio(Device):
    """GET and POST /netio.json; the answer to both is the state of everything."""

    model = "netio"
    status_path = "/netio.json"
    outlets = tuple(str(number) for number in range(1, 5))
    outlet, other = "4", "1"
    words = (1, 0)
    strange = ("0", "off", None, False, [], 2, -1, 0.0)

    def is_command(self, asked: Asked) -> bool:
        return asked.method == "POST"

    def page(self, asked: Asked) -> Page:
        if asked.place != "/netio.json":
            return Page("", 404)
        if asked.method == "POST":
            for order in json.loads(asked.body)["Outputs"]:
                if (
                    not isinstance(order["ID"], int)
                    or str(order["ID"]) not in self.power
                    or order["Action"] not in (0, 1)
                ):
                    return Page("", 400)
                self.command(str(order["ID"]), order["Action"] == 1)
        outputs = [
            {"ID": int(outlet), "Name": f"output_{outlet}", "State": word, "Action": 6, "Delay": 5000, "Load": 0}
            for outlet, word in self.power.items()
        ]
        agent = {"Model": "NETIO 4All", "DeviceName": "pdu-a", "SerialNumber": "24A42C391111"}
        agent |= {"Version": "3.0.0", "JSONVer": "2.0", "NumOutputs": len(outputs)}
        content: dict[str, Any] = {"Agent": agent, "GlobalMeasure": {"Voltage": 230.1}, "Outputs": outputs}
        return Page(content, content_type="application/json")


class Jaws(Device):
    """GET /jaws/monitor/outlets is a list of all; PATCH /jaws/control/outlets/ID is the command."""

    model = "jaws"
    status_path = "/jaws/monitor/outlets"
    outlets = tuple(f"{unit}{number}" for unit in ("AA", "BA") for number in range(1, 5))
    outlet, other, beyond = "BA3", "AA1", "AA48"
    words = ("On", "Off")
    strange = ("", "off", "OFF", "Idle", "Reboot", "Wait", None, False, 0)

    def is_command(self, asked: Asked) -> bool:
        return asked.method == "PATCH"

    def page(self, asked: Asked) -> Page:
        if asked.method == "GET" and asked.place == "/jaws/monitor/outlets":
            rows = [
                {"id": outlet, "name": f"Outlet {outlet}", "state": word, "status": "Normal", "socket_type": "C13"}
                for outlet, word in self.power.items()
            ]
            return Page(rows, content_type="application/json")
        outlet = asked.place.removeprefix("/jaws/control/outlets/")
        if asked.method != "PATCH" or outlet not in self.power:
            return Page("", 404)
        self.command(outlet, {"on": True, "off": False}[json.loads(asked.body)["control_action"]])
        return Page("", 204)


class DliRest(Device):
    """Outlets count from 0; state is what was asked for and physical_state what the relay does."""

    model = "dli_rest"
    status_path = "/restapi/relay/outlets/"
    words = (True, False)
    strange = (0, "false", "off", None, [])
    digest = True

    def is_command(self, asked: Asked) -> bool:
        return asked.method == "PUT"

    def page(self, asked: Asked) -> Page:
        if asked.method == "GET" and asked.place == "/restapi/relay/outlets/":
            rows = [
                {"name": f"Outlet {outlet}", "critical": False, "locked": False, "state": False, "physical_state": word}
                | {"transient_state": False, "cycle_delay": None}
                for outlet, word in self.power.items()
            ]
            return Page(rows, content_type="application/json")
        match = re.fullmatch(r"/restapi/relay/outlets/(\d+)/state/", asked.place)
        if not match or str(int(match[1]) + 1) not in self.power:
            return Page("", 404)
        form = asked.headers.get("Content-Type") == "application/x-www-form-urlencoded"
        if asked.method != "PUT" or "X-CSRF" not in asked.headers or not form:
            return Page("", 403)
        self.command(str(int(match[1]) + 1), {b"value=true": True, b"value=false": False}[asked.body])
        return Page("", 204)


class DliWeb(Device):
    """The table of index.htm as it was recorded of an EPCR5, and its links as the commands."""

    model = "dli_web"
    status_path = "/index.htm"
    outlets = tuple(str(number) for number in range(1, 6))
    outlet, other, beyond = "4", "2", "8"
    words = ("ON", "OFF")
    strange = ("", "off", "Off", "OFFLINE", "0")

    def is_command(self, asked: Asked) -> bool:
        return asked.place == "/outlet"

    def page(self, asked: Asked) -> Page:
        if asked.method == "GET" and asked.place == "/outlet":
            outlet, _equals, word = asked.query.partition("=")
            if outlet not in self.power or word not in ("ON", "OFF"):
                return Page("", 404)
            self.command(outlet, word == "ON")
            return Page('<META HTTP-EQUIV="refresh" content="0; URL=/index.htm">', content_type="text/html")
        if asked.place != "/index.htm":
            return Page("", 404)
        rows = "".join(self._row(outlet, str(word)) for outlet, word in self.power.items())
        heading = '<tr class="bus"><th colspan="2" class="name">Bus A:</th><th colspan="3">122.0V 0.0A</th></tr>'
        whole = f'<html><title>Outlet Control</title><table class="form">\n{heading}\n{rows}</table>'
        return Page(
            whole + '<a href="outlet?a=OFF">All outlets OFF</a></html>', content_type='text/html; charset="utf-8"'
        )

    def _row(self, outlet: str, word: str) -> str:
        colour, other = ("green", "OFF") if word == "ON" else ("red", "ON")
        return (
            f'<tr class="item"><td class="centered">{outlet}</td>\n<td>Outlet 1 OFF</td><td>\n\n'
            f'<b><font color="{colour}">{word}</font></b>\n</td><td>\n\n    <a  href="outlet?{outlet}={other}">Switch {other}</a>\n'
            f'\n</td><td>\n\n<!-- \n\n<a  href="outlet?{outlet}=CCL">Cycle</a>\n\n -->\n\n</td></tr>\n\n'
        )


class ShellyGen2(Device):
    """RPC over HTTP: Shelly.GetStatus tells of all components, Switch.Set is the command. Switches count from 0."""

    model = "shelly_gen2"
    status_path = "/rpc/Shelly.GetStatus"
    outlets = tuple(str(number) for number in range(4))
    outlet, other = "3", "0"
    words = (True, False)
    strange = (0, "off", "false", None)
    digest = True

    def is_command(self, asked: Asked) -> bool:
        return asked.place == "/rpc/Switch.Set"

    def page(self, asked: Asked) -> Page:
        if asked.place == "/rpc/Shelly.GetStatus":
            switches = {
                f"switch:{outlet}": {"id": int(outlet), "source": "init", "output": word, "apower": 0.0}
                for outlet, word in self.power.items()
            }
            content = {"cloud": {"connected": False}, "input:0": {"id": 0, "state": False}, **switches}
            return Page(content, content_type="application/json")
        if asked.method != "POST" or asked.place != "/rpc/Switch.Set":
            return Page({"code": 404, "message": f"No handler for {asked.place}"}, 404)
        given = json.loads(asked.body)
        outlet = str(given["id"])
        right = isinstance(given["id"], int) and isinstance(given["on"], bool)
        if not right or outlet not in self.power:
            return Page({"code": -105, "message": f"Argument 'id', value {outlet} not found!"}, 500)
        before = self.power[outlet]
        self.command(outlet, given["on"])
        return Page({"was_on": before}, content_type="application/json")


class Tasmota(Device):
    """/cm?cmnd=...: State tells of all relays; a wrong password is answered with a warning, by old releases with 200."""

    model = "tasmota"
    status_path = "/cm?cmnd=State"
    outlets = tuple(str(number) for number in range(1, 5))
    outlet, other = "3", "1"
    words = ("ON", "OFF")
    strange = ("", "off", "Off", "TOGGLE", "HOLD", None, 0, False)

    def is_command(self, asked: Asked) -> bool:
        return asked.query.startswith("cmnd=Power")

    def page(self, asked: Asked) -> Page:
        if asked.place != "/cm":
            return Page("", 404)
        if asked.query == "cmnd=State":
            single = len(self.power) == 1
            relays = {"POWER" if single else f"POWER{outlet}": word for outlet, word in self.power.items()}
            return Page({"Time": "2026-11-01T00:00:00", "UptimeSec": 9, **relays, "Wifi": {"AP": 1}})
        match = re.fullmatch(r"cmnd=Power(\d+) (ON|OFF)", asked.query)
        if not match or match[1] not in self.power:
            return Page({"Command": "Unknown"})
        self.command(match[1], match[2] == "ON")
        return Page({f"POWER{match[1]}": match[2]})


class LindyIpower(Device):
    """status.xml with one text of many values, eight of them outlets; ons.cgi and offs.cgi with a mask of 24 digits."""

    model = "lindy_ipower"
    status_path = "/status.xml"
    outlets = tuple(str(number) for number in range(1, 8))
    beyond = "8"
    strange = ("", "2", "unknown", "00", "-")

    def is_command(self, asked: Asked) -> bool:
        return asked.place.endswith(".cgi")

    def page(self, asked: Asked) -> Page:
        if asked.place == "/status.xml":
            values = ["0.0", "0.0", "230", *["0"] * 7, *(str(word) for word in self.power.values())]
            return Page(f"<response><pot0>{','.join(values)}</pot0></response>", content_type="text/xml")
        if asked.method != "GET" or asked.place not in ("/ons.cgi", "/offs.cgi"):
            return Page("", 404)
        mask = re.fullmatch(r"led=([01]{24})", asked.query)
        if not mask:
            return Page("", 400)
        for number, digit in enumerate(mask[1], start=1):
            if digit == "1":
                self.command(str(number), asked.place == "/ons.cgi")
        return Page("Success!")


class Ip9258S(Device):
    """set.cmd with getpower and setpower; outlets are p61 to p64."""

    model = "ip9258s"
    status_path = "/set.cmd?cmd=getpower"
    outlets = ("1", "2", "3")
    outlet, other, beyond = "3", "1", "4"

    def is_command(self, asked: Asked) -> bool:
        return asked.query.startswith("cmd=setpower")

    def page(self, asked: Asked) -> Page:
        if asked.method != "GET" or asked.place != "/set.cmd":
            return Page("", 404)
        command, *parts = asked.query.split(" ")
        for part in parts if command == "cmd=setpower" else []:
            match = re.fullmatch(r"p6(\d)=([01])", part)
            assert match, part
            self.command(match[1], match[2] == "1")
        return Page("<html>" + ",".join(f"p6{outlet}={word}" for outlet, word in self.power.items()) + "</html>")


class OpenBmc(Device):
    """The REST view of D-Bus objects: attributes of chassis0 and host0."""

    model = "openbmc"
    status_path = "/xyz/openbmc_project/state/chassis0/attr/CurrentPowerState"
    outlets = ("",)
    outlet = other = beyond = ""
    words = ("xyz.openbmc_project.State.Chassis.PowerState.On", "xyz.openbmc_project.State.Chassis.PowerState.Off")
    strange = ("Off", "", None, 0, words[1] + " ", words[1].replace("Off", "TransitioningToOff"), [words[1]])

    def is_command(self, asked: Asked) -> bool:
        return asked.method == "PUT"

    def page(self, asked: Asked) -> Page:
        state = "/xyz/openbmc_project/state"
        if asked.method == "GET" and asked.place == self.status_path:
            return Page({"data": self.power[""], "message": "200 OK", "status": "ok"}, content_type="application/json")
        wanted = {
            (f"{state}/host0/attr/RequestedHostTransition", "xyz.openbmc_project.State.Host.Transition.On"): True,
            (
                f"{state}/chassis0/attr/RequestedPowerTransition",
                "xyz.openbmc_project.State.Chassis.Transition.Off",
            ): False,
        }.get((asked.place, json.loads(asked.body or b"{}").get("data")))
        if asked.method != "PUT" or wanted is None:
            return Page({"message": "404 Not Found", "status": "error"}, 404)
        self.command("", wanted)
        return Page({"data": None, "message": "200 OK", "status": "ok"}, content_type="application/json")


class RelayBoard(Device):
    """The device of the guide that answers in JSON."""

    model = "custom"
    outlets, outlet = ("0", "1"), ""
    words = ("on", "off")

    def page(self, asked: Asked) -> Page:
        match = re.fullmatch(r"/api/relays(?:/(\d))?", asked.path)
        if match is None or (match[1] and (asked.method != "PUT" or match[1] not in self.power)):
            return Page("", 404)
        if match[1]:
            self.command(match[1], json.loads(asked.body)["state"] == "on")
        relays = [{"id": int(outlet) + 1, "state": word} for outlet, word in self.power.items()]
        return Page({"relays": relays}, content_type="application/json")


class NetBooter(Device):
    """The device of the guide that answers in text: outlet 1 is at the right end."""

    model = "custom"
    outlet = ""

    def page(self, asked: Asked) -> Page:
        if asked.query == "$A5":
            return Page(f"$A0,{''.join(str(word) for word in reversed(self.power.values()))},0.00,XX")
        match = re.fullmatch(r"\$A3 (\d) ([01])", asked.query)
        if match is None:
            return Page("$AF")
        self.command(match[1], match[2] == "1")
        return Page("$A0")


DEVICES: tuple[type[Device], ...] = (
    DliRest,
    DliWeb,
    EPowerSwitch8M,
    EPowerSwitchR2,
    Ip9258S,
    Jaws,
    LindyIpower,
    Netio,
    OpenBmc,
    ShellyGen2,
    Tasmota,
)
