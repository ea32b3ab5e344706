"""The files that `cvpipe detect` leaves: rasters, polygons, summary; in a folder that appears whole or not at all."""

from __future__ import annotations

import json
import shutil
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import rasterio
import shapely
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from shapely.geometry import mapping

from cvpipe.detect.maps import NO_DATA
from cvpipe.domain import SURFACE_COLOURS, SURFACES, Change, ChangeKind
from cvpipe.errors import CvpipeError, UsageError
from cvpipe.geo import Grid

CHANGES_TIF = "changes.tif"
SURFACE_BEFORE_TIF = "surface_before.tif"
SURFACE_AFTER_TIF = "surface_after.tif"
CHANGES_GEOJSON = "changes.geojson"
PREVIEW_PNG = "preview.png"
SUMMARY_JSON = "summary.json"

#: Everything that an output folder holds. Viewers may have put their `.aux.xml` beside a raster.
OUTPUT_NAMES = frozenset(
    {CHANGES_TIF, SURFACE_BEFORE_TIF, SURFACE_AFTER_TIF, CHANGES_GEOJSON, PREVIEW_PNG, SUMMARY_JSON}
)

#: What the coordinates in the outputs are, with and without georeference.
GROUND_COORDINATES = "rasters in grid.crs, GeoJSON in WGS 84"
PIXEL_COORDINATES = "pixel of BEFORE, x right, y down"

#: How every raster is laid out.
_LAYOUT: dict[str, Any] = {
    "driver": "GTiff",
    "dtype": "uint8",
    "nodata": NO_DATA,
    "tiled": True,
    "blockxsize": 256,
    "blockysize": 256,
    "interleave": "band",
    "compress": "deflate",
    "num_threads": "all_cpus",
    "bigtiff": "if_safer",
}

#: Decimals of longitude and latitude: 1 cm on the ground, as RFC 7946 (11.2) advises not to claim more than is known.
_DEGREE_DECIMALS = 7
_PIXEL_DECIMALS = 2


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into; it becomes `out` at the end, and on any error nothing is left.

    An earlier output of ours is replaced. Raises UsageError where `out` holds anything else or cannot be made, and
    CvpipeError where the disk fails later on.
    """
    target = out.resolve()
    refuse_foreign(target)
    created = [parent for parent in target.parents if not parent.exists()]
    stage = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        _make(stage, out)
        yield stage
        _become(stage, target)
    except BaseException as error:
        shutil.rmtree(stage, ignore_errors=True)
        for parent in created:
            with suppress(OSError):  # somebody else may have put something there meanwhile
                parent.rmdir()
        if isinstance(error, OSError | RasterioError):
            remedy = "Check the space on that disk."
            raise CvpipeError(f"the outputs cannot be written ({error})", where=out, remedy=remedy) from error
        raise


def refuse_foreign(target: Path) -> None:
    """Raise UsageError where `target` exists and is neither an empty folder nor an earlier output of ours."""
    remedy = "Name a new folder for --out."
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError("is a file, not a folder", where=target, remedy=remedy)
    if target == Path.cwd():
        raise UsageError("is the current folder, which cannot be replaced", where=target, remedy=remedy)
    names = sorted(entry.name for entry in target.iterdir())
    foreign = [name for name in names if name.removesuffix(".aux.xml") not in OUTPUT_NAMES]
    if foreign or (names and SUMMARY_JSON not in names):
        found = f"is not empty and no earlier output of detect (it holds {(foreign or names)[0]})"
        raise UsageError(found, where=target, remedy=remedy)


def _make(stage: Path, out: Path) -> None:
    try:
        stage.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", where=out, remedy="Name another --out.") from error


def _become(stage: Path, target: Path) -> None:
    if not target.exists():
        stage.rename(target)
        return
    earlier = stage.with_name(stage.name + ".earlier")
    target.rename(earlier)
    try:
        stage.rename(target)
    except OSError:
        earlier.rename(target)
        raise
    shutil.rmtree(earlier)


@contextmanager
def new_raster(path: Path, grid: Grid) -> Iterator[rasterio.io.DatasetWriter]:
    """Open a uint8 GeoTIFF on `grid` for writing: tiled, deflate (every GDAL reads it), 255 = no data.

    Surface rasters have one band, the others one for each kind of change (which GDAL would take for red, green, blue
    and alpha, were it not told otherwise).
    """
    is_surface = path.name in (SURFACE_BEFORE_TIF, SURFACE_AFTER_TIF)
    bands = {"count": 1} if is_surface else {"count": len(ChangeKind), "photometric": "minisblack", "alpha": "no"}
    profile = _LAYOUT | bands | {"width": grid.width, "height": grid.height}
    if grid.crs is not None:
        profile["crs"] = rasterio.crs.CRS.from_wkt(grid.crs.to_wkt())
    if not grid.transform.is_identity:  # pixel coordinates are what a raster without transform has
        profile["transform"] = grid.transform
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset = rasterio.open(path, "w", **profile)
    with dataset:
        if is_surface:
            _name_surfaces(dataset, path.stem)
        else:
            _name_changes(dataset)
        yield dataset


def _name_changes(dataset: rasterio.io.DatasetWriter) -> None:
    """Give each band its kind of change as description."""
    for band, kind in enumerate(ChangeKind, start=1):
        dataset.set_band_description(band, kind.value)


def _name_surfaces(dataset: rasterio.io.DatasetWriter, description: str) -> None:
    """Give a surface raster its colour table and the names of its codes.

    GDAL keeps category names of a GeoTIFF only in an `.aux.xml` beside it, which is lost when the file is moved. So
    the names are band metadata inside the file: `CLASS_1=structure` and so on, shown by gdalinfo and any GIS.
    """
    dataset.set_band_description(1, description)
    dataset.write_colormap(1, {int(s): (*SURFACE_COLOURS[s], 255) for s in SURFACES})
    dataset.update_tags(1, **{f"CLASS_{int(s)}": s.name.lower() for s in SURFACES})


def write_geojson(path: Path, changes: Sequence[Change], grid: Grid) -> None:
    """Write a FeatureCollection (RFC 7946) in the order given, one feature a line.

    On a grid without CRS the geometries are pixels of BEFORE, and a member `cvpipe:coordinates` says so
    (RFC 7946, 7.1 keeps the plain word for geometries).
    """
    decimals = _PIXEL_DECIMALS if grid.crs is None else _DEGREE_DECIMALS
    head = {"type": "FeatureCollection"} | ({"cvpipe:coordinates": PIXEL_COORDINATES} if grid.crs is None else {})
    features = ",\n".join(json.dumps(_feature(change, decimals)) for change in changes)
    path.write_text(f'{json.dumps(head)[:-1]}, "features": [\n{features}\n]}}\n', encoding="utf-8")


def grid_dict(grid: Grid) -> dict[str, Any]:
    """A grid as the summary shows it; a plain picture has no transform, its coordinates are its pixels."""
    return {
        "crs": None if grid.crs is None else grid.crs.to_string(),
        "transform": None if grid.crs is None else [float(v) for v in tuple(grid.transform)[:6]],
        "width": grid.width,
        "height": grid.height,
        "pixel_m": round(grid.ground_pixel_m(), 4),
    }


def _feature(change: Change, decimals: int) -> dict[str, Any]:
    rounded = shapely.transform(change.geometry, lambda xy: xy.round(decimals))
    return {
        "type": "Feature",
        "properties": {
            "kind": change.kind.value,
            "area_m2": round(change.area_m2, 2),
            "probability": round(change.probability, 3),
        },
        "geometry": mapping(rounded),
    }
