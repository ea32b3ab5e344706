"""Scenes kept open: each opened once, never too many at a time, a broken one tried once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from cvpipe.domain import Scene
from cvpipe.errors import SceneError
from cvpipe.imagery import SceneReader, SceneReaders, describe, readers
from tests.detect.conftest import chequers, write_geotiff


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    paths = [write_geotiff(tmp_path / f"s_2024050{n}.tif", chequers() + n) for n in (1, 2, 3)]
    return [describe(path) for path in paths]


def test_a_scene_is_opened_once(scenes: list[Scene]) -> None:
    with ExitStack() as stack:
        lent = SceneReaders(stack)
        assert lent(scenes[0]) is lent(scenes[0])


def test_the_one_that_was_not_asked_for_longest_is_closed(scenes: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MOST_OPEN", 2)
    one, two, three = scenes
    with ExitStack() as stack:
        lent = SceneReaders(stack)
        first, second = lent(one), lent(two)
        lent(one)
        lent(three)
        assert lent(one) is first
        assert lent(two) is not second
        assert lent(two).overview().valid.all()


def test_a_scene_that_cannot_be_opened_is_tried_once(scenes: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    tried = list[str]()

    def failing(scene: Scene) -> SceneReader:
        tried.append(scene.uri)
        raise SceneError("does not answer", where=scene.uri)

    monkeypatch.setattr(SceneReader, "of", failing)
    with ExitStack() as stack:
        lent = SceneReaders(stack)
        for _ in range(3):
            with pytest.raises(SceneError, match="does not answer"):
                lent(replace(scenes[0]))
    assert tried == [scenes[0].uri]
