"""Questions, outcomes, statuses, changes and surfaces as people call them, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from cvpipe.assess.criteria import Language
from cvpipe.domain import ChangeKind, InspectionResult, Move, Outcome, Question, ReviewReason, Rung, SiteStatus

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

_RUNGS: Final[dict[Rung, tuple[str, str]]] = {
    Rung.PROVISIONAL: ("provisional: one picture so far", "待确认：仅一期影像"),
    Rung.SCENE: ("confirmed by a second picture", "已由另一期影像确认"),
    Rung.PERSON: ("confirmed by people", "已由人工确认"),
}

_CHANGES: Final[dict[ChangeKind, tuple[str, str]]] = {
    ChangeKind.STRUCTURE_REMOVED: ("Structure removed", "建筑拆除"),
    ChangeKind.STRUCTURE_ADDED: ("Structure added", "建筑新增"),
    ChangeKind.GREEN_ADDED: ("Green added", "绿化新增"),
    ChangeKind.GREEN_REMOVED: ("Green removed", "绿化减少"),
}

_MOVES: Final[dict[Move, tuple[str, str]]] = {
    Move.ADVANCE: ("Advance", "推进"),
    Move.SET_BACK: ("Set back", "退回"),
    Move.CLOSE: ("Close", "销账"),
    Move.REOPEN: ("Reopen", "重新开启"),
    Move.EXEMPT: ("Exempt", "列为保留"),
    Move.CONFIRM_REBOUND: ("Confirm the rebound", "确认反弹"),
}

_REASONS: Final[dict[ReviewReason, tuple[str, str]]] = {
    ReviewReason.SHADOW: ("shadow", "阴影"),
    ReviewReason.SEASON: ("season", "季节"),
    ReviewReason.MISALIGNED: ("misaligned", "配准偏差"),
    ReviewReason.VEHICLE: ("vehicle", "车辆"),
    ReviewReason.NET: ("net", "防尘网"),
    ReviewReason.LABEL: ("site outline", "点位边界有误"),
    ReviewReason.OTHER: ("other", "其他"),
    ReviewReason.SITE_VISIT: ("site visit", "现场核查"),
    ReviewReason.WITHDRAWN: ("taken back", "已撤销"),
}

_RESULTS: Final[dict[InspectionResult, tuple[str, str]]] = {
    InspectionResult.CLEAR: ("clear", "场光地净"),
    InspectionResult.NOT_CLEAR: ("not clear", "未清理"),
    InspectionResult.REBOUND: ("rebound", "反弹"),
    InspectionResult.NO_ACCESS: ("no access", "无法进入"),
}


class Names:
    """What the words of the domain are called in one language; a room's own words (`PAGE`) are attributes."""

    #: (English, Chinese) by key.
    PAGE: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def __init__(self, lang: Language) -> None:
        self.lang: Language = lang
        self._column = 1 if lang == "zh" else 0

    def __getattr__(self, key: str) -> str:
        try:
            return self.PAGE[key][self._column]
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

    def rung(self, rung: Rung | None) -> str:
        """How sure it is that a site stands where it was seen to; a dash where nothing was seen."""
        return "–" if rung is None else _RUNGS[rung][self._column]

    def change(self, kind: ChangeKind) -> str:
        """Name of a kind of change."""
        return _CHANGES[kind][self._column]

    def move(self, move: Move) -> str:
        """What a person does who moves a site."""
        return _MOVES[move][self._column]

    def review_reason(self, reason: str) -> str:
        """A reason of the short list; another one as it stands."""
        known = next((r for r in ReviewReason if r.value == reason), None)
        return reason if known is None else _REASONS[known][self._column]

    def result(self, result: InspectionResult) -> str:
        """What an inspector found."""
        return _RESULTS[result][self._column]


__all__ = ["Names"]
