"""Single cells of a file of sites as values. What cannot be read raises ValueError with a sentence for people."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import date, datetime
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

#: Thousands are grouped by commas, as in 1,234.5; a comma as decimal sign is refused, for it could be either.
_NUMBER = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][-+]?\d+)?")
#: Control characters and halves of surrogate pairs.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_EIGHT_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})")


def is_blank(value: Any) -> bool:
    """Whether a cell says nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def text(value: Any) -> str:
    """A cell as one line of text; whole numbers lose their `.0`, as spreadsheets add it to codes."""
    if isinstance(value, bool | list | dict):
        raise ValueError(f"{value!r} is no text")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    written = " ".join(str(value).split())
    if _UNWRITABLE.search(written):
        raise ValueError(f"{written!r} holds characters that cannot be printed")
    return written


def number(value: Any) -> float:
    """A finite number that is not negative."""
    found = _number(value)
    if not math.isfinite(found) or found < 0:
        raise ValueError(f"{value!r} is no finite number from 0 on")
    return found


def coordinate(value: Any) -> float:
    """A longitude or latitude in degrees, as yet of any size."""
    return _number(value)


def ratio(value: Any, factor: float) -> float:
    """A share from 0 to 1; `factor` is that of the heading's unit, a % sign in the cell stands for itself."""
    written = unicodedata.normalize("NFKC", value).strip() if isinstance(value, str) else value
    if isinstance(written, str) and written.endswith("%"):
        written, factor = written[:-1], 0.01
    found = number(written) * factor
    if found > 1:
        raise ValueError(f"{value!r} is more than the whole; write a share from 0 to 1 or a % sign")
    return found


def day(value: Any) -> date:
    """A date with the year first: 2017-06-30, 2017/6/30, 2017.6.30, 20170630, 2017年6月30日, or ISO date and time."""
    if not isinstance(value, str | int):
        raise ValueError(f"{value!r} is no date")
    written = unicodedata.normalize("NFKC", str(value)).strip()
    parts = _YEAR_FIRST.fullmatch(written) or _EIGHT_DIGITS.fullmatch(written)
    try:
        if parts:
            return date(*map(int, parts.groups()))
        return datetime.fromisoformat(written).date()
    except ValueError:
        raise ValueError(f"{value!r} is no date with the year first, such as 2017-06-30") from None


def geometry(value: Any) -> BaseGeometry:
    """A geometry from WKT, or from a GeoJSON geometry as an object or as text."""
    try:
        if isinstance(value, dict):
            return shape(value)
        written = str(value).strip()
        return shape(json.loads(written)) if written.startswith("{") else shapely.from_wkt(written)
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"the geometry cannot be read ({error})") from error


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no number")
    if not isinstance(value, str):
        return float(value)
    written = unicodedata.normalize("NFKC", value).strip()
    if not _NUMBER.fullmatch(written) or not any(character.isdigit() for character in written):
        raise ValueError(f"{value!r} is no number")
    return float(written.replace(",", ""))
