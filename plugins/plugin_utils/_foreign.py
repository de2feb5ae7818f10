# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""Other people's power modules as agents: what they say of themselves, and how one is run once, bounded and alone.

This file knows Ansible's module loader and executor; it knows nothing of hosts, levels or protocols.
"""

from __future__ import annotations

import ast
import asyncio
import contextvars
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.loader import connection_loader, fragment_loader, module_loader
from ansible.utils.plugin_docs import get_docstring

from ansible_collections.hostpm.fencing.plugins.module_utils import _contract
from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    BadReply,
    Busy,
    DeviceError,
    Driver,
    Kind,
    Power,
    Reading,
    Reason,
    TimedOut,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import Turn

# Names that speak of secrets, for options that their module does not mark.
SECRET_NAME = re.compile(r"pass(word|wd|phrase)?$|secret|token|community|credential|private_?key|api_?key|(^|_)key$|(^|_)pin$", re.I)
# What the agent contract asks of a module (DESIGN section 6); the task itself says the first, the budget the second.
CONTRACT_OPTIONS = ("state", "timeout")
TIMEOUT_S = 60.0
READ_TIMEOUT_S = 30.0
# A module gets this much less than the budget, so that it can report its own failure (seconds).
HEAD_START_S = 0.5

ERRORS: Mapping[str, type[DeviceError]] = {
    str(error.reason): error
    for error in (
        _contract.AuthenticationFailed,
        _contract.Unreachable,
        _contract.TimedOut,
        _contract.Refused,
        _contract.NotFound,
        _contract.Unsupported,
        _contract.BadReply,
        _contract.TlsFailed,
        _contract.HostKeyFailed,
        _contract.Busy,
    )
}


def foreign_type(fqcn: str) -> AgentType:
    """The agent type behind a module's full name. Raises LookupError if there is no such power module here."""
    found = module_loader.find_plugin_with_context(fqcn)
    if not found.resolved or found.plugin_resolved_path is None:
        raise LookupError(f"the module {fqcn} is not installed on the machine that runs Ansible; install its collection")
    path = Path(found.plugin_resolved_path)
    documented = _documented_options(str(path))
    missing = [option for option in CONTRACT_OPTIONS if option not in documented]
    if missing:
        raise LookupError(f"the module {fqcn} is no power module: it documents no option {' and no option '.join(missing)}")
    marked = _marked_no_log(path)
    spec = {
        option: {"type": "raw", "no_log": option in marked or bool(SECRET_NAME.search(option))}
        for option in documented
        if option not in CONTRACT_OPTIONS
    }
    return AgentType(
        name=fqcn,
        kind=Kind.CHASSIS,
        parallel=False,
        timeout_s=TIMEOUT_S,
        read_timeout_s=READ_TIMEOUT_S,
        exchange_s=TIMEOUT_S,
        argument_spec=spec,
        open=_no_driver,
        describe=_address,
        device=lambda options: f"{fqcn} {_address(options)}",
        target=lambda options: repr(sorted((key, str(value)) for key, value in options.items() if key not in ("timeout", "read_timeout"))),
    )


def _address(options: Mapping[str, Any]) -> str:
    return next((str(options[key]) for key in ("address", "host", "hostname", "url") if options.get(key)), "")


def _no_driver(options: Mapping[str, Any]) -> Driver:
    raise NotImplementedError("a module of somebody else is run, not driven")


def _documented_options(path: str) -> dict[str, Any]:
    """The options in a module's documentation, fragments included; empty if it has none."""
    try:
        documentation = get_docstring(path, fragment_loader, verbose=False, collection_name=None, plugin_type="module")[0]
    except (AnsibleError, ValueError, OSError) as error:
        raise LookupError(f"the documentation of the module cannot be read ({type(error).__name__})") from None
    return dict((documentation or {}).get("options") or {})


def _marked_no_log(path: Path) -> set[str]:
    """Options whose argument spec says ``no_log=True``, from the module's text: it is not run for that."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return set()
    marked: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            pairs = [(key.value, value) for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)]
        elif isinstance(node, ast.Call):
            pairs = [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
        else:
            continue
        marked.update(str(name) for name, value in pairs if _says_no_log(value))
    return marked


def _says_no_log(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        entries = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    elif isinstance(node, ast.Dict):
        entries = {
            str(key.value): value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)
        }
    else:
        return False
    value = entries.get("no_log")
    return isinstance(value, ast.Constant) and value.value is True


class SecretArguments(dict[str, Any]):
    """Module arguments that do not show themselves: Ansible's debug output prints them."""

    def __repr__(self) -> str:
        return "(arguments of the module, not shown)"

    __str__ = __repr__


