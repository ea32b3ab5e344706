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
from cvpipe.network.bundle import FORMAT, find_bundle, load_bundle
from tests.network.damage import edit_item, edit_settings, edit_tensors, sign_weights


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


def test_a_golden_tile_that_is_answered_otherwise(bundle: Path) -> None:
    edit_tensors(bundle / "golden.safetensors", lambda t: t.update(change=1 - t["change"]))
    refused(bundle, "the golden tile is answered wrongly")


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
    refused(bundle, "not a golden tile and its answer")
