"""The tick, and the daemon around it.

cron and APScheduler only wake the tick up; the ledger decides. So a tick may come late, twice, never or
in pairs: it looks at levels (who is due now?), not at edges (what happened since?).

    tick = look into posts/ and the subscriber file → plan → deliver

    run_daemon = that again and again, woken by APScheduler

What goes wrong
    A hold, a clock that went back or a provider that is not live: nothing is planned, and the report says
    what to do. Another run at work: `RunLocked`.
"""

from __future__ import annotations

import fcntl
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from time import sleep
from typing import TYPE_CHECKING, Any

from newsletter import consent, delivery, feedback, watch
from newsletter.catalogue import Standing
from newsletter.config import Config, Design, Identity, Mode
from newsletter.copyist import Copyist
from newsletter.delivery import Clock, Report
from newsletter.errors import NewsletterError, RunLocked, StoreError
from newsletter.gate import Allowance
from newsletter.held import held_posts, judging, keep_held
from newsletter.intake import Intake, fingerprint, take_in
from newsletter.limits import allowance
from newsletter.mail import Provider
from newsletter.posts import Folder, Post
from newsletter.press import Judge, Press
from newsletter.providers import provider_before
from newsletter.store import Store, Transaction
from newsletter.store.facts import HoldKind
from newsletter.store.joining import Taken
from newsletter.store.ledger import Ledger
from newsletter.store.planning import Planned
from newsletter.store.workers import alone

if TYPE_CHECKING:
    from newsletter.incoming import Open

PressMaker = Callable[[Iterable[Post], Identity, Design, bytes, Ledger], Press]

#: Hands what is due over to workers, within the transaction that planned it; how many batches.
Dispatch = Callable[[Transaction, datetime], int]

#: Other processes that deliver meanwhile, told how many messages were planned; afterwards, what each of them did.
Crew = Callable[[int], AbstractContextManager[Callable[[], list[Report]]]]

_log = logging.getLogger(__name__)

REHEARSAL = "folder"  #: the provider that reaches nobody: it needs no go-live
_CLOCK_SLACK = timedelta(minutes=5)
_LOOK_MOST = timedelta(minutes=2)  #: for the mailbox; the next run goes on where this one stopped


@dataclass(slots=True)
class Tick:
    """What one tick did."""

    at: datetime
    planned: Planned = field(default_factory=lambda: Planned({}, {}))
    report: Report = field(default_factory=Report)
    taken: Taken = field(default_factory=Taken)
    queued: int = 0  #: batches for workers
    suppressed: int = 0
    held: dict[int, str] = field(default_factory=dict)  #: posts that the checks keep back, by number, with the reason
    notes: list[str] = field(default_factory=list)  #: warnings: nothing was stopped by them
    stopped: list[str] = field(default_factory=list)  #: why something was held or stopped
    unread: str = ""  #: why the mailbox could not be read

    @property
    def clean(self) -> bool:
        """Everything that could leave has left."""
        return not self.stopped and not self.report.interrupted

    def add(self, found: Intake) -> None:
        """What it took in."""
        self.taken = found.taken
        self.notes += found.notes


