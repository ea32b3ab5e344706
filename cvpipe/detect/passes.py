"""The passes over a scene, file to file: predict, decide, trace, deliver. None holds the scene in memory.

All but `deliver` work in one folder, on rasters that lie on the pair's common grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
import rasterio.windows
from affine import Affine

from cvpipe.detect import outputs
from cvpipe.detect.alignment import AlignedPair
from cvpipe.detect.maps import NO_DATA, cell_maps, decided, reach_px, strip_of
from cvpipe.detect.polygons import Traced, erase, placed, traced
from cvpipe.detect.prediction import Network, Pixels, Strip, cells, cut_off
from cvpipe.domain import Change, ChangeKind
from cvpipe.geo import Grid, Window, windows

#: Stored probabilities of the four kinds of change; only in the working folder.
PROBABILITY_TIF = "probability.tif"

#: Side in pixels of the squares in which a finished raster is worked through again: 4 Mpx, a few tens of MB.
PASS_PX = 2048


def predict(network: Network, pair: AlignedPair, work: Path, on_tile: Callable[[int, int], None] | None) -> None:
    """The pair's pixels → surfaces of both epochs and probabilities of change."""

    def read(window: Window) -> Strip:
        return strip_of(*pair.read(pair.grid.window(window)))

    with ExitStack() as stack:
        before, after, probability = (
            stack.enter_context(outputs.new_raster(work / name, pair.grid))
            for name in (outputs.SURFACE_BEFORE_TIF, outputs.SURFACE_AFTER_TIF, PROBABILITY_TIF)
        )
        for cell in cells(network, pair.grid.width, pair.grid.height, read, on_tile=on_tile):
            maps, place = cell_maps(cell), _place(cell.window)
            before.write(maps.surface_before, 1, window=place)
            after.write(maps.surface_after, 1, window=place)
            probability.write(maps.probability, window=place)


def decide(network: Network, grid: Grid, work: Path) -> tuple[dict[ChangeKind, float], float]:
    """Probabilities → changes; tells the area of each kind in m², and the share of pixels that could be assessed."""
    pixel_m2 = grid.pixel_area_m2()
    margin = reach_px(network, pixel_m2)
    counts, seen = dict.fromkeys(ChangeKind, 0), 0
    with (
        rasterio.open(work / PROBABILITY_TIF) as source,
        outputs.new_raster(work / outputs.CHANGES_TIF, grid) as target,
    ):
        for window in _squares(grid):
            around = _widened(window, margin, grid)
            inside = Window(window.col - around.col, window.row - around.row, window.width, window.height)
            for band, kind in enumerate(ChangeKind, start=1):
                probability = source.read(band, window=_place(around))
                change = decided(probability, kind, network, pixel_m2)[inside.slices]
                target.write(change, band, window=_place(window))
                counts[kind] += int(np.count_nonzero(change == 1))
            seen += int(np.count_nonzero(change != NO_DATA))
    return {kind: count * pixel_m2 for kind, count in counts.items()}, seen / (grid.width * grid.height)


def trace(network: Network, grid: Grid, work: Path) -> tuple[list[Change], dict[ChangeKind, float]]:
    """Changes → polygons of all kinds, largest first, and the area of each kind that was doubtful, m².

    What lies below the network's `min_probability` is taken out of the raster too.
    """
    found = _traced(grid, work)
    likely = {kind: [p for p in found[kind] if p.probability >= network.min_probability[kind]] for kind in ChangeKind}
    doubtful = {kind: [p for p in found[kind] if p.probability < network.min_probability[kind]] for kind in ChangeKind}
    if any(doubtful.values()):
        with rasterio.open(work / outputs.CHANGES_TIF, "r+") as raster:
            for band, patches in enumerate(doubtful.values(), start=1):
                erase(patches, raster, band)
    changes = [change for kind, patches in likely.items() for change in placed(patches, grid, kind)]
    areas = {kind: sum(patch.area_m2 for patch in patches) for kind, patches in doubtful.items()}
    return sorted(changes, key=lambda change: change.area_m2, reverse=True), areas


def _traced(grid: Grid, work: Path) -> dict[ChangeKind, list[Traced]]:
    with (  # GDAL traces line by line: threads would decompress whole rows of blocks for each
        rasterio.open(work / outputs.CHANGES_TIF, num_threads=1) as mask,
        rasterio.open(work / PROBABILITY_TIF, num_threads=1) as probability,
    ):

        def reader(band: int) -> Callable[[Window], Pixels]:
            return lambda window: probability.read(band, window=_place(window))

        return {
            kind: list(traced(rasterio.band(mask, band), reader(band), grid))
            for band, kind in enumerate(ChangeKind, start=1)
        }


def deliver(work: Path, stage: Path, pair: AlignedPair) -> None:
    """Write the finished rasters as COGs; those of plain pictures go onto BEFORE's own pixels first."""
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


def _widened(window: Window, margin: int, grid: Grid) -> Window:
    col, row = max(window.col - margin, 0), max(window.row - margin, 0)
    right, bottom = window.col + window.width + margin, window.row + window.height + margin
    return Window(col, row, min(right, grid.width) - col, min(bottom, grid.height) - row)


def _place(window: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(window.col, window.row, window.width, window.height)


__all__ = ["PROBABILITY_TIF", "decide", "deliver", "predict", "trace"]
