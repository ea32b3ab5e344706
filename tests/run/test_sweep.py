"""Whole scenes swept: what changed outside every site becomes a candidate, once."""

from __future__ import annotations

import json
import random
import shutil
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from shapely.geometry import box
from typer.testing import CliRunner

from cvpipe.cli import app
from cvpipe.domain import Candidate, CandidateState, Change, ChangeKind, Scene
from cvpipe.errors import SceneError
from cvpipe.geo import area_m2
from cvpipe.ledger import Workspace
from cvpipe.run import RunOptions, job, run, whole_scenes
from cvpipe.run.merging import Seams, Shelf, is_same, merged, outside_sites
from cvpipe.run.sweep import SWEPT_NAME, pairs_to_sweep
from cvpipe.run.whole_scenes import ScenePair
from tests.detect.networks import PaintedNetwork
from tests.run.conftest import DAYS, NEW_SHED, SITES, square

#: A degree near the equator, where these squares lie, is 111 km: 0.001 is 111 m.
STEP = 0.001


def found(
    left: float, width: float = 1.0, kind: ChangeKind = ChangeKind.STRUCTURE_ADDED, chance: float = 0.8
) -> Candidate:
    """A square of change, in steps from the origin."""
    outline = box(left * STEP, 0, (left + width) * STEP, STEP)
    return Candidate(outline, kind, 12_300.0 * width, chance, DAYS[2], DAYS[2])


def scene(name: str, day: date, left: float, width: float = 10.0, cloud: float | None = None) -> Scene:
    stac = None if cloud is None else {"properties": {"eo:cloud_cover": cloud}}
    outline = box(left * STEP, 0, (left + width) * STEP, 10 * STEP)
    return Scene(f"/{name}.tif", day, name, outline, 0.5, "EPSG:4326", 10, 10, 3, "uint8", stac)


def swept(*scenes: Scene) -> list[tuple[str, str]]:
    return [(pair.before.content_hash, pair.after.content_hash) for pair in pairs_to_sweep(scenes)]


def test_each_place_has_its_newest_usable_pair() -> None:
    old, mid, new = (scene(name, day, 0) for name, day in zip(("old", "mid", "new"), DAYS, strict=True))
    assert swept(old, mid, new) == [("mid", "new")]
    assert swept(old, replace(mid, stac={"properties": {"eo:cloud_cover": 80}}), new) == [("old", "new")]
    beside = scene("beside", DAYS[1], 10)
    assert swept(old, new, beside, scene("beside_old", DAYS[0], 10)) == [("old", "new"), ("beside_old", "beside")]
    assert swept(new) == []
    assert swept(old, scene("far", DAYS[2], 500)) == []


def test_what_lies_in_a_site_is_none_and_what_reaches_out_is_cut() -> None:
    site = box(0, 0, STEP, STEP)
    assert outside_sites([found(0)], [site]) == []
    (rest,) = outside_sites([found(0.5)], [site])
    assert rest.area_m2 == pytest.approx(6150, rel=0.01)
    assert outside_sites([found(3)], [site])[0] == found(3)
    sliver = box(0, 0, STEP * 0.995, STEP)
    assert outside_sites([found(0)], [sliver]) != []
    assert outside_sites([replace(found(0), kind=ChangeKind.GREEN_ADDED)], [sliver]) == []


def test_what_an_edge_cut_in_two_is_one_and_kinds_stay_apart() -> None:
    (one,) = merged([found(0, chance=0.9), found(1, chance=0.5)])
    assert one.area_m2 == pytest.approx(2 * 12_300, rel=0.01)
    assert one.probability == pytest.approx(0.7)
    assert len(merged([found(0), found(1.1)])) == 2
    assert len(merged([found(0), found(1, kind=ChangeKind.GREEN_ADDED)])) == 2


def test_half_of_the_smaller_one_makes_them_the_same() -> None:
    assert is_same(found(0), found(0.4))
    assert not is_same(found(0), found(0.6))
    assert is_same(found(0, width=5), found(4.4))
    assert not is_same(found(0), found(0, kind=ChangeKind.GREEN_ADDED))


