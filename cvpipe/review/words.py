"""The page's words in English and Chinese; templates and scripts ask for them by key and hold none of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cvpipe.assess.naming import Names
from cvpipe.domain import CandidateState, LogInOutcome, ReviewReason, Role, Surface
from cvpipe.ledger.exchange.site_tables import surface_word
from cvpipe.review.queue import Why

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "app": ("cvpipe review", "cvpipe 核查"),
    "skip_to_content": ("Skip to the content", "跳到正文"),
    # log-in
    "log_in": ("Log in", "登录"),
    "log_out": ("Log out", "退出"),
    "name": ("Name", "用户名"),
    "password": ("Password", "密码"),
    "log_in_refused": (
        "Name or password is wrong, or the account is locked for some minutes.",
        "用户名或密码不正确，或账户已被暂时锁定。",
    ),
    "log_in_note": ("Accounts are made by an administrator.", "账户由管理员创建。"),
    # places
    "queue": ("Review", "核查"),
    "sites": ("Sites", "点位"),
    "overview": ("Overview", "总览"),
    "candidates": ("Candidates", "疑似图斑"),
    "visits": ("Visits", "现场核查"),
    "people": ("People", "人员"),
    "language": ("中文", "English"),
    "theme": ("Light or dark", "明暗主题"),
    "menu": ("Pages", "页面"),
    # queue
    "waiting": ("waiting", "待核查"),
    "waiting_title": ("Waiting", "待核查"),
    "overdue_title": ("Overdue", "已逾期"),
    "done_today": ("done today", "今日完成"),
    "seconds_each": ("s each", "秒/件"),
    "time_left": ("about {minutes} min left", "约余 {minutes} 分钟"),
    "filters": ("Filter", "筛选"),
    "all_campaigns": ("All campaigns", "全部专项行动"),
    "all_batches": ("All batches", "全部批次"),
    "all_owner_systems": ("All owner systems", "全部权属系统"),
    "all_sub_districts": ("All sub-districts", "全部街道"),
    "all_verdicts": ("All verdicts", "全部判定"),
    "all_reasons": ("All reasons", "全部原因"),
    "all_statuses": ("All statuses", "全部状态"),
    "campaign": ("Campaign", "专项行动"),
    "batch": ("Batch", "批次"),
    "owner_system": ("Owner system", "权属系统"),
    "sub_district": ("Sub-district", "街道"),
    "community": ("Community", "社区"),
    "verdict": ("Verdict", "判定"),
    "why_title": ("Why", "原因"),
    "nothing_waits": ("Nothing waits for you.", "没有待核查的点位。"),
    "nothing_waits_note": (
        "Everything in this filter is settled, before somebody else, or put off by you.",
        "当前筛选条件下的点位均已核查、正由他人核查或已被您暂缓。",
    ),
    "show_skipped": ("Bring back what I put off", "取回暂缓的点位"),
    "look_again": ("Look again", "刷新"),
    # deciding
    "machine_says": ("Machine", "系统判定"),
    "confirm": ("Confirm", "确认"),
    "reject": ("Reject", "否定"),
    "reject_because": ("Wrong, because of", "有误，原因"),
    "instead": ("It is", "应为"),
    "cannot_tell": ("Cannot tell", "无法判定"),
    "site_visit": ("Site visit", "现场核查"),
    "skip": ("Later", "暂缓"),
    "send_back": ("To others", "转交他人"),
    "undo": ("Undo", "撤销"),
    "note": ("Note", "备注"),
    "note_hint": ("Goes with the next decision", "随下一个结论保存"),
    "keys_title": ("Keys", "快捷键"),
    "key_confirm": ("confirm", "确认"),
    "key_reject": ("reject, with that reason", "否定，附原因"),
    "key_flicker": ("hold: the other epoch", "按住：另一时相"),
    "key_view": ("one picture, swipe, side by side", "单幅、卷帘、并排"),
    "key_outlines": ("outlines", "轮廓"),
    "key_fit": ("whole site", "全图"),
    "key_surfaces": ("surfaces, as the network saw them", "地表类型（模型所见）"),
    "key_epochs": ("earlier, later epoch", "前一、后一时相"),
    "key_edit": ("correct outlines", "修正轮廓"),
    "key_instead": ("the other answer", "切换应为"),
    "saving": ("Saving…", "保存中…"),
    "saved": ("Saved", "已保存"),
    "not_saved": ("Not saved", "未保存"),
    "try_again": ("Try again", "重试"),
    "connection_lost": (
        "The server does not answer. Your decisions are kept here and sent again.",
        "服务器无响应。结论已暂存并将重新发送。",
    ),
    "undone": ("Taken back", "已撤销"),
    "nothing_to_undo": ("There is nothing to take back.", "没有可撤销的结论。"),
    "second_review": ("Second opinion, blind", "二次核查（盲审）"),
    "third_review": ("Third opinion: two disagree", "三次核查：两人意见不一"),
    "sent_back_by": ("Handed on by {who}: {note}", "{who} 转交：{note}"),
    "still_waits_for_others": ("Saved; a second person looks too", "已保存，待二次核查"),
    "saved_settled": ("Saved and settled", "已保存并形成结论"),
    # pictures
    "before": ("Before", "整治前"),
    "after": ("After", "整治后"),
    "other": ("Epoch", "时相"),
    "view_single": ("Single", "单幅"),
    "view_swipe": ("Swipe", "卷帘"),
    "view_side": ("Side by side", "并排"),
    "flicker": ("Flicker", "闪烁对比"),
    "outlines": ("Outlines", "轮廓"),
    "whole_site": ("Fit", "全图"),
    "surfaces": ("Surfaces", "地表类型"),
    "no_surfaces": ("The run that assessed this kept no surfaces.", "该次评估未保存地表类型图。"),
    "timeline": ("Epochs", "时相"),
    "north": ("North", "北"),
    "swipe_handle": ("Swipe divider", "卷帘分隔线"),
    "boundary": ("Site boundary", "点位边界"),
    "retained": ("Retained", "保留建筑"),
    "no_pictures": ("No two scenes show this site.", "没有覆盖该点位的两期影像。"),
    "picture_failed": ("The picture cannot be read.", "影像无法读取。"),
    "pictures_of": ("Pictures of", "影像："),
    # facts
    "facts": ("Figures", "数据"),
    "criterion": ("Criterion", "判据"),
    "measured": ("Measured", "实测"),
    "limit": ("Limit", "限值"),
    "passed": ("passed", "通过"),
    "failed": ("failed", "未通过"),
    "decides_nothing": ("told only", "仅供参考"),
    "dates": ("Epochs", "时相"),
    "gsd": ("Pixel", "像元"),
    "shift": ("Shift removed", "已校正位移"),
    "no_shift": ("not found", "未能估计"),
    "residual": ("Shift left", "残差"),
    "seen_share": ("Seen at both", "两期可见"),
    "site_area": ("Area looked at", "评估面积"),
    "land": ("Land", "占地面积"),
    "due": ("Due", "期限"),
    "overdue": ("overdue", "已逾期"),
    "status": ("Ledger", "台账状态"),
    "observed": ("Seen", "影像所见"),
    "other_verdicts": ("Other questions", "其他判定"),
    "history": ("History", "履历"),
    "plan": ("Plan", "一院一策"),
    "plan_demolition": ("To demolish", "拆除面积"),
    "plan_green": ("To green", "绿化面积"),
    "decisions": ("Decisions", "核查结论"),
    "seen_from_above": ("As seen from above.", "以上为影像所见。"),
    # editing
    "edit": ("Correct", "修正轮廓"),
    "draw": ("Draw", "绘制"),
    "modify": ("Change corners", "修改节点"),
    "delete": ("Delete", "删除"),
    "split": ("Split", "分割"),
    "save_label": ("Save outlines", "保存轮廓"),
    "cancel": ("Cancel", "取消"),
    "edit_hint": (
        "Click corners; double-click ends. Alt-click takes a corner away.",
        "单击添加节点，双击结束；按住 Alt 单击可删除节点。",
    ),
    "label_saved": ("Outlines saved as a label", "轮廓已存为标注"),
    "by_hand": ("Outlined by hand", "人工勾绘"),
    # moves
    "move_site": ("Move the site", "变更状态"),
    "reason_title": ("Reason", "理由"),
    "reason_needed": ("This needs a reason.", "请填写理由。"),
    "do_it": ("Do it", "执行"),
    "moved": ("Moved", "状态已变更"),
    # lists
    "search": ("Search code, name, place", "搜索编号、名称、地点"),
    "code": ("Code", "编号"),
    "site_name": ("Name", "名称"),
    "place": ("Place", "地点"),
    "of_sites": ("{shown} of {all} sites", "{shown} / {all} 处"),
    "none_found": ("No site matches.", "没有符合条件的点位。"),
    "previous": ("Previous", "上一页"),
    "next": ("Next", "下一页"),
    "page": ("Page", "页"),
    "sheet": ("Site sheet", "点位核查单"),
    "print": ("Print", "打印"),
    "open": ("Open", "打开"),
    "map": ("Map", "地图"),
    "progress": ("Progress", "进度"),
    "by_campaign": ("Batch", "批次"),
    "by_owner_system": ("Owner system", "权属系统"),
    "reviewed": ("Reviewed", "已核查"),
    "completed": ("Cleared or closed", "已清理或销账"),
    "contradicted": ("Contradicted by pictures", "与影像不符"),
    "rebound_suspected": ("Rebound suspected", "疑似反弹"),
    "all": ("All", "合计"),
    "not_stated": ("Not stated", "未填写"),
    "pace": ("Pace and agreement", "效率与一致性"),
    "reviewer": ("Reviewer", "核查人"),
    "decided": ("Decided", "结论数"),
    "median_seconds": ("Median, s", "中位用时（秒）"),
    "with_machine": ("Same as machine", "与系统一致"),
    "with_others": ("Same as others", "与他人一致"),
    "reject_reasons": ("Why verdicts were rejected", "否定原因"),
    "colour_by": ("Colour", "着色"),
    "tone_good": ("as it should be", "符合要求"),
    "tone_part": ("not yet", "未达到"),
    "tone_bad": ("rebound suspected", "疑似反弹"),
    "tone_na": ("not assessable", "无法判定"),
    "tone_none": ("nothing to tell", "无变化"),
    # candidates
    "kind": ("Kind", "类型"),
    "area": ("Area", "面积"),
    "probability": ("Probability", "概率"),
    "first_seen": ("First seen", "首次发现"),
    "last_seen": ("Last seen", "最近发现"),
    "state": ("State", "状态"),
    "dismiss": ("Dismiss", "排除"),
    "adopt": ("Adopt", "采纳"),
    "adopt_as": ("Site code", "点位编号"),
    "no_candidates": ("There are no candidates.", "暂无疑似图斑。"),
    # field
    "visit_list": ("Visit list", "现场核查清单"),
    "no_visits": ("No site waits for a visit.", "暂无待现场核查的点位。"),
    "asked_by": ("Asked by", "提出人"),
    "asked_on": ("On", "日期"),
    "result_title": ("Result", "结果"),
    "visited_on": ("Visited on", "核查日期"),
    "enter_result": ("Enter result", "录入结果"),
    "bring_results": ("Bring results back", "回传核查结果"),
    "bring_results_note": (
        "The visit list with result, day and note filled in (XLSX, CSV or GeoJSON), and photos if there are any. "
        "A photo goes to the site whose row names it, else to the one where it was taken.",
        "上传填写了核查结果、日期和现场情况的清单（XLSX、CSV 或 GeoJSON），可附照片。"
        "照片归入清单中列出其文件名的点位，否则按拍摄位置归入。",
    ),
    "results_file": ("Visit list", "核查清单"),
    "send": ("Send", "上传"),
    "row": ("Row", "行"),
    "remark": ("Remark", "说明"),
    "row_entered": ("entered", "已录入"),
    "row_known": ("known already", "此前已录入"),
    "row_not_visited": ("not visited", "未核查"),
    "row_refused": ("refused", "未录入"),
    "rows_told": (
        "{entered} entered, {known} known already, {not_visited} not visited, {refused} refused",
        "录入 {entered} 行，此前已录入 {known} 行，未核查 {not_visited} 行，未录入 {refused} 行",
    ),
    "row_unreadable": ("The row cannot be read.", "该行无法读取。"),
    "row_no_code": ("The row has no code.", "该行缺少编号。"),
    "row_no_site": ("There is no site {code}.", "没有编号为 {code} 的点位。"),
    "row_no_result": ("The row has no result.", "该行缺少核查结果。"),
    "row_bad_result": ("The result “{written}” is none of {listed}.", "核查结果“{written}”不属于：{listed}。"),
    "row_no_day": ("The row does not say when.", "该行缺少核查日期。"),
    "row_bad_day": ("“{written}” is no date; write 2017-06-30.", "“{written}”不是日期，请写作 2017-06-30。"),
    "row_future_day": ("{written} is still to come.", "{written} 尚未到来。"),
    "row_twice": ("The site stands in the file twice.", "该点位在文件中重复。"),
    "row_long_note": ("The note has more than {most} characters.", "现场情况超过 {most} 个字符。"),
    "row_person": (
        "The note looks like data about a person; leave it out.",
        "现场情况疑似含有个人信息，请删除后再传。",
    ),
    "results_format": ("Send the visit list as XLSX, CSV or GeoJSON.", "请上传 XLSX、CSV 或 GeoJSON 格式的清单。"),
    "results_unreadable": ("That file cannot be read; save it again.", "文件无法读取，请重新保存后再传。"),
    "results_long": ("The file has more than {most} rows.", "文件超过 {most} 行。"),
    "results_columns": ("The file lacks the columns {listed}.", "文件缺少以下列：{listed}。"),
    "photo_nowhere": (
        "No row names the photo, and no site lies where it was taken.",
        "清单未列出该照片，且拍摄位置附近没有点位。",
    ),
    "photo_away": ("{metres} m from the site", "距点位 {metres} 米"),
    "photos": ("Photos", "照片"),
    "add_photo": ("Add photo", "添加照片"),
    "photo_added": ("Photo added", "照片已添加"),
    "photo_far": ("The photo was taken {metres} m from the site.", "照片拍摄地点距点位 {metres} 米。"),
    "photo_no_place": ("The photo tells no place.", "照片不含位置信息。"),
    "signature": ("Inspected by, date", "核查人、日期"),
    "findings_on_site": ("Found on site", "现场情况"),
    "download": ("Download", "下载"),
    # people
    "account": ("Account", "账户"),
    "role_title": ("Role", "角色"),
    "active": ("Active", "启用"),
    "log_ins": ("Log-ins", "登录记录"),
    "when": ("When", "时间"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "too_large": ("That is too large.", "文件过大。"),
    "log_in_first": ("Log in first.", "请先登录。"),
    "page_too_old": ("The page is too old; load it again.", "页面已过期，请重新加载。"),
    "undo_instead": ("To take a decision back, undo it.", "如需撤回结论，请使用撤销。"),
    "not_found": ("There is no such page.", "页面不存在。"),
    "not_allowed": ("Your role may not do this.", "您的角色无权执行此操作。"),
    "home": ("Back to review", "返回核查"),
    "date": ("Date", "日期"),
}

_WHYS: Final[dict[Why, tuple[str, str]]] = {
    Why.REBOUND: ("Rebound suspected", "疑似反弹"),
    Why.OVERDUE: ("Overdue", "已逾期"),
    Why.CONTRADICTS: ("Contradicts the ledger", "与台账不符"),
    Why.CONTRADICTORY: ("Pictures contradict each other", "各期影像相互矛盾"),
    Why.CLOSING: ("Ready to close", "待销账"),
    Why.HIGH_STAKES: ("Much would be closed on one picture", "面积较大，仅一期影像"),
    Why.UNCERTAIN: ("Uncertain", "不确定"),
    Why.AUDIT: ("Random check", "随机抽查"),
}

_STATES: Final[dict[CandidateState, tuple[str, str]]] = {
    CandidateState.OPEN: ("open", "待处理"),
    CandidateState.DISMISSED: ("dismissed", "已排除"),
    CandidateState.ADOPTED: ("adopted", "已采纳"),
}

_ROLES: Final[dict[Role, tuple[str, str]]] = {
    Role.VIEWER: ("viewer", "查看"),
    Role.REVIEWER: ("reviewer", "核查"),
    Role.ADMIN: ("admin", "管理"),
}

_LOG_INS: Final[dict[LogInOutcome, tuple[str, str]]] = {
    LogInOutcome.ACCEPTED: ("logged in", "登录成功"),
    LogInOutcome.WRONG: ("wrong name or password", "用户名或密码错误"),
    LogInOutcome.LOCKED: ("account was locked", "账户已锁定"),
}

#: Digits that reject, in the order of the reviewers' short list.
REJECT_REASONS = (
    ReviewReason.SHADOW,
    ReviewReason.SEASON,
    ReviewReason.MISALIGNED,
    ReviewReason.VEHICLE,
    ReviewReason.NET,
    ReviewReason.LABEL,
    ReviewReason.OTHER,
)


class Words(Names):
    """The words of one language: page words as attributes, those of the domain by value."""

    PAGE = _WORDS

    def why(self, why: Why) -> str:
        """Why an item waits."""
        return _WHYS[why][self._column]

    def surface(self, surface: Surface) -> str:
        """What covers the ground."""
        return surface_word(surface, self.lang).replace("_", " ")

    def candidate_state(self, state: CandidateState) -> str:
        """What became of a candidate."""
        return _STATES[state][self._column]

    def role(self, role: Role) -> str:
        """What an account may do."""
        return _ROLES[role][self._column]

    def log_in_outcome(self, outcome: LogInOutcome) -> str:
        """How an attempt to log in ended."""
        return _LOG_INS[outcome][self._column]

    def plain(self) -> dict[str, str]:
        """Every page word by key, for scripts."""
        return {key: both[self._column] for key, both in _WORDS.items()}


def catalogue() -> Mapping[str, tuple[str, str]]:
    """Every page word as (English, Chinese), for tests and translators."""
    return _WORDS


__all__ = ["REJECT_REASONS", "Words", "catalogue"]
