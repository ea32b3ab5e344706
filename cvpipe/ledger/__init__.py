"""What we know: sites, scenes, runs, assessments, changes and the audit trail. The only room that speaks SQL.

Workspace   the folder of a campaign: settings, ledger, runs
Ledger      the file, and everything one may ask of it
SeenFile    beside it: how good epochs show sites, which can be found out again
read_sites  a file of sites, with the rows that were refused; write_sites and others for the way out
"""

from cvpipe.ledger.exchange.delimited import guarded
from cvpipe.ledger.exchange.exporting import write_changes, write_sites, write_surfaces
from cvpipe.ledger.exchange.reading import read_sites
from cvpipe.ledger.exchange.sites_file import ColumnRead, Notice, SitesFile
from cvpipe.ledger.exchange.writing import WrittenFiles
from cvpipe.ledger.ledger import Ledger
from cvpipe.ledger.map_shift import MapShift
from cvpipe.ledger.records import (
    Answered,
    AssessmentRecord,
    AuditRecord,
    Entry,
    Flag,
    GivenVerdict,
    Happening,
    ImportSummary,
    ItemKey,
    Lease,
    LeaseState,
    Observed,
    OwnerSystemTotals,
    QueueItem,
    Reminders,
    RunRecord,
    Session,
    SiteLife,
    SiteLine,
    SiteState,
    SiteVersion,
    Touched,
    Verification,
)
from cvpipe.ledger.seen import SeenFile
from cvpipe.ledger.site_rows import site_as_plain
from cvpipe.ledger.standing_decisions import standing
from cvpipe.ledger.workspace import Workspace

__all__ = [
    "Answered",
    "AssessmentRecord",
    "AuditRecord",
    "ColumnRead",
    "Entry",
    "Flag",
    "GivenVerdict",
    "Happening",
    "ImportSummary",
    "ItemKey",
    "Lease",
    "LeaseState",
    "Ledger",
    "MapShift",
    "Notice",
    "Observed",
    "OwnerSystemTotals",
    "QueueItem",
    "Reminders",
    "RunRecord",
    "SeenFile",
    "Session",
    "SiteLife",
    "SiteLine",
    "SiteState",
    "SiteVersion",
    "SitesFile",
    "Touched",
    "Verification",
    "Workspace",
    "WrittenFiles",
    "guarded",
    "read_sites",
    "site_as_plain",
    "standing",
    "write_changes",
    "write_sites",
    "write_surfaces",
]
