# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws that every row of the table of PDU families keeps, and what a row of values means. No network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _snmp_options as snmp_options
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _snmp_reading as snmp_reading
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_response import MISSING, Unreadable
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import (
    ENTERPRISES,
    FAMILIES,
    Column,
    Family,
    matching,
)

ALL = sorted(FAMILIES.values(), key=lambda family: family.model)
every_family = pytest.mark.parametrize("family", ALL, ids=lambda family: family.model)


def columns(family: Family) -> list[Column]:
    more = [guard.column for guard in family.guards] + [cancel.write.column for cancel in family.cancels]
    more += [family.permission.column] if family.permission else []
    more += [family.name] if family.name else []
    return [family.status, family.off.column, family.on.column, *more]


def dotted(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("."))


def settled_row(family: Family, power: Power, **changes: Any) -> snmp_reading.Row:
    """The row of an outlet that is on or off beyond doubt."""
    status = next(value for value, state in family.states.items() if state.power is power)
    guards = tuple(sorted(guard.settled[power], key=str)[0] for guard in family.guards)
    return snmp_reading.Row(**{"status": status, "guards": guards, "permission": MISSING, "name": "", **changes})


def test_all_families_of_trust_a_are_in_the_table() -> None:
    assert len(FAMILIES) == 20
    assert {family.trust for family in ALL} == {"A"}


@every_family
def test_a_row_says_where_its_facts_are_from(family: Family) -> None:
    assert "MIB" in family.source or "CFG" in family.source or "PRODUCTS" in family.source
    assert family.title


@every_family
def test_exactly_one_status_is_on_and_one_is_off(family: Family) -> None:
    powers = [state.power for state in family.states.values()]
    assert (powers.count(Power.ON), powers.count(Power.OFF)) == (1, 1)
    assert (family.off.column, family.off.value) != (family.on.column, family.on.value)


@every_family
def test_every_column_names_only_parts_of_the_index(family: Family) -> None:
    index = family.named(tuple(range(3, 3 + len(family.parts))))
    for column in columns(family):
        assert column.oid(index)[: len(ENTERPRISES)] == ENTERPRISES


@every_family
def test_two_outlets_never_share_an_object_that_is_written(family: Family) -> None:
    units = (1,) * (len(family.parts) - 1)
    for column in (family.off.column, family.on.column):
        oids = {column.oid(family.named((*units, outlet))) for outlet in range(1, 65)}
        assert len(oids) == (1 if column.element else 64)


@pytest.mark.parametrize("family", [family for family in ALL if family.name], ids=lambda family: family.model)
def test_a_name_leads_back_to_its_outlet(family: Family) -> None:
    assert family.name is not None
    index = family.named(tuple(range(3, 3 + len(family.parts))))
    oid = family.name.oid(index)
    assert family.name.index(oid) == index
    assert oid[: len(family.name.root())] == family.name.root()
    assert family.name.index((*oid, 1)) is None
    assert family.name.index((1, 3, 6, 1, 2, *oid[5:])) is None


@every_family
def test_its_sys_object_id_leads_to_the_family_or_to_those_that_firmware_tells_apart(family: Family) -> None:
    for text in family.sys_object_ids:
        found = matching((*ENTERPRISES, *dotted(text), 42))
        assert family in found
        if len(found) > 1:
            assert len({other.firmware.holds for other in found if other.firmware}) == len(found)


def test_an_unknown_sys_object_id_leads_nowhere() -> None:
    assert matching((*ENTERPRISES, 8072, 3, 2, 10)) == []
    assert matching((*ENTERPRISES, 318, 1, 3, 4, 99)) == []  # an APC card that nobody has described
    assert matching((*ENTERPRISES, 318)) == []


def test_the_longest_prefix_wins_and_numbers_are_not_text() -> None:
    assert [family.model for family in matching((*ENTERPRISES, 318, 1, 3, 4, 5))] == ["apc_rpdu"]
    assert matching((*ENTERPRISES, 318, 1, 3, 4, 50)) == []


def test_the_two_generations_of_apc_count_the_other_way_round() -> None:
    assert FAMILIES["apc_rpdu"].states[2].power is Power.OFF
    assert FAMILIES["apc_rpdu2"].states[2].power is Power.ON


