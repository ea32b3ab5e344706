"""Ledgers and workspaces to test with: `ledger` and `filled` in both stores, the others in a GeoPackage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from cvpipe.ledger import Ledger, Workspace
from tests.ledger import postgres, samples
from tests.ledger.commands import Command, Told, run_command

_numbers = count(1)


class Store(Protocol):
    """Where ledgers are kept."""

    def copy(self, template: str) -> Path | str:
        """The place of a new ledger, a copy of the template `empty` or `filled`."""

    def bare(self) -> Path | str:
        """A place where a ledger can be made."""


class Files:
    """Copies of the templates in a test's own folder."""

    def __init__(self, templates: Path, folder: Path) -> None:
        self._templates, self._folder = templates, folder

    def copy(self, template: str) -> Path:
        """The path of a new GeoPackage."""
        return Path(shutil.copy(self._templates / f"{template}.gpkg", self.bare()))

    def bare(self) -> Path:
        """A path in a folder of its own."""
        folder = self._folder / f"store-{next(_numbers)}"
        folder.mkdir()
        return folder / "ledger.gpkg"


class Databases:
    """Copies of the template databases; `drop` removes those that were handed out."""

    def __init__(self, server: postgres.Server) -> None:
        self._server, self._names = server, list[str]()

    def copy(self, template: str) -> str:
        """The URL of a new database."""
        self._names.append(f"copy_{os.getpid()}_{next(_numbers)}")
        return self._server.create_database(self._names[-1], template)

    def bare(self) -> str:
        """The URL of a new database without tables."""
        return self.copy("template0")

    def drop(self) -> None:
        """Remove what was handed out."""
        for name in self._names:
            self._server.drop_database(name)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an empty ledger and of one with a row of everything, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("ledgers")
    Ledger.create(folder / "empty.gpkg").close()
    with Ledger.create(folder / "filled.gpkg") as filled:
        samples.fill(filled)
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A PostgreSQL server for this session."""
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server with PostGIS on this machine (Debian: postgresql-15-postgis-3)")
    with postgres.running_server() as running:
        yield running


@pytest.fixture(scope="session")
def template_databases(server: postgres.Server) -> postgres.Server:
    """The server, with the databases `empty` and `filled` in it."""
    Ledger.create(server.create_database("empty")).close()
    with Ledger.create(server.create_database("filled")) as filled:
        samples.fill(filled)
    return server


@pytest.fixture
def files(templates: Path, tmp_path: Path) -> Files:
    """The store of GeoPackages."""
    return Files(templates, tmp_path)


@pytest.fixture
def databases(template_databases: postgres.Server) -> Iterator[Databases]:
    """The store of PostgreSQL databases."""
    handed_out = Databases(template_databases)
    yield handed_out
    handed_out.drop()


@pytest.fixture(params=["files", pytest.param("databases", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest) -> Store:
    """Each store in turn."""
    found: Store = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def ledger(stores: Store) -> Iterator[Ledger]:
    """An empty ledger, in each store."""
    with Ledger.open(stores.copy("empty")) as empty:
        yield empty


@pytest.fixture
def filled(stores: Store) -> Iterator[Ledger]:
    """A ledger with a row of everything, in each store."""
    with Ledger.open(stores.copy("filled")) as full:
        yield full


@pytest.fixture
def ledger_file(files: Files) -> Iterator[Ledger]:
    """An empty GeoPackage, whatever other stores there are."""
    with Ledger.open(files.copy("empty")) as empty:
        yield empty


@pytest.fixture
def filled_file(files: Files) -> Iterator[Ledger]:
    """A GeoPackage with a row of everything, whatever other stores there are."""
    with Ledger.open(files.copy("filled")) as full:
        yield full


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A new workspace."""
    return Workspace.create(tmp_path / "district")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`cvpipe`, as `command("sites", "list")`."""
    return partial(run_command, monkeypatch, capsys)


@pytest.fixture
def say(command: Command, workspace: Workspace, filled_file: Ledger) -> Command:
    """`cvpipe …` in a workspace whose ledger has a row of everything: a site was seen demolished on 2017-07-01."""
    filled_file.close()
    filled_file.path.replace(workspace.ledger_path)

    def said(*words: object) -> Told:
        return command(*words, "--workspace", workspace.folder)

    return said
