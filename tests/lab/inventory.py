# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an Ansible YAML inventory to the agents of its hosts, and from a few numbers to such an inventory.

Reads plain YAML by itself (groups, group_vars, host_vars, ``{{ name }}``), and the output of ``ansible-inventory --list``.
It knows what an agent looks like, not what a device does.
"""

from __future__ import annotations

import json
import random
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.\w+)*)\s*\}\}")
OURS = re.compile(r"^(fence_agents|fence_agent_defaults|fence_credentials_\w+|rack\w*)$")
CHASSIS_TYPES = ("ipmi", "redfish")
BUILT_IN_TYPES = (*CHASSIS_TYPES, "snmp")
DEFAULT_PORTS = {"ipmi": 623, "redfish": 443, "snmp": 161}


class BadInventory(ValueError):
    """The inventory cannot be made into a rack; the message says where and what to write."""


@dataclass(frozen=True)
class Agent:
    """One agent of one host with all of its options, defaults and credentials merged in."""

    host: str
    name: str
    type: str
    options: Mapping[str, Any]

    @property
    def address(self) -> str:
        return str(self.options["address"])

    @property
    def port(self) -> int:
        return int(self.options.get("port") or DEFAULT_PORTS[self.type])

    @property
    def device(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def served(self) -> bool:
        """Whether the rack has a server for it. Agents of other people's types it only knows as outlets."""
        return self.type in BUILT_IN_TYPES

    @property
    def supplies(self) -> bool:
        return self.type == "snmp" or (not self.served and self.options.get("kind") == "supply")

    def option(self, *names: str, default: Any = None) -> Any:
        """The first of these options that is set."""
        return next((self.options[name] for name in names if self.options.get(name) is not None), default)


@dataclass(frozen=True)
class InventoryHost:
    """A host with its agents and what ``rack*`` variables say of it."""

    name: str
    agents: tuple[Agent, ...]
    variables: Mapping[str, Any] = field(repr=False, default_factory=dict)


# Reading


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # twenty times as fast, where PyYAML was built with it


class _Loader(_Base):  # type: ignore[misc]
    pass


def _vault(_loader: yaml.SafeLoader, _node: yaml.Node) -> Any:
    raise BadInventory(
        "the inventory holds a !vault value; the rack cannot open it, give plain values or ansible-inventory --list"
    )


_Loader.add_constructor("!vault", _vault)
_Loader.add_constructor("!unsafe", lambda _loader, node: str(node.value))


def load(source: Path | str | Mapping[str, Any]) -> list[InventoryHost]:
    """The hosts of an inventory: a file, or the data of one."""
    if isinstance(source, Mapping):
        data, folder = dict(source), None
    else:
        path = Path(source)
        data, folder = yaml.load(path.read_text(), _Loader) or {}, path.parent
    variables = _listed(data) if "_meta" in data else _merged(data, folder)
    return [_host(name, values) for name, values in variables.items()]


