"""Values that one of the stores cannot hold are refused by both, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cvpipe.errors import LedgerError
from cvpipe.ledger import Ledger
from tests.ledger import samples

LONE_SURROGATE = "a\udcff"  # what Python makes of a command line that is not in UTF-8


def test_nul_in_a_text(filled: Ledger) -> None:
    before = filled.verify()
    with pytest.raises(LedgerError, match=r"holds the character NUL: 'a\\x00b'.*take the character out"):
        filled.raise_finding(replace(samples.FINDING, what="a\0b"))
    with pytest.raises(LedgerError, match="holds the character NUL"):
        filled.put_sites([samples.site("SJS-003"), samples.site("SJS-004", name="\0")], source="test")
    with pytest.raises(LedgerError, match="holds the character NUL"):
        filled.history("SJS-001\0")
    assert filled.verify() == before


def test_nul_in_an_attribute_is_kept(filled: Ledger) -> None:
    """JSON writes it as an escape, which both stores hold."""
    filled.put_sites([samples.site("SJS-003", attributes={"note": "a\0b"})], source="test")
    assert filled.sites(["SJS-003"])[0].attributes == {"note": "a\0b"}
    assert filled.verify().problems == ()


def test_text_that_is_no_unicode(filled: Ledger) -> None:
    before = filled.verify()
    with pytest.raises(LedgerError, match=r"cannot hold a value.*give text in UTF-8"):
        filled.raise_finding(replace(samples.FINDING, what=LONE_SURROGATE))
    with pytest.raises(LedgerError, match="cannot hold a value"):
        filled.history(LONE_SURROGATE)
    assert filled.verify() == before


def test_a_number_beyond_all_columns(filled: Ledger) -> None:
    with pytest.raises(LedgerError, match="cannot hold a value"):
        filled.resolve_finding(10**20, who="inspector")
    with pytest.raises(LedgerError, match="cannot hold a value"):
        filled.put_campaign(replace(samples.CAMPAIGN, target_sites=10**20))
    assert filled.campaigns() == []
