"""Bundles that are missing, damaged, exchanged or foreign are refused with a message that says which."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvpipe.errors import BundleError, SettingsError, UsageError
from cvpipe.network.bundle import FORMAT, find_bundle, load_bundle, remarks
from tests.network.damage import edit_item, edit_settings, edit_tensors, sign_golden, sign_weights


def refused(folder: Path, match: str, error: type[UsageError] = BundleError) -> UsageError:
    with pytest.raises(error, match=match) as caught:
        load_bundle(folder, device="cpu")
    assert str(folder) in str(caught.value), "the message names the place"
    assert caught.value.remedy
    assert caught.value.exit_code == 2
    return caught.value


def test_a_missing_folder_and_what_there_is_instead(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(bundle, bundle.with_name("other"))
    monkeypatch.setenv("CVPIPE_MODELS", str(bundle.parent))
    with pytest.raises(BundleError, match=r"no such bundle.*: other, tiny"):
        find_bundle("tyni")


def test_no_bundle_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVPIPE_MODELS", str(tmp_path))
    with pytest.raises(BundleError, match=r"no such bundle.*: none"):
        find_bundle("tiny")


def test_a_missing_item(bundle: Path) -> None:
    (bundle / "item.json").unlink()
    refused(bundle, "no such bundle")


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"properties": {"cvpipe:bundle": {}}}'])
def test_an_item_that_describes_no_bundle(bundle: Path, text: str) -> None:
    (bundle / "item.json").write_text(text, encoding="utf-8")
    refused(bundle, "no usable description")


def test_another_format_even_where_its_keys_are_unknown_here(bundle: Path) -> None:
    edit_settings(bundle, format=FORMAT + 1, key_of_the_future=1)
    refused(bundle, f"bundle format {FORMAT + 1}, this cvpipe reads {FORMAT}")


def test_an_unknown_key(bundle: Path) -> None:
    edit_settings(bundle, treshold=0.4)
    refused(bundle, "key 'treshold'", SettingsError)


@pytest.mark.parametrize(("key", "value"), [("gsd_m", 0), ("tile_px", 65), ("thresholds", {"structure_moved": 0.5})])
def test_a_value_that_means_nothing(bundle: Path, key: str, value: Any) -> None:
    edit_settings(bundle, **{key: value})
    refused(bundle, f"key '{key}", SettingsError)


def test_missing_weights(bundle: Path) -> None:
    (bundle / "weights.safetensors").unlink()
    refused(bundle, "no weights")


def test_exchanged_weights(bundle: Path) -> None:
    edit_tensors(bundle / "weights.safetensors", lambda t: t.update({"change_head.answer.bias": np.ones(2, "f4")}))
    refused(bundle, "not those that item.json names")


def test_weights_cut_short(bundle: Path) -> None:
    weights = bundle / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    refused(bundle, "not those that item.json names")
    sign_weights(bundle)
    refused(bundle, "not readable as safetensors")


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._folder),)


def test_a_pickle_by_another_name_is_not_run(bundle: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    (bundle / "weights.safetensors").write_bytes(pickle.dumps(Trap(sprung)))
    refused(bundle, "not those that item.json names")
    sign_weights(bundle)
    refused(bundle, "not readable as safetensors")
    assert not sprung.exists()


def test_weights_of_another_design(bundle: Path) -> None:
    edit_item(bundle, lambda item: item["properties"]["cvpipe:bundle"]["design"].update(change_channels=16))
    refused(bundle, r"\d+ tensors are missing, unknown or of another shape, first 'change_head")


@pytest.mark.parametrize("tensor", ["one more", "one less"])
def test_tensors_that_the_design_lacks_or_wants(bundle: Path, tensor: str) -> None:
    edit_tensors(
        bundle / "weights.safetensors",
        lambda t: t.update(extra=np.ones(1, "f4")) if tensor == "one more" else t.pop("surface_head.bias"),
    )
    sign_weights(bundle)
    refused(bundle, "1 tensors are missing, unknown or of another shape")


@pytest.mark.parametrize("design", [{"encoder": "tu-no_such_net"}, {"decoder_channels": [8, 8]}, {"depth": 9}])
def test_a_design_that_cannot_be_built(bundle: Path, design: dict[str, Any]) -> None:
    edit_item(bundle, lambda item: item["properties"]["cvpipe:bundle"]["design"].update(design))
    refused(bundle, "unknown design")


@pytest.mark.parametrize("encoder", ["tu-hf-hub:someone/network", "tu-local-dir:/tmp", "../net", "", 7, "n" * 200])
def test_an_encoder_that_would_be_fetched_is_not_looked_for(
    bundle: Path, encoder: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(*_: object) -> None:
        raise AssertionError("nothing may be built of it")

    monkeypatch.setattr("cvpipe.network.bundle.build_network", built)
    edit_item(bundle, lambda item: item["properties"]["cvpipe:bundle"]["design"].update(encoder=encoder))
    refused(bundle, "unknown design .* no plain name")


@pytest.mark.parametrize(
    "design", [{"decoder_channels": [10**6] * 4}, {"change_channels": 10**9}, {"decoder_channels": [8, 8, 8, "8"]}]
)
def test_a_design_that_would_fill_the_memory(bundle: Path, design: dict[str, Any]) -> None:
    edit_item(bundle, lambda item: item["properties"]["cvpipe:bundle"]["design"].update(design))
    refused(bundle, "unknown design .channels beyond 1 to 1024")


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("gsd", 0.5, "gsd is 0.5, its settings say 0.3"),
        ("mlm:name", "large", "mlm:name is large, its settings say tiny"),
        ("mlm:architecture", "SegFormer", "mlm:architecture is SegFormer"),
        ("bands", [{"name": "nir"}], "bands is"),
        ("mlm:input", [], "mlm:input is"),
        ("mlm:output", "none", "mlm:output is"),
    ],
)
def test_a_label_that_says_something_else_than_the_settings(bundle: Path, key: str, value: Any, named: str) -> None:
    edit_item(bundle, lambda item: item["properties"].update({key: value}))
    refused(bundle, f"mislabelled: {named}")


def test_classes_in_another_order(bundle: Path) -> None:
    """Who reads the item would take removed for added."""
    edit_item(bundle, lambda item: item["properties"]["mlm:output"][-1]["classification:classes"].reverse())
    refused(bundle, "mislabelled: classes of mlm:output 'change' is .'structure_added', 'structure_removed'.")


def test_another_pixel_size_in_the_description_of_the_input(bundle: Path) -> None:
    def edit(item: dict[str, Any]) -> None:
        for one in item["properties"]["mlm:input"]:
            one["description"] = one["description"].replace("0.3 m a pixel", "0.6 m a pixel")

    edit_item(bundle, edit)
    refused(bundle, "mislabelled: mlm:input 'before' pixel size, m is 0.6, its settings say 0.3 .and 1 more")


def test_a_name_that_is_another_bundles(bundle: Path) -> None:
    edit_item(bundle, lambda item: item.update(id="cvpipe-s"))
    refused(bundle, "mislabelled: id is cvpipe-s, its settings say tiny")


@pytest.mark.parametrize("key", ["thresholds", "min_area_m2"])
def test_a_kind_of_change_that_nothing_is_said_of(bundle: Path, key: str) -> None:
    edit_item(bundle, lambda item: item["properties"]["cvpipe:bundle"][key].pop("green_removed"))
    refused(bundle, "lacks green_removed", SettingsError)


def test_a_header_that_promises_more_than_there_is(bundle: Path) -> None:
    weights = bundle / "weights.safetensors"
    weights.write_bytes((10**15).to_bytes(8, "little") + weights.read_bytes()[8:])
    sign_weights(bundle)
    refused(bundle, "not readable as safetensors")


def test_a_file_that_lies_beside_is_never_opened(bundle: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    (bundle / "weights.pt").write_bytes(pickle.dumps(Trap(sprung)))
    (bundle / "__init__.py").write_text(f"import os; os.mkdir({str(sprung)!r})")
    (bundle / "hubconf.py").write_text(f"import os; os.mkdir({str(sprung)!r})")
    load_bundle(bundle, device="cpu")
    assert not sprung.exists()
    (remark,) = [r for r in remarks(bundle) if "no bundle has" in r]
    assert remark.endswith("__init__.py, hubconf.py, weights.pt")


def test_a_golden_tile_that_was_exchanged(bundle: Path) -> None:
    edit_tensors(bundle / "golden.safetensors", lambda t: t.update(change=1 - t["change"]))
    refused(bundle, "the golden tile is not the one that item.json names")


def test_a_golden_tile_that_is_answered_otherwise(bundle: Path) -> None:
    edit_tensors(bundle / "golden.safetensors", lambda t: t.update(change=1 - t["change"]))
    sign_golden(bundle)
    refused(bundle, "the golden tile is answered wrongly")


@pytest.mark.parametrize(
    "wrong", [{"before": np.zeros((3, 3), "u1")}, {"after": np.zeros((64, 64, 3), "f4")}, {"change": np.zeros(2, "f2")}]
)
def test_a_golden_tile_of_another_shape(bundle: Path, wrong: dict[str, np.ndarray]) -> None:
    edit_tensors(bundle / "golden.safetensors", lambda t: t.update(wrong))
    sign_golden(bundle)
    refused(bundle, "shapes or types do not fit")


def test_weights_that_answer_with_no_number(bundle: Path) -> None:
    """NaN lies neither within the tolerance nor beyond it; signed by whoever broke the weights."""
    edit_tensors(
        bundle / "weights.safetensors", lambda t: t.update({"change_head.answer.bias": np.full(2, np.nan, "f4")})
    )
    sign_weights(bundle)
    refused(bundle, "the golden tile is answered wrongly")


def test_a_missing_golden_tile(bundle: Path) -> None:
    (bundle / "golden.safetensors").unlink()
    refused(bundle, "not readable as safetensors")


def test_a_golden_file_of_something_else(bundle: Path) -> None:
    shutil.copy(bundle / "weights.safetensors", bundle / "golden.safetensors")
    sign_golden(bundle)
    refused(bundle, "not a golden tile and its answer")
