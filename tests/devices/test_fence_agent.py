# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type fence_agent: Debian's fence agents against servers that others wrote, and scripted agents for what those do not do."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from devices import ipmi_servers, redfish_servers, snmp_servers
from devices.snmp_servers import SimPdu, prepared_walk, snmpsim

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Deadline,
    DeviceError,
    HostKeyFailed,
    Kind,
    NotFound,
    Power,
    Reason,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._fence_agent_program import find_program
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.fence_agent import DOUBTFUL, TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import DriverExchanges, MonotonicClock
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import (
    Operation,
    Outcome,
    ensure_power,
    read_power,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import missing_software, option_problems
from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import find_type
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import InputError, parse_host

INSTALLED = find_program("fence_dummy") is not None
real = pytest.mark.skipif(not INSTALLED, reason="fence_dummy (Debian package fence-agents) is not installed")
CANARY = "canary-5d1e-pw"


def options(agent: str, **given: Any) -> dict[str, Any]:
    """All options of an agent, as the modules hand them on."""
    return {**dict.fromkeys(TYPE.argument_spec), "trust_status": False, "agent": agent, **given}


def soon(budget_s: float = 20.0) -> Deadline:
    return Deadline(budget_s)


def operate(given: Mapping[str, Any], operation: Operation, budget_s: float = 30.0) -> Outcome:
    """One operation as the module runs it."""
    assert option_problems(TYPE, given) == []

    async def run() -> Outcome:
        with ThreadPoolExecutor(1) as pool:
            exchanges = DriverExchanges(TYPE.driver(given), pool, TYPE.exchange_s)
            before = await read_power(exchanges, budget_s, MonotonicClock())
            if operation is Operation.READ:
                return before
            return await ensure_power(exchanges, before, operation, budget_s, MonotonicClock())

    return asyncio.run(run())


# Scripted agents

PARAMETERS = """
<parameter name="action" required="1"><content type="string" default="reboot"/></parameter>
<parameter name="ip" required="1" obsoletes="ipaddr"><content type="string"/></parameter>
<parameter name="ipaddr" required="1" deprecated="1"><content type="string"/></parameter>
<parameter name="ipport" required="0"><content type="integer" default="623"/></parameter>
<parameter name="username" required="0"><content type="string"/></parameter>
<parameter name="password" required="0"><content type="string"/></parameter>
<parameter name="plug" required="0" obsoletes="port"><content type="string"/></parameter>
<parameter name="port" required="0" deprecated="1"><content type="string"/></parameter>
<parameter name="community" required="0"><content type="string"/></parameter>
<parameter name="ssl_insecure" required="0"><content type="boolean"/></parameter>
<parameter name="ssl" required="0"><content type="boolean" default="1"/></parameter>
<parameter name="snmp_version" required="0"><content type="select" default="1"><option value="1"/><option value="2c"/></content></parameter>
<parameter name="retry_on" required="0"><content type="integer" default="1"/></parameter>
<parameter name="verbose" required="0"><content type="boolean"/></parameter>
<parameter name="token_file" required="0"><content type="string"/></parameter>
"""
PLUG_LISTS = """
<parameter name="separator" required="0"><content type="string" default=","/></parameter>
<parameter name="plug_separator" required="0"><content type="string" default=","/></parameter>
"""


def described(parameters: str = PARAMETERS, actions: str = "on off status monitor", fabric: bool = False) -> str:
    listed = "".join(
        f'<action name="{action}"{f" automatic={chr(34)}{int(fabric)}{chr(34)}" if action == "on" else ""}/>'
        for action in actions.split()
    )
    return (
        f'<?xml version="1.0" ?><resource-agent name="fence_fake"><parameters>{parameters}</parameters>'
        f"<actions>{listed}</actions></resource-agent>"
    )


class Fake:
    """A scripted fence agent. ``body`` is shell; it has the action in ``$action`` and the folder of its traces in ``$home``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.name = "fence_fake"

    def does(self, body: str, metadata: str | None = None) -> Fake:
        program = self.home / self.name
        (self.home / "metadata").write_text(metadata if metadata is not None else described())
        program.write_text(
            "#!/bin/sh\n"
            f"home={self.home}\n"
            'echo "$*" >> $home/argv\n'
            'if [ "$1" = -o ]; then cat $home/metadata; exit 0; fi\n'
            "cat > $home/stdin.$$; mv $home/stdin.$$ $home/stdin\n"
            "action=$(sed -n 's/^action=//p' $home/stdin)\n"
            'echo "$action" >> $home/actions\n' + body + "\n"
        )
        program.chmod(0o755)
        return self

    @property
    def actions(self) -> list[str]:
        return (self.home / "actions").read_text().split() if (self.home / "actions").exists() else []

    @property
    def given(self) -> dict[str, str]:
        """What the agent got in its last run."""
        return dict(line.split("=", 1) for line in (self.home / "stdin").read_text().splitlines())

    def options(self, **more: Any) -> dict[str, Any]:
        return options(self.name, **{"address": "192.0.2.1", "password": CANARY, **more})


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return Fake(tmp_path)


ON, OFF = "echo 'Status: ON'; exit 0", "echo 'Status: OFF'; exit 2"
# An agent that works: its power is a file.
WORKS = """
[ -f $home/off ] && power=OFF || power=ON
case $action in
status) echo "Status: $power"; [ $power = OFF ] && exit 2; exit 0 ;;
off) touch $home/off ;;
on) rm -f $home/off ;;
esac
"""


@pytest.mark.parametrize(("body", "power"), [(ON, Power.ON), (OFF, Power.OFF)])
def test_on_and_off_are_read(body: str, power: Power, fake: Fake) -> None:
    assert TYPE.driver(fake.does(body).options()).read(soon()).power is power
    assert fake.actions == ["status"]


@pytest.mark.parametrize(
    "body",
    [
        "exit 2",
        "exit 0",
        "echo 'Status: OFF'; exit 0",
        "echo 'Status: ON'; exit 2",
        "echo 'Status: ON'; echo 'Status: OFF'; exit 2",
        "echo 'Status: OFFLINE'; exit 2",
        "echo 'Status: POWERING OFF'; exit 2",
        "echo 'The Status: OFF'; exit 2",
        "echo 'Status: OFF' >&2; exit 2",
        "head -c 100000 /dev/urandom; exit 2",
    ],
)
def test_an_exit_status_and_a_word_that_do_not_agree_are_unknown(body: str, fake: Fake) -> None:
    reading = TYPE.driver(fake.does(body).options()).read(soon())
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)
    assert reading.msg


@pytest.mark.parametrize("status", [1, 3, 126, 255])
def test_off_with_another_exit_status_is_no_reading(status: int, fake: Fake) -> None:
    with pytest.raises(BadReply, match=f"it ended with status {status}"):
        TYPE.driver(fake.does(f"echo 'Status: OFF'; exit {status}").options()).read(soon())


def test_an_agent_that_is_killed_is_no_reading(fake: Fake) -> None:
    with pytest.raises(BadReply):
        TYPE.driver(fake.does("echo 'Status: OFF'; kill -9 $$").options()).read(soon())


def test_off_and_on_are_run_once_and_proven_by_reads(fake: Fake) -> None:
    fake.does(WORKS)
    off = operate(fake.options(), Operation.OFF)
    assert (off.power, off.ok, off.sent) == (Power.OFF, True, True)
    on = operate(fake.options(), Operation.ON)
    assert (on.power, on.ok, on.sent) == (Power.ON, True, True)
    assert fake.actions == ["status", "off", "status", "status", "on", "status"]


def test_a_success_of_off_proves_nothing_without_a_status(fake: Fake) -> None:
    fake.does(f"[ $action = off ] && echo 'Success: Powered OFF' && exit 0; {ON}")
    outcome = operate(fake.options(), Operation.OFF, budget_s=3)
    assert (outcome.ok, outcome.reason) == (False, Reason.UNCONFIRMED)
    assert outcome.power is not Power.OFF and fake.actions.count("off") == 1


def test_an_exit_status_of_2_means_off_for_no_other_action(fake: Fake) -> None:
    fake.does(f"[ $action = off ] && echo 'Status: OFF' && exit 2; {ON}")
    outcome = operate(fake.options(), Operation.OFF)
    assert (outcome.power, outcome.ok) == (Power.ON, False)


def test_an_agent_that_waited_in_vain_has_sent_the_command_and_the_reads_go_on(fake: Fake) -> None:
    in_vain = "echo 'Failed: Timed out waiting to power OFF' >&2; exit 1"
    later = "[ $(wc -l < $home/actions) -ge 5 ] && touch $home/off\n"
    fake.does(f"[ $action = off ] && {{ {in_vain}; }}; {later}" + WORKS)
    outcome = operate(fake.options(), Operation.OFF)
    assert outcome.ok and outcome.power is Power.OFF
    assert fake.actions.count("off") == 1


def test_no_action_but_status_on_off_and_list_is_ever_run(fake: Fake) -> None:
    fake.does(WORKS, described(PARAMETERS + PLUG_LISTS, "on off reboot cycle status list list-status monitor diag"))
    operate(fake.options(), Operation.OFF)
    operate(fake.options(), Operation.ON)
    assert set(fake.actions) == {"status", "off", "on"}


# What an agent is told


def test_options_go_to_stdin_by_the_agents_own_names_and_nothing_to_the_arguments(fake: Fake) -> None:
    fake.does(WORKS)
    given = fake.options(
        username="fence",
        plug="7",
        options={"ipport": 6230, "ssl_insecure": True},
        secret_options={"community": "canary-c0mm"},
    )
    operate(given, Operation.OFF)
    assert fake.given == {
        "action": "status",
        "ip": "192.0.2.1",
        "username": "fence",
        "password": CANARY,
        "plug": "7",
        "ipport": "6230",
        "ssl_insecure": "1",
        "community": "canary-c0mm",
        "retry_on": "0",
    }
    assert set((fake.home / "argv").read_text().split("\n")) == {"-o metadata", ""}


def test_the_agent_sees_no_variable_of_ansible_and_no_language(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_SECRET", CANARY)
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("LC_MESSAGES", "de_DE.UTF-8")
    TYPE.driver(fake.does(f"env > $home/env; {ON}").options()).read(soon())
    seen = (fake.home / "env").read_text()
    assert CANARY not in seen and "PYTHONPATH" not in seen and "de_DE" not in seen and "LC_ALL=C\n" in seen


@pytest.mark.parametrize(("value", "written"), [(True, "1"), ("yes", "1"), (False, None), ("off", None), ("0", None)])
def test_a_false_switch_is_left_out_because_agents_ask_only_whether_it_is_there(
    value: object, written: str | None, fake: Fake
) -> None:
    TYPE.driver(fake.does(ON).options(options={"ssl_insecure": value})).read(soon())
    assert fake.given.get("ssl_insecure") == written


def test_a_false_switch_that_is_on_by_default_is_written(fake: Fake) -> None:
    TYPE.driver(fake.does(ON).options(options={"ssl": False})).read(soon())
    assert fake.given["ssl"] == "0"


def test_old_agents_are_told_by_their_old_names(fake: Fake) -> None:
    old = "".join(f'<parameter name="{name}" required="1"/>' for name in ("ipaddr", "login", "passwd", "port"))
    fake.does(ON, described(old))
    given = fake.options(username="fence", plug="7")
    assert option_problems(TYPE, given) == []
    TYPE.driver(given).read(soon())
    assert fake.given == {
        "action": "status",
        "ipaddr": "192.0.2.1",
        "login": "fence",
        "passwd": CANARY,
        "port": "7",
    }


# Bounds


def test_an_agent_that_hangs_ends_at_the_deadline_with_its_children(fake: Fake) -> None:
    driver = TYPE.driver(fake.does("sleep 60 & echo $! > $home/child; wait").options())
    began = time.monotonic()
    with pytest.raises(TimedOut):
        driver.read(Deadline(2.0))
    assert time.monotonic() - began < 3.5
    assert gone(int((fake.home / "child").read_text()))


def test_a_child_that_stays_behind_does_not_hold_up_the_answer_and_is_ended(fake: Fake) -> None:
    driver = TYPE.driver(fake.does(f"sleep 60 & echo $! > $home/child; {OFF}").options())
    began = time.monotonic()
    assert driver.read(soon()).power is Power.OFF
    assert time.monotonic() - began < 5
    assert gone(int((fake.home / "child").read_text()))


def test_an_interrupted_agent_is_ended_soon(fake: Fake) -> None:
    deadline = soon(60)
    threading.Timer(0.3, deadline.expire).start()
    began = time.monotonic()
    with pytest.raises(TimedOut):
        TYPE.driver(fake.does("sleep 60").options()).read(deadline)
    assert time.monotonic() - began < 2


def test_an_agent_that_talks_without_end_is_ended(fake: Fake) -> None:
    with pytest.raises(BadReply, match="says more than"):
        TYPE.driver(fake.does("yes 'Status: OFF'").options()).read(soon(30))


def test_nothing_is_run_without_time(fake: Fake) -> None:
    fake.does(OFF)
    assert option_problems(TYPE, fake.options()) == []
    with pytest.raises(TimedOut):
        TYPE.driver(fake.options()).read(Deadline(0))
    assert fake.actions == []


def gone(pid: int) -> bool:
    """Whether a process has ended within two seconds; a zombie has."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


