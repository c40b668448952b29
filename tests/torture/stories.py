"""The stories: in which ways runs die, and under whose hands."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from campaign import Campaign, Story, Subject, Tally
from controls import Control, checkpoints, mark_then_send, send_then_mark
from cutter import Cutter
from points import POINTS, When, arm
from postgres import Server, running
from sink import Record, Sink
from sqlalchemy import event
from stage import Stage, fork, scratch

from newsletter.cli import stop

ANYWHERE = "at a random moment"
_BUSY = 0.03  # seconds that a run waits for a locked database here; an owner's waits fifteen
_PAGES_MAX = 3  # 4 kB each, that the database may still grow


# --- ways to die


def at_a_point(campaign: Campaign) -> tuple[str, int]:
    """At a named point, if the run comes there. Points that were tried less often are preferred."""
    dice, tries = campaign.dice, campaign.tries
    point = min(dice.sample(POINTS, 4), key=lambda p: tries[p.words])
    tries[point.words] += 1
    call = min(dice.randint(1, point.calls), dice.randint(1, point.calls))  # late ones are rarely reached
    if point.when is When.WIRE:
        pid = campaign.begin(campaign.flaky(fate=(point.verb, call)))
    else:
        pid = campaign.begin(campaign.flaky(), before=lambda: arm(staged(campaign).store, point, call))
    return point.words, campaign.killed(pid)


def on_the_wire(campaign: Campaign) -> tuple[str, int]:
    """At a named point that the mail server sees."""
    point = campaign.dice.choice([p for p in POINTS if p.when is When.WIRE])
    pid = campaign.begin(campaign.flaky(fate=(point.verb, campaign.dice.randint(1, point.calls))))
    return point.words, campaign.killed(pid)


def at_any_moment(campaign: Campaign) -> tuple[str, int]:
    """`kill -9`, whenever."""
    pid = campaign.begin(campaign.flaky())
    campaign.moment()
    return ANYWHERE, campaign.kill(pid)


def either(campaign: Campaign) -> tuple[str, int]:
    return campaign.dice.choice((at_a_point, at_any_moment))(campaign)


def either_outside(campaign: Campaign) -> tuple[str, int]:
    """As `either`, for a sender whose inside is not known."""
    return campaign.dice.choice((on_the_wire, at_any_moment))(campaign)


def by_signals(campaign: Campaign) -> tuple[str, int]:
    """SIGTERM, and then nothing, SIGKILL, or once more SIGTERM or Ctrl-C."""
    stage = staged(campaign)

    def listen() -> None:
        stop.say = lambda text="": None  # it would say "stopping"
        stage.stop = stop.Stop()

    pid = campaign.begin(campaign.flaky(), before=listen)
    campaign.moment()
    os.kill(pid, signal.SIGTERM)
    second = campaign.dice.choice((None, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
    if second:
        time.sleep(campaign.dice.uniform(0, 0.3) * campaign.typical)
        os.kill(pid, second)
    status = campaign.wait(pid)
    if not second and status in (0, 1) and (left := stage.in_doubt(campaign.at)):
        campaign.tally.problems.append(f"a run that was asked to stop left {left} without an outcome, status {status}")
    return f"SIGTERM, then {second.name if second else 'patience'}", int(status not in (0, 1))


def in_company(campaign: Campaign) -> tuple[str, int]:
    """Two or three runners at once without the lock, and some of them die."""
    runners = [campaign.begin(campaign.flaky())]
    runners += [campaign.another() for _ in range(campaign.dice.randint(1, 2))]
    died = 0
    for pid in runners:
        if campaign.dice.random() < 0.6:
            campaign.moment()
            died += campaign.kill(pid)
        else:
            campaign.wait(pid)
    return "beside other runners", died


def for_want_of_room(campaign: Campaign) -> tuple[str, int]:
    """The database may not grow any more: no death, but an error in the middle."""
    stage, pages = staged(campaign), campaign.dice.randrange(_PAGES_MAX)

    def starve(connection: sqlite3.Connection, _record: object) -> None:
        (now,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {now + pages}")

    pid = campaign.begin(campaign.flaky(), before=lambda: event.listen(stage.store.engine, "connect", starve))
    return "the database is full", int(campaign.wait(pid) == 1)


def at_a_locked_door(campaign: Campaign) -> tuple[str, int]:
    """Another program keeps the database locked for a while, from some moment on."""
    stage, wait = staged(campaign), campaign.dice.uniform(0, 1.2) * campaign.typical

    def hurry(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY * 1000:.0f}")

    def lock() -> None:
        time.sleep(wait)
        connection = sqlite3.connect(stage.folder / "newsletter.db", isolation_level=None, timeout=10)
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(3 * _BUSY)

    pid = campaign.begin(campaign.flaky(), before=lambda: event.listen(stage.store.engine, "connect", hurry))
    locker = fork(lock)
    status = campaign.wait(pid)
    campaign.wait(locker)
    return "the database is locked", int(status == 1)


def with_its_server(campaign: Campaign) -> tuple[str, int]:
    """PostgreSQL is stopped at once, in the middle of a run, and started again."""
    server = staged(campaign).server
    assert server is not None
    pid = campaign.begin(campaign.flaky())
    campaign.moment()
    server.halt()
    status = campaign.wait(pid)
    server.start()
    return "PostgreSQL is stopped at once", int(status == 1)


def by_the_cut(campaign: Campaign) -> tuple[str, int]:
    """The line to PostgreSQL is cut at a COMMIT: it never came, or its answer never did."""
    cutter, done = staged(campaign).cutter, campaign.dice.random() < 0.5
    assert cutter is not None
    cutter.cut(campaign.dice.randint(1, 40), done=done)
    status = campaign.wait(campaign.begin(campaign.flaky()))
    cutter.cut(0, done=False)
    return f"the line to PostgreSQL is cut {'after' if done else 'before'} a COMMIT", int(status == 1)


def staged(campaign: Campaign) -> Stage:
    assert isinstance(campaign.subject, Stage)
    return campaign.subject


# --- clocks

#: Zones with the morning before their clocks change in 2026; Lord Howe's go by half an hour.
CHANGES = (
    ("Europe/Berlin", datetime(2026, 3, 27, 8, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 6, 14, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 2, 22, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 4, 3, 12, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 22, 7, tzinfo=UTC)),
    ("Pacific/Auckland", datetime(2026, 4, 2, 20, tzinfo=UTC)),
)
_LEAPS = (
    *(timedelta(minutes=m) for m in (-3, 20, 35, 65)),
    *(timedelta(hours=h) for h in (7, 23, 24, 25, 72)),
    timedelta(days=10),
)


def kept_hours(campaign: Campaign, record: Record, times: dict[int, datetime]) -> list[str]:
    """What arrived by night, or too soon after the post before it, by the reader's clock."""
    zone, arrived = staged(campaign).world.config.identity.timezone, defaultdict[str, list[datetime]](list)
    seen: set[str] = set()
    for taken in record.taken:
        if taken.message_id not in seen:  # a second copy after doubt keeps no gap
            seen.add(taken.message_id)
            arrived[taken.recipient].append(times[taken.run])
    wrong = []
    for who, instants in arrived.items():
        wrong += [
            f"{who} got mail at {at.astimezone(zone)}" for at in instants if not 8 <= at.astimezone(zone).hour < 21
        ]
        wrong += [f"{who} got two posts at {a} and {b}" for a, b in pairwise(instants) if b - a < timedelta(hours=20)]
    return wrong


