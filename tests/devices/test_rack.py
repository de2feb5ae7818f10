# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual rack as clients that others wrote see it: ipmitool, pyghmi, python-ipmi, net-snmp, pysnmp, requests.

A judge that nobody judges is worth little, so nothing of the product is used in here.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lab.pdu_facts import FAMILIES, Family, fill, oid
from lab.rack import BadInventory, Command, RunningRack, make_inventory

pytest.importorskip("pyghmi")
pytest.importorskip("pyipmi")
pytest.importorskip("pysnmp")
pytestmark = pytest.mark.skipif(
    not (shutil.which("ipmitool") and shutil.which("snmpget")),
    reason="ipmitool or net-snmp's programs are not installed",
)

PROGRAM = Path(__file__).resolve().parent.parent / "lab" / "rack.py"
FAST = {"outlet_lag_s": 0.0, "bmc_off_lag_s": 0.0, "bmc_on_lag_s": 0.0, "bmc_boot_s": 0.2, "hold_up_s": 0.0}
RPDU2_STATUS = "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5"
RPDU2_CONTROL = "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5"


def until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait for something that is about to be so."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)


class Lab:
    """A rack, and clients that speak to its agents."""

    def __init__(self, rack: RunningRack, inventory: dict[str, Any], folder: Path) -> None:
        self.rack = rack
        self.folder = folder
        self._hosts = inventory["all"]["hosts"]

    def port(self, agent: str) -> int:
        host, name = agent.split(".")
        return int(self._hosts[host]["fence_agents"][name]["port"])

    def ipmitool(
        self,
        *words: str,
        agent: str = "node1.bmc",
        suite: str = "17",
        password: str = "",
        user: str = "fence",
        port: int = 0,
    ) -> subprocess.CompletedProcess[str]:
        secret = password or f"bmc-secret-{agent[4]}"
        where = ("-I", "lanplus", "-H", "127.0.0.1", "-p", str(port or self.port(agent)), "-U", user, "-P", secret)
        return run("ipmitool", *where, *(("-C", suite) if suite else ()), "-R", "1", "-N", "1", *words)

    def power(self, agent: str = "node1.bmc") -> str:
        return self.ipmitool("chassis", "power", "status", agent=agent).stdout.strip().rpartition(" ")[2]

    def snmp(
        self,
        verb: str,
        name: str,
        *value: str,
        agent: str = "node1.psu_a",
        version: str = "2c",
        community: str = "rack-private",
    ) -> subprocess.CompletedProcess[str]:
        how = ("-v", version, "-c", community, "-Onqe", "-t", "0.5", "-r", "0")
        return run(f"snmp{verb}", *how, f"127.0.0.1:{self.port(agent)}", name, *value)

    def outlet(self, number: int = 1, agent: str = "node1.psu_a") -> str:
        return self.snmp("get", f"{RPDU2_STATUS}.{number}", agent=agent).stdout.split(" ")[-1].strip()

    def redfish(self, agent: str = "node1.redfish") -> Redfish:
        return Redfish(self.port(agent), self.folder / "ca.pem", f"bmc-secret-{agent[4]}")


