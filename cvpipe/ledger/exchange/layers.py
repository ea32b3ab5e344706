"""GeoPackage and Shapefile layers as raw rows, through GDAL (pyogrio), a whole layer at once.

GDAL brings an SQLite of its own: a ledger must not be open in the process that reads it here as a file of sites.
"""

from __future__ import annotations

import codecs
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyogrio
import pyogrio.raw
import pyproj
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError

from cvpipe.errors import SitesError
from cvpipe.geo import WGS84
from cvpipe.ledger.exchange.archives import opened_archive
from cvpipe.ledger.exchange.headed import known_fields
from cvpipe.ledger.exchange.raw import Question, RawFile, RawRow, known_crs

#: What makes up a shapefile that can be read.
_NEEDED = {".shx": "where each shape begins", ".dbf": "the columns, codes among them"}
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
#: Language drivers of dBASE tables that say how Chinese is written (byte 29 of the header); others are left to a guess.
_LANGUAGE_DRIVERS = {0x4D: "gbk", 0x7A: "gbk"}
#: Names of code pages in .cpg files that Python spells in another way.
_CODE_PAGES = {"936": "gbk", "65001": "utf-8", "54936": "gb18030", "gb2312": "gbk", "ansi 936": "gbk", "oem 936": "gbk"}
_SQLITE = b"SQLite format 3\0"


def read_geopackage(path: Path, question: Question) -> RawFile:
    """The only layer with sites, or the one asked for."""
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) != _SQLITE:
            raise SitesError("the file is no GeoPackage", where=path, remedy="Export the layer as GeoPackage again.")
    layer = _layer(path, question)
    meta, fids, geometries, columns, notices = _read(path, layer, "UTF-8")
    names = [str(name) for name in meta["fields"]]
    rows = _rows([f"feature {fid}" for fid in fids], names, columns, geometries)
    crs = _crs(meta["crs"], question, path)
    return RawFile(path, tuple(names), rows, True, crs, notices=tuple(notices))


def read_shapefile(path: Path, question: Question) -> RawFile:
    """A shapefile with its .shx and .dbf; text as its .cpg says, else UTF-8 or GBK."""
    for suffix, holds in _NEEDED.items():
        if _part(path, suffix) is None:
            raise SitesError(
                f"the {suffix} file beside it is missing: it holds {holds}",
                where=path,
                remedy="Copy all files of the shapefile that have this name.",
            )
    # Latin-1 keeps every byte, so that the text can be told from its bytes here.
    meta, fids, geometries, columns, notices = _read(path, None, "ISO-8859-1")
    texts = [str(name) for name in meta["fields"]]
    for column in columns:
        texts += [value for value in column if isinstance(value, str)]
    encoding = _encoding(path, texts)
    names = [_decoded(str(name), encoding, path) for name in meta["fields"]]
    decoded = [[_decoded(v, encoding, path) if isinstance(v, str) else v for v in column] for column in columns]
    rows = _rows([f"record {fid + 1}" for fid in fids], names, decoded, geometries)
    crs = _crs(meta["crs"], question, path)
    return RawFile(path, tuple(names), rows, True, crs, names_are_cut=True, notices=tuple(notices))


def read_zipped_shapefile(path: Path, question: Question) -> RawFile:
    """The only shapefile in a zip archive, or the one asked for."""
    with opened_archive(path) as archive, TemporaryDirectory(prefix="cvpipe-") as folder:
        chosen = _shapefile_in(archive, question, path)
        for member in archive.infolist():
            inside = PurePosixPath(member.filename)
            if inside.suffix.lower() in _PARTS and inside.with_suffix("") == chosen:
                # A name of our own: nothing that the archive says becomes a path on this machine.
                target = Path(folder) / f"sites{inside.suffix.lower()}"
                target.write_bytes(archive.read(member))
        try:
            raw = read_shapefile(Path(folder) / "sites.shp", question)
        except SitesError as error:
            raise SitesError(error.found, where=path, remedy=error.remedy) from error
    return RawFile(path, raw.headings, raw.rows, True, raw.crs, names_are_cut=True, notices=raw.notices)


def _shapefile_in(archive: zipfile.ZipFile, question: Question, path: Path) -> PurePosixPath:
    inside = [PurePosixPath(name) for name in archive.namelist()]
    found = {shp.with_suffix(""): _zip_name(shp.stem) for shp in inside if shp.suffix.lower() == ".shp"}
    named = [stem for stem, name in found.items() if question.layer in (None, name)]
    if len(named) == 1:
        return named[0]
    if not found:
        raise SitesError("the archive holds no shapefile", where=path, remedy="Pack .shp, .shx, .dbf and .prj.")
    listed = ", ".join(found.values())
    raise SitesError(f"the archive holds the shapefiles {listed}", where=path, remedy="Name one with --layer.")


def _zip_name(name: str) -> str:
    """A name in a zip archive as Chinese systems write it: GBK, which `zipfile` takes for code page 437."""
    try:
        return name.encode("cp437").decode("gbk")
    except UnicodeError:
        return name


def _layer(path: Path, question: Question) -> str:
    layers = [str(name) for name, geometry in _list_layers(path) if geometry is not None]
    listed = ", ".join(layers) or "none"
    if question.layer is not None:
        if question.layer not in layers:
            raise SitesError(f"no layer {question.layer!r}", where=path, remedy=f"The layers are: {listed}.")
        return question.layer
    found = layers if len(layers) == 1 else [name for name in layers if _has_sites(path, name, question)]
    if len(found) != 1:
        raise SitesError(
            f"{len(found) or 'none'} of the layers hold sites", where=path, remedy=f"Name one with --layer: {listed}."
        )
    return found[0]


