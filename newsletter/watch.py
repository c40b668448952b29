"""The watch: how the owner learns that something needs her, also when nothing runs.

    overdue   the dead-man's sentence: what was due, and since when nothing has run
    alert     a notice to the owner for what she was not told within a day
    pulse     the health file, for whoever watches from outside

A program that does not run can't say so. Hence three ways, each of which works without the others: the next run (or
`newsletter health`, from another cron) finds that one was missed; a monitor finds the health file old; or a
service that expects to be asked at the health URL is not asked.

Guarantees
    No reader's address, name or number of messages leaves by the health URL; it is asked for and no more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from newsletter.config import Alerts, Identity, Rules
from newsletter.errors import NewsletterError
from newsletter.store import Store

ASLEEP = timedelta(hours=25)  #: without a run; a cron that comes once a day is never late
_REMIND_AFTER = timedelta(hours=20)


def overdue(store: Store, identity: Identity, rules: Rules, *, at: datetime) -> str:
    """What was due while nothing ran, as a sentence; empty when nothing was, or when a hold explains it."""
    last = store.facts.last_tick()
    if last is None or at - last <= ASLEEP or any(hold.stops_all for hold in store.facts.holds()):
        return ""
    from newsletter.store.forecast import forecast  # only the rare late run pays for it

    days = (at - last).days + 1
    missed = (e for e in forecast(store, identity, rules, at=last, days=days) if last < e.at <= at)
    if (first := next(missed, None)) is None:
        return ""
    due, since = _moment(first.at, identity.timezone), _moment(last, identity.timezone)
    return f"Post {first.post} was due {due}; the scheduler has not run since {since}."


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%A %-d %B %H:%M}"


def news(store: Store, sentences: Iterable[str], *, at: datetime, told: str) -> list[str]:
    """What was not said in the last day, and remember that it is said now; *told* names who is told."""
    known: dict[str, str] = store.facts.get(told) or {}
    recent = {s: when for s, when in known.items() if at - datetime.fromisoformat(when) < _REMIND_AFTER}
    new = [s for s in dict.fromkeys(sentences) if s not in recent]
    if new or recent != known:
        store.facts.put(told, recent | {s: at.isoformat() for s in new})
    return new


def alert(store: Store, identity: Identity, to: Alerts, sentences: Iterable[str], *, at: datetime) -> None:
    """Plan a notice to the owner with what she was not told within a day."""
    if to.to is None or not (new := news(store, sentences, at=at, told="alerted")):
        return
    from newsletter.compose.plain import plain_message
    from newsletter.store.notices import Kind, Notice

    words = "".join(f"- {sentence}\n" for sentence in new)
    digest = hashlib.sha256(f"{at.isoformat()} {words}".encode()).hexdigest()[:40]
    message_id = f"{digest}@{identity.sender.address.domain}"
    body = plain_message(
        identity.sender,
        to.to,
        subject=f"{identity.name} needs your attention",
        text=f"{words}\nnewsletter status shows how things stand.\n",
        date=at,
        message_id=message_id,
    )
    store.notices.plan(Notice(Kind.ALERT, to.to, at, message_id, body), at=at)


def pulse(path: Path, *, at: datetime, attention: Iterable[str]) -> None:
    """Write the health file: whole or not at all. Raises `NewsletterError`."""
    sentences = list(attention)
    since = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    facts = {"last_run": since, "ok": not sentences, "attention": sentences}
    spare = path.with_name(f".{path.name}.new")
    try:
        spare.write_text(json.dumps(facts, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        spare.replace(path)
    except OSError as error:
        raise NewsletterError(
            f"the health file {path} can't be written ({error.strerror}); check health_file in [alerts]."
        ) from None
