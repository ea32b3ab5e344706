"""What we know: sites, scenes, runs, assessments, changes and the audit trail. The only room that speaks SQL.

Workspace   the folder of a campaign: settings, ledger, runs
Ledger      the file, and everything one may ask of it
read_sites  a GeoJSON or CSV file of sites, with the rows that were refused
"""

from cvpipe.ledger.ledger import Ledger
from cvpipe.ledger.reading_sites import Notice, SitesFile, read_sites
from cvpipe.ledger.records import (
    AssessmentRecord,
    AuditRecord,
    ImportSummary,
    Observed,
    OwnerSystemTotals,
    RunRecord,
    Verification,
)
from cvpipe.ledger.site_rows import site_as_plain
from cvpipe.ledger.workspace import Workspace

__all__ = [
    "AssessmentRecord",
    "AuditRecord",
    "ImportSummary",
    "Ledger",
    "Notice",
    "Observed",
    "OwnerSystemTotals",
    "RunRecord",
    "SitesFile",
    "Verification",
    "Workspace",
    "read_sites",
    "site_as_plain",
]
