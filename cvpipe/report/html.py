"""Content → HTML pages that work from a file, without a network, in light, dark and on paper.

A small ledger makes one page. Where there are many sites, the summary is one page and the sites stand on pages of their
own, each made and forgotten before the next one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import cvpipe
from cvpipe.assess import explain
from cvpipe.assess.claims import ClaimKind
from cvpipe.assess.criteria import KINDS, Language
from cvpipe.assess.explaining import REASONS, amount, between
from cvpipe.assess.sampling import Estimate
from cvpipe.domain import CHANGE_COLOURS, Criterion, Outcome, Question, Registration, Surface
from cvpipe.imagery.remote import shown
from cvpipe.report import figures
from cvpipe.report.charts import Series, chart
from cvpipe.report.chips import Picture
from cvpipe.report.content import Between, Content, SiteContent, Totals, reasons_of
from cvpipe.report.current import Standing
from cvpipe.report.epochs import HowCompared, how_compared
from cvpipe.report.figures import AreaUnit, ledger_areas, measured_areas
from cvpipe.report.words import Words

#: How an outcome looks: good, part(ly), bad, none (neutral), na (no answer).
_TONES: Mapping[tuple[Question, Outcome], str] = {
    (Question.DEMOLITION, Outcome.COMPLETE): "good",
    (Question.DEMOLITION, Outcome.PARTIAL): "part",
    (Question.CLEARANCE, Outcome.MET): "good",
    (Question.CLEARANCE, Outcome.NOT_MET): "part",
    (Question.GREENING, Outcome.MET): "good",
    (Question.GREENING, Outcome.GAINED): "good",
    (Question.GREENING, Outcome.NOT_MET): "part",
    (Question.REBOUND, Outcome.NONE): "good",
    (Question.REBOUND, Outcome.SUSPECTED): "bad",
}

#: How what is left on a site is outlined; no kind of change has these colours.
LEFT_COLOURS: Mapping[Surface, str] = {Surface.STRUCTURE: "#ff8ad8", Surface.RUBBLE: "#f2e2c4"}

#: Sites on one page: 30 MB of pictures and 2 MB of text, which a browser shows at once.
PAGE_SITES = 250

#: Up to so many sites stand on the page of the summary.
ONE_PAGE_SITES = 300

#: Rows of a list on the page; the workbook has all. People who read lists of thousands sort and filter them there.
LISTED = 200

#: Rows of the table of all sites on paper.
TABLED = 600

#: Colours of the lines of a chart: of demolition and of what follows it. They can be told apart in grey too.
_LINE_COLOURS = ("#b4532a", "#2b8a5a")

_MARKS = {"good": "✓", "part": "◐", "bad": "!", "none": "–", "na": "?"}


@dataclass(frozen=True)
class Line:
    """A verdict's sentence with its mark; `asked_on` tells the two dates that were compared."""

    tone: str
    mark: str
    text: str
    asked_on: str


@dataclass(frozen=True)
class CriterionRow:
    """A criterion as it is printed."""

    label: str
    value: str
    limit: str
    passed: bool | None


@dataclass(frozen=True)
class CriteriaGroup:
    """The criteria of one question."""

    title: str
    rows: tuple[CriterionRow, ...]


@dataclass(frozen=True)
class SiteView:
    """One site as the page shows it."""

    page: SiteContent
    pictures: tuple[Picture, ...]
    lines: tuple[Line, ...]
    facts: tuple[tuple[str, str], ...]
    criteria: tuple[CriteriaGroup, ...]


@dataclass(frozen=True)
class SitesPage:
    """A page of sites: its number from 1 on, its file as the summary names it, and its sites."""

    number: int
    file: str
    sites: tuple[SiteContent, ...]

    @property
    def name(self) -> str:
        """Its file as its neighbours name it."""
        return PurePosixPath(self.file).name

    @property
    def first(self) -> str:
        """Code of its first site."""
        return self.sites[0].site.code

    @property
    def last(self) -> str:
        """Code of its last site."""
        return self.sites[-1].site.code


