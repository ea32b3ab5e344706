"""Epochs chosen for many sites at once are those that are chosen site by site."""

from __future__ import annotations

import hashlib
import json
import random
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely import box, to_wkb
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from cvpipe.assess import default_rules
from cvpipe.domain import Plan, Reason, Scene, Site
from cvpipe.imagery import Quality
from cvpipe.run.alike import AlikeSites
from cvpipe.run.epoch_rules import EpochRules
from cvpipe.run.looking import Looking
from cvpipe.run.looks import Looks
from cvpipe.run.planning import Choosing, remediation
from cvpipe.run.stated import StatedEpochs
from tests.run.scattered import Scatter, scattered

RULES = EpochRules(season=default_rules().season)


SCENES = Scatter(
    count=(2, 9),
    ground=(116, 39.9, 116.1, 40.0),
    lefts=[0.0, 0.0, 0.0, 0.03, 0.05],
    turns=[0, 0, 10],
    days=[0, 100, 200, 300, 400, 500, 600],
)


def scenes(dice: random.Random) -> list[Scene]:
    return scattered(dice, SCENES)


def sites(dice: random.Random) -> list[Site]:
    return [_site(dice, number) for number in range(60)]


def _site(dice: random.Random, number: int) -> Site:
    x, y = dice.uniform(115.99, 116.11), dice.uniform(39.89, 40.01)
    outlines: list[BaseGeometry] = [box(x, y, x + 0.001, y + 0.0008)] * 3
    outlines += [Point(x, y), LineString([(x, y), (x + 0.002, y + 0.001)])]
    outlines += [Polygon([(x, y), (x + 0.001, y + 0.001), (x + 0.001, y), (x, y + 0.001)])]  # crosses itself
    began = dice.choice([None, None, date(2022, 6, 1), date(2023, 1, 1)])
    return Site(f"S{number}", dice.choice(outlines), buffer_m=dice.choice([5.0, 15.0]), plan=Plan(work_started=began))


def quality(dice: random.Random) -> Quality | None:
    """Mostly good; now and then none can be had."""
    if dice.random() < 0.02:
        return None
    cloud = dice.choice([0.0, 0.0, 0.0, 0.1, 0.4])
    reasons = (Reason.CLOUD,) if cloud > 0.3 else ()
    return Quality(1.0, cloud, 0.0, 0.0, 0.0, 0.0, dice.choice([0.2, 1.0]), 1.0, reasons)


def looking(folder: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, seed: int) -> Looking:
    """Looks that hang on the site and the scenes alone, remembered in a journal."""

    def seen(_self: Looking, site: Site, shown: tuple[Scene, ...]) -> Quality | None:
        return quality(random.Random(f"{seed} {site.code} {[scene.content_hash for scene in shown]}"))

    monkeypatch.setattr(Looking, "_read", seen)
    return Looking.opened(Looks(folder / "looks.sqlite"), 0.5, 15.0, stack)


@pytest.mark.parametrize("seed", range(40))
def test_at_once_is_as_one_by_one(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)
    shown, district = scenes(dice), sites(dice)
    with ExitStack() as stack:
        looks = looking(tmp_path, stack, monkeypatch, seed)
        plain, bulk = (Choosing(shown, RULES, looks, StatedEpochs()) for _ in range(2))
        one_by_one = {site.code: _told(plain, site) for site in district}
        bulk.expect(district)
        assert {site.code: _told(bulk, site) for site in district} == one_by_one


def _told(choosing: Choosing, site: Site) -> Any:
    try:
        return choosing.of(site)
    except Exception as error:
        return type(error)


def test_most_sites_are_chosen_for_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the comparison above compares one way with itself."""
    alike = 0
    for seed in range(40):
        dice = random.Random(seed)
        shown, district = scenes(dice), sites(dice)
        with ExitStack() as stack:
            looks = looking(tmp_path / str(seed), stack, monkeypatch, seed)
            plain = Choosing(shown, RULES, looks, StatedEpochs())
            for site in district:
                _told(plain, site)
            alike += len(AlikeSites(shown, RULES, looks).choices(district))
    assert alike > 40 * 60 / 3


def test_one_outline_that_cannot_be_cut_costs_no_other_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, broken = scenes(random.Random(1)), Site("X", box(116.04, 39.94, float("nan"), 39.95))
    fine = Site("F", box(116.07, 39.95, 116.071, 39.951))
    with ExitStack() as stack:
        looks = looking(tmp_path, stack, monkeypatch, 1)
        plain, bulk = (Choosing(shown, RULES, looks, StatedEpochs()) for _ in range(2))
        expected = [_told(plain, site) for site in (broken, fine)]
        bulk.expect([broken, fine])
        assert [_told(bulk, site) for site in (broken, fine)] == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_key_is_the_digest_of_what_it_hangs_on(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written out once more, plainly: a key that changed would have every district assessed anew."""
    dice = random.Random(seed)
    shown = scenes(dice)
    retained = box(116, 39.9, 116.0001, 39.9001)
    plan = Plan(
        demolition_area_m2=dice.choice([None, 1200.5, 40]), green_ratio=0.3, retained=dice.choice([None, retained])
    )
    site = Site(
        '"S" 点', box(116.06, 39.95, 116.061, 39.951), building_area_m2=dice.choice([None, 1e-7, 1e22]), plan=plan
    )
    with ExitStack() as stack:
        epochs = Choosing(shown, RULES, looking(tmp_path, stack, monkeypatch, seed), StatedEpochs()).of(site)
    for pair in (asked.of(site) for asked in remediation(epochs)):
        hashes = [sorted(scene.content_hash for scene in epoch.scenes) for epoch in (pair.before, pair.after) if epoch]
        named = [some[0] if len(some) == 1 else some for some in hashes]
        content: list[object] = [
            site.code,
            to_wkb(site.geometry, hex=True),
            15.0,
            to_wkb(retained, hex=True) if plan.retained else None,
            [plan.demolition_area_m2, None, 0.3, site.building_area_m2],
            "remediation",
            named or [None, None],
            "digest",
            "rules",
        ]
        assert pair.key("digest", "rules") == hashlib.sha256(json.dumps(content).encode()).hexdigest()
        content.append("moments")
        assert pair.key("digest", "rules", "moments") == hashlib.sha256(json.dumps(content).encode()).hexdigest()
