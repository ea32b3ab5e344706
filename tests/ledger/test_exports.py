"""`cvpipe sites export`: what other programs find in the files, and that an import of them changes nothing."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyogrio.raw
import pytest
import shapely
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box

from cvpipe.domain import Plan, Site, SiteStatus
from cvpipe.ledger import Workspace, read_sites, write_sites
from tests.ledger import samples
from tests.ledger.commands import Command
from tests.ledger.samples import FULL_SITE, site

LOSSLESS = (".geojson", ".gpkg", ".kml", ".csv", ".xlsx")

#: Words that spreadsheets would run, and an outline that no cell of theirs holds.
FORMULA = site(
    "=SUM(A1)", name="@here", community="+1", sub_district="-1", attributes={"=cmd": "=1+1", "备注": "'=x\nsecond line"}
)
CIRCLE = site("circle", geometry=Point(116.3, 39.9).buffer(0.01, quad_segs=700), status=SiteStatus.CLOSED)
RULED = site(
    "ruled",
    geometry=LineString([(116.1, 39.9), (116.2, 39.8)]),
    plan=replace(Plan(), rules={"clearance": {"max_rubble_m2": 5}}),
)
SITES = [FULL_SITE, FORMULA, CIRCLE, RULED]


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a row of everything, and some awkward sites; one for all, since no test writes into it."""
    workspace = Workspace.create(tmp_path_factory.mktemp("district") / "workspace")
    with workspace.ledger() as ledger:
        samples.fill(ledger)
        ledger.put_sites(SITES[1:], source="test")
    return workspace


@pytest.fixture
def export(command: Command, district: Workspace, tmp_path: Path) -> Any:
    """`cvpipe sites export`, as `export("x.csv", "--lang", "zh")`; gives the path."""

    def run(name: str, *words: str) -> Path:
        told = command("sites", "export", tmp_path / name, *words, "--workspace", district.folder)
        assert told.code == 0, told.stderr
        return tmp_path / name

    return run


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_an_import_of_an_export_changes_nothing(
    export: Any, command: Command, district: Workspace, suffix: str, language: str
) -> None:
    path = export(f"x{suffix}", "--lang", language)
    told = command("sites", "import", path, "--json", "--workspace", district.folder)
    assert told.code == 0, told.stderr
    summary = json.loads(told.stdout)
    assert (summary["added"], summary["changed"], summary["refused"]) == ([], [], [])
    assert len(summary["unchanged"]) == 5


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_an_empty_ledger_takes_everything(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    write_sites(SITES, path)
    assert read_sites(path).sites == SITES


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".shp"])
def test_no_sites(tmp_path: Path, suffix: str) -> None:
    written = write_sites([], tmp_path / f"x{suffix}")
    assert written.rows == 0
    assert (tmp_path / f"x{suffix}").is_file()


def test_workbook_for_people(export: Any) -> None:
    book: Any = openpyxl.load_workbook(export("x.xlsx", "--lang", "zh"))
    sheet, legend = book["sites"], book["说明"]
    head = [cell.value for cell in sheet[1]]
    row = dict(zip(head, sheet[_row_of(sheet, "SJS-001")], strict=True))
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", f"A1:{sheet.cell(6, len(head)).coordinate}")
    assert (row["完成时限"].is_date, row["完成时限"].number_format) == (True, "yyyy-mm-dd")
    assert (row["占地面积(平方米)"].value, row["状态"].value) == (2000 / 3, "整治中")
    assert ["占地面积(平方米)", "m²", "登记的占地面积"] in [[cell.value for cell in line] for line in legend.rows]


def test_formulas_are_texts(export: Any) -> None:
    sheet = openpyxl.load_workbook(export("x.xlsx"))["sites"]
    assert all(cell.data_type != "f" for row in sheet.rows for cell in row)
    cell = sheet.cell(_row_of(sheet, "=SUM(A1)"), 1)
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    lines = export("x.csv").read_text(encoding="utf-8-sig").splitlines()
    assert any(line.startswith("'=SUM(A1),'@here,'-1,'+1,") for line in lines)
    assert "'=cmd" in lines[0]


def _row_of(sheet: Any, code: str) -> int:
    return next(row for row in range(1, sheet.max_row + 1) if sheet.cell(row, 1).value == code)


