"""What is said of workers: how many are alive, how much waits for them, how fast it goes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.cli.output import iso, moment, plural
from newsletter.scheduler import NOBODY
from newsletter.store import Store


def figures(store: Store) -> dict[str, Any]:
    """Of the workers of *store*, as JSON has it."""
    from newsletter.queue import depth

    workers = store.workers
    at = workers.clock()
    backlog, heard = workers.backlog(at=at), workers.heard(at=at)
    with store.write() as c:  # it sets the place where the queue's tables are looked for, and changes nothing
        tickets = depth(c)
    return {
        "alive": [
            {
                "host": h.sign.host,
                "since": iso(h.started_at),
                "done": h.sign.done,
                "rate": h.sign.rate,
                "trouble": h.sign.trouble,
            }
            for h in heard
        ],
        "queue": tickets.waiting,
        "in_hand": tickets.in_hand,
        "due": backlog.due,
        "oldest_due": iso(backlog.oldest),
        "rate": sum(h.sign.rate for h in heard),
    }


def words(found: dict[str, Any], zone: ZoneInfo) -> str:
    """The same as a line of `newsletter status`."""
    alive = found["alive"]
    said = [f"{plural(len(alive), 'worker')} alive" if alive else "no worker is alive"]
    if found["due"]:
        oldest = moment(datetime.fromisoformat(found["oldest_due"]), zone)
        said.append(f"{plural(found['due'], 'message')} due since {oldest}")
    said.append(f"{plural(found['queue'], 'batch', 'batches')} queued, {found['in_hand']:,} in hand")
    said.append(f"{plural(found['rate'], 'message')} in the last minute")
    return ", ".join(said)


def troubles(found: dict[str, Any]) -> list[str]:
    """What keeps workers from working."""
    said = [f"The worker on {w['host']}: {w['trouble']}" for w in found["alive"] if w["trouble"]]
    return [*dict.fromkeys(said), *([NOBODY] if found["due"] and not found["alive"] else [])]
