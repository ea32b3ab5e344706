"""The ledger is a GeoPackage that GDAL reads without a word of complaint."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from cvpipe.ledger import Ledger
from cvpipe.ledger.geopackage import from_blob, to_blob
from tests.ledger import samples

LAYERS = {"sites": 2, "changes": 2, "assessments": 1, "scenes": 2, "site_versions": 2, "candidates": 1, "labels": 1}
#: Each word of people has its row and its audit row, a move one more for its site.
WORDS = ("campaigns", "batches", "moves", "decisions", "findings", "inspections", "attachments")
SEEN = ("sightings", "samples", "sample_results")
#: What the reviewers' page keeps.
PAGE = ("accounts", "log_ins", "sessions", "leases")
TABLES = {"runs": 1, "audit": 17, **dict.fromkeys((*WORDS, *SEEN), 1), **dict.fromkeys(PAGE, 0)}


@pytest.fixture
def path(filled_file: Ledger) -> Path:
    """The file of a filled ledger, with a word of people of each kind, that is closed."""
    samples.live(filled_file)
    samples.see(filled_file)
    filled_file.close()
    return filled_file.path


def test_gdal_lists_layers_and_tables(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names, kinds = pyogrio.list_layers(path).T
    assert set(names) == {*LAYERS, *TABLES, "layer_styles"}
    assert {name for name, kind in zip(names, kinds, strict=True) if kind is not None} == set(LAYERS)
    assert caplog.records == []


@pytest.mark.parametrize(("layer", "count"), LAYERS.items())
def test_gdal_reads_each_layer(path: Path, layer: str, count: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        info = pyogrio.read_info(path, layer=layer, force_total_bounds=True)
        _, _, blobs, _ = pyogrio.raw.read(path, layer=layer)
    geometries = shapely.from_wkb(blobs)
    assert (info["features"], info["crs"]) == (count, "EPSG:4326")
    assert shapely.is_valid(geometries).all()
    assert np.allclose(info["total_bounds"], shapely.total_bounds(geometries))
    assert caplog.records == []


def test_gdal_reads_what_was_written(path: Path) -> None:
    meta, _, blobs, columns = pyogrio.raw.read(path, layer="sites", where="code = 'SJS-001'")
    row = dict(zip(meta["fields"], columns, strict=True))
    assert shapely.from_wkb(blobs[0]) == samples.FULL_SITE.geometry
    assert row["name"][0] == samples.FULL_SITE.name
    assert row["land_area_m2"][0] == samples.FULL_SITE.land_area_m2
    assert row["due_date"][0] == np.datetime64("2017-06-30")
    assert (row["status"][0], row["observed_status"][0]) == ("demolished", "demolished")


def test_a_gis_user_sees_verdicts_and_areas(path: Path) -> None:
    meta, _, _, columns = pyogrio.raw.read(path, layer="assessments")
    row = {name: values[0] for name, values in zip(meta["fields"], columns, strict=True)}
    assert (row["demolition"], row["clearance"], row["greening"]) == ("complete", "not_assessable", None)
    assert (row["structure_before_m2"], row["structure_removed_m2"], row["green_added_m2"]) == (400.25, 400.25, 12.0)
    assert np.isnan(row["structure_after_m2"])
    assert row["needs_review"]


@pytest.mark.parametrize("table", ["runs", "audit"])
def test_gdal_reads_times(path: Path, table: str) -> None:
    meta, _, _, columns = pyogrio.raw.read(path, layer=table)
    times = dict(zip(meta["fields"], columns, strict=True))["at" if table == "audit" else "started_at"]
    assert np.issubdtype(times.dtype, np.datetime64)
    assert not np.isnat(times).any()


def test_the_file_says_what_it_is(path: Path) -> None:
    header = path.read_bytes()[:100]
    user_version, application_id = struct.unpack(">60x i 4x i 28x", header)
    assert application_id.to_bytes(4, "big") == b"GPKG"
    assert user_version == 10300


def test_a_closed_ledger_is_one_file(path: Path) -> None:
    assert [entry.name for entry in path.parent.iterdir()] == ["ledger.gpkg"]


def test_blob_of_a_box() -> None:
    blob = to_blob(shapely.box(1, 2, 3, 4))
    magic, version, flags, srs_id, *envelope = struct.unpack("<2sBBi4d", blob[:40])
    assert (magic, version, flags, srs_id) == (b"GP", 0, 0b011, 4326)
    assert envelope == [1, 3, 2, 4], "min x, max x, min y, max y"
    assert blob[40:] == shapely.to_wkb(shapely.box(1, 2, 3, 4))


def test_blob_of_an_empty_geometry() -> None:
    blob = to_blob(shapely.Polygon())
    assert blob[3] & 0b0001_0000, "flag of an empty geometry"
    assert from_blob(blob).is_empty


@pytest.mark.parametrize(("envelope_code", "doubles"), [(0, 0), (1, 4), (2, 6), (3, 6), (4, 8)])
def test_blobs_of_other_writers(envelope_code: int, doubles: int) -> None:
    header = struct.pack("<2sBBi", b"GP", 0, envelope_code << 1 | 1, 4326)
    blob = header + struct.pack(f"<{doubles}d", *range(doubles)) + shapely.to_wkb(shapely.Point(5, 6))
    assert from_blob(blob) == shapely.Point(5, 6)
