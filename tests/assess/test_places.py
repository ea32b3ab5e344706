"""The same site gives the same verdicts wherever its coordinates are counted from, and in whatever unit."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from cvpipe.assess import assess_rebound, assess_remediation, default_rules, measure
from cvpipe.domain import ChangeKind, Measurements, Outcome, Question, Registration, Site, Surface
from cvpipe.geo import WGS84, Grid, reproject

RULES = default_rules()
#: The ground that sites are drawn on, metres east and north of a place in Beijing.
GROUND = pyproj.CRS.from_proj4("+proj=tmerc +lat_0=39.9 +lon_0=116.2 +k=1 +units=m +datum=WGS84")
#: The zone of the place and its neighbour, where grid north is four degrees off; China's own grid, whose axes are
#: northing first; and feet. Pixels of a tenth of a metre: with larger ones the edges of small sheds alone, where pixels
#: are counted whole, can make a larger difference than the test allows.
PLACES = {
    "UTM 50": (pyproj.CRS.from_epsg(32650), 0.1),
    "UTM 51": (pyproj.CRS.from_epsg(32651), 0.1),
    "CGCS2000": (pyproj.CRS.from_epsg(4547), 0.1),
    "feet": (pyproj.CRS.from_proj4("+proj=tmerc +lat_0=39 +lon_0=116 +units=us-ft +datum=WGS84"), 0.33),
}
OUTLINE = box(-30, -20, 30, 20)

Coordinate = st.integers(-28, 22).map(float)
Sheds = st.lists(
    st.tuples(
        Coordinate, st.integers(-18, 10).map(float), st.sampled_from([4.0, 8.0, 14.0]), st.sampled_from([5.0, 9.0])
    ),
    max_size=5,
).map(lambda boxes: unary_union([box(x, y, x + w, y + h) for x, y, w, h in boxes]))


def on_ground(geometry: BaseGeometry, crs: pyproj.CRS) -> BaseGeometry:
    return reproject(reproject(geometry, GROUND, WGS84), WGS84, crs)


def burned(geometry: BaseGeometry, grid: Grid) -> NDArray[np.bool_]:
    assert grid.crs is not None
    if geometry.is_empty:
        return np.zeros(grid.shape, bool)
    return np.asarray(geometry_mask([on_ground(geometry, grid.crs)], grid.shape, grid.transform, invert=True))


def seen_in(place: str, before: BaseGeometry, after: BaseGeometry) -> Measurements:
    """What is measured of a site with these structures where the grid is that of a place."""
    crs, pixel = PLACES[place]
    grid = Grid.from_bounds(crs, on_ground(OUTLINE.buffer(5), crs).bounds, pixel)
    was, now = burned(before, grid), burned(after, grid)
    surfaces = [np.where(there, Surface.STRUCTURE, Surface.BARE).astype(np.uint8) for there in (was, now)]
    bands = dict.fromkeys(ChangeKind, np.zeros(grid.shape, np.uint8))
    bands |= {
        ChangeKind.STRUCTURE_REMOVED: (was & ~now).astype(np.uint8),
        ChangeKind.STRUCTURE_ADDED: (now & ~was).astype(np.uint8),
    }
    return measure(
        surface_before=surfaces[0],
        surface_after=surfaces[1],
        change=bands,
        usable=np.ones(grid.shape, bool),
        inside=burned(OUTLINE, grid),
        retained=None,
        pixel_area_m2=grid.pixel_area_m2(),
        registration=Registration(),
        reasons=(),
    )


def outcomes(m: Measurements) -> dict[Question, Outcome]:
    site = Site("A", reproject(OUTLINE, GROUND, WGS84))
    return {v.question: v.outcome for v in (*assess_remediation(site, m, RULES), assess_rebound(site, m, RULES))}


def is_clear_of_limits(m: Measurements) -> bool:
    """Whether no value lies so near its limit that a pixel more or less along the edges could turn it."""
    site = Site("A", reproject(OUTLINE, GROUND, WGS84))
    criteria = [
        c for v in (*assess_remediation(site, m, RULES), assess_rebound(site, m, RULES)) for c in v.criteria if c.limit
    ]
    return all(abs(c.value - (c.limit or 0)) > (0.02 if c.unit == "share" else 3) for c in criteria)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=Sheds, after=Sheds)
@example(before=unary_union([box(1, -16, 9, -11), box(-18, -9, -10, -4)]), after=Polygon())
def test_verdicts_and_areas_do_not_depend_on_the_coordinates(
    before: Polygon | MultiPolygon, after: Polygon | MultiPolygon
) -> None:
    told = {place: seen_in(place, before, after) for place in PLACES}
    true = unary_union([before]).intersection(OUTLINE).area
    for m in told.values():
        assert m.site_area_m2 == pytest.approx(OUTLINE.area, rel=0.01)
        assert m.surface_before_m2[Surface.STRUCTURE] == pytest.approx(true, abs=2 + 0.15 * math.sqrt(true) * 2)
    if all(is_clear_of_limits(m) for m in told.values()):
        assert len({tuple(outcomes(m).items()) for m in told.values()}) == 1


def test_one_clearing_is_the_same_everywhere() -> None:
    """Two sheds stood; one is gone: partial, whatever the grid."""
    sheds = unary_union([box(-20, -10, -6, 2), box(4, -10, 18, 2)])
    for place in PLACES:
        found = outcomes(seen_in(place, sheds, box(4, -10, 18, 2)))
        assert found[Question.DEMOLITION] is Outcome.PARTIAL, place
        assert found[Question.CLEARANCE] is Outcome.NOT_MET, place
