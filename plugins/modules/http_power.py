#!/usr/bin/python
# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outlets and systems that are switched by plain HTTP requests. What it does is in module_utils."""

from __future__ import annotations

DOCUMENTATION = r"""
module: http_power
short_description: Read or switch an outlet or a system over plain HTTP requests
version_added: 0.1.0
author:
  - The hostpm.fencing authors (@hostpm)
description:
  - Reads the state of one outlet of a power distribution unit (PDU), or of a system, with an HTTP request, or switches it and waits
    until the device says so.
  - What the requests and their answers mean is a table of families, O(model).
  - Only the exact documented value is off. A login page, half an answer, a word of no table or an outlet that the device does not
    tell of is never off.
  - The status is read before anything is sent. A command is one request, it is never repeated when its answer is lost.
extends_documentation_fragment:
  - hostpm.fencing.power
  - hostpm.fencing.power.attributes
requirements:
  - requests >= 2.31.0 where the module runs
options:
  timeout:
    description:
      - Budget of one switching operation with its retries and its waiting, in seconds of wall clock.
      - The default is 30.
    type: float
  read_timeout:
    description:
      - Budget of one read with its retries, in seconds of wall clock. It is never more than O(timeout).
      - The default is 8.
    type: float
  address:
    description: Name or IP address (IPv4 or IPv6) of the device, without C(https://) and without a path.
    type: str
    required: true
  port:
    description: TCP port of the device. The default is 443 with O(protocol=https), 80 with O(protocol=http).
    type: int
  protocol:
    description:
      - How the device is spoken to.
      - V(http) sends everything in clear, and with O(auth=basic) the password, too. Use it on a management network only.
      - Some families speak nothing else; then V(http) must be written, so that it is known.
    type: str
    choices: [https, http]
    default: https
  validate_certs:
    description:
      - Whether the device's certificate is verified.
      - Use V(false) on a network that you trust only. Whoever stands between can then read the password, and answer for the device.
    type: bool
    default: true
  ca_path:
    description:
      - A file of PEM certificates, or a folder of them prepared with C(openssl rehash), on the machine that speaks to
        the device. These are trusted and no others. A certificate that the device signed itself will do, too.
      - Without it the CAs of that machine are trusted.
    type: path
  username:
    description: The account. Without it no credentials are sent.
    type: str
  password:
    description: The password of the account.
    type: str
  auth:
    description:
      - How to log in. The default is what O(model) usually wants, and V(none) without O(username).
      - V(digest) does not send the password. There is no fall-back from it to V(basic).
    type: str
    choices: [basic, digest, none]
  model:
    description:
      - The family of the device.
      - V(custom) is a device whose requests and rules stand in O(status), O(switch_on), O(switch_off), O(reads_on) and O(reads_off).
        A worked example is in the collection's C(docs/adding_an_http_device.md).
      - V(dli_rest) is Digital Loggers with the REST API switched on, V(dli_web) their elder web power switches.
      - V(epowerswitch_8m) is the ePowerSwitch 8M+ and V(epowerswitch_r2) those with REV.2 firmware, with their hidden page
        C(hidden.htm) switched on.
      - V(ip9258s) is the Aviosys IP Power 9258 of the later kind (9258S, 9258T, 9258HP). The first one, whose outlets are P60 to P63, is
        recognized and refused.
      - V(jaws) is Server Technology PRO2, PRO3X and PRO4X with the JSON API (JAWS).
      - V(lindy_ipower) is the Lindy IPower Classic 8 (32657). Its sources are unclear, so it needs O(accept_untested).
      - V(netio) is NETIO with the JSON API switched on and writing allowed.
      - V(openbmc) is OpenBMC with its own REST API. It is a chassis, which senses the host itself; all others are supplies. Where the
        BMC speaks Redfish, M(hostpm.fencing.redfish_power) is better.
      - V(shelly_gen2) is Shelly Plus, Pro, Gen3 and Gen4; its user is always C(admin).
      - V(tasmota) is anything with Tasmota, a release after 9.2 if it has a password.
    type: str
    required: true
    choices:
      - custom
      - dli_rest
      - dli_web
      - epowerswitch_8m
      - epowerswitch_r2
      - ip9258s
      - jaws
      - lindy_ipower
      - netio
      - openbmc
      - shelly_gen2
      - tasmota
  outlet:
    description:
      - The outlet, as O(model) has it. Most count from 1.
      - V(dli_rest), V(dli_web), V(epowerswitch_8m), V(ip9258s), V(lindy_ipower), V(netio) and V(tasmota) have the number that is
        on the device, from 1.
      - V(shelly_gen2) has the number of the switch component, from 0.
      - V(epowerswitch_r2) has module and outlet, C(M0:O1); V(jaws) has C(AA7).
      - With O(model=custom) it is what C({outlet}) stands for in the requests and rules; without C({outlet}) it must be left out.
      - V(openbmc) has none.
    type: raw
  accept_untested:
    description:
      - Whether a family may be used whose sources are unclear or contradict each other. The error that asks for it names them.
      - Try it with an outlet that feeds nothing.
    type: bool
    default: false
  device_kind:
    description:
      - What the device is. V(supply) switches what feeds the host, as an outlet does; V(chassis) switches and senses the host itself.
      - Needed with O(model=custom), and for nothing else.
    type: str
    choices: [chassis, supply]
  status:
    description:
      - The request whose answer tells the power.
      - Needed with O(model=custom), and for nothing else.
    type: dict
    suboptions:
      method:
        description: The HTTP method.
        type: str
        choices: [GET, POST, PUT, PATCH]
        default: GET
      path:
        description: The path, with the query if there is one. C({outlet}) stands for O(outlet).
        type: str
        required: true
      body:
        description: The body. C({outlet}) stands for O(outlet).
        type: str
      content_type:
        description: The media type of the body, such as C(application/json).
        type: str
      headers:
        description: Further headers. They are not masked, so those that speak of secrets are refused.
        type: dict
  switch_on:
    description:
      - The request that switches on. It must do no harm when it is repeated.
      - Needed with O(model=custom), and for nothing else.
    type: dict
    suboptions:
      method:
        description: The HTTP method.
        type: str
        choices: [GET, POST, PUT, PATCH]
        default: GET
      path:
        description: The path, with the query if there is one. C({outlet}) stands for O(outlet).
        type: str
        required: true
      body:
        description: The body. C({outlet}) stands for O(outlet).
        type: str
      content_type:
        description: The media type of the body, such as C(application/json).
        type: str
      headers:
        description: Further headers. They are not masked, so those that speak of secrets are refused.
        type: dict
  switch_off:
    description:
      - The request that switches off. It must do no harm when it is repeated.
      - Needed with O(model=custom), and for nothing else.
    type: dict
    suboptions:
      method:
        description: The HTTP method.
        type: str
        choices: [GET, POST, PUT, PATCH]
        default: GET
      path:
        description: The path, with the query if there is one. C({outlet}) stands for O(outlet).
        type: str
        required: true
      body:
        description: The body. C({outlet}) stands for O(outlet).
        type: str
      content_type:
        description: The media type of the body, such as C(application/json).
        type: str
      headers:
        description: Further headers. They are not masked, so those that speak of secrets are refused.
        type: dict
  reads_on:
    description:
      - What the answer to O(status) is like while the power is on, either O(reads_on.json) with O(reads_on.equals), or O(reads_on.matches).
      - If both O(reads_on) and O(reads_off) fit, or none, the power is V(unknown).
      - Needed with O(model=custom), and for nothing else.
    type: dict
    suboptions:
      json:
        description:
          - Where the value is in a JSON answer, such as C(relays[0].state). Places in a list count from 0.
          - C({outlet}) stands for O(outlet).
        type: str
      equals:
        description:
          - The exact value. Type and case count.
          - YAML takes V(on) and V(off) for booleans; put texts in quotes.
        type: raw
      matches:
        description:
          - A regular expression of Python that must fit somewhere in the answer. Case counts, C(^) is the beginning of the answer.
          - C({outlet}) stands for O(outlet).
        type: str
  reads_off:
    description:
      - What the answer to O(status) is like while the power is off, either O(reads_off.json) with O(reads_off.equals), or O(reads_off.matches).
      - If both O(reads_on) and O(reads_off) fit, or none, the power is V(unknown).
      - Needed with O(model=custom), and for nothing else.
    type: dict
    suboptions:
      json:
        description:
          - Where the value is in a JSON answer, such as C(relays[0].state). Places in a list count from 0.
          - C({outlet}) stands for O(outlet).
        type: str
      equals:
        description:
          - The exact value. Type and case count.
          - YAML takes V(on) and V(off) for booleans; put texts in quotes.
        type: raw
      matches:
        description:
          - A regular expression of Python that must fit somewhere in the answer. Case counts, C(^) is the beginning of the answer.
          - C({outlet}) stands for O(outlet).
        type: str
notes:
  - Proxies, C(.netrc) and redirects to other hosts are never followed, and cookies are not kept.
"""

