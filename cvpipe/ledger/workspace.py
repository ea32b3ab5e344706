"""A workspace: the folder that holds a campaign's settings, ledger and runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cvpipe.errors import WorkspaceError
from cvpipe.ledger import store
from cvpipe.ledger.ledger import Ledger
from cvpipe.settings import WorkspaceSettings, read_settings

SETTINGS_NAME = "cvpipe.yaml"
LEDGER_NAME = "ledger.gpkg"
RUNS_NAME = "runs"
CACHE_NAME = "cache"

#: What `cvpipe init` writes: every setting with its unit and its reason.
SETTINGS_TEXT = """\
# Settings of this workspace. A key that is not listed here is refused.

# Where the ledger is: a GeoPackage (a relative path counts from this file), or a PostgreSQL database as
# postgresql://USER@HOST:PORT/DATABASE. Its password never stands here: it comes from PGPASSWORD or ~/.pgpass.
ledger: {ledger}

# Which released model looks at the scenes: a name that `cvpipe models list` shows, or the path of a bundle's folder;
# one that lies in models/ beside this file goes before what comes with cvpipe.
model: cvpipe-s

# File with the limits by which verdicts are reached; a relative path counts from this file. null: the rules that
# ship with cvpipe. A campaign with criteria of its own keeps its own copy, so that old verdicts stay explainable.
rules: null

# File with the rules by which the epochs of a site are chosen (a copy of configs/epochs.yaml); a relative path counts
# from this file. null: the rules that ship with cvpipe.
epochs: null

# Where `cvpipe scenes watch` and `cvpipe schedule` look for new scenes: folders (relative paths count from this file),
# s3:// addresses, and STAC APIs, by their https:// address or with what is asked of them, such as
#   - {{stac: https://example.org/stac, collections: [ortho], since: 2024-01-01, max_cloud: 40}}
# More keys: asset (else the one to be seen), late_days (an item may appear so many days after its acquisition; 90).
watch: []

# File with the outline of the district (GeoJSON, GeoPackage, Shapefile): `cvpipe sites check` tells which sites lie
# outside of it; a relative path counts from this file. null: what the scenes show is taken.
district: null

# Name of the campaign, as reports head it.
campaign: {campaign}

# Number of sites that the campaign set out to complete; reports hold the completed ones against it. null: no target.
campaign_target: {campaign_target}

# Time zone of the district by its IANA name, such as Asia/Shanghai: when a day begins, for due dates, what is overdue,
# and the dates of reports. Moments in the ledger are UTC all the same.
time_zone: UTC

# Where the network runs: auto (a CUDA device if there is one), cpu or cuda.
device: auto
# What runs it: torch, openvino (on the processor, extra `cvpipe[openvino]`), or auto: torch, but where a graph in float
# was exported into the bundle (`cvpipe models export`) and measured faster, that. One in int8 has to be asked for.
runtime: auto

# Metres of ground around each site that the network sees as well: a structure at the edge is judged by what lies
# beside it. The shift between two epochs is measured on 60 m at least, whatever stands here.
margin_m: 15.0

# Gigabytes that cache/ may hold of the network's work on earlier epochs, so that it need not be done again for each new
# scene: about 0.8 MB for each hectare around sites at 0.3 m. What was not used longest goes first; 0: nothing is kept.
# The folder may be removed at any time.
cache_gb: 2.0

# Whether the later epoch is brought to the light of the earlier one before the network compares them: none, moments
# (mean and contrast) or histogram. none: the network has seen epochs of different light in training.
light: none

# When `cvpipe schedule` looks for new scenes and runs: cron expressions (minute hour day month weekday) in a time zone
# by its IANA name, such as Asia/Shanghai.
schedule:
  cron: ["0 2 * * *"]
  time_zone: UTC

# Who is told how a scheduled run ended, always or after a failure only. webhook: an address that gets a POST with JSON;
# ${{NAME}} in it is taken from the environment, so that no key need stand here. mail: server, port, starttls, user,
# sender, to (a list); the password comes from CVPIPE_SMTP_PASSWORD. null: nobody.
notices:
  when: always
  webhook: null
  mail: null

# What `cvpipe report --public` publishes. columns: of code, name, sub_district, community, owner_system, batch, status,
# due_date, land_area_m2, building_area_m2, observed_status, observed_rung (provisional, or by what it was confirmed),
# observed_on, structure_removed_m2, green_added_m2; a site's name is left out unless it is listed, for it may tell
# whose the site is. geometry: outline, or centre for a point.
public:
  columns: [code, sub_district, community, batch, status, due_date]
  geometry: outline
