"""Delivery: claim, begin, submit, record. Never lost, never silently doubled.

The loop of `deliver` is the whole story: a batch is claimed under a lease; a window of it is begun, which
is durable; only then may the provider see it; what came of it is recorded in groups. `docs/guarantees.md`
says what a crash at each point leaves.

Limits (`store.buckets`) are kept by taking less at a time: a slice is submitted as everything else is, and the next one
waits until it is granted. Who pushes back is left alone, longer each time: the provider as a whole, or the mail system
of a destination, whose readers are then passed over while the rest goes on.

What goes wrong
    The provider refuses us: the run stops, no recipient is marked, what had begun and was not handed over
    goes back. A post or template can't be rendered: its readers wait, the rest goes on.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from newsletter.config import Limits, OnUncertain, Rate
from newsletter.destinations import BUSY_NOW, domains_of, group_of, pushes_back
from newsletter.errors import NewsletterError, ProviderError
from newsletter.limits import pause
from newsletter.mail import About, Accepted, Deferred, Message, Outcome, Provider, Rejected, Reply, Uncertain
from newsletter.sequence import PROMPT
from newsletter.store import Store
from newsletter.store.buckets import Rest
from newsletter.store.facts import HoldKind
from newsletter.store.ledger import Begun, Claim, Ledger, Result
from newsletter.store.notices import Notices

_log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Book = Ledger | Notices  #: what was promised to whom; one loop serves both

LEASE = timedelta(minutes=20)  #: outlives the ten minutes a server may take after the final dot (RFC 5321 4.5.3.2.6)
DOUBT_FOR = timedelta(minutes=10)  #: before an unanswered message is sent once more
LIFETIME = timedelta(hours=48)  #: of the attempts for one slot
_DELAYS = tuple(timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 240))
_JITTER = 0.2
_FAULT_WAIT = timedelta(minutes=10)
_FLUSH = timedelta(milliseconds=50)  # what a kill leaves in doubt grows with it; a commit costs 0.2 ms
_REFUSALS_MAX = 3  # of messages, in a row: then it is not about them
_FAULTS_MIN, _FAULTS_SHARE = 3, 0.01
_DEFERRALS_MAX = 3  # by a destination's policy, in a row
_RECENT, _STORM = 20, 10  # more than so many of the last outcomes alike, and against us: it is about us
NO_LIMITS = Limits()
_SHORT_WAIT = timedelta(seconds=1)  # sessions are kept open for so long
_NAP = timedelta(seconds=0.5)  # until a stop is noticed


def next_attempt(attempts: int, *, first: datetime, at: datetime, jitter: float) -> datetime | None:
    """When to try again after *attempts* attempts (1 or more), or None to give up for this slot.

    *jitter* in [0, 1) spreads the attempts of many by ±20 %.
    """
    delay = _DELAYS[min(attempts, len(_DELAYS)) - 1] * (1 + _JITTER * (2 * jitter - 1))
    return at + delay if at + delay - first <= LIFETIME else None


class Printer(Protocol):
    """What turns a claim into a message: the press for posts, a copyist for notices."""

    def revision(self, ident: str) -> str: ...
    def begun_with(self, claim: Claim) -> str | None: ...
    def print(self, claim: Claim, *, at: datetime) -> tuple[Begun, Message]: ...


@dataclass(slots=True)
class Report:
    """What one run did."""

    accepted: int = 0
    deferred: int = 0
    rejected: int = 0
    uncertain: int = 0
    withdrawn: int = 0
    faults: int = 0  #: messages that could not be composed
    notes: list[str] = field(default_factory=list)  #: sentences: what waits, and goes on by itself
    problems: list[str] = field(default_factory=list)  #: sentences: what was held or stopped, and why
    interrupted: bool = False

    @property
    def submitted(self) -> int:
        """Messages with an outcome."""
        return self.accepted + self.deferred + self.rejected + self.uncertain

    def add(self, other: Report) -> None:
        """What another process did in the same run."""
        self.accepted += other.accepted
        self.deferred += other.deferred
        self.rejected += other.rejected
        self.uncertain += other.uncertain
        self.withdrawn += other.withdrawn
        self.faults += other.faults
        self.notes += (note for note in other.notes if note not in self.notes)
        self.problems += (problem for problem in other.problems if problem not in self.problems)
        self.interrupted |= other.interrupted


def deliver(
    store: Store,
    provider: Provider,
    press: Printer,
    *,
    book: Book | None = None,
    now: Clock,
    on_uncertain: OnUncertain,
    jitter: Callable[[], float],
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda done: None,
    limits: Limits = NO_LIMITS,
    today: Allowance | None = None,
    wait: Callable[[timedelta], None] | None = None,
) -> Report:
    """Submit everything in *book* (None: the ledger) that may leave now.

    *stop* is asked between messages; *progress* is told how many are done. Within *limits*, and *today*'s allowance,
    which is for the ledger alone; *wait* lets time pass until a limit grants more (None: the run ends there).
    """
    book = store.ledger if book is None else book
    run = _Run(store, book, provider, press, now, jitter, stop, progress, limits, today, wait)
    reconcile(book, provider, now=now, on_uncertain=on_uncertain)
    run.report.withdrawn = book.withdraw_inactive()
    run.submit()
    return run.report


def provider_bucket(name: str) -> str:
    """The bucket of the provider *name*."""
    return f"provider {name}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many messages may leave on one day, kept in *bucket*."""

    bucket: str
    messages: int


