"""`item.json` is a STAC item that others can read: core 1.1, MLM 1.4, file 2.1. Checked without a network.

Rules and names from https://github.com/stac-extensions/mlm and its JSON schema.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pystac
import pytest
from pystac.extensions.mlm import AssetGeneralMLMExtension, MLMExtension, TaskType

from cvpipe.domain import SURFACES


@pytest.fixture(scope="module")
def raw(released: Path) -> dict[str, Any]:
    """`item.json` as it lies there."""
    item: dict[str, Any] = json.loads((released / "item.json").read_text(encoding="utf-8"))
    return item


@pytest.fixture
def item(released: Path) -> pystac.Item:
    """`item.json` as pystac reads it."""
    return pystac.Item.from_file(released / "item.json")


def test_it_is_an_item_of_stac_1_1(raw: dict[str, Any]) -> None:
    assert raw["type"] == "Feature"
    assert re.fullmatch(r"1\.[1-9]\d*\.\d+", raw["stac_version"])
    assert raw["id"] == "tiny"
    assert raw["properties"]["datetime"].endswith("Z")
    assert raw["properties"]["license"] == "Apache-2.0"
    assert {"geometry", "bbox", "links", "assets"} <= raw.keys()


def test_it_names_the_extensions_that_it_uses(raw: dict[str, Any]) -> None:
    named = {re.sub(r".*github.io/(\w+)/v([\d.]+)/schema.json", r"\1 \2", uri) for uri in raw["stac_extensions"]}
    assert named == {"mlm 1.4.0", "file 2.1.0"}


def test_mlm_says_what_the_model_is(item: pystac.Item) -> None:
    mlm = MLMExtension.ext(item)
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", mlm.mlm_name)
    assert mlm.framework == "PyTorch"
    assert mlm.framework_version
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", mlm.framework_version)
    assert mlm.tasks == [TaskType.SEMANTIC_SEGMENTATION]
    assert mlm.architecture


def test_inputs_are_both_epochs_as_the_network_takes_them(item: pystac.Item) -> None:
    inputs = MLMExtension.ext(item).input
    assert [i.name for i in inputs] == ["before", "after"]
    for one in inputs:
        assert (one.input.shape, one.input.data_type) == ([-1, 3, 64, 64], "float32")
        assert one.input.dim_order == ["batch", "bands", "height", "width"]


def test_one_scaling_for_all_bands_leads_from_0_and_255_to_minus_1_and_1(raw: dict[str, Any]) -> None:
    for one in raw["properties"]["mlm:input"]:
        (scaling,) = one["value_scaling"]
        assert scaling["type"] == "z-score"
        assert [(v - scaling["mean"]) / scaling["stddev"] for v in (0, 255)] == [-1, 1]


def test_bands_of_the_inputs_are_described_in_the_item_and_at_the_model(raw: dict[str, Any]) -> None:
    """MLM asks for the former, STAC 1.1 forbids it without the latter."""
    assert raw["assets"]["weights"]["bands"] == raw["properties"]["bands"]
    described = [band["name"] for band in raw["properties"]["bands"]]
    assert described == ["red", "green", "blue"]
    assert all(one["bands"] == described for one in raw["properties"]["mlm:input"])


def test_outputs_name_their_classes_in_the_order_of_the_channels(item: pystac.Item) -> None:
    outputs = {o.name: o for o in MLMExtension.ext(item).output}
    assert outputs.keys() == {"surface_before", "surface_after", "change"}
    for name, classes in (
        ("surface_before", [s.name.lower() for s in SURFACES]),
        ("surface_after", [s.name.lower() for s in SURFACES]),
        ("change", ["structure_removed", "structure_added"]),
    ):
        output = outputs[name]
        assert output.classes
        assert [(c.value, c.name) for c in output.classes] == list(enumerate(classes))
        assert all(c.description for c in output.classes)
        assert output.result.shape == [-1, len(classes), 64, 64]
        assert len(output.result.dim_order) == len(output.result.shape)


def test_the_weights_are_the_model_and_their_checksum_is_a_multihash(item: pystac.Item, released: Path) -> None:
    weights = item.assets["weights"]
    assert weights.roles
    assert "mlm:model" in weights.roles
    assert AssetGeneralMLMExtension.ext(weights).artifact_type == "safetensors"
    digest = hashlib.sha256((released / "weights.safetensors").read_bytes()).hexdigest()
    assert weights.extra_fields["file:checksum"] == "1220" + digest


def test_every_asset_lies_beside_the_item(item: pystac.Item, released: Path) -> None:
    assert {(released / a.href).resolve() for a in item.assets.values()} == set(released.iterdir()) - {
        released / "item.json"
    }
