"""What the catalogue learns of a scene."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio

from cvpipe.errors import SceneError
from cvpipe.imagery.scenes import HASH_BLOCK_BYTES, HASH_BLOCKS, acquired_from_name, content_hash, describe

from .conftest import WriteRaster

RGB = np.zeros((3, 40, 60), np.uint8)


def test_facts(write_raster: WriteRaster) -> None:
    path = write_raster(RGB)
    scene = describe(path)
    assert scene.acquired == date(2023, 5, 10)
    assert (scene.crs, scene.width, scene.height, scene.bands, scene.dtype) == ("EPSG:32650", 60, 40, 3, "uint8")
    assert scene.gsd_m == pytest.approx(0.5, rel=1e-3)
    assert scene.footprint.centroid.coords[0] == pytest.approx((116.1810, 39.9007), abs=1e-3)
    assert scene.content_hash == content_hash(path)
    assert scene.uri == str(path.resolve())


def test_date_from_option_goes_before_tag_before_name(write_raster: WriteRaster) -> None:
    path = write_raster(RGB)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ACQUISITION_DATE="2021:02:03 10:11:12", TIFFTAG_DATETIME="2024:01:01 00:00:00")
    assert describe(path).acquired == date(2021, 2, 3)
    assert describe(path, date(2020, 1, 1)).acquired == date(2020, 1, 1)


def test_no_date_is_asked_for(write_raster: WriteRaster) -> None:
    with pytest.raises(SceneError, match=r"Give --acquired YYYY-MM-DD"):
        describe(write_raster(RGB, "undated.tif"))


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("ortho_20230510.tif", date(2023, 5, 10)),
        ("2023-05-10.tif", date(2023, 5, 10)),
        ("haidian_2023_05_10_rgb.tif", date(2023, 5, 10)),
        ("2023.05.10.tif", date(2023, 5, 10)),
        ("S2A_20230510T031231_T50TMK.tif", date(2023, 5, 10)),
        ("GF2_20230510031231.tif", date(2023, 5, 10)),
        ("m_4709963_se_14_1_20090818.tif", date(2009, 8, 18)),
        ("20231399_then_20230510.tif", date(2023, 5, 10)),
        ("tile_12345678.tif", None),
        ("120230510.tif", None),
        ("2023-0510.tif", None),
        ("scene.tif", None),
    ],
)
def test_date_in_a_name(name: str, day: date | None) -> None:
    assert acquired_from_name(name) == day


def test_hash_stays_when_the_file_moves(write_raster: WriteRaster, tmp_path: Path) -> None:
    path = write_raster(RGB)
    copy = tmp_path / "elsewhere.tif"
    shutil.copy(path, copy)
    assert content_hash(copy) == content_hash(path)


@pytest.mark.parametrize("position", [0, 12345, -1])
def test_hash_of_a_small_file_sees_every_byte(tmp_path: Path, position: int) -> None:
    data = bytearray(50_000)
    path = tmp_path / "file"
    path.write_bytes(data)
    before = content_hash(path)
    data[position] ^= 1
    path.write_bytes(data)
    assert content_hash(path) != before


def test_hash_of_a_large_file_sees_its_ends_and_its_size(tmp_path: Path) -> None:
    path = tmp_path / "large"
    size = (HASH_BLOCKS + 20) * HASH_BLOCK_BYTES
    digests = set()
    for change in (None, 0, size // 2, size - 1):
        with path.open("wb") as file:
            file.truncate(size)
            if change is not None:
                file.seek(change)
                file.write(b"x")
        digests.add(content_hash(path))
    with path.open("ab") as file:
        file.write(b"\0")
    digests.add(content_hash(path))
    assert len(digests) == 4 + (_is_hashed(size // 2, size))


def _is_hashed(position: int, size: int) -> bool:
    last = size - HASH_BLOCK_BYTES
    starts = [last * block // (HASH_BLOCKS - 1) for block in range(HASH_BLOCKS)]
    return any(start <= position < start + HASH_BLOCK_BYTES for start in starts)
