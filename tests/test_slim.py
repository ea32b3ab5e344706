"""A plain `pip install cvpipe` runs, reviews and reports; what needs more says which extra brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: What comes with extras only, by its name in `import`.
OF_EXTRAS = ("albumentations", "boto3", "lightning_fabric", "onnx", "openvino", "psycopg", "ray", "tensorboardX")
#: What an installation without extras does.
DOES = (
    "cvpipe.world",
    "cvpipe.run",
    "cvpipe.run.health",
    "cvpipe.detect.scenes",
    "cvpipe.review.serving",
    "cvpipe.report",
    "cvpipe.train.evaluation",
    "cvpipe.train.disturbance",
    "cvpipe.train.promotion",
)


def without_extras(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in an interpreter that finds none of what only extras bring."""
    hidden = f"import sys; sys.modules.update(dict.fromkeys({(*OF_EXTRAS, 'weasyprint')!r}))"
    return subprocess.run([sys.executable, "-c", f"{hidden}\n{code}"], capture_output=True, text=True)


def test_what_it_does_is_there_without_extras() -> None:
    done = without_extras("\n".join(f"import {name}" for name in DOES))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "extra"),
    [(("train", "configs/train/quick.yaml"), "train"), (("run", "--engine", "ray"), "ray")],
)
def test_what_needs_an_extra_names_it(
    words: tuple[str, ...], extra: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("w") / "w"
    code = f"from cvpipe.ledger import Workspace; Workspace.create(__import__('pathlib').Path({str(place)!r}))\n"
    at = ("--workspace", str(place)) if words[0] == "run" else ("--work", str(place))
    code += f"sys.argv = {['cvpipe', *words, *at]!r}; from cvpipe.cli import main; main()"
    done = without_extras(code)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'cvpipe[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
