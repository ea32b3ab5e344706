"""The pictures of a site: the same ground at each epoch, cut from the scenes that its assessments name.

Outlines are not burnt in: they are kept as paths in pixel coordinates, which a page lays over the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from types import TracebackType

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray
from shapely.affinity import affine_transform, translate
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import ChangeKind, Scene, Site, Surface
from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, Grid, buffered, metric_crs, reproject
from cvpipe.imagery import MosaicReader, Patch, SceneReaders, later_grid, shared_stretch, site_grid, write_jpeg
from cvpipe.imagery.later import read_later
from cvpipe.imagery.remote import shown
from cvpipe.report.epochs import DrawnChange, DrawnRemnant, Epoch, Role, Step

#: Width and height of a chip in pixels: sharp at three in a row on a wide screen, 60 kB as JPEG.
CHIP_PX = (640, 480)

#: Ground around the outline on each side: a share of its longer side, but at least this many metres, so that the
#: neighbourhood can be recognised.
MARGIN_SHARE = 0.15
MARGIN_M = 12.0

#: A small site is enlarged until its pixels are this share of a scene's pixel; beyond it a picture shows nothing more.
FINEST_PIXEL = 0.25

#: Corners of an outline that lie this near the line between their neighbours are left out, pixels.
SIMPLIFY_PX = 0.4

#: Lengths in metres that a scale bar may have; the longest that takes up to a quarter of the width is chosen.
SCALE_BARS_M = (5, 10, 20, 50, 100, 200, 500, 1000, 2000)


@dataclass(frozen=True)
class Outline:
    """A change on a picture: an SVG path in its pixels."""

    kind: ChangeKind
    path: str
    area_m2: float
    probability: float


@dataclass(frozen=True)
class LeftOver:
    """A remnant on a picture: an SVG path in its pixels."""

    surface: Surface
    path: str
    area_m2: float


@dataclass(frozen=True)
class Picture:
    """One epoch of a site. `file` is relative to the report; where there is none, `missing` says why.

    `left` is what still stands or lies on the site at this epoch.
    """

    role: Role
    acquired: date
    source: str
    file: str | None
    missing: str
    boundary: str
    retained: str
    outlines: tuple[Outline, ...]
    scale_m: int
    scale_px: float
    left: tuple[LeftOver, ...] = ()

    @property
    def left_m2(self) -> dict[Surface, float]:
        """How much is left of each surface, m²."""
        found = dict[Surface, float]()
        for one in self.left:
            found[one.surface] = found.get(one.surface, 0.0) + one.area_m2
        return found

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return CHIP_PX


class ChipCutter:
    """Cuts the pictures of one site after another; sites in a row that share a scene find it open.

    `folder` receives the JPEG files; `prefix` is its path as the page names it.
    """

    def __init__(self, scenes: Sequence[Scene], folder: Path, prefix: str) -> None:
        self._scenes: Mapping[str, Scene] = {scene.content_hash: scene for scene in scenes}
        self._folder = folder
        self._prefix = prefix
        self._open = ExitStack()
        self._readers = SceneReaders(self._open)

    def __enter__(self) -> ChipCutter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def cut(self, site: Site, number: int, epochs: Sequence[Epoch]) -> tuple[Picture, ...]:
        """A picture for each epoch, all with the same stretch; a scene that cannot be read costs its picture only."""
        if not epochs:
            return ()
        frame = frame_of(site, self._scenes[epochs[0].scenes[0]])
        patches = [self._read(site, frame, epoch) for epoch in epochs]
        read = [patch for patch in patches if isinstance(patch, Patch)]
        stretched = iter(shared_stretch(*read) if read else ())
        return tuple(
            self._picture(site, number, frame, epoch, patch if isinstance(patch, SceneError) else next(stretched))
            for epoch, patch in zip(epochs, patches, strict=True)
        )

    def _read(self, site: Site, frame: Grid, epoch: Epoch) -> Patch | SceneError:
        try:
            mosaic = MosaicReader([self._readers(self._scenes[digest]) for digest in epoch.scenes])
            return _read_at(mosaic, site, frame, epoch.steps)
        except SceneError as error:
            return error

    def _picture(
        self, site: Site, number: int, frame: Grid, epoch: Epoch, pixels: NDArray[np.uint8] | SceneError
    ) -> Picture:
        file, missing = None, ""
        if isinstance(pixels, SceneError):
            missing = pixels.found
        else:
            name = f"{number:05d}-{epoch.acquired.isoformat()}-{epoch.role}.jpg"
            write_jpeg(self._folder / name, pixels)
            file = f"{self._prefix}/{name}"
        scale_m, scale_px = _scale_bar(frame)
        return Picture(
            role=epoch.role,
            acquired=epoch.acquired,
            source=" + ".join(PurePosixPath(shown(self._scenes[digest].uri)).name for digest in epoch.scenes),
            file=file,
            missing=missing,
            boundary=_path(_outline(site), frame),
            retained=_path(site.plan.retained, frame) if site.plan.retained is not None else "",
            outlines=tuple(_drawn(change, frame) for change in epoch.changes),
            scale_m=scale_m,
            scale_px=scale_px,
            left=tuple(_left_over(remnant, frame) for remnant in epoch.left),
        )


def frame_of(site: Site, scene: Scene) -> Grid:
    """The ground that a site's pictures show: its outline with a margin, widened to the chip's proportions.

    In the scene's CRS where one can measure in it, else in the local UTM zone; `CHIP_PX` pixels.
    """
    crs = pyproj.CRS.from_user_input(scene.crs)
    local = metric_crs(crs, reproject(scene.footprint, WGS84, crs).bounds)
    left, bottom, right, top = reproject(_outline(site), WGS84, local).bounds
    margin = max(MARGIN_M, MARGIN_SHARE * max(right - left, top - bottom))
    wide, high = CHIP_PX
    pixel = max((right - left + 2 * margin) / wide, (top - bottom + 2 * margin) / high, FINEST_PIXEL * scene.gsd_m)
    x, y = (left + right) / 2 - wide * pixel / 2, (bottom + top) / 2 + high * pixel / 2
    return Grid(local, Affine(pixel, 0, x, 0, -pixel, y), wide, high)


def _read_at(mosaic: MosaicReader, site: Site, frame: Grid, steps: Sequence[Step]) -> Patch:
    """An epoch on the first one's ground. Only the last step's bend is taken out: bends of a pixel do not add up."""
    if not steps:
        return mosaic.read(frame)
    *through, last = steps
    grid = frame
    for step in through:
        grid = later_grid(grid, step.registration, _compared_on(site, frame, step))
    return read_later(mosaic, grid, last.registration, _compared_on(site, frame, last))


def _compared_on(site: Site, frame: Grid, step: Step) -> Grid:
    """The grid that a step's registration speaks of."""
    assert frame.crs is not None
    return site_grid(_outline(site), step.compared.margin_m, frame.crs, step.compared.pixel_m)


