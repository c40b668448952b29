"""From a form to a reader: sign-up, confirmation, reminder, expiry. Double opt-in, always.

    enter       keep what was typed: the same work for every address
    take_up     a moment later: find out who it is, and write to them
    confirm     the person pressed the button in their own mailbox's link
    look_after  remind once; forget who never answered

Guarantees
    Nobody becomes a reader by being typed into a form, and nobody learns from a form who is one. Whoever it names
    gets one letter a day and three ever until they say yes; who called a letter spam gets none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from newsletter.consent.wishes import TRACES
from newsletter.mail import Address
from newsletter.store import Transaction, facts, requests
from newsletter.store.audience import Fingerprint
from newsletter.store.forgetting import forget
from newsletter.store.notices import Notice, plan
from newsletter.store.requests import Evidence, Person, SignUp
from newsletter.subscribers import Cause, Pause, Status, may

REMIND_AFTER = timedelta(days=2)
EXPIRES_AFTER = timedelta(days=7)
_AT_ONCE = 10  # of each kind in one transaction: visitors wait for it
_KEPT_AWAY = Pause.FILE | Pause.ADDRESS  # pauses that the person's own word ends


class Case(StrEnum):
    """What a letter to somebody who typed their address says; the value is its name in the phrases."""

    CONFIRM = "confirm"  #: new, or still to confirm
    ALREADY = "already"  #: a reader: nothing to do
    RETURN = "return"  #: had left, or was left out
    BOUNCED = "bounced"  #: letters had come back from this address
    REMIND = "remind"  #: has not confirmed for a while


class Verdict(StrEnum):
    """What came of pressing "confirm"."""

    WELCOME = "welcome"  #: a reader from now on
    ALREADY = "already"  #: a reader before
    EXPIRED = "expired"  #: too late, answered before, or erased: they may ask again


class Stationery(Protocol):
    """Writes the letters."""

    def letter(self, case: str, person: Person, *, at: datetime) -> Notice:
        """The letter of *case* to *person*."""
        ...

    def prepare(self, cases: Iterable[str]) -> None:
        """Make ready what the letters of *cases* have in common."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What the use cases need to know of the newsletter."""

    stationery: Stationery
    fingerprint: Fingerprint
    floor: Callable[[], int]  #: the position at which a new reader starts
    paces: tuple[int, ...] = ()  #: what a reader may choose, in days (`wishes.paces`)


def enter(c: Transaction, address: Address, evidence: Evidence, *, at: datetime) -> None:
    """Keep what was typed into a form."""
    requests.enter(c, SignUp(at, address, evidence))


def take_up(c: Transaction, desk: Desk, *, at: datetime) -> bool:
    """Write to some of those who were typed into forms; whether there may be more."""
    found = requests.waiting(c, _AT_ONCE)
    floor = desk.floor() if found else -1
    for sign_up in found:
        _take_up(c, desk, sign_up, floor=floor, at=at)
    return len(found) == _AT_ONCE


def _take_up(c: Transaction, desk: Desk, sign_up: SignUp, *, floor: int, at: datetime) -> None:
    address = sign_up.address
    person = requests.with_key(c, address.key)
    if requests.complained(c, person, desk.fingerprint(address.key)):
        return
    if not requests.may_write(c, _mailbox(desk, address), at=at):
        return
    if person is None:
        person = requests.add_pending(c, address, floor=floor, at=sign_up.at)
    case = _case(person)
    requests.record(c, person, Cause.REQUESTED, person.status, sign_up.evidence, at=sign_up.at)
    if case is not Case.ALREADY:
        requests.open_request(c, person, at=at, remind=REMIND_AFTER, expire=EXPIRES_AFTER)
    plan(c, desk.stationery.letter(case, person, at=at), at=at)


def _case(person: Person) -> Case:
    match person.status:
        case Status.PENDING:
            return Case.CONFIRM
        case Status.ACTIVE:
            return Case.RETURN if person.pauses & _KEPT_AWAY else Case.ALREADY
        case Status.UNSUBSCRIBED:
            return Case.RETURN
        case Status.SUPPRESSED | Status.MERGED:  # whose record was merged is found by the one that stands for both
            return Case.BOUNCED


def _mailbox(desk: Desk, address: Address) -> str:
    """The keyed hash under which letters to a mailbox are counted; no other hash of ours equals it."""
    return desk.fingerprint(f"mailbox {requests.mailbox_key(address)}")


def confirm(c: Transaction, desk: Desk, token: bytes, evidence: Evidence, *, at: datetime) -> Verdict:
    """Whoever has *token*'s mailbox says yes."""
    person = requests.with_token(c, token)
    if person is None:
        return Verdict.EXPIRED
    if not requests.is_open(c, person, at=at):
        return Verdict.ALREADY if person.status is Status.ACTIVE else Verdict.EXPIRED
    allowed = person.status is Status.ACTIVE or may(
        person.status, Status.ACTIVE, Cause.CONFIRMED, suppressed_for=requests.suppressed_for(c, person.id)
    )
    if not allowed:  # they called a letter spam since they were asked
        return Verdict.EXPIRED
    new = person.status is Status.PENDING and requests.came_by_form(c, person)
    requests.join(c, person, floor=desk.floor() if new else None, at=at)
    requests.record(c, person, Cause.CONFIRMED, Status.ACTIVE, evidence, at=at)
    requests.close_request(c, person)
    requests.said_yes(c, _mailbox(desk, person.address))
    requests.forgive(c, desk.fingerprint(person.address.key))
    return Verdict.WELCOME


def look_after(c: Transaction, desk: Desk, *, at: datetime) -> bool:
    """Remind some, once, who have not confirmed; erase some who never did. Whether there may be more."""
    late, lost = requests.to_remind(c, _AT_ONCE, at=at), requests.expired(c, _AT_ONCE, at=at)
    for person in late:
        if requests.may_write(c, _mailbox(desk, person.address), at=at):
            plan(c, desk.stationery.letter(Case.REMIND, person, at=at), at=at)
    for person in lost:
        # Whom the owner's own file brought as pending, or who had been a reader once, is not the form's to erase.
        if person.status is Status.PENDING and requests.came_by_form(c, person):
            forget(c, person.id, at=at)
            facts.write(c, TRACES, True)
    return _AT_ONCE in (len(late), len(lost))
