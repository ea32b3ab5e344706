"""Scenes that a run reads: each opened once, never too many at a time, a broken one tried once."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from cvpipe.domain import Scene, Site
from cvpipe.errors import SceneError
from cvpipe.geo import Grid
from cvpipe.imagery import Patch, SceneReader, describe
from cvpipe.run import reading
from cvpipe.run.epochs import Epoch
from cvpipe.run.reading import SceneReaders
from cvpipe.run.sites import PairKind, SitePair
from tests.detect.conftest import chequers, write_geotiff
from tests.run.conftest import square


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    paths = [write_geotiff(tmp_path / f"s_2024050{n}.tif", chequers() + n) for n in (1, 2, 3)]
    return [describe(path) for path in paths]


def test_a_scene_is_opened_once(scenes: list[Scene]) -> None:
    with ExitStack() as stack:
        readers = SceneReaders(stack)
        assert readers(scenes[0]) is readers(scenes[0])


def test_the_one_that_was_not_asked_for_longest_is_closed(scenes: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_OPEN", 2)
    one, two, three = scenes
    with ExitStack() as stack:
        readers = SceneReaders(stack)
        first, second = readers(one), readers(two)
        readers(one)
        readers(three)
        assert readers(one) is first
        assert readers(two) is not second
        assert readers(two).overview().valid.all()


def test_a_scene_that_cannot_be_opened_is_tried_once(scenes: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    tried = list[str]()

    def failing(scene: Scene) -> SceneReader:
        tried.append(scene.uri)
        raise SceneError("does not answer", where=scene.uri)

    monkeypatch.setattr(SceneReader, "of", failing)
    with ExitStack() as stack:
        readers = SceneReaders(stack)
        for _ in range(3):
            with pytest.raises(SceneError, match="does not answer"):
                readers(replace(scenes[0]))
    assert tried == [scenes[0].uri]


def test_who_stops_early_waits_for_the_read_in_hand(scenes: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a dataset is closed while it is read, which ends the process with a segmentation fault."""
    sites = [Site(f"S{n}", square(slice(20, 40), slice(20 + n * 60, 50 + n * 60))) for n in range(3)]
    before, after = (Epoch((scene,)) for scene in scenes[:2])
    pairs = [SitePair(site, PairKind.REMEDIATION, before, after) for site in sites]
    begun, told = threading.Event(), list[str]()
    closing, reading_pixels = SceneReader.close, SceneReader.read

    def slow(self: SceneReader, grid: Grid) -> Patch:
        begun.set()
        time.sleep(0.2)
        told.append("read")
        return reading_pixels(self, grid)

    def close(self: SceneReader) -> None:
        told.append("closed")
        closing(self)

    monkeypatch.setattr(SceneReader, "read", slow)
    monkeypatch.setattr(SceneReader, "close", close)
    ahead = reading.read_ahead(pairs, gsd_m=0.5, margin_m=0)
    next(ahead)
    begun.wait()
    ahead.close()
    assert "closed" in told
    assert "read" not in told[told.index("closed") :]
