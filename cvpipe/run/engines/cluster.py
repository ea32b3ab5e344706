"""Reaching a Ray cluster, or starting one of this machine alone. The one place that knows how Ray is set up."""

from __future__ import annotations

import importlib
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from cvpipe.errors import ClusterError, UsageError

#: Ray's object store on a cluster that a run starts, bytes: it holds the bundle and answers, never pixels.
STORE_BYTES = 256 * 2**20

#: A head that does not take a connection within so many seconds is not there; Ray itself would try for minutes.
ANSWERS_WITHIN_S = 5.0


@contextmanager
def connected(address: str | None) -> Iterator[str]:
    """Be connected to a cluster: at `address`, else RAY_ADDRESS, else one that is started, and stopped afterwards.

    Yields the address. Where this process is connected already, that connection is used and stays. Raises UsageError
    where Ray is not installed, ClusterError where the cluster does not answer.
    """
    where, ray = _where(address), ray_for(address)
    if ray.is_initialized():
        yield where
        return
    if where not in ("local", "auto"):
        _must_answer(where)
    try:
        ray.init(where, **_settings(where))
    except Exception as error:  # Ray says with many kinds of exceptions that it cannot
        raise ClusterError(
            f"cannot be joined ({type(error).__name__}: {error})",
            where=f"Ray cluster {where}",
            remedy="The head and this machine need the same Python, Ray and RAY_AUTH_TOKEN; `ray status` tells more.",
        ) from error
    try:
        yield where
    finally:
        ray.shutdown()


def ray_for(address: str | None) -> ModuleType:
    """Ray, set up for an address before it is imported for the first time. Raises UsageError where it is not there."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to Ray's makers
    # What Ray has to say of a lost node, some hundred lines, it prints between our own; with "^" none of it.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "^")
    if _where(address) == "local":
        # Ray listens on all addresses of a machine unless it thinks that no other node can come (as on macOS).
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        remedy = "Install it: pip install 'cvpipe[ray]'."
        raise UsageError(f"the Ray engine needs the package ray ({error})", remedy=remedy) from error


def _where(address: str | None) -> str:
    return address or os.environ.get("RAY_ADDRESS") or "local"


def _settings(where: str) -> dict[str, Any]:
    plain = {"log_to_driver": False, "logging_level": logging.ERROR}
    if where != "local":
        return plain
    return plain | {"include_dashboard": False, "object_store_memory": STORE_BYTES}


def _must_answer(where: str) -> None:
    """Raise ClusterError where nothing listens at `host:port` or `ray://host:port`."""
    parts = urlsplit(where if "://" in where else f"//{where}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise UsageError(f"'{where}' is no address of a Ray cluster", remedy="Give HOST:PORT, usually port 6379.")
    try:
        socket.create_connection((host, port), ANSWERS_WITHIN_S).close()
    except OSError as error:
        raise ClusterError(
            f"does not answer ({error})",
            where=f"Ray cluster {where}",
            remedy="Check the address (--ray-address, RAY_ADDRESS), or start it: ray start --head.",
        ) from error
