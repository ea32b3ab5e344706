"""What came back from visits: the filled-in visit list, judged row by row, and the sites that photos belong to.

A row that cannot be entered costs that row only, and the report says why; one without a result was not visited.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shapely.geometry import Point

from cvpipe.domain import Inspection, InspectionResult, Site
from cvpipe.errors import InputError
from cvpipe.geo import WGS84, buffered, reproject, utm_crs
from cvpipe.ledger import Ledger
from cvpipe.ledger.exchange.cells import day, is_blank, text
from cvpipe.ledger.exchange.opening import read_raw
from cvpipe.ledger.exchange.persons import what_it_holds
from cvpipe.ledger.exchange.raw import Question, RawFile, RawRow
from cvpipe.review.desk import Desk
from cvpipe.review.uploads import distance_m, shown_name
from cvpipe.review.visits import ASKED, HEADINGS
from cvpipe.review.words import Words

#: Formats in which results come back.
RETURNED = ("xlsx", "csv", "geojson")

#: Rows of one file: more sites than a district has.
MOST_ROWS = 20_000

#: Longest note, as on the page.
LONGEST_NOTE = 2000

#: A photo without a site is of the one within so many metres: phones place themselves within some tens of metres.
PHOTO_REACH_M = 50.0

_BETWEEN_NAMES = re.compile(r"[,;，；、\n]")


@dataclass(frozen=True)
class Returned:
    """One row that came back: where it stands, what became of it, and the photos that it names.

    `state` is entered, known (it was entered before), not_visited or refused; `why` says what is wrong with a refused
    one.
    """

    where: str
    code: str
    state: str
    result: str = ""
    why: str = ""
    photos: tuple[str, ...] = ()


def take_results(desk: Desk, name: str, data: bytes, who: str, words: Words, on: date) -> list[Returned]:
    """Enter what inspectors filled in; every row is told, in order. The same file again enters nothing new.

    Raises InputError for a file that cannot be read, and where it lacks the columns of a visit list.
    """
    raw = _read(name, data, words)
    columns = _columns(raw, words)
    known = defaultdict[str, set[Inspection]](set)
    for entry in desk.ledger.inspections():
        known[entry.value.site_code].add(entry.value)
    intake = _Intake(desk, who, words, on, known)
    return [intake.take(row, {name: row.cells.get(heading) for name, heading in columns.items()}) for row in raw.rows]


def site_at(ledger: Ledger, place: Point) -> Site | None:
    """The site nearest to where a photo was taken, at most `PHOTO_REACH_M` off; None where there is none."""
    crs = utm_crs(place.x, place.y)
    around = reproject(reproject(place, WGS84, crs).buffer(5 * PHOTO_REACH_M), crs, WGS84).bounds
    near = [(distance_m(place, buffered(site.geometry, site.buffer_m)), site) for site in ledger.sites_in(around)]
    best = min(near, key=lambda pair: (pair[0], pair[1].code), default=None)
    return best[1] if best is not None and best[0] <= PHOTO_REACH_M else None


@dataclass
class _Intake:
    """Takes rows of one file; `known` are the visits that the ledger has, by site."""

    desk: Desk
    who: str
    words: Words
    on: date
    known: Mapping[str, set[Inspection]]
    seen: set[str] = field(default_factory=set)

    def take(self, row: RawRow, cells: Mapping[str, Any]) -> Returned:
        """Enter one row, or say why not."""
        where, code = row.where.rpartition(" ")[2], ""  # the number alone, for the column says of what
        try:
            if row.fault:
                raise ValueError(self.words.row_unreadable)
            code = self._code(cells)
            visit = self._visit(code, cells)
        except ValueError as error:
            return Returned(where, code, "refused", why=str(error))
        if visit is None:
            return Returned(where, code, "not_visited")
        is_known = any(_same(visit, old) for old in self.known.get(code, ()))
        if not is_known:
            self.desk.inspect(visit)
        state = "known" if is_known else "entered"
        return Returned(where, code, state, self.words.result(visit.result), photos=_photos(cells))

    def _code(self, cells: Mapping[str, Any]) -> str:
        code = _text(cells, "code")
        if not code:
            raise ValueError(self.words.row_no_code)
        if code not in self.desk.district.sites:
            raise ValueError(self.words.row_no_site.format(code=code[:60]))
        return code

    def _visit(self, code: str, cells: Mapping[str, Any]) -> Inspection | None:
        """What a row says; None where nothing is filled in. Raises ValueError that says what is wrong."""
        if is_blank(cells["result"]):
            if any(not is_blank(cells.get(name)) for name in ("visited_on", "note")):
                raise ValueError(self.words.row_no_result)
            return None
        visit = Inspection(code, self._day(cells), self._result(cells), self.who, self._note(cells))
        if code in self.seen:
            raise ValueError(self.words.row_twice)
        self.seen.add(code)
        return visit

    def _day(self, cells: Mapping[str, Any]) -> date:
        if is_blank(cells["visited_on"]):
            raise ValueError(self.words.row_no_day)
        try:
            found = day(cells["visited_on"])
        except ValueError:
            raise ValueError(self.words.row_bad_day.format(written=str(cells["visited_on"])[:40])) from None
        if found > self.on:
            raise ValueError(self.words.row_future_day.format(written=found))
        return found

    def _result(self, cells: Mapping[str, Any]) -> InspectionResult:
        """By its value, or by its word in either language."""
        written = _text(cells, "result")
        spelt = written.casefold().replace("_", " ").replace("-", " ")
        for result in InspectionResult:
            if spelt in {result.value.replace("_", " "), Words("en").result(result), Words("zh").result(result)}:
                return result
        listed = ", ".join(self.words.result(result) for result in InspectionResult)
        raise ValueError(self.words.row_bad_result.format(written=written[:40], listed=listed))

    def _note(self, cells: Mapping[str, Any]) -> str:
        note = _text(cells, "note")
        if len(note) > LONGEST_NOTE:
            raise ValueError(self.words.row_long_note.format(most=LONGEST_NOTE))
        if what_it_holds(note):
            raise ValueError(self.words.row_person)
        return note


def _same(one: Inspection, other: Inspection) -> bool:
    """Whether two visits say the same, whoever entered them."""
    return (one.inspected_on, one.result, one.note) == (other.inspected_on, other.result, other.note)


def _photos(cells: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of photos, however people part them."""
    parts = (part.strip() for part in _BETWEEN_NAMES.split(_text(cells, "photos")))
    return tuple(shown_name(part) for part in parts if part)


