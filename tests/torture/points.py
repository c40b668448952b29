"""Where a run dies: named points in the ledger's verbs, and on the wire.

`begin` is whatever call hands the ledger attempts, `record` whatever call hands it results. A verb's point is reached in the process itself, which then kills itself as `kill -9` does: nothing is closed, no
`finally` runs. `COMMIT` is the moment before the database is told to commit, whatever the verb wrote by then.
A point on the wire is the mail server's to see, and it is the server that kills (`sink.Play.fate`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import event

from newsletter.store import Store
from newsletter.store.attempts import Begun, Result


class When(Enum):
    ENTERED = auto()
    COMMIT = auto()  # all is written, nothing is durable
    LEFT = auto()
    WIRE = auto()


@dataclass(frozen=True)
class Point:
    """One place to die. *verb* is one of the planner's or the ledger's, or a step of `sink.Play.fate`."""

    words: str
    verb: str
    when: When
    calls: int = 1  #: it may be any of the first so many visits


#: In the order of a run; docs/guarantees.md has a row for each.
POINTS = (
    Point("before the sweep of old leases commits", "sweep", When.COMMIT),
    Point("after the sweep", "sweep", When.LEFT),
    Point("before a doubt that is settled commits", "settle_doubt", When.COMMIT, 10),
    Point("after a doubt is settled", "settle_doubt", When.LEFT, 10),
    Point("before the plan commits", "plan", When.COMMIT),
    Point("after the plan", "plan", When.LEFT),
    Point("before the claim commits", "claims", When.COMMIT),
    Point("after the claim", "claims", When.LEFT),
    Point("before the template is kept", "keep_template", When.COMMIT),
    Point("printed, before `begin`", "begin", When.ENTERED, 3),
    Point("within `begin`, before it commits", "begin", When.COMMIT, 3),
    Point("after `begin`", "begin", When.LEFT, 3),
    Point("after MAIL", "MAIL", When.WIRE, 12),
    Point("after RCPT", "RCPT", When.WIRE, 12),
    Point("after DATA", "DATA", When.WIRE, 12),
    Point("in the middle of the body", "body", When.WIRE, 12),
    Point("after the final dot, which the server did not take", "lost", When.WIRE, 12),
    Point("after the final dot, taken, before the answer", "dot", When.WIRE, 12),
    Point("after the answer", "answer", When.WIRE, 12),
    Point("the answer is read, before `record`", "record", When.ENTERED, 3),
    Point("within `record`, before it commits", "record", When.COMMIT, 3),
    Point("after `record`", "record", When.LEFT, 3),
    Point("before what was not handed over is given back", "release", When.COMMIT),
)


def die() -> None:
    """As a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(store: Store, point: Point, call: int) -> None:
    """Make this process die at the *call*-th visit (from 1) of *point*."""
    fuse = _Fuse(point, call)
    # Both are cached properties of the store: what stands in their place is what everybody gets.
    store.__dict__["ledger"] = _Watched(store.ledger, fuse)
    store.__dict__["planner"] = _Watched(store.planner, fuse)
    event.listen(store.engine, "commit", lambda connection: fuse.burn(When.COMMIT, fuse.within))


class _Fuse:
    def __init__(self, point: Point, call: int) -> None:
        self.point, self.left, self.within = point, call, set[str]()

    def burn(self, when: When, doing: set[str]) -> None:
        if when is self.point.when and self.point.verb in doing:
            self.left -= 1
            if not self.left:
                die()


class _Watched:
    """The ledger or the planner, with a fuse."""

    def __init__(self, real: Any, fuse: _Fuse) -> None:
        self._real, self._fuse = real, fuse

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._real, verb)
        if verb == "claims":
            return lambda **given: self._batches(found(**given))
        if not callable(found):
            return found
        return lambda *args, **given: self._call(_doing(verb, args), lambda: found(*args, **given))

    def _batches(self, batches: Iterator[Any]) -> Iterator[Any]:
        while (batch := self._call({"claims"}, lambda: next(batches, None))) is not None:
            yield batch

    def _call(self, doing: set[str], do: Callable[[], Any]) -> Any:
        self._fuse.burn(When.ENTERED, doing)
        outer, self._fuse.within = self._fuse.within, doing
        try:
            done = do()
        finally:
            self._fuse.within = outer
        self._fuse.burn(When.LEFT, doing)
        return done


def _doing(verb: str, args: tuple[Any, ...]) -> set[str]:
    firsts = [arg[0] for arg in args if isinstance(arg, list) and arg]
    kinds = {Begun: "begin", Result: "record"}
    return {kinds[type(first)] for first in firsts if type(first) in kinds} or {verb}
