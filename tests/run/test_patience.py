"""Units that fail: tried again within the run, set aside, tried again by later runs; and a ledger that gives way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from rasterio.errors import RasterioIOError
from shapely.errors import GEOSException
from typer.testing import CliRunner

from cvpipe.cli import app
from cvpipe.domain import Assessment
from cvpipe.errors import LedgerError, LedgerUnavailableError, RunFailedError, SceneError
from cvpipe.ledger import Ledger, Workspace
from cvpipe.run import RunOptions, job, plan, recording, run, sites
from cvpipe.run.engines import work
from cvpipe.run.journal import Journal
from cvpipe.run.lease import lease
from cvpipe.run.patience import RESTS, Patience, may_pass
from cvpipe.run.sites import SitePair
from tests.detect.networks import PaintedNetwork
from tests.run.conftest import DAYS


def _caused(cause: Exception) -> SceneError:
    error = SceneError("its pixels cannot be read")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("out of memory"), True),
        (OSError("connection reset"), True),
        (_caused(RasterioIOError("HTTP 503")), True),
        (_caused(GEOSException("TopologyException")), False),
        (SceneError("has no georeference"), False),
        (GEOSException("TopologyException"), False),
    ],
)
def test_what_is_wrong_with_the_input_does_not_pass(error: Exception, expected: bool) -> None:
    assert may_pass(error) is expected


def test_pauses_grow_and_end_with_the_last(tmp_path: Path) -> None:
    patience = Patience(Journal(tmp_path / "j"))
    for rest in (*RESTS, RESTS[-1]):
        found = patience.set_aside("k", "A", date(2024, 5, 1), "lost")
        left = datetime.fromisoformat(found.until) - datetime.now(UTC)
        assert left.total_seconds() == pytest.approx(rest.total_seconds(), abs=5)
    again = Patience(Journal(tmp_path / "j"))
    rest_of = again.rest_of("k", "A")
    assert rest_of is not None
    assert (rest_of.runs, rest_of.reason) == (len(RESTS) + 1, "lost")
    assert again.rest_of("other", "A") is None
    for one in (Patience(Journal(tmp_path / "j"), tries_all=True), Patience(Journal(tmp_path / "j"), named=["A"])):
        assert one.rest_of("k", "A") is None
    again.forgive("k")
    assert Patience(Journal(tmp_path / "j")).rest_of("k", "A") is None


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, date | None], list[Exception]]:
    """What each pair, by site and later day, dies of, one attempt after the other; and no pause between these."""
    due: dict[tuple[str, date | None], list[Exception]] = {}
    plain = sites.assess

    def assess(pair: SitePair, *rest: object) -> Assessment:
        errors = due.get((pair.site.code, pair.epoch), [])
        if errors:
            raise errors.pop(0)
        return plain(pair, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "assess", assess)
    monkeypatch.setattr(job, "RETRY_AFTER_S", (0.0, 0.0))
    return due


def test_what_passes_is_written_and_what_lasts_is_set_aside(
    workspace: Workspace, calls: dict[tuple[str, date | None], list[Exception]]
) -> None:
    calls["B", DAYS[1]] = [OSError("hiccup"), OSError("hiccup")]
    calls["B", DAYS[2]] = [RuntimeError("poison")] * 6
    calls["A", DAYS[1]] = [GEOSException("cannot be cut")] * 2
    first = run(workspace)
    assert {(f.site_code, f.epoch, f.reason) for f in first.failures} == {
        ("B", DAYS[2], "RuntimeError: poison"),
        ("A", DAYS[1], "GEOSException: cannot be cut"),
    }
    assert first.tried_again == 5, "two attempts more at each of two pairs; one at the outline, without its neighbour"
    assert not calls["A", DAYS[1]]
    assert len(calls["B", DAYS[2]]) == 3
    second = run(workspace)  # the first rest is none
    assert [(f.site_code, f.epoch, f.rests_until) for f in second.failures] == [("B", DAYS[2], None)]
    assert not calls["B", DAYS[2]]
    third = run(workspace)
    assert (third.assessed, third.set_aside) == (0, 1)
    assert "after 2 runs: RuntimeError: poison" in third.failures[0].reason
    assert [pair.rests is not None for pair in plan(workspace) if not pair.known] == [True]
    assert run(workspace, RunOptions(retry=True)).assessed == 1
    assert run(workspace).failures == []


def test_a_site_that_is_named_is_tried(
    workspace: Workspace, calls: dict[tuple[str, date | None], list[Exception]]
) -> None:
    calls["B", DAYS[2]] = [RuntimeError("poison")] * 6
    run(workspace)
    run(workspace)
    assert run(workspace).set_aside == 1
    assert run(workspace, RunOptions(codes=["B"])).assessed == 1


def test_a_ledger_that_gives_way_ends_the_run_and_keeps_what_it_has(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, written = Ledger.record_all, list[str]()

    def record_all(ledger: Ledger, run_id: int, found: Sequence[Assessment], **rest: Any) -> list[bool]:
        if len(written) == 2:
            raise LedgerUnavailableError("the ledger could not be read or written (database or disk is full)")
        written.extend(assessment.site_code for assessment in found)
        return plain(ledger, run_id, found, **rest)

    monkeypatch.setattr(recording, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(Ledger, "record_all", record_all)
    result = CliRunner().invoke(app, ["run", "--workspace", str(workspace.folder)])
    assert isinstance(result.exception, RunFailedError)
    assert "disk is full" in str(result.exception)
    assert "2 pairs assessed" in result.stdout
    monkeypatch.setattr(Ledger, "record_all", plain)
    rest = run(workspace)
    assert (rest.known, rest.assessed, rest.stopped) == (2, 4, None)


def test_an_answer_that_the_ledger_refuses_costs_its_pair_only(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that were to be written together are written one by one then."""
    plain, sizes = Ledger.record_all, list[int]()

    def record_all(ledger: Ledger, run_id: int, found: Sequence[Assessment], **rest: Any) -> list[bool]:
        sizes.append(len(found))
        if any(assessment.site_code == "B" for assessment in found):
            raise LedgerError("the ledger forbids what was to be written")
        return plain(ledger, run_id, found, **rest)

    monkeypatch.setattr(recording, "WRITE_EVERY_S", 1e6)  # all answers wait for the end
    monkeypatch.setattr(job, "RETRY_AFTER_S", ())
    monkeypatch.setattr(Ledger, "record_all", record_all)
    summary = run(workspace)
    assert max(sizes) > 1
    assert {failure.site_code for failure in summary.failures} == {"B"}
    assert "forbids" in summary.failures[0].reason
    with workspace.ledger() as ledger:
        assert {record.assessment.site_code for record in ledger.assessments()} == {"A", "FAR"}
    monkeypatch.setattr(Ledger, "record_all", plain)
    assert run(workspace).failures == []


def test_a_run_that_is_stopped_keeps_what_was_answered(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "WRITE_EVERY_S", 1e6)
    plain, seen = sites.assess, list[str]()

    def stopped(pair: SitePair, *args: Any, **rest: Any) -> Assessment:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(pair.site.code)
        return plain(pair, *args, **rest)

    monkeypatch.setattr(work, "assess", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(workspace)
    monkeypatch.setattr(work, "assess", plain)
    assert run(workspace).known == 3


def test_a_run_that_goes_on_elsewhere_is_named_and_a_dry_run_does_not_mind(
    workspace: Workspace, network: PaintedNetwork
) -> None:
    with lease(workspace.runs) as held:
        refused = CliRunner().invoke(app, ["run", "--workspace", str(workspace.folder)])
        dry = CliRunner().invoke(app, ["run", "--workspace", str(workspace.folder), "--dry-run"])
    assert refused.exception is not None
    assert held.holder in str(refused.exception)
    assert getattr(refused.exception, "exit_code", None) == 2
    assert dry.exit_code == 0
    assert "no earlier run tells: a default" in " ".join(dry.stdout.split())
    assert not network.batches
