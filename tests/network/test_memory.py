"""Features of earlier epochs that are kept: the same answers with them, bounded room, no harm from damage or haste."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cvpipe.network.bundle import Network, find_bundle, golden_tiles, load_bundle
from cvpipe.network.memory import FeatureMemory

Tile = NDArray[np.uint8]


def tile(number: int) -> Tile:
    return np.full((32, 32, 3), number, np.uint8)


def features(number: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
    """Half of them zero, as after a ReLU."""
    values = torch.randn(8, 16, 16, generator=torch.Generator().manual_seed(number))
    return torch.relu(values).to(kind)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_what_was_put_comes_back_bit_by_bit_in_less_room(tmp_path: Path, kind: torch.dtype) -> None:
    memory, put = FeatureMemory(tmp_path, 10**9, "a"), features(1, kind)
    assert memory.get(tile(1)) is None
    memory.put(tile(1), put)
    found = memory.get(tile(1))
    assert found is not None
    assert found.dtype is kind
    assert torch.equal(found, put)
    (path,) = tmp_path.glob("*/*")
    assert path.stat().st_size < 0.65 * put.numel() * put.element_size()


def test_other_pixels_and_other_makers_are_not_taken_for_it(tmp_path: Path) -> None:
    memory = FeatureMemory(tmp_path, 10**9, "a")
    memory.put(tile(1), features(1))
    assert memory.get(tile(2)) is None
    assert memory.get(tile(1)[:, :16]) is None
    assert FeatureMemory(tmp_path, 10**9, "b").get(tile(1)) is None
    assert FeatureMemory(tmp_path, 10**9, "a").get(tile(1)) is not None


@pytest.mark.parametrize("damage", [b"", b"\x09" * 40, None])
def test_a_damaged_entry_is_none(tmp_path: Path, damage: bytes | None) -> None:
    memory = FeatureMemory(tmp_path, 10**9, "a")
    memory.put(tile(1), features(1))
    (path,) = tmp_path.glob("*/*")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if damage is None else damage)
    assert memory.get(tile(1)) is None
    memory.put(tile(1), features(1))
    assert memory.get(tile(1)) is not None


def test_what_was_not_used_longest_goes_first(tmp_path: Path) -> None:
    size = 5 * features(0).numel() * 4 * 0.55
    memory = FeatureMemory(tmp_path, int(size), "a")
    for number in range(4):
        memory.put(tile(number), features(number))
    for age, number in enumerate((1, 2, 3, 0)):
        path = memory._path(tile(number))
        os.utime(path, (1000 + age, 1000 + age))
    for number in (4, 5):
        memory.put(tile(number), features(number))
    assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= size
    assert memory.get(tile(1)) is None
    assert all(memory.get(tile(number)) is not None for number in (0, 4, 5))


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    memory = FeatureMemory(tmp_path, 1, "a")
    (tmp_path / "ab").mkdir()
    old, new = tmp_path / "ab" / ".old.1234", tmp_path / "ab" / ".new.1234"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    memory.put(tile(1), features(1))
    assert (old.exists(), new.exists()) == (False, True)


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("no folder")
    memory = FeatureMemory(place, 10**9, "a")
    memory.put(tile(1), features(1))
    assert memory.get(tile(1)) is None


def _use(folder: Path, start: int) -> None:
    torch.set_num_threads(1)
    memory = FeatureMemory(folder, 30_000, "a")
    for turn in range(60):
        number = (start + turn) % 12
        found = memory.get(tile(number))
        assert found is None or torch.equal(found, features(number))
        memory.put(tile(number), features(number))


def test_processes_share_a_folder_that_is_too_small_for_them(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    users = [context.Process(target=_use, args=(tmp_path, start)) for start in (0, 5)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert [user.exitcode for user in users] == [0, 0]


@pytest.fixture
def network() -> Network:
    return load_bundle("cvpipe-s", "cpu", "torch")


def test_answers_are_the_same_with_memory_and_without(network: Network, tmp_path: Path) -> None:
    before, after = (t[:, :128, :160] for t in golden_tiles(find_bundle("cvpipe-s")))
    before, after = np.concatenate([before, before[:, ::-1]]), np.concatenate([after, after[:, :, ::-1]])
    plain = network.predict(before, after)
    network.remember(tmp_path, 10**9)
    assert network.memory is not None
    first = network.predict(before, after)
    again = network.predict(before, after)
    assert (network.memory.hits, network.memory.misses) == (2, 2)
    for name in ("surface_before", "surface_after", "change"):
        assert np.array_equal(getattr(again, name), getattr(first, name))
        assert np.abs(getattr(again, name) - getattr(plain, name)).max() < 1e-3
