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
import re
import shlex
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader, fragment_loader, module_loader
from ansible.utils.plugin_docs import get_docstring

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import (
    AgentType,
    BadReply,
    Busy,
    Deadline,
    DeviceError,
    Kind,
    Power,
    Reading,
    Reason,
    TimedOut,
)
from ansible_collections.hostpm.fencing.plugins.module_utils._exchange import Turn
from ansible_collections.hostpm.fencing.plugins.module_utils._process import BoundedProcess
from ansible_collections.hostpm.fencing.plugins.module_utils._secret_names import SECRET_NAME

# What the agent contract asks of a module (DESIGN section 6); the task itself says the first, the budget the second.
CONTRACT_OPTIONS = ("state", "timeout")
TIMEOUT_S = 60.0
READ_TIMEOUT_S = 30.0
# A module gets this much less than the budget, so that it can report its own failure (seconds).
HEAD_START_S = 0.5
# Variables that say how the host is spoken to.
OF_THE_HOST = (
    "ansible_become",
    "ansible_shell",
    "ansible_remote_tmp",
    "ansible_async",
    "ansible_connection",
    "ansible_python",
)

# Types of options that can be checked before a module runs; the others are left to the module.
CHECKED_TYPES = ("str", "int", "float", "bool")
# What makes Ansible hand a module its arguments in the program text, on stdin, instead of a file.
NEW_STYLE = re.compile(r"^\s*(from\s+\S*module_utils\S*\s+import|import\s+\S*module_utils)", re.M)
LONGEST_TEXT = 300


class ModuleFailed(DeviceError):
    """A module of somebody else said that it failed, and why."""

    def __init__(self, reason: Reason, seen: str) -> None:
        super().__init__(seen)
        self.reason = reason


@lru_cache(maxsize=64)
def foreign_type(fqcn: str) -> AgentType:
    """The agent type behind a module's full name. Raises LookupError if there is no such power module here."""
    found = module_loader.find_plugin_with_context(fqcn)
    if not found.resolved or found.plugin_resolved_path is None:
        raise LookupError(
            f"the module {fqcn} is not installed on the machine that runs Ansible; install its collection"
        )
    path = Path(found.plugin_resolved_path)
    text = _text_of(path)
    if not NEW_STYLE.search(text):
        raise LookupError(
            f"the module {fqcn} is not written in Python with ansible.module_utils: its arguments, secrets included, would lie in a file"
        )
    documented = _documented_options(path)
    complaint = _contract_problem(documented)
    if complaint:
        raise LookupError(f"the module {fqcn} is no power module: {complaint}")
    marked = _marked_no_log(text)
    spec = {
        option: _argument(option, entry, marked)
        for option, entry in documented.items()
        if option not in CONTRACT_OPTIONS
    }
    return AgentType(
        name=fqcn,
        kind=Kind.CHASSIS,
        parallel=False,
        manners_from_agent=True,
        timeout_s=TIMEOUT_S,
        read_timeout_s=READ_TIMEOUT_S,
        exchange_s=TIMEOUT_S,
        argument_spec=spec,
        describe=_address,
        device=lambda options: f"{fqcn} {_address(options)}",
        target=lambda options: _target(options, spec),
    )


