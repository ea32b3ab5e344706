"""The released network on real pairs that it has never seen, through the real commands.

The pictures are not part of the repository (their licences allow evaluation only): the tests skip without them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyproj
import pytest
import rasterio
from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry
from typer.testing import CliRunner

from cvpipe.cli import app
from cvpipe.domain import ChangeKind
from cvpipe.geo import WGS84, reproject

SHARED = Path(os.environ.get("CVPIPE_SHARED", Path(__file__).parents[2] / "shared"))
EVAL = SHARED / "realdata" / "eval"
GEOTIFFS = EVAL / "fotbcd_public" / "geotiff"
LEVIR = EVAL / "levir_public"
OUTPUTS = {"changes.tif", "surface_before.tif", "surface_after.tif", "changes.geojson", "preview.png", "summary.json"}
FRANCE = pyproj.CRS.from_epsg(2154)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not GEOTIFFS.is_dir(), reason=f"no real pictures in {SHARED} (CVPIPE_SHARED names the folder)"),
]


def cvpipe(*args: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.stdout


def stems() -> list[str]:
    return sorted(path.name.removesuffix("_before.tif") for path in GEOTIFFS.glob("*_before.tif"))


def labelled(stem: str) -> Iterator[BaseGeometry]:
    """Outlines (EPSG:2154) of structures that changed."""
    for feature in json.loads((GEOTIFFS / f"{stem}.geojson").read_text())["features"]:
        if feature["properties"]["category"] != "UNCHANGED":
            yield shape(feature["geometry"]).buffer(0)


def structures(geojson: Path) -> list[BaseGeometry]:
    """Changed structures (EPSG:2154) of an output."""
    kinds = {ChangeKind.STRUCTURE_ADDED, ChangeKind.STRUCTURE_REMOVED}
    features = json.loads(geojson.read_text())["features"]
    found = [shape(f["geometry"]) for f in features if f["properties"]["kind"] in kinds]
    return [reproject(geometry, WGS84, FRANCE) for geometry in found]


@pytest.fixture(scope="module")
def detected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outputs of every georeferenced pair, by stem."""
    out = tmp_path_factory.mktemp("detected")
    for stem in stems():
        before, after = (GEOTIFFS / f"{stem}_{epoch}.tif" for epoch in ("before", "after"))
        cvpipe("detect", before, after, "--out", out / stem)
    return out


def test_all_outputs_are_there_and_lie_where_the_pair_lies(detected: Path) -> None:
    assert len(stems()) == 10
    for stem in stems():
        assert {p.name for p in (detected / stem).iterdir()} == OUTPUTS | {"item.json"}
        with (
            rasterio.open(GEOTIFFS / f"{stem}_before.tif") as scene,
            rasterio.open(detected / stem / "changes.tif") as out,
        ):
            assert (out.crs, out.count, out.descriptions) == (scene.crs, 4, tuple(ChangeKind))
            # both epochs lie a few decimetres beside each other: the output covers what they share
            assert out.bounds == pytest.approx(scene.bounds, abs=1.0)
            around = box(*scene.bounds).buffer(0.5)
        assert all(around.covers(geometry) for geometry in structures(detected / stem / "changes.geojson"))


def test_most_labelled_changes_are_found_in_their_place(detected: Path) -> None:
    hits, total = 0, 0
    for stem in stems():
        found = structures(detected / stem / "changes.geojson")
        for outline in labelled(stem):
            total += 1
            hits += sum(outline.intersection(f).area for f in found) >= 0.25 * outline.area
    assert total >= 9
    assert hits >= 0.6 * total, f"{hits} of {total} labelled changes are found"


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_plain_pictures_give_outputs_in_their_own_pixels(tmp_path: Path) -> None:
    names = sorted(path.name for path in (LEVIR / "A").iterdir())
    assert len(names) == 4
    for name in names:
        cvpipe("detect", LEVIR / "A" / name, LEVIR / "B" / name, "--gsd", 0.5, "--out", tmp_path / name)
        assert {p.name for p in (tmp_path / name).iterdir()} == OUTPUTS
        with rasterio.open(tmp_path / name / "changes.tif") as out:
            assert out.shape == (256, 256)
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        assert "pixel" in summary["coordinates"]


def test_a_workspace_whose_sites_are_real_outlines_runs_to_a_report(tmp_path: Path) -> None:
    sites = tmp_path / "sites.geojson"
    features = [_site(stem, i, outline) for stem in stems() for i, outline in enumerate(labelled(stem))]
    sites.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    ws = ("--workspace", tmp_path / "ws")
    cvpipe("init", tmp_path / "ws")
    cvpipe("sites", "import", sites, *ws)
    cvpipe("scenes", "add", *GEOTIFFS.glob("*_before.tif"), "--acquired", "2018-07-01", *ws)
    cvpipe("scenes", "add", *GEOTIFFS.glob("*_after.tif"), "--acquired", "2022-07-01", *ws)
    told = json.loads(cvpipe("run", "--json", *ws))
    assert told["failed"] == 0
    assert told["assessed"] >= len(features)
    assert told["not_assessable"] == 0
    cvpipe("report", *ws)
    page = (tmp_path / "ws" / "report" / "index.html").read_text()
    assert all(f["properties"]["code"] in page for f in features)
    assert json.loads(cvpipe("run", "--json", *ws))["assessed"] == 0


def _site(stem: str, number: int, outline: BaseGeometry) -> dict[str, Any]:
    """A site 5 m wider than a labelled structure, as far as the scene reaches."""
    with rasterio.open(GEOTIFFS / f"{stem}_before.tif") as scene:
        place = reproject(outline.buffer(5).intersection(box(*scene.bounds).buffer(-1)), FRANCE, WGS84)
    properties = {"code": f"{stem}-{number}", "owner_system": "unknown"}
    return {"type": "Feature", "geometry": mapping(place), "properties": properties}
