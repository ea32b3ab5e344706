"""The job: from sites and scenes in the ledger to assessments in the ledger.

epochs      which scenes of a site are compared, and why, by the rules of `epoch_rules`
stated      the same where a person states the epochs
looking     how good an epoch shows a site, remembered in a `journal`
sites       one site: read, align, compare, measure, judge → assessments
planning    the epochs of each site → the pairs that a run assesses
reading     the scenes of those pairs, read ahead of the network
watching    folders and buckets that are looked through for new scenes
difference  what a run would write, and why (`cvpipe run --dry-run`)
job         the whole run, top to bottom
health      what a machine and a workspace need (`cvpipe doctor`)
comparison  a run over a drawn district, held against what was drawn
"""

from cvpipe.run.difference import PlannedPair, Why
from cvpipe.run.job import Failure, Job, Plan, RunOptions, RunSummary, opened, plan, plan_opened, run, run_opened

__all__ = [
    "Failure",
    "Job",
    "Plan",
    "PlannedPair",
    "RunOptions",
    "RunSummary",
    "Why",
    "opened",
    "plan",
    "plan_opened",
    "run",
    "run_opened",
]
