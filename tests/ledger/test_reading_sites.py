"""Files of sites as districts keep them: headings in two languages, units, dates, encodings, coordinate systems."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from shapely.geometry import Point, Polygon, box, mapping, shape

from cvpipe.domain import Plan, Site, SiteStatus
from cvpipe.ledger import SitesFile, read_sites
from cvpipe.ledger.exchange.headings import HEADINGS_PATH, Meaning, shipped_headings
from cvpipe.ledger.site_rows import PEOPLE_COLUMNS
from tests.ledger.samples import FULL_SITE

MU_M2 = 2000 / 3


def csv_file(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    """A CSV file of these lines."""
    path = folder / "sites.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def geojson_file(folder: Path, *features: dict[str, Any], **members: Any) -> Path:
    """A FeatureCollection of these features."""
    path = folder / "sites.geojson"
    document = {"type": "FeatureCollection", "features": features, **members}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    """A GeoJSON feature."""
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def only_site(read: SitesFile) -> Site:
    """The one site of a file without a fault."""
    assert (read.refused, read.notices) == ([], [])
    (site,) = read.sites
    return site


def test_chinese_headings_with_units(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        "编号,点位名称,街道,社区,权属系统,批次,占地面积（亩）,建筑面积(万平方米),拆除面积㎡,绿化面积(公顷),绿地率(%),经度,纬度,开工日期,完成时限,状态,备注",
        'SJS-1,北院,八角街道,北里,集体经济,第一批,3,0.05,"1,234.5",0.02,30,116.2,39.9,2015年11月6日,2017/6/30,已拆除,靠近铁路',
    )
    assert only_site(read_sites(path)) == Site(
        code="SJS-1",
        geometry=Point(116.2, 39.9),
        name="北院",
        sub_district="八角街道",
        community="北里",
        owner_system="集体经济",
        batch="第一批",
        land_area_m2=2000.0,
        building_area_m2=500.0,
        plan=Plan(1234.5, 200.0, 0.3, None, date(2015, 11, 6), date(2017, 6, 30)),
        status=SiteStatus.DEMOLISHED,
        attributes={"备注": "靠近铁路"},
    )


def test_english_names_with_every_field_in_geojson(tmp_path: Path) -> None:
    site, plan = FULL_SITE, FULL_SITE.plan
    alike = ("code", "name", "sub_district", "community", "owner_system", "batch", "buffer_m", "land_area_m2")
    properties = {name: getattr(site, name) for name in alike} | {
        "building_area_m2": site.building_area_m2,
        "demolition_area_m2": plan.demolition_area_m2,
        "green_area_m2": plan.green_area_m2,
        "green_ratio": plan.green_ratio,
        "retained": mapping(plan.retained),
        "work_started": "2015-11-06",
        "due_date": "2017-06-30",
        "status": "in_progress",
        "rules": {"clearance": {"max_rubble_m2": 5}},
        "recheck_on": "2018-06-30",
        **site.attributes,
    }
    read = read_sites(geojson_file(tmp_path, feature(mapping(site.geometry), **properties)))
    kept = {name: value for name, value in site.attributes.items() if value is not None}
    ruled = replace(plan, rules={"clearance": {"max_rubble_m2": 5}})
    assert only_site(read) == replace(site, attributes=kept, plan=ruled, recheck_on=date(2018, 6, 30))
    assert read.stated == {site.code: frozenset(PEOPLE_COLUMNS)}


@pytest.mark.parametrize(
    ("heading", "meaning"),
    [
        ("Code", Meaning("code")),
        (" ＣＯＤＥ ", Meaning("code")),
        ("Sub District", Meaning("sub_district")),
        ("land_area_m2", Meaning("land_area_m2")),
        ("占地面积", Meaning("land_area_m2")),
        ("占地面积㎡", Meaning("land_area_m2", 1)),
        ("占地面积（m²）", Meaning("land_area_m2", 1)),
        ("占地面积 (亩)", Meaning("land_area_m2", MU_M2)),
        ("占地面积万平方米", Meaning("land_area_m2", 10_000)),
        ("land_area_ha", Meaning("land_area_m2", 10_000)),
        ("Building area [ha]", Meaning("building_area_m2", 10_000)),
        ("绿地率(%)", Meaning("green_ratio", 0.01)),
        ("缓冲距离(公里)", Meaning("buffer_m", 1000)),
        ("名称(全称)", Meaning("name")),
        ("编 号", Meaning("code")),
        ("占 地\n面积\n（亩）", Meaning("land_area_m2", MU_M2)),
        ("备注", None),
        ("备注(亩)", None),
    ],
)
def test_headings(heading: str, meaning: Meaning | None) -> None:
    assert shipped_headings().meaning(heading) == meaning


def test_unit_that_is_not_known() -> None:
    with pytest.raises(ValueError, match="'顷' is not known for land_area_m2"):
        shipped_headings().meaning("占地面积(顷)")


@pytest.mark.parametrize(
    "heading",
    [
        "业主姓名", "户主", "联系电话", "手机号", "身份证号码", "Owner_Name", "Phone (mobile)", "ID number",
        "姓 名", "联 系\n电 话", "责任人", "填报人", "座机",
    ],
)  # fmt: skip
def test_headings_about_persons(heading: str) -> None:
    assert shipped_headings().meaning(heading) is None
    assert shipped_headings().is_personal(heading)


def test_no_word_means_two_fields() -> None:
    fields = yaml.safe_load(HEADINGS_PATH.read_text(encoding="utf-8"))["fields"]
    words = [word for listed in fields.values() for word in listed]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = csv_file(tmp_path, "编号,名称,经度,纬度", "一,北院,116.2,39.9", encoding=encoding)
    site = only_site(read_sites(path))
    assert (site.code, site.name) == ("一", "北院")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    path = csv_file(tmp_path, delimiter.join(("code", "lon", "lat")), delimiter.join(("A", "116.2", "39.9")))
    assert only_site(read_sites(path)).geometry == Point(116.2, 39.9)


def test_wkt_and_blank_lines_and_unused_columns(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "code,WKT,,", '"A","POLYGON ((0 0, 1 0, 1 1, 0 0))",,', ",,,", "")
    assert only_site(read_sites(path)).geometry == Polygon([(0, 0), (1, 0), (1, 1)])


@pytest.mark.parametrize(
    "written",
    ["2017-06-30", "2017/6/30", "2017.06.30", "20170630", "2017年6月30日", "２０１７-６-３０", "2017-06-30T08:00:00Z"],
)
def test_dates(tmp_path: Path, written: str) -> None:
    path = csv_file(tmp_path, "code,lon,lat,due_date", f"A,1,2,{written}")
    assert only_site(read_sites(path)).plan.due_date == date(2017, 6, 30)


@pytest.mark.parametrize(("written", "share"), [("0.3", 0.3), ("30%", 0.3), ("３０％", 0.3), ("1", 1.0), ("0", 0.0)])
def test_ratios(tmp_path: Path, written: str, share: float) -> None:
    path = csv_file(tmp_path, "code,lon,lat,绿化率", f"A,1,2,{written}")
    assert only_site(read_sites(path)).plan.green_ratio == pytest.approx(share)


@pytest.mark.parametrize(("code", "read_as"), [(12, "12"), (12.0, "12"), (" A  1\n", "A 1"), ("007", "007")])
def test_codes(tmp_path: Path, code: Any, read_as: str) -> None:
    read = read_sites(geojson_file(tmp_path, feature(mapping(Point(1, 2)), code=code)))
    assert only_site(read).code == read_as


def test_an_empty_cell_states_nothing(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "code,lon,lat,name,status,remark", "A,1,2,,closed,", "B,1,2,x,,y")
    assert read_sites(path).stated == {
        "A": {"code", "geom", "status"},
        "B": {"code", "geom", "name", "attributes"},
    }


def test_a_features_geometry_goes_before_columns_that_repeat_it(tmp_path: Path) -> None:
    read = read_sites(geojson_file(tmp_path, feature(mapping(Point(1, 2)), code="A", lon=3, lat=4)))
    site = only_site(read)
    assert (site.geometry, site.attributes) == (Point(1, 2), {"lon": 3, "lat": 4})


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", 117, 45),
        ("urn:ogc:def:crs:EPSG::4326", 117, 45),
        ("EPSG:4490", 117, 45),
        # Both have 117° E as their central meridian; from the equator to 45° N it measures 4,984,944.4 m.
        ("EPSG:32650", 500_000, 4_984_944.4 * 0.9996),
        ("EPSG:4527", 39_500_000, 4_984_944.4),  # its own axis order is north, east
    ],
)
def test_coordinate_systems_keep_x_before_y(tmp_path: Path, name: str, x: float, y: float) -> None:
    crs = {"type": "name", "properties": {"name": name}}
    point = feature({"type": "Point", "coordinates": [x, y]}, code="A")
    geometry = only_site(read_sites(geojson_file(tmp_path, point, crs=crs))).geometry
    assert (geometry.x, geometry.y) == (pytest.approx(117, abs=1e-9), pytest.approx(45, abs=1e-6))


def test_an_invalid_outline_is_mended_with_a_notice(tmp_path: Path) -> None:
    bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    read = read_sites(geojson_file(tmp_path, feature(bow_tie, code="A")))
    (notice,) = read.notices
    assert (notice.where, notice.code) == ("feature 1", "A")
    assert "Self-intersection" in notice.sentence
    (site,) = read.sites
    assert site.geometry.is_valid
    assert site.geometry.equals(
        shape(mapping(Polygon([(0, 0), (1, 1), (0, 2)]).union(Polygon([(2, 0), (1, 1), (2, 2)]))))
    )


def test_spikes_of_an_outline_are_cut_off(tmp_path: Path) -> None:
    spiked = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [5, 1], [1, 1], [0, 1], [0, 0]]]}
    read = read_sites(geojson_file(tmp_path, feature(spiked, code="A")))
    assert read.sites[0].geometry.equals(box(0, 0, 1, 1))
    assert len(read.notices) == 1


def test_heights_are_left_out(tmp_path: Path) -> None:
    point = {"type": "Point", "coordinates": [1, 2, 30]}
    assert not only_site(read_sites(geojson_file(tmp_path, feature(point, code="A")))).geometry.has_z


def test_columns_about_persons_are_dropped_when_asked(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "code,lon,lat,业主姓名,联系电话,备注", "A,1,2,某人,000,x")
    read = read_sites(path, drop_personal=True)
    assert read.dropped == ("业主姓名", "联系电话")
    assert only_site(read).attributes == {"备注": "x"}
