"""STAC APIs that are watched: asked for the sites alone and for what may be new, and none that fails costs more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box

from cvpipe.domain import Site
from cvpipe.errors import SettingsError
from cvpipe.imagery import remote
from cvpipe.ledger import Workspace
from cvpipe.run import catalogues, watching
from cvpipe.run.health import Health, examine
from cvpipe.run.schedule import play_round
from cvpipe.run.watching import Sighted, look_for_scenes
from cvpipe.settings import StacSettings, WorkspaceSettings, parse_settings
from tests.detect.conftest import chequers, write_geotiff
from tests.imagery.servers import FileServer, stac_api
from tests.ledger.commands import run_command
from tests.run.conftest import DAYS, OLD_SHED, SITES, scenes, square

#: The day on which these tests look.
TODAY = date(2025, 6, 1)
HERE = square(*OLD_SHED).bounds

Items = list[dict[str, Any]]
Look = Callable[..., Sighted]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.02, 0.05))
    monkeypatch.setattr(catalogues, "today", lambda: TODAY)
    monkeypatch.setattr(watching, "today", lambda: TODAY)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "ws")
    with made.ledger() as ledger:
        ledger.put_sites(SITES[:2], source="test")
    return made


@pytest.fixture
def items() -> Items:
    """What the API has; a test puts in what appears."""
    return []


@pytest.fixture
def api(tmp_path: Path, items: Items) -> Iterator[FileServer]:
    with stac_api(tmp_path, items) as running:
        yield running


@pytest.fixture
def look(workspace: Workspace, api: FileServer) -> Look:
    def looked(**asked: Any) -> Sighted:
        return look_for_scenes(workspace, [StacSettings(stac=f"{api.address}/stac", **asked)])

    return looked


def item(name: str, day: date, **told: Any) -> dict[str, Any]:
    """An item whose asset lies beside the API under the item's name."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "ortho",
        "geometry": None,
        "bbox": list(HERE),
        "properties": {"datetime": f"{day}T03:00:00Z", **told},
        "links": [],
        "assets": {"visual": {"href": f"../{name}.tif", "type": "image/tiff; application=geotiff"}},
    }


def put(folder: Path, name: str, shade: int = 0) -> Path:
    return write_geotiff(folder / f"{name}.tif", chequers() + shade)


def searches(api: FileServer) -> list[dict[str, list[str]]]:
    return [query for path, query in api.queries if path == "/stac/search"]


def added(seen: Sighted) -> list[str]:
    return [Path(address).stem for address in seen.added]


def reads_of(api: FileServer, name: str) -> int:
    return sum(path == f"/{name}.tif" for path, _ in api.requests)


@pytest.mark.usefixtures("network")
def test_a_new_item_brings_a_run_and_no_news_bring_none(
    tmp_path: Path, workspace: Workspace, api: FileServer, items: Items
) -> None:
    text = workspace.settings_path.read_text(encoding="utf-8")
    watched = f"watch: [{{stac: '{api.address}/stac', collections: [ortho]}}]"
    workspace.settings_path.write_text(text.replace("watch: []", watched), encoding="utf-8")
    offered = [item(path.stem, day) for path, day in zip(scenes(tmp_path), DAYS, strict=True)]
    runs = list[int]()
    for new in (offered[:2], [], offered[2:], []):
        items += new
        played = play_round(workspace)
        assert (len(played.sighted.added), played.failed) == (len(new), False)
        with workspace.ledger() as ledger:
            runs.append(len(ledger.runs()))
    assert runs == [1, 1, 2, 2]
    with workspace.ledger() as ledger:
        assert {record.after_date for record in ledger.assessments("A")} == set(DAYS[1:])
        assert [scene.uri for scene in ledger.scenes()] == [f"{api.address}/scene_{day}.tif" for day in DAYS]


