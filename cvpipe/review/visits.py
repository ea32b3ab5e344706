"""What is taken into the field: sites that a reviewer wants visited, as a list and as files for maps and phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cvpipe.assess.criteria import Language
from cvpipe.domain import ReviewReason, Site
from cvpipe.ledger import Ledger, SiteLine, write_sites
from cvpipe.review import opinions
from cvpipe.review.desk import Desk

#: Formats of the visit list, with what browsers are told they are.
FORMATS = {
    "geojson": "application/geo+json",
    "kml": "application/vnd.google-earth.kml+xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True)
class Visit:
    """A site that waits for somebody to go there: who asked for it, when (UTC), and with which words."""

    line: SiteLine
    who: str
    at: datetime
    note: str


def wanted(desk: Desk) -> list[Visit]:
    """Visits that were asked for and that nobody has made since, the oldest first."""
    last = {entry.value.site_code: entry.at for entry in desk.ledger.inspections()}
    found = dict[str, Visit]()
    for code, site in desk.district.sites.items():
        for entry in opinions.standing(site.decisions):
            asked = entry.value.reason == ReviewReason.SITE_VISIT
            if asked and not (code in last and last[code] >= entry.at):
                found[code] = Visit(site.line, entry.value.who, entry.at, entry.value.note)
    return sorted(found.values(), key=lambda visit: visit.at)


def as_file(ledger: Ledger, visits: Sequence[Visit], suffix: str, language: Language) -> bytes:
    """The visit list as a file of the format that `suffix` names; sites carry who asked and why as attributes."""
    noted = {visit.line.code: visit for visit in visits}
    sites = [_told(site, noted[site.code]) for site in ledger.sites(list(noted))]
    with TemporaryDirectory() as name:
        path = Path(name) / f"visits.{suffix}"
        write_sites(sites, path, observed=ledger.observed(), language=language)
        return path.read_bytes()


def _told(site: Site, visit: Visit) -> Site:
    told = {"visit_asked_by": visit.who, "visit_asked_on": f"{visit.at:%Y-%m-%d}", "visit_note": visit.note}
    return replace(site, attributes={**site.attributes, **told})


__all__ = ["FORMATS", "Visit", "as_file", "wanted"]
