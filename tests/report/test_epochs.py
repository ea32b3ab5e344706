"""Which epochs stand side by side, and how far each is moved."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from shapely import box

from cvpipe.domain import ChangeKind
from cvpipe.geo import WGS84, reproject
from cvpipe.imagery import SceneReader
from cvpipe.ledger import AssessmentRecord, Ledger
from cvpipe.report import Campaign, build_content
from cvpipe.report.chips import CHIP_PX, frame_of
from cvpipe.report.content import SiteContent
from cvpipe.report.epochs import Compared, Epoch, Role, epochs_of
from tests.report.neighbourhood import CRS, DATES, PIXEL_M, PLACE, SHIFTS_PX, Neighbourhood, cell

pytestmark = pytest.mark.usefixtures("drawn")


@pytest.fixture
def pages(ledger: Ledger, today: date) -> tuple[SiteContent, ...]:
    parts = ledger.sites(), ledger.assessments(), ledger.scenes(), ledger.runs()
    return build_content(Campaign("Hills"), *parts, made_on=today).sites


def how(_: AssessmentRecord) -> Compared:
    return Compared(PIXEL_M)


def kinds(epoch: Epoch) -> set[ChangeKind]:
    return {drawn.change.kind for drawn in epoch.changes}


def test_before_after_later(pages: tuple[SiteContent, ...]) -> None:
    epochs = epochs_of(pages[0], how)
    assert [(epoch.role, epoch.acquired) for epoch in epochs] == list(zip(Role, DATES, strict=True))
    assert [epoch.offset_m for epoch in epochs] == [(x * PIXEL_M, y * PIXEL_M) for x, y in SHIFTS_PX]


def test_the_first_picture_outlines_what_was_to_go(pages: tuple[SiteContent, ...]) -> None:
    before, after, _ = epochs_of(pages[0], how)
    assert kinds(before) == {ChangeKind.STRUCTURE_REMOVED}
    assert kinds(after) == {ChangeKind.STRUCTURE_REMOVED, ChangeKind.GREEN_ADDED}


def test_a_rebound_is_outlined_where_the_watch_saw_it(pages: tuple[SiteContent, ...]) -> None:
    *_, later = epochs_of(pages[3], how)
    added = [drawn for drawn in later.changes if drawn.change.kind is ChangeKind.STRUCTURE_ADDED]
    assert [drawn.offset_m for drawn in added] == [(1.5, -1.0)]


def test_a_site_without_assessments_has_no_epochs(pages: tuple[SiteContent, ...]) -> None:
    assert epochs_of(pages[6], how) == ()


def test_pictures_show_the_same_ground_at_every_epoch(
    pages: tuple[SiteContent, ...], ledger: Ledger, drawn: Neighbourhood
) -> None:
    """The street's edge beside the first cell falls on the same pixels though the scenes are shifted."""
    frame = frame_of(pages[1].site, ledger.scenes()[0])
    assert frame.crs is not None
    rows, cols = cell(1)
    corner = reproject(
        box(*(PLACE * (cols.start, rows.start)), *(PLACE * (cols.start + 1, rows.start + 1))), CRS, WGS84
    )
    x, y = ~frame.transform * reproject(corner, WGS84, frame.crs).bounds[::3]
    assert 0 < x < CHIP_PX[0] / 2
    edges = []
    for scene, epoch in zip(drawn.scenes, epochs_of(pages[1], how), strict=True):
        dx, dy = (metres / frame.ground_pixel_m() for metres in epoch.offset_m)
        with SceneReader(scene) as reader:
            pixels = reader.read(frame.shifted(dx, dy)).pixels
        blue = pixels[int(y) + 10 : int(y) + 60, int(x) - 20 : int(x) + 20, 2].mean(axis=0)
        red = pixels[int(y) + 10 : int(y) + 60, int(x) - 20 : int(x) + 20, 0].mean(axis=0)
        edges.append(int(np.argmax(red - blue > 20)))
    assert max(edges) - min(edges) <= 2
    assert abs(edges[0] - 20) <= 3
