# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Regular expressions that users write, searched for within a deadline.

A pattern such as ``(a+)+$`` can take for ever, and while it does no other thread of the process runs: so it is searched in a
process that can be ended. This file knows no protocol.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import BadReply, Deadline, TimedOut
from ansible_collections.hostpm.fencing.plugins.module_utils._names import SLICE_S, end_process_group

# Reads the patterns and the text, and prints for each pattern whether it is in the text.
SEARCH = """
import json, re, sys
asked = json.load(sys.stdin)
json.dump([re.search(pattern, asked["text"]) is not None for pattern in asked["patterns"]], sys.stdout)
"""


def found_in(text: str, patterns: Sequence[str], deadline: Deadline) -> list[bool]:
    """For each pattern, whether it fits somewhere in the text. The patterns are known to be regular expressions."""
    asked = json.dumps({"text": text, "patterns": list(patterns)}).encode()
    with subprocess.Popen(
        (sys.executable, "-I", "-S", "-c", SEARCH),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            output = _output(process, asked, deadline)
        finally:
            end_process_group(process)
    try:
        found = json.loads(output)
    except ValueError:
        raise BadReply("its answer could not be searched", "look at the regular expressions") from None
    return [bool(each) for each in found]


def _output(process: subprocess.Popen[bytes], asked: bytes, deadline: Deadline) -> bytes:
    given: bytes | None = asked
    while not deadline.over:
        try:
            return process.communicate(given, timeout=min(SLICE_S, deadline.remaining_s))[0]
        except subprocess.TimeoutExpired:
            given = None  # communicate goes on where it was, and does not want it again.
    raise TimedOut("the regular expressions were not searched in time", "write them without repeats inside of repeats")