def test_numbers_keep_their_last_digit(tmp_path: Path) -> None:
    numbers = [0.1 + 0.2, 1 / 3, 2000 / 3, 1e-300, 123456789.12345679]
    sites = [site(str(number), land=number) for number in numbers]
    write_sites(sites, tmp_path / "x.xlsx")
    assert [one.land_area_m2 for one in read_sites(tmp_path / "x.xlsx").sites] == numbers


def test_layer_for_a_gis(command: Command, district: Workspace, tmp_path: Path) -> None:
    settled, path = tmp_path / "workspace", tmp_path / "x.gpkg"
    shutil.copytree(district.folder, settled)
    command("claims", "--workspace", settled)  # which settles where sites were seen to stand
    command("sites", "export", path, "--workspace", settled)
    meta, _, wkb, data = pyogrio.raw.read(path, layer="sites")
    columns = dict(zip(meta["fields"], data, strict=True))
    assert (meta["crs"], meta["geometry_type"]) == ("EPSG:4326", "Unknown")
    assert columns["due_date"].dtype == np.dtype("datetime64[D]")
    assert columns["observed_status"].tolist().count("demolished") == 1
    assert shapely.from_wkb(wkb[columns["code"].tolist().index("SJS-001")]) == FULL_SITE.geometry


def test_shapefiles_by_shape(command: Command, district: Workspace, tmp_path: Path) -> None:
    told = command("sites", "export", tmp_path / "x.shp", "--encoding", "gbk", "--workspace", district.folder)
    assert told.code == 0, told.stderr
    assert {p.name for p in tmp_path.glob("*.shp")} == {"x_lines.shp", "x_polygons.shp"}
    assert (tmp_path / "x_lines.cpg").read_text() == "GBK"
    assert "one shapefile for each shape: polygons, lines" in told.stderr
    assert "retained: 1 cells are longer than 254 bytes and were left out" in told.stderr
    read = read_sites(tmp_path / "x_polygons.shp")
    back = {one.code: one for one in read.sites}
    full = back["SJS-001"]
    assert (full.name, full.sub_district, full.plan.due_date) == (
        FULL_SITE.name, FULL_SITE.sub_district, FULL_SITE.plan.due_date,
    )  # fmt: skip
    assert full.land_area_m2 == pytest.approx(2000 / 3)
    assert full.geometry.equals(FULL_SITE.geometry)
    assert {c.field for c in read.columns} >= {"land_area_m2", "green_ratio", "work_started", "owner_system"}


def test_points_and_multipoints(tmp_path: Path) -> None:
    write_sites([site("A", geometry=Point(1, 2)), site("B", geometry=MultiPoint([(1, 2), (3, 4)]))], tmp_path / "x.shp")
    assert {p.name for p in tmp_path.glob("*.shp")} == {"x_points.shp", "x_multipoints.shp"}


@pytest.mark.parametrize("suffix", [".csv", ".shp"])
def test_what_gbk_has_not(command: Command, workspace: Workspace, tmp_path: Path, suffix: str) -> None:
    with workspace.ledger() as ledger:
        ledger.put_sites([site("A", name="😀")], source="test")
    told = command("sites", "export", tmp_path / f"x{suffix}", "--encoding", "gbk", "--workspace", workspace.folder)
    assert (told.code, "GBK has no sign for '😀' (U+1F600)" in told.stderr) == (2, True)
    assert list(tmp_path.glob("x*")) == []


def test_filters(export: Any) -> None:
    by_street = read_sites(export("a.csv", "--sub-district", "八角街道"))
    assert [one.code for one in by_street.sites] == ["SJS-001"]
    by_status = read_sites(export("b.csv", "--status", "closed", "--status", "in_progress"))
    assert [one.code for one in by_status.sites] == ["SJS-001", "circle"]
    by_owner = read_sites(export("c.csv", "--owner-system", "集体经济"))
    assert [one.code for one in by_owner.sites] == ["SJS-001"]


def test_changes_with_monitoring_codes(export: Any) -> None:
    features = json.loads(export("x.geojson", "--what", "changes").read_text(encoding="utf-8"))["features"]
    told = [
        (f["properties"]["kind"], f["properties"].get("code_from"), f["properties"].get("code_to")) for f in features
    ]
    assert told == [("structure_removed", "20", None), ("green_added", None, "LD")]
    assert features[0]["properties"]["after"] == "2017-07-01"
    meta, _, _, data = pyogrio.raw.read(export("x.gpkg", "--what", "changes", "--lang", "zh"), layer="changes")
    assert dict(zip(meta["fields"], data, strict=True))["图斑类型"].tolist() == ["建筑拆除", "绿化新增"]


