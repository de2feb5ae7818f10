# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The devices of the dialogue tests, typed from manuals and from what other people's programs expect of them.

Nothing here looks at the rows of ``cli_dialogues.py``: where the two disagree a test fails, and a source decides.
"""

from __future__ import annotations

from devices.cli_servers import Device, Terminal


class ApcAos5(Device):
    """The command line of APC's newer rack PDUs."""

    async def talk(self, terminal: Terminal) -> None:
        await terminal.write(
            "\r\n\r\nSchneider Electric                    Network Management Card AOS      v6.8.2\r\n"
            "(c) Copyright 2019 All Rights Reserved  RPDU 2g APP                       v6.8.0\r\n"
            "-------------------------------------------------------------------------------\r\n"
            "Name      : rpdu-a                                    Date : 11/28/2026\r\n"
            "Stat      : P+ N4+ N6+ A+\r\n\r\nType ? for command listing\r\n\r\n"
        )
        while True:
            words = (await terminal.line("apc>")).split()
            if not words:
                continue
            if words[0] == "exit":
                await terminal.write("Bye.\r\n")
                return
            if words == ["olStatus", "all"]:
                rows = (f" {each}: {self.names[each]}: {self.word(each, 'On', 'Off')}\r\n" for each in self.outlets)
                await terminal.write("E000: Success\r\n" + "".join(rows) + "\r\n")
            elif words[0] in ("olOn", "olOff"):
                if words[1] in self.outlets:
                    self.switch(words[1], words[0] == "olOn")
                    await terminal.write("E000: Success\r\n\r\n")
                else:
                    await terminal.write("E102: Parameter Error\r\n\r\n")
            else:
                await terminal.write("E101: Command Not Found\r\n\r\n")
