"""What a ledger exports, it takes in again as it was: any outline, any words, any date, in each format."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvpipe.domain import Site
from cvpipe.ledger import read_sites, write_sites
from cvpipe.ledger.columns import canonical_json
from cvpipe.ledger.exchange.tables import Language
from tests.ledger import drawn_sites


def there_and_back(sites: list[Site], suffix: str, language: Language = "en") -> list[Site]:
    """The sites out of a file that they were written into."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"sites{suffix}"
        write_sites(sites, path, language=language)
        read = read_sites(path)
    assert read.refused == []
    assert read.notices == []
    return read.sites


def exactly(site: Site) -> tuple[object, ...]:
    """A site so that 1, 1.0 and True are different."""
    free = canonical_json([site.attributes, site.plan.rules])
    return site, free, site.geometry.wkb, site.plan.retained and site.plan.retained.wkb


def _round_trip(suffix: str, sites: list[Site], language: Language) -> None:
    back = there_and_back(sites, suffix, language)
    assert [exactly(one) for one in back] == [exactly(one) for one in sites]


_any_ledger = given(sites=drawn_sites.ledgers, language=st.sampled_from(["en", "zh"]))
_often = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@_any_ledger
@_often
def test_geojson(sites: list[Site], language: Language) -> None:
    _round_trip(".geojson", sites, language)


@_any_ledger
@settings(_often, max_examples=15)  # each one makes an SQLite file
def test_geopackage(sites: list[Site], language: Language) -> None:
    _round_trip(".gpkg", sites, language)


@_any_ledger
@_often
def test_kml(sites: list[Site], language: Language) -> None:
    _round_trip(".kml", sites, language)


@_any_ledger
@_often
def test_csv(sites: list[Site], language: Language) -> None:
    _round_trip(".csv", sites, language)


@_any_ledger
@_often
def test_xlsx(sites: list[Site], language: Language) -> None:
    _round_trip(".xlsx", sites, language)
