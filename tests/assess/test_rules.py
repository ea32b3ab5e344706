"""The rules as data."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cvpipe.assess import Rules, default_rules
from cvpipe.errors import SettingsError
from cvpipe.settings import parse_settings, read_settings

SHIPPED = Path(__file__).parents[2] / "configs" / "rules.yaml"


def test_commented_file_states_every_value_that_ships() -> None:
    assert read_settings(SHIPPED, Rules) == default_rules()
    assert yaml.safe_load(SHIPPED.read_text(encoding="utf-8")) == default_rules().model_dump()


def test_every_threshold_has_a_comment() -> None:
    lines = [
        line for line in SHIPPED.read_text(encoding="utf-8").splitlines() if line.startswith("  ") and ": " in line
    ]
    bare = [line for line in lines if not line.lstrip().startswith("#") and "#" not in line]
    assert bare == []


def test_a_changed_value_makes_a_new_version() -> None:
    raw = default_rules().model_dump()
    raw["rebound"]["added_m2"] = 31.0
    changed = Rules.model_validate(raw)
    assert changed.version != default_rules().version
    assert changed.version.startswith("plain-1-")
    assert Rules.model_validate(default_rules().model_dump()).version == default_rules().version


def test_whole_numbers_make_the_same_version_as_decimals() -> None:
    assert Rules.model_validate({"rebound": {"added_m2": 30}}).version == default_rules().version


@pytest.mark.parametrize("raw", [{"rebound": {"added": 1}}, {"assessable": {"min_valid_share": 90}}])
def test_unknown_keys_and_impossible_values_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"rules\.yaml"):
        parse_settings(raw, Rules, where="rules.yaml")
