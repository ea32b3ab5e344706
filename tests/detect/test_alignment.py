"""Two whole scenes are laid on each other, also where one of them is a little larger or turned."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from cvpipe.detect import alignment
from cvpipe.detect.alignment import AlignedPair
from cvpipe.domain import Reason
from cvpipe.geo import Window
from cvpipe.imagery import judge
from cvpipe.imagery.reading import Patch, SceneReader

SIDE = 1300
CORNER = Affine(0.5, 0, 430000, 0, -0.5, 4417000)


@pytest.fixture(scope="module")
def town() -> NDArray[np.uint8]:
    """Soft ground with roofs of all directions (3, H, W)."""
    rng = np.random.default_rng(12)
    ground = np.ascontiguousarray(cv2.GaussianBlur(rng.normal(100, 160, (SIDE, SIDE, 3)), (0, 0), 6))
    for _ in range(600):
        box = cv2.boxPoints((rng.uniform(0, SIDE, 2).tolist(), rng.uniform(8, 40, 2).tolist(), rng.uniform(0, 90)))
        cv2.fillPoly(ground, [np.asarray(box, np.int32)], rng.uniform(30, 240, 3).tolist(), cv2.LINE_AA)
    return np.moveaxis(np.clip(ground, 0, 255).astype(np.uint8), 2, 0)


def written(path: Path, values: NDArray[np.uint8], transform: Affine) -> Path:
    _, height, width = values.shape
    profile = {"driver": "GTiff", "count": 3, "height": height, "width": width, "dtype": "uint8", "crs": "EPSG:32650"}
    with rasterio.open(path, "w", **profile, transform=transform) as out:
        out.write(values)
    return path


def around_centre(change: Affine) -> Affine:
    """A false georeference: the true one, changed about the scene's middle."""
    middle = SIDE / 2
    return CORNER * Affine.translation(middle, middle) * change * Affine.translation(-middle, -middle)


FALSE = {
    "moved": Affine.translation(2.6, -1.4),
    "larger": Affine.translation(1.0, 2.0) * Affine.scale(1.006),
    "turned": Affine.rotation(0.4),
}


@pytest.mark.parametrize("name", FALSE)
def test_every_part_of_the_scenes_lies_on_itself(tmp_path: Path, town: NDArray[np.uint8], name: str) -> None:
    """At the corners a scale of 0.6 % is 5 px off; the whole is laid on itself to a fraction of a pixel."""
    before = written(tmp_path / "before.tif", town, CORNER)
    after = written(tmp_path / "after.tif", town, around_centre(FALSE[name]))
    with SceneReader(before) as one, SceneReader(after) as other:
        pair = AlignedPair.of(one, other, 0.5)
        assert pair.registration.residual_px < 0.5
        assert any(pair.registration.drift) == (name != "moved")
        last_row, last_col = pair.grid.height - 260, pair.grid.width - 260
        for window in (Window(60, 60, 200, 200), Window(last_col, last_row, 200, 200), Window(550, 550, 200, 200)):
            earlier, later = pair.read(pair.grid.window(window))
            assert later.grid == earlier.grid
            assert shift_between(earlier.pixels, later.pixels) < 0.3


def test_scenes_that_are_bent_against_each_other_are_misaligned(
    tmp_path: Path, town: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upper half lies 5 px to the right, the lower one 5 px to the left: no shift fits, and the residual tells."""
    monkeypatch.setattr(alignment, "WINDOW_PX", SIDE // 2)
    torn = np.concatenate([np.roll(town[:, : SIDE // 2], 5, axis=2), np.roll(town[:, SIDE // 2 :], -5, axis=2)], axis=1)
    before = written(tmp_path / "before.tif", town, CORNER)
    after = written(tmp_path / "after.tif", torn, CORNER)
    with SceneReader(before) as one, SceneReader(after) as other:
        pair = AlignedPair.of(one, other, 0.5)
        earlier, later = pair.read(pair.grid.window(Window(60, 60, 200, 200)))
    assert pair.registration.residual_px == pytest.approx(5, abs=0.3)
    assert judge(earlier, later, np.ones((200, 200), bool), pair.registration) == (Reason.MISALIGNED,)


def test_the_later_scene_is_brought_to_one_light(tmp_path: Path, town: NDArray[np.uint8]) -> None:
    """One change of light for all windows: the same pixel of the scene comes out alike in two of them."""
    before = written(tmp_path / "before.tif", town, CORNER)
    after = written(tmp_path / "after.tif", (town * 0.7 + 10).astype(np.uint8), CORNER)
    with SceneReader(before) as one, SceneReader(after) as other:
        plain, relit = (AlignedPair.of(one, other, 0.5, light) for light in ("none", "moments"))
        window, shifted = (relit.grid.window(Window(col, 200, 300, 300)) for col in (300, 400))
        earlier, dark = plain.read(window)
        (_, lit), (_, beside) = relit.read(window), relit.read(shifted)
    assert off(lit, earlier) < off(dark, earlier) / 3
    assert np.array_equal(lit.pixels[:, 100:], beside.pixels[:, :200])


def off(one: Patch, other: Patch) -> float:
    return float(np.abs(one.pixels.astype(int) - other.pixels).mean())


def test_a_bend_between_small_scenes_is_taken_out(tmp_path: Path, town: NDArray[np.uint8]) -> None:
    """Scenes of one window: its bend is found, told, and taken out wherever the pair is read."""
    side = 600
    small = np.ascontiguousarray(np.moveaxis(town[:, :side, :side], 0, 2))
    rows, cols = np.indices((side, side), dtype=np.float32)
    push = 3 * np.sin(np.pi * rows / side) ** 2
    bent = np.asarray(cv2.remap(small, cols - push, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), np.uint8)
    before, after = (
        written(tmp_path / name, np.moveaxis(p, 2, 0), CORNER) for name, p in (("one.tif", small), ("other.tif", bent))
    )
    with SceneReader(before) as one, SceneReader(after) as other:
        pair = AlignedPair.of(one, other, 0.5)
        assert pair.registration.bend
        for col, row in ((60, 20), (200, 200), (340, 380)):
            earlier, later = pair.read(pair.grid.window(Window(col, row, 200, 200)))
            assert shift_between(earlier.pixels, later.pixels) < 0.5


def shift_between(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Length in pixels of what plain phase correlation finds."""
    grey = [np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), np.float32) for p in (one, other)]
    window = np.asarray(cv2.createHanningWindow((200, 200), cv2.CV_32F), np.float32)
    (x, y), _ = cv2.phaseCorrelate(grey[0], grey[1], window)
    return float(np.hypot(x, y))
