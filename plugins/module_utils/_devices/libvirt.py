# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``libvirt``: virtual machines of a hypervisor, through the program virsh.

The program needs no compiler where the Python binding does, can be ended whatever the hypervisor does, and finds every
transport that libvirt has. This file knows virsh's words for a domain's state; it does not know when to ask.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from urllib.parse import urlsplit

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    AuthenticationFailed,
    BadReply,
    Deadline,
    DeviceDriver,
    DeviceError,
    HostKeyFailed,
    Kind,
    NotFound,
    Options,
    Power,
    Problem,
    Reading,
    Reason,
    Refused,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._process import BoundedProcess

# virDomainState as virsh prints it. A paused domain keeps its memory and may go on at any moment: it is on.
STATES = {"running": Power.ON, "idle": Power.ON, "paused": Power.ON, "shut off": Power.OFF}
TRANSITIONS = frozenset({"in shutdown"})
# virDomainShutoffReason: shut off here because it runs on another hypervisor now.
ELSEWHERE = "migrated"
STATE = re.compile(r"([a-z ]+?)(?: \(([a-z -]+)\))?")
ACTIONS = {Power.ON: "start", Power.OFF: "destroy"}
# Stands in the quoted name of a domain on virsh's command line: no quote, no backslash, no semicolon, nothing invisible.
NAME = re.compile(r"[^\s'\"\\;-]([^\n\r\t'\"\\;]*[^\s'\"\\;])?")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
# Tells apart what was printed for which domain.
MARK = "@@domain {}@@"
MARKED = re.compile(r"@@domain (\d+)@@")
LARGEST_OUTPUT = 1024 * 1024
# What would make virsh speak another language, read another configuration, or ask a person for a password.
OTHERS = ("ANSIBLE_", "DISPLAY", "LANG", "LC_", "LIBVIRT_", "PYTHON", "SSH_ASKPASS", "VIRSH_", "WAYLAND_DISPLAY")

# What virsh prints when it fails, in lower case; the first that fits counts. Never shown: it may quote a URI.
Failures = tuple[tuple[str, type[DeviceError], str, str], ...]
NOT_CONNECTED = "failed to connect to the hypervisor"
OF_THE_LOGIN: Failures = (
    ("host key verification failed", HostKeyFailed, "its SSH host key is not the expected one", "look at known_hosts"),
    ("certificate", TlsFailed, "TLS was not accepted", "look at the certificates of libvirt"),
    (
        "permission denied",
        AuthenticationFailed,
        "the login failed",
        "look at the SSH key, or at the rights on the socket",
    ),
    ("authentication failed", AuthenticationFailed, "the login failed", "look at the credentials of libvirt"),
    ("authentication unavailable", AuthenticationFailed, "the login failed", "look at polkit and the user's groups"),
    ("access denied", AuthenticationFailed, "the account may not do this", "look at libvirt's access control"),
    ("no connection driver available", Unsupported, "virsh does not know such a hypervisor", "look at the URI"),
    (NOT_CONNECTED, Unreachable, "the hypervisor cannot be reached", "look at the URI, and whether libvirtd runs"),
)
# The connection broke in the middle: the command may have been carried out.
OF_THE_CONNECTION: Failures = tuple(
    (words, TimedOut, "the connection to the hypervisor broke before it had answered", "whether it acted is not known")
    for words in ("cannot recv data", "cannot write data", "end of file", "socket is closed", "keepalive timeout")
)
OF_A_DOMAIN: Failures = (
    ("failed to get domain", NotFound, "the hypervisor has no such domain", "write its name or UUID; was it migrated?"),
    ("domain not found", NotFound, "the hypervisor has no such domain", "write its name or UUID; was it migrated?"),
    ("access denied", AuthenticationFailed, "the account may not do this", "look at libvirt's access control"),
    ("not supported", Unsupported, "the hypervisor cannot do this", "look at the URI"),
    ("cannot acquire state change lock", BadReply, "the domain is held by another job of libvirt", "try again"),
    ("timed out", TimedOut, "the hypervisor did not do it in time", "look at the hypervisor's log"),
)


class LibvirtDriver(DeviceDriver):
    """The domains of one hypervisor. Each call is one run of virsh; nothing is kept."""

    def __init__(self, options: Options) -> None:
        self._uri: str = options["uri"]

    def read_all(self, agents: Sequence[Options], deadline: Deadline) -> Sequence[Reading | DeviceError]:
        answers, complaints = self._ask("domstate --reason", agents, deadline)
        return [
            _reading(answer) if answer else self._complaint(agent["domain"], complaints)
            for agent, answer in zip(agents, answers, strict=True)
        ]

    def switch_all(self, agents: Sequence[Options], power: Power, deadline: Deadline) -> Sequence[DeviceError | None]:
        answers, complaints = self._ask(ACTIONS[power], agents, deadline)
        return [
            None if answer else self._complaint(agent["domain"], complaints)
            for agent, answer in zip(agents, answers, strict=True)
        ]

    def _ask(self, command: str, agents: Sequence[Options], deadline: Deadline) -> tuple[list[str], str]:
        """What virsh prints about each domain, nothing for one that it failed at, and what it complains of."""
        if deadline.over:
            raise TimedOut("no time was left to run virsh", "raise the timeout")
        program = shutil.which("virsh")
        if program is None:
            raise Unsupported("the program virsh is missing", f"install {PACKAGE}")
        script = "; ".join(
            f"echo '{MARK.format(number)}'; {command} --domain '{agent['domain']}'"
            for number, agent in enumerate(agents)
        )
        process = BoundedProcess(deadline, LARGEST_OUTPUT)
        try:
            _status, out, err = process.run([program, "--connect", self._uri, script], None, "/", _environment())
        except OSError as error:
            raise Unsupported(f"virsh cannot be run ({type(error).__name__})", "look at the program") from None
        if process.killed:
            raise TimedOut("virsh did not end in time and was ended", "is the hypervisor alive?")
        complaints = err.decode(errors="replace")
        answers = _by_domain(out.decode(errors="replace"), len(agents))
        if not any(answers):
            table = OF_THE_LOGIN if NOT_CONNECTED in complaints.lower() else OF_THE_CONNECTION
            found = _first(table, complaints)
            if found is not None:
                raise found
        return answers, complaints

    @staticmethod
    def _complaint(domain: str, complaints: str) -> DeviceError:
        about = _about(domain, complaints)
        found = _first(OF_A_DOMAIN + OF_THE_CONNECTION, about)
        if found is not None:
            return found
        if about:
            return Refused(f"the hypervisor refused domain {domain}", "look at the hypervisor's own log")
        return BadReply(f"virsh said nothing of domain {domain}", "try it by hand")


