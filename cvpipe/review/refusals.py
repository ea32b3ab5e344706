"""What was refused and why, in the visitor's language.

Errors speak English wherever they are raised, for logs and the command line. Here the ones that a reviewer can meet are
said in Chinese too; a sentence that is not known is led in by what kind it is, and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from cvpipe.domain import CandidateState, Move, Outcome, Question, SiteStatus
from cvpipe.errors import CvpipeError, InputError, LedgerError, LedgerUnavailableError, SceneError, UnknownSiteError
from cvpipe.review.unfit import in_chinese
from cvpipe.review.words import Words

#: What a part of a sentence is, by the first word of its group's name; any other group is a text that stays as it is.
_SAID: Final[dict[str, Callable[[Words, str], str]]] = {
    "status": lambda words, text: words.site_status(SiteStatus(text)),
    "statuses": lambda words, text: "、".join(words.site_status(SiteStatus(part)) for part in text.split(", ")),
    "question": lambda words, text: words.question(Question(text)),
    "outcome": lambda words, text: words.outcome(Outcome(text.replace(" ", "_"))),
    "outcomes": lambda words, text: "、".join(words.outcome(Outcome(part)) for part in text.split(", ")),
    "move": lambda words, text: words.move(Move(text.replace(" ", "_"))),
    "state": lambda words, text: words.candidate_state(CandidateState(text)),
}

#: English sentence (with its remedy) and what it is in Chinese.
_CHINESE: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(english, re.DOTALL), chinese)
    for english, chinese in (
        (r"somebody has settled this already\..*", "该项已由他人形成结论，请继续下一项。"),
        (r"somebody else has this before them now\..*", "该项正由他人核查，请继续下一项。"),
        (r"a newer verdict has taken this one's place\..*", "该判定已被更新的判定取代，请继续下一项。"),
        (
            r"the site became (?P<status>\w+) on this answer\..*",
            "点位已依据该结论变更为“{status}”，不能撤销；请改为退回点位状态并说明理由。",
        ),
        (
            r"(?P<need>\d+) persons must have answered (?P<outcome>[\w ]+) to (?P<question>\w+); (?P<count>\d+) did.*",
            "“{question}：{outcome}”须经 {need} 人核查一致，目前 {count} 人；请先核查。",
        ),
        (r"there is no such site\..*|no site has the code .*", "没有该编号的点位，请在点位列表中查找。"),
        (
            r"it is (?P<status>\w+) already\. Legal from here: (?P<statuses>[\w, ]+)\.",
            "点位已是“{status}”，可变更为：{statuses}。",
        ),
        (
            r"from (?P<status_was>\w+) it cannot become (?P<status_is>\w+)\. Legal from here: (?P<statuses>[\w, ]+)\.",
            "不能由“{status_was}”变更为“{status_is}”，可变更为：{statuses}。",
        ),
        (r"the reason to (?P<move>[\w ]+) the site is missing\..*", "“{move}”须填写理由。"),
        (
            r"(?P<outcome>\w+) is no answer to (?P<question>\w+)\. Answer with one of (?P<outcomes>[\w, ]+)\.",
            "“{outcome}”不是“{question}”的答案，应为：{outcomes}。",
        ),
        (r"the site has no assessment .*", "点位没有该次评估，请刷新页面。"),
        (r"decision (?P<number>\d+) cannot be superseded: .*", "结论 {number} 不能被替代，请刷新页面。"),
        (
            r"a candidate that is (?P<state>\w+) goes with .*",
            "采纳疑似图斑时须填写点位编号，其他处理不应填写（当前为“{state}”）。",
        ),
        (r"there is no candidate (?P<number>-?\d+)\..*", "没有编号为 {number} 的疑似图斑。"),
        (r"a text holds the character NUL: .*", "文字中含有不可用的字符（NUL），请删除。"),
        (r"that is no polygon\..*", "不是有效的多边形，请重新绘制。"),
        (r"that cannot be split\..*", "无法分割，分割线须贯穿图形。"),
        (r"that is no photo\..*", "不是照片，请上传 JPEG、PNG 或 WebP。"),
        (
            r"the photo has (?P<width>\d+) x (?P<height>\d+) pixels\..*",
            "照片为 {width} × {height} 像素，过大，请缩小后上传。",
        ),
        (
            r"the ledger could not be (read or )?written.*|the ledger could not be read.*",
            "台账暂时无法读写，请稍后重试。",
        ),
    )
)

_STATUSES: Final[dict[int, str]] = {
    400: "请求无法解析。",
    405: "该地址不支持此操作。",
    500: "服务器出错，已保留您的结论，请稍后重试。",
}


def sentence(error: CvpipeError, words: Words) -> str:
    """What was refused and what to do, in the visitor's language; never where on this machine."""
    english = ". ".join(part.rstrip(".") for part in (error.found, error.remedy) if part)
    english = english if english.endswith(("。", "？", "?")) else f"{english}."
    return _chinese(error, english, words) if words.lang == "zh" else english


def detail(status: int, said: str, words: Words) -> str:
    """What a refusal without an error of ours says: its own words, or those of HTTP."""
    if status == HTTPStatus.NOT_FOUND:
        return words.not_found
    is_https_own = said in {phrase.phrase for phrase in HTTPStatus} or not said or status == HTTPStatus.BAD_REQUEST
    return _STATUSES.get(status, said) if words.lang == "zh" and is_https_own else said


def unfit(error: Mapping[str, Any], words: Words) -> str:
    """That a value which was sent cannot be used, out of what pydantic says of it."""
    if words.lang == "zh":
        return in_chinese(error)
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"


def _chinese(error: CvpipeError, english: str, words: Words) -> str:
    if re.search(r"[\u4e00-\u9fff]", english):
        return english  # said in Chinese where it was raised
    for pattern, chinese in _CHINESE:
        found = pattern.fullmatch(english)
        if found is not None:
            return chinese.format(**{name: _part(words, name, text) for name, text in found.groupdict().items()})
    return f"{_kind(error)}：{english}"


def _part(words: Words, name: str, text: str) -> str:
    said = _SAID.get(name.partition("_")[0])
    return text if said is None else said(words, text)


def _kind(error: CvpipeError) -> str:
    kinds = (
        (UnknownSiteError, "没有该点位"),
        (LedgerUnavailableError, "台账暂时无法读写，请稍后重试"),
        (LedgerError, "台账不接受该操作"),
        (SceneError, "影像无法读取"),
        (InputError, "提交的内容无法使用"),
    )
    return next((said for kind, said in kinds if isinstance(error, kind)), "操作未完成")


__all__ = ["detail", "sentence", "unfit"]