def _listed(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What ``ansible-inventory --list`` prints."""
    return {name: dict(values) for name, values in data["_meta"]["hostvars"].items()}


def _merged(data: Mapping[str, Any], folder: Path | None) -> dict[str, dict[str, Any]]:
    """Variables by host, in Ansible's order: far groups, near groups by name, the host."""
    top = data.get("all") or {}
    outside = {name: group for name, group in data.items() if name != "all"}
    root = {**top, "children": {**(top.get("children") or {}), **outside}}
    found: dict[str, list[tuple[int, str, Mapping[str, Any]]]] = {}
    own: dict[str, dict[str, Any]] = {}

    def visit(name: str, group: Mapping[str, Any], chain: tuple[tuple[int, str, Mapping[str, Any]], ...]) -> None:
        values = {**(group.get("vars") or {}), **_variables_file(folder, "group_vars", name)}
        chain = (*chain, (len(chain), name, values))
        for pattern, host_values in (group.get("hosts") or {}).items():
            for host in _expand(str(pattern)):
                own.setdefault(host, {}).update(host_values or {})
                found.setdefault(host, []).extend(level for level in chain if level not in found.get(host, []))
        for child, content in (group.get("children") or {}).items():
            visit(str(child), content or outside.get(child) or {}, chain)

    visit("all", root, ())
    result = {}
    for host, levels in found.items():
        values: dict[str, Any] = {}
        for _depth, _name, group_values in sorted(levels, key=lambda level: level[:2]):
            values.update(group_values)
        result[host] = {**values, **own[host], **_variables_file(folder, "host_vars", host)}
    return result


def _variables_file(folder: Path | None, kind: str, name: str) -> dict[str, Any]:
    """``group_vars/NAME.yml`` and the like, beside the inventory."""
    values: dict[str, Any] = {}
    if folder is None:
        return values
    places = [folder / kind / name, *(folder / kind / f"{name}{suffix}" for suffix in (".yml", ".yaml"))]
    for place in places:
        for path in sorted(place.glob("*.y*ml")) if place.is_dir() else [place] if place.is_file() else []:
            values.update(yaml.load(path.read_text(), _Loader) or {})
    return values


def _expand(pattern: str) -> Iterator[str]:
    """``node[01:12]`` is twelve hosts."""
    found = re.search(r"\[(\d+):(\d+)\]", pattern)
    if found is None:
        yield pattern
        return
    for number in range(int(found[1]), int(found[2]) + 1):
        yield from _expand(pattern[: found.start()] + str(number).zfill(len(found[1])) + pattern[found.end() :])


def _resolved(value: Any, variables: Mapping[str, Any], where: str, depth: int = 0) -> Any:
    """Put the values of ``{{ name }}`` in. Anything more than a name is not understood here."""
    if depth > 20:
        raise BadInventory(f"{where}: templates that never end")
    if isinstance(value, Mapping):
        return {key: _resolved(item, variables, f"{where}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, variables, where, depth + 1) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value

    def look_up(name: str) -> Any:
        found: Any = variables
        for part in name.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise BadInventory(f"{where}: no variable {name}")
            found = found[part]
        return _resolved(found, variables, where, depth + 1)

    whole = TEMPLATE.fullmatch(value.strip())
    if whole:
        return look_up(whole[1])
    text = TEMPLATE.sub(lambda found: str(look_up(found[1])), value)
    if "{{" in text:
        raise BadInventory(
            f"{where}: the rack reads no template but {{{{ name }}}}; write the value, or give ansible-inventory --list"
        )
    return text


def _host(name: str, raw: Mapping[str, Any]) -> InventoryHost:
    known = {"inventory_hostname": name, **raw}
    values = {key: _resolved(value, known, f"{name}: {key}") for key, value in raw.items() if OURS.match(key)}
    agents = tuple(_agent(name, agent, own or {}, values) for agent, own in (values.get("fence_agents") or {}).items())
    return InventoryHost(name, agents, {key: value for key, value in values.items() if key.startswith("rack")})


def _agent(host: str, name: str, own: Mapping[str, Any], variables: Mapping[str, Any]) -> Agent:
    """Defaults of the type, then the credential, then the agent's own keys."""
    kind = str(own.get("type") or "")
    if not kind:
        raise BadInventory(f"{host}: agent {name} has no type")
    if kind.startswith("hostpm.fencing.") and kind.endswith("_power"):
        kind = kind.removeprefix("hostpm.fencing.").removesuffix("_power")
    defaults = (variables.get("fence_agent_defaults") or {}).get(kind) or {}
    credential = own.get("credential", defaults.get("credential"))
    secrets: Mapping[str, Any] = {}
    if credential is not None:
        if f"fence_credentials_{credential}" not in variables:
            raise BadInventory(f"{host}: agent {name}: no variable fence_credentials_{credential}")
        secrets = variables[f"fence_credentials_{credential}"] or {}
    options = {**defaults, **secrets, **own}
    if kind in BUILT_IN_TYPES and not options.get("address"):
        raise BadInventory(f"{host}: agent {name} has no address")
    return Agent(host, name, kind, options)


# Making one


def free_ports(count: int, seed: int | None = None) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, below those that the kernel gives to clients."""
    chance = random.Random(seed)
    ports: list[int] = []
    for _attempt in range(100 * count + 100):
        if len(ports) == count:
            return ports
        port = chance.randrange(10000, 32000)
        if port not in ports and _is_free(port):
            ports.append(port)
    raise BadInventory("no free ports on 127.0.0.1")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


SHAPES = {
    "bmc": "an IPMI BMC",
    "redfish": "a Redfish BMC",
    "psu": "a supply on PDU 1",
    "2psu": "two supplies on two PDUs, the usual redundant server",
}
SNMP_CREDENTIALS: Mapping[str, Mapping[str, Any]] = {
    "1": {"version": "1", "community": "rack-private"},
    "2c": {"version": "2c", "community": "rack-private"},
    "3": {
        "version": "3",
        "username": "rackuser",
        "auth_protocol": "sha256",
        "auth_password": "rack-auth-secret",
        "priv_protocol": "aes128",
        "priv_password": "rack-priv-secret",
    },
}


def make_inventory(
    path: Path | str | None = None,
    *,
    hosts: int = 2,
    pdus: int = 2,
    shape: str = "bmc+2psu",
    model: str = "apc_rpdu2",
    snmp_version: str = "2c",
    rack_defaults: Mapping[str, Any] | None = None,
    agent_defaults: Mapping[str, Mapping[str, Any]] | None = None,
    host_vars: Mapping[str, Mapping[str, Any]] | None = None,
    variables: Mapping[str, Any] | None = None,
    state_dir: Path | str | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """An inventory of ``node1`` .. ``nodeN`` on free ports, as data; written to ``path`` if one is given.

    ``shape`` joins parts with ``+``: bmc, redfish, and psu with a number before it. Supply number k of a host is on PDU
    number k (counted round), host number i on its outlet i. Levels: each chassis agent its own, then all supplies together.
    """
    parts = shape.split("+")
    supplies = sum(int(part.removesuffix("psu") or 1) for part in parts if part.endswith("psu"))
    chassis = [part for part in parts if not part.endswith("psu")]
    unknown = [part for part in chassis if part not in ("bmc", "redfish")]
    if unknown or (supplies and pdus < 1):
        raise BadInventory(f"no shape {shape!r}; join with +: {', '.join(SHAPES)} (and have a PDU for a supply)")
    per_pdu = -(-supplies // pdus) if supplies else 0
    ports = iter(free_ports(pdus + hosts * len(chassis), seed))
    pdu_ports = [next(ports) for _pdu in range(pdus)]
    defaults: dict[str, dict[str, Any]] = {
        "ipmi": {"username": "fence"},
        "redfish": {
            "username": "fence",
            **({"ca_path": str(Path(state_dir) / "ca.pem")} if state_dir else {"validate_certs": False}),
        },
        "snmp": {"model": model, **SNMP_CREDENTIALS[snmp_version]},
    }
    for kind, more in (agent_defaults or {}).items():
        defaults.setdefault(kind, {}).update(more)
    nodes: dict[str, Any] = {}
    for number in range(1, hosts + 1):
        agents: dict[str, Any] = {}
        for part in chassis:
            kind = "ipmi" if part == "bmc" else part
            agents[part] = {
                "type": kind,
                "address": "127.0.0.1",
                "port": next(ports),
                "password": f"bmc-secret-{number}",
            }
        names = [f"psu_{chr(ord('a') + supply)}" for supply in range(supplies)]
        for supply, name in enumerate(names):
            outlet = (number - 1) * per_pdu + supply // pdus + 1
            agents[name] = {"type": "snmp", "address": "127.0.0.1", "port": pdu_ports[supply % pdus], "outlet": outlet}
        levels = [[part] for part in chassis] + ([names] if names else [])
        nodes[f"node{number}"] = {
            "fence_agents": agents,
            "fence_levels": levels,
            **((host_vars or {}).get(f"node{number}") or {}),
        }
    used = {agent["type"] for node in nodes.values() for agent in node["fence_agents"].values()}
    shared: dict[str, Any] = {
        "fence_agent_defaults": {
            kind: values for kind, values in defaults.items() if kind in used or kind in (agent_defaults or {})
        },
        **({"rack_defaults": dict(rack_defaults)} if rack_defaults else {}),
        **(variables or {}),
    }
    inventory = {"all": {"vars": shared, "hosts": nodes}}
    if path is not None:
        plain = json.loads(json.dumps(inventory))  # no anchors and aliases in the file
        Path(path).write_text("---\n" + yaml.safe_dump(plain, sort_keys=False))
    return inventory
