"""A site across the seam of two tiles: read as one scene, recorded with both, and assessed once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from affine import Affine

from cvpipe.domain import ChangeKind, Outcome, Question
from cvpipe.imagery import describe
from cvpipe.ledger import AssessmentRecord, Workspace
from cvpipe.run import Why, plan, run
from cvpipe.run.epochs import Epoch
from cvpipe.run.sites import PairKind, SitePair
from tests.detect.conftest import ORIGIN, RED, chequers, write_geotiff
from tests.run.conftest import DAYS, OLD_SHED, SITES

#: Columns of the two tiles; the shed stands in columns 60 to 120, its site in 40 to 140.
TILES = {"west": slice(0, 100), "east": slice(90, 300)}


def tiles(folder: Path, day: date, *, has_shed: bool) -> list[Path]:
    pixels = chequers()
    if has_shed:
        pixels[OLD_SHED] = RED
    return [
        write_geotiff(folder / f"{name}_{day}.tif", pixels[:, columns], ORIGIN * Affine.translation(columns.start, 0))
        for name, columns in TILES.items()
    ]


@pytest.fixture
def tiled(tmp_path: Path, network: object) -> Workspace:
    assert network is not None
    made = Workspace.create(tmp_path / "ws")
    with made.ledger() as ledger:
        ledger.put_sites(SITES[:1], source="test")
        for day, has_shed in zip(DAYS[:2], (True, False), strict=True):
            for path in tiles(tmp_path, day, has_shed=has_shed):
                ledger.add_scene(describe(path))
    return made


def records(workspace: Workspace) -> list[AssessmentRecord]:
    with workspace.ledger() as ledger:
        return ledger.assessments("A")


def test_both_tiles_are_read_and_recorded(tiled: Workspace) -> None:
    summary = run(tiled)
    assert (summary.assessed, summary.failures) == (1, [])
    (record,) = records(tiled)
    made, measured = record.assessment, record.assessment.measurements
    assert measured is not None
    assert measured.valid_share == pytest.approx(1.0)
    assert measured.change_m2[ChangeKind.STRUCTURE_REMOVED] == pytest.approx(40 * 60 * 0.25, rel=0.02)
    assert {v.question: v.outcome for v in made.verdicts}[Question.DEMOLITION] is Outcome.COMPLETE
    with tiled.ledger() as ledger:
        by_day = {day: {s.content_hash for s in ledger.scenes() if s.acquired == day} for day in DAYS[:2]}
        assert ledger.verify().problems == ()
    assert [{made.before, *made.before_fill}, {made.after, *made.after_fill}] == [by_day[day] for day in DAYS[:2]]
    assert set(made.scenes) == by_day[DAYS[0]] | by_day[DAYS[1]]


def test_it_is_known_afterwards(tiled: Workspace) -> None:
    (first,) = plan(tiled)
    assert [name.split("_")[0] for name in first.before_scenes] == ["west", "east"]
    run(tiled)
    assert [pair.why for pair in plan(tiled)] == [None]
    assert run(tiled).assessed == 0


def test_a_third_tile_that_adds_ground_makes_another_pair(tiled: Workspace, tmp_path: Path) -> None:
    with tiled.ledger() as ledger:
        ledger.put_sites([replace(SITES[0], buffer_m=0.0)], source="test")
    run(tiled)
    with tiled.ledger() as ledger:
        path = write_geotiff(tmp_path / f"third_{DAYS[2]}.tif", chequers())
        ledger.add_scene(replace(describe(path), acquired=DAYS[1]))
    assert [pair.why for pair in plan(tiled)] == [Why.NEW_SCENE], (
        "one scene that covers all goes before two that do not"
    )


def test_the_key_follows_every_scene_and_not_their_order(tiled: Workspace) -> None:
    with tiled.ledger() as ledger:
        one, other = [scene for scene in ledger.scenes() if scene.acquired == DAYS[0]]
        later = next(scene for scene in ledger.scenes() if scene.acquired == DAYS[1])

    def key(before: Epoch) -> str:
        return SitePair(SITES[0], PairKind.REMEDIATION, before, Epoch((later,))).key("bundle", "rules")

    assert key(Epoch((one, other))) == key(Epoch((other, one)))
    assert len({key(Epoch((one, other))), key(Epoch((one,))), key(Epoch((other,)))}) == 3
