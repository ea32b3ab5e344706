"""The one call by which runs, commands and reviewers have the ledger told anew where sites stand."""

from __future__ import annotations

from collections.abc import Collection

from cvpipe.assess.rules import Rules, rules_of
from cvpipe.assess.standing import state_of
from cvpipe.errors import CvpipeError, LedgerUnavailableError
from cvpipe.ledger import Ledger, SiteLife, SiteState

#: Sites that are settled in one transaction: other writers wait a tenth of a second for so many.
_AT_ONCE = 50


def settle_sites(ledger: Ledger, rules: Rules, codes: Collection[str] | None = None) -> dict[str, str]:
    """Settle those sites (of all, or of some) on which something was entered since they were last settled.

    `rules` are the campaign's. Returns why a site could not be settled, by code: rules of its own that cannot be read.
    """
    failed = dict[str, str]()

    def judge(life: SiteLife) -> SiteState | None:
        try:
            return state_of(life, rules_of(life.site, rules))
        except CvpipeError as error:
            failed[life.site.code] = str(error)
            return None

    unsettled = ledger.unsettled(rules.settling_version, codes)
    for start in range(0, len(unsettled), _AT_ONCE):
        codes = unsettled[start : start + _AT_ONCE]
        try:
            ledger.settle_all(codes, judge, rules.settling_version)
        except LedgerUnavailableError:
            raise
        except CvpipeError:
            failed |= _settled_one_by_one(ledger, rules, codes)
    return failed


def _settled_one_by_one(ledger: Ledger, rules: Rules, codes: Collection[str]) -> dict[str, str]:
    """Why sites could not be settled, by code: what one of them dies of costs the others nothing."""
    failed = dict[str, str]()
    for code in codes:
        try:
            settle_site(ledger, rules, code)
        except CvpipeError as error:
            failed[code] = str(error)
    return failed


def settle_site(ledger: Ledger, rules: Rules, code: str) -> SiteState:
    """Settle one site, whether something was entered or not. Raises what `Ledger.settle` and `rules_of` raise."""

    def judge(life: SiteLife) -> SiteState:
        return state_of(life, rules_of(life.site, rules))

    return ledger.settle(code, judge, rules.settling_version)


__all__ = ["settle_site", "settle_sites"]
