"""Rasters that cannot be scenes, each made in its own way, with a part of the reason that is to be told.

Each function makes one file in a folder and returns its path; `BAD` lists those that cannot be added, `USELESS` those
that can be, and of which `scenes check` says that they are of no use.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint

from .conftest import ORIGIN, WriteRaster

RGB = np.random.default_rng(0).integers(0, 255, (3, 200, 200), dtype=np.uint8)
Make = Callable[[Path, WriteRaster], Path]


def text_file(folder: Path, _: WriteRaster) -> Path:
    path = folder / "notes_20230510.tif"
    path.write_text("this is no picture")
    return path


def empty_file(folder: Path, _: WriteRaster) -> Path:
    path = folder / "empty_20230510.tif"
    path.touch()
    return path


def missing_file(folder: Path, _: WriteRaster) -> Path:
    return folder / "absent_20230510.tif"


def a_folder(folder: Path, _: WriteRaster) -> Path:
    return folder


def loop(folder: Path, _: WriteRaster) -> Path:
    path = folder / "loop_20230510.tif"
    path.symlink_to(path)
    return path


def cut_in_its_header(folder: Path, write: WriteRaster) -> Path:
    whole = write(RGB)
    path = folder / "cut_20230510.tif"
    path.write_bytes(whole.read_bytes()[:100])
    return path


def no_crs(_: Path, write: WriteRaster) -> Path:
    return write(RGB, crs=None)


def no_transform(_: Path, write: WriteRaster) -> Path:
    return write(RGB, transform=None)


def outside_the_earth(_: Path, write: WriteRaster) -> Path:
    return write(RGB, crs="EPSG:4326", transform=Affine(0.5, 0, 430000, 0, -0.5, 4417000))


def giant_pixels(_: Path, write: WriteRaster) -> Path:
    return write(RGB, transform=Affine(5000, 0, 430000, 0, -5000, 4417000))


def tiny_pixels(_: Path, write: WriteRaster) -> Path:
    return write(RGB, transform=Affine(1e-5, 0, 430000, 0, -1e-5, 4417000))


def flat_transform(_: Path, write: WriteRaster) -> Path:
    return write(RGB, transform=Affine(0.5, 0.5, 430000, 0.5, 0.5, 4417000))


def complex_numbers(_: Path, write: WriteRaster) -> Path:
    return write(RGB.astype(np.complex64))


def two_bands(_: Path, write: WriteRaster) -> Path:
    return write(RGB[:2])


def html_page(folder: Path, _: WriteRaster) -> Path:
    return written(folder, "page_20230510.tif", b"<!DOCTYPE html><html><body>Please log in</body></html>")


def zip_named_tif(folder: Path, _: WriteRaster) -> Path:
    path = folder / "zip_20230510.tif"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    return path


def geojson_named_tif(folder: Path, _: WriteRaster) -> Path:
    return written(folder, "json_20230510.tif", b'{"type": "FeatureCollection", "features": []}')


def pdf_named_jp2(folder: Path, _: WriteRaster) -> Path:
    return written(folder, "pdf_20230510.jp2", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF")


def web_service_named_tif(folder: Path, _: WriteRaster) -> Path:
    """GDAL would ask a server for such a file; that driver is left out."""
    service = b"<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:9/</ServerUrl></Service></GDAL_WMS>"
    return written(folder, "wms_20230510.tif", service)


def noise_after_a_header(folder: Path, _: WriteRaster) -> Path:
    return written(folder, "noise_20230510.tif", b"II*\0\x08\0\0\0" + np.random.default_rng(1).bytes(5000))


def big_header_alone(folder: Path, _: WriteRaster) -> Path:
    return written(folder, "big_20230510.tif", b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0")


def zeros(folder: Path, _: WriteRaster) -> Path:
    return written(folder, "zeros_20230510.tif", bytes(10_000))


def png_named_tif(folder: Path, _: WriteRaster) -> Path:
    return written(folder, "png_20230510.tif", cv2.imencode(".png", np.moveaxis(RGB, 0, 2))[1].tobytes())


def half_a_png(folder: Path, _: WriteRaster) -> Path:
    whole = cv2.imencode(".png", np.moveaxis(RGB, 0, 2))[1].tobytes()
    return written(folder, "half_20230510.png", whole[: len(whole) // 2])


def plain_jpeg(folder: Path, _: WriteRaster) -> Path:
    return written(folder, "plain_20230510.jpg", cv2.imencode(".jpg", np.moveaxis(RGB, 0, 2))[1].tobytes())


def half_of_its_tiles(folder: Path, write: WriteRaster) -> Path:
    whole = write(RGB, "whole.tif", compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    content = whole.read_bytes()
    whole.unlink()
    return written(folder, "tiles_20230510.tif", content[: len(content) // 2])


def half_of_its_lines(folder: Path, write: WriteRaster) -> Path:
    whole = write(RGB, "whole.tif")
    content = whole.read_bytes()
    whole.unlink()
    return written(folder, "lines_20230510.tif", content[: len(content) // 2])


def scrambled_pixels(folder: Path, write: WriteRaster) -> Path:
    whole = write(RGB, "whole.tif", compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    content = bytearray(whole.read_bytes())
    whole.unlink()
    content[2000:-2000] = bytes(len(content) - 4000)
    return written(folder, "scrambled_20230510.tif", bytes(content))


def twelve_bands(_: Path, write: WriteRaster) -> Path:
    return write(np.repeat(RGB, 4, axis=0), "bands12_20230510.tif")


def one_pixel(_: Path, write: WriteRaster) -> Path:
    return write(RGB[:, :1, :1], "pixel_20230510.tif")


def one_line(_: Path, write: WriteRaster) -> Path:
    return write(RGB[:, :1], "line_20230510.tif")


def alpha_alone(_: Path, write: WriteRaster) -> Path:
    path = write(RGB[:1], "alpha_20230510.tif")
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [rasterio.enums.ColorInterp.alpha]
    return path


def swapped_degrees(_: Path, write: WriteRaster) -> Path:
    return write(RGB, "swapped_20230510.tif", crs="EPSG:4326", transform=Affine(1e-5, 0, 39.9, 0, -1e-5, 116.2))


def degrees_as_metres(_: Path, write: WriteRaster) -> Path:
    return write(RGB, "degrees_20230510.tif", transform=Affine(1e-5, 0, 116.2, 0, -1e-5, 39.9))


def transform_that_is_no_number(_: Path, write: WriteRaster) -> Path:
    return write(RGB, "nan_20230510.tif", transform=Affine(float("nan"), 0, 430000, 0, -0.5, 4417000))


def endless_transform(_: Path, write: WriteRaster) -> Path:
    return write(RGB, "inf_20230510.tif", transform=Affine(0.5, 0, float("inf"), 0, -0.5, 4417000))


def beyond_its_projection(_: Path, write: WriteRaster) -> Path:
    return write(RGB, "beyond_20230510.tif", transform=Affine(0.5, 0, 9e8, 0, -0.5, 9e8))


def place_on_no_earth(_: Path, write: WriteRaster) -> Path:
    return write(RGB, "local_20230510.tif", crs='LOCAL_CS["site grid",UNIT["metre",1]]')


def geocentric(_: Path, write: WriteRaster) -> Path:
    return write(RGB, "geocentric_20230510.tif", crs="EPSG:4978")


def control_points_only(_: Path, write: WriteRaster) -> Path:
    corners = ((0, 0), (0, 200), (200, 0), (200, 200))
    points = [GroundControlPoint(row, col, 430000 + col / 2, 4417000 - row / 2) for row, col in corners]
    return write(RGB, "gcps_20230510.tif", transform=None, gcps=points)


def undated(_: Path, write: WriteRaster) -> Path:
    return write(RGB, "undated.tif")


def dated_on_no_day(_: Path, write: WriteRaster) -> Path:
    return write(RGB, "day_20231345.tif")


def vrt_to_nothing(folder: Path, _: WriteRaster) -> Path:
    return vrt(folder, "lost_20230510.vrt", "gone.tif", relative=True)


def vrt_to_nowhere(folder: Path, _: WriteRaster) -> Path:
    return vrt(folder, "nowhere_20230510.vrt", "/no/such/place.tif", relative=False)


def vrt_to_the_network(folder: Path, _: WriteRaster) -> Path:
    return vrt(folder, "net_20230510.vrt", "/vsicurl/http://127.0.0.1:9/a.tif", relative=False)


def vrt_to_an_address(folder: Path, _: WriteRaster) -> Path:
    return vrt(folder, "address_20230510.vrt", "https://127.0.0.1:9/a.tif", relative=False)


def vrt_with_a_hidden_address(folder: Path, _: WriteRaster) -> Path:
    return vrt(folder, "hidden_20230510.vrt", "<![CDATA[/vsicurl/http://127.0.0.1:9/a.tif]]>", relative=False)


def vrt_in_small_letters(folder: Path, _: WriteRaster) -> Path:
    """GDAL reads its own names in either case."""
    path = vrt(folder, "small_20230510.vrt", "https://127.0.0.1:9/a.tif", relative=False)
    return written(folder, path.name, path.read_bytes().replace(b"SourceFilename", b"sourcefilename"))


def vrt_with_an_endless_name(folder: Path, _: WriteRaster) -> Path:
    return vrt(folder, "endless_20230510.vrt", "x" * 5000, relative=True)


def vrt_named_tif(folder: Path, _: WriteRaster) -> Path:
    return vrt(folder, "vrt_20230510.tif", "/vsicurl/http://127.0.0.1:9/a.tif", relative=False)


def vrt_to_itself(folder: Path, _: WriteRaster) -> Path:
    return vrt(folder, "self_20230510.vrt", "self_20230510.vrt", relative=True)


def vrt_in_a_circle(folder: Path, _: WriteRaster) -> Path:
    vrt(folder, "other.part", "circle_20230510.vrt", relative=True)
    return vrt(folder, "circle_20230510.vrt", "other.part", relative=True)


def vrts_within_vrts(folder: Path, write: WriteRaster) -> Path:
    inner = write(RGB, "inner.part")
    for depth in range(9):
        inner = vrt(folder, f"depth{depth}.part", inner.name, relative=True)
    return vrt(folder, "deep_20230510.vrt", inner.name, relative=True)


def vrt_to_a_vrt_to_the_network(folder: Path, _: WriteRaster) -> Path:
    """The inner one has another ending, which keeps it out of a folder's scenes, and is a VRT all the same."""
    vrt(folder, "inner_net.part", "/vsicurl/http://127.0.0.1:9/a.tif", relative=False)
    return vrt(folder, "outer_20230510.vrt", "inner_net.part", relative=True)


