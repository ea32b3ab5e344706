"""Changed pixels become polygons with an area, a probability and a place on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from shapely.geometry import Polygon

from cvpipe.detect.maps import PROBABILITY_SCALE
from cvpipe.detect.outlines import outlines
from cvpipe.detect.prediction import Pixels
from cvpipe.detect.runs import Integers, Runs, areas_of, runs_of
from cvpipe.domain import Change, ChangeKind
from cvpipe.geo import WGS84, Grid, transformer

#: An outline may leave the pixels' edges by half a pixel. Cutting their corners takes 0.354 (a quarter of a diagonal);
#: the rest is left to Douglas-Peucker.
SIMPLIFY_PX = 0.5 - 0.25 * 2**0.5

Polygons = npt.NDArray[np.object_]
"""Polygons of shapely (n,)."""


def polygons(mask: Pixels, probability: Pixels, grid: Grid, kind: ChangeKind, min_area_m2: float) -> list[Change]:
    """Polygons of the pixels of `mask` (H, W) that are 1, with their holes, largest first.

    Pixels belong together where they share a side: joined by their corners too they would give rings that touch
    themselves, which is no valid polygon in the Simple Features standard. `probability` (H, W) holds stored
    probabilities (`maps.PROBABILITY_SCALE`), none of them missing where the mask is 1. Areas below `min_area_m2` are
    left out; area is that of the pixels, before the outline is simplified by up to half a pixel. Geometries are WGS 84;
    on a grid without CRS they stay in the plane of the grid's transform (metres from the upper left corner, y down).
    """
    found = Patches.of(runs_of(mask == 1, probability))
    return placed(found.chosen(found.pixels * grid.pixel_area_m2() >= min_area_m2), grid, kind)


def patches(mask: Pixels, grid: Grid, min_area_m2: float) -> list[tuple[Polygon, float]]:
    """Outlines of the areas of `mask` (H, W) that are 1, with their area in m², largest first; placed as `polygons`."""
    found = polygons(mask, mask, grid, ChangeKind.STRUCTURE_ADDED, min_area_m2)
    return [(change.geometry, change.area_m2) for change in found]


@dataclass(frozen=True)
class Patches:
    """Changed pixels that hang together by their sides.

    `areas` (r,) tells of each run the patch (0, 1, …) that it is part of; `pixels` and `totals` (n,) are of the
    patches: how many pixels they have, and the sum of their stored probabilities.
    """

    runs: Runs
    areas: Integers
    pixels: Integers
    totals: Integers

    @classmethod
    def of(cls, runs: Runs) -> Patches:
        """Runs of a whole raster, or of as much of it as is known."""
        areas = areas_of(runs)
        pixels, totals = (_summed(values, areas) for values in (runs.lengths, runs.totals))
        return cls(runs, areas, pixels, totals)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def probability(self) -> npt.NDArray[np.float64]:
        """Mean over the pixels of each patch, 0..1."""
        return np.asarray(self.totals / self.pixels / PROBABILITY_SCALE)

    def chosen(self, these: npt.NDArray[np.bool_]) -> Patches:
        """Some of the patches, numbered anew."""
        kept = these[self.areas]
        numbers = np.cumsum(these) - 1
        return Patches(self.runs[kept], numbers[self.areas[kept]], self.pixels[these], self.totals[these])

    def reaching(self, row: int) -> npt.NDArray[np.bool_]:
        """Those of the patches that lie in this row or below it."""
        found = np.zeros(len(self), np.bool_)
        found[self.areas[self.runs.rows >= row]] = True
        return found


def _summed(values: Integers, areas: Integers) -> Integers:
    total: Integers = np.zeros(int(areas.max(initial=-1)) + 1, np.int64)
    np.add.at(total, areas, values)
    return total


def placed(found: Patches, grid: Grid, kind: ChangeKind) -> list[Change]:
    """Patches as polygons on the ground (see `polygons`), largest first."""
    geometries = _placed(outlines(found.runs, found.areas), grid)
    areas, probabilities = (found.pixels * grid.pixel_area_m2()).tolist(), found.probability.tolist()
    changes = [Change(kind, g, area, p) for g, area, p in zip(geometries, areas, probabilities, strict=True)]
    return sorted(changes, key=lambda change: change.area_m2, reverse=True)


def _placed(found: Polygons, grid: Grid) -> Polygons:
    """Outlines simplified and moved from pixels to WGS 84, outer rings anticlockwise (RFC 7946, 3.1.6)."""
    t: Affine = grid.transform
    ground = shapely.transform(_simplified(found), lambda xy: np.column_stack(t * xy.T))
    if grid.crs is not None:  # all at once: looking up a transformer costs more than using it
        to_wgs84 = transformer(grid.crs, WGS84)
        ground = shapely.transform(ground, lambda xy: np.column_stack(to_wgs84.transform(xy[:, 0], xy[:, 1])))
    return np.asarray(shapely.orient_polygons(ground))


def _simplified(found: Polygons) -> Polygons:
    simple = shapely.simplify(_through_middles(found), SIMPLIFY_PX, preserve_topology=True)
    return np.where(shapely.is_valid(simple), simple, found)


def _through_middles(found: Polygons) -> Polygons:
    """Outlines through the middles of the pixels' edges: slanted edges become straight instead of stairs."""
    if not len(found):
        return found
    rings, polygon = shapely.get_rings(shapely.segmentize(found, 1.0), return_index=True)
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    along = ring[1:] == ring[:-1]
    middles = shapely.linearrings(((corners[:-1] + corners[1:]) / 2)[along], indices=ring[1:][along])
    return np.asarray(shapely.polygons(middles, indices=polygon))


__all__ = ["SIMPLIFY_PX", "Patches", "patches", "placed", "polygons"]
