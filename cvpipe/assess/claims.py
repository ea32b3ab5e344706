"""Claims against pictures: where what people hold of a site and what was seen of it contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cvpipe.domain import Outcome, Rung, Site, SiteStatus, Stage
from cvpipe.ledger.records import SiteLine, SiteState


class ClaimKind(StrEnum):
    """How the ledger and the pictures contradict each other; the most serious first."""

    REBUILT = "rebuilt"
    STANDS = "stands"
    NOT_CLEAR = "not_clear"
    NOT_GREEN = "not_green"
    LEDGER_BEHIND = "ledger_behind"


@dataclass(frozen=True)
class Claim:
    """One site whose row says other than its pictures. `seen` began after `not_yet_on`, by `since`."""

    site_code: str
    owner_system: str
    sub_district: str
    kind: ClaimKind
    claimed: SiteStatus
    seen: Stage
    rung: Rung | None
    since: date | None
    not_yet_on: date | None
    last_seen: date | None


_SAID_CLEAR = frozenset({SiteStatus.CLEARED, SiteStatus.CLOSED})
_SAID_GONE = _SAID_CLEAR | {SiteStatus.DEMOLISHED}
_SAID_BEFORE = frozenset({SiteStatus.REGISTERED, SiteStatus.IN_PROGRESS})


def claim_kind(site: Site | SiteLine, state: SiteState) -> ClaimKind | None:
    """How a site's row contradicts what was seen of it; None where it does not, and where nothing was seen."""
    if site.status in _SAID_GONE and state.stage is Stage.REBOUND:
        return ClaimKind.REBUILT
    if site.status in _SAID_GONE and state.stage in (Stage.STANDING, Stage.IN_PROGRESS):
        return ClaimKind.STANDS
    if site.status in _SAID_CLEAR and state.stage is Stage.DEMOLISHED:
        return ClaimKind.NOT_CLEAR
    if site.status is SiteStatus.CLOSED and state.greening is Outcome.NOT_MET:
        return ClaimKind.NOT_GREEN
    if site.status in _SAID_BEFORE and state.stage in (Stage.DEMOLISHED, Stage.CLEARED):
        return ClaimKind.LEDGER_BEHIND
    return None


def claims(sites: Iterable[Site], states: Mapping[str, SiteState]) -> list[Claim]:
    """The contradictions of all sites, by owner system, sub-district, kind and code."""
    found = [claim for site in sites if (claim := _claim(site, states.get(site.code))) is not None]
    order = list(ClaimKind)
    return sorted(found, key=lambda c: (c.owner_system, c.sub_district, order.index(c.kind), c.site_code))


def _claim(site: Site, state: SiteState | None) -> Claim | None:
    kind = claim_kind(site, state) if state is not None else None
    if state is None or kind is None or state.stage is None:
        return None
    return Claim(
        site.code,
        site.owner_system,
        site.sub_district,
        kind,
        site.status,
        state.stage,
        state.rung,
        state.since,
        state.not_yet_on,
        state.last_seen,
    )


__all__ = ["Claim", "ClaimKind", "claim_kind", "claims"]
