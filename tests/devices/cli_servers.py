# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH and telnet servers on loopback in front of devices that talk text; the devices are in ``cli_devices.py``.

A device is written as a person at its terminal sees it. What can go wrong on a line is here, once for all devices.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import asyncssh

USERNAME = "fence"
PASSWORD = "canary-Pa55word-of-the-shelf"

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240


class HungUp(Exception):
    """The peer is gone, or the device ends the conversation."""


@dataclass
class Character:
    """How a device misbehaves. Everything is off in the beginning."""

    echo: bool = True
    banner: str = ""
    # Answers come in pieces of so many characters, with a breath between them.
    pieces: int = 0
    # What is printed once more behind each prompt, as when CR and LF are both taken for ENTER.
    double_prompt: bool = False
    # Another person is logged in.
    busy: bool = False
    # Login is fine, and then: nothing.
    mute: bool = False
    # From the line on that has this in it, nothing more is said; or the connection is cut, in the middle of the answer.
    hang_on: str = ""
    cut_on: str = ""
    cut_after: int = 12
    # A power command is taken, and nothing happens.
    lies: bool = False
    # What an outlet shows instead of its state.
    shows: dict[str, str] = field(default_factory=dict)


class Terminal:
    """The device's side of a line: keys come in, text goes out."""

    def __init__(
        self, take: Callable[[], Coroutine[Any, Any, bytes]], give: Callable[[bytes], Any], device: Device
    ) -> None:
        self._take = take
        self._give = give
        self._device = device
        self._keys = b""
        self._left: int | None = None
        self._typed = self._said = ""

    async def key(self) -> str:
        """One key."""
        while not self._keys:
            data = await self._take()
            if not data:
                raise HungUp
            self._keys += data.replace(b"\r\n", b"\r").replace(b"\r\0", b"\r")
        key, self._keys = self._keys[:1], self._keys[1:]
        return key.decode("latin-1")

    async def line(self, prompt: str = "", echo: bool = True) -> str:
        """A line that is typed behind a prompt."""
        character = self._device.character
        self._device.lengths[self._typed] = len(self._said)
        await self.write(prompt)
        if prompt and character.double_prompt and echo:
            await self.write(f"\r\n{prompt}")
        typed = ""
        while (key := await self.key()) not in "\r\n":
            typed += key
            if key == "\x03":
                break
        await self.write(f"{typed if echo else ''}\r\n" if character.echo or not echo else "")
        if echo:
            await self.entered(typed)
        return typed

    async def entered(self, typed: str) -> None:
        """What the person typed is there; from here on the device may fail."""
        character = self._device.character
        self._device.heard.append(typed)
        self._device.lengths.setdefault(self._typed, len(self._said))
        self._typed, self._said = typed, ""
        if character.hang_on and character.hang_on in typed:
            await asyncio.sleep(3600)
        if character.cut_on and character.cut_on in typed:
            self._left = character.cut_after

    async def write(self, text: str) -> None:
        data = text.encode()
        self._said += text
        if self._left is not None:
            self._left, data = self._left - len(data), data[: max(0, self._left)]
        size = self._device.character.pieces or len(data)
        for start in range(0, len(data), size or 1):
            self._give(data[start : start + size])
            if self._device.character.pieces:
                await asyncio.sleep(0.002)
        if self._left is not None and self._left <= 0:
            raise HungUp


class Device:
    """A device with outlets. ``outlets`` maps what it calls them to whether they have power; ``names`` to their names."""

    outlets: dict[str, bool] = {"1": True, "2": False, "3": True, "8": True}
    text_login = ("User Name : ", "Password  : ")
    asks_in_ssh = False

    def __init__(self, **character: Any) -> None:
        self.outlets = dict(type(self).outlets)
        self.names = {outlet: f"rack-{outlet}" for outlet in self.outlets}
        self.character = Character(**character)
        # Every line that was typed, but for passwords, and every command that switched power.
        self.heard: list[str] = []
        self.switched: list[tuple[str, bool]] = []
        # How long the answer to a line was, without the prompt behind it.
        self.lengths: dict[str, int] = {}
        self.logins = 0
        self.logouts = 0

    def word(self, outlet: str, on: str, off: str) -> str:
        """What the device shows about an outlet."""
        return self.character.shows.get(outlet, on if self.outlets[outlet] else off)

    def switch(self, outlet: str, power: bool) -> None:
        self.switched.append((outlet, power))
        if not self.character.lies:
            self.outlets[outlet] = power

    async def converse(self, terminal: Terminal, text_login: bool) -> None:
        """A whole session."""
        if self.character.busy:
            await terminal.write("\r\nSorry, the console is in use by another user\r\n")
            return
        await terminal.write(self.character.banner)
        if text_login or self.asks_in_ssh:
            await self.log_in(terminal)
        self.logins += 1
        if self.character.mute:
            await self.talk_no_more()
        await self.talk(terminal)
        self.logouts += 1

    async def talk_no_more(self) -> None:
        """Nothing at all, for ever."""
        await asyncio.sleep(3600)

    async def log_in(self, terminal: Terminal) -> None:
        name, password = self.text_login
        for _try in range(3):
            given = await terminal.line(name), await terminal.line(password, echo=False)
            if given == (USERNAME, PASSWORD):
                return
            await terminal.write("\r\n")
        raise HungUp

    async def talk(self, terminal: Terminal) -> None:
        """What happens behind the login; returning is logging out."""
        raise NotImplementedError