def _text(cells: Mapping[str, Any], name: str) -> str:
    return "" if is_blank(cells.get(name)) else text(cells[name]).strip()


def _read(name: str, data: bytes, words: Words) -> RawFile:
    """The rows of a file that came; its suffix says only how it is tried to be read."""
    suffix = name.rpartition(".")[2].lower()
    if suffix not in RETURNED:
        raise InputError(words.results_format)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"results.{suffix}"
        path.write_bytes(data)
        try:
            raw = read_raw(path, Question())
        except InputError as error:
            raise InputError(words.results_unreadable) from error
    if len(raw.rows) > MOST_ROWS:
        raise InputError(words.results_long.format(most=MOST_ROWS))
    return raw


def _columns(raw: RawFile, words: Words) -> dict[str, str]:
    """The heading of each field; inspectors may have moved columns, and written others beside them."""
    there = {heading.strip().casefold(): heading for heading in raw.headings}
    spelt = [(name, word.casefold()) for name in ("code", *ASKED) for word in HEADINGS[name]]
    found = {name: there[word] for name, word in spelt if word in there}
    missing = [name for name in ("code", "result", "visited_on") if name not in found]
    if missing:
        listed = ", ".join(HEADINGS[name][1 if words.lang == "zh" else 0] for name in missing)
        raise InputError(words.results_columns.format(listed=listed))
    return found


__all__ = ["RETURNED", "Returned", "site_at", "take_results"]
