"""The shifts of Chinese web maps: GCJ-02 ("Mars coordinates": AMap, Tencent) and BD-09 (Baidu), there and back.

Maps published in China draw every place 100 to 800 m off its WGS 84 or CGCS2000 place, by an offset that varies
smoothly with the place. The function is public in the sense that independent implementations of it agree (for
instance github.com/googollee/eviltransform); no authority documents it.

Nothing in a coordinate says that it is shifted. It shows only beside something else: a heading that names the map,
the place of the same site from another source, or an area in which the sites should lie. What is told here is that
such evidence fits the shift; that a place is shifted remains for a person to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Places = NDArray[np.float64]
"""Longitude and latitude in degrees, one place a row: shape (n, 2)."""


class MapShift(StrEnum):
    """Which maps a place was read from."""

    GCJ02 = "GCJ-02"
    BD09 = "BD-09"


#: The option of `cvpipe sites import` that takes each one off.
OPTION_OF: dict[MapShift, str] = {MapShift.GCJ02: "--from-gcj02", MapShift.BD09: "--from-bd09"}

#: Longitude and latitude (degrees) outside of which the maps are not shifted.
CHINA = (72.004, 0.8293, 137.8347, 55.8271)

#: Semi-major axis (m) and squared eccentricity that the shift reckons with: Krasovsky 1940, as published.
_AXIS_M, _ECCENTRICITY2 = 6378245.0, 0.00669342162296594323
#: Baidu's constants, degrees.
_BD_EAST, _BD_NORTH, _BD_WAVE = 0.0065, 0.006, np.pi * 3000 / 180

#: The inverse stops when no place moves by more than this, degrees: 0.1 mm.
_SETTLED = 1e-9
#: Each step shrinks the error a hundredfold; three reach the limit.
_MOST_STEPS = 20

#: A place that lies less than this from its known one (m) says nothing: outlines drawn twice differ as much.
TELLING_OFFSET_M = 80.0
#: What may remain (m) between a place and its known one with the shift laid on, or this share of the offset.
FITTING_M, FITTING_SHARE = 30.0, 0.15
#: Share of the telling places that must fit.
FITTING_MAJORITY = 0.5
#: Fewer places outside of an area than this are a few wrong places, and no shift.
FEWEST_OUTSIDE = 3

_M_PER_DEGREE = 111_195.0

_NAMED: tuple[tuple[MapShift, re.Pattern[str]], ...] = (
    (MapShift.BD09, re.compile(r"百度|\bbd[-_ ]?0?9\b|(?<![a-z])bd0?9|baidu", re.IGNORECASE)),
    (MapShift.GCJ02, re.compile(r"火星|高德|腾讯|国测局|gcj|a-?map(?![a-z])|tencent|mars coord", re.IGNORECASE)),
)


@dataclass(frozen=True)
class ShiftEvidence:
    """What speaks for a shift: `fitting` of the `telling` places; offsets in metres, nan where none was measured."""

    shift: MapShift
    telling: int
    fitting: int
    offset_m: float = float("nan")
    residual_m: float = float("nan")


def shifted(places: Places, shift: MapShift) -> Places:
    """Where the map draws places given in WGS 84; those outside China stay."""
    lon, lat = _towards_gcj02(places)
    moved = np.column_stack((lon, lat))
    if shift is MapShift.BD09:
        moved = _towards_bd09(moved)
    return np.where(in_china(places)[:, None], moved, places)


def unshifted(places: Places, shift: MapShift) -> Places:
    """WGS 84 places that the map draws at `places`: the fixed point, to 0.1 mm; those outside China stay."""
    found = places.copy()
    for _ in range(_MOST_STEPS):
        step = places - shifted(found, shift)
        found = found + step
        if np.abs(step).max(initial=0.0) < _SETTLED:
            break
    return np.where(in_china(places)[:, None], found, places)


def without_shift(geometry: BaseGeometry, shift: MapShift) -> BaseGeometry:
    """A geometry in longitude and latitude, its vertices brought from the map's place to their own."""
    return shapely.transform(geometry, lambda places: unshifted(places, shift))


def in_china(places: Places) -> NDArray[np.bool_]:
    """Which places lie where the maps are shifted: a box around China, as the maps themselves take it."""
    left, bottom, right, top = CHINA
    lon, lat = places[:, 0], places[:, 1]
    return np.asarray((lon >= left) & (lon <= right) & (lat >= bottom) & (lat <= top))