def test_aten_leaves_out_one_number_after_outlet_eight() -> None:
    column = FAMILIES["aten_pe"].status
    last = {outlet: column.oid({"outlet": outlet})[-2] for outlet in (1, 8, 9, 42)}
    assert last == {1: 2, 8: 9, 9: 11, 42: 44}


def test_the_command_of_pulizzi_is_one_beside_its_status() -> None:
    family = FAMILIES["eaton_pulizzi"]
    assert family.status.oid({"outlet": 3})[-2:] == (3, 0)
    assert family.off.column.oid({"outlet": 3})[-2:] == (4, 0)


def test_only_these_values_of_further_objects_let_off_stand() -> None:
    settled = {
        family.model: [set(guard.settled[Power.OFF]) for guard in family.guards] for family in ALL if family.guards
    }
    assert settled == {
        "apc_masterswitch": [{"No"}],
        "apc_masterswitch_plus": [{2}],
        "apc_rpdu": [{2}],
        "apc_rpdu2": [{2}],
        "cyberpower_epdu": [{2}],
        "geist_v5": [{2}],
        "liebert_mph": [{0}],
        "sentry3": [{0, 2, 4}],
        "sentry4": [{2, 4, 6, 10}],
    }


@every_family
def test_a_settled_row_reads_as_what_it_is(family: Family) -> None:
    for power in (Power.ON, Power.OFF):
        assert snmp_reading.reading_of(family, settled_row(family, power), False).power is power


@every_family
def test_every_other_documented_status_is_unknown_and_unconfirmed(family: Family) -> None:
    for value, state in family.states.items():
        if state.power is Power.UNKNOWN:
            reading = snmp_reading.reading_of(family, settled_row(family, Power.OFF, status=value), True)
            assert (reading.power, reading.reason) == (Power.UNKNOWN, Reason.UNCONFIRMED)
            assert state.text in reading.msg


values = st.one_of(
    st.integers(), st.text(max_size=3), st.sampled_from([MISSING, Unreadable("Counter32"), 6000, 7, -1, 0, 1, 2, True])
)


@given(family=st.sampled_from(ALL), status=values, data=st.data(), trust=st.booleans())
def test_off_is_read_only_where_the_status_and_every_further_object_say_so(
    family: Family, status: Any, data: st.DataObject, trust: bool
) -> None:
    told = st.one_of(values, *[st.sampled_from(sorted(guard.texts)) for guard in family.guards if guard.texts])
    guards = tuple(data.draw(told) for _guard in family.guards)
    reading = snmp_reading.reading_of(family, snmp_reading.Row(status, guards, MISSING, ""), trust)
    off = next(value for value, state in family.states.items() if state.power is Power.OFF)
    agreed = all(
        value in guard.settled[Power.OFF] or (trust and value is MISSING)
        for guard, value in zip(family.guards, guards, strict=True)
    )
    assert (reading.power is Power.OFF) == (status == off and agreed)
    assert (reading.power is Power.UNKNOWN) == (reading.reason is not None)


@pytest.mark.parametrize("family", [family for family in ALL if family.guards], ids=lambda family: family.model)
def test_without_the_further_object_off_counts_only_for_an_agent_that_trusts_the_status(family: Family) -> None:
    row = settled_row(family, Power.OFF, guards=(MISSING,) * len(family.guards))
    assert snmp_reading.reading_of(family, row, False).reason is Reason.UNCONFIRMED
    assert snmp_reading.reading_of(family, row, True).power is Power.OFF
    on = settled_row(family, Power.ON, guards=(MISSING,) * len(family.guards))
    assert snmp_reading.reading_of(family, on, False).power is Power.ON


@pytest.mark.parametrize(
    ("model", "outlet", "index"),
    [
        ("apc_rpdu", 7, (7,)),
        ("apc_rpdu", "7", (7,)),
        ("eaton_g3", 7, (0, 7)),
        ("eaton_g3", "2.7", (2, 7)),
        ("eaton_g3", "0.10", (0, 10)),
        ("raritan_px2", "3", (1, 3)),
        ("sentry3", "2.1.7", (2, 1, 7)),
        ("apc_masterswitch_plus", "4.8", (4, 8)),
    ],
)
def test_a_number_or_an_index_is_one_outlet(model: str, outlet: Any, index: tuple[int, ...]) -> None:
    assert snmp_options.index_in(FAMILIES[model], snmp_options.chosen_outlets({"outlet": outlet})[0]) == index


