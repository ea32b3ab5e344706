"""What a column's heading means: which field of a site, in which unit, or that it holds data about persons.

The words are in `headings.yaml` beside this file, which is package data.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cvpipe.domain import SiteStatus
from cvpipe.settings import Settings, read_settings

HEADINGS_PATH = Path(__file__).parent / "headings.yaml"

_UNIT_IN_BRACKETS = re.compile(r"^(?P<base>.+?)_*[(\[](?P<unit>[^()\[\]]+)[)\]]$")


@dataclass(frozen=True)
class Meaning:
    """A column's field, and the factor that brings its numbers to m², metres or a share of 1."""

    field: str
    factor: float = 1.0


class Headings(Settings):
    """The words of `headings.yaml`, which says what each list is for."""

    fields: dict[str, list[str]]
    area_units: dict[str, float]
    length_units: dict[str, float]
    ratio_units: dict[str, float]
    statuses: dict[SiteStatus, list[str]]
    personal: list[str]

    def meaning(self, heading: str) -> Meaning | None:
        """What a column holds; None for one that becomes an attribute.

        Raises ValueError, with a sentence, for a known area, length or ratio in a unit that no list names.
        """
        plain = plain_heading(heading)
        field = self._field(plain)
        if field is not None:
            return Meaning(field)
        bracketed = _UNIT_IN_BRACKETS.match(plain)
        if bracketed:
            return self._in_unit(bracketed["base"], bracketed["unit"].strip("_"))
        return self._with_unit_at_end(plain)

    def is_personal(self, heading: str) -> bool:
        """Whether a column that no field's list names speaks of persons."""
        plain = plain_heading(heading)
        return any(plain_heading(word) in plain for word in self.personal)

    def status(self, written: str) -> SiteStatus | None:
        """The status that people write so; None for an unknown word."""
        plain = plain_heading(written)
        for status, words in self.statuses.items():
            if plain in map(plain_heading, words):
                return status
        return None

    def units_of(self, field: str) -> dict[str, float]:
        """The units that a field's numbers may have, by how they are written in a heading."""
        if field.endswith("_m2"):
            return self.area_units
        if field.endswith("_m"):
            return self.length_units
        return self.ratio_units if field.endswith("_ratio") else {}

    def _field(self, plain: str) -> str | None:
        for field, words in self.fields.items():
            if plain in map(plain_heading, words):
                return field
        return None

    def _in_unit(self, base: str, unit: str) -> Meaning | None:
        field = self._field(base)
        if field is None:
            return None
        units = self.units_of(field)
        if not units:  # brackets behind a text or a date are a remark
            return Meaning(field)
        if unit not in units:
            raise ValueError(f"the unit {unit!r} is not known for {field}; known are {', '.join(units)}")
        return Meaning(field, units[unit])

    def _with_unit_at_end(self, plain: str) -> Meaning | None:
        units = {**self.area_units, **self.length_units, **self.ratio_units}
        for unit in sorted(units, key=len, reverse=True):
            field = self._field(plain.removesuffix(unit).rstrip("_")) if plain.endswith(unit) else None
            if field is not None and unit in self.units_of(field):
                return Meaning(field, units[unit])
        return None


@cache
def shipped_headings() -> Headings:
    """The headings of `headings.yaml`."""
    return read_settings(HEADINGS_PATH, Headings)


def plain_heading(heading: str) -> str:
    """A heading as it is compared: NFKC (so ㎡ is m2, and full-width letters are plain), no case, `_` for spaces."""
    return re.sub(r"\s+", "_", unicodedata.normalize("NFKC", heading).strip().casefold())
