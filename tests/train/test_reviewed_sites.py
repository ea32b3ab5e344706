"""What people said of a site labels its ground: confirmed, rejected, cleared, drawn anew."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import (
    Assessment,
    Change,
    ChangeKind,
    Decision,
    Label,
    Outcome,
    Question,
    ReviewReason,
    Scene,
    Site,
    Surface,
    Verdict,
)
from cvpipe.geo import WGS84, reproject
from cvpipe.imagery import describe
from cvpipe.ledger import Ledger, Workspace
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.settings import parse_settings
from cvpipe.train.pictures import EpochPair
from cvpipe.train.reviewed_sites import reviewed_sites
from cvpipe.train.settings import LedgerSource

UTM = CRS.from_epsg(32650)
LEFT, TOP, SIDE = 440_000.0, 4_420_000.0, 400  # pixels of 0.5 m
#: Columns and rows of pixels, in the scenes: the site, the structure that went, and green that came.
SITE, SHED, GREEN = (100, 100, 220, 200), (120, 120, 160, 150), (170, 150, 200, 180)


def ground(part: tuple[int, int, int, int]) -> BaseGeometry:
    x0, y0, x1, y1 = part
    return reproject(box(LEFT + x0 / 2, TOP - y1 / 2, LEFT + x1 / 2, TOP - y0 / 2), UTM, WGS84)


def raster(path: Path, later: bool) -> Scene:
    pixels = np.random.default_rng(3).integers(60, 180, (3, SIDE, SIDE), np.uint8)
    if not later:
        pixels[:, SHED[1] : SHED[3], SHED[0] : SHED[2]] = 240
    with rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=3, dtype="uint8", crs=UTM,
        transform=Affine(0.5, 0, LEFT, 0, -0.5, TOP),
    ) as file:  # fmt: skip
        file.write(pixels)
    return describe(path, date(2017 if later else 2015, 6, 1))


def change(kind: ChangeKind, part: tuple[int, int, int, int]) -> Change:
    return Change(kind, ground(part), 300.0, 0.9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with site A, whose shed the machine saw go and whose green it saw come."""
    Workspace.create(tmp_path / "w")
    scenes = [raster(tmp_path / f"{year}.tif", year == 2017) for year in (2015, 2017)]
    given = {
        Question.DEMOLITION: Outcome.COMPLETE,
        Question.CLEARANCE: Outcome.NOT_MET,
        Question.GREENING: Outcome.GAINED,
    }
    assessed = Assessment(
        "A", "key", scenes[0].content_hash, scenes[1].content_hash, "sha256:b", "1", None,
        tuple(Verdict(question, outcome) for question, outcome in given.items()),
        (change(ChangeKind.STRUCTURE_REMOVED, SHED), change(ChangeKind.GREEN_ADDED, GREEN)),
    )  # fmt: skip
    with ledger_of(tmp_path / "w") as ledger:
        ledger.put_sites([Site("A", ground(SITE))], source="test")
        for scene in scenes:
            ledger.add_scene(scene)
        run = ledger.begin_run(
            settings={}, code_version="0", bundle="b", bundle_digest="sha256:b", rules_version="1", machine={}
        )
        ledger.record(run, assessed)
    return tmp_path / "w"


def ledger_of(folder: Path) -> Ledger:
    return Workspace.open(folder).ledger()


def decide(
    folder: Path,
    question: Question,
    verdict: Outcome,
    *,
    supersedes: int | None = None,
    reason: str = "",
    who: str = "reviewer",
) -> int:
    decision = Decision("A", who, question, verdict, assessment_key="key", reason=str(reason), supersedes=supersedes)
    with ledger_of(folder) as ledger:
        return ledger.decide(decision).id


def pairs(folder: Path, **keys: object) -> list[EpochPair]:
    common = {"kind": "ledger", "weight": 1, "gsd_range_m": [0.3, 0.6], "licence": "own", "margin_m": 10}
    return reviewed_sites(parse_settings({**common, "workspace": str(folder), **keys}, LedgerSource, where="test"))


def only(folder: Path) -> EpochPair:
    (pair,) = pairs(folder)
    return pair


