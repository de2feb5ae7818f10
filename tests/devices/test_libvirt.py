# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type libvirt: the real virsh against libvirt's test driver, alone and behind a libvirtd, and a scripted virsh for the rest."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Deadline,
    DeviceDriver,
    DeviceError,
    HostKeyFailed,
    NotFound,
    Power,
    Reading,
    Reason,
    Refused,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.libvirt import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Operation,
    Outcome,
    ensure_power,
    read_power,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import missing_software, option_problems

virsh = pytest.mark.skipif(shutil.which("virsh") is None, reason="virsh (Debian: libvirt-clients) is not installed")
libvirtd = pytest.mark.skipif(
    shutil.which("libvirtd") is None or shutil.which("virsh") is None,
    reason="libvirtd or virsh (Debian: libvirt-daemon and libvirt-clients) is not installed",
)
# virDomainState, as the test driver takes it.
RUNSTATES = {"running": 1, "idle": 2, "paused": 3, "in shutdown": 4, "shut off": 5, "crashed": 6, "pmsuspended": 7}


def options(uri: str, domain: str) -> dict[str, Any]:
    return {"uri": uri, "domain": domain, "timeout": None, "read_timeout": None}


def soon(budget_s: float = 10.0) -> Deadline:
    return Deadline(budget_s)


def read(uri: str, domain: str, budget_s: float = 10.0) -> Reading:
    return TYPE.driver(options(uri, domain)).read(Deadline(budget_s))


def operate(given: dict[str, Any], operation: Operation, budget_s: float = 10.0) -> Outcome:
    """One operation as the module runs it."""
    assert option_problems(TYPE, given) == []

    async def run() -> Outcome:
        with ThreadPoolExecutor(1) as pool:
            exchanges = DriverExchanges(TYPE.driver(given), pool, TYPE.exchange_s)
            before = await read_power(exchanges, budget_s, MonotonicClock())
            return await ensure_power(exchanges, before, operation, budget_s, MonotonicClock())

    return asyncio.run(run())


