"""Rasters and documents of a drawn district on disk: written beside their place, then moved into it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.io import MemoryFile

from cvpipe.domain import SURFACE_COLOURS, Surface
from cvpipe.geo import Grid
from cvpipe.world.canvas import U8


def write_scene(path: Path, pixels: U8, grid: Grid, acquired: date, quality: int) -> None:
    """Write (H, W, 3) RGB as a cloud-optimised GeoTIFF with JPEG inside and the date in its tags."""
    tags = {"TIFFTAG_DATETIME": f"{acquired:%Y:%m:%d} 03:00:00"}
    options = {"compress": "JPEG", "quality": quality, "overview_resampling": "AVERAGE"}
    _write_cog(path, np.moveaxis(pixels, -1, 0), grid, tags, options, nodata=None)


def write_surface(path: Path, surface: U8, grid: Grid) -> None:
    """Write (H, W) surface codes as a cloud-optimised GeoTIFF with colour table and class names."""
    tags = {f"CLASS_{int(s)}": s.name.lower() for s in Surface}
    options = {"compress": "DEFLATE", "level": 6, "overview_resampling": "MODE"}
    _write_cog(path, surface[None], grid, tags, options, nodata=int(Surface.NO_DATA))


def _write_cog(
    path: Path, bands: U8, grid: Grid, tags: dict[str, str], options: dict[str, Any], nodata: int | None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": "uint8", "nodata": nodata}
    place = {"crs": grid.crs, "transform": grid.transform}
    unfinished = path.with_name(f".{path.name}.part")
    with MemoryFile() as memory:
        colours = {"photometric": "RGB"} if count == 3 else {}
        with memory.open(**profile, **place, **colours) as plain:
            plain.write(bands)
            plain.update_tags(**tags)
            if count == 1:
                plain.write_colormap(1, {int(s): (*rgb, 255) for s, rgb in SURFACE_COLOURS.items()})
        with memory.open() as plain:
            rasterio.shutil.copy(plain, unfinished, driver="COG", num_threads="ALL_CPUS", **options)
    unfinished.replace(path)


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document, readable by people."""
    write_text(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def write_text(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Write text under a temporary name and move it into its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(text, encoding=encoding, newline="")
    unfinished.replace(path)
