"""What a column's heading means: which field of a site, in which unit, or that it holds data about persons.

The words are in `headings.yaml` beside this file, which is package data; a file of the caller's adds to them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from cvpipe.domain import SiteStatus
from cvpipe.errors import SettingsError
from cvpipe.settings import Settings, parse_settings, read_settings

HEADINGS_PATH = Path(__file__).parent / "headings.yaml"

#: Most bytes of a column's name in a DBF table.
DBF_NAME_BYTES = 10
_UNIT_IN_BRACKETS = re.compile(r"^(?P<base>.+?)_*[(\[](?P<unit>[^()\[\]]+)[)\]]$")
_WIDENING = re.compile(r"(?<=[^\x00-\x7f])\s+|\s+(?=[^\x00-\x7f])")
#: Fewest characters of a word about persons by which a name that was cut off is told.
_TELLING = {True: 4, False: 2}  # ASCII, or Chinese


@dataclass(frozen=True)
class Meaning:
    """A column's field, and the factor that brings its numbers to m², metres or a share of 1.

    `unit` is how the heading writes it ("" where it is silent), `told_by` what the field was known by.
    """

    field: str
    factor: float = 1.0
    unit: str = dataclass_field(default="", compare=False)
    told_by: str = dataclass_field(default="its name", compare=False)


class Column(Settings):
    """One heading's meaning as the caller states it."""

    field: str
    unit: str = ""


class FurtherHeadings(Settings):
    """A caller's file of headings: `headings.yaml` says what each key is for."""

    fields: dict[str, list[str]] = Field(default_factory=dict)
    area_units: dict[str, float] = Field(default_factory=dict)
    length_units: dict[str, float] = Field(default_factory=dict)
    statuses: dict[SiteStatus, list[str]] = Field(default_factory=dict)
    personal: list[str] = Field(default_factory=list)
    harmless: list[str] = Field(default_factory=list)
    columns: dict[str, Column] = Field(default_factory=dict)


