"""Scenes of 16 bits, with near infrared, and in bands that are not in the order of a screen: seen through the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fastapi import FastAPI
from rasterio.enums import ColorInterp

from cvpipe.domain import Scene
from cvpipe.imagery import describe
from cvpipe.ledger import Ledger
from cvpipe.review.desk import Desk
from cvpipe.review.views import site_view
from cvpipe.review.words import Words
from tests.review import drawn_district
from tests.review.conftest import LogIn
from tests.review.test_site_work import redness, rgb

#: The drawn grey values on the scale of a sensor with 11 bits, over the dark signal of its atmosphere.
GAIN, OFFSET = 6.0, 180.0

NIR, RED, GREEN, BLUE = (ColorInterp[name] for name in ("undefined", "red", "green", "blue"))


def rewritten(source: Path, target: Path, order: tuple[ColorInterp, ...]) -> Scene:
    """A drawn scene in 16 bits with near infrared (bright where roofs are not), its bands in some order."""
    with rasterio.open(source) as file:
        red, green, blue = (band.astype(np.float64) * GAIN + OFFSET for band in file.read())
        profile = {**file.profile, "dtype": "uint16", "count": 4, "photometric": "minisblack"}
    layers = {RED: red, GREEN: green, BLUE: blue, NIR: np.full_like(red, 1500.0)}
    with rasterio.open(target, "w", **profile) as file:
        for number, meaning in enumerate(order, start=1):
            file.write(layers[meaning].astype(np.uint16), number)
            if meaning is NIR:
                file.set_band_description(number, "NIR")
        file.colorinterp = order
    acquired = {f"scene_{day:%Y%m%d}": day for day in drawn_district.DATES}[source.stem]
    return describe(target, acquired)


@pytest.mark.parametrize("order", [(RED, GREEN, BLUE, NIR), (BLUE, GREEN, RED, NIR)], ids=["rgbn", "bgrn"])
def test_sixteen_bits_and_near_infrared_look_like_what_is_there(
    app: FastAPI, log_in: LogIn, ledger: Ledger, drawn: Path, tmp_path: Path, order: tuple[ColorInterp, ...]
) -> None:
    scenes = []
    for day in drawn_district.DATES[:2]:
        scenes.append(rewritten(drawn / f"scene_{day:%Y%m%d}.tif", tmp_path / f"deep_{day:%Y%m%d}.tif", order))
        ledger.add_scene(scenes[-1])
    old = ledger.assessments("S-05")[0].assessment
    run = ledger.runs()[-1].id
    ledger.record(run, replace(old, key="deep", before=scenes[0].content_hash, after=scenes[1].content_hash))
    anna, by_role = log_in("anna"), {epoch["role"]: epoch for epoch in epochs(app, "S-05", "deep")}
    before, after = (rgb(anna.get(by_role[role]["picture"]).content) for role in ("before", "after"))
    assert redness(before) > 60, "the roof is red, whatever the order of the bands"
    assert abs(redness(after)) < 20
    for picture in (before, after):
        assert picture.std() > 5, "stretched, not black"
        assert 40 < picture.mean() < 215


def test_an_epoch_that_a_later_run_aligned_has_another_address(app: FastAPI, log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    was = epochs(app, "S-04", "remediation-4")[-1]["picture"]
    old_picture = anna.get(was)
    assert "immutable" in old_picture.headers["cache-control"]
    first = ledger.assessments("S-04")[0].assessment
    assert first.measurements is not None
    moved = replace(first.measurements.registration, shift_px=(24.0, 0.0))
    newest = {scene.acquired: scene.content_hash for scene in ledger.scenes()}[drawn_district.DATES[2]]
    again = replace(first, key="later", after=newest, measurements=replace(first.measurements, registration=moved))
    ledger.record(ledger.runs()[-1].id, again)
    now = epochs(app, "S-04", "remediation-4")[-1]["picture"]
    assert now != was
    assert rgb(anna.get(now).content).tolist() != rgb(old_picture.content).tolist()
    stale = anna.get(was)
    assert "immutable" not in stale.headers["cache-control"], "an old address gets what is there now, and is not kept"


def epochs(app: FastAPI, code: str, key: str) -> list[dict[str, Any]]:
    """The epochs of a site, as the site view of one of its assessments has them."""
    desk: Desk = app.state.desk
    file = desk.file(code)
    view = site_view(desk, file, file.assessment(key), Words("en"), "anna", drawn_district.DATES[2])
    found: list[dict[str, Any]] = view["pictures"]["epochs"]
    return found
