# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device on a UDP port, with the faults of a wire: hang, drop, latency, half answers, a closed port. No protocol in here."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from typing import Any

from lab.faults import FaultBoard

Address = tuple[str, int]


class DatagramDevice(asyncio.DatagramProtocol, ABC):
    """Answers datagrams at one address. ``requests`` counts the packets that came in, whatever became of them."""

    def __init__(self, address: str, port: int, board: FaultBoard) -> None:
        self.address = address
        self.port = port
        self.key = f"{address}:{port}"
        self.board = board
        self.requests = 0
        self.failure: BaseException | None = None  # a defect of this server, for the rack to tell
        self._random = random.Random(self.key)
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        if self._transport is None:
            loop = asyncio.get_running_loop()
            endpoint = loop.create_datagram_endpoint(lambda: self, local_addr=(self.address, self.port))
            self._transport = (await endpoint)[0]

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
            await asyncio.sleep(0)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        with self.board.lock:
            self.receive(data, addr)

    def receive(self, data: bytes, addr: Any) -> None:
        """Deal with one packet."""
        self.requests += 1
        if not self.alive or self._lost() or self.value("hang") is not None:
            return
        latency_s = float(self.value("latency") or 0.0)
        try:
            reply = self.answer(data, addr[:2])
        except (ValueError, IndexError):
            return  # nothing that a device would answer
        except Exception as failure:  # kept for the rack to tell: a judge must not fail in silence
            self.failure = self.failure or failure
            raise
        if reply is not None:
            self.send(reply, addr, latency_s)

    def send(self, reply: bytes, addr: Any, after_s: float) -> None:
        """Send an answer, now or later, as the wire's faults have it."""
        if self._lost():
            return
        if self.value("half_answer") is not None:
            reply = reply[: len(reply) // 2]
        if after_s > 0:
            asyncio.get_running_loop().call_later(after_s, self._send_now, reply, addr)
        else:
            self._send_now(reply, addr)

    def _send_now(self, reply: bytes, addr: Any) -> None:
        with self.board.lock:
            if self._transport is not None and self.alive:
                self._transport.sendto(reply, addr)

    def _lost(self) -> bool:
        share = self.value("drop")
        return share is not None and self._random.random() < float(share)

    def value(self, fault: str) -> Any:
        """The value of a fault that acts on this device, or None."""
        acting = self.board.acting(fault, self.key)
        return None if acting is None else acting.value

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether the device has power."""

    @abstractmethod
    def answer(self, data: bytes, source: Address) -> bytes | None:
        """The reply to a datagram, or None for silence. A ValueError or IndexError is a datagram that makes no sense."""
