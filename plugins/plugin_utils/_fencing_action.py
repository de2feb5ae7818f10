# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_utils is PRIVATE and should only be used by this collection. Breaking changes can occur any time.

"""What the actions have in common: a host's variables in, its job out; what it tells and what it must not tell; its result.

This file knows Ansible's side of an action; it decides nothing and speaks to no device.
"""

from __future__ import annotations

import datetime
import gc
import json
import re
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.template import is_trusted_as_template
from ansible.utils.display import Display

from ansible_collections.hostpm.fencing.plugins.module_utils._contract import Power
from ansible_collections.hostpm.fencing.plugins.plugin_utils import _budget
from ansible_collections.hostpm.fencing.plugins.plugin_utils._agent_types import find_type
from ansible_collections.hostpm.fencing.plugins.plugin_utils._fencing import Fencing, Inrush, unlimited
from ansible_collections.hostpm.fencing.plugins.plugin_utils._foreign import ForeignModules
from ansible_collections.hostpm.fencing.plugins.plugin_utils._host import Agent, Host, Numbers, State
from ansible_collections.hostpm.fencing.plugins.plugin_utils._inventory_vars import (
    InputError,
    ParsedHost,
    Template,
    TemplateFailed,
    choose_agents,
    parse_host,
)
from ansible_collections.hostpm.fencing.plugins.plugin_utils._operations import Devices, Operations
from ansible_collections.hostpm.fencing.plugins.plugin_utils._secrets import Mask
from ansible_collections.hostpm.fencing.plugins.plugin_utils._task_options import TaskOptions, parse_options
from ansible_collections.hostpm.fencing.plugins.plugin_utils._turns import DeviceTurns
from ansible_collections.hostpm.fencing.plugins.plugin_utils._verdict import Event, Verdict

display = Display()

# What a task with a ``timeout`` of its own needs to report its result before Ansible throws it away (seconds).
REPORT_S = 1.0
# From how many -v on each event is shown.
EVENTS_FROM = 2
# How templates in an inventory begin.
TEMPLATE_SIGNS = ("{{", "{%", "{#")
# A template that is another variable and nothing else, as secrets are written. To resolve it through Jinja takes as long as a login to a
# BMC, which counts with a thousand hosts.
ONE_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


@dataclass(frozen=True)
class Job:
    """What is to be done with one host, how, and what must not be told of it. ``variables`` are for modules of other people."""

    host: Host
    parsed: ParsedHost
    options: TaskOptions
    variables: Mapping[str, Any]
    mask: Mask
    log: _Log | None


