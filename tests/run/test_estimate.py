"""What a plan would cost, and the index by which it finds scenes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from shapely.geometry import Point, box

from cvpipe.domain import Scene
from cvpipe.ledger import RunRecord
from cvpipe.run.estimate import DEFAULT_MPX_PER_S, NOTHING, Load, speed_of, to_read, to_think
from cvpipe.run.nearby import Nearby

#: 0.001 degrees at the equator are some 111 m.
STEP = 0.001


def scene(name: str, left: float, gsd_m: float = 0.5) -> Scene:
    outline = box(left, 0, left + 1, 1)
    return Scene(f"/{name}", date(2024, 5, 1), name, outline, gsd_m, "EPSG:4326", 10, 10, 3, "uint8")


def ran(digest: str, device: str, kilopixels: int, milliseconds: int) -> RunRecord:
    counts = {"kilopixels": kilopixels, "milliseconds": milliseconds} if milliseconds else {}
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return RunRecord(1, when, when, {}, "1", "b", digest, "r", {"device": device}, counts)


def test_a_load_counts_both_epochs_read_and_the_ground_once() -> None:
    read = to_read(110.0, 110.0, [0.5, 1.0], margin_m=15.0)
    assert read == pytest.approx((230 * 230 * 4 + 230 * 230) / 1e6)
    assert to_think(110.0, 110.0, 0.5, 15.0) == pytest.approx(140 * 140 / 0.25 / 1e6)
    assert Load(1, read).megabytes == pytest.approx(3 * read)
    assert sum([Load(1), Load(1)], NOTHING).units == 2


def test_speed_is_that_of_runs_alike_and_a_default_says_so() -> None:
    runs = [ran("d", "cpu", 20_000, 10_000), ran("d", "cuda", 90_000, 1), ran("x", "cpu", 1, 9_000_000)]
    assert speed_of(runs, "d", "cpu").mpx_per_s == pytest.approx(2.0)
    assert speed_of(runs, "d", "cpu").seconds(Load(1, 0, 4)) == pytest.approx(2.0)
    for few in ([], [ran("d", "cpu", 10, 10)], [ran("d", "cpu", 0, 0)]):
        speed = speed_of(few, "d", "cpu")
        assert speed.mpx_per_s == DEFAULT_MPX_PER_S
        assert "default" in speed.basis


def test_only_scenes_around_a_place_are_asked() -> None:
    scenes = [scene("east", 2), scene("west", 0), scene("far", 100)]
    nearby = Nearby(scenes)
    assert nearby.of(Point(0.5, 0.5)) == [scenes[1]]
    assert nearby.of(Point(1.5, 0.5)) == []
    assert nearby.of(Point(1.5, 0.5), distance_m=60_000) == scenes[:2], "in their own order"
    assert nearby.of(Point(179.9999, 0.5), distance_m=100) == scenes, "at the 180th meridian all are asked"
    assert nearby.of(Point()) == scenes
    assert Nearby([]).of(Point(0, 0)) == []
