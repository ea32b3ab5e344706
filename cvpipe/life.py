"""A site's life: which status may follow which, what that is called, and who may say so (DOMAIN: a site's life).

    registered → in_progress → demolished → cleared → closed → rebound → and round again
                                                      exempt: a structure that is kept

Work may leap ahead between two visits; closing may not: a site is cleared before it is closed. The machine never
moves a site: it only says where it saw it stand (`OBSERVABLE`), in a column of its own. It may suspect a rebound;
a person confirms it.
"""

from __future__ import annotations

from cvpipe.domain import Move, SiteStatus, Stage
from cvpipe.errors import IllegalMoveError

REGISTERED, IN_PROGRESS, DEMOLISHED = SiteStatus.REGISTERED, SiteStatus.IN_PROGRESS, SiteStatus.DEMOLISHED
CLEARED, CLOSED, REBOUND, EXEMPT = SiteStatus.CLEARED, SiteStatus.CLOSED, SiteStatus.REBOUND, SiteStatus.EXEMPT

#: Every move that a person may make: from → to → what it is called.
MOVES: dict[SiteStatus, dict[SiteStatus, Move]] = {
    REGISTERED: {
        IN_PROGRESS: Move.ADVANCE,
        DEMOLISHED: Move.ADVANCE,
        CLEARED: Move.ADVANCE,
        EXEMPT: Move.EXEMPT,
    },
    IN_PROGRESS: {
        REGISTERED: Move.SET_BACK,
        DEMOLISHED: Move.ADVANCE,
        CLEARED: Move.ADVANCE,
        EXEMPT: Move.EXEMPT,
    },
    DEMOLISHED: {
        IN_PROGRESS: Move.SET_BACK,
        CLEARED: Move.ADVANCE,
    },
    CLEARED: {
        IN_PROGRESS: Move.SET_BACK,
        DEMOLISHED: Move.SET_BACK,
        CLOSED: Move.CLOSE,
    },
    CLOSED: {
        IN_PROGRESS: Move.REOPEN,
        CLEARED: Move.REOPEN,
        REBOUND: Move.CONFIRM_REBOUND,
    },
    REBOUND: {
        IN_PROGRESS: Move.ADVANCE,
        DEMOLISHED: Move.ADVANCE,
        CLEARED: Move.ADVANCE,
        EXEMPT: Move.EXEMPT,
    },
    EXEMPT: {
        REGISTERED: Move.REOPEN,
        IN_PROGRESS: Move.REOPEN,
    },
}

#: Moves that take something back or make an exception: whoever makes one says why.
NEEDS_REASON = frozenset({Move.SET_BACK, Move.REOPEN, Move.EXEMPT, Move.CONFIRM_REBOUND})

#: The status that a site was seen at, by the stage that its pictures show; green is no status. That a site is closed or
#: exempt is for people to say.
SEEN_AS: dict[Stage, SiteStatus] = {
    Stage.STANDING: REGISTERED,
    Stage.IN_PROGRESS: IN_PROGRESS,
    Stage.DEMOLISHED: DEMOLISHED,
    Stage.CLEARED: CLEARED,
    Stage.REBOUND: REBOUND,
}

#: Where the machine can see a site stand.
OBSERVABLE = frozenset(SEEN_AS.values())


def move_between(code: str, was: SiteStatus, becomes: SiteStatus) -> Move:
    """What it is called to take the site `code` from one status to the other.

    Raises IllegalMoveError that names the statuses it may go to.
    """
    legal = MOVES[was]
    if becomes not in legal:
        found = f"it is {was} already" if becomes is was else f"from {was} it cannot become {becomes}"
        raise IllegalMoveError(found, where=f"site {code}", remedy=f"Legal from here: {', '.join(legal)}.")
    return legal[becomes]


__all__ = ["MOVES", "NEEDS_REASON", "OBSERVABLE", "SEEN_AS", "move_between"]
