# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Which agent types there are: the drivers of this collection, and anybody's module by its full name.

This file knows where types come from; it knows nothing of what they do.
"""

from __future__ import annotations

import importlib
import re
from difflib import get_close_matches

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import AgentType
from ansible_collections.hostpm.fencing.plugins.plugin_utils._foreign import foreign_type

# One file in module_utils/_devices and one module each. A file is loaded when an agent has its type: so are the libraries.
BUILT_IN = (
    "amt",
    "cli",
    "fence_agent",
    "http",
    "ipmi",
    "libvirt",
    "redfish",
    "ribcl",
    "snmp",
    "ucs",
    "wol",
)
DEVICES = "ansible_collections.hostpm.fencing.plugins.module_utils._devices"
# The full name of a module. Anything else that has a dot is not quoted: it may be a secret in the wrong place.
FULL_NAME = re.compile(r"[a-z_]\w*(\.[a-z_]\w*){2,}", re.A)
OUR_MODULES = {f"hostpm.fencing.{name}_power": name for name in BUILT_IN}


def built_in_type(name: str) -> AgentType:
    """The type of this name, one of ``BUILT_IN``."""
    found: AgentType = importlib.import_module(f"{DEVICES}.{name}").TYPE
    return found


def find_type(word: str) -> AgentType:
    """The agent type that a user means by ``word``. Raises LookupError with what to do instead."""
    word = OUR_MODULES.get(word, word)
    if word in BUILT_IN:
        return built_in_type(word)
    if FULL_NAME.fullmatch(word):
        return foreign_type(word)
    near = get_close_matches(word, BUILT_IN, n=1)
    raise LookupError(
        f"there is no such type{f' (did you mean {near[0]}?)' if near else ''}; write one of {', '.join(BUILT_IN)},"
        " or the full name of a module such as acme.dc.busbar_power"
    )
