"""All that is known of one site as one document: anyone can check it years later, without the ledger at hand.

Dossiers are made one after another: of ten thousand sites no more than one is held in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cvpipe.assess.explaining import amount
from cvpipe.assess.rules import Rules, default_rules
from cvpipe.assess.telling import happened
from cvpipe.domain import Decision, Scene, Site
from cvpipe.errors import UsageError
from cvpipe.folders import OutputFolder
from cvpipe.geo import area_m2, buffered
from cvpipe.ledger import Ledger, standing
from cvpipe.ledger.records import Entry, Happening, RunRecord
from cvpipe.report.binding import Part, bind, check_binding, volumes
from cvpipe.report.chips import ChipCutter, Picture
from cvpipe.report.content import Campaign, Content, SiteContent, build_content
from cvpipe.report.epochs import all_epochs_of, how_compared
from cvpipe.report.html import environment, site_view
from cvpipe.report.material import read_site
from cvpipe.report.pdf import check_pdf, write_pdf
from cvpipe.report.scope import WHOLE, Scope
from cvpipe.report.words import Words
from cvpipe.report.writing import Format, Look

PDF_NAME, HTML_NAME, ASSETS_NAME, INDEX_NAME, BOUND_NAME = "pdf", "html", "assets", "index.html", "bound"
DOSSIERS = OutputFolder(what="folder of dossiers", names=frozenset({PDF_NAME, HTML_NAME, INDEX_NAME, BOUND_NAME}))

#: What cannot stand in a file name somewhere, or would hide a file.
_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\s]+|^\.+')


@dataclass(frozen=True)
class WrittenDossiers:
    """Where the dossiers are, and the volumes that they are bound in, if any.

    `missing_pictures` names scenes that could not be read, with the cause.
    """

    folder: Path
    sites: int
    bound: tuple[Path, ...]
    missing_pictures: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """A decision in the dossier; `stands` is False for one that was replaced or taken back."""

    entry: Entry[Decision]
    stands: bool


@dataclass(frozen=True)
class Listed:
    """A dossier as the list of all names it."""

    code: str
    name: str
    file: str

    @property
    def title(self) -> str:
        """What it is called in lists."""
        return f"{self.code} {self.name}".strip()


def write_dossiers(
    ledger: Ledger,
    campaign: Campaign,
    out: Path,
    codes: Collection[str] | None = None,
    *,
    formats: Collection[Format] = (Format.PDF,),
    look: Look | None = None,
    scope: Scope = WHOLE,
    made_on: date | None = None,
    rules: Rules | None = None,
    bound: bool = False,
    progress: Callable[[str], None] | None = None,
) -> WrittenDossiers:
    """Write a dossier for each site of `codes`, or of `scope`, and a page that lists them; all of them or none.

    With `bound` the PDFs are also bound into one, or into several volumes where there are more than 250. Older dossiers
    in `out` are replaced. Raises UnknownSiteError for a code that there is not, and UsageError where
    `out` holds anything else or no PDF can be made here.
    """
    out, look = out.resolve(), look or Look()
    DOSSIERS.refuse_foreign(out)
    if Format.PDF in formats:
        check_pdf(look.lang)
    if bound:
        _check_bound(formats)
    sites = _chosen(ledger, codes, scope)
    maker = _Maker(ledger, campaign, scope, look, made_on or date.today(), rules or default_rules())
    listed, missing = list[Listed](), set[str]()
    with DOSSIERS.staged(out) as folder:
        with _open_cutter(maker, folder, formats) as cutter:
            for number, site in enumerate(sites, start=1):
                dossier = maker.dossier(site, number, cutter.cut)
                listed.append(_write(dossier, folder, formats, cutter.folder))
                missing |= {f"{p.source}: {p.missing}" for p in dossier.pictures if p.file is None}
                if progress:
                    progress(site.code)
        files = _bind(maker, listed, folder) if bound else []
        (folder / INDEX_NAME).write_text(maker.index(listed, files), encoding="utf-8")
    return WrittenDossiers(out, len(sites), tuple(out / file for file in files), tuple(sorted(missing)))


@dataclass(frozen=True)
class Dossier:
    """One finished document; `name` is that of its file, without a suffix."""

    site: Site
    name: str
    html: str
    pictures: tuple[Picture, ...]


class _Maker:
    """What all dossiers of one call share."""

    def __init__(
        self, ledger: Ledger, campaign: Campaign, scope: Scope, look: Look, made_on: date, rules: Rules
    ) -> None:
        self._ledger, self._campaign, self._scope, self._look = ledger, campaign, scope, look
        self._made_on, self._rules = made_on, rules
        self.scenes: list[Scene] = ledger.scenes()
        self._runs: list[RunRecord] = ledger.runs()
        self._environment = environment(look.lang)
        self._words = Words(look.lang)

    def dossier(self, site: Site, number: int, cutter: ChipCutter) -> Dossier:
        """Read all of one site, cut its pictures, and put both into words."""
        material = read_site(self._ledger, site, self._scope, self._rules)
        content = build_content(
            self._campaign,
            material.sites,
            material.records,
            self.scenes,
            self._runs,
            made_on=self._made_on,
            background=material.background,
        )
        page, how = content.sites[0], how_compared(content)
        pictures = cutter.cut(site, number, all_epochs_of(page, how)) if self._look.pictures else ()
        view = site_view(page, pictures, self._words, how)
        used = {record.run_id for record in page.records}
        html = self._environment.get_template("dossier.html").render(
            content=content,
            page=page,
            view=view,
            pictures=_paired(pictures),
            words=self._words,
            title=f"{site.code} {site.name}".strip(),
            facts=(*view.facts, *_plan_facts(page, self._words)),
            said=_said(self._ledger, site.code, self._scope),
            history=_history(self._ledger, site.code, self._scope),
            happened=happened,
            runs=[run for run in content.runs if run.id in used],
            digests=_all_digests(content),
            area_of=lambda value: amount(value, "m²", self._look.lang),
            href=lambda _: "",
            listed=0,
        )
        return Dossier(site, f"{number:05d}-{_file_name(site.code)}", html, pictures)

    @property
    def title(self) -> str:
        """What all dossiers of the call are called together."""
        return self._campaign.title or self._words.dossiers

    def index(self, listed: Sequence[Listed], bound: Sequence[str]) -> str:
        """The page that lists the dossiers and the volumes that they are bound in."""
        return self._listing("dossiers.html", dossiers=listed, bound=bound)

    def contents(self, told: Sequence[tuple[str, int]]) -> str:
        """The first pages of a volume: what stands on which page."""
        return self._listing("contents.html", told=told)

    def _listing(self, template: str, **more: Any) -> str:
        return self._environment.get_template(template).render(
            words=self._words,
            title=self.title,
            made_on=self._made_on,
            scoped=self._words.scoped(self._scope),
            **more,
        )


@dataclass(frozen=True)
class _Cutter:
    """The cutter, and the folder that pages name its pictures from."""

    cut: ChipCutter
    folder: Path


def _chosen(ledger: Ledger, codes: Collection[str] | None, scope: Scope) -> list[Site]:
    return scope.sites(ledger.sites(codes), ledger.batches(), ledger.moves() if scope.until else ())


def _file_name(code: str) -> str:
    """A site's code as part of a file name; the number before it keeps names apart."""
    return _UNFIT.sub("-", code)[:60].strip("-") or "site"