class Redfish:
    """A Redfish client that is no more than requests."""

    def __init__(self, port: int, ca: Path, password: str) -> None:
        self.base = f"https://127.0.0.1:{port}"
        self.http = requests.Session()
        self.http.verify = str(ca)
        self.http.trust_env = False
        self.http.auth = ("fence", password)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.http.get(f"{self.base}{path}", timeout=1, **more)

    def state(self, system: str = "1") -> Any:
        return self.get(f"/redfish/v1/Systems/{system}").json()["PowerState"]

    def reset(self, kind: str, system: str = "1") -> requests.Response:
        path = f"/redfish/v1/Systems/{system}/Actions/ComputerSystem.Reset"
        return self.http.post(f"{self.base}{path}", json={"ResetType": kind}, timeout=1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("rack")
    inventory = make_inventory(hosts=2, shape="bmc+redfish+2psu", rack_defaults=FAST, state_dir=folder)
    with RunningRack(inventory, folder) as rack:
        yield Lab(rack, inventory, folder)


@pytest.fixture
def lab(shared: Lab) -> Iterator[Lab]:
    shared.rack.reset()
    yield shared
    shared.rack.reset()
    shared.rack.check()


# IPMI


@pytest.mark.parametrize("suite", ["1", "2", "3", "15", "16", "17", ""])
def test_ipmitool_reads_the_power_with_every_cipher_suite(lab: Lab, suite: str) -> None:
    reply = lab.ipmitool("chassis", "power", "status", suite=suite)
    assert reply.stdout.strip() == "Chassis Power is on", reply.stderr


def test_ipmitool_switches_the_host_that_the_model_has(lab: Lab) -> None:
    assert lab.ipmitool("chassis", "power", "off").returncode == 0
    assert lab.power() == "off"
    assert not lab.rack.is_running("node1")
    assert lab.rack.has_power("node1")
    assert lab.ipmitool("chassis", "power", "cycle").returncode != 0
    assert lab.ipmitool("chassis", "power", "on").returncode == 0
    assert lab.power() == "on"
    assert [command.action for command in lab.rack.commands("node1.bmc")] == ["off", "on"]
    assert lab.rack.commands("node2") == []


def test_cipher_suite_0_is_not_spoken(lab: Lab) -> None:
    assert lab.ipmitool("chassis", "power", "status", suite="0").returncode != 0


def test_a_wrong_password_and_a_wrong_user_do_not_get_in(lab: Lab) -> None:
    assert lab.ipmitool("chassis", "power", "off", password="something-else").returncode != 0
    assert lab.ipmitool("chassis", "power", "off", user="nobody").returncode != 0
    assert lab.rack.commands() == []


def test_pyghmi_logs_in_reads_and_switches(lab: Lab) -> None:
    from pyghmi.ipmi.command import Command as Pyghmi

    bmc = Pyghmi("127.0.0.1", b"fence", b"bmc-secret-1", port=lab.port("node1.bmc"))
    assert bmc.get_power() == {"powerstate": "on"}
    bmc.set_power("off", wait=True)
    assert not lab.rack.is_running("node1")
    bmc.ipmi_session.logout()
    assert until(lambda: lab.rack.devices[f"127.0.0.1:{lab.port('node1.bmc')}"].server.sessions == 0)


@pytest.mark.parametrize("suite", [3, 17])
def test_python_ipmi_logs_in_reads_and_switches(suite: int) -> None:
    import pyipmi
    import pyipmi.interfaces

    inventory = make_inventory(hosts=1, shape="bmc", rack_defaults=FAST)
    port = inventory["all"]["hosts"]["node1"]["fence_agents"]["bmc"]["port"]
    inventory["all"]["vars"]["rack_devices"] = {f"127.0.0.1:{port}": {"key_constant": 32}}  # as python-ipmi has it
    with RunningRack(inventory) as rack:
        bmc = pyipmi.create_connection(pyipmi.interfaces.create_interface("rmcpplus", cipher_suite=suite))
        bmc.session.set_session_type_rmcp("127.0.0.1", port=port)
        bmc.session.set_auth_type_user("fence", "bmc-secret-1")
        bmc.target = pyipmi.Target(ipmb_address=0x20)
        bmc.open()
        assert bmc.get_chassis_status().power_on is True
        bmc.chassis_control_power_down()
        assert bmc.get_chassis_status().power_on is False
        assert not rack.is_running("node1")
        bmc.close()


class Twice:
    """A relay on UDP that sends everything to the device twice, as a network may."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._relay, daemon=True)

    def __enter__(self) -> Twice:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _relay(self) -> None:
        client: Any = None
        while not self._over.is_set():
            try:
                data, source = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            if source == self._target:
                self._socket.sendto(data, client)
            else:
                client = source
                for _copy in range(2 if self._in_session(data) else 1):
                    self._socket.sendto(data, self._target)

    @staticmethod
    def _in_session(data: bytes) -> bool:
        """Encrypted RMCP+: ipmitool itself is confused by a login that comes twice."""
        return data[4] == 0x06 and bool(data[5] & 0x80)


def test_a_repeated_power_command_is_obeyed_once_and_counted_twice(lab: Lab) -> None:
    with Twice(lab.port("node1.bmc")) as relay:
        assert lab.ipmitool("chassis", "power", "off", port=relay.port).returncode == 0
    assert until(lambda: len(lab.rack.commands("node1.bmc")) == 2)
    assert [command.outcome for command in lab.rack.commands("node1.bmc")] == ["accepted", "repeated"]


def test_sessions_are_limited_and_given_back(tmp_path: Path) -> None:
    inventory = make_inventory(hosts=1, shape="bmc", rack_defaults=FAST)
    key = f"127.0.0.1:{inventory['all']['hosts']['node1']['fence_agents']['bmc']['port']}"
    inventory["all"]["vars"]["rack_devices"] = {key: {"sessions": 1}}
    with RunningRack(inventory) as rack:
        lab = Lab(rack, inventory, tmp_path)
        for _round in range(3):
            assert lab.power() == "on"
        shell = subprocess.Popen(
            [
                "ipmitool",
                "-I",
                "lanplus",
                "-H",
                "127.0.0.1",
                "-p",
                key[10:],
                "-U",
                "fence",
                "-P",
                "bmc-secret-1",
                "-C",
                "3",
                "shell",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        assert until(lambda: rack.devices[key].server.sessions == 1)
        assert "nsufficient resources" in lab.ipmitool("-v", "chassis", "power", "status").stderr
        shell.communicate(b"exit\n", timeout=10)
        assert until(lambda: rack.devices[key].server.sessions == 0)
        assert lab.power() == "on"


def test_k_g_and_the_privilege_of_a_user_are_enforced(tmp_path: Path) -> None:
    inventory = make_inventory(hosts=1, shape="bmc", agent_defaults={"ipmi": {"k_g": "key-of-the-bmc"}})
    key = f"127.0.0.1:{inventory['all']['hosts']['node1']['fence_agents']['bmc']['port']}"
    inventory["all"]["vars"]["rack_devices"] = {key: {"privilege": "operator"}}
    with RunningRack(inventory) as rack:
        lab = Lab(rack, inventory, tmp_path)
        assert lab.ipmitool("-L", "OPERATOR", "chassis", "power", "status").returncode != 0
        with_key = ("-k", "key-of-the-bmc")
        assert lab.ipmitool(*with_key, "-L", "OPERATOR", "chassis", "power", "status").returncode == 0
        assert lab.ipmitool(*with_key, "-L", "ADMINISTRATOR", "chassis", "power", "status").returncode != 0
        assert lab.ipmitool(*with_key, "-L", "USER", "chassis", "power", "status").returncode == 0
        assert lab.ipmitool(*with_key, "-L", "USER", "chassis", "power", "off").returncode != 0
        assert rack.is_running("node1")


def rakp(port: int, suite: tuple[int, int, int], role: int, code: bytes | None) -> tuple[int, int | None]:
    """A login by hand that does not look at the BMC's own proof. The status codes of RAKP 2 and RAKP 4."""

    def ask(kind: int, payload: bytes) -> bytes:
        packet = b"\x06\x00\xff\x07\x06" + bytes([kind]) + bytes(8) + len(payload).to_bytes(2, "little") + payload
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bmc:
            bmc.settimeout(2)
            bmc.sendto(packet, ("127.0.0.1", port))
            return bmc.recv(1024)[16:]

    algorithms = b"".join(bytes([number, 0, 0, 8, each, 0, 0, 0]) for number, each in enumerate(suite))
    session = ask(0x10, bytes([1, 0, 0, 0]) + b"HOST" + algorithms)[8:12]
    reply = ask(0x12, bytes([2, 0, 0, 0]) + session + bytes(16) + bytes([role, 0, 0, 5]) + b"fence")
    if reply[1] or code is None:
        return reply[1], None
    return reply[1], ask(0x14, bytes([3, 0, 0, 0]) + session + code)[1]


def test_the_bmc_checks_the_password_itself_and_does_not_trust_the_console(lab: Lab) -> None:
    assert rakp(lab.port("node1.bmc"), (1, 0, 0), 4, bytes(20)) == (0x00, 0x0F)
    assert rakp(lab.port("node1.bmc"), (3, 4, 1), 4, b"") == (0x00, 0x0F)


def test_a_bmc_refuses_a_role_above_that_of_the_user(lab: Lab) -> None:
    inventory = make_inventory(hosts=1, shape="bmc")
    port = inventory["all"]["hosts"]["node1"]["fence_agents"]["bmc"]["port"]
    inventory["all"]["vars"]["rack_devices"] = {f"127.0.0.1:{port}": {"privilege": "operator"}}
    with RunningRack(inventory):
        assert rakp(port, (1, 1, 1), 4, None) == (0x0A, None)
        assert rakp(port, (1, 1, 1), 3, None) == (0x00, None)


def test_a_bmc_without_feeds_is_silent_and_comes_back(lab: Lab) -> None:
    for feed in ("node1.psu_a", "node1.psu_b"):
        lab.rack.set_power(feed, False)
    assert lab.ipmitool("chassis", "power", "status").returncode != 0
    with pytest.raises(requests.Timeout):
        lab.redfish().get("/redfish/v1/")
    lab.rack.set_power("node1.psu_b", True)
    assert until(lambda: lab.power() == "on")
    assert lab.redfish().state() == "On"


def test_a_bmc_without_feeds_does_not_even_shake_hands(lab: Lab) -> None:
    for feed in ("node1.psu_a", "node1.psu_b"):
        lab.rack.set_power(feed, False)
    context = ssl.create_default_context(cafile=str(lab.folder / "ca.pem"))
    with (
        socket.create_connection(("127.0.0.1", lab.port("node1.redfish")), timeout=0.3) as plain,
        pytest.raises(TimeoutError),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_no_connection_outlives_a_restart_of_the_bmc(lab: Lab) -> None:
    redfish = lab.redfish()
    assert redfish.state() == "On"
    for feed in ("node1.psu_a", "node1.psu_b"):
        lab.rack.set_power(feed, False)
    lab.rack.set_power("node1.psu_a", True)
    assert until(lambda: lab.power() == "on")
    with pytest.raises(requests.ConnectionError):
        redfish.state()
    assert redfish.state() == "On"


# SNMP


@pytest.mark.parametrize("version", ["1", "2c"])
def test_net_snmp_reads_and_switches_an_outlet(version: str, tmp_path: Path) -> None:
    inventory = make_inventory(hosts=1, shape="2psu", snmp_version=version, rack_defaults=FAST)
    with RunningRack(inventory) as rack:
        lab = Lab(rack, inventory, tmp_path)
        assert lab.snmp("get", f"{RPDU2_STATUS}.1", version=version).stdout.split()[-1] == "2"
        assert lab.snmp("set", f"{RPDU2_CONTROL}.1", "i", "2", version=version).returncode == 0
        assert lab.snmp("get", f"{RPDU2_STATUS}.1", version=version).stdout.split()[-1] == "1"
        assert not rack.is_on("node1.psu_a")
        assert rack.is_running("node1")
        assert lab.snmp("get", f"{RPDU2_STATUS}.1", version=version, community="wrong").returncode != 0


def test_what_is_missing_is_an_exception_in_v2c_and_an_error_in_v1(tmp_path: Path) -> None:
    for version, said in (("1", "noSuchName"), ("2c", "No Such Instance")):
        inventory = make_inventory(hosts=1, shape="2psu", snmp_version=version)
        with RunningRack(inventory) as rack:
            reply = Lab(rack, inventory, tmp_path).snmp("get", f"{RPDU2_STATUS}.99", version=version)
            assert said in reply.stdout + reply.stderr


def test_a_set_of_a_wrong_value_type_or_object_is_refused(lab: Lab) -> None:
    assert "wrongValue" in lab.snmp("set", f"{RPDU2_CONTROL}.1", "i", "77").stderr
    assert "wrongType" in lab.snmp("set", f"{RPDU2_CONTROL}.1", "s", "2").stderr
    assert "notWritable" in lab.snmp("set", f"{RPDU2_STATUS}.1", "i", "1").stderr
    assert "noCreation" in lab.snmp("set", f"{RPDU2_CONTROL}.99", "i", "2").stderr
    assert lab.rack.commands() == []


def test_a_set_of_several_objects_is_done_as_a_whole_or_not_at_all(lab: Lab) -> None:
    bad = lab.snmp("set", f"{RPDU2_CONTROL}.1", "i", "2", f"{RPDU2_CONTROL}.2", "i", "77")
    assert bad.returncode != 0
    assert lab.rack.commands() == []
    assert lab.snmp("set", f"{RPDU2_CONTROL}.1", "i", "2", f"{RPDU2_CONTROL}.2", "i", "2").returncode == 0
    assert [command.outlet for command in lab.rack.commands()] == ["1", "2"]


def test_a_read_community_cannot_switch(tmp_path: Path) -> None:
    inventory = make_inventory(
        hosts=1, shape="2psu", agent_defaults={"snmp": {"community": "read-only", "write_community": "read-write"}}
    )
    with RunningRack(inventory) as rack:
        lab = Lab(rack, inventory, tmp_path)
        assert lab.snmp("get", f"{RPDU2_STATUS}.1", community="read-only").returncode == 0
        assert "noAccess" in lab.snmp("set", f"{RPDU2_CONTROL}.1", "i", "2", community="read-only").stderr
        assert lab.snmp("set", f"{RPDU2_CONTROL}.1", "i", "2", community="read-write").returncode == 0


V3_USERS = [
    ("", ""),
    ("md5", ""),
    ("md5", "des"),
    ("sha", "aes128"),
    ("sha224", "aes128"),
    ("sha256", "aes128"),
    ("sha384", "aes192"),
    ("sha512", "aes256"),
    ("sha", "aes256"),
]


def v3_inventory(auth: str, privacy: str) -> dict[str, Any]:
    inventory = make_inventory(hosts=1, shape="2psu", snmp_version="3", rack_defaults=FAST)
    options = inventory["all"]["vars"]["fence_agent_defaults"]["snmp"]
    for name in ("auth_protocol", "auth_password", "priv_protocol", "priv_password"):
        del options[name]
    options |= {"auth_protocol": auth, "auth_password": "auth-secret"} if auth else {}
    options |= {"priv_protocol": privacy, "priv_password": "priv-secret"} if privacy else {}
    return inventory


def v3_words(auth: str, privacy: str) -> list[str]:
    words = ["-v3", "-u", "rackuser", "-l", "authPriv" if privacy else "authNoPriv" if auth else "noAuthNoPriv"]
    names = {"md5": "MD5", "sha": "SHA", "des": "DES", "aes128": "AES", "aes192": "AES-192", "aes256": "AES-256"}
    words += ["-a", names.get(auth, auth.upper().replace("SHA", "SHA-")), "-A", "auth-secret"] if auth else []
    return words + (["-x", names[privacy], "-X", "priv-secret"] if privacy else [])


@pytest.mark.parametrize(("auth", "privacy"), V3_USERS)
def test_net_snmp_speaks_version_3_at_every_level(auth: str, privacy: str) -> None:
    inventory = v3_inventory(auth, privacy)
    with RunningRack(inventory) as rack:
        device = next(iter(rack.devices))
        reply = run("snmpset", *v3_words(auth, privacy), "-t1", "-r1", device, f"{RPDU2_CONTROL}.1", "i", "2")
        if "nvalid privacy protocol" in reply.stderr:
            pytest.skip(f"this net-snmp has no {privacy}")
        assert reply.returncode == 0, reply.stderr
        assert not rack.is_on("node1.psu_a")
        for wrong in ("auth-secret", "priv-secret", "rackuser"):
            words = [{wrong: "not-it-at-all"}.get(word, word) for word in v3_words(auth, privacy)]
            if words != v3_words(auth, privacy):
                assert run("snmpset", *words, "-t1", "-r0", device, f"{RPDU2_CONTROL}.1", "i", "1").returncode != 0
        assert len(rack.commands()) == 1


@pytest.mark.parametrize(
    ("auth", "privacy", "pysnmp_privacy"),
    [
        ("sha", "aes256", "USM_PRIV_CFB256_AES"),
        ("sha", "aes256", "USM_PRIV_CFB256_AES_BLUMENTHAL"),
        ("sha", "aes192", "USM_PRIV_CFB192_AES"),
        ("md5", "des", "USM_PRIV_CBC56_DES"),
    ],
)
@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")  # between pysnmp and its own pysmi
def test_pysnmp_speaks_version_3_with_either_way_to_make_a_long_key(
    auth: str, privacy: str, pysnmp_privacy: str
) -> None:
    import pysnmp.hlapi.v3arch.asyncio as hlapi

    async def read(port: int) -> Any:
        user = hlapi.UsmUserData(
            "rackuser",
            "auth-secret",
            "priv-secret",
            authProtocol={"sha": hlapi.USM_AUTH_HMAC96_SHA, "md5": hlapi.USM_AUTH_HMAC96_MD5}[auth],
            privProtocol=getattr(hlapi, pysnmp_privacy),
        )
        engine = hlapi.SnmpEngine()
        where = await hlapi.UdpTransportTarget.create(("127.0.0.1", port), timeout=1, retries=1)
        row = hlapi.ObjectType(hlapi.ObjectIdentity(f"{RPDU2_STATUS}.1"))
        reply = await hlapi.get_cmd(engine, user, where, hlapi.ContextData(), row, lookupMib=False)
        engine.close_dispatcher()
        return reply

    inventory = v3_inventory(auth, privacy)
    with RunningRack(inventory) as rack:
        indication, status, _index, rows = asyncio.run(read(int(next(iter(rack.devices)).rpartition(":")[2])))
    assert indication is None
    assert int(status) == 0
    assert int(rows[0][1]) == 2


def test_a_walk_and_a_bulk_walk_see_the_same(lab: Lab) -> None:
    walk = lab.snmp("walk", "1.3.6.1.4.1.318").stdout
    assert walk == lab.snmp("bulkwalk", "1.3.6.1.4.1.318").stdout
    assert len(walk.splitlines()) > 40
    assert lab.snmp("get", "1.3.6.1.2.1.1.2.0").stdout.split()[-1] == ".1.3.6.1.4.1.318.1.3.4.6"


def switch_words(family: Family, on: bool, states: dict[int, int]) -> tuple[str, str, str]:
    """The identifier, type and value that switch outlet 3, by the facts."""
    action = "on" if on else "off"
    if family.one_string:
        elements = [str(int(on if number == 3 else states[number])) for number in range(1, 9)]
        return ".".join(map(str, oid(family.one_string))), "s", ",".join(elements)
    if family.seconds:
        seconds = next(each for each in family.seconds if each.action.value == action)
        return ".".join(map(str, oid(seconds.oid, 3))), "i", "0"
    assert family.commands
    value = next(number for number, each in family.commands.values.items() if each.value == action)
    return ".".join(map(str, oid(family.commands.oid, 3))), "u" if family.gauge else "i", str(value)


def send(lab: Lab, family: Family, on: bool, states: dict[int, int]) -> None:
    """Switch outlet 3 as the facts say, unlocked first where the family wants that."""
    if family.unlock:
        assert lab.snmp("set", ".".join(map(str, oid(family.unlock, 3))), "i", "1").returncode == 0
    assert lab.snmp("set", *switch_words(family, on, states)).returncode == 0


@pytest.mark.parametrize("model", FAMILIES)
def test_every_family_switches_the_outlet_that_its_objects_name(model: str, tmp_path: Path) -> None:
    family = FAMILIES[model]
    inventory = make_inventory(hosts=3, pdus=1, shape="psu", model=model, rack_defaults=FAST)
    with RunningRack(inventory) as rack:
        lab = Lab(rack, inventory, tmp_path)
        for on in (False, True):
            send(lab, family, on, dict.fromkeys(range(1, 9), 1))
            assert [rack.is_on(f"node{number}.psu_a") for number in (1, 2, 3)] == [True, True, on]
            reply = (
                lab.snmp("get", ".".join(map(str, oid(family.status.oid, 3))))
                .stdout.split(" ", 1)[1]
                .strip()
                .strip('"')
            )
            shown = reply.split(",")[2] if family.one_string else reply
            assert family.status.values[int(shown)] == ("on" if on else "off")


@pytest.mark.parametrize("model", [family.model for family in FAMILIES.values() if not family.one_string])
def test_every_family_says_that_a_transition_is_no_stable_state_if_it_can(model: str, tmp_path: Path) -> None:
    family = FAMILIES[model]
    inventory = make_inventory(hosts=3, pdus=1, shape="psu", model=model, rack_defaults=FAST)
    with RunningRack(inventory) as rack:
        lab = Lab(rack, inventory, tmp_path)
        rack.fault("node3.psu_a", "pending_forever")
        send(lab, family, False, {})
        told = {"on": 0, "off": 0}
        pending = [family.pending.oid] if family.pending else []
        for template in (family.status.oid, *pending, *([family.control_state.oid] if family.control_state else [])):
            shown = int(lab.snmp("get", ".".join(map(str, oid(template, 3)))).stdout.split()[-1])
            if template == family.status.oid:
                told[family.status.values[shown]] = 1
            elif template in pending:
                assert shown == family.pending.yes
        if family.status.wanted:
            # It tells what was asked for; what is so its second witness tells.
            assert family.mirror
            shown = int(lab.snmp("get", ".".join(map(str, oid(family.mirror.oid, 3)))).stdout.split()[-1])
            assert shown == family.mirror.yes
        else:
            assert not told["off"]
        assert rack.is_on("node3.psu_a")


@pytest.mark.parametrize(
    ("model", "outlet", "status"),
    [
        ("aten_pe", 8, "21317.1.3.2.2.2.2.9.0"),
        ("aten_pe", 9, "21317.1.3.2.2.2.2.11.0"),
        ("aten_pe", 42, "21317.1.3.2.2.2.2.44.0"),
        ("eaton_revelation", 1, "534.6.6.6.1.2.2.1.3.0"),
        ("eaton_g3", 7, "534.6.6.7.6.6.1.2.0.7"),
        ("sentry3", 7, "1718.3.2.3.1.5.1.1.7"),
    ],
)
def test_the_numbering_of_a_family_has_its_offsets_and_holes(model: str, outlet: int, status: str) -> None:
    assert oid(FAMILIES[model].status.oid, outlet) == (1, 3, 6, 1, 4, 1, *map(int, status.split(".")))


def test_an_outlet_may_be_named_by_number_index_or_name(tmp_path: Path) -> None:
    inventory = make_inventory(hosts=3, pdus=1, shape="psu", model="sentry3")
    for number, outlet in ((1, 4), (2, "1.1.5"), (3, "left server")):
        inventory["all"]["hosts"][f"node{number}"]["fence_agents"]["psu_a"]["outlet"] = outlet
    with RunningRack(inventory) as rack:
        lab = Lab(rack, inventory, tmp_path)
        assert [rack.target(f"node{number}.psu_a").partition("/")[2] for number in (1, 2)] == ["4", "5"]
        number = rack.target("node3.psu_a").partition("/")[2]
        name = ".".join(map(str, oid(FAMILIES["sentry3"].names[0], int(number))))
        assert '"left server"' in lab.snmp("get", name).stdout
        assert fill(FAMILIES["sentry3"].index, 4) == "1.1.4"


def test_a_queue_of_sentry4_is_one_command_for_several_outlets(tmp_path: Path) -> None:
    inventory = make_inventory(hosts=3, pdus=1, shape="psu", model="sentry4", rack_defaults=FAST)
    family = FAMILIES["sentry4"]
    with RunningRack(inventory) as rack:
        lab = Lab(rack, inventory, tmp_path)
        for number in (1, 2):
            lab.snmp("set", ".".join(map(str, oid(family.commands.oid, number))), "i", "5")
        assert rack.is_on("node1.psu_a")
        lab.snmp("set", ".".join(map(str, oid(family.commit))), "i", "1")
        assert [rack.is_on(f"node{number}.psu_a") for number in (1, 2, 3)] == [False, False, True]


# Redfish


def test_redfish_asks_for_a_login_and_shows_one_system(lab: Lab) -> None:
    redfish = lab.redfish()
    assert redfish.get("/redfish/v1/", auth=("nobody", "nothing")).status_code == 200
    assert redfish.get("/redfish/v1/Systems", auth=("fence", "wrong")).status_code == 401
    members = redfish.get("/redfish/v1/Systems").json()["Members"]
    system = redfish.get(members[0]["@odata.id"]).json()
    assert len(members) == 1
    assert system["SerialNumber"] == "SN-node1"
    assert "ForceOff" in system["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"]


def test_redfish_switches_the_same_host_as_ipmi(lab: Lab) -> None:
    redfish = lab.redfish()
    assert redfish.reset("ForceOff").status_code == 204
    assert redfish.state() == "Off"
    assert lab.power() == "off"
    assert redfish.reset("ForceRestart").status_code == 409
    assert redfish.reset("Levitate").status_code == 400
    assert redfish.reset("On").status_code == 204
    assert lab.power() == "on"


def test_redfish_shows_a_transition(lab: Lab) -> None:
    redfish = lab.redfish()
    lab.rack.fault("node1.redfish", "lag", 1.0)
    redfish.reset("ForceOff")
    assert redfish.state() == "PoweringOff"
    assert until(lambda: redfish.state() == "Off")
    redfish.reset("On")
    assert redfish.state() == "PoweringOn"


def test_redfish_sessions_are_counted_limited_and_deleted(tmp_path: Path) -> None:
    inventory = make_inventory(hosts=1, shape="redfish", state_dir=tmp_path)
    key = f"127.0.0.1:{inventory['all']['hosts']['node1']['fence_agents']['redfish']['port']}"
    inventory["all"]["vars"]["rack_devices"] = {key: {"sessions": 2}}
    with RunningRack(inventory, tmp_path) as rack:
        redfish = Lab(rack, inventory, tmp_path).redfish()
        redfish.http.auth = None
        where = f"{redfish.base}/redfish/v1/SessionService/Sessions"
        login = {"UserName": "fence", "Password": "bmc-secret-1"}
        assert redfish.http.post(where, json={**login, "Password": "no"}, timeout=1).status_code == 401
        first, second, third = (redfish.http.post(where, json=login, timeout=1) for _login in range(3))
        assert (first.status_code, second.status_code, third.status_code) == (201, 201, 503)
        token = {"X-Auth-Token": first.headers["X-Auth-Token"]}
        assert redfish.get("/redfish/v1/Systems/1", headers=token).status_code == 200
        assert (
            redfish.http.delete(f"{redfish.base}{first.headers['Location']}", headers=token, timeout=1).status_code
            == 204
        )
        assert redfish.get("/redfish/v1/Systems/1", headers=token).status_code == 401
        assert rack.devices[key].server.sessions == 1
        rack.set_power("node1", False)
        assert (
            redfish.get("/redfish/v1/Systems/1", headers={"X-Auth-Token": second.headers["X-Auth-Token"]}).json()[
                "PowerState"
            ]
            == "Off"
        )


def test_a_redfish_task_runs_and_ends(lab: Lab) -> None:
    redfish = lab.redfish()
    lab.rack.fault("node1.redfish", "tasks", 1.0)
    reply = redfish.reset("ForceOff")
    assert reply.status_code == 202
    monitor = reply.headers["Location"]
    assert redfish.get(monitor).status_code == 202
    assert until(lambda: redfish.get(monitor).status_code == 204)
    assert redfish.get(reply.json()["@odata.id"]).json()["TaskState"] == "Completed"


def test_the_redfish_certificate_is_verified_by_the_ca_of_the_rack_only(lab: Lab) -> None:
    redfish = lab.redfish()
    redfish.http.verify = True
    with pytest.raises(requests.exceptions.SSLError):
        redfish.get("/redfish/v1/")


@pytest.mark.parametrize("flaw", ["wrong_name", "expired", "self_signed"])
def test_a_flawed_certificate_is_not_verified(flaw: str, tmp_path: Path) -> None:
    inventory = make_inventory(hosts=1, shape="redfish", state_dir=tmp_path)
    key = f"127.0.0.1:{inventory['all']['hosts']['node1']['fence_agents']['redfish']['port']}"
    inventory["all"]["vars"]["rack_devices"] = {key: {"certificate": flaw}}
    with RunningRack(inventory, tmp_path) as rack, pytest.raises(requests.exceptions.SSLError):
        Lab(rack, inventory, tmp_path).redfish().get("/redfish/v1/")


def test_one_redfish_service_may_have_the_systems_of_several_hosts(tmp_path: Path) -> None:
    inventory = make_inventory(hosts=2, shape="redfish", rack_defaults=FAST, state_dir=tmp_path)
    hosts = inventory["all"]["hosts"]
    hosts["node2"]["fence_agents"]["redfish"] |= {
        "port": hosts["node1"]["fence_agents"]["redfish"]["port"],
        "password": "bmc-secret-1",
        "system": "27946b59-9e44-4fa7-8e91-f3527a1ef094",
    }
    with RunningRack(inventory, tmp_path) as rack:
        redfish = Lab(rack, inventory, tmp_path).redfish()
        assert len(redfish.get("/redfish/v1/Systems").json()["Members"]) == 2
        assert redfish.get("/redfish/v1/Systems/2").json()["UUID"] == "27946b59-9e44-4fa7-8e91-f3527a1ef094"
        redfish.reset("ForceOff", "2")
        assert (rack.is_running("node1"), rack.is_running("node2")) == (True, False)


# Faults


def off_by(lab: Lab, agent: str) -> bool:
    """Send off to an agent in its own protocol; whether the device accepted it."""
    if agent.endswith("bmc"):
        return lab.ipmitool("chassis", "power", "off", agent=agent).returncode == 0
    if agent.endswith("redfish"):
        return lab.redfish(agent).reset("ForceOff").status_code == 204
    return lab.snmp("set", f"{RPDU2_CONTROL}.1", "i", "2", agent=agent).returncode == 0


def says_on(lab: Lab, agent: str) -> bool:
    """What an agent says of its power, in its own protocol."""
    if agent.endswith("bmc"):
        return lab.power(agent) == "on"
    if agent.endswith("redfish"):
        return bool(lab.redfish(agent).state() == "On")
    return lab.outlet(agent=agent) == "2"


def is_on(lab: Lab, agent: str) -> bool:
    return lab.rack.is_on(agent) if "psu" in agent else lab.rack.is_running("node1")


def answers(lab: Lab, agent: str) -> bool:
    """Whether an agent gives any good answer."""
    try:
        if agent.endswith("bmc"):
            return lab.ipmitool("chassis", "power", "status", agent=agent).returncode == 0
        if agent.endswith("redfish"):
            return lab.redfish(agent).get("/redfish/v1/Systems/1").status_code == 200
        return lab.snmp("get", f"{RPDU2_STATUS}.1", agent=agent).returncode == 0
    except requests.RequestException:
        return False


AGENTS = ["node1.bmc", "node1.redfish", "node1.psu_a"]
every_protocol = pytest.mark.parametrize("agent", AGENTS)


@every_protocol
def test_a_refused_command_is_an_error_and_does_nothing(lab: Lab, agent: str) -> None:
    lab.rack.fault(agent, "refuse")
    assert not off_by(lab, agent)
    assert is_on(lab, agent)
    assert [command.outcome for command in lab.rack.commands(agent)] == ["refused"]


@every_protocol
def test_an_ignored_command_is_accepted_and_does_nothing(lab: Lab, agent: str) -> None:
    lab.rack.fault(agent, "ignore")
    assert off_by(lab, agent)
    assert says_on(lab, agent)
    assert is_on(lab, agent)


def changes(lab: Lab, agent: str) -> list[tuple[float, bool]]:
    """When what the agent switches changed, after the command, and to what."""
    history = (
        lab.rack.outlet_history(agent)
        if "psu" in agent
        else [(at, runs) for at, _power, runs in lab.rack.history("node1")]
    )
    sent = lab.rack.commands(agent)[-1].at
    return [(at - sent, on) for at, on in history if at >= sent]


@every_protocol
def test_a_lag_delays_the_effect(lab: Lab, agent: str) -> None:
    lab.rack.fault(agent, "lag", 0.5)
    assert off_by(lab, agent)
    assert until(lambda: not is_on(lab, agent))
    assert changes(lab, agent) == [(pytest.approx(0.5, abs=0.3), False)]


@every_protocol
def test_a_liar_says_off_while_it_is_on_and_on_while_it_is_off(lab: Lab, agent: str) -> None:
    lab.rack.fault(agent, "lie_off")
    assert not says_on(lab, agent)
    assert is_on(lab, agent)
    lab.rack.clear(agent, "lie_off")
    lab.rack.fault(agent, "lie_on")
    assert off_by(lab, agent)
    assert says_on(lab, agent)
    assert not is_on(lab, agent)


@every_protocol
def test_a_flapping_device_comes_back(lab: Lab, agent: str) -> None:
    lab.rack.fault(agent, "flap", 0.5)
    assert off_by(lab, agent)
    assert until(lambda: len(changes(lab, agent)) == 2)
    assert changes(lab, agent) == [(pytest.approx(0.0, abs=0.3), False), (pytest.approx(0.5, abs=0.3), True)]


@every_protocol
@pytest.mark.parametrize("fault", ["hang", "dead", "half_answer", "wrong_password", "busy"])
def test_a_device_that_cannot_be_spoken_to_gives_no_good_answer_until_it_is_mended(
    lab: Lab, agent: str, fault: str
) -> None:
    assert answers(lab, agent)
    lab.rack.fault(agent, fault)
    assert not answers(lab, agent)
    lab.rack.clear(agent)
    assert answers(lab, agent)


@every_protocol
def test_a_hanging_device_obeys_nothing(lab: Lab, agent: str) -> None:
    lab.rack.fault(agent, "hang")
    try:
        assert not off_by(lab, agent)
    except requests.Timeout:
        pass
    assert is_on(lab, agent)
    assert lab.rack.commands(agent) == []
    assert lab.rack.requests(agent) > 0


@every_protocol
def test_latency_is_waited_for_and_the_command_is_obeyed(lab: Lab, agent: str) -> None:
    lab.rack.fault(agent, "latency", 0.2)
    begin = time.monotonic()
    assert off_by(lab, agent)
    assert time.monotonic() - begin > 0.2
    assert not is_on(lab, agent)


@every_protocol
def test_a_share_of_lost_packets_loses_some_and_not_all(lab: Lab, agent: str) -> None:
    lab.rack.fault(agent, "drop", 0.5)
    probe = [answers(lab, agent) for _round in range(12)] if not agent.endswith("bmc") else [True, False]
    assert True in probe
    assert False in probe
    lab.rack.fault(agent, "drop", 1.0)
    assert not answers(lab, agent)


@every_protocol
def test_credentials_may_be_accepted_a_few_times_only(lab: Lab, agent: str) -> None:
    lab.rack.fault(agent, "auth_error_after_n", 2)
    assert [answers(lab, agent) for _round in range(4)] == [True, True, False, False]


def test_a_fault_may_act_a_number_of_times_only(lab: Lab) -> None:
    lab.rack.fault("node1.psu_a", "refuse", times=1)
    assert [off_by(lab, "node1.psu_a") for _round in range(2)] == [False, True]


def test_a_status_may_be_stale_after_a_command(lab: Lab) -> None:
    lab.rack.fault("node1.psu_a", "stale", 600)
    assert off_by(lab, "node1.psu_a")
    assert not lab.rack.is_on("node1.psu_a")
    assert says_on(lab, "node1.psu_a")
    lab.rack.clear("node1.psu_a")
    assert not says_on(lab, "node1.psu_a")
    lab.rack.fault("node1.psu_a", "stale", 0.1)
    lab.snmp("set", f"{RPDU2_CONTROL}.1", "i", "1")
    assert until(lambda: says_on(lab, "node1.psu_a"))


def test_a_status_may_be_no_listed_value_a_text_or_nothing(lab: Lab) -> None:
    lab.rack.fault("node1.psu_a", "unlisted", 6000)
    lab.rack.fault("node1.redfish", "unlisted")
    assert lab.outlet() == "6000"
    assert lab.outlet(2) == "2"
    assert lab.redfish().state() == "Sleeping"
    lab.rack.clear()
    lab.rack.fault("node1.psu_a", "wrong_type")
    assert lab.outlet() == '"on"'
    lab.rack.clear()
    lab.rack.fault("node1.psu_a", "missing")
    assert "No Such Instance" in lab.snmp("get", f"{RPDU2_STATUS}.1").stdout
    assert f"{RPDU2_STATUS}.1 " not in lab.snmp("walk", RPDU2_STATUS).stdout


def test_a_fault_of_a_device_hits_all_of_its_outlets_and_one_of_an_outlet_only_that(lab: Lab) -> None:
    device = lab.rack.target("node1.psu_a").partition("/")[0]
    lab.rack.fault(device, "lie_off")
    assert (lab.outlet(1), lab.outlet(2)) == ("1", "1")
    lab.rack.clear(device)
    lab.rack.fault("node2.psu_a", "lie_off")
    assert (lab.outlet(1), lab.outlet(2)) == ("2", "1")


def test_a_bmc_with_its_own_feed_lives_on(lab: Lab) -> None:
    lab.rack.fault("node1.bmc", "dies_with_feed", "off")
    for feed in ("node1.psu_a", "node1.psu_b"):
        lab.rack.set_power(feed, False)
    assert lab.power() == "off"
    lab.rack.clear("node1.bmc", "dies_with_feed")
    assert not answers(lab, "node1.bmc")


def test_a_card_that_takes_one_conversation_does_not_hear_a_second(lab: Lab) -> None:
    lab.rack.fault("node1.psu_a", "one_session", 1.5)
    asked = lab.rack.requests("node1.psu_a")
    first = subprocess.Popen(
        [
            "snmpget",
            "-v2c",
            "-crack-private",
            "-Onqe",
            "-t5",
            "-r0",
            f"127.0.0.1:{lab.port('node1.psu_a')}",
            f"{RPDU2_STATUS}.1",
        ],
        stdout=subprocess.DEVNULL,
    )
    assert until(lambda: lab.rack.requests("node1.psu_a") > asked)
    assert lab.outlet() == ""
    assert first.wait(5) == 0
    lab.rack.clear("node1.psu_a")
    assert lab.outlet() == "2"


def test_a_bmc_that_knows_sha1_only_answers_so_to_sha256(lab: Lab) -> None:
    lab.rack.fault("node1.bmc", "sha1_only")
    assert lab.ipmitool("chassis", "power", "status", suite="3").returncode == 0
    assert lab.ipmitool("chassis", "power", "status", suite="17").returncode != 0


def test_a_fault_that_makes_no_sense_is_refused_with_what_there_is(lab: Lab) -> None:
    with pytest.raises(ValueError, match="there are refuse, ignore"):
        lab.rack.fault("node1.bmc", "explode")
    with pytest.raises(ValueError, match=r"no target 'node9\.bmc'"):
        lab.rack.fault("node9.bmc", "hang")
    with pytest.raises(ValueError, match="ipmi has no fault unlisted"):
        lab.rack.fault("node1.bmc", "unlisted")


# The inventory


def test_a_miswired_host_is_fed_by_what_rack_feeds_says(tmp_path: Path) -> None:
    inventory = make_inventory(hosts=2, shape="bmc+2psu", rack_defaults=FAST)
    nodes = inventory["all"]["hosts"]
    feeds = [
        f"127.0.0.1:{agent['port']}/2" for agent in nodes["node2"]["fence_agents"].values() if agent["type"] == "snmp"
    ]
    others = [
        f"127.0.0.1:{agent['port']}/1" for agent in nodes["node1"]["fence_agents"].values() if agent["type"] == "snmp"
    ]
    nodes["node1"]["rack_feeds"], nodes["node2"]["rack_feeds"] = feeds, others
    with RunningRack(inventory) as rack:
        for agent in ("node1.psu_a", "node1.psu_b"):
            rack.set_power(agent, False)
        assert rack.is_running("node1")
        assert not rack.is_running("node2")


def test_an_inventory_file_is_read_with_its_groups_credentials_and_names_of_variables(tmp_path: Path) -> None:
    port_of_bmc, port_of_pdu = (
        int(agent["port"])
        for agent in make_inventory(hosts=1, pdus=1, shape="bmc+psu")["all"]["hosts"]["node1"]["fence_agents"].values()
    )
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "servers.yml").write_text(
        yaml.safe_dump(
            {
                "bmc_password": "from-group-vars",
                "fence_credentials_bmc": {"username": "fence", "password": "{{ bmc_password }}"},
                "fence_agent_defaults": {
                    "ipmi": {"credential": "bmc", "address": "127.0.0.1", "username": "not-this-one"},
                    "snmp": {"model": "apc_rpdu", "version": "2c", "community": "rack-private", "address": "127.0.0.1"},
                },
            }
        )
    )
    path = tmp_path / "lab.yml"
    agents = {"bmc": {"type": "ipmi", "port": port_of_bmc}, "psu": {"type": "snmp", "port": port_of_pdu, "outlet": 3}}
    path.write_text(yaml.safe_dump({"servers": {"hosts": {"node[1:1]": {"fence_agents": agents}}}}))
    with RunningRack(path) as rack:
        reply = run(
            *("ipmitool", "-I", "lanplus", "-H", "127.0.0.1", "-p", str(port_of_bmc), "-U", "fence"),
            *("-P", "from-group-vars", "-C", "17", "chassis", "power", "status"),
        )
        assert reply.stdout.strip() == "Chassis Power is on"
        assert rack.devices[f"127.0.0.1:{port_of_pdu}"].model == "apc_rpdu"
        assert rack.world.hosts["node1"].feeds[0].name == f"127.0.0.1:{port_of_pdu}/3"


def test_an_inventory_may_have_faults_from_the_start_and_come_from_ansible_inventory(tmp_path: Path) -> None:
    inventory = make_inventory(hosts=1, shape="bmc+2psu")
    faults = [{"target": "node1.bmc", "fault": "dead"}, {"target": "node1.psu_a", "fault": "lie_off"}]
    hosts = {"node1": {**inventory["all"]["vars"], **inventory["all"]["hosts"]["node1"], "rack_faults": faults}}
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"_meta": {"hostvars": hosts}, "all": {"children": ["ungrouped"]}}))
    with RunningRack(path) as rack:
        lab = Lab(rack, inventory, tmp_path)
        assert lab.outlet() == "1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", lab.port("node1.bmc")))
        rack.clear("node1.bmc")
        assert lab.power() == "on"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rack": {"bmc_boots": 3}}, "node1: no bmc_boots; there are"),
        ({"rack_feeds": ["127.0.0.1:1/1"]}, "node1: rack_feeds: no outlet 127.0.0.1:1/1"),
        ({"fence_agents": {"bmc": {"address": "127.0.0.1"}}}, "node1: agent bmc has no type"),
        ({"fence_agents": {"bmc": {"type": "ipmi"}}}, "node1: agent bmc has no address"),
        (
            {"fence_agents": {"psu": {"type": "snmp", "address": "127.0.0.1", "port": 9}}},
            "node1: agent psu has no outlet",
        ),
        ({"fence_agents": {"x": {"type": "ipmi", "credential": "y"}}}, "no variable fence_credentials_y"),
        ({"fence_agents": {"x": {"type": "ipmi", "address": "{{ gone }}"}}}, "no variable gone"),
    ],
)
def test_an_inventory_that_makes_no_sense_is_refused_in_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInventory, match=said.replace("(", r"\(")):
        RunningRack({"all": {"hosts": {"node1": change}}})


