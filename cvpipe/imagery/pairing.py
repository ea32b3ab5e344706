"""The one grid on which two epochs are compared."""

from __future__ import annotations

import math

import pyproj
from affine import Affine
from shapely.geometry.base import BaseGeometry

from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, Grid, metric_crs, outline_in, reproject
from cvpipe.imagery.reading import SAME_LATTICE_PX, SceneReader
from cvpipe.imagery.warping import same_crs

#: Plain pictures of one place may differ by this share in ground size: half a pixel in a hundred, a rounding.
EQUAL_GROUND = 0.005

#: Ground read around a site for alignment, m, at least: a small site alone has too few edges to align by.
ALIGNMENT_MARGIN_M = 60.0


def common_grid(before: SceneReader, after: SceneReader, gsd_m: float) -> Grid:
    """North-up grid over the area that both scenes show; pixels of `gsd_m` metres.

    Its CRS is that of `before` where that is metric and true to area, else the UTM zone of the place. Where the pixels
    of `before` have that CRS and size already, the grid is a cut-out of its lattice: it will not be resampled.
    Plain pictures lie on each other by their upper left corner, and the grid has no CRS.

    Raises SceneError where the scenes share no area, only one has a georeference, or two plain pictures differ in
    ground size.
    """
    if before.grid.crs is None and after.grid.crs is None:
        return _plain_grid(before, after, gsd_m)
    if before.grid.crs is None or after.grid.crs is None:
        plain = before if before.grid.crs is None else after
        raise SceneError("has no georeference, its partner has one", where=plain.path, remedy="Give two of one kind.")
    crs = metric_crs(before.grid.crs, before.grid.bounds)
    shared = outline_in(before.grid, crs).intersection(outline_in(after.grid, crs))
    if shared.area < gsd_m**2:
        raise SceneError(
            f"shares no area with {before.path}", where=after.path, remedy="Give two scenes of the same place."
        )
    if same_crs(crs, before.grid.crs) and _is_lattice_of(before.grid, gsd_m):
        return before.grid.window(before.grid.window_of(shared.buffer(-SAME_LATTICE_PX * gsd_m).bounds))
    return Grid.from_bounds(crs, shared.bounds, gsd_m)


def site_grid(outline_wgs84: BaseGeometry, margin_m: float, crs: pyproj.CRS, gsd_m: float) -> Grid:
    """Grid around a site's outline (WGS 84) and `margin_m` metres more on each side, in a metric `crs`."""
    left, bottom, right, top = reproject(outline_wgs84, WGS84, crs).bounds
    return Grid.from_bounds(crs, (left - margin_m, bottom - margin_m, right + margin_m, top + margin_m), gsd_m)


def _plain_grid(before: SceneReader, after: SceneReader, gsd_m: float) -> Grid:
    grids = before.grid, after.grid
    (width, height), other = ((g.width * g.pixel_size, g.height * g.pixel_size) for g in grids)
    if not all(math.isclose(a, b, rel_tol=EQUAL_GROUND) for a, b in zip((width, height), other, strict=True)):
        raise SceneError(
            f"covers {other[0]:g} x {other[1]:g} m, its partner {before.path} {width:g} x {height:g} m",
            where=after.path,
            remedy="Give plain pictures of the same ground, or rasters with georeference.",
        )
    return Grid(None, Affine.scale(gsd_m), max(round(width / gsd_m), 1), max(round(height / gsd_m), 1))


def _is_lattice_of(grid: Grid, gsd_m: float) -> bool:
    """Whether the grid is north-up with square pixels of `gsd_m` CRS units."""
    step = grid.transform * Affine.scale(1 / gsd_m)
    drift = max(abs(step.a - 1), abs(step.e + 1), abs(step.b), abs(step.d))
    return drift * max(grid.shape) < SAME_LATTICE_PX