"""


@dataclass(frozen=True)
class Workspace:
    """A folder with `cvpipe.yaml`, `runs/` and, unless the ledger is in a database, `ledger.gpkg`."""

    folder: Path

    @property
    def settings_path(self) -> Path:
        return self.folder / SETTINGS_NAME

    @property
    def runs(self) -> Path:
        return self.folder / RUNS_NAME

    @property
    def cache(self) -> Path:
        """What may be removed at any time."""
        return self.folder / CACHE_NAME

    @property
    def ledger_place(self) -> store.Place:
        """Where the settings say that the ledger is: the path of a file, or the URL of a database.

        Raises SettingsError, and WorkspaceError for a URL that tells a password or is not one of PostgreSQL.
        """
        stated = read_settings(self.settings_path, WorkspaceSettings).ledger
        _refuse_other_databases(stated, self.settings_path)
        if not store.is_url(stated):
            return self.folder / stated
        _refuse_password(stated, self.settings_path)
        return stated

    @property
    def ledger_path(self) -> Path:
        """The ledger's file. Raises WorkspaceError when the ledger is in a database."""
        place = self.ledger_place
        if isinstance(place, Path):
            return place
        raise WorkspaceError(
            "the ledger is in a database, not in a file",
            where=self.settings_path,
            remedy="Use a workspace whose ledger is a GeoPackage.",
        )

    @classmethod
    def create(
        cls, folder: Path, *, ledger: str = LEDGER_NAME, campaign: str = "", campaign_target: int | None = None
    ) -> Workspace:
        """Make a workspace in a folder that is new or holds none of its parts; all parts appear, or none.

        `ledger` is a file name or the URL of a database. A database that holds a ledger is taken as it is, so that
        several workspaces can share it; an empty one gets its tables. `campaign` and `campaign_target` go into the
        settings.

        Raises WorkspaceError when a part is there already, the folder cannot be written, or a URL tells a password
        or is not one of PostgreSQL;
        LedgerError when the database does not answer or holds something else.
        """
        workspace = cls(folder)
        _refuse_other_databases(ledger, "--ledger")
        workspace._refuse_existing(ledger)
        try:
            workspace._build(ledger, campaign, campaign_target)
        except OSError as error:
            raise WorkspaceError(
                f"the workspace cannot be written ({error.strerror})",
                where=folder,
                remedy="Choose a folder that you may write to.",
            ) from error
        return workspace

    @classmethod
    def open(cls, folder: Path) -> Workspace:
        """The workspace in a folder. Raises WorkspaceError that names what is missing there."""
        workspace = cls(folder)
        missing = workspace._missing()
        if missing:
            raise WorkspaceError(
                f"no workspace: {' and '.join(missing)} missing",
                where=folder,
                remedy="Name one with --workspace DIR, or make one with `cvpipe init DIR`.",
            )
        return workspace

    def settings(self) -> WorkspaceSettings:
        """The settings, with their paths made absolute. Raises SettingsError."""
        settings = read_settings(self.settings_path, WorkspaceSettings)
        stated = {"rules": settings.rules, "epochs": settings.epochs, "district": settings.district}
        absolute = {key: (self.folder / path).resolve() for key, path in stated.items() if path is not None}
        return settings.model_copy(update={**absolute, "model": self._model(settings.model)})

    def ledger(self) -> Ledger:
        """The ledger, opened; the caller closes it."""
        return Ledger.open(self.ledger_place)

    def _model(self, stated: str) -> str:
        """A bundle in the workspace itself goes before one of that name elsewhere, which stays as it is stated."""
        own = next((p for p in (self.folder / stated, self.folder / "models" / stated) if p.is_dir()), None)
        return stated if own is None else str(own.resolve())

    def _missing(self) -> list[str]:
        if not self.settings_path.is_file():
            return [path.name for path in (self.settings_path, self.folder / LEDGER_NAME) if not path.is_file()]
        place = self.ledger_place
        return [place.name] if isinstance(place, Path) and not place.is_file() else []

    def _parts(self, ledger: str) -> tuple[Path, ...]:
        # The settings come last: a folder that has them has the rest.
        file = () if store.is_url(ledger) else (self.folder / ledger,)
        return self.runs, *file, self.settings_path

    def _refuse_existing(self, ledger: str) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise WorkspaceError("a file has this name", where=self.folder, remedy="Choose another folder.")
        there = [path.name for path in self._parts(ledger) if path.exists()]
        if there:
            raise WorkspaceError(
                f"the folder already holds {', '.join(there)}",
                where=self.folder,
                remedy="Choose another folder; cvpipe never overwrites a workspace.",
            )

    def _build(self, ledger: str, campaign: str, campaign_target: int | None) -> None:
        if store.is_url(ledger):
            _refuse_password(ledger, "--ledger")
            _make_ready(ledger)
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder, prefix=".init-") as name:
            draft = Workspace(Path(name))
            stated = {"ledger": ledger, "campaign": campaign, "campaign_target": campaign_target}
            written = {key: json.dumps(value, ensure_ascii=False) for key, value in stated.items()}
            draft.settings_path.write_text(SETTINGS_TEXT.format(**written), encoding="utf-8")
            draft.runs.mkdir()
            if not store.is_url(ledger):
                Ledger.create(draft.folder / ledger).close()
            for made, part in zip(draft._parts(ledger), self._parts(ledger), strict=True):
                made.rename(part)


def _make_ready(url: str) -> None:
    opened = Ledger.open(url) if Ledger.is_at(url) else Ledger.create(url)
    opened.close()


def _refuse_other_databases(stated: str, where: object) -> None:
    """Not a word of the URL but its scheme: it may tell a password."""
    scheme, divider, _ = stated.partition("://")
    if divider and not store.is_url(stated):
        raise WorkspaceError(
            f"a ledger cannot be kept behind {scheme}://",
            where=where,
            remedy="Write postgresql://USER@HOST:PORT/DATABASE, or the name of a file.",
        )


def _refuse_password(url: str, where: object) -> None:
    if store.has_password(url):
        raise WorkspaceError(
            "the URL of the ledger tells its password",
            where=where,
            remedy="Take it out of the URL; put it into the variable PGPASSWORD or into ~/.pgpass.",
        )
