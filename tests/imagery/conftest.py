"""Rasters made to measure: CRS, transform, type, nodata and bands as a test wants them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from cvpipe.geo import Grid
from cvpipe.imagery import remote
from cvpipe.imagery.reading import Patch

#: A place in the west of Beijing (degrees), one on Java, south of the equator in the same UTM zone, and one in
#: Burgundy, where the French CRS is at home.
BEIJING = (116.2, 39.9)
JAVA = (114.4, -8.2)
BURGUNDY = (4.8, 47.0)

#: Half a metre a pixel, north up, in UTM zone 50 north.
ORIGIN = Affine(0.5, 0, 430000, 0, -0.5, 4417000)

WriteRaster = Callable[..., Path]


@pytest.fixture
def write_raster(tmp_path: Path) -> WriteRaster:
    """Write an array (bands, H, W) as GeoTIFF; `crs` None and `transform` None leave it without georeference."""

    def write(
        values: NDArray[Any],
        name: str = "scene_20230510.tif",
        crs: str | None = "EPSG:32650",
        transform: Affine | None = ORIGIN,
        **options: Any,
    ) -> Path:
        path = tmp_path / name
        count, height, width = values.shape
        place = {"transform": transform} if transform is not None else {}
        profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", **profile, crs=crs, **place, **options) as out:
                out.write(values)
        return path

    return write


@pytest.fixture(scope="session")
def shared_pictures() -> Path:
    """Folder of real pictures for evaluation; the test is left out where it is not there."""
    folder = Path(os.environ.get("CVPIPE_SHARED", Path(__file__).parents[2] / ".." / "shared")) / "realdata" / "eval"
    if not folder.is_dir():
        pytest.skip("the real pictures are not here (set CVPIPE_SHARED)")
    return folder


@pytest.fixture
def s3_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys for a server of our own, and nothing of the machine's."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_NO_SIGN_REQUEST"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3_keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # noqa: ARG001 - the environment
    """A client of a server with the empty bucket `district`; the environment names the server and its keys."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed (pip install 'cvpipe[s3]')")
    moto_server = pytest.importorskip("moto.server", reason="moto is not installed")
    monkeypatch.setattr(remote, "PAUSES_S", (0.05,))
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    client = boto3.client("s3")
    client.create_bucket(Bucket="district")
    yield client
    server.stop()


def metric_grid(width: int, height: int, pixel_m: float = 0.5) -> Grid:
    """A grid in UTM zone 50 north."""
    return Grid(pyproj.CRS.from_epsg(32650), ORIGIN * Affine.scale(pixel_m / 0.5), width, height)


def patch_of(pixels: NDArray[np.uint8], pixel_m: float = 0.5, valid: NDArray[np.bool_] | None = None) -> Patch:
    """A patch of an RGB array, valid all over unless told otherwise."""
    height, width = pixels.shape[:2]
    return Patch(
        pixels, np.ones((height, width), bool) if valid is None else valid, metric_grid(width, height, pixel_m)
    )
