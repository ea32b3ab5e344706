"""Who asks: the visitor of a request, what they may do, and the token without which nothing is written."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from cvpipe.assess.criteria import Language
from cvpipe.domain import Role
from cvpipe.review.desk import Desk
from cvpipe.review.door import Door, Visitor
from cvpipe.review.options import ReviewOptions
from cvpipe.review.words import Words

CSRF_HEADER = "X-CSRF-Token"
LANGUAGE_COOKIE = "cvpipe_lang"

#: Roles from the least to the most; each may do what those before it may.
_LADDER = tuple(Role)


class NotLoggedInError(Exception):
    """A page was asked for by nobody: they are sent to log in."""


def desk_of(request: Request) -> Desk:
    """The desk of the application."""
    desk: Desk = request.app.state.desk
    return desk


def door_of(request: Request) -> Door:
    """The door of the application."""
    door: Door = request.app.state.door
    return door


def options_of(request: Request) -> ReviewOptions:
    """What the server was told."""
    options: ReviewOptions = request.app.state.options
    return options


def cookie_name(options: ReviewOptions) -> str:
    """The session's cookie; behind TLS browsers hold it to this host and path by its name."""
    return "__Host-cvpipe" if options.is_encrypted else "cvpipe_session"


def address_of(request: Request) -> str:
    """Where a request comes from: as a trusted proxy says, else the other end of the connection."""
    peer = request.client.host if request.client else ""
    if not options_of(request).is_proxy(peer):
        return peer
    # Some proxies add a line of their own to the one that the visitor made up: the last word is the proxy's.
    lines = request.headers.getlist("x-forwarded-for") or [peer]
    return lines[-1].rpartition(",")[2].strip()


def named_by_proxy(request: Request) -> str | None:
    """Who a trusted proxy says that this is: nobody where it names several; None where there is no such proxy."""
    options = options_of(request)
    peer = request.client.host if request.client else ""
    if options.user_header is None or not options.is_proxy(peer):
        return None
    named = request.headers.getlist(options.user_header)
    return named[0] if len(named) == 1 else "" if named else None


def visitor_of(request: Request) -> Visitor | None:
    """Who is logged in; None for nobody, and where a proxy says that this is somebody else."""
    visitor = door_of(request).visitor(request.cookies.get(cookie_name(options_of(request))))
    named = named_by_proxy(request)
    return None if visitor and named is not None and named != visitor.name else visitor


def reader(request: Request) -> Visitor:
    """Whoever may look. Raises NotLoggedInError for pages, 401 for all else."""
    visitor = visitor_of(request)
    if visitor is not None:
        return visitor
    if "text/html" in request.headers.get("accept", "") and request.method == "GET":
        raise NotLoggedInError
    raise HTTPException(401, words_of(request).log_in_first)


def _at_least(role: Role) -> Callable[[Request], Visitor]:
    def allowed(request: Request) -> Visitor:
        visitor = reader(request)
        if _LADDER.index(visitor.account.role) < _LADDER.index(role):
            raise HTTPException(403, words_of(request).not_allowed)
        if request.method not in {"GET", "HEAD"}:
            given = request.headers.get(CSRF_HEADER, "")
            if not secrets.compare_digest(given.encode(), visitor.session.csrf.encode()):
                raise HTTPException(403, words_of(request).page_too_old)
        return visitor

    return allowed


def may_upload(request: Request) -> Visitor:
    """Who sends a file. Raises what `Reviewer` raises; asked before a byte of the file is read."""
    return _at_least(Role.REVIEWER)(request)


def words_of(request: Request) -> Words:
    """The words of the visitor's language: as they chose, else as their browser prefers."""
    return Words(language_of(request))


def language_of(request: Request) -> Language:
    """`en` or `zh`."""
    chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in ("en", "zh"):
        return "zh" if chosen == "zh" else "en"
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


# What takes no time is asked for on the event loop: each hop to a thread and back costs more than it.
async def _desk_of(request: Request) -> Desk:
    return desk_of(request)


async def _words_of(request: Request) -> Words:
    return words_of(request)


DeskOf = Annotated[Desk, Depends(_desk_of)]
WordsOf = Annotated[Words, Depends(_words_of)]
Viewer = Annotated[Visitor, Depends(_at_least(Role.VIEWER))]
Reviewer = Annotated[Visitor, Depends(_at_least(Role.REVIEWER))]
Admin = Annotated[Visitor, Depends(_at_least(Role.ADMIN))]

__all__ = [
    "Admin",
    "DeskOf",
    "NotLoggedInError",
    "Reviewer",
    "Viewer",
    "WordsOf",
    "address_of",
    "cookie_name",
    "door_of",
    "language_of",
    "may_upload",
    "named_by_proxy",
    "options_of",
    "visitor_of",
    "words_of",
]
