"""`cvpipe evaluate … --report`: a page, its charts and pictures; and the curves of `--robustness`."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from cvpipe.cli import main
from cvpipe.domain import Decision, Outcome, Question, ReviewReason
from cvpipe.ledger import Workspace
from cvpipe.train import robustness as robustness_module
from cvpipe.train.answers import NetworkMethod
from cvpipe.train.charts import SHARE, Axis, Curve, line_chart
from cvpipe.train.folders import read_dataset
from cvpipe.train.robustness import Robustness, pooled, robustness, trials_of
from tests.detect.networks import PaintedNetwork
from tests.ledger import samples

RED, GROUND = (255, 0, 0), (120, 110, 100)
SIDE = 128


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pairs at half a metre on ground with texture: a hall built in three of them; one label is wrong."""
    folder = tmp_path_factory.mktemp("sets") / "town"
    rng = np.random.default_rng(4)
    for stem, built in {"a": True, "b": True, "c": False, "d": True}.items():
        tones = rng.integers(-40, 40, (16, 16, 1)).repeat(8, axis=0).repeat(8, axis=1)
        before = np.clip(np.array(GROUND) + tones, 30, 200).astype(np.uint8)
        after, label = before.copy(), np.zeros((SIDE, SIDE), np.uint8)
        if built:
            after[50:74, 40:70] = RED
            label[50:74, 40:70] = 255
        if stem == "d":
            label = np.roll(label, 40, axis=1)
        for name, content in (("A", before[..., ::-1]), ("B", after[..., ::-1]), ("label", label)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / name / f"{stem}.png"), content)
    return folder


