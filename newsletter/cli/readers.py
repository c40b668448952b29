"""What the commands about readers share: finding one, and looking ahead without changing anything."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from newsletter.cli.output import data, moment, plural, warn
from newsletter.cli.project import Project, looked_at
from newsletter.errors import NotFound
from newsletter.intake import file_changed
from newsletter.store import Store
from newsletter.subscribers import STANDINGS

if TYPE_CHECKING:
    from newsletter.store.audience import Reader
    from newsletter.store.forecast import Expected

_HORIZON = 60  # days in which a first post is looked for


def existing(project: Project) -> Store:
    """The database; raises `NotFound` while there is none."""
    store = project.existing_store()
    if store is None:
        raise NotFound(f"there are no readers on record yet.{unread(project, None)}")
    return store


def find(project: Project, store: Store, address: str) -> Reader:
    """The reader with *address*; raises `NotFound` with what may help, or `SubscriberError`."""
    try:
        return store.audience.find(address)
    except NotFound as error:
        raise NotFound(f"{error}{unread(project, store)}") from None


def unread(project: Project, store: Store | None) -> str:
    """A sentence that says so when the owner's file has news, to stand behind another; else nothing."""
    path = project.config.subscribers_file
    if path is None or not file_changed(path, store):
        return ""
    return f" {path.name} was not read since it changed; `newsletter subscribers sync` reads it."


def expected(project: Project, store: Store, at: datetime, reader: int | None = None) -> list[Expected]:
    """What leaves in the next weeks, for all or for one *reader* (id)."""
    from newsletter.store.forecast import forecast

    return forecast(store, project.config.identity, project.config.rules, at=at, days=_HORIZON, reader=reader)


def show_first(what: str, first: Expected | None, zone: ZoneInfo, stopped: list[str]) -> None:
    """Say when the *first* post leaves, and why it may not."""
    if first:
        data(f"{what}: #{first.post}, {moment(first.at, zone)} ({zone.key}).")
    else:
        data(f"{what}: none in the next {_HORIZON} days; `newsletter posts` shows what there is.")
    warn(stopped)


def show_next(project: Project, reader: Reader, what: str, *, at: datetime) -> None:
    """Say when *reader* gets the next post, by the reader's own clock."""
    with looked_at(project, at, file=False) as (view, result):
        coming = expected(project, view, at, reader.id)
    zone = ZoneInfo(reader.timezone) if reader.timezone else project.config.identity.timezone
    show_first(what, coming[0] if coming else None, zone, result.stopped)


def counted(counts: dict[str, int]) -> str:
    """`Audience.counts` as a sentence."""
    parts = [f"{counts[s.value]:,} {s.value}" for s in STANDINGS if counts[s.value]]
    parts = [
        f"{part} ({counts['paused']:,} paused)" if counts["paused"] and part.endswith(" active") else part
        for part in parts
    ]
    return f"{plural(sum(counts[s.value] for s in STANDINGS), 'reader')}: {', '.join(parts)}."
