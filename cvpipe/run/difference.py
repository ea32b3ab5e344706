"""What a run would write, and why: the difference between what the ledger holds and what it would hold.

A verdict needs the network, so the difference names the assessments that would come, not their answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cvpipe.ledger import AssessmentRecord
from cvpipe.run.sites import PairKind, SitePair


class Why(StrEnum):
    """Why a pair would be assessed."""

    FIRST = "first assessment"
    NEW_SCENE = "new pair of scenes"
    CHANGED_SITE = "outline or plan changed"
    NEW_BUNDLE = "other bundle"
    NEW_RULES = "other rules"


@dataclass(frozen=True)
class PlannedPair:
    """A unit as `--dry-run` shows it. `why` is None where the ledger holds its assessment already (`known`)."""

    site_code: str
    kind: PairKind
    before: date | None
    after: date | None
    reason: str
    known: bool
    why: Why | None = None


def why(pair: SitePair, records: Sequence[AssessmentRecord], bundle_digest: str, rules_version: str) -> Why:
    """What is new about a pair that has no assessment; `records` are all of its site, in order of epoch."""
    asked = [r.assessment for r in records if {v.question for v in r.assessment.verdicts} & set(pair.kind.questions)]
    if not asked:
        return Why.FIRST
    hashes = tuple(scene.content_hash if scene else None for scene in (pair.before, pair.after))
    alike = [assessment for assessment in asked if (assessment.before, assessment.after) == hashes]
    if not alike:
        return Why.NEW_SCENE
    same_bundle = [assessment for assessment in alike if assessment.bundle_digest == bundle_digest]
    if not same_bundle:
        return Why.NEW_BUNDLE
    if all(assessment.rules_version != rules_version for assessment in same_bundle):
        return Why.NEW_RULES
    return Why.CHANGED_SITE