def _reading(answer: str) -> Reading:
    """A state that is not known word for word is none."""
    found = STATE.fullmatch(answer)
    state, reason = (found[1], found[2]) if found else ("", None)
    shown = "".join(character if character.isprintable() else "?" for character in answer[:60])
    power = STATES.get(state)
    if power is Power.OFF and reason == ELSEWHERE:
        return Reading(Power.UNKNOWN, shown, Reason.CONFLICT, "it was migrated to another hypervisor; ask that one")
    if power is not None:
        return Reading(power, shown)
    if state in TRANSITIONS:
        return Reading(Power.UNKNOWN, shown, Reason.UNCONFIRMED, f"the domain is {shown}: neither on nor off")
    return Reading(Power.UNKNOWN, shown, Reason.BAD_REPLY, f"the domain is {shown}; look at the hypervisor")


def _by_domain(output: str, number_of_domains: int) -> list[str]:
    """The parts of the output after each mark; a part that is there twice, or not at all, is nothing."""
    parts = MARKED.split(output)
    answers: dict[int, list[str]] = {}
    for number, text in zip(parts[1::2], parts[2::2], strict=True):
        answers.setdefault(int(number), []).append(text.strip())
    return [answers[number][0] if len(answers.get(number, ())) == 1 else "" for number in range(number_of_domains)]


def _about(domain: str, complaints: str) -> str:
    """The lines of a complaint that begins with this domain's name, up to the next that names another one.

    A complaint that names none at all is about the only domain.
    """
    lines: list[str] = []
    speaks = named = False
    for line in complaints.splitlines():
        if re.search(r"domain '?[^']", line, re.I) and re.match(r"error: failed to ", line, re.I):
            named = True
            speaks = f"'{domain}'" in line or line.rstrip().endswith(f" {domain}")
        if speaks:
            lines.append(line)
    return "\n".join(lines) if named else complaints


def _first(table: Failures, text: str) -> DeviceError | None:
    lower = text.lower()
    return next((error(seen, advice) for words, error, seen, advice in table if words in lower), None)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    return {**kept, "LC_ALL": "C", "LANG": "C"}


def problems(options: Options) -> list[Problem]:
    domain = str(options["domain"])
    found: list[Problem] = []
    if domain.isdecimal():
        found.append(
            ("domain", "is a number, which virsh takes for an ID that changes with every start; write the UUID")
        )
    elif not NAME.fullmatch(domain):
        found.append(("domain", "must be the name or the UUID of a domain, without quotes, backslashes and semicolons"))
    try:
        parts = urlsplit(options["uri"])
        password = parts.password
    except ValueError:
        return [*found, ("uri", "must be a URI of libvirt, such as qemu+ssh://fence@hypervisor/system")]
    if not re.fullmatch(r"[a-z][a-z0-9+]*", parts.scheme) or any(character.isspace() for character in options["uri"]):
        found.append(("uri", "must be a URI of libvirt, such as qemu+ssh://fence@hypervisor/system"))
    if password is not None:
        found.append(("uri", "must not hold a password, since arguments of programs can be seen; log in with a key"))
    return found


PACKAGE = "libvirt-clients (Debian) or libvirt-client (RPM)"


def missing_program(options: Options) -> str | None:
    return None if shutil.which("virsh") else f"virsh (package {PACKAGE})"


def describe(options: Options) -> str:
    return f"{options['uri']}, domain {options['domain']}"


def device(options: Options) -> str:
    return str(options["uri"])


def target(options: Options) -> str:
    domain = str(options["domain"])
    return f"{options['uri']} {domain.lower() if UUID.fullmatch(domain) else domain}"


TYPE = AgentType(
    name="libvirt",
    kind=Kind.CHASSIS,
    # libvirtd takes many clients at once.
    parallel=True,
    # QEMU gets 15 s to end before it is killed; a hypervisor under load takes its time, too.
    timeout_s=60.0,
    read_timeout_s=15.0,
    exchange_s=30.0,
    argument_spec={
        "uri": {"type": "str", "default": "qemu:///system"},
        "domain": {"type": "str", "required": True},
    },
    open_device=LibvirtDriver,
    own_options=frozenset({"domain"}),
    describe=describe,
    device=device,
    target=target,
    problems=problems,
    missing_program=missing_program,
)
