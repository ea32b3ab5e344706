"""The same picture is read from every container and compression that offices send."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.drivers import raster_driver_extensions

from cvpipe.geo import Grid
from cvpipe.imagery.reading import SceneReader

from .conftest import WriteRaster

SIZE = 600

#: Driver, options, and by how many grey levels (RMS) a compression that loses something may differ, and its overviews:
#: those of JPEG and WebP are compressed once more, and those of JPEG 2000 are wavelet levels, which lie up to half a
#: coarse pixel off.
FORMATS: dict[str, tuple[str, dict[str, str], float, float]] = {
    "COG, JPEG": ("COG", {"compress": "jpeg", "quality": "90"}, 4.0, 6.0),
    "COG, WebP": ("COG", {"compress": "webp", "quality": "90"}, 4.0, 6.0),
    "COG, ZSTD": ("COG", {"compress": "zstd"}, 0.0, 1.0),
    "COG, DEFLATE": ("COG", {"compress": "deflate"}, 0.0, 1.0),
    "COG, LZW": ("COG", {"compress": "lzw"}, 0.0, 1.0),
    "BigTIFF": ("GTiff", {"bigtiff": "yes", "compress": "deflate"}, 0.0, 1.0),
    "TIFF in bands": ("GTiff", {"interleave": "band"}, 0.0, 1.0),
    "JPEG 2000": ("JP2OpenJPEG", {"quality": "100", "reversible": "yes"}, 0.0, 12.0),
    "ERDAS Imagine": ("HFA", {}, 0.0, 1.0),
}


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    """Soft spots, red, green and blue apart (3, H, W)."""
    noise = np.random.default_rng(3).normal(120, 300, (SIZE, SIZE, 3)).astype(np.float32)
    return np.moveaxis(np.clip(cv2.GaussianBlur(noise, (0, 0), 4), 1, 255).astype(np.uint8), 2, 0)


@pytest.mark.parametrize("name", FORMATS)
def test_pixels_come_back(write_raster: WriteRaster, picture: NDArray[np.uint8], tmp_path: Path, name: str) -> None:
    """Bit by bit where nothing is lost; the overviews, where there are some, show the same place."""
    driver, options, loss, coarse_loss = FORMATS[name]
    path = converted(write_raster(picture, photometric="RGB"), tmp_path / "converted", driver, options)
    with SceneReader(path) as reader:
        whole = reader.read(reader.grid)
        coarse = reader.read(Grid(reader.grid.crs, reader.grid.transform * Affine.scale(4), SIZE // 4, SIZE // 4))
    true = np.moveaxis(picture, 0, 2).astype(float)
    assert whole.valid.all()
    assert np.sqrt(np.mean((whole.pixels - true) ** 2)) <= loss
    means = cv2.resize(true, (SIZE // 4, SIZE // 4), interpolation=cv2.INTER_AREA)
    assert np.sqrt(np.mean((coarse.pixels - np.asarray(means)) ** 2)) <= coarse_loss


def test_16_bit_jpeg_2000_is_scaled(write_raster: WriteRaster, picture: NDArray[np.uint8], tmp_path: Path) -> None:
    deep = write_raster(picture.astype(np.uint16) * 40, photometric="RGB")
    path = converted(deep, tmp_path / "deep", "JP2OpenJPEG", {"quality": "100", "reversible": "yes"})
    with SceneReader(path) as reader:
        patch = reader.read(reader.grid)
    assert np.corrcoef(patch.pixels[:, :, 1].ravel(), picture[1].ravel())[0, 1] > 0.99
    assert (patch.pixels.min(), patch.pixels.max()) == (0, 255)


def test_the_mask_of_a_jpeg_cog_is_obeyed(
    write_raster: WriteRaster, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    """JPEG has no alpha: GDAL stores it as a mask beside the pixels."""
    alpha = np.full((1, SIZE, SIZE), 255, np.uint8)
    alpha[:, :, :200] = 0
    plain = write_raster(np.concatenate([picture, alpha]), photometric="RGB", alpha="yes")
    path = converted(plain, tmp_path / "masked", "COG", {"compress": "jpeg", "add_mask": "yes"})
    with SceneReader(path) as reader:
        patch = reader.read(reader.grid)
    assert not patch.valid[:, :199].any()
    assert patch.valid[:, 201:].all()


def converted(source: Path, target: Path, driver: str, options: dict[str, str]) -> Path:
    """The raster in another format; the test is left out where GDAL cannot write it."""
    if driver not in raster_driver_extensions().values() and driver != "COG":
        pytest.skip(f"this GDAL has no {driver}")
    suffix = {"JP2OpenJPEG": ".jp2", "HFA": ".img"}.get(driver, ".tif")
    path = target.with_suffix(suffix)
    try:
        rasterio.shutil.copy(source, path, driver=driver, **options)
    except rasterio.errors.RasterioError as error:
        pytest.skip(f"this GDAL cannot write it: {error}")
    return path
