"""The descriptions in configs/datasets/: every one is valid, and fits the pictures where those are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from cvpipe.settings import read_settings
from cvpipe.train.folders import DatasetSettings, read_dataset, read_label, targets_of

ROOT = Path(__file__).parents[2]
DESCRIPTIONS = sorted((ROOT / "configs" / "datasets").glob("*.yaml"))
SHARED = Path(os.environ.get("CVPIPE_SHARED", ROOT.parent / "shared"))


def test_there_are_descriptions() -> None:
    assert len(DESCRIPTIONS) >= 5


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda p: p.stem)
def test_a_description_is_named_as_its_file_and_tells_licence_and_provenance(path: Path) -> None:
    settings = read_settings(path, DatasetSettings)
    assert settings.name == path.stem
    assert settings.licence
    assert settings.provenance != "unknown"


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda p: p.stem)
def test_a_description_fits_its_pictures(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (SHARED / "realdata").is_dir():
        pytest.skip("the shared pictures are not at hand (CVPIPE_SHARED)")
    monkeypatch.setenv("CVPIPE_SHARED", str(SHARED))
    data = read_dataset(path)
    for picture in data.limited(3):
        assert picture.gsd_m
        with Image.open(picture.before) as image:
            width, height = image.size
        for label in data.labels:
            if label.folder in picture.masks:
                for target in targets_of(label, picture.after is None):
                    mask = read_label(picture.masks[label.folder], label, target, (height, width))
                    assert set(mask.ravel().tolist()) <= {0, 1, 255}