class _Gate(asyncssh.SSHServer):
    """Lets the one account in, and notes who tried."""

    def __init__(self, server: SshServer) -> None:
        self._server = server

    def connection_made(self, conn: Any) -> None:
        self._server.open.add(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return self._server.key is None and not self._server.asks

    def validate_password(self, username: str, password: str) -> bool:
        self._server.tried.append(password)
        return (username, password) == (USERNAME, PASSWORD)

    def kbdint_auth_supported(self) -> bool:
        return self._server.asks

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        return self.validate_password(username, responses[0])

    def public_key_auth_supported(self) -> bool:
        return self._server.key is not None

    def validate_public_key(self, username: str, key: Any) -> bool:
        return bool(key == self._server.key)


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def stop(self) -> None:
        async def end_all() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SshServer:
    """A device behind SSH. ``key`` is the public key that logs in, instead of the password; ``asks``: it has questions only."""

    def __init__(
        self,
        device: Device,
        key: Any = None,
        asks: bool = False,
        host_key_type: str = "ssh-ed25519",
        **algorithms: Any,
    ) -> None:
        self.device = device
        self.key = key
        self.asks = asks
        self.tried: list[str] = []
        self.open: set[Any] = set()
        size = {"key_size": 2048} if host_key_type == "ssh-rsa" else {}
        self._host_key = asyncssh.generate_private_key(host_key_type, **size)
        self.fingerprint: str = self._host_key.get_fingerprint()
        self.public_key = self._host_key.export_public_key().decode().strip()
        self._loop = _Loop()
        self._server = self._loop.run(self._start(algorithms))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def options(self, **more: Any) -> dict[str, Any]:
        """What an agent needs to get in."""
        return {
            "address": "127.0.0.1",
            "port": self.port,
            "transport": "ssh",
            "username": USERNAME,
            "password": PASSWORD,
            "host_key": self.fingerprint,
            **more,
        }

    def cut_all(self) -> None:
        """End all connections, as a device does that restarts."""

        async def cut() -> None:
            for connection in self.open:
                connection.abort()
            await asyncio.sleep(0.05)

        self._loop.run(cut())

    def stop(self) -> None:
        async def close() -> None:
            self._server.close()
            for connection in self.open:
                connection.abort()
            await self._server.wait_closed()

        self._loop.run(close())
        self._loop.stop()

    async def _start(self, algorithms: dict[str, Any]) -> Any:
        return await asyncssh.create_server(
            lambda: _Gate(self),
            "127.0.0.1",
            0,
            server_host_keys=[self._host_key],
            process_factory=self._serve,
            encoding=None,
            line_editor=False,
            **algorithms,
        )

    async def _serve(self, process: Any) -> None:
        async def take() -> bytes:
            data: bytes = await process.stdin.read(4096)
            return data

        terminal = Terminal(take, process.stdout.write, self.device)
        with contextlib.suppress(HungUp, OSError, asyncssh.Error):
            await self.device.converse(terminal, text_login=False)
        process.exit(0)
        # What was said last is to arrive before the connection ends.
        await asyncio.sleep(0.05)
        process.channel.get_connection().close()


class TelnetServer:
    """A device behind telnet, which negotiates as old devices do."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.answers: list[bytes] = []
        self._loop = _Loop()
        self._server = self._loop.run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def options(self, **more: Any) -> dict[str, Any]:
        return {
            "address": "127.0.0.1",
            "port": self.port,
            "transport": "telnet",
            "username": USERNAME,
            "password": PASSWORD,
            **more,
        }

    def stop(self) -> None:
        async def close() -> None:
            self._server.close()

        self._loop.run(close())
        self._loop.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def take() -> bytes:
            data = await reader.read(4096)
            while (start := data.find(bytes((IAC,)))) >= 0:
                while len(data) < start + 3:
                    data += await reader.read(1)
                self.answers.append(data[start : start + 3])
                data = data[:start] + data[start + 3 :]
                if not data:
                    data = await reader.read(4096)
            return data

        # Echo and go-ahead as everywhere; a terminal's type, with a subnegotiation, and its size, which nobody has to give.
        writer.write(bytes((IAC, WILL, 1, IAC, WILL, 3, IAC, DO, 24, IAC, DO, 31, IAC, SB, 24, 1, IAC, SE)))
        with contextlib.suppress(HungUp, OSError, asyncio.CancelledError):
            await self.device.converse(Terminal(take, writer.write, self.device), text_login=True)
            await writer.drain()
        writer.close()
