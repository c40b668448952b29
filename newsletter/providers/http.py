"""Submitting over HTTP: one loop for every vendor, a few requests at the same time.

A vendor says what a request looks like and what an answer means (`Vendor`, pure functions); `exchange` carries one and
knows how far it came; this decides what becomes of its messages. The caller's iterator is pulled in the caller's
thread; threads only carry requests.

Guarantees
    Accepted is what the vendor's own answer says so of. A request that left, and whose answer is missing or can't be
    read, leaves its messages `Uncertain`; where the vendor has idempotency keys, the same octets are first sent again
    under the same key.
    Never more than `window` messages (batch × threads) are pulled and without an outcome.

What goes wrong
    The vendor refuses us, is busy for long or isn't there: `ProviderError`, raised after the outcomes of all requests
    in flight have been yielded. A message pulled and not yielded was not handed over; when the caller itself stops
    early (closes the generator, Ctrl-C), up to `window` messages may be in doubt.
    A request is refused whole for what one of its messages holds: it is sent again in halves until that one is found.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Protocol

import requests

from newsletter.config import VendorSettings
from newsletter.errors import ProviderError
from newsletter.mail import About, Message, Outcome, Rejected, Reply, Uncertain
from newsletter.providers.exchange import (
    CONNECT_MOST,
    Answer,
    Exchange,
    Request,
    Unanswered,
    Unsent,
    by_status,
    exchange,
    new_session,
)
from newsletter.replies import BUSY

PATIENCE = timedelta(seconds=10)  # that a submission waits out by itself; more is the next run's
_FRESH = 2  # further tries for a request that was not handed over, or that has a key
_REFUSALS_MOST = 5  # "too fast" in a row, with no acceptance between
_SILENCES_MOST = 3  # requests without an answer in a row: more would only add to what is in doubt
_STOP_TIMEOUT = 2.0  # seconds for the threads to notice


class Itemised:
    """A 4xx that tells what became of each message, as a 2xx does: some may have been taken."""


class Vendor(Protocol):
    """What one vendor's interface looks like. Pure: it talks to nobody."""

    name: str
    title: str  #: as it calls itself
    octets_most: int  #: of a request

    @property
    def together(self) -> Callable[[Message], object] | None:
        """Not None: a request sent twice is one to the vendor, since it carries a key that its content decides.

        Only messages with the same of this share a request, so that a later attempt makes the same requests of them.
        """
        ...

    def part(self, message: Message) -> bytes:
        """One message as it stands in a request."""
        ...

    def request(self, parts: Sequence[bytes]) -> Request:
        """The request for *parts*: the same for the same parts."""
        ...

    def taken(self, messages: Sequence[Message], answer: Answer) -> Sequence[Outcome]:
        """The outcome of each of *messages* by a 2xx; `ValueError`, `LookupError` or `TypeError` for no such answer."""
        ...

    def refused(self, answer: Answer) -> Outcome | ProviderError | Itemised | None:
        """What a 4xx means, by which nothing of the request was taken: an outcome if it is for one of its messages.

        None: what the status alone says (a pause, or `exchange.by_status`). `Itemised`: `taken` can read it.
        """
        ...


