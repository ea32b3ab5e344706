"""Six steps of training on small pictures: what they change, what they write, and how a killed job goes on."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvpipe.errors import DatasetError, SettingsError
from cvpipe.network.architecture import Design, SiameseNetwork
from cvpipe.train import optimising
from cvpipe.train.logbook import CURVES, LOG_FILE, SAMPLES, Logbook
from cvpipe.train.loop import CHECKPOINT, Trained, _Order, train
from cvpipe.train.optimising import picture
from cvpipe.train.settings import TrainerSettings, TrainSettings

CPU = torch.device("cpu")


class KilledError(Exception):
    """Stands for a job that is ended from outside."""


def kill_at(step: int) -> Any:
    def on_step(now: int, losses: dict[str, float]) -> None:
        assert losses.keys() == {"surface_loss", "change_loss"}
        if now == step:
            raise KilledError

    return on_step


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return trained.network.state_dict()


def logged(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG_FILE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the job that is run in one go."""
    return tmp_path_factory.mktemp("train") / "whole"


@pytest.fixture(scope="module")
def whole(job: Path, settings: TrainSettings) -> Trained:
    """The job run in one go."""
    return train(settings, job, device=CPU)


def test_a_job_ends_after_its_steps_with_figures(whole: Trained) -> None:
    assert (whole.step, whole.finished) == (6, True)
    assert whole.figures.keys() == {"structure_iou", "removed_f1", "added_f1"}
    assert all(0 <= v <= 1 for v in whole.figures.values())
    assert all(v.isfinite().all() for v in weights(whole).values())


def test_it_learns_except_where_it_is_frozen(whole: Trained, settings: TrainSettings) -> None:
    torch.manual_seed(settings.seed)
    fresh = SiameseNetwork(Design(**settings.design.model_dump())).state_dict()
    moved = {k for k, v in weights(whole).items() if not torch.equal(v, fresh[k])}
    for learnt in ("surface_head.weight", "change_head.answer.weight", "encoder.model.blocks.3.0.conv_pw.weight"):
        assert learnt in moved
    frozen = ("encoder.model.conv_stem", "encoder.model.bn1", "encoder.model.blocks.0.")
    assert not [k for k in moved if k.startswith(frozen)]
    assert not [k for k in moved if k.startswith("encoder.") and "running" in k]


