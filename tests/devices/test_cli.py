# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The line of the text dialogues: keys and host keys, legacy algorithms, telnet's options, sessions, time; and whole operations."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from devices.cli_devices import ApcAos5, ApcMenu, Drac, EatonG3, Hmc, Sentry, Wti
from devices.cli_servers import DO, DONT, IAC, PASSWORD, SB, SE, USERNAME, WILL, WONT, Device, SshServer, TelnetServer

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    Deadline,
    DeviceDriver,
    DeviceError,
    Driver,
    Kind,
    NotFound,
    Power,
    Reading,
    Reason,
    TimedOut,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _cli_conversation
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_transport import Negotiation
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli import TYPE, CliDriver
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.cli_dialogues import DIALOGUES
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Operation,
    Outcome,
    read_power,
    switch_power,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import option_problems

Server = SshServer | TelnetServer
Serve = Callable[..., Any]
Connect = Callable[..., Driver]


@pytest.fixture
def real_waits() -> None:
    """For tests that are about waiting for what may still come: they wait as long as with a real device."""


@pytest.fixture(autouse=True)
def waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is quick: all other tests wait less."""
    if "real_waits" not in request.fixturenames:
        for name, seconds in {"ECHOED_S": 0.05, "LOGIN_S": 0.1, "UNECHOED_S": 0.15, "BLANK_S": 0.4}.items():
            monkeypatch.setattr(_cli_conversation, name, seconds)


@pytest.fixture
def connect() -> Iterator[Connect]:
    drivers = []

    def open_driver(server: Server, **options: Any) -> Driver:
        given = server.options(**{"model": "apc_aos5", "outlet": "3", **options})
        assert option_problems(TYPE, given) == []
        drivers.append(TYPE.driver(given))
        return drivers[-1]

    yield open_driver
    for driver in drivers:
        driver.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(kind: type[Server], device: Device, **options: Any) -> Server:
        servers.append(kind(device, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def soon(budget_s: float = 6.0) -> Deadline:
    return Deadline(budget_s)


def failed(work: Callable[[], object], within_s: float = 6.5) -> DeviceError:
    began = time.monotonic()
    with pytest.raises(DeviceError) as caught:
        work()
    assert time.monotonic() - began < within_s
    return caught.value


def operate(driver: Driver, operation: Operation, budget_s: float = 10.0) -> Outcome:
    """One operation as the modules run it."""

    async def run() -> Outcome:
        with ThreadPoolExecutor(1) as pool:
            exchanges = DriverExchanges(driver, pool, TYPE.exchange_s)
            if operation is Operation.READ:
                return await read_power(exchanges, budget_s, MonotonicClock())
            return await switch_power(exchanges, operation, budget_s, MonotonicClock())

    return asyncio.run(run())


# Whole operations, with the waits as they are


@pytest.mark.parametrize("kind", [SshServer, TelnetServer])
@pytest.mark.usefixtures("real_waits")
def test_an_outlet_is_switched_off_and_proven(kind: type[Server], serve: Serve, connect: Connect) -> None:
    device = ApcAos5()
    outcome = operate(connect(serve(kind, device)), Operation.OFF)
    assert (outcome.power, outcome.ok, outcome.sent, outcome.attempts) == (Power.OFF, True, True, 1)
    assert device.switched == [("3", False)]
    assert device.logins == device.logouts == 2


def test_an_outlet_that_stays_on_is_not_confirmed(serve: Serve, connect: Connect) -> None:
    device = ApcAos5(lies=True)
    outcome = operate(connect(serve(SshServer, device)), Operation.OFF, budget_s=2.5)
    assert outcome.power is not Power.OFF
    assert outcome.reason is Reason.UNCONFIRMED
    assert device.switched == [("3", False)]


def test_a_command_that_waits_for_its_time_is_a_transition(serve: Serve, connect: Connect) -> None:
    reading = connect(serve(SshServer, ApcAos5(shows={"3": "Off*"}))).read(soon())
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)


def test_a_control_state_that_does_not_agree_is_a_transition(serve: Serve, connect: Connect) -> None:
    server = serve(SshServer, Sentry(shows={".A3": "Off        Idle On", ".A5": "Off        Pend On"}))
    for outlet in (".A3", ".A5"):
        reading = connect(server, model="sentry_cdu", outlet=outlet).read(soon())
        assert (reading.power, reading.reason in (Reason.UNCONFIRMED, Reason.BAD_REPLY)) == (Power.UNKNOWN, True)


def test_what_a_plug_does_after_a_power_cut_is_not_its_status(serve: Serve, connect: Connect) -> None:
    """The table has another column with the words ON and OFF."""
    reading = connect(serve(SshServer, Wti(shows={"3": "---"})), model="wti").read(soon())
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)


def test_an_account_that_may_not_switch_is_told_so(serve: Serve, connect: Connect) -> None:
    class ReadOnly(ApcAos5):
        def switch(self, outlet: str, power: bool) -> None:
            self.switched.append((outlet, power))

        async def talk(self, terminal: Any) -> None:
            while (typed := await terminal.line("apc>")) != "exit":
                rows = "E000: Success\r\n 3: x: On\r\n" if typed == "olStatus all" else "E104: User Level Denial\r\n"
                await terminal.write(rows)

    error = failed(lambda: connect(serve(SshServer, ReadOnly())).switch(Power.OFF, soon()))
    assert error.reason is Reason.AUTH
    assert "E104" in str(error)


@pytest.mark.usefixtures("real_waits")
def test_the_menus_are_walked_with_their_pauses(serve: Serve, connect: Connect) -> None:
    device = ApcMenu()
    driver = connect(serve(TelnetServer, device), model="apc_menu", outlet="24")
    driver.switch(Power.ON, soon(20))
    assert device.switched == [("24", True)]


# One device, several agents


def agents_of(server: Server, model: str, *outlets: str, **options: Any) -> list[dict[str, Any]]:
    return [server.options(model=model, outlet=outlet, **options) for outlet in outlets]


def shared(agents: list[dict[str, Any]]) -> DeviceDriver:
    assert len({TYPE.conversation(agent) for agent in agents}) == 1
    return CliDriver(agents[0])


def test_one_listing_in_one_session_answers_for_all_outlets(serve: Serve) -> None:
    device = ApcAos5()
    agents = agents_of(serve(SshServer, device), "apc_aos5", "1", "2", "99", "3")
    answers = shared(agents).read_all(agents, soon())
    assert [getattr(answer, "power", answer.__class__) for answer in answers] == [
        Power.ON,
        Power.OFF,
        NotFound,
        Power.ON,
    ]
    assert device.heard == ["olStatus all", "exit"]


def test_several_outlets_are_switched_in_one_session_and_a_missing_one_is_its_own_fault(serve: Serve) -> None:
    device = ApcAos5()
    agents = agents_of(serve(SshServer, device), "apc_aos5", "1", "99", "3")
    answers = shared(agents).switch_all(agents, Power.OFF, soon())
    assert [type(answer) for answer in answers] == [type(None), NotFound, type(None)]
    assert device.switched == [("1", False), ("3", False)]
    assert device.logins == device.logouts == 1


def test_outlets_that_were_switched_before_the_line_was_cut_have_their_answer(serve: Serve) -> None:
    device = ApcAos5(cut_on="olOff 3", cut_after=0)
    agents = agents_of(serve(SshServer, device), "apc_aos5", "1", "3", "8")
    answers = shared(agents).switch_all(agents, Power.OFF, soon())
    assert [type(answer) for answer in answers] == [type(None), TimedOut, TimedOut]
    assert device.switched[0] == ("1", False)
    assert ("8", False) not in device.switched


def test_a_blade_that_is_not_there_does_not_disturb_its_neighbour(serve: Serve) -> None:
    from devices.cli_devices import BladeCenter

    device = BladeCenter()
    agents = agents_of(serve(SshServer, device), "bladecenter", "9", "3")
    driver = shared(agents)
    answers = driver.switch_all(agents, Power.OFF, soon())
    driver.close()
    assert isinstance(answers[0], NotFound)
    assert answers[1] is None
    assert device.switched == [("3", False)]


def test_a_device_that_takes_several_sessions_keeps_the_login(serve: Serve, connect: Connect) -> None:
    device = Drac()
    driver = connect(serve(SshServer, device), model="drac_racadm", outlet=None)
    assert driver.read(soon()).power is Power.ON
    assert driver.read(soon()).power is Power.ON
    assert device.logins == 1
    # An answer to the command that is late must not meet the next question.
    driver.switch(Power.OFF, soon())
    assert driver.read(soon()).power is Power.OFF
    assert device.logins == 2


def test_a_kept_login_that_has_died_is_replaced(serve: Serve, connect: Connect) -> None:
    device = Drac()
    server = serve(SshServer, device)
    driver = connect(server, model="drac_racadm", outlet=None)
    driver.read(soon())
    server.cut_all()
    assert driver.read(soon()).power is Power.ON
    assert device.logins == 2


@pytest.mark.usefixtures("real_waits")
def test_after_a_silence_the_late_answer_is_not_taken_for_the_next_one(serve: Serve, connect: Connect) -> None:
    class Late(Drac):
        slow = True

        def command(self, typed: str) -> str | None:
            answer = super().command(typed)
            if self.slow and typed.endswith("powerstatus"):
                self.slow = False
                time.sleep(0.9)
            return answer

    device = Late()
    driver = connect(serve(SshServer, device), model="drac_racadm", outlet=None)
    assert isinstance(failed(lambda: driver.read(soon(0.6))), TimedOut)
    device.outlets[""] = False
    assert driver.read(soon()).power is Power.OFF


@pytest.mark.usefixtures("real_waits")
def test_a_late_prompt_before_the_echo_is_not_the_end_of_the_answer(serve: Serve, connect: Connect) -> None:
    """CR and LF taken for two ENTERs: the second prompt comes when the next command is already there."""

    class Doubled(Drac):
        async def talk(self, terminal: Any) -> None:
            await terminal.write("$ ")
            while (typed := await terminal.line()) != "exit":
                await terminal.write(f"\r\n$ {typed}\r\n")
                await asyncio.sleep(1.4)
                await terminal.write(f"{self.command(typed)}$ ")

    driver = connect(serve(SshServer, Doubled(echo=False)), model="drac_racadm", outlet=None)
    assert driver.read(soon()).power is Power.ON


@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.usefixtures("real_waits")
def test_a_late_answer_to_the_command_before_is_not_the_answer_to_the_question(
    echo: bool, serve: Serve, connect: Connect
) -> None:
    """This PDU answers a command with a number, late, behind a prompt too many; and a number is what an outlet reads."""

    class Late(EatonG3):
        async def talk(self, terminal: Any) -> None:
            late = ""
            while (typed := await terminal.line(self.prompt)) != "quit":
                if late:
                    await terminal.write(late)
                    await asyncio.sleep(0.7)
                    await terminal.write(f"{typed}\r\n" if self.character.echo else "")
                answer = self.command(typed)
                late = f"{answer}{self.prompt}" if typed.startswith("set") else ""
                await terminal.write("" if late else str(answer))

    device = Late(lies=True, echo=echo)
    driver = connect(serve(SshServer, device), model="eaton_g3")
    assert driver.read(soon()).power is Power.ON
    driver.switch(Power.OFF, soon())
    try:
        assert driver.read(soon(3.0)).power is Power.ON
    except DeviceError as error:
        assert error.reason in (Reason.TIMEOUT, Reason.BAD_REPLY)
    assert device.switched == [("3", False)]


# Time


@pytest.mark.parametrize("kind", [SshServer, TelnetServer])
def test_a_device_that_is_mute_after_the_login_costs_the_deadline(
    kind: type[Server], serve: Serve, connect: Connect
) -> None:
    driver = connect(serve(kind, ApcAos5(mute=True)))
    assert isinstance(failed(lambda: driver.read(soon(0.8)), within_s=1.3), TimedOut)


@pytest.mark.parametrize("options", [{}, {"transport": "telnet"}])
def test_a_port_that_says_nothing_costs_the_deadline(options: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        given = {
            "address": "127.0.0.1",
            "port": silent.getsockname()[1],
            "username": "x",
            "password": "long",
            **options,
        }
        driver = TYPE.driver({**given, "model": "apc_aos5", "outlet": "3", "check_host_key": False})
        error = failed(lambda: driver.read(soon(0.6)), within_s=1.1)
        driver.close()
    assert error.reason is Reason.TIMEOUT


def test_an_interrupted_task_does_not_wait_for_the_deadline(serve: Serve, connect: Connect) -> None:
    driver = connect(serve(SshServer, ApcAos5(hang_on="olStatus")))
    deadline = Deadline(30)
    threading.Timer(0.6, deadline.expire).start()
    assert isinstance(failed(lambda: driver.read(deadline), within_s=1.5), TimedOut)


@pytest.mark.parametrize("options", [{}, {"transport": "telnet"}])
def test_a_refused_connection_is_told_at_once(options: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    given = {"address": "127.0.0.1", "port": port, "username": "x", "password": "long", "model": "apc_aos5", **options}
    driver = TYPE.driver({**given, "outlet": "3", "check_host_key": False})
    assert failed(lambda: driver.read(soon()), within_s=1).reason is Reason.UNREACHABLE


@pytest.mark.parametrize(
    ("model", "outlet", "reason"), [("apc_aos5", "3", Reason.BUSY), ("ilo_ssh", None, Reason.UNREACHABLE)]
)
@pytest.mark.parametrize("transport", ["ssh", "telnet"])
def test_a_device_for_one_person_that_hangs_up_at_once_is_busy(
    transport: str, model: str, outlet: str | None, reason: Reason
) -> None:
    """APC cards close the connection when somebody is logged in, without a word."""
    with socket.create_server(("127.0.0.1", 0)) as closing:

        def hang_up() -> None:
            closing.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        options = {"address": "127.0.0.1", "port": closing.getsockname()[1], "username": "x", "password": "long"}
        driver = TYPE.driver(
            {**options, "transport": transport, "model": model, "outlet": outlet, "check_host_key": False}
        )
        assert failed(lambda: driver.read(soon())).reason is reason
        thread.join()


def test_a_device_that_falls_silent_at_the_command_may_have_heard_it(serve: Serve, connect: Connect) -> None:
    device = ApcAos5(hang_on="olOff")
    assert isinstance(
        failed(lambda: connect(serve(SshServer, device)).switch(Power.OFF, soon(1.2)), within_s=1.7), TimedOut
    )
    assert device.heard == ["olStatus all", "olOff 3"]


def test_something_else_than_ssh_is_no_ssh(serve: Serve, connect: Connect) -> None:
    server = serve(TelnetServer, ApcAos5())
    driver = connect(server, transport="ssh", check_host_key=False)
    assert failed(lambda: driver.read(soon(0.8))).reason in (Reason.BAD_REPLY, Reason.TIMEOUT)


@pytest.mark.parametrize("kind", [SshServer, TelnetServer])
def test_a_device_that_never_stops_talking_costs_the_deadline(
    kind: type[Server], serve: Serve, connect: Connect
) -> None:
    class Talker(ApcAos5):
        async def talk(self, terminal: Any) -> None:
            await terminal.line("apc>")
            while True:
                await terminal.write(" 3: x: Off\r\napc>")
                await asyncio.sleep(0.005)

    assert failed(lambda: connect(serve(kind, Talker())).read(soon(1.0)), within_s=1.6).reason is Reason.TIMEOUT


@pytest.mark.parametrize("noise", ["$" * 3000, ">" * 3000, "x" * 20_000, "a: " * 2000, " " * 3000 + "On"])
def test_a_line_of_noise_costs_no_time(noise: str, serve: Serve, connect: Connect) -> None:
    """Patterns that try every way to fit would take longer than any deadline, and no thread could stop them."""

    class Noisy(Hmc):
        def command(self, typed: str) -> str | None:
            answer = super().command(typed)
            return answer and f"{noise}\r\n{answer}"

    options = {"model": "hmc_lpar", "outlet": "vios_1", "system": "p570-A"}
    driver = connect(serve(SshServer, Noisy(echo=False)), **options)
    began = time.monotonic()
    try:
        assert driver.read(soon()).power is Power.ON
    except DeviceError as error:
        assert error.reason is Reason.BAD_REPLY
    assert time.monotonic() - began < 3


def test_a_banner_is_no_refusal(serve: Serve, connect: Connect) -> None:
    banner = "\r\nIf access denied call 555. Too many users share accounts. The console is in use by admins only.\r\n"
    assert connect(serve(TelnetServer, ApcAos5(banner=banner))).read(soon()).power is Power.ON


# Who is who


def test_a_wrong_password_is_no_login(serve: Serve, connect: Connect) -> None:
    device = ApcAos5()
    error = failed(lambda: connect(serve(SshServer, device), password="wrong-Pa55word").read(soon()))
    assert error.reason is Reason.AUTH
    assert device.logins == 0


def test_a_device_that_asks_by_keyboard_gets_the_password(serve: Serve, connect: Connect) -> None:
    """Many devices have no password login of SSH's, only questions."""
    server = serve(SshServer, ApcAos5(), asks=True)
    assert connect(server).read(soon()).power is Power.ON
    assert failed(lambda: connect(server, password="wrong-Pa55word").read(soon())).reason is Reason.AUTH


