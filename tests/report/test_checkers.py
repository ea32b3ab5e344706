"""Report, dossiers and published ledger as checkers see them: well-formed, and without barriers in light and dark."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cvpipe.ledger import Workspace
from cvpipe.report import Campaign, Format, Look, write_dossiers, write_public, write_report
from cvpipe.settings import PublicSettings
from tests.browsing import barriers, browser, faults_of_html
from tests.report.neighbourhood import Neighbourhood

TODAY = date(2017, 6, 30)


@pytest.fixture(scope="module")
def pages(drawn: Neighbourhood, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every kind of page that leaves the system, in both languages."""
    folder, campaign = tmp_path_factory.mktemp("pages"), Campaign("Hills", 8)
    with Workspace.open(drawn.workspace).ledger() as ledger, pytest.MonkeyPatch.context() as patch:
        for look in (Look("en"), Look("zh")):
            write_report(ledger, campaign, folder / f"one-{look.lang}", formats=[Format.HTML], look=look, made_on=TODAY)
            dossiers = folder / f"dossiers-{look.lang}"
            write_dossiers(ledger, campaign, dossiers, ["L-004"], formats=[Format.HTML], look=look, made_on=TODAY)
            public = folder / f"public-{look.lang}"
            write_public(ledger, campaign, public, PublicSettings(), lang=look.lang, made_on=TODAY)
        patch.setattr("cvpipe.report.html.ONE_PAGE_SITES", 4)
        patch.setattr("cvpipe.report.html.PAGE_SITES", 4)
        write_report(ledger, campaign, folder / "many", formats=[Format.HTML], made_on=TODAY)
    return sorted(folder.rglob("*.html"))


def test_pages_are_well_formed(pages: list[Path]) -> None:
    assert len(pages) == 11
    assert faults_of_html(pages) == ""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_pages_have_no_serious_barrier(pages: list[Path], scheme: str, width: int) -> None:
    with browser() as opened:
        page = opened.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        for file in pages:
            page.goto(file.as_uri())
            assert barriers(page) == [], file
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{file} is wider than {width}"


@pytest.mark.browser
def test_a_site_is_found_among_thousands(pages: list[Path]) -> None:
    by_folder = {(file.parent.name, file.name): file for file in pages}
    with browser() as opened:
        page = opened.new_page()
        page.goto(by_folder["many", "index.html"].as_uri())
        assert page.locator("[data-at-rest] > :visible").count() == 0, "nothing is listed before somebody asks"
        page.fill("#find", "timber")
        assert page.locator("[data-at-rest] > :visible").all_inner_texts() == ["L-001 Timber yard Babaoshan"]
        page.click("[data-at-rest] > :visible a")
        assert page.url.endswith("sites/0001.html#site-1")
        page.goto(by_folder["public-zh", "index.html"].as_uri())
        page.fill("#find", "laoshan 已销账")
        assert page.locator("[data-at-rest] > :visible td:first-child").all_inner_texts() == ["L-004", "L-006"]
        assert page.locator("#shown").inner_text() == "显示 2 / 7 处"
