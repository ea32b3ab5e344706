"""Settings are read strictly: what is unknown, missing or of the wrong kind is named, with its file and key."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from cvpipe import settings
from cvpipe.errors import SettingsError
from cvpipe.settings import Settings, WorkspaceSettings, parse_settings, read_settings


class Inner(Settings):
    weight: float = Field(gt=0)


class Outer(Settings):
    name: str = "unnamed"
    parts: tuple[Inner, ...] = ()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def test_a_file_is_read(file: Path) -> None:
    file.write_text("name: 示范区  # a comment\nparts: [{weight: 2}, {weight: 0.5}]\n", encoding="utf-8")
    assert read_settings(file, Outer) == Outer(name="示范区", parts=(Inner(weight=2), Inner(weight=0.5)))


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "{}"])
def test_an_empty_file_means_the_defaults(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    assert read_settings(file, Outer) == Outer()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nmae: x", r"key 'nmae': Extra inputs are not permitted \(found 'x'\)"),
        ("name: [1]", r"key 'name': .*valid string \(found \[1\]\)"),
        ("parts: [{weight: 1}, {weight: -3}]", r"key 'parts.1.weight': .*greater than 0 \(found -3\)"),
        ("parts: [{}]", r"key 'parts.0.weight': Field required"),
        ("- a list", r"key '\(top level\)'"),
        ("name: [unclosed", "not readable as YAML"),
    ],
)
def test_what_is_wrong_is_named(file: Path, text: str, message: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=message) as caught:
        read_settings(file, Outer)
    assert caught.value.where == str(file)
    assert caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_missing_file_is_named(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings.yaml: no such settings file"):
        read_settings(file, Outer)


def test_a_folder_and_a_picture_are_no_settings(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b"\x89PNG\xff\x00")
    for path in (tmp_path, file):
        with pytest.raises(SettingsError, match="not readable as YAML"):
            read_settings(path, Outer)


def test_yaml_cannot_make_objects(file: Path) -> None:
    file.write_text("name: !!python/object/apply:os.getcwd []", encoding="utf-8")
    with pytest.raises(SettingsError, match="not readable as YAML"):
        read_settings(file, Outer)


def test_settings_do_not_change_after_they_are_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Outer().name = "other"


def test_plain_data_names_its_origin() -> None:
    with pytest.raises(SettingsError, match=r"^item\.json: key 'device'"):
        parse_settings({"device": "tpu"}, WorkspaceSettings, where="item.json")


@pytest.mark.parametrize("margin", [-1, float("inf"), float("nan")])
def test_a_margin_that_is_no_distance_is_refused(margin: float) -> None:
    with pytest.raises(SettingsError, match="key 'margin_m'"):
        parse_settings({"margin_m": margin}, WorkspaceSettings, where="cvpipe.yaml")


def test_the_day_is_that_of_the_district(monkeypatch: pytest.MonkeyPatch) -> None:
    """At five in the afternoon in London the next day has begun in Shanghai."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime(2017, 6, 30, 17, tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr(settings, "datetime", Clock)
    assert WorkspaceSettings().today() == date(2017, 6, 30)
    assert WorkspaceSettings(time_zone="Asia/Shanghai").today() == date(2017, 7, 1)


def test_a_time_zone_that_there_is_not_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"time_zone.*no such time zone"):
        parse_settings({"time_zone": "Atlantis/Capital"}, WorkspaceSettings, where="cvpipe.yaml")
