"""A site's dossier holds all that is needed to check it; and large ledgers are spread over pages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from cvpipe.assess.telling import happened
from cvpipe.domain import Decision, Outcome, Question, ReviewReason
from cvpipe.errors import UnknownSiteError
from cvpipe.ledger import Ledger, Workspace
from cvpipe.report import Campaign, Format, Look, write_dossiers, write_report
from tests.report.neighbourhood import Neighbourhood

TODAY = date(2017, 6, 30)


@pytest.fixture
def decided(drawn: Neighbourhood, tmp_path: Path) -> Iterator[Ledger]:
    """The neighbourhood with two decisions on one site, the second of which takes the first back."""
    shutil.copytree(drawn.workspace, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace").ledger() as ledger:
        key = ledger.assessments("L-004")[-1].assessment.key
        said = Decision("L-004", "reviewer-7", Question.REBOUND, Outcome.NONE, key, note="a tarpaulin")
        first = ledger.decide(said)
        back = Decision("L-004", "reviewer-7", Question.REBOUND, Outcome.NONE, key, ReviewReason.WITHDRAWN,
                        supersedes=first.id)  # fmt: skip
        ledger.decide(back)
        yield ledger


def test_a_dossier_can_be_checked(decided: Ledger, out: Path) -> None:
    written = write_dossiers(decided, Campaign("Hills"), out, ["L-004"], formats=[Format.HTML, Format.PDF])
    assert (written.sites, written.missing_pictures) == (1, ())
    page = (out / "html" / "00001-L-004.html").read_text("utf-8")
    for scene in decided.scenes():
        assert scene.content_hash in page
    head = decided.history("L-004")[-1].record
    assert f"{head.id}:{head.hash}" in page
    assert "d" * 12 in page
    assert page.count('<tr class="gone">') == 2
    assert "a tarpaulin" in page
    pictures = re.findall(r'<img src="(assets/[^"]+)"', page)
    assert len(pictures) == 3
    assert all((out / "html" / picture).is_file() for picture in pictures)
    assert (out / "pdf" / "00001-L-004.pdf").read_bytes().startswith(b"%PDF-")
    assert "pdf/00001-L-004.pdf" in (out / "index.html").read_text("utf-8")


def test_what_was_taken_back_is_not_in_the_report(decided: Ledger, out: Path) -> None:
    write_report(decided, Campaign("Hills"), out, formats=[Format.HTML], look=Look(pictures=False))
    assert "People · Rebound" not in (out / "index.html").read_text("utf-8")


def test_dossiers_without_html_leave_no_pictures(ledger: Ledger, out: Path) -> None:
    write_dossiers(ledger, Campaign("Hills"), out, ["L-005"], look=Look("zh"), made_on=TODAY)
    assert sorted(path.name for path in out.rglob("*")) == ["00001-L-005.pdf", "index.html", "pdf"]


def test_an_unknown_code_writes_nothing(ledger: Ledger, out: Path) -> None:
    with pytest.raises(UnknownSiteError):
        write_dossiers(ledger, Campaign("Hills"), out, ["L-999"], formats=[Format.HTML])
    assert not out.exists()


def test_many_sites_stand_on_pages_of_their_own(ledger: Ledger, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvpipe.report.html.ONE_PAGE_SITES", 4)
    monkeypatch.setattr("cvpipe.report.html.PAGE_SITES", 3)
    write_report(ledger, Campaign("Hills"), out, formats=[Format.HTML], made_on=TODAY)
    assert sorted(path.name for path in (out / "sites").iterdir()) == ["0001.html", "0002.html", "0003.html"]
    summary = (out / "index.html").read_text("utf-8")
    assert 'href="sites/0002.html#site-4"' in summary
    assert "<article" not in summary
    second = (out / "sites" / "0002.html").read_text("utf-8")
    assert re.findall(r'<article id="site-(\d+)"', second) == ["4", "5", "6"]
    links = re.findall(r'(?:src|href)="([^"#]+)"', second)
    assert {"../index.html", "0001.html", "0003.html"} <= set(links)
    assert all((out / "sites" / link).is_file() for link in links)


#: A word that nobody would leave in a Chinese sentence.
ENGLISH = re.compile(r"[A-Za-z]{4,}")


def test_a_whole_life_in_chinese_leaves_only_names_as_they_were_written(decided: Ledger) -> None:
    history = decided.history("L-004")
    assert {one.kind for one in history} >= {"site", "assessment", "decision"}
    for one in history:
        what, sentence = happened(one, "zh")
        assert not ENGLISH.search(what), what
        if one.kind in {"assessment", "sighting", "move"}:
            assert not ENGLISH.search(sentence.split("：")[1] if one.kind == "move" and "：" in sentence else sentence)


def test_english_is_what_the_ledger_says(decided: Ledger) -> None:
    for one in decided.history("L-004"):
        assert happened(one, "en") == (f"{one.kind} {one.action}", one.sentence)


def test_verdicts_have_their_domain_words(decided: Ledger) -> None:
    assessment = next(one for one in decided.history("L-004") if one.kind == "assessment")
    _, sentence = happened(assessment, "zh")
    assert "拆除" in sentence
    assert "批次任务" in sentence
