# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The devices of the dialogue tests, typed from manuals and from what other people's programs expect of them.

Nothing here looks at the rows of ``cli_dialogues.py``: where the two disagree a test fails, and a source decides.
"""

from __future__ import annotations

from typing import ClassVar

from devices.cli_servers import PASSWORD, USERNAME, Device, HungUp, Terminal


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


class ApcMenu(Device):
    """The menus of APC's older cards, the third version: Device Manager, Outlet Management, Outlet Control."""

    outlets: ClassVar = {str(number): number % 2 == 1 for number in range(1, 25)}
    page = 22
    version = 3
    # What Device Manager shows; the way to the outlets depends on it.
    manager = "     1- Phase Monitor/Configuration\r\n     2- Outlet Management\r\n     3- Power Supply Status\r\n"
    off_item = "2"

    async def choice(self, terminal: Terminal, title: str, body: str) -> str:
        """A menu; Ctrl-C leads to the main menu from everywhere, ESC to the one before."""
        await terminal.write(f"\r\n------- {title} {'-' * 50}\r\n\r\n{body}\r\n")
        await terminal.write("     <ESC>- Back, <ENTER>- Refresh, <CTRL-L>- Event Log\r\n\r\n")
        return await terminal.line("> ")

    async def talk(self, terminal: Terminal) -> None:
        await terminal.write("\r\nAmerican Power Conversion               Network Management Card AOS      v3.5.7\r\n")
        while True:
            main = "     1- Device Manager\r\n     2- Network\r\n     3- System\r\n     4- Logout\r\n"
            typed = await self.choice(terminal, "Control Console", main)
            if typed == "4":
                await terminal.write("\r\nConnection Closed - Bye\r\n")
                return
            if typed == "1":
                await self.device_manager(terminal)

    async def device_manager(self, terminal: Terminal) -> None:
        while (typed := await self.choice(terminal, "Device Manager", self.manager)) not in ("\x03", "\x1b"):
            if typed == "2":
                management = "     1- Outlet Control/Configuration\r\n     2- Outlet Restriction\r\n"
                if await self.choice(terminal, "Outlet Management", management) == "1":
                    await self.table(terminal)
                return

    async def table(self, terminal: Terminal) -> None:
        while True:
            await terminal.write("\r\n------- Outlet Control/Configuration ------------------------------\r\n\r\n")
            for place, outlet in enumerate(self.outlets):
                if place and place % self.page == 0:
                    await terminal.line("        Press <ENTER> to continue...")
                row = f"    {outlet:>2}- {self.names[outlet]:<24} {self.word(outlet, 'ON', 'OFF')}\r\n"
                await terminal.write(row)
            await terminal.write(f"    {len(self.outlets) + 1:>2}- Master Control/Configuration\r\n\r\n")
            await terminal.write("     <ESC>- Back, <ENTER>- Refresh, <CTRL-L>- Event Log\r\n\r\n")
            typed = await terminal.line("> ")
            if typed == "\x03":
                return
            if typed in self.outlets and await self.outlet(terminal, typed):
                return

    async def outlet(self, terminal: Terminal, outlet: str) -> bool:
        """One outlet's menus. True when the person went back to the main menu."""
        body = f"     1- Control Outlet {outlet}\r\n     2- Configure Outlet {outlet}\r\n"
        typed = await self.choice(terminal, f"Outlet {outlet}", body)
        if typed != "1":
            return typed == "\x03"
        return await self.control(terminal, outlet)

    async def control(self, terminal: Terminal, outlet: str) -> bool:
        items = (
            "Immediate On",
            "Immediate Off",
            "Immediate Reboot",
            "Delayed On",
            "Delayed Off",
            "Delayed Reboot",
            "Cancel",
        )
        return await self.act(terminal, outlet, items)

    async def act(self, terminal: Terminal, outlet: str, items: tuple[str, ...]) -> bool:
        body = "".join(f"     {number}- {item}\r\n" for number, item in enumerate(items, 1))
        while (typed := await self.choice(terminal, f"Control Outlet {outlet}", body)) != "\x03":
            if not typed.isdigit() or not 1 <= int(typed) <= len(items):
                continue
            item = items[int(typed) - 1]
            await terminal.write(f"\r\n        {item}\r\n\r\n        This command will act on outlet {outlet}.\r\n")
            if await terminal.line("        Enter 'YES' to continue or <ENTER> to cancel : ") != "YES":
                continue
            if item in ("Immediate On", "Immediate Off"):
                self.switch(outlet, item == "Immediate On")
            await terminal.write("        Command successfully issued.\r\n")
            await terminal.line("        Press <ENTER> to continue...")
        return True


