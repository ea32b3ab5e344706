"""The near infrared band is found, and read in step with red, on every way of reading."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from cvpipe.errors import SceneError
from cvpipe.geo import Grid, Window
from cvpipe.imagery import SceneReader, describe
from cvpipe.imagery.reading import Patch
from cvpipe.imagery.stac import nir_band

from .conftest import WriteRaster

SIZE = 80


def bands(*levels: float, dtype: str = "uint8") -> NDArray[Any]:
    """Bands of one level each (bands, H, W)."""
    return np.stack([np.full((SIZE, SIZE), level, dtype) for level in levels])


def whole(path: Path, nir_band: int | None = None) -> Patch:
    with SceneReader(path, nir_band=nir_band) as reader:
        return reader.read(reader.grid)


def planes(patch: Patch) -> tuple[float, float]:
    """Near infrared and red in the middle of a patch."""
    assert patch.nir is not None
    assert patch.red is not None
    middle = patch.nir.shape[0] // 2, patch.nir.shape[1] // 2
    return float(patch.nir[middle]), float(patch.red[middle])


def marked(path: Path, meanings: list[ColorInterp] | None = None, descriptions: dict[int, str] | None = None) -> Path:
    with rasterio.open(path, "r+") as dataset:
        if meanings:
            dataset.colorinterp = meanings
        for band, text in (descriptions or {}).items():
            dataset.set_band_description(band, text)
    return path


def test_fourth_unmarked_band(write_raster: WriteRaster) -> None:
    path = write_raster(bands(10, 20, 30, 200), photometric="RGB", alpha="unspecified")
    assert planes(whole(path)) == (200, 10)


def test_band_marked_as_near_infrared(write_raster: WriteRaster) -> None:
    path = write_raster(bands(200, 30, 20, 10, dtype="uint16"))
    marked(path, [ColorInterp.nir, ColorInterp.blue, ColorInterp.green, ColorInterp.red])
    assert planes(whole(path)) == (200, 10)


@pytest.mark.parametrize("said", ["NIR", "near-infrared (842 nm)", "B08 Near Infrared", "近红外波段", "nir08"])
def test_band_described_as_near_infrared(write_raster: WriteRaster, said: str) -> None:
    path = write_raster(bands(10, 20, 30, 90, 200, dtype="uint16"))
    rgb = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    marked(path, [*rgb, ColorInterp.undefined, ColorInterp.undefined], {5: said, 4: "nirvana"})
    assert planes(whole(path)) == (200, 10)


def test_band_stated(write_raster: WriteRaster) -> None:
    path = write_raster(bands(10, 20, 30, 90, 200, dtype="uint16"))
    rgb = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    marked(path, [*rgb, ColorInterp.undefined, ColorInterp.undefined])
    assert whole(path).nir is None
    assert planes(whole(path, nir_band=5)) == (200, 10)
    for wrong in (0, 2, 6):
        with pytest.raises(SceneError, match=f"has no band {wrong} that could be near infrared"):
            SceneReader(path, nir_band=wrong)


def test_none_where_there_is_none(write_raster: WriteRaster) -> None:
    alpha = bands(10, 20, 30, 255)
    for path in (
        write_raster(bands(10, 20, 30), "rgb.tif"),
        write_raster(bands(90), "grey.tif"),
        write_raster(alpha, "alpha.tif", photometric="RGB", alpha="yes"),
        marked(write_raster(alpha, "other.tif", photometric="RGB", alpha="unspecified"), descriptions={4: "height"}),
    ):
        patch = whole(path)
        assert (patch.nir, patch.red) == (None, None)


def ground() -> NDArray[Any]:
    """Three even colour bands and a fourth that shows ground, its right third dark."""
    fourth = np.random.default_rng(1).integers(40, 220, (SIZE, SIZE), dtype=np.uint8)
    fourth[:, 50:] = 5
    return np.stack([*bands(10, 20, 30), fourth])


def test_fourth_band_marked_as_alpha_that_shows_ground(write_raster: WriteRaster) -> None:
    """Many programs mark any fourth band as alpha; taken for one, dark ground would count as not seen."""
    patch = whole(write_raster(ground(), photometric="RGB", alpha="yes"))
    assert patch.nir is not None
    assert np.array_equal(patch.nir, ground()[3].astype(np.float32))
    assert patch.valid.all()


@pytest.mark.parametrize("stated", [None, 4])
def test_soft_alpha_is_none_unless_it_is_stated(write_raster: WriteRaster, stated: int | None) -> None:
    """A mask with soft edges has many values; it stays one until somebody says otherwise."""
    fourth = np.full((SIZE, SIZE), 255, np.uint8)
    fourth[:, :20] = np.linspace(0, 250, 20).astype(np.uint8)
    path = write_raster(np.stack([*bands(10, 20, 30), fourth]), photometric="RGB", alpha="yes")
    patch = whole(path, nir_band=stated)
    assert (patch.nir is None, bool(patch.valid.all())) == ((True, False) if stated is None else (False, True))


def test_the_footprint_of_a_scene_whose_alpha_is_stated_to_be_near_infrared(write_raster: WriteRaster) -> None:
    """The dark two thirds are part of the scene, and stay so when it is opened again."""
    fourth = np.full((SIZE, SIZE), 255, np.uint8)
    fourth[:, :50] = 5
    path = write_raster(np.stack([*bands(10, 20, 30), fourth]), "a_20230510.tif", photometric="RGB", alpha="yes")
    half, whole_scene = describe(path), describe(path, nir_band=4)
    assert half.footprint.area == pytest.approx(whole_scene.footprint.area * 30 / SIZE, rel=0.1)
    assert whole_scene.stac is not None
    assert nir_band(whole_scene.stac) == 4
    with SceneReader.of(whole_scene) as reader:
        assert reader.read(reader.grid).valid.all()


def test_fourth_unmarked_band_that_is_a_mask(write_raster: WriteRaster) -> None:
    fourth = np.full((SIZE, SIZE), 255, np.uint8)
    fourth[:, :20] = 0
    values = np.stack([*bands(10, 20, 30), fourth])
    assert whole(write_raster(values, photometric="RGB", alpha="unspecified")).nir is None


@pytest.mark.parametrize("step", [Affine.identity(), Affine.scale(2), Affine.scale(0.5), Affine.translation(0.3, 0.6)])
def test_every_way_of_reading_keeps_it_in_step(write_raster: WriteRaster, step: Affine) -> None:
    """16 bit values as they are stored, beside a stretched picture; the left part is nodata."""
    ramp = np.broadcast_to(np.linspace(1000, 3000, SIZE), (SIZE, SIZE))
    values = np.stack([ramp, ramp, ramp, 2 * ramp + 100]).astype(np.uint16)
    values[:, :, :20] = 0
    with SceneReader(write_raster(values, nodata=0)) as reader:
        size = int(SIZE / step.a)
        patch = reader.read(Grid(reader.grid.crs, reader.grid.transform * step, size, size))
    assert patch.nir is not None
    assert patch.red is not None
    assert (patch.nir[~patch.valid] == 0).all()
    assert (patch.red[~patch.valid] == 0).all()
    inner = np.s_[8:-8, size // 2 : -8]
    assert np.abs(patch.nir[inner] - 2 * patch.red[inner] - 100).max() < 3
    assert patch.red[inner].min() > 1500


def test_scale_and_offset_of_the_raster_are_applied(write_raster: WriteRaster) -> None:
    path = write_raster(bands(3000, 20, 30, 6000, dtype="uint16"))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = [1e-4] * 4, [-0.1] * 4
    assert planes(whole(path)) == pytest.approx((0.5, 0.2), abs=1e-6)


def test_a_part_of_a_patch(write_raster: WriteRaster) -> None:
    values = np.random.default_rng(0).integers(1, 255, (4, SIZE, SIZE), dtype=np.uint8)
    path = write_raster(values, photometric="RGB", alpha="unspecified")
    with SceneReader(path) as reader:
        small = reader.grid.window(Window(5, 7, 20, 10))
        part, read = reader.read(reader.grid).part(small), reader.read(small)
    assert part.grid == small
    assert np.array_equal(part.pixels, read.pixels)
    assert part.nir is not None
    assert np.array_equal(part.nir, values[3, 7:17, 5:25].astype(np.float32))


def test_the_catalogue_keeps_which_band_it_is(write_raster: WriteRaster) -> None:
    """Found, stated, or told by the STAC item that the scene came with."""
    four = describe(write_raster(bands(10, 20, 30, 200), photometric="RGB", alpha="unspecified"))
    assert four.stac is not None
    assert nir_band(four.stac) == 4
    path = write_raster(bands(10, 20, 30, 90, 200, dtype="uint16"), "five_20230510.tif")
    marked(path, [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined, ColorInterp.undefined])
    stated, plain = describe(path, nir_band=5), describe(path)
    assert stated.stac is not None
    assert plain.stac is not None
    assert (nir_band(stated.stac), nir_band(plain.stac)) == (5, None)
    with SceneReader.of(stated) as reader:
        assert planes(reader.read(reader.grid)) == (200, 10)
    with SceneReader.of(plain) as reader:
        assert not reader.has_nir


@pytest.mark.parametrize("key", ["bands", "eo:bands"])
def test_a_stac_item_tells_which_band_it_is(write_raster: WriteRaster, key: str) -> None:
    path = write_raster(bands(10, 20, 30, 90, 200, dtype="uint16"))
    marked(path, [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined, ColorInterp.undefined])
    name = "eo:common_name" if key == "bands" else "common_name"
    names = [{name: colour} for colour in ("red", "green", "blue", "rededge", "nir")]
    item = pystac.Item("one", None, None, datetime(2023, 5, 10, tzinfo=UTC), {})
    item.add_asset("image", pystac.Asset(str(path), media_type="image/tiff", extra_fields={key: names}))
    scene = describe(path, date(2023, 5, 10), source=item)
    assert scene.stac is not None
    assert nir_band(scene.stac) == 5
