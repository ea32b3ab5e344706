"""The report's words in English and Chinese; a page asks for them by key and never holds words of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cvpipe.assess.naming import Names
from cvpipe.assess.sampling import Estimate
from cvpipe.domain import Decision, Outcome, Question, Surface
from cvpipe.ledger.records import Entry, SiteState
from cvpipe.report.content import Concern
from cvpipe.report.scope import Scope

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
    "demolition": ("Demolition", "拆除"),
    "complete": ("Complete", "完成"),
    "partial": ("Partial", "部分"),
    "untouched": ("Not begun", "未拆"),
    "clear": ("Clear", "场光地净"),
    "removed": ("Removed", "已拆除"),
    "green_added": ("Green added", "新增绿化"),
    "not_assessable": ("Not assessable", "无法判定"),
    "rebound": ("Rebound", "反弹"),
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
    "how_sure": ("How sure", "确认情况"),
    "provisional": ("Provisional", "待确认"),
    "provisional_note": (
        "seen on one picture so far; a second one or people confirm it",
        "目前仅一期影像所见，待另一期影像或人工确认",
    ),
    "provisional_of": (
        "Seen so on one picture so far: {count}; a second one or people confirm it.",
        "其中 {count} 处目前仅一期影像所见，待另一期影像或人工确认。",
    ),
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
    "left_structure": ("Structure left", "残留建筑"),
    "left_rubble": ("Rubble left", "残留渣土"),
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
    "made_with": ("Made with cvpipe {version}, {day}.", "由 cvpipe {version} 于 {day} 生成。"),
    "assessed_sites": ("Sites assessed", "已评估点位"),
    "batch": ("Batch", "批次"),
    "campaign": ("Campaign", "专项行动"),
    "community": ("Community", "社区"),
    "only": ("Only", "范围"),
    "from_day": ("from", "自"),
    "up_to_day": ("up to", "截至"),
    "between": ("{low} to {high}", "{low}至{high}"),
    "interval_note": (
        "90 % intervals that hold if the errors of the sites have nothing in common; what they have in common only a "
        "random sample of visits tells.",
        "区间置信度为90%，以各点位误差相互独立为前提；共同误差只能由随机抽样核查得出。",
    ),
    "cleared_area": ("Cleared ground", "净地面积"),
    "cleared_note": ("land of the sites seen to be clear", "影像所见场光地净点位的占地"),
    "decided": ("Checked by people", "已人工核查"),
    "trend": ("Through time", "进展趋势"),
    "trend_sites": ("Sites, as seen at each epoch", "各期影像所见点位数"),
    "trend_areas": ("Area, {unit}", "面积（{unit}）"),
    "trend_note": (
        "Running totals; an epoch that cannot tell takes nothing back.",
        "累计值；某期无法判定时沿用此前结果。",
    ),
    "overdue": ("Overdue", "逾期点位"),
    "due": ("Due", "限期"),
    "days_late": ("Days late", "逾期天数"),
    "nothing_overdue": ("No site is overdue.", "暂无逾期点位。"),
    "rebounds": ("Rebound", "反弹点位"),
    "since": ("Seen since", "发现日期"),
    "contents": ("Contents", "目录"),
    "bound": ("All in one", "合订本"),
    "area_m2": ("Area, m²", "面积（平方米）"),
    "last_seen": ("Last seen", "最近影像"),
    "nothing_back": ("No structure has come back.", "暂无反弹点位。"),
    "contradicted": ("Claims that the pictures contradict", "台账与影像不一致"),
    "contradicted_note": (
        "The ledger says one thing and the pictures another. A difference is a reason to go and see, not a verdict on "
        "anybody.",
        "台账状态与影像所见不一致。不一致只是核查的理由，并非对任何人的结论。",
    ),
    "nothing_contradicted": ("The pictures contradict no claim.", "台账与影像一致。"),
    "how": ("How", "情形"),
    "rebuilt": ("Said to be done, built on again", "台账称已完成，影像见重新建设"),
    "stands": ("Said to be gone, still stands", "台账称已拆除，影像仍见建筑"),
    "not_clear": ("Said to be clear, is not", "台账称已清理，影像未达场光地净"),
    "not_green": ("Closed without the green that was planned", "已销账，绿化未达方案要求"),
    "ledger_behind": ("Done, the ledger does not say so yet", "影像见已完成，台账未更新"),
    "pace": ("Review", "人工核查"),
    "pace_decided": ("Decisions that stand", "有效结论"),
    "pace_people": ("People", "核查人数"),
    "pace_week": ("A week, of late", "近期每周"),
    "pace_median": ("Median time for one", "单项用时中位数"),
    "pace_median_s": ("Median time for one, s", "单项用时中位数（秒）"),
    "pace_agreement": ("Same answer as the machine", "与系统判定一致"),
    "pace_waiting": ("Sites that wait", "待核查点位"),
    "pace_weeks": ("Weeks left at this pace", "按此进度尚需周数"),
    "month": ("Month", "月份"),
    "seconds": ("{seconds} s", "{seconds}秒"),
    "checked_totals": ("Totals corrected by a random sample", "抽样核查修正后的总量"),
    "checked_note": (
        "Sample {sample}: {checked} of {sites} sites drawn at random were looked at. Intervals hold with 90 %.",
        "样本 {sample}：随机抽取 {sites} 处，已核查 {checked} 处。区间置信度为90%。",
    ),
    "quantity": ("Total", "总量"),
    "unit": ("Unit", "单位"),
    "as_mapped": ("As mapped", "影像统计"),
    "corrected": ("Corrected", "修正值"),
    "standard_error": ("Standard error", "标准误"),
    "low": ("From", "下限"),
    "high": ("To", "上限"),
    "remark": ("Remark", "备注"),
    "too_few": ("too few checked", "核查数量不足"),
    "undetected": ("no error found; up to {share} could be otherwise", "未发现误差；至多 {share} 可能有误"),
    "more": ("and {count} more; the workbook lists all.", "另有 {count} 处，详见工作簿。"),
    "pages": ("Pages", "分页"),
    "pages_note": (
        "{sites} sites on {pages} pages, in the order of their codes.",
        "共 {sites} 处，按编号分 {pages} 页。",
    ),
    "back": ("Back to the summary", "返回总体情况"),
    "earlier": ("Previous page", "上一页"),
    "later_page": ("Next page", "下一页"),
    "page_of": ("{number} of {pages}", "第 {number} / {pages} 页"),
    "code": ("Code", "编号"),
    "name": ("Name", "名称"),
    "people_say": ("People", "人工结论"),
    "dossier": ("Site dossier", "点位档案"),
    "dossiers": ("Site dossiers", "点位档案"),
    "to_demolish": ("To be demolished", "计划拆除"),
    "to_green": ("To be greened", "计划覆绿"),
    "retained": ("Retained", "保留建筑"),
    "site_area": ("Area of the outline", "轮廓面积"),
    "verdicts": ("What holds now", "现行判定"),
    "through_time": ("Through time", "历期影像"),
    "answers": ("Every assessment", "历次评估"),
    "decisions": ("Decisions", "核查结论"),
    "no_decisions": ("Nobody has decided on this site yet.", "尚无核查结论。"),
    "who": ("By", "核查人"),
    "asked": ("Question", "事项"),
    "answer": ("Answer", "结论"),
    "reason": ("Reason", "理由"),
    "taken_back": ("taken back or replaced", "已撤回或被替代"),
    "history": ("History", "台账历史"),
    "what_happened": ("What happened", "事项内容"),
    "entered": ("Entered (UTC)", "登记时间（UTC）"),
    "made_from": ("What it was made from", "数据来源"),
    "trail": ("Hash of the site's last row in the audit trail", "审计链末行摘要"),
    "key": ("Key", "评估键"),
    "run": ("Run", "任务"),
    "check_it": (
        "To check this dossier: the command cvpipe ledger verify walks the audit trail that these hashes stand in; a "
        "scene's content hash is that of its pixels' file, whatever its name.",
        "核验方法：运行命令 cvpipe ledger verify 校验审计链；影像内容摘要与文件名无关，可用于核对原始文件。",
    ),
    "from_above_short": ("As seen from above.", "依据影像判定。"),
    "sheet_summary": ("Summary", "总体情况"),
    "sheet_owners": ("By owner system", "按权属系统"),
    "sheet_districts": ("By sub-district", "按街道"),
    "sheet_sites": ("Sites", "点位"),
    "sheet_overdue": ("Overdue", "逾期"),
    "sheet_not_assessable": ("Not assessable", "无法判定"),
    "sheet_rebound": ("Rebound", "反弹"),
    "sheet_claims": ("Claims contradicted", "台账不一致"),
    "sheet_pace": ("Review", "人工核查"),
    "sheet_sample": ("Sample", "抽样修正"),
    "target": ("Target", "目标"),
    "completion": ("Completion", "完成率"),
    "map": ("Map", "分布图"),
    "public_report": ("Published ledger", "公示台账"),
    "public_note": (
        "Published by the district. It shows places, not persons. Status as the ledger states it.",
        "由区政府公示。仅列点位信息，不含个人信息。状态以台账为准。",
    ),
}

_CONCERNS: Final[dict[Concern, tuple[str, str]]] = {
    Concern.REBOUND: ("Structures may have come back", "疑似反弹"),
    Concern.STANDS: ("Recorded as demolished, but structure stands", "台账记为已拆除，影像仍见建筑"),
    Concern.NOT_CLEAR: ("Recorded as cleared, but the ground is not clear", "台账记为已清理，影像未达场光地净"),
    Concern.NOT_GREEN: ("Closed without the green that was planned", "已销账，绿化未达方案要求"),
    Concern.CONTRADICTORY: ("The newest picture contradicts what was confirmed", "最新影像与已确认情况不一致"),
    Concern.HIGH_STAKES: ("So much would be closed on one picture", "面积较大，仅一期影像即可销账"),
    Concern.UNCERTAIN: ("Near a limit, or figures disagree", "接近限值或数据不一致"),
}

_PUBLIC: Final[dict[str, tuple[str, str]]] = {
    "code": ("Code", "编号"),
    "name": ("Name", "名称"),
    "sub_district": ("Sub-district", "街道"),
    "community": ("Community", "社区"),
    "owner_system": ("Owner system", "权属系统"),
    "batch": ("Batch", "批次"),
    "status": ("Status", "状态"),
    "due_date": ("Due", "限期"),
    "land_area_m2": ("Land, m²", "占地（平方米）"),
    "building_area_m2": ("Building, m²", "建筑（平方米）"),
    "observed_status": ("Seen", "影像所见"),
    "observed_rung": ("How sure", "确认情况"),
    "observed_on": ("Seen on", "影像日期"),
    "structure_removed_m2": ("Structure removed, m²", "已拆除（平方米）"),
    "green_added_m2": ("Green added, m²", "新增绿化（平方米）"),
}

_QUANTITIES: Final[dict[str, tuple[str, str]]] = {
    "structure_removed_m2": ("Structure removed", "已拆除建筑"),
    "structure_left_m2": ("Structure left", "残留建筑"),
    "rubble_left_m2": ("Rubble left", "残留渣土"),
    "green_added_m2": ("Green added", "新增绿化"),
}

_ESTIMATES: Final[dict[str, tuple[str, str]]] = {
    "sites": ("sites", "点位数"),
    "land": ("land", "占地"),
    "answers that are right": ("answers that are right", "判定正确比例"),
    "right where said": ("right where said (user's accuracy)", "用户精度"),
    "said where right": ("said where right (producer's accuracy)", "生产者精度"),
}


class Words(Names):
    """The words of one language: page words as attributes, those of the domain by value."""

    PAGE = _WORDS

    def __getitem__(self, key: str) -> str:
        return _WORDS[key][self._column]

    def scoped(self, scope: Scope) -> list[tuple[str, str]]:
        """What a report is narrowed to, as pairs of label and value."""
        named = (
            (self.campaign, scope.campaign),
            (self.batch, scope.batch),
            (self.owner_system, scope.owner_system),
            (self.sub_district, scope.sub_district),
            (self.from_day, scope.since.isoformat() if scope.since else ""),
            (self.up_to_day, scope.until.isoformat() if scope.until else ""),
        )
        return [(label, value) for label, value in named if value]

    def seen_as(self, state: SiteState) -> str:
        """Where a site was seen to stand, and how sure that is."""
        if state.stage is None:
            return "–"
        seen, sure = self.site_status(state.observed_status), self.rung(state.rung)
        return f"{seen}（{sure}）" if self.lang == "zh" else f"{seen} ({sure})"

    def left(self, surface: Surface) -> str:
        """What a remnant is called."""
        return self.left_structure if surface is Surface.STRUCTURE else self.left_rubble

    def decided_in_words(self, entry: Entry[Decision]) -> str:
        """What a person answered, and when."""
        said = entry.value
        asked, answer, day = self.question(said.question), self.outcome(said.verdict), entry.at.date()
        return f"{asked}：{answer}（{day}）" if self.lang == "zh" else f"{asked}: {answer} ({day})"

    def sentences(self, texts: Iterable[str]) -> str:
        """Sentences one after another; Chinese ones need no space between them."""
        return ("" if self.lang == "zh" else " ").join(texts)

    def estimate(self, one: Estimate) -> str:
        """What a total that a sample corrects is called."""
        if one.name in _QUANTITIES:
            return _QUANTITIES[one.name][self._column]
        subject, _, what = one.name.partition(": ")
        question, _, outcome = subject.partition(" ")
        asked = self.question(Question(question))
        told = f"{asked} {self.outcome(Outcome(outcome))}" if outcome else asked
        return f"{told}: {_ESTIMATES[what][self._column]}" if self.lang == "en" else f"{told}：{_ESTIMATES[what][1]}"

    def estimate_remark(self, one: Estimate) -> str:
        """Why a total cannot be told, or how far it may be trusted."""
        if one.wanting:
            return self.too_few
        return "" if one.undetected is None else self.undetected.format(share=f"{one.undetected:.0%}")

    def public_column(self, name: str) -> str:
        """Heading of a column that is published."""
        return _PUBLIC[name][self._column]

    def concern(self, concern: Concern) -> str:
        """Why a person should look."""
        return _CONCERNS[concern][self._column]


def catalogue() -> Mapping[str, tuple[str, str]]:
    """Every page word as (English, Chinese), for tests and translators."""
    return _WORDS


__all__ = ["Words", "catalogue"]