def reconcile(book: Book, provider: Provider, *, now: Clock, on_uncertain: OnUncertain) -> None:
    """Settle what earlier runs left: expired leases, and doubt whose waiting time is over."""
    book.sweep(at=now(), doubt_for=DOUBT_FOR)
    lookup = getattr(provider, "lookup", None)
    for doubt in book.in_doubt(at=now()):
        arrived = None
        if lookup and doubt.provider == provider.name:
            found: Accepted | Uncertain | None = lookup(doubt.message_id, since=doubt.since)
            arrived = None if isinstance(found, Uncertain) else found is not None
        again = on_uncertain is OnUncertain.RESEND and not doubt.resent
        book.settle_doubt(doubt.delivery, arrived=arrived, at=now(), resend=again)


def _against_us(outcome: Outcome) -> str:
    """The codes of a refusal for reasons of policy (RFC 3463 section 3.8), which may be about us; else nothing."""
    if isinstance(outcome, Deferred):
        return f"{outcome.reply.code} {outcome.reply.status}" if pushes_back(outcome.reply) else ""
    if isinstance(outcome, Rejected) and outcome.reply.status.startswith("5.7."):
        return f"{outcome.reply.code} {outcome.reply.status}"
    return ""


_LEFT_ALONE = "{name} asked to be left alone for a while, until {until:%H:%M} UTC; then it goes on by itself."


def _facts(result: Result) -> dict[str, object]:
    """One result for the log: ids and codes, not the server's words."""
    claim, reply = result.claim, getattr(result.outcome, "reply", None)
    facts: dict[str, object] = {"delivery": claim.id, "post": claim.ident, "attempt": claim.attempts + 1}
    return facts | ({"code": reply.code, "status": reply.status} if reply else {})


