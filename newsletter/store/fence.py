"""A fence around a database whose ledger was carried elsewhere: whatever still writes here is refused, and told where.

Guarantees
    Every version of the program refuses such a database, since it takes the mark for a schema newer than its own. One
    that had it open already is stopped by triggers at its next write. An earlier copy that is put back is recognised
    by a note outside it (`leave_note`), which says where the ledger went from this place.

Diagnostics
    `StoreMoved`, with the sentence that says where to.
"""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, inspect, make_url, text

from newsletter.errors import StoreMoved
from newsletter.store.engine import MOVED_TO
from newsletter.store.schema import metadata

MOVED, ARRIVING = "moved", "arriving"  #: in place of the schema's version; both are beyond every number
_KEY = "moved"  # in `meta`


def shown(url: str) -> str:
    """*url* without its password."""
    made = make_url(url)
    rest = {key: value for key, value in made.query.items() if "password" not in key}
    return made.set(drivername=made.get_backend_name(), query=rest)._replace(password=None).render_as_string()


def has_password(url: str) -> bool:
    """Whether *url* says more than may be shown."""
    made = make_url(url)
    return made.password is not None or any("password" in key for key in made.query)


def version(connection: Connection) -> str:
    """The schema's version, or the mark in its place; empty when there are no tables yet."""
    exists = inspect(connection).has_table("alembic_version")
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "") if exists else ""


def refusal(connection: Connection, mark: str, label: str) -> StoreMoved:
    """Why a database with this mark can't be used."""
    other = str(said(connection) or "")
    if mark == ARRIVING:
        return StoreMoved(
            f"{label}: a ledger is on its way here from {other} and not complete; type the same `newsletter move` once"
            " more, in the project it comes from. Nothing is lost."
        )
    return StoreMoved(moved(label, other))


def moved(label: str, place: str) -> str:
    """The sentence of a database that was left."""
    password = "" if place.startswith("sqlite") else " (with its password)"
    return (
        f"{label}: who got what is kept in {place} since `newsletter move`: write that url under [store] in"
        f" newsletter.toml. If the move was broken off, `newsletter move --to {place}`{password} ends it."
    )


def said(connection: Connection) -> str | None:
    """The other end of the move that left its mark here."""
    value = connection.scalar(text("SELECT value FROM meta WHERE key = :key"), {"key": _KEY})
    return None if value is None else str(json.loads(value))


def put_mark(connection: Connection, mark: str, other: str) -> None:
    """Put *mark* in the place of the schema's version, and *other* where `said` finds it."""
    connection.execute(text("DELETE FROM meta WHERE key = :key"), {"key": _KEY})
    values = {"key": _KEY, "value": json.dumps(other)}
    connection.execute(text("INSERT INTO meta (key, value) VALUES (:key, :value)"), values)
    connection.execute(text("UPDATE alembic_version SET version_num = :mark"), {"mark": mark})


def open_gate(connection: Connection, version: str) -> None:
    """Take the mark away: from now on the ledger lives here."""
    connection.execute(text("DELETE FROM meta WHERE key = :key"), {"key": _KEY})
    connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def shut(connection: Connection, place: str) -> None:
    """Let nothing more be written here: the ledger lives at *place*."""
    put_mark(connection, MOVED, place)
    words = f"{MOVED_TO}{place}".replace("'", "''")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION newsletter_moved() RETURNS trigger LANGUAGE plpgsql AS $fence$"
            f" BEGIN RAISE EXCEPTION USING MESSAGE = '{words}'; END $fence$".replace("%", "%%")
        )
    for table in metadata.tables:
        for verb in ("INSERT", "UPDATE", "DELETE"):
            name = f"moved_{table}_{verb.lower()}"
            if connection.dialect.name == "postgresql":
                body = "FOR EACH STATEMENT EXECUTE FUNCTION newsletter_moved()"
            else:
                body = f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
            connection.exec_driver_sql(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {body}".replace("%", "%%"))


# The note outside


def leave_note(folder: Path | None, ident: str, here: str, place: str) -> None:
    """Write down in *folder* that the ledger *ident* left *here* for *place*; without one an old copy isn't known."""
    if folder is not None:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            _note(folder, ident, here).write_text(place + "\n")


def forget_note(folder: Path | None, ident: str, here: str) -> None:
    """The ledger *ident* came back *here*."""
    if folder is not None:
        with suppress(OSError):
            _note(folder, ident, here).unlink(missing_ok=True)


def noted(folder: Path, ident: str, here: str) -> str:
    """Where the ledger *ident* went from *here*; empty when it never left."""
    with suppress(OSError, UnicodeDecodeError):
        return _note(folder, ident, here).read_text().strip()
    return ""


def _note(folder: Path, ident: str, here: str) -> Path:
    return folder / f"{sha256(f'{ident} {here}'.encode()).hexdigest()[:20]}.moved"
