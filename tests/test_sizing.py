"""What an area costs: the arithmetic, and the page that shows it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cvpipe.ledger import Workspace
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


def test_the_rate_of_the_page_is_that_of_the_chain() -> None:
    """Of what stands between the files and the polygons, not of the bare network."""
    benchmarks = (PAGE.parent.parent / "benchmarks.md").read_text("utf-8")
    (rate,) = re.findall(
        r"^\| `cvpipe detect` to rasters, polygons, picture and ledger \| ([0-9.]+) \|", benchmarks, re.MULTILINE
    )
    assert {float(r) for r in re.findall(r"--mpx-per-second ([0-9.]+)", PAGE.read_text("utf-8"))} == {float(rate)}


def test_a_workspace_tells_rate_pixel_and_cores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """5 Mpx in 8 s, then 5 in 2 with the same bundle; a run on a cluster and one with another bundle aside."""
    workspace = Workspace.create(tmp_path / "ws")
    price = ["--workspace", str(workspace.folder), "--price-per-core-hour", "1"]
    with pytest.raises(SystemExit, match="no finished run tells a rate"):
        main(price)
    for digest, device, seconds in (("old", "cpu", 1), ("new", "cpu", 8), ("new", "cpu", 2), ("new", "ray", 1)):
        ran(workspace, digest, device, {"kilopixels": 5000, "milliseconds": seconds * 1000})
    main(price)
    assert "at 0.3 m" in (told := capsys.readouterr().out)
    assert "1 Mpx/s per 4 cores" in told
    ran(workspace, "fresh", "cpu", {"kilopixels": 10, "milliseconds": 1000})
    with pytest.raises(SystemExit, match="too little"):
        main(price)


def ran(workspace: Workspace, digest: str, device: str, counts: dict[str, int]) -> None:
    with workspace.ledger() as ledger:
        run = ledger.begin_run(
            settings={"gsd_m": 0.3},
            code_version="1",
            bundle="b",
            bundle_digest=digest,
            rules_version="r",
            machine={"device": device, "cores": 4},
        )
        ledger.finish_run(run, counts)


def test_a_rate_is_told_or_taken_and_not_both() -> None:
    for one in (["--gsd", "0.3"], [], ["--workspace", "x", "--mpx-per-second", "1", "--gsd", "0.3"]):
        with pytest.raises(SystemExit):
            main([*one, "--price-per-core-hour", "1"])


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "much"])
def test_nonsense_is_refused(wrong: str) -> None:
    with pytest.raises(SystemExit):
        main(["--mpx-per-second", wrong, "--gsd", "0.5", "--price-per-core-hour", "1"])
