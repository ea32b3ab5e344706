"""Visits: sites that a reviewer wants visited, as a list and as files for maps and phones.

The files have four empty columns, which inspectors fill in; `visit_results` takes them back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cvpipe.assess.criteria import Language
from cvpipe.domain import InspectionResult, ReviewReason
from cvpipe.ledger import Ledger, SiteLine, standing
from cvpipe.ledger.exchange.tables import Column, Kind, Table
from cvpipe.ledger.exchange.writing import write_table
from cvpipe.review.desk import Desk
from cvpipe.review.words import Words

#: Formats of the visit list, with what browsers are told they are.
FORMATS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "geojson": "application/geo+json",
    "kml": "application/vnd.google-earth.kml+xml",
}

#: Headings of what is told of each site, and of what inspectors fill in: English and Chinese.
TOLD = {
    "code": ("code", "编号"),
    "name": ("name", "名称"),
    "sub_district": ("sub_district", "街道"),
    "community": ("community", "社区"),
    "asked_by": ("asked_by", "提出人"),
    "asked_on": ("asked_on", "提出日期"),
    "question": ("asked_note", "核查事由"),
}
ASKED = {
    "result": ("visit_result", "核查结果"),
    "visited_on": ("visited_on", "核查日期"),
    "note": ("visit_note", "现场情况"),
    "photos": ("visit_photos", "照片"),
}
HEADINGS = TOLD | ASKED


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
        for entry in standing(site.decisions):
            asked = entry.value.reason == ReviewReason.SITE_VISIT
            if asked and not (code in last and last[code] >= entry.at):
                found[code] = Visit(site.line, entry.value.who, entry.at, entry.value.note)
    return sorted(found.values(), key=lambda visit: visit.at)


def as_file(ledger: Ledger, visits: Sequence[Visit], suffix: str, language: Language) -> bytes:
    """The visit list as a file of the format that `suffix` names, with empty columns for what is found."""
    sites = {site.code: site for site in ledger.sites([visit.line.code for visit in visits])}
    column = 1 if language == "zh" else 0
    columns = tuple(_column(name, both[column], Words(language)) for name, both in HEADINGS.items())
    outlines = [sites[visit.line.code].geometry for visit in visits]
    table = Table("visits", columns, [_values(visit) for visit in visits], outlines)
    with TemporaryDirectory() as name:
        path = Path(name) / f"visits.{suffix}"
        write_table(table, path, language=language, encoding="utf-8", force=False)
        return _with_blanks(path.read_bytes(), columns) if suffix == "geojson" else path.read_bytes()


def _with_blanks(data: bytes, columns: Sequence[Column]) -> bytes:
    """GeoJSON leaves empty cells out; here they stand, for somebody is to fill them in."""
    plain = json.loads(data)
    for feature in plain["features"]:
        feature["properties"] = dict.fromkeys(column.heading for column in columns) | feature["properties"]
    return json.dumps(plain, ensure_ascii=False, indent=1).encode()


def _column(name: str, heading: str, words: Words) -> Column:
    explained = " | ".join(words.result(result) for result in InspectionResult) if name == "result" else ""
    return Column(name, heading, Kind.DAY if name in {"asked_on", "visited_on"} else Kind.TEXT, "", explained)


def _values(visit: Visit) -> tuple[Any, ...]:
    line = visit.line
    told = (line.code, line.name, line.sub_district, line.community, visit.who, visit.at.date(), visit.note)
    return (*told, *(None for _ in ASKED))


__all__ = ["ASKED", "FORMATS", "HEADINGS", "Visit", "as_file", "wanted"]
