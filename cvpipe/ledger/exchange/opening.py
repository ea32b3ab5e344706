"""Which reader a file of sites needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cvpipe.errors import SitesError
from cvpipe.ledger.exchange.raw import Question, RawFile

Reader = Callable[[Path, Question], RawFile]

SUFFIXES = frozenset(
    {".geojson", ".json", ".geojsonl", ".geojsons", ".ndjson", ".gpkg", ".shp", ".zip", ".kml", ".kmz", ".csv"}
    | {".xlsx", ".xlsm"}
)

_REMEDIES = {
    ".xls": "This is Excel's format of before 2007. Save it as .xlsx.",
    ".dbf": "Name the .shp file beside it.",
    ".shx": "Name the .shp file beside it.",
}


def read_raw(path: Path, question: Question) -> RawFile:
    """Read a file by its suffix. Raises SitesError that says what is wrong with the file as a whole."""
    _refuse_unreadable(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SitesError(
            f"a {suffix or 'nameless'} file is not read",
            where=path,
            remedy=_REMEDIES.get(suffix, "Save it as GeoJSON, GeoPackage, Shapefile, KML, CSV or XLSX."),
        )
    try:
        return _reader(suffix)(path, question)
    except OSError as error:
        raise SitesError(
            f"the file cannot be read ({error.strerror or error})", where=path, remedy="Look at it and its permissions."
        ) from error


def _refuse_unreadable(path: Path) -> None:
    if path.is_dir():
        raise SitesError("a folder, no file", where=path, remedy="Name the file in it.")
    if not path.is_file():
        found = "a link that leads to no file" if path.is_symlink() else "no such file"
        raise SitesError(found, where=path, remedy="Check the path.")
    if path.stat().st_size == 0:
        raise SitesError("the file is empty (0 bytes)", where=path, remedy="Export or copy it again.")


def _reader(suffix: str) -> Reader:
    """Imported when it is needed: GDAL and openpyxl take longer to load than most commands to run."""
    if suffix in (".gpkg", ".shp", ".zip"):
        from cvpipe.ledger.exchange import layers

        readers: dict[str, Reader] = {".gpkg": layers.read_geopackage, ".shp": layers.read_shapefile}
        return readers.get(suffix, layers.read_zipped_shapefile)
    if suffix in (".xlsx", ".xlsm"):
        from cvpipe.ledger.exchange import workbooks

        return workbooks.read_workbook
    if suffix in (".kml", ".kmz"):
        from cvpipe.ledger.exchange import kml

        return kml.read_kml if suffix == ".kml" else kml.read_kmz
    if suffix == ".csv":
        from cvpipe.ledger.exchange import delimited

        return delimited.read_csv
    from cvpipe.ledger.exchange import documents

    return documents.read_geojson if suffix in (".geojson", ".json") else documents.read_geojson_lines
