# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret in every field that takes one, and a search for each of them in everything that leaves a task, or that it leaves behind."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from end_to_end.programs import Done, Programs, Vaulted, as_yaml, fence

from lab.inventory import free_ports
from lab.rack import RunningRack, make_inventory

VAULT_PASSWORD = "Kx7VaultPassword"
# Every secret holds a word that stands nowhere else, so that a part of one is found as well as all of it.
SECRETS = {
    "ipmi password": "Kx7Ipmi-pw",
    "ipmi k_g": "Kx7IpmiKg+1",
    "redfish password": "Kx7Redfish:pw/2",
    "snmp community": "Kx7Community",
    "snmp write_community": "Kx7Writers",
    "snmp auth_password": "Kx7AuthPassword",
    "snmp priv_password": "Kx7PrivPassword",
    "foreign no_log": "Kx7PassPhrase",
    "foreign by name": "Kx7Token\"quo'te\\back slash&é",
    "foreign nested": "Kx7Nested password",
    "variable of the task": "Kx7TaskSecret",
    "wrong ipmi password": "Kx7WrongIpmi",
    "wrong redfish password": "Kx7WrongRedfish",
    "wrong community": "Kx7WrongCommunity",
    "wrong auth_password": "Kx7WrongAuthPassword",
    "misplaced": "Kx7Misplaced",
    "in a template": "Kx7InATemplate",
    "vault password": VAULT_PASSWORD,
}
VISIBLE = "no-secret-at-all"
CORES = {
    name: secret[: next((at for at, sign in enumerate(secret) if not sign.isalnum()), len(secret))]
    for name, secret in SECRETS.items()
}


def spellings(core: str) -> set[str]:
    """The word itself, in hexadecimal, and in base64 wherever it begins in what was encoded."""
    raw = core.encode()
    encoded = {base64.b64encode(b"x" * shift + raw)[4 if shift else 0 :].decode() for shift in range(3)}
    return {core, raw.hex()} | {text.rstrip("=")[:-2] for text in encoded}


SOUGHT = [(name, spelling) for name, core in CORES.items() for spelling in spellings(core)]


def secrets_found(text: str) -> set[str]:
    return {name for name, spelling in SOUGHT if spelling in text}


def vaulted(secret: str) -> Vaulted:
    return Vaulted(VaultLib().encrypt(secret, VaultSecret(VAULT_PASSWORD.encode())).decode())


# -- the rack and its inventory ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rack() -> Iterator[RunningRack]:
    inventory = make_inventory(hosts=3, pdus=2, shape="bmc+redfish+2psu")
    for node in inventory["all"]["hosts"].values():
        agents = node["fence_agents"]
        agents["bmc"].update(password=SECRETS["ipmi password"], k_g=SECRETS["ipmi k_g"])
        agents["redfish"].update(password=SECRETS["redfish password"])
        agents["psu_a"].update(community=SECRETS["snmp community"], write_community=SECRETS["snmp write_community"])
        agents["psu_b"].update(
            V3, auth_password=SECRETS["snmp auth_password"], priv_password=SECRETS["snmp priv_password"]
        )
    with RunningRack(inventory) as running:
        yield running


V3 = {"version": "3", "username": "fence", "auth_protocol": "sha256", "priv_protocol": "aes128"}


@dataclass
class Ports:
    """Where the devices of a node of the rack are."""

    rack: RunningRack
    node: str

    def of(self, agent: str) -> dict[str, Any]:
        options = self.rack._agents[f"{self.node}.{agent}"].options
        return {key: options[key] for key in ("address", "port", "outlet") if key in options}


