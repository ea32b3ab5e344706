"""The rows that two rows of tiles share are kept in memory or, of wide rasters, in a file: the answer is the same."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile

import numpy as np
import pytest

from cvpipe.detect import blending
from cvpipe.detect.blending import blend
from cvpipe.geo import Window
from cvpipe.network.probabilities import FloatArray

SIDE, OVERLAP, SIZE = 32, 8, 80


def blended() -> FloatArray:
    """Tiles of numbers that do not agree, cross-faded."""
    rng, whole = np.random.default_rng(2), np.zeros((2, SIZE, SIZE), np.float32)
    starts = range(0, SIZE - OVERLAP, SIDE - OVERLAP)
    lattice = [Window(col, row, SIDE, SIDE) for row in starts for col in starts]
    tiles = ((window, _tile(rng)) for window in lattice)
    for window, values in blend(tiles, overlap=OVERLAP, width=SIZE, height=SIZE):
        assert np.isfinite(values).all()
        whole[:, *window.slices] = values[:, 1 : 1 + window.height, 1 : 1 + window.width]
    return whole


def _tile(rng: np.random.Generator) -> FloatArray:
    """Numbers with room before them that holds none."""
    values = np.full((2, SIDE + 1, SIDE + 1), np.nan, np.float32)
    values[:, 1:, 1:] = rng.random((2, SIDE, SIDE), np.float32)
    return values


def test_rows_on_the_disk_are_the_rows_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    files = list[SpooledTemporaryFile[bytes]]()

    def noted(max_size: int) -> SpooledTemporaryFile[bytes]:
        files.append(SpooledTemporaryFile(max_size=max_size))  # noqa: SIM115 - `blend` closes it
        return files[-1]

    in_memory = blended()
    monkeypatch.setattr(blending, "KEPT_BYTES", 1)
    monkeypatch.setattr(blending, "SpooledTemporaryFile", noted)
    assert np.array_equal(blended(), in_memory)
    assert [file.closed for file in files] == [True]
