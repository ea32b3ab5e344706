"""Where each site stands, as told from outside out of all that is known of it; and what waits for a reviewer.

The columns that are written here (`SETTLED_COLUMNS`) are the machine's own. A site is unsettled while something bears
on it that was entered after it was last settled, or while other rules hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Text, bindparam, cast, func, or_, select, update

from cvpipe.domain import Decision, Inspection, Outcome, Question, Rung, SiteStatus, Stage, StatusMove
from cvpipe.ledger import (
    assessment_rows,
    decision_rows,
    finding_rows,
    move_rows,
    sighting_rows,
    site_rows,
    version_rows,
)
from cvpipe.ledger.records import Entry, Flag, QueueItem, SiteLife, SiteState
from cvpipe.ledger.schema import SETTLED_COLUMNS, Row, assessments, audit, batches, decisions, sites
from cvpipe.ledger.standing_decisions import standing
from cvpipe.life import SEEN_AS

#: So many sites are looked up one by one; of more, all are read at once.
_FEW = 500

Judge = Callable[[SiteLife], SiteState]
"""What tells where a site stands out of all that is known of it."""

Judged = TypeVar("Judged", SiteState, SiteState | None)

OfSite = TypeVar("OfSite", Decision, Inspection, StatusMove)

#: Kinds of audit rows that bear on where a site stands.
_BEARING = ("assessment", "decision", "inspection", "move", "site")

_STAGE_OF = {status: stage for stage, status in SEEN_AS.items()}

#: What an overdue site or a rebound adds to an item's priority: more than all that the rules may give.
URGENT = 1000.0

#: What is read of a site here: everything else, its outline first, would only have to be decoded.
_SETTLED = (sites.c.code, *(sites.c[name] for name in SETTLED_COLUMNS))

_DONE = (SiteStatus.CLEARED.value, SiteStatus.CLOSED.value, SiteStatus.EXEMPT.value)


def unsettled(connection: Connection, rules_version: str, codes: Collection[str] | None) -> list[str]:
    """Codes of the sites to be settled: all, or those among `codes`."""
    wanted = None if codes is None else set(codes)
    newest = _newest_rows(wanted)
    query = select(sites.c.code).join(newest, newest.c.site_code == sites.c.code).order_by(sites.c.code)
    query = query.where(
        or_(
            sites.c.settled_row.is_(None),
            sites.c.settled_row < newest.c.row,
            sites.c.settled_rules.is_distinct_from(rules_version),
        )
    )
    return [code for code in connection.scalars(query) if wanted is None or code in wanted]


def settle(
    connection: Connection,
    codes: Sequence[str],
    judge: Callable[[SiteLife], Judged],
    rules_version: str,
    recalled: assessment_rows.Recalled,
) -> dict[str, Judged]:
    """Have `judge` tell where some sites stand, and note it; those of which it tells None stay as they are."""
    rows = _newest_bearing(connection, codes)
    last = connection.scalar(select(func.max(sites.c.settled_number))) or 0
    told = {code: judge(life) for code, life in lives_of(connection, codes, recalled).items()}
    states = [state for state in told.values() if state is not None]
    if states:
        noted = [
            {
                **_columns(state),
                "settled_row": rows.get(state.site_code),
                "settled_rules": rules_version,
                "settled_number": number,
                "of": state.site_code,
            }
            for number, state in enumerate(states, start=last + 1)
        ]
        connection.execute(update(sites).where(sites.c.code == bindparam("of")), noted)
        sighting_rows.settle(connection, {state.site_code: state.sightings for state in states})
    return told


def lives_of(connection: Connection, codes: Sequence[str], recalled: assessment_rows.Recalled) -> dict[str, SiteLife]:
    """All that bears on where some sites stand, by code and in that order. Raises UnknownSiteError."""
    known = {site.code: site for site in site_rows.with_codes(connection, codes)}
    since = version_rows.first_known(connection, codes)
    seen = assessment_rows.of_sites(connection, codes, recalled)
    said = _by_site(decision_rows.all_decisions(connection, codes))
    visits = _by_site(finding_rows.all_inspections(connection, codes))
    moved = _by_site(move_rows.all_moves(connection, codes))
    return {
        c: SiteLife(known[c], since[c].date(), tuple(seen[c]), tuple(said[c]), tuple(visits[c]), tuple(moved[c]))
        for c in codes
    }


def _newest_bearing(connection: Connection, codes: Collection[str]) -> dict[str, int]:
    """The newest audit row that bears on each of some sites, by code."""
    newest = _newest_rows(codes)
    found = connection.execute(select(newest.c.site_code, newest.c.row.label("number")))
    return {row.site_code: row.number for row in found}


def _by_site(entries: Iterable[Entry[OfSite]]) -> defaultdict[str, list[Entry[OfSite]]]:
    found = defaultdict[str, list[Entry[OfSite]]](list)
    for entry in entries:
        found[entry.value.site_code].append(entry)
    return found


def states(connection: Connection, codes: Collection[str] | None) -> dict[str, SiteState]:
    """Where each site stands as it was last settled, by code; without its sightings."""
    wanted = None if codes is None else set(codes)
    rows = connection.execute(select(*_SETTLED).order_by(sites.c.code)).mappings()
    return {row["code"]: state_of(row) for row in rows if wanted is None or row["code"] in wanted}


def queue(connection: Connection, on: date) -> Iterator[QueueItem]:
    """What a person should look at, in order of priority; questions decided since the site was settled are left out."""
    answered = _answered(connection)
    rows = connection.execute(_queue_query(on)).mappings().all()
    items = [item for row in rows if (item := _item_of(row, answered)) is not None]
    yield from sorted(items, key=lambda item: (-item.priority, item.site_code))


def _newest_rows(codes: Collection[str] | None) -> Any:
    """The newest audit row that bears on each site, or on each of a few."""
    bearing = select(audit.c.site_code, func.max(audit.c.id).label("row")).where(audit.c.kind.in_(_BEARING))
    if codes is not None and len(codes) <= _FEW:
        bearing = bearing.where(audit.c.site_code.in_(sorted(codes)))
    return bearing.group_by(audit.c.site_code).subquery()


def _queue_query(on: date) -> Select[Any]:
    due = func.coalesce(sites.c.due_date, batches.c.due_date)
    overdue = (due < on) & sites.c.status.not_in(_DONE)
    source = sites.outerjoin(batches, batches.c.name == sites.c.batch)
    source = source.join(assessments, assessments.c.id == sites.c.review_assessment)
    return select(*_SETTLED, assessments.c.key.label("review_key"), overdue.label("overdue")).select_from(source)


def _item_of(row: Row, answered: Collection[tuple[str, str]]) -> QueueItem | None:
    asked = [question for question in row["review_questions"] if (row["review_key"], question) not in answered]
    if not asked:
        return None
    overdue = bool(row["overdue"])
    urgent = overdue or row["review_reason"] == Stage.REBOUND.value
    return QueueItem(
        row["code"],
        row["review_assessment"],
        tuple(map(Question, asked)),
        row["review_reason"],
        row["review_priority"] + (URGENT if urgent else 0.0),
        overdue,
    )


def _answered(connection: Connection) -> set[tuple[str, str]]:
    """The questions, by the keys of assessments, that somebody answered about flagged sites since these were settled.

    What was said before bore on the flag already: one opinion where the rules ask for two leaves it standing.
    """
    entered = (audit.c.kind == "decision") & (audit.c.subject == cast(decisions.c.id, Text))
    query = select(decisions, (audit.c.id > sites.c.settled_row).label("is_new"))
    query = query.join(sites, sites.c.code == decisions.c.site_code).join(audit, entered).order_by(decisions.c.id)
    made = connection.execute(query.where(sites.c.review_assessment.is_not(None))).mappings().all()
    new = {row["id"] for row in made if row["is_new"]}
    plain = [{name: value for name, value in row.items() if name != "is_new"} for row in made]
    said = [entry.value for entry in standing(decision_rows.entries_of(plain)) if entry.id in new]
    return {(decision.assessment_key or "", decision.question.value) for decision in said}


def _columns(state: SiteState) -> dict[str, Any]:
    flag = state.flag
    return {
        "observed_status": state.observed_status and state.observed_status.value,
        "observed_on": state.last_seen,
        "observed_rung": state.rung and state.rung.value,
        "observed_since": state.since,
        "observed_not_yet_on": state.not_yet_on,
        "observed_greening": state.greening and state.greening.value,
        "observed_greening_on": state.greening_on,
        "rebounds": state.rebounds,
        "rebound_since": state.rebound_since,
        "rebound_m2": state.rebound_m2,
        "recheck_due": state.recheck_due,
        **(_flag_columns(flag) if flag else dict.fromkeys(_flag_columns(_NO_FLAG))),
    }


def _flag_columns(flag: Flag) -> dict[str, Any]:
    return {
        "review_reason": flag.reason,
        "review_questions": [question.value for question in flag.questions],
        "review_priority": flag.priority,
        "review_assessment": flag.assessment_id,
    }


_NO_FLAG = Flag("", (), 0.0, 0)


def state_of(row: Row) -> SiteState:
    """Where a site was last settled to stand, out of its code and `SETTLED_COLUMNS`; its sightings are left out."""
    alike = {name: row[name] for name in ("rebound_since", "rebound_m2", "recheck_due")}
    seen = row["observed_status"]
    return SiteState(
        row["code"],
        stage=None if seen is None else _STAGE_OF[SiteStatus(seen)],
        rung=None if row["observed_rung"] is None else Rung(row["observed_rung"]),
        since=row["observed_since"],
        not_yet_on=row["observed_not_yet_on"],
        last_seen=row["observed_on"],
        greening=None if row["observed_greening"] is None else Outcome(row["observed_greening"]),
        greening_on=row["observed_greening_on"],
        rebounds=row["rebounds"] or 0,
        flag=_flag_of(row),
        **alike,
    )


def _flag_of(row: Row) -> Flag | None:
    if row["review_reason"] is None:
        return None
    questions: Sequence[str] = row["review_questions"]
    return Flag(row["review_reason"], tuple(map(Question, questions)), row["review_priority"], row["review_assessment"])
