"""A file of sites, row by row: what is taken, what is refused and why, what each column was taken for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import pyproj
from shapely.errors import ShapelyError
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Plan, Site, SiteStatus
from cvpipe.errors import LedgerError, SitesError
from cvpipe.ledger.columns import canonical_json
from cvpipe.ledger.exchange import cells
from cvpipe.ledger.exchange.headings import Headings, Meaning, headings_with, shipped_headings
from cvpipe.ledger.exchange.opening import read_raw
from cvpipe.ledger.exchange.persons import Suspicion, suspicion
from cvpipe.ledger.exchange.places import placed_all
from cvpipe.ledger.exchange.raw import Question, RawFile, RawRow, known_crs
from cvpipe.ledger.map_shift import OPTION_OF, MapShift, named_shift
from cvpipe.ledger.placing import datum_notice, placed

#: Fields that say where a site lies; a file needs `geometry`, or `lon` and `lat`.
_PLACE_FIELDS = frozenset({"geometry", "lon", "lat"})
_PLAN_FIELDS = frozenset(f.name for f in fields(Plan))
#: Fields whose cells may hold anything that people write.
_TEXT_FIELDS = frozenset({"code", "name", "sub_district", "community", "owner_system", "batch", "rules", "status"})
#: Columns of a file, attributes included: what a GeoPackage table holds.
MOST_COLUMNS = 2000
_SAMPLES = 3
_SAMPLE_CHARACTERS = 30
#: Degrees around the area of use of a coordinate system in which sites may still lie.
_AROUND_USE = 5.0

#: By heading; None for a column that becomes an attribute, no entry for one that is left out.
_Meanings = dict[str, Meaning | None]


@dataclass(frozen=True)
class Notice:
    """What is to be said of one row: where it stands, its code as far as it is known, and one sentence."""

    where: str
    code: str
    sentence: str


@dataclass(frozen=True)
class ColumnRead:
    """What a column was taken for: `field` of a site, None for an attribute, "" where it was left out.

    `unit` is that of the numbers ("" where they have none), `told_by` what the field was known by; `samples` are its
    first cells, none of a column about persons.
    """

    heading: str
    field: str | None
    unit: str
    told_by: str
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class SitesFile:
    """What a file of sites holds.

    `stated` names for each code the columns that its row speaks of; an empty cell says nothing. `where` tells for
    each code where its row stands. `refused` are rows that cannot become sites, `notices` what was mended in rows
    that could, or what is to be said of the file. `dropped` are the headings of columns about persons that were left
    out; `columns` what each column was taken for.
    """

    path: Path
    sites: list[Site] = field(default_factory=list)
    stated: dict[str, frozenset[str]] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    refused: list[Notice] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    columns: tuple[ColumnRead, ...] = ()


def read_sites(
    path: Path,
    *,
    drop_personal: bool = False,
    layer: str | None = None,
    crs: str | None = None,
    headings: Path | None = None,
    shift: MapShift | None = None,
) -> SitesFile:
    """Read a file of sites; geometries come out in WGS 84, areas in m².

    `layer` names a layer or sheet where the file has several, `crs` the coordinate system instead of what the file
    says or keeps silent about, `headings` a file of further headings, `shift` the web map that the places were read
    from. Nothing of a column about persons is kept.

    Raises SitesError when the file as a whole cannot be used: unreadable, without codes or places, with two columns
    for one field, or with data about persons that is not to be dropped.
    """
    words = shipped_headings() if headings is None else headings_with(headings)
    stated_crs = None if crs is None else known_crs(crs, "--crs")
    raw = read_raw(path, Question(layer, stated_crs, words))
    meanings = _meanings(raw, words)
    told = dict(meanings)
    raw, unfolded = _unfolded(raw, meanings)
    _refuse_too_many(raw, meanings)
    raw, dropped, spots = _without_persons(raw, meanings, unfolded, words, drop_personal)
    _refuse_unusable(raw, meanings)
    _refuse_degrees_as_metres(raw)
    columns = tuple(_column_read(heading, raw, told, words, dropped) for heading in raw.headings)
    read = SitesFile(path, dropped=tuple(dropped), columns=columns)
    read.notices.extend(Notice("the file", "", sentence) for sentence in _notices(raw, shift))
    read.notices.extend(spots)
    _take_rows(read, raw, _Table.of(meanings, unfolded, words), shift)
    _refuse_outside_use(read, raw)
    return read


def _notices(raw: RawFile, shift: MapShift | None) -> list[str]:
    """What is to be said of the file as a whole."""
    named = named_shift([*raw.headings, raw.path.name]) if shift is None else None
    shifted = f"it names {named}: if the places were read from such a map, say {OPTION_OF[named]}" if named else ""
    return [notice for notice in (*raw.notices, datum_notice(raw.crs), shifted) if notice]


def _meanings(raw: RawFile, words: Headings) -> _Meanings:
    """What each heading that is kept means; None for those that become attributes."""
    meanings: _Meanings = {}
    for heading in raw.headings:
        if words.is_machine(heading):
            continue
        meaning = _meaning(heading, raw, words)
        # A feature's own geometry goes before columns that repeat it.
        meanings[heading] = None if meaning and raw.has_geometries and meaning.field in _PLACE_FIELDS else meaning
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


def _unfolded(raw: RawFile, meanings: _Meanings) -> tuple[RawFile, dict[str, str]]:
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


def _refuse_too_many(raw: RawFile, meanings: _Meanings) -> None:
    """A file whose every row has headings of its own would take a time that grows with their square."""
    if len(meanings) > MOST_COLUMNS:
        raise SitesError(
            f"{len(meanings)} different headings; {MOST_COLUMNS} at most are taken",
            where=raw.path,
            remedy="Give all rows the same headings.",
        )


def _without_persons(
    raw: RawFile, meanings: _Meanings, unfolded: dict[str, str], words: Headings, drop: bool
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
    rows: list[RawRow], spots: dict[str, Suspicion], meanings: _Meanings, words: Headings, drop: bool
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


def _refuse_unusable(raw: RawFile, meanings: _Meanings) -> None:
    found = Counter(meaning.field for meaning in meanings.values() if meaning)
    listed = f"The headings found are: {', '.join(raw.headings) or 'none'}."
    if not raw.rows:
        raise SitesError("the file holds no sites", where=raw.path, remedy="Export the layer again.")
    for name, count in found.items():
        if count > 1:
            both = " and ".join(heading for heading, meaning in meanings.items() if meaning and meaning.field == name)
            raise SitesError(f"{both} both mean {name}", where=raw.path, remedy="Keep one of these columns.")
    if "code" not in found:
        raise SitesError("no column holds the sites' codes", where=raw.path, remedy=f"Name it 'code'. {listed}")
    if not raw.has_geometries and "geometry" not in found and not {"lon", "lat"} <= found.keys():
        raise SitesError(
            "no column says where the sites lie",
            where=raw.path,
            remedy=f"Give longitude and latitude in 'lon' and 'lat', or WKT in 'geometry'. {listed}",
        )


def _refuse_degrees_as_metres(raw: RawFile) -> None:
    """A .prj of another file is a common mishap."""
    if not raw.has_geometries or not raw.crs.is_projected:
        return
    bounds = (row.geometry.bounds for row in raw.rows if isinstance(row.geometry, BaseGeometry))
    found = list(islice((box for box in bounds if box[0] == box[0]), 1000))
    if found and all(-180 <= box[0] <= box[2] <= 180 and -90 <= box[1] <= box[3] <= 90 for box in found):
        raise SitesError(
            f"the coordinates are degrees, but the coordinate system {raw.crs.name} has metres",
            where=raw.path,
            remedy="Say the right one with --crs, such as EPSG:4490.",
        )


def _refuse_outside_use(read: SitesFile, raw: RawFile) -> None:
    """Not one site where the coordinate system is in use: it is the wrong one, or x and y are swapped."""
    area = raw.crs.area_of_use
    if area is None or not read.sites or area.west > area.east:
        return
    for site in read.sites:
        left, bottom, right, top = site.geometry.bounds
        if (
            left <= area.east + _AROUND_USE
            and right >= area.west - _AROUND_USE
            and bottom <= area.north + _AROUND_USE
            and top >= area.south - _AROUND_USE
        ):
            return
    x, y = read.sites[0].geometry.bounds[:2]
    raise SitesError(
        f"no site lies where {raw.crs.name} is used; the first comes to longitude {x:.4f}, latitude {y:.4f}",
        where=raw.path,
        remedy="Say the right system with --crs, and give the easting as x, the northing as y.",
    )


def _column_read(
    heading: str, raw: RawFile, meanings: _Meanings, words: Headings, dropped: Collection[str]
) -> ColumnRead:
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


def _one_line(written: str) -> str:
    return " ".join(written.split())


def _sample(cell: Any) -> str:
    written = _one_line(str(cell))
    return written if len(written) <= _SAMPLE_CHARACTERS else f"{written[: _SAMPLE_CHARACTERS - 1]}…"


@dataclass(frozen=True)
class _Table:
    """How to read a row: for each field its heading and what makes a value of a cell; the headings of attributes.

    `unfolded` names the attributes that came out of one column, where blank ones say something.
    """

    fields: tuple[tuple[str, str, Callable[[Any], Any]], ...]
    attributes: tuple[str, ...]
    unfolded: dict[str, str]

    @classmethod
    def of(cls, meanings: _Meanings, unfolded: dict[str, str], words: Headings) -> _Table:
        known = [(heading, meaning.field, _reader(meaning, words)) for heading, meaning in meanings.items() if meaning]
        free = tuple(heading for heading, meaning in meanings.items() if meaning is None)
        return cls(tuple(known), free, {heading: name for heading, name in unfolded.items() if heading in free})


def _reader(meaning: Meaning, words: Headings) -> Callable[[Any], Any]:
    name, factor = meaning.field, meaning.factor
    if name in ("geometry", "retained"):
        return cells.geometry
    if name in ("lon", "lat"):
        return cells.coordinate
    if name in ("work_started", "due_date", "recheck_on"):
        return cells.day
    if name == "rules":
        return cells.mapping_of
    if name == "green_ratio":
        return lambda cell: cells.ratio(cell, factor)
    if name.endswith(("_m", "_m2")):
        return lambda cell: cells.number(cell) * factor
    return (lambda cell: _status(cell, words)) if name == "status" else cells.text


def _status(cell: Any, words: Headings) -> SiteStatus:
    status = words.status(cells.text(cell))
    if status is None:
        known = ", ".join(SiteStatus)
        raise ValueError(f"{cell!r} is no status; there are {known}, and what --headings lists under `statuses`")
    return status


@dataclass
class _Draft:
    """A row on its way to a site."""

    row: RawRow
    code: str
    values: dict[str, Any]
    faults: list[str]
    geometry: BaseGeometry | None = None


def _take_rows(read: SitesFile, raw: RawFile, table: _Table, shift: MapShift | None) -> None:
    code_heading = next(heading for heading, name, _ in table.fields if name == "code")
    codes = [_code(row, code_heading) for row in raw.rows]
    counts = Counter(codes)
    drafts = [_draft(row, table, code, counts[code]) for row, code in zip(raw.rows, codes, strict=True)]
    places = placed_all([draft.geometry for draft in drafts], raw.crs, shift)
    for draft, place in zip(drafts, places, strict=True):
        _take(read, draft, place, raw.crs, shift)


def _draft(row: RawRow, table: _Table, code: str, times: int) -> _Draft:
    """Everything that a row says, and everything that is wrong with it, but for its place."""
    if row.fault:
        return _Draft(row, code, {}, [row.fault])
    values, faults = _values(row, table)
    faults += [] if code else ["it has no code"]
    faults += [f"the code {code!r} stands in {times} rows"] if code and times > 1 else []
    draft = _Draft(row, code, values, faults)
    try:
        draft.geometry = _geometry(row, values)
    except ValueError as error:
        places = tuple(f"{_one_line(heading)}: " for heading, name, _ in table.fields if name in _PLACE_FIELDS)
        if not any(fault.startswith(places) for fault in faults):  # else what is wrong with its place is said
            faults.append(str(error))
    values["attributes"] = _attributes(row, table, faults)
    return draft


def _take(
    read: SitesFile, draft: _Draft, place: tuple[BaseGeometry, str] | str, crs: pyproj.CRS, shift: MapShift | None
) -> None:
    """Take a row as a site, or refuse it with all its faults."""
    mended: list[str] = []
    if isinstance(place, str):
        draft.faults += [place] if place else []
    else:
        draft.values["geometry"] = place[0]
        mended.append(place[1])
    if "retained" in draft.values:
        mended.append(_place_retained(draft, crs, shift))
    where, code = draft.row.where, draft.code
    if draft.faults:
        read.refused.extend(Notice(where, code, fault) for fault in draft.faults)
        return
    read.notices.extend(Notice(where, code, sentence) for sentence in mended if sentence)
    read.stated[code] = _stated(draft.values)
    read.sites.append(_site(draft.values))
    read.where[code] = where


def _place_retained(draft: _Draft, crs: pyproj.CRS, shift: MapShift | None) -> str:
    """Put the retained outline into WGS 84; returns what was mended."""
    try:
        draft.values["retained"], notice = placed(draft.values["retained"], crs, shift=shift)
    except (ValueError, ShapelyError) as error:
        draft.faults.append(f"retained: {error}")
        return ""
    return f"retained: {notice}" if notice else ""


def _code(row: RawRow, heading: str) -> str:
    """The row's code, "" where it has none that can be read (which `_values` then tells)."""
    cell = row.cells.get(heading)
    try:
        return "" if cells.is_blank(cell) else cells.text(cell)
    except ValueError:
        return ""


