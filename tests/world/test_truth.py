"""The truth document says what the masks show, and every case has the outcomes that it was drawn for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from rasterio.features import geometry_mask
from shapely.geometry import shape

from cvpipe.domain import Outcome, Plan, Question, Surface
from cvpipe.geo import WGS84, Grid, buffered, reproject
from cvpipe.world import District
from cvpipe.world.truth import SitePlace, SiteView, expected, pair_areas, rebound

#: Case → demolition, clearance for the pair (baseline, latest).
OUTCOMES = {
    "cleared": ("complete", "met"),
    "rubble": ("complete", "not_met"),
    "partial": ("partial", "not_met"),
    "untouched": ("none", "not_met"),
    "greened": ("complete", "met"),
    "net": ("complete", "met"),
    "green_parking": ("complete", "met"),
    "rebuilt": ("complete", "not_met"),
    "retained": ("complete", "met"),
    "cloud": ("not_assessable", "not_assessable"),
    "outside": ("not_assessable", "not_assessable"),
}


def _surfaces(district: District) -> tuple[Grid, list[np.ndarray[Any, Any]]]:
    planes = []
    for day in district.dates:
        with rasterio.open(district.folder / "truth" / f"surface_{day:%Y-%m-%d}.tif") as file:
            planes.append(file.read(1))
            grid = Grid(pyproj.CRS.from_user_input(file.crs), file.transform, file.width, file.height)
    return grid, planes


def _inside(geometry: Any, grid: Grid) -> np.ndarray[Any, Any]:
    assert grid.crs is not None
    outline = reproject(geometry, WGS84, grid.crs)
    return np.asarray(geometry_mask([outline], grid.shape, grid.transform, invert=True))


def test_areas_in_the_truth_are_those_in_the_masks(district: District, truth: dict[str, Any]) -> None:
    grid, (first, _, latest) = _surfaces(district)
    told = {site["code"]: site["pairs"][1]["areas_m2"] for site in truth["sites"]}
    counted = 0
    for feature in json.loads(district.sites.read_text(encoding="utf-8"))["features"]:
        properties = feature["properties"]
        areas = told[properties["code"]]
        if areas is None:
            continue
        inside = _inside(buffered(shape(feature["geometry"]), properties["buffer_m"]), grid)
        kept = properties["retained"]
        free = inside if kept is None else inside & ~_inside(shape(kept), grid)

        def area(where: np.ndarray[Any, Any]) -> float:
            return float(np.count_nonzero(where)) * grid.pixel_area_m2()

        green = Surface.VEGETATION
        assert areas["site"] == pytest.approx(area(inside), abs=0.01)
        assert areas["structure_before"] == pytest.approx(area(free & (first == Surface.STRUCTURE)), abs=0.01)
        assert areas["structure_after"] == pytest.approx(area(free & (latest == Surface.STRUCTURE)), abs=0.01)
        assert areas["green_added"] == pytest.approx(area(inside & (latest == green) & (first != green)), abs=0.01)
        assert areas["surface_after"]["rubble"] == pytest.approx(area(inside & (latest == Surface.RUBBLE)), abs=0.01)
        counted += 1
    assert counted >= 20


def test_every_case_occurs_with_its_outcomes(truth: dict[str, Any]) -> None:
    seen = set()
    for site in truth["sites"]:
        answers = site["pairs"][1]["expected"]
        assert (answers["demolition"], answers["clearance"]) == OUTCOMES[site["case"]], site["code"]
        seen.add(site["case"])
    assert seen == OUTCOMES.keys()


def test_greening_has_all_its_outcomes(truth: dict[str, Any]) -> None:
    by_case: dict[str, set[str]] = {}
    for site in truth["sites"]:
        by_case.setdefault(site["case"], set()).add(site["pairs"][1]["expected"]["greening"])
    assert by_case["greened"] == {"met"}
    assert by_case["green_parking"] == {"gained"}
    assert by_case["cleared"] == {"none"}
    assert by_case["net"] == {"none", "not_met"}


def test_only_rebuilt_sites_rebound(truth: dict[str, Any]) -> None:
    suspected = {s["case"] for s in truth["sites"] if s["rebound"] and s["rebound"]["outcome"] == "suspected"}
    quiet = {s["case"] for s in truth["sites"] if s["rebound"] and s["rebound"]["outcome"] == "none"}
    assert suspected == {"rebuilt"}
    assert {"cleared", "net", "rubble"} <= quiet
    assert all(s["rebound"] is None for s in truth["sites"] if s["case"] in ("partial", "untouched", "cloud"))


def test_unseen_sites_say_why(truth: dict[str, Any]) -> None:
    reasons = {site["case"]: {pair["reason"] for pair in site["pairs"]} for site in truth["sites"]}
    assert reasons["outside"] == {"no_scene"}
    assert reasons["cloud"] == {"cloud"}
    assert reasons["cleared"] == {None}


def test_a_toy_site_is_counted_by_eye() -> None:
    """Structure 1 gives way to 3, 2 stays and is retained, 4 goes; a pixel turns green."""
    before_id = np.array([[1, 1, 2, 0], [4, 4, 2, 0]], np.int32)
    after_id = np.array([[3, 3, 2, 0], [0, 0, 2, 0]], np.int32)
    before = SiteView(np.where(before_id > 0, 1, 3).astype(np.uint8), before_id)
    after = SiteView(np.array([[1, 1, 1, 5], [3, 2, 1, 3]], np.uint8), after_id)
    kept = np.array([[0, 0, 1, 0], [0, 0, 1, 0]], bool)
    areas = pair_areas(before, after, SitePlace(np.ones((2, 4), bool), kept, pixel_m2=100.0))
    assert (areas.structure_before_m2, areas.structure_after_m2, areas.retained_m2) == (400, 200, 200)
    assert (areas.structure_removed_m2, areas.structure_added_m2) == (400, 200)
    assert (areas.green_added_m2, areas.green_removed_m2) == (100, 0)
    assert expected(areas, Plan()) == {
        Question.DEMOLITION: Outcome.COMPLETE,
        Question.CLEARANCE: Outcome.NOT_MET,
        Question.GREENING: Outcome.GAINED,
    }
    assert expected(areas, Plan(green_ratio=0.5))[Question.GREENING] is Outcome.NOT_MET
    assert expected(areas, Plan(green_area_m2=90))[Question.GREENING] is Outcome.MET
    assert rebound(areas) is Outcome.SUSPECTED