def vrt_to_a_vrt_to_nothing(folder: Path, _: WriteRaster) -> Path:
    vrt(folder, "inner_lost.part", "gone.tif", relative=True)
    return vrt(folder, "outer_lost_20230510.vrt", "inner_lost.part", relative=True)


def vrt_to_a_web_service(folder: Path, write: WriteRaster) -> Path:
    service = web_service_named_tif(folder, write)
    return vrt(folder, "service_20230510.vrt", service.name, relative=True)


def vrt_broken_off(folder: Path, _: WriteRaster) -> Path:
    return written(folder, "broken_20230510.vrt", b'<VRTDataset rasterXSize="200" rasterYSize="200"><SRS>EPSG:326')


def one_giant_tile(_: Path, write: WriteRaster) -> Path:
    """A few kilobytes that take 3 GB to decode."""
    return sparse(write, "tile_20230510.tif", 20_000, 16_384 * 2)


def giant_and_empty(_: Path, write: WriteRaster) -> Path:
    """A few hundred kilobytes that claim 10 gigapixels."""
    return sparse(write, "giant_20230510.tif", 100_000, 1024)


def dangling_link(folder: Path, _: WriteRaster) -> Path:
    path = folder / "dangling_20230510.tif"
    path.symlink_to(folder / "gone.tif")
    return path


