"""The shifts of Chinese web maps: there, back, and what speaks for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from cvpipe.ledger.map_shift import (
    MapShift,
    Places,
    distances_m,
    named_shift,
    shift_between,
    shift_into,
    shifted,
    unshifted,
)

#: Longitude and latitude in WGS 84 and in GCJ-02: the pairs by which the published implementations test themselves
#: (googollee/eviltransform), and a place that no map shifts.
PUBLISHED = (
    ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
    ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
    ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
    ((-104.9903, 39.7392), (-104.9903, 39.7392)),
)

#: GCJ-02 and BD-09, from the read-me of wandergis/coordtransform.
GCJ02_AND_BD09 = ((116.404, 39.915), (116.41036949371029, 39.92133699351021))


def sites(count: int, seed: int = 0) -> Places:
    """Places in a district of 10 km."""
    return np.random.default_rng(seed).uniform((116.15, 39.88), (116.25, 39.96), (count, 2))


@pytest.mark.parametrize(("own", "drawn"), PUBLISHED)
def test_published_pairs(own: tuple[float, float], drawn: tuple[float, float]) -> None:
    assert shifted(np.array([own]), MapShift.GCJ02) == pytest.approx(np.array([drawn]), abs=1e-9)
    assert distances_m(unshifted(np.array([drawn]), MapShift.GCJ02), np.array([own]))[0] < 0.001


def test_published_pair_of_baidu() -> None:
    gcj02, bd09 = (np.array([place]) for place in GCJ02_AND_BD09)
    own = unshifted(gcj02, MapShift.GCJ02)
    assert shifted(own, MapShift.BD09) == pytest.approx(bd09, abs=1e-8)
    assert distances_m(unshifted(bd09, MapShift.BD09), own)[0] < 0.001


@pytest.mark.parametrize("shift", MapShift)
@given(lon=st.floats(73, 135), lat=st.floats(3, 54))
def test_there_and_back(shift: MapShift, lon: float, lat: float) -> None:
    """To a tenth of a metre everywhere in China; in truth to less than a millimetre."""
    place = np.array([[lon, lat]])
    assert distances_m(unshifted(shifted(place, shift), shift), place)[0] < 0.001
    assert 20 < distances_m(shifted(place, shift), place)[0] < 2500


def test_places_abroad_stay() -> None:
    abroad = np.array([[4.8, 47.0], [-58.4, -34.6], [140.0, 36.0]])
    for shift in MapShift:
        assert (shifted(abroad, shift) == abroad).all()
        assert (unshifted(abroad, shift) == abroad).all()


@pytest.mark.parametrize(
    ("texts", "shift"),
    [
        (["经度(高德)", "纬度(高德)"], MapShift.GCJ02),
        (["lon_gcj02"], MapShift.GCJ02),
        (["火星坐标"], MapShift.GCJ02),
        (["百度经度"], MapShift.BD09),
        (["bd09lng"], MapShift.BD09),
        (["lon", "lat", "备注", "amapola"], None),
        ([], None),
    ],
)
def test_a_map_that_is_named(texts: list[str], shift: MapShift | None) -> None:
    assert named_shift(texts) is shift


@pytest.mark.parametrize("shift", MapShift)
def test_places_known_from_elsewhere_give_the_shift_away(shift: MapShift) -> None:
    known = sites(40)
    drawn_anew = np.random.default_rng(1).normal(0, 5e-5, known.shape)  # some 5 m
    found = shift_between(shifted(known, shift) + drawn_anew, known)
    assert found is not None
    assert (found.shift, found.telling, found.fitting) == (shift, 40, 40)
    assert found.residual_m < 15 < 400 < found.offset_m


def test_sites_that_moved_otherwise_are_no_shift() -> None:
    known = sites(40)
    assert shift_between(known, known) is None
    assert shift_between(known + np.random.default_rng(2).normal(0, 1e-4, known.shape), known) is None
    towards_the_west = known - np.array([0.006, 0.0])
    assert shift_between(towards_the_west, known) is None
    a_few = known.copy()
    a_few[:3] = shifted(a_few[:3], MapShift.GCJ02)
    a_few[3:10] -= 0.01
    assert shift_between(a_few, known) is None, "three fit, seven do not"


def test_an_area_gives_the_shift_away_where_sites_fall_out_of_it() -> None:
    district = box(116.15, 39.88, 116.25, 39.96)
    known = sites(400)
    assert shift_into(known, district) is None
    found = shift_into(shifted(known, MapShift.GCJ02), district)
    assert found is not None
    assert found.shift is MapShift.GCJ02
    assert found.telling == found.fitting >= 3


def test_an_area_says_nothing_of_sites_in_its_midst() -> None:
    """Shifted as they are, all lie inside: nothing can be told, and nothing is."""
    district = box(116.0, 39.7, 116.4, 40.1)
    assert shift_into(shifted(sites(100), MapShift.GCJ02), district) is None
    far_off = sites(100) + np.array([3.0, 0.0])
    assert shift_into(far_off, district) is None