def right(ports: Ports, folder: Path, **bmc: Any) -> dict[str, Any]:
    """A node's agents, their secrets written in as many ways as there are."""
    return {
        "fence_agents": {
            "bmc": {"type": "ipmi", **ports.of("bmc"), "credential": "bmc", "k_g": "{{ nested.deep[0].k_g }}", **bmc},
            "redfish": {
                "type": "redfish",
                **ports.of("redfish"),
                "username": "fence",
                "password": SECRETS["redfish password"],
            },
            "psu_a": {
                "type": "snmp",
                **ports.of("psu_a"),
                "version": "2c",
                "write_community": vaulted(SECRETS["snmp write_community"]),
            },
            "psu_b": {
                "type": "snmp",
                **ports.of("psu_b"),
                "credential": "v3",
                "priv_password": SECRETS["snmp priv_password"],
            },
            "tap": blabbing(folder, "well", ports.node),
        },
        "fence_levels": [["bmc"], ["redfish"], ["psu_a", "psu_b"], ["tap"]],
    }


def blabbing(folder: Path, behave: str, host: str) -> dict[str, Any]:
    """A tap of a busbar of its own, and a module that may say all that it knows."""
    busbar = folder / host
    busbar.mkdir()
    (busbar / "tap1").write_text("on")
    return {
        "type": "acme.dc.busbar_power",
        "address": str(busbar),
        "tap": 1,
        # As a chassis it would be a witness that says on for ever, and object if it is quick enough.
        "kind": "supply",
        "behave": behave,
        "pass_phrase": SECRETS["foreign no_log"],
        "login_token": SECRETS["foreign by name"],
        "login": {"user": "fence", "password": SECRETS["foreign nested"]},
        **({"timeout": 4} if behave == "hangs" else {}),
    }


def wrong(ports: Ports | None) -> dict[str, Any]:
    """The same devices with other passwords, or nobody's ports."""
    names = ("bmc", "redfish", "psu_a", "psu_b")
    where = {name: ports.of(name) if ports else {"address": "127.0.0.1", "port": free_ports(1)[0]} for name in names}
    agents: dict[str, dict[str, Any]] = {
        "bmc": {"type": "ipmi", "username": "fence", "password": SECRETS["wrong ipmi password"]},
        "redfish": {"type": "redfish", "username": "fence", "password": SECRETS["wrong redfish password"]},
        "psu_a": {"type": "snmp", "version": "2c", "community": SECRETS["wrong community"], "outlet": 1},
        "psu_b": {"type": "snmp", **V3, "auth_password": SECRETS["wrong auth_password"], "priv_password": SECRETS["misplaced"], "outlet": 1},
    }  # fmt: skip
    # A wrong community is silence for as long as one waits; a wrong key is an answer, when the PDU has time for it.
    short = ("psu_a",) if ports else names
    budgets = {name: {"timeout": 2, "read_timeout": 2} for name in short}
    found = {name: {**agent, **where[name], **budgets.get(name, {})} for name, agent in agents.items()}
    return {"fence_agents": found, "fence_levels": [[name] for name in found]}


def echoing(ports: Ports) -> dict[str, Any]:
    """A BMC that will tell the community of a PDU as its power."""
    redfish = {"type": "redfish", **ports.of("redfish"), "username": "fence", "password": SECRETS["redfish password"]}
    return {
        "fence_agents": {"redfish": redfish, "psu": {"type": "snmp", **ports.of("psu_a")}},
        "fence_levels": [["redfish"], ["psu"]],
    }


