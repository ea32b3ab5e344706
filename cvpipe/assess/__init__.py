"""Changes → verdicts: pure rules over measured areas; no I/O, no torch, no rasters.

measuring    pixels inside a site's outline → areas in m²
spreads      the network's probabilities → how far those areas may be off
intervals    that, by the rules → the interval that holds the true area nine times in ten
rules        the limits, as versioned data (`configs/rules.yaml`)
criteria     what a verdict can rest on: names, senses, words
verdicts     measurements + plan + rules → demolition, clearance, greening, rebound
explaining   a verdict's sentence in English or Chinese

ladder       the epochs of a site together: provisional, confirmed by a later scene, confirmed by a person
watching     closed sites: since when, against which epoch, when to look again
standing     where a site stands, and why a person should look; settling has the ledger keep it
claims       where the ledger and the pictures contradict each other
clocks       how long things took, as far as the epochs tell, against the limits
sampling     a stratified sample of sites, and totals with their standard errors
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
