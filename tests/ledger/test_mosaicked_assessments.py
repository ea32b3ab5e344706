"""Assessments of epochs that lie across several scenes of one day, in both stores."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cvpipe.errors import LedgerError
from cvpipe.ledger import Ledger
from tests.ledger import samples

MADE = replace(
    samples.assessment("SJS-002", "mosaicked"), before_fill=("h2015-east", "h2015-north"), after_fill=("h2017-east",)
)


@pytest.fixture
def tiled(filled: Ledger) -> Ledger:
    for name in ("h2015-east", "h2015-north"):
        filled.add_scene(samples.scene(name, date(2015, 10, 1), f"{name}.tif"))
    filled.add_scene(samples.scene("h2017-east", date(2017, 7, 1), "h2017-east.tif"))
    return filled


def test_it_comes_back_with_all_its_scenes(tiled: Ledger) -> None:
    tiled.record(samples.begin_run(tiled), MADE)
    (record,) = tiled.assessments("SJS-002")
    assert record.assessment == MADE
    assert record.assessment.scenes == ("h2015", "h2015-east", "h2015-north", "h2017", "h2017-east")
    assert (record.before_date, record.after_date) == (date(2015, 10, 1), date(2017, 7, 1))
    assert tiled.verify().problems == ()


@pytest.mark.parametrize(
    ("fill", "told"), [(("nowhere",), "no scene has the content 'nowhere'"), (("h2017-east",), "of several days")]
)
def test_scenes_that_cannot_be_of_that_epoch_are_refused(tiled: Ledger, fill: tuple[str, ...], told: str) -> None:
    run_id = samples.begin_run(tiled)
    with pytest.raises(LedgerError, match=told):
        tiled.record(run_id, replace(MADE, before_fill=fill))
    assert tiled.assessments("SJS-002") == []
