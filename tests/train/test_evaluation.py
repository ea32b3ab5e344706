"""`cvpipe evaluate` on tiny folders, with a network that takes red for structure: its answer is known to the pixel."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from PIL import Image

from cvpipe.cli import main
from cvpipe.errors import DatasetError
from cvpipe.geo import Grid
from cvpipe.train.answers import carried
from cvpipe.train.folders import read_dataset
from tests.detect.networks import PaintedNetwork

SIDE = 96
GROUND = (120, 110, 100)
RED = (255, 0, 0)

Boxes = list[tuple[int, int, int, int]]
"""(row, column, height, width) of squares, pixels."""


def save_picture(path: Path, boxes: Boxes, side: int = SIDE) -> None:
    """A picture of plain ground with red boxes."""
    pixels = np.full((side, side, 3), GROUND, np.uint8)
    for row, col, height, width in boxes:
        pixels[row : row + height, col : col + width] = RED
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def save_mask(path: Path, boxes: Boxes, value: int = 255, side: int = SIDE) -> None:
    mask = np.zeros((side, side), np.uint8)
    for row, col, height, width in boxes:
        mask[row : row + height, col : col + width] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


SHED, HALL = (10, 10, 12, 12), (50, 40, 24, 30)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Three pairs at 0.5 m: a shed gone, a hall built, and one where nothing happened."""
    folder = tmp_path / "town"
    epochs: dict[str, tuple[Boxes, Boxes]] = {"a": ([SHED], []), "b": ([SHED], [SHED, HALL]), "c": ([HALL], [HALL])}
    labels: dict[str, Boxes] = {"a": [SHED], "b": [HALL], "c": []}
    for stem, (before, after) in epochs.items():
        save_picture(folder / "A" / f"{stem}.png", before)
        save_picture(folder / "B" / f"{stem}.png", after)
        save_mask(folder / "label" / f"{stem}.png", labels[stem])
    return folder


