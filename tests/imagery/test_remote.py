"""Scenes behind addresses: read by ranges, again after faults, and given up alone with a clear reason."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from numpy.typing import NDArray

from cvpipe.errors import SceneError
from cvpipe.geo import Window
from cvpipe.imagery import SceneReader, content_hash, describe, remote
from cvpipe.ledger import Workspace
from tests.ledger.commands import Command, run_command

from .conftest import ORIGIN
from .servers import PASSING_FAULTS, FileServer, file_server

SIDE = 768
PIXELS = np.random.default_rng(3).integers(1, 255, (3, SIDE, SIDE), dtype=np.uint8)


def write_cog(path: Path) -> Path:
    """A raster of noise with overviews, its whole header in front, so large that no first request holds all of it."""
    profile = {"driver": "GTiff", "count": 3, "height": SIDE, "width": SIDE, "dtype": "uint8", "crs": "EPSG:32650"}
    plain = path.with_name("plain.tif")
    with rasterio.open(plain, "w", **profile, transform=ORIGIN, photometric="RGB") as out:
        out.write(PIXELS)
    rasterio.shutil.copy(plain, path, driver="COG", compress="deflate", blocksize=256, overview_resampling="average")
    plain.unlink()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    served = tmp_path / "served"
    served.mkdir()
    write_cog(served / "a_20230510.tif")
    return served


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """The folder behind an address; pauses and limits are short, so that the tests are."""
    monkeypatch.setattr(remote, "PAUSES_S", (0.05, 0.1))
    monkeypatch.setattr(remote, "TIMEOUT_S", 2.0)
    for name, value in {"GDAL_HTTP_RETRY_DELAY": 0.05, "GDAL_HTTP_LOW_SPEED_TIME": 1}.items():
        monkeypatch.setitem(remote.HTTP_SETTINGS, name, value)
    with file_server(folder) as running:
        yield running


CORNER = Window(520, 520, 200, 200)
EXPECTED = np.moveaxis(PIXELS[:, 520:720, 520:720], 0, 2)


def read_corner(address: str) -> NDArray[np.uint8]:
    with SceneReader(address) as reader:
        return reader.read(reader.grid.window(CORNER)).pixels


def test_an_address_is_described_as_the_file_is(server: FileServer, folder: Path) -> None:
    scene = describe(f"{server.address}/a_20230510.tif")
    local = describe(folder / "a_20230510.tif")
    assert scene == replace(local, uri=scene.uri)
    assert content_hash(scene.uri) == local.content_hash
    assert scene.stac is not None
    assert scene.stac["assets"]["image"]["href"] == scene.uri


def test_a_window_costs_its_tiles_and_not_the_file(server: FileServer, folder: Path) -> None:
    assert (read_corner(f"{server.address}/a_20230510.tif") == EXPECTED).all()
    spans = [asked.removeprefix("bytes=").split("-") for _, asked in server.requests if asked]
    got = sum(int(end) - int(start) + 1 for start, end in spans)
    assert spans, "ranges were asked for"
    assert got < 0.6 * (folder / "a_20230510.tif").stat().st_size


def test_overviews_are_found_and_read(server: FileServer, folder: Path) -> None:
    """The parts of a header at the end of a file, too."""
    with SceneReader(f"{server.address}/a_20230510.tif") as reader, SceneReader(folder / "a_20230510.tif") as local:
        server.requests.clear()
        coarse = reader.overview(SIDE // 4)
        assert (coarse.pixels == local.overview(SIDE // 4).pixels).all()
    got = sum(int(end) - int(start) + 1 for start, end in (r[6:].split("-") for _, r in server.requests if r))
    assert 0 < got < 0.3 * (folder / "a_20230510.tif").stat().st_size


def test_opening_from_a_slow_server_holds_no_one_up(server: FileServer, folder: Path) -> None:
    """While one thread waits for a server, others open and read files."""
    server.faults.delay_s = 1.0
    slow = threading.Thread(target=lambda: describe(f"{server.address}/a_20230510.tif"))
    slow.start()
    time.sleep(0.2)
    started = time.monotonic()
    with SceneReader(folder / "a_20230510.tif") as reader:
        reader.read(reader.grid.window(CORNER))
    assert time.monotonic() - started < 1.0
    assert slow.is_alive()
    server.faults.delay_s = 0.0
    slow.join()


@pytest.mark.parametrize("name", PASSING_FAULTS)
def test_passing_faults_are_overcome(server: FileServer, name: str) -> None:
    PASSING_FAULTS[name](server)
    assert (read_corner(f"{server.address}/a_20230510.tif") == EXPECTED).all()


def test_faults_in_the_midst_of_reading_are_overcome(server: FileServer) -> None:
    with SceneReader(f"{server.address}/a_20230510.tif") as reader:
        server.faults.status["a_2023"] = [500, 502]
        server.faults.cut["a_2023"] = 1
        assert (reader.read(reader.grid.window(CORNER)).pixels == EXPECTED).all()


LASTING: dict[str, tuple[Callable[[FileServer], None], str]] = {
    "404": (lambda server: server.faults.always.update({"a_2023": 404}), r"cannot be reached \(HTTP 404"),
    "403": (lambda server: server.faults.always.update({"a_2023": 403}), r"cannot be reached \(HTTP 403"),
    "500": (lambda server: server.faults.always.update({"a_2023": 500}), r"cannot be reached \(HTTP 500"),
    "stalls": (lambda server: server.faults.stall_s.update({"a_2023": 3.0}), r"cannot be reached \(no whole answer"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LASTING)
def test_lasting_faults_are_told(server: FileServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, said = LASTING[name]
    monkeypatch.setitem(remote.HTTP_SETTINGS, "GDAL_HTTP_MAX_RETRY", 1)
    make(server)
    with pytest.raises(SceneError, match=said) as caught:
        SceneReader(f"{server.address}/a_20230510.tif?token=secret")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_asked_for_once(server: FileServer) -> None:
    """No pauses where no waiting helps."""
    with pytest.raises(SceneError, match="HTTP 404"):
        describe(f"{server.address}/absent_20230510.tif")
    assert len(server.requests) <= 4


def test_a_server_that_dies_while_reading_costs_that_read(server: FileServer) -> None:
    with SceneReader(f"{server.address}/a_20230510.tif") as reader:
        server.faults.always["a_2023"] = 500
        with pytest.raises(SceneError, match="its pixels cannot be read"):
            reader.read(reader.grid.window(CORNER))


def test_what_a_server_sends_can_be_no_raster(server: FileServer, folder: Path) -> None:
    (folder / "page_20230510.tif").write_text("<html>please log in</html>")
    (folder / "empty_20230510.tif").touch()
    with pytest.raises(SceneError, match="no raster that GDAL can read") as caught:
        describe(f"{server.address}/page_20230510.tif?sig=secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(SceneError, match="zero bytes"):
        describe(f"{server.address}/empty_20230510.tif")


def test_no_one_there() -> None:
    started = time.monotonic()
    with pytest.raises(SceneError, match=r"cannot be reached \(no answer"):
        describe("http://127.0.0.1:9/a_20230510.tif")
    assert time.monotonic() - started < 30


@pytest.mark.slow
def test_add_and_check_by_address(
    server: FileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command: Command = lambda *words: run_command(monkeypatch, capsys, *words)  # noqa: E731
    workspace = tmp_path / "district"
    Workspace.create(workspace)
    good, absent = f"{server.address}/a_20230510.tif", f"{server.address}/b_20230510.tif"
    told = command("scenes", "add", good, absent, "--workspace", workspace)
    assert (told.code, "1 scenes added, 0 known already, 1 refused" in told.stdout) == (1, True)
    assert "HTTP 404" in told.stderr
    assert command("scenes", "check", "--workspace", workspace).code == 0
    server.faults.always["a_2023"] = 500
    told = command("scenes", "check", "--workspace", workspace, "--json")
    (check,) = json.loads(told.stdout)
    assert (told.code, check["usable"]) == (1, False)
    assert "HTTP 500" in check["reason"]


@pytest.mark.parametrize(
    ("address", "gdal", "shown"),
    [
        ("/data/a.tif", "/data/a.tif", "/data/a.tif"),
        ("s3://bucket/deep/a.tif", "/vsis3/bucket/deep/a.tif", "s3://bucket/deep/a.tif"),
        ("https://u:p@host/a.tif?sig=x", "/vsicurl/https://u:p@host/a.tif?sig=x", "https://host/a.tif"),
    ],
)
def test_addresses(address: str, gdal: str, shown: str) -> None:
    assert (remote.gdal_path(address), remote.shown(address)) == (gdal, shown)


def test_an_address_that_cannot_be_asked_for_keeps_its_key(server: FileServer) -> None:
    with pytest.raises(SceneError, match="cannot be reached") as caught:
        describe(f"{server.address}/a b_20230510.tif?sig=secret")
    assert "secret" not in str(caught.value)


def test_a_vrt_from_elsewhere_is_not_opened(server: FileServer, folder: Path) -> None:
    """It could name any file of the machine that reads it."""
    rasterio.shutil.copy(folder / "a_20230510.tif", folder / "v_20230510.vrt", driver="VRT")
    describe(folder / "v_20230510.vrt")
    with pytest.raises(SceneError, match="no raster that GDAL can read"):
        describe(f"{server.address}/v_20230510.vrt")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("'/vsicurl/https://h/a.tif?sig=x&b=y' not recognized", "'/vsicurl/https://h/a.tif' not recognized"),
        ("https://user:word@h/a.tif: 404", "https://h/a.tif: 404"),
        ("what is this? a = b", "what is this? a = b"),
    ],
)
def test_messages_without_keys(said: str, told: str) -> None:
    assert remote.without_keys(said) == told
