"""A stratified random sample of checked sites, and totals that are corrected by it.

Estimators, with N_h sites in a stratum h of which n_h were checked:

- the stratified estimator of a total, Y = Σ N_h ȳ_h, with the variance Σ N_h² (1 - n_h/N_h) s²_h / n_h: Stehman
  (2014), https://doi.org/10.1080/01431161.2014.930207, equations 2 and 25, for strata that need not be the mapped
  classes; where they are, it is that of Olofsson et al. (2014), https://doi.org/10.1016/j.rse.2014.02.015, equations
  9 to 11, with a finite population;
- the difference estimator, Y = X + Σ N_h d̄_h with d = y - x, where x is what was mapped, known of every site, and X its
  sum: the mapped total, corrected by the mean error that was found (Särndal, Swensson & Wretman 1992, section 6.3).
  Its variance is the same with s² that of d. Where x is one value throughout a stratum both are equal;
- ratios (user's and producer's accuracy): Stehman (2014), equations 27 and 28.

Intervals are two-sided with Student's t; its degrees of freedom after Satterthwaite (Cochran 1977, equation 5.16).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance

from cvpipe.domain import Sample, SampleResult, SampleUnit, Stratum

#: Names of the areas that are summed up, m² on the ground.
SITE_AREA = "site_area_m2"
QUANTITIES = ("structure_removed_m2", "structure_left_m2", "rubble_left_m2", "green_added_m2")

#: Site areas at which a stratum ends and the next begins, m²: a courtyard, a yard of several sheds, a works.
SIZE_LIMITS_M2 = (500.0, 2000.0)

#: How sure an interval is.
CONFIDENCE = 0.9


@dataclass(frozen=True)
class FrameSite:
    """A site that may be drawn: where it was seen to stand, what was answered of it, and what was measured, m².

    `stage` is a word of `cvpipe.domain.Stage`, or "not_seen".
    """

    code: str
    stage: str
    outcomes: Mapping[str, str]
    mapped: Mapping[str, float]
    assessment_key: str | None = None


@dataclass(frozen=True)
class Estimate:
    """A total (or a share) as it was mapped and as the sample corrects it, with a 90 % interval.

    `value` is None where it cannot be told: `wanting` then names the strata of which too few sites were checked. Where
    no two values differed the standard error is 0 and `undetected` says up to which share of the district's sites could
    still be otherwise, at the same confidence.
    """

    name: str
    unit: str
    mapped: float | None
    value: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    checked: int = 0
    wanting: tuple[str, ...] = ()
    undetected: float | None = None


@dataclass(frozen=True)
class _Part:
    """One stratum's numbers: how many sites it has, and the values that were found."""

    sites: int
    values: Sequence[float]

    @property
    def is_enough(self) -> bool:
        """Whether a variance can be reckoned: from two sites on, or from all that there are."""
        return len(self.values) >= 2 or len(self.values) == self.sites

    @property
    def variance_of_total(self) -> float:
        """N² (1 - n/N) s² / n."""
        n = len(self.values)
        if n == self.sites:
            return 0.0
        return self.sites**2 * (1 - n / self.sites) * variance(self.values) / n


def draw(
    frame: Iterable[FrameSite],
    *,
    seed: int,
    per_stratum: int,
    who: str,
    size_limits_m2: Sequence[float] = SIZE_LIMITS_M2,
) -> Sample:
    """Draw `per_stratum` sites of each stratum (all where it has no more): where they were seen to stand × size.

    Each site's lot is a hash of seed and code, and the lowest are drawn: whoever knows the frame and the seed can
    check it, on any machine. A stratum gets two sites at least, else its error could not be told.
    """
    strata: dict[str, list[FrameSite]] = {}
    for site in sorted(frame, key=lambda site: site.code):
        strata.setdefault(_stratum_of(site, size_limits_m2), []).append(site)
    parts = [_drawn(name, sites, seed, max(per_stratum, 2)) for name, sites in sorted(strata.items())]
    units = tuple(unit for _, drawn in parts for unit in drawn)
    return Sample(seed, per_stratum, who, tuple(stratum for stratum, _ in parts), units, tuple(size_limits_m2))


