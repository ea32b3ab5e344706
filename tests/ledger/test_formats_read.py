"""Files as districts and other programs make them, in each format: what is read from them, and what is said."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from cvpipe.errors import SettingsError, SitesError
from cvpipe.ledger import MapShift, SitesFile, read_sites
from tests.ledger.made_files import PLACE, kml, layer, packed, placemark, workbook

CONFIGS = Path(__file__).parents[2] / "configs"
HEAD = ("code", "lon", "lat")


def codes(read: SitesFile) -> list[str]:
    """The codes of a file without a refused row."""
    assert read.refused == []
    return [site.code for site in read.sites]


def sentences(read: SitesFile) -> str:
    """All that is said of a file."""
    return "\n".join(notice.sentence for notice in read.notices)


# Workbooks


def test_titles_above_the_headings(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "x.xlsx",
        ("某区专项行动台账",),
        (None, "单位：平方米"),
        ("编号", "名称", "经度", "纬度", "占地面积(亩)", "完成时限", "备注"),
        ("007", "北院", "116.2", 39.9, "1,500", datetime(2017, 6, 30), date(2016, 1, 2)),
        merged=["A1:G1"],
    )
    read = read_sites(path)
    (site,) = read.sites
    assert (site.code, site.geometry) == ("007", PLACE)
    assert site.land_area_m2 == pytest.approx(1_000_000)
    assert (site.plan.due_date, site.attributes) == (date(2017, 6, 30), {"备注": "2016-01-02"})
    assert "the headings are in row 3" in sentences(read)
    assert read.where == {"007": "row 4"}


def test_the_only_sheet_with_sites_is_taken(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("说明").append(["编号", "是什么"])
    sheet = book.create_sheet("台账")
    sheet.append(["编号", "经度", "纬度"])
    sheet.append(["A", 116.2, 39.9])
    book.save(tmp_path / "x.xlsx")
    assert codes(read_sites(tmp_path / "x.xlsx")) == ["A"]
    with pytest.raises(SitesError, match="the file holds no sites"):
        read_sites(tmp_path / "x.xlsx", layer="说明")


def test_formulas_count_with_their_last_values(tmp_path: Path) -> None:
    plain = workbook(tmp_path / "plain.xlsx", (*HEAD, "land_area"), ("A", 1, 2, 42))
    path = tmp_path / "x.xlsx"
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"<v>42</v>", b"<f>6*7</f><v>42</v>"))
    read = read_sites(path)
    assert read.sites[0].land_area_m2 == 42
    assert "column D holds 1 formulas; their last values count" in sentences(read)


@pytest.mark.parametrize("heading", ["绿化率", "绿化率(%)"])
def test_a_cell_shown_with_a_per_cent_sign(tmp_path: Path, heading: str) -> None:
    path = workbook(tmp_path / "x.xlsx", (*HEAD, heading), ("A", 1, 2, 0.3), ("B", 1, 3, 1))
    book = openpyxl.load_workbook(path)
    for cell in book.worksheets[0]["D"]:
        cell.number_format = "0.0%"
    book.save(path)
    assert [site.plan.green_ratio for site in read_sites(path).sites] == [0.3, 1.0]


def test_a_text_that_goes_on_in_the_next_column(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", ("code", "WKT", "WKT__2"), ("A", "POINT (116.2", " 39.9)"))
    assert read_sites(path).sites[0].geometry == PLACE


# Shapefiles


@pytest.mark.parametrize("encoding", ["GBK", "UTF-8"])
@pytest.mark.parametrize("with_cpg", [True, False])
def test_shapefile_in_chinese(tmp_path: Path, encoding: str, with_cpg: bool) -> None:
    path = layer(tmp_path / "x.shp", {"编号": ["一"], "名称": ["北院“甲”"], "备注": ["靠近铁路"]}, encoding=encoding)
    if not with_cpg:
        path.with_suffix(".cpg").unlink()
    (site,) = read_sites(path).sites
    assert (site.code, site.name, site.attributes) == ("一", "北院“甲”", {"备注": "靠近铁路"})


def test_names_of_ten_bytes(tmp_path: Path) -> None:
    columns = {
        "code": ["A"],
        "sub_distri": ["八角"],
        "owner_syst": ["集体"],
        "work_start": ["2016-08-31"],
        "own_remark": ["x"],
    }
    read = read_sites(layer(tmp_path / "x.shp", columns))
    (site,) = read.sites
    assert (site.sub_district, site.owner_system, site.plan.work_started) == ("八角", "集体", date(2016, 8, 31))
    assert site.attributes == {"own_remark": "x"}
    told = {column.heading: column.told_by for column in read.columns}
    assert told["sub_distri"] == "its name, cut after 10 bytes"


def test_a_unit_that_was_cut_off_is_stated(tmp_path: Path) -> None:
    path = layer(tmp_path / "x.shp", {"code": ["A"], "land_area_": [3.0]})
    read = read_sites(path, headings=CONFIGS / "headings.yaml")
    assert read.sites[0].land_area_m2 == pytest.approx(2000)


def test_zipped_shapefile(tmp_path: Path) -> None:
    for name in ("a", "b"):
        layer(tmp_path / f"{name}.shp", {"code": [name]})
    path = packed(tmp_path / "x.zip", sorted(tmp_path.iterdir()))
    assert codes(read_sites(path, layer="b")) == ["b"]


def test_crs_is_said_where_the_prj_is_missing(tmp_path: Path) -> None:
    path = layer(tmp_path / "x.shp", {"code": ["A"]}, [Point(500_000, 4_984_944.4 * 0.9996)], crs="EPSG:32650")
    path.with_suffix(".prj").unlink()
    (site,) = read_sites(path, crs="EPSG:32650").sites
    assert (site.geometry.x, site.geometry.y) == (pytest.approx(117), pytest.approx(45, abs=1e-6))


# GeoPackages


def test_layer_with_every_type(tmp_path: Path) -> None:
    path = layer(
        tmp_path / "x.gpkg",
        {
            "编号": ["A", "B"],
            "占地面积（公顷）": [0.5, float("nan")],
            "层数": [2, 3],
            "完成时限": ["2016/8/31", "31.08.2016"],
        },
        [box(116.1, 39.8, 116.2, 39.9), LineString([(116, 39), (117, 40)])],
        crs="EPSG:4490",
    )
    read = read_sites(path)
    first, second = read.sites
    assert (first.land_area_m2, second.land_area_m2) == (5000, None)
    assert first.plan.due_date == second.plan.due_date == date(2016, 8, 31)
    assert first.attributes == {"层数": 2}
    assert first.geometry == box(116.1, 39.8, 116.2, 39.9)
    assert "land_area_m2" not in read.stated["B"]


def test_one_layer_of_several(tmp_path: Path) -> None:
    path = layer(tmp_path / "x.gpkg", {"name": ["no code"]}, layer="streets")
    layer(path, {"code": ["A"]}, layer="sites", append=True)
    assert codes(read_sites(path)) == ["A"]


def test_heights_and_measures_are_left_out(tmp_path: Path) -> None:
    path = layer(tmp_path / "x.gpkg", {"code": ["A"]}, [Point(116.2, 39.9, 30)], geometry_type="Point Z")
    assert read_sites(path).sites[0].geometry == PLACE


# KML


def test_kml_folders_and_kinds_of_data(tmp_path: Path) -> None:
    ring = "<LinearRing><coordinates>0,0,5 1,0,5 1,1,5 0,0,5</coordinates></LinearRing>"
    area = f"<MultiGeometry><Polygon><outerBoundaryIs>{ring}</outerBoundaryIs></Polygon></MultiGeometry>"
    simple = '<ExtendedData><SchemaData><SimpleData name="编号">007</SimpleData></SchemaData></ExtendedData>'
    path = kml(
        tmp_path / "x.kml",
        f"<Folder><name>北区</name><Folder><name>一批</name><Placemark><name>北院</name>{simple}{area}</Placemark></Folder>"
        f"</Folder><Placemark><name>南院</name><ExtendedData><Data name='编号'><value>B</value></Data></ExtendedData>"
        "<Point><coordinates> 116.2, 39.9 </coordinates></Point></Placemark>",
    )
    first, second = read_sites(path).sites
    assert (first.code, first.name, first.attributes) == ("007", "北院", {"folder": "北区/一批"})
    assert first.geometry == MultiPolygon([Polygon([(0, 0), (1, 0), (1, 1)])])
    assert (second.code, second.name, second.geometry) == ("B", "南院", PLACE)


def test_kmz(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.kmz", [kml(tmp_path / "doc.kml", placemark("A"))])
    assert codes(read_sites(path)) == ["A"]


# CSV and lines of GeoJSON


def test_csv_with_a_title_and_guards(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("台账\n编号;名称;经度;纬度\nA;'=1+1;116.2;39.9\n", encoding="gbk")
    assert read_sites(path).sites[0].name == "=1+1"


def test_spreadsheets_unicode_text(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("编号\t经度\t纬度\n一\t116.2\t39.9\n", encoding="utf-16")
    assert codes(read_sites(path)) == ["一"]


def test_metres_in_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"code,x,y\nA,500000,{4_984_944.4 * 0.9996}\n")
    (site,) = read_sites(path, crs="32650").sites
    assert (site.geometry.x, site.geometry.y) == (pytest.approx(117), pytest.approx(45, abs=1e-6))


def test_one_feature_a_line(tmp_path: Path) -> None:
    path = tmp_path / "x.geojsonl"
    line = '{"type": "Feature", "properties": {"code": "%s"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}\n'
    path.write_text(line % "A" + "\n\x1e" + line % "B")
    read = read_sites(path)
    assert (codes(read), read.where["B"]) == (["A", "B"], "line 3")


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("31.08.2016", date(2016, 8, 31)),
        ("05.06.2016", date(2016, 6, 5)),
        ("31/08/2016", date(2016, 8, 31)),
        ("08/31/2016", date(2016, 8, 31)),
        ("05/05/2016", date(2016, 5, 5)),
        ("42613", date(2016, 8, 31)),
        ("2016-08-31 08:00:00", date(2016, 8, 31)),
    ],
)
def test_dates_of_other_habits(tmp_path: Path, written: str, read_as: date) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"code,lon,lat,due_date\nA,1,2,{written}\n")
    assert read_sites(path).sites[0].plan.due_date == read_as


# Persons


def _numbered(folder: Path, numbers: list[str], heading: str = "流水号") -> Path:
    path = folder / "x.csv"
    path.write_text(f"code,lon,lat,{heading}\n" + "".join(f"S{i},1,2,{n}\n" for i, n in enumerate(numbers)))
    return path


def test_codes_of_eleven_digits_are_no_telephone_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("code,lon,lat\n13010700001,1,2\n15010700002,1,2\n")
    assert codes(read_sites(path)) == ["13010700001", "15010700002"]


def test_numbers_of_one_district_are_no_telephone_numbers(tmp_path: Path) -> None:
    path = _numbered(tmp_path, [f"130107{i:05d}" for i in range(20)])
    assert len(read_sites(path).sites) == 20


def test_few_among_many_numbers_are_chance(tmp_path: Path) -> None:
    path = _numbered(tmp_path, [f"{i}0107000001" for i in range(11, 40)])
    assert len(read_sites(path).sites) == 29


def test_telephone_numbers_under_any_heading(tmp_path: Path) -> None:
    path = _numbered(tmp_path, ["13812345678", "15987654321", "18600001111"])
    with pytest.raises(SitesError, match=r"流水号 \(3 of 3 cells look like a mobile telephone number\)"):
        read_sites(path)
    read = read_sites(path, drop_personal=True)
    assert [site.attributes for site in read.sites] == [{}, {}, {}]
    assert {column.heading: column.samples for column in read.columns}["流水号"] == ()


def test_digits_of_full_width_are_digits(tmp_path: Path) -> None:
    path = _numbered(tmp_path, ["近铁路", "东侧", "找他１３８１２３４５６７８"], heading="备注")
    assert [notice.where for notice in read_sites(path).refused] == ["row 4"]


def test_somebody_vouches_for_a_column(tmp_path: Path) -> None:
    path = _numbered(tmp_path, ["13812345678", "15987654321"], heading="图斑流水号")
    assert len(read_sites(path, headings=CONFIGS / "headings.yaml").sites) == 2


def test_single_cells_are_dropped_with_a_notice(tmp_path: Path) -> None:
    path = _numbered(tmp_path, ["近铁路", "东侧", "找他13812345678", "北侧", "西侧"], heading="备注")
    assert [notice.where for notice in read_sites(path).refused] == ["row 4"]
    read = read_sites(path, drop_personal=True)
    assert [site.attributes.get("备注") for site in read.sites] == ["近铁路", "东侧", None, "北侧", "西侧"]
    assert "备注: left out" in sentences(read)


# The caller's headings, and what is told of columns


def test_columns_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "拆违编号,经度,纬度,违建面积(亩),网格员,备注,observed_on\nA,1,2,3,某,x,2017-01-01\n", encoding="utf-8"
    )
    read = read_sites(path, headings=CONFIGS / "headings.yaml", drop_personal=True)
    told = [(c.heading, c.field, c.unit, c.samples) for c in read.columns]
    assert told == [
        ("拆违编号", "code", "", ("A",)),
        ("经度", "lon", "", ("1",)),
        ("纬度", "lat", "", ("2",)),
        ("违建面积(亩)", "building_area_m2", "亩", ("3",)),
        ("网格员", "", "", ()),
        ("备注", None, "", ("x",)),
        ("observed_on", "", "", ("2017-01-01",)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fields: {colour: [色]}", "no field is called 'colour'"),
        ("fields: {name: [code]}", "'code' would mean both name and code"),
        ("columns: {x: {field: name, unit: 亩}}", "has the unit '亩'"),
        ("feilds: {}", "key 'feilds'"),
    ],
)
def test_bad_files_of_headings(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "headings.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        read_sites(layer(tmp_path / "x.gpkg", {"code": ["A"]}), headings=path)


# Places


def test_what_is_read_together_is_what_is_read_alone(tmp_path: Path) -> None:
    """A file goes the short way, one bad geometry in it the long one."""
    bow_tie = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    read = read_sites(layer(tmp_path / "x.gpkg", {"code": ["A", "B", "C"]}, [PLACE, bow_tie, box(0, 0, 1, 1)]))
    assert codes(read) == ["A", "B", "C"]
    assert [notice.code for notice in read.notices] == ["B"]


def test_web_maps(tmp_path: Path) -> None:
    path = tmp_path / "高德.csv"
    path.write_text("code,lon,lat\nA,116.2,39.9\n")
    assert "say --from-gcj02" in sentences(read_sites(path))
    moved = read_sites(path, shift=MapShift.GCJ02)
    assert 0.004 < 116.2 - moved.sites[0].geometry.x < 0.008
    assert sentences(moved) == ""