def _values(row: RawRow, table: _Table) -> tuple[dict[str, Any], list[str]]:
    """The cells that are not blank, by field, and a sentence for each one that cannot be read."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for heading, name, read in table.fields:
        cell = row.cells.get(heading)
        if cell is None or (cell.__class__ is str and not cell.strip()):  # is_blank, in the innermost loop
            continue
        try:
            values[name] = read(cell)
        except ValueError as error:
            faults.append(f"{_one_line(heading)}: {error}")
    return values, faults


def _geometry(row: RawRow, values: dict[str, Any]) -> BaseGeometry:
    lon, lat = values.pop("lon", None), values.pop("lat", None)
    if row.geometry is not None:
        return cells.geometry(row.geometry)
    if "geometry" in values:
        return values["geometry"]
    if lon is None or lat is None:
        raise ValueError("it has no geometry")
    return Point(lon, lat)


def _attributes(row: RawRow, table: _Table, faults: list[str]) -> dict[str, Any]:
    """The cells under headings that no field has, as they are."""
    attributes = {
        table.unfolded.get(heading, heading): _as_plain(row.cells[heading])
        for heading in table.attributes
        if heading in row.cells and (heading in table.unfolded or not cells.is_blank(row.cells[heading]))
    }
    try:
        canonical_json(attributes).encode("utf-8")
    except (LedgerError, UnicodeEncodeError) as error:
        faults.append(f"its further columns cannot be kept ({error})")
    return attributes


def _as_plain(cell: Any) -> Any:
    """A cell as JSON can carry it: dates in ISO 8601."""
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, timedelta) else cell


def _stated(values: dict[str, Any]) -> frozenset[str]:
    """The columns of the ledger that a row speaks of."""
    return _columns_of(tuple(values), bool(values["attributes"]))


@lru_cache(maxsize=1024)
def _columns_of(names: tuple[str, ...], has_attributes: bool) -> frozenset[str]:
    silent = set() if has_attributes else {"attributes"}
    return frozenset("geom" if name == "geometry" else name for name in set(names) - silent)


def _site(values: dict[str, Any]) -> Site:
    plan = Plan(**{name: values.pop(name) for name in _PLAN_FIELDS & values.keys()})
    return Site(**values, plan=plan)
