"""Old details: what nobody will ask for any more is counted, archived when that is wanted, and removed.

Removed are the attempts of deliveries that were accepted without doubt, what was told that changed nothing, letters
outside the sequence that are settled, and used nonces.

Guarantees
    Deliveries stay, and so does who got what and when; the journal, consent, suppressions, bounces and complaints
    stay, and everything that was ever in doubt. The accounts balance afterwards as before: `verify` knows from which
    day back the attempts are gone. An archive is complete and on the disk before the first row goes.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from newsletter.errors import ConfigError, StoreError
from newsletter.store import Store, facts
from newsletter.store.schema import micros

_SPAN = 20_000  # ids for one commit: whoever else writes waits no longer than that takes
# Whatever says more than its delivery does stays: doubts, and what was sent again after one.
_PLAIN = (
    "SELECT d.id FROM delivery d WHERE d.state = 'accepted' AND d.resent = 0 AND d.accepted_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM attempt u WHERE u.delivery_id = d.id AND u.outcome = 'uncertain')"
)
OLD: dict[str, tuple[str, str]] = {  #: table → (its key, what may go)
    "attempt": ("delivery_id", f"delivery_id IN ({_PLAIN} AND d.id BETWEEN :low AND :high)"),
    "event": ("id", "heard_at < :before AND (kind = 'delayed' OR effect IN ('unknown', 'discarded'))"),
    "notice": ("id", "planned_at < :before AND state IN ('accepted', 'rejected', 'withdrawn')"),
}
_NONCES = text("DELETE FROM nonce WHERE at < :before")


def count(store: Store, *, before: datetime) -> dict[str, int]:
    """How many rows of each table are older than *before* and may go."""
    with store.read() as c:
        return {name: int(c.scalar(_all(name, "COUNT(*)"), _ends(c, name, before)) or 0) for name in OLD}


def archive(store: Store, target: Path, *, before: datetime) -> None:
    """Write what `prune` would remove into the new file *target*: JSON, a row a line, compressed.

    Raises `ConfigError` when there is such a file, `StoreError` when it can't be written.
    """
    if target.exists():
        raise ConfigError(f"{target} exists already; name another file.")
    draft = target.with_name(target.name + ".part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with gzip.GzipFile(fileobj=file, mode="wb", filename="") as packed:
                for row in _rows(store, before):
                    packed.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StoreError(f"{target} can't be written ({error.strerror}). Nothing was removed.") from None


def prune(
    store: Store, *, before: datetime, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, int]:
    """Remove what is older than *before*, span by span; returns how many rows of each table went."""
    with store.write() as c:
        facts.write(c, "pruned", max(micros(before), facts.read(c, "pruned") or 0))
        c.execute(_NONCES, {"before": micros(before)})
        last = {name: _ends(c, name, before)["high"] for name in OLD}
    gone, done, total = dict.fromkeys(OLD, 0), 0, sum(last.values())
    for name, (key, where) in OLD.items():
        statement = text(f"DELETE FROM {name} WHERE {key} BETWEEN :low AND :high AND {where}")
        for low in range(1, last[name] + 1, _SPAN):
            with store.write() as c:
                values = {"before": micros(before), "low": low, "high": low + _SPAN - 1}
                gone[name] += c.execute(statement, values).rowcount
            done += _SPAN
            progress(min(done, total), total)
    return gone


def make_room(store: Store) -> None:
    """Give the room of what was removed back: to the disk with SQLite, to new rows with PostgreSQL."""
    if store.engine.dialect.name == "postgresql":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.execute(text(f"VACUUM (ANALYZE) {', '.join(OLD)}"))
    else:
        store.scrub()


def _all(name: str, what: str) -> Any:
    key, where = OLD[name]
    return text(f"SELECT {what} FROM {name} WHERE {key} BETWEEN :low AND :high AND {where}")


def _ends(c: Connection, name: str, before: datetime) -> dict[str, int]:
    high = c.scalar(text(f"SELECT MAX({OLD[name][0]}) FROM {name}"))
    return {"before": micros(before), "low": 0, "high": int(high or 0)}


def _rows(store: Store, before: datetime) -> Iterator[dict[str, Any]]:
    with store.read() as c:
        for name in OLD:
            found = c.execute(_all(name, "*"), _ends(c, name, before), execution_options={"stream_results": True})
            for row in found.mappings():
                shown = {k: v.hex() if isinstance(v, bytes | memoryview) else v for k, v in row.items()}
                yield {"table": name} | shown
