"""The one call by which runs, commands and reviewers have the ledger told anew where sites stand."""

from __future__ import annotations

from collections.abc import Collection

from cvpipe.assess.rules import Rules, rules_of
from cvpipe.assess.standing import state_of
from cvpipe.errors import CvpipeError
from cvpipe.ledger import Ledger, SiteLife, SiteState


def settle_sites(ledger: Ledger, rules: Rules, codes: Collection[str] | None = None) -> dict[str, str]:
    """Settle those sites (of all, or of some) on which something was entered since they were last settled.

    `rules` are the campaign's. Returns why a site could not be settled, by code: rules of its own that cannot be read.
    """

    failed = dict[str, str]()
    for code in ledger.unsettled(rules.settling_version, codes):
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
