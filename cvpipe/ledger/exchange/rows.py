"""The rows of a file become sites, or are refused with all that is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import pyproj
from shapely.errors import ShapelyError
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Plan, Site, SiteStatus
from cvpipe.errors import LedgerError
from cvpipe.ledger.columns import canonical_json
from cvpipe.ledger.exchange import cells
from cvpipe.ledger.exchange.headings import Headings, Meaning
from cvpipe.ledger.exchange.meanings import PLACE_FIELDS, Meanings, one_line
from cvpipe.ledger.exchange.places import placed_all
from cvpipe.ledger.exchange.raw import RawFile, RawRow
from cvpipe.ledger.exchange.sites_file import Notice, SitesFile
from cvpipe.ledger.map_shift import MapShift
from cvpipe.ledger.placing import placed

_PLAN_FIELDS = frozenset(f.name for f in fields(Plan))


@dataclass(frozen=True)
class Table:
    """How to read a row: for each field its heading and what makes a value of a cell; the headings of attributes.

    `unfolded` names the attributes that came out of one column, where blank ones say something.
    """

    fields: tuple[tuple[str, str, Callable[[Any], Any]], ...]
    attributes: tuple[str, ...]
    unfolded: dict[str, str]

    @classmethod
    def of(cls, meanings: Meanings, unfolded: dict[str, str], words: Headings) -> Table:
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


def take_rows(read: SitesFile, raw: RawFile, table: Table, shift: MapShift | None) -> None:
    """Take each row of a file into `read`, as a site or as refused; the places of all are worked out at once."""
    code_heading = next(heading for heading, name, _ in table.fields if name == "code")
    codes = [_code(row, code_heading) for row in raw.rows]
    counts = Counter(codes)
    drafts = [_draft(row, table, code, counts[code]) for row, code in zip(raw.rows, codes, strict=True)]
    places = placed_all([draft.geometry for draft in drafts], raw.crs, shift)
    for draft, place in zip(drafts, places, strict=True):
        _take(read, draft, place, raw.crs, shift)


def _draft(row: RawRow, table: Table, code: str, times: int) -> _Draft:
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
        places = tuple(f"{one_line(heading)}: " for heading, name, _ in table.fields if name in PLACE_FIELDS)
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


def _values(row: RawRow, table: Table) -> tuple[dict[str, Any], list[str]]:
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
            faults.append(f"{one_line(heading)}: {error}")
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


def _attributes(row: RawRow, table: Table, faults: list[str]) -> dict[str, Any]:
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
