# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Inventory variables in, a host with its agents and levels out; or every mistake in them, before anything is contacted.

This file knows the words that users write; it knows no protocol, and gets Ansible's templating as a function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import COMMON_ARGUMENTS, AgentType, Kind
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import (
    budgets,
    missing_software,
    option_problems,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._secret_names import SECRET_NAME
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Host, Level
from ansible_collections.hostpm.fencing.plugins.plugin_utils._secrets import Mask

# Resolves the templates in a value of the inventory; raises TemplateFailed.
Template = Callable[[Any], Any]
# Finds an agent type by the word that users write; raises LookupError with what to do instead.
FindType = Callable[[str], AgentType]

# Keys of an agent that are not options of its type.
KIND_KEYS = ("kind", "parallel")
AGENT_KEYS = ("type", "credential", *KIND_KEYS)
CREDENTIALS = "fence_credentials_"


class TemplateFailed(Exception):
    """A template in the inventory cannot be resolved; the message holds no value."""


class InputError(Exception):
    """Mistakes in variables or options, one line each. Each names the host, the agent and the key, never a secret."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = list(lines)
        super().__init__("\n".join(self.lines))


@dataclass
class _Findings:
    """Collects the mistakes of one host."""

    host: str
    lines: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    # What must not be quoted, whatever else is wrong: "agent option" to a value.
    secrets: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, what: str, agent: str | None = None) -> None:
        subject = f"agent {agent}: {key}" if agent else key
        line = f"{self.host}: {subject}: {what}"
        if line not in self.lines:
            self.lines.append(line)

    def stop_if_any(self) -> None:
        if self.lines:
            mask = Mask(self.secrets, (self.host, *self.agents))
            raise InputError(mask.text(line) for line in self.lines)


@dataclass(frozen=True)
class ParsedHost:
    """A host, the type of each of its agents, and the values that must never be shown."""

    host: Host
    types: Mapping[str, AgentType]
    secrets: Mapping[str, str]


def parse_host(name: str, variables: Mapping[str, Any], template: Template, find_type: FindType) -> ParsedHost:
    """Read ``fence_agents``, ``fence_levels``, ``fence_agent_defaults`` and ``fence_credentials_*`` of one host.

    Raises InputError with every mistake found. ``secrets`` maps "agent option" to a value.
    """
    findings = _Findings(name)
    reader = _Reader(variables, template, find_type, findings)
    raw_agents = reader.mapping("fence_agents")
    if not raw_agents and not findings.lines:
        findings.add(
            "fence_agents", "is not defined for this host; write for example {bmc: {type: ipmi, address: ...}}"
        )
    findings.stop_if_any()
    agents: dict[str, Agent] = {}
    types: dict[str, AgentType] = {}
    for raw_name in raw_agents:
        name_problem = _name_problem(raw_name) or ("is given twice" if str(raw_name) in findings.agents else None)
        if name_problem:
            findings.add("fence_agents", f"the name of an agent {name_problem}", ascii(raw_name))
        findings.agents.append(str(raw_name))
    findings.stop_if_any()
    for agent_name, raw in zip(findings.agents, raw_agents.values(), strict=True):
        parsed = reader.agent(agent_name, raw)
        if parsed is not None:
            agents[agent_name], types[agent_name] = parsed
    level_names = reader.levels(findings.agents)
    findings.stop_if_any()
    _refuse_twins(agents, types, findings)
    levels = tuple(
        Level(number, tuple(agents[agent] for agent in members)) for number, members in enumerate(level_names, start=1)
    )
    _refuse_mixed_levels(levels, findings)
    findings.stop_if_any()
    return ParsedHost(Host(name, levels, levels), types, findings.secrets)


def choose_agents(host: Host, names: Sequence[str]) -> Host:
    """The host restricted to the named agents. Raises InputError for a name that it does not have."""
    known = {agent.name for agent in host.all_agents}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(
            f"{host.name}: agents: there is no agent {name!r} on this host; it has {', '.join(sorted(known))}"
            for name in unknown
        )
    if not names:
        raise InputError([f"{host.name}: agents: is an empty list; leave it out to use all agents"])
    return host.subset(frozenset(names))


class _Reader:
    """Reads the variables of one host; mistakes go to the findings."""

    def __init__(
        self, variables: Mapping[str, Any], template: Template, find_type: FindType, findings: _Findings
    ) -> None:
        self._variables = variables
        self._template = template
        self._find_type = find_type
        self._findings = findings

    def mapping(self, variable: str, agent: str | None = None) -> dict[Any, Any]:
        """A variable that must be a mapping, its values not templated yet; empty if it is not defined."""
        raw = self._variables.get(variable)
        if not isinstance(raw, (Mapping, list)):
            raw = self._resolved(raw, variable, agent)
        if raw is None:
            return {}
        if not isinstance(raw, Mapping):
            self._findings.add(variable, "must be a mapping of names to values", agent)
            return {}
        return dict(raw)

    def agent(self, name: str, raw: Any) -> tuple[Agent, AgentType] | None:
        """One agent with its type; None if something is wrong with it. Its secrets go to the findings."""
        before = len(self._findings.lines)
        given = self._given(name, raw)
        if given is None or len(self._findings.lines) > before:
            return None
        agent_type = self._type(name, given)
        if agent_type is None:
            return None
        spec = {**COMMON_ARGUMENTS, **agent_type.argument_spec}
        given = _by_option(given, spec)
        self._note_secrets(name, given, spec)
        options = self._options(name, given, spec, agent_type)
        if options is None or len(self._findings.lines) > before:
            return None
        for option, what in option_problems(agent_type, options):
            self._findings.add(option, what, name)
        missing = missing_software(agent_type, options)
        if missing:
            what = f"{missing} is missing on the machine that runs Ansible; install it there"
            self._findings.add("type", what, name)
        kind, parallel = self._manners(name, given, agent_type, options)
        if len(self._findings.lines) > before:
            return None
        timeout_s, read_timeout_s = budgets(agent_type, options)
        agent = Agent(
            name=name,
            type=agent_type.name,
            kind=kind,
            where=f"{agent_type.name} {agent_type.describe(options)}",
            budget_s=timeout_s,
            read_budget_s=read_timeout_s,
            device=agent_type.device(options),
            parallel=parallel,
            silent_when_off=agent_type.silent_when_off,
            options=options,
        )
        return agent, agent_type

    def levels(self, agents: Sequence[str]) -> list[list[str]]:
        """``fence_levels``, or the only agent as the only level."""
        raw = self._variables.get("fence_levels")
        raw = None if raw is None else self._resolved(raw, "fence_levels")
        if raw is None:
            if len(agents) > 1:
                what = (
                    "is missing: several agents need levels; write for example"
                    f" [[{agents[0]}], [{', '.join(agents[1:])}]] (tried in order; the agents of a level act together)"
                )
                self._findings.add("fence_levels", what)
            return [[agent] for agent in agents[:1]]
        if not isinstance(raw, list) or not raw:
            self._findings.add(
                "fence_levels", "must be a list of lists of agent names, for example [[bmc], [psu_a, psu_b]]"
            )
            return []
        levels = []
        for number, members in enumerate(raw, start=1):
            if not isinstance(members, list) or not members:
                what = f"level {number} must be a list of agent names; write [[bmc], [psu_a, psu_b]], not a flat or an empty list"
                self._findings.add("fence_levels", what)
                continue
            name_problems = [problem for problem in map(_name_problem, members) if problem]
            if name_problems:
                self._findings.add("fence_levels", f"level {number}: the name of an agent {name_problems[0]}")
                continue
            levels.append([str(member) for member in members])
        if len(levels) == len(raw):
            self._check_membership(levels, agents)
        return levels

    def _check_membership(self, levels: list[list[str]], agents: Sequence[str]) -> None:
        placed = [member for members in levels for member in members]
        for number, members in enumerate(levels, start=1):
            for member in members:
                if member not in agents:
                    what = f"level {number} names the agent {member!r}, which fence_agents does not have"
                    self._findings.add("fence_levels", what)
        for agent in agents:
            if agent not in placed:
                self._findings.add("fence_levels", "the agent is in no level; put it into one", agent)
            elif placed.count(agent) > 1:
                self._findings.add("fence_levels", "the agent is in several places; one level may have it, once", agent)

    def _given(self, name: str, raw: Any) -> dict[str, Any] | None:
        """What is written for an agent: defaults of its type, then its credential, then its own keys."""
        if not isinstance(raw, (Mapping, list)):
            raw = self._resolved(raw, "fence_agents", name)
        if not isinstance(raw, Mapping):
            self._findings.add("fence_agents", "must be a mapping with at least type and address", name)
            return None
        own = dict(raw)
        type_name = self._resolved(own.get("type"), "type", name)
        if not isinstance(type_name, str) or not type_name:
            self._findings.add("type", "is missing; write for example ipmi, redfish or snmp", name)
            return None
        own["type"] = type_name
        defaults = self._defaults(type_name, name)
        credential = self._resolved(own.get("credential", defaults.get("credential")), "credential", name)
        secrets = self._credential(credential, name) if credential is not None else {}
        merged = {**defaults, **secrets, **own}
        given = {str(key): self._resolved(value, str(key), name) for key, value in merged.items()}
        self._note_secrets(name, given, {})
        return given

    def _note_secrets(self, agent: str, given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> None:
        """Remember what must not be shown, also of an agent that will turn out to be wrong."""
        for option, value in given.items():
            if option not in AGENT_KEYS:
                marked = bool(spec.get(option, {}).get("no_log"))
                self._findings.secrets.update(
                    (f"{agent} {path}", text) for path, text in secrets_in(option, value, marked)
                )

    def _defaults(self, type_name: str, agent: str) -> dict[str, Any]:
        defaults = self.mapping("fence_agent_defaults")
        of_type = defaults.get(type_name, defaults.get(self._canonical(type_name)))
        if not isinstance(of_type, (Mapping, list)):
            of_type = self._resolved(of_type, "fence_agent_defaults", agent)
        if of_type is None:
            return {}
        if not isinstance(of_type, Mapping):
            self._findings.add("fence_agent_defaults", f"{type_name} must be a mapping of options to values", agent)
            return {}
        return dict(of_type)

    def _canonical(self, type_name: str) -> str:
        """A type of ours may be written as its module's full name."""
        try:
            return self._find_type(type_name).name
        except LookupError:
            return type_name

    def _credential(self, credential: Any, agent: str) -> dict[str, Any]:
        variable = f"{CREDENTIALS}{credential}"
        if self._variables.get(variable) is None:
            # Not quoted: who takes this key for the password wrote it here.
            known = ", ".join(sorted(str(key) for key in self._variables if str(key).startswith(CREDENTIALS)))
            what = f"no variable {CREDENTIALS}NAME is defined for the NAME that is written here; this host has {known or 'none'}"
            self._findings.add("credential", what, agent)
            return {}
        return self.mapping(variable, agent)

    def _type(self, name: str, given: Mapping[str, Any]) -> AgentType | None:
        try:
            return self._find_type(given["type"])
        except LookupError as error:
            self._findings.add("type", str(error.args[0]), name)
            return None

    def _options(
        self, name: str, given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]], agent_type: AgentType
    ) -> dict[str, Any] | None:
        """The options of the type with their types checked. No message quotes a value: it may be a misplaced secret."""
        before = len(self._findings.lines)
        wanted = {key: value for key, value in given.items() if key not in AGENT_KEYS}
        options: dict[str, Any] = {}
        for key in sorted(set(wanted) - set(spec)):
            self._findings.add(
                key, f"is not an option of the type {agent_type.name}; it has {', '.join(sorted(spec))}", name
            )
        for option, entry in spec.items():
            value = wanted.get(option)
            if value is None and entry.get("required"):
                self._findings.add(option, "is missing", name)
                continue
            if is_as_specified(entry, value):
                options[option] = entry.get("default") if value is None else value
                continue
            alone = {option: {key: value for key, value in entry.items() if key != "aliases"}}
            validated = ArgumentSpecValidator(alone).validate({option: value} if value is not None else {})
            if validated.error_messages or misfits(entry, value):
                self._findings.add(option, _expectation(entry), name)
            options[option] = validated.validated_parameters.get(option)
        if len(self._findings.lines) > before:
            return None
        for group in agent_type.required_together:
            missing = [option for option in group if options.get(option) is None]
            if missing and len(missing) < len(group):
                self._findings.add(missing[0], f"is missing: {' and '.join(group)} go together", name)
        for group in agent_type.mutually_exclusive:
            present = [option for option in group if options.get(option) is not None]
            if len(present) > 1:
                self._findings.add(present[1], f"cannot stand beside {present[0]}", name)
        return options

    def _manners(
        self, name: str, given: Mapping[str, Any], agent_type: AgentType, options: Mapping[str, Any]
    ) -> tuple[Kind, bool]:
        """Kind and parallel: said by the type, or by the agent where only that knows its device."""
        kind, parallel = agent_type.kind_for(options), agent_type.parallel
        for key in KIND_KEYS:
            if key in given and not agent_type.manners_from_agent:
                self._findings.add(key, f"the type {agent_type.name} knows that itself; leave it out", name)
        if not agent_type.manners_from_agent:
            return kind, parallel
        if given.get("kind") is not None:
            try:
                kind = Kind(given["kind"])
            except ValueError:
                self._findings.add("kind", "must be chassis or supply", name)
        if given.get("parallel") is not None:
            if isinstance(given["parallel"], bool):
                parallel = given["parallel"]
            else:
                self._findings.add("parallel", "must be true or false", name)
        return kind, parallel

    def _resolved(self, value: Any, key: str, agent: str | None = None) -> Any:
        if value is None:
            return None
        try:
            return self._template(value)
        except TemplateFailed as error:
            self._findings.add(key, str(error), agent)
            return None


