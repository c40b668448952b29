"""Where a person stands, and what may change it.

Guarantees
    `TRANSITIONS` is the whole law of consent: an import never turns an unsubscribed or suppressed person
    into anything, a complaint is for ever, and back from unsubscribed leads only the person's own word.
"""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import Final


class Status(StrEnum):
    """Where a person stands. Only `ACTIVE` gets mail of the sequence."""

    PENDING = "pending"  #: asked for or imported, not confirmed
    ACTIVE = "active"  #: confirmed, by the person or on the owner's word
    UNSUBSCRIBED = "unsubscribed"  #: the person left; only the person comes back
    SUPPRESSED = "suppressed"  #: the address bounced for good, or the person complained
    MERGED = "merged"  #: this person has another record, which stands for both; nothing is sent to this one


STANDINGS: Final = tuple(status for status in Status if status is not Status.MERGED)  #: of a person, not of a record


class Cause(StrEnum):
    """Why a status changes."""

    IMPORTED = "imported"  #: a row of a file
    ADDED = "added"  #: the owner, by hand
    REQUESTED = "requested"  #: somebody typed the address into a form
    CONFIRMED = "confirmed"  #: the person said yes
    UNSUBSCRIBED = "unsubscribed"  #: the person said no
    BOUNCED = "bounced"  #: the mailbox is not there
    COMPLAINED = "complained"  #: the person called a message spam
    FORBIDDEN = "forbidden"  #: the owner wants nothing sent there
    LIFTED = "lifted"  #: the owner found that a suppression was wrong
    UNDONE = "undone"  #: the owner took an import back
    MERGED = "merged"  #: two records of one person became one
    PREFERRED = "preferred"  #: the person paused, went on, started over or changed something; the status stays


_FILED = frozenset({Cause.IMPORTED, Cause.ADDED})

#: (from, to) → what may cause it; None is a person not known so far. What is not here can't happen.
#: Unsubscribed never becomes pending: from there an import could make it active. For the same reason a bounce
#: leaves it as it is: lifting the suppression would bring a person back who had left. Of two records that become one,
#: the one that stays takes over what the other had said no to, each with its own cause; a mere leaving is `MERGED`.
TRANSITIONS: Final[dict[tuple[Status | None, Status], frozenset[Cause]]] = {
    (None, Status.PENDING): _FILED | {Cause.REQUESTED},
    (None, Status.ACTIVE): _FILED,
    (Status.PENDING, Status.ACTIVE): _FILED | {Cause.CONFIRMED},
    (Status.PENDING, Status.UNSUBSCRIBED): frozenset({Cause.UNSUBSCRIBED, Cause.MERGED}),
    (Status.PENDING, Status.SUPPRESSED): frozenset({Cause.BOUNCED, Cause.COMPLAINED, Cause.FORBIDDEN}),
    (Status.ACTIVE, Status.PENDING): frozenset({Cause.UNDONE}),
    (Status.ACTIVE, Status.UNSUBSCRIBED): frozenset({Cause.UNSUBSCRIBED, Cause.MERGED}),
    (Status.ACTIVE, Status.SUPPRESSED): frozenset({Cause.BOUNCED, Cause.COMPLAINED, Cause.FORBIDDEN}),
    (Status.UNSUBSCRIBED, Status.ACTIVE): frozenset({Cause.CONFIRMED}),
    (Status.UNSUBSCRIBED, Status.SUPPRESSED): frozenset({Cause.COMPLAINED}),
    # The next three hold for a suppression that may end, see `may`.
    (Status.SUPPRESSED, Status.SUPPRESSED): frozenset({Cause.COMPLAINED}),
    (Status.SUPPRESSED, Status.UNSUBSCRIBED): frozenset({Cause.UNSUBSCRIBED, Cause.MERGED}),
    (Status.SUPPRESSED, Status.ACTIVE): frozenset({Cause.CONFIRMED, Cause.LIFTED}),
    (Status.PENDING, Status.MERGED): frozenset({Cause.MERGED}),
    (Status.ACTIVE, Status.MERGED): frozenset({Cause.MERGED}),
    (Status.UNSUBSCRIBED, Status.MERGED): frozenset({Cause.MERGED}),
    (Status.SUPPRESSED, Status.MERGED): frozenset({Cause.MERGED}),
}


#: What a suppression came from → what may change it. Whom the owner wants to be rid of does not come back by asking.
_ENDED_BY: Final[dict[Cause | None, frozenset[Cause]]] = {
    Cause.BOUNCED: frozenset({Cause.COMPLAINED, Cause.UNSUBSCRIBED, Cause.CONFIRMED, Cause.LIFTED, Cause.MERGED}),
    Cause.FORBIDDEN: frozenset({Cause.COMPLAINED, Cause.LIFTED, Cause.MERGED}),
}


def may(from_: Status | None, to: Status, cause: Cause, *, suppressed_for: Cause | None = None) -> bool:
    """Whether *cause* may turn *from_* (None: not known) into *to*.

    *suppressed_for* is what a suppression came from, and whether it may end: a complaint is for ever, and so is
    what nobody knows.
    """
    if from_ is Status.SUPPRESSED and to is not Status.MERGED and cause not in _ENDED_BY.get(suppressed_for, ()):
        return False
    return cause in TRANSITIONS.get((from_, to), frozenset())


#: How cautious a word is; of two records of one person the greatest counts. A bounce comes last: the owner may lift it,
#: and that must not bring back who had left.
_CAUTION: Final = (Cause.COMPLAINED, Cause.UNSUBSCRIBED, Cause.FORBIDDEN, Cause.BOUNCED)


def more_cautious(one: Cause | None, other: Cause | None) -> Cause | None:
    """Of two reasons to send nothing (None: there is none), the one that holds for a person with both."""
    return min((c for c in (one, other) if c is not None), key=_CAUTION.index, default=None)


class Pause(IntFlag):
    """Why an active person gets nothing for now. Each reason is lifted by itself."""

    OWNER = 1  #: by the owner
    FILE = 2  #: the row left the owner's file
    ADDRESS = 4  #: a message was rejected for the address
    READER = 8  #: by the person
