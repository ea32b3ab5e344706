"""QGIS finds a style for each layer, on both stores, and can read it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from sqlalchemy import text

from cvpipe.domain import CHANGE_COLOURS, ChangeKind, SiteStatus
from cvpipe.ledger import Ledger, store, styles
from cvpipe.ledger.schema import metadata
from cvpipe.ledger.styles import STYLES, Style

NAMES = [f"{style.layer}-{style.name}" for style in STYLES]


@pytest.mark.parametrize("style", STYLES, ids=NAMES)
def test_a_style_is_well_formed_and_names_its_column(style: Style) -> None:
    renderer = ET.fromstring(styles.qml(style)).find("renderer-v2")
    assert renderer is not None
    assert str(renderer.get("attr")) in metadata.tables[style.layer].columns
    categories = renderer.findall("categories/category")
    symbols = {symbol.get("name") for symbol in renderer.findall("symbols/symbol")}
    assert [category.get("value") for category in categories] == [c.value for c in style.categories]
    assert {category.get("symbol") for category in categories} == symbols


def test_every_status_and_kind_has_its_colour() -> None:
    by_name = {(style.layer, style.name): style for style in STYLES}
    assert {c.value for c in by_name["sites", "status"].categories} == set(SiteStatus)
    changes = {c.value: (c.red, c.green, c.blue) for c in by_name["changes", "kind"].categories}
    assert changes == {kind.value: CHANGE_COLOURS[kind] for kind in ChangeKind}


def test_the_ledger_holds_them_where_qgis_looks(ledger: Ledger) -> None:
    with store.reading(ledger._engine) as connection:
        columns = "f_table_catalog, f_table_schema, f_table_name, f_geometry_column, stylename, styleqml, useasdefault"
        rows = connection.execute(text(f"SELECT {columns} FROM layer_styles ORDER BY id")).all()
        on_postgres = connection.dialect.name == "postgresql"
        place = connection.exec_driver_sql("SELECT current_database(), 'public'").one() if on_postgres else ("", "")
    assert [(row[2], row[4], bool(row[6])) for row in rows] == [(s.layer, s.name, s.is_default) for s in STYLES]
    # A copy of a database has the name of its template in it.
    assert {(row[1], row[3]) for row in rows} == {(place[1], "geom")}
    assert all(ET.fromstring(row[5]).tag == "qgis" for row in rows)


def test_each_layer_has_one_default() -> None:
    defaults = [style.layer for style in STYLES if style.is_default]
    assert sorted(defaults) == sorted({style.layer for style in STYLES})


def test_styles_are_written_in_place_of_older_ones(ledger: Ledger) -> None:
    with store.writing(ledger._engine) as connection:
        styles.write(connection)
        styles.write(connection)
        catalogs = connection.execute(text("SELECT f_table_catalog, count(*) FROM layer_styles GROUP BY 1")).all()
    assert {count for _, count in catalogs} == {len(STYLES)}
