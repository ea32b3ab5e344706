"""An area's spread becomes the interval that holds the true area nine times in ten.

The half width is the spread times a scale. The scale is the 90 % quantile of (error / spread) over drawn sites with
known truth where something was measured: locally weighted split conformal prediction (Lei et al. 2018, JASA 113). Where
next to nothing was measured there is hardly ever anything, and a scale of its own keeps the doubt that the
probabilities leave. Scales hold for scenes like those drawn; other bundles need others
(`python -m scripts.validate_rules fit`). Two things are left out: what no pixel hints at, such as rubble that looks
like soil throughout, and truth that differs from what is seen from above.
"""

from __future__ import annotations

import math

from cvpipe.assess.criteria import Interval
from cvpipe.assess.rules import IntervalRules
from cvpipe.domain import Figure, Measurements, Spread


def spread_m2(spread: Spread, rules: IntervalRules) -> float:
    """All sources of error of an area together, m²: one standard deviation before it is scaled."""
    return math.hypot(spread.chance_m2, rules.edge_sd_m * spread.edge_m, spread.shift_m2, rules.least_sd_m2)


def scale_of(figure: Figure, value: float, rules: IntervalRules) -> float:
    """How many spreads the half width of the interval around a figure's value (m²) takes."""
    return rules.scale.absent if value < rules.absent_m2 else float(getattr(rules.scale, figure.value))


def half_width(m: Measurements, figure: Figure, value: float, rules: IntervalRules) -> float | None:
    """Half the width of a figure's interval before it meets zero or the site's area, m²; None where it is exact."""
    spread = m.spreads.get(figure)
    return None if spread is None else scale_of(figure, value, rules) * spread_m2(spread, rules)


def area_interval(m: Measurements, figure: Figure, value: float, rules: IntervalRules) -> Interval | None:
    """The interval of an area of the site, m²."""
    half = half_width(m, figure, value, rules)
    return None if half is None else around(value, half, max(m.site_area_m2, value))


def around(value: float, half: float, most: float) -> Interval:
    """`value` ± `half`, within 0 and `most`."""
    return max(value - half, 0.0), min(value + half, most)


__all__ = ["area_interval", "around", "half_width", "scale_of", "spread_m2"]
