"""Scenes as STAC items, and scenes out of items, collections and an API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import shapely
from affine import Affine
from shapely.geometry import shape

from cvpipe.domain import Site
from cvpipe.errors import SceneError
from cvpipe.geo import area_m2
from cvpipe.imagery import describe, remote
from cvpipe.imagery.stac import Query, acquired, asset_address, is_document, items_at
from cvpipe.ledger import Workspace
from tests.ledger.commands import Told, run_command

from .conftest import WriteRaster
from .servers import FileServer, file_server

RGB = np.random.default_rng(0).integers(1, 255, (3, 120, 160), dtype=np.uint8)
TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"

Cvpipe = Callable[..., Told]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "campaign"
    Workspace.create(folder)
    return folder


@pytest.fixture
def cvpipe(workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cvpipe:
    """Run `cvpipe scenes …` in the workspace."""
    return lambda *words: run_command(monkeypatch, capsys, "scenes", *words, "--workspace", workspace)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    with file_server(tmp_path) as running:
        yield running


def item(name: str, day: str | None = "2021-06-01T03:04:05Z", **assets: dict[str, Any]) -> dict[str, Any]:
    """An item as somebody else may have written it."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": {"type": "Point", "coordinates": [116.2, 39.9]},
        "bbox": [116.2, 39.9, 116.2, 39.9],
        "properties": {"datetime": day, "platform": "drone-7", "start_datetime": "2020-01-02T00:00:00Z"}
        | {"end_datetime": "2020-01-03T00:00:00Z"},
        "links": [],
        "assets": assets,
    }


def scenes_in(workspace: Path) -> list[tuple[str, date]]:
    with Workspace.open(workspace).ledger() as ledger:
        return [(Path(scene.uri).name, scene.acquired) for scene in ledger.scenes()]


def test_a_scene_is_a_valid_item(write_raster: WriteRaster, workspace: Path) -> None:
    """Bands with type, bits and nodata; place, shape and transform; and the ledger gives it back as it was."""
    path = write_raster((RGB.astype(np.uint16) * 8), "a_20230510.tif", nbits=12, nodata=0)
    scene = describe(path)
    with Workspace.open(workspace).ledger() as ledger:
        ledger.add_scene(scene)
        (kept,) = ledger.scenes()
        assert ledger.verify().problems == ()
    assert kept.stac == scene.stac
    assert kept.stac is not None
    read = pystac.Item.from_dict(kept.stac)
    assert read.datetime is not None
    assert (read.datetime.date(), read.properties["gsd"]) == (date(2023, 5, 10), pytest.approx(0.5, abs=0.001))
    assert (read.properties["proj:code"], read.properties["proj:shape"]) == ("EPSG:32650", [120, 160])
    assert read.properties["proj:transform"] == [0.5, 0, 430000, 0, -0.5, 4417000]
    bands = [(band["data_type"], band["bits_per_sample"], band["nodata"]) for band in read.properties["bands"]]
    assert bands == [("uint16", 12, 0.0)] * 3
    assert read.assets["image"].href == str(path)
    assert shape(read.geometry).equals_exact(scene.footprint, 1e-9)


def test_the_footprint_is_that_of_valid_pixels(write_raster: WriteRaster) -> None:
    """The left half is empty: nothing of the right half is left out, and next to nothing of the left one is in."""
    half = np.repeat(np.repeat(RGB, 4, axis=1), 4, axis=2)
    whole = describe(write_raster(half, "whole_20230510.tif", nodata=0)).footprint
    half[:, :, :320] = 0
    footprint = describe(write_raster(half, "half_20230510.tif", nodata=0)).footprint
    right = describe(
        write_raster(half[:, :, 320:], "right_20230510.tif", transform=Affine(0.5, 0, 430160, 0, -0.5, 4417000))
    )
    assert area_m2(right.footprint.difference(footprint)) < 1
    assert area_m2(footprint) == pytest.approx(area_m2(whole) / 2, rel=0.05)


def test_the_footprint_of_a_turned_scene_leaves_its_empty_corners_out(write_raster: WriteRaster) -> None:
    """A diamond in a square: half of its area."""
    row, col = np.mgrid[:400, :400]
    inside = abs(row - 199.5) + abs(col - 199.5) < 200
    scene = describe(write_raster(np.where(inside, 90, 0)[None].astype(np.uint8), "d_20230510.tif", nodata=0))
    assert 200 * 200 / 2 <= area_m2(scene.footprint) < 1.05 * 200 * 200 / 2
    assert len(shapely.get_coordinates(scene.footprint)) < 40