class BoundedShell:
    """Runs one command of a local connection in a session of its own, and ends its process group at a deadline.

    ``alone`` is held by its caller and let go while the command runs: it is the only part that may run beside others.
    """

    def __init__(self, until: float, alone: threading.Lock) -> None:
        self._until = until
        self._alone = alone
        self.killed = False
        self._process: subprocess.Popen[bytes] | None = None

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Stands in for ``exec_command`` of Ansible's local connection, which has no deadline."""
        self._alone.release()
        try:
            return self._run(cmd, in_data)
        finally:
            self._alone.acquire()

    def _run(self, cmd: str, in_data: bytes | None) -> tuple[int, bytes, bytes]:
        process = self._process = subprocess.Popen(
            to_bytes(cmd),
            shell=True,
            executable="/bin/sh",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(in_data, timeout=max(0.0, self._until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            out, err = process.communicate()
        return process.returncode, out, err

    def kill(self) -> None:
        """End the process group; from any thread."""
        process = self._process
        if process is not None and process.poll() is None:
            self.killed = True
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class ForeignModules:
    """Runs modules for one task of one host: each run has an action, a task, a connection and contextvars of its own.

    They are not shared, since Ansible's executor keeps the folder and the payload of a run on them: with shared ones answers
    are taken for another agent's in silence. Its plugin loader is not safe in threads either, so that but for the module's own
    process only one run is under way at a time.
    """

    def __init__(self, action: Any, task_vars: Mapping[str, Any]) -> None:
        self._action = action
        self._alone = threading.Lock()
        self._task_vars = {
            **{key: value for key, value in task_vars.items() if not key.startswith("ansible_become")},
            "ansible_connection": "local",
            "ansible_python_interpreter": task_vars["ansible_playbook_python"],
        }

    def shell(self, until: float) -> BoundedShell:
        """A shell for one run that ends at ``until`` on the monotonic clock."""
        return BoundedShell(until, self._alone)

    def run(self, fqcn: str, arguments: Mapping[str, Any], shell: BoundedShell) -> dict[str, Any]:
        """Run the module once on the controller and return its raw result. Call it in a fresh context."""
        with self._alone:
            return self._run(fqcn, arguments, shell)

    def _run(self, fqcn: str, arguments: Mapping[str, Any], shell: BoundedShell) -> dict[str, Any]:
        task = self._action._task.copy()
        task.delegate_to = None
        task.async_val = 0
        task.environment = []
        task.args = {}
        play_context = self._action._play_context.copy()
        play_context.become = False
        connection = connection_loader.get("ansible.builtin.local", play_context)
        connection.set_options(direct={"pipelining": True})
        connection.always_pipeline_modules = True
        connection.become = None
        connection.exec_command = shell.exec_command
        action = type(self._action)(
            task, connection, play_context, self._action._loader, self._action._templar, self._action._shared_loader_obj
        )
        return dict(
            action._execute_module(
                module_name=fqcn, module_args=SecretArguments(arguments), task_vars=dict(self._task_vars), wrap_async=False
            )
        )


class ForeignExchanges:
    """The exchanges of one agent whose device somebody else's module speaks to; one at a time."""

    def __init__(
        self,
        modules: ForeignModules,
        fqcn: str,
        options: Mapping[str, Any],
        pool: Executor,
        turn: Turn,
        clean: Callable[[Any], Any],
    ) -> None:
        self._modules = modules
        self._fqcn = fqcn
        self._options = {key: value for key, value in options.items() if value is not None and key not in ("timeout", "read_timeout")}
        self._pool = pool
        self._turn = turn
        self._clean = clean
        self._shell: BoundedShell | None = None
        self._under_way: asyncio.Future[dict[str, Any]] | None = None
        self._interrupted = False

    async def read(self, left_s: float) -> Reading:
        result = await self._call({}, left_s)
        power = _power(result.get("power"))
        raw = str(result.get("raw") or result.get("power"))
        if power is Power.UNKNOWN:
            return Reading(power, raw, _reason(result), str(result.get("msg") or f"the module reads {raw}"))
        return Reading(power, raw)

    async def switch(self, power: Power, left_s: float) -> None:
        await self._call({"state": str(power)}, left_s)

    def interrupt(self) -> None:
        """No new run from now on; the one under way is ended with its process group. From any thread."""
        self._interrupted = True
        if self._shell is not None:
            self._shell.kill()

    async def close(self) -> None:
        if self._under_way is not None:
            await asyncio.wait({self._under_way})

    async def _call(self, state: Mapping[str, str], left_s: float) -> dict[str, Any]:
        began = time.monotonic()
        async with self._turn(left_s):
            left_s -= time.monotonic() - began
            if self._interrupted or left_s <= 0:
                raise TimedOut("no time was left to run the module", "raise the timeout of the agent or of the task")
            self._shell = shell = self._modules.shell(time.monotonic() + left_s)
            arguments = {**self._options, **state, "timeout": max(1, int(left_s - HEAD_START_S))}
            loop = asyncio.get_running_loop()
            context = contextvars.Context()
            self._under_way = future = loop.run_in_executor(
                self._pool, context.run, _run_quietly, self._modules, self._fqcn, arguments, shell
            )
            result: dict[str, Any] = self._clean(await asyncio.shield(future))
            self._under_way = None
        if shell.killed:
            raise TimedOut(f"the module {self._fqcn} did not end within {left_s:.1f} s and was killed", "is the device alive?")
        if result.get("failed"):
            raise _error(self._fqcn, result)
        return result


def _run_quietly(modules: ForeignModules, fqcn: str, arguments: Mapping[str, Any], shell: BoundedShell) -> dict[str, Any]:
    """A module that cannot even be run is a failed module; what Ansible raises may quote arguments."""
    try:
        return modules.run(fqcn, arguments, shell)
    except Exception as error:
        return {"failed": True, "reason": str(Reason.BAD_REPLY), "msg": f"it could not be run ({type(error).__name__})"}


def _power(value: Any) -> Power:
    """Only the words on and off count, without case; a boolean is unknown."""
    word = value.lower() if isinstance(value, str) else ""
    return {"on": Power.ON, "off": Power.OFF}.get(word, Power.UNKNOWN)


def _reason(result: Mapping[str, Any]) -> Reason:
    try:
        return Reason(result.get("reason"))
    except ValueError:
        return Reason.BAD_REPLY


def _error(fqcn: str, result: Mapping[str, Any]) -> DeviceError:
    seen = str(result.get("msg") or "it failed without a message").strip().splitlines()
    text = f"the module {fqcn} says: {seen[0] if seen else 'nothing'}"
    reason = _reason(result)
    if reason is Reason.BUSY:
        return Busy(text)
    return ERRORS.get(str(reason), BadReply)(text)
