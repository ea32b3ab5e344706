"""Many geometries at once as the ledger takes them: the sound ones together, the others one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from cvpipe.geo import WGS84, Bounds, array_of, reproject
from cvpipe.ledger.map_shift import MapShift
from cvpipe.ledger.placing import placed

#: GeometryCollections and rings are left to `placed`, which refuses or mends them.
_SOUND_KINDS = (0, 1, 3, 4, 5, 6)  # shapely's type ids: Point, LineString, Polygon and their multiples
_DEGREES: Bounds = (-180.0, -90.0, 180.0, 90.0)
_NOWHERE: Bounds = (1.0, 1.0, -1.0, -1.0)


def placed_all(
    geometries: Sequence[BaseGeometry | None], crs: pyproj.CRS, shift: MapShift | None = None
) -> list[tuple[BaseGeometry, str] | str]:
    """For each geometry what `placed` gives, or the sentence that it raises; "" for None.

    Moving 100,000 outlines together takes a tenth of the time that it takes one by one.
    """
    given = array_of(geometries)
    moved = shapely.force_2d(given)
    sound = _sound(given) if shift is None else np.zeros(len(given), dtype=bool)
    if crs.is_geographic:
        sound &= _inside(moved, _DEGREES)
    if crs != WGS84 and sound.any():
        moved[sound] = reproject(moved[sound], crs, WGS84)
    sound &= _inside(moved, _area(crs))
    return [
        (moved[i], "") if sound[i] else "" if given[i] is None else _placed(given[i], crs, shift)
        for i in range(len(given))
    ]


def _placed(geometry: BaseGeometry, crs: pyproj.CRS, shift: MapShift | None) -> tuple[BaseGeometry, str] | str:
    try:
        return placed(geometry, crs, shift=shift)
    except (ValueError, ShapelyError) as error:
        return str(error)


def _sound(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    sound = np.isin(shapely.get_type_id(geometries), _SOUND_KINDS) & ~shapely.is_empty(geometries)
    sound[sound] = shapely.is_valid(geometries[sound])
    return np.asarray(sound, dtype=bool)


def _area(crs: pyproj.CRS) -> Bounds:
    """Where nothing is to be said of a place: in the area of use of a projection, anywhere for degrees."""
    area = crs.area_of_use
    if not crs.is_projected:
        return _DEGREES
    return _NOWHERE if area is None else (area.west, area.south, area.east, area.north)


def _inside(geometries: NDArray[np.object_], bounds: Bounds) -> NDArray[np.bool_]:
    """Which geometries lie inside; one that is wider than half the Earth reaches across the dateline, and does not."""
    left, bottom, right, top = shapely.bounds(geometries).T
    inside = (left >= bounds[0]) & (bottom >= bounds[1]) & (right <= bounds[2]) & (top <= bounds[3])
    inside[inside] = right[inside] - left[inside] <= 180
    return np.asarray(inside, dtype=bool)