def _paired(pictures: Sequence[Picture]) -> list[tuple[Picture, ...]]:
    """Before and newest side by side, then what lies between in pairs, oldest first."""
    if len(pictures) <= 2:
        return [tuple(pictures)] if pictures else []
    between = pictures[1:-1]
    pairs = [tuple(between[i : i + 2]) for i in range(0, len(between), 2)]
    return [(pictures[0], pictures[-1]), *pairs]


def _plan_facts(page: SiteContent, words: Words) -> list[tuple[str, str]]:
    """The outline's area and what the plan says."""
    site, plan, lang = page.site, page.site.plan, words.lang
    outline = area_m2(buffered(site.geometry, site.buffer_m))
    found: list[tuple[str, str]] = [(words.site_area, amount(outline, "m²", lang))]
    if page.due is not None:
        found.append((words.due, page.due.isoformat()))
    if plan.demolition_area_m2 is not None:
        found.append((words.to_demolish, amount(plan.demolition_area_m2, "m²", lang)))
    if plan.green_area_m2 is not None:
        found.append((words.to_green, amount(plan.green_area_m2, "m²", lang)))
    if plan.green_ratio is not None:
        found.append((words.to_green, amount(plan.green_ratio, "share", lang)))
    if plan.retained is not None:
        found.append((words.retained, amount(area_m2(plan.retained), "m²", lang)))
    return found


