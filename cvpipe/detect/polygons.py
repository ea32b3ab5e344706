"""Changed pixels become polygons with an area, a probability and a place on the ground."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import rasterio
import rasterio.features
import rasterio.windows
import shapely
from affine import Affine
from shapely.affinity import affine_transform
from shapely.geometry import Polygon, shape
from shapely.geometry.polygon import orient

from cvpipe.detect.maps import NO_DATA, PROBABILITY_SCALE
from cvpipe.detect.prediction import Mask, Pixels
from cvpipe.domain import Change, ChangeKind
from cvpipe.geo import WGS84, Grid, Window, transformer

#: Pixels belong together where they share a side. Joining them by their corners too would give rings that touch
#: themselves, which is no valid polygon in the Simple Features standard.
CONNECTIVITY = 4

#: An outline may leave the pixels' edges by half a pixel. Cutting their corners takes 0.354 (a quarter of a diagonal);
#: the rest is left to Douglas-Peucker.
SIMPLIFY_PX = 0.5 - 0.25 * 2**0.5

#: Rows of a large polygon's surroundings that are read at once to take its mean probability.
_ROWS_AT_ONCE = 512

ReadProbability = Callable[[Window], Pixels]
"""Stored probabilities (H, W) of a window; in steps of 1/254, 255 = none."""


def polygons(mask: Pixels, probability: Pixels, grid: Grid, kind: ChangeKind, min_area_m2: float) -> list[Change]:
    """Polygons of the pixels of `mask` (H, W) that are 1, with their holes, largest first.

    `probability` (H, W) holds stored probabilities (`maps.PROBABILITY_SCALE`). Areas below `min_area_m2` are left out;
    area is that of the pixels, before the outline is simplified by up to half a pixel. Geometries are WGS 84; on a
    grid without CRS they stay in the plane of the grid's transform (metres from the upper left corner, y down).
    """
    return polygons_of(mask, lambda window: probability[window.slices], grid, kind, min_area_m2)


def polygons_of(
    mask: Pixels | rasterio.Band, read: ReadProbability, grid: Grid, kind: ChangeKind, min_area_m2: float
) -> list[Change]:
    """As `polygons`, from an array or from a band of an open raster, which is traced line by line."""
    return placed([patch for patch in traced(mask, read, grid) if patch.area_m2 >= min_area_m2], grid, kind)


@dataclass(frozen=True)
class Traced:
    """Changed pixels that hang together: their outline in pixels (x right, y down), area and mean probability."""

    outline: Polygon
    area_m2: float
    probability: float


def traced(mask: Pixels | rasterio.Band, read: ReadProbability, grid: Grid) -> Iterator[Traced]:
    """All patches of the pixels of `mask` that are 1."""
    pixel_m2 = grid.pixel_area_m2()
    for outline in _outlines(mask):
        yield Traced(outline, outline.area * pixel_m2, _mean_probability(outline, read))


def placed(patches: Sequence[Traced], grid: Grid, kind: ChangeKind) -> list[Change]:
    """Patches as polygons on the ground (see `polygons`), largest first."""
    geometries = _placed([patch.outline for patch in patches], grid)
    changes = [Change(kind, g, p.area_m2, p.probability) for p, g in zip(patches, geometries, strict=True)]
    return sorted(changes, key=lambda change: change.area_m2, reverse=True)


def erase(patches: Sequence[Traced], dataset: rasterio.io.DatasetWriter, band: int) -> None:
    """Set the pixels of `patches` to 0 in a band of a raster that is open for update."""
    for patch in patches:
        for window, inside in _inside(patch.outline):
            place = rasterio.windows.Window(window.col, window.row, window.width, window.height)
            values = dataset.read(band, window=place)
            values[inside] = 0
            dataset.write(values, band, window=place)


def patches(mask: Pixels, grid: Grid, min_area_m2: float) -> list[tuple[Polygon, float]]:
    """Outlines of the areas of `mask` (H, W) that are 1, with their area in m², largest first; placed as `polygons`."""
    pixel_m2 = grid.pixel_area_m2()
    outlines = [outline for outline in _outlines(mask) if outline.area * pixel_m2 >= min_area_m2]
    areas = [outline.area * pixel_m2 for outline in outlines]
    return sorted(zip(_placed(outlines, grid), areas, strict=True), key=lambda patch: patch[1], reverse=True)


def _outlines(mask: Pixels | rasterio.Band) -> Iterator[Polygon]:
    """Outlines along pixel edges, in pixels (x right, y down)."""
    if isinstance(mask, np.ndarray):
        changed = (mask == 1).view(np.uint8)
        left, top, width, height = cv2.boundingRect(changed)
        if width == 0:
            return
        changed = changed[top : top + height, left : left + width]
        found, to_pixels = rasterio.features.shapes(changed, changed, CONNECTIVITY), Affine.translation(left, top)
    else:  # GDAL applies an open raster's transform, whatever is asked
        found, to_pixels = rasterio.features.shapes(mask, mask, CONNECTIVITY), ~mask.ds.transform
    for geometry, value in found:
        if value == 1:
            yield shapely.transform(affine_transform(shape(geometry), _matrix(to_pixels)), np.rint)


def _placed(outlines: list[Polygon], grid: Grid) -> list[Polygon]:
    """The outlines simplified and moved from pixels to WGS 84, outer rings anticlockwise (RFC 7946, 3.1.6)."""
    to_ground = _matrix(grid.transform)
    ground = [affine_transform(_simplified(outline), to_ground) for outline in outlines]
    if grid.crs is not None:  # all at once: looking up a transformer costs more than using it
        to_wgs84 = transformer(grid.crs, WGS84)
        ground = list(shapely.transform(ground, lambda xy: np.column_stack(to_wgs84.transform(xy[:, 0], xy[:, 1]))))
    return [orient(polygon) for polygon in ground]


def _simplified(outline: Polygon) -> Polygon:
    simple = _through_middles(outline).simplify(SIMPLIFY_PX, preserve_topology=True)
    return simple if simple.is_valid else outline


def _through_middles(outline: Polygon) -> Polygon:
    """The outline through the middles of the pixels' edges: slanted edges become straight instead of stairs."""
    rings = [np.asarray(ring.segmentize(1.0).coords) for ring in (outline.exterior, *outline.interiors)]
    exterior, *holes = [(ring[:-1] + ring[1:]) / 2 for ring in rings]
    return Polygon(exterior, holes)


