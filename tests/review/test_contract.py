"""Every address under generated requests, as each role: no fault of the server, and no undocumented answer."""

from __future__ import annotations

import os
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings

from cvpipe.ledger import Ledger
from tests.review.conftest import LogIn
from tests.review.visitors import HOST, Person

requests = pytest.importorskip("requests")
schemathesis = pytest.importorskip("schemathesis")
openapi_checks = pytest.importorskip("schemathesis.specs.openapi.checks")

CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.content_type_conformance,
]

pytestmark = pytest.mark.slow

#: Requests of each address and role; the variable asks for a longer search.
EXAMPLES = int(os.environ.get("CVPIPE_CONTRACT_EXAMPLES", "8"))

ROLES = {"vera": "viewer", "anna": "reviewer", "ada": "admin"}

#: What would end the session, or is the session's beginning.
_DOORS = {"/login", "/logout"}


def operations(app: FastAPI) -> list[Any]:
    """All operations of the description."""
    found = [result.ok() for result in schemathesis.openapi.from_dict(app.openapi()).get_all_operations()]
    assert len(found) > 25
    return found


def called(person: Person, case: Any) -> Any:
    """The answer to a generated request, with the session and token of a person."""
    prepared = requests.Request(**case.as_transport_kwargs(base_url=HOST)).prepare()
    headers = {**prepared.headers, "X-CSRF-Token": person.csrf}
    headers.pop("Cookie", None)
    assert prepared.method is not None
    assert prepared.url is not None
    return person.http.request(prepared.method, prepared.url, content=prepared.body, headers=headers)


@pytest.mark.parametrize("name", ROLES)
def test_no_request_makes_the_server_fail(app: FastAPI, log_in: LogIn, ledger: Ledger, name: str) -> None:
    person = log_in(name)
    for operation in operations(app):
        if operation.path in _DOORS:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(
            case=operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
        )
        def holds(case: Any) -> None:
            case.validate_response(called(person, case), checks=CHECKS)

        holds()
    assert ledger.verify().problems == ()
