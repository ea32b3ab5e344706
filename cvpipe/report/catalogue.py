"""What the ledger holds as a STAC catalogue, for GIS desks and for whoever trains a network on what people confirmed.

    catalog.json                     the root
    changes/collection.json          a label item for each assessment of two epochs, with its polygons beside it
    scenes/<hash>.json               the scenes that they were made from, as the ledger keeps them
    networks/<name>-<digest>.json    the networks that proposed them (MLM extension), where they are described

Label items name their scenes as `source` and their network as `derived_from`. They hold no data about persons: that a
person decided is told, not who. Items are written one after another; none is held in memory.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pystac
import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

import cvpipe
from cvpipe.domain import Change, ChangeKind, Decision, Scene, Site
from cvpipe.folders import OutputFolder
from cvpipe.geo import buffered
from cvpipe.imagery.labels import BY_NETWORK, LABEL_SCHEMA, label_properties
from cvpipe.imagery.stac import with_bands
from cvpipe.ledger import Ledger
from cvpipe.ledger.records import AssessmentRecord, Entry
from cvpipe.report.content import Campaign
from cvpipe.report.material import read_material
from cvpipe.report.scope import WHOLE, Scope

ROOT, COLLECTION = "catalog.json", "collection.json"
CHANGES, SCENES, NETWORKS = "changes", "scenes", "networks"
CATALOGUE = OutputFolder(what="STAC catalogue", names=frozenset({ROOT, CHANGES, SCENES, NETWORKS}), proof=ROOT)

#: What the items say of changes on grounds of which a person answered.
_BY_PERSON = "Changes between two epochs that a network proposed; people answered on grounds of them: cvpipe:decisions."

_WORLD = [-180.0, -90.0, 180.0, 90.0]

_VERSION = "1.1.0"

#: A STAC document as it is written.
Document = dict[str, Any]


@dataclass(frozen=True)
class WrittenCatalogue:
    """Where it is, and how many items of each kind; `left_out` are assessments without two epochs."""

    folder: Path
    changes: int
    scenes: int
    networks: int
    left_out: int


def write_catalogue(
    ledger: Ledger, campaign: Campaign, out: Path, networks: Mapping[str, Document], *, scope: Scope = WHOLE
) -> WrittenCatalogue:
    """Write the assessments of `scope` into `out`, which appears whole or not at all; an older one is replaced.

    `networks` are the bundles' own STAC items by digest; assessments by others name no network. Raises UsageError
    where `out` holds anything else, or the scope names something that there is not.
    """
    out = out.resolve()
    CATALOGUE.refuse_foreign(out)
    material = read_material(ledger, scope)
    records = [r for r in material.records if r.before_date and r.after_date and r.assessment.measurements]
    used = {digest for record in records for digest in record.assessment.scenes}
    scenes = {scene.content_hash: scene for scene in ledger.scenes() if scene.content_hash in used and scene.stac}
    made_by = {record.assessment.bundle_digest for record in records}
    known = {digest: item for digest, item in networks.items() if digest in made_by}
    sites = {site.code: site for site in material.sites}
    said = _by_assessment(material.background.decisions)
    with CATALOGUE.staged(out) as folder:
        for name in (CHANGES, SCENES, NETWORKS):
            (folder / name).mkdir()
        items = _Items(folder, scenes, known)
        for record in records:
            items.write(record, sites[record.assessment.site_code], said.get(record.assessment.key, ()))
        items.write_sources()
        title = campaign.title or "cvpipe"
        _write(folder / CHANGES / COLLECTION, items.collection(title))
        _write(folder / ROOT, _root(title, items))
    return WrittenCatalogue(out, len(records), len(scenes), len(known), len(material.records) - len(records))


class _Items:
    """Writes items, and remembers what the documents above them need to know."""

    def __init__(self, folder: Path, scenes: Mapping[str, Scene], networks: Mapping[str, Document]) -> None:
        self._folder, self._scenes, self._networks = folder, scenes, networks
        self._files, self._boxes, self._days = list[str](), list[Sequence[float]](), set[date]()

    def write(self, record: AssessmentRecord, site: Site, said: Sequence[Entry[Decision]]) -> None:
        """The item of an assessment, and its polygons."""
        name = _fit(f"{len(self._files) + 1:06d}-{record.assessment.key[:12]}")
        polygons = f"{name}.geojson"
        item = _item(record, site, said, name)
        item.add_asset(
            "labels", pystac.Asset(f"./{polygons}", media_type=pystac.MediaType.GEOJSON, roles=["labels", "data"])
        )
        document = item.to_dict(include_self_link=False, transform_hrefs=False)
        document["collection"] = CHANGES
        document["links"] = [
            *_upwards(f"../{ROOT}", f"./{COLLECTION}"),
            _link("collection", f"./{COLLECTION}"),
            *self._sources(record),
        ]
        _write(self._folder / CHANGES / polygons, _polygons(record.assessment.changes))
        _write(self._folder / CHANGES / f"{item.id}.json", document)
        self._files.append(f"{item.id}.json")
        self._boxes.append(document["bbox"])
        assert record.before_date is not None
        assert record.after_date is not None
        self._days |= {record.before_date, record.after_date}

    def _sources(self, record: AssessmentRecord) -> Iterator[Document]:
        for digest in record.assessment.scenes:
            if digest in self._scenes:
                yield _link("source", f"../{_scene_file(digest)}", **{"label:assets": ["labels"]})
        digest = record.assessment.bundle_digest
        if digest in self._networks:
            yield _link("derived_from", f"../{_network_file(digest, self._networks[digest])}")

    def write_sources(self) -> None:
        """The scenes and the networks, as they describe themselves."""
        for file, item in self.sources():
            kept = [link for link in item.get("links", ()) if link["rel"] == "derived_from"]
            links = [*_upwards(f"../{ROOT}", f"../{ROOT}"), *kept]
            _write(self._folder / file, {**item, "links": links})

    def sources(self) -> Iterator[tuple[str, Document]]:
        """Files and items of scenes and networks."""
        for digest, scene in self._scenes.items():
            assert scene.stac is not None
            yield _scene_file(digest), with_bands(scene.stac)
        for digest, item in self._networks.items():
            yield _network_file(digest, item), item

    def collection(self, title: str) -> Document:
        """The collection of the label items."""
        columns = list(zip(*self._boxes, strict=True)) or [(edge,) for edge in _WORLD]
        box = [min(columns[0]), min(columns[1]), max(columns[2]), max(columns[3])]
        days = [_moment(min(self._days)), _end_of(max(self._days))] if self._days else [None, None]
        return {
            "type": "Collection",
            "stac_version": _VERSION,
            "id": CHANGES,
            "title": title,
            "description": f"Changes on sites under remediation. {BY_NETWORK.split(';')[0]}.",
            "license": "other",
            "extent": {"spatial": {"bbox": [box]}, "temporal": {"interval": [days]}},
            "links": [*_upwards(f"../{ROOT}", f"../{ROOT}"), *(_link("item", f"./{file}") for file in self._files)],
        }


def _item(record: AssessmentRecord, site: Site, said: Sequence[Entry[Decision]], name: str) -> pystac.Item:
    assessment, outline = record.assessment, record.outline or buffered(site.geometry, site.buffer_m)
    assert record.before_date is not None
    assert record.after_date is not None
    counted = Counter(change.kind for change in assessment.changes)
    first, last = sorted((record.before_date, record.after_date))
    return pystac.Item(
        id=name,
        geometry=mapping(outline),
        bbox=list(outline.bounds),
        datetime=None,
        start_datetime=datetime.combine(first, time(), UTC),
        end_datetime=datetime.combine(last, time(), UTC) + timedelta(days=1, seconds=-1),
        properties={
            "created": record.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **label_properties(
                {kind: counted[kind] for kind in ChangeKind},
                _BY_PERSON if said else BY_NETWORK,
                ("automated", "manual") if said else ("automated",),
            ),
            **_told(record, said),
        },
        stac_extensions=[LABEL_SCHEMA],
    )


def _told(record: AssessmentRecord, said: Sequence[Entry[Decision]]) -> Document:
    """What an assessment says, and what people answered on grounds of it."""
    assessment, measured = record.assessment, record.assessment.measurements
    assert measured is not None
    return {
        "cvpipe:version": cvpipe.__version__,
        "cvpipe:site": assessment.site_code,
        "cvpipe:run": record.run_id,
        "cvpipe:key": assessment.key,
        "cvpipe:bundle_digest": assessment.bundle_digest,
        "cvpipe:rules_version": assessment.rules_version,
        "cvpipe:area_m2": {kind.value: round(measured.change_m2.get(kind, 0.0), 2) for kind in ChangeKind},
        "cvpipe:valid_share": round(measured.valid_share, 4),
        "cvpipe:verdicts": {verdict.question.value: verdict.outcome.value for verdict in assessment.verdicts},
        "cvpipe:decisions": [
            {"question": one.value.question.value, "verdict": one.value.verdict.value, "on": one.at.date().isoformat()}
            for one in said
        ],
    }


def _polygons(changes: Sequence[Change]) -> Document:
    features = [
        {
            "type": "Feature",
            "geometry": mapping(_oriented(change.geometry)),
            "properties": {
                "kind": change.kind.value,
                "area_m2": round(change.area_m2, 2),
                "probability": round(change.probability, 4),
            },
        }
        for change in changes
    ]
    return {"type": "FeatureCollection", "features": features}


def _oriented(geometry: BaseGeometry) -> BaseGeometry:
    """Outer rings counter-clockwise, as GeoJSON asks (RFC 7946, 3.1.6)."""
    return shapely.orient_polygons(geometry)


def _root(title: str, items: _Items) -> Document:
    here = f"./{ROOT}"
    children = [_link("child", f"./{CHANGES}/{COLLECTION}"), *(_link("item", f"./{f}") for f, _ in items.sources())]
    return {
        "type": "Catalog",
        "stac_version": _VERSION,
        "id": "cvpipe",
        "title": title,
        "description": "Changes on sites under remediation, the scenes that show them, the networks that found them.",
        "links": [_link("root", here), *children],
    }


def _by_assessment(decisions: Sequence[Entry[Decision]]) -> dict[str, list[Entry[Decision]]]:
    found = defaultdict[str, list[Entry[Decision]]](list)
    for entry in decisions:
        if entry.value.assessment_key is not None:
            found[entry.value.assessment_key].append(entry)
    return found


def _upwards(root: str, parent: str) -> list[Document]:
    return [_link("root", root), _link("parent", parent)]


def _link(rel: str, href: str, **more: Any) -> Document:
    is_item = rel in ("item", "source", "derived_from")
    return {"rel": rel, "href": href, "type": "application/geo+json" if is_item else "application/json", **more}


def _scene_file(digest: str) -> str:
    return f"{SCENES}/{digest[:16]}.json"


def _network_file(digest: str, item: Document) -> str:
    return f"{NETWORKS}/{_fit(item['id'])}-{digest[:12]}.json"


def _fit(name: str) -> str:
    """As part of a file's name everywhere."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "-" for sign in name)


def _moment(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _end_of(day: date) -> str:
    return f"{day.isoformat()}T23:59:59Z"


def _write(path: Path, document: Document) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


__all__ = ["WrittenCatalogue", "write_catalogue"]
