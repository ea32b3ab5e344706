"""Single cells of a file of sites as values. What cannot be read raises ValueError with a sentence for people."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import date, datetime, timedelta
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

#: Thousands are grouped by commas, as in 1,234.5; a comma as decimal sign is refused, for it could be either.
_NUMBER = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][-+]?\d+)?")
#: Control characters, halves of surrogate pairs, and what no XML file can hold.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_EIGHT_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})")
_YEAR_LAST = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*\2\s*(\d{4})")
#: Longest text of a field, in characters: names of places and groups. Remarks are attributes, and may be longer.
LONGEST_TEXT = 1000
#: Days since this one are how spreadsheets keep dates. Before March 1900 they count a day that never was.
_DAY_ZERO = date(1899, 12, 30)
EARLIEST_DAY, LATEST_DAY = date(1900, 3, 1), date(2199, 12, 31)
#: Whole numbers beyond have lost their last digits wherever they were kept as floating point.
MOST_EXACT = 2**53


class Share(float):
    """A number that a spreadsheet shows with a % sign: 0.3 where people read 30 %, whatever the heading says."""


def is_blank(value: Any) -> bool:
    """Whether a cell says nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def text(value: Any) -> str:
    """A cell as one line of text; whole numbers lose their `.0`, as spreadsheets add it to codes."""
    if not isinstance(value, str):
        value = _as_text(value)
    written = " ".join(value.split())
    if _UNWRITABLE.search(written):
        raise ValueError(f"{written[:60]!r} holds characters that cannot be printed")
    if len(written) > LONGEST_TEXT:
        raise ValueError(f"{written[:20]!r}… has {len(written)} characters; {LONGEST_TEXT} at most are taken")
    return written


def _as_text(value: Any) -> str:
    if isinstance(value, bool | list | dict):
        raise ValueError(f"{value!r} is no text")
    if isinstance(value, date):  # datetimes are dates too
        raise ValueError(f"{value:%Y-%m-%d} is a date, no text; where a spreadsheet made it one, format it as text")
    if isinstance(value, float) and value.is_integer():
        if abs(value) > MOST_EXACT:
            raise ValueError(f"{value:.0f} is a number that lost its last digits; write it as text")
        return str(int(value))
    return str(value)


def number(value: Any) -> float:
    """A finite number that is not negative."""
    found = _number(value)
    if not math.isfinite(found) or found < 0:
        raise ValueError(f"{value!r} is no finite number from 0 on")
    return found


def coordinate(value: Any) -> float:
    """A longitude or latitude in degrees, or x or y, as yet of any size."""
    found = _number(value)
    if not math.isfinite(found):
        raise ValueError(f"{value!r} is no finite number")
    return found


def ratio(value: Any, factor: float) -> float:
    """A share from 0 to 1; `factor` is that of the heading's unit, a % sign in the cell stands for itself."""
    if isinstance(value, Share):
        factor = 1.0
    written = unicodedata.normalize("NFKC", value).strip() if isinstance(value, str) else value
    if isinstance(written, str) and written.endswith("%"):
        written, factor = written[:-1], 0.01
    found = number(written) * factor
    if found > 1:
        raise ValueError(f"{value!r} is more than the whole; write a share from 0 to 1 or a % sign")
    return found


def day(value: Any) -> date:
    """A date: a typed one, year first (2017-06-30, 2017/6/30, 20170630, 2017年6月30日, ISO date and time), 30.06.2017,
    30/06/2017 where one of the two is no month, or a spreadsheet's count of days.

    Raises ValueError for 05/06/2017, which is May to some and June to others, and for days outside 1900 to 2199.
    """
    found = value.date() if isinstance(value, datetime) else value if isinstance(value, date) else _written_day(value)
    if not EARLIEST_DAY <= found <= LATEST_DAY:
        raise ValueError(f"{found.isoformat()} lies outside {EARLIEST_DAY} to {LATEST_DAY}")
    return found


def geometry(value: Any) -> BaseGeometry:
    """A geometry as it is, from WKT, or from a GeoJSON geometry as an object or as text."""
    if isinstance(value, BaseGeometry):
        return value
    try:
        if isinstance(value, dict):
            return shape(value)
        written = str(value).strip()
        return shape(json.loads(written)) if written.startswith("{") else shapely.from_wkt(written)
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"the geometry cannot be read ({str(error)[:200]})") from error


def mapping_of(value: Any) -> dict[str, Any]:
    """A JSON object, as an object or as text."""
    try:
        found = value if isinstance(value, dict) else json.loads(str(value))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{str(value)[:60]!r} is no JSON object")
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no number")
    if not isinstance(value, str):
        return float(value) if isinstance(value, float) or abs(value) <= MOST_EXACT else math.inf
    written = unicodedata.normalize("NFKC", value).strip()
    if not _NUMBER.fullmatch(written) or not any(character.isdigit() for character in written):
        raise ValueError(f"{value!r} is no number")
    return float(written.replace(",", ""))


def _written_day(value: Any) -> date:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no date")
    written = unicodedata.normalize("NFKC", text(value))
    try:
        if parts := _YEAR_FIRST.fullmatch(written) or _EIGHT_DIGITS.fullmatch(written):
            return date(*map(int, parts.groups()))
        if parts := _YEAR_LAST.fullmatch(written):
            return _year_last(*parts.groups())
        if re.fullmatch(r"\d{5}", written):
            return _DAY_ZERO + timedelta(days=int(written))
        return datetime.fromisoformat(written).date()
    except _AmbiguousDayError:
        raise ValueError(f"{value!r} may be read day first or month first; write the year first") from None
    except ValueError:
        raise ValueError(f"{value!r} is no date with the year first, such as 2017-06-30") from None


class _AmbiguousDayError(ValueError):
    pass


def _year_last(first: str, separator: str, second: str, year: str) -> date:
    day_first = _date_or_none(int(year), int(second), int(first))
    if separator == ".":  # nobody writes the month first with dots
        return date(int(year), int(second), int(first))
    month_first = _date_or_none(int(year), int(first), int(second))
    if day_first and month_first and day_first != month_first:
        raise _AmbiguousDayError
    found = day_first or month_first
    if found is None:
        raise ValueError
    return found


def _date_or_none(year: int, month: int, day_of_month: int) -> date | None:
    """The date, or None where there is none."""
    try:
        return date(year, month, day_of_month)
    except ValueError:
        return None
