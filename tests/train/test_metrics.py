"""Counting on toy masks whose answer is seen by eye. Pixels are 1 m² unless said."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from cvpipe.train.metrics import Figures, Mask, ObjectCounts, PixelCounts, Tally, figures, intervals, tally


def picture(*rows: str) -> Mask:
    """A mask from lines of `.` no, `#` yes, `?` 255."""
    codes = {".": 0, "#": 1, "?": 255}
    return np.array([[codes[c] for c in row] for row in rows], np.uint8)


def empty(side: int = 100) -> Mask:
    return np.zeros((side, side), np.uint8)


def square(mask: Mask, row: int, col: int, height: int, width: int) -> Mask:
    mask[row : row + height, col : col + width] = 1
    return mask


def test_pixels_are_counted_by_label_and_prediction() -> None:
    label = picture("##..", "##..")
    predicted = picture("#.#.", "#.#.")
    found = tally(label, predicted, 1.0)
    assert found.pixels == PixelCounts(true_positive=2, false_positive=2, false_negative=2, true_negative=2)
    assert found.unchanged_m2 == 4.0


def test_precision_recall_f1_and_iou_of_those_pixels() -> None:
    found = figures(tally(picture("##..", "##.."), picture("###.", "#..."), 1.0))
    assert (found.precision, found.recall) == (3 / 4, 3 / 4)
    assert found.f1 == 3 / 4
    assert found.iou == 3 / 5
    assert found.false_alarm_area_share == 1 / 4


def test_ignored_label_pixels_count_for_nothing() -> None:
    found = tally(picture("#?.?"), picture("##.#"), 1.0)
    assert found.pixels == PixelCounts(true_positive=1, true_negative=1)


def test_a_pixel_that_could_not_be_assessed_is_a_miss_where_something_was_labelled() -> None:
    found = tally(picture("##.."), picture("#?.?"), 1.0)
    assert found.pixels == PixelCounts(true_positive=1, false_negative=1, true_negative=2)


def test_an_object_covered_by_a_quarter_is_found_but_not_matched_in_outline() -> None:
    label = square(empty(), 10, 10, 4, 4)
    quarter = tally(label, square(empty(), 10, 10, 4, 1), 1.0).objects
    assert (quarter.labelled, quarter.found, quarter.matched) == (1, 1, 0)
    assert (quarter.predicted, quarter.right, quarter.predicted_matched) == (1, 1, 0)


def test_an_object_touched_by_less_than_a_quarter_is_missed() -> None:
    label = square(empty(), 10, 10, 4, 5)
    touched = tally(label, square(empty(), 10, 14, 4, 1), 1.0).objects
    assert (touched.labelled, touched.found) == (1, 0)
    assert (touched.predicted, touched.right) == (1, 1), "what was predicted lies wholly on the label"


def test_outlines_match_from_half_of_the_union() -> None:
    label = square(empty(), 10, 10, 4, 4)
    half = tally(label, square(empty(), 10, 10, 4, 2), 1.0).objects
    assert (half.matched, half.predicted_matched) == (1, 1)


def test_one_blob_over_two_structures_finds_both_and_matches_neither() -> None:
    label = square(square(empty(), 10, 10, 4, 4), 10, 16, 4, 4)
    blob = tally(label, square(empty(), 10, 10, 8, 10), 1.0).objects
    assert (blob.labelled, blob.found, blob.matched) == (2, 2, 0)
    assert (blob.predicted, blob.right, blob.predicted_matched) == (1, 1, 0)


def test_objects_below_the_smallest_size_are_left_out_on_both_sides() -> None:
    three_m2 = square(empty(), 10, 10, 1, 3)
    assert tally(three_m2, three_m2, 1.0).objects == ObjectCounts()


def test_an_object_of_just_the_smallest_size_counts_whatever_the_pixel() -> None:
    four_m2 = square(empty(), 10, 10, 10, 10)
    assert tally(four_m2, empty(), 0.2 * 0.2).objects.labelled == 1


@pytest.mark.parametrize(
    ("width", "size_class"), [(15, 0), (16, 1), (63, 1), (64, 2), (255, 2), (256, 3)], ids=lambda v: str(v)
)
def test_size_classes_start_at_their_lower_end(width: int, size_class: int) -> None:
    bar = square(np.zeros((3, 300), np.uint8), 1, 5, 1, width)
    labelled = [counts.labelled for counts in tally(bar, bar, 1.0).by_size]
    assert labelled == [int(i == size_class) for i in range(4)]


def test_a_predicted_object_on_ignored_ground_is_neither_right_nor_wrong() -> None:
    label = empty()
    label[10:20, 10:20] = 255
    assert tally(label, square(empty(), 12, 12, 4, 4), 1.0).objects == ObjectCounts()
    mostly_outside = tally(label, square(empty(), 12, 16, 4, 12), 1.0).objects
    assert (mostly_outside.predicted, mostly_outside.right) == (1, 0)


def test_an_empty_label_set_measures_false_alarms_alone() -> None:
    predicted = square(square(empty(), 10, 10, 3, 3), 50, 50, 3, 3)
    found = figures(tally(empty(), predicted, 1.0))
    assert found.false_alarms_per_10000_m2 == 2.0
    assert (found.precision, found.object_precision) == (0.0, 0.0)
    assert (found.recall, found.f1, found.iou, found.object_recall, found.object_f1) == (None,) * 5


def test_nothing_labelled_and_nothing_predicted_leaves_no_figure_but_no_false_alarms() -> None:
    found = figures(tally(empty(), empty(), 1.0))
    assert found == Figures(*(None,) * 8, false_alarms_per_10000_m2=0.0, false_alarm_area_share=0.0)


def test_silence_where_something_is_labelled_scores_zero() -> None:
    found = figures(tally(square(empty(), 1, 1, 5, 5), empty(), 1.0))
    assert (found.recall, found.f1, found.iou, found.object_f1, found.matched_f1) == (0.0,) * 5


def test_tallies_of_two_pictures_add_up_to_that_of_both_side_by_side() -> None:
    gap = np.zeros((40, 2), np.uint8)
    one, other = square(empty(40), 5, 5, 4, 4), square(empty(40), 20, 20, 10, 9)
    said_one, said_other = square(empty(40), 5, 6, 4, 4), square(empty(40), 1, 1, 8, 8)
    apart = tally(one, said_one, 1.0) + tally(other, said_other, 1.0)
    label, said = np.hstack([one, gap, other]), np.hstack([said_one, gap, said_other])
    assert apart + tally(gap, gap, 1.0) == tally(label, said, 1.0)


@pytest.fixture
def places() -> list[Tally]:
    """Ten places whose F1 goes from 0 to 0.9."""
    return [Tally(PixelCounts(true_positive=i, false_positive=10 - i, false_negative=10 - i)) for i in range(10)]


def test_the_bootstrap_gives_the_same_interval_for_the_same_seed_and_another_for_another(places: list[Tally]) -> None:
    assert intervals(places, seed=1) == intervals(places, seed=1)
    assert intervals(places, seed=1)["f1"] != intervals(places, seed=2)["f1"]


def test_the_interval_holds_the_figure_and_is_narrower_for_a_lower_level(places: list[Tally]) -> None:
    whole = figures(sum(places, Tally())).f1
    wide, narrow = intervals(places)["f1"], intervals(places, level=0.5)["f1"]
    assert whole is not None
    assert wide is not None
    assert narrow is not None
    assert wide[0] < narrow[0] < whole < narrow[1] < wide[1]


def test_equal_places_leave_nothing_to_chance() -> None:
    assert intervals([Tally(PixelCounts(3, 1, 1, 5))] * 4)["f1"] == (0.75, 0.75)


def test_one_place_tells_nothing_of_others() -> None:
    assert set(intervals([Tally(PixelCounts(3, 1, 1, 5))]).values()) == {None}


def test_a_figure_that_most_resamples_leave_undefined_has_no_interval() -> None:
    nothing_labelled = [Tally(PixelCounts(0, 1, 0, 9))] * 3
    found = intervals(nothing_labelled)
    assert found["f1"] is None
    assert found["precision"] == (0.0, 0.0)
    assert set(found) == {f.name for f in fields(Figures)}
