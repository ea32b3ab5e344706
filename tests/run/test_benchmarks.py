"""The benchmark of the chain, as small as it goes: each part tells its figures."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import cv2
import pytest
import torch

from scripts import benchmark_run

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Left as they were."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def test_each_part_tells_its_figures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--side", "400", "--sites", "1", "4", "--threads", "1", "--repeats", "1", "--cpu"]
    monkeypatch.setattr(sys, "argv", ["benchmark_run", *small, "--only", "chain", "others", "sites", "memory"])
    benchmark_run.main()
    told = capsys.readouterr().out.splitlines()
    parts = [line.split(":")[0] for line in told[1:]]
    others = [f"others, {name}" for name in ("rasterio", "sampler", "whole")]
    assert parts == ["bare", "chain", *others, "sites 1", "sites 4", "sites", "memory"]
    assert "MB a hectare" in told[-1]
