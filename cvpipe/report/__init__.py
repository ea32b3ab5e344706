"""People read: the ledger → a page and a summary.

scope      which sites and which span of time a report speaks of
material   everything that it is made from, read from the ledger once
current    which verdict of each question holds now
trend      how far the campaign was at each epoch
pace       how fast people review
content    totals, lists and sites, before they have a form
epochs     which scenes of a site stand side by side, and how each lies on the first
chips      the pictures, with outlines as paths
charts     running totals as lines
figures    how numbers are written, and in which unit
words      every word in English and Chinese
html       content → pages (templates/)
pdf        a page → paper
workbook   content → a workbook
summary    content → plain data
writing    the ledger → a folder
dossier    all that is known of one site → a document that can be checked years later
binding    many PDFs → one with contents, bookmarks and page numbers
public     what may be published → a map page, GeoJSON and CSV
catalogue  assessments, scenes and networks → a STAC catalogue
"""

from cvpipe.report.catalogue import WrittenCatalogue, write_catalogue
from cvpipe.report.content import Campaign, Content, build_content
from cvpipe.report.current import Standing, current_verdicts
from cvpipe.report.dossier import WrittenDossiers, write_dossiers
from cvpipe.report.figures import AreaUnit
from cvpipe.report.public import WrittenPublic, write_public
from cvpipe.report.scope import Scope
from cvpipe.report.writing import Format, Look, WrittenReport, write_report

__all__ = [
    "AreaUnit",
    "Campaign",
    "Content",
    "Format",
    "Look",
    "Scope",
    "Standing",
    "WrittenCatalogue",
    "WrittenDossiers",
    "WrittenPublic",
    "WrittenReport",
    "build_content",
    "current_verdicts",
    "write_catalogue",
    "write_dossiers",
    "write_public",
    "write_report",
]