def test_qgis_finds_how_to_draw_areas(export: Any, tmp_path: Path) -> None:
    changes = drawn_by(export("x.gpkg", "--what", "changes", "--lang", "zh"), "changes")
    assert changes == {"图斑类型": ["建筑拆除", "建筑新增", "绿化新增", "绿化减少"]}
    write_sites([site("A"), site("B")], tmp_path / "areas.gpkg")
    sites = drawn_by(tmp_path / "areas.gpkg", "sites")
    assert sites == {"status": list(SiteStatus), "observed_status": list(SiteStatus)}
    assert pyogrio.read_info(tmp_path / "areas.gpkg", layer="sites")["geometry_type"] == "Polygon"
    write_sites([site("A"), RULED], tmp_path / "mixed.gpkg")
    assert [str(name) for name, _ in pyogrio.list_layers(tmp_path / "mixed.gpkg")] == ["sites"]


def drawn_by(path: Path, layer: str) -> dict[str, list[str | None]]:
    """The columns that a layer's styles go by, the default first, and the values that have a colour."""
    meta, _, _, data = pyogrio.raw.read(path, layer="layer_styles", read_geometry=False)
    columns = dict(zip(meta["fields"], data, strict=True))
    assert set(columns["f_table_name"]) == {layer}
    assert set(columns["f_geometry_column"]) == {"geom"}
    renderers = [ET.fromstring(text).find("renderer-v2") for text in columns["styleQML"]]
    return {
        str(one.get("attr")): [category.get("value") for category in one.findall("categories/category")]
        for one in renderers
        if one is not None
    }


def test_surfaces_with_monitoring_codes(export: Any) -> None:
    sheet = openpyxl.load_workbook(export("x.xlsx", "--what", "surfaces"))["surfaces"]
    rows = [[cell.value for cell in row][:5] for row in sheet.rows]
    assert rows[1:] == [
        ["SJS-001", "structure", "20", 400.25, 0],
        ["SJS-001", "rubble", "WL", 0, 1 / 3],
        ["SJS-001", "vegetation", "LD", 0, 12],
        ["SJS-001", "no_data", None, 0, 0],
    ]


def test_a_file_that_is_there_stays(command: Command, district: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("mine")
    call = ("sites", "export", path, "--workspace", district.folder)
    assert (command(*call).code, path.read_text()) == (2, "mine")
    assert command(*call, "--force").code == 0
    assert path.read_text(encoding="utf-8-sig").startswith("code,")


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("x.docx", (), "no format has the suffix '.docx'"),
        ("x", (), "no format has the suffix ''"),
        ("x.kml", ("--encoding", "gbk"), "always in UTF-8"),
        ("x.csv", ("--status", "gone"), "no status is called 'gone'"),
        ("nowhere/x.csv", (), "cannot be written"),
    ],
)
def test_refused_exports(
    command: Command, district: Workspace, tmp_path: Path, name: str, words: tuple[str, ...], message: str
) -> None:
    told = command("sites", "export", tmp_path / name, *words, "--workspace", district.folder)
    assert (told.code, told.stdout) == (2, "")
    assert message in told.stderr


def test_the_ledger_is_no_export(command: Command, district: Workspace) -> None:
    before = samples.file_hash(district.ledger_path)
    told = command("sites", "export", district.ledger_path, "--force", "--workspace", district.folder)
    assert (told.code, "that is the ledger itself" in told.stderr) == (2, True)
    assert samples.file_hash(district.ledger_path) == before


