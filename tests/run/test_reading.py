"""Scenes that a run reads: each opened once, never too many at a time, a broken one tried once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from cvpipe.domain import Scene
from cvpipe.errors import SceneError
from cvpipe.imagery import SceneReader, describe
from cvpipe.run import reading
from cvpipe.run.reading import SceneReaders
from tests.detect.conftest import chequers, write_geotiff


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
