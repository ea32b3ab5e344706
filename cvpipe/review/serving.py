"""Listening: one process, some threads, on an address that is safe to listen on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from cvpipe.errors import UsageError
from cvpipe.ledger import Ledger
from cvpipe.review.app import create_app
from cvpipe.review.options import ReviewOptions
from cvpipe.review.pages import static_folder

#: The bundled map library, without which there are no pictures.
BUNDLE = Path("vendor") / "map.js"


def serve(ledger: Ledger, workspace: Path, options: ReviewOptions, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` is told the address. Raises UsageError for what must not, or cannot, be."""
    options.refuse_unsafe(has_accounts=any(account.active for account in ledger.accounts()))
    refuse_without_bundle()
    config = uvicorn.Config(
        create_app(ledger, workspace, options),
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ssl_certfile=options.tls_certificate,
        ssl_keyfile=options.tls_key,
        timeout_graceful_shutdown=5,
    )
    with _listening(options) as bound:
        scheme = "https" if options.tls_certificate else "http"
        host = f"[{options.host}]" if ":" in options.host else options.host
        ready(f"{scheme}://{host}:{bound.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[bound])


def refuse_without_bundle() -> None:
    """Raises UsageError where the map library was not bundled."""
    if not (static_folder() / BUNDLE).is_file():
        raise UsageError(
            "the map library is not there",
            where=static_folder() / BUNDLE,
            remedy="In a source tree run `make web` (it needs npm); a wheel brings it along.",
        )


def _listening(options: ReviewOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((options.host, options.port))
    except OSError as error:
        bound.close()
        raise UsageError(
            f"port {options.port} of {options.host} cannot be listened on ({error.strerror})",
            remedy="Give another --port; 0 takes a free one.",
        ) from error
    bound.listen(256)
    return bound


__all__ = ["refuse_without_bundle", "serve"]
