# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""The devices that are spoken to in text: what they are asked, and what their answers look like.

Data, in the words of ``_cli_format.py``; ``docs/adding_a_dialogue.md`` shows how to add a row. Trust A: two sources that do
not depend on each other agree. B: one source. C: guessed in a part that matters; such a row needs ``accept_untested``.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Kind, Reason
from ansible_collections.hostpm.fencing.plugins.module_utils._devices._cli_format import Complaint, Dialogue, Step

NUMBER = r"[1-9][0-9]{0,2}"
# An outlet's number, or its name as the device lists it. No blanks, nothing that a command line could take apart.
NUMBER_OR_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"

ROWS = (
    Dialogue(
        model="apc_aos5",
        devices="APC Rack PDU with AOS 5, 6 or 7 (AP8xxx, AP79xxB)",
        kind=Kind.SUPPLY,
        trust="A",
        source="APC Rack PDU user guides (command response codes, olStatus, olOn, olOff); pdudaemon apc8959; fence_apc",
        prompt=r"apc>",
        status=(Step("olStatus all"),),
        row=r"[ ]*(?P<outlet>[0-9]+): (?P<name>.*?): (?P<power>[^:]*)",
        on=(Step("olOn {outlet}"),),
        off=(Step("olOff {outlet}"),),
        reads_on=frozenset({"On"}),
        reads_off=frozenset({"Off"}),
        moving=frozenset({"On*", "Off*"}),
        done=r"^E00[01]: ",
        outlet=NUMBER_OR_NAME,
        leave=(Step("exit"),),
        complaints=(
            Complaint(r"^E102: ", Reason.NOT_FOUND, "there is no such outlet"),
            Complaint(r"^E104: ", Reason.AUTH, "the account may not do this"),
            Complaint(r"^E101: ", Reason.UNSUPPORTED, "the device does not know the command"),
            Complaint(r"^E1\d\d: ", Reason.REFUSED, "the device did not take the command"),
        ),
        one_session=True,
    ),
)

DIALOGUES: Mapping[str, Dialogue] = {row.model: row for row in ROWS}
