# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of a list of objects, written by the rack's own encoder and by pyasn1, read by the product."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import encoder
from pysnmp.proto.api import v2c

from ansible_collections.hostpm.fencing.plugins.module_utils._devices._snmp_response import (
    MISSING,
    Unreadable,
    objects_in,
)
from lab import snmp_message as lab

oids = st.tuples(st.just(1), st.integers(0, 39)).flatmap(
    lambda first: st.lists(st.integers(0, 2**32 - 1), max_size=20).map(lambda rest: (*first, *rest))
)
values = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(lambda number: (lab.Value(lab.INTEGER, number), number)),
    st.binary(max_size=300).map(lambda text: (lab.Value(lab.OCTETS, text), text)),
    oids.map(lambda oid: (lab.Value(lab.OID, oid), oid)),
    st.sampled_from([lab.NO_SUCH_OBJECT, lab.NO_SUCH_INSTANCE, lab.END_OF_MIB]).map(
        lambda tag: (lab.Value(tag), MISSING)
    ),
    st.integers(0, 2**32 - 1).map(lambda number: (lab.Value(lab.COUNTER, number), Unreadable("Counter32"))),
    st.just((lab.Value(lab.NULL), Unreadable("Null"))),
)
lists = st.lists(st.tuples(oids, values), max_size=60)


def written(rows: list[tuple[Any, Any]]) -> bytes:
    body = b"".join(
        lab.tlv(lab.SEQUENCE, lab.tlv(lab.OID, lab.encode_oid(oid)) + lab.encode_value(value))
        for oid, (value, _wanted) in rows
    )
    return lab.tlv(lab.SEQUENCE, body)


@given(lists)
def test_what_was_written_is_read(rows: list[tuple[Any, Any]]) -> None:
    assert objects_in(written(rows)) == tuple((oid, wanted) for oid, (_value, wanted) in rows)


@given(st.lists(st.tuples(oids, st.integers(-(2**31), 2**31 - 1)), max_size=8))
def test_what_pyasn1_wrote_is_read(rows: list[tuple[Any, int]]) -> None:
    pdu = v2c.ResponsePDU()
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_varbinds(pdu, [(v2c.ObjectIdentifier(oid), v2c.Integer32(number)) for oid, number in rows])
    assert objects_in(encoder.encode(pdu.getComponentByPosition(3))) == tuple(rows)


@given(lists.filter(bool), st.data())
def test_a_list_that_is_cut_is_an_error_and_no_shorter_list(rows: list[tuple[Any, Any]], data: st.DataObject) -> None:
    whole = written(rows)
    with pytest.raises(ValueError):
        objects_in(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(lists, st.data())
def test_damaged_bytes_are_read_or_an_error_and_nothing_else(rows: list[tuple[Any, Any]], data: st.DataObject) -> None:
    damaged = bytearray(written(rows))
    for _byte in range(3):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        objects_in(bytes(damaged))
    except ValueError:
        pass


@pytest.mark.parametrize(
    "rows",
    [
        "3080",  # no length
        "3003300106",  # a name without a length
        "3005300306012b",  # a row without a value
        "30073005060 12b0200",  # a number without digits
        "3008300606012b05000500",  # something behind the value
        "3000ff",  # something behind the list
        "3007300506018b0500",  # an OID that ends in its middle
    ],
)
def test_what_is_no_list_of_objects_is_an_error(rows: str) -> None:
    with pytest.raises(ValueError):
        objects_in(bytes.fromhex(rows.replace(" ", "")))