def test_the_password_is_not_sent_to_a_device_with_another_host_key(serve: Serve, connect: Connect) -> None:
    server = serve(SshServer, ApcAos5())
    other = asyncssh.generate_private_key("ssh-ed25519")
    for host_key in (other.get_fingerprint(), other.export_public_key().decode().strip()):
        error = failed(lambda host_key=host_key: connect(server, host_key=host_key).read(soon()))
        assert error.reason is Reason.HOST_KEY
        assert server.fingerprint in str(error)
    assert server.tried == []


def test_an_unknown_host_key_is_refused_and_told(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    server = serve(SshServer, ApcAos5())
    empty = tmp_path / "known_hosts"
    empty.write_text("")
    error = failed(lambda: connect(server, host_key=None, known_hosts=str(empty)).read(soon()))
    assert error.reason is Reason.HOST_KEY
    assert server.fingerprint in str(error)
    assert server.tried == []


def test_a_file_of_known_hosts_that_is_not_there_is_told(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    driver = connect(serve(SshServer, ApcAos5()), host_key=None, known_hosts=str(tmp_path / "none"))
    assert failed(lambda: driver.read(soon())).reason is Reason.HOST_KEY


def test_a_host_key_is_known_by_file_by_key_or_not_asked_for(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    server = serve(SshServer, ApcAos5())
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {server.public_key}\n")
    for options in (
        {"host_key": None, "known_hosts": str(known)},
        {"host_key": server.public_key},
        {"host_key": None, "check_host_key": False},
    ):
        assert connect(server, **options).read(soon()).power is Power.ON


@pytest.mark.parametrize("passphrase", [None, "canary-Pa55phrase"])
def test_a_private_key_of_several_lines_logs_in(passphrase: str | None, serve: Serve, connect: Connect) -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    text = key.export_private_key("pkcs8-pem", passphrase=passphrase).decode()
    server = serve(SshServer, ApcAos5(), key=key.convert_to_public())
    driver = connect(server, password=None, private_key=text, private_key_passphrase=passphrase)
    assert driver.read(soon()).power is Power.ON


def test_nothing_of_the_users_own_ssh_is_used(
    serve: Serve, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither keys nor known hosts that lie about: the same agent does the same everywhere."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / ".ssh").mkdir()
    key.write_private_key(str(tmp_path / ".ssh" / "id_ed25519"))
    (tmp_path / ".ssh" / "config").write_text("Host *\n  User somebody\n  StrictHostKeyChecking no\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    server = serve(SshServer, ApcAos5(), key=key.convert_to_public())
    assert failed(lambda: connect(server).read(soon())).reason is Reason.AUTH


OLD = {
    "kex_algs": ["diffie-hellman-group1-sha1"],
    "encryption_algs": ["aes128-cbc"],
    "mac_algs": ["hmac-sha1"],
    "signature_algs": ["ssh-rsa"],
}


# What old devices speak is on its way out of the library below.
@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
def test_old_algorithms_are_used_only_where_they_are_allowed(serve: Serve, connect: Connect) -> None:
    server = serve(SshServer, ApcAos5(), host_key_type="ssh-rsa", **OLD)
    # The device may hang up before its list of algorithms was read: then it is asked again.
    outcome = operate(connect(server), Operation.READ)
    assert outcome.reason is Reason.UNSUPPORTED
    assert "legacy_algorithms" in outcome.msg
    assert server.tried == []
    assert connect(server, legacy_algorithms=True).read(soon()).power is Power.ON


# Telnet


def test_every_option_but_echo_and_go_ahead_is_refused_once() -> None:
    negotiation = Negotiation()
    asked = bytes((IAC, WILL, 1, IAC, WILL, 3, IAC, DO, 24, IAC, DO, 3, IAC, WILL, 99))
    assert negotiation.feed(asked + b"login: ") == (
        b"login: ",
        bytes((IAC, DO, 1, IAC, DO, 3, IAC, WONT, 24, IAC, WILL, 3, IAC, DONT, 99)),
    )
    assert negotiation.feed(bytes((IAC, WILL, 1, IAC, DO, 3))) == (b"", b"")
    assert negotiation.feed(bytes((IAC, WONT, 1, IAC, DONT, 3, IAC, WONT, 1))) == (
        b"",
        bytes((IAC, DONT, 1, IAC, WONT, 3)),
    )


def test_commands_in_pieces_and_doubled_bytes_leave_the_text_as_it_was() -> None:
    data = b"1: Off" + bytes((IAC, SB, 24, 1, IAC, SE)) + b"\r\n" + bytes((IAC, IAC)) + b"x" + bytes((IAC, 241)) + b"y"
    whole, single = Negotiation(), Negotiation()
    expected = b"1: Off\r\n\xffxy"
    assert whole.feed(data) == (expected, b"")
    assert b"".join(single.feed(bytes((byte,)))[0] for byte in data) == expected


def test_a_telnet_server_hears_what_is_refused(serve: Serve, connect: Connect) -> None:
    server = serve(TelnetServer, ApcAos5())
    connect(server).read(soon())
    assert set(server.answers) == {
        bytes((IAC, DO, 1)),
        bytes((IAC, DO, 3)),
        bytes((IAC, WONT, 24)),
        bytes((IAC, WONT, 31)),
    }


def test_a_device_without_a_password_lets_everybody_in(serve: Serve, connect: Connect) -> None:
    class Open(Wti):
        async def log_in(self, terminal: Any) -> None:
            return

    driver = connect(serve(TelnetServer, Open()), model="wti", username=None, password=None)
    assert driver.read(soon()).power is Power.ON


def test_other_prompts_are_believed_if_the_agent_gives_them(serve: Serve, connect: Connect) -> None:
    class Renamed(Hmc):
        prompt = "power-admin#"
        text_login = ("Who? ", "Say the word ")

    server = serve(TelnetServer, Renamed())
    options = {"model": "hmc_lpar", "outlet": "vios_1", "system": "p570-A", "transport": "telnet"}
    given = server.options(**options, prompt="power-admin#", login_prompt=r"Who\?", password_prompt="Say the word")
    driver = TYPE.driver(given)
    assert driver.read(soon()).power is Power.ON
    driver.close()


# Options


GOOD = {"address": "pdu-1", "username": USERNAME, "password": PASSWORD, "model": "apc_aos5", "outlet": "3"}


@pytest.mark.parametrize(
    ("option", "changes"),
    [
        ("address", {"address": "ssh://pdu"}),
        ("port", {"port": 0}),
        ("outlet", {"outlet": "3; olOff all"}),
        ("outlet", {"outlet": "all of them"}),
        ("outlet", {"outlet": "3,4"}),
        ("outlet", {"outlet": "-3"}),
        ("outlet", {"outlet": None}),
        ("outlet", {"outlet": "3\nolOff all"}),
        ("outlet", {"outlet": "3\x03"}),
        ("outlet", {"model": "drac_racadm"}),
        ("system", {"system": "x"}),
        ("system", {"model": "hmc_lpar", "outlet": "lpar1"}),
        ("system", {"model": "hmc_lpar", "outlet": "lpar1", "system": "$(reboot)"}),
        ("profile", {"model": "hmc_lpar", "outlet": "lpar1", "system": "p570-A", "profile": "a b"}),
        ("username", {"username": None}),
        ("username", {"username": "fence\x1b"}),
        ("password", {"password": None}),
        ("password", {"password": "new\nline"}),
        ("prompt", {"prompt": "("}),
        ("host_key", {"host_key": "SHA256:short"}),
        ("host_key", {"host_key": "ssh-rsa nothing"}),
        ("known_hosts", {"host_key": "SHA256:" + "A" * 43, "known_hosts": "/etc/hosts"}),
        ("private_key", {"private_key": "-----BEGIN nonsense\n"}),
        ("private_key", {"private_key": "nul\0"}),
        ("private_key", {"private_key": "x", "transport": "telnet"}),
        ("transport", {"transport": "telnet", "model": "hp_moonshot", "outlet": "c1n1"}),
        ("transport", {"model": "netio_230b"}),
        ("username", {"model": "netio_230b", "transport": "telnet", "username": "a b"}),
        ("model", {"model": "sun_alom", "outlet": None}),
    ],
)
def test_a_bad_option_is_named_before_anything_is_contacted(option: str, changes: dict[str, Any]) -> None:
    problems = option_problems(TYPE, {**GOOD, **changes})
    assert [name for name, _what in problems] == [option]
    assert not any(PASSWORD in what for _name, what in problems)


def test_the_good_options_are_good() -> None:
    assert option_problems(TYPE, GOOD) == []


def test_the_kind_is_that_of_the_model() -> None:
    assert TYPE.kind_of is not None
    assert TYPE.kind_of({"model": "apc_aos5"}) is Kind.SUPPLY
    assert TYPE.kind_of({"model": "ilo_ssh"}) is Kind.CHASSIS


def test_a_dialogue_without_a_tested_source_says_so() -> None:
    problems = dict(option_problems(TYPE, {**GOOD, "model": "sun_alom", "outlet": None}))
    assert "accept_untested" in problems["model"]


def test_no_secret_is_in_a_message_or_a_repr(serve: Serve, connect: Connect) -> None:
    from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_transport import Account

    account = Account(USERNAME, PASSWORD, "canary-key", "canary-phrase")
    assert not any(secret in repr(account) for secret in (PASSWORD, "canary-key", "canary-phrase"))
    for character in ({"mute": True}, {"busy": True}, {"hang_on": "olStatus"}):
        driver = connect(serve(TelnetServer, ApcAos5(**character)))
        assert PASSWORD not in str(failed(lambda driver=driver: driver.read(soon(1.5))))


def test_the_reading_tells_the_name_of_the_outlet(serve: Serve, connect: Connect) -> None:
    assert connect(serve(SshServer, ApcAos5())).read(soon()) == Reading(Power.ON, "On (named rack-3)")


def test_every_dialogue_says_where_it_is_from() -> None:
    for dialogue in DIALOGUES.values():
        assert dialogue.trust in ("A", "B", "C")
        assert dialogue.source and dialogue.devices