def _contract_problem(documented: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What keeps a module from being a power module, by its own documentation."""
    missing = [option for option in CONTRACT_OPTIONS if option not in documented]
    if missing:
        return f"it documents no option {' and no option '.join(missing)}"
    if documented["state"].get("required"):
        return "it requires the option state, so it cannot read"
    choices = documented["state"].get("choices")
    # An unquoted on or off in the documentation is a boolean.
    words = {
        {True: "on", False: "off"}.get(choice, choice) if isinstance(choice, bool) else choice
        for choice in choices or ("on", "off")
    }
    return None if {"on", "off"} <= words else "its option state takes no on and off"


def _argument(option: str, entry: Mapping[str, Any], marked: set[str]) -> dict[str, Any]:
    """A documented option as an entry of an argument spec."""
    kind = str(entry.get("type") or "str")
    return {
        "type": kind if kind in CHECKED_TYPES else "raw",
        "required": entry.get("required") is True,
        "aliases": [str(alias) for alias in entry.get("aliases") or ()],
        "no_log": option in marked or entry.get("no_log") is True or bool(SECRET_NAME.search(option)),
        **({"choices": list(entry["choices"])} if entry.get("choices") and kind in CHECKED_TYPES else {}),
    }


def _target(options: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> str:
    """What the options name: two agents that differ in their secrets or budgets only name the same thing."""
    return repr(sorted((key, str(value)) for key, value in options.items() if key in spec and not spec[key]["no_log"]))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _address(options: Mapping[str, Any]) -> str:
    return next((str(options[key]) for key in ("address", "host", "hostname", "url") if options.get(key)), "")


def _documented_options(path: Path) -> dict[str, dict[str, Any]]:
    """The options in a module's documentation, fragments included; empty if it has none."""
    try:
        documentation = get_docstring(
            str(path), fragment_loader, verbose=False, collection_name=None, plugin_type="module"
        )[0]
    except (AnsibleError, ValueError, OSError) as error:
        raise LookupError(f"the documentation of the module cannot be read ({type(error).__name__})") from None
    options = (documentation or {}).get("options") or {}
    return {str(option): dict(entry or {}) for option, entry in options.items()}


def _marked_no_log(text: str) -> set[str]:
    """Options whose argument spec says ``no_log=True``, from the module's text: it is not run for that."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()
    marked: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            pairs = [
                (key.value, value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
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
            str(key.value): value
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)
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


class _ModuleRun(ActionBase):  # type: ignore[misc]
    """The part of Ansible's executor that makes a module into a program and reads its answer, around a process of ours.

    ``alone`` is held by its caller and let go while the process runs: it is the only part that may run beside others.
    """

    def prepare(self, process: BoundedProcess, alone: threading.Lock, clean: Callable[[str], str]) -> None:
        self._process = process
        self._alone = alone
        self._clean = clean

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        raise NotImplementedError("this is no action of a task")

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        """The program goes to the interpreter's stdin whatever is configured: in a file its arguments could be read, and left behind."""
        if module_style != "new":
            raise AnsibleError("the module's arguments would have to be written to a file")
        return True

    def _low_level_execute_command(
        self, cmd: str, sudoable: bool = True, in_data: bytes | None = None, **_kwargs: Any
    ) -> dict[str, Any]:
        """Runs the interpreter; no shell is between. Ansible's own version has no deadline, and shows the output when it debugs."""
        self._alone.release()
        try:
            status, out, err = self._process.run(shlex.split(cmd), in_data, self._loader.get_basedir())
        finally:
            self._alone.acquire()
        stdout, stderr = (self._clean(stream.decode(errors="replace")) for stream in (out, err))
        return {
            "rc": status,
            "stdout": stdout,
            "stdout_lines": stdout.splitlines(),
            "stderr": stderr,
            "stderr_lines": stderr.splitlines(),
        }


class ForeignModules:
    """Runs modules for one task of one host: each run has an action, a task, a connection and contextvars of its own.

    They are not shared, since Ansible's executor keeps the folder and the payload of a run on them: with shared ones answers
    are taken for another agent's in silence. Its plugin loader is not safe in threads either, so that but for the module's own
    process only one run is under way at a time, of all hosts of the task. ``clean`` takes secrets out of what a module prints.
    """

    _alone = threading.Lock()

    def __init__(self, action: Any, task_vars: Mapping[str, Any], clean: Callable[[str], str]) -> None:
        self._action = action
        self._clean = clean
        # The module runs here, whatever the host is: nothing that says how the host is spoken to matters.
        self._task_vars = {
            **{key: value for key, value in task_vars.items() if not key.startswith(OF_THE_HOST)},
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
        }

    def run(self, fqcn: str, arguments: Mapping[str, Any], process: BoundedProcess) -> dict[str, Any]:
        """Run the module once on the controller and return its raw result. Call it in a fresh context."""
        with self._alone:
            return self._run(fqcn, arguments, process)

    def _run(self, fqcn: str, arguments: Mapping[str, Any], process: BoundedProcess) -> dict[str, Any]:
        action = self._action
        task = action._task.copy()
        task.delegate_to = None
        task.async_val = 0
        task.environment = []
        task.args = {}
        play_context = action._play_context.copy()
        play_context.become = False
        play_context.shell = "sh"
        connection = connection_loader.get("ansible.builtin.local", play_context)
        connection.set_options(direct={"pipelining": True})
        connection.become = None
        module_run = _ModuleRun(
            task, connection, play_context, action._loader, action._templar, action._shared_loader_obj
        )
        module_run.prepare(process, self._alone, self._clean)
        return dict(
            module_run._execute_module(
                module_name=fqcn,
                module_args=SecretArguments(arguments),
                task_vars=dict(self._task_vars),
                wrap_async=False,
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
        self._options = {
            key: value for key, value in options.items() if value is not None and key not in ("timeout", "read_timeout")
        }
        self._pool = pool
        self._turn = turn
        self._clean = clean
        self._process: BoundedProcess | None = None
        self._under_way: asyncio.Future[dict[str, Any]] | None = None
        self._interrupted = False
        # Why the last run failed, and how long it took (seconds).
        self._failure: DeviceError | None = None
        self._took_s = 0.0

    async def read(self, left_s: float) -> Reading:
        if self._failure is not None and left_s < self._took_s:
            # Another run would only be cut short, and hide why this one failed.
            raise self._failure
        result = await self._call({}, left_s)
        power = _power(result.get("power"))
        raw = _line(result.get("raw") or result.get("power") or "nothing")
        if power is Power.UNKNOWN:
            return Reading(
                power, raw, _reason(result), _line(result.get("msg")) or f"the module {self._fqcn} reads {raw}"
            )
        return Reading(power, raw)

    async def switch(self, power: Power, left_s: float) -> None:
        self._failure = None
        await self._call({"state": str(power)}, left_s)

    def interrupt(self) -> None:
        """No new run from now on; the one under way is ended with its process group. From any thread."""
        self._interrupted = True
        if self._process is not None:
            self._process.kill()

    async def close(self) -> None:
        if self._under_way is not None:
            await asyncio.wait({self._under_way})

    async def _call(self, state: Mapping[str, str], left_s: float) -> dict[str, Any]:
        """One run, and what it says; why it failed is remembered."""
        began = time.monotonic()
        failure, self._failure = self._failure, None
        try:
            return await self._run(state, left_s)
        except TimedOut as error:
            self._failure = failure if failure and left_s < 3 * self._took_s else error
            raise self._failure from None
        except DeviceError as error:
            self._failure, self._took_s = error, time.monotonic() - began
            raise

    async def _run(self, state: Mapping[str, str], left_s: float) -> dict[str, Any]:
        began = time.monotonic()
        async with self._turn(left_s):
            left_s -= time.monotonic() - began
            if self._interrupted or left_s <= 0:
                raise TimedOut("no time was left to run the module", "raise the timeout of the agent or of the task")
            self._process = process = BoundedProcess(Deadline(left_s))
            arguments = {**self._options, **state, "timeout": max(1, int(left_s - HEAD_START_S))}
            loop = asyncio.get_running_loop()
            context = contextvars.Context()
            self._under_way = future = loop.run_in_executor(
                self._pool, context.run, _run_quietly, self._modules, self._fqcn, arguments, process
            )
            result: dict[str, Any] = self._clean(await asyncio.shield(future))
            self._under_way = None
        if process.killed:
            raise TimedOut(
                f"the module {self._fqcn} did not end within {left_s:.1f} s and was killed", "is the device alive?"
            )
        if result.get("failed") or result.get("unreachable"):
            raise _error(self._fqcn, result)
        if process.status:
            # An answer of a process that then ended badly proves nothing.
            raise BadReply(f"the module {self._fqcn} answered and then ended with status {process.status}")
        if result.get("skipped"):
            raise ModuleFailed(Reason.UNSUPPORTED, f"the module {self._fqcn} does not read in check mode")
        return result


def _run_quietly(
    modules: ForeignModules, fqcn: str, arguments: Mapping[str, Any], process: BoundedProcess
) -> dict[str, Any]:
    """A module that cannot even be run is a failed module; what Ansible raises may quote arguments."""
    try:
        return modules.run(fqcn, arguments, process)
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
    reason = _reason(result)
    if "module_stdout" in result:
        text = (
            f"the module {fqcn} ended with status {result.get('rc')} and no result; try it alone with ansible -m {fqcn}"
        )
        return BadReply(text)
    text = f"the module {fqcn} says: {_line(result.get('msg')) or 'it failed'}"
    return Busy(text) if reason is Reason.BUSY else ModuleFailed(reason, text)


def _line(value: Any) -> str:
    """The first line of what a module says, as a text of bounded length."""
    lines = str(value if value is not None else "").strip().splitlines()
    text = "".join(character if character.isprintable() else "?" for character in lines[0]) if lines else ""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."
