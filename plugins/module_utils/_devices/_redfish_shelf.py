# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""A Redfish collection whose members are chosen by name: the systems of a chassis, the outlets of a PDU, the PDUs themselves.

This file knows collections, their pages and their names; it does not know power.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    BadReply,
    Deadline,
    DeviceError,
    NotFound,
    Refused,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._redfish_service import Document, RedfishService

# A service with more members than this is not a BMC, a chassis or a PDU.
MOST_MEMBERS = 1000
MOST_LISTED = 20
# What a service may answer to a query that it does not understand.
NO_QUERY = (BadReply, NotFound, Refused, Unsupported)


@dataclass(frozen=True)
class Sort:
    """What a shelf holds, and the keys by which one may be chosen. ``option`` is ours; ``caseless`` keys hold hexadecimal."""

    option: str
    plural: str
    keys: tuple[str, ...]
    none: str
    caseless: tuple[str, ...] = ("UUID",)


SYSTEMS = Sort(
    "system",
    "systems",
    ("Id", "UUID", "SerialNumber"),
    none="is the BMC still starting, and may the account see the systems?",
)
PDUS = Sort(
    "pdu", "PDUs", ("Id", "UUID", "SerialNumber", "Name", "UserLabel"), none="may the account see the power equipment?"
)
OUTLETS = Sort("outlet", "outlets", ("Id", "Name", "UserLabel"), none="may the account see the outlets?")
WORDS = {"UUID": "UUID", "SerialNumber": "serial", "Name": "name", "UserLabel": "label"}


@dataclass(frozen=True)
class Names:
    """What a member may be chosen by: key to value."""

    sort: Sort
    values: Mapping[str, str]

    @classmethod
    def of(cls, sort: Sort, document: Document) -> Names:
        found = {key: document.body.get(key) for key in sort.keys}
        return cls(sort, {key: value for key, value in found.items() if isinstance(value, str) and value})

    def fit(self, wanted: str) -> bool:
        return any(
            wanted.casefold() == value.casefold() if key in self.sort.caseless else wanted == value
            for key, value in self.values.items()
        )

    def described(self, shown: Callable[[object], str]) -> str:
        others = [f"{WORDS[key]} {shown(value)}" for key, value in self.values.items() if key != "Id"]
        return f"Id {shown(self.values.get('Id', ''))}" + (f" ({', '.join(others)})" if others else "")


