"""The draft of a bundle's card: what is known when a job ends. People add what it is for, and measured figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cvpipe.domain import ChangeKind
from cvpipe.train.datasheet import SourceSheet
from cvpipe.train.settings import TrainSettings

#: Held-out places that are named before the rest is counted.
NAMED_PLACES = 8

_KINDS = {
    "siamese": "surfaces of each epoch, structures removed and added",
    "fc_siam_diff": "structures removed and added (FC-Siam-diff, a baseline; it names no surfaces)",
    "unet_concat": "structures removed and added (U-Net over both epochs, a baseline; it names no surfaces)",
}


def card(
    settings: TrainSettings,
    sheets: Sequence[SourceSheet],
    figures: Mapping[str, float],
    f1: Mapping[ChangeKind, float],
    *,
    steps: int,
    pairs: int,
) -> str:
    """Markdown. `figures` are those of the last validation, `f1` those reached at the chosen thresholds."""
    parts = [
        f"# {settings.name}\n",
        f"Answers: {_KINDS[settings.design.kind]}. Encoder `{settings.design.encoder}`, {settings.gsd_m} m a pixel.",
        f"Trained for {steps:,} steps of {settings.batch} pairs of {settings.crop_px}² px, seed {settings.seed}.\n",
        "## What it learnt from\n",
        *_table(sheets),
        "",
        f"Starting weights: {_start(settings)}.\n",
        "## Held out\n",
        *(_held(sheet) for sheet in sheets if sheet.held_out),
        "",
        "## Figures on held-out places\n",
        f"Measured on {pairs} pairs from the places above; change is simulated where a source has one epoch. They",
        "choose thresholds and calibration and say nothing of new ground: that is measured with",
        f"`cvpipe evaluate {settings.name} DATASET`.\n",
        *_figures(figures, f1),
        "",
    ]
    return "\n".join(parts)


def _table(sheets: Sequence[SourceSheet]) -> list[str]:
    head = ["| source | share of pairs | pictures | places | labelled ground | licence |", "|---|---|---|---|---|---|"]
    return head + [
        f"| {s.kind} {s.name} | {s.share:.0%} | {s.learnt} | {s.places - len(s.places_held_out)} "
        f"| {s.area_m2 * s.labelled / 1e4:,.1f} ha: {_surfaces(s)} | {s.licence} |"
        for s in sheets
    ]


def _surfaces(sheet: SourceSheet) -> str:
    ranked = sorted(sheet.surfaces.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{word} {share:.0%}" if share >= 0.005 else f"{word} < 1 %" for word, share in ranked) or "none"


def _held(sheet: SourceSheet) -> str:
    places = sheet.places_held_out
    more = f" and {len(places) - NAMED_PLACES} more" if len(places) > NAMED_PLACES else ""
    return f"- {sheet.kind} {sheet.name}: {sheet.held_out} pictures of {', '.join(places[:NAMED_PLACES])}{more}"


def _start(settings: TrainSettings) -> str:
    given = [settings.start_network, settings.start_encoder, settings.encoder_weights]
    first = next((one for one in given if one is not None), None)
    if first is None:
        return "random"
    return f"`{first}`" if first != "public" else f"published weights of `{settings.design.encoder}`"


def _figures(figures: Mapping[str, float], f1: Mapping[ChangeKind, float]) -> list[str]:
    rows = [(name.replace("_", " "), value) for name, value in figures.items()]
    rows += [(f"{kind} F1 at its threshold", value) for kind, value in f1.items()]
    return ["| figure | value |", "|---|---|", *(f"| {name} | {value:.3f} |" for name, value in rows)]
