"""Sites in a window: the index finds what a look at every site finds, in each store."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from shapely.geometry import Polygon, box

from cvpipe.domain import Site
from cvpipe.ledger import Ledger
from tests.ledger import samples


def scattered(count: int) -> list[Site]:
    """Boxes of all sizes around (116, 39), the same each time."""
    rng = np.random.default_rng(4)
    corners, sides = np.add(rng.random((count, 2)), (116, 39)), rng.random((count, 2)) ** 4
    return [
        samples.site(f"S{number:03d}", geometry=box(x, y, x + width, y + height))
        for number, ((x, y), (width, height)) in enumerate(zip(corners, sides, strict=True))
    ]


def touches(site: Site, window: Polygon) -> bool:
    """Whether bounding boxes touch, by looking."""
    return bool(box(*site.geometry.bounds).intersects(window))


def test_windows_find_what_touches_them(ledger: Ledger) -> None:
    sites = scattered(200)
    ledger.put_sites(sites, source="test")
    rng = np.random.default_rng(5)
    for x, y, side in rng.random((40, 3)) * (1, 1, 0.2):
        window = box(116 + x, 39 + y, 116 + x + side, 39 + y + side)
        expected = [site.code for site in sites if touches(site, window)]
        assert [site.code for site in ledger.sites_in(window.bounds)] == expected


def test_the_box_around_all_sites(ledger: Ledger) -> None:
    assert ledger.bounds_of_sites() is None
    sites = scattered(50)
    ledger.put_sites(sites, source="test")
    corners = np.array([site.geometry.bounds for site in sites])
    assert ledger.bounds_of_sites() == (*corners[:, :2].min(axis=0).tolist(), *corners[:, 2:].max(axis=0).tolist())


def test_what_single_precision_cannot_tell_apart(ledger: Ledger) -> None:
    """Next to each other by 1e-9 degrees, far below what the indexes keep at longitude 116."""
    ledger.put_sites([samples.site("A", geometry=box(116.1, 39.1, 116.2, 39.2))], source="test")
    assert ledger.sites_in((116.2 + 1e-9, 39.1, 116.3, 39.2)) == []
    assert len(ledger.sites_in((116.2, 39.1, 116.3, 39.2))) == 1


def test_a_window_follows_a_site_that_moves(ledger: Ledger) -> None:
    before = samples.site("A", geometry=box(1, 1, 2, 2))
    ledger.put_sites([before], source="test")
    ledger.put_sites([replace(before, geometry=box(5, 5, 6, 6))], source="test")
    assert ledger.sites_in((1, 1, 2, 2)) == []
    assert [site.code for site in ledger.sites_in((5.5, 5.5, 5.6, 5.6))] == ["A"]


def test_codes_are_ordered_by_their_bytes(ledger: Ledger) -> None:
    """A database's own collation would put a before B, and á before b."""
    codes = ["B", "a", "b", "á", "北"]
    ledger.put_sites([samples.site(code) for code in reversed(codes)], source="test")
    assert [site.code for site in ledger.sites()] == codes
