"""The outline of a district out of any vector file that GDAL reads."""

from __future__ import annotations

from pathlib import Path

import pyogrio.raw
import pyproj
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj.exceptions import CRSError
from shapely.geometry.base import BaseGeometry

from cvpipe.errors import SitesError
from cvpipe.geo import WGS84
from cvpipe.ledger.placing import placed


def read_district(path: Path) -> BaseGeometry:
    """All polygons of the first layer of a file as one area, WGS 84; a file without a CRS is taken for WGS 84.

    GDAL reads it: the file must not be a ledger that this process has open.

    Raises SitesError where the file is missing, no vector file, or without polygons.
    """
    if not path.is_file():
        raise SitesError("no such file", where=path, remedy="Check the path of the district's outline.")
    try:
        meta, _, written, _ = pyogrio.raw.read(path, columns=[])
        crs = pyproj.CRS.from_user_input(meta["crs"]) if meta["crs"] else WGS84
        areas = [placed(one, crs)[0] for one in shapely.from_wkb(written) if one is not None and not one.is_empty]
    except (DataSourceError, DataLayerError, CRSError, ValueError) as error:
        raise SitesError(
            f"no outline that can be read ({error})", where=path, remedy="Export it as GeoJSON or GeoPackage."
        ) from error
    polygons = [area for area in areas if shapely.get_dimensions(area) == 2]
    if not polygons:
        raise SitesError("it holds no polygon", where=path, remedy="Give the outline of the district as an area.")
    return shapely.union_all(polygons)
