"""A drawn neighbourhood of six sites at three epochs, in a ledger as a run would have left it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from cvpipe.ledger import Ledger, Workspace
from tests.report.neighbourhood import Neighbourhood


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Neighbourhood:
    """The scenes on disk and the workspace beside them. Shared: tests that change it make their own copy."""
    return Neighbourhood.draw(tmp_path_factory.mktemp("neighbourhood"))


@pytest.fixture
def ledger(drawn: Neighbourhood) -> Iterator[Ledger]:
    """The neighbourhood's ledger."""
    with Workspace.open(drawn.workspace).ledger() as opened:
        yield opened


@pytest.fixture
def today() -> date:
    """A fixed day, so that pages can be compared."""
    return date(2017, 6, 30)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a report goes."""
    return tmp_path / "report"
