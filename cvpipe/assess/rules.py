"""The limits that verdicts are made with, as versioned data.

The defaults below are the rules that ship; `configs/rules.yaml` states the same values with the unit and the reason
of each (a test holds the two equal). A changed value makes another `version`, and with it other assessments.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, model_validator

from cvpipe.assess.season import SeasonRules
from cvpipe.domain import Batch, Question, Site, Stage
from cvpipe.errors import SettingsError
from cvpipe.settings import Settings, parse_settings, read_settings

Share = Annotated[float, Field(ge=0, le=1)]
AreaM2 = Annotated[float, Field(ge=0)]
Metres = Annotated[float, Field(ge=0)]
Scale = Annotated[float, Field(ge=0)]
Days = Annotated[int, Field(ge=1)]
Persons = Annotated[int, Field(ge=1)]
Priority = Annotated[float, Field(ge=0, lt=900)]


class AssessableRules(Settings):
    """When a pair of epochs can be judged at all."""

    min_valid_share: Share = 0.9


class DemolitionRules(Settings):
    """How much of the baseline's structure must be gone."""

    min_baseline_m2: AreaM2 = 20.0
    begun_share: Share = 0.15
    complete_share: Share = 0.9
    standing_m2: AreaM2 = 20.0
    standing_share: Share = 0.03
    plan_share: Share = 0.9
    registered_least: Share = 0.15
    registered_most: Annotated[float, Field(ge=1)] = 1.5


class ClearanceRules(Settings):
    """What "clear site, clean ground" allows to be left.

    `levelled_share`, `netted_share` and `paved_share` are the most of the seen ground that may be so; None: no limit.
    """

    cabins: Annotated[int, Field(ge=0)] = 1
    cabin_m2: AreaM2 = 20.0
    rubble_m2: AreaM2 = 20.0
    rubble_share: Share = 0.01
    rubble_cap_m2: AreaM2 = 50.0
    clear_ground_share: Share = 0.9
    levelled_share: Share | None = None
    netted_share: Share | None = None
    paved_share: Share | None = None


class GreeningRules(Settings):
    """When green was gained, or the plan's green is there."""

    plan_share: Share = 0.9
    gained_share: Share = 0.05
    gained_m2: AreaM2 = 50.0


class ReboundRules(Settings):
    """When a structure has come back."""

    added_m2: AreaM2 = 30.0


class Scales(Settings):
    """How many spreads make half an interval, by figure; `absent` where next to nothing was measured."""

    structure_before: Scale = 1.3
    structure_after: Scale = 1.8
    structure_removed: Scale = 2.6
    structure_added: Scale = 4.2
    structure_unremoved: Scale = 2.6
    structure_standing: Scale = 2.6
    rubble: Scale = 7.5
    left: Scale = 5.4
    green: Scale = 1.4
    green_added: Scale = 2.3
    absent: Scale = 1.0


class IntervalRules(Settings):
    """How much of an area's spread makes an interval that holds the truth nine times in ten (`assess.intervals`)."""

    edge_sd_m: Metres = 0.1
    least_sd_m2: AreaM2 = 1.0
    absent_m2: AreaM2 = 10.0
    scale: Scales = Scales()


class ReviewRules(Settings):
    """What a person looks at, beside verdicts whose limit lies within their interval.

    `max_residual_px` is held against what is likely left of the shift between the epochs (the residual of
    `Registration`); where no shift could be found a person looks in any case.
    """

    max_residual_px: Annotated[float, Field(ge=0)] = 1.5
    max_disagreement: Annotated[float, Field(ge=1)] = 1.5


class LadderRules(Settings):
    """When what was seen holds, what it may say of a site, and what goes to a person first."""

    scenes_to_confirm: Annotated[int, Field(ge=1)] = 2
    observed_by_one_scene: tuple[Stage, ...] = (Stage.IN_PROGRESS, Stage.DEMOLISHED, Stage.CLEARED, Stage.REBOUND)
    observed_by_flagged: tuple[Stage, ...] = (Stage.REBOUND,)
    flagged_confirm: tuple[Stage, ...] = (
        Stage.IN_PROGRESS,
        Stage.DEMOLISHED,
        Stage.CLEARED,
        Stage.REBOUND,
        Stage.GREEN,
    )
    high_stakes: tuple[Stage, ...] = (Stage.CLEARED,)
    high_stakes_m2: AreaM2 = 1000.0
    priority_rebound: Priority = 500.0
    priority_claim: Priority = 400.0
    priority_contradictory: Priority = 300.0
    priority_high_stakes: Priority = 200.0
    priority_uncertain: Priority = 100.0


class OpinionsNeeded(Settings):
    """How many persons must give one question the same answer."""

    demolition: Persons = 1
    clearance: Persons = 2
    greening: Persons = 1
    rebound: Persons = 2

    def of(self, question: Question) -> int:
        """The number for a question."""
        number: int = getattr(self, question.value)
        return number


