"""What the server was told, with the limits that hold for everybody."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field

from cvpipe.assess.rules import ConfirmationRules, Rules
from cvpipe.errors import UsageError
from cvpipe.settings import Settings, TimeZone

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class ReviewOptions(Settings):
    """How the reviewers' page listens, and its limits.

    `names` are further host names that browsers may reach it by. `proxies` are the addresses and networks (CIDR)
    of proxies whose word is taken for who the visitor is (`user_header`) and where they come from (X-Forwarded-For).
    Without a certificate of our own nobody else is answered: what came past the proxy came in the clear.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8717, ge=0, le=65535)
    names: tuple[str, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    proxies: tuple[str, ...] = ()
    user_header: str | None = None
    rules: Rules | None = None
    """The workspace's rules, by which the ledger is told anew where a site stands once people entered something."""
    time_zone: TimeZone = "UTC"
    """Where a day begins, for due dates and a reviewer's day."""
    audit_share: float = Field(default=0.03, ge=0, le=1)
    """Share of the verdicts that nobody need look at which are shown nevertheless, drawn at random."""
    audit_seed: int = 2015
    lease_minutes: float = Field(default=15, gt=0)
    """How long an item stays before a reviewer who does nothing: a long look takes some minutes."""
    idle_hours: float = Field(default=8, gt=0)
    """A session that was not used for a working day ends."""
    wrong_passwords: int = Field(default=5, ge=1)
    """So many wrong passwords in a row lock an account (OWASP ASVS 4.0, 2.2.1) for `lock_minutes`."""
    lock_minutes: float = Field(default=15, gt=0)
    upload_mb: float = Field(default=25, gt=0)
    """Largest photo that is taken, MB; cameras of today write up to 20 MB."""

    @property
    def lease(self) -> timedelta:
        """How long an item stays before a reviewer."""
        return timedelta(minutes=self.lease_minutes)

    @property
    def confirmation(self) -> ConfirmationRules:
        """When people's answers settle a question."""
        return self.rules.confirmation if self.rules else ConfirmationRules()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the district."""
        return ZoneInfo(self.time_zone)

    @property
    def is_public(self) -> bool:
        """Whether others than this machine can reach the address."""
        if self.host in LOOPBACK_NAMES:
            return False
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return True

    @property
    def is_encrypted(self) -> bool:
        """Whether the browser's connection is: by our own certificate, or by a proxy's."""
        return self.tls_certificate is not None or bool(self.proxies)

    @property
    def host_names(self) -> frozenset[str]:
        """What a request may name as its host: others are somebody's domain that was pointed at this machine."""
        return LOOPBACK_NAMES | {self.host, *self.names}

    @property
    def only_proxies(self) -> bool:
        """Whether whoever does not come through a proxy is refused: only there is the connection encrypted."""
        return bool(self.proxies) and self.tls_certificate is None

    def is_proxy(self, peer: str) -> bool:
        """Whether the other end of a connection is a trusted proxy; `peer` is its address as the socket has it."""
        try:
            address = _plain(ip_address(peer))
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    @cached_property
    def _networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        try:
            networks = tuple(ip_network(text) for text in self.proxies)
        except ValueError as error:
            remedy = "Give an address, or a network as in 10.0.0.0/28."
            raise UsageError(str(error), where="--proxy-from", remedy=remedy) from error
        if any(network.prefixlen == 0 for network in networks):
            raise UsageError(
                "every address there is would be a proxy",
                where="--proxy-from",
                remedy="Name the proxies' own addresses: whoever comes from there may name anybody.",
            )
        return networks

    def refuse_unsafe(self, *, has_accounts: bool) -> None:
        """Raises UsageError where listening so would let in whom it should not."""
        trusted = self._networks
        if not has_accounts:
            raise UsageError(
                "nobody has an account, so nobody could log in",
                remedy="Add one: cvpipe review add-user NAME --role admin.",
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise UsageError("a certificate goes with its key", remedy="Give --tls-cert and --tls-key.")
        if self.user_header and not trusted:
            raise UsageError(
                f"whoever comes could name anybody in {self.user_header}",
                where="--user-header",
                remedy="Name the proxies whose word is taken: --proxy-from ADDRESS.",
            )
        if self.is_public and not self.is_encrypted:
            raise UsageError(
                f"on {self.host} passwords would cross the network in the clear",
                where="--host",
                remedy="Give --tls-cert and --tls-key, or --proxy-from ADDRESS of a proxy that encrypts; "
                "or leave --host at 127.0.0.1.",
            )
        if self.is_public and not self.names:
            raise UsageError(
                "a public address needs the name that browsers reach it by",
                where="--host",
                remedy="Give --name, as in --name review.example.org.",
            )


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """IPv4 peers of a socket that speaks IPv6 have addresses such as ::ffff:10.0.0.1."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


__all__ = ["ReviewOptions"]
