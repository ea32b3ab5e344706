"""What is read from the folders of labelled pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cvpipe.domain import Surface
from cvpipe.errors import DatasetError
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.pictures import Picture, drone_mosaics, dubai, structure_free_scenes
from tests.train.drawing import Pixels, write_picture


def flat(*colour: int, side: int = 256) -> Pixels:
    """A picture of one colour."""
    return np.broadcast_to(np.array(colour, np.uint8), (side, side, 3)).copy()


def mask_of(value: int, side: int = 256) -> Pixels:
    return np.full((side, side), value, np.uint8)


class TestDubai:
    def test_codes_become_surfaces(self, tmp_path: Path) -> None:
        codes = np.array([[0, 1, 2, 3, 4, 5, 9]], np.uint8)
        write_picture(tmp_path, "Tile3_part7.png", np.zeros((1, 7, 3), np.uint8), codes)
        (found,) = dubai(tmp_path)
        assert found.surface.tolist() == [
            [IGNORE, Surface.STRUCTURE, Surface.BARE, Surface.PAVED, Surface.VEGETATION, Surface.WATER, IGNORE]
        ]

    def test_parts_of_a_tile_are_one_place(self, tmp_path: Path) -> None:
        for name in ("Tile3_part1", "Tile3_part2", "Tile4_part1"):
            write_picture(tmp_path, f"{name}.png", flat(0, 0, 0, side=8), mask_of(0, side=8))
        assert [p.place for p in dubai(tmp_path)] == ["dubai/Tile3", "dubai/Tile3", "dubai/Tile4"]

    def test_red_is_read_as_red(self, tmp_path: Path) -> None:
        write_picture(tmp_path, "Tile1_part1.png", flat(200, 10, 0, side=4), mask_of(0, side=4))
        assert dubai(tmp_path)[0].pixels[0, 0].tolist() == [200, 10, 0]

    def test_outlines_around_whole_blocks_are_ignored(self, tmp_path: Path) -> None:
        codes = mask_of(2, side=240)
        codes[:100, :100] = 1  # large and compact: a hall
        codes[120:220, :100] = 1
        codes[140:200, 20:80] = 2  # large and a ring: a block
        codes[120:150, 120:150] = 1
        codes[125:145, 125:145] = 2  # a ring too, but as small as a house with a yard
        write_picture(tmp_path, "Tile1_part1.png", flat(0, 0, 0, side=240), codes)
        (found,) = dubai(tmp_path)
        assert found.surface[50, 50] == Surface.STRUCTURE
        assert found.surface[122, 50] == IGNORE
        assert found.surface[170, 50] == Surface.BARE
        assert found.surface[122, 122] == Surface.STRUCTURE


class TestDroneMosaics:
    def test_tiles_are_put_where_their_numbers_say(self, tmp_path: Path) -> None:
        """East is right, a larger row number is further down; the fourth tile is missing."""
        for x, y, red in ((70, 500, 10), (71, 500, 20), (70, 501, 30)):
            write_picture(tmp_path, f"set1_OAM-9f-{x}-{y}-20.png", flat(red, 0, 0), mask_of(255 * (red == 20)))
        (found,) = drone_mosaics(tmp_path)
        assert found.pixels[::256, ::256, 0].tolist() == [[10, 20], [30, 0]]
        assert found.surface[::256, ::256].tolist() == [[NOT_STRUCTURE, Surface.STRUCTURE], [NOT_STRUCTURE, IGNORE]]
        assert found.surface.shape == (512, 512)
        assert found.surface[255, 255] == NOT_STRUCTURE
        assert found.surface[255, 256] == Surface.STRUCTURE
        assert found.place == f"{tmp_path.name}/set1_OAM-9f-70-500"

    def test_tiles_that_touch_are_one_place_and_others_are_not(self, tmp_path: Path) -> None:
        for x, y in ((5, 5), (6, 6), (8, 6)):
            write_picture(tmp_path, f"m-{x}-{y}-20.png", flat(x, y, 0), mask_of(0))
        found = drone_mosaics(tmp_path)
        assert sorted(p.surface.shape for p in found) == [(256, 256), (512, 512)]
        assert {p.place.split("/")[1] for p in found} == {"m-5-5", "m-8-6"}

    def test_mosaics_of_different_names_never_mix(self, tmp_path: Path) -> None:
        write_picture(tmp_path, "m-5-5-20.png", flat(0, 0, 0), mask_of(0))
        write_picture(tmp_path, "n-6-5-20.png", flat(0, 0, 0), mask_of(0))
        assert [p.surface.shape for p in drone_mosaics(tmp_path)] == [(256, 256)] * 2

    def test_other_zoom_levels_are_left_out(self, tmp_path: Path) -> None:
        write_picture(tmp_path, "m-5-5-19.png", flat(0, 0, 0), mask_of(0))
        assert drone_mosaics(tmp_path) == []

    def test_a_name_without_a_map_tile(self, tmp_path: Path) -> None:
        write_picture(tmp_path, "m-5-east-20.png", flat(0, 0, 0), mask_of(0))
        with pytest.raises(DatasetError, match=r"m-5-east-20.*does not end in -X-Y-ZOOM"):
            drone_mosaics(tmp_path)

    def test_a_tile_of_another_size(self, tmp_path: Path) -> None:
        write_picture(tmp_path, "m-5-5-20.png", flat(0, 0, 0, side=128), mask_of(0, side=128))
        with pytest.raises(DatasetError, match="a tile of 128 × 128 px, not 256 × 256"):
            drone_mosaics(tmp_path)


class TestScenes:
    def test_only_classes_without_structures_are_taken(self, sources: Path) -> None:
        found = structure_free_scenes(sources / "scenes")
        assert [p.place for p in found] == ["ucmerced/forest00", "ucmerced/forest90"]

    @pytest.mark.parametrize(
        ("name", "code"),
        [("forest00", Surface.VEGETATION), ("parkinglot07", Surface.PAVED), ("river31", NOT_STRUCTURE)],
    )
    def test_a_scene_is_labelled_by_its_class(self, tmp_path: Path, name: str, code: int) -> None:
        write_picture(tmp_path, f"{name}.png", flat(1, 2, 3, side=8))
        (found,) = structure_free_scenes(tmp_path)
        assert np.unique(found.surface).tolist() == [code]


class TestRefused:
    @pytest.mark.parametrize("read", [dubai, drone_mosaics, structure_free_scenes])
    def test_a_folder_that_is_not_there(self, read: object, tmp_path: Path) -> None:
        assert callable(read)
        with pytest.raises(DatasetError, match="no images/"):
            read(tmp_path / "nowhere")

    def test_a_picture_without_a_mask(self, tmp_path: Path) -> None:
        write_picture(tmp_path, "Tile1_part1.png", flat(0, 0, 0, side=8), mask_of(0, side=8))
        write_picture(tmp_path, "Tile1_part2.png", flat(0, 0, 0, side=8))
        with pytest.raises(DatasetError, match=r"Tile1_part2.*picture without a mask.*Tile1_part2.png"):
            dubai(tmp_path)

    @pytest.mark.parametrize(
        ("part", "match"), [("images", "not a readable picture"), ("masks", "not a readable mask")]
    )
    def test_a_file_that_is_no_picture(self, tmp_path: Path, part: str, match: str) -> None:
        write_picture(tmp_path, "Tile1_part1.png", flat(0, 0, 0, side=8), mask_of(0, side=8))
        (tmp_path / part / "Tile1_part1.png").write_text("no picture", encoding="utf-8")
        with pytest.raises(DatasetError, match=match):
            dubai(tmp_path)

    def test_a_mask_of_another_size(self, tmp_path: Path) -> None:
        write_picture(tmp_path, "Tile1_part1.png", flat(0, 0, 0, side=8), mask_of(0, side=9))
        with pytest.raises(
            DatasetError, match=r"dubai/Tile1: picture and label differ in size \(\(8, 8\) and \(9, 9\)\)"
        ):
            dubai(tmp_path)


def test_a_picture_and_its_label_are_of_one_size() -> None:
    with pytest.raises(DatasetError, match="here: picture and label differ in size"):
        Picture(flat(0, 0, 0, side=4), mask_of(0, side=5), gsd_m=0.3, place="here")
