"""Bad files through the real command: exit code 2, one clear message, and a ledger that stays as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cvpipe.ledger import Workspace
from tests.ledger import samples
from tests.ledger.commands import Command

POINT = '{"type": "Point", "coordinates": [116.2, 39.9]}'


def collection(*features: str, members: str = "") -> bytes:
    """A FeatureCollection out of raw features."""
    return f'{{"type": "FeatureCollection", {members} "features": [{", ".join(features)}]}}'.encode()


def feature(geometry: str = POINT, properties: str = '{"code": "A"}') -> str:
    """A raw GeoJSON feature."""
    return f'{{"type": "Feature", "properties": {properties}, "geometry": {geometry}}}'


GOOD = feature(properties='{"code": "GOOD"}')

#: Files that cannot be used at all: suffix, content, what the message says.
BAD_FILES = {
    "shapes alone": ("shp", b"x", "the .shx file beside it is missing"),
    "unknown suffix": ("docx", b"x", "a .docx file is not read"),
    "nothing at all": ("geojson", b"", "the file is empty (0 bytes)"),
    "blank": ("geojson", b" ", "broken JSON at line 1, column"),
    "broken JSON": ("geojson", collection(GOOD)[:-5], "broken JSON at line 1, column"),
    "JSON with NaN": ("geojson", collection(feature(properties='{"code": NaN}')), "NaN is no JSON"),
    "deeply nested": ("geojson", b"[" * 100_000, "cannot be read"),
    "single feature": ("geojson", GOOD.encode(), "no GeoJSON FeatureCollection"),
    "a list": ("json", b"[]", "no GeoJSON FeatureCollection"),
    "no features": ("geojson", b'{"type": "FeatureCollection"}', "no list of features"),
    "nothing in it": ("geojson", collection(), "holds no sites"),
    "unknown CRS": ("geojson", collection(GOOD, members='"crs": {"type": "X"},'), "coordinate system"),
    "no encoding": ("csv", b"code,lon,lat\nA,\xff\xff,\x80\n", "neither UTF-8 nor GBK"),
    "no headings": ("csv", b"\n\n", "no row of headings"),
    "headings only": ("csv", b"code,lon,lat\n", "holds no sites"),
    "no code": ("csv", b"name,lon,lat\nA,1,2\n", "no column holds the sites' codes"),
    "no place": ("csv", b"code,name,lon\nA,x,2\n", "no column says where"),
    "heading twice": ("csv", b"code,code,lon,lat\nA,B,1,2\n", "'code' stands twice"),
    "field twice": ("csv", "code,编号,lon,lat\nA,B,1,2\n".encode(), "code and 编号 both mean code"),
    "unknown unit": ("csv", "code,lon,lat,占地面积(顷)\nA,1,2,3\n".encode(), "unit '顷' is not known"),
    "persons": ("csv", "code,lon,lat,户主\nA,1,2,x\n".encode(), "--drop-personal"),
    "broken CSV": ("csv", b"code,lon,lat\nA,1,2\rB,3\x004\n", "row"),
}  # fmt: skip

#: Rows that cannot become sites: a bad one beside a good one, and what the message says of it.
BAD_FEATURES = {
    "no feature": ("[]", "feature 2: it is no GeoJSON Feature"),
    "properties no object": (feature(properties="[1]"), "its properties are no object"),
    "no code": (feature(properties='{"name": "x"}'), "feature 2: it has no code"),
    "blank code": (feature(properties='{"code": "  "}'), "it has no code"),
    "code no text": (feature(properties='{"code": [1]}'), "code: [1] is no text"),
    "duplicate code": (GOOD, "the code 'GOOD' stands in 2 rows"),
    "no geometry": (feature("null"), "feature 2 (A): it has no geometry"),
    "empty geometry": (feature('{"type": "Polygon", "coordinates": []}'), "the geometry is empty"),
    "unknown geometry": (feature('{"type": "Circle", "coordinates": [1, 2]}'), "the geometry cannot be read"),
    "no numbers": (feature('{"type": "Point", "coordinates": ["a", "b"]}'), "the geometry cannot be read"),
    "short ring": (feature('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}'), "the geometry cannot be read"),
    "no area": (feature('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]}'), "nothing of it"),
    "collection": (feature('{"type": "GeometryCollection", "geometries": [' + POINT + "]}"), "neither point, line nor"),
    "swapped": (feature('{"type": "Point", "coordinates": [39.9, 116.2]}'), "look swapped"),
    "projected": (feature('{"type": "Point", "coordinates": [431617, 4417096]}'), "look projected"),
    "bad date": (feature(properties='{"code": "A", "due_date": "06-30"}'), "'06-30' is no date with"),
    "day or month first": (feature(properties='{"code": "A", "due_date": "05/06/2017"}'), "day first or month first"),
    "far future": (feature(properties='{"code": "A", "due_date": "9999-12-31"}'), "9999-12-31 lies outside"),
    "huge number": (feature(properties='{"code": "A", "land_area": 1' + "0" * 400 + "}"), "is no finite number"),
    "long name": (feature(properties='{"code": "A", "name": "' + "x" * 2000 + '"}'), "has 2000 characters"),
    "control characters": (feature(properties='{"code": "A", "name": "a\\u0007b"}'), "cannot be printed"),
    "own CRS": (GOOD.replace("{", '{"crs": {"type": "x"}, ', 1), "it names a coordinate system of its own"),
    "mixed CRS": (feature('{"type": "Point", "coordinates": [39431617, 4417096]}'), "look projected"),
    "telephone in a remark": (feature(properties='{"code": "A", "note": "找他 13812345678"}'), "persons: note (1"),
    "telephone deep inside": (feature(properties='{"code": "A", "x": [{"y": "13812345678"}]}'), "persons: x (1 of"),
    "personal key inside": (feature(properties='{"code": "A", "x": {"owner_name": "n"}}'), "about a person"),
    "no such day": (feature(properties='{"code": "A", "due_date": "2017-02-30"}'), "'2017-02-30' is no date"),
    "bad number": (feature(properties='{"code": "A", "land_area": "12 or so"}'), "'12 or so' is no number"),
    "decimal comma": (feature(properties='{"code": "A", "land_area": "12,5"}'), "'12,5' is no number"),
    "negative": (feature(properties='{"code": "A", "land_area": -1}'), "-1 is no finite number from 0 on"),
    "infinite": (feature(properties='{"code": "A", "land_area": 1e999}'), "inf is no finite number"),
    "truth value": (feature(properties='{"code": "A", "land_area": true}'), "True is no number"),
    "ratio above one": (feature(properties='{"code": "A", "green_ratio": 30}'), "30 is more than the whole"),
    "unknown status": (feature(properties='{"code": "A", "status": "gone"}'), "'gone' is no status; there are"),
    "bad retained": (feature(properties='{"code": "A", "retained": "here"}'), "retained: the geometry cannot be read"),
    "half a character": (feature(properties='{"code": "A", "name": "\\ud800"}'), "characters that cannot be printed"),
    "half a character further": (feature(properties='{"code": "A", "x": "\\ud800"}'), "cannot be kept"),
    "infinite further": (feature(properties='{"code": "A", "x": [1e999]}'), "cannot be kept"),
}  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One for all: no bad file changes it."""
    return Workspace.create(tmp_path_factory.mktemp("district") / "workspace")


