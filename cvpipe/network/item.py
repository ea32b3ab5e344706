"""`item.json`: a bundle as a STAC item with the MLM extension, and whether such an item contradicts itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pystac
import torch

import cvpipe
from cvpipe.domain import SURFACES, ChangeKind
from cvpipe.network.designs import KINDS

if TYPE_CHECKING:
    from cvpipe.network.bundle import BundleSettings

MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
FILE_SCHEMA = "https://stac-extensions.github.io/file/v2.1.0/schema.json"

#: Bands of the pictures that a network is shown, in the order of its channels.
BANDS = ("red", "green", "blue")

#: What the field calls each kind of design.
ARCHITECTURES = {"siamese": "Siamese U-Net", "fc_siam_diff": "FC-Siam-diff", "unet_concat": "U-Net, early fusion"}

WEIGHTS, ITEM, GOLDEN, CARD = "weights.safetensors", "item.json", "golden.safetensors", "CARD.md"


def item_of(
    settings: BundleSettings, weights_sha256: str, golden_sha256: str, properties: Mapping[str, Any]
) -> pystac.Item:
    """The STAC item with the MLM extension (https://github.com/stac-extensions/mlm).

    MLM wants the bands of its inputs described in the item, which STAC 1.1 allows only where an asset has them too.
    """
    change = [k.value for k in (ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED)]
    surfaces = [s.name.lower() for s in SURFACES]
    epochs = ("before", "after") if KINDS[settings.design.get("kind", "siamese")].has_surfaces else ()
    bands = [{"name": band} for band in BANDS]
    side = settings.tile_px
    item = pystac.Item(
        id=settings.name,
        geometry={"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]},
        bbox=[-180, -90, 180, 90],
        datetime=datetime.now(UTC).replace(microsecond=0),
        properties={
            "mlm:name": settings.name,
            "mlm:architecture": ARCHITECTURES[settings.design.get("kind", "siamese")],
            "mlm:framework": "PyTorch",
            "mlm:framework_version": torch.__version__.split("+")[0],
            "mlm:tasks": ["semantic-segmentation"],
            "bands": bands,
            "gsd": settings.gsd_m,
            "cvpipe:version": cvpipe.__version__,
            "mlm:input": [_input_spec(epoch, settings) for epoch in ("before", "after")],
            "mlm:output": [
                *(_output_spec(f"surface_{epoch}", surfaces, side, "argmax") for epoch in epochs),
                _output_spec("change", change, side, "threshold"),
            ],
            **properties,
            "cvpipe:bundle": settings.model_dump(mode="json"),
        },
        stac_extensions=[MLM_SCHEMA, FILE_SCHEMA],
    )
    item.add_asset(
        "weights",
        pystac.Asset(
            f"./{WEIGHTS}",
            media_type="application/octet-stream; framework=pytorch",
            roles=["mlm:model", "mlm:weights"],
            extra_fields={
                "bands": bands,
                "mlm:artifact_type": "safetensors",
                "file:checksum": multihash(weights_sha256),
            },
        ),
    )
    golden = {"file:checksum": multihash(golden_sha256)}
    item.add_asset(
        "golden", pystac.Asset(f"./{GOLDEN}", "golden tile and its answer", roles=["data"], extra_fields=golden)
    )
    item.add_asset("card", pystac.Asset(f"./{CARD}", media_type="text/markdown", roles=["metadata"]))
    return item


def _input_spec(name: str, settings: BundleSettings) -> dict[str, Any]:
    return {
        "name": name,
        "bands": list(BANDS),
        "input": {
            "shape": [-1, 3, settings.tile_px, settings.tile_px],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "description": f"RGB / 127.5 - 1 at {settings.gsd_m} m a pixel; both epochs on one grid, aligned",
        "value_scaling": [{"type": "z-score", "mean": 127.5, "stddev": 127.5}],
        "pre_processing_function": None,
    }


def _output_spec(name: str, classes: list[str], side: int, reading: str) -> dict[str, Any]:
    return {
        "name": name,
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, len(classes), side, side],
            "dim_order": ["batch", "class", "height", "width"],
            "data_type": "float32",
        },
        "description": f"probabilities, read by {reading}",
        "classification:classes": [
            {"value": i, "name": c, "description": c.replace("_", " ")} for i, c in enumerate(classes)
        ],
    }


def multihash(sha256: str) -> str:
    """SHA-256 as STAC's file extension writes it: algorithm 0x12, length 0x20, digest."""
    return f"1220{sha256}"


def contradictions(item: Mapping[str, Any], settings: BundleSettings) -> list[str]:
    """Where an item's public words and its bundle's settings say different things; nothing where they agree.

    Other programs read the former, cvpipe the latter: a bundle that says two things is mislabelled. Keys that an item
    lacks contradict nothing.
    """
    said = item["properties"]
    due = item_of(settings, "", "", {}).to_dict()["properties"]
    pairs: list[tuple[str, object, object]] = [
        ("id", item.get("id", settings.name), settings.name),
        *((key, said[key], due[key]) for key in ("mlm:name", "mlm:architecture", "bands", "gsd") if key in said),
        *_input_words(said.get("mlm:input"), due["mlm:input"]),
        *_output_words(said.get("mlm:output"), due["mlm:output"]),
    ]
    return [
        f"{key} is {_short(found)}, its settings say {_short(wanted)}"
        for key, found, wanted in pairs
        if found != wanted
    ]


def _input_words(found: Any, due: list[dict[str, Any]]) -> list[tuple[str, object, object]]:
    if found is None:
        return []
    if not _described(found, due):
        return [("mlm:input", found, due)]
    told = []
    for one, wanted in zip(found, due, strict=True):
        name = f"mlm:input '{wanted['name']}'"
        told.append((f"{name} shape", (one.get("input") or {}).get("shape"), wanted["input"]["shape"]))
        told += [(f"{name} {key}", one.get(key), wanted[key]) for key in ("bands", "value_scaling")]
        sizes = [
            re.findall(r"([\d.]+) m a pixel", str(text["description"]))
            for text in (one, wanted)
            if "description" in text
        ]
        told += [(f"{name} pixel size, m", *(size[0] for size in sizes))] if len(sizes) == 2 and all(sizes) else []
    return told


def _output_words(found: Any, due: list[dict[str, Any]]) -> list[tuple[str, object, object]]:
    if found is None:
        return []
    if not _described(found, due):
        return [("mlm:output", found, due)]
    told: list[tuple[str, object, object]] = []
    for one, wanted in zip(found, due, strict=True):
        classes = [[c.get("name") for c in x.get("classification:classes", [])] for x in (one, wanted)]
        told.append((f"classes of mlm:output '{wanted['name']}'", classes[0], classes[1]))
    return told


def _described(found: Any, due: list[dict[str, Any]]) -> bool:
    """Whether it is a list of the same names in the same order."""
    names = [one.get("name") if isinstance(one, dict) else None for one in found] if isinstance(found, list) else []
    return names == [one["name"] for one in due]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "…"


__all__ = ["BANDS", "CARD", "GOLDEN", "ITEM", "WEIGHTS", "contradictions", "item_of", "multihash"]
