# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redfish and HTTP servers on loopback: sushy-tools' emulator, our own BMC that can be told to err, and broken sockets.

All of them listen on free ports of 127.0.0.1 and end with the test.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USERNAME = "fence"
PASSWORD = "canary-Pa55word-of-the-bmc"


class Authority:
    """A CA that lives in a folder and issues certificates."""

    def __init__(self, folder: Path, name: str = "test CA") -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._builder(self._name, self._key, days=30).add_extension(x509.BasicConstraints(True, None), True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str, days: int = 30) -> tuple[Path, Path]:
        """The files of a certificate for host names and addresses, and of its key. Negative days: expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a BMC")])
        entries = [_general_name(name) for name in names]
        builder = self._builder(subject, key, days).add_extension(x509.SubjectAlternativeName(entries), False)
        stem = uuid.uuid4().hex
        certificate, secret = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, secret

    def context(self, *names: str, days: int = 30) -> ssl.SSLContext:
        """The TLS of a server with such a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(*names, days=days))
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
        )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class SocketServer:
    """Accepts connections, each in a thread of its own, and lets ``talk`` do with them what it wants."""

    def __init__(self, talk: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._talk = talk
        self._tls = tls
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def wait(self, seconds: float) -> bool:
        """For ``talk``: let time pass. True when the server was stopped meanwhile."""
        return self._stopped.wait(seconds)

    def stop(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        connection = raw
        # What the peer does to its connection is its business: it goes away in the middle on purpose.
        with contextlib.suppress(OSError, ValueError):
            if self._tls is not None:
                twin = raw.dup()  # TLS takes the socket over; stop() shuts this one down.
                self._open.add(twin)
                connection = self._tls.wrap_socket(raw, server_side=True)
            self._talk(connection)
        connection.close()
        raw.close()
        for each in list(self._open):
            if each.fileno() == -1 or (self._tls is not None and each is twin):
                each.close()
                self._open.discard(each)


@dataclass
class Answer:
    """One HTTP answer. ``raw`` is sent instead of everything else; ``cut`` closes the connection without a word."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    cut: bool = False


@dataclass
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class System:
    """One system of the BMC. ``hidden`` keys are left out of its document, ``more`` are put in."""

    id: str = "1"
    uuid: str = "27946B59-9E44-4FA7-8E91-F3527A1EF094"
    serial: str = "SN-0001"
    power: object = "On"
    allowed: list[str] | None = field(default_factory=lambda: ["On", "ForceOff", "GracefulShutdown", "PushPowerButton"])
    more: dict[str, Any] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    # Readings that come first, one a GET, before ``power``.
    readings: list[object] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/redfish/v1/Systems/{self.id}"

    @property
    def target(self) -> str:
        return f"{self.path}/Actions/ComputerSystem.Reset"

    def document(self) -> dict[str, Any]:
        reset: dict[str, Any] = {"target": self.target}
        if self.allowed is not None:
            reset["ResetType@Redfish.AllowableValues"] = self.allowed
        document = {
            "@odata.id": self.path,
            "Id": self.id,
            "UUID": self.uuid,
            "SerialNumber": self.serial,
            "PowerState": self.readings.pop(0) if self.readings else self.power,
            "Actions": {"#ComputerSystem.Reset": reset},
            **self.more,
        }
        return {key: value for key, value in document.items() if key not in self.hidden}


@dataclass
class Outlet:
    """One outlet of a PDU. ``hidden`` keys are left out of its document, ``more`` are put in."""

    id: str = "7"
    name: str = "Outlet 7"
    label: str = "node3 left"
    power: object = "On"
    allowed: list[str] | None = field(default_factory=lambda: ["On", "Off", "PowerCycle"])
    more: dict[str, Any] = field(default_factory=dict)

    def document(self, pdu: str) -> dict[str, Any]:
        path = f"{pdu}/Outlets/{self.id}"
        control: dict[str, Any] = {"target": f"{path}/Actions/Outlet.PowerControl"}
        if self.allowed is not None:
            control["PowerState@Redfish.AllowableValues"] = self.allowed
        return {
            "@odata.id": path,
            "Id": self.id,
            "Name": self.name,
            "UserLabel": self.label,
            "PowerState": self.power,
            "Actions": {"#Outlet.PowerControl": control},
            **self.more,
        }


@dataclass
class Pdu:
    id: str = "1"
    serial: str = "PDU-0001"
    outlets: list[Outlet] = field(default_factory=lambda: [Outlet(), Outlet("8", "Outlet 8", "node4 left")])

    @property
    def path(self) -> str:
        return f"/redfish/v1/PowerEquipment/RackPDUs/{self.id}"

    def document(self) -> dict[str, Any]:
        outlets = {"@odata.id": f"{self.path}/Outlets"}
        return {"@odata.id": self.path, "Id": self.id, "SerialNumber": self.serial, "Outlets": outlets}


Rule = Callable[[Request], "Answer | None"]


class Bmc:
    """A Redfish service that does what it is asked, except where a rule of the test says otherwise.

    ``rules`` are asked first; one that returns None has nothing to say. ``log`` holds every request that came.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, sessions: bool = True) -> None:
        self.systems = [System()]
        self.pdus: list[Pdu] = []
        self.rules: list[Rule] = []
        self.log: list[Request] = []
        self.created: list[str] = []
        self.deleted: list[str] = []
        self.tokens: dict[str, str] = {}
        self.root: dict[str, Any] = {"Id": "RootService", "Systems": {"@odata.id": "/redfish/v1/Systems"}}
        if sessions:
            self.root["Links"] = {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}}
        self._server = SocketServer(self._talk, tls)
        self.port = self._server.port
        self.stop = self._server.stop
        self.wait = self._server.wait

    @property
    def connections(self) -> int:
        return self._server.connections

    def posts(self) -> list[str]:
        """The reset types that were asked for, in order."""
        return [json.loads(each.body)["ResetType"] for each in self.log if each.path.endswith("ComputerSystem.Reset")]

    def outlet_posts(self) -> list[str]:
        """The outlets that were switched: "1/7 Off"."""
        return [
            "/".join(each.path.split("/")[5:8:2]) + f" {json.loads(each.body)['PowerState']}"
            for each in self.log
            if each.path.endswith("/Actions/Outlet.PowerControl")
        ]

    def expands(self, **features: bool) -> None:
        """Say that collections come with their members' contents when asked for, and do it."""
        self.root["ProtocolFeaturesSupported"] = {"ExpandQuery": {"NoLinks": True, **features}}

    def when(self, method: str, path: str, *answers: Answer) -> None:
        """Answer these requests so, one after the other; the last one stays."""
        left = list(answers)

        def rule(request: Request) -> Answer | None:
            if (request.method, request.path) != (method, path):
                return None
            return left.pop(0) if len(left) > 1 else left[0]

        self.rules.append(rule)

    def once(self, method: str, path: str, answer: Answer) -> None:
        """Answer the first such request so, and then as ever."""
        left = [answer]

        def rule(request: Request) -> Answer | None:
            return left.pop() if left and (request.method, request.path) == (method, path) else None

        self.rules.append(rule)

    def expire_sessions(self) -> None:
        """Forget all sessions, as a service does after its time-out."""
        self.deleted.extend(self.tokens.values())
        self.tokens.clear()

    def answer(self, request: Request) -> Answer:
        self.log.append(request)
        for rule in self.rules:
            ruled = rule(request)
            if ruled is not None:
                return ruled
        return self._as_it_should(request)

    def _as_it_should(self, request: Request) -> Answer:
        if request.path in ("/redfish/v1/", "/redfish/v1"):
            return Answer(body=self.root)
        if request.path.endswith("/Sessions") and request.method == "POST":
            return self._open_session(request)
        if not self._known(request):
            return Answer(401, {"error": {"code": "Base.1.8.NoValidSession", "message": f"no: {PASSWORD}"}})
        if request.method == "DELETE":
            return self._close_session(request.path)
        path, _mark, query = request.path.partition("?")
        if path == "/redfish/v1/Systems":
            return self._collection([system.document() for system in self.systems], query)
        if path == "/redfish/v1/PowerEquipment":
            return Answer(body={"RackPDUs": {"@odata.id": "/redfish/v1/PowerEquipment/RackPDUs"}})
        if path == "/redfish/v1/PowerEquipment/RackPDUs":
            return self._collection([pdu.document() for pdu in self.pdus], query)
        for pdu in self.pdus:
            if path.startswith(pdu.path):
                return self._of_pdu(pdu, path, query, request)
        for system in self.systems:
            if request.path == system.path:
                return Answer(body=system.document())
            if request.path == system.target and request.method == "POST":
                system.power = "Off" if json.loads(request.body)["ResetType"] == "ForceOff" else "On"
                return Answer(204)
        return Answer(404, {"error": {"code": "Base.1.8.ResourceMissingAtURI", "message": "no such thing"}})

    def _of_pdu(self, pdu: Pdu, path: str, query: str, request: Request) -> Answer:
        if path == pdu.path:
            return Answer(body=pdu.document())
        if path == f"{pdu.path}/Outlets":
            return self._collection([outlet.document(pdu.path) for outlet in pdu.outlets], query)
        for outlet in pdu.outlets:
            if path == f"{pdu.path}/Outlets/{outlet.id}":
                return Answer(body=outlet.document(pdu.path))
            if path == f"{pdu.path}/Outlets/{outlet.id}/Actions/Outlet.PowerControl" and request.method == "POST":
                outlet.power = json.loads(request.body)["PowerState"]
                return Answer(204)
        return Answer(404)

    def _collection(self, documents: list[dict[str, Any]], query: str) -> Answer:
        expanded = query.startswith("$expand=.") and "ProtocolFeaturesSupported" in self.root
        members = documents if expanded else [{"@odata.id": document["@odata.id"]} for document in documents]
        return Answer(body={"Members": members, "Members@odata.count": len(members)})

    def _known(self, request: Request) -> bool:
        basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        return (
            request.headers.get("X-Auth-Token") in self.tokens
            or request.headers.get("Authorization") == f"Basic {basic}"
        )

    def _open_session(self, request: Request) -> Answer:
        given = json.loads(request.body)
        if (given.get("UserName"), given.get("Password")) != (USERNAME, PASSWORD):
            return Answer(401, {"error": {"code": "Base.1.8.GeneralError", "message": f"bad: {given}"}})
        token, place = f"token-{uuid.uuid4().hex}", f"{request.path}/{len(self.created) + 1}"
        self.tokens[token] = place
        self.created.append(place)
        return Answer(201, {"@odata.id": place}, {"X-Auth-Token": token, "Location": place})

    def _close_session(self, path: str) -> Answer:
        for token, place in list(self.tokens.items()):
            if place == path:
                del self.tokens[token]
                self.deleted.append(path)
                return Answer(204)
        return Answer(404)

    def _talk(self, connection: socket.socket) -> None:
        bmc = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # One packet for headers and body: no waiting for a delayed acknowledgement.

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = bmc.answer(Request(self.command, self.path, self.headers, body))
                if answer.cut or answer.raw:
                    self.wfile.write(answer.raw)
                    self.close_connection = True
                    return
                content = b"" if answer.body is None else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _handle

            def log_message(self, format: str, *args: object) -> None:
                pass

        Handler(connection, ("127.0.0.1", 0), self)  # type: ignore[arg-type]


