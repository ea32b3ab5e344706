"""The exception tree: drawn as it is, with messages that say what, where and what next."""

from __future__ import annotations

import inspect
import pickle
import re
import sys

import pytest

from cvpipe import cli, errors
from cvpipe.errors import (
    ClusterError,
    CvpipeError,
    InputError,
    LeaseError,
    LedgerError,
    RunFailedError,
    SceneError,
    UsageError,
)

ALL = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, CvpipeError)]


def drawn_tree() -> dict[str, str | None]:
    """Parent of each error by the drawing in the module's docstring."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^([\s│├└─]+)(\w+Error)\b", line):
            depth, name = len(found[1]), found[2]
            above = [(d, n) for d, n in above if d < depth]
            parents[name] = above[-1][1] if above else None
            above.append((depth, name))
    return parents


def test_the_drawing_shows_the_tree_as_it_is() -> None:
    real = {c.__name__: None if c is CvpipeError else c.__base__.__name__ for c in ALL if c.__base__}
    assert drawn_tree() == real


def test_a_message_says_what_where_and_what_next() -> None:
    error = SceneError("no such file", where="a.tif", remedy="Check the path.")
    assert str(error) == "a.tif: no such file. Check the path."
    assert (error.found, error.where, error.remedy) == ("no such file", "a.tif", "Check the path.")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UsageError("wrong"), "wrong"),
        (UsageError("wrong", where=3), "3: wrong"),
        (UsageError("wrong", remedy="Mend it."), "wrong. Mend it."),
    ],
)
def test_parts_may_be_missing(error: CvpipeError, message: str) -> None:
    assert str(error) == message


@pytest.mark.parametrize("kind", ALL)
def test_wrong_calls_end_with_2_and_failed_jobs_with_1(kind: type[CvpipeError]) -> None:
    expected = 2 if issubclass(kind, UsageError | LedgerError | LeaseError | ClusterError) else 1
    assert kind("x").exit_code == expected
    assert RunFailedError("x").exit_code == 1


@pytest.mark.parametrize("kind", ALL)
def test_an_error_comes_out_of_a_worker_whole(kind: type[CvpipeError]) -> None:
    sent = kind("found", where="there", remedy="Do this.")
    came = pickle.loads(pickle.dumps(sent))
    assert type(came) is kind
    assert (str(came), came.found, came.where, came.remedy) == (str(sent), "found", "there", "Do this.")


def test_the_command_line_prints_one_line_and_ends_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing() -> None:
        raise InputError("[odd] brackets", where="x" * 200, remedy="Mend it.")

    monkeypatch.setattr(sys.modules["cvpipe.cli"], "app", failing)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == f"cvpipe: {'x' * 200}: [odd] brackets. Mend it.\n"
