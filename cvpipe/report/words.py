"""The report's words in English and Chinese; a page asks for them by key and never holds words of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cvpipe.assess.criteria import Language
from cvpipe.domain import ChangeKind, Outcome, Question, SiteStatus
from cvpipe.report.content import Concern

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "report": ("Remediation report", "整治成效报告"),
    "as_of": ("As of", "截至"),
    "epochs": ("Imagery", "影像时段"),
    "to": ("to", "至"),
    "none_yet": ("none yet", "暂无"),
    "seen_from_above": (
        "All verdicts are as seen from above. Footings, buried debris, use inside buildings, heights and ownership "
        "cannot be told from aerial pictures; a site is closed by a person, never by the machine.",
        "以下判定均依据航空或卫星影像。地基、地下埋藏物、室内使用情况、建筑高度和权属无法从影像判定；销账由人工决定，系统不作销账。",
    ),
    "summary": ("Summary", "总体情况"),
    "completed": ("Completed", "已完成"),
    "of_target": ("of a target of {target} sites", "目标 {target} 处"),
    "of_sites": ("of {sites} sites; the campaign states no target", "共 {sites} 处，未设目标"),
    "completed_note": ("cleared or closed by people", "以人工确认已清理或已销账为准"),
    "sites": ("Sites", "点位"),
    "assessed": ("Assessed", "已评估"),
    "land": ("Land", "占地面积"),
    "building": ("Building", "建筑面积"),
    "wan": ("10,000 m²", "万平方米"),
    "demolition": ("Demolition", "拆除"),
    "complete": ("Complete", "完成"),
    "partial": ("Partial", "部分"),
    "untouched": ("Not begun", "未拆"),
    "clear": ("Clear", "场光地净"),
    "removed": ("Removed", "已拆除"),
    "green_added": ("Green added", "新增绿化"),
    "not_assessable": ("Not assessable", "无法判定"),
    "rebound": ("Rebound suspected", "疑似反弹"),
    "demolition_complete": ("Demolition complete", "拆除完成"),
    "clear_sites": ("Clear, as seen from above", "场光地净（影像所见）"),
    "partial_more": ("{partial} partial, {none} not begun", "部分 {partial} 处，未拆 {none} 处"),
    "of_assessed": ("of {assessed} assessed sites", "已评估 {assessed} 处"),
    "since_start": ("structure gone since the baseline", "较基期减少的建筑"),
    "since_baseline": ("since the baseline; nets do not count", "较基期新增，防尘网不计"),
    "with_reasons": ("with reasons below", "原因见下"),
    "go_and_see": ("new structure after demolition", "拆除后新增建筑"),
    "by_owner_system": ("By owner system", "按权属系统"),
    "by_sub_district": ("By sub-district", "按街道"),
    "owner_system": ("Owner system", "权属系统"),
    "sub_district": ("Sub-district", "街道"),
    "all": ("All", "合计"),
    "not_stated": ("Not stated", "未填写"),
    "look_first": ("To look at first", "优先核查"),
    "look_first_note": (
        "Sites where the pictures contradict the ledger, where structures may have come back, or where a value lies "
        "near its limit.",
        "影像与台账不一致、疑似反弹或数值接近限值的点位。",
    ),
    "nothing_to_look_at": ("No site needs a person's look.", "暂无需要人工核查的点位。"),
    "why": ("Why", "原因"),
    "not_assessable_list": ("Not assessable", "无法判定的点位"),
    "all_answered": ("Every site that was assessed has an answer.", "已评估点位均有判定。"),
    "last_answer_stands": (
        "Not visible on {date}; the last answer stands.",
        "{date} 影像不可见，以此前判定为准。",
    ),
    "site": ("Site", "点位"),
    "each_site": ("Site by site", "逐点情况"),
    "search": ("Search code, name, place", "搜索编号、名称、地点"),
    "every_owner": ("All owner systems", "全部权属系统"),
    "every_district": ("All sub-districts", "全部街道"),
    "every_result": ("All results", "全部结果"),
    "filter_look": ("To look at first", "优先核查"),
    "shown": ("{shown} of {sites} sites", "显示 {shown} / {sites} 处"),
    "nothing_found": ("No site matches.", "没有符合条件的点位。"),
    "outlines": ("Outlines", "显示轮廓"),
    "status": ("Ledger", "台账状态"),
    "observed": ("Seen", "影像所见"),
    "land_short": ("Land", "占地"),
    "building_short": ("Building", "建筑"),
    "before": ("Before", "整治前"),
    "after": ("After", "整治后"),
    "later": ("Later", "后续"),
    "no_pictures": (
        "There is no picture of this site: no scene shows it at two epochs.",
        "暂无该点位影像：没有覆盖该点位的两期影像。",
    ),
    "picture_missing": ("No picture", "影像缺失"),
    "not_assessed": ("Not assessed yet", "尚未评估"),
    "site_boundary": ("Site boundary", "点位边界"),
    "shift": ("Shift removed", "已校正位移"),
    "drift": ("turned or stretched by {percent} %", "旋转或缩放 {percent}%"),
    "residual": ("left {px} px ({metres} m)", "残差 {px} px（{metres} m）"),
    "no_shift": ("not found; the scenes' own georeference holds", "未能估计，以影像自身坐标为准"),
    "seen_share": ("Seen at both epochs", "两期可见"),
    "criterion": ("Criterion", "判据"),
    "value": ("Measured", "实测"),
    "limit": ("Limit", "限值"),
    "passed": ("Passed", "结论"),
    "yes": ("yes", "通过"),
    "no": ("no", "未通过"),
    "how_measured": ("Measured values and limits", "实测值与限值"),
    "review": ("to be checked", "待核查"),
    "basis": ("What this report rests on", "数据依据"),
    "date": ("Date", "日期"),
    "file": ("File", "文件"),
    "gsd": ("Ground size of a pixel", "地面分辨率"),
    "digest": ("Content hash", "内容摘要"),
    "rules": ("Rules", "规则版本"),
    "bundle": ("Model bundle", "模型包"),
    "made_with": ("Made with cvpipe", "由 cvpipe 生成，版本"),
}

_QUESTIONS: Final[dict[Question, tuple[str, str]]] = {
    Question.DEMOLITION: ("Demolition", "拆除"),
    Question.CLEARANCE: ("Clear site", "场光地净"),
    Question.GREENING: ("Greening", "覆绿"),
    Question.REBOUND: ("Rebound", "反弹"),
}

_OUTCOMES: Final[dict[Outcome, tuple[str, str]]] = {
    Outcome.NONE: ("none", "无"),
    Outcome.PARTIAL: ("partial", "部分"),
    Outcome.COMPLETE: ("complete", "完成"),
    Outcome.MET: ("met", "达到"),
    Outcome.NOT_MET: ("not met", "未达到"),
    Outcome.GAINED: ("gained", "有新增"),
    Outcome.SUSPECTED: ("suspected", "疑似"),
    Outcome.NOT_ASSESSABLE: ("not assessable", "无法判定"),
}

_STATUSES: Final[dict[SiteStatus, tuple[str, str]]] = {
    SiteStatus.REGISTERED: ("registered", "已登记"),
    SiteStatus.IN_PROGRESS: ("in progress", "整治中"),
    SiteStatus.DEMOLISHED: ("demolished", "已拆除"),
    SiteStatus.CLEARED: ("cleared", "已清理"),
    SiteStatus.CLOSED: ("closed", "已销账"),
    SiteStatus.REBOUND: ("rebound", "反弹"),
    SiteStatus.EXEMPT: ("exempt", "保留"),
}

_CHANGES: Final[dict[ChangeKind, tuple[str, str]]] = {
    ChangeKind.STRUCTURE_REMOVED: ("Structure removed", "建筑拆除"),
    ChangeKind.STRUCTURE_ADDED: ("Structure added", "建筑新增"),
    ChangeKind.GREEN_ADDED: ("Green added", "绿化新增"),
    ChangeKind.GREEN_REMOVED: ("Green removed", "绿化减少"),
}

_CONCERNS: Final[dict[Concern, tuple[str, str]]] = {
    Concern.REBOUND: ("Structures may have come back", "疑似反弹"),
    Concern.STANDS: ("Recorded as demolished, but structure stands", "台账记为已拆除，影像仍见建筑"),
    Concern.NOT_CLEAR: ("Recorded as cleared, but the ground is not clear", "台账记为已清理，影像未达场光地净"),
    Concern.UNCERTAIN: ("Near a limit, or figures disagree", "接近限值或数据不一致"),
}


class Words:
    """The words of one language: page words as attributes, those of the domain by value."""

    def __init__(self, lang: Language) -> None:
        self.lang: Language = lang
        self._column = 1 if lang == "zh" else 0

    def __getattr__(self, key: str) -> str:
        try:
            return _WORDS[key][self._column]
        except KeyError:
            raise AttributeError(key) from None

    def question(self, question: Question) -> str:
        """Name of a question."""
        return _QUESTIONS[question][self._column]

    def outcome(self, outcome: Outcome) -> str:
        """Name of an outcome."""
        return _OUTCOMES[outcome][self._column]

    def site_status(self, status: SiteStatus | None) -> str:
        """Name of a status; a dash where there is none."""
        return "–" if status is None else _STATUSES[status][self._column]

    def change(self, kind: ChangeKind) -> str:
        """Name of a kind of change."""
        return _CHANGES[kind][self._column]

    def concern(self, concern: Concern) -> str:
        """Why a person should look."""
        return _CONCERNS[concern][self._column]


def catalogue() -> Mapping[str, tuple[str, str]]:
    """Every page word as (English, Chinese), for tests and translators."""
    return _WORDS


__all__ = ["Words", "catalogue"]
