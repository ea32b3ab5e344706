"""A geometry from a file as one that the ledger takes: in WGS 84, in range, valid, flat."""

from __future__ import annotations

import pyproj
import shapely
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from cvpipe.geo import WGS84, reproject

_KINDS = frozenset({"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"})


def placed(geometry: BaseGeometry, crs: pyproj.CRS) -> tuple[BaseGeometry, str]:
    """The geometry as the ledger takes it, and a notice of what was mended ("" for nothing).

    Raises ValueError, with a sentence, for a geometry that is empty, of no use for a site, or outside the range of
    longitude and latitude.
    """
    if geometry.is_empty:
        raise ValueError("the geometry is empty")
    if geometry.geom_type not in _KINDS:
        raise ValueError(f"a {geometry.geom_type} is neither point, line nor polygon")
    flat = shapely.force_2d(geometry)
    if crs == WGS84:
        _refuse_out_of_range(flat)
    moved = reproject(flat, crs, WGS84)
    _refuse_out_of_range(moved)
    return _valid(moved)


def _refuse_out_of_range(geometry: BaseGeometry) -> None:
    left, bottom, right, top = geometry.bounds
    if -180 <= left <= right <= 180 and -90 <= bottom <= top <= 90:
        return
    at = f"x = {left:g}, y = {bottom:g}"
    if max(abs(left), abs(right)) <= 90 and max(abs(bottom), abs(top)) <= 180:
        raise ValueError(f"latitude is out of range ({at}): longitude and latitude look swapped")
    raise ValueError(f"longitude and latitude are out of range ({at}): the coordinates look projected, or wrong")


def _valid(geometry: BaseGeometry) -> tuple[BaseGeometry, str]:
    if geometry.is_valid:
        return geometry, ""
    fault = explain_validity(geometry)
    mended = _same_dimension(shapely.make_valid(geometry), shapely.get_dimensions(geometry))
    if mended.is_empty:
        raise ValueError(f"the geometry is not valid ({fault}), and nothing of it can be kept")
    return mended, f"the geometry was not valid ({fault}) and was mended"


def _same_dimension(geometry: BaseGeometry, dimension: int) -> BaseGeometry:
    """The parts of a mended geometry that are still lines of a line, or areas of an area, as one geometry."""
    parts = [part for part in shapely.get_parts(geometry) if shapely.get_dimensions(part) == dimension]
    parts = [inner for part in parts for inner in shapely.get_parts(part)]
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)