# Failures


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Unable to connect/login to fencing device", Unreachable),
        ("Connection timed out", TimedOut),
        ("Connection lost", Unreachable),
        ("Login failed", AuthenticationFailed),
        ("Failed: The user does not have the correct privileges to do the requested action.", AuthenticationFailed),
        ("Failed: Unable to obtain correct plug status or plug is not available", BadReply),
        ("Failed: You have to enter existing machine!", NotFound),
        ("Failed: You have to enter plug number or machine identification", Unsupported),
        ("ModuleNotFoundError: No module named 'pycurl'", Unsupported),
        ("SSLError: certificate verify failed: self-signed certificate", TlsFailed),
        ("Host key verification failed.", HostKeyFailed),
        ("ssh: connect to host 192.0.2.1 port 22: Connection refused", Unreachable),
        ("something else", BadReply),
    ],
)
def test_what_an_agent_complains_of_becomes_a_reason_and_is_never_repeated(
    said: str, error: type[DeviceError], fake: Fake
) -> None:
    driver = TYPE.driver(fake.does(f'echo "ERROR: {said} ({CANARY}, PRIVATE)" >&2; cat $home/stdin; exit 1').options())
    for call in (lambda: driver.read(soon()), lambda: driver.switch(Power.OFF, soon())):
        with pytest.raises(DeviceError) as caught:
            call()
        assert caught.type is error
        # After a lost connection nobody knows whether the command went out.
        error = TimedOut if error is Unreachable else error
        assert CANARY not in str(caught.value) and "PRIVATE" not in str(caught.value)


