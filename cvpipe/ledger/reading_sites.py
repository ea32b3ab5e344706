"""A GeoJSON or CSV file of sites, row by row: what is taken, what is refused and why, what was mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pyproj
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Plan, Site, SiteStatus
from cvpipe.errors import LedgerError, SitesError
from cvpipe.ledger import cells
from cvpipe.ledger.columns import canonical_json
from cvpipe.ledger.headings import Meaning, shipped_headings
from cvpipe.ledger.placing import placed
from cvpipe.ledger.site_files import RawFile, RawRow, read_raw

#: Fields that say where a site lies; a file needs `geometry`, or `lon` and `lat`.
_PLACE_FIELDS = frozenset({"geometry", "lon", "lat"})
_PLAN_FIELDS = frozenset(f.name for f in fields(Plan))

#: By heading; None for a column that becomes an attribute, no entry for one that is dropped.
_Meanings = dict[str, Meaning | None]
_DROPPED = Meaning("")


@dataclass(frozen=True)
class Notice:
    """What is to be said of one row: where it stands, its code as far as it is known, and one sentence."""

    where: str
    code: str
    sentence: str


@dataclass(frozen=True)
class SitesFile:
    """What a file of sites holds.

    `stated` names for each code the columns that its row speaks of; an empty cell says nothing. `refused` are rows
    that cannot become sites, `notices` what was mended in rows that could, `dropped` the headings of columns about
    persons that were left out.
    """

    path: Path
    sites: list[Site] = field(default_factory=list)
    stated: dict[str, frozenset[str]] = field(default_factory=dict)
    refused: list[Notice] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    dropped: tuple[str, ...] = ()


def read_sites(path: Path, *, drop_personal: bool = False) -> SitesFile:
    """Read a file of sites; geometries come out in WGS 84, areas in m².

    Raises SitesError when the file as a whole cannot be used: unreadable, without codes or places, with two columns
    for one field, or with columns about persons that are not to be dropped.
    """
    raw = read_raw(path)
    dropped = _personal_headings(raw)
    if dropped and not drop_personal:
        raise SitesError(
            f"columns with data about persons: {', '.join(dropped)}",
            where=path,
            remedy="Remove them from the file, or leave them out with --drop-personal. Nothing of them is kept.",
        )
    meanings = _meanings(raw, dropped)
    _refuse_unusable(raw, meanings)
    read = SitesFile(path, dropped=dropped)
    codes = Counter(_code(row, meanings) for row in raw.rows)
    for row in raw.rows:
        _add_row(read, row, meanings, raw.crs, codes)
    return read


def _personal_headings(raw: RawFile) -> tuple[str, ...]:
    words = shipped_headings()
    unknown = [heading for heading in raw.headings if not _is_known(heading)]
    return tuple(heading for heading in unknown if words.is_personal(heading))


def _is_known(heading: str) -> bool:
    try:
        return shipped_headings().meaning(heading) is not None
    except ValueError:  # a known field in an unknown unit
        return True


def _meanings(raw: RawFile, dropped: Collection[str]) -> _Meanings:
    """What each heading that is kept means; None for those that become attributes."""
    meanings: dict[str, Meaning | None] = {}
    for heading in raw.headings:
        if heading in dropped:
            continue
        try:
            meaning = shipped_headings().meaning(heading)
        except ValueError as error:
            raise SitesError(f"heading {heading!r}: {error}", where=raw.path, remedy="Correct the heading.") from None
        # A feature's own geometry goes before columns that repeat it.
        meanings[heading] = None if meaning and raw.has_geometries and meaning.field in _PLACE_FIELDS else meaning
    return meanings


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


def _add_row(read: SitesFile, row: RawRow, meanings: _Meanings, crs: pyproj.CRS, codes: Counter[str]) -> None:
    """Take one row as a site, or refuse it with everything that is wrong with it."""
    code = _code(row, meanings)
    if row.fault:
        read.refused.append(Notice(row.where, code, row.fault))
        return
    values, faults = _values(row, meanings)
    faults += [] if code else ["it has no code"]
    faults += [f"the code {code!r} stands in {codes[code]} rows"] if code and codes[code] > 1 else []
    mended = _place(row, values, faults, crs)
    values["attributes"] = _attributes(row, meanings, faults)
    if faults:
        read.refused.extend(Notice(row.where, code, fault) for fault in faults)
        return
    read.notices.extend(Notice(row.where, code, sentence) for sentence in mended)
    read.sites.append(_site(values))
    read.stated[code] = _stated(values)


def _code(row: RawRow, meanings: _Meanings) -> str:
    """The row's code, "" where it has none that can be read (which `_values` then tells)."""
    for heading, cell in row.cells.items():
        meaning = meanings.get(heading)
        if meaning and meaning.field == "code" and not cells.is_blank(cell):
            try:
                return cells.text(cell)
            except ValueError:
                return ""
    return ""


