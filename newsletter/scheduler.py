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
import hashlib
import hmac
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from newsletter import consent, delivery
from newsletter.catalogue import position_before, survey
from newsletter.config import Config, Design, Identity, Mode
from newsletter.delivery import Clock, Report
from newsletter.errors import RunLocked, SubscriberError
from newsletter.mail import Provider
from newsletter.posts import Folder, Post, read_folder
from newsletter.press import Press
from newsletter.store import Store
from newsletter.store.audience import Fingerprint, Taken
from newsletter.store.facts import HoldKind
from newsletter.store.ledger import Ledger
from newsletter.store.planning import Planned
from newsletter.subscribers import BadRow, EmptyFileError, Row, rows_in

PressMaker = Callable[[Iterable[Post], Identity, Design, bytes, Ledger], Press]

REHEARSAL = "folder"  #: the provider that reaches nobody: it needs no go-live
_CLOCK_SLACK = timedelta(minutes=5)
_BAD_ROWS_SHOWN = 50


@dataclass(slots=True)
class Tick:
    """What one tick did."""

    at: datetime
    planned: Planned = field(default_factory=lambda: Planned({}, {}))
    report: Report = field(default_factory=Report)
    taken: Taken = field(default_factory=Taken)
    suppressed: int = 0
    notes: list[str] = field(default_factory=list)  #: warnings: nothing was stopped by them
    stopped: list[str] = field(default_factory=list)  #: why something was held or stopped

    @property
    def clean(self) -> bool:
        """Everything that could leave has left."""
        return not self.stopped and not self.report.interrupted


def fingerprint(secret: bytes) -> Fingerprint:
    """The keyed hash under which an address stays suppressed after it was erased."""
    return lambda key: hmac.new(secret, b"newsletter address\0" + key.encode(), hashlib.sha256).hexdigest()


@contextmanager
def run_lock(config: Config) -> Iterator[None]:
    """Hold the project's lock; raises `RunLocked`. It saves work: doubles are the ledger's to prevent."""
    with (config.root / ".newsletter.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunLocked("another run is at work on this newsletter; this one leaves it the field.") from None
        yield


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
) -> Tick:
    """One tick: take in what changed, plan what is due, deliver. *progress* is told (done, planned)."""
    result = Tick(now())
    if why := reason_to_wait(store, provider.name, at=result.at):
        result.stopped = why
        return result
    # Small steps back are the clock's business; the ledger's time never runs backwards.
    result.at = max(result.at, store.facts.last_tick() or result.at)
    folder = take_in(config, store, secret, result)
    if result.taken.departed:
        store.ledger.withdraw_inactive()
    result.planned = store.planner.plan(config.identity, config.rules, at=result.at)
    prints = press(folder.posts, config.identity, config.design, secret, store.ledger)
    if config.rules.mode is Mode.BROADCAST:
        prints.in_flight = store.catalogue.in_flight()
    result.report = delivery.deliver(
        store,
        provider,
        prints,
        now=lambda: max(now(), result.at),
        on_uncertain=config.on_uncertain,
        jitter=jitter,
        stop=stop,
        progress=lambda done: progress(done, result.planned.count),
    )
    result.suppressed = consent.suppress_unreachable(store, fingerprint=fingerprint(secret), at=result.at)
    result.stopped = held_back(store) + result.report.problems
    return result


def reason_to_wait(store: Store, provider: str, *, at: datetime) -> list[str]:
    """Why a tick at *at* must not plan or submit anything; empty when it may."""
    if store.restored():
        store.facts.hold(HoldKind.RESTORED, _RESTORED, at=at)
    why = [h.reason for h in store.facts.holds() if h.stops_all]
    last = store.facts.last_tick()
    if last is not None and at < last - _CLOCK_SLACK:
        why.append(
            f"the clock went back: the last run was at {last:%Y-%m-%d %H:%M} UTC, now it says {at:%Y-%m-%d %H:%M}. "
            "Set the clock right; if it is right now, `newsletter resume`."
        )
    if provider != REHEARSAL and store.facts.went_live(provider) is None:
        why.append(f"nothing leaves through {provider} before you have said so once: `newsletter go-live`.")
    return why