def submit(vendor: Vendor, settings: VendorSettings, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
    """As `newsletter.mail.Provider.submit`."""
    fleet = _Fleet(vendor, settings)
    try:
        yield from fleet.outcomes(iter(messages))
    finally:
        fleet.end()


@dataclass(slots=True)
class _Job:
    """Messages that share a request."""

    messages: list[Message]
    parts: list[bytes]
    tries: int = 0
    doubt: str = ""  # an earlier try went unanswered


class _Carrier(Thread):
    """A thread with a session: requests go in, answers come out."""

    def __init__(self, work: Callable[[requests.Session, _Job], Exchange], done: SimpleQueue[_Done]) -> None:
        # A daemon: a name that is looked up for ever can't keep the program from ending.
        super().__init__(name="http", daemon=True)
        self.inbox: SimpleQueue[_Job | None] = SimpleQueue()
        self._work, self._done = work, done
        self.start()

    def run(self) -> None:
        with new_session() as session:
            while (job := self.inbox.get()) is not None:
                try:
                    result: Exchange | Exception = self._work(session, job)
                except Exception as error:  # ours; told to the loop, which would wait for ever otherwise
                    result = error
                self._done.put((self, result))


_Done = tuple[_Carrier, Exchange | Exception]


class _Fleet:
    """The requests of one `submit`, and what is between them and the caller."""

    def __init__(self, vendor: Vendor, settings: VendorSettings) -> None:
        self._vendor, self._settings = vendor, settings
        self._section = f"[provider.{vendor.name}] of newsletter.toml"
        self._limit = settings.threads
        self._total = settings.timeout.total_seconds() + CONNECT_MOST
        self._free: list[_Carrier] = []
        self._busy: dict[_Carrier, tuple[_Job, float]] = {}  # and when it has taken too long
        self._done: SimpleQueue[_Done] = SimpleQueue()
        self._again: deque[_Job] = deque()
        self._not_before = 0.0  # monotonic: they asked for a pause
        self._next: Message | None = None  # pulled, and not for the request before it
        self._answered = False  # once
        self._refusals = self._silences = 0  # in a row
        self._failure: Exception | None = None  # raised in the end; nothing more is begun

    def outcomes(self, messages: Iterator[Message]) -> Iterator[tuple[Message, Outcome]]:
        """The loop. After a failure nothing more is pulled or sent; what is in flight is still reported."""
        while True:
            yield from self._dispatch(messages)
            if not self._busy and (self._failure or not self._again):
                break
            job, result = self._await()
            if job is not None:
                yield from self._settled(job, result)
        if self._failure is not None:
            for job in self._again:
                if job.doubt:
                    yield from self._uncertain(job)
            raise self._failure

    # -- out

    def _dispatch(self, messages: Iterator[Message]) -> Iterator[tuple[Message, Outcome]]:
        """Send what may be sent now. Yields only what is refused before it is sent."""
        while self._failure is None and len(self._busy) < self._room and monotonic() >= self._not_before:
            job = self._again.popleft() if self._again else (yield from self._filled(messages))
            if job is None:
                return
            self._send(job)

    @property
    def _room(self) -> int:
        return self._limit if self._answered else 1  # a wrong key shall cost one request, not one a thread

    def _filled(self, messages: Iterator[Message]) -> Generator[tuple[Message, Outcome], None, _Job | None]:
        """The next request's messages, or None: there are no more."""
        job, size, kind = _Job([], []), 0, None
        most, together = self._vendor.octets_most, self._vendor.together
        while len(job.messages) < self._settings.batch and (message := self._pull(messages)) is not None:
            try:
                part, its = self._vendor.part(message), together(message) if together else None
            except Exception as error:  # nothing of it left; those in flight are told of first
                self._failure = error
                break
            if len(part) > most:
                yield message, _too_large(len(part), self._vendor.title)
                continue
            if job.messages and (its != kind or size + len(part) > most):
                self._next = message
                break
            kind, size = its, size + len(part) + 1
            job.messages.append(message)
            job.parts.append(part)
        if together:  # whatever order they came in
            order = sorted(range(len(job.messages)), key=lambda n: job.messages[n].delivery)
            job = _Job([job.messages[n] for n in order], [job.parts[n] for n in order])
        return job if job.messages else None

    def _pull(self, messages: Iterator[Message]) -> Message | None:
        if self._next is not None:
            message, self._next = self._next, None
            return message
        if self._failure is not None:
            return None
        try:
            return next(messages, None)
        except Exception as error:  # the caller's own: first tell it what becomes of the others
            self._failure = error
            return None

    def _send(self, job: _Job) -> None:
        carrier = self._free.pop() if self._free else _Carrier(self._carry, self._done)
        job.tries += 1
        self._busy[carrier] = job, monotonic() + self._total
        carrier.inbox.put(job)

    def _carry(self, session: requests.Session, job: _Job) -> Exchange:
        """In a carrier's thread."""
        return exchange(session, self._settings, self._vendor.request(job.parts))

    # -- back

    def _await(self) -> tuple[_Job | None, Exchange | Exception]:
        """The next answer, or what has taken too long; no job: a pause is over."""
        until = [deadline for _, deadline in self._busy.values()]
        if self._again and self._failure is None and len(self._busy) < self._room:
            until.append(self._not_before)
        late = Unanswered("it did not answer in time")
        try:
            carrier, result = self._done.get(timeout=max(min(until) - monotonic(), 0))
        except Empty:
            at = monotonic()
            for carrier, (job, deadline) in self._busy.items():
                if deadline <= at:
                    del self._busy[carrier]
                    carrier.inbox.put(None)  # whatever it still brings, nobody waits for
                    return job, late
            return None, late
        if carrier not in self._busy:
            return None, late
        job, _ = self._busy.pop(carrier)
        self._free.append(carrier)
        return job, result

    def _settled(self, job: _Job, result: Exchange | Exception) -> Iterator[tuple[Message, Outcome]]:
        """What becomes of a request's messages by what came back."""
        match result:
            case Answer(status) if status < 300:
                yield from self._read(job, result)
            case Answer(status) if status < 400:
                self._fail(
                    job,
                    f"{self._vendor.title} is not at {self._settings.base_url}: it answered {status} and pointed"
                    f" elsewhere; set base_url in {self._section} to the right address",
                )
            case Answer(status) if status >= 500 and not (status == 503 and result.retry_after is not None):
                yield from self._doubted(job, f"it answered {status}, not whether it took the message")
            case Answer(409) if self._vendor.together:  # the first try is still at work
                yield from self._doubted(job, "it is still busy with the same request")
            case Answer():
                yield from self._refused(job, result)
            case Unanswered(why):
                yield from self._doubted(job, why)
            case Unsent(why):
                self._unsent(job, why)
            case Exception():  # ours: the ledger has its messages as submitting, and they stay so
                self._failure = self._failure or result

    def _read(self, job: _Job, answer: Answer) -> Iterator[tuple[Message, Outcome]]:
        try:
            outcomes = list(zip(job.messages, self._vendor.taken(job.messages, answer), strict=True))
        except (ValueError, LookupError, TypeError, AttributeError):
            yield from self._doubted(job, f"it answered {answer.status}, and the rest can't be read")
            return
        self._answered, self._refusals, self._silences = True, 0, 0
        yield from outcomes

    def _doubted(self, job: _Job, why: str) -> Iterator[tuple[Message, Outcome]]:
        """It may have been taken. With a key the same request is asked once more; else nobody can say."""
        job.doubt = job.doubt or why
        if self._vendor.together and job.tries <= _FRESH and self._failure is None:
            self._again.append(job)
            return
        yield from self._uncertain(job)
        self._silences += 1
        if self._silences >= _SILENCES_MOST:
            self._fail(
                None,
                f"{self._vendor.title} ({self._settings.base_url}) left {self._silences} requests in a row without an"
                f" answer: {why}; nothing more was sent",
                retry_after=BUSY,
                busy=True,
            )

    def _uncertain(self, job: _Job) -> Iterator[tuple[Message, Outcome]]:
        for message in job.messages:
            yield message, Uncertain(f"{self._vendor.title}: {job.doubt}")

    def _unsent(self, job: _Job, why: str) -> None:
        if job.tries <= _FRESH and self._failure is None:
            self._again.append(job)
            return
        self._fail(
            job,
            f"{self._vendor.title} ({self._settings.base_url}) {why}; check that this machine is online, and base_url"
            f" in {self._section}",
            retry_after=BUSY,
        )

    def _refused(self, job: _Job, answer: Answer) -> Iterator[tuple[Message, Outcome]]:
        """Nothing of it was taken: for us, for haste, or for one of its messages."""
        verdict = self._vendor.refused(answer)
        if isinstance(verdict, Itemised):
            yield from self._read(job, answer)
            return
        if verdict is None and answer.status in (408, 425, 429, 503):
            self._paused(job, answer)
            return
        verdict = verdict or by_status(self._vendor.title, self._settings.base_url, self._section, answer)
        if isinstance(verdict, ProviderError):
            self._failure = self._failure or verdict
            self._again.append(job)
            return
        self._answered = True
        if len(job.messages) == 1:
            yield job.messages[0], verdict
            return
        half = len(job.messages) // 2
        for part in (slice(half), slice(half, None)):
            self._again.append(_Job(job.messages[part], job.parts[part]))

    def _paused(self, job: _Job, answer: Answer) -> None:
        """They ask for less. A short pause is waited out here, and fewer requests go at the same time after it."""
        wait, at = answer.retry_after, monotonic()
        if at >= self._not_before:  # else it is the echo of what was on its way
            self._refusals += 1
            self._limit = max(self._limit // 2, 1)
        if self._refusals > _REFUSALS_MOST or (wait is not None and wait > PATIENCE):
            said = f'. It said: "{answer.text}"' if answer.text else ""
            words = f"{self._vendor.title} takes no more for now ({answer.status}), and it goes on by itself{said}"
            self._fail(job, words, retry_after=wait or BUSY, busy=True)
            return
        pause = wait.total_seconds() if wait is not None else 2.0 ** (self._refusals - 1)
        self._not_before = max(self._not_before, at + pause)
        job.tries = 0
        self._again.append(job)

    def _fail(self, job: _Job | None, words: str, *, retry_after: timedelta | None = None, busy: bool = False) -> None:
        """Begin nothing more. *job* was not taken now, though an earlier try of it may have been."""
        self._failure = self._failure or ProviderError(words, retry_after=retry_after, busy=busy)
        if job is not None:
            self._again.append(job)

    def end(self) -> None:
        """Let the threads go; a request in flight is left to itself when the caller stopped early."""
        carriers = [*self._free, *self._busy]
        for carrier in carriers:
            carrier.inbox.put(None)
        until = monotonic() + _STOP_TIMEOUT
        for carrier in carriers:
            carrier.join(max(until - monotonic(), 0))


def _too_large(octets: int, title: str) -> Rejected:
    # RFC 3463 section 3.4: message too big for the system.
    return Rejected(Reply(0, "5.3.4", f"{octets:,} octets are more than {title} takes in one request"), About.MESSAGE)
