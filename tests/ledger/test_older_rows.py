"""Rows from before errors were estimated are read as they were meant."""

from __future__ import annotations

from cvpipe.domain import Criterion
from cvpipe.ledger.encoding import measurements_as_plain, measurements_of, verdict_as_plain, verdict_of
from tests.ledger import samples


def test_a_verdict_without_intervals_is_read() -> None:
    plain = verdict_as_plain(samples.assessment("A", "key").verdicts[0])
    for criterion in plain["criteria"]:
        del criterion["interval"]
    assert verdict_of(plain).criteria[0] == Criterion("removed share", 1.0, "", 0.95, True, None)


def test_measurements_without_spreads_or_remnants_are_read() -> None:
    measured = samples.assessment("A", "key").measurements
    assert measured is not None
    plain = measurements_as_plain(measured)
    del plain["spreads"], plain["left"]
    old = measurements_of(plain)
    assert (old.spreads, old.left, old.site_area_m2) == ({}, (), measured.site_area_m2)
