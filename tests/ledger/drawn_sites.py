"""Sites of any shape and any words, for property tests: all that an import may ever have put into a ledger."""

from __future__ import annotations

import math
import re
from typing import Any

import shapely
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Plan, Site, SiteStatus
from cvpipe.ledger.exchange.cells import EARLIEST_DAY, LATEST_DAY
from cvpipe.ledger.exchange.headings import shipped_headings
from cvpipe.ledger.exchange.persons import what_it_holds

_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")
_characters = st.characters(exclude_categories=["Cs"])

# Signs that spreadsheets, XML, CSV and SQL have plans of their own for.
_awkward = st.sampled_from(
    ["=1+1", "+8", "-5", "@x", "'=1", "''", "a,b;c\td", '"', "<&>]]>", "_x0041_", "#N/A", "TRUE", "007", "1e5",
     "2016-08-31", "'; DROP TABLE sites; --", "😀 北京", "e\u0301", "\u202eabc", "{}", "NULL", "nan", "１２"]
)  # fmt: skip


def _one_line(written: str) -> str:
    return " ".join(_UNWRITABLE.sub("", written).split())


names = (
    st.one_of(_awkward, st.text(_characters, max_size=30)).map(_one_line).filter(lambda text: not what_it_holds(text))
)
codes = names.filter(bool)
areas = st.none() | st.floats(0, 1e9, allow_subnormal=False).map(lambda number: number + 0.0)
days = st.none() | st.dates(EARLIEST_DAY, LATEST_DAY)

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _awkward
    | st.text(_characters, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(_characters, max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def _tells_of_no_person(attributes: dict[str, Any]) -> bool:
    """Whether an import takes it: a made-up number may well be that of a telephone."""
    return not what_it_holds(attributes) and not _personal_keys(attributes)


def _personal_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return any(shipped_headings().is_personal(key) or _personal_keys(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_personal_keys, value))


_keys = st.sampled_from(
    ["备注", "floors", "name", "编号", "fid", "geom", "Code", "observed_on", "占地面积(顷)", "a__2"]
)
attributes = st.dictionaries(_keys | st.text(_characters, max_size=8), _values, max_size=4).filter(_tells_of_no_person)


@st.composite
def _stars(draw: st.DrawFn) -> Polygon:
    """A polygon around a centre, with a hole of its own shape in it or none."""
    x, y = draw(st.floats(-170, 170)), draw(st.floats(-80, 80))
    radii = draw(st.lists(st.floats(0.001, 1), min_size=3, max_size=8))
    turns = [2 * math.pi * i / len(radii) for i in range(len(radii))]
    shell = [(x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(radii, turns, strict=True)]
    hole = [(x + (px - x) / 2, y + (py - y) / 2) for px, py in shell]
    return Polygon(shell, [hole] if draw(st.booleans()) else [])


_places = st.tuples(st.floats(-179, 179), st.floats(-89, 89)).map(lambda place: (place[0] + 0.0, place[1] + 0.0))
_points = _places.map(Point)
_near = st.tuples(_places, st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=6, unique=True))


def _line(drawn: tuple[tuple[float, float], list[tuple[float, float]]]) -> LineString:
    (x, y), steps = drawn
    return LineString([(x + dx + 0.0, y + dy + 0.0) for dx, dy in steps])


def _apart(stars: list[Polygon]) -> MultiPolygon:
    return MultiPolygon([star for i, star in enumerate(stars) if not any(star.intersects(s) for s in stars[:i])])


_geometries: st.SearchStrategy[BaseGeometry] = st.one_of(
    _points,
    st.lists(_points, min_size=1, max_size=4).map(lambda points: MultiPoint(points)),
    _near.map(_line),
    st.lists(_near.map(_line), min_size=1, max_size=1).map(lambda lines: MultiLineString(lines)),
    _stars(),
    st.lists(_stars(), min_size=1, max_size=3).map(_apart),
)


def _is_sound(geometry: BaseGeometry) -> bool:
    left, bottom, right, top = geometry.bounds
    return bool(geometry.is_valid) and right - left < 180 and left > -180 and right < 180 and bottom > -90 and top < 90


def _without_minus_zero(geometry: BaseGeometry) -> BaseGeometry:
    return shapely.transform(geometry, lambda places: places + 0.0)


geometries = _geometries.map(_without_minus_zero).filter(_is_sound)

plans = st.builds(
    Plan,
    demolition_area_m2=areas,
    green_area_m2=areas,
    green_ratio=st.none() | st.floats(0, 1, allow_subnormal=False).map(lambda number: number + 0.0),
    retained=st.none() | geometries,
    work_started=days,
    due_date=days,
    rules=st.just({}) | attributes,
)


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """A site with any of its fields filled."""
    return Site(
        code=draw(codes),
        geometry=draw(geometries),
        name=draw(names),
        sub_district=draw(names),
        community=draw(names),
        owner_system=draw(names),
        batch=draw(names),
        buffer_m=draw(st.floats(0, 1000, allow_subnormal=False)) + 0.0,
        land_area_m2=draw(areas),
        building_area_m2=draw(areas),
        plan=draw(plans),
        status=draw(st.sampled_from(SiteStatus)),
        attributes=draw(attributes),
        recheck_on=draw(days),
    )


ledgers = st.lists(sites(), min_size=1, max_size=3, unique_by=lambda site: site.code)