# The real virsh on libvirt's test driver


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of a node that has a domain in each state, named after it."""
    domains = "".join(
        "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
        f"<name>{state}</name><memory>1024</memory><os><type>hvm</type></os><test:runstate>{number}</test:runstate></domain>"
        for state, number in RUNSTATES.items()
    )
    file = tmp_path_factory.mktemp("node") / "node.xml"
    file.write_text(f"<node>{domains}</node>")
    return f"test://{file}"


@virsh
@pytest.mark.parametrize(
    ("state", "power", "reason"),
    [
        ("running", Power.ON, None),
        ("idle", Power.ON, None),
        ("paused", Power.ON, None),
        ("shut off", Power.OFF, None),
        ("in shutdown", Power.UNKNOWN, Reason.UNCONFIRMED),
        ("crashed", Power.UNKNOWN, Reason.BAD_REPLY),
        ("pmsuspended", Power.UNKNOWN, Reason.BAD_REPLY),
    ],
)
def test_only_shut_off_is_off(state: str, power: Power, reason: Reason | None, node: str) -> None:
    reading = read(node, state)
    assert (reading.power, reading.reason) == (power, reason)
    assert reading.raw.startswith(state)


@virsh
def test_a_domain_that_is_not_there_is_not_found_and_never_off(node: str) -> None:
    with pytest.raises(NotFound, match="no such domain"):
        read(node, "nope")
    with pytest.raises(NotFound):
        TYPE.driver(options(node, "nope")).switch(Power.OFF, soon())


@virsh
def test_a_name_that_does_not_fit_exactly_is_not_found(node: str) -> None:
    for domain in ("shut", "SHUT OFF", "shut off ok", "shut*"):
        with pytest.raises(NotFound):
            read(node, domain)


@virsh
def test_several_domains_are_read_in_one_run_each_with_its_own_answer(node: str) -> None:
    agents = [options(node, domain) for domain in ("running", "nope", "shut off", "crashed")]
    assert TYPE.open_device is not None
    answers = TYPE.open_device(agents[0]).read_all(agents, soon())
    found = [answer.power if isinstance(answer, Reading) else type(answer) for answer in answers]
    assert found == [Power.ON, NotFound, Power.OFF, Power.UNKNOWN]
    assert TYPE.conversation(agents[0]) == TYPE.conversation(agents[1])


@virsh
@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("qemu+tcp://127.0.0.1:1/system", Unreachable),
        ("qemu+unix:///system?socket=/nonexistent/libvirt-sock", Unreachable),
        ("qemu+tls://127.0.0.1:1/system", TlsFailed),
    ],
)
def test_a_hypervisor_that_cannot_be_asked_is_told_for_what_it_is(uri: str, error: type[DeviceError]) -> None:
    for call in (lambda driver: driver.read(soon()), lambda driver: driver.switch(Power.OFF, soon())):
        with pytest.raises(DeviceError) as caught:
            call(TYPE.driver(options(uri, "vm")))
        assert caught.type is error


# libvirtd, so that a state outlives a connection


class Libvirtd:
    """A libvirtd that has the test driver only, and a connection that keeps its default node as it is."""

    def __init__(self, home: Path) -> None:
        (home / "drivers").mkdir()
        (home / "run").mkdir(mode=0o700)
        config = home / "libvirtd.conf"
        config.write_text(
            f'unix_sock_dir = "{home}/run"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\nlog_outputs = "3:file:{home}/log"\n'
        )
        self.uri = f"test+unix:///default?socket={home}/run/libvirt-sock"
        self._daemon = subprocess.Popen(
            ["libvirtd", "-f", str(config), "-p", str(home / "pid")],
            env={**os.environ, "LIBVIRT_DRIVER_DIR": str(home / "drivers"), "XDG_RUNTIME_DIR": str(home / "run")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._await(home / "run" / "libvirt-sock")
        self._keeper = subprocess.Popen(
            ["virsh", "-q", "-c", self.uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._keeper.stdin is not None and self._keeper.stdout is not None
        self._keeper.stdin.write(b"hostname\n")
        self._keeper.stdin.flush()
        self._keeper.stdout.readline()

    def virsh(self, *arguments: str) -> str:
        return subprocess.run(
            ["virsh", "-q", "-c", self.uri, *arguments], capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()

    def stop(self) -> None:
        self._keeper.kill()
        self._keeper.communicate()
        self._daemon.kill()
        self._daemon.wait()

    def _await(self, socket: Path) -> None:
        end = time.monotonic() + 20
        while not socket.exists():
            if self._daemon.poll() is not None or time.monotonic() > end:
                raise RuntimeError("libvirtd did not start")
            time.sleep(0.02)


@pytest.fixture(scope="module")
def hypervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Libvirtd]:
    running = Libvirtd(tmp_path_factory.mktemp("libvirtd"))
    yield running
    running.stop()


@libvirtd
def test_a_domain_is_switched_off_and_on_once_each(hypervisor: Libvirtd) -> None:
    given = options(hypervisor.uri, "test")
    off = operate(given, Operation.OFF)
    assert (off.ok, off.power, off.sent, off.raw) == (True, Power.OFF, True, "shut off (destroyed)")
    assert hypervisor.virsh("domstate", "test") == "shut off"
    assert operate(given, Operation.OFF).sent is False
    on = operate(given, Operation.ON)
    assert (on.ok, on.power, on.sent) == (True, Power.ON, True)
    assert hypervisor.virsh("domstate", "test") == "running"


@libvirtd
def test_a_domain_is_found_by_its_uuid(hypervisor: Libvirtd) -> None:
    uuid = hypervisor.virsh("domuuid", "test")
    assert read(hypervisor.uri, uuid).power is Power.ON
    with pytest.raises(NotFound):
        read(hypervisor.uri, uuid[:-1] + ("0" if uuid[-1] != "0" else "1"))
    assert TYPE.target(options("u", uuid)) == TYPE.target(options("u", uuid.upper()))


@libvirtd
def test_what_is_off_already_is_refused_and_the_reading_decides(hypervisor: Libvirtd) -> None:
    driver = TYPE.driver(options(hypervisor.uri, "test"))
    with pytest.raises(Refused):
        driver.switch(Power.ON, soon())
    driver.switch(Power.OFF, soon())
    with pytest.raises(Refused):
        driver.switch(Power.OFF, soon())
    assert driver.read(soon()).power is Power.OFF
    driver.switch(Power.ON, soon())


@libvirtd
def test_several_domains_are_switched_in_one_run_each_with_its_own_answer(hypervisor: Libvirtd, tmp_path: Path) -> None:
    domain = tmp_path / "second.xml"
    domain.write_text(
        "<domain type='test'><name>second vm</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    )
    hypervisor.virsh("define", str(domain))
    agents = [options(hypervisor.uri, name) for name in ("second vm", "nope", "test")]
    driver: DeviceDriver = TYPE.open_device(agents[0])  # type: ignore[misc]
    answers = driver.switch_all(agents, Power.OFF, soon())
    assert [type(answer) for answer in answers] == [Refused, NotFound, type(None)]
    assert (hypervisor.virsh("domstate", "second vm"), hypervisor.virsh("domstate", "test")) == ("shut off", "shut off")
    assert driver.switch_all([agents[0], agents[2]], Power.ON, soon()) == [None, None]


@libvirtd
def test_a_domain_that_vanishes_with_its_power_is_not_proven_off(hypervisor: Libvirtd, tmp_path: Path) -> None:
    domain = tmp_path / "transient.xml"
    domain.write_text(
        "<domain type='test'><name>transient</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    )
    hypervisor.virsh("create", str(domain))
    outcome = operate(options(hypervisor.uri, "transient"), Operation.OFF)
    assert (outcome.power, outcome.reason, outcome.sent) == (Power.UNKNOWN, Reason.NOT_FOUND, True)


# A scripted virsh


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a virsh first in the path that runs this shell; its arguments are in the file argv."""

    def write(body: str) -> str:
        program = tmp_path / "virsh"
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/argv\nenv > {tmp_path}/env\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return "qemu+ssh://fence@hv-1/system"

    return write


