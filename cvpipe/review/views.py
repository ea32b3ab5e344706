"""What the site view says, as plain data: the browser lays it out and adds nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from cvpipe.assess import explain
from cvpipe.assess.criteria import KINDS
from cvpipe.assess.explaining import amount
from cvpipe.assess.telling import happened
from cvpipe.domain import (
    CHANGE_COLOURS,
    OUTCOMES,
    SURFACE_COLOURS,
    SURFACES,
    ChangeKind,
    Criterion,
    Decision,
    Label,
    Outcome,
    Question,
    Verdict,
)
from cvpipe.geo import buffered
from cvpipe.ledger import AssessmentRecord, Entry, Happening, ItemKey, standing
from cvpipe.life import MOVES, NEEDS_REASON
from cvpipe.review import queue
from cvpipe.review.desk import Desk, Look, SiteFile, Turn
from cvpipe.review.district import SiteRecord
from cvpipe.review.frames import AROUND_TIMES, TILE_PX, Epoch
from cvpipe.review.queue import Waiting
from cvpipe.review.words import REJECT_REASONS, Words

#: How an outcome looks: good, part(ly), bad, none (neutral), na (no answer).
_TONES = {
    Outcome.COMPLETE: "good",
    Outcome.MET: "good",
    Outcome.GAINED: "good",
    Outcome.PARTIAL: "part",
    Outcome.NOT_MET: "part",
    Outcome.SUSPECTED: "bad",
    Outcome.NOT_ASSESSABLE: "na",
}

#: What a rejected outcome most likely is instead; where a question has no more than two answers, the other one.
_OPPOSITE = {
    (Question.DEMOLITION, Outcome.COMPLETE): Outcome.PARTIAL,
    (Question.DEMOLITION, Outcome.PARTIAL): Outcome.NONE,
    (Question.DEMOLITION, Outcome.NONE): Outcome.PARTIAL,
    (Question.CLEARANCE, Outcome.MET): Outcome.NOT_MET,
    (Question.CLEARANCE, Outcome.NOT_MET): Outcome.MET,
    (Question.GREENING, Outcome.MET): Outcome.NOT_MET,
    (Question.GREENING, Outcome.NOT_MET): Outcome.MET,
    (Question.GREENING, Outcome.GAINED): Outcome.NONE,
    (Question.GREENING, Outcome.NONE): Outcome.GAINED,
    (Question.REBOUND, Outcome.SUSPECTED): Outcome.NONE,
    (Question.REBOUND, Outcome.NONE): Outcome.SUSPECTED,
}


def tone(question: Question, outcome: Outcome) -> str:
    """How an outcome looks: that nothing came back is good news."""
    return "good" if (question, outcome) == (Question.REBOUND, Outcome.NONE) else _TONES.get(outcome, "none")


def colours() -> dict[str, str]:
    """Outline colour of each kind of change, as in reports."""
    return {kind.value: _css(rgb) for kind, rgb in CHANGE_COLOURS.items()}


def item_view(desk: Desk, item: Waiting, turn: Turn, words: Words, who: str, on: date) -> dict[str, Any]:
    """One item of the queue with everything that its page shows. What others answered is not in it."""
    file, verdict, handed = desk.file(item.line.code, turn.known), item.given.verdict, turn.handed_on(item.key)
    record = file.assessment(item.key.assessment_key)
    return {
        "key": key_view(item.key),
        "why": words.why(item.why),
        "why_code": item.why.value,
        "opinion": len(item.said) + 1 if item.said else 1,
        "handed_on": None if handed is None else words.sent_back_by.format(who=handed.who, note=handed.note),
        "verdict": _verdict(verdict, words),
        "answers": [
            {"outcome": outcome.value, "word": words.outcome(outcome)}
            for outcome in _answers(verdict.question, verdict.outcome)
        ],
        "reasons": [{"reason": reason.value, "word": words.review_reason(reason.value)} for reason in REJECT_REASONS],
        **site_view(desk, file, record, words, who, on),
    }


def key_view(key: ItemKey) -> dict[str, str]:
    """What scripts name an item by."""
    return {"assessment_key": key.assessment_key, "question": key.question.value}


def site_view(
    desk: Desk, file: SiteFile, record: AssessmentRecord | None, words: Words, who: str, on: date
) -> dict[str, Any]:
    """A site with the pictures and figures of one of its assessments."""
    look = None if record is None else desk.look(file, record)
    return {
        "site": _site(file, words, on),
        "others": [_verdict(given.verdict, words) for given in file.record.standing.values()],
        "facts": _facts(record, look, words),
        "pictures": None if look is None else _pictures(desk, file, look, words, who),
        "moves": _moves(file, words),
    }


def history_view(
    happenings: Sequence[Happening], record: SiteRecord, words: Words, who: str, *, limit: int = 200
) -> list[dict[str, str]]:
    """The life of a site, the newest first. What others answered to an open question of two is left out."""
    hidden = blind_ids(record, who)
    shown = [h for h in happenings if not (h.kind == "decision" and int(h.record.subject) in hidden)]
    return [
        {"at": f"{h.at:%Y-%m-%d %H:%M}", "who": h.who, "sentence": _told(h, words)} for h in reversed(shown[-limit:])
    ]


def _told(one: Happening, words: Words) -> str:
    """What happened; in Chinese with what kind of thing it was, for the ledger's own sentences are English."""
    what, sentence = happened(one, words.lang)
    return f"{what}：{sentence}" if words.lang == "zh" and sentence else sentence or what


