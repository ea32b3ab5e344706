"""The page on a ledger in PostGIS: what reviewers do there ends up as it does in a GeoPackage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvpipe.domain import Outcome
from cvpipe.ledger import Ledger, Workspace
from cvpipe.review import ReviewOptions
from cvpipe.review.app import create_app
from tests.ledger import postgres
from tests.review import drawn_district
from tests.review.served import serving
from tests.review.test_browser import Reader
from tests.review.test_browser import chromium as chromium
from tests.review.visitors import Person

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def drawn_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[postgres.Server, Path]]:
    """A server with the drawn district in a template database, and the folder of its workspace."""
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server with PostGIS on this machine (Debian: postgresql-15-postgis-3)")
    with postgres.running_server() as server:
        url = server.create_database("drawn")
        workspace = Workspace.create(tmp_path_factory.mktemp("postgis") / "district", ledger=url)
        drawn_district.draw(workspace)
        yield server, workspace.folder


@pytest.fixture
def workspace(drawn_database: tuple[postgres.Server, Path], tmp_path: Path) -> Iterator[Workspace]:
    """A workspace whose ledger is a copy of the drawn database."""
    server, folder = drawn_database
    name = f"review_{os.getpid()}_{tmp_path.name.replace('-', '_')[:30].lower()}"
    url = server.create_database(name, "drawn")
    settings = (folder / "cvpipe.yaml").read_text().replace(server.url("drawn"), url)
    (tmp_path / "cvpipe.yaml").write_text(settings)
    (tmp_path / "runs").mkdir()
    yield Workspace.open(tmp_path)
    server.drop_database(name)


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    """That ledger, opened."""
    with workspace.ledger() as opened:
        yield opened


def logged_in(app: Any, name: str) -> Person:
    """Somebody who is logged in."""
    person = Person(app)
    assert person.log_in(name).status_code == 303
    return person


def test_decide_undo_and_second_opinion(ledger: Ledger, workspace: Workspace) -> None:
    app = create_app(ledger, workspace.folder, ReviewOptions())
    anna, bo = logged_in(app, "anna"), logged_in(app, "bo")
    item = anna.next(why="rebound")["items"][0]
    assert all(i["key"] != item["key"] for i in bo.next(why="rebound")["items"]), "two people never get the same item"
    assert anna.decide(item, note="a secret word").json()["settled"] is False
    assert anna.post("/api/undo", {}).json()["items"][0]["key"] == item["key"]
    assert anna.decide(item).json()["settled"] is False
    again = next(i for i in bo.next(why="rebound")["items"] if i["key"] == item["key"])
    assert "secret" not in str(again)
    assert bo.decide(again).json()["settled"] is True
    reasons = [(e.value.who, e.value.reason) for e in ledger.decisions(item["site"]["code"])]
    assert reasons == [("anna", ""), ("anna", "withdrawn"), ("anna", ""), ("bo", "")]
    picture = anna.get(item["pictures"]["epochs"][0]["picture"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    for page in ("/review", "/sites", "/overview", "/visits", "/candidates", "/site?code=S-03", "/sheet?code=S-03"):
        assert anna.page(page).status_code == 200, page
    assert ledger.verify().problems == ()


@pytest.mark.browser
def test_the_page_in_a_browser(chromium: Any, workspace: Workspace, ledger: Ledger) -> None:
    with serving(workspace.folder) as server:
        anna = Reader(chromium, server.address, "anna")
        first = anna.shown()
        anna.press("Enter")
        anna.saved()
        assert anna.press("u") == first
        anna.press("Enter")
        anna.saved()
        anna.context.close()
        bo = Reader(chromium, server.address, "bo")
        assert bo.shown() == first
        bo.press("1")
        bo.saved()
        assert anna.troubles + bo.troubles == []
    made = [(e.value.who, e.value.reason) for e in ledger.decisions()]
    assert made == [("anna", ""), ("anna", "withdrawn"), ("anna", ""), ("bo", "shadow")]
    assert ledger.decisions()[-1].value.verdict is Outcome.NONE
    assert ledger.verify().problems == ()