# Plugs

LISTING = described(PARAMETERS + PLUG_LISTS, "on off status list monitor")


def listing(*lines: str, status: str = OFF) -> str:
    text = "".join(f"echo '{line}'; " for line in lines)
    return f"[ $action = list ] && {{ {text}exit 0; }}; {status}"


@pytest.mark.parametrize("lines", [("7|;|psu a", "8|;|psu b"), ("7,psu a",), ("host 7 on",)])
def test_off_counts_for_a_plug_that_the_agent_lists(lines: tuple[str, ...], fake: Fake) -> None:
    assert TYPE.driver(fake.does(listing(*lines), LISTING).options(plug="7")).read(soon()).power is Power.OFF
    assert (fake.given["separator"], fake.given["plug_separator"]) == ("|;|", "|;|")


def test_a_plug_may_be_chosen_by_the_name_in_the_list(fake: Fake) -> None:
    fake.does(listing("7|;|psu a"), LISTING)
    assert TYPE.driver(fake.options(plug="psu a")).read(soon()).power is Power.OFF


@pytest.mark.parametrize("plug", ["99", "1", "PSU A", "psu", "on", "7|"])
def test_off_of_a_plug_that_is_not_listed_is_not_found(plug: str, fake: Fake) -> None:
    fake.does(listing("7|;|psu a", "8|;|psu b|;|on", "11|;|"), LISTING)
    with pytest.raises(NotFound, match=r"lists no plug .*: it has 7, 8, 11"):
        TYPE.driver(fake.options(plug=plug)).read(soon())


