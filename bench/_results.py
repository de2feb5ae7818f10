# Copyright (c) 2026, the hostpm.fencing authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured: records, JSON lines, and tables of them for a terminal and for a page. Nothing is measured here."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Record:
    """What one contestant needed for one case. Without ``wall_s`` it did not take part, and ``note`` says why."""

    part: str
    case: str
    contestant: str
    hosts: int
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    extra: dict[str, float] = field(default_factory=dict)
    note: str = ""
    # What the others are compared with.
    reference: bool = False
    # Only the numbers of ``extra``, no times.
    plain: bool = False


def append_to(path: Path, records: Iterable[Record]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(record)) + "\n" for record in records)


def read_from(path: Path) -> list[Record]:
    return [Record(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Table:
    title: str
    header: list[str]
    rows: list[list[str]]
    notes: list[str]


def tables(records: list[Record]) -> Iterator[Table]:
    """A table for each case, in the order in which they were measured."""
    for case in dict.fromkeys(record.case for record in records):
        yield table_of(case, [record for record in records if record.case == case])


def table_of(case: str, records: list[Record]) -> Table:
    if any(record.plain for record in records):
        return plain_table(case, records)
    extras = list(dict.fromkeys(name for record in records for name in record.extra))
    header = ["", "runs", "wall s, median (least)", "CPU s, median (least)"]
    many = any(record.hosts > 1 for record in records)
    header += ["CPU ms a host"] if many else []
    header += ["wall ÷ ours", "CPU ÷ ours", *extras]
    ours = next((record for record in records if record.reference), Record("", "", "", 1))
    rows, notes = [], []
    for record in records:
        if not record.wall_s:
            notes.append(f"{record.contestant}: {record.note}")
            continue
        if record.note:
            notes.append(f"{record.contestant}: {record.note}")
        row = [record.contestant, str(len(record.wall_s)), spread(record.wall_s), spread(record.cpu_s)]
        row += [f"{1000 * statistics.median(record.cpu_s) / record.hosts:.1f}"] if many else []
        row += [ratio(record.wall_s, ours.wall_s), ratio(record.cpu_s, ours.cpu_s)]
        rows.append([*row, *(number(record.extra.get(name)) for name in extras)])
    return Table(case, header, rows, notes)


def plain_table(case: str, records: list[Record]) -> Table:
    names = list(dict.fromkeys(name for record in records for name in record.extra))
    rows = [[record.contestant, *(f"{record.extra[name]:.1f}" for name in names)] for record in records]
    return Table(case, ["", *names], rows, [record.note for record in records if record.note])


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f})"


def ratio(values: list[float], ours: list[float]) -> str:
    """How many times ours. The least values are compared: what else runs on the machine only ever adds."""
    if not ours or min(ours) == 0:
        return ""
    times = min(values) / min(ours)
    return f"{times:.2f}" if times < 10 else f"{times:.0f}"


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def as_text(table: Table) -> str:
    columns = list(zip(table.header, *table.rows, strict=True))
    widths = [max(map(len, column)) for column in columns]

    def line(cells: list[str]) -> str:
        first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        return "  ".join([first.strip().ljust(widths[0]), *others]).rstrip()

    lines = [table.title, *(f"  {line(row)}" for row in [table.header, *table.rows])]
    return "\n".join([*lines, *(f"  - {note}" for note in table.notes)])


def as_markdown(table: Table) -> str:
    lines = [f"### {table.title}", ""]
    lines += ["| " + " | ".join(cells) + " |" for cells in [table.header, ["---"] * len(table.header), *table.rows]]
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"
