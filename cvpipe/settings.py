"""Typed settings: every YAML file is read through a pydantic model that refuses unknown keys."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from cvpipe.errors import SettingsError


class Settings(BaseModel):
    """Base of all settings: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("there is no such time zone; name one as IANA does, such as Asia/Shanghai") from None
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]
"""A time zone by its IANA name."""


class MailSettings(Settings):
    """A mail server that takes notices; the password of `user` comes from `CVPIPE_SMTP_PASSWORD`."""

    server: str
    port: int = Field(default=587, gt=0, le=65535)
    starttls: bool = True
    user: str = ""
    sender: str
    to: tuple[str, ...] = Field(min_length=1)


class NoticeSettings(Settings):
    """Who is told how a run ended: an address that gets a POST, a mail server; after each run or after failures."""

    when: Literal["always", "failure"] = "always"
    webhook: str | None = None
    mail: MailSettings | None = None


class ScheduleSettings(Settings):
    """When `cvpipe schedule` looks for new scenes and runs: cron expressions in a time zone (IANA name)."""

    cron: tuple[str, ...] = ("0 2 * * *",)
    time_zone: str = "UTC"


class StacSettings(Settings):
    """A STAC API that is watched for items on the sites of the ledger; a catalogue in files is walked whole each time.

    `collections` empty: all of them; `asset` None: the one that is to be seen; `since` is the first day of
    acquisition; `max_cloud` the percentage of cloud by an item's `eo:cloud_cover` above which it is passed over (an
    item that says nothing is taken); `late_days` the days after acquisition within which an item may still appear.
    """

    stac: str = Field(min_length=1)
    collections: tuple[str, ...] = ()
    asset: str | None = None
    since: date | None = None
    max_cloud: float = Field(default=100.0, ge=0, le=100)
    late_days: int = Field(default=90, ge=0)


WatchedPlace = Annotated[
    Annotated[str, Tag("place")] | Annotated[StacSettings, Tag("stac")],
    Discriminator(lambda stated: "place" if isinstance(stated, str) else "stac"),
]
"""A folder or an `s3://` address; or a STAC API, by its address alone or with what is asked of it."""


Runtime = Literal["auto", "torch", "openvino"]
"""What runs a network; `auto` is chosen and told by `cvpipe.network.runtime`."""


Light = Literal["none", "moments", "histogram"]
"""How the later epoch is brought to the light of the earlier one before the network compares them."""


#: What of a site may be published; there is no column that speaks of a person.
PublicColumn = Literal[
    "code",
    "name",
    "sub_district",
    "community",
    "owner_system",
    "batch",
    "status",
    "due_date",
    "land_area_m2",
    "building_area_m2",
    "observed_status",
    "observed_rung",
    "observed_on",
    "structure_removed_m2",
    "green_added_m2",
]


class PublicSettings(Settings):
    """What `cvpipe report --public` publishes of each site: columns, and its outline or only the middle of it."""

    columns: tuple[PublicColumn, ...] = Field(
        default=("code", "sub_district", "community", "batch", "status", "due_date"), min_length=1
    )
    geometry: Literal["outline", "centre"] = "outline"


class WorkspaceSettings(Settings):
    """`cvpipe.yaml` of a workspace; `cvpipe init` writes it with a comment on each key.

    `ledger` is a file name, relative to the settings, or the URL of a database; `rules` is None for the rules that
    ship with cvpipe, and so are `epochs`, by which scenes are chosen; `watch` are folders, `s3://` addresses and STAC
    APIs in which `cvpipe scenes watch` and `cvpipe schedule` look for new scenes; `district` is a file with the outline
    in which all sites should lie; `runtime` is what runs the network on `device`; `margin_m` is the ground that is
    read around each site, m; `time_zone` says when a day begins, for due dates and the dates of reports; `cache_gb` is
    what the folder `cache/` may hold of the network's work on earlier epochs.
    """

    ledger: str = "ledger.gpkg"
    model: str = "cvpipe-s"
    rules: Path | None = None
    epochs: Path | None = None
    watch: tuple[WatchedPlace, ...] = ()
    district: Path | None = None
    campaign: str = ""
    campaign_target: int | None = Field(default=None, gt=0)
    time_zone: TimeZone = "UTC"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    runtime: Runtime = "auto"
    margin_m: float = Field(default=15.0, ge=0, allow_inf_nan=False)
    cache_gb: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    light: Light = "none"
    schedule: ScheduleSettings = ScheduleSettings()
    notices: NoticeSettings = NoticeSettings()
    public: PublicSettings = PublicSettings()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the district."""
        return ZoneInfo(self.time_zone)

    def today(self) -> date:
        """The present day in the district."""
        return datetime.now(self.zone).date()


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_settings(path: Path, model: type[SettingsT]) -> SettingsT:
    """Read a YAML file into `model`.

    Raises SettingsError that names the file, the key and what was found there.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError("no such settings file", where=path, remedy="Check the path.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"not readable as YAML ({error})", where=path, remedy="Mend the file.") from error
    return parse_settings({} if raw is None else raw, model, where=path)


def parse_settings(raw: Any, model: type[SettingsT], *, where: object) -> SettingsT:
    """Validate plain data against `model`; `where` names its origin in the message."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise SettingsError(
            f"key '{key}': {first['msg']} (found {first['input']!r})",
            where=where,
            remedy="Correct or remove that key; the commented files in configs/ list all of them.",
        ) from error