# --- stories


def _stage(folder: Path, server: Server | None, cutter: Cutter | None) -> Subject:
    return Stage(folder, server=server, cutter=cutter)


def _asking(folder: Path, server: Server | None, cutter: Cutter | None) -> Subject:
    return Stage(folder, provider="asking")


def _filing(folder: Path, server: Server | None, cutter: Cutter | None) -> Subject:
    return Stage(folder, provider="folder")


def _unprintable(folder: Path, server: Server | None, cutter: Cutter | None) -> Subject:
    return Stage(folder, readers=100, posts=1, unprintable=1)


def _in_zone(zone: str, start: datetime) -> Callable[..., Subject]:
    return lambda folder, server, cutter: Stage(folder, zone=zone, start=start, readers=8, posts=4)


def _control(loop: Callable[[Control, int], None]) -> Callable[..., Subject]:
    return lambda folder, server, cutter: Control(folder, loop)


#: By name; `share` of 1,500 deaths.
STORIES = {
    "points": Story("at named points", at_a_point, 444),
    "random": Story("at random moments", at_any_moment, 400),
    "lookup": Story("a provider that can be asked", either, 150, (_asking,)),
    "folder": Story("the folder", either, 90, (_filing,)),
    "signals": Story("SIGTERM and what comes after", by_signals, 60),
    "company": Story("two and three runners at once", in_company, 60),
    "full": Story("a full database", for_want_of_room, 40),
    "locked": Story("a locked database", at_a_locked_door, 40),
    "faults": Story("one message of a hundred that can't be composed", either, 40, (_unprintable,)),
    "clocks": Story("clocks that leap and change", either, 60, tuple(_in_zone(*c) for c in CHANGES), steps=_LEAPS,
                    calm=timedelta(hours=2), check=kept_hours),
    "postgres": Story("PostgreSQL", either, 80, needs="server"),
    "cut": Story("a line to PostgreSQL that is cut", by_the_cut, 30, needs="cutter"),
    "halt": Story("PostgreSQL that is stopped at once", with_its_server, 6, needs="server"),
}  # fmt: skip
CONTROLS = {
    "send, then mark": Story("", either_outside, 0, (_control(send_then_mark),)),
    "a checkpoint for each ten": Story("", either_outside, 0, (_control(checkpoints),)),
    "mark, then send": Story("", either_outside, 0, (_control(mark_then_send),)),
}


def tell(story: Story, deaths: int, *, seed: int, whole: bool = False) -> Tally:
    """One story, until *deaths* have died. It ends at the first thing that is wrong, unless *whole*.

    Raises `NotInstalled` where it needs PostgreSQL.
    """
    tally = Tally(seed)
    with ExitStack() as stack:
        folder, sink = stack.enter_context(scratch()), stack.enter_context(Sink())
        server = stack.enter_context(running(durable=True)) if story.needs else None
        cutter = stack.enter_context(Cutter(folder, server.folder)) if server and story.needs == "cutter" else None
        for n, made in enumerate(story.subjects or (_stage,), 1):
            campaign = Campaign(story, made(folder / f"stage{n}", server, cutter), sink, tally)
            campaign.run(deaths * n // max(1, len(story.subjects)), whole=whole)
    return tally
