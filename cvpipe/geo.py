"""Where pixels lie on the ground: one grid value, its windows, and areas in square metres.

Arithmetic only: nothing here opens a file. Axis order is always x, y (longitude, latitude), whatever the CRS
registry says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyproj
import shapely
import shapely.affinity
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry, BaseMultipartGeometry
from shapely.geometry.polygon import orient

Bounds = tuple[float, float, float, float]
"""(left, bottom, right, top) in the units of a CRS."""

WGS84 = pyproj.CRS.from_epsg(4326)


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: column and row of its upper left pixel, width and height in pixels."""

    col: int
    row: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices into an array of the whole grid."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)


@dataclass(frozen=True)
class Grid:
    """A raster's place without its pixels: CRS, pixel-to-CRS transform, width and height in pixels.

    `crs` is None for pictures without georeference; their transform then maps pixels to metres on the ground
    with y pointing down, and their outputs stay in pixel coordinates.
    """

    crs: pyproj.CRS | None
    transform: Affine
    width: int
    height: int

    @classmethod
    def from_bounds(cls, crs: pyproj.CRS, bounds: Bounds, pixel_size: float) -> Grid:
        """North-up grid of square pixels that covers `bounds`, snapped outwards to whole multiples of the pixel.

        Snapping makes the grids of neighbouring sites share one lattice.
        """
        left, bottom, right, top = bounds
        col0, col1 = math.floor(left / pixel_size), math.ceil(right / pixel_size)
        row0, row1 = math.floor(-top / pixel_size), math.ceil(-bottom / pixel_size)
        transform = Affine(pixel_size, 0, col0 * pixel_size, 0, -pixel_size, -row0 * pixel_size)
        return cls(crs, transform, max(col1 - col0, 1), max(row1 - row0, 1))

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), the order of numpy arrays."""
        return self.height, self.width

    @property
    def pixel_size(self) -> float:
        """Side of a pixel in CRS units: the root of its area, so rotated grids are served too."""
        return math.sqrt(abs(self.transform.determinant))

    @property
    def corners(self) -> list[tuple[float, float]]:
        """Outer corners in CRS units: upper left, upper right, lower right, lower left as pixels count."""
        ends = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        return [self.transform * end for end in ends]

    @property
    def bounds(self) -> Bounds:
        """Axis-parallel box around the grid in CRS units."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def outline(self) -> Polygon:
        """The grid's outer edge in CRS units."""
        return Polygon(self.corners)

    def window(self, window: Window) -> Grid:
        """The grid of a rectangle of this grid's pixels."""
        moved = self.transform * Affine.translation(window.col, window.row)
        return Grid(self.crs, moved, window.width, window.height)

    def shifted(self, dx: float, dy: float) -> Grid:
        """The same grid moved by (dx, dy) pixels to the right and down."""
        return Grid(self.crs, self.transform * Affine.translation(dx, dy), self.width, self.height)

    def window_of(self, bounds: Bounds) -> Window:
        """The smallest window that covers `bounds` (CRS units), cut off at the grid's edge; may be empty."""
        inverse = ~self.transform
        left, bottom, right, top = bounds
        points = [inverse * p for p in ((left, top), (right, top), (right, bottom), (left, bottom))]
        cols, rows = zip(*points, strict=True)
        col0, row0 = max(math.floor(min(cols)), 0), max(math.floor(min(rows)), 0)
        col1, row1 = min(math.ceil(max(cols)), self.width), min(math.ceil(max(rows)), self.height)
        return Window(col0, row0, max(col1 - col0, 0), max(row1 - row0, 0))

    def window_of_grid(self, part: Grid) -> Window:
        """The window of this grid's pixels that a smaller grid of the same lattice lies on."""
        col, row = ~self.transform * (part.transform.c, part.transform.f)
        window = Window(round(col), round(row), part.width, part.height)
        assert max(abs(col - window.col), abs(row - window.row)) < 1e-3, "the grids share no lattice"
        return window

    def pixel_area_m2(self) -> float:
        """Area of one pixel on the ground, m², at the grid's centre."""
        return self._pixel_area_m2

    def ground_pixel_m(self) -> float:
        """Side of a pixel on the ground in metres: the root of `pixel_area_m2`."""
        return math.sqrt(self.pixel_area_m2())

    @cached_property
    def _pixel_area_m2(self) -> float:
        area = abs(self.transform.determinant)
        return area if self.crs is None else area * _square_unit_m2(self.crs, self._centre())

    def _centre(self) -> tuple[float, float]:
        x, y = self.transform * (self.width / 2, self.height / 2)
        return float(x), float(y)


