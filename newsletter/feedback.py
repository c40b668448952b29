"""Feedback: what came back about mail that was accepted, and what it does.

    take_in    a request of a provider, or a mail: bounces, complaints, unsubscribes
    decide     the owner's word on what was too much at once to be believed
    look       whether so many letters come back that nothing more should leave

Guarantees
    Told twice, it counts once. All that one request tells is one commit. An accepted delivery stays accepted, and a
    position where it is. Nobody is suppressed for what happened before the address was corrected or the suppression
    lifted, and a flood of bounces waits for the owner instead of emptying the list.

Rules
    A dead address is suppressed at once; a full mailbox, or a server that gave up, is a strike (three in a row over
    ten days or more suppress); a refusal for what was in the letter or for who sent it marks that letter alone. A
    complaint is for ever. In doubt the reader stays.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from newsletter.events import Event, EventKind, Heard
from newsletter.mail import Reply
from newsletter.replies import OURS, permanent
from newsletter.store import Store
from newsletter.store.audience import Fingerprint
from newsletter.store.facts import HoldKind
from newsletter.store.feedback import Effect, Flood, Rate, Subject, Taken, Verdict
from newsletter.wording import Said, words

#: More on one teller's word, and it waits for the owner. Of a practice with eighty readers five addresses may be dead.
FLOOD = Flood(span=timedelta(minutes=10), most=50, share=0.05, least=5)

#: Of a post's letters accepted lately: more than this share came back for good, or were called spam, and nothing more
#: leaves. One dead address among twenty readers is no sign of anything; nor is one complaint, which somebody means for
#: one letter (0.3 % of a practice's readers would be less than one of them).
RECENT = timedelta(days=3)
HARD_MOST, HARD_LEAST = 0.05, 5
COMPLAINTS_MOST, COMPLAINTS_LEAST = 0.003, 3


def take_in(store: Store, heard: Heard, *, source: str, fingerprint: Fingerprint, at: datetime) -> Taken:
    """Let what was *heard* from *source* ("mailbox", or a provider's name) do what it says; durable on return.

    Raises `StoreError`: then nothing was taken in, and it should be told again.
    """
    return store.feedback.take(
        heard, lambda event, subject: verdict(event, subject, at=at), source=source, flood=FLOOD,
        fingerprint=fingerprint, at=at,
    )  # fmt: skip


def decide(store: Store, keys: Collection[str], *, believed: bool, fingerprint: Fingerprint, at: datetime) -> Taken:
    """The owner's word on what is in quarantine about *keys* (`Address.key`; none: about everybody)."""
    return store.feedback.decide(
        keys, lambda event, subject: verdict(event, subject, at=at), believed=believed, fingerprint=fingerprint, at=at
    )


def undecided(store: Store) -> list[str]:
    """What waits for the owner's word, as a sentence; nothing when nothing does."""
    if not (found := store.feedback.waiting()):
        return []
    who, count = " and ".join(sorted({w.source for w in found})), len({w.address for w in found})
    return [
        f"{count:,} readers would get nothing more on the word of {who}, told in a few minutes. That may be true, or a"
        " mistake, so it waits for you: `newsletter suppressions quarantined`."
    ]


def look(store: Store, *, at: datetime) -> None:
    """Put a hold in force when too many of a post's latest letters came back, or were called spam.

    A level, not an alarm that rings once: what leaves asks, before and while it does. What the owner has seen, and
    resumed after, does not count again.
    """
    since = max(at - RECENT, store.facts.trusted_since() or at - RECENT)
    for rate in store.feedback.rates(since=since, hard=HARD_LEAST, complained=COMPLAINTS_LEAST):
        if reason := _alarming(rate):
            store.facts.hold(HoldKind.FEEDBACK, reason, at=at)
            return


def _alarming(rate: Rate) -> str:
    """Why nothing more should leave, in the owner's words; empty when it may."""
    letters = f"of the {rate.accepted:,} letters of post {rate.number} ({rate.title}) that were accepted lately"
    if rate.complained >= COMPLAINTS_LEAST and rate.complained > COMPLAINTS_MOST * rate.accepted:
        return (
            f"{rate.complained:,} {letters} were called spam by their readers. Nothing more leaves, before mail hosts"
            " take all of it for spam. Did these people ask for your letters, and do they find the way out? Then"
            " `newsletter resume`."
        )
    if rate.hard >= HARD_LEAST and rate.hard > HARD_MOST * rate.accepted:
        return (
            f"{rate.hard:,} {letters} came back for good. Nothing more leaves, before mail hosts shut you out."
            " `newsletter report` says why they came back: are the addresses old, or is it you who is refused? Then"
            " `newsletter resume`."
        )
    return ""


def verdict(event: Event, subject: Subject | None, *, at: datetime) -> Verdict:
    """What *event*, told at *at*, is to do to *subject*."""
    hard = event.kind is EventKind.BOUNCED and (event.suppress or _for_good(event.reply))
    if subject is None:
        return Verdict(Effect.UNKNOWN, min(event.at, at), hard)
    when = event.at if subject.created_at <= event.at <= at else at  # a clock that is wrong is no witness
    if _outdated(event, subject, when):
        return Verdict(Effect.OUTDATED, when, hard)
    match event.kind:
        case EventKind.BOUNCED if event.suppress:
            return Verdict(Effect.SUPPRESSED, when, hard)
        case EventKind.BOUNCED if _about_the_address(event.reply):
            return Verdict(Effect.COUNTED, when, hard)
        case EventKind.COMPLAINED:
            return Verdict(Effect.SUPPRESSED, when)
        case EventKind.UNSUBSCRIBED:
            return Verdict(Effect.UNSUBSCRIBED, when)
    return Verdict(Effect.NOTED, when, hard)


def _outdated(event: Event, subject: Subject, when: datetime) -> bool:
    """Whether something that happened since counts more."""
    elsewhere = subject.went_to != subject.key  # the address was corrected since
    reconfirmed = subject.confirmed_at is not None and when < subject.confirmed_at
    match event.kind:
        case EventKind.BOUNCED:
            left = subject.begun_at or when
            lifted = subject.lifted_at is not None and left <= subject.lifted_at
            again = subject.confirmed_at is not None and left < subject.confirmed_at
            return elsewhere or lifted or again
        case EventKind.COMPLAINED:
            return (elsewhere and not subject.merged) or reconfirmed
        case EventKind.UNSUBSCRIBED:
            return reconfirmed
    return False


def _for_good(reply: Reply) -> bool:
    """A refusal that no later attempt would have escaped."""
    soft = reply.status == "5.2.2" or words(reply.text) in (Said.FULL, Said.RATE)
    return permanent(reply) and not soft


def _about_the_address(reply: Reply) -> bool:
    """Not about what was sent, nor about who sent it: that would be the same for every reader."""
    ours = reply.status in OURS or reply.status[1:].startswith(".7.")
    return not ours and words(reply.text) not in (Said.OURS, Said.BLOCKED, Said.RATE)