def pipe(folder: Path, _: WriteRaster) -> Path:
    path = folder / "pipe_20230510.tif"
    os.mkfifo(path)
    return path


def no_permission(_: Path, write: WriteRaster) -> Path:
    path = write(RGB, "locked_20230510.tif")
    path.chmod(0)
    return path


def all_nodata(_: Path, write: WriteRaster) -> Path:
    return write(np.zeros_like(RGB), "nodata_20230510.tif", nodata=0)


def all_nan(_: Path, write: WriteRaster) -> Path:
    return write(np.full((3, 200, 200), np.nan, np.float32), "allnan_20230510.tif")


def all_infinite(_: Path, write: WriteRaster) -> Path:
    return write(np.full((3, 200, 200), np.inf, np.float32), "allinf_20230510.tif")


def all_black(_: Path, write: WriteRaster) -> Path:
    return write(np.zeros_like(RGB), "black_20230510.tif")


def all_alike(_: Path, write: WriteRaster) -> Path:
    return write(np.full_like(RGB, 99), "alike_20230510.tif")


def all_transparent(_: Path, write: WriteRaster) -> Path:
    return write(np.concatenate([RGB, np.zeros_like(RGB[:1])]), "clear_20230510.tif", photometric="RGB", alpha="YES")


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def vrt(folder: Path, name: str, source: str, *, relative: bool) -> Path:
    """A VRT of 200 x 200 pixels with one band from `source`."""
    with rasterio.Env():
        wkt = rasterio.crs.CRS.from_epsg(32650).to_wkt()
    text = f"""<VRTDataset rasterXSize="200" rasterYSize="200"><SRS>{wkt.replace('"', "&quot;")}</SRS>
<GeoTransform>430000, 0.5, 0, 4417000, 0, -0.5</GeoTransform>
<VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="{int(relative)}">{source}</SourceFilename>
<SourceBand>1</SourceBand>
</SimpleSource></VRTRasterBand></VRTDataset>"""
    return written(folder, name, text.encode())