def test_an_empty_list_makes_no_off(fake: Fake) -> None:
    with pytest.raises(NotFound, match="it has none"):
        TYPE.driver(fake.does(listing(), LISTING).options(plug="7")).read(soon())


def test_a_list_that_fails_makes_no_off(fake: Fake) -> None:
    fake.does(f"[ $action = list ] && {{ echo '7|;|'; exit 1; }}; {OFF}", LISTING)
    with pytest.raises(BadReply, match="failed at list"):
        TYPE.driver(fake.options(plug="7")).read(soon())


def test_an_agent_that_says_that_it_cannot_list_is_believed(fake: Fake) -> None:
    fake.does(listing("NOTICE: List option is not working on this device yet"), LISTING)
    assert TYPE.driver(fake.options(plug="7")).read(soon()).power is Power.OFF


def test_the_list_is_asked_once_and_only_after_off(fake: Fake) -> None:
    fake.does(f"[ $action = list ] && echo '7|;|' && exit 0; {WORKS}", LISTING)
    driver = TYPE.driver(fake.options(plug="7"))
    driver.read(soon())
    assert fake.actions == ["status"]
    driver.switch(Power.OFF, soon())
    driver.read(soon())
    driver.read(soon())
    assert fake.actions == ["status", "off", "status", "list", "status"]


