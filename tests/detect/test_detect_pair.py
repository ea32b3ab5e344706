"""Two files → a folder: the outputs, their place on the ground, plain pictures, and nothing half-written."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from cvpipe.detect import compare, outputs, passes
from cvpipe.detect.alignment import AlignedPair
from cvpipe.detect.scenes import DetectSummary, detect_pair
from cvpipe.domain import ChangeKind, Registration
from cvpipe.errors import CvpipeError, UsageError
from cvpipe.geo import WGS84, Grid, reproject
from cvpipe.imagery.reading import SceneReader
from tests.detect.conftest import GREEN, ORIGIN, RED, UTM, Pixels, chequers, write_geotiff
from tests.detect.networks import PaintedNetwork
from tests.imagery.servers import file_server

SQUARE = np.s_[100:160, 200:260]
"""Rows and columns of what is painted: 60 × 60 pixels of 0.5 m = 900 m²."""

FILES = {
    "changes.tif",
    "surface_before.tif",
    "surface_after.tif",
    "changes.geojson",
    "preview.png",
    "summary.json",
    "item.json",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one plain comparison left: nothing there before, a red square after."""
    folder = tmp_path_factory.mktemp("found")
    ground = chequers()
    before = write_geotiff(folder / "before.tif", ground)
    ground[SQUARE] = RED
    after = write_geotiff(folder / "after.tif", ground)
    detect_pair(PaintedNetwork(), before, after, folder / "new" / "out")
    return folder / "new" / "out"


@pytest.fixture
def before(geotiff: Callable[..., Path], ground: Pixels) -> Path:
    return geotiff("before.tif", ground)


@pytest.fixture
def built(ground: Pixels) -> Pixels:
    """The ground with a red square on it."""
    painted = ground.copy()
    painted[SQUARE] = RED
    return painted


@pytest.fixture
def after(geotiff: Callable[..., Path], built: Pixels) -> Path:
    return geotiff("after.tif", built)


def bands(path: Path) -> npt.NDArray[np.uint8]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as dataset:
            return np.asarray(dataset.read())


def features(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "changes.geojson").read_text())["features"]
    return found


def only_structure(out: Path) -> BaseGeometry:
    (found,) = (shape(f["geometry"]) for f in features(out) if f["properties"]["kind"] == "structure_added")
    return found


def test_all_outputs_and_nothing_else(found: Path) -> None:
    assert {path.name for path in found.iterdir()} == FILES
    assert {path.name for path in found.parent.iterdir()} == {"out"}


def test_the_square_is_found_in_its_place(found: Path) -> None:
    square = reproject(only_structure(found), WGS84, UTM)
    left, bottom, right, top = square.bounds
    assert (left, top) == pytest.approx(ORIGIN * (200, 100), abs=0.05)
    assert (right, bottom) == pytest.approx(ORIGIN * (260, 160), abs=0.05)
    added = bands(found / "changes.tif")[1]
    assert (added[SQUARE] == 1).all()
    assert (added == 1).sum() == 3600


def test_the_place_is_kept_from_another_crs_and_pixel_size(
    network: PaintedNetwork, geotiff: Callable[..., Path], ground: Pixels, built: Pixels, tmp_path: Path
) -> None:
    """Scenes in degrees, compared at 0.4 m: the square lies where it was painted within a pixel."""
    degrees = Affine(5.8e-6, 0, 116.3, 0, -4.5e-6, 39.92)
    before, after = (geotiff(n, p, transform=degrees, crs=WGS84) for n, p in (("b.tif", ground), ("a.tif", built)))
    summary = detect_pair(replace(network, gsd_m=0.4), before, after, tmp_path / "out")
    crs = summary.grid.crs
    assert crs is not None

    (left, top), (right, bottom) = degrees * (200, 100), degrees * (260, 160)
    painted = shape({"type": "Polygon", "coordinates": [[(left, top), (right, top), (right, bottom), (left, bottom)]]})
    found, expected = (reproject(geometry, WGS84, crs) for geometry in (only_structure(tmp_path / "out"), painted))
    assert found.bounds == pytest.approx(expected.bounds, abs=0.4)
    assert summary.area_m2[ChangeKind.STRUCTURE_ADDED] == pytest.approx(expected.area, rel=0.02)


