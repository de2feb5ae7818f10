# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws that every row of the table of PDU families keeps, and what a row of values means. No network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind, Power, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _snmp_options as snmp_options
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _snmp_reading as snmp_reading
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_response import MISSING, Unreadable
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp import TYPE
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
    guards = tuple(sorted(guard.settled.get(power, guard.texts), key=str)[0] for guard in family.guards)
    return snmp_reading.Row(**{"status": status, "guards": guards, "permission": MISSING, "name": "", **changes})


def test_each_family_has_a_grade_of_trust() -> None:
    assert {family.trust for family in ALL} == {"A", "B", "C"}
    assert [family.model for family in ALL if family.trust == "C"] == ["bachmann_bluenet2"]
    assert sorted(FAMILIES) == [family.model for family in ALL]


@every_family
def test_a_row_says_where_its_facts_are_from(family: Family) -> None:
    assert any(word in family.source for word in ("MIB", "CFG", "PRODUCTS", "driver", "fence-agents"))
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
        assert column.oid(index)[:4] == (1, 3, 6, 1)


@every_family
def test_two_outlets_never_share_an_object_that_is_written(family: Family) -> None:
    units = (1,) * (len(family.parts) - 1)
    for column in (family.off.column, family.on.column):
        oids = {column.oid(family.named((*units, outlet))) for outlet in range(1, 65)}
        assert len(oids) == (1 if column.element else 64)
    if family.off.column == family.on.column:
        assert family.off.value != family.on.value


@pytest.mark.parametrize("family", [family for family in ALL if family.name], ids=lambda family: family.model)
def test_a_name_leads_back_to_its_outlet(family: Family) -> None:
    assert family.name is not None
    index = family.named(tuple(range(3, 3 + len(family.parts))))
    oid = family.name.oid(index)
    assert family.name.index(oid) == index
    assert oid[: len(family.name.root())] == family.name.root()
    assert family.name.index((*oid, 1)) is None
    assert family.name.index((1, 3, 6, 9, *oid[4:])) is None


@every_family
def test_its_sys_object_id_leads_to_the_family_or_to_those_that_their_objects_tell_apart(family: Family) -> None:
    for sign in family.signs:
        found = matching((*ENTERPRISES, *dotted(sign.prefix), 42))
        assert (family, sign) in found
        if len(found) > 1:
            assert len({(other.object, other.holds) for _family, other in found if other.object}) == len(found)


def test_a_chassis_is_not_detected_as_its_kind_must_be_known_before() -> None:
    assert [family.model for family in ALL if family.kind is Kind.CHASSIS] == ["ibm_bladecenter", "intel_modular"]
    assert not [family for family in ALL if family.kind is Kind.CHASSIS and family.signs]


def test_what_a_sign_demands_is_below_the_same_vendor() -> None:
    for family in ALL:
        for sign in family.signs:
            assert not sign.object or dotted(sign.object)[0] == dotted(sign.prefix)[0]


# The detection map, typed from the table of devices. A star stands for any number, in brackets what must be there too.
DETECTED = {
    "318.1.3.4.1": ["apc_masterswitch"],
    "318.1.3.4.2": ["apc_masterswitch"],
    "318.1.3.4.4": ["apc_masterswitch_plus [318.1.1.6.7.1.1.5.1.1.1]", "apc_rpdu [318.1.1.12.3.5.1.1.4.1]"],
    "318.1.3.4.5": ["apc_rpdu"],
    "318.1.3.4.6": ["apc_rpdu2"],
    "318.1.3.4.8": ["apc_rpdu2"],
    "318.1.3.4.9": ["apc_epdu"],
    "318.1.3.4.3": ["apc_cpdu [318.1.1.32.5.4.1.4.1.1]"],
    "318.1.1.32.1": ["apc_cpdu"],
    "534.6.6.6": ["eaton_revelation"],
    "534.6.6.7": ["eaton_g3"],
    "534.7.1": ["eaton_nlogic"],
    "20677.1": ["eaton_pulizzi"],
    "20677.2": ["eaton_pulizzi"],
    "13742.4": ["raritan_px"],
    "13742.6": ["raritan_px2"],
    "1718.3": ["sentry3"],
    "1718.4": ["sentry4"],
    "3808.1.1.3": ["cyberpower_epdu"],
    "3808.1.1.6": ["cyberpower_epdu2"],
    "3808": ["cyberpower_epdu [3808.1.1.3.3.5.1.1.4.1]", "cyberpower_epdu2 [3808.1.1.6.6.1.4.1.5.1]"],
    "21239.2": ["geist_v3"],
    "21239.5.2": ["geist_v5"],
    "476.1.42": ["liebert_mph"],
    "10418.17": ["avocent_pm"],
    "850.1.1.1": ["tripplite_padm"],
    "850.1": ["tripplite_webcard"],
    "850.1.1.2": ["tripplite_webcard"],
    "232.165.7": ["hpe_ipdu"],
    "232.165.11": ["hpe_g2"],
    "232.165.1": [],
    "2.6.223": ["ibm_dpi [2.6.223.7.3.0 = sIBM]", "lenovo_dpi [2.6.223.7.3.0 = sLEN]"],
    "17420": ["digipower"],
    "21317": ["aten_pe"],
    "38446": ["enlogic"],
    "47952": ["netio"],
    "28507.1": ["gude_epc8"],
    "28507.43": ["gude_epc1202"],
    "28507.56": ["gude_epc8221"],
    "28507.58": ["gude_epc8226"],
    "28507.64": ["gude_epc8316"],
    "28507.65": ["gude_pdu8341"],
    "28507.67": ["gude_esb7214"],
    "28507.68": ["gude_epc1104"],
    "28507.69": ["gude_epc1105"],
    "28507.44": [],
    "1418.6": ["iboot_pdu"],
    "4779": ["baytech"],
    "674.10903.200": ["dell_rpdu"],
    "674.10892": [],
    "19536.10": ["panduit_g5"],
    "55108": ["riedo_updu"],
    "4555.1.1.20": ["socomec_ipdu"],
    "31034": ["schleifenbauer"],
    "31770.2": ["bachmann_bluenet2"],
    "23620": ["teltronix"],
    "8072.3.2.10": [],
    "9.1.1": [],
}


