# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rack's control port: a small JSON API over HTTP on loopback, and its client.

It serves whatever object has the rack's Python API; it knows no protocol of a device.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

Answer = tuple[int, Any]


def answer(rack: Any, method: str, path: str, body: Mapping[str, Any]) -> Answer:
    """What one request does with the rack."""
    words = [unquote(word) for word in path.split("?")[0].strip("/").split("/")]
    routes: dict[tuple[str, str], Callable[[], Any]] = {
        ("GET", "state"): rack.state,
        ("GET", "history"): lambda: rack.history("/".join(words[1:])),
        ("GET", "feeds"): lambda: rack.feed_history("/".join(words[1:])),
        ("POST", "fault"): lambda: rack.fault(body["target"], body["fault"], body.get("value"), body.get("times")),
        ("POST", "clear"): lambda: rack.clear(body.get("target"), body.get("fault")),
        ("POST", "power"): lambda: rack.set_power(body["target"], body["power"] in ("on", True)),
        ("POST", "command"): lambda: rack.command(
            body["target"], body["power"] in ("on", True), str(body.get("source", "control port"))
        ),
        ("POST", "reset"): rack.reset,
    }
    route = routes.get((method, words[0]))
    if route is None:
        return 404, {
            "error": f"no {method} /{words[0]}; there are {', '.join(f'{verb} /{word}' for verb, word in routes)}"
        }
    try:
        return 200, route() if method == "GET" else {"done": route() is None}
    except KeyError as missing:
        return 400, {"error": f"{missing} is missing or unknown"}
    except (ValueError, TypeError) as wrong:
        return 400, {"error": str(wrong)}
    except Exception as refused:  # a foreign device's command that a fault refuses
        return 409, {"error": type(refused).__name__}


class ControlServer:
    """The API on a port of 127.0.0.1 (0: any), in a thread."""

    def __init__(self, rack: Any, port: int = 0) -> None:
        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                try:
                    body = json.loads(self.rfile.read(length) or b"{}")
                except ValueError:
                    body = {}
                status, content = answer(rack, self.command, self.path, body)
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _serve

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="rack control", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class ControlError(Exception):
    """The control port refused, or is not there."""


def call(url: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """One request to a rack's control port."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as refused:
        raise ControlError(json.load(refused).get("error", str(refused.code))) from refused
    except OSError as failed:
        raise ControlError(f"no rack answers at {url}; is it running?") from failed
