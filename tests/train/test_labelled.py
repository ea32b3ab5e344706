"""Folders of masks as material: each pixel teaches only what its labels speak of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine

from cvpipe.domain import Surface
from cvpipe.errors import DatasetError, SceneError
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.labelled import labelled
from cvpipe.train.pictures import EpochPair, Picture, Pixels
from cvpipe.train.settings import LabelledSource
from tests.train.drawing import painted, write_picture

COMMON = {"weight": 1, "gsd_range_m": [0.3, 0.5], "licence": "none"}


def source(kind: str, folder: Path, **keys: Any) -> LabelledSource:
    return LabelledSource.model_validate({"kind": kind, "folder": str(folder), "gsd_m": 0.5, **COMMON, **keys})


def mask(value: int, rows: slice, cols: slice, rest: int = 0) -> Pixels:
    """A mask of 40 × 48 px with a rectangle of one value."""
    out = np.full((40, 48), rest, np.uint8)
    out[rows, cols] = value
    return out


def write(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def pair(folder: Path, stem: str = "a_1", **labels: Pixels) -> Path:
    """A/ and B/ with a picture each, and label folders with a mask each."""
    for name, code in (("A", 3), ("B", 5)):
        write(folder / name / f"{stem}.png", painted(mask(code, np.s_[:], np.s_[:])))
    for name, label in labels.items():
        write(folder / name / f"{stem}.png", label)
    return folder


def only(source: LabelledSource) -> EpochPair:
    (item,) = labelled(source)
    assert isinstance(item, EpochPair)
    return item


class TestPictures:
    def test_of_structures_alone_say_where_none_stands(self, tmp_path: Path) -> None:
        codes = mask(255, np.s_[5:15], np.s_[5:25])
        write_picture(tmp_path / "town", "x_1.png", painted(codes), codes)
        (item,) = labelled(
            source("folder", tmp_path / "town", place="[^_]+", labels=[{"folder": "masks", "epoch": "before"}])
        )
        assert isinstance(item, Picture)
        assert (item.place, item.gsd_m) == ("town/x", 0.5)
        assert (item.surface[5:15, 5:25] == Surface.STRUCTURE).all()
        assert (item.surface[20:] == NOT_STRUCTURE).all()
        assert (item.pixels == painted(codes)).all()

    def test_of_several_surfaces_are_mapped_by_value(self, tmp_path: Path) -> None:
        codes = mask(7, np.s_[5:15], np.s_[5:25], rest=2)
        codes[30:] = 9
        codes[:2] = 4
        write_picture(tmp_path, "x.png", painted(codes), codes)
        values = {7: "structure", 2: "vegetation", 9: "ignore", 4: "other"}
        (item,) = labelled(
            source("folder", tmp_path, labels=[{"folder": "masks", "epoch": "before", "values": values}])
        )
        assert isinstance(item, Picture)
        found = [int(item.surface[row, 10]) for row in (10, 20, 35, 0)]
        assert found == [Surface.STRUCTURE, Surface.VEGETATION, IGNORE, NOT_STRUCTURE]

    def test_of_ground_alone_teach_nothing_of_structures(self, tmp_path: Path) -> None:
        codes = mask(1, np.s_[5:15], np.s_[5:25])
        write_picture(tmp_path, "x.png", painted(codes), codes)
        labels = [{"folder": "masks", "epoch": "before", "values": {1: "water", 0: "other"}}]
        (item,) = labelled(source("folder", tmp_path, labels=labels))
        assert isinstance(item, Picture)
        assert (item.surface[20:] == IGNORE).all()


class TestPairs:
    def test_of_removed_structures_teach_the_removed_head_alone(self, tmp_path: Path) -> None:
        gone = mask(255, np.s_[10:20], np.s_[10:30])
        item = only(source("pairs", pair(tmp_path, label_removed=gone)))
        assert (item.change[0][12:18, 12:28] == 1).all()
        assert (item.change[0][25:] == 0).all()
        assert item.change[0][10, 15] == IGNORE, "the outline is ignored"
        assert (item.change[1] == IGNORE).all()
        before, after = item.surface
        assert (before[12:18, 12:28] == Surface.STRUCTURE).all()
        assert (after[12:18, 12:28] == NOT_STRUCTURE).all()
        assert (before[25:] == IGNORE).all()

    def test_of_any_change_tell_where_none_is(self, tmp_path: Path) -> None:
        some = mask(255, np.s_[10:20], np.s_[10:30])
        item = only(source("pairs", pair(tmp_path, label=some)))
        assert (item.change[:, 12:18, 12:28] == IGNORE).all(), "removed or added: which, nobody said"
        assert (item.change[:, 25:] == 0).all()

    def test_of_any_change_are_told_apart_by_a_finer_label(self, tmp_path: Path) -> None:
        some = mask(255, np.s_[10:20], np.s_[10:30])
        labels = [
            {"folder": "label", "changes": ["structure_removed", "structure_added"]},
            {"folder": "label_new", "changes": ["structure_added"], "optional": True},
        ]
        item = only(source("pairs", pair(tmp_path, label=some, label_new=some), labels=labels))
        assert (item.change[1][12:18, 12:28] == 1).all()
        assert (item.surface[1][12:18, 12:28] == Surface.STRUCTURE).all()

    def test_replaced_structures_stand_in_both_epochs(self, tmp_path: Path) -> None:
        both = mask(255, np.s_[10:20], np.s_[10:30])
        item = only(source("pairs", pair(tmp_path, label_removed=both, label_added=both)))
        assert all((surface[12:18, 12:28] == Surface.STRUCTURE).all() for surface in item.surface)

    def test_added_green_is_vegetation_afterwards(self, tmp_path: Path) -> None:
        green = mask(255, np.s_[10:20], np.s_[10:30])
        item = only(source("pairs", pair(tmp_path, label_green_added=green)))
        assert (item.surface[1][12:18, 12:28] == Surface.VEGETATION).all()
        assert (item.change == IGNORE).all()

    def test_of_unlike_size_are_refused(self, tmp_path: Path) -> None:
        folder = pair(tmp_path, label=mask(255, np.s_[:5], np.s_[:5]))
        write(folder / "B" / "a_1.png", np.zeros((41, 48, 3), np.uint8))
        with pytest.raises(DatasetError, match=r"B/a_1.png: is 48 × 41 pixels, its partner 48 × 40"):
            labelled(source("pairs", folder))


def test_the_other_layout_is_refused(tmp_path: Path) -> None:
    pair(tmp_path, label=mask(255, np.s_[:5], np.s_[:5]))
    with pytest.raises(DatasetError, match="holds pairs, not what kind `folder` means"):
        labelled(source("folder", tmp_path))


def test_a_pixel_size_must_be_known(tmp_path: Path) -> None:
    pair(tmp_path, label=mask(255, np.s_[:5], np.s_[:5]))
    with pytest.raises(SceneError):
        labelled(source("pairs", tmp_path, gsd_m=None))


def geotiff(path: Path, value: int, hole: slice) -> None:
    """A raster of 40 × 48 px of 0.5 m with nodata 0 in some of its columns."""
    pixels = np.full((3, 40, 48), value, np.uint8)
    pixels[:, :, hole] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", width=48, height=40, count=3, dtype="uint8", nodata=0, crs="EPSG:32650",
        transform=Affine(0.5, 0, 440_000, 0, -0.5, 4_420_000),
    ) as file:  # fmt: skip
        file.write(pixels)


class TestNodata:
    """Where a raster shows nothing, its mask teaches nothing."""

    def test_of_single_pictures(self, tmp_path: Path) -> None:
        geotiff(tmp_path / "images" / "x.tif", 90, np.s_[:10])
        write(tmp_path / "masks" / "x.png", mask(255, np.s_[5:15], np.s_[5:25]))
        (item,) = labelled(source("folder", tmp_path, gsd_m=None, labels=[{"folder": "masks", "epoch": "before"}]))
        assert isinstance(item, Picture)
        assert (item.surface[:, :9] == IGNORE).all()
        assert (item.surface[6:14, 12:24] == Surface.STRUCTURE).all()

    def test_of_either_epoch_for_changes_of_its_own_for_surfaces(self, tmp_path: Path) -> None:
        geotiff(tmp_path / "A" / "x.tif", 90, np.s_[:10])
        geotiff(tmp_path / "B" / "x.tif", 120, np.s_[38:])
        write(tmp_path / "label" / "x.png", mask(255, np.s_[5:35], np.s_[2:46]))
        labels = [{"folder": "label", "changes": ["structure_removed"]}]
        item = only(source("pairs", tmp_path, gsd_m=None, labels=labels))
        assert (item.change[:, :, :9] == IGNORE).all()
        assert (item.change[:, :, 40:] == IGNORE).all()
        assert (item.change[0, 8:32, 12:36] == 1).all()
        assert (item.surface[0][8:32, 40:44] == Surface.STRUCTURE).all(), "the earlier one shows that ground"
        assert (item.surface[1][:, 40:] == IGNORE).all()
