# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Which names of options speak of secrets, for options that nobody marks. This file knows no option."""

from __future__ import annotations

import re

SECRET_NAME = re.compile(
    r"(^|_)pass($|_|words?|wd|phrase|code)|pwd|secret|token|community|credential|cookie|bearer|authorization"
    r"|(^|_)(pw|psk|otp|pin|k_?g)$|(^|_)key($|_(data|text|content)$)|(private|api|access|auth|priv)_?key$",
    re.I,
)
