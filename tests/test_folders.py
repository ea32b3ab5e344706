"""A folder of results: whole or not there, never in the place of somebody else's files, an earlier one never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvpipe.errors import CvpipeError, UsageError
from cvpipe.folders import OutputFolder

KIND = OutputFolder("result", frozenset({"page.html", "proof.json"}), proof="proof.json")


def written(out: Path, text: str) -> None:
    with KIND.staged(out) as stage:
        (stage / "proof.json").write_text(text, encoding="utf-8")


def beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir())


def test_nothing_is_seen_before_the_end(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with KIND.staged(out) as stage:
        (stage / "proof.json").touch()
        assert not out.exists()
    assert (out / "proof.json").exists()
    assert beside(out) == ["out"]


def test_an_earlier_one_is_replaced_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    written(out, "first")
    (out / "page.html").touch()
    written(out, "second")
    assert [path.name for path in out.iterdir()] == ["proof.json"]
    assert (out / "proof.json").read_text(encoding="utf-8") == "second"
    assert beside(out) == ["out"]


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with pytest.raises(KeyError), KIND.staged(out):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_one_comes_back_where_the_last_step_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    written(out, "first")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target == out and self.name.startswith(".out.") and not self.name.endswith(".earlier"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(CvpipeError, match="the result cannot be written"):
        written(out, "second")
    assert (out / "proof.json").read_text(encoding="utf-8") == "first"
    assert beside(out) == ["out"]


@pytest.mark.parametrize(("names", "found"), [(["holiday.jpg", "proof.json"], "holiday.jpg"), (["page.html"], "page")])
def test_other_files_are_left_alone(tmp_path: Path, names: list[str], found: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=f"no earlier result .it holds {found}"):
        written(tmp_path, "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_side_files_of_viewers_are_ours(tmp_path: Path) -> None:
    out = tmp_path / "out"
    written(out, "first")
    (out / "proof.json.aux.xml").touch()
    written(out, "second")
    assert (out / "proof.json").read_text(encoding="utf-8") == "second"


def test_a_file_and_the_current_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        written(tmp_path / "file", "mine")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="is the current folder"):
        written(Path(), "mine")
