"""The files that `cvpipe detect` leaves: rasters, polygons, summary; in a folder that appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
import rasterio.shutil
import shapely
from rasterio.errors import RasterioError

from cvpipe.detect.maps import NO_DATA
from cvpipe.detect.overviews import add_overviews
from cvpipe.domain import SURFACE_COLOURS, SURFACES, Change, ChangeKind
from cvpipe.folders import OutputFolder, cannot_write
from cvpipe.geo import Grid, array_of
from cvpipe.imagery.opening import plain_pictures_welcome

CHANGES_TIF = "changes.tif"
SURFACE_BEFORE_TIF = "surface_before.tif"
SURFACE_AFTER_TIF = "surface_after.tif"
CHANGES_GEOJSON = "changes.geojson"
PREVIEW_PNG = "preview.png"
SUMMARY_JSON = "summary.json"
ITEM_JSON = "item.json"

#: What an output folder is.
OUTPUTS = OutputFolder(
    what="output of detect",
    names=frozenset(
        {
            CHANGES_TIF,
            SURFACE_BEFORE_TIF,
            SURFACE_AFTER_TIF,
            CHANGES_GEOJSON,
            PREVIEW_PNG,
            SUMMARY_JSON,
            ITEM_JSON,
        }
    ),
    proof=SUMMARY_JSON,
)

#: What the coordinates in the outputs are, with and without georeference.
GROUND_COORDINATES = "rasters in grid.crs, GeoJSON in WGS 84"
PIXEL_COORDINATES = "pixel of BEFORE, x right, y down"

#: How a raster is laid out while it is written, window by window: packed in a tenth of deflate's time.
_LAYOUT: dict[str, Any] = {
    "driver": "GTiff",
    "dtype": "uint8",
    "nodata": NO_DATA,
    "tiled": True,
    "blockxsize": 256,
    "blockysize": 256,
    "interleave": "band",
    "compress": "zstd",
    "zstd_level": 1,
    "num_threads": "all_cpus",
    "bigtiff": "if_safer",
}

#: How rasters are handed out, for every GDAL. Predictors gain nothing on codes; the next level would take twice as long
#: for a tenth of the size.
_COG: dict[str, Any] = {
    "compress": "deflate",
    "level": 5,
    "blocksize": 256,
    "num_threads": "all_cpus",
    "bigtiff": "if_safer",
}

#: Decimals of longitude and latitude: 1 cm on the ground, as RFC 7946 (11.2) advises not to claim more than is known.
_DEGREE_DECIMALS = 7
_PIXEL_DECIMALS = 2


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside `out` that becomes `out` at the end (`folders.OutputFolder.staged`)."""
    with OUTPUTS.staged(out) as stage:
        try:
            yield stage
        except RasterioError as error:  # a full disk is none of Python's own errors there
            raise cannot_write(OUTPUTS.what, out, error) from error


def write_cog(source: Path, target: Path) -> None:
    """Write a finished raster as a cloud-optimised GeoTIFF: its overviews show each place by its most frequent code.

    Codes have no mean. What is in `source` stays: names, colour table, no-data value. Its overviews are made beside it.
    """
    with plain_pictures_welcome():
        add_overviews(source, _new_overview, NO_DATA)
        rasterio.shutil.copy(source, target, driver="COG", **_COG)


@contextmanager
def new_raster(path: Path, grid: Grid) -> Iterator[rasterio.io.DatasetWriter]:
    """Open a uint8 GeoTIFF on `grid` for writing: tiled, 255 = no data.

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
    with plain_pictures_welcome():
        dataset = rasterio.open(path, "w", **profile)
    with dataset:
        if is_surface:
            _name_surfaces(dataset, path.stem)
        else:
            _name_changes(dataset)
        yield dataset


def _new_overview(path: Path, bands: int, width: int, height: int) -> rasterio.io.DatasetWriter:
    profile = _LAYOUT | {"count": bands, "width": width, "height": height}
    return rasterio.open(path, "w", **profile, photometric="minisblack", alpha="no")


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
    outlines = shapely.transform(array_of(change.geometry for change in changes), lambda xy: xy.round(decimals))
    features = ",\n".join(map(_feature, changes, shapely.to_geojson(outlines)))
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


def _feature(change: Change, geometry: str) -> str:
    told = {
        "kind": change.kind.value,
        "area_m2": round(change.area_m2, 2),
        "probability": round(change.probability, 3),
    }
    return f'{{"type": "Feature", "properties": {json.dumps(told)}, "geometry": {geometry}}}'
