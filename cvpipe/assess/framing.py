"""The frame of a sample: every site with what was seen, answered and measured of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from cvpipe.assess.ladder import View, views_of
from cvpipe.assess.rules import ConfirmationRules
from cvpipe.assess.sampling import SITE_AREA, FrameSite
from cvpipe.domain import ChangeKind, Measurements, Question, Site, Surface
from cvpipe.geo import area_m2, buffered
from cvpipe.ledger.records import AssessmentRecord, SiteLife, SiteState

#: What a site is called that no epoch shows.
NOT_SEEN = "not_seen"


def frame_of(
    sites: Iterable[Site], states: Mapping[str, SiteState], records: Iterable[AssessmentRecord]
) -> Iterator[FrameSite]:
    """All sites: those that nothing was seen of make strata of their own, so that totals are those of the district."""
    by_site: dict[str, list[AssessmentRecord]] = defaultdict(list)
    for record in records:
        by_site[record.assessment.site_code].append(record)
    for site in sites:
        yield frame_site(site, states.get(site.code), by_site[site.code])


def frame_site(site: Site, state: SiteState | None, records: Sequence[AssessmentRecord]) -> FrameSite:
    """One site: the newest answer to each question, and the areas of the newest epoch that was measured."""
    views = views_of(SiteLife(site, date.min, tuple(records)), ConfirmationRules())
    answers = {question: outcome for view in views for question, outcome in view.answers.items()}
    newest = _newest_measured(views)
    record = newest.records[Question.DEMOLITION] if newest else None
    measured = record.assessment.measurements if record else None
    return FrameSite(
        site.code,
        state.stage.value if state is not None and state.stage is not None else NOT_SEEN,
        {question.value: outcome.value for question, outcome in answers.items()},
        {SITE_AREA: area_m2(buffered(site.geometry, site.buffer_m)), **(_areas(measured) if measured else {})},
        record.assessment.key if record else None,
    )


def _newest_measured(views: Sequence[View]) -> View | None:
    return next((view for view in reversed(views) if Question.DEMOLITION in view.answers), None)


def _areas(measured: Measurements) -> dict[str, float]:
    after, changed = measured.surface_after_m2, measured.change_m2
    return {
        "structure_removed_m2": changed.get(ChangeKind.STRUCTURE_REMOVED, 0.0),
        "structure_left_m2": after.get(Surface.STRUCTURE, 0.0),
        "rubble_left_m2": after.get(Surface.RUBBLE, 0.0),
        "green_added_m2": changed.get(ChangeKind.GREEN_ADDED, 0.0),
    }


__all__ = ["NOT_SEEN", "frame_of", "frame_site"]
