# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pip that ansible-test wants in each of its virtual environments, made from what Python ships.

ansible-test looks for a script of a certain name in its cache folder and otherwise downloads it from a host that many
networks do not reach. The gate puts this file there. It is called with what ansible-test asks for, such as
`pip==24.2 --no-setuptools`.
"""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
environment = dict(os.environ)  # taken before ensurepip, which hides the configuration of pip from this process
ensurepip.bootstrap(default_pip=True)
subprocess.run(
    [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], env=environment, check=True
)
