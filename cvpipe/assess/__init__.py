"""Changes → verdicts: pure rules over measured areas; no I/O, no torch, no rasters.

measuring    pixels inside a site's outline → areas in m²
rules        the limits, as versioned data (`configs/rules.yaml`)
criteria     what a verdict can rest on: names, senses, words
verdicts     measurements + plan + rules → demolition, clearance, greening, rebound
explaining   a verdict's sentence in English or Chinese
"""

from cvpipe.assess.explaining import explain
from cvpipe.assess.measuring import measure
from cvpipe.assess.rules import Rules, default_rules
from cvpipe.assess.verdicts import (
    REMEDIATION,
    assess_rebound,
    assess_remediation,
    not_assessable,
    observed_status,
    unusable,
)

__all__ = [
    "REMEDIATION",
    "Rules",
    "assess_rebound",
    "assess_remediation",
    "default_rules",
    "explain",
    "measure",
    "not_assessable",
    "observed_status",
    "unusable",
]
