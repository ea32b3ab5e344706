"""The application: addresses, what surrounds them, and how errors are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import Scope

import cvpipe
from cvpipe.errors import CvpipeError, LedgerError, LedgerUnavailableError, UnknownSiteError, UsageError
from cvpipe.ledger import Ledger
from cvpipe.review import api, pages, refusals
from cvpipe.review.access import NotLoggedInError, may_upload, words_of
from cvpipe.review.desk import Desk
from cvpipe.review.door import Door
from cvpipe.review.middleware import Safeguard
from cvpipe.review.options import ReviewOptions

#: Addresses that take files: photos, and what came back from visits.
PHOTO_PATH, RESULTS_PATH = "/api/attachments", "/api/visits/results"

#: A visit list with a row for each of 10,000 sites has 2 MB.
RESULTS_BYTES = 8_000_000

#: Why not, in the visitor's language; browsers get a page that says so.
_REFUSED: dict[str, Any] = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
            "additionalProperties": False,
        }
    },
    "text/html": {},
}

#: What any address may answer beside what was asked for.
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": said, "content": _REFUSED}
    for status, said in (
        (400, "The request cannot be read."),
        (401, "Nobody is logged in."),
        (403, "The role may not do this, or the page's token is missing."),
        (404, "There is no such thing."),
        (409, "The ledger refuses it: others were faster, or the move is not legal."),
        (413, "More bytes than the address takes."),
        (422, "A value cannot be used."),
        (503, "The ledger or a picture cannot be read now."),
    )
}


def create_app(ledger: Ledger, workspace: Path, options: ReviewOptions) -> FastAPI:
    """The reviewers' page on an open ledger, which the caller closes; photos go into `workspace`."""
    desk = Desk(ledger, workspace, options)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        Thread(target=_warm_up, args=(desk,), daemon=True).start()
        yield
        desk.close()

    # No pages of FastAPI's own: they would load scripts from elsewhere.
    app = FastAPI(title="cvpipe review", version=cvpipe.__version__, docs_url=None, redoc_url=None, openapi_url=None,
                  lifespan=lifespan, responses=_REFUSALS)  # fmt: skip
    app.state.desk, app.state.door, app.state.options = desk, Door(ledger, options), options
    app.include_router(pages.router, default_response_class=HTMLResponse)
    app.include_router(api.router)
    app.mount(pages.static_address(), _Static("private, max-age=31536000, immutable"))
    app.mount("/static", _Static("no-cache"))
    _tell_errors(app)
    app.add_middleware(
        Safeguard,
        hosts=options.host_names,
        encrypted=options.is_encrypted,
        peers=lambda peer: not options.only_proxies or options.is_proxy(peer),
        uploads={PHOTO_PATH: int(options.upload_mb * 1e6), RESULTS_PATH: RESULTS_BYTES},
        admission=partial(_admission, app),
    )
    return app


async def _admission(app: FastAPI, scope: Scope) -> Response | None:
    """Who may send a file is known before it is read: what strangers send costs neither memory nor disk."""
    request = Request({**scope, "app": app})
    try:
        await run_in_threadpool(may_upload, request)
    except StarletteHTTPException as error:
        return JSONResponse({"error": str(error.detail)}, error.status_code)
    except CvpipeError as error:
        return JSONResponse({"error": refusals.sentence(error, words_of(request))}, _status_of(error))
    return None


def _warm_up(desk: Desk) -> None:
    """Make what the first visitors see; what cannot be made is told to whoever asks for it."""
    with suppress(CvpipeError):
        desk.warm_up(desk.today())
        api.district_jpeg(desk)


class _Static(StaticFiles):
    """Own files, and how browsers may keep them."""

    def __init__(self, kept: str) -> None:
        super().__init__(directory=pages.static_folder())
        self._kept = kept

    def file_response(self, *args: object, **named: object) -> Response:
        answer: Response = super().file_response(*args, **named)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = self._kept
        return answer


def _tell_errors(app: FastAPI) -> None:
    @app.exception_handler(NotLoggedInError)
    def to_log_in(request: Request, _: Exception) -> Response:
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?to={quote(asked[:200])}", 303)

    @app.exception_handler(CvpipeError)
    def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, CvpipeError)
        return _told(request, _status_of(error), refusals.sentence(error, words_of(request)))

    @app.exception_handler(StarletteHTTPException)
    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException | StarletteHTTPException)
        said = refusals.detail(error.status_code, str(error.detail), words_of(request))
        return _told(request, error.status_code, said)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _told(request, 422, refusals.unfit(error.errors()[0], words_of(request)))


def _status_of(error: CvpipeError) -> int:
    if isinstance(error, UnknownSiteError):
        return 404
    if isinstance(error, LedgerUnavailableError):
        return 503  # not refused: the page sends it again
    return 409 if isinstance(error, LedgerError) else 422 if isinstance(error, UsageError) else 500


def _told(request: Request, status: int, said: str) -> Response:
    """A page for people, JSON for scripts."""
    if "text/html" in request.headers.get("accept", ""):
        return pages.problem(request, words_of(request), status, said)
    return JSONResponse({"error": said}, status)


__all__ = ["create_app"]