def mistaken(rack: RunningRack) -> dict[str, dict[str, Any]]:
    """Hosts whose secret stands where none belongs, or in a template that fails."""
    bmc = {"type": "ipmi", "username": "fence", **Ports(rack, "node1").of("bmc"), "password": SECRETS["misplaced"]}
    misplaced, templated = SECRETS["misplaced"], "{{ in_a_template }}"
    agents = {
        "bad-port": {**bmc, "port": misplaced},
        "bad-type": {**bmc, "type": misplaced},
        "bad-credential": {**bmc, "credential": misplaced},
        "bad-privilege": {**bmc, "privilege": misplaced},
        "bad-newline": {**bmc, "password": f"{misplaced}\n"},
        "bad-long": {**bmc, "password": misplaced * 3},
        "bad-timeout": {**bmc, "timeout": misplaced},
        "bad-agent": misplaced,
        "template-lookup": {**bmc, "password": "{{ lookup('ansible.builtin.vars', in_a_template) }}"},
        "template-filter": {**bmc, "password": "{{ in_a_template | no_such_filter }}"},
        "template-add": {**bmc, "password": "{{ in_a_template + 5 }}"},
        "template-key": {**bmc, "password": "{{ {}[in_a_template] }}"},
        "template-mandatory": {**bmc, "password": "{{ nobody_wrote_this | mandatory(in_a_template) }}"},
        "template-port": {**bmc, "port": templated},
        "template-outlet": {"type": "snmp", "address": "127.0.0.1", "outlet": 0, "community": templated},
    }
    hosts: dict[str, dict[str, Any]] = {name: {"fence_agents": {"bmc": agent}} for name, agent in agents.items()}
    return {**hosts, "bad-level": {"fence_agents": {"bmc": bmc}, "fence_levels": [["bmc"], [misplaced]]}}


# -- watching a run ------------------------------------------------------------------------------------------------------


@dataclass
class Watcher:
    """Looks at all processes that began after the program, and at Ansible's temporary files, again and again while it runs."""

    first: int
    folders: tuple[Path, ...]
    over: threading.Event = field(default_factory=threading.Event)
    seen: set[str] = field(default_factory=set)
    looks: int = 0

    def watch(self) -> None:
        while not self.over.wait(0.02):
            self.looks += 1
            for folder in self.folders:
                for place, _folders, names in os.walk(folder):  # folders may vanish meanwhile
                    for name in names:
                        self.see(Path(place, name))
            for path in Path("/proc").iterdir():
                # A program has the environment that it was started with.
                if path.name.isdigit() and int(path.name) >= self.first and self.see(path / "cmdline"):
                    self.see(path / "environ")

    def see(self, path: Path) -> bool:
        """Whether there is something new to see."""
        try:
            content = path.read_bytes().decode(errors="replace")
        except OSError:
            return False
        seen = f"{path}: {content}"
        new = seen not in self.seen
        self.seen.add(seen)
        return new


LONGEST_S = 170
# Everything that Ansible can be made to tell.
TALKATIVE = {
    "ANSIBLE_DEBUG": "1",
    "ANSIBLE_DISPLAY_TRACEBACK": "always",
    "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true",
    "ANSIBLE_KEEP_REMOTE_FILES": "true",
    "ANSIBLE_INJECT_INVOCATION": "true",
}


@dataclass(frozen=True)
class Ran:
    """Where a run's traces are, by the name of the place, and its results."""

    done: Done
    places: Mapping[str, str]
    looks: int


def inventory_of(rack: RunningRack, folder: Path) -> dict[str, Any]:
    hosts = {
        "node1": right(Ports(rack, "node1"), folder),
        "node2": right(Ports(rack, "node2"), folder, library="pyghmi"),
        "wrong": wrong(Ports(rack, "node1")),
        "nowhere": wrong(None),
        "blabs": {"fence_agents": {"tap": blabbing(folder, "blabs", "blabs")}},
        "hangs": {"fence_agents": {"tap": blabbing(folder, "hangs", "hangs")}},
        "echoes": echoing(Ports(rack, "node3")),
        **mistaken(rack),
    }
    return {
        "all": {
            "vars": {
                "fence_agent_defaults": {
                    "snmp": {"model": "apc_rpdu2", "community": SECRETS["snmp community"], "read_timeout": 30},
                    "redfish": {"validate_certs": False},
                },
                "fence_credentials_bmc": {"username": "fence", "password": vaulted(SECRETS["ipmi password"])},
                "fence_credentials_v3": {**V3, "auth_password": "{{ vaulted_auth }}"},
                "vaulted_auth": vaulted(SECRETS["snmp auth_password"]),
                "nested": {"deep": [{"k_g": SECRETS["ipmi k_g"]}]},
                "secret_of_task": SECRETS["variable of the task"],
                "in_a_template": SECRETS["in a template"],
                "fence_confirm_interval": 0.05,
                "fence_hold_off": 0.1,
                "fence_witness_timeout": 1,
                "fence_log": str(folder / "fence.jsonl"),
            },
            "hosts": hosts,
        }
    }


