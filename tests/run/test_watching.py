"""A watched folder: whole files only, bad ones told once, nothing read twice, and all of it across restarts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvpipe.errors import LedgerError, SettingsError
from cvpipe.imagery import describe
from cvpipe.imagery.places import Found
from cvpipe.ledger import Workspace
from cvpipe.run import watching
from cvpipe.run.journal import Journal
from cvpipe.run.watching import Sighted, keep_looking, look_for_scenes
from tests.detect.conftest import chequers, write_geotiff
from tests.ledger.commands import run_command

Look = Callable[[], Sighted]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "incoming"
    made.mkdir()
    return made


@pytest.fixture
def look(workspace: Workspace, folder: Path) -> Look:
    """One look, which takes what the look before it saw already."""
    return lambda: look_for_scenes(workspace, [str(folder)], settle_s=0.0, wait=False)


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were opened and hashed, in turn."""
    names = list[str]()

    def noting(path: Any, **rest: Any) -> Any:
        names.append(Path(path).name)
        return describe(path, **rest)

    monkeypatch.setattr(watching, "describe", noting)
    return names


def put(folder: Path, name: str, shade: int = 0) -> Path:
    return write_geotiff(folder / name, chequers() + shade)


def added(seen: Sighted) -> list[str]:
    return [Path(address).name for address in seen.added]


def names_in(workspace: Workspace) -> list[str]:
    with workspace.ledger() as ledger:
        return [Path(scene.uri).name for scene in ledger.scenes()]


def test_a_file_is_taken_at_the_second_look_that_sees_it_unchanged(look: Look, folder: Path) -> None:
    put(folder, "a_20240501.tif")
    first = look()
    assert (added(first), len(first.growing)) == ([], 1)
    assert added(look()) == ["a_20240501.tif"]
    assert look() == Sighted(unchanged=1)


