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


COG_TYPES = ["deflate", "zstd", "lzw"]


@pytest.mark.parametrize("compress", [*COG_TYPES, "webp"])
def test_the_alpha_of_a_cog_is_obeyed(
    write_raster: WriteRaster, picture: NDArray[np.uint8], tmp_path: Path, compress: str
) -> None:
    alpha = np.full((1, SIZE, SIZE), 255, np.uint8)
    alpha[:, 100:300] = 0
    plain = write_raster(np.concatenate([picture, alpha]), photometric="RGB", alpha="yes")
    path = converted(plain, tmp_path / "rgba", "COG", {"compress": compress})
    with SceneReader(path) as reader:
        patch = reader.read(reader.grid)
        coarse = reader.read(Grid(reader.grid.crs, reader.grid.transform * Affine.scale(4), SIZE // 4, SIZE // 4))
    assert np.array_equal(patch.valid, alpha[0] > 0)
    assert not coarse.valid[27:73].any()
    assert coarse.valid[78:].all()
    assert patch.nir is None


@pytest.mark.parametrize("compress", COG_TYPES)
def test_16_bit_with_near_infrared(
    write_raster: WriteRaster, picture: NDArray[np.uint8], tmp_path: Path, compress: str
) -> None:
    """Colours are stretched, near infrared and red stay as they are stored; nodata holds for all."""
    deep = np.concatenate([picture, picture[:1]]).astype(np.uint16) * 30
    deep[3] += 500
    deep[:, :50] = 0
    path = converted(write_raster(deep, nodata=0), tmp_path / "rgbn", "COG", {"compress": compress})
    with SceneReader(path) as reader:
        patch = reader.read(reader.grid)
        half = reader.read(Grid(reader.grid.crs, reader.grid.transform * Affine.scale(2), SIZE // 2, SIZE // 2))
    assert not patch.valid[:50].any()
    assert patch.valid[50:].all()
    assert (patch.pixels.min(), patch.pixels.max()) == (0, 255)
    assert patch.nir is not None
    assert patch.red is not None
    assert np.array_equal(patch.nir[50:], deep[3, 50:].astype(np.float32))
    assert np.array_equal(patch.nir[50:] - patch.red[50:], np.full((SIZE - 50, SIZE), 500, np.float32))
    assert half.nir is not None
    assert half.red is not None
    assert np.abs(half.nir[30:] - half.red[30:] - 500).max() <= 1.5  # overviews are whole numbers


def test_grey_with_alpha_of_16_bit(write_raster: WriteRaster, picture: NDArray[np.uint8]) -> None:
    alpha = np.full((SIZE, SIZE), 65535, np.uint16)
    alpha[:, 400:] = 20000  # less than half
    grey = np.stack([picture[0].astype(np.uint16) * 200, alpha])
    with SceneReader(write_raster(grey, photometric="MINISBLACK", alpha="yes")) as reader:
        patch = reader.read(reader.grid)
    assert np.array_equal(patch.valid, alpha > 32767)
    assert (patch.pixels[:, :, 0] == patch.pixels[:, :, 2]).all()


@pytest.mark.parametrize("inside", [True, False])
def test_a_mask_beside_or_inside_the_file(write_raster: WriteRaster, picture: NDArray[np.uint8], inside: bool) -> None:
    path = write_raster(picture, photometric="RGB")
    mask = np.full((SIZE, SIZE), 255, np.uint8)
    mask[200:260] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    assert path.with_suffix(".tif.msk").exists() is not inside
    with SceneReader(path) as reader:
        patch = reader.read(reader.grid)
        moved = reader.read(reader.grid.shifted(0.5, 0.5))
    assert np.array_equal(patch.valid, mask > 0)
    assert not moved.valid[200:259].any()
    assert moved.valid[264:-1, :-1].all()


def test_a_bigtiff_is_one(write_raster: WriteRaster, picture: NDArray[np.uint8]) -> None:
    path = write_raster(picture, bigtiff="yes", photometric="RGB")
    assert path.read_bytes()[:4] == b"II+\0"
    with SceneReader(path) as reader:
        assert np.array_equal(reader.read(reader.grid).pixels, np.moveaxis(picture, 0, 2))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "float32", "float64"])
def test_every_type_of_pixel_keeps_its_order(write_raster: WriteRaster, picture: NDArray[np.uint8], dtype: str) -> None:
    """The darkest and the lightest hundredth are black and white; between them nothing changes places."""
    with SceneReader(write_raster(picture.astype(dtype) * 3, photometric="RGB")) as reader:
        patch = reader.read(reader.grid)
    green = patch.pixels[:, :, 1].ravel()[np.argsort(picture[1].ravel(), kind="stable")].astype(int)
    assert (np.diff(green) >= 0).all()
    assert (green[0], green[-1]) == (0, 255)


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
