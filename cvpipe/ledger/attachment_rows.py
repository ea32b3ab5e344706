"""Attachments: photos and documents of sites, known by the hash of their content. The files lie beside the ledger."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from shapely.geometry import Point
from sqlalchemy import Connection, select

from cvpipe.domain import Attachment
from cvpipe.errors import LedgerError
from cvpipe.ledger import entries, site_rows
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Entry
from cvpipe.ledger.schema import Row, attachments

_SHA256 = re.compile(r"[0-9a-f]{64}")


def attach(connection: Connection, attachment: Attachment) -> Entry[Attachment]:
    """Append an attachment; one that the site has already, by its content, is returned as it stands.

    Raises LedgerError for a path that leaves the workspace and a hash that is none.
    """
    site_rows.row_of(connection, attachment.site_code)
    _refuse_unusable(attachment)
    c = attachments.c
    known = select(attachments).where(c.site_code == attachment.site_code, c.sha256 == attachment.sha256)
    there = connection.execute(known).mappings().first()
    if there is not None:
        return _entry(there)
    row = {**_columns(attachment), "at": now()}
    return Entry(entries.enter(connection, "attachment", row), row["at"], attachment)


def all_attachments(connection: Connection, code: str | None) -> list[Entry[Attachment]]:
    """Attachments of all sites, or of one, as they came."""
    query = select(attachments).order_by(attachments.c.id)
    if code is not None:
        query = query.where(attachments.c.site_code == code)
    return [_entry(row) for row in connection.execute(query).mappings()]


def _refuse_unusable(attachment: Attachment) -> None:
    path = PurePosixPath(attachment.path)
    if not attachment.path or path.is_absolute() or ".." in path.parts or "\\" in attachment.path:
        raise LedgerError(
            f"{attachment.path!r} is no path inside the workspace",
            where=f"site {attachment.site_code}",
            remedy="Put the file into the workspace, and give its path from there with forward slashes.",
        )
    if not _SHA256.fullmatch(attachment.sha256):
        raise LedgerError(f"{attachment.sha256!r} is no SHA-256", remedy="Give 64 hexadecimal digits in lower case.")


def _columns(attachment: Attachment) -> dict[str, Any]:
    columns = {name: value for name, value in vars(attachment).items() if name != "place"}
    place = attachment.place
    return {**columns, "lon": place.x if place else None, "lat": place.y if place else None}


def _entry(row: Row) -> Entry[Attachment]:
    columns = {name: value for name, value in row.items() if name not in {"id", "at", "lon", "lat"}}
    place = None if row["lon"] is None else Point(row["lon"], row["lat"])
    return Entry(row["id"], row["at"], Attachment(**columns, place=place))
