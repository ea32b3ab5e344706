"""The limits that verdicts are made with, as versioned data.

The defaults below are the rules that ship; `configs/rules.yaml` states the same values with the unit and the reason
of each (a test holds the two equal). A changed value makes another `version`, and with it other assessments.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import Field

from cvpipe.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]
AreaM2 = Annotated[float, Field(ge=0)]


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


class ClearanceRules(Settings):
    """What "clear site, clean ground" allows to be left."""

    structure_m2: AreaM2 = 20.0
    rubble_m2: AreaM2 = 20.0
    rubble_share: Share = 0.01
    rubble_cap_m2: AreaM2 = 50.0
    clear_ground_share: Share = 0.9


class GreeningRules(Settings):
    """When green was gained, or the plan's green is there."""

    plan_share: Share = 0.9
    gained_share: Share = 0.05
    gained_m2: AreaM2 = 50.0


class ReboundRules(Settings):
    """When a structure has come back."""

    added_m2: AreaM2 = 30.0


class ReviewRules(Settings):
    """How near a limit, or how far apart, values must be for a person to look.

    `max_residual_px` is held against what is likely left of the shift between the epochs (the residual of
    `Registration`); where no shift could be found a person looks in any case.
    """

    band_share: Share = 0.05
    band_area: Share = 0.3
    max_residual_px: Annotated[float, Field(ge=0)] = 1.5
    max_disagreement: Annotated[float, Field(ge=1)] = 1.5


class Rules(Settings):
    """All rules of a campaign."""

    name: str = "plain-1"
    assessable: AssessableRules = AssessableRules()
    demolition: DemolitionRules = DemolitionRules()
    clearance: ClearanceRules = ClearanceRules()
    greening: GreeningRules = GreeningRules()
    rebound: ReboundRules = ReboundRules()
    review: ReviewRules = ReviewRules()

    @property
    def version(self) -> str:
        """The name with a digest of every value: equal rules have equal versions, on any machine."""
        values = json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"))
        return f"{self.name}-{hashlib.sha256(values.encode()).hexdigest()[:8]}"


def default_rules() -> Rules:
    """The rules that ship with cvpipe."""
    return Rules()


__all__ = [
    "AssessableRules",
    "ClearanceRules",
    "DemolitionRules",
    "GreeningRules",
    "ReboundRules",
    "ReviewRules",
    "Rules",
    "default_rules",
]
