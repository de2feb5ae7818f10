# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""An IPMI session through python-ipmi's native RMCP+.

The library gives the packets, the key exchange and the encryption; when something is sent, how often, and how long is
waited for an answer is decided here. This file knows nothing of power.
"""

from __future__ import annotations

import hmac
import socket
import struct
import time
from typing import Any

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    BadReply,
    Deadline,
    DeviceError,
    Unreachable,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._ipmi_protocol import (
    SILENCE_S,
    STALE_LOGIN,
    SUITE_REFUSED,
    Account,
    Command,
    OtherSuites,
    ipmi_1_5_only,
    login_error,
    other_suite,
    privilege_refused,
    silent,
    unanswered,
    unfinished,
    wrong_key,
    wrong_password,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._names import SLICE_S, SocketAddress

try:
    from pyipmi import Target
    from pyipmi.errors import AuthenticationError, DecodingError
    from pyipmi.interfaces.ipmb import IpmbHeaderReq, encode_ipmb_msg, rx_filter
    from pyipmi.interfaces.rmcpplus import (
        AUTH_ALGORITHMS,
        CIPHER_SUITES,
        PAYLOAD_TYPE_OPEN_SESSION_REQUEST,
        PAYLOAD_TYPE_RAKP_3,
        RmcpPlus,
        SessionKeys,
    )
    from pyipmi.session import Session as PyipmiSession

    INSTALLED = True
except ImportError:
    RmcpPlus = object
    INSTALLED = False

# How long to wait at least before a packet is sent again. ipmitool and pyghmi wait 0.5 to 2 s.
RESEND_S = 0.5
# How often a step of the key exchange is sent before the login begins anew.
RAKP_SENDS = 2

NETFN_APP = 6
AUTHENTICATION_CAPABILITIES = 0x38
SET_PRIVILEGE_LEVEL = 0x3B
CLOSE_SESSION = 0x3C
# "This channel", with the bit that asks for the IPMI 2.0 data (table 22-15).
THIS_CHANNEL_2_0 = 0x8E


class PythonIpmiSession:
    """One login. After an error of ``ask`` it is of no more use than to be closed."""

    def __init__(self, family: socket.AddressFamily, peer: SocketAddress, account: Account, deadline: Deadline) -> None:
        self._lan = Lan(Wire(family, peer), account)
        try:
            self.suite = self._lan.log_in(deadline)
        except BaseException:
            self._lan.log_out(Deadline(0.0))
            raise

    def ask(self, command: Command, deadline: Deadline) -> bytes:
        return self._lan.ask(command, deadline)

    def close(self, deadline: Deadline) -> None:
        self._lan.log_out(deadline)


class Wire:
    """A connected UDP socket that waits until a moment, and no longer than a deadline that may be moved."""

    def __init__(self, family: socket.AddressFamily, peer: SocketAddress) -> None:
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._peer = peer
        self._connected = False
        self.deadline = Deadline(0.0)
        self.until = 0.0

    def send(self, data: bytes) -> None:
        try:
            if not self._connected:
                # Only a connected UDP socket is told that the port is closed (ICMP).
                self._socket.connect(self._peer)
                self._connected = True
            self._socket.send(data)
        except OSError as error:
            raise no_way(error) from None

    def recv(self, size: int) -> bytes:
        """The next packet; TimeoutError when it is time."""
        while True:
            left_s = min(self.until - time.monotonic(), self.deadline.remaining_s)
            if left_s <= 0:
                raise TimeoutError
            self._socket.settimeout(min(left_s, SLICE_S))
            try:
                return self._socket.recv(size)
            except TimeoutError:
                continue
            except OSError as error:
                raise no_way(error) from None

    def close(self) -> None:
        self._socket.close()


def no_way(error: OSError) -> DeviceError:
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            "nothing listens on the BMC's port", "look at the port, and whether IPMI over LAN is enabled"
        )
    return Unreachable(f"the BMC cannot be reached (errno {error.errno})", "look at the network")


class LoginStatus(Exception):
    """The BMC answered a step of the login with a status other than 0."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class LoginStalled(Exception):
    """A step of the key exchange got no answer; a BMC that had answered it does not do so again."""


