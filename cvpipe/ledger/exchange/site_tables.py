"""Sites, and what the machine saw on them, as tables to be written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cvpipe.domain import MONITORING_CODES, ChangeKind, Site, SiteStatus, Surface
from cvpipe.ledger.exchange.headings import Headings, shipped_headings
from cvpipe.ledger.exchange.tables import Column, Kind, Language, Table, own_columns
from cvpipe.ledger.records import AssessmentRecord, Observed
from cvpipe.ledger.styles import STYLES, Style

#: The columns of a site in the order that people read them, with their kinds and units.
_SITE_COLUMNS: tuple[tuple[str, Kind, str], ...] = (
    ("code", Kind.TEXT, ""),
    ("name", Kind.TEXT, ""),
    ("sub_district", Kind.TEXT, ""),
    ("community", Kind.TEXT, ""),
    ("owner_system", Kind.TEXT, ""),
    ("batch", Kind.TEXT, ""),
    ("status", Kind.TEXT, ""),
    ("land_area_m2", Kind.REAL, "m²"),
    ("building_area_m2", Kind.REAL, "m²"),
    ("demolition_area_m2", Kind.REAL, "m²"),
    ("green_area_m2", Kind.REAL, "m²"),
    ("green_ratio", Kind.REAL, ""),
    ("work_started", Kind.DAY, ""),
    ("due_date", Kind.DAY, ""),
    ("recheck_on", Kind.DAY, ""),
    ("observed_status", Kind.TEXT, ""),
    ("observed_on", Kind.DAY, ""),
    ("buffer_m", Kind.REAL, "m"),
    ("retained", Kind.PLACE, ""),
    ("rules", Kind.PLAIN, ""),
)
_PLACE_COLUMNS = (("geometry", Kind.PLACE, ""), ("lon", Kind.REAL, "°"), ("lat", Kind.REAL, "°"))

#: What stands before and after a change, as far as its kind tells.
_BEFORE = {ChangeKind.STRUCTURE_REMOVED: Surface.STRUCTURE, ChangeKind.GREEN_REMOVED: Surface.VEGETATION}
_AFTER = {ChangeKind.STRUCTURE_ADDED: Surface.STRUCTURE, ChangeKind.GREEN_ADDED: Surface.VEGETATION}

_CHANGE_WORDS = {
    ChangeKind.STRUCTURE_REMOVED: "建筑拆除",
    ChangeKind.STRUCTURE_ADDED: "建筑新增",
    ChangeKind.GREEN_ADDED: "绿化新增",
    ChangeKind.GREEN_REMOVED: "绿化减少",
}
_SURFACE_WORDS = {
    Surface.OTHER: "其他",
    Surface.STRUCTURE: "建筑物",
    Surface.RUBBLE: "渣土",
    Surface.BARE: "裸土",
    Surface.NET: "防尘网",
    Surface.VEGETATION: "绿地",
    Surface.PAVED: "硬化地面",
    Surface.WATER: "水面",
    Surface.NO_DATA: "无数据",
}

#: Name (10 bytes at most), Chinese heading, kind, unit, what it says in English and in Chinese.
_Described = tuple[str, str, Kind, str, str, str]
_EPOCHS: tuple[_Described, ...] = (
    ("before", "前时相", Kind.DAY, "", "date of the earlier scene", "前一期影像日期"),
    ("after", "后时相", Kind.DAY, "", "date of the later scene", "后一期影像日期"),
)
_CHANGE_COLUMNS: tuple[_Described, ...] = (
    ("site_code", "点位编号", Kind.TEXT, "", "code of the site", "台账编号"),
    ("kind", "图斑类型", Kind.TEXT, "", "kind of the change", "变化类型"),
    ("code_from", "变化前编码", Kind.TEXT, "", "monitoring code of what was there", "变化前地表的监测编码"),
    ("code_to", "变化后编码", Kind.TEXT, "", "monitoring code of what is there", "变化后地表的监测编码"),
    ("area_m2", "面积(平方米)", Kind.REAL, "m²", "on the ground", "地面面积"),
    ("probabil", "概率", Kind.REAL, "", "mean answer of the network, from 0 to 1", "模型给出的平均概率（0 至 1）"),
    *_EPOCHS,
)  # fmt: skip
_SURFACE_COLUMNS: tuple[_Described, ...] = (
    ("site_code", "点位编号", Kind.TEXT, "", "code of the site", "台账编号"),
    ("surface", "地表类型", Kind.TEXT, "", "what covers the ground, as seen from above", "影像所见地表类型"),
    ("code", "监测编码", Kind.TEXT, "", "national monitoring code; blank where there is none", "监测编码（无则为空）"),
    ("before_m2", "变化前面积(平方米)", Kind.REAL, "m²", "on the ground, at the earlier scene", "前一期地面面积"),
    ("after_m2", "变化后面积(平方米)", Kind.REAL, "m²", "on the ground, at the later scene", "后一期地面面积"),
    *_EPOCHS,
)  # fmt: skip


def site_table(
    sites: Sequence[Site], observed: Mapping[str, Observed], language: Language, kinds: Collection[Kind]
) -> Table:
    """Everything that the ledger holds of sites. `kinds` are those that the format keeps attributes in.

    An import of the table gives the same sites: attributes that would not come back as they are go together into
    one column as JSON.
    """
    words = shipped_headings()
    own = own_columns((site.attributes for site in sites), kinds, lambda name: _means_something(name, words))
    columns = [_site_column(*described, language) for described in _SITE_COLUMNS]
    columns += [Column(name, name, kind) for name, kind in own.items()]
    columns.append(_site_column("attributes", Kind.PLAIN, "", language))
    values = [_site_values(site, observed.get(site.code), own, language) for site in sites]
    styles = _styles("sites", columns, lambda value: _status(SiteStatus(value), language), language)
    geometries = [site.geometry for site in sites]
    return Table("sites", tuple(columns), values, geometries, _legend(language), styles=styles)


def place_columns(language: Language) -> tuple[Column, Column, Column]:
    """The columns that stand for a geometry where a format has none: geometry, longitude, latitude."""
    geometry, lon, lat = (_site_column(*described, language) for described in _PLACE_COLUMNS)
    return geometry, lon, lat


def change_table(records: Iterable[AssessmentRecord], language: Language) -> Table:
    """The changes of each site's latest assessment that measured something, one row a polygon."""
    values, geometries = [], []
    for record in _latest(records):
        for change in record.assessment.changes:
            kind = _change_word(change.kind, language)
            codes = (_code(_BEFORE.get(change.kind)), _code(_AFTER.get(change.kind)))
            epochs = (record.before_date, record.after_date)
            values.append((record.assessment.site_code, kind, *codes, change.area_m2, change.probability, *epochs))
            geometries.append(change.geometry)
    columns = _described(_CHANGE_COLUMNS, language)
    styles = _styles("changes", columns, lambda value: _change_word(ChangeKind(value), language), language)
    return Table("changes", columns, values, geometries, _legend(language), styles=styles)