def middle(part: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """The pixels of a pair that surely lie inside a part of the scenes: 10 m of margin, 3 px off the edge."""
    x, y = SITE[0] - 20, SITE[1] - 20
    return np.s_[part[1] - y + 3 : part[3] - y - 3, part[0] - x + 3 : part[2] - x - 3]


REST = (170, 104, 216, 140)
"""A piece of the site in which nothing changed."""


def test_nothing_reviewed_teaches_nothing(folder: Path) -> None:
    assert pairs(folder) == []


def test_a_confirmed_demolition_labels_what_went_and_what_did_not(folder: Path) -> None:
    decide(folder, Question.DEMOLITION, Outcome.COMPLETE)
    pair = only(folder)
    assert pair.place == "ledger/A"
    assert pair.gsd_m == pytest.approx(0.5, abs=0.002)
    assert (pair.change[0][middle(SHED)] == 1).all()
    assert (pair.change[0][middle(REST)] == 0).all()
    assert (pair.change[1] == IGNORE).all(), "nobody was asked what came"
    assert (pair.surface[0][middle(SHED)] == Surface.STRUCTURE).all()
    assert (pair.surface[1][middle(SHED)] == NOT_STRUCTURE).all()
    assert (pair.pixels[0][middle(SHED)] == 240).mean() > 0.95


def test_ground_beyond_the_site_teaches_nothing(folder: Path) -> None:
    decide(folder, Question.DEMOLITION, Outcome.COMPLETE)
    pair = only(folder)
    assert (pair.change[:, :15] == IGNORE).all()
    assert all((surface[:15] == IGNORE).all() for surface in pair.surface)


def test_a_rejected_demolition_is_unchanged_ground(folder: Path) -> None:
    decide(folder, Question.DEMOLITION, Outcome.NONE)
    pair = only(folder)
    assert (pair.change[0][middle(SITE)] == 0).all()
    assert (pair.surface[0] == IGNORE).all(), "that the shed did not go does not say that one stands"


def test_another_degree_teaches_nothing(folder: Path) -> None:
    decide(folder, Question.DEMOLITION, Outcome.PARTIAL)
    assert pairs(folder) == []


def test_the_last_word_counts(folder: Path) -> None:
    first = decide(folder, Question.DEMOLITION, Outcome.COMPLETE)
    decide(folder, Question.DEMOLITION, Outcome.NONE, supersedes=first)
    assert (only(folder).change[0] != 1).all()


def test_two_persons_who_differ_teach_nothing_until_they_agree(folder: Path) -> None:
    first = decide(folder, Question.DEMOLITION, Outcome.COMPLETE)
    decide(folder, Question.DEMOLITION, Outcome.NONE, who="another")
    assert pairs(folder) == []
    decide(folder, Question.DEMOLITION, Outcome.NONE, supersedes=first, who="a third")
    (pair,) = pairs(folder)
    assert not (pair.change[0] == 1).any()


def test_what_was_taken_back_teaches_nothing(folder: Path) -> None:
    first = decide(folder, Question.DEMOLITION, Outcome.COMPLETE)
    decide(folder, Question.DEMOLITION, Outcome.COMPLETE, supersedes=first, reason=ReviewReason.WITHDRAWN)
    assert pairs(folder) == []


def test_a_cleared_site_holds_no_structure_afterwards(folder: Path) -> None:
    decide(folder, Question.CLEARANCE, Outcome.MET)
    pair = only(folder)
    assert (pair.surface[1][middle(SITE)] == NOT_STRUCTURE).all()
    assert (pair.change[1][middle(SITE)] == 0).all()
    assert (pair.surface[0] == IGNORE).all()


def test_confirmed_green_is_vegetation_afterwards(folder: Path) -> None:
    decide(folder, Question.GREENING, Outcome.GAINED)
    pair = only(folder)
    assert (pair.surface[1][middle(GREEN)] == Surface.VEGETATION).all()
    assert (pair.change == IGNORE).all()


def test_what_was_drawn_goes_over_what_was_decided(folder: Path) -> None:
    decide(folder, Question.DEMOLITION, Outcome.COMPLETE)
    added = change(ChangeKind.STRUCTURE_ADDED, GREEN)
    with ledger_of(folder) as ledger:
        ledger.label(Label("A", "key", "reviewer", ground(SITE), (added,)))
    pair = only(folder)
    assert (pair.change[1][middle(GREEN)] == 1).all()
    assert (pair.change[0][middle(SITE)] == 0).all(), "it speaks of every kind of change"


def test_sites_can_be_picked(folder: Path) -> None:
    decide(folder, Question.DEMOLITION, Outcome.COMPLETE)
    assert len(pairs(folder, sites=["A", "B"])) == 1
    assert pairs(folder, sites=["B"]) == []


def test_a_scene_that_is_gone_costs_its_site_only(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    decide(folder, Question.DEMOLITION, Outcome.COMPLETE)
    (folder.parent / "2017.tif").unlink()
    assert pairs(folder) == []
    assert "site A left out" in caplog.text
