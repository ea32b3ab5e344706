"""Settings of training jobs: the released ones read, and their paths are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cvpipe.errors import SettingsError
from cvpipe.settings import parse_settings, read_settings
from cvpipe.train.settings import DrawnSource, LedgerSource, PictureSource, TrainSettings, shared_path

CONFIGS = Path(__file__).parents[2] / "configs" / "train"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.name)
def test_every_config_reads_and_names_licences_and_held_out_places(path: Path) -> None:
    settings = read_settings(path, TrainSettings)
    assert all(s.licence for s in settings.sources if not isinstance(s, DrawnSource))
    held_out = {place.split("/")[0] for place in settings.held_out_places}
    of_source = {"dubai": "dubai", "scenes": "ucmerced", "guessed": "ucmerced", "drawn": "drawn"}
    for source in settings.sources:
        if isinstance(source, LedgerSource):
            assert source.held_out_share > 0
        else:
            name = source.folder.name if source.kind == "drone" else of_source[source.kind]
            assert name in held_out, "each source is validated on places of its own"
        assert source.gsd_range_m[0] <= settings.gsd_m <= source.gsd_range_m[1]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.name)
def test_every_key_of_a_config_has_its_reason(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    bare = [line for line in lines if line[:1].isalpha() and ":" in line and "#" not in line]
    keys = {line.split(":")[0] for line in bare}
    allowed = {"name", "design", "sources", "seed", "steps", "batch", "crop_px", "workers", "weight_decay", "trainer"}
    assert keys <= allowed | {"warmup_steps", "change_weight", "validate_every", "validation_pairs", "held_out_places"}


def test_the_networks_that_are_compared_differ_in_their_design_alone() -> None:
    ours, *others = (
        read_settings(CONFIGS / f"{name}.yaml", TrainSettings).model_dump(exclude={"name"})
        for name in ("compare-ours", "baseline-fc-siam-diff", "baseline-unet-concat")
    )
    kinds = [ours["design"].pop("kind"), *(other["design"].pop("kind") for other in others)]
    assert kinds == ["siamese", "fc_siam_diff", "unet_concat"]
    assert all(other == ours for other in others)


def test_a_released_recipe_means_what_it_meant() -> None:
    settings = read_settings(CONFIGS / "release-s-base.yaml", TrainSettings)
    assert settings.design.kind == "siamese"
    assert (settings.encoder_weights, settings.save_every) == (None, None)
    assert settings.trainer.devices == 1


def test_how_fast_a_job_runs_is_no_part_of_its_recipe(raw_settings: dict[str, Any]) -> None:
    one = TrainSettings.model_validate(raw_settings)
    faster = {**raw_settings, "workers": 4, "save_every": 1, "trainer": {"devices": 2, "precision": "32"}}
    assert TrainSettings.model_validate(faster).recipe == one.recipe
    assert TrainSettings.model_validate({**raw_settings, "batch": 4}).recipe != one.recipe


def test_a_source_is_read_by_its_kind(raw_settings: dict[str, Any]) -> None:
    drawn = {"kind": "drawn", "patches": 2, "first_seed": 1, "weight": 1, "gsd_range_m": [0.2, 0.4]}
    read = TrainSettings.model_validate({**raw_settings, "sources": [*raw_settings["sources"], drawn]})
    assert [type(s) for s in read.sources] == [PictureSource, PictureSource, PictureSource, DrawnSource]


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"crop_px": 100}, "crop_px"),
        ({"tile_px": 32}, "tile_px"),
        ({"steps": 0}, "steps"),
        ({"unchanged_share": 1.5}, "unchanged_share"),
        ({"learning_rat": 1}, "learning_rat"),
        ({"sources": [{"kind": "satellite"}]}, "sources.0"),
        ({"sources": [{"kind": "drawn", "folder": "x"}]}, "sources.0.drawn"),
    ],
)
def test_what_makes_no_sense_is_refused(raw_settings: dict[str, Any], changed: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError, match=f"key '{key}"):
        parse_settings({**raw_settings, **changed}, TrainSettings, where="train.yaml")


def test_paths_are_looked_up_where_they_are_then_among_the_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("CVPIPE_SHARED", "/elsewhere")
    assert shared_path(Path("here")) == Path("here")
    assert shared_path(Path("tiles/a")) == Path("/elsewhere/tiles/a")
    assert shared_path(tmp_path / "none") == tmp_path / "none"
    monkeypatch.delenv("CVPIPE_SHARED")
    assert shared_path(Path("tiles/a")) == Path("../shared/tiles/a")