class ConfirmationRules(Settings):
    """When what people answered is settled (`assess.opinions`)."""

    opinions_needed: OpinionsNeeded = OpinionsNeeded()
    last_word_at: Persons = 3

    @model_validator(mode="after")
    def _last_word_comes_last(self) -> ConfirmationRules:
        most = max(self.opinions_needed.of(question) for question in Question)
        if self.last_word_at <= most:
            raise ValueError(f"last_word_at must be more than the {most} that opinions_needed asks for")
        return self


class WatchRules(Settings):
    """How often a closed site should be looked at."""

    recheck_days: Annotated[tuple[Days, ...], Field(min_length=1)] = (90, 180, 365)
    after_rebound_days: Days = 90


class ClockRules(Settings):
    """How long things may take."""

    rubble_days: Days = 30
    new_structure_days: Days = 7


#: Sections that tell what becomes of verdicts; these are made with the others.
_AFTERWARDS = {"confirmation", "ladder", "watch", "clocks"}
#: Sections that hold for the whole ledger: who may say something, and when trees bear leaves, is no matter of a site.
_EVERYWHERE = ("season", "confirmation")
#: What says where rules hold, and is no rule.
_WHERE = {"campaigns"}

Overrides: TypeAlias = dict[str, Any]
"""What rules say otherwise, nested as in configs/rules.yaml."""


class Rules(Settings):
    """The rules of a ledger.

    `campaigns` holds what single campaigns say otherwise, by name; `batches` is which batch belongs to which campaign,
    told by the ledger and not by the file. `rules_of` puts them together for a site.
    """

    name: str = "plain-2"
    assessable: AssessableRules = AssessableRules()
    demolition: DemolitionRules = DemolitionRules()
    clearance: ClearanceRules = ClearanceRules()
    greening: GreeningRules = GreeningRules()
    season: SeasonRules = SeasonRules()
    rebound: ReboundRules = ReboundRules()
    intervals: IntervalRules = IntervalRules()
    review: ReviewRules = ReviewRules()
    confirmation: ConfirmationRules = ConfirmationRules()
    ladder: LadderRules = LadderRules()
    watch: WatchRules = WatchRules()
    clocks: ClockRules = ClockRules()
    campaigns: dict[str, Overrides] = Field(default_factory=dict)
    batches: dict[str, str] = Field(default_factory=dict, exclude=True)

    @property
    def version(self) -> str:
        """The name with a digest of every value that verdicts are made with: equal on any machine for equal rules."""
        return f"{self.name}-{_digest(self.model_dump(mode='json', exclude=_AFTERWARDS | _WHERE))}"

    @property
    def settling_version(self) -> str:
        """The name with a digest of every value, and of where which holds: where it changes, it is told anew where each
        site stands."""
        where = {"campaigns": self.campaigns, "batches": self.batches} if self.campaigns else {}
        return f"{self.name}-{_digest(self.model_dump(mode='json', exclude=_WHERE) | where)}"


def _digest(values: dict[str, object]) -> str:
    written = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:8]


def rules_of(site: Site, rules: Rules) -> Rules:
    """The rules with what the site's campaign says otherwise, and then its plan; they have a version of their own.

    Raises SettingsError for a key that there is not, or a value that cannot be.
    """
    if not rules.campaigns and not site.plan.rules:
        return rules
    campaign = rules.batches.get(site.batch, "")
    others = [(f"campaign {campaign}", rules.campaigns.get(campaign, {})), (f"site {site.code}", site.plan.rules)]
    for whose, other in others:
        if other:
            rules = _with_others(rules, other, where=f"rules of {whose}")
    return rules


def read_rules(path: Path | None, batches: Iterable[Batch] = ()) -> Rules:
    """The rules of a file, or those that ship where there is none, for a ledger with these batches.

    Raises SettingsError for a file that cannot be read, a key that there is not, also among those of campaigns.
    """
    rules = default_rules() if path is None else read_settings(path, Rules)
    for campaign, other in rules.campaigns.items():
        _with_others(rules, other, where=f"{path}: campaign {campaign}")
    return rules.model_copy(update={"batches": {batch.name: batch.campaign for batch in batches}})


def _with_others(rules: Rules, other: Overrides, *, where: str) -> Rules:
    fixed = next((name for name in _EVERYWHERE if name in other), None)
    if fixed is not None:
        raise SettingsError(
            f"'{fixed}' holds for the whole ledger", where=where, remedy="State it in the rules themselves."
        )
    return parse_settings(_merged(rules.model_dump(exclude=_WHERE), other), Rules, where=where)


def _merged(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """`values` with those of `others`, section by section."""
    return values | {
        name: _merged(values[name], other) if isinstance(other, dict) and isinstance(values.get(name), dict) else other
        for name, other in others.items()
    }


def default_rules() -> Rules:
    """The rules that ship with cvpipe."""
    return Rules()


__all__ = [
    "AssessableRules",
    "ClearanceRules",
    "ClockRules",
    "ConfirmationRules",
    "DemolitionRules",
    "GreeningRules",
    "IntervalRules",
    "LadderRules",
    "OpinionsNeeded",
    "ReboundRules",
    "ReviewRules",
    "Rules",
    "Scales",
    "WatchRules",
    "default_rules",
    "read_rules",
    "rules_of",
]
