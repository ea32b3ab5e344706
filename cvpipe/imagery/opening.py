"""Opening rasters: the one place for GDAL's settings, and for what can be wrong before any pixel is read."""

from __future__ import annotations

import html
import logging
import math
import os
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
from rasterio.enums import Interleaving
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, Grid, outline_in
from cvpipe.imagery import remote

#: Settings of GDAL for every read; those for remote reads stand in `remote`.
GDAL_SETTINGS: dict[str, str | int] = {
    "GDAL_NUM_THREADS": "ALL_CPUS",  # tiles of one request are decompressed in parallel: 1.6–2.3x on two cores
    # Bytes of decoded tiles for the whole process; the default, 5 % of memory, is far more.
    "GDAL_CACHEMAX": 256 * 2**20,
    "GDAL_MAX_DATASET_POOL_SIZE": 64,  # sources that one VRT may hold open
    "GTIFF_POINT_GEO_IGNORE": "NO",  # "pixel is point" rasters are moved by half a pixel, as the standard says
}

#: GDAL's drivers that a scene may need. The others are left out: some of them fetch from the network, or start at the
#: mere look of a text file, and none of them holds aerial pictures.
DRIVERS = ("GTiff", "VRT", "JP2OpenJPEG", "HFA", "PNG", "JPEG", "WEBP", "ENVI", "ERS", "PCIDSK", "NITF", "BMP")
#: Those for rasters behind an address. A VRT from elsewhere could name files of this machine, or any other address.
REMOTE_DRIVERS = tuple(driver for driver in DRIVERS if driver != "VRT")

#: Bytes that one block of a raster may take in memory: GDAL decodes whole blocks, and a file of some kilobytes can
#: hold one of many gigabytes. A strip of 100,000 RGB pixels of 16 bit and 512 lines takes 0.3 GB.
MAX_BLOCK_BYTES = 512 * 2**20

#: Pixels to a byte of the file above which a raster of more than a gigapixel holds nothing. DEFLATE makes at most 1032
#: bytes out of one, three bands a pixel; a blank JPEG or WebP tile takes some hundred pixels a byte.
HOLLOW_PIXELS, MAX_PIXELS_PER_BYTE = 1_000_000_000, 2_000

#: Characters of a VRT that are searched for its sources: some 100,000 of them.
_VRT_CHARACTERS = 64 * 2**20
_VRT_SOURCE = re.compile(r"<Source(?:Filename|Dataset)\b([^>]*)>([^<]*)</", re.IGNORECASE)  # as GDAL reads them
_VRT_SOURCE_TAG = re.compile(r"<Source(?:Filename|Dataset)\b", re.IGNORECASE)

#: Ground sizes in metres that a pixel of an aerial or satellite picture can have; anything else is a broken transform.
#: The finest drone mosaics reach 5 mm, the coarsest sensor that shows land cover (MODIS) 1 km.
GROUND_PIXEL_RANGE_M = (0.004, 1100.0)

#: VRTs within VRTs that are followed: a mosaic of mosaics of bands is three.
MOST_NESTED_VRTS = 8

# Python keeps one list of warning filters per process. Threads that open rasters at once share one change of it: the
# first makes it, the last takes it back, and none waits for another's server.
_WARNING_FILTERS = threading.Lock()


@dataclass
class _Muted:
    """How many threads are opening a raster, and what takes their change of the filters back."""

    count: int = 0
    filters: warnings.catch_warnings[None] | None = None


_muted = _Muted()

# Rasterio logs what GDAL complains of before it raises the same as an exception; ours carries the text.
logging.getLogger("rasterio._err").setLevel(logging.CRITICAL)


def gdal_environment() -> rasterio.Env:
    """Context in which rasters are opened and read."""
    return rasterio.Env(**_settings())


def _settings() -> dict[str, Any]:
    return {**GDAL_SETTINGS, **remote.HTTP_SETTINGS, **remote.endpoint_settings()}


def _is_set() -> bool:
    """Whether this thread is in that context already: to enter it takes as long as to read a small picture."""
    return bool(rasterio.env.hasenv() and _settings().items() <= rasterio.env.getenv().items())


