"""Sites close together, looked at as one: what goes together, and that it hardly matters to what is said of each."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cvpipe.detect import prediction
from cvpipe.domain import Assessment, Scene, Site
from cvpipe.imagery import describe
from cvpipe.ledger import Workspace
from cvpipe.run import RunOptions, opened, plan_opened, reading, recording, run, sharing
from cvpipe.run.epochs import Epoch
from cvpipe.run.sharing import Scale, shared
from cvpipe.run.sites import PairKind, SitePair, read_ground
from tests.detect.conftest import RED, Pixels, chequers, write_geotiff
from tests.detect.networks import PaintedNetwork
from tests.run.conftest import square

#: Areas of a site looked at alone and with others may differ by so much: share of it, and m² (some pixels of an edge).
SHARE, M2 = 0.02, 2.0

SCALE = Scale(gsd_m=0.5, margin_m=15.0, tile_px=64)


def sheds(count: int) -> list[tuple[slice, slice]]:
    return [np.s_[20 + n // 4 * 70 : 20 + n // 4 * 70 + 20, 20 + n % 4 * 60 : 50 + n % 4 * 60] for n in range(count)]


pytestmark = pytest.mark.usefixtures("network")

SITES = [Site(f"S{n}", square(*shed, 8)) for n, shed in enumerate(sheds(8))]


def scene(name: str, folder: Path, standing: int, moved: bool = False) -> Scene:
    pixels: Pixels = chequers()
    for shed in sheds(standing):
        pixels[shed] = RED
    if moved:  # the whole picture lies a little off, as epochs do
        pixels = np.asarray(
            cv2.warpAffine(pixels, np.array([[1, 0, 1.3], [0, 1, -0.7]]), (300, 240), borderMode=cv2.BORDER_REFLECT)
        ).astype(np.uint8)
    return describe(write_geotiff(folder / f"{name}.tif", pixels))


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    return [scene("a_20240501", tmp_path, 8), scene("b_20250501", tmp_path, 3, moved=True)]


def pairs_of(sites: list[Site], scenes: list[Scene]) -> list[SitePair]:
    one, other = (Epoch((one,)) for one in scenes)
    return [SitePair(site, PairKind.REMEDIATION, one, other) for site in sites]


def codes(pairs: list[SitePair]) -> set[tuple[str, ...]]:
    return {tuple(site.code for site in pair.sites) for pair in pairs}


def test_neighbours_go_together_whatever_their_order(scenes: list[Scene]) -> None:
    pairs = pairs_of(SITES, scenes)
    assert codes(shared(pairs, SCALE)) == {tuple(site.code for site in SITES)}
    mixed = random.Random(1).sample(pairs, len(pairs))
    assert {frozenset(c) for c in codes(shared(mixed, SCALE))} == {frozenset(site.code for site in SITES)}


def test_what_lies_apart_or_has_other_scenes_stays_alone(scenes: list[Scene]) -> None:
    far = Site("FAR", square(np.s_[4000:4020], np.s_[4000:4040]))
    assert codes(shared(pairs_of([SITES[0], far], scenes), SCALE)) == {("S0",), ("FAR",)}
    one, other = pairs_of([SITES[0]], scenes)[0], pairs_of([SITES[1]], scenes[::-1])[0]
    assert codes(shared([one, other], SCALE)) == {("S0",), ("S1",)}
    nothing = replace(one, before=None, after=None)
    assert shared([nothing, nothing], SCALE) == [nothing, nothing]


def test_shared_ground_stays_small_and_each_pair_is_there_once(scenes: list[Scene]) -> None:
    many = [
        Site(f"M{n:03}", square(np.s_[n // 20 * 90 : n // 20 * 90 + 40], np.s_[n % 20 * 90 : n % 20 * 90 + 40]))
        for n in range(200)
    ]
    found = shared(pairs_of(many, scenes), SCALE)
    assert sorted(pair.site.code for pair in found) == [site.code for site in many]
    groups = sharing.grounds(pairs_of(many, scenes), SCALE)
    assert {tuple(many[n].code for n in group.members) for group in groups} == set(codes(found))
    assert sum(len(group.members) for group in groups) == len(many)
    assert len(groups) < len(many) / 3
    sides = [side + 2 * SCALE.margin_m for group in groups for side in (group.width_m, group.height_m)]
    assert max(sides) <= sharing.MOST_PX * SCALE.gsd_m
    order = [pair.sites for pair in found]
    assert all(a == b or b not in order[:i] for i, (a, b) in enumerate(itertools.pairwise(order), start=1))


Assessed = Callable[..., dict[str, Assessment]]


@pytest.fixture
def assessed(tmp_path: Path, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch) -> Assessed:
    """What a run says of each site; `together` whether sites may share their ground."""
    runs = iter(range(100))

    def assess(sites: list[Site] = SITES, *, together: bool = True) -> dict[str, Assessment]:
        workspace = Workspace.create(tmp_path / f"ws{next(runs)}")
        with workspace.ledger() as ledger:
            ledger.put_sites(sites, source="test")
            for one in scenes:
                ledger.add_scene(one)
        with monkeypatch.context() as patched:
            if not together:
                patched.setattr("cvpipe.run.pairs.shared", lambda pairs, _scale: pairs)
            assert run(workspace).failures == []
        with workspace.ledger() as ledger:
            return {site.code: ledger.assessments(site.code)[0].assessment for site in sites}

    return assess


def assert_alike(one: dict[str, Assessment], other: dict[str, Assessment]) -> None:
    """Verdicts equal, areas within the tolerance."""
    assert one.keys() == other.keys()
    for code, first in one.items():
        second = other[code]
        assert [(v.question, v.outcome, v.reason) for v in first.verdicts] == [
            (v.question, v.outcome, v.reason) for v in second.verdicts
        ]
        assert first.measurements is not None
        assert second.measurements is not None
        for kind, area in first.measurements.change_m2.items():
            assert second.measurements.change_m2[kind] == pytest.approx(area, rel=SHARE, abs=M2), (code, kind)


def test_a_site_hears_the_same_alone_and_with_others(assessed: Assessed, network: PaintedNetwork) -> None:
    alone = assessed(together=False)
    asked = len(network.batches)
    together = assessed()
    assert_alike(alone, together)
    assert len(network.batches) - asked < asked, "the network was asked less often"
    assert [a.verdicts[0].outcome for a in together.values()] != [together["S0"].verdicts[0].outcome] * 8


@pytest.mark.parametrize("light", ["none", "moments"])
def test_a_plan_counts_what_the_run_then_does(tmp_path: Path, scenes: list[Scene], light: str) -> None:
    """Ground that sites share once, whoever of them is still to be assessed; alone where light is matched."""
    workspace = Workspace.create(tmp_path / "counted")
    path = workspace.folder / "cvpipe.yaml"
    path.write_text(f"{path.read_text()}\nlight: {light}\n")
    with workspace.ledger() as ledger:
        ledger.put_sites(SITES, source="test")
        for one in scenes:
            ledger.add_scene(one)
    with opened(workspace) as job:
        load = plan_opened(job).load
    assert run(workspace, RunOptions(codes=["S0"])).assessed == 1
    with opened(workspace) as job:
        assert plan_opened(job).load.units == (1 if light == "none" else len(SITES) - 1)
    summary = run(workspace)
    assert summary.assessed == len(SITES) - 1
    assert load.units == (1 if light == "none" else len(SITES))
    done = summary.megapixels * (1 if light == "none" else len(SITES) / (len(SITES) - 1))
    assert done == pytest.approx(load.megapixels, rel=0.05)


def test_fewer_neighbours_change_nothing(assessed: Assessed) -> None:
    whole = assessed()
    part = assessed([SITES[0], SITES[5]])
    assert_alike({code: whole[code] for code in part}, part)


def test_a_run_that_goes_on_looks_at_the_same_ground(
    tmp_path: Path, scenes: list[Scene], assessed: Assessed, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = assessed()
    workspace = Workspace.create(tmp_path / "cut")
    with workspace.ledger() as ledger:
        ledger.put_sites(SITES, source="test")
        for one in scenes:
            ledger.add_scene(one)

    class Killed(BaseException):
        pass

    def kill(told: str) -> None:
        if told.startswith("S3"):
            raise Killed

    with monkeypatch.context() as at_once:
        at_once.setattr(recording, "WRITE_EVERY_S", 0.0)
        with pytest.raises(Killed):
            run(workspace, progress=kill)
    assert run(workspace).assessed == len(SITES) - 4
    with workspace.ledger() as ledger:
        found = {site.code: ledger.assessments(site.code)[0].assessment for site in SITES}
    assert found == whole


def test_ground_that_cannot_be_shared_is_looked_at_site_by_site(
    assessed: Assessed, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = assessed(together=False)

    def failing(pair: SitePair, *args: object, **scale: object) -> object:
        if len(pair.sites) > 1:
            raise MemoryError
        return read_ground(pair, *args, **scale)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "read_ground", failing)
    assert_alike(alone, assessed())


@pytest.mark.slow
@pytest.mark.parametrize(("tile_px", "batch", "threads"), [(32, 9, 1), (256, 40, 2)])
def test_tiles_batches_and_threads_leave_no_trace(
    assessed: Assessed, network: PaintedNetwork, monkeypatch: pytest.MonkeyPatch, tile_px: int, batch: int, threads: int
) -> None:
    usual = assessed()
    before = torch.get_num_threads()
    monkeypatch.setattr(network, "tile_px", tile_px)
    monkeypatch.setattr(prediction, "BATCH", batch)
    try:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        assert_alike(usual, assessed())
    finally:
        torch.set_num_threads(before)
        cv2.setNumThreads(before)