def test_the_api_is_asked_for_the_sites_and_from_the_last_look_on(look: Look, api: FileServer) -> None:
    look(collections=["ortho"], since=date(2020, 1, 1))
    look(collections=["ortho"], since=date(2020, 1, 1))
    look(since=date(2020, 1, 1))
    spans = [asked["datetime"][0] for asked in searches(api)]
    assert spans == ["2020-01-01T00:00:00Z/..", f"{TODAY - timedelta(days=90)}T00:00:00Z/..", "2020-01-01T00:00:00Z/.."]
    assert [asked.get("collections") for asked in searches(api)] == [["ortho"], ["ortho"], None]
    left, bottom, right, top = (float(side) for side in searches(api)[0]["bbox"][0].split(","))
    assert box(left, bottom, right, top).buffer(1e-9).covers(SITES[0].geometry)
    assert box(left, bottom, right, top).buffer(1e-9).covers(SITES[1].geometry)


def test_sites_that_come_later_are_asked_for_from_the_first_day(
    look: Look, workspace: Workspace, api: FileServer
) -> None:
    look(), look()
    with workspace.ledger() as ledger:
        ledger.put_sites([Site("NEW", box(100, 20, 101, 21))], source="test")
    look()
    assert ["datetime" in asked for asked in searches(api)] == [False, True, False]


def test_an_item_may_appear_long_after_its_day(look: Look, tmp_path: Path, items: Items) -> None:
    look()
    for name, days in (("late", 80), ("never", 120)):
        put(tmp_path, name, shade=days)
        items.append(item(name, TODAY - timedelta(days=days)))
    assert added(look()) == ["late"]
    assert added(look(late_days=130)) == ["never"], "another question is asked from the first day"


def test_pages_are_followed(look: Look, tmp_path: Path, items: Items, api: FileServer) -> None:
    for n in range(5):
        put(tmp_path, f"i{n}", shade=n)
        items.append(item(f"i{n}", TODAY))
    assert added(look()) == [f"i{n}" for n in range(5)]
    assert len(searches(api)) == 3
    assert look() == Sighted(unchanged=5)


def test_what_was_taken_is_not_read_again_until_it_is_updated(
    look: Look, tmp_path: Path, items: Items, api: FileServer
) -> None:
    """A signature in an asset's address, other at each look, makes it no other item."""
    put(tmp_path, "a")
    items.append(item("a", TODAY))
    look()
    reads = reads_of(api, "a")
    items[0]["assets"]["visual"]["href"] += "?sig=secret"
    assert look() == Sighted(unchanged=1)
    assert reads_of(api, "a") == reads
    assert look(collections=["ortho"]) == Sighted(unchanged=1), "nor does another question"
    assert reads_of(api, "a") == reads
    items[0]["properties"]["updated"] = "2025-06-01T00:00:00Z"
    assert look().known == 1
    assert reads_of(api, "a") > reads


@pytest.mark.parametrize(("cloud", "taken"), [(None, 1), (39, 1), (41.5, 0), ("much", 1)])
def test_cloudy_items_are_passed_over(look: Look, tmp_path: Path, items: Items, cloud: Any, taken: int) -> None:
    put(tmp_path, "a")
    items.append(item("a", TODAY, **({} if cloud is None else {"eo:cloud_cover": cloud})))
    seen = look(max_cloud=40)
    assert (len(seen.added), seen.cloudy, seen.refused) == (taken, 1 - taken, ())
    assert len(look().added) == 1 - taken


def _landing_fails(api: FileServer, _: Path) -> None:
    api.faults.status["/stac"] = [500, 503]


def _search_fails(api: FileServer, _: Path) -> None:
    api.faults.status["/search"] = [500, 429]


def _answers_are_cut(api: FileServer, _: Path) -> None:
    api.faults.cut["/search"] = 2


def _a_gateway_answers(api: FileServer, _: Path) -> None:
    api.faults.garbled["/search"] = 2


@pytest.mark.parametrize("spoil", [_landing_fails, _search_fails, _answers_are_cut, _a_gateway_answers])
def test_faults_that_pass_cost_nothing(
    look: Look, tmp_path: Path, items: Items, api: FileServer, spoil: Callable[[FileServer, Path], None]
) -> None:
    for n in range(3):
        put(tmp_path, f"i{n}", shade=n)
        items.append(item(f"i{n}", TODAY))
    spoil(api, tmp_path)
    seen = look()
    assert (added(seen), seen.refused) == (["i0", "i1", "i2"], ())


