"""Which part of a ledger a report speaks of: a campaign, a batch, an owner system, a sub-district, a span of time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from cvpipe.domain import Batch, Decision, Site, SiteStatus, StatusMove
from cvpipe.ledger import standing
from cvpipe.ledger.records import AssessmentRecord, Entry


@dataclass(frozen=True)
class Scope:
    """What is reported on; an empty text or None leaves all through.

    `since` and `until` are days: only later epochs from the one to the other count, whatever their baseline, and
    decisions, moves and due dates up to `until`.
    """

    campaign: str = ""
    batch: str = ""
    owner_system: str = ""
    sub_district: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self == WHOLE

    def sites(
        self, sites: Iterable[Site], batches: Sequence[Batch], moves: Iterable[Entry[StatusMove]] = ()
    ) -> list[Site]:
        """The sites that are spoken of, with the status that people had given them by `until`."""
        of_campaign = {batch.name for batch in batches if batch.campaign == self.campaign}
        chosen = [site for site in sites if self._lets(site, of_campaign)]
        if self.until is None:
            return chosen
        was = _before_later_moves(moves, self.until)
        return [replace(site, status=was.get(site.code, site.status)) for site in chosen]

    def records(self, records: Iterable[AssessmentRecord], codes: Collection[str]) -> list[AssessmentRecord]:
        """The assessments of these sites that count."""
        return [r for r in records if r.assessment.site_code in codes and self._within(_day_of(r))]

    def decisions(self, decisions: Iterable[Entry[Decision]], codes: Collection[str]) -> list[Entry[Decision]]:
        """What people said of these sites and still stands by `until`."""
        made = [e for e in decisions if self.until is None or e.at.date() <= self.until]
        return [entry for entry in standing(made) if entry.value.site_code in codes]

    def _lets(self, site: Site, of_campaign: Collection[str]) -> bool:
        held = (
            (self.batch, site.batch),
            (self.owner_system, site.owner_system),
            (self.sub_district, site.sub_district),
        )
        return all(wanted in ("", found) for wanted, found in held) and (not self.campaign or site.batch in of_campaign)

    def _within(self, day: date) -> bool:
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)


#: The whole ledger.
WHOLE = Scope()


def _day_of(record: AssessmentRecord) -> date:
    """The later epoch's; for an assessment without scenes the day on which it was made."""
    return record.after_date or record.created_at.date()


def _before_later_moves(moves: Iterable[Entry[StatusMove]], until: date) -> dict[str, SiteStatus]:
    """The status that each site had before its first move after `until`."""
    was = dict[str, SiteStatus]()
    for move in moves:
        if (move.value.effective or move.at.date()) > until:
            was.setdefault(move.value.site_code, move.value.was)
    return was


__all__ = ["WHOLE", "Scope"]