def open_raster(path: Path | str) -> rasterio.DatasetReader:
    """Open a raster for reading: a file, or one at an `https://`, `http://` or `s3://` address.

    Raises SceneError where the file is missing, empty, no raster, of a pixel type that is no picture, or made to take
    more memory than there is.
    """
    dataset = _opened_remote(str(path)) if remote.is_remote(path) else _opened_local(path)
    try:
        _refuse_no_picture(dataset)
        _refuse_giant_blocks(dataset)
        if not remote.is_remote(path):
            _refuse_hollow(dataset, Path(path).stat().st_size)
    except SceneError:
        dataset.close()
        raise
    return dataset


@contextmanager
def reading_from(path: Path | str) -> Iterator[None]:
    """Turn what GDAL says while `path` is read, its pixels or its header, into a SceneError."""
    try:
        with nullcontext() if _is_set() else gdal_environment():
            yield
    except (*remote.GDAL_ERRORS, MemoryError) as error:
        cause = _one_line(error.__cause__ or error)
        remedy = "The file is damaged or cut off: copy it anew."
        if remote.is_remote(path):
            remedy = "Try again later, or copy the file here."
        raise SceneError(f"its pixels cannot be read ({cause})", where=remote.shown(path), remedy=remedy) from error


def _opened_local(path: Path | str) -> rasterio.DatasetReader:
    _refuse_missing(path)
    if _is_vrt(Path(path)):
        _refuse_lost_sources(_tidied(Path(path)), ())
    try:
        return _open_with_gdal(str(path))
    except remote.GDAL_ERRORS as error:
        raise SceneError(
            f"no raster that GDAL can read ({_one_line(error)})",
            where=path,
            remedy="Check that the file is a whole picture.",
        ) from error


def _opened_remote(address: str) -> rasterio.DatasetReader:
    def open_it() -> rasterio.DatasetReader:
        return _open_with_gdal(remote.gdal_path(address), REMOTE_DRIVERS, **remote.OPEN_SETTINGS)

    try:
        return remote.RemoteDataset(address, open_it, gdal_environment)
    except remote.GDAL_ERRORS as error:
        found, remedy = _remote_reason(address, error)
        raise SceneError(found, where=remote.shown(address), remedy=remedy) from error


def _remote_reason(address: str, error: Exception) -> tuple[str, str]:
    """What is amiss with a raster at an address, in the server's words where it is the server that refuses."""
    try:
        size = remote.RemoteFile(address).size
    except remote.RemoteFileError as answer:
        return f"cannot be reached ({answer})", "Check the address, the access rights and the network."
    if size == 0:
        return "is empty (zero bytes)", "Upload the file anew."
    return f"no raster that GDAL can read ({_one_line(error)})", "Check that the file is a whole picture."


def _open_with_gdal(name: str, drivers: Sequence[str] = DRIVERS, **settings: str) -> rasterio.DatasetReader:
    with gdal_environment(), rasterio.Env(**settings), plain_pictures_welcome():
        return DatasetReader(name, driver=list(drivers))  # rasterio.open takes one driver only


@contextmanager
def plain_pictures_welcome() -> Iterator[None]:
    """Without rasterio's warning of a missing georeference: that is judged here. For any number of threads."""
    _mute(+1)
    try:
        yield
    finally:
        _mute(-1)


def _mute(change: int) -> None:
    """Count who opens a raster, and change the filters with the first and the last."""
    with _WARNING_FILTERS:
        was, _muted.count = _muted.count, _muted.count + change
        if was == 0:
            _muted.filters = warnings.catch_warnings()
            _muted.filters.__enter__()
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
        elif _muted.count == 0 and _muted.filters is not None:
            _muted.filters.__exit__(None, None, None)


def _refuse_no_picture(dataset: rasterio.DatasetReader) -> None:
    if dataset.count == 0 or any("complex" in dtype for dtype in dataset.dtypes):
        raise SceneError(
            "its pixels are no picture (complex numbers or no bands)",
            where=dataset.name,
            remedy="Export real-valued bands.",
        )


