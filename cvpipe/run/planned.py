"""A plan as a table: what is asked of sites that are alike is held once, and told pair by pair where somebody reads it.

A million sites have a few thousand such wants between them; what is a site's own is a number in a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from cvpipe.run.epochs import Epochs, PassedOver
from cvpipe.run.estimate import NOTHING, Load
from cvpipe.run.planning import Asked
from cvpipe.run.sites import PairKind
from cvpipe.run.summary import Failure


class Why(StrEnum):
    """Why a pair would be assessed."""

    FIRST = "first assessment"
    NEW_SCENE = "new pair of scenes"
    CHANGED_SITE = "outline or plan changed"
    NEW_BUNDLE = "other bundle"
    NEW_RULES = "other rules"


@dataclass(frozen=True)
class PlannedPair:
    """A unit as `--dry-run` shows it. `why` is None where the ledger holds its assessment already (`known`).

    `reason` says how the earlier epoch was chosen. `newest_usable` and `passed_over` are the site's: its newest epoch
    that can be judged, and what shows it but was not chosen. `rests` says why it would not be tried now: it failed
    before. `load` is what a run would read and think about for it: ground that sites share goes with the first of them.
    """

    site_code: str
    kind: PairKind
    before: date | None
    after: date | None
    reason: str
    known: bool
    why: Why | None = None
    before_scenes: tuple[str, ...] = ()
    after_scenes: tuple[str, ...] = ()
    newest_usable: date | None = None
    passed_over: tuple[PassedOver, ...] = ()
    rests: str | None = None
    load: Load = NOTHING


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is asked of all sites with these epochs that are equally far; `whys` as in `PlannedPair`."""

    epochs: Epochs
    asked: tuple[Asked, ...]
    whys: tuple[Why | None, ...]

    @cached_property
    def is_new(self) -> NDArray[np.bool_]:
        """Which of it has no assessment (N,)."""
        return np.array([why is not None for why in self.whys], bool)

    @cached_property
    def choices(self) -> tuple[int, ...]:
        """The places of the pairs that tell which baselines were chosen, and why: each of these once."""
        first = dict[tuple[date | None, str], int]()
        for place, asked in enumerate(self.asked):
            if asked.kind is PairKind.REMEDIATION:
                first.setdefault((asked.before.acquired if asked.before else None, asked.reason), place)
        return tuple(first.values())


@dataclass(frozen=True)
class Loads:
    """The loads of all pairs of a plan, as columns (N,) of what `Load` holds."""

    units: NDArray[np.int64]
    read_megapixels: NDArray[np.float64]
    megapixels: NDArray[np.float64]

    @classmethod
    def nothing(cls, pairs: int) -> Loads:
        """Of so many pairs."""
        return cls(np.zeros(pairs, np.int64), np.zeros(pairs), np.zeros(pairs))

    @classmethod
    def joined(cls, parts: Sequence[Loads]) -> Loads:
        """Those of pairs that follow each other."""
        if not parts:
            return cls.nothing(0)
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    def of(self, number: int) -> Load:
        """The load of one pair."""
        if not self.units[number]:
            return NOTHING
        return Load(int(self.units[number]), float(self.read_megapixels[number]), float(self.megapixels[number]))

    def sum_of(self, numbers: NDArray[np.int64]) -> Load:
        """The load of some pairs."""
        columns = self.read_megapixels, self.megapixels
        return Load(int(self.units[numbers].sum()), *(float(column[numbers].sum()) for column in columns))


