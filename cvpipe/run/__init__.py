"""The job: from sites and scenes in the ledger to assessments in the ledger.

epochs      which scenes of a site are compared, and why, by the rules of `epoch_rules`
stated      the same where a person states the epochs
looking     how good an epoch shows a site, remembered in a file of `looks`
alike       the epochs of many sites that the same scenes show equally well, chosen once
keys        digests that begin with what a site is, hashed once for all of its pairs
sites       one site: read, align, compare, measure, judge → assessments
planning    the epochs of each site → the pairs that a run assesses
order       what a run is asked, and what stays the same throughout it
pairs       the pairs of some sites at a time: what is known, what rests, what is pending
sharing     sites that lie close together, looked at as one; grouping: the same for all sites of a plan
nearby      an index of scenes by place
reading     the scenes of those pairs, read ahead of the network
engines     where pairs are assessed: this process, or the workers of a Ray cluster
recording   what they say, into the ledger some answers at a time
sweep       whole scenes compared (whole_scenes), what lies outside every site merged to candidates (merging)
patience    units that fail: tried again, then set aside
watching    folders, buckets and STAC APIs (catalogues) that are looked through for new scenes
difference  what a run would write, and why (`cvpipe run --dry-run`), as a table (planned)
loads       what that would read and think about; estimate: what it would cost
lease       one run at a time; parts: several that share the sites of a ledger in a database
job         the whole run, top to bottom; summary: what it did
schedule    runs at set times; notices, logs, metrics: how they are told
health      what a machine and a workspace need (`cvpipe doctor`)
comparison  a run over a drawn district, held against what was drawn
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvpipe.run.difference import plan_opened
    from cvpipe.run.engines import RayOptions
    from cvpipe.run.job import opened, plan, run, run_opened
    from cvpipe.run.order import Job, RunOptions
    from cvpipe.run.planned import Plan, PlannedPair, Why
    from cvpipe.run.summary import Failure, RunSummary
else:

    def __getattr__(name: str) -> Any:
        """A name of `__all__` from its module, loaded when it is asked for: a watch needs no network and no torch."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


_HOMES = {
    "Failure": "summary",
    "Job": "order",
    "Plan": "planned",
    "PlannedPair": "planned",
    "RayOptions": "engines",
    "RunOptions": "order",
    "RunSummary": "summary",
    "Why": "planned",
    "opened": "job",
    "plan": "job",
    "plan_opened": "difference",
    "run": "job",
    "run_opened": "job",
}

__all__ = [
    "Failure",
    "Job",
    "Plan",
    "PlannedPair",
    "RayOptions",
    "RunOptions",
    "RunSummary",
    "Why",
    "opened",
    "plan",
    "plan_opened",
    "run",
    "run_opened",
]
