"""A site's life: the moves that there are, and what is said of those that are not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cvpipe.domain import Move, SiteStatus
from cvpipe.errors import IllegalMoveError
from cvpipe.life import MOVES, NEEDS_REASON, OBSERVABLE, move_between

S = SiteStatus

#: The life as DOMAIN tells it, round once.
ROUND = (S.REGISTERED, S.IN_PROGRESS, S.DEMOLISHED, S.CLEARED, S.CLOSED, S.REBOUND, S.IN_PROGRESS)


def test_the_life_goes_round() -> None:
    named = [move_between("A", was, becomes) for was, becomes in pairwise(ROUND)]
    advance = Move.ADVANCE
    assert named == [advance, advance, advance, Move.CLOSE, Move.CONFIRM_REBOUND, advance]


def test_every_status_has_a_way_on_and_a_way_to_it() -> None:
    assert set(MOVES) == set(SiteStatus)
    assert {becomes for legal in MOVES.values() for becomes in legal} == set(SiteStatus)
    assert all(was not in legal for was, legal in MOVES.items())


def test_only_what_is_cleared_is_closed_and_only_what_is_closed_rebounds() -> None:
    assert [was for was, legal in MOVES.items() if S.CLOSED in legal] == [S.CLEARED]
    assert [was for was, legal in MOVES.items() if S.REBOUND in legal] == [S.CLOSED]


def test_a_structure_that_is_gone_cannot_be_kept() -> None:
    exempted = {was for was, legal in MOVES.items() if Move.EXEMPT in legal.values()}
    assert exempted == {S.REGISTERED, S.IN_PROGRESS, S.REBOUND}


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        (
            S.REGISTERED,
            S.CLOSED,
            "from registered it cannot become closed. Legal from here: in_progress, demolished, cleared, exempt.",
        ),
        (S.CLOSED, S.CLOSED, "it is closed already. Legal from here: in_progress, cleared, rebound."),
        (S.EXEMPT, S.CLOSED, "from exempt it cannot become closed. Legal from here: registered, in_progress."),
    ],
)
def test_an_illegal_move_names_the_legal_ones(was: SiteStatus, becomes: SiteStatus, said: str) -> None:
    with pytest.raises(IllegalMoveError) as refused:
        move_between("SJS-1", was, becomes)
    assert str(refused.value) == f"site SJS-1: {said}"


def test_the_machine_never_sees_what_people_decide() -> None:
    assert {S.CLOSED, S.EXEMPT}.isdisjoint(OBSERVABLE)
    assert {Move.ADVANCE, Move.CLOSE}.isdisjoint(NEEDS_REASON)
