# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A UDP relay that makes answers late: ``_relay.py LAG_S PORT FILE``, where FILE has a line ``FRONT BACK`` of addresses for each device.

One process in front of all devices. A device without BACK is dead: it takes packets and answers none. The relay prints
a line when all its ports are open, and runs until it is killed.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections import deque
from pathlib import Path

# A client that was silent for so long has gone (seconds); its socket is closed.
FORGET_S = 90.0


def open_front(address: str, port: int) -> socket.socket:
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind((address, port))
    front.setblocking(False)
    return front


class Relay:
    def __init__(self, lag_s: float, port: int, devices: list[tuple[str, str | None]]) -> None:
        self._lag_s = lag_s
        self._port = port
        self._poll = select.epoll()
        self._fronts: dict[int, tuple[socket.socket, str]] = {}
        self._backs: dict[int, tuple[socket.socket, socket.socket, tuple[str, int]]] = {}
        self._dead: list[socket.socket] = []
        self._known: dict[tuple[int, tuple[str, int]], socket.socket] = {}
        self._used: dict[int, float] = {}
        # The lag is the same for all, so the oldest is always due first.
        self._late: deque[tuple[float, socket.socket, bytes, tuple[str, int]]] = deque()
        for address, back in devices:
            front = open_front(address, port)
            if back is None:
                self._dead.append(front)
            else:
                self._fronts[front.fileno()] = (front, back)
                self._poll.register(front.fileno(), select.EPOLLIN)

    def run(self) -> None:
        tidy_at = time.monotonic() + FORGET_S
        while True:
            wait_s = max(0.0, self._late[0][0] - time.monotonic()) if self._late else FORGET_S
            for number, _events in self._poll.poll(wait_s):
                try:
                    if number in self._fronts:
                        self._ask(number)
                    elif number in self._backs:
                        self._answer(number)
                except OSError:
                    continue
            now = time.monotonic()
            while self._late and self._late[0][0] <= now:
                _at, front, packet, client = self._late.popleft()
                front.sendto(packet, client)
            if now > tidy_at:
                tidy_at = now + FORGET_S
                self._forget(now - FORGET_S)

    def _ask(self, number: int) -> None:
        front, address = self._fronts[number]
        packet, client = front.recvfrom(4096)
        back = self._known.get((number, client))
        if back is None:
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.connect((address, self._port))
            back.setblocking(False)
            self._known[number, client] = back
            self._backs[back.fileno()] = (back, front, client)
            self._poll.register(back.fileno(), select.EPOLLIN)
        self._used[back.fileno()] = time.monotonic()
        back.send(packet)

    def _answer(self, number: int) -> None:
        back, front, client = self._backs[number]
        self._late.append((time.monotonic() + self._lag_s, front, back.recv(4096), client))

    def _forget(self, before: float) -> None:
        for key, back in list(self._known.items()):
            number = back.fileno()
            if self._used[number] < before:
                self._poll.unregister(number)
                del self._known[key], self._backs[number], self._used[number]
                back.close()


def main() -> None:
    lag_s, port, file = float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    rows = [line.split() for line in file.read_text().splitlines()]
    relay = Relay(lag_s, port, [(row[0], row[1] if len(row) > 1 else None) for row in rows])
    print("ready", flush=True)
    relay.run()


if __name__ == "__main__":
    main()
