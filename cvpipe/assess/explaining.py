"""One sentence for each verdict, in English or Chinese, made from its criteria alone."""

from __future__ import annotations

from collections.abc import Callable

from cvpipe.assess import criteria as kinds
from cvpipe.assess.criteria import CriterionKind, Language, Sense
from cvpipe.domain import Criterion, Outcome, Question, Reason, Verdict

REASONS: dict[Reason, dict[Language, str]] = {
    Reason.NO_SCENE: {"en": "no scene shows the site at both epochs", "zh": "缺少覆盖该点位的两期影像"},
    Reason.NO_DATA: {"en": "too little of the site is in the pictures", "zh": "影像未完整覆盖该点位"},
    Reason.CLOUD: {"en": "clouds hide the site", "zh": "云层遮挡"},
    Reason.SHADOW: {"en": "deep shadow hides the site", "zh": "阴影遮挡"},
    Reason.MISALIGNED: {"en": "the two epochs could not be aligned", "zh": "两期影像无法配准"},
    Reason.TOO_COARSE: {"en": "the picture is too coarse", "zh": "影像分辨率不足"},
    Reason.BLURRED: {"en": "the picture is blurred", "zh": "影像模糊"},
    Reason.SNOW: {"en": "snow hides the ground", "zh": "积雪覆盖"},
}

_QUESTIONS: dict[Question, dict[Language, str]] = {
    Question.DEMOLITION: {"en": "Demolition", "zh": "拆除情况"},
    Question.CLEARANCE: {"en": "Whether the site is clear", "zh": "场光地净"},
    Question.GREENING: {"en": "Greening", "zh": "覆绿情况"},
    Question.REBOUND: {"en": "Rebound", "zh": "反弹情况"},
}

_LOOK: dict[Language, str] = {
    "en": " A person should look: a value may lie on either side of its limit, or two figures disagree.",
    "zh": "有数值可能在限值两侧，或两项数值不一致，建议人工核查。",
}

_DOUBTS: tuple[tuple[CriterionKind, dict[Language, str]], ...] = (  # pictures that do not fit put every figure in doubt
    (
        kinds.ALIGNMENT,
        {
            "en": " A person should look: no shift between the two epochs could be found, and the scenes' own "
            "georeference was taken.",
            "zh": "两期影像间的位移未能估计，以影像自身坐标为准，建议人工核查。",
        },
    ),
    (
        kinds.RESIDUAL,
        {
            "en": " A person should look: the two epochs may still lie off each other.",
            "zh": "两期影像配准残差偏大，建议人工核查。",
        },
    ),
    (
        kinds.INDEX_GAINED,
        {
            "en": " A person should look: near infrared shows far less new green.",
            "zh": "近红外显示的新增绿化明显偏少，建议人工核查。",
        },
    ),
    (
        kinds.LEAF_OFF,
        {
            "en": " A person should look: trees and grass are not in leaf at one of the epochs or both.",
            "zh": "影像拍摄于落叶期，绿化面积可能失真，建议人工核查。",
        },
    ),
    (
        kinds.REGISTERED,
        {
            "en": " A person should look: far less structure is seen at the baseline than is registered.",
            "zh": "基期可见建筑远少于登记建筑面积，建议人工核查。",
        },
    ),
    (
        kinds.OVER_REGISTERED,
        {
            "en": " A person should look: far more structure is seen at the baseline than is registered.",
            "zh": "基期可见建筑远多于登记建筑面积，建议人工核查。",
        },
    ),
)

_CONTRADICTED: dict[Language, str] = {
    "en": " A person should look: the surfaces and the changes disagree about how much structure there is.",
    "zh": "地表类型与图斑得出的建筑面积不一致，建议人工核查。",
}

_CONFIRM: dict[Language, str] = {"en": " A person should confirm it.", "zh": "请人工核实。"}