@dataclass(frozen=True)
class Chart:
    """A drawn chart with its key."""

    title: str
    series: tuple[Series, ...]
    svg: str


class Pages:
    """The pages of one report in one language."""

    def __init__(self, content: Content, lang: Language, unit: AreaUnit = AreaUnit.MIXED) -> None:
        self.content, self.words = content, Words(lang)
        self._how = how_compared(content)
        self._land, self._measured = ledger_areas(unit, lang), measured_areas(unit, lang)
        self._environment = environment(lang)

    @cached_property
    def of_sites(self) -> tuple[SitesPage, ...]:
        """The pages of sites; none where all sites stand on the page of the summary."""
        sites = self.content.sites
        if len(sites) <= ONE_PAGE_SITES:
            return ()
        starts = range(0, len(sites), PAGE_SITES)
        return tuple(
            SitesPage(number, f"sites/{number:04d}.html", sites[start : start + PAGE_SITES])
            for number, start in enumerate(starts, start=1)
        )

    def whole(self, pictures: Mapping[int, Sequence[Picture]]) -> str:
        """The summary; with it all sites, where there are no pages of sites. `pictures` are those of each by number."""
        views = None if self.of_sites else self._views(self.content.sites, pictures)
        return self._rendered("index.html", views=views, pages=self.of_sites, href=self._address)

    def sites(self, page: SitesPage, pictures: Mapping[int, Sequence[Picture]]) -> str:
        """A page of sites; the paths of `pictures` count from the folder of the page."""
        return self._rendered(
            "site_page.html",
            views=self._views(page.sites, pictures),
            pages=self.of_sites,
            number=page.number,
            href=lambda site: f"#site-{site.number}",
        )

    def on_paper(self) -> str:
        """The summary with a table of the sites, for printing."""
        return self._rendered("index.html", views=None, pages=(), href=lambda site: f"#site-{site.number}")

    def _views(self, sites: Sequence[SiteContent], pictures: Mapping[int, Sequence[Picture]]) -> list[SiteView]:
        return [site_view(page, tuple(pictures.get(page.number, ())), self.words, self._how) for page in sites]

    def _address(self, page: SiteContent) -> str:
        """Where a site stands, as the summary names it."""
        file = self.of_sites[(page.number - 1) // PAGE_SITES].file if self.of_sites else ""
        return f"{file}#site-{page.number}"

    def _rendered(self, template: str, **more: Any) -> str:
        content, words = self.content, self.words
        return self._environment.get_template(template).render(
            content=content,
            words=words,
            title=content.campaign.title or words.report,
            results=_results(content),
            doubts=lambda page: _doubts(page, words.lang),
            unanswered=lambda page: _unanswered(page, words),
            land=self._land,
            measured=self._measured,
            between=self._between,
            estimated=_estimated,
            notes=lambda totals: _notes(totals, words),
            scoped=words.scoped(content.scope),
            charts=self._charts,
            claim_kinds=list(ClaimKind),
            claimed=_claimed(content),
            questions=list(Question),
            listed=LISTED,
            tabled=TABLED,
            **more,
        )

    def _between(self, ends: Between | None) -> str:
        if ends is None:
            return ""
        low, high = (self._measured.written(end, zero="0") for end in ends)
        return f"90% {self.words.between.format(low=low, high=high)} {self._measured.symbol}"

    @cached_property
    def _charts(self) -> tuple[Chart, ...]:
        words, points = self.words, self.content.trend
        sites = (
            (words.demolition_complete, [float(p.demolished) for p in points]),
            (words.clear, [float(p.clear) for p in points]),
        )
        areas = (
            (words.removed, [self._measured.of(p.removed_m2) for p in points]),
            (words.green_added, [self._measured.of(p.green_added_m2) for p in points]),
        )
        named = ((words.trend_sites, sites), (words.trend_areas.format(unit=self._measured.symbol), areas))
        return tuple(drawn for title, lines in named if (drawn := self._chart(title, lines)) is not None)

    def _chart(self, title: str, lines: Sequence[tuple[str, Sequence[float]]]) -> Chart | None:
        series = tuple(
            Series(name, colour, tuple(values)) for (name, values), colour in zip(lines, _LINE_COLOURS, strict=True)
        )
        svg = chart(title, [point.on for point in self.content.trend], series)
        return Chart(title, series, svg) if svg else None


def render(
    content: Content,
    pictures: Mapping[int, Sequence[Picture]],
    lang: Language,
    unit: AreaUnit = AreaUnit.MIXED,
) -> str:
    """The page of the summary. `pictures` gives those of each site by its number."""
    return Pages(content, lang, unit).whole(pictures)


def site_view(page: SiteContent, pictures: tuple[Picture, ...], words: Words, how: HowCompared) -> SiteView:
    """Everything that a site's card says, in words."""
    return SiteView(
        page=page,
        pictures=pictures,
        lines=tuple(_line(question, standing, words) for question, standing in page.standings.items()),
        facts=_facts(page, words, how),
        criteria=tuple(
            CriteriaGroup(words.question(question), tuple(_row(c, words.lang) for c in standing.verdict.criteria))
            for question, standing in page.standings.items()
            if standing.verdict.criteria
        ),
    )


def tone(question: Question, outcome: Outcome) -> str:
    """How an outcome looks."""
    return "na" if outcome is Outcome.NOT_ASSESSABLE else _TONES.get((question, outcome), "none")


def environment(lang: Language) -> Environment:
    """The templates with what all of them use."""
    made = Environment(
        loader=PackageLoader("cvpipe.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["count"] = figures.count
    made.filters["area"] = figures.area
    made.filters["percent"] = lambda share: figures.percent(share, lang)
    made.filters["file_name"] = lambda uri: PurePosixPath(shown(uri)).name
    made.globals["tone"] = tone
    made.globals["metres"] = lambda area_m2: amount(area_m2, "m²", lang).replace(" ", "\u00a0")
    made.globals["version"] = cvpipe.__version__
    made.globals["left_colours"] = LEFT_COLOURS
    made.globals["change_colours"] = {kind: "#{:02x}{:02x}{:02x}".format(*rgb) for kind, rgb in CHANGE_COLOURS.items()}
    return made


def _line(question: Question, standing: Standing, words: Words) -> Line:
    verdict, record = standing.verdict, standing.record
    look = tone(question, verdict.outcome)
    dates = f"{record.before_date} → {record.after_date}" if record.before_date and record.after_date else ""
    text = explain(verdict, words.lang)
    if standing.unseen_since:
        text = words.sentences((text, words.last_answer_stands.format(date=standing.unseen_since)))
    return Line(look, _MARKS[look], _unbroken(text), dates)


def _unbroken(sentence: str) -> str:
    """No line may end between a number and its unit."""
    return sentence.replace(" m²", "\u00a0m²").replace(" %", "\u00a0%")


def _row(criterion: Criterion, lang: Language) -> CriterionRow:
    kind = KINDS.get(criterion.name)
    sign = f"{kind.sense} " if kind else ""
    return CriterionRow(
        label=kind.label(lang) if kind else criterion.name,
        value=_valued(criterion, lang),
        limit="–" if criterion.limit is None else sign + amount(criterion.limit, criterion.unit, lang),
        passed=criterion.passed,
    )


def _valued(criterion: Criterion, lang: Language) -> str:
    """A criterion's value with its interval."""
    value, told = amount(criterion.value, criterion.unit, lang), between(criterion, lang)
    if not told:
        return value
    return f"{value}（{told}）" if lang == "zh" else f"{value} ({told})"


def _facts(page: SiteContent, words: Words, how: HowCompared) -> tuple[tuple[str, str], ...]:
    site = page.site
    facts = [
        (words.status, words.site_status(site.status)),
        (words.observed, words.seen_as(page.state)),
    ]
    if site.land_area_m2 is not None:
        facts.append((words.land_short, amount(site.land_area_m2, "m²", words.lang)))
    if site.building_area_m2 is not None:
        facts.append((words.building_short, amount(site.building_area_m2, "m²", words.lang)))
    measured = page.measured_by(Question.DEMOLITION)
    if measured is not None:
        shift = shift_in_words(measured.registration, how(page.standings[Question.DEMOLITION].record).pixel_m, words)
        facts += [(words.seen_share, amount(measured.valid_share, "share", words.lang)), (words.shift, shift)]
    return tuple(facts)


def shift_in_words(registration: Registration, pixel_m: float, words: Words) -> str:
    """The shift that was removed, by how much it grows over the picture if it does, and what is likely left of it."""
    if not math.isfinite(registration.residual_px):
        return words.no_shift
    x, y = registration.shift_px
    across_x, down_x, across_y, down_y = registration.drift
    growth = max(math.hypot(across_x, across_y), math.hypot(down_x, down_y))
    parts = [f"{x:+.1f}, {y:+.1f} px"]
    if growth:
        parts.append(words.drift.format(percent=f"{100 * growth:.2f}"))
    left = registration.residual_px
    parts.append(words.residual.format(px=f"{left:.2f}", metres=f"{left * pixel_m:.2f}"))
    return ("；" if words.lang == "zh" else "; ").join(parts)


def _doubts(page: SiteContent, lang: Language) -> list[str]:
    """The sentences of the verdicts that put a site on the list to look at first."""
    asked = (page.standings[question].verdict for question in page.asked if question in page.standings)
    return [_unbroken(explain(verdict, lang)) for verdict in asked]


def _unanswered(page: SiteContent, words: Words) -> str:
    if not page.unanswered and page.unseen_since:
        return words.last_answer_stands.format(date=page.unseen_since)
    separator = "、" if words.lang == "zh" else ", "
    asked = separator.join(words.question(verdict.question) for verdict in page.unanswered)
    why = separator.join(REASONS[reason][words.lang] for reason in reasons_of(page))
    return f"{asked}：{why}" if words.lang == "zh" else f"{asked}: {why}."


def _notes(totals: Totals, words: Words) -> list[str]:
    """What is to be known of the figures on top."""
    said = [words.provisional_of.format(count=figures.count(totals.provisional))] if totals.provisional else []
    if totals.removed_between or totals.green_between:
        said.append(words.interval_note)
    return [*said, words.seen_from_above]


def _claimed(content: Content) -> list[tuple[str, list[int]]]:
    """How many claims of each kind the pictures contradict, by owner system."""
    counted = Counter((claim.owner_system, claim.kind) for claim in content.claims)
    owners = dict.fromkeys(claim.owner_system for claim in content.claims)
    return [(owner, [counted[owner, kind] for kind in ClaimKind]) for owner in owners]


def _estimated(value: float | None, one: Estimate) -> str:
    """A figure of the sample in whole m², or sites with one decimal."""
    if value is None:
        return "–"
    return f"{value:,.0f} m²" if one.unit == "m²" else f"{value:,.1f}"


def _results(content: Content) -> list[tuple[Question, Outcome]]:
    """Every pair of question and outcome that occurs, in the order of the enums: the filter's choices."""
    found = {(q, s.verdict.outcome) for page in content.sites for q, s in page.standings.items()}
    return [(question, outcome) for question in Question for outcome in Outcome if (question, outcome) in found]


__all__ = [
    "LISTED",
    "ONE_PAGE_SITES",
    "PAGE_SITES",
    "CriteriaGroup",
    "Pages",
    "SiteView",
    "SitesPage",
    "environment",
    "render",
    "shift_in_words",
    "site_view",
    "tone",
]
