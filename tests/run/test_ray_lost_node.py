"""A cluster of two nodes on loopback, one of which is killed in mid-run; `scripts/lose_node.py` is the long form."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (cvpipe[ray])"),
]


def test_the_ledger_is_that_of_a_run_on_one_machine() -> None:
    call = [sys.executable, "-m", "scripts.lose_node", "--sites", "6", "--after", "1"]  # the first is written at once
    done = subprocess.run(call, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["problems"] == []
    assert told["losses"] >= 1
    assert told["assessments"] > told["at_loss"], "some were written after the loss"