def _name_problem(raw: Any) -> str | None:
    """What is wrong with an agent's name. In YAML the words on, off, yes and no are booleans, and nobody knows which was written."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        return "is no text; put names such as on, off, yes and no in quotes"
    text = str(raw)
    if not text.strip() or text != text.strip() or "," in text or not text.isprintable():
        return "is empty, or has a comma, a line break or space around it"
    return None


def _by_option(given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What was given, by the names of options instead of their aliases."""
    aliases = {alias: option for option, entry in spec.items() for alias in entry.get("aliases") or ()}
    return {aliases.get(key, key): value for key, value in given.items()}


def secrets_in(option: str, value: Any, marked: bool = False) -> Iterator[tuple[str, str]]:
    """The secret texts in an option, each with its path: all of a marked one, else what has a name that speaks of secrets."""
    marked = marked or bool(SECRET_NAME.search(option.rpartition(".")[2]))
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_in(f"{option}.{key}", item, marked)
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value, start=1):
            yield from secrets_in(f"{option}.{place}", item, marked)
    elif marked and value is not None and not isinstance(value, bool) and str(value):
        yield option, str(value)


# Types whose values Ansible's validator passes on as they are, by their names in a spec.
EXACT: Mapping[type, str] = {str: "str", int: "int", float: "float", bool: "bool"}


