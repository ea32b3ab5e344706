"""Labels: what people say changed on a site, outlined by hand. Appended; of one assessment the last one holds."""

from __future__ import annotations

from typing import Any

from shapely.geometry import mapping, shape
from sqlalchemy import Connection, select

from cvpipe.domain import Change, ChangeKind, Label
from cvpipe.errors import LedgerError
from cvpipe.ledger import entries, geopackage, site_rows
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Entry
from cvpipe.ledger.schema import Row, assessments, labels


def append(connection: Connection, label: Label) -> Entry[Label]:
    """Append a label. Raises LedgerError where it names nobody, or an assessment that the site has not."""
    entries.refuse_blank("who draws the label", label.who)
    site_rows.row_of(connection, label.site_code)
    owner = select(assessments.c.site_code).where(assessments.c.key == label.assessment_key)
    if connection.scalar(owner) != label.site_code:
        raise LedgerError(
            f"the site has no assessment {label.assessment_key!r}",
            where=f"site {label.site_code}",
            remedy="Name the key of one of its assessments.",
        )
    row = {
        "geom": label.outline,
        "site_code": label.site_code,
        "assessment_key": label.assessment_key,
        "who": label.who,
        "at": now(),
        "changes": [_as_plain(change) for change in label.changes],
    }
    details = {"who": label.who, "assessment_key": label.assessment_key, "changes": len(label.changes)}
    number = entries.enter(connection, "label", row, details=details)
    geopackage.grow_extent(connection, "labels", [label.outline])
    return Entry(number, row["at"], label)


def all_labels(connection: Connection, code: str | None) -> list[Entry[Label]]:
    """Labels of all sites, or of one, in the order they were drawn."""
    query = select(labels).order_by(labels.c.id)
    if code is not None:
        query = query.where(labels.c.site_code == code)
    return [_entry(row) for row in connection.execute(query).mappings()]


def _as_plain(change: Change) -> dict[str, Any]:
    return {"kind": change.kind.value, "area_m2": float(change.area_m2), "geometry": mapping(change.geometry)}


def _entry(row: Row) -> Entry[Label]:
    found = tuple(
        Change(ChangeKind(plain["kind"]), shape(plain["geometry"]), plain["area_m2"], 1.0) for plain in row["changes"]
    )
    return Entry(row["id"], row["at"], Label(row["site_code"], row["assessment_key"], row["who"], row["geom"], found))
