"""Keys that begin with what a site is: that beginning is hashed once for each site, not for each of its pairs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import shapely

from cvpipe.domain import Site
from cvpipe.geo import array_of

if TYPE_CHECKING:
    from hashlib import _Hash

Beginning = Callable[[Site, str], str]
"""How a key begins, of a site and its outline as hexadecimal WKB: a JSON list that is still open."""


class Beginnings:
    """SHA-256 of how keys begin, by site; those of the sites expected last are held."""

    def __init__(self, beginning: Beginning) -> None:
        self._beginning = beginning
        self._held: dict[str, tuple[Site, _Hash]] = {}

    def expect(self, sites: Sequence[Site]) -> None:
        """Hash the beginnings of some sites at once, and forget those before."""
        outlines = shapely.to_wkb(array_of(site.geometry for site in sites), hex=True)
        self._held = {
            site.code: (site, self._hashed(site, outline)) for site, outline in zip(sites, outlines, strict=True)
        }

    def key(self, site: Site, rest: str) -> str:
        """The digest of a JSON list whose first members are the site's, and whose others are `rest` (`as_rest`)."""
        return self.keys(site, [rest.encode()])[0]

    def keys(self, site: Site, rests: Sequence[bytes]) -> tuple[str, ...]:
        """The digests of such lists that end otherwise."""
        held = self._held.get(site.code)
        if held is None or held[0] is not site:
            held = site, self._hashed(site, shapely.to_wkb(site.geometry, hex=True))
        found = []
        for rest in rests:
            whole = held[1].copy()
            whole.update(rest)
            found.append(whole.hexdigest())
        return tuple(found)

    def _hashed(self, site: Site, outline: str) -> _Hash:
        return hashlib.sha256(self._beginning(site, outline).encode())


def as_json(value: str | float | None) -> str:
    """As `json.dumps` writes it, without its start-up for the usual float."""
    if value is None:
        return "null"
    return repr(value) if type(value) is float and math.isfinite(value) else json.dumps(value)


def as_rest(members: Sequence[Any]) -> str:
    """The end of a JSON list that has begun already."""
    return ", " + json.dumps(list(members))[1:]


__all__ = ["Beginnings", "as_json", "as_rest"]
