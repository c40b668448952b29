"""Rules about the mail server, and about the names of one that is your own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from typing import Literal

from newsletter.doctor.case import Case
from newsletter.findings import Finding, Record, error, halves, note, warning

_SOON = timedelta(days=14)  # most certificates are renewed by machine a month before
_OLD_TLS = ("TLSv1", "TLSv1.1", "SSLv3")  # RFC 8996


def provider(case: Case) -> Iterator[Finding]:
    """What is configured sends to people, and takes your key and your domain."""
    if case.provider == "folder":
        yield note(
            "provider",
            "[delivery] provider",
            "Letters are written to a folder; none reaches anybody.",
            "When you have a mail server or a service, name it as `provider`; docs/getting-started.md says how.",
        )
    yield from case.account.findings


def mail_server(case: Case) -> Iterator[Finding]:
    """Your mail server answers, encrypts, and takes your login; no letter is sent for it."""
    if case.server_fault:
        yield error("mail-server", case.server_place, *halves(case.server_fault))
    elif case.server and case.server.tls in _OLD_TLS:
        yield warning(
            "mail-server",
            case.server_place,
            f"It encrypts as one did long ago ({case.server.tls}), which can be broken.",
            "Ask your mail host for TLS 1.2 or newer.",
        )


def certificate(case: Case) -> Iterator[Finding]:
    """The certificate of your mail server lasts for a while."""
    if case.server is None or case.server.expires is None:
        return
    left = case.server.expires - case.at
    if left < _SOON:
        yield warning(
            "certificate",
            case.server_place,
            f"Its certificate ends in {max(left.days, 0)} days; from then on no letter leaves.",
            "If it is your own server, renew it; else ask your mail host.",
        )


def reverse_name(case: Case) -> Iterator[Finding]:
    """The address of your own mail server has a name, and the name has that address (RFC 1912 section 2.1)."""
    if not case.runs_server:
        return
    for address in case.server_addresses:
        names = case.dns.ask(ip_address(address).reverse_pointer, "PTR").records
        wanted = case.server.name if case.server and "." in case.server.name else f"mail.{case.domain}"
        record = Record(ip_address(address).reverse_pointer, wanted, "PTR")
        if not names:
            yield error(
                "reverse-name",
                address,
                f"{address}, from which your server sends, has no name (PTR); Gmail and others refuse mail from there.",
                "Whoever rents you the address or the line sets it: ask for this record.",
                record,
            )
        elif not any(_leads_to(case, name, address) for name in names):
            yield error(
                "reverse-name",
                address,
                f"{address} is called {names[0]}, which does not lead back to it; Gmail and others refuse that.",
                f"Give {names[0]} this address in its DNS, or ask whoever rents you the address for another name.",
                Record(names[0], address, _kind(address)),
            )


def greeting_name(case: Case) -> Iterator[Finding]:
    """Your own mail server greets with its full name, and the name leads to it (RFC 5321 section 4.1.1.1)."""
    addresses = case.server_addresses if case.runs_server else ()
    if not addresses or case.server is None:
        return
    name = case.server.name.lower().rstrip(".")
    if "." not in name or name.startswith("["):
        yield warning(
            "greeting-name",
            case.server_place,
            f"It calls itself “{case.server.name}”, which is no full name; many servers distrust that.",
            f"Set its name (myhostname in Postfix) to one such as mail.{case.domain}.",
        )
    elif not any(_leads_to(case, name, address) for address in addresses):
        yield warning(
            "greeting-name",
            case.server_place,
            f"It calls itself {name}, and that name leads elsewhere, or nowhere.",
            "Give the name this address in the DNS.",
            Record(name, addresses[0], _kind(addresses[0])),
        )


def _kind(address: str) -> Literal["A", "AAAA"]:
    return "A" if ip_address(address).version == 4 else "AAAA"


def _leads_to(case: Case, name: str, address: str) -> bool:
    found = case.dns.ask(name, _kind(address)).records if "." in name else ()
    return any(ip_address(other) == ip_address(address) for other in found)


RULES = {
    "provider": provider,
    "mail-server": mail_server,
    "certificate": certificate,
    "reverse-name": reverse_name,
    "greeting-name": greeting_name,
}
