# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type ucs against a UCS domain with sessions, organizations, a blade and a rack server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from devices import driving
from devices.driving import OVERRUN_S, Options, soon
from devices.http_servers import LOGIN_PAGE, PASSWORD, USERNAME, Asked, Page
from devices.management_servers import Ucs
from devices.redfish_servers import Authority

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    DeviceDriver,
    DeviceError,
    NotFound,
    Power,
    Reading,
    Reason,
    Refused,
    TimedOut,
    TlsFailed,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.ucs import TYPE, profile_dn
from ansible_collections.hostpm.fencing.plugins.module_utils._operation import Operation
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import option_problems

NODE1, NODE2 = "org-root/ls-node1", "org-root/org-Europe/org-Prod/ls-node2"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def domain() -> Iterator[Ucs]:
    """Whatever a test does, every session that was opened is ended."""
    server = Ucs()
    yield server
    server.stop()
    assert (server.cookies, server.logouts) == (set(), server.logins), "a session was left behind"


@pytest.fixture
def options(domain: Ucs) -> Options:
    return {
        "address": "127.0.0.1",
        "port": domain.port,
        "protocol": "http",
        "username": USERNAME,
        "password": PASSWORD,
        "profile": "node1",
        "org": None,
        "validate_certs": True,
    }


@pytest.fixture
def connect(options: Options) -> Iterator[Callable[[], DeviceDriver]]:
    drivers: list[DeviceDriver] = []

    def open_driver() -> DeviceDriver:
        assert TYPE.open_device is not None
        drivers.append(TYPE.open_device(options))
        return drivers[-1]

    yield open_driver
    for driver in drivers:
        driver.close()


def read(options: Options, budget_s: float = 5.0) -> Reading:
    return driving.read(TYPE, options, budget_s)


def test_on_and_off_are_read_of_a_blade_and_of_a_rack_server(domain: Ucs, options: Options) -> None:
    assert read(options).power is Power.ON
    domain.blades[NODE1].power = "off"
    assert read(options).power is Power.OFF
    assert read({**options, "profile": "node2", "org": "Europe/Prod"}).power is Power.ON


@pytest.mark.parametrize(
    "word", ["", "unknown", "degraded", "offline", "offduty", "power-save", "Off", "off ", "test", "error"]
)
def test_whatever_is_not_exactly_off_is_never_off(word: str, domain: Ucs, options: Options) -> None:
    domain.blades[NODE1].power = word
    reading = read(options)
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.BAD_REPLY)


@pytest.mark.parametrize(
    "presence", ["missing", "mismatch", "", "empty", "inaccessible", "unknown", "equipped-not-primary"]
)
@pytest.mark.parametrize("power", ["off", "on"])
def test_a_server_that_is_not_there_as_it_should_proves_nothing(
    power: str, presence: str, domain: Ucs, options: Options
) -> None:
    domain.blades[NODE1].presence, domain.blades[NODE1].power = presence, power
    assert read(options).power is Power.UNKNOWN


def test_a_server_that_has_been_given_to_another_profile_proves_nothing(domain: Ucs, options: Options) -> None:
    domain.blades[NODE1].power, domain.blades[NODE1].owner = "off", "org-root/ls-other"
    reading = read(options)
    assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)


@pytest.mark.parametrize("profile", ["spare", "nobody", "Node1", "node2"])
def test_a_profile_that_is_nowhere_is_not_found_and_never_off(profile: str, domain: Ucs, options: Options) -> None:
    for blade in domain.blades.values():
        blade.power = "off"
    with pytest.raises(NotFound):
        read({**options, "profile": profile})
    with pytest.raises(NotFound):
        driving.switch(TYPE, {**options, "profile": profile}, Power.OFF)
    assert domain.commands == []


@pytest.mark.parametrize(("profile", "org", "dn"), [("node1", None, NODE1), ("node2", "Europe/Prod", NODE2)])
def test_a_switch_goes_to_the_profile_in_its_own_organization(
    profile: str, org: str | None, dn: str, domain: Ucs, options: Options
) -> None:
    mine = {**options, "profile": profile, "org": org}
    assert driving.operate(TYPE, mine, Operation.OFF).power is Power.OFF
    assert driving.operate(TYPE, mine, Operation.ON).power is Power.ON
    assert domain.commands == [(dn, "admin-down"), (dn, "admin-up")]


def test_a_blade_that_takes_a_while_is_waited_for(domain: Ucs, options: Options) -> None:
    domain.blades[NODE1].words = ["on", "on", "unknown", "on"]
    outcome = driving.operate(TYPE, options, Operation.OFF)
    assert outcome.ok and len(domain.commands) == 1


def test_a_domain_that_takes_a_command_and_does_nothing_is_not_believed(domain: Ucs, options: Options) -> None:
    domain.obeys = False
    outcome = driving.operate(TYPE, options, Operation.OFF, 1.2)
    assert (outcome.ok, outcome.reason) == (False, Reason.UNCONFIRMED)
    assert outcome.power is not Power.OFF  # on, or unknown where the budget cut the very last look short


