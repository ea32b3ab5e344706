"""A drawn district on disk: where it lies, what kind of files it is made of, and that it can be drawn again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio

from cvpipe.domain import SURFACE_COLOURS, Surface
from cvpipe.errors import UsageError
from cvpipe.geo import WGS84, transformer
from cvpipe.ledger import read_sites
from cvpipe.world import District, Setting, draw_district


def _pixels(path: Path) -> np.ndarray[Any, Any]:
    with rasterio.open(path) as file:
        return np.asarray(file.read())


def test_scenes_are_cloud_optimised_and_lie_in_their_place(district: District) -> None:
    for path, day in zip(district.scenes, district.dates, strict=True):
        with rasterio.open(path) as file:
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert file.overviews(1)
            assert (file.count, file.width, file.height, file.crs.to_epsg()) == (3, 1600, 1600, 32650)
            assert file.tags()["TIFFTAG_DATETIME"].startswith(f"{day:%Y:%m:%d}")
            left, bottom, right, top = file.bounds
    assert (right - left, top - bottom) == (800, 800)
    lon, lat = transformer(rasterio.crs.CRS.from_epsg(32650), WGS84).transform((left + right) / 2, (bottom + top) / 2)
    assert (lon, lat) == (pytest.approx(116.1, abs=1e-4), pytest.approx(39.9, abs=1e-4))


def test_masks_carry_the_colours_and_names_of_their_codes(district: District) -> None:
    with rasterio.open(district.folder / "truth" / f"surface_{district.dates[0]}.tif") as file:
        assert file.colormap(1)[int(Surface.NET)][:3] == SURFACE_COLOURS[Surface.NET]
        assert file.tags()["CLASS_5"] == "vegetation"
        present = set(np.unique(file.read(1)).tolist())
    assert {Surface.STRUCTURE, Surface.BARE, Surface.VEGETATION, Surface.PAVED} <= present


def test_recorded_shift_is_in_the_pixels(tmp_path: Path) -> None:
    """The same district without shifts lies exactly the recorded way beside the one with them."""
    moved = draw_district(tmp_path / "moved", seed=5, size_m=500, gsd_m=1.0)
    unmoved = Setting(shifts_px=((0.0, 0.0),) * 3)
    still = draw_district(tmp_path / "still", seed=5, size_m=500, gsd_m=1.0, setting=unmoved)
    told = [epoch["shift_px"] for epoch in json.loads(moved.truth.read_text(encoding="utf-8"))["epochs"]]
    assert told[0] == [0.0, 0.0]
    for here, there, shift in zip(still.scenes, moved.scenes, told, strict=True):
        warp = np.array([[1, 0, round(shift[0])], [0, 1, round(shift[1])]], np.float32)
        first, second = (_pixels(path).mean(axis=0).astype(np.float32) for path in (here, there))
        _, found = cv2.findTransformECC(first, second, warp, cv2.MOTION_TRANSLATION)
        assert np.asarray(found)[:, 2] == pytest.approx(shift, abs=0.1)


def test_cloud_hides_its_sites_in_later_epochs_only(district: District, truth: dict[str, Any]) -> None:
    hidden = {site["code"] for site in truth["sites"] if site["case"] == "cloud"}
    for site in read_sites(district.sites).sites:
        if site.code in hidden:
            centre = site.geometry.centroid
            first, *later = (_grey_around(path, centre.x, centre.y) for path in district.scenes)
            assert first.mean() < 200
            assert all(grey.min() > 200 for grey in later)


def _grey_around(path: Path, lon: float, lat: float) -> np.ndarray[Any, Any]:
    """Grey values within ten metres of a place."""
    with rasterio.open(path) as file:
        row, col = file.index(*transformer(WGS84, file.crs).transform(lon, lat))
        return np.asarray(file.read()[:, row - 20 : row + 20, col - 20 : col + 20].mean(axis=0))


def test_sites_import_whole(district: District, truth: dict[str, Any]) -> None:
    read = read_sites(district.sites)
    assert [site.code for site in read.sites] == [site["code"] for site in truth["sites"]]
    assert not read.refused
    assert {site.geometry.geom_type for site in read.sites} == {"Point", "LineString", "Polygon"}
    assert len({site.owner_system for site in read.sites}) == 4
    assert len({site.sub_district for site in read.sites}) >= 4
    cases = {site["code"]: site["case"] for site in truth["sites"]}
    assert {cases[site.code] for site in read.sites if site.plan.retained is not None} == {"retained"}


def test_chinese_csv_holds_the_point_sites(district: District) -> None:
    points = {s.code: s for s in read_sites(district.sites).sites if s.geometry.geom_type == "Point"}
    read = read_sites(district.sites_csv)
    assert not read.refused
    assert {site.code for site in read.sites} == points.keys()
    for site in read.sites:
        same = points[site.code]
        assert site.geometry.distance(same.geometry) < 1e-6
        assert (site.owner_system, site.buffer_m, site.land_area_m2) == (
            same.owner_system,
            same.buffer_m,
            same.land_area_m2,
        )
        assert site.plan.due_date == same.plan.due_date


def test_same_seed_same_pixels_other_seed_other_pixels(tmp_path: Path) -> None:
    first, again, other = (
        draw_district(tmp_path / name, seed=seed, size_m=500, gsd_m=1.0)
        for name, seed in (("first", 5), ("again", 5), ("other", 6))
    )
    for ours, theirs in zip(first.scenes, again.scenes, strict=True):
        assert np.array_equal(_pixels(ours), _pixels(theirs))
    assert first.truth.read_bytes() == again.truth.read_bytes()
    assert first.sites.read_bytes() == again.sites.read_bytes()
    assert not np.array_equal(_pixels(first.scenes[0]), _pixels(other.scenes[0]))
    assert not list(first.folder.rglob("*.part"))


def test_small_or_angular_districts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too small"):
        draw_district(tmp_path / "a", size_m=100)
    with pytest.raises(UsageError, match="EPSG:4326"):
        draw_district(tmp_path / "b", crs="EPSG:4326")
    assert not list(tmp_path.iterdir())
