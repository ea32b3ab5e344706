"""The reference in docs/ tells every command and every setting as the code has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from cvpipe.assess import Rules
from cvpipe.ledger.workspace import SETTINGS_TEXT
from cvpipe.settings import WorkspaceSettings
from scripts.write_reference import REFERENCE, commands, pages

ROOT = Path(__file__).parent.parent


def _keys(model: type[BaseModel]) -> set[str]:
    """The keys that a file may hold: not those that the ledger fills in."""
    return {name for name, field in model.model_fields.items() if not field.exclude}


@pytest.mark.parametrize("name", ["commands.md", "settings.md"])
def test_the_pages_are_what_the_code_says(name: str) -> None:
    written = (REFERENCE / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run python -m scripts.write_reference"


def test_every_command_and_every_option_says_what_it_does() -> None:
    for command in commands():
        assert command.sentence, command.name
        for parameter in command.parameters:
            assert parameter.help, f"{command.name} {parameter.written}"


def test_a_new_workspace_shows_every_setting_with_a_comment() -> None:
    text = SETTINGS_TEXT.format(ledger='"ledger.gpkg"', campaign='""', campaign_target="null")
    assert set(yaml.safe_load(text)) == _keys(WorkspaceSettings)
    for key in _keys(WorkspaceSettings):
        before = re.split(rf"^{key}:", text, flags=re.MULTILINE)[0]
        assert before.rstrip("\n").splitlines()[-1].startswith("#"), f"no comment above {key}"


def test_the_rules_show_every_limit_with_its_reason() -> None:
    text = (ROOT / "configs" / "rules.yaml").read_text(encoding="utf-8")
    assert set(yaml.safe_load(text)) == _keys(Rules)
    for line in text.splitlines():
        if re.match(r"  \w+: \S", line):
            assert "#" in line, f"no reason: {line}"
