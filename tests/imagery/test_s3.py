"""Scenes in a bucket, read from an S3 server on loopback (moto)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvpipe.errors import SceneError
from cvpipe.imagery import SceneReader, describe
from cvpipe.imagery.places import listed

from .conftest import WriteRaster

RGB = np.random.default_rng(5).integers(1, 255, (3, 300, 300), dtype=np.uint8)


def test_a_scene_in_a_bucket_is_the_file_that_was_put_there(bucket: Any, write_raster: WriteRaster) -> None:
    path = write_raster(RGB, tiled=True, blockxsize=64, blockysize=64)
    bucket.upload_file(str(path), "district", "2023/a_20230510.tif")
    address = "s3://district/2023/a_20230510.tif"
    scene, local = describe(address), describe(path)
    assert (scene.uri, scene.content_hash, scene.acquired) == (address, local.content_hash, local.acquired)
    with SceneReader(address) as reader:
        assert (reader.read(reader.grid).pixels == np.moveaxis(RGB, 0, 2)).all()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("address", ["s3://district/absent_20230510.tif", "s3://nowhere/a_20230510.tif"])
def test_what_is_not_in_the_bucket_is_told(address: str) -> None:
    with pytest.raises(SceneError, match=r"cannot be reached \(HTTP 404") as caught:
        describe(address)
    assert address in str(caught.value)


def test_what_is_no_raster_is_told(bucket: Any, tmp_path: Path) -> None:
    notes = tmp_path / "notes.tif"
    notes.write_text("no picture")
    bucket.upload_file(str(notes), "district", "notes_20230510.tif")
    with pytest.raises(SceneError, match="no raster that GDAL can read"):
        describe("s3://district/notes_20230510.tif")


def test_a_bucket_is_listed_with_stamps_that_follow_the_content(bucket: Any, write_raster: WriteRaster) -> None:
    path = write_raster(RGB)
    for key in ("new/a_20230510.tif", "new/deep/b_20230511.tif", "other/c_20230512.tif"):
        bucket.upload_file(str(path), "district", key)
    bucket.put_object(Bucket="district", Key="new/notes.txt", Body=b"no raster")
    first = listed("s3://district/new/")
    assert [found.address for found in first] == [
        f"s3://district/new/{n}" for n in ("a_20230510.tif", "deep/b_20230511.tif")
    ]
    assert all(found.is_whole for found in first)
    assert listed("s3://district/new/") == first
    bucket.put_object(Bucket="district", Key="new/a_20230510.tif", Body=path.read_bytes()[::-1])
    changed = listed("s3://district/new/")
    assert [one.stamp == other.stamp for one, other in zip(first, changed, strict=True)] == [False, True]


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_cannot_be_listed() -> None:
    with pytest.raises(SceneError, match="cannot be listed"):
        listed("s3://nowhere/new/")
