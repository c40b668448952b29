"""Where mail goes to: domains that are one mail system to a sender, and what its pushing back looks like. Pure.

The families are as of November 2026, from the mail systems' own lists of their domains. A domain that is missing here
is a group of its own, which costs at most a few deferrals more before it is left alone.
"""

from __future__ import annotations

import re

from newsletter.mail import Deferred, Outcome, Rejected, Reply

#: The group's name, and the domains that belong to it besides.
FAMILIES: dict[str, tuple[str, ...]] = {
    "gmail.com": ("googlemail.com",),
    "outlook.com": (
        "hotmail.com", "live.com", "msn.com", "passport.com", "hotmail.co.uk", "hotmail.fr", "hotmail.de", "hotmail.it",
        "hotmail.es", "hotmail.nl", "live.co.uk", "live.fr", "live.de", "live.it", "live.nl", "live.ca", "live.com.au",
        "outlook.de", "outlook.fr", "outlook.es", "outlook.it",
    ),
    "yahoo.com": (
        "ymail.com", "rocketmail.com", "aol.com", "aim.com", "yahoo.co.uk", "yahoo.ca", "yahoo.de", "yahoo.fr",
        "yahoo.it", "yahoo.es", "yahoo.ie", "yahoo.com.au", "yahoo.com.br", "yahoo.co.in", "aol.de", "aol.co.uk",
    ),
    "icloud.com": ("me.com", "mac.com"),
    "gmx.net": ("gmx.de", "gmx.at", "gmx.ch", "gmx.com", "web.de", "mail.com"),
    "proton.me": ("protonmail.com", "protonmail.ch", "pm.me"),
    "mail.ru": ("inbox.ru", "list.ru", "bk.ru"),
    "yandex.ru": ("yandex.com", "ya.ru"),
}  # fmt: skip
_GROUP = {domain: group for group, domains in FAMILIES.items() for domain in (group, *domains)}

_GREYLIST = re.compile(r"gr[ae]y-?list|come back|(?:try|retry)(?: again)?[ ,]", re.IGNORECASE)
_TOO_MUCH = re.compile(
    r"\brates?\b|rate-?limit|too (?:many|much|fast)|throttl|unusual|complaint|reputation|slow down|busy|\blimit", re.I
)
BUSY_NOW = 421  # RFC 5321 section 3.8: it closes


def group_of(domain: str) -> str:
    """The mail system of *domain* (lower case), by one of its names."""
    return _GROUP.get(domain, domain)


def domains_of(group: str) -> tuple[str, ...]:
    """Every domain of a group."""
    return (group, *FAMILIES.get(group, ()))


def pushes_back(reply: Reply) -> bool:
    """Whether a deferral is a policy about senders (RFC 3463 section 3.8), and no greylisting, which waiting cures."""
    if not reply.status.startswith("4.7."):
        return False
    return bool(_TOO_MUCH.search(reply.text)) or not _GREYLIST.search(reply.text)


def against_us(outcome: Outcome) -> str:
    """The codes of a refusal for reasons of policy (RFC 3463 section 3.8), which may be about us; else nothing."""
    if isinstance(outcome, Deferred):
        return f"{outcome.reply.code} {outcome.reply.status}" if pushes_back(outcome.reply) else ""
    if isinstance(outcome, Rejected) and outcome.reply.status.startswith("5.7."):
        return f"{outcome.reply.code} {outcome.reply.status}"
    return ""
