"""One run at a time in a workspace, and a lease that nobody has to clear away by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cvpipe.errors import LeaseError
from cvpipe.run.lease import holder_of, lease

HOLDING = """
import sys, time
from pathlib import Path
from cvpipe.run.lease import lease
with lease(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def _another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease; killed at the end of the block."""
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def _rewritten(folder: Path, **values: object) -> None:
    file = folder / "lease.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_second_run_is_refused_and_told_who_holds_the_lease(tmp_path: Path) -> None:
    with lease(tmp_path), pytest.raises(LeaseError, match=f"process {os.getpid()} on"), lease(tmp_path):
        pass


def test_the_lease_is_given_back_at_the_end_and_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), lease(tmp_path):
        raise ValueError("inside")
    assert holder_of(tmp_path) is None
    with lease(tmp_path):
        assert holder_of(tmp_path) is not None


def test_a_killed_run_leaves_nothing_to_wait_for_on_its_machine(tmp_path: Path) -> None:
    with _another(tmp_path), pytest.raises(LeaseError), lease(tmp_path):
        pass
    with lease(tmp_path) as mine:
        assert mine.process == os.getpid()


def test_another_process_with_the_number_of_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    with _another(tmp_path):
        _rewritten(tmp_path, process=os.getpid())
        assert holder_of(tmp_path) is None


def test_the_lease_of_another_machine_counts_until_it_expires(tmp_path: Path) -> None:
    with lease(tmp_path, lives_s=600):
        _rewritten(tmp_path, machine="elsewhere")
        with pytest.raises(LeaseError, match="on elsewhere"), lease(tmp_path):
            pass
        _rewritten(tmp_path, until=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
        assert holder_of(tmp_path) is None


def test_it_is_renewed_while_the_run_goes_on(tmp_path: Path) -> None:
    with lease(tmp_path, lives_s=0.4) as mine:
        until = datetime.now(UTC) + timedelta(seconds=20)
        while (held := holder_of(tmp_path)) is not None and held.until == mine.until and datetime.now(UTC) < until:
            time.sleep(0.02)
        assert held is not None
        assert held.until > mine.until


def test_a_run_that_lost_its_lease_does_not_take_it_from_the_next(tmp_path: Path) -> None:
    with lease(tmp_path, lives_s=600):
        _rewritten(tmp_path, machine="elsewhere", since="later")
    found = holder_of(tmp_path)
    assert found is not None
    assert found.machine == "elsewhere"


def test_a_lease_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "lease.json").write_text("{")
    with pytest.raises(LeaseError, match="delete this file"), lease(tmp_path):
        pass


def test_a_renewal_that_fails_is_tried_again(tmp_path: Path) -> None:
    """A shared folder that is away for a moment must not cost a run its lease."""
    with lease(tmp_path, lives_s=0.4) as mine:
        file = tmp_path / "lease.json"
        text = file.read_text()
        file.write_text("{")
        time.sleep(0.4)
        file.write_text(text)
        until = time.monotonic() + 20
        while (held := holder_of(tmp_path)) is not None and held.until == mine.until and time.monotonic() < until:
            time.sleep(0.02)
        assert held is not None
        assert held.until > mine.until


def test_a_lease_that_cannot_be_given_back_costs_the_run_nothing(tmp_path: Path) -> None:
    with lease(tmp_path, lives_s=600):
        (tmp_path / "lease.json").write_text("{")
    with pytest.raises(LeaseError, match="delete this file"):
        holder_of(tmp_path)