def test_a_port_that_is_taken_is_named_and_nothing_stays_open() -> None:
    inventory = make_inventory(hosts=2, shape="bmc")
    first, second = (node["fence_agents"]["bmc"]["port"] for node in inventory["all"]["hosts"].values())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", second))
        with pytest.raises(OSError, match=f"ipmi at 127.0.0.1:{second} cannot be opened"), RunningRack(inventory):
            pass
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", first))


def test_a_foreign_supply_is_an_outlet_that_the_control_port_switches() -> None:
    agents = {"bus": {"type": "acme.dc.busbar_power", "kind": "supply", "address": "10.0.0.1"}}
    with RunningRack({"all": {"hosts": {"node1": {"fence_agents": agents, "rack": FAST}}}}) as rack:
        rack.command("node1.bus", False)
        assert not rack.is_running("node1")
        assert [type(command) for command in rack.commands("node1")] == [Command]


def test_hundreds_of_bmcs_open_at_once_and_each_answers_for_its_own_host(tmp_path: Path) -> None:
    inventory = make_inventory(hosts=300, shape="bmc+2psu", rack_defaults=FAST)
    begin = time.monotonic()
    with RunningRack(inventory) as rack:
        assert time.monotonic() - begin < 10
        lab = Lab(rack, inventory, tmp_path)
        port = lab.port("node250.bmc")
        assert lab.ipmitool("chassis", "power", "off", port=port, password="bmc-secret-250").returncode == 0
        assert [name for name in rack.world.hosts if not rack.is_running(name)] == ["node250"]