def rehearse(config: Config, store: Store, result: Tick) -> None:
    """Plan as the next run will, in a rehearsal of *store*; say so when that holds a backlog back."""
    result.planned = store.planner.plan(
        config.identity, config.rules, at=max(result.at, store.facts.last_tick() or result.at)
    )
    result.stopped += held_back(store)


def held_back(store: Store) -> list[str]:
    """Why not everything that is due leaves."""
    return [h.reason for h in store.facts.holds() if h.kind is HoldKind.BACKLOG]


def take_in(config: Config, store: Store, secret: bytes, result: Tick) -> Folder:
    """Look into posts/ and the subscriber file, and keep what changed."""
    folder = take_posts(config, store, result)
    if config.subscribers_file is not None:
        _take_file(config.subscribers_file, config, store, secret, result)
    return folder


def take_posts(config: Config, store: Store, result: Tick) -> Folder:
    """Look into posts/ alone, and keep what changed."""
    folder = read_folder(config.posts, zone=config.identity.timezone, at=config.rules.at)
    previous = store.facts.last_tick()
    found = survey(
        store.catalogue.entries(), folder, at=result.at, previous=previous, rules=config.rules, identity=config.identity
    )
    store.catalogue.apply(found, at=result.at, first=previous is None)
    result.notes += [*folder.warnings, *found.notes]
    return folder


def _take_file(path: Path, config: Config, store: Store, secret: bytes, result: Tick) -> None:
    """Follow the owner's file when it changed; bad rows are listed each time."""
    try:
        result.taken, bad = follow_file(path, config, store, secret, at=result.at)
    except SubscriberError as error:
        if not isinstance(error, EmptyFileError) or store.audience.in_file():
            result.notes.append(f"{error}. The readers stay as they were.")
        elif not any(store.audience.counts().values()):
            result.notes.append(
                f"{path.name} has nobody in it yet: write your readers below its first row, one to a row."
            )
        return
    result.notes += bad
    if result.taken.refused:
        result.notes.append(
            f"{path.name} was not taken: {result.taken.refused}. If that is meant: `newsletter subscribers sync`."
        )


def follow_file(
    path: Path, config: Config, store: Store, secret: bytes, *, at: datetime, meant: bool = False
) -> tuple[Taken, list[str]]:
    """Make the readers follow the owner's file if it changed; what that did, and the rows that can't be taken.

    *meant*: also when many rows are gone. Raises `SubscriberError` when it can't be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            seen: dict[str, Any] = store.facts.get("subscribers_file") or {}
            if seen.get("digest") == digest:
                return Taken(), seen["bad"]
            bad: list[str] = []
            rows = _noting(rows_in(file, path.name), bad)
            taken = store.audience.take_file(
                rows, floor=floor(config, store), fingerprint=fingerprint(secret), at=at, meant=meant
            )
    except OSError as error:
        raise SubscriberError(
            f"{path.name} can't be read ({error.strerror}); see [subscribers] file in newsletter.toml"
        ) from None
    notes = [f"{path.name}, {problem}" for problem in bad[:_BAD_ROWS_SHOWN]]
    if len(bad) > _BAD_ROWS_SHOWN:
        notes.append(f"{path.name}: {len(bad) - _BAD_ROWS_SHOWN} more rows can't be taken.")
    if not taken.refused:
        store.facts.put("subscribers_file", {"digest": digest, "bad": notes})
    return taken, notes


def file_changed(path: Path, store: Store | None) -> bool:
    """Whether the owner's file holds rows and is not the one that was taken last (None: nothing was)."""
    seen = (store.facts.get("subscribers_file") if store else None) or {}
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() != seen.get("digest") and bool(
                next(rows_in(file, path.name))
            )
    except (OSError, EmptyFileError):
        return False
    except SubscriberError:
        return True


def _noting(rows: Iterable[Row | BadRow], bad: list[str]) -> Iterator[Row | BadRow]:
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(str(row))
        yield row


def floor(config: Config, store: Store) -> int:
    """The position at which a new reader starts."""
    return position_before(config.rules.start, store.catalogue.entries(), config.identity.timezone)


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
