"""The stage: one small project that is put back to its first morning in a moment, and its runs in a fork.

Scratch files lie in memory (/dev/shm) where that is to be had. `synchronous=FULL` stays on, but a killed process is no
power cut: what the kernel was given is on record, whether or not a disk has it.
"""

from __future__ import annotations

import gc
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from judge import Entry, books
from postgres import Server
from sink import Record, Sink, Taken, took
from sqlalchemy import text
from world import SECRET, World

from newsletter.config import FolderSettings, OnUncertain, Security, SmtpSettings
from newsletter.errors import NewsletterError, ProviderError
from newsletter.mail import Accepted, Provider
from newsletter.providers.folder import Folder
from newsletter.providers.smtp import Smtp
from newsletter.scheduler import tick
from newsletter.store import Store
from newsletter.store.schema import micros

if TYPE_CHECKING:
    from campaign import Campaign
    from cutter import Cutter

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)  #: the first slot
PATIENCE = timedelta(milliseconds=300)  #: with a server that hangs
READERS, POSTS = 25, 2
FAILED = 70  #: exit status of a run that ended with an error no command would catch


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder to write in, in memory where the machine has such."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="torture", dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


class Stage:
    """A project with its database as it was an hour before the first slot. A `campaign.Subject`."""

    def __init__(
        self, folder: Path, *, provider: str = "smtp", server: Server | None = None, cutter: Cutter | None = None,
        zone: str = "UTC", start: datetime = MONDAY, readers: int = READERS, posts: int = POSTS,
        unprintable: int = 0,
    ) -> None:  # fmt: skip
        folder.mkdir()
        self.folder, self.start, self.numbers = folder, start, range(1, posts + 1)
        self._provider, self.server, self.cutter = provider, server, cutter
        self.stop: Callable[[], bool] = lambda: False
        self._file, self._state, self._name = folder / "newsletter.db", folder / "state", folder.name
        if server:
            server.create(self._name)
        self.store = Store.open(self._url(), state_folder=self._state)
        self.world = World(folder, self.store)
        self.world.zone(zone)
        self.world.posts(*self.numbers)
        self.world.now = start - timedelta(hours=1)
        for name in ("smtp", "folder"):
            self.store.facts.go_live(name, at=self.world.now)
        self.readers = self.world.crowd(readers)
        self.world.unprintable = set(self.readers[:unprintable])
        self.world.tick()
        self.store.close()
        if server:
            server.create(f"{self._name}_first", template=self._name)
        else:
            shutil.copyfile(self._file, folder / "first.db")
        self.world.tick(start)  # forks find every statement compiled, every module loaded
        self.reset()

    def reset(self) -> None:
        self.store.close()
        for used in (self._state, self.folder / "outbox"):
            shutil.rmtree(used, ignore_errors=True)
        if self.server:
            self.server.drop(self._name)
            self.server.create(self._name, template=f"{self._name}_first")
            return
        for end in ("-wal", "-shm"):
            Path(f"{self._file}{end}").unlink(missing_ok=True)
        shutil.copyfile(self.folder / "first.db", self._file)

    def work(self, campaign: Campaign) -> Callable[[], object]:
        provider = self._made(campaign)
        self.world.on_uncertain(OnUncertain.HOLD if campaign.hold else OnUncertain.RESEND)
        return lambda: self.tick(provider, campaign.at)

    def tick(self, provider: Provider, at: datetime) -> None:
        """One run, whose clock begins at *at* and goes on from there. What the owner must lift, she lifts first."""
        begun = time.monotonic()
        if holds := self.store.facts.holds():
            assert all(h.kind != "restored" for h in holds), holds
            self.store.facts.lift({h.kind for h in holds}, at=at)
        tick(
            self.world.config, self.store, provider, SECRET, press=self.world.press, stop=self.stop,
            now=lambda: at + timedelta(seconds=time.monotonic() - begun),
        )  # fmt: skip

    def in_doubt(self, since: datetime) -> int:
        return self._count("SELECT COUNT(*) FROM delivery WHERE state = 'submitting' AND begun_at >= :n", micros(since))

    def unfinished(self, number: int) -> bool:
        open_ = "SELECT COUNT(*) FROM delivery WHERE open = 1 AND number <= :n"
        to_come = (
            "SELECT COUNT(*) FROM subscriber s WHERE s.status = 'active' AND s.pauses = 0"
            " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.subscriber_id = s.id AND d.number >= :n)"
        )
        return bool(self._count(open_, number) or self._count(to_come, number))

    def record(self, sink: Sink) -> Record:
        return sink.record() if self._provider != "folder" else _filed(self.folder / "outbox")

    def entries(self) -> list[Entry]:
        return books(self.store, self.numbers)

    def verify(self) -> list[str]:
        found = self.store.accounts.verify()
        self.store.close()
        return found

    def _url(self) -> str:
        if not self.server:
            return f"sqlite:///{self._file}"
        return (replace(self.server, folder=self.cutter.folder) if self.cutter else self.server).url(self._name)

    def _count(self, sql: str, n: int) -> int:
        with self.store.read() as c:
            found = int(c.scalar(text(sql), {"n": n}) or 0)
        self.store.close()  # no fork may inherit a connection
        return found

    def _made(self, campaign: Campaign) -> Provider:
        port, window = campaign.sink.port, campaign.window
        match self._provider:
            case "folder":
                folder = Folder(FolderSettings(self.folder / "outbox"))
                folder.window = window
                return folder
            case "asking":
                return Asking(port, window)
        return smtp(port, window)


def smtp(port: int, window: int) -> Smtp:
    """The real provider, with little patience."""
    settings = SmtpSettings(port=port, security=Security.NONE, connections=2, timeout=PATIENCE)
    made = Smtp(settings, final_timeout=PATIENCE)
    made.window = window
    return made


@dataclass
class Asking:
    """SMTP to a server that can be asked what it took, as a vendor's interface can."""

    port: int
    window: int
    name: str = "smtp"

    def submit(self, messages: Any) -> Any:
        yield from smtp(self.port, self.window).submit(messages)

    def lookup(self, message_id: str, *, since: datetime) -> Accepted | None:
        try:
            return Accepted() if took(self.port, message_id) else None
        except OSError as error:
            raise ProviderError(f"the server can't be asked: {error}") from error


def _filed(outbox: Path) -> Record:
    """The record of a folder: what lies in it."""
    taken = []
    for path in sorted((outbox / "new").glob("*.eml")):
        data = path.read_bytes()
        head = message_from_bytes(data)
        number = int(str(head["Subject"]).partition(". ")[2].partition(":")[0])
        taken.append(Taken(0, str(head["To"]), str(head["Message-ID"])[1:-1], number, sha256(data).hexdigest()))
    return Record(sorted(taken, key=lambda t: t.number), set())


def fork(do: Callable[[], Any]) -> int:
    """Do it in a child, which ends then; its pid. An error that no command would catch is printed there."""
    gc.freeze()  # what is here stays, so the child's collector need not touch, and so copy, every page
    pid = os.fork()
    if pid:
        return pid
    status = FAILED
    gc.disable()
    try:
        do()
        status = 0
    except NewsletterError:  # the command line would say it and end
        status = 1
    except KeyboardInterrupt:
        status = 130
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    os._exit(status)
