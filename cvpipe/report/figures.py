"""How numbers are written in a report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cvpipe.assess.criteria import Language

SQUARE_METRES_PER_WAN = 10_000
"""The ledger's unit of land, 万平方米."""

SQUARE_METRES_PER_MU = 10_000 / 15
"""亩: fifteen to the hectare (State Council, legal units of measurement, 1990)."""


class AreaUnit(StrEnum):
    """In what a summary's areas are written: ledgers state 万平方米 and pictures m² (`mixed`), or all in one unit."""

    MIXED = "mixed"
    M2 = "m2"
    WAN = "wan"
    MU = "mu"


_SIZES = {AreaUnit.M2: 1.0, AreaUnit.WAN: float(SQUARE_METRES_PER_WAN), AreaUnit.MU: SQUARE_METRES_PER_MU}
_SYMBOLS: dict[AreaUnit, tuple[str, str]] = {
    AreaUnit.M2: ("m²", "平方米"),
    AreaUnit.WAN: ("10,000 m²", "万平方米"),
    AreaUnit.MU: ("mu", "亩"),
}


@dataclass(frozen=True)
class Areas:
    """Areas in one unit (any but `mixed`)."""

    unit: AreaUnit
    lang: Language

    @property
    def symbol(self) -> str:
        """The unit as people write it."""
        return _SYMBOLS[self.unit][self.lang == "zh"]

    def of(self, value_m2: float) -> float:
        """A value in this unit."""
        return value_m2 / _SIZES[self.unit]

    def decimals(self, total_m2: float) -> int:
        """As many as a column's total calls for: none from 100 on, two below 10, none for m²."""
        total = self.of(total_m2)
        return 0 if self.unit is AreaUnit.M2 or total >= 100 else 1 if total >= 10 else 2

    def written(self, value_m2: float, total_m2: float | None = None, zero: str = "–") -> str:
        """A value without its unit, with the decimals of its column's total."""
        decimals = self.decimals(value_m2 if total_m2 is None else total_m2)
        nothing = not round(value_m2) if self.unit is AreaUnit.M2 else not value_m2
        return zero if nothing else f"{self.of(value_m2):,.{decimals}f}"


def ledger_areas(unit: AreaUnit, lang: Language) -> Areas:
    """How the ledger's own areas of land and buildings are written."""
    return Areas(AreaUnit.WAN if unit is AreaUnit.MIXED else unit, lang)


def measured_areas(unit: AreaUnit, lang: Language) -> Areas:
    """How areas are written that were measured in pictures."""
    return Areas(AreaUnit.M2 if unit is AreaUnit.MIXED else unit, lang)


def count(value: int, zero: str = "–") -> str:
    """A whole number; nothing is a dash, so that a table's few figures stand out."""
    return f"{value:,}" if value else zero


def area(value_m2: float, zero: str = "–") -> str:
    """Whole square metres, without the unit."""
    return f"{value_m2:,.0f}" if round(value_m2) else zero


def percent(share: float, lang: Language) -> str:
    """A share as per cent with one decimal."""
    return f"{100 * share:.1f}%" if lang == "zh" else f"{100 * share:.1f} %"


__all__ = [
    "SQUARE_METRES_PER_MU",
    "SQUARE_METRES_PER_WAN",
    "AreaUnit",
    "Areas",
    "area",
    "count",
    "ledger_areas",
    "measured_areas",
    "percent",
]
