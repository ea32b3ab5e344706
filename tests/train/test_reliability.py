"""Calibration errors one can work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cvpipe.train.reliability import Reliability, untempered, untempered_class


def said(probability: float, so: int, of: int) -> Reliability:
    """`of` answers of one probability, `so` of which were true."""
    return Reliability.of(np.full(of, probability), np.arange(of) < so)


def test_what_is_said_with_seventy_percent_and_is_so_seven_times_in_ten_is_right() -> None:
    assert said(0.7, 7, 10).ece == pytest.approx(0)


def test_the_error_is_the_mean_distance_by_answers() -> None:
    both = said(0.9, 5, 10) + said(0.1, 3, 30)
    assert both.ece == pytest.approx(0.25 * 0.4 + 0.75 * 0.0)
    assert both.total == 40


def test_certain_ground_hides_no_fault_from_the_unsure_error() -> None:
    both = said(0.0, 0, 9990) + said(0.6, 0, 10)
    assert both.ece == pytest.approx(0.0006)
    assert both.unsure_ece == pytest.approx(0.6)


def test_nothing_said_is_no_error_of_zero() -> None:
    assert Reliability().ece is None
    assert said(0.0, 0, 5).unsure_ece is None


def test_certainty_falls_into_the_last_bin() -> None:
    assert said(1.0, 4, 4).points() == [(1.0, 1.0, 4.0)]


def test_a_temperature_is_taken_out_exactly() -> None:
    logits = np.linspace(-6, 6, 25)
    tempered = 1 / (1 + np.exp(-logits / 1.7))
    np.testing.assert_allclose(untempered(tempered, 1.7), 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_and_out_of_one_class_of_several() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (8, 2, 3))

    def softmax(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(x) / np.exp(x).sum(axis=0))

    np.testing.assert_allclose(untempered_class(softmax(logits / 0.8), 1, 0.8), softmax(logits)[1], atol=1e-9)
