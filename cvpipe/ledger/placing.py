"""A geometry from a file as one that the ledger takes: in WGS 84, in range, valid, flat.

x comes before y, whatever order the CRS's registry entry gives its axes. Chinese survey tables call the northing X and
may set the number of the zone before the easting (38 500 000 for 500 000 in zone 38); both are noticed where the
coordinates cannot be meant as they stand, since then they lie far outside the area that the CRS is made for.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pyproj
import shapely
from pyproj.transformer import TransformerGroup
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from cvpipe.geo import WGS84, Bounds, cut_at_dateline, is_metric, reproject
from cvpipe.ledger.map_shift import MapShift, without_shift

_KINDS = frozenset({"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"})

#: A place further than this (degrees) from the area a projected CRS is made for is not meant as it stands. Districts
#: at the border of a zone are often drawn in their neighbour's, which reaches 3 degrees at most.
BEYOND_ITS_AREA_DEG = 3.0

#: Millions that would number a zone further away (degrees) than this are no zone's number: the value is no easting.
NEIGHBOURING_ZONES_DEG = 12

#: A zone's number stands in the millions of an easting; eastings themselves stay below one million.
_ZONE_M = 1_000_000
#: False easting of all Gauss-Kruger and UTM zones without the number, m.
_PLAIN_FALSE_EASTING_M = 500_000

#: Errors in metres that a change of datum may bring in without a word: less than two pixels of most scenes.
SILENT_DATUM_ERROR_M = 1.0

#: Datums that agree with WGS 84 within a metre, though the registry knows no parameters between them: all are
#: realisations of the ITRF (CGCS2000: ITRF97 at epoch 2000.0).
_LIKE_WGS84 = ("China 2000", "World Geodetic System 1984", "International Terrestrial Reference Frame")


def placed(geometry: BaseGeometry, crs: pyproj.CRS, *, shift: MapShift | None = None) -> tuple[BaseGeometry, str]:
    """The geometry as the ledger takes it, and a notice of what was mended ("" for nothing).

    `shift` names the web map that longitudes and latitudes were read from; it is taken off. It is an error with
    projected coordinates, which no such map hands out.

    Raises ValueError, with a sentence, for a geometry that is empty, of no use for a site, outside the range of
    longitude and latitude, or in coordinates that name another zone than their CRS.
    """
    if geometry.is_empty:
        raise ValueError("the geometry is empty")
    if geometry.geom_type not in _KINDS:
        raise ValueError(f"a {geometry.geom_type} is neither point, line nor polygon")
    moved, notice = _in_degrees(shapely.force_2d(geometry), crs)
    if shift is not None:
        if crs.is_projected:
            raise ValueError(f"{shift} is no shift of projected coordinates")
        moved = without_shift(moved, shift)
    whole, cut = _within_the_dateline(moved)
    valid, mended = _valid(whole)
    return valid, "; ".join(part for part in (notice, cut, mended) if part)


@lru_cache(maxsize=64)
def datum_notice(crs: pyproj.CRS) -> str:
    """What is to be said of the way from a CRS to WGS 84, once for a file; "" where it is true to a metre.

    For Xian 1980 the parameters are not public, and PROJ takes the coordinates as they are.
    """
    datum = crs.geodetic_crs.datum.name if crs.geodetic_crs and crs.geodetic_crs.datum else "an unknown datum"
    if datum.startswith(_LIKE_WGS84):
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "best transformation is not available": said below
        ways = TransformerGroup(crs, WGS84, always_xy=True).transformers
    errors = [way.accuracy for way in ways if way.accuracy >= 0]
    if not errors:
        return (
            f"the way from {datum} to WGS 84 is not known: places can lie 100 m off and more. "
            "Convert the file to CGCS2000 with the parameters of your survey office"
        )
    if max(errors) <= SILENT_DATUM_ERROR_M:
        return ""
    return f"places may lie up to {max(errors):g} m off, the error of going from {datum} to WGS 84"


def _in_degrees(geometry: BaseGeometry, crs: pyproj.CRS) -> tuple[BaseGeometry, str]:
    """In WGS 84 as it stands, or as the one other reading that makes sense of coordinates far from the CRS's area."""
    if crs.is_geographic:
        _refuse_out_of_range(geometry.bounds)
    moved = reproject(geometry, crs, WGS84)
    if not crs.is_projected or _lies_in_its_area(moved, crs):
        _refuse_out_of_range(moved.bounds)
        return moved, ""
    found = [(there, notice) for there, notice in _other_readings(geometry, crs) if _lies_in_its_area(there, crs)]
    if len(found) == 1:
        return found[0]
    _refuse_other_zone(geometry, crs)
    _refuse_out_of_range(moved.bounds)
    return moved, f"it lies far outside the area that {crs.name} is made for: check its CRS and its axes"


def _lies_in_its_area(moved: BaseGeometry, crs: pyproj.CRS) -> bool:
    area = crs.area_of_use
    x, y = shapely.get_coordinates(moved)[0]
    if not math.isfinite(x + y):
        return False
    if area is None:
        return True
    width = (area.east - area.west) % 360 or 360.0
    east_of_edge = (x - area.west + BEYOND_ITS_AREA_DEG) % 360
    north_of_edge = y - area.south + BEYOND_ITS_AREA_DEG
    return bool(
        east_of_edge <= width + 2 * BEYOND_ITS_AREA_DEG
        and 0 <= north_of_edge <= area.north - area.south + 2 * BEYOND_ITS_AREA_DEG
    )


