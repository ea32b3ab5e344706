"""The page itself: whole, self-contained, safe, and in one language."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cvpipe.assess.claims import ClaimKind
from cvpipe.domain import Registration
from cvpipe.ledger import Ledger, Workspace
from cvpipe.report import Campaign, Look, build_content, write_report
from cvpipe.report.html import render, shift_in_words
from cvpipe.report.words import Words, catalogue
from tests.report.neighbourhood import Neighbourhood, sites

TEMPLATES = Path(__file__).parents[2] / "cvpipe" / "report" / "templates"
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """Collects ids, links and visible text, and notes tags that are closed out of turn."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.misplaced: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        self.misplaced += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._open.append(tag)
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given[name] or "" for name in ("href", "src") if name in given]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.misplaced.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.texts.append(data)


@pytest.fixture(scope="module", params=["en", "zh"])
def written(
    request: pytest.FixtureRequest, drawn: Neighbourhood, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Page]:
    out = tmp_path_factory.mktemp("page") / "report"
    with Workspace.open(drawn.workspace).ledger() as ledger:
        write_report(ledger, Campaign("Hills", 6), out, look=Look(request.param), made_on=date(2017, 6, 30))
    return out, Page((out / "index.html").read_text(encoding="utf-8"))


def test_tags_are_balanced_and_ids_unique(written: tuple[Path, Page]) -> None:
    _, page = written
    assert page.misplaced == []
    assert len(page.ids) == len(set(page.ids))


def test_everything_it_needs_lies_beside_it(written: tuple[Path, Page]) -> None:
    out, page = written
    files = {link for link in page.links if not link.startswith("#")}
    assert len(files) == 18
    assert all((out / link).is_file() for link in files)
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", (out / "index.html").read_text())


def test_links_lead_to_sites(written: tuple[Path, Page]) -> None:
    _, page = written
    anchors = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert {"site-4", "site-5", "site-6"} == anchors
    assert anchors <= set(page.ids)


def test_nothing_is_left_unfilled(written: tuple[Path, Page]) -> None:
    _, page = written
    text = " ".join(page.texts)
    assert not re.search(r"None|nan|Outcome\.|\{\{|\{%", text)


def test_chinese_page_is_chinese_but_for_names_and_figures(ledger: Ledger, today: date) -> None:
    parts = ledger.sites(), ledger.assessments(), ledger.scenes(), ledger.runs()
    content = build_content(Campaign(""), *parts, made_on=today)
    said = " ".join(Page(render(content, {}, "zh")).texts)
    for site in sites():
        for name in (site.name, site.owner_system, site.sub_district, site.community, site.batch):
            said = said.replace(name, "")
    words = set(re.findall(r"[A-Za-z]{3,}", said))
    assert words - {"cvpipe", "plain", "scene", "tif", "dddddddddddd"} - set(re.findall(r"[a-f]+", said)) == set()


def test_what_still_stands_is_outlined_with_its_area(ledger: Ledger, today: date, tmp_path: Path) -> None:
    written = write_report(ledger, Campaign(""), tmp_path / "report", made_on=today)
    page = (written.folder / "index.html").read_text("utf-8")
    articles = dict(re.findall(r'<article id="site-(\d)"(.*?)</article>', page, flags=re.DOTALL))
    assert articles["2"].count('class="left" fill="#ff8ad8"') == 2, "at both later epochs, not at the baseline"
    assert articles["2"].count("Structure left 360\u00a0m²</span>") == 2
    assert articles["3"].count("Rubble left 208\u00a0m²</span>") == 2
    assert 'class="left"' not in articles["1"]


def test_what_the_ledger_holds_is_never_markup(today: date) -> None:
    hostile = '"><script>alert(1)</script>'
    site = replace(sites()[0], name=hostile, owner_system=hostile, sub_district=hostile)
    content = build_content(Campaign(hostile), [site], [], [], [], made_on=today)
    page = render(content, {}, "en")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_empty_ledger_makes_a_whole_page(lang: str, today: date) -> None:
    content = build_content(Campaign(""), [], [], [], [], made_on=today)
    page = Page(render(content, {}, "zh" if lang == "zh" else "en"))
    assert page.misplaced == []


def test_every_word_is_used_and_every_used_word_exists() -> None:
    code = (TEMPLATES.parent.glob("*.py"), TEMPLATES.iterdir())
    sources = "\n".join(path.read_text("utf-8").replace("self.words.", "words.") for some in code for path in some)
    own = (TEMPLATES.parent / "words.py").read_text("utf-8").replace("self._", "").replace("self.", "words.")
    used = set(re.findall(r"\bwords\.(\w+)\b(?!\()", sources + own))
    by_value = {"later", *(kind.value for kind in ClaimKind)}
    methods = {"lang", *(name for name in dir(Words) if not name.startswith("_"))}
    assert used - methods - {"words"} <= catalogue().keys()
    assert catalogue().keys() - used == by_value


@pytest.mark.parametrize(
    ("registration", "english", "chinese"),
    [
        (Registration((3, -2), 0.2), "+3.0, -2.0 px; left 0.20 px (0.10 m)", "+3.0, -2.0 px；残差 0.20 px（0.10 m）"),
        (
            Registration((0, 1), 0.4, 0.9, (0.0, -0.01, 0.01, 0.0)),
            "+0.0, +1.0 px; turned or stretched by 1.00 %; left 0.40 px (0.20 m)",
            "+0.0, +1.0 px；旋转或缩放 1.00%；残差 0.40 px（0.20 m）",
        ),
        (Registration((0, 0), math.inf, 0.1), "not found; the scenes' own georeference holds", None),
    ],
)
def test_the_shift_that_was_removed_and_what_is_left(
    registration: Registration, english: str, chinese: str | None
) -> None:
    assert shift_in_words(registration, 0.5, Words("en")) == english
    assert shift_in_words(registration, 0.5, Words("zh")) == (chinese or Words("zh").no_shift)


def test_sites_tell_their_shift_in_pixels_and_metres(ledger: Ledger, today: date) -> None:
    parts = ledger.sites(), ledger.assessments(), ledger.scenes(), ledger.runs()
    content = build_content(Campaign(""), *parts, made_on=today)
    assert "left 0.20 px (0.10 m)" in render(content, {}, "en")
