"""The command line speaks Chinese where it is asked to: no sentence of the code is missing, none is mistaken."""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

import cvpipe
from cvpipe import errors
from cvpipe.cli import console, tongue
from cvpipe.cli.tongue import Chinese, Sentence, language, said, table
from cvpipe.errors import UsageError
from tests.ledger.commands import run_command

PACKAGE = Path(cvpipe.__file__).parent
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
#: Whose ValueErrors are told of a row that was handed in.
TELLS_OF_ROWS = ("ledger/exchange/", "ledger/placing.py")
#: What commands write for programs, or name files by.
NOT_SAID = {
    "html,json",
    ".{}.part",
    "sample-{}.xlsx",
    "%(asctime)s %(message)s",
    "\n{}: null\n",
    "\n{}: {}.yaml\n",
    "html,json; dossiers: pdf",
    "Demo district",
    " and ",
}


def written(node: ast.AST) -> str | None:
    """A literal text, with `{}` for what an f-string puts in; None for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def choices(node: ast.AST, module: ast.Module) -> Iterator[str]:
    """The texts that an expression may be: of both sides of a condition, of every value a name is given."""
    text = written(node)
    if text is not None:
        yield text
    elif isinstance(node, ast.IfExp):
        yield from (one for side in (node.body, node.orelse) for one in choices(side, module))
    elif isinstance(node, ast.BoolOp):
        yield from (one for side in node.values for one in choices(side, module))
    elif isinstance(node, ast.Name):
        given = (a.value for a in ast.walk(module) if isinstance(a, ast.Assign) and _names(a) == {node.id})
        yield from (one for value in given if not isinstance(value, ast.Name) for one in choices(value, module))


def _names(assigned: ast.Assign) -> set[str]:
    return {target.id for target in assigned.targets if isinstance(target, ast.Name)}


def is_sentence(text: str) -> bool:
    """Whether there is a word to be translated, beside values, paths and commands that are typed."""
    return re.search(r"[A-Za-z]{2}", text.replace("{}", "")) is not None


@lru_cache(1)
def modules() -> dict[str, ast.Module]:
    """Each file of the package by its path in it."""
    files = (path for path in PACKAGE.rglob("*.py"))
    return {f.relative_to(PACKAGE).as_posix(): ast.parse(f.read_text(encoding="utf-8")) for f in files}


def of_errors() -> set[str]:
    """What the errors of the package say: what was found, and the remedy."""
    texts: set[str] = set()
    for path, module in modules().items():
        wanted = ERRORS | ({"ValueError"} if path.startswith(TELLS_OF_ROWS) else set())
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in wanted:
                said_there = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "remedy")]
                texts.update(text for node in said_there for text in choices(node, module))
    return {text for text in texts if is_sentence(text)}


def of_commands() -> set[str]:
    """Texts of more than one word in `cvpipe/cli`, but for help, docstrings and parts of f-strings."""
    texts: set[str] = set()
    for module in (module for path, module in modules().items() if path.startswith("cli/")):
        passed_over = {id(node) for part in _beside(module) for node in ast.walk(part)}
        for node in ast.walk(module):
            text = None if id(node) in passed_over else written(node)
            if text and is_sentence(text) and ("{}" in text or " " in text):
                texts.add(text)
    return texts - NOT_SAID


def _beside(module: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            yield node.body[0]
        elif isinstance(node, ast.keyword) and node.arg in ("help", "metavar", "formats", "show_default", "remedy"):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield from (part for part in node.values if isinstance(part, ast.Constant))
            yield from (p.format_spec for p in node.values if isinstance(p, ast.FormattedValue) and p.format_spec)


def of_the_package() -> set[str]:
    """Every text that stands anywhere in the code."""
    return {text for module in modules().values() for node in ast.walk(module) if (text := written(node)) is not None}


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVPIPE_LANG", "zh")


class TestTable:
    def test_every_error_and_every_remedy_is_there(self) -> None:
        assert sorted(of_errors() - set(table())) == [], "add them to cvpipe/cli/zh.yaml"

    def test_every_sentence_of_a_command_is_there(self) -> None:
        unsaid = {text for text in of_commands() if text not in table() and _is_more_than_values(text)}
        assert sorted(unsaid) == [], "add them to cvpipe/cli/zh.yaml"

    def test_nothing_is_there_that_the_code_no_longer_says(self) -> None:
        stands = of_the_package()
        assert [text for text in table() if not {text, text.replace(" ", "_")} & stands] == []

    def test_every_sentence_is_known_again_with_its_values(self) -> None:
        spoken, mistaken = Chinese(table(), {}), []
        for english, zh in table().items():
            values = [f"甲{i}乙" for i in range(english.count("{}"))]
            alone = Sentence(english, zh).chinese(values, str)
            assert all(value in alone for value in values), english
            if spoken.said(english.format(*values)) != alone:
                mistaken.append(english)
        assert mistaken == []


def _is_more_than_values(text: str) -> bool:
    """Whether words remain beside values, their units and marks: `{}: {}` and `{} Mpx` need no translation."""
    return re.search(r"[a-z]{3}", re.sub(r"cvpipe|http|metrics", "", text)) is not None


class TestLanguage:
    @pytest.mark.parametrize(
        ("environment", "spoken"),
        [
            ({}, "en"),
            ({"LANG": "zh_CN.UTF-8"}, "zh"),
            ({"LANG": "zh_CN.GBK", "LC_ALL": "C"}, "en"),
            ({"LANG": "en_GB.UTF-8", "LANGUAGE": "zh_CN:en"}, "zh"),
            ({"LANG": "zh_CN.UTF-8", "CVPIPE_LANG": "en"}, "en"),
            ({"LANG": "de_DE.UTF-8", "CVPIPE_LANG": "zh"}, "zh"),
        ],
    )
    def test_ours_goes_before_the_locale(self, environment: dict[str, str], spoken: str) -> None:
        assert language(environment) == spoken

    def test_english_stays_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CVPIPE_LANG", "en")
        assert said("3 sites") == "3 sites"


@pytest.mark.usefixtures("chinese")
class TestSaid:
    @pytest.mark.parametrize(
        ("english", "zh"),
        [
            ("3 of 5 scenes cannot be used", "5 景影像中有 3 景不可用"),
            ("2 samples", "样本 2 份"),
            ("3 files were refused", "3 个文件被退回"),
            ("a.tif: is empty (zero bytes). Copy the file anew.", "a.tif：是空文件（0 字节）。请重新复制该文件。"),
            ("cloud 43%, blurred", "云 43%、模糊"),
            ("not_met", "未达到"),
            ("10 sites: 0 faults, 2 notices", "点位 10 处：错误 0 处，提示 2 处"),
            ("outputs: found", "输出位置：found"),
            ("Say one of none, partial.", "可用：none, partial。"),
            ("whatever a library said", "whatever a library said"),
        ],
    )
    def test_sentences_lists_and_what_is_not_known(self, english: str, zh: str) -> None:
        assert said(english) == zh

    def test_an_error_says_where_what_and_what_to_do(self) -> None:
        error = UsageError("no such file", where="x: y.csv", remedy="Check the path.")
        assert tongue.said_error(error) == "x: y.csv：没有该文件。请检查路径。"


@pytest.mark.usefixtures("chinese")
class TestCommands:
    def test_from_an_empty_folder_to_a_table(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place = tmp_path / "w"
        refused = run_command(monkeypatch, capsys, "sites", "list", "--workspace", place)
        assert (refused.code, "不是工作区：缺少" in refused.stderr, "建立" in refused.stderr) == (2, True, True)
        assert "下一步：cvpipe sites import" in run_command(monkeypatch, capsys, "init", place).stdout
        sheet = tmp_path / "s.csv"
        sheet.write_text("编号,名称,经度,纬度\nA-1,东院,116.2,39.9\nA-2,西院,116.2,\n", encoding="utf-8")
        taken = run_command(monkeypatch, capsys, "sites", "import", sheet, "--workspace", place, "--skip-bad")
        assert "已导入点位" in taken.stdout
        assert "退回：" in taken.stderr
        listed = run_command(monkeypatch, capsys, "sites", "list", "--workspace", place)
        assert "点位 1 处" in listed.stdout
        assert "已登记" in listed.stdout

    def test_json_is_the_same_in_every_language(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place = tmp_path / "w"
        run_command(monkeypatch, capsys, "init", place)
        answers = set()
        for tongue_asked in ("zh", "en"):
            monkeypatch.setenv("CVPIPE_LANG", tongue_asked)
            answers.add(run_command(monkeypatch, capsys, "sites", "summary", "--workspace", place, "--json").stdout)
        assert len(answers) == 1


def test_a_terminal_that_lacks_a_sign_gets_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="gbk", write_through=True))
    console.soften()
    print("面积 m²")
    assert raw.getvalue().decode("gbk").strip() == "面积 m?"
