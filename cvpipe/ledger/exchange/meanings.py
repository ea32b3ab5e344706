"""What the columns of a file of sites are taken for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from typing import Any

from cvpipe.errors import SitesError
from cvpipe.ledger.exchange import cells
from cvpipe.ledger.exchange.headings import Headings, Meaning
from cvpipe.ledger.exchange.raw import RawFile
from cvpipe.ledger.exchange.sites_file import ColumnRead

#: Fields that say where a site lies; a file needs `geometry`, or `lon` and `lat`.
PLACE_FIELDS = frozenset({"geometry", "lon", "lat"})
#: Columns of a file, attributes included: what a GeoPackage table holds.
MOST_COLUMNS = 2000
_SAMPLES = 3
_SAMPLE_CHARACTERS = 30

#: By heading; None for a column that becomes an attribute, no entry for one that is left out.
Meanings = dict[str, Meaning | None]


def meanings_of(raw: RawFile, words: Headings) -> Meanings:
    """What each heading that is kept means; None for those that become attributes."""
    meanings: Meanings = {}
    for heading in raw.headings:
        if words.is_machine(heading):
            continue
        meaning = _meaning(heading, raw, words)
        # A feature's own geometry goes before columns that repeat it.
        meanings[heading] = None if meaning and raw.has_geometries and meaning.field in PLACE_FIELDS else meaning
    said = Counter(meaning.field for meaning in meanings.values() if meaning)
    for heading in raw.yielding & meanings.keys():
        meaning = meanings[heading]
        if meaning and said[meaning.field] > 1:
            del meanings[heading]
    return meanings


def _meaning(heading: str, raw: RawFile, words: Headings) -> Meaning | None:
    try:
        meaning = words.meaning(heading)
        if meaning is None and raw.names_are_cut and not words.is_personal(heading, cut=True):
            meaning = words.meaning_of_cut(heading)
    except ValueError as error:
        raise SitesError(f"heading {heading!r}: {error}", where=raw.path, remedy="Correct the heading.") from None
    return meaning


def unfolded_of(raw: RawFile, meanings: Meanings) -> tuple[RawFile, dict[str, str]]:
    """The attributes that one column gathers as columns of their own, so that these are judged like any others.

    Returns the names of these attributes by the headings that they get; `meanings` has them in place of the column.
    """
    gatherings = [heading for heading, m in meanings.items() if m and m.field == "attributes"]
    if len(gatherings) != 1:  # two of them are refused with other fields that stand twice
        return raw, {}
    gathering = gatherings[0]
    del meanings[gathering]
    unfolded: dict[str, str] = {}
    rows = []
    for row in raw.rows:
        cell = row.cells.get(gathering)
        try:
            gathered = {} if cells.is_blank(cell) else cells.mapping_of(cell)
        except ValueError as error:
            rows.append(replace(row, fault=row.fault or f"{gathering}: {error}"))
            continue
        own = {f"{gathering}: {name}": name for name in gathered}
        unfolded |= own
        rows.append(replace(row, cells=row.cells | {heading: gathered[name] for heading, name in own.items()}))
    meanings |= dict.fromkeys(unfolded)
    return replace(raw, rows=rows), unfolded


def refuse_too_many(raw: RawFile, meanings: Meanings) -> None:
    """A file whose every row has headings of its own would take a time that grows with their square."""
    if len(meanings) > MOST_COLUMNS:
        raise SitesError(
            f"{len(meanings)} different headings; {MOST_COLUMNS} at most are taken",
            where=raw.path,
            remedy="Give all rows the same headings.",
        )


def column_read(
    heading: str, raw: RawFile, meanings: Meanings, words: Headings, dropped: Collection[str]
) -> ColumnRead:
    """What is told of a column; `dropped` are the headings of those that were left out for what they say of persons."""
    if heading in dropped:
        return ColumnRead(heading, "", "", "about persons")
    filled = (row.cells[heading] for row in raw.rows if not cells.is_blank(row.cells.get(heading)))
    samples = tuple(_sample(cell) for cell in islice(filled, _SAMPLES))
    if heading not in meanings:
        told_by = "kept by the machine" if words.is_machine(heading) else "another column says it"
        return ColumnRead(heading, "", "", told_by, samples)
    meaning = meanings[heading]
    if meaning is None:
        return ColumnRead(heading, None, "", "no field has it", samples)
    unit = meaning.unit or next((u for u, factor in words.units_of(meaning.field).items() if factor == 1), "")
    return ColumnRead(heading, meaning.field, unit, meaning.told_by, samples)


def _sample(cell: Any) -> str:
    written = one_line(str(cell))
    return written if len(written) <= _SAMPLE_CHARACTERS else f"{written[: _SAMPLE_CHARACTERS - 1]}…"


def one_line(written: str) -> str:
    """Without line breaks and double blanks."""
    return " ".join(written.split())
