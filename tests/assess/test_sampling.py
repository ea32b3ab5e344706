"""Samples and totals, against the worked examples of the papers and against a district whose truth is known."""

from __future__ import annotations

import random
from datetime import date

import pytest

from cvpipe.assess.sampling import (
    SITE_AREA,
    Estimate,
    FrameSite,
    draw,
    estimates,
    stratified_ratio,
    stratified_total,
    t_quantile,
)
from cvpipe.domain import Sample, SampleResult, SampleUnit

#: The example of Olofsson et al. (2014), section 5: counts by mapped class (deforestation, gain, stable forest, stable
#: non-forest) and true class, and the number of pixels that are mapped so, 0.09 ha each.
OLOFSSON = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
PIXELS = [200_000, 150_000, 3_200_000, 6_450_000]
HECTARES = 0.09

#: The numerical example of Stehman (2014): stratum, mapped class and true class of 40 pixels, ten of each stratum.
STRATA = "A" * 10 + "B" * 10 + "C" * 10 + "D" * 10
MAPPED = "A" * 7 + "B" * 3 + "A" + "B" * 11 + "C" * 6 + "B" * 2 + "D" * 10
TRUE = "AAAAACBABC" + "ABBBBBAABB" + "CCCCCDDBBA" + "DDDDDDDCCB"
SIZES = {"A": 40_000, "B": 30_000, "C": 20_000, "D": 10_000}


@pytest.mark.parametrize(("column", "area_ha"), [(0, 21_158), (1, 11_686), (2, 285_770), (3, 581_386)])
def test_areas_of_olofsson(column: int, area_ha: float) -> None:
    found = olofsson(column)
    assert found.value is not None
    assert found.value * HECTARES == pytest.approx(area_ha, abs=1)


@pytest.mark.parametrize(("column", "half_width_ha"), [(0, 6_158), (1, 3_756), (2, 15_510), (3, 16_282)])
def test_standard_errors_of_olofsson(column: int, half_width_ha: float) -> None:
    """The paper states 95 % intervals with z = 1.96."""
    found = olofsson(column)
    assert found.standard_error is not None
    assert 1.96 * found.standard_error * HECTARES == pytest.approx(half_width_ha, rel=0.001)


def olofsson(column: int) -> Estimate:
    """The total of a true class, pixels."""
    values = {str(i): [1.0] * row[column] + [0.0] * (sum(row) - row[column]) for i, row in enumerate(OLOFSSON)}
    return stratified_total("class", "px", values, {str(i): n for i, n in enumerate(PIXELS)})


def by_stratum(holds: list[bool]) -> dict[str, list[float]]:
    """Indicators of the forty pixels."""
    return {h: [float(y) for y, stratum in zip(holds, STRATA, strict=True) if stratum == h] for h in SIZES}


@pytest.mark.parametrize(("name", "share", "error"), [("A", 0.35, 0.082), ("C", 0.20, 0.064)])
def test_areas_of_stehman(name: str, share: float, error: float) -> None:
    found = stratified_total(name, "px", by_stratum([t == name for t in TRUE]), SIZES)
    assert found.value is not None
    assert found.standard_error is not None
    assert found.value / 100_000 == pytest.approx(share, abs=0.0005)
    assert found.standard_error / 100_000 == pytest.approx(error, abs=0.0005)


def test_accuracies_of_stehman() -> None:
    pairs = list(zip(MAPPED, TRUE, strict=True))
    everywhere = by_stratum([True] * 40)
    right = stratified_ratio("right", by_stratum([m == t for m, t in pairs]), everywhere, SIZES)
    both = by_stratum([m == t == "B" for m, t in pairs])
    users = stratified_ratio("user's", both, by_stratum([m == "B" for m, _ in pairs]), SIZES)
    producers = stratified_ratio("producer's", both, by_stratum([t == "B" for _, t in pairs]), SIZES)
    assert [e.value for e in (right, users, producers)] == pytest.approx([0.63, 0.574, 0.794], abs=0.0005)
    errors = [e.standard_error for e in (right, users, producers)]
    assert errors == pytest.approx([0.085, 0.125, 0.116], abs=0.001)


@pytest.mark.parametrize(("degrees", "t"), [(1, 6.314), (2, 2.920), (3, 2.353), (5, 2.015), (10, 1.812), (1e9, 1.645)])
def test_students_t_as_in_the_tables(degrees: float, t: float) -> None:
    assert t_quantile(degrees) == pytest.approx(t, rel=0.003)


def frame(number: int = 400, seed: int = 1) -> tuple[list[FrameSite], dict[str, SampleResult]]:
    """A district and its truth: one of ten that are seen cleared is not, and areas are measured 5 % too large."""
    chance, sites, truth = random.Random(seed), [], {}
    for i in range(number):
        code, area, is_clear = f"S{i:04}", chance.choice([200.0, 900.0, 5000.0]) * chance.uniform(0.8, 1.2), i % 2 == 0
        seen = is_clear != (chance.random() < 0.1)
        gone = 0.4 * area if is_clear else 0.1 * area
        outcome, mapped = ("met" if seen else "not_met"), gone * 1.05 + chance.gauss(0, 10)
        stage = "cleared" if seen else "standing"
        sites.append(
            FrameSite(code, stage, {"clearance": outcome}, {SITE_AREA: area, "structure_removed_m2": mapped}, code)
        )
        truth[code] = SampleResult(
            1,
            code,
            date(2017, 8, 1),
            "inspector",
            {"clearance": "met" if is_clear else "not_met"},
            {"structure_removed_m2": gone},
        )
    return sites, truth