def _matrix(t: Affine) -> list[float]:
    """A transform as shapely wants it."""
    return [t.a, t.b, t.d, t.e, t.c, t.f]


def _mean_probability(outline: Polygon, read: ReadProbability) -> float:
    """Mean over the pixels inside, 0..1."""
    total = count = 0
    for window, inside in _inside(outline):
        values = read(window)[inside]
        values = values[values != NO_DATA]
        total, count = total + int(values.sum(dtype=np.int64)), count + len(values)
    return total / count / PROBABILITY_SCALE if count else 0.0


def _inside(outline: Polygon) -> Iterator[tuple[Window, Mask]]:
    """The windows around an outline, a bounded part of it at a time, and which of their pixels lie inside."""
    left, top, right, bottom = (int(v) for v in outline.bounds)
    for row in range(top, bottom, _ROWS_AT_ONCE):
        window = Window(left, row, right - left, min(_ROWS_AT_ONCE, bottom - row))
        yield window, _filled(outline, window)


def _filled(outline: Polygon, window: Window) -> Mask:
    """The pixels (H, W) of a window as wide as the outline that lie inside.

    Outlines run along pixel edges: from left to right, each vertical piece that is passed leads in or out. Ten times
    as fast as a rasteriser that takes any polygon, on the small areas of which there are many.
    """
    crossed = np.zeros((window.height, window.width + 1), np.bool_)
    for ring in (outline.exterior, *outline.interiors):
        corners = shapely.get_coordinates(ring).astype(np.int64) - (window.col, window.row)
        upright = np.flatnonzero(corners[:-1, 0] == corners[1:, 0])
        ends = np.sort(np.stack([corners[upright, 1], corners[upright + 1, 1]]), axis=0).clip(0, window.height)
        for x, top, bottom in zip(corners[upright, 0].tolist(), *ends.tolist(), strict=True):
            crossed[top:bottom, x] ^= True
    return np.logical_xor.accumulate(crossed, axis=1)[:, :-1]


__all__ = [
    "CONNECTIVITY",
    "SIMPLIFY_PX",
    "ReadProbability",
    "Traced",
    "erase",
    "placed",
    "polygons",
    "polygons_of",
    "traced",
]
