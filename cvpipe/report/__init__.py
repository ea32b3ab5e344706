"""People read: the ledger → a page and a summary.

current    which verdict of each question holds now
content    totals, lists and sites, before they have a form
epochs     which scenes of a site stand side by side, and how far each lies off
chips      the pictures, with outlines as paths
figures    how numbers are written
words      every word in English and Chinese
html       content → one page (templates/)
summary    content → plain data
writing    the ledger → a folder
"""

from cvpipe.report.content import Campaign, Content, build_content
from cvpipe.report.current import Standing, current_verdicts
from cvpipe.report.writing import Format, WrittenReport, write_report

__all__ = [
    "Campaign",
    "Content",
    "Format",
    "Standing",
    "WrittenReport",
    "build_content",
    "current_verdicts",
    "write_report",
]