def _values(row: RawRow, meanings: _Meanings) -> tuple[dict[str, Any], list[str]]:
    """The cells that are not blank, by field, and a sentence for each one that cannot be read."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for heading, cell in row.cells.items():
        meaning = meanings.get(heading)
        if meaning is None or cells.is_blank(cell):
            continue
        try:
            values[meaning.field] = _read_cell(cell, meaning)
        except ValueError as error:
            faults.append(f"{heading}: {error}")
    return values, faults


def _read_cell(cell: Any, meaning: Meaning) -> Any:
    name = meaning.field
    if name in ("geometry", "retained"):
        return cells.geometry(cell)
    if name in ("lon", "lat"):
        return cells.coordinate(cell)
    if name in ("work_started", "due_date"):
        return cells.day(cell)
    if name == "green_ratio":
        return cells.ratio(cell, meaning.factor)
    if name.endswith(("_m", "_m2")):
        return cells.number(cell) * meaning.factor
    return _status(cell) if name == "status" else cells.text(cell)


def _status(cell: Any) -> SiteStatus:
    status = shipped_headings().status(cells.text(cell))
    if status is None:
        raise ValueError(f"{cell!r} is no status; there are {', '.join(SiteStatus)}")
    return status


def _place(row: RawRow, values: dict[str, Any], faults: list[str], crs: pyproj.CRS) -> list[str]:
    """Put the site's outline, and the retained one, into WGS 84; returns what was mended."""
    mended = []
    try:
        values["geometry"], notice = placed(_geometry(row, values), crs)
        mended.append(notice)
        if "retained" in values:
            values["retained"], notice = placed(values["retained"], crs)
            mended.append(notice and f"retained: {notice}")
    except ValueError as error:
        faults.append(str(error))
    return [notice for notice in mended if notice]


def _geometry(row: RawRow, values: dict[str, Any]) -> BaseGeometry:
    lon, lat = values.pop("lon", None), values.pop("lat", None)
    if row.geometry is not None:
        return cells.geometry(row.geometry)
    if "geometry" in values:
        return values["geometry"]
    if lon is None or lat is None:
        raise ValueError("it has no geometry")
    return Point(lon, lat)


def _attributes(row: RawRow, meanings: _Meanings, faults: list[str]) -> dict[str, Any]:
    """The cells under headings that no field has, as they are."""
    unknown = {heading: cell for heading, cell in row.cells.items() if meanings.get(heading, _DROPPED) is None}
    attributes = {heading: cell for heading, cell in unknown.items() if not cells.is_blank(cell)}
    try:
        canonical_json(attributes).encode("utf-8")
    except (LedgerError, UnicodeEncodeError) as error:
        faults.append(f"its further columns cannot be kept ({error})")
    return attributes


def _stated(values: dict[str, Any]) -> frozenset[str]:
    """The columns of the ledger that a row speaks of."""
    silent = set() if values["attributes"] else {"attributes"}
    return frozenset("geom" if name == "geometry" else name for name in values.keys() - silent)


def _site(values: dict[str, Any]) -> Site:
    own = {name: value for name, value in values.items() if name not in _PLAN_FIELDS}
    return Site(**own, plan=Plan(**{name: value for name, value in values.items() if name in _PLAN_FIELDS}))
