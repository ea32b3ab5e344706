"""Bad workbooks, layers, archives and KML files through the real command: one clear message, an untouched ledger."""

from __future__ import annotations

import os
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from shapely.geometry import Point, Polygon

from cvpipe.ledger import Workspace
from tests.ledger import samples
from tests.ledger.commands import Command
from tests.ledger.made_files import PLACE, kml, layer, packed, placemark, workbook

HEAD = ("code", "lon", "lat")
GOOD = ("GOOD", 116.2, 39.9)
FLAT = Polygon([(0, 0), (1, 1), (2, 2)])

LAUGHS = """<!DOCTYPE kml [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;">]>"""


def _bomb(path: Path) -> Path:
    """A workbook with a part that unfolds to 100 MB."""
    workbook(path, HEAD, GOOD)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image.bin", bytes(100_000_000))
    return path


def _laughing_workbook(path: Path) -> Path:
    """A workbook whose sheet declares entities."""
    plain = workbook(path.with_name("plain.xlsx"), HEAD, GOOD)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = LAUGHS.replace("kml", "worksheet").encode() + content
            new.writestr(name, content)
    return path


def _ole(path: Path, stream: str) -> Path:
    """The beginning of an OLE compound file, with the name of a stream in it."""
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + stream.encode("utf-16-le") + bytes(512))
    return path


def _cut_off(path: Path) -> Path:
    """A workbook that was copied by half."""
    whole = workbook(path, HEAD, GOOD).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def _two_sheets(path: Path) -> Path:
    """A workbook with two sheets of sites."""
    book = openpyxl.Workbook()
    for title in ("第一批", "第二批"):
        sheet = book.create_sheet(title)
        sheet.append(HEAD)
        sheet.append(GOOD)
    book.save(path)
    return path


def _error_cell(path: Path) -> Path:
    return workbook(path, (*HEAD, "land_area"), (*GOOD, "#REF!"))


def _shapefile(path: Path, **columns: list[object]) -> Path:
    return layer(path, columns or {"code": ["GOOD"]})


