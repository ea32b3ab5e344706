"""What scripts ask for: the queue, decisions, labels, moves and pictures. Every value is checked before it is used."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from cvpipe.domain import (
    Candidate,
    CandidateState,
    Change,
    ChangeKind,
    Inspection,
    InspectionResult,
    Label,
    Outcome,
    Question,
    ReviewReason,
    SiteStatus,
)
from cvpipe.errors import InputError, SceneError
from cvpipe.geo import Grid, area_m2, buffered
from cvpipe.ledger import AssessmentRecord, Entry, ItemKey, LeaseState
from cvpipe.review import uploads, views, visit_results
from cvpipe.review.access import DeskOf, Reviewer, Viewer, WordsOf
from cvpipe.review.desk import Desk, Look, SiteFile, Turn
from cvpipe.review.district_map import district_map
from cvpipe.review.frames import NO_SHAPE, Epoch, Frame, cut
from cvpipe.review.queue import Filter
from cvpipe.review.words import Words

router = APIRouter()

#: Polygons and corners of one label; a site has some dozens of buildings.
MOST_POLYGONS, MOST_CORNERS = 300, 20_000

#: Pictures never change: their address names the assessment, the scene and what the picture is made from.
KEEP_PICTURES = {"Cache-Control": "private, max-age=604800, immutable"}

Code = Annotated[str, Field(min_length=1, max_length=200)]
ShortText = Annotated[str, Field(max_length=200)]
LongText = Annotated[str, Field(max_length=2000)]


def answers(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """What the description says of an address that answers with files of some kinds."""
    return {200: {"content": {media_type: {} for media_type in media_types}}}


class Sent(BaseModel):
    """What a script sends; keys that are not known are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SentKey(Sent):
    """An item by the assessment that gave its verdict, and its question."""

    assessment_key: Annotated[str, Field(max_length=128)]
    question: Question

    @property
    def key(self) -> ItemKey:
        """The item in the ledger's words."""
        return ItemKey(self.assessment_key, self.question)


class SentFilter(Sent):
    """What the reviewer wants to see; an empty text leaves all through."""

    campaign: ShortText = ""
    batch: ShortText = ""
    owner_system: ShortText = ""
    sub_district: ShortText = ""
    outcome: ShortText = ""
    why: ShortText = ""


class Asked(Sent):
    """A request for the next items; `showing` is the one on the screen, which stays."""

    wanted: SentFilter = SentFilter()
    showing: SentKey | None = None


class SentDecision(Asked):
    """A person's answer."""

    key: SentKey
    verdict: Outcome
    reason: ReviewReason | Literal[""] = ""
    note: LongText = ""
    seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None


class SentBack(Asked):
    """An item that the person does not want now."""

    key: SentKey
    state: Literal["skipped", "sent_back"]
    note: LongText = ""


class SentChange(Sent):
    """A polygon in metres from the frame's lower left corner, as GeoJSON."""

    kind: ChangeKind
    geometry: dict[str, Any]


class SentLabel(Sent):
    """All that a person outlined."""

    code: Code
    assessment_key: Annotated[str, Field(max_length=128)]
    changes: Annotated[list[SentChange], Field(max_length=MOST_POLYGONS)]


class SentSplit(Sent):
    """A polygon and the line that cuts it, GeoJSON in metres."""

    polygon: dict[str, Any]
    line: dict[str, Any]


class SentMove(Sent):
    """A site's next status."""

    code: Code
    becomes: SiteStatus
    reason: LongText = ""
    recheck_on: date | None = None


class SentSettlement(Sent):
    """What became of a candidate."""

    id: int
    state: Literal["open", "dismissed", "adopted"]
    site_code: ShortText | None = None
    note: LongText = ""


class SentInspection(Sent):
    """What a visit found."""

    code: Code
    inspected_on: date
    result: InspectionResult
    note: LongText = ""


