"""The language that the command line speaks, and its English sentences in Chinese.

The code holds English alone, whole and in place. `zh.yaml` has every sentence with `{}` for what is put into it; a text
that is about to be printed is recognised by the words around these values. What a library or a person wrote stays.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from cvpipe.errors import CvpipeError

#: Who is asked for the language, the first that says anything: ours, then those of the locale as gettext reads them.
ASKED = ("CVPIPE_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
Language = Literal["en", "zh"]
TABLE = Path(__file__).with_name("zh.yaml")


def language(environment: Mapping[str, str] = os.environ) -> Language:
    """`zh` where the environment asks for Chinese before any other language, else `en`."""
    stated = next((environment[name] for name in ASKED if environment.get(name)), "")
    return "zh" if stated.lower().startswith("zh") else "en"


def said(text: str) -> str:
    """The text in the language of the command line; what is not known stays as it is."""
    return text if language() == "en" else _chinese().said(text)


def said_error(error: CvpipeError) -> str:
    """An error as one line: where, what was found, what to do."""
    if language() == "en":
        return str(error)
    where = f"{said(error.where)}：" if error.where else ""
    end = "" if not error.remedy else f"。{said(error.remedy)}"
    return f"{where}{said(error.found)}{end}"


@dataclass(frozen=True)
class _Value:
    """What a sentence puts in; `{:=}` leaves it as it was written, because it is to be typed or looked up."""

    written: str
    said: Callable[[str], str]

    def __format__(self, spec: str) -> str:
        return self.written if spec == "=" else self.said(self.written)


class Sentence:
    """An English sentence with `{}` for values, and what it is in Chinese (`{}` in the same order, or `{1}`)."""

    def __init__(self, english: str, chinese: str) -> None:
        self.literals = english.split("{}")
        self.weight = sum(map(len, self.literals))
        self._chinese = chinese

    def parts(self, text: str) -> tuple[str, ...] | None:
        """The values in a text that is this sentence; None for any other text."""
        if not (text.startswith(self.literals[0]) and text.endswith(self.literals[-1])):
            return None
        if any(literal not in text for literal in self.literals):
            return None
        found = re.fullmatch("(.*?)".join(map(re.escape, self.literals)), text, re.DOTALL)
        return found and found.groups()

    def chinese(self, parts: Iterable[str], said: Callable[[str], str]) -> str:
        """The Chinese sentence with these values, each said in turn."""
        return self._chinese.format(*(_Value(part, said) for part in parts))


class Chinese:
    """What is said in Chinese. `words` are known anywhere, the table's single words only where they stand alone."""

    def __init__(self, table: Mapping[str, str], words: Mapping[str, str]) -> None:
        self._alone = {**table, **words}
        self._within = {english: zh for english, zh in table.items() if " " in english} | dict(words)
        open_ones = (Sentence(*pair) for pair in table.items() if "{}" in pair[0])
        self._by_start = defaultdict[str, list[Sentence]](list)
        for sentence in sorted(open_ones, key=lambda one: -one.weight):
            self._by_start[sentence.literals[0][:3]].append(sentence)
        self._value = lru_cache(4096)(self._valued)

    def said(self, text: str) -> str:
        """A heading, a cell, a line or a list of words."""
        return self._alone.get(text) or self._value(text)

    def _valued(self, text: str) -> str:
        """A text that may stand within another: the sentence that leaves the least English, else its known parts."""
        if text in self._within:
            return self._within[text]
        if " " not in text or not re.search("[A-Za-z]", text):  # codes, days, numbers: most cells of a long table
            return text
        fitting = (s for size in (3, 2, 1, 0) for s in self._by_start.get(text[:size], ()))
        ways = [s.chinese(parts, self._value) for s in fitting if (parts := s.parts(text)) is not None]
        return min(ways, key=_english, default=None) or next(self._pieced(text), text)

    def _pieced(self, text: str) -> Iterator[str]:
        """Texts put together at run time: what was found and the remedy, a label before a sentence, shares, lists."""
        for mark, chinese in ((". ", "。"), (": ", "：")):
            for found in re.finditer(re.escape(mark), text):
                head, tail = text[: found.start()], text[found.end() :]
                if self._value(tail) != tail:
                    yield f"{self._value(head)}{chinese}{self._value(tail)}"
        if amount := re.fullmatch(r"(\D+) ([\d.]+ ?%)", text):
            yield f"{self._value(amount[1])} {amount[2]}"
        for mark, chinese in (("; ", "；"), (", ", "、")):
            parts = text.split(mark)
            if len(parts) > 1 and all(self._value(part) != part or not _english(part) for part in parts):
                yield chinese.join(map(self._value, parts))


def _english(text: str) -> int:
    """How much of a text is still English: the letters of its words of two letters and more."""
    return sum(map(len, re.findall(r"[A-Za-z]{2,}", text)))


def table() -> dict[str, str]:
    """English to Chinese, as `zh.yaml` has it."""
    import yaml

    loaded: dict[str, str] = yaml.load(TABLE.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


def _of_the_domain() -> dict[str, str]:
    """Names of verdicts, statuses, changes and stages, by their values and as people write these."""
    from cvpipe.assess.naming import Names
    from cvpipe.domain import ChangeKind, Outcome, Question, SiteStatus

    names = Names("zh")
    known = {
        **{one.value: names.site_status(one) for one in SiteStatus},
        **{one.value: names.change(one) for one in ChangeKind},
        **{one.value: names.question(one) for one in Question},
        **{one.value: names.outcome(one) for one in Outcome},
    }
    return known | {value.replace("_", " "): word for value, word in known.items()}


@lru_cache(1)
def _chinese() -> Chinese:
    from cvpipe.domain import Reason

    known = table()
    reasons = {word: known[word] for reason in Reason if (word := reason.value.replace("_", " ")) in known}
    return Chinese(known, _of_the_domain() | reasons)


__all__ = ["ASKED", "Chinese", "Sentence", "language", "said", "said_error", "table"]