def estimates(sample: Sample, results: Sequence[SampleResult]) -> list[Estimate]:
    """What the sample says of the whole district: sites and land by answer, areas, and how far the answers agree."""
    found = {result.site_code: result for result in results}
    answers = sorted({(q, o) for r in results for q, o in r.outcomes.items()} | _mapped_answers(sample))
    told = list[Estimate]()
    for question, outcome in answers:
        told += _answer_totals(sample, found, question, outcome)
    told += [_quantity_total(sample, found, quantity) for quantity in QUANTITIES]
    for question in sorted({question for question, _ in answers}):
        told.append(_agreement(sample, found, question))
    for question, outcome in answers:
        told += _accuracies(sample, found, question, outcome)
    return [estimate for estimate in told if estimate.checked]


def total(
    name: str, unit: str, parts: Mapping[str, _Part], mapped: float = 0.0, known: float | None = None
) -> Estimate:
    """`mapped` plus the stratified total of the values. `known` is what to show as mapped."""
    checked = sum(len(part.values) for part in parts.values())
    wanting = tuple(stratum for stratum, part in parts.items() if not part.is_enough)
    if wanting or not checked:
        return Estimate(name, unit, known, checked=checked, wanting=wanting)
    value = mapped + sum(part.sites * fmean(part.values) for part in parts.values())
    return _with_interval(name, unit, known, value, parts, checked)


def stratified_total(name: str, unit: str, values: Mapping[str, Sequence[float]], sizes: Mapping[str, int]) -> Estimate:
    """The stratified estimator: `values` found in each stratum, `sizes` how many sites each has."""
    return total(name, unit, {stratum: _Part(sizes[stratum], values[stratum]) for stratum in sizes})


def stratified_ratio(
    name: str, values: Mapping[str, Sequence[float]], of: Mapping[str, Sequence[float]], sizes: Mapping[str, int]
) -> Estimate:
    """The combined ratio of two totals, as a share; the variance is that of y - R x over the total of x, squared."""
    whole = sum(sizes[h] * fmean(of[h]) for h in sizes if of[h])
    checked = sum(len(part) for part in values.values())
    wanting = tuple(h for h in sizes if not _Part(sizes[h], values[h]).is_enough)
    if wanting or not checked or not whole:
        return Estimate(name, "share", None, checked=checked if whole else 0, wanting=wanting)
    ratio = sum(sizes[h] * fmean(values[h]) for h in sizes) / whole
    rest = {h: [y - ratio * x for y, x in zip(values[h], of[h], strict=True)] for h in sizes}
    parts = {h: _Part(sizes[h], [e / whole for e in rest[h]]) for h in sizes}
    return _with_interval(name, "share", None, ratio, parts, checked)


def t_quantile(degrees: float) -> float:
    """Student's t that holds `CONFIDENCE` on both sides; Abramowitz & Stegun 26.7.5, exact for 1 and 2 degrees."""
    upper = (1 + CONFIDENCE) / 2
    if degrees < 2:
        return math.tan(math.pi * (upper - 0.5))
    if degrees < 3:
        return (2 * upper - 1) * math.sqrt(2 / (4 * upper * (1 - upper)))
    z = NormalDist().inv_cdf(upper)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return sum(term / degrees**power for power, term in enumerate(terms))


def _with_interval(
    name: str, unit: str, known: float | None, value: float, parts: Mapping[str, _Part], checked: int
) -> Estimate:
    variances = {stratum: part.variance_of_total for stratum, part in parts.items()}
    error = math.sqrt(sum(variances.values()))
    reach = t_quantile(_degrees(variances, parts)) * error if error else 0.0
    census = all(len(part.values) == part.sites for part in parts.values())
    undetected = None if error or census else _undetected(parts)
    return Estimate(name, unit, known, value, error, value - reach, value + reach, checked, (), undetected)


