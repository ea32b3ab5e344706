"""The sites of a drawn district without its pictures."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from cvpipe.ledger import read_sites
from cvpipe.world import District, Setting, Style, TrueSite, true_sites
from cvpipe.world.truth import expected, pair_areas


@pytest.fixture(scope="module")
def seen(district: District) -> list[TrueSite]:
    """The sites of the fixtures' district."""
    assert district.folder.is_dir()
    return true_sites(seed=7, size_m=800.0, gsd_m=0.5)


def test_they_are_those_of_the_district_that_is_drawn_with_pictures(
    seen: list[TrueSite], district: District, truth: dict[str, Any]
) -> None:
    rows = {site.code: site for site in read_sites(district.sites).sites}
    told = {site["code"]: site for site in truth["sites"]}
    for drawn in seen:
        row = rows[drawn.site.code]
        assert (drawn.case, drawn.site.buffer_m) == (told[row.code]["case"], row.buffer_m)
        assert drawn.site.geometry.equals_exact(row.geometry, 1e-6)
        areas = pair_areas(drawn.views[0], drawn.views[2], drawn.place)
        written = told[row.code]["pairs"][1]
        assert {n.removesuffix("_m2"): v for n, v in asdict(areas).items()} == written["areas_m2"]
        if written["reason"] is None:
            assert {q.value: o.value for q, o in expected(areas, row.plan).items()} == written["expected"]


def test_another_roll_and_style_draw_other_sites() -> None:
    roll = (("cleared", "polygon"),) * 3
    drawn = true_sites(seed=7, size_m=500.0, gsd_m=1.0, setting=Setting(replace(Style(looks=()), angle_deg=0.0), roll))
    assert {site.case for site in drawn} == {"cleared"}
    assert 1 <= len(drawn) <= 3
