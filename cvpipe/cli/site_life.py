"""`cvpipe sites history | move | decide | finding | resolve | findings | inspect | summary`: what became of sites.

Everything that the reviewers' page enters can be entered here as well.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cvpipe.cli import console
from cvpipe.cli.tongue import language
from cvpipe.cli.workspace import JsonOption, WorkspaceOption, day_of
from cvpipe.errors import UsageError

if TYPE_CHECKING:
    from enum import StrEnum

    from cvpipe.domain import Question
    from cvpipe.ledger import Happening, Ledger, OwnerSystemTotals, Workspace
    from cvpipe.settings import WorkspaceSettings

Word = TypeVar("Word", bound="StrEnum")

CodeArgument = Annotated[str, typer.Argument(metavar="CODE", help="The site's code.", show_default=False)]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="User name or role of who says so.")]
NoteOption = Annotated[str, typer.Option(help="What else there is to say.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands to those of `cvpipe sites`."""
    group.command("history")(history)
    group.command("move")(move)
    group.command("decide")(decide)
    group.command("inspect")(inspect)
    group.command("finding")(finding)
    group.command("resolve")(resolve)
    group.command("findings")(findings)
    group.command("summary")(summary)


def history(
    code: CodeArgument,
    workspace: WorkspaceOption = Path(),
    brief: Annotated[
        bool, typer.Option("--brief", help="Only what holds: stages as seen, and people's moves.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell the whole life of one site, in order."""
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        happenings = ledger.history(code)
        story = _story(ledger, code) if brief else []
    if brief:
        told = [dict(zip(_STORY, row, strict=True)) for row in story]
        console.print_json(told) if as_json else console.print_table(f"Site {code}", _STORY, story)
        return
    if as_json:
        console.print_json([{**asdict(h.record), "who": h.who, "sentence": h.sentence} for h in happenings])
        return
    console.print_table(f"Site {code} (times in UTC)", ("when", "what", "was", "by", "details"), map(_row, happenings))


def move(
    code: CodeArgument,
    status: Annotated[str, typer.Argument(metavar="STATUS", help="Where it goes.", show_default=False)],
    by: ByOption,
    reason: Annotated[str, typer.Option(help="Why; asked for where something is taken back or exempted.")] = "",
    recheck: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Look again from this day on.")
    ] = None,
    effective: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Day from which it holds, where that is not today."),
    ] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Move a site to another status: close, reopen, exempt, confirm a rebound."""
    from cvpipe.domain import SiteStatus
    from cvpipe.ledger import Workspace

    becomes = _word(SiteStatus, status)
    day, since = day_of(recheck), day_of(effective)
    place = Workspace.open(workspace)
    with place.ledger() as ledger:
        made = ledger.move_site(code, becomes, who=by, reason=reason, recheck_on=day, effective=since).value
        _settle(place, ledger, code)
    console.out.print(f"{code}: {made.was} → {made.becomes}", markup=False)


def decide(
    code: CodeArgument,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="For example clearance.", show_default=False)],
    verdict: Annotated[str, typer.Argument(metavar="VERDICT", help="For example not_met.", show_default=False)],
    by: ByOption,
    reason: Annotated[str, typer.Option(help="Why, in a word or two.")] = "",
    note: NoteOption = "",
    second_reviewer: Annotated[str, typer.Option(help="User name or role of who looked as well.")] = "",
    supersedes: Annotated[int | None, typer.Option(help="Id of the decision that this one replaces.")] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Answer a question about a site, on grounds of its last assessment that answers it."""
    from cvpipe.domain import Decision, Outcome, Question
    from cvpipe.ledger import Workspace

    asked, answered = _word(Question, question), _word(Outcome, verdict)
    place = Workspace.open(workspace)
    with place.ledger() as ledger:
        decision = Decision(
            code,
            by,
            asked,
            answered,
            assessment_key=_last_key(ledger, code, asked),
            reason=reason,
            note=note,
            second_reviewer=second_reviewer,
            supersedes=supersedes,
        )
        entry = ledger.decide(decision)
        _settle(place, ledger, code)
    console.out.print(f"decision {entry.id}: {code} {question} {verdict}", markup=False)


def inspect(
    code: CodeArgument,
    result: Annotated[str, typer.Argument(metavar="RESULT", help="For example clear.", show_default=False)],
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Day of the visit.")],
    by: ByOption,
    note: NoteOption = "",
    workspace: WorkspaceOption = Path(),
) -> None:
    """Enter a visit to a site."""
    from cvpipe.domain import Inspection, InspectionResult
    from cvpipe.ledger import Workspace

    found = _word(InspectionResult, result)
    place = Workspace.open(workspace)
    with place.ledger() as ledger:
        entry = ledger.inspect(Inspection(code, on.date(), found, by, note))
        _settle(place, ledger, code)
    console.out.print(f"inspection {entry.id}: {code} {result}", markup=False)


def _settle(place: Workspace, ledger: Ledger, code: str) -> None:
    """Have the ledger told anew where the site stands; what was entered stays, whether that succeeds or not."""
    from cvpipe.assess.rules import read_rules
    from cvpipe.assess.settling import settle_sites

    try:
        reasons = list(settle_sites(ledger, read_rules(place.settings().rules, ledger.batches()), [code]).values())
    except UsageError as error:  # rules or settings that cannot be read: the row is in the ledger all the same
        reasons = [str(error)]
    for reason in reasons:
        console.err.print(f"{code}: entered, but where it stands could not be told: {reason}", markup=False)


def finding(
    code: CodeArgument,
    what: Annotated[str, typer.Argument(metavar="TEXT", help="What must be put right.", show_default=False)],
    due: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="By when.")],
    by: ByOption,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Enter something on a site that must be put right by a date."""
    from cvpipe.domain import Finding
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        entry = ledger.raise_finding(Finding(code, what, due.date(), by))
    console.out.print(f"finding {entry.id}: due {entry.value.due_date}", markup=False)


def resolve(
    finding_id: Annotated[int, typer.Argument(metavar="FINDING", help="Id of the finding.", show_default=False)],
    by: ByOption,
    note: NoteOption = "",
    workspace: WorkspaceOption = Path(),
) -> None:
    """Say that a finding was put right, and how."""
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        entry = ledger.resolve_finding(finding_id, who=by, resolution=note)
    console.out.print(f"finding {entry.id} of site {entry.value.site_code} is resolved", markup=False)


def findings(
    workspace: WorkspaceOption = Path(),
    site: Annotated[str | None, typer.Option("--site", metavar="CODE", help="Only those on this site.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List findings by due date."""
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        if site is not None:
            ledger.sites([site])  # a code that is mistyped is no site without findings
        found = ledger.findings(site, only_open=not every)
    if as_json:
        console.print_json([{"id": entry.id, "at": entry.at, **asdict(entry.value)} for entry in found])
        return
    columns = ("id", "site", "what", "due", "by", "resolved by", "resolution")
    rows = [
        (e.id, v.site_code, v.what, v.due_date, v.who, v.resolved_by or None, v.resolution or None)
        for e, v in ((entry, entry.value) for entry in found)
    ]
    console.print_table(f"{len(found)} findings", columns, rows)


def summary(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Sum the sites up by owner system, hold the completed ones against the target, and say what waits."""
    from cvpipe.ledger import Workspace

    place = Workspace.open(workspace)
    settings = place.settings()
    with place.ledger() as ledger:
        totals = ledger.totals_by_owner_system()
        target, reminders = _target(ledger, settings), ledger.reminders(settings.today())
    if as_json:
        completion = totals[-1].completed / target if target else None
        told = {"by_owner_system": [asdict(t) for t in totals[:-1]], "all": asdict(totals[-1])}
        console.print_json({**told, "target": target, "completion": completion, "reminders": asdict(reminders)})
        return
    columns = ("owner system", "sites", "land", "building", "completed", "green planned", "green added (seen)")
    console.print_table("Sites by owner system (areas in 10,000 m²)", columns, map(_totals_row, totals))
    if target:
        done = totals[-1].completed
        console.out.print(f"target {target} sites: {done} completed, {done / target:.1%}")
    console.out.print(
        f"on {reminders.on}: {reminders.overdue_sites} sites overdue, {reminders.open_findings} findings open "
        f"({reminders.overdue_findings} overdue), {reminders.due_rechecks} sites to look at again",
        soft_wrap=True,
    )


def _word(words: type[Word], given: str) -> Word:
    """A word of the domain. Raises UsageError that names all there are."""
    try:
        return words(given)
    except ValueError:
        raise UsageError(f"there is no {given!r} here", remedy=f"Say one of {', '.join(words)}.") from None


_STORY = ("by", "not yet on", "what", "told by")
_TOLD_BY = {"provisional": "one scene", "scene": "several scenes", "person": "pictures, confirmed by a person"}


def _story(ledger: Ledger, code: str) -> list[tuple[date, date | None, str, str]]:
    """What holds of a site's life, in the order in which it came about."""
    seen: list[tuple[date, date | None, str, str]] = [
        (s.first_seen, s.not_yet_on, s.stage.replace("_", " ") + _area(s.area_m2), _TOLD_BY[s.rung])
        for s in (entry.value for entry in ledger.sightings(code))
    ]
    moves = [
        (m.effective or entry.at.date(), None, f"{m.move.replace('_', ' ')}: {m.was} → {m.becomes}", m.who)
        for entry in ledger.moves(code)
        for m in (entry.value,)
    ]
    return sorted((*seen, *moves), key=lambda row: row[0])


def _area(area_m2: float | None) -> str:
    return "" if area_m2 is None else f", {area_m2:,.0f} m²"


def _row(happening: Happening) -> tuple[object, ...]:
    from cvpipe.assess.telling import happened

    when, told = f"{happening.at:%Y-%m-%d %H:%M:%S}", happened(happening, language())[1]
    return when, happening.kind, happening.action.replace("_", " "), happening.who or None, told


def _last_key(ledger: Ledger, code: str, question: Question) -> str | None:
    """Key of the assessment of the latest epoch that was asked the question."""
    keys = [
        record.assessment.key
        for record in ledger.assessments(code)
        if any(verdict.question is question for verdict in record.assessment.verdicts)
    ]
    return keys[-1] if keys else None


def _target(ledger: Ledger, settings: WorkspaceSettings) -> int | None:
    """That of the campaign in the ledger which the settings name, or of the only one; else that of the settings."""
    campaigns = {campaign.name: campaign for campaign in ledger.campaigns()}
    named = campaigns.get(settings.campaign)
    chosen = named or (next(iter(campaigns.values())) if len(campaigns) == 1 else None)
    return (chosen and chosen.target_sites) or settings.campaign_target


def _totals_row(totals: OwnerSystemTotals) -> tuple[Any, ...]:
    return (
        "all" if totals.owner_system is None else totals.owner_system or "–",
        totals.sites,
        _ten_thousands(totals.land_m2),
        _ten_thousands(totals.building_m2),
        totals.completed,
        _ten_thousands(totals.green_planned_m2),
        _ten_thousands(totals.green_added_m2),
    )


def _ten_thousands(area_m2: float) -> int | float:
    """m² in units of 10,000 m², to one decimal; a whole number of them as such."""
    rounded = round(area_m2 / 10_000, 1)
    return int(rounded) if rounded.is_integer() else rounded
