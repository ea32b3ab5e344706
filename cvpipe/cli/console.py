"""How commands speak: tables and lines for people on stdout, JSON for programs, progress on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; numbers are set flush right."""
    cells = [list(row) for row in rows]
    table = Table(title=escape(title), title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[i], int | float) for row in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(escape(_cell(value)) for value in row))
    out.print(table)


def print_json(value: Any) -> None:
    """One JSON document on stdout, nothing else."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Any]:
    """A bar on a terminal, one line per unit elsewhere. Yields `step(what)`, to be called after each unit."""
    done = 0
    if not err.is_terminal:

        def line(what: str = "") -> None:
            nonlocal done
            done += 1
            err.print(f"{label} {done}/{total or '?'} {what}".rstrip(), soft_wrap=True)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda what="": bar.update(task, advance=1, description=f"{label} {what}".rstrip())


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return "–" if value is None else str(value)
