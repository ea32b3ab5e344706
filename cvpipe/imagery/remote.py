"""Rasters behind an address: GDAL's settings for them, their bytes, and reads that are tried again.

`https://…` and `http://…` are read by range requests, `s3://BUCKET/KEY` with the credentials that AWS's own tools use
(AWS_ACCESS_KEY_ID and its like, ~/.aws, an instance's role; AWS_NO_SIGN_REQUEST=YES for open buckets). Another
server than Amazon's is named by AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property, lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from cvpipe.errors import SceneError

T = TypeVar("T")

#: What rasterio raises where GDAL fails; of some calls it is GDAL's error as it stands.
GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError)

#: GDAL's settings for remote reads, each with its reason. They hold for every read; local files do not heed them.
HTTP_SETTINGS: dict[str, str | int | float] = {
    # GDAL asks again after 429 and 5xx and where a connection is reset, each pause twice the one before.
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 0.3,  # seconds before the first
    "GDAL_HTTP_CONNECTTIMEOUT": 10,  # seconds; a machine that is there answers in one
    "GDAL_HTTP_LOW_SPEED_TIME": 20,  # a transfer below the limit for so many seconds is given up
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1000,  # bytes a second
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",  # neighbouring tiles in one request
    "GDAL_HTTP_MULTIPLEX": "YES",  # several requests on one HTTP/2 connection
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,  # bytes of the first request: the whole header of most COGs, not 16 kB
    "VSI_CACHE": "TRUE",  # a file's last blocks are kept,
    "VSI_CACHE_SIZE": 16 * 2**20,  # so many bytes of them
    # What was learnt of a file that could not be read must not outlive it: else a 500 is remembered as "not there".
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/http://:/vsicurl/https://:/vsis3/",
}

#: Further settings while a remote raster is opened. Local rasters must not have them: their .ovr and .msk files would
#: be overlooked.
OPEN_SETTINGS: dict[str, str] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no listing of the folder, and no asking for side files
}

#: Seconds between our own attempts, after those of GDAL: for connections cut in the midst and servers that stall.
PAUSES_S = (0.5, 2.0)
#: Seconds without an answer or a byte after which a request of our own is given up.
TIMEOUT_S = 20.0

#: Bytes of a STAC document that are read at most.
MOST_DOCUMENT_BYTES = 256 * 2**20

#: Answers that another attempt does not change.
FINAL_STATUS = frozenset({400, 401, 403, 404, 405, 410, 416})
# A query of an address in a text of GDAL's or the network's, and a name with a password before a host.
_KEYS = re.compile(r"\?[^\s'\"<>)]*=[^\s'\"<>)]*|(?<=://)[^\s/@]+@")
# Variables of the environment that decide which server an S3 client asks, and as whom.
_S3_VARIABLES = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_NO_SIGN_REQUEST",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
_SCHEMES = ("http://", "https://", "s3://")


def is_remote(address: Path | str) -> bool:
    """Whether an address is a URL that is read from afar, and not a path."""
    return isinstance(address, str) and address.lower().startswith(_SCHEMES)


def gdal_path(address: Path | str) -> str:
    """The name by which GDAL opens an address."""
    if not is_remote(address):
        return str(address)
    text = str(address)
    return f"/vsis3/{text[len('s3://') :]}" if text.lower().startswith("s3://") else f"/vsicurl/{text}"


def shown(address: Path | str) -> str:
    """An address as messages may show it: without a query, which can hold a key, and without a password."""
    if not is_remote(address):
        return str(address)
    parts = urlsplit(str(address))
    return f"{parts.scheme}://{parts.netloc.rsplit('@', 1)[-1]}{parts.path}"


def without_keys(text: str) -> str:
    """A message of GDAL's or the network's without the queries and passwords of the addresses in it."""
    return _KEYS.sub("", text)


def endpoint_settings() -> dict[str, str]:
    """GDAL's settings for the S3 server that AWS_ENDPOINT_URL names; none where it names none."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if not endpoint:
        return {}
    parts = urlsplit(endpoint)
    secure = "YES" if parts.scheme == "https" else "NO"
    return {"AWS_S3_ENDPOINT": parts.netloc, "AWS_HTTPS": secure, "AWS_VIRTUAL_HOSTING": "FALSE"}


