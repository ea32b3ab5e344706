"""By what the epochs of a site are chosen, as data.

The defaults below are the rules that ship; `configs/epochs.yaml` states the same values with the unit and the reason
of each (a test holds the two equal).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cvpipe.assess.season import SeasonRules
from cvpipe.errors import SettingsError
from cvpipe.settings import Settings, read_settings

Share = Annotated[float, Field(ge=0, le=1)]


class EpochRules(Settings):
    """When a day's scenes are of use to a site, which of them goes first, and which day is the baseline.

    `season` says when trees bear leaves; it is told by the rules of verdicts and not by the file of these.
    """

    min_cover: Share = 0.9
    min_added_cover: Annotated[float, Field(gt=0, le=1)] = 0.005
    quality_step: Annotated[float, Field(gt=0, le=1)] = 0.1
    season_reach_days: Annotated[int, Field(ge=0)] = 366
    season: SeasonRules = SeasonRules()


def read_epoch_rules(path: Path | None, season: SeasonRules) -> EpochRules:
    """The rules of a file, or those that ship where there is none, with the seasons of the rules of verdicts.

    Raises SettingsError for a file that cannot be read, a key that there is not, or seasons of its own.
    """
    rules = EpochRules() if path is None else read_settings(path, EpochRules)
    if "season" in rules.model_fields_set:
        raise SettingsError(
            "the seasons are stated in the file of the rules",
            where=path,
            remedy="Take `season` out of this file; how far back a baseline is looked for is `season_reach_days`.",
        )
    return rules.model_copy(update={"season": season})


__all__ = ["EpochRules", "read_epoch_rules"]
