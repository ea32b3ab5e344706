"""`cvpipe review`: the reviewers' page, and the accounts of those who may use it."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.tongue import said
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import UsageError


class RoleName(StrEnum):
    """What an account may be, as `cvpipe.domain.Role` has it."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    ADMIN = "admin"


_NAME = re.compile(r"[\w.@-]{2,40}")

app = typer.Typer(help="The reviewers' page: people decide what the machine proposes.", rich_markup_mode=None)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="review")


PasswordOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.callback(invoke_without_command=True)
def review(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8717,
    names: Annotated[list[str] | None, typer.Option("--name", help="Host name that browsers may use.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    proxies: Annotated[
        list[str] | None,
        typer.Option("--proxy-from", metavar="CIDR", help="Address or network of a proxy that encrypts."),
    ] = None,
    user_header: Annotated[
        str | None, typer.Option(help="Header in which the proxy names who is logged in, for single sign-on.")
    ] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Serve the reviewers' page on this machine, until interrupted."""
    if context.invoked_subcommand is not None:
        return
    from cvpipe.assess.rules import read_rules
    from cvpipe.ledger import Workspace
    from cvpipe.review import ReviewOptions
    from cvpipe.review.serving import serve

    place = Workspace.open(workspace)
    settings = place.settings()
    with place.ledger() as ledger:
        rules = read_rules(settings.rules, ledger.batches())
    options = ReviewOptions(
        host=host,
        port=port,
        names=tuple(names or ()),
        tls_certificate=tls_cert,
        tls_key=tls_key,
        proxies=tuple(proxies or ()),
        user_header=user_header,
        rules=rules,
        time_zone=settings.time_zone,
    )
    with place.ledger() as ledger:
        serve(ledger, place.folder, options, _tell_address)


@app.command("add-user")
def add_user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="User name or role; never more of a person.")],
    role: Annotated[
        RoleName, typer.Option(help="viewer looks, reviewer decides, admin sees log-ins too.")
    ] = RoleName.REVIEWER,
    password_stdin: PasswordOption = False,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Add an account, or give one another role and password; it is logged out everywhere."""
    from cvpipe.domain import Account, Role
    from cvpipe.ledger import Workspace
    from cvpipe.review.passwords import hashed

    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of an account", remedy="Use 2 to 40 letters, digits, dots, dashes or @.")
    place = Workspace.open(workspace)
    with place.ledger() as ledger:
        ledger.put_account(Account(name, Role(role), hashed(_password(password_stdin))))
    console.out.print(f"{name} may log in as {role.value}", markup=False)


@app.command("close-user")
def close_user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Account to close.")], workspace: WorkspaceOption = Path()
) -> None:
    """Close an account: it is logged out, and what it decided stays."""
    from dataclasses import replace

    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        account = ledger.account(name)
        if account is None:
            raise UsageError(f"there is no account {name!r}", remedy="List them: cvpipe review users.")
        ledger.put_account(replace(account, active=False))
    console.out.print(f"{name} may no longer log in", markup=False)


@app.command("users")
def users(as_json: JsonOption = False, workspace: WorkspaceOption = Path()) -> None:
    """List the accounts."""
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        found = ledger.accounts()
    if as_json:
        console.print_json([{"name": a.name, "role": a.role.value, "active": a.active} for a in found])
        return
    console.print_table("accounts", ["name", "role", "active"], [(a.name, a.role.value, a.active) for a in found])


def _tell_address(address: str) -> None:
    """At once, also into a pipe: whoever started the page waits for this line."""
    print(said(f"review at {address}"), flush=True)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    answer: str = typer.prompt(said("Password"), hide_input=True, confirmation_prompt=True)
    return answer