def user(**more: Any) -> dict[str, Any]:
    return {"address": "pdu-a", "outlet": 7, "username": "fence", **more}


AUTH = {"auth_protocol": "sha256", "auth_password": "authentic"}


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"address": "pdu-a", "outlet": 7, "community": "c"}, []),
        (user(), []),
        (user(**AUTH, priv_protocol="aes128", priv_password="encrypted"), []),
        (user(version="2c"), ["community"]),
        ({"address": "pdu-a", "outlet": 7}, ["community"]),
        ({"address": "pdu-a", "outlet": 7, "version": "3", "community": "c"}, ["username"]),
        (user(community="c"), ["version"]),
        (user(community="c", version="2c"), []),
        (user(auth_password="authentic"), ["auth_protocol"]),
        (user(auth_protocol="sha"), ["auth_password"]),
        (user(**{**AUTH, "auth_password": "seven77"}), ["auth_password"]),
        (user(priv_protocol="aes128", priv_password="encrypted"), ["auth_password"]),
        (user(**AUTH, priv_password="encrypted"), ["priv_protocol"]),
        (user(**AUTH, priv_protocol="aes128", priv_password="short"), ["priv_password"]),
        ({"address": "pdu-a", "outlet": 7, "community": "c", "context": "left"}, ["context"]),
        ({"address": "", "outlet": 7, "community": "c"}, ["address"]),
        ({"address": "udp://pdu-a", "outlet": 7, "community": "c"}, ["address"]),
        ({"address": "pdu-a", "port": 0, "outlet": 7, "community": "c"}, ["port"]),
        ({"address": "pdu-a", "port": 65536, "outlet": 7, "community": "c"}, ["port"]),
        (user(outlet=0), ["outlet"]),
        (user(outlet="0"), ["outlet"]),
        (user(outlet=-3), ["outlet"]),
        (user(outlet=""), ["outlet"]),
        (user(outlet=None), ["outlet"]),
        (user(outlet=True), ["outlet"]),
        (user(outlet=1.1), ["outlet"]),
        (user(outlet=["7"]), ["outlet"]),
        (user(outlet="007"), ["outlet"]),
        (user(outlet="1.0"), ["outlet"]),
        (user(outlet="7", outlet_name="web"), ["outlet_name"]),
        (user(outlet=None, outlet_name="7"), []),
        (user(outlet="1.7", model="apc_rpdu"), ["outlet"]),
        (user(outlet=7, model="sentry3"), ["outlet"]),
        (user(outlet="1.7", model="sentry3"), ["outlet"]),
        (user(outlet="web", model="sentry3"), []),
        (user(outlet="web", model="aten_pe"), ["outlet"]),
    ],
)
def test_each_bad_option_is_named_once(options: dict[str, Any], wrong: list[str]) -> None:
    found = snmp_options.problems(options)
    assert [name for name, _what in found] == wrong
    secrets = [str(value) for name, value in options.items() if "password" in name]
    assert not [what for _name, what in found for secret in secrets if secret in what]


def test_a_username_means_version_3_and_a_community_2c() -> None:
    assert snmp_options.version_of({"username": "fence"}) == "3"
    assert snmp_options.version_of({"community": "c"}) == "2c"
    assert snmp_options.version_of({"community": "c", "version": "1"}) == "1"


def test_one_outlet_in_two_spellings_is_one_target() -> None:
    agent = {"address": "PDU-A.example.com", "model": "eaton_g3", "outlet": 7}
    assert snmp_options.targets(agent) == snmp_options.targets(
        {**agent, "outlet": "0.7", "address": "pdu-a.example.com"}
    )
    assert snmp_options.targets(agent) != snmp_options.targets({**agent, "outlet": "1.7"})
    assert snmp_options.device({"address": "2001:DB8::1", "port": 1161}) == "[2001:db8::1]:1161"
    assert snmp_options.describe({"address": "pdu-b", "outlet": 7}) == "pdu-b, outlet 7"


def test_credentials_do_not_show_their_secrets() -> None:
    reading, writing = snmp_options.credentials({"community": "canary-1", "write_community": "canary-2"})
    told = repr(
        (reading, writing, snmp_options.credentials(user(**AUTH, priv_protocol="des", priv_password="canary-3")))
    )
    assert "canary" not in told and "authentic'" not in told