def tasks(rack: RunningRack) -> list[dict[str, Any]]:
    of_task = {
        "type": "ipmi",
        "username": "fence",
        **Ports(rack, "node1").of("bmc"),
        "password": "{{ secret_of_task }}",
        "timeout": 5,
    }
    nodes = {"when": "inventory_hostname is match('node')"}
    return [
        fence(progress=True, task={"register": "read"}),
        fence("off", task={"register": "off"}),
        fence("restarted", agents=["psu_a", "psu_b"], task={**nodes, "register": "restarted"}),
        fence("off", task={**nodes, "check_mode": True}),
        fence("on", task={**nodes, "vars": {"fence_agents": {"bmc": of_task}, "fence_levels": [["bmc"]]}}),
        {
            "name": "Role",
            "ansible.builtin.include_role": {"name": "hostpm.fencing.fence"},
            "vars": {"fence_state": "on"},
            **nodes,
        },
        {"name": "Show", "ansible.builtin.debug": {"msg": [VISIBLE, "{{ read }}", "{{ off }}", "{{ restarted }}"]}},
    ]


@pytest.fixture(scope="module")
def ran(rack: RunningRack, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One playbook over all hosts, that tells all it can, watched while it runs."""
    folder = tmp_path_factory.mktemp("secrets")
    programs = Programs(folder, inventory_of(rack, folder))
    (folder / "vault").write_text(VAULT_PASSWORD)
    playbook = programs.write_play(tasks(rack), ignore_errors=True, strategy="free")
    rack.fault("node3.redfish", "unlisted", SECRETS["snmp community"])
    log = folder / "ansible.log"
    process = programs.start(
        "ansible-playbook", str(playbook), "-i", str(programs.inventory), "-vvvvv", "--diff", "--forks", "6",
        "--vault-password-file", str(folder / "vault"), env={**TALKATIVE, "ANSIBLE_LOG_PATH": str(log)},
    )  # fmt: skip
    watcher = Watcher(process.pid, (programs.home, folder / ".ansible"))
    thread = threading.Thread(target=watcher.watch)
    thread.start()
    with process:
        try:
            stdout, stderr = process.communicate(timeout=LONGEST_S)
        finally:
            process.kill()
            watcher.over.set()
            thread.join()
    done = programs.done(process, stdout, stderr)
    left = [
        path.read_text(errors="replace") for place in watcher.folders for path in place.rglob("*") if path.is_file()
    ]
    places = {
        "standard output": stdout,
        "standard error": stderr,
        "what callbacks get": programs.recording.read_text(),
        "results": json.dumps(done.results, ensure_ascii=False),
        "Ansible's own log": log.read_text(),
        "fence_log": (folder / "fence.jsonl").read_text(),
        "processes and temporary files": "\n".join(watcher.seen),
        "files that are left": "\n".join(left),
    }
    return Ran(done, places, watcher.looks)


# By place: something that stands in it, or the search in it could not fail.
CONTROLS = {
    "standard output": VISIBLE,
    "standard error": "[WARNING]",
    "what callbacks get": "v2_runner_on_failed",
    "results": VISIBLE,
    "Ansible's own log": VISIBLE,
    "fence_log": "off is sent",
    "processes and temporary files": "RECORDER_FILE=",
    "files that are left": "",
}


@pytest.mark.timeout(LONGEST_S + 30)
@pytest.mark.parametrize("place", CONTROLS)
def test_no_secret_is_in(place: str, ran: Ran) -> None:
    assert CONTROLS[place] in ran.places[place]
    assert secrets_found(ran.places[place]) == set()


def test_the_watched_run_did_all_that_it_should(ran: Ran) -> None:
    """Secrets of agents that were never asked could not leak."""
    done = ran.done
    for node in ("node1", "node2"):
        agents = done.of(node, 0)["agents"]
        assert {name: agent["power"] for name, agent in agents.items()} == dict.fromkeys(agents, "on"), agents
        assert done.of(node, 1)["fenced"] is True
        assert (done.of(node, 2)["fenced"], done.of(node, 2)["power"]) == (True, "on")
    reasons = {
        host: [agent["reason"] for agent in done.of(host)["agents"].values()]
        for host in ("wrong", "nowhere", "blabs", "hangs")
    }
    assert reasons["wrong"][:2] == ["auth", "auth"] and reasons["wrong"][3] == "auth", reasons
    assert set(reasons["nowhere"]) <= {"unreachable", "timeout"}, reasons
    assert (reasons["blabs"], reasons["hangs"]) == (["refused"], ["timeout"])
    assert done.of("blabs")["agents"]["tap"]["msg"].count("********") >= 4
    assert "********" in done.of("echoes")["agents"]["redfish"]["msg"]
    assert all(done.of(host)["failed"] for host, _result in done.results if host.startswith(("bad-", "template-")))
    assert ran.looks > 20


def test_the_commands_of_the_watched_run_reached_the_devices(ran: Ran, rack: RunningRack) -> None:
    for agent, sent in {"psu_a": {"off", "on"}, "psu_b": {"off", "on"}, "bmc": {"off"}}.items():
        for node in ("node1", "node2"):
            accepted = {command.action for command in rack.commands(f"{node}.{agent}") if command.outcome == "accepted"}
            assert accepted >= sent, f"{node}.{agent}"


# -- ansible-runner, and results as files ------------------------------------------------------------------------------


def test_no_secret_is_in_the_artifacts_and_events_of_ansible_runner(rack: RunningRack, tmp_path: Path) -> None:
    rack.reset()
    private = tmp_path / "private"
    for name in ("project", "inventory", "env"):
        (private / name).mkdir(parents=True)
    programs = Programs(tmp_path / "run")
    inventory = inventory_of(rack, tmp_path)
    for host in ("nowhere", "hangs", "wrong"):
        del inventory["all"]["hosts"][host]
    (private / "inventory" / "hosts.yml").write_text(as_yaml(inventory))
    shown = [fence(progress=True, task={"register": "read"}), fence("off", confirm_reads=1, task={"register": "off"})]
    shown.append({"name": "Show", "ansible.builtin.debug": {"msg": [VISIBLE, "{{ read }}", "{{ off }}"]}})
    playbook = programs.write_play(shown, ignore_errors=True)
    playbook.rename(private / "project" / "play.yml")
    (tmp_path / "vault").write_text(VAULT_PASSWORD)
    (private / "env" / "cmdline").write_text(f"-vvvv --diff --vault-password-file {tmp_path / 'vault'}")
    done = programs.run("ansible-runner", "run", str(private), "-p", "play.yml", "--ident", "one", env=TALKATIVE)
    artifacts = private / "artifacts" / "one"
    events = sorted((artifacts / "job_events").glob("*.json"))
    text = "\n".join(path.read_text(errors="replace") for path in artifacts.rglob("*") if path.is_file())
    assert [json.loads(path.read_text())["event"] for path in events].count("runner_on_failed") > 10
    assert VISIBLE in text and VISIBLE in done.stdout
    assert "reads on" in text and "barrier" in text
    assert secrets_found(text) == secrets_found(done.stdout + done.stderr) == set()


def test_no_secret_is_in_anything_that_a_task_for_all_hosts_tells(rack: RunningRack, tmp_path: Path) -> None:
    """One host's secret must not be told with another host's result either."""
    rack.reset()
    programs = Programs(tmp_path / "run", inventory_of(rack, tmp_path))
    (tmp_path / "vault").write_text(VAULT_PASSWORD)
    log = tmp_path / "ansible.log"
    run = {"run_once": True, "register": "fence_run", "ignore_errors": True}
    done = programs.play(
        [
            {"name": "Read all", "hostpm.fencing.fence_all": {"progress": True}, **run},
            {"name": "All off", "hostpm.fencing.fence_all": {"state": "off", "confirm_reads": 1}, **run},
            {"name": "Verdict", "hostpm.fencing.fence_result": {}, "ignore_errors": True},
            {"name": "Show", "ansible.builtin.debug": {"msg": [VISIBLE, "{{ fence_run }}"]}, "run_once": True},
        ],
        "-vvvvv", "--diff", "--vault-password-file", str(tmp_path / "vault"),
        env={**TALKATIVE, "ANSIBLE_LOG_PATH": str(log)}, longest_s=LONGEST_S,
    )  # fmt: skip
    hosts = done.results[0][1]["hosts"]
    assert (hosts["node1"]["power"], hosts["blabs"]["agents"]["tap"]["reason"]) == ("on", "refused")
    assert all(hosts[host]["failed"] for host in hosts if host.startswith(("bad-", "template-")))
    places = [done.stdout, done.stderr, programs.recording.read_text(), json.dumps(done.results), log.read_text()]
    places.append((tmp_path / "fence.jsonl").read_text())
    assert VISIBLE in places[0] and "barrier" in places[-1]
    assert secrets_found("".join(places)) == set()


def test_no_secret_is_in_an_ad_hoc_result_as_json(rack: RunningRack, tmp_path: Path) -> None:
    rack.reset()
    programs = Programs(tmp_path / "run", inventory_of(rack, tmp_path))
    (tmp_path / "vault").write_text(VAULT_PASSWORD)
    tree = tmp_path / "tree"
    done = programs.ad_hoc("blabs,node1", "", "--tree", str(tree), "--vault-password-file", str(tmp_path / "vault"))
    assert json.loads((tree / "node1").read_text())["agents"]["psu_b"]["power"] == "on"
    assert json.loads((tree / "blabs").read_text())["agents"]["tap"]["reason"] == "refused"
    assert secrets_found(done.stdout + done.stderr + "".join(path.read_text() for path in tree.iterdir())) == set()


# -- secrets that cannot be masked, and results that masking must not break ------------------------------------------------

# By a name for the host: a password that is an ordinary word, or too short, or looks like something else.
ORDINARY = {
    "word": "off",
    "reason": "UNREACHABLE",
    "short": "abc",
    "told": "reads",
    "part": "reach",
    "nodename": "node",
    "agentname": "tap",
}
# Passwords that are masked, and look like what results are made of.
HARMLESS = {"nothing": "None", "yes": "True", "no": "False", "number": "1000", "key": "agents", "another": "attempts"}


def test_a_result_is_the_same_whatever_the_password_is(tmp_path: Path) -> None:
    hosts = {}
    for name, password in {**ORDINARY, **HARMLESS, "plain": "Kx7Plain"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "tap1").write_text("off")
        agent = {"type": "acme.dc.busbar_power", "address": str(tmp_path / name), "tap": 1, "login_token": password}
        hosts[name] = {"fence_agents": {"tap": agent}}
    done = Programs(tmp_path / "run", {"all": {"hosts": hosts}}).ad_hoc("all", "state=off confirm_reads=1")

    def settled(host: str) -> dict[str, Any]:
        """The result without what differs between any two runs."""
        result = dict(done.of(host))
        agents = {name: {**agent, "duration": 0} for name, agent in result["agents"].items()}
        timeline = [{**event, "at": 0} for event in result["timeline"]]
        return {**result, "agents": agents, "timeline": timeline, "duration": 0, "warnings": None}

    for name in (*ORDINARY, *HARMLESS):
        assert settled(name) == settled("plain"), name
    output = " ".join((done.stdout + done.stderr).split())
    for name, password in ORDINARY.items():
        what = f"{name}: agent tap: login_token: a secret of fewer than 4 characters, or one that is an ordinary word of the result"
        assert output.count(what) == 1, name
        assert f"{what}: {password}" not in output
    for name in (*HARMLESS, "plain"):
        assert f"{name}: agent tap: login_token" not in output
