# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The agent type ``fence_agent``: any ClusterLabs fence agent that is installed on the machine that speaks to the device.

Options are checked against the agent's own metadata, and its words are taken for what they prove. How an agent is run
is in ``_fence_agent_program.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    AuthenticationFailed,
    BadReply,
    Deadline,
    DeviceError,
    Driver,
    HostKeyFailed,
    Kind,
    NotFound,
    Power,
    Problem,
    Reading,
    Reason,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._fence_agent_program import (
    NAME,
    Metadata,
    Parameter,
    find_program,
    metadata_of,
    package_of,
    run,
)

# Our options, and what agents call them: the name of today, and the old one.
OURS: Mapping[str, tuple[str, ...]] = {
    "address": ("ip", "ipaddr"),
    "username": ("username", "login"),
    "password": ("password", "passwd"),
    "plug": ("plug", "port"),
}
# Options of agents that have no place here, and why.
REFUSED: Mapping[str, str] = {
    "action": "is chosen by the task; leave it out",
    "option": "is chosen by the task; leave it out",
    "debug": "writes secrets to a file; leave it out",
    "debug_file": "writes secrets to a file; leave it out",
    "verbose": "writes secrets to the system's log; leave it out",
    "verbose_level": "writes secrets to the system's log; leave it out",
    "help": "is no option of a run; leave it out",
    "version": "is no option of a run; leave it out",
    "missing_as_off": "takes what the device does not know for off; leave it out",
    "network_fencing": "cuts the network instead of the power; leave it out",
    "baremetalsolution": "reads the opposite of what is asked for; leave it out",
    "plug_separator": "is for several plugs; write one agent for each plug",
    "separator": "is chosen by the type; leave it out",
}
# What an agent has to be able to do.
ACTIONS = frozenset({"on", "off", "status"})
# Stands in no name of a plug, so that an agent takes a plug for one plug and its lists can be taken apart.
SEPARATOR = "|;|"
# Fence Agent API: exit status and printed word of the action status. Both are asked for: a program that breaks ends with 2 as well.
STATUS = {(0, "on"): Power.ON, (2, "off"): Power.OFF}
STATUS_LINE = re.compile(r"^\s*status:\s*(\S+)\s*$", re.I | re.M)
# What the agents' common library prints when a device has taken the command and does not show it yet.
WAITED = ("timed out waiting to power off", "timed out waiting to power on")
NOT_LISTED = ("N/A", "NOTICE: List option is not working on this device yet")
# What fence_apc_snmp and its like take for the name of a plug when the device has no such table.
NO_NAME = ("no more variables left in this mib view", "no such object available", "no such instance currently exists")
MOST_NAMED = 20