def test_a_file_that_grows_is_left_alone_until_it_rests(look: Look, folder: Path, described: list[str]) -> None:
    whole = put(folder, "whole.bin").read_bytes()
    part = folder / "b_20240501.tif"
    for share in (3, 2):
        part.write_bytes(whole[: len(whole) // share])
        assert len(look().growing) == 1
    part.write_bytes(whole)
    assert len(look().growing) == 1
    assert described == []
    assert added(look()) == ["b_20240501.tif"]


def test_a_file_must_rest_for_the_time_that_is_asked(workspace: Workspace, folder: Path) -> None:
    put(folder, "c_20240501.tif")
    for _ in range(2):
        assert len(look_for_scenes(workspace, [str(folder)], settle_s=60.0, wait=False).growing) == 1
    assert added(look_for_scenes(workspace, [str(folder)], settle_s=0.05, wait=True)) == ["c_20240501.tif"]


def test_one_call_that_waits_is_enough(workspace: Workspace, folder: Path) -> None:
    put(folder, "d_20240501.tif")
    seen = look_for_scenes(workspace, [str(folder)], settle_s=0.05)
    assert (added(seen), seen.growing) == (["d_20240501.tif"], ())


def test_a_bad_file_is_told_once_and_again_when_it_has_changed(look: Look, folder: Path) -> None:
    bad = folder / "bad_20240501.tif"
    bad.write_text("no picture")
    good = put(folder, "good_20240502.tif")
    look()
    seen = look()
    assert (added(seen), [Path(r.address).name for r in seen.refused]) == ([good.name], [bad.name])
    assert "no raster that GDAL can read" in seen.refused[0].reason
    assert look() == Sighted(unchanged=2)
    bad.write_text("still no picture")
    look()
    assert [Path(r.address).name for r in look().refused] == [bad.name]
    bad.write_bytes(put(folder, "mended.bin", shade=1).read_bytes())
    look()
    assert added(look()) == [bad.name]


@pytest.mark.parametrize("name", [os.fsdecode("西山_20240501.tif".encode("gbk")), "a\u2028b\x85_20240501.tif"])
def test_a_name_that_is_no_clean_text_costs_that_file_only(look: Look, folder: Path, name: str) -> None:
    """Archives that were packed on a Chinese Windows unpack to names in GBK."""
    (folder / name).write_bytes(b"no raster")
    good = put(folder, "良乡 _20240502.tif")
    look()
    assert added(look()) == [good.name]
    assert look() == Sighted(unchanged=2)


def test_a_refused_file_is_tried_again_after_a_while_and_not_told_again(
    look: Look, folder: Path, described: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "bad_20240501.tif").write_text("no picture")
    look()
    assert len(look().refused) == 1
    monkeypatch.setattr(watching, "RETRY_S", 0.0)
    assert look().refused == ()
    assert described == ["bad_20240501.tif"] * 2


def test_unchanged_files_are_not_read_again_after_a_restart(look: Look, folder: Path, described: list[str]) -> None:
    put(folder, "e_20240501.tif")
    (folder / "bad_20240501.tif").write_text("no picture")
    look(), look()
    assert sorted(described) == ["bad_20240501.tif", "e_20240501.tif"]
    described.clear()
    assert look() == Sighted(unchanged=2), "every look begins with what the file of notes holds"
    assert described == []


def test_files_that_are_being_copied_under_another_name_are_not_seen(look: Look, folder: Path) -> None:
    put(folder, ".f_20240501.tif")
    (folder / "notes.txt").write_text("no raster by its name")
    assert look() == Sighted()


def test_what_the_ledger_knows_is_counted_as_known(look: Look, folder: Path, workspace: Workspace) -> None:
    path = put(folder, "g_20240501.tif")
    with workspace.ledger() as ledger:
        ledger.add_scene(describe(path))
    look()
    seen = look()
    assert (seen.added, seen.known) == ((), 1)


def test_a_copy_under_another_date_is_refused_alone(look: Look, folder: Path) -> None:
    content = put(folder, "h_20240501.tif").read_bytes()
    (folder / "z_20250501.tif").write_bytes(content)
    look()
    seen = look()
    assert added(seen) == ["h_20240501.tif"]
    assert "already known as acquired on 2024-05-01" in seen.refused[0].reason


def test_a_folder_that_is_away_is_told_once_until_it_is_back(workspace: Workspace, folder: Path) -> None:
    away = folder.with_name("away")

    def look() -> Sighted:
        return look_for_scenes(workspace, [str(away), str(folder)], settle_s=0.0, wait=False)

    put(folder, "i_20240501.tif")
    assert [r.reason.split(".")[0] for r in look().refused] == ["no such folder"]
    seen = look()
    assert (seen.refused, added(seen)) == ((), ["i_20240501.tif"])
    away.mkdir()
    look()
    away.rmdir()
    assert len(look().refused) == 1


def test_the_folders_of_the_settings(workspace: Workspace, folder: Path) -> None:
    assert look_for_scenes(workspace) == Sighted()
    text = workspace.settings_path.read_text(encoding="utf-8")
    assert "watch: []" in text
    workspace.settings_path.write_text(text.replace("watch: []", "watch: [../incoming]"), encoding="utf-8")
    put(folder, "j_20240501.tif")
    assert added(look_for_scenes(workspace, settle_s=0.05)) == ["j_20240501.tif"]
    with pytest.raises(SettingsError, match="no folder is watched"):
        look_for_scenes(workspace, [])


def test_the_watch_outlives_a_ledger_that_does_not_answer(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, stop, tries = list[Sighted](), threading.Event(), iter(range(9))
    opened = Workspace.ledger

    def ledger(self: Workspace) -> Any:
        if next(tries) in (1, 2):
            raise LedgerError("does not answer")
        return opened(self)

    monkeypatch.setattr(Workspace, "ledger", ledger)

    def tell(seen: Sighted) -> None:
        told.append(seen)
        if len(told) == 3:
            stop.set()

    keep_looking(workspace, [str(folder)], every_s=0.01, tell=tell, stop=stop, settle_s=0.0)
    assert [len(seen.refused) for seen in told] == [0, 1, 0]


def test_objects_of_a_bucket_are_whole_at_once(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(folder, "l_20240501.tif")
    tags = ["one"]
    monkeypatch.setattr(watching, "listed", lambda _place: [Found(str(path), [1, tags[0]], is_whole=True)])

    def look() -> Sighted:
        return look_for_scenes(workspace, ["s3://district/new/"], wait=False)

    assert added(look()) == ["l_20240501.tif"]
    assert look() == Sighted(unchanged=1)
    tags[0] = "two"
    assert look().known == 1


def test_the_command_looks_once(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ("scenes", "watch", folder, "--once", "--workspace", workspace.folder)
    put(folder, "m_20240501.tif")
    (folder / "bad_20240501.tif").write_text("no picture")
    told = run_command(monkeypatch, capsys, *call)
    assert told.code == 1
    assert f"added {folder / 'm_20240501.tif'}" in told.stdout
    assert "1 scenes added, 0 known already, 1 refused, 0 still growing, 0 unchanged" in told.stdout
    assert "bad_20240501.tif: no raster that GDAL can read" in told.stderr
    again = run_command(monkeypatch, capsys, *call)
    assert (again.code, "bad_20240501.tif" in again.stderr) == (0, False)
    nothing = run_command(monkeypatch, capsys, "scenes", "watch", "--once", "--workspace", workspace.folder)
    assert nothing.code == 2
    assert "no folder is watched" in nothing.stderr


@pytest.mark.slow
def test_a_kill_loses_nothing(workspace: Workspace, folder: Path) -> None:
    """Killed at a random moment again and again: in the end every good scene is there once, and the ledger holds."""
    for number in range(6):
        put(folder, f"k{number}_2024050{number + 1}.tif", shade=number)
    call = [sys.executable, "-m", "cvpipe.cli", "scenes", "watch", str(folder), "--every", "1"]
    call += ["--workspace", str(workspace.folder)]
    for pause in (0.4, 0.9, 1.7):
        running = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not (workspace.runs / watching.WATCHED_NAME).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(pause)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    wanted = [f"k{number}_2024050{number + 1}.tif" for number in range(6)]
    with subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 60
        while names_in(workspace) != wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        running.terminate()
        assert running.wait(30) == 0, "asked to end, it ends well"
    assert names_in(workspace) == wanted
    with workspace.ledger() as ledger:
        assert ledger.verify().problems == ()


class TestJournal:
    """The notes that outlive a kill."""

    def test_a_line_that_was_cut_short_costs_itself_only(self, tmp_path: Path) -> None:
        path = tmp_path / "runs" / "notes.jsonl"
        Journal(path).put("a", {"n": 1})
        with path.open("a", encoding="utf-8") as file:
            file.write('\n["b", {"n"')
        Journal(path).put("c", [3])
        again = Journal(path)
        assert (again.get("a"), again.get("b"), again.get("c")) == ({"n": 1}, None, [3])

    def test_it_is_written_anew_when_most_lines_are_stale(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.jsonl"
        journal = Journal(path)
        for number in range(1100):
            journal.put("a", number)
        assert Journal(path).get("a") == 1099
        assert path.read_text(encoding="utf-8").strip() == '["a", 1099]'

    def test_a_place_that_cannot_be_written_is_no_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("not a folder")
        journal = Journal(tmp_path / "file" / "notes.jsonl")
        journal.put("a", 1)
        assert journal.get("a") == 1


WATCHING = """
import sys
from cvpipe.cli import main
sys.argv = ["cvpipe", "scenes", "watch", sys.argv[1], "--once", "--workspace", sys.argv[2]]
try:
    main()
finally:
    print("torch" in sys.modules, "cvpipe.run.watching" in sys.modules)
"""


def test_a_watch_loads_no_torch(workspace: Workspace, folder: Path) -> None:
    """It runs for years on a small machine, and needs no network."""
    put(folder, "a_20240501.tif")
    call = [sys.executable, "-c", WATCHING, str(folder), str(workspace.folder)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines()[-1] == "False True", done.stderr
    assert names_in(workspace) == ["a_20240501.tif"]
