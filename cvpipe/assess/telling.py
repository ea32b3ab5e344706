"""What happened to a site, in the language of whoever reads it: the ledger tells it in English, this in Chinese.

What a person wrote (reasons, notes, names of files) stays as it was written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cvpipe.assess.naming import Names
from cvpipe.domain import InspectionResult, Move, Outcome, Question, Rung, SiteStatus, Stage
from cvpipe.ledger.records import Happening

_Details = dict[str, Any]

_KINDS: Final = {
    "site": "点位",
    "assessment": "评估",
    "move": "状态",
    "sighting": "影像所见",
    "decision": "核查结论",
    "finding": "整改通知",
    "inspection": "现场核查",
    "attachment": "附件",
    "candidate": "疑似图斑",
    "label": "图斑修订",
    "sample_result": "抽样核查",
}

_ACTIONS: Final = {
    "added": "登记",
    "changed": "更新",
    "updated": "更新",
    "moved": "变更",
    "recorded": "记录",
    "resolved": "办结",
    "entered": "录入",
    "seen": "",
    "raised": "下达",
    "found": "发现",
    "drawn": "绘制",
    "corrected": "修正",
    "kept": "存档",
    "attached": "存档",
    "linked": "关联",
    "accepted": "采纳",
    "adopted": "采纳",
    "dismissed": "排除",
    "confirmed": "确认",
    "withdrawn": "撤回",
    "removed": "移除",
}

_STAGES: Final = {
    Stage.STANDING: "建筑仍在",
    Stage.IN_PROGRESS: "整治中",
    Stage.DEMOLISHED: "已拆除",
    Stage.CLEARED: "已清理",
    Stage.REBOUND: "反弹",
    Stage.GREEN: "绿化新增",
}

#: What people keep of a site, by its column in the ledger.
COLUMNS: Final = {
    "geom": "边界",
    "code": "编号",
    "name": "名称",
    "sub_district": "街道",
    "community": "社区",
    "owner_system": "权属系统",
    "batch": "批次",
    "buffer_m": "缓冲距离（米）",
    "land_area_m2": "占地面积（m²）",
    "building_area_m2": "建筑面积（m²）",
    "demolition_area_m2": "拆除面积（m²）",
    "green_area_m2": "绿化面积（m²）",
    "green_ratio": "绿化率",
    "retained": "保留建筑",
    "work_started": "开工日期",
    "due_date": "期限",
    "status": "状态",
    "attributes": "其他属性",
    "rules": "判定规则",
    "recheck_on": "复查日期",
}

_ZH = Names("zh")


def happened(one: Happening, lang: str) -> tuple[str, str]:
    """What kind of thing happened, and its sentence, which may be empty."""
    if lang != "zh":
        return f"{one.kind} {one.action}", one.sentence
    kind = _KINDS.get(one.kind, one.kind)
    tell = _SENTENCES.get(one.kind)
    return f"{kind}{_action(one.action)}", tell(one.record.details) if tell else one.sentence


def _action(value: str) -> str:
    if value in set(Move):
        return _ZH.move(Move(value))
    return _ACTIONS.get(value, value)


def _site(details: _Details) -> str:
    parts = []
    if "was" in details:
        parts.append("；".join(_difference(name, details) for name in details["was"]))
    elif "status" in details:
        parts.append(f"登记为{_status(details['status'])}")
    if "versions" in details:
        parts.append(f"边界与方案第 {'、'.join(details['versions'])} 版")
    if details.get("source"):
        parts.append(f"来源：{details['source']}")
    return "，".join(parts)


def _difference(name: str, details: _Details) -> str:
    was, becomes = details["was"][name], details["becomes"][name]
    told = COLUMNS.get(name, name)
    if name == "status":
        return f"{told}：{_status(was)} → {_status(becomes)}"
    if any(isinstance(value, dict | list) for value in (was, becomes)):
        return f"{told}有变"
    return f"{told}：{was or '–'} → {becomes or '–'}"


def _assessment(details: _Details) -> str:
    verdicts = "，".join(f"{_question(asked)}{_outcome(found)}" for asked, found in details["verdicts"].items())
    seen = f"；影像所见：{_status(details['observed_status'])}" if details["observed_status"] else ""
    dates = " → ".join(details[epoch] or "无影像" for epoch in ("before", "after"))
    return f"{dates}：{verdicts}{seen}（批次任务 {details['run']}）"


def _move(details: _Details) -> str:
    since = f"（自 {details['effective']} 起）" if "effective" in details else ""
    return _with(f"{_status(details['was'])} → {_status(details['becomes'])}{since}", details.get("reason"))


def _decision(details: _Details) -> str:
    told = f"{_question(details['question'])}：{_outcome(details['verdict'])}"
    told = _with(told, _ZH.review_reason(details.get("reason") or ""), details.get("note"))
    if "second_reviewer" in details:
        told += f"；第二核查人：{details['second_reviewer']}"
    return told + (f"；取代第 {details['supersedes']} 号结论" if "supersedes" in details else "")


def _sighting(details: _Details) -> str:
    earliest = f"{details['not_yet_on']} 至 " if "not_yet_on" in details else "不晚于 "
    told = f"{_stage(details['stage'])}，{earliest}{details['first_seen']}"
    if "area_m2" in details:
        told += f"，{details['area_m2']:,.0f} m²"
    return f"{told}；{_ZH.rung(Rung(details['rung']))}"


def _finding(details: _Details) -> str:
    if "resolution" in details:
        return _with(details["what"], details["resolution"])
    return f"{details['what']}，整改期限 {details['due_date']}"


def _inspection(details: _Details) -> str:
    return _with(f"{details['inspected_on']}：{_result(details['result'])}", details.get("note"))


def _attachment(details: _Details) -> str:
    taken = f"，拍摄于 {details['taken_on']}" if "taken_on" in details else ""
    return f"{details['name']}（{details['size_bytes']} 字节{taken}）"


def _candidate(details: _Details) -> str:
    return str(details.get("note") or "")


def _label(details: _Details) -> str:
    return f"人工修订图斑 {details['changes']} 处"


def _sample_result(details: _Details) -> str:
    found = (f"{_question(asked)}{_outcome(answer)}" for asked, answer in details.get("outcomes", {}).items())
    return _with("，".join([str(details["checked_on"]), *found]), details.get("note"))


def _with(told: str, *reasons: str | None) -> str:
    return "：".join([told, *(reason for reason in reasons if reason)])


def _status(value: str | None) -> str:
    return _ZH.site_status(SiteStatus(value)) if value in set(SiteStatus) else value or "–"


def _question(value: str) -> str:
    return _ZH.question(Question(value)) if value in set(Question) else value


def _outcome(value: str) -> str:
    return _ZH.outcome(Outcome(value)) if value in set(Outcome) else value


def _stage(value: str) -> str:
    return _STAGES[Stage(value)] if value in set(Stage) else value


def _result(value: str) -> str:
    return _ZH.result(InspectionResult(value)) if value in set(InspectionResult) else value


_SENTENCES: Final[dict[str, Callable[[_Details], str]]] = {
    "site": _site,
    "assessment": _assessment,
    "move": _move,
    "sighting": _sighting,
    "decision": _decision,
    "finding": _finding,
    "inspection": _inspection,
    "attachment": _attachment,
    "candidate": _candidate,
    "label": _label,
    "sample_result": _sample_result,
}

__all__ = ["COLUMNS", "happened"]