def patiently(address: Path | str, attempt: Callable[[], T], again: Callable[[], None] = lambda: None) -> T:
    """The result of `attempt`, tried again after a pause where GDAL or the network failed; `again` runs before.

    The last error is raised; at once where the server says that the file is not there or not for us.
    """
    for pause in PAUSES_S:
        try:
            return attempt()
        except GDAL_ERRORS as error:
            if is_final(address, error):
                raise
            time.sleep(pause * random.uniform(0.8, 1.2))  # so that many readers do not ask again at once
            again()
    return attempt()


def is_final(address: Path | str, error: BaseException) -> bool:
    """Whether another attempt cannot help: the server answers, and what it says of the file is no passing trouble."""
    if isinstance(error, RemoteFileError):
        return error.is_final
    try:
        RemoteFile(address).size  # noqa: B018 - the request is made for its failure
    except RemoteFileError as answer:
        return answer.is_final
    return False


class RemoteDataset:
    """A rasterio dataset behind an address: what needs the network is tried again, on a dataset opened anew.

    It has all that `rasterio.DatasetReader` has; `name` is the address as messages may show it. GDAL reads much of a
    file's header only when it is asked for it, so that all is asked within `environment`, GDAL's settings.
    """

    def __init__(
        self,
        address: str,
        open_it: Callable[[], rasterio.DatasetReader],
        environment: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._address, self._open_it, self._environment = address, open_it, environment
        self.name = shown(address)
        self._dataset = patiently(address, open_it)

    def __getattr__(self, name: str) -> Any:
        found = self._again(lambda: getattr(self._dataset, name))
        if not callable(found):
            return found
        return lambda *arguments, **options: self._again(lambda: getattr(self._dataset, name)(*arguments, **options))

    def __enter__(self) -> RemoteDataset:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dataset.close()

    def read(self, *arguments: Any, **options: Any) -> Any:
        """As `rasterio.DatasetReader.read`."""
        return self._again(lambda: self._dataset.read(*arguments, **options))

    def read_masks(self, *arguments: Any, **options: Any) -> Any:
        """As `rasterio.DatasetReader.read_masks`."""
        return self._again(lambda: self._dataset.read_masks(*arguments, **options))

    def close(self) -> None:
        """As `rasterio.DatasetReader.close`."""
        self._dataset.close()

    def _again(self, attempt: Callable[[], T]) -> T:
        with self._environment():
            return patiently(self._address, attempt, self._open_anew)

    def _open_anew(self) -> None:
        self._dataset.close()
        self._dataset = patiently(self._address, self._open_it)


class RemoteFileError(OSError):
    """A remote file did not give its bytes; `is_final` where asking again cannot help."""

    def __init__(self, reason: str, *, is_final: bool) -> None:
        told = without_keys(reason)
        super().__init__(told)
        self.is_final = is_final
        self.strerror = told


class RemoteFile:
    """The bytes of a file behind an address. Raises RemoteFileError, whose text says in a few words what was amiss."""

    def __init__(self, address: Path | str) -> None:
        self._address = str(address)

    @cached_property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._s3_size() if self._is_s3 else self._http_part(0, 1)[1]

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start`; fewer at the end of the file."""
        if length <= 0:
            return b""
        return self._s3_part(start, length) if self._is_s3 else self._http_part(start, length)[0]

    @property
    def _is_s3(self) -> bool:
        return self._address.lower().startswith("s3://")

    def _http_part(self, start: int, length: int) -> tuple[bytes, int]:
        """The bytes, and the size of the whole file."""
        wanted = urllib.request.Request(self._address, headers={"Range": f"bytes={start}-{start + length - 1}"})
        try:
            with urllib.request.urlopen(wanted, timeout=TIMEOUT_S) as answer:
                if answer.status != 206:
                    raise RemoteFileError("the server gives no parts of files (range requests)", is_final=True)
                total = answer.headers.get("Content-Range", "").rpartition("/")[2]
                return answer.read(), int(total)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416 and error.headers.get("Content-Range", "").endswith("*/0"):
                    return b"", 0  # of an empty file no part can be had
                final = error.code in FINAL_STATUS
                raise RemoteFileError(f"HTTP {error.code} {error.reason}", is_final=final) from None
        except urllib.error.URLError as error:
            raise RemoteFileError(f"no answer: {error.reason}", is_final=False) from None
        except (http.client.HTTPException, OSError, ValueError) as error:
            if isinstance(error, RemoteFileError):
                raise
            raise RemoteFileError(f"no whole answer: {error}", is_final=False) from None

    def _s3_size(self) -> int:
        return int(self._of_s3(lambda client, place: client.head_object(**place)["ContentLength"]))

    def _s3_part(self, start: int, length: int) -> bytes:
        span = f"bytes={start}-{start + length - 1}"
        return bytes(self._of_s3(lambda client, place: client.get_object(**place, Range=span)["Body"].read()))

    def _of_s3(self, ask: Callable[[Any, dict[str, str]], Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, _, key = self._address[len("s3://") :].partition("/")
        try:
            return ask(_s3_client(), {"Bucket": bucket, "Key": key})
        except ClientError as error:
            code = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            said = error.response.get("Error", {}).get("Message", "")
            raise RemoteFileError(f"HTTP {code} {said}".strip(), is_final=code in FINAL_STATUS) from None
        except BotoCoreError as error:
            raise RemoteFileError(str(error), is_final=False) from None


def objects_below(address: str) -> Iterator[tuple[str, int, str]]:
    """Address, size in bytes and entity tag of every object below `s3://BUCKET/PREFIX`, in order of their names.

    Raises SceneError for another address, and where the bucket does not answer or does not let itself be listed.
    """
    if not address.lower().startswith("s3://"):
        raise SceneError("cannot be listed", where=shown(address), remedy="Name a folder, or s3://BUCKET/PREFIX.")
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, prefix = address[len("s3://") :].partition("/")
    try:
        pages = _s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", ()):
                yield f"s3://{bucket}/{found['Key']}", int(found["Size"]), str(found["ETag"])
    except (BotoCoreError, ClientError) as error:
        told = without_keys(str(error))
        raise SceneError(
            f"cannot be listed ({told})", where=address, remedy="Check the address and its keys."
        ) from None


def _s3_client() -> Any:
    return _s3_client_for(tuple(os.environ.get(name) for name in _S3_VARIABLES))


@lru_cache(maxsize=8)
def _s3_client_for(_: tuple[str | None, ...]) -> Any:
    """The client for what the environment says. It may be shared between threads, and takes 50 ms to make."""
    try:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError as error:
        raise SceneError(
            "s3:// addresses need the package boto3", remedy="Install it with `pip install 'cvpipe[s3]'`."
        ) from error
    open_bucket = os.environ.get("AWS_NO_SIGN_REQUEST", "").upper() in {"YES", "TRUE", "1"}
    config = Config(
        connect_timeout=10,
        read_timeout=TIMEOUT_S,
        retries={"total_max_attempts": 3, "mode": "standard"},
        **({"signature_version": UNSIGNED} if open_bucket else {}),
    )
    return boto3.Session().client("s3", config=config)


def fetched(address: str) -> bytes:
    """A whole small document behind an address. Raises RemoteFileError."""
    if address.lower().startswith("s3://"):
        file = RemoteFile(address)
        return patiently(address, lambda: file.read(0, min(file.size, MOST_DOCUMENT_BYTES)))
    return patiently(address, lambda: _whole(address))


def _whole(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read(MOST_DOCUMENT_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            raise RemoteFileError(f"HTTP {error.code} {error.reason}", is_final=error.code in FINAL_STATUS) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise RemoteFileError(f"no answer: {error}", is_final=False) from None
