# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The options of the agent type ``snmp``: which outlets they name, with what credentials, and what is wrong with them.

This file sends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind, Problem
from ansible_collections.hostpm.fencing.plugins.module_utils._devices import _snmp_engine as engine
from ansible_collections.hostpm.fencing.plugins.module_utils._devices.snmp_families import (
    FAMILIES,
    Family,
    Index,
)

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "default": 161},
    "version": {"type": "str", "choices": ["1", "2c", "3"]},
    "community": {"type": "str", "no_log": True},
    "write_community": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "auth_protocol": {"type": "str", "choices": list(engine.AUTH_PROTOCOLS)},
    "auth_password": {"type": "str", "no_log": True},
    "priv_protocol": {"type": "str", "choices": list(engine.PRIV_PROTOCOLS)},
    "priv_password": {"type": "str", "no_log": True},
    "context": {"type": "str"},
    "outlet": {"type": "raw"},
    "outlet_name": {"type": "str"},
    "outlets": {"type": "list", "elements": "raw"},
    "model": {"type": "str"},
    "trust_status": {"type": "bool", "default": False},
    "accept_untested": {"type": "bool", "default": False},
}
# What names the outlet; all else is about the PDU.
OWN_OPTIONS = frozenset({"outlet", "outlet_name", "outlets", "trust_status"})

# RFC 3414, 11.2: a password has at least eight characters.
SHORTEST_PASSWORD = 8


# --- The outlet that the options name -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Chosen:
    """The outlet as it was written: a number or a full index (``numbers``), or a name."""

    numbers: Index = ()
    name: str = ""

    def __str__(self) -> str:
        return self.name or ".".join(str(number) for number in self.numbers)


class BadOption(ValueError):
    """An option that cannot be used: its name, and what to write."""

    def __init__(self, option: str, what: str) -> None:
        super().__init__(option, what)
        self.problem: Problem = (option, what)


def chosen_outlets(options: Mapping[str, Any]) -> tuple[Chosen, ...]:
    """What ``outlet``, ``outlet_name`` or ``outlets`` says. Digits are a number, digits with dots an index, the rest is a name."""
    given = [option for option in ("outlet", "outlet_name", "outlets") if options.get(option) not in (None, "", [])]
    if len(given) > 1:
        raise BadOption(given[1], f"cannot be given together with {given[0]}")
    if given == ["outlet_name"]:
        return (Chosen(name=str(options["outlet_name"])),)
    if given == ["outlets"]:
        several = tuple(_chosen("outlets", outlet) for outlet in options["outlets"])
        if len(set(several)) < len(several):
            raise BadOption("outlets", "names an outlet twice")
        return several
    if not given:
        raise BadOption("outlet", "is missing: write the outlet's number, its name or its index, such as 7")
    return (_chosen("outlet", options["outlet"]),)


def _chosen(option: str, outlet: Any) -> Chosen:
    if isinstance(outlet, bool) or not isinstance(outlet, (int, str)):
        # A YAML number such as 1.10 has lost its last digit by now.
        raise BadOption(option, 'must be a number or a text; an index with a dot needs quotes, such as "1.10"')
    text = str(outlet).strip()
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)*", text):
        if not text:
            raise BadOption(option, "has an empty name")
        return Chosen(name=text)
    numbers = tuple(int(number) for number in text.split("."))
    if ".".join(str(number) for number in numbers) != text:
        raise BadOption(option, "has a number with leading zeros; write it without, or use outlet_name if it is a name")
    if numbers[-1] < 1:
        raise BadOption(option, f"cannot be {text}: outlets count from 1")
    return Chosen(numbers=numbers)


def index_in(family: Family, chosen: Chosen) -> Index | None:
    """The index in this family's tables; None for a name, which the PDU has to be asked for."""
    form = ".".join(family.parts)
    if chosen.name:
        if family.name is None:
            raise BadOption("outlet", f"must be a number for {family.model}: these PDUs do not tell outlet names")
        return None
    if len(chosen.numbers) == len(family.parts):
        return chosen.numbers
    if len(chosen.numbers) == 1 and family.bare is not None:
        return family.bare + chosen.numbers
    example = ".".join("1" for _part in family.parts[1:]) + ".7" if len(family.parts) > 1 else "7"
    raise BadOption(
        "outlet", f'{chosen} is not enough or too much for {family.model}: write {form}, such as "{example}"'
    )


# --- Options ------------------------------------------------------------------------------------------------------


def version_of(options: Mapping[str, Any]) -> str | None:
    """The version to speak: as told, else 3 with a username and 2c with a community."""
    if options.get("version"):
        return str(options["version"])
    if options.get("username"):
        return None if options.get("community") else "3"
    return "2c" if options.get("community") else None