# Options


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ({"address": None}, "address", "is missing"),
        ({"options": {"ipprot": 1}}, "options.ipprot", "did you mean ipport?"),
        ({"options": {"ip": "x"}}, "options.ip", "is the option address"),
        ({"options": {"port": "7"}}, "options.port", "is the option plug"),
        ({"options": {"community": CANARY}}, "options.community", "secret_options"),
        ({"options": {"verbose": True}}, "options.verbose", "writes secrets"),
        ({"options": {"action": "reboot"}}, "options.action", "is chosen by the task"),
        ({"options": {"missing_as_off": True}}, "options.missing_as_off", "for off"),
        ({"options": {"ipport": "x"}}, "options.ipport", "whole number"),
        ({"options": {"ipport": True}}, "options.ipport", "whole number"),
        ({"options": {"ssl_insecure": "maybe"}}, "options.ssl_insecure", "true or false"),
        ({"options": {"snmp_version": "3"}}, "options.snmp_version", "one of 1, 2c"),
        ({"options": {"ipport": [1]}}, "options.ipport", "must be a text"),
        ({"options": {"a=b": 1}}, "options", "no name of an option"),
        ({"options": {"token_file": "a\naction=on"}}, "options.token_file", "one line"),
        ({"secret_options": {"community": CANARY + "\n"}}, "secret_options.community", "one line"),
        ({"plug": ""}, "plug", "must be one plug"),
        ({"plug": "1\n2"}, "plug", "one line"),
    ],
)
def test_a_mistake_is_told_by_its_key_before_anything_is_contacted(
    given: dict[str, Any], key: str, words: str, fake: Fake
) -> None:
    fake.does(ON)
    found = option_problems(TYPE, fake.options(**given))
    assert [name for name, _what in found] == [key]
    assert words in found[0][1] and CANARY not in found[0][1]
    assert fake.actions == []


def test_good_options_have_no_problems(fake: Fake) -> None:
    fake.does(ON)
    good = fake.options(
        plug="7",
        options={"ipport": "623", "snmp_version": "2C", "token_file": "/etc/token"},
        secret_options={"community": "x"},
    )
    assert option_problems(TYPE, good) == []


def test_an_option_of_ours_that_the_agent_does_not_have_is_told(fake: Fake) -> None:
    fake.does(ON, described('<parameter name="ip" required="1"/>'))
    assert [name for name, _what in option_problems(TYPE, fake.options(plug="7"))] == ["password", "plug"]


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (described(actions="off monitor"), "has no action on and no action status"),
        (described(fabric=True), "cuts a host off"),
        ("this is no XML", "no XML"),
        ("", "no XML"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a", "no XML"),
    ],
)
def test_an_agent_that_cannot_prove_off_is_refused(metadata: str, words: str, fake: Fake) -> None:
    found = option_problems(TYPE, fake.does(ON, metadata).options())
    assert [name for name, _what in found] == ["agent"] and words in found[0][1]


def test_an_agent_that_does_not_describe_itself_is_refused(fake: Fake) -> None:
    (fake.home / "fence_fake").write_text(f"#!/bin/sh\necho {CANARY} >&2; exit 1\n")
    (fake.home / "fence_fake").chmod(0o755)
    [(key, what)] = option_problems(TYPE, fake.options())
    assert key == "agent" and "status 1" in what and CANARY not in what


def test_the_metadata_is_asked_once_until_the_agent_is_replaced(fake: Fake) -> None:
    fake.does(ON)
    for _turn in range(3):
        option_problems(TYPE, fake.options())
    assert (fake.home / "argv").read_text().count("metadata") == 1
    fake.does("exit 3 # another version", described(actions="off"))
    assert option_problems(TYPE, fake.options())
    assert (fake.home / "argv").read_text().count("metadata") == 2


@pytest.mark.parametrize(
    "agent", ["ipmilan", "fence_", "../fence_x", "fence_x;y", "fence_X", "/usr/sbin/fence_dummy", ""]
)
def test_a_name_that_is_no_fence_agent_is_refused(agent: str) -> None:
    assert [key for key, _what in option_problems(TYPE, options(agent))] == ["agent"]


