"""Each way in which a raster can be unusable has its own clear sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from cvpipe.errors import SceneError
from cvpipe.imagery.reading import SceneReader
from cvpipe.imagery.scenes import describe

from .conftest import WriteRaster

RGB = np.random.default_rng(0).integers(0, 255, (3, 200, 200), dtype=np.uint8)
Make = Callable[[Path, WriteRaster], Path]


def text_file(folder: Path, _: WriteRaster) -> Path:
    path = folder / "notes_20230510.tif"
    path.write_text("this is no picture")
    return path


def empty_file(folder: Path, _: WriteRaster) -> Path:
    path = folder / "empty_20230510.tif"
    path.touch()
    return path


def missing_file(folder: Path, _: WriteRaster) -> Path:
    return folder / "absent_20230510.tif"


def a_folder(folder: Path, _: WriteRaster) -> Path:
    return folder


def loop(folder: Path, _: WriteRaster) -> Path:
    path = folder / "loop_20230510.tif"
    path.symlink_to(path)
    return path


def cut_in_its_header(folder: Path, write: WriteRaster) -> Path:
    whole = write(RGB)
    path = folder / "cut_20230510.tif"
    path.write_bytes(whole.read_bytes()[:100])
    return path


def no_crs(_: Path, write: WriteRaster) -> Path:
    return write(RGB, crs=None)


def no_transform(_: Path, write: WriteRaster) -> Path:
    return write(RGB, transform=None)


def outside_the_earth(_: Path, write: WriteRaster) -> Path:
    return write(RGB, crs="EPSG:4326", transform=Affine(0.5, 0, 430000, 0, -0.5, 4417000))


def giant_pixels(_: Path, write: WriteRaster) -> Path:
    return write(RGB, transform=Affine(5000, 0, 430000, 0, -5000, 4417000))


def tiny_pixels(_: Path, write: WriteRaster) -> Path:
    return write(RGB, transform=Affine(1e-5, 0, 430000, 0, -1e-5, 4417000))


def flat_transform(_: Path, write: WriteRaster) -> Path:
    return write(RGB, transform=Affine(0.5, 0.5, 430000, 0.5, 0.5, 4417000))


def complex_numbers(_: Path, write: WriteRaster) -> Path:
    return write(RGB.astype(np.complex64))


def two_bands(_: Path, write: WriteRaster) -> Path:
    return write(RGB[:2])


BAD: tuple[tuple[Make, str], ...] = (
    (text_file, "no raster that GDAL can read"),
    (empty_file, "zero bytes"),
    (missing_file, "no such file"),
    (a_folder, "is a folder"),
    (loop, "no such file|cannot be reached"),
    (cut_in_its_header, "no raster that GDAL can read|has no georeference"),
    (no_crs, "no CRS"),
    (no_transform, "no transform"),
    (outside_the_earth, "outside the Earth"),
    (giant_pixels, "a pixel of 4990"),
    (tiny_pixels, "a pixel of 1.00034e-05 m"),
    (flat_transform, "absurd transform"),
    (complex_numbers, "complex numbers"),
    (two_bands, "neither grey nor red, green, blue"),
)


@pytest.mark.parametrize(("make", "sentence"), BAD, ids=[make.__name__ for make, _ in BAD])
@pytest.mark.parametrize("use", [describe, SceneReader])
def test_reason_is_told(
    tmp_path: Path, write_raster: WriteRaster, make: Make, sentence: str, use: Callable[[Path], object]
) -> None:
    path = make(tmp_path, write_raster)
    with pytest.raises(SceneError, match=sentence) as caught:
        use(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_pixels_are_told_when_read(tmp_path: Path, write_raster: WriteRaster) -> None:
    whole = write_raster(RGB, compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    path = tmp_path / "cut.tif"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with SceneReader(path) as reader, pytest.raises(SceneError, match="its pixels cannot be read"):
        reader.read(reader.grid)
