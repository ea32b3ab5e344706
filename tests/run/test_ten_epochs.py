"""Ten epochs of one site through the real job, run by run as the scenes come in: the ledger tells its life once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cvpipe.cli import app, console
from cvpipe.domain import Plan, Site, SiteStatus, Stage
from cvpipe.imagery import describe
from cvpipe.ledger import Ledger, Workspace
from cvpipe.run import run
from tests.detect.conftest import GREEN, RED, Pixels, chequers, write_geotiff
from tests.run.conftest import OLD_SHED, square

pytestmark = pytest.mark.slow

SITE = square(*OLD_SHED)
BASELINE = date(2015, 6, 1)
NEW_SHED, PLANTED = np.s_[62:92, 70:110], np.s_[60:100, 60:120]


@dataclass(frozen=True)
class Epoch:
    """A day, what stands on the site and grows there, and what a person says before the next one."""

    on: date
    paint: Callable[[Pixels], None] = lambda _: None
    then: tuple[tuple[SiteStatus, date], ...] = ()


def stands(pixels: Pixels) -> None:
    """The old shed, as at the baseline."""
    pixels[OLD_SHED] = RED


def rebuilt(pixels: Pixels) -> None:
    """A new shed on cleared ground."""
    pixels[NEW_SHED] = RED


def green(pixels: Pixels) -> None:
    """The ground is planted."""
    pixels[PLANTED] = GREEN


def clouded(pixels: Pixels) -> None:
    """A cloud over the site and round about it."""
    rows, cols = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    thick = np.clip(2.6 - np.hypot(rows - 80, cols - 90) / 40, 0, 1)[..., None]
    pixels[:] = np.round(pixels * (1 - thick) + 244 * thick).astype(np.uint8)


CLOSED, CLEARED, REBOUND = SiteStatus.CLOSED, SiteStatus.CLEARED, SiteStatus.REBOUND
EPOCHS = (
    Epoch(date(2016, 4, 20), stands),
    Epoch(date(2016, 7, 1)),
    Epoch(date(2016, 8, 1), clouded),
    Epoch(date(2016, 12, 1), then=((CLEARED, date(2016, 12, 10)), (CLOSED, date(2016, 12, 15)))),
    Epoch(date(2017, 4, 20), rebuilt),
    Epoch(date(2017, 6, 10), rebuilt, ((REBOUND, date(2017, 6, 20)),)),
    Epoch(date(2017, 12, 5), then=((CLEARED, date(2018, 1, 5)), (CLOSED, date(2018, 1, 8)))),
    Epoch(date(2018, 5, 20), green),
    Epoch(date(2018, 12, 10)),
    Epoch(date(2019, 6, 15), green),
)

STORY = [
    (Stage.CLEARED, date(2016, 7, 1), date(2016, 4, 20)),
    (Stage.REBOUND, date(2017, 4, 20), date(2016, 12, 1)),
    (Stage.CLEARED, date(2017, 12, 5), date(2017, 6, 20)),
    (Stage.GREEN, date(2018, 5, 20), date(2017, 12, 5)),
]


def scene(folder: Path, on: date, paint: Callable[[Pixels], None]) -> Path:
    """A painted scene of a day."""
    pixels = chequers()
    paint(pixels)
    pixels[0, :3] = np.array([on.year % 100, on.month, on.day], np.uint8)[:, None]  # no two days are the same picture
    return write_geotiff(folder / f"scene_{on}.tif", pixels)


@pytest.fixture
def place(tmp_path: Path, network: object) -> Workspace:
    """A workspace with the site and its baseline."""
    assert network is not None, "the painted network stands in for the released one"
    made = Workspace.create(tmp_path / "ws")
    with made.ledger() as ledger:
        ledger.put_sites([Site("A", SITE, plan=Plan(work_started=date(2015, 9, 1)))], source="test")
        ledger.add_scene(describe(scene(tmp_path, BASELINE, stands)))
    return made


def told(ledger: Ledger) -> list[tuple[Stage, date, date | None]]:
    """Stage and the two dates between which each came about."""
    return [(s.stage, s.first_seen, s.not_yet_on) for s in (entry.value for entry in ledger.sightings("A"))]


def live(place: Workspace, folder: Path) -> list[SiteStatus | None]:
    """Each epoch comes in, is run, and people act; returns what was shown after each."""
    shown = []
    for epoch in EPOCHS:
        with place.ledger() as ledger:
            ledger.add_scene(describe(scene(folder, epoch.on, epoch.paint)))
        assert run(place).failures == []
        with place.ledger() as ledger:
            shown.append(ledger.observed()["A"].status)
            for status, day in epoch.then:
                ledger.move_site("A", status, who="leader", reason="seen on the ground", effective=day)
    assert run(place).failures == []
    return shown


def test_the_ledger_tells_exactly_what_happened(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = live(place, tmp_path)
    assert [status for status, _ in groupby(shown)] == [SiteStatus.REGISTERED, CLEARED, REBOUND, CLEARED]
    with place.ledger() as ledger:
        assert told(ledger) == STORY
        state = ledger.states()["A"]
        actions = [h.action for h in ledger.history("A") if h.kind == "sighting"]
        assert ledger.verify().problems == ()
    assert (state.rebounds, state.rebound_since, state.stage) == (1, None, Stage.CLEARED)
    assert "withdrawn" not in actions
    assert actions.count("seen") == len(STORY), "each stage is told once as it is first seen"

    again = run(place)
    assert (again.assessed, again.run_id) == (0, None)
    monkeypatch.setattr(console.out, "width", 120)
    brief = CliRunner().invoke(app, ["sites", "history", "A", "--brief", "--workspace", str(place.folder)])
    assert brief.exit_code == 0, brief.output
    assert "2017-04-20" in brief.stdout
    order = ["cleared,", "close:", "rebound,", "confirm rebound:", "cleared,", "close:", "green,"]
    at = -1
    for word in order:
        at = brief.stdout.index(word, at + 1)


def test_all_scenes_at_once_tell_the_same(place: Workspace, tmp_path: Path) -> None:
    """As where a campaign is entered in retrospect: first every scene and what people did, then one run."""
    with place.ledger() as ledger:
        for epoch in EPOCHS[::-1]:
            ledger.add_scene(describe(scene(tmp_path, epoch.on, epoch.paint)))
        for status, day in (step for epoch in EPOCHS for step in epoch.then):
            ledger.move_site("A", status, who="leader", reason="seen on the ground", effective=day)
    assert run(place).failures == []
    with place.ledger() as ledger:
        assert told(ledger) == STORY
        assert ledger.states()["A"].rebounds == 1
