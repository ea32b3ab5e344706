"""The ledger → a folder that can be opened, mailed or put on a web server."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from cvpipe.assess.criteria import Language
from cvpipe.folders import OutputFolder
from cvpipe.ledger import Ledger
from cvpipe.report.chips import ChipCutter, Picture
from cvpipe.report.content import Campaign, Content, build_content
from cvpipe.report.epochs import epochs_of, pixel_sizes
from cvpipe.report.html import render
from cvpipe.report.summary import summarise


class Format(StrEnum):
    """What a report can be written as."""

    HTML = "html"
    JSON = "json"


PAGE_NAME, SUMMARY_NAME, ASSETS_NAME = "index.html", "summary.json", "assets"
REPORT = OutputFolder(what="report", names=frozenset({PAGE_NAME, SUMMARY_NAME, ASSETS_NAME}))


@dataclass(frozen=True)
class WrittenReport:
    """Where the report is, and what it says. `missing_pictures` names scenes that could not be read, with the cause."""

    folder: Path
    files: tuple[Path, ...]
    content: Content
    missing_pictures: tuple[str, ...]


def write_report(
    ledger: Ledger,
    campaign: Campaign,
    out: Path,
    *,
    formats: Collection[Format] = tuple(Format),
    lang: Language = "en",
    made_on: date | None = None,
) -> WrittenReport:
    """Write the report of all sites into `out`, which appears whole or not at all; an older report there is replaced.

    Raises UsageError where `out` holds anything but a report.
    """
    out = out.resolve()
    REPORT.refuse_foreign(out)
    scenes, runs = ledger.scenes(), ledger.runs()
    content = build_content(
        campaign, ledger.sites(), ledger.assessments(), scenes, runs, made_on=made_on or date.today()
    )
    pictures: Mapping[int, Sequence[Picture]] = {}
    with REPORT.staged(out) as folder:
        if Format.HTML in formats:
            pictures = _cut_pictures(content, folder / ASSETS_NAME)
            (folder / PAGE_NAME).write_text(render(content, pictures, lang), encoding="utf-8")
        if Format.JSON in formats:
            text = json.dumps(summarise(content), ensure_ascii=False, indent=2)
            (folder / SUMMARY_NAME).write_text(text + "\n", encoding="utf-8")
    files = tuple(out / name for name in (PAGE_NAME, SUMMARY_NAME) if (out / name).exists())
    missing = {f"{p.source}: {p.missing}" for cut in pictures.values() for p in cut if p.file is None}
    return WrittenReport(out, files, content, tuple(sorted(missing)))


def _cut_pictures(content: Content, folder: Path) -> dict[int, tuple[Picture, ...]]:
    folder.mkdir()
    pixel_m = pixel_sizes(content)
    with ChipCutter(content.scenes, folder, ASSETS_NAME) as cutter:
        return {page.number: cutter.cut(page.site, page.number, epochs_of(page, pixel_m)) for page in content.sites}


__all__ = ["Format", "WrittenReport", "write_report"]
