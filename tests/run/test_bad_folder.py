"""A folder that holds every kind of bad raster, and one good pair: the pair is assessed, the others are named."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import copyfile

import pytest

from cvpipe.domain import Question
from cvpipe.imagery import describe
from cvpipe.ledger import Workspace
from cvpipe.run import job
from tests.imagery.bad_rasters import BAD, BAD_SCENES, Make, a_folder, missing_file, no_permission, undated
from tests.imagery.conftest import WriteRaster, write_raster
from tests.ledger.commands import run_command

from .conftest import SITES, scenes

__all__ = ["write_raster"]

#: Those that make no file in the folder; and the day of one that is given for all.
_NO_FILE: tuple[Make, ...] = (a_folder, missing_file)


def test_the_good_pair_is_completed(
    tmp_path: Path,
    write_raster: WriteRaster,
    network: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert network is not None, "the painted network stands in for the released one"
    folder = tmp_path / "scenes"
    folder.mkdir()
    bad = set()
    for make, _ in (*BAD, *BAD_SCENES):
        if make in _NO_FILE or (make is no_permission and os.geteuid() == 0):
            continue
        made = make(folder, write_raster)
        if made.parent != folder:
            made.rename(folder / made.name)
        bad.add(made.name)
    assert undated(folder, write_raster).exists()
    for good in scenes(tmp_path)[:2]:
        copyfile(good, folder / good.name)

    workspace = Workspace.create(tmp_path / "ws")
    with workspace.ledger() as ledger:
        ledger.put_sites(SITES[:1], source="test")
    told = run_command(monkeypatch, capsys, "scenes", "add", folder, "--workspace", workspace.folder)
    assert told.code == 1
    assert f"2 scenes added, 0 known already, {len(bad)} refused" in told.stdout
    reasons = [line for line in told.stderr.splitlines() if line.startswith("cvpipe: ") and str(folder) in line]
    assert {Path(line.removeprefix("cvpipe: ").split(": ")[0]).name for line in reasons} == bad
    assert len(reasons) == len(bad)

    summary = job.run(workspace)
    assert (summary.assessed, summary.failures) == (1, [])
    with workspace.ledger() as ledger:
        (record,) = ledger.assessments("A")
        hashes = {scene.content_hash for scene in ledger.scenes()}
    assert {record.assessment.before, record.assessment.after} == hashes
    assert Question.DEMOLITION in {verdict.question for verdict in record.assessment.verdicts}


def test_a_scene_that_breaks_later_costs_its_own_pairs(tmp_path: Path, network: object) -> None:
    """Cut off after it was added: the other pair of the same site is assessed all the same."""
    assert network is not None
    workspace = Workspace.create(tmp_path / "ws")
    paths = scenes(tmp_path)
    with workspace.ledger() as ledger:
        ledger.put_sites(SITES[:1], source="test")
        for path in paths:
            ledger.add_scene(describe(path))
    content = paths[2].read_bytes()
    paths[2].write_bytes(content[: len(content) // 3])
    summary = job.run(workspace)
    assert summary.assessed >= 1
    assert summary.failures
    assert {failure.epoch for failure in summary.failures} == {describe_day(paths[2])}
    assert all(paths[2].name in failure.reason for failure in summary.failures)


def describe_day(path: Path) -> object:
    from cvpipe.imagery import acquired_from_name

    return acquired_from_name(path.name)
