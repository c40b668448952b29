"""What a reader does by a signed link: leave, come back within a day, pause, start over, jump ahead, change, erase.

Each works on a token's subscriber id and never fails for who they are: a link is answered for ever, also when its
person was erased.

Guarantees
    Leaving is one step and asks nothing. It can be undone for a day, by who had been a reader; after that they ask
    anew, by the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.config import Mode, Rules
from newsletter.store import Store, Transaction, facts, requests, wishes
from newsletter.store.audience import Fingerprint, keep_hash
from newsletter.store.forgetting import forget
from newsletter.store.requests import Evidence, Person
from newsletter.store.wishes import Situation
from newsletter.subscribers import Cause, Status, may

UNDO_WITHIN = timedelta(days=1)
PAUSE = timedelta(days=30)
REASON_MOST = 500  # characters
_PACES = (7, 14, 28)  # days
TRACES = "traces"  #: the fact that somebody was erased, and not yet wiped from the files


@dataclass(frozen=True, slots=True)
class View:
    """What a reader's own page shows."""

    person: Person
    situation: Situation
    may_undo: bool


def look(c: Transaction, token: bytes, *, at: datetime) -> View | None:
    """Where the person of *token* stands; None when they were erased."""
    person = requests.with_token(c, token)
    if person is None:
        return None
    found = wishes.situation(c, person, at=at)
    return View(person, found, _may_undo(person, found, at))


def _may_undo(person: Person, found: Situation, at: datetime) -> bool:
    recent = found.left_at is not None and at - found.left_at < UNDO_WITHIN
    return person.status is Status.UNSUBSCRIBED and found.was_reader and recent


def leave(c: Transaction, token: bytes, evidence: Evidence, *, at: datetime) -> None:
    """The person leaves. What had not begun is never submitted: `begin` asks again."""
    person = requests.with_token(c, token)
    if person is None or person.status is Status.UNSUBSCRIBED:
        return
    cause = requests.suppressed_for(c, person.id) if person.status is Status.SUPPRESSED else None
    if not may(person.status, Status.UNSUBSCRIBED, Cause.UNSUBSCRIBED, suppressed_for=cause):
        return  # a complaint says more, and is for ever
    wishes.set_status(c, person, Status.UNSUBSCRIBED, at=at)
    requests.record(c, person, Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED, evidence, at=at)
    requests.close_request(c, person)


def undo(c: Transaction, token: bytes, evidence: Evidence, *, at: datetime) -> bool:
    """The person takes their leaving back, within a day."""
    view = look(c, token, at=at)
    if view is None or not view.may_undo:
        return False
    wishes.set_status(c, view.person, Status.ACTIVE, at=at)
    requests.record(c, view.person, Cause.CONFIRMED, Status.ACTIVE, evidence, at=at, detail="took their leaving back")
    return True


def give_reason(c: Transaction, token: bytes, reason: str, evidence: Evidence, *, at: datetime) -> bool:
    """Why they left, if they care to say; once, within a day."""
    view = look(c, token, at=at)
    if view is None or view.person.status is not Status.UNSUBSCRIBED or view.situation.gave_reason:
        return False
    if view.situation.left_at is None or at - view.situation.left_at >= UNDO_WITHIN:
        return False
    requests.record(
        c, view.person, Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED, evidence, at=at, detail=f"said: {reason[:REASON_MOST]}"
    )
    return True


def pause(c: Transaction, token: bytes, evidence: Evidence, *, at: datetime) -> bool:
    """No letters for thirty days; then they go on by themselves."""
    person = _active(c, token)
    if person is None:
        return False
    until = at + PAUSE
    wishes.pause(c, person, until=until)
    requests.record(c, person, Cause.PREFERRED, person.status, evidence, at=at, detail=f"pause until {until:%Y-%m-%d}")
    return True


def go_on(c: Transaction, token: bytes, evidence: Evidence, *, at: datetime) -> bool:
    """End their own pause."""
    person = _active(c, token)
    if person is None:
        return False
    wishes.go_on(c, person, at=at)
    requests.record(c, person, Cause.PREFERRED, person.status, evidence, at=at, detail="end of the pause")
    return True


def start_over(c: Transaction, token: bytes, evidence: Evidence, *, at: datetime) -> bool:
    """From the first letter on once more."""
    person = _active(c, token)
    if person is None:
        return False
    wishes.start_over(c, person, at=at)
    requests.record(c, person, Cause.PREFERRED, person.status, evidence, at=at, detail="start over")
    return True


def jump(c: Transaction, token: bytes, evidence: Evidence, *, at: datetime) -> bool:
    """The latest letter is the next."""
    person = _active(c, token)
    if person is None or not wishes.jump(c, person):
        return False
    requests.record(c, person, Cause.PREFERRED, person.status, evidence, at=at, detail="jump to the latest")
    return True


def change(
    c: Transaction,
    token: bytes,
    evidence: Evidence,
    *,
    at: datetime,
    name: str | None,
    timezone: str | None,
    language: str | None,
    tags: frozenset[str] | None,
    pace: int | None,
) -> bool:
    """Set what is not None; no file overwrites it from now on. The record says which fields, not what is in them."""
    person = requests.with_token(c, token)
    if person is None:
        return False
    slower = f"pace to every {pace} days" if pace else "pace to the newsletter's own"  # the owner may wonder
    given = {"name": name, "time zone": timezone, "language": language, "tags": tags, slower: pace}
    wishes.change(c, person, at=at, name=name, timezone=timezone, language=language, tags=tags, pace=pace)
    changed = ", ".join(field for field, value in given.items() if value is not None)
    if changed:
        requests.record(c, person, Cause.PREFERRED, person.status, evidence, at=at, detail=f"changed {changed}")
    return True


def paces(rules: Rules) -> tuple[int, ...]:
    """The paces that a reader may choose, in days: slower than the newsletter's, if readers have a pace at all."""
    return tuple(days for days in _PACES if days > rules.every) if rules.mode is Mode.SEQUENCE else ()


def erase(c: Transaction, token: bytes, *, fingerprint: Fingerprint, at: datetime) -> bool:
    """Delete the person; a keyed hash keeps files from bringing them back. `wipe` has to follow."""
    person = requests.with_token(c, token)
    if person is None:
        return False
    keys = requests.keys_of(c, person)
    forget(c, person.id, at=at)
    facts.write(c, TRACES, True)
    for key in keys:
        keep_hash(c, fingerprint(key), "erased", at=at)
    return True


def wipe(store: Store) -> bool:
    """Leave no trace of who was erased in the database's files, if anybody was; raises `StoreBusy` to come again."""
    if not store.facts.get(TRACES):
        return False
    store.scrub()
    store.facts.put(TRACES, None)
    return True


def _active(c: Transaction, token: bytes) -> Person | None:
    person = requests.with_token(c, token)
    return person if person is not None and person.status is Status.ACTIVE else None
