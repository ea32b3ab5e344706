"""Pictures, labels, photos, visits and lists: what happens on one site, and what lists say of all."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
from shapely.geometry import box, shape

from cvpipe.domain import CandidateState, ChangeKind, Site
from cvpipe.errors import InputError
from cvpipe.geo import WGS84, area_m2, reproject
from cvpipe.ledger import Ledger, Workspace
from cvpipe.review import overview, uploads
from cvpipe.review.words import Words, catalogue
from tests.review import drawn_district
from tests.review.conftest import LogIn


def rgb(data: bytes) -> NDArray[np.int64]:
    """A JPEG's pixels, red, green, blue."""
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))[:, :, ::-1].astype(np.int64)


def redness(pixels: Iterable[Iterable[int]]) -> float:
    """How much redder than blue the middle is."""
    picture = np.asarray(pixels)
    height, width = picture.shape[:2]
    middle = picture[height * 4 // 10 : height * 6 // 10, width * 4 // 10 : width * 6 // 10]
    return float(middle[:, :, 0].mean() - middle[:, :, 2].mean())


def test_pictures_show_the_site_before_and_after_in_one_stretch(log_in: LogIn) -> None:
    anna = log_in("anna")
    pictures = anna.next(why="uncertain")["items"][0]["pictures"]
    by_role = {epoch["role"]: epoch for epoch in pictures["epochs"]}
    assert [epoch["date"] for epoch in pictures["epochs"]] == ["2015-10-01", "2016-09-01", "2017-07-01"]
    before, after = (rgb(anna.get(by_role[role]["picture"]).content) for role in ("before", "after"))
    assert before.shape == after.shape
    assert redness(before) > 60
    assert abs(redness(after)) < 15
    around = rgb(anna.get(by_role["before"]["around"]).content)
    assert around.shape[:2] == (768, 768)
    told = anna.get(by_role["before"]["picture"]).headers["cache-control"]
    assert "immutable" in told
    assert "private" in told


def test_outlines_lie_where_the_pictures_show_them(log_in: LogIn) -> None:
    pictures = log_in("anna").next(why="uncertain")["items"][0]["pictures"]
    boundary, roof = shape(pictures["boundary"]), shape(pictures["changes"][0]["geometry"])
    side = pictures["side_m"]
    assert side == pytest.approx(90.0, abs=1.0)  # 50 m and 20 m more on each side
    assert boundary.centroid.distance(box(0, 0, side, side).centroid) < 0.5
    assert boundary.area == pytest.approx(2500, rel=0.01)
    assert roof.area == pytest.approx(900, rel=0.01)
    assert roof.centroid.distance(boundary.centroid) < 0.5


def test_a_label_is_kept_as_it_was_drawn(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    drawn = {"type": "Polygon", "coordinates": [[[30, 30], [60, 30], [60, 50], [30, 50], [30, 30]]]}
    sent = {
        "code": "S-03",
        "assessment_key": "remediation-3",
        "changes": [{"kind": "structure_added", "geometry": drawn}],
    }
    assert anna.post("/api/labels", sent).status_code == 200
    label = ledger.labels("S-03")[0].value
    assert (label.who, label.changes[0].kind, label.changes[0].probability) == ("anna", ChangeKind.STRUCTURE_ADDED, 1.0)
    assert area_m2(label.changes[0].geometry) == pytest.approx(600, rel=0.01)
    assert label.changes[0].geometry.within(label.outline)
    shown = anna.next(why="uncertain")["items"][0]["pictures"]
    assert shown["by_hand"]
    assert shape(shown["changes"][0]["geometry"]).symmetric_difference(shape(drawn)).area < 0.5
    assert anna.post("/api/labels", {**sent, "changes": []}).json()["changes"] == 0
    assert anna.next(why="uncertain")["items"][0]["pictures"]["changes"] == []
    assert ledger.verify().problems == ()


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"type": "Point", "coordinates": [1, 1]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [20, 0], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[["a", 0], [10, 0], [10, 10], ["a", 0]]]},
        {"type": "Polygon", "coordinates": [[[1e6, 0], [2e6, 0], [2e6, 10], [1e6, 0]]]},
        {"type": "Polygon", "coordinates": "SELECT 1"},
    ],
)
def test_what_is_no_polygon_is_refused(log_in: LogIn, ledger: Ledger, geometry: dict[str, object]) -> None:
    change = {"kind": "structure_added", "geometry": geometry}
    sent = {"code": "S-03", "assessment_key": "remediation-3", "changes": [change]}
    assert log_in("anna").post("/api/labels", sent).status_code == 422
    assert ledger.labels() == []