@dataclass(frozen=True)
class Table:
    """The pairs of some sites, one site after the other: what each site wants, by its code, why pairs rest, by their
    number, and their loads."""

    codes: Sequence[str]
    wanted: Sequence[Wanted]
    rests: Mapping[int, str]
    loads: Loads

    @classmethod
    def joined(cls, parts: Sequence[Table]) -> Table:
        """Sites that follow each other."""
        before = np.cumsum([0, *(part.pairs for part in parts)]).tolist()
        return cls(
            codes=[code for part in parts for code in part.codes],
            wanted=[wanted for part in parts for wanted in part.wanted],
            rests={
                n + number: told for n, part in zip(before, parts, strict=False) for number, told in part.rests.items()
            },
            loads=Loads.joined([part.loads for part in parts]),
        )

    @property
    def pairs(self) -> int:
        """How many there are."""
        return int(self.begins[-1])

    @cached_property
    def begins(self) -> NDArray[np.int64]:
        """The number of the first pair of each site, and that of all pairs (S + 1,)."""
        return np.cumsum([0, *(len(wanted.asked) for wanted in self.wanted)])

    @cached_property
    def is_new(self) -> NDArray[np.bool_]:
        """Which pairs have no assessment (N,)."""
        return np.concatenate([np.zeros(0, bool), *(wanted.is_new for wanted in self.wanted)])

    @cached_property
    def is_pending(self) -> NDArray[np.bool_]:
        """Which pairs a run would try (N,): those that have no assessment and do not rest."""
        pending = self.is_new.copy()
        pending[list(self.rests)] = False
        return pending

    def any_of_site(self, pairs: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of which sites some of these pairs (N,) are (S,)."""
        return np.asarray(np.diff(np.append(0, np.cumsum(pairs))[self.begins]) > 0)

    def told(self, number: int) -> PlannedPair:
        """One pair."""
        site = int(np.searchsorted(self.begins, number, side="right")) - 1
        wanted, at = self.wanted[site], number - int(self.begins[site])
        asked, newest = wanted.asked[at], wanted.epochs.newest
        before, after = asked.before, asked.after
        return PlannedPair(
            site_code=self.codes[site],
            kind=asked.kind,
            before=before.acquired if before else None,
            after=after.acquired if after else None,
            reason=asked.reason,
            known=wanted.whys[at] is None,
            why=wanted.whys[at],
            before_scenes=before.names if before else (),
            after_scenes=after.names if after else (),
            newest_usable=newest.acquired if newest else None,
            passed_over=wanted.epochs.passed_over,
            rests=self.rests.get(number),
            load=self.loads.of(number),
        )


class PlannedPairs(Sequence[PlannedPair]):
    """Some pairs of a table, made as they are read."""

    def __init__(self, table: Table, numbers: NDArray[np.int64]) -> None:
        self._table, self._numbers = table, numbers

    @overload
    def __getitem__(self, at: int) -> PlannedPair: ...
    @overload
    def __getitem__(self, at: slice) -> PlannedPairs: ...
    def __getitem__(self, at: int | slice) -> PlannedPair | PlannedPairs:
        if isinstance(at, slice):
            return PlannedPairs(self._table, self._numbers[at])
        return self._table.told(int(self._numbers[at]))

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[PlannedPair]:
        return map(self._table.told, self._numbers.tolist())


@dataclass(frozen=True)
class Plan:
    """What a run would do: the pairs that it would assess or knows, and the sites that it could not even plan."""

    table: Table = field(repr=False)
    failures: list[Failure]

    @property
    def pairs(self) -> PlannedPairs:
        """All of them."""
        return PlannedPairs(self.table, np.arange(self.table.pairs))

    @property
    def pending(self) -> PlannedPairs:
        """The pairs that a run would try."""
        return PlannedPairs(self.table, np.flatnonzero(self.table.is_pending))

    @property
    def resting(self) -> PlannedPairs:
        """The pairs that failed before and are not tried now."""
        return PlannedPairs(self.table, np.array(sorted(self.table.rests), np.int64))

    @property
    def choices(self) -> PlannedPairs:
        """Of each site one pair for each baseline that was chosen."""
        begins = zip(self.table.begins.tolist(), self.table.wanted, strict=False)
        return PlannedPairs(self.table, np.array([n + at for n, one in begins for at in one.choices], np.int64))

    def passed_over(self) -> Iterator[tuple[str, PassedOver]]:
        """What shows a site and was not chosen, with the site's code."""
        for code, wanted in zip(self.table.codes, self.table.wanted, strict=True):
            for one in dict.fromkeys(wanted.epochs.passed_over):
                yield code, one

    @cached_property
    def sites(self) -> tuple[int, int]:
        """How many sites have pairs that a run would try, and how many others have known ones."""
        pending = self.table.any_of_site(self.table.is_pending)
        known = self.table.any_of_site(~self.table.is_new)
        return int(pending.sum()), int((known & ~pending).sum())

    @property
    def load(self) -> Load:
        """What these would have to read and to think about."""
        return self.table.loads.sum_of(np.flatnonzero(self.table.is_pending))


__all__ = ["Loads", "Plan", "PlannedPair", "PlannedPairs", "Table", "Wanted", "Why"]