def explain(verdict: Verdict, lang: Language = "en") -> str:
    """Why the verdict is what it is, in one sentence; a second one follows where a person should look."""
    if verdict.outcome is Outcome.NOT_ASSESSABLE:
        return _unanswered(verdict, lang)
    sentence = _SENTENCES[verdict.question](verdict, lang)
    if not verdict.needs_review:
        return sentence
    return sentence + _doubt(verdict)[lang]


def _doubt(verdict: Verdict) -> dict[Language, str]:
    """Why a person should look: the first of the doubts that the criteria name."""
    names = {criterion.name for criterion in verdict.criteria}
    failed = {criterion.name for criterion in verdict.criteria if criterion.passed is False}
    for kind, words in _DOUBTS:
        if kind.name in failed:
            return words
    if names & {kinds.BY_CHANGES.name, kinds.STANDING_BY_CHANGES.name, kinds.GAIN.name}:
        return _CONTRADICTED
    return _CONFIRM if verdict.outcome is Outcome.SUSPECTED else _LOOK


def amount(value: float, unit: str, lang: Language = "en") -> str:
    """A value as people write it: whole m² and per cent, pixels to two places."""
    if unit == "epochs":
        return f"{value:.0f}"
    if unit == "share":
        return f"{100 * value:.0f}%" if lang == "zh" else f"{100 * value:.0f} %"
    if unit == "px":
        return f"{value:.2f} px"
    return f"{value:,.0f}平方米" if lang == "zh" else f"{value:,.0f} m²"


def between(criterion: Criterion, lang: Language = "en") -> str:
    """Between which values the true one lies with 90 % confidence; empty where that is not known."""
    if criterion.interval is None:
        return ""
    low, high = (amount(end, criterion.unit, lang) for end in criterion.interval)
    number = low.removesuffix("平方米").removesuffix(" m²").removesuffix("%").rstrip()
    return f"90%区间{number}至{high}" if lang == "zh" else f"90 % sure: {number} to {high}"


def _unanswered(verdict: Verdict, lang: Language) -> str:
    asked = _QUESTIONS[verdict.question][lang]
    why = REASONS[verdict.reason][lang] if verdict.reason else ""
    if lang == "zh":
        return f"{asked}无法判定：{why}。"
    return f"{asked} cannot be judged: {why}."


class _Figures:
    """A verdict's criteria by name, written out."""

    def __init__(self, verdict: Verdict, lang: Language) -> None:
        self._lang = lang
        self._by_name = {c.name: c for c in verdict.criteria}

    def find(self, kind: CriterionKind) -> Criterion | None:
        return self._by_name.get(kind.name)

    def value(self, kind: CriterionKind) -> str:
        found = self.find(kind)
        return "–" if found is None else amount(found.value, found.unit, self._lang)

    def limit(self, kind: CriterionKind) -> str:
        found = self.find(kind)
        return "–" if found is None or found.limit is None else amount(found.limit, found.unit, self._lang)

    def told(self, kind: CriterionKind, *also: str, limit: bool = True) -> str:
        """The value, and in brackets `also`, the interval and the limit, as far as there are any."""
        parts = [*also, self._interval(kind), self._limited(kind) if limit else ""]
        inside = ("，" if self._lang == "zh" else "; ").join(part for part in parts if part)
        if not inside:
            return self.value(kind)
        return f"{self.value(kind)}（{inside}）" if self._lang == "zh" else f"{self.value(kind)} ({inside})"

    def _interval(self, kind: CriterionKind) -> str:
        found = self.find(kind)
        return "" if found is None else between(found, self._lang)

    def _limited(self, kind: CriterionKind) -> str:
        found = self.find(kind)
        if found is None or found.limit is None:
            return ""
        most = kind.sense is not Sense.AT_LEAST
        if self._lang == "zh":
            return f"应{'不超过' if most else '不少于'}{self.limit(kind)}"
        return f"at most {self.limit(kind)} allowed" if most else f"at least {self.limit(kind)} asked for"

    def fails(self, kind: CriterionKind) -> bool:
        found = self.find(kind)
        return found is not None and found.passed is False


