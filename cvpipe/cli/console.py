"""How commands speak: tables and lines for people on stdout, JSON for programs, progress on stderr.

Commands say everything in English; what people read goes through `cvpipe.cli.tongue`, JSON does not.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; numbers are set flush right."""
    cells = [list(row) for row in rows]
    table = Table(title=escape(said(title)), title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[i], int | float) for row in cells)
        table.add_column(escape(said(name)), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(escape(_cell(value)) for value in row))
    out.print(table)


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
        task = bar.add_task(label, total=total)
        yield lambda what="": bar.update(task, advance=1, description=f"{label} {what}".rstrip())


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return "–" if value is None else said(str(value))
