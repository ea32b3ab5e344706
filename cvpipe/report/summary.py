"""Content → plain data for programs (`summary.json`): the words of the domain, areas in m², dates as ISO 8601."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from shapely.geometry import mapping

import cvpipe
from cvpipe.domain import Criterion, Question
from cvpipe.imagery.remote import shown
from cvpipe.report.content import Content, SiteContent, Totals, reasons_of
from cvpipe.report.current import Standing


def summarise(content: Content) -> dict[str, Any]:
    """Everything that the page says, without pictures."""
    return {
        "campaign": content.campaign.title,
        "made_on": content.made_on.isoformat(),
        "cvpipe": cvpipe.__version__,
        "epochs": [epoch.isoformat() for epoch in content.epochs],
        "target": content.campaign.target,
        "completed": content.totals.completed,
        "completion": content.completion,
        "totals": _totals(content.totals),
        "by_owner_system": [{"owner_system": t.label, **_totals(t)} for t in content.by_owner_system],
        "by_sub_district": [{"sub_district": t.label, **_totals(t)} for t in content.by_sub_district],
        "as_of": content.as_of.isoformat(),
        "scope": {key: str(value) for key, value in asdict(content.scope).items() if value},
        "trend": [{**asdict(point), "on": point.on.isoformat()} for point in content.trend],
        "overdue": [
            {"code": p.site.code, "due": p.due.isoformat() if p.due else None, "days": p.overdue_by(content.as_of)}
            for p in content.overdue
        ],
        "rebounds": [p.site.code for p in content.rebounds],
        "claims_contradicted": [{"code": c.site_code, "kind": c.kind.value} for c in content.claims],
        "review": _pace(content),
        "sample": asdict(content.checked) if content.checked else None,
        "look_first": [{"code": p.site.code, "concerns": list(p.concerns)} for p in content.look_first],
        "not_assessable": [{"code": p.site.code, "reasons": list(reasons_of(p))} for p in content.not_assessable],
        "sites": [_site(page) for page in content.sites],
        "scenes": [
            {"acquired": s.acquired.isoformat(), "uri": shown(s.uri), "content_hash": s.content_hash}
            for s in content.scenes
        ],
        "bundle_digests": list(content.bundle_digests),
        "rules_versions": list(content.rules_versions),
        "note": "as seen from above",
    }


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "sites": totals.sites,
        "completed": totals.completed,
        "land_m2": totals.land_m2,
        "building_m2": totals.building_m2,
        "assessed": totals.assessed,
        "demolition": {outcome.value: number for outcome, number in totals.demolition.items()},
        "clear": totals.clear,
        "structure_removed_m2": totals.removed_m2,
        "green_added_m2": totals.green_added_m2,
        "not_assessable": totals.not_assessable,
        "rebounds": totals.rebounds,
        "provisional": totals.provisional,
        "cleared_m2": totals.cleared_m2,
        "structure_removed_between_m2": totals.removed_between,
        "green_added_between_m2": totals.green_between,
        "overdue": totals.overdue,
        "decided": totals.decided,
    }


def _pace(content: Content) -> dict[str, Any] | None:
    """Without names."""
    if content.pace is None:
        return None
    months = [[month.isoformat(), number] for month, number in content.pace.per_month]
    return {**asdict(content.pace), "per_month": months, "weeks_left": content.pace.weeks_left}


def _site(page: SiteContent) -> dict[str, Any]:
    return {
        "code": page.site.code,
        "name": page.site.name,
        "owner_system": page.site.owner_system,
        "sub_district": page.site.sub_district,
        "status": page.site.status.value,
        **_observed(page),
        "concerns": list(page.concerns),
        "verdicts": {question.value: _verdict(standing) for question, standing in page.standings.items()},
        "change_m2": _changes(page),
        "left": _left(page),
    }


def _observed(page: SiteContent) -> dict[str, Any]:
    """Where it was seen to stand, and by what that is confirmed."""
    state = page.state
    days = {"since": state.since, "not_yet_on": state.not_yet_on, "on": state.last_seen}
    return {
        "observed_status": page.observed.value if page.observed else None,
        "observed_rung": state.rung.value if state.rung else None,
        **{f"observed_{name}": day.isoformat() if day else None for name, day in days.items()},
    }


def _verdict(standing: Standing) -> dict[str, Any]:
    verdict, record = standing.verdict, standing.record
    return {
        "outcome": verdict.outcome.value,
        "reason": verdict.reason.value if verdict.reason else None,
        "needs_review": verdict.needs_review,
        "explanation": verdict.explanation,
        "before": record.before_date.isoformat() if record.before_date else None,
        "after": record.after_date.isoformat() if record.after_date else None,
        "unseen_since": standing.unseen_since.isoformat() if standing.unseen_since else None,
        "criteria": [_criterion(criterion) for criterion in verdict.criteria],
    }


def _criterion(criterion: Criterion) -> dict[str, Any]:
    return {
        "name": criterion.name,
        "value": criterion.value,
        "unit": criterion.unit,
        "limit": criterion.limit,
        "passed": criterion.passed,
        "interval": list(criterion.interval) if criterion.interval else None,
    }


def _left(page: SiteContent) -> list[dict[str, Any]]:
    """What the newest answer on clearance saw left on the site, in WGS 84."""
    measured = page.measured_by(Question.CLEARANCE)
    return [
        {"surface": r.surface.name.lower(), "area_m2": round(r.area_m2, 1), "geometry": mapping(r.geometry)}
        for r in (measured.left if measured else ())
    ]


def _changes(page: SiteContent) -> dict[str, float] | None:
    measured = page.measured_by(Question.DEMOLITION)
    return {kind.value: area for kind, area in measured.change_m2.items()} if measured else None


__all__ = ["summarise"]