def _demolition(verdict: Verdict, lang: Language) -> str:
    f = _Figures(verdict, lang)
    if f.fails(kinds.BASELINE):
        return {
            "en": f"There was nothing to demolish: {f.value(kinds.BASELINE)} of structure at the baseline, less than "
            f"{f.limit(kinds.BASELINE)}.",
            "zh": f"基期建筑面积仅{f.value(kinds.BASELINE)}，不足{f.limit(kinds.BASELINE)}，无可拆除内容。",
        }[lang]
    head = {
        Outcome.COMPLETE: {"en": "Demolition is complete", "zh": "拆除已完成"},
        Outcome.PARTIAL: {"en": "Demolition is partial", "zh": "部分拆除"},
        Outcome.NONE: {"en": "No demolition is seen", "zh": "未见拆除"},
    }[verdict.outcome][lang]
    share = f.value(kinds.REMOVED_SHARE)
    if lang == "zh":
        return (
            f"{head}：基期建筑{f.value(kinds.BASELINE)}，已拆除{f.told(kinds.REMOVED, share)}，"
            f"残留{f.told(kinds.STANDING)}{_against_plan(f, lang)}。"
        )
    return (
        f"{head}: {f.told(kinds.REMOVED, share)} of the {f.value(kinds.BASELINE)} of structure at the baseline is gone "
        f"and {f.value(kinds.STANDING)} still stands{_bracketed(f, kinds.STANDING)}{_against_plan(f, lang)}."
    )


def _bracketed(f: _Figures, kind: CriterionKind) -> str:
    """What stands in brackets behind an English value, with the blank before it."""
    return f.told(kind).removeprefix(f.value(kind))


def _against_plan(f: _Figures, lang: Language) -> str:
    if f.find(kinds.PLANNED) is None:
        return ""
    reached = not f.fails(kinds.PLANNED)
    if lang == "zh":
        return f"，{'已达到' if reached else '未达到'}按方案至少应拆的{f.limit(kinds.PLANNED)}"
    return f"; by the plan at least {f.limit(kinds.PLANNED)} had to go, which is {'' if reached else 'not '}reached"


def _clearance(verdict: Verdict, lang: Language) -> str:
    f = _Figures(verdict, lang)
    met = verdict.outcome is Outcome.MET
    if lang == "zh":
        head = "影像所见，场地已达到场光地净" if met else "影像所见，场地未达到场光地净"
        return (
            f"{head}：场内建筑{f.told(kinds.STRUCTURE_LEFT)}，渣土堆料{f.told(kinds.RUBBLE_LEFT)}，"
            f"清净地面占{f.value(kinds.CLEAR_GROUND)}{_covers(f, lang)}。"
        )
    head = "As seen from above the site is clear" if met else "As seen from above the site is not clear"
    return (
        f"{head}: {f.value(kinds.STRUCTURE_LEFT)} of structure{_bracketed(f, kinds.STRUCTURE_LEFT)}, "
        f"{f.value(kinds.RUBBLE_LEFT)} of rubble{_bracketed(f, kinds.RUBBLE_LEFT)}, clear ground on "
        f"{f.value(kinds.CLEAR_GROUND)} of it{_covers(f, lang)}."
    )


#: What clear ground is covered with, in the order in which it is told.
_COVERS: tuple[tuple[CriterionKind, dict[Language, str]], ...] = (
    (kinds.LEVELLED_SHARE, {"en": "levelled", "zh": "平整裸土"}),
    (kinds.NETTED_SHARE, {"en": "under net", "zh": "防尘网覆盖"}),
    (kinds.PAVED_SHARE, {"en": "paved", "zh": "硬化"}),
    (kinds.GREEN_SHARE, {"en": "green", "zh": "绿化"}),
)