SAYS = "echo '@@domain 0@@{}'"


@pytest.mark.parametrize(
    "answer",
    [
        "", "off", "shut", "Shut off", "shut off (", "shut off(destroyed)", "shut offline", "shut off\\nrunning",
        "no state", "dying", "shut off (destroyed) running",
    ],
)  # fmt: skip
def test_a_word_that_libvirt_does_not_have_is_never_off(answer: str, script: Any) -> None:
    uri = script(f"printf '@@domain 0@@{answer}\\n'")
    if not answer:
        with pytest.raises(BadReply):
            read(uri, "vm")
    else:
        reading = read(uri, "vm")
        assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)


def test_shut_off_because_it_was_migrated_is_not_off(script: Any) -> None:
    reading = read(script(SAYS.format("shut off (migrated)")), "vm")
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.CONFLICT)
    assert "another hypervisor" in reading.msg
    assert read(script(SAYS.format("shut off (crashed)")), "vm").power is Power.OFF


@pytest.mark.parametrize("output", ["shut off", "@@domain 1@@shut off", "@@domain 0@@shut off@@domain 0@@running"])
def test_an_answer_that_cannot_be_told_apart_is_none(output: str, script: Any) -> None:
    with pytest.raises(BadReply):
        read(script(f"printf '{output}\\n'"), "vm")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("failed to connect to the hypervisor\\nerror: Host key verification failed.", HostKeyFailed),
        (
            "failed to connect to the hypervisor\\nerror: fence@hv-1: Permission denied (publickey).",
            AuthenticationFailed,
        ),
        ("failed to connect to the hypervisor\\nerror: authentication unavailable: no polkit", AuthenticationFailed),
        ("failed to connect to the hypervisor\\nerror: Cannot recv data: Connection reset", Unreachable),
        ("failed to connect to the hypervisor\\nerror: no connection driver available for x:///", Unsupported),
        ("Failed to destroy domain '\\''vm'\\''\\nerror: Cannot recv data: Connection reset by peer", TimedOut),
        ("internal error: client socket is closed", TimedOut),
        ("Failed to start domain '\\''vm'\\''\\nerror: /disk: Permission denied", Refused),
        ("Timed out during operation: cannot acquire state change lock", BadReply),
        ("something else", Refused),
    ],
)
def test_a_complaint_becomes_a_reason_and_is_never_repeated(said: str, error: type[DeviceError], script: Any) -> None:
    uri = script(f"printf '@@domain 0@@'; printf 'error: {said} PRIVATE\\n' >&2; exit 1")
    with pytest.raises(DeviceError) as caught:
        TYPE.driver(options(uri, "vm")).switch(Power.OFF, soon())
    assert caught.type is error and "PRIVATE" not in str(caught.value)


