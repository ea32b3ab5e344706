"""A ledger that version 0.1.0 wrote comes up to the present tables with every word that it held."""

from __future__ import annotations

import ast
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyogrio
import pytest
from alembic import command
from shapely.geometry import Point, box
from sqlalchemy import Engine, insert, inspect, select

from cvpipe.domain import SiteStatus
from cvpipe.errors import LedgerError
from cvpipe.ledger import Ledger, store
from cvpipe.ledger.geopackage import APPLICATION_ID, USER_VERSION
from cvpipe.ledger.schema import metadata
from tests.ledger import postgres, samples

#: What version 0.1.0 wrote, as SQL: two sites and then three, one of them with three outlines and plans.
RELEASED = Path(__file__).parent / "released" / "0001_first_ledger.sql"
TABLES = ("sites", "scenes", "runs", "assessments", "changes", "audit")


def released_file(folder: Path) -> Path:
    """The GeoPackage that version 0.1.0 wrote."""
    path = folder / "released.gpkg"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")  # a dump leaves the two stamps out
        connection.execute(f"PRAGMA user_version = {USER_VERSION}")
        connection.executescript(RELEASED.read_text(encoding="utf-8"))
    return path


def copy_rows(source: Engine, target: Engine) -> None:
    """Put what a file at revision 0001 holds into a database at the same revision."""
    with store.reading(source) as old, store.writing(target) as new:
        for name in TABLES:
            there = {column["name"] for column in inspect(old).get_columns(name)}
            own = there if name == "audit" else there - {"id"}  # the database counts ids by itself
            columns = [column for column in metadata.tables[name].columns if column.name in own]
            query = select(*columns).order_by(metadata.tables[name].c.id)
            rows = [{c.name: row[c.name] for c in columns} for row in old.execute(query).mappings()]
            new.execute(insert(metadata.tables[name]).inline(), rows)


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A GeoPackage at revision 0001."""
    return released_file(tmp_path)


@pytest.fixture
def old_database(tmp_path: Path, server: postgres.Server) -> Iterator[str]:
    """A database at revision 0001 with the same rows."""
    name = "released"
    engine, source = store.connect(server.create_database(name)), store.connect(released_file(tmp_path))
    with engine.execution_options(writes=True).connect() as connection:
        config = store._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001_first_ledger")
    copy_rows(source, engine)
    source.dispose()
    engine.dispose()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture(params=["old_file", pytest.param("old_database", marks=pytest.mark.postgres)])
def migrated(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """The released ledger after its migration, in each store."""
    place = request.getfixturevalue(request.param)
    with pytest.raises(LedgerError, match=r"lacks the migrations .*0003_life_of_a_site"):
        Ledger.open(place)
    assert "0003_life_of_a_site" in Ledger.migrate(place)
    with Ledger.open(place) as ledger:
        yield ledger


#: What a migration may take from the ledger: what never changes for what was released.
LASTING = {
    "cvpipe.ledger": {"geopackage", "postgis", "styles"},
    "cvpipe.ledger.audit": {"as_plain", "sha256"},
    "cvpipe.ledger.columns": {"Geometry", "Instant", "Json", "now"},
}
MIGRATIONS = sorted((store._MIGRATIONS / "versions").glob("*.py"))


@pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_does_not_follow_the_model(migration: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(migration.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    for node in imports:
        if node.module and node.module.startswith("cvpipe") and not node.module.endswith("migrations.building"):
            assert {alias.name for alias in node.names} <= LASTING.get(node.module, set()), node.module


def test_nothing_is_lost_and_the_chain_holds(migrated: Ledger) -> None:
    found = migrated.verify()
    assert found.problems == ()
    assert [site.code for site in migrated.sites()] == ["SJS-001", "SJS-002", "点-3"]
    assert [record.assessment.key for record in migrated.assessments()] == ["key-1", "key-2", "key-3"]
    assert [record.site_version for record in migrated.assessments()] == [None, None, None]
    records = migrated.audit()
    assert [record.action for record in records[:3]] == ["added", "added", "added"]
    assert [record.action for record in records[-3:]] == ["versioned"] * 3


def test_every_outline_and_plan_that_was_replaced_is_a_version(migrated: Ledger) -> None:
    first, moved, planned = migrated.versions("SJS-001")
    assert (first.geometry, first.plan) == (samples.FULL_SITE.geometry, samples.FULL_SITE.plan)
    assert (moved.geometry, moved.plan) == (box(116.1, 39.9, 116.12, 39.92), samples.FULL_SITE.plan)
    changed = replace(samples.FULL_SITE.plan, green_area_m2=80.0, retained=None, due_date=date(2017, 12, 31))
    assert (planned.geometry, planned.plan) == (moved.geometry, changed)
    at = {record.action: record.at for record in migrated.audit("SJS-001") if record.kind == "site"}
    assert first.valid_from < moved.valid_from < planned.valid_from < at["versioned"]
    assert [site.version for site in migrated.sites()] == [3, 1, 1]
    assert [version.geometry for version in migrated.versions("点-3")] == [Point(116.2, 39.95)]


def test_life_goes_on(migrated: Ledger) -> None:
    site = migrated.sites(["SJS-001"])[0]
    migrated.put_sites([replace(site, geometry=box(1, 1, 2, 2))], source="new.csv")
    assert [version.version for version in migrated.versions("SJS-001")] == [1, 2, 3, 4]
    migrated.move_site("SJS-001", SiteStatus.CLEARED, who="inspector")
    run_id = samples.begin_run(migrated)
    assert migrated.record(run_id, samples.assessment("SJS-001", "key-4"))
    assert migrated.assessments("SJS-001")[-1].site_version == 4
    assert migrated.verify().problems == ()


def test_a_migrated_file_is_a_geopackage(old_file: Path) -> None:
    """GDAL, whose warnings are errors here, finds the layers, the old rows in them and the version of each outline."""
    Ledger.migrate(old_file)
    layers = dict(pyogrio.list_layers(old_file))
    assert {name for name, kind in layers.items() if kind is not None} == {
        *("sites", "changes", "assessments", "scenes", "site_versions", "candidates", "labels")
    }
    found = {name: pyogrio.read_info(old_file, layer=name)["features"] for name in ("sites", "site_versions")}
    assert found == {"sites": 3, "site_versions": 5}


def test_a_migration_that_fails_leaves_the_old_ledger(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as connection:
        connection.execute("CREATE TABLE attachments (in_the_way INTEGER)")
    with pytest.raises(LedgerError, match="table attachments already exists"):
        Ledger.migrate(old_file)
    with closing(sqlite3.connect(old_file)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows = connection.execute("SELECT count(*) FROM sites").fetchone()
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    # each migration is one transaction: what came before it stays, of itself nothing does
    assert {"moves", "site_versions", "campaigns"}.isdisjoint(tables)
    assert {*TABLES, "audit_head"} <= tables
    assert (rows, revision) == ((3,), ("0002_chain_head_and_styles",))


def test_a_site_that_was_slipped_in_stays_found(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file, isolation_level=None)) as connection:
        connection.execute("DELETE FROM sites WHERE code = '点-3'")
        connection.execute("UPDATE sites SET code = '点-4' WHERE code = 'SJS-002'")
    Ledger.migrate(old_file)
    with Ledger.open(old_file) as ledger:
        problems = ledger.verify().problems
    assert {"site 点-4 has no audit row", "version 1 of site 点-4 has no audit row"} <= set(problems)
    assert {f"site {code} is in the audit trail but missing from the ledger" for code in ("点-3", "SJS-002")} <= set(
        problems
    )


def test_a_row_that_was_altered_before_stays_found(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file, isolation_level=None)) as connection:
        connection.execute("UPDATE sites SET name = 'forged' WHERE code = 'SJS-002'")
    Ledger.migrate(old_file)
    with Ledger.open(old_file) as ledger:
        assert ledger.verify().problems == ("site SJS-002 was altered after its last audit row",)
