"""`cvpipe claims`: where the ledger and the pictures contradict each other, what took too long, what is watched."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption, day_of
from cvpipe.errors import UsageError

if TYPE_CHECKING:
    from cvpipe.assess.rules import Rules
    from cvpipe.ledger import Ledger


class Listing(StrEnum):
    """What is listed."""

    CLAIMS = "claims"
    CLOCKS = "clocks"
    WATCH = "watch"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("claims")(claims)


def claims(
    workspace: WorkspaceOption = Path(),
    listing: Annotated[
        Listing, typer.Option("--list", help="Contradictions, durations against their limits, or sites under watch.")
    ] = Listing.CLAIMS,
    owner_system: Annotated[str | None, typer.Option(help="Only sites of this owner system.")] = None,
    sub_district: Annotated[str | None, typer.Option(help="Only sites of this sub-district.")] = None,
    sort: Annotated[str | None, typer.Option(metavar="FIELD", help="Order by a field, as --json names it.")] = None,
    on: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="As of a day: claims by the epochs, decisions and moves up to it; clocks and watch count to it.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold what the ledger says against the pictures."""
    from cvpipe.ledger import Workspace

    opened, then = Workspace.open(workspace), day_of(on)
    settings = opened.settings()
    day = then or settings.today()
    with opened.ledger() as ledger:
        rules = settled(ledger, settings.rules)
        rows = _ROWS[listing](_Asked(ledger, rules, day, then is not None, settings.zone))
    rows = [row for row in rows if owner_system in (None, row["owner_system"])]
    rows = [row for row in rows if sub_district in (None, row["sub_district"])]
    rows = _sorted(rows, sort)
    if as_json:
        console.print_json(rows)
        return
    columns = list(rows[0]) if rows else ["site_code"]
    titles = [name.replace("_", " ") for name in columns]
    console.print_table(f"{len(rows)} {_TITLES[listing]} on {day}", titles, [list(row.values()) for row in rows])


def settled(ledger: Ledger, path: Path | None) -> Rules:
    """The campaign's rules, after all sites were settled by them."""
    from cvpipe.assess.rules import read_rules
    from cvpipe.assess.settling import settle_sites

    rules = read_rules(path, ledger.batches())
    for why in settle_sites(ledger, rules).values():
        console.err.print(f"cvpipe: {why}", soft_wrap=True, markup=False)
    return rules


@dataclass(frozen=True)
class _Asked:
    """What is listed from, and of which day; `looks_back` where somebody named the day."""

    ledger: Ledger
    rules: Rules
    on: date
    looks_back: bool
    zone: tzinfo


def _claims(asked: _Asked) -> list[dict[str, Any]]:
    from cvpipe.assess.claims import claims
    from cvpipe.report.material import read_material
    from cvpipe.report.scope import Scope

    sites, states = asked.ledger.sites(), asked.ledger.states()
    if asked.looks_back:
        then = read_material(asked.ledger, Scope(until=asked.on), asked.rules)
        sites, states = list(then.sites), dict(then.background.states)
    return [asdict(claim) for claim in claims(sites, states)]


def _clocks(asked: _Asked) -> list[dict[str, Any]]:
    from cvpipe.assess.clocks import clocks

    ledger = asked.ledger
    due = {batch.name: batch.due_date for batch in ledger.batches() if batch.due_date}
    known = ledger.sites(), due, ledger.states(), ledger.sightings()
    return [asdict(clock) for clock in clocks(*known, asked.on, asked.rules.clocks, asked.zone)]


def _watch(asked: _Asked) -> list[dict[str, Any]]:
    """Closed sites and those that were built on again, the ones that wait longest first."""
    from cvpipe.domain import SiteStatus

    states, found = asked.ledger.states(), []
    for site in asked.ledger.sites():
        state = states[site.code]
        if site.status in (SiteStatus.CLOSED, SiteStatus.REBOUND) or state.rebound_since is not None:
            found.append(
                {
                    "site_code": site.code,
                    "owner_system": site.owner_system,
                    "sub_district": site.sub_district,
                    "status": site.status,
                    "seen": state.stage,
                    "rung": state.rung,
                    "last_seen": state.last_seen,
                    "rebounds": state.rebounds,
                    "rebound_since": state.rebound_since,
                    "rebound_m2": state.rebound_m2,
                    "recheck_due": state.recheck_due,
                    "recheck_overdue": state.recheck_due is not None and state.recheck_due < asked.on,
                }
            )
    return sorted(found, key=lambda row: (row["recheck_due"] or date.max, row["site_code"]))


def _sorted(rows: list[dict[str, Any]], by: str | None) -> list[dict[str, Any]]:
    """Ordered by a field, what has none last. Raises UsageError that names the fields."""
    if by is None or not rows:
        return rows
    if by not in rows[0]:
        raise UsageError(f"there is no field {by!r} here", remedy=f"Order by one of {', '.join(rows[0])}.")
    return sorted(
        rows, key=lambda row: (row[by] is None, row[by] if isinstance(row[by], int | float) else str(row[by]))
    )


_ROWS = {Listing.CLAIMS: _claims, Listing.CLOCKS: _clocks, Listing.WATCH: _watch}
_TITLES = {
    Listing.CLAIMS: "sites whose row and pictures contradict each other",
    Listing.CLOCKS: "durations",
    Listing.WATCH: "sites under watch",
}
