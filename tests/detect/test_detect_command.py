"""`cvpipe detect` as a user calls it; the bundle is a network that knows plain colours."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from affine import Affine

from cvpipe import cli
from cvpipe.cli.detect import _shift_told
from cvpipe.domain import Registration
from cvpipe.network import bundle
from tests.detect.conftest import ORIGIN, RED, Pixels
from tests.detect.networks import PaintedNetwork

Call = Callable[..., int]


@pytest.fixture
def call(network: PaintedNetwork, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs `cvpipe detect …` and gives its exit code."""
    monkeypatch.setattr(bundle, "load_bundle", lambda *_, **__: network)

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", ["cvpipe", "detect", *map(str, words)])
        try:
            cli.main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run


@pytest.fixture
def pair(geotiff: Callable[..., Path], ground: Pixels) -> tuple[Path, Path]:
    painted = ground.copy()
    painted[100:160, 200:260] = RED
    return geotiff("before.tif", ground), geotiff("after.tif", painted)


def test_a_comparison_ends_with_a_table_and_the_folder(
    call: Call, pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*pair, "--out", tmp_path / "out") == 0
    said = capsys.readouterr()
    assert "structure_added" in said.out
    assert str(tmp_path / "out") in said.out
    assert "tiles 4/4" in said.err


def test_the_summary_can_be_had_as_json(
    call: Call, pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*pair, "--out", tmp_path / "out", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "out" / "summary.json").read_text())


@pytest.fixture
def bad_calls(
    pair: tuple[Path, Path], geotiff: Callable[..., Path], png: Callable[[str, Pixels], Path], ground: Pixels
) -> dict[str, tuple[list[object], str]]:
    """What is called, and what the message must say."""
    before, after = pair
    text = before.with_name("notes.tif")
    text.write_text("no raster at all")
    elsewhere = geotiff("elsewhere.tif", ground, transform=Affine.translation(5000, 0) * ORIGIN)
    plain, other = png("plain.png", ground), png("other.png", ground)
    return {
        "missing file": ([before, before.with_name("gone.tif")], "gone.tif: no such file"),
        "text file": ([text, after], "notes.tif: no raster"),
        "no overlap": ([before, elsewhere], "shares no area"),
        "plain without gsd": ([plain, other], "--gsd"),
        "one georeferenced": ([before, plain, "--gsd", "0.5"], "plain.png: has no georeference"),
        "gsd of nothing": ([plain, other, "--gsd", "0"], "--gsd"),
        "unknown device": ([before, after, "--device", "abacus"], "--device"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "missing file",
        "text file",
        "no overlap",
        "plain without gsd",
        "one georeferenced",
        "gsd of nothing",
        "unknown device",
    ],
)
def test_bad_calls_end_with_2_one_message_and_no_folder(
    case: str,
    call: Call,
    bad_calls: dict[str, tuple[list[object], str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, message = bad_calls[case]
    there = {path.name for path in tmp_path.iterdir()}
    assert call(*words, "--out", tmp_path / "out") == 2
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert {path.name for path in tmp_path.iterdir()} == there


def test_a_foreign_folder_is_refused(
    call: Call, pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*pair, "--out", tmp_path) == 2
    assert "is not empty and no earlier output of detect" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"before.tif", "after.tif"}


def test_an_unknown_bundle_is_refused(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*map(str, pair), "--out", str(tmp_path / "out"), "--model", "no-such-bundle"]
    monkeypatch.setattr(sys, "argv", ["cvpipe", "detect", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "no-such-bundle: no such bundle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (Registration((1.5, -2.0), 0.25), "lay off by: +1.50 px to the right, -2.00 px down (left: 0.25 px)"),
        (Registration(residual_px=math.inf, confidence=0.0), "no shift between the epochs could be found"),
    ],
)
def test_the_shift_is_told_or_that_none_was_found(shift: Registration, words: str) -> None:
    assert words in _shift_told(shift)
