"""The triggers that refuse to rewrite append-only tables: whether they are still there, and switched on."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from cvpipe.ledger.schema import APPEND_ONLY

_IN_GEOPACKAGE = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%RAISE(ABORT%'"
_ON_POSTGRES = """
SELECT c.relname, t.tgname FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgenabled IN ('O', 'A') AND p.proname = 'cvpipe_refuse_rewriting' AND pg_table_is_visible(c.oid)
"""


def missing(connection: Connection) -> Iterator[str]:
    """A sentence for each append-only table that can be rewritten, because a trigger of it was taken away or off."""
    on_postgres = connection.dialect.name == "postgresql"
    there = {tuple(row) for row in connection.execute(text(_ON_POSTGRES if on_postgres else _IN_GEOPACKAGE))}
    for table in sorted(table.name for table in APPEND_ONLY):
        for action in ("UPDATE", "DELETE", "TRUNCATE") if on_postgres else ("UPDATE", "DELETE"):
            if (table, f"{table}_forbid_{action.lower()}") not in there:
                yield f"the trigger that refuses {action} of {table} is missing or switched off"
