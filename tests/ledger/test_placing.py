"""Places of any CRS come out right, and geometries come out valid, with what was done to them said."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from cvpipe.geo import WGS84, area_m2
from cvpipe.ledger.map_shift import MapShift, distances_m
from cvpipe.ledger.placing import datum_notice, placed

#: Semi-major axis (m) and inverse flattening as the EPSG registry states them.
CGCS2000 = (6378137.0, 298.257222101)
AIRY = (6377563.396, 299.3249646)

#: Places (longitude, latitude) to test with, each with the zones whose CRS are made for them.
SHIJINGSHAN = (116.2229, 39.9056)
KASHGAR = (75.99, 39.47)
FUYUAN = (134.29, 48.36)


def transverse_mercator(
    lon: float,
    lat: float,
    axes: tuple[float, float],
    origin: tuple[float, float],
    scale: float,
    false: tuple[float, float],
) -> tuple[float, float]:
    """Easting and northing by EPSG method 9807, "JHS formulas": Krüger's series to the fourth power of n.

    Written out from IOGP Guidance Note 7-2 (section 3.5.3.1), so that PROJ is not tested against PROJ.
    """
    a, inverse_flattening = axes
    f = 1 / inverse_flattening
    n, e = f / (2 - f), math.sqrt(f * (2 - f))
    b = a / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    h = (
        n / 2 - 2 / 3 * n**2 + 5 / 16 * n**3 + 41 / 180 * n**4,
        13 / 48 * n**2 - 3 / 5 * n**3 + 557 / 1440 * n**4,
        61 / 240 * n**3 - 103 / 140 * n**4,
        49561 / 161280 * n**4,
    )

    def conformal(phi: float) -> float:
        return math.atan(math.sinh(math.asinh(math.tan(phi)) - e * math.atanh(e * math.sin(phi))))

    def northing_of(beta: float, offset: float) -> tuple[float, float]:
        eta0 = math.atanh(math.cos(beta) * math.sin(offset))
        xi0 = math.asin(math.sin(beta) * math.cosh(eta0))
        xi = xi0 + sum(c * math.sin(2 * k * xi0) * math.cosh(2 * k * eta0) for k, c in enumerate(h, 1))
        eta = eta0 + sum(c * math.cos(2 * k * xi0) * math.sinh(2 * k * eta0) for k, c in enumerate(h, 1))
        return b * xi, b * eta

    north0, _ = northing_of(conformal(math.radians(origin[1])), 0.0)
    north, east = northing_of(conformal(math.radians(lat)), math.radians(lon - origin[0]))
    return false[0] + scale * east, false[1] + scale * (north - north0)


def gauss_kruger(place: tuple[float, float], meridian: int, zone: int = 0) -> tuple[float, float]:
    """Easting (with the zone's number before it, if any) and northing in CGCS2000, EPSG parameters of the zones."""
    return transverse_mercator(*place, CGCS2000, (meridian, 0.0), 1.0, (zone * 1e6 + 500_000, 0.0))


def lies_at(geometry: BaseGeometry, place: tuple[float, float], within_m: float = 0.001) -> bool:
    found = shapely.get_coordinates(shapely.centroid(geometry))
    return bool(distances_m(found, np.array([place]))[0] <= within_m)


def test_the_formula_gives_the_worked_example_of_the_guidance_note() -> None:
    """IOGP 373-07-02, Transverse Mercator: 50°30'N 0°30'E on the British National Grid."""
    east, north = transverse_mercator(0.5, 50.5, AIRY, (-2.0, 49.0), 0.9996013, (400_000, -100_000))
    assert [east, north] == pytest.approx([577274.99, 69740.50], abs=0.006)


#: CRS, place, central meridian, zone number in its eastings: 6-degree zones 4491 to 4512, 3-degree zones to 4554.
ZONES = (
    (4498, SHIJINGSHAN, 117, 20),
    (4509, SHIJINGSHAN, 117, 0),
    (4512, FUYUAN, 135, 0),
    (4513, KASHGAR, 75, 25),
    (4526, (114.1, 38.0), 114, 38),
    (4527, SHIJINGSHAN, 117, 39),
    (4533, FUYUAN, 135, 45),
    (4534, KASHGAR, 75, 0),
    (4547, (114.1, 38.0), 114, 0),
    (4548, SHIJINGSHAN, 117, 0),
    (4554, FUYUAN, 135, 0),
)


@pytest.mark.parametrize(("epsg", "place", "meridian", "zone"), ZONES)
def test_chinese_zones(epsg: int, place: tuple[float, float], meridian: int, zone: int) -> None:
    """Easting before northing, though the registry's order is northing, easting."""
    east, north = gauss_kruger(place, meridian, zone)
    geometry, notice = placed(Point(east, north), pyproj.CRS.from_epsg(epsg))
    assert (lies_at(geometry, place), notice) == (True, "")


@pytest.mark.parametrize("epsg", range(4509, 4555))
def test_every_zone_places_its_own_meridian(epsg: int) -> None:
    """All of EPSG:4509-4554: the meridian's own points have the false easting."""
    if epsg <= 4512:
        meridian, zone = 117 + 6 * (epsg - 4509), 0
    else:
        number = 25 + (epsg - 4513) % 21
        meridian, zone = 3 * number, number if epsg <= 4533 else 0
    place = (meridian, 46.0 if meridian > 126 else 40.0)  # where China is, on that meridian
    east, north = gauss_kruger(place, meridian, zone)
    assert east == zone * 1e6 + 500_000
    geometry, notice = placed(Point(east, north), pyproj.CRS.from_epsg(epsg))
    assert (lies_at(geometry, place), notice) == (True, "")


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4490", "OGC:CRS84"])
def test_longitude_comes_first_whatever_the_registry_says(crs: str) -> None:
    geometry, notice = placed(Point(*SHIJINGSHAN), pyproj.CRS.from_user_input(crs))
    assert (lies_at(geometry, SHIJINGSHAN, 1e-6), notice) == (True, "")


def test_utm_and_web_mercator() -> None:
    east, north = transverse_mercator(*SHIJINGSHAN, (6378137.0, 298.257223563), (117.0, 0.0), 0.9996, (500_000, 0.0))
    assert lies_at(placed(Point(east, north), pyproj.CRS.from_epsg(32650))[0], SHIJINGSHAN)
    lon, lat = map(math.radians, SHIJINGSHAN)
    mercator = Point(6378137 * lon, 6378137 * math.log(math.tan(math.pi / 4 + lat / 2)))
    assert lies_at(placed(mercator, pyproj.CRS.from_epsg(3857))[0], SHIJINGSHAN)


@pytest.mark.parametrize("epsg", [4527, 4548])
@pytest.mark.parametrize(("zone", "said"), [(39, "zone number 39"), (0, "zone number 39")])
def test_other_readings_of_survey_tables(epsg: int, zone: int, said: str) -> None:
    """X = northing, Y = easting, with or without the zone: each reading ends at the same place, and is said."""
    crs, own_zone = pyproj.CRS.from_epsg(epsg), 39 if epsg == 4527 else 0
    east, north = gauss_kruger(SHIJINGSHAN, 117, zone)
    for point, exchanged in ((Point(east, north), False), (Point(north, east), True)):
        geometry, notice = placed(point, crs)
        assert lies_at(geometry, SHIJINGSHAN)
        assert ("exchanged" in notice) is exchanged
        assert (said in notice) is (zone != own_zone)


def test_the_zone_of_a_neighbour_is_refused() -> None:
    east, north = gauss_kruger(SHIJINGSHAN, 117, 39)
    for point in (Point(east, north), Point(north, east)):
        with pytest.raises(ValueError, match=r"zone number 39, but .* central meridian 114°"):
            placed(point, pyproj.CRS.from_epsg(4547))


def test_a_district_over_the_border_of_its_zone_stays_as_it_is() -> None:
    """116.2°E drawn in the zone of 114°E, which ends at 115.5°E."""
    east, north = gauss_kruger(SHIJINGSHAN, 114)
    geometry, notice = placed(Point(east, north), pyproj.CRS.from_epsg(4547))
    assert (lies_at(geometry, SHIJINGSHAN), notice) == (True, "")


def test_coordinates_that_no_reading_explains_are_kept_with_a_notice() -> None:
    _, notice = placed(Point(900_000, 4_400_000), pyproj.CRS.from_epsg(4547))
    assert "far outside the area that CGCS2000 / 3-degree Gauss-Kruger CM 114E is made for" in notice


@pytest.mark.parametrize(
    ("epsg", "said"),
    [
        (4326, ""),
        (4490, ""),
        (4547, ""),
        (32650, ""),
        (4610, "is not known"),
        (2327, "is not known"),
        (4214, "15 m off"),
    ],
)
def test_what_a_change_of_datum_costs_is_said(epsg: int, said: str) -> None:
    notice = datum_notice(pyproj.CRS.from_epsg(epsg))
    assert said in notice
    assert bool(notice) is bool(said)


def test_a_web_map_shift_is_taken_off() -> None:
    """Published pair of the reference implementations: WGS 84 121.5272106, 31.1774276 (Shanghai)."""
    geometry, _ = placed(Point(121.531541859215, 31.17530398364597), WGS84, shift=MapShift.GCJ02)
    assert lies_at(geometry, (121.5272106, 31.1774276), 0.1)
    with pytest.raises(ValueError, match="no shift of projected coordinates"):
        placed(Point(500_000, 4_400_000), pyproj.CRS.from_epsg(4548), shift=MapShift.GCJ02)


#: Squares of a hundredth of a degree, about a kilometre, to go wrong with.
UNIT = 0.01


def ring(*corners: tuple[float, float]) -> list[tuple[float, float]]:
    return [(116 + UNIT * x, 39 + UNIT * y) for x, y in corners]


SQUARE = ring((0, 0), (1, 0), (1, 1), (0, 1))
FAULTY: dict[str, tuple[BaseGeometry, float, int]] = {
    "bow-tie": (Polygon(ring((0, 0), (2, 2), (2, 0), (0, 2))), 2.0, 2),
    "spike": (Polygon(ring((0, 0), (1, 0), (1, 1), (1, 5), (1, 1), (0, 1))), 1.0, 1),
    "spike inwards": (Polygon(ring((0, 0), (0.5, 0), (0.5, 0.5), (0.5, 0), (1, 0), (1, 1), (0, 1))), 1.0, 1),
    "hole over the edge": (Polygon(SQUARE, [ring((0.5, 0.2), (1.5, 0.2), (1.5, 0.6), (0.5, 0.6))]), 0.8, 1),
    "hole that is a part": (Polygon(SQUARE, [ring((5, 5), (6, 5), (6, 6), (5, 6))]), 2.0, 2),
    "parts that overlap": (MultiPolygon([Polygon(SQUARE), Polygon(ring((0.5, 0), (2, 0), (2, 1), (0.5, 1)))]), 2.0, 1),
    "part within a part": (MultiPolygon([Polygon(SQUARE), Polygon(ring((0.2, 0.2), (0.6, 0.2), (0.4, 0.6)))]), 1.0, 1),
    "drawn twice round": (Polygon(ring(*((0, 0), (1, 0), (1, 1), (0, 1)) * 2)), 1.0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTY)
def test_faulty_outlines_are_mended_and_said(name: str) -> None:
    geometry, squares, parts = FAULTY[name]
    mended, notice = placed(geometry, WGS84)
    assert mended.is_valid
    assert mended.area == pytest.approx(squares * UNIT**2)
    assert len(shapely.get_parts(mended)) == parts
    assert notice.startswith("the geometry was not valid (")
    assert notice.endswith("was mended")


@pytest.mark.parametrize(
    "sound",
    [
        Polygon(ring((0, 0), (0, 1), (1, 1), (1, 0)), [ring((0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4))]),
        Polygon(ring((0, 0), (0, 0), (1, 0), (1, 0), (1, 1), (0, 1))),
        LineString(ring((0, 0), (1, 1), (0, 1), (1, 0))),
    ],
    ids=["rings of the wrong order", "points that stand twice", "a line that crosses itself"],
)
def test_what_is_no_fault_stays_as_it_is(sound: BaseGeometry) -> None:
    kept, notice = placed(sound, WGS84)
    assert (kept.equals_exact(sound, 0), notice) == (True, "")


@pytest.mark.parametrize(
    "nothing", [Polygon(ring((0, 0), (1, 0), (2, 0))), LineString(ring((1, 1), (1, 1)))], ids=["flat", "one place"]
)
def test_what_has_no_extent_is_refused(nothing: BaseGeometry) -> None:
    with pytest.raises(ValueError, match="nothing of it can be kept"):
        placed(nothing, WGS84)


def test_heights_are_left_out() -> None:
    assert not placed(Point(116, 39, 55.5), WGS84)[0].has_z


ACROSS = {
    "counted on": box(179.99, -17, 180.01, -16.99),
    "counted back": box(-180.01, -17, -179.99, -16.99),
    "jumping": Polygon([(179.99, -17), (-179.99, -17), (-179.99, -16.99), (179.99, -16.99)]),
}


@pytest.mark.parametrize("name", ACROSS)
def test_an_outline_across_the_dateline_is_cut_there(name: str) -> None:
    geometry, notice = placed(ACROSS[name], WGS84)
    assert "dateline" in notice
    assert geometry.is_valid
    assert [part.bounds[0] for part in shapely.get_parts(geometry)] == pytest.approx([-180.0, 179.99])
    assert area_m2(geometry) == pytest.approx(area_m2(box(10, -17, 10.02, -16.99)), rel=1e-7)


def test_projected_coordinates_across_the_dateline() -> None:
    half = 0.01 * math.radians(1) * 6378137 * 0.9996  # hundredth of a degree at the equator, UTM zone 60
    edge, _ = transverse_mercator(180.0, 0.0, (6378137.0, 298.257223563), (177.0, 0.0), 0.9996, (500_000, 0.0))
    geometry, notice = placed(box(edge - half, 0, edge + half, half), pyproj.CRS.from_epsg(32660))
    assert "dateline" in notice
    assert {part.bounds[0] > 0 for part in shapely.get_parts(geometry)} == {True, False}


@pytest.mark.parametrize(
    ("point", "said"),
    [
        (Point(39.9, 116.2), "look swapped"),
        (Point(448_000, 4_417_000), "look projected, or wrong"),
        (Point(181, 10), "out of range"),
        (Point(math.inf, 10), "out of range"),
    ],
)
@pytest.mark.parametrize("epsg", [4326, 4490])
def test_places_nowhere_on_earth_are_refused(point: Point, said: str, epsg: int) -> None:
    with pytest.raises(ValueError, match=said):
        placed(point, pyproj.CRS.from_epsg(epsg))
