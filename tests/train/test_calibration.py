"""What is chosen on held-out pairs, with a network whose answers are made up: calibration finds what was put in."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from cvpipe.domain import SURFACES, ChangeKind, Surface
from cvpipe.network.architecture import ChangeNetwork, Logits
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.calibration import COLUMNS, ERROR_COLUMNS, Calibration, calibrate
from cvpipe.train.pairs import PairDataset

SIDE = 64
#: How much too sure the made-up network is, and how far its logits for structure lie too low.
TOO_SURE, TOO_LOW = 2.0, 1.0

Sample = dict[str, Tensor]


class Recorded(PairDataset):
    """Pairs that were made beforehand."""

    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]


class Overconfident(ChangeNetwork):
    """Takes the true log-odds from the pictures' bytes (128: even, 16 a unit) and overstates them.

    The red band holds those of structure removed (before) and added (after), the green one those of structure at its
    epoch, the blue one those of vegetation, both against bare ground.
    """

    def __init__(self, *, surfaces: bool = True) -> None:
        torch.nn.Module.__init__(self)
        self.has_surfaces = surfaces

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        change = torch.stack([_odds(before[:, 0]), _odds(after[:, 0])], dim=1)
        return Logits(self._surface(before), self._surface(after), TOO_SURE * change)

    def _surface(self, picture: Tensor) -> Tensor:
        logits = torch.full((len(picture), len(SURFACES), *picture.shape[2:]), -20.0)
        logits[:, Surface.BARE] = 0.0
        logits[:, Surface.STRUCTURE] = _odds(picture[:, 1]) - TOO_LOW
        logits[:, Surface.VEGETATION] = _odds(picture[:, 2])
        return logits


def _odds(band: Tensor) -> Tensor:
    return (band * 127.5 + 127.5 - 128) / 16


def bytes_of(odds: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(odds * 16 + 128, 0, 255).round(), np.uint8)


def drawn(rng: np.random.Generator, odds: np.ndarray) -> np.ndarray:
    """Truths as often as the log-odds say."""
    return np.asarray(rng.random(odds.shape) < 1 / (1 + np.exp(-odds)))


def sample(rng: np.random.Generator) -> Sample:
    """A pair whose labels are drawn pixel by pixel from the log-odds that are written into its bytes."""
    odds = {k: rng.uniform(-6, 3, (SIDE, SIDE)) for k in ("removed", "added", "was", "now")}
    bands, surfaces = {}, {}
    for epoch, kind, structure in (("before", "removed", "was"), ("after", "added", "now")):
        blue = np.full((SIDE, SIDE), -8.0)
        blue[: SIDE // 2] = 8.0 if epoch == "after" else -8.0
        built = drawn(rng, odds[structure])
        bands[epoch] = np.stack([bytes_of(odds[kind]), bytes_of(odds[structure]), bytes_of(blue)])
        grown = np.where(blue > 0, int(Surface.VEGETATION), int(Surface.BARE))
        surfaces[epoch] = np.where(built, int(Surface.STRUCTURE), grown).astype(np.uint8)
    change = np.stack([drawn(rng, odds["removed"]), drawn(rng, odds["added"])]).astype(np.uint8)
    return {
        "before": torch.from_numpy(bands["before"]),
        "after": torch.from_numpy(bands["after"]),
        "surface_before": torch.from_numpy(surfaces["before"]),
        "surface_after": torch.from_numpy(surfaces["after"]),
        "change": torch.from_numpy(change),
    }


@pytest.fixture(scope="module")
def pairs() -> Recorded:
    rng = np.random.default_rng(6)
    return Recorded([sample(rng) for _ in range(32)])


@pytest.fixture(scope="module")
def found(pairs: Recorded) -> Calibration:
    return calibrate(Overconfident(), pairs, 0.3)


def test_the_temperature_undoes_what_was_overstated(found: Calibration) -> None:
    assert found.change_temperature == pytest.approx(TOO_SURE, rel=0.06)
    assert found.pairs == 32


def test_without_the_temperature_the_error_is_visibly_larger(found: Calibration) -> None:
    for kind in (ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED):
        on, off = found.reliability[kind.value]
        assert on.ece is not None
        assert off.ece is not None
        assert on.ece < 0.03 < 0.06 < off.ece
        assert on.total == 16 * (SIDE // 4) ** 2, "taken from every other pair, which the temperature never saw"


def test_structure_that_is_held_too_low_is_lifted(found: Calibration) -> None:
    assert 0.25 <= found.surface_bias[Surface.STRUCTURE] <= 1.5
    assert found.surface_bias[Surface.WATER] == 0.0, "not labelled here"


def test_every_kind_gets_a_decision_that_the_bundle_and_the_table_tell(found: Calibration) -> None:
    assert found.thresholds.keys() == set(ChangeKind)
    assert [len(row) for row in found.rows()] == [len(COLUMNS)] * 4
    assert [len(row) for row in found.errors()] == [len(ERROR_COLUMNS)] * 3
    kept = json.loads(json.dumps(found.properties(), allow_nan=False))["cvpipe:calibration"]
    assert kept["heads"]["structure_added"]["ece"] < kept["heads"]["structure_added"]["ece_without_temperature"]
    assert kept["decisions"]["green_removed"]["area_ratio"] is None, "no green is lost in these pairs"


def test_a_network_without_surfaces_keeps_them_as_they_are(pairs: Recorded) -> None:
    found = calibrate(Overconfident(surfaces=False), Recorded([pairs[0], pairs[1]]), 0.3)
    assert found.surface_bias == (0.0,) * len(SURFACES)
    assert found.surface_temperature == 1.0
    assert found.reliability.keys() == {"structure_removed", "structure_added"}


def test_where_nothing_is_labelled_nothing_is_fitted(pairs: Recorded) -> None:
    blank = [
        {
            **one,
            "change": torch.full_like(one["change"], IGNORE),
            "surface_before": torch.full_like(one["surface_before"], IGNORE),
            "surface_after": torch.full_like(one["surface_after"], NOT_STRUCTURE),
        }
        for one in (pairs[0], pairs[1])
    ]
    found = calibrate(Overconfident(), Recorded(blank), 0.3)
    assert (found.change_temperature, found.surface_temperature) == (1.0, 1.0)
    assert found.surface_bias == (0.0,) * len(SURFACES)
    assert set(found.thresholds.values()) == {0.5}
    json.dumps(found.properties(), allow_nan=False)
