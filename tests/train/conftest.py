"""Small folders of labelled pictures like the real ones, and settings that train on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from cvpipe.train.settings import TrainSettings
from tests.train.drawing import town, write_picture


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Threads of a network this small wait for each other longer than they work, above all on a busy machine."""
    threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    cv2.setNumThreads(cv_threads)  # the loop sets them


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders: satellite tiles 1 and 8, drone mosaics `a` and `b` (1 × 2 tiles), scenes without structures."""
    folder = tmp_path_factory.mktemp("tiles")
    for tile in (1, 8):
        pixels, codes = town(160, seed=tile, structure=1, grounds=(2, 3, 4))
        write_picture(folder / "dubai", f"Tile{tile}_part1.png", pixels, codes)
    for name, x in (("a_OAM", 70), ("b_OAM", 90)):
        for column in (x, x + 1):
            pixels, mask = town(256, seed=column, structure=255, grounds=(0,))
            write_picture(folder / "drone", f"{name}-{column}-500-20.png", pixels, mask)
    for seed, name in enumerate(("forest00", "forest90", "denseresidential00")):
        grounds = ((5,), (5, 2), (2, 5))[seed]  # else one scene would be a near-duplicate of the next
        write_picture(folder / "scenes", f"{name}.png", town(128, seed=seed, structure=1, grounds=grounds)[0])
    return folder


def six_steps(sources: Path) -> dict[str, Any]:
    """A training job of six steps on the small folders, as a settings file says it."""
    common = {"weight": 1, "gsd_range_m": [0.3, 0.5], "licence": "none"}
    return {
        "name": "tiny",
        "design": {"encoder": "tu-mobilenetv2_035", "decoder_channels": [16, 12, 8, 8], "change_channels": 8},
        "sources": [{"kind": kind, "folder": str(sources / kind), **common} for kind in ("dubai", "drone", "scenes")],
        "held_out_places": ["dubai/Tile8", "drone/b_OAM", "ucmerced/forest9"],
        "keep_apart": [],
        "steps": 6,
        "batch": 2,
        "crop_px": 64,
        "workers": 0,
        "warmup_steps": 2,
        "frozen_encoder_stages": 1,
        "validate_every": 3,
        "validation_pairs": 8,
    }


@pytest.fixture
def raw_settings(sources: Path) -> dict[str, Any]:
    """The job as plain data, to be changed before it is read."""
    return six_steps(sources)


@pytest.fixture(scope="session")
def settings(sources: Path) -> TrainSettings:
    """The job as it is."""
    return TrainSettings.model_validate(six_steps(sources))
