"""Who comes in: log-in with lockout and rate limit, and sessions that are known by a hash only."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from cvpipe.domain import Account, LogInOutcome
from cvpipe.ledger import Ledger, Session
from cvpipe.review import passwords
from cvpipe.review.options import ReviewOptions

#: A session ends after this whatever happens; somebody else may sit at the machine by then.
LONGEST_SESSION = timedelta(hours=24)

#: A session's use is noted this often; every note is a write to the ledger.
NOTED_EVERY = timedelta(minutes=5)

#: Attempts to log in from one address in a minute that fail: a whole office may share one and succeed.
ATTEMPTS_PER_MINUTE = 20

#: Addresses that are remembered at once.
ADDRESSES_KEPT = 10_000


@dataclass(frozen=True)
class Visitor:
    """Somebody who is logged in."""

    account: Account
    session: Session

    @property
    def name(self) -> str:
        """What decisions are signed with."""
        return self.account.name


class RateLimit:
    """At most `count` uses within `seconds` for each key; bounded in memory."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count, self._seconds = count, seconds
        self._uses: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def allows(self, key: str) -> bool:
        """Whether one more use is within the limit; it is counted if so."""
        now = time.monotonic()
        with self._lock:
            uses = self._uses.setdefault(key, deque())
            self._uses.move_to_end(key)
            while len(self._uses) > ADDRESSES_KEPT:
                self._uses.popitem(last=False)
            while uses and uses[0] <= now - self._seconds:
                uses.popleft()
            if len(uses) >= self._count:
                return False
            uses.append(now)
            return True

    def give_back(self, key: str) -> None:
        """Take the last use of a key back: it was one that is not limited."""
        with self._lock:
            uses = self._uses.get(key)
            if uses:
                uses.pop()


class Door:
    """Lets people in and knows them again. What the browser holds is random and new at each log-in."""

    def __init__(self, ledger: Ledger, options: ReviewOptions) -> None:
        self._ledger, self._options = ledger, options
        self._attempts = RateLimit(ATTEMPTS_PER_MINUTE, 60)

    def log_in(self, name: str, password: str, address: str) -> str | None:
        """The token of a new session; None where name or password is wrong, or the account is locked.

        Every attempt is noted in the ledger but those beyond the rate limit, which cost nothing.
        """
        if not self._attempts.allows(address):
            return None
        account = self._ledger.account(name)
        # Compared before anything is known: how long an answer takes tells nobody which names there are.
        right = passwords.matches(password, account.password_hash if account else None)
        if account is not None and self._is_locked(name):
            self._ledger.note_log_in(name, LogInOutcome.LOCKED)
            return None
        if account is None or not right or not account.active:
            self._ledger.note_log_in(account.name if account else "", LogInOutcome.WRONG)
            return None
        self._attempts.give_back(address)
        self._ledger.note_log_in(name, LogInOutcome.ACCEPTED)
        return self._open(account)

    def admit(self, name: str) -> str | None:
        """The token of a new session for somebody whom a trusted proxy has logged in; None without an account."""
        account = self._ledger.account(name)
        if account is None or not account.active:
            return None
        self._ledger.note_log_in(name, LogInOutcome.ACCEPTED)
        return self._open(account)

    def visitor(self, token: str | None) -> Visitor | None:
        """Whose session the token is; None for one that is unknown or has run out."""
        if not token:
            return None
        found = self._ledger.session(_hash(token))
        if found is None:
            return None
        session, account = found
        now = datetime.now(UTC)
        if now - session.seen_at > self._idle or now - session.started_at > LONGEST_SESSION:
            self._ledger.close_session(session.token_hash)
            return None
        if now - session.seen_at > NOTED_EVERY:
            self._ledger.see_session(session.token_hash, now)
        return Visitor(account, session)

    def log_out(self, token: str | None) -> None:
        """End a session."""
        if token:
            self._ledger.close_session(_hash(token))

    @property
    def _idle(self) -> timedelta:
        return timedelta(hours=self._options.idle_hours)

    def _open(self, account: Account) -> str:
        token, now = secrets.token_urlsafe(32), datetime.now(UTC)
        session = Session(_hash(token), account.name, secrets.token_urlsafe(32), now, now)
        self._ledger.open_session(session, expired_before=now - max(self._idle, LONGEST_SESSION))
        return token

    def _is_locked(self, name: str) -> bool:
        """Whether the last attempts were all wrong, and the last wrong one is young."""
        since = datetime.now(UTC) - timedelta(minutes=self._options.lock_minutes)
        wrong = 0
        for _, _, outcome in self._ledger.log_ins(name, since=since, limit=1000):
            if outcome is LogInOutcome.ACCEPTED:
                break
            wrong += outcome is LogInOutcome.WRONG
        return wrong >= self._options.wrong_passwords


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


__all__ = ["Door", "RateLimit", "Visitor"]
