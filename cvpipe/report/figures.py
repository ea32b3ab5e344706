"""How numbers are written in a report."""

from __future__ import annotations

from cvpipe.assess.criteria import Language

SQUARE_METRES_PER_WAN = 10_000
"""The ledger's unit of land, 万平方米."""


def count(value: int, zero: str = "–") -> str:
    """A whole number; nothing is a dash, so that a table's few figures stand out."""
    return f"{value:,}" if value else zero


def area(value_m2: float, zero: str = "–") -> str:
    """Whole square metres, without the unit."""
    return f"{value_m2:,.0f}" if round(value_m2) else zero


def ten_thousands(value_m2: float, total_m2: float, zero: str = "–") -> str:
    """An area in 10,000 m², with as many decimals as the column's total calls for: none from 100 on, two below 10."""
    decimals = 0 if total_m2 >= 100 * SQUARE_METRES_PER_WAN else 1 if total_m2 >= 10 * SQUARE_METRES_PER_WAN else 2
    return f"{value_m2 / SQUARE_METRES_PER_WAN:,.{decimals}f}" if value_m2 else zero


def percent(share: float, lang: Language) -> str:
    """A share as per cent with one decimal."""
    return f"{100 * share:.1f}%" if lang == "zh" else f"{100 * share:.1f} %"


__all__ = ["SQUARE_METRES_PER_WAN", "area", "count", "percent", "ten_thousands"]
