"""Scenes in a bucket, read from an S3 server on loopback (moto)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvpipe.errors import SceneError
from cvpipe.imagery import SceneReader, describe, remote

from .conftest import WriteRaster

boto3 = pytest.importorskip("boto3", reason="boto3 is not installed (pip install 'cvpipe[s3]')")
moto_server = pytest.importorskip("moto.server", reason="moto is not installed")

RGB = np.random.default_rng(5).integers(1, 255, (3, 300, 300), dtype=np.uint8)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a server with the empty bucket `district`; the environment names the server and its keys."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_NO_SIGN_REQUEST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(remote, "PAUSES_S", (0.05,))
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="district")
    yield client
    server.stop()


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