class ApcMenuV2(ApcMenu):
    """The second version, for an administrator: the table is Device Manager's third item, and fits on a page."""

    outlets: ClassVar = {str(number): number % 2 == 1 for number in range(1, 9)}
    manager = (
        "     1- Phase Monitor/Configuration\r\n     2- Outlet Restriction\r\n     3- Outlet Control/Configuration\r\n"
        "     4- Power Supply Status\r\n"
    )
    item = "3"

    async def device_manager(self, terminal: Terminal) -> None:
        while (typed := await self.choice(terminal, "Device Manager", self.manager)) not in ("\x03", "\x1b"):
            if typed == self.item:
                await self.table(terminal)
                return


class ApcMenuUser(ApcMenuV2):
    """The second version, for a user who may only switch: fewer items, and no menu between outlet and action."""

    manager = "     1- Phase Monitor\r\n     2- Outlet Control\r\n     3- Power Supply Status\r\n"
    item = "2"

    async def outlet(self, terminal: Terminal, outlet: str) -> bool:
        return await self.control(terminal, outlet)


class ApcMasterSwitchPlus(ApcMenuV2):
    """A MasterSwitch Plus: immediate off is the third item, the second would be the delayed on."""

    manager = "     1- MasterSwitch plus 1\r\n     2- MasterSwitch plus 2\r\n"
    item = "2"

    async def control(self, terminal: Terminal, outlet: str) -> bool:
        items = (
            "Immediate On",
            "Sequenced On",
            "Immediate Off",
            "Graceful Reboot",
            "Immediate Reboot",
            "Shutdown",
            "Override",
        )
        return await self.act(terminal, outlet, (*items, "Cancel"))


class CommandLine(Device):
    """A device that takes a command and gives an answer. ``command`` returns None to end the session."""

    prompt = "$ "
    greeting = ""

    async def talk(self, terminal: Terminal) -> None:
        await terminal.write(self.greeting)
        while True:
            typed = (await terminal.line(self.prompt)).strip()
            answer = self.command(typed) if typed else ""
            if answer is None:
                return
            await terminal.write(answer)

    def command(self, typed: str) -> str | None:
        raise NotImplementedError


class Drac(CommandLine):
    """An iDRAC: one server, so its one outlet has no name."""

    outlets: ClassVar = {"": True}
    prompt = "/admin1-> "

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        words = typed.split()
        if words[:2] != ["racadm", "serveraction"] or len(words) != 3:
            return "COMMAND NOT RECOGNIZED\r\n"
        if words[2] == "powerstatus":
            return f"Server power status: {self.word('', 'ON', 'OFF')}\r\n"
        self.switch("", {"powerup": True, "powerdown": False}[words[2]])
        return "Server power operation initiated successfully\r\n"


class Drac5(Drac):
    """The older one: another prompt, and nothing but the word."""

    prompt = "$ "

    def command(self, typed: str) -> str | None:
        answer = super().command(typed)
        return answer and answer.replace("Server power status: ", "")


class Cmc(CommandLine):
    outlets: ClassVar = {"server-1": True, "server-2": False, "server-4": True}
    greeting = "\r\nWelcome to the CMC firmware version 4.10\r\n\r\n"

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        words = typed.split()
        if words[:2] != ["racadm", "serveraction"] or len(words) != 5 or words[3] != "-m":
            return "ERROR: syntax\r\n"
        if words[4] not in self.outlets:
            return "ERROR: Invalid module specified\r\n"
        if words[2] == "powerstatus":
            return f"{self.word(words[4], 'ON', 'OFF')}\r\n"
        self.switch(words[4], {"powerup": True, "powerdown": False}[words[2]])
        return "Server power operation successful\r\n"


