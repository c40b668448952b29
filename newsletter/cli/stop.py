"""Ctrl-C and SIGTERM: the first lets a run end between two messages, the second ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta

from newsletter.cli.output import say

GRACE = timedelta(seconds=30)  #: for the answers to what is past the final dot; what has none then is in doubt


class Stop:
    """Whether to stop: asked between two messages. A second signal, or the end of `GRACE`, is a KeyboardInterrupt.

    *at_once* is called instead, where there are threads that a KeyboardInterrupt does not reach.
    """

    def __init__(self, at_once: Callable[[], None] | None = None) -> None:
        self.first: int | None = None
        self._at_once = at_once
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, self._handle)

    def __call__(self) -> bool:
        return self.first is not None

    def _handle(self, number: int, _frame: object) -> None:
        if self.first is not None:
            if self._at_once:
                self._at_once()
            raise KeyboardInterrupt
        self.first = number
        signal.setitimer(signal.ITIMER_REAL, GRACE.total_seconds())
        say("stopping: what is under way is finished first (once more to stop at once).")