def is_as_specified(entry: Mapping[str, Any], value: Any) -> bool:
    """Whether a value is left out, or is one of those that its entry allows: the validator costs as much as a login to a BMC."""
    if value is None:
        return True
    if EXACT.get(type(value)) != entry.get("type", "str") or (entry.get("choices") and value not in entry["choices"]):
        return False
    return not isinstance(value, float) or math.isfinite(value)


def misfits(entry: Mapping[str, Any], value: Any) -> bool:
    """Values that Ansible's validator would bend: a list made text, a boolean made a number, a number that is none or endless."""
    kind = entry.get("type", "str")
    if kind in ("str", "path"):
        return value is not None and (isinstance(value, bool) or not isinstance(value, (str, int, float)))
    if kind in ("int", "float"):
        return isinstance(value, bool) or not math.isfinite(float(value or 0))
    return False


def _expectation(entry: Mapping[str, Any]) -> str:
    if entry.get("choices"):
        return f"must be one of {', '.join(str(choice) for choice in entry['choices'])}"
    words = {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "list": "a list",
        "dict": "a mapping",
    }
    kind = str(entry.get("type", "str"))
    element = words.get(str(entry.get("elements", "")), "")
    return f"must be {words.get(kind, 'text')}{f' (each {element})' if element else ''}"


def _refuse_twins(agents: Mapping[str, Agent], types: Mapping[str, AgentType], findings: _Findings) -> None:
    """One outlet under two names would make one supply look like two."""
    first: dict[tuple[str, str], str] = {}
    for name, agent in agents.items():
        for target in types[name].targets_of(agent.options):
            twin = first.setdefault((agent.type, target), name)
            if twin != name:
                findings.add("address", f"names the same device and outlet as the agent {twin} ({agent.where})", name)


def _refuse_mixed_levels(levels: Iterable[Level], findings: _Findings) -> None:
    for level in levels:
        if len({agent.kind for agent in level.agents}) > 1:
            kinds = ", ".join(f"{agent.name} is {agent.kind}" for agent in level.agents)
            findings.add(
                "fence_levels", f"level {level.number} mixes kinds ({kinds}); put them into levels of their own"
            )