def is_metric(crs: pyproj.CRS) -> bool:
    """Whether the CRS is projected with the metre as its unit."""
    return bool(crs.is_projected) and math.isclose(_unit_m(crs), 1.0)


#: A projection that enlarges areas by more than this share is no CRS to lay pixels of a stated ground size in
#: (Web Mercator doubles areas at 45°; national grids stay within 0.2 %).
MAX_AREAL_DISTORTION = 0.02


def metric_crs(crs: pyproj.CRS, bounds: Bounds) -> pyproj.CRS:
    """The CRS to measure in: `crs` itself where it is projected, metric and nearly true to area in `bounds`.

    Otherwise the UTM zone of the centre of `bounds` (given in units of `crs`).
    """
    left, bottom, right, top = bounds
    centre = (left + right) / 2, (bottom + top) / 2
    if is_metric(crs) and abs(areal_scale(crs, centre) - 1) <= MAX_AREAL_DISTORTION:
        return crs
    return utm_crs(*transformer(crs, WGS84).transform(*centre))


def utm_crs(lon: float, lat: float) -> pyproj.CRS:
    """WGS 84 / UTM zone of a place given in degrees (without the exceptions around Norway and Svalbard)."""
    zone = min(int((lon + 180) // 6) + 1, 60)
    return _of_epsg((32600 if lat >= 0 else 32700) + zone)


def areal_scale(crs: pyproj.CRS, point: tuple[float, float]) -> float:
    """By how much the projection enlarges areas at `point` (CRS units); 1 where it is true to area."""
    return _unit_m(crs) ** 2 / _square_unit_m2(crs, point)


def reproject(geometry: BaseGeometry, source: pyproj.CRS, target: pyproj.CRS) -> BaseGeometry:
    """`geometry` moved from one CRS to another, x before y in both."""
    if source == target:
        return geometry
    move = transformer(source, target).transform
    return shapely.transform(geometry, lambda points: np.column_stack(move(points[:, 0], points[:, 1])))


def array_of(geometries: Iterable[BaseGeometry | bytes | str]) -> NDArray[np.object_]:
    """Geometries, or what is written of them, as shapely takes many at once, (n,)."""
    return np.array([*geometries, None], dtype=object)[:-1]  # None keeps numpy from looking into the geometries


def buffered(geometry: BaseGeometry, distance_m: float) -> BaseGeometry:
    """Area of a WGS 84 geometry: polygons as they are, points and lines widened by `distance_m` on the ground."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    lon, lat = geometry.centroid.coords[0]
    local = utm_crs(lon, lat)
    area = reproject(reproject(geometry, WGS84, local).buffer(distance_m), local, WGS84)
    return cut_at_dateline(area) if area.bounds[2] - area.bounds[0] > 180 else area


def buffered_all(geometries: Sequence[BaseGeometry], distances_m: Sequence[float]) -> list[BaseGeometry]:
    """`buffered` of many WGS 84 geometries at once, each widened in a plane of metres about its own centre.

    A distance is true to 0.1 % within some kilometres of the centre.
    """
    found = array_of(geometries)
    distances = np.asarray(distances_m, np.float64)
    thin = np.flatnonzero((shapely.get_dimensions(found) < 2) & ~shapely.is_empty(found))
    centres = shapely.get_coordinates(shapely.centroid(found[thin]))
    scales = _metres_per_degree(centres[:, 1])
    local = _scaled_about(found[thin], centres, scales, back=False)
    found[thin] = _scaled_about(shapely.buffer(local, distances[thin], quad_segs=16), centres, scales, back=True)
    reached = np.abs(shapely.bounds(found[thin])[:, [0, 2]]).max(axis=1, initial=0.0)
    for i in thin[reached > 180]:
        found[i] = cut_at_dateline(found[i])
    return list(found)


def cut_at_dateline(geometry: BaseGeometry) -> BaseGeometry:
    """A WGS 84 geometry that reaches across 180°, as parts on both sides of it (RFC 7946, section 3.1.9).

    Its longitudes may jump from one end to the other, or count on beyond ±180°.
    """
    left, _, right, _ = geometry.bounds
    if right - left > 180:
        geometry = shapely.transform(geometry, lambda points: points + 360.0 * (points < [0, -90]))
    elif left < -180:
        geometry = shapely.affinity.translate(geometry, 360.0)
    if not geometry.is_valid:
        geometry = shapely.make_valid(geometry)
    west_of_it = geometry.intersection(shapely.box(-180, -90, 180, 90))
    east_of_it = shapely.affinity.translate(geometry.intersection(shapely.box(180, -90, 540, 90)), -360.0)
    wanted = shapely.get_dimensions(geometry)
    pieces = [piece for side in (west_of_it, east_of_it) for piece in shapely.get_parts(side)]
    return shapely.union_all([piece for piece in pieces if shapely.get_dimensions(piece) == wanted])


def area_m2(geometry: BaseGeometry) -> float:
    """Area of a WGS 84 geometry on the ellipsoid in m² (Karney 2013); holes are taken off. Lines have none.

    Rings are turned first: pyproj adds a hole that runs the same way as its shell.
    """
    if isinstance(geometry, BaseMultipartGeometry):
        return sum(area_m2(part) for part in geometry.geoms)
    if not isinstance(geometry, Polygon) or geometry.is_empty:
        return 0.0
    return abs(float(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(orient(geometry))[0]))


def areas_m2(geometries: Sequence[BaseGeometry]) -> NDArray[np.float64]:
    """`area_m2` of many WGS 84 geometries at once, by a cylindrical projection that is true to area (Snyder 1987,
    equations 3-12 and 10-17).

    Edges run straight on that cylinder, not along geodesics: for edges of 1 km that makes 0.001 %, of 30 km 1 %.
    """
    flat = shapely.transform(array_of(geometries), _on_authalic_cylinder)
    return np.where(shapely.get_dimensions(flat) == 2, shapely.area(flat), 0.0)


def bounds_in(bounds: Bounds, source: pyproj.CRS, target: pyproj.CRS) -> Bounds:
    """Box in `target` around a box in `source`, with its edges densified so that curved edges fit."""
    if source == target:
        return bounds
    left, bottom, right, top = transformer(source, target).transform_bounds(*bounds, densify_pts=21)
    return float(left), float(bottom), float(right), float(top)


def outline_in(grid: Grid, target: pyproj.CRS) -> BaseGeometry:
    """The grid's outline in another CRS, its edges densified."""
    if grid.crs is None:
        return grid.outline
    return reproject(grid.outline.segmentize(max(grid.pixel_size * 256, 1e-9)), grid.crs, target)


def windows(width: int, height: int, size: int, overlap: int) -> Iterator[Window]:
    """Windows of `size` that cover a raster, neighbours sharing `overlap` pixels, row by row.

    The lattice starts at the upper left; the last window of a row or column may reach past the raster's edge.
    """
    stride = size - overlap
    assert 0 < stride <= size, "the overlap must be smaller than the window"
    rows = range(0, max(height - overlap, 1), stride)
    cols = range(0, max(width - overlap, 1), stride)
    for row in rows:
        for col in cols:
            yield Window(col, row, size, size)


def transformer(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    """Coordinate transformer with x before y on both ends."""
    return _transformer_of(_Itself(source), _Itself(target))


class _Itself:
    """A CRS as the key of a cache, equal to no other object: pyproj writes a CRS out whole each time it is hashed."""

    __slots__ = ("crs",)

    def __init__(self, crs: pyproj.CRS) -> None:
        self.crs = crs

    def __hash__(self) -> int:
        return id(self.crs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.crs is other.crs


@lru_cache(maxsize=256)
def _transformer_of(source: _Itself, target: _Itself) -> pyproj.Transformer:
    return _transformer(source.crs, target.crs)


@lru_cache(maxsize=256)
def _transformer(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=120)
def _of_epsg(code: int) -> pyproj.CRS:
    return pyproj.CRS.from_epsg(code)


def _metres_per_degree(lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Metres of a degree of longitude and of latitude on WGS 84, shape (n, 2) (Snyder 1987, 4-18 and 4-20)."""
    ellipsoid, phi = pyproj.Geod(ellps="WGS84"), np.radians(lat)
    w2 = 1 - ellipsoid.es * np.sin(phi) ** 2
    east = np.radians(ellipsoid.a * np.maximum(np.cos(phi), 1e-6) / np.sqrt(w2))
    return np.column_stack((east, np.radians(ellipsoid.a * (1 - ellipsoid.es) / w2**1.5)))


def _scaled_about(
    geometries: NDArray[Any], centres: NDArray[np.float64], scales: NDArray[np.float64], *, back: bool
) -> NDArray[Any]:
    """Geometries in degrees as metres about their centres, or `back` again."""
    points, of = shapely.get_coordinates(geometries, return_index=True)
    moved = points / scales[of] + centres[of] if back else (points - centres[of]) * scales[of]
    return np.asarray(shapely.set_coordinates(geometries.copy(), moved), dtype=object)


def _on_authalic_cylinder(points: NDArray[np.float64]) -> NDArray[np.float64]:
    ellipsoid = pyproj.Geod(ellps="WGS84")
    e, sine = math.sqrt(ellipsoid.es), np.sin(np.radians(points[:, 1]))
    q = (1 - ellipsoid.es) * (sine / (1 - ellipsoid.es * sine**2) + np.arctanh(e * sine) / e)
    return np.column_stack((ellipsoid.a * np.radians(points[:, 0]), ellipsoid.a * q / 2))


def _unit_m(crs: pyproj.CRS) -> float:
    return float(crs.axis_info[0].unit_conversion_factor)


@lru_cache(maxsize=256)
def _geodetic(projected: _Itself) -> tuple[pyproj.Transformer, float, pyproj.Geod]:
    """From a CRS to longitude and latitude, how many radians their unit is (a degree, or a grad), and the ellipsoid."""
    geodetic = projected.crs.geodetic_crs or WGS84
    ellipsoid = geodetic.get_geod() or pyproj.Geod(ellps="WGS84")
    return transformer(projected.crs, geodetic), geodetic.axis_info[0].unit_conversion_factor, ellipsoid


def _square_unit_m2(crs: pyproj.CRS, point: tuple[float, float]) -> float:
    """Ground area, m², of a square CRS unit at `point`: a small cell's area in radians, on the CRS's ellipsoid.

    Radii of curvature after Snyder 1987 (PP 1395, equations 4-18 and 4-20). PROJ's own scale factors take Web
    Mercator's sphere for the ground, which is 0.7 % off at the equator.
    """
    to_geodetic, units, ellipsoid = _geodetic(_Itself(crs))
    half = 1e-5 if crs.is_geographic else 10.0
    x, y = point[0] + half * np.array([-1, 1, 0, 0]), point[1] + half * np.array([0, 0, -1, 1])
    # unwrapped, since a cell may lie across 180°
    lon, lat = (np.unwrap(units * np.asarray(angle)) for angle in to_geodetic.transform(x, y))
    cell = abs((lon[1] - lon[0]) * (lat[3] - lat[2]) - (lon[3] - lon[2]) * (lat[1] - lat[0])) / (2 * half) ** 2
    w2 = 1 - ellipsoid.es * math.sin(lat.mean()) ** 2
    return float(cell * ellipsoid.a**2 * (1 - ellipsoid.es) / w2**2 * math.cos(lat.mean()))


__all__ = [
    "MAX_AREAL_DISTORTION",
    "WGS84",
    "Bounds",
    "Grid",
    "Window",
    "area_m2",
    "areal_scale",
    "areas_m2",
    "array_of",
    "bounds_in",
    "buffered",
    "buffered_all",
    "cut_at_dateline",
    "is_metric",
    "metric_crs",
    "outline_in",
    "reproject",
    "transformer",
    "utm_crs",
    "windows",
]