def blind_ids(record: SiteRecord, who: str) -> set[int]:
    """Decisions of others on items that still need an opinion: whoever may be asked for it must not see them.

    Among them are those that were changed or taken back since, which tell as much.
    """
    hidden = set[int]()
    for question, given in record.standing.items():
        key = ItemKey(given.assessment_key, question)
        if record.settled(question) is None:
            made = (e for e in record.decisions if e.value.who != who)
            hidden |= {
                e.id for e in made if (e.value.assessment_key, e.value.question) == (key.assessment_key, question)
            }
    return hidden


def decisions_view(record: SiteRecord, words: Words, who: str) -> list[dict[str, Any]]:
    """Decisions that stand on a site, but for those that must stay hidden."""
    hidden = blind_ids(record, who)
    return [_decision(e, words) for e in standing(record.decisions) if e.id not in hidden]


def _decision(entry: Entry[Decision], words: Words) -> dict[str, Any]:
    said = entry.value
    return {
        "id": entry.id,
        "at": f"{entry.at:%Y-%m-%d %H:%M}",
        "who": said.who,
        "question": words.question(said.question),
        "verdict": words.outcome(said.verdict),
        "reason": words.review_reason(said.reason),
        "note": said.note,
        "seconds": said.seconds,
    }


def _answers(question: Question, machine: Outcome) -> list[Outcome]:
    """What else it can be, the most likely first."""
    legal = [o for o in Outcome if o in OUTCOMES[question] and o not in (machine, Outcome.NOT_ASSESSABLE)]
    likely = _OPPOSITE.get((question, machine))
    return sorted(legal, key=lambda outcome: outcome is not likely)


def _verdict(verdict: Verdict, words: Words) -> dict[str, Any]:
    return {
        "question": verdict.question.value,
        "question_word": words.question(verdict.question),
        "outcome": verdict.outcome.value,
        "outcome_word": words.outcome(verdict.outcome),
        "tone": tone(verdict.question, verdict.outcome),
        "explanation": explain(verdict, words.lang),
        "criteria": [_criterion(criterion, words) for criterion in verdict.criteria],
    }


def _criterion(criterion: Criterion, words: Words) -> dict[str, Any]:
    kind = KINDS.get(criterion.name)
    limit = criterion.limit
    shown = "" if limit is None else amount(limit, criterion.unit, words.lang)
    return {
        "label": kind.label(words.lang) if kind else criterion.name,
        "value": amount(criterion.value, criterion.unit, words.lang),
        "limit": f"{kind.sense} {shown}" if kind and shown else shown,
        "passed": criterion.passed,
    }


def _site(file: SiteFile, words: Words, on: date) -> dict[str, Any]:
    line, plan = file.record.line, file.site.plan
    areas = (
        (words.land, file.site.land_area_m2),
        (words.plan_demolition, plan.demolition_area_m2),
        (words.plan_green, plan.green_area_m2),
    )
    return {
        "code": line.code,
        "name": line.name,
        "place": " · ".join(part for part in (line.sub_district, line.community) if part),
        "owner_system": line.owner_system,
        "batch": line.batch,
        "status": words.site_status(line.status),
        "observed": words.site_status(line.observed_status),
        "due": line.due_date.isoformat() if line.due_date else "",
        "overdue": queue.is_overdue(line, on),
        "areas": [[label, amount(area, "m²", words.lang)] for label, area in areas if area],
    }


