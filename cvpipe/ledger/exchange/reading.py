"""A file of sites, from its bytes to what is taken of it and what is refused."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from cvpipe.errors import SitesError
from cvpipe.ledger.exchange.headings import headings_with, shipped_headings
from cvpipe.ledger.exchange.impersonal import without_persons
from cvpipe.ledger.exchange.meanings import Meanings, column_read, meanings_of, refuse_too_many, unfolded_of
from cvpipe.ledger.exchange.opening import read_raw
from cvpipe.ledger.exchange.raw import Question, RawFile, known_crs
from cvpipe.ledger.exchange.rows import Table, take_rows
from cvpipe.ledger.exchange.sites_file import Notice, SitesFile
from cvpipe.ledger.map_shift import OPTION_OF, MapShift, named_shift
from cvpipe.ledger.placing import datum_notice

#: Degrees around the area of use of a coordinate system in which sites may still lie.
_AROUND_USE = 5.0


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
    meanings = meanings_of(raw, words)
    told = dict(meanings)
    raw, unfolded = unfolded_of(raw, meanings)
    refuse_too_many(raw, meanings)
    raw, dropped, spots = without_persons(raw, meanings, unfolded, words, drop_personal)
    _refuse_unusable(raw, meanings)
    _refuse_degrees_as_metres(raw)
    columns = tuple(column_read(heading, raw, told, words, dropped) for heading in raw.headings)
    read = SitesFile(path, dropped=tuple(dropped), columns=columns)
    read.notices.extend(Notice("the file", "", sentence) for sentence in _notices(raw, shift))
    read.notices.extend(spots)
    take_rows(read, raw, Table.of(meanings, unfolded, words), shift)
    _refuse_outside_use(read, raw)
    return read


def _notices(raw: RawFile, shift: MapShift | None) -> list[str]:
    """What is to be said of the file as a whole."""
    named = named_shift([*raw.headings, raw.path.name]) if shift is None else None
    shifted = f"it names {named}: if the places were read from such a map, say {OPTION_OF[named]}" if named else ""
    return [notice for notice in (*raw.notices, datum_notice(raw.crs), shifted) if notice]


def _refuse_unusable(raw: RawFile, meanings: Meanings) -> None:
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
