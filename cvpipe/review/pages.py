"""The pages that people open: log-in, review, sites, overview, candidates, visits, people, and the site sheet."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

import cvpipe
from cvpipe.assess.explaining import amount
from cvpipe.domain import Attachment, InspectionResult, Role, SiteStatus
from cvpipe.geo import buffered
from cvpipe.ledger import Entry
from cvpipe.review import overview, uploads, views, visit_results, visits
from cvpipe.review.access import (
    LANGUAGE_COOKIE,
    Admin,
    DeskOf,
    Viewer,
    WordsOf,
    address_of,
    cookie_name,
    door_of,
    named_by_proxy,
    options_of,
    visitor_of,
)
from cvpipe.review.api import answers, first_items
from cvpipe.review.desk import SiteFile
from cvpipe.review.door import LONGEST_SESSION, Visitor
from cvpipe.review.queue import Why
from cvpipe.review.words import Words

router = APIRouter()

#: Holds the token of the log-in form, until there is a session with one of its own.
FORM_COOKIE = "cvpipe_form"

Text = Annotated[str, Query(max_length=200)]

#: What the description says of pages that may lead elsewhere.
_ELSEWHERE: dict[int | str, dict[str, Any]] = {303: {"description": "It goes on at another address."}}


@router.get("/", status_code=303, response_class=RedirectResponse)
def start() -> Response:
    """To the queue."""
    return RedirectResponse("/review", 303)


@router.get("/login", responses=_ELSEWHERE)
def log_in_form(request: Request, words: WordsOf, to: Text = "/review") -> Response:
    """The form; whoever a trusted proxy names is let in without it."""
    named = named_by_proxy(request)
    token = door_of(request).admit(named) if named else None
    if token is not None:
        return _let_in(request, token, to)
    return _form(request, words, to, refused=False)


@router.post("/login", responses=_ELSEWHERE)
def log_in(
    request: Request,
    words: WordsOf,
    name: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=1000)],
    form_token: Annotated[str, Form(max_length=100)],
    to: Annotated[str, Form(max_length=200)] = "/review",
) -> Response:
    """Check name and password; the session is a new one, whatever the browser held before."""
    if not secrets.compare_digest(form_token.encode(), request.cookies.get(FORM_COOKIE, "").encode()) or not form_token:
        return _form(request, words, to, refused=False, status=403)
    token = door_of(request).log_in(name, password, address_of(request))
    if token is None:
        return _form(request, words, to, refused=True, status=401)
    door_of(request).log_out(request.cookies.get(cookie_name(options_of(request))))
    return _let_in(request, token, to)


@router.post("/logout", status_code=204, response_class=Response)
def log_out(request: Request, _: Viewer) -> Response:
    """End the session, here and in the ledger."""
    name = cookie_name(options_of(request))
    door_of(request).log_out(request.cookies.get(name))
    answer = Response(status_code=204)
    answer.delete_cookie(name, path="/", secure=options_of(request).is_encrypted, httponly=True, samesite="strict")
    return answer


@router.get("/review", responses=_ELSEWHERE)
def review(request: Request, visitor: Viewer, desk: DeskOf, words: WordsOf) -> Response:
    """The queue, and the item that is next."""
    may = visitor.account.role is not Role.VIEWER
    if not may:
        return RedirectResponse("/sites", 303)
    first = first_items(desk, visitor.name, words)
    shown = first["items"][0]["pictures"] if first["items"] else None
    return _page(
        request,
        "review.html",
        words,
        visitor,
        state={"first": first},
        first_pictures=_compared(shown),
        **_narrowing(desk, words),
    )


@router.get("/sites")
def sites(request: Request, visitor: Viewer, desk: DeskOf, words: WordsOf) -> Response:
    """The table of all sites; its rows come by themselves."""
    return _page(request, "sites.html", words, visitor, **_narrowing(desk, words), **_rows(request, desk))


@router.get("/sites/rows")
def site_rows(request: Request, visitor: Viewer, desk: DeskOf, words: WordsOf) -> Response:
    """The rows that a search or an order asks for."""
    return _page(request, "rows.html", words, visitor, **_rows(request, desk))


@router.get("/site")
def site(request: Request, visitor: Viewer, desk: DeskOf, words: WordsOf, code: Text) -> Response:
    """One site: its pictures, figures, photos and life."""
    file = desk.file(code)
    view = views.site_view(desk, file, desk.newest(file), words, visitor.name, desk.today())
    state = {"view": view, "may_decide": visitor.account.role is not Role.VIEWER}
    return _page(
        request,
        "site.html",
        words,
        visitor,
        state=state,
        first_pictures=_compared(view["pictures"]),
        line=file.record.line,
        decisions=views.decisions_view(file.record, words, visitor.name),
        history=views.history_view(desk.ledger.history(code), file.record, words, visitor.name),
        attachments=[(entry, _away(entry, file)) for entry in desk.ledger.attachments(code)],
    )


@router.get("/sheet")
def sheet(request: Request, visitor: Viewer, desk: DeskOf, words: WordsOf, code: Text) -> Response:
    """A site on paper, with room for what is found there."""
    file = desk.file(code)
    record = desk.newest(file)
    view = views.site_view(desk, file, record, words, visitor.name, desk.today())
    look = None if record is None else desk.look(file, record)
    return _page(request, "sheet.html", words, visitor, view=view, line=file.record.line, look=look, paths=_paths(view))


@router.get("/overview")
def overview_page(request: Request, visitor: Viewer, desk: DeskOf, words: WordsOf) -> Response:
    """Map, progress, and reviewers' pace and agreement."""
    figures = desk.figures(desk.today())
    groups = [
        (words.by_campaign, overview.progress(figures, "batch")),
        (words.by_owner_system, overview.progress(figures, "owner_system")),
    ]
    reasons = figures.of("reasons")
    people = overview.reviewers(figures) if visitor.account.role is not Role.VIEWER else []
    return _page(request, "overview.html", words, visitor, groups=groups, reviewers=people, reasons=reasons)


