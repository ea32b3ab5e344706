"""What holds for every answer: security headers, known hosts only, and no more bytes than an address takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cvpipe.review.access import words_of

#: Only what this server sends runs, shows or styles anything; nothing is framed, nothing goes elsewhere.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

#: Largest body of anything but an upload: a polygon edit with some thousand corners.
BODY_BYTES = 1_000_000


Admission = Callable[[Scope], Awaitable[Response | None]]
"""Asked before a file is taken: the refusal, or None for whoever may send it."""


class TooLargeError(Exception):
    """More bytes came than the address takes."""


class Safeguard:
    """ASGI middleware around the whole application.

    `peers` says whose connections are answered at all. `uploads` are the paths that take files, with their largest
    size in bytes; `admission` is asked before a byte of such a file is read.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        encrypted: bool,
        peers: Callable[[str], bool],
        uploads: Mapping[str, int],
        admission: Admission,
    ) -> None:
        self._app, self._hosts, self._encrypted = app, frozenset(hosts), encrypted
        self._peers, self._uploads, self._admission = peers, uploads, admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = self._with_headers(send)
        refusal = self._refusal(scope)
        if refusal is None and scope["path"] in self._uploads and scope["method"] not in {"GET", "HEAD"}:
            refusal = await self._admission(scope)
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        body = _Counted(receive, self._limit(scope))
        with suppress(TooLargeError):
            await self._app(scope, body, _until(body, guarded))
        if body.is_over:
            await _too_large(scope)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._peers((scope.get("client") or ("",))[0]):
            return PlainTextResponse("This server answers its proxy only.", 403)
        if _host_of(headers.get("host", "")) not in self._hosts:
            return PlainTextResponse("This server does not answer to that name.", 421)
        if scope["method"] not in {"GET", "HEAD"} and _is_foreign(headers):
            return PlainTextResponse("This came from another page.", 403)
        stated = headers.get("content-length", "0")
        if not stated.isdecimal() or int(stated) > self._limit(scope):
            return _too_large(scope)
        return None

    def _limit(self, scope: Scope) -> int:
        return self._uploads.get(scope["path"], BODY_BYTES)

    def _with_headers(self, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if self._encrypted:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        return guarded


class _Counted:
    """`receive` that stops a body which is longer than it said it would be."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left, self.is_over = receive, limit, False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.is_over = True
            raise TooLargeError
        return message


def _until(body: _Counted, send: Send) -> Send:
    """`send` that is silent once the body was too long, whatever the application makes of that."""

    async def sent(message: Message) -> None:
        if not body.is_over:
            await send(message)

    return sent


def _is_foreign(headers: Headers) -> bool:
    """Whether a browser says that another site's page sent this."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def _host_of(host: str) -> str:
    """The name without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _too_large(scope: Scope) -> JSONResponse:
    return JSONResponse({"error": words_of(Request(scope)).too_large}, 413)


__all__ = ["POLICY", "Safeguard"]