@pytest.mark.parametrize(("prefix", "wanted"), DETECTED.items(), ids=DETECTED)
def test_the_detection_map_is_as_it_was_written_down(prefix: str, wanted: list[str]) -> None:
    found = []
    for family, sign in matching((*ENTERPRISES, *dotted(prefix))):
        holds = f" = {sign.holds}" if sign.holds else ""
        found.append(family.model + (f" [{sign.object}{holds}]" if sign.object else ""))
    assert sorted(found) == wanted


def test_numbers_are_not_text() -> None:
    assert [family.model for family, _sign in matching((*ENTERPRISES, 318, 1, 3, 4, 5, 1))] == ["apc_rpdu"]
    assert [family.model for family, _sign in matching((*ENTERPRISES, 318, 1, 3, 4, 50))] == ["apc_cpdu"]
    assert matching((1, 3, 6, 1, 2, 1, 1)) == []


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
    assert settled == settled | {
        "apc_masterswitch": [{"No"}],
        "apc_masterswitch_plus": [{2}],
        "apc_rpdu": [{2}],
        "apc_rpdu2": [{2}],
        "cisco_mds": [{2}],
        "cyberpower_epdu": [{2}],
        "cyberpower_epdu2": [{2}],
        "dell_rpdu": [{2}],
        "geist_v3": [{0}, {0}],
        "geist_v5": [{2}],
        "iboot_pdu": [{0}],
        "liebert_mph": [{0}],
        "poe_port": [{2}],
        "riedo_updu": [{0}],
        "schleifenbauer": [{0}],
        "sentry3": [{0, 2, 4}],
        "sentry4": [{2, 4, 6, 10}],
        "switch_port": [{2}],
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
        (user(outlet=None, outlets=[3, "4", "web"]), []),
        (user(outlet=None, outlets=[]), ["outlet"]),
        (user(outlet=None, outlets=[3, 3]), ["outlets"]),
        (user(outlet=None, outlets=[7, "0.7"], model="eaton_g3"), ["outlets"]),
        (user(outlet=None, outlets=[3, 1.1]), ["outlets"]),
        (user(outlet=None, outlets=[3, ""]), ["outlets"]),
        (user(outlet=3, outlets=[4]), ["outlets"]),
        (user(outlet=None, outlet_name="web", outlets=[4]), ["outlets"]),
        (user(model="no_such"), ["model"]),
        (user(outlet="1.2", model="cisco_mds"), []),
        (user(outlet="1.1.0.7", model="bachmann_bluenet2"), ["model"]),
        (user(outlet="1.1.0.7", model="bachmann_bluenet2", accept_untested=True), []),
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


def test_each_of_several_outlets_is_a_target_of_its_own() -> None:
    agent = {"address": "pdu-a", "model": "eaton_g3", "outlets": [7, "1.8"]}
    assert snmp_options.targets(agent) == ("pdu-a:161/0.7", "pdu-a:161/1.8")
    assert snmp_options.describe(agent) == "pdu-a, outlets 7 and 1.8"
    assert TYPE.target(agent) == "pdu-a:161/0.7 pdu-a:161/1.8"


def test_agents_of_one_pdu_have_a_conversation_in_common_whatever_their_outlets() -> None:
    one, other = (
        {**user(**AUTH), "outlet": 3},
        {**user(**AUTH), "outlet": None, "outlets": [4, 5], "trust_status": True},
    )
    assert TYPE.conversation(one) == TYPE.conversation(other)
    assert TYPE.conversation(one) != TYPE.conversation({**one, "model": "apc_rpdu"})


def test_credentials_do_not_show_their_secrets() -> None:
    reading, writing = snmp_options.credentials({"community": "canary-1", "write_community": "canary-2"})
    told = repr(
        (reading, writing, snmp_options.credentials(user(**AUTH, priv_protocol="des", priv_password="canary-3")))
    )
    assert "canary" not in told and "authentic'" not in told
