"""`cvpipe run --before X --after Y`: epochs that a person states."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from cvpipe.errors import SceneError, UsageError
from cvpipe.ledger import Workspace
from cvpipe.run import RunOptions, plan, run
from cvpipe.run.epoch_rules import EpochRules
from cvpipe.run.epochs import unseen
from cvpipe.run.stated import stated_epochs
from tests.detect.networks import PaintedNetwork
from tests.ledger.commands import run_command
from tests.run.conftest import DAYS
from tests.run.test_epochs import EAST, FIRST, SECOND, SITE, THIRD, WEST, days, scene, site_with_work

SCENES = [FIRST, SECOND, THIRD]


def named(before: str | None = None, after: str | None = None) -> list[tuple[int, int]]:
    stated = stated_epochs(before, after, SCENES)
    return days(stated.of_site(site_with_work(date(2023, 6, 1)), SCENES, EpochRules(), unseen))


def test_both_are_taken_as_they_are_stated() -> None:
    assert named("2022-05-01", "2023-05-01") == [(2022, 2023)]


def test_a_baseline_alone_meets_every_later_epoch() -> None:
    assert named(before="2022-05-01") == [(2022, 2023), (2022, 2024)]


def test_a_later_epoch_alone_meets_the_baseline_of_the_rules() -> None:
    assert named(after="2024-05-01") == [(2023, 2024)]


@pytest.mark.parametrize(
    "text", [SECOND.uri, Path(SECOND.uri).stem, SECOND.content_hash, SECOND.content_hash[:12], "item-2023"]
)
def test_the_names_of_a_scene(text: str) -> None:
    scenes = [FIRST, replace(SECOND, stac={"id": "item-2023"}), THIRD]
    found = stated_epochs(None, text, scenes).after
    assert found is not None
    assert found.acquired == SECOND.acquired


def test_a_path_from_here_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = stated_epochs("sub/../a.tif", None, [replace(FIRST, uri=str(tmp_path / "a.tif"))]).before
    assert found is not None


def test_a_day_takes_all_its_tiles_and_a_scene_only_itself() -> None:
    tiles = scene(date(2022, 5, 1), WEST), scene(date(2022, 5, 1), EAST)
    scenes = [*tiles, SECOND]
    by_day = stated_epochs("2022-05-01", "2023-05-01", scenes).of_site(SITE, scenes, EpochRules(), unseen)
    assert [len(pair.before.scenes) for pair in by_day.pairs] == [2]
    with pytest.raises(SceneError, match=r"covers 7\d% of site A, 90% are needed"):
        stated_epochs(tiles[0].uri, "2023-05-01", scenes).of_site(SITE, scenes, EpochRules(), unseen)


def test_what_is_unknown_says_which_days_there_are() -> None:
    with pytest.raises(SceneError, match=r"no scene of the ledger is 2021-05-01.*2022-05-01, 2023-05-01, 2024-05-01"):
        stated_epochs("2021-05-01", None, SCENES)
    with pytest.raises(SceneError, match=r"no scene of the ledger is nothing\.tif"):
        stated_epochs(None, "nothing.tif", SCENES)


def test_a_name_of_two_scenes_asks_for_the_path() -> None:
    twins = [replace(FIRST, uri="/one/a.tif", content_hash="one"), replace(SECOND, uri="/two/a.tif")]
    with pytest.raises(SceneError, match=r"names 2 scenes: /one/a\.tif, /two/a\.tif"):
        stated_epochs("a.tif", None, twins)
    found = stated_epochs("/two/a.tif", None, twins).before
    assert found is not None
    assert found.scenes == (twins[1],)


def test_the_wrong_order_is_refused() -> None:
    with pytest.raises(UsageError, match="is not earlier than"):
        stated_epochs("2024-05-01", "2023-05-01", SCENES)


def test_a_later_epoch_without_a_baseline_says_so() -> None:
    with pytest.raises(SceneError, match="the rules find no baseline before it for site A"):
        stated_epochs(None, "2022-05-01", SCENES).of_site(SITE, SCENES, EpochRules(), unseen)


def test_a_stated_pair_is_recorded_as_any_other(workspace: Workspace) -> None:
    options = RunOptions(codes=["B"], before=str(DAYS[1]), after=f"scene_{DAYS[2]}.tif")
    assert [(pair.before, pair.after) for pair in plan(workspace, options)] == [(DAYS[1], DAYS[2])]
    assert run(workspace, options).assessed == 1
    with workspace.ledger() as ledger:
        (record,) = ledger.assessments("B")
        stated = ledger.runs()[0].settings["stated"]
    assert (record.before_date, record.after_date) == (DAYS[1], DAYS[2])
    assert stated == {"before": str(DAYS[1]), "after": f"scene_{DAYS[2]}.tif"}
    assert run(workspace, options).known == 1


def test_a_site_that_the_epoch_does_not_show_fails_alone(workspace: Workspace) -> None:
    summary = run(workspace, RunOptions(before=str(DAYS[0]), after=str(DAYS[2])))
    assert summary.assessed == 2
    assert [(f.site_code, "covers 0% of site FAR" in f.reason) for f in summary.failures] == [("FAR", True)]


def test_the_command_says_what_is_wrong(
    workspace: Workspace, network: PaintedNetwork, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = run_command(monkeypatch, capsys, "run", "--workspace", workspace.folder, "--before", "2001-01-01")
    assert told.code == 2
    assert "--before: no scene of the ledger is 2001-01-01" in told.stderr
    told = run_command(
        monkeypatch, capsys, "run", "--workspace", workspace.folder, "--after", DAYS[2], "--dry-run", "--json"
    )
    assert told.code == 1
    assert "covers 0% of site FAR" in told.stderr
    assert not network.batches
