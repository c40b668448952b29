"""Consent as use cases; nobody else changes a subscriber's status.

    asking    from a form to a reader: sign-up, confirmation, reminder, expiry
    wishes    what a reader does by a signed link: leave, come back within a day, pause, start over, change, erase

Guarantees
    What `subscribers.TRANSITIONS` does not allow does not happen, whoever asks.
"""

from __future__ import annotations

from datetime import datetime

from newsletter.mail import Address
from newsletter.store import Store
from newsletter.store.audience import Fingerprint, Reader
from newsletter.subscribers import Cause, Status


def unsubscribe(store: Store, address: str, *, at: datetime, detail: str = "") -> Reader:
    """The person leaves; what had not begun is never submitted. Raises `NotFound`."""
    return store.audience.change(address, Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED, at=at, detail=detail)


def confirm(store: Store, address: str, *, at: datetime, detail: str = "") -> Reader:
    """The person says yes; also after having left: the sequence goes on where it stopped."""
    return store.audience.change(address, Cause.CONFIRMED, Status.ACTIVE, at=at, detail=detail)


def correct(store: Store, old: str, new: str, *, fingerprint: Fingerprint, at: datetime) -> Reader:
    """A reader's address was wrong: what was refused for it goes to the new one."""
    return store.audience.correct(old, Address.parse(new), fingerprint=fingerprint, at=at)


def suppress_unreachable(store: Store, *, fingerprint: Fingerprint, at: datetime) -> int:
    """Suppress dead addresses and those that failed three posts over ten days or more; returns how many."""
    return store.audience.struck_out(fingerprint=fingerprint, at=at)
