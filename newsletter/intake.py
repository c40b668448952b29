"""What a tick takes in before it plans: the posts, and the owner's subscriber file.

    take_in        both, as every run does
    take_posts     posts/ alone
    follow_file    the subscriber file alone, if it changed
    file_changed   whether it did
    floor          where a new reader starts
    fingerprint    what stays of an address that was erased

What goes wrong
    Faults of single posts and rows become notes, and the rest is taken. A file that can't be read, or that would
    let many readers go, is not taken at all: the readers stay as they were, and a note says so.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from newsletter.catalogue import position_before, survey
from newsletter.config import Config
from newsletter.errors import SubscriberError
from newsletter.posts import Folder, read_folder
from newsletter.store import Store
from newsletter.store.audience import Fingerprint
from newsletter.store.joining import Taken
from newsletter.subscribers import BadRow, EmptyFileError, Row, Status, rows_in

_BAD_ROWS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Intake:
    """What was found, and what became of it."""

    folder: Folder
    notes: list[str]  #: warnings: nothing was stopped by them
    taken: Taken = field(default_factory=Taken)  #: from the subscriber file


def fingerprint(secret: bytes) -> Fingerprint:
    """The keyed hash under which an address stays suppressed after it was erased."""
    return lambda key: hmac.new(secret, b"newsletter address\0" + key.encode(), hashlib.sha256).hexdigest()


def take_in(config: Config, store: Store, secret: bytes, *, at: datetime) -> Intake:
    """Look into posts/ and the subscriber file, and keep what changed."""
    found = take_posts(config, store, at=at)
    if config.subscribers_file is None:
        return found
    taken, notes = _take_file(config.subscribers_file, config, store, secret, at=at)
    return replace(found, taken=taken, notes=found.notes + notes)


def take_posts(config: Config, store: Store, *, at: datetime) -> Intake:
    """Look into posts/ alone, and keep what changed."""
    folder = read_folder(config.posts, zone=config.identity.timezone, at=config.rules.at)
    previous = store.facts.last_tick()
    found = survey(
        store.catalogue.entries(), folder, at=at, previous=previous, rules=config.rules, identity=config.identity
    )
    store.catalogue.apply(found, at=at, first=previous is None)
    return Intake(folder, [*config.notes, *folder.warnings, *found.notes])


def _take_file(path: Path, config: Config, store: Store, secret: bytes, *, at: datetime) -> tuple[Taken, list[str]]:
    """Follow the owner's file when it changed; bad rows are listed each time."""
    try:
        taken, notes = follow_file(path, config, store, secret, at=at)
    except SubscriberError as error:
        followed = store.facts.get("subscribers_file") and store.audience.anybody(in_file=True)
        if followed or not isinstance(error, EmptyFileError):
            return Taken(), [f"{error}. The readers stay as they were."]
        if store.audience.anybody():
            return Taken(), []
        return Taken(), [f"{path.name} has nobody in it yet: write your readers below its first row, one to a row."]
    if taken.refused:
        refused = f"{path.name} was not taken: {taken.refused}. If that is meant: `newsletter subscribers sync`."
        return taken, [*notes, refused]
    return taken, notes


def follow_file(
    path: Path, config: Config, store: Store, secret: bytes, *, at: datetime, meant: bool = False
) -> tuple[Taken, list[str]]:
    """Make the readers follow the owner's file if it changed; what that did, and the rows that can't be taken.

    *meant*: also when many rows are gone. Raises `SubscriberError` when it can't be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            seen: dict[str, Any] = store.facts.get("subscribers_file") or {}
            if seen.get("digest") == digest:
                return Taken(), seen["bad"]
            bad: list[str] = []
            rows = _noting(rows_in(file, path.name), bad)
            taken = store.audience.take_file(
                rows, floor=floor(config, store), fingerprint=fingerprint(secret), at=at, meant=meant
            )
    except OSError as error:
        raise SubscriberError(
            f"{path.name} can't be read ({error.strerror}); see [subscribers] file in newsletter.toml"
        ) from None
    notes = [f"{path.name}, {problem}" for problem in bad[:_BAD_ROWS_SHOWN]]
    if len(bad) > _BAD_ROWS_SHOWN:
        notes.append(f"{path.name}: {len(bad) - _BAD_ROWS_SHOWN} more rows can't be taken.")
    if not taken.refused:
        store.facts.put("subscribers_file", {"digest": digest, "bad": notes})
    return taken, notes


def file_changed(path: Path, store: Store | None) -> bool:
    """Whether the owner's file holds rows and is not the one that was taken last (None: nothing was)."""
    seen = (store.facts.get("subscribers_file") if store else None) or {}
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() != seen.get("digest") and bool(
                next(rows_in(file, path.name))
            )
    except (OSError, EmptyFileError):
        return False
    except SubscriberError:
        return True


def _noting(rows: Iterable[Row | BadRow], bad: list[str]) -> Iterator[Row | BadRow]:
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(str(row))
        elif row.status not in (None, Status.ACTIVE):
            bad.append(f'row {row.row}: it says "{row.status}", so nothing is sent there; delete the row, or the word')
        yield row


def floor(config: Config, store: Store) -> int:
    """The position at which a new reader starts."""
    return position_before(config.rules.start, store.catalogue.entries(), config.identity.timezone)
