"""The life of one site in order: what the audit trail tells of it, a sentence for each thing that happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from cvpipe.domain import Rung
from cvpipe.ledger import audit
from cvpipe.ledger.records import AuditRecord, Happening

_Details = dict[str, Any]

#: Values longer than this are named, not told: outlines, attributes.
_TELLABLE = 60


def of_site(connection: Connection, code: str) -> list[Happening]:
    """All that happened to a site, the first thing first."""
    records = audit.records(connection, code, None)
    return [_happening(record) for record in records if not _told_by_its_move(record)]


def _told_by_its_move(record: AuditRecord) -> bool:
    """A move has a row for the site's new status and one for the move itself, which says more."""
    return record.kind == "site" and record.action == "moved" and "recheck_on" not in record.details["was"]


def _happening(record: AuditRecord) -> Happening:
    sentence = _SENTENCES.get(record.kind, _listed)(record)
    return Happening(record.at, record.kind, record.action, record.details.get("who", ""), sentence, record)


def _site(record: AuditRecord) -> str:
    details = record.details
    parts = []
    if "was" in details:
        parts.append("; ".join(_difference(name, details) for name in details["was"]))
    elif "status" in details:
        parts.append(f"as {details['status']}")
    if "versions" in details:
        parts.append(f"outline and plan, version {', '.join(details['versions'])}")
    if details.get("source"):
        parts.append(f"from {details['source']}")
    return ", ".join(parts)


def _difference(name: str, details: _Details) -> str:
    was, becomes = (_shown(details[side][name]) for side in ("was", "becomes"))
    return name if None in (was, becomes) else f"{name}: {was} → {becomes}"


def _shown(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return None
    written = "–" if value in (None, "") else str(value)
    return written if len(written) <= _TELLABLE else None


def _assessment(record: AuditRecord) -> str:
    details = record.details
    verdicts = ", ".join(f"{question} {_said(outcome)}" for question, outcome in details["verdicts"].items())
    told = f"{details['before']} → {details['after']}: {verdicts}"
    seen = f"; seen as {details['observed_status']}" if details["observed_status"] else ""
    version = f", version {details['site_version']}" if details.get("site_version") else ""
    return f"{told}{seen} (run {details['run']}{version})"


def _move(record: AuditRecord) -> str:
    details = record.details
    since = f" (from {details['effective']} on)" if "effective" in details else ""
    return _with(f"{details['was']} → {details['becomes']}{since}", details.get("reason"))


def _decision(record: AuditRecord) -> str:
    details = record.details
    verdict, reason = _said(details["verdict"]), _said(details.get("reason") or "")
    told = _with(f"{details['question']}: {verdict}", reason, details.get("note"))
    if "second_reviewer" in details:
        told += f"; second reviewer {details['second_reviewer']}"
    return told + (f"; supersedes decision {details['supersedes']}" if "supersedes" in details else "")


def _sighting(record: AuditRecord) -> str:
    details = record.details
    earliest = f"between {details['not_yet_on']} and " if "not_yet_on" in details else "by "
    told = f"{_said(details['stage'])}, {earliest}{details['first_seen']}"
    if "area_m2" in details:
        told += f", {details['area_m2']:,.0f} m²"
    return f"{told}; {_ON_RUNG[details['rung']].format(details.get('confirmed_on'))}"


_ON_RUNG = {
    Rung.PROVISIONAL: "one scene so far",
    Rung.SCENE: "the scene of {} shows it too",
    Rung.PERSON: "a person confirms it (on {})",
}


def _finding(record: AuditRecord) -> str:
    details = record.details
    if record.action == "resolved":
        return _with(f"finding {record.subject}: {details['what']}", details["resolution"])
    return f"finding {record.subject}: {details['what']}, due {details['due_date']}"


def _inspection(record: AuditRecord) -> str:
    details = record.details
    return _with(f"on {details['inspected_on']}: {_said(details['result'])}", details.get("note"))


def _attachment(record: AuditRecord) -> str:
    details = record.details
    taken = f", taken on {details['taken_on']}" if "taken_on" in details else ""
    return f"{details['name']} ({details['media_type']}, {details['size_bytes']} bytes{taken})"


def _candidate(record: AuditRecord) -> str:
    return _with(f"candidate {record.subject}", record.details.get("note"))


def _label(record: AuditRecord) -> str:
    count = record.details["changes"]
    return f"outlines corrected by hand: {count} change{'s' if count != 1 else ''}"


def _said(word: str) -> str:
    """An answer as people write it; statuses stay as they are typed."""
    return word.replace("_", " ")


def _with(told: str, *reasons: str | None) -> str:
    return ": ".join([told, *(reason for reason in reasons if reason)])


def _listed(record: AuditRecord) -> str:
    return ", ".join(f"{name}: {value}" for name, value in record.details.items())


_SENTENCES: dict[str, Callable[[AuditRecord], str]] = {
    "site": _site,
    "assessment": _assessment,
    "move": _move,
    "sighting": _sighting,
    "decision": _decision,
    "finding": _finding,
    "inspection": _inspection,
    "attachment": _attachment,
    "candidate": _candidate,
    "label": _label,
}