def test_a_killed_job_goes_on_to_the_very_same_weights(whole: Trained, settings: TrainSettings, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        train(settings, tmp_path / "job", device=CPU, on_step=kill_at(5))
    steps: list[int] = []
    resumed = train(settings, tmp_path / "job", device=CPU, on_step=lambda step, _: steps.append(step))
    assert steps == [4, 5, 6], "the last checkpoint was written after step 3"
    assert resumed.finished
    assert resumed.figures == whole.figures
    assert weights(resumed).keys() == weights(whole).keys()
    assert [k for k, v in weights(resumed).items() if not torch.equal(v, weights(whole)[k])] == []


def test_a_paused_job_keeps_what_it_has(settings: TrainSettings, tmp_path: Path) -> None:
    paused = train(settings, tmp_path / "job", device=CPU, minutes=0)
    assert (paused.step, paused.finished) == (1, False)
    assert [row["step"] for row in logged(tmp_path / "job")] == ["1"]
    assert (tmp_path / "job" / CHECKPOINT).is_file()


def test_the_log_grows_by_a_row_for_each_validation(whole: Trained, job: Path) -> None:
    rows = logged(job)
    assert [row["step"] for row in rows] == ["3", "6"]
    assert {k: float(rows[-1][k]) for k in whole.figures} == whole.figures
    assert float(rows[0]["surface_loss"]) > 0


def test_a_finished_job_has_nothing_left_to_do(whole: Trained, job: Path, settings: TrainSettings) -> None:
    rows, checkpoint = logged(job), (job / CHECKPOINT).read_bytes()
    again = train(settings, job, device=CPU, on_step=kill_at(7))
    assert (again.step, again.finished, again.figures) == (6, True, whole.figures)
    assert all(torch.equal(v, weights(whole)[k]) for k, v in weights(again).items())
    assert logged(job) == rows
    assert (job / CHECKPOINT).read_bytes() == checkpoint


def test_a_checkpoint_of_other_settings_is_refused(whole: Trained, job: Path, settings: TrainSettings) -> None:
    assert whole.finished
    other = settings.model_copy(update={"learning_rate": 5e-4, "seed": 9})
    with pytest.raises(DatasetError, match=r"last.pt: a checkpoint of other settings \(learning_rate, seed\)"):
        train(other, job, device=CPU)


def test_no_half_written_checkpoint_is_left(whole: Trained, job: Path) -> None:
    assert whole.finished
    assert {p.name for p in job.iterdir()} == {CHECKPOINT, LOG_FILE, CURVES, SAMPLES}


class TestStartingWeights:
    def test_are_taken_where_they_are_given(
        self, raw_settings: dict[str, Any], settings: TrainSettings, tmp_path: Path
    ) -> None:
        encoder = SiameseNetwork(Design(**settings.design.model_dump())).encoder.model.state_dict()
        np.savez(tmp_path / "start.npz", **{k: np.full_like(v.numpy(), 0.25) for k, v in encoder.items()})
        given = TrainSettings.model_validate({**raw_settings, "start_encoder": str(tmp_path / "start.npz")})
        trained = train(given, tmp_path / "job", device=CPU, minutes=0)
        assert (weights(trained)["encoder.model.conv_stem.weight"] == 0.25).all(), "the stem is frozen"

    def test_that_are_missing_are_refused_before_anything_is_learnt(
        self, raw_settings: dict[str, Any], tmp_path: Path
    ) -> None:
        given = TrainSettings.model_validate({**raw_settings, "start_encoder": str(tmp_path / "none.npz")})
        with pytest.raises(DatasetError, match=r"none.npz: no starting weights there"):
            train(given, tmp_path / "job", device=CPU)
        assert list((tmp_path / "job").iterdir()) == []


def test_a_step_without_a_finite_gradient_is_left_out(
    whole: Trained,
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert whole.finished
    monkeypatch.setattr(optimising, "change_loss", lambda logits, *_, **__: logits.sum() * torch.nan)
    with caplog.at_level(logging.WARNING, "cvpipe.train.optimising"):
        trained = train(settings, tmp_path / "job", device=CPU, minutes=0)
    assert "step 1 left out" in caplog.text
    assert all(v.isfinite().all() for v in weights(trained).values())


def test_pictures_go_in_between_minus_one_and_one() -> None:
    pixels = torch.tensor([0, 255], dtype=torch.uint8).expand(1, 3, 1, 2)
    assert picture(pixels, CPU)[0, 0, 0].tolist() == [-1, 1]
    assert pixels[0, 0, 0].tolist() == [0, 255], "what it is given stays as it is"


def test_processes_share_each_batch(settings: TrainSettings) -> None:
    four = settings.model_copy(update={"batch": 4})
    alone = list(_Order(four, 2, rank=0, world=1))
    first, second = (list(_Order(four, 2, rank, world=2)) for rank in (0, 1))
    assert alone == list(range(8, 24)), "steps 2 to 5"
    assert (first[:4], second[:4]) == ([8, 9, 12, 13], [10, 11, 14, 15])
    assert sorted(first + second) == alone


def test_a_batch_that_cannot_be_shared_is_refused(settings: TrainSettings, tmp_path: Path) -> None:
    three = settings.model_copy(update={"trainer": TrainerSettings(devices=3)})
    with pytest.raises(SettingsError, match="a batch of 2 pairs cannot be shared evenly by 3 processes"):
        train(three, tmp_path / "job", device=CPU)


def test_a_job_that_goes_on_takes_back_what_it_noted_after_its_checkpoint(tmp_path: Path) -> None:
    sample = np.zeros((4, 4, 3), np.uint8)
    book = Logbook(tmp_path, 0)
    for step in (3, 6):
        book.validated({"step": step, "seconds": step}, {"structure_iou": step / 10}, sample)
    book.close()
    again = Logbook(tmp_path, 3)
    assert again.last(["structure_iou"]) == {"structure_iou": 0.3}
    again.close()
    assert [row["step"] for row in logged(tmp_path)] == ["3"]
