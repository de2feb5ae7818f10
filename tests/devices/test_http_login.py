# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Basic and Digest against httpbin, a server of somebody else, and against the example of RFC 7616."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import httpbin
import pytest
from devices.driving import soon
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import AuthenticationFailed
from ansible_collections.hostpm.fencing.plugins.module_utils._http import HttpDevice, Reply
from ansible_collections.hostpm.fencing.plugins.module_utils._http_login import Challenge, Login

USERNAME, PASSWORD = "fence", "canary-Pa55word"


class Quiet(WSGIRequestHandler):
    """Counts requests by what they were answered, and prints nothing."""

    statuses: list[int] = []

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.statuses.append(int(code))


@pytest.fixture(scope="module")
def httpbin_server() -> Iterator[BaseWSGIServer]:
    server = make_server("127.0.0.1", 0, httpbin.app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def get(httpbin_server: BaseWSGIServer) -> Iterator[Callable[..., Reply]]:
    http = HttpDevice("127.0.0.1", httpbin_server.port, "http")

    def ask(auth: str, path: str, password: str = PASSWORD) -> Reply:
        Quiet.statuses.clear()
        return Login(http, auth, USERNAME, password).request("GET", path, soon())

    yield ask
    http.close()


def test_basic_is_accepted_and_a_wrong_password_is_not(get: Callable[..., Reply]) -> None:
    assert get("basic", f"/basic-auth/{USERNAME}/{PASSWORD}").json_object() == {"authenticated": True, "user": USERNAME}
    assert get("basic", f"/basic-auth/{USERNAME}/{PASSWORD}", "wrong").status == 401


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_digest_is_accepted_and_a_wrong_password_is_tried_once(algorithm: str, get: Callable[..., Reply]) -> None:
    path = f"/digest-auth/auth/{USERNAME}/{PASSWORD}/{algorithm}"
    assert get("digest", path).json_object() == {"authenticated": True, "user": USERNAME}
    assert Quiet.statuses == [401, 200]
    assert get("digest", path, "wrong").status == 401
    assert Quiet.statuses == [401, 401]


@pytest.mark.parametrize("path", ["/digest-auth/auth-int/u/p/MD5", "/digest-auth/auth/u/p/SHA-512", "/basic-auth/u/p"])
def test_what_cannot_be_answered_is_told_and_no_password_is_sent(path: str, get: Callable[..., Reply]) -> None:
    with pytest.raises(AuthenticationFailed):
        get("digest", path)
    assert Quiet.statuses == [401]


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_the_standard_is_answered_as_it_says(algorithm: str, response: str) -> None:
    """RFC 7616, 3.9.1."""
    header = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",'
        ' Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5,'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    if algorithm == "MD5":
        header = header[header.rindex("Digest") :]
    challenge = Challenge.of(Reply(401, {"WWW-Authenticate": header}, b""))
    assert challenge is not None and challenge.algorithm == algorithm
    account = ("Mufasa", "Circle of Life")
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert f'response="{response}"' in challenge.answer(account, "GET", "/dir/index.html", 1, cnonce)
