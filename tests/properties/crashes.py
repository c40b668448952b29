"""Power cuts: the process ends just before or just after one of the ledger's commits, or beside the provider's answer.

After the cut nothing more happens, not even what a `finally` would do: every further call to the ledger fails too.
A cut within a transaction is the cut before it, for the database rolls it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from world import FakeProvider, World

from newsletter.mail import Message, Outcome


class CrashError(BaseException):
    """The power is gone. Not an Exception: nobody handles it."""


@dataclass(frozen=True)
class Fate:
    """The *call*-th call of *verb* is the last one; *done* says whether it still took effect."""

    VERBS: ClassVar = (
        "begin",
        "record",
        "claims",
        "sweep",
        "release",
        "settle_doubt",
        "keep_template",
        "pull",
        "answer",
    )
    verb: str
    call: int
    done: bool


class Power:
    """Counts calls and goes off when fate says so."""

    def __init__(self, fate: Fate) -> None:
        self.fate, self.calls, self.off = fate, 0, False

    def run(self, verb: str, do: Callable[[], Any]) -> Any:
        """Do it, unless the power is off or goes off now."""
        if self.off:
            raise CrashError
        last = verb == self.fate.verb and self.calls == self.fate.call
        self.calls += verb == self.fate.verb
        if not last:
            return do()
        self.off = True
        if self.fate.done:
            do()
        raise CrashError


class Mortal:
    """The ledger, until the power goes."""

    def __init__(self, ledger: Any, power: Power) -> None:
        self._ledger, self._power = ledger, power

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self._ledger, verb)
        if verb == "claims":
            return lambda **given: self._batches(method(**given))
        return lambda *args, **given: self._power.run(verb, lambda: method(*args, **given))

    def _batches(self, batches: Iterator[Any]) -> Iterator[Any]:
        while (batch := self._power.run("claims", lambda: next(batches, None))) is not None:
            yield batch


class MortalProvider:
    """The provider's end of a line that may go dead before a message is pulled, or after it was taken."""

    def __init__(self, provider: FakeProvider, power: Power) -> None:
        self._provider, self._power = provider, power
        self.name, self.window = provider.name, provider.window
        if hasattr(provider, "lookup"):
            self.lookup = provider.lookup

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        answers = self._provider.submit(self._pulled(iter(messages)))
        while (answer := self._power.run("answer", lambda: next(answers, None))) is not None:
            yield answer

    def _pulled(self, messages: Iterator[Message]) -> Iterator[Message]:
        while (message := self._power.run("pull", lambda: next(messages, None))) is not None:
            yield message


@contextmanager
def crashing(world: World, fate: Fate) -> Iterator[Power]:
    """Let *fate* happen to the ticks within."""
    power, provider = Power(fate), world.provider
    world.store.__dict__["ledger"] = Mortal(world.store.ledger, power)  # a cached property's place
    world.provider = MortalProvider(provider, power)  # type: ignore[assignment]
    try:
        yield power
    finally:
        world.provider = provider
        world.store.__dict__.pop("ledger")
