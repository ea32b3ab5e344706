"""Killed runs, in short; `scripts/stress_run.py` is the long form."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import stress_run

pytestmark = pytest.mark.slow


def test_killed_runs_end_with_the_ledger_of_an_undisturbed_one(tmp_path: Path) -> None:
    found = stress_run.kill(tmp_path, kills=3, sites=6)
    assert found.problems == ()
    assert found.kills == 3


def test_a_difference_is_seen() -> None:
    one: list[object] = [{"a": 1.0, "b": ["x", 2]}]
    assert not stress_run.difference(one, [{"a": 1.0 + 1e-6, "b": ["x", 2]}])
    for other in ([{"a": 1.1, "b": ["x", 2]}], [{"a": 1.0, "b": ["y", 2]}], [{"a": 1.0, "b": ["x"]}], [{"a": 1.0}], []):
        assert stress_run.difference(one, other)
