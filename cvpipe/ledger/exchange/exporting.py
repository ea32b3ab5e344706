"""A ledger's sites, changes and surfaces into files that other programs read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cvpipe.domain import Site
from cvpipe.ledger.exchange.site_tables import change_table, site_table, surface_table
from cvpipe.ledger.exchange.tables import Language
from cvpipe.ledger.exchange.writing import WrittenFiles, format_of, write_table
from cvpipe.ledger.records import AssessmentRecord, Observed


def write_sites(
    sites: Sequence[Site],
    path: Path,
    *,
    observed: Mapping[str, Observed] | None = None,
    language: Language = "en",
    encoding: str = "utf-8",
    force: bool = False,
) -> WrittenFiles:
    """Write sites as GeoJSON, GeoPackage, Shapefile, KML, CSV or XLSX, by suffix; in WGS 84, areas in m².

    All but a Shapefile come back through `read_sites` as they were. Raises SitesError; see `write_table`.
    """
    table = site_table(sites, observed or {}, language, format_of(path).kinds)
    return write_table(table, path, language=language, encoding=encoding, force=force)


def write_changes(
    records: Iterable[AssessmentRecord],
    path: Path,
    *,
    language: Language = "en",
    encoding: str = "utf-8",
    force: bool = False,
) -> WrittenFiles:
    """Write the changes of each site's latest assessment, with national monitoring codes. Raises SitesError."""
    return write_table(change_table(records, language), path, language=language, encoding=encoding, force=force)


def write_surfaces(
    sites: Sequence[Site],
    records: Iterable[AssessmentRecord],
    path: Path,
    *,
    language: Language = "en",
    encoding: str = "utf-8",
    force: bool = False,
) -> WrittenFiles:
    """Write the surfaces of each site's latest assessment, with national monitoring codes. Raises SitesError."""
    table = surface_table(sites, records, language)
    return write_table(table, path, language=language, encoding=encoding, force=force)
