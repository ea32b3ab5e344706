"""When a change is reported: chosen on toy pairs whose best answer one sees."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cvpipe.train.decisions import Patches, choose_green, choose_structures

Pixels = np.ndarray
SURE, HALF, FAINT = 230, 140, 80
"""Stored probabilities of about 0.9, 0.55 and 0.3."""


def empty(count: int = 1, side: int = 40) -> tuple[Pixels, Pixels]:
    """Stored probabilities and labels (N, H, W), nothing in them."""
    return np.zeros((count, side, side), np.uint8), np.zeros((count, side, side), np.uint8)


def pairs() -> tuple[Pixels, Pixels]:
    """Twenty pairs: a real shed with a faint rim in each, and in every other a patch that is half sure and wrong."""
    stored, labels = empty(20)
    labels[:, 5:15, 5:15] = 1
    stored[:, 4:16, 4:16] = FAINT
    stored[:, 5:15, 5:15] = SURE
    stored[::2, 25:32, 25:32] = HALF
    return stored, labels


class TestPatches:
    def test_counts_what_is_seen_by_eye(self) -> None:
        stored, labels = pairs()
        patches = Patches.above(0.5, stored, labels, pixel_m2=1.0)
        found = patches.outcome(4.0, 0.0)
        assert len(patches.px) == 30
        assert found.object_f1 == pytest.approx(2 * (20 / 30) / (20 / 30 + 1))
        assert found.pixel_f1 == pytest.approx(2 * 2000 / (2490 + 2000))
        assert found.area_ratio == pytest.approx(2490 / 2000)
        assert found.false_alarms_per_10000_m2 == pytest.approx(1e4 * 10 / (20 * 1600 - 2000))

    def test_a_patch_below_the_area_or_the_probability_is_dropped(self) -> None:
        patches = Patches.above(0.5, *pairs(), pixel_m2=1.0)
        assert patches.outcome(50.0, 0.0).false_alarms_per_10000_m2 == 0, "the wrong one has 49 m²"
        assert patches.outcome(49.0, 0.0).false_alarms_per_10000_m2 > 0
        assert patches.outcome(4.0, 0.6).false_alarms_per_10000_m2 == 0
        assert patches.outcome(4.0, 0.6).object_f1 == 1.0

    def test_several_patches_may_find_one_object_together(self) -> None:
        stored, labels = empty()
        labels[0, 0:10, 0:10] = 1
        stored[0, 0:10, 0:2] = stored[0, 0:10, 4:5] = SURE
        assert Patches.above(0.5, stored, labels, 1.0).outcome(4.0, 0.0).object_f1 == 1.0
        assert Patches.above(0.5, stored, labels, 1.0).outcome(15.0, 0.0).object_f1 == 0.0, "20 of 100 are too few"

    def test_ground_that_is_not_labelled_is_no_false_alarm(self) -> None:
        stored, labels = empty()
        stored[0, 5:15, 5:15] = SURE
        labels[0, :, :12] = 255
        assert len(Patches.above(0.5, stored, labels, 1.0).px) == 0

    def test_pictures_do_not_touch_each_other(self) -> None:
        stored, labels = empty(2)
        stored[0, 39, :], stored[1, 0, :] = SURE, SURE
        assert Patches.above(0.5, stored, labels, 1.0).px.tolist() == [40, 40]


def test_a_false_alarm_that_is_half_sure_is_told_from_a_shed() -> None:
    decision, outcome, usual = choose_structures(*pairs(), pixel_m2=1.0)
    assert usual.false_alarms_per_10000_m2 == 0, "a high threshold alone stops them here"
    assert outcome.object_f1 == 1.0
    assert outcome.pixel_f1 == 1.0
    assert 0.3 <= decision.threshold < 0.9


def test_a_faint_rim_and_a_doubtful_patch_need_both_numbers() -> None:
    """The shed's own rim is as faint as the false alarm is: no threshold keeps the one and drops the other."""
    stored, labels = empty(20)
    labels[:, 5:15, 5:15] = 1
    stored[:, 5:15, 5:15] = HALF
    stored[:, 7:13, 7:13] = SURE
    stored[::2, 25:32, 25:32] = HALF
    decision, outcome, usual = choose_structures(stored, labels, pixel_m2=1.0)
    assert outcome.object_f1 == outcome.pixel_f1 == 1.0
    assert outcome.false_alarms_per_10000_m2 == 0
    assert usual.false_alarms_per_10000_m2 > 0
    assert decision.min_probability > 0.55


def test_object_f1_never_falls_below_that_of_the_best_threshold_alone() -> None:
    rng = np.random.default_rng(3)
    stored, labels = pairs()
    noisy = np.clip(stored.astype(int) + rng.normal(0, 60, stored.shape), 0, 254).astype(np.uint8)
    _, outcome, usual = choose_structures(noisy, labels, pixel_m2=1.0)
    assert outcome.object_f1 >= usual.object_f1


def test_without_a_labelled_change_there_is_nothing_to_choose_by() -> None:
    stored, labels = empty()
    stored[0, 5:15, 5:15] = HALF
    decision, outcome, _ = choose_structures(stored, labels, pixel_m2=1.0)
    assert (decision.threshold, decision.min_probability) == (0.5, 0.0)
    assert outcome.false_alarms_per_10000_m2 > 0


def test_green_gets_the_threshold_at_which_its_area_is_right() -> None:
    """Crowns fade out: probability falls from the middle, and half of it is reached too early."""
    stored, labels = empty(1, side=101)
    y, x = np.indices((101, 101)) - 50
    distance = np.hypot(x, y)
    stored[0] = (254 * np.clip(1 - distance / 50, 0, 1)).astype(np.uint8)
    labels[0] = distance <= 35
    decision, outcome = choose_green(stored, labels, 1.0, min_area_m2=3.0)
    assert decision.threshold == pytest.approx(0.3, abs=0.026)
    assert outcome.area_ratio == pytest.approx(1.0, abs=0.05)
    assert Patches.above(0.5, stored, labels, 1.0).outcome(3.0, 0.0).area_ratio < 0.6


def test_green_that_is_nowhere_labelled_keeps_a_half() -> None:
    decision, outcome = choose_green(*empty(), 1.0, min_area_m2=3.0)
    assert decision.threshold == 0.5
    assert math.isnan(outcome.area_ratio)
