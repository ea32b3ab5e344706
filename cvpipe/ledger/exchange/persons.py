"""Data about persons, told by what cells hold: numbers of resident identity cards and mobile telephones, e-mail.

A heading may be silent about it, so texts are looked at wherever they stand. A number inside a sentence is taken at its
word. A cell that is nothing but 11 digits may as well be a site's code (130107 begins those of a county in Hebei), so
there the column as a whole decides, and the column of the sites' own codes is never taken for telephone numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_MOBILE = re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d(?:\d{8}|[ -]\d{4}[ -]\d{4})(?!\d)")
_RESIDENT = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)")
#: Nothing that any of the three could be: no run of eleven digits with spaces or dashes, and no @.
_SUSPICIOUS = re.compile(r"@|1[3-9]\d[ -]?\d{4}")
#: GB 11643-1999, after ISO 7064 MOD 11-2: weights of the first 17 digits, and the last sign by the remainder.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_SIGNS = "10X98765432"
#: Share of a column's cells, and of its cells that are digits alone, that must look like telephone numbers.
_TELLING_SHARE = 0.5
#: Telephone numbers of several people differ in their first digits; codes of one district do not.
_DISTRICT_DIGITS = 6
_FEWEST_OF_A_DISTRICT = 3


@dataclass(frozen=True)
class Suspicion:
    """Why a column, or single cells of it, are taken for data about persons. `cells` are indices of rows."""

    what: str
    whole_column: bool
    cells: tuple[int, ...] = ()


def what_it_holds(value: Any) -> str:
    """What data about a person a cell holds, in words; "" for none. Looks into lists and objects too."""
    if isinstance(value, str):
        return _what_a_text_holds(value)
    return next(filter(None, map(_what_a_text_holds, _texts(value))), "")


def suspicion(cells: Iterable[Any], *, is_code: bool = False) -> Suspicion | None:
    """What a column's cells give away; None for a column without data about persons."""
    kept = list(cells)
    found = {index: what for index, cell in enumerate(kept) if (what := what_it_holds(cell))}
    if _MOBILE_NUMBER in found.values() and (is_code or _are_codes(kept, found)):
        found = {index: what for index, what in found.items() if what != _MOBILE_NUMBER}
    if not found:
        return None
    filled = sum(cell is not None and cell != "" for cell in kept)
    return Suspicion(_said(found, filled), len(found) >= _TELLING_SHARE * filled, tuple(found))


_MOBILE_NUMBER = "a mobile telephone number"


def _said(found: dict[int, str], filled: int) -> str:
    kinds = dict.fromkeys(found.values())
    return f"{len(found)} of {filled} cells look like {' or '.join(kinds)}"


def _are_codes(cells: list[Any], found: dict[int, str]) -> bool:
    """Whether cells of 11 digits are codes that look like telephone numbers by chance."""
    mobile = [_plain_digits(cells[index]) for index, what in found.items() if what == _MOBILE_NUMBER]
    numbers = {number for number in mobile if number is not None}
    if len(numbers) < len(mobile):  # some stand inside a text: no chance
        return False
    digits = sum(_plain_digits(cell) is not None for cell in cells)
    starts = {number[:_DISTRICT_DIGITS] for number in numbers}
    return len(mobile) < _TELLING_SHARE * digits or (len(starts) == 1 and len(numbers) >= _FEWEST_OF_A_DISTRICT)


def _plain_digits(cell: Any) -> str | None:
    written = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    return written if written.isdecimal() else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        digits = _plain_digits(value)
        if digits:
            yield digits


def _what_a_text_holds(written: str) -> str:
    text = unicodedata.normalize("NFKC", written)  # full-width digits too
    if len(text) < 5 or (not _SUSPICIOUS.search(text) and not _RESIDENT.search(text)):
        return ""
    if any(is_resident_id(found) for found in _RESIDENT.findall(text)):
        return "the number of a resident identity card"
    if _MOBILE.search(text):
        return _MOBILE_NUMBER
    return "an e-mail address" if _EMAIL.search(text) else ""


def is_resident_id(written: str) -> bool:
    """Whether 18 signs are a number by GB 11643-1999: region, date of birth and check sign fit together."""
    if not re.fullmatch(r"[1-9]\d{16}[\dXx]", written):
        return False
    try:
        born = date(int(written[6:10]), int(written[10:12]), int(written[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, written[:17], strict=True))
    return 1900 <= born.year <= 2100 and _CHECK_SIGNS[total % 11] == written[17].upper()
