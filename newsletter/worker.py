"""The worker: waits for tickets, and for each claims one batch through the ledger, submits it, records it.

    Worker.run    until it is told to stop
    dispatch      what a tick does instead of delivering: tickets for what is due

Every two seconds a worker is heard of (`beat`): its leases are prolonged, and one of all workers sweeps the ledger:
what a dead one had is free again, and what is due has its tickets, whether or not the queue lost some.

Guarantees
    It never looks at the clock of its machine: time is the database's, carried on by a clock that can't be set.
    A worker that could not prolong its leases (frozen, cut off) hands out nothing more until it can again.

What goes wrong
    The database or the queue is away: the worker waits and tries again. The schema is another version's: it ends.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from newsletter import queue
from newsletter.config import Config
from newsletter.delivery import DOUBT_FOR, Report, deliver
from newsletter.errors import NewsletterError, StoreError, StoreMoved, StoreTooNew
from newsletter.gate import provider_bucket
from newsletter.held import judging, keep_held
from newsletter.mail import Provider
from newsletter.posts import Folder
from newsletter.press import Press
from newsletter.scheduler import PressMaker, held_meanwhile, pass_time, printing, reason_to_wait, warm_up
from newsletter.store import Store, Transaction
from newsletter.store.leases import LEASE, Leased
from newsletter.store.workers import SWEEPING, Sign, alone

_log = logging.getLogger(__name__)

BEAT = timedelta(seconds=2)
_NAP = 0.2  # seconds until a stop is noticed
_MINUTE = 60.0  # seconds


class Desk(Protocol):
    """One project as it is now: settings, posts and keys are read anew for every tick."""

    config: Config

    @property
    def provider(self) -> Provider: ...
    @property
    def secret(self) -> bytes: ...
    @property
    def folder(self) -> Folder: ...
    @property
    def press(self) -> PressMaker: ...


class Clock:
    """The database's time, carried on by the monotonic clock between two answers of the database."""

    def __init__(self, at: datetime, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self.set(at)

    def set(self, at: datetime) -> None:
        """What the database said just now."""
        self._mark = (at, self._seconds())

    def __call__(self) -> datetime:
        at, mark = self._mark
        return at + timedelta(seconds=self._seconds() - mark)


def dispatch(c: Transaction, config: Config, *, at: datetime) -> int:
    """Tickets for what may leave *at* this instant, in the transaction that planned it; returns how many."""
    return queue.enqueue(c, config.provider, at=at)


@dataclass(slots=True)
class Worker:
    """One process of workers; *open_desk* gives the project as it is now, *stop* is asked all the time."""

    store: Store
    open_desk: Callable[[], Desk]
    stop: Callable[[], bool]
    ident: str
    host: str
    say: Callable[[str], None]
    concurrency: int = 1
    queues: tuple[str, ...] = ()  # none: of the project's provider
    seconds: Callable[[], float] = monotonic
    clock: Clock = field(init=False)
    _mine: list[Leased] = field(default_factory=list)
    _counts: deque[tuple[float, int]] = field(default_factory=deque)  # what was done, and when
    _done: int = 0
    _troubles: dict[str, str] = field(default_factory=dict)  # by what has it: the queue, a beat, a batch
    _kept_at: float = 0.0  # when the leases were prolonged last
    _ended: str = ""  # why it can't go on
    _slots: threading.local = field(default_factory=threading.local)  # a desk and a press for each thread
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> str:
        """Work until told to stop; why it ended by itself, as a sentence, else empty."""
        self.store.workers.never_linger()
        self.begin()
        beating = threading.Thread(target=self._beats, daemon=True)
        beating.start()
        asyncio.run(self._listen())
        beating.join()
        with suppress(StoreError):
            self.store.workers.leave(self.ident)
        return self._ended

    def begin(self) -> None:
        """Be heard of for the first time, and learn what time it is."""
        self._kept_at = self.seconds()
        self.clock = Clock(self.store.workers.beat(self._sign()), self.seconds)

    @property
    def _over(self) -> bool:
        return bool(self._ended) or self.stop()

    # -- tickets -------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Take tickets until it is over, whatever becomes of the queue meanwhile."""
        config = self.open_desk().config
        while not self._over:
            app = queue.listener(config.store_url, self.batch, connections=self.concurrency + 3)
            try:
                self._make_queue()
                async with app.open_async():
                    await self._take(app, config)
            except Exception as error:  # the queue only says that there is work: nothing is lost with it
                words = " ".join(f"{type(error).__name__}: {error}".split())
                self._complain("queue", f"the queue does not answer ({words}); this worker tries again.")
                await asyncio.sleep(BEAT.total_seconds() / 2)

    def _make_queue(self) -> None:
        """Whoever is first makes the queue's tables: a worker may be there before anything was planned."""
        with self.store.write() as c:
            queue.make(c)

    async def _take(self, app: queue.Listener, config: Config) -> None:
        taking = asyncio.create_task(
            app.run_worker_async(
                queues=self.queues or [config.provider],
                concurrency=self.concurrency,
                install_signal_handlers=False,
                delete_jobs="always",
                fetch_job_polling_interval=BEAT.total_seconds(),
                # Set together: a timeout under the interval would take a live worker's ticket away.
                update_heartbeat_interval=BEAT.total_seconds(),
                stalled_worker_timeout=30.0,
            )
        )
        naps = 0
        while not self._over and not taking.done():
            await asyncio.sleep(_NAP)
            naps += 1
            if naps * _NAP > BEAT.total_seconds():  # it asked for tickets, and had an answer
                self._complain("queue", "")
        taking.cancel()  # no more tickets; those in hand are finished first
        with suppress(asyncio.CancelledError):
            await taking

    def batch(self, size: int) -> None:
        """One ticket: deliver up to *size* of what is due."""
        if self._over:
            return
        try:
            self._batch(size)
        except NewsletterError as error:
            self._complain("batch", str(error))
            pass_time(BEAT / 2)  # the ledger keeps the work, and a sweep gives it a new ticket
        except Exception as error:
            _log.exception("batch")
            self._complain("batch", f"a batch failed, and it is not your mistake: {type(error).__name__}: {error}")
            pass_time(BEAT / 2)

    def _batch(self, size: int) -> None:
        store, at = self.store, self.clock()
        desk, press, judged = self._desk(at)
        if why := reason_to_wait(store, desk.provider.name, at=at):
            self._complain("batch", why[0])
            return
        ledger = Leased(store, size=size, wait=pass_time)
        with self._lock:
            self._mine.append(ledger)
        try:
            report = deliver(
                store,
                desk.provider,
                press,
                book=ledger,
                now=self.clock,
                on_uncertain=desk.config.on_uncertain,
                jitter=random.random,
                stop=self._must_stop,
                limits=desk.config.limits,
                today=warm_up(desk.config, store, at=at),
                wait=pass_time,
                held=lambda: held_meanwhile(store, at=self.clock()),
            )
        finally:
            with self._lock:
                self._mine.remove(ledger)
        if judged:
            keep_held(store, desk.folder, judged)
        self._count(report)

    def _desk(self, at: datetime) -> tuple[Desk, Press, dict[str, str]]:
        """This thread's desk, opened anew once a tick has run since."""
        tick = self.store.facts.last_tick()
        if getattr(self._slots, "tick", self) != tick:
            desk, judged = self.open_desk(), dict[str, str]()
            judge = judging(desk.config, desk.folder, judged, at=at)
            press = printing(desk.config, self.store, desk.secret, desk.folder, desk.press, judge)
            self._slots.desk, self._slots.tick = (desk, press, judged), tick
        return self._slots.desk  # type: ignore[no-any-return]

    def _must_stop(self) -> bool:
        return self._over or self.seconds() - self._kept_at > LEASE.total_seconds()

    # -- beats ---------------------------------------------------------------------------------------

    def _beats(self) -> None:
        # Beats go on while the last batches are finished: their leases are needed to the end.
        while not self._over or self._mine:
            try:
                self.beat()
                self._complain("beat", "")
            except (StoreTooNew, StoreMoved) as error:
                self._ended = str(error)
            except StoreError as error:
                self._complain("beat", str(error))
            except Exception as error:
                self._complain("beat", f"a beat failed, and it is not your mistake: {type(error).__name__}: {error}")
            self._nap(BEAT)

    def beat(self) -> None:
        """Be heard of, prolong the leases, and sweep if nobody else does."""
        began = self.seconds()
        self.clock.set(self.store.workers.beat(self._sign()))
        with self._lock:
            fences = {delivery: fence for ledger in self._mine for delivery, fence in ledger.open.copy().items()}
        self.store.workers.renew(fences, until=self.clock() + LEASE)
        self._kept_at = began
        self._sweep()

    def _sweep(self) -> None:
        at, config = self.clock(), self.open_desk().config
        self.store.workers.end_frozen()  # they may be the ones who sweep
        with self.store.write() as c:
            if alone(c, SWEEPING, wait=False):
                self.store.ledger.sweep(at=at, doubt_for=DOUBT_FOR)
        if not self._resting(config, at):
            with self.store.write() as c:
                if alone(c, SWEEPING, wait=False):
                    queue.clear_dead(c)
                    queue.enqueue(c, config.provider, at=at, sweeping=True)
        self.store.workers.forget_silent(at=at)

    def _resting(self, config: Config, at: datetime) -> bool:
        """Whether nothing may leave: tickets would be taken and given up every two seconds."""
        rest = self.store.buckets.resting().get(provider_bucket(config.provider))
        return bool(rest and rest.until > at) or bool(reason_to_wait(self.store, config.provider, at=at))

    def _nap(self, span: timedelta) -> None:
        """Let *span* pass, or less when it is over."""
        until = self.seconds() + span.total_seconds()
        while not self._over and (left := until - self.seconds()) > 0:
            pass_time(timedelta(seconds=min(left, _NAP)))
        if self._over:
            pass_time(timedelta(seconds=_NAP))

    # -- what it says --------------------------------------------------------------------------------

    def _sign(self) -> Sign:
        now = self.seconds()
        with self._lock:
            while self._counts and self._counts[0][0] < now - _MINUTE:
                self._counts.popleft()
            trouble = " ".join(dict.fromkeys(filter(None, self._troubles.values())))
            return Sign(self.ident, self.host, self._done, sum(n for _, n in self._counts), trouble)

    def _count(self, report: Report) -> None:
        with self._lock:
            self._done += report.submitted
            self._counts.append((self.seconds(), report.submitted))
        self._complain("batch", " ".join(dict.fromkeys(report.problems)))
        if not report.submitted:
            pass_time(BEAT / 2)  # an allowance is used up, or readers wait for a mail system: what is due stays due

    def _complain(self, what: str, sentence: str) -> None:
        """Say it once, and let the others know until *what* has no trouble any more."""
        with self._lock:
            new, self._troubles[what] = sentence != self._troubles.get(what), sentence
        if sentence and new:
            self.say(sentence)