def _refuse_giant_blocks(dataset: rasterio.DatasetReader) -> None:
    height, width = dataset.block_shapes[0]
    bands = dataset.count if dataset.interleaving is Interleaving.pixel else 1
    size = height * width * bands * np.dtype(dataset.dtypes[0]).itemsize
    if size > MAX_BLOCK_BYTES:
        raise SceneError(
            f"one of its blocks takes {size / 1e9:.1f} GB of memory ({width} x {height} px)",
            where=dataset.name,
            remedy="Write it in tiles (gdal_translate -of COG).",
        )


def _refuse_hollow(dataset: rasterio.DatasetReader, size: int) -> None:
    """Refuse a file too small for the pixels that it claims: it would be decoded for hours, to nothing."""
    pixels = dataset.width * dataset.height
    if dataset.driver != "VRT" and pixels > HOLLOW_PIXELS and pixels > MAX_PIXELS_PER_BYTE * size:
        raise SceneError(
            f"claims {pixels / 1e9:.1f} gigapixels in {size / 1e3:.0f} kB: there is nothing in it",
            where=dataset.name,
            remedy="Check how it was written.",
        )


def _is_vrt(path: Path) -> bool:
    """Whether GDAL will take a file for a VRT, whatever its ending."""
    return b"<VRTDataset" in _head(path)


def _head(path: Path) -> bytes:
    """The bytes by which GDAL knows a file's kind. A folder, which some formats are, has none."""
    try:
        if path.is_dir():
            return b""
        with path.open("rb") as file:
            return file.read(1024)
    except OSError as error:
        raise SceneError(f"cannot be read ({error.strerror})", where=path, remedy="Check its permissions.") from error


def _refuse_lost_sources(path: Path, within: tuple[Path, ...]) -> None:
    """Refuse a VRT whose sources are not there, or which would fetch them from the network; `within` lead to it."""
    where, whose = (within[0], f"its part {path.name} ") if within else (path, "")
    if path in within:
        raise SceneError("refers to itself", where=where, remedy="Write it with gdalbuildvrt.")
    if len(within) >= MOST_NESTED_VRTS:
        found = f"has more than {MOST_NESTED_VRTS} VRTs within one another"
        raise SceneError(found, where=where, remedy="Write it anew, from the rasters themselves.")
    for source, is_relative in _sources(path):
        file = path.parent / source if is_relative else Path(source)
        trouble = _trouble_with(source, file)
        if trouble is not None:
            raise SceneError(whose + trouble[0], where=where, remedy=trouble[1])
        if _is_vrt(file):
            _refuse_lost_sources(_tidied(file), (*within, path))


def _trouble_with(source: str, file: Path) -> tuple[str, str] | None:
    """What is wrong with a source by its name and its first bytes, and the remedy."""
    if "://" in source or source.startswith("/vsi"):
        remedy = "Copy the sources here, or add them by their own addresses."
        return f"points elsewhere, to {remote.shown(source)}", remedy
    if not _is_there(file):
        listed = source if len(source) < 300 else f"{source[:300]}…"
        return f"points to {listed}, which is not there", "Copy its sources too."
    if _head(file).lstrip().startswith(b"<") and not _is_vrt(file):  # some of GDAL's text formats name a server
        return f"points to {source}, which is no raster but a text", "Name the raster itself."
    return None


def _tidied(path: Path) -> Path:
    """Without `..` and the like, so that a file is known again; links are left, since sources go by their place."""
    return Path(os.path.normpath(path))


