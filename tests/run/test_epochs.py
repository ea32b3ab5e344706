"""Which epochs are compared: the last usable before work began, else the earliest; only scenes that show the site."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from cvpipe.assess.season import Season, SeasonRules
from cvpipe.domain import Plan, Reason, Scene, Site
from cvpipe.errors import SettingsError
from cvpipe.imagery import Quality
from cvpipe.run.epoch_rules import EpochRules, read_epoch_rules
from cvpipe.run.epochs import Epoch, Epochs, Look, choose_epochs, cover, unseen
from cvpipe.settings import read_settings

SHIPPED = Path(__file__).parents[2] / "configs" / "epochs.yaml"

SITE = Site("A", box(116.001, 40.001, 116.002, 40.002))
WHOLE = box(116, 40, 116.01, 40.01)
#: The two tiles of a flight whose seam runs through the site, three quarters of it in the first; they overlap a little.
WEST, EAST = box(116, 40, 116.00175, 40.01), box(116.0017, 40, 116.01, 40.01)


def scene(day: date, footprint: Polygon = WHOLE, gsd_m: float = 0.3, name: str = "") -> Scene:
    name = name or f"{day}-{gsd_m}-{footprint.area:.9f}"
    return Scene(f"{name}.tif", day, name, footprint, gsd_m, "EPSG:4326", 100, 100, 3, "uint8")


def seen(*reasons: Reason, cloud: float = 0.0) -> Quality:
    """A look at a site; with a reason it is unusable."""
    return Quality(1.0, cloud, 0.0, 0.0, 0.0, haze=0.0, blur=math.nan, coarseness=1.0, reasons=reasons)


CLOUDY = seen(Reason.CLOUD, cloud=0.43)


def looks(judged: Mapping[Scene, Quality], asked: list[Scene] | None = None) -> Look:
    """Looks that are told by the first scene, all others clear; `asked` takes which scenes were looked at."""

    def look(scenes: tuple[Scene, ...]) -> Quality | None:
        if asked is not None:
            asked.extend(scenes)
        return judged.get(scenes[0], seen())

    return look


FIRST, SECOND, THIRD = (scene(date(year, 5, 1)) for year in (2022, 2023, 2024))


def site_with_work(began: date) -> Site:
    return Site(SITE.code, SITE.geometry, plan=Plan(work_started=began))


def days(epochs: Epochs) -> list[tuple[int, int]]:
    """Years of each pair."""
    return [(pair.before.acquired.year, pair.after.acquired.year) for pair in epochs.pairs]


def test_the_earliest_scene_is_the_baseline_when_nothing_is_known_of_the_work() -> None:
    chosen = choose_epochs(SITE, [THIRD, FIRST, SECOND])
    assert (days(chosen), chosen.reason) == ([(2022, 2023), (2022, 2024)], "earliest scene")
    assert chosen.newest == Epoch((THIRD,))


def test_the_last_scene_before_work_began_is_the_baseline() -> None:
    chosen = choose_epochs(site_with_work(date(2023, 6, 1)), [FIRST, SECOND, THIRD])
    assert days(chosen) == [(2023, 2024)]
    assert "2023-06-01" in chosen.reason


def test_work_that_began_before_all_scenes_leaves_the_earliest() -> None:
    assert choose_epochs(site_with_work(date(2000, 1, 1)), [SECOND, THIRD]).baseline == Epoch((SECOND,))


def test_scenes_that_show_too_little_of_the_site_do_not_count() -> None:
    half = scene(date(2021, 1, 1), box(116, 40, 116.0015, 40.01))
    assert cover(SITE.geometry, half.footprint) < 0.9
    chosen = choose_epochs(SITE, [half, FIRST, SECOND])
    assert chosen.baseline == Epoch((FIRST,))
    assert [(one.acquired, one.why) for one in chosen.passed_over] == [(half.acquired, "covers 50% of the site")]


def test_of_one_day_the_finer_scene_is_taken() -> None:
    coarse = scene(FIRST.acquired, gsd_m=1.0)
    chosen = choose_epochs(SITE, [coarse, FIRST, SECOND])
    assert chosen.baseline == Epoch((FIRST,))
    assert [one.why for one in chosen.passed_over] == ["adds nothing to 2022-05-01-0.3-0.000100000.tif of that day"]


def test_a_single_scene_has_nothing_to_be_compared_with() -> None:
    chosen = choose_epochs(SITE, [FIRST])
    assert chosen.pairs == ()
    assert chosen.reason.endswith("no later scene yet")


def test_no_scene_says_so() -> None:
    chosen = choose_epochs(SITE, [])
    assert (chosen.baseline, chosen.reason) == (None, "no scene covers 90% of the site")


class TestMosaic:
    """A site across two tiles of one flight."""

    tiles = (scene(date(2022, 5, 1), WEST), scene(date(2022, 5, 1), EAST))

    def test_the_union_of_the_footprints_decides(self) -> None:
        chosen = choose_epochs(SITE, [*self.tiles, SECOND])
        assert chosen.baseline == Epoch(self.tiles), "the tile that shows more goes first"
        assert choose_epochs(SITE, [self.tiles[0], SECOND]).baseline == Epoch((SECOND,))

    def test_a_tile_that_adds_nothing_is_left_out(self) -> None:
        again = scene(date(2022, 5, 1), WEST, gsd_m=0.5)
        chosen = choose_epochs(SITE, [*self.tiles, again, SECOND])
        assert chosen.baseline == Epoch(self.tiles)
        assert [one.scenes for one in chosen.passed_over] == [(f"{again.content_hash}.tif",)]

    def test_a_tile_that_does_not_touch_the_site_is_not_of_the_epoch(self) -> None:
        beside = scene(date(2022, 5, 1), box(116.01, 40, 116.02, 40.01))
        chosen = choose_epochs(SITE, [*self.tiles, beside, SECOND])
        assert (chosen.baseline, chosen.passed_over) == (Epoch(self.tiles), ())

    def test_the_clear_one_of_two_is_taken_though_it_is_coarser(self) -> None:
        coarse = scene(FIRST.acquired, gsd_m=1.0)
        chosen = choose_epochs(SITE, [FIRST, coarse, SECOND], look=looks({FIRST: CLOUDY}))
        assert chosen.baseline == Epoch((coarse,))
        assert chosen.passed_over[0].why == "cloud 43%"

    def test_a_veil_of_a_tenth_does_not_outweigh_the_pixel(self) -> None:
        coarse = scene(FIRST.acquired, gsd_m=1.0)
        chosen = choose_epochs(SITE, [FIRST, coarse, SECOND], look=looks({FIRST: seen(cloud=0.04)}))
        assert chosen.baseline == Epoch((FIRST,))

    def test_its_identity_does_not_follow_the_order(self) -> None:
        assert Epoch(self.tiles).identity == Epoch(self.tiles[::-1]).identity
        assert Epoch((FIRST,)).identity == FIRST.content_hash


class TestQuality:
    """What makes an epoch unusable keeps it from being the baseline."""

    def test_a_cloudy_day_before_work_is_skipped_and_told(self) -> None:
        chosen = choose_epochs(site_with_work(date(2023, 6, 1)), [FIRST, SECOND, THIRD], look=looks({SECOND: CLOUDY}))
        assert days(chosen) == [(2022, 2024)]
        assert chosen.reason == "last usable scene before work began on 2023-06-01"
        assert [(one.acquired, one.why) for one in chosen.passed_over] == [(SECOND.acquired, "cloud 43%")]

    def test_a_cloudy_later_day_is_compared_all_the_same(self) -> None:
        """Its assessment says why it tells nothing; the newest usable one is another."""
        chosen = choose_epochs(SITE, [FIRST, SECOND, THIRD], look=looks({THIRD: CLOUDY}))
        assert days(chosen) == [(2022, 2023), (2022, 2024)]
        assert chosen.newest == Epoch((SECOND,))
        assert [one.acquired for one in chosen.passed_over] == [THIRD.acquired]

    def test_where_no_usable_baseline_has_a_later_day_quality_is_left_out(self) -> None:
        chosen = choose_epochs(SITE, [FIRST, SECOND], look=looks({FIRST: CLOUDY}))
        assert days(chosen) == [(2022, 2023)]
        assert chosen.reason == "earliest scene, though cloud 43%"

    def test_what_cannot_be_read_counts_as_usable(self) -> None:
        """A drive that is away for a day must not change a baseline."""
        assert days(choose_epochs(SITE, [FIRST, SECOND, THIRD], look=unseen)) == [(2022, 2023), (2022, 2024)]

    def test_no_more_is_looked_at_than_the_choice_needs(self) -> None:
        asked = list[Scene]()
        choose_epochs(site_with_work(date(2022, 6, 1)), [FIRST, SECOND, THIRD], look=looks({}, asked))
        assert set(asked) == {FIRST, THIRD}, "the baseline and the newest"


class TestSeason:
    """A baseline of the later epoch's season, where it is as good and not too old."""

    summer, winter = scene(date(2022, 7, 1)), scene(date(2023, 1, 10))
    later = scene(date(2024, 7, 1)), scene(date(2025, 1, 10))
    site = site_with_work(date(2023, 3, 1))

    def chosen(self, given: Mapping[Scene, Quality] | None = None, rules: EpochRules | None = None) -> list[date]:
        found = choose_epochs(self.site, [self.summer, self.winter, *self.later], rules, looks(given or {}))
        return [pair.before.acquired for pair in found.pairs]

    def test_each_later_epoch_has_the_baseline_of_its_season(self) -> None:
        assert self.chosen() == [self.summer.acquired, self.winter.acquired]

    def test_the_reason_says_so(self) -> None:
        found = choose_epochs(self.site, [self.summer, self.winter, *self.later], look=looks({}))
        assert found.pairs[0].reason.startswith("leaf-on as the later one, instead of 2023-01-10")

    def test_not_where_it_is_worse(self) -> None:
        assert self.chosen({self.summer: seen(cloud=0.15)}) == [self.winter.acquired] * 2
        assert self.chosen({self.summer: CLOUDY}) == [self.winter.acquired] * 2

    def test_not_where_it_is_too_old(self) -> None:
        assert self.chosen(rules=EpochRules(season_reach_days=100)) == [self.winter.acquired] * 2

    @pytest.mark.parametrize(
        ("day", "latitude", "season"),
        [
            (date(2024, 7, 1), 40.0, Season.LEAF_ON),
            (date(2024, 1, 1), 40.0, Season.LEAF_OFF),
            (date(2024, 7, 1), -35.0, Season.LEAF_OFF),
            (date(2024, 1, 1), -35.0, Season.LEAF_ON),
            (date(2024, 7, 1), 10.0, None),
        ],
    )
    def test_hemispheres(self, day: date, latitude: float, season: Season | None) -> None:
        assert SeasonRules().season(day, latitude) is season