def test_an_api_that_fails_costs_itself_only_and_is_told_once(
    workspace: Workspace, tmp_path: Path, api: FileServer, items: Items
) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    put(tmp_path, "a")
    items.append(item("a", TODAY))
    address = f"{api.address}/stac?key=secret"

    def look() -> Sighted:
        return look_for_scenes(workspace, [address, str(folder)], settle_s=0.0)

    api.faults.always["/search"] = 503
    write_geotiff(folder / "b_20240501.tif", chequers() + 9)
    first = look()
    assert added(first) == ["b_20240501"]
    (refused,) = first.refused
    assert refused.address == f"{api.address}/stac"
    assert refused.reason == "the API does not answer the search (HTTP 503 sorry). Try again later."
    assert look().refused == ()
    api.faults.always.clear()
    seen = look()
    assert (added(seen), seen.refused) == (["a"], ())
    api.faults.always["/search"] = 400
    assert [one.reason.split(". ")[1] for one in look().refused] == ["Check its address and its collections."]


def test_an_api_that_hangs_is_given_up(
    workspace: Workspace, tmp_path: Path, api: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    put(folder, "a_20240501")
    monkeypatch.setattr(remote, "TIMEOUT_S", 0.2)
    api.faults.stall_s["/search"] = 2.0
    began = time.monotonic()
    seen = look_for_scenes(workspace, [f"{api.address}/stac", str(folder)], settle_s=0.0)
    assert time.monotonic() - began < 6.0, "twice three tries, not the server's pace"
    assert added(seen) == ["a_20240501"]
    (refused,) = seen.refused
    assert "the API does not answer the search (no whole answer: " in refused.reason


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>busy</html>", "its answer is no JSON"),
        ('{"type": "FeatureCollection", "features": 5}', "is no STAC document"),
        ("[]", "is no STAC document"),
    ],
)
def test_an_answer_that_is_none_is_told(workspace: Workspace, tmp_path: Path, body: str, said: str) -> None:
    folder = tmp_path / "static"
    (folder / "stac").mkdir(parents=True)
    (folder / "stac" / "search").write_text(body)
    with stac_api(folder, [], answers_searches=False) as api:
        seen = look_for_scenes(workspace, [f"{api.address}/stac"])
    assert [said in one.reason for one in seen.refused] == [True], seen.refused


def test_a_bad_item_costs_itself_only(look: Look, tmp_path: Path, api: FileServer, items: Items) -> None:
    put(tmp_path, "good")
    (tmp_path / "broken.tif").write_text("no raster")
    bare = item("bare", TODAY) | {"assets": {"thumbnail": {"href": "t.png", "type": "image/png"}}}
    odd = item("odd", TODAY) | {"assets": {"a": None}}
    items += [bare, item("broken", TODAY), odd, item("good", TODAY)]
    seen = look()
    assert added(seen) == ["good"]
    assert f"stac ortho broken ({api.address}/broken.tif)" in seen.refused[1].address
    assert [
        (one.address.split(" (")[0].rsplit(" ", 1)[-1], one.reason.split(".")[0].split(" (")[0]) for one in seen.refused
    ] == [
        ("bare", "has no asset that is a raster"),
        ("broken", "no raster that GDAL can read"),
        ("odd", "is no STAC document"),
    ]
    assert look() == Sighted(unchanged=4)


