# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""XML of a device, read without its dangerous parts: no document type, so no entities of its own; UTF-8 only.

This file knows no protocol.
"""

from __future__ import annotations

from xml.etree import ElementTree

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import BadReply

Element = ElementTree.Element


def parse_xml(body: bytes, what: str) -> Element:
    """The root element of a document; BadReply if it is none. Without a document type nothing in it can grow."""
    try:
        text = body.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ValueError("a document type")
        return ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError, RecursionError):
        raise BadReply(f"its answer for {what} is no XML", "is this the right device and port?") from None


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]
