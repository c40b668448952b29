"""What visitors ask of the store, many to a commit.

Requests are answered by one thread and the store is written by another: whatever has come while it was at work makes
up its next turn, one transaction. Under load a commit is shared by dozens, and nobody waits for more than two.

What goes wrong
    A database server that restarts is waited for, some seconds, and the works come again: each may be done twice, for
    nobody knows whether a commit that was not answered was done. A look is tried once more, on a new connection.
    A work that raises is done alone, and its asker gets the exception. More than `MOST` in the queue: `StoreBusy`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Thread
from time import sleep
from typing import Any, TypeVar

from newsletter.errors import StoreAway, StoreBusy
from newsletter.store import Store, Transaction

T = TypeVar("T")
MOST = 5_000  #: works in the queue: some seconds' worth
_TOGETHER = 128  # in one transaction: others write the same database
_AGAIN, _TIMES = 0.25, 40  # seconds between two attempts to reach the server, and how many: visitors wait that long
_LOOKING = 2  # threads that only read, each with a connection and its cache: more wait for each other's Python alone

_Asker = asyncio.Future[Any] | Future[Any]
_Turn = tuple[Callable[[Transaction], Any], _Asker]


class Turns:
    """The thread that writes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._away = False  # the server was waited for, and did not come back
        self._queue: SimpleQueue[_Turn | None] = SimpleQueue()
        self._lookers = ThreadPoolExecutor(_LOOKING, "looks")
        self._thread = Thread(target=self._run, name="turns", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[Transaction], T]) -> T:
        """What *work* returns, once that is durable."""
        if self._queue.qsize() >= MOST:
            raise StoreBusy("more is being asked than the database can keep; try again in a minute.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((work, future))
        return await future

    def wait(self, work: Callable[[Transaction], T]) -> T:
        """As `do`, for a thread of ours: it stands in the same queue, so that it never keeps visitors waiting long."""
        future: Future[T] = Future()
        self._queue.put((work, future))
        return future.result()

    async def look(self, question: Callable[[Transaction], T]) -> T:
        """What *question* finds; it waits for nobody who writes."""
        return await self.aside(lambda: self._read(question))

    async def aside(self, work: Callable[[], T]) -> T:
        """What *work* returns, which only reads: in a thread of ours, so that nobody else waits for the database."""
        return await asyncio.get_running_loop().run_in_executor(self._lookers, work)

    def _read(self, question: Callable[[Transaction], T]) -> T:
        for last in (False, True):
            try:
                with self._store.read() as connection:
                    return question(connection)
            except StoreAway:  # of all connections the pool has learnt by now that they are gone
                if last:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """End when everything that was asked is done."""
        self._queue.put(None)
        self._thread.join()
        self._lookers.shutdown()

    def _run(self) -> None:
        while (turn := self._queue.get()) is not None:
            turns, last = [turn], False
            while len(turns) < _TOGETHER:
                try:
                    more = self._queue.get_nowait()
                except Empty:
                    break
                if more is None:
                    last = True
                    break
                turns.append(more)
            answers = self._surely([work for work, _ in turns])
            visitors: list[tuple[asyncio.Future[Any], Any]] = []
            for (_, future), answer in zip(turns, answers, strict=True):
                if isinstance(future, asyncio.Future):
                    visitors.append((future, answer))
                else:
                    _tell([(future, answer)])
            if visitors and not (loop := visitors[0][0].get_loop()).is_closed():
                loop.call_soon_threadsafe(_tell, visitors)
            if last:
                return

    def _surely(self, works: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
        """What each of *works* returned or raised; while there is patience, those that found no database come again."""
        answers = self._store.together(works)
        # Patience is had once for all: when the server stays away, nobody else is kept waiting for it.
        for _ in range(0 if self._away else _TIMES):
            if not (lost := _without_database(answers)):
                break
            sleep(_AGAIN)
            for n, answer in zip(lost, self._store.together([works[n] for n in lost]), strict=True):
                answers[n] = answer
        self._away = bool(_without_database(answers))
        return answers


def _without_database(answers: Sequence[Any]) -> list[int]:
    return [n for n, answer in enumerate(answers) if isinstance(answer, StoreAway)]


def _tell(told: Sequence[tuple[_Asker, Any]]) -> None:
    for future, answer in told:
        if future.done():  # the visitor went away
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