# What agents print when they fail, in lower case, and what it means; the first that fits counts. Never shown: agents echo.
FAILURES: tuple[tuple[str, type[DeviceError], str, str], ...] = (
    ("certificate", TlsFailed, "the device's certificate was not accepted", "look at the agent's TLS options"),
    ("host key verification failed", HostKeyFailed, "the SSH host key is not the expected one", "look at known_hosts"),
    ("no module named", Unsupported, "it lacks a Python library", "run it by hand to see which one"),
    ("modulenotfounderror", Unsupported, "it lacks a Python library", "run it by hand to see which one"),
    ("unable to run", Unsupported, "it lacks a program that it calls", "run it by hand to see which one"),
    ("no such file", Unsupported, "it lacks a program that it calls", "run it by hand to see which one"),
    ("command was not found", Unsupported, "it lacks a program that it calls", "run it by hand to see which one"),
    ("command not found", Unsupported, "it lacks a program that it calls", "run it by hand to see which one"),
    ("unrecognised action", Unsupported, "it does not know the action", "look at its metadata"),
    ("you have to set login", Unsupported, "it misses a username or a password", "look at the agent's options"),
    ("you have to enter password", Unsupported, "it misses a password", "look at the agent's options"),
    ("you have to enter fence address", Unsupported, "it misses an address", "look at the agent's options"),
    ("you have to enter plug", Unsupported, "it misses a plug", "write the option plug"),
    ("correct privileges", AuthenticationFailed, "the account may not do this", "give it a role that may switch power"),
    ("login failed", AuthenticationFailed, "the login failed", "look at username and password"),
    ("authentication fail", AuthenticationFailed, "the login failed", "look at username and password"),
    ("incorrect password", AuthenticationFailed, "the login failed", "look at username and password"),
    ("permission denied", AuthenticationFailed, "the login failed", "look at username and password"),
    ("401 client error", AuthenticationFailed, "the login failed", "look at username and password"),
    ("unauthorized", AuthenticationFailed, "the login failed", "look at username and password"),
    ("name or service not known", Unreachable, "the name cannot be resolved", "look at the address"),
    ("could not resolve", Unreachable, "the name cannot be resolved", "look at the address"),
    ("connection refused", Unreachable, "the connection was refused", "look at address and port"),
    ("no route to host", Unreachable, "there is no route to the device", "look at the network"),
    ("network is unreachable", Unreachable, "there is no route to the device", "look at the network"),
    ("unable to connect/login", Unreachable, "it could not connect or log in", "look at address, port and password"),
    ("unable to connect", Unreachable, "it could not connect", "look at address and port"),
    ("failed to connect", Unreachable, "it could not connect", "look at address and port"),
    ("connection lost", Unreachable, "it lost the connection", "try again"),
    ("timed out", TimedOut, "the device did not answer it in time", "is the device alive?"),
    ("timeout", TimedOut, "the device did not answer it in time", "is the device alive?"),
    ("existing machine", NotFound, "it does not find the plug", "look at the option plug"),
    ("can not find vm uuid", NotFound, "it does not find the plug", "look at the option plug"),
    ("no such plug", NotFound, "it does not find the plug", "look at the option plug"),
    ("no such outlet", NotFound, "it does not find the plug", "look at the option plug"),
    ("domain not found", NotFound, "it does not find the plug", "look at the option plug"),
    (
        "unable to obtain correct plug status",
        BadReply,
        "it could not read the power",
        "look at the agent's options, the plug and the password",
    ),
)

# Agents whose status is off when they do not know it, by their source (fence-agents 4.12.1). That the plug is listed does not help.
DOUBTFUL: Mapping[str, str] = {
    "fence_amt": "a host that sleeps",
    "fence_apc_snmp": "an outlet whose state the PDU does not know",
    "fence_cisco_ucs": "a blade that is degraded, unknown or pulled out",
    "fence_compute": "a service that was disabled",
    "fence_crosslink": "a host that answers no ping",
    "fence_dummy": "a file that is missing",
    "fence_emerson": "an outlet in any state but on",
    "fence_evacuate": "a service that was disabled",
    "fence_ibmblade": "a blade in any state but on",
    "fence_ibmz": "a partition that does not communicate",
    "fence_ilo_mp": "every state but enabled",
    "fence_ilo_ssh": "every state but enabled",
    "fence_ilo3_ssh": "every state but enabled",
    "fence_ilo4_ssh": "every state but enabled",
    "fence_ilo5_ssh": "every state but enabled",
    "fence_intelmodular": "a blade in any state but on",
    "fence_ipdu": "an outlet in any state but on",
    "fence_lpar": "a partition in any state that it does not know",
    "fence_rhevm": "a VM whose status is missing",
    "fence_sbd": "a host that was sent a message",
    "fence_skalar": "a VM on a node that is offline",
    "fence_tripplite_snmp": "an outlet whose state the PDU does not know",
    "fence_virsh": "a VM that is still shutting down, or sleeps",
    "fence_vmware_rest": "a VM that is suspended",
    "fence_vmware_soap": "a VM that is suspended",
    "fence_zvmip": "an image that it does not find",
}
# Types of ours for the same devices.
INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("fence_apc_snmp", "fence_emerson", "fence_ipdu", "fence_tripplite_snmp"), "snmp"),
    "fence_virsh": "libvirt",
}