def _said(ledger: Ledger, code: str, scope: Scope) -> list[Said]:
    """Every decision up to the day that is spoken of."""
    made = [entry for entry in ledger.decisions(code) if scope.until is None or entry.at.date() <= scope.until]
    stands = {entry.id for entry in standing(made)}
    return [Said(entry, entry.id in stands) for entry in made]


def _history(ledger: Ledger, code: str, scope: Scope) -> list[Happening]:
    return [one for one in ledger.history(code) if scope.until is None or one.at.date() <= scope.until]


def _all_digests(content: Content) -> dict[str, list[str]]:
    """Bundles and rules of all assessments, not only of those that hold."""
    made = [record.assessment for page in content.sites for record in page.records]
    return {
        "bundles": list(dict.fromkeys(one.bundle_digest for one in made)),
        "rules": list(dict.fromkeys(one.rules_version for one in made)),
    }


@contextmanager
def _open_cutter(maker: _Maker, folder: Path, formats: Collection[Format]) -> Iterator[_Cutter]:
    """Pictures stay beside HTML dossiers; a PDF holds its own, and they go when it is made."""
    for name, wanted in ((HTML_NAME, Format.HTML), (PDF_NAME, Format.PDF)):
        if wanted in formats:
            (folder / name).mkdir()
    with TemporaryDirectory(prefix="cvpipe-dossier-") as scratch:
        beside = folder / HTML_NAME if Format.HTML in formats else Path(scratch)
        (beside / ASSETS_NAME).mkdir()
        with ChipCutter(maker.scenes, beside / ASSETS_NAME, ASSETS_NAME) as cutter:
            yield _Cutter(cutter, beside)


def _write(dossier: Dossier, folder: Path, formats: Collection[Format], pictures: Path) -> Listed:
    files = list[str]()
    if Format.PDF in formats:
        files.append(f"{PDF_NAME}/{dossier.name}.pdf")
        write_pdf(dossier.html, folder / files[-1], pictures)
    if Format.HTML in formats:
        files.append(f"{HTML_NAME}/{dossier.name}.html")
        (folder / files[-1]).write_text(dossier.html, encoding="utf-8")
    else:
        for picture in dossier.pictures:
            if picture.file is not None:
                (pictures / picture.file).unlink()
    return Listed(dossier.site.code, dossier.site.name, files[0])


def _check_bound(formats: Collection[Format]) -> None:
    """Raise UsageError where there is nothing that could be bound, or nothing to bind it with."""
    if Format.PDF not in formats:
        raise UsageError("only PDFs are bound", where="--bound", remedy="Add pdf to --format.")
    check_binding()


def _bind(maker: _Maker, listed: Sequence[Listed], folder: Path) -> list[str]:
    """Bind the PDFs that stand in `folder`; returns the volumes' files as the list of all names them."""
    parts = [Part(folder / one.file, one.title) for one in listed]
    (folder / BOUND_NAME).mkdir()
    files = list[str]()
    with TemporaryDirectory(prefix="cvpipe-contents-") as scratch:

        def contents(told: Sequence[tuple[str, int]]) -> Path:
            write_pdf(maker.contents(told), Path(scratch) / "contents.pdf", Path(scratch))
            return Path(scratch) / "contents.pdf"

        for number, some in enumerate(volumes(parts), start=1):
            files.append(f"{BOUND_NAME}/dossiers-{number:03d}.pdf")
            bind(some, folder / files[-1], maker.title, contents)
    return files


__all__ = ["WrittenDossiers", "write_dossiers"]
