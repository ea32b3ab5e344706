"""The application: addresses, what surrounds them, and how errors are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Thread
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

import cvpipe
from cvpipe.errors import CvpipeError, LedgerError, LedgerUnavailableError, UnknownSiteError, UsageError
from cvpipe.ledger import Ledger
from cvpipe.review import api, pages
from cvpipe.review.access import NotLoggedInError, words_of
from cvpipe.review.desk import Desk
from cvpipe.review.door import Door
from cvpipe.review.middleware import Safeguard
from cvpipe.review.options import ReviewOptions

UPLOAD_PATH = "/api/attachments"


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
                  lifespan=lifespan)  # fmt: skip
    app.state.desk, app.state.door, app.state.options = desk, Door(ledger, options), options
    app.include_router(pages.router, default_response_class=Response)
    app.include_router(api.router)
    app.mount("/static", _Static(directory=pages.static_folder()))
    _tell_errors(app)
    app.add_middleware(
        Safeguard,
        hosts=options.host_names,
        encrypted=options.is_encrypted,
        upload_path=UPLOAD_PATH,
        upload_bytes=int(options.upload_mb * 1e6),
    )
    return app


def _warm_up(desk: Desk) -> None:
    """Make what the first visitors see; what cannot be made is told to whoever asks for it."""
    with suppress(CvpipeError):
        desk.warm_up(api.today())
        api.district_jpeg(desk)


class _Static(StaticFiles):
    """Own files; browsers ask each time whether they are the same still, which costs a millisecond."""

    def file_response(self, *args: object, **named: object) -> Response:
        answer: Response = super().file_response(*args, **named)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def _tell_errors(app: FastAPI) -> None:
    @app.exception_handler(NotLoggedInError)
    def to_log_in(request: Request, _: Exception) -> Response:
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?to={quote(asked[:200])}", 303)

    @app.exception_handler(CvpipeError)
    def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, CvpipeError)
        return _told(request, _status_of(error), f"{error.found}. {error.remedy}".rstrip())

    @app.exception_handler(StarletteHTTPException)
    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException | StarletteHTTPException)
        said = words_of(request).not_found if error.status_code == 404 else str(error.detail)
        return _told(request, error.status_code, said)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        return _told(request, 422, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")


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