class FenceAgentDriver(Driver):
    """One plug (or the only host) of one device. Nothing is kept between calls but that the plug exists."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._agent: str = options["agent"]
        self._plug: str | None = options.get("plug")
        self._plug_exists = False

    def read(self, deadline: Deadline) -> Reading:
        status, out, err = self._run("status", deadline)
        words = [word.lower() for word in STATUS_LINE.findall(out)]
        power = STATUS.get((status, words[0])) if len(set(words)) == 1 else None
        if power is None and status in (0, 2):
            seen = f"{self._agent} ended with status {status} and says {_listed(words) or 'nothing'} of the power"
            return Reading(
                Power.UNKNOWN, seen, Reason.BAD_REPLY, f"{seen}; on is 0 with Status: ON, off is 2 with Status: OFF"
            )
        if power is None:
            raise self._failure("status", status, err)
        if power is Power.OFF:
            # Agents read off where there is nothing: off counts for plugs that the device has.
            self._look_for_the_plug(deadline)
        return Reading(power, f"Status: {words[0].upper()}")

    def switch(self, power: Power, deadline: Deadline) -> None:
        status, _out, err = self._run(str(power), deadline)
        if status != 0 and not any(words in err.lower() for words in WAITED):
            failure = self._failure(str(power), status, err)
            if isinstance(failure, Unreachable):
                # Agents connect for every step: the command may have been carried out before.
                failure = TimedOut(failure.seen, "whether the device acted is not known")
            raise failure

    def _look_for_the_plug(self, deadline: Deadline) -> None:
        _path, metadata = self._program(deadline)
        if self._plug_exists or self._plug is None or "list" not in metadata.actions:
            return
        status, out, err = self._run("list", deadline)
        if status != 0:
            raise self._failure("list", status, err)
        lines = [line for line in out.splitlines() if line.strip() and not any(no in line.lower() for no in NO_NAME)]
        plugs = [_names_of_plug(line) for line in lines]
        unable = len(lines) == 1 and lines[0].strip() in NOT_LISTED
        if not unable and not any(self._plug in names for names in plugs):
            known = _listed(_printable(names[0]) for names in plugs[:MOST_NAMED] if names) or "none"
            more = f" and {len(plugs) - MOST_NAMED} more" if len(plugs) > MOST_NAMED else ""
            raise NotFound(
                f"{self._agent} reads off, but lists no plug {self._plug}: it has {known}{more}",
                "look at the option plug",
            )
        self._plug_exists = True

    def _run(self, action: str, deadline: Deadline) -> tuple[int, str, str]:
        path, metadata = self._program(deadline)
        given = {"action": action, **stdin_options(self._options, metadata)}
        status, out, err = run(path, given, deadline)
        return status, out.decode(errors="replace"), err.decode(errors="replace")

    def _program(self, deadline: Deadline) -> tuple[str, Metadata]:
        path = find_program(self._agent)
        if path is None:
            raise Unsupported(f"the program {self._agent} is missing", f"install {package_of(self._agent)}")
        return path, metadata_of(path, deadline)

    def _failure(self, action: str, status: int, err: str) -> DeviceError:
        text = err.lower()
        for words, error, seen, advice in FAILURES:
            if words in text:
                return error(f"{self._agent} failed at {action}: {seen}", advice)
        return BadReply(f"{self._agent} failed at {action}: it ended with status {status}", "run it by hand to see why")


def _names_of_plug(line: str) -> list[str]:
    """The number and the name of a plug in a line of a list; an agent of its own making separates them by what it likes."""
    if SEPARATOR in line:
        return [name.strip() for name in line.split(SEPARATOR)][:2]
    return [name for name in re.split(r"[,\s]+", line.strip()) if name][:2]


def _listed(words: Any) -> str:
    return ", ".join(words)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:60])


def stdin_options(options: Mapping[str, Any], metadata: Metadata) -> dict[str, str]:
    """What is written to the agent, but for the action."""
    given: dict[str, str] = {}
    for ours, theirs in OURS.items():
        name = metadata.first_of(theirs)
        if options.get(ours) is not None and name is not None:
            given[name] = str(options[ours])
    for name, value in _theirs(options):
        text = _written(metadata.parameters.get(name, Parameter(name)), value)
        if text is not None:
            given[name] = text
    for name, value in (("separator", SEPARATOR), ("plug_separator", SEPARATOR), ("retry_on", "0")):
        if name in metadata.parameters:
            given.setdefault(name, value)
    return given


def _theirs(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The options by the agent's own names."""
    for option in ("options", "secret_options"):
        for name, value in (options.get(option) or {}).items():
            yield str(name), value


