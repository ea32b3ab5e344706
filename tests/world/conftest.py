"""One small drawn district and one drawn patch, shared by the tests of this room."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cvpipe.world import District, DrawnPatch, draw_district, draw_patch


@pytest.fixture(scope="session")
def district(tmp_path_factory: pytest.TempPathFactory) -> District:
    """A district just large enough to hold every case."""
    return draw_district(tmp_path_factory.mktemp("district"), size_m=800.0, gsd_m=0.5)


@pytest.fixture(scope="session")
def truth(district: District) -> dict[str, Any]:
    """The district's truth document."""
    document: dict[str, Any] = json.loads(district.truth.read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="session")
def patch() -> DrawnPatch:
    """A training patch of 512² pixels in two epochs."""
    return draw_patch(3, size_px=512)
