"""The facts of a scene for the catalogue: where, when, how fine, and a digest to know it again by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pyproj
import rasterio

from cvpipe.domain import Scene
from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, outline_in
from cvpipe.imagery import opening
from cvpipe.imagery.bands import Bands

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


def describe(path: Path | str, acquired: date | None = None) -> Scene:
    """The catalogue's facts of a georeferenced raster; its pixels are not read.

    The date is `acquired` if given, else that of an acquisition tag, else one in the file's name.

    Raises SceneError: missing, not a raster, no CRS or transform, an absurd transform, bands that are neither grey
    nor red, green, blue, or no date to be found.
    """
    with opening.open_raster(path) as dataset:
        grid = opening.georeferenced_grid(dataset)
        bands = Bands.of(dataset)
        day = acquired or _acquired_from_tags(dataset) or acquired_from_name(Path(path).name)
        if day is None:
            raise SceneError(
                "no acquisition date in its tags or its name", where=path, remedy="Give --acquired YYYY-MM-DD."
            )
        assert grid.crs is not None
        return Scene(
            uri=str(Path(path).resolve()),
            acquired=day,
            content_hash=content_hash(path),
            footprint=outline_in(grid, WGS84),
            gsd_m=grid.ground_pixel_m(),
            crs=_crs_text(grid.crs),
            width=grid.width,
            height=grid.height,
            bands=dataset.count,
            dtype=dataset.dtypes[bands.indexes[0] - 1],
        )


def content_hash(path: Path | str) -> str:
    """SHA-256 (hex) that names a file's content wherever it lies.

    Hashed are the size in bytes (decimal, then a line feed) and, of files up to 16 MiB, all bytes; of larger ones the
    first and the last MiB and fourteen more at equal distances between: a raster's header, tile index and samples
    of its pixels, at the same small cost for a file of any size. Two files that differ only between those blocks
    and agree in size get the same digest.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            size = Path(path).stat().st_size
            digest.update(f"{size}\n".encode())
            for start, length in _hashed_blocks(size):
                file.seek(start)
                digest.update(file.read(length))
    except OSError as error:
        raise SceneError(f"cannot be read ({error.strerror})", where=path, remedy="Check the path.") from error
    return digest.hexdigest()


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
