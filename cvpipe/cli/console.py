"""How commands speak: tables and lines for people on stdout, JSON for programs, progress on stderr.

Commands say everything in English; what people read goes through `cvpipe.cli.tongue`, JSON does not.
"""

from __future__ import annotations

import io
import json
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cvpipe.cli.tongue import said, said_error
from cvpipe.errors import CvpipeError


class Speaking(Console):
    """A console that says texts in the language of whoever sits before it."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich prints; texts are said, tables and the like stay as they are."""
        super().print(*(said(one) if isinstance(one, str) else one for one in objects), **options)


out = Speaking(highlight=False)
err = Speaking(stderr=True, highlight=False)


def as_it_is(line: str, console: Console = out) -> None:
    """A line whose parts are said already."""
    Console.print(console, line, soft_wrap=True, markup=False)


def refuse(error: CvpipeError) -> None:
    """One line on stderr that says where, what was found and what to do."""
    as_it_is(f"cvpipe: {said_error(error)}", err)


def soften() -> None:
    """On a terminal that lacks a sign (² in GBK, for example) put a mark there instead of ending."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            stream.reconfigure(errors="replace")


#: Time that a bar stands still at least: units may be a thousand times as short.
REDRAWN_AFTER_S = 0.05

#: Rows of a table from which on they are set without frames, which cost thirty times as much as a line.
MANY_ROWS = 5000


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; numbers are set flush right."""
    cells = [list(row) for row in rows]
    is_number = [bool(cells) and all(isinstance(row[i], int | float) for row in cells) for i in range(len(columns))]
    if len(cells) >= MANY_ROWS:
        _print_long(title, columns, cells, is_number)
        return
    table = Table(title=escape(said(title)), title_justify="left", title_style="bold")
    for name, numeric in zip(columns, is_number, strict=True):
        table.add_column(escape(said(name)), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(escape(_cell(value)) for value in row))
    out.print(table)


def _print_long(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], is_number: Sequence[bool]
) -> None:
    """A line for each row, the columns under each other."""
    said_once = lru_cache(maxsize=None)(_cell)  # days and reasons come again and again
    table = [[said(name) for name in columns], *([said_once(value) for value in row] for row in rows)]
    widths = [max(cell_len(row[i]) for row in table) for i in range(len(columns))]
    as_it_is(said(title))
    for row in table:
        spaces = (" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        set_ = (f"{s}{c}" if right else f"{c}{s}" for c, s, right in zip(row, spaces, is_number, strict=True))
        out.file.write("  ".join(set_).rstrip() + "\n")


def print_json(value: Any) -> None:
    """One JSON document on stdout, nothing else."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Any]:
    """A bar on a terminal, one line per unit elsewhere. Yields `step(what)`, to be called after each unit."""
    label, done = said(label), 0
    if not err.is_terminal:

        def line(what: str = "") -> None:
            nonlocal done
            done += 1
            as_it_is(f"{label} {done}/{total or '?'} {what}".rstrip(), err)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task, since = bar.add_task(label, total=total), -math.inf

        def step(what: str = "") -> None:
            nonlocal done, since
            done += 1
            if done == total or time.monotonic() - since > REDRAWN_AFTER_S:
                since = time.monotonic()
                bar.update(task, completed=done, description=f"{label} {what}".rstrip())

        yield step


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return "–" if value is None else said(str(value))
