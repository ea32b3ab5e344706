"""A workspace: the folder that holds a campaign's settings, ledger and runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cvpipe.errors import WorkspaceError
from cvpipe.ledger.ledger import Ledger
from cvpipe.settings import WorkspaceSettings, read_settings

SETTINGS_NAME = "cvpipe.yaml"
LEDGER_NAME = "ledger.gpkg"
RUNS_NAME = "runs"

#: What `cvpipe init` writes: every setting with its unit and its reason.
SETTINGS_TEXT = """\
# Settings of this workspace. A key that is not listed here is refused.

# Which released model looks at the scenes: a name that `cvpipe models list` shows, or the path of a bundle's folder.
model: cvpipe-s

# File with the limits by which verdicts are reached; a relative path counts from this file. null: the rules that
# ship with cvpipe. A campaign with criteria of its own keeps its own copy, so that old verdicts stay explainable.
rules: null

# Name of the campaign, as reports head it.
campaign: ""

# Number of sites that the campaign set out to complete; reports hold the completed ones against it. null: no target.
campaign_target: null

# Where the network runs: auto (a CUDA device if there is one), cpu or cuda.
device: auto

# Metres of ground around each site that the network sees as well: a structure at the edge is judged by what lies
# beside it. The shift between two epochs is measured on 60 m at least, whatever stands here.
margin_m: 15.0
"""


@dataclass(frozen=True)
class Workspace:
    """A folder with `cvpipe.yaml`, `ledger.gpkg` and `runs/`."""

    folder: Path

    @property
    def settings_path(self) -> Path:
        return self.folder / SETTINGS_NAME

    @property
    def ledger_path(self) -> Path:
        return self.folder / LEDGER_NAME

    @property
    def runs(self) -> Path:
        return self.folder / RUNS_NAME

    @classmethod
    def create(cls, folder: Path) -> Workspace:
        """Make a workspace in a folder that is new or holds none of its parts; all parts appear, or none.

        Raises WorkspaceError when a part is there already or the folder cannot be written.
        """
        workspace = cls(folder)
        workspace._refuse_existing()
        try:
            workspace._build()
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
        missing = [path.name for path in (workspace.settings_path, workspace.ledger_path) if not path.is_file()]
        if missing:
            raise WorkspaceError(
                f"no workspace: {' and '.join(missing)} missing",
                where=folder,
                remedy="Name one with --workspace DIR, or make one with `cvpipe init DIR`.",
            )
        return workspace

    def settings(self) -> WorkspaceSettings:
        """The settings, with the path of the rules made absolute. Raises SettingsError."""
        settings = read_settings(self.settings_path, WorkspaceSettings)
        if settings.rules is None:
            return settings
        return settings.model_copy(update={"rules": (self.folder / settings.rules).resolve()})

    def ledger(self) -> Ledger:
        """The ledger, opened; the caller closes it."""
        return Ledger.open(self.ledger_path)

    def _parts(self) -> tuple[Path, ...]:
        # The settings come last: a folder that has them has the rest.
        return self.runs, self.ledger_path, self.settings_path

    def _refuse_existing(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise WorkspaceError("a file has this name", where=self.folder, remedy="Choose another folder.")
        there = [path.name for path in self._parts() if path.exists()]
        if there:
            raise WorkspaceError(
                f"the folder already holds {', '.join(there)}",
                where=self.folder,
                remedy="Choose another folder; cvpipe never overwrites a workspace.",
            )

    def _build(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder, prefix=".init-") as name:
            draft = Workspace(Path(name))
            draft.settings_path.write_text(SETTINGS_TEXT, encoding="utf-8")
            draft.runs.mkdir()
            Ledger.create(draft.ledger_path).close()
            for made, part in zip(draft._parts(), self._parts(), strict=True):
                made.rename(part)