def sparse(write: WriteRaster, name: str, side: int, block: int) -> Path:
    """A raster of `side` x `side` pixels in tiles of `block`, of which none is stored."""
    path = write(RGB, name)
    profile = {"driver": "GTiff", "count": 3, "height": side, "width": side, "dtype": "uint8", "crs": "EPSG:32650"}
    tiles = {"tiled": True, "blockxsize": block, "blockysize": block, "sparse_ok": "TRUE", "interleave": "pixel"}
    with rasterio.open(path, "w", **profile, **tiles, transform=ORIGIN):
        pass
    return path


Bad = tuple[Make, str]

BAD: tuple[Bad, ...] = (
    (text_file, "no raster that GDAL can read"),
    (empty_file, "zero bytes"),
    (missing_file, "no such file"),
    (a_folder, "is a folder"),
    (loop, "a link that leads nowhere"),
    (cut_in_its_header, "no raster that GDAL can read|has no georeference"),
    (no_crs, "no CRS"),
    (no_transform, "no transform"),
    (outside_the_earth, "outside the Earth"),
    (giant_pixels, "a pixel of 4990"),
    (tiny_pixels, "a pixel of 1.00034e-05 m"),
    (flat_transform, "absurd transform"),
    (complex_numbers, "complex numbers"),
    (two_bands, "neither grey nor red, green, blue"),
    (html_page, "no raster that GDAL can read"),
    (zip_named_tif, "no raster that GDAL can read"),
    (geojson_named_tif, "no raster that GDAL can read"),
    (pdf_named_jp2, "no raster that GDAL can read"),
    (web_service_named_tif, "no raster that GDAL can read"),
    (noise_after_a_header, "no raster that GDAL can read"),
    (big_header_alone, "no raster that GDAL can read"),
    (zeros, "no raster that GDAL can read"),
    (png_named_tif, "has no georeference"),
    (half_a_png, "has no georeference"),
    (plain_jpeg, "has no georeference"),
    (twelve_bands, "has 12 bands, none of them marked"),
    (alpha_alone, "has 0 colour band"),
    (swapped_degrees, "outside the Earth"),
    (degrees_as_metres, "absurd transform: a pixel of"),
    (transform_that_is_no_number, "absurd transform"),
    (endless_transform, "absurd transform"),
    (beyond_its_projection, "outside the Earth"),
    (place_on_no_earth, "is not tied to the Earth"),
    (geocentric, "is not tied to the Earth"),
    (control_points_only, "ground control points only"),
    (vrt_to_nothing, "points to gone.tif, which is not there"),
    (vrt_to_nowhere, "points to /no/such/place.tif, which is not there"),
    (vrt_to_the_network, "points elsewhere"),
    (vrt_to_an_address, "points elsewhere"),
    (vrt_with_a_hidden_address, "names sources that cannot be checked"),
    (vrt_in_small_letters, "points elsewhere"),
    (vrt_with_an_endless_name, "which is not there"),
    (vrt_named_tif, "points elsewhere"),
    (vrt_to_itself, "refers to itself"),
    (vrt_in_a_circle, "refers to itself"),
    (vrts_within_vrts, "more than 8 VRTs within one another"),
    (vrt_to_a_vrt_to_the_network, "points elsewhere"),
    (vrt_to_a_vrt_to_nothing, "points to gone.tif, which is not there"),
    (vrt_to_a_web_service, "is no raster but a text"),
    (vrt_broken_off, "no raster that GDAL can read"),
    (one_giant_tile, "GB of memory"),
    (giant_and_empty, "nothing in it"),
    (dangling_link, "a link that leads nowhere"),
    (pipe, "is no plain file"),
    (no_permission, "no permission"),
)

#: What only the catalogue refuses: it looks at pixels, size and date.
BAD_SCENES: tuple[Bad, ...] = (
    (half_of_its_tiles, "its pixels cannot be read"),
    (half_of_its_lines, "its pixels cannot be read"),
    (scrambled_pixels, "its pixels cannot be read"),
    (one_pixel, "too small"),
    (one_line, "too small"),
    (undated, "no acquisition date"),
    (dated_on_no_day, "no acquisition date"),
)

USELESS: tuple[Bad, ...] = (
    (all_nodata, "holds hardly any valid pixel"),
    (all_nan, "holds hardly any valid pixel"),
    (all_infinite, "holds hardly any valid pixel"),
    (all_black, "holds hardly any valid pixel"),
    (all_transparent, "holds hardly any valid pixel"),
    (all_alike, "all its pixels are alike"),
)
