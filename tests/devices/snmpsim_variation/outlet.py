# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A variation module of snmpsim: the control and the status objects of an outlet are one outlet.

snmpsim runs this file with ``moduleContext`` and ``recordContext`` in its globals. What happened is told in files of the
directory that the option ``dir`` names: ``N`` is the outlet's power, ``commands`` has a line for each SET.
"""

from __future__ import annotations

import pathlib
import time

OPTIONS = {}
AT = {}  # outlet -> (power, when it takes effect, power before)


def init(**context):
    OPTIONS.update(pair.split(":", 1) for pair in (context["options"] or "").split(",") if pair)


def variate(oid, tag, value, **context):
    """``value`` is such as n=3,role=status,on=2,off=1; roles are status, control and pending."""
    if not context["nextFlag"] and not context["exactMatch"]:
        return context["origOid"], tag, context["errorStatus"]
    words = dict(pair.split("=") for pair in value.split(","))
    outlet = f"{context['dataFile']}/{words['n']}"
    if context["setFlag"]:
        command(outlet, words, int(context["origValue"]))
        return oid, tag, context["origValue"]
    power, at, before = AT.get(outlet, (words.get("first", "on"), 0.0, "on"))
    if words["role"] == "pending":
        return oid, tag, words["no"] if time.monotonic() >= at else words["yes"]
    now = power if time.monotonic() >= at else before
    return oid, tag, words[now]


def command(outlet, words, number):
    name = outlet.rsplit("/", 1)[1]
    home = pathlib.Path(OPTIONS["dir"])
    with (home / "commands").open("a") as log:
        log.write(f"{name} {number}\n")
    power = next((word for word in ("on", "off") if words[word] == str(number)), None)
    if power:
        before = AT.get(outlet, (words.get("first", "on"), 0.0, ""))[0]
        AT[outlet] = (power, time.monotonic() + float(OPTIONS.get("lag", "0")), before)
        (home / name).write_text(power)


def shutdown(**context):
    pass
