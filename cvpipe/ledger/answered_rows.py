"""What the assessments of sites rest on and how they ended, without areas and outlines: what a plan asks of many.

Rows come in no order that means anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Select, select

from cvpipe.domain import Outcome, Question
from cvpipe.ledger.records import Answered
from cvpipe.ledger.schema import assessments

_CHUNK = 1000  # codes per query; SQLite takes 32,766 parameters at most

_C = assessments.c
_KEYS = select(_C.site_code, _C.key, _C.demolition)
_ALL = select(
    _C.site_code,
    _C.before_hash,
    _C.after_hash,
    _C.before_fill,
    _C.after_fill,
    _C.bundle_digest,
    _C.rules_version,
    *(_C[question.value] for question in Question),
)
_OUTCOMES: dict[str | None, Outcome | None] = {None: None, **{outcome.value: outcome for outcome in Outcome}}

Demolition = tuple[str, str, Outcome | None]
"""The code of a site, the key of an assessment, and what it said of demolition; None where it was not asked that."""


def demolition_of(connection: Connection, codes: Collection[str]) -> list[Demolition]:
    """All that was assessed of some sites."""
    return list(_demolition(_rows(connection, _KEYS, codes)))


def demolition_between(connection: Connection, first: str, last: str) -> list[Demolition]:
    """The same of the sites from one code to another, both included, in the order of the ledger."""
    return list(_demolition(connection.execute(_KEYS.where(_C.site_code.between(first, last))).all()))


def of_sites(connection: Connection, codes: Collection[str]) -> list[Answered]:
    """What the assessments of some sites rest on."""
    return [_answered(*row) for row in _rows(connection, _ALL, codes)]


def _rows(connection: Connection, query: Select[Any], codes: Collection[str]) -> Iterator[Any]:
    wanted = sorted(codes)
    for start in range(0, len(wanted), _CHUNK):
        yield from connection.execute(query.where(_C.site_code.in_(wanted[start : start + _CHUNK]))).all()


def _demolition(rows: Iterable[Any]) -> Iterator[Demolition]:
    return ((code, key, _OUTCOMES[outcome]) for code, key, outcome in rows)


def _answered(
    code: str,
    before: str | None,
    after: str | None,
    before_fill: list[str] | None,
    after_fill: list[str] | None,
    bundle_digest: str,
    rules_version: str,
    *answers: str | None,
) -> Answered:
    questions = frozenset(question for question, answer in zip(Question, answers, strict=True) if answer is not None)
    filling = tuple(before_fill or ()), tuple(after_fill or ())
    return Answered(code, before, after, *filling, bundle_digest, rules_version, questions)
