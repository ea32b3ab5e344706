"""Overviews of rasters of codes: each pixel shows the most frequent code of the four below it.

GDAL's own resampling by mode takes any number of pixels and ten times as long. Each level is a raster of its own beside
the last, `x.tif.ovr`, `x.tif.ovr.ovr` and so on, which GDAL takes for overviews of `x.tif`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.windows

Codes = npt.NDArray[np.uint8]
NewRaster = Callable[[Path, int, int, int], rasterio.io.DatasetWriter]
"""Opens a raster of so many bands, width and height for writing."""

#: A raster whose sides are no longer than this needs no overview.
SMALLEST_PX = 256

#: Rows of an overview that are made at once: whole rows of blocks of 256 px.
_ROWS = 256


def add_overviews(path: Path, new_raster: NewRaster, no_data: int) -> None:
    """Write the overviews of a raster beside it; `no_data` counts only where there is nothing else."""
    with rasterio.open(path) as source:
        longest = max(source.width, source.height)
        if longest <= SMALLEST_PX:
            return
        below = path.with_name(path.name + ".ovr")
        width, height = (-(-side // 2) for side in (source.width, source.height))
        with new_raster(below, source.count, width, height) as target:
            for row in range(0, height, _ROWS):
                rows = min(_ROWS, height - row)
                read = rasterio.windows.Window(0, 2 * row, source.width, min(2 * rows, source.height - 2 * row))
                for band in range(1, source.count + 1):
                    values = halved(source.read(band, window=read), no_data)
                    target.write(values, band, window=rasterio.windows.Window(0, row, width, rows))
    add_overviews(below, new_raster, no_data)


def halved(codes: Codes, no_data: int) -> Codes:
    """(H, W) → (H / 2, W / 2), rounded up; of equally frequent codes the first in reading order.

    At odd edges, the last row or column counts twice.
    """
    height, width = codes.shape
    if height % 2 or width % 2:
        codes = np.pad(codes, ((0, height % 2), (0, width % 2)), mode="edge")
    pairs = np.ascontiguousarray(codes).view("<u2")  # two neighbours as one number: an even split needs no strides
    upper, lower = pairs[::2], pairs[1::2]
    left = upper & 0xFF
    mixed = np.flatnonzero((upper != lower) | (upper >> 8 != left))  # few: edges
    found: Codes = left.astype(np.uint8)
    rows, columns = np.divmod(mixed, upper.shape[1])
    above, below = upper[rows, columns], lower[rows, columns]
    four = np.stack([above & 0xFF, above >> 8, below & 0xFF, below >> 8]).astype(np.uint8)
    found.reshape(-1)[mixed] = _most_frequent(four, no_data)
    return found


def _most_frequent(codes: Codes, no_data: int) -> Codes:
    """Of four codes (4, n) the most frequent one (n,)."""
    often = (codes[:, None] == codes[None]).sum(axis=0)
    often[codes == no_data] = 0
    return np.asarray(np.take_along_axis(codes, often.argmax(axis=0)[None], axis=0)[0])


__all__ = ["add_overviews", "halved"]