def _undetected(parts: Mapping[str, _Part]) -> float:
    """The largest share of all sites that could be otherwise, and none of them be among those that were checked.

    With shares p_h in the strata that chance is Π (1 - p_h)^n_h. Where it is 1 - `CONFIDENCE` the sum of N_h p_h is
    largest if 1 - p_h goes with n_h / N_h, but never above 1. One stratum: 1 - (1 - CONFIDENCE)^(1/n).
    """
    open_parts = [(part.sites, len(part.values)) for part in parts.values() if len(part.values) < part.sites]

    def kept(factor: float) -> list[float]:
        return [min(factor * checked / sites, 1.0) for sites, checked in open_parts]

    low, high = 0.0, max(sites / checked for sites, checked in open_parts)
    for _ in range(60):  # halves the span each time: as exact as a float
        middle = (low + high) / 2
        chance = sum(checked * math.log(k) for (_, checked), k in zip(open_parts, kept(middle), strict=True))
        low, high = (middle, high) if chance < math.log(1 - CONFIDENCE) else (low, middle)
    otherwise = sum(sites * (1 - k) for (sites, _), k in zip(open_parts, kept(high), strict=True))
    return otherwise / sum(part.sites for part in parts.values())


def _degrees(variances: Mapping[str, float], parts: Mapping[str, _Part]) -> float:
    """Satterthwaite's effective degrees of freedom."""
    single = sum(v**2 / (len(parts[stratum].values) - 1) for stratum, v in variances.items() if v)
    return sum(variances.values()) ** 2 / single


def _stratum_of(site: FrameSite, limits: Sequence[float]) -> str:
    area = site.mapped.get(SITE_AREA, 0.0)
    above = [limit for limit in limits if area >= limit]
    below = [limit for limit in limits if area < limit]
    size = f"{max(above, default=0):g}-{min(below):g} m²" if below else f"from {max(above, default=0):g} m²"
    return f"{site.stage}, {size}"


def _drawn(name: str, sites: Sequence[FrameSite], seed: int, number: int) -> tuple[Stratum, list[SampleUnit]]:
    chosen = sorted(sites, key=lambda site: _lot(seed, site.code))[:number]
    names = {quantity for site in sites for quantity in site.mapped}
    sums = {quantity: sum(site.mapped.get(quantity, 0.0) for site in sites) for quantity in sorted(names)}
    for question, outcome in sorted({pair for site in sites for pair in site.outcomes.items()}):
        having = [site for site in sites if site.outcomes.get(question) == outcome]
        sums[_count_name(question, outcome)] = float(len(having))
        sums[_land_name(question, outcome)] = sum(site.mapped.get(SITE_AREA, 0.0) for site in having)
    share = len(chosen) / len(sites)
    units = [
        SampleUnit(s.code, name, share, dict(s.outcomes), dict(s.mapped), s.assessment_key)
        for s in sorted(chosen, key=lambda site: site.code)
    ]
    return Stratum(name, tuple(site.code for site in sites), sums, len(chosen)), units


def _lot(seed: int, code: str) -> str:
    return hashlib.sha256(f"{seed}:{code}".encode()).hexdigest()


def _count_name(question: str, outcome: str) -> str:
    return f"{question} {outcome}: sites"


def _land_name(question: str, outcome: str) -> str:
    return f"{question} {outcome}: land"


def _mapped_answers(sample: Sample) -> set[tuple[str, str]]:
    return {pair for unit in sample.units for pair in unit.outcomes.items()}


