# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The words in which a text dialogue is written, and what its answers mean.

This file sends nothing: it knows no transport and no device. The devices are rows in ``cli_dialogues.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AuthenticationFailed,
    BadReply,
    Busy,
    DeviceError,
    Kind,
    NotFound,
    Power,
    Reading,
    Reason,
    Refused,
    Unsupported,
)

LONGEST_SHOWN = 64
# No row of a table is longer: patterns are not tried on what is.
LONGEST_ROW = 500
# A word of the agent's options. ``{profile: -f }`` puts the text before it, if there is such a word at all.
PLACEHOLDER = re.compile(r"\{(outlet|system|profile|username|password)(?::([^{}]*))?\}")

# What a complaint of the device can mean.
ERRORS: Mapping[Reason, type[DeviceError]] = {
    Reason.AUTH: AuthenticationFailed,
    Reason.BAD_REPLY: BadReply,
    Reason.BUSY: Busy,
    Reason.NOT_FOUND: NotFound,
    Reason.REFUSED: Refused,
    Reason.UNSUPPORTED: Unsupported,
}


@dataclass(frozen=True)
class Step:
    """One line to send, and where its answer ends.

    ``until`` is a pattern for the end of the answer; without it the answer ends with the dialogue's prompt. ``when`` and
    ``unless`` send the line only if the last answer shows this, or does not. ``needs`` must be in the last answer, else
    nothing more is sent and ``lacking`` is the reason. ``bare`` leaves the line ending out: a single key.
    """

    send: str
    until: str = ""
    when: str = ""
    unless: str = ""
    needs: str = ""
    lacking: Reason = Reason.BAD_REPLY
    bare: bool = False


@dataclass(frozen=True)
class Complaint:
    """What a device writes when it does not do as it was told: a pattern, its reason, and a word about it."""

    text: str
    reason: Reason
    means: str


# What many devices write; a dialogue's own complaints are looked at first.
COMMON_COMPLAINTS = (
    Complaint(
        r"(?i)permission denied|access (?:is )?denied|not authori[sz]ed|insufficient (?:privilege|permission|access)"
        r"|user level denial",
        Reason.AUTH,
        "the account may not do this",
    ),
    Complaint(
        r"(?i)\b(?:another user|(?:user|session) (?:is )?already|(?:session|system|console) (?:is )?(?:currently )?in use"
        r"|(?:max\w*|too many) (?:number of )?(?:active )?(?:sessions|connections|users|logins))",
        Reason.BUSY,
        "somebody else is logged in",
    ),
    Complaint(
        r"(?i)\b(?:invalid|no such|unknown|nonexistent|illegal) (?:outlet|plug|port|blade|bay|partition|slot|node|server|target)"
        r"|\b(?:outlet|plug|port|blade|bay|partition|slot|node|server|target) (?:\S+ )?(?:does not exist|not found|is out of range)",
        Reason.NOT_FOUND,
        "there is no such outlet",
    ),
    Complaint(r"(?i)\b(?:is locked|locked out|lockout)\b", Reason.REFUSED, "the outlet is locked"),
)