def test_large_and_likely_comes_first(tmp_path: Path) -> None:
    small, doubtful, large = found(0, width=0.2), found(2, chance=0.3), found(4, width=2)
    with Shelf(tmp_path) as shelf:
        for one in (doubtful, small, large):
            shelf.put(one)
        assert list(shelf.ranked()) == [large, doubtful, small]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(8))
def test_scene_by_scene_is_as_all_at_once(seed: int) -> None:
    """A mosaic of 6 x 6 scenes; what changed lies across their edges in chains of three kinds of length."""
    dice, tiles = random.Random(seed), list[Scene]()
    for n in range(36):
        col, row = n % 6, n // 6
        tiles.append(replace(scene(f"t{n}", DAYS[2], 0), footprint=box(col, row, col + 1.02, row + 1.02)))
    dice.shuffle(tiles)
    by_tile = [_changes_in(tile, dice) for tile in tiles]
    seams, whole, held = Seams(tiles), list[Candidate](), 0
    for number, some in enumerate(by_tile):
        whole += seams.whole(number, some)
        held = max(held, seams.held)
    expected = merged([one for some in by_tile for one in some])
    assert sorted(_told(one) for one in whole) == sorted(_told(one) for one in expected)
    assert any(one.area_m2 > 2 * area_m2(box(0, 0, 0.2, 0.1)) for one in whole), "some reach over several scenes"


def test_only_what_a_scene_still_to_come_may_touch_is_held() -> None:
    """A strip of scenes with changes amid each: whatever their number, none but those of the seam wait."""
    strip = [replace(scene(f"s{n}", DAYS[2], 0), footprint=box(n, 0, n + 1, 1)) for n in range(50)]
    seams, given = Seams(strip), 0
    for number in range(50):
        amid = [replace(found(0), geometry=box(number + 0.2, y, number + 0.3, y + 0.05)) for y in (0.2, 0.4, 0.6)]
        edge = replace(found(0), geometry=box(number + 0.9, 0.8, number + 1.0, 0.9))
        given += len(list(seams.whole(number, [*amid, edge])))
        assert seams.held <= 1
    assert given == 50 * 4


def _changes_in(tile: Scene, dice: random.Random) -> list[Candidate]:
    left, bottom, right, top = tile.footprint.bounds
    some = list[Candidate]()
    for _ in range(40):
        x, y = dice.uniform(left, right - 0.2), dice.uniform(bottom, top - 0.1)
        kind = dice.choice([ChangeKind.STRUCTURE_ADDED, ChangeKind.GREEN_REMOVED])
        outline = box(x, y, x + dice.choice([0.02, 0.2]), y + dice.choice([0.01, 0.1]))
        day = dice.choice(DAYS)
        some.append(Candidate(outline, kind, area_m2(outline), dice.random(), day, day))
    return some


def _told(one: Candidate) -> tuple[object, ...]:
    bounds = tuple(round(v, 9) for v in one.geometry.bounds)
    return one.kind, bounds, round(one.area_m2), round(one.probability, 9), one.first_seen, one.last_seen


@pytest.fixture
def swept_workspace(workspace: Workspace) -> Workspace:
    """Site A, where a shed came back, is elsewhere now: the new shed stands outside every site."""
    with workspace.ledger() as ledger:
        ledger.put_sites([replace(SITES[0], geometry=square(slice(180, 200), slice(20, 60), 0))], source="test")
    return workspace


def candidates(workspace: Workspace) -> list[Candidate]:
    with workspace.ledger() as ledger:
        return [entry.value for entry in ledger.candidates()]


def test_a_sweep_finds_the_shed_once(swept_workspace: Workspace, network: PaintedNetwork) -> None:
    first = run(swept_workspace, RunOptions(sweep=True))
    (one,) = candidates(swept_workspace)
    assert (first.candidates, first.failures) == (1, [])
    assert (one.kind, one.first_seen, one.last_seen) == (ChangeKind.STRUCTURE_ADDED, DAYS[2], DAYS[2])
    assert one.area_m2 == pytest.approx(30 * 40 * 0.25, rel=0.05)
    assert one.geometry.intersection(square(*NEW_SHED, 0)).area == pytest.approx(one.geometry.area, rel=0.1)

    asked = len(network.batches)
    again = run(swept_workspace, RunOptions(sweep=True))
    assert (again.candidates, again.run_id, len(network.batches)) == (0, None, asked)
    with swept_workspace.ledger() as ledger:
        ledger.settle_candidate(1, CandidateState.DISMISSED, who="Li Na", note="a tent")
    shutil.rmtree(swept_workspace.runs / SWEPT_NAME)
    assert run(swept_workspace, RunOptions(sweep=True)).candidates == 0
    assert len(network.batches) > asked
    assert len(candidates(swept_workspace)) == 1


