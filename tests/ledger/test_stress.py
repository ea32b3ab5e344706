"""Killed writers and many writers, in short; `scripts/stress_ledger.py` is the long form."""

from __future__ import annotations

import pytest

from cvpipe.ledger import Ledger
from scripts import benchmark_ledger, stress_ledger
from tests.ledger import samples
from tests.ledger.conftest import Databases, Store

pytestmark = pytest.mark.slow


def test_killed_writers_leave_a_whole_ledger(stores: Store) -> None:
    killed = stress_ledger.kill(stores.bare, kills=5, sites=12)
    assert killed.problems == ()
    assert killed.kills == 5


def test_eight_writers_lose_no_word(stores: Store) -> None:
    found = stress_ledger.crowd(stores.bare(), writers=8, seconds=2)
    assert found.problems == ()
    assert {"assessment", "decision", "rename"} <= set(found.writes)


def test_a_benchmark_in_one_database_takes_one_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmark_ledger", "--url", "postgresql://x", "--stores", "postgres"])
    with pytest.raises(SystemExit, match="2"):
        benchmark_ledger.main()
    assert "give one size with --sizes" in capsys.readouterr().err


def test_the_digest_tells_ledgers_apart_but_not_times(stores: Store) -> None:
    with Ledger.open(stores.copy("filled")) as one, Ledger.open(stores.copy("empty")) as other:
        run_id = samples.fill(other)
        assert stress_ledger.content_digest(one) == stress_ledger.content_digest(other)
        other.record(run_id, samples.assessment("SJS-002", "key-2"))
        assert stress_ledger.content_digest(one) != stress_ledger.content_digest(other)


@pytest.mark.postgres
def test_both_stores_say_the_same(filled_file: Ledger, databases: Databases) -> None:
    with Ledger.open(databases.copy("filled")) as other:
        assert stress_ledger.content_digest(filled_file) == stress_ledger.content_digest(other)
        hashes = [
            [record.content_hash for record in ledger.audit() if record.kind in ("site", "scene")]
            for ledger in (filled_file, other)
        ]
    assert hashes[0] == hashes[1]
