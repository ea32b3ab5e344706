"""Photos of sites: known by their content, never by their name; written anew, so that nothing but pixels is kept.

When and where a photo was taken is read from it first; the rest of what a camera writes, which may tell of a person,
goes.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
import struct
import warnings
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Attachment
from cvpipe.errors import InputError
from cvpipe.geo import WGS84, reproject, utm_crs

#: Formats that are taken, as the file's own beginning tells them.
FORMATS = ("JPEG", "PNG", "WEBP")

#: A picture with more pixels is refused before it is unpacked.
MOST_PIXELS = 70_000_000

#: Longer side of what is kept: enough to read a house number, 2 MB.
KEPT_PX = 3200

FOLDER = PurePosixPath("attachments")


@dataclass(frozen=True)
class Photo:
    """A photo as it is kept: a JPEG without metadata, and what it told of time and place."""

    data: bytes
    taken_on: date | None
    place: Point | None

    @property
    def sha256(self) -> str:
        """Digest of what is kept."""
        return hashlib.sha256(self.data).hexdigest()


def read_photo(data: bytes) -> Photo:
    """A photo out of the bytes that came. Raises InputError for what is no JPEG, PNG or WebP picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that are cut off
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                _refuse_huge(opened)
                exif = opened.getexif()
                taken_on, place = _taken_on(exif), _place(exif)
                upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, struct.error,
            Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # fmt: skip
        raise InputError("that is no photo", remedy="Send a JPEG, PNG or WebP picture.") from error
    upright.thumbnail((KEPT_PX, KEPT_PX))
    kept = io.BytesIO()
    upright.save(kept, "JPEG", quality=88)
    return Photo(kept.getvalue(), taken_on, place)


def keep(photo: Photo, code: str, name: str, workspace: Path) -> Attachment:
    """Write a photo beside the ledger under its digest; `name` is told to people and never a path."""
    path = FOLDER / f"{photo.sha256}.jpg"
    target = workspace / path
    target.parent.mkdir(exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")  # the same photo may come twice at once
    with unfinished.open("wb") as file:
        file.write(photo.data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(target)
    return Attachment(
        site_code=code,
        name=shown_name(name),
        media_type="image/jpeg",
        sha256=photo.sha256,
        size_bytes=len(photo.data),
        path=str(path),
        taken_on=photo.taken_on,
        place=photo.place,
    )


def shown_name(name: str) -> str:
    """The last part of a file's name without control characters, at most 120 of it."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[\x00-\x1f\x7f]", "", last).strip()[:120] or "photo.jpg"


def distance_m(place: Point, outline: BaseGeometry) -> float:
    """How far a place lies from an outline, both in WGS 84; 0 inside it."""
    crs = utm_crs(place.x, place.y)
    return float(reproject(place, WGS84, crs).distance(reproject(outline, WGS84, crs)))


def _refuse_huge(opened: Image.Image) -> None:
    if opened.width * opened.height > MOST_PIXELS:
        raise InputError(f"the photo has {opened.width} x {opened.height} pixels", remedy="Send a smaller one.")


def _taken_on(exif: Image.Exif) -> date | None:
    stated = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
    try:
        return datetime.strptime(str(stated)[:10], "%Y:%m:%d").date()
    except ValueError:
        return None


def _place(exif: Image.Exif) -> Point | None:
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    try:
        lat = _degrees(gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLatitudeRef] == "S")
        lon = _degrees(gps[ExifTags.GPS.GPSLongitude], gps[ExifTags.GPS.GPSLongitudeRef] == "W")
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return Point(lon, lat) if abs(lat) <= 84 and abs(lon) <= 180 else None


def _degrees(parts: tuple[float, float, float], negative: bool) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if negative else value


__all__ = ["Photo", "distance_m", "keep", "read_photo", "shown_name"]