@dataclass(frozen=True)
class Login:
    """How a device asks for name and password in text: always over telnet, over SSH only if it asks once more.

    ``steps`` is for devices that take the login as a command. Patterns are for the end of what was received.
    """

    username: str = r"(?i:[^\n]*(?<!last )(?:\blog ?in|user ?name|login name|user)\s*:)"
    password: str = r"(?i:[^\n]*(?:pass ?word|pass ?phrase)[^\n:]*:)"
    failed: str = (
        r"(?i)(?:login|log-?on|authentication|password) (?:is )?(?:incorrect|failed|failure|invalid|rejected)"
        r"|(?:incorrect|invalid|wrong|bad) (?:login|user|password|credential|username)|access denied|permission denied"
    )
    busy: str = COMMON_COMPLAINTS[1].text
    key: str = r"(?i:[^\n]*(?:press|hit) (?:any key|<?(?:enter|return)>?)[^\n]*)"
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Words:
    """What a device calls on and off, to the letter, and what it calls neither: a transition, a command that waits."""

    on: tuple[str, ...]
    off: tuple[str, ...]
    moving: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialogue:
    """How one family of devices is spoken to.

    ``prompt`` is the last line, whole, of an answer that is complete. ``row`` matches whole lines of the answers to
    ``status``: the group ``power`` is what the device says, ``outlet`` whose line it is, ``name`` its name, ``control`` a
    second word that must be in ``agrees`` before the first one counts. A row without ``outlet`` answers for the outlet that was asked about.
    ``words`` says what is on and off; every other word is unknown.
    ``done`` must be in the answer to ``on`` or ``off``, else it was not taken.
    ``outlet``, ``system`` and ``profile`` say how these options may look, to the last character; empty: there is none.
    ``one_session`` is for devices that let one person in: every exchange is logged out, so that others get their turn.
    """

    model: str
    devices: str
    kind: Kind
    trust: str
    source: str
    prompt: str
    status: tuple[Step, ...]
    row: str
    on: tuple[Step, ...]
    off: tuple[Step, ...]
    words: Words
    agrees: Mapping[Power, tuple[str, ...]] = field(default_factory=dict)
    done: str = ""
    outlet: str = ""
    system: str = ""
    profile: str = ""
    enter: tuple[Step, ...] = ()
    leave: tuple[Step, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    pager: str = ""
    pager_reply: Step = field(default=Step(""))
    pause_s: float = 0.0
    eol: str = "\r"
    login: Login = field(default=Login())
    one_session: bool = False
    transports: tuple[str, ...] = ("ssh", "telnet")
    telnet_port: int = 23

    @property
    def one_listing(self) -> bool:
        """One answer tells all outlets, since it is not asked about one."""
        return not any("{outlet}" in step.send for step in self.status)

    @property
    def names_outlets(self) -> bool:
        """An answer says which outlet it is about."""
        return "outlet" in re.compile(self.row).groupindex

    def steps(self, power: Power) -> tuple[Step, ...]:
        return self.off if power is Power.OFF else self.on

    def complaint(self, text: str) -> DeviceError | None:
        """What the device complains about in an answer, if it does."""
        for each in (*self.complaints, *COMMON_COMPLAINTS):
            found = re.search(each.text, text, re.MULTILINE)
            if found:
                return ERRORS[each.reason](
                    f'{each.means} (the device says "{shown(line_around(text, found.start()))}")', ADVICE[each.reason]
                )
        return None


ADVICE: Mapping[Reason, str] = {
    Reason.AUTH: "give the account the right to switch power",
    Reason.BAD_REPLY: "is the model right?",
    Reason.BUSY: "who else is logged in?",
    Reason.NOT_FOUND: "check the outlet and the model",
    Reason.REFUSED: "look at the device",
    Reason.UNSUPPORTED: "is the model right?",
}


@dataclass(frozen=True)
class Row:
    """What a device says about one outlet."""

    outlet: str
    name: str
    power: str
    control: str


@dataclass(frozen=True)
class Listing:
    """The answers to a status command, taken apart: the rows, and what is no row."""

    rows: tuple[Row, ...]
    rest: str


def listing_of(dialogue: Dialogue, text: str) -> Listing:
    """The rows in an answer. Only whole lines count: what follows the last line ending is a prompt, or half a line."""
    lines = (line.rstrip() for line in text.split("\n")[:-1])
    whole = "\n".join(line for line in lines if len(line) <= LONGEST_ROW)
    pattern = re.compile(rf"^(?:{dialogue.row})$", re.MULTILINE)
    rows = []
    for found in pattern.finditer(whole):
        said = {key: (value or "").strip() for key, value in found.groupdict().items()}
        rows.append(Row(said.get("outlet", ""), said.get("name", ""), said["power"], said.get("control", "")))
    return Listing(tuple(rows), pattern.sub("", whole))


def row_of(dialogue: Dialogue, listing: Listing, outlet: str) -> Row:
    """The one row about this outlet, by its number or else by its name. Raises a DeviceError if there is none, or no telling."""
    named = dialogue.names_outlets
    rows = [row for row in listing.rows if not named or row.outlet == outlet]
    if not rows and named:
        rows = [row for row in listing.rows if row.name and row.name == outlet]
        if len({row.outlet for row in rows}) > 1:
            raise BadReply(f"{len(rows)} outlets are named {shown(outlet)}", "write the outlet's number")
    if not rows:
        complaint = dialogue.complaint(listing.rest)
        if complaint is not None:
            raise complaint
        if listing.rows:
            raise NotFound(
                f"the device has no outlet {shown(outlet)} as a {dialogue.model}, and tells of {_told(listing.rows)}",
                "check the outlet and the model",
            )
        raise BadReply(f"the answer to the status command is none of a {dialogue.model}", "is the model right?")
    if not named:
        # Such an answer is about no outlet in particular: one with a complaint in it is not about ours.
        complaint = dialogue.complaint(listing.rest)
        if complaint is not None:
            raise complaint
    if len(set(rows)) > 1:
        words = ", ".join(sorted({shown(row.power) for row in rows}))
        raise BadReply(f"the device tells several things about the outlet ({words})", "is the model right?")
    return rows[0]


def reading_of(dialogue: Dialogue, row: Row) -> Reading:
    """The power that a row proves. Whatever is not exactly a documented word is unknown."""
    raw = " ".join(filter(None, (shown(row.power), shown(row.control), f"(named {shown(row.name)})" * bool(row.name))))
    if row.power in dialogue.words.on:
        power = Power.ON
    elif row.power in dialogue.words.off:
        power = Power.OFF
    elif row.power in dialogue.words.moving:
        return Reading(Power.UNKNOWN, raw, Reason.UNCONFIRMED, f"the device says: {shown(row.power)}")
    else:
        msg = f"{shown(row.power) or 'nothing'} is no documented word of a {dialogue.model}; is the model right?"
        return Reading(Power.UNKNOWN, raw, Reason.BAD_REPLY, msg)
    settled = dialogue.agrees.get(power)
    if settled is not None and row.control not in settled:
        return Reading(
            Power.UNKNOWN, raw, Reason.UNCONFIRMED, f"the device says {shown(row.power)}, but {shown(row.control)}"
        )
    return Reading(power, raw)


def filled(text: str, words: Mapping[str, str], escape: bool = False) -> str:
    """A text of a dialogue with the words of an agent in it, for a pattern escaped."""

    def word(found: re.Match[str]) -> str:
        value = words.get(found[1], "")
        text = (found[2] or "") + value if value else ""
        return re.escape(text) if escape else text

    return PLACEHOLDER.sub(word, text)


def shown(text: str) -> str:
    """A text of a device, fit for a message."""
    kept = "".join(character if character.isprintable() else "?" for character in text.strip())
    return kept if len(kept) <= LONGEST_SHOWN else kept[:LONGEST_SHOWN] + "..."


def line_around(text: str, place: int) -> str:
    """The line of a text that has this place in it."""
    return text[text.rfind("\n", 0, place) + 1 :].split("\n", 1)[0]


def _told(rows: tuple[Row, ...]) -> str:
    outlets = [shown(row.outlet) for row in rows]
    return ", ".join(outlets[:8]) + (f" and {len(outlets) - 8} more" if len(outlets) > 8 else "")
