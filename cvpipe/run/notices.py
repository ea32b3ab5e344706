"""Telling the outside how a run ended: a POST to an address, an e-mail. A notice that cannot be sent never fails a run.

The body of the POST is one JSON object with `text` (a sentence, which chat services show as it is) and the figures of
the run. Secrets are never in the settings: the webhook's address may hold `${NAME}`, filled from the environment, and
the password of the mail server comes from `CVPIPE_SMTP_PASSWORD`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import smtplib
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.client import HTTPException
from typing import Any

from cvpipe.errors import SettingsError
from cvpipe.settings import MailSettings, NoticeSettings

LOG = logging.getLogger(__name__)

#: Seconds to wait for a server that is to take a notice.
TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Notice:
    """How a run ended: a sentence, whether anything failed, and its figures (plain values)."""

    text: str
    failed: bool
    figures: dict[str, Any] = field(default_factory=dict)


def send(notice: Notice, settings: NoticeSettings) -> list[str]:
    """Send a notice to each place that the settings name; returns what went wrong, one sentence per place."""
    if settings.when == "failure" and not notice.failed:
        return []
    wrong = []
    for place, sender in (("webhook", _post), ("mail", _mail)):
        if getattr(settings, place) is None:
            continue
        try:
            sender(notice, getattr(settings, place))
        except (OSError, HTTPException, smtplib.SMTPException, SettingsError, ValueError) as error:
            wrong.append(f"the {place} notice could not be sent ({_without_address(error)})")
            LOG.warning(wrong[-1])
    return wrong


def _post(notice: Notice, address: str) -> None:
    body = json.dumps({"text": notice.text, "failed": notice.failed, **notice.figures}, default=str)
    request = urllib.request.Request(
        _filled(address), body.encode(), {"Content-Type": "application/json", "User-Agent": "cvpipe"}
    )
    if not request.full_url.startswith(("http://", "https://")):
        raise SettingsError("a webhook is an http:// or https:// address", where="notices.webhook")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        answer.read(0)


def _mail(notice: Notice, mail: MailSettings) -> None:
    message = EmailMessage()
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    message["Subject"] = f"cvpipe: {'failures' if notice.failed else 'run finished'}"
    lines = [notice.text, "", *(f"{name}: {value}" for name, value in notice.figures.items())]
    message.set_content("\n".join(lines))
    with smtplib.SMTP(mail.server, mail.port, timeout=TIMEOUT_S) as server:
        if mail.starttls:
            server.starttls(context=ssl.create_default_context())
        if mail.user:
            server.login(mail.user, os.environ.get("CVPIPE_SMTP_PASSWORD", ""))
        server.send_message(message)


def _filled(address: str) -> str:
    """The address with `${NAME}` taken from the environment. Raises SettingsError for a name that is not set."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in os.environ:
            raise SettingsError(f"the environment has no {name}", where="notices.webhook", remedy="Set it.")
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", value, address)


def _without_address(error: Exception) -> str:
    """What went wrong, without the address: it may hold a key."""
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    if isinstance(error, SettingsError):
        return str(error)
    return re.sub(r"https?://\S+", "the address", str(error)) or type(error).__name__