@dataclass
class Sushy:
    """A running sushy-tools emulator with one fake system."""

    port: int
    ca_path: str
    uuid: str
    name: str


@contextlib.contextmanager
def running_sushy(folder: Path, authority: Authority, power: str = "On") -> Iterator[Sushy]:
    """sushy-tools' fake driver behind gunicorn with TLS and an htpasswd file. Every power change takes it 1 to 11 s."""
    identity, name = str(uuid.uuid4()), "node-1"
    state = folder / "state"
    state.mkdir()
    htpasswd = folder / "htpasswd"
    htpasswd.write_text(f"{USERNAME}:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n")
    system = {"uuid": identity, "name": name, "power_state": power, "external_notifier": False, "nics": []}
    config = folder / "emulator.conf"
    config.write_text(
        "SUSHY_EMULATOR_FAKE_DRIVER = True\n"
        f"SUSHY_EMULATOR_FAKE_SYSTEMS = [{system!r}]\n"
        f"SUSHY_EMULATOR_STATE_DIR = {str(state)!r}\n"
        f"SUSHY_EMULATOR_AUTH_FILE = {str(htpasswd)!r}\n"
    )
    certificate, key = authority.issue("127.0.0.1", "localhost")
    log = folder / "gunicorn.log"
    with log.open("wb") as errors, socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        os.set_inheritable(listener.fileno(), True)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}", "--workers", "1"),
                *("--threads", "4", "--keep-alive", "30", "--certfile", str(certificate), "--keyfile", str(key)),
                *("--no-control-socket", "sushy_tools.emulator.main:app"),
            ],
            env={**os.environ, "SUSHY_EMULATOR_CONFIG": str(config)},
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    try:
        _await_tls(port, process, log)
        yield Sushy(port, str(authority.file), identity, name)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await_tls(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), 1) as plain,
            context.wrap_socket(plain) as tls,
        ):
            tls.settimeout(2)
            tls.sendall(b"GET /redfish/v1/ HTTP/1.0\r\n\r\n")
            if b" 200 " in tls.recv(15):
                return
        time.sleep(0.05)
    raise AssertionError(f"sushy-tools did not come up: {log.read_text()[-2000:]}")