def _answer_totals(
    sample: Sample, found: Mapping[str, SampleResult], question: str, outcome: str
) -> tuple[Estimate, Estimate]:
    """How many sites have an answer, and how much land they cover."""

    def truly(result: SampleResult) -> float | None:
        return float(result.outcomes[question] == outcome) if question in result.outcomes else None

    def mapped(unit: SampleUnit) -> float:
        return float(unit.outcomes.get(question) == outcome)

    def land(unit: SampleUnit) -> float:
        return unit.mapped.get(SITE_AREA, 0.0)

    count, ground = _count_name(question, outcome), _land_name(question, outcome)
    return (
        _corrected(sample, found, count, "sites", lambda u, r: _minus(truly(r), mapped(u))),
        _corrected(sample, found, ground, "m²", lambda u, r: _minus(truly(r), mapped(u), land(u))),
    )


def _quantity_total(sample: Sample, found: Mapping[str, SampleResult], quantity: str) -> Estimate:
    return _corrected(
        sample, found, quantity, "m²", lambda u, r: _minus(r.areas_m2.get(quantity), u.mapped.get(quantity, 0.0))
    )


def _minus(truly: float | None, mapped: float, weight: float = 1.0) -> float | None:
    return None if truly is None else (truly - mapped) * weight


def _corrected(
    sample: Sample,
    found: Mapping[str, SampleResult],
    name: str,
    unit: str,
    error: Callable[[SampleUnit, SampleResult], float | None],
) -> Estimate:
    """The mapped total, corrected by the errors that were found: the difference estimator."""
    mapped = sum(stratum.mapped.get(name, 0.0) for stratum in sample.strata)
    values = {stratum.name: list[float]() for stratum in sample.strata}
    for one in sample.units:
        result = found.get(one.site_code)
        off = error(one, result) if result is not None else None
        if off is not None:
            values[one.stratum].append(off)
    parts = {stratum.name: _Part(len(stratum.frame), values[stratum.name]) for stratum in sample.strata}
    return total(name, unit, parts, mapped, mapped)


def _agreement(sample: Sample, found: Mapping[str, SampleResult], question: str) -> Estimate:
    """The share of sites whose answer was right."""
    values, sizes = _indicators(sample, found, question, lambda mapped, truly: mapped == truly), _sizes(sample)
    everywhere = {stratum: [1.0] * len(part) for stratum, part in values.items()}
    return stratified_ratio(f"{question}: answers that are right", values, everywhere, sizes)


def _accuracies(sample: Sample, found: Mapping[str, SampleResult], question: str, outcome: str) -> list[Estimate]:
    """User's accuracy (of the sites with an answer, those that truly have it), and producer's (the other way round)."""
    both = _indicators(sample, found, question, lambda mapped, truly: mapped == outcome and truly == outcome)
    given = _indicators(sample, found, question, lambda mapped, _: mapped == outcome)
    truth = _indicators(sample, found, question, lambda _, truly: truly == outcome)
    name, sizes = f"{question} {outcome}", _sizes(sample)
    return [
        stratified_ratio(f"{name}: right where said", both, given, sizes),
        stratified_ratio(f"{name}: said where right", both, truth, sizes),
    ]


def _indicators(
    sample: Sample, found: Mapping[str, SampleResult], question: str, holds: Callable[[str | None, str], bool]
) -> dict[str, list[float]]:
    values = {stratum.name: list[float]() for stratum in sample.strata}
    for unit in sample.units:
        result = found.get(unit.site_code)
        if result is not None and question in result.outcomes:
            values[unit.stratum].append(float(holds(unit.outcomes.get(question), result.outcomes[question])))
    return values


def _sizes(sample: Sample) -> dict[str, int]:
    return {stratum.name: len(stratum.frame) for stratum in sample.strata}


__all__ = [
    "CONFIDENCE",
    "QUANTITIES",
    "SITE_AREA",
    "SIZE_LIMITS_M2",
    "Estimate",
    "FrameSite",
    "draw",
    "estimates",
    "stratified_ratio",
    "stratified_total",
    "t_quantile",
]