def surface_table(sites: Sequence[Site], records: Iterable[AssessmentRecord], language: Language) -> Table:
    """What covered each site at the two epochs of its latest assessment, one row a surface, with the site's outline."""
    outlines = {site.code: site.geometry for site in sites}
    values, geometries = [], []
    for record in _latest(records):
        code, measured = record.assessment.site_code, record.assessment.measurements
        if measured is None or code not in outlines:
            continue
        before, after = measured.surface_before_m2, measured.surface_after_m2
        for surface in Surface:
            if surface in before or surface in after:
                word = surface_word(surface, language)
                areas = (before.get(surface, 0.0), after.get(surface, 0.0))
                values.append((code, word, _code(surface), *areas, record.before_date, record.after_date))
                geometries.append(outlines[code])
    return Table("surfaces", _described(_SURFACE_COLUMNS, language), values, geometries, _legend(language))


def _change_word(kind: ChangeKind, language: Language) -> str:
    return _CHANGE_WORDS[kind] if language == "zh" else kind.value


def _styles(layer: str, columns: Sequence[Column], word: Callable[[str], str], language: Language) -> tuple[Style, ...]:
    """How QGIS draws the ledger's own layer, by the headings and the words of a table."""
    headings = {column.name: column.heading for column in columns}
    return tuple(
        replace(
            style,
            column=headings[style.column],
            categories=tuple(
                replace(one, value=word(one.value), label=word(one.value) if language == "zh" else one.label)
                for one in style.categories
            ),
        )
        for style in STYLES
        if style.layer == layer
    )


def surface_word(surface: Surface, language: Language) -> str:
    """What a surface is called in tables."""
    return _SURFACE_WORDS[surface] if language == "zh" else surface.name.lower()


def _latest(records: Iterable[AssessmentRecord]) -> list[AssessmentRecord]:
    """The newest later epoch of each site, of equal ones the assessment written last."""
    latest: dict[str, AssessmentRecord] = {}
    for record in records:
        if record.assessment.measurements is None or record.after_date is None:
            continue
        known = latest.get(record.assessment.site_code)
        if known is None or known.after_date is None or (known.after_date, known.id) < (record.after_date, record.id):
            latest[record.assessment.site_code] = record
    return list(latest.values())


def _code(surface: Surface | None) -> str | None:
    return None if surface is None else MONITORING_CODES.get(surface)


def _site_values(site: Site, seen: Observed | None, own: Collection[str], language: Language) -> tuple[Any, ...]:
    plan = site.plan
    gathered = {name: value for name, value in site.attributes.items() if name not in own}
    return (
        site.code,
        site.name,
        site.sub_district,
        site.community,
        site.owner_system,
        site.batch,
        _status(site.status, language),
        site.land_area_m2,
        site.building_area_m2,
        plan.demolition_area_m2,
        plan.green_area_m2,
        plan.green_ratio,
        plan.work_started,
        plan.due_date,
        site.recheck_on,
        seen and seen.status and _status(seen.status, language),
        seen and seen.on,
        site.buffer_m,
        plan.retained,
        plan.rules or None,
        *(site.attributes.get(name) for name in own),
        gathered or None,
    )


def _status(status: SiteStatus, language: Language) -> str:
    return shipped_headings().chinese_status(status) if language == "zh" else status.value


def _site_column(name: str, kind: Kind, unit: str, language: Language) -> Column:
    words = shipped_headings()
    return Column(
        name, words.chinese[name] if language == "zh" else name, kind, unit, words.explained[name][language == "zh"]
    )


def _described(columns: tuple[_Described, ...], language: Language) -> tuple[Column, ...]:
    chinese = language == "zh"
    return tuple(
        Column(name, zh if chinese else name, kind, unit, zh_says if chinese else en_says)
        for name, zh, kind, unit, en_says, zh_says in columns
    )


def _legend(language: Language) -> tuple[str, str, str]:
    return ("列", "单位", "说明") if language == "zh" else ("heading", "unit", "meaning")


def _means_something(name: str, words: Headings) -> bool:
    """Whether an import would take an attribute's name for more than an attribute."""
    try:
        known = words.meaning(name) is not None
    except ValueError:
        known = True
    return known or words.is_machine(name) or words.is_personal(name) or name.casefold() in _FORMATS_OWN


#: Names that formats keep for themselves: the row number and geometry of a layer, the parts of a KML placemark.
_FORMATS_OWN = frozenset({"fid", "ogc_fid", "geom", "geometry", "description", "folder", "id"})