class Shelf:
    """One collection. Where a member was found is remembered, and whether it still is that member is looked at each time."""

    def __init__(self, service: RedfishService, sort: Sort, link: Callable[[Deadline], object]) -> None:
        self._service = service
        self._sort = sort
        self._link = link
        self._places: dict[str | None, str] = {}
        self._known: dict[str, Names] = {}
        self._expands = True

    def name(self, wanted: str | None) -> str:
        return f"the {self._sort.option}" if wanted is None else f"{self._sort.option} {wanted}"

    def member(self, wanted: str | None, deadline: Deadline) -> Document:
        """The only member, or the one of exactly this name."""
        if wanted not in self._places:
            self._places[wanted] = self._choose(wanted, deadline)
        try:
            found = self._service.get(self._places[wanted], self.name(wanted), deadline)
            if wanted is not None and not Names.of(self._sort, found).fit(wanted):
                raise NotFound(f"{self.name(wanted)} is no longer where it was", "was it moved to another slot?")
        except NotFound:
            self.forget()
            raise
        return found

    def members(self, wanted: Sequence[str | None], deadline: Deadline) -> list[Document | DeviceError] | None:
        """Several members from one reading of the whole collection; None if the service does not do that."""
        query = self._service.expansion(deadline) if self._expands else None
        if query is None:
            return None
        try:
            found = self._expanded(query, deadline)
        except NO_QUERY:
            self._expands = False
            return None
        if found is None:
            self._expands = False
            return None
        self._known = {place: Names.of(self._sort, document) for place, document in found.items()}
        answers: list[Document | DeviceError] = []
        for each in wanted:
            try:
                answers.append(found[self._only_one(each, self._known)])
            except DeviceError as error:
                answers.append(error)
        return answers

    def forget(self) -> None:
        self._places.clear()
        self._known.clear()

    def _choose(self, wanted: str | None, deadline: Deadline) -> str:
        places = self._all_places(wanted, deadline)
        if wanted is None and len(places) == 1:
            return places[0]
        for place in places:
            if place not in self._known:
                with contextlib.suppress(NotFound):  # It was pulled out a moment ago.
                    document = self._service.get(place, f"one of its {self._sort.plural}", deadline)
                    self._known[place] = Names.of(self._sort, document)
        known = {place: self._known[place] for place in places if place in self._known}
        if wanted is None:
            raise self._not_chosen(known)
        return self._only_one(wanted, known)

    def _only_one(self, wanted: str | None, known: Mapping[str, Names]) -> str:
        fitting = [place for place, names in known.items() if wanted is None or names.fit(wanted)]
        if len(fitting) == 1:
            return fitting[0]
        if wanted is None or not known:
            raise self._not_chosen(known)
        listed = self._listed([known[place] for place in fitting] or list(known.values()))
        if fitting:
            raise NotFound(f"{self.name(wanted)} is the name of several: {listed}", "choose by another of its names")
        keys = ", ".join(self._sort.keys[:-1]) + f" or {self._sort.keys[-1]}"
        raise NotFound(f"it has no {self.name(wanted)}, but: {listed}", f"write the {keys} exactly")

    def _not_chosen(self, known: Mapping[str, Names]) -> NotFound:
        if not known:
            return NotFound(f"it has no {self._sort.option}", self._sort.none)
        listed = self._listed(list(known.values()))
        advice = f"choose one with the option {self._sort.option}"
        return NotFound(f"it has several {self._sort.plural}: {listed}", advice)

    def _listed(self, names: Sequence[Names]) -> str:
        more = [f"{len(names) - MOST_LISTED} more"] if len(names) > MOST_LISTED else []
        return ", ".join([each.described(self._service.shown) for each in names[:MOST_LISTED]] + more)

    def _all_places(self, wanted: str | None, deadline: Deadline) -> list[str]:
        """The paths of all members, page by page."""
        entries, count = self._entries(self._link(deadline), deadline)
        places = list(dict.fromkeys(self._service.path_of(entry.link()) for entry in entries))
        if wanted is None and isinstance(count, int) and count > len(places):
            seen = f"it shows {len(places)} of its {count} {self._sort.plural}"
            raise BadReply(seen, f"choose one with the option {self._sort.option}")
        return places

    def _expanded(self, query: str, deadline: Deadline) -> dict[str, Document] | None:
        """All members with their contents by their paths; None if any of them came as a mere link."""
        path = self._service.path_of(self._link(deadline))
        entries, count = self._entries(f"{path}{'&' if '?' in path else '?'}{query}", deadline)
        found = {self._service.path_of(entry.link()): entry for entry in entries}
        complete = all("Id" in entry.body for entry in entries) and len(found) == len(entries)
        return found if complete and not (isinstance(count, int) and count > len(found)) else None

    def _entries(self, link: object, deadline: Deadline) -> tuple[list[Document], object]:
        """What stands in the collection, page by page, and how many there are by its own words."""
        entries: list[Document] = []
        pages: set[str] = set()
        count: object = 0
        while link is not None:
            path = self._service.path_of(link)
            if path in pages or len(entries) > MOST_MEMBERS:
                raise BadReply(f"its list of {self._sort.plural} does not end", "look at the device's firmware")
            pages.add(path)
            page = self._service.get(path, f"the list of {self._sort.plural}", deadline)
            members = page.body.get("Members")
            if not isinstance(members, list):
                raise BadReply(f"its list of {self._sort.plural} has no Members", "look at the device's firmware")
            for member in members:
                entries.append(Document(member if isinstance(member, Mapping) else {}, None))
            count = page.body.get("Members@odata.count")
            link = page.body.get("Members@odata.nextLink")
        return entries, count