class Ilo(CommandLine):
    """The command line of an iLO of a ProLiant."""

    outlets: ClassVar = {"": True}
    prompt = "hpiLO-> "
    text_login = ("Login Name:  ", "Password:    ")
    off = "power off hard"
    greeting = "User:fence logged-in to ilo3.example.com\r\niLO Standard 2.55 at Aug 16 2017\r\nServer Name: \r\nServer Power: On\r\n\r\n"

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        done = "status=0\r\nstatus_tag=COMMAND COMPLETED\r\nSat Nov 28 05:00:00 2026\r\n\r\n"
        if typed == "show /system1":
            state = self.word("", "enabled", "disabled")
            properties = (
                f"    name=ProLiant DL380\r\n    number=CZ123\r\n    enabledstate={state}\r\n    processor_number=2\r\n"
            )
            return f"{done}\r\n/system1\r\n  Targets\r\n    oemhp_power1\r\n  Properties\r\n{properties}  Verbs\r\n    cd exit show\r\n\r\n"
        if typed in ("start /system1", self.off):
            self.switch("", typed != self.off)
            return f"{done}Server power action.......\r\n\r\n"
        return "status=2\r\nstatus_tag=COMMAND PROCESSING FAILED\r\nerror_tag=COMMAND NOT RECOGNIZED\r\n\r\n"


class IloMp(Ilo):
    """A Management Processor, which begins in its own menu."""

    prompt = "MP> "
    text_login = ("MP login: ", "MP password: ")
    off = "stop -f /system1"
    greeting = "\r\n          Hewlett-Packard Integrity Management Processor\r\n\r\n"

    def command(self, typed: str) -> str | None:
        if self.prompt == "MP> ":
            if typed != "SMCLP":
                return "Invalid command\r\n"
            self.prompt = "</>hpiLO-> "
            return "\r\n"
        return super().command(typed)

    async def talk(self, terminal: Terminal) -> None:
        self.prompt = "MP> "
        await super().talk(terminal)


class Moonshot(CommandLine):
    outlets: ClassVar = {"c1n1": True, "c2n1": False, "c45n1": True}
    prompt = "hpiLO-> "

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        if typed == "show node list":
            head = "Slot ID  Serial Num  Manufacturer  Architecture  Memory  CPU  Model  Power  Health\r\n"
            return head + "".join(
                f"{int(each[1:-2]):>2}  {each}  CN12345  HP  x86_64  32GB  8  m300  {self.word(each, 'On', 'Off')}  OK\r\n"
                for each in self.outlets
            )
        words = typed.split()
        if words[:3] == ["set", "node", "power"] and words[-1] in self.outlets:
            self.switch(words[-1], words[3] == "on")
            return f"Powering {words[-1]}\r\n"
        return "Invalid node\r\n"


class BladeSystem(CommandLine):
    outlets: ClassVar = {"1": True, "2": False, "16": True}
    prompt = "c7000oa> "
    greeting = "\r\nHPE BladeSystem Onboard Administrator\r\n(C) Copyright 2006-2018\r\n\r\nOA Role: Active\r\n\r\n"

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        words = typed.split()
        if words[:3] == ["show", "server", "status"]:
            if words[3] not in self.outlets:
                return f"Bay {words[3]}: No Server Blade Installed\r\n\r\n"
            return (
                f"Blade #{words[3]} Status:\r\n\tPower: {self.word(words[3], 'On', 'Off')}\r\n\tCurrent Wattage used: 153 Watts\r\n"
                "\tHealth: OK\r\n\tUnit Identification LED: Off\r\n\tVirtual Fan: 30%\r\n\tDiagnostic Status:\r\n"
                "\t\tInternal Data                            OK\r\n\t\tPower                                    OK\r\n\r\n"
            )
        if words[0] in ("poweron", "poweroff") and words[1] == "server" and words[2] in self.outlets:
            self.switch(words[2], words[0] == "poweron")
            return f"Blade #{words[2]} is powering {words[0][5:]}.\r\n\r\n"
        return "Invalid bay\r\n"


