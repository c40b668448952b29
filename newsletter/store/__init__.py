"""The only database code: one project's posts, readers and ledger in SQLite or PostgreSQL.

    Store.catalogue   what is known of each post
    Store.audience    subscribers, their consent, suppressions
    Store.planner     who is due: plans deliveries, one statement for any number of readers
    Store.ledger      claim, begin, record: what was promised to whom, and what came of it
    Store.notices     mail outside the sequence, with the ledger's verbs
    Store.feedback    what comes back about a message that was accepted
    Store.imports     files that were imported once, and taking one back
    Store.merging     two records of one person
    Store.suppressions  addresses that get nothing more, by hand
    Store.buckets     how much may still leave, and what is left alone for a while
    Store.workers     who delivers on which machine, and how much waits for them
    Store.accounts    questions: who got #4, the history of one reader, do the accounts balance
    Store.facts       the few facts about the project itself: holds, last tick, providers gone live

Guarantees
    Every writing transaction raises the database's generation and then notes it in a marker outside it,
    so a database restored from an older copy is recognised (`Store.restored`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, inspect, text

from newsletter.errors import StoreBusy, StoreError, StoreMoved, StoreTooNew
from newsletter.store.engine import changes, make_engine, plain_errors, sqlite_path
from newsletter.store.facts import Facts
from newsletter.store.marker import Marker, generation, raise_generation, set_generation
from newsletter.store.schema import metadata

if TYPE_CHECKING:
    from newsletter.store.accounts import Accounts
    from newsletter.store.audience import Audience
    from newsletter.store.buckets import Buckets
    from newsletter.store.catalogue import CatalogueTable
    from newsletter.store.feedback import Feedback
    from newsletter.store.imports import Imports
    from newsletter.store.ledger import Ledger
    from newsletter.store.merging import Merging
    from newsletter.store.notices import Notices
    from newsletter.store.planning import Planner
    from newsletter.store.suppressions import Suppressions
    from newsletter.store.workers import Workers

Transaction = Connection  #: what a `Store.together` hands to its works, and they to `requests` and `wishes`

HEAD = "0012"  #: the schema this version writes; `migrations/versions` ends with it
_ROOM = 4 << 20  # octets: what a run of a small list writes, with room for the write-ahead log
_ROOM_EACH = 1 << 10  # a reader: the delivery, its attempt, their indexes, and all of it once more in the log


class Store:
    """One open database."""

    def __init__(self, engine: Engine, *, state_folder: Path | None = None) -> None:
        self.engine = engine
        path = sqlite_path(engine)
        self.label = path.name if path else f"database {engine.url.database or 'in memory'}"
        self.state_folder = state_folder
        self._outer: Connection | None = None  # of a rehearsal

    @classmethod
    def open(cls, url: str, *, create: bool = True, state_folder: Path | None = None) -> Store:
        """Open *url*, creating or migrating its tables as needed.

        Raises `StoreError` when there is no database and *create* is false, `StoreTooNew` for one that a
        newer version wrote. *state_folder* is where the marker against restored copies lives.
        """
        store = cls(make_engine(url), state_folder=state_folder)
        path = sqlite_path(store.engine)
        if path and not path.exists() and not create:
            raise StoreError(
                f"there is no database yet ({path.name}); `newsletter send` or `newsletter go-live` makes it."
            )
        if path and path.is_dir():
            raise StoreError(f"{path} is a folder, not a database; check [store] url in newsletter.toml.")
        if path and not path.exists():
            _make_private(path)
        try:
            store._ensure_schema()
            store._refuse_old_copy()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def half_open(cls, url: str, *, state_folder: Path | None = None) -> Store:
        """As `open`, whatever stands there, and without touching it: for `moving` alone."""
        store = cls(make_engine(url), state_folder=state_folder)
        if path := sqlite_path(store.engine):
            _make_private(path)
        return store

    @classmethod
    def in_memory(cls) -> Store:
        """A new, empty store that lives as long as the object: for forecasts and tests."""
        from newsletter.store import stirring

        store = cls(make_engine("sqlite://"))
        metadata.create_all(store.engine)
        with store.engine.begin() as connection:
            stirring.install(connection)
        return store

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    # Transactions

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; it waits for nobody on SQLite."""
        if self._outer is not None:
            yield self._outer
            return
        with plain_errors(self.label), self.engine.connect() as connection:
            connection = connection.execution_options(reading=True)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A writing transaction: all of it or nothing, durable when this returns."""
        if self._outer is not None:
            with plain_errors(self.label), self._outer.begin_nested():
                yield self._outer
            return
        with plain_errors(self.label), self.engine.begin() as connection:
            before = changes(connection)
            yield connection
            # A tick with nothing due must not cost a sync for each thing it found in order.
            raised = raise_generation(connection, before)
        if self._marker and raised:
            self._marker.note(raised)

    @contextmanager
    def whole(self) -> Iterator[Transaction]:
        """Whatever is written inside is one transaction: all of it or nothing, durable when this returns."""
        with self.write() as connection:
            if self._outer is not None:
                yield connection
                return
            self._outer = connection
            try:
                yield connection
            finally:
                self._outer = None

    def together(self, works: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
        """Do *works* in one transaction, for one commit; what each of them returned, or raised.

        If one raises, nothing of that commit stands, and each is done in a transaction of its own.
        """
        try:
            with self.write() as connection:
                return [work(connection) for work in works]
        except StoreBusy as error:
            return [error] * len(works)
        except Exception as error:
            return [self._alone(work) for work in works] if len(works) > 1 else [error]

    def _alone(self, work: Callable[[Transaction], Any]) -> Any:
        try:
            with self.write() as connection:
                return work(connection)
        except Exception as error:  # the asker's to raise
            return error

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Whatever is written inside is seen inside, and undone at the end."""
        with plain_errors(self.label), self.engine.connect() as connection:
            transaction = connection.begin()
            self._outer = connection
            try:
                yield
            finally:
                self._outer = None
                transaction.rollback()

    def short_of_room(self) -> str:
        """Why a run must not begin: the disk could fill up midway. Empty when there is room, or when nobody can say."""
        path = sqlite_path(self.engine)
        if path is None or self._outer is not None:
            return ""
        with self.read() as connection:
            readers = int(connection.scalar(text("SELECT COUNT(*) FROM subscriber WHERE status = 'active'")) or 0)
        with suppress(OSError):
            free, wanted = shutil.disk_usage(path.parent).free, _ROOM + readers * _ROOM_EACH
            if free < wanted:
                return (
                    f"the disk of {self.label} has {free >> 20:,} MB left, and a run may need {wanted >> 20:,} MB:"
                    " make room. Nothing was sent, nothing is lost."
                )
        return ""

    def scrub(self) -> None:
        """Leave no trace of deleted rows in SQLite's files; rewrites them, which takes a second per 100 MB.

        `secure_delete` zeroes a deleted row, but not the copies that stayed behind when pages were split.
        Raises `StoreBusy` when another program uses the files.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with closing(self.engine.raw_connection()) as connection:  # neither may stand in a transaction
            try:
                connection.cursor().execute("VACUUM")
                ((busy, *_),) = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.OperationalError as error:
                raise StoreBusy(_TRACES.format(file=self.label, why=error)) from error
            if busy:
                raise StoreBusy(_TRACES.format(file=self.label, why="another program reads it"))

    # Parts

    @cached_property
    def facts(self) -> Facts:
        return Facts(self)

    @cached_property
    def catalogue(self) -> CatalogueTable:
        from newsletter.store.catalogue import CatalogueTable

        return CatalogueTable(self)

    @cached_property
    def audience(self) -> Audience:
        from newsletter.store.audience import Audience

        return Audience(self)

    @cached_property
    def planner(self) -> Planner:
        from newsletter.store.planning import Planner

        return Planner(self)

    @cached_property
    def ledger(self) -> Ledger:
        from newsletter.store.ledger import Ledger

        return Ledger(self)

    @cached_property
    def notices(self) -> Notices:
        from newsletter.store.notices import Notices

        return Notices(self)

    @cached_property
    def feedback(self) -> Feedback:
        from newsletter.store.feedback import Feedback

        return Feedback(self)

    @cached_property
    def imports(self) -> Imports:
        from newsletter.store.imports import Imports

        return Imports(self)

    @cached_property
    def merging(self) -> Merging:
        from newsletter.store.merging import Merging

        return Merging(self)

    @cached_property
    def suppressions(self) -> Suppressions:
        from newsletter.store.suppressions import Suppressions

        return Suppressions(self)

    @cached_property
    def buckets(self) -> Buckets:
        from newsletter.store.buckets import Buckets

        return Buckets(self)

    @cached_property
    def workers(self) -> Workers:
        from newsletter.store.workers import Workers

        return Workers(self)

    @cached_property
    def accounts(self) -> Accounts:
        from newsletter.store.accounts import Accounts

        return Accounts(self)

    # Schema

    def _ensure_schema(self) -> None:
        with plain_errors(self.label), self.engine.connect() as connection:
            exists = inspect(connection).has_table("alembic_version")
            version = connection.scalar(text("SELECT version_num FROM alembic_version")) if exists else None
        if version == HEAD:
            return
        if version in ("moved", "arriving"):
            raise self._refusal(version)
        if version is not None and str(version) > HEAD:
            raise StoreTooNew(
                f"{self.label} was written by a newer version of newsletter (schema {version}, this one knows {HEAD}): "
                "upgrade with `pip install --upgrade newsletter`. Nothing was changed."
            )
        from newsletter.store.migrations import upgrade  # 300 ms to import, so only when behind

        with plain_errors(self.label), self.engine.begin() as connection:
            upgrade(connection)
            connection.execute(
                _FIRST_FACTS, [{"key": "id", "value": uuid.uuid4().hex}, {"key": "generation", "value": "0"}]
            )

    # The fence

    @property
    def url(self) -> str:
        """Where it is, with the password."""
        return self.engine.url.render_as_string(hide_password=False)

    @cached_property
    def ident(self) -> str:
        """Of this ledger, wherever it is carried."""
        with self.read() as connection:
            return str(connection.scalar(text("SELECT value FROM meta WHERE key = 'id'")))

    def _refusal(self, mark: str) -> StoreError:
        from newsletter.store import fence

        with plain_errors(self.label), self.engine.connect() as connection:
            return fence.refusal(connection, mark, self.label)

    def _refuse_old_copy(self) -> None:
        """A copy from before a move, put where the ledger was, must not become a second one."""
        if self.state_folder is None:
            return
        from newsletter.store import fence

        if place := fence.noted(self.state_folder, self.ident, fence.shown(self.url)):
            raise StoreMoved(fence.moved(self.label, place))

    # The marker against restored copies

    @cached_property
    def _marker(self) -> Marker | None:
        return None if self.state_folder is None else Marker(self.state_folder, self.ident, self.engine.url)

    def restored(self) -> bool:
        """Whether the marker is newer than the database: somebody put an older copy in its place."""
        if self._marker is None:
            return False
        with self.read() as connection:
            return self._marker.noted() > generation(connection)

    def overtake_marker(self) -> None:
        """Accept this database as the true one: its generation is set beyond the marker's."""
        if self._marker is None or not self.restored():
            return
        beyond = self._marker.noted() + 1
        with plain_errors(self.label), self.engine.begin() as connection:
            set_generation(connection, beyond)
        self._marker.note(beyond)


def _make_private(path: Path) -> None:
    with suppress(OSError):  # SQLite says why; it also gives its other files these rights: the owner's alone
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


_TRACES = (
    "the deletion is done, but traces of it may stay in {file} ({why}); close other programs that use this newsletter, "
    "then run the same command once more."
)
_FIRST_FACTS = text("INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING")