@router.get("/candidates")
def candidates(request: Request, visitor: Viewer, desk: DeskOf, words: WordsOf) -> Response:
    """Changes outside every site, the open ones first."""
    found = sorted(desk.ledger.candidates(), key=lambda e: (e.value.state != "open", -e.value.probability))
    return _page(request, "candidates.html", words, visitor, candidates=found[:1000])


@router.get("/visits")
def visit_list(request: Request, visitor: Viewer, desk: DeskOf, words: WordsOf) -> Response:
    """Sites that somebody should go to."""
    found, results = visits.wanted(desk), list(InspectionResult)
    return _page(
        request,
        "visits.html",
        words,
        visitor,
        visits=found,
        results=results,
        formats=list(visits.FORMATS),
        returned=visit_results.RETURNED,
    )


@router.get("/visits/export", response_class=Response, responses=answers(*visits.FORMATS.values()))
def visit_file(_: Viewer, desk: DeskOf, words: WordsOf, kind: Literal["xlsx", "csv", "geojson", "kml"]) -> Response:
    """The visit list as a file."""
    data = visits.as_file(desk.ledger, visits.wanted(desk), kind, words.lang)
    told = {"Content-Disposition": f'attachment; filename="visits.{kind}"'}
    return Response(data, media_type=visits.FORMATS[kind], headers=told)


@router.get("/attachment", response_class=Response, responses=answers("image/jpeg", "application/octet-stream"))
def attachment(_: Viewer, desk: DeskOf, code: Text, id: int) -> Response:
    """A photo of a site."""
    entry = next((e for e in desk.ledger.attachments(code) if e.id == id), None)
    path = None if entry is None else (desk.workspace / entry.value.path).resolve()
    if entry is None or path is None or not path.is_relative_to(desk.workspace.resolve()) or not path.is_file():
        raise HTTPException(404)
    inline = entry.value.media_type == "image/jpeg"
    disposition = "inline" if inline else "attachment"
    told = {"Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(entry.value.name)}"}
    media_type = "image/jpeg" if inline else "application/octet-stream"
    return FileResponse(path, media_type=media_type, headers=told)


@router.get("/people")
def people(request: Request, visitor: Admin, desk: DeskOf, words: WordsOf) -> Response:
    """Accounts, and who logged in or tried to."""
    return _page(
        request, "people.html", words, visitor, accounts=desk.ledger.accounts(), log_ins=desk.ledger.log_ins(limit=200)
    )


def _compared(pictures: dict[str, Any] | None) -> list[str]:
    """Addresses of what is seen first of an item, for browsers to fetch before any script runs."""
    epochs = [] if pictures is None else [epoch for epoch in pictures["epochs"] if epoch["role"] != "other"]
    return [epoch[what] for what in ("picture", "around") for epoch in reversed(epochs)]


def _away(photo: Entry[Attachment], file: SiteFile) -> str:
    """How many metres from the site a photo was taken; "" on the site, and where the photo tells no place."""
    if photo.value.place is None:
        return ""
    away = uploads.distance_m(photo.value.place, buffered(file.site.geometry, file.site.buffer_m))
    return f"{away:,.0f}" if away > 0 else ""


def problem(request: Request, words: Words, status: int, said: str) -> Response:
    """A page that says what is wrong."""
    return _page(request, "problem.html", words, visitor_of(request), status=status, number=status, said=said)


