"""What the released network says of a site hangs little on how its ground is cut: tiles, batches, threads, window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from shapely.geometry import shape

from cvpipe.detect import compare, prediction
from cvpipe.domain import ChangeKind
from cvpipe.geo import Window
from cvpipe.imagery import SceneReader
from cvpipe.network.bundle import Network, load_bundle
from cvpipe.run.sites import inside_mask
from cvpipe.world import draw_district

#: Side of the ground that is looked at, px of 0.3 m, and by how much another window lies beside it: no multiple of 32.
SIDE_PX, BESIDE_PX = 960, (45, 83)

#: How far the area of a change in a site may lie off where its ground is cut otherwise: this share, or so many m².
SHARE, M2 = 0.04, 12.0  # found here: 2.2 % of 1,343 m² and 6 m² of 26 by another window, nothing by smaller tiles

Areas = dict[tuple[str, ChangeKind], float]


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a kilometre of drawn ground at the released network's pixel."""
    folder = tmp_path_factory.mktemp("district")
    draw_district(folder, seed=7, size_m=500)
    return folder


@pytest.fixture(scope="module")
def released() -> Network:
    return load_bundle("cvpipe-s", "cpu", "torch")


@pytest.fixture
def network(released: Network) -> Iterator[Network]:
    """The released one, as it was after each test."""
    tile_px, threads = released.tile_px, torch.get_num_threads()
    yield released
    released.tile_px = tile_px
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def usual(district: Path, released: Network) -> Areas:
    return areas(district, released)


def areas(district: Path, network: Network, beside: tuple[int, int] = (0, 0)) -> Areas:
    """Areas of structures removed and added in each site, m², from one window of the first and the last scene."""
    first, *_, last = sorted(district.glob("scene_*.tif"))
    with SceneReader(first) as one, SceneReader(last) as other:
        col, row = 120 + beside[0], 160 + beside[1]
        grid = one.grid.window(Window(col, row, SIDE_PX, SIDE_PX))
        before, after = one.read(grid), other.read(grid)
    maps = compare(network, before, after)
    inner = inner_mask(beside)
    found: Areas = {}
    for site in json.loads((district / "sites.geojson").read_text())["features"]:
        outline = shape(site["geometry"])
        inside = inside_mask(outline, grid) & inner if outline.area else np.zeros(grid.shape, bool)
        for kind in (ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED):
            area = float((inside & (maps.change[kind] == 1)).sum()) * grid.pixel_area_m2()
            found[site["properties"]["code"], kind] = area
    return found


def inner_mask(beside: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The ground that both windows show at least 100 px from their edges."""
    mask = np.zeros((SIDE_PX, SIDE_PX), bool)
    left, top = (100 + most - own for most, own in zip(BESIDE_PX, beside, strict=True))
    mask[top : top + SIDE_PX - 300, left : left + SIDE_PX - 300] = True
    return mask


def assert_alike(found: Areas, usual: Areas) -> None:
    assert max(usual.values()) > 1000, "something changed in a site"
    assert found == {key: pytest.approx(area, SHARE, M2) for key, area in usual.items()}


def test_smaller_tiles(district: Path, network: Network, usual: Areas) -> None:
    """Four tiles that share 64 px, where the usual ones are one."""
    network.tile_px = 256
    assert len(prediction.tiles_of(SIDE_PX, SIDE_PX, 256, 64)) == 4
    assert_alike(areas(district, network), usual)


def test_another_window(district: Path, network: Network, usual: Areas) -> None:
    assert_alike(areas(district, network, BESIDE_PX), usual)


def test_batches_and_threads(district: Path, network: Network, usual: Areas, monkeypatch: pytest.MonkeyPatch) -> None:
    """These may move a rounding, and nothing else."""
    network.tile_px = 256
    four = areas(district, network)
    monkeypatch.setattr(prediction, "BATCH", 100)
    torch.set_num_threads(1 if torch.get_num_threads() > 1 else 2)
    assert areas(district, network) == {key: pytest.approx(area, 0.002, 0.5) for key, area in four.items()}
    assert_alike(four, usual)
