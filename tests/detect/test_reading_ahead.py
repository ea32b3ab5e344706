"""Strips are read one ahead by one thread: the same answer whatever the timing, and no read outlives the iterator."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cvpipe.detect.alignment import AlignedPair
from cvpipe.detect.maps import strip_of
from cvpipe.detect.prediction import Strip, cells
from cvpipe.detect.scenes import detect_pair
from cvpipe.errors import SceneError
from cvpipe.geo import Window
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.network.probabilities import Probabilities
from tests.detect.conftest import RED, Pixels
from tests.detect.networks import PaintedNetwork

SIDE = 300


def strip(window: Window) -> Strip:
    rng = np.random.default_rng(window.row * SIDE + window.col)
    before, after = rng.integers(0, 256, (2, window.height, window.width, 3), dtype=np.uint8)
    seen = np.ones((window.height, window.width), np.bool_)
    return Strip(before, after, seen, seen)


@pytest.mark.parametrize("slow", ["reading", "network", "neither"])
def test_the_answer_does_not_depend_on_who_is_late(slow: str) -> None:
    threads = set[int]()

    def read(window: Window) -> Strip:
        threads.add(threading.get_ident())
        time.sleep(0.01 if slow == "reading" else 0)
        return strip(window)

    class Late(PaintedNetwork):
        def predict(self, before: Pixels, after: Pixels) -> Probabilities:
            time.sleep(0.01 if slow == "network" else 0)
            return super().predict(before, after)

    found = [(c.window, c.values.tobytes()) for c in cells(Late(tile_px=32), SIDE, SIDE, read)]
    expected = [(c.window, c.values.tobytes()) for c in cells(PaintedNetwork(tile_px=32), SIDE, SIDE, strip)]
    assert found == expected
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_closing_waits_for_the_read_in_hand() -> None:
    at_work, most = list[Window](), list[int]()

    def read(window: Window) -> Strip:
        at_work.append(window)
        most.append(len(at_work))
        time.sleep(0.1 if window.col else 0)
        at_work.remove(window)
        return strip(window)

    with closing(cells(PaintedNetwork(tile_px=32), SIDE, SIDE, read)) as found:
        next(found)
    assert (at_work, max(most)) == ([], 1)


def test_a_strip_that_cannot_be_read_is_told_where_it_is_needed() -> None:
    def read(window: Window) -> Strip:
        if window.row:
            raise SceneError("its pixels cannot be read")
        return strip(window)

    seen = list[Window]()
    with pytest.raises(SceneError, match="cannot be read"):
        seen.extend(c.window for c in cells(PaintedNetwork(tile_px=32), SIDE, SIDE, read))
    assert {window.row for window in seen} <= {0}


def test_a_scene_is_closed_after_the_last_read(
    geotiff: Callable[..., Path], ground: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network fails at once, while the next strip is being read."""
    ground[20:60, 20:60] = RED
    path, closed, late = geotiff("scene.tif", ground), list[str](), list[str]()
    read, close = SceneReader.read, SceneReader.close

    def slow(self: SceneReader, *given: object) -> Patch:
        time.sleep(0.05)
        late.extend(closed)
        return read(self, *given)  # type: ignore[arg-type]

    def noted(self: SceneReader) -> None:
        closed.append(str(self.path))
        close(self)

    class Broken(PaintedNetwork):
        def predict(self, before: Pixels, after: Pixels) -> Probabilities:
            super().predict(before, after)
            raise KeyboardInterrupt

    monkeypatch.setattr(SceneReader, "read", slow)
    monkeypatch.setattr(SceneReader, "close", noted)
    with pytest.raises(KeyboardInterrupt):
        detect_pair(Broken(tile_px=32), path, path, tmp_path / "out")
    assert (len(closed), late) == (2, [])


def test_strips_of_scenes_are_those_of_the_whole(geotiff: Callable[..., Path], ground: Pixels) -> None:
    """What a cell carries is what a plain read of its window gives."""
    path = geotiff("scene.tif", ground)
    with SceneReader(path) as before, SceneReader(path) as after:
        pair = AlignedPair.of(before, after, 0.5)

        def read(window: Window) -> Strip:
            return strip_of(*pair.read(pair.grid.window(window)))

        whole = pair.read(pair.grid)[0].pixels
        with closing(cells(PaintedNetwork(tile_px=32), pair.grid.width, pair.grid.height, read)) as found:
            for cell in found:
                assert np.array_equal(cell.strip.before, whole[cell.window.slices])
