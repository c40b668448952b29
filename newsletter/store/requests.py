"""Sign-ups and requests to confirm, within a transaction of `Store.together` or `Store.write`.

A sign-up is what somebody typed into a form. It is entered as it came, whoever it names, so that answering takes the
same time for all; taken up a moment later it becomes a request, which its person may confirm until it expires.

Guarantees
    An address that has not said yes is written to once a day and three times ever, also when it was erased in
    between, and whichever of its spellings was typed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from newsletter.mail import Address
from newsletter.store.audience_sql import MERGED_KEYS, STANDS_FOR
from newsletter.store.planning import ensure_home_zone
from newsletter.store.schema import instant, micros
from newsletter.subscribers import Cause, Pause, Status

ONCE_IN = timedelta(hours=24)  #: one letter to an address that has not said yes
TIMES_EVER = 3
_NO_END = 30_000
_GOOGLES = frozenset({"gmail.com", "googlemail.com"})  # one domain by two names, to whom a dot before the @ is nothing


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a person saw when they asked, and from where: for the consent record alone."""

    form: str  #: by which page or button
    wording: str  #: what it said
    origin: str = ""  #: a block of network addresses


@dataclass(frozen=True, slots=True)
class SignUp:
    """One entry of a form."""

    at: datetime
    address: Address
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Person:
    """Who has an address or a token, as far as consent goes."""

    id: int
    token: bytes
    address: Address
    status: Status
    pauses: Pause
    language: str


def enter(c: Connection, sign_up: SignUp) -> None:
    """Keep what was typed until somebody looks at it."""
    shown = sign_up.evidence
    values = {"at": micros(sign_up.at), "address": str(sign_up.address)}
    c.execute(_ENTER, values | {"form": shown.form, "wording": shown.wording, "origin": shown.origin})


def waiting(c: Connection, most: int) -> list[SignUp]:
    """Take out the oldest sign-ups, *most* of them."""
    skip = "FOR UPDATE SKIP LOCKED" if c.dialect.name == "postgresql" else ""  # SQLite has one writer and needs none
    rows = c.execute(text(_TAKE.format(skip_locked=skip)), {"most": most}).all()
    return [
        SignUp(instant(r.at), Address(*r.address.rsplit("@", 1)), Evidence(r.form, r.wording, r.origin))
        for r in sorted(rows, key=lambda r: r.id)
    ]


def mailbox_key(address: Address) -> str:
    """The mailbox behind *address*, as far as is known: `ana+list@` is `ana@`, so that nobody is written to twice."""
    local, domain = address.local.lower().partition("+")[0] or address.local.lower(), address.domain
    return f"{local.replace('.', '')}@gmail.com" if domain in _GOOGLES else f"{local}@{domain}"


def may_write(c: Connection, mailbox: str, *, at: datetime, ever: bool = True) -> bool:
    """Count a letter to *mailbox* (a keyed hash), unless it had one in the last day, or (*ever*) three in all."""
    most = TIMES_EVER if ever else _NO_END
    values = {"hash": mailbox, "at": micros(at), "before": micros(at - ONCE_IN), "most": most}
    return bool(c.execute(_COUNT, values).rowcount == 1)


def said_yes(c: Connection, mailbox: str) -> None:
    """Its owner confirmed: they may ask again as often as they like."""
    c.execute(text("DELETE FROM asked WHERE hash = :hash"), {"hash": mailbox})


def with_key(c: Connection, key: str) -> Person | None:
    """Who has the address with `Address.key` *key*."""
    return _person(c, "g.key = :value", key)


def with_token(c: Connection, token: bytes) -> Person | None:
    """Whose link it is, also of a merged record; None when they were erased."""
    return _person(c, "g.token = :value", token)


def _person(c: Connection, which: str, value: object) -> Person | None:
    row = c.execute(text(_PERSON.format(which=which)), {"value": value}).one_or_none()
    if row is None:
        return None
    address = Address(*row.address.rsplit("@", 1))
    return Person(row.id, bytes(row.token), address, Status(row.status), Pause(row.pauses), row.language)


def keys_of(c: Connection, person: Person) -> list[str]:
    """The keys of every address of one person: of records that were merged, too."""
    return [person.address.key, *c.scalars(MERGED_KEYS, {"id": person.id})]


def complained(c: Connection, person: Person | None, fingerprint: str) -> bool:
    """Whether mail there was called spam once, or the owner forbade it: nothing is sent, whoever asks."""
    if person is not None and person.status is Status.SUPPRESSED and suppressed_for(c, person.id) is not Cause.BOUNCED:
        return True
    reason = c.scalar(text("SELECT reason FROM suppression WHERE hash = :hash"), {"hash": fingerprint})
    return reason in (Cause.COMPLAINED, Cause.FORBIDDEN)


def suppressed_for(c: Connection, subscriber: int) -> Cause | None:
    """What a suppression came from."""
    found = c.scalar(_SUPPRESSED_FOR, {"id": subscriber})
    return Cause(found) if found else None


def add_pending(c: Connection, address: Address, *, floor: int, at: datetime) -> Person:
    """A new person, who has asked and not confirmed."""
    ensure_home_zone(c)
    token = os.urandom(16)
    values = {"token": token, "address": str(address), "key": address.key, "at": micros(at), "floor": floor}
    return Person(int(c.execute(_ADD, values).scalar_one()), token, address, Status.PENDING, Pause(0), "")


