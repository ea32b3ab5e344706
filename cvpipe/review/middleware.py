"""What holds for every answer: security headers, known hosts only, and no more bytes than an address takes."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class TooLargeError(Exception):
    """More bytes came than the address takes."""


class Safeguard:
    """ASGI middleware around the whole application. `upload_path` alone takes up to `upload_bytes`."""

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str], encrypted: bool, upload_path: str, upload_bytes: int
    ) -> None:
        self._app, self._hosts, self._encrypted = app, frozenset(hosts), encrypted
        self._upload_path, self._upload_bytes = upload_path, upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = self._with_headers(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        try:
            await self._app(scope, _counted(receive, self._limit(scope)), guarded)
        except TooLargeError:
            await _too_large()(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        if _host_of(headers.get("host", "")) not in self._hosts:
            return PlainTextResponse("This server does not answer to that name.", 421)
        if scope["method"] not in {"GET", "HEAD"} and _is_foreign(headers):
            return PlainTextResponse("This came from another page.", 403)
        stated = headers.get("content-length", "0")
        if not stated.isdecimal() or int(stated) > self._limit(scope):
            return _too_large()
        return None

    def _limit(self, scope: Scope) -> int:
        return self._upload_bytes if scope["path"] == self._upload_path else BODY_BYTES

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


def _counted(receive: Receive, limit: int) -> Receive:
    """`receive` that stops a body which is longer than it said it would be."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLargeError
        return message

    return counted


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


def _too_large() -> PlainTextResponse:
    return PlainTextResponse("That is too large.", 413)


__all__ = ["POLICY", "Safeguard"]