def test_an_item_beside_its_raster(cvpipe: Cvpipe, workspace: Path, write_raster: WriteRaster, tmp_path: Path) -> None:
    """The day is that of the item, whatever the file is called; what else the item says is kept."""
    path = write_raster(RGB, "undated.tif")
    document = tmp_path / "item.json"
    document.write_text(json.dumps(item("x", visual={"href": "./undated.tif", "type": TIFF})))
    assert cvpipe("add", document).code == 0
    assert scenes_in(workspace) == [("undated.tif", date(2021, 6, 1))]
    with Workspace.open(workspace).ledger() as ledger:
        (scene,) = ledger.scenes()
    assert scene.uri == str(path)
    assert scene.stac is not None
    assert scene.stac["properties"]["platform"] == "drone-7"
    assert scene.stac["properties"]["datetime"] == "2021-06-01T03:04:05Z"


def test_an_item_collection_loses_only_its_bad_items(
    cvpipe: Cvpipe, workspace: Path, write_raster: WriteRaster, tmp_path: Path
) -> None:
    write_raster(RGB, "one.tif")
    write_raster(RGB + np.uint8(1), "two.tif")
    items = [
        item("one", visual={"href": "one.tif", "type": TIFF}),
        item("span", None, image={"href": "two.tif"}),
        item("lost", visual={"href": "lost.tif", "type": TIFF}),
        item("picture", thumbnail={"href": "p.png", "type": "image/png"}),
    ]
    (tmp_path / "all.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    told = cvpipe("add", tmp_path / "all.json")
    assert (told.code, "2 scenes added, 0 known already, 2 refused" in told.stdout) == (1, True)
    assert "lost.tif: no such file" in told.stderr
    assert "STAC item picture: has no asset that is a raster" in told.stderr
    assert scenes_in(workspace) == [("two.tif", date(2020, 1, 2)), ("one.tif", date(2021, 6, 1))]


def test_a_collection_is_walked_over_http(
    cvpipe: Cvpipe, workspace: Path, write_raster: WriteRaster, tmp_path: Path, server: FileServer
) -> None:
    write_raster(RGB, "one.tif")
    (tmp_path / "one.json").write_text(json.dumps(item("one", visual={"href": "./one.tif", "type": TIFF})))
    extent = {"spatial": {"bbox": [[116, 39, 117, 40]]}, "temporal": {"interval": [[None, None]]}}
    links = [{"rel": "item", "href": "./one.json", "type": "application/geo+json"}]
    collection = {"type": "Collection", "stac_version": "1.0.0", "id": "c", "description": "c", "license": "other"}
    (tmp_path / "collection.json").write_text(json.dumps({**collection, "extent": extent, "links": links}))
    told = cvpipe("add", f"{server.address}/collection.json")
    assert told.code == 0, told.stderr
    with Workspace.open(workspace).ledger() as ledger:
        (scene,) = ledger.scenes()
    assert (scene.uri, scene.acquired) == (f"{server.address}/one.tif", date(2021, 6, 1))
    assert scene.stac is not None
    assert [link["href"] for link in scene.stac["links"] if link["rel"] == "derived_from"] == [
        f"{server.address}/one.json"
    ]


def test_an_api_is_asked_for_the_place_of_the_sites(
    cvpipe: Cvpipe, workspace: Path, write_raster: WriteRaster, tmp_path: Path, server: FileServer
) -> None:
    """The search is a GET here, so that a server of files can answer it."""
    write_raster(RGB, "one.tif")
    found = item("one", visual={"href": f"{server.address}/one.tif", "type": TIFF}) | {"collection": "ortho"}
    core, search = "https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"
    links = [
        {"rel": "self", "href": f"{server.address}/api.json"},
        {"rel": "search", "href": f"{server.address}/search", "type": "application/geo+json", "method": "GET"},
    ]
    catalog = {"type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "api"}
    landing = {**catalog, "conformsTo": [core, search], "links": links}
    (tmp_path / "api.json").write_text(json.dumps(landing))
    (tmp_path / "search").write_text(json.dumps({"type": "FeatureCollection", "features": [found], "links": []}))
    with Workspace.open(workspace).ledger() as ledger:
        ledger.put_sites([Site("A", shapely.box(116.1, 39.8, 116.3, 39.95))], source="test")
    told = cvpipe("add", f"{server.address}/api.json", "--collection", "ortho", "--since", "2021-01-01")
    assert told.code == 0, told.stderr
    assert scenes_in(workspace) == [("one.tif", date(2021, 6, 1))]
    (asked,) = [query for path, query in server.queries if path == "/search"]
    assert asked == {
        "bbox": ["116.1,39.8,116.3,39.95"],
        "collections": ["ortho"],
        "datetime": ["2021-01-01T00:00:00Z/.."],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "no JSON"),
        ("[]", "a list"),
        ("[" * 100_000, "no JSON"),
        ('{"type": "Dog"}', "its type is 'Dog'"),
        ('{"type": "Feature"}', "is no STAC document"),
        ('{"type": "FeatureCollection"}', "is no STAC document"),
        (json.dumps(item("i") | {"assets": {"a": None}}), "is no STAC document"),
        (json.dumps(item("i") | {"properties": []}), "is no STAC document"),
        (json.dumps(item("i") | {"stac_version": 5}), "is no STAC document"),
    ],
)
def test_what_is_no_stac_is_told(tmp_path: Path, content: str, said: str) -> None:
    document = tmp_path / "x.json"
    document.write_text(content)
    with pytest.raises(SceneError, match=said):
        list(items_at(str(document), Query()))


