"""Facts that are costly to find out again, kept in a file of JSON lines.

A fact is appended as it comes, so that a kill loses at most the line that was being written. What is lost, or cannot
be kept because the disk is full or read-only, is found out again: nothing else hangs on it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from cvpipe.folders import written_whole

LOG = logging.getLogger(__name__)

#: Lines that a file may have for each fact before it is written anew, and the lines below which that is not worth it.
MOST_LINES_PER_FACT = 3
FEW_LINES = 1000


class Journal:
    """Values of plain data by key; of several lines with one key the last holds."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> Any:
        """The value that was put last; None where there is none."""
        return self._facts.get(key)

    def values(self) -> Iterable[Any]:
        """The values that were put last of all keys."""
        return self._facts.values()

    def put(self, key: str, value: Any) -> None:
        """Keep a value, here and in the file."""
        self._facts[key] = value
        line = json.dumps([key, value], separators=(",", ":"))  # ASCII: file names need not be valid text
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}")  # the break goes first: a line that a kill cut short stays alone
        except OSError as error:
            LOG.debug("%s: a fact could not be kept: %s", self._path, error)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        lines = self._lines()
        facts = _whole(lines)
        if facts is None:
            facts = _line_by_line(lines)
        if len(lines) > max(FEW_LINES, MOST_LINES_PER_FACT * len(facts)):
            self._rewrite(facts)
        return facts

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []

    def _rewrite(self, facts: dict[str, Any]) -> None:
        try:
            with written_whole(self._path) as part:
                part.write_text("".join(f"\n{json.dumps(fact)}" for fact in facts.items()), "utf-8")
        except OSError as error:
            LOG.debug("%s: could not be written anew: %s", self._path, error)


def _whole(lines: list[str]) -> dict[str, Any] | None:
    """The facts of a file in which every line is whole, several times as fast; None for any other."""
    try:
        facts = dict(json.loads(f"[{','.join(filter(None, lines))}]"))
    except (ValueError, TypeError):
        return None
    return facts if all(type(key) is str for key in facts) else None


def _line_by_line(lines: list[str]) -> dict[str, Any]:
    facts = dict[str, Any]()
    for line in lines:
        try:
            key, value = json.loads(line)
            facts[str(key)] = value
        except (ValueError, TypeError):
            continue
    return facts