def _list_layers(path: Path) -> Sequence[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # `_read` tells what GDAL has to say
        try:
            return list(pyogrio.list_layers(path))
        except (DataSourceError, DataLayerError) as error:
            raise _broken(path, error) from error


def _has_sites(path: Path, layer: str, question: Question) -> bool:
    names = pyogrio.read_info(path, layer=layer)["fields"]
    return "code" in known_fields(list(names), question.headings)


def _read(
    path: Path, layer: str | None, encoding: str
) -> tuple[dict[str, Any], NDArray[Any], list[Any], list[list[Any]], list[str]]:
    """Facts of the layer, row numbers, geometries, columns as lists with None for blanks, and what GDAL had to say."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            options = {} if layer is not None else {"encoding": encoding}
            meta, fids, wkb, columns = pyogrio.raw.read(
                path, layer=layer, force_2d=True, return_fids=True, datetime_as_string=False, **options
            )
        except (DataSourceError, DataLayerError, ValueError) as error:
            raise _broken(path, error) from error
    notices = [f"GDAL says: {warning.message}" for warning in caught]
    geometries = shapely.from_wkb(wkb, on_invalid="ignore") if wkb is not None else np.full(len(fids), None)
    unreadable = [geometry is None and raw is not None for geometry, raw in zip(geometries, wkb, strict=True)]
    placed = [_UNREADABLE if bad else geometry for geometry, bad in zip(geometries, unreadable, strict=True)]
    plain = [_plain(column, kind) for column, kind in zip(columns, meta["dtypes"], strict=True)]
    return meta, fids, placed, plain, notices


_UNREADABLE = object()


def _rows(
    where: list[str], names: list[str], columns: Sequence[Sequence[Any]], geometries: Sequence[Any]
) -> list[RawRow]:
    lines: Iterator[tuple[Any, ...]] = zip(*columns, strict=True) if columns else iter([()] * len(where))
    return [
        RawRow(at, dict(zip(names, line, strict=True)), *_geometry_or_fault(geometry))
        for at, line, geometry in zip(where, lines, geometries, strict=True)
    ]


def _geometry_or_fault(geometry: Any) -> tuple[Any, str]:
    return (None, "the geometry cannot be read") if geometry is _UNREADABLE else (geometry, "")


def _plain(column: NDArray[Any], kind: str) -> list[Any]:
    """Python values; None where the layer has null. GDAL's readers turn whole numbers with nulls into floats."""
    if column.dtype.kind == "M":
        values: list[Any] = column.astype("datetime64[ms]").astype(object).tolist()
        days = kind.endswith("[D]")
        return [value.date() if days and isinstance(value, datetime) else value for value in values]
    if column.dtype.kind != "f":
        return list(column.tolist())
    back = bool if kind == "bool" else int if kind.startswith(("int", "uint")) else float
    return [None if value != value else back(value) for value in column.tolist()]


def _crs(stated: str | None, question: Question, path: Path) -> pyproj.CRS:
    if question.crs is not None:
        return question.crs
    if stated:
        crs = known_crs(stated, path)
        return WGS84 if crs == WGS84 else crs
    missing = "the .prj file beside it is missing" if path.suffix.lower() == ".shp" else "the layer names none"
    raise SitesError(
        f"the coordinate system is not known: {missing}", where=path, remedy="Say it with --crs, such as EPSG:4490."
    )


def _part(path: Path, suffix: str) -> Path | None:
    return next((p for p in (path.with_suffix(suffix), path.with_suffix(suffix.upper())) if p.is_file()), None)


def _encoding(path: Path, texts: Sequence[str]) -> str:
    cpg = _part(path, ".cpg")
    written = cpg.read_bytes()[:100].decode("ascii", "replace").strip().lower() if cpg else ""
    if written:
        return _code_page(written, path)
    table = _part(path, ".dbf")
    assert table is not None, "looked for before"
    with table.open("rb") as file:
        driver = file.read(30)[29:30]
    stated = _LANGUAGE_DRIVERS.get(driver[0] if driver else 0)
    return stated or next((e for e in ("utf-8", "gb18030") if _can_be(e, texts)), "gb18030")


def _code_page(written: str, path: Path) -> str:
    number = re.fullmatch(r"(?:ansi |cp|windows-)?(\d{3,5})", written)
    name = _CODE_PAGES.get(written) or (_CODE_PAGES.get(number[1], f"cp{number[1]}") if number else written)
    try:
        b"a".decode(name)
        return name
    except (LookupError, UnicodeError):  # unknown, or no encoding of DBF tables
        raise SitesError(
            f"the .cpg file names the encoding {written!r}, which is not known",
            where=path,
            remedy="Write UTF-8 or GBK into the .cpg file.",
        ) from None


def _can_be(encoding: str, texts: Sequence[str]) -> bool:
    try:
        for text in texts:
            _decode(text, encoding)
    except UnicodeError:
        return False
    return True


def _decode(text: str, encoding: str) -> str:
    """Bytes that were read as Latin-1; half a character at the end, where the table cut a text off, is left out."""
    if text.isascii():
        return text
    return codecs.getincrementaldecoder(encoding)().decode(text.encode("latin-1"), final=False)


def _decoded(text: str, encoding: str, path: Path) -> str:
    try:
        return _decode(text, encoding)
    except UnicodeError:
        raise SitesError(
            f"the text {text[:20]!r} is not {encoding}", where=path, remedy="Put the right encoding into a .cpg file."
        ) from None


def _broken(path: Path, error: Exception) -> SitesError:
    return SitesError(f"GDAL cannot read the file ({error})", where=path, remedy="Export the layer again.")


__all__ = ["read_geopackage", "read_shapefile", "read_zipped_shapefile"]
