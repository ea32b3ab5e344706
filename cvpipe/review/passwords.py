"""Passwords: hashed with argon2id, compared in the same time whether or not there is such an account."""

from __future__ import annotations

from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cvpipe.errors import UsageError

#: NIST SP 800-63B asks for 8 at least; ours guard a whole campaign.
SHORTEST = 10

#: Longer ones are refused before they are hashed.
LONGEST = 200

# RFC 9106, section 4, second choice: 64 MiB and three passes.
_HASHER = PasswordHasher()

#: Hashes made at once: each takes 64 MiB and a tenth of a second of a core.
_AT_ONCE = BoundedSemaphore(2)


def hashed(password: str) -> str:
    """The hash to keep. Raises UsageError for a password that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(
            f"the password has {len(password)} characters",
            remedy=f"Choose one of {SHORTEST} to {LONGEST}; a sentence is easy to remember and hard to guess.",
        )
    with _AT_ONCE:
        return _HASHER.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Whether the password is the one that was hashed; None, for no account, takes as long and is False."""
    if len(password) > LONGEST:
        return False
    try:
        with _AT_ONCE:
            _HASHER.verify(kept or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


@cache
def _nobody() -> str:
    return _HASHER.hash("the password of nobody")


__all__ = ["LONGEST", "SHORTEST", "hashed", "matches"]
