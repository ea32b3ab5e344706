"""Opening rasters: the one place for GDAL's settings, and for what can be wrong before any pixel is read."""

from __future__ import annotations

import logging
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyproj
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, Grid, outline_in

#: Settings of GDAL for every read. Remote reads (`/vsicurl`, `/vsis3`) will add theirs here.
GDAL_SETTINGS: dict[str, str | int] = {
    "GDAL_NUM_THREADS": "ALL_CPUS",  # tiles of one request are decompressed in parallel: 1.6–2.3x on two cores
    "GDAL_CACHEMAX": 256
    * 2**20,  # bytes of decoded tiles for the whole process; the default, 5 % of memory, is far more
    "GDAL_MAX_DATASET_POOL_SIZE": 64,  # sources that one VRT may hold open
    "GTIFF_POINT_GEO_IGNORE": "NO",  # "pixel is point" rasters are moved by half a pixel, as the standard says
}

#: Ground sizes in metres that a pixel of an aerial or satellite picture can have; anything else is a broken transform.
#: The finest drone mosaics reach 5 mm, the coarsest sensor that shows land cover (MODIS) 1 km.
GROUND_PIXEL_RANGE_M = (0.004, 1100.0)

# Python keeps one list of warning filters per process: two threads that change it at once would restore it wrongly.
_WARNING_FILTERS = threading.Lock()

# Rasterio logs what GDAL complains of before it raises the same as an exception; ours carries the text.
logging.getLogger("rasterio._err").setLevel(logging.CRITICAL)


def gdal_environment() -> rasterio.Env:
    """Context in which rasters are opened and read."""
    return rasterio.Env(**GDAL_SETTINGS)


def open_raster(path: Path | str) -> rasterio.DatasetReader:
    """Open a raster for reading.

    Raises SceneError where the file is missing, empty, no raster, or of a pixel type that is no picture.
    """
    _refuse_missing(path)
    try:
        with gdal_environment(), _WARNING_FILTERS, warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = rasterio.open(path)
    except (RasterioError, OSError) as error:
        raise SceneError(
            f"no raster that GDAL can read ({error})", where=path, remedy="Check that the file is a whole picture."
        ) from error
    if dataset.count == 0 or any("complex" in dtype for dtype in dataset.dtypes):
        dataset.close()
        raise SceneError(
            "its pixels are no picture (complex numbers or no bands)", where=path, remedy="Export real-valued bands."
        )
    return dataset


@contextmanager
def reading_from(path: Path | str) -> Iterator[None]:
    """Turn what GDAL says while pixels of `path` are read into a SceneError."""
    try:
        with gdal_environment():
            yield
    except (RasterioError, OSError) as error:
        cause = error.__cause__ or error
        raise SceneError(
            f"its pixels cannot be read ({cause})", where=path, remedy="The file is damaged or cut off: copy it anew."
        ) from error


def is_georeferenced(dataset: rasterio.DatasetReader) -> bool:
    """Whether the raster has a CRS and a transform of its own; control points or a world file alone do not count."""
    return dataset.crs is not None and not dataset.transform.is_identity


def georeferenced_grid(dataset: rasterio.DatasetReader) -> Grid:
    """The raster's grid on the ground.

    Raises SceneError where it has no CRS, no transform, or one that cannot be true.
    """
    if dataset.crs is None:
        remedy = "Assign one (gdal_edit.py -a_srs EPSG:…), or give --gsd METRES for a plain picture."
        raise SceneError("has no georeference (no CRS)", where=dataset.name, remedy=remedy)
    if dataset.transform.is_identity:
        known = "ground control points only" if dataset.gcps[0] else "no transform"
        raise SceneError(f"has no georeference ({known})", where=dataset.name, remedy="Rectify it with gdalwarp first.")
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
    code = crs.to_epsg(min_confidence=70)
    if code is None:
        return crs
    entry = pyproj.CRS.from_epsg(code)
    return entry if entry.equals(crs, ignore_axis_order=True) else crs


def _refuse_missing(path: Path | str) -> None:
    local = Path(path)
    try:
        if not local.exists():
            raise SceneError("no such file", where=path, remedy="Check the path.")
        if not local.is_file():
            raise SceneError("is a folder, not a raster", where=path, remedy="Give the raster file itself.")
        if local.stat().st_size == 0:
            raise SceneError("is empty (zero bytes)", where=path, remedy="Copy the file anew.")
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