def test_a_shift_is_told_and_taken_back(
    network: PaintedNetwork, before: Path, geotiff: Callable[..., Path], built: Pixels, tmp_path: Path
) -> None:
    """The later picture's content lies 3 px to the right and 2 px up."""
    moved = np.roll(built, (-2, 3), axis=(0, 1))
    summary = detect_pair(network, before, geotiff("moved.tif", moved), tmp_path / "out")

    assert summary.registration.shift_px == pytest.approx((3, -2), abs=0.1)
    left, _, _, top = reproject(only_structure(tmp_path / "out"), WGS84, UTM).bounds
    assert (left, top) == pytest.approx(ORIGIN * (200, 100), abs=0.5)
    added = bands(tmp_path / "out" / "changes.tif")[1]
    assert (added[:, -3:] == 255).all()  # the later scene ends here


def test_the_rasters_explain_themselves(found: Path) -> None:
    with rasterio.open(found / "changes.tif") as changes:
        assert changes.descriptions == tuple(kind.value for kind in ChangeKind)
        assert (changes.dtypes[0], changes.nodata, changes.crs.to_epsg()) == ("uint8", 255, 32650)
        assert ColorInterp.alpha not in changes.colorinterp
        assert changes.profile["tiled"]
    with rasterio.open(found / "surface_after.tif") as surface:
        assert surface.colormap(1)[1] == (214, 69, 65, 255)
        assert surface.tags(1)["CLASS_1"] == "structure"
        assert surface.nodata == 255
        assert (surface.read(1)[SQUARE] == 1).all()


def test_the_summary_tells_the_figures(found: Path) -> None:
    summary = json.loads((found / "summary.json").read_text())
    assert summary["area_m2"]["structure_added"] == pytest.approx(900, rel=0.002)
    assert summary["polygons"] == {"structure_removed": 0, "structure_added": 1, "green_added": 0, "green_removed": 0}
    assert summary["valid_share"] == 1
    assert summary["shift_px"] == pytest.approx([0, 0], abs=0.1)
    assert 0 <= summary["residual_px"] < 0.5
    assert summary["residual_m"] == pytest.approx(summary["residual_px"] * 0.5, rel=0.01, abs=0.001)
    assert summary["drift"] is None
    assert summary["bundle"] == {"name": "painted", "digest": "0" * 64}
    assert summary["grid"]["crs"] == "EPSG:32650"


def test_the_summary_holds_a_drift_and_null_for_what_is_unknown() -> None:
    turned = Registration((1, 2), 0.25, 0.9, (0.0, -0.01, 0.01, -0.0))
    told = [summary_with(one) for one in (turned, Registration((0, 0), math.inf, 0.1))]
    assert [one["drift"] for one in told] == [[0, -0.01, 0.01, 0], None]
    assert [(one["residual_px"], one["residual_m"]) for one in told] == [(0.25, 0.125), (None, None)]
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def summary_with(registration: Registration) -> dict[str, Any]:
    grid = Grid(UTM, ORIGIN, 20, 10)
    areas, counts = dict.fromkeys(ChangeKind, 0.0), dict.fromkeys(ChangeKind, 0)
    return DetectSummary(
        Path("out"),
        "b.tif",
        "a.tif",
        network="n",
        digest="d",
        grid=grid,
        registration=registration,
        valid_share=1.0,
        area_m2=areas,
        polygons=counts,
        seconds=1.0,
    ).as_dict()


