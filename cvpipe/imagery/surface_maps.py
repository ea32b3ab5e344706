"""What covered the ground around a site at both epochs of an assessment, as the network saw it, kept beside the ledger.

One small GeoTIFF for each assessment in a workspace's `runs/surfaces/`, named by the assessment's key: two bands of
surface codes (before, after) on the grid on which the pair was compared. The figures of an assessment stand in the
ledger; this is for people to look at, and may be removed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.warp import Resampling, reproject

from cvpipe.domain import Surface
from cvpipe.errors import SceneError
from cvpipe.folders import written_whole
from cvpipe.geo import Grid

Codes = NDArray[np.uint8]
Role = Literal["before", "after"]

#: Folder of the maps in a workspace's `runs/`.
SURFACES_NAME = "surfaces"

#: Bands by epoch.
_BANDS: dict[Role, int] = {"before": 1, "after": 2}

#: Keys of assessments are digests; another one names no file.
_KEY = re.compile(r"[\w-]{1,128}")

#: Long runs of few codes: deflate leaves some kilobytes of a site.
_LAYOUT: dict[str, Any] = {"driver": "GTiff", "count": 2, "dtype": "uint8", "nodata": int(Surface.NO_DATA),
                           "compress": "deflate", "zlevel": 6, "interleave": "band"}  # fmt: skip


def surface_path(runs: Path, key: str) -> Path | None:
    """Where the map of an assessment lies, whether it is there or not; None for a key that names no file."""
    return runs / SURFACES_NAME / f"{key}.tif" if _KEY.fullmatch(key) else None


def keep_surfaces(path: Path, before: Codes, after: Codes, grid: Grid) -> None:
    """Write the surface codes (H, W) of both epochs on `grid`; the file appears whole or not at all.

    Raises OSError where it cannot be written.
    """
    assert grid.crs is not None, "sites lie on georeferenced grids"
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {"width": grid.width, "height": grid.height, "transform": grid.transform, "crs": grid.crs.to_wkt()}
    try:
        with written_whole(path) as unfinished, rasterio.open(unfinished, "w", **_LAYOUT, **place) as file:
            for (role, band), codes in zip(_BANDS.items(), (before, after), strict=True):
                file.write(codes, band)
                file.set_band_description(band, role)
    except RasterioError as error:  # a full disk is none of Python's own errors there
        raise OSError(f"{path}: {error}") from error


def read_surfaces(path: Path, role: Role, grid: Grid) -> Codes:
    """Surface codes of one epoch on any `grid`, (H, W) uint8; 255 where nothing is known.

    Raises SceneError where the file is missing or damaged.
    """
    codes = np.full(grid.shape, int(Surface.NO_DATA), np.uint8)
    assert grid.crs is not None, "sites lie on georeferenced grids"
    try:
        with rasterio.open(path) as file:
            reproject(
                rasterio.band(file, _BANDS[role]),
                codes,
                dst_transform=grid.transform,
                dst_crs=grid.crs.to_wkt(),
                src_nodata=int(Surface.NO_DATA),
                dst_nodata=int(Surface.NO_DATA),
                resampling=Resampling.nearest,  # codes have no mean
            )
    except RasterioError as error:
        raise SceneError("the map of surfaces cannot be read", where=path, remedy="Run the site again.") from error
    return codes


__all__ = ["SURFACES_NAME", "keep_surfaces", "read_surfaces", "surface_path"]