def _facts(record: AssessmentRecord | None, look: Look | None, words: Words) -> list[list[str]]:
    if record is None or record.assessment.measurements is None:
        return []
    measured = record.assessment.measurements
    facts = [
        [words.seen_share, amount(measured.valid_share, "share", words.lang)],
        [words.site_area, amount(measured.site_area_m2, "m²", words.lang)],
    ]
    if look is None:
        return facts
    after = look.both[1]
    left = measured.registration.residual_px
    if math.isinf(left):
        return [*facts, [words.shift, words.no_shift]]
    x, y = (shift * after.pixel_m for shift in measured.registration.shift_px)
    return [
        *facts,
        [words.shift, f"{math.hypot(x, y):.1f} m"],
        [words.residual, f"{left:.2f} px · {left * after.pixel_m:.2f} m"],
    ]


def _pictures(desk: Desk, file: SiteFile, look: Look, words: Words, who: str) -> dict[str, Any]:
    frame, record = look.frame, look.record
    reach = frame.side_m * (AROUND_TIMES - 1) / 2
    # What somebody outlined tells what they think, as their answer would.
    blind = bool(blind_ids(file.record, who))
    labels = [entry for entry in desk.labels(file) if not blind or entry.value.who == who]
    label = newest_label(labels, record.assessment.key)
    changes = record.assessment.changes if label is None else label.value.changes
    outlines = look.outlines if label is None else frame.local_all([change.geometry for change in changes])
    retained = file.site.plan.retained
    has_surfaces = desk.surfaces_of(record) is not None
    return {
        "assessment_key": record.assessment.key,
        "side_m": frame.side_m,
        "around_m": [-reach, -reach, frame.side_m + reach, frame.side_m + reach],
        "tile_px": TILE_PX,
        "tile_pixels_m": list(frame.tile_pixels_m),
        "epochs": [
            {
                "name": epoch.name,
                "date": epoch.acquired.isoformat(),
                "role": epoch.role,
                "gsd": f"{epoch.scenes[0].gsd_m:.2f} m",
                "surfaces": _address("surfaces", look, epoch) if has_surfaces and epoch.role != "other" else None,
                **{what: _address(what, look, epoch) for what in ("picture", "around", "tile")},
            }
            for epoch in look.epochs
        ],
        "boundary": frame.local(buffered(file.site.geometry, file.site.buffer_m)),
        "retained": None if retained is None else frame.local(retained),
        "changes": [
            {
                "kind": change.kind.value,
                "word": words.change(change.kind),
                "area": amount(change.area_m2, "m²", words.lang),
                "geometry": outline,
            }
            for change, outline in zip(changes, outlines, strict=True)
        ],
        "by_hand": label is not None,
        "kinds": [[kind.value, words.change(kind)] for kind in ChangeKind],
    }


def newest_label(labels: Sequence[Entry[Label]], key: str) -> Entry[Label] | None:
    """The label of an assessment that holds; None where nobody drew one."""
    return next((entry for entry in reversed(labels) if entry.value.assessment_key == key), None)


def surface_colours(words: Words) -> dict[str, list[str]]:
    """Name and fill colour of each surface, by its code's name, as in rasters and reports."""
    return {s.name.lower(): [words.surface(s), _css(SURFACE_COLOURS[s])] for s in SURFACES}


def _css(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _address(what: str, look: Look, epoch: Epoch) -> str:
    """Where a picture is; `made` changes with what the picture is made from, so that browsers may keep it."""
    asked = {"assessment": look.record.id, "scene": epoch.name, "made": look.contents[epoch.name]}
    return f"/pictures/{what}?{urlencode(asked)}"


def _moves(file: SiteFile, words: Words) -> list[dict[str, Any]]:
    return [
        {
            "status": status.value,
            "word": f"{words.move(move)} → {words.site_status(status)}",
            "needs_reason": move in NEEDS_REASON,
        }
        for status, move in MOVES[file.record.line.status].items()
    ]


__all__ = [
    "blind_ids",
    "colours",
    "decisions_view",
    "history_view",
    "item_view",
    "key_view",
    "newest_label",
    "site_view",
    "surface_colours",
    "tone",
]
