"""The fast way from grid to grid says what GDAL's warper says, and says it sooner.

"Within one grey level" is the root of the mean square over pixels and bands, a rim of 3 px left out. GDAL's cubic
kernel is widened, where the target is coarser, by the ratio of the sizes of the target and of the source's box around
it; for a turned target that box is too large, so that the ratio is told to GDAL (XSCALE, YSCALE).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyproj
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from cvpipe.geo import WGS84, Grid, transformer
from cvpipe.imagery import resampling, warping
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.imagery.sampling import sampling

from .conftest import BEIJING, BURGUNDY, JAVA, WriteRaster

SIZE = 400
GREY_LEVEL = 1.0

#: Pairs of CRS that scenes of one place come in.
WAYS = [
    ("EPSG:4547", "EPSG:32650", BEIJING),
    ("EPSG:32650", "EPSG:4547", BEIJING),
    ("EPSG:4490", "EPSG:32650", BEIJING),
    ("EPSG:4326", "EPSG:32650", BEIJING),
    ("EPSG:3857", "EPSG:32650", BEIJING),
    ("EPSG:32650", "EPSG:3857", BEIJING),
    ("EPSG:2154", "EPSG:32631", BURGUNDY),
    ("EPSG:32750", "EPSG:32650", JAVA),
]

#: Sizes of a target pixel as multiples of the source's: through all the ways of `sampling`.
SCALES = (0.7, 0.9, 1.0, 1.1, 1.25, 1.6, 1.99, 2.0, 2.5, 3.0, 4.0)

#: Real pictures with a georeference, a CRS to warp them to, and the grey levels by which they may be off, of which
#: rounding alone makes 0.35. Drones' and sharpened ones have no blur from pixel to pixel.
REAL = {
    "eval/fotbcd_public/geotiff/binary_train_13825_after.tif": ("EPSG:32631", 0.5),
    "eval/fotbcd_public/geotiff/binary_train_17870_after.tif": ("EPSG:3857", 0.45),
    "eval/fotbcd_public/geotiff/binary_train_4572_before.tif": ("EPSG:32631", 0.4),
    "georef/kampala/OAM-309606-261636-19.tif": ("EPSG:32636", 0.75),
    "georef/kampala/OAM-619213-523272-20.tif": ("EPSG:3857", 0.8),
    "georef/naip_nd/m_4709963_se_14_1_20150926.tif": ("EPSG:4326", 0.6),
    "georef/misc/riotiler_pix4d.tif": ("EPSG:32650", 0.65),
    "georef/misc/riotiler_colorado_hro_2014.tif": ("EPSG:3857", 0.65),
}


def roofs() -> NDArray[np.uint8]:
    """Roofs with edges as soft as a camera leaves them."""
    rng = np.random.default_rng(11)
    picture = np.full((SIZE, SIZE, 3), 100, np.uint8)
    for _ in range(60):
        box = cv2.boxPoints((rng.uniform(0, SIZE, 2).tolist(), rng.uniform(8, 40, 2).tolist(), rng.uniform(0, 90)))
        cv2.fillPoly(picture, [np.asarray(box, np.int32)], rng.uniform(30, 230, 3).tolist(), cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.uint8)


def placed(crs: str, lon_lat: tuple[float, float], pixel_m: float) -> Affine:
    """North-up pixels of about so many metres on the ground, in the units of the CRS."""
    local = pyproj.CRS(crs)
    x, y = transformer(WGS84, local).transform(*lon_lat)
    if local.is_geographic:
        return Affine(pixel_m / 85_400, 0, x, 0, -pixel_m / 111_000, y)
    return Affine(pixel_m, 0, x, 0, -pixel_m, y)


def difference(ours: Patch, theirs: NDArray[np.uint8]) -> float:
    """Root of the mean square of the difference in grey levels over the valid pixels, without the rim."""
    inner = np.s_[3:-3, 3:-3]
    off = ours.pixels[inner].astype(float) - theirs[inner]
    return float(np.sqrt(np.mean(off[ours.valid[inner]] ** 2)))


@pytest.mark.parametrize(("source", "target", "lon_lat"), WAYS)
def test_from_each_crs_to_another(
    write_raster: WriteRaster, source: str, target: str, lon_lat: tuple[float, float]
) -> None:
    path = write_raster(np.moveaxis(roofs(), 2, 0), crs=source, transform=placed(source, lon_lat, 0.5))
    for scale in (0.9, 1.0, 1.4):
        grid = inner_grid(path, target, scale)
        with SceneReader(path) as reader:
            ours = reader.read(grid)
        assert ours.valid.all()
        assert difference(ours, by_gdal(path, grid)) < GREY_LEVEL


@pytest.mark.parametrize("scale", SCALES)
def test_at_each_scale(write_raster: WriteRaster, scale: float) -> None:
    path = write_raster(np.moveaxis(roofs(), 2, 0), crs="EPSG:4547", transform=placed("EPSG:4547", BEIJING, 0.5))
    grid = inner_grid(path, "EPSG:32650", scale)
    with SceneReader(path) as reader:
        assert difference(reader.read(grid), by_gdal(path, grid)) < GREY_LEVEL


@pytest.mark.parametrize("degrees", [7, 30, 45, 90, 180])
@pytest.mark.parametrize("scale", [1.0, 1.4, 2.2])
def test_turned(write_raster: WriteRaster, degrees: float, scale: float) -> None:
    path = write_raster(np.moveaxis(roofs(), 2, 0), crs="EPSG:4547", transform=placed("EPSG:4547", BEIJING, 0.5))
    grid = inner_grid(path, "EPSG:32650", scale, degrees, share=0.5)
    with SceneReader(path) as reader:
        ours = reader.read(grid)
    assert ours.valid.all()
    assert difference(ours, by_gdal(path, grid, XSCALE=1 / scale, YSCALE=1 / scale)) < GREY_LEVEL


@pytest.mark.parametrize("name", REAL)
def test_real_pictures(shared_pictures: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "without_overviews.tif"
    rasterio.shutil.copy(shared_pictures.parent / name, path, driver="GTiff")
    (crs, limit), told = REAL[name], {}
    with SceneReader(path) as reader:
        for scale in SCALES:
            grid = inner_grid(path, crs, scale)
            ours = reader.read(grid)
            assert ours.valid.mean() > 0.5
            told[scale] = round(difference(ours, by_gdal(path, grid)), 2)
        turned = inner_grid(path, crs, 1.0, degrees=30, share=0.5)
        assert difference(reader.read(turned), by_gdal(path, turned, XSCALE=1, YSCALE=1)) < GREY_LEVEL
    assert max(told.values()) < limit, told


@pytest.mark.parametrize("shift", [(0.25, 0.25), (0.5, 0.5), (0.27, 0.4), (0.0, 0.75)])
@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0), (1.0, 0.01), (1.2, 0.01), (1.5, 0.01), (2.2, 0.01)])
def test_without_any_blur(write_raster: WriteRaster, shift: tuple[float, float], scale: float, degrees: float) -> None:
    """White noise, all of it in one place between the source's pixels: nothing is harder to interpolate."""
    noise = np.random.default_rng(5).normal(128, 30, (3, SIZE, SIZE))
    path = write_raster(
        noise.clip(0, 255).astype(np.uint8), crs="EPSG:32650", transform=placed("EPSG:32650", BEIJING, 0.5)
    )
    with SceneReader(path) as reader:
        place = reader.grid.transform * Affine.translation(20 + shift[0], 20 + shift[1]) * Affine.scale(scale)
        grid = Grid(reader.grid.crs, place * Affine.rotation(degrees), 250, 250)
        assert difference(reader.read(grid), by_gdal(path, grid, XSCALE=1 / scale, YSCALE=1 / scale)) < GREY_LEVEL


