"""GeoTIFFs with outlines: labels lie where the outlines do, and the places are squares of the map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely.geometry import box, mapping

from cvpipe.domain import Surface
from cvpipe.errors import DatasetError, SettingsError
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.settings import parse_settings
from cvpipe.train.georeferenced import georeferenced
from cvpipe.train.pictures import EpochPair, Picture, Pixels
from cvpipe.train.settings import GeoSource

LEFT, TOP, SIDE = 500_000.0, 4_400_000.0, 400  # UTM 50N, metres and pixels of 0.5 m: one square of 200 m


def textured(seed: int, side: int = SIDE) -> Pixels:
    """A picture that two epochs can be aligned by."""
    return np.random.default_rng(seed).integers(40, 200, (side, side, 3), np.uint8)


def raster(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    transform = Affine(0.5, 0, LEFT, 0, -0.5, TOP)
    height, width = pixels.shape[:2]
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=3, dtype="uint8", crs="EPSG:32650",
        transform=transform,
    ) as file:  # fmt: skip
        file.write(pixels.transpose(2, 0, 1))


def outlines(path: Path, *named: tuple[str, tuple[int, int, int, int]], key: str = "use") -> None:
    """A GeoJSON in the rasters' CRS; each outline is given as columns and rows of pixels."""
    features = [
        {
            "type": "Feature",
            "properties": {key: word},
            "geometry": mapping(box(LEFT + x0 / 2, TOP - y1 / 2, LEFT + x1 / 2, TOP - y0 / 2)),
        }
        for word, (x0, y0, x1, y1) in named
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32650"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}), encoding="utf-8")


def source(folder: Path, **keys: Any) -> GeoSource:
    common = {"weight": 1, "gsd_range_m": [0.3, 0.6], "licence": "none", "kind": "geo", "folder": str(folder)}
    return parse_settings({**common, **keys}, GeoSource, where="test")


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A raster of 200 m with a house and a lake."""
    raster(tmp_path / "a.tif", textured(1))
    outlines(tmp_path / "a.geojson", ("house", (100, 80, 140, 120)), ("lake", (200, 200, 300, 300)))
    return tmp_path


USES = {"house": "structure", "lake": "water"}


def test_labels_lie_where_the_outlines_do(town: Path) -> None:
    (item,) = georeferenced(source(town, outlines="{stem}.geojson", attribute="use", meanings=USES))
    assert isinstance(item, Picture)
    assert item.gsd_m == pytest.approx(0.5, rel=1e-3)
    assert (item.surface[82:118, 102:138] == Surface.STRUCTURE).all()
    assert (item.surface[202:298, 202:298] == Surface.WATER).all()
    assert item.surface[20, 20] == NOT_STRUCTURE
    assert np.abs(item.pixels.astype(int) - textured(1)).mean() < 1
    assert item.ground is not None
    assert item.ground[0] == pytest.approx(117.0, abs=0.01)


def test_what_lies_around_may_be_unknown(town: Path) -> None:
    (item,) = georeferenced(source(town, outlines="a.geojson", attribute="use", meanings=USES, rest="ignore"))
    assert isinstance(item, Picture)
    assert item.surface[20, 20] == IGNORE


def test_places_are_squares_of_the_map(town: Path) -> None:
    items = georeferenced(source(town, outlines="a.geojson", attribute="use", meanings=USES, place_m=100.0))
    assert {item.place for item in items} == {f"{town.name}/{x}-{y}" for x in (5000, 5001) for y in (43998, 43999)}
    raster(town / "b.tif", textured(2))
    again = georeferenced(source(town, outlines="a.geojson", attribute="use", meanings=USES, place_m=100.0))
    assert len(again) == 2 * len(items)
    assert {item.place for item in again} == {item.place for item in items}, "one ground is one place"


def test_two_epochs_show_change(tmp_path: Path) -> None:
    later = textured(1)
    raster(tmp_path / "2015.tif", textured(1))
    later[80:120, 100:140] = 230
    raster(tmp_path / "2017.tif", later)
    outlines(tmp_path / "changes.geojson", ("new", (100, 80, 140, 120)))
    found = georeferenced(
        source(
            tmp_path,
            before="2015*.tif",
            after="2017*.tif",
            outlines="changes.geojson",
            attribute="use",
            meanings={"new": "structure_added", "gone": "structure_removed"},
            rest="unchanged",
        )
    )
    (item,) = found
    assert isinstance(item, EpochPair)
    assert (item.change[1][82:118, 102:138] == 1).all()
    assert (item.change[1][200:, 200:] == 0).all()
    assert (item.change[0][200:, 200:] == 0).all(), "the file could have named what is gone"
    assert (item.surface[1][82:118, 102:138] == Surface.STRUCTURE).all()


class TestRefused:
    def test_values_without_a_meaning(self, town: Path) -> None:
        with pytest.raises(DatasetError, match=r"a.geojson: holds the values lake, which `meanings` does not name"):
            georeferenced(source(town, outlines="a.geojson", attribute="use", meanings={"house": "structure"}))

    def test_a_value_that_was_left_empty(self, town: Path) -> None:
        told = (town / "a.geojson").read_text().replace('"lake"', '""')
        (town / "a.geojson").write_text(told)
        meanings = {key: word for key, word in USES.items() if key != "lake"}
        with pytest.raises(DatasetError, match=r"a.geojson: holds the values \(empty\)"):
            georeferenced(source(town, outlines="a.geojson", attribute="use", meanings=meanings))

    def test_an_attribute_that_is_not_there(self, town: Path) -> None:
        with pytest.raises(DatasetError, match=r"a.geojson: .*height"):
            georeferenced(source(town, outlines="a.geojson", attribute="height", meanings=USES))

    def test_a_file_that_is_not_there(self, town: Path) -> None:
        with pytest.raises(DatasetError, match=r"b.gpkg: no outlines that can be read"):
            georeferenced(source(town, outlines="b.gpkg", attribute="use", meanings=USES))

    def test_a_pattern_that_finds_nothing(self, town: Path) -> None:
        with pytest.raises(DatasetError, match="no raster"):
            georeferenced(source(town, before="*.jp2", outlines="a.geojson", attribute="use", meanings=USES))

    @pytest.mark.parametrize(
        "keys",
        [
            {"meanings": {"new": "structure_added"}},
            {"meanings": {"house": "structure"}, "after": "*.tif"},
            {"meanings": {"new": "structure_added"}, "after": "*.tif", "rest": "water"},
            {"meanings": {"house": "structure"}, "rest": "unchanged"},
            {"meanings": {}},
        ],
    )
    def test_meanings_that_do_not_fit(self, town: Path, keys: dict[str, Any]) -> None:
        with pytest.raises(SettingsError):
            source(town, outlines="a.geojson", **keys)
