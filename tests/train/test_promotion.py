"""Which candidate may take a bundle's place, and how it takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cvpipe.errors import BundleError, UsageError
from cvpipe.train.folders import STRUCTURE_KINDS, Dataset, LabelSettings, Provenance, Target
from cvpipe.train.metrics import tally
from cvpipe.train.promotion import PREVIOUS, compare_bundles, install
from cvpipe.train.scores import Evaluation, MethodScore, PictureScore

TARGET = Target("structure change", changes=STRUCTURE_KINDS)


def picture(place: str, *, found: int, alarms: int) -> PictureScore:
    """Ten labelled sheds of 4 m², `found` of them found, and `alarms` false ones; 0.25 m² a pixel."""
    label, answer = (np.zeros((60, 60), np.uint8) for _ in range(2))
    for i in range(10):
        row, col = 12 * (i // 5), 12 * (i % 5)
        label[row : row + 4, col : col + 4] = 1
        if i < found:
            answer[row : row + 4, col : col + 4] = 1
    for i in range(alarms):
        answer[40:44, 12 * i : 12 * i + 4] = 1
    return PictureScore(place, place, 900.0, 1.0, (0.0, 0.0), 0.1, {TARGET.name: tally(label, answer, 0.25)})


def evaluation(name: str, candidate: Sequence[int], current: Sequence[int]) -> Evaluation:
    """A set of one picture per place: objects found by the candidate and by the current bundle."""
    label = LabelSettings(folder="label", changes=STRUCTURE_KINDS)
    data = Dataset(name, Path(name), Provenance.REAL, "", False, (label,), ())
    scores = tuple(
        MethodScore(method, "", 0.3, tuple(picture(f"p{i}", found=n, alarms=1) for i, n in enumerate(found)))
        for method, found in (("new", candidate), ("old", current))
    )
    return Evaluation(data, (TARGET,), scores)


def test_a_better_candidate_is_not_refused() -> None:
    compared = compare_bundles([evaluation("a", [9, 8, 9, 10], [6, 5, 7, 7])])
    assert compared.reasons == []
    assert compared.differences[0].clearly_better
    assert compared.mean > 0.1


def test_a_candidate_that_answers_the_same_is_not_refused() -> None:
    compared = compare_bundles([evaluation("a", [6, 5, 7], [6, 5, 7])])
    assert compared.reasons == []
    assert compared.differences[0].interval == (0.0, 0.0)
    assert compared.differences[0].row()[-1] == "within chance"


def test_a_candidate_that_is_worse_at_every_place_is_clearly_worse() -> None:
    """Places differ by far more than the two bundles do: only the paired interval can tell."""
    compared = compare_bundles([evaluation("a", [9, 2, 6, 8, 3, 5], [10, 3, 7, 9, 4, 6])])
    assert compared.differences[0].clearly_worse
    assert any("clearly worse on a" in reason for reason in compared.reasons)


def test_one_set_clearly_worse_refuses_though_the_mean_is_better() -> None:
    better = evaluation("a", [10, 10, 10, 10], [3, 3, 3, 3])
    worse = evaluation("b", [6, 5, 6, 5], [7, 6, 7, 6])
    compared = compare_bundles([better, worse])
    assert compared.mean > 0
    assert [reason.split(" (")[0] for reason in compared.reasons] == ["clearly worse on b"]


def test_worse_on_the_whole_refuses_where_no_set_is_clear() -> None:
    compared = compare_bundles([evaluation("a", [9, 3, 6], [7, 8, 6])])
    assert not compared.differences[0].clearly_worse
    assert [reason.split(" (")[0] for reason in compared.reasons] == ["worse on the whole"]


def test_one_place_has_no_interval_but_its_difference_counts() -> None:
    compared = compare_bundles([evaluation("a", [4], [8])])
    assert compared.differences[0].interval is None
    assert compared.reasons


def test_without_a_common_answer_nothing_can_be_compared() -> None:
    data = Dataset("a", Path("a"), Provenance.REAL, "", False, (), ())
    blank = Evaluation(data, (), (MethodScore("new", "", 0.3, ()), MethodScore("old", "", 0.3, ())))
    with pytest.raises(UsageError, match="no set that both bundles answer"):
        compare_bundles([blank])


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is loaded is a sound bundle, unless a file in it says otherwise."""

    def load(folder: Path, device: str) -> None:
        assert device == "cpu"
        if (folder / "broken").exists():
            raise BundleError("broken", where=folder)

    monkeypatch.setattr("cvpipe.train.promotion.load_bundle", load)


def bundle(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "item.json").write_text(content)
    return folder


def text(folder: Path) -> str:
    return (folder / "item.json").read_text()


@pytest.mark.usefixtures("sound")
class TestInstall:
    def test_the_candidate_lies_there_and_the_previous_one_beside_it(self, tmp_path: Path) -> None:
        current = bundle(tmp_path / "models" / "s", "old")
        kept = install(bundle(tmp_path / "new", "new"), current)
        assert kept == tmp_path / "models" / f"s{PREVIOUS}"
        assert (text(current), text(kept), text(tmp_path / "new")) == ("new", "old", "new")
        assert sorted(p.name for p in current.parent.iterdir()) == ["s", f"s{PREVIOUS}"]

    def test_the_next_one_takes_the_place_of_the_previous_one(self, tmp_path: Path) -> None:
        current = bundle(tmp_path / "models" / "s", "1")
        install(bundle(tmp_path / "b", "2"), current)
        kept = install(bundle(tmp_path / "c", "3"), current)
        assert kept is not None
        assert (text(current), text(kept)) == ("3", "2")

    def test_a_broken_candidate_moves_nothing(self, tmp_path: Path) -> None:
        current, broken = bundle(tmp_path / "models" / "s", "old"), bundle(tmp_path / "new", "new")
        (broken / "broken").touch()
        with pytest.raises(BundleError):
            install(broken, current)
        assert [p.name for p in current.parent.iterdir()] == ["s"]
        assert text(current) == "old"

    def test_a_failing_rename_brings_the_old_one_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        current = bundle(tmp_path / "models" / "s", "1")
        install(bundle(tmp_path / "b", "2"), current)
        rename = Path.rename

        def failing(self: Path, target: Path) -> Path:
            if Path(target).name == "s" and self.name.startswith("."):
                raise OSError("disk full")
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", failing)
        with pytest.raises(OSError, match="disk full"):
            install(bundle(tmp_path / "c", "3"), current)
        assert (text(current), text(current.with_name(f"s{PREVIOUS}"))) == ("2", "1")
        assert len(list(current.parent.iterdir())) == 2

    def test_a_bundle_cannot_follow_itself(self, tmp_path: Path) -> None:
        current = bundle(tmp_path / "s", "1")
        with pytest.raises(UsageError, match="is the current bundle itself"):
            install(current, current)