class Superdome(CommandLine):
    outlets: ClassVar = {"1": True, "2": False}
    prompt = "sdx-oa> "

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        words = typed.split()
        if words[:3] == ["parstatus", "-M", "-p"]:
            if words[3] not in self.outlets:
                return f"Error: Partition {words[3]} does not exist\r\n"
            state, run = self.word(words[3], "Active UP", "Inactive DOWN").rpartition(" ")[::2]
            return f"partition:{words[3]}  :{state or 'Active'}  /{run} :OK  :0  :4/0  :0/0 :npar{words[3]}\r\n"
        if words[:2] in (["poweron", "partition"], ["poweroff", "partition"]):
            self.switch(words[2], words[0] == "poweron")
            return "Partition operation is in progress.\r\n"
        return "Invalid command\r\n"


class BladeCenter(CommandLine):
    outlets: ClassVar = {"1": True, "3": True, "4": False}
    text_login = ("username: ", "password: ")
    greeting = "\r\nHostname:              mm01.example.com\r\nStatic IP address:     192.0.2.1\r\n\r\n"

    async def talk(self, terminal: Terminal) -> None:
        self.blade = ""
        self.prompt = "system> "
        await super().talk(terminal)

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        if typed == "env -T system":
            self.blade, self.prompt = "", "system> "
            return "OK\r\n"
        if typed.startswith("env -T system:blade["):
            blade = typed[len("env -T system:blade[") : -1]
            if blade not in self.outlets:
                return "The target bay is out of range.\r\n"
            self.blade, self.prompt = blade, f"system:blade[{blade}]> "
            return "OK\r\n"
        if not self.blade:
            return "Command not supported by this target\r\n"
        if typed == "power -state":
            return f"{self.word(self.blade, 'On', 'Off')}\r\n"
        self.switch(self.blade, {"power -on": True, "power -off": False}[typed])
        return "OK\r\n"


class Rsa(CommandLine):
    outlets: ClassVar = {"": True}
    prompt = "SN# KQZA123> "

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        if typed == "power state":
            return f"Power: {self.word('', 'On', 'Off')}\r\nState: OS running\r\n"
        self.switch("", {"power on": True, "power off": False}[typed])
        return "ok\r\n"


class Hmc(CommandLine):
    outlets: ClassVar = {"lpar1": True, "lpar2": False, "vios_1": True}
    prompt = "hscroot@hmc1:~> "
    greeting = "Last login: Sat Nov 28 04:00:00 2026 from 192.0.2.9\r\n"
    system = "p570-A"

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        words = typed.split()
        if words[words.index("-m") + 1] != self.system:
            return "HSCL8018 The managed system was not found.\r\n"
        if words[0] == "lssyscfg":
            return "".join(f"{each},{self.word(each, 'Running', 'Not Activated')}\r\n" for each in self.outlets)
        lpar = words[words.index("-n") + 1]
        if lpar not in self.outlets:
            return "HSCL8012 The partition was not found.\r\n"
        self.switch(lpar, words[2] == "on")
        return ""


class Rsb(Device):
    """A menu of single keys, with one that asks before it acts."""

    outlets: ClassVar = {"": True}
    text_login = ("Username: ", "Password: ")

    async def pressed(self, terminal: Terminal, prompt: str) -> str:
        await terminal.write(prompt)
        key = await terminal.key()
        if self.character.echo:
            await terminal.write(key)
        await terminal.entered(key)
        return key

    async def talk(self, terminal: Terminal) -> None:
        while True:
            menu = "\r\n\r\n      System Menu\r\n (1) System Information\r\n (2) Power Management\r\n\r\n"
            key = await self.pressed(terminal, menu + "Enter selection or (0) to quit: ")
            if key == "0":
                return
            if key == "2":
                await self.power(terminal)

    async def power(self, terminal: Terminal) -> None:
        while True:
            status = self.word("", "On", "Off")
            typed = ""
            await terminal.write(
                f"\r\n\r\n      Power Management Menu\r\n\r\nPower Status : {status}\r\n\r\n (1) Immediate Power Off\r\n"
                " (2) Immediate Reset\r\n (4) Power On\r\n\r\nEnter selection or (0) to quit: "
            )
            while (key := await terminal.key()) not in "\r\n":
                typed += key
                await terminal.write(key if self.character.echo else "")
                if typed == "0":
                    return await terminal.entered(typed)
            await terminal.entered(typed)
            if typed in ("1", "4"):
                word = "on" if typed == "4" else "off"
                if await terminal.line(f"\r\nDo you really want to power {word} the server? 'yes' or 'no': ") == "yes":
                    self.switch("", typed == "4")
                    await terminal.line("Command sent. Press any key to continue")


