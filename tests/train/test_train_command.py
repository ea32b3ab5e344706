"""`cvpipe train` as people start it: killed in the middle, in two processes at once, and asked what it would learn."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from typer.testing import CliRunner

from cvpipe.cli.app import app
from cvpipe.network.bundle import load_bundle
from cvpipe.train.logbook import LOG_FILE, SAMPLES
from tests.train.conftest import six_steps

#: Seconds within which a job of a few small steps must have done something, on a machine that is busy otherwise.
PATIENCE = 240.0


def config(folder: Path, pictures: Path, **changed: Any) -> Path:
    """A settings file in a folder: the small job, with some keys changed."""
    path = folder / "tiny.yaml"
    raw = {**six_steps(pictures), "save_every": 2, **changed}
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def command(settings: Path, folder: Path, *more: str) -> list[str]:
    where = ["--work", str(folder / "work"), "--out", str(folder / "bundle"), "--device", "cpu", "--threads", "1"]
    return [sys.executable, "-m", "cvpipe.cli", "train", str(settings), *where, *more]


def run(settings: Path, folder: Path, *more: str) -> str:
    """Run the command to its end; what it said."""
    done = subprocess.run(
        command(settings, folder, *more), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def kill_when_saved(settings: Path, folder: Path) -> int:
    """Start the command and kill it (SIGKILL) once a checkpoint is there; the step that the checkpoint is of."""
    checkpoint = folder / "work" / "tiny" / "last.pt"
    job = subprocess.Popen(
        command(settings, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    ends = time.monotonic() + PATIENCE
    while not checkpoint.exists() and job.poll() is None and time.monotonic() < ends:
        time.sleep(0.01)
    os.killpg(job.pid, signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL, "it was killed, and had not come to its end"
    return int(torch.load(checkpoint, weights_only=True)["step"])


@pytest.mark.slow
def test_a_job_that_is_killed_ends_with_the_very_same_bundle(sources: Path, tmp_path: Path) -> None:
    settings = config(tmp_path, sources, steps=40, validate_every=20, workers=1)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(settings, whole)
    killed_after = kill_when_saved(settings, broken)
    assert 0 < killed_after < 40
    assert not (broken / "bundle").exists()
    assert f"going on from step {killed_after}" in run(settings, broken)
    names = ("weights.safetensors", "golden.safetensors", "CARD.md")
    for name in names:
        assert (broken / "bundle" / name).read_bytes() == (whole / "bundle" / name).read_bytes(), name
    figures = [
        [row.split(",")[2:] for row in (f / "work" / "tiny" / LOG_FILE).read_text().splitlines()]
        for f in (whole, broken)
    ]
    assert figures[0] == figures[1]
    assert len(figures[0]) == 3, "a heading and two validations"


@pytest.mark.slow
def test_two_processes_learn_as_one_job(sources: Path, tmp_path: Path) -> None:
    settings = config(tmp_path, sources, steps=4, validate_every=4)
    said = run(settings, tmp_path, "--devices", "2")
    assert said.count("bundle: ") == 1, "one of them writes the bundle"
    rows = (tmp_path / "work" / "tiny" / LOG_FILE).read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "4"]
    network = load_bundle(tmp_path / "bundle", "cpu")
    assert network.name == "tiny"
    again = run(settings, tmp_path)
    assert "step 1/4" not in again, "one process takes up what two have done"


@pytest.mark.slow
def test_a_finished_job_leaves_a_bundle_a_card_and_pictures(sources: Path, tmp_path: Path) -> None:
    settings = config(tmp_path, sources)
    run(settings, tmp_path)
    card = (tmp_path / "bundle" / "CARD.md").read_text(encoding="utf-8")
    for told in ("dubai/Tile8", "ucmerced/forest90", "Figures on held-out places", "| none |", "not structure"):
        assert told in card
    pictures = sorted(p.name for p in (tmp_path / "work" / "tiny" / SAMPLES).iterdir())
    assert pictures == ["step-000003.png", "step-000006.png"]


class TestCheck:
    def test_tells_what_would_be_learnt_from(self, sources: Path, tmp_path: Path) -> None:
        said = CliRunner().invoke(
            app, ["train", str(config(tmp_path, sources)), "--work", str(tmp_path / "work"), "--check", "--json"]
        )
        assert said.exit_code == 0, said.output
        sheets = {sheet["name"]: sheet for sheet in json.loads(said.stdout)}
        assert (sheets["drone"]["learnt"], sheets["drone"]["held_out"], sheets["drone"]["places"]) == (1, 1, 2)
        assert sheets["dubai"]["places_held_out"] == ["dubai/Tile8"]
        assert sheets["dubai"]["area_m2"] == pytest.approx(2 * (160 * 0.5) ** 2)
        assert sum(sheets["drone"]["surfaces"].values()) == pytest.approx(1)
        assert sheets["scenes"]["surfaces"] == {"vegetation": 1.0}
        assert not (tmp_path / "work" / "tiny").exists(), "nothing was learnt"

    def test_refuses_a_split_that_leaks(self, sources: Path, tmp_path: Path) -> None:
        twice = six_steps(sources)["sources"]
        folder = tmp_path / "again"
        folder.mkdir()
        (folder / "images").symlink_to(sources / "drone" / "images")
        (folder / "masks").symlink_to(sources / "drone" / "masks")
        settings = config(tmp_path, sources, sources=[*twice, {**twice[1], "folder": str(folder)}])
        said = CliRunner().invoke(app, ["train", str(settings), "--work", str(tmp_path), "--check"])
        assert said.exit_code != 0
        assert "again/b_OAM" in str(said.exception)
        assert "drone/b_OAM" in str(said.exception)
