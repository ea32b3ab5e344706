"""The language that the command line speaks, and its English sentences in Chinese.

The code holds English alone, whole and in place. `zh.yaml` has every sentence with `{}` for what is put into it; a text
that is about to be printed is recognised by the words around these values. What a library or a person wrote stays.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
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
    where = f"{error.where}：" if error.where else ""
    end = "" if not error.remedy else f"。{said(error.remedy)}"
    return f"{where}{said(error.found)}{end}"


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

    def chinese(self, parts: Iterator[str]) -> str:
        """The Chinese sentence with these values."""
        return self._chinese.format(*parts)


class Chinese:
    """What is said in Chinese: the sentence that fits a text with the most words, else its known parts."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._whole = {english: chinese for english, chinese in table.items() if "{}" not in english}
        open_ones = (Sentence(*pair) for pair in table.items() if "{}" in pair[0])
        self._sentences = sorted(open_ones, key=lambda one: -one.weight)
        self.said = lru_cache(4096)(self._said)

    def _said(self, text: str) -> str:
        if text in self._whole:
            return self._whole[text]
        for sentence in self._sentences:
            parts = sentence.parts(text)
            if parts is not None:
                return sentence.chinese(self.said(part) for part in parts)
        return next(self._pieced(text), text)

    def _pieced(self, text: str) -> Iterator[str]:
        """Texts put together at run time: what was found and the remedy, a label before a sentence, lists."""
        for mark, chinese in ((". ", "。"), (": ", "：")):
            for found in re.finditer(re.escape(mark), text):
                head, tail = text[: found.start()], text[found.end() :]
                if self.said(tail) != tail:
                    yield f"{self.said(head)}{chinese}{self.said(tail)}"
        if amount := re.fullmatch(r"(\D+) ([\d.]+ ?%)", text):
            yield f"{self.said(amount[1])} {amount[2]}"
        for mark, chinese in (("; ", "；"), (", ", "、")):
            parts = text.split(mark)
            if len(parts) > 1 and all(self.said(part) != part for part in parts):
                yield chinese.join(map(self.said, parts))


def table() -> dict[str, str]:
    """English to Chinese, as `zh.yaml` has it."""
    import yaml

    loaded: dict[str, str] = yaml.load(TABLE.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


def _of_the_domain() -> dict[str, str]:
    """Names of verdicts, statuses and changes, by their values and as people write these."""
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
    return Chinese(_of_the_domain() | table())


__all__ = ["ASKED", "Chinese", "Sentence", "language", "said", "said_error", "table"]
