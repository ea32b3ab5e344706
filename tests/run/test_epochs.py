"""Which epochs are compared: the last before work began, else the earliest; only scenes that show the site."""

from __future__ import annotations

from datetime import date

from shapely.geometry import Polygon, box

from cvpipe.domain import Plan, Scene, Site
from cvpipe.run.epochs import choose_epochs, cover

SITE = Site("A", box(0.001, 0.001, 0.002, 0.002))
WHOLE = box(0, 0, 0.01, 0.01)


def scene(day: date, footprint: Polygon = WHOLE, gsd_m: float = 0.3) -> Scene:
    name = f"{day}-{gsd_m}-{footprint.area:.9f}"
    return Scene(f"{name}.tif", day, name, footprint, gsd_m, "EPSG:4326", 100, 100, 3, "uint8")


FIRST, SECOND, THIRD = (scene(date(year, 5, 1)) for year in (2022, 2023, 2024))


def site_with_work(began: date) -> Site:
    return Site(SITE.code, SITE.geometry, plan=Plan(work_started=began))


def test_the_earliest_scene_is_the_baseline_when_nothing_is_known_of_the_work() -> None:
    chosen = choose_epochs(SITE, [THIRD, FIRST, SECOND])
    assert (chosen.baseline, chosen.later, chosen.reason) == (FIRST, (SECOND, THIRD), "earliest scene")


def test_the_last_scene_before_work_began_is_the_baseline() -> None:
    chosen = choose_epochs(site_with_work(date(2023, 6, 1)), [FIRST, SECOND, THIRD])
    assert (chosen.baseline, chosen.later) == (SECOND, (THIRD,))
    assert "2023-06-01" in chosen.reason


def test_work_that_began_before_all_scenes_leaves_the_earliest() -> None:
    assert choose_epochs(site_with_work(date(2000, 1, 1)), [SECOND, THIRD]).baseline == SECOND


def test_scenes_that_show_too_little_of_the_site_do_not_count() -> None:
    half = scene(date(2021, 1, 1), box(0, 0, 0.0015, 0.01))
    assert cover(SITE.geometry, half.footprint) < 0.9
    assert choose_epochs(SITE, [half, FIRST, SECOND]).baseline == FIRST


def test_of_one_day_the_finer_scene_is_taken() -> None:
    coarse = scene(FIRST.acquired, gsd_m=1.0)
    assert choose_epochs(SITE, [coarse, FIRST, SECOND]).baseline == FIRST


def test_a_single_scene_has_nothing_to_be_compared_with() -> None:
    chosen = choose_epochs(SITE, [FIRST])
    assert chosen.later == ()
    assert chosen.reason.endswith("no later scene yet")


def test_no_scene_says_so() -> None:
    chosen = choose_epochs(SITE, [])
    assert (chosen.baseline, chosen.reason) == (None, "none of 0 scenes covers 90% of the site")