def _written(parameter: Parameter, value: Any) -> str | None:
    """A value as an agent understands it; None for an option that is better left out."""
    if parameter.type == "boolean":
        # Agents ask whether an option was given, not what it says: false is written only against a default of true.
        return "1" if _truth(value) else "0" if parameter.on else None
    return str(value)


def _truth(value: Any) -> bool | None:
    word = str(value).lower()
    if word in ("1", "yes", "on", "true"):
        return True
    return False if word in ("0", "no", "off", "false") else None


def missing_program(options: Mapping[str, Any]) -> str | None:
    agent = options["agent"]
    if not NAME.fullmatch(agent) or find_program(agent):
        return None
    return f"{agent} (package {package_of(agent)})"


def problems(options: Mapping[str, Any]) -> list[Problem]:
    agent = options["agent"]
    if not NAME.fullmatch(agent):
        return [("agent", "must be the name of a fence agent, such as fence_ipmilan")]
    found = [*_line_problems(options), *_doubts(agent, options)]
    path = find_program(agent)
    if found or path is None:
        return found
    try:
        metadata = metadata_of(path)
    except DeviceError as error:
        return [("agent", str(error))]
    return list(_ability_problems(agent, metadata)) or [
        *_own_option_problems(agent, options, metadata),
        *_their_option_problems(agent, options, metadata),
        *_missing_options(agent, options, metadata),
    ]


def _line_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Each option is a line on the agent's stdin."""
    for option in ("options", "secret_options"):
        for name, value in (options.get(option) or {}).items():
            if not re.fullmatch(r"[A-Za-z0-9_-]+", str(name)):
                yield option, "has a key that is no name of an option"
            elif isinstance(value, (list, tuple, Mapping)) or value is None:
                yield f"{option}.{name}", "must be a text, a number, true or false"
            elif any(character in str(value) for character in "\n\r\0"):
                yield f"{option}.{name}", "must be one line without NUL characters"
    if SEPARATOR in str(options.get("plug") or "") or options.get("plug") == "":
        yield "plug", f"must be one plug: not empty, and without {SEPARATOR}"


