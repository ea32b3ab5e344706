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

    def judge(life: SiteLife) -> SiteState:
        return state_of(life, rules_of(life.site, rules))

    failed = dict[str, str]()
    for code in ledger.unsettled(rules.settling_version, codes):
        try:
            ledger.settle(code, judge, rules.settling_version)
        except CvpipeError as error:
            failed[code] = str(error)
    return failed


__all__ = ["settle_sites"]
