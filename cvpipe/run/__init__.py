"""The job: from sites and scenes in the ledger to assessments in the ledger.

epochs      which scenes of a site are compared, and why
sites       one site: read, align, compare, measure, judge → assessments
difference  what a run would write, and why (`cvpipe run --dry-run`)
job         the whole run, top to bottom
health      what a machine and a workspace need (`cvpipe doctor`)
comparison  a run over a drawn district, held against what was drawn
"""

from cvpipe.run.difference import PlannedPair, Why
from cvpipe.run.job import Failure, RunOptions, RunSummary, plan, run

__all__ = ["Failure", "PlannedPair", "RunOptions", "RunSummary", "Why", "plan", "run"]
