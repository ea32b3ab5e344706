"""A bucket whose server fails: asked again after a pause, and given up alone with a clear reason."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray

from cvpipe.errors import SceneError
from cvpipe.geo import Window
from cvpipe.imagery import SceneReader, content_hash, describe, remote
from cvpipe.ledger import Workspace
from tests.ledger.commands import run_command

from .conftest import WriteRaster
from .servers import PASSING_FAULTS, FileServer, faulty_proxy

boto3 = pytest.importorskip("boto3", reason="boto3 is not installed (pip install 'cvpipe[s3]')")

SIDE = 768
BIG = np.random.default_rng(6).integers(1, 255, (3, SIDE, SIDE), dtype=np.uint8)
ADDRESS = "s3://district/2023/a_20230510.tif"


@pytest.fixture
def proxy(bucket: Any, write_raster: WriteRaster, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A tiled scene in the bucket, read through a server that fails as it is told; pauses and limits are short."""
    monkeypatch.setattr(remote, "PAUSES_S", (0.05, 0.1))
    monkeypatch.setattr(remote, "TIMEOUT_S", 2.0)
    for name, value in {"GDAL_HTTP_RETRY_DELAY": 0.05, "GDAL_HTTP_LOW_SPEED_TIME": 1}.items():
        monkeypatch.setitem(remote.HTTP_SETTINGS, name, value)
    path = write_raster(BIG, tiled=True, blockxsize=256, blockysize=256, compress="deflate")
    bucket.upload_file(str(path), "district", "2023/a_20230510.tif")
    bucket.upload_file(str(path), "district", "2023/good_20230510.tif")
    where = urlsplit(bucket.meta.endpoint_url)
    assert where.hostname is not None
    assert where.port is not None
    with faulty_proxy(where.hostname, where.port) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.address)
        yield running


CORNER = Window(520, 520, 200, 200)
EXPECTED = np.moveaxis(BIG[:, 520:720, 520:720], 0, 2)


def read_corner() -> NDArray[np.uint8]:
    with SceneReader(ADDRESS) as reader:
        return reader.read(reader.grid.window(CORNER)).pixels


@pytest.mark.parametrize("name", PASSING_FAULTS)
def test_passing_faults_of_the_server_are_overcome(proxy: FileServer, name: str) -> None:
    PASSING_FAULTS[name](proxy)
    assert (read_corner() == EXPECTED).all()
    assert len([path for path, _ in proxy.requests if "a_2023" in path]) > 1


@pytest.mark.parametrize("name", ["500, then 200", "cut connections"])
def test_its_digest_is_that_of_the_file_whatever_happens_on_the_way(
    proxy: FileServer, tmp_path: Path, name: str
) -> None:
    PASSING_FAULTS[name](proxy)
    assert content_hash(ADDRESS) == content_hash(tmp_path / "scene_20230510.tif")


def test_faults_in_the_midst_of_reading_are_overcome(proxy: FileServer) -> None:
    with SceneReader(ADDRESS) as reader:
        proxy.faults.status["a_2023"] = [500, 502]
        proxy.faults.cut["a_2023"] = 1
        assert (reader.read(reader.grid.window(CORNER)).pixels == EXPECTED).all()


LASTING: dict[str, tuple[Callable[[FileServer], None], str]] = {
    "404": (lambda server: server.faults.always.update({"a_2023": 404}), r"cannot be reached \(HTTP 404"),
    "403": (lambda server: server.faults.always.update({"a_2023": 403}), r"cannot be reached \(HTTP 403"),
    "500": (lambda server: server.faults.always.update({"a_2023": 500}), r"cannot be reached \(HTTP 500"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LASTING)
def test_lasting_faults_cost_that_scene_alone(
    proxy: FileServer,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make, said = LASTING[name]
    monkeypatch.setitem(remote.HTTP_SETTINGS, "GDAL_HTTP_MAX_RETRY", 1)
    make(proxy)
    workspace = tmp_path / "campaign"
    Workspace.create(workspace)
    good = "s3://district/2023/good_20230510.tif"
    told = run_command(monkeypatch, capsys, "scenes", "add", ADDRESS, good, "--workspace", workspace)
    assert (told.code, "1 scenes added, 0 known already, 1 refused" in told.stdout) == (1, True)
    assert re.search(said, told.stderr)
    assert ADDRESS in told.stderr


@pytest.mark.slow
def test_a_server_that_stalls_is_given_up(proxy: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(remote.HTTP_SETTINGS, "GDAL_HTTP_MAX_RETRY", 0)
    monkeypatch.setattr(remote, "PAUSES_S", (0.05,))
    proxy.faults.always["a_2023"] = 200  # an answer without the file
    started = time.monotonic()
    with pytest.raises(SceneError, match=r"no raster that GDAL can read|cannot be reached|zero bytes"):
        describe(ADDRESS)
    proxy.faults.always.clear()
    proxy.faults.stall_s["a_2023"] = 3.0
    with pytest.raises(SceneError, match=r"cannot be reached|no raster that GDAL can read"):
        describe(ADDRESS)
    assert time.monotonic() - started < 60


@pytest.mark.usefixtures("proxy")
def test_one_client_serves_many_requests_and_changes_with_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(session: Any = boto3.Session) -> Any:
        made.append(1)
        return session()

    monkeypatch.setattr(boto3, "Session", counted)
    content_hash(ADDRESS)
    content_hash("s3://district/2023/good_20230510.tif")
    assert len(made) == 1
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    content_hash(ADDRESS)
    assert len(made) == 2
