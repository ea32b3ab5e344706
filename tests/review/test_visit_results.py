"""Visit lists that come back filled in: every row judged and told, photos placed, nothing entered twice."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cvpipe.domain import InspectionResult
from cvpipe.ledger import Ledger
from tests.review.conftest import LogIn
from tests.review.test_site_work import photo
from tests.review.visitors import Person

#: Rows of a list: code, result, day, note, photos.
Row = tuple[str, str, str, str, str]
HEADINGS = ("code", "visit_result", "visited_on", "visit_note", "visit_photos")


def sheet(*rows: Row, headings: tuple[str, ...] = HEADINGS) -> bytes:
    """A list as CSV."""
    written = io.StringIO()
    csv.writer(written).writerows([headings, *rows])
    return written.getvalue().encode()


def send(person: Person, data: bytes, name: str = "visits.csv") -> Any:
    """What the page sends, and its answer."""
    files = {"sheet": (name, data, "application/octet-stream")}
    return person.http.post("/api/visits/results", files=files, headers={"X-CSRF-Token": person.csrf})


def states(answer: Any) -> list[tuple[str, str]]:
    """Code and state of each row."""
    assert answer.status_code == 200, answer.text
    return [(row["code"], row["state"]) for row in answer.json()["rows"]]


def ask_for_visits(person: Person, count: int) -> list[str]:
    """Have sites visited; their codes."""
    codes = []
    for _ in range(count):
        item = person.next(why="uncertain")["items"][0]
        assert person.decide(item, "not_assessable", reason="site_visit", note="=behind the trees").status_code == 200
        codes.append(item["site"]["code"])
    return codes


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("kind", ["xlsx", "csv", "geojson"])
def test_a_list_that_was_taken_along_comes_back_filled_in(
    log_in: LogIn, ledger: Ledger, tmp_path: Path, kind: str, lang: str
) -> None:
    anna = log_in("anna")
    anna.http.cookies.set("cvpipe_lang", lang)
    codes = ask_for_visits(anna, 2)
    path = tmp_path / f"visits.{kind}"
    path.write_bytes(anna.get(f"/visits/export?kind={kind}").content)
    word = "未清理" if lang == "zh" else "not clear"
    fill = {"xlsx": _fill_workbook, "csv": _fill_csv, "geojson": _fill_geojson}[kind]
    fill(path, codes[0], word)
    assert states(send(anna, path.read_bytes(), path.name)) == [(codes[0], "entered"), (codes[1], "not_visited")]
    visit = ledger.inspections()[0].value
    assert (visit.site_code, visit.result, visit.who) == (codes[0], InspectionResult.NOT_CLEAR, "anna")
    assert (str(visit.inspected_on), visit.note) == ("2017-08-02", "rubble at the gate")
    assert f">{codes[0]}<" not in anna.page("/visits").text, "nobody need go there again"
    assert f">{codes[1]}<" in anna.page("/visits").text


#: What is filled in beside the result, by either heading.
_FILLED = {"visited_on": "2017-08-02", "核查日期": "2017-08-02", "visit_note": "rubble at the gate",
           "现场情况": "rubble at the gate"}  # fmt: skip


def _filled(heading: str, word: str) -> str | None:
    return word if heading in ("visit_result", "核查结果") else _FILLED.get(heading)


def _fill_workbook(path: Path, code: str, word: str) -> None:
    workbook = openpyxl.load_workbook(path)
    rows = list(workbook.worksheets[0].iter_rows())
    for row in rows[1:]:
        for heading, cell in zip(rows[0], row, strict=True):
            if row[0].value == code and (found := _filled(str(heading.value), word)):
                cell.value = found
    workbook.save(path)


def _fill_csv(path: Path, code: str, word: str) -> None:
    lines = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    for line in lines[1:]:
        if line[0] == code:
            line[:] = [_filled(heading, word) or cell for heading, cell in zip(lines[0], line, strict=True)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)


def _fill_geojson(path: Path, code: str, word: str) -> None:
    plain = json.loads(path.read_text())
    for feature in plain["features"]:
        told = feature["properties"]
        if code in told.values():
            told |= {heading: found for heading in told if (found := _filled(heading, word))}
    path.write_text(json.dumps(plain))


def test_a_row_that_cannot_be_entered_costs_that_row_only(log_in: LogIn, ledger: Ledger) -> None:
    tomorrow = f"{datetime.now(UTC).date() + timedelta(days=1)}"
    answer = send(
        log_in("anna"),
        sheet(
            ("S-03", "clear", "2017-08-02", "", ""),
            ("S-99", "clear", "2017-08-02", "", ""),
            ("", "clear", "2017-08-02", "", ""),
            ("S-04", "splendid", "2017-08-02", "", ""),
            ("S-05", "clear", "", "", ""),
            ("S-06", "clear", "05/06/2017", "", ""),
            ("S-07", "clear", tomorrow, "", ""),
            ("S-08", "", "2017-08-02", "forgotten", ""),
            ("S-09", "clear", "2017-08-02", "call 13812345678", ""),
            ("S-10", "clear", "2017-08-02", "x" * 2001, ""),
            ("S-03", "rebound", "2017-08-03", "", ""),
            ("S-11", "No Access", "2 Aug 2017", "", ""),
            ("S-12", "无法进入", "2017年8月2日", "", ""),
        ),
    )
    found = answer.json()
    assert [row["state"] for row in found["rows"]] == ["entered", *["refused"] * 11, "entered"]
    assert all(bool(row["why"]) is (row["state"] == "refused") for row in found["rows"])
    assert "no site S-99" in found["rows"][1]["why"]
    assert "splendid" in found["rows"][3]["why"]
    assert "data about a person" in found["rows"][8]["why"]
    assert found["said"] == "2 entered, 0 known already, 0 not visited, 11 refused"
    assert [e.value.site_code for e in ledger.inspections()] == ["S-03", "S-12"]
    assert ledger.verify().problems == ()


def test_the_same_list_again_enters_nothing(log_in: LogIn, ledger: Ledger) -> None:
    data = sheet(("S-03", "clear", "2017-08-02", "", ""), ("S-04", "rebound", "2017-08-02", "a shed", ""))
    assert states(send(log_in("anna"), data)) == [("S-03", "entered"), ("S-04", "entered")]
    assert states(send(log_in("bo"), data)) == [("S-03", "known"), ("S-04", "known")]
    assert len(ledger.inspections()) == 2


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("visits.csv", b"", "cannot be read"),
        ("visits.xlsx", b"PK\x03\x04 no workbook", "cannot be read"),
        ("visits.geojson", b"{}", "cannot be read"),
        ("visits.exe", b"MZ", "XLSX, CSV or GeoJSON"),
        ("../../visits.zip", b"PK", "XLSX, CSV or GeoJSON"),
        ("visits.csv", sheet(("S-03", "x", "x", "", ""), headings=("code", "a", "b", "c", "d")), "visit_result"),
    ],
)
def test_what_is_no_visit_list_is_refused(log_in: LogIn, ledger: Ledger, name: str, data: bytes, said: str) -> None:
    answer = send(log_in("anna"), data, name)
    assert (answer.status_code, said in answer.json()["error"]) == (422, True), answer.text
    assert ledger.inspections() == []


def test_what_is_wrong_is_told_in_chinese_too(log_in: LogIn) -> None:
    anna = log_in("anna")
    anna.http.cookies.set("cvpipe_lang", "zh")
    rows = send(anna, sheet(("S-99", "clear", "2017-08-02", "", ""))).json()["rows"]
    assert rows[0]["why"] == "没有编号为 S-99 的点位。"
    assert send(anna, b"", "visits.exe").json()["error"].startswith("请上传")


def test_markup_in_a_list_stays_text(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    assert states(send(anna, sheet(("S-03", "clear", "2017-08-02", "<script>alert(1)</script>", "")))) == [
        ("S-03", "entered")
    ]
    assert "<script>alert" not in anna.page("/site?code=S-03").text
    assert ledger.inspections()[0].value.note == "<script>alert(1)</script>"


def test_photos_go_to_the_site_that_a_row_names_or_where_they_were_taken(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    data = sheet(("S-03", "clear", "2017-08-02", "", "DCIM/a.jpg；b.jpg"))
    assert send(anna, data).json()["rows"][0]["photos"] == ["a.jpg", "b.jpg"]
    middle = ledger.sites(["S-05"])[0].geometry.centroid
    assert _send_photo(anna, photo(middle.x, middle.y)).json()["code"] == "S-05"
    for elsewhere in ((116.9, 39.95), (None, 0.0)):
        lost = _send_photo(anna, photo(*elsewhere))
        assert (lost.status_code, "No row names" in lost.json()["error"]) == (422, True)
    far = _send_photo(anna, photo(116.9, 39.95), code="S-03").json()
    assert "m from the site" in far["said"]
    assert "m from the site" in anna.page("/site?code=S-03").text
    assert [e.value.site_code for e in ledger.attachments()] == ["S-05", "S-03"]


def _send_photo(person: Person, data: bytes, **form: str) -> Any:
    files = {"photo": ("p.jpg", data, "image/jpeg")}
    return person.http.post("/api/attachments", data=form, files=files, headers={"X-CSRF-Token": person.csrf})


def test_a_viewer_brings_nothing_back(log_in: LogIn, ledger: Ledger) -> None:
    assert send(log_in("vera"), sheet(("S-03", "clear", "2017-08-02", "", ""))).status_code == 403
    assert 'id="bring"' not in log_in("vera").page("/visits").text
    assert ledger.inspections() == []
