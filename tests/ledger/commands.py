"""Running `cvpipe` in this process, as a terminal would."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cvpipe.cli import console, main


@dataclass(frozen=True)
class Told:
    """What a command answered."""

    code: int
    stdout: str
    stderr: str


Command = Callable[..., Told]


def plain(told: Told) -> Any:
    """What a command with --json answered."""
    assert told.code == 0, told.stderr
    return json.loads(told.stdout)


def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> Told:
    """Run `cvpipe` with these words, in a terminal wide enough for its tables."""
    monkeypatch.setattr(console.out, "width", 200)
    monkeypatch.setattr(sys, "argv", ["cvpipe", *map(str, words)])
    capsys.readouterr()
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    captured = capsys.readouterr()
    return Told(code, captured.out, captured.err)