def test_what_was_kept_and_is_damaged_is_compared_anew(swept_workspace: Workspace) -> None:
    run(swept_workspace, RunOptions(sweep=True))
    (kept,) = (swept_workspace.runs / SWEPT_NAME).iterdir()
    kept.write_text(kept.read_text()[:40])
    (failure,) = run(swept_workspace, RunOptions(sweep=True)).failures
    assert "compared anew" in failure.reason
    again = run(swept_workspace, RunOptions(sweep=True))
    assert (again.failures, again.candidates, len(candidates(swept_workspace))) == ([], 0, 1)


def test_what_no_pair_of_today_asks_for_goes(swept_workspace: Workspace, network: PaintedNetwork) -> None:
    run(swept_workspace, RunOptions(sweep=True))
    before = list((swept_workspace.runs / SWEPT_NAME).iterdir())
    network.digest = "another"
    run(swept_workspace, RunOptions(sweep=True))
    after = list((swept_workspace.runs / SWEPT_NAME).iterdir())
    assert len(after) == 1
    assert after != before


def test_a_change_in_a_site_is_no_candidate(workspace: Workspace) -> None:
    assert run(workspace, RunOptions(sweep=True)).candidates == 0
    assert candidates(workspace) == []


def test_the_commands_tell_of_it(swept_workspace: Workspace) -> None:
    def told(*args: str) -> str:
        result = CliRunner().invoke(app, [*args, "--workspace", str(swept_workspace.folder)])
        assert result.exit_code == 0, result.output
        return result.stdout

    dry = json.loads(told("run", "--sweep", "--dry-run", "--json"))
    assert [pair["after"].endswith(f"{DAYS[2]}.tif") for pair in dry["sweep"]] == [True]
    assert "1 new candidates outside every site" in told("run", "--sweep")
    (row,) = json.loads(told("candidates", "list", "--json"))
    assert (row["kind"], row["state"], row["site"]) == ("structure_added", "open", None)
    assert "1 candidates" in told("candidates", "list")


def test_a_pair_that_fails_is_tried_again_then_rests(
    swept_workspace: Workspace, network: PaintedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[str]()

    def failing(pair: ScenePair, _network: object, _light: object) -> list[Change]:
        tried.append(pair.after.content_hash)
        raise SceneError("does not lie on the other", where=pair.after.uri)

    monkeypatch.setattr(whole_scenes, "_changes", failing)
    for _ in range(2):
        (failure,) = run(swept_workspace, RunOptions(sweep=True)).failures
        assert ("does not lie" in failure.reason, failure.rests_until) == (True, None)
    (failure,) = run(swept_workspace, RunOptions(sweep=True)).failures
    assert (failure.site_code, failure.epoch, len(tried)) == ("(sweep)", DAYS[2], 2)
    assert failure.rests_until is not None
    run(swept_workspace, RunOptions(sweep=True, retry=True))
    assert len(tried) == 3

    monkeypatch.undo()
    monkeypatch.setattr(job, "load_bundle", lambda _model, _device, _runtime: network)
    assert run(swept_workspace, RunOptions(sweep=True, retry=True)).candidates == 1


def test_many_scenes_are_paired_in_nearly_linear_time() -> None:
    """A district of 40 x 40 tiles on three days: each tile's newest against the one before."""
    scenes = [
        replace(scene(f"{n}_{day}", day, 0), footprint=box(n % 40, n // 40, n % 40 + 1, n // 40 + 1))
        for day in DAYS
        for n in range(1600)
    ]
    started = time.process_time()
    found = pairs_to_sweep(scenes)
    assert len(found) == 1600
    assert {(pair.before.acquired, pair.after.acquired) for pair in found} == {(DAYS[1], DAYS[2])}
    assert time.process_time() - started < 20
