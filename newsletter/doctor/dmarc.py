"""DMARC (RFC 9989): whose policy holds for a domain, and which domains are one organisation.

    walk          the DNS tree walk: every name where a policy may stand, and what stands there
    policy        the policy that receivers apply to a From domain, and from where
    organisation  the organisational domain of any domain
    aligned       whether an authenticated domain speaks for a From domain

Receivers that still go by RFC 7489 take the organisational domain from the Public Suffix List. For a domain whose owner
publishes one policy at its top, both come to the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from newsletter.doctor.tags import tags
from newsletter.lookup import Resolver

_LABELS_MOST = 7  # RFC 9989 section 4.10, step 4: a longer name is cut down to these at once
_VERSION = re.compile(r"v\s*=\s*DMARC1\s*(?:;|\Z)")  # case matters in the value (section 4.8)
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[^\s,]+", re.IGNORECASE)


class Wish(StrEnum):
    """What a domain asks for when a message fails."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Policy:
    """One record, as far as it can be read."""

    domain: str  #: where it stands, without _dmarc.
    text: str
    tags: dict[str, str]
    fault: str = ""  #: a part of it that receivers ignore

    @property
    def psd(self) -> str:
        """y: the domain is a public suffix; n: it is an organisation whatever stands above it."""
        return self.tags.get("psd", "u").lower()

    def strict(self, tag: str) -> bool:
        """Whether adkim or aspf asks for identical domains."""
        return self.tags.get(tag, "r").lower() == "s"

    def wish(self, domain: str, *, exists: bool = True) -> Wish | None:
        """What it asks for mail from *domain*; None when a wrong value voids it (section 4.10.1)."""
        names = ["p"] if domain == self.domain else ["sp", "p"] if exists else ["np", "sp", "p"]
        wrong = any(self.tags[n].lower() not in set(Wish) for n in ("p", "sp", "np") if n in self.tags)
        if wrong:
            return Wish.NONE if self.reports else None
        return Wish(next((self.tags[n].lower() for n in names if n in self.tags), Wish.NONE))

    @property
    def reports(self) -> list[str]:
        """The addresses of rua, as URIs."""
        uris = [uri.strip() for uri in self.tags.get("rua", "").split(",")]
        return [uri for uri in uris if _URI.fullmatch(uri)]


def name(domain: str) -> str:
    """Where the policy of *domain* stands."""
    return f"_dmarc.{domain}"


def published(dns: Resolver, domain: str) -> list[str]:
    """The records at *domain*; several are as good as none (section 4.10, step 2)."""
    return [text for text in dns.ask(name(domain), "TXT").records if _VERSION.match(text)]


def read(domain: str, text: str) -> Policy:
    """One record. What can't be read in it is left out (section 4.7)."""
    fault, found = "", {}
    try:
        found = tags(text)
    except ValueError as error:
        fault = str(error)
        for part in text.split(";"):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if equals and key:
                found.setdefault(key, value)
    return Policy(domain, text, {key.lower(): value for key, value in found.items()}, fault)


def places(domain: str) -> list[str]:
    """The names that a tree walk from *domain* asks, the longest first; eight at most."""
    labels = domain.split(".")
    shorter = labels[1:] if len(labels) <= _LABELS_MOST else labels[-_LABELS_MOST:]
    return [domain, *(".".join(shorter[i:]) for i in range(len(shorter)))]


def walk(dns: Resolver, domain: str) -> list[Policy]:
    """The policies on the way from *domain* to the top; psd=n and psd=y end it."""
    found: list[Policy] = []
    for place in places(domain):
        texts = published(dns, place)
        if len(texts) == 1:
            found.append(read(place, texts[0]))
            if found[-1].psd in ("n", "y"):
                break
    return found


def organisation(dns: Resolver, domain: str) -> str:
    """The organisational domain of *domain* (section 4.10.2)."""
    found = walk(dns, domain)
    for known in found:
        if known.psd == "n":
            return known.domain
        if known.psd == "y":
            labels = len(known.domain.split(".")) + 1  # one more than there are when the walk began here: itself
            return ".".join(domain.split(".")[-labels:])
    return found[-1].domain if found else domain


def policy(dns: Resolver, domain: str) -> Policy | None:
    """The policy for mail from *domain* (section 4.10.1): its own, its organisation's, its public suffix's."""
    found = walk(dns, domain)
    for place in (domain, organisation(dns, domain)):
        for known in found:
            if known.domain == place:
                return known
    return next((known for known in found if known.psd == "y"), None)


def aligned(dns: Resolver, author: str, authenticated: str, *, strict: bool) -> bool:
    """Whether *authenticated* (by SPF or DKIM) speaks for the From domain *author* (section 4.4)."""
    if author == authenticated:
        return True
    return not strict and organisation(dns, author) == organisation(dns, authenticated)
