"""The facts of a scene for the catalogue: where, when, how fine, and a digest to know it again by."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import cv2
import numpy as np
import pyproj
import rasterio.windows
import shapely
from rasterio.features import shapes
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Scene
from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, Grid, outline_in, reproject
from cvpipe.imagery import opening, remote, stac
from cvpipe.imagery.bands import Bands
from cvpipe.imagery.reading import SceneReader

if TYPE_CHECKING:
    import pystac

#: A raster with a shorter side than this (pixels) is a remnant of some tiling.
LEAST_SIDE_PX = 8

#: Longer side in pixels of the overview that footprints are drawn from, and the size of a raster (pixels) that is
#: read through for want of overviews: 400 Mpx take some seconds.
FOOTPRINT_SIDE_PX = 512
QUICK_PIXELS = 400_000_000

#: Bytes of one hashed block, and the number of blocks of a large file: 16 MiB are read in a tenth of a second, also
#: through a network drive.
HASH_BLOCK_BYTES = 1 << 20
HASH_BLOCKS = 16

#: Years that a date in a file name can have: the first civil aerial surveys in colour, and a safe future.
NAMED_YEARS = (1935, 2099)

#: Tags in which drivers and suppliers give the day of acquisition. TIFFTAG_DATETIME is not among them: it tells when
#: the file was written, which for an archive can be years later.
ACQUISITION_TAGS = (
    "ACQUISITIONDATETIME",
    "ACQUISITION_DATETIME",
    "ACQUISITION_DATE",
    "ACQUISITIONDATE",
    "DATE_ACQUIRED",
    "SENSING_TIME",
    "EXIF_DateTimeOriginal",
)

_NAMED_DATE = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?=T\d|\D|$|\d{6}(?!\d))")


def describe(
    path: Path | str,
    acquired: date | None = None,
    *,
    source: pystac.Item | None = None,
    nir_band: int | None = None,
) -> Scene:
    """The catalogue's facts of a georeferenced raster at a path or an address.

    The date is `acquired` if given, else that of `source`, the STAC item it was found by, else that of an acquisition
    tag, else one in the file's name. Near infrared is `nir_band`, else the band that `source` calls so, else the one
    that `Bands` finds. A few blocks are read, so that a file that was cut off is noticed.

    Raises SceneError: missing, not a raster, no CRS or transform, an absurd transform, bands that are neither grey
    nor red, green, blue, pixels that cannot be read, or no date to be found.
    """
    with opening.open_raster(path) as dataset, opening.reading_from(path):
        grid = opening.georeferenced_grid(dataset)
        bands = Bands.of(dataset, nir_band or (stac.stated_nir_band(source, str(path)) if source else None))
        _refuse_specks(grid, path)
        stated = acquired or (stac.acquired(source) if source else None)
        day = stated or _acquired_from_tags(dataset) or acquired_from_name(_file_name(path))
        if day is None:
            raise SceneError(
                "no acquisition date in its tags or its name",
                where=remote.shown(path),
                remedy="Give --acquired YYYY-MM-DD.",
            )
        probe(dataset, path)
        assert grid.crs is not None
        facts = stac.RasterFacts.of(dataset, grid, _crs_text(grid.crs), bands)
        dtype = dataset.dtypes[bands.indexes[0] - 1]
        footprint = valid_footprint(path, grid, is_quick=_is_quick(dataset), nir_band=bands.nir)
    scene = Scene(
        uri=str(path) if remote.is_remote(path) else str(Path(path).resolve()),
        acquired=day,
        content_hash=content_hash(path),
        footprint=footprint,
        gsd_m=grid.ground_pixel_m(),
        crs=facts.crs,
        width=grid.width,
        height=grid.height,
        bands=len(facts.bands),
        dtype=dtype,
    )
    return replace(scene, stac=stac.item_of(scene, facts, source))


def _refuse_specks(grid: Grid, path: Path | str) -> None:
    if min(grid.shape) < LEAST_SIDE_PX:
        raise SceneError(
            f"is {grid.width} x {grid.height} pixels, too small to show a site",
            where=remote.shown(path),
            remedy="Add the whole scene.",
        )


def probe(dataset: rasterio.DatasetReader, path: Path | str) -> None:
    """Read the blocks in the corners and in the middle. Raises SceneError where one of them cannot be read."""
    height, width = dataset.block_shapes[0]
    rows, cols = math.ceil(dataset.height / height), math.ceil(dataset.width / width)
    ends = itertools.product((0, rows - 1), (0, cols - 1))
    with opening.reading_from(path):
        for row, col in sorted({*ends, (rows // 2, cols // 2)}):
            window = rasterio.windows.Window(col * width, row * height, width, height)
            whole = rasterio.windows.Window(0, 0, dataset.width, dataset.height)
            dataset.read(1, window=window.intersection(whole))


def valid_footprint(path: Path | str, grid: Grid, *, is_quick: bool, nir_band: int | None = None) -> BaseGeometry:
    """Outline (WGS 84) of the valid pixels, off by at most two pixels of an overview of 512, never inside of them.

    That of the whole raster where all pixels are valid, where none is, and where looking would not be quick.
    """
    whole = outline_in(grid, WGS84)
    if not is_quick:
        return whole
    with SceneReader(path, nir_band=nir_band) as reader:
        seen = reader.overview(FOOTPRINT_SIDE_PX)
    if seen.valid.all() or not seen.valid.any():
        return whole
    kernel = np.ones((3, 3), np.uint8)
    mask = np.asarray(cv2.dilate(seen.valid.astype(np.uint8), kernel), np.uint8)
    parts = [shape(part) for part, _ in shapes(mask, mask=mask > 0, transform=seen.grid.transform)]
    side = seen.grid.pixel_size
    outline = shapely.union_all(parts).buffer(side, join_style="mitre").simplify(side)
    assert grid.crs is not None
    return reproject(outline.intersection(grid.outline).segmentize(256 * grid.pixel_size), grid.crs, WGS84)


def content_hash(path: Path | str) -> str:
    """SHA-256 (hex) that names a file's content wherever it lies, on a disk or behind an address.

    Hashed are the size in bytes (decimal, then a line feed) and, of files up to 16 MiB, all bytes; of larger ones the
    first and the last MiB and fourteen more at equal distances between: a raster's header, tile index and samples
    of its pixels, at the same small cost for a file of any size. Two files that differ only between those blocks
    and agree in size get the same digest.
    """
    try:
        if remote.is_remote(path):
            file = remote.RemoteFile(path)
            return remote.patiently(path, lambda: _digest(file.size, file.read))
        with Path(path).open("rb") as local:
            return _digest(Path(path).stat().st_size, lambda start, length: _read_at(local, start, length))
    except OSError as error:
        raise SceneError(
            f"cannot be read ({error.strerror})", where=remote.shown(path), remedy="Check the path."
        ) from error


def _digest(size: int, read: Callable[[int, int], bytes]) -> str:
    digest = hashlib.sha256(f"{size}\n".encode())
    for start, length in _hashed_blocks(size):
        digest.update(read(start, length))
    return digest.hexdigest()


def _read_at(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _is_quick(dataset: rasterio.DatasetReader) -> bool:
    """Whether an overview of the raster costs seconds at most."""
    return bool(dataset.overviews(1)) or dataset.width * dataset.height <= QUICK_PIXELS


def _file_name(path: Path | str) -> str:
    return Path(remote.shown(path)).name


def acquired_from_name(name: str) -> date | None:
    """The first date in a file name: 20230510, 2023-05-10, 2023_05_10 or 2023.05.10, alone among digits or before a
    time of six; None where there is none, or none that the calendar knows."""
    return next(_dates(name), None)


def _acquired_from_tags(dataset: rasterio.DatasetReader) -> date | None:
    domains: tuple[str | None, ...] = (None, "IMAGERY", "IMD", "EXIF")
    for domain in domains:
        tags: Mapping[str, str] = dataset.tags(ns=domain)
        for name in ACQUISITION_TAGS:
            day = next(_dates(tags.get(name, "").replace(":", "-")), None)
            if day is not None:
                return day
    return None


def _dates(text: str) -> Iterator[date]:
    for match in _NAMED_DATE.finditer(text):
        year, month, day = (int(match[group]) for group in (1, 3, 4))
        if not NAMED_YEARS[0] <= year <= NAMED_YEARS[1]:
            continue
        try:
            yield date(year, month, day)
        except ValueError:
            continue


def _hashed_blocks(size: int) -> Iterator[tuple[int, int]]:
    """(start, length) of the blocks that `content_hash` reads."""
    if size <= HASH_BLOCKS * HASH_BLOCK_BYTES:
        yield 0, size
        return
    last = size - HASH_BLOCK_BYTES
    for block in range(HASH_BLOCKS):
        yield last * block // (HASH_BLOCKS - 1), HASH_BLOCK_BYTES


def _crs_text(crs: pyproj.CRS) -> str:
    """`EPSG:32650` where the CRS has a code, else its WKT."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code is not None else crs.to_wkt()
