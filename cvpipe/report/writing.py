"""The ledger → a folder that can be opened, mailed or put on a web server."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path

from cvpipe.assess.criteria import Language
from cvpipe.assess.rules import Rules
from cvpipe.folders import OutputFolder
from cvpipe.ledger import Ledger
from cvpipe.report.chips import ChipCutter, Picture
from cvpipe.report.content import Campaign, Content, SiteContent, build_content
from cvpipe.report.epochs import epochs_of, how_compared
from cvpipe.report.figures import AreaUnit
from cvpipe.report.html import Pages
from cvpipe.report.material import read_material
from cvpipe.report.pdf import check_pdf, write_pdf
from cvpipe.report.scope import WHOLE, Scope
from cvpipe.report.summary import summarise
from cvpipe.report.words import Words
from cvpipe.report.workbook import write_workbook


class Format(StrEnum):
    """What a report can be written as."""

    HTML = "html"
    PDF = "pdf"
    XLSX = "xlsx"
    JSON = "json"


PAGE_NAME, SITES_NAME, ASSETS_NAME = "index.html", "sites", "assets"
PAPER_NAME, WORKBOOK_NAME, SUMMARY_NAME = "report.pdf", "report.xlsx", "summary.json"
FILES = (PAGE_NAME, PAPER_NAME, WORKBOOK_NAME, SUMMARY_NAME)
REPORT = OutputFolder(what="report", names=frozenset({*FILES, SITES_NAME, ASSETS_NAME}))


@dataclass(frozen=True)
class WrittenReport:
    """Where the report is, and what it says. `missing_pictures` names scenes that could not be read, with the cause."""

    folder: Path
    files: tuple[Path, ...]
    content: Content
    missing_pictures: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """How a report looks: its language, the unit of its areas, and whether pages show pictures of the sites."""

    lang: Language = "en"
    unit: AreaUnit = AreaUnit.MIXED
    pictures: bool = True


def read_content(
    ledger: Ledger, campaign: Campaign, scope: Scope, made_on: date, rules: Rules | None = None
) -> Content:
    """What the ledger holds of a scope, as a report says it. Raises UsageError for a scope that there is not."""
    scenes, runs, material = ledger.scenes(), ledger.runs(), read_material(ledger, scope, rules)
    return build_content(
        campaign, material.sites, material.records, scenes, runs, made_on=made_on, background=material.background
    )


def write_report(
    ledger: Ledger,
    campaign: Campaign,
    out: Path,
    *,
    formats: Collection[Format] = (Format.HTML, Format.JSON),
    look: Look | None = None,
    scope: Scope = WHOLE,
    made_on: date | None = None,
    rules: Rules | None = None,
) -> WrittenReport:
    """Write the report of the sites of `scope` into `out`, which appears whole or not at all.

    An older report there is replaced. `rules` are those that tell where sites stand, by default the shipped ones.
    Raises UsageError where `out` holds anything but a report, the scope names something that there is not, or a format
    cannot be written here.
    """
    out, look = out.resolve(), look or Look()
    REPORT.refuse_foreign(out)
    if Format.PDF in formats:
        check_pdf(look.lang)
    content = read_content(ledger, campaign, scope, made_on or date.today(), rules)
    missing = set[str]()
    with REPORT.staged(out) as folder:
        pages = Pages(content, look.lang, look.unit)
        if Format.HTML in formats:
            missing = _write_pages(pages, folder, pictures=look.pictures)
        if Format.PDF in formats:
            write_pdf(pages.on_paper(), folder / PAPER_NAME, folder)
        if Format.XLSX in formats:
            write_workbook(content, folder / WORKBOOK_NAME, Words(look.lang), look.unit)
        if Format.JSON in formats:
            _write_json(content, folder / SUMMARY_NAME)
    files = tuple(out / name for name in FILES if (out / name).exists())
    return WrittenReport(out, files, content, tuple(sorted(missing)))


def _write_pages(pages: Pages, folder: Path, *, pictures: bool) -> set[str]:
    """Write the pages, each as soon as its pictures are cut; returns what could not be read, with the cause."""
    missing = set[str]()
    with _cutter(pages.content, folder / ASSETS_NAME, pictures=pictures) as cutter:
        if pages.of_sites:
            (folder / SITES_NAME).mkdir()
        for page in pages.of_sites:
            cut = _cut(cutter, pages.content, page.sites, missing)
            beside = {number: tuple(_one_up(p) for p in some) for number, some in cut.items()}
            (folder / page.file).write_text(pages.sites(page, beside), encoding="utf-8")
        cut = {} if pages.of_sites else _cut(cutter, pages.content, pages.content.sites, missing)
        (folder / PAGE_NAME).write_text(pages.whole(cut), encoding="utf-8")
    return missing


@contextmanager
def _cutter(content: Content, folder: Path, *, pictures: bool) -> Iterator[ChipCutter | None]:
    if not pictures:
        yield None
        return
    folder.mkdir()
    with ChipCutter(content.scenes, folder, ASSETS_NAME) as cutter:
        yield cutter


def _cut(
    cutter: ChipCutter | None, content: Content, sites: Iterable[SiteContent], missing: set[str]
) -> dict[int, tuple[Picture, ...]]:
    if cutter is None:
        return {}
    how = how_compared(content)
    cut = {page.number: cutter.cut(page.site, page.number, epochs_of(page, how)) for page in sites}
    missing |= {f"{p.source}: {p.missing}" for some in cut.values() for p in some if p.file is None}
    return cut


def _one_up(picture: Picture) -> Picture:
    return picture if picture.file is None else replace(picture, file=f"../{picture.file}")


def _write_json(content: Content, path: Path) -> None:
    path.write_text(json.dumps(summarise(content), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


__all__ = ["Format", "Look", "WrittenReport", "read_content", "write_report"]
