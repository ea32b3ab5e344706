"""A workspace over three painted scenes, and a network that knows their colours."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyproj
import pytest
from shapely.geometry import Polygon, box

from cvpipe.domain import Plan, Site
from cvpipe.geo import WGS84, reproject
from cvpipe.imagery import describe
from cvpipe.ledger import Workspace
from cvpipe.run import job
from tests.detect.conftest import ORIGIN, RED, UTM, Pixels, chequers, write_geotiff
from tests.detect.networks import PaintedNetwork

DAYS = (date(2023, 5, 1), date(2024, 5, 1), date(2025, 5, 1))
#: Where structures stand in the scenes, (rows, columns) in pixels of half a metre.
OLD_SHED, OTHER_SHED, NEW_SHED = np.s_[60:100, 60:120], np.s_[60:100, 180:240], np.s_[62:92, 70:110]


def square(rows: slice, cols: slice, margin_px: int = 20) -> Polygon:
    """Outline (WGS 84) around a part of the scenes, `margin_px` wider on each side."""
    left, top = ORIGIN * (cols.start - margin_px, rows.start - margin_px)
    right, bottom = ORIGIN * (cols.stop + margin_px, rows.stop + margin_px)
    outline = reproject(box(left, bottom, right, top), UTM, WGS84)
    assert isinstance(outline, Polygon)
    return outline


def scenes(folder: Path) -> list[Path]:
    """Both sheds stand; the old one is gone; a new one stands in its place."""
    pictures: list[Pixels] = []
    for sheds in ((OLD_SHED, OTHER_SHED), (OTHER_SHED,), (OTHER_SHED, NEW_SHED)):
        pixels = chequers()
        for shed in sheds:
            pixels[shed] = RED
        pictures.append(pixels)
    return [write_geotiff(folder / f"scene_{day}.tif", p) for day, p in zip(DAYS, pictures, strict=True)]


SITES = [
    Site("A", square(*OLD_SHED), owner_system="Shougang", plan=Plan(work_started=date(2023, 9, 1))),
    Site("B", square(*OTHER_SHED), owner_system="Shougang"),
    Site("FAR", reproject(box(0, 0, 100, 100), pyproj.CRS.from_epsg(32649), WGS84)),
]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> PaintedNetwork:
    found = PaintedNetwork()
    monkeypatch.setattr(job, "load_bundle", lambda _model, _device, _runtime: found)
    return found


@pytest.fixture
def workspace(tmp_path: Path, network: PaintedNetwork) -> Workspace:
    assert not network.batches, "a run in these tests asks the painted network, which nobody has asked yet"
    made = Workspace.create(tmp_path / "ws")
    with made.ledger() as ledger:
        ledger.put_sites(SITES, source="test")
        for path in scenes(tmp_path):
            ledger.add_scene(describe(path))
    return made