@pytest.mark.parametrize(("suffix", "content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file(
    workspace: Workspace, tmp_path: Path, command: Command, suffix: str, content: bytes, message: str
) -> None:
    path = tmp_path / f"sites.{suffix}"
    path.write_bytes(content)
    _refused(workspace, command, path, message)


@pytest.mark.parametrize(("bad", "message"), BAD_FEATURES.values(), ids=BAD_FEATURES)
def test_bad_feature(workspace: Workspace, tmp_path: Path, command: Command, bad: str, message: str) -> None:
    path = tmp_path / "sites.geojson"
    path.write_bytes(collection(GOOD, bad))
    _refused(workspace, command, path, message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A,,39.9", "row 3 (A): it has no geometry"),
        ("A,39.9,116.2", "look swapped"),
        ("A,x,39.9", "lon: 'x' is no number"),
        ("A,116.2,39.9,more", "it has cells under no heading"),
    ],
)
def test_bad_line(workspace: Workspace, tmp_path: Path, command: Command, line: str, message: str) -> None:
    path = tmp_path / "sites.csv"
    path.write_text(f"code,lon,lat\nGOOD,116.2,39.9\n{line}\n")
    _refused(workspace, command, path, message)


def test_missing_file(workspace: Workspace, tmp_path: Path, command: Command) -> None:
    _refused(workspace, command, tmp_path / "nowhere.geojson", "no such file")


def test_everything_wrong_with_a_row_is_told_at_once(workspace: Workspace, tmp_path: Path, command: Command) -> None:
    path = tmp_path / "sites.geojson"
    path.write_bytes(collection(GOOD, feature("null", '{"code": "A", "due_date": "x", "land_area": "y"}')))
    told = command("sites", "import", path, "--workspace", workspace.folder)
    assert told.stderr.count("refused: feature 2 (A)") == 3
    assert "1 of 2 rows are refused" in told.stderr


def test_a_place_that_cannot_be_read_is_told_once(workspace: Workspace, tmp_path: Path, command: Command) -> None:
    path = tmp_path / "sites.csv"
    path.write_text('code,"lon\n(°)",lat\nA,116°13′,39.9\nB,116.2,\n', encoding="utf-8")
    told = command("sites", "import", path, "--workspace", workspace.folder)
    refused = [line for line in told.stderr.splitlines() if line.startswith("refused: ")]
    assert refused == ["refused: row 2 (A): lon (°): '116°13′' is no number", "refused: row 3 (B): it has no geometry"]


def test_bad_rows_are_skipped_when_asked(tmp_path: Path, command: Command) -> None:
    workspace = Workspace.create(tmp_path / "own")
    path = tmp_path / "sites.geojson"
    path.write_bytes(collection(GOOD, feature("null"), "[]"))
    told = command("sites", "import", path, "--skip-bad", "--json", "--workspace", workspace.folder)
    assert told.code == 0
    summary = json.loads(told.stdout)
    assert (summary["added"], len(summary["refused"])) == (["GOOD"], 2)
    with workspace.ledger() as ledger:
        assert [site.code for site in ledger.sites()] == ["GOOD"]


def _refused(workspace: Workspace, command: Command, path: Path, message: str) -> None:
    """The command must refuse the file, and leave the ledger's bytes alone."""
    before = samples.file_hash(workspace.ledger_path)
    told = command("sites", "import", path, "--workspace", workspace.folder)
    assert told.code == 2
    assert message in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stdout == ""
    assert samples.file_hash(workspace.ledger_path) == before