def _sources(path: Path) -> Iterator[tuple[str, bool]]:
    """Names of a VRT's sources, each with whether it is relative to the VRT."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_VRT_CHARACTERS)
    except OSError as error:
        raise SceneError(f"cannot be read ({error.strerror})", where=path, remedy="Check its permissions.") from error
    sources = _VRT_SOURCE.findall(text)
    if len(sources) < len(_VRT_SOURCE_TAG.findall(text)):  # CDATA or comments within
        raise SceneError("names sources that cannot be checked", where=path, remedy="Write it with gdalbuildvrt.")
    for attributes, written in sources:
        is_relative = re.search(r"relativeToVRT\s*=\s*[\"']1", attributes) is not None
        yield html.unescape(written.strip()), is_relative


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long for the file system, or a folder that may not be looked into
        return False


def _one_line(error: BaseException) -> str:
    return remote.without_keys(" ".join(str(error).split()))


def is_georeferenced(dataset: rasterio.DatasetReader) -> bool:
    """Whether the raster has a CRS and a transform of its own; control points or a world file alone do not count."""
    return dataset.crs is not None and not dataset.transform.is_identity


def georeferenced_grid(dataset: rasterio.DatasetReader) -> Grid:
    """The raster's grid on the ground.

    Raises SceneError where it has no CRS, no transform, or one that cannot be true.
    """
    if dataset.transform.is_identity and dataset.gcps[0]:
        found = "has no georeference (ground control points only)"
        raise SceneError(found, where=dataset.name, remedy="Rectify it with gdalwarp first.")
    if dataset.crs is None:
        remedy = "Assign one (gdal_edit.py -a_srs EPSG:…), or give --gsd METRES for a plain picture."
        raise SceneError("has no georeference (no CRS)", where=dataset.name, remedy=remedy)
    if dataset.transform.is_identity:
        remedy = "Give it one (gdal_edit.py -a_ullr …), or rectify it with gdalwarp."
        raise SceneError("has no georeference (no transform)", where=dataset.name, remedy=remedy)
    grid = Grid(horizontal_crs(dataset), dataset.transform, dataset.width, dataset.height)
    _refuse_absurd(grid, dataset.name)
    return grid


def horizontal_crs(dataset: rasterio.DatasetReader) -> pyproj.CRS:
    """The raster's CRS without heights; as its EPSG entry where it is the same, so that equal CRS compare equal."""
    try:
        crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt())
    except pyproj.exceptions.CRSError as error:
        raise SceneError(f"has a CRS that is not understood ({error})", where=dataset.name) from error
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if not (crs.is_projected or crs.is_geographic) or crs.geodetic_crs is None:
        raise SceneError(
            f"has a CRS that is not tied to the Earth's surface ({crs.name})",
            where=dataset.name,
            remedy="Assign the true one (gdal_edit.py -a_srs EPSG:…).",
        )
    code = crs.to_epsg(min_confidence=70)
    if code is None:
        return crs
    entry = pyproj.CRS.from_epsg(code)
    return entry if entry.equals(crs, ignore_axis_order=True) else crs


def _refuse_missing(path: Path | str) -> None:
    local = Path(path)
    try:
        if not local.exists():
            found = "is a link that leads nowhere" if local.is_symlink() else "no such file"
            raise SceneError(found, where=path, remedy="Check the path.")
        if not local.is_file():
            kind = "a folder" if local.is_dir() else "no plain file"
            raise SceneError(f"is {kind}, not a raster", where=path, remedy="Give the raster file itself.")
        if local.stat().st_size == 0:
            raise SceneError("is empty (zero bytes)", where=path, remedy="Copy the file anew.")
        if not os.access(local, os.R_OK):
            raise SceneError(
                "must not be read (no permission)", where=path, remedy="Give yourself the right to read it."
            )
    except OSError as error:
        raise SceneError(f"cannot be reached ({error.strerror})", where=path, remedy="Check the path.") from error


def _refuse_absurd(grid: Grid, where: str) -> None:
    """Refuse a transform that places the raster nowhere on Earth or gives its pixels an impossible size."""
    remedy = "Check the raster's CRS and transform (gdalinfo), then correct them (gdal_edit.py)."
    numbers = tuple(grid.transform)[:6]
    if not all(math.isfinite(v) for v in numbers) or grid.transform.determinant == 0:
        raise SceneError(f"has an absurd transform {numbers}", where=where, remedy=remedy)
    left, bottom, right, top = _degrees(grid)
    if not (-181 <= left <= right <= 361 and -90.001 <= bottom <= top <= 90.001):
        raise SceneError(f"has an absurd transform {numbers}: it lies outside the Earth", where=where, remedy=remedy)
    size = grid.ground_pixel_m()
    if not GROUND_PIXEL_RANGE_M[0] <= size <= GROUND_PIXEL_RANGE_M[1]:
        raise SceneError(f"has an absurd transform: a pixel of {size:g} m on the ground", where=where, remedy=remedy)


def _degrees(grid: Grid) -> tuple[float, float, float, float]:
    try:
        left, bottom, right, top = outline_in(grid, WGS84).bounds
    except pyproj.exceptions.ProjError:
        return math.nan, math.nan, math.nan, math.nan
    return left, bottom, right, top
