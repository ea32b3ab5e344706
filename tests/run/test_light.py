"""A run whose settings name a way of matching light compares in it, and its assessments have keys of their own."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS
from shapely import box

from cvpipe.assess import default_rules
from cvpipe.detect import PairMaps
from cvpipe.domain import Registration, Scene, Site
from cvpipe.geo import Grid
from cvpipe.imagery import Patch
from cvpipe.run import sites
from cvpipe.run.epochs import Epoch
from cvpipe.run.sites import Looked, PairKind, SitePair, assess
from cvpipe.settings import Light
from tests.detect.networks import PaintedNetwork

GRID = Grid(CRS.from_epsg(32650), Affine(0.5, 0, 440000, 0, -0.5, 4420000), 80, 80)


class SeenError(Exception):
    """Stands for everything after the comparison."""


def epoch(day: date) -> Epoch:
    return Epoch((Scene(f"{day}.tif", day, str(day), box(116, 39, 117, 40), 0.5, "EPSG:32650", 80, 80, 3, "uint8"),))


@pytest.fixture
def pair() -> SitePair:
    site = Site("A-1", box(116.3, 39.92, 116.31, 39.93))
    return SitePair(site, PairKind.REMEDIATION, epoch(date(2020, 5, 1)), epoch(date(2024, 5, 1)))


@pytest.mark.parametrize(("light", "least", "most"), [("none", 20.0, 30.0), ("moments", 0.0, 4.0)])
def test_the_network_sees_the_later_epoch_in_that_light(
    monkeypatch: pytest.MonkeyPatch, pair: SitePair, light: Light, least: float, most: float
) -> None:
    """The later epoch is darker by a fifth; the pictures that quality is judged by stay as they are."""
    ground = np.random.default_rng(3).integers(60, 180, (80, 80, 3), dtype=np.uint8)
    valid = np.ones((80, 80), bool)
    looked = Looked(
        Patch(ground, valid, GRID), Patch((ground * 0.8).astype(np.uint8), valid, GRID), Registration(), 0.5
    )
    off: list[float] = []

    def compared(_network: object, before: Patch, after: Patch) -> PairMaps:
        off.append(float(np.abs(before.pixels.astype(int) - after.pixels).mean()))
        raise SeenError

    monkeypatch.setattr(sites, "compare", compared)
    with pytest.raises(SeenError):
        assess(pair, looked, PaintedNetwork(), default_rules(), light)
    assert least < off[0] < most


def test_a_way_of_matching_light_has_keys_of_its_own(pair: SitePair) -> None:
    plain = pair.key("bundle", "rules")
    assert pair.key("bundle", "rules", "none") == plain
    assert len({plain, pair.key("bundle", "rules", "moments"), pair.key("bundle", "rules", "histogram")}) == 3