def test_an_agent_that_is_not_installed_is_told_with_its_package() -> None:
    given = options("fence_not_there", address="192.0.2.1")
    assert missing_software(TYPE, given) == (
        "the program fence_not_there (package fence-agents-not-there or fence-agents)"
    )
    assert "package fence-virt" in str(TYPE.missing_program(options("fence_xvm"))) or find_program("fence_xvm")
    with pytest.raises(Unsupported, match="fence_not_there is missing; install fence-agents-not-there"):
        TYPE.driver(given).read(soon())


def test_an_agent_whose_off_may_be_anything_has_to_be_trusted_by_name() -> None:
    [(key, what)] = option_problems(TYPE, options("fence_virsh", address="hv"))
    assert key == "agent" and "trust_status" in what and "type libvirt" in what
    module = Path(__file__).resolve().parents[2] / "plugins" / "modules" / "fence_agent_power.py"
    documented = set(
        re.findall(r"fence_\w+", module.read_text().partition("  trust_status:")[2].partition("type: bool")[0])
    )
    assert documented == set(DOUBTFUL)
    assert {"fence_apc_snmp", "fence_lpar", "fence_rhevm", "fence_cisco_ucs", "fence_zvmip"} <= documented


def test_an_agent_says_its_kind_itself(fake: Fake) -> None:
    fake.does(ON)
    agent = {"type": "fence_agent", "agent": "fence_fake", "address": "192.0.2.1", "outlet": 7}

    def parsed(**more: Any) -> Any:
        return parse_host("node3", {"fence_agents": {"psu": {**agent, **more}}}, lambda value: value, find_type)

    assert parsed().host.agents[0].kind is Kind.CHASSIS
    supply = parsed(kind="supply", parallel=True).host.agents[0]
    assert (supply.kind, supply.parallel, supply.options["plug"]) == (Kind.SUPPLY, True, "7")
    assert supply.where == "fence_agent fence_fake 192.0.2.1, plug 7"
    with pytest.raises(InputError, match="kind: must be chassis or supply"):
        parsed(kind="pdu")
    secrets = parsed(secret_options={"community": "canary-c0mm"}, password=CANARY).secrets
    assert set(secrets.values()) == {"canary-c0mm", CANARY}


def test_two_agents_of_one_plug_are_twins_and_of_two_systems_are_none(fake: Fake) -> None:
    same = fake.options(plug="7", password="one")
    assert TYPE.target(same) == TYPE.target({**same, "password": "other"})
    assert TYPE.target(same) != TYPE.target({**same, "plug": "8"})
    assert TYPE.target(same) != TYPE.target({**same, "options": {"ipport": 1}})
    assert TYPE.device(same) == TYPE.device({**same, "plug": "8"}) == "192.0.2.1"


# Real agents


@real
def test_fence_dummy_is_read_and_switched(tmp_path: Path) -> None:
    power = tmp_path / "power"
    power.write_text("on")
    given = options("fence_dummy", options={"status_file": str(power)}, trust_status=True)
    assert operate(given, Operation.READ).power is Power.ON
    off = operate(given, Operation.OFF)
    assert (off.ok, off.power, power.read_text()) == (True, Power.OFF, "off")
    on = operate(given, Operation.ON)
    assert (on.ok, on.power, power.read_text()) == (True, Power.ON, "on")


@real
@pytest.mark.parametrize("word", ["pending", "", "OFFLINE"])
def test_fence_dummy_with_another_word_is_never_off(word: str, tmp_path: Path) -> None:
    power = tmp_path / "power"
    power.write_text(word)
    given = options("fence_dummy", options={"status_file": str(power)}, trust_status=True)
    outcome = operate(given, Operation.READ, budget_s=1.5)
    assert (outcome.power, outcome.ok) == (Power.UNKNOWN, False)


@real
def test_every_installed_agent_describes_itself_or_is_refused_with_a_reason() -> None:
    for agent in ("fence_ipmilan", "fence_redfish", "fence_eaton_snmp", "fence_raritan_px3"):
        found = option_problems(TYPE, options(agent, address="192.0.2.1", username="fence", plug="1"))
        assert found in ([], [("plug", f"{agent} has no such option; leave it out")]), agent
    for agent, words in {"fence_scsi": "cuts a host off", "fence_kdump": "has no action"}.items():
        [(key, what)] = option_problems(TYPE, options(agent))
        assert key == "agent" and words in what


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[ipmi_servers.IpmiSim]:
    if ipmi_servers.IPMI_SIM is None:
        pytest.skip("ipmi_sim (Debian package openipmi) is not installed")
    bmc = ipmi_servers.IpmiSim(tmp_path / "sim")
    yield bmc
    bmc.stop()