EXAMPLES = r"""
- name: Read outlet 4 of a NETIO PDU
  hostpm.fencing.http_power:
    address: pdu-a.example.com
    model: netio
    outlet: 4
    username: fence
    password: "{{ vault_pdu }}"
  register: outlet

- name: Switch it off, and return when the PDU says that it is off
  hostpm.fencing.http_power:
    address: pdu-a.example.com
    model: netio
    outlet: 4
    username: fence
    password: "{{ vault_pdu }}"
    ca_path: /etc/pki/pdu-ca.pem
    state: "off"

- name: Switch an outlet of an ePowerSwitch on, which speaks no TLS
  hostpm.fencing.http_power:
    address: 192.0.2.40
    protocol: http
    model: epowerswitch_8m
    outlet: 3
    username: fence
    password: "{{ vault_pdu }}"
    state: "on"
"""

RETURN = r"""
power:
  description: The power as it was read last.
  returned: always
  type: str
  choices: ["on", "off", "unknown"]
  sample: "off"
power_before:
  description: The power as it was read first.
  returned: when the device was asked
  type: str
  choices: ["on", "off", "unknown"]
  sample: "on"
reason:
  description: Why it failed, or why the power is unknown.
  returned: failure
  type: str
  choices: [auth, unreachable, timeout, refused, not_found, unsupported, bad_reply, tls, busy, unconfirmed]
  sample: not_found
attempts:
  description: How often the device was asked, or a command was sent.
  returned: when the device was asked
  type: int
  sample: 1
raw:
  description: What the device said last of the outlet.
  returned: when the device was asked
  type: str
  sample: "0"
duration:
  description: How long it took, in seconds.
  returned: when the device was asked
  type: float
  sample: 0.2
"""

from ansible_collections.hostpm.fencing.plugins.module_utils._devices.http import TYPE
from ansible_collections.hostpm.fencing.plugins.module_utils._power_module import run_power_module


def main() -> None:
    run_power_module(TYPE)


if __name__ == "__main__":
    main()
