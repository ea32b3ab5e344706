"""Write docs/reference/ from the code: every command with its options, every setting with its comment.

python -m scripts.write_reference           # writes
python -m scripts.write_reference --check   # exit code 1 where a page is not what the code says
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from cvpipe.cli.app import COMMANDS
from cvpipe.ledger.workspace import SETTINGS_TEXT

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"

#: Commented settings files that ship, and the sentence that introduces each.
SETTINGS_FILES = {
    "configs/rules.yaml": "The limits that verdicts are made with; name a copy as `rules` in `cvpipe.yaml`.",
    "configs/epochs.yaml": "How the epochs of a site are chosen.",
    "configs/headings.yaml": "How headings of your own spreadsheets are added; give it as `--headings`.",
    "configs/train/quick.yaml": "A training job with every key; `cvpipe train CONFIG`.",
}


def pages() -> dict[str, str]:
    """The pages by file name."""
    return {"commands.md": _commands(), "settings.md": _settings()}


@dataclass(frozen=True)
class Command:
    """A command as it is called: its full name, its sentence, its parameters."""

    name: str
    sentence: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command: how it is written, what it does, its default."""

    written: str
    is_argument: bool
    help: str
    default: str


def commands() -> Iterator[Command]:
    """Every command that can be called, in pipeline order."""
    for module in COMMANDS:
        registered = typer.Typer()
        module.register(registered)
        yield from _walk("cvpipe", registered)


def _walk(name: str, group: typer.Typer) -> Iterator[Command]:
    for info in group.registered_commands:
        assert info.callback is not None
        word = info.name or info.callback.__name__.replace("_", "-")
        sentence = info.help or inspect.getdoc(info.callback) or ""
        yield Command(f"{name} {word}", sentence, tuple(_parameters(info.callback)))
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from _walk(f"{name} {below.name or below.typer_instance.info.name}", below.typer_instance)


def _parameters(callback: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(callback, include_extras=True)
    for parameter in inspect.signature(callback).parameters.values():
        kind, *marks = get_args(hints[parameter.name])
        (info,) = (mark for mark in marks if isinstance(mark, ArgumentInfo | OptionInfo))
        if not info.hidden:
            yield _parameter(parameter, kind, info)


def _parameter(parameter: inspect.Parameter, kind: Any, info: ArgumentInfo | OptionInfo) -> Parameter:
    required = parameter.default is inspect.Parameter.empty
    default = "required" if required else _text(parameter.default)
    dashed = f"--{parameter.name.replace('_', '-')}"
    if isinstance(info, ArgumentInfo):
        word = info.metavar or parameter.name.upper()
        return Parameter(word if required else f"[{word}]", True, info.help or "", default)
    # In `Annotated[..., typer.Option("--json")]` typer keeps the first name where a default would stand.
    first = (info.default,) if isinstance(info.default, str) and info.default.startswith("-") else ()
    stated = (*first, *(info.param_decls or ()))
    if kind is bool and parameter.default is True and not stated:
        stated = (f"{dashed}/--no{dashed[1:]}",)
    names = ", ".join(f"`{name}`" for name in stated or (dashed,))
    return Parameter(f"{names} {_values(kind)}".strip(), False, info.help or "", default)


def _values(kind: Any) -> str:
    """What an option takes: nothing for a flag, the words of an enumeration, else the name of its type."""
    kinds = [part for part in (kind, *get_args(kind)) if inspect.isclass(part) and part is not NoneType]
    for part in (below for found in kinds for below in (found, *get_args(found))):
        if inspect.isclass(part) and issubclass(part, Enum):
            return " \\| ".join(str(member.value) for member in part)
    plain = [part for part in kinds if part not in (list, tuple)]
    inner = [below for found in get_args(kind) for below in get_args(found)] + plain
    found = next((part for part in inner if inspect.isclass(part)), str)
    return {bool: "", int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}.get(found, "DATE")


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool) or value in ((), []):
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _commands() -> str:
    parts = [
        "# Commands",
        "Written by `python -m scripts.write_reference` from the code. All commands that work in a workspace take "
        "`--workspace DIR` (default: the current folder). Exit codes: 0 done; 1 the job ended with failures that are "
        "listed; 2 the call or the settings are wrong.",
    ]
    for command in commands():
        parts += [f"## {command.name}", command.sentence, _usage(command), _table(command)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _usage(command: Command) -> str:
    arguments = [p.written for p in command.parameters if p.is_argument]
    return f"```sh\n{' '.join([command.name, *arguments, '[options]'])}\n```"


def _table(command: Command) -> str:
    rows = [f"| {_shown(p)} | {_cell(p.help)} | {p.default} |" for p in command.parameters]
    return "\n".join(["| option | what it does | default |", "|---|---|---|", *rows]) if rows else ""


def _shown(parameter: Parameter) -> str:
    return f"`{parameter.written}`" if parameter.is_argument else parameter.written


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _settings() -> str:
    workspace = SETTINGS_TEXT.format(ledger='"ledger.gpkg"', campaign='""', campaign_target="null")
    parts = [
        "# Settings",
        "Written by `python -m scripts.write_reference` from the code. A key that is not listed is refused.",
        "## cvpipe.yaml",
        "Of a workspace; `cvpipe init` writes it.",
        f"```yaml\n{workspace.strip()}\n```",
    ]
    for name, what in SETTINGS_FILES.items():
        file = ROOT / name
        parts += [f"## {name}", what, f"```yaml\n{file.read_text(encoding='utf-8').strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a page is not true")
    check = parser.parse_args().check
    stale = []
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        file = REFERENCE / name
        if check:
            stale += [str(file)] if not file.exists() or file.read_text(encoding="utf-8") != text else []
        else:
            file.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"not what the code says: {', '.join(stale)}. Run python -m scripts.write_reference.")


if __name__ == "__main__":
    main()
