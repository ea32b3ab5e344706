"""A PostgreSQL server of the tests' own: on loopback, on a free port, as an ordinary user, gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

#: Where Debian and Ubuntu put the programs of a server, newest last.
_INSTALLED = "/usr/lib/postgresql/*/bin"
_START_SECONDS = 60

_SETTINGS = {"listen_addresses": "127.0.0.1", "max_connections": "60"}

#: A server that may forget everything has no reason to wait for its disk.
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Server:
    """A running server; `url` of a database in it."""

    port: int

    def url(self, database: str = "postgres") -> str:
        """Where a database is."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run a statement that stands outside any transaction, such as CREATE DATABASE."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self, name: str, template: str = "template0") -> str:
        """Make a database in UTF-8, empty or as a copy; returns its URL."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def programs() -> Path | None:
    """Folder of `initdb` and `postgres`, if there is a server with PostGIS on this machine."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).parent] if on_path else []
    candidates += sorted(Path("/").glob(_INSTALLED.lstrip("/")), key=lambda folder: int(folder.parent.name))
    for folder in reversed(candidates):
        if (folder / "initdb").is_file() and (folder / "postgres").is_file() and _has_postgis(folder):
            return folder
    return None


@contextlib.contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """A new server in a folder of its own; both are gone at the end. `durable` ones wait for the disk."""
    binaries = programs()
    assert binaries is not None, "ask programs() first"
    folder = Path(tempfile.mkdtemp(prefix="cvpipe-postgres-"))
    try:
        _hand_over(folder)
        data = folder / "data"
        options = ["-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run([*_as_ordinary_user(), str(binaries / "initdb"), *options], check=True, capture_output=True)
        with _process(binaries, data, {} if durable else _FORGETFUL) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _process(binaries: Path, data: Path, more: Mapping[str, str]) -> Iterator[Server]:
    port = _free_port()
    settings = {**_SETTINGS, **more, "port": str(port), "unix_socket_directories": str(data)}
    words = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (data.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [*_as_ordinary_user(), str(binaries / "postgres"), "-D", str(data), *words], stdout=log, stderr=log
        )
    try:
        server = Server(port)
        _wait_for(server, process, data.parent / "log")
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: sessions are cut off
        try:
            process.wait(timeout=_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, f"the server did not start: {log.read_text()}"
        try:
            psycopg.connect(server.url(), connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, f"the server does not answer: {log.read_text()}"
            time.sleep(0.05)


def _has_postgis(binaries: Path) -> bool:
    told = subprocess.run([str(binaries / "pg_config"), "--sharedir"], capture_output=True, text=True, check=False)
    return told.returncode == 0 and (Path(told.stdout.strip()) / "extension" / "postgis.control").is_file()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ordinary_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as_ordinary_user() -> list[str]:
    """PostgreSQL refuses to run as root: the words that start a program as somebody else, where that is needed."""
    if os.geteuid() != 0:
        return []
    user = _ordinary_user()
    # setpriv replaces itself by the program, so that the process that is stopped is the server.
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _hand_over(folder: Path) -> None:
    if os.geteuid() == 0:
        user = _ordinary_user()
        os.chown(folder, user.pw_uid, user.pw_gid)