class Headings(Settings):
    """The words of `headings.yaml`, which says what each list is for."""

    fields: dict[str, list[str]]
    chinese: dict[str, str]
    short: dict[str, str]
    explained: dict[str, tuple[str, str]]
    machine: list[str]
    area_units: dict[str, float]
    length_units: dict[str, float]
    ratio_units: dict[str, float]
    statuses: dict[SiteStatus, list[str]]
    personal: list[str]
    personal_whole: list[str]
    harmless: list[str]
    columns: dict[str, Column]

    def meaning(self, heading: str) -> Meaning | None:
        """What a column holds; None for one that becomes an attribute.

        Raises ValueError, with a sentence, for a known area, length or ratio in a unit that no list names.
        """
        plain = plain_heading(heading)
        if plain in self._stated:
            return self._stated[plain]
        field = self._words.get(plain)
        if field is not None:
            return Meaning(field)
        bracketed = _UNIT_IN_BRACKETS.match(plain)
        if bracketed:
            return self._in_unit(bracketed["base"], bracketed["unit"].strip("_"))
        return self._with_unit_at_end(plain)

    def meaning_of_cut(self, heading: str) -> Meaning | None:
        """What a name of a DBF table means that may have been cut off after 10 bytes, in UTF-8 or GBK.

        Raises ValueError, with a sentence, where the cut took the unit, or what tells two fields apart.
        """
        plain = plain_heading(heading)
        whole = [m for word, m in self._spellings if plain in _cuts(word)]
        if not whole:
            return None
        if len(set(whole)) == 1:
            return Meaning(whole[0].field, whole[0].factor, whole[0].unit, "its name, cut after 10 bytes")
        could = ", ".join(sorted({f"{m.field} in {m.unit}" if m.unit else m.field for m in whole}))
        raise ValueError(
            f"the name was cut after 10 bytes and may mean {could}; state it under `columns` of --headings"
        )

    def is_machine(self, heading: str) -> bool:
        """Whether a column is one that the machine keeps."""
        return plain_heading(heading) in self._machine

    def is_personal(self, heading: str, *, cut: bool = False) -> bool:
        """Whether a column that no field's list names speaks of persons; `cut` for names of at most 10 bytes."""
        plain = plain_heading(heading)
        if self.is_harmless(heading):
            return False
        if plain in self._personal_whole or any(word in plain for word in self._personal):
            return True
        return cut and any(_ends_with_start(plain, word) for word in self._personal)

    def is_harmless(self, heading: str) -> bool:
        """Whether somebody vouches that a column holds nothing about persons."""
        return plain_heading(heading) in self._harmless

    def status(self, written: str) -> SiteStatus | None:
        """The status that people write so; None for an unknown word."""
        return self._status_words.get(written) or self._status_words.get(plain_heading(written))

    def units_of(self, field: str) -> dict[str, float]:
        """The units that a field's numbers may have, by how they are written in a heading."""
        if field.endswith("_m2"):
            return self.area_units
        if field.endswith("_m"):
            return self.length_units
        return self.ratio_units if field.endswith("_ratio") else {}

    def chinese_status(self, status: SiteStatus) -> str:
        """The first Chinese word for a status."""
        return next(word for word in self.statuses[status] if not word.isascii())

    def with_further(self, further: FurtherHeadings, where: object) -> Headings:
        """These words and the caller's. Raises SettingsError for an unknown field or unit, or a word of two fields."""
        unknown = sorted({*further.fields, *(c.field for c in further.columns.values())} - self.fields.keys())
        if unknown:
            known = ", ".join(self.fields)
            raise SettingsError(f"no field is called {unknown[0]!r}", where=where, remedy=f"There are {known}.")
        own = {
            name: _added(getattr(self, name), value) for name, value in further if name not in ("fields", "statuses")
        }
        lists = {name: _added_lists(getattr(self, name), getattr(further, name)) for name in ("fields", "statuses")}
        both = parse_settings(dict(self) | own | lists, Headings, where=where)
        both._refuse_contradictions(where)
        return both

    def _refuse_contradictions(self, where: object) -> None:
        for name, words in self.fields.items():
            for word in words:
                other = self._words[plain_heading(word)]
                if other != name:
                    raise SettingsError(
                        f"{word!r} would mean both {name} and {other}", where=where, remedy="Use `columns` for it."
                    )
        for heading, column in self.columns.items():
            if column.unit and column.unit not in self.units_of(column.field):
                known = ", ".join(self.units_of(column.field)) or "none"
                raise SettingsError(
                    f"columns: {heading!r} has the unit {column.unit!r}", where=where, remedy=f"Known are {known}."
                )

    @cached_property
    def _words(self) -> dict[str, str]:
        words: dict[str, str] = {}
        for name, listed in self.fields.items():
            for word in listed:
                words.setdefault(plain_heading(word), name)
        return words

    @cached_property
    def _stated(self) -> dict[str, Meaning]:
        return {
            plain_heading(heading): Meaning(
                column.field, self.units_of(column.field).get(column.unit, 1.0), column.unit, "the file of headings"
            )
            for heading, column in self.columns.items()
        }

    @cached_property
    def _spellings(self) -> list[tuple[str, Meaning]]:
        """Every way to write a field, with and without units."""
        found = []
        for word, name in self._words.items():
            units = self.units_of(name)
            found.append((word, Meaning(name)))
            for unit, factor in units.items():
                written = (f"{word}_{unit}", f"{word}{unit}", f"{word}({unit})")
                found += [(spelling, Meaning(name, factor, unit)) for spelling in written]
        return found

    @cached_property
    def _machine(self) -> frozenset[str]:
        return frozenset(map(plain_heading, self.machine))

    @cached_property
    def _personal(self) -> tuple[str, ...]:
        return tuple(map(plain_heading, self.personal))

    @cached_property
    def _personal_whole(self) -> frozenset[str]:
        return frozenset(map(plain_heading, self.personal_whole))

    @cached_property
    def _harmless(self) -> frozenset[str]:
        return frozenset(map(plain_heading, self.harmless))

    @cached_property
    def _status_words(self) -> dict[str, SiteStatus]:
        return {plain_heading(word): status for status, words in self.statuses.items() for word in words}

    def _in_unit(self, base: str, unit: str) -> Meaning | None:
        field = self._words.get(base)
        if field is None:
            return None
        units = self.units_of(field)
        if not units:  # brackets behind a text or a date are a remark
            return Meaning(field)
        if unit not in units:
            raise ValueError(f"the unit {unit!r} is not known for {field}; known are {', '.join(units)}")
        return Meaning(field, units[unit], unit)

    def _with_unit_at_end(self, plain: str) -> Meaning | None:
        for unit in self._units_by_length:
            field = self._words.get(plain.removesuffix(unit).rstrip("_")) if plain.endswith(unit) else None
            if field is not None and unit in self.units_of(field):
                return Meaning(field, self.units_of(field)[unit], unit)
        return None

    @cached_property
    def _units_by_length(self) -> list[str]:
        return sorted({**self.area_units, **self.length_units, **self.ratio_units}, key=len, reverse=True)


@cache
def shipped_headings() -> Headings:
    """The headings of `headings.yaml`."""
    return read_settings(HEADINGS_PATH, Headings)


def headings_with(path: Path) -> Headings:
    """The shipped headings and those of a caller's file. Raises SettingsError."""
    return shipped_headings().with_further(read_settings(path, FurtherHeadings), path)


def plain_heading(heading: str) -> str:
    """A heading as it is compared: NFKC (so ㎡ is m2, and full-width letters are plain), no case, `_` for spaces.

    Spaces and line breaks beside Chinese only set it wider (编 号, 姓 名), and are left out.
    """
    plain = unicodedata.normalize("NFKC", heading).strip().casefold()
    return re.sub(r"\s+", "_", _WIDENING.sub("", plain))


def _cuts(word: str) -> set[str]:
    """What is left of a word that is longer than a DBF name holds, in UTF-8 and in GBK."""
    written = ((word.encode(encoding), encoding) for encoding in ("utf-8", "gb18030"))
    return {raw[:DBF_NAME_BYTES].decode(e, "ignore") for raw, e in written if len(raw) > DBF_NAME_BYTES}


def _ends_with_start(plain: str, word: str) -> bool:
    return any(plain.endswith(word[:length]) for length in _lengths(word)) and len(plain.encode()) >= DBF_NAME_BYTES - 2


def _lengths(word: str) -> Iterator[int]:
    yield from range(_TELLING[word.isascii()], len(word))


def _added(own: Any, further: Any) -> Any:
    return {**own, **further} if isinstance(own, dict) else [*own, *further]


def _added_lists(own: dict[Any, list[str]], further: dict[Any, list[str]]) -> dict[Any, list[str]]:
    return {key: [*words, *further.get(key, [])] for key, words in own.items()}
