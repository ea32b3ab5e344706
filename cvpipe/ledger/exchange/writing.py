"""Tables into files: by suffix, under a temporary name first, so that nobody ever sees half of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cvpipe.errors import SitesError
from cvpipe.ledger.exchange.site_tables import place_columns
from cvpipe.ledger.exchange.tables import Kind, Language, Table


@dataclass(frozen=True)
class Format:
    """In which kinds of columns a kind of file keeps attributes as they are, and what else it can."""

    kinds: frozenset[Kind]
    has_geometries: bool = True
    encodings: frozenset[str] = frozenset({"utf-8"})


@dataclass(frozen=True)
class WrittenFiles:
    """The files of an export, their rows, and what the format could not keep."""

    files: tuple[Path, ...]
    rows: int
    notices: tuple[str, ...] = ()


_TEXT = frozenset({Kind.TEXT})
_TYPED = frozenset({Kind.TEXT, Kind.REAL, Kind.WHOLE, Kind.TRUTH})
_ENCODINGS = frozenset({"utf-8", "gbk"})

FORMATS: dict[str, Format] = {
    ".geojson": Format(frozenset({Kind.PLAIN})),
    ".gpkg": Format(_TYPED),
    ".shp": Format(frozenset({Kind.TEXT, Kind.REAL, Kind.WHOLE}), encodings=_ENCODINGS),
    ".kml": Format(_TEXT),
    ".csv": Format(_TEXT, has_geometries=False, encodings=_ENCODINGS),
    ".xlsx": Format(_TYPED, has_geometries=False),
}


def format_of(path: Path) -> Format:
    """The format that a name's suffix asks for. Raises SitesError."""
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        listed = ", ".join(FORMATS)
        raise SitesError(f"no format has the suffix {path.suffix!r}", where=path, remedy=f"There are {listed}.")
    return found


def write_table(table: Table, path: Path, *, language: Language, encoding: str, force: bool) -> WrittenFiles:
    """Write a table; `encoding` is utf-8, or gbk for CSV and Shapefile.

    Raises SitesError where a file is there already (unless `force`), the folder cannot be written, the encoding does
    not fit, or the format cannot hold the table.
    """
    chosen = format_of(path)
    if encoding not in chosen.encodings:
        raise SitesError(f"a {path.suffix} file is always in UTF-8", where=path, remedy="Leave --encoding out.")
    if not chosen.has_geometries:
        table = table.with_place_columns(*place_columns(language))
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".export-") as name:
            notices = _writer(path.suffix.lower())(table, Path(name) / path.name, encoding)
            files = _moved(Path(name), path, force)
    except OSError as error:
        raise SitesError(
            f"cannot be written ({error.strerror or error})",
            where=path,
            remedy="Look at the folder and its permissions.",
        ) from error
    return WrittenFiles(files, len(table.values), (*table.notices, *notices))


def _writer(suffix: str) -> Callable[[Table, Path, str], tuple[str, ...]]:
    """Imported when it is needed: GDAL and openpyxl take longer to load than most commands to run."""
    if suffix in (".gpkg", ".shp"):
        from cvpipe.ledger.exchange.writers import layer_files

        return layer_files.write_geopackage if suffix == ".gpkg" else layer_files.write_shapefiles
    if suffix == ".xlsx":
        from cvpipe.ledger.exchange.writers import workbook_files

        return workbook_files.write_workbook
    from cvpipe.ledger.exchange.writers import text_files

    writers = {".geojson": text_files.write_geojson, ".kml": text_files.write_kml, ".csv": text_files.write_csv}
    return writers[suffix]


def _moved(folder: Path, path: Path, force: bool) -> tuple[Path, ...]:
    made = sorted(folder.iterdir(), key=lambda file: file.suffix == path.suffix)  # what people open comes last
    targets = [path.with_name(file.name) for file in made]
    for target in targets:
        if target.is_dir() or (target.exists() and not force):
            raise SitesError("there is a file already", where=target, remedy="Choose another name, or --force.")
    for file, target in zip(made, targets, strict=True):
        file.replace(target)
    return tuple(targets)
