"""The ground that a site's pictures show, in metres from the lower left corner of a square around the site.

The browser knows these metres only: it needs no map projection, and a scale bar is true.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from shapely import force_2d, get_num_coordinates, make_valid, unary_union
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry import LineString, Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import split

from cvpipe.domain import Registration, Scene
from cvpipe.geo import WGS84, Grid, metric_crs, reproject, transformer
from cvpipe.imagery import ALIGNMENT_MARGIN_M, Patch, read_later, site_grid
from cvpipe.imagery.later import Reader
from cvpipe.ledger import AssessmentRecord

#: Ground around the outline on each side: a share of its longer side, and at least so many metres, so that the
#: neighbourhood can be recognised.
MARGIN_SHARE, MARGIN_M = 0.25, 20.0

#: Side in pixels of the one picture that is shown first: sharp on a wide screen, 250 kB as JPEG.
PICTURE_PX = 1024

#: Side in pixels of the picture of the surroundings, which shows this many times the ground.
AROUND_PX, AROUND_TIMES = 768, 4.0

#: Side in pixels of the tiles that are read when somebody looks closer.
TILE_PX = 512

#: Nothing finer than this share of a scene's pixel is read: the browser enlarges as well.
FINEST_PIXEL = 0.5


#: What reading GeoJSON raises that describes no shape.
NO_SHAPE = (ValueError, TypeError, KeyError, AttributeError, IndexError, ShapelyError)


@dataclass(frozen=True)
class Frame:
    """A square of ground: its lower left corner in a metric `crs`, its side and the scene's pixel size, metres."""

    crs: pyproj.CRS
    left: float
    bottom: float
    side_m: float
    gsd_m: float

    @classmethod
    def around(cls, outline: BaseGeometry, scene: Scene) -> Frame:
        """The ground around an outline (WGS 84), in the scene's CRS where one can measure in it, else in UTM."""
        crs = pyproj.CRS.from_user_input(scene.crs)
        local = metric_crs(crs, reproject(scene.footprint, WGS84, crs).bounds)
        left, bottom, right, top = reproject(outline, WGS84, local).bounds
        longer = max(right - left, top - bottom)
        side = longer + 2 * max(MARGIN_M, MARGIN_SHARE * longer)
        return cls(local, (left + right - side) / 2, (bottom + top - side) / 2, side, scene.gsd_m)

    @cached_property
    def picture(self) -> Grid:
        """The grid of the picture that is shown first."""
        pixels = min(PICTURE_PX, max(math.ceil(self.side_m / (FINEST_PIXEL * self.gsd_m)), 256))
        return self._grid(self.left, self.bottom + self.side_m, self.side_m / pixels, pixels)

    @cached_property
    def around_it(self) -> Grid:
        """The grid of the picture of the surroundings."""
        reach = self.side_m * (AROUND_TIMES - 1) / 2
        pixel = self.side_m * AROUND_TIMES / AROUND_PX
        return self._grid(self.left - reach, self.bottom + self.side_m + reach, pixel, AROUND_PX)

    @cached_property
    def tile_pixels_m(self) -> tuple[float, ...]:
        """Pixel sizes of the tiles by level, the coarsest first; empty where the picture shows all there is."""
        found, pixel = [], self.picture.pixel_size / 2
        while pixel >= FINEST_PIXEL * self.gsd_m / 1.5:
            found.append(pixel)
            pixel /= 2
        return tuple(found)

    def tile(self, level: int, col: int, row: int) -> Grid | None:
        """The grid of a tile, counted from the upper left corner; None where there is none."""
        if not 0 <= level < len(self.tile_pixels_m):
            return None
        span = TILE_PX * self.tile_pixels_m[level]
        last = math.ceil(self.side_m / span)
        if not (0 <= col < last and 0 <= row < last):
            return None
        top = self.bottom + self.side_m
        return self._grid(self.left + col * span, top - row * span, self.tile_pixels_m[level], TILE_PX)

    def local(self, geometry: BaseGeometry) -> dict[str, Any]:
        """A geometry (WGS 84) as GeoJSON in metres from the lower left corner, to the centimetre."""
        return self.local_all([geometry])[0]

    def local_all(self, geometries: Sequence[BaseGeometry]) -> list[dict[str, Any]]:
        """`local` of each of many."""
        move = transformer(WGS84, self.crs).transform

        def placed(points: NDArray[np.float64]) -> NDArray[np.float64]:
            x, y = move(points[:, 0], points[:, 1])
            return np.round(np.column_stack((x - self.left, y - self.bottom)), 2)

        return [mapping(one) for one in shapely.transform(np.array(geometries, dtype=object), placed)]

    def polygon(self, plain: dict[str, Any], *, most_corners: int) -> BaseGeometry:
        """A polygon that was drawn, GeoJSON in metres from the lower left corner, as one or several in WGS 84.

        Raises ValueError for what is no polygon, has no area, too many corners, or lies off the frame.
        """
        if plain.get("type") not in ("Polygon", "MultiPolygon"):
            raise ValueError("no polygon")
        drawn = force_2d(shape(plain))
        left, bottom, right, top = drawn.bounds
        reach = self.side_m * AROUND_TIMES
        if get_num_coordinates(drawn) > most_corners or min(left, bottom) < -reach or max(right, top) > 2 * reach:
            raise ValueError("too many corners, or off the frame")
        parts = [part for part in _parts(make_valid(drawn)) if part.area > 0]
        if not parts:
            raise ValueError("no area")
        return reproject(translate(unary_union(parts), self.left, self.bottom), self.crs, WGS84)

    def read(self, reader: Reader, grid: Grid, epoch: Epoch) -> Patch:
        """An epoch on a grid of this frame, its ground on that of the earlier epoch, as the network saw it.

        `reader` reads the epoch's scenes. Raises what it raises.
        """
        return read_later(reader, grid, epoch.registration, epoch.compared.grid(self.crs))

    def _grid(self, left: float, top: float, pixel: float, pixels: int) -> Grid:
        return Grid(self.crs, Affine(pixel, 0, left, 0, -pixel, top), pixels, pixels)


