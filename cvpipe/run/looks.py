"""Qualities of epochs at sites as they are kept between runs, and what is known of many sites as columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Reason
from cvpipe.imagery import Quality
from cvpipe.ledger import SeenFile

_MEASURES = tuple(one.name for one in fields(Quality) if one.name != "reasons")


_COLUMNS = ("score", "reasons", *_MEASURES)


@dataclass(frozen=True)
class Recalled:
    """What is known of some sites: the number of each look's site, that of what was shown, its score, and whether
    something speaks against it, all (N,)."""

    site: NDArray[np.int64]
    shown: NDArray[np.int64]
    score: NDArray[np.float64]
    is_unusable: NDArray[np.bool_]
    _sites: Sequence[bytes]
    _file: SeenFile
    _unusable: Mapping[tuple[int, int], Quality]

    @classmethod
    def of(cls, file: SeenFile, sites: Sequence[bytes]) -> Recalled:
        """All that a file knows of sites by these digests."""
        file.ask_of(sites)
        rows = file.asked(("score", "reasons <> ''"))
        columns = (np.fromiter((row[i] for row in rows), np.float64, len(rows)) for i in range(4))
        site, shown, score, is_unusable = columns
        unusable = {(row[0], row[1]): _quality(row[2:]) for row in file.asked(_COLUMNS, "reasons <> ''")}
        return cls(site.astype(int), shown.astype(int), score, is_unusable.astype(bool), sites, file, unusable)

    def quality(self, number: int) -> Quality:
        """All of one look."""
        place = int(self.site[number]), int(self.shown[number])
        if place in self._unusable:
            return self._unusable[place]
        row = self._file.kept(self._sites[place[0]], place[1])
        assert row is not None, "what was recalled is in the file"
        return _quality(row)


class Looks:
    """Qualities by the digest of a site and by what was shown of it."""

    def __init__(self, path: Path) -> None:
        self._file = SeenFile(path, _COLUMNS)

    def of(self, site: bytes, shown: str) -> Quality | None:
        """What is known of a site; None where nothing is."""
        row = self._file.of(site, shown)
        return None if row is None else _quality(row)

    def of_sites(self, sites: Sequence[bytes]) -> Recalled:
        """All that is known of some sites."""
        return Recalled.of(self._file, sites)

    def number(self, shown: str) -> int:
        """The number of what is shown in what is recalled; -1 for what nobody has looked at."""
        return self._file.number(shown)

    def put(self, site: bytes, shown: str, seen: Quality) -> Quality:
        """Keep what was seen; returns it rounded, as it is kept, so that later runs choose by the very same figures."""
        kept = replace(seen, **{name: round(getattr(seen, name), 4) for name in _MEASURES})
        measures = (getattr(kept, name) for name in _MEASURES)
        even = (None if math.isnan(one) else one for one in measures)  # an even field has no blur
        self._file.put(site, shown, (kept.score, ",".join(kept.reasons), *even))
        return kept

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _quality(row: Sequence[Any]) -> Quality:
    """A row of the file."""
    measures = (math.nan if one is None else one for one in row[2:])
    reasons = tuple(Reason(reason) for reason in row[1].split(",")) if row[1] else ()
    return Quality(**dict(zip(_MEASURES, measures, strict=True)), reasons=reasons)


__all__ = ["Looks", "Recalled"]
