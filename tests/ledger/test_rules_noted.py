"""The audit trail holds every version of the rules that a run has used, and what was changed in it."""

from __future__ import annotations

from cvpipe.assess import Rules, default_rules
from cvpipe.ledger import Ledger
from cvpipe.ledger.run_rows import RULES_FIRST_USED
from tests.ledger import samples


def noted(ledger: Ledger, run_id: int, rules: Rules) -> bool:
    return ledger.note_rules(run_id, rules.version, rules.model_dump(mode="json"))


def test_a_version_is_noted_once_and_with_what_changed(ledger: Ledger) -> None:
    first, second = samples.begin_run(ledger), samples.begin_run(ledger)
    plain = default_rules()
    strict = plain.model_copy(update={"rebound": plain.rebound.model_copy(update={"added_m2": 12.0})})
    assert [noted(ledger, first, plain), noted(ledger, second, plain), noted(ledger, second, strict)] == [1, 0, 1]
    rows = [row for row in ledger.audit() if row.action == RULES_FIRST_USED]
    assert [(row.subject, row.details["rules_version"]) for row in rows] == [
        (str(first), plain.version),
        (str(second), strict.version),
    ]
    assert rows[1].details["was"] == plain.version
    assert rows[1].details["changed"] == {"rebound.added_m2": [30.0, 12.0]}
    assert Rules.model_validate(ledger.rules_used()[strict.version]).version == strict.version
    assert ledger.verify().problems == ()
