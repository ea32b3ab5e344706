"""Surfaces over the pictures: what the run kept, in the classes' colours, at the place that the pictures show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from cvpipe.domain import SURFACE_COLOURS, SURFACES, Surface
from cvpipe.geo import Grid
from cvpipe.imagery import keep_surfaces, surface_path
from cvpipe.ledger import Workspace
from tests.review import drawn_district
from tests.review.conftest import LogIn


def keep(workspace: Workspace, number: int, key: str) -> Path:
    """A map of a site: a structure where the roof is before, bare ground after; the leftmost metres unknown."""
    left, _, right, top = drawn_district.outline(number).bounds
    pixels = int((right - left) / 0.5)
    grid = Grid(drawn_district.UTM, Affine(0.5, 0, left, 0, -0.5, top), pixels, pixels)
    before, after = (np.full(grid.shape, Surface.BARE, np.uint8) for _ in range(2))
    before[20:-20, 20:-20] = Surface.STRUCTURE
    before[:, :4] = Surface.NO_DATA
    path = surface_path(workspace.runs, key)
    assert path is not None
    keep_surfaces(path, before, after, grid)
    return path


def rgba(data: bytes) -> NDArray[np.uint8]:
    """A PNG's pixels."""
    read = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)
    return read[:, :, [2, 1, 0, 3]]


def test_surfaces_lie_where_the_pictures_show_them(log_in: LogIn, workspace: Workspace) -> None:
    keep(workspace, 3, "remediation-3")
    anna = log_in("anna")
    pictures = anna.next(why="uncertain")["items"][0]["pictures"]
    address = {epoch["role"]: epoch["surfaces"] for epoch in pictures["epochs"]}
    assert address["other"] is None
    answer = anna.get(address["before"])
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    before, after = rgba(answer.content), rgba(anna.get(address["after"]).content)
    middle = before.shape[0] // 2
    assert tuple(before[middle, middle]) == (*SURFACE_COLOURS[Surface.STRUCTURE], 255)
    assert tuple(after[middle, middle]) == (*SURFACE_COLOURS[Surface.BARE], 255)
    assert before[2, 2, 3] == 0, "outside of the map nothing is known"
    is_structure = (before[:, :, :3] == SURFACE_COLOURS[Surface.STRUCTURE]).all(axis=2)
    pixel_m = pictures["side_m"] / before.shape[0]
    assert is_structure.sum() * pixel_m**2 == pytest.approx(900, rel=0.03)


def test_a_run_that_kept_none_says_so(log_in: LogIn, workspace: Workspace) -> None:
    anna = log_in("anna")
    epochs = anna.next(why="uncertain")["items"][0]["pictures"]["epochs"]
    assert [epoch["surfaces"] for epoch in epochs] == [None] * 3
    asked = epochs[0]["picture"].replace("/picture?", "/surfaces?")
    assert anna.get(asked).status_code == 404
    keep(workspace, 3, "remediation-3")
    assert anna.get(asked).status_code == 200
    assert anna.get(epochs[2]["picture"].replace("/picture?", "/surfaces?")).status_code == 404


def test_a_damaged_map_is_told(log_in: LogIn, workspace: Workspace) -> None:
    keep(workspace, 3, "remediation-3").write_bytes(b"II*\0 and nothing more")
    anna = log_in("anna")
    epochs = anna.next(why="uncertain")["items"][0]["pictures"]["epochs"]
    assert anna.get(epochs[0]["surfaces"]).status_code == 503
    assert anna.get(epochs[0]["picture"]).status_code == 200


def test_every_surface_has_a_word_and_the_colour_of_rasters(log_in: LogIn) -> None:
    text = log_in("anna").page("/review").text
    for surface in SURFACES:
        assert "#{:02x}{:02x}{:02x}".format(*SURFACE_COLOURS[surface]) in text, surface