def _let_in(request: Request, token: str, to: str) -> Response:
    """To the page that was asked for, with the new session; only to pages of this server."""
    options = options_of(request)
    is_ours = to.startswith("/") and not to.startswith(("//", "/\\")) and "\n" not in to and "\r" not in to
    answer = RedirectResponse(to if is_ours else "/review", 303)
    answer.set_cookie(
        cookie_name(options),
        token,
        max_age=int(LONGEST_SESSION.total_seconds()),
        path="/",
        secure=options.is_encrypted,
        httponly=True,
        samesite="strict",
    )
    answer.delete_cookie(FORM_COOKIE, path="/login")
    return answer


def _form(request: Request, words: Words, to: str, *, refused: bool, status: int = 200) -> Response:
    token = secrets.token_urlsafe(24)
    answer = _page(request, "login.html", words, None, status=status, to=to, form_token=token, refused=refused)
    secure = options_of(request).is_encrypted
    answer.set_cookie(FORM_COOKIE, token, path="/login", secure=secure, httponly=True, samesite="strict")
    return answer


def _page(
    request: Request, template: str, words: Words, visitor: Visitor | None, *, status: int = 200, **content: Any
) -> Response:
    who = visitor.name if visitor else ""
    colours = {"colours": views.colours(), "surfaces": views.surface_colours(words)}
    state = content.pop("state", {}) | {"words": words.plain(), "lang": words.lang, "who": who} | colours
    html = (
        _environment()
        .get_template(template)
        .render(
            w=words,
            visitor=visitor,
            csrf=visitor.session.csrf if visitor else "",
            path=request.url.path,
            state=state,
            version=cvpipe.__version__,
            static=static_address(),
            amount=amount,
            tone=views.tone,
            Role=Role,
            **content,
        )
    )
    answer = HTMLResponse(html, status)
    chosen = request.query_params.get("lang")
    if chosen in ("en", "zh"):
        answer.set_cookie(LANGUAGE_COOKIE, chosen, max_age=31_536_000, path="/", samesite="lax")
    return answer


@cache
def _environment() -> Environment:
    loader = PackageLoader("cvpipe.review", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _narrowing(desk: DeskOf, words: Words) -> dict[str, Any]:
    """What lists can be narrowed to."""
    figures = desk.figures(desk.today())
    verdicts = overview.verdicts(figures)
    return {
        "choices": overview.choices(figures),
        "campaigns": [campaign.name for campaign in desk.ledger.campaigns()],
        "verdicts": [(f"{q.value}.{o.value}", f"{words.question(q)}: {words.outcome(o)}") for q, o in verdicts],
        "whys": [(why.value, words.why(why)) for why in Why],
        "statuses": [(status.value, words.site_status(status)) for status in SiteStatus],
    }


def _rows(request: Request, desk: DeskOf) -> dict[str, Any]:
    asked = request.query_params
    texts = ("text", "batch", "owner_system", "sub_district", "status", "outcome", "sort")
    given = {name: asked[name][:200] for name in texts if name in asked}
    number = asked.get("page", "1")
    wanted = overview.Wanted(
        **given,
        descending=asked.get("descending") == "1",
        page=int(number) if number.isdecimal() and len(number) < 8 else 1,
    )
    all_sites = desk.district.sites
    found, count = overview.page_of(all_sites.values(), wanted)
    pages = max(-(-count // overview.PAGE_ROWS), 1)
    return {"rows": found, "shown": count, "all": len(all_sites), "wanted": wanted, "pages": pages, "on": desk.today()}


def _paths(view: dict[str, Any]) -> list[dict[str, str]]:
    """Outlines for paper: SVG paths in a square of 1000, y downwards."""
    pictures = view["pictures"]
    if pictures is None:
        return []
    side = pictures["side_m"]
    shapes = [("boundary", "", pictures["boundary"]), *(("retained", "", g) for g in [pictures["retained"]] if g)]
    shapes += [("change", change["kind"], change["geometry"]) for change in pictures["changes"]]
    return [{"role": role, "kind": kind, "d": _path(plain, side)} for role, kind, plain in shapes]


def _path(plain: dict[str, Any], side: float) -> str:
    polygons = plain["coordinates"] if plain["type"] == "MultiPolygon" else [plain["coordinates"]]
    rings = [ring for polygon in polygons for ring in polygon]
    points = (" ".join(f"{1000 * x / side:.1f},{1000 * (1 - y / side):.1f}" for x, y, *_ in ring) for ring in rings)
    return "".join(f"M{text}Z" for text in points)


@cache
def static_address() -> str:
    """Where pages find scripts and styles: named by what they hold, so that browsers may keep them."""
    folder, digest = static_folder(), hashlib.blake2b(digest_size=8)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return f"/static/{digest.hexdigest()}"


def static_folder() -> Path:
    """Scripts, styles and the bundled map library."""
    return Path(__file__).parent / "static"


__all__ = ["problem", "router", "static_address", "static_folder"]
