"""The way in: `cvpipe init` with options and questions, completion in the shell, the oldest versions."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cvpipe.assess.rules import default_rules, read_rules
from cvpipe.cli import workspace as command
from cvpipe.cli.app import app
from cvpipe.ledger import Workspace

RUNNER = CliRunner()
PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


class TestInit:
    def test_options_go_into_the_settings(self, tmp_path: Path) -> None:
        words = ["init", str(tmp_path / "w"), "--campaign", '拆违 "2027": 一', "--target", "528"]
        assert RUNNER.invoke(app, words).exit_code == 0
        settings = Workspace.open(tmp_path / "w").settings()
        assert (settings.campaign, settings.campaign_target) == ('拆违 "2027": 一', 528)

    def test_nobody_is_asked_where_nobody_sits(self, tmp_path: Path) -> None:
        done = RUNNER.invoke(app, ["init", str(tmp_path / "w")])
        assert done.exit_code == 0
        assert "Name of the campaign" not in done.output
        assert Workspace.open(tmp_path / "w").settings().campaign_target is None

    @pytest.mark.parametrize(
        ("typed", "stated"), [("环境整治\n528\n", ("环境整治", 528)), ("\n\n", ("", None)), ("a\nx\n7\n", ("a", 7))]
    )
    def test_answers_on_a_terminal(
        self, typed: str, stated: tuple[str, int | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        class Terminal:
            """As `sys`, but people sit before it."""

            class stdin:  # noqa: N801
                isatty = staticmethod(lambda: True)

            stdout = stdin

        monkeypatch.setattr(command, "sys", Terminal)
        assert RUNNER.invoke(app, ["init", str(tmp_path / "w")], input=typed).exit_code == 0
        settings = Workspace.open(tmp_path / "w").settings()
        assert (settings.campaign, settings.campaign_target) == stated

    def test_rules_to_be_changed_say_the_same_at_first(self, tmp_path: Path) -> None:
        assert RUNNER.invoke(app, ["init", str(tmp_path / "w"), "--copy-rules"]).exit_code == 0
        settings = Workspace.open(tmp_path / "w").settings()
        assert settings.rules == tmp_path / "w" / "rules.yaml"
        assert settings.epochs == tmp_path / "w" / "epochs.yaml"
        assert (tmp_path / "w" / "headings.yaml").is_file()
        assert read_rules(settings.rules, []) == default_rules()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_each_shell_is_printed(shell: str) -> None:
    code = f"import sys; sys.argv = ['cvpipe', '--show-completion', '{shell}']; from cvpipe.cli import main; main()"
    stated = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # else it is the shell that calls
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=stated)
    assert done.returncode == 0, done.stderr
    assert "_CVPIPE_COMPLETE" in done.stdout


def test_every_requirement_of_a_running_cvpipe_has_a_floor() -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(one for name, extra in extras.items() if name != "dev" for one in extra)]
    assert [one for one in wanted if ">=" not in one] == []
