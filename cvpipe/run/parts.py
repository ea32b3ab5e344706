"""A part of the sites, so that several processes with one ledger in a database share a district: `--part K/N`.

The middle of a site lies in a cell of a fixed grid, and a digest of the cell says to which part it belongs: neighbours
stay together, as they share their ground (`cvpipe.run.sharing`), and whatever else the ledger holds, a site's part
stays the same. Each part has a folder of its own below the workspace's `runs/`, with its lease, its looks and what it
set aside; its assessments and maps lie where those of a whole run do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from cvpipe.domain import Site
from cvpipe.errors import LeaseError, UsageError
from cvpipe.ledger import Workspace
from cvpipe.run.lease import holder_of, lease

#: Side of a cell in degrees, some 1.1 km: several times the ground that sites share, and some hundreds of cells in a
#: district, so that parts come out about equal.
CELL_DEG = 0.01


@dataclass(frozen=True)
class Part:
    """One of `count` parts; `number` counts from 0, as the completion index of a Kubernetes Job does."""

    number: int
    count: int

    @classmethod
    def parsed(cls, text: str) -> Part:
        """From `K/N`. Raises UsageError."""
        number, _, count = text.partition("/")
        if number.isdecimal() and count.isdecimal() and int(number) < int(count):
            return cls(int(number), int(count))
        remedy = "Write K/N with K from 0 to N-1: 0/8 is the first of eight."
        raise UsageError(f"'{text}' is no part", where="--part", remedy=remedy)

    def of(self, sites: Sequence[Site]) -> list[Site]:
        """Those of the sites that belong to this part, in their order."""
        if not sites:
            return []
        middles = shapely.get_coordinates(shapely.centroid([site.geometry for site in sites]))
        cells, cell_of = np.unique(np.floor(middles / CELL_DEG).astype(np.int64), axis=0, return_inverse=True)
        mine = np.array([_digest(x, y) % self.count == self.number for x, y in cells.tolist()])
        return [site for site, is_mine in zip(sites, mine[cell_of.ravel()].tolist(), strict=True) if is_mine]

    def folder(self, runs: Path) -> Path:
        """Where it keeps what is its own."""
        return runs / f"part-{self.number}-of-{self.count}"


def _digest(x: int, y: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{x},{y}".encode()).digest()[:8], "big")


def own_folder(workspace: Workspace, part: Part | None) -> Path:
    """The folder with the lease and the notes of a run: `runs/` itself unless it is of a part.

    Parts whose ledger is a file hold the lease of the whole workspace: it has one writer at a time.
    """
    if part is None or isinstance(workspace.ledger_place, Path):
        return workspace.runs
    return part.folder(workspace.runs)


@contextmanager
def lease_of(workspace: Workspace, part: Part | None = None) -> Iterator[None]:
    """Hold the lease of a run. Raises LeaseError where another one goes on that does the same work.

    Runs of different parts go on beside each other; one of the whole goes on alone.
    """
    mine = own_folder(workspace, part)
    with lease(mine):
        parts = sorted(workspace.runs.glob("part-*-of-*"))
        for other in [workspace.runs] if mine != workspace.runs else parts:
            held = holder_of(other)
            if held is not None:
                remedy = f"Wait for its end; should that machine be lost, its lease ends by itself at {held.until}."
                raise LeaseError(f"a run is going on ({held.holder}, since {held.since})", where=other, remedy=remedy)
        yield
