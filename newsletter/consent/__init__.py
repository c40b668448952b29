"""Consent as use cases; nobody else changes a subscriber's status.

    asking    from a form to a reader: sign-up, confirmation, reminder, expiry
    wishes    what a reader does by a signed link: leave, come back within a day, pause, start over, change, erase

Guarantees
    What `subscribers.TRANSITIONS` does not allow does not happen, whoever asks.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from newsletter.consent.wishes import TRACES, wipe
from newsletter.errors import StoreBusy
from newsletter.mail import Address
from newsletter.store import Store
from newsletter.store.audience import Fingerprint, Reader
from newsletter.store.imports import Undone
from newsletter.store.merging import Merged
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


def undo_import(store: Store, number: int | None, *, at: datetime) -> Undone:
    """Take an import back: whom it brought and who got nothing is erased, the others are stopped. Raises `NotFound`."""
    done = store.imports.undo(number, at=at)
    if done.removed:
        store.facts.put(TRACES, True)
        with suppress(StoreBusy):  # whoever comes next wipes
            wipe(store)
    return done


def merge(store: Store, keep: str, gone: str, *, fingerprint: Fingerprint, at: datetime) -> Merged:
    """Of two records of one person make one; the more cautious state wins. Raises `SubscriberError`, `NotFound`."""
    return store.merging.merge(keep, gone, fingerprint=fingerprint, at=at)


def suppress_unreachable(store: Store, *, fingerprint: Fingerprint, at: datetime) -> int:
    """Suppress dead addresses and those that failed three posts over ten days or more; returns how many."""
    return store.audience.struck_out(fingerprint=fingerprint, at=at)