def _without(suffix: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        _shapefile(path)
        path.with_suffix(suffix).unlink()
        return path

    return make


def _wrong_prj(path: Path) -> Path:
    """Degrees beside the .prj of a projection."""
    other = layer(path.with_name("other.shp"), {"code": ["A"]}, crs="EPSG:32650")
    _shapefile(path)
    path.with_suffix(".prj").write_bytes(other.with_suffix(".prj").read_bytes())
    return path


def _unknown_cpg(path: Path) -> Path:
    _shapefile(path)
    path.with_suffix(".cpg").write_text("KLINGON")
    return path


def _hex_cpg(path: Path) -> Path:
    _shapefile(path)
    path.with_suffix(".cpg").write_text("hex")
    return path


def _wrong_cpg(path: Path) -> Path:
    layer(path, {"code": ["GOOD"], "name": ["北院"]}, encoding="GBK")
    path.with_suffix(".cpg").write_text("UTF-8")
    return path


def _two_layers(path: Path) -> Path:
    layer(path, {"code": ["GOOD"]}, layer="a")
    return layer(path, {"code": ["GOOD"]}, layer="b", append=True)


def _no_crs(path: Path) -> Path:
    return layer(path, {"code": ["GOOD"]}, crs=None)


def _broken_blob(path: Path) -> Path:
    """A layer in which one geometry is rubbish."""
    layer(path, {"code": ["GOOD", "BAD"]}, [PLACE, PLACE], layer="sites", layer_options={"SPATIAL_INDEX": "NO"})
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER IF EXISTS trigger_insert_feature_count_sites")
        header = struct.pack("<2sBBi", b"GP", 0, 1, 4326)
        connection.execute("UPDATE sites SET geom = ? WHERE fid = 2", (header + b"\x01\x11\x00\x00\x00rubbish",))
    connection.close()
    return path


def _zip(path: Path) -> Path:
    return packed(path, [workbook(path.with_name("a.xlsx"), HEAD, GOOD)])


def _two_shapefiles(path: Path) -> Path:
    made = [layer(path.with_name(name), {"code": ["GOOD"]}) for name in ("a.shp", "b.shp")]
    return packed(path, [part for shp in made for part in shp.parent.glob(f"{shp.stem}.*")])


def _encrypted_zip(path: Path) -> Path:
    """An archive whose members are marked as encrypted."""
    shp = _shapefile(path.with_name("a.shp"))
    raw = bytearray(packed(path, sorted(shp.parent.glob("a.*"))).read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := raw.find(mark, start + 1)) >= 0:
            raw[start + at] |= 1
    path.write_bytes(bytes(raw))
    return path


def _utf16(path: Path) -> Path:
    path.write_bytes(b"\xff\xfe" + "code,lon,lat\nA,1".encode("utf-16-le") + b"\xd8")
    return path


def _text(content: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_text(content, encoding="utf-8")
        return path

    return make


#: Name of the file, what makes it, what the message says of it.
BAD: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "zip bomb": ("x.xlsx", _bomb, "would unfold from"),
    "entities in a workbook": ("x.xlsx", _laughing_workbook, "no workbook that can be read (EntitiesForbidden"),
    "password": ("x.xlsx", lambda p: _ole(p, "EncryptedPackage"), "locked by a password"),
    "xls in disguise": ("x.xlsx", lambda p: _ole(p, "Workbook"), "an Excel file of before 2007"),
    "xls": ("x.xls", lambda p: _ole(p, "Workbook"), "Save it as .xlsx"),
    "cut off": ("x.xlsx", _cut_off, "no whole zip archive"),
    "text as workbook": ("x.xlsx", _text("code,lon,lat\n"), "no whole zip archive"),
    "zip as workbook": ("x.xlsx", _zip, "no workbook that can be read"),
    "empty sheet": ("x.xlsx", lambda p: workbook(p), "no row of headings"),
    "headings only": ("x.xlsx", lambda p: workbook(p, HEAD), "holds no sites"),
    "two sheets": ("x.xlsx", _two_sheets, "Name one with --sheet"),
    "never calculated": ("x.xlsx", lambda p: workbook(p, (*HEAD, "land_area"), (*GOOD, "=1+1")), "D2 holds a formula"),
    "merged": (
        "x.xlsx",
        lambda p: workbook(p, (*HEAD, "街道"), (*GOOD, "八角"), ("B", 1, 2, None), merged=["D2:D3"]),
        "row 3 (B): the cells D2:D3 are merged",
    ),
    "error cell": ("x.xlsx", _error_cell, "error of the spreadsheet (D2: #REF!)"),
    "code as date": ("x.xlsx", lambda p: workbook(p, HEAD, (date(2016, 8, 1), 1, 2)), "is a date, no text"),
    "code beyond floats": ("x.xlsx", lambda p: workbook(p, HEAD, (12345678901234567e3, 1, 2)), "lost its last digits"),
    "no code": ("x.xlsx", lambda p: workbook(p, HEAD, GOOD, ("", 1, 2)), "row 3: it has no code"),
    "totals": ("x.xlsx", lambda p: workbook(p, (*HEAD, "land"), (*GOOD, 1), ("", None, None, 1)), "it has no code"),
    "no .shx": ("x.shp", _without(".shx"), "the .shx file beside it is missing"),
    "no .dbf": ("x.shp", _without(".dbf"), "the .dbf file beside it is missing"),
    "no .prj": ("x.shp", _without(".prj"), "the .prj file beside it is missing"),
    "wrong .prj": ("x.shp", _wrong_prj, "the coordinates are degrees"),
    "unknown .cpg": ("x.shp", _unknown_cpg, "'klingon', which is not known"),
    "wrong .cpg": ("x.shp", _wrong_cpg, "is not utf-8"),
    "no encoding in .cpg": ("x.shp", _hex_cpg, "'hex', which is not known"),
    "unit cut off": ("x.shp", lambda p: _shapefile(p, code=["A"], land_area_=[1.0]), "cut after 10 bytes and may mean"),
    "persons, cut off": ("x.shp", lambda p: _shapefile(p, code=["A"], owner_tele=["n"]), "about persons: owner_tele"),
    "null geometry": ("x.gpkg", lambda p: layer(p, {"code": ["A", "B"]}, [PLACE, None]), "it has no geometry"),
    "infinite": ("x.gpkg", lambda p: layer(p, {"code": ["A"]}, [Point(float("inf"), 1)]), "out of range"),
    "not a number": (
        "x.kml",
        lambda p: kml(p, placemark("A", "<Point><coordinates>nan,39.9</coordinates></Point>")),
        "a coordinate is no finite number",
    ),
    "flat polygon": ("x.gpkg", lambda p: layer(p, {"code": ["A"]}, [FLAT]), "nothing of it"),
    "two layers": ("x.gpkg", _two_layers, "Name one with --layer: a, b"),
    "no CRS": ("x.gpkg", _no_crs, "the coordinate system is not known"),
    "broken blob": ("x.gpkg", _broken_blob, "feature 2 (BAD): it has no geometry"),
    "no GeoPackage": ("x.gpkg", _text("SQLite"), "the file is no GeoPackage"),
    "SQLite only": ("x.gpkg", lambda p: _text("SQLite format 3\0" + "x" * 2000)(p), "GDAL cannot read the file"),
    "no shapefile inside": ("x.zip", _zip, "the archive holds no shapefile"),
    "two shapefiles inside": ("x.zip", _two_shapefiles, "the archive holds the shapefiles a, b"),
    "encrypted": ("x.zip", _encrypted_zip, "cannot be unpacked"),
    "no KML inside": ("x.kmz", _zip, "the archive holds no KML file"),
    "billion laughs": ("x.kml", lambda p: kml(p, placemark("&e;"), LAUGHS), "declares a document type"),
    "outside entity": (
        "x.kml",
        lambda p: kml(p, placemark("&x;"), '<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        "declares a document type",
    ),
    "not closed": ("x.kml", _text("<kml><Document>"), "broken KML"),
    "other XML": ("x.kml", _text("<gpx></gpx>"), "XML, but no KML"),
    "no coordinates": ("x.kml", lambda p: kml(p, placemark("A", "<Point/>")), "no list of longitude,latitude"),
    "track": ("x.kml", lambda p: kml(p, placemark("A", "<Track/>")), "a Track is neither point, line nor polygon"),
    "no code in KML": ("x.kml", lambda p: kml(p, "<Placemark><name>n</name></Placemark>"), "no column holds the"),
    "mixed kinds": (
        "x.kml",
        lambda p: kml(
            p,
            placemark("A", "<MultiGeometry><Point><coordinates>1,2</coordinates></Point><LineString><coordinates>1,2 "
                           "3,4</coordinates></LineString></MultiGeometry>"),
        ),
        "a GeometryCollection is neither",
    ),
    "half of UTF-16": ("x.csv", _utf16, "neither UTF-8 nor GBK"),
    "huge cell": ("x.csv", lambda p: _text("code,lon,lat\n" + "x" * 5_000_000)(p), "broken CSV (field larger than"),
    "attributes twice": ("x.csv", _text('code,lon,lat,attributes,其他属性\nA,1,2,{},{}\n'), "both mean attributes"),
    "attributes no object": ("x.csv", _text("code,lon,lat,attributes\nA,1,2,[1]\n"), "'[1]' is no JSON object"),
    "too many headings": ("x.csv", _text("code,lon,lat," + ",".join(map(str, range(3000))) + "\nA,1,2\n"), "3003"),
    "telephones": ("x.csv", _text("code,lon,lat,备用\nA,1,2,13812345678\nB,1,2,15987654321\n"), "备用 (2 of 2 cells"),
    "identity cards": ("x.csv", _text("code,lon,lat,备用\nA,1,2,11010519491231002X\n"), "resident identity card"),
    "e-mail": ("x.csv", _text("code,lon,lat,备用\nA,1,2,a.b@example.org\n"), "an e-mail address"),
    "no such day": ("x.csv", _text("code,lon,lat,due_date\nA,1,2,2017-02-31\n"), "is no date"),
    "line not a feature": ("x.geojsonl", _text('{"type": "Feature"\n'), "broken JSON at line 1"),
}  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One for all: no bad file changes it."""
    return Workspace.create(tmp_path_factory.mktemp("district") / "workspace")


@pytest.mark.parametrize(("name", "make", "message"), BAD.values(), ids=BAD)
def test_bad_file(
    workspace: Workspace, tmp_path: Path, command: Command, name: str, make: Callable[[Path], Path], message: str
) -> None:
    _refused(workspace, command, make(tmp_path / name), message)


def test_folder(workspace: Workspace, tmp_path: Path, command: Command) -> None:
    (tmp_path / "x.gdb").mkdir()
    _refused(workspace, command, tmp_path / "x.gdb", "a folder, no file")


def test_link_that_leads_round(workspace: Workspace, tmp_path: Path, command: Command) -> None:
    loop = tmp_path / "x.csv"
    loop.symlink_to(loop)
    _refused(workspace, command, loop, "a link that leads to no file")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_no_permission(workspace: Workspace, tmp_path: Path, command: Command) -> None:
    path = tmp_path / "x.csv"
    path.write_text("code,lon,lat\nA,1,2\n")
    path.chmod(0)
    _refused(workspace, command, path, "Look at it and its permissions")


def test_a_file_that_the_system_will_not_read(
    workspace: Workspace, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("code,lon,lat\nA,1,2\n")
    monkeypatch.setattr(Path, "read_bytes", _denied)
    told = command("sites", "import", path, "--workspace", workspace.folder)
    assert (told.code, "the file cannot be read (Permission denied)" in told.stderr) == (2, True)


def _denied(_: Path) -> bytes:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("crs", ["EPSG:999999", "Mars", ""])
def test_unknown_coordinate_system(workspace: Workspace, tmp_path: Path, command: Command, crs: str) -> None:
    path = _text("code,x,y\nA,1,2\n")(tmp_path / "x.csv")
    _refused(workspace, command, path, "is not known", "--crs", crs)


def test_wrong_coordinate_system(workspace: Workspace, tmp_path: Path, command: Command) -> None:
    path = layer(tmp_path / "x.gpkg", {"code": ["A"]}, [Point(116.2, 39.9)], crs="EPSG:4283")  # GDA94: Australia
    _refused(workspace, command, path, "no site lies where GDA94 is used")


def test_no_such_layer_or_sheet(workspace: Workspace, tmp_path: Path, command: Command) -> None:
    path = layer(tmp_path / "x.gpkg", {"code": ["A"]})
    _refused(workspace, command, path, "no layer 'nowhere'", "--layer", "nowhere")
    book = workbook(tmp_path / "x.xlsx", HEAD, GOOD)
    _refused(workspace, command, book, "The sheets are: sites", "--sheet", "nowhere")


def test_sql_in_a_name_is_a_name(tmp_path: Path, command: Command) -> None:
    workspace = Workspace.create(tmp_path / "own")
    name = "'); DROP TABLE sites; --"
    path = layer(tmp_path / "x.gpkg", {"code": [name], "name": [name], name: ["x"]})
    assert command("sites", "import", path, "--workspace", workspace.folder).code == 0
    with workspace.ledger() as ledger:
        (site,) = ledger.sites()
    assert (site.code, site.name, site.attributes) == (name, name, {name: "x"})


def _refused(workspace: Workspace, command: Command, path: Path, message: str, *words: str) -> None:
    """The command must refuse the file, and leave the ledger's bytes alone."""
    before = samples.file_hash(workspace.ledger_path)
    told = command("sites", "import", path, *words, "--workspace", workspace.folder)
    assert message in told.stderr
    assert told.code == 2
    assert "Traceback" not in told.stderr
    assert told.stdout == ""
    assert samples.file_hash(workspace.ledger_path) == before
