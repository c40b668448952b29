"""A case: one project as the rules see it, with what was seen of the world.

The DNS is asked while the rules judge, through the resolver in it; everything else was looked at before. A rule that
asks may raise `Unanswered`, which the caller takes for "nobody knows".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from newsletter.config import Identity, SmtpSettings
from newsletter.destinations import FAMILIES, group_of
from newsletter.doctor import spf
from newsletter.doctor.services import Service, service
from newsletter.keys import SigningKey
from newsletter.lookup import Resolver
from newsletter.mail import Address
from newsletter.providers.visits import Account, Page, Server

COUNTING = ("gmail.com", "outlook.com", "yahoo.com")  #: mail systems with rules of their own for bulk senders
BULK = 5_000  #: letters a day to one mail system, from which on it counts a sender as a bulk sender

# RFC 2606 and RFC 6761: names that nobody can own; .local is RFC 6762's.
_NOBODYS = ("example.com", "example.net", "example.org", "example", "test", "invalid", "localhost", "local")
_FREE = frozenset({"free.fr", "laposte.net", "orange.fr", "t-online.de", "comcast.net", "fastmail.com", "hey.com"})

_NO_ACCOUNT = Account()


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, as far as the newsletter needs it."""

    free: int = 0  #: octets on the disk of the database
    database: int = 0  #: octets it has now; 0: elsewhere, or none yet
    folder: str = ""  #: of the database; "": it is not on this disk
    exposed: tuple[Path, ...] = ()  #: files that other users can read and should not
    address: str = ""  #: from which it speaks to the world, if that is known here


@dataclass(frozen=True)
class Case:
    """What is judged."""

    identity: Identity
    dns: Resolver
    at: datetime
    provider: str = "folder"
    smtp: SmtpSettings | None = None  #: when it is the provider
    keys: tuple[SigningKey, ...] = ()  #: of [dkim]
    reverse_path: str = ""  #: its domain, when it is not that of From
    selectors: tuple[str, ...] = ()  #: under which the mail host is said to sign
    alerts_to: Address | None = None
    server: Server | None = None
    server_fault: str = ""  #: why it could not be called on
    page: Page | None = None  #: how an unsubscribe address answers; None: there is none to ask
    machine: Machine = Machine()
    readers: Mapping[str, int] = field(default_factory=dict)  #: mail system → active readers there
    account: Account = _NO_ACCOUNT  #: with the vendor that is the provider
    notes: tuple[str, ...] = ()  #: of the settings
    faults: tuple[str, ...] = ()  #: what can't be opened: a key, the database

    @property
    def domain(self) -> str:
        """Of the From address."""
        return self.identity.sender.address.domain

    @property
    def path(self) -> str:
        """Of the reverse path, where servers look for SPF."""
        return self.reverse_path or self.domain

    @property
    def is_sample(self) -> bool:
        """Whether From is still a sample's, so that nothing in the DNS can be right."""
        return any(self.domain == name or self.domain.endswith(f".{name}") for name in _NOBODYS)

    @property
    def is_free(self) -> bool:
        """Whether From is an address with a mail service whose DNS is not the owner's."""
        return group_of(self.domain) in FAMILIES or self.domain in _FREE

    @property
    def owns_domain(self) -> bool:
        """Whether the owner can put records into the From domain's DNS."""
        return not self.is_sample and not self.is_free

    @property
    def service(self) -> Service | None:
        """The mail service that takes the letters, if it is one that is known here."""
        return service(self.provider, self.smtp.host if self.smtp else "")

    @property
    def bulk(self) -> bool:
        """Whether a mail system counts us among its bulk senders, whose rules are stricter."""
        return max(self.readers.values(), default=0) >= BULK

    @property
    def server_place(self) -> str:
        """The configured mail server, as findings call it."""
        return f"{self.smtp.host}, port {self.smtp.port}" if self.smtp else ""

    @property
    def runs_server(self) -> bool:
        """Whether the mail server is the owner's own: on this machine, or named within her domain."""
        if self.smtp is None or self.service is not None:
            return False
        host = self.smtp.host.lower().rstrip(".")
        above = host.partition(".")[2]
        return (
            is_address(host)
            or host in ("localhost", self.domain)
            or ("." in above and f".{self.domain}".endswith(f".{above}"))
        )

    @property
    def server_addresses(self) -> tuple[str, ...]:
        """The public addresses of the mail server; none when it stands where nobody outside can see it."""
        if self.smtp is None:
            return ()
        host = self.smtp.host.rstrip(".")
        if host.lower() == "localhost":
            found = []
        elif is_address(host):
            found = [host]
        else:
            found = [*self.dns.ask(host, "A").records, *self.dns.ask(host, "AAAA").records]
        public = tuple(address for address in found if _is_public(address))
        return public or ((self.machine.address,) if self.runs_server and _is_public(self.machine.address) else ())

    def survey(self, address: str = "") -> spf.Survey:
        """A walk through the SPF record of the reverse path's domain, for *address* or for nobody."""
        sender = f"{self.identity.sender.address.local}@{self.path}"
        return spf.Survey(self.dns, self.path, ip_address(address) if address else None, sender)

    @property
    def authorised(self) -> bool | None:
        """Whether SPF speaks for our letters; None: it can't be known from here."""
        if self.provider == "folder" or (self.service and self.service.own_path):
            return None
        if self.service:
            walk = self.survey()
            included = self.service.spf in walk.domains and walk.result is not spf.Result.BROKEN
            return included or (None if walk.networks else False)
        verdicts = [self.survey(address).result is spf.Result.PASS for address in self.server_addresses]
        return all(verdicts) if verdicts else None

    def mechanisms(self) -> str:
        """What has to stand in the SPF record so that it speaks for our letters; "" when that is not known."""
        if self.service:
            return f"include:{self.service.spf}" if self.service.spf else ""
        return " ".join(f"ip{ip_address(address).version}:{address}" for address in self.server_addresses)


def is_address(host: str) -> bool:
    """Whether *host* is a number and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_public(address: str) -> bool:
    return bool(address) and ip_address(address).is_global