class Lan(RmcpPlus):  # type: ignore[misc]
    """python-ipmi's RMCP+ interface with our own idea of time.

    ``_handshake`` replaces the library's, which waits for a fixed time and calls a late answer a failure; the library's
    ping, keep-alive thread and session set-up are not used. BMCs exist that answer no RMCP ping (virtualbmc).
    """

    def __init__(self, wire: Wire, account: Account) -> None:
        super().__init__(keep_alive_interval=0, kg=account.key)
        self._sock = self._wire = wire
        self._account = account
        self._pyipmi = PyipmiSession()
        self._pyipmi.set_auth_type_user(account.username, account.password)
        self._pyipmi._priv_level = account.privilege
        self._resend_s = RESEND_S
        self._resent = False
        self._step = 0
        self._keys: Any = None

    def log_in(self, deadline: Deadline) -> int:
        """Open a session; returns the cipher suite that was agreed on."""
        self._wire.deadline = deadline
        self._ask_for_capabilities()
        while not deadline.over:
            self._resent = False
            try:
                return self._establish()
            except LoginStalled:
                continue
            except LoginStatus as refusal:
                # A packet that was sent twice may have started the exchange anew on the other side: then the BMC
                # speaks of a wrong signature or session where nothing is wrong.
                if not (self._resent and refusal.status in STALE_LOGIN):
                    raise login_error(refusal.status) from None
                self._resend_s *= 2
            except AuthenticationError:
                raise (wrong_key() if self._step == PAYLOAD_TYPE_RAKP_3 else wrong_password()) from None
            except DecodingError:
                raise BadReply("the BMC's part of the login is malformed", "look at the BMC's firmware") from None
        raise unfinished()

    def ask(self, command: Command, deadline: Deadline) -> bytes:
        """Send a request in the session and wait for its answer; one that may go out once waits to the end."""
        self._wire.deadline = deadline
        if not command.once:
            return self._answer(command, deadline)
        header, message = self._request(command)
        self._send_ipmi_msg(message)
        self._wire.until = time.monotonic() + deadline.remaining_s
        try:
            answer = self._next_answer([header])
        except Unreachable:
            raise unanswered(command) from None
        if answer is None:
            raise unanswered(command)
        return answer[1]

    def log_out(self, deadline: Deadline) -> None:
        """Tell the BMC that the session is over, wait a little for it to agree, and close the socket."""
        try:
            if self._keys is not None:
                self.ask(Command(NETFN_APP, CLOSE_SESSION, struct.pack("<I", self._pyipmi.sid), once=True), deadline)
        except Exception:
            # It is gone already, or will be forgotten by the BMC after a minute.
            pass
        finally:
            self._keys = None
            self._wire.close()

    def _ask_for_capabilities(self) -> None:
        """Does it live, does it know IPMI 2.0, and how fast is it? A packet sent again too early confuses a login."""
        question = bytes([THIS_CHANNEL_2_0, self._account.privilege])
        command = Command(NETFN_APP, AUTHENTICATION_CAPABILITIES, question, once=False)
        answer = self._answer(command, self._wire.deadline)
        if answer[:1] != b"\x00" or len(answer) < 5:
            raise BadReply("the BMC does not say how to log in", "look at the BMC's firmware")
        # Table 22-15: byte 3 bit 7 says that byte 5 is there, byte 5 bit 1 that IPMI 2.0 is supported.
        if not (answer[2] & 0x80 and answer[4] & 0x02):
            raise ipmi_1_5_only()

    def _establish(self) -> int:
        suite, session_id = self._agree_on_suite()
        sik = self._rakp(self._pyipmi, CIPHER_SUITES[suite], session_id)
        self._pyipmi.sid = session_id
        self._pyipmi.sequence_number = 0
        self._session = self._pyipmi
        self._keys = session_keys(suite, sik)
        granted = self._answer(
            Command(NETFN_APP, SET_PRIVILEGE_LEVEL, bytes([self._account.privilege]), once=False), self._wire.deadline
        )
        if granted[:1] != b"\x00":
            raise privilege_refused(granted[0] if granted else 0xFF)
        return suite

    def _agree_on_suite(self) -> tuple[int, int]:
        """The first suite that the BMC takes, and the number that it gave the session."""
        *others, last = self._account.suites
        for suite in others:
            try:
                return suite, self._open_session(self._pyipmi, CIPHER_SUITES[suite])
            except LoginStatus as refusal:
                if refusal.status not in SUITE_REFUSED:
                    raise
            except OtherSuites:
                continue
        return last, self._open_session(self._pyipmi, CIPHER_SUITES[last])

    def _handshake(self, request_type: int, request: bytes, response_type: int) -> bytes:
        """One step of the login: the request again and again until its answer comes, or silence."""
        self._step = request_type
        opening = request_type == PAYLOAD_TYPE_OPEN_SESSION_REQUEST
        quiet_at = time.monotonic() + (SILENCE_S if opening else RAKP_SENDS * self._resend_s)
        first = True
        while time.monotonic() < quiet_at and not self._wire.deadline.over:
            self._send_payload(request_type, request)
            self._resent = self._resent or not first
            first = False
            self._wire.until = min(time.monotonic() + self._resend_s, quiet_at)
            payload = self._next_payload(response_type, request[0])
            if payload is not None:
                return checked_step(request_type, request, payload)
        raise unfinished() if opening else LoginStalled

    def _next_payload(self, response_type: int, tag: int) -> bytes | None:
        while True:
            try:
                payload_type, payload = self._receive_payload()
            except TimeoutError:
                return None
            except DeviceError:
                raise
            except Exception:
                # Not for us, late, or damaged: whatever a stranger puts on the wire must not end the login.
                continue
            if payload_type == response_type and payload[:1] == bytes([tag]):
                return bytes(payload)

    def _answer(self, command: Command, deadline: Deadline) -> bytes:
        """Ask, again and again, until an answer comes; the same answer twice does no harm.

        Each try has a number of its own, so the BMC's pace is known even when packets are lost.
        """
        quiet_at = time.monotonic() + SILENCE_S
        sent: list[tuple[Any, float]] = []
        while time.monotonic() < quiet_at and not deadline.over:
            header, message = self._request(command)
            sent.append((header, time.monotonic()))
            self._send_ipmi_msg(message)
            self._wire.until = min(time.monotonic() + self._resend_s, quiet_at)
            answer = self._next_answer([header for header, _at in sent])
            if answer is not None:
                which, data = answer
                self._resend_s = max(RESEND_S, 2 * (time.monotonic() - sent[which][1]))
                return data
        if self._keys is None:
            raise silent()
        raise unanswered(command)

    def _request(self, command: Command) -> tuple[Any, bytes]:
        self._inc_sequence_number()
        header = IpmbHeaderReq()
        header.netfn = command.netfn
        header.cmdid = command.number
        header.rs_lun = header.rq_lun = 0
        header.rs_sa = Target(self.host_target.ipmb_address).ipmb_address
        header.rq_sa = self.slave_address
        header.rq_seq = self.next_sequence_number
        return header, encode_ipmb_msg(header, command.data)

    def _next_answer(self, headers: list[Any]) -> tuple[int, bytes] | None:
        """The next answer to one of these requests, and to which."""
        while True:
            try:
                message = self._receive_ipmi_msg()
                for which, header in enumerate(headers):
                    if rx_filter(header, message):
                        return which, bytes(message[6:-1])
            except TimeoutError:
                return None
            except DeviceError:
                raise
            except Exception:
                # As above: only a packet that is signed and whole is an answer.
                continue