def checked(sample: Sample, truth: dict[str, SampleResult]) -> dict[str, Estimate]:
    """The estimates where every site that was drawn was checked, by name."""
    return {e.name: e for e in estimates(sample, [truth[unit.site_code] for unit in sample.units])}


def test_the_same_seed_draws_the_same_sites_whatever_their_order() -> None:
    sites, _ = frame()
    one, other = draw(sites, seed=7, per_stratum=5, who="a"), draw(sites[::-1], seed=7, per_stratum=5, who="a")
    assert one == other
    assert {u.site_code for u in draw(sites, seed=8, per_stratum=5, who="a").units} != {u.site_code for u in one.units}


def test_strata_are_where_a_site_was_seen_to_stand_and_its_size() -> None:
    sites, _ = frame()
    sample = draw(sites, seed=7, per_stratum=5, who="a")
    assert [s.name for s in sample.strata] == [
        f"{stage}, {size}" for stage in ("cleared", "standing") for size in ("0-500 m²", "500-2000 m²", "from 2000 m²")
    ]
    assert sum(len(s.frame) for s in sample.strata) == len(sites)
    assert all(s.drawn == 5 for s in sample.strata)
    sizes = {s.name: len(s.frame) for s in sample.strata}
    assert all(unit.inclusion == 5 / sizes[unit.stratum] for unit in sample.units)


def test_small_strata_are_drawn_whole_and_no_stratum_gets_a_single_site() -> None:
    sites = [FrameSite(c, "cleared", {}, {SITE_AREA: 100.0}) for c in "ABC"] + [FrameSite("X", "standing", {}, {})]
    sample = draw(sites, seed=1, per_stratum=1, who="a")
    assert [(s.name, s.drawn) for s in sample.strata] == [("cleared, 0-500 m²", 2), ("standing, 0-500 m²", 1)]


def test_a_sample_of_all_sites_gives_the_truth_without_error() -> None:
    sites, truth = frame(60)
    found = checked(draw(sites, seed=1, per_stratum=60, who="a"), truth)
    removed = sum(r.areas_m2["structure_removed_m2"] for r in truth.values())
    total = found["structure_removed_m2"]
    assert total.value == pytest.approx(removed)
    assert total.standard_error == 0
    clear = found["clearance met: sites"]
    assert [clear.value, clear.low, clear.high] == pytest.approx([30, 30, 30])


@pytest.mark.parametrize("name", ["structure_removed_m2", "clearance met: sites", "clearance met: land"])
def test_a_90_percent_interval_holds_the_truth_nine_times_in_ten(name: str) -> None:
    sites, truth = frame()
    clear = [site for site in sites if truth[site.code].outcomes["clearance"] == "met"]
    true = {
        "structure_removed_m2": sum(r.areas_m2["structure_removed_m2"] for r in truth.values()),
        "clearance met: sites": float(len(clear)),
        "clearance met: land": sum(site.mapped[SITE_AREA] for site in clear),
    }[name]
    found = [checked(draw(sites, seed=seed, per_stratum=20, who="a"), truth)[name] for seed in range(200)]
    held = sum(e.low is not None and e.high is not None and e.low <= true <= e.high for e in found) / len(found)
    assert 0.85 <= held <= 0.95
    values = [e.value for e in found if e.value is not None]
    assert sum(values) / len(values) == pytest.approx(true, rel=0.02), "the estimate is unbiased"
    assert sum(e.mapped or 0 for e in found) / len(found) != pytest.approx(true, rel=0.005), "the mapped sum is not"


def test_what_was_not_checked_is_named() -> None:
    sites, truth = frame()
    sample = draw(sites, seed=1, per_stratum=3, who="a")
    some = [truth[u.site_code] for u in sample.units if u.stratum != "cleared, 0-500 m²"]
    found = {e.name: e for e in estimates(sample, some)}["clearance met: sites"]
    assert (found.value, found.wanting, found.checked) == (None, ("cleared, 0-500 m²",), 15)
    assert estimates(sample, []) == []


def test_a_sample_without_any_error_says_what_it_could_not_detect() -> None:
    sites, truth = frame(60)
    flawless = {site.code: SampleResult(1, site.code, date(2017, 8, 1), "i", dict(site.outcomes), {}) for site in sites}
    found = checked(draw(sites, seed=1, per_stratum=3, who="a"), flawless)["clearance met: sites"]
    assert found.standard_error == 0
    assert found.undetected is not None
    assert 1 - 0.1 ** (1 / 18) < found.undetected < 0.15, "more than of 18 drawn from all: the strata differ in size"
    assert truth


def test_what_could_not_be_detected_counts_the_strata_by_their_size() -> None:
    """Two of a hundred and all of ten: the many that nobody saw count, not the twelve that somebody did."""
    right = {"many": [1.0] * 2, "few": [1.0] * 10}
    found = stratified_total("n", "sites", right, {"many": 100, "few": 10})
    assert found.undetected == pytest.approx((1 - 0.1**0.5) * 100 / 110)
    alike = stratified_total("n", "sites", {"a": [0.0] * 3, "b": [0.0] * 6}, {"a": 10, "b": 20})
    assert alike.undetected == pytest.approx(1 - 0.1 ** (1 / 9))


def test_units_keep_what_was_mapped() -> None:
    sites, _ = frame(40)
    unit = draw(sites, seed=1, per_stratum=2, who="a").units[0]
    (site,) = [s for s in sites if s.code == unit.site_code]
    assert unit == SampleUnit(
        site.code, unit.stratum, unit.inclusion, dict(site.outcomes), dict(site.mapped), site.code
    )
