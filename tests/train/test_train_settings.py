"""Settings of training jobs: the released ones read, and their paths are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cvpipe.errors import SettingsError
from cvpipe.settings import parse_settings, read_settings
from cvpipe.train.settings import DrawnSource, PictureSource, TrainSettings, shared_path

CONFIGS = Path(__file__).parents[2] / "configs" / "train"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.name)
def test_every_config_reads_and_names_licences_and_held_out_places(path: Path) -> None:
    settings = read_settings(path, TrainSettings)
    assert all(s.licence for s in settings.sources if not isinstance(s, DrawnSource))
    held_out = {place.split("/")[0] for place in settings.held_out_places}
    of_source = {"dubai": "dubai", "scenes": "ucmerced", "guessed": "ucmerced", "drawn": "drawn"}
    for source in settings.sources:
        name = source.folder.name if source.kind == "drone" else of_source[source.kind]
        assert name in held_out, "each source is validated on places of its own"
        assert source.gsd_range_m[0] <= settings.gsd_m <= source.gsd_range_m[1]


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
