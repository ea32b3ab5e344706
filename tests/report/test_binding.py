"""Dossiers in one PDF: contents in front, a bookmark for each site, and pages that are numbered through."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cvpipe.errors import UsageError
from cvpipe.ledger import Ledger
from cvpipe.report import Campaign, Format, Look, write_dossiers

pikepdf = pytest.importorskip("pikepdf")

TODAY = date(2017, 6, 30)


def test_each_site_has_a_bookmark_on_its_first_page(ledger: Ledger, out: Path) -> None:
    codes = ["L-001", "L-004", "L-007"]
    written = write_dossiers(ledger, Campaign("Hills"), out, codes, look=Look("zh"), made_on=TODAY, bound=True)
    assert written.bound == (out.resolve() / "bound" / "dossiers-001.pdf",)
    lengths = [len(pikepdf.open(file).pages) for file in sorted((out / "pdf").iterdir())]
    with pikepdf.open(written.bound[0]) as volume:
        assert len(volume.pages) == 1 + sum(lengths)
        assert [item.title for item in volume.open_outline().root] == [
            "L-001 Timber yard",
            "L-004 Depot",
            "L-007 Kiosk",
        ]
        marked = [volume.pages.index(item.destination[0]) for item in volume.open_outline().root]
        assert marked == [1, 1 + lengths[0], 1 + lengths[0] + lengths[1]]
        assert [page.label for page in volume.pages][:3] == ["i", "1", "2"]
        printed = [page.Contents[-1].read_bytes() for page in volume.pages if "/RunningNumber" in page.Resources.Font]
        assert [text.split(b"(")[1].split(b")")[0] for text in printed] == [
            b"%d" % n for n in range(1, sum(lengths) + 1)
        ]
        assert volume.open_metadata()["dc:title"] == "Hills"
    assert 'href="bound/dossiers-001.pdf"' in (out / "index.html").read_text("utf-8")


def test_large_ledgers_are_bound_in_volumes(ledger: Ledger, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvpipe.report.binding.VOLUME", 2)
    codes, look = ["L-001", "L-005", "L-007"], Look(pictures=False)
    written = write_dossiers(ledger, Campaign("Hills"), out, codes, look=look, made_on=TODAY, bound=True)
    assert [len(pikepdf.open(file).open_outline().root) for file in written.bound] == [2, 1]


def test_no_link_leads_into_the_disk_of_whoever_made_it(ledger: Ledger, out: Path) -> None:
    write_dossiers(ledger, Campaign("Hills"), out, ["L-001"], made_on=TODAY)
    with pikepdf.open(out / "pdf" / "00001-L-001.pdf") as dossier:
        streams = [one for one in dossier.objects if isinstance(one, pikepdf.Stream)]
        assert any(stream.get("/Subtype") == "/Image" for stream in streams)
        assert not any(page.get("/Annots") for page in dossier.pages)


def test_only_pdfs_are_bound(ledger: Ledger, out: Path) -> None:
    with pytest.raises(UsageError, match="only PDFs are bound"):
        write_dossiers(ledger, Campaign("Hills"), out, ["L-001"], formats=[Format.HTML], bound=True)
    assert not out.exists()