def problems(options: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, before anything is contacted. One sentence for an option."""
    found: list[Problem] = []
    address = options.get("address")
    if not address or re.search(r"[\s/]", str(address)):
        found.append(("address", "must be the name or the address of the PDU"))
    if not 1 <= port_of(options) <= 65535:
        found.append(("port", "must be between 1 and 65535"))
    found += _outlet_problems(options)
    version = version_of(options)
    if version is None and options.get("username"):
        found.append(("version", "is needed because both username and community are given: 3, 2c or 1"))
    elif version is None:
        found.append(("community", "is missing: give username for version 3, or community for version 2c or 1"))
    elif version == "3":
        found += _user_problems(options)
    else:
        found += _community_problems(version, options)
    return found


def _outlet_problems(options: Mapping[str, Any]) -> list[Problem]:
    family = FAMILIES.get(str(options.get("model")))
    if family is None and options.get("model"):
        return [("model", _unknown_model(str(options["model"])))]
    try:
        outlets = chosen_outlets(options)
        indices = [index_in(family, chosen) for chosen in outlets] if family else []
    except BadOption as bad:
        return [bad.problem]
    known = [index for index in indices if index is not None]
    if len(set(known)) < len(known):
        return [("outlets", "names an outlet twice")]
    untested = untested_problem(family, options) if family else None
    return [("model", untested)] if untested else []


def _unknown_model(model: str) -> str:
    near = get_close_matches(model.lower(), FAMILIES, n=1, cutoff=0.7)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"is no family that is known{hint}; docs/pdu_families.md lists all {len(FAMILIES)}"


def untested_problem(family: Family, options: Mapping[str, Any]) -> str | None:
    """What stands against using a family of trust C."""
    if family.trust != "C" or options.get("accept_untested"):
        return None
    return (
        f"{family.model} has never been tried and its sources are in doubt: try it on a spare outlet, watch the outlet,"
        " and set accept_untested to true"
    )


def _community_problems(version: str, options: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    if not options.get("community"):
        found.append(("community", f"is needed for version {version}"))
    if options.get("context"):
        found.append(("context", "needs version 3"))
    return found


def _user_problems(options: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    if not options.get("username"):
        found.append(("username", "is needed for version 3"))
    for kind in ("auth", "priv"):
        protocol, password = f"{kind}_protocol", f"{kind}_password"
        if options.get(password) and not options.get(protocol):
            found.append((protocol, f"is needed with {password}: write the one that the user has on the PDU"))
        if options.get(protocol) and not options.get(password):
            found.append((password, f"is needed with {protocol}"))
        if options.get(password) and len(str(options[password])) < SHORTEST_PASSWORD:
            found.append((password, f"must have at least {SHORTEST_PASSWORD} characters"))
    if options.get("priv_password") and not options.get("auth_password"):
        found.append(("auth_password", "is needed with priv_password: SNMP does not encrypt without authentication"))
    return found


def credentials(options: Mapping[str, Any]) -> tuple[engine.Credentials, engine.Credentials]:
    """What to read with, and what to write with."""
    version = version_of(options)
    if version == "3":
        user = engine.User(
            str(options.get("username") or ""),
            options.get("auth_protocol") if options.get("auth_password") else None,
            options.get("auth_password") or None,
            options.get("priv_protocol") if options.get("priv_password") else None,
            options.get("priv_password") or None,
        )
        return user, user
    reading = str(options.get("community") or "")
    writing = str(options.get("write_community") or reading)
    return engine.Community(version or "2c", reading), engine.Community(version or "2c", writing)


def device(options: Mapping[str, Any]) -> str:
    address = str(options.get("address") or "").lower().strip("[]")
    return f"[{address}]:{port_of(options)}" if ":" in address else f"{address}:{port_of(options)}"


def targets(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The device and each outlet; two ways to write one outlet are the same as far as the model tells."""
    family = FAMILIES.get(str(options.get("model")))
    try:
        outlets = chosen_outlets(options)
        indices = [index_in(family, chosen) if family else None for chosen in outlets]
    except BadOption:
        return (f"{device(options)}/{options.get('outlet')}",)
    return tuple(
        f"{device(options)}/{Chosen(numbers=index) if index else chosen}"
        for chosen, index in zip(outlets, indices, strict=True)
    )


def describe(options: Mapping[str, Any]) -> str:
    several = options.get("outlets")
    if several:
        return f"{options.get('address')}, outlets {' and '.join(str(outlet) for outlet in several)}"
    return f"{options.get('address')}, outlet {options.get('outlet_name') or options.get('outlet')}"


def kind_of(options: Mapping[str, Any]) -> Kind:
    """What the agent's device is: a supply, but for a model that says otherwise."""
    family = FAMILIES.get(str(options.get("model")))
    return family.kind if family else Kind.SUPPLY


def missing_library(options: Mapping[str, Any]) -> str | None:
    return engine.missing_library(encrypted=bool(options.get("priv_password")))


def port_of(options: Mapping[str, Any]) -> int:
    port = options.get("port")
    return 161 if port is None else int(port)
