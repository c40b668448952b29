"""Delivery: claim, begin, submit, record. Never lost, never silently doubled.

The loop of `deliver` is the whole story: a batch is claimed under a lease; a window of it is begun, which
is durable; only then may the provider see it; what came of it is recorded in groups. `docs/guarantees.md`
says what a crash at each point leaves.

How much may leave, and who is left alone for a while, is `gate`'s.

What goes wrong
    The provider refuses us: the run stops, no recipient is marked, what had begun and was not handed over
    goes back. A post or template can't be rendered: its readers wait, the rest goes on.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Protocol

from newsletter.config import Limits, OnUncertain
from newsletter.destinations import against_us
from newsletter.errors import NewsletterError, ProviderError, StoreError
from newsletter.gate import NO_LIMITS, Allowance, Gate
from newsletter.limits import next_attempt
from newsletter.mail import About, Accepted, Deferred, Message, Outcome, Provider, Rejected, Uncertain
from newsletter.sequence import PROMPT
from newsletter.store import Store
from newsletter.store.attempts import Begun, Claim, Result
from newsletter.store.facts import HoldKind
from newsletter.store.ledger import Ledger
from newsletter.store.notices import Notices

_log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Earlier = Callable[[str], Provider | None]  #: a provider by its name, to be asked what it had
Book = Ledger | Notices  #: what was promised to whom; one loop serves both

LEASE = timedelta(minutes=20)  #: outlives the ten minutes a server may take after the final dot (RFC 5321 4.5.3.2.6)
DOUBT_FOR = timedelta(minutes=10)  #: before an unanswered message is sent once more
_FAULT_WAIT = timedelta(minutes=10)
_FAREWELL = timedelta(days=1)  # that a provider of before may be out of reach; it may be for ever
_ASK = timedelta(seconds=10)  # between questions whether a run may go on; one costs a few ms
_FLUSH = timedelta(milliseconds=50)  # what a kill leaves in doubt grows with it; a commit costs 0.2 ms
_REFUSALS_MAX = 3  # of messages, in a row: then it is not about them
_FAULTS_MIN, _FAULTS_SHARE = 3, 0.01
_RECENT, _STORM = 20, 10  # more than so many of the last outcomes alike, and against us: it is about us


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
    withdrawn: int = 0  #: of readers who left or paused since it was claimed
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
    held: Callable[[], list[str]] = list,
    earlier: Earlier = lambda name: None,
) -> Report:
    """Submit everything in *book* (None: the ledger) that may leave now.

    *stop* is asked between messages; *held* every ten seconds, why nothing more may leave; *progress* is told how
    many are done. Within *limits*, and *today*'s allowance, which is for the ledger alone; *wait* lets time pass until
    a limit grants more (None: the run ends there). *earlier* finds the provider of before, which had what is in doubt.
    """
    book = store.ledger if book is None else book
    gate = Gate(store.buckets, provider.name, limits, today, now=now, jitter=jitter, stop=stop, wait=wait)
    run = _Run(store, book, provider, press, now, jitter, stop, held, progress, gate)
    gate.flush = run.flush
    run.report.notes = gate.notes
    reconcile(book, provider, now=now, on_uncertain=on_uncertain, earlier=earlier)
    run.submit()
    return run.report


def reconcile(
    book: Book, provider: Provider, *, now: Clock, on_uncertain: OnUncertain, earlier: Earlier = lambda name: None
) -> None:
    """Settle what earlier runs left: expired leases, and doubt whose waiting time is over."""
    book.sweep(at=now(), doubt_for=DOUBT_FOR)
    opened: dict[str, Provider | None] = {provider.name: provider}
    for doubt in book.in_doubt(at=now()):
        if doubt.provider not in opened:
            opened[doubt.provider] = earlier(doubt.provider)
        arrived = None
        if lookup := getattr(opened[doubt.provider], "lookup", None):
            try:
                found: Accepted | Uncertain | None = lookup(doubt.message_id, since=doubt.since)
            except ProviderError as error:
                _log.warning("doubt waits: %s", error)
                if doubt.provider == provider.name:
                    return  # whoever can say can't be asked now: the next run does
                if now() - doubt.since < _FAREWELL:
                    continue
                found = Uncertain(str(error))
            arrived = None if isinstance(found, Uncertain) else found is not None
        again = on_uncertain is OnUncertain.RESEND and not doubt.resent
        book.settle_doubt(doubt.delivery, arrived=arrived, at=now(), resend=again)


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
    why_held: Callable[[], list[str]]
    progress: Callable[[int], None]
    gate: Gate
    report: Report = field(default_factory=Report)
    open: dict[int, Claim] = field(default_factory=dict)  # claimed, not recorded
    in_doubt: int = 0  # of these, begun
    known: list[Result] = field(default_factory=list)  # of these, with an outcome
    recorded_at: datetime | None = None
    asked_at: datetime | None = None
    refused: list[Claim] = field(default_factory=list)  # in a row
    words: str = ""  # the server's, about the last of them
    fault: str = ""  # the last message that could not be composed, and why
    claimed: int = 0
    broken: set[str] = field(default_factory=set)  # posts that can't be rendered
    held: bool = False  # nothing more is handed out
    failed: bool = False  # the provider refused us
    recent: deque[Result | None] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def submit(self) -> None:
        """Everything that may leave, slice after slice if there are limits."""
        if not self.gate.open():
            return
        self._slice()
        while not self._over and self.gate.await_more():
            self._slice()
        self.report.interrupted = self.stop()

    @property
    def _over(self) -> bool:
        return self.held or self.failed or self.stop()

    def _slice(self) -> None:
        """What is granted. Never left early: once nothing more is handed out, the rest is heard out."""
        self.gate.begin()
        messages = self._messages()
        try:
            # With nothing to do the provider is left alone: no folder is made, no certificate read.
            if (first := next(messages, None)) is not None:
                for message, outcome in self.provider.submit(chain([first], messages)):
                    self._note(self._result(self.open[message.delivery], outcome))
        except ProviderError as error:
            self.report.problems.append(str(error))
            self.failed = True
            if error.busy:
                self.gate.rest(least=error.retry_after or timedelta(0))
        except (Exception, KeyboardInterrupt):
            self._turn()  # whatever befell the provider, these outcomes are known
            raise
        self._turn()
        # By the provider's contract nothing of these was handed over. (Any other exception leaves them
        # as they are: the sweep will call them uncertain.)
        self.book.release(self.open.values())
        self.open.clear()
        self.in_doubt = 0
        self.gate.end()

    def _weather(self, result: Result) -> None:
        """The breaker: stop in a storm of refusals of one kind, which can't be about so many readers."""
        words = against_us(result.outcome)
        told = words and result.claim.recipient.address.domain not in self.gate.shut  # else it is dealt with
        self.recent.append(result if told else None)
        if not told or self.held:
            return
        alike = [r for r in self.recent if r and against_us(r.outcome) == words]
        if len(alike) <= _STORM:
            return
        reason = f"{len(alike)} of the last {len(self.recent)} messages were refused in the same way ({words})"
        if isinstance(result.outcome, Deferred):
            self.gate.rest()
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
        room = self.gate.grant if self.gate.limited else None
        batches = self.book.claims(
            at=self.now(), clock=self.now, lease=LEASE, prompt=PROMPT, room=room, without=self.gate.without
        )
        for batch in batches:
            self.open |= {claim.id: claim for claim in batch}
            self.claimed += len(batch)
            printed = filter(None, map(self._print, self.gate.shared_out(batch)))
            ahead: list[tuple[Begun, Message]] = []
            while group := ahead[: self._room] + list(islice(printed, max(self._room - len(ahead), 0))):
                ahead = ahead[self._room :]
                begun = self._turn([attempt for attempt, _ in group])
                for attempt, message in group:
                    if self.stop() or self.held:
                        return
                    if attempt.claim.id in begun:
                        self.gate.handed += 1
                        yield message
                    else:
                        self.report.withdrawn += 1
                        del self.open[attempt.claim.id]
                    ahead += islice(printed, 1)  # one by one, while the server is busy with those before

    @property
    def _room(self) -> int:
        """How many may be begun: what has an outcome is recorded in the same commit."""
        return max(self.provider.window - self.in_doubt + len(self.known), 1)

    def _note(self, result: Result) -> None:
        """Keep an outcome until the next commit, which is not far."""
        self.known.append(result)
        if self.recorded_at is None or self.now() - self.recorded_at >= _FLUSH:
            self._turn()

    def flush(self) -> None:
        """Record what is known: it is not kept waiting."""
        self._turn()

    def _turn(self, attempts: Sequence[Begun] = ()) -> set[int]:
        """Record what is known and begin *attempts*, in one commit; the deliveries that may be submitted."""
        known = [result for result in self.known if not self._refuses_us(result.outcome)]
        if self.held:  # what was refused stays begun until it goes back, so there is no room for these
            attempts = ()
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
        self._heed(self.recorded_at)
        return begun

    def _heed(self, at: datetime) -> None:
        """Stop when somebody put a hold in force since this run began: the owner, or what comes back."""
        self.asked_at = self.asked_at or at
        if self.held or at - self.asked_at < _ASK:
            return
        self.asked_at = at
        if why := self.why_held():
            self.report.problems += why
            self.held = True

    def _print(self, claim: Claim) -> tuple[Begun, Message] | None:
        if claim.ident in self.broken or claim.recipient.address.domain in self.gate.shut:
            return None
        if claim.revision is None and self.press.begun_with(claim) is None:
            try:
                self.press.revision(claim.ident)
            except NewsletterError as error:  # the post's fault, not this reader's: everybody waits for it
                self.broken.add(claim.ident)
                self.report.problems.append(str(error))
                return None
        try:
            return self.press.print(claim, at=self.now())
        except StoreError:  # no fault of this message
            raise
        except (NewsletterError, ValueError) as error:
            self.report.faults += 1
            self.fault = f"{claim.recipient.address}: {error}"
            self.book.fault(claim, str(error), at=self.now(), wait=_FAULT_WAIT)
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
        self.gate.rest()
        return True

    def _count(self, result: Result) -> None:
        match result.outcome:
            case Accepted():
                self.report.accepted += 1
                self.gate.passed(result.claim)
            case Deferred(reply):
                self.report.deferred += 1
                self.gate.pushed_back(result.claim, reply)
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
