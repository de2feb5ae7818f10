# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Lets Python keep the bytecode of this collection's own modules, as it does for all others. Importing this file does it.

Ansible's importer compiles each file of a collection anew in every run (ansible-core 2.19 to 2.21, collection_loader), which
takes longer than everything else that a task on one host does. This file touches no module of anybody else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

# The folders whose modules are imported by name; action plugins are loaded by Ansible itself.
OURS = tuple(f"ansible_collections.hostpm.fencing.plugins.{name}." for name in ("module_utils", "plugin_utils"))


class KeepsBytecode:
    """A finder that finds our own modules where Ansible's does, and leaves them to Python's own loader. It finds nothing else."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is None or not name.startswith(OURS):
            return None
        # Not through sys.path_hooks: the one for these folders is Ansible's.
        finders = (FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)) for folder in path)
        return next((spec for finder in finders if (spec := finder.find_spec(name, target))), None)


if KeepsBytecode not in sys.meta_path:
    sys.meta_path.insert(0, KeepsBytecode)
