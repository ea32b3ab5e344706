"""Scenes in and out of the ledger, known by the hash of their content."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from datetime import date
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cvpipe.domain import Scene
from cvpipe.errors import LedgerError
from cvpipe.ledger import audit, geopackage
from cvpipe.ledger.schema import Row, scenes

_ALIKE = tuple(f.name for f in fields(Scene) if f.name != "footprint")


def add(connection: Connection, scene: Scene) -> bool:
    """Add a scene; one that is known only gets its new address and item. Returns whether it was new."""
    row = columns_of(scene)
    known = connection.execute(select(scenes).where(scenes.c.content_hash == scene.content_hash)).mappings().first()
    if known is None:
        connection.execute(insert(scenes), row)
        _note(connection, "added", row, {"uri": scene.uri, "acquired": scene.acquired.isoformat()})
        geopackage.grow_extent(connection, "scenes", [scene.footprint])
        return True
    _refuse_other_date(known, scene)
    if known["uri"] != scene.uri or (known["stac"] is None and scene.stac is not None):
        new = {"uri": scene.uri, "stac": scene.stac or known["stac"]}
        connection.execute(update(scenes).where(scenes.c.id == known["id"]).values(new))
        action = "moved" if known["uri"] != scene.uri else "described"
        _note(connection, action, {**known, **new}, {"was": known["uri"], "becomes": scene.uri})
    return False


def all_scenes(connection: Connection) -> list[Scene]:
    """Every scene, by date."""
    query = select(scenes).order_by(scenes.c.acquired, scenes.c.id)
    return [scene_of(row) for row in connection.execute(query).mappings()]


def days_of(connection: Connection, hashes: Collection[str]) -> dict[str, date]:
    """When the scenes with some contents were acquired, by content.

    Raises LedgerError for content that the ledger does not know.
    """
    query = select(scenes.c.content_hash, scenes.c.acquired).where(scenes.c.content_hash.in_(sorted(hashes)))
    days: dict[str, date] = {row.content_hash: row.acquired for row in connection.execute(query)}
    for content_hash in hashes:
        if content_hash not in days:
            raise LedgerError(f"no scene has the content {content_hash!r}", remedy="Add it with `cvpipe scenes add`.")
    return days


def scene_of(row: Row) -> Scene:
    """A row as the domain's value."""
    return Scene(footprint=row["geom"], **{name: row[name] for name in _ALIKE})


def columns_of(scene: Scene) -> dict[str, Any]:
    """The columns of a scene's row."""
    return {"geom": scene.footprint} | {name: getattr(scene, name) for name in _ALIKE}


def _refuse_other_date(known: Row, scene: Scene) -> None:
    if known["acquired"] != scene.acquired:
        raise LedgerError(
            f"the same picture is already known as acquired on {known['acquired']}, not {scene.acquired}",
            where=scene.uri,
            remedy=f"Add it with --acquired {known['acquired']}, or look whether it is a copy of {known['uri']}.",
        )


def _note(connection: Connection, action: str, row: Row, details: dict[str, Any]) -> None:
    content_hash = audit.digest(scenes, row)
    audit.append(connection, [audit.Event(action, "scene", row["content_hash"], content_hash, details=details)])
