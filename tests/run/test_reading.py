"""Pairs read ahead of the network."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from cvpipe.domain import Scene, Site
from cvpipe.geo import Grid
from cvpipe.imagery import Patch, SceneReader, describe
from cvpipe.run import reading
from cvpipe.run.epochs import Epoch
from cvpipe.run.sites import PairKind, SitePair
from tests.detect.conftest import chequers, write_geotiff
from tests.run.conftest import square


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    paths = [write_geotiff(tmp_path / f"s_2024050{n}.tif", chequers() + n) for n in (1, 2, 3)]
    return [describe(path) for path in paths]


def test_who_stops_early_waits_for_the_read_in_hand(scenes: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a dataset is closed while it is read, which ends the process with a segmentation fault."""
    sites = [Site(f"S{n}", square(slice(20, 40), slice(20 + n * 60, 50 + n * 60))) for n in range(3)]
    before, after = (Epoch((scene,)) for scene in scenes[:2])
    pairs = [SitePair(site, PairKind.REMEDIATION, before, after) for site in sites]
    begun, told = threading.Event(), list[str]()
    closing, reading_pixels = SceneReader.close, SceneReader.read

    def slow(self: SceneReader, grid: Grid) -> Patch:
        begun.set()
        time.sleep(0.2)
        told.append("read")
        return reading_pixels(self, grid)

    def close(self: SceneReader) -> None:
        told.append("closed")
        closing(self)

    monkeypatch.setattr(SceneReader, "read", slow)
    monkeypatch.setattr(SceneReader, "close", close)
    ahead = reading.read_ahead(pairs, gsd_m=0.5, margin_m=0)
    next(ahead)
    begun.wait()
    ahead.close()
    assert "closed" in told
    assert "read" not in told[told.index("closed") :]
