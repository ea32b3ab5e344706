"""Ledgers and workspaces to test with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cvpipe.ledger import Ledger, Workspace
from tests.ledger import samples
from tests.ledger.commands import Command, run_command


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an empty ledger and of one with a row of everything, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("ledgers")
    Ledger.create(folder / "empty.gpkg").close()
    with Ledger.create(folder / "filled.gpkg") as filled:
        samples.fill(filled)
    return folder


@pytest.fixture
def ledger(templates: Path, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    shutil.copy(templates / "empty.gpkg", tmp_path / "ledger.gpkg")
    with Ledger.open(tmp_path / "ledger.gpkg") as empty:
        yield empty


@pytest.fixture
def filled(templates: Path, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with a row of everything."""
    shutil.copy(templates / "filled.gpkg", tmp_path / "ledger.gpkg")
    with Ledger.open(tmp_path / "ledger.gpkg") as full:
        yield full


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A new workspace."""
    return Workspace.create(tmp_path / "district")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`cvpipe`, as `command("sites", "list")`."""
    return partial(run_command, monkeypatch, capsys)
