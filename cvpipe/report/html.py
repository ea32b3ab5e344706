"""Content → one HTML page that works from a file, without a network, in light, dark and on paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from jinja2 import Environment, PackageLoader, StrictUndefined

import cvpipe
from cvpipe.assess import explain, observed_status
from cvpipe.assess.criteria import KINDS, Language
from cvpipe.assess.explaining import REASONS, amount
from cvpipe.domain import CHANGE_COLOURS, Criterion, Outcome, Question, Registration
from cvpipe.imagery.remote import shown
from cvpipe.report import figures
from cvpipe.report.chips import Picture
from cvpipe.report.content import Content, SiteContent, reasons_of
from cvpipe.report.current import Standing
from cvpipe.report.epochs import PixelSize, pixel_sizes
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


def render(content: Content, pictures: Mapping[int, Sequence[Picture]], lang: Language) -> str:
    """The whole page. `pictures` gives those of each site by its number."""
    words, pixel_m = Words(lang), pixel_sizes(content)
    return (
        _environment(lang)
        .get_template("index.html")
        .render(
            content=content,
            views=[site_view(page, tuple(pictures.get(page.number, ())), words, pixel_m) for page in content.sites],
            words=words,
            title=content.campaign.title or words.report,
            results=_results(content),
            change_colours={kind: "#{:02x}{:02x}{:02x}".format(*rgb) for kind, rgb in CHANGE_COLOURS.items()},
            tone=tone,
            doubts=lambda page: _doubts(page, lang),
            unanswered=lambda page: _unanswered(page, words),
            version=cvpipe.__version__,
        )
    )


def site_view(page: SiteContent, pictures: tuple[Picture, ...], words: Words, pixel_m: PixelSize) -> SiteView:
    """Everything that a site's card says, in words. `pixel_m` tells the size in metres of an assessment's pixels."""
    return SiteView(
        page=page,
        pictures=pictures,
        lines=tuple(_line(question, standing, words) for question, standing in page.standings.items()),
        facts=_facts(page, words, pixel_m),
        criteria=tuple(
            CriteriaGroup(words.question(question), tuple(_row(c, words.lang) for c in standing.verdict.criteria))
            for question, standing in page.standings.items()
            if standing.verdict.criteria
        ),
    )


def tone(question: Question, outcome: Outcome) -> str:
    """How an outcome looks."""
    return "na" if outcome is Outcome.NOT_ASSESSABLE else _TONES.get((question, outcome), "none")


def _environment(lang: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("cvpipe.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = figures.count
    environment.filters["area"] = figures.area
    environment.filters["wan"] = figures.ten_thousands
    environment.filters["percent"] = lambda share: figures.percent(share, lang)
    environment.filters["file_name"] = lambda uri: PurePosixPath(shown(uri)).name
    return environment


def _line(question: Question, standing: Standing, words: Words) -> Line:
    verdict, record = standing.verdict, standing.record
    look = tone(question, verdict.outcome)
    dates = f"{record.before_date} → {record.after_date}" if record.before_date and record.after_date else ""
    text = explain(verdict, words.lang)
    if standing.unseen_since:
        gap = "" if words.lang == "zh" else " "
        text += gap + words.last_answer_stands.format(date=standing.unseen_since)
    return Line(look, _MARKS[look], _unbroken(text), dates)


def _unbroken(sentence: str) -> str:
    """No line may end between a number and its unit."""
    return sentence.replace(" m²", "\u00a0m²").replace(" %", "\u00a0%")


def _row(criterion: Criterion, lang: Language) -> CriterionRow:
    kind = KINDS.get(criterion.name)
    sign = f"{kind.sense} " if kind else ""
    return CriterionRow(
        label=kind.label(lang) if kind else criterion.name,
        value=amount(criterion.value, criterion.unit, lang),
        limit="–" if criterion.limit is None else sign + amount(criterion.limit, criterion.unit, lang),
        passed=criterion.passed,
    )


def _facts(page: SiteContent, words: Words, pixel_m: PixelSize) -> tuple[tuple[str, str], ...]:
    site = page.site
    facts = [
        (words.status, words.site_status(site.status)),
        (words.observed, words.site_status(observed_status(s.verdict for s in page.standings.values()))),
    ]
    if site.land_area_m2 is not None:
        facts.append((words.land_short, amount(site.land_area_m2, "m²", words.lang)))
    if site.building_area_m2 is not None:
        facts.append((words.building_short, amount(site.building_area_m2, "m²", words.lang)))
    measured = page.measured_by(Question.DEMOLITION)
    if measured is not None:
        shift = shift_in_words(measured.registration, pixel_m(page.standings[Question.DEMOLITION].record), words)
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
    doubtful = [s.verdict for s in page.standings.values() if s.verdict.needs_review]
    contradicting = [
        page.standings[question].verdict
        for question, wanted in ((Question.DEMOLITION, Outcome.COMPLETE), (Question.CLEARANCE, Outcome.MET))
        if page.contradicts and page.outcome(question) not in (None, wanted, Outcome.NOT_ASSESSABLE)
    ]
    return [_unbroken(explain(verdict, lang)) for verdict in dict.fromkeys((*contradicting, *doubtful))]


def _unanswered(page: SiteContent, words: Words) -> str:
    if not page.unanswered and page.unseen_since:
        return words.last_answer_stands.format(date=page.unseen_since)
    separator = "、" if words.lang == "zh" else ", "
    asked = separator.join(words.question(verdict.question) for verdict in page.unanswered)
    why = separator.join(REASONS[reason][words.lang] for reason in reasons_of(page))
    return f"{asked}：{why}" if words.lang == "zh" else f"{asked}: {why}."


def _results(content: Content) -> list[tuple[Question, Outcome]]:
    """Every pair of question and outcome that occurs, in the order of the enums: the filter's choices."""
    found = {(q, s.verdict.outcome) for page in content.sites for q, s in page.standings.items()}
    return [(question, outcome) for question in Question for outcome in Outcome if (question, outcome) in found]


__all__ = ["SiteView", "render", "shift_in_words", "site_view", "tone"]
