"""Places and areas, held against pyproj's geodesics and against squares one can work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from cvpipe.geo import (
    WGS84,
    Bounds,
    Grid,
    Window,
    area_m2,
    areal_scale,
    areas_m2,
    bounds_in,
    buffered,
    buffered_all,
    is_metric,
    metric_crs,
    outline_in,
    reproject,
    transformer,
    utm_crs,
    windows,
)


def crs(code: int) -> pyproj.CRS:
    return pyproj.CRS.from_epsg(code)


UTM50 = crs(32650)


def grid(transform: Affine, width: int, height: int, code: int | None = 32650) -> Grid:
    return Grid(None if code is None else crs(code), transform, width, height)


def north_up(left: float, top: float, size: float) -> Affine:
    return Affine(size, 0, left, 0, -size, top)


#: EPSG code, upper left corner and pixel size in the units of the CRS, of grids of 200 × 200 pixels.
PLACES = {
    "Lambert-93, Dijon": (2154, 854_000, 6_693_000, 0.2),
    "Lambert-93, Nice": (2154, 1_043_000, 6_299_000, 0.5),
    "Web Mercator, Beijing": (3857, 12_956_000, 4_853_000, 0.3),
    "Web Mercator, Kampala": (3857, 3_629_000, 37_000, 0.15),
    "Web Mercator, Tromsø": (3857, 2_110_000, 10_970_000, 1.0),
    "WGS 84, Beijing": (4326, 116.4, 39.9, 3e-6),
    "WGS 84, Sydney": (4326, 151.2, -33.8, 5e-6),
    "CGCS2000, Guangzhou": (4490, 113.3, 23.1, 3e-6),
    "CGCS2000 Gauss-Krüger 114° E": (4547, 528_000, 4_420_000, 0.3),
    "UTM 50 N, Beijing": (32650, 448_000, 4_418_000, 0.3),
    "UTM 50 N, edge of the zone": (32650, 745_000, 4_418_000, 0.5),
    "UTM 50 S, Perth": (32750, 392_000, 6_464_000, 0.5),
    "UTM 60 S across 180°, Fiji": (32760, 818_013, 8_029_444, 0.5),
    "Lambert II in grads from Paris": (27572, 700_000, 2_300_000, 0.5),
    "California in feet": (2229, 6_480_000, 1_840_000, 1.0),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_pixel_area_is_the_geodesic_area_within_a_thousandth(place: tuple[int, float, float, float]) -> None:
    code, left, top, size = place
    lattice = grid(north_up(left, top, size), 200, 200, code)
    edge = shapely.get_coordinates(lattice.outline.segmentize(size * 10))
    geodetic, ellipsoid = crs(code).geodetic_crs, crs(code).get_geod()
    assert geodetic is not None
    assert ellipsoid is not None
    degrees = math.degrees(geodetic.axis_info[0].unit_conversion_factor)
    lon, lat = pyproj.Transformer.from_crs(code, geodetic, always_xy=True).transform(*edge.T)
    geodesic = abs(ellipsoid.polygon_area_perimeter(lon * degrees, lat * degrees)[0])
    assert lattice.pixel_area_m2() == pytest.approx(geodesic / 200**2, rel=1e-3)
    assert lattice.ground_pixel_m() == pytest.approx(math.sqrt(geodesic) / 200, rel=1e-3)


def test_web_mercator_doubles_areas_at_45_degrees() -> None:
    x, y = transformer(WGS84, crs(3857)).transform(7.0, 45.0)
    assert areal_scale(crs(3857), (x, y)) == pytest.approx(2, rel=0.01)


def test_utm_shrinks_lengths_by_4_in_10000_at_its_middle() -> None:
    assert areal_scale(UTM50, (500_000, 4_400_000)) == pytest.approx(0.9996**2, rel=1e-6)


def test_pixels_without_a_place_are_as_large_as_they_say() -> None:
    assert grid(Affine(0.5, 0, 0, 0, 0.5, 0), 10, 10, None).pixel_area_m2() == 0.25


class TestGrid:
    def test_corners_run_clockwise_from_the_upper_left(self) -> None:
        assert grid(north_up(100, 50, 0.5), 4, 2).corners == [(100, 50), (102, 50), (102, 49), (100, 49)]

    def test_bounds_outline_and_shape(self) -> None:
        found = grid(north_up(100, 50, 0.5), 4, 2)
        assert found.bounds == (100.0, 49.0, 102.0, 50.0)
        assert found.outline.equals(box(100, 49, 102, 50))
        assert found.shape == (2, 4)

    def test_a_turned_grid_keeps_its_pixel_size(self) -> None:
        turned = grid(Affine.translation(7, 9) * Affine.rotation(30) * Affine.scale(0.5, -0.5), 4, 4)
        assert turned.pixel_size == pytest.approx(0.5)
        assert turned.outline.area == pytest.approx(4)

    def test_a_window_starts_where_its_first_pixel_lies(self) -> None:
        part = grid(north_up(100, 50, 0.5), 40, 20).window(Window(4, 2, 10, 6))
        assert part.corners[0] == (102.0, 49.0)
        assert part.shape == (6, 10)

    def test_shifted_right_and_down(self) -> None:
        moved = grid(north_up(100, 50, 0.5), 4, 4).shifted(2, 1)
        assert moved.corners[0] == (101.0, 49.5)
        assert moved.shape == (4, 4)

    def test_slices_are_rows_then_columns(self) -> None:
        cells = np.arange(20).reshape(4, 5)
        assert cells[Window(col=1, row=2, width=3, height=1).slices].tolist() == [[11, 12, 13]]


class TestFromBounds:
    def test_snaps_outwards_to_whole_pixels(self) -> None:
        found = Grid.from_bounds(UTM50, (10.2, 20.3, 11.9, 21.1), 0.5)
        assert found.bounds == (10.0, 20.0, 12.0, 21.5)
        assert found.shape == (3, 4)

    def test_bounds_on_the_lattice_stay(self) -> None:
        assert Grid.from_bounds(UTM50, (10, 20, 12, 21), 0.5).bounds == (10, 20, 12, 21)

    @pytest.mark.parametrize("bounds", [(448_000.13, 4_418_000.2, 448_090.7, 4_418_021.9), (-7.3, -2.2, -1.1, 4.4)])
    @pytest.mark.parametrize("size", [0.3, 0.5, 0.07])
    def test_covers_with_less_than_a_pixel_to_spare(self, bounds: Bounds, size: float) -> None:
        found = Grid.from_bounds(UTM50, bounds, size)
        for outer, inner in zip(found.bounds, bounds, strict=True):
            assert abs(outer - inner) < size
            assert outer / size == pytest.approx(round(outer / size), abs=1e-6)
        assert found.outline.covers(box(*bounds))

    def test_neighbours_share_one_lattice(self) -> None:
        one, other = (Grid.from_bounds(UTM50, (x, 0, x + 7, 5), 0.3) for x in (448_000.11, 448_031.87))
        apart = (other.corners[0][0] - one.corners[0][0]) / 0.3
        assert apart == pytest.approx(round(apart), abs=1e-6)

    def test_a_point_gets_one_pixel(self) -> None:
        assert Grid.from_bounds(UTM50, (10, 20, 10, 20), 0.5).shape == (1, 1)


class TestWindowOf:
    LATTICE = grid(north_up(100, 50, 0.5), 40, 20)  # x 100 to 120, y 40 to 50

    @pytest.mark.parametrize(
        ("bounds", "window"),
        [
            ((101, 48, 102, 49), Window(2, 2, 2, 2)),
            ((101.1, 48.1, 101.9, 48.9), Window(2, 2, 2, 2)),
            ((90, 30, 200, 60), Window(0, 0, 40, 20)),
            ((119.6, 30, 130, 40.4), Window(39, 19, 1, 1)),
        ],
        ids=["on the lattice", "snapped outwards", "all of it", "cut off at the corner"],
    )
    def test_smallest_window_that_covers(self, bounds: Bounds, window: Window) -> None:
        assert self.LATTICE.window_of(bounds) == window

    @pytest.mark.parametrize("bounds", [(0, 0, 10, 10), (130, 42, 140, 43), (101, 60, 102, 61)])
    def test_elsewhere_it_is_empty(self, bounds: Bounds) -> None:
        found = self.LATTICE.window_of(bounds)
        assert 0 in (found.width, found.height)
        assert found.width >= 0
        assert found.height >= 0

    def test_of_a_turned_grid_it_covers_too(self) -> None:
        turned = grid(Affine.translation(100, 100) * Affine.rotation(30) * Affine.scale(1, -1), 50, 50)
        bounds = (120.0, 90.0, 125.0, 95.0)
        part = turned.window(turned.window_of(bounds))
        assert part.outline.covers(box(*bounds))
        assert part.width < 12


class TestWindows:
    @pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 3), (8, 8), (9, 20), (31, 17)])
    @pytest.mark.parametrize(("size", "overlap"), [(8, 0), (8, 2), (8, 7), (3, 1)])
    def test_cover_every_pixel(self, width: int, height: int, size: int, overlap: int) -> None:
        seen = np.zeros((height, width), int)
        for window in windows(width, height, size, overlap):
            assert (window.width, window.height) == (size, size)
            assert 0 <= window.col < width
            assert 0 <= window.row < height
            seen[window.slices] += 1
        assert seen.min() >= 1

    def test_neighbours_share_the_overlap_and_come_row_by_row(self) -> None:
        found = [(w.col, w.row) for w in windows(20, 14, 8, 2)]
        assert found == [(0, 0), (6, 0), (12, 0), (0, 6), (6, 6), (12, 6)]

    def test_without_overlap_no_pixel_is_seen_twice(self) -> None:
        assert [w.col for w in windows(16, 8, 8, 0)] == [0, 8]

    def test_an_overlap_as_large_as_the_window_would_never_end(self) -> None:
        with pytest.raises(AssertionError):
            next(windows(10, 10, 4, 4))


class TestMetricCrs:
    @pytest.mark.parametrize(
        ("code", "x", "y", "chosen"),
        [
            (32650, 448_000, 4_418_000, 32650),
            (2154, 854_000, 6_693_000, 2154),
            (4547, 528_000, 4_420_000, 4547),
            (3857, 12_956_000, 4_853_000, 32650),
            (3857, 3_629_000, 37_000, 3857),
            (4326, 116.4, 39.9, 32650),
            (4490, 113.3, 23.1, 32649),
            (4326, 115.86, -31.95, 32750),
            (2229, 6_480_000, 1_840_000, 32611),
            (32650, -950_000, 4_700_000, 32647),
        ],
        ids=[
            "UTM stays",
            "Lambert-93 stays",
            "Gauss-Krüger stays",
            "Web Mercator is too stretched in Beijing",
            "and is not at the equator",
            "degrees",
            "degrees of CGCS2000",
            "degrees in the south",
            "feet",
            "UTM far from its zone",
        ],
    )
    def test_the_crs_to_measure_in(self, code: int, x: float, y: float, chosen: int) -> None:
        step = 0.001 if crs(code).is_geographic else 100
        assert metric_crs(crs(code), (x, y, x + step, y + step)).to_epsg() == chosen

    @pytest.mark.parametrize(
        ("lon", "lat", "code"),
        [(116.4, 39.9, 32650), (-180, 10, 32601), (180, 10, 32660), (0, 0, 32631), (-0.1, -0.1, 32730)],
    )
    def test_utm_zones(self, lon: float, lat: float, code: int) -> None:
        assert utm_crs(lon, lat).to_epsg() == code

    @pytest.mark.parametrize(("code", "metric"), [(32650, True), (3857, True), (4326, False), (2229, False)])
    def test_metres_are_told_from_feet_and_degrees(self, code: int, metric: bool) -> None:
        assert is_metric(crs(code)) is metric


class TestReproject:
    @pytest.mark.parametrize("code", [4326, 4490, 4547, 2154, 3857, 32650, 32750])
    def test_there_and_back(self, code: int) -> None:
        lon, lat = {2154: (4.8, 47.3), 32750: (115.9, -32.0)}.get(code, (116.4, 39.9))
        shape = box(lon, lat, lon + 0.01, lat + 0.01)
        back = reproject(reproject(shape, WGS84, crs(code)), crs(code), WGS84)
        assert back.symmetric_difference(shape).area < 1e-9 * shape.area + 1e-12

    def test_x_comes_before_y_whatever_the_registry_says(self) -> None:
        """EPSG lists 4547 as northing, easting and 4326 as latitude, longitude."""
        found = reproject(Point(114.0, 40.0), WGS84, crs(4547))
        assert found.x == pytest.approx(500_000, abs=1)
        assert found.y == pytest.approx(4_429_500, abs=1000)

    def test_bounds_hold_curved_edges(self) -> None:
        wide = (114.0, 50.0, 120.0, 53.0)
        found = bounds_in(wide, WGS84, UTM50)
        assert box(*found).buffer(1).covers(reproject(box(*wide).segmentize(0.05), WGS84, UTM50))
        corners = reproject(box(*wide), WGS84, UTM50).bounds
        assert found[1] < corners[1] - 1000, "the southern edge bends below its corners"

    def test_bounds_in_their_own_crs_stay(self) -> None:
        assert bounds_in((1, 2, 3, 4), UTM50, UTM50) == (1, 2, 3, 4)

    def test_an_outline_follows_curved_edges(self) -> None:
        lattice = grid(north_up(300_000, 4_500_000, 100), 4000, 1000)
        found = outline_in(lattice, WGS84)
        middle = reproject(Point(500_000, 4_500_000), UTM50, WGS84)
        assert found.distance(middle) < 1e-4
        assert found.boundary.distance(middle) < 1e-4

    def test_an_outline_without_a_place_is_that_of_the_picture(self) -> None:
        picture = grid(Affine.scale(0.5), 4, 2, None)
        assert outline_in(picture, WGS84).equals(picture.outline)


class TestAreas:
    def test_a_square_kilometre_of_utm(self) -> None:
        """At the middle of a zone a kilometre on the map is 1000 / 0.9996 m on the ground."""
        square = reproject(box(499_500, 4_400_000, 500_500, 4_401_000), UTM50, WGS84)
        assert area_m2(square) == pytest.approx(1e6 / 0.9996**2, rel=1e-5)

    def test_a_degree_at_the_equator(self) -> None:
        """12 309 km² (110.574 km × 111.320 km)."""
        assert area_m2(box(0, -0.5, 1, 0.5)) == pytest.approx(110_574 * 111_320, rel=1e-4)

    def test_holes_are_taken_off_and_direction_is_no_matter(self) -> None:
        outer, inner = box(116, 39, 116.02, 39.02), box(116.005, 39.005, 116.01, 39.01)
        holed = Polygon(outer.exterior, [inner.exterior])
        assert area_m2(holed) == pytest.approx(area_m2(outer) - area_m2(inner))
        assert area_m2(holed.reverse()) == pytest.approx(area_m2(holed))
        assert area_m2(Polygon(outer.exterior, [inner.exterior.reverse()])) == pytest.approx(area_m2(holed))

    def test_parts_are_added_whichever_way_they_run(self) -> None:
        one, other = box(116, 39, 116.02, 39.02), box(116.03, 39, 116.05, 39.02)
        assert area_m2(MultiPolygon([one, other.reverse()])) == pytest.approx(area_m2(one) * 2)

    @pytest.mark.parametrize("shape", [Polygon(), Point(1, 2), LineString([(0, 0), (1, 1), (1, 0)])])
    def test_what_has_no_inside_has_no_area(self, shape: BaseGeometry) -> None:
        assert area_m2(shape) == 0


class TestBuffered:
    @pytest.mark.parametrize("lat", [-33.8, 0.3, 39.9, 60.0])
    def test_a_point_becomes_a_disc(self, lat: float) -> None:
        assert area_m2(buffered(Point(116.4, lat), 15)) == pytest.approx(math.pi * 15**2, rel=0.005)

    def test_a_line_becomes_a_band_with_round_ends(self) -> None:
        line = reproject(LineString([(448_000, 4_418_000), (448_100, 4_418_000)]), UTM50, WGS84)
        assert area_m2(buffered(line, 10)) == pytest.approx(100 * 20 + math.pi * 100, rel=0.005)

    def test_the_disc_is_as_wide_as_it_is_high(self) -> None:
        left, bottom, right, top = reproject(buffered(Point(116.4, 39.9), 15), WGS84, UTM50).bounds
        assert (right - left, top - bottom) == (pytest.approx(30, abs=0.1), pytest.approx(30, abs=0.1))

    def test_a_polygon_stays_as_it_is(self) -> None:
        parcel = box(116.4, 39.9, 116.401, 39.901)
        assert buffered(parcel, 15) is parcel


MANY = [
    Point(116.2, 39.9),
    LineString([(116.2, 39.9), (116.21, 39.905)]),
    box(116.2, 39.9, 116.201, 39.901),
    MultiPolygon([box(-70, -33, -69.999, -32.999), box(-69.99, -33, -69.989, -32.999)]),
    Point(24.9, 60.2),
    Point(-58.4, -34.6),
    Point(),
]


def test_many_are_buffered_as_one_is() -> None:
    distances = [15.0, 7.5, 99.0, 99.0, 120.0, 15.0, 15.0]
    for one, wide, distance in zip(MANY, buffered_all(MANY, distances), distances, strict=True):
        if one.is_empty:
            assert wide.is_empty
            continue
        own = buffered(one, distance)
        assert wide.symmetric_difference(own).area < 0.005 * own.area
    assert buffered_all([], []) == []


def test_a_buffer_reaches_over_the_dateline() -> None:
    """Two half discs of 100 m, one on each side."""
    disc = 100**2 * math.pi
    for place in (Point(180, -17), Point(-180, 65)):
        for wide in (buffered(place, 100), buffered_all([place], [100])[0]):
            assert sorted(part.bounds[0] < 0 for part in shapely.get_parts(wide)) == [False, True]
            assert area_m2(wide) == pytest.approx(disc, rel=0.005)


def test_many_areas_are_those_of_the_ellipsoid() -> None:
    found = areas_m2(MANY)
    assert found == pytest.approx([area_m2(one) for one in MANY], rel=1e-5)
    holed = box(116.2, 39.9, 116.21, 39.91).difference(box(116.202, 39.902, 116.204, 39.904))
    assert areas_m2([holed]) == pytest.approx([area_m2(holed)], rel=1e-4)


def test_equal_systems_share_a_transformer() -> None:
    """Whichever object stands for them; another system gets another one."""
    one, same, other = (pyproj.CRS.from_epsg(code) for code in (32650, 32650, 32651))
    assert one is not same
    assert transformer(WGS84, one) is transformer(WGS84, same)
    assert transformer(WGS84, one) is not transformer(WGS84, other)
    assert areal_scale(one, (500_000, 4_400_000)) == areal_scale(same, (500_000, 4_400_000))