def _covers(f: _Figures, lang: Language) -> str:
    """What the ground is covered with, as far as it shows: "(62 % levelled, 30 % green)"."""
    there = [(f.find(kind), words[lang]) for kind, words in _COVERS]
    told = [(c, word) for c, word in there if c is not None and (c.value >= 0.005 or c.passed is False)]
    if not told:
        return ""
    if lang == "zh":
        return f"（{'、'.join(f'{word}{_with_limit(c, lang)}' for c, word in told)}）"
    return f" ({', '.join(f'{_with_limit(c, lang)} {word}' for c, word in told)})"


def _with_limit(criterion: Criterion, lang: Language) -> str:
    """A share, and the limit that it breaks."""
    share = amount(criterion.value, criterion.unit, lang)
    if criterion.passed is not False or criterion.limit is None:
        return share
    most = amount(criterion.limit, criterion.unit, lang)
    return f"{share}（限{most}）" if lang == "zh" else f"{share} (at most {most})"


def _greening(verdict: Verdict, lang: Language) -> str:
    f = _Figures(verdict, lang)
    if verdict.outcome in (Outcome.GAINED, Outcome.NONE):
        gained = verdict.outcome is Outcome.GAINED
        if lang == "zh":
            return (
                f"{'新增绿化' if gained else '未见明显新增绿化：新增'}{f.told(kinds.GREEN_GAINED)}，"
                f"场地绿化率{f.value(kinds.GREEN_SHARE)}，防尘网不计。"
            )
        return (
            f"Green cover has {'been gained' if gained else 'not grown enough to count'}: "
            f"{f.value(kinds.GREEN_GAINED)} since the baseline{_bracketed(f, kinds.GREEN_GAINED)}, now "
            f"{f.value(kinds.GREEN_SHARE)} of the site; nets do not count."
        )
    return _planned_greening(f, met=verdict.outcome is Outcome.MET, lang=lang)


def _planned_greening(f: _Figures, *, met: bool, lang: Language) -> str:
    parts = []
    if f.find(kinds.GREEN_PLANNED):
        parts.append(
            f"新增{f.told(kinds.GREEN_PLANNED)}"
            if lang == "zh"
            else f"{f.value(kinds.GREEN_PLANNED)} of green gained{_bracketed(f, kinds.GREEN_PLANNED)}"
        )
    share = f.find(kinds.GREEN_SHARE)
    if share is not None and share.limit is not None:
        parts.append(
            f"绿化率{f.told(kinds.GREEN_SHARE)}"
            if lang == "zh"
            else f"{f.value(kinds.GREEN_SHARE)} of the site is green{_bracketed(f, kinds.GREEN_SHARE)}"
        )
    if lang == "zh":
        return f"覆绿{'达到' if met else '未达到'}方案要求：{'，'.join(parts)}，防尘网不计。"
    head = "The green that the plan asks for is there" if met else "The green that the plan asks for is not all there"
    return f"{head}: {', '.join(parts)}; nets do not count."


def _rebound(verdict: Verdict, lang: Language) -> str:
    f = _Figures(verdict, lang)
    added, more = f.value(kinds.ADDED), _bracketed(f, kinds.ADDED)
    if verdict.outcome is Outcome.SUSPECTED:
        return {
            "en": f"Rebound is suspected: {added} of new structure since the site was seen demolished{more}.",
            "zh": f"疑似反弹：拆除后新增建筑{f.told(kinds.ADDED)}。",
        }[lang]
    return {
        "en": f"No rebound is seen: {added} of new structure since the site was seen demolished{more}.",
        "zh": f"未见反弹：拆除后新增建筑{f.told(kinds.ADDED)}。",
    }[lang]


_SENTENCES: dict[Question, Callable[[Verdict, Language], str]] = {
    Question.DEMOLITION: _demolition,
    Question.CLEARANCE: _clearance,
    Question.GREENING: _greening,
    Question.REBOUND: _rebound,
}

__all__ = ["REASONS", "amount", "between", "explain"]
