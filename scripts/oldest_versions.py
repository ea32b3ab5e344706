"""The oldest versions that pyproject.toml allows, as constraints for pip: `make test-oldest` installs them.

python -m scripts.oldest_versions > oldest.txt
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"

#: A requirement with a floor: name, extras, `>=`, version.
_FLOOR = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?>=([0-9][0-9A-Za-z.]*)")


def floors(pyproject: Path = PYPROJECT) -> Iterator[str]:
    """`name==version.*` for each requirement with a floor, of cvpipe and of its extras, each once.

    The star: a floor such as 4.9 may stand for 4.9.0.80, the only one of that name.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    found = (match for one in wanted if (match := _FLOOR.match(one)))
    yield from dict.fromkeys(f"{match[1]}=={match[2]}.*" for match in found)


def main() -> None:
    """Print them, one a line."""
    print("\n".join(floors()))


if __name__ == "__main__":
    main()
