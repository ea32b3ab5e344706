"""A sweep by two workers of a real Ray cluster on loopback finds the candidates that one process finds."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rasterio
import shapely
from rasterio.windows import Window

from cvpipe.domain import Candidate
from cvpipe.imagery import describe
from cvpipe.ledger import Workspace, read_sites
from cvpipe.run.sweep import pairs_to_sweep
from cvpipe.world import draw_district
from scripts.lose_node import codes, command, problems_of, set_up_ray

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (cvpipe[ray])"),
]

#: By how much outlines may differ, degrees (some 1 cm), and figures: the order in which threads add up.
OUTLINE_DEG, FIGURES = 1e-7, 1e-3


def halves(scene: Path) -> Iterator[Path]:
    """The west and the east of a scene, as two scenes: what lies across the seam is one candidate."""
    with rasterio.open(scene) as whole:
        middle = whole.width // 2
        for name, start, width in (("west", 0, middle), ("east", middle, whole.width - middle)):
            window = Window(start, 0, width, whole.height)
            path = scene.with_name(f"{scene.stem}_{name}.tif")
            profile = {**whole.profile, "width": width, "transform": whole.window_transform(window)}
            with rasterio.open(path, "w", **profile) as half:
                half.write(whole.read(window=window))
            yield path


def workspaces(folder: Path) -> list[Workspace]:
    """Two over one drawn district, whose last two epochs are two scenes each."""
    district = draw_district(folder / "district", seed=7, size_m=500.0)
    read = read_sites(district.sites)
    scenes = [describe(half) for path in district.scenes[-2:] for half in halves(path)]
    made = [Workspace.create(folder / name) for name in ("local", "ray")]
    for workspace in made:
        with workspace.ledger() as ledger:
            ledger.put_sites(read.sites, source="drawn", stated=read.stated)
            for scene in scenes:
                ledger.add_scene(scene)
    return made


def swept(workspace: Workspace, site: str, *engine: str) -> dict[str, Any]:
    """What `cvpipe run --sweep` on one site and on the whole scenes says that it did."""
    call = [*command(workspace), "--site", site, "--sweep", *engine]
    done = subprocess.run(call, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def candidates_in(workspace: Workspace) -> list[Candidate]:
    """In the order of the ledger, which is that of their rank."""
    with workspace.ledger() as ledger:
        return [entry.value for entry in ledger.candidates()]


def test_the_candidates_are_those_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_USAGE_STATS_ENABLED", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")  # so that what `set_up_ray` sets is taken back after the test
    set_up_ray()
    local, scattered = workspaces(tmp_path)
    (site,) = codes(local, 1)
    with local.ledger() as ledger:
        assert len(pairs_to_sweep(ledger.scenes())) == 2, "one for each worker"
    alone = swept(local, site)
    together = swept(scattered, site, "--engine", "ray", "--ray-cpus", "1", "--ray-workers", "2")
    expected, found = candidates_in(local), candidates_in(scattered)
    assert len(expected) >= 2, "a drawn district has changes outside its sites"
    assert together["candidates"] == alone["candidates"] == len(expected)
    assert together["megapixels"] == alone["megapixels"]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.kind, one.first_seen, one.last_seen) == (other.kind, other.first_seen, other.last_seen)
        assert (one.area_m2, one.probability) == pytest.approx((other.area_m2, other.probability), rel=FIGURES)
        assert shapely.equals_exact(one.geometry, other.geometry, OUTLINE_DEG)
    assert problems_of(local, scattered) == []
    again = swept(scattered, site, "--engine", "ray", "--ray-cpus", "1", "--ray-workers", "2")
    assert (again["candidates"], again["megapixels"]) == (0, 0.0), "what was compared is kept"
