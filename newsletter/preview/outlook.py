"""When a reader gets a post, or got it, or why not; and the letters before and after it.

The ledger answers for what was, the real planner, run ahead (`store.forecast`), for what comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from newsletter.config import Identity, Rules
from newsletter.posts import Post, PostStatus
from newsletter.store import Store
from newsletter.store.accounts import Record
from newsletter.store.audience import Reader
from newsletter.store.forecast import forecast
from newsletter.store.schema import State
from newsletter.subscribers import Status

_HORIZONS = (60, 730)  # days searched for a reader's turn: nearly always the first few weeks have it
_WEEK = 7
_IN_WORDS = ("", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True, slots=True)
class Turn:
    """One letter of a reader's sequence."""

    number: int
    title: str
    day: str  #: by the reader's own calendar, "Tuesday 3 March"
    past: bool  #: they have it


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a reader gets a post."""

    sentence: str
    at: datetime | None = None  #: when they got it, or will get it if nothing changes
    revision: str | None = None  #: of what they got
    turns: tuple[Turn, ...] = ()  #: their whole sequence as far as it is known, in order of time


@dataclass(frozen=True, slots=True)
class _Handed:
    """A letter at an instant: handed over, or expected."""

    number: int
    at: datetime
    past: bool


def outlook(
    store: Store, identity: Identity, rules: Rules, post: Post, reader: Reader, titles: dict[int, str], *, at: datetime
) -> Outlook:
    """When *reader* gets *post*, if nothing changes; *store* has to know the posts as they are now."""
    who, zone = reader.name or str(reader.address), ZoneInfo(reader.timezone) if reader.timezone else identity.timezone
    history = store.accounts.history(reader)
    letters = [_Handed(r.post, r.at, past=True) for r in history if r.state is State.ACCEPTED]
    coming = _coming(store, identity, rules, reader, post.number, at=at)
    letters += (_Handed(number, when, past=False) for number, when in coming)
    say = _Sentences(who, zone, at)
    turns = tuple(Turn(one.number, titles.get(one.number, ""), say.day(one.at), one.past) for one in letters)
    found = next((o for r in reversed(history) if r.ident == post.id and (o := _from_record(r, say))), None)
    found = found or _ahead(post, reader, letters, say)
    return Outlook(found.sentence, found.at, found.revision, turns)


def _coming(
    store: Store, identity: Identity, rules: Rules, reader: Reader, number: int, *, at: datetime
) -> list[tuple[int, datetime]]:
    """What *reader* gets from now on: weeks ahead, and years when that is what it takes to come to post *number*."""
    coming: list[tuple[int, datetime]] = []
    for days in _HORIZONS:
        expected = forecast(store, identity, rules, at=at, days=days, reader=reader.id)
        coming = [(e.post, e.at) for e in expected]
        if reader.position >= number or any(post == number for post, _ in coming):
            break
    return coming


@dataclass(frozen=True, slots=True)
class _Sentences:
    """How one reader's days are told."""

    who: str
    zone: ZoneInfo
    now: datetime

    def day(self, at: datetime) -> str:
        """The day, with its year when that is another one."""
        local = at.astimezone(self.zone)
        year = "" if local.year == self.now.astimezone(self.zone).year else f" {local.year}"
        return f"{local:%A %-d %B}{year}"

    def moment(self, at: datetime) -> str:
        """The day, the hour, and whose hour it is."""
        return f"{self.day(at)} {at.astimezone(self.zone):%H:%M} {self.zone.key}"

    def after(self, at: datetime, before: _Handed) -> str:
        """How long after the letter *before* an instant is, in the reader's own days."""
        days = (at.astimezone(self.zone).date() - before.at.astimezone(self.zone).date()).days
        return f"{_span(days)} #{before.number}"


def _span(days: int) -> str:
    if days <= 0:
        return "on the same day as"
    weeks, rest = divmod(days, _WEEK)
    count, noun = (weeks, "week") if not rest else (days, "day")
    if count == 1:
        return f"a {noun} after"
    return f"{_IN_WORDS[count] if count < len(_IN_WORDS) else count} {noun}s after"


def _from_record(record: Record, say: _Sentences) -> Outlook | None:
    """What the ledger says of a delivery that is settled, or can't go on by itself."""
    if record.state is State.ACCEPTED:
        return Outlook(f"{say.who} got this on {say.moment(record.at)}.", record.at, record.revision)
    kind = record.reason if record.state is State.SKIPPED else record.state
    if kind not in _SETTLED:
        return None
    return Outlook(_SETTLED[kind].format(who=say.who, when=say.moment(record.at), address=record.address))


_SETTLED = {
    State.UNCERTAIN: "This was handed over for {who} on {when}, without an answer; `newsletter status` says more.",
    State.REJECTED: "This was refused when it was sent to {who} on {when}; `newsletter history {address}` says why.",
    State.QUARANTINED: "This could not be composed for {who}; `newsletter status` says what to do.",
    "past": "{who} was past this number when it appeared, so it is not sent to them.",
    "audience": "{who} is not among the readers this post is for (its tags say so).",
    "stale": "{who} was away when this was news, so it is not sent to them any more.",
}


def _ahead(post: Post, reader: Reader, letters: Sequence[_Handed], say: _Sentences) -> Outlook:
    if why := _never(post, reader, say.who):
        return Outlook(why)
    before: _Handed | None = None
    for one in letters:
        if not one.past and one.number == post.number:
            after = f", {say.after(one.at, before)}" if before else ""
            return Outlook(f"{say.who} gets this {say.moment(one.at)}{after}.", one.at)
        before = one
    if reader.position >= post.number:
        return Outlook(f"{say.who} has come to #{reader.position} already, so this is not sent to them.")
    plan = f"`newsletter plan --as {reader.address}`"
    return Outlook(f"{say.who} does not come to this within two years; {plan} shows what they get.")


def _never(post: Post, reader: Reader, who: str) -> str:
    if post.status is PostStatus.DRAFT:
        return "This is a draft: nobody gets it before its front matter says status: live."
    if post.status is PostStatus.RETRACTED:
        return "This post is retracted: nobody gets it any more."
    if reader.status is not Status.ACTIVE:
        return f"{who} is {reader.status}, so nothing is sent to them."
    if reader.pauses:
        return f"{who} is paused, so nothing is sent to them; `newsletter subscribers resume {reader.address}`."
    return ""