def _outline(site: Site) -> BaseGeometry:
    return buffered(site.geometry, site.buffer_m)


def _drawn(drawn: DrawnChange, frame: Grid) -> Outline:
    change = drawn.change
    return Outline(change.kind, _path(change.geometry, frame, drawn.offset_m), change.area_m2, change.probability)


def _left_over(drawn: DrawnRemnant, frame: Grid) -> LeftOver:
    remnant = drawn.remnant
    return LeftOver(remnant.surface, _path(remnant.geometry, frame, drawn.offset_m), remnant.area_m2)


def _path(geometry: BaseGeometry, frame: Grid, offset_m: tuple[float, float] = (0.0, 0.0)) -> str:
    """SVG path of a WGS 84 area in the frame's pixels, for ground that was seen `offset_m` right of and below it."""
    assert frame.crs is not None
    to_pixels = ~frame.transform
    local = reproject(geometry, WGS84, frame.crs)
    coefficients = (to_pixels.a, to_pixels.b, to_pixels.d, to_pixels.e, to_pixels.c, to_pixels.f)
    in_pixels = affine_transform(local, coefficients)
    metre = frame.ground_pixel_m()
    placed = translate(in_pixels, -offset_m[0] / metre, -offset_m[1] / metre).simplify(SIMPLIFY_PX)
    polygons = [
        part for part in getattr(placed, "geoms", [placed]) if part.geom_type == "Polygon" and not part.is_empty
    ]
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    return "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y, *_ in ring.coords[:-1]) + "Z" for ring in rings)


def _scale_bar(frame: Grid) -> tuple[int, float]:
    """Length of the scale bar in metres and in pixels."""
    metre = frame.ground_pixel_m()
    fitting = [length for length in SCALE_BARS_M if length / metre <= frame.width / 4]
    length = fitting[-1] if fitting else SCALE_BARS_M[0]
    return length, length / metre


__all__ = ["CHIP_PX", "ChipCutter", "LeftOver", "Outline", "Picture", "frame_of"]