@contextmanager
def run_lock(config: Config) -> Iterator[None]:
    """Hold the project's lock; raises `RunLocked`. It saves work: doubles are the ledger's to prevent."""
    with (config.root / ".newsletter.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunLocked("another run is at work on this newsletter; this one leaves it the field.") from None
        yield


def pass_time(span: timedelta) -> None:
    """Sleep."""
    sleep(span.total_seconds())


def warm_up(config: Config, store: Store, *, at: datetime) -> Allowance | None:
    """What may leave on the day of *at* while the provider is warming up."""
    since = store.facts.went_live(config.provider)
    if config.limits.warm_up is None or since is None:
        return None
    zone = config.identity.timezone
    messages = allowance(config.limits.warm_up, live_since=since, at=at, zone=zone)
    return Allowance(f"warm-up {config.provider} {at.astimezone(zone):%Y-%m-%d}", messages)


def waiting(config: Config, store: Store, *, at: datetime) -> list[str]:
    """What is kept waiting without anybody's doing, and goes on by itself."""
    found, zone = [], config.identity.timezone
    for name, rest in store.buckets.resting().items():
        kind, _, who = name.partition(" ")
        if rest.until > at and (kind == "to" or who == config.provider):
            what = f"readers at {who} wait" if kind == "to" else "everything waits"
            found.append(f"{who} asked to be left alone until {rest.until.astimezone(zone):%H:%M}; {what} so long.")
    if today := warm_up(config, store, at=at):
        left = max(today.messages - store.buckets.spent(today.bucket), 0)
        active = store.audience.counts()
        if today.messages < active["active"] - active["paused"]:
            found.append(
                f"Warming up: {today.messages:,} messages may leave today, {left:,} of them still can; tomorrow"
                " twice as many. What is over waits for the next day."
            )
    return found


def tick(
    config: Config,
    store: Store,
    provider: Provider,
    secret: bytes,
    *,
    now: Clock,
    jitter: Callable[[], float] = random.random,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    press: PressMaker = Press.of,
    crew: Crew = lambda messages: nullcontext(list),
    wait: Callable[[timedelta], None] = pass_time,
    box: Open | None = None,
    dispatch: Dispatch | None = None,
) -> Tick:
    """One tick: take in what changed, plan what is due, deliver. *progress* is told (done, planned).

    *wait* is called while a limit lets nothing pass. *box* is the mailbox with what came back, if there is one.
    With *dispatch* workers deliver, and this returns when they were told.
    """
    result = Tick(now())
    if box is not None:
        result.unread = _look(box, config, store, secret, now=now, stop=stop)
        result.notes += filter(None, [result.unread])
    if missed := watch.overdue(store, config.identity, config.rules, at=result.at):
        result.notes.append(missed)
    result.stopped = reason_to_wait(store, provider.name, at=result.at)
    if not result.stopped and dispatch:
        _hand_over(config, store, secret, result, dispatch)
    elif not result.stopped:
        folder = _plan(config, store, secret, result)
        judged: dict[str, str] = {}
        with crew(result.planned.count) as reports:
            result.report = delivery.deliver(
                store,
                provider,
                printing(config, store, secret, folder, press, judging(config, folder, judged, at=result.at)),
                now=lambda: max(now(), result.at),
                on_uncertain=config.on_uncertain,
                jitter=jitter,
                stop=stop,
                progress=lambda done: progress(done, result.planned.count),
                limits=config.limits,
                today=warm_up(config, store, at=result.at),
                wait=wait,
                held=lambda: held_meanwhile(store, at=max(now(), result.at)),
                earlier=lambda name: provider_before(config, name, now=now),
            )
            for report in reports():
                result.report.add(report)
        result.notes += result.report.notes
        result.suppressed = consent.suppress_unreachable(store, fingerprint=fingerprint(secret), at=result.at)
        keep_held(store, folder, judged)
        result.held = held_posts(store, folder)
        result.stopped = held_back(store) + result.report.problems
    result.notes += feedback.undecided(store)
    _tell(config, store, provider, result, missed, now=now, stop=stop)
    r = result.report
    counts = {"accepted": r.accepted, "deferred": r.deferred, "rejected": r.rejected, "uncertain": r.uncertain}
    _log.info("run", extra={"facts": {"planned": result.planned.count, **counts, "stopped": result.stopped}})
    return result


def _hand_over(config: Config, store: Store, secret: bytes, result: Tick, dispatch: Dispatch) -> None:
    """Plan what is due and tell the workers, in one transaction: the second of two ticks finds nothing left to plan."""
    with store.whole() as c:
        alone(c, wait=True)
        folder = _plan(config, store, secret, result)
        result.queued = dispatch(c, result.at)
    result.suppressed = consent.suppress_unreachable(store, fingerprint=fingerprint(secret), at=result.at)
    keep_held(store, folder, {})
    result.held = held_posts(store, folder)
    result.stopped = held_back(store)
    if result.queued and not store.workers.heard(at=result.at):
        result.notes.append(NOBODY)


def _look(box: Open, config: Config, store: Store, secret: bytes, *, now: Clock, stop: Callable[[], bool]) -> str:
    """Read the mailbox first, so that whoever left gets nothing more; why it could not be read, as a sentence.

    Letters don't wait for a mailbox: not for one that is slow, and not for one that breaks something here.
    """
    from newsletter.incoming import look  # 30 ms to import: only who has a mailbox pays

    at = now()
    try:
        look(
            box, store, config.identity, secret, fingerprint=fingerprint(secret), at=at,
            stop=lambda: stop() or now() - at > _LOOK_MOST,
        )  # fmt: skip
    except StoreError:
        raise
    except NewsletterError as error:
        return f"What came back could not be read: {error}."
    except Exception as error:
        _log.exception("mailbox")
        return f"What came back could not be read, and it is not your mistake: {type(error).__name__}: {error}."
    return ""


def _plan(config: Config, store: Store, secret: bytes, result: Tick) -> Folder:
    """Take in what changed, and plan what is due; the posts."""
    # Small steps back are the clock's business; the ledger's time never runs backwards.
    result.at = max(result.at, store.facts.last_tick() or result.at)
    result.add(found := take_in(config, store, secret, at=result.at))
    result.planned = store.planner.plan(config.identity, config.rules, at=result.at)
    return found.folder


def _tell(
    config: Config, store: Store, provider: Provider, result: Tick, missed: str, *, now: Clock, stop: Callable[[], bool]
) -> None:
    """Alerts to the owner, and a sign of life."""
    hers = {h.reason for h in store.facts.holds() if h.kind is HoldKind.OWNER}
    blocked = [e.reason for e in store.catalogue.entries() if e.standing is Standing.BLOCKS and e.reason]
    said = [missed, *result.stopped, *blocked, *feedback.undecided(store), result.unread]
    wrong = [s for s in dict.fromkeys(said) if s and s not in hers]
    if provider.name != REHEARSAL and store.facts.went_live(provider.name) and not store.restored():
        watch.alert(store, config.identity, config.alerts, wrong, at=result.at)
        result.notes += notify(config, store, provider, now=now, stop=stop)
    try:
        if config.alerts.health_file:
            watch.pulse(config.alerts.health_file, at=result.at, attention=wrong)
        if config.alerts.health_url and not wrong:
            from newsletter.providers.heartbeat import beat

            beat(config.alerts.health_url)
    except NewsletterError as error:
        result.notes.append(str(error))


def notify(
    config: Config,
    store: Store,
    provider: Provider,
    *,
    now: Clock,
    jitter: Callable[[], float] = random.random,
    stop: Callable[[], bool] = lambda: False,
) -> list[str]:
    """Deliver the notices that may leave now; what stood in the way."""
    report = delivery.deliver(
        store,
        provider,
        Copyist(store.notices, config.identity.reverse_path, config.dkim),
        book=store.notices,
        now=now,
        on_uncertain=config.on_uncertain,
        jitter=jitter,
        stop=stop,
        earlier=lambda name: provider_before(config, name, now=now),
    )
    return report.problems


# --- what comes before


def printing(
    config: Config, store: Store, secret: bytes, folder: Folder, press: PressMaker, judge: Judge | None = None
) -> Press:
    """The press of one run; *judge* is asked before a revision leaves for the first time."""
    made = press(folder.posts, config.identity, config.design, secret, store.ledger)
    made.judge = judge
    if config.rules.mode is Mode.BROADCAST:
        made.in_flight = store.catalogue.in_flight()
    return made


def reason_to_wait(store: Store, provider: str, *, at: datetime) -> list[str]:
    """Why a tick at *at* must not plan or submit anything; empty when it may."""
    if store.restored():
        store.facts.hold(HoldKind.RESTORED, _RESTORED, at=at)
    feedback.look(store, at=at)
    why = [h.reason for h in store.facts.holds() if h.stops_all]
    if full := store.short_of_room():
        why.append(full)
    last = store.facts.last_tick()
    if last is not None and at < last - _CLOCK_SLACK:
        why.append(
            f"the clock went back: the last run was at {last:%Y-%m-%d %H:%M} UTC, now it says {at:%Y-%m-%d %H:%M}. "
            "Set the clock right; if it is right now, `newsletter resume`."
        )
    if provider != REHEARSAL and store.facts.went_live(provider) is None:
        why.append(f"nothing leaves through {provider} before you have said so once: `newsletter go-live`.")
    return why


def held_meanwhile(store: Store, *, at: datetime) -> list[str]:
    """Why a run that is under way must not go on."""
    feedback.look(store, at=at)
    return [h.reason for h in store.facts.holds() if h.stops_all]


def rehearse(config: Config, store: Store, result: Tick) -> None:
    """Plan as the next run will, in a rehearsal of *store*; say so when that holds a backlog back."""
    result.planned = store.planner.plan(
        config.identity, config.rules, at=max(result.at, store.facts.last_tick() or result.at)
    )
    result.stopped += held_back(store)


def held_back(store: Store) -> list[str]:
    """Why not everything that is due leaves."""
    return [h.reason for h in store.facts.holds() if h.kind is HoldKind.BACKLOG]


NOBODY = (
    "Letters wait for a worker, and none is running: start `newsletter worker`, here or on another machine, or take"
    " `workers` out of [delivery] in newsletter.toml."
)
_RESTORED = (
    "this database is older than what was last written here: an earlier copy was put in its place, so what went out"
    " since is unknown. "
    "Look at `newsletter status` and `newsletter plan`; `newsletter resume` accepts this copy as the true one."
)


# --- the daemon

QUARTER = timedelta(minutes=15)  #: every local time on earth is a whole number of quarters from UTC
_POLL = 0.5  # seconds until a stop is noticed


def run_daemon(wake: Callable[[], int], *, stop: Callable[[], bool], every: timedelta = QUARTER) -> None:
    """Call *wake* now, and then *every* so often until *stop* says so. It answers with the minute of the hour to keep.

    APScheduler rings and no more. The run stays in this thread, because a signal is handled in the main thread alone,
    and what a signal may do there to a scheduler that is waiting on a lock is nothing.
    """
    from apscheduler.schedulers.background import BackgroundScheduler  # 87 ms to import: only the daemon pays

    bell, kept = Event(), None
    # The default drops a ring that is one second late.
    defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    scheduler = BackgroundScheduler(timezone=UTC, job_defaults=defaults)
    scheduler.start()
    bell.set()
    try:
        while not stop():
            if not bell.wait(_POLL):
                continue
            bell.clear()
            minute = wake()
            if minute != kept:
                scheduler.add_job(bell.set, rings(minute, every), id="tick", replace_existing=True)
                kept = minute
    finally:
        scheduler.shutdown(wait=False)


def rings(minute: int, every: timedelta = QUARTER) -> Any:
    """APScheduler's trigger for *every* so often, counted from *minute* past a full hour of UTC."""
    from apscheduler.triggers.interval import IntervalTrigger

    start = datetime(2000, 1, 1, 0, minute, tzinfo=UTC)
    return IntervalTrigger(seconds=every.total_seconds(), start_date=start, timezone=UTC)