def checked_step(request_type: int, request: bytes, payload: bytes) -> bytes:
    """The BMC's answer to a step of the login, if it says yes and agrees with what was proposed."""
    if len(payload) < 2:
        raise BadReply("the BMC's part of the login is malformed", "look at the BMC's firmware")
    if payload[1] != 0:
        raise LoginStatus(payload[1])
    if request_type == PAYLOAD_TYPE_OPEN_SESSION_REQUEST and len(payload) >= 36:
        proposed = (request[12], request[20], request[28])
        chosen = (payload[16] & 0x3F, payload[24] & 0x3F, payload[32] & 0x3F)
        if chosen != proposed:
            raise other_suite(proposed)
    return payload


def session_keys(suite: int, sik: bytes) -> Any:
    """K1 and K2 (section 13.32) are made from 20 equal octets whatever the hash: so do ipmitool, OpenBMC and pyghmi.

    python-ipmi 0.6.1 takes as many octets as the hash has, which is the same for SHA-1 only.
    """
    keys = SessionKeys(CIPHER_SUITES[suite], sik)
    digest = AUTH_ALGORITHMS[CIPHER_SUITES[suite].authentication][0]
    keys.k1 = hmac.new(sik, b"\x01" * 20, digest).digest()
    keys.k2 = hmac.new(sik, b"\x02" * 20, digest).digest()
    return keys
