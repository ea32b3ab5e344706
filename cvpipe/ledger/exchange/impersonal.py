"""A file of sites without what it says about persons: columns and cells that look like it are refused or left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from cvpipe.errors import SitesError
from cvpipe.ledger.exchange import cells
from cvpipe.ledger.exchange.headings import Headings, Meaning
from cvpipe.ledger.exchange.meanings import Meanings
from cvpipe.ledger.exchange.persons import Suspicion, suspicion
from cvpipe.ledger.exchange.raw import RawFile, RawRow
from cvpipe.ledger.exchange.sites_file import Notice

#: Fields whose cells may hold anything that people write.
_TEXT_FIELDS = frozenset({"code", "name", "sub_district", "community", "owner_system", "batch", "rules", "status"})


def without_persons(
    raw: RawFile, meanings: Meanings, unfolded: dict[str, str], words: Headings, drop: bool
) -> tuple[RawFile, dict[str, str], list[Notice]]:
    """Take columns and cells about persons out of `raw` and `meanings`, if that is asked for.

    Returns the rest, the reasons by heading of each column that was dropped, and what single cells were.
    """
    columns: dict[str, str] = {}
    spots: dict[str, Suspicion] = {}
    for heading, meaning in meanings.items():
        name = unfolded.get(heading, heading)
        if meaning is None and words.is_personal(name, cut=raw.names_are_cut):
            columns[heading] = "its heading"
        elif (meaning is None or meaning.field in _TEXT_FIELDS) and not words.is_harmless(name):
            is_code = meaning is not None and meaning.field == "code"
            found = suspicion(_judged(raw.rows, heading, meaning), is_code=is_code)
            if found and found.whole_column:
                columns[heading] = found.what
            elif found:
                spots[heading] = found
    if columns and not drop:
        raise SitesError(
            f"columns with data about persons: {', '.join(f'{h} ({why})' for h, why in columns.items())}",
            where=raw.path,
            remedy="Remove them from the file, or leave them out with --drop-personal. Nothing of them is kept. "
            "Where they hold no such data, list the heading under `harmless` in a file for --headings.",
        )
    for heading in columns:
        del meanings[heading]
    rows, notices = _without_spots(raw.rows, spots, meanings, words, drop)
    return replace(raw, rows=rows), columns, notices


def _judged(rows: list[RawRow], heading: str, meaning: Meaning | None) -> Iterator[Any]:
    """The cells of a column as they are judged: JSON by what it says, for its brackets make numbers look otherwise."""
    for row in rows:
        cell = row.cells.get(heading)
        if meaning is not None and meaning.field == "rules" and isinstance(cell, str):
            with suppress(ValueError):
                cell = cells.mapping_of(cell)
        yield cell


def _without_spots(
    rows: list[RawRow], spots: dict[str, Suspicion], meanings: Meanings, words: Headings, drop: bool
) -> tuple[list[RawRow], list[Notice]]:
    """Refuse rows with single cells about persons, or empty these cells."""
    found: dict[int, list[str]] = {}
    for heading, spotted in spots.items():
        for index in spotted.cells:
            found.setdefault(index, []).append(heading)
    for index, row in enumerate(rows):
        for heading, cell in row.cells.items():
            if isinstance(cell, dict | list) and heading in meanings and _has_personal_key(cell, words):
                found.setdefault(index, []).append(heading)
    kept, notices = list(rows), []
    for index, headings in found.items():
        row, listed = rows[index], ", ".join(dict.fromkeys(headings))
        if drop:
            kept[index] = replace(row, cells={h: c for h, c in row.cells.items() if h not in headings})
            notices.append(Notice(row.where, "", f"{listed}: left out, for it looks like data about a person"))
        else:
            kept[index] = replace(
                row, fault=row.fault or f"{listed}: it looks like data about a person; remove it, or --drop-personal"
            )
    return kept, notices


def _has_personal_key(value: Any, words: Headings) -> bool:
    if isinstance(value, dict):
        return any(words.is_personal(str(key)) or _has_personal_key(inner, words) for key, inner in value.items())
    return isinstance(value, list) and any(_has_personal_key(inner, words) for inner in value)
