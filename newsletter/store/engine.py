"""Opening a database, and its errors in an owner's words.

SQLite runs in WAL mode with `synchronous=FULL` (a commit survives a power cut) and every writing
transaction begins with `BEGIN IMMEDIATE`: read-then-write transactions that start as readers fail
"locked" under concurrency, with no timeout to help them. Readers do not wait for the writer.

A line to PostgreSQL is `lively`: when the network between drops everything without a word, both ends notice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from newsletter.errors import StoreAway, StoreBusy, StoreError, StoreMoved

MOVED_TO = "the ledger was moved to "  #: what the triggers of `fence` answer; the place follows
CONNECT_TIMEOUT = 10  # seconds
BUSY_TIMEOUT = 15_000  # ms that a statement waits for another program's commit
PATIENCE = 27  # seconds that a line to PostgreSQL may be dead before either end gives it up


def make_engine(url: str) -> Engine:
    """An engine for *url* (sqlite:/// or postgresql://); connects to nothing yet."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT / 1000})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        engine = create_engine(parsed.set(drivername="postgresql+psycopg"), connect_args=lively(url, PATIENCE))
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs an extra package: pip install 'newsletter[postgres]'") from error
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def lively(url: str, seconds: int) -> dict[str, int]:
    """libpq's parameters for a line that is given up when nothing comes through for *seconds*, unless *url* has others.

    TCP alone would go on for a quarter of an hour, or for ever with nothing to say, and the locks with it.
    """
    parameters = {
        "connect_timeout": min(seconds, CONNECT_TIMEOUT),
        "keepalives_idle": seconds // 3,
        "keepalives_interval": seconds // 9,  # on a line that loses every tenth packet, six are not lost in a row
        "keepalives_count": 6,
        "tcp_user_timeout": seconds * 1000,
    }
    return {name: value for name, value in parameters.items() if name not in make_url(url).query}


def lively_there(seconds: int) -> dict[str, int]:
    """The same for the server's end, as settings of a session; without effect on a socket of the file system."""
    return {
        "tcp_keepalives_idle": seconds // 3,
        "tcp_keepalives_interval": seconds // 9,
        "tcp_keepalives_count": 6,
        "tcp_user_timeout": seconds * 1000,
    }


def settle(driver: Any, settings: Mapping[str, object]) -> None:
    """Set *settings* for as long as the connection of *driver* stands."""
    driver.execute("; ".join(f"SET {name} = {value}" for name, value in settings.items()))
    driver.commit()


def sqlite_path(engine: Engine) -> Path | None:
    """The database file; None for PostgreSQL and for `:memory:`."""
    if engine.dialect.name != "sqlite" or engine.url.database in (None, "", ":memory:"):
        return None
    return Path(str(engine.url.database))


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # erased means overwritten
    # KiB. Memory stays flat however long the list; more made nothing faster: the system keeps the file's pages too.
    cursor.execute("PRAGMA cache_size=-8000")
    cursor.close()


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    # Compiling a statement costs a second or two where PostgreSQL thinks it long; ours are many and short.
    settle(connection, {"jit": "off", **lively_there(PATIENCE)})


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    straight(connection, "BEGIN" if reading else "BEGIN IMMEDIATE")


def straight(connection: Connection, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """What *statement* (with the driver's marks) returns, past SQLAlchemy's binding and results.

    Those cost 60 µs, more than SQLite takes for a statement; with a window of 50 that was 10 µs a message.
    """
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description else []
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(statement, None, error) from error
    finally:
        cursor.close()


def copy_in(connection: Connection, statement: str, types: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Send *rows* by COPY, in binary: their values must be of just these *types*. PostgreSQL alone has it."""
    count = 0
    with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[attr-defined]
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def plan_alone(connection: Connection) -> None:
    """Whoever makes deliveries, or deletes a reader, does so alone until the transaction ends.

    On PostgreSQL no foreign key keeps a delivery from being made for somebody who is just being deleted.
    """
    if connection.dialect.name == "postgresql":
        straight(connection, "SELECT pg_advisory_xact_lock(7301)")


def changes(connection: Connection) -> int:
    """A number that differs before and after a change within one transaction of SQLite."""
    raw = connection.connection.driver_connection
    return raw.total_changes if isinstance(raw, sqlite3.Connection) else 0


@contextmanager
def plain_errors(where: str) -> Iterator[None]:
    """Turn a driver's exception into a `StoreError` that says what to do."""
    try:
        yield
    except DBAPIError as error:
        raise _plain(error.orig, where) from error
    except sqlite3.Error as error:  # from the pragmas of a new connection, which SQLAlchemy does not wrap
        raise _plain(error, where) from error
    except AssertionError as error:
        # A second Ctrl-C between the last lines of SQLAlchemy's commit ends as a complaint about its own state.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise


def _plain(error: BaseException | None, where: str) -> StoreError:
    text = f"{error} {getattr(error, 'sqlite_errorname', '')}"
    if MOVED_TO in text:
        return StoreMoved(f"{where}: {MOVED_TO}{text.partition(MOVED_TO)[2].split()[0]}: start this program again.")
    for sign, kind, sentence in _SENTENCES:
        if sign in text:
            return kind(f"{where}: {sentence}")
    return StoreError(f"{where}: the database answered: {str(error).strip()}")


_FULL = "the disk is full; make room and run it again. Nothing is lost."
_STARTING = "PostgreSQL is just starting; try again in a minute. Nothing was changed."
_SENTENCES = (
    (
        "locked",
        StoreBusy,
        "another program keeps the database locked; close it or try again in a minute. Nothing was changed.",
    ),
    (
        "lock timeout",
        StoreBusy,
        "another program is at work in the database; stop workers and servers, and try again. Nothing was changed.",
    ),
    (
        "readonly",
        StoreError,
        "the database can't be written; check who owns the file and its folder, and their permissions.",
    ),
    ("read-only", StoreError, "the database can't be written; it is open for reading only."),
    ("unable to open", StoreError, "the database can't be opened; check that its folder exists and may be written."),
    ("disk is full", StoreError, _FULL),
    ("SQLITE_IOERR_SHMSIZE", StoreError, _FULL),  # of a database that was just opened
    ("disk I/O error", StoreError, "the disk reports an error; check it before anything else. Nothing was changed."),
    ("malformed", StoreError, "the database is damaged; restore a backup with `newsletter restore FILE`."),
    ("not a database", StoreError, "this file is not a newsletter database; check [store] url in newsletter.toml."),
    ("password authentication", StoreError, "PostgreSQL refuses the login; check [store] url or NEWSLETTER_STORE_URL."),
    ("no password supplied", StoreError, "PostgreSQL wants a password; give it in [store] url_file or PGPASSWORD."),
    ("starting up", StoreAway, _STARTING),
    ("in recovery mode", StoreAway, _STARTING),
    ("shutting down", StoreAway, "PostgreSQL is being stopped; try again when it is back. Nothing was changed."),
    ("too many clients", StoreBusy, "PostgreSQL has no connection left; try again in a minute. Nothing was changed."),
    ('FATAL:  database "', StoreError, "PostgreSQL has no such database; check [store] url."),
    ('FATAL:  role "', StoreError, "PostgreSQL knows no such user; check [store] url."),
    *(
        (
            sign,
            StoreAway,
            "PostgreSQL went away in the middle; when it is back, the next run goes on. Nothing is lost.",
        )
        for sign in (
            "closed the connection",
            "terminating connection",
            "connection is lost",
            "connection is closed",
            "could not receive data",
            "could not send data",
        )
    ),
    ("Connection refused", StoreAway, "PostgreSQL does not answer; is the server running?"),
    ("timeout expired", StoreAway, "PostgreSQL can't be reached; check host, port and [store] url."),
    ("connection failed", StoreAway, "PostgreSQL can't be reached; check host, port and [store] url."),
    ("connection is bad", StoreAway, "PostgreSQL can't be reached; check host, port and [store] url."),
    ("No space left", StoreError, _FULL),
)