def _other_readings(geometry: BaseGeometry, crs: pyproj.CRS) -> Iterator[tuple[BaseGeometry, str]]:
    """The geometry in WGS 84 with its axes exchanged, and with or without its zone, each with what was done."""
    exchanged = shapely.transform(geometry, lambda points: points[:, ::-1])
    yield reproject(exchanged, crs, WGS84), "northing and easting stood in each other's place and were exchanged"
    for read, said in ((geometry, ""), (exchanged, "northing and easting were exchanged; ")):
        rezoned = _with_the_zone_of(crs, read)
        if rezoned is not None:
            yield reproject(rezoned[0], crs, WGS84), said + rezoned[1]


def _with_the_zone_of(crs: pyproj.CRS, geometry: BaseGeometry) -> tuple[BaseGeometry, str] | None:
    """The geometry with its eastings numbered as the CRS has it.

    None where they are, where the CRS has no zones, or where they carry the number of another zone.
    """
    meridian, false_easting = _zone_parameters(crs)
    if meridian is None or false_easting % _ZONE_M != _PLAIN_FALSE_EASTING_M:
        return None
    number, wanted = _zone_number(geometry), int(false_easting // _ZONE_M)
    if number is None or number == wanted or (number and meridian not in _meridians(number)):
        return None
    renumbered = shapely.transform(geometry, lambda points: points + np.array([(wanted - number) * _ZONE_M, 0.0]))
    if number == 0:
        return renumbered, f"its eastings lacked the zone number {wanted} of {crs.name}, which was set before them"
    return renumbered, f"its eastings carried the zone number {number}, which {crs.name} has not; it was taken off"


def _refuse_other_zone(geometry: BaseGeometry, crs: pyproj.CRS) -> None:
    """Refuse eastings that carry the number of a neighbouring zone."""
    meridian, _ = _zone_parameters(crs)
    for read in (geometry, shapely.transform(geometry, lambda points: points[:, ::-1])):
        number = _zone_number(read)
        if meridian is None or not number or meridian in _meridians(number):
            continue
        if min(abs(meridian - other) for other in _meridians(number)) <= NEIGHBOURING_ZONES_DEG:
            raise ValueError(
                f"its eastings carry the zone number {number}, but {crs.name} has the central meridian {meridian:g}°"
            )


def _zone_number(geometry: BaseGeometry) -> int | None:
    """The millions of the eastings; None where they differ, or count no zone."""
    left, _, right, _ = geometry.bounds
    number = int(left // _ZONE_M)
    return number if int(right // _ZONE_M) == number and 0 <= number <= 60 else None


def _meridians(number: int) -> tuple[int, int]:
    """Central meridians, degrees, of the zones of 3 and of 6 degrees that have a number."""
    return 3 * number, 6 * number - 3


def _zone_parameters(crs: pyproj.CRS) -> tuple[float | None, float]:
    operation = crs.coordinate_operation
    if operation is None or not operation.method_name.startswith("Transverse Mercator") or not is_metric(crs):
        return None, 0.0
    values = {parameter.name: float(parameter.value) for parameter in operation.params}
    return values.get("Longitude of natural origin"), values.get("False easting", 0.0)


def _refuse_out_of_range(bounds: Bounds) -> None:
    left, bottom, right, top = bounds
    if (_within_a_turn(left, right) or _is_across_the_dateline(left, right)) and -90 <= bottom <= top <= 90:
        return
    at = f"x = {left:g}, y = {bottom:g}"
    if max(abs(left), abs(right)) <= 90 and max(abs(bottom), abs(top)) <= 180:
        raise ValueError(f"latitude is out of range ({at}): longitude and latitude look swapped")
    raise ValueError(f"longitude and latitude are out of range ({at}): the coordinates look projected, or wrong")


def _within_a_turn(left: float, right: float) -> bool:
    return -180 <= left <= right <= 180


def _is_across_the_dateline(left: float, right: float) -> bool:
    """Whether longitudes count on beyond ±180°, or jump from one end to the other: no site is half the Earth wide."""
    if _within_a_turn(left, right):
        return right - left > 180
    return right - left <= 180 and (left < 180 < right or left < -180 < right)


def _within_the_dateline(geometry: BaseGeometry) -> tuple[BaseGeometry, str]:
    left, _, right, _ = geometry.bounds
    if not _is_across_the_dateline(left, right):
        return geometry, ""
    return cut_at_dateline(geometry), "it reaches across the dateline and was cut there"


def _valid(geometry: BaseGeometry) -> tuple[BaseGeometry, str]:
    """The geometry, mended where it is not valid.

    Rings are taken apart and together again as areas ("structure"): overlapping parts become one, a hole that sticks
    out of its shell is cut off, and one that lies wholly outside is a part, as files with rings of the wrong
    order have it.
    """
    if geometry.is_valid:
        return geometry, ""
    fault = explain_validity(geometry)
    made = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    mended = _same_dimension(made, shapely.get_dimensions(geometry))
    if mended.is_empty:
        raise ValueError(f"the geometry is not valid ({fault}), and nothing of it can be kept")
    return mended, f"the geometry was not valid ({fault}) and was mended"


def _same_dimension(geometry: BaseGeometry, dimension: int) -> BaseGeometry:
    """The parts of a mended geometry that are still lines of a line, or areas of an area, as one geometry."""
    parts = [part for part in shapely.get_parts(geometry) if shapely.get_dimensions(part) == dimension]
    parts = [inner for part in parts for inner in shapely.get_parts(part)]
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)
