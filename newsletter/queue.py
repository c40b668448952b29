"""The queue: tickets that say "there is work", on Procrastinate, in the ledger's own database.

A ticket is worth one batch: whoever has it claims up to so many of the deliveries that are due. It names none, so a
ticket that is lost, repeated, late or out of turn changes nothing; the ledger is the truth. Tickets are numbered, and
each number waits in the queue at most once.

Guarantees
    Tickets commit with what was planned, in one transaction of the ledger.
    The tables of the queue stand in a schema of their own and hold nothing that the ledger doesn't know: a version of
    Procrastinate that wants other tables gets new ones.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import count, islice
from pathlib import Path
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Job
from procrastinate.schema import SchemaManager

from newsletter.store import Transaction
from newsletter.store.engine import lively
from newsletter.store.workers import LINGER, SESSION, SILENCE, backlog

BATCH = 500  #: deliveries; commits and a ticket cost little against so many, and a dead worker's are soon done again
_MOST = 400  # tickets that wait, worth 200,000 deliveries; the sweep adds more when half of these are used up
_SCHEMA = "newsletter_queue"
_TASK = "batch"
_INSTALLING = 7312  # an advisory lock, beside those of `store.workers`
_CHATTY = ("procrastinate", "psycopg", "asyncio")

Listener = App  #: takes tickets from the queue


@dataclass(frozen=True, slots=True)
class Depth:
    """What is in the queue."""

    waiting: int
    in_hand: int


def enqueue(c: Transaction, queue: str, *, at: datetime, size: int = BATCH, sweeping: bool = False) -> int:
    """Put tickets for what may leave *at* this instant into *queue*, within the transaction of *c*; returns how many.

    Call it under `store.workers.alone`, so that nobody else does the same. A run and a sweep may do it at once: a run
    plans for a minute, or was cut off in the middle, and what a dead worker had can't wait for that. So their tickets
    have different numbers.
    """
    driver = _driver(c)
    _install(driver)
    there = {row[0] for row in driver.execute(_WAITING_LOCKS, [queue])}
    # To count what is due costs a microsecond each, and a worker asks every two seconds.
    wanted = min(-(-backlog(c, at=at, most=_MOST * size).due // size), _MOST) if len(there) <= _MOST // 2 else 0
    numbers = (lock for n in count() if (lock := f"{queue}:{'sweep' if sweeping else 'run'}:{n}") not in there)
    locks = list(islice(numbers, max(wanted - len(there), 0)))
    if locks:
        jobs = [
            Job(queue=queue, lock=None, queueing_lock=lock, task_name=_TASK, task_kwargs={"size": size})
            for lock in locks
        ]
        _sender().job_manager.batch_defer_jobs(jobs=jobs, connection=driver)
    _leave(driver)
    return len(locks)


def make(c: Transaction) -> None:
    """Make the tables of the queue unless they are there; as `enqueue` does."""
    driver = _driver(c)
    _install(driver)
    _leave(driver)


def clear_dead(c: Transaction) -> None:
    """Drop the tickets that a dead worker had in hand: what it did not do is due, and gets new ones."""
    driver = _driver(c)
    if _installed(driver):
        _enter(driver)
        driver.execute(_DROP_DEAD)
        _leave(driver)


def depth(c: Transaction) -> Depth:
    """How many tickets wait, and how many are in hand."""
    driver = _driver(c)
    if not _installed(driver):
        return Depth(0, 0)
    _enter(driver)
    found = dict(driver.execute(_DEPTH).fetchall())
    _leave(driver)
    return Depth(found.get("todo", 0), found.get("doing", 0))


def listener(url: str, batch: Callable[[int], None], *, connections: int) -> Listener:
    """What calls *batch* with the size of each ticket."""
    for name in _CHATTY:  # a traceback for each ticket that a silent line cost; the worker says it in a sentence
        logging.getLogger(name).addHandler(logging.NullHandler())
    url = url.replace("postgresql+psycopg://", "postgresql://", 1)
    settings = {"search_path": f"{_SCHEMA},public", **LINGER}
    line = lively(url, SILENCE) | {
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "application_name": SESSION,
    }
    app = App(connector=PsycopgConnector(conninfo=url, kwargs=line, min_size=1, max_size=connections))
    app.task(name=_TASK)(_taking(batch))
    return app


def _taking(batch: Callable[[int], None]) -> Callable[..., None]:
    def take(size: int) -> None:
        batch(size)

    return take


@lru_cache(maxsize=1)
def _sender() -> App:
    """An app that never connects: it speaks over the ledger's connection alone."""
    return App(connector=PsycopgConnector())


def _driver(c: Transaction) -> Any:
    return c.connection.driver_connection


def _version() -> str:
    """The last migration of the Procrastinate that is installed."""
    return max(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def _installed(driver: Any) -> bool:
    found = driver.execute(_MADE_FOR, [_SCHEMA]).fetchone()
    return bool(found and found[0] == _version())


def _install(driver: Any) -> None:
    """Make the tables of the queue unless they are there, and stay in their schema."""
    if not _installed(driver):
        driver.execute(f"SELECT pg_advisory_xact_lock({_INSTALLING})")
    if not _installed(driver):  # nor did somebody else meanwhile
        driver.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
        driver.execute(f"CREATE SCHEMA {_SCHEMA}")
        driver.execute(f"COMMENT ON SCHEMA {_SCHEMA} IS '{_version()}'")
        _enter(driver)
        driver.execute(SchemaManager.get_schema())
    _enter(driver)


def _enter(driver: Any) -> None:
    driver.execute(f"SET LOCAL search_path TO {_SCHEMA}, public")


def _leave(driver: Any) -> None:
    driver.execute("SET LOCAL search_path TO DEFAULT")


# From the tables: what names mean is remembered for as long as a transaction lasts, whatever others make meanwhile.
_MADE_FOR = (
    "SELECT d.description FROM pg_namespace n JOIN pg_description d ON d.objoid = n.oid"
    " AND d.classoid = 'pg_namespace'::regclass WHERE n.nspname = %s"
)
_WAITING_LOCKS = "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = %s"
_DEPTH = "SELECT status::text, COUNT(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') GROUP BY status"
_DROP_DEAD = (
    "DELETE FROM procrastinate_jobs j WHERE j.status = 'doing' AND NOT EXISTS (SELECT 1 FROM procrastinate_workers w"
    " WHERE w.id = j.worker_id AND w.last_heartbeat > clock_timestamp() - interval '30 seconds')"
)
