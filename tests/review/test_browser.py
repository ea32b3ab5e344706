"""The page in a real browser: by keyboard alone, held against what the ledger has afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cvpipe.domain import Outcome
from cvpipe.ledger import Ledger, Workspace
from cvpipe.review.pages import static_folder
from tests.browsing import barriers, browser
from tests.review.drawn_district import PASSWORD
from tests.review.served import Server, serving
from tests.review.test_site_work import photo
from tests.review.test_surfaces import keep as keep_surfaces_of

pytestmark = pytest.mark.browser

#: The machine may be busy with other tests.
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless browser for all tests of this file."""
    if not (static_folder() / "vendor" / "map.js").is_file():
        pytest.skip("the map library is not bundled (make web)")
    with browser() as opened:
        yield opened


@pytest.fixture
def server(workspace: Workspace) -> Iterator[Server]:
    """The real command on the drawn district."""
    with serving(workspace.folder) as running:
        yield running


class Reader:
    """Somebody at the browser; scripts' errors and refused addresses are gathered in `troubles`."""

    def __init__(self, chromium: Any, address: str, name: str, **settings: Any) -> None:
        self.context = chromium.new_context(viewport={"width": 1366, "height": 860}, **settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.address, self.name, self.troubles = address, name, list[str]()
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", self._hear)
        self.page.goto(f"{address}/review")
        self.enter(name)

    def enter(self, name: str) -> None:
        """Fill in the form that is on the screen."""
        self.name = name
        self.page.wait_for_function("() => document.activeElement?.matches('input')")
        self.page.keyboard.type(name)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        self.shown()

    def _hear(self, said: Any) -> None:
        if said.type == "error":
            self.troubles.append(said.text)

    def shown(self, other_than: str = "") -> str:
        """Wait until an item is painted, another one than the one named; returns its name."""
        here = "document.documentElement?.dataset.shown"  # while a page gives way to the next there is no element
        painted = self.page.wait_for_function(f"() => {here} && {here} !== {other_than!r} && {here}")
        return str(painted.json_value())

    def press(self, key: str) -> str:
        """One key, and the item that comes next."""
        before = self.shown()
        self.page.keyboard.press(key)
        return self.shown(before)

    def saved(self) -> None:
        """Wait until nothing is on its way."""
        kept = f"localStorage.getItem('cvpipe-outbox {self.name}')"
        self.page.wait_for_function(f"() => JSON.parse({kept} ?? '[]').length === 0")


def test_ten_items_are_decided_by_one_key_each(chromium: Any, server: Server, ledger: Ledger) -> None:
    anna = Reader(chromium, server.address, "anna")
    keys = ("Enter", "c", "1", "2", "4", "7", "x", "g", "Enter", "Enter")
    items = []
    for key in keys:
        items.append(anna.shown())
        anna.press(key)
    anna.saved()
    decisions = [entry.value for entry in ledger.decisions()]
    assert [f"{d.assessment_key}/{d.question}" for d in decisions] == items
    reasons = ["", "", "shadow", "season", "vehicle", "other", "", "site_visit", "", ""]
    assert [d.reason for d in decisions] == reasons
    assert [d.verdict for d in decisions[6:8]] == [Outcome.NOT_ASSESSABLE] * 2
    assert all(d.who == "anna" and d.seconds is not None and d.seconds < 600 for d in decisions)
    machine = {f"{g.assessment_key}/{g.verdict.question}": g.verdict.outcome for g in ledger.given_verdicts()}
    agrees = [machine[item] is d.verdict for item, d in zip(items, decisions, strict=True)]
    assert agrees == [True, True, False, False, False, False, False, False, True, True]
    assert ledger.verify().problems == ()
    assert anna.troubles == []


def test_undo_brings_the_last_item_back(chromium: Any, server: Server, ledger: Ledger) -> None:
    anna = Reader(chromium, server.address, "anna")
    first = anna.shown()
    anna.press("Enter")
    anna.saved()
    assert anna.press("u") == first
    assert [entry.value.reason for entry in ledger.decisions()] == ["", "withdrawn"]
    anna.press("3")
    anna.saved()
    assert ledger.decisions()[-1].value.reason == "misaligned"


def test_flicker_shows_the_other_epoch_while_the_key_is_held(chromium: Any, server: Server) -> None:
    anna = Reader(chromium, server.address, "anna")
    tag = anna.page.locator("#tag-before")
    later = tag.inner_text()
    anna.page.keyboard.down(" ")
    assert tag.inner_text() != later
    assert tag.inner_text().startswith("Before")
    anna.page.keyboard.up(" ")
    assert tag.inner_text() == later
    for view in ("swipe", "side", "single"):
        anna.page.keyboard.press("v")
        assert anna.page.locator(".stage").get_attribute("data-view") == view
    assert anna.troubles == []


def test_a_polygon_is_drawn_and_saved(chromium: Any, server: Server, ledger: Ledger) -> None:
    anna = Reader(chromium, server.address, "anna")
    key = anna.shown().split("/")[0]
    anna.page.keyboard.press("e")
    anna.page.locator("[data-edit=draw]").click()
    anna.page.locator("#edit-kind").select_option("green_added")
    box = anna.page.locator("#pane-after").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for dx, dy in ((-140, 160), (140, 160), (140, 230)):
        anna.page.mouse.click(middle[0] + dx, middle[1] + dy)
        anna.page.wait_for_timeout(350)
    anna.page.mouse.dblclick(middle[0] - 140, middle[1] + 230)
    anna.page.locator("[data-edit=save]").click()
    anna.page.wait_for_function("() => document.documentElement.dataset.labelled")
    label = ledger.labels()[-1].value
    assert (label.assessment_key, label.who) == (key, "anna")
    assert sorted(change.kind.value for change in label.changes) == ["green_added", "structure_added"]
    drawn = next(change for change in label.changes if change.kind.value == "green_added")
    assert drawn.geometry.geom_type == "Polygon"
    assert drawn.area_m2 > 50
    assert anna.troubles == []


def test_a_second_person_reviews_blind(chromium: Any, server: Server, ledger: Ledger) -> None:
    anna = Reader(chromium, server.address, "anna")
    item = anna.shown()
    assert item.endswith("/rebound")
    anna.page.locator("#note").fill("hidden from the second person")
    anna.page.keyboard.press("Escape")
    anna.press("Enter")
    anna.saved()
    assert "second person" in anna.page.locator("#save-state").inner_text()
    anna.context.close()  # what anna had before her stays hers for a while
    bo = Reader(chromium, server.address, "bo")
    assert bo.shown() == item
    assert "Second opinion" in bo.page.locator("#tags").inner_text()
    assert "hidden from" not in bo.page.content()
    bo.press("Enter")
    bo.saved()
    assert [(e.value.who, e.value.second_reviewer) for e in ledger.decisions()] == [("anna", ""), ("bo", "anna")]


def test_the_page_is_chinese_for_who_reads_chinese(chromium: Any, server: Server, ledger: Ledger) -> None:
    anna = Reader(chromium, server.address, "anna", locale="zh-CN")
    assert anna.page.locator("html").get_attribute("lang") == "zh-CN"
    text = anna.page.locator("body").inner_text()
    for word in ("核查", "确认", "阴影", "撤销", "整治后", "反弹"):
        assert word in text, word
    anna.press("1")
    anna.saved()
    assert ledger.decisions()[0].value.reason == "shadow"
    anna.page.locator("[data-act=language]").click()
    anna.shown()
    assert "Confirm" in anna.page.locator("#decide").inner_text()


def test_what_the_server_did_not_acknowledge_is_sent_again(chromium: Any, server: Server, ledger: Ledger) -> None:
    anna = Reader(chromium, server.address, "anna")
    item = anna.shown()
    anna.page.route("**/api/decisions", lambda route: route.abort())
    anna.press("Enter")
    anna.page.wait_for_selector("#banner:not([hidden])")
    assert ledger.decisions() == []
    anna.page.unroute("**/api/decisions")
    anna.saved()
    assert [f"{e.value.assessment_key}/{e.value.question}" for e in ledger.decisions()] == [item]


def test_what_one_person_decided_is_never_sent_as_anothers(chromium: Any, server: Server, ledger: Ledger) -> None:
    anna = Reader(chromium, server.address, "anna")
    item = anna.shown()
    anna.page.route("**/api/decisions", lambda route: route.fulfill(status=401, json={"error": "Log in first."}))
    anna.press("Enter")
    anna.page.wait_for_selector("#banner:not([hidden])")
    anna.page.on("dialog", lambda dialog: dialog.accept())
    anna.page.unroute("**/api/decisions")
    anna.page.evaluate("() => { for (let i = 0; i < 9999; i++) clearTimeout(i); }")  # before it is tried again
    for name in ("bo", "anna"):
        anna.context.clear_cookies()
        anna.page.goto(f"{server.address}/review")
        anna.enter(name)
        anna.saved()
        assert [entry.value.who for entry in ledger.decisions()] == (["anna"] if name == "anna" else [])
    assert f"{ledger.decisions()[0].value.assessment_key}/{ledger.decisions()[0].value.question}" == item


def test_the_single_keys_are_switched_off_by_the_keyboard_too(chromium: Any, server: Server) -> None:
    anna = Reader(chromium, server.address, "anna")
    anna.page.keyboard.press("?")
    anna.page.locator("#keys-on").focus()
    anna.page.keyboard.press(" ")
    assert not anna.page.locator("#keys-on").is_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_serious_barrier(chromium: Any, server: Server, scheme: str) -> None:
    assert _barriers_of_form(chromium, server, scheme) == []
    ada = Reader(chromium, server.address, "ada", color_scheme=scheme, bypass_csp=True)
    for path in ("/review", "/sites", "/overview", "/candidates", "/visits", "/people", "/site?code=S-03"):
        ada.page.goto(server.address + path)
        ada.page.wait_for_load_state("networkidle")
        assert barriers(ada.page) == [], path


def _barriers_of_form(chromium: Any, server: Server, scheme: str) -> list[Any]:
    """Those of the log-in form, as a stranger sees it."""
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{server.address}/login")
    found = barriers(page)
    context.close()
    return found


#: From the click on a heading until the rows in the new order are painted, milliseconds.
_SORT = """async (name) => {
  const rows = document.getElementById("rows"), started = performance.now();
  const changed = new Promise((done) => new MutationObserver(done).observe(rows, { childList: true }));
  rows.querySelector(`[data-sort=${name}]`).click();
  await changed;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - started;
}"""


@pytest.mark.slow
def test_ten_thousand_sites_are_sorted_and_mapped_within_a_second(
    chromium: Any, workspace: Workspace, ledger: Ledger
) -> None:
    site = ledger.sites(["S-09"])[0]
    ledger.put_sites([replace(site, code=f"M-{n:05d}", name=f"Yard {n % 977}") for n in range(10_000)], source="test")
    with serving(workspace.folder) as server:
        anna = Reader(chromium, server.address, "anna")
        anna.page.goto(f"{server.address}/sites")
        anna.page.wait_for_selector("#rows tbody tr")
        assert "10,014" in anna.page.locator("#rows").inner_text()
        anna.page.evaluate(_SORT, "place")
        waits = [anna.page.evaluate(_SORT, name) for name in ("name", "due", "status", "code", "name")]
        assert anna.page.locator("#rows tbody tr").count() <= 50
        assert sorted(waits)[len(waits) // 2] < 1000, waits
        anna.page.goto(f"{server.address}/overview")
        anna.page.wait_for_function("() => document.documentElement.dataset.shown === 'map'")
        waits = [anna.page.evaluate(_REDRAW, value) for value in ("status", "tone", "status", "tone")]
        assert min(waits) < 1000, waits  # the least: what else keeps the machine busy is not the page's doing
        assert anna.troubles == []


#: From another colouring of the map of all sites until it is painted, milliseconds.
_REDRAW = """async (value) => {
  const by = document.getElementById("colour-by"), started = performance.now();
  by.value = value;
  by.dispatchEvent(new Event("change", { bubbles: true }));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - started;
}"""


def test_surfaces_are_laid_over_the_pictures_by_a_key(chromium: Any, workspace: Workspace) -> None:
    keep_surfaces_of(workspace, 0, "watch-0")
    with serving(workspace.folder) as server:
        anna = Reader(chromium, server.address, "anna")
        assert anna.shown() == "watch-0/rebound"
        assert "vegetation" not in anna.page.locator("#legend").inner_text().lower()
        with anna.page.expect_response(lambda answer: "/pictures/surfaces" in answer.url) as got:
            anna.page.keyboard.press("s")
        assert got.value.status == 200
        assert anna.page.locator("#surfaces").get_attribute("aria-pressed") == "true"
        assert "vegetation" in anna.page.locator("#legend").inner_text().lower()
        anna.page.keyboard.press("s")
        assert "vegetation" not in anna.page.locator("#legend").inner_text().lower()
        assert anna.troubles == []


def test_a_visit_list_comes_back_through_the_page(chromium: Any, server: Server, ledger: Ledger) -> None:
    anna = Reader(chromium, server.address, "anna")
    anna.page.goto(f"{server.address}/visits")
    sheet = b"code,visit_result,visited_on,visit_photos\nS-03,clear,2017-08-02,a.jpg\nS-99,clear,2017-08-02,\n"
    anna.page.set_input_files("[name=sheet]", {"name": "v.csv", "mimeType": "text/csv", "buffer": sheet})
    anna.page.set_input_files("[name=photos]", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photo()})
    anna.page.click("#results button")
    anna.page.wait_for_function("() => document.documentElement.dataset.returned")
    told = anna.page.locator("#returned").inner_text()
    assert "There is no site S-99" in told
    assert "The photo tells no place" in told
    assert [e.value.site_code for e in ledger.inspections()] == ["S-03"]
    assert [e.value.site_code for e in ledger.attachments()] == ["S-03"]
    assert anna.troubles == []