def test_a_label_of_another_sites_assessment_is_refused(log_in: LogIn) -> None:
    sent = {"code": "S-03", "assessment_key": "remediation-4", "changes": []}
    assert log_in("anna").post("/api/labels", sent).status_code == 404


def test_a_polygon_is_split_by_a_line(log_in: LogIn) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]}
    line = {"type": "LineString", "coordinates": [[-1, 4], [11, 4]]}
    anna = log_in("anna")
    parts = anna.post("/api/split", {"polygon": square, "line": line}).json()["parts"]
    assert sorted(shape(part).area for part in parts) == [40.0, 60.0]
    beside = {"type": "LineString", "coordinates": [[20, 0], [20, 9]]}
    assert len(anna.post("/api/split", {"polygon": square, "line": beside}).json()["parts"]) == 1
    assert anna.post("/api/split", {"polygon": square, "line": square}).status_code == 422


def photo(lon: float | None = None, lat: float = 0.0, *, kind: str = "JPEG") -> bytes:
    """A small photo that tells where and when it was taken, and whose camera it was."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "somebody's name"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2017:07:10 09:30:00"
    if lon is not None:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        for name, value in ((ExifTags.GPS.GPSLatitude, lat), (ExifTags.GPS.GPSLongitude, lon)):
            minutes = (value - int(value)) * 60
            gps[name] = (
                IFDRational(int(value)),
                IFDRational(int(minutes)),
                IFDRational(round(minutes % 1 * 6e6), 100_000),
            )
        gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = "N", "E"
    kept = io.BytesIO()
    Image.new("RGB", (64, 48), (10, 200, 30)).save(kept, kind, exif=exif)
    return kept.getvalue()


def test_a_photo_is_kept_without_what_tells_of_a_person(log_in: LogIn, ledger: Ledger, workspace: Workspace) -> None:
    anna, line = log_in("anna"), ledger.site_lines(["S-03"])[0]
    sent = {"photo": ("..\\..//evil/<b>.php", photo(line.lon, line.lat), "text/html")}
    answer = anna.http.post("/api/attachments", data={"code": "S-03"}, files=sent, headers={"X-CSRF-Token": anna.csrf})
    assert (answer.status_code, answer.json()["said"]) == (200, "")
    entry = ledger.attachments("S-03")[0]
    assert (entry.value.name, str(entry.value.taken_on)) == ("<b>.php", "2017-07-10")
    assert entry.value.place is not None
    assert entry.value.place.distance(ledger.sites(["S-03"])[0].geometry) < 1e-4
    kept = (workspace.folder / entry.value.path).read_bytes()
    assert b"somebody" not in kept
    assert not Image.open(io.BytesIO(kept)).getexif()
    got = anna.get(f"/attachment?code=S-03&id={entry.id}")
    assert (got.headers["content-type"], got.content) == ("image/jpeg", kept)
    assert anna.get(f"/attachment?code=S-04&id={entry.id}").status_code == 404
    assert "<b>.php" not in anna.page("/site?code=S-03").text


def test_a_photo_from_elsewhere_says_so(log_in: LogIn) -> None:
    anna = log_in("anna")
    for place, said in (((116.3, 39.95), "m from the site"), ((None, 0.0), "tells no place")):
        answer = anna.http.post(
            "/api/attachments",
            data={"code": "S-03"},
            files={"photo": ("a.jpg", photo(*place), "image/jpeg")},
            headers={"X-CSRF-Token": anna.csrf},
        )
        assert said in answer.json()["said"]


@pytest.mark.parametrize(
    "data",
    [b"", b"<?php system('id'); ?>", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"GIF89a\x01\x00",
     b"%PDF-1.4", b"\xff\xd8\xff\xe0" + b"\0" * 50, photo()[:200]],
    ids=["empty", "php", "svg", "gif", "pdf", "broken", "cut"],
)  # fmt: skip
def test_what_is_no_photo_is_refused(log_in: LogIn, ledger: Ledger, workspace: Workspace, data: bytes) -> None:
    anna = log_in("anna")
    sent = {"photo": ("a.jpg", data, "image/jpeg")}
    answer = anna.http.post("/api/attachments", data={"code": "S-03"}, files=sent, headers={"X-CSRF-Token": anna.csrf})
    assert answer.status_code == 422
    assert ledger.attachments() == []
    assert not (workspace.folder / "attachments").exists()


def test_damaged_metadata_are_refused_or_left_out_never_a_fault() -> None:
    whole = photo(113.0, 23.0)
    rng, read = np.random.default_rng(7), 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(20, 220, 3).tolist():
            damaged[place] = int(rng.integers(0, 256))
        with suppress(InputError):
            uploads.read_photo(bytes(damaged))
            read += 1
    assert read > 20


def test_an_oversized_photo_is_refused_unread(log_in: LogIn) -> None:
    anna = log_in("anna")
    sent = {"photo": ("a.jpg", b"x" * 26_000_000, "image/jpeg")}
    answer = anna.http.post("/api/attachments", data={"code": "S-03"}, files=sent, headers={"X-CSRF-Token": anna.csrf})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a/b\\c.jpg", "c.jpg"),
        ("../../x", "x"),
        ("", "photo.jpg"),
        ("a\x00\nb.jpg", "ab.jpg"),
        ("照片.jpg", "照片.jpg"),
    ],
)
def test_names_of_photos_are_names_only(given: str, shown: str) -> None:
    assert uploads.shown_name(given) == shown


def test_a_visit_is_listed_taken_along_and_entered(log_in: LogIn, ledger: Ledger, tmp_path: Path) -> None:
    anna = log_in("anna")
    item = anna.next(why="uncertain")["items"][0]
    anna.decide(item, "not_assessable", reason="site_visit", note="behind the trees")
    assert "behind the trees" in anna.page("/visits").text
    plain = json.loads(anna.get("/visits/export?kind=geojson").content)
    assert [feature["properties"]["code"] for feature in plain["features"]] == ["S-03"]
    assert "behind the trees" in json.dumps(plain)
    assert b"<kml" in anna.get("/visits/export?kind=kml").content
    workbook = tmp_path / "visits.xlsx"
    workbook.write_bytes(anna.get("/visits/export?kind=xlsx").content)
    assert "xl/workbook.xml" in ZipFile(workbook).namelist()
    assert anna.get("/visits/export?kind=../x").status_code == 422
    found = {"code": "S-03", "inspected_on": "2017-08-02", "result": "not_clear", "note": "rubble"}
    assert anna.post("/api/inspections", found).status_code == 200
    assert "behind the trees" not in anna.page("/visits").text
    assert ledger.inspections("S-03")[0].value.note == "rubble"


def test_a_candidate_is_settled(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    number = ledger.candidates()[0].id
    assert anna.post("/api/candidates", {"id": number, "state": "adopted"}).status_code == 409
    adopted = {"id": number, "state": "adopted", "site_code": "S-04"}
    assert anna.post("/api/candidates", adopted).json()["state"] == "adopted"
    assert ledger.candidates()[0].value.state is CandidateState.ADOPTED
    assert ledger.candidates()[0].value.who == "anna"


def test_the_table_is_searched_sorted_and_paged(log_in: LogIn) -> None:
    anna = log_in("anna")
    rows = anna.get("/sites/rows?sort=code&descending=1&text=yard east").text
    found = [code for code in (f"S-{n:02d}" for n in range(14)) if f">{code}<" in rows]
    assert found == [f"S-{n:02d}" for n in range(1, 14, 2)]
    assert rows.index(">S-13<") < rows.index(">S-01<")
    assert "0 of 14" in anna.get("/sites/rows?text=nowhere").text
    assert ">S-00<" in anna.get("/sites/rows?status=closed&outcome=rebound.suspected").text
    for odd in ("page=-1", "page=x", "sort=__class__", "page=99999999999999999999", "batch=%00"):
        assert anna.get(f"/sites/rows?{odd}").status_code == 200, odd


def test_a_page_of_many_sites_holds_some(log_in: LogIn, ledger: Ledger) -> None:
    site = ledger.sites(["S-09"])[0]
    ledger.put_sites([replace(site, code=f"M-{n:03d}") for n in range(120)], source="test")
    anna = log_in("anna")
    first, last = anna.get("/sites/rows?page=1&text=M-").text, anna.get("/sites/rows?page=3&text=M-").text
    assert (first.count("/site?code="), last.count("/site?code=")) == (overview.PAGE_ROWS, 120 - 2 * overview.PAGE_ROWS)
    assert "120 of 134" in first


def test_the_overview_counts(log_in: LogIn) -> None:
    anna, bo = log_in("anna"), log_in("bo")
    item = anna.next(why="rebound")["items"][0]
    anna.decide(item, "suspected")
    again = next(i for i in bo.next(why="rebound")["items"] if i["key"] == item["key"])
    bo.decide(again, "none", reason="shadow")
    text = anna.page("/overview").text
    assert "0 %" in text
    assert "shadow" in text
    plain = anna.get("/api/map").json()
    assert len(plain["sites"]) == 14
    assert anna.get(plain["picture"]).headers["content-type"] == "image/jpeg"


def test_pages_speak_both_languages(log_in: LogIn) -> None:
    anna = log_in("anna")
    anna.http.cookies.set("cvpipe_lang", "zh")
    item = anna.next(why="uncertain")["items"][0]
    assert (item["verdict"]["outcome_word"], item["why"]) == ("完成", "不确定")
    assert 'lang="zh-CN"' in anna.page("/review").text
    for page in ("/review", "/sites", "/overview", "/visits", "/candidates", "/site?code=S-03", "/sheet?code=S-03"):
        assert anna.page(page).status_code == 200


def test_every_word_is_in_both_languages() -> None:
    for key, (english, chinese) in catalogue().items():
        assert english.strip(), key
        assert chinese.strip(), key
        assert re.findall(r"\{\w+\}", english) == re.findall(r"\{\w+\}", chinese), key
        assert key not in dir(Words("en").__class__), f"{key} is a method of Words"


def test_a_site_without_pictures_has_a_page(log_in: LogIn, ledger: Ledger) -> None:
    place = reproject(drawn_district.outline(0), drawn_district.UTM, WGS84)
    ledger.put_sites([Site("Z/1 ?&", place, name="far")], source="test")
    anna = log_in("anna")
    for page in ("/site", "/sheet"):
        answer = anna.http.get(page, params={"code": "Z/1 ?&"}, headers={"Accept": "text/html"})
        assert answer.status_code == 200
    assert "Z/1 ?&amp;" in anna.page("/sites").text
    assert anna.page("/site?code=nowhere").status_code == 404


def test_what_a_run_writes_shows_at_once(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    before = anna.next()["queue"]["waiting"]
    site = ledger.sites(["S-09"])[0]
    ledger.put_sites([replace(site, code="S-99")], source="test")
    run = ledger.begin_run(settings={}, code_version="0", bundle="b", bundle_digest="d", rules_version="1", machine={})
    old = ledger.assessments("S-04")[0].assessment
    ledger.record(run, replace(old, site_code="S-99", key="new"))
    assert anna.next()["queue"]["waiting"] > before
