"""Imports point one way, and what is light stays light.

cli → run, report, review, train → detect, assess, world → ledger, imagery, network → life → domain, geo, settings
→ errors, shipped
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import cvpipe

PACKAGE = Path(cvpipe.__file__).parent

#: Rooms from the top down; a room may import rooms of lower levels only.
LEVELS = (
    {"cli"},
    {"run", "report", "review", "train"},
    {"detect", "assess", "world"},
    {"ledger", "imagery", "network"},
    {"life"},
    {"domain", "folders", "geo", "settings"},
    {"ahead", "errors", "garbage", "shipped"},
)
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}

SQL = {"sqlalchemy", "sqlite3", "alembic", "geoalchemy2", "psycopg"}
TORCH = {"torch", "torchvision", "timm", "segmentation_models_pytorch"}
#: Libraries that take a tenth of a second or more to import, or that bring such ones along.
HEAVY = {*TORCH, "albumentations", "cv2", "numpy", "pandas", "pyogrio", "rasterio", "scipy", "shapely", "sqlalchemy"}


@dataclass(frozen=True)
class Import:
    """One import statement: the file and line it stands in, and the module that it names."""

    file: str
    line: int
    module: str

    @property
    def room(self) -> str:
        """The room that imports; files beside the rooms are rooms of one file."""
        return self.file.split("/")[0].removesuffix(".py")

    @property
    def library(self) -> str:
        """First part of the imported name."""
        return self.module.split(".")[0]

    def __str__(self) -> str:
        return f"cvpipe/{self.file}:{self.line} imports {self.module}"


def imports_in(source: str, file: str) -> Iterator[Import]:
    """All imports, those inside functions too; `from cvpipe import x` names `cvpipe.x`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            assert node.module
            names = [f"cvpipe.{a.name}" for a in node.names] if node.module == "cvpipe" else [node.module]
            yield from (Import(file, node.lineno, name) for name in names)


def against_the_arrow(found: Import) -> bool:
    """Whether an import of one of our rooms goes up, or sideways into another room of the same level."""
    parts = found.module.split(".")
    if parts[0] != "cvpipe" or len(parts) == 1 or parts[1] == found.room:
        return False
    return LEVEL_OF[parts[1]] <= LEVEL_OF[found.room]


@pytest.fixture(scope="module")
def all_imports() -> list[Import]:
    """Every import statement of the package."""
    files = sorted(PACKAGE.rglob("*.py"))
    return [
        found
        for file in files
        for found in imports_in(file.read_text(encoding="utf-8"), file.relative_to(PACKAGE).as_posix())
    ]


def test_every_room_has_a_level() -> None:
    rooms = {p.stem if p.is_file() else p.name for p in PACKAGE.iterdir() if not p.name.startswith(("_", "."))}
    assert rooms == set(LEVEL_OF)


def test_imports_follow_the_arrow(all_imports: list[Import]) -> None:
    assert [str(i) for i in all_imports if i.room in LEVEL_OF and against_the_arrow(i)] == []


def test_the_package_itself_imports_nothing(all_imports: list[Import]) -> None:
    assert [str(i) for i in all_imports if i.file == "__init__.py"] == []


def test_only_the_ledger_knows_sql(all_imports: list[Import]) -> None:
    users = {i.room for i in all_imports if i.library in SQL}
    assert users == {"ledger"}


@pytest.mark.parametrize(
    "room", ["assess", "report", "review", "ledger", "imagery", "world", "life", "domain", "geo", "settings"]
)
def test_rooms_that_name_no_torch(room: str, all_imports: list[Import]) -> None:
    named = [str(i) for i in all_imports if i.room == room and (i.library in TORCH or i.module == "cvpipe.network")]
    assert named == []


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("from cvpipe.cli import app", True),
        ("def f():\n    from cvpipe import train", True),
        ("import cvpipe.world.patch", True),
        ("from cvpipe.detect.maps import compare", False),
        ("from cvpipe.errors import UsageError\nimport cvpipe", False),
    ],
)
def test_the_arrow_would_be_noticed(source: str, wrong: bool) -> None:
    assert any(against_the_arrow(i) for i in imports_in(source, "detect/made_up.py")) is wrong


def loaded_after(statement: str) -> set[str]:
    """First parts of the names in `sys.modules` of a fresh process that has run `statement`."""
    code = f"{statement}\nimport sys; print('\\n' + ' '.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("room", ["assess", "report", "review", "ledger"])
def test_rooms_that_really_load_no_torch(room: str) -> None:
    loaded = loaded_after(f"import pkgutil, importlib, cvpipe.{room} as room\n"
                          "for m in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
                          "    m.name.endswith('migrations.env') or importlib.import_module(m.name)")  # fmt: skip
    assert "shapely" in loaded, "the room was loaded"
    assert loaded & TORCH == set()


def test_importing_cvpipe_loads_nothing_heavy() -> None:
    assert loaded_after("import cvpipe") & HEAVY == set()


def test_help_answers_without_heavy_libraries() -> None:
    loaded = loaded_after(
        "import sys; sys.argv = ['cvpipe', '--help']\n"
        "from cvpipe.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    )
    assert "typer" in loaded
    assert loaded & HEAVY == set()
