"""What a reviewer is refused is said in their language; what nobody translated is led in, never lost."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from fastapi import FastAPI

from cvpipe.assess.telling import COLUMNS
from cvpipe.domain import Finding, Inspection, InspectionResult, Plan, SiteStatus
from cvpipe.errors import CvpipeError, InputError, LedgerError, LedgerUnavailableError
from cvpipe.ledger import Ledger
from cvpipe.ledger.schema import SETTLED_COLUMNS, sites
from cvpipe.review import refusals
from cvpipe.review.unfit import FIELDS
from cvpipe.review.words import Words
from tests.review.conftest import LogIn
from tests.review.visitors import Person

#: Words of English: four letters and more, but for names that Chinese sentences have too.
ENGLISH = re.compile(r"(?<![A-Za-z])(?!JPEG|WebP|XLSX|GeoJSON)[A-Za-z]{4,}")

#: What people wrote in the drawn district, a batch and a source, stays as it is.
WRITTEN = re.compile("first|drawn")


def chinese(person: Person) -> Person:
    """Somebody who reads Chinese."""
    person.http.cookies.set("cvpipe_lang", "zh")
    return person


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/moves", {"code": "S-10", "becomes": "closed"}, "不能由“整治中”变更为“已销账”，可变更为：已登记"),
        ("/api/moves", {"code": "S-10", "becomes": "in_progress"}, "点位已是“整治中”"),
        ("/api/moves", {"code": "S-10", "becomes": "registered"}, "“退回”须填写理由"),
        ("/api/moves", {"code": "S-00", "becomes": "rebound", "reason": "x"}, "“反弹：疑似”须经 2 人核查一致"),
        ("/api/moves", {"code": "nowhere", "becomes": "closed"}, "没有该编号的点位"),
        ("/api/moves", {"code": "S-10", "becomes": "splendid"}, "提交的内容无效"),
        ("/api/candidates", {"id": 1, "state": "adopted"}, "采纳疑似图斑时须填写点位编号"),
        ("/api/candidates", {"id": 99, "state": "dismissed"}, "没有编号为 99 的疑似图斑"),
        ("/api/candidates", {"id": 1, "state": "adopted", "site_code": "X"}, "没有该编号的点位"),
        ("/api/split", {"polygon": {}, "line": {}}, "无法分割"),
        (
            "/api/decisions",
            {"key": {"assessment_key": "remediation-3", "question": "demolition"}, "verdict": "suspected"},
            "“疑似”不是“拆除”的答案",
        ),
        (
            "/api/decisions",
            {"key": {"assessment_key": "old", "question": "demolition"}, "verdict": "complete"},
            "已被更新的判定取代",
        ),
        (
            "/api/decisions",
            {"key": {"assessment_key": "remediation-3", "question": "demolition"}, "verdict": "complete",
             "reason": "withdrawn"},
            "请使用撤销",
        ),
        ("/api/inspections", {"code": "S-03", "inspected_on": "2017-08-02", "result": "clear", "note": "a\0b"}, "NUL"),
        (
            "/api/labels",
            {"code": "S-03", "assessment_key": "remediation-3",
             "changes": [{"kind": "structure_added", "geometry": {"type": "Point"}}]},
            "不是有效的多边形",
        ),
    ],
)  # fmt: skip
def test_refusals_are_chinese_for_who_reads_chinese(log_in: LogIn, path: str, body: dict[str, Any], said: str) -> None:
    answer = chinese(log_in("anna")).post(path, body)
    told = answer.json()["error"]
    assert answer.status_code >= 400
    assert said in told, told
    assert not ENGLISH.search(told), told


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/moves", {"code": "S-10", "becomes": "splendid"}, "变更后的状态不在可选范围内"),
        ("/api/moves", {"code": "", "becomes": "closed"}, "点位编号不能为空"),
        ("/api/moves", {"becomes": "closed"}, "点位编号缺少"),
        ("/api/moves", {"code": "S-10", "becomes": "closed", "reason": "x" * 2001}, "理由超过 2000 个字符"),
        ("/api/moves", {"code": "S-10", "becomes": "closed", "recheck_on": "soon"}, "复查日期应为日期"),
        ("/api/moves", {"code": 7, "becomes": "closed"}, "点位编号应为文字"),
        ("/api/next", {"wanted": {"colour": "red"}}, "筛选条件不应填写"),
        ("/api/next", [], "请求格式不正确"),
        ("/api/labels", {"code": "S-03", "assessment_key": "k", "changes": {}}, "图斑应为列表"),
        ("/api/labels", {"code": "S-03", "assessment_key": "k", "changes": [{}] * 301}, "图斑超过 300 项"),
        (
            "/api/labels",
            {"code": "S-03", "assessment_key": "k", "changes": [{"kind": "tree"}]},
            "图斑的类型不在可选范围内",
        ),
        ("/api/candidates", {"id": 1.5, "state": "open"}, "编号应为整数"),
        (
            "/api/decisions",
            {"key": {"assessment_key": "k", "question": "demolition"}, "verdict": "none", "seconds": -1},
            "用时不应小于 0",
        ),
        ("/api/split", {"polygon": 1, "line": {}}, "多边形格式不正确"),
    ],
)
def test_what_is_wrong_with_a_value_is_chinese(log_in: LogIn, path: str, body: Any, said: str) -> None:
    answer = chinese(log_in("anna")).post(path, body)
    told = answer.json()["error"]
    assert (answer.status_code, said in told) == (422, True), told
    assert not ENGLISH.search(told), told


def test_every_value_of_every_request_has_a_chinese_name(app: FastAPI) -> None:
    described = app.openapi()
    named = {
        p["name"] for path in described["paths"].values() for one in path.values() for p in one.get("parameters", [])
    }
    sent = (s for name, s in described["components"]["schemas"].items() if not name.endswith("Error"))
    named |= {name for schema in sent for name in schema.get("properties", {})}
    assert named - {"cvpipe_lang", "lang"} <= FIELDS.keys()


def test_a_whole_life_is_told_in_chinese(log_in: LogIn, ledger: Ledger) -> None:
    anna = chinese(log_in("anna"))
    site = ledger.sites(["S-03"])[0]
    ledger.put_sites([replace(site, batch="", land_area_m2=9.0, plan=Plan(due_date=date(2018, 1, 1)))], source="表")
    ledger.move_site("S-03", SiteStatus.DEMOLISHED, who="a", reason="拆完")
    ledger.recheck("S-03", date(2018, 1, 2), who="a")
    ledger.raise_finding(Finding("S-03", "清理", date(2018, 1, 1), "a"))
    ledger.inspect(Inspection("S-03", date(2017, 8, 1), InspectionResult.NOT_CLEAR, "a"))
    key = {"assessment_key": "remediation-3", "question": "demolition"}
    assert anna.post("/api/decisions", {"key": key, "verdict": "partial", "reason": "shadow"}).status_code == 200
    anna.post("/api/undo", {})
    anna.post("/api/labels", {"code": "S-03", "assessment_key": "remediation-3", "changes": []})
    told = anna.get("/api/history?code=S-03").json()["history"]
    kinds = {one.kind for one in ledger.history("S-03")}
    assert kinds >= {"site", "assessment", "sighting", "move", "finding", "inspection", "decision", "label"}
    for one in told:
        assert not ENGLISH.search(WRITTEN.sub("", one["sentence"])), one
    assert {"阴影", "未清理"} <= {word for one in told for word in ("阴影", "未清理") if word in one["sentence"]}
    shown = re.sub(r"<[^>]+>", " ", _life(anna.page("/site?code=S-03").text))
    assert not ENGLISH.search(WRITTEN.sub("", shown)), shown


def test_every_column_that_people_keep_has_a_chinese_name() -> None:
    own = {c.name for c in sites.columns} - set(SETTLED_COLUMNS) - {"id", "version", "min_x", "min_y", "max_x", "max_y"}
    assert own <= COLUMNS.keys()


def _life(page: str) -> str:
    return page.partition('<ol class="life">')[2].partition("</ol>")[0]


def test_what_others_do_meanwhile_is_told_in_chinese(log_in: LogIn) -> None:
    anna, bo = chinese(log_in("anna")), chinese(log_in("bo"))
    item = anna.next(why="uncertain")["items"][0]
    assert "正由他人核查" in bo.decide(item).json()["error"]
    anna.decide(item)
    assert "已由他人形成结论" in bo.decide(item, "partial").json()["error"]


def test_logging_in_rights_and_lost_pages_are_told_in_chinese(log_in: LogIn) -> None:
    vera = chinese(log_in("vera"))
    assert vera.post("/api/next", {}).json()["error"] == "您的角色无权执行此操作。"
    assert vera.get("/nowhere").json()["error"] == "页面不存在。"
    assert vera.http.put("/api/next").json()["error"] == "该地址不支持此操作。"
    anna = chinese(log_in("anna"))
    assert "请重新加载" in anna.post("/api/next", {}, csrf="old").json()["error"]
    assert anna.post("/api/next", {"wanted": {"batch": "x" * 2_000_000}}).json()["error"] == "文件过大。"
    anna.http.cookies.clear()
    assert chinese(anna).get("/api/map").json()["error"] == "请先登录。"


def test_a_busy_ledger_is_told_in_chinese(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = chinese(log_in("anna"))
    item = anna.next()["items"][0]

    def busy(*_: object) -> None:
        raise LedgerUnavailableError("the ledger could not be read or written (locked)", remedy="Try again.")

    monkeypatch.setattr(Ledger, "decide", busy)
    assert anna.decide(item).json()["error"] == "台账暂时无法读写，请稍后重试。"


def test_english_says_what_was_found_and_what_to_do() -> None:
    error = LedgerError("it is closed already", where="/home/somebody/ledger.gpkg", remedy="Legal from here: rebound.")
    assert refusals.sentence(error, Words("en")) == "it is closed already. Legal from here: rebound."
    assert refusals.sentence(InputError("Send it again."), Words("en")) == "Send it again."


@pytest.mark.parametrize(("error", "said"), [(LedgerError("x y", remedy="Do z."), "台账不接受该操作：x y. Do z."),
                                             (InputError("x y"), "提交的内容无法使用：x y."),
                                             (CvpipeError("x y"), "操作未完成：x y.")])  # fmt: skip
def test_a_sentence_that_nobody_translated_is_led_in(error: CvpipeError, said: str) -> None:
    assert refusals.sentence(error, Words("zh")) == said


def test_an_answer_that_was_acted_upon_is_told_in_chinese(log_in: LogIn, ledger: Ledger) -> None:
    people = [chinese(log_in(name)) for name in ("anna", "bo")]
    item = people[0].next(why="rebound")["items"][0]
    for person in people:
        person.next(why="rebound")
        assert person.decide(item).status_code == 200
    code = item["site"]["code"]
    assert people[0].post("/api/moves", {"code": code, "becomes": "rebound", "reason": "回来了"}).status_code == 200
    assert "已依据该结论变更为“反弹”" in people[0].post("/api/undo", {}).json()["error"]
    assert len(ledger.decisions(code)) == 2
