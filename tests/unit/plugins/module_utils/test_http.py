# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bounded HTTP conversation against servers that hang, trickle, lie about TLS or send people elsewhere."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from devices.redfish_servers import Authority, SocketServer

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    NotFound,
    Refused,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._http import HttpDevice, Reply, complain, shown

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
# What a call may take beyond its deadline, by the driver contract.
OVERRUN_S = 0.5

Serve = Callable[..., SocketServer]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = []

    def start(talk: Callable[[SocketServer, socket.socket], None], tls: ssl.SSLContext | None = None) -> SocketServer:
        server = SocketServer(lambda connection: talk(server, connection), tls)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def open_device(authority: Authority) -> Iterator[Callable[..., HttpDevice]]:
    devices = []

    def start(server: SocketServer, **options: object) -> HttpDevice:
        options = {"address": "127.0.0.1", "protocol": "http", "port": server.port, **options}
        device = HttpDevice(**options)  # type: ignore[arg-type]
        devices.append(device)
        return device

    yield start
    for device in devices:
        device.close()


def head(connection: socket.socket) -> bytes:
    """One request without a body, as it comes."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    return data


def answering(*answers: bytes) -> Callable[[SocketServer, socket.socket], None]:
    """Give these answers on every connection, one a request; close it after them."""

    def talk(server: SocketServer, connection: socket.socket) -> None:
        for answer in answers:
            if not head(connection):
                return
            connection.sendall(answer)

    return talk


def for_ever(text: bytes) -> Callable[[SocketServer, socket.socket], None]:
    """After the request, this text byte by byte, and again, until somebody hangs up."""

    def talk(server: SocketServer, connection: socket.socket) -> None:
        connection.recv(1)
        while True:
            for byte in text:
                connection.sendall(bytes([byte]))
                if server.wait(0.2):
                    return

    return talk


def silent(server: SocketServer, connection: socket.socket) -> None:
    server.wait(30)


def after(start: bytes, then: Callable[[SocketServer, socket.socket], None]) -> Callable[..., None]:
    def talk(server: SocketServer, connection: socket.socket) -> None:
        head(connection)
        connection.sendall(start)
        then(server, connection)

    return talk


def dripping(server: SocketServer, connection: socket.socket) -> None:
    while not server.wait(0.2):
        connection.sendall(b" ")


LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"
HANGS = {
    "the TLS handshake is silent": ("https", False, silent),
    # The header of a handshake record of 16384 bytes, and then its bytes.
    "the TLS handshake trickles": ("https", False, for_ever(b"\x16\x03\x03\x40\x00\x02" + b"\0" * 1000)),
    "the answer does not come": ("http", False, silent),
    "the answer does not come over TLS": ("https", True, silent),
    "the headers trickle": ("http", False, for_ever(b"HTTP/1.1 200 OK\r\n" + b"X-Header: some value\r\n" * 90)),
    "the headers trickle over TLS": ("https", True, for_ever(b"HTTP/1.1 200 OK\r\n" + b"X-H: some value\r\n" * 90)),
    "interim answers without end": ("http", False, for_ever(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "the body stops": ("http", False, after(LONG, silent)),
    "the body stops over TLS": ("https", True, after(LONG, silent)),
    "the body trickles": ("http", False, after(LONG, dripping)),
    "the body trickles over TLS": ("https", True, after(LONG, dripping)),
    "the chunks trickle": (
        "http",
        False,
        after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", for_ever(b"1\r\n \r\n")),
    ),
    "a body without a length trickles": (
        "http",
        False,
        after(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", dripping),
    ),
    "a redirect trickles": (
        "http",
        False,
        after(b"HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 100000\r\n\r\n", dripping),
    ),
}


@pytest.mark.parametrize("interrupted", [False, True], ids=["deadline", "interrupt"])
@pytest.mark.parametrize("hang", HANGS)
def test_a_call_ends_at_its_deadline_or_interrupt_wherever_the_device_hangs(
    hang: str, interrupted: bool, serve: Serve, open_device: Callable[..., HttpDevice], authority: Authority
) -> None:
    protocol, tls, talk = HANGS[hang]
    server = serve(talk, authority.context("127.0.0.1") if tls else None)
    device = open_device(server, protocol=protocol, ca_path=str(authority.file))
    deadline = Deadline(20.0 if interrupted else 0.7)
    timer = threading.Timer(0.7, deadline.expire)
    began = time.monotonic()
    if interrupted:
        timer.start()
    with pytest.raises(TimedOut):
        device.request("GET", "/redfish/v1/", deadline)
    assert 0.6 < time.monotonic() - began < 0.7 + OVERRUN_S
    timer.cancel()


def test_a_call_ends_at_its_deadline_when_the_device_does_not_take_the_connection(
    open_device: Callable[..., HttpDevice],
) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _turn in range(4):  # Linux drops further SYNs once the queue is full.
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            waiting.append(filler)
        device = HttpDevice("127.0.0.1", full.getsockname()[1], "http")
        for budget_s, expire_s in ((0.6, None), (20.0, 0.6)):
            deadline = Deadline(budget_s)
            timer = threading.Timer(expire_s or 0, deadline.expire)
            if expire_s:
                timer.start()
            began = time.monotonic()
            with pytest.raises(TimedOut, match="connecting"):
                device.request("GET", "/", deadline)
            assert 0.5 < time.monotonic() - began < 0.6 + OVERRUN_S
            timer.cancel()
        device.close()
        for filler in waiting:
            filler.close()


def test_a_deadline_that_is_over_contacts_nobody(serve: Serve, open_device: Callable[..., HttpDevice]) -> None:
    server = serve(answering(OK))
    with pytest.raises(TimedOut):
        open_device(server).request("POST", "/", Deadline(0.0), body=b"{}")
    time.sleep(0.2)  # for a connection to show
    assert server.connections == 0


def test_a_name_that_does_not_resolve_is_unreachable_and_named() -> None:
    device = HttpDevice("no-such-bmc.invalid", 443)
    began = time.monotonic()
    with pytest.raises(DeviceError, match=r"no-such-bmc\.invalid") as caught:
        device.request("GET", "/", Deadline(2.0))
    assert isinstance(caught.value, (Unreachable, TimedOut))
    assert time.monotonic() - began < 2.0 + OVERRUN_S


def test_a_refused_connection_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="connection refused"):
        HttpDevice("127.0.0.1", port).request("POST", "/", Deadline(5.0))


def test_no_thread_and_no_socket_is_left_after_close(
    serve: Serve, open_device: Callable[..., HttpDevice], authority: Authority
) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    server = serve(answering(OK, OK), authority.context("127.0.0.1"))
    hanging = serve(silent)
    threads, before = threading.active_count(), count()
    for _turn in range(5):
        for each in (server, hanging):
            device = open_device(each, protocol="https", ca_path=str(authority.file))
            try:
                device.request("GET", "/", Deadline(0.3))
            except TimedOut:
                pass
            device.close()
    server.stop()
    hanging.stop()
    assert threading.active_count() <= threads
    # The servers' two listeners are gone too.
    assert count() <= before


def test_the_connection_is_kept_between_requests(serve: Serve, open_device: Callable[..., HttpDevice]) -> None:
    server = serve(answering(OK, OK, OK))
    device = open_device(server)
    for _turn in range(3):
        assert device.request("GET", "/", Deadline(5.0)).json_object() == {}
    assert server.connections == 1


def test_a_connection_that_the_device_does_not_keep_is_closed_at_once(
    serve: Serve, open_device: Callable[..., HttpDevice]
) -> None:
    hung_up = threading.Event()

    def talk(server: SocketServer, connection: socket.socket) -> None:
        head(connection)
        connection.sendall(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))
        if connection.recv(1) == b"":
            hung_up.set()

    device = open_device(serve(talk))
    assert device.request("GET", "/", Deadline(5.0)).status == 200
    assert hung_up.wait(5.0)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_kept_connection_that_the_device_closed_does_not_fail_a_read(
    method: str, serve: Serve, open_device: Callable[..., HttpDevice]
) -> None:
    def talk(server: SocketServer, connection: socket.socket) -> None:
        answering(OK)(server, connection)
        head(connection)  # It closes when the next request is on its way already.

    server = serve(talk)
    device = open_device(server)
    for _turn in range(3):
        assert device.request(method, "/", Deadline(5.0)).status == 200
    assert server.connections == 3


@pytest.mark.parametrize(("method", "acts"), [("POST", False), ("PUT", False), ("PATCH", False), ("GET", True)])
def test_what_acts_on_a_kept_connection_that_breaks_is_not_sent_twice_and_its_fate_is_open(
    method: str, acts: bool, serve: Serve, open_device: Callable[..., HttpDevice]
) -> None:
    posts = []

    def talk(server: SocketServer, connection: socket.socket) -> None:
        answering(OK)(server, connection)
        posts.append(head(connection))

    server = serve(talk)
    device = open_device(server)
    device.request("GET", "/", Deadline(5.0))
    with pytest.raises(TimedOut):
        device.request(method, "/", Deadline(5.0), acts=acts)
    assert (len(posts), server.connections) == (1, 1)


def test_a_device_that_always_hangs_up_is_asked_once(serve: Serve, open_device: Callable[..., HttpDevice]) -> None:
    server = serve(lambda server, connection: head(connection))  # type: ignore[arg-type,return-value]
    with pytest.raises(Unreachable):
        open_device(server).request("GET", "/", Deadline(5.0))
    assert server.connections == 1


HALVES = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b'{"PowerState": "Off"}',
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b'ff\r\n{"PowerState": "Off"}',
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b'15\r\n{"PowerState": "Off"}\r\n',
}


@pytest.mark.parametrize("half", HALVES)
def test_half_an_answer_is_no_answer_even_if_the_half_is_complete_json(
    half: str, serve: Serve, open_device: Callable[..., HttpDevice]
) -> None:
    server = serve(answering(HALVES[half]))
    with pytest.raises(BadReply):
        open_device(server).request("GET", "/", Deadline(5.0))


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\0\0\0\1" * 20 + b"\r\n"])
def test_something_that_is_no_http_is_a_bad_reply(
    banner: bytes, serve: Serve, open_device: Callable[..., HttpDevice]
) -> None:
    server = serve(answering(banner))
    with pytest.raises(BadReply, match="no HTTP"):
        open_device(server).request("GET", "/", Deadline(5.0))


@pytest.mark.parametrize("status", [b"200 OK", b"302 Found\r\nLocation: /elsewhere", b"404 Not Found"])
def test_a_huge_body_is_refused_and_not_kept_in_memory(
    status: bytes, serve: Serve, open_device: Callable[..., HttpDevice]
) -> None:
    sent = []

    def talk(server: SocketServer, connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 500000000\r\n\r\n")
        while not server.wait(0):
            connection.sendall(b" " * 100_000)
            sent.append(100_000)

    server = serve(talk)
    with pytest.raises(BadReply, match="larger than 4 MB"):
        open_device(server).request("GET", "/", Deadline(20.0))
    assert sum(sent) < 30_000_000


@pytest.mark.parametrize("header", [b"X: " + b"y" * 70_000, b"\r\n".join(b"X%d: y" % number for number in range(200))])
def test_headers_without_end_are_an_error(header: bytes, serve: Serve, open_device: Callable[..., HttpDevice]) -> None:
    server = serve(answering(b"HTTP/1.1 200 OK\r\n" + header + b"\r\nContent-Length: 2\r\n\r\n{}"))
    with pytest.raises(DeviceError):
        open_device(server).request("GET", "/", Deadline(5.0))


def test_the_name_stays_the_one_that_is_checked_and_sent_although_its_address_is_connected_to(
    serve: Serve, open_device: Callable[..., HttpDevice], authority: Authority
) -> None:
    seen: list[object] = []
    context = authority.context("localhost")
    context.sni_callback = lambda connection, name, context: seen.append(name)

    def talk(server: SocketServer, connection: socket.socket) -> None:
        seen.append(re.findall(rb"\r\nHost: (.*)\r\n", head(connection)))
        connection.sendall(OK)

    server = serve(talk, context)
    device = open_device(server, address="localhost", protocol="https", ca_path=str(authority.file))
    assert device.request("GET", "/", Deadline(5.0)).status == 200
    assert seen == ["localhost", [f"localhost:{server.port}".encode()]]


def test_every_certificate_fault_is_told_with_its_way_out(
    serve: Serve, open_device: Callable[..., HttpDevice], authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "another CA")
    faults = [
        (stranger.context("127.0.0.1"), "not signed by a known CA; set ca_path"),
        (authority.context("bmc.example.com"), "for another name"),
        (authority.context("127.0.0.2"), "for another name"),
        (authority.context("127.0.0.1", days=-1), "has expired"),
    ]
    for context, words in faults:
        server = serve(answering(OK), context)
        with pytest.raises(TlsFailed, match=words) as caught:
            open_device(server, protocol="https", ca_path=str(authority.file)).request("POST", "/", Deadline(5.0))
        assert "validate_certs" in str(caught.value)
        unchecked = open_device(server, protocol="https", validate_certs=False)
        assert unchecked.request("GET", "/", Deadline(5.0)).status == 200


def test_certificates_are_verified_against_the_machines_own_store_by_default(
    serve: Serve, open_device: Callable[..., HttpDevice], authority: Authority
) -> None:
    server = serve(answering(OK), authority.context("127.0.0.1"))
    with pytest.raises(TlsFailed):
        open_device(server, protocol="https").request("GET", "/", Deadline(5.0))


def test_ca_path_is_trusted_instead_of_the_machines_own_store_not_beside_it(
    serve: Serve,
    open_device: Callable[..., HttpDevice],
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))  # where OpenSSL looks for the machine's own store
    server = serve(answering(OK), authority.context("127.0.0.1"))
    assert open_device(server, protocol="https").request("GET", "/", Deadline(5.0)).status == 200
    stranger = Authority(tmp_path / "stranger", "another CA")
    with pytest.raises(TlsFailed):
        open_device(server, protocol="https", ca_path=str(stranger.file)).request("GET", "/", Deadline(5.0))


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_bundle_of_the_environment_neither_replaces_ca_path_nor_adds_trust(
    variable: str,
    serve: Serve,
    open_device: Callable[..., HttpDevice],
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stranger = Authority(tmp_path / "stranger", "another CA")
    server = serve(answering(OK), authority.context("127.0.0.1"))
    monkeypatch.setenv(variable, str(stranger.file))
    device = open_device(server, protocol="https", ca_path=str(authority.file))
    assert device.request("GET", "/", Deadline(5.0)).status == 200
    unchecked = open_device(server, protocol="https", validate_certs=False)
    assert unchecked.request("GET", "/", Deadline(5.0)).status == 200
    monkeypatch.setenv(variable, str(authority.file))
    for options in ({}, {"ca_path": str(stranger.file)}):
        with pytest.raises(TlsFailed):
            open_device(server, protocol="https", **options).request("GET", "/", Deadline(5.0))


def test_proxies_netrc_and_cookies_are_left_alone(
    serve: Serve, open_device: Callable[..., HttpDevice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = []

    def talk(server: SocketServer, connection: socket.socket) -> None:
        for _turn in range(2):
            requests.append(head(connection))
            connection.sendall(OK.replace(b"OK\r\n", b"OK\r\nSet-Cookie: sessionKey=abc; Path=/\r\n"))

    server = serve(talk)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine device login somebody password something\nmachine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    device = open_device(server)
    for _turn in range(2):
        assert device.request("GET", "/", Deadline(5.0)).status == 200
    assert not re.search(rb"authorization|cookie", b"".join(requests), re.IGNORECASE)


def test_a_port_that_speaks_no_tls_is_told_apart_from_one_that_closes(
    serve: Serve, open_device: Callable[..., HttpDevice]
) -> None:
    def plain(server: SocketServer, connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def closing(server: SocketServer, connection: socket.socket) -> None:
        connection.recv(100_000)

    with pytest.raises(TlsFailed, match="does this port speak https"):
        open_device(serve(plain), protocol="https").request("GET", "/", Deadline(5.0))
    with pytest.raises(Unreachable, match="TLS handshake"):
        open_device(serve(closing), protocol="https").request("GET", "/", Deadline(5.0))


def test_a_ca_path_that_is_missing_or_holds_no_certificate_is_told_before_contact(
    serve: Serve, open_device: Callable[..., HttpDevice], tmp_path: Path
) -> None:
    server = serve(answering(OK))
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    for path in (tmp_path / "missing.pem", rubbish):
        with pytest.raises(TlsFailed, match=str(path)):
            open_device(server, protocol="https", ca_path=str(path)).request("GET", "/", Deadline(5.0))
    assert server.connections == 0


def test_a_redirect_to_another_host_is_not_followed(serve: Serve, open_device: Callable[..., HttpDevice]) -> None:
    thief = serve(answering(OK))
    for location in (f"http://127.0.0.1:{thief.port}/x/", f"//127.0.0.1:{thief.port}/x/", "https://127.0.0.1/x/"):
        redirect = f"HTTP/1.1 308 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        server = serve(answering(redirect.encode(), OK))
        reply = open_device(server).request("GET", "/x", Deadline(5.0), {"Authorization": "Basic abc"})
        assert reply.status == 308
        with pytest.raises(BadReply):
            complain(reply, "the service")
    assert thief.connections == 0


def test_a_redirect_to_the_same_path_with_a_slash_is_followed_once_and_for_reads_only(
    serve: Serve, open_device: Callable[..., HttpDevice]
) -> None:
    asked = []

    def talk(server: SocketServer, connection: socket.socket) -> None:
        while data := head(connection):
            path = data.split()[1].decode()
            asked.append(path)
            other = path[:-1] if path.endswith("/") else path + "/"
            connection.sendall(f"HTTP/1.1 301 Moved\r\nLocation: {other}\r\nContent-Length: 0\r\n\r\n".encode())

    device = open_device(serve(talk))
    assert device.request("GET", "/x", Deadline(5.0)).status == 301
    assert asked == ["/x", "/x/"]
    assert device.request("POST", "/y", Deadline(5.0)).status == 301
    assert device.request("GET", "/z", Deadline(5.0), acts=True).status == 301
    assert asked == ["/x", "/x/", "/y", "/z"]


def test_a_redirect_to_another_path_of_the_device_is_not_followed(
    serve: Serve, open_device: Callable[..., HttpDevice]
) -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /login.html\r\nContent-Length: 0\r\n\r\n"
    assert open_device(serve(answering(redirect, OK))).request("GET", "/x", Deadline(5.0)).status == 302


def test_links_that_leave_the_device_are_refused() -> None:
    device = HttpDevice("BMC.example.com", 443)
    here = {
        "/redfish/v1/Systems/1": "/redfish/v1/Systems/1",
        "/a?b=c#d": "/a?b=c",
        "https://bmc.example.com/a": "/a",
        "https://bmc.EXAMPLE.com:443/a": "/a",
    }
    assert {link: device.path_of(link) for link in here} == here
    elsewhere = ["https://evil/a", "//evil/a", "http://bmc.example.com/a", "https://bmc.example.com:444/a", "a", ""]
    elsewhere += [
        "https://bmc.example.com@evil/a",
        "https://[/a",
        "https://bmc.example.com:x/a",
        "mailto:/a",
        "file:///a",
    ]
    for link in [*elsewhere, None, 7, ["/a"]]:
        with pytest.raises(BadReply):
            device.path_of(link)


def test_ipv6_literals_are_spoken_to(authority: Authority) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    seen = []

    def talk() -> None:
        connection = listener.accept()[0]
        with connection:
            seen.append(head(connection))
            connection.sendall(OK)

    with listener:
        port = listener.getsockname()[1]
        for address in ("::1", "[::1]"):
            thread = threading.Thread(target=talk)
            thread.start()
            device = HttpDevice(address, port, "http")
            assert device.request("GET", "/", Deadline(5.0)).status == 200
            device.close()
            thread.join()
    assert [f"Host: [::1]:{port}\r\n".encode() in each for each in seen] == [True, True]


STATUSES = {
    401: AuthenticationFailed,
    403: AuthenticationFailed,
    404: NotFound,
    405: Unsupported,
    501: Unsupported,
    429: Busy,
    503: Busy,
    400: Refused,
    409: Refused,
    412: Refused,
    500: BadReply,
    502: BadReply,
    301: BadReply,
}


def test_every_status_has_its_meaning() -> None:
    for status, error in STATUSES.items():
        with pytest.raises(DeviceError, match=f"HTTP {status}") as caught:
            complain(Reply(status, {}, b""), "the reset")
        assert caught.type is error
    for status in (200, 201, 202, 204):
        complain(Reply(status, {}, b""), "the reset")
    words = []
    for status in (401, 403):
        with pytest.raises(AuthenticationFailed) as caught:
            complain(Reply(status, {}, b""), "the reset")
        words.append(str(caught.value))
    assert "credentials" in words[0] and "not allowed" in words[1]


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": DATE}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": DATE}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"Retry-After": "soon", "Date": DATE}, None),
        ({"Retry-After": "-5", "Date": DATE}, None),
        ({"Retry-After": "9" * 400, "Date": DATE}, None),
        ({}, None),
    ],
)
def test_the_wish_of_a_busy_device_is_passed_on(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(Busy) as caught:
        complain(Reply(503, headers, b""), "it")
    assert caught.value.retry_after_s == seconds


def test_a_name_with_two_values_is_null_and_what_is_no_object_is_none() -> None:
    def parsed(text: str) -> object:
        return Reply(200, {}, text.encode()).json_object()

    assert parsed('{"PowerState": "On", "PowerState": "Off"}') == {"PowerState": None}
    assert parsed('{"PowerState": "Off", "PowerState": "Off"}') == {"PowerState": "Off"}
    assert parsed('{"a": 1, "a": 2, "a": 2}') == {"a": None}
    for text in ('["Off"]', '"Off"', "", "{", "null", "[" * 100_000):
        assert parsed(text) is None
    assert Reply(200, {}, b'{"a": "\xff"}').json_object() is None


def test_what_a_device_says_is_shown_short_printable_and_without_secrets() -> None:
    assert shown("Off", ["secret"]) == "Off"
    assert shown(None, []) == "null"
    assert shown("a\nb\x1b[2J", []) == "a?b?[2J"
    assert len(shown("x" * 1000, [])) == 60
    for echo in ("my Secret!", "x" * 100 + "secret!", "my%20secret%21"):
        assert shown(echo, ["secret!"]) == "(hidden)"
    assert shown({"a": "Secret!"}, ["Secret!"]) == "(hidden)"
    assert shown("Off", [""]) == "Off"


def test_without_requests_the_files_load_and_say_what_is_missing() -> None:
    script = (
        "import sys; sys.modules['requests'] = None; sys.path.insert(0, sys.argv[1])\n"
        "from ansible_collections.hostpm.fencing.plugins.module_utils._devices.redfish import TYPE\n"
        "print(TYPE.missing_library({}))"
    )
    collections = os.environ["ANSIBLE_COLLECTIONS_PATH"]
    found = subprocess.run([sys.executable, "-c", script, collections], capture_output=True, text=True, check=True)
    assert found.stdout == "requests\n"