class FencingAction(ActionBase):
    """Runs on the controller, opens no connection to the host (it may be dead). Its child does the work in ``perform``."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    # Whether the option progress shows each event, or something else.
    progress_is_events = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        # This process is a fork that ends with the task: what it has from its parent is no garbage, and looking through it again and
        # again takes longer than asking hundreds of devices.
        gc.freeze()
        variables: dict[str, Any] = task_vars or {}
        name = str(variables.get("inventory_hostname", "localhost"))
        try:
            self._refuse_delegation(name)
            return self.perform(name, variables)
        except InputError as error:
            return failed(str(error))
        except Exception as error:
            # What Ansible would print of it may hold a secret: the text of a library, the source of a template.
            return failed(f"{name}: {bug(error)}")

    def perform(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The task itself; InputError for what is wrong with its options."""
        raise NotImplementedError

    def job(self, name: str, args: Mapping[str, Any], variables: Mapping[str, Any], template: Template) -> Job:
        """The job on one host from its variables. Raises InputError with all that is wrong, before anything is contacted."""
        options = parse_options(name, args, variables, template)
        parsed = parse_host(name, variables, template, find_type)
        host = choose_agents(parsed.host, options.agents) if options.agents is not None else parsed.host
        log = _Log(options.log, name, options.state) if options.log else None
        foreign = any("." in agent_type.name for agent_type in parsed.types.values())
        return Job(host, parsed, options, variables if foreign else {}, Mask(parsed.secrets, _names(host)), log)

    def devices(self, most: int, keep_turns_s: float = 0.0) -> Devices:
        """The devices of this task: turns at them are taken with all other tasks of this user on this machine."""
        return Devices(DeviceTurns(_turns_folder(), keep_turns_s), most)

    async def work(
        self,
        job: Job,
        devices: Devices,
        tell: Callable[[str, Event], None],
        numbers: Numbers | None = None,
        inrush: Inrush = unlimited,
    ) -> Verdict:
        """Do the job; ``tell`` hears the host's name and each event, secrets taken out."""

        shown = display.verbosity >= EVENTS_FROM or (job.options.progress and self.progress_is_events)
        heard = job.log is not None or shown

        def told(event: Event) -> None:
            if not heard:
                return
            event = job.mask.apply_to_event(event)
            if job.log is not None:
                job.log.write(event)
            tell(job.host.name, event)

        def waited(agent: Agent, seconds: float) -> None:
            fencing.note(agent, f"waited {seconds:.1f} s for its turn at the device")

        foreign = ForeignModules(self, job.variables, job.mask.apply_to_output)
        operations = Operations(job.parsed.types, devices, foreign, waited, lambda value: job.mask.apply(plain(value)))
        fencing = Fencing(job.host, numbers or job.options.numbers, operations.run, devices.clock, told, inrush)
        try:
            if self._task.check_mode and job.options.state is not State.READ:
                return await fencing.predict(job.options.state)
            return await fencing.achieve(job.options.state)
        finally:
            operations.close()

    def result_of(self, job: Job, verdict: Verdict) -> dict[str, Any]:
        """The result of a host, secrets taken out."""
        verdict.warnings = job.mask.warnings(job.host.name) + verdict.warnings
        result = verdict.as_result()
        if not verdict.ok:
            result.update(failed=True, msg=verdict.msg)
        if self._task.diff and job.options.state is not State.READ:
            result["diff"] = _diff(verdict, self._task.check_mode)
        return dict(job.mask.apply(result))

    def capped(self, numbers: Numbers) -> Numbers:
        """The numbers, with what is left of the task's own ``timeout`` as a further cap."""
        left_s = self.left_s()
        return numbers if left_s is None else _budget.capped(numbers, left_s)

    def left_s(self) -> float | None:
        """What Ansible's own ``timeout`` of the task leaves for the work (seconds). None if it has none."""
        if not self._task.timeout:
            return None
        # Ansible's alarm has been running since before the task's variables were templated.
        left_s = signal.getitimer(signal.ITIMER_REAL)[0] or self._task.timeout
        return max(left_s - REPORT_S, left_s / 2)

    def template_with(self, templar: Any, variables: Mapping[str, Any]) -> Template:
        """Resolves templates in values of the inventory; what goes wrong is told without a value."""

        def template(value: Any) -> Any:
            if _is_literal(value):
                return plain(value)
            name = ONE_VARIABLE.fullmatch(value) if isinstance(value, str) else None
            if name is not None and _is_literal(variables.get(name[1])) and is_trusted_as_template(value):
                return plain(variables[name[1]])
            try:
                return plain(templar.template(value))
            except AnsibleUndefinedVariable as error:
                raise TemplateFailed(_undefined(str(error.message), value)) from None
            except AnsibleError as error:
                what = (
                    "decrypted; is the vault password given and right?"
                    if _is_vaults(error)
                    else "resolved; look at its template"
                )
                raise TemplateFailed(f"its value cannot be {what} ({type(error).__name__})") from None

        return template

    def _refuse_delegation(self, name: str) -> None:
        target = self._task.delegate_to
        if target and target not in C.LOCALHOST:
            what = "the devices are spoken to from the machine that runs Ansible; leave delegate_to out"
            raise InputError([f"{name}: delegate_to: {what}"])