def test_the_shipped_file_states_the_defaults() -> None:
    assert read_settings(SHIPPED, EpochRules) == EpochRules()


def test_seasons_are_those_of_the_rules_of_verdicts(tmp_path: Path) -> None:
    season = SeasonRules(leaf_on_from=60)
    assert read_epoch_rules(None, season).season == read_epoch_rules(SHIPPED, season).season == season
    own = tmp_path / "epochs.yaml"
    own.write_text("season: {leaf_on_from: 90}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="stated in the file of the rules"):
        read_epoch_rules(own, season)


def random_case(number: int) -> tuple[Site, list[Scene], dict[Scene, Quality]]:
    """A site with or without a known start of work, up to nine scenes on few days, whole or in parts, some cloudy."""
    dice = random.Random(number)
    scenes = [
        scene(
            date(2020 + dice.randrange(4), dice.choice((1, 7)), 1),
            dice.choice((WHOLE, WHOLE, WEST, EAST)),
            dice.choice((0.2, 0.5)),
            name=f"{number}-{n}",
        )
        for n in range(dice.randrange(10))
    ]
    quality = {one: dice.choice((CLOUDY, seen(), seen(cloud=0.12))) for one in scenes}
    site = site_with_work(date(2022, 3, 1)) if dice.random() < 0.6 else SITE
    return site, scenes, quality


NUMBERS = st.integers(0, 10**6)


@given(NUMBERS)
def test_the_order_of_the_scenes_changes_nothing(number: int) -> None:
    site, scenes, quality = random_case(number)
    shuffled = random.Random(number).sample(scenes, len(scenes))
    assert choose_epochs(site, scenes, look=looks(quality)) == choose_epochs(site, shuffled, look=looks(quality))


@given(NUMBERS)
def test_an_unusable_scene_more_takes_no_usable_epoch_its_pair(number: int) -> None:
    """Pairs of usable epochs stay as they are, and no new one of two usable epochs comes."""
    site, scenes, quality = random_case(number)
    dice = random.Random(number)
    bad = scene(date(2020 + dice.randrange(4), dice.choice((1, 7)), 1), dice.choice((WHOLE, WEST)), name="bad")
    quality_too = {**quality, bad: CLOUDY}

    def usable_pairs(shown: Sequence[Scene]) -> set[tuple[Epoch, Epoch]]:
        found = choose_epochs(site, shown, look=looks(quality_too))
        epochs = ((pair.before, pair.after) for pair in found.pairs)
        return {pair for pair in epochs if not any(quality_too[s].reasons for epoch in pair for s in epoch.scenes)}

    assert usable_pairs(scenes) == usable_pairs([*scenes, bad])


def test_a_scene_given_twice_is_one() -> None:
    again = replace(FIRST, uri="elsewhere.tif")
    assert days(choose_epochs(SITE, [FIRST, again, SECOND])) == [(2022, 2023)]