def _doubts(agent: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    if agent in DOUBTFUL and not options.get("trust_status"):
        yield (
            "agent",
            f"{agent} also reads off for {DOUBTFUL[agent]}, so its off proves nothing;"
            f" {f'use the type {INSTEAD[agent]}, or ' if agent in INSTEAD else ''}write trust_status: true if you accept that",
        )


def _ability_problems(agent: str, metadata: Metadata) -> Iterator[Problem]:
    missing = sorted(ACTIONS - metadata.actions)
    if missing:
        yield (
            "agent",
            f"{agent} has no action {' and no action '.join(missing)}, so it cannot switch power and prove it",
        )
    elif metadata.cuts_off:
        yield "agent", f"{agent} cuts a host off from storage or network; its off does not say that the power is off"


def _own_option_problems(agent: str, options: Mapping[str, Any], metadata: Metadata) -> Iterator[Problem]:
    for ours, theirs in OURS.items():
        if options.get(ours) is not None and metadata.first_of(theirs) is None:
            yield ours, f"{agent} has no such option; leave it out"


def _their_option_problems(agent: str, options: Mapping[str, Any], metadata: Metadata) -> Iterator[Problem]:
    ours_of = {name: ours for ours, theirs in OURS.items() for name in theirs}
    secret_options = options.get("secret_options") or {}
    for option in ("options", "secret_options"):
        for name, value in (options.get(option) or {}).items():
            key, parameter = f"{option}.{name}", metadata.parameters.get(name)
            if name.replace("-", "_") in REFUSED:
                yield key, REFUSED[name.replace("-", "_")]
            elif parameter is None:
                near = get_close_matches(name, metadata.parameters, n=1)
                yield key, f"is no option of {agent}" + (f"; did you mean {near[0]}?" if near else "")
            elif name in ours_of:
                yield key, f"is the option {ours_of[name]} of the type; write it there"
            elif option == "options" and name in secret_options:
                yield key, "is written below secret_options, too"
            elif option == "options" and parameter.secret:
                yield key, "speaks of a secret; write it below secret_options, where it is kept out of logs"
            else:
                what = _value_problem(parameter, value)
                if what:
                    yield key, what


def _value_problem(parameter: Parameter, value: Any) -> str | None:
    text = str(value)
    if parameter.type == "boolean":
        return None if _truth(value) is not None else "must be true or false"
    if parameter.type in ("integer", "second"):
        return None if re.fullmatch(r"-?\d+", text) and not isinstance(value, bool) else "must be a whole number"
    if parameter.type == "select" and parameter.choices:
        known = [choice.upper() for choice in parameter.choices]
        return None if text.upper() in known else f"must be one of {', '.join(parameter.choices)}"
    return None


def _missing_options(agent: str, options: Mapping[str, Any], metadata: Metadata) -> Iterator[Problem]:
    """What the agent says that it cannot do without."""
    ours_of = {name: ours for ours, theirs in OURS.items() for name in theirs}
    given = {*stdin_options(options, metadata), "action"}
    told = set[str]()
    for name, parameter in metadata.parameters.items():
        names = metadata.same_as(name)
        key = ours_of.get(name, f"options.{name}")
        if parameter.required and not names & given and key not in told and not names & told:
            told |= {key, *names}
            yield key, f"is missing: {agent} needs it"


def _describe(options: Mapping[str, Any]) -> str:
    address, plug = options.get("address"), options.get("plug")
    return " ".join((options["agent"], *((str(address),) if address else ()))) + (f", plug {plug}" if plug else "")


def _device(options: Mapping[str, Any]) -> str:
    """What takes one conversation at a time: the address, whatever agent speaks to it."""
    return str(options.get("address") or options["agent"]).lower()


def _target(options: Mapping[str, Any]) -> str:
    more = sorted((str(name), str(value)) for name, value in (options.get("options") or {}).items())
    return repr((options["agent"], str(options.get("address") or "").lower(), options.get("plug"), more))


TYPE = AgentType(
    name="fence_agent",
    # An agent knows plugs, not what hangs on them; and nobody knows how many conversations its device takes.
    kind=Kind.CHASSIS,
    parallel=False,
    manners_from_agent=True,
    timeout_s=90.0,
    read_timeout_s=20.0,
    # An agent waits for the new power itself, for 20 s by default (its option power_timeout).
    exchange_s=45.0,
    argument_spec={
        "agent": {"type": "str", "required": True},
        "address": {"type": "str"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "plug": {"type": "str", "aliases": ["outlet"]},
        "options": {"type": "dict"},
        "secret_options": {"type": "dict", "no_log": True},
        "trust_status": {"type": "bool", "default": False},
    },
    open=FenceAgentDriver,
    describe=_describe,
    device=_device,
    target=_target,
    problems=problems,
    missing_program=missing_program,
)