def test_many_profiles_are_read_with_two_requests_in_one_session(
    domain: Ucs, options: Options, connect: Callable[[], DeviceDriver]
) -> None:
    agents = [
        options,
        {**options, "profile": "nobody"},
        {**options, "profile": "node2", "org": "org-root/org-Europe/org-Prod"},
    ]
    driver = connect()
    answers = driver.read_all(agents, soon())
    assert [getattr(answer, "power", type(answer)) for answer in answers] == [Power.ON, NotFound, Power.ON]
    assert domain.methods == ["aaaLogin", "configResolveDns", "configResolveDns"]
    complaints = driver.switch_all(agents, Power.OFF, soon())
    assert [type(complaint) for complaint in complaints] == [type(None), NotFound, type(None)]
    assert domain.commands == [(NODE1, "admin-down"), (NODE2, "admin-down")] and domain.logins == 1


def test_a_session_that_the_domain_forgot_is_replaced_once(
    domain: Ucs, options: Options, connect: Callable[[], DeviceDriver]
) -> None:
    driver = connect()
    driver.read_all([options], soon())
    domain.cookies.clear()
    domain.logouts += 1
    assert driver.switch_all([options], Power.OFF, soon()) == [None]
    assert domain.logins == 2 and domain.commands == [(NODE1, "admin-down")]


def test_a_session_is_ended_after_an_error(domain: Ucs, options: Options) -> None:
    domain.always(domain.error("configResolveDns", "103"), lambda asked: b"<configResolveDns" in asked.body)
    with pytest.raises(Refused) as caught:
        read(options)
    assert "103" in str(caught.value) and PASSWORD not in str(caught.value)
    assert domain.methods[-1] == "aaaLogout"


def test_wrong_credentials_are_told_as_such_and_tried_once(domain: Ucs, options: Options) -> None:
    with pytest.raises(AuthenticationFailed):
        read({**options, "password": "wrong-Pa55word"})
    assert domain.refused == 1


@pytest.mark.parametrize(
    ("code", "error"), [("552", AuthenticationFailed), ("553", AuthenticationFailed), ("103", Refused)]
)
def test_a_command_that_is_refused_is_the_contract_s_error(
    code: str, error: type[DeviceError], domain: Ucs, options: Options
) -> None:
    domain.always(domain.error("configConfMos", code), domain.is_command)
    with pytest.raises(DeviceError) as caught:
        driving.switch(TYPE, options, Power.OFF)
    assert caught.type is error
    if code == "552":  # The session that the driver replaced is one that this server still knows.
        domain.cookies.clear()
        domain.logouts = domain.logins


STATUSES = {401: AuthenticationFailed, 403: AuthenticationFailed, 404: NotFound, 409: Refused, 500: BadReply, 503: Busy}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", [b"<aaaLogin", b"<configResolveDns"])
def test_every_status_is_the_contract_s_error(status: int, method: bytes, domain: Ucs, options: Options) -> None:
    domain.always(Page("", status), lambda asked: method in asked.body)
    with pytest.raises(DeviceError) as caught:
        read(options)
    assert caught.type is STATUSES[status]


@pytest.mark.parametrize(
    "content",
    [
        LOGIN_PAGE,
        "",
        "<configResolveDns",
        '<other response="yes"/>',
        '<configResolveDns><outConfigs><lsServer dn="org-root/ls-node1" pnDn="x"/></outConfigs></configResolveDns>',
        '<!DOCTYPE x [<!ENTITY o "off">]><configResolveDns response="yes"><outConfigs/></configResolveDns>',
    ],
)
def test_what_is_no_answer_of_ucs_is_a_bad_reply(content: str, domain: Ucs, options: Options) -> None:
    domain.always(Page(content), lambda asked: b"<configResolveDns" in asked.body)
    with pytest.raises(BadReply):
        read(options)


def test_a_command_whose_answer_is_lost_is_decided_by_reading(domain: Ucs, options: Options) -> None:
    def obey_and_vanish(asked: Asked) -> Page | None:
        if not domain.is_command(asked):
            return None
        domain.page(asked)
        return Page(cut=True)

    domain.rules.append(obey_and_vanish)
    outcome = driving.operate(TYPE, options, Operation.OFF)
    assert (outcome.ok, outcome.power, outcome.sent) == (True, Power.OFF, True)
    assert domain.commands == [(NODE1, "admin-down")]


def test_a_domain_that_hangs_ends_at_the_deadline(domain: Ucs, options: Options) -> None:
    domain.hang(lambda asked: b"<configResolveDns" in asked.body)
    began = time.monotonic()
    with pytest.raises(TimedOut):
        read(options, 0.5)
    assert time.monotonic() - began < 0.5 + 2 * OVERRUN_S, "with the logout"


def test_tls_is_verified(authority: Authority, options: Options) -> None:
    domain = Ucs(authority.context("127.0.0.1"))
    mine = {**options, "port": domain.port, "protocol": "https"}
    try:
        assert read({**mine, "ca_path": str(authority.file)}).power is Power.ON
        with pytest.raises(TlsFailed):
            read(mine)
    finally:
        domain.stop()


def test_names_are_checked_and_two_ways_to_write_an_organization_are_one(options: Options) -> None:
    assert option_problems(TYPE, options) == []
    for org in ("Europe/Prod", "org-root/org-Europe/org-Prod", "/org-Europe/org-Prod/"):
        assert profile_dn({"profile": "x", "org": org}) == "org-root/org-Europe/org-Prod/ls-x"
    for option, change in (("profile", {"profile": 'a" b'}), ("profile", {"profile": "a/b"}), ("org", {"org": "a b"})):
        assert [name for name, _what in option_problems(TYPE, {**options, **change})] == [option]