class HitachiCb(Device):
    """Letters lead through menus; there is no way to log out but to leave."""

    outlets: ClassVar = {"0": True, "1": False, "3": True}
    text_login = ("login: ", "Password: ")

    async def talk(self, terminal: Terminal) -> None:
        try:
            while True:
                if await terminal.line("\r\nSystem Console Main Menu\r\n S. System Command Mode\r\n (S,Q) : ") == "S":
                    await self.service(terminal)
        except HungUp:
            self.logouts += 1
            raise

    async def service(self, terminal: Terminal) -> None:
        while (typed := await terminal.line("SVP>")) != "EX":
            if typed == "PC":
                await self.partitions(terminal)

    async def partitions(self, terminal: Terminal) -> None:
        while True:
            head = "\r\nP Power        Condition     LID lamp Mode  Auto power on\r\n"
            rows = (
                f"{each} {self.word(each, 'On', 'Off'):<12} Normal        Off      Basic Synchronized\r\n"
                for each in self.outlets
            )
            await terminal.write(head + "".join(rows))
            typed = await terminal.line("\r\n P. Power  Q. Quit\r\n (P,Q) : ")
            if typed == "Q":
                return
            if typed == "P":
                await self.power(terminal)

    async def power(self, terminal: Terminal) -> None:
        while (
            action := await terminal.line("\r\n P. Power on  F. Force off  H. Hard reset  Q. Quit\r\n (P,F,H,Q) : ")
        ) != "Q":
            partition = await terminal.line("Partition (0-7) : ")
            if await terminal.line("Are you sure? (Y,N) : ") == "Y" and partition in self.outlets:
                self.switch(partition, action == "P")
            await terminal.line("Hit enter key.")
            await self.back(terminal)
            return

    async def back(self, terminal: Terminal) -> None:
        while await terminal.line("\r\n P. Power on  F. Force off  H. Hard reset  Q. Quit\r\n (P,F,H,Q) : ") != "Q":
            pass


class Alom(CommandLine):
    outlets: ClassVar = {"": True}
    prompt = "sc> "
    text_login = ("Please login: ", "Please Enter password: ")

    def command(self, typed: str) -> str | None:
        if typed == "logout":
            return None
        if typed == "showplatform":
            state = self.word("", "OS Running", "OS Standby")
            head = "SUNW,Sun-Fire-T200\r\nChassis Serial Number: 0529AP000882\r\n\r\nDomain     Status\r\n------     ------\r\n"
            return f"{head}S0         {state}\r\n\r\n"
        self.switch("", {"poweron": True, "poweroff -f -y": False}[typed])
        return "SC Alert: Host System has changed its power.\r\n"


class Ilom(CommandLine):
    outlets: ClassVar = {"": True}
    prompt = "-> "
    text_login = ("SUNSP-0144 login: ", "Password: ")

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        if typed == "show -d properties /SYS":
            return f"\r\n /SYS\r\n    Properties:\r\n        type = Host System\r\n        power_state = {self.word('', 'On', 'Off')}\r\n\r\n"
        self.switch("", {"start -script /SYS": True, "stop -script -force /SYS": False}[typed])
        return "Starting or stopping /SYS\r\n"