def test_what_is_no_item_in_a_list_costs_itself_only(tmp_path: Path) -> None:
    bad = [1, {"id": "bad"}, item("odd") | {"assets": {"a": None}}]
    document = tmp_path / "x.json"
    document.write_text(json.dumps({"type": "FeatureCollection", "features": [item("a"), *bad, item("b")]}))
    found = list(items_at(str(document), Query()))
    assert ids(found) == ["a", "b"]
    told = [str(one) for one in found if isinstance(one, SceneError)]
    assert [
        f"{document} {name}: is no STAC document" in text for name, text in zip(["?", "bad", "odd"], told, strict=True)
    ]


def ids(found: Iterable[pystac.Item | SceneError]) -> list[str]:
    return [one.id for one in found if isinstance(one, pystac.Item)]


def catalogue(links: list[dict[str, str]]) -> str:
    document = {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "description": "", "links": links}
    return json.dumps(document)


@pytest.mark.parametrize("kind", ["catalogue", "item collection"])
def test_no_more_items_are_taken_than_the_limit_says(tmp_path: Path, kind: str) -> None:
    """The first of them come all the same; how to get at the others is told."""
    document = tmp_path / "c.json"
    if kind == "catalogue":
        for n in range(5):
            (tmp_path / f"{n}.json").write_text(json.dumps(item(f"i{n}")))
        document.write_text(catalogue([{"rel": "item", "href": f"{n}.json"} for n in range(5)]))
    else:
        document.write_text(json.dumps({"type": "FeatureCollection", "features": [item(f"i{n}") for n in range(5)]}))
    assert len(list(items_at(str(document), Query(limit=5)))) == 5
    got: list[pystac.Item | SceneError] = []
    with pytest.raises(SceneError, match=r"holds more than 3 items, of which the first 3 were taken.*--limit"):
        got.extend(items_at(str(document), Query(limit=3)))
    assert ids(got) == ["i0", "i1", "i2"]


def test_the_limit_of_the_command(cvpipe: Cvpipe, write_raster: WriteRaster, tmp_path: Path) -> None:
    features = []
    for n in range(3):
        path = write_raster(RGB + np.uint8(n), f"{n}.tif")
        features.append(item(f"i{n}", visual={"href": str(path), "type": TIFF}))
    (tmp_path / "all.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    told = cvpipe("add", tmp_path / "all.json", "--limit", "2")
    assert (told.code, "2 scenes added, 0 known already, 1 refused" in told.stdout) == (1, True)
    assert "holds more than 2 items" in told.stderr


def test_a_catalogue_that_holds_itself_ends(tmp_path: Path) -> None:
    document = tmp_path / "c.json"
    (tmp_path / "i.json").write_text(json.dumps(item("i")))
    links = [{"rel": "child", "href": "c.json"}, {"rel": "item", "href": "i.json"}]
    document.write_text(catalogue(links))
    with pytest.raises(SceneError, match=r"holds more than 20 items|is no STAC document"):
        list(items_at(str(document), Query(limit=20)))


def test_a_catalogue_is_walked_through_passing_faults(
    tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.05, 0.1))
    (tmp_path / "i.json").write_text(json.dumps(item("i")))
    (tmp_path / "c.json").write_text(catalogue([{"rel": "item", "href": "i.json"}]))
    server.faults.status.update({"i.json": [500, 503], "c.json": [502]})
    assert ids(items_at(f"{server.address}/c.json", Query())) == ["i"]


