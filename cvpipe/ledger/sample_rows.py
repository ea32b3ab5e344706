"""Samples of checked sites, and what inspectors found at them. Both are appended; the last word on a site holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, select

from cvpipe.domain import Sample, SampleResult, SampleUnit, Stratum
from cvpipe.errors import LedgerError
from cvpipe.ledger import entries, site_rows
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Entry
from cvpipe.ledger.schema import Row, sample_results, samples


def enter(connection: Connection, sample: Sample) -> Entry[Sample]:
    """Append a sample. Raises LedgerError where nobody is named, or nothing was drawn."""
    entries.refuse_blank("who draws the sample", sample.who)
    if not sample.units:
        raise LedgerError("the sample holds no site", remedy="Run an assessment first, then draw.")
    row = {**_columns(sample), "at": now()}
    details = {
        **{name: row[name] for name in ("seed", "per_stratum", "who")},
        "sites": [unit.site_code for unit in sample.units],
        "strata": {stratum.name: f"{stratum.drawn} of {len(stratum.frame)}" for stratum in sample.strata},
    }
    return Entry(entries.enter(connection, "sample", row, action="drawn", details=details), row["at"], sample)


def all_samples(connection: Connection) -> list[Entry[Sample]]:
    """Samples in the order they were drawn."""
    rows = connection.execute(select(samples).order_by(samples.c.id)).mappings()
    return [Entry(row["id"], row["at"], _sample_of(row)) for row in rows]


def one(connection: Connection, sample_id: int) -> Entry[Sample]:
    """A sample by its number. Raises LedgerError when there is none."""
    row = entries.row_of(connection, "sample", sample_id)
    return Entry(row["id"], row["at"], _sample_of(row))


def record(connection: Connection, result: SampleResult) -> Entry[SampleResult] | None:
    """Append what was found at a site of a sample; None where just that was recorded already.

    Raises LedgerError where nobody is named, or the site was not drawn.
    """
    entries.refuse_blank("who checked the site", result.who)
    drawn = {unit.site_code for unit in one(connection, result.sample_id).value.units}
    if result.site_code not in drawn:
        site_rows.row_of(connection, result.site_code)
        raise LedgerError(
            f"site {result.site_code} is none of sample {result.sample_id}",
            remedy="Record it with `cvpipe sites inspect`; a site that was not drawn must not enter the estimate.",
        )
    if result in (entry.value for entry in all_results(connection, result.sample_id)):
        return None
    row = {**vars(result), "at": now()}
    return Entry(entries.enter(connection, "sample_result", row), row["at"], result)


def all_results(connection: Connection, sample_id: int) -> list[Entry[SampleResult]]:
    """What was found at the sites of a sample, by site: the last word on each."""
    query = select(sample_results).where(sample_results.c.sample_id == sample_id).order_by(sample_results.c.id)
    last = {row["site_code"]: row for row in connection.execute(query).mappings()}
    return [Entry(row["id"], row["at"], _result_of(row)) for _, row in sorted(last.items())]


def _columns(sample: Sample) -> dict[str, Any]:
    return {
        **{name: getattr(sample, name) for name in ("seed", "per_stratum", "who")},
        "strata": [asdict(stratum) for stratum in sample.strata],
        "units": [asdict(unit) for unit in sample.units],
        "size_limits_m2": list(sample.size_limits_m2),
    }


def _sample_of(row: Row) -> Sample:
    strata = tuple(Stratum(**{**plain, "frame": tuple(plain["frame"])}) for plain in row["strata"])
    units = tuple(SampleUnit(**plain) for plain in row["units"])
    return Sample(row["seed"], row["per_stratum"], row["who"], strata, units, tuple(row["size_limits_m2"]))


def _result_of(row: Row) -> SampleResult:
    names = ("sample_id", "site_code", "checked_on", "who", "outcomes", "areas_m2", "note")
    return SampleResult(**{name: row[name] for name in names})
