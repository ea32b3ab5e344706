"""What the assessments of sites rest on and how they ended, without areas and outlines: what a plan asks of many."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, select

from cvpipe.domain import Outcome, Question
from cvpipe.ledger.records import Answered
from cvpipe.ledger.schema import assessments

_CHUNK = 1000  # codes per query; SQLite takes 32,766 parameters at most

_C = assessments.c
_QUERY = select(
    _C.site_code,
    _C.key,
    _C.before_hash,
    _C.after_hash,
    _C.before_fill,
    _C.after_fill,
    _C.bundle_digest,
    _C.rules_version,
    *(_C[question.value] for question in Question),
).order_by(_C.site_code, _C.after_date.nulls_first(), _C.id)


def of_sites(connection: Connection, codes: Collection[str]) -> list[Answered]:
    """Of some sites; of each the earlier epochs first."""
    wanted, found = sorted(codes), list[Answered]()
    for start in range(0, len(wanted), _CHUNK):
        found += _answered(connection, _QUERY.where(_C.site_code.in_(wanted[start : start + _CHUNK])))
    return found


def of_range(connection: Connection, first: str, last: str) -> list[Answered]:
    """Of the sites from one code to another, both included, in the order of the ledger."""
    return list(_answered(connection, _QUERY.where(_C.site_code.between(first, last))))


def _answered(connection: Connection, query: Select[Any]) -> Iterator[Answered]:
    for code, key, before, after, before_fill, after_fill, bundle, rules, *given in connection.execute(query):
        filling = tuple(before_fill or ()), tuple(after_fill or ())
        yield Answered(code, key, before, after, *filling, bundle, rules, _outcomes(*given))


@lru_cache
def _outcomes(*given: str | None) -> Mapping[Question, Outcome]:
    """The few ways in which assessments end are told once each."""
    return {question: Outcome(answer) for question, answer in zip(Question, given, strict=True) if answer is not None}