@pytest.fixture
def surfaces(tmp_path: Path) -> Path:
    """Two single pictures, one with a shed and one empty."""
    folder = tmp_path / "sheds"
    for stem, boxes in {"one": [SHED], "none": []}.items():
        save_picture(folder / "images" / f"{stem}.png", boxes)
        save_mask(folder / "masks" / f"{stem}.png", boxes)
    return folder


Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls `cvpipe evaluate painted …` and returns its exit code."""
    monkeypatch.setattr("cvpipe.network.bundle.load_bundle", lambda *_, **__: PaintedNetwork())

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["cvpipe", "evaluate", "painted", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0)

    return call


def evaluated(run: Run, folder: Path, *options: object) -> dict[str, Any]:
    """The JSON that the command wrote."""
    target = folder.parent / "figures.json"
    assert run(folder, "--gsd", 0.5, "--json", target, *options) == 0
    found: dict[str, Any] = json.loads(target.read_text())
    return found


def of(found: dict[str, Any], method: str, target: str) -> dict[str, Any]:
    scored: dict[str, Any] = next(m for m in found["methods"] if m["method"] == method)["targets"][target]
    return scored


def test_a_network_that_is_right_scores_one_on_pairs(run: Run, pairs: Path) -> None:
    change = of(evaluated(run, pairs), "painted", "structure change")
    assert change["pictures"] == 3
    assert (change["figures"]["f1"], change["figures"]["iou"], change["figures"]["object_f1"]) == (1.0, 1.0, 1.0)
    assert change["objects"]["labelled"] == 2
    assert change["objects_by_size_m2"]["16-64"]["found"] == 1, "the shed: 6 m x 6 m"
    assert change["objects_by_size_m2"]["64-256"]["found"] == 1, "the hall: 12 m x 15 m"
    assert change["figures"]["false_alarms_per_10000_m2"] == 0.0


def test_single_pictures_are_scored_for_structure(run: Run, surfaces: Path) -> None:
    found = evaluated(run, surfaces)
    assert of(found, "painted", "structure")["pixels"]["true_positive"] == 12 * 12
    assert of(found, "painted", "structure")["figures"]["iou"] == 1.0
    assert [m["method"] for m in found["methods"] if m["targets"]] == ["painted", "brightness"]


def test_baselines_stand_in_the_same_table(run: Run, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluated(run, pairs)
    printed = capsys.readouterr().out
    assert "painted" in printed
    assert "image difference" in printed
    assert "false alarms" in printed


def test_each_picture_is_listed_with_its_counts(run: Run, pairs: Path) -> None:
    found = evaluated(run, pairs)
    pictures = found["methods"][0]["pictures"]
    assert [p["stem"] for p in pictures] == ["a", "b", "c"]
    assert [p["tallies"]["structure change"]["pixels"]["true_positive"] for p in pictures] == [144, 720, 0]
    assert found["area_m2"] == 3 * (SIDE * 0.5) ** 2


def test_a_limit_takes_pictures_spread_over_the_set(run: Run, pairs: Path) -> None:
    pictures = evaluated(run, pairs, "--limit", 2)["methods"][0]["pictures"]
    assert [p["stem"] for p in pictures] == ["a", "c"]


def test_pictures_of_another_pixel_size_are_scored_on_the_labels_own_pixels(run: Run, pairs: Path) -> None:
    target = pairs.parent / "figures.json"
    assert run(pairs, "--gsd", 0.25, "--json", target) == 0
    change = of(json.loads(target.read_text()), "painted", "structure change")
    assert change["pixels"]["true_positive"] + change["pixels"]["false_negative"] == 144 + 720
    assert change["figures"]["iou"] > 0.9
    assert change["unchanged_m2"] == pytest.approx((3 * SIDE**2 - 864) * 0.25**2, abs=0.1)


def test_kinds_with_folders_of_their_own_are_scored_apart(run: Run, pairs: Path) -> None:
    for stem, removed, added in (("a", [SHED], []), ("b", [], [HALL]), ("c", [], [])):
        save_mask(pairs / "label_removed" / f"{stem}.png", removed)
        save_mask(pairs / "label_added" / f"{stem}.png", added)
    found = evaluated(run, pairs)
    assert of(found, "painted", "structure_removed")["pixels"]["true_positive"] == 144
    assert of(found, "painted", "structure_added")["pixels"]["true_positive"] == 720


def test_a_description_gives_values_a_meaning(run: Run, pairs: Path) -> None:
    save_mask(pairs / "damage" / "a.png", [SHED], value=2)
    save_mask(pairs / "damage" / "b.png", [HALL], value=4)
    (pairs / "dataset.yaml").write_text(
        "name: town\nkind: pairs\ngsd_m: 0.5\nprovenance: edited\nlabels:\n"
        "  - {folder: damage, changes: [structure_removed, structure_added], optional: true,"
        " values: {0: no, 2: ignore, 4: yes}}\n"
    )
    target = pairs.parent / "figures.json"
    assert run(pairs, "--json", target) == 0
    found = json.loads(target.read_text())
    change = of(found, "painted", "structure change")
    assert found["provenance"] == "edited"
    assert change["pictures"] == 2
    assert change["pixels"]["true_positive"] == 720
    assert change["objects"]["predicted"] == 1, "the shed lies on ignored ground"


def test_pairs_can_be_read_backwards(run: Run, pairs: Path) -> None:
    """What was built is then gone; the network is shown the later epoch first."""
    for stem, built in (("a", []), ("b", [HALL]), ("c", [])):
        save_mask(pairs / "label_added" / f"{stem}.png", built)
    (pairs / "dataset.yaml").write_text(
        "name: backwards\nkind: pairs\ngsd_m: 0.5\nprovenance: edited\nreversed: true\n"
        "labels: [{folder: label_added, changes: [structure_added]}]\n"
    )
    target = pairs.parent / "figures.json"
    assert run(pairs, "--json", target) == 0
    removed = of(json.loads(target.read_text()), "painted", "structure_removed")
    assert removed["pixels"]["true_positive"] == 720
    assert removed["pixels"]["false_negative"] == 0
    assert removed["pixels"]["false_positive"] == 0, "the shed that went has come, read backwards"


def test_single_pictures_cannot_be_read_backwards(run: Run, surfaces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (surfaces / "dataset.yaml").write_text(
        "name: sheds\nkind: surfaces\ngsd_m: 0.5\nreversed: true\nlabels: [{folder: masks, epoch: before}]\n"
    )
    assert run(surfaces) == 2
    assert "a single picture has no order" in capsys.readouterr().err


def test_a_yaml_elsewhere_names_the_folder_through_the_environment(
    run: Run, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVPIPE_SHARED", str(pairs.parent))
    described = pairs.parent / "described.yaml"
    described.write_text(
        "name: named\nkind: pairs\ngsd_m: 0.5\nfolder: $CVPIPE_SHARED/town\n"
        "labels: [{folder: label, changes: [structure_added, structure_removed]}]\n"
    )
    target = pairs.parent / "figures.json"
    assert run(described, "--json", target) == 0
    assert json.loads(target.read_text())["dataset"] == "named"


@pytest.mark.parametrize("missing", ["A/b.png", "B/b.png", "label/b.png"])
def test_a_missing_partner_is_named_and_nothing_is_written(
    run: Run, pairs: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (pairs / missing).unlink()
    target = pairs.parent / "figures.json"
    assert run(pairs, "--gsd", 0.5, "--json", target) == 2
    assert "b.png" in capsys.readouterr().err
    assert not target.exists()


def test_a_label_of_another_size_is_named(run: Run, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_mask(pairs / "label" / "b.png", [], side=SIDE // 2)
    assert run(pairs, "--gsd", 0.5) == 2
    said = capsys.readouterr().err
    assert "label/b.png: is 48 × 48 pixels, its picture 96 × 96" in said


def test_epochs_of_two_sizes_are_named(run: Run, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(pairs / "B" / "c.png", [], side=80)
    assert run(pairs, "--gsd", 0.5) == 2
    assert "B/c.png: is 80 × 80 pixels" in capsys.readouterr().err


def test_a_mask_with_several_values_needs_a_description(
    run: Run, surfaces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:4], mask[4:8] = 1, 2
    Image.fromarray(mask).save(surfaces / "masks" / "one.png")
    assert run(surfaces, "--gsd", 0.5) == 2
    said = capsys.readouterr().err
    assert "masks/one.png: holds the values 0, 1, 2" in said
    assert "dataset.yaml" in said


def test_a_value_that_the_description_does_not_know_is_named(
    run: Run, surfaces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (surfaces / "dataset.yaml").write_text(
        "name: sheds\nkind: surfaces\ngsd_m: 0.5\n"
        "labels: [{folder: masks, epoch: before, values: {0: other, 1: structure}}]\n"
    )
    assert run(surfaces) == 2
    assert "masks/one.png: holds the values 255, which the data set does not describe" in capsys.readouterr().err


def test_plain_pictures_need_a_ground_size(run: Run, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(pairs) == 2
    assert "--gsd" in capsys.readouterr().err


def test_a_folder_of_neither_layout_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "loose").mkdir()
    assert run(tmp_path / "loose") == 2
    assert "neither A/ B/ label*/ nor images/ masks/" in capsys.readouterr().err


def test_label_folders_of_unknown_meaning_are_told(run: Run, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_mask(pairs / "label_trees" / "a.png", [])
    assert run(pairs, "--gsd", 0.5) == 0
    assert "label_trees" in capsys.readouterr().err


def test_the_place_of_a_picture_comes_from_its_name(pairs: Path) -> None:
    for folder in ("A", "B", "label"):
        for stem in "abc":
            (pairs / folder / f"{stem}.png").rename(pairs / folder / f"ward{'12'[stem == 'c']}_{stem}.png")
    (pairs / "dataset.yaml").write_text(
        "name: town\nkind: pairs\ngsd_m: 0.5\nplace: 'ward\\d+'\n"
        "labels: [{folder: label, changes: [structure_added]}]\n"
    )
    assert [p.place for p in read_dataset(pairs).pictures] == ["ward1", "ward1", "ward2"]


def test_a_mask_is_carried_to_other_pixels_by_the_nearest_one() -> None:
    coarse, fine = Grid(None, Affine.scale(1.0), 2, 1), Grid(None, Affine.scale(0.5), 6, 2)
    assert carried(np.array([[1, 0]], np.uint8), coarse, fine).tolist() == [[1, 1, 0, 0, 255, 255]] * 2


def test_a_mask_on_a_turned_grid_is_refused() -> None:
    plain = Grid(None, Affine.scale(1.0), 2, 2)
    turned = Grid(None, Affine.rotation(30), 2, 2)
    with pytest.raises(DatasetError, match="turned"):
        carried(np.zeros((2, 2), np.uint8), turned, plain)


def test_a_shift_between_epochs_is_taken_off_unless_told_otherwise(run: Run, tmp_path: Path) -> None:
    side, shift = 160, 4
    grain = np.random.default_rng(3).integers(60, 180, (side // 8 + 1, side // 8 + 1), np.uint8)
    ground = np.kron(grain, np.ones((8, 8), np.uint8))[: side + shift, : side + shift]
    scene = np.repeat(ground[..., None], 3, axis=2)
    scene[60:100, 60:100] = RED
    folder = tmp_path / "moved"
    for name, pixels in (("A", scene[:side, shift : side + shift]), ("B", scene[:side, :side])):
        (folder / name).mkdir(parents=True)
        Image.fromarray(pixels).save(folder / name / "x.png")
    save_mask(folder / "label" / "x.png", [], side=side)
    aligned, raw = evaluated(run, folder), evaluated(run, folder, "--no-align")
    assert aligned["methods"][0]["pictures"][0]["shift_px"] == pytest.approx([shift, 0], abs=0.2)
    assert of(aligned, "painted", "structure change")["pixels"]["false_positive"] < 20
    assert of(raw, "painted", "structure change")["pixels"]["false_positive"] == 2 * shift * 40