class Wti(Device):
    """A table with columns between bars, a page at a time."""

    outlets: ClassVar = {str(number): number % 2 == 1 for number in range(1, 13)}
    text_login = ("Username: ", "Password: ")

    async def talk(self, terminal: Terminal) -> None:
        while (typed := await terminal.line("\r\nVMR> ")) != "/X":
            command, rest = typed.partition(" ")[::2]
            if command == "/S":
                await self.table(terminal)
            elif command in ("/on", "/off") and rest.endswith(",y"):
                if rest[:-2] in self.outlets:
                    self.switch(rest[:-2], command == "/on")
                else:
                    await terminal.write("Invalid Plug\r\n")
        await terminal.write("Disconnected\r\n")

    async def table(self, terminal: Terminal) -> None:
        await terminal.write("\r\nVirtual Rack v1.43  Site ID: (undefined)\r\n\r\n")
        await terminal.write("PLUG | NAME             | STATUS  | BOOT/SEQ. DELAY | DEFAULT | PRIORITY |\r\n")
        await terminal.write("-----+------------------+---------+-----------------+---------+----------+\r\n")
        for place, each in enumerate(self.outlets):
            if place == 8:
                await terminal.line("-----+\r\nPress Enter for more, Enter: ")
            default = "OFF" if self.outlets[each] else "ON"
            row = f" {each:<3} | {self.names[each]:<16} |   {self.word(each, 'ON', 'OFF'):<4}  |     0.5 Secs    |   {default:<3}   |"
            await terminal.write(f"{row}    {each}     |\r\n")
        await terminal.write("-----+------------------+---------+-----------------+---------+----------+\r\n")


class Sentry(Device):
    """Sixteen outlets on a page; the second word is what the device applies to the outlet."""

    outlets: ClassVar = {f".A{number}": number % 2 == 1 for number in range(1, 21)}
    text_login = ("Username: ", "Password: ")
    prompt = "\r\nSwitched CDU: "

    async def talk(self, terminal: Terminal) -> None:
        await terminal.write("\r\nSentry Switched CDU Version 7.0k\r\n")
        while (typed := (await terminal.line(self.prompt)).upper()) != "LOGOUT":
            verb, outlet = typed.partition(" ")[::2]
            if typed == self.status:
                await self.table(terminal)
            elif verb in ("ON", "OFF") and outlet in self.outlets:
                self.switch(outlet, verb == "ON")
                await terminal.write(f"\r\n   {self.row(outlet)}\r\n\r\n   Command successful\r\n")
            else:
                await terminal.write("\r\n   Error: invalid command or name\r\n")
        await terminal.write("\r\nSession ended\r\n")

    status = "STATUS"

    async def table(self, terminal: Terminal) -> None:
        await terminal.write(
            "\r\n   Outlet   Outlet                   Outlet     Control\r\n   ID       Name                     Status     State\r\n\r\n"
        )
        for place, each in enumerate(self.outlets):
            if place == 16:
                await terminal.write("   More (Y/es N/o): ")
                while await terminal.key() not in "Yy":
                    pass
                await terminal.write("Y\r\n\r\n" if self.character.echo else "\r\n")
            await terminal.write(f"   {self.row(each)}\r\n")
        await terminal.write("\r\n   Command successful\r\n")

    def row(self, outlet: str) -> str:
        words = self.word(outlet, "On         Idle On", "Off        Idle Off")
        return f"{outlet:<8} {self.names[outlet]:<24} {words if ' ' in words else words + '         Idle On'}"


class Sentry8(Sentry):
    outlets: ClassVar = {f"AA{number}": number % 2 == 1 for number in range(1, 21)}
    prompt = "\r\nSwitched PDU: "
    status = "STATUS ALL"

    def row(self, outlet: str) -> str:
        words = self.word(outlet, "Wake On    On", "Off        Off")
        return f"{outlet:<8} {self.names[outlet]:<24} {words if ' ' in words else 'Idle On    ' + words}     Normal"


class EatonG3(CommandLine):
    prompt = "pdu#0>"

    def command(self, typed: str) -> str | None:
        if typed == "quit":
            return None
        verb, rest = typed.partition(" PDU.OutletSystem.Outlet[")[::2]
        outlet, rest = rest.partition("].")[::2]
        if outlet not in self.outlets:
            return "Error: unknown object\r\n"
        if (verb, rest) == ("get", "PresentStatus.SwitchOnOff"):
            return f"{self.word(outlet, '1', '0')}\r\n"
        self.switch(outlet, {"DelayBeforeStartup 0": True, "DelayBeforeShutdown 0": False}[rest])
        return "0\r\n"


