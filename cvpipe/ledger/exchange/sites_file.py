"""What is known of a file of sites once it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cvpipe.domain import Site


@dataclass(frozen=True)
class Notice:
    """What is to be said of one row: where it stands, its code as far as it is known, and one sentence."""

    where: str
    code: str
    sentence: str


@dataclass(frozen=True)
class ColumnRead:
    """What a column was taken for: `field` of a site, None for an attribute, "" where it was left out.

    `unit` is that of the numbers ("" where they have none), `told_by` what the field was known by; `samples` are its
    first cells, none of a column about persons.
    """

    heading: str
    field: str | None
    unit: str
    told_by: str
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class SitesFile:
    """What a file of sites holds.

    `stated` names for each code the columns that its row speaks of; an empty cell says nothing. `where` tells for
    each code where its row stands. `refused` are rows that cannot become sites, `notices` what was mended in rows
    that could, or what is to be said of the file. `dropped` are the headings of columns about persons that were left
    out; `columns` what each column was taken for.
    """

    path: Path
    sites: list[Site] = field(default_factory=list)
    stated: dict[str, frozenset[str]] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    refused: list[Notice] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    columns: tuple[ColumnRead, ...] = ()
