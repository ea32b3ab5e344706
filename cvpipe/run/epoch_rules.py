"""By what the epochs of a site are chosen, as data; and the season of a day.

The defaults below are the rules that ship; `configs/epochs.yaml` states the same values with the unit and the reason
of each (a test holds the two equal).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cvpipe.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]
DayOfYear = Annotated[int, Field(ge=1, le=366)]

#: Days by which the seasons of the southern hemisphere are apart from those of the northern one.
HALF_A_YEAR = 183


class Season(StrEnum):
    """Whether trees bear leaves: crowns hide roofs and ground, and bare trees look like green that was lost."""

    LEAF_ON = "leaf-on"
    LEAF_OFF = "leaf-off"


class SeasonRules(Settings):
    """When trees bear leaves, and when a baseline of the later epoch's season is preferred. Days of the year, north."""

    leaf_on_from: DayOfYear = 110
    leaf_on_to: DayOfYear = 305
    min_latitude: Annotated[float, Field(ge=0, le=90)] = 23.5
    reach_days: Annotated[int, Field(ge=0)] = 366

    def season(self, day: date, latitude: float) -> Season | None:
        """The season of a day at a latitude in degrees, south negative; None where the year has no such seasons."""
        if abs(latitude) < self.min_latitude:
            return None
        of_year = day.timetuple().tm_yday
        if latitude < 0:
            of_year = (of_year + HALF_A_YEAR - 1) % 366 + 1
        return Season.LEAF_ON if self.leaf_on_from <= of_year <= self.leaf_on_to else Season.LEAF_OFF


class EpochRules(Settings):
    """When a day's scenes are of use to a site, which of them goes first, and which day is the baseline."""

    min_cover: Share = 0.9
    min_added_cover: Annotated[float, Field(gt=0, le=1)] = 0.005
    quality_step: Annotated[float, Field(gt=0, le=1)] = 0.1
    season: SeasonRules = SeasonRules()


__all__ = ["EpochRules", "Season", "SeasonRules"]
