"""What an area costs: the arithmetic, and the page that shows it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from scripts.size_district import Question, lines, main

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "sizing.md"
ASKED = Question(km2=36.0, gsd_m=0.5, share=0.5, mpx_per_s=1.0, efficiency=0.8, cores=2, price_per_core_hour=0.1)


def test_an_area_by_hand() -> None:
    assert ASKED.megapixels == pytest.approx(72)
    assert ASKED.hours(1) == pytest.approx(72 / 3600)
    assert ASKED.hours(4) == pytest.approx(72 / (4 * 0.8) / 3600)
    assert ASKED.cost(1) == pytest.approx(72 / 3600 * 2 * 0.1)
    assert ASKED.cost(4) == pytest.approx(ASKED.cost(1) / 0.8)


@pytest.mark.parametrize("hours", [1.0, 0.02, 0.01, 0.001])
def test_the_fewest_units_that_are_done_in_time(hours: float) -> None:
    units = ASKED.units_within(hours)
    assert ASKED.hours(units) <= hours * (1 + 1e-9)
    assert units == 1 or ASKED.hours(units - 1) > hours


def test_the_table_has_a_row_for_each_number_of_units() -> None:
    assert sum(line.startswith("| ") for line in lines(ASKED, 8)) == 1 + 8


def test_the_page_shows_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.findall(r"```text\n\$ python -m scripts.size_district (.+)\n((?:.*\n)+?)```", PAGE.read_text("utf-8"))
    assert len(shown) == 3
    for arguments, output in shown:
        main(shlex.split(arguments))
        assert capsys.readouterr().out == output


def test_the_rate_of_the_page_is_that_of_the_card() -> None:
    card = (PAGE.parent.parent.parent / "models" / "cvpipe-s" / "CARD.md").read_text("utf-8")
    (rate,) = re.findall(r"^Speed: .* ([0-9.]+) Mpx/s, on two CPU threads", card, re.MULTILINE)
    assert set(re.findall(r"--mpx-per-second ([0-9.]+)", PAGE.read_text("utf-8"))) == {rate}


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "much"])
def test_nonsense_is_refused(wrong: str) -> None:
    with pytest.raises(SystemExit):
        main(["--mpx-per-second", wrong, "--gsd", "0.5", "--price-per-core-hour", "1"])
