"""Mail services that many owners use: what their setup pages ask a domain's DNS for.

As of November 2026, from those pages. A service that is missing here costs its customer only that `doctor` can't name
the record for her; what stands here and has changed would mislead her, so a row that nobody is sure of is left out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """One service, known by the provider's name or by its server's."""

    name: str
    hosts: tuple[str, ...]  #: the server, or the domain that its servers are in
    spf: str = ""  #: whose record ours has to include; "" = none is needed, the reverse path is the service's own
    selectors: tuple[str, ...] = ()  #: under which its keys stand; () = each customer has her own
    provider: str = ""  #: as in [delivery] provider

    @property
    def own_path(self) -> bool:
        """Whether it puts a reverse path of its own, so that SPF is not asked at our domain."""
        return not self.spf


SERVICES = (
    Service("Amazon SES", ("amazonaws.com",), provider="ses"),
    Service("Brevo", ("brevo.com", "sendinblue.com"), selectors=("brevo1", "brevo2", "mail"), provider="brevo"),
    Service("Mailgun", ("mailgun.org",), "mailgun.org", provider="mailgun"),
    Service("Mailjet", ("mailjet.com",), selectors=("mailjet",), provider="mailjet"),
    Service("Postmark", ("postmarkapp.com",), provider="postmark"),
    Service("Resend", ("resend.com",), selectors=("resend",), provider="resend"),
    Service("SendGrid", ("sendgrid.net",), selectors=("s1", "s2"), provider="sendgrid"),
    Service("Fastmail", ("fastmail.com",), "spf.messagingengine.com", ("fm1", "fm2", "fm3")),
    Service("Gandi", ("gandi.net",), "_mailcust.gandi.net", ("gm1", "gm2", "gm3")),
    Service("Google Workspace", ("smtp.gmail.com", "smtp-relay.gmail.com"), "_spf.google.com", ("google",)),
    Service("Infomaniak", ("infomaniak.com",), "spf.infomaniak.ch"),
    Service("mailbox.org", ("mailbox.org",), "mailbox.org", ("mbo0001", "mbo0002", "mbo0003", "mbo0004")),
    Service("Microsoft 365", ("office365.com",), "spf.protection.outlook.com", ("selector1", "selector2")),
    Service("Migadu", ("migadu.com",), "spf.migadu.com", ("key1", "key2", "key3")),
    Service("OVH", ("ovh.net",), "mx.ovh.com"),
    Service(
        "Proton", ("protonmail.ch", "proton.me"), "_spf.protonmail.ch", ("protonmail", "protonmail2", "protonmail3")
    ),
)


def service(provider: str, host: str) -> Service | None:
    """The service behind *provider*, or behind the SMTP server *host*."""
    host = host.lower().rstrip(".")
    for known in SERVICES:
        if known.provider and known.provider == provider:
            return known
        if provider == "smtp" and any(host == name or host.endswith(f".{name}") for name in known.hosts):
            return known
    return None
