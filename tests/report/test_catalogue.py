"""The ledger as a STAC catalogue: every document is valid, every link leads somewhere, and labels say who looked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pystac
import pystac.validation
import pytest

from cvpipe.domain import Decision, Outcome, Question
from cvpipe.ledger import Ledger, Workspace
from cvpipe.network.bundle import stac_item
from cvpipe.report import Campaign, Scope, write_catalogue
from cvpipe.shipped import shipped
from tests.report.neighbourhood import Neighbourhood

#: The digest of the bundle that the neighbourhood's assessments were written with.
DIGEST = "d" * 12


@pytest.fixture
def decided(drawn: Neighbourhood, tmp_path: Path) -> Any:
    """A copy of the neighbourhood in which somebody answered to the last assessment of L-004."""
    shutil.copytree(drawn.workspace, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace").ledger() as ledger:
        key = ledger.assessments("L-004")[-1].assessment.key
        ledger.decide(Decision("L-004", "reviewer-7", Question.REBOUND, Outcome.NONE, key, note="a tarpaulin"))
        yield ledger


@pytest.fixture
def written(decided: Ledger, out: Path) -> Path:
    """The catalogue on disk."""
    networks = {DIGEST: stac_item(shipped("models") / "cvpipe-s")}
    done = write_catalogue(decided, Campaign("Hills"), out, networks)
    assert (done.changes, done.scenes, done.networks, done.left_out) == (12, 3, 1, 2)
    return out


def documents(folder: Path) -> list[dict[str, Any]]:
    """All STAC documents below a folder."""
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.rglob("*.json"))]


def test_every_document_is_valid(written: Path) -> None:
    for document in documents(written):
        bare = {**document, "stac_extensions": []}  # the schemas of extensions are online
        assert pystac.validation.validate_dict(bare) is not None


def test_every_link_leads_somewhere(written: Path) -> None:
    for path in written.rglob("*.json"):
        links = json.loads(path.read_text("utf-8"))["links"]
        assert [link["href"] for link in links if not (path.parent / link["href"]).is_file()] == []


def test_pystac_walks_from_the_root_to_all_items(written: Path) -> None:
    root = pystac.Catalog.from_file(str(written / "catalog.json"))
    assert len(list(root.get_items(recursive=True))) == 12 + 3 + 1
    (collection,) = root.get_children()
    assert isinstance(collection, pystac.Collection)
    (span,) = collection.extent.temporal.intervals
    assert [str(day)[:10] for day in span] == ["2015-11-06", "2017-05-20"]


def label_of(written: Path, decided: Ledger, code: str) -> tuple[pystac.Item, dict[str, Any]]:
    """The last label item of a site, and its polygons."""
    key = decided.assessments(code)[-1].assessment.key
    root = pystac.Collection.from_file(str(written / "changes" / "collection.json"))
    item = next(item for item in root.get_items() if item.properties["cvpipe:key"] == key)
    return item, json.loads(Path(item.assets["labels"].get_absolute_href() or "").read_text("utf-8"))


def test_an_item_counts_its_polygons_and_names_what_it_was_made_from(written: Path, decided: Ledger) -> None:
    item, polygons = label_of(written, decided, "L-004")
    (overview,) = item.properties["label:overviews"]
    kinds = [feature["properties"]["kind"] for feature in polygons["features"]]
    assert {one["name"]: one["count"] for one in overview["counts"] if one["count"]} == {
        kind: kinds.count(kind) for kind in kinds
    }
    assert kinds
    assert [Path(link.href).parent.name for link in item.links if link.rel == "source"] == ["scenes", "scenes"]
    (network,) = [link for link in item.links if link.rel == "derived_from"]
    assert Path(network.href).name == f"cvpipe-s-{DIGEST}.json"
    proposed_by = pystac.Item.from_file(network.get_absolute_href() or "")
    assert proposed_by.properties["mlm:name"] == "cvpipe-s"


def test_it_tells_that_a_person_answered_but_not_who(written: Path, decided: Ledger) -> None:
    item, _ = label_of(written, decided, "L-004")
    assert item.properties["label:methods"] == ["automated", "manual"]
    (said,) = item.properties["cvpipe:decisions"]
    assert (said["question"], said["verdict"]) == ("rebound", "none")
    untouched, _ = label_of(written, decided, "L-001")
    assert untouched.properties["label:methods"] == ["automated"]
    everything = "".join(path.read_text("utf-8") for path in written.rglob("*.*json"))
    assert "reviewer-7" not in everything
    assert "tarpaulin" not in everything


def test_a_scope_with_nothing_assessed_is_valid_too(decided: Ledger, out: Path) -> None:
    done = write_catalogue(
        decided, Campaign(""), out, {}, scope=Scope(until=decided.assessments("L-001")[0].before_date)
    )
    assert done.changes == 0
    assert all(pystac.validation.validate_dict(document) is not None for document in documents(out))