def _is_literal(value: Any) -> bool:
    """A text without the signs of a template, a number or a boolean: asking Ansible to template it costs much and changes nothing."""
    return isinstance(value, (bool, int, float)) or (
        isinstance(value, str) and not any(sign in value for sign in TEMPLATE_SIGNS)
    )


def _turns_folder() -> Path:
    """Where the turns at devices are kept: one place for all runs of this user on this machine, else one for this run."""
    folder = Path(C.config.get_config_value("ANSIBLE_HOME")).expanduser() / "hostpm_fencing_turns"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".writable").touch()
    except OSError:
        return Path(C.DEFAULT_LOCAL_TMP)
    return folder


class _Log:
    """The file of JSON lines that survives a killed task: a line is on its way to the disk before the next thing happens."""

    def __init__(self, path: str, host: str, state: State) -> None:
        self._path = path
        self._facts = {"host": host, "state": None if state is State.READ else str(state)}
        try:
            with open(path, "a", encoding="utf-8"):
                pass
        except OSError as error:
            raise InputError([f"{host}: log: {path} cannot be written: {error.strerror}"]) from None

    def write(self, event: Event) -> None:
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, **self._facts, **event.as_result()})
        try:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError:
            # A full disk must not leave a host between off and on.
            display.vv(f"{self._path} cannot be written any more")


def tell_line(host: str, event: Event, progress: bool) -> None:
    """Print an event as it happens: always with ``progress``, else with -vv."""
    line = f"{event.at_s:6.2f} s  {event.agent or 'host'}: {event.event}"
    if progress:
        display.display(f"<{host}> {line}")
    else:
        display.vv(line, host=host)


def failed(msg: str) -> dict[str, Any]:
    """The result of a host or a task that asked no device anything."""
    return {"failed": True, "changed": False, "power": str(Power.UNKNOWN), "fenced": False, "msg": msg}


def bug(error: Exception) -> str:
    """Where an exception of our own came from, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-3:]]
    return f"an unexpected {type(error).__name__} at {' > '.join(places)}; this is a bug, please report it"


def _undefined(message: str, template: Any) -> str:
    """What a template lacks. Only names that are written in the template itself are quoted: others may be values."""
    quoted = re.findall(r"'([^']*)'", message)
    names = [name for name in quoted if re.fullmatch(r"[A-Za-z_]\w*", name) and name != "dict"]
    written = [name for name in names if isinstance(template, str) and name in template]
    if message == f"'{''.join(quoted)}' is undefined" and names:
        return f"its template uses the variable {names[0]}, which is not defined"
    return f"its template uses something that is not defined{f': {written[-1]}' if written else ''}"


def _is_vaults(error: BaseException | None) -> bool:
    """Whether decryption failed, here or somewhere below; Ansible wraps that into errors of its own."""
    while error is not None:
        if "Vault" in type(error).__name__:
            return True
        error = error.__cause__ or error.__context__
    return False


def _names(host: Host) -> set[str]:
    """Names that stand in every result and must stay readable."""
    return {host.name} | {word for agent in host.all_agents for word in (agent.name, agent.type)}


def _diff(verdict: Verdict, check_mode: bool) -> dict[str, dict[str, str]]:
    fates = {name: fate for name, fate in verdict.fates.items() if fate.ok is not None}
    before = {name: str(fate.power_before) for name, fate in fates.items()}
    predicted = "off" if verdict.state is State.OFF else "on"
    changed = check_mode and verdict.changed
    after = {name: predicted if changed else str(fate.power) for name, fate in fates.items()}
    return {"before": before, "after": after}


# Ansible tags values with subclasses of the built-in types; these methods of the base types give an untagged value.
UNTAG: Mapping[type, Callable[[Any], Any]] = {str: str.__str__, int: int.__int__, float: float.__float__}


def plain(value: Any) -> Any:
    """The value without Ansible's tags and lazy containers: drivers and threads get plain data."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    return next((untag(value) for base, untag in UNTAG.items() if isinstance(value, base)), value)
