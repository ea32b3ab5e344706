"""When trees bear leaves: one statement, by which green is judged and the epochs of a site are chosen."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cvpipe.settings import Settings

DayOfYear = Annotated[int, Field(ge=1, le=366)]

#: Days by which the seasons of the southern hemisphere are apart from those of the northern one.
HALF_A_YEAR = 183


class Season(StrEnum):
    """Whether trees bear leaves: crowns hide roofs and ground, and bare trees look like green that was lost."""

    LEAF_ON = "leaf-on"
    LEAF_OFF = "leaf-off"


class SeasonRules(Settings):
    """When trees bear leaves. Days of the year, north of the equator; south of it half a year later."""

    leaf_on_from: DayOfYear = 110
    leaf_on_to: DayOfYear = 305
    min_latitude: Annotated[float, Field(ge=0, le=90)] = 23.5

    def season(self, day: date, latitude: float) -> Season | None:
        """The season of a day at a latitude in degrees, south negative; None where the year has no such seasons."""
        if abs(latitude) < self.min_latitude:
            return None
        of_year = day.timetuple().tm_yday
        if latitude < 0:
            of_year = (of_year + HALF_A_YEAR - 1) % 366 + 1
        return Season.LEAF_ON if self.leaf_on_from <= of_year <= self.leaf_on_to else Season.LEAF_OFF


__all__ = ["Season", "SeasonRules"]