@router.post("/api/next")
def next_items(asked: Asked, visitor: Reviewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """The item on the screen and the one after it, and how much waits."""
    return _next(desk, asked, visitor.name, words)


@router.post("/api/decisions")
def decide(sent: SentDecision, visitor: Reviewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """Enter a decision; answers with its number and with what comes next."""
    if sent.reason == ReviewReason.WITHDRAWN:
        raise HTTPException(422, words.undo_instead)
    entry, is_settled = desk.decide(
        sent.key.key, visitor.name, sent.verdict, reason=str(sent.reason), note=sent.note, seconds=sent.seconds
    )
    return {"decision": entry.id, "settled": is_settled, **_next(desk, sent, visitor.name, words)}


@router.post("/api/put-off")
def put_off(sent: SentBack, visitor: Reviewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """Give an item back: for later, or to others."""
    desk.put_off(sent.key.key, visitor.name, LeaseState(sent.state), sent.note)
    return _next(desk, sent, visitor.name, words)


@router.post("/api/bring-back")
def bring_back(asked: Asked, visitor: Reviewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """Have again what was put off."""
    desk.bring_back(visitor.name)
    return _next(desk, asked, visitor.name, words)


@router.post("/api/undo")
def undo(asked: Asked, visitor: Reviewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """Take the last decision back; its item is the next one again."""
    entry = desk.take_back(visitor.name)
    if entry is None:
        return {"undone": None, **_next(desk, asked, visitor.name, words)}
    again = SentKey(assessment_key=entry.value.assessment_key or "", question=entry.value.question)
    shown = Asked(wanted=asked.wanted, showing=again)
    return {"undone": entry.id, **_next(desk, shown, visitor.name, words, has_it=False)}


@router.get("/api/history")
def history(
    code: Annotated[str, Query(max_length=200)], visitor: Viewer, desk: DeskOf, words: WordsOf
) -> dict[str, Any]:
    """The life of a site, and the decisions on it."""
    record = desk.site_record(code)
    return {
        "history": views.history_view(desk.ledger.history(code), record, words, visitor.name),
        "decisions": views.decisions_view(record, words, visitor.name),
    }


@router.post("/api/labels")
def label(sent: SentLabel, visitor: Reviewer, desk: DeskOf) -> dict[str, Any]:
    """Keep what a person outlined."""
    file, record, look = _look(desk, sent.code, sent.assessment_key)
    outline = record.outline or buffered(file.site.geometry, file.site.buffer_m)
    changes = tuple(_change(change, look.frame) for change in sent.changes)
    entry = desk.label(Label(sent.code, sent.assessment_key, visitor.name, outline, changes))
    return {"label": entry.id, "changes": len(changes)}


@router.post("/api/split")
def split(sent: SentSplit, _: Reviewer) -> dict[str, Any]:
    """The parts of a polygon that a line cuts; the polygon alone where it does not cross it. Nothing is written."""
    try:
        return {"parts": cut(sent.polygon, sent.line, most_corners=MOST_CORNERS)}
    except NO_SHAPE as error:
        raise InputError("that cannot be split", remedy="Draw the line right across.") from error


@router.post("/api/moves")
def move(sent: SentMove, visitor: Reviewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """Take a site to another status."""
    entry = desk.move(sent.code, sent.becomes, visitor.name, reason=sent.reason, recheck_on=sent.recheck_on)
    return {"move": entry.id, "status": words.site_status(entry.value.becomes)}


@router.post("/api/candidates")
def settle_candidate(sent: SentSettlement, visitor: Reviewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """Say what became of a candidate."""
    entry: Entry[Candidate] = desk.ledger.settle_candidate(
        sent.id, CandidateState(sent.state), who=visitor.name, note=sent.note, site_code=sent.site_code or None
    )
    return {"candidate": entry.id, "state": words.candidate_state(entry.value.state)}


@router.post("/api/inspections")
def inspect(sent: SentInspection, visitor: Reviewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """Enter what a visit found."""
    visit = Inspection(sent.code, sent.inspected_on, sent.result, visitor.name, sent.note)
    return {"inspection": desk.inspect(visit).id, "result": words.result(visit.result)}


@router.post("/api/visits/results")
def bring_results(sheet: UploadFile, visitor: Reviewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """Enter a visit list that was filled in; answers what became of each row."""
    rows = visit_results.take_results(desk, sheet.filename or "", sheet.file.read(), visitor.name, words, desk.today())
    count = Counter(row.state for row in rows)
    states = ("entered", "known", "not_visited", "refused")
    said = words.rows_told.format(**{state: count[state] for state in states})
    return {"said": said, "rows": [asdict(row) | {"state_word": getattr(words, f"row_{row.state}")} for row in rows]}


@router.post("/api/attachments")
def attach(
    photo: UploadFile,
    visitor: Reviewer,
    desk: DeskOf,
    words: WordsOf,
    code: Annotated[str, Form(max_length=200)] = "",
) -> dict[str, Any]:
    """Keep a photo of a site, without a code of the one where it was taken; answers how far off that was."""
    read = uploads.read_photo(photo.file.read())
    site = desk.file(code).site if code else read.place and visit_results.site_at(desk.ledger, read.place)
    if not site:
        raise HTTPException(422, words.photo_nowhere)
    kept = uploads.keep(read, site.code, photo.filename or "", desk.workspace)
    entry = desk.ledger.attach(kept)
    said = words.photo_no_place
    if read.place is not None:
        away = uploads.distance_m(read.place, buffered(site.geometry, site.buffer_m))
        said = words.photo_far.format(metres=f"{away:,.0f}") if away > 0 else ""
    return {
        "attachment": entry.id,
        "name": entry.value.name,
        "code": site.code,
        "said": said,
        "who": visitor.name,
    }


@router.get("/api/map")
def site_map(_: Viewer, desk: DeskOf, words: WordsOf) -> dict[str, Any]:
    """Where all sites lie, with status and tone, in metres of one frame."""
    return district_map(desk, words).plain


@router.get("/pictures/{what}", response_class=Response, responses=answers("image/jpeg", "image/png"))
def picture(
    what: Literal["picture", "around", "tile", "surfaces"],
    assessment: int,
    scene: Annotated[str, Query(max_length=128)],
    _: Viewer,
    desk: DeskOf,
    words: WordsOf,
    made: Annotated[str, Query(max_length=32)] = "",
    z: int = 0,
    x: int = 0,
    y: int = 0,
) -> Response:
    """A picture of one epoch of a site; scene and assessment must be ones of the ledger that belong together.

    Browsers may keep it where `made` names what it is made from now.
    """
    look = desk.look_by_id(assessment)
    epoch = look.epoch(scene) if look else None
    if look is None or epoch is None:
        raise HTTPException(404)
    kept = KEEP_PICTURES if made == look.contents[epoch.name] else {}
    if what == "surfaces":
        return Response(_surfaces(desk, look, epoch, words), media_type="image/png", headers=kept)
    frame = look.frame
    grid = {"picture": frame.picture, "around": frame.around_it}.get(what) or frame.tile(z, x, y)
    if grid is None:
        raise HTTPException(404)
    return Response(_jpeg(desk, look, grid, epoch, words), media_type="image/jpeg", headers=kept)


@router.get("/pictures-of-district", response_class=Response, responses=answers("image/jpeg"))
def district_picture(_: Viewer, desk: DeskOf) -> Response:
    """The newest scenes behind the map of all sites."""
    data = district_jpeg(desk)
    if data is None:
        raise HTTPException(404)
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=300"})


def district_jpeg(desk: Desk) -> bytes | None:
    """The background of the map; None where no scene shows a site. Raises SceneError."""
    look = district_map(desk, Words("en")).look
    if look is None:
        return None
    epoch = look.epochs[0]
    return desk.pictures.jpeg("district", look.frame, look.frame.picture, epoch, (epoch, epoch))


def _jpeg(desk: Desk, look: Look, grid: Grid, epoch: Epoch, words: Words) -> bytes:
    try:
        return desk.pictures.jpeg(look.record.assessment.key, look.frame, grid, epoch, look.both)
    except SceneError as error:
        raise HTTPException(503, words.picture_failed) from error


def _surfaces(desk: Desk, look: Look, epoch: Epoch, words: Words) -> bytes:
    path = desk.surfaces_of(look.record)
    if path is None or epoch.role not in ("before", "after"):
        raise HTTPException(404)
    try:
        return desk.pictures.surfaces_png(path, "before" if epoch.role == "before" else "after", look.frame.picture)
    except SceneError as error:
        raise HTTPException(503, words.picture_failed) from error


def _next(desk: Desk, asked: Asked, who: str, words: Words, *, has_it: bool = True) -> dict[str, Any]:
    """The next items as views; the one on the screen is only named where the browser has it."""
    on = desk.today()
    showing = asked.showing.key if asked.showing else None
    turn = desk.take(who, _filter(desk, asked.wanted), on, showing)
    return {
        "items": [
            {"key": views.key_view(item.key), "same": True}
            if has_it and item.key == showing
            else views.item_view(desk, item, turn, words, who, on)
            for item in turn.items
        ],
        "queue": _queue_state(desk, turn, who, words, on),
    }


def first_items(desk: Desk, who: str, words: Words) -> dict[str, Any]:
    """What `/api/next` answers to whoever has nothing on the screen yet; the page brings it along."""
    return _next(desk, Asked(), who, words)


def _queue_state(desk: Desk, turn: Turn, who: str, words: Words, on: date) -> dict[str, Any]:
    pace = desk.pace(who, on, turn.known)
    return {
        "waiting": sum(turn.counts.values()),
        "by_why": [[words.why(why), count] for why, count in turn.counts.items() if count],
        "today": pace.today,
        "median_s": pace.median_s,
    }


def _filter(desk: Desk, wanted: SentFilter) -> Filter:
    batches = None
    if wanted.campaign:
        batches = frozenset(batch.name for batch in desk.ledger.batches() if batch.campaign == wanted.campaign)
    plain = wanted.model_dump(exclude={"campaign"})
    return Filter(batches=batches, **plain)


def _look(desk: Desk, code: str, key: str) -> tuple[SiteFile, AssessmentRecord, Look]:
    """A site's assessment with its frame. Raises HTTPException 404."""
    file = desk.file(code)
    record = file.assessment(key)
    look = desk.look(file, record) if record else None
    if record is None or look is None:
        raise HTTPException(404)
    return file, record, look


def _change(sent: SentChange, frame: Frame) -> Change:
    """A polygon that was drawn, in WGS 84. Raises InputError for what is none, or lies far off."""
    try:
        geometry = frame.polygon(sent.geometry, most_corners=MOST_CORNERS)
    except NO_SHAPE as error:
        raise InputError("that is no polygon", remedy="Draw it again.") from error
    return Change(sent.kind, geometry, area_m2(geometry), 1.0)


__all__ = ["answers", "first_items", "router"]
