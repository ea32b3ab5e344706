"""How good an epoch shows a site: looked at once, remembered, and heeded by the choice."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvpipe.domain import Plan, Question, Reason, Site
from cvpipe.imagery import Quality, SceneReader, describe
from cvpipe.ledger import Workspace
from cvpipe.run import plan, run
from cvpipe.run.looking import LOOKS_NAME, Looking
from cvpipe.run.looks import Looks
from tests.detect.conftest import RED, Pixels, chequers, write_geotiff
from tests.detect.networks import PaintedNetwork
from tests.ledger.commands import run_command
from tests.run.conftest import OLD_SHED, square

DAYS = (date(2021, 5, 1), date(2022, 5, 1), date(2024, 5, 1), date(2025, 5, 1))
SITE = Site("A", square(*OLD_SHED), plan=Plan(work_started=date(2022, 9, 1)))


def cloudy(pixels: Pixels) -> Pixels:
    """A bank of cloud over the shed, soft at its edge over some twenty metres."""
    bank = cv2.circle(np.zeros(pixels.shape[:2], np.float32), (95, 85), 110, 1.0, -1)
    veil = np.asarray(cv2.GaussianBlur(bank, (0, 0), 25))[..., None]
    return np.asarray(pixels * (1 - veil) + 235 * veil, np.uint8)


@pytest.fixture
def clouded(tmp_path: Path, network: PaintedNetwork) -> Workspace:
    """The shed stands, stands under a cloud, is gone, and is gone under a cloud."""
    assert not network.batches
    made = Workspace.create(tmp_path / "ws")
    with made.ledger() as ledger:
        ledger.put_sites([SITE], source="test")
        for number, day in enumerate(DAYS):
            pixels = chequers()
            if number < 2:
                pixels[OLD_SHED] = RED
            path = write_geotiff(tmp_path / f"scene_{day}.tif", cloudy(pixels) if number % 2 else pixels)
            ledger.add_scene(describe(path))
    return made


def test_a_cloud_over_the_last_scene_before_work_gives_way_to_an_older_one(clouded: Workspace) -> None:
    first, second = plan(clouded)
    assert (first.before, first.after, second.after) == (DAYS[0], DAYS[2], DAYS[3])
    assert first.reason == "last usable scene before work began on 2022-09-01"
    assert first.newest_usable == DAYS[2]
    assert [(one.acquired, one.why[:5]) for one in first.passed_over] == [(DAYS[1], "cloud"), (DAYS[3], "cloud")]


def test_the_later_cloud_is_told_by_its_assessment(clouded: Workspace) -> None:
    run(clouded)
    with clouded.ledger() as ledger:
        made = [
            r for r in ledger.assessments("A") if Question.DEMOLITION in {v.question for v in r.assessment.verdicts}
        ]
    assert [r.after_date for r in made] == [DAYS[2], DAYS[3]]
    assert [{v.reason for v in r.assessment.verdicts} for r in made] == [{None}, {Reason.CLOUD}]


def test_nothing_is_looked_at_twice(clouded: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(clouded)
    notes = (clouded.runs / LOOKS_NAME).read_bytes()
    monkeypatch.setattr(SceneReader, "of", None)  # whoever reads a scene now fails
    assert [one.before for one in plan(clouded)] == [DAYS[0]] * 2
    assert (clouded.runs / LOOKS_NAME).read_bytes() == notes


def test_what_was_kept_is_what_was_seen(clouded: Workspace, tmp_path: Path) -> None:
    with clouded.ledger() as ledger:
        scenes = ledger.scenes()
    journal = tmp_path / "looks.sqlite"
    with ExitStack() as stack:
        for scene in scenes:
            fresh = Looking.opened(Looks(journal), 0.5, 15.0, stack).at(SITE)((scene,))
            again = Looking.opened(Looks(journal), 0.5, 15.0, stack).at(SITE)((scene,))
            assert fresh is not None
            assert repr(again) == repr(fresh), "or the next run chooses by other figures"  # repr: NaN is no NaN


def test_a_scene_that_is_away_does_not_change_the_baseline(clouded: Workspace, tmp_path: Path) -> None:
    """Its pairs fail and are tried again; another baseline would be another verdict."""
    hidden = (tmp_path / f"scene_{DAYS[0]}.tif").rename(tmp_path / "hidden.tif")
    assert [one.before for one in plan(clouded)] == [DAYS[0]] * 2
    summary = run(clouded)
    assert (summary.assessed, len(summary.failures)) == (0, 2)
    hidden.rename(tmp_path / f"scene_{DAYS[0]}.tif")
    assert run(clouded).failures == []


def test_the_dry_run_prints_choice_reason_and_what_was_passed_over(
    clouded: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cvpipe.cli.console.out.width", 200)
    told = run_command(monkeypatch, capsys, "run", "--workspace", clouded.folder, "--dry-run")
    assert told.code == 0
    lines = [" ".join(line.replace("│", " ").split()) for line in told.stdout.splitlines()]
    assert "A 2021-05-01 2024-05-01 last usable scene before work began on 2022-09-01" in lines
    assert any(line.startswith("A 2022-05-01 scene_2022-05-01.tif cloud") for line in lines)


def test_an_unexpected_error_is_one_line(
    clouded: Workspace,
    network: PaintedNetwork,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("a bug")

    monkeypatch.setattr(network, "predict", broken)
    told = run_command(monkeypatch, capsys, "run", "--workspace", clouded.folder)
    assert told.code == 1
    assert told.stderr.count("RuntimeError: a bug") == 2
    assert "Traceback" not in told.stderr + told.stdout


def test_the_bundle_is_loaded_once(
    clouded: Workspace,
    network: PaintedNetwork,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    loaded = list[object]()

    def load(model: object, _device: object, _runtime: object) -> PaintedNetwork:
        loaded.append(model)
        return network

    monkeypatch.setattr("cvpipe.run.job.load_bundle", load)
    assert run_command(monkeypatch, capsys, "run", "--workspace", clouded.folder).code == 0
    assert len(loaded) == 1


@pytest.mark.parametrize("harm", ["damaged", "no folder", "of another"])
def test_looks_that_cannot_be_kept_last_for_the_run(tmp_path: Path, harm: str) -> None:
    """They are a saving of time: nothing fails for them, and a damaged file is begun anew."""
    path = tmp_path / "runs" / LOOKS_NAME
    if harm == "no folder":
        path.parent.write_text("a file")
    elif harm == "damaged":
        path.parent.mkdir()
        path.write_bytes(b"no database at all" * 100)
    else:
        with sqlite3.connect(path.parent.with_suffix(".other")) as other:
            other.execute("CREATE TABLE looks (something)")
        path.parent.mkdir()
        path.parent.with_suffix(".other").rename(path)
        other.close()
    seen = Quality(1.0, 0.123456, 0.0, 0.0, 0.0, 0.0, float("nan"), 1.0, (Reason.CLOUD, Reason.BLURRED))
    looks = Looks(path)
    assert looks.of(b"A", "scene") is None
    kept = looks.put(b"A", "scene", seen)
    assert kept.cloud_share == 0.1235
    assert repr(looks.of(b"A", "scene")) == repr(kept)
    looks.close()
    again = Looks(path)
    assert repr(again.of(b"A", "scene")) == repr(kept if harm == "damaged" else None)
    again.close()
