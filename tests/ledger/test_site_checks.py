"""`check_sites` on sites whose faults one sees, and the command around it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Point, Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Plan, Site, SiteStatus
from cvpipe.geo import area_m2
from cvpipe.ledger import Workspace
from cvpipe.ledger.map_shift import MapShift, shifted
from cvpipe.ledger.site_checks import Check, Level, Remark, Surroundings, check_sites, shift_notices
from tests.ledger import samples
from tests.ledger.commands import Command

#: Side of the sites in degrees: some 100 m by 85 m.
SIDE = 0.001
WIDE = box(116.0, 39.8, 116.4, 40.0)


def square(col: float, row: float) -> Polygon:
    """The square in a column and row of a lattice that leaves room between its squares."""
    left, bottom = 116.1 + 2 * SIDE * col, 39.9 + 2 * SIDE * row
    return box(left, bottom, left + SIDE, bottom + SIDE)


def lattice(count: int = 20, **fields: Any) -> list[Site]:
    """Sites without a fault, next to each other."""
    return [Site(f"S{i:02d}", square(i % 5, i // 5), **fields) for i in range(count)]


def found(sites: Sequence[Site], around: Surroundings | None = None) -> list[tuple[Check, Level, tuple[str, ...]]]:
    return [(remark.check, remark.level, remark.codes) for remark in check_sites(sites, around)]


def only(sites: Sequence[Site], around: Surroundings | None = None) -> Remark:
    (remark,) = check_sites(sites, around)
    return remark


def test_sound_sites_have_no_remark() -> None:
    plan = Plan(work_started=date(2016, 1, 1), due_date=date(2016, 9, 1))
    sites = lattice(land_area_m2=area_m2(square(0, 0)), building_area_m2=100.0, plan=plan)
    assert check_sites(sites, Surroundings(WIDE, today=date(2020, 1, 1))) == []
    assert check_sites([]) == []


@pytest.mark.parametrize(
    ("changed", "check", "level", "said"),
    [
        ({"geometry": Polygon()}, Check.EMPTY, Level.FAULT, "no geometry"),
        (
            {"geometry": Polygon([(116, 39), (116.01, 39.01), (116.01, 39), (116, 39.01)])},
            Check.INVALID,
            Level.FAULT,
            "Self-intersection",
        ),
        ({"geometry": Point(116.09, 39.9), "buffer_m": 0.0}, Check.NO_BUFFER, Level.FAULT, "Point without a buffer"),
        (
            {"land_area_m2": 500.0, "building_area_m2": 900.0, "geometry": Point(116.09, 39.9)},
            Check.BUILDING_AREA,
            Level.NOTICE,
            "900 m² of building on 500 m² of land",
        ),
        (
            {"plan": Plan(work_started=date(2017, 1, 2), due_date=date(2016, 9, 1))},
            Check.DATES,
            Level.FAULT,
            "work started on 2017-01-02, after it was due on 2016-09-01",
        ),
        ({"plan": Plan(due_date=date(216, 9, 1))}, Check.DATES, Level.FAULT, "due on 0216-09-01"),
        (
            {"plan": Plan(work_started=date(2030, 1, 1)), "status": SiteStatus.CLEARED},
            Check.DATES,
            Level.FAULT,
            "it is cleared, but work starts only on 2030-01-01",
        ),
        ({"status": cast(SiteStatus, "done")}, Check.STATUS, Level.FAULT, "'done' is no status"),
        ({"geometry": square(500, 500)}, Check.OUTLIER, Level.NOTICE, "km from the midst"),
        ({"geometry": square(1, 0)}, Check.DUPLICATE_PLACE, Level.FAULT, "the same outline"),
    ],
)
def test_one_fault_is_one_remark(changed: dict[str, Any], check: Check, level: Level, said: str) -> None:
    sites = lattice()
    sites[0] = replace(sites[0], **changed)
    remark = only(sites, Surroundings(today=date(2020, 1, 1)))
    assert (remark.check, remark.level, remark.codes[0]) == (check, level, "S00")
    assert said in remark.sentence


def test_the_same_outline_in_another_order_is_a_duplicate() -> None:
    sites = lattice(3)
    west, south, east, north = sites[1].geometry.bounds
    turned = Polygon([(east, north), (east, south), (west, south), (west, north)])
    remark = only([*sites, Site("COPY", shapely.set_precision(turned, 0)), Site("COPY2", turned)])
    assert (remark.check, remark.codes) == (Check.DUPLICATE_PLACE, ("S01", "COPY", "COPY2"))


def test_the_same_name_in_one_community_is_told() -> None:
    sites = [replace(site, name=f"院{i}", sub_district="八角街道") for i, site in enumerate(lattice(4))]
    twice = [replace(sites[0], name="北 院"), replace(sites[1], name="北院"), *sites[2:]]
    assert found(twice) == [(Check.DUPLICATE_NAME, Level.NOTICE, ("S00", "S01"))]
    elsewhere = [twice[0], replace(twice[1], sub_district="古城街道"), *sites[2:]]
    assert found(elsewhere) == []


@pytest.mark.parametrize(("moved", "level"), [(0.99, None), (0.9, Level.NOTICE), (0.4, Level.FAULT)])
def test_overlap_is_told_by_the_share_of_the_smaller(moved: float, level: Level | None) -> None:
    """Squares that overlap by 1, 10 and 60 %: borders drawn twice are no overlap."""
    sites = [Site("A", square(0, 0)), Site("B", shapely.affinity.translate(square(0, 0), moved * SIDE))]
    if level is None:
        assert check_sites(sites) == []
        return
    remark = only(sites)
    assert (remark.check, remark.level, remark.codes) == (Check.OVERLAP, level, ("A", "B"))
    assert remark.figures["share_of_smaller"] == pytest.approx(1 - moved, abs=1e-3)


def test_a_small_site_within_a_large_one_is_a_fault() -> None:
    small = square(0, 0).centroid.buffer(SIDE / 20)
    remark = only([Site("L", square(0, 0)), Site("S", small)])
    assert (remark.check, remark.level, remark.figures) == (Check.OVERLAP, Level.FAULT, {"share_of_smaller": 1.0})


def test_points_and_lines_overlap_by_their_buffers() -> None:
    """Two points 20 m apart, each with 15 m around it, and a line 100 m away."""
    north = 20 / 111_030
    sites = [Site("A", Point(116, 40)), Site("B", Point(116, 40 + north))]
    sites.append(Site("C", LineString([(116.002, 40), (116.003, 40)])))
    remark = only(sites)
    lens = 2 * 15**2 * np.arccos(10 / 15) - 20 * np.sqrt(15**2 - 10**2)
    assert remark.codes == ("A", "B")
    assert remark.figures["share_of_smaller"] == pytest.approx(lens / (np.pi * 15**2), abs=0.005)


def test_stated_and_measured_land_area_stand_side_by_side() -> None:
    true = area_m2(square(0, 4))
    assert check_sites(lattice(3, land_area_m2=true * 1.19)) == []
    remark = only([*lattice(3), Site("OFF", square(0, 4), land_area_m2=2 * true)])
    assert (remark.check, remark.level, remark.codes) == (Check.LAND_AREA, Level.NOTICE, ("OFF",))
    assert remark.figures == {"stated_m2": 2 * true, "measured_m2": pytest.approx(true, abs=0.2)}
    assert f"{2 * true:,.0f} m² of land stated, {true:,.0f} m² inside the outline" in remark.sentence


@pytest.mark.parametrize(("factor", "unit"), [(1e-4, "万平方米"), (3 / 2000, "亩"), (1e-6, "km²")])
def test_a_wrong_unit_is_guessed(factor: float, unit: str) -> None:
    assert unit in only([Site("A", square(0, 0), land_area_m2=factor * area_m2(square(0, 0)))]).sentence


def test_outside_a_stated_district_is_a_fault() -> None:
    sites = [Site("IN", square(0, 0)), Site("HALF", square(1, 0)), Site("OUT", square(3, 0))]
    west, south, _, north = sites[0].geometry.bounds
    district = box(west, south, sites[1].geometry.centroid.x, north)
    out, half = (Check.OUTSIDE_DISTRICT, Level.FAULT, ("OUT",)), (Check.OUTSIDE_DISTRICT, Level.NOTICE, ("HALF",))
    assert found(sites, Surroundings(district)) == [out, half]
    assert found(sites, Surroundings(district, is_stated=False)) == [half, (out[0], Level.NOTICE, out[2])]


def through_web_map(geometry: BaseGeometry) -> BaseGeometry:
    return shapely.transform(geometry, lambda places: shifted(places, MapShift.GCJ02))


def test_sites_that_left_their_earlier_outlines_as_a_web_map_shifts_are_told() -> None:
    sites = lattice(6)
    earlier = {site.code: site.geometry for site in sites}
    moved = [replace(site, geometry=through_web_map(site.geometry)) for site in sites]
    remark = only(moved, Surroundings(earlier=earlier))
    assert (remark.check, remark.level, len(remark.codes)) == (Check.WEB_MAP, Level.NOTICE, 6)
    assert "--from-gcj02" in remark.sentence
    assert check_sites(sites, Surroundings(earlier=earlier)) == []
    pushed = [replace(site, geometry=shapely.affinity.translate(site.geometry, -0.005)) for site in sites]
    assert check_sites(pushed, Surroundings(earlier=earlier)) == []


def test_an_import_is_told_what_speaks_for_a_web_map() -> None:
    sites = lattice(6)
    known = {site.code: site.geometry for site in sites}
    moved = [replace(site, geometry=through_web_map(site.geometry)) for site in sites]
    (by_place,) = shift_notices(moved, known)
    assert "6 sites lie off their earlier outlines, and 6 of them" in by_place
    assert shift_notices(sites, known) == []
    assert shift_notices(moved, {}) == []


def test_many_copies_of_one_outline_are_one_remark() -> None:
    """Copies are not held against each other pair by pair."""
    started = time.monotonic()
    remark = only([Site(f"S{i:05d}", square(0, 0)) for i in range(5000)])
    assert len(remark.codes) == 5000
    assert time.monotonic() - started < 20


@pytest.mark.slow
def test_time_grows_with_the_sites_and_not_with_their_pairs() -> None:
    """Processor seconds, so that other work on the machine does not count; CVPIPE_CHECKED_SITES=100000: 3 to 4 s."""
    count = int(os.environ.get("CVPIPE_CHECKED_SITES", "20000"))
    west, south = np.random.default_rng(0).uniform((116, 39.5), (117, 40.5), (count, 2)).T
    outlines = shapely.box(west, south, west + 3e-4, south + 3e-4)
    outlines[::3] = shapely.points(west + 1e-3, south + 1e-3)[::3]
    sites = [Site(f"S{i:06d}", outline, land_area_m2=850.0) for i, outline in enumerate(outlines)]
    started = time.process_time()
    remarks = check_sites(sites, Surroundings(box(115.9, 39.4, 117.1, 40.6)))
    assert time.process_time() - started < count * 1.5e-4
    assert {remark.check for remark in remarks} == {Check.OVERLAP}


# The command


def put(workspace: Workspace, sites: Sequence[Site]) -> None:
    with workspace.ledger() as ledger:
        ledger.put_sites(sites, source="test")


def test_the_command_lists_faults_and_ends_with_one(workspace: Workspace, command: Command, tmp_path: Path) -> None:
    put(workspace, [*lattice(3), Site("COPY", square(0, 0)), Site("FAR", square(0, 90))])
    told = command("sites", "check", "--workspace", workspace.folder)
    assert told.code == 1
    assert "5 sites: 1 faults, 0 notices" in told.stdout
    assert "S00, COPY" in told.stdout or "COPY, S00" in told.stdout
    assert "1 faults in 5 sites" in told.stderr
    outline = {"type": "Feature", "properties": {}, "geometry": mapping(box(116.09, 39.89, 116.12, 39.95))}
    district = tmp_path / "district.geojson"
    district.write_text(json.dumps({"type": "FeatureCollection", "features": [outline]}))
    told = command("sites", "check", "--workspace", workspace.folder, "--district", district, "--json")
    remarks = [(r["level"], r["check"], sorted(r["codes"])) for r in json.loads(told.stdout)]
    assert remarks == [("fault", "duplicate_place", ["COPY", "S00"]), ("fault", "outside_district", ["FAR"])]
    workspace.settings_path.write_text("district: ../district.geojson\n")
    assert command("sites", "check", "--workspace", workspace.folder, "--json").stdout == told.stdout


def test_notices_alone_are_no_failure(workspace: Workspace, command: Command) -> None:
    put(workspace, [replace(samples.site("A"), land_area_m2=1.0)])
    with workspace.ledger() as ledger:
        ledger.add_scene(replace(samples.scene("h", date(2020, 1, 1)), footprint=box(10, 10, 11, 11)))
    told = command("sites", "check", "--workspace", workspace.folder, "--json")
    assert told.code == 0
    assert [r["check"] for r in json.loads(told.stdout)] == ["outside_district", "land_area"]


def test_an_earlier_version_gives_a_web_map_away(workspace: Workspace, command: Command) -> None:
    put(workspace, lattice(4))
    put(workspace, [replace(site, geometry=through_web_map(site.geometry)) for site in lattice(4)])
    told = command("sites", "check", "--workspace", workspace.folder)
    assert told.code == 0
    assert "coordinates of a web map (GCJ-02)" in " ".join(told.stdout.split())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        ("no outline", "no outline that can be read"),
        ('{"type": "Point", "coordinates": [116, 39]}', "it holds no polygon"),
    ],
)
def test_a_district_that_cannot_be_used(
    workspace: Workspace, command: Command, tmp_path: Path, content: str | None, said: str
) -> None:
    district = tmp_path / "district.geojson"
    if content is not None:
        district.write_text(content)
    told = command("sites", "check", "--workspace", workspace.folder, "--district", district)
    assert (told.code, said in told.stderr) == (2, True)


def test_an_import_that_a_web_map_shifted_is_told(workspace: Workspace, command: Command, tmp_path: Path) -> None:
    put(workspace, lattice(4))
    file = tmp_path / "sites.csv"
    for shift, told_of in ((False, False), (True, True)):
        outlines = [through_web_map(s.geometry) if shift else s.geometry for s in lattice(4)]
        rows = [f'S{i:02d},"{outline.wkt}"' for i, outline in enumerate(outlines)]
        file.write_text("\n".join(["code,geometry", *rows]))
        told = command("sites", "import", file, "--workspace", workspace.folder, "--dry-run")
        assert told.code == 0
        assert ("coordinates of a web map (GCJ-02)" in told.stderr) is told_of
    told = command("sites", "import", file, "--workspace", workspace.folder, "--dry-run", "--from-gcj02")
    assert "coordinates of a web map" not in told.stderr


@pytest.mark.parametrize(("is_stated", "named"), [(True, "the district"), (False, "the ground that the scenes show")])
def test_sites_that_a_web_map_shifted_out_of_their_area_are_told(is_stated: bool, named: str) -> None:
    sites = lattice(20)
    area = shapely.union_all([site.geometry for site in sites]).envelope.buffer(SIDE)
    moved = [replace(site, geometry=through_web_map(site.geometry)) for site in sites]
    (told,) = [r for r in check_sites(moved, Surroundings(area, is_stated)) if r.check is Check.WEB_MAP]
    assert f"sites lie outside {named}" in told.sentence
    assert told.figures["telling"] == told.figures["fitting"] >= 3
    assert check_sites(sites, Surroundings(area, is_stated)) == []
