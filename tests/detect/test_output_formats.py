"""What other programs make of the outputs: rasters as COGs, the folder as a STAC item."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pystac
import pystac.validation
import pytest
import rasterio
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.projection import ProjectionExtension
from rasterio.errors import NotGeoreferencedWarning
from rio_cogeo.cogeo import cog_validate

from cvpipe.detect.scenes import detect_pair
from cvpipe.domain import SURFACE_COLOURS, SURFACES, ChangeKind
from cvpipe.network.bundle import stac_item
from cvpipe.shipped import shipped
from tests.detect.conftest import RED, Pixels, chequers, write_geotiff
from tests.detect.networks import PaintedNetwork

RASTERS = ("changes.tif", "surface_before.tif", "surface_after.tif")
PAINTED = np.s_[100:200, 200:320]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs of a pair of 700 × 700 pixels, which is more than a block: there are overviews."""
    folder = tmp_path_factory.mktemp("formats")
    ground = np.tile(chequers(), (3, 3, 1))[:700, :700]
    after = ground.copy()
    after[PAINTED] = RED
    rasters = write_geotiff(folder / "b.tif", ground), write_geotiff(folder / "a.tif", after)
    detect_pair(PaintedNetwork(), *rasters, folder / "out", model=stac_item(shipped("models") / "cvpipe-s"))
    return folder / "out"


@pytest.fixture(scope="module")
def item(found: Path) -> pystac.Item:
    return pystac.Item.from_file(str(found / "item.json"))


class TestRasters:
    @pytest.mark.parametrize("name", RASTERS)
    def test_each_is_a_cog_in_every_respect(self, found: Path, name: str) -> None:
        valid, errors, warnings = cog_validate(found / name, strict=True, quiet=True)
        assert (valid, errors, warnings) == (True, [], [])

    @pytest.mark.parametrize("name", RASTERS)
    def test_overviews_hold_codes_that_the_raster_holds(self, found: Path, name: str) -> None:
        with rasterio.open(found / name) as full:
            assert full.overviews(1)
            codes = set(np.unique(full.read()))
        with rasterio.open(found / name, overview_level=0) as half:
            assert half.width == 350
            assert set(np.unique(half.read())) <= codes
            assert half.nodata == 255

    def test_the_colours_of_surfaces_are_in_the_file(self, found: Path) -> None:
        with rasterio.open(found / "surface_after.tif") as surface:
            colours = surface.colormap(1)
        assert {s: colours[int(s)][:3] for s in SURFACES} == {s: SURFACE_COLOURS[s] for s in SURFACES}

    def test_a_change_is_still_seen_in_the_overview(self, found: Path) -> None:
        with rasterio.open(found / "changes.tif", overview_level=0) as half:
            assert half.read(2)[60:90, 110:150].all()

    def test_plain_pictures_too(
        self, png: Callable[[str, Pixels], Path], ground: Pixels, network: PaintedNetwork, tmp_path: Path
    ) -> None:
        detect_pair(network, png("b.png", ground), png("a.png", ground), tmp_path / "out", gsd_m=0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            assert cog_validate(tmp_path / "out" / "changes.tif", quiet=True)[0]
        assert not (tmp_path / "out" / "item.json").exists(), "pixels have no place on the ground"


class TestItem:
    """The core by the JSON schemas that pystac carries; the extensions by their texts, for their schemas are online."""

    def test_the_core_is_valid(self, item: pystac.Item) -> None:
        bare = item.clone()
        bare.stac_extensions = []
        assert pystac.validation.validate_dict(bare.to_dict(include_self_link=False)) is not None

    def test_every_file_that_it_names_is_there(self, item: pystac.Item, found: Path) -> None:
        named = {(found / asset.href).resolve() for asset in item.assets.values()}
        weights = shipped("models") / "cvpipe-s" / "weights.safetensors"
        assert named == {path for path in found.iterdir() if path.name != "item.json"} | {weights}

    def test_the_label_extension_counts_the_polygons(self, item: pystac.Item, found: Path) -> None:
        said = item.properties
        (overview,) = said["label:overviews"]
        told = {count["name"]: count["count"] for count in overview["counts"]}
        features = json.loads((found / "changes.geojson").read_text(encoding="utf-8"))["features"]
        assert told == {k.value: sum(f["properties"]["kind"] == k for f in features) for k in ChangeKind}
        assert sum(told.values()) == 1
        assert overview["property_key"] in said["label:properties"]
        assert said["label:classes"] == [{"name": "kind", "classes": [kind.value for kind in ChangeKind]}]
        assert said["label:type"] in {"vector", "raster"}
        assert said["label:description"]

    def test_the_mlm_extension_says_which_network_answered(self, item: pystac.Item) -> None:
        assert "https://stac-extensions.github.io/mlm/v1.4.0/schema.json" in item.stac_extensions
        said = item.properties
        assert "mlm:model" in (item.assets["model"].roles or [])
        assert {"mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output"} <= set(said)
        assert said["mlm:name"] == "cvpipe-s"
        assert said["cvpipe:bundle_digest"] == "0" * 64, "of the network that was run, whatever the item is of"

    def test_it_lies_where_the_pixels_lie(self, item: pystac.Item, found: Path) -> None:
        projection = ProjectionExtension.ext(item)
        with rasterio.open(found / "changes.tif") as raster:
            assert projection.code == raster.crs.to_string()
            assert projection.shape == list(raster.shape)
            assert projection.transform == list(raster.transform)[:6]
            west, south, east, north = rasterio.warp.transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)
        assert item.bbox == pytest.approx([west, south, east, north], abs=1e-5)

    def test_codes_are_explained_on_the_rasters(self, item: pystac.Item) -> None:
        classes = ClassificationExtension.ext(item.assets["surface_after"]).classes
        assert classes is not None
        assert {c.value: c.name for c in classes} == {int(s): s.name.lower() for s in SURFACES}