@dataclass(slots=True)
class _Run:
    store: Store
    book: Book
    provider: Provider
    press: Printer
    now: Clock
    jitter: Callable[[], float]
    stop: Callable[[], bool]
    progress: Callable[[int], None]
    limits: Limits
    today: Allowance | None
    wait: Callable[[timedelta], None] | None
    report: Report = field(default_factory=Report)
    open: dict[int, Claim] = field(default_factory=dict)  # claimed, not recorded
    in_doubt: int = 0  # of these, begun
    known: list[Result] = field(default_factory=list)  # of these, with an outcome
    recorded_at: datetime | None = None
    refused: list[Claim] = field(default_factory=list)  # in a row
    words: str = ""  # the server's, about the last of them
    fault: str = ""  # the last message that could not be composed, and why
    claimed: int = 0
    broken: set[str] = field(default_factory=set)  # posts that can't be rendered
    held: bool = False  # nothing more is handed out
    failed: bool = False  # the provider refused us
    resting: dict[str, Rest] = field(default_factory=dict)  # what pushed back and took nothing since
    shut: set[str] = field(default_factory=set)  # domains of these
    rationed: dict[str, datetime] = field(default_factory=dict)  # groups that had their share, until when
    without: set[str] = field(default_factory=set)  # domains that are passed over for either reason
    strained: Counter[str] = field(default_factory=Counter)  # deferrals in a row, by group
    recent: deque[Result | None] = field(default_factory=lambda: deque(maxlen=_RECENT))
    granted: int = 0  # messages of this slice
    handed: int = 0  # of these, given to the provider
    more_at: datetime | None = None  # when a limit grants more

    def submit(self) -> None:
        """Everything that may leave, slice after slice if there are limits."""
        self.resting = self.store.buckets.resting()
        at = self.now()
        ours = self.resting.get(provider_bucket(self.provider.name))
        if ours and ours.until > at:
            self.report.notes.append(_LEFT_ALONE.format(name=self.provider.name, until=ours.until))
            return
        self._slice()
        while self.wait is not None and self.more_at is not None and not self._over:
            self._pass_time(self.more_at)
            self._slice()
        self.report.interrupted = self.stop()

    @property
    def _over(self) -> bool:
        return self.held or self.failed or self.stop()

    def _slice(self) -> None:
        """What is granted. Never left early: once nothing more is handed out, the rest is heard out."""
        self.granted = self.handed = 0
        self.more_at = None
        self._passed_over()
        try:
            for message, outcome in self.provider.submit(self._messages()):
                self._note(self._result(self.open[message.delivery], outcome))
        except ProviderError as error:
            self.report.problems.append(str(error))
            self.failed = True
            if error.busy:
                self._rest(provider_bucket(self.provider.name))
        except (Exception, KeyboardInterrupt):
            self._turn()  # whatever befell the provider, these outcomes are known
            raise
        self._turn()
        # By the provider's contract nothing of these was handed over. (Any other exception leaves them
        # as they are: the sweep will call them uncertain.)
        self.book.release(self.open.values())
        self.open.clear()
        self.in_doubt = 0
        self._give_back(self.granted - self.handed)
        if self.rationed:
            self.more_at = min(filter(None, (self.more_at, *self.rationed.values())))

    # -- limits --------------------------------------------------------------------------------------

    def _grant(self, want: int) -> int:
        """How many of *want* may be claimed now; 0 ends the slice, and `more_at` says when there is more."""
        buckets, rate, got = self.store.buckets, self.limits.rate, want
        if self.today:
            got = want = buckets.spend(self.today.bucket, want, self.today.messages, at=self.now())
        while rate and want:
            got, again = buckets.take(provider_bucket(self.provider.name), want, rate, at=self.now())
            if got or self.stop() or self.wait is None or again - self.now() > _SHORT_WAIT:
                self.more_at = None if got else again
                break
            self._turn()  # what is known is not kept waiting
            self._pass_time(again)
        if self.today and got < want:
            buckets.spend(self.today.bucket, got - want, self.today.messages, at=self.now())
        self.granted += got
        return got

    def _give_back(self, count: int) -> None:
        """Return what was granted and not used."""
        if count > 0 and self.limits.rate:
            self.store.buckets.give_back(provider_bucket(self.provider.name), count, self.limits.rate)
        if count > 0 and self.today:
            self.store.buckets.spend(self.today.bucket, -count, self.today.messages, at=self.now())

    def _pass_time(self, until: datetime) -> None:
        while self.wait is not None and (left := until - self.now()) > timedelta(0) and not self.stop():
            self.wait(min(left, _NAP))

    def _rationed(self, batch: list[Claim], rate: Rate) -> list[Claim]:
        """What each mail system may have of *batch*; the rest waits, and what is due there too."""
        kept = []
        wanted = Counter(group_of(claim.recipient.address.domain) for claim in batch)
        for group, want in wanted.items():
            wanted[group], again = self.store.buckets.take(f"to {group}", want, rate, at=self.now())
            if wanted[group] < want:
                self.rationed[group] = again
                self.without.update(domains_of(group))
        for claim in batch:
            group = group_of(claim.recipient.address.domain)
            if wanted[group] > 0:
                wanted[group] -= 1
                kept.append(claim)
        return kept

    def _passed_over(self) -> None:
        """Begin a slice: whose domains are left out of it."""
        at = self.now()
        self.rationed = {group: again for group, again in self.rationed.items() if again > at}
        resting = [n.removeprefix("to ") for n, r in self.resting.items() if n.startswith("to ") and r.until > at]
        self.shut = {domain for group in resting for domain in domains_of(group)}
        self.without.clear()
        self.without.update(self.shut, *(domains_of(group) for group in self.rationed))

    # -- who pushes back -----------------------------------------------------------------------------

    def _rest(self, name: str) -> None:
        """Leave the bucket's owner alone, longer each time."""
        before, at = self.resting.get(name, Rest(0, self.now())), self.now()
        if before.until > at:
            return  # the echo of what was on its way
        rest = Rest(before.step + 1, at + pause(before.step + 1, jitter=self.jitter()))
        self.resting[name] = rest
        self.store.buckets.back_off(name, rest.step, until=rest.until)

    def _pushed_back(self, claim: Claim, reply: Reply) -> None:
        """A deferral: the mail system of the destination is left alone at 421, or after three in a row."""
        if reply.code != BUSY_NOW and not pushes_back(reply):
            return
        group = group_of(claim.recipient.address.domain)
        self.strained[group] += 1
        if reply.code == BUSY_NOW or self.strained[group] >= _DEFERRALS_MAX:
            del self.strained[group]
            self._rest(f"to {group}")
            self.shut.update(domains_of(group))
            self.without.update(domains_of(group))
            note = f"{group} takes no more for now ({reply}): its readers wait a little, and the rest goes on."
            if not any(known.startswith(f"{group} takes") for known in self.report.notes):
                self.report.notes.append(note)

    def _passed(self, claim: Claim) -> None:
        """Accepted: whoever pushed back takes mail again."""
        group = group_of(claim.recipient.address.domain)
        self.strained.pop(group, None)
        for name in (provider_bucket(self.provider.name), f"to {group}"):
            if name in self.resting and self.resting[name].until <= self.now():
                del self.resting[name]
                self.store.buckets.recover(name)

    def _weather(self, result: Result) -> None:
        """The breaker: stop in a storm of refusals of one kind, which can't be about so many readers."""
        words = _against_us(result.outcome)
        told = words and result.claim.recipient.address.domain not in self.shut  # else it is dealt with
        self.recent.append(result if told else None)
        if not told or self.held:
            return
        alike = [r for r in self.recent if r and _against_us(r.outcome) == words]
        if len(alike) <= _STORM:
            return
        reason = f"{len(alike)} of the last {len(self.recent)} messages were refused in the same way ({words})"
        if isinstance(result.outcome, Deferred):
            self._rest(provider_bucket(self.provider.name))
            self.report.problems.append(f"{reason}: the run stopped, and goes on by itself.")
            self.held = True
        else:
            claims = [r.claim for r in alike if isinstance(r.outcome, Rejected)]
            self.book.take_back(claims, at=self.now())
            self.report.rejected -= len(claims)
            self.refused.clear()
            self._hold(HoldKind.REFUSED, f"{reason}; nobody was marked. Ask your mail host, then `newsletter resume`.")

    def _messages(self) -> Iterator[Message]:
        """Claim batch after batch, make as many durable as the window has room for, hand them out."""
        room = self._grant if self.limits.rate or self.today else None
        batches = self.book.claims(
            at=self.now(), clock=self.now, lease=LEASE, prompt=PROMPT, room=room, without=self.without
        )
        for batch in batches:
            self.open |= {claim.id: claim for claim in batch}
            self.claimed += len(batch)
            if self.limits.rate_per_destination:
                batch = self._rationed(batch, self.limits.rate_per_destination)
            left = iter(batch)
            while claims := list(islice(left, self._room)):
                at = self.now()
                printed = [p for claim in claims if (p := self._print(claim, at)) is not None]
                begun = self._turn([b for b, _ in printed])
                for attempt, message in printed:
                    if self.stop() or self.held:
                        return
                    if attempt.claim.id in begun:
                        self.handed += 1
                        yield message
                    else:
                        self.report.withdrawn += 1
                        del self.open[attempt.claim.id]

    @property
    def _room(self) -> int:
        """How many may be begun: what has an outcome is recorded in the same commit."""
        return max(self.provider.window - self.in_doubt + len(self.known), 1)

    def _note(self, result: Result) -> None:
        """Keep an outcome until the next commit, which is not far."""
        self.known.append(result)
        if self.recorded_at is None or self.now() - self.recorded_at >= _FLUSH:
            self._turn()

    def _turn(self, attempts: Sequence[Begun] = ()) -> set[int]:
        """Record what is known and begin *attempts*, in one commit; the deliveries that may be submitted."""
        known = [result for result in self.known if not self._refuses_us(result.outcome)]
        begun = self.book.turn(
            known, attempts, provider=self.provider.name, at=self.now(), doubt_for=DOUBT_FOR, lease=LEASE
        )
        self.in_doubt += len(begun) - len(self.known)
        self.known.clear()
        self.recorded_at = self.now()
        for result in known:
            del self.open[result.claim.id]
            self._count(result)
            self._weather(result)
        if _log.isEnabledFor(logging.INFO):
            for result in known:
                _log.info(type(result.outcome).__name__.lower(), extra={"facts": _facts(result)})
        self.progress(self.report.submitted)
        self._check_health()
        return begun

    def _print(self, claim: Claim, at: datetime) -> tuple[Begun, Message] | None:
        if claim.ident in self.broken or claim.recipient.address.domain in self.shut:
            return None
        if claim.revision is None and self.press.begun_with(claim) is None:
            try:
                self.press.revision(claim.ident)
            except NewsletterError as error:  # the post's fault, not this reader's: everybody waits for it
                self.broken.add(claim.ident)
                self.report.problems.append(str(error))
                return None
        try:
            return self.press.print(claim, at=at)
        except (NewsletterError, ValueError) as error:
            self.report.faults += 1
            self.fault = f"{claim.recipient.address}: {error}"
            self.book.fault(claim, str(error), at=at, wait=_FAULT_WAIT)
            del self.open[claim.id]
            return None

    def _result(self, claim: Claim, outcome: Outcome) -> Result:
        if not isinstance(outcome, Deferred):
            return Result(claim, outcome)
        at = self.now()
        retry = next_attempt(claim.attempts + 1, first=claim.first_at or at, at=at, jitter=self.jitter())
        if retry and outcome.retry_after:
            retry = max(retry, at + outcome.retry_after)
        return Result(claim, outcome, retry)

    def _refuses_us(self, outcome: Outcome) -> bool:
        """Nobody is marked for such a refusal: the delivery stays among the open ones and goes back."""
        if not isinstance(outcome, Rejected) or outcome.about is not About.US:
            return False
        self.report.problems.append(f"the mail server refuses us: {outcome.reply}")
        self.held = True
        self._rest(provider_bucket(self.provider.name))
        return True

    def _count(self, result: Result) -> None:
        match result.outcome:
            case Accepted():
                self.report.accepted += 1
                if self.strained or self.resting:
                    self._passed(result.claim)
            case Deferred(reply):
                self.report.deferred += 1
                self._pushed_back(result.claim, reply)
            case Uncertain():
                self.report.uncertain += 1
            case Rejected(reply, about=About.MESSAGE):
                self.report.rejected += 1
                self.refused.append(result.claim)
                self.words = str(reply)
                return
            case Rejected():
                self.report.rejected += 1
        if len(self.refused) < _REFUSALS_MAX:  # else `_check_health` has still to see them
            self.refused.clear()

    def _check_health(self) -> None:
        """Put a hold in force when the trouble is evidently not the readers'."""
        if len(self.refused) >= _REFUSALS_MAX:
            self.book.take_back(self.refused, at=self.now())
            self.report.rejected -= len(self.refused)
            self.refused.clear()
            self._hold(
                HoldKind.REFUSED,
                f"the mail server refused three messages in a row for what they contain ({self.words}); nobody was"
                " marked. Mend the post, then `newsletter resume`.",
            )
        if not self.held and self.report.faults > max(_FAULTS_MIN, _FAULTS_SHARE * self.claimed):
            self._hold(
                HoldKind.COMPOSE,
                f"{self.report.faults} messages could not be composed, which is more than one in a hundred; "
                f"the run stopped. The last one, to {self.fault}. Mend that, then `newsletter resume`.",
            )

    def _hold(self, kind: HoldKind, reason: str) -> None:
        self.store.facts.hold(kind, reason, at=self.now())
        self.report.problems.append(reason)
        self.held = True
