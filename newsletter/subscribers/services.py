"""What the export files of other services look like: whose they are, and what their columns mean.

    SERVICES        each with the headers that give it away, and those that say something we keep
    recognised      whose export a header is
    standing        a word for where somebody stands, as services say it

In doubt a person is one who gets nothing: whoever had left there is kept out here, and who had not confirmed waits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from newsletter.subscribers.status import Status

LEFT_IF_FILLED, LEFT_IF_YES, LEFT_IF_NO = "left if filled", "left if yes", "left if no"
LEFT = (LEFT_IF_FILLED, LEFT_IF_YES, LEFT_IF_NO)  #: columns that tell of a leaving, beside a status


@dataclass(frozen=True, slots=True)
class Service:
    """One service's export. Headers are words as `word` makes them; of two that mean the same, the first counts."""

    name: str
    known_by: tuple[frozenset[str], ...]  #: any of these sets
    columns: Mapping[str, str]  #: header → column of ours, or one of `LEFT`


SERVICES = (
    Service(
        "Mailchimp",
        (frozenset({"emailaddress", "euid"}), frozenset({"emailaddress", "memberrating"})),
        {
            "emailaddress": "email", "firstname": "name", "fname": "name", "timezone": "timezone", "tags": "tags",
            "confirmtime": "confirmed_at", "optintime": "confirmed_at", "unsubtime": LEFT_IF_FILLED,
            "cleantime": LEFT_IF_FILLED,
        },
    ),
    Service(
        "Substack",
        (frozenset({"email", "activesubscription"}), frozenset({"email", "emaildisabled"})),
        {"email": "email", "name": "name", "createdat": "confirmed_at", "emaildisabled": LEFT_IF_YES},
    ),
    Service(
        "Ghost",
        (frozenset({"email", "subscribedtoemails"}), frozenset({"email", "complimentaryplan"})),
        {
            "email": "email", "name": "name", "createdat": "confirmed_at", "labels": "tags",
            "subscribedtoemails": LEFT_IF_NO, "deletedat": LEFT_IF_FILLED,
        },
    ),
    Service(
        "listmonk",
        (frozenset({"uuid", "email", "status"}), frozenset({"email", "attributes", "status"})),
        {"email": "email", "name": "name", "status": "status", "createdat": "confirmed_at"},
    ),
    Service(
        "Buttondown",
        (frozenset({"email", "creationdate"}), frozenset({"emailaddress", "creationdate"})),
        {
            "emailaddress": "email", "email": "email", "tags": "tags", "type": "status", "subscribertype": "status",
            "creationdate": "confirmed_at", "unsubscriptiondate": LEFT_IF_FILLED,
        },
    ),
    Service(
        "Kit",
        (
            frozenset({"email", "firstname", "createdat"}),
            frozenset({"emailaddress", "firstname", "createdat"}),
            frozenset({"email", "firstname", "subscribedat"}),
        ),
        {
            "email": "email", "emailaddress": "email", "firstname": "name", "status": "status", "state": "status",
            "createdat": "confirmed_at", "subscribedat": "confirmed_at", "tags": "tags",
        },
    ),
)  # fmt: skip

_STANDINGS: Mapping[Status, str] = {
    Status.ACTIVE: "active subscribed enabled confirmed regular premium gifted paid free comped complimentary trialed"
    " churning pastdue",
    Status.PENDING: "pending unconfirmed unactivated inactive nonsubscribed transactional paused",
    Status.UNSUBSCRIBED: "unsubscribed cancelled canceled disabled removed optedout left merged",
    Status.SUPPRESSED: "suppressed bounced hardbounced cleaned complained complaint spam spammy blocked blocklisted"
    " blacklisted undeliverable invalid",
}
_WORDS = {said: status for status, words in _STANDINGS.items() for said in words.split()}
_YES, _NO = frozenset({"true", "yes", "1", "t", "y"}), frozenset({"false", "no", "0", "f", "n"})


def word(text: str) -> str:
    """*text* without case, spaces, hyphens and underscores."""
    return re.sub(r"[\W_]", "", text).lower()


def recognised(header: Iterable[str]) -> Service | None:
    """Whose export has this header; None for nobody's we know."""
    words = set(map(word, header))
    return next((service for service in SERVICES if any(known <= words for known in service.known_by)), None)


def standing(text: str) -> Status | None:
    """Where *text* says that somebody stands; None when it is no such word."""
    return _WORDS.get(word(text))


def says_left(column: str, cell: str) -> bool:
    """Whether *cell* of a column of `LEFT` says that the person had left."""
    said = word(cell)
    return bool(said) if column == LEFT_IF_FILLED else said in (_YES if column == LEFT_IF_YES else _NO)