def run(*arguments: object) -> int:
    """Calls `cvpipe evaluate painted …`, with fewer trials than in use, and returns its exit code."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("cvpipe.network.bundle.load_bundle", lambda *_, **__: PaintedNetwork())
        patched.setattr(sys, "argv", ["cvpipe", "evaluate", "painted", *map(str, arguments)])
        few(patched)
        with pytest.raises(SystemExit) as stopped:
            main()
    return int(stopped.value.code or 0)


def few(patched: pytest.MonkeyPatch) -> None:
    """One level of each disturbance, and those that the promise is about."""
    patched.setattr(robustness_module, "LEVELS", {"blur": (1.5,)})
    patched.setattr(robustness_module, "SHIFTS_PX", (4.0, 8.0))
    patched.setattr(robustness_module, "STILL_PX", (4.0,))


@pytest.fixture(scope="module")
def report(town: Path) -> Path:
    """The folder that the command wrote; not to be altered."""
    out = town.parent / "page"
    assert run(town, "--gsd", 0.5, "--report", out, "--robustness") == 0
    return out


def test_the_page_holds_tables_charts_and_cases_that_are_there(report: Path) -> None:
    page, text = ((report / name).read_text(encoding="utf-8") for name in ("index.html", "report.md"))
    for words in ("Across domains", "Objects by size", "Areas", "Calibration", "Robustness", "Cases: town", "Basis"):
        assert words in page
        assert f"## {words}" in text
    shown = {p.name for p in (report / "pictures").iterdir()}
    assert shown
    for name in shown:
        assert f'src="pictures/{name}"' in page
        assert f"(pictures/{name})" in text
    assert page.count("<img") == len(shown) == text.count("![")


def test_cases_are_the_best_the_worst_and_random_ones_each_once(report: Path) -> None:
    names = sorted(p.stem for p in (report / "pictures").glob("case-*.jpg"))
    assert len(names) == 4, "four pictures, none twice"
    sorts = {name.split("-")[-1]: name.split("-")[-2] for name in names}
    assert sorts["d"] == "worst", "its label lies beside what was found"
    assert {sorts["a"], sorts["b"]} == {"best"}


def test_a_case_shows_before_after_label_and_answer_in_their_colours(report: Path) -> None:
    (best, *_) = sorted((report / "pictures").glob("case-*-best-*.jpg"))
    picture = np.asarray(cv2.imread(str(best)))[..., ::-1].astype(int)
    assert picture.shape == (300, 4 * 300 + 3 * 6, 3)
    before, after, label, answer = (picture[120:170, x + 100 : x + 150].mean(axis=(0, 1)) for x in (0, 306, 612, 918))
    assert np.ptp(before) < 40, "grey ground"
    assert after[0] > 230, "the red hall"
    assert min(label[:2]) > 100 > label[2], "yellow on it"
    assert answer[1] > answer[2], "green: it is right"


def test_charts_are_svg_that_a_browser_reads(report: Path) -> None:
    charts = list((report / "pictures").glob("*.svg"))
    assert any("reliability" in c.name for c in charts)
    assert any("robustness" in c.name for c in charts)
    for chart in charts:
        assert ElementTree.parse(chart).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_figures_are_there_for_programs(report: Path) -> None:
    found = json.loads((report / "figures.json").read_text(encoding="utf-8"))
    target = found["sets"][0]["methods"][0]["targets"]["structure change"]
    assert target["area_errors"]["pictures"] == 3
    assert target["area_errors"]["median"] == pytest.approx(0.0)
    errors = [target["calibration"][name]["ece"] for name in ("pixels", "without_temperature")]
    assert errors[0] == pytest.approx(errors[1], abs=0.002), "the painted network's temperatures are 1"
    assert errors[0] > 0.1, "grey ground is a little red, and never built on"
    assert {p["row"] for p in found["robustness"][0]["points"]} >= {"shift (aligned)", "shift (not aligned)", "blur"}


def test_a_folder_of_somebody_else_is_refused_before_anything_is_run(town: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    assert run(town, "--gsd", 0.5, "--report", tmp_path / "mine") == 2
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_what_people_said_is_told_and_kept(town: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = Workspace.create(tmp_path / "district")
    code, reason = samples.FULL_SITE.code, ReviewReason.SHADOW
    with workspace.ledger() as ledger:
        samples.fill(ledger)
        ledger.decide(Decision(code, "a", Question.DEMOLITION, Outcome.PARTIAL, assessment_key="key-1", reason=reason))
    said = ("--workspace", workspace.folder, "--report", tmp_path / "page")
    assert run(town, "--gsd", 0.5, "--limit", 1, *said) == 0
    assert "What people said of the verdicts" in capsys.readouterr().out
    page = (tmp_path / "page" / "report.md").read_text("utf-8")
    assert "| sha256:b | demolition | shadow | 1 |" in page
    assert "no random sample" in page


def test_a_report_is_replaced_by_the_next(report: Path, town: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(report, tmp_path / "page"))
    assert run(town, "--gsd", 0.5, "--report", again, "--limit", 1) == 0
    assert not list((again / "pictures").glob("robustness-*"))


@pytest.fixture(scope="module")
def tried(town: Path) -> Robustness:
    with pytest.MonkeyPatch.context() as patched:
        few(patched)
        found = robustness(read_dataset(town, gsd_m=0.5), NetworkMethod(PaintedNetwork()))
    assert found is not None
    return found


def level(tried: Robustness, row: str, of: float | None) -> robustness_module.Point:
    return next(p for p in tried.rows()[row] if p.trial.level == of)


def test_alignment_takes_a_shift_off(tried: Robustness) -> None:
    still, aligned = level(tried, "shift (aligned)", None), level(tried, "shift (aligned)", 8.0)
    loose = level(tried, "shift (not aligned)", 8.0)
    assert still.object_f1 == aligned.object_f1
    missed = [p.tally.pixels.false_negative - 720 for p in (aligned, loose)]  # 720: all of the wrong label
    assert missed[0] == 0
    assert missed[1] > 400


def test_the_same_ground_is_scored_at_every_level(tried: Robustness) -> None:
    """Up to the pixels that a shift hides: objects near the edge would come and go otherwise."""
    labelled = {p.tally.pixels.labelled for p in tried.points if not p.trial.still}
    assert labelled == {3 * 24 * 30}


def test_ground_shifted_against_itself_has_nothing_to_find(tried: Robustness) -> None:
    point = level(tried, "unchanged ground, shifted", 4.0)
    assert point.object_f1 is None
    assert point.alarms == 0.0


def test_the_promise_is_told_for_each_way_of_looking(tried: Robustness) -> None:
    told = tried.proofs()
    assert len(told) == 4
    assert sum("4 px cost" in sentence for sentence in told) == 2
    assert all(sentence.endswith("holds") for sentence in told if "(aligned)" in sentence)


def test_counts_of_several_sets_are_added_not_averaged(tried: Robustness) -> None:
    (both,) = pooled([tried, tried])
    one, two = level(tried, "blur", 1.5), level(both, "blur", 1.5)
    assert two.tally.objects.labelled == 2 * one.tally.objects.labelled
    assert two.object_f1 == one.object_f1
    assert both.pictures == 8
    assert pooled([tried]) == []


def test_single_pictures_are_not_shifted(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / "s" / name).mkdir(parents=True)
        assert cv2.imwrite(str(tmp_path / "s" / name / "a.png"), np.zeros((40, 40), np.uint8))
    assert {t.kind for t in trials_of(read_dataset(tmp_path / "s"))} == {"blur", "gamma", "haze", "JPEG"}


def test_a_chart_puts_points_where_their_values_are() -> None:
    axis = Axis("share", 0, 1, SHARE)
    svg = ElementTree.fromstring(line_chart("t", axis, axis, [Curve("c", ((0.0, 0.0), (1.0, 1.0)))], diagonal=True))
    circles = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in svg.iter() if c.tag.endswith("circle")]
    (left, low), (right, high) = circles
    assert left < right
    assert high < low, "up is small in SVG"
    lines = [p.get("points") for p in svg.iter() if p.tag.endswith("polyline")]
    assert lines[0] == lines[1], "the diagonal and the curve on it"