def test_a_connection_that_breaks_between_two_domains_leaves_the_second_open(script: Any) -> None:
    said = "error: Failed to destroy domain '\\''b'\\''\\nerror: End of file while reading data"
    uri = script(f"printf '@@domain 0@@destroyed\\n@@domain 1@@'; printf '{said}\\n' >&2; exit 1")
    agents = [options(uri, "a"), options(uri, "b")]
    answers = TYPE.open_device(agents[0]).switch_all(agents, Power.OFF, soon())  # type: ignore[misc]
    assert [type(answer) for answer in answers] == [type(None), TimedOut]


def test_virsh_that_hangs_ends_at_the_deadline(script: Any) -> None:
    uri = script("sleep 60 & wait")
    began = time.monotonic()
    with pytest.raises(TimedOut):
        read(uri, "vm", budget_s=0.7)
    assert time.monotonic() - began < 2.2


def test_the_domain_is_quoted_and_nobody_is_asked_for_a_password(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_ASKPASS", "/bin/ask")
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "test:///default")
    uri = script(SAYS.format("running (booted)"))
    read(uri, "my vm")
    given = (tmp_path / "argv").read_text().splitlines()
    assert given == ["--connect", uri, "echo '@@domain 0@@'; domstate --reason --domain 'my vm'"]
    seen = (tmp_path / "env").read_text()
    assert "SSH_ASKPASS" not in seen and "LIBVIRT_DEFAULT_URI" not in seen and "LC_ALL=C\n" in seen


# Options


@pytest.mark.parametrize(
    ("uri", "domain", "key"),
    [
        ("qemu:///system", "7", "domain"),
        ("qemu:///system", "", "domain"),
        ("qemu:///system", "-x", "domain"),
        ("qemu:///system", "a'; destroy 'b", "domain"),
        ("qemu:///system", 'a"b', "domain"),
        ("qemu:///system", "a\\b", "domain"),
        ("qemu:///system", "a;b", "domain"),
        ("qemu:///system", " a", "domain"),
        ("qemu:///system", "a\nb", "domain"),
        ("hv-1", "vm", "uri"),
        ("", "vm", "uri"),
        ("--help", "vm", "uri"),
        ("qemu+ssh://fence:canary-pw@hv-1/system", "vm", "uri"),
        ("qemu+ssh://[hv/system", "vm", "uri"),
    ],
)
def test_a_bad_option_is_named_before_contact(uri: str, domain: str, key: str) -> None:
    found = option_problems(TYPE, options(uri, domain))
    assert [name for name, _what in found] == [key]
    assert "canary" not in found[0][1]


@pytest.mark.parametrize(
    "domain", ["vm", "a", "my vm", "vm-1.example.com", "Ä", "27946b59-9e44-4fa7-8e91-f3527a1ef094"]
)
def test_good_options_have_no_problems(domain: str) -> None:
    assert option_problems(TYPE, options("qemu+ssh://fence@hv-1/system?keyfile=/etc/pki/fence", domain)) == []


def test_a_missing_virsh_is_told_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "the program virsh (package libvirt-clients" in str(missing_software(TYPE, options("qemu:///system", "vm")))
    with pytest.raises(Unsupported, match="virsh is missing"):
        read("qemu:///system", "vm")


@libvirtd
def test_the_real_program_switches(hypervisor: Libvirtd, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("ansible")
    given = json.dumps({"uri": hypervisor.uri, "domain": "test", "state": "off"})
    environment = {
        **os.environ,
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "tmp"),
    }
    environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_LOCALHOST_WARNING": "0"}
    done = subprocess.run(
        [program, "localhost", "-m", "hostpm.fencing.libvirt_power", "-a", given],
        capture_output=True, text=True, env=environment, timeout=60, check=False,
    )  # fmt: skip
    result = json.loads(done.stdout[done.stdout.index("{") :])
    assert (result["power"], result["power_before"], result["changed"]) == ("off", "on", True)
    hypervisor.virsh("start", "test")