# The program


def test_the_program_makes_an_inventory_runs_it_obeys_its_client_and_ends_cleanly(tmp_path: Path) -> None:
    path, ready = tmp_path / "lab.yml", tmp_path / "ready"
    rack = [sys.executable, str(PROGRAM)]
    assert run(*rack, "--make-inventory", str(path), "--hosts", "2", "--shape", "bmc+2psu").returncode == 0
    process = subprocess.Popen(
        [*rack, "--inventory", str(path), "-v", "--ready-file", str(ready), "--delays", "outlet_lag_s=0,hold_up_s=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert until(lambda: ready.exists() and ready.read_text().endswith("\n"), 20)
        at = ("--control", ready.read_text().strip())
        for agent in ("node1.psu_a", "node1.psu_b"):
            assert run(*rack, "power", *at, agent, "off").returncode == 0
        assert run(*rack, "fault", *at, "node2.bmc", "latency", "0.5").returncode == 0
        assert "no target" in run(*rack, "fault", *at, "node9.bmc", "hang").stderr
        state = json.loads(run(*rack, "state", *at).stdout)
        assert [state["hosts"][name]["running"] for name in ("node1", "node2")] == [False, True]
        assert [(fault["name"], fault["value"]) for fault in state["faults"]] == [("latency", 0.5)]
        assert json.loads(run(*rack, "history", *at, "node1").stdout)[-1][1:] == [False, False]
        assert run(*rack, "reset", *at).returncode == 0
        assert json.loads(run(*rack, "state", *at).stdout)["hosts"]["node1"]["running"]
    finally:
        process.send_signal(signal.SIGTERM)
        said, complained = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "READY" in said
    assert "node1 lost its power" in said
    assert complained == ""


def test_the_help_lists_every_fault_and_every_model() -> None:
    said = run(sys.executable, str(PROGRAM), "--help").stdout
    assert "half_answer" in said
    assert all(model in said for model in FAMILIES)