def test_nothing_half_written(
    command: Command, district: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvpipe.ledger.exchange.tables.wkt", _full_disk)
    told = command("sites", "export", tmp_path / "x.csv", "--workspace", district.folder)
    assert (told.code, "No space left" in told.stderr) == (2, True)
    assert list(tmp_path.glob("*x.csv")) == list(tmp_path.glob(".export-*")) == []


def _full_disk(_: object) -> str:
    raise OSError(28, "No space left on device")


def test_a_ledger_is_a_file_of_sites(command: Command, district: Workspace, tmp_path: Path) -> None:
    other = Workspace.create(tmp_path / "other")
    call = ("sites", "import", district.ledger_path, "--layer", "sites", "--json")
    told = command(*call, "--workspace", other.folder)
    assert told.code == 0, told.stderr
    with district.ledger() as ledger, other.ledger() as copy:
        assert copy.sites() == ledger.sites()


def test_report_of_each_row(command: Command, workspace: Workspace, tmp_path: Path) -> None:
    path, report = tmp_path / "x.csv", tmp_path / "report.csv"
    path.write_text("code,lon,lat\nA,116,39\nB,1,\n=C,116,39\n")
    call = ("sites", "import", path, "--report", report, "--workspace", workspace.folder)
    assert command(*call).code == 2
    lines = report.read_text(encoding="utf-8-sig").splitlines()
    assert lines[1:] == [
        "row 2,A,not written,other rows are refused", "row 4,'=C,not written,other rows are refused",
        "row 3,B,refused,it has no geometry",
    ]  # fmt: skip
    assert command(*call, "--skip-bad").code == 0
    assert report.read_text(encoding="utf-8-sig").splitlines()[1] == "row 2,A,added,"
    path.write_text("code,lon,lat,name\nA,116,39,n\n")
    told = command(*call, "--json")
    assert json.loads(told.stdout)["rows"] == [{"row": "row 2", "code": "A", "result": "changed", "reason": "name"}]


def test_no_folder_for_the_report_is_told_before_the_import(
    command: Command, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("code,lon,lat\nA,116,39\n")
    told = command("sites", "import", path, "--report", tmp_path / "no" / "r.csv", "--workspace", workspace.folder)
    assert (told.code, "there is no such folder" in told.stderr) == (2, True)
    with workspace.ledger() as ledger:
        assert ledger.sites() == []


def test_a_point_instead_of_an_outline_is_told(command: Command, workspace: Workspace, tmp_path: Path) -> None:
    with workspace.ledger() as ledger:
        ledger.put_sites(
            [site("A", geometry=box(116.2, 39.9, 116.21, 39.91)), site("B", geometry=Point(116.2, 39.9))], source="test"
        )
    path = tmp_path / "x.csv"
    path.write_text("code,lon,lat\nA,116.205,39.905\nB,116.2,39.9\n")
    told = command("sites", "import", path, "--dry-run", "--workspace", workspace.folder)
    assert told.code == 0
    assert "notice: row 2 (A): a Point takes the place of its Polygon" in told.stderr
    assert "(B)" not in told.stderr


def test_preview(command: Command, workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("编号,经度,纬度,占地面积(亩),备注\nA,116,39,3,近铁路\n", encoding="gbk")
    told = command("sites", "import", path, "--dry-run", "--workspace", workspace.folder)
    assert told.code == 0
    for words in (("占地面积(亩)", "land_area_m2", "亩", "3"), ("备注", "attribute", "近铁路"), ("经度", "lon")):
        line = next(line for line in told.stdout.splitlines() if words[0] in line)
        assert all(word in line for word in words)
    with workspace.ledger() as ledger:
        assert ledger.sites() == []


def test_attributes_of_mixed_kinds_stay_what_they_are(tmp_path: Path) -> None:
    sites = [site("A", attributes={"n": 1, "t": True}), site("B", attributes={"n": "1", "t": False})]
    for suffix in LOSSLESS:
        write_sites(sites, tmp_path / f"x{suffix}")
        back = read_sites(tmp_path / f"x{suffix}").sites
        told, kept = (json.dumps([one.attributes for one in some], sort_keys=True) for some in (back, sites))
        assert told == kept, suffix


def test_kinds_of_columns(tmp_path: Path) -> None:
    plain: list[Site] = [site("A", attributes={"层数": 2, "率": 0.5, "在册": True, "备注": "x"}), site("B")]
    write_sites(plain, tmp_path / "x.gpkg")
    meta = pyogrio.read_info(tmp_path / "x.gpkg", layer="sites")
    kinds = dict(zip(meta["fields"], meta["dtypes"], strict=True))
    assert [kinds[name] for name in ("层数", "率", "在册", "备注")] == ["int64", "float64", "bool", "object"]


def test_polygons_keep_their_rings(tmp_path: Path) -> None:
    backwards = Polygon([(0, 0), (0, 3), (3, 3), (3, 0)], [box(1, 1, 2, 2).exterior.coords])
    for suffix in LOSSLESS:
        write_sites([site("A", geometry=backwards)], tmp_path / f"x{suffix}")
        assert read_sites(tmp_path / f"x{suffix}").sites[0].geometry.wkb == backwards.wkb
