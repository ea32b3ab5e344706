"""A workspace is made whole or not at all, and says what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cvpipe.errors import SettingsError, WorkspaceError
from cvpipe.ledger import Ledger, Workspace
from cvpipe.settings import WorkspaceSettings
from tests.ledger import samples


def test_a_new_workspace(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "deep" / "district")
    assert {path.name for path in workspace.folder.iterdir()} == {"cvpipe.yaml", "ledger.gpkg", "runs"}
    assert Workspace.open(workspace.folder) == workspace
    with workspace.ledger() as ledger:
        assert ledger.sites() == []


def test_a_database_of_another_kind_is_refused_without_its_password(tmp_path: Path, workspace: Workspace) -> None:
    url = "postgresql+psycopg://somebody:s3cret@127.0.0.1/x"
    workspace.settings_path.write_text(f"ledger: {url}\n")
    for attempt in (lambda: Workspace.create(tmp_path / "other", ledger=url), workspace.ledger):
        with pytest.raises(WorkspaceError, match=r"behind postgresql\+psycopg://.*Write postgresql://") as caught:
            attempt()
        assert "s3cret" not in str(caught.value)
    assert not (tmp_path / "other").exists()


def test_the_written_settings_are_the_defaults_and_name_every_key(workspace: Workspace) -> None:
    assert workspace.settings() == WorkspaceSettings()
    written = yaml.safe_load(workspace.settings_path.read_text(encoding="utf-8"))
    assert list(written) == list(WorkspaceSettings.model_fields)


def test_rules_count_from_the_workspace(workspace: Workspace) -> None:
    workspace.settings_path.write_text("rules: own/rules.yaml\n")
    assert workspace.settings().rules == workspace.folder / "own" / "rules.yaml"


@pytest.mark.parametrize(
    "line", ["colour: red", "margin_m: -1", "device: tpu", "campaign_target: 0", "- 1", "a: [", ""]
)
def test_wrong_settings(workspace: Workspace, line: str) -> None:
    workspace.settings_path.write_text(line)
    if not line:
        assert workspace.settings() == WorkspaceSettings()
        return
    with pytest.raises(SettingsError, match=r"cvpipe\.yaml"):
        workspace.settings()


def test_an_existing_workspace_is_left_alone(workspace: Workspace) -> None:
    before = samples.file_hash(workspace.ledger_path)
    with pytest.raises(WorkspaceError, match=r"already holds runs, ledger\.gpkg, cvpipe\.yaml"):
        Workspace.create(workspace.folder)
    assert samples.file_hash(workspace.ledger_path) == before


def test_a_folder_with_other_files_will_do(tmp_path: Path) -> None:
    (tmp_path / "scene.tif").write_bytes(b"")
    Workspace.create(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"scene.tif", "cvpipe.yaml", "ledger.gpkg", "runs"}


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "district").write_text("")
    with pytest.raises(WorkspaceError, match="a file has this name"):
        Workspace.create(tmp_path / "district")


def test_a_failure_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> Ledger:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Ledger, "create", fail)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        Workspace.create(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lost", "named"), [("cvpipe.yaml", "cvpipe.yaml missing"), ("ledger.gpkg", "ledger.gpkg missing")]
)
def test_what_is_missing_is_named(workspace: Workspace, lost: str, named: str) -> None:
    (workspace.folder / lost).unlink()
    with pytest.raises(WorkspaceError, match=rf"{named}.*cvpipe init DIR"):
        Workspace.open(workspace.folder)
