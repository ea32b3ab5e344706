"""The rules as data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from shapely import Point

from cvpipe.assess import Rules, default_rules
from cvpipe.assess.rules import read_rules, rules_of
from cvpipe.domain import Batch, Plan, Site
from cvpipe.errors import SettingsError
from cvpipe.settings import parse_settings, read_settings

SHIPPED = Path(__file__).parents[2] / "configs" / "rules.yaml"


def test_commented_file_states_every_value_that_ships() -> None:
    assert read_settings(SHIPPED, Rules) == default_rules()
    assert yaml.safe_load(SHIPPED.read_text(encoding="utf-8")) == default_rules().model_dump(mode="json")


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
    assert changed.version.startswith("plain-2-")
    assert Rules.model_validate(default_rules().model_dump()).version == default_rules().version


def test_whole_numbers_make_the_same_version_as_decimals() -> None:
    assert Rules.model_validate({"rebound": {"added_m2": 30}}).version == default_rules().version


@pytest.mark.parametrize("raw", [{"rebound": {"added": 1}}, {"assessable": {"min_valid_share": 90}}])
def test_unknown_keys_and_impossible_values_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"rules\.yaml"):
        parse_settings(raw, Rules, where="rules.yaml")


def test_a_campaign_says_otherwise_and_a_site_says_so_last() -> None:
    raw = {"campaigns": {"2017": {"clearance": {"rubble_m2": 10, "cabins": 0}}}}
    rules = Rules.model_validate(raw).model_copy(update={"batches": {"first": "2017", "other": "2020"}})
    here, elsewhere = Site("A", Point(116, 40), batch="first"), Site("B", Point(116, 40), batch="other")
    own = replace(here, plan=Plan(rules={"clearance": {"rubble_m2": 5}}))
    assert (rules_of(here, rules).clearance.rubble_m2, rules_of(here, rules).clearance.cabins) == (10, 0)
    assert (rules_of(own, rules).clearance.rubble_m2, rules_of(own, rules).clearance.cabins) == (5, 0)
    assert rules_of(elsewhere, rules) == rules
    versions = {rules_of(site, rules).version for site in (here, own, elsewhere)}
    assert len(versions) == 3
    assert rules_of(elsewhere, rules).version == default_rules().version


def test_what_a_campaign_says_otherwise_has_its_sites_settled_anew() -> None:
    plain = Rules(batches={"first": "2017"})
    once = Rules(campaigns={"2017": {"ladder": {"scenes_to_confirm": 1}}}, batches={"first": "2017"})
    moved = once.model_copy(update={"batches": {"first": "2018"}})
    assert len({rules.settling_version for rules in (plain, once, moved)}) == 3
    assert plain.settling_version == Rules().settling_version
    assert once.version == plain.version


def test_batches_tell_the_campaign(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("campaigns: {spring: {rebound: {added_m2: 12}}}\n", encoding="utf-8")
    rules = read_rules(path, [Batch("first", "spring")])
    assert rules_of(Site("A", Point(116, 40), batch="first"), rules).rebound.added_m2 == 12
    assert rules_of(Site("A", Point(116, 40)), rules).rebound.added_m2 == 30
    assert read_rules(None).version == default_rules().version


def test_wrong_rules_of_a_campaign_are_refused_before_any_site(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("campaigns: {spring: {rebound: {added: 12}}}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"campaign spring.*rebound\.added"):
        read_rules(path)