def test_keys_of_addresses_stay_out_of_the_summary(
    network: PaintedNetwork, before: Path, after: Path, tmp_path: Path
) -> None:
    with file_server(before.parent) as server:
        one, other = (f"{server.address}/{path.name}?sig=secret" for path in (before, after))
        detect_pair(network, one, other, tmp_path / "out")
        written = (tmp_path / "out" / "summary.json").read_text()
        assert json.loads(written)["after"] == f"{server.address}/{after.name}"
    assert "secret" not in written


def test_polygons_are_sorted_by_area_and_named(
    network: PaintedNetwork, before: Path, geotiff: Callable[..., Path], built: Pixels, tmp_path: Path
) -> None:
    built[20:40, 20:60] = GREEN
    detect_pair(network, before, geotiff("both.tif", built), tmp_path / "out")

    found = [f["properties"] for f in features(tmp_path / "out")]
    assert [(f["kind"], round(f["area_m2"])) for f in found] == [("structure_added", 901), ("green_added", 200)]
    assert all(0.7 < f["probability"] <= 1 for f in found)


def test_streaming_over_many_tiles_equals_comparing_in_memory(
    before: Path, geotiff: Callable[..., Path], built: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small tiles; later passes in squares of 50 px, across whose corner lie one patch above 12 m² and one below."""
    monkeypatch.setattr(passes, "PASS_PX", 50)
    built[46:53, 46:53] = built[97:103, 47:53] = RED
    after = geotiff("after.tif", built)
    network = PaintedNetwork(tile_px=32, min_area_m2=dict.fromkeys(ChangeKind, 12.0))
    detect_pair(network, before, after, tmp_path / "out")
    with SceneReader(before) as one, SceneReader(after) as other:
        pair = AlignedPair.of(one, other, network.gsd_m)
        maps = compare(network, *pair.read(pair.grid))

    for band, kind in zip(bands(tmp_path / "out" / "changes.tif"), ChangeKind, strict=True):
        assert np.array_equal(band, maps.change[kind])
    assert (maps.change[ChangeKind.STRUCTURE_ADDED] == 1).sum() == 3600 + 49
    assert np.array_equal(bands(tmp_path / "out" / "surface_after.tif")[0], maps.surface_after)


def test_doubtful_changes_are_in_none_of_the_outputs(
    before: Path, geotiff: Callable[..., Path], built: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A patch that is red by 0.7, across the corner of four squares of the later passes."""
    monkeypatch.setattr(passes, "PASS_PX", 50)
    built[45:55, 45:55] = (round(0.7 * 255), 0, 0)
    after = geotiff("after.tif", built)
    network = PaintedNetwork(tile_px=32, min_probability=dict.fromkeys(ChangeKind, 0.75))
    detect_pair(network, before, after, tmp_path / "out")
    with SceneReader(before) as one, SceneReader(after) as other:
        pair = AlignedPair.of(one, other, network.gsd_m)
        maps = compare(network, *pair.read(pair.grid))

    for band, kind in zip(bands(tmp_path / "out" / "changes.tif"), ChangeKind, strict=True):
        assert np.array_equal(band, maps.change[kind])
    assert (maps.change[ChangeKind.STRUCTURE_ADDED] == 1).sum() == 3600, "the hall alone"
    (feature,) = [f for f in features(tmp_path / "out") if f["properties"]["kind"] == "structure_added"]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["area_m2"]["structure_added"] == feature["properties"]["area_m2"] == pytest.approx(900, abs=1)
    assert summary["polygons"]["structure_added"] == 1


def test_plain_pictures_stay_in_their_pixels(
    network: PaintedNetwork, png: Callable[[str, Pixels], Path], ground: Pixels, built: Pixels, tmp_path: Path
) -> None:
    """Compared at 0.5 m, while the pictures have 0.2 m: areas are 900 m² times (0.2 / 0.5)²."""
    out = tmp_path / "out"
    detect_pair(network, png("before.png", ground), png("after.png", built), out, gsd_m=0.2)

    changes = bands(out / "changes.tif")
    assert changes.shape == (4, 240, 300)
    assert only_structure(out).bounds == pytest.approx((200, 100, 260, 160), abs=1.5)
    assert abs((changes[1] == 1).sum() - 3600) / 3600 < 0.02
    summary = json.loads((out / "summary.json").read_text())
    assert summary["coordinates"] == "pixel of BEFORE, x right, y down"
    assert summary["grid"] == {"crs": None, "transform": None, "width": 300, "height": 240, "pixel_m": 0.2}
    assert summary["area_m2"]["structure_added"] == pytest.approx(144, rel=0.02)
    assert json.loads((out / "changes.geojson").read_text())["cvpipe:coordinates"] == summary["coordinates"]


def test_the_preview_shows_both_epochs(found: Path) -> None:
    picture = np.asarray(cv2.imread(str(found / "preview.png")))[..., ::-1].astype(int)
    assert 1000 < picture.shape[1] <= 2400
    middle = picture.shape[1] // 2
    red = (picture[..., 0] > 200) & (picture[..., 1:].max(axis=2) < 60)
    assert red[:, middle:].mean() > 0.03
    assert red[:, :middle].mean() < 0.01


class BrokenNetwork(PaintedNetwork):
    """Fails at the second batch."""

    def predict(self, before: Pixels, after: Pixels) -> Any:
        if self.batches:
            raise KeyboardInterrupt
        return super().predict(before, after)


def test_nothing_is_left_when_it_breaks_off(before: Path, after: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        detect_pair(BrokenNetwork(), before, after, tmp_path / "new" / "deep" / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"before.tif", "after.tif"}


def test_a_failing_disk_is_told_and_nothing_is_left(
    network: PaintedNetwork, before: Path, after: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(outputs, "write_geojson", full)
    with pytest.raises(CvpipeError, match=r"out: the output of detect cannot be written \(No space left on device\)"):
        detect_pair(network, before, after, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"before.tif", "after.tif"}


def test_an_earlier_output_is_replaced_only_by_a_whole_one(
    network: PaintedNetwork, before: Path, after: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    detect_pair(network, before, after, out)
    with pytest.raises(KeyboardInterrupt):
        detect_pair(BrokenNetwork(), before, after, out)
    assert json.loads((out / "summary.json").read_text())["polygons"]["structure_added"] == 1

    detect_pair(network, before, before, out)
    assert json.loads((out / "summary.json").read_text())["polygons"]["structure_added"] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"before.tif", "after.tif", "out"}


@pytest.mark.parametrize("foreign", ["notes.txt", "changes.tif"])
def test_a_folder_with_other_things_is_left_alone(
    network: PaintedNetwork, before: Path, after: Path, tmp_path: Path, foreign: str
) -> None:
    """`changes.tif` alone, without a summary, is no output of ours."""
    out = tmp_path / "out"
    out.mkdir()
    (out / foreign).write_text("mine")
    with pytest.raises(UsageError, match=f"not empty.*{foreign}"):
        detect_pair(network, before, after, out)
    assert [path.name for path in out.iterdir()] == [foreign]


def test_an_empty_folder_is_used_and_a_file_is_not(
    network: PaintedNetwork, before: Path, after: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    detect_pair(network, before, after, tmp_path / "out")
    assert (tmp_path / "out" / outputs.SUMMARY_JSON).is_file()
    with pytest.raises(UsageError, match="is a file"):
        detect_pair(network, before, after, before)


def test_progress_counts_the_tiles(network: PaintedNetwork, before: Path, after: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = detect_pair(
        network, before, after, tmp_path / "out", on_tile=lambda done, total: seen.append((done, total))
    )
    assert isinstance(summary, DetectSummary)
    assert seen == [(i + 1, 2 * 2) for i in range(2 * 2)]