def named_shift(texts: Iterable[str]) -> MapShift | None:
    """The map that a heading, a file name or a remark names (高德, 百度, 火星坐标, GCJ-02, bd09…); None for none."""
    joined = "\n".join(texts)
    return next((shift for shift, word in _NAMED if word.search(joined)), None)


def shift_between(given: Places, known: Places) -> ShiftEvidence | None:
    """Whether `given` lies off the `known` places of the same things (both (n, 2)) as a map's shift would put it.

    Told where at least half of those pairs that lie apart fit the shift. One pair fits by chance where somebody moved
    a site by just that way, which is one direction and length out of many.
    """
    here = in_china(known) & in_china(given)
    given, known = given[here], known[here]
    offsets = distances_m(given, known)
    telling = offsets > TELLING_OFFSET_M
    if not telling.any():
        return None
    best = max((_fit(given[telling], known[telling], offsets[telling], shift) for shift in MapShift), key=_fitting)
    return best if best.fitting >= FITTING_MAJORITY * best.telling else None


def shift_into(given: Places, area: BaseGeometry) -> ShiftEvidence | None:
    """Whether places that should lie in `area` (WGS 84) do so only once a map's shift is taken off.

    Told where at least three lie outside, nine tenths of those come inside, and none leaves.
    """
    shapely.prepare(area)
    outside = ~shapely.contains_xy(area, given) & in_china(given)
    telling = int(outside.sum())
    if telling < FEWEST_OUTSIDE:
        return None
    for shift in MapShift:
        inside_then = shapely.contains_xy(area, unshifted(given, shift))
        fitting, leaving = int((inside_then & outside).sum()), int((~inside_then & ~outside & in_china(given)).sum())
        if fitting >= 0.9 * telling and not leaving:
            return ShiftEvidence(shift, telling, fitting)
    return None


def distances_m(one: Places, other: Places) -> NDArray[np.float64]:
    """Metres between places row by row, on a sphere taken for flat: true to 1 % up to some kilometres."""
    east = (one[:, 0] - other[:, 0]) * np.cos(np.radians((one[:, 1] + other[:, 1]) / 2))
    return np.asarray(np.hypot(east, one[:, 1] - other[:, 1]) * _M_PER_DEGREE)


def _fit(given: Places, known: Places, offsets: NDArray[np.float64], shift: MapShift) -> ShiftEvidence:
    residuals = distances_m(given, shifted(known, shift))
    fits = residuals <= np.maximum(FITTING_M, FITTING_SHARE * offsets)
    offset, residual = (float(np.median(lengths)) for lengths in (offsets, residuals))
    return ShiftEvidence(shift, len(given), int(fits.sum()), offset, residual)


def _fitting(evidence: ShiftEvidence) -> tuple[int, float]:
    return evidence.fitting, -evidence.residual_m


def _towards_gcj02(places: Places) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lon, lat = places[:, 0], places[:, 1]
    x, y = lon - 105.0, lat - 35.0
    waves = 20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x))
    north += (waves + 20 * np.sin(np.pi * y) + 40 * np.sin(np.pi / 3 * y)) * 2 / 3
    north += (160 * np.sin(np.pi / 12 * y) + 320 * np.sin(np.pi / 30 * y)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x))
    east += (waves + 20 * np.sin(np.pi * x) + 40 * np.sin(np.pi / 3 * x)) * 2 / 3
    east += (150 * np.sin(np.pi / 12 * x) + 300 * np.sin(np.pi / 30 * x)) * 2 / 3
    phi = np.radians(lat)
    w2 = 1 - _ECCENTRICITY2 * np.sin(phi) ** 2
    metre_north = np.degrees(w2**1.5 / (_AXIS_M * (1 - _ECCENTRICITY2)))
    metre_east = np.degrees(np.sqrt(w2) / (_AXIS_M * np.cos(phi)))
    return lon + east * metre_east, lat + north * metre_north


def _towards_bd09(gcj02: Places) -> Places:
    lon, lat = gcj02[:, 0], gcj02[:, 1]
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_WAVE)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_WAVE)
    return np.column_stack((radius * np.cos(angle) + _BD_EAST, radius * np.sin(angle) + _BD_NORTH))
