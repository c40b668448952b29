"""Controls: senders as they are often written. A harness that does not catch them proves nothing.

"Send, then mark" doubles what was handed over and not yet marked; a checkpoint for each ten doubles up to ten; "mark,
then send" loses. None of them can say so: their books hold a tick, or none.
"""

from __future__ import annotations

import smtplib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from judge import Entry
from sink import Record, Sink
from stage import MONDAY, PATIENCE, READERS

from newsletter.errors import ProviderError
from newsletter.store.schema import State

if TYPE_CHECKING:
    from campaign import Campaign

_CHECKPOINT = 10


class Control:
    """A loop over a table of readers, each with a tick. A `campaign.Subject`."""

    def __init__(self, folder: Path, loop: Callable[[Control, int], None]) -> None:
        folder.mkdir()
        self.start, self.numbers = MONDAY, range(1, 2)
        self.readers = [f"r{n:05d}@example.org" for n in range(READERS)]
        self._file, self._loop = folder / "books.db", loop

    def reset(self) -> None:
        for path in self._file.parent.iterdir():
            path.unlink()
        with self.books() as c:
            c.execute("PRAGMA journal_mode=WAL")
            c.execute("CREATE TABLE reader (address TEXT PRIMARY KEY, done INTEGER NOT NULL DEFAULT 0)")
            c.executemany("INSERT INTO reader (address) VALUES (?)", [(a,) for a in self.readers])

    def books(self) -> closing[sqlite3.Connection]:
        """A connection that commits each statement."""
        return closing(sqlite3.connect(self._file, isolation_level=None))

    def work(self, campaign: Campaign) -> Callable[[], object]:
        def run() -> None:
            try:
                self._loop(self, campaign.sink.port)
            except OSError as error:  # smtplib's are OSErrors; `with` adds its own when QUIT fails
                raise ProviderError(str(error)) from error

        return run

    def waiting(self) -> list[str]:
        with self.books() as c:
            return [row[0] for row in c.execute("SELECT address FROM reader WHERE done = 0 ORDER BY address")]

    def mark(self, *addresses: str) -> None:
        with self.books() as c:
            c.execute("BEGIN IMMEDIATE")
            c.executemany("UPDATE reader SET done = 1 WHERE address = ?", [(a,) for a in addresses])
            c.execute("COMMIT")

    def in_doubt(self, since: datetime) -> int:
        return 0  # it has no word for it

    def unfinished(self, number: int) -> bool:
        return bool(self.waiting())

    def record(self, sink: Sink) -> Record:
        return sink.record()

    def entries(self) -> list[Entry]:
        waiting = set(self.waiting())
        return [
            Entry(a, 1, f"1.{a}", State.PLANNED if a in waiting else State.ACCEPTED, named=False) for a in self.readers
        ]

    def verify(self) -> list[str]:
        return []


def send_then_mark(control: Control, port: int) -> None:
    with _session(port) as session:
        for address in control.waiting():
            _send(session, address)
            control.mark(address)


def checkpoints(control: Control, port: int) -> None:
    waiting = control.waiting()
    with _session(port) as session:
        for n in range(0, len(waiting), _CHECKPOINT):
            for address in waiting[n : n + _CHECKPOINT]:
                _send(session, address)
            control.mark(*waiting[n : n + _CHECKPOINT])


def mark_then_send(control: Control, port: int) -> None:
    with _session(port) as session:
        for address in control.waiting():
            control.mark(address)
            _send(session, address)


def _session(port: int) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", port, local_hostname="localhost", timeout=PATIENCE.total_seconds())


def _send(session: smtplib.SMTP, address: str) -> None:
    data = f"Subject: No. 1: hello\r\nTo: {address}\r\nMessage-ID: <1.{address}>\r\n\r\nDear reader.\r\n"
    session.sendmail("maya@example.org", [address], data)
