"""Changes between two epochs in the words of STAC's label extension 1.0.1, for which pystac keeps no class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvpipe.domain import ChangeKind

LABEL_SCHEMA = "https://stac-extensions.github.io/label/v1.0.1/schema.json"

#: What the item is to say of changes that nobody has looked at.
BY_NETWORK = "Changes between two epochs that a network proposed; no person has looked at them."


def label_properties(
    counts: Mapping[ChangeKind, int], description: str = BY_NETWORK, methods: Sequence[str] = ("automated",)
) -> dict[str, Any]:
    """What the extension asks of an item whose polygons have a `kind`; `counts` are polygons of each kind."""
    told = [{"name": kind.value, "count": number} for kind, number in counts.items()]
    return {
        "label:description": description,
        "label:type": "vector",
        "label:properties": ["kind"],
        "label:classes": [{"name": "kind", "classes": [kind.value for kind in ChangeKind]}],
        "label:tasks": ["segmentation"],
        "label:methods": list(methods),
        "label:overviews": [{"property_key": "kind", "counts": told}],
    }


__all__ = ["BY_NETWORK", "LABEL_SCHEMA", "label_properties"]
