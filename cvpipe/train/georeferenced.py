"""GeoTIFFs with outlines in vector files as material, cut into places: squares of the map that all rasters share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from cvpipe.detect.alignment import AlignedPair
from cvpipe.domain import ChangeKind, Surface
from cvpipe.errors import DatasetError
from cvpipe.geo import WGS84, Bounds, Grid, bounds_in, is_metric, metric_crs, outline_in
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.imagery.warping import same_crs
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.labelled import change_and_surfaces
from cvpipe.train.outlines import Outlines, burnt, read_outlines
from cvpipe.train.pictures import EpochPair, Item, Picture, Pixels
from cvpipe.train.settings import GeoSource, shared_path

#: A place of which less than this share is valid is left out.
LEAST_VALID = 0.2


def georeferenced(source: GeoSource) -> list[Item]:
    """The source's places, named `FOLDER/COLUMN-ROW` by their square of the map: rasters of one ground share a place.

    Rasters are read at their own pixel size, or at the finest that is asked for where they are finer. The later of two
    epochs is aligned first. Raises DatasetError and SceneError, which name the file.
    """
    folder = shared_path(source.folder)
    before = _files(folder, source.before)
    after = _files(folder, source.after) if source.after else [None] * len(before)
    if len(before) != len(after):
        raise DatasetError(
            f"{len(before)} earlier and {len(after)} later rasters",
            where=folder,
            remedy="Correct `before` and `after`.",
        )
    return [item for pair in zip(before, after, strict=True) for item in _places(source, folder, *pair)]


def _files(folder: Path, pattern: str) -> list[Path]:
    files = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if not files:
        raise DatasetError(f"no raster '{pattern}'", where=folder, remedy="Correct `folder` or the pattern.")
    return files


def _places(source: GeoSource, folder: Path, before: Path, after: Path | None) -> Iterator[Item]:
    outlines = read_outlines(
        folder / source.outlines.replace("{stem}", before.stem),
        source.meanings,
        layer=source.layer,
        attribute=source.attribute,
    )
    with ExitStack() as stack:
        earlier = stack.enter_context(SceneReader(before))
        gsd_m = max(_own_pixel_m(earlier), source.gsd_range_m[0])
        later = stack.enter_context(SceneReader(after)) if after else None
        pair = AlignedPair.of(earlier, later, gsd_m) if later else None
        for name, grid in _squares(pair.grid if pair else _grid(earlier, gsd_m), source.place_m):
            place, ground = f"{folder.name}/{name}", _ground(grid)
            if pair:
                patches = pair.read(grid)
                if all(_is_seen(patch) for patch in patches):
                    yield _epochs(patches, outlines, source, place, ground)
            elif _is_seen(patch := earlier.read(grid)):
                label = _surface(outlines, grid, source, patch)
                yield Picture(patch.pixels, label, grid.ground_pixel_m(), place, ground)


def _own_pixel_m(reader: SceneReader) -> float:
    """The pixel size that needs no resampling: in units of the raster's CRS where these are metres."""
    if reader.grid.crs is None:
        raise DatasetError("has no georeference", where=reader.path, remedy="Use `kind: folder` for plain pictures.")
    return reader.grid.pixel_size if is_metric(reader.grid.crs) else reader.grid.ground_pixel_m()


def _grid(reader: SceneReader, gsd_m: float) -> Grid:
    assert reader.grid.crs is not None, "refused by _own_pixel_m"
    crs = metric_crs(reader.grid.crs, reader.grid.bounds)
    if same_crs(crs, reader.grid.crs) and gsd_m == reader.grid.pixel_size:
        return reader.grid
    return Grid.from_bounds(crs, outline_in(reader.grid, crs).bounds, gsd_m)


def _squares(grid: Grid, side_m: float) -> Iterator[tuple[str, Grid]]:
    """The squares of the map, `side_m` wide, that a grid touches, cut off at its edge."""
    left, bottom, right, top = grid.bounds
    for row in range(math.floor(bottom / side_m), math.ceil(top / side_m)):
        for col in range(math.floor(left / side_m), math.ceil(right / side_m)):
            window = grid.window_of((col * side_m, row * side_m, (col + 1) * side_m, (row + 1) * side_m))
            if window.width and window.height:
                yield f"{col}-{row}", grid.window(window)


def _epochs(
    patches: tuple[Patch, Patch], outlines: Outlines, source: GeoSource, place: str, ground: Bounds
) -> EpochPair:
    grid = patches[0].grid
    seen = patches[0].valid & patches[1].valid
    masks = {kind: burnt(outlines.within(grid, kind), grid) for kind in ChangeKind if kind in source.meanings.values()}
    for mask in masks.values():
        mask[~seen | ((mask == 0) & (source.rest == "ignore"))] = IGNORE
    change, surfaces = change_and_surfaces(masks, grid.shape)
    pixels = (patches[0].pixels, patches[1].pixels)
    return EpochPair(pixels, (surfaces[0], surfaces[1]), change, grid.ground_pixel_m(), place, ground)


def _surface(outlines: Outlines, grid: Grid, source: GeoSource, patch: Patch) -> Pixels:
    """Later meanings lie on earlier ones."""
    codes = {"not_structure": NOT_STRUCTURE, "ignore": IGNORE}
    rest = codes[source.rest] if source.rest in codes else Surface[source.rest.upper()]
    surface = np.full(grid.shape, rest, np.uint8)
    for word in dict.fromkeys(source.meanings.values()):
        surface[burnt(outlines.within(grid, word), grid) == 1] = Surface[word.upper()]
    surface[~patch.valid] = IGNORE
    return surface


def _is_seen(patch: Patch) -> bool:
    return bool(patch.valid.mean() >= LEAST_VALID)


def _ground(grid: Grid) -> Bounds:
    assert grid.crs is not None, "places of the map have a CRS"
    return bounds_in(grid.bounds, grid.crs, WGS84)