def ipmilan(sim: ipmi_servers.IpmiSim, **more: Any) -> dict[str, Any]:
    return options(
        "fence_ipmilan",
        **{
            "address": "127.0.0.1",
            "username": ipmi_servers.USERNAME,
            "password": ipmi_servers.PASSWORD,
            "options": {"ipport": sim.port, "lanplus": True, "cipher": "3"},
            **more,
        },
    )


@real
def test_fence_ipmilan_is_read_and_switched(sim: ipmi_servers.IpmiSim) -> None:
    off = operate(ipmilan(sim), Operation.OFF)
    assert (off.ok, off.power, sim.power) == (True, Power.OFF, "off")
    assert operate(ipmilan(sim), Operation.OFF).sent is False
    on = operate(ipmilan(sim), Operation.ON)
    assert (on.ok, on.power, sim.power) == (True, Power.ON, "on")
    assert sim.commands == ["off", "on"]


@real
def test_fence_ipmilan_with_a_wrong_password_or_a_dead_bmc_reads_nothing(sim: ipmi_servers.IpmiSim) -> None:
    wrong = ipmilan(sim, password="canary-wrong")
    with pytest.raises(BadReply, match="could not read the power"):
        TYPE.driver(wrong).read(soon())
    sim.stop()
    began = time.monotonic()
    with pytest.raises(DeviceError):
        TYPE.driver(ipmilan(sim)).read(soon(2))
    assert time.monotonic() - began < 3


@pytest.fixture(scope="module")
def sushy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redfish_servers.Sushy]:
    authority = redfish_servers.Authority(tmp_path_factory.mktemp("ca"))
    with redfish_servers.running_sushy(tmp_path_factory.mktemp("sushy"), authority) as running:
        yield running


def redfish(sushy: redfish_servers.Sushy, **more: Any) -> dict[str, Any]:
    return options(
        "fence_redfish",
        **{
            "address": "127.0.0.1",
            "username": redfish_servers.USERNAME,
            "password": redfish_servers.PASSWORD,
            "options": {"ipport": sushy.port, "systems_uri": f"/redfish/v1/Systems/{sushy.uuid}"},
            **more,
        },
    )


@real
def test_fence_redfish_is_read_and_switched_and_verifies_certificates(
    sushy: redfish_servers.Sushy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TlsFailed):
        TYPE.driver(redfish(sushy)).read(soon())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", sushy.ca_path)
    assert operate(redfish(sushy), Operation.READ).power is Power.ON
    with pytest.raises(DeviceError):
        TYPE.driver(redfish(sushy, password="canary-wrong")).read(soon())
    # Every power change takes sushy-tools up to 11 s.
    off = operate(redfish(sushy), Operation.OFF, budget_s=60)
    assert (off.ok, off.power) == (True, Power.OFF)


def walk_with_names(walk: str, to: Path) -> None:
    prepared_walk(walk, to)
    to.write_text(to.read_text().replace(":writecache|value=", "|"))


@pytest.fixture(scope="module")
def pdu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimPdu]:
    """A PDU that tells the names of its outlets, as the recorded one did."""
    with ExitStack() as open_until_the_end:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(snmp_servers, "prepared_walk", walk_with_names)
            simulator = snmpsim(tmp_path_factory.mktemp("pdu") / "sim", "apc-8932")
            running = open_until_the_end.enter_context(simulator)
        yield running


@pytest.fixture(scope="module")
def nameless_pdu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimPdu]:
    """The same without the table of names."""
    with snmpsim(tmp_path_factory.mktemp("nameless") / "sim", "apc-8932") as running:
        yield running


def apc(pdu: SimPdu, plug: str) -> dict[str, Any]:
    return options(
        "fence_apc_snmp",
        address="127.0.0.1",
        plug=plug,
        options={"ipport": pdu.port, "snmp_version": "2c"},
        secret_options={"community": "pdu"},
        trust_status=True,
    )


@real
def test_fence_apc_snmp_is_read_and_switched(pdu: SimPdu) -> None:
    off = operate(apc(pdu, "7"), Operation.OFF)
    assert (off.ok, off.power, pdu.power(7)) == (True, Power.OFF, "off")
    on = operate(apc(pdu, "7"), Operation.ON)
    assert (on.ok, on.power, pdu.power(7)) == (True, Power.ON, "on")