def test_a_signed_address_is_shown_without_its_key(
    cvpipe: Cvpipe, write_raster: WriteRaster, server: FileServer
) -> None:
    """Nowhere: not when it is added, listed, or checked."""
    write_raster(RGB, "one_20230510.tif")
    said = [cvpipe("add", f"{server.address}/one_20230510.tif?sig=secret")]
    said += [cvpipe(*words) for words in (("list",), ("list", "--json"), ("check",), ("check", "--json"))]
    assert [told.code for told in said] == [0] * 5
    assert "secret" not in "".join(told.stdout + told.stderr for told in said)
    assert "one_20230510.tif" in said[2].stdout


def test_keys_of_addresses_are_not_told(tmp_path: Path, server: FileServer) -> None:
    """Neither in messages nor in the items that the ledger keeps."""
    links = [{"rel": "item", "href": "gone.json?sig=secret"}]
    catalogue = {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "description": "", "links": links}
    (tmp_path / "c.json").write_text(json.dumps(catalogue))
    with pytest.raises(SceneError, match="is no STAC document") as caught:
        list(items_at(f"{server.address}/c.json?sig=secret", Query()))
    assert "secret" not in str(caught.value)


def test_the_item_a_scene_was_found_by_is_kept_without_its_key(write_raster: WriteRaster) -> None:
    found_by = pystac.Item.from_dict(item("i"), href="https://h/i.json?sig=secret")
    kept = describe(write_raster(RGB, "a.tif"), source=found_by).stac
    assert kept is not None
    assert [link["href"] for link in kept["links"] if link["rel"] == "derived_from"] == ["https://h/i.json"]
    assert "secret" not in json.dumps(kept)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Lima"])
def test_a_time_without_zone_is_that_day_wherever_it_is_read(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"2023-05-10T00:00:00": date(2023, 5, 10), "2023-05-10T23:59:00": date(2023, 5, 10)}
    times |= {"2023-05-10T23:00:00-05:00": date(2023, 5, 11)}
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert {text: acquired(pystac.Item.from_dict(item("i", text))) for text in times} == times
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_document_that_is_not_there_is_told(tmp_path: Path, server: FileServer) -> None:
    for address, said in ((str(tmp_path / "x.json"), "No such file"), (f"{server.address}/x.json", "HTTP 404")):
        with pytest.raises(SceneError, match=said):
            list(items_at(address, Query()))


@pytest.mark.parametrize(
    ("assets", "name", "chosen"),
    [
        ({"a": {"href": "a.tif"}}, None, "/d/a.tif"),
        ({"nir": {"href": "n.tif"}, "visual": {"href": "v.tif"}}, None, "/d/v.tif"),
        ({"b": {"href": "b.tif"}, "c": {"href": "c.tif", "roles": ["visual"]}}, None, "/d/c.tif"),
        ({"b": {"href": "b.tif"}, "c": {"href": "https://h/c.tif"}}, "c", "https://h/c.tif"),
        ({"b": {"href": "/x/b.jp2", "type": "image/jp2"}, "t": {"href": "t.jpg"}}, None, "/x/b.jp2"),
        ({"b": {"href": "b.tif"}, "c": {"href": "c.tif"}}, None, "several rasters"),
        ({"b": {"href": "b.tif"}}, "z", "has no asset 'z'"),
    ],
)
def test_the_asset_that_is_to_be_seen(assets: dict[str, Any], name: str | None, chosen: str) -> None:
    read = pystac.Item.from_dict(item("i", **assets))
    read.set_self_href("/d/i.json")
    if "/" in chosen:
        assert asset_address(read, name) == chosen
        return
    with pytest.raises(SceneError, match=chosen):
        asset_address(read, name)


@pytest.mark.parametrize(
    ("address", "is_stac"),
    [
        ("a.json", True),
        ("https://host/stac/v1", True),
        ("https://host/item.json?x=1", True),
        ("https://host/a.tif", False),
        ("s3://bucket/a.tif", False),
        ("folder", False),
        ("2023/*.tif", False),
    ],
)
def test_what_is_taken_for_stac(address: str, is_stac: bool) -> None:
    assert is_document(address) is is_stac