@dataclass(frozen=True)
class Compared:
    """On what a run compared the epochs of a site: its outline (WGS 84), pixel size and ground around it in metres."""

    outline: BaseGeometry
    pixel_m: float
    margin_m: float

    def grid(self, crs: pyproj.CRS) -> Grid:
        """The grid that the registration speaks of."""
        return site_grid(self.outline, self.margin_m, crs, self.pixel_m)


@dataclass(frozen=True)
class Epoch:
    """A date that shows the site: its scenes, the first one first, and how they lie on the earlier epoch."""

    scenes: tuple[Scene, ...]
    acquired: date
    role: str
    registration: Registration
    compared: Compared

    @property
    def pixel_m(self) -> float:
        """Side of the pixels in which the registration counts, metres."""
        return self.compared.pixel_m

    @property
    def name(self) -> str:
        """How addresses name it: the content hash of its first scene."""
        return self.scenes[0].content_hash


def epochs_of(
    record: AssessmentRecord,
    others: Sequence[AssessmentRecord],
    scenes: Iterable[Scene],
    settings_of_run: Mapping[int, Mapping[str, Any]],
) -> tuple[Epoch, ...]:
    """The epochs that show a site, oldest first: both of `record`, and all other scenes that its outline touches.

    A scene that some assessment compared with the same earlier one is shown as it was aligned then, on the grid that
    the settings of that run tell.
    """
    known = {scene.content_hash: scene for scene in scenes}
    assert record.outline is not None
    assert record.assessment.before is not None
    touching = [s for s in known.values() if s.footprint.intersects(record.outline)]
    aligned = {r.assessment.after: r for r in others if r.assessment.before == record.assessment.before}
    aligned[record.assessment.after] = record
    fills = _fills(record)
    in_fill = {digest for fill in fills.values() for digest in fill}
    found = []
    for scene in sorted(touching, key=lambda s: (s.acquired, s.content_hash)):
        if scene.content_hash in in_fill:
            continue
        role = {record.assessment.before: "before", record.assessment.after: "after"}.get(scene.content_hash, "other")
        by = aligned.get(scene.content_hash)
        measured = by.assessment.measurements if by else None
        compared = _compared(by or record, record.outline, settings_of_run, known[record.assessment.before].gsd_m)
        one_day = (scene, *(known[d] for d in fills.get(scene.content_hash, ()) if d in known))
        shift = measured.registration if measured else Registration()
        found.append(Epoch(one_day, scene.acquired, role, shift, compared))
    return tuple(found)


def _compared(
    record: AssessmentRecord, outline: BaseGeometry, settings: Mapping[int, Mapping[str, Any]], native_m: float
) -> Compared:
    stated = settings.get(record.run_id, {})
    margin = max(float(stated.get("margin_m") or 0), ALIGNMENT_MARGIN_M)
    return Compared(record.outline or outline, float(stated.get("gsd_m") or native_m), margin)


def cut(polygon: dict[str, Any], line: dict[str, Any], *, most_corners: int) -> list[dict[str, Any]]:
    """The parts of a polygon that a line cuts, both GeoJSON. Raises one of `NO_SHAPE` for what is neither."""
    area, blade = shape(polygon), shape(line)
    if not isinstance(area, Polygon) or not isinstance(blade, LineString):
        raise ValueError("no polygon and line")
    if get_num_coordinates(area) + get_num_coordinates(blade) > most_corners:
        raise ValueError("too many corners")
    return [mapping(part) for part in _parts(split(area, blade)) if part.area > 0]


def _parts(geometry: BaseGeometry) -> Iterator[Polygon]:
    """The polygons of a geometry."""
    if isinstance(geometry, Polygon):
        yield geometry
    for part in getattr(geometry, "geoms", ()):
        yield from _parts(part)


def _fills(record: AssessmentRecord) -> dict[str, tuple[str, ...]]:
    """The scenes that filled the holes of the first ones of both days."""
    one = record.assessment
    return {first: fill for first, fill in ((one.before, one.before_fill), (one.after, one.after_fill)) if first}


__all__ = ["NO_SHAPE", "TILE_PX", "Compared", "Epoch", "Frame", "cut", "epochs_of"]