@real
def test_fence_apc_snmp_says_off_for_an_outlet_that_does_not_exist_and_is_not_believed(pdu: SimPdu) -> None:
    lie = subprocess.run(
        ["fence_apc_snmp"],
        input=f"action=status\nip=127.0.0.1\nipport={pdu.port}\ncommunity=pdu\nsnmp_version=2c\nplug=99\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (lie.returncode, lie.stdout.strip()) == (2, "Status: OFF")
    outcome = operate(apc(pdu, "99"), Operation.OFF)
    assert (outcome.power, outcome.reason, outcome.sent) == (Power.UNKNOWN, Reason.NOT_FOUND, False)
    assert "lists no plug 99: it has 1, 2, 3" in outcome.msg


@real
@pytest.mark.parametrize("plug", ["4", "7"])
def test_an_answer_of_the_pdu_that_there_are_no_names_is_not_taken_for_a_name(plug: str, nameless_pdu: SimPdu) -> None:
    outcome = operate(apc(nameless_pdu, plug), Operation.OFF)
    assert (outcome.power, outcome.reason) == (Power.UNKNOWN, Reason.NOT_FOUND)
    assert f"lists no plug {plug}: it has none" in outcome.msg


# The real program


def run_ansible(folder: Path, given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The result of the module as the real program gives it, and all that the program wrote."""
    arguments = json.dumps({name: value for name, value in given.items() if value is not None})
    arguments = arguments.replace(CANARY, "{{ vault_password }}").replace("canary-c0mm", "{{ vault_community }}")
    secrets = folder / "secrets.json"
    secrets.write_text(json.dumps({"vault_password": CANARY, "vault_community": "canary-c0mm"}))
    program = Path(sys.executable).with_name("ansible")
    command = [
        program,
        "localhost",
        "-vvvv",
        "-m",
        "hostpm.fencing.fence_agent_power",
        "-a",
        arguments,
        "-e",
        f"@{secrets}",
    ]
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "ANSIBLE_REMOTE_TEMP": str(folder / "tmp")}
    environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_LOCALHOST_WARNING": "0"}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)
    text = found.stdout[found.stdout.index("=> {") + 3 :]
    return json.JSONDecoder().raw_decode(text)[0], found.stdout + found.stderr


def test_the_real_program_reads_switches_and_shows_no_secret(fake: Fake, tmp_path: Path) -> None:
    fake.does(WORKS)
    given = fake.options(state="off", secret_options={"community": "canary-c0mm"})
    result, printed = run_ansible(tmp_path, given)
    assert (result["power"], result["changed"], result["power_before"]) == ("off", True, "on"), printed
    assert CANARY not in printed and "canary-c0mm" not in printed


def test_the_real_program_names_a_mistake_without_contact(fake: Fake, tmp_path: Path) -> None:
    fake.does(WORKS)
    result, _printed = run_ansible(tmp_path, fake.options(options={"ipprot": 1}))
    assert result["reason"] == "unsupported" and "option options.ipprot: is no option of fence_fake" in result["msg"]
    assert fake.actions == []
    result, _printed = run_ansible(tmp_path, options("fence_not_there"))
    assert "the program fence_not_there (package" in result["msg"]


def test_a_host_is_fenced_through_an_agent_of_its_own_kind_and_no_secret_is_shown(fake: Fake, tmp_path: Path) -> None:
    fake.does(f"[ $action = list ] && echo '7|;|psu' && exit 0; {WORKS}", LISTING)
    agent = {"type": "fence_agent", "agent": fake.name, "kind": "supply", "address": "192.0.2.1", "plug": 7}
    agent |= {"password": CANARY, "secret_options": {"community": "canary-c0mm"}}
    (tmp_path / "vars.json").write_text(json.dumps({"fence_agents": {"psu": agent}}))
    program = Path(sys.executable).with_name("ansible")
    command = [program, "localhost", "-vvv", "-m", "hostpm.fencing.fence", "-a", "state=off confirm_interval=0.1"]
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_HOME": str(tmp_path / "home")}
    environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}
    done = subprocess.run(
        [*command, "-e", f"@{tmp_path / 'vars.json'}"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    result = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("=> {") + 3 :])[0]
    assert (result["fenced"], result["power"], result["agents"]["psu"]["kind"]) == (True, "off", "supply"), result
    assert fake.actions.count("off") == 1 and fake.actions[-1] == "status"
    assert "canary" not in done.stdout + done.stderr