def open_request(c: Connection, person: Person, *, at: datetime, remind: timedelta, expire: timedelta) -> None:
    """Let *person* confirm from now on; who asks again has as long again, and is reminded no second time."""
    values = {"id": person.id, "at": micros(at), "remind": micros(at + remind), "expire": micros(at + expire)}
    c.execute(_OPEN, values)


def is_open(c: Connection, person: Person, *, at: datetime) -> bool:
    """Whether *person* may confirm."""
    return bool(c.scalar(_IS_OPEN, {"id": person.id, "at": micros(at)}))


def close_request(c: Connection, person: Person) -> None:
    """It was answered, one way or the other."""
    c.execute(text("DELETE FROM request WHERE subscriber_id = :id"), {"id": person.id})


def to_remind(c: Connection, most: int, *, at: datetime) -> list[Person]:
    """Who has not answered for a while, each of them once."""
    rows = c.execute(_REMIND, {"at": micros(at), "most": most}).all()
    people = (_person(c, "g.id = :value", row.subscriber_id) for row in rows)
    return [p for p in people if p is not None]


def expired(c: Connection, most: int, *, at: datetime) -> list[Person]:
    """Whose request nobody answered; it is closed."""
    rows = c.execute(_EXPIRE, {"at": micros(at), "most": most}).all()
    people = (_person(c, "g.id = :value", row.subscriber_id) for row in rows)
    return [p for p in people if p is not None]


def join(c: Connection, person: Person, *, floor: int | None, at: datetime) -> None:
    """*person* said yes: active from now on, wherever they stood. *floor* is where a new reader starts."""
    lifted = int(Pause.FILE | Pause.ADDRESS)  # their own word stands above a file's, and their mailbox was just read
    values: dict[str, Any] = {"id": person.id, "at": micros(at), "lifted": lifted, "floor": floor}
    c.execute(_JOIN, values)


def record(
    c: Connection, person: Person, cause: Cause, status: Status, evidence: Evidence, *, at: datetime, detail: str = ""
) -> None:
    """Evidence of what *person* did."""
    values = {"id": person.id, "at": micros(at), "cause": cause.value, "status": status.value, "detail": detail}
    c.execute(_LOG, values | {"form": evidence.form, "wording": evidence.wording, "origin": evidence.origin})


def came_by_form(c: Connection, person: Person) -> bool:
    """Whether a form brought them here: then nobody set a position for them."""
    first = text("SELECT cause FROM consent WHERE subscriber_id = :id ORDER BY id LIMIT 1")
    return bool(c.scalar(first, {"id": person.id}) == Cause.REQUESTED.value)


def forgive(c: Connection, fingerprint: str) -> None:
    """An erased or bounced address asked for itself: imports need no longer keep it out."""
    c.execute(
        text("DELETE FROM suppression WHERE hash = :hash AND reason <> :for_ever"),
        {"hash": fingerprint, "for_ever": Cause.COMPLAINED.value},
    )


_ENTER = text(
    "INSERT INTO sign_up (at, address, form, wording, origin) VALUES (:at, :address, :form, :wording, :origin)"
)
_TAKE = (
    "DELETE FROM sign_up WHERE id IN (SELECT id FROM sign_up ORDER BY id LIMIT :most {skip_locked})"
    " RETURNING id, at, address, form, wording, origin"
)
_COUNT = text(
    "INSERT INTO asked (hash, at, count) VALUES (:hash, :at, 1)"
    " ON CONFLICT (hash) DO UPDATE SET at = excluded.at, count = asked.count + 1"
    " WHERE asked.at <= :before AND asked.count < :most"
)
_PERSON = (
    "SELECT s.id, s.token, s.address, s.status, s.pauses, s.language FROM subscriber g"
    f" JOIN subscriber s ON s.id = {STANDS_FOR.format(g='g')} WHERE {{which}}"
)
_SUPPRESSED_FOR = text(
    "SELECT cause FROM consent WHERE subscriber_id = :id AND status = 'suppressed' AND cause IN ('bounced',"
    " 'complained', 'forbidden') ORDER BY id DESC LIMIT 1"
)
_ADD = text(
    "INSERT INTO subscriber (token, address, key, status, created_at, floor)"
    " VALUES (:token, :address, :key, 'pending', :at, :floor) RETURNING id"
)
_OPEN = text(
    "INSERT INTO request (subscriber_id, at, remind_at, expires_at) VALUES (:id, :at, :remind, :expire)"
    " ON CONFLICT (subscriber_id) DO UPDATE SET at = excluded.at, expires_at = excluded.expires_at"
)
_IS_OPEN = text("SELECT 1 FROM request WHERE subscriber_id = :id AND expires_at > :at")
_REMIND = text(
    "UPDATE request SET remind_at = NULL WHERE subscriber_id IN (SELECT subscriber_id FROM request"
    " WHERE remind_at <= :at AND expires_at > :at LIMIT :most) RETURNING subscriber_id"
)
_EXPIRE = text(
    "DELETE FROM request WHERE subscriber_id IN (SELECT subscriber_id FROM request WHERE expires_at <= :at LIMIT :most)"
    " RETURNING subscriber_id"
)
_JOIN = text(
    "UPDATE subscriber SET status = 'active', confirmed_at = :at, active_since = :at, strikes = 0, struck_at = NULL,"
    " pauses = (pauses | :lifted) - :lifted, floor = COALESCE(:floor, floor) WHERE id = :id"
)
_LOG = text(
    "INSERT INTO consent (subscriber_id, at, cause, status, detail, form, wording, origin)"
    " VALUES (:id, :at, :cause, :status, :detail, :form, :wording, :origin)"
)