class RaritanPx(CommandLine):
    prompt = "clp:/-> "
    text_login = ("Login: ", "Password: ")
    asks_in_ssh = True

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        words = typed.replace("show -d properties=powerState", "show").split()
        outlet = words[1].removeprefix("/system1/outlet")
        if outlet not in self.outlets:
            return "Error: Invalid target\r\n"
        if words[0] == "show":
            return f"/system1/outlet{outlet}\r\n  Properties:\r\n    powerState is {self.word(outlet, '1 (on)', '2 (off)')}\r\n"
        self.switch(outlet, {"powerState=on": True, "powerState=off": False}[words[2]])
        return "Command successful\r\n"


class RaritanPx2(Device):
    text_login = ("Username: ", "Password: ")

    async def talk(self, terminal: Terminal) -> None:
        await terminal.write(
            "Welcome to PX2 CLI!\r\nLast login: 2026-11-28 04:00:00 UTC [CLI (SSH) from 192.0.2.7]\r\n\r\n"
        )
        while (typed := await terminal.line("[My PDU] # ")) != "exit":
            words = typed.split()
            if typed == "show outlets":
                for each in self.outlets:
                    name = f" - {self.names[each]}" if self.names[each] else ""
                    await terminal.write(f"Outlet {each}{name}:\r\nPower state: {self.word(each, 'On', 'Off')}\r\n\r\n")
            elif words[:2] == ["power", "outlets"] and words[2] in self.outlets:
                if await terminal.line(f"Do you wish to turn outlet {words[2]} {words[3]}? [y/n] ") == "y":
                    self.switch(words[2], words[3] == "on")
            elif words:
                await terminal.write("Unknown command\r\n")


class CyberPower(CommandLine):
    prompt = "CyberPower > "
    text_login = ("Login Name: ", "Login Password: ")
    greeting = "\r\n+----------------------------------+\r\n CyberPower System PDU41001\r\n+----------------------------------+\r\n\r\n"

    def command(self, typed: str) -> str | None:
        if typed == "exit":
            return None
        words = typed.split()
        if typed == "oltsta show":
            rows = (
                f"  {each}      {self.names[each]:<20}  {self.word(each, 'On', 'Off')}\r\n" for each in self.outlets
            )
            return "Index    Name                  Status\r\n" + "".join(rows) + "\r\n"
        if words[:2] == ["oltctrl", "index"] and words[2] in self.outlets:
            self.switch(words[2], {"delayon": True, "delayoff": False}[words[4]])
            return "\r\n"
        return "Invalid parameter\r\n"


class Netio(Device):
    """One line for each answer, a number first; no prompt, no echo, and the login is a command."""

    outlets: ClassVar = {"1": True, "2": False, "3": True, "4": False}

    async def converse(self, terminal: Terminal, text_login: bool) -> None:
        if self.character.busy:
            await terminal.write("Sorry, the console is in use by another user\r\n")
            return
        self.character.echo = False
        await terminal.write(self.character.banner + "100 HELLO E675DDA5 - KSHELL V1.1\r\n")
        if await terminal.line() != f"login {USERNAME} {PASSWORD}":
            await terminal.write("503 INVALID LOGIN\r\n")
            self.heard.clear()
            await terminal.line()
            return
        self.heard.clear()
        self.logins += 1
        await terminal.write("250 OK\r\n")
        if self.character.mute:
            await terminal.line()
            await self.talk_no_more()
        while (typed := await terminal.line()) != "quit":
            words = typed.split()
            if words[1] not in self.outlets:
                await terminal.write("501 INVALID PARAMETR\r\n")
            elif len(words) == 2:
                await terminal.write(f"250 {self.word(words[1], '1', '0')}\r\n")
            else:
                self.switch(words[1], words[2] == "1")
                await terminal.write("250 OK\r\n")
        await terminal.write("110 BYE\r\n")
        self.logouts += 1
