"""Ctrl-C and SIGTERM: the first lets a run end between two messages, the second ends it at once."""

from __future__ import annotations

import signal
from datetime import timedelta

from newsletter.cli.output import say

GRACE = timedelta(seconds=30)  #: for the answers to what is past the final dot; what has none then is in doubt


class Stop:
    """Whether to stop: asked between two messages. A second signal, or the end of `GRACE`, is a KeyboardInterrupt."""

    def __init__(self) -> None:
        self.first: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, self._handle)

    def __call__(self) -> bool:
        return self.first is not None

    def _handle(self, number: int, _frame: object) -> None:
        if self.first is not None:
            raise KeyboardInterrupt
        self.first = number
        signal.setitimer(signal.ITIMER_REAL, GRACE.total_seconds())
        say("stopping: what is under way is finished first (once more to stop at once).")
