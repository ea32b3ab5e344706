"""Smooth bends between two pictures of one place: relief, leaning terrain models, an orthophoto that was badly drawn.

A bend is a cubic B-spline surface with 5 x 5 controls over a picture, for x and y each (de Boor 1978; for pictures
Rueckert et al. 1999, Nonrigid registration using free-form deformations). It is fitted to shifts found at places of the
picture, robustly, and with a penalty on curvature, so that it stays flat where nothing is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(n, 2): x and y."""

Controls = NDArray[np.float64]
"""(2, 5, 5): controls of x and y; rows downwards."""

#: Controls along each axis: two spans, so a bend turns once or twice over a picture, no more.
CONTROLS = 5

#: Weight of the squared second differences between controls, against squared shifts of weight 1 in all: a quarter of a
#: sample's error at each of 64 places then bends a flat surface by less than a tenth of a sample.
STIFFNESS = 0.0001

#: Rounds of least squares in which places beyond 1.5 times the median distance lose weight (Huber).
ROBUST_ROUNDS = 5


def basis(along: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The weights (n, 5) of the controls at places along an axis (n,), 0 at one edge of the picture and 1 at the other.

    Beyond the edges they stay as they are there.
    """
    spans = CONTROLS - 3
    place = np.clip(np.asarray(along, np.float64), 0, 1) * spans
    first = np.minimum(place.astype(int), spans - 1)
    t = place - first
    cubes = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    weights = np.zeros((len(place), CONTROLS))
    np.put_along_axis(weights, first[:, None] + np.arange(4), cubes, axis=1)
    return weights


def bend_at(controls: Controls, places: Points) -> Points:
    """The bend (n, 2) at places (n, 2), each from 0 to 1 across and down the picture."""
    across, down = basis(places[:, 0]), basis(places[:, 1])
    return np.asarray(np.einsum("ni,kij,nj->nk", down, controls, across))


def bend_over(controls: Controls, across: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.float32]:
    """The bend (2, H, W) on all pairs of places across (W,) and down (H,) the picture."""
    return np.asarray(basis(down) @ controls @ basis(across).T, np.float32)


def fitted(places: Points, shifts: Points, weights: NDArray[np.float64], stiffness: float = STIFFNESS) -> Controls:
    """The bend that goes near shifts (n, 2) at places (n, 2; 0 to 1), the more so the larger their weights (n,)."""
    design = np.einsum("ni,nj->nij", basis(places[:, 1]), basis(places[:, 0])).reshape(len(places), -1)
    stiff = stiffness * _curvature()
    trust = weights / weights.sum()
    for _ in range(ROBUST_ROUNDS):
        weighted = design * trust[:, None]
        solution = np.linalg.solve(weighted.T @ design + stiff, weighted.T @ shifts)
        off = np.hypot(*(shifts - design @ solution).T)
        trust = weights / weights.sum() * np.minimum(1, 1.5 * np.median(off) / np.maximum(off, 1e-9))
    return np.asarray(solution.T.reshape(2, CONTROLS, CONTROLS))


def _curvature() -> NDArray[np.float64]:
    """The sum of squared second differences as a quadratic form (25, 25); a little of the identity makes it full."""
    bends = np.diff(np.eye(CONTROLS), n=2, axis=0)
    straight, once = np.eye(CONTROLS), np.diff(np.eye(CONTROLS), axis=0)
    parts = (np.kron(straight, bends), np.kron(bends, straight), np.sqrt(2) * np.kron(once, once))
    return np.asarray(sum(part.T @ part for part in parts) + 1e-6 * np.eye(CONTROLS**2))
