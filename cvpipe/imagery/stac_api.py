"""What a STAC API answers to a search: page by page, asked again after faults that pass."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

from pystac_client import Client
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from pystac_client.warnings import PystacClientWarning

from cvpipe.errors import SceneError
from cvpipe.imagery import remote

if TYPE_CHECKING:
    from cvpipe.imagery.stac import Query

#: Letters of a refusal that are told: some servers answer with a whole page.
MOST_TOLD = 200


def items_found(address: str, query: Query) -> list[Any]:
    """The items of a search as they came (plain data, `query.limit` + 1 of them at most: one more than is wanted).

    Raises SceneError where the API does not answer, or refuses the search.
    """
    span = "/".join(day.isoformat() if day else ".." for day in (query.since, query.until))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PystacClientWarning)  # of links and classes that a search does not need
            patient = _PatientIO(max_retries=None)
            found = Client.open(address, stac_io=patient, timeout=remote.TIMEOUT_S).search(
                method="GET",  # every API has it, only some have POST
                collections=list(query.collections) or None,
                bbox=query.bounds,
                datetime=span if query.since or query.until else None,
                max_items=query.limit + 1,
            )
            return [item for page in found.pages_as_dicts() for item in page["features"]]
    except remote.RemoteFileError as error:
        raise SceneError(
            f"the API does not answer the search ({error.strerror})",
            where=remote.shown(address),
            remedy="Check its address and its collections." if error.is_final else "Try again later.",
        ) from error
    except PystacClientWarning as error:  # it raises some of its warnings
        raise SceneError(
            f"the API has no search ({error})",
            where=remote.shown(address),
            remedy="Name one that has, or a catalogue in files.",
        ) from error


class _PatientIO(StacApiIO):
    """Requests with the pauses that all of cvpipe's have; an answer that is no JSON (a gateway's page) is a fault too.

    The client's own retries heed neither a server's 500 nor an answer cut short, and wait as long as a server says.
    """

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """The text of an answer. Raises RemoteFileError."""
        return remote.patiently(href, lambda: self._asked(href, method, headers, parameters))

    def _asked(
        self, href: str, method: str | None, headers: dict[str, str] | None, parameters: dict[str, Any] | None
    ) -> str:
        try:
            text: str = super().request(href, method, headers, parameters)
            json.loads(text)
        except APIError as error:
            status = getattr(error, "status_code", None)
            said = " ".join(str(error).split())[:MOST_TOLD]
            reason = f"HTTP {status} {said}".strip() if status else f"no whole answer: {said}"
            raise remote.RemoteFileError(reason, is_final=status in remote.FINAL_STATUS) from None
        except (ValueError, RecursionError) as error:
            raise remote.RemoteFileError(f"its answer is no JSON: {error}", is_final=False) from None
        return text