def test_squares_join_without_a_seam(write_raster: WriteRaster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target of many squares, smooth ones beside rough ones, is that of one square to within two grey levels."""
    rng = np.random.default_rng(3)
    picture = np.asarray(cv2.GaussianBlur(rng.normal(128, 400, (SIZE, SIZE, 3)), (0, 0), 6), float)
    picture[:, SIZE // 2 :] += rng.normal(0, 30, (SIZE, SIZE // 2, 3))
    pixels = picture.clip(0, 255).astype(np.uint8)
    path = write_raster(np.moveaxis(pixels, 2, 0), crs="EPSG:4547", transform=placed("EPSG:4547", BEIJING, 0.5))
    for scale, degrees in ((1.0, 0), (1.0, 40), (1.2, 0), (2.2, 20)):
        grid = inner_grid(path, "EPSG:32650", scale, degrees, share=0.5)
        with SceneReader(path) as reader:
            whole = reader.read(grid)
            monkeypatch.setattr(resampling, "SQUARE_PX", 37)
            parts = reader.read(grid)
            monkeypatch.undo()
        off = np.abs(whole.pixels.astype(int) - parts.pixels)
        assert (parts.valid == whole.valid).all()
        assert np.sqrt(np.mean(off**2.0)) < GREY_LEVEL
        smooth = off[:, : grid.width // 4] if degrees == 0 else off[:0]
        assert smooth.max(initial=0) <= 2


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.25, 2.0, 3.0])
@pytest.mark.usefixtures("one_thread")
def test_sooner_than_gdal(write_raster: WriteRaster, scale: float) -> None:
    """Three times and more on a quiet machine, as scripts/benchmark_reading.py tells; twice is asked for here."""
    town = np.tile(roofs(), (3, 3, 1))
    path = write_raster(np.moveaxis(town, 2, 0), crs="EPSG:4547", transform=placed("EPSG:4547", BEIJING, 0.5))
    grid = inner_grid(path, "EPSG:32650", scale)
    with SceneReader(path) as reader, rasterio.open(path) as dataset:
        tries = [(seconds(lambda: reader.read(grid)), seconds(lambda: warped_by_gdal(dataset, grid))) for _ in range(7)]
    ours, theirs = (min(times) for times in zip(*tries, strict=True))
    assert theirs > 2 * ours


@pytest.mark.parametrize("scale", [1.0, 1.03, 1.5, 1.99, 2.0, 3.7, 4.39, 4.4, 9.0, 40.0])
def test_a_slope_stays_where_it_is(scale: float) -> None:
    """Whatever the sampling, a plain slope keeps its height and its place (source pixels to a tenth of a step)."""
    axis = sampling(scale)
    length = 64 * axis.reduced
    slope = np.broadcast_to(np.arange(length, dtype=np.float32).reshape(-1, axis.reduced).mean(axis=1), (40, 64))
    columns, ends = np.linspace(20, 40, 57), np.array([0.0, 9.0])
    x, y = (warping.Coordinates(np.broadcast_to(line, (2, 57)), ends) for line in (columns, np.full(57, 20.0)))
    across = resampling.resample(np.repeat(slope[:, :, None], 2, axis=2), x, y, axis, axis)[4, :, 0]
    true = (columns + 0.5) * axis.reduced - 0.5
    assert np.abs(across - true).max() < 0.05 * axis.reduced


def test_overviews_are_read_where_they_are_fine_enough(tmp_path: Path) -> None:
    """An overview of its own colour tells which one was read: the coarsest that is no coarser than the target."""
    path = tmp_path / "levels.tif"
    profile = {"driver": "GTiff", "count": 3, "height": 512, "width": 512, "dtype": "uint8", "crs": "EPSG:4547"}
    place = placed("EPSG:4547", BEIJING, 0.5)
    with rasterio.open(path, "w", **profile, transform=place, tiled=True, blockxsize=128, blockysize=128) as out:
        out.write(np.full((3, 512, 512), 10, np.uint8))
        out.build_overviews([2, 4], Resampling.nearest)
    for level, colour in ((0, 20), (1, 40)):
        with rasterio.open(path, "r+", overview_level=level) as overview:
            overview.write(np.full((3, overview.height, overview.width), colour, np.uint8))
    with SceneReader(path) as reader:
        seen = {scale: reader.read(inner_grid(path, "EPSG:32650", scale)) for scale in (1.0, 1.9, 2.1, 3.8, 4.2, 9.0)}
    assert {scale: int(np.median(patch.pixels)) for scale, patch in seen.items()} == {
        1.0: 10,
        1.9: 10,
        2.1: 20,
        3.8: 20,
        4.2: 40,
        9.0: 40,
    }


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread in OpenCV, as in GDAL's warper."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def seconds(read: Callable[[], Any]) -> float:
    """CPU seconds."""
    started = time.process_time()
    read()
    return time.process_time() - started


def inner_grid(path: Path, target: str, scale: float, degrees: float = 0.0, share: float = 0.6) -> Grid:
    """A grid in another CRS well inside the raster; its pixels `scale` times as large on the ground."""
    crs = pyproj.CRS(target)
    with SceneReader(path) as reader:
        source = reader.grid
    assert source.crs is not None
    move = transformer(source.crs, crs).transform
    middle = source.width / 2, source.height / 2
    x, y = move(*(source.transform * middle))
    beside, below = (
        move(*(source.transform * (middle[0] + dx, middle[1] + dy))) for dx, dy in ((1.0, 0.0), (0.0, 1.0))
    )
    pixel = scale * np.sqrt(np.hypot(beside[0] - x, beside[1] - y) * np.hypot(below[0] - x, below[1] - y))
    side = round(share * min(source.shape) / scale)
    turned = Affine.translation(x, y) * Affine.rotation(degrees) * Affine.scale(pixel, -pixel)
    return Grid(crs, turned * Affine.translation(-side / 2, -side / 2), side, side)


def by_gdal(path: Path, grid: Grid, **options: Any) -> NDArray[np.uint8]:
    with rasterio.open(path) as dataset:
        return warped_by_gdal(dataset, grid, **options)


def warped_by_gdal(dataset: rasterio.DatasetReader, grid: Grid, **options: Any) -> NDArray[np.uint8]:
    """Red, green, blue (H, W, 3), with an alpha band on the way, which tells the validity as the reader does."""
    place: dict[str, Any] = {"crs": grid.crs, "transform": grid.transform, "width": grid.width, "height": grid.height}
    has_alpha = dataset.count == 4 and dataset.colorinterp[3].name == "alpha"
    with WarpedVRT(
        dataset, **place, resampling=Resampling.cubic, tolerance=0.01, add_alpha=not has_alpha, **options
    ) as vrt:
        return np.ascontiguousarray(np.moveaxis(vrt.read([1, 2, 3]), 0, 2))
