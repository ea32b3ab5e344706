"""A drawn district and its application, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from cvpipe.assess.rules import Rules
from cvpipe.ledger import Ledger, Workspace
from cvpipe.review import ReviewOptions
from cvpipe.review.app import create_app
from tests.review import drawn_district
from tests.review.visitors import Person

LogIn = Callable[..., Person]


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a drawn workspace; not to be written to."""
    workspace = Workspace.create(tmp_path_factory.mktemp("drawn") / "district")
    drawn_district.draw(workspace)
    return workspace.folder


@pytest.fixture
def workspace(drawn: Path, tmp_path: Path) -> Workspace:
    """A copy of the ledger; the scenes stay where they were drawn."""
    folder = tmp_path / "district"
    shutil.copytree(drawn, folder, ignore=shutil.ignore_patterns("*.tif"))
    return Workspace.open(folder)


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    """The ledger that the application has open too."""
    with workspace.ledger() as opened:
        yield opened


@pytest.fixture
def options() -> ReviewOptions:
    """What the server was told; a test may override it."""
    return ReviewOptions(rules=Rules())


@pytest.fixture
def app(ledger: Ledger, workspace: Workspace, options: ReviewOptions) -> FastAPI:
    """The application."""
    return create_app(ledger, workspace.folder, options)


@pytest.fixture
def log_in(app: FastAPI) -> LogIn:
    """Somebody who is logged in, by name."""

    def enter(name: str) -> Person:
        person = Person(app)
        assert person.log_in(name).status_code == 303
        return person

    return enter