def test_a_raster_that_was_away_is_asked_for_until_it_is_there(
    look: Look, tmp_path: Path, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the look that saw it first was years after its day."""
    items += [item("gone", date(2015, 5, 1)), item("there", date(2016, 5, 1))]
    put(tmp_path, "there")
    assert added(look()) == ["there"]
    assert look().refused == ()
    put(tmp_path, "gone", shade=3)
    monkeypatch.setattr(watching, "RETRY_S", 0.0)
    assert added(look()) == ["gone"]
    assert look() == Sighted(), "nothing is left that would have to be asked for"


def test_without_sites_nothing_is_asked(tmp_path: Path, api: FileServer) -> None:
    empty = Workspace.create(tmp_path / "empty")
    seen = look_for_scenes(empty, [f"{api.address}/stac"])
    assert [one.reason for one in seen.refused] == ["is not asked: the ledger has no sites. Import the sites first."]
    assert api.requests == []


def test_a_catalogue_in_a_file_gives_what_touches_the_sites(workspace: Workspace, tmp_path: Path) -> None:
    near, far = item("near", TODAY), item("far", TODAY) | {"bbox": [10, 10, 0, 11, 11, 9]}
    for one in (near, far):
        one["assets"]["visual"]["href"] = f"{one['id']}.tif"
    put(tmp_path, "near"), put(tmp_path, "far", shade=2)
    (tmp_path / "all.json").write_text(json.dumps({"type": "FeatureCollection", "features": [near, far]}))
    seen = look_for_scenes(workspace, [StacSettings(stac=str(tmp_path / "all.json"))])
    assert added(seen) == ["near"]


def test_the_command_watches_an_api(
    workspace: Workspace,
    tmp_path: Path,
    api: FileServer,
    items: Items,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(tmp_path, "a")
    items.append(item("a", TODAY))
    items[0]["assets"]["visual"]["href"] += "?sig=secret"
    call = ("scenes", "watch", f"{api.address}/stac", "--once", "--workspace", workspace.folder)
    told = run_command(monkeypatch, capsys, *call)
    assert (told.code, f"added {api.address}/a.tif" in told.stdout) == (0, True), told.stderr
    assert "secret" not in told.stdout + told.stderr
    assert "secret" not in (workspace.runs / watching.WATCHED_NAME).read_text(encoding="utf-8")


def test_the_doctor_looks_at_each_place(workspace: Workspace, tmp_path: Path, api: FileServer, items: Items) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    put(folder, "a"), put(folder, "b")
    items += [item("a", TODAY), item("b", TODAY)]
    places = ["../incoming", "../away", f"{api.address}/stac", f"{{stac: '{api.address}/nothing'}}"]
    text = workspace.settings_path.read_text(encoding="utf-8")
    workspace.settings_path.write_text(text.replace("watch: []", f"watch: [{', '.join(places)}]"), encoding="utf-8")
    found = [check for check in examine(workspace.folder) if check.name == "watched"]
    assert [(check.health, check.found) for check in found] == [
        (Health.GOOD, f"{folder}: 2 rasters"),
        (Health.PROBLEM, f"{tmp_path / 'away'}: no such folder"),
        (Health.GOOD, f"{api.address}/stac: answers"),
        (Health.PROBLEM, f"{api.address}/nothing: cannot be read (HTTP 404 Not Found)"),
    ]


def test_an_api_without_a_search_is_told(workspace: Workspace, tmp_path: Path, api: FileServer) -> None:
    landing = {"type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "api", "links": []}
    (tmp_path / "bare.json").write_text(json.dumps({**landing, "conformsTo": []}))
    (refused,) = look_for_scenes(workspace, [f"{api.address}/bare.json"]).refused
    assert refused.reason.startswith("the API has no search (")


def test_what_is_wrong_in_the_settings_is_named() -> None:
    read = parse_settings({"watch": ["in", {"stac": "https://h/stac"}]}, WorkspaceSettings, where="cvpipe.yaml")
    assert read.watch == ("in", StacSettings(stac="https://h/stac"))
    for wrong, said in (
        ({"stac": "https://h", "colections": ["a"]}, r"watch\.0\.stac\.colections"),
        ({"collections": ["a"]}, r"watch\.0\.stac\.stac"),
        ({"stac": "https://h", "max_cloud": 400}, r"watch\.0\.stac\.max_cloud"),
    ):
        with pytest.raises(SettingsError, match=said):
            parse_settings({"watch": [wrong]}, WorkspaceSettings, where="cvpipe.yaml")
