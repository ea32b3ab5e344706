"""One sentence for each verdict, in English or Chinese, made from its criteria alone."""

from __future__ import annotations

from collections.abc import Callable

from cvpipe.assess import criteria as kinds
from cvpipe.assess.criteria import CriterionKind, Language
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
    Question.CLEARANCE: {"en": "Clear site, clean ground", "zh": "场光地净"},
    Question.GREENING: {"en": "Greening", "zh": "覆绿情况"},
    Question.REBOUND: {"en": "Rebound", "zh": "反弹情况"},
}

_LOOK: dict[Language, str] = {
    "en": " A person should look: a value is near its limit, or two figures disagree.",
    "zh": "数值接近限值或前后不一致，建议人工核查。",
}

_SHIFTED: dict[Language, str] = {
    "en": " A person should look: the two epochs may still lie off each other.",
    "zh": "两期影像配准残差偏大，建议人工核查。",
}

_UNALIGNED: dict[Language, str] = {
    "en": " A person should look: no shift between the two epochs could be found, and the scenes' own georeference "
    "was taken.",
    "zh": "两期影像间的位移未能估计，以影像自身坐标为准，建议人工核查。",
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
    """Why a person should look; pictures that do not fit come first, for they put every figure in doubt."""
    failed = {criterion.name for criterion in verdict.criteria if criterion.passed is False}
    if kinds.ALIGNMENT.name in failed:
        return _UNALIGNED
    if kinds.RESIDUAL.name in failed:
        return _SHIFTED
    return _CONFIRM if verdict.outcome is Outcome.SUSPECTED else _LOOK


def amount(value: float, unit: str, lang: Language = "en") -> str:
    """A value as people write it: whole m² and per cent, pixels to two places."""
    if unit == "share":
        return f"{100 * value:.0f}%" if lang == "zh" else f"{100 * value:.0f} %"
    if unit == "px":
        return f"{value:.2f} px"
    return f"{value:,.0f}平方米" if lang == "zh" else f"{value:,.0f} m²"


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
    if lang == "zh":
        return (
            f"{head}：基期建筑{f.value(kinds.BASELINE)}，已拆除{f.value(kinds.REMOVED)}"
            f"（{f.value(kinds.REMOVED_SHARE)}），残留{f.value(kinds.STANDING)}"
            f"（限值{f.limit(kinds.STANDING)}）{_against_plan(f, lang)}。"
        )
    return (
        f"{head}: {f.value(kinds.REMOVED)} ({f.value(kinds.REMOVED_SHARE)}) of the {f.value(kinds.BASELINE)} of "
        f"structure at the baseline is gone and {f.value(kinds.STANDING)} still stands "
        f"(limit {f.limit(kinds.STANDING)}){_against_plan(f, lang)}."
    )


def _against_plan(f: _Figures, lang: Language) -> str:
    if f.find(kinds.PLANNED) is None:
        return ""
    reached = not f.fails(kinds.PLANNED)
    if lang == "zh":
        return f"，{'达到' if reached else '未达到'}方案要求的{f.limit(kinds.PLANNED)}"
    return f"; the {f.limit(kinds.PLANNED)} that the plan asks for {'is' if reached else 'is not'} reached"


def _clearance(verdict: Verdict, lang: Language) -> str:
    f = _Figures(verdict, lang)
    met = verdict.outcome is Outcome.MET
    if lang == "zh":
        head = "从空中看，场地已达到场光地净" if met else "从空中看，场地未达到场光地净"
        return (
            f"{head}：场内建筑{f.value(kinds.STRUCTURE_LEFT)}（限值{f.limit(kinds.STRUCTURE_LEFT)}），"
            f"渣土堆料{f.value(kinds.RUBBLE_LEFT)}（限值{f.limit(kinds.RUBBLE_LEFT)}），"
            f"清净场地占{f.value(kinds.CLEAR_GROUND)}。"
        )
    head = "As seen from above the site is clear" if met else "As seen from above the site is not clear"
    return (
        f"{head}: {f.value(kinds.STRUCTURE_LEFT)} of structure (limit {f.limit(kinds.STRUCTURE_LEFT)}), "
        f"{f.value(kinds.RUBBLE_LEFT)} of rubble (limit {f.limit(kinds.RUBBLE_LEFT)}), clear ground on "
        f"{f.value(kinds.CLEAR_GROUND)} of it."
    )


def _greening(verdict: Verdict, lang: Language) -> str:
    f = _Figures(verdict, lang)
    if verdict.outcome in (Outcome.GAINED, Outcome.NONE):
        gained = verdict.outcome is Outcome.GAINED
        if lang == "zh":
            return (
                f"{'新增绿化' if gained else '未见明显新增绿化'}{f.value(kinds.GREEN_GAINED)}"
                f"（限值{f.limit(kinds.GREEN_GAINED)}），场地绿化率{f.value(kinds.GREEN_SHARE)}，防尘网不计。"
            )
        return (
            f"Green cover has {'been gained' if gained else 'not grown enough to count'}: "
            f"{f.value(kinds.GREEN_GAINED)} since the baseline (limit {f.limit(kinds.GREEN_GAINED)}), now "
            f"{f.value(kinds.GREEN_SHARE)} of the site; nets do not count."
        )
    return _planned_greening(f, met=verdict.outcome is Outcome.MET, lang=lang)


def _planned_greening(f: _Figures, *, met: bool, lang: Language) -> str:
    parts = []
    if f.find(kinds.GREEN_PLANNED):
        parts.append(
            f"新增{f.value(kinds.GREEN_PLANNED)}（要求{f.limit(kinds.GREEN_PLANNED)}）"
            if lang == "zh"
            else f"{f.value(kinds.GREEN_PLANNED)} gained of the {f.limit(kinds.GREEN_PLANNED)} asked for"
        )
    if f.find(kinds.GREEN_SHARE):
        parts.append(
            f"绿化率{f.value(kinds.GREEN_SHARE)}（要求{f.limit(kinds.GREEN_SHARE)}）"
            if lang == "zh"
            else f"{f.value(kinds.GREEN_SHARE)} of the site green of the {f.limit(kinds.GREEN_SHARE)} asked for"
        )
    if lang == "zh":
        return f"覆绿{'达到' if met else '未达到'}方案要求：{'，'.join(parts)}，防尘网不计。"
    return f"The plan's green is {'there' if met else 'not there'}: {', '.join(parts)}; nets do not count."


def _rebound(verdict: Verdict, lang: Language) -> str:
    f = _Figures(verdict, lang)
    added, limit = f.value(kinds.ADDED), f.limit(kinds.ADDED)
    if verdict.outcome is Outcome.SUSPECTED:
        return {
            "en": f"Rebound is suspected: {added} of new structure since the site was seen demolished (limit {limit}).",
            "zh": f"疑似反弹：拆除后新增建筑{added}（限值{limit}）。",
        }[lang]
    return {
        "en": f"No rebound is seen: {added} of new structure since the site was seen demolished (limit {limit}).",
        "zh": f"未见反弹：拆除后新增建筑{added}（限值{limit}）。",
    }[lang]


_SENTENCES: dict[Question, Callable[[Verdict, Language], str]] = {
    Question.DEMOLITION: _demolition,
    Question.CLEARANCE: _clearance,
    Question.GREENING: _greening,
    Question.REBOUND: _rebound,
}

__all__ = ["REASONS", "amount", "explain"]
