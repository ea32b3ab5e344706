"""A small network with random weights, and a bundle made of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cvpipe.domain import ChangeKind
from cvpipe.network.architecture import Design, SiameseNetwork
from cvpipe.network.bundle import FORMAT, BundleSettings, design_settings, write_bundle

TINY = Design(encoder="tu-mobilenetv2_035", decoder_channels=(16, 12, 8, 8), change_channels=8)


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Threads of a network this small wait for each other longer than they work, above all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def random_network() -> SiameseNetwork:
    """Random weights, and batch norms that do something; not to be altered."""
    torch.manual_seed(7)
    network = SiameseNetwork(TINY).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return network


@pytest.fixture
def network(random_network: SiameseNetwork) -> SiameseNetwork:
    """A copy of the random network, to do anything with."""
    return deepcopy(random_network)


@pytest.fixture(scope="session")
def settings() -> BundleSettings:
    """What the tiny bundle says of itself."""
    return BundleSettings(
        format=FORMAT,
        name="tiny",
        design=design_settings(TINY),
        gsd_m=0.3,
        tile_px=64,
        surface_bias=(0.0,) * 8,
        surface_temperature=1.0,
        change_temperature=1.0,
        thresholds=dict.fromkeys(ChangeKind, 0.5),
        min_area_m2=dict.fromkeys(ChangeKind, 6.0),
    )


@pytest.fixture(scope="session")
def golden_pair() -> tuple[np.ndarray, np.ndarray]:
    """Two tiles (64, 64, 3) of coloured noise."""
    before, after = np.random.default_rng(3).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    return before, after


@pytest.fixture(scope="session")
def released(
    tmp_path_factory: pytest.TempPathFactory,
    random_network: SiameseNetwork,
    settings: BundleSettings,
    golden_pair: tuple[np.ndarray, np.ndarray],
) -> Path:
    """Folder of the tiny bundle; not to be altered."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_bundle(folder, random_network, settings, golden_pair, {"license": "Apache-2.0"}, "# tiny\n")
    return folder


@pytest.fixture
def bundle(released: Path, tmp_path: Path) -> Path:
    """A copy of the tiny bundle, to be damaged."""
    return Path(shutil.copytree(released, tmp_path / "tiny"))
