"""The passes over a scene, file to file: predict, draw, deliver. None holds the scene in memory.

All but `deliver` work in one folder, on rasters that lie on the pair's common grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
import rasterio.windows
from affine import Affine

from cvpipe.detect import outputs
from cvpipe.detect.alignment import AlignedPair
from cvpipe.detect.collecting import Collected
from cvpipe.detect.maps import NO_DATA, cell_maps, strip_of
from cvpipe.detect.polygons import Patches, placed
from cvpipe.detect.prediction import Network, Strip, cells, cut_off
from cvpipe.domain import Change, ChangeKind
from cvpipe.geo import Grid, Window, windows

#: Side in pixels of the squares in which a finished raster is worked through again: 4 Mpx, a few tens of MB.
PASS_PX = 2048

#: Rows of a raster that are drawn at once, whole rows of its blocks.
ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Found:
    """The changes of a scene, and the share of its pixels that could be assessed."""

    patches: dict[ChangeKind, Patches]
    valid_share: float

    def areas_m2(self, grid: Grid) -> dict[ChangeKind, float]:
        """Area of each kind."""
        return {kind: int(found.pixels.sum()) * grid.pixel_area_m2() for kind, found in self.patches.items()}

    def changes(self, grid: Grid) -> list[Change]:
        """Polygons of all kinds, largest first."""
        every = [change for kind, found in self.patches.items() for change in placed(found, grid, kind)]
        return sorted(every, key=lambda change: change.area_m2, reverse=True)


def predict(
    network: Network,
    pair: AlignedPair,
    work: Path | None = None,
    on_tile: Callable[[int, int], None] | None = None,
) -> Found:
    """The pair's pixels → the changes, and where there is a folder for them, surfaces of both epochs as rasters."""

    def read(window: Window) -> Strip:
        return strip_of(*pair.read(pair.grid.window(window)))

    grid = pair.grid
    collected = Collected(network, grid.pixel_area_m2())
    with ExitStack() as stack:
        names = (outputs.SURFACE_BEFORE_TIF, outputs.SURFACE_AFTER_TIF)
        rasters = [stack.enter_context(outputs.new_raster(work / name, grid)) for name in names] if work else []
        found = stack.enter_context(closing(cells(network, grid.width, grid.height, read, on_tile=on_tile)))
        for cell in found:
            maps = cell_maps(cell)
            for raster, surface in zip(rasters, (maps.surface_before, maps.surface_after), strict=False):
                raster.write(surface, 1, window=_place(cell.window))
            collected.add(maps.probability, cell.window)
    return Found(collected.patches(), collected.seen / (grid.width * grid.height))


def draw(found: Found, grid: Grid, work: Path) -> None:
    """The changes as a raster: 1, 0, and no data where one of the epochs could not be judged."""
    runs = {kind: patches.runs for kind, patches in found.patches.items()}
    with (
        rasterio.open(work / outputs.SURFACE_BEFORE_TIF) as before,
        rasterio.open(work / outputs.SURFACE_AFTER_TIF) as after,
        outputs.new_raster(work / outputs.CHANGES_TIF, grid) as target,
    ):
        for row in range(0, grid.height, ROWS_AT_ONCE):
            rows = min(ROWS_AT_ONCE, grid.height - row)
            place = rasterio.windows.Window(0, row, grid.width, rows)
            hidden = (before.read(1, window=place) == NO_DATA) | (after.read(1, window=place) == NO_DATA)
            blank = hidden.view(np.uint8) * np.uint8(NO_DATA)
            for band, kind in enumerate(ChangeKind, start=1):
                mask = blank.copy()
                runs[kind].within(row, row + rows).paint(mask, row)
                target.write(mask, band, window=place)


def deliver(work: Path, stage: Path, pair: AlignedPair) -> None:
    """Write the finished rasters as COGs; those of plain pictures go onto BEFORE's own pixels first.

    In whatever thread: it reads and writes files alone.
    """
    for name in (outputs.CHANGES_TIF, outputs.SURFACE_BEFORE_TIF, outputs.SURFACE_AFTER_TIF):
        source = work / name
        if pair.grid.crs is None:
            (work / "pixels").mkdir(exist_ok=True)
            source = work / "pixels" / name
            _onto_pixels(work / name, source, pair.before.grid)
        outputs.write_cog(source, stage / name)


def _onto_pixels(source_path: Path, target_path: Path, picture: Grid) -> None:
    """Write a raster of a plain pair on the pixels of a picture, in pixel coordinates.

    Each takes the nearest value, since codes have no mean. Grids of plain pictures start at one corner.
    """
    target_grid = replace(picture, transform=Affine.identity())
    with rasterio.open(source_path) as source, outputs.new_raster(target_path, target_grid) as target:
        step = picture.transform.a / source.transform.a
        for window in _squares(target_grid):
            cols = _nearest(window.col, window.width, step, source.width)
            rows = _nearest(window.row, window.height, step, source.height)
            part = Window(cols[0], rows[0], cols[-1] - cols[0] + 1, rows[-1] - rows[0] + 1)
            values = source.read(window=_place(part))
            target.write(values[:, rows - rows[0]][:, :, cols - cols[0]], window=_place(window))


def _nearest(first: int, count: int, step: float, length: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices of the source pixels under `count` target pixels' centres; `step` source pixels per target pixel."""
    centres = (first + np.arange(count) + 0.5) * step
    return np.clip(centres.astype(np.int64), 0, length - 1)


def _squares(grid: Grid) -> Iterator[Window]:
    return (cut_off(w, grid.width, grid.height) for w in windows(grid.width, grid.height, PASS_PX, 0))


def _place(window: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(window.col, window.row, window.width, window.height)


__all__ = ["Found", "deliver", "draw", "predict"]
